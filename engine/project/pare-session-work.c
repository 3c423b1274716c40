/* What is missing, and what may run now; and the two quick jobs of every edit: graph' and its size. */
#include "engine/base/pare-thread.h"
#include "engine/project/pare-session-private.h"

static gboolean
idle (PareSession *self, guint lane)
{
  return pare_scheduler_get_running (self->scheduler, lane) == NULL;
}

/* --- recipes and the ranges that they need --- */

gboolean
pare_session_recipe_needs_ranges (const PareSessionModel *model, const PareRecipe *recipe)
{
  for (guint i = 0; i < model->layers->len; i++)
    {
      PareLayerRecipe resolved;
      pare_recipe_resolve (recipe, model->layers->pdata[i], &resolved);
      if (pare_layer_recipe_needs_ranges (&resolved))
        return TRUE;
    }
  return FALSE;
}

/* --- apply --- */

typedef struct
{
  PareSessionModel *model;
  PareRecipe *recipe; /* the session's */
  char *key;
  gboolean exact;
  PareStatistics *statistics; /* nullable */
} ApplyJob;

typedef struct
{
  PareGraph *changed;
  GPtrArray *warnings;
} Applied;

static void
apply_job_free (gpointer data)
{
  ApplyJob *a = data;
  pare_session_model_unref (a->model);
  pare_recipe_unref (a->recipe);
  g_clear_pointer (&a->statistics, pare_statistics_unref);
  g_free (a->key);
  g_free (a);
}

static void
applied_free (gpointer data)
{
  Applied *a = data;
  g_clear_pointer (&a->changed, pare_graph_unref);
  g_clear_pointer (&a->warnings, g_ptr_array_unref);
  g_free (a);
}

static gpointer
run_apply (PareJob *job, PareControl *control, gpointer data, GError **error)
{
  ApplyJob *a = data;
  g_autoptr (PareRecipe) recipe = a->exact ? pare_recipe_ref (a->recipe) : pare_recipe_without_activations (a->recipe);
  Applied *result = g_new0 (Applied, 1);
  result->warnings = g_ptr_array_new_with_free_func (g_free);
  result->changed = pare_apply (a->model->graph, recipe, a->statistics, result->warnings, control, error);
  return result;
}

/* A warning is told when it appears, not again at each move of the same drag. */
static void
tell_warnings (PareSession *self, GPtrArray *warnings)
{
  GHashTable *now = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < warnings->len; i++)
    {
      const char *text = warnings->pdata[i];
      if (g_hash_table_add (now, g_strdup (text)) && (self->warned == NULL || !g_hash_table_contains (self->warned, text)))
        pare_session_message (self, "warning", "%s", text);
    }
  g_clear_pointer (&self->warned, g_hash_table_unref);
  self->warned = now;
}

static void
set_changed (PareSession *self, PareGraph *changed, PareRecipe *recipe, const char *key, guint64 generation, gboolean exact)
{
  pare_recipe_ref (recipe);
  g_clear_pointer (&self->changed, pare_graph_unref);
  g_clear_pointer (&self->changed_recipe, pare_recipe_unref);
  self->changed = changed;
  self->changed_recipe = recipe;
  self->changed_generation = generation;
  self->changed_exact = exact;
  char *copy = g_strdup (key);
  g_free (self->changed_key);
  self->changed_key = copy;
}

static void
on_applied (PareJob *job, gpointer data, const GError *error, gpointer owner)
{
  PareSession *self = owner;
  ApplyJob *a = pare_job_get_data (job);
  Applied *result = data;
  guint64 generation = pare_job_get_generation (job);
  gboolean current = generation == self->generation && a->model == self->model;
  if (error != NULL)
    {
      if (!g_error_matches (error, PARE_ERROR, PARE_ERROR_CANCELLED) && current)
        {
          self->failed_generation = generation;
          self->evaluation_state = WORK_DONE;
          pare_session_message (self, "error", "%s", error->message);
        }
      else if (current && pare_job_was_stopped (job))
        self->failed_generation = generation;
    }
  /* While a drag goes on, the move before is still worth showing; otherwise an older recipe's result is dropped. */
  else if (current || (a->model == self->model && self->debounce != NULL && generation > self->changed_generation))
    {
      if (current)
        tell_warnings (self, result->warnings);
      set_changed (self, g_steal_pointer (&result->changed), a->recipe, a->key, generation, a->exact);
    }
  if (result != NULL)
    applied_free (result);
  pare_session_pump (self);
}

static void
pass_changed (gconstpointer result, gpointer evaluation)
{
  pare_session_pass_graph (((const Applied *)result)->changed, evaluation);
}

/* The evaluation of the recipe in use is the next to run, for all that can be told without looking into the store. */
static gboolean
may_evaluate (PareSession *self)
{
  PareHistoryEntry *entry = pare_session_current (self);
  /* While a drag goes on, until the tolerance is decided; the rest when the person rests, or where it takes no time. */
  gboolean rests
      = self->debounce == NULL || pare_session_find_unfinished (self, entry->key) == NULL || pare_session_is_nearly_finished (self);
  return self->model->why_not == NULL && self->dataset != NULL && self->baseline != NULL && self->evaluation_state == WORK_WANTED
         && self->failed_generation != self->generation && rests && idle (self, LANE_HEAVY);
}

/* key: the recipe's (nullable: pare_session_name_edit tells it). */
static void
start_apply (PareSession *self, PareRecipe *recipe, const char *key)
{
  gboolean needs = pare_session_recipe_needs_ranges (self->model, recipe);
  gboolean exact = !needs || self->statistics != NULL;
  if (pare_recipe_is_identity (recipe))
    {
      /* The model as it is in the file. */
      set_changed (self, pare_graph_ref (self->model->graph), recipe, key, self->generation, TRUE);
      return;
    }
  const PareReady *ready = exact ? pare_session_find_ready (self, recipe) : NULL;
  if (ready != NULL)
    {
      tell_warnings (self, ready->warnings);
      set_changed (self, pare_graph_ref (ready->changed), recipe, key, self->generation, TRUE);
      if (may_evaluate (self))
        {
          PareJobSpec spec = pare_session_evaluation_spec (self, self->changed, key);
          spec.urgent = TRUE;
          pare_scheduler_start (self->scheduler, &spec);
        }
      return;
    }
  if (!exact && self->dataset == NULL && !self->told_no_ranges && pare_scheduler_get_running (self->scheduler, LANE_DATA) == NULL)
    {
      self->told_no_ranges = TRUE;
      pare_session_message (
          self, "info",
          "Activation bits need ranges from data: add data, and they are measured. Until then the figures are those of the weights");
    }
  ApplyJob *a = g_new0 (ApplyJob, 1);
  a->model = pare_session_model_ref (self->model);
  a->recipe = pare_recipe_ref (recipe);
  a->key = g_strdup (key);
  a->exact = exact;
  a->statistics = self->statistics != NULL ? pare_statistics_ref (self->statistics) : NULL;
  PareJobSpec spec = { .lane = LANE_APPLY,
                       .name = "Applying the recipe",
                       .generation = self->generation,
                       .quiet = TRUE,
                       .urgent = TRUE,
                       .run = run_apply,
                       .data = a,
                       .data_free = apply_job_free,
                       .result_free = applied_free,
                       .done = on_applied };
  if (!exact || !may_evaluate (self))
    {
      pare_scheduler_start (self->scheduler, &spec);
      return;
    }
  /* It goes on in the same thread, whose CPU has graph' at hand; the main thread, which may be drawing, need not be waited for. */
  PareJobSpec then = pare_session_evaluation_spec (self, NULL, key);
  pare_scheduler_start_both (self->scheduler, &spec, &then, pass_changed);
}

/* --- size and the layers' own errors --- */

typedef struct
{
  PareSessionModel *model;
  PareGraph *graph;
  PareRecipe *recipe; /* NULL: the original */
  char *key;
  gboolean exact;
  PareSessionCosts *before; /* errors that need not be computed again */
} SizeJob;

static void
size_job_free (gpointer data)
{
  SizeJob *s = data;
  pare_session_model_unref (s->model);
  pare_graph_unref (s->graph);
  g_clear_pointer (&s->recipe, pare_recipe_unref);
  g_clear_pointer (&s->before, pare_session_costs_unref);
  g_free (s->key);
  g_free (s);
}

PareSessionCosts *
pare_session_ref_costs (PareSession *self)
{
  PareSessionCosts *newest = self->costs != NULL ? self->costs : self->costs_original;
  return newest != NULL ? pare_session_costs_ref (newest) : NULL;
}

static gboolean
fill_errors (PareSessionCosts *costs, const PareSessionModel *model, const PareRecipe *recipe, const PareSessionCosts *before,
             PareControl *control)
{
  for (guint i = 0; i < model->layers->len; i++)
    {
      const char *layer = model->layers->pdata[i];
      const PareLayerErrorNow *old = before != NULL ? g_hash_table_lookup (before->errors, layer) : NULL;
      PareLayerErrorNow now = { .error = 0 };
      PareWeightError error;
      if (recipe != NULL)
        pare_recipe_resolve (recipe, layer, &now.resolved);
      else
        pare_layer_recipe_init (&now.resolved);
      if (old != NULL && pare_layer_recipe_equal (&old->resolved, &now.resolved))
        now.error = old->error;
      else if (pare_layer_recipe_changes_weights (&now.resolved))
        {
          if (pare_control_cancelled (control))
            return FALSE;
          if (!pare_layer_weight_error (model->graph, &now.resolved, layer, &error, NULL))
            continue;
          now.error = error.relative_error;
        }
      g_hash_table_insert (costs->errors, g_strdup (layer), g_memdup2 (&now, sizeof now));
    }
  return TRUE;
}

PareSessionCosts *
pare_session_reckon_costs (const PareSessionModel *model, const PareGraph *graph, const PareRecipe *recipe, const PareSessionCosts *before,
                           PareControl *control, GError **error)
{
  g_autoptr (PareSessionCosts) costs = g_new0 (PareSessionCosts, 1);
  g_atomic_ref_count_init (&costs->refs);
  costs->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  costs->errors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  costs->weighed = before != NULL && before->weighed != NULL ? pare_weighed_ref (before->weighed) : pare_weighed_new (model->graph);
  if (!pare_cost_size (graph, costs->weighed, &costs->size, &costs->layers, &costs->macs, error))
    return NULL;
  for (guint i = 0; i < costs->layers->len; i++)
    {
      PareLayerCost *cost = &g_array_index (costs->layers, PareLayerCost, i);
      if (cost->layer != NULL)
        g_hash_table_insert (costs->by_name, cost->layer, cost);
    }
  if (!fill_errors (costs, model, recipe, before, control) && pare_control_check (control, error))
    return NULL;
  return g_steal_pointer (&costs);
}

static gpointer
run_size (PareJob *job, PareControl *control, gpointer data, GError **error)
{
  SizeJob *s = data;
  return pare_session_reckon_costs (s->model, s->graph, s->recipe, s->before, control, error);
}

static void
show_costs (PareSession *self, PareSessionCosts *costs, const char *key, guint64 generation, gboolean exact)
{
  pare_session_costs_ref (costs);
  g_clear_pointer (&self->costs, pare_session_costs_unref);
  self->costs = costs;
  self->costs_generation = generation;
  self->costs_exact = exact;
  pare_session_entry_set_size (self, key, &costs->size, costs->macs, exact ? PARE_ORIGIN_MEASURED : PARE_ORIGIN_PROVISIONAL);
  /* What an older recipe weighs is shown until the newer one's size is known, no longer. */
  if (generation == self->generation || pare_session_current (self)->shown.size_origin != PARE_ORIGIN_MEASURED)
    {
      self->has_size = TRUE;
      self->size = costs->size;
      self->macs = costs->macs;
    }
  pare_session_emit (self, SIGNAL_SIZE);
}

static void
keep_size (PareSession *self, const char *key, const PareSessionCosts *costs)
{
  if (self->store != NULL)
    pare_store_put_size (self->store, key, &costs->size, costs->macs);
}

static void
on_sized (PareJob *job, gpointer data, const GError *error, gpointer owner)
{
  PareSession *self = owner;
  SizeJob *s = pare_job_get_data (job);
  PareSessionCosts *costs = data;
  guint64 generation = pare_job_get_generation (job);
  gboolean here = s->model == self->model;
  gboolean ours = here && s->recipe != NULL && generation == self->changed_generation;
  if (error != NULL)
    {
      if (here && !g_error_matches (error, PARE_ERROR, PARE_ERROR_CANCELLED))
        pare_session_message (self, "error", "The size cannot be computed: %s", error->message);
      if (here && s->recipe == NULL)
        self->costs_given_up = TRUE;
      else if (ours)
        {
          self->costs_generation = generation;
          self->costs_exact = s->exact;
        }
    }
  else if (here && s->recipe == NULL)
    {
      self->costs_original = pare_session_costs_ref (costs);
      self->has_size_original = TRUE;
      self->size_original = costs->size;
      self->macs_original = costs->macs;
      PareHistoryEntry *original = pare_history_get_entry (self->history, 0);
      pare_session_entry_set_size (self, original->key, &costs->size, costs->macs, PARE_ORIGIN_MEASURED);
      keep_size (self, original->key, costs);
      pare_session_emit (self, SIGNAL_SIZE);
    }
  else if (ours)
    {
      show_costs (self, costs, s->key, generation, s->exact);
      if (s->exact && generation == self->generation)
        keep_size (self, s->key, costs);
    }
  if (costs != NULL)
    pare_session_costs_unref (costs);
  pare_session_pump (self);
}

static void
start_size (PareSession *self, PareGraph *graph, PareRecipe *recipe)
{
  SizeJob *s = g_new0 (SizeJob, 1);
  s->model = pare_session_model_ref (self->model);
  s->graph = pare_graph_ref (graph);
  s->recipe = recipe != NULL ? pare_recipe_ref (recipe) : NULL;
  s->key = g_strdup (self->changed_key);
  s->exact = self->changed_exact;
  s->before = pare_session_ref_costs (self);
  PareJobSpec spec = { .lane = LANE_SIZE,
                       .name = "Computing sizes",
                       .generation = recipe != NULL ? self->changed_generation : 0,
                       .quiet = TRUE,
                       .nice = EVALUATION_NICE, /* as the evaluation, which it takes no time from that others would have */
                       .run = run_size,
                       .data = s,
                       .data_free = size_job_free,
                       .result_free = (GDestroyNotify)pare_session_costs_unref,
                       .done = on_sized };
  pare_scheduler_start (self->scheduler, &spec);
}

/* --- the pump --- */

static void
pump_size (PareSession *self)
{
  const PareReady *ready;
  if (pare_scheduler_get_running (self->scheduler, LANE_SIZE) != NULL)
    return;
  if (self->costs_original == NULL)
    {
      if (!self->costs_given_up)
        start_size (self, self->model->graph, NULL);
      return;
    }
  if (self->changed == NULL || (self->costs_generation == self->changed_generation && self->costs_exact == self->changed_exact))
    return;
  if (self->changed == self->model->graph)
    show_costs (self, self->costs_original, self->changed_key, self->changed_generation, TRUE);
  else if ((ready = pare_session_find_ready_graph (self, self->changed)) != NULL)
    {
      show_costs (self, ready->costs, self->changed_key, self->changed_generation, TRUE);
      keep_size (self, self->changed_key, ready->costs);
    }
  else
    start_size (self, self->changed, self->changed_recipe);
}

/* Latency is measured when nothing else runs: it is worth nothing otherwise. */
static void
pump_latency (PareSession *self)
{
  gboolean settled = self->debounce == NULL && idle (self, LANE_APPLY) && idle (self, LANE_SIZE) && idle (self, LANE_CALIBRATE)
                     && idle (self, LANE_DATA) && idle (self, LANE_OPEN) && idle (self, LANE_EXPORT)
                     && (self->dataset == NULL || self->evaluation_state == WORK_DONE);
  if (!settled)
    return;
  PareHistoryEntry *entry = pare_session_current (self);
  gboolean identity = pare_recipe_is_identity (entry->shown.recipe);
  if (self->latency_original_state == WORK_WANTED)
    pare_session_start_latency (self, TRUE);
  else if (self->latency_state == WORK_WANTED && identity)
    {
      self->latency_state = WORK_DONE;
      if (self->has_latency_original)
        {
          pare_session_show_latency (self, &self->latency_original);
          pare_session_emit (self, SIGNAL_LATENCY);
        }
    }
  else if (self->latency_state == WORK_WANTED && self->changed_generation == self->generation
           && self->failed_generation != self->generation)
    pare_session_start_latency (self, FALSE);
}

static void
pump_heavy (PareSession *self)
{
  PareHistoryEntry *entry = pare_session_current (self);
  gboolean needs = pare_session_recipe_needs_ranges (self->model, entry->shown.recipe);
  gboolean failed = self->calibrate_failed || self->calibrate_stopped;
  if (self->dataset != NULL && self->statistics == NULL && !failed && idle (self, LANE_CALIBRATE) && !self->calibrate_looked)
    pare_session_start_recall (self);
  else if (self->dataset != NULL && self->statistics == NULL && !failed && idle (self, LANE_CALIBRATE))
    {
      PareJob *heavy = pare_scheduler_get_running (self->scheduler, LANE_HEAVY);
      gboolean measuring = heavy != NULL && pare_job_get_tag (heavy) >= HEAVY_LATENCY_ORIGINAL && pare_job_get_tag (heavy) != HEAVY_FILL;
      gboolean convenient = self->baseline != NULL && (self->latency_original_state == WORK_DONE || self->evaluation_state == WORK_WANTED);
      if (!measuring && (needs || convenient || self->exports.length > 0))
        pare_session_start_calibration (self);
    }
  if (self->evaluation_state == WORK_WANTED || self->latency_state == WORK_WANTED || self->latency_original_state == WORK_WANTED)
    pare_session_cancel_heavy (self, HEAVY_FILL);
  if (!idle (self, LANE_HEAVY))
    return;
  if (self->dataset != NULL)
    {
      if (self->baseline == NULL)
        {
          if (self->baseline_state == WORK_WANTED)
            {
              pare_session_start_baseline (self);
              return;
            }
          self->evaluation_state = WORK_DONE;
        }
      else if (self->evaluation_state == WORK_WANTED && needs && failed)
        {
          self->evaluation_state = WORK_DONE;
          pare_session_message (self, "warning", "Accuracy was not measured: the activations' ranges are not known");
        }
      else if (self->evaluation_state == WORK_WANTED && self->failed_generation != self->generation)
        {
          if (may_evaluate (self) && self->changed_generation == self->generation && self->changed_exact)
            {
              PareJobSpec spec = pare_session_evaluation_spec (self, self->changed, entry->key);
              pare_scheduler_start (self->scheduler, &spec);
            }
          if (!idle (self, LANE_HEAVY))
            return;
        }
    }
  pump_latency (self);
  if (idle (self, LANE_HEAVY) && idle (self, LANE_CALIBRATE))
    pare_session_start_fill (self);
}

void
pare_session_expect_apply (PareSession *self)
{
  if (self->model->why_not == NULL && self->baseline != NULL)
    pare_thread_expect_elsewhere (EVALUATION_NICE);
}

void
pare_session_pump_apply (PareSession *self)
{
  if (self->closed || self->model == NULL || self->history == NULL)
    return;
  gboolean stale = self->changed_generation != self->generation || (!self->changed_exact && self->statistics != NULL);
  PareHistoryEntry *entry = pare_session_current (self);
  if (stale && self->failed_generation != self->generation && idle (self, LANE_APPLY))
    start_apply (self, entry->shown.recipe, entry->key);
}

gboolean
pare_session_begin_edit (PareSession *self, PareRecipe *recipe)
{
  gboolean rests = self->debounce == NULL && self->unfinished == NULL && idle (self, LANE_APPLY) && idle (self, LANE_HEAVY);
  if (!rests || self->baseline == NULL || pare_recipe_is_identity (recipe)
      || (self->statistics == NULL && pare_session_recipe_needs_ranges (self->model, recipe)))
    return FALSE;
  self->generation++;
  self->evaluation_state = WORK_WANTED;
  start_apply (self, recipe, NULL);
  return TRUE;
}

void
pare_session_name_edit (PareSession *self, const char *key)
{
  PareJob *job = pare_scheduler_get_running (self->scheduler, LANE_APPLY);
  if (job != NULL && pare_job_get_generation (job) == self->generation)
    {
      ApplyJob *a = pare_job_get_data (job);
      g_free (a->key);
      a->key = g_strdup (key);
    }
  if (self->changed_generation == self->generation)
    {
      g_free (self->changed_key);
      self->changed_key = g_strdup (key);
    }
  pare_session_name_evaluation (self, key);
}

void
pare_session_pump (PareSession *self)
{
  if (self->closed || self->model == NULL || self->history == NULL)
    return;
  pare_session_pump_apply (self);
  pump_size (self);
  if (self->model->why_not == NULL)
    pump_heavy (self);
  pare_session_start_exports (self);
}
