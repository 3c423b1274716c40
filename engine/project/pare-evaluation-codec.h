/* The per-sample part of an evaluation as bytes of fixed width, little endian, for the project file. */
#pragma once
#include "engine/cost/pare-cost.h"
#include "engine/evaluate/pare-evaluate.h"

/* (transfer full): prediction, label, confidence, correct, score, units and, with `outputs`, the kept outputs. */
GBytes *pare_evaluation_samples_to_bytes (const PareEvaluation *self, gboolean outputs);
/* Fills the arrays of an evaluation that has none. Every length is checked before memory is taken. */
gboolean pare_evaluation_samples_from_bytes (PareEvaluation *self, const void *data, gsize length, GError **error);
/* An empty one with one reference, figures that do not apply NAN. */
PareEvaluation *pare_evaluation_blank (void);

/* What a latency knows by layer, and of its memory and threads, in the same manner. (transfer full) */
GBytes *pare_latency_layers_to_bytes (const PareLatency *latency);
/* Fills that part of a latency; what it held of it is freed. FALSE: damaged, and that part is empty. */
gboolean pare_latency_layers_from_bytes (PareLatency *latency, const void *data, gsize length, GError **error);
