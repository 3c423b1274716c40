/* Strokes, fills and text that charts and knobs share: the design's visual grammar in cairo. */
#pragma once
#include "widgets/pare-style.h"

G_BEGIN_DECLS
typedef enum
{
  PARE_TEXT_LEFT = 0,
  PARE_TEXT_MIDDLE = 1,
  PARE_TEXT_RIGHT = 2,
  PARE_TEXT_BOLD = 4,
  PARE_TEXT_ITALIC = 8,
  PARE_TEXT_HALO = 16, /* outlined with the view's colour, to read over lines */
} PareTextFlags;

void pare_draw_source (cairo_t *cr, const GdkRGBA *colour, double alpha);
/* px at scale 1; (x, y) on the base line. Returns the width. max_width > 0: cut with an ellipsis. */
double pare_draw_text (cairo_t *cr, const PareLook *look, const GdkRGBA *colour, double px, PareTextFlags flags, double x, double y,
                       double max_width, const char *text);
double pare_draw_text_width (cairo_t *cr, const PareLook *look, double px, PareTextFlags flags, const char *text);
/* The same without a cairo context, for measuring. */
double pare_draw_measure_text (GtkWidget *widget, double px, PareTextFlags flags, const char *text);
void pare_draw_line (cairo_t *cr, const GdkRGBA *colour, double width, double x1, double y1, double x2, double y2);
/* on <= 0: solid */
void pare_draw_dash (cairo_t *cr, double on, double off);
void pare_draw_rounded (cairo_t *cr, double x, double y, double w, double h, double radius);
/* 45 degree stripes, `stripe` wide every `every`, over the current path's inside; the path is consumed. */
void pare_draw_hatch (cairo_t *cr, const GdkRGBA *colour, double alpha, double stripe, double every);
/* The area beyond a budget or tolerance. */
void pare_draw_forbidden (cairo_t *cr, const PareLook *look, double x, double y, double w, double h, double alpha);
/* A bar in the treatment of its mark. */
void pare_draw_bar (cairo_t *cr, const PareLook *look, PareMark mark, double x, double y, double w, double h);
/* Horizontal or vertical error bar with 3 px caps around the middle. */
void pare_draw_whisker_h (cairo_t *cr, const GdkRGBA *colour, double x1, double x2, double y);
void pare_draw_icon_warning (cairo_t *cr, const GdkRGBA *colour, double x, double y, double size);
G_END_DECLS
