/* The project under another name. The copy is made beside the running session; what is edited meanwhile is written to both. */
#include "engine/project/pare-session-private.h"

#include <glib/gstdio.h>

typedef struct
{
  GTask *task;     /* NULL: the caller waits */
  PareStore *from; /* the session's */
  char *target;
  gboolean read_only; /* `from` is: what was done since it was opened went nowhere */
  gboolean borrowed;  /* `from` was made for this: there was none */
  gulong cancel_id;
} SaveAs;

static void
save_as_free (gpointer data)
{
  SaveAs *s = data;
  g_clear_object (&s->task);
  g_free (s->target);
  g_free (s);
}

/* Main thread. NULL without error: it is saved there already. */
static SaveAs *
begin (PareSession *self, const char *path, GError **error)
{
  if (self->history == NULL || self->closed)
    {
      g_set_error_literal (error, PARE_ERROR, PARE_ERROR_FILE, "there is no model open that could be saved");
      return NULL;
    }
  if (pare_scheduler_get_running (self->scheduler, LANE_SAVE) != NULL || pare_scheduler_get_running (self->scheduler, LANE_OPEN) != NULL)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "%s: another file is being opened or saved", path);
      return NULL;
    }
  g_autofree char *target = g_canonicalize_filename (path, NULL);
  gboolean read_only = pare_session_is_read_only (self), borrowed = FALSE;
  if (self->store != NULL && !read_only && g_str_equal (target, pare_store_get_path (self->store)))
    {
      pare_store_flush (self->store, error);
      return NULL;
    }
  if (self->store == NULL)
    {
      /* Nothing to copy from: a file beside, from which the rest goes its usual way. */
      g_autofree char *beside = g_strdup_printf ("%s.new-%x", target, g_random_int ());
      self->store = pare_store_create (beside, error);
      if (self->store == NULL)
        return NULL;
      borrowed = self->own_file = TRUE;
      pare_session_save_all (self);
    }
  SaveAs *s = g_new0 (SaveAs, 1);
  s->from = self->store;
  s->target = g_steal_pointer (&target);
  s->read_only = read_only;
  s->borrowed = borrowed;
  return s;
}

/* Any thread. */
static PareStore *
work (SaveAs *s, PareControl *control, GError **error)
{
  if (!pare_store_copy (s->from, s->target, TRUE, control, error))
    return NULL;
  PareStore *store = pare_store_open (s->target, error);
  if (store != NULL && pare_store_is_read_only (store))
    {
      g_autofree char *shown = g_filename_display_name (s->target);
      g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "%s: cannot be saved to: %s", shown, pare_store_get_why_read_only (store));
      g_clear_pointer (&store, pare_store_close);
    }
  if (store == NULL)
    pare_store_forget (s->from);
  return store;
}

/* Main thread: `store` takes the place of what the session wrote to. */
static gboolean
adopt (PareSession *self, SaveAs *s, PareStore *store, GError **error)
{
  pare_store_hand_over (s->from, store);
  if (s->read_only)
    {
      PareStore *before = self->store;
      self->store = store;
      pare_session_save_all (self);
      self->store = before;
    }
  /* The file that is left goes only when everything is in the new one. */
  gboolean whole = pare_store_flush (store, error), own = self->own_file;
  pare_session_close_store (self, own && whole);
  self->store = store;
  self->own_file = FALSE;
  self->continued = 0;
  pare_session_connect_store (self);
  g_free (self->project_path);
  self->project_path = g_strdup (s->target);
  pare_session_emit (self, SIGNAL_SAVED);
  return whole;
}

/* Main thread: as it was before. */
static void
give_up (PareSession *self, SaveAs *s)
{
  if (!s->borrowed)
    return;
  g_clear_pointer (&self->store, pare_store_close_and_remove);
  self->own_file = FALSE;
}

gboolean
pare_session_save_as (PareSession *self, const char *path, GError **error)
{
  g_return_val_if_fail (PARE_IS_SESSION (self) && path != NULL, FALSE);
  GError *local = NULL;
  SaveAs *s = begin (self, path, &local);
  PareStore *store = s != NULL ? work (s, NULL, &local) : NULL;
  if (store != NULL)
    adopt (self, s, store, &local);
  else if (s != NULL)
    give_up (self, s);
  g_clear_pointer (&s, save_as_free);
  if (local == NULL)
    return TRUE;
  g_propagate_error (error, local);
  return FALSE;
}

/* --- the same beside the main thread --- */

static gpointer
run_save_as (PareJob *job, PareControl *control, gpointer data, GError **error)
{
  return work (data, control, error);
}

static void
on_saved_as (PareJob *job, gpointer data, const GError *error, gpointer owner)
{
  PareSession *self = owner;
  SaveAs *s = pare_job_get_data (job);
  PareStore *store = data;
  GError *local = NULL;
  if (s->cancel_id != 0)
    g_cancellable_disconnect (g_task_get_cancellable (s->task), s->cancel_id);
  /* Also where it was cancelled too late, or the session is being closed: the copy is there and is the project now. */
  if (store != NULL)
    adopt (self, s, store, &local);
  else
    give_up (self, s);
  if (store == NULL || local != NULL)
    g_task_return_error (s->task, local != NULL ? local : g_error_copy (error));
  else
    g_task_return_boolean (s->task, TRUE);
  pare_session_pump (self);
}

static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  pare_job_cancel (data);
}

void
pare_session_save_as_async (PareSession *self, const char *path, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  g_return_if_fail (PARE_IS_SESSION (self) && path != NULL);
  GError *error = NULL;
  GTask *task = g_task_new (self, cancellable, callback, data);
  g_task_set_source_tag (task, pare_session_save_as_async);
  g_task_set_check_cancellable (task, FALSE);
  SaveAs *s = begin (self, path, &error);
  if (s == NULL)
    {
      if (error != NULL)
        g_task_return_error (task, error);
      else
        g_task_return_boolean (task, TRUE);
      g_object_unref (task);
      return;
    }
  s->task = task;
  g_autofree char *base = g_path_get_basename (s->target), *shown = g_filename_display_name (base);
  g_autofree char *name = g_strdup_printf ("Saving %s", shown);
  PareJobSpec spec = { .lane = LANE_SAVE,
                       .name = name,
                       .quiet = TRUE,
                       .run = run_save_as,
                       .data = s,
                       .data_free = save_as_free,
                       .result_free = (GDestroyNotify)pare_store_close,
                       .done = on_saved_as };
  PareJob *job = pare_scheduler_start (self->scheduler, &spec);
  if (job != NULL && cancellable != NULL)
    s->cancel_id = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), job, NULL);
}

gboolean
pare_session_save_as_finish (PareSession *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
