#include "engine/base/pare-thread.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
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

struct _PareThread
{
  int nice;
  GMutex mutex; /* of func and data */
  GCond changed;
  void (*func) (gpointer); /* NULL: nothing is to be done */
  gpointer data;
  PareThread *next; /* of those that wait */
};

static GMutex lock; /* of waiting */
static PareThread *waiting;

static void *
work (void *data)
{
  PareThread *self = data;
  pthread_setname_np (pthread_self (), "pare-job");
  /* On Linux a nice value is the thread's own, and the threads that it starts inherit it. It cannot be taken back: hence one kind of
   * threads for each. */
  if (self->nice > 0)
    setpriority (PRIO_PROCESS, 0, MIN (19, getpriority (PRIO_PROCESS, 0) + self->nice));
  g_mutex_lock (&self->mutex);
  for (;;)
    {
      while (self->func == NULL)
        g_cond_wait (&self->changed, &self->mutex);
      g_mutex_unlock (&self->mutex);
      self->func (self->data);
      g_mutex_lock (&self->mutex);
      self->func = NULL;
      g_cond_signal (&self->changed);
    }
  return NULL;
}

static PareThread *
take_waiting (int nice)
{
  PareThread *found = NULL;
  g_mutex_lock (&lock);
  for (PareThread **at = &waiting; *at != NULL; at = &(*at)->next)
    if ((*at)->nice == nice)
      {
        found = *at;
        *at = found->next;
        break;
      }
  g_mutex_unlock (&lock);
  return found;
}

/* A process that was forked off has none of them. */
static void
forget (void)
{
  g_mutex_init (&lock);
  waiting = NULL;
}

static void
watch_forks (void)
{
  pthread_atfork (NULL, NULL, forget);
}

static PareThread *
make_thread (int nice)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once (&once, watch_forks);
  PareThread *self = g_new0 (PareThread, 1);
  pthread_t thread;
  self->nice = nice;
  g_mutex_init (&self->mutex);
  g_cond_init (&self->changed);
  if (pthread_create (&thread, NULL, work, self) == 0)
    {
      pthread_detach (thread);
      return self;
    }
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->changed);
  g_free (self);
  return NULL;
}

PareThread *
pare_thread_start (int nice, void (*func) (gpointer), gpointer data)
{
  PareThread *self = take_waiting (nice);
  if (self == NULL && (self = make_thread (nice)) == NULL)
    return NULL;
  g_mutex_lock (&self->mutex);
  self->data = data;
  self->func = func;
  g_cond_signal (&self->changed);
  g_mutex_unlock (&self->mutex);
  return self;
}

void
pare_thread_finish (PareThread *self)
{
  g_mutex_lock (&self->mutex);
  while (self->func != NULL)
    g_cond_wait (&self->changed, &self->mutex);
  g_mutex_unlock (&self->mutex);
  g_mutex_lock (&lock);
  self->next = waiting;
  waiting = self;
  g_mutex_unlock (&lock);
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
