#pragma once
#include <glib.h>

/* How a long job is watched and stopped. Plain memory: safe to share between threads.
 * A job checks pare_control_cancelled() per sample and per 64 rows, and reports done of total. NULL is allowed everywhere. */
typedef struct _PareControl PareControl;
typedef void (*PareProgressFunc) (const char *what, guint64 done, guint64 total, gpointer data); /* called in a worker thread */

PareControl *pare_control_new (PareProgressFunc func, gpointer data);
PareControl *pare_control_ref (PareControl *self);
void pare_control_unref (PareControl *self);
void pare_control_cancel (PareControl *self);
gboolean pare_control_cancelled (PareControl *self);
/* Sets PARE_ERROR_CANCELLED and returns TRUE when cancelled. */
gboolean pare_control_check (PareControl *self, GError **error);
void pare_control_report (PareControl *self, const char *what, guint64 done, guint64 total);
/* For pare_rt_runner_run. */
const volatile int *pare_control_flag (PareControl *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareControl, pare_control_unref)

/* Threads to use when nothing is said: the cores of this process, or what was set. */
int pare_default_threads (void);
/* 0: as many as cores. From the next job on. */
void pare_set_default_threads (int threads);

/* Calls func(index, worker, data) for each index 0..n-1 on `threads` threads, index order of hand-out; stops handing out once
 * func returns FALSE. Returns FALSE if any did. Worker numbers are 0..threads-1. */
typedef gboolean (*PareParallelFunc) (guint index, int worker, gpointer data);
gboolean pare_parallel_for (guint n, int threads, PareParallelFunc func, gpointer data);
/* The same in ranges of at most `most` indices, for turns that are short or find what they need beside what the turn before found:
 * func(first, count, worker, data). Towards the end ranges are shorter, so that the threads end together. */
typedef gboolean (*PareRangeFunc) (guint first, guint count, int worker, gpointer data);
gboolean pare_parallel_ranges (guint n, guint most, int threads, PareRangeFunc func, gpointer data);
