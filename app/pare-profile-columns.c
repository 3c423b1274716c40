/* The columns of the profile: cells, what they sort by, how they are read aloud. */
#include "app/pare-profile-private.h"
#include "app/pare-table-parts.h"
#include "widgets/pare-format.h"
#include "widgets/pare-heat-cell.h"
#include "widgets/pare-op-dot.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

typedef struct
{
  const char *title;
  GtkWidget *(*make) (void);
  void (*bind) (PareProfileView *self, GtkWidget *cell, PareProfileItem *item);
  int width;
  gboolean expand, right;
  double (*key) (const PareProfileItem *item);
  const char *(*text) (const PareProfileItem *item);
} Column;

/* --- cells --- */

static GtkWidget *
make_name (void)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 5), *name = pare_table_label (0), *inside = pare_table_label (0);
  gtk_label_set_ellipsize (GTK_LABEL (name), PANGO_ELLIPSIZE_START);
  gtk_label_set_ellipsize (GTK_LABEL (inside), PANGO_ELLIPSIZE_START);
  gtk_widget_set_hexpand (inside, TRUE);
  gtk_widget_add_css_class (inside, "pare-second");
  gtk_box_append (GTK_BOX (box), pare_op_dot_new ());
  gtk_box_append (GTK_BOX (box), name);
  gtk_box_append (GTK_BOX (box), inside);
  return box;
}

static void
draw_share (GtkDrawingArea *area, cairo_t *cr, int width, int height, gpointer data)
{
  const double *share = g_object_get_data (G_OBJECT (area), "share");
  PareProfileView *self = g_object_get_data (G_OBJECT (area), "view");
  const char *text = g_object_get_data (G_OBJECT (area), "text");
  PareLook look;
  if (share == NULL || self == NULL || text == NULL)
    return;
  pare_look_for_widget (&look, GTK_WIDGET (area));
  double room = 44 * look.scale, most = self->profile != NULL && self->profile->whole_ms > 0 ? self->most_ms / self->profile->whole_ms : 1;
  if (isfinite (*share) && width > room + 8)
    pare_draw_bar (cr, &look, self->stale ? PARE_MARK_STALE : PARE_MARK_MEASURED, 0, (height - 10) / 2.0,
                   fmax (1, (width - room) * fmin (*share / most, 1)), 10);
  cairo_new_path (cr);
  pare_draw_text (cr, &look, self->stale ? &look.second : &look.fg, PARE_CAPTION_PX, PARE_TEXT_RIGHT, width, height / 2.0 + 4 * look.scale,
                  0, text);
}

static GtkWidget *
make_share (void)
{
  GtkWidget *area = g_object_new (GTK_TYPE_DRAWING_AREA, "accessible-role", GTK_ACCESSIBLE_ROLE_IMG, NULL);
  gtk_drawing_area_set_content_height (GTK_DRAWING_AREA (area), 18);
  gtk_drawing_area_set_draw_func (GTK_DRAWING_AREA (area), draw_share, NULL, NULL);
  pare_look_watch (area, gtk_widget_queue_draw);
  return area;
}

/* Shown: a number alone, its unit is in the head. Read aloud: with the unit. */
static void
set_number (PareProfileView *self, GtkWidget *cell, char *text, gboolean known, const char *unit)
{
  g_autofree char *words = known ? g_strdup_printf ("%s %s", text, unit) : g_strdup (_ ("not known"));
  gtk_label_set_text (GTK_LABEL (cell), text);
  pare_table_name (cell, words);
  if (self->stale)
    gtk_widget_add_css_class (cell, "pare-second");
  else
    gtk_widget_remove_css_class (cell, "pare-second");
  g_free (text);
}

static void
bind_name (PareProfileView *self, GtkWidget *cell, PareProfileItem *item)
{
  GtkWidget *dot = gtk_widget_get_first_child (cell), *name = gtk_widget_get_next_sibling (dot), *inside = gtk_widget_get_last_child (cell);
  pare_op_dot_set (PARE_OP_DOT (dot), item->op, item->depthwise);
  gtk_widget_set_visible (dot, item->name != NULL);
  gtk_label_set_text (GTK_LABEL (name), item->title);
  g_autofree char *in = item->inside != NULL                     ? g_strdup_printf (_ ("in %s"), item->inside)
                        : !item->row.timed && item->name != NULL ? g_strdup (_ ("nothing to do"))
                                                                 : g_strdup ("");
  gtk_label_set_text (GTK_LABEL (inside), in);
  if (item->row.timed || item->name == NULL)
    gtk_widget_remove_css_class (name, "pare-second");
  else
    gtk_widget_add_css_class (name, "pare-second");
  g_autofree char *tip = item->name == NULL ? g_strdup (_ ("Changes of memory layout between layers"))
                         : *in != '\0'      ? g_strdup_printf ("%s · %s\n%s", item->name, item->op, in)
                                            : g_strdup_printf ("%s · %s", item->name, item->op);
  gtk_widget_set_tooltip_text (cell, tip);
}

static void
bind_op (PareProfileView *self, GtkWidget *cell, PareProfileItem *item)
{
  gtk_label_set_text (GTK_LABEL (cell), item->op);
}

static void
bind_heat (PareProfileView *self, GtkWidget *cell, double value, double most, char *text, const char *unit)
{
  g_autofree char *words = isnan (value) ? g_strdup (_ ("not known")) : g_strdup_printf ("%s %s", text, unit);
  pare_heat_cell_set (PARE_HEAT_CELL (cell), text,
                      isnan (value) || self->stale ? NAN
                      : most > 0                   ? fmin (value / most, 1)
                                                   : 0,
                      words, FALSE);
  g_free (text);
}

static void
bind_ms (PareProfileView *self, GtkWidget *cell, PareProfileItem *item)
{
  bind_heat (self, cell, item->row.ms, self->most_ms, pare_format_number (item->row.ms, 3), _ ("milliseconds"));
}

static void
bind_share (PareProfileView *self, GtkWidget *cell, PareProfileItem *item)
{
  char *text = pare_format_percent (item->row.share, 1);
  g_object_set_data_full (G_OBJECT (cell), "share", g_memdup2 (&item->row.share, sizeof (double)), g_free);
  g_object_set_data (G_OBJECT (cell), "view", self);
  g_object_set_data_full (G_OBJECT (cell), "text", text, g_free);
  g_autofree char *words = isnan (item->row.share) ? g_strdup (_ ("not known")) : g_strdup_printf (_ ("%s of the whole"), text);
  pare_table_name (cell, words);
  gtk_widget_queue_draw (cell);
}

static void
bind_macs (PareProfileView *self, GtkWidget *cell, PareProfileItem *item)
{
  double macs = item->row.timed && item->row.macs > 0 ? item->row.macs / 1e6 : NAN;
  set_number (self, cell, pare_format_number (macs, 2), !isnan (macs), _ ("million multiply-adds"));
}

static void
bind_rate (PareProfileView *self, GtkWidget *cell, PareProfileItem *item)
{
  g_autofree char *number = pare_format_number (item->row.gops, 1);
  gboolean integer = item->row.integer && !isnan (item->row.gops);
  bind_heat (self, cell, item->row.gops, self->most_rate,
             integer                                     ? g_strdup_printf (_ ("int %s"), number)
             : item->row.bf16 && !isnan (item->row.gops) ? g_strdup_printf (_ ("bf16 %s"), number)
                                                         : g_strdup (number),
             integer ? _ ("billion operations on integers a second") : _ ("GFLOP/s"));
}

static void
bind_moved (PareProfileView *self, GtkWidget *cell, PareProfileItem *item)
{
  set_number (self, cell, pare_format_number (item->row.gbs, 1), !isnan (item->row.gbs), _ ("GB/s moved"));
}

static void
bind_bound (PareProfileView *self, GtkWidget *cell, PareProfileItem *item)
{
  const PareProfileRow *row = &item->row;
  if (row->bound == PARE_BOUND_UNKNOWN)
    {
      gtk_label_set_text (GTK_LABEL (cell), row->timed && !self->has_peaks ? "…" : PARE_DASH);
      pare_table_name (cell, _ ("not known"));
      gtk_widget_set_tooltip_text (cell, NULL);
      return;
    }
  gboolean memory = row->bound == PARE_BOUND_MEMORY;
  g_autofree char *reach = pare_format_percent (row->reach, 0);
  g_autofree char *text = g_strdup_printf (memory ? _ ("memory %s") : _ ("compute %s"), reach);
  g_autofree char *words = g_strdup_printf (memory         ? _ ("bound by memory, at %s of its measured speed")
                                            : row->integer ? _ ("bound by computing, at %s of the peak with 8-bit integers")
                                                           : _ ("bound by computing, at %s of the peak with floats"),
                                            reach);
  /* Rates count what the layer is defined by, so that runtimes and layers compare. */
  g_autofree char *tip = row->reach <= 1 ? g_strdup (words)
                         : memory        ? g_strdup_printf (_ ("%s: its data stay in the caches"), words)
                                         : g_strdup_printf (_ ("%s: it is computed with fewer multiplications than it is defined by "
                                                                      "(Winograd), or the peak was measured while other work ran"),
                                                            words);
  gtk_label_set_text (GTK_LABEL (cell), text);
  pare_table_name (cell, words);
  gtk_widget_set_tooltip_text (cell, tip);
  if (self->stale)
    gtk_widget_add_css_class (cell, "pare-second");
  else
    gtk_widget_remove_css_class (cell, "pare-second");
}

static void
bind_delta (PareProfileView *self, GtkWidget *cell, PareProfileItem *item)
{
  const PareProfileRow *row = &item->row;
  g_autofree char *was = pare_format_number (row->original_ms, 3),
                  *change = isnan (row->ms) ? NULL : pare_format_change (row->ms, row->original_ms);
  char *text = isnan (row->original_ms) ? g_strdup (PARE_DASH) : change != NULL ? g_strdup_printf ("%s  %s", was, change) : g_strdup (was);
  gtk_widget_remove_css_class (cell, "pare-better");
  gtk_widget_remove_css_class (cell, "pare-worse");
  set_number (self, cell, text, !isnan (row->original_ms), _ ("milliseconds in the original, and the change since"));
  /* what lies within the spread of the runs is noise */
  if (!self->stale && !isnan (row->original_ms) && !isnan (row->ms) && fabs (row->ms / row->original_ms - 1) > self->noise)
    gtk_widget_add_css_class (cell, row->ms < row->original_ms ? "pare-better" : "pare-worse");
}

/* --- sorting: what is not known is less than all that is --- */

static double
or_least (double v)
{
  return isnan (v) ? -HUGE_VAL : v;
}

static double
key_position (const PareProfileItem *i)
{
  return i->position;
}

static double
key_ms (const PareProfileItem *i)
{
  return or_least (i->row.ms);
}

static double
key_macs (const PareProfileItem *i)
{
  return (double)i->row.macs;
}

static double
key_rate (const PareProfileItem *i)
{
  return or_least (i->row.gops);
}

static double
key_moved (const PareProfileItem *i)
{
  return or_least (i->row.gbs);
}

static double
key_reach (const PareProfileItem *i)
{
  return i->row.bound == PARE_BOUND_UNKNOWN ? -HUGE_VAL : (i->row.bound == PARE_BOUND_MEMORY ? 1e6 : 0) + i->row.reach;
}

/* By what was gained, not by what it was. */
static double
key_delta (const PareProfileItem *i)
{
  return or_least (i->row.ms - i->row.original_ms);
}

static const char *
text_op (const PareProfileItem *i)
{
  return i->op;
}

static const Column columns[] = {
  { N_ ("Layer"), make_name, bind_name, 112, TRUE, FALSE, key_position, NULL },
  { N_ ("Operator"), pare_table_label_left, bind_op, 92, FALSE, FALSE, NULL, text_op },
  { N_ ("Time, ms"), pare_heat_cell_new, bind_ms, 76, FALSE, TRUE, key_ms, NULL },
  { N_ ("Share"), make_share, bind_share, 112, FALSE, FALSE, key_ms, NULL },
  { N_ ("MMACs"), pare_table_label_right, bind_macs, 62, FALSE, TRUE, key_macs, NULL },
  { N_ ("GFLOP/s"), pare_heat_cell_new, bind_rate, 78, FALSE, TRUE, key_rate, NULL },
  { N_ ("GB/s"), pare_table_label_right, bind_moved, 50, FALSE, TRUE, key_moved, NULL },
  { N_ ("Bound by"), pare_table_label_left, bind_bound, 104, FALSE, FALSE, key_reach, NULL },
  { N_ ("Original, ms"), pare_table_label_right, bind_delta, 106, FALSE, TRUE, key_delta, NULL },
};

static int
compare (gconstpointer a, gconstpointer b, gpointer data)
{
  const Column *column = data;
  const PareProfileItem *x = a, *y = b;
  if (column->text != NULL)
    return strcmp (column->text (x), column->text (y));
  double p = column->key (x), q = column->key (y);
  return p < q ? -1 : p > q;
}

/* --- factories --- */

static void
on_setup (GtkSignalListItemFactory *factory, GtkListItem *line, const Column *column)
{
  gtk_list_item_set_child (line, column->make ());
  /* in GTK 4.8 the cell and the row around it both take the click: with Ctrl held one would undo the other */
  gtk_list_item_set_selectable (line, FALSE);
}

static void
on_bind (GtkSignalListItemFactory *factory, GtkListItem *line, const Column *column)
{
  PareProfileItem *item = gtk_list_item_get_item (line);
  GtkWidget *child = gtk_list_item_get_child (line);
  column->bind (g_object_get_data (G_OBJECT (factory), "view"), child, item);
  pare_table_name_around (child, item->title, _ (column->title), item->title);
}

void
pare_profile_align_heads (PareProfileView *self)
{
  for (guint i = 0; i < G_N_ELEMENTS (columns); i++)
    if (columns[i].right)
      pare_table_align_head_right (self->view, i);
}

void
pare_profile_add_columns (PareProfileView *self)
{
  for (guint i = 0; i < G_N_ELEMENTS (columns); i++)
    {
      const Column *c = &columns[i];
      GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
      g_object_set_data (G_OBJECT (factory), "view", self);
      g_signal_connect (factory, "setup", G_CALLBACK (on_setup), (gpointer)c);
      g_signal_connect (factory, "bind", G_CALLBACK (on_bind), (gpointer)c);
      g_autoptr (GtkColumnViewColumn) column = gtk_column_view_column_new (_ (c->title), factory);
      g_autoptr (GtkSorter) sorter = GTK_SORTER (gtk_custom_sorter_new (compare, (gpointer)c, NULL));
      gtk_column_view_column_set_sorter (column, sorter);
      gtk_column_view_column_set_resizable (column, TRUE);
      gtk_column_view_column_set_expand (column, c->expand);
      gtk_column_view_column_set_fixed_width (column, c->width);
      gtk_column_view_append_column (self->view, column);
      if (c->bind == bind_ms)
        self->time = column; /* the view holds them */
      if (c->bind == bind_op)
        self->op = column;
    }
}
