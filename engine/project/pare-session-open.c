/* Opening, the part of the main thread: what was read takes the place of what was open. */
#include "engine/project/pare-session-private.h"

typedef struct
{
  GTask *task;
  char *path;
  char *expected_hash; /* of a project's data */
  gboolean has_model, fresh;
  char *current; /* project */
  gulong cancel_id;
  PareSessionModel *model; /* DATA: for which it is loaded */
} OpenJob;

static void
open_job_free (gpointer data)
{
  OpenJob *o = data;
  g_clear_object (&o->task);
  g_clear_pointer (&o->model, pare_session_model_unref);
  g_free (o->path);
  g_free (o->expected_hash);
  g_free (o->current);
  g_free (o);
}

void
pare_session_reset_work (PareSession *self)
{
  g_clear_pointer (&self->statistics, pare_statistics_unref);
  self->calibrate_failed = self->calibrate_stopped = self->calibrate_looked = FALSE;
  g_clear_pointer (&self->changed, pare_graph_unref);
  g_clear_pointer (&self->changed_recipe, pare_recipe_unref);
  g_clear_pointer (&self->changed_key, g_free);
  self->changed_generation = self->failed_generation = self->costs_generation = 0;
  self->changed_exact = self->costs_exact = self->costs_given_up = FALSE;
  g_clear_pointer (&self->costs_original, pare_session_costs_unref);
  g_clear_pointer (&self->costs, pare_session_costs_unref);
  self->has_size = self->has_size_original = FALSE;
  g_clear_pointer (&self->warned, g_hash_table_unref);
  self->told_no_ranges = FALSE;
  g_clear_pointer (&self->baseline, pare_evaluation_unref);
  g_clear_pointer (&self->evaluation, pare_evaluation_unref);
  self->evaluation_origin = PARE_ORIGIN_NONE;
  self->baseline_state = self->evaluation_state = WORK_WANTED;
  pare_session_drop_known (self);
  pare_session_reset_live (self);
  if (self->known_latencies != NULL)
    g_hash_table_remove_all (self->known_latencies);
  if (self->has_latency)
    pare_latency_clear (&self->latency);
  if (self->has_latency_original)
    pare_latency_clear (&self->latency_original);
  self->has_latency = self->has_latency_original = FALSE;
  self->latency_state = self->latency_original_state = WORK_WANTED;
  self->latency_repeats = 0;
  self->edits = self->latency_edits = 0;
}

void
pare_session_take_stored (PareSession *self)
{
  PareHistoryEntry *original = pare_history_get_entry (self->history, 0), *current = pare_session_current (self);
  pare_session_fill_entries (self);
  g_clear_pointer (&self->baseline, pare_evaluation_unref);
  g_clear_pointer (&self->evaluation, pare_evaluation_unref);
  pare_session_forget_unfinished (self); /* it may be of other data */
  self->baseline = pare_session_find_evaluation (self, original->key);
  self->baseline_state = self->baseline != NULL ? WORK_DONE : WORK_WANTED;
  self->evaluation = pare_session_find_evaluation (self, current->key);
  self->evaluation_state = self->evaluation != NULL ? WORK_DONE : WORK_WANTED;
  self->evaluation_origin = self->evaluation != NULL ? PARE_ORIGIN_MEASURED : PARE_ORIGIN_NONE;
  if (original->shown.size_origin == PARE_ORIGIN_MEASURED)
    {
      self->has_size_original = TRUE;
      self->size_original = original->shown.size;
      self->macs_original = original->shown.macs;
    }
  if (current->shown.size_origin == PARE_ORIGIN_MEASURED)
    {
      self->has_size = TRUE;
      self->size = current->shown.size;
      self->macs = current->shown.macs;
    }
  const PareLatency *latency = pare_session_find_latency (self, original->key);
  if (latency != NULL && !self->has_latency_original)
    {
      pare_latency_copy (&self->latency_original, latency);
      self->has_latency_original = TRUE;
      self->latency_original_state = WORK_DONE;
    }
  latency = pare_session_find_latency (self, current->key);
  if (latency != NULL)
    {
      pare_session_show_latency (self, latency);
      self->latency_state = WORK_DONE;
    }
}

static void
emit_everything (PareSession *self)
{
  static const int signals[] = { SIGNAL_MODEL,      SIGNAL_DATA,       SIGNAL_HISTORY, SIGNAL_RECIPE, SIGNAL_SIZE,
                                 SIGNAL_STATISTICS, SIGNAL_EVALUATION, SIGNAL_LATENCY, SIGNAL_SAVED,  SIGNAL_LIMITS };
  for (guint i = 0; i < G_N_ELEMENTS (signals); i++)
    pare_session_emit (self, signals[i]);
}

static void
tell_notes (PareSession *self, GPtrArray *notes)
{
  for (guint i = 0; i < notes->len; i++)
    {
      PareSessionNote *note = notes->pdata[i];
      pare_session_message (self, note->severity, "%s", note->text);
    }
}

/* --- data --- */

static void
save_data (PareSession *self)
{
  PareStoreData data = { (char *)pare_dataset_get_path (self->dataset), (char *)pare_dataset_get_name (self->dataset),
                         (char *)pare_dataset_get_hash (self->dataset) };
  g_autofree char *path = data.path != NULL ? g_canonicalize_filename (data.path, NULL) : NULL;
  data.path = path;
  if (self->store != NULL)
    pare_store_put_data (self->store, &data);
}

static void
adopt_data (PareSession *self, PareDataset *dataset)
{
  const char *hash = pare_dataset_get_hash (dataset);
  gboolean same = g_strcmp0 (hash, self->data_hash) == 0;
  pare_session_cancel_heavy (self, HEAVY_BASELINE);
  pare_session_cancel_heavy (self, HEAVY_EVALUATE);
  pare_job_cancel (pare_scheduler_get_running (self->scheduler, LANE_CALIBRATE));
  g_autoptr (PareDataset) before = g_steal_pointer (&self->dataset);
  self->dataset = pare_dataset_ref (dataset);
  g_clear_pointer (&self->statistics, pare_statistics_unref);
  self->calibrate_failed = self->calibrate_stopped = self->calibrate_looked = FALSE;
  self->told_no_ranges = FALSE;
  char *copy = g_strdup (hash);
  g_free (self->data_hash);
  self->data_hash = copy;
  if (self->history != NULL)
    {
      save_data (self);
      if (!same)
        pare_session_drop_known (self);
      pare_session_take_stored (self);
    }
  pare_session_emit (self, SIGNAL_DATA);
  pare_session_emit (self, SIGNAL_STATISTICS);
  pare_session_emit (self, SIGNAL_EVALUATION);
  if (self->history != NULL)
    pare_session_emit (self, SIGNAL_HISTORY);
  pare_session_pump (self);
}

static gpointer
run_data (PareJob *job, PareControl *control, gpointer data, GError **error)
{
  OpenJob *o = data;
  PareDataset *dataset = pare_dataset_open (o->path, error);
  if (dataset != NULL)
    pare_dataset_get_hash (dataset); /* kept there: reads every file, which is nothing for the main thread */
  return dataset;
}

static void
on_data (PareJob *job, gpointer data, const GError *error, gpointer owner)
{
  PareSession *self = owner;
  OpenJob *o = pare_job_get_data (job);
  g_autoptr (PareDataset) dataset = data;
  /* Another model or other data came first. */
  if (self->closed || o->model != self->model || self->dataset != NULL)
    return;
  if (error != NULL)
    {
      pare_session_message (self, "warning", "The data of the project cannot be read; its figures are shown as they were measured. %s",
                            error->message);
      pare_session_pump (self);
      return;
    }
  if (g_strcmp0 (o->expected_hash, pare_dataset_get_hash (dataset)) != 0)
    pare_session_message (self, "warning", "%s has changed since the figures were measured; they are measured again", o->path);
  adopt_data (self, dataset);
}

void
pare_session_start_data (PareSession *self, const char *path, const char *expected_hash)
{
  OpenJob *o = g_new0 (OpenJob, 1);
  o->path = g_strdup (path);
  o->expected_hash = g_strdup (expected_hash);
  o->model = pare_session_model_ref (self->model);
  PareJobSpec spec = { .lane = LANE_DATA,
                       .name = "Reading data",
                       .quiet = TRUE,
                       .run = run_data,
                       .data = o,
                       .data_free = open_job_free,
                       .result_free = (GDestroyNotify)pare_dataset_unref,
                       .done = on_data };
  pare_scheduler_start (self->scheduler, &spec);
}

/* --- model and project --- */

static void
adopt_model (PareSession *self, PareOpened *opened)
{
  gboolean dispensable = pare_session_is_dispensable (self);
  /* Data that was chosen before there was a model is meant for this one; and a model from the beginning keeps its data. */
  gboolean keep_data = opened->kind == PARE_OPENED_MODEL && self->dataset != NULL && (self->model == NULL || opened->fresh);
  g_autoptr (PareSessionModel) old_model = g_steal_pointer (&self->model);
  g_autoptr (PareDataset) old_data = g_steal_pointer (&self->dataset);
  g_autoptr (PareHistory) old_history = g_steal_pointer (&self->history);
  pare_session_cancel_heavy (self, HEAVY_BASELINE);
  pare_session_cancel_heavy (self, HEAVY_EVALUATE);
  pare_session_cancel_heavy (self, HEAVY_LATENCY_NOW);
  pare_session_cancel_heavy (self, HEAVY_LATENCY_ORIGINAL);
  pare_job_cancel (pare_scheduler_get_running (self->scheduler, LANE_APPLY));
  pare_job_cancel (pare_scheduler_get_running (self->scheduler, LANE_SIZE));
  pare_job_cancel (pare_scheduler_get_running (self->scheduler, LANE_CALIBRATE));
  pare_session_drop_exports (self);
  if (self->debounce != NULL)
    g_source_destroy (self->debounce);
  g_clear_pointer (&self->debounce, g_source_unref);
  pare_session_close_store (self, dispensable);
  pare_session_reset_work (self);
  self->generation++;

  self->model = g_steal_pointer (&opened->model);
  self->history = g_steal_pointer (&opened->history);
  self->store = g_steal_pointer (&opened->store);
  self->own_file = opened->own_file;
  self->continued = opened->continued;
  self->save_trouble = g_steal_pointer (&opened->save_trouble);
  self->split = opened->split;
  g_clear_pointer (&self->project_path, g_free);
  self->project_path = self->store != NULL ? g_strdup (pare_store_get_path (self->store)) : NULL;
  pare_session_connect_store (self);
  g_hash_table_unref (self->ui);
  self->ui = opened->ui != NULL ? g_steal_pointer (&opened->ui) : g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  if (keep_data)
    {
      self->dataset = g_steal_pointer (&old_data);
      save_data (self);
    }
  else
    {
      g_free (self->data_hash);
      self->data_hash = opened->data != NULL ? g_strdup (opened->data->hash) : NULL;
    }
  pare_session_take_stored (self);
  emit_everything (self);
  tell_notes (self, opened->notes);
  g_autofree char *assumed = pare_graph_dup_assumed (self->model->graph);
  if (assumed != NULL)
    pare_session_message (self, "info", "%s leaves the size of its input open: without data, figures are taken at %s", self->model->name,
                          assumed);
  if (self->model->why_not != NULL)
    pare_session_message (self, "warning", "%s opens, but cannot run: %s", self->model->name, self->model->why_not);
  if (opened->data != NULL && !keep_data)
    pare_session_start_data (self, opened->data->path, opened->data->hash);
  pare_session_pump (self);
}

static gpointer
run_open (PareJob *job, PareControl *control, gpointer data, GError **error)
{
  OpenJob *o = data;
  return pare_session_load (o->path, o->has_model, o->fresh, o->current, control, error);
}

static void
on_opened (PareJob *job, gpointer data, const GError *error, gpointer owner)
{
  PareSession *self = owner;
  OpenJob *o = pare_job_get_data (job);
  PareOpened *opened = data;
  if (o->cancel_id != 0)
    g_cancellable_disconnect (g_task_get_cancellable (o->task), o->cancel_id);
  if (opened == NULL || self->closed)
    {
      if (error != NULL)
        g_task_return_error (o->task, g_error_copy (error));
      else
        g_task_return_new_error (o->task, PARE_ERROR, PARE_ERROR_CANCELLED, "closed");
      pare_opened_free (opened);
      pare_session_pump (self);
      return;
    }
  switch (opened->kind)
    {
    case PARE_OPENED_MODEL:
    case PARE_OPENED_PROJECT:
      adopt_model (self, opened);
      break;
    case PARE_OPENED_ALREADY:
      break;
    case PARE_OPENED_DATA:
      adopt_data (self, opened->dataset);
      break;
    case PARE_OPENED_RECIPE:
      {
        g_autofree char *base = g_path_get_basename (o->path);
        g_autofree char *title = g_strdup_printf ("Recipe %s", base);
        pare_session_set_recipe (self, opened->recipe, title);
        break;
      }
    }
  pare_opened_free (opened);
  g_task_return_boolean (o->task, TRUE);
}

static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  pare_job_cancel (data);
}

static void
open_path (PareSession *self, const char *path, gboolean fresh, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  GTask *task = g_task_new (self, cancellable, callback, data);
  g_task_set_source_tag (task, pare_session_open_async);
  if (pare_scheduler_get_running (self->scheduler, LANE_SAVE) != NULL)
    {
      g_task_return_new_error (task, PARE_ERROR, PARE_ERROR_FILE, "%s: the project is just being saved; open it when that is done", path);
      g_object_unref (task);
      return;
    }
  if (self->closed || pare_scheduler_get_running (self->scheduler, LANE_OPEN) != NULL)
    {
      g_task_return_new_error (task, PARE_ERROR, PARE_ERROR_FILE, "%s: another file is being opened", path);
      g_object_unref (task);
      return;
    }
  g_autofree char *absolute = g_canonicalize_filename (path, NULL);
  if (g_strcmp0 (absolute, self->project_path) == 0)
    {
      g_task_return_boolean (task, TRUE); /* it is open */
      g_object_unref (task);
      return;
    }
  OpenJob *o = g_new0 (OpenJob, 1);
  o->task = task;
  o->path = g_steal_pointer (&absolute);
  o->has_model = self->model != NULL;
  o->fresh = fresh;
  o->current = g_strdup (self->project_path);
  g_autofree char *base = g_path_get_basename (path);
  g_autofree char *shown = g_filename_display_name (base);
  g_autofree char *name = g_strdup_printf ("Opening %s", shown);
  PareJobSpec spec = { .lane = LANE_OPEN,
                       .name = name,
                       .quiet = TRUE,
                       .run = run_open,
                       .data = o,
                       .data_free = open_job_free,
                       .result_free = (GDestroyNotify)pare_opened_free,
                       .done = on_opened };
  PareJob *job = pare_scheduler_start (self->scheduler, &spec);
  if (job != NULL && cancellable != NULL)
    o->cancel_id = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), job, NULL);
}

void
pare_session_open_async (PareSession *self, const char *path, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  g_return_if_fail (PARE_IS_SESSION (self) && path != NULL);
  open_path (self, path, FALSE, cancellable, callback, data);
}

void
pare_session_start_fresh_async (PareSession *self, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  g_return_if_fail (PARE_IS_SESSION (self));
  const char *path = self->model != NULL ? self->model->graph->path : NULL;
  if (path != NULL)
    {
      open_path (self, path, TRUE, cancellable, callback, data);
      return;
    }
  GTask *task = g_task_new (self, cancellable, callback, data);
  g_task_set_source_tag (task, pare_session_open_async);
  g_task_return_new_error (task, PARE_ERROR, PARE_ERROR_FILE, "no model file is open");
  g_object_unref (task);
}

gboolean
pare_session_open_finish (PareSession *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
