/* Every chart, knob and cell with made-up figures, laid out as in the design pictures: to look at, not a test.
 *   demo-charts [--narrow] */
#include "widgets/pare-accuracy-chart.h"
#include "widgets/pare-bar-cell.h"
#include "widgets/pare-bits-knob.h"
#include "widgets/pare-curve-knob.h"
#include "widgets/pare-delta-cell.h"
#include "widgets/pare-format.h"
#include "widgets/pare-heat-cell.h"
#include "widgets/pare-histogram-view.h"
#include "widgets/pare-job-button.h"
#include "widgets/pare-latency-chart.h"
#include "widgets/pare-op-dot.h"
#include "widgets/pare-scatter-chart.h"
#include "widgets/pare-size-chart.h"
#include "widgets/pare-spectrum-knob.h"

#include <adwaita.h>
#include <math.h>
#include <string.h>

static gboolean narrow;

static GtkWidget *
accuracy (void)
{
  GtkWidget *w = pare_accuracy_chart_new ();
  PareAccuracyChart *c = PARE_ACCURACY_CHART (w);
  double x[200], d[200], low[200], high[200];
  guint n = 0;
  for (int m = 180; m <= 2140; m += 20, n++)
    {
      double q = 0.004 * m + 1, half = 0.1184 * sqrt (2 * q / (m * m * 0.004) * log (sqrt (q) / 0.05));
      double mean = (-0.37 + 0.9 * exp (-m / 420.0) * sin (m / 130.0) + 0.12 * sin (m / 310.0) * exp (-m / 1600.0)) / 100;
      x[n] = m;
      d[n] = mean;
      low[n] = mean - half;
      high[n] = mean + half;
    }
  pare_accuracy_chart_set_baseline (c, 0.9178);
  pare_accuracy_chart_set_tolerance (c, 1);
  pare_accuracy_chart_set_points (c, n, x, d, low, high);
  pare_accuracy_chart_set_value (
      c, &(PareAccuracyValue){ "top1", 0.9141, 0.9, 0.93, -0.0037, -0.0115, 0.0041, 2140, 5000, PARE_MARK_PROVISIONAL });
  if (narrow)
    pare_chart_set_title (PARE_CHART (c), "Accuracy");
  return w;
}

static GtkWidget *
size (void)
{
  GtkWidget *w = pare_size_chart_new ();
  const PareSizePart parts[] = { { "Stage 1", 57.4 * 1024, 11.1 * 1024 },
                                 { "Stage 2", 198 * 1024, 25.9 * 1024 },
                                 { "Stage 3", 792 * 1024, 79.3 * 1024 },
                                 { "Head", 2.5 * 1024, 0.6 * 1024 },
                                 { "Scales, bias, graph", 9.1 * 1024, 8.9 * 1024 } };
  pare_size_chart_set_parts (PARE_SIZE_CHART (w), parts, G_N_ELEMENTS (parts));
  pare_size_chart_set_budget (PARE_SIZE_CHART (w), 160 * 1024);
  pare_size_chart_set_files (PARE_SIZE_CHART (w), 139 * 1024, 117 * 1024);
  return w;
}

static GtkWidget *
latency (void)
{
  GtkWidget *w = pare_latency_chart_new ();
  pare_latency_chart_set_bars (PARE_LATENCY_CHART (w), &(PareLatencyBar){ PARE_MARK_PREDICTED, 1.94, 1.80, 2.08, 0 },
                               &(PareLatencyBar){ PARE_MARK_STALE, 1.88, NAN, NAN, 3 },
                               &(PareLatencyBar){ PARE_MARK_MEASURED, 4.83, 4.74, 4.97, 0 });
  pare_latency_chart_set_budget (PARE_LATENCY_CHART (w), 2);
  pare_latency_chart_set_message (PARE_LATENCY_CHART (w), "4 bits save size, not time, here");
  pare_chart_set_title (PARE_CHART (w), "Latency, bench-pi5");
  return w;
}

static void
on_hover (PareScatterChart *chart, gint64 id, gpointer data)
{
  g_print ("hover %" G_GINT64_FORMAT "\n", id);
}

static GtkWidget *
scatter (gboolean large)
{
  static const double m[][3] = { { 1059, 91.74, 0.5 }, { 276, 91.70, 0.3 }, { 203, 91.58, 0.35 }, { 145.5, 91.52, 0.4 },
                                 { 134, 91.46, 0.42 }, { 142, 90.7, 0.5 },  { 116, 90.38, 0.6 },  { 98, 89.3, 0.65 } };
  static const double q[][2] = { { 240, 91.1 }, { 131, 91.0 }, { 108, 90.1 }, { 104, 89.9 }, { 88, 89.0 },
                                 { 150, 90.3 }, { 176, 90.7 }, { 122, 89.7 }, { 190, 91.3 } };
  PareScatterPoint p[32];
  guint n = 0;
  for (guint i = 0; i < G_N_ELEMENTS (m); i++)
    p[n++] = (PareScatterPoint){ .id = i + 1,
                                 .x = m[i][0] * 1024,
                                 .y = m[i][1] / 100,
                                 .low = (m[i][1] - m[i][2]) / 100,
                                 .high = (m[i][1] + m[i][2]) / 100,
                                 .label = "Stage 3: 4 bits, GPTQ",
                                 .mark = PARE_MARK_MEASURED,
                                 .is_original = i == 0 };
  for (guint i = 0; i < G_N_ELEMENTS (q); i++)
    p[n++] = (PareScatterPoint){ .id = 100 + i,
                                 .x = q[i][0] * 1024,
                                 .y = q[i][1] / 100,
                                 .low = NAN,
                                 .high = NAN,
                                 .label = "Search: smallest in 1.0 pp",
                                 .mark = i % 3 == 1 && large ? PARE_MARK_PREDICTED : PARE_MARK_NONE };
  p[n++] = (PareScatterPoint){ .id = 50,
                               .x = 126 * 1024,
                               .y = 0.9141,
                               .low = 0.9063,
                               .high = 0.9219,
                               .label = "Conv_57: 12 % channels",
                               .mark = PARE_MARK_PROVISIONAL,
                               .current = TRUE };
  if (large)
    p[3].tag = 'A';
  GtkWidget *w = pare_scatter_chart_new ();
  pare_scatter_chart_set_points (PARE_SCATTER_CHART (w), p, n);
  pare_scatter_chart_set_budget (PARE_SCATTER_CHART (w), 160 * 1024);
  if (large)
    {
      pare_scatter_chart_set_large (PARE_SCATTER_CHART (w), TRUE, "top-1 on 5 000 samples, 95 % interval");
      pare_scatter_chart_set_tolerance (PARE_SCATTER_CHART (w), 0.9174, 1);
      pare_scatter_chart_set_hover (PARE_SCATTER_CHART (w), 108);
    }
  g_signal_connect (w, "point-hover", G_CALLBACK (on_hover), NULL);
  return w;
}

static GtkWidget *
label (const char *text, gboolean bold, gboolean second)
{
  GtkWidget *l = gtk_label_new (text);
  PangoAttrList *attributes = pango_attr_list_new ();
  pango_attr_list_insert (attributes, pango_attr_size_new (9 * PANGO_SCALE));
  pango_attr_list_insert (attributes, pango_attr_weight_new (bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL));
  pango_attr_list_insert (attributes, pango_attr_foreground_alpha_new (second ? 49152 : 65535));
  gtk_label_set_attributes (GTK_LABEL (l), attributes);
  pango_attr_list_unref (attributes);
  gtk_label_set_xalign (GTK_LABEL (l), 0);
  return l;
}

static GtkWidget *
row (const char *title, GtkWidget *end)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6), *l = label (title, TRUE, FALSE);
  gtk_widget_set_hexpand (l, TRUE);
  gtk_box_append (GTK_BOX (box), l);
  gtk_box_append (GTK_BOX (box), end);
  return box;
}

static void
on_changed (GtkWidget *knob, double v, gboolean final)
{
  g_print ("changed %g %d\n", v, final);
}

static GtkWidget *
inspector (void)
{
  static const double sv[] = { 3.31, 3.13, 3.07, 3.02, 2.99, 2.96, 2.91, 2.88, 2.81, 2.71, 2.7,  2.68, 2.65, 2.62, 2.57, 2.52,
                               2.48, 2.43, 2.42, 2.38, 2.34, 2.31, 2.3,  2.27, 2.24, 2.19, 2.18, 2.13, 2.1,  2.06, 2.04, 2.03,
                               1.97, 1.96, 1.93, 1.9,  1.86, 1.81, 1.8,  1.8,  1.78, 1.77, 1.72, 1.7,  1.69, 1.67, 1.64, 1.63,
                               1.6,  1.55, 1.54, 1.52, 1.52, 1.49, 1.46, 1.43, 1.42, 1.41, 1.35, 1.29, 1.27, 0.02, 0.02, 0.02 };
  static const double h0[]
      = { 39,  52,  55,   61,   71,   78,   136,  147,  180,  187,  217,  316,  320,  398,  439,  493, 552, 642, 690, 770, 824, 858,
          934, 944, 1055, 1078, 1088, 1093, 1182, 1196, 1187, 2314, 2216, 1144, 1086, 1030, 1021, 917, 889, 919, 748, 750, 711, 651,
          576, 518, 453,  418,  396,  339,  314,  278,  239,  205,  197,  164,  123,  135,  108,  93,  78,  72,  65,  45 };
  static const double h1[]
      = { 34,   41,   28,  46,  78,   101,  128, 127, 70,  179, 299,  275, 207, 207, 381,  459,  537, 438, 584, 503, 210, 1071,
          1061, 1021, 0,   0,   1713, 2449, 0,   0,   0,   0,   4679, 0,   0,   0,   2133, 1515, 0,   0,   827, 907, 899, 171,
          353,  478,  324, 416, 338,  295,  189, 173, 203, 286, 137,  79,  115, 135, 107,  87,   74,  54,  71,  51 };
  const double errors[] = { 0.165, 0.046, 0.0136, 0.0039, 0.001, 0.00025, 0.00006, 1e-7, 0 };
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, narrow ? 6 : 8);
  g_object_set (box, "margin-start", 12, "margin-end", 12, "margin-top", 8, NULL);
  GtkWidget *head = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6), *stripe = pare_op_dot_new ();
  pare_op_dot_set (PARE_OP_DOT (stripe), "Conv", FALSE);
  gtk_widget_set_size_request (stripe, 12, 36);
  gtk_box_append (GTK_BOX (head), stripe);
  gtk_box_append (GTK_BOX (head), gtk_label_new ("Conv_57"));
  gtk_box_append (GTK_BOX (box), head);

  GtkWidget *weights = pare_bits_knob_new ("Weight bits");
  pare_bits_knob_set_errors (PARE_BITS_KNOB (weights), errors);
  pare_bits_knob_set_values (PARE_BITS_KNOB (weights), (int[]){ 4 }, 1);
  gtk_box_append (GTK_BOX (box), row ("Weight bits", label ("layer error 1.4 %", FALSE, TRUE)));
  gtk_box_append (GTK_BOX (box), weights);
  GtkWidget *activations = pare_bits_knob_new ("Activation bits");
  pare_bits_knob_set_values (PARE_BITS_KNOB (activations), (int[]){ 8, 4 }, 2);
  gtk_box_append (GTK_BOX (box), row ("Activation bits", label ("mixed", FALSE, TRUE)));
  gtk_box_append (GTK_BOX (box), activations);

  GtkWidget *prune = pare_curve_knob_new ("Prune");
  double x[61], e[61], steps[9];
  for (int i = 0; i <= 60; i++)
    {
      double r = x[i] = i / 60.0;
      e[i] = r * 0.9 < 0.047 ? 0 : pow ((r * 0.9 - 0.047) / 0.953, 2.3);
    }
  for (int i = 0; i < 9; i++)
    steps[i] = i / 8.0;
  pare_curve_knob_set_curve (PARE_CURVE_KNOB (prune), x, e, 61, 0.047);
  pare_curve_knob_set_steps (PARE_CURVE_KNOB (prune), steps, 8);
  pare_curve_knob_set_values (PARE_CURVE_KNOB (prune), (double[]){ 0.125 }, 1);
  pare_curve_knob_set_texts (PARE_CURVE_KNOB (prune), "56 of 64 kept · 3 were dead already", "error 4.1 %, was 11.8 % before repair");
  g_signal_connect (prune, "changed", G_CALLBACK (on_changed), NULL);
  gtk_box_append (GTK_BOX (box), row ("Prune", pare_curve_knob_get_spin (PARE_CURVE_KNOB (prune))));
  gtk_box_append (GTK_BOX (box), prune);

  GtkWidget *rank = pare_spectrum_knob_new ("Rank");
  pare_spectrum_knob_set_values (PARE_SPECTRUM_KNOB (rank), sv, G_N_ELEMENTS (sv));
  gtk_box_append (GTK_BOX (box), row ("Factorize", label ("flat spectrum: little to gain", FALSE, TRUE)));
  gtk_box_append (GTK_BOX (box), rank);
  if (!narrow)
    {
      GtkWidget *rank2 = pare_spectrum_knob_new ("Rank");
      pare_spectrum_knob_set_values (PARE_SPECTRUM_KNOB (rank2), sv, G_N_ELEMENTS (sv));
      pare_spectrum_knob_set_rank (PARE_SPECTRUM_KNOB (rank2), 24, 48);
      gtk_box_append (GTK_BOX (box), row ("Factorize on", label ("rank 24", FALSE, TRUE)));
      gtk_box_append (GTK_BOX (box), rank2);
    }
  GtkWidget *histogram = pare_histogram_view_new ("weights");
  pare_histogram_view_set_before (PARE_HISTOGRAM_VIEW (histogram), h0, 64, -0.24, 0.24);
  pare_histogram_view_set_after (PARE_HISTOGRAM_VIEW (histogram), h1, 64, -0.24, 0.24);
  pare_histogram_view_set_texts (PARE_HISTOGRAM_VIEW (histogram), "SNR 18.7 dB", "4 679 at zero, cut");
  pare_histogram_view_set_plot_height (PARE_HISTOGRAM_VIEW (histogram), narrow ? 46 : 72);
  gtk_box_append (GTK_BOX (box), row ("Weights", label ("4 bits", FALSE, TRUE)));
  gtk_box_append (GTK_BOX (box), histogram);
  static PareHistogram seen;
  seen = (PareHistogram){ .min = 0, .max = 3, .count = 100000, .bin_low = 0, .bin_width = 4.0 / PARE_HISTOGRAM_BINS };
  for (int i = 0; i < PARE_HISTOGRAM_BINS; i++)
    seen.bins[i] = i < 1536 ? (guint64)(100000 * exp (-i / 300.0)) : 0;
  GtkWidget *act = pare_histogram_view_new ("input activations");
  pare_histogram_view_set_plot_height (PARE_HISTOGRAM_VIEW (act), 26);
  pare_histogram_view_set_statistics (PARE_HISTOGRAM_VIEW (act), &seen);
  pare_histogram_view_set_clip (PARE_HISTOGRAM_VIEW (act), 2.41, "clip 2.41 · 0.3 % of values");
  gtk_box_append (GTK_BOX (box), row ("Input activations", label ("8 bits, unsigned", FALSE, TRUE)));
  gtk_box_append (GTK_BOX (box), act);
  gtk_widget_set_size_request (box, narrow ? 280 : 300, -1);
  return box;
}

static GtkWidget *
cells (void)
{
  static const struct
  {
    const char *name, *op;
    double was, now, loss;
  } rows[] = { { "Conv_1", "Conv", 1.7, 0.4, 0.02 }, { "Stage 2", "Conv", 198, 25.9, 0.08 },    { "Conv_57", "Conv", 144, 15.8, 0.14 },
               { "Add_62", "Add", 0, 0, 0 },         { "Stage 3", "MaxPool", 792, 79.3, 0.37 }, { "Gemm_73", "Gemm", 2.5, 0.6, NAN } };
  GtkWidget *grid = gtk_grid_new ();
  gtk_grid_set_row_spacing (GTK_GRID (grid), 6);
  gtk_grid_set_column_spacing (GTK_GRID (grid), 6);
  g_object_set (grid, "margin-start", 8, "margin-end", 8, "margin-top", 8, NULL);
  for (int i = 0; i < (int)G_N_ELEMENTS (rows); i++)
    {
      GtkWidget *dot = pare_op_dot_new (), *bar = pare_bar_cell_new (), *heat = pare_heat_cell_new (), *delta = pare_delta_cell_new ();
      g_autofree char *loss = isfinite (rows[i].loss) ? pare_format_number (rows[i].loss, 2) : NULL;
      pare_op_dot_set (PARE_OP_DOT (dot), rows[i].op, FALSE);
      pare_bar_cell_set (PARE_BAR_CELL (bar), rows[i].was * 1024, rows[i].now * 1024, 792 * 1024);
      pare_heat_cell_set (PARE_HEAT_CELL (heat), loss, rows[i].loss / 0.16, NULL, FALSE);
      pare_delta_cell_set (PARE_DELTA_CELL (delta), i % 2 ? rows[i].loss : -rows[i].loss * 20, 8, 2, FALSE, "KiB");
      g_autofree char *kib = pare_format_kib (rows[i].now * 1024);
      GtkWidget *all[] = { dot, label (rows[i].name, FALSE, FALSE), bar, label (kib, FALSE, FALSE), heat, delta };
      for (int c = 0; c < 6; c++)
        gtk_grid_attach (GTK_GRID (grid), all[c], c, i, 1, 1);
    }
  return grid;
}

static GtkWidget *
card (GtkWidget *child, int width)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  g_object_set (box, "margin-start", 12, "margin-end", 12, "margin-top", 6, NULL);
  gtk_widget_set_vexpand (child, TRUE);
  gtk_widget_set_size_request (child, width - 24, -1);
  gtk_box_append (GTK_BOX (box), child);
  return box;
}

static void
activate (GtkApplication *app)
{
  g_object_set (gtk_settings_get_default (), "gtk-font-name", "Cantarell 11", NULL);
  GtkWidget *window = adw_application_window_new (app), *all = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0), *bar = adw_header_bar_new ();
  GtkWidget *job = pare_job_button_new (), *job2 = pare_job_button_new ();
  pare_job_button_set_job (PARE_JOB_BUTTON (job), "Evaluating", 2140, 5000, TRUE);
  pare_job_button_set_narrow (PARE_JOB_BUTTON (job2), TRUE);
  pare_job_button_set_job (PARE_JOB_BUTTON (job2), "Evaluating", 2140, 5000, TRUE);
  adw_header_bar_pack_end (ADW_HEADER_BAR (bar), job);
  adw_header_bar_pack_end (ADW_HEADER_BAR (bar), job2);
  gtk_box_append (GTK_BOX (all), bar);
  GtkWidget *main_row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0), *left = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0),
            *top = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0);
  GtkWidget *large = scatter (TRUE), *dock = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0);
  gtk_widget_set_hexpand (left, TRUE);
  gtk_widget_set_vexpand (top, TRUE);
  gtk_widget_set_hexpand (large, TRUE);
  if (!narrow)
    gtk_box_append (GTK_BOX (top), cells ());
  gtk_box_append (GTK_BOX (top), large);
  gtk_box_append (GTK_BOX (left), top);
  gtk_box_append (GTK_BOX (left), gtk_separator_new (GTK_ORIENTATION_HORIZONTAL));
  gtk_widget_set_vexpand (dock, FALSE);
  gtk_widget_set_size_request (dock, -1, narrow ? 182 : 192);
  gtk_box_append (GTK_BOX (dock), card (accuracy (), narrow ? 262 : 278));
  gtk_box_append (GTK_BOX (dock), gtk_separator_new (GTK_ORIENTATION_VERTICAL));
  if (narrow)
    {
      GtkWidget *pair = gtk_box_new (GTK_ORIENTATION_VERTICAL, 3), *s = size (), *l = latency ();
      pare_chart_set_compact (PARE_CHART (s), TRUE);
      pare_chart_set_compact (PARE_CHART (l), TRUE);
      pare_chart_set_title (PARE_CHART (s), "Size");
      pare_chart_set_title (PARE_CHART (l), "Latency");
      gtk_box_append (GTK_BOX (pair), s);
      gtk_box_append (GTK_BOX (pair), l);
      gtk_box_append (GTK_BOX (dock), card (pair, 196));
    }
  else
    {
      gtk_box_append (GTK_BOX (dock), card (size (), 166));
      gtk_box_append (GTK_BOX (dock), gtk_separator_new (GTK_ORIENTATION_VERTICAL));
      gtk_box_append (GTK_BOX (dock), card (latency (), 194));
    }
  gtk_box_append (GTK_BOX (dock), gtk_separator_new (GTK_ORIENTATION_VERTICAL));
  GtkWidget *last = card (scatter (FALSE), narrow ? 262 : 318);
  gtk_widget_set_hexpand (last, TRUE);
  gtk_box_append (GTK_BOX (dock), last);
  gtk_widget_add_css_class (left, "view");
  gtk_box_append (GTK_BOX (left), dock);
  gtk_box_append (GTK_BOX (main_row), left);
  gtk_box_append (GTK_BOX (main_row), gtk_separator_new (GTK_ORIENTATION_VERTICAL));
  gtk_box_append (GTK_BOX (main_row), inspector ());
  gtk_widget_set_vexpand (main_row, TRUE);
  gtk_box_append (GTK_BOX (all), main_row);
  adw_application_window_set_content (ADW_APPLICATION_WINDOW (window), all);
  gtk_window_set_default_size (GTK_WINDOW (window), narrow ? 1024 : 1280, narrow ? 700 : 800);
  gtk_window_present (GTK_WINDOW (window));
}

int
main (int argc, char **argv)
{
  narrow = argc > 1 && strcmp (argv[1], "--narrow") == 0;
  g_autoptr (AdwApplication) app = adw_application_new (NULL, G_APPLICATION_NON_UNIQUE);
  g_signal_connect (app, "activate", G_CALLBACK (activate), NULL);
  return g_application_run (G_APPLICATION (app), 1, argv);
}
