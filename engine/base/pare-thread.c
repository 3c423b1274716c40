#include "engine/base/pare-thread.h"

#include <sched.h>

typedef struct
{
  void *(*func) (void *);
  void *data;
  cpu_set_t allowed;
} Start;

static void *
run (void *data)
{
  Start *start = data;
  void *(*func) (void *) = start->func;
  void *argument = start->data;
  sched_setaffinity (0, sizeof start->allowed, &start->allowed);
  g_free (start);
  return func (argument);
}

gboolean
pare_thread_start_elsewhere (pthread_t *thread, void *(*func) (void *), void *data)
{
  Start *start = g_new (Start, 1);
  cpu_set_t others;
  pthread_attr_t attributes;
  gboolean started = FALSE;
  int here = sched_getcpu ();
  *start = (Start){ .func = func, .data = data };
  if (here >= 0 && here < CPU_SETSIZE && sched_getaffinity (0, sizeof start->allowed, &start->allowed) == 0
      && pthread_attr_init (&attributes) == 0)
    {
      others = start->allowed;
      CPU_CLR (here, &others);
      started = CPU_COUNT (&others) > 0 && pthread_attr_setaffinity_np (&attributes, sizeof others, &others) == 0
                && pthread_create (thread, &attributes, run, start) == 0;
      pthread_attr_destroy (&attributes);
    }
  if (started)
    return TRUE;
  g_free (start);
  return pthread_create (thread, NULL, func, data) == 0;
}
