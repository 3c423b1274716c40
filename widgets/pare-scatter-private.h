/* What input and drawing of PareScatterChart share. */
#pragma once
#include "widgets/pare-scale.h"
#include "widgets/pare-scatter-chart.h"

typedef enum
{
  DRAG_NONE,
  DRAG_PENDING,
  DRAG_BRUSH,
  DRAG_LIMIT
} ScatterDrag;

struct _PareScatterChart
{
  PareChart parent;
  PareScatterPoint *points; /* labels owned; x in display units, y, low, high in percent */
  gboolean *on_front;
  guint n;
  PareScatterAxis axis;
  double budget, floor, baseline; /* display units, percent, percent */
  gboolean large;
  char *y_caption;
  gint64 *marked; /* ids that are selected elsewhere: ringed, the others recede */
  guint n_marked;
  gboolean zoomed;
  double vx0, vx1, vy0, vy1; /* domain while zoomed */
  double held[4];            /* the same while a limit is dragged */
  gint64 hover;              /* id, -1 */
  ScatterDrag drag;
  double drag_x, drag_y; /* where it began */
  gboolean brushed;
  double bx0, bx1, by0, by1; /* domain of the brush, ordered */
};

typedef struct
{
  PareScale x, y;
  double x0, x1, y0, y1;
} ScatterFrame;

/* Bytes to KiB, multiply-adds to millions. */
double pare_scatter_unit (PareScatterAxis axis);
void pare_scatter_frame (PareScatterChart *self, double scale, double w, double h, ScatterFrame *frame);
void pare_scatter_draw (PareChart *chart, cairo_t *cr, const PareLook *look, double w, double h);
void pare_scatter_draw_hover (PareChart *chart, cairo_t *cr, const PareLook *look, double w, double h, double x, double y);
char *pare_scatter_x_text (PareScatterChart *self, double x);
