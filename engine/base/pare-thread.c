#include "engine/base/pare-thread.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROMPT_NS 500000 /* shorter than others' slices, longer than what an edit keeps the main loop */
#define RESET_ON_FORK 1
#define MOST_WAITING 64
#define SPIN_US 20   /* what is nearly done is not worth sleeping for */
#define AWAKE_US 400 /* a thread that was told of work stays awake for so long */

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
  pthread_t thread;
  int nice; /* absolute */
  cpu_set_t cpus;
  GMutex mutex; /* of what follows */
  GCond changed;
  gboolean begun_apart; /* it may run on `later` once it does */
  cpu_set_t later;
  gboolean told;           /* work is about to come */
  void (*func) (gpointer); /* NULL: nothing is to be done; atomic */
  gpointer data;
  gboolean ended;
  PareThread *next; /* of those that wait */
};

static GMutex lock; /* of what follows */
static PareThread *waiting;
static guint n_waiting;

static void
thread_free (PareThread *self)
{
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->changed);
  g_free (self);
}

/* With the mutex held. */
static void
await_work (PareThread *self)
{
  while (self->func == NULL && !self->ended)
    if (self->told)
      {
        self->told = FALSE;
        g_mutex_unlock (&self->mutex);
        for (gint64 until = g_get_monotonic_time () + AWAKE_US;
             g_atomic_pointer_get (&self->func) == NULL && g_get_monotonic_time () < until;)
          continue;
        g_mutex_lock (&self->mutex);
      }
    else
      g_cond_wait (&self->changed, &self->mutex);
}

static void *
work (void *data)
{
  PareThread *self = data;
  pthread_setname_np (pthread_self (), "pare-job");
  /* A nice value cannot be taken back: hence one kind of threads for each. */
  pare_thread_give_way (self->nice);
  g_mutex_lock (&self->mutex);
  for (;;)
    {
      await_work (self);
      if (self->ended)
        break;
      g_mutex_unlock (&self->mutex);
      if (self->begun_apart && sched_setaffinity (0, sizeof self->later, &self->later) == 0)
        self->cpus = self->later;
      self->func (self->data);
      g_mutex_lock (&self->mutex);
      g_atomic_pointer_set (&self->func, NULL);
      g_cond_signal (&self->changed);
    }
  g_mutex_unlock (&self->mutex);
  thread_free (self);
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
        n_waiting--;
        break;
      }
  g_mutex_unlock (&lock);
  return found;
}

/* It waits for others, as the first to be taken; or ends, where enough do. */
static void
let_go (PareThread *self)
{
  g_mutex_lock (&lock);
  gboolean room = n_waiting < MOST_WAITING;
  if (room)
    {
      self->next = waiting;
      waiting = self;
      n_waiting++;
    }
  g_mutex_unlock (&lock);
  if (room)
    return;
  g_mutex_lock (&self->mutex);
  self->ended = TRUE;
  g_cond_signal (&self->changed);
  g_mutex_unlock (&self->mutex);
}

/* A process that was forked off has none of them. */
static void
forget (void)
{
  g_mutex_init (&lock);
  waiting = NULL;
  n_waiting = 0;
}

static void
watch_forks (void)
{
  pthread_atfork (NULL, NULL, forget);
}

static PareThread *
make_thread (int nice, const cpu_set_t *cpus)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once (&once, watch_forks);
  PareThread *self = g_new0 (PareThread, 1);
  pthread_attr_t attributes;
  gboolean made = FALSE;
  self->nice = nice;
  g_mutex_init (&self->mutex);
  g_cond_init (&self->changed);
  if (pthread_attr_init (&attributes) == 0)
    {
      pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
      if (cpus != NULL && pthread_attr_setaffinity_np (&attributes, sizeof *cpus, cpus) == 0)
        self->cpus = *cpus;
      made = pthread_create (&self->thread, &attributes, work, self) == 0;
      pthread_attr_destroy (&attributes);
    }
  if (made)
    return self;
  thread_free (self);
  return NULL;
}

/* Before it begins: woken on a CPU that is not its own, it would first have to wait for that one. */
static void
place (PareThread *self, const cpu_set_t *cpus)
{
  if (!CPU_EQUAL (&self->cpus, cpus) && pthread_setaffinity_np (self->thread, sizeof *cpus, cpus) == 0)
    self->cpus = *cpus;
}

/* It begins on `cpus`, and goes on on `later`, where that is not NULL. */
static PareThread *
start (int nice, const cpu_set_t *cpus, const cpu_set_t *later, void (*func) (gpointer), gpointer data)
{
  nice = MIN (19, getpriority (PRIO_PROCESS, 0) + nice);
  PareThread *self = take_waiting (nice);
  if (self != NULL && cpus != NULL)
    place (self, cpus);
  if (self == NULL && (self = make_thread (nice, cpus)) == NULL)
    return NULL;
  g_mutex_lock (&self->mutex);
  if ((self->begun_apart = later != NULL))
    self->later = *later;
  self->told = FALSE;
  self->data = data;
  g_atomic_pointer_set (&self->func, func);
  g_cond_signal (&self->changed);
  g_mutex_unlock (&self->mutex);
  return self;
}

PareThread *
pare_thread_start (int nice, const cpu_set_t *cpus, void (*func) (gpointer), gpointer data)
{
  cpu_set_t own;
  if (cpus == NULL && sched_getaffinity (0, sizeof own, &own) == 0) /* it fails where there are more than a set holds */
    cpus = &own;
  return start (nice, cpus, NULL, func, data);
}

/* The CPUs that the calling thread may run on, and those of them that it does not run on just now. FALSE: there are none, or the system
 * does not say. */
static gboolean
find_others (cpu_set_t *own, cpu_set_t *others)
{
  int here = sched_getcpu ();
  if (here < 0 || sched_getaffinity (0, sizeof *own, own) != 0)
    return FALSE;
  *others = *own;
  CPU_CLR (here, others);
  return CPU_COUNT (others) > 0;
}

PareThread *
pare_thread_start_elsewhere (int nice, void (*func) (gpointer), gpointer data)
{
  cpu_set_t own, others;
  return find_others (&own, &others) ? start (nice, &others, &own, func, data) : pare_thread_start (nice, NULL, func, data);
}

void
pare_thread_expect_elsewhere (int nice)
{
  cpu_set_t own, others;
  if (!find_others (&own, &others))
    return;
  nice = MIN (19, getpriority (PRIO_PROCESS, 0) + nice);
  PareThread *self = take_waiting (nice);
  if (self == NULL)
    return;
  place (self, &others);
  g_mutex_lock (&self->mutex);
  self->told = TRUE;
  g_cond_signal (&self->changed);
  g_mutex_unlock (&self->mutex);
  let_go (self);
}

void
pare_thread_finish (PareThread *self)
{
  for (gint64 until = g_get_monotonic_time () + SPIN_US; g_atomic_pointer_get (&self->func) != NULL && g_get_monotonic_time () < until;)
    continue;
  g_mutex_lock (&self->mutex);
  while (self->func != NULL)
    g_cond_wait (&self->changed, &self->mutex);
  g_mutex_unlock (&self->mutex);
  let_go (self);
}

void
pare_thread_give_way (int nice)
{
  setpriority (PRIO_PROCESS, 0, nice); /* on Linux it is the thread's own, and the threads that it starts inherit it */
  /* Otherwise it would stop another one when it wakes, which then had to wait for the next tick: up to 4 ms. */
  if (nice > 0)
    sched_setscheduler (0, SCHED_BATCH, &(struct sched_param){ 0 });
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
