#include "engine/base/pare-control.h"
#include "engine/base/pare-error.h"

#include <sched.h>

struct _PareControl
{
  gatomicrefcount refs;
  volatile int cancelled;
  PareProgressFunc func;
  gpointer data;
};

PareControl *
pare_control_new (PareProgressFunc func, gpointer data)
{
  PareControl *self = g_new0 (PareControl, 1);
  g_atomic_ref_count_init (&self->refs);
  self->func = func;
  self->data = data;
  return self;
}

PareControl *
pare_control_ref (PareControl *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
pare_control_unref (PareControl *self)
{
  if (g_atomic_ref_count_dec (&self->refs))
    g_free (self);
}

void
pare_control_cancel (PareControl *self)
{
  g_atomic_int_set (&self->cancelled, 1);
}

gboolean
pare_control_cancelled (PareControl *self)
{
  return self != NULL && g_atomic_int_get (&self->cancelled) != 0;
}

gboolean
pare_control_check (PareControl *self, GError **error)
{
  if (!pare_control_cancelled (self))
    return FALSE;
  g_set_error_literal (error, PARE_ERROR, PARE_ERROR_CANCELLED, "cancelled");
  return TRUE;
}

void
pare_control_report (PareControl *self, const char *what, guint64 done, guint64 total)
{
  if (self != NULL && self->func != NULL)
    self->func (what, done, total, self->data);
}

const volatile int *
pare_control_flag (PareControl *self)
{
  return self != NULL ? &self->cancelled : NULL;
}

static int wanted_threads; /* atomic */

void
pare_set_default_threads (int threads)
{
  g_atomic_int_set (&wanted_threads, MAX (threads, 0));
}

int
pare_default_threads (void)
{
  cpu_set_t set;
  int wanted = g_atomic_int_get (&wanted_threads);
  if (wanted > 0)
    return wanted;
  if (sched_getaffinity (0, sizeof set, &set) == 0)
    return MAX (1, CPU_COUNT (&set));
  return MAX (1, (int)g_get_num_processors ());
}
