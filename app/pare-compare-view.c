#include "app/pare-compare-view.h"
#include "app/pare-compare-layers.h"
#include "widgets/pare-delta-cell.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#define MOST_ENTRIES 24

struct _PareCompareView
{
  GtkWidget parent_instance;
  PareSession *session;
  PareSelection *selection;
  GtkWidget *box, *about, *clear, *scroller;
  guint idle;
};

G_DEFINE_FINAL_TYPE (PareCompareView, pare_compare_view, GTK_TYPE_WIDGET)

GArray *
pare_compare_entries (PareSession *session, PareSelection *selection)
{
  GArray *ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  guint n_brushed, n = pare_session_get_n_entries (session);
  gint64 current = pare_session_get_current_entry (session);
  pare_selection_get_entries (selection, &n_brushed);
  for (guint i = 0; i < n; i++)
    {
      const PareEntry *e = pare_session_get_entry (session, i);
      gboolean brushed = pare_selection_has_entry (selection, e->id);
      /* One alone is compared with the recipe in use. */
      if (brushed || (n_brushed == 0 && i == 0) || (n_brushed <= 1 && e->id == current))
        g_array_append_val (ids, e->id);
    }
  return ids;
}

static GtkWidget *
title_cell (const PareEntry *e, int at, gboolean pair)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6), *title = pare_compare_cell (e->title, at > 0 ? "pare-bold" : NULL, FALSE);
  if (pair)
    {
      GtkWidget *tag = gtk_label_new (at == 0 ? "A" : "B");
      gtk_widget_add_css_class (tag, "pare-tag");
      gtk_widget_set_valign (tag, GTK_ALIGN_CENTER);
      if (at > 0)
        gtk_widget_add_css_class (tag, "pare-tag-b");
      gtk_box_append (GTK_BOX (box), tag);
    }
  gtk_widget_set_tooltip_text (title, e->title);
  gtk_label_set_width_chars (GTK_LABEL (title), 12);
  gtk_widget_set_hexpand (box, TRUE);
  gtk_box_append (GTK_BOX (box), title);
  return box;
}

typedef struct
{
  double value[3]; /* bytes, ms, fraction; NAN */
  gboolean stale[3];
  double spread_ms; /* differences within are none */
} Figures;

#define FIGURE_TIME 1

static Figures
figures_of (const PareEntry *e)
{
  const PareOrigin origins[3] = { e->size_origin, e->latency_origin, e->accuracy_origin };
  Figures f = { { (double)e->size.packed_bytes, e->latency_ms, e->accuracy }, { FALSE, FALSE, FALSE }, 0 };
  PareLatency runs = { .median_ms = e->latency_ms, .p10_ms = e->latency_p10, .p90_ms = e->latency_p90 };
  f.spread_ms = e->latency_ms * pare_latency_spread (&runs, NULL);
  for (int k = 0; k < 3; k++)
    {
      f.stale[k] = origins[k] == PARE_ORIGIN_STALE || origins[k] == PARE_ORIGIN_PROVISIONAL;
      if (origins[k] == PARE_ORIGIN_NONE)
        f.value[k] = NAN;
    }
  return f;
}

static const double unit_size[3] = { 1024, 1, 0.01 };
static const int decimals[3] = { 1, 3, 2 };

static void
add_entries (PareCompareView *self, GtkWidget *grid, int *line, GArray *ids)
{
  static const char *const heads[] = { N_ ("Recipe"), N_ ("Size, KiB"), N_ ("Time, ms"), N_ ("Accuracy, %") };
  static const char *const units[] = { "KiB", "ms", N_ ("points") };
  Figures first = { { NAN, NAN, NAN }, { FALSE }, 0 };
  double most[3] = { 0, 0, 0 };
  guint n = MIN (ids->len, MOST_ENTRIES);
  for (guint i = 0; i < n; i++)
    {
      Figures f = figures_of (pare_session_find_entry (self->session, g_array_index (ids, gint64, i)));
      if (i == 0)
        first = f;
      for (int k = 0; k < 3; k++)
        if (isfinite (f.value[k] - first.value[k]))
          most[k] = fmax (most[k], fabs (f.value[k] - first.value[k]) / unit_size[k]);
    }
  for (int k = 0; k < 4; k++)
    gtk_grid_attach (GTK_GRID (grid), pare_compare_cell (_ (heads[k]), "pare-second", k > 0), k == 0 ? 0 : 2 * k - 1, *line, k == 0 ? 1 : 2,
                     1);
  ++*line;
  for (guint i = 0; i < n; i++, ++*line)
    {
      const PareEntry *e = pare_session_find_entry (self->session, g_array_index (ids, gint64, i));
      Figures f = figures_of (e);
      gtk_grid_attach (GTK_GRID (grid), title_cell (e, (int)i, ids->len == 2), 0, *line, 1, 1);
      for (int k = 0; k < 3; k++)
        {
          g_autofree char *text = pare_format_number (f.value[k] / unit_size[k], decimals[k]);
          GtkWidget *value = pare_compare_cell (text, f.stale[k] ? "pare-second" : NULL, TRUE);
          if (f.stale[k])
            gtk_widget_set_tooltip_text (value, _ ("not final: stale or still counting"));
          gtk_grid_attach (GTK_GRID (grid), value, 2 * k + 1, *line, 1, 1);
          double delta = (f.value[k] - first.value[k]) / unit_size[k];
          if (i == 0 || !isfinite (delta))
            continue;
          GtkWidget *bar = pare_delta_cell_new ();
          if (k == FIGURE_TIME)
            pare_delta_cell_set_noise (PARE_DELTA_CELL (bar), f.spread_ms > first.spread_ms ? f.spread_ms : first.spread_ms);
          pare_delta_cell_set (PARE_DELTA_CELL (bar), delta, most[k], decimals[k], k == 2, _ (units[k]));
          gtk_widget_set_size_request (bar, 92, 24);
          gtk_grid_attach (GTK_GRID (grid), bar, 2 * k + 2, *line, 1, 1);
        }
    }
  if (ids->len > n)
    {
      g_autofree char *more = g_strdup_printf (_ ("and %u more"), ids->len - n);
      gtk_grid_attach (GTK_GRID (grid), pare_compare_cell (more, "pare-second", FALSE), 0, (*line)++, 7, 1);
    }
}

static gboolean
rebuild (gpointer data)
{
  PareCompareView *self = data;
  self->idle = 0;
  g_autoptr (GArray) ids = pare_compare_entries (self->session, self->selection);
  guint brushed;
  pare_selection_get_entries (self->selection, &brushed);
  gtk_widget_set_visible (self->clear, brushed > 0);
  g_autofree char *about = brushed > 0 ? g_strdup_printf (g_dngettext (NULL, "%u recipe selected", "%u recipes selected", brushed), brushed)
                           : ids->len > 1 ? g_strdup (_ ("original and now; drag over points of the chart to compare others"))
                                          : g_strdup ("");
  gtk_label_set_text (GTK_LABEL (self->about), about);
  if (ids->len < 2)
    {
      GtkWidget *hint = pare_compare_cell (_ ("Drag over points of the chart to compare their recipes here."), "pare-second", FALSE);
      gtk_widget_set_halign (hint, GTK_ALIGN_CENTER);
      gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->scroller), hint);
      return G_SOURCE_REMOVE;
    }
  GtkWidget *grid = gtk_grid_new (), *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 4);
  int line = 0;
  gtk_grid_set_column_spacing (GTK_GRID (grid), 9);
  gtk_grid_set_row_spacing (GTK_GRID (grid), 2);
  g_object_set (box, "margin-start", 12, "margin-end", 12, "margin-bottom", 8, NULL);
  add_entries (self, grid, &line, ids);
  gtk_box_append (GTK_BOX (box), grid);
  if (ids->len == 2)
    {
      gtk_box_append (GTK_BOX (box), gtk_separator_new (GTK_ORIENTATION_HORIZONTAL));
      gtk_box_append (GTK_BOX (box),
                      pare_compare_layers_new (self->session, pare_session_find_entry (self->session, g_array_index (ids, gint64, 0)),
                                               pare_session_find_entry (self->session, g_array_index (ids, gint64, 1))));
    }
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->scroller), box);
  return G_SOURCE_REMOVE;
}

static void
queue_rebuild (PareCompareView *self)
{
  if (self->idle == 0)
    self->idle = g_timeout_add (60, rebuild, self);
}

static void
on_clear (PareCompareView *self)
{
  pare_selection_set_entries (self->selection, NULL, 0);
}

static void
pare_compare_view_dispose (GObject *object)
{
  PareCompareView *self = PARE_COMPARE_VIEW (object);
  g_clear_handle_id (&self->idle, g_source_remove);
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  if (self->selection != NULL)
    g_signal_handlers_disconnect_by_data (self->selection, self);
  g_clear_pointer (&self->box, gtk_widget_unparent);
  g_clear_object (&self->session);
  g_clear_object (&self->selection);
  G_OBJECT_CLASS (pare_compare_view_parent_class)->dispose (object);
}

static void
pare_compare_view_class_init (PareCompareViewClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = pare_compare_view_dispose;
  gtk_widget_class_set_layout_manager_type (GTK_WIDGET_CLASS (klass), GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_accessible_role (GTK_WIDGET_CLASS (klass), GTK_ACCESSIBLE_ROLE_GROUP);
}

static void
pare_compare_view_init (PareCompareView *self)
{
  GtkWidget *head = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6), *title = pare_compare_cell (_ ("Compare"), "pare-bold", FALSE);
  self->box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  self->about = pare_compare_cell ("", "pare-second", FALSE);
  gtk_widget_set_hexpand (self->about, TRUE);
  self->clear = gtk_button_new_with_label (_ ("Clear"));
  gtk_widget_add_css_class (self->clear, "pare-dense");
  gtk_widget_set_tooltip_text (self->clear, _ ("Select no recipes (Esc in the chart)"));
  g_signal_connect_swapped (self->clear, "clicked", G_CALLBACK (on_clear), self);
  g_object_set (head, "margin-start", 12, "margin-end", 12, "margin-top", 6, "margin-bottom", 6, "height-request", 24, NULL);
  gtk_box_append (GTK_BOX (head), title);
  gtk_box_append (GTK_BOX (head), self->about);
  gtk_box_append (GTK_BOX (head), self->clear);
  self->scroller = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (self->scroller), GTK_POLICY_AUTOMATIC, GTK_POLICY_AUTOMATIC);
  gtk_widget_set_vexpand (self->scroller, TRUE);
  gtk_box_append (GTK_BOX (self->box), head);
  gtk_box_append (GTK_BOX (self->box), self->scroller);
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Compare recipes"), -1);
}

GtkWidget *
pare_compare_view_new (PareSession *session, PareSelection *selection)
{
  PareCompareView *self = g_object_new (PARE_TYPE_COMPARE_VIEW, NULL);
  self->session = g_object_ref (session);
  self->selection = g_object_ref (selection);
  static const char *const signals[] = { "history-changed", "entry-changed", "recipe-changed", "model-changed" };
  for (guint i = 0; i < G_N_ELEMENTS (signals); i++)
    g_signal_connect_swapped (session, signals[i], G_CALLBACK (queue_rebuild), self);
  g_signal_connect_swapped (selection, "entries-changed", G_CALLBACK (queue_rebuild), self);
  queue_rebuild (self);
  return GTK_WIDGET (self);
}
