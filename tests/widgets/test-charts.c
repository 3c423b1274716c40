/* Charts and cells without a window: any data draws, what is drawn is there, readings and tables say the same, files are written. */
#include "widgets/pare-accuracy-chart.h"
#include "widgets/pare-bar-cell.h"
#include "widgets/pare-delta-cell.h"
#include "widgets/pare-heat-cell.h"
#include "widgets/pare-histogram-view.h"
#include "widgets/pare-latency-chart.h"
#include "widgets/pare-op-dot.h"
#include "widgets/pare-scatter-chart.h"
#include "widgets/pare-size-chart.h"
#include "widgets/pare-verdict.h"

#include <adwaita.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static const double odd[] = { 0, 1, -1, NAN, INFINITY, -INFINITY, 1e300, -1e300, 1e-300, 0.5 };
#define N_ODD G_N_ELEMENTS (odd)

static void
paint (GtkWidget *widget, int w, int h)
{
  int min_w, min_h;
  gtk_widget_measure (widget, GTK_ORIENTATION_HORIZONTAL, -1, &min_w, NULL, NULL, NULL);
  gtk_widget_measure (widget, GTK_ORIENTATION_VERTICAL, -1, &min_h, NULL, NULL, NULL);
  gtk_widget_allocate (widget, MAX (w, min_w), MAX (h, min_h), -1, NULL);
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  GTK_WIDGET_GET_CLASS (widget)->snapshot (widget, snapshot);
  g_autoptr (GskRenderNode) node = gtk_snapshot_free_to_node (snapshot);
  g_assert_nonnull (node);
}

/* Pixels of exactly this colour in the data layer at w x h; NULL: that are painted at all. */
static guint
pixels (GtkWidget *chart, int w, int h, const GdkRGBA *colour)
{
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, w, h);
  cairo_t *cr = cairo_create (surface);
  pare_chart_draw (PARE_CHART (chart), cr, w, h);
  cairo_destroy (cr);
  cairo_surface_flush (surface);
  guint32 wanted = colour == NULL ? 0
                                  : 0xff000000u | (guint32)lround (colour->red * 255) << 16 | (guint32)lround (colour->green * 255) << 8
                                        | (guint32)lround (colour->blue * 255);
  guint n = 0;
  for (int y = 0; y < h; y++)
    {
      const guint32 *row = (const guint32 *)(cairo_image_surface_get_data (surface) + y * cairo_image_surface_get_stride (surface));
      for (int x = 0; x < w; x++)
        n += colour == NULL ? row[x] != 0 : row[x] == wanted;
    }
  cairo_surface_destroy (surface);
  return n;
}

static void
sizes (GtkWidget *chart)
{
  paint (chart, 300, 200);
  paint (chart, 1, 1);
  paint (chart, 1600, 900);
  g_autofree char *reading = pare_chart_describe (PARE_CHART (chart));
  g_assert_cmpuint (strlen (reading), >, 8);
  g_autoptr (GPtrArray) rows = pare_chart_get_table (PARE_CHART (chart));
  g_assert_cmpuint (rows->len, >=, 1);
  for (guint i = 1; i < rows->len; i++)
    g_assert_cmpuint (g_strv_length (rows->pdata[i]), ==, g_strv_length (rows->pdata[0]));
}

static void
test_accuracy (void)
{
  GtkWidget *w = g_object_ref_sink (pare_accuracy_chart_new ());
  PareAccuracyChart *c = PARE_ACCURACY_CHART (w);
  PareLook look;
  pare_look_for_widget (&look, w);
  sizes (w);
  g_assert_cmpuint (pixels (w, 254, 182, &look.mark), ==, 0);
  g_assert_cmpuint (pixels (w, 254, 182, &look.worse), ==, 0);
  const double x[] = { 20, 100, 500 }, d[] = { 0.01, -0.002, -0.0037 }, low[] = { -0.04, -0.02, -0.0115 }, high[] = { 0.06, 0.016, 0.0041 };
  pare_accuracy_chart_set_points (c, 3, x, d, low, high);
  pare_accuracy_chart_set_baseline (c, 0.9178);
  pare_accuracy_chart_set_value (
      c, &(PareAccuracyValue){ "top1", 0.9141, 0.90, 0.93, -0.0037, -0.0115, 0.0041, 500, 5000, PARE_MARK_PROVISIONAL });
  sizes (w);
  g_assert_cmpuint (pixels (w, 254, 182, &look.mark), >, 30); /* the mean line and the point */
  pare_accuracy_chart_set_tolerance (c, 1);
  g_autofree char *reading = pare_chart_describe (PARE_CHART (c));
  g_assert_nonnull (strstr (reading, "91.41 %"));
  g_assert_nonnull (strstr (reading, "−0.37 ± 0.78 pp"));
  g_assert_nonnull (strstr (reading, "Undecided"));
  g_autoptr (GPtrArray) rows = pare_chart_get_table (PARE_CHART (c));
  g_assert_cmpuint (rows->len, ==, 4);
  g_assert_cmpstr (((char **)rows->pdata[3])[1], ==, "-0.37"); /* plain text for spreadsheets */
  /* Stale: stays, in grey. */
  pare_accuracy_chart_set_value (c,
                                 &(PareAccuracyValue){ "top1", 0.9141, 0.90, 0.93, -0.0037, -0.0115, 0.0041, 500, 5000, PARE_MARK_STALE });
  g_assert_cmpuint (pixels (w, 254, 182, &look.mark), ==, 0);
  g_assert_cmpuint (pixels (w, 254, 182, &look.hatch), >, 5);
  pare_accuracy_chart_set_value (c, &(PareAccuracyValue){ "agreement", 0.9, 0.8, 0.95, NAN, NAN, NAN, 500, 5000, PARE_MARK_PROVISIONAL });
  g_autofree char *agreement = pare_chart_describe (PARE_CHART (c));
  g_assert_true (g_str_has_prefix (agreement, "Agreement"));
  for (guint i = 0; i < N_ODD; i++)
    for (guint k = 0; k < N_ODD; k++)
      {
        const double px[] = { 0, odd[i], odd[k] }, pd[] = { odd[k], odd[i], 0 };
        pare_accuracy_chart_set_points (c, 1 + (i + k) % 3, px, pd, pd, px);
        pare_accuracy_chart_set_tolerance (c, odd[k]);
        pare_accuracy_chart_set_value (
            c, &(PareAccuracyValue){ NULL, odd[i], odd[k], odd[i], odd[k], odd[i], odd[k], i, k, (PareMark)(i % 5) });
        paint (w, 200 + (int)i, 150);
      }
  sizes (w);
  g_assert_finalize_object (w);
}

static void
test_size (void)
{
  GtkWidget *w = g_object_ref_sink (pare_size_chart_new ());
  PareSizeChart *c = PARE_SIZE_CHART (w);
  PareLook look;
  pare_look_for_widget (&look, w);
  sizes (w);
  PareSizePart parts[40];
  for (guint i = 0; i < 40; i++)
    parts[i] = (PareSizePart){ "part", 1024, i < 2 ? 1024 : 0 };
  pare_size_chart_set_parts (c, parts, 40);
  g_assert_cmpuint (pixels (w, 142, 182, &look.worse), ==, 0);
  pare_size_chart_set_budget (c, 1024);
  g_assert_cmpuint (pixels (w, 142, 182, &look.worse), >, 10);
  g_autofree char *reading = pare_chart_describe (PARE_CHART (c));
  g_assert_cmpstr (reading, ==, "Size 2.0 KiB, −95 % of the original's 40.0 KiB; over the budget of 1.0 KiB.");
  sizes (w);
  pare_chart_set_compact (PARE_CHART (c), TRUE);
  sizes (w);
  for (guint i = 0; i < N_ODD; i++)
    {
      parts[0] = (PareSizePart){ NULL, odd[i], odd[N_ODD - 1 - i] };
      pare_size_chart_set_parts (c, parts, 1 + i % 3);
      pare_size_chart_set_budget (c, odd[i]);
      pare_size_chart_set_files (c, odd[i], odd[i]);
      sizes (w);
    }
  g_assert_finalize_object (w);
}

static void
test_latency (void)
{
  GtkWidget *w = g_object_ref_sink (pare_latency_chart_new ());
  PareLatencyChart *c = PARE_LATENCY_CHART (w);
  PareLook look;
  pare_look_for_widget (&look, w);
  sizes (w);
  const PareLatencyBar measured = { PARE_MARK_MEASURED, 2, 1.9, 2.1, 0 }, predicted = { PARE_MARK_PREDICTED, 2, NAN, NAN, 0 };
  pare_latency_chart_set_bars (c, &measured, NULL, NULL);
  guint solid = pixels (w, 170, 182, &look.mark);
  pare_latency_chart_set_bars (c, &predicted, NULL, NULL);
  guint hatched = pixels (w, 170, 182, &look.mark);
  g_assert_cmpuint (solid, >, 1000);
  g_assert_cmpuint (hatched, <, solid / 2); /* never drawn like a measured one */
  g_assert_cmpuint (hatched, >, 100);       /* its outline */
  pare_latency_chart_set_bars (c, &predicted, &(PareLatencyBar){ PARE_MARK_STALE, 3, NAN, NAN, 1 }, &measured);
  pare_latency_chart_set_budget (c, 1.5);
  g_autofree char *reading = pare_chart_describe (PARE_CHART (c));
  g_assert_cmpstr (
      reading, ==,
      "Latency: now, predicted: 2.00 ms; measured 1 edit ago, stale: 3.00 ms; original, measured: 2.00 ms; budget 1.50 ms missed.");
  for (guint i = 0; i < N_ODD; i++)
    for (guint k = 0; k < N_ODD; k++)
      {
        pare_latency_chart_set_bars (c, &(PareLatencyBar){ (PareMark)(i % 5), odd[k], odd[i], odd[k], (int)i },
                                     &(PareLatencyBar){ PARE_MARK_STALE, odd[i], 0, 0, 0 },
                                     &(PareLatencyBar){ PARE_MARK_MEASURED, odd[k], odd[k], odd[i], 0 });
        pare_latency_chart_set_budget (c, odd[i]);
        paint (w, 170, 182);
      }
  sizes (w);
  pare_chart_set_compact (PARE_CHART (c), TRUE);
  sizes (w);
  g_assert_finalize_object (w);
}

typedef struct
{
  guint hovers, activations, brushes, finals;
  int kind;
  gint64 id;
  double budget;
} Heard;

static void
on_hover (PareScatterChart *chart, gint64 id, Heard *heard)
{
  heard->hovers++;
  heard->id = id;
}

static void
on_activated (PareScatterChart *chart, gint64 id, Heard *heard)
{
  heard->activations++;
  heard->id = id;
}

static void
on_brush (PareScatterChart *chart, Heard *heard)
{
  heard->brushes++;
}

static void
on_limit (PareChart *chart, int kind, double x, gboolean final, Heard *heard)
{
  heard->kind = kind;
  heard->finals += final;
  heard->budget = x;
}

static GtkEventController *
find (GtkWidget *widget, GType type)
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
test_scatter (void)
{
  GtkWidget *w = g_object_ref_sink (pare_scatter_chart_new ());
  PareScatterChart *c = PARE_SCATTER_CHART (w);
  Heard heard = { 0 };
  g_signal_connect (c, "point-hover", G_CALLBACK (on_hover), &heard);
  g_signal_connect (c, "point-activated", G_CALLBACK (on_activated), &heard);
  g_signal_connect (c, "brush-changed", G_CALLBACK (on_brush), &heard);
  g_signal_connect (c, "limit-changed", G_CALLBACK (on_limit), &heard);
  sizes (w);
  const PareScatterPoint points[] = {
    { .id = 7, .x = 1024e3, .y = 0.92, .low = 0.91, .high = 0.93, .label = "original", .mark = PARE_MARK_MEASURED, .is_original = TRUE },
    { .id = 8, .x = 128e3, .y = 0.915, .low = 0.9, .high = 0.93, .label = "a, \"b\"", .mark = PARE_MARK_MEASURED, .current = TRUE },
    { .id = 9, .x = 256e3, .y = 0.90, .low = NAN, .high = NAN, .label = "worse", .mark = PARE_MARK_MEASURED },
    { .id = 10, .x = 64e3, .y = 0.91, .low = NAN, .high = NAN, .label = "guess", .mark = PARE_MARK_PREDICTED },
  };
  pare_scatter_chart_set_points (c, points, 4);
  paint (w, 400, 300);
  g_autoptr (GPtrArray) rows = pare_chart_get_table (PARE_CHART (c));
  g_assert_cmpuint (rows->len, ==, 5);
  g_assert_cmpstr (((char **)rows->pdata[1])[6], ==, "yes");
  g_assert_cmpstr (((char **)rows->pdata[3])[6], ==, "");
  g_assert_cmpstr (((char **)rows->pdata[4])[6], ==, ""); /* predicted: not on the measured front */
  /* The keyboard walks by x and activates. */
  gboolean handled;
  const gint64 order[] = { 10, 8, 9, 7 };
  for (guint i = 0; i < 4; i++)
    {
      g_signal_emit_by_name (find (w, GTK_TYPE_EVENT_CONTROLLER_KEY), "key-pressed", (guint)GDK_KEY_Right, 0u, (GdkModifierType)0,
                             &handled);
      g_assert_cmpint (heard.id, ==, order[i]);
    }
  g_assert_cmpuint (heard.hovers, ==, 4);
  g_signal_emit_by_name (find (w, GTK_TYPE_EVENT_CONTROLLER_KEY), "key-pressed", (guint)GDK_KEY_Return, 0u, (GdkModifierType)0, &handled);
  g_assert_cmpuint (heard.activations, ==, 1);
  g_assert_cmpint (heard.id, ==, 7);
  /* A drag over everything brushes everything; a click on nothing clears it. */
  GtkEventController *drag = find (w, GTK_TYPE_GESTURE_DRAG);
  g_assert_null (pare_scatter_chart_get_brush (c));
  g_signal_emit_by_name (drag, "drag-begin", 37.0, 3.0);
  g_signal_emit_by_name (drag, "drag-update", 200.0, 200.0);
  g_signal_emit_by_name (drag, "drag-end", 362.0, 295.0);
  g_autoptr (GArray) ids = pare_scatter_chart_get_brush (c);
  g_assert_cmpuint (heard.brushes, ==, 1);
  g_assert_cmpuint (ids->len, ==, 4);
  paint (w, 400, 300);
  g_signal_emit_by_name (drag, "drag-begin", 200.0, 270.0);
  g_signal_emit_by_name (drag, "drag-end", 0.0, 0.0);
  g_assert_cmpuint (heard.brushes, ==, 2);
  g_assert_null (pare_scatter_chart_get_brush (c));
  g_assert_cmpuint (heard.activations, ==, 1);
  /* The budget line can be dragged: found by its colour. */
  PareLook look;
  pare_look_for_widget (&look, w);
  pare_scatter_chart_set_budget (c, 512e3);
  g_assert_cmpuint (pixels (w, 400, 300, &look.worse), >, 10);
  paint (w, 400, 300);
  for (double x = 40; x < 395 && heard.finals == 0; x += 4)
    {
      g_signal_emit_by_name (drag, "drag-begin", x, 285.0);
      g_signal_emit_by_name (drag, "drag-end", -30.0, 0.0);
    }
  g_assert_cmpuint (heard.finals, ==, 1);
  g_assert_cmpfloat (heard.budget, <, 512e3);
  g_assert_cmpfloat (heard.budget, >, 64e3);
  for (int axis = 0; axis < 3; axis++)
    for (guint i = 0; i < N_ODD; i++)
      for (guint k = 0; k < N_ODD; k++)
        {
          const PareScatterPoint strange[]
              = { { .id = 1, .x = odd[i], .y = odd[k], .low = odd[k], .high = odd[i], .mark = PARE_MARK_MEASURED, .current = TRUE },
                  { .id = 2, .x = odd[k], .y = odd[i], .low = NAN, .high = 0, .mark = (PareMark)(k % 5), .tag = 'A' } };
          pare_scatter_chart_set_axis (c, (PareScatterAxis)axis);
          pare_scatter_chart_set_points (c, strange, 1 + i % 2);
          pare_scatter_chart_set_budget (c, odd[k]);
          pare_scatter_chart_set_tolerance (c, odd[i], odd[k]);
          pare_scatter_chart_set_hover (c, 1);
          paint (w, 250, 160);
        }
  pare_scatter_chart_set_large (c, TRUE, "caption");
  sizes (w);
  g_assert_finalize_object (w);
}

static void
test_histogram (void)
{
  GtkWidget *w = g_object_ref_sink (pare_histogram_view_new ("weights"));
  PareHistogramView *h = PARE_HISTOGRAM_VIEW (w);
  sizes (w);
  const float x[] = { -1, -0.5f, 0, 0.5f, 1, NAN, INFINITY, 2 };
  double counts[4];
  pare_histogram_view_count (x, G_N_ELEMENTS (x), -1, 1, counts, 4);
  g_assert_true (counts[0] == 1 && counts[1] == 1 && counts[2] == 1 && counts[3] == 2); /* the last bin is closed */
  pare_histogram_view_set_before (h, counts, 4, -1, 1);
  guint outline = pixels (w, 300, 86, NULL);
  pare_histogram_view_set_after (h, counts, 4, -1, 1);
  g_assert_cmpuint (pixels (w, 300, 86, NULL), >, 2 * outline); /* bars are areas */
  pare_histogram_view_set_texts (h, "SNR 18.7 dB", NULL);
  sizes (w);
  g_autofree char *reading = pare_chart_describe (PARE_CHART (h));
  g_assert_cmpstr (reading, ==, "Histogram of weights from −1.000 to 1.000, SNR 18.7 dB.");
  for (guint i = 0; i < N_ODD; i++)
    for (guint k = 0; k < N_ODD; k++)
      {
        pare_histogram_view_set_before (h, odd, N_ODD, odd[i], odd[k]);
        pare_histogram_view_set_after (h, odd, i, odd[k], odd[i]);
        pare_histogram_view_set_clip (h, odd[i], "clip");
        paint (w, 200, 60);
      }
  g_autofree PareHistogram *seen = g_new0 (PareHistogram, 1);
  *seen = (PareHistogram){ .min = 0, .max = 1, .count = 10, .bin_low = -1, .bin_width = 4.0 / PARE_HISTOGRAM_BINS };
  seen->bins[PARE_HISTOGRAM_BINS / 4 + 1] = 10;
  pare_histogram_view_set_statistics (h, seen);
  pare_histogram_view_set_clip (h, 0.8, "clip 0.80");
  sizes (w);
  g_autoptr (GPtrArray) rows = pare_chart_get_table (PARE_CHART (h));
  g_assert_cmpstr (((char **)rows->pdata[1])[3], ==, "10"); /* only what was seen is shown, from its minimum on */
  pare_histogram_view_set_statistics (h, NULL);
  sizes (w);
  g_assert_finalize_object (w);
}

static void
test_cells (void)
{
  GtkWidget *bar = g_object_ref_sink (pare_bar_cell_new ()), *heat = g_object_ref_sink (pare_heat_cell_new ());
  GtkWidget *delta = g_object_ref_sink (pare_delta_cell_new ()), *dot = g_object_ref_sink (pare_op_dot_new ());
  for (guint i = 0; i < N_ODD; i++)
    for (guint k = 0; k < N_ODD; k++)
      {
        pare_bar_cell_set (PARE_BAR_CELL (bar), odd[i], odd[k], odd[(i + k) % N_ODD]);
        pare_heat_cell_set (PARE_HEAT_CELL (heat), i % 2 ? "0.14" : NULL, odd[k], NULL, FALSE);
        pare_delta_cell_set_noise (PARE_DELTA_CELL (delta), odd[k]);
        pare_delta_cell_set (PARE_DELTA_CELL (delta), odd[i], odd[k], (int)i, k % 2, "ms");
        paint (bar, 58, 12);
        paint (heat, 33, 16);
        paint (delta, 130, 16);
      }
  const char *const ops[] = { "Conv", "MatMul", "no such operator", "", NULL };
  for (guint i = 0; i < G_N_ELEMENTS (ops); i++)
    {
      pare_op_dot_set (PARE_OP_DOT (dot), ops[i], i == 0);
      paint (dot, 9, 9);
    }
  g_assert_finalize_object (bar);
  g_assert_finalize_object (heat);
  g_assert_finalize_object (delta);
  g_assert_finalize_object (dot);
}

static void
test_save (void)
{
  GtkWidget *w = g_object_ref_sink (pare_scatter_chart_new ());
  const PareScatterPoint points[]
      = { { .id = 1, .x = 2048, .y = 0.9, .low = NAN, .high = NAN, .label = "a, \"b\"", .mark = PARE_MARK_MEASURED } };
  pare_scatter_chart_set_points (PARE_SCATTER_CHART (w), points, 1);
  g_autofree char *folder = g_dir_make_tmp ("pare-charts-XXXXXX", NULL);
  const struct
  {
    const char *name, *magic;
  } files[] = { { "c.PNG", "\x89PNG" }, { "c.svg", "<?xml" }, { "c.pdf", "%PDF" }, { "c.csv", "recipe," } };
  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = g_build_filename (folder, files[i].name, NULL), *content = NULL;
      g_autoptr (GError) error = NULL;
      gsize length;
      g_assert_true (pare_chart_save (PARE_CHART (w), path, &error));
      g_assert_no_error (error);
      g_assert_true (g_file_get_contents (path, &content, &length, NULL));
      g_assert_cmpuint (length, >, 20);
      g_assert_cmpint (strncmp (content, files[i].magic, strlen (files[i].magic)), ==, 0);
      if (i == 3)
        g_assert_nonnull (strstr (content, "\r\n\"a, \"\"b\"\"\",2,90,,,measured,yes\r\n"));
      g_unlink (path);
    }
  g_autoptr (GError) kind = NULL, place = NULL, place_png = NULL;
  g_assert_false (pare_chart_save (PARE_CHART (w), "/tmp/chart.docx", &kind));
  g_assert_nonnull (strstr (kind->message, "chart.docx"));
  g_assert_false (pare_chart_save (PARE_CHART (w), "/nowhere/at/all.csv", &place));
  g_assert_nonnull (strstr (place->message, "/nowhere/at/all.csv"));
  g_assert_false (pare_chart_save (PARE_CHART (w), "/nowhere/at/all.png", &place_png));
  g_rmdir (folder);
  g_assert_finalize_object (w);
}

/* A line of `chart` can be taken along x or y; dragging it moves it, in clean values, and cancelling puts it back. */
static void
check_line (GtkWidget *w, int kind, gboolean across)
{
  Heard heard = { 0 };
  gulong handler = g_signal_connect (w, "limit-changed", G_CALLBACK (on_limit), &heard);
  PareChartClass *class = PARE_CHART_GET_CLASS (w);
  GtkEventController *drag = find (w, GTK_TYPE_GESTURE_DRAG);
  int width = gtk_widget_get_width (w), height = gtk_widget_get_height (w);
  double x = 0, y = 0;
  gboolean found = FALSE;
  for (int py = 0; py < height; py++)
    for (int px = 0; px < width; px++)
      if (!found && class->limit_at (PARE_CHART (w), px, py) == kind)
        {
          found = TRUE;
          x = px;
          y = py;
        }
  g_assert_true (found);
  double dx = across ? -30 : 0, dy = across ? 0 : 20;
  g_signal_emit_by_name (drag, "drag-begin", x, y);
  g_assert_cmpint (pare_chart_get_dragged (PARE_CHART (w)), ==, kind);
  paint (w, width, height); /* with the card */
  g_signal_emit_by_name (drag, "drag-update", dx / 2, dy / 2);
  double half = heard.budget;
  g_signal_emit_by_name (drag, "drag-end", dx, dy);
  g_assert_cmpint (pare_chart_get_dragged (PARE_CHART (w)), ==, -1);
  g_assert_cmpuint (heard.finals, ==, 1);
  g_assert_cmpint (heard.kind, ==, kind);
  g_assert_cmpfloat (heard.budget, ==, pare_limit_round ((PareLimitKind)kind, heard.budget));
  if (across)
    g_assert_cmpfloat (heard.budget, <, half);
  else
    g_assert_cmpfloat (heard.budget, >, half);
  g_signal_handler_disconnect (w, handler);
}

static void
test_lines (void)
{
  GtkWidget *accuracy = g_object_ref_sink (pare_accuracy_chart_new ()), *size = g_object_ref_sink (pare_size_chart_new ()),
            *latency = g_object_ref_sink (pare_latency_chart_new ());
  pare_accuracy_chart_set_tolerance (PARE_ACCURACY_CHART (accuracy), 1);
  paint (accuracy, 254, 182);
  check_line (accuracy, PARE_LIMIT_KIND_TOLERANCE, FALSE);
  const PareSizePart parts[] = { { "a", 400e3, 60e3 }, { "b", 600e3, 60e3 } };
  pare_size_chart_set_parts (PARE_SIZE_CHART (size), parts, 2);
  pare_size_chart_set_budget (PARE_SIZE_CHART (size), 500 * 1024);
  paint (size, 180, 182);
  check_line (size, PARE_LIMIT_KIND_SIZE, TRUE);
  const PareLatencyBar now = { PARE_MARK_MEASURED, 2, 1.9, 2.1, 0 }, original = { PARE_MARK_MEASURED, 5, 4.9, 5.1, 0 };
  pare_latency_chart_set_bars (PARE_LATENCY_CHART (latency), &now, NULL, &original);
  pare_latency_chart_set_budget (PARE_LATENCY_CHART (latency), 4);
  paint (latency, 180, 182);
  check_line (latency, PARE_LIMIT_KIND_LATENCY, TRUE);
  g_assert_finalize_object (accuracy);
  g_assert_finalize_object (size);
  g_assert_finalize_object (latency);
  /* Clean values. */
  const struct
  {
    PareLimitKind kind;
    double value, clean;
  } cases[] = {
    { PARE_LIMIT_KIND_TOLERANCE, 0.337, 0.35 },
    { PARE_LIMIT_KIND_TOLERANCE, 1.27, 1.3 },
    { PARE_LIMIT_KIND_TOLERANCE, -4, 0 },
    { PARE_LIMIT_KIND_TOLERANCE, 1e9, 100 },
    { PARE_LIMIT_KIND_SIZE, 159.7 * 1024, 160 * 1024 },
    { PARE_LIMIT_KIND_SIZE, 3.4 * 1024, 3 * 1024 },
    { PARE_LIMIT_KIND_SIZE, 873 * 1024, 870 * 1024 },
    { PARE_LIMIT_KIND_LATENCY, 0.3012, 0.3 },
    { PARE_LIMIT_KIND_LATENCY, 1.93, 1.95 },
    { PARE_LIMIT_KIND_LATENCY, 27.4, 27 },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpfloat_with_epsilon (pare_limit_round (cases[i].kind, cases[i].value), cases[i].clean, 1e-9 * (1 + cases[i].clean));
  for (guint i = 0; i < N_ODD; i++)
    for (int kind = 0; kind < 3; kind++)
      pare_limit_round ((PareLimitKind)kind, odd[i]);
}

static void
test_verdict (void)
{
  g_assert_cmpint (pare_verdict (1.8, 1.9, 1.95, 2, TRUE), ==, PARE_VERDICT_MET);
  g_assert_cmpint (pare_verdict (1.8, 1.9, 2.1, 2, TRUE), ==, PARE_VERDICT_LIKELY_MET);
  g_assert_cmpint (pare_verdict (1.8, 2.05, 2.1, 2, TRUE), ==, PARE_VERDICT_LIKELY_MISSED);
  g_assert_cmpint (pare_verdict (2.01, 2.05, 2.1, 2, TRUE), ==, PARE_VERDICT_MISSED);
  g_assert_cmpint (pare_verdict (-0.5, -0.3, 0, -1, FALSE), ==, PARE_VERDICT_MET);
  g_assert_cmpint (pare_verdict (-3, -2, -1.5, -1, FALSE), ==, PARE_VERDICT_MISSED);
  g_assert_cmpint (pare_verdict (0, NAN, 0, 1, TRUE), ==, PARE_VERDICT_NONE);
  g_assert_cmpint (pare_verdict (NAN, 1, NAN, NAN, TRUE), ==, PARE_VERDICT_NONE);
  g_assert_cmpuint (pare_samples_to_go (1000, 5000, 2, 1), ==, 3000); /* half the width takes four times the samples */
  g_assert_cmpuint (pare_samples_to_go (1000, 3000, 2, 1), ==, G_MAXUINT);
  g_assert_cmpuint (pare_samples_to_go (1000, 3000, 1, 2), ==, 0);
  g_assert_cmpuint (pare_samples_to_go (1000, 3000, 1, 0), ==, G_MAXUINT);
  const struct
  {
    double d, low, high;
    guint done, all;
    const char *words;
  } cases[] = {
    { -0.0037, -0.0115, 0.0041, 2140, 5000, "Undecided: about 1 200 samples to go" },
    { -0.0037, -0.0080, 0.0004, 2140, 5000, "Within tolerance, still counting" },
    { -0.0037, -0.0080, 0.0004, 5000, 5000, "Within tolerance" },
    { -0.05, -0.06, -0.04, 5000, 5000, "Beyond tolerance" },
    { -0.0097, -0.0115, 0.0041, 5000, 5000, "Undecided: tolerance likely met" },
    { -0.0105, -0.0125, -0.0085, 5000, 5000, "Undecided: tolerance likely missed" },
    { NAN, NAN, NAN, 5, 5000, "Counting: an interval from 20 samples on" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *words = pare_accuracy_sentence (cases[i].d, cases[i].low, cases[i].high, 0.01, cases[i].done, cases[i].all);
      g_auto (GStrv) parts = g_strsplit (words, "\xe2\x80\x89", -1);
      g_autofree char *plain = g_strjoinv (" ", parts);
      g_assert_cmpstr (plain, ==, cases[i].words);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (!gtk_init_check ())
    return 77;
  adw_init ();
  g_test_add_func ("/charts/accuracy", test_accuracy);
  g_test_add_func ("/charts/size", test_size);
  g_test_add_func ("/charts/latency", test_latency);
  g_test_add_func ("/charts/scatter", test_scatter);
  g_test_add_func ("/charts/histogram", test_histogram);
  g_test_add_func ("/charts/cells", test_cells);
  g_test_add_func ("/charts/save", test_save);
  g_test_add_func ("/charts/verdict", test_verdict);
  g_test_add_func ("/charts/lines", test_lines);
  return g_test_run ();
}
