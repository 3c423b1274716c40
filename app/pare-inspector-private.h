/* Shared by pare-inspector.c (what it shows) and pare-inspector-build.c (its widgets and what they do). */
#pragma once
#include "app/pare-inspector.h"
#include "app/pare-layer-study.h"
#include "widgets/pare-bits-knob.h"
#include "widgets/pare-curve-knob.h"
#include "widgets/pare-format.h"
#include "widgets/pare-histogram-view.h"
#include "widgets/pare-op-dot.h"
#include "widgets/pare-spectrum-knob.h"

struct _PareInspector
{
  GtkWidget parent_instance;
  PareSession *session;
  PareSelection *selection;
  GtkWidget *box, *swatch, *knobs, *per_layer, *histograms, *activations_box, *details;
  GtkLabel *title, *detail, *note, *coupled;
  GtkLabel *size_value, *size_note, *time_title, *time_value, *time_note, *error_value, *error_note;
  GtkLabel *layer_error, *rank_note, *activations_note;
  PareBitsKnob *weight_bits, *activation_bits;
  GtkDropDown *granularity, *range, *calibrator, *prune_kind, *factorize, *share;
  PareCurveKnob *prune_ratio;
  PareSpectrumKnob *rank;
  PareHistogramView *weights, *activations;
  PareLayerStudy *study; /* of the one selected layer, or NULL */
  GCancellable *study_cancel;
  gboolean updating; /* widgets are being set, not touched */
  /* pare-inspector-preview.c */
  PareLayerRecipe preview_change;
  PareControl *preview_control; /* of the computation that runs */
  gboolean previewing, preview_wanted, preview_busy, preview_shown;
  guint drag; /* group of the drag under way; the next one gets another */
};

void pare_inspector_build (PareInspector *self);
void pare_inspector_show_figures (PareInspector *self); /* the three at the head, as they are */
/* The three at the head as they would be after `change` of the selected layers; NULL: as they are. */
void pare_inspector_preview (PareInspector *self, const PareLayerRecipe *change);
void pare_inspector_end_preview (PareInspector *self);
void pare_inspector_show_details (PareInspector *self); /* attributes and tensors */
