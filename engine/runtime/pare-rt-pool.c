/* A runner's threads. Tasks are handed out by an atomic counter; which worker runs a task changes nothing in the result.
 *
 * idle --parallel(): job set, generation++--> all workers take tasks --last one done--> idle */
#include "engine/runtime/pare-rt-pool.h"
#include "engine/runtime/kernels/kernel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct PareRtPool
{
  int threads; /* with the caller */
  pthread_t handles[PARE_RT_MAX_WORKERS];
  pthread_mutex_t lock;
  pthread_cond_t start, done;
  uint64_t generation;
  bool quit;
  int busy;
  PareRtTask func;
  void *arg;
  int64_t n;
  atomic_llong next;
};

typedef struct
{
  PareRtPool *pool;
  int worker;
} Start;

static _Thread_local PareRtPool *current;

static void
take_tasks (PareRtPool *pool, int worker)
{
  for (;;)
    {
      long long i = atomic_fetch_add_explicit (&pool->next, 1, memory_order_relaxed);
      if (i >= pool->n)
        return;
      pool->func (i, worker, pool->arg);
    }
}

static void *
worker_main (void *data)
{
  Start start = *(Start *)data;
  PareRtPool *pool = start.pool;
  uint64_t seen = 0;
  free (data);
  pthread_mutex_lock (&pool->lock);
  for (;;)
    {
      while (!pool->quit && pool->generation == seen)
        pthread_cond_wait (&pool->start, &pool->lock);
      if (pool->quit)
        break;
      seen = pool->generation;
      pthread_mutex_unlock (&pool->lock);
      take_tasks (pool, start.worker);
      pthread_mutex_lock (&pool->lock);
      if (--pool->busy == 0)
        pthread_cond_signal (&pool->done);
    }
  pthread_mutex_unlock (&pool->lock);
  return NULL;
}

PareRtPool *
pare_rt_pool_new (int threads)
{
  PareRtPool *pool = calloc (1, sizeof *pool);
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
  return pool;
}

void
pare_rt_pool_free (PareRtPool *pool)
{
  if (!pool)
    return;
  pthread_mutex_lock (&pool->lock);
  pool->quit = true;
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
  pthread_mutex_lock (&pool->lock);
  pool->func = func;
  pool->arg = arg;
  pool->n = n;
  pool->busy = pool->threads - 1;
  atomic_store (&pool->next, 0);
  pool->generation++;
  pthread_cond_broadcast (&pool->start);
  pthread_mutex_unlock (&pool->lock);
  take_tasks (pool, 0);
  pthread_mutex_lock (&pool->lock);
  while (pool->busy > 0)
    pthread_cond_wait (&pool->done, &pool->lock);
  pthread_mutex_unlock (&pool->lock);
}
