#include "widgets/pare-histogram-view.h"
#include "widgets/pare-format.h"
#include "widgets/pare-scale.h"

#include <glib/gi18n.h>
#include <math.h>

#define MAX_BINS 72
#define LABELS 14

typedef struct
{
  double *counts;
  guint n;
  double low, high;
} Bins;

struct _PareHistogramView
{
  PareChart parent;
  Bins before, after;
  double clip;
  char *clip_label, *right, *left;
  int plot_height;
  gboolean single; /* light bars, grey beyond the clip, no axis labels */
};
G_DEFINE_FINAL_TYPE (PareHistogramView, pare_histogram_view, PARE_TYPE_CHART)

static void
set_bins (Bins *bins, const double *counts, guint n, double low, double high)
{
  g_free (bins->counts);
  gboolean usable = n > 0 && isfinite (low) && isfinite (high) && high > low;
  *bins = (Bins){ usable ? g_memdup2 (counts, n * sizeof *counts) : NULL, usable ? n : 0, low, high };
}

static gboolean
domain (PareHistogramView *self, double *low, double *high)
{
  *low = INFINITY;
  *high = -INFINITY;
  const Bins *all[] = { &self->before, &self->after };
  for (int i = 0; i < 2; i++)
    if (all[i]->n > 0)
      {
        *low = fmin (*low, all[i]->low);
        *high = fmax (*high, all[i]->high);
      }
  return *low < *high;
}

/* A spike at zero (pruned weights) may be cut: the rest must be seen. Twice the third largest of the bars is enough for everything else. */
static double
top_of (const double *a, const double *b, guint n, gboolean *cut)
{
  double first = 0, second = 0, third = 0;
  for (guint k = 0; k < 2 * n; k++)
    {
      double v = k < n ? a[k] : b[k - n];
      if (v > first)
        third = second, second = first, first = v;
      else if (v > second)
        third = second, second = v;
      else if (v > third)
        third = v;
    }
  *cut = third > 0 && first > 2 * third;
  return *cut ? 1.1 * fmax (third, fmin (second, 2 * third)) : fmax (first, 1e-300);
}

static double
label_height (PareHistogramView *self, double s)
{
  return self->single ? 2 : LABELS * s;
}

static void
draw (PareChart *chart, cairo_t *cr, const PareLook *look, double w, double h)
{
  PareHistogramView *self = PARE_HISTOGRAM_VIEW (chart);
  double s = look->scale, base = floor (h - label_height (self, s)), low, high, before[MAX_BINS], after[MAX_BINS];
  pare_draw_line (cr, &look->hatch, 1, 0, base + 0.5, w, base + 0.5);
  if (!domain (self, &low, &high))
    {
      pare_draw_text (cr, look, &look->second, PARE_CAPTION_PX, 0, 0, base / 2 + 4, w, _ ("Not computed yet"));
      return;
    }
  guint given = MAX (self->before.n, self->after.n), n = MIN (given, self->single ? MAX_BINS : 64u);
  pare_rebin (self->before.counts, self->before.n, self->before.low, self->before.high, before, n, low, high);
  pare_rebin (self->after.counts, self->after.n, self->after.low, self->after.high, after, n, low, high);
  gboolean cut = FALSE;
  double top = self->single ? 0 : top_of (before, after, n, &cut), bar = w / n;
  for (guint i = 0; self->single && i < n; i++)
    top = fmax (top, after[i]);
  top = fmax (top, 1e-300);
  double clip_x = isfinite (self->clip) ? (self->clip - low) / (high - low) * w : INFINITY;
  cairo_save (cr);
  cairo_rectangle (cr, 0, 0, w, base);
  cairo_clip (cr);
  for (guint i = 0; i < n; i++)
    if (after[i] > 0)
      {
        gboolean beyond = self->single && i * bar >= clip_x;
        double k = fmax (fmin (after[i] / top, 1.2) * base, 0.5);
        cairo_rectangle (cr, i * bar, base - k, fmax (bar - (self->single ? 0.8 : 0.6), 0.5), k);
        pare_draw_source (cr, beyond ? &look->hatch : self->single ? &look->tint : &look->mark, beyond ? 0.6 : self->single ? 0.75 : 0.85);
        cairo_fill (cr);
      }
  cairo_restore (cr);
  if (self->before.n > 0)
    {
      cairo_new_path (cr);
      cairo_move_to (cr, 0, base);
      for (guint i = 0; i < n; i++)
        {
          double y = base - fmin (before[i] / top, 1) * base;
          cairo_line_to (cr, i * bar, y);
          cairo_line_to (cr, (i + 1) * bar, y);
        }
      cairo_line_to (cr, w, base);
      pare_draw_source (cr, &look->fg, 1);
      cairo_set_line_width (cr, 1.2);
      cairo_stroke (cr);
    }
  if (isfinite (clip_x) && clip_x >= 0 && clip_x <= w)
    {
      pare_draw_dash (cr, 3, 2);
      pare_draw_line (cr, &look->fg, 1.2, clip_x, 0, clip_x, base);
      pare_draw_dash (cr, 0, 0);
      double lw = self->clip_label != NULL ? pare_draw_text_width (cr, look, PARE_TICK_PX, PARE_TEXT_BOLD, self->clip_label) : 0;
      gboolean left = clip_x - 5 - lw >= 0;
      pare_draw_text (cr, look, &look->fg, PARE_TICK_PX, (left ? PARE_TEXT_RIGHT : 0) | PARE_TEXT_BOLD | PARE_TEXT_HALO,
                      left ? clip_x - 5 : clip_x + 5, 9 * s, 0, self->clip_label);
    }
  double rw
      = pare_draw_text (cr, look, &look->fg, PARE_TICK_PX, PARE_TEXT_RIGHT | PARE_TEXT_BOLD | PARE_TEXT_HALO, w, 9 * s, 0, self->right);
  pare_draw_text (cr, look, &look->second, PARE_TICK_PX, PARE_TEXT_HALO, 0, 9 * s, fmax (w - rw - 6, 10), self->left);
  if (self->single)
    return;
  int decimals = CLAMP (2 - (int)floor (log10 (fmax (fabs (low), fabs (high)) * 1.000001)) - 1, 0, 6);
  g_autofree char *first = pare_format_number (low, decimals), *last = pare_format_number (high, decimals);
  double zero = low <= 0 && high >= 0 ? (0 - low) / (high - low) * w : NAN, y = base + 11 * s;
  double fw = pare_draw_text (cr, look, &look->second, PARE_TICK_PX, 0, 0, y, 0, first);
  double lw = pare_draw_text (cr, look, &look->second, PARE_TICK_PX, PARE_TEXT_RIGHT, w, y, 0, last);
  if (isfinite (zero) && zero > fw + 8 && zero < w - lw - 8)
    pare_draw_text (cr, look, &look->second, PARE_TICK_PX, PARE_TEXT_MIDDLE, zero, y, 0, "0");
}

static char *
describe (PareChart *chart)
{
  PareHistogramView *self = PARE_HISTOGRAM_VIEW (chart);
  const char *title = pare_chart_get_title (chart);
  double low, high;
  if (!domain (self, &low, &high))
    return g_strdup_printf (_ ("Histogram of %s: not computed yet."), title);
  g_autofree char *from = pare_format_number (low, 3), *to = pare_format_number (high, 3);
  GString *s = g_string_new (NULL);
  g_string_append_printf (s, _ ("Histogram of %s from %s to %s"), title, from, to);
  for (int i = 0; i < 3; i++)
    {
      const char *text = i == 0 ? self->right : i == 1 ? self->left : self->clip_label;
      if (text != NULL)
        g_string_append_printf (s, ", %s", text);
    }
  g_string_append_c (s, '.');
  return g_string_free (s, FALSE);
}

static void
table (PareChart *chart, GPtrArray *rows)
{
  PareHistogramView *self = PARE_HISTOGRAM_VIEW (chart);
  double low, high, before[MAX_BINS], after[MAX_BINS];
  pare_chart_row (rows, g_strdup ("from"), g_strdup ("to"), g_strdup ("before"), g_strdup ("after"), NULL);
  if (!domain (self, &low, &high))
    return;
  guint n = MIN (MAX (self->before.n, self->after.n), MAX_BINS);
  pare_rebin (self->before.counts, self->before.n, self->before.low, self->before.high, before, n, low, high);
  pare_rebin (self->after.counts, self->after.n, self->after.low, self->after.high, after, n, low, high);
  for (guint i = 0; i < n; i++)
    {
      char a[G_ASCII_DTOSTR_BUF_SIZE], b[G_ASCII_DTOSTR_BUF_SIZE];
      g_ascii_formatd (a, sizeof a, "%.6g", low + (high - low) * i / n);
      g_ascii_formatd (b, sizeof b, "%.6g", low + (high - low) * (i + 1) / n);
      pare_chart_row (rows, g_strdup (a), g_strdup (b), g_strdup_printf ("%.0f", before[i]), g_strdup_printf ("%.0f", after[i]), NULL);
    }
}

static void
measure_size (PareChart *chart, int *min_w, int *nat_w, int *min_h, int *nat_h)
{
  PareHistogramView *self = PARE_HISTOGRAM_VIEW (chart);
  PareLook look;
  pare_look_for_widget (&look, GTK_WIDGET (chart));
  *min_w = 120;
  *nat_w = 300;
  *min_h = *nat_h = (int)ceil (self->plot_height + label_height (self, look.scale));
}

static void
draw_hover (PareChart *chart, cairo_t *cr, const PareLook *look, double w, double h, double x, double y)
{
  PareHistogramView *self = PARE_HISTOGRAM_VIEW (chart);
  double low, high, before[MAX_BINS], after[MAX_BINS];
  if (x < 0 || x >= w || !domain (self, &low, &high))
    return;
  guint n = MIN (MAX (self->before.n, self->after.n), self->single ? MAX_BINS : 64u), i = (guint)CLAMP (x / w * n, 0, n - 1);
  pare_rebin (self->before.counts, self->before.n, self->before.low, self->before.high, before, n, low, high);
  pare_rebin (self->after.counts, self->after.n, self->after.low, self->after.high, after, n, low, high);
  double base = floor (h - label_height (self, look->scale)), bar = w / n;
  cairo_rectangle (cr, i * bar + 0.5, 0.5, fmax (bar - 1, 1), base - 1);
  pare_draw_source (cr, &look->mark, 1);
  cairo_set_line_width (cr, 1);
  cairo_stroke (cr);
  double step = (high - low) / n;
  int decimals = MIN (pare_scale_decimals (step) + 1, 6);
  g_autofree char *from = pare_format_number (low + i * step, decimals), *to = pare_format_number (low + (i + 1) * step, decimals);
  g_autofree char *range = g_strdup_printf (_ ("%s to %s"), from, to), *was = pare_format_number (before[i], 0),
                  *is = pare_format_number (after[i], 0);
  g_autofree char *line = self->before.n > 0 && self->after.n > 0 ? g_strdup_printf (_ ("%s, original %s"), is, was)
                                                                  : g_strdup (self->after.n > 0 ? is : was);
  const char *const lines[] = { range, line, NULL };
  pare_chart_draw_card (cr, look, w, h, x, y, lines);
}

static void
pare_histogram_view_finalize (GObject *object)
{
  PareHistogramView *self = PARE_HISTOGRAM_VIEW (object);
  g_free (self->before.counts);
  g_free (self->after.counts);
  g_free (self->clip_label);
  g_free (self->right);
  g_free (self->left);
  G_OBJECT_CLASS (pare_histogram_view_parent_class)->finalize (object);
}

static void
pare_histogram_view_class_init (PareHistogramViewClass *class)
{
  G_OBJECT_CLASS (class)->finalize = pare_histogram_view_finalize;
  PareChartClass *chart_class = PARE_CHART_CLASS (class);
  chart_class->draw = draw;
  chart_class->draw_hover = draw_hover;
  chart_class->describe = describe;
  chart_class->table = table;
  chart_class->measure_size = measure_size;
}

static void
pare_histogram_view_init (PareHistogramView *self)
{
  self->clip = NAN;
  self->plot_height = 72;
}

GtkWidget *
pare_histogram_view_new (const char *title)
{
  PareHistogramView *self = g_object_new (PARE_TYPE_HISTOGRAM_VIEW, NULL);
  pare_chart_set_title (PARE_CHART (self), title != NULL ? title : "values");
  return GTK_WIDGET (self);
}

void
pare_histogram_view_set_before (PareHistogramView *self, const double *counts, guint n, double low, double high)
{
  self->single = FALSE;
  set_bins (&self->before, counts, n, low, high);
  pare_chart_changed (PARE_CHART (self));
}

void
pare_histogram_view_set_after (PareHistogramView *self, const double *counts, guint n, double low, double high)
{
  self->single = FALSE;
  set_bins (&self->after, counts, n, low, high);
  pare_chart_changed (PARE_CHART (self));
}

void
pare_histogram_view_set_statistics (PareHistogramView *self, const PareHistogram *histogram)
{
  g_autofree double *counts = NULL;
  self->single = TRUE;
  set_bins (&self->before, NULL, 0, 0, 0);
  set_bins (&self->after, NULL, 0, 0, 0);
  if (histogram != NULL && histogram->count > 0 && isfinite (histogram->min) && isfinite (histogram->max))
    {
      /* The bins reach beyond what was seen, they grow by doubling: show what was seen. */
      double low = fmin (histogram->min, 0), high = fmax (histogram->max, 0), all[PARE_HISTOGRAM_BINS];
      for (guint i = 0; i < PARE_HISTOGRAM_BINS; i++)
        all[i] = (double)histogram->bins[i];
      if (!(high > low))
        high = low + 1;
      counts = g_new (double, MAX_BINS);
      pare_rebin (all, PARE_HISTOGRAM_BINS, histogram->bin_low, histogram->bin_low + histogram->bin_width * PARE_HISTOGRAM_BINS, counts,
                  MAX_BINS, low, high);
      set_bins (&self->after, counts, MAX_BINS, low, high);
    }
  gtk_widget_queue_resize (GTK_WIDGET (self));
  pare_chart_changed (PARE_CHART (self));
}

void
pare_histogram_view_count (const float *x, gsize n, double low, double high, double *counts, guint bins)
{
  for (guint i = 0; i < bins; i++)
    counts[i] = 0;
  if (bins == 0 || !(high > low) || !isfinite (high - low))
    return;
  double k = bins / (high - low);
  for (gsize i = 0; i < n; i++)
    if (x[i] >= low && x[i] <= high) /* false for NAN */
      counts[MIN ((guint)((x[i] - low) * k), bins - 1)]++;
}

void
pare_histogram_view_set_clip (PareHistogramView *self, double value, const char *label)
{
  self->clip = value;
  g_free (self->clip_label);
  self->clip_label = isfinite (value) ? g_strdup (label) : NULL;
  pare_chart_changed (PARE_CHART (self));
}

void
pare_histogram_view_set_texts (PareHistogramView *self, const char *right, const char *left)
{
  g_free (self->right);
  g_free (self->left);
  self->right = g_strdup (right);
  self->left = g_strdup (left);
  pare_chart_changed (PARE_CHART (self));
}

void
pare_histogram_view_set_plot_height (PareHistogramView *self, int height)
{
  self->plot_height = CLAMP (height, 10, 400);
  gtk_widget_queue_resize (GTK_WIDGET (self));
}
