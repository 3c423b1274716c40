/* What the files of this room share. */
#pragma once
#include "engine/base/pare-error.h"
#include "engine/compress/pare-apply.h"

/* --- pare-weights.c: where a layer keeps its weights --- */

/* The weights of a layer: which input, and how its tensor is to be read. */
typedef struct
{
  guint input;
  int out_axis; /* output channels: scales run along it */
  int in_axis;  /* the summed axis: n:m patterns run along it */
} PareWeightPlace;

/* A constant behind Constant, Identity, Cast, Reshape, Transpose, Squeeze, Unsqueeze and Flatten nodes; (transfer full) (nullable), the
 * value's own dtype. */
PareTensor *pare_weights_materialize (const PareGraph *graph, PareValueId value);
gboolean pare_weights_place (const PareGraph *graph, PareNodeId node, PareWeightPlace *place);
/* The same of a layer as float32; NULL where there are none or they are no floats. */
PareTensor *pare_weights_dup (const PareGraph *graph, PareNodeId node, PareWeightPlace *place);
/* The tensor's elements around one axis: element (o, c, i) stands at (o * n + c) * inner + i. axis -1: n is 1. */
typedef struct
{
  gsize outer, n, inner;
} PareAxisSplit;
PareAxisSplit pare_axis_split (const PareShape *shape, int axis);
void pare_axis_gather (const float *data, const PareAxisSplit *split, gsize channel, float *out);
void pare_axis_scatter (float *data, const PareAxisSplit *split, gsize channel, const float *in);
/* Weights times gamma / sqrt (var + epsilon) of the BatchNormalization that follows the layer and nothing else reads. */
PareNodeId pare_weights_following_batch_norm (const PareGraph *graph, PareNodeId node);
gboolean pare_weights_scale_by_batch_norm (const PareGraph *graph, PareNodeId batch_norm, const PareWeightPlace *place, gint64 group,
                                           PareTensor *weights);

/* --- pare-grid.c: weights on an integer grid --- */

/* Lays data on the grid in place and returns it. axis -1: one scale. */
PareQuant *pare_grid_apply (float *data, const PareShape *shape, int axis, int bits, PareRange range);
/* Again with one channel's scale set from outside. */
void pare_grid_apply_scale (float *data, const PareShape *shape, const PareQuant *quant, guint channel);
/* The 2.4-norm of the rounding error at one scale, to the power of 2.4. */
double pare_grid_error (const float *w, gsize n, float scale, float top);
/* Rounds to float16 where the range allows it and nobody asks for bfloat, else to bfloat16; which of them. */
PareDtype pare_grid_round_16 (float *data, gsize n, gboolean bfloat);

/* --- pare-prune.c --- */
void pare_prune_unstructured (float *data, gsize n, double ratio);
void pare_prune_n_m (float *data, const PareShape *shape, int axis, int zeros, int of);
/* The magnitudes sorted, smallest first, as their bits (which sort like the numbers). */
guint32 *pare_prune_sorted_magnitudes (const float *data, gsize n);

/* --- pare-cluster.c --- */
/* At most k distinct values in place; zeros stay zero when keep_zeros. */
void pare_cluster_apply (float *data, gsize n, int k, gboolean keep_zeros);

/* --- pare-factorize.c --- */
/* Why a layer cannot be factorized so, (transfer full), or NULL. rank 0: whatever saves. */
char *pare_factorize_why_not (const PareGraph *graph, PareNodeId node, PareFactorize method, int rank);
/* Replaces the node by two; the weights are a constant. */
gboolean pare_factorize_node (PareGraph *graph, PareNodeId node, PareFactorize method, int rank, GError **error);
/* Largest rank that saves; 0: none. matrix: the weights unfolded, (transfer full) (nullable), rows x columns. */
guint pare_factorize_max_rank (const PareShape *weights, const PareWeightPlace *place, PareFactorize method, gsize *rows, gsize *columns);
float *pare_factorize_unfold (const PareTensor *weights, const PareWeightPlace *place, PareFactorize method, gsize *rows, gsize *columns);
void pare_factorize_fold (const float *matrix, PareTensor *weights, const PareWeightPlace *place, PareFactorize method);
/* matrix (rows x columns, destroyed) = left (rows x rank) * right (rank x columns), the singular values' roots on both sides. */
gboolean pare_factorize_split (float *matrix, gsize rows, gsize columns, int rank, float *left, float *right);

/* --- pare-channels.c, pare-channels-narrow.c: whole channels --- */

/* Every channel of every value as a unit in a union-find: units that must go together have one root. */
typedef struct _PareChannels PareChannels;
PareChannels *pare_channels_new (const PareGraph *graph);
void pare_channels_free (PareChannels *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareChannels, pare_channels_free)
/* For each node whether it owns channels that another node's channels are tied to. Adds node ids of all members of groups with `node` in
 * them. */
void pare_channels_members (PareChannels *self, PareNodeId node, GHashTable *members, GHashTable *followers);
/* Why no channel of the node's output may go, (transfer full), or NULL; count: those that may. */
char *pare_channels_why_not (PareChannels *self, PareNodeId node, gint64 *count);
/* Removes channels of `graph` (the one that self was made from, nodes not yet moved) as the recipes ask. resolved: indexed by node->origin.
 */
gboolean pare_channels_narrow (PareChannels *self, PareGraph *graph, const PareLayerRecipe *resolved, guint n_resolved, GPtrArray *warnings,
                               GError **error);

/* --- pare-activations.c --- */
gboolean pare_activations_apply (PareGraph *graph, const PareGraph *source, const PareLayerRecipe *resolved,
                                 const PareStatistics *statistics, GPtrArray *warnings, GError **error);
/* Ops whose output may carry a grid of its own or the same as their input; used to choose what calibration watches. */
gboolean pare_activations_watches (const PareGraph *graph, const PareConsumers *consumers, PareValueId value);

/* --- pare-apply.c --- */
void pare_warn (GPtrArray *warnings, const char *layer, const char *format, ...) G_GNUC_PRINTF (3, 4);
gboolean pare_recipe_narrow_bits (int bits);                    /* 2..8 or 16 */
gboolean pare_recipe_touches (const PareLayerRecipe *resolved); /* asks for anything */
gboolean pare_weights_check_finite (const PareTensor *weights, const char *layer, GError **error);
