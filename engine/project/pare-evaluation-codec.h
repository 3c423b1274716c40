/* The per-sample part of an evaluation as bytes of fixed width, little endian, for the project file. */
#pragma once
#include "engine/evaluate/pare-evaluate.h"

/* (transfer full): prediction, label, confidence, correct, score, units and, with `outputs`, the kept outputs. */
GBytes *pare_evaluation_samples_to_bytes (const PareEvaluation *self, gboolean outputs);
/* Fills the arrays of an evaluation that has none. Every length is checked before memory is taken. */
gboolean pare_evaluation_samples_from_bytes (PareEvaluation *self, const void *data, gsize length, GError **error);
/* An empty one with one reference, figures that do not apply NAN. */
PareEvaluation *pare_evaluation_blank (void);

/* Per-layer times, in the same manner. */
GBytes *pare_layer_times_to_bytes (const PareLayerTime *times, guint n);
PareLayerTime *pare_layer_times_from_bytes (const void *data, gsize length, guint *n, GError **error);
