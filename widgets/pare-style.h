/* The palette of the design (light, dark, high contrast) and font sizes. Charts take every colour from here: canvas, knobs and
 * exported pictures agree. Follows AdwStyleManager. */
#pragma once
#include <gtk/gtk.h>

G_BEGIN_DECLS
/* How sure a figure is; one treatment each, everywhere. The order is PareOrigin's, so that the window may cast. */
typedef enum
{
  PARE_MARK_NONE,
  PARE_MARK_MEASURED,
  PARE_MARK_PROVISIONAL,
  PARE_MARK_STALE,
  PARE_MARK_PREDICTED
} PareMark;

typedef struct
{
  gboolean dark, high_contrast;
  GdkRGBA window, view, card, popover, button;
  GdkRGBA fg, second, line;     /* text; second text; lines and borders */
  GdkRGBA mark, tint, selected; /* marks of charts; their fills under a mark; tinted row */
  GdkRGBA fill;                 /* under white text */
  GdkRGBA link;
  GdkRGBA better, worse, warning;
  GdkRGBA hatch; /* grey: stale, dominated, ghosts */
  GdkRGBA knob;
  GdkRGBA delta_better, delta_worse;
  double scale;    /* of text: 1 at 96 dpi and text scaling 1 */
  char family[64]; /* of the user's interface font */
} PareLook;

#define PARE_BODY_PX (44.0 / 3) /* 11 pt */
#define PARE_CAPTION_PX 12.0    /* 9 pt: tables, inspector, charts */
#define PARE_TICK_PX (32.0 / 3) /* 8 pt: ticks, badges, second lines; nothing is smaller */
#define PARE_HEADLINE_PX 19.0   /* 14 pt bold */

/* Display-free; family and scale get defaults. */
void pare_look_init (PareLook *self, gboolean dark, gboolean high_contrast);
/* What the widget is to look like now. */
void pare_look_for_widget (PareLook *self, GtkWidget *widget);
/* Calls func (widget) when colours or fonts change, as long as the widget lives. */
void pare_look_watch (GtkWidget *widget, void (*func) (GtkWidget *widget));
/* Installs the style sheet of these widgets (focus ring, sizes) on the default display, once. */
void pare_style_load (void);

/* The colours of parts of a whole (stages, op groups) in their order; wraps around. */
void pare_look_part (const PareLook *self, guint i, GdkRGBA *colour);
/* Whether things may move. */
gboolean pare_look_animations (GtkWidget *widget);
G_END_DECLS
