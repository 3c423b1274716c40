/* Runs that begin where the model has not changed. */
#include "engine/evaluate/pare-evaluate-private.h"
#include "engine/evaluate/pare-prefix-private.h"

ParePrefixUse *
pare_prefix_use_new (ParePrefixCache *cache, PareProgram *program, PareDataset *dataset, PareSplit split, guint n, int workers)
{
  const PareCuts *cuts = pare_program_get_cuts (program);
  if (cuts->n == 0)
    return NULL;
  ParePrefixUse *self = g_new0 (ParePrefixUse, 1);
  self->cache = pare_prefix_cache_ref (cache);
  self->salt = pare_prefix_cache_begin (cache, dataset, split, n);
  self->keys = g_new (PareCutKey, cuts->n);
  self->n = n;
  self->n_readers = workers;
  self->readers = g_new0 (ParePrefixReader, workers);
  self->usable = g_array_new (FALSE, FALSE, sizeof (guint));
  self->wanted = g_array_new (FALSE, FALSE, sizeof (guint));
  for (guint i = 0; i < cuts->n; i++)
    self->keys[i] = pare_prefix_key (cuts->cuts[i].key, self->salt);
  for (guint i = cuts->n; i-- > 0;)
    if (pare_prefix_cache_count (cache, self->keys[i]) > 0)
      g_array_append_val (self->usable, i);
  self->program = pare_program_ref (program);
  self->cuts = cuts;
  return self;
}

static void
let_go (ParePrefixUse *self, ParePrefixReader *reader)
{
  for (guint i = 0; i < reader->n; i++)
    g_clear_pointer (&reader->states[i], pare_state_unref);
  reader->n = 0;
  pare_prefix_cache_count_runs (self->cache, reader->hits, reader->misses);
  reader->hits = reader->misses = 0;
}

void
pare_prefix_use_free (ParePrefixUse *self)
{
  if (self == NULL)
    return;
  for (int i = 0; i < self->n_readers; i++)
    let_go (self, &self->readers[i]);
  g_free (self->readers);
  pare_program_unref (self->program);
  pare_prefix_cache_unref (self->cache);
  g_free (self->keys);
  g_array_unref (self->usable);
  g_array_unref (self->wanted);
  g_free (self);
}

static int
ascending (gconstpointer a, gconstpointer b)
{
  guint x = *(const guint *)a, y = *(const guint *)b;
  return (x > y) - (x < y);
}

void
pare_prefix_use_want_change (ParePrefixUse *self, guint n)
{
  guint64 budget = pare_prefix_cache_get_budget (self->cache);
  guint change = G_MAXUINT, best = G_MAXUINT;
  for (guint i = 0; i < self->cuts->n; i++)
    if (pare_prefix_cache_noted (self->cache, self->keys[i]))
      change = i;
  if (change != G_MAXUINT && change + 1 < self->cuts->n)
    best = pare_prefix_choose_before (self->cuts, self->cuts->cuts[change].step, n, budget);
  else if (change == G_MAXUINT && !pare_prefix_cache_knows (self->cache, self->salt))
    {
      /* Nothing is known yet of what will be changed: any layer. (Where the first step has changed, there is nothing before it to keep;
       * what comes after it is kept when nothing else runs.) */
      g_autofree double *weights = g_new (double, self->cuts->n_steps + 1);
      for (guint i = 0; i < self->cuts->n_steps; i++)
        weights[i] = 1;
      g_array_unref (self->wanted);
      self->wanted = pare_prefix_choose (self->cuts, weights, NULL, n, budget / 2, 4);
      g_array_sort (self->wanted, ascending);
    }
  if (best != G_MAXUINT && pare_prefix_cache_count (self->cache, self->keys[best]) < n)
    g_array_append_val (self->wanted, best);
  pare_prefix_cache_note (self->cache, self->cuts, self->salt);
}

const PareCut *
pare_prefix_use_load (ParePrefixUse *self, int worker, guint rank, guint end, PareRunner *runner, gint64 *label)
{
  ParePrefixReader *reader = &self->readers[worker];
  if (rank - reader->first >= reader->n)
    {
      let_go (self, reader);
      reader->first = rank;
      reader->n = CLAMP (end - rank, 1, PARE_PREFIX_AHEAD);
      pare_prefix_cache_take (self->cache, self->keys, (const guint *)(const void *)self->usable->data, self->usable->len, rank, reader->n,
                              reader->states, reader->cuts);
    }
  guint at = rank - reader->first;
  g_autoptr (PareState) state = g_steal_pointer (&reader->states[at]);
  const PareState *next = at + 1 < reader->n ? reader->states[at + 1] : NULL;
  if (next != NULL)
    pare_runner_expect (runner, next, next->bytes);
  if (state == NULL)
    {
      reader->misses++;
      return NULL;
    }
  const PareCut *cut = &self->cuts->cuts[reader->cuts[at]];
  *label = pare_state_load (state, runner, cut);
  reader->hits++;
  return cut;
}

gboolean
pare_prefix_use_run (ParePrefixUse *self, PareRunner *runner, const PareCut *from, guint to, guint rank, gint64 label,
                     const PareView *views, guint n_views, PareControl *control, GError **error)
{
  guint at = from != NULL ? from->step : 0;
  for (guint i = 0; i < self->wanted->len && i < 30; i++)
    {
      guint index = g_array_index (self->wanted, guint, i);
      const PareCut *cut = &self->cuts->cuts[index];
      if (cut->step <= at || cut->step > to || (g_atomic_int_get (&self->full) & (1 << i)) != 0
          || pare_prefix_cache_has (self->cache, self->keys[index], rank))
        continue;
      if (!pare_runner_run_part (runner, views, n_views, at, cut->step, control, error))
        return FALSE;
      at = cut->step;
      if (!pare_prefix_cache_store (self->cache, self->keys[index], rank, runner, cut, cut->work * (double)self->cuts->work, label))
        g_atomic_int_or ((guint *)&self->full, 1u << i);
    }
  return at >= to || pare_runner_run_part (runner, views, n_views, at, to, control, error);
}
