/* Limits, brush, preview, stopping and preferences, on the bundled sample: in the session, and in the window that shows it. */
#include "app-test.h"
#include "app/pare-compare-view.h"
#include "app/pare-history-list.h"
#include "app/pare-inspector-private.h"
#include "app/pare-preferences.h"
#include "app/pare-preview.h"
#include "app/pare-window-private.h"
#include "engine/project/pare-limits.h"
#include "engine/project/pare-session-private.h"
#include "widgets/pare-accuracy-chart.h"
#include "widgets/pare-latency-chart.h"
#include "widgets/pare-scatter-chart.h"
#include "widgets/pare-size-chart.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static char *home;

static gboolean
quiet (gpointer session)
{
  PareSize size, original;
  return app_test_measured (session) && pare_session_get_n_jobs (session) == 0
         && pare_session_get_size (session, &size, &original, NULL, NULL);
}

static PareWindow *
open_sample (PareApplication **application)
{
  app_test_forget_projects ();
  PareWindow *window = app_test_open_sample (application);
  WAIT_FOR (quiet (window->session));
  return window;
}

static GtkEventController *
controller (gpointer widget, GType type)
{
  g_autoptr (GListModel) all = gtk_widget_observe_controllers (widget);
  for (guint i = 0; i < g_list_model_get_n_items (all); i++)
    {
      g_autoptr (GtkEventController) c = g_list_model_get_item (all, i);
      if (g_type_is_a (G_OBJECT_TYPE (c), type))
        return c;
    }
  g_assert_not_reached ();
}

static void
set_bits (PareSession *session, const char *layer, int bits)
{
  PareLayerRecipe change;
  const char *const layers[] = { layer, NULL };
  g_autofree char *title = g_strdup_printf ("%s: %d bits", layer, bits);
  pare_layer_recipe_init (&change);
  change.weight_bits = bits;
  pare_session_set_layers (session, layers, &change, title, 0);
}

#define LAYER_A "/stage1/block/conv1/Conv"
#define LAYER_B "/stage3/down/Conv"

/* --- the session --- */

static void
test_text (void)
{
  PareLimits limits, again;
  pare_limits_init (&limits);
  g_assert_cmpfloat (limits.tolerance_pp, ==, 1);
  limits = (PareLimits){ 0.3, 163840, 2.5 };
  g_autofree char *text = pare_limits_to_string (&limits);
  g_assert_true (pare_limits_from_string (&again, text));
  g_assert_cmpfloat (again.tolerance_pp, ==, 0.3);
  g_assert_cmpfloat (again.size_bytes, ==, 163840);
  g_assert_cmpfloat (again.latency_ms, ==, 2.5);
  static const char *const bad[]
      = { "", "x", "tolerance", "tolerance=", "tolerance=nan", "tolerance=-1", "size=-3", "latency=0", "size=inf", "size=1e30" };
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_assert_false (pare_limits_from_string (&again, bad[i]));
      g_assert_cmpfloat (again.tolerance_pp, ==, 1);
      g_assert_true (isnan (again.size_bytes));
    }
  g_assert_true (pare_limits_from_string (&again, "junk size=1024 tolerance=300"));
  g_assert_cmpfloat (again.size_bytes, ==, 1024);
  g_assert_cmpfloat (again.tolerance_pp, ==, 1); /* out of range: left at the default */
}

static void
count (gpointer object, guint *n)
{
  ++*n;
}

static void
on_opened (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  pare_session_open_finish (PARE_SESSION (source), result, &error);
  g_assert_no_error (error);
  *(gboolean *)data = TRUE;
}

static gboolean
is_true (gpointer flag)
{
  return *(gboolean *)flag;
}

static void
open_path (PareSession *session, const char *path)
{
  gboolean done = FALSE;
  pare_session_open_async (session, path, NULL, on_opened, &done);
  WAIT_FOR (is_true (&done));
}

static void
test_kept (void)
{
  g_autoptr (PareSession) session = pare_session_new ();
  g_autofree char *model = pare_application_dup_sample ("sample.onnx"), *path = g_build_filename (home, "kept.pare", NULL);
  g_autoptr (GError) error = NULL;
  PareLimits limits;
  guint heard = 0;
  app_test_forget_projects ();
  g_assert_nonnull (model);
  open_path (session, model);
  g_assert_false (pare_session_has_limits (session));
  pare_session_get_limits (session, &limits);
  g_assert_cmpfloat (limits.tolerance_pp, ==, PARE_TOLERANCE_DEFAULT);
  g_assert_true (isnan (limits.size_bytes));
  g_signal_connect (session, "limits-changed", G_CALLBACK (count), &heard);
  pare_session_set_limit (session, PARE_LIMIT_TOLERANCE, 0.4);
  pare_session_set_limit (session, PARE_LIMIT_SIZE, 80 * 1024);
  pare_session_set_limit (session, PARE_LIMIT_SIZE, 80 * 1024); /* the same says nothing */
  g_assert_cmpuint (heard, ==, 2);
  pare_session_set_limit (session, PARE_LIMIT_LATENCY, -3); /* no budget */
  g_assert_cmpuint (heard, ==, 2);
  g_assert_false (pare_session_can_undo (session, NULL)); /* no edit */
  g_assert_true (pare_session_save_as (session, path, &error));
  g_assert_no_error (error);
  pare_session_set_limit (session, PARE_LIMIT_LATENCY, 2);
  pare_session_close (session);

  g_autoptr (PareSession) again = pare_session_new ();
  heard = 0;
  g_signal_connect (again, "limits-changed", G_CALLBACK (count), &heard);
  open_path (again, path);
  g_assert_cmpuint (heard, >=, 1);
  g_assert_true (pare_session_has_limits (again));
  pare_session_get_limits (again, &limits);
  g_assert_cmpfloat (limits.tolerance_pp, ==, 0.4);
  g_assert_cmpfloat (limits.size_bytes, ==, 80 * 1024);
  g_assert_cmpfloat (limits.latency_ms, ==, 2);
  pare_session_close (again);
}

/* --- the window --- */

static void
drag (gpointer chart, double x, double y, double dx, double dy)
{
  GtkEventController *gesture = controller (chart, GTK_TYPE_GESTURE_DRAG);
  g_signal_emit_by_name (gesture, "drag-begin", x, y);
  g_signal_emit_by_name (gesture, "drag-update", dx / 2, dy / 2);
  g_signal_emit_by_name (gesture, "drag-end", dx, dy);
}

static guint
count_marked (GtkWidget *widget, const char *css)
{
  guint n = gtk_widget_has_css_class (widget, css);
  for (GtkWidget *c = gtk_widget_get_first_child (widget); c != NULL; c = gtk_widget_get_next_sibling (c))
    n += count_marked (c, css);
  return n;
}

static void
test_brush (void)
{
  PareApplication *application;
  PareWindow *window = open_sample (&application);
  PareSession *session = window->session;
  set_bits (session, LAYER_A, 2);
  WAIT_FOR (quiet (session));
  pare_session_undo (session);
  WAIT_FOR (quiet (session));
  set_bits (session, LAYER_B, 3);
  WAIT_FOR (quiet (session));
  set_bits (session, LAYER_A, 5);
  WAIT_FOR (quiet (session));
  g_assert_cmpuint (pare_session_get_n_entries (session), ==, 4);
  g_action_group_activate_action (G_ACTION_GROUP (window), "page", g_variant_new_string ("explore"));
  app_test_settle (400);

  GtkWidget *page = GTK_WIDGET (window->explore);
  PareScatterChart *large = app_test_below (page, PARE_TYPE_SCATTER_CHART),
                   *small = app_test_below (GTK_WIDGET (window->edit), PARE_TYPE_SCATTER_CHART);
  GtkWidget *history = app_test_below (page, PARE_TYPE_HISTORY_LIST);
  int w = gtk_widget_get_width (GTK_WIDGET (large)), h = gtk_widget_get_height (GTK_WIDGET (large));
  g_assert_cmpint (w, >, 200);
  guint n;
  drag (large, 45, 16, w - 60, h - 60); /* all of it */
  const gint64 *ids = pare_selection_get_entries (window->selection, &n);
  g_assert_cmpuint (n, ==, 4);
  g_assert_true (pare_selection_has_entry (window->selection, ids[3]));
  app_test_settle (200);
  g_assert_cmpuint (count_marked (history, "pare-marked"), ==, 4);
  /* Two of them are tagged and compared layer by layer. */
  const gint64 two[] = { 1, pare_session_get_current_entry (session) };
  pare_selection_set_entries (window->selection, two, 2);
  app_test_settle (200);
  g_assert_cmpuint (count_marked (history, "pare-marked"), ==, 2);
  GtkWidget *compare = app_test_below (page, PARE_TYPE_COMPARE_VIEW);
  g_autoptr (GArray) compared = pare_compare_entries (session, window->selection);
  g_assert_cmpuint (compared->len, ==, 2);
  g_assert_cmpuint (count_marked (compare, "pare-tag"), ==, 2);
  /* Esc in a chart takes it back everywhere. */
  drag (large, 45, 16, w - 60, h - 60);
  gboolean handled;
  g_signal_emit_by_name (controller (large, GTK_TYPE_EVENT_CONTROLLER_KEY), "key-pressed", (guint)GDK_KEY_Escape, 0u, (GdkModifierType)0,
                         &handled);
  g_assert_true (handled);
  pare_selection_get_entries (window->selection, &n);
  g_assert_cmpuint (n, ==, 0);
  app_test_settle (100);
  g_assert_cmpuint (count_marked (history, "pare-marked"), ==, 0);
  /* Taken back elsewhere: the frame goes too. */
  drag (large, 45, 16, w - 60, h - 60);
  pare_selection_set_entries (window->selection, NULL, 0);
  g_autoptr (GArray) brush = pare_scatter_chart_get_brush (large);
  g_assert_null (brush);

  /* A point under the pointer: after a rest its recipe is previewed, ringed in the other chart; back at once. */
  g_signal_emit_by_name (large, "point-hover", (gint64)2);
  g_assert_cmpint (pare_selection_get_preview (window->selection), ==, PARE_PREVIEW_NONE);
  app_test_settle (40);
  g_assert_cmpint (pare_selection_get_preview (window->selection), ==, PARE_PREVIEW_NONE);
  app_test_settle (120);
  g_assert_cmpint (pare_selection_get_preview (window->selection), ==, 2);
  g_assert_cmpuint (count_marked (history, "pare-previewed"), ==, 1);
  g_signal_emit_by_name (large, "point-hover", (gint64)-1);
  g_assert_cmpint (pare_selection_get_preview (window->selection), ==, PARE_PREVIEW_NONE);
  g_signal_emit_by_name (small, "point-hover", (gint64)3); /* only passes */
  g_signal_emit_by_name (small, "point-hover", (gint64)-1);
  app_test_settle (150);
  g_assert_cmpint (pare_selection_get_preview (window->selection), ==, PARE_PREVIEW_NONE);
  /* A click goes there. */
  g_signal_emit_by_name (large, "point-activated", (gint64)1);
  g_assert_cmpint (pare_session_get_current_entry (session), ==, 1);
  app_test_close_window (window, application);
}

static GtkWidget *
label_with (GtkWidget *widget, const char *text)
{
  if (GTK_IS_LABEL (widget) && g_str_equal (gtk_label_get_text (GTK_LABEL (widget)), text))
    return widget;
  for (GtkWidget *c = gtk_widget_get_first_child (widget); c != NULL; c = gtk_widget_get_next_sibling (c))
    {
      GtkWidget *found = label_with (c, text);
      if (found != NULL)
        return found;
    }
  return NULL;
}

static double
number_at (GtkGrid *grid, int column, int line)
{
  GtkWidget *label = gtk_grid_get_child_at (grid, column, line);
  g_assert_true (GTK_IS_LABEL (label));
  return g_ascii_strtod (gtk_label_get_text (GTK_LABEL (label)), NULL);
}

/* Two recipes layer by layer: what is shown adds up to what was measured; colours only beyond the spread of the runs. */
static void
test_times (void)
{
  PareApplication *application;
  PareWindow *window = open_sample (&application);
  PareSession *session = window->session;
  set_bits (session, LAYER_A, 4);
  WAIT_FOR (quiet (session));
  gint64 current = pare_session_get_current_entry (session);
  WAIT_FOR (pare_session_get_entry_latency (session, 1) != NULL && pare_session_get_entry_latency (session, current) != NULL);
  WAIT_FOR (quiet (session));
  g_assert_null (pare_session_get_entry_latency (session, 99));
  g_action_group_activate_action (G_ACTION_GROUP (window), "page", g_variant_new_string ("explore"));
  GtkWidget *compare = app_test_below (GTK_WIDGET (window->explore), PARE_TYPE_COMPARE_VIEW), *all = NULL;
  app_test_settle (300); /* shown anew after the last measurement */
  WAIT_FOR ((all = label_with (compare, "All layers, B against A")) != NULL);
  GtkGrid *grid = GTK_GRID (gtk_widget_get_parent (all));
  int at, last, top;
  gtk_grid_query_child (grid, all, NULL, &last, NULL, NULL);
  const PareLatency *was = pare_session_get_entry_latency (session, 1), *now = pare_session_get_entry_latency (session, current);
  double sum[2] = { 0, 0 }, a = 0, b = 0, spread = pare_latency_spread (was, now);
  for (guint i = 0; i < was->n_layers; i++)
    sum[0] += was->layers[i].ms;
  for (guint i = 0; i < now->n_layers; i++)
    sum[1] += now->layers[i].ms;
  g_assert_cmpfloat_with_epsilon (number_at (grid, 3, last), sum[0], 0.00051);
  g_assert_cmpfloat_with_epsilon (number_at (grid, 4, last), sum[1], 0.00051);
  gtk_grid_query_child (grid, label_with (GTK_WIDGET (grid), "Layer"), NULL, &top, NULL, NULL);
  for (at = top + 1; at < last; at++)
    {
      GtkWidget *ratio = gtk_grid_get_child_at (grid, 5, at);
      double x = number_at (grid, 3, at), y = number_at (grid, 4, at);
      a += x;
      b += y;
      if (ratio == NULL) /* of what has no time of its own */
        continue;
      gboolean coloured = gtk_widget_has_css_class (ratio, "pare-better") || gtk_widget_has_css_class (ratio, "pare-worse");
      if (fabs (y - x) > 1.1 * spread * x + 0.002)
        g_assert_true (coloured);
      if (fabs (y - x) < 0.9 * spread * x - 0.002)
        g_assert_false (coloured);
    }
  g_assert_cmpfloat_with_epsilon (a, sum[0], 0.001 * (last - top));
  g_assert_cmpfloat_with_epsilon (b, sum[1], 0.001 * (last - top));
  app_test_close_window (window, application);
}

static void
test_lines (void)
{
  PareApplication *application;
  PareWindow *window = open_sample (&application);
  PareSession *session = window->session;
  set_bits (session, LAYER_A, 2);
  WAIT_FOR (quiet (session));
  app_test_settle (400);
  GtkWidget *edit = GTK_WIDGET (window->edit);
  PareAccuracyChart *accuracy = app_test_below (edit, PARE_TYPE_ACCURACY_CHART);
  PareSizeChart *size = app_test_below (edit, PARE_TYPE_SIZE_CHART);
  PareLimits limits;
  int h = gtk_widget_get_height (GTK_WIDGET (accuracy)), w = gtk_widget_get_width (GTK_WIDGET (size));
  /* The line of the tolerance is where the chart says it can be taken. */
  double y = 0;
  while (y < h && PARE_CHART_GET_CLASS (accuracy)->limit_at (PARE_CHART (accuracy), 120, y) != PARE_LIMIT_KIND_TOLERANCE)
    y++;
  g_assert_cmpfloat (y, <, h);
  drag (accuracy, 120, y + 3, 0, 12);
  pare_session_get_limits (session, &limits);
  g_assert_cmpfloat (limits.tolerance_pp, >, 1);
  g_assert_cmpfloat (limits.tolerance_pp, ==, pare_limit_round (PARE_LIMIT_KIND_TOLERANCE, limits.tolerance_pp));
  g_autofree char *text = g_strdup_printf ("%.1f", limits.tolerance_pp);
  GtkWidget *smallest = app_test_below (GTK_WIDGET (window->explore), GTK_TYPE_BUTTON);
  g_assert_nonnull (smallest);
  /* No budget: nothing to take hold of; one that is said can be dragged, and the readings tell the verdict. */
  for (double x = 0; x < w; x++)
    for (double dy = 0; dy < 120; dy += 4)
      g_assert_cmpint (PARE_CHART_GET_CLASS (size)->limit_at (PARE_CHART (size), x, dy), ==, -1);
  PareSize now, original;
  pare_session_get_size (session, &now, &original, NULL, NULL);
  pare_session_set_limit (session, PARE_LIMIT_SIZE, original.packed_bytes);
  g_autofree char *within = pare_chart_describe (PARE_CHART (size));
  g_assert_nonnull (strstr (within, "within the budget"));
  double x = 0;
  while (x < w && PARE_CHART_GET_CLASS (size)->limit_at (PARE_CHART (size), x, 85) != PARE_LIMIT_KIND_SIZE)
    x++;
  g_assert_cmpfloat (x, <, w);
  drag (size, x + 3, 85, -0.9 * w, 0);
  pare_session_get_limits (session, &limits);
  g_assert_cmpfloat (limits.size_bytes, <, 0.3 * original.packed_bytes);
  g_assert_cmpfloat (fmod (limits.size_bytes, 1024), ==, 0); /* whole KiB */
  pare_session_set_limit (session, PARE_LIMIT_SIZE, 2048);
  g_autofree char *over = pare_chart_describe (PARE_CHART (size));
  g_assert_nonnull (strstr (over, "over the budget"));
  /* Latency: only a whole spread beyond is missed. */
  PareLatencyChart *latency = app_test_below (edit, PARE_TYPE_LATENCY_CHART);
  PareLatency took;
  g_assert_true (pare_session_get_latency (session, &took, NULL, NULL, NULL));
  pare_session_set_limit (session, PARE_LIMIT_LATENCY, took.p90_ms * 2);
  g_autofree char *met = pare_chart_describe (PARE_CHART (latency));
  g_assert_true (g_str_has_suffix (met, " met.") && strstr (met, "likely") == NULL);
  pare_session_set_limit (session, PARE_LIMIT_LATENCY, took.p10_ms / 2);
  g_autofree char *missed = pare_chart_describe (PARE_CHART (latency));
  g_assert_true (g_str_has_suffix (missed, " missed.") && strstr (missed, "likely") == NULL);
  if (took.p10_ms < took.median_ms)
    {
      pare_session_set_limit (session, PARE_LIMIT_LATENCY, (took.p10_ms + took.median_ms) / 2);
      g_autofree char *likely = pare_chart_describe (PARE_CHART (latency));
      g_assert_true (g_str_has_suffix (likely, " likely missed."));
    }
  app_test_close_window (window, application);
}

static void
test_save (void)
{
  PareApplication *application;
  PareWindow *window = open_sample (&application);
  set_bits (window->session, LAYER_A, 2);
  WAIT_FOR (quiet (window->session));
  app_test_settle (300);
  const GType types[] = { PARE_TYPE_ACCURACY_CHART, PARE_TYPE_SIZE_CHART, PARE_TYPE_LATENCY_CHART, PARE_TYPE_SCATTER_CHART };
  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    {
      GtkWidget *chart = app_test_below (GTK_WIDGET (window->edit), types[i]);
      static const char *const kinds[] = { "png", "svg", "csv" };
      static const char *const starts[] = { "\x89PNG", "<?xml", "" };
      g_assert_nonnull (chart);
      for (guint k = 0; k < G_N_ELEMENTS (kinds); k++)
        {
          g_autofree char *path = g_strdup_printf ("%s/chart-%u.%s", home, i, kinds[k]), *bytes = NULL;
          gsize n;
          g_autoptr (GError) error = NULL;
          g_assert_true (pare_chart_save (PARE_CHART (chart), path, &error));
          g_assert_no_error (error);
          g_assert_true (g_file_get_contents (path, &bytes, &n, NULL));
          g_assert_true (n > 20 && g_str_has_prefix (bytes, starts[k]));
          if (k == 2)
            {
              g_auto (GStrv) lines = g_strsplit (bytes, "\r\n", -1);
              g_assert_cmpuint (g_strv_length (lines), >=, 3); /* heads, a row, the end */
            }
        }
      /* The picture comes onto the clipboard; the table into a window of its own. */
      g_assert_true (gtk_widget_activate_action (chart, "chart.copy", NULL));
      GdkContentFormats *formats = gdk_clipboard_get_formats (gtk_widget_get_clipboard (chart));
      g_assert_true (gdk_content_formats_contain_gtype (formats, GDK_TYPE_TEXTURE));
      guint before = g_list_model_get_n_items (gtk_window_get_toplevels ());
      g_assert_true (gtk_widget_activate_action (chart, "chart.show-table", NULL));
      app_test_settle (50);
      g_assert_cmpuint (g_list_model_get_n_items (gtk_window_get_toplevels ()), ==, before + 1);
      g_autoptr (GtkWindow) table = NULL;
      for (guint k = 0; k < before + 1; k++)
        {
          g_autoptr (GtkWindow) top = g_list_model_get_item (gtk_window_get_toplevels (), k);
          if (ADW_IS_WINDOW (top) && gtk_window_get_transient_for (top) == GTK_WINDOW (window))
            g_set_object (&table, top);
        }
      g_assert_nonnull (table);
      g_assert_nonnull (app_test_below (GTK_WIDGET (table), GTK_TYPE_GRID));
      gtk_window_destroy (table);
    }
  app_test_close_window (window, application);
}

/* --- the inspector --- */

static gboolean
is_shown (gpointer inspector)
{
  return ((PareInspector *)inspector)->preview_shown;
}

static gboolean
has_study (gpointer inspector)
{
  return ((PareInspector *)inspector)->study != NULL;
}

/* LAYER_A with the ratio below. */
static gboolean
is_ahead (gpointer session)
{
  g_autoptr (PareRecipe) recipe = pare_recipe_copy (pare_session_get_recipe (session));
  PareLayerRecipe change;
  pare_layer_recipe_init (&change);
  change.prune_ratio = 0.372;
  pare_recipe_merge_layer (recipe, LAYER_A, &change);
  return pare_session_find_ready (session, recipe) != NULL;
}

static void
test_preview (void)
{
  PareApplication *application;
  PareWindow *window = open_sample (&application);
  PareSession *session = window->session;
  PareInspector *inspector = app_test_below (GTK_WIDGET (window->edit), PARE_TYPE_INSPECTOR);
  const char *const layers[] = { LAYER_A, NULL };
  pare_selection_set (window->selection, layers);
  WAIT_FOR (has_study (inspector));
  g_autofree char *before = g_strdup (gtk_label_get_text (inspector->size_value)),
                  *time = g_strdup (gtk_label_get_text (inspector->time_title));
  guint evaluations = 0, jobs = 0;
  g_signal_connect (session, "evaluation-changed", G_CALLBACK (count), &evaluations);
  g_signal_connect (session, "jobs-changed", G_CALLBACK (count), &jobs);
  g_signal_emit_by_name (inspector->weight_bits, "preview", 3);
  WAIT_FOR (is_shown (inspector));
  g_assert_true (gtk_widget_has_css_class (GTK_WIDGET (inspector->size_value), "pare-preview"));
  g_autofree char *size = g_strdup (gtk_label_get_text (inspector->size_value)),
                  *model = g_strdup (gtk_label_get_text (inspector->time_value)),
                  *error = g_strdup (gtk_label_get_text (inspector->error_value));
  g_assert_cmpstr (size, !=, before);
  g_assert_cmpuint (evaluations, ==, 0);
  g_assert_cmpuint (jobs, ==, 0); /* nothing runs for a look */
  g_assert_cmpuint (pare_session_get_n_entries (session), ==, 1);
  /* Gone, as it was. */
  g_signal_emit_by_name (inspector->weight_bits, "preview", 0);
  g_assert_cmpstr (gtk_label_get_text (inspector->size_value), ==, before);
  g_assert_cmpstr (gtk_label_get_text (inspector->time_title), ==, time);
  g_assert_false (gtk_widget_has_css_class (GTK_WIDGET (inspector->size_value), "pare-preview"));
  /* The keyboard's cursor does the same; a quick run along the choices ends with the last. */
  gboolean handled;
  for (int i = 0; i < 6; i++)
    g_signal_emit_by_name (controller (inspector->weight_bits, GTK_TYPE_EVENT_CONTROLLER_KEY), "key-pressed", (guint)GDK_KEY_Left, 0u,
                           GDK_CONTROL_MASK, &handled);
  WAIT_FOR (is_shown (inspector));
  g_assert_cmpuint (pare_session_get_n_entries (session), ==, 1);
  g_signal_emit_by_name (controller (inspector->weight_bits, GTK_TYPE_EVENT_CONTROLLER_KEY), "key-pressed", (guint)GDK_KEY_Escape, 0u,
                         (GdkModifierType)0, &handled);
  g_assert_false (inspector->preview_shown);
  /* What was promised is what comes. */
  set_bits (session, LAYER_A, 3);
  WAIT_FOR (quiet (session));
  g_assert_cmpstr (gtk_label_get_text (inspector->size_value), ==, size);
  g_assert_cmpstr (gtk_label_get_text (inspector->error_value), ==, error);
  PareSize now;
  pare_session_get_size (session, &now, NULL, NULL, NULL);
  g_autofree char *whole = pare_format_kib_unit (now.packed_bytes);
  g_assert_cmpstr (whole, ==, model);
  /* Where the pointer rests on a curve, the session makes that edit ahead: it begins at once if the button is pressed. */
  gtk_drop_down_set_selected (inspector->prune_kind, 1);
  WAIT_FOR (quiet (session));
  g_signal_emit_by_name (inspector->prune_ratio, "preview", 0.372);
  WAIT_FOR (is_shown (inspector));
  WAIT_FOR (is_ahead (session));
  g_signal_emit_by_name (inspector->prune_ratio, "preview", NAN);
  g_signal_emit_by_name (inspector->prune_ratio, "changed", 0.372, TRUE);
  g_assert_nonnull (pare_session_find_ready_graph (session, session->changed));
  WAIT_FOR (quiet (session));
  app_test_close_window (window, application);
}

/* The pictures of the knobs say what the knobs do. */
static void
check_curves (const PareGraph *graph, const char *layer)
{
  PareLayerRecipe r;
  PareWeightError e;
  double bits[9], prune[PARE_STUDY_PRUNE];
  static const int choices[9] = { 2, 3, 4, 5, 6, 7, 8, 16, PARE_BITS_FLOAT };
  pare_layer_recipe_init (&r);
  pare_layer_bits_curve (graph, layer, &r, bits);
  for (guint i = 0; i < 8; i++)
    {
      r.weight_bits = choices[i];
      g_assert_true (pare_layer_weight_error (graph, &r, layer, &e, NULL));
      g_assert_cmpfloat_with_epsilon (bits[i], e.relative_error, 1e-6 + 1e-3 * e.relative_error);
      if (i > 0)
        g_assert_cmpfloat (bits[i], <=, bits[i - 1]);
    }
  g_assert_cmpfloat (bits[8], ==, 0);
  pare_layer_prune_curve (graph, layer, PARE_PRUNE_UNSTRUCTURED, PARE_STUDY_PRUNE, prune);
  for (guint i = 0; i < PARE_STUDY_PRUNE; i += 8)
    {
      pare_layer_recipe_init (&r);
      r.prune = PARE_PRUNE_UNSTRUCTURED;
      r.prune_ratio = (double)i / (PARE_STUDY_PRUNE - 1);
      if (!pare_layer_weight_error (graph, &r, layer, &e, NULL))
        g_assert_cmpuint (i, ==, 0);
      else
        g_assert_cmpfloat_with_epsilon (prune[i], e.relative_error, 0.01);
    }
  g_assert_cmpfloat_with_epsilon (prune[PARE_STUDY_PRUNE - 1], 1, 1e-6);
  guint n, max_rank;
  const PareTensor *t = NULL;
  g_autoptr (PareTensor) weights = pare_layer_dup_weights (graph, layer);
  t = weights;
  PareFactorize method
      = t->shape.rank < 4 || (t->shape.dims[2] == 1 && t->shape.dims[3] == 1) ? PARE_FACTORIZE_SVD : PARE_FACTORIZE_SPATIAL;
  g_autofree double *spectrum = pare_layer_spectrum (graph, layer, method, &n, &max_rank);
  if (spectrum == NULL || max_rank < 2)
    return;
  double all = 0, kept = 0;
  guint rank = max_rank / 2;
  for (guint i = 0; i < n; i++)
    {
      all += spectrum[i] * spectrum[i];
      kept += i < rank ? spectrum[i] * spectrum[i] : 0;
      if (i > 0)
        g_assert_cmpfloat (spectrum[i], <=, spectrum[i - 1]);
    }
  /* Eckart-Young: what a cut loses is the squares that it leaves out, and all squares are those of the weights. */
  double squares = 0;
  for (gsize i = 0; i < (gsize)pare_tensor_count (t); i++)
    squares += (double)((const float *)t->data)[i] * ((const float *)t->data)[i];
  g_assert_cmpfloat_with_epsilon (all / squares, 1, 1e-4);
  pare_layer_recipe_init (&r);
  r.factorize = method;
  r.rank = (int)rank;
  g_assert_true (pare_layer_weight_error (graph, &r, layer, &e, NULL));
  g_assert_cmpfloat_with_epsilon (e.relative_error, 1 - kept / all, 1e-3);
}

static void
test_curves (void)
{
  g_autofree char *root = g_strdup (g_getenv ("PARE_SHARED") != NULL ? g_getenv ("PARE_SHARED") : "../shared"), *model = NULL;
  if (g_getenv ("PARE_SHARED") == NULL && g_getenv ("PARE_SOURCE_ROOT") != NULL)
    {
      g_free (root);
      root = g_build_filename (g_getenv ("PARE_SOURCE_ROOT"), "..", "shared", NULL);
    }
  model = g_build_filename (root, "material", "models", "cifar10-resnet20.onnx", NULL);
  g_autofree char *sample = pare_application_dup_sample ("sample.onnx");
  const char *const paths[] = { sample, model };
  static const char *const layers[2][3] = { { LAYER_A, LAYER_B, NULL }, { "Conv_1", "Conv_41", "Conv_57" } };
  for (guint i = 0; i < 2; i++)
    {
      if (!g_file_test (paths[i], G_FILE_TEST_EXISTS))
        {
          g_test_message ("%s is not here", paths[i]);
          continue;
        }
      g_autoptr (PareSession) session = pare_session_new ();
      open_path (session, paths[i]);
      for (guint k = 0; k < 3 && layers[i][k] != NULL; k++)
        check_curves (pare_session_get_graph (session), layers[i][k]);
      pare_session_close (session);
    }
}

/* --- stopping --- */

static void
stop_counting (PareSession *session, guint *stopped)
{
  for (guint i = 0; i < pare_session_get_n_jobs (session); i++)
    if (*stopped == 0 && strcmp (pare_session_get_job (session, i)->name, "Measuring accuracy") == 0)
      {
        ++*stopped;
        pare_session_cancel_job (session, i);
        return;
      }
}

static gboolean
is_stopped (gpointer session)
{
  return pare_session_is_stopped (session);
}

static GtkWidget *
find_button (GtkWidget *widget, const char *label)
{
  if (GTK_IS_BUTTON (widget) && g_strcmp0 (gtk_button_get_label (GTK_BUTTON (widget)), label) == 0)
    return widget;
  for (GtkWidget *c = gtk_widget_get_first_child (widget); c != NULL; c = gtk_widget_get_next_sibling (c))
    {
      GtkWidget *found = find_button (c, label);
      if (found != NULL)
        return found;
    }
  return NULL;
}

static void
test_stopped (void)
{
  PareApplication *application;
  PareWindow *window = open_sample (&application);
  PareSession *session = window->session;
  guint stopped = 0;
  GtkWidget *resume = find_button (GTK_WIDGET (window->edit), "Resume");
  g_assert_nonnull (resume);
  g_assert_false (gtk_widget_get_visible (resume));
  g_assert_false (pare_session_is_stopped (session));
  gulong handler = g_signal_connect (session, "jobs-changed", G_CALLBACK (stop_counting), &stopped);
  set_bits (session, LAYER_A, 2);
  WAIT_FOR (is_stopped (session));
  g_signal_handler_disconnect (session, handler);
  app_test_settle (50);
  g_assert_cmpuint (stopped, ==, 1);
  g_assert_true (gtk_widget_get_visible (resume));
  g_autofree char *reading = pare_chart_describe (app_test_below (GTK_WIDGET (window->edit), PARE_TYPE_ACCURACY_CHART));
  g_assert_nonnull (strstr (reading, "Stopped"));
  g_signal_emit_by_name (resume, "clicked");
  WAIT_FOR (app_test_measured (session));
  g_assert_false (pare_session_is_stopped (session));
  app_test_settle (50);
  g_assert_false (gtk_widget_get_visible (resume));
  app_test_close_window (window, application);
}

/* --- preferences --- */

static void
test_preferences (void)
{
  g_autofree char *folder = g_build_filename (home, "pare", NULL), *path = g_build_filename (folder, "preferences.ini", NULL), *text = NULL;
  g_mkdir_with_parents (folder, 0700);
  g_assert_true (g_file_set_contents (path, "[pare]\ncolours=dark\nthreads=3\ntolerance=0.5\nsplit=report\n", -1, NULL));
  pare_preferences_reload ();
  PareApplication *application;
  PareWindow *window = open_sample (&application); /* its start puts them into effect */
  PareLimits limits;
  g_assert_true (adw_style_manager_get_dark (adw_style_manager_get_default ()));
  g_assert_cmpint (pare_default_threads (), ==, 3);
  pare_session_get_limits (window->session, &limits);
  g_assert_cmpfloat (limits.tolerance_pp, ==, 0.5);
  g_assert_cmpint (pare_session_get_split (window->session), ==, PARE_SPLIT_REPORT);
  /* The dialog: what is chosen acts at once and is kept. */
  g_action_group_activate_action (G_ACTION_GROUP (window), "preferences", NULL);
  app_test_settle (200);
  g_autoptr (GtkWindow) dialog = NULL;
  for (guint k = 0; k < g_list_model_get_n_items (gtk_window_get_toplevels ()); k++)
    {
      g_autoptr (GtkWindow) top = g_list_model_get_item (gtk_window_get_toplevels (), k);
      if (gtk_window_get_transient_for (top) == GTK_WINDOW (window))
        g_set_object (&dialog, top);
    }
  g_assert_nonnull (dialog);
  g_assert_true (gtk_window_get_modal (dialog));
  GtkDropDown *colours = app_test_below (GTK_WIDGET (dialog), GTK_TYPE_DROP_DOWN);
  g_assert_cmpuint (gtk_drop_down_get_selected (colours), ==, 2);
  gtk_drop_down_set_selected (colours, 1);
  g_assert_false (adw_style_manager_get_dark (adw_style_manager_get_default ()));
  GtkSpinButton *threads = app_test_below (GTK_WIDGET (dialog), GTK_TYPE_SPIN_BUTTON);
  g_assert_cmpint (gtk_spin_button_get_value_as_int (threads), ==, 3);
  gtk_spin_button_set_value (threads, 0);
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (threads)), ==, "all");
  g_assert_cmpint (pare_default_threads (), >=, 1);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_nonnull (strstr (text, "colours=light"));
  g_assert_nonnull (strstr (text, "threads=0"));
  gtk_window_destroy (dialog);
  /* A divider moved by hand is there the next time. */
  GtkPaned *paned = app_test_below (GTK_WIDGET (window->edit), GTK_TYPE_PANED);
  app_test_settle (200);
  int position = gtk_paned_get_position (paned);
  gtk_paned_set_position (paned, position - 40);
  app_test_settle (600);
  app_test_close_window (window, application);
  pare_preferences_reload ();
  window = open_sample (&application);
  app_test_settle (300);
  paned = app_test_below (GTK_WIDGET (window->edit), GTK_TYPE_PANED);
  g_assert_cmpint (gtk_paned_get_position (paned), ==, position - 40);
  app_test_close_window (window, application);
  /* Damaged: the defaults, no complaint. */
  g_assert_true (g_file_set_contents (path, "\x01 no key file [", -1, NULL));
  pare_preferences_reload ();
  pare_preferences_apply ();
}

int
main (int argc, char **argv)
{
  home = app_test_begin ("explore");
  g_test_init (&argc, &argv, NULL);
  if (!gtk_init_check ())
    return 77;
  adw_init ();
  g_test_add_func ("/limits/text", test_text);
  g_test_add_func ("/limits/kept", test_kept);
  g_test_add_func ("/explore/brush", test_brush);
  g_test_add_func ("/explore/times", test_times);
  g_test_add_func ("/explore/lines", test_lines);
  g_test_add_func ("/explore/save", test_save);
  g_test_add_func ("/inspector/preview", test_preview);
  g_test_add_func ("/inspector/curves", test_curves);
  g_test_add_func ("/explore/stopped", test_stopped);
  g_test_add_func ("/preferences", test_preferences);
  int status = g_test_run ();
  return app_test_end (home, status);
}
