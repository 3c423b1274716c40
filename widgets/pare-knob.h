/* What all knobs share: they take the focus, follow the look, and hear pointer, wheel and keys. */
#pragma once
#include "widgets/pare-draw.h"

G_BEGIN_DECLS
/* Handlers of GTK's signals of the same names, each nullable; the widget is their user data. */
typedef struct
{
  GCallback drag_begin, drag_update, drag_end, drag_cancel; /* GtkGestureDrag */
  GCallback pressed, released;                              /* GtkGestureClick */
  GCallback key_pressed;                                    /* GtkEventControllerKey */
  GCallback scroll;                                         /* GtkEventControllerScroll, by notches */
  GCallback enter, motion, leave;                           /* GtkEventControllerMotion */
  GCallback focus_leave;                                    /* GtkEventControllerFocus */
} PareKnobHandlers;

/* For the init of a knob's instance. */
void pare_knob_init (GtkWidget *widget, const PareKnobHandlers *handlers);
/* A wheel that turns by notches, up and down (transfer full). */
GtkEventController *pare_knob_scroll_new (void);
G_END_DECLS
