#include "engine/base/pare-thread.h"

#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROMPT_NS 100000 /* the shortest slice that Linux takes */
#define RESET_ON_FORK 1

/* The kernel's struct sched_attr, first version: its header and the C library's cannot be included together everywhere. */
typedef struct
{
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
} Scheduling;

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

void
pare_thread_be_prompt (void)
{
  Scheduling own = { .size = sizeof own };
  if (syscall (SYS_sched_getattr, 0, &own, sizeof own, 0) != 0 || own.policy != SCHED_OTHER)
    return;
  own.flags |= RESET_ON_FORK; /* the threads that it starts are as any others */
  own.runtime = PROMPT_NS;
  syscall (SYS_sched_setattr, 0, &own, 0);
}
