/* Keeping states while nobody waits for a figure. */
#include "engine/base/pare-error.h"
#include "engine/evaluate/pare-evaluate-private.h"
#include "engine/evaluate/pare-prefix-private.h"

#define MOST_CUTS 12
#define MOST_OF_FOCUS 4
#define FOCUS 40.0

typedef struct
{
  ParePrefixUse *use;
  PareProgram *program;
  PareDataset *dataset;
  PareSplit split;
  PareControl *control;
  const guint *order;
  PareRunner **runners;
  guint target; /* cut */
  guint done, total;
  GMutex lock; /* of error */
  GError *error;
} Fill;

static gboolean
fill_sample (Fill *f, guint rank, int worker, GError **error)
{
  const PareCut *target = &f->use->cuts->cuts[f->target];
  g_auto (PareSample) loaded = { 0 };
  gint64 label = -1;
  if (pare_control_check (f->control, error))
    return FALSE;
  if (g_atomic_int_get (&f->use->full) != 0 || pare_prefix_cache_has (f->use->cache, f->use->keys[f->target], rank))
    return TRUE;
  if (f->runners[worker] == NULL && (f->runners[worker] = pare_runner_new (f->program, 1, error)) == NULL)
    return FALSE;
  /* from the latest state before the target */
  const guint *usable = (const guint *)(const void *)f->use->usable->data;
  guint skip = 0, cut;
  while (skip < f->use->usable->len && usable[skip] >= f->target)
    skip++;
  g_autoptr (PareState) state = NULL;
  pare_prefix_cache_take (f->use->cache, f->use->keys, usable + skip, f->use->usable->len - skip, rank, 1, &state, &cut);
  const PareCut *from = state != NULL ? &f->use->cuts->cuts[cut] : NULL;
  if (state != NULL)
    label = pare_state_load (state, f->runners[worker], from);
  guint n = pare_program_get_n_inputs (f->program);
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_tensor_unref);
  g_autofree PareView *views = NULL;
  if (from == NULL || from->needs_input)
    {
      views = g_new0 (PareView, MAX (n, 1));
      if (!pare_dataset_load (f->dataset, f->split, f->order[rank], &loaded, error)
          || !pare_evaluate_inputs (f->program, f->dataset, loaded.x, kept, views, error))
        return FALSE;
      label = loaded.label;
    }
  return pare_prefix_use_run (f->use, f->runners[worker], from, target->step, rank, label, views, n, f->control, error);
}

static gboolean
on_rank (guint rank, int worker, gpointer data)
{
  Fill *f = data;
  GError *error = NULL;
  if (fill_sample (f, rank, worker, &error))
    {
      pare_control_report (f->control, "prefix", (guint)g_atomic_int_add ((gint *)&f->done, 1) + 1, f->total);
      return TRUE;
    }
  g_mutex_lock (&f->lock);
  if (f->error == NULL)
    f->error = g_steal_pointer (&error);
  g_mutex_unlock (&f->lock);
  g_clear_error (&error);
  return FALSE;
}

/* One change of each layer is as likely as of another; of those in focus, much more. */
static double *
weights_of (const PareCuts *cuts, const ParePrefixFillOptions *options)
{
  double *weights = g_new0 (double, cuts->n_steps + 1);
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  for (guint s = 0; s < cuts->n_steps; s++)
    {
      if (cuts->layers[s] == PARE_NONE || !g_hash_table_add (seen, GUINT_TO_POINTER (cuts->layers[s] + 1)))
        continue;
      weights[s] = 1;
      for (guint k = 0; k < options->n_focus; k++)
        if (options->focus[k] == cuts->layers[s])
          weights[s] = FOCUS;
    }
  return weights;
}

/* What an evaluation of a change of them would keep while somebody waits for it. */
static GArray *
cuts_of_focus (const PareCuts *cuts, const ParePrefixFillOptions *options, guint n, guint64 budget)
{
  GArray *chosen = g_array_new (FALSE, FALSE, sizeof (guint));
  for (guint k = 0; k < options->n_focus && chosen->len < MOST_OF_FOCUS; k++)
    {
      guint step = 0;
      while (step < cuts->n_steps && cuts->layers[step] != options->focus[k])
        step++;
      guint best = step < cuts->n_steps ? pare_prefix_choose_before (cuts, step, n, budget) : G_MAXUINT;
      gboolean there = best == G_MAXUINT;
      for (guint i = 0; i < chosen->len; i++)
        there |= g_array_index (chosen, guint, i) == best;
      if (!there)
        g_array_append_val (chosen, best);
    }
  return chosen;
}

static void
fill_clear (Fill *f, int threads)
{
  for (int i = 0; i < threads; i++)
    if (f->runners[i] != NULL)
      pare_runner_free (f->runners[i]);
  g_free (f->runners);
  g_clear_error (&f->error);
  g_mutex_clear (&f->lock);
  pare_prefix_use_free (f->use);
  pare_program_unref (f->program);
}

gboolean
pare_prefix_cache_fill (ParePrefixCache *self, const PareGraph *graph, PareDataset *dataset, const ParePrefixFillOptions *options,
                        PareControl *control, GError **error)
{
  guint n = pare_dataset_get_n_samples (dataset, options->split);
  if (options->limit > 0)
    n = MIN (n, options->limit);
  if (pare_dataset_has_windows (dataset))
    return TRUE; /* several runs for each sample: not kept */
  int threads = options->threads > 0 ? MIN (options->threads, 1024) : pare_default_threads ();
  PareProgram *program
      = pare_evaluate_compile (graph, dataset, options->split, &(PareCompileOptions){ .backend = options->backend }, error);
  if (program == NULL)
    return FALSE;
  Fill f = { .program = program, .dataset = dataset, .split = options->split, .control = control };
  g_autofree guint *order = pare_evaluate_order (n);
  f.order = order;
  f.runners = g_new0 (PareRunner *, threads);
  g_mutex_init (&f.lock);
  gboolean fine = TRUE;
  f.use = pare_prefix_use_new (self, program, dataset, options->split, n, 0);
  if (f.use != NULL)
    {
      pare_prefix_cache_hold (self, program, TRUE);
      g_autofree double *weights = weights_of (f.use->cuts, options);
      guint64 budget = pare_prefix_cache_get_budget (self);
      g_autoptr (GArray) focus = cuts_of_focus (f.use->cuts, options, n, budget);
      g_autoptr (GArray) chosen = pare_prefix_choose (f.use->cuts, weights, focus, n, budget, MOST_CUTS);
      f.total = chosen->len * n;
      for (guint i = 0; i < chosen->len && fine; i++)
        {
          f.target = g_array_index (chosen, guint, i);
          g_array_set_size (f.use->wanted, 0);
          g_array_append_val (f.use->wanted, f.target);
          g_atomic_int_set (&f.use->full, 0);
          fine = pare_parallel_for (n, threads, on_rank, &f);
          /* the next ones may begin here */
          guint at = 0;
          while (at < f.use->usable->len && g_array_index (f.use->usable, guint, at) > f.target)
            at++;
          if (at == f.use->usable->len || g_array_index (f.use->usable, guint, at) != f.target)
            g_array_insert_val (f.use->usable, at, f.target);
        }
    }
  if (!fine)
    g_propagate_error (error, g_steal_pointer (&f.error));
  fill_clear (&f, threads);
  return fine;
}
