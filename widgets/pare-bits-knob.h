/* PareBitsKnob: 2 3 4 5 6 7 8 16 float as one row of segments, the error of each above it.
 *
 * # Signals
 * - `changed` (int bits, gboolean final): always final, one choice is one step
 * - `preview` (int bits; 0: left): the pointer or the keyboard cursor rests on a choice
 *
 * Role `radio-group`, each segment a `radio`. Left / Right, digits 2..8, 0 or F: float, 1: 16.
 * Ctrl+Left / Right move a cursor that only previews; Space or Enter takes what it is on, Esc or leaving ends it. */
#pragma once
#include "widgets/pare-draw.h"

G_BEGIN_DECLS
#define PARE_TYPE_BITS_KNOB (pare_bits_knob_get_type ())
G_DECLARE_FINAL_TYPE (PareBitsKnob, pare_bits_knob, PARE, BITS_KNOB, GtkWidget)

#define PARE_BITS_KNOB_FLOAT 32
#define PARE_BITS_KNOB_N 9
/* 2 3 4 5 6 7 8 16 32 */
extern const int pare_bits_knob_choices[PARE_BITS_KNOB_N];

GtkWidget *pare_bits_knob_new (const char *name); /* accessible name: "Weight bits" */
/* The values of all selected layers; different ones show as mixed. Emits nothing. n == 0: none. */
void pare_bits_knob_set_values (PareBitsKnob *self, const int *bits, guint n);
int pare_bits_knob_get_value (PareBitsKnob *self); /* 0: none or mixed */
/* Error of each choice, in pare_bits_knob_choices' order; NAN: not known; NULL: no curve is shown. */
void pare_bits_knob_set_errors (PareBitsKnob *self, const double errors[PARE_BITS_KNOB_N]);
/* Why this knob cannot be used (insensitive, shown in place); NULL: it can. */
void pare_bits_knob_set_reason (PareBitsKnob *self, const char *reason);
G_END_DECLS
