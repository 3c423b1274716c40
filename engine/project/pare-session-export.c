/* The current recipe as an ONNX file that other runtimes load. */
#include "engine/project/pare-session-private.h"
#include "engine/export/pare-export.h"
#include "engine/onnx/pare-onnx.h"

typedef struct
{
  GTask *task;
  char *path;
  PareRecipe *recipe;
  char **metadata;
  /* Filled when it starts */
  PareSessionModel *model;
  PareStatistics *statistics;
  gulong cancel_id;
} Export;

static void
export_free (gpointer data)
{
  Export *e = data;
  if (e->cancel_id != 0)
    g_cancellable_disconnect (g_task_get_cancellable (e->task), e->cancel_id);
  g_object_unref (e->task);
  g_clear_pointer (&e->recipe, pare_recipe_unref);
  g_clear_pointer (&e->model, pare_session_model_unref);
  g_clear_pointer (&e->statistics, pare_statistics_unref);
  g_strfreev (e->metadata);
  g_free (e->path);
  g_free (e);
}

static char *
figure (const PareEvaluation *e)
{
  return g_strdup_printf ("%.4f (%.4f .. %.4f, %u samples)", e->value, e->low, e->high, e->done);
}

/* The same keys as `pare optimize` writes. */
static char **
make_metadata (PareSession *self)
{
  GPtrArray *pairs = g_ptr_array_new ();
  g_ptr_array_add (pairs, g_strdup ("pare.version"));
  g_ptr_array_add (pairs, g_strdup (PARE_VERSION));
  g_ptr_array_add (pairs, g_strdup ("pare.recipe"));
  g_ptr_array_add (pairs, pare_recipe_to_json (pare_session_get_recipe (self)));
  if (self->evaluation != NULL && self->evaluation_origin == PARE_ORIGIN_MEASURED && self->baseline != NULL)
    {
      g_autofree char *after = figure (self->evaluation), *before = figure (self->baseline);
      g_ptr_array_add (pairs, g_strdup ("pare.measured"));
      g_ptr_array_add (pairs, g_strdup_printf ("%s %s; original %s", self->evaluation->metric, after, before));
    }
  if (self->dataset != NULL)
    {
      g_ptr_array_add (pairs, g_strdup ("pare.data_sha256"));
      g_ptr_array_add (pairs, g_strdup (pare_dataset_get_hash (self->dataset)));
    }
  g_ptr_array_add (pairs, NULL);
  return (char **)g_ptr_array_free (pairs, FALSE);
}

static gpointer
run_export (PareJob *job, PareControl *control, gpointer data, GError **error)
{
  Export *e = data;
  g_autoptr (PareGraph) changed = pare_apply (e->model->graph, e->recipe, e->statistics, NULL, control, error);
  if (changed == NULL)
    return NULL;
  g_autoptr (PareGraph) plain = pare_export_onnx (changed, (const char *const *)e->metadata, error);
  if (plain == NULL || pare_control_check (control, error) || !pare_onnx_save (plain, e->path, error))
    return NULL;
  return GINT_TO_POINTER (1);
}

static void
on_exported (PareJob *job, gpointer result, const GError *error, gpointer owner)
{
  PareSession *self = owner;
  Export *e = pare_job_get_data (job);
  if (e->cancel_id != 0)
    g_cancellable_disconnect (g_task_get_cancellable (e->task), e->cancel_id);
  e->cancel_id = 0;
  if (error != NULL)
    g_task_return_error (e->task, g_error_copy (error));
  else
    g_task_return_boolean (e->task, TRUE);
  pare_session_pump (self);
}

static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  pare_job_cancel (data);
}

void
pare_session_drop_exports (PareSession *self)
{
  Export *e;
  while ((e = g_queue_pop_head (&self->exports)) != NULL)
    {
      g_task_return_new_error (e->task, PARE_ERROR, PARE_ERROR_CANCELLED, "cancelled");
      export_free (e);
    }
}

/* The first that waits, once the ranges it needs are there. */
void
pare_session_start_exports (PareSession *self)
{
  if (g_queue_is_empty (&self->exports) || pare_scheduler_get_running (self->scheduler, LANE_EXPORT) != NULL)
    return;
  Export *e = g_queue_peek_head (&self->exports);
  GCancellable *cancellable = g_task_get_cancellable (e->task);
  gboolean missing = pare_session_recipe_needs_ranges (self->model, e->recipe) && self->statistics == NULL;
  gboolean coming = self->dataset != NULL && !self->calibrate_failed && !self->calibrate_stopped && self->model->why_not == NULL;
  if (missing && coming && !g_cancellable_is_cancelled (cancellable))
    return;
  g_queue_pop_head (&self->exports);
  if (missing)
    {
      g_task_return_new_error (e->task, PARE_ERROR, PARE_ERROR_DATA, "%s: activation bits need ranges from data: add data first",
                               self->model->name);
      export_free (e);
      pare_session_start_exports (self);
      return;
    }
  e->model = pare_session_model_ref (self->model);
  e->statistics = self->statistics != NULL ? pare_statistics_ref (self->statistics) : NULL;
  PareJobSpec spec
      = { .lane = LANE_EXPORT, .name = "Exporting", .run = run_export, .data = e, .data_free = export_free, .done = on_exported };
  PareJob *job = pare_scheduler_start (self->scheduler, &spec);
  if (job != NULL && cancellable != NULL)
    e->cancel_id = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), job, NULL);
}

void
pare_session_export_async (PareSession *self, const char *path, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  g_return_if_fail (PARE_IS_SESSION (self) && path != NULL);
  GTask *task = g_task_new (self, cancellable, callback, data);
  g_task_set_source_tag (task, pare_session_export_async);
  if (self->history == NULL || self->closed)
    {
      g_task_return_new_error (task, PARE_ERROR, PARE_ERROR_FILE, "there is no model open that could be exported");
      g_object_unref (task);
      return;
    }
  Export *e = g_new0 (Export, 1);
  e->task = task;
  e->path = g_strdup (path);
  e->recipe = pare_recipe_ref ((PareRecipe *)pare_session_get_recipe (self));
  e->metadata = make_metadata (self);
  g_queue_push_tail (&self->exports, e);
  pare_session_pump (self);
}

gboolean
pare_session_export_finish (PareSession *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
