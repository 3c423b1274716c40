#include "app/pare-results-view.h"
#include "app/pare-drop-down.h"
#include "app/pare-preview.h"
#include "app/pare-scatter-source.h"
#include "engine/project/pare-limits.h"
#include "widgets/pare-accuracy-chart.h"
#include "widgets/pare-format.h"
#include "widgets/pare-latency-chart.h"
#include "widgets/pare-size-chart.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

struct _PareResultsView
{
  GtkWidget parent_instance;
  PareSession *session;
  PareSelection *selection;
  GtkWidget *grid, *accuracy_stack, *resume;
  char *trouble; /* why counting ended, where it was no person */
  PareAccuracyChart *accuracy;
  PareSizeChart *size;
  PareLatencyChart *latency;
  PareScatterChart *scatter;
  GArray *course; /* Point: the snapshots of the evaluation that runs */
  gint64 course_entry;
};

typedef struct
{
  double x, d, low, high;
} Point;

G_DEFINE_FINAL_TYPE (PareResultsView, pare_results_view, GTK_TYPE_WIDGET)

static void
update_course (PareResultsView *self, const PareEvaluation *e)
{
  gint64 entry = pare_session_get_current_entry (self->session);
  const Point *last = self->course->len > 0 ? &g_array_index (self->course, Point, self->course->len - 1) : NULL;
  if (entry != self->course_entry || (last != NULL && last->x > e->done))
    g_array_set_size (self->course, 0);
  self->course_entry = entry;
  last = self->course->len > 0 ? &g_array_index (self->course, Point, self->course->len - 1) : NULL;
  if (e->has_difference && e->done > 0)
    {
      Point p = { e->done, e->difference, e->difference_low, e->difference_high };
      if (last != NULL && last->x == p.x)
        g_array_set_size (self->course, self->course->len - 1);
      g_array_append_val (self->course, p);
    }
  guint n = self->course->len;
  g_autofree double *x = g_new (double, n + 1), *d = g_new (double, n + 1), *low = g_new (double, n + 1), *high = g_new (double, n + 1);
  for (guint i = 0; i < n; i++)
    {
      const Point *p = &g_array_index (self->course, Point, i);
      x[i] = p->x;
      d[i] = p->d;
      low[i] = p->low;
      high[i] = p->high;
    }
  pare_accuracy_chart_set_points (self->accuracy, n, x, d, low, high);
}

static void
update_accuracy (PareResultsView *self)
{
  PareOrigin origin = PARE_ORIGIN_NONE;
  const PareEvaluation *e = pare_session_get_evaluation (self->session, &origin), *baseline = pare_session_get_baseline (self->session);
  const char *why_not = pare_session_get_why_not (self->session);
  gboolean no_data = pare_session_get_dataset (self->session) == NULL && e == NULL && baseline == NULL;
  gtk_stack_set_visible_child_name (GTK_STACK (self->accuracy_stack), no_data && why_not == NULL ? "add" : "chart");
  gboolean stopped = pare_session_is_stopped (self->session);
  g_autofree char *said = NULL;
  if (why_not != NULL)
    said = g_strdup_printf (_ ("Opens, cannot run: %s"), why_not);
  else if (stopped && self->trouble != NULL)
    said = g_strdup (self->trouble);
  else if (stopped && e != NULL && e->done < e->all)
    {
      g_autofree char *done = pare_format_count (e->done), *all = pare_format_count (e->all);
      said = g_strdup_printf (_ ("Stopped at %s of %s"), done, all);
    }
  else if (stopped)
    said = g_strdup (_ ("Stopped before the first figure"));
  if (!stopped)
    g_clear_pointer (&self->trouble, g_free);
  gtk_widget_set_visible (self->resume, stopped);
  gtk_button_set_label (GTK_BUTTON (self->resume), self->trouble != NULL ? _ ("Retry") : _ ("Resume"));
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->accuracy), self->trouble);
  /* The button stands on the line of the sentence and is higher. */
  gtk_widget_set_margin_bottom (GTK_WIDGET (self->accuracy), stopped ? 9 : 0);
  pare_accuracy_chart_set_reserved (self->accuracy, stopped ? 72 : 0);
  pare_accuracy_chart_set_message (self->accuracy, said);
  pare_accuracy_chart_set_baseline (self->accuracy, baseline != NULL ? baseline->value : NAN);
  if (e == NULL)
    {
      g_array_set_size (self->course, 0);
      pare_accuracy_chart_set_points (self->accuracy, 0, NULL, NULL, NULL, NULL);
      pare_accuracy_chart_set_value (self->accuracy, NULL);
      return;
    }
  PareAccuracyValue value = { e->metric, e->value, e->low, e->high, NAN, NAN, NAN, e->done, e->all, (PareMark)origin };
  if (e->has_difference)
    {
      value.difference = e->difference;
      value.difference_low = e->difference_low;
      value.difference_high = e->difference_high;
    }
  pare_accuracy_chart_set_total (self->accuracy, e->all);
  if (origin != PARE_ORIGIN_STALE)
    update_course (self, e);
  pare_accuracy_chart_set_value (self->accuracy, &value);
}

/* Parts of the size: scopes, or kinds of operators, and the rest. Neighbours become one until there are at most four. */
static void
update_size (PareResultsView *self)
{
  PareSize size, original;
  if (!pare_session_get_size (self->session, &size, &original, NULL, NULL))
    {
      pare_size_chart_set_parts (self->size, NULL, 0);
      return;
    }
  g_autoptr (GArray) parts = g_array_new (FALSE, TRUE, sizeof (PareSizePart));
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const PareGraph *graph = pare_session_get_graph (self->session);
  guint n = 0;
  const PareLayerInfo *infos = pare_session_get_layer_infos (self->session, &n);
  double now_sum = 0, was_sum = 0;
  for (guint i = 0; i < n; i++)
    {
      const char *layer = graph->nodes[infos[i].node].layer;
      const PareLayerCost *was = pare_session_get_layer_cost (self->session, layer, TRUE),
                          *now = pare_session_get_layer_cost (self->session, layer, FALSE);
      if (was == NULL || was->packed_bytes == 0)
        continue;
      /* "/stage1/block/conv1/Conv" belongs to stage1; without scopes the kind of operator stands for the part */
      g_autofree char *part = NULL;
      if (*layer == '/' && strchr (layer + 1, '/') != NULL)
        part = g_strndup (layer + 1, (gsize)(strchr (layer + 1, '/') - layer - 1));
      else
        part = g_strdup (was->op);
      guint k = 0;
      while (k < parts->len && strcmp (g_array_index (parts, PareSizePart, k).name, part) != 0)
        k++;
      if (k == parts->len)
        {
          PareSizePart fresh = { part };
          g_array_append_val (parts, fresh);
          g_ptr_array_add (names, g_steal_pointer (&part));
        }
      PareSizePart *p = &g_array_index (parts, PareSizePart, k);
      p->original += was->packed_bytes;
      /* What is not in the changed graph any more was folded into its neighbour, and is counted there. */
      p->now += now != NULL ? now->packed_bytes : 0;
      was_sum += was->packed_bytes;
      now_sum += now != NULL ? now->packed_bytes : 0;
    }
  g_autofree const char **last = g_new (const char *, parts->len + 1); /* of those that one stands for */
  for (guint k = 0; k < parts->len; k++)
    last[k] = g_array_index (parts, PareSizePart, k).name;
  while (parts->len > 4) /* the smallest two */
    {
      guint least = 0;
      for (guint k = 1; k + 1 < parts->len; k++)
        if (g_array_index (parts, PareSizePart, k).original + g_array_index (parts, PareSizePart, k + 1).original
            < g_array_index (parts, PareSizePart, least).original + g_array_index (parts, PareSizePart, least + 1).original)
          least = k;
      PareSizePart *a = &g_array_index (parts, PareSizePart, least), b = g_array_index (parts, PareSizePart, least + 1);
      a->original += b.original;
      a->now += b.now;
      last[least] = last[least + 1];
      memmove (last + least + 1, last + least + 2, (parts->len - least - 2) * sizeof *last);
      g_array_remove_index (parts, least + 1);
    }
  for (guint k = 0; k < parts->len; k++)
    if (last[k] != g_array_index (parts, PareSizePart, k).name)
      {
        g_ptr_array_add (names, g_strdup_printf ("%s – %s", g_array_index (parts, PareSizePart, k).name, last[k]));
        g_array_index (parts, PareSizePart, k).name = g_ptr_array_index (names, names->len - 1);
      }
  PareSizePart rest = { _ ("Graph and rest"), MAX (0, original.packed_bytes - was_sum), MAX (0, size.packed_bytes - now_sum) };
  g_array_append_val (parts, rest);
  pare_size_chart_set_parts (self->size, (const PareSizePart *)parts->data, parts->len);
  pare_size_chart_set_files (self->size, size.file_bytes, size.download_bytes);
}

static PareLatencyBar
bar_of (const PareLatency *latency, PareMark mark, int edits_ago)
{
  PareLatencyBar bar = { mark, latency->median_ms, latency->p10_ms, latency->p90_ms, edits_ago };
  return bar;
}

static void
update_latency (PareResultsView *self)
{
  PareLatency now = { 0 }, original = { 0 };
  PareOrigin origin = PARE_ORIGIN_NONE;
  int edits_ago = 0;
  gboolean known = pare_session_get_latency (self->session, &now, &origin, &edits_ago, &original);
  PareLatencyBar current = bar_of (&now, (PareMark)origin, edits_ago),
                 first = bar_of (&original, original.median_ms > 0 ? PARE_MARK_MEASURED : PARE_MARK_NONE, 0);
  gboolean has_now = known && origin != PARE_ORIGIN_NONE && now.median_ms > 0;
  pare_latency_chart_set_bars (self->latency, has_now ? &current : NULL, NULL, first.mark != PARE_MARK_NONE ? &first : NULL);
  const PareGraph *graph = pare_session_get_graph (self->session);
  g_autofree char *assumed = graph != NULL ? pare_graph_dup_assumed (graph) : NULL;
  g_autofree char *at = assumed != NULL ? g_strdup_printf (_ ("this computer, %s"), assumed) : NULL;
  pare_latency_chart_set_message (self->latency,
                                  pare_session_get_why_not (self->session) != NULL ? _ ("This model cannot run here")
                                  : !has_now && first.mark == PARE_MARK_NONE       ? _ ("Not measured yet: Measure (Ctrl+R)")
                                  : origin == PARE_ORIGIN_MEASURED && first.mark != PARE_MARK_NONE && now.p10_ms > original.p90_ms
                                      ? _ ("slower than the original here")
                                  : has_now && now.bf16_multiplied > 0 ? _ ("this computer, one inference, bf16")
                                  : has_now && now.bf16_steps > 0      ? _ ("no bf16 on this computer: timed in float32")
                                  : at != NULL                         ? at
                                                                       : _ ("this computer, one inference"));
}

static void
update_scatter (PareResultsView *self)
{
  pare_scatter_source_update (self->scatter, self->session, self->selection);
}

static void
update_limits (PareResultsView *self)
{
  PareLimits limits;
  pare_session_get_limits (self->session, &limits);
  pare_accuracy_chart_set_tolerance (self->accuracy, limits.tolerance_pp);
  pare_size_chart_set_budget (self->size, limits.size_bytes);
  pare_latency_chart_set_budget (self->latency, limits.latency_ms);
  update_scatter (self);
}

static void
update_all (PareResultsView *self)
{
  update_accuracy (self);
  update_size (self);
  update_latency (self);
  update_limits (self);
}

static void
on_limit (PareChart *chart, int kind, double value, gboolean final, PareResultsView *self)
{
  pare_session_set_limit (self->session, (PareLimit)kind, value);
}

/* Stopping may leave every figure as it was (a calibration that others wait for): only the jobs tell. */
static void
on_jobs (PareResultsView *self)
{
  if (gtk_widget_get_visible (self->resume) != pare_session_is_stopped (self->session))
    update_accuracy (self);
}

static void
on_message (PareSession *session, const char *severity, const char *text, PareResultsView *self)
{
  if (strcmp (severity, "error") != 0 || !pare_session_is_stopped (session))
    return;
  g_free (self->trouble);
  self->trouble = g_strdup (text);
  update_accuracy (self);
}

static void
on_resume (PareResultsView *self)
{
  g_clear_pointer (&self->trouble, g_free);
  pare_session_evaluate (self->session);
  update_accuracy (self);
}

static void
on_point_hover (PareScatterChart *chart, gint64 id, PareResultsView *self)
{
  pare_preview_rest (self->selection, id);
}

static void
on_brush (PareScatterChart *chart, PareResultsView *self)
{
  g_autoptr (GArray) ids = pare_scatter_chart_get_brush (chart);
  pare_selection_set_entries (self->selection, ids != NULL ? (const gint64 *)ids->data : NULL, ids != NULL ? ids->len : 0);
}

static void
on_entries (PareResultsView *self)
{
  guint n;
  pare_selection_get_entries (self->selection, &n);
  update_scatter (self);
  /* Taken back elsewhere: the frame here means nothing any more. */
  if (n == 0)
    pare_scatter_chart_clear_brush (self->scatter);
}

static void
on_preview (PareResultsView *self)
{
  pare_scatter_chart_set_hover (self->scatter, pare_selection_get_preview (self->selection));
}

static void
on_point (PareScatterChart *chart, gint64 id, PareResultsView *self)
{
  pare_session_go_to_entry (self->session, id);
}

static void
on_across (GtkDropDown *drop, GParamSpec *pspec, PareResultsView *self)
{
  pare_scatter_chart_set_axis (self->scatter, (PareScatterAxis)gtk_drop_down_get_selected (drop));
  update_scatter (self);
}

static void
card (PareResultsView *self, GtkWidget *child, int column, gboolean expand)
{
  gtk_widget_set_margin_start (child, 12);
  gtk_widget_set_margin_end (child, 12);
  gtk_widget_set_margin_top (child, 4);
  gtk_widget_set_margin_bottom (child, 4);
  gtk_widget_set_hexpand (child, expand);
  gtk_widget_set_vexpand (child, TRUE);
  if (column > 0)
    gtk_grid_attach (GTK_GRID (self->grid), gtk_separator_new (GTK_ORIENTATION_VERTICAL), column * 2 - 1, 0, 1, 2);
  gtk_grid_attach (GTK_GRID (self->grid), child, column * 2, 0, 1, 2);
}

static void
pare_results_view_dispose (GObject *object)
{
  PareResultsView *self = PARE_RESULTS_VIEW (object);
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  if (self->selection != NULL)
    g_signal_handlers_disconnect_by_data (self->selection, self);
  g_clear_pointer (&self->grid, gtk_widget_unparent);
  g_clear_object (&self->session);
  g_clear_object (&self->selection);
  g_clear_pointer (&self->trouble, g_free);
  g_clear_pointer (&self->course, g_array_unref);
  G_OBJECT_CLASS (pare_results_view_parent_class)->dispose (object);
}

static void
pare_results_view_class_init (PareResultsViewClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = pare_results_view_dispose;
  gtk_widget_class_set_layout_manager_type (GTK_WIDGET_CLASS (klass), GTK_TYPE_BIN_LAYOUT);
}

static void
pare_results_view_init (PareResultsView *self)
{
  self->course = g_array_new (FALSE, FALSE, sizeof (Point));
  self->grid = gtk_grid_new ();
  self->accuracy = PARE_ACCURACY_CHART (pare_accuracy_chart_new ());
  GtkWidget *add = gtk_box_new (GTK_ORIENTATION_VERTICAL, 9),
            *hint = gtk_label_new (_ ("Choose data to measure accuracy:\na folder of images, NPY, NPZ, IDX or CSV")),
            *button = gtk_button_new_with_label (_ ("Add Data…"));
  gtk_label_set_justify (GTK_LABEL (hint), GTK_JUSTIFY_CENTER);
  gtk_label_set_wrap (GTK_LABEL (hint), TRUE);
  gtk_widget_add_css_class (hint, "pare-caption");
  gtk_widget_add_css_class (hint, "pare-second");
  gtk_actionable_set_action_name (GTK_ACTIONABLE (button), "win.open-data");
  gtk_widget_set_halign (button, GTK_ALIGN_CENTER);
  gtk_widget_set_valign (add, GTK_ALIGN_CENTER);
  gtk_box_append (GTK_BOX (add), hint);
  gtk_box_append (GTK_BOX (add), button);
  self->accuracy_stack = gtk_stack_new ();
  GtkWidget *over = gtk_overlay_new ();
  self->resume = gtk_button_new_with_label (_ ("Resume"));
  gtk_widget_add_css_class (self->resume, "pare-dense");
  gtk_widget_set_halign (self->resume, GTK_ALIGN_END);
  gtk_widget_set_valign (self->resume, GTK_ALIGN_END);
  gtk_widget_set_tooltip_text (self->resume, _ ("Count the samples again, from the first"));
  gtk_widget_set_visible (self->resume, FALSE);
  g_signal_connect_swapped (self->resume, "clicked", G_CALLBACK (on_resume), self);
  gtk_overlay_set_child (GTK_OVERLAY (over), GTK_WIDGET (self->accuracy));
  gtk_overlay_add_overlay (GTK_OVERLAY (over), self->resume);
  gtk_stack_add_named (GTK_STACK (self->accuracy_stack), over, "chart");
  gtk_stack_add_named (GTK_STACK (self->accuracy_stack), add, "add");
  gtk_widget_set_size_request (self->accuracy_stack, 240, -1);
  card (self, self->accuracy_stack, 0, TRUE);

  self->size = PARE_SIZE_CHART (pare_size_chart_new ());
  gtk_widget_set_size_request (GTK_WIDGET (self->size), 164, -1);
  card (self, GTK_WIDGET (self->size), 1, FALSE);
  self->latency = PARE_LATENCY_CHART (pare_latency_chart_new ());
  gtk_widget_set_size_request (GTK_WIDGET (self->latency), 186, -1);
  card (self, GTK_WIDGET (self->latency), 2, FALSE);

  GtkWidget *last = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0), *head = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6),
            *title = gtk_label_new (_ ("Accuracy against"));
  static const char *const costs[] = { N_ ("Size, packed"), N_ ("Latency"), N_ ("Multiply-adds"), NULL };
  GtkWidget *drop = pare_drop_down_new (costs, _ ("Cost that the scatter shows"));
  gtk_widget_add_css_class (title, "pare-section");
  gtk_widget_set_hexpand (title, TRUE);
  gtk_label_set_xalign (GTK_LABEL (title), 0);
  gtk_label_set_ellipsize (GTK_LABEL (title), PANGO_ELLIPSIZE_END);
  gtk_widget_set_tooltip_text (title, gtk_label_get_text (GTK_LABEL (title)));
  g_signal_connect (drop, "notify::selected", G_CALLBACK (on_across), self);
  gtk_box_append (GTK_BOX (head), title);
  gtk_box_append (GTK_BOX (head), drop);
  self->scatter = PARE_SCATTER_CHART (pare_scatter_chart_new ());
  gtk_widget_set_vexpand (GTK_WIDGET (self->scatter), TRUE);
  g_signal_connect (self->scatter, "point-activated", G_CALLBACK (on_point), self);
  g_signal_connect (self->scatter, "point-hover", G_CALLBACK (on_point_hover), self);
  g_signal_connect (self->scatter, "brush-changed", G_CALLBACK (on_brush), self);
  PareChart *const limited[]
      = { PARE_CHART (self->accuracy), PARE_CHART (self->size), PARE_CHART (self->latency), PARE_CHART (self->scatter) };
  for (guint i = 0; i < G_N_ELEMENTS (limited); i++)
    g_signal_connect (limited[i], "limit-changed", G_CALLBACK (on_limit), self);
  gtk_box_append (GTK_BOX (last), head);
  gtk_box_append (GTK_BOX (last), GTK_WIDGET (self->scatter));
  gtk_widget_set_size_request (last, 200, -1);
  card (self, last, 3, TRUE);
  gtk_widget_set_parent (self->grid, GTK_WIDGET (self));
}

GtkWidget *
pare_results_view_new (PareSession *session, PareSelection *selection)
{
  PareResultsView *self = g_object_new (PARE_TYPE_RESULTS_VIEW, NULL);
  self->session = g_object_ref (session);
  self->selection = g_object_ref (selection);
  g_signal_connect_swapped (session, "limits-changed", G_CALLBACK (update_limits), self);
  g_signal_connect_swapped (session, "jobs-changed", G_CALLBACK (on_jobs), self);
  g_signal_connect (session, "message", G_CALLBACK (on_message), self);
  g_signal_connect_swapped (selection, "entries-changed", G_CALLBACK (on_entries), self);
  g_signal_connect_swapped (selection, "preview-changed", G_CALLBACK (on_preview), self);
  update_limits (self);
  g_signal_connect_swapped (session, "evaluation-changed", G_CALLBACK (update_accuracy), self);
  g_signal_connect_swapped (session, "size-changed", G_CALLBACK (update_size), self);
  g_signal_connect_swapped (session, "latency-changed", G_CALLBACK (update_latency), self);
  static const char *const all[] = { "model-changed", "data-changed", "recipe-changed" };
  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    g_signal_connect_swapped (session, all[i], G_CALLBACK (update_all), self);
  g_signal_connect_swapped (session, "history-changed", G_CALLBACK (update_scatter), self);
  g_signal_connect_swapped (session, "entry-changed", G_CALLBACK (update_scatter), self);
  return GTK_WIDGET (self);
}

void
pare_results_view_set_narrow (PareResultsView *self, gboolean narrow)
{
  PareChart *const charts[]
      = { PARE_CHART (self->accuracy), PARE_CHART (self->size), PARE_CHART (self->latency), PARE_CHART (self->scatter) };
  for (guint i = 0; i < G_N_ELEMENTS (charts); i++)
    pare_chart_set_compact (charts[i], narrow);
  gtk_widget_set_size_request (self->accuracy_stack, narrow ? 160 : 240, -1);
  gtk_widget_set_size_request (GTK_WIDGET (self->size), narrow ? 150 : 164, -1);
  gtk_widget_set_size_request (GTK_WIDGET (self->latency), narrow ? 150 : 186, -1);
  /* size above latency in one card */
  gtk_grid_remove (GTK_GRID (self->grid), GTK_WIDGET (g_object_ref (self->size)));
  gtk_grid_remove (GTK_GRID (self->grid), GTK_WIDGET (g_object_ref (self->latency)));
  gtk_grid_attach (GTK_GRID (self->grid), GTK_WIDGET (self->size), 2, 0, 1, narrow ? 1 : 2);
  gtk_grid_attach (GTK_GRID (self->grid), GTK_WIDGET (self->latency), narrow ? 2 : 4, narrow ? 1 : 0, 1, narrow ? 1 : 2);
  g_object_unref (self->size);
  g_object_unref (self->latency);
}
