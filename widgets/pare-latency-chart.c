#include "widgets/pare-latency-chart.h"
#include "widgets/pare-format.h"
#include "widgets/pare-verdict.h"

#include <glib/gi18n.h>
#include <math.h>

enum
{
  NOW,
  BEFORE,
  ORIGINAL,
  N_BARS
};

struct _PareLatencyChart
{
  PareChart parent;
  PareLatencyBar bars[N_BARS];
  double budget;
  double held; /* full scale, while the budget is dragged */
  char *message;
};
G_DEFINE_FINAL_TYPE (PareLatencyChart, pare_latency_chart, PARE_TYPE_CHART)

static gboolean
there (const PareLatencyBar *bar)
{
  return bar->mark != PARE_MARK_NONE && isfinite (bar->median) && bar->median >= 0;
}

static char *
bar_label (PareLatencyChart *self, int which, gboolean compact)
{
  const PareLatencyBar *bar = &self->bars[which];
  const char *who = which == ORIGINAL ? _ ("original") : which == NOW ? _ ("now") : NULL;
  if (bar->mark == PARE_MARK_STALE)
    {
      if (who != NULL && which == ORIGINAL)
        return g_strdup (_ ("original, stale"));
      if (bar->edits_ago <= 0)
        return g_strdup (_ ("measured earlier, stale"));
      return g_strdup_printf (
          compact ? g_dngettext (NULL, "stale, %d edit ago", "stale, %d edits ago", (gulong)bar->edits_ago)
                  : g_dngettext (NULL, "measured %d edit ago, stale", "measured %d edits ago, stale", (gulong)bar->edits_ago),
          bar->edits_ago);
    }
  const char *how = bar->mark == PARE_MARK_PREDICTED     ? _ ("predicted")
                    : bar->mark == PARE_MARK_PROVISIONAL ? _ ("measuring")
                                                         : _ ("measured");
  return who != NULL ? g_strdup_printf ("%s, %s", who, how) : g_strdup (how);
}

static PareVerdict
verdict (PareLatencyChart *self)
{
  const PareLatencyBar *now = &self->bars[NOW];
  return there (now) && now->mark != PARE_MARK_STALE ? pare_verdict (now->p10, now->median, now->p90, self->budget, TRUE)
                                                     : PARE_VERDICT_NONE;
}

static double
full_scale (PareLatencyChart *self)
{
  if (pare_chart_get_dragged (PARE_CHART (self)) >= 0)
    return self->held;
  double most = isfinite (self->budget) ? self->budget : 0;
  for (int i = 0; i < N_BARS; i++)
    if (there (&self->bars[i]))
      {
        /* a few runs that something else held up shall not press the bars together: their whisker goes out of sight */
        double median = self->bars[i].median, p90 = self->bars[i].p90;
        most = fmax (most, isfinite (p90) ? CLAMP (p90, median, 2 * median) : median);
      }
  return most > 0 ? most * 1.045 : 1;
}

static void
draw (PareChart *chart, cairo_t *cr, const PareLook *look, double w, double h)
{
  PareLatencyChart *self = PARE_LATENCY_CHART (chart);
  gboolean compact = pare_chart_get_compact (chart);
  const PareLatencyBar *now = there (&self->bars[NOW]) ? &self->bars[NOW] : &self->bars[BEFORE], *original = &self->bars[ORIGINAL];
  double value = there (now) ? now->median : NAN, s = look->scale;
  gboolean missed = verdict (self) == PARE_VERDICT_MISSED, stale = now->mark == PARE_MARK_STALE;
  g_autofree char *text = pare_format_ms (value),
                  *change = there (original) && there (now) ? pare_format_change (value, original->median) : NULL;
  gboolean faster = there (original) && value < original->median;
  const GdkRGBA *colour = missed ? &look->worse : stale ? &look->second : faster ? &look->better : NULL;
  double top = pare_chart_draw_headline (chart, cr, look, w, text, there (now) ? "ms" : NULL, change, colour, missed);
  double k = w / full_scale (self), step = (compact ? 24 : 34) * s, bar_h = (compact ? 8 : 11) * s, y = top;
  double budget = isfinite (self->budget) ? round (self->budget * k) : NAN;
  guint n = 0;
  for (int i = 0; i < N_BARS; i++)
    {
      const PareLatencyBar *bar = &self->bars[i];
      if (!there (bar))
        continue;
      gboolean old = bar->mark == PARE_MARK_STALE;
      g_autofree char *label = bar_label (self, i, compact), *ms = pare_format_ms_unit (bar->median);
      const GdkRGBA *ink = old ? &look->second : &look->fg;
      double mw = pare_draw_text (cr, look, ink, PARE_TICK_PX, PARE_TEXT_RIGHT | (old ? 0 : PARE_TEXT_BOLD), w, y + 9 * s, 0, ms);
      pare_draw_text (cr, look, ink, PARE_TICK_PX, 0, 0, y + 9 * s, fmax (w - mw - 4, 10), label);
      double by = y + (compact ? 12 : 13) * s;
      if (isfinite (budget))
        pare_draw_forbidden (cr, look, budget, by - 2 * s, w - budget, bar_h + 4 * s, 0.3);
      pare_draw_bar (cr, look, bar->mark, 0, by, bar->median * k, bar_h);
      if (!old && isfinite (bar->p10) && isfinite (bar->p90))
        pare_draw_whisker_h (cr, &look->fg, bar->p10 * k, fmin (bar->p90 * k, w + 10), by + bar_h / 2);
      y += step;
      n++;
    }
  if (n > 0 && isfinite (budget))
    for (guint i = 0; i < n; i++)
      {
        double by = top + i * step + (compact ? 12 : 13) * s;
        pare_draw_dash (cr, 5, 3);
        pare_draw_line (cr, &look->worse, 1.5, budget, by - 2 * s, budget, by + bar_h + 2 * s);
        pare_draw_dash (cr, 0, 0);
      }
  if (n == 0)
    pare_draw_text (cr, look, &look->second, PARE_CAPTION_PX, 0, 0, top + 14 * s, w,
                    self->message != NULL ? self->message : _ ("Not measured yet"));
  if (compact || n == 0)
    return;
  if (isfinite (self->budget) && y + 30 * s <= h + 4)
    {
      PareVerdict v = verdict (self);
      g_autofree char *ms = pare_format_ms_unit (self->budget);
      g_autofree char *line = v != PARE_VERDICT_NONE ? g_strdup_printf (_ ("budget %s: %s"), ms, pare_verdict_words (v))
                                                     : g_strdup_printf (_ ("budget %s"), ms);
      pare_draw_line (cr, &look->worse, 2, 1.5, h - 34 * s, 1.5, h - 23 * s);
      pare_draw_text (cr, look, missed ? &look->worse : &look->fg, PARE_TICK_PX, 0, 7, h - 25 * s, w - 7, line);
    }
  if (y + 16 * s <= h + 4)
    pare_draw_text (cr, look, &look->second, PARE_TICK_PX, 0, 0, h - 8 * s, w, self->message);
}

static int
limit_at (PareChart *chart, double x, double y)
{
  PareLatencyChart *self = PARE_LATENCY_CHART (chart);
  PareLook look;
  pare_look_for_widget (&look, GTK_WIDGET (self));
  gboolean compact = pare_chart_get_compact (chart);
  guint n = 0;
  for (int i = 0; i < N_BARS; i++)
    n += there (&self->bars[i]);
  double top = (compact ? 20 : 40) * look.scale, bottom = top + n * (compact ? 24 : 34) * look.scale;
  double at = self->budget / full_scale (self) * gtk_widget_get_width (GTK_WIDGET (self));
  return isfinite (at) && fabs (at - x) <= PARE_CHART_LINE_REACH && y >= top && y < bottom ? PARE_LIMIT_KIND_LATENCY : -1;
}

static double
limit_value (PareChart *chart, PareLimitKind kind, double x, double y)
{
  int w = gtk_widget_get_width (GTK_WIDGET (chart));
  return w > 0 ? CLAMP (x / w, 0, 1) * full_scale (PARE_LATENCY_CHART (chart)) : NAN;
}

static void
limit_begin (PareChart *chart, PareLimitKind kind)
{
  PARE_LATENCY_CHART (chart)->held = full_scale (PARE_LATENCY_CHART (chart));
}

static void
limit_moved (PareChart *chart, PareLimitKind kind, double value)
{
  pare_latency_chart_set_budget (PARE_LATENCY_CHART (chart), value);
}

static char *
describe (PareChart *chart)
{
  PareLatencyChart *self = PARE_LATENCY_CHART (chart);
  GString *s = g_string_new (_ ("Latency"));
  guint n = 0;
  for (int i = 0; i < N_BARS; i++)
    if (there (&self->bars[i]))
      {
        g_autofree char *label = bar_label (self, i, FALSE), *ms = pare_format_ms_unit (self->bars[i].median);
        g_string_append_printf (s, "%s %s: %s", n++ > 0 ? ";" : ":", label, ms);
      }
  if (n == 0)
    g_string_append (s, _ (": not measured yet"));
  if (isfinite (self->budget) && n > 0)
    {
      g_autofree char *ms = pare_format_ms_unit (self->budget);
      g_string_append_printf (s, _ ("; budget %s %s"), ms, pare_verdict_words (verdict (self)));
      if (s->str[s->len - 1] == ' ')
        g_string_truncate (s, s->len - 1);
    }
  g_string_append_c (s, '.');
  return g_string_free (s, FALSE);
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
  PareLatencyChart *self = PARE_LATENCY_CHART (chart);
  pare_chart_row (rows, g_strdup (_ ("what")), g_strdup (_ ("median, ms")), g_strdup ("p10"), g_strdup ("p90"), NULL);
  for (int i = 0; i < N_BARS; i++)
    if (there (&self->bars[i]))
      pare_chart_row (rows, bar_label (self, i, FALSE), plain (self->bars[i].median), plain (self->bars[i].p10), plain (self->bars[i].p90),
                      NULL);
}

static void
draw_hover (PareChart *chart, cairo_t *cr, const PareLook *look, double w, double h, double x, double y)
{
  PareLatencyChart *self = PARE_LATENCY_CHART (chart);
  gboolean compact = pare_chart_get_compact (chart);
  double s = look->scale, row = (y - (compact ? 20 : 40) * s) / ((compact ? 24 : 34) * s);
  int k = 0;
  for (int i = 0; i < N_BARS; i++)
    {
      const PareLatencyBar *bar = &self->bars[i];
      if (!there (bar) || k++ != (int)floor (row))
        continue;
      g_autofree char *label = bar_label (self, i, FALSE), *ms = pare_format_ms_unit (bar->median);
      g_autofree char *low = pare_format_ms (bar->p10), *high = pare_format_ms_unit (bar->p90),
                      *spread = g_strdup_printf (_ ("8 of 10 runs %s to %s"), low, high);
      const char *const lines[] = { label, ms, isfinite (bar->p10) && isfinite (bar->p90) ? spread : NULL, NULL };
      pare_chart_draw_card (cr, look, w, h, x, y, lines);
      return;
    }
}

static void
measure_size (PareChart *chart, int *min_w, int *nat_w, int *min_h, int *nat_h)
{
  gboolean compact = pare_chart_get_compact (chart);
  *min_w = 150;
  *nat_w = 170;
  *min_h = compact ? 92 : 142;
  *nat_h = compact ? 94 : 182;
}

static void
pare_latency_chart_finalize (GObject *object)
{
  g_free (PARE_LATENCY_CHART (object)->message);
  G_OBJECT_CLASS (pare_latency_chart_parent_class)->finalize (object);
}

static void
pare_latency_chart_class_init (PareLatencyChartClass *class)
{
  G_OBJECT_CLASS (class)->finalize = pare_latency_chart_finalize;
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
pare_latency_chart_init (PareLatencyChart *self)
{
  self->budget = NAN;
  pare_chart_set_title (PARE_CHART (self), _ ("Latency"));
}

GtkWidget *
pare_latency_chart_new (void)
{
  return g_object_new (PARE_TYPE_LATENCY_CHART, NULL);
}

void
pare_latency_chart_set_bars (PareLatencyChart *self, const PareLatencyBar *now, const PareLatencyBar *before,
                             const PareLatencyBar *original)
{
  const PareLatencyBar none = { .mark = PARE_MARK_NONE, .median = NAN };
  self->bars[NOW] = now != NULL ? *now : none;
  self->bars[BEFORE] = before != NULL ? *before : none;
  self->bars[ORIGINAL] = original != NULL ? *original : none;
  pare_chart_changed (PARE_CHART (self));
}

void
pare_latency_chart_set_budget (PareLatencyChart *self, double ms)
{
  self->budget = isfinite (ms) && ms > 0 ? ms : NAN;
  pare_chart_changed (PARE_CHART (self));
}

void
pare_latency_chart_set_message (PareLatencyChart *self, const char *message)
{
  g_free (self->message);
  self->message = g_strdup (message);
  pare_chart_changed (PARE_CHART (self));
}
