/* Jobs in worker threads, started and answered in the main thread. A job's function sees only what it was given (immutable), and hands back one result; on the way it may
 * post snapshots, of which the newest reaches the main thread. Supersession is the owner's: it cancels the job, starts the next when the lane is free, and
 * compares `generation` before it takes a result. */
#pragma once
#include "engine/project/pare-session.h"

typedef struct _PareScheduler PareScheduler;
typedef struct _PareJob PareJob;

typedef gpointer (*PareJobRun) (PareJob *job, PareControl *control, gpointer data, GError **error); /* worker thread */
/* Main thread. result: (transfer full). error set: no result. A job that was stopped has PARE_ERROR_CANCELLED. */
typedef void (*PareJobDone) (PareJob *job, gpointer result, const GError *error, gpointer owner);
typedef void (*PareJobNews) (PareJob *job, gpointer snapshot, gpointer owner);

typedef struct {
  guint lane;               /* one job at a time in each */
  const char *name;
  guint64 generation;
  int tag;                  /* owner's */
  gboolean quiet;           /* listed only once it has run for a while */
  gboolean hidden;          /* never listed: nobody waits for it */
  int nice;                 /* of its threads: a little, so that the window comes first; 0: none */
  gboolean background;      /* its threads yield to others */
  gboolean urgent;          /* its thread begins on another CPU than the main thread's, which goes on */
  gboolean not_cancellable;
  PareJobRun run;
  gpointer data;
  GDestroyNotify data_free;
  GDestroyNotify result_free;
  GDestroyNotify snapshot_free;
  PareJobDone done;
  PareJobNews news;
} PareJobSpec;

/* changed: the list of jobs or the progress of one. Answers come in the thread-default main context of the creating thread,
 * which is asked to be run promptly while jobs take all CPUs. */
PareScheduler *pare_scheduler_new (void (*changed) (gpointer owner), gpointer owner);
/* Cancels all, waits for each, answers each with PARE_ERROR_CANCELLED. Nothing is called afterwards. */
void pare_scheduler_stop (PareScheduler *self);
void pare_scheduler_free (PareScheduler *self);
/* NULL when the lane is taken or all was stopped (data is freed). Borrowed until done. */
PareJob *pare_scheduler_start (PareScheduler *self, const PareJobSpec *spec);
/* Likewise; `then` is another job, in another lane, that begins in the same thread as soon as the first has a result, whenever the main
 * thread hears of that. It is listed from then on, and answered with PARE_ERROR_CANCELLED where the first has none. Both lanes are taken
 * from the beginning. pass: worker thread; gives the second's data what it needs of the first's result, which stays the first's. */
typedef void (*PareJobPass) (gconstpointer result, gpointer data);
PareJob *pare_scheduler_start_both (PareScheduler *self, const PareJobSpec *spec, const PareJobSpec *then, PareJobPass pass);
PareJob *pare_scheduler_get_running (PareScheduler *self, guint lane);
/* Those that are listed. */
guint pare_scheduler_get_n_jobs (PareScheduler *self);
PareJob *pare_scheduler_get_job (PareScheduler *self, guint i);

void pare_job_cancel (PareJob *job);
/* by_person: told apart from supersession in the answer. */
void pare_job_stop (PareJob *job);
gboolean pare_job_was_stopped (PareJob *job);
int pare_job_get_tag (PareJob *job);
gpointer pare_job_get_data (PareJob *job);
guint64 pare_job_get_generation (PareJob *job);
/* As it stands now; borrowed until the job is done. */
const PareJobInfo *pare_job_get_info (PareJob *job);
/* From the worker: (transfer full) snapshot replaces one that was not yet delivered. */
void pare_job_post (PareJob *job, gpointer snapshot);
