/* PareSpectrumKnob: the singular values of a layer as bars, and the rank at which they are cut.
 *
 * # Signals
 * - `changed` (int rank, gboolean final): not final while dragging, final on release
 *
 * - `preview` (int rank; 0: left): the pointer or the keyboard's cursor (Ctrl+Left / Right; Space or Enter takes it, Esc ends it) rests on
 * a rank
 *
 * Role `slider`. Arrows: one legal rank; Shift: ten; Home, End. */
#pragma once
#include "widgets/pare-draw.h"

G_BEGIN_DECLS
#define PARE_TYPE_SPECTRUM_KNOB (pare_spectrum_knob_get_type ())
G_DECLARE_FINAL_TYPE (PareSpectrumKnob, pare_spectrum_knob, PARE, SPECTRUM_KNOB, GtkWidget)

GtkWidget *pare_spectrum_knob_new (const char *name);
void pare_spectrum_knob_set_values (PareSpectrumKnob *self, const double *singular, guint n); /* descending; n == 0: not computed yet */
/* 1..n; 0: off, the layer stays whole. gain_below: ranks from here on save nothing (0: unknown), they are drawn grey to the right of a
 * tick. */
void pare_spectrum_knob_set_rank (PareSpectrumKnob *self, guint rank, guint gain_below);
guint pare_spectrum_knob_get_rank (PareSpectrumKnob *self);
void pare_spectrum_knob_set_step (PareSpectrumKnob *self, guint step); /* legal ranks are multiples (SIMD width) */
/* Share of the squared values that `rank` keeps, 0..1. */
double pare_spectrum_knob_energy (PareSpectrumKnob *self, guint rank);
void pare_spectrum_knob_set_reason (PareSpectrumKnob *self, const char *reason);
G_END_DECLS
