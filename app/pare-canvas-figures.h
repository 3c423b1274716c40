#pragma once
#include "engine/project/pare-session.h"

/* What the canvas shows of a recipe that is only looked at: each layer's cost and the error of its weights, computed in a worker.
 * Immutable once handed over. */
typedef struct
{
  gint64 entry;       /* of the history it was computed for */
  GArray *layers;     /* PareLayerCost */
  GHashTable *costs;  /* layer -> PareLayerCost, borrowed from layers */
  GHashTable *errors; /* layer -> double, |W - W'|^2 / |W|^2; absent: has no weights */
} PareCanvasFigures;

/* Releases everything; NULL is allowed. */
void pare_canvas_figures_free (PareCanvasFigures *self);
/* graph, recipe, statistics (nullable): kept alive as long as the work runs. Without statistics activations stay as they are: their ranges
 * are not known, and neither sizes nor weights depend on them. */
void pare_canvas_figures_async (const PareGraph *graph, const PareRecipe *recipe, PareStatistics *statistics, gint64 entry,
                                GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data);
/* (transfer full); NULL and error: the recipe cannot be applied, or the work was cancelled. */
PareCanvasFigures *pare_canvas_figures_finish (GAsyncResult *result, GError **error);
/* By layer name: PareProfileRow of the layers that have a step of their own, borrowed from the profile as the names are from the graph.
 * (transfer full) */
GHashTable *pare_canvas_figures_times (const PareProfile *profile, const PareGraph *graph);
