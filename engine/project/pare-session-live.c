/* What makes a change felt at once: states of runs that are kept while nothing else runs (pare-prefix.h), and evaluations of a drag, which
 * stop once the tolerance is decided and are completed when the person rests. */
#include "engine/project/pare-session-private.h"

#include <string.h>

#define SOON_US 33000 /* moves of a drag come 30 times in a second */

ParePrefixCache *
pare_session_get_prefix (PareSession *self)
{
  if (self->prefix == NULL)
    self->prefix = pare_prefix_cache_new (0);
  return self->prefix;
}

void
pare_session_forget_unfinished (PareSession *self)
{
  g_clear_pointer (&self->unfinished, pare_evaluation_unref);
  g_clear_pointer (&self->unfinished_key, g_free);
  self->fill_wanted = TRUE;
}

void
pare_session_reset_live (PareSession *self)
{
  g_clear_pointer (&self->prefix, pare_prefix_cache_unref);
  pare_session_forget_unfinished (self);
  g_clear_pointer (&self->expected, g_array_unref);
  self->has_expected_change = FALSE;
  g_clear_pointer (&self->ready, pare_ready_set_free);
  self->fill_wanted = TRUE;
}

void
pare_session_keep_unfinished (PareSession *self, const char *key, PareEvaluation *evaluation, gint64 took)
{
  pare_evaluation_ref (evaluation);
  g_clear_pointer (&self->unfinished, pare_evaluation_unref);
  self->unfinished = evaluation;
  char *copy = g_strdup (key);
  g_free (self->unfinished_key);
  self->unfinished_key = copy;
  self->unfinished_left = (gint64)((double)took * (evaluation->all - evaluation->done) / MAX (evaluation->done, 1));
}

PareEvaluation *
pare_session_find_unfinished (PareSession *self, const char *key)
{
  return g_strcmp0 (self->unfinished_key, key) == 0 ? self->unfinished : NULL;
}

gboolean
pare_session_is_nearly_finished (PareSession *self)
{
  return self->unfinished != NULL && self->unfinished_left < SOON_US;
}

static void
refill (PareSession *self)
{
  self->fill_wanted = TRUE;
  pare_session_cancel_heavy (self, HEAVY_FILL);
  pare_session_pump (self);
}

void
pare_session_expect_edit (PareSession *self, const char *const *layers)
{
  g_return_if_fail (PARE_IS_SESSION (self) && layers != NULL);
  if (self->closed || self->model == NULL)
    return;
  g_autoptr (GArray) expected = g_array_new (FALSE, FALSE, sizeof (PareNodeId));
  for (guint i = 0; layers[i] != NULL; i++)
    {
      gpointer node;
      if (!g_hash_table_lookup_extended (self->model->nodes, layers[i], NULL, &node))
        continue;
      PareNodeId id = GPOINTER_TO_UINT (node);
      g_array_append_val (expected, id);
    }
  gboolean same = self->expected != NULL && self->expected->len == expected->len
                  && (expected->len == 0 || memcmp (self->expected->data, expected->data, expected->len * sizeof (PareNodeId)) == 0);
  if (same)
    return;
  g_clear_pointer (&self->expected, g_array_unref);
  self->expected = g_steal_pointer (&expected);
  self->has_expected_change = FALSE;
  refill (self);
}

void
pare_session_expect_change (PareSession *self, const PareLayerRecipe *change)
{
  g_return_if_fail (PARE_IS_SESSION (self));
  gboolean same = change != NULL && self->has_expected_change && pare_layer_recipe_equal (change, &self->expected_change);
  self->has_expected_change = change != NULL;
  if (change == NULL || same || self->closed || self->model == NULL)
    return;
  self->expected_change = *change;
  self->expected_change_tried = FALSE;
  if (pare_session_wants_ready (self, change)) /* what is kept just now would begin anew */
    refill (self);
}

/* --- keeping states while nothing else is to be done --- */

typedef struct
{
  PareGraph *graph;
  PareDataset *dataset;
  PareSplit split;
  ParePrefixCache *prefix;
  GArray *expected; /* nullable */
  PareReadySet *ready;
} FillJob;

static void
fill_job_free (gpointer data)
{
  FillJob *f = data;
  pare_graph_unref (f->graph);
  pare_dataset_unref (f->dataset);
  pare_prefix_cache_unref (f->prefix);
  g_clear_pointer (&f->expected, g_array_unref);
  pare_ready_set_free (f->ready);
  g_free (f);
}

static gpointer
run_fill (PareJob *job, PareControl *control, gpointer data, GError **error)
{
  FillJob *f = data;
  ParePrefixFillOptions options = { .split = f->split };
  if (f->expected != NULL)
    {
      options.focus = (const PareNodeId *)(const void *)f->expected->data;
      options.n_focus = f->expected->len;
    }
  if (!pare_ready_set_is_hurried (f->ready) && !pare_prefix_cache_fill (f->prefix, f->graph, f->dataset, &options, control, error))
    return NULL;
  pare_ready_set_fill (f->ready, pare_prefix_cache_get_budget (f->prefix) / 16, control);
  return g_steal_pointer (&f->ready);
}

/* Nothing depends on it: a change then takes longer, that is all. */
static void
on_filled (PareJob *job, gpointer data, const GError *error, gpointer owner)
{
  PareSession *self = owner;
  if (g_error_matches (error, PARE_ERROR, PARE_ERROR_CANCELLED) || (data != NULL && pare_ready_set_is_hurried (data)))
    self->fill_wanted = TRUE;
  if (data != NULL)
    pare_session_take_ready (self, data);
  pare_session_pump (self);
}

void
pare_session_start_fill (PareSession *self)
{
  gboolean settled = self->dataset != NULL && self->baseline != NULL && self->evaluation_state == WORK_DONE
                     && self->latency_state == WORK_DONE && self->latency_original_state == WORK_DONE && self->debounce == NULL
                     && self->changed != NULL && self->changed_generation == self->generation && self->changed_exact;
  if (!self->fill_wanted || !settled)
    return;
  self->fill_wanted = FALSE;
  FillJob *f = g_new0 (FillJob, 1);
  f->graph = pare_graph_ref (self->changed);
  f->dataset = pare_dataset_ref (self->dataset);
  f->split = self->split;
  f->prefix = pare_prefix_cache_ref (pare_session_get_prefix (self));
  f->expected = self->expected != NULL ? g_array_ref (self->expected) : NULL;
  f->ready = pare_ready_set_new (self);
  PareJobSpec spec = { .lane = LANE_HEAVY,
                       .name = "Keeping what the next change will need",
                       .generation = self->generation,
                       .tag = HEAVY_FILL,
                       .quiet = TRUE,
                       .hidden = TRUE,
                       .background = TRUE,
                       .run = run_fill,
                       .data = f,
                       .data_free = fill_job_free,
                       .result_free = (GDestroyNotify)pare_ready_set_free,
                       .done = on_filled };
  pare_scheduler_start (self->scheduler, &spec);
}
