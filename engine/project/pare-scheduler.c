#include "engine/project/pare-scheduler.h"
#include "engine/base/pare-error.h"
#include "engine/base/pare-thread.h"

#define TICK_MS 100
#define QUIET_US (250 * 1000)

struct _PareScheduler
{
  GMainContext *context;
  void (*changed) (gpointer owner);
  gpointer owner;
  GPtrArray *jobs; /* all that run, oldest first */
  GSource *tick;
  gboolean stopped;
  int refs; /* main thread only: an answer may let go of the owner */
};

struct _PareJob
{
  gatomicrefcount refs;
  PareScheduler *scheduler;
  PareJobSpec spec;
  char *name;
  PareControl *control;
  PareThread *thread;
  gint64 started;
  PareJobInfo info; /* main thread's copy */
  gboolean listed, by_person;
  gboolean waits;  /* for the job that it goes on from */
  GSource *answer; /* owned by the worker until it is attached; destroyed in the main thread */

  GMutex mutex; /* of what follows, which the worker writes */
  guint64 done, total;
  gboolean moved;
  gpointer snapshot;
  GSource *news;

  gpointer result;
  GError *error;

  /* The job that goes on in this one's thread, until this one is answered; and what it is given. */
  PareJob *then;
  PareJobPass pass;
};

static PareJob *
job_ref (PareJob *job)
{
  g_atomic_ref_count_inc (&job->refs);
  return job;
}

static void
job_unref (PareJob *job)
{
  if (!g_atomic_ref_count_dec (&job->refs))
    return;
  pare_control_unref (job->control);
  if (job->spec.data_free != NULL)
    job->spec.data_free (job->spec.data);
  if (job->snapshot != NULL && job->spec.snapshot_free != NULL)
    job->spec.snapshot_free (job->snapshot);
  if (job->result != NULL && job->spec.result_free != NULL)
    job->spec.result_free (job->result);
  g_clear_error (&job->error);
  g_clear_pointer (&job->then, job_unref);
  g_mutex_clear (&job->mutex);
  g_free (job->name);
  g_free (job);
}

static void
tell_changed (PareScheduler *self)
{
  if (!self->stopped)
    self->changed (self->owner);
}

static gboolean
on_tick (gpointer data)
{
  PareScheduler *self = data;
  gboolean changed = FALSE;
  gint64 now = g_get_monotonic_time ();
  for (guint i = 0; i < self->jobs->len; i++)
    {
      PareJob *job = self->jobs->pdata[i];
      if (!job->listed && !job->waits && !job->spec.hidden && now - job->started > QUIET_US)
        job->listed = changed = TRUE;
      g_mutex_lock (&job->mutex);
      changed |= job->listed && job->moved;
      job->moved = FALSE;
      g_mutex_unlock (&job->mutex);
    }
  if (changed)
    tell_changed (self);
  return G_SOURCE_CONTINUE;
}

static void
update_tick (PareScheduler *self)
{
  gboolean wanted = self->jobs->len > 0 && !self->stopped;
  if (wanted && self->tick == NULL)
    {
      self->tick = g_timeout_source_new (TICK_MS);
      g_source_set_callback (self->tick, on_tick, self, NULL);
      g_source_attach (self->tick, self->context);
    }
  else if (!wanted && self->tick != NULL)
    {
      g_source_destroy (self->tick);
      g_clear_pointer (&self->tick, g_source_unref);
    }
}

PareScheduler *
pare_scheduler_new (void (*changed) (gpointer owner), gpointer owner)
{
  PareScheduler *self = g_new0 (PareScheduler, 1);
  self->refs = 1;
  self->context = g_main_context_ref_thread_default ();
  self->changed = changed;
  self->owner = owner;
  self->jobs = g_ptr_array_new ();
  pare_thread_be_prompt ();
  return self;
}

static void
scheduler_unref (PareScheduler *self)
{
  if (--self->refs > 0)
    return;
  g_ptr_array_unref (self->jobs);
  g_main_context_unref (self->context);
  g_free (self);
}

/* Out of the list; the thread has ended or is waited for. */
static void
retire (PareJob *job)
{
  PareScheduler *self = job->scheduler;
  if (job->thread != NULL)
    pare_thread_finish (g_steal_pointer (&job->thread));
  if (job->answer != NULL)
    g_source_destroy (job->answer);
  g_clear_pointer (&job->answer, g_source_unref);
  if (job->news != NULL)
    g_source_destroy (job->news);
  g_clear_pointer (&job->news, g_source_unref);
  g_ptr_array_remove (self->jobs, job);
}

static gboolean
on_answer (gpointer data)
{
  PareJob *job = data;
  PareScheduler *self = job->scheduler;
  self->refs++;
  job_ref (job);
  retire (job);
  update_tick (self);
  if (job->then != NULL)
    {
      job->then->waits = FALSE;
      job->then->started = g_get_monotonic_time ();
      job->then->listed = job->error == NULL && !job->then->spec.quiet && !job->then->spec.hidden; /* else it has ended */
      if (job->then->listed)
        tell_changed (self);
      g_clear_pointer (&job->then, job_unref);
    }
  gpointer result = g_steal_pointer (&job->result);
  job->spec.done (job, result, job->error, self->owner);
  if (job->listed)
    tell_changed (self);
  job_unref (job); /* the list's */
  job_unref (job);
  scheduler_unref (self);
  return G_SOURCE_REMOVE;
}

static gboolean
on_news (gpointer data)
{
  PareJob *job = data;
  g_mutex_lock (&job->mutex);
  gpointer snapshot = g_steal_pointer (&job->snapshot);
  g_clear_pointer (&job->news, g_source_unref);
  g_mutex_unlock (&job->mutex);
  if (snapshot != NULL && !pare_control_cancelled (job->control) && !job->scheduler->stopped)
    job->spec.news (job, snapshot, job->scheduler->owner);
  if (snapshot != NULL && job->spec.snapshot_free != NULL)
    job->spec.snapshot_free (snapshot);
  return G_SOURCE_REMOVE;
}

void
pare_job_post (PareJob *job, gpointer snapshot)
{
  gpointer old = snapshot;
  g_mutex_lock (&job->mutex);
  if (job->spec.news != NULL)
    {
      old = job->snapshot;
      job->snapshot = snapshot;
      if (job->news == NULL)
        {
          job->news = g_idle_source_new ();
          g_source_set_priority (job->news, G_PRIORITY_HIGH_IDLE);
          g_source_set_callback (job->news, on_news, job_ref (job), (GDestroyNotify)job_unref);
          g_source_attach (job->news, job->scheduler->context);
        }
    }
  g_mutex_unlock (&job->mutex);
  if (old != NULL && job->spec.snapshot_free != NULL)
    job->spec.snapshot_free (old);
}

static void
on_progress (const char *what, guint64 done, guint64 total, gpointer data)
{
  PareJob *job = data;
  g_mutex_lock (&job->mutex);
  job->moved |= job->done != done || job->total != total;
  job->done = done;
  job->total = total;
  g_mutex_unlock (&job->mutex);
}

static void
job_main (gpointer data)
{
  PareJob *job = data, *then = job->then;
  job->result = job->spec.run (job, job->control, job->spec.data, &job->error);
  if (job->error != NULL && job->result != NULL)
    {
      if (job->spec.result_free != NULL)
        job->spec.result_free (job->result);
      job->result = NULL;
    }
  gboolean goes_on = then != NULL && job->error == NULL;
  if (goes_on)
    job->pass (job->result, then->spec.data);
  g_source_attach (job->answer, job->scheduler->context); /* the main thread may free it from here on */
  if (goes_on)
    job_main (then);
  else if (then != NULL)
    {
      g_set_error_literal (&then->error, PARE_ERROR, PARE_ERROR_CANCELLED, "there is nothing to go on with");
      g_source_attach (then->answer, then->scheduler->context);
    }
}

static PareJob *
job_new (PareScheduler *self, const PareJobSpec *spec)
{
  PareJob *job = g_new0 (PareJob, 1);
  g_atomic_ref_count_init (&job->refs);
  g_mutex_init (&job->mutex);
  job->scheduler = self;
  job->spec = *spec;
  job->name = g_strdup (spec->name);
  job->control = pare_control_new (on_progress, job);
  job->started = g_get_monotonic_time ();
  /* Made here, so that stopping finds it whatever the thread has come to. */
  job->answer = g_idle_source_new ();
  g_source_set_priority (job->answer, G_PRIORITY_DEFAULT);
  g_source_set_callback (job->answer, on_answer, job, NULL);
  g_ptr_array_add (self->jobs, job);
  return job;
}

PareJob *
pare_scheduler_start (PareScheduler *self, const PareJobSpec *spec)
{
  return pare_scheduler_start_both (self, spec, NULL, NULL);
}

PareJob *
pare_scheduler_start_both (PareScheduler *self, const PareJobSpec *spec, const PareJobSpec *then, PareJobPass pass)
{
  if (self->stopped || pare_scheduler_get_running (self, spec->lane) != NULL
      || (then != NULL && pare_scheduler_get_running (self, then->lane) != NULL))
    {
      if (spec->data_free != NULL)
        spec->data_free (spec->data);
      if (then != NULL && then->data_free != NULL)
        then->data_free (then->data);
      return NULL;
    }
  PareJob *job = job_new (self, spec), *owner = job;
  job->listed = !spec->quiet && !spec->hidden;
  if (then != NULL)
    {
      owner = job_new (self, then);
      owner->waits = TRUE;
      job->then = job_ref (owner);
      job->pass = pass;
    }
  /* One thread does both: the later one waits for it. */
  int nice = MAX (spec->background ? 10 : spec->nice, then != NULL ? then->nice : 0);
  owner->thread = spec->urgent ? pare_thread_start_elsewhere (nice, job_main, job) : pare_thread_start (nice, NULL, job_main, job);
  if (owner->thread == NULL)
    g_error ("no thread can be started");
  update_tick (self);
  if (job->listed)
    tell_changed (self);
  return job;
}

PareJob *
pare_scheduler_get_running (PareScheduler *self, guint lane)
{
  for (guint i = 0; i < self->jobs->len; i++)
    if (((PareJob *)self->jobs->pdata[i])->spec.lane == lane)
      return self->jobs->pdata[i];
  return NULL;
}

guint
pare_scheduler_get_n_jobs (PareScheduler *self)
{
  guint n = 0;
  for (guint i = 0; i < self->jobs->len; i++)
    n += ((PareJob *)self->jobs->pdata[i])->listed;
  return n;
}

PareJob *
pare_scheduler_get_job (PareScheduler *self, guint i)
{
  for (guint k = 0; k < self->jobs->len; k++)
    {
      PareJob *job = self->jobs->pdata[k];
      if (job->listed && i-- == 0)
        return job;
    }
  return NULL;
}

void
pare_scheduler_stop (PareScheduler *self)
{
  if (self->stopped)
    return;
  self->stopped = TRUE;
  for (guint i = 0; i < self->jobs->len; i++)
    pare_control_cancel (((PareJob *)self->jobs->pdata[i])->control);
  for (guint i = 0; i < self->jobs->len; i++) /* all, before the first is freed that another goes on from */
    {
      PareJob *job = self->jobs->pdata[i];
      if (job->thread != NULL)
        pare_thread_finish (g_steal_pointer (&job->thread));
    }
  while (self->jobs->len > 0)
    {
      PareJob *job = self->jobs->pdata[0];
      GError *cancelled = g_error_new_literal (PARE_ERROR, PARE_ERROR_CANCELLED, "closed");
      retire (job);
      job->spec.done (job, NULL, cancelled, self->owner);
      g_error_free (cancelled);
      job_unref (job);
    }
  update_tick (self);
}

void
pare_scheduler_free (PareScheduler *self)
{
  if (self == NULL)
    return;
  pare_scheduler_stop (self);
  scheduler_unref (self);
}

void
pare_job_cancel (PareJob *job)
{
  if (job != NULL)
    pare_control_cancel (job->control);
}

void
pare_job_stop (PareJob *job)
{
  job->by_person = TRUE;
  pare_control_cancel (job->control);
}

gboolean
pare_job_was_stopped (PareJob *job)
{
  return job->by_person;
}

int
pare_job_get_tag (PareJob *job)
{
  return job->spec.tag;
}

gpointer
pare_job_get_data (PareJob *job)
{
  return job->spec.data;
}

guint64
pare_job_get_generation (PareJob *job)
{
  return job->spec.generation;
}

const PareJobInfo *
pare_job_get_info (PareJob *job)
{
  g_mutex_lock (&job->mutex);
  job->info = (PareJobInfo){ job->name, job->done, job->total, job->started, !job->spec.not_cancellable };
  g_mutex_unlock (&job->mutex);
  return &job->info;
}
