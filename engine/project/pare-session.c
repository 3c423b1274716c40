#include "engine/project/pare-session-private.h"

#include <math.h>

G_DEFINE_FINAL_TYPE (PareSession, pare_session, G_TYPE_OBJECT)

guint pare_session_signals[N_SIGNALS];

void
pare_session_emit (PareSession *self, int signal)
{
  if (!self->closed)
    g_signal_emit (self, pare_session_signals[signal], 0);
}

void
pare_session_message (PareSession *self, const char *severity, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_signal_emit (self, pare_session_signals[SIGNAL_MESSAGE], 0, severity, text);
}

PareHistoryEntry *
pare_session_current (PareSession *self)
{
  return self->history != NULL ? pare_history_get_current (self->history) : NULL;
}

PareSessionModel *
pare_session_model_ref (PareSessionModel *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
pare_session_model_unref (PareSessionModel *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  g_clear_pointer (&self->nodes, g_hash_table_unref);
  g_clear_pointer (&self->layers, g_ptr_array_unref);
  g_clear_pointer (&self->graph, pare_graph_unref);
  g_free (self->infos);
  g_free (self->why_not);
  g_free (self->name);
  g_free (self);
}

PareSessionCosts *
pare_session_costs_ref (PareSessionCosts *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
pare_session_costs_unref (PareSessionCosts *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  g_clear_pointer (&self->by_name, g_hash_table_unref);
  g_clear_pointer (&self->errors, g_hash_table_unref);
  g_clear_pointer (&self->layers, pare_layer_costs_free);
  g_clear_pointer (&self->weighed, pare_weighed_unref);
  g_free (self);
}

/* --- life --- */

static void
on_jobs (gpointer owner)
{
  pare_session_emit (owner, SIGNAL_JOBS);
}

static void
latency_free (gpointer data)
{
  pare_latency_clear (data);
  g_free (data);
}

static void
pare_session_init (PareSession *self)
{
  self->context = g_main_context_ref_thread_default ();
  self->scheduler = pare_scheduler_new (on_jobs, self);
  self->split = PARE_SPLIT_SEARCH;
  self->ui = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->known_latencies = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, latency_free);
  self->generation = 1;
  g_mutex_init (&self->trouble_mutex);
  g_queue_init (&self->known);
  g_queue_init (&self->exports);
}

void
pare_session_close (PareSession *self)
{
  g_return_if_fail (PARE_IS_SESSION (self));
  if (self->closed)
    return;
  /* Callbacks of tasks that end here may let go of the last reference. */
  g_object_ref (self);
  self->closed = TRUE;
  if (self->debounce != NULL)
    g_source_destroy (self->debounce);
  g_clear_pointer (&self->debounce, g_source_unref);
  pare_session_drop_exports (self);
  pare_scheduler_stop (self->scheduler);
  pare_session_close_store (self, pare_session_is_dispensable (self));
  g_object_unref (self);
}

static void
pare_session_dispose (GObject *object)
{
  pare_session_close (PARE_SESSION (object));
  G_OBJECT_CLASS (pare_session_parent_class)->dispose (object);
}

static void
pare_session_finalize (GObject *object)
{
  PareSession *self = PARE_SESSION (object);
  pare_scheduler_free (self->scheduler);
  pare_session_reset_work (self);
  g_clear_pointer (&self->history, pare_history_free);
  g_clear_pointer (&self->model, pare_session_model_unref);
  g_clear_pointer (&self->dataset, pare_dataset_unref);
  g_clear_pointer (&self->ui, g_hash_table_unref);
  g_clear_pointer (&self->known_latencies, g_hash_table_unref);
  g_free (self->data_hash);
  g_free (self->project_path);
  g_free (self->save_trouble);
  g_free (self->trouble_text);
  g_mutex_clear (&self->trouble_mutex);
  g_main_context_unref (self->context);
  G_OBJECT_CLASS (pare_session_parent_class)->finalize (object);
}

static guint
add_signal (const char *name, guint n, GType a, GType b)
{
  return g_signal_new (name, PARE_TYPE_SESSION, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, n, a, b);
}

static void
pare_session_class_init (PareSessionClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  object_class->dispose = pare_session_dispose;
  object_class->finalize = pare_session_finalize;
  pare_session_signals[SIGNAL_MODEL] = add_signal ("model-changed", 0, 0, 0);
  pare_session_signals[SIGNAL_DATA] = add_signal ("data-changed", 0, 0, 0);
  pare_session_signals[SIGNAL_RECIPE] = add_signal ("recipe-changed", 0, 0, 0);
  pare_session_signals[SIGNAL_SIZE] = add_signal ("size-changed", 0, 0, 0);
  pare_session_signals[SIGNAL_STATISTICS] = add_signal ("statistics-changed", 0, 0, 0);
  pare_session_signals[SIGNAL_EVALUATION] = add_signal ("evaluation-changed", 0, 0, 0);
  pare_session_signals[SIGNAL_LATENCY] = add_signal ("latency-changed", 0, 0, 0);
  pare_session_signals[SIGNAL_HISTORY] = add_signal ("history-changed", 0, 0, 0);
  pare_session_signals[SIGNAL_ENTRY] = add_signal ("entry-changed", 1, G_TYPE_INT64, 0);
  pare_session_signals[SIGNAL_JOBS] = add_signal ("jobs-changed", 0, 0, 0);
  pare_session_signals[SIGNAL_MESSAGE] = add_signal ("message", 2, G_TYPE_STRING, G_TYPE_STRING);
  pare_session_signals[SIGNAL_SAVED] = add_signal ("saved-changed", 0, 0, 0);
  pare_session_signals[SIGNAL_LIMITS] = add_signal ("limits-changed", 0, 0, 0);
}

PareSession *
pare_session_new (void)
{
  return g_object_new (PARE_TYPE_SESSION, NULL);
}

/* --- what is open --- */

const char *
pare_session_get_project_path (PareSession *self)
{
  return self->project_path;
}

gboolean
pare_session_is_untouched (PareSession *self)
{
  return self->own_file && pare_session_get_n_entries (self) <= 1;
}

gint64
pare_session_get_continued (PareSession *self)
{
  return self->continued;
}

gboolean
pare_session_is_read_only (PareSession *self)
{
  return self->store != NULL && pare_store_is_read_only (self->store);
}

const PareGraph *
pare_session_get_graph (PareSession *self)
{
  return self->model != NULL ? self->model->graph : NULL;
}

const PareGraph *
pare_session_get_changed_graph (PareSession *self)
{
  return self->changed;
}

const char *
pare_session_get_why_not (PareSession *self)
{
  return self->model != NULL ? self->model->why_not : NULL;
}

PareDataset *
pare_session_get_dataset (PareSession *self)
{
  return self->dataset;
}

PareStatistics *
pare_session_get_statistics (PareSession *self)
{
  return self->statistics;
}

const PareLayerInfo *
pare_session_get_layer_infos (PareSession *self, guint *n)
{
  *n = self->model != NULL ? self->model->n_infos : 0;
  return self->model != NULL ? self->model->infos : NULL;
}

const PareLayerCost *
pare_session_get_layer_cost (PareSession *self, const char *layer, gboolean original)
{
  PareSessionCosts *costs = original ? self->costs_original : self->costs;
  return costs != NULL ? g_hash_table_lookup (costs->by_name, layer) : NULL;
}

double
pare_session_get_layer_error (PareSession *self, const char *layer)
{
  PareHistoryEntry *current = pare_session_current (self);
  if (current == NULL || self->costs == NULL)
    return NAN;
  const PareLayerErrorNow *known = g_hash_table_lookup (self->costs->errors, layer);
  PareLayerRecipe resolved;
  pare_recipe_resolve (current->shown.recipe, layer, &resolved);
  return known != NULL && pare_layer_recipe_equal (&known->resolved, &resolved) ? known->error : NAN;
}

double
pare_session_get_layer_time (PareSession *self, const char *layer, PareOrigin *origin)
{
  gpointer node;
  if (origin != NULL)
    *origin = PARE_ORIGIN_NONE;
  if (!self->has_latency || self->model == NULL || !g_hash_table_lookup_extended (self->model->nodes, layer, NULL, &node))
    return NAN;
  for (guint i = 0; i < self->latency.n_layers; i++)
    if (self->latency.layers[i].layer == GPOINTER_TO_UINT (node))
      {
        if (origin != NULL)
          *origin = self->latency_origin;
        return self->latency.layers[i].ms;
      }
  return NAN;
}

const char *
pare_session_get_layer_holder (PareSession *self, const char *layer)
{
  gpointer node;
  if (!self->has_latency || self->model == NULL || !g_hash_table_lookup_extended (self->model->nodes, layer, NULL, &node)
      || GPOINTER_TO_UINT (node) >= self->latency.n_holders)
    return NULL;
  PareNodeId holder = self->latency.holders[GPOINTER_TO_UINT (node)];
  return holder < self->model->graph->n_nodes ? self->model->graph->nodes[holder].layer : NULL;
}

/* --- figures --- */

const PareEvaluation *
pare_session_get_evaluation (PareSession *self, PareOrigin *origin)
{
  if (origin != NULL)
    *origin = self->evaluation != NULL ? self->evaluation_origin : PARE_ORIGIN_NONE;
  return self->evaluation;
}

const PareEvaluation *
pare_session_get_baseline (PareSession *self)
{
  return self->baseline;
}

PareSplit
pare_session_get_split (PareSession *self)
{
  return self->split;
}

void
pare_session_set_split (PareSession *self, PareSplit split)
{
  if (split == self->split)
    return;
  self->split = split;
  if (self->store != NULL)
    pare_store_put_meta (self->store, "split", pare_split_name (split));
  if (self->model == NULL)
    return;
  pare_session_cancel_heavy (self, HEAVY_BASELINE);
  pare_session_cancel_heavy (self, HEAVY_EVALUATE);
  pare_session_drop_known (self);
  pare_session_take_stored (self);
  pare_session_emit (self, SIGNAL_HISTORY);
  pare_session_emit (self, SIGNAL_EVALUATION);
  pare_session_pump (self);
}

gboolean
pare_session_get_size (PareSession *self, PareSize *size, PareSize *original, gint64 *macs, gint64 *original_macs)
{
  if (size != NULL)
    *size = self->size;
  if (original != NULL)
    *original = self->size_original;
  if (macs != NULL)
    *macs = self->macs;
  if (original_macs != NULL)
    *original_macs = self->macs_original;
  return self->has_size && self->has_size_original;
}

gboolean
pare_session_get_latency (PareSession *self, PareLatency *now, PareOrigin *origin, int *edits_ago, PareLatency *original)
{
  if (now != NULL)
    *now = self->has_latency ? self->latency : (PareLatency){ 0 };
  if (original != NULL)
    *original = self->has_latency_original ? self->latency_original : (PareLatency){ 0 };
  if (origin != NULL)
    *origin = self->has_latency ? self->latency_origin : PARE_ORIGIN_NONE;
  if (edits_ago != NULL)
    *edits_ago = self->has_latency && self->latency_origin == PARE_ORIGIN_STALE ? (int)(self->edits - self->latency_edits) : 0;
  return self->has_latency || self->has_latency_original;
}

PareProfile *
pare_session_dup_profile (PareSession *self, const ParePeaks *peaks, PareOrigin *origin, int *edits_ago)
{
  PareLatency now, original;
  if (!pare_session_get_latency (self, &now, origin, edits_ago, &original) || self->model == NULL || now.n_layers == 0)
    return NULL;
  /* the original's own times are no comparison */
  gboolean other = original.n_layers > 0 && (original.profiled_ms != now.profiled_ms || original.median_ms != now.median_ms);
  return pare_profile_new (self->model->graph, &now, other ? &original : NULL, peaks);
}

void
pare_session_measure (PareSession *self)
{
  if (self->model == NULL)
    return;
  if (self->model->why_not != NULL)
    {
      pare_session_message (self, "warning", "Latency cannot be measured: %s", self->model->why_not);
      return;
    }
  self->latency_original_state = self->latency_state = WORK_WANTED;
  self->latency_repeats = 50;
  pare_session_pump (self);
}

void
pare_session_evaluate (PareSession *self)
{
  if (self->model == NULL || self->dataset == NULL || self->evaluation_origin == PARE_ORIGIN_MEASURED)
    return;
  self->evaluation_state = WORK_WANTED;
  if (self->baseline == NULL)
    self->baseline_state = WORK_WANTED;
  self->calibrate_stopped = FALSE;
  pare_session_pump (self);
}

gboolean
pare_session_is_stopped (PareSession *self)
{
  if (self->model == NULL || self->dataset == NULL || self->model->why_not != NULL || self->evaluation_origin == PARE_ORIGIN_MEASURED)
    return FALSE;
  return (self->baseline == NULL && self->baseline_state == WORK_DONE) || self->evaluation_state == WORK_DONE || self->calibrate_stopped;
}

/* --- history --- */

guint
pare_session_get_n_entries (PareSession *self)
{
  return self->history != NULL ? pare_history_get_n_entries (self->history) : 0;
}

const PareEntry *
pare_session_get_entry (PareSession *self, guint i)
{
  PareHistoryEntry *entry = self->history != NULL ? pare_history_get_entry (self->history, i) : NULL;
  return entry != NULL ? &entry->shown : NULL;
}

const PareEntry *
pare_session_find_entry (PareSession *self, gint64 id)
{
  PareHistoryEntry *entry = self->history != NULL ? pare_history_find (self->history, id) : NULL;
  return entry != NULL ? &entry->shown : NULL;
}

const PareLatency *
pare_session_get_entry_latency (PareSession *self, gint64 id)
{
  PareHistoryEntry *entry = self->history != NULL ? pare_history_find (self->history, id) : NULL;
  return entry != NULL ? pare_session_find_latency (self, entry->key) : NULL;
}

gint64
pare_session_get_current_entry (PareSession *self)
{
  PareHistoryEntry *entry = pare_session_current (self);
  return entry != NULL ? entry->shown.id : 0;
}

const PareRecipe *
pare_session_get_recipe (PareSession *self)
{
  PareHistoryEntry *entry = pare_session_current (self);
  return entry != NULL ? entry->shown.recipe : NULL;
}

/* --- jobs --- */

guint
pare_session_get_n_jobs (PareSession *self)
{
  return pare_scheduler_get_n_jobs (self->scheduler);
}

const PareJobInfo *
pare_session_get_job (PareSession *self, guint i)
{
  PareJob *job = pare_scheduler_get_job (self->scheduler, i);
  return job != NULL ? pare_job_get_info (job) : NULL;
}

void
pare_session_cancel_job (PareSession *self, guint i)
{
  PareJob *job = pare_scheduler_get_job (self->scheduler, i);
  if (job != NULL && pare_job_get_info (job)->cancellable)
    pare_job_stop (job);
}

/* --- layout of the window --- */

char *
pare_session_get_ui (PareSession *self, const char *key)
{
  return g_strdup (g_hash_table_lookup (self->ui, key));
}

void
pare_session_set_ui (PareSession *self, const char *key, const char *value)
{
  if (g_strcmp0 (g_hash_table_lookup (self->ui, key), value) == 0)
    return;
  if (value != NULL)
    g_hash_table_replace (self->ui, g_strdup (key), g_strdup (value));
  else
    g_hash_table_remove (self->ui, key);
  g_autofree char *name = g_strconcat ("ui.", key, NULL);
  if (self->store != NULL)
    pare_store_put_meta (self->store, name, value);
}
