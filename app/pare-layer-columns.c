/* The columns of the layer table: cells, what they sort by, which of them show. */
#include "app/pare-layer-table-private.h"
#include "app/pare-table-parts.h"
#include "widgets/pare-bar-cell.h"
#include "widgets/pare-format.h"
#include "widgets/pare-heat-cell.h"
#include "widgets/pare-op-dot.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

typedef void (*BindFunc) (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item);
typedef struct
{
  const char *title;
  GtkWidget *(*make) (void);
  BindFunc bind;
  int width;
  gboolean expand, visible, right;
  double (*key) (PareLayerItem *item);             /* what the column sorts by */
  const char *(*text) (const PareLayerItem *item); /* or this */
} Column;

/* --- cells --- */

static GtkWidget *
make_name (void)
{
  GtkWidget *expander = gtk_tree_expander_new (), *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 5), *text = pare_table_label (0);
  gtk_tree_expander_set_indent_for_icon (GTK_TREE_EXPANDER (expander), FALSE);
  gtk_box_append (GTK_BOX (box), pare_op_dot_new ());
  gtk_widget_set_hexpand (text, TRUE);
  gtk_label_set_ellipsize (GTK_LABEL (text), PANGO_ELLIPSIZE_START);
  gtk_box_append (GTK_BOX (box), text);
  gtk_tree_expander_set_child (GTK_TREE_EXPANDER (expander), box);
  return expander;
}

static void
set_bold (GtkWidget *cell, PareLayerItem *item)
{
  if (item->children != NULL)
    gtk_widget_add_css_class (cell, "pare-bold");
  else
    gtk_widget_remove_css_class (cell, "pare-bold");
}

static void
bind_name (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  GtkWidget *box = gtk_tree_expander_get_child (GTK_TREE_EXPANDER (cell)), *dot = gtk_widget_get_first_child (box),
            *text = gtk_widget_get_last_child (box);
  gboolean group = item->children != NULL;
  gtk_widget_set_visible (dot, !group);
  /* a layer has no arrow: its dot stands a little right of where its group's title begins */
  gtk_widget_set_margin_start (box, !group && item->parent != NULL ? 4 : 0);
  if (!group)
    pare_op_dot_set (PARE_OP_DOT (dot), item->op, item->depthwise);
  gtk_label_set_text (GTK_LABEL (text), item->title);
  /* of a long name the end tells layers apart, of "block.0 … block.798" both ends tell */
  gtk_label_set_ellipsize (GTK_LABEL (text), group ? PANGO_ELLIPSIZE_MIDDLE : PANGO_ELLIPSIZE_START);
  set_bold (text, item);
  g_autofree char *shape = group ? NULL : pare_shape_to_string (&item->shape);
  g_autofree char *tip
      = group ? g_strdup_printf ("%s\n%s", item->title, item->op) : g_strdup_printf ("%s\n%s · %s", item->name, item->op, shape);
  gtk_widget_set_tooltip_text (cell, tip);
}

static void
bind_bar (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  pare_bar_cell_set (PARE_BAR_CELL (cell), item->original >= 0 ? item->original : NAN, item->packed >= 0 ? item->packed : NAN,
                     self->tree->largest);
}

static void
set_text (GtkWidget *cell, PareLayerItem *item, char *text)
{
  gtk_label_set_text (GTK_LABEL (cell), text);
  set_bold (cell, item);
  g_free (text);
}

static void
bind_kib (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  set_text (cell, item, pare_format_kib (item->packed >= 0 ? item->packed : NAN));
}

static gboolean
recipe_tip (GtkWidget *cell, int x, int y, gboolean keyboard, GtkTooltip *tooltip, GtkListItem *line)
{
  PareLayerTable *self = g_object_get_data (G_OBJECT (line), "table");
  GtkTreeListRow *row = gtk_list_item_get_item (line);
  g_autoptr (PareLayerItem) item = row != NULL ? gtk_tree_list_row_get_item (row) : NULL;
  if (self == NULL || item == NULL)
    return FALSE;
  g_autofree char *words = pare_layer_item_dup_words (item, self->session, self->tree->layers);
  gtk_tooltip_set_text (tooltip, words);
  return *words != '\0';
}

static void
bind_recipe (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  gtk_label_set_text (GTK_LABEL (cell), item->shorthand);
}

static void
bind_heat (GtkWidget *cell, PareLayerItem *item, double value, double most, char *text, const char *unit)
{
  g_autofree char *words = g_strdup_printf ("%s %s", text, unit);
  double t = isnan (value) ? NAN : most > 0 ? fmin (value / most, 1) : 0;
  pare_heat_cell_set (PARE_HEAT_CELL (cell), text, t, words, item->children != NULL);
  g_free (text);
}

static void
bind_error (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  double error = item->compressible ? sqrt (item->error) : NAN;
  bind_heat (cell, item, error, self->tree->most_error, pare_format_number (100 * error, 1),
             item->children != NULL ? _ ("percent error of the weights, the worst layer") : _ ("percent error of the weights"));
}

/* What was measured here: stale, it has no colour until it is measured again. */
static void
bind_measured (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item, double value, double most, char *text, const char *unit)
{
  gboolean stale = self->tree->stale;
  g_autofree char *words = isnan (value) && item->inside != NULL
                               ? g_strdup_printf (_ ("in the time of %s: one step computes both"), item->inside)
                           : isnan (value) ? g_strdup (_ ("no time of its own"))
                           : stale         ? g_strdup_printf (_ ("%s %s, stale"), text, unit)
                                           : g_strdup_printf ("%s %s", text, unit);
  pare_heat_cell_set (PARE_HEAT_CELL (cell), text,
                      isnan (value) || stale ? NAN
                      : most > 0             ? fmin (value / most, 1)
                                             : 0,
                      words, item->children != NULL);
  gtk_widget_set_tooltip_text (cell, words);
  g_free (text);
}

#define HOLDER_CHARS 7

/* As much of the name's end as a column of numbers has room for; the tip says all. */
static char *
in_holder (const char *layer)
{
  const char *last = strrchr (layer, '/');
  last = last != NULL && last[1] != '\0' ? last + 1 : layer;
  glong n = g_utf8_strlen (last, -1);
  if (n <= HOLDER_CHARS)
    return g_strdup_printf (_ ("in %s"), last);
  g_autofree char *end = g_strconcat ("…", g_utf8_offset_to_pointer (last, n - HOLDER_CHARS + 1), NULL);
  return g_strdup_printf (_ ("in %s"), end);
}

static void
bind_ms (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  bind_measured (self, cell, item, item->ms, self->tree->most_ms,
                 isnan (item->ms) && item->inside != NULL ? in_holder (item->inside) : pare_format_number (item->ms, 3),
                 _ ("milliseconds"));
}

static void
bind_share (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  bind_measured (self, cell, item, item->share, self->tree->most_share, pare_format_number (100 * item->share, 1),
                 _ ("percent of the whole time"));
}

static void
bind_rate (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  g_autofree char *number = pare_format_number (item->rate, 1);
  gboolean integer = item->integer && !isnan (item->rate);
  bind_measured (self, cell, item, item->rate, self->tree->most_rate, integer ? g_strdup_printf (_ ("int %s"), number) : g_strdup (number),
                 integer ? _ ("billion operations on integers a second") : _ ("GFLOP/s"));
}

static void
bind_op (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  gtk_label_set_text (GTK_LABEL (cell), item->op);
}

static void
bind_shape (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  set_text (cell, item, item->children != NULL ? g_strdup ("") : pare_shape_to_string (&item->shape));
}

static void
bind_params (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  set_text (cell, item, pare_format_count (item->params));
}

static void
bind_macs (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  set_text (cell, item, pare_format_number (item->macs / 1e6, 2));
}

static void
bind_sparsity (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  set_text (cell, item, pare_format_percent (item->sparsity, 0));
}

/* --- sorting --- */

static double
key_position (PareLayerItem *i)
{
  return i->position;
}

static double
key_size (PareLayerItem *i)
{
  return (double)i->packed;
}

static double
key_error (PareLayerItem *i)
{
  return i->error;
}

static double
key_ms (PareLayerItem *i)
{
  return i->ms;
}

static double
key_share (PareLayerItem *i)
{
  return i->share;
}

static double
key_rate (PareLayerItem *i)
{
  return i->rate;
}

static double
key_params (PareLayerItem *i)
{
  return (double)i->params;
}

static double
key_macs (PareLayerItem *i)
{
  return (double)i->macs;
}

static double
key_sparsity (PareLayerItem *i)
{
  return i->sparsity;
}

static const char *
text_recipe (const PareLayerItem *i)
{
  return i->shorthand;
}

static const char *
text_op (const PareLayerItem *i)
{
  return i->op;
}

static const Column columns[] = {
  { N_ ("Layer"), make_name, bind_name, 100, TRUE, TRUE, FALSE, key_position, NULL },
  { N_ ("Size"), pare_bar_cell_new, bind_bar, 54, FALSE, TRUE, FALSE, key_size, NULL },
  { N_ ("KiB"), pare_table_label_right, bind_kib, 50, FALSE, TRUE, TRUE, key_size, NULL },
  { N_ ("Recipe"), pare_table_label_left, bind_recipe, 60, FALSE, TRUE, FALSE, NULL, text_recipe },
  { N_ ("Err, %"), pare_heat_cell_new, bind_error, 54, FALSE, TRUE, TRUE, key_error, NULL },
  { N_ ("Time, ms"), pare_heat_cell_new, bind_ms, 64, FALSE, FALSE, TRUE, key_ms, NULL },
  { N_ ("Operator"), pare_table_label_left, bind_op, 72, FALSE, FALSE, FALSE, NULL, text_op },
  { N_ ("Output"), pare_table_label_left, bind_shape, 84, FALSE, FALSE, FALSE, NULL, NULL },
  { N_ ("Parameters"), pare_table_label_right, bind_params, 78, FALSE, FALSE, TRUE, key_params, NULL },
  { N_ ("MMACs"), pare_table_label_right, bind_macs, 60, FALSE, FALSE, TRUE, key_macs, NULL },
  { N_ ("Zeros"), pare_table_label_right, bind_sparsity, 50, FALSE, FALSE, TRUE, key_sparsity, NULL },
  { N_ ("Share, %"), pare_heat_cell_new, bind_share, 64, FALSE, FALSE, TRUE, key_share, NULL },
  { N_ ("GFLOP/s"), pare_heat_cell_new, bind_rate, 68, FALSE, FALSE, TRUE, key_rate, NULL },
};

static int
compare (gconstpointer a, gconstpointer b, gpointer data)
{
  const Column *column = data;
  PareLayerItem *x = (PareLayerItem *)a, *y = (PareLayerItem *)b;
  if (column->text != NULL)
    return strcmp (column->text (x), column->text (y));
  double p = column->key (x), q = column->key (y);
  if (isnan (p) || isnan (q))
    return isnan (p) - isnan (q);
  return p < q ? -1 : p > q;
}

/* --- factories --- */

static void
on_setup (GtkSignalListItemFactory *factory, GtkListItem *line, const Column *column)
{
  GtkWidget *cell = column->make ();
  g_object_set_data (G_OBJECT (line), "table", g_object_get_data (G_OBJECT (factory), "table"));
  g_object_set_data (G_OBJECT (line), "column", (gpointer)column);
  if (column->bind == bind_recipe)
    {
      gtk_widget_set_has_tooltip (cell, TRUE);
      g_signal_connect (cell, "query-tooltip", G_CALLBACK (recipe_tip), line);
    }
  gtk_list_item_set_child (line, cell);
  /* in GTK 4.8 the cell and the row around it both take the click: with Ctrl held one would undo the other */
  gtk_list_item_set_selectable (line, FALSE);
}

static void
on_item_changed (PareLayerItem *item, GtkListItem *line)
{
  const Column *column = g_object_get_data (G_OBJECT (line), "column");
  column->bind (g_object_get_data (G_OBJECT (line), "table"), gtk_list_item_get_child (line), item);
}

static void
on_bind (GtkSignalListItemFactory *factory, GtkListItem *line, const Column *column)
{
  PareLayerTable *self = g_object_get_data (G_OBJECT (factory), "table");
  GtkTreeListRow *row = gtk_list_item_get_item (line);
  g_autoptr (PareLayerItem) item = gtk_tree_list_row_get_item (row);
  if (item == NULL)
    return;
  g_object_set_data_full (G_OBJECT (line), "item", g_object_ref (item), g_object_unref);
  g_signal_connect (item, "changed", G_CALLBACK (on_item_changed), line);
  if (column->make == make_name)
    {
      gtk_tree_expander_set_list_row (GTK_TREE_EXPANDER (gtk_list_item_get_child (line)), row);
      pare_layer_table_watch_row (self, row);
    }
  on_item_changed (item, line);
  pare_table_name_around (gtk_list_item_get_child (line), item->title, _ (column->title),
                          item->children != NULL ? item->title : item->name);
}

static void
on_unbind (GtkSignalListItemFactory *factory, GtkListItem *line, const Column *column)
{
  PareLayerItem *item = g_object_get_data (G_OBJECT (line), "item");
  if (item != NULL)
    g_signal_handlers_disconnect_by_func (item, on_item_changed, line);
  g_object_set_data (G_OBJECT (line), "item", NULL);
  if (column->make == make_name)
    {
      GtkTreeExpander *expander = GTK_TREE_EXPANDER (gtk_list_item_get_child (line));
      pare_layer_table_unwatch_row (g_object_get_data (G_OBJECT (factory), "table"), gtk_tree_expander_get_list_row (expander));
      gtk_tree_expander_set_list_row (expander, NULL);
    }
}

/* --- which of them show --- */

static void
on_column_toggled (GSimpleAction *action, GVariant *value, GtkColumnViewColumn *column)
{
  PareLayerTable *self = g_object_get_data (G_OBJECT (column), "table");
  g_simple_action_set_state (action, value);
  gtk_column_view_column_set_visible (column, g_variant_get_boolean (value));
  g_autofree char *text = pare_layer_table_dup_columns (self);
  if (pare_session_get_graph (self->session) != NULL)
    pare_session_set_ui (self->session, "table-columns", text);
}

char *
pare_layer_table_dup_columns (PareLayerTable *self)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < G_N_ELEMENTS (columns); i++)
    {
      g_autofree char *name = g_strdup_printf ("column-%u", i);
      g_autoptr (GVariant) state = g_action_group_get_action_state (G_ACTION_GROUP (self->columns), name);
      g_string_append_c (text, g_variant_get_boolean (state) ? '1' : '0');
    }
  return g_string_free (text, FALSE);
}

void
pare_layer_table_set_columns (PareLayerTable *self, const char *text)
{
  gsize known = text != NULL ? strlen (text) : 0; /* a project of an older version knows fewer */
  for (guint i = 1; i < G_N_ELEMENTS (columns); i++)
    {
      g_autofree char *name = g_strdup_printf ("column-%u", i);
      gboolean visible = i < known ? text[i] == '1' : columns[i].visible;
      g_action_group_change_action_state (G_ACTION_GROUP (self->columns), name, g_variant_new_boolean (visible));
    }
}

void
pare_layer_table_align_heads (PareLayerTable *self)
{
  for (guint i = 0; i < G_N_ELEMENTS (columns); i++)
    if (columns[i].right)
      pare_table_align_head_right (self->view, i);
}

GMenu *
pare_layer_table_add_columns (PareLayerTable *self)
{
  GMenu *menu = g_menu_new ();
  self->columns = g_simple_action_group_new ();
  for (guint i = 1; i < G_N_ELEMENTS (columns); i++)
    {
      g_autofree char *full = g_strdup_printf ("table.column-%u", i);
      g_menu_append (menu, _ (columns[i].title), full);
    }
  for (guint i = 0; i < G_N_ELEMENTS (columns); i++)
    {
      const Column *c = &columns[i];
      GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
      g_object_set_data (G_OBJECT (factory), "table", self);
      g_signal_connect (factory, "setup", G_CALLBACK (on_setup), (gpointer)c);
      g_signal_connect (factory, "bind", G_CALLBACK (on_bind), (gpointer)c);
      g_signal_connect (factory, "unbind", G_CALLBACK (on_unbind), (gpointer)c);
      g_autoptr (GtkColumnViewColumn) column = gtk_column_view_column_new (_ (c->title), factory);
      g_object_set_data (G_OBJECT (column), "table", self);
      if (c->key != NULL || c->text != NULL)
        {
          g_autoptr (GtkSorter) sorter = GTK_SORTER (gtk_custom_sorter_new (compare, (gpointer)c, NULL));
          gtk_column_view_column_set_sorter (column, sorter);
        }
      gtk_column_view_column_set_resizable (column, TRUE);
      gtk_column_view_column_set_expand (column, c->expand);
      gtk_column_view_column_set_visible (column, c->visible);
      gtk_column_view_column_set_fixed_width (column, c->width);
      gtk_column_view_column_set_header_menu (column, G_MENU_MODEL (menu));
      gtk_column_view_append_column (self->view, column);
      g_autofree char *name = g_strdup_printf ("column-%u", i);
      g_autoptr (GSimpleAction) action = g_simple_action_new_stateful (name, NULL, g_variant_new_boolean (c->visible));
      g_signal_connect_object (action, "change-state", G_CALLBACK (on_column_toggled), column, 0);
      g_action_map_add_action (G_ACTION_MAP (self->columns), G_ACTION (action));
    }
  pare_layer_table_align_heads (self);
  return menu;
}
