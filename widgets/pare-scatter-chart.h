/* PareScatterChart: every recipe tried, accuracy against size, latency or multiply-adds, with the measured front.
 *
 * # Signals
 * - `point-hover` (gint64 id; -1: none): pointer or keyboard is on a point
 * - `point-activated` (gint64 id): click or Enter
 * - `brush-changed`: drag ended or was cleared; see pare_scatter_chart_get_brush ()
 * - `limit-changed`: PareChart's; the lines of the budget and the tolerance
 *
 * Drag brushes, Ctrl+wheel zooms at the pointer, double click resets, Left / Right walk the points, Escape clears the brush. */
#pragma once
#include "widgets/pare-chart.h"

G_BEGIN_DECLS
#define PARE_TYPE_SCATTER_CHART (pare_scatter_chart_get_type ())
G_DECLARE_FINAL_TYPE (PareScatterChart, pare_scatter_chart, PARE, SCATTER_CHART, PareChart)

typedef enum
{
  PARE_SCATTER_SIZE /* bytes */,
  PARE_SCATTER_LATENCY /* ms */,
  PARE_SCATTER_MACS
} PareScatterAxis;

typedef struct
{
  gint64 id;
  double x;            /* in the axis' unit */
  double y, low, high; /* fraction; low, high NAN: no interval */
  const char *label;   /* for the hover card */
  PareMark mark;
  gboolean is_original, current;
  char tag; /* 'A' or 'B', 0: none */
} PareScatterPoint;

GtkWidget *pare_scatter_chart_new (void);
void pare_scatter_chart_set_points (PareScatterChart *self, const PareScatterPoint *points, guint n); /* copied */
void pare_scatter_chart_set_axis (PareScatterChart *self, PareScatterAxis axis);
PareScatterAxis pare_scatter_chart_get_axis (PareScatterChart *self);
void pare_scatter_chart_set_budget (PareScatterChart *self, double x); /* NAN: none */
/* Tolerance in pp below the original's accuracy (fraction); NAN: none. */
void pare_scatter_chart_set_tolerance (PareScatterChart *self, double baseline, double pp);
/* The large form of the Explore page: axis captions and minor grid. */
void pare_scatter_chart_set_large (PareScatterChart *self, gboolean large, const char *y_caption);
/* Ids inside the brushed rectangle (element-type gint64) (transfer full); NULL: nothing is brushed. */
GArray *pare_scatter_chart_get_brush (PareScatterChart *self);
/* Ringed: what is selected in history or brushed in another chart; copied. */
void pare_scatter_chart_set_marked (PareScatterChart *self, const gint64 *ids, guint n);
void pare_scatter_chart_clear_brush (PareScatterChart *self);
void pare_scatter_chart_reset_zoom (PareScatterChart *self);
/* Rings the point (history row under the pointer); -1: none. */
void pare_scatter_chart_set_hover (PareScatterChart *self, gint64 id);
G_END_DECLS
