#include "app/pare-layer-table.h"
#include "app/pare-layer-item.h"
#include "widgets/pare-bar-cell.h"
#include "widgets/pare-format.h"
#include "widgets/pare-heat-cell.h"
#include "widgets/pare-op-dot.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

struct _PareLayerTable
{
  GtkWidget parent_instance;
  PareSession *session;
  PareSelection *selection;
  GListStore *items;
  GtkCustomFilter *filter;
  GtkMultiSelection *rows;
  GtkColumnView *view;
  GtkWidget *box, *search, *foot_left, *foot_right, *stack;
  gint64 largest; /* packed bytes of the largest layer of the original: the bars' scale */
  double most_error, most_ms;
  gboolean syncing;
};

G_DEFINE_FINAL_TYPE (PareLayerTable, pare_layer_table, GTK_TYPE_WIDGET)

typedef void (*BindFunc) (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item);
typedef struct
{
  const char *title;
  GtkWidget *(*make) (void);
  BindFunc bind;
  int width;
  gboolean expand, visible;
  double (*key) (PareLayerItem *item); /* what the column sorts by; NULL: the name */
} Column;

/* --- cells --- */

static GtkWidget *
make_label (double x)
{
  GtkWidget *w = gtk_label_new ("");
  gtk_label_set_xalign (GTK_LABEL (w), (float)x);
  gtk_label_set_ellipsize (GTK_LABEL (w), PANGO_ELLIPSIZE_END);
  return w;
}
static GtkWidget *
make_left (void)
{
  return make_label (0);
}
static GtkWidget *
make_right (void)
{
  return make_label (1);
}

static GtkWidget *
make_name (void)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 5), *text = make_label (0);
  gtk_box_append (GTK_BOX (box), pare_op_dot_new ());
  gtk_widget_set_hexpand (text, TRUE);
  gtk_label_set_ellipsize (GTK_LABEL (text), PANGO_ELLIPSIZE_START);
  gtk_box_append (GTK_BOX (box), text);
  return box;
}

static void
bind_name (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  pare_op_dot_set (PARE_OP_DOT (gtk_widget_get_first_child (cell)), item->op, item->depthwise);
  /* "/stage1/conv/Conv" reads "stage1/conv": the operator stands in the dot and the tip */
  const char *start = *item->name == '/' ? item->name + 1 : item->name;
  g_autofree char *suffix = g_strconcat ("/", item->op, NULL);
  gboolean cut = g_str_has_suffix (start, suffix) && strlen (start) > strlen (suffix);
  g_autofree char *shown = cut ? g_strndup (start, strlen (start) - strlen (suffix)) : g_strdup (start);
  gtk_label_set_text (GTK_LABEL (gtk_widget_get_last_child (cell)), shown);
  g_autofree char *shape = pare_shape_to_string (&item->shape), *tip = g_strdup_printf ("%s\n%s · %s", item->name, item->op, shape);
  gtk_widget_set_tooltip_text (cell, tip);
}

static void
bind_bar (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  pare_bar_cell_set (PARE_BAR_CELL (cell), item->original >= 0 ? item->original : NAN, item->packed >= 0 ? item->packed : NAN,
                     self->largest);
}

static void
set_text (GtkWidget *cell, char *text)
{
  gtk_label_set_text (GTK_LABEL (cell), text);
  g_free (text);
}

static void
bind_kib (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  set_text (cell, pare_format_kib (item->packed >= 0 ? item->packed : NAN));
}

static void
bind_recipe (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  gtk_label_set_text (GTK_LABEL (cell), item->shorthand);
  gtk_widget_set_tooltip_text (cell, item->words);
}

static void
bind_heat (GtkWidget *cell, double value, double most, char *text, const char *unit)
{
  g_autofree char *words = g_strdup_printf ("%s %s", text, unit);
  pare_heat_cell_set (PARE_HEAT_CELL (cell), text, isnan (value) ? NAN : most > 0 ? value / most : 0, words, FALSE);
  g_free (text);
}

static void
bind_error (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  bind_heat (cell, item->compressible ? sqrt (item->error) : NAN, self->most_error,
             pare_format_number (item->compressible ? 100 * sqrt (item->error) : NAN, 1), _ ("percent error of the weights"));
}

static void
bind_ms (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  bind_heat (cell, item->ms, self->most_ms, pare_format_number (item->ms, 3), _ ("milliseconds"));
}

static void
bind_op (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  gtk_label_set_text (GTK_LABEL (cell), item->op);
}

static void
bind_shape (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  set_text (cell, pare_shape_to_string (&item->shape));
}

static void
bind_params (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  set_text (cell, pare_format_count (item->params));
}

static void
bind_macs (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  set_text (cell, pare_format_number (item->macs / 1e6, 2));
}

static void
bind_sparsity (PareLayerTable *self, GtkWidget *cell, PareLayerItem *item)
{
  set_text (cell, pare_format_percent (item->sparsity, 0));
}

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

static const Column columns[] = {
  { N_ ("Layer"), make_name, bind_name, 112, TRUE, TRUE, key_position },
  { N_ ("Size"), pare_bar_cell_new, bind_bar, 62, FALSE, TRUE, key_size },
  { N_ ("KiB"), make_right, bind_kib, 44, FALSE, TRUE, key_size },
  { N_ ("Recipe"), make_left, bind_recipe, 54, FALSE, TRUE, NULL },
  { N_ ("Err, %"), pare_heat_cell_new, bind_error, 46, FALSE, TRUE, key_error },
  { N_ ("ms"), pare_heat_cell_new, bind_ms, 52, FALSE, FALSE, key_ms },
  { N_ ("Operator"), make_left, bind_op, 70, FALSE, FALSE, NULL },
  { N_ ("Output"), make_left, bind_shape, 84, FALSE, FALSE, NULL },
  { N_ ("Parameters"), make_right, bind_params, 74, FALSE, FALSE, key_params },
  { N_ ("MMACs"), make_right, bind_macs, 56, FALSE, FALSE, key_macs },
  { N_ ("Zeros"), make_right, bind_sparsity, 46, FALSE, FALSE, key_sparsity },
};

/* --- factories --- */

static void
on_setup (GtkSignalListItemFactory *factory, GtkListItem *row, const Column *column)
{
  gtk_list_item_set_child (row, column->make ());
}

static void
on_item_changed (PareLayerItem *item, GtkListItem *row)
{
  const Column *column = g_object_get_data (G_OBJECT (row), "column");
  PareLayerTable *self = g_object_get_data (G_OBJECT (row), "table");
  column->bind (self, gtk_list_item_get_child (row), item);
}

static void
on_bind (GtkSignalListItemFactory *factory, GtkListItem *row, const Column *column)
{
  PareLayerTable *self = g_object_get_data (G_OBJECT (factory), "table");
  PareLayerItem *item = gtk_list_item_get_item (row);
  g_object_set_data (G_OBJECT (row), "column", (gpointer)column);
  g_object_set_data (G_OBJECT (row), "table", self);
  g_signal_connect (item, "changed", G_CALLBACK (on_item_changed), row);
  on_item_changed (item, row);
  /* the cell that holds the child has no name of its own in GTK 4.8 */
  GtkWidget *cell = gtk_widget_get_parent (gtk_list_item_get_child (row));
  g_autofree char *words = g_strdup_printf ("%s: %s", item->name, _ (column->title));
  if (cell != NULL)
    gtk_accessible_update_property (GTK_ACCESSIBLE (cell), GTK_ACCESSIBLE_PROPERTY_LABEL, words, -1);
  GtkWidget *line = cell != NULL ? gtk_widget_get_parent (cell) : NULL;
  if (line != NULL)
    gtk_accessible_update_property (GTK_ACCESSIBLE (line), GTK_ACCESSIBLE_PROPERTY_LABEL, item->name, -1);
}

static void
on_unbind (GtkSignalListItemFactory *factory, GtkListItem *row, const Column *column)
{
  g_signal_handlers_disconnect_by_func (gtk_list_item_get_item (row), on_item_changed, row);
}

static int
compare (gconstpointer a, gconstpointer b, gpointer data)
{
  const Column *column = data;
  PareLayerItem *x = (PareLayerItem *)a, *y = (PareLayerItem *)b;
  if (column->key == NULL)
    return column->bind == bind_recipe ? strcmp (x->shorthand, y->shorthand) : column->bind == bind_op ? strcmp (x->op, y->op) : 0;
  double p = column->key (x), q = column->key (y);
  if (isnan (p) || isnan (q))
    return isnan (p) - isnan (q);
  return p < q ? -1 : p > q;
}

/* --- selection, one across the window --- */

static void
on_rows_changed (GtkSelectionModel *model, guint position, guint n, PareLayerTable *self)
{
  if (self->syncing)
    return;
  g_autoptr (GtkBitset) set = gtk_selection_model_get_selection (model);
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  GtkBitsetIter iter;
  guint i;
  for (gboolean more = gtk_bitset_iter_init_first (&iter, set, &i); more; more = gtk_bitset_iter_next (&iter, &i))
    {
      g_autoptr (PareLayerItem) item = g_list_model_get_item (G_LIST_MODEL (model), i);
      g_ptr_array_add (names, item->name);
    }
  g_ptr_array_add (names, NULL);
  self->syncing = TRUE;
  pare_selection_set (self->selection, (const char *const *)names->pdata);
  self->syncing = FALSE;
}

static void
update_foot (PareLayerTable *self)
{
  PareSize size, original;
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->items)), chosen = pare_selection_get_n (self->selection);
  g_autofree char *left
      = chosen > 0 ? g_strdup_printf (_ ("<b>%u layers</b> %u selected"), n, chosen) : g_strdup_printf (_ ("<b>%u layers</b>"), n);
  gtk_label_set_markup (GTK_LABEL (self->foot_left), left);
  if (pare_session_get_size (self->session, &size, &original, NULL, NULL))
    {
      g_autofree char *now = pare_format_kib (size.packed_bytes), *was = pare_format_kib_unit (original.packed_bytes);
      g_autofree char *text = g_strdup_printf (_ ("<b>%s</b> of %s"), now, was);
      gtk_label_set_markup (GTK_LABEL (self->foot_right), text);
    }
  else
    gtk_label_set_text (GTK_LABEL (self->foot_right), "");
}

static void
on_selection_changed (PareSelection *selection, PareLayerTable *self)
{
  update_foot (self);
  if (self->syncing)
    return;
  const char *const *layers = pare_selection_get (selection);
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->rows));
  g_autoptr (GtkBitset) set = gtk_bitset_new_empty (), mask = gtk_bitset_new_range (0, n);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (PareLayerItem) item = g_list_model_get_item (G_LIST_MODEL (self->rows), i);
      if (g_strv_contains (layers, item->name))
        gtk_bitset_add (set, i);
    }
  self->syncing = TRUE;
  gtk_selection_model_set_selection (GTK_SELECTION_MODEL (self->rows), set, mask);
  self->syncing = FALSE;
}

/* --- the session --- */

static void
refresh (PareLayerTable *self)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->items));
  self->most_error = 0.05; /* below that the colours stay pale: no layer looks bad only because the others are perfect */
  self->most_ms = 0;
  for (int pass = 0; pass < 2; pass++)
    for (guint i = 0; i < n; i++)
      {
        g_autoptr (PareLayerItem) item = g_list_model_get_item (G_LIST_MODEL (self->items), i);
        if (pass == 1)
          {
            pare_layer_item_refresh (item, self->session); /* again, now that the scales are known */
            continue;
          }
        double error = pare_session_get_layer_error (self->session, item->name),
               ms = pare_session_get_layer_time (self->session, item->name, NULL);
        const PareLayerCost *was = pare_session_get_layer_cost (self->session, item->name, TRUE);
        self->most_error = isnan (error) ? self->most_error : MAX (self->most_error, sqrt (error));
        self->most_ms = isnan (ms) ? self->most_ms : MAX (self->most_ms, ms);
        self->largest = was != NULL ? MAX (self->largest, was->packed_bytes) : self->largest;
      }
  update_foot (self);
}

static void
on_model_changed (PareSession *session, PareLayerTable *self)
{
  guint n = 0;
  const PareLayerInfo *infos = pare_session_get_layer_infos (session, &n);
  const PareGraph *graph = pare_session_get_graph (session);
  g_autoptr (GPtrArray) items = g_ptr_array_new_with_free_func (g_object_unref);
  self->largest = 0;
  for (guint i = 0; graph != NULL && i < n; i++)
    if (infos[i].params > 0 && (infos[i].macs > 0 || pare_layer_is_compressible (graph, infos[i].node, NULL)))
      g_ptr_array_add (items, pare_layer_item_new (session, &infos[i], i));
  g_list_store_splice (self->items, 0, g_list_model_get_n_items (G_LIST_MODEL (self->items)), items->pdata, items->len);
  refresh (self);
}

static gboolean
matches (gpointer item, gpointer data)
{
  PareLayerTable *self = data;
  const char *text = gtk_editable_get_text (GTK_EDITABLE (self->search));
  if (*text == '\0')
    return TRUE;
  g_autofree char *wanted = g_utf8_casefold (text, -1), *name = g_utf8_casefold (PARE_LAYER_ITEM (item)->name, -1),
                  *op = g_utf8_casefold (PARE_LAYER_ITEM (item)->op, -1);
  return strstr (name, wanted) != NULL || strstr (op, wanted) != NULL;
}

static void
on_search (GtkSearchEntry *entry, PareLayerTable *self)
{
  gtk_filter_changed (GTK_FILTER (self->filter), GTK_FILTER_CHANGE_DIFFERENT);
  gboolean none = g_list_model_get_n_items (G_LIST_MODEL (self->rows)) == 0 && g_list_model_get_n_items (G_LIST_MODEL (self->items)) > 0;
  gtk_stack_set_visible_child_name (GTK_STACK (self->stack), none ? "none" : "rows");
}

static void
on_clear (GtkButton *button, PareLayerTable *self)
{
  gtk_editable_set_text (GTK_EDITABLE (self->search), "");
}

/* --- construction --- */

static void
on_column_toggled (GSimpleAction *action, GVariant *value, GtkColumnViewColumn *column)
{
  g_simple_action_set_state (action, value);
  gtk_column_view_column_set_visible (column, g_variant_get_boolean (value));
}

static GtkWidget *
build_view (PareLayerTable *self)
{
  self->view = GTK_COLUMN_VIEW (gtk_column_view_new (NULL));
  gtk_widget_add_css_class (GTK_WIDGET (self->view), "pare-table");
  g_autoptr (GSimpleActionGroup) actions = g_simple_action_group_new ();
  g_autoptr (GMenu) menu = g_menu_new ();
  for (guint i = 0; i < G_N_ELEMENTS (columns); i++)
    {
      const Column *c = &columns[i];
      GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
      g_object_set_data (G_OBJECT (factory), "table", self);
      g_signal_connect (factory, "setup", G_CALLBACK (on_setup), (gpointer)c);
      g_signal_connect (factory, "bind", G_CALLBACK (on_bind), (gpointer)c);
      g_signal_connect (factory, "unbind", G_CALLBACK (on_unbind), (gpointer)c);
      g_autoptr (GtkColumnViewColumn) column = gtk_column_view_column_new (_ (c->title), factory);
      gtk_column_view_column_set_sorter (column, GTK_SORTER (gtk_custom_sorter_new (compare, (gpointer)c, NULL)));
      gtk_column_view_column_set_resizable (column, TRUE);
      gtk_column_view_column_set_expand (column, c->expand);
      gtk_column_view_column_set_visible (column, c->visible);
      gtk_column_view_column_set_fixed_width (column, c->width);
      gtk_column_view_append_column (self->view, column);
      g_autofree char *name = g_strdup_printf ("column-%u", i), *full = g_strdup_printf ("table.column-%u", i);
      g_autoptr (GSimpleAction) action = g_simple_action_new_stateful (name, NULL, g_variant_new_boolean (c->visible));
      g_signal_connect_object (action, "change-state", G_CALLBACK (on_column_toggled), column, 0);
      g_action_map_add_action (G_ACTION_MAP (actions), G_ACTION (action));
      if (i > 0)
        g_menu_append (menu, _ (c->title), full);
    }
  gtk_widget_insert_action_group (GTK_WIDGET (self), "table", G_ACTION_GROUP (actions));
  g_object_set_data_full (G_OBJECT (self), "menu", g_object_ref (menu), g_object_unref);

  self->filter = gtk_custom_filter_new (matches, self, NULL);
  GtkFilterListModel *filtered = gtk_filter_list_model_new (G_LIST_MODEL (g_object_ref (self->items)), GTK_FILTER (self->filter));
  GtkSortListModel *sorted = gtk_sort_list_model_new (G_LIST_MODEL (filtered), g_object_ref (gtk_column_view_get_sorter (self->view)));
  self->rows = gtk_multi_selection_new (G_LIST_MODEL (sorted));
  gtk_column_view_set_model (self->view, GTK_SELECTION_MODEL (self->rows));
  g_signal_connect (self->rows, "selection-changed", G_CALLBACK (on_rows_changed), self);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->view), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Layers"), -1);
  GtkWidget *scroller = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scroller), GTK_WIDGET (self->view));
  gtk_widget_set_vexpand (scroller, TRUE);
  return scroller;
}

static void
pare_layer_table_dispose (GObject *object)
{
  PareLayerTable *self = PARE_LAYER_TABLE (object);
  g_clear_pointer (&self->box, gtk_widget_unparent);
  g_clear_object (&self->rows);
  g_clear_object (&self->items);
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  if (self->selection != NULL)
    g_signal_handlers_disconnect_by_data (self->selection, self);
  g_clear_object (&self->session);
  g_clear_object (&self->selection);
  G_OBJECT_CLASS (pare_layer_table_parent_class)->dispose (object);
}

static void
pare_layer_table_class_init (PareLayerTableClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = pare_layer_table_dispose;
  gtk_widget_class_set_layout_manager_type (GTK_WIDGET_CLASS (klass), GTK_TYPE_BIN_LAYOUT);
}

static void
pare_layer_table_init (PareLayerTable *self)
{
  self->items = g_list_store_new (PARE_TYPE_LAYER_ITEM);
  self->box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  gtk_widget_add_css_class (self->box, "view");
  GtkWidget *head = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6), *foot = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  self->search = gtk_search_entry_new ();
  gtk_widget_set_hexpand (self->search, TRUE);
  gtk_widget_add_css_class (self->search, "pare-dense");
  g_object_set (self->search, "placeholder-text", _ ("Search layers"), NULL);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->search), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Search layers"), -1);
  g_signal_connect (self->search, "search-changed", G_CALLBACK (on_search), self);
  gtk_box_append (GTK_BOX (head), self->search);
  gtk_widget_set_margin_top (head, 6);
  gtk_widget_set_margin_bottom (head, 6);
  gtk_widget_set_margin_start (head, 6);
  gtk_widget_set_margin_end (head, 6);
  GtkWidget *scroller = build_view (self), *menu = gtk_menu_button_new ();
  gtk_menu_button_set_icon_name (GTK_MENU_BUTTON (menu), "view-more-symbolic");
  gtk_menu_button_set_menu_model (GTK_MENU_BUTTON (menu), g_object_get_data (G_OBJECT (self), "menu"));
  gtk_widget_set_tooltip_text (menu, _ ("Columns"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (menu), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Columns"), -1);
  gtk_widget_add_css_class (menu, "pare-dense");
  gtk_box_append (GTK_BOX (head), menu);

  GtkWidget *none = adw_status_page_new (), *clear = gtk_button_new_with_label (_ ("Clear"));
  adw_status_page_set_title (ADW_STATUS_PAGE (none), _ ("No layer matches"));
  gtk_widget_add_css_class (none, "compact");
  gtk_widget_set_halign (clear, GTK_ALIGN_CENTER);
  g_signal_connect (clear, "clicked", G_CALLBACK (on_clear), self);
  adw_status_page_set_child (ADW_STATUS_PAGE (none), clear);
  self->stack = gtk_stack_new ();
  gtk_stack_add_named (GTK_STACK (self->stack), scroller, "rows");
  gtk_stack_add_named (GTK_STACK (self->stack), none, "none");

  self->foot_left = make_label (0);
  self->foot_right = make_label (1);
  gtk_widget_set_hexpand (self->foot_right, TRUE);
  gtk_widget_add_css_class (foot, "pare-caption");
  gtk_widget_set_size_request (foot, -1, 30);
  gtk_widget_set_margin_start (foot, 8);
  gtk_widget_set_margin_end (foot, 8);
  gtk_box_append (GTK_BOX (foot), self->foot_left);
  gtk_box_append (GTK_BOX (foot), self->foot_right);
  gtk_box_append (GTK_BOX (self->box), head);
  gtk_box_append (GTK_BOX (self->box), self->stack);
  gtk_box_append (GTK_BOX (self->box), gtk_separator_new (GTK_ORIENTATION_HORIZONTAL));
  gtk_box_append (GTK_BOX (self->box), foot);
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));
}

GtkWidget *
pare_layer_table_new (PareSession *session, PareSelection *selection)
{
  PareLayerTable *self = g_object_new (PARE_TYPE_LAYER_TABLE, NULL);
  self->session = g_object_ref (session);
  self->selection = g_object_ref (selection);
  g_signal_connect (session, "model-changed", G_CALLBACK (on_model_changed), self);
  g_signal_connect_swapped (session, "recipe-changed", G_CALLBACK (refresh), self);
  g_signal_connect_swapped (session, "size-changed", G_CALLBACK (refresh), self);
  g_signal_connect_swapped (session, "latency-changed", G_CALLBACK (refresh), self);
  g_signal_connect (selection, "changed", G_CALLBACK (on_selection_changed), self);
  return GTK_WIDGET (self);
}

GtkWidget *
pare_layer_table_get_view (PareLayerTable *self)
{
  return GTK_WIDGET (self->view);
}
