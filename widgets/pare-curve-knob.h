/* PareCurveKnob: a value from 0 to 1 on the curve of what it costs, with a handle to drag and a spin button for exact values.
 *
 * # Signals
 * - `changed` (double value, gboolean final): not final while dragging, final on release; keys and the spin button are final at once. One
 * final, one undo step.
 * - `shifted` (double delta, gboolean final): Alt+drag with mixed values, all move by the same difference
 *
 * - `preview` (double value; NAN: left): the pointer or the keyboard's cursor (Ctrl+Left / Right; Space or Enter takes it, Esc ends it)
 * rests on a value, or one is being typed
 *
 * Role `slider`. Arrows: next legal step; Shift: ten; Alt: 0.1 %; Home, End. Ctrl while dragging: no snapping. The wheel acts only with the
 * focus. */
#pragma once
#include "widgets/pare-draw.h"

G_BEGIN_DECLS
#define PARE_TYPE_CURVE_KNOB (pare_curve_knob_get_type ())
G_DECLARE_FINAL_TYPE (PareCurveKnob, pare_curve_knob, PARE, CURVE_KNOB, GtkWidget)

GtkWidget *pare_curve_knob_new (const char *name);
/* The spin button with − and +, 24 px high, for the row above the curve (borrowed; the caller places it). */
GtkWidget *pare_curve_knob_get_spin (PareCurveKnob *self);
void pare_curve_knob_set_values (PareCurveKnob *self, const double *values, guint n); /* emits nothing; different ones: mixed */
double pare_curve_knob_get_value (PareCurveKnob *self);                               /* mixed or none: NAN */
void pare_curve_knob_set_steps (PareCurveKnob *self, const double *steps, guint n);   /* legal values, ascending; n == 0: all */
/* error[i] at ratio x[i], ascending; n == 0: not computed yet (grey). free_until: up to here it costs nothing (dead channels), NAN. */
void pare_curve_knob_set_curve (PareCurveKnob *self, const double *x, const double *error, guint n, double free_until);
void pare_curve_knob_set_texts (PareCurveKnob *self, const char *first, const char *second);
void pare_curve_knob_set_reason (PareCurveKnob *self, const char *reason);
G_END_DECLS
