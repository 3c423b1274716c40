#include "widgets/pare-accuracy-chart.h"
#include "widgets/pare-format.h"
#include "widgets/pare-scale.h"
#include "widgets/pare-verdict.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

struct _PareAccuracyChart
{
  PareChart parent;
  guint n;
  double *x, *d, *low, *high; /* differences in pp */
  PareAccuracyValue value;    /* metric: owned */
  char *metric, *message;
  gboolean has_value;
  guint all;
  double baseline, tolerance; /* fraction; pp */
  double reserved;            /* px at the end of the sentence's line, where something else stands */
  double held_low, held_high; /* of the scale, while the tolerance is dragged */
};
G_DEFINE_FINAL_TYPE (PareAccuracyChart, pare_accuracy_chart, PARE_TYPE_CHART)

static gboolean
is_agreement (PareAccuracyChart *self)
{
  return self->metric != NULL && strcmp (self->metric, "agreement") == 0;
}

static char *
sentence (PareAccuracyChart *self)
{
  const PareAccuracyValue *v = &self->value;
  if (self->message != NULL)
    return g_strdup (self->message);
  if (!self->has_value)
    return g_strdup (_ ("Choose data to measure"));
  if (is_agreement (self) && !isfinite (v->difference))
    return g_strdup (_ ("No labels: agreement with the original"));
  if (v->mark == PARE_MARK_STALE)
    return g_strdup (v->done < v->all ? _ ("Stale: of an earlier recipe, not counted to the end") : _ ("Stale: of an earlier recipe"));
  if (!isfinite (v->difference) && v->done >= v->all)
    {
      g_autofree char *all = pare_format_count (v->all);
      return g_strdup_printf (_ ("%s samples"), all);
    }
  return pare_accuracy_sentence (v->difference, v->difference_low, v->difference_high, self->tolerance / 100, v->done, v->all);
}

static char *
value_text (PareAccuracyChart *self)
{
  if (!self->has_value)
    return g_strdup (PARE_DASH);
  return self->metric != NULL && (strcmp (self->metric, "auc") == 0 || strcmp (self->metric, "map50") == 0)
             ? pare_format_number (self->value.value, 4)
             : pare_format_percent (self->value.value, 2);
}

static char *
change_text (PareAccuracyChart *self)
{
  const PareAccuracyValue *v = &self->value;
  if (!self->has_value)
    return NULL;
  if (isfinite (v->difference))
    return pare_format_pp_interval (v->difference, v->difference_low, v->difference_high, 2);
  if (!isfinite (v->low) || !isfinite (v->high))
    return NULL;
  g_autofree char *half = pare_format_number (fmax (v->value - v->low, v->high - v->value) * 100, 2);
  return g_strdup_printf ("± %s pp", half);
}

static PareVerdict
verdict (PareAccuracyChart *self)
{
  const PareAccuracyValue *v = &self->value;
  return !self->has_value || v->mark == PARE_MARK_STALE
             ? PARE_VERDICT_NONE
             : pare_verdict (v->difference_low, v->difference, v->difference_high, -self->tolerance / 100, FALSE);
}

/* --- drawing --- */

typedef struct
{
  PareScale x, y;
  double x0, x1, y0, y1; /* of the plot */
} Frame;

static void
make_frame (PareAccuracyChart *self, const PareLook *look, double w, double top, double bottom, Frame *f)
{
  double s = look->scale, tolerance = isfinite (self->tolerance) ? self->tolerance : 1;
  double low = -2.15 * tolerance, high = 1.15 * tolerance;
  const PareAccuracyValue *v = &self->value;
  double last_low = self->n > 0 ? self->low[self->n - 1] : NAN, last_high = self->n > 0 ? self->high[self->n - 1] : NAN;
  if (self->has_value && isfinite (v->difference_low) && isfinite (v->difference_high))
    {
      last_low = v->difference_low * 100;
      last_high = v->difference_high * 100;
    }
  /* The early band is wide and may be cut; where it has come to must be seen. */
  if (isfinite (last_low))
    low = fmin (low, last_low * 1.2);
  if (isfinite (last_high))
    high = fmax (high, last_high * 1.2);
  if (pare_chart_get_dragged (PARE_CHART (self)) >= 0)
    {
      low = self->held_low;
      high = self->held_high;
    }
  f->x0 = 30 * s;
  f->x1 = fmax (w - 4, f->x0 + 10);
  f->y0 = top + 10 * s;
  f->y1 = fmax (bottom - 16 * s, f->y0 + 10);
  /* Room above the zero line for the original's name, which would else lie on the headline. */
  double room = 20 * s / fmax (f->y1 - f->y0 - 20 * s, 20 * s);
  if (pare_chart_get_dragged (PARE_CHART (self)) < 0)
    high = fmax (high, -low * room);
  guint total = MAX (self->all, self->has_value ? v->all : 0);
  double last = self->n > 0 ? self->x[self->n - 1] : 0;
  pare_scale_init (&f->x, FALSE, 0, fmax (total, fmax (last, 1)), f->x0, f->x1);
  pare_scale_init (&f->y, FALSE, high, low, f->y0, f->y1);
}

static void
draw_grid (PareAccuracyChart *self, cairo_t *cr, const PareLook *look, const Frame *f)
{
  double ticks[16];
  guint n = pare_scale_ticks (&f->y, 22 * look->scale, 10, ticks, G_N_ELEMENTS (ticks));
  int decimals = n > 1 ? pare_scale_decimals (ticks[1] - ticks[0]) : 0;
  for (guint i = 0; i < n; i++)
    {
      double y = round (pare_scale_map (&f->y, ticks[i])) + 0.5;
      pare_draw_line (cr, &look->line, 1, f->x0, y, f->x1, y);
      g_autofree char *label = ticks[i] == 0 ? g_strdup ("0") : pare_format_signed (ticks[i], decimals);
      pare_draw_text (cr, look, &look->second, PARE_TICK_PX, PARE_TEXT_RIGHT, f->x0 - 4, y + 3.5 * look->scale, 0, label);
    }
  if (isfinite (self->tolerance))
    {
      double y = pare_scale_map (&f->y, -self->tolerance);
      pare_draw_forbidden (cr, look, f->x0, y, f->x1 - f->x0, f->y1 - y, 0.3);
    }
}

static void
draw_course (PareAccuracyChart *self, cairo_t *cr, const PareLook *look, const Frame *f)
{
  if (self->n == 0)
    return;
  gboolean stale = self->value.mark == PARE_MARK_STALE;
  const GdkRGBA *mark = stale ? &look->hatch : &look->mark, *fill = stale ? &look->hatch : &look->tint;
  /* One decimation for all three lines keeps the band closed; the band's own extremes lie near the mean's. */
  g_autofree guint *at = g_new (guint, self->n);
  guint n = pare_decimate (&f->x, self->x, self->d, self->n, at);
  cairo_new_path (cr);
  for (guint i = 0; i < n; i++)
    if (isfinite (self->high[at[i]]))
      cairo_line_to (cr, pare_scale_map (&f->x, self->x[at[i]]), pare_scale_map (&f->y, self->high[at[i]]));
  for (guint i = n; i-- > 0;)
    if (isfinite (self->low[at[i]]))
      cairo_line_to (cr, pare_scale_map (&f->x, self->x[at[i]]), pare_scale_map (&f->y, self->low[at[i]]));
  cairo_close_path (cr);
  pare_draw_source (cr, fill, stale ? 0.28 : 0.32);
  cairo_fill (cr);
  cairo_new_path (cr);
  for (guint i = 0; i < n; i++)
    if (isfinite (self->d[at[i]]))
      cairo_line_to (cr, pare_scale_map (&f->x, self->x[at[i]]), pare_scale_map (&f->y, self->d[at[i]]));
  pare_draw_source (cr, mark, 1);
  cairo_set_line_width (cr, 2);
  cairo_set_line_join (cr, CAIRO_LINE_JOIN_ROUND);
  if (stale)
    pare_draw_dash (cr, 2, 2);
  cairo_stroke (cr);
  pare_draw_dash (cr, 0, 0);
}

/* How wide the interval will be at `m` samples if nothing changes: the 1/sqrt law. */
static void
draw_forecast (PareAccuracyChart *self, cairo_t *cr, const PareLook *look, const Frame *f)
{
  guint last = self->n - 1;
  double now = self->x[last], d = self->d[last], up = self->high[last] - d, down = d - self->low[last], end = f->x.d1;
  if (!(now > 0 && end > now) || !isfinite (up) || !isfinite (down))
    return;
  enum
  {
    STEPS = 32
  };
  double px[STEPS + 1], hi[STEPS + 1], lo[STEPS + 1];
  for (int i = 0; i <= STEPS; i++)
    {
      double m = now + (end - now) * i / STEPS, k = sqrt (now / m);
      px[i] = pare_scale_map (&f->x, m);
      hi[i] = pare_scale_map (&f->y, d + up * k);
      lo[i] = pare_scale_map (&f->y, d - down * k);
    }
  cairo_new_path (cr);
  for (int i = 0; i <= STEPS; i++)
    cairo_line_to (cr, px[i], hi[i]);
  for (int i = STEPS; i >= 0; i--)
    cairo_line_to (cr, px[i], lo[i]);
  cairo_close_path (cr);
  cairo_pattern_t *fade = cairo_pattern_create_linear (px[0], 0, px[STEPS], 0);
  cairo_pattern_add_color_stop_rgba (fade, 0, look->tint.red, look->tint.green, look->tint.blue, 0.30);
  cairo_pattern_add_color_stop_rgba (fade, 1, look->tint.red, look->tint.green, look->tint.blue, 0.07);
  cairo_set_source (cr, fade);
  cairo_fill (cr);
  cairo_pattern_destroy (fade);
  for (int edge = 0; edge < 2; edge++)
    {
      cairo_new_path (cr);
      for (int i = 0; i <= STEPS; i++)
        cairo_line_to (cr, px[i], edge == 0 ? hi[i] : lo[i]);
      pare_draw_source (cr, &look->tint, 1);
      cairo_set_line_width (cr, 1);
      pare_draw_dash (cr, 3, 3);
      cairo_stroke (cr);
    }
  double y = pare_scale_map (&f->y, d);
  pare_draw_dash (cr, 2, 3);
  pare_draw_line (cr, &look->mark, 1.2, px[0], y, px[STEPS], y);
  pare_draw_dash (cr, 0, 0);
}

static void
draw_lines (PareAccuracyChart *self, cairo_t *cr, const PareLook *look, const Frame *f)
{
  double zero = round (pare_scale_map (&f->y, 0)) + 0.5;
  pare_draw_line (cr, &look->fg, 1, f->x0, zero, f->x1, zero);
  if (isfinite (self->tolerance))
    {
      double y = pare_scale_map (&f->y, -self->tolerance);
      pare_draw_dash (cr, 5, 3);
      pare_draw_line (cr, &look->worse, 1.3, f->x0, y, f->x1, y);
      pare_draw_dash (cr, 0, 0);
    }
}

static void
draw_labels (PareAccuracyChart *self, cairo_t *cr, const PareLook *look, const Frame *f, double bottom)
{
  double s = look->scale, zero = pare_scale_map (&f->y, 0);
  gboolean running = self->n > 0 && self->x[self->n - 1] < f->x.d1 && self->value.mark != PARE_MARK_STALE;
  if (isfinite (self->baseline))
    {
      g_autofree char *percent = pare_format_percent (self->baseline, 2), *label = g_strdup_printf (_ ("original %s"), percent);
      pare_draw_text (cr, look, &look->fg, PARE_TICK_PX, PARE_TEXT_RIGHT | PARE_TEXT_HALO, f->x1 - 2, zero - 12 * s, f->x1 - f->x0, label);
    }
  if (isfinite (self->tolerance))
    {
      g_autofree char *number = pare_format_number (-self->tolerance, pare_limit_decimals (self->tolerance)),
                      *label = g_strdup_printf (_ ("tolerance %s"), number);
      pare_draw_text (cr, look, &look->worse, PARE_TICK_PX, PARE_TEXT_RIGHT | PARE_TEXT_HALO, f->x1 - 2,
                      pare_scale_map (&f->y, -self->tolerance) + 12 * s, 0, label);
    }
  g_autofree char *all = pare_format_count ((gint64)f->x.d1), *all_label = g_strdup_printf (_ ("%s samples"), all);
  pare_draw_text (cr, look, &look->second, PARE_TICK_PX, PARE_TEXT_LEFT, f->x0, bottom - 3 * s, 0, "0");
  gboolean counted = self->all > 0 || self->has_value;
  double all_w = counted ? pare_draw_text (cr, look, &look->second, PARE_TICK_PX, PARE_TEXT_RIGHT, f->x1, bottom - 3 * s, 0, all_label) : 0;
  if (self->n == 0)
    return;
  double now = self->x[self->n - 1], x = pare_scale_map (&f->x, now), y = pare_scale_map (&f->y, self->d[self->n - 1]);
  if (running)
    {
      double column = round (x) + 0.5;
      pare_draw_dash (cr, 1, 2);
      pare_draw_line (cr, &look->second, 1, column, f->y0 - 4, column, f->y1);
      pare_draw_dash (cr, 0, 0);
      g_autofree char *count = pare_format_count ((gint64)now);
      double half = pare_draw_text_width (cr, look, PARE_TICK_PX, PARE_TEXT_BOLD, count) / 2;
      if (x - half > f->x0 + 10 && x + half < f->x1 - all_w - 6)
        pare_draw_text (cr, look, &look->fg, PARE_TICK_PX, PARE_TEXT_MIDDLE | PARE_TEXT_BOLD, x, bottom - 3 * s, 0, count);
      double word = pare_draw_text_width (cr, look, PARE_TICK_PX, 0, _ ("provisional"));
      if (x + 4 + word <= f->x1)
        pare_draw_text (cr, look, &look->second, PARE_TICK_PX, PARE_TEXT_HALO, x + 4, f->y0 + 9 * s, 0, _ ("provisional"));
      else
        pare_draw_text (cr, look, &look->second, PARE_TICK_PX, PARE_TEXT_HALO | PARE_TEXT_RIGHT, x - 4, f->y0 + 9 * s, 0,
                        _ ("provisional"));
    }
  guint last = self->n - 1;
  /* Counted to the end: the point carries its interval, also where the way to it is not known any more. */
  if (!running && isfinite (self->low[last]) && isfinite (self->high[last]))
    pare_draw_line (cr, self->value.mark == PARE_MARK_STALE ? &look->hatch : &look->second, 1, x,
                    CLAMP (pare_scale_map (&f->y, self->high[last]), f->y0, f->y1), x,
                    CLAMP (pare_scale_map (&f->y, self->low[last]), f->y0, f->y1));
  if (isfinite (y))
    {
      cairo_arc (cr, x, y, 3.5, 0, 2 * G_PI);
      pare_draw_source (cr, self->value.mark == PARE_MARK_STALE ? &look->hatch : &look->mark, 1);
      cairo_fill (cr);
    }
}

static void
plot_area (PareAccuracyChart *self, const PareLook *look, double h, double *top, double *bottom)
{
  *top = (pare_chart_get_compact (PARE_CHART (self)) ? 40 : 40) * look->scale;
  *bottom = h - (h > 150 * look->scale ? 15 * look->scale : 0);
}

static void
draw (PareChart *chart, cairo_t *cr, const PareLook *look, double w, double h)
{
  PareAccuracyChart *self = PARE_ACCURACY_CHART (chart);
  g_autofree char *value = value_text (self), *change = change_text (self), *words = sentence (self);
  PareVerdict v = verdict (self);
  double s = look->scale, top, bottom;
  plot_area (self, look, h, &top, &bottom);
  const GdkRGBA *colour = v == PARE_VERDICT_MISSED ? &look->worse : &look->fg;
  /* The headline keeps its full form in the narrow window; only the other charts share a card there. */
  gboolean stale = self->has_value && self->value.mark == PARE_MARK_STALE;
  const char *title = pare_chart_get_title (chart);
  g_autofree char *brief = title != NULL && pare_chart_get_compact (chart) ? g_strndup (title, strcspn (title, ",")) : NULL;
  pare_draw_text (cr, look, &look->second, PARE_CAPTION_PX, PARE_TEXT_BOLD, 0, 12 * s, w, brief != NULL ? brief : title);
  double cw
      = pare_draw_text (cr, look, stale ? &look->second : colour, PARE_CAPTION_PX, PARE_TEXT_BOLD | PARE_TEXT_RIGHT, w, 33 * s, 0, change);
  if (v == PARE_VERDICT_MISSED)
    pare_draw_icon_warning (cr, &look->worse, w - cw - 18 * s, 21 * s, 14 * s);
  pare_draw_text (cr, look, stale ? &look->second : colour, PARE_HEADLINE_PX, PARE_TEXT_BOLD, 0, 33 * s, fmax (w - cw - 22, 20), value);
  Frame f;
  make_frame (self, look, w, top, bottom, &f);
  draw_grid (self, cr, look, &f);
  cairo_save (cr);
  cairo_rectangle (cr, f.x0, f.y0 - 4, f.x1 - f.x0 + 4, f.y1 - f.y0 + 4);
  cairo_clip (cr);
  draw_course (self, cr, look, &f);
  if (self->n > 0 && self->value.mark != PARE_MARK_STALE)
    draw_forecast (self, cr, look, &f);
  draw_lines (self, cr, look, &f);
  cairo_restore (cr);
  draw_labels (self, cr, look, &f, bottom);
  if (bottom < h)
    pare_draw_text (cr, look, &look->second, PARE_CAPTION_PX, 0, 0, h - 3 * s, w - self->reserved, words);
}

static void
draw_hover (PareChart *chart, cairo_t *cr, const PareLook *look, double w, double h, double x, double y)
{
  PareAccuracyChart *self = PARE_ACCURACY_CHART (chart);
  double top, bottom;
  plot_area (self, look, h, &top, &bottom);
  Frame f;
  make_frame (self, look, w, top, bottom, &f);
  if (self->n == 0 || x < f.x0 || x > f.x1 || y < f.y0 || y > f.y1)
    return;
  double at = pare_scale_invert (&f.x, x);
  guint i = 0;
  while (i + 1 < self->n && self->x[i + 1] <= at)
    i++;
  double px = pare_scale_map (&f.x, self->x[i]), py = pare_scale_map (&f.y, self->d[i]);
  pare_draw_line (cr, &look->fg, 1, round (px) + 0.5, f.y0, round (px) + 0.5, f.y1);
  if (py >= f.y0 && py <= f.y1)
    {
      cairo_arc (cr, px, py, 4, 0, 2 * G_PI);
      pare_draw_source (cr, &look->fg, 1);
      cairo_set_line_width (cr, 1.3);
      cairo_stroke (cr);
    }
  g_autofree char *interval = pare_format_pp_interval (self->d[i] / 100, self->low[i] / 100, self->high[i] / 100, 2);
  g_autofree char *count = pare_format_count ((gint64)self->x[i]), *line = g_strdup_printf (_ ("after %s samples"), count);
  const char *const lines[] = { interval, line, NULL };
  pare_chart_draw_card (cr, look, w, h, px, y, lines);
}

/* --- dragging the tolerance --- */

static void
current_frame (PareAccuracyChart *self, Frame *f)
{
  PareLook look;
  double top, bottom;
  pare_look_for_widget (&look, GTK_WIDGET (self));
  plot_area (self, &look, gtk_widget_get_height (GTK_WIDGET (self)), &top, &bottom);
  make_frame (self, &look, gtk_widget_get_width (GTK_WIDGET (self)), top, bottom, f);
}

static int
limit_at (PareChart *chart, double x, double y)
{
  PareAccuracyChart *self = PARE_ACCURACY_CHART (chart);
  Frame f;
  if (!isfinite (self->tolerance))
    return -1;
  current_frame (self, &f);
  return x >= f.x0 && x <= f.x1 && fabs (pare_scale_map (&f.y, -self->tolerance) - y) <= PARE_CHART_LINE_REACH ? PARE_LIMIT_KIND_TOLERANCE
                                                                                                               : -1;
}

static double
limit_value (PareChart *chart, PareLimitKind kind, double x, double y)
{
  PareAccuracyChart *self = PARE_ACCURACY_CHART (chart);
  Frame f;
  current_frame (self, &f);
  return fmax (-pare_scale_invert (&f.y, CLAMP (y, f.y0, f.y1)), 0);
}

static void
limit_begin (PareChart *chart, PareLimitKind kind)
{
  PareAccuracyChart *self = PARE_ACCURACY_CHART (chart);
  Frame f;
  current_frame (self, &f);
  self->held_high = f.y.d0;
  self->held_low = f.y.d1;
}

static void
limit_moved (PareChart *chart, PareLimitKind kind, double value)
{
  pare_accuracy_chart_set_tolerance (PARE_ACCURACY_CHART (chart), value);
}

static char *
describe (PareChart *chart)
{
  PareAccuracyChart *self = PARE_ACCURACY_CHART (chart);
  g_autofree char *words = sentence (self);
  if (!self->has_value)
    return g_strdup_printf (_ ("Accuracy: not measured. %s."), words);
  g_autofree char *value = value_text (self), *change = change_text (self), *original = pare_format_percent (self->baseline, 2);
  g_autofree char *done = pare_format_count (self->value.done), *all = pare_format_count (self->value.all);
  return g_strdup_printf (_ ("%s %s, %s against the original's %s, on %s of %s samples%s%s."),
                          is_agreement (self) ? _ ("Agreement") : _ ("Accuracy"), value, change != NULL ? change : _ ("not compared"),
                          original, done, all, *words ? ": " : "", words);
}

static char *
plain (double v)
{
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];
  return isfinite (v) ? g_strdup (g_ascii_formatd (buffer, sizeof buffer, "%.6g", v)) : g_strdup ("");
}

static void
table (PareChart *chart, GPtrArray *rows)
{
  PareAccuracyChart *self = PARE_ACCURACY_CHART (chart);
  pare_chart_row (rows, g_strdup (_ ("samples")), g_strdup (_ ("difference, pp")), g_strdup (_ ("low")), g_strdup (_ ("high")), NULL);
  for (guint i = 0; i < self->n; i++)
    pare_chart_row (rows, plain (self->x[i]), plain (self->d[i]), plain (self->low[i]), plain (self->high[i]), NULL);
}

static void
measure_size (PareChart *chart, int *min_w, int *nat_w, int *min_h, int *nat_h)
{
  *min_w = 180;
  *nat_w = 254;
  *min_h = 120;
  *nat_h = 182;
}

static void
free_points (PareAccuracyChart *self)
{
  g_clear_pointer (&self->x, g_free);
  g_clear_pointer (&self->d, g_free);
  g_clear_pointer (&self->low, g_free);
  g_clear_pointer (&self->high, g_free);
  self->n = 0;
}

static void
pare_accuracy_chart_finalize (GObject *object)
{
  PareAccuracyChart *self = PARE_ACCURACY_CHART (object);
  free_points (self);
  g_free (self->metric);
  g_free (self->message);
  G_OBJECT_CLASS (pare_accuracy_chart_parent_class)->finalize (object);
}

static void
pare_accuracy_chart_class_init (PareAccuracyChartClass *class)
{
  G_OBJECT_CLASS (class)->finalize = pare_accuracy_chart_finalize;
  PareChartClass *chart_class = PARE_CHART_CLASS (class);
  chart_class->draw = draw;
  chart_class->draw_hover = draw_hover;
  chart_class->describe = describe;
  chart_class->table = table;
  chart_class->measure_size = measure_size;
  chart_class->limit_at = limit_at;
  chart_class->limit_value = limit_value;
  chart_class->limit_begin = limit_begin;
  chart_class->limit_moved = limit_moved;
}

static void
pare_accuracy_chart_init (PareAccuracyChart *self)
{
  self->baseline = NAN;
  self->tolerance = NAN;
  pare_chart_set_title (PARE_CHART (self), _ ("Accuracy, paired on the same samples"));
}

GtkWidget *
pare_accuracy_chart_new (void)
{
  return g_object_new (PARE_TYPE_ACCURACY_CHART, NULL);
}

static double *
copy_pp (const double *v, guint n, double factor)
{
  double *out = g_new (double, MAX (n, 1));
  for (guint i = 0; i < n; i++)
    out[i] = v[i] * factor;
  return out;
}

void
pare_accuracy_chart_set_points (PareAccuracyChart *self, guint n, const double *x, const double *d, const double *low, const double *high)
{
  free_points (self);
  self->n = n;
  self->x = copy_pp (x, n, 1);
  self->d = copy_pp (d, n, 100);
  self->low = copy_pp (low, n, 100);
  self->high = copy_pp (high, n, 100);
  pare_chart_changed (PARE_CHART (self));
}

void
pare_accuracy_chart_set_value (PareAccuracyChart *self, const PareAccuracyValue *value)
{
  g_clear_pointer (&self->metric, g_free);
  self->has_value = value != NULL;
  self->value = value != NULL ? *value : (PareAccuracyValue){ .value = NAN, .difference = NAN };
  if (value != NULL)
    self->metric = g_strdup (value->metric);
  self->value.metric = NULL;
  pare_chart_changed (PARE_CHART (self));
}

void
pare_accuracy_chart_set_total (PareAccuracyChart *self, guint all)
{
  self->all = all;
  pare_chart_changed (PARE_CHART (self));
}

void
pare_accuracy_chart_set_baseline (PareAccuracyChart *self, double value)
{
  self->baseline = value;
  pare_chart_changed (PARE_CHART (self));
}

void
pare_accuracy_chart_set_tolerance (PareAccuracyChart *self, double pp)
{
  self->tolerance = fabs (pp);
  pare_chart_changed (PARE_CHART (self));
}

void
pare_accuracy_chart_set_message (PareAccuracyChart *self, const char *message)
{
  g_free (self->message);
  self->message = g_strdup (message);
  pare_chart_changed (PARE_CHART (self));
}

void
pare_accuracy_chart_set_reserved (PareAccuracyChart *self, int width)
{
  self->reserved = MAX (width, 0);
  pare_chart_changed (PARE_CHART (self));
}
