#include "widgets/pare-viewport.h"

#include <math.h>

void
pare_viewport_init (PareViewport *self)
{
  *self = (PareViewport){ .scale = 1, .detail = PARE_DETAIL_CARD };
}

PareDetail
pare_detail_for_scale (double scale, PareDetail before)
{
  static const double borders[3] = { 0.08, 0.30, 0.80 };
  PareDetail detail = PARE_DETAIL_GROUP;
  for (int i = 0; i < 3; i++)
    {
      /* leaving a level needs 5 % more than entering it */
      double border = before > (PareDetail)i ? borders[i] * 0.95 : borders[i] * 1.0;
      if (scale >= border - 1e-9)
        detail = (PareDetail)(i + 1);
    }
  return detail;
}

double
pare_viewport_min_scale (const PareViewport *self)
{
  /* a little more than the whole graph in view */
  if (self->content_width <= 0 || self->content_height <= 0 || self->width <= 0 || self->height <= 0)
    return PARE_VIEWPORT_MIN_SCALE;
  double fit = MIN (self->width / self->content_width, self->height / self->content_height);
  return CLAMP (fit * 0.7, PARE_VIEWPORT_MIN_SCALE / 10, 0.5);
}

/* At least a third of the view (or all of a smaller graph) stays over the content. */
static double
clamp_axis (double at, double view, double content)
{
  double keep = MIN (view / 3, content / 2);
  return CLAMP (at, keep - view, content - keep);
}

static void
settle (PareViewport *self)
{
  double view_w = self->width / self->scale, view_h = self->height / self->scale;
  self->x = clamp_axis (self->x, view_w, self->content_width);
  self->y = clamp_axis (self->y, view_h, self->content_height);
  self->detail = pare_detail_for_scale (self->scale, self->detail);
}

void
pare_viewport_set_size (PareViewport *self, double width, double height)
{
  /* what was in the middle across stays there; the top stays the top */
  if (self->width > 0)
    self->x += (self->width - width) / 2 / self->scale;
  self->width = width;
  self->height = height;
  settle (self);
}

void
pare_viewport_set_content (PareViewport *self, double width, double height)
{
  self->content_width = width;
  self->content_height = height;
  settle (self);
}

void
pare_viewport_to_view (const PareViewport *self, double gx, double gy, double *vx, double *vy)
{
  *vx = (gx - self->x) * self->scale;
  *vy = (gy - self->y) * self->scale;
}

void
pare_viewport_to_graph (const PareViewport *self, double vx, double vy, double *gx, double *gy)
{
  *gx = self->x + vx / self->scale;
  *gy = self->y + vy / self->scale;
}

void
pare_viewport_zoom_at (PareViewport *self, double scale, double vx, double vy)
{
  if (!isfinite (scale))
    return;
  double gx, gy;
  pare_viewport_to_graph (self, vx, vy, &gx, &gy);
  self->scale = CLAMP (scale, pare_viewport_min_scale (self), PARE_VIEWPORT_MAX_SCALE);
  self->x = gx - vx / self->scale;
  self->y = gy - vy / self->scale;
  settle (self);
}

void
pare_viewport_scroll (PareViewport *self, double dx, double dy)
{
  self->x += dx / self->scale;
  self->y += dy / self->scale;
  settle (self);
}

void
pare_viewport_center_on (PareViewport *self, double gx, double gy)
{
  self->x = gx - self->width / 2 / self->scale;
  self->y = gy - self->height / 2 / self->scale;
  settle (self);
}

void
pare_viewport_fit (PareViewport *self, double gx, double gy, double width, double height, double margin, double max_scale)
{
  double room_w = self->width - self->inset_left - self->inset_right - 2 * margin;
  double room_h = self->height - self->inset_top - self->inset_bottom - 2 * margin;
  if (width <= 0 || height <= 0 || room_w <= 0 || room_h <= 0)
    return;
  double scale = MIN (MIN (room_w / width, room_h / height), max_scale);
  self->scale = CLAMP (scale, PARE_VIEWPORT_MIN_SCALE / 10, PARE_VIEWPORT_MAX_SCALE);
  self->x = gx + width / 2 - (self->inset_left + margin + room_w / 2) / self->scale;
  self->y = gy + height / 2 - (self->inset_top + margin + room_h / 2) / self->scale;
  settle (self);
}

static double
reveal_axis (double at, double view, double start, double size, double margin)
{
  margin = MIN (margin, MAX ((view - size) / 2, 0));
  if (size >= view)
    return start;
  if (start - margin < at)
    return start - margin;
  if (start + size + margin > at + view)
    return start + size + margin - view;
  return at;
}

gboolean
pare_viewport_reveal (PareViewport *self, double gx, double gy, double width, double height, double margin)
{
  double x = self->x, y = self->y;
  self->x = reveal_axis (x, self->width / self->scale, gx, width, margin / self->scale);
  self->y = reveal_axis (y, self->height / self->scale, gy, height, margin / self->scale);
  settle (self);
  return fabs (self->x - x) > 1e-9 || fabs (self->y - y) > 1e-9;
}
