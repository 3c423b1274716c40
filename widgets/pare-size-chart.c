#include "widgets/pare-size-chart.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>
#include <math.h>

#define MAX_ROWS 12

typedef struct
{
  char *name;
  double original, now;
} Part;

struct _PareSizeChart
{
  PareChart parent;
  Part *parts;
  guint n;
  double original, now, budget, file, download;
  double held; /* full scale, while the budget is dragged */
};
G_DEFINE_FINAL_TYPE (PareSizeChart, pare_size_chart, PARE_TYPE_CHART)

static double
amount (double v)
{
  return isfinite (v) && v > 0 ? v : 0;
}

/* What the whole width stands for. */
static double
full_scale (PareSizeChart *self)
{
  if (pare_chart_get_dragged (PARE_CHART (self)) >= 0)
    return self->held;
  double total = fmax (fmax (amount (self->original), amount (self->now)), isfinite (self->budget) ? self->budget * 1.02 : 0);
  return fmax (total, 1);
}

static void
draw_bar (PareSizeChart *self, cairo_t *cr, const PareLook *look, double y, double h, double total, double w, gboolean original)
{
  double x = 0;
  for (guint i = 0; i < self->n; i++)
    {
      double v = amount (original ? self->parts[i].original : self->parts[i].now), k = v / total * w;
      GdkRGBA colour;
      pare_look_part (look, i, &colour);
      if (v > 0)
        {
          cairo_rectangle (cr, x, y, fmax (k, 0.6), h);
          pare_draw_source (cr, &colour, original ? 0.5 : 1);
          cairo_fill (cr);
        }
      x += k;
    }
}

/* The legend: parts that do not find room become one line of others. */
static void
draw_legend (PareSizeChart *self, cairo_t *cr, const PareLook *look, double w, double top, double bottom)
{
  double s = look->scale, step = 13.5 * s;
  guint room = (guint)CLAMP (floor ((bottom - top) / step + 0.01), 0, MAX_ROWS), shown = self->n <= room ? self->n
                                                                                         : room > 0      ? room - 1
                                                                                                         : 0;
  double y = top + 12 * s, rest = 0;
  for (guint i = shown; i < self->n; i++)
    rest += amount (self->parts[i].now);
  for (guint i = 0; i < (shown < self->n && room > 0 ? shown + 1 : shown); i++, y += step)
    {
      gboolean others = i == shown;
      GdkRGBA colour = look->hatch;
      if (!others)
        pare_look_part (look, i, &colour);
      pare_draw_rounded (cr, 0, y - 8 * s, 8 * s, 8 * s, 1.5);
      pare_draw_source (cr, &colour, 1);
      cairo_fill (cr);
      g_autofree char *kib = pare_format_kib (others ? rest : self->parts[i].now),
                      *more = g_strdup_printf (_ ("%u others"), self->n - shown);
      double nw = pare_draw_text (cr, look, &look->fg, PARE_TICK_PX, PARE_TEXT_RIGHT | PARE_TEXT_BOLD, w, y, 0, kib);
      pare_draw_text (cr, look, &look->fg, PARE_TICK_PX, 0, 12 * s, y, fmax (w - 16 * s - nw, 10), others ? more : self->parts[i].name);
    }
}

static void
draw (PareChart *chart, cairo_t *cr, const PareLook *look, double w, double h)
{
  PareSizeChart *self = PARE_SIZE_CHART (chart);
  gboolean compact = pare_chart_get_compact (chart), known = self->n > 0, over = known && self->now > self->budget;
  g_autofree char *value = pare_format_kib (known ? self->now : NAN),
                  *change = known ? pare_format_change (self->now, self->original) : NULL;
  double s = look->scale;
  double top = pare_chart_draw_headline (chart, cr, look, w, value, known ? "KiB" : NULL, change,
                                         over                         ? &look->worse
                                         : self->now < self->original ? &look->better
                                                                      : NULL,
                                         over);
  if (!known)
    {
      pare_draw_text (cr, look, &look->second, PARE_CAPTION_PX, 0, 0, top + 14 * s, w, _ ("No model"));
      return;
    }
  double total = full_scale (self);
  g_autofree char *original = pare_format_kib_unit (self->original);
  pare_draw_text (cr, look, &look->second, PARE_TICK_PX, 0, 0, top + 9 * s, 0, _ ("original"));
  pare_draw_text (cr, look, &look->second, PARE_TICK_PX, PARE_TEXT_RIGHT, w, top + 9 * s, 0, original);
  draw_bar (self, cr, look, top + 13 * s, 9 * s, total, w, TRUE);
  pare_draw_text (cr, look, &look->second, PARE_TICK_PX, 0, 0, top + 34 * s, 0, _ ("now, to scale"));
  if (isfinite (self->budget))
    pare_draw_forbidden (cr, look, self->budget / total * w, top + 36 * s, w - self->budget / total * w, 13 * s, 0.3);
  draw_bar (self, cr, look, top + 38 * s, 9 * s, total, w, FALSE);
  if (isfinite (self->budget))
    {
      double x = round (self->budget / total * w);
      pare_draw_dash (cr, 5, 3);
      pare_draw_line (cr, &look->worse, 1.5, x, top + 35 * s, x, top + 51 * s);
      pare_draw_dash (cr, 0, 0);
      g_autofree char *kib = pare_format_number (self->budget / 1024, 0), *label = g_strdup_printf (_ ("budget %s"), kib);
      double label_w = pare_draw_text_width (cr, look, PARE_TICK_PX, 0, label);
      gboolean fits = x + 4 + label_w <= w;
      pare_draw_text (cr, look, &look->worse, PARE_TICK_PX, fits ? PARE_TEXT_HALO : PARE_TEXT_RIGHT | PARE_TEXT_HALO, fits ? x + 4 : x - 4,
                      top + 46 * s, 0, label);
    }
  if (compact)
    return;
  gboolean files = isfinite (self->file) || isfinite (self->download);
  draw_legend (self, cr, look, w, top + 52 * s, h - (files ? 15 * s : 0));
  if (!files)
    return;
  g_autofree char *file = pare_format_number (self->file / 1024, 0), *download = pare_format_number (self->download / 1024, 0);
  g_autofree char *line = g_strdup_printf (_ ("file %s · download %s"), file, download);
  pare_draw_text (cr, look, &look->second, PARE_CAPTION_PX, 0, 0, h - 3 * s, w, line);
}

static void
draw_hover (PareChart *chart, cairo_t *cr, const PareLook *look, double w, double h, double x, double y)
{
  PareSizeChart *self = PARE_SIZE_CHART (chart);
  double s = look->scale, top = (pare_chart_get_compact (chart) ? 20 : 40) * s, at = 0;
  gboolean original = y >= top + 11 * s && y < top + 24 * s;
  if (self->n == 0 || x < 0 || !(original || (y >= top + 36 * s && y < top + 49 * s)))
    return;
  double total = full_scale (self);
  for (guint i = 0; i < self->n; i++)
    {
      at += amount (original ? self->parts[i].original : self->parts[i].now) / total * w;
      if (x > at)
        continue;
      g_autofree char *was = pare_format_kib_unit (self->parts[i].original), *is = pare_format_kib_unit (self->parts[i].now);
      g_autofree char *change = pare_format_change (self->parts[i].now, self->parts[i].original);
      g_autofree char *now_line = g_strdup_printf (_ ("now %s, %s"), is, change), *was_line = g_strdup_printf (_ ("original %s"), was);
      const char *const lines[] = { self->parts[i].name, now_line, was_line, NULL };
      pare_chart_draw_card (cr, look, w, h, x, y, lines);
      return;
    }
}

static int
limit_at (PareChart *chart, double x, double y)
{
  PareSizeChart *self = PARE_SIZE_CHART (chart);
  PareLook look;
  pare_look_for_widget (&look, GTK_WIDGET (self));
  double top = (pare_chart_get_compact (chart) ? 20 : 40) * look.scale,
         at = self->budget / full_scale (self) * gtk_widget_get_width (GTK_WIDGET (self));
  return self->n > 0 && isfinite (at) && fabs (at - x) <= PARE_CHART_LINE_REACH && y >= top + 32 * look.scale && y <= top + 53 * look.scale
             ? PARE_LIMIT_KIND_SIZE
             : -1;
}

static double
limit_value (PareChart *chart, PareLimitKind kind, double x, double y)
{
  int w = gtk_widget_get_width (GTK_WIDGET (chart));
  return w > 0 ? CLAMP (x / w, 0, 1) * full_scale (PARE_SIZE_CHART (chart)) : NAN;
}

static void
limit_begin (PareChart *chart, PareLimitKind kind)
{
  PARE_SIZE_CHART (chart)->held = full_scale (PARE_SIZE_CHART (chart));
}

static void
limit_moved (PareChart *chart, PareLimitKind kind, double value)
{
  pare_size_chart_set_budget (PARE_SIZE_CHART (chart), value);
}

static char *
describe (PareChart *chart)
{
  PareSizeChart *self = PARE_SIZE_CHART (chart);
  if (self->n == 0)
    return g_strdup (_ ("Size: no model."));
  g_autofree char *now = pare_format_kib_unit (self->now), *original = pare_format_kib_unit (self->original);
  g_autofree char *change = pare_format_change (self->now, self->original), *budget = pare_format_kib_unit (self->budget);
  GString *s = g_string_new (NULL);
  g_string_append_printf (s, _ ("Size %s, %s of the original's %s"), now, change, original);
  if (isfinite (self->budget))
    g_string_append_printf (s, _ ("; %s the budget of %s"), self->now > self->budget ? _ ("over") : _ ("within"), budget);
  g_string_append_c (s, '.');
  return g_string_free (s, FALSE);
}

static void
table (PareChart *chart, GPtrArray *rows)
{
  PareSizeChart *self = PARE_SIZE_CHART (chart);
  pare_chart_row (rows, g_strdup (_ ("part")), g_strdup (_ ("original, bytes")), g_strdup (_ ("now, bytes")), NULL);
  for (guint i = 0; i < self->n; i++)
    pare_chart_row (rows, g_strdup (self->parts[i].name), g_strdup_printf ("%.0f", self->parts[i].original),
                    g_strdup_printf ("%.0f", self->parts[i].now), NULL);
}

static void
measure_size (PareChart *chart, int *min_w, int *nat_w, int *min_h, int *nat_h)
{
  gboolean compact = pare_chart_get_compact (chart);
  *min_w = 130;
  *nat_w = compact ? 172 : 142;
  *min_h = compact ? 72 : 110;
  *nat_h = compact ? 72 : 182;
}

static void
free_parts (PareSizeChart *self)
{
  for (guint i = 0; i < self->n; i++)
    g_free (self->parts[i].name);
  g_clear_pointer (&self->parts, g_free);
  self->n = 0;
}

static void
pare_size_chart_finalize (GObject *object)
{
  free_parts (PARE_SIZE_CHART (object));
  G_OBJECT_CLASS (pare_size_chart_parent_class)->finalize (object);
}

static void
pare_size_chart_class_init (PareSizeChartClass *class)
{
  G_OBJECT_CLASS (class)->finalize = pare_size_chart_finalize;
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
pare_size_chart_init (PareSizeChart *self)
{
  self->budget = self->file = self->download = NAN;
  pare_chart_set_title (PARE_CHART (self), _ ("Size, packed"));
}

GtkWidget *
pare_size_chart_new (void)
{
  return g_object_new (PARE_TYPE_SIZE_CHART, NULL);
}

void
pare_size_chart_set_parts (PareSizeChart *self, const PareSizePart *parts, guint n)
{
  free_parts (self);
  self->parts = g_new0 (Part, MAX (n, 1));
  self->n = n;
  self->original = self->now = 0;
  for (guint i = 0; i < n; i++)
    {
      self->parts[i] = (Part){ g_strdup (parts[i].name != NULL ? parts[i].name : ""), parts[i].original, parts[i].now };
      self->original += amount (parts[i].original);
      self->now += amount (parts[i].now);
    }
  pare_chart_changed (PARE_CHART (self));
}

void
pare_size_chart_set_budget (PareSizeChart *self, double bytes)
{
  self->budget = isfinite (bytes) && bytes > 0 ? bytes : NAN;
  pare_chart_changed (PARE_CHART (self));
}

void
pare_size_chart_set_files (PareSizeChart *self, double file, double download)
{
  self->file = file;
  self->download = download;
  pare_chart_changed (PARE_CHART (self));
}
