#include "widgets/pare-scatter-private.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>
#include <math.h>

double
pare_scatter_unit (PareScatterAxis axis)
{
  return axis == PARE_SCATTER_SIZE ? 1024 : axis == PARE_SCATTER_MACS ? 1e6 : 1;
}

static const char *
unit_name (PareScatterAxis axis)
{
  return axis == PARE_SCATTER_SIZE ? "KiB" : axis == PARE_SCATTER_MACS ? "M" : "ms";
}

char *
pare_scatter_x_text (PareScatterChart *self, double x)
{
  g_autofree char *number = pare_format_number (x, self->axis == PARE_SCATTER_LATENCY ? 2 : 1);
  return g_strdup_printf ("%s %s%s", number, unit_name (self->axis), self->axis == PARE_SCATTER_MACS ? _ (" multiply-adds") : "");
}

void
pare_scatter_frame (PareScatterChart *self, double s, double w, double h, ScatterFrame *f)
{
  f->y0 = self->large ? 14 : 8;
  f->y1 = fmax (h - (self->large ? 34 : 18) * s, f->y0 + 10);
  gboolean log = self->axis == PARE_SCATTER_SIZE;
  double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
  for (guint i = 0; i < self->n; i++)
    {
      const PareScatterPoint *p = &self->points[i];
      if (!isfinite (p->x) || !isfinite (p->y) || (log && p->x <= 0))
        continue;
      x0 = fmin (x0, p->x);
      x1 = fmax (x1, p->x);
      y0 = fmin (y0, p->y);
      y1 = fmax (y1, p->y);
    }
  if (x0 > x1)
    {
      x0 = log ? 64 : 0;
      x1 = log ? 1024 : 1;
      y0 = 0;
      y1 = 100;
    }
  if (isfinite (self->budget) && self->budget > 0)
    {
      x0 = fmin (x0, self->budget);
      x1 = fmax (x1, self->budget);
    }
  if (log)
    {
      /* A third of an octave of air; a factor of two at least. */
      x0 /= 1.3;
      x1 *= 1.25;
    }
  else
    {
      x0 = 0;
      x1 *= 1.08;
    }
  if (isfinite (self->floor))
    y0 = fmin (y0, fmax (self->floor - 0.3 * (y1 - self->floor), 0));
  double air = fmax ((y1 - y0) * 0.12, 0.2);
  y0 = fmax (y0 - air, -2);
  y1 = fmin (y1 + air, 102);
  if (self->zoomed)
    {
      x0 = self->vx0;
      x1 = self->vx1;
      y0 = self->vy0;
      y1 = self->vy1;
    }
  if (pare_chart_get_dragged (PARE_CHART (self)) >= 0)
    {
      x0 = self->held[0];
      x1 = self->held[1];
      y0 = self->held[2];
      y1 = self->held[3];
    }
  pare_scale_init (&f->y, FALSE, y0, y1, f->y1, f->y0);
  /* Room for the labels of the accuracy axis, whose decimals depend on its range. */
  double ticks[24];
  guint n = pare_scale_ticks (&f->y, 30 * s, 10, ticks, G_N_ELEMENTS (ticks));
  int decimals = n > 1 ? pare_scale_decimals (ticks[1] - ticks[0]) : 1;
  f->x0 = (38 + (decimals > 0 ? 3 + 6.5 * decimals : 0)) * s;
  f->x1 = fmax (w - (self->large ? 14 : 6), f->x0 + 10);
  pare_scale_init (&f->x, log, x0, x1, f->x0, f->x1);
}

static void
draw_grid (PareScatterChart *self, cairo_t *cr, const PareLook *look, const ScatterFrame *f)
{
  double ticks[24], s = look->scale;
  guint n = pare_scale_ticks (&f->y, 30 * s, 10, ticks, G_N_ELEMENTS (ticks));
  int decimals = n > 1 ? pare_scale_decimals (ticks[1] - ticks[0]) : 1;
  for (guint i = 0; i < n; i++)
    {
      double y = round (pare_scale_map (&f->y, ticks[i])) + 0.5;
      pare_draw_line (cr, &look->line, 1, f->x0, y, f->x1, y);
      g_autofree char *label = pare_format_percent (ticks[i] / 100, decimals);
      pare_draw_text (cr, look, &look->second, PARE_TICK_PX, PARE_TEXT_RIGHT, f->x0 - 4, y + 3.5 * s, 0, label);
    }
  n = pare_scale_ticks (&f->x, 44 * s, self->large ? 10 : 2, ticks, G_N_ELEMENTS (ticks));
  decimals = n > 1 ? pare_scale_decimals (ticks[1] - ticks[0]) : 1;
  double free_from = -INFINITY;
  for (guint i = 0; i < n; i++)
    {
      double x = round (pare_scale_map (&f->x, ticks[i])) + 0.5;
      pare_draw_line (cr, &look->line, 1, x, f->y0, x, f->y1);
      g_autofree char *number = pare_format_number (ticks[i], f->x.log && ticks[i] >= 1 ? 0 : decimals);
      g_autofree char *with_unit = g_strdup_printf ("%s %s", number, unit_name (self->axis));
      const char *label = i == n - 1 && !self->large ? with_unit : number;
      double lw = pare_draw_text_width (cr, look, PARE_TICK_PX, 0, label), at = fmin (x - lw / 2, f->x1 + 6 - lw);
      if (at < free_from)
        continue;
      pare_draw_text (cr, look, &look->second, PARE_TICK_PX, 0, at, f->y1 + 13 * s, 0, label);
      free_from = at + lw + 6;
    }
  if (!self->large)
    return;
  const char *const x_captions[] = { _ ("packed size, KiB, logarithmic"), _ ("latency, ms"), _ ("multiply-adds, millions") };
  pare_draw_text (cr, look, &look->second, PARE_TICK_PX, PARE_TEXT_RIGHT, f->x1, f->y1 + 30 * s, 0, x_captions[self->axis]);
  pare_draw_text (cr, look, &look->second, PARE_TICK_PX, 0, f->x0, f->y1 + 30 * s, 0, self->y_caption);
}

static void
draw_limits (PareScatterChart *self, cairo_t *cr, const PareLook *look, const ScatterFrame *f)
{
  double bx = isfinite (self->budget) ? CLAMP (pare_scale_map (&f->x, self->budget), f->x0, f->x1) : f->x1;
  double fy = isfinite (self->floor) ? CLAMP (pare_scale_map (&f->y, self->floor), f->y0, f->y1) : f->y1;
  pare_draw_forbidden (cr, look, bx, f->y0, f->x1 - bx, f->y1 - f->y0, 0.17);
  pare_draw_forbidden (cr, look, f->x0, fy, bx - f->x0, f->y1 - fy, 0.17);
  pare_draw_dash (cr, 5, 3);
  if (isfinite (self->budget) && bx > f->x0 && bx < f->x1)
    pare_draw_line (cr, &look->worse, 1.3, round (bx) + 0.5, f->y0, round (bx) + 0.5, f->y1);
  if (isfinite (self->floor) && fy > f->y0 && fy < f->y1)
    pare_draw_line (cr, &look->worse, 1.3, f->x0, round (fy) + 0.5, f->x1, round (fy) + 0.5);
  pare_draw_dash (cr, 0, 0);
}

static gboolean
is_measured (const PareScatterPoint *p)
{
  return p->mark == PARE_MARK_MEASURED || p->mark == PARE_MARK_PROVISIONAL;
}

static void
circle (cairo_t *cr, double x, double y, double r)
{
  cairo_new_path (cr);
  cairo_arc (cr, x, y, r, 0, 2 * G_PI);
}

static void
draw_point (PareScatterChart *self, cairo_t *cr, const PareLook *look, const ScatterFrame *f, guint i)
{
  const PareScatterPoint *p = &self->points[i];
  double x = pare_scale_map (&f->x, p->x), y = pare_scale_map (&f->y, p->y), r = self->large ? 4.5 : 3.6;
  gboolean interval = isfinite (p->low) && isfinite (p->high) && p->high > p->low;
  double top = interval ? CLAMP (pare_scale_map (&f->y, p->high), f->y0, f->y1) : y,
         bottom = interval ? CLAMP (pare_scale_map (&f->y, p->low), f->y0, f->y1) : y;
  if (p->mark == PARE_MARK_PREDICTED)
    {
      circle (cr, x, y, r);
      pare_draw_source (cr, &look->selected, 1);
      cairo_fill_preserve (cr);
      pare_draw_hatch (cr, &look->tint, 1, 2, 5);
      circle (cr, x, y, r);
      pare_draw_source (cr, &look->mark, 1);
      cairo_set_line_width (cr, 1.3);
      cairo_stroke (cr);
      return;
    }
  if (!is_measured (p) || !(self->on_front[i] || p->current || p->is_original || p->tag != 0))
    {
      /* Explored but dominated, or stale: small, hollow, dotted; stale ones are greyed inside. */
      circle (cr, x, y, 3);
      pare_draw_source (cr, &look->view, 1);
      cairo_fill_preserve (cr);
      if (p->mark == PARE_MARK_STALE)
        {
          pare_draw_source (cr, &look->hatch, 0.28);
          cairo_fill_preserve (cr);
        }
      pare_draw_source (cr, &look->hatch, 1);
      cairo_set_line_width (cr, 1.3);
      pare_draw_dash (cr, 2, 1.4);
      cairo_stroke (cr);
      pare_draw_dash (cr, 0, 0);
      return;
    }
  if (p->current && interval)
    {
      cairo_rectangle (cr, x - 4, top, 8, bottom - top);
      pare_draw_source (cr, &look->tint, 0.28);
      cairo_fill (cr);
    }
  else if (interval)
    pare_draw_line (cr, &look->second, 1, x, top, x, bottom);
  circle (cr, x, y, r);
  pare_draw_source (cr, &look->mark, 1);
  cairo_fill (cr);
  if (p->tag != 0)
    {
      GdkRGBA orange, *ring = p->tag == 'A' ? &orange : (GdkRGBA *)&look->mark;
      gdk_rgba_parse (&orange, "#e69f00");
      circle (cr, x, y, r + 4);
      pare_draw_source (cr, ring, 1);
      cairo_set_line_width (cr, 2.5);
      cairo_stroke (cr);
    }
  else if (p->current)
    {
      circle (cr, x, y, 7);
      pare_draw_source (cr, &look->mark, 1);
      cairo_set_line_width (cr, 2);
      cairo_stroke (cr);
    }
}

static int
compare_x (const void *a, const void *b, void *data)
{
  PareScatterChart *self = data;
  double x = self->points[*(const guint *)a].x, y = self->points[*(const guint *)b].x;
  return (x > y) - (x < y);
}

static void
draw_front (PareScatterChart *self, cairo_t *cr, const PareLook *look, const ScatterFrame *f)
{
  g_autofree guint *order = g_new (guint, MAX (self->n, 1));
  guint n = 0;
  for (guint i = 0; i < self->n; i++)
    if (self->on_front[i])
      order[n++] = i;
  g_qsort_with_data (order, (int)n, sizeof *order, compare_x, self);
  cairo_new_path (cr);
  for (guint i = 0; i < n; i++)
    cairo_line_to (cr, pare_scale_map (&f->x, self->points[order[i]].x), pare_scale_map (&f->y, self->points[order[i]].y));
  pare_draw_source (cr, &look->mark, 0.8);
  cairo_set_line_width (cr, self->large ? 1.8 : 1.5);
  cairo_stroke (cr);
}

static void
draw_labels (PareScatterChart *self, cairo_t *cr, const PareLook *look, const ScatterFrame *f)
{
  double s = look->scale;
  for (guint i = 0; i < self->n; i++)
    {
      const PareScatterPoint *p = &self->points[i];
      double x = pare_scale_map (&f->x, p->x), y = pare_scale_map (&f->y, p->y);
      if (!isfinite (x) || !isfinite (y) || x < f->x0 || x > f->x1 || y < f->y0 || y > f->y1)
        continue;
      if (p->tag != 0)
        {
          const char tag[2] = { p->tag, 0 };
          pare_draw_text (cr, look, &look->fg, PARE_CAPTION_PX, PARE_TEXT_RIGHT | PARE_TEXT_BOLD | PARE_TEXT_HALO, x - 12,
                          fmax (y - 9, f->y0 + 10 * s), 0, tag);
        }
      else if (p->current)
        {
          gboolean left = x - 11 - 24 * s > f->x0;
          pare_draw_text (cr, look, &look->fg, PARE_TICK_PX, (left ? PARE_TEXT_RIGHT : 0) | PARE_TEXT_BOLD | PARE_TEXT_HALO,
                          left ? x - 11 : x + 11, fmax (y - 9, f->y0 + 10 * s), 0, _ ("now"));
        }
      if (p->is_original)
        {
          gboolean below = y + 16 * s < f->y1;
          gboolean left = x > (f->x0 + f->x1) / 2;
          pare_draw_text (cr, look, &look->fg, PARE_TICK_PX, (left ? PARE_TEXT_RIGHT : 0) | PARE_TEXT_HALO, left ? x - 6 : x + 8,
                          below ? y + 14 * s : y - 9 * s, 0, _ ("original"));
        }
    }
  if (isfinite (self->budget) && pare_scale_map (&f->x, self->budget) < f->x1)
    {
      g_autofree char *amount = pare_scatter_x_text (self, self->budget),
                      *label = self->large ? g_strdup_printf (_ ("budget %s"), amount) : g_strdup (_ ("over budget"));
      pare_draw_text (cr, look, &look->worse, PARE_TICK_PX, PARE_TEXT_HALO, pare_scale_map (&f->x, self->budget) + 4, f->y1 - 5 * s, 0,
                      label);
    }
  double line = pare_scale_map (&f->y, self->floor);
  if (!self->large || !isfinite (line) || line < f->y0 || line > f->y1)
    return;
  /* At the right end, unless the original's point and name are there. */
  gboolean taken = FALSE;
  for (guint i = 0; i < self->n; i++)
    taken |= self->points[i].is_original && fabs (pare_scale_map (&f->y, self->points[i].y) - line) < 28 * s
             && pare_scale_map (&f->x, self->points[i].x) > (f->x0 + f->x1) / 2;
  g_autofree char *number = pare_format_number (self->floor - self->baseline, pare_limit_decimals (self->baseline - self->floor)),
                  *label = g_strdup_printf (_ ("tolerance %s pp"), number);
  pare_draw_text (cr, look, &look->worse, PARE_TICK_PX, PARE_TEXT_HALO | (taken ? 0 : PARE_TEXT_RIGHT), taken ? f->x0 + 4 : f->x1 - 4,
                  line - 4, 0, label);
}

void
pare_scatter_draw (PareChart *chart, cairo_t *cr, const PareLook *look, double w, double h)
{
  PareScatterChart *self = PARE_SCATTER_CHART (chart);
  ScatterFrame f;
  pare_scatter_frame (self, look->scale, w, h, &f);
  draw_grid (self, cr, look, &f);
  draw_limits (self, cr, look, &f);
  if (self->n == 0)
    {
      pare_draw_text (cr, look, &look->second, PARE_CAPTION_PX, PARE_TEXT_MIDDLE | PARE_TEXT_HALO, (f.x0 + f.x1) / 2, (f.y0 + f.y1) / 2,
                      f.x1 - f.x0, _ ("Every recipe you try appears here"));
      return;
    }
  cairo_save (cr);
  cairo_rectangle (cr, f.x0, f.y0 - 2, f.x1 - f.x0 + 6, f.y1 - f.y0 + 2);
  cairo_clip (cr);
  /* From the faint to the loud: a dominated point never hides a measured one, the current lies on top. */
  for (int pass = 0; pass < 4; pass++)
    {
      if (pass == 1)
        draw_front (self, cr, look, &f);
      for (guint i = 0; i < self->n; i++)
        {
          const PareScatterPoint *p = &self->points[i];
          int level = p->current || p->tag != 0 ? 3 : self->on_front[i] || p->is_original ? 2 : p->mark == PARE_MARK_PREDICTED ? 1 : 0;
          if (level == pass && isfinite (p->x) && isfinite (p->y))
            draw_point (self, cr, look, &f, i);
        }
    }
  for (guint i = 0; i < self->n; i++)
    for (guint k = 0; k < self->n_marked; k++)
      if (self->points[i].id == self->marked[k] && isfinite (self->points[i].x) && isfinite (self->points[i].y))
        {
          circle (cr, pare_scale_map (&f.x, self->points[i].x), pare_scale_map (&f.y, self->points[i].y), 8);
          pare_draw_source (cr, &look->mark, 1);
          cairo_set_line_width (cr, 2);
          cairo_stroke (cr);
        }
  cairo_restore (cr);
  draw_labels (self, cr, look, &f);
}

void
pare_scatter_draw_hover (PareChart *chart, cairo_t *cr, const PareLook *look, double w, double h, double x, double y)
{
  PareScatterChart *self = PARE_SCATTER_CHART (chart);
  ScatterFrame f;
  pare_scatter_frame (self, look->scale, w, h, &f);
  if (self->brushed || self->drag == DRAG_BRUSH)
    {
      double x0 = CLAMP (pare_scale_map (&f.x, self->bx0), f.x0, f.x1), x1 = CLAMP (pare_scale_map (&f.x, self->bx1), f.x0, f.x1);
      double y0 = CLAMP (pare_scale_map (&f.y, self->by1), f.y0, f.y1), y1 = CLAMP (pare_scale_map (&f.y, self->by0), f.y0, f.y1);
      cairo_new_path (cr);
      cairo_rectangle (cr, round (x0) + 0.5, round (y0) + 0.5, round (x1 - x0), round (y1 - y0));
      pare_draw_source (cr, &look->tint, 0.07);
      cairo_fill_preserve (cr);
      pare_draw_source (cr, &look->mark, 1);
      cairo_set_line_width (cr, 1);
      pare_draw_dash (cr, 3, 2);
      cairo_stroke (cr);
      pare_draw_dash (cr, 0, 0);
    }
  for (guint i = 0; i < self->n; i++)
    {
      const PareScatterPoint *p = &self->points[i];
      if (p->id != self->hover || self->hover < 0)
        continue;
      double px = pare_scale_map (&f.x, p->x), py = pare_scale_map (&f.y, p->y);
      circle (cr, px, py, 8);
      pare_draw_source (cr, &look->fg, 1);
      cairo_set_line_width (cr, 1.3);
      cairo_stroke (cr);
      const char *const words[] = { "", _ ("measured"), _ ("counting"), _ ("stale"), _ ("predicted") };
      g_autofree char *percent = pare_format_percent (p->y / 100, 2), *amount = pare_scatter_x_text (self, p->x);
      g_autofree char *half = isfinite (p->low) && isfinite (p->high) ? pare_format_number (fmax (p->high - p->y, p->y - p->low), 2) : NULL;
      g_autofree char *line = half != NULL ? g_strdup_printf ("%s ± %s %s · %s", percent, half, words[p->mark], amount)
                                           : g_strdup_printf ("%s %s · %s", percent, words[p->mark], amount);
      const char *const lines[] = { p->label, line, self->on_front[i] ? _ ("on the measured front") : NULL, NULL };
      pare_chart_draw_card (cr, look, w, h, px, py, lines);
      return;
    }
}
