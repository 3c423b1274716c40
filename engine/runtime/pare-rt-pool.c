/* A runner's threads. Each has its share of a region's tasks, the same one at every run, so that it finds what it wrote and read before in
 * its own cache; who has nothing left takes from the others' shares. Which worker runs a task changes nothing in the result.
 *
 * closed --parallel(): job set, gate opened--> workers that notice come in and take tasks --no task left--> gate closed
 * --the last worker has left--> closed
 *
 * A worker that does not notice in time (the machine is busy with something else) is not waited for: only those inside are. Both sides spin
 * for a moment, since the next region of a model usually begins within microseconds, and then sleep. */
#include "engine/runtime/pare-rt-pool.h"
#include "engine/runtime/kernels/kernel.h"
#include "engine/runtime/pare-rt-distance.h"
#include "engine/runtime/pare-rt-spin.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define WORKER_SPIN_NS 250000 /* before a worker sleeps: longer than the small layers between two regions of a model */
#define CALLER_SPIN_NS 20000  /* before the caller sleeps on workers that were held up */

/* The gate: workers inside, whether they may come in, and the count of regions. */
#define INSIDE UINT64_C (0xFFFF)
#define OPEN UINT64_C (0x10000)
#define GENERATION UINT64_C (0x20000)

/* Those of a share that nobody has begun. */
typedef struct
{
  _Alignas(64) _Atomic int64_t next;
  int64_t end;
} Tasks;

struct PareRtPool
{
  int threads;       /* with the caller */
  bool near;         /* what one of them wrote comes to the others at little cost */
  PareRtShare share; /* they are somebody else's; NULL: handles */
  pthread_t handles[PARE_RT_MAX_WORKERS];
  pthread_mutex_t lock;
  pthread_cond_t start, done;
  PareRtTask func;
  void *arg;
  _Atomic bool quit;
  _Atomic int cpu; /* of the caller */
  _Alignas(64) _Atomic uint64_t gate;
  _Alignas(64) _Atomic int sleepers; /* workers on `start` */
  _Atomic bool waiting;              /* the caller on `done` */
  Tasks tasks[PARE_RT_MAX_WORKERS];  /* of each worker */
};

typedef struct
{
  PareRtPool *pool;
  int worker;
} Start;

static _Thread_local PareRtPool *current;

static int64_t
now_ns (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Schedulers like to wake a thread on the processor of the one that woke it, where neither gets on. A worker that finds itself there goes
 * elsewhere: its own processor is forbidden for a moment, after which all are allowed again. */
static void
keep_away (PareRtPool *pool)
{
#if defined(__linux__)
  int here = sched_getcpu ();
  if (here < 0 || here != atomic_load_explicit (&pool->cpu, memory_order_relaxed))
    return;
  cpu_set_t all, others;
  if (sched_getaffinity (0, sizeof all, &all) != 0)
    return;
  others = all;
  CPU_CLR (here, &others);
  if (CPU_COUNT (&others) == 0)
    sched_yield (); /* there is only one: the caller may have it */
  else if (sched_setaffinity (0, sizeof others, &others) == 0)
    sched_setaffinity (0, sizeof all, &all);
#endif
}

/* TRUE while a spin that began at *start (0: now) has time left. Asks the clock now and then only. */
static inline bool
spin (int64_t *start, uint32_t *turn, int64_t limit)
{
  pare_rt_pause ();
  if (++*turn % 32 != 0)
    return true;
  int64_t now = now_ns ();
  if (*start == 0)
    *start = now;
  return now - *start < limit;
}

static void
take_tasks (PareRtPool *pool, int worker)
{
  PareRtTask func = pool->func;
  void *arg = pool->arg;
  for (int i = 0; i < pool->threads; i++)
    {
      Tasks *tasks = &pool->tasks[(worker + i) % pool->threads];
      while (atomic_load_explicit (&tasks->next, memory_order_relaxed) < tasks->end)
        {
          int64_t task = atomic_fetch_add_explicit (&tasks->next, 1, memory_order_relaxed);
          if (task < tasks->end)
            func (task, worker, arg);
        }
    }
}

/* Comes in if the gate is open and this worker has not been in since it opened. */
static bool
enter (PareRtPool *pool, uint64_t *seen)
{
  uint64_t gate = atomic_load (&pool->gate);
  while ((gate & OPEN) && gate / GENERATION != *seen)
    if (atomic_compare_exchange_weak (&pool->gate, &gate, gate + 1))
      {
        *seen = gate / GENERATION;
        return true;
      }
  return false;
}

static void
leave (PareRtPool *pool)
{
  uint64_t gate = atomic_fetch_sub (&pool->gate, 1) - 1;
  if ((gate & (INSIDE | OPEN)) == 0 && atomic_load (&pool->waiting))
    {
      pthread_mutex_lock (&pool->lock);
      pthread_cond_signal (&pool->done);
      pthread_mutex_unlock (&pool->lock);
    }
}

static void *
worker_main (void *data)
{
  Start start = *(Start *)data;
  PareRtPool *pool = start.pool;
  uint64_t seen = 0;
  uint32_t turns = 0;
  free (data);
  for (;;)
    {
      int64_t began = 0;
      uint32_t turn = 0;
      bool in = false, woken = false;
      while (!(in = enter (pool, &seen)) && !atomic_load (&pool->quit) && spin (&began, &turn, WORKER_SPIN_NS))
        if (turn % 64 == 0)
          keep_away (pool);
      if (!in)
        {
          pthread_mutex_lock (&pool->lock);
          atomic_fetch_add (&pool->sleepers, 1);
          while (!(in = enter (pool, &seen)) && !atomic_load (&pool->quit))
            pthread_cond_wait (&pool->start, &pool->lock);
          atomic_fetch_sub (&pool->sleepers, 1);
          woken = true;
          pthread_mutex_unlock (&pool->lock);
        }
      if (!in)
        return NULL;
      if (woken || ++turns % 16 == 0)
        keep_away (pool);
      take_tasks (pool, start.worker);
      leave (pool);
    }
}

static PareRtPool *
pool_alloc (void)
{
  void *memory = NULL;
  if (posix_memalign (&memory, 64, sizeof (PareRtPool)) != 0)
    return NULL;
  memset (memory, 0, sizeof (PareRtPool));
  return memory;
}

PareRtPool *
pare_rt_pool_new_over (int threads, PareRtShare share)
{
  PareRtPool *pool = pool_alloc ();
  if (pool)
    {
      pool->threads = threads < 1 ? 1 : threads < PARE_RT_MAX_WORKERS ? threads : PARE_RT_MAX_WORKERS;
      pool->share = share;
    }
  return pool;
}

static void
share_here (int threads, int64_t n, PareRtTask func, void *arg)
{
  (void)threads;
  pare_rt_parallel (n, func, arg);
}

/* Known for all pools of the process once it could be measured. Where cores share a cache, passing on takes as long as it took to do all of
 * it alone; where they do not, four times that. */
static bool
find_near (PareRtPool *pool)
{
  enum
  {
    UNKNOWN,
    NEAR,
    FAR
  };
  static _Atomic int known;
  int found = atomic_load (&known);
#if defined(__linux__)
  cpu_set_t cpus;
  if (sched_getaffinity (0, sizeof cpus, &cpus) == 0 && CPU_COUNT (&cpus) < 2)
    return false;
#endif
  if (found == UNKNOWN)
    {
      PareRtPool *before = pare_rt_pool_enter (pool);
      PareRtDistance d = pare_rt_measure_distance (share_here);
      pare_rt_pool_enter (before);
      found = d.alone <= 0 ? UNKNOWN : d.more < 2 * d.alone ? NEAR : FAR;
      atomic_store (&known, found);
    }
  return found == NEAR;
}

PareRtPool *
pare_rt_pool_new (int threads)
{
  PareRtPool *pool = pool_alloc ();
  if (!pool)
    return NULL;
  pthread_mutex_init (&pool->lock, NULL);
  pthread_cond_init (&pool->start, NULL);
  pthread_cond_init (&pool->done, NULL);
  pool->threads = 1;
  for (int i = 1; i < threads && i < PARE_RT_MAX_WORKERS; i++)
    {
      Start *start = malloc (sizeof *start);
      if (!start)
        break;
      *start = (Start){ pool, i };
      if (pthread_create (&pool->handles[i], NULL, worker_main, start) != 0)
        {
          free (start);
          break;
        }
      pool->threads++;
    }
  pool->near = pool->threads > 1 && find_near (pool);
  return pool;
}

void
pare_rt_pool_free (PareRtPool *pool)
{
  if (!pool || pool->share)
    {
      free (pool);
      return;
    }
  pthread_mutex_lock (&pool->lock);
  atomic_store (&pool->quit, true);
  pthread_cond_broadcast (&pool->start);
  pthread_mutex_unlock (&pool->lock);
  for (int i = 1; i < pool->threads; i++)
    pthread_join (pool->handles[i], NULL);
  pthread_cond_destroy (&pool->start);
  pthread_cond_destroy (&pool->done);
  pthread_mutex_destroy (&pool->lock);
  free (pool);
}

int
pare_rt_pool_threads (const PareRtPool *pool)
{
  return pool ? pool->threads : 1;
}

PareRtPool *
pare_rt_pool_enter (PareRtPool *pool)
{
  PareRtPool *before = current;
  current = pool;
  return before;
}

int
pare_rt_workers (void)
{
  return current ? current->threads : 1;
}

bool
pare_rt_workers_are_near (void)
{
  return current && current->near;
}

void
pare_rt_parallel (int64_t n, PareRtTask func, void *arg)
{
  PareRtPool *pool = current;
  if (!pool || pool->threads == 1 || n <= 1)
    {
      for (int64_t i = 0; i < n; i++)
        func (i, 0, arg);
      return;
    }
  if (pool->share)
    {
      pool->share (pool->threads, n, func, arg);
      return;
    }
#if defined(__linux__)
  atomic_store_explicit (&pool->cpu, sched_getcpu (), memory_order_relaxed);
#endif
  pool->func = func;
  pool->arg = arg;
  int64_t each = n / pool->threads, more = n % pool->threads, next = 0;
  for (int i = 0; i < pool->threads; i++)
    {
      atomic_store_explicit (&pool->tasks[i].next, next, memory_order_relaxed);
      pool->tasks[i].end = next += each + (i < more);
    }
  /* nobody is inside: the region before ended with that */
  atomic_store (&pool->gate, (atomic_load (&pool->gate) / GENERATION + 1) * GENERATION | OPEN);
  if (atomic_load (&pool->sleepers) > 0)
    {
      pthread_mutex_lock (&pool->lock);
      pthread_cond_broadcast (&pool->start);
      pthread_mutex_unlock (&pool->lock);
    }
  take_tasks (pool, 0);
  atomic_fetch_and (&pool->gate, ~OPEN);
  int64_t began = 0;
  uint32_t turn = 0;
  while (atomic_load (&pool->gate) & INSIDE)
    if (!spin (&began, &turn, CALLER_SPIN_NS))
      {
        pthread_mutex_lock (&pool->lock);
        atomic_store (&pool->waiting, true);
        while (atomic_load (&pool->gate) & INSIDE)
          pthread_cond_wait (&pool->done, &pool->lock);
        atomic_store (&pool->waiting, false);
        pthread_mutex_unlock (&pool->lock);
      }
}
