/* What the first part of a model computed for each sample, kept so that a change further back runs only what comes after it. */
#pragma once
#include "engine/dataset/pare-dataset.h"
#include "engine/lower/pare-program-cut.h"

/* States of runs at cuts, by what computes them and by sample. Thread-safe, reference counted. */
typedef struct _ParePrefixCache ParePrefixCache;
/* budget: bytes; 0: a quarter of the memory that is free now, at most 1 GiB. */
ParePrefixCache *pare_prefix_cache_new (guint64 budget);
ParePrefixCache *pare_prefix_cache_ref (ParePrefixCache *self);
void pare_prefix_cache_unref (ParePrefixCache *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ParePrefixCache, pare_prefix_cache_unref)
/* Gives memory back at once where it is less than before. */
void pare_prefix_cache_set_budget (ParePrefixCache *self, guint64 budget);
guint64 pare_prefix_cache_get_budget (ParePrefixCache *self);
guint64 pare_prefix_cache_get_bytes (ParePrefixCache *self);
void pare_prefix_cache_clear (ParePrefixCache *self);
/* Runs that began with a kept state, and those that began with the input, since the cache was made. */
void pare_prefix_cache_get_counts (ParePrefixCache *self, guint64 *hits, guint64 *misses);

typedef struct
{
  PareSplit split;
  guint limit; /* as in the evaluation that is to gain from it */
  int threads; /* 0: default */
  PareBackend backend;
  const PareNodeId *focus; /* nodes of the source graph that are likely to be changed next */
  guint n_focus;
} ParePrefixFillOptions;
/* Runs the model over the samples as far as cuts that spare most if one of the focused layers (first of all), or any other, is changed
 * next. Cancelled by control: what is kept by then stays. FALSE: error. */
gboolean pare_prefix_cache_fill (ParePrefixCache *self, const PareGraph *graph, PareDataset *dataset, const ParePrefixFillOptions *options,
                                 PareControl *control, GError **error);
