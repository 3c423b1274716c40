/* PareHistogramView: weights before (outline) and after (bars), or activations with the clip line. A chart: saves, copies, reads as a
 * table. */
#pragma once
#include "engine/compress/pare-statistics.h"
#include "widgets/pare-chart.h"

G_BEGIN_DECLS
#define PARE_TYPE_HISTOGRAM_VIEW (pare_histogram_view_get_type ())
G_DECLARE_FINAL_TYPE (PareHistogramView, pare_histogram_view, PARE, HISTOGRAM_VIEW, PareChart)

GtkWidget *pare_histogram_view_new (const char *title);
/* Counts of n equal bins over low..high; copied. before: outline, after: bars. Either nullable (n == 0). */
void pare_histogram_view_set_before (PareHistogramView *self, const double *counts, guint n, double low, double high);
void pare_histogram_view_set_after (PareHistogramView *self, const double *counts, guint n, double low, double high);
/* Single form: what calibration saw. NULL: nothing yet. */
void pare_histogram_view_set_statistics (PareHistogramView *self, const PareHistogram *histogram);
/* Bins of float weights, ready for set_before and set_after. Values that are not finite are left out. */
void pare_histogram_view_count (const float *x, gsize n, double low, double high, double *counts, guint bins);
/* A dashed line at `value` with its label ("clip 2.41 · 0.3 % of values"); NAN: none. */
void pare_histogram_view_set_clip (PareHistogramView *self, double value, const char *label);
/* Bold text top right ("SNR 18.7 dB") and second text top left; nullable. */
void pare_histogram_view_set_texts (PareHistogramView *self, const char *right, const char *left);
/* Height of the plot without labels: 72 for weights, 26 for activations, 46 narrow. */
void pare_histogram_view_set_plot_height (PareHistogramView *self, int height);
G_END_DECLS
