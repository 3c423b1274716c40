/* Runs that begin where the model has not changed. */
#include "engine/evaluate/pare-evaluate-private.h"
#include "engine/evaluate/pare-prefix-private.h"

ParePrefixUse *
pare_prefix_use_new (ParePrefixCache *cache, PareProgram *program, PareDataset *dataset, PareSplit split, guint n)
{
  g_autoptr (PareCuts) cuts = pare_program_find_cuts (program);
  if (cuts->n == 0)
    return NULL;
  ParePrefixUse *self = g_new0 (ParePrefixUse, 1);
  self->cache = pare_prefix_cache_ref (cache);
  self->salt = pare_prefix_cache_begin (cache, dataset, split, n);
  self->keys = g_new (PareCutKey, cuts->n);
  self->usable = g_array_new (FALSE, FALSE, sizeof (guint));
  self->wanted = g_array_new (FALSE, FALSE, sizeof (guint));
  for (guint i = 0; i < cuts->n; i++)
    self->keys[i] = pare_prefix_key (cuts->cuts[i].key, self->salt);
  for (guint i = cuts->n; i-- > 0;)
    if (pare_prefix_cache_count (cache, self->keys[i]) > 0)
      g_array_append_val (self->usable, i);
  self->cuts = g_steal_pointer (&cuts);
  return self;
}

void
pare_prefix_use_free (ParePrefixUse *self)
{
  if (self == NULL)
    return;
  pare_cuts_free (self->cuts);
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
    best = pare_prefix_choose_before (self->cuts, self->cuts->cuts[change].step, n, budget / 4 * 3);
  else if (change == G_MAXUINT && !pare_prefix_cache_knows (self->cache, self->salt))
    {
      /* Nothing is known yet of what will be changed: any layer. (Where the first step has changed, there is nothing before it to keep;
       * what comes after it is kept when nothing else runs.) */
      g_autofree double *weights = g_new (double, self->cuts->n_steps + 1);
      for (guint i = 0; i < self->cuts->n_steps; i++)
        weights[i] = 1;
      g_array_unref (self->wanted);
      self->wanted = pare_prefix_choose (self->cuts, weights, n, budget / 2, 4);
      g_array_sort (self->wanted, ascending);
    }
  if (best != G_MAXUINT)
    g_array_append_val (self->wanted, best);
  pare_prefix_cache_note (self->cache, self->cuts, self->salt);
}

const PareCut *
pare_prefix_use_load (ParePrefixUse *self, guint rank, PareRunner *runner, gint64 *label)
{
  for (guint i = 0; i < self->usable->len; i++)
    {
      guint cut = g_array_index (self->usable, guint, i);
      if (pare_prefix_cache_load (self->cache, self->keys[cut], rank, runner, &self->cuts->cuts[cut], label))
        return &self->cuts->cuts[cut];
    }
  return NULL;
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
