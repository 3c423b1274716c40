/* PareChart: the base of every chart. A subclass says how its data are drawn, read aloud and written as a table; the base keeps the drawn
 * data as one cached node, paints hover above it, repaints at most ten times a second and saves pictures.
 *
 * # CSS nodes
 * `pare-chart`, with `.pare-focus`. Role `img`, named by the one-sentence reading.
 *
 * # Signals
 * - `limit-changed` (int kind, double value, gboolean final): the line of the tolerance or a budget was dragged, see PareLimitKind
 *
 * # Actions
 * `chart.copy`, `chart.save` (parameter s: "png", "svg" or "csv"), `chart.show-table`; on the right-click and Menu-key menu. */
#pragma once
#include "widgets/pare-draw.h"
#include "widgets/pare-verdict.h"

G_BEGIN_DECLS
#define PARE_TYPE_CHART (pare_chart_get_type ())
G_DECLARE_DERIVABLE_TYPE (PareChart, pare_chart, PARE, CHART, GtkWidget)

struct _PareChartClass
{
  GtkWidgetClass parent_class;
  /* The data layer, on a cleared background. Must draw sensibly at any size and with no data. */
  void (*draw) (PareChart *self, cairo_t *cr, const PareLook *look, double w, double h);
  /* Above it, whenever the pointer is inside (nullable). */
  void (*draw_hover) (PareChart *self, cairo_t *cr, const PareLook *look, double w, double h, double x, double y);
  /* One sentence with every figure that the picture shows (transfer full). */
  char *(*describe) (PareChart *self);
  /* Adds rows of equal length to `rows` with pare_chart_row (); the first holds the heads. */
  void (*table) (PareChart *self, GPtrArray *rows);
  void (*measure_size) (PareChart *self, int *min_w, int *nat_w, int *min_h, int *nat_h);
  /* The pointer moved or left (x < 0). */
  void (*hover) (PareChart *self, double x, double y);
  /* Lines of tolerance and budget that can be dragged (each nullable). Which one lies under the point, -1: none. */
  int (*limit_at) (PareChart *self, double x, double y);
  /* What the line would say if it lay under the point, not rounded. The scale must hold still while pare_chart_get_dragged () is not -1. */
  double (*limit_value) (PareChart *self, PareLimitKind kind, double x, double y);
  /* The drag moved the line here (rounded). */
  void (*limit_moved) (PareChart *self, PareLimitKind kind, double value);
  /* A line is about to be dragged: keep the scale. */
  void (*limit_begin) (PareChart *self, PareLimitKind kind);
  gboolean drags_itself; /* has a drag gesture of its own, and calls pare_chart_limit_* () from it */
};

/* For subclasses: data changed. Redraws (throttled) and renews the accessible name. */
void pare_chart_changed (PareChart *self);
/* Redraws only what lies above the data. */
void pare_chart_hover_changed (PareChart *self);
gboolean pare_chart_get_pointer (PareChart *self, double *x, double *y);
/* Appends one row; the arguments are `char *` (transfer full), ended by NULL. */
void pare_chart_row (GPtrArray *rows, ...) G_GNUC_NULL_TERMINATED;

/* A line is under the pointer this far from it. */
#define PARE_CHART_LINE_REACH 6

/* Dragging a limit's line; for charts with a gesture of their own. begin: FALSE where there is no line. */
gboolean pare_chart_limit_begin (PareChart *self, double x, double y);
void pare_chart_limit_drag (PareChart *self, double x, double y, gboolean final);
void pare_chart_limit_cancel (PareChart *self);
int pare_chart_get_dragged (PareChart *self); /* PareLimitKind, -1 */

/* The reading of the chart in one sentence (transfer full). */
char *pare_chart_describe (PareChart *self);
/* (element-type GStrv) (transfer full): heads, then rows, numbers as plain text with a decimal point. */
GPtrArray *pare_chart_get_table (PareChart *self);
/* Writes .png (twice the size), .svg, .pdf or .csv, told by the end of the path. */
gboolean pare_chart_save (PareChart *self, const char *path, GError **error);
/* Draws at the given size, for pictures and reports. */
void pare_chart_draw (PareChart *self, cairo_t *cr, double w, double h);
/* Opens a window with the table. */
void pare_chart_show_table (PareChart *self);
/* Head and file name ("accuracy"). */
void pare_chart_set_title (PareChart *self, const char *title);
const char *pare_chart_get_title (PareChart *self);
/* The narrow window's form: shorter heads, fewer lines. */
void pare_chart_set_compact (PareChart *self, gboolean compact);
gboolean pare_chart_get_compact (PareChart *self);

/* Shared by the charts with a headline: title line, then value, unit, and what came of it on the right. Returns the height used. */
double pare_chart_draw_headline (PareChart *self, cairo_t *cr, const PareLook *look, double w, const char *value, const char *unit,
                                 const char *change, const GdkRGBA *change_colour, gboolean warn);
/* A small card with up to three lines (the first bold) beside (x, y), kept inside w, h. */
void pare_chart_draw_card (cairo_t *cr, const PareLook *look, double w, double h, double x, double y, const char *const *lines);
G_END_DECLS
