/* Where the eye is over the graph: a plain model without a widget.
 *   view = (graph - origin) * scale
 * Zooming keeps the graph point under the pointer where it is; the content can never be lost from sight. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS
/* How much of a node is drawn, from far to near. */
typedef enum
{
  PARE_DETAIL_GROUP,
  PARE_DETAIL_TILE,
  PARE_DETAIL_NAME,
  PARE_DETAIL_CARD
} PareDetail;

typedef struct
{
  double scale;                                            /* view pixels in a graph unit */
  double x, y;                                             /* graph point at the view's top left */
  double width, height;                                    /* of the view */
  double content_width, content_height;                    /* of the graph, from 0, 0 */
  double inset_left, inset_top, inset_right, inset_bottom; /* covered by overlays: fit leaves them free */
  PareDetail detail;
} PareViewport;

#define PARE_VIEWPORT_MIN_SCALE 0.005
#define PARE_VIEWPORT_MAX_SCALE 4.0

void pare_viewport_init (PareViewport *self);
void pare_viewport_set_size (PareViewport *self, double width, double height);
void pare_viewport_set_content (PareViewport *self, double width, double height);
void pare_viewport_to_view (const PareViewport *self, double gx, double gy, double *vx, double *vy);
void pare_viewport_to_graph (const PareViewport *self, double vx, double vy, double *gx, double *gy);
/* Sets the scale; the graph point at view point (vx, vy) stays there (unless that would lose the content). */
void pare_viewport_zoom_at (PareViewport *self, double scale, double vx, double vy);
/* By view pixels: positive moves the eye right and down. */
void pare_viewport_scroll (PareViewport *self, double dx, double dy);
void pare_viewport_center_on (PareViewport *self, double gx, double gy);
/* Shows the rectangle whole with `margin` view pixels around, at most at max_scale. */
void pare_viewport_fit (PareViewport *self, double gx, double gy, double width, double height, double margin, double max_scale);
/* Moves no more than needed for the rectangle to be inside with a margin; TRUE if it moved. */
gboolean pare_viewport_reveal (PareViewport *self, double gx, double gy, double width, double height, double margin);
double pare_viewport_min_scale (const PareViewport *self);
/* The level for a scale, coming from `before`: borders at 80, 30 and 8 %, each with 5 % of hysteresis. */
PareDetail pare_detail_for_scale (double scale, PareDetail before);
G_END_DECLS
