#pragma once
#include "engine/project/pare-session.h"

/* What the inspector draws of one layer: curves of the knobs and histograms before and after, computed in a worker thread. Immutable once
 * handed over. */
#define PARE_STUDY_BINS 64
#define PARE_STUDY_PRUNE 41

typedef struct
{
  char *layer;
  gboolean has_weights;
  double bits_error[9];                 /* relative error at 2 3 4 5 6 7 8 16 float bits */
  double prune_error[PARE_STUDY_PRUNE]; /* relative error at 0 .. 100 % */
  ParePrune prune_kind;
  double *spectrum;
  guint n_spectrum, max_rank;
  PareFactorize spectrum_method;
  double low, high; /* of the weight histogram */
  double before[PARE_STUDY_BINS], after[PARE_STUDY_BINS];
  PareWeightError error;
  gboolean has_error;
  char *coupled; /* "Also narrows the input of ..." or why channels cannot go; NULL */
  gboolean can_narrow;
  char **coupled_layers; /* members and followers but the layer itself; NULL */
} PareLayerStudy;

void pare_layer_study_free (PareLayerStudy *self);
/* Reads the graph and the recipe now, computes in a thread. The newest call's callback is the one that matters: pass a cancellable. */
void pare_layer_study_async (const PareGraph *graph, const char *layer, const PareLayerRecipe *resolved, GCancellable *cancellable,
                             GAsyncReadyCallback callback, gpointer data);
PareLayerStudy *pare_layer_study_finish (GAsyncResult *result, GError **error);
