/* Inside of the prefix cache and of the runs that use it. */
#pragma once
#include "engine/evaluate/pare-prefix.h"

/* --- pare-state.c: what is kept --- */

/* Memory that many states lie in. */
typedef struct _PareStateRoom PareStateRoom;
void pare_state_room_unref (PareStateRoom *self); /* NULL: nothing */

/* The state of one sample at one cut. Reference counted. */
typedef struct
{
  gatomicrefcount refs;
  PareStateRoom *room; /* NULL: memory of its own */
  gint64 label;
  gsize bytes;   /* with this */
  guint8 data[]; /* packed */
} PareState;
/* (transfer full) What the runner holds; NULL: no memory. */
PareState *pare_state_new (PareRunner *runner, const PareCut *cut, gint64 label);
/* (transfer full) self, brought into the room or, if that is full, into a new one, which then takes its place: so many more are expected.
 */
PareState *pare_state_settle (PareState *self, PareStateRoom **room, guint more);
void pare_state_unref (PareState *self); /* NULL: nothing */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareState, pare_state_unref)
/* Puts it into the runner, returns the sample's label. */
gint64 pare_state_load (const PareState *self, PareRunner *runner, const PareCut *cut);
/* Asks memory for its beginning; NULL: nothing. */
void pare_state_touch (const PareState *self);

/* --- pare-prefix.c: the store --- */

/* A use of the cache for n samples in evaluation order. Returns what keys are mixed with: states of other data are never found. */
guint64 pare_prefix_cache_begin (ParePrefixCache *self, PareDataset *dataset, PareSplit split, guint n);
PareCutKey pare_prefix_key (PareCutKey cut, guint64 salt);
/* Samples kept. */
guint pare_prefix_cache_count (ParePrefixCache *self, PareCutKey key);
gboolean pare_prefix_cache_has (ParePrefixCache *self, PareCutKey key, guint rank);
/* States of n samples from `first` on (places in the order of evaluation), each at the first of the cuts that has one, looked up with one
 * lock: states[i] (transfer full) NULL: none; at[i]: which of the cuts. keys: by cut. */
void pare_prefix_cache_take (ParePrefixCache *self, const PareCutKey *keys, const guint *cuts, guint n_cuts, guint first, guint n,
                             PareState **states, guint *at);
/* Keeps the state that is in the runner. saved: multiplications that it spares. FALSE: there is no room for it. */
gboolean pare_prefix_cache_store (ParePrefixCache *self, PareCutKey key, guint rank, PareRunner *runner, const PareCut *cut, double saved,
                                  gint64 label);
/* Keys of the programs that ran last: where a new one leaves them is the place that is being changed. */
void pare_prefix_cache_note (ParePrefixCache *self, const PareCuts *cuts, guint64 salt);
/* Keeps a program that ran for its packed weights, which the next has in common with it, if it is not too large. only: no older one. */
void pare_prefix_cache_hold (ParePrefixCache *self, PareProgram *program, gboolean only);
gboolean pare_prefix_cache_noted (ParePrefixCache *self, PareCutKey key);
/* Some model was run on these samples. */
gboolean pare_prefix_cache_knows (ParePrefixCache *self, guint64 salt);
void pare_prefix_cache_count_runs (ParePrefixCache *self, guint hits, guint misses);

/* --- pare-prefix-choose.c: which cuts are worth keeping --- */

/* Seconds that a kept state spares, the time to fetch it taken off; <= 0: none. */
double pare_prefix_worth (const PareCuts *cuts, const PareCut *cut);
guint64 pare_prefix_expected_bytes (const PareCut *cut);
/* The cut that spares most over n samples if the steps from `step` on change, in three quarters of the budget; G_MAXUINT: none is worth it. */
guint pare_prefix_choose_before (const PareCuts *cuts, guint step, guint n, guint64 budget);
/* (transfer full) indices of cuts, most useful first, for changes at each step with the weights. At most `most`. first: chosen already, they
 * come before the others (nullable). */
GArray *pare_prefix_choose (const PareCuts *cuts, const double *weights, const GArray *first, guint n, guint64 budget, guint most);

/* --- pare-prefix-run.c: runs that begin at a kept state and leave some --- */

/* States that one worker has looked up and not read yet. Workers that ask the cache for each sample wait for each other more than they
 * read, where a sample takes microseconds. */
#define PARE_PREFIX_AHEAD 16
typedef struct
{
  guint first, n; /* samples */
  PareState *states[PARE_PREFIX_AHEAD];
  guint cuts[PARE_PREFIX_AHEAD], hits, misses;
} ParePrefixReader;

typedef struct
{
  ParePrefixCache *cache;
  PareProgram *program;
  const PareCuts *cuts; /* the program's */
  guint64 salt;
  PareCutKey *keys; /* of each cut, salted */
  GArray *usable;   /* guint: cuts that something is kept for, latest first */
  GArray *wanted;   /* guint: cuts that are to be kept, ascending */
  guint n;          /* samples */
  int n_readers;
  ParePrefixReader *readers; /* by worker */
  volatile gint full;        /* bit i: there was no room for wanted[i] */
} ParePrefixUse;
/* NULL: the program cannot be cut. wanted is empty. n: samples; workers: threads that will load. */
ParePrefixUse *pare_prefix_use_new (ParePrefixCache *cache, PareProgram *program, PareDataset *dataset, PareSplit split, guint n,
                                    int workers);
void pare_prefix_use_free (ParePrefixUse *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ParePrefixUse, pare_prefix_use_free)
/* Wants the state just before the first change against the programs that ran last, or some of a model that runs for the first time. */
void pare_prefix_use_want_change (ParePrefixUse *self, guint n);
/* The latest kept state of the sample, put into the runner; NULL: none. The worker will ask for all from `rank` to before `end`. */
const PareCut *pare_prefix_use_load (ParePrefixUse *self, int worker, guint rank, guint end, PareRunner *runner, gint64 *label);
/* Runs from `from` (NULL: the beginning) to step `to`, keeping what is wanted on the way. views NULL: `from` needs no input. */
gboolean pare_prefix_use_run (ParePrefixUse *self, PareRunner *runner, const PareCut *from, guint to, guint rank, gint64 label,
                              const PareView *views, guint n_views, PareControl *control, GError **error);
