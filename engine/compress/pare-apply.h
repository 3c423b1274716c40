#pragma once
#include "engine/compress/pare-recipe.h"
#include "engine/compress/pare-statistics.h"
#include "engine/graph/pare-graph.h"

/* graph' = apply(source, recipe). Never mutates source; deterministic. statistics: needed where activations are quantized (an error names the layer
 * otherwise). warnings (nullable): char* appended for knobs that cannot apply ("layer 'x': 2:4 needs at least 4 input channels; left as it was").
 * control may be NULL. Layers that do not exist, model_sha256 that does not fit: PARE_ERROR_RECIPE. */
PareGraph *pare_apply (const PareGraph *source, const PareRecipe *recipe, const PareStatistics *statistics, GPtrArray *warnings, PareControl *control, GError **error);

/* TRUE if the node computes and takes weight knobs: Conv, ConvTranspose, Gemm, MatMul with a constant side, LSTM/GRU/RNN. weight: its constant input's index. */
gboolean pare_layer_is_compressible (const PareGraph *source, PareNodeId node, guint *weight);
/* The layer's weights as they stand after folding what belongs to it (BatchNorm): (transfer full) float32, NULL where there are none. */
PareTensor *pare_layer_dup_weights (const PareGraph *graph, const char *layer);

/* What a knob costs the layer by itself: |W - W'|^2 / |W|^2 of weights (0..). Cheap enough for a UI frame. */
typedef struct { double relative_error; double snr_db; gint64 zeros, count; } PareWeightError;
gboolean pare_layer_weight_error (const PareGraph *source, const PareLayerRecipe *resolved, const char *layer, PareWeightError *error_out, PareTensor **changed /* nullable, transfer full */);
/* Curves for the knobs, each computed once per layer: relative error at bits 2..8 and 16 (out[9]: index i is bits {2,3,4,5,6,7,8,16,float}); at 0..100 % in
 * n steps for a pruning kind; singular values (descending, transfer full) and the largest rank that still saves. */
void pare_layer_bits_curve (const PareGraph *source, const char *layer, const PareLayerRecipe *resolved, double out[9]);
void pare_layer_prune_curve (const PareGraph *source, const char *layer, ParePrune kind, guint n, double *out);
double *pare_layer_spectrum (const PareGraph *source, const char *layer, PareFactorize method, guint *n, guint *max_rank);

/* Coupled channel groups: layers whose output channels must go together, and those whose inputs follow. */
typedef struct { char **members; char **followers; gint64 channels; } PareCoupledGroup;
PareCoupledGroup *pare_coupled_group_find (const PareGraph *source, const char *layer); /* NULL: cannot be narrowed; reason by pare_coupled_group_why_not */
char *pare_coupled_group_why_not (const PareGraph *source, const char *layer);          /* (transfer full) (nullable) */
void pare_coupled_group_free (PareCoupledGroup *self);
