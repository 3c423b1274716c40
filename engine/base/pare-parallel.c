/* Loops whose turns run on many threads. */
#include "engine/base/pare-control.h"
#include "engine/base/pare-thread.h"

typedef struct
{
  guint n, next, most, threads;
  int stop, worker;
  PareRangeFunc func;
  gpointer data;
} Crew;

#define SHARES 8 /* of what is left, for each thread */

/* The next range; 0: none is left. */
static guint
take_range (Crew *crew, guint *first)
{
  guint count;
  *first = (guint)g_atomic_int_get ((gint *)&crew->next);
  do
    {
      if (*first >= crew->n)
        return 0;
      count = CLAMP ((crew->n - *first) / (SHARES * crew->threads), 1, crew->most);
    }
  while (!g_atomic_int_compare_and_exchange_full ((gint *)&crew->next, (gint)*first, (gint)(*first + count), (gint *)first));
  return count;
}

static void
crew_run (gpointer data)
{
  Crew *crew = data;
  int worker = g_atomic_int_add (&crew->worker, 1);
  while (!g_atomic_int_get (&crew->stop))
    {
      guint first, count = take_range (crew, &first);
      if (count == 0)
        break;
      if (!crew->func (first, count, worker, crew->data))
        g_atomic_int_set (&crew->stop, 1);
    }
}

/* Schedulers like to put a new or woken thread onto the CPU of the one that started or woke it, where it waits for a whole time slice while
 * another CPU is idle (virtual machines above all, where idle CPUs look taken): more than a short job takes. So each thread gets CPUs of
 * its own to choose from: share `i` of the allowed ones, of `shares`. */
static void
share_of (const cpu_set_t *allowed, int i, int shares, cpu_set_t *own)
{
  int all = CPU_COUNT (allowed), at = 0;
  CPU_ZERO (own);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET (cpu, allowed) && at++ * shares / all == i)
      CPU_SET (cpu, own);
}

/* The share that the calling thread is in; FALSE: there is not one for each. */
static gboolean
find_share (const cpu_set_t *allowed, int shares, int *mine)
{
  int here = sched_getcpu ();
  if (here < 0 || !CPU_ISSET (here, allowed) || CPU_COUNT (allowed) < shares)
    return FALSE;
  for (*mine = 0; *mine < shares; ++*mine)
    {
      cpu_set_t own;
      share_of (allowed, *mine, shares, &own);
      if (CPU_ISSET (here, &own))
        return TRUE;
    }
  return FALSE;
}

gboolean
pare_parallel_ranges (guint n, guint most, int threads, PareRangeFunc func, gpointer data)
{
  cpu_set_t allowed, own;
  int wanted = CLAMP (threads, 1, (int)MIN (MAX (n, 1), G_MAXINT)), started = 0, mine = 0;
  Crew crew = { .n = n, .most = MAX (most, 1), .threads = (guint)wanted, .func = func, .data = data };
  PareThread **others = g_new (PareThread *, wanted);
  gboolean apart = wanted > 1 && sched_getaffinity (0, sizeof allowed, &allowed) == 0 && find_share (&allowed, wanted, &mine);
  for (int i = 0; i < wanted - 1; i++)
    {
      if (apart)
        share_of (&allowed, i < mine ? i : i + 1, wanted, &own);
      if ((others[started] = pare_thread_start (0, apart ? &own : NULL, crew_run, &crew)) != NULL)
        started++; /* with fewer threads it takes longer, that is all */
    }
  if (apart)
    {
      share_of (&allowed, mine, wanted, &own);
      sched_setaffinity (0, sizeof own, &own);
    }
  crew_run (&crew);
  if (apart)
    sched_setaffinity (0, sizeof allowed, &allowed);
  for (int i = 0; i < started; i++)
    pare_thread_finish (others[i]);
  g_free (others);
  return crew.stop == 0;
}

typedef struct
{
  PareParallelFunc func;
  gpointer data;
} Single;

static gboolean
run_single (guint first, guint count, int worker, gpointer data)
{
  const Single *single = data;
  return single->func (first, worker, single->data);
}

gboolean
pare_parallel_for (guint n, int threads, PareParallelFunc func, gpointer data)
{
  return pare_parallel_ranges (n, 1, threads, run_single, &(Single){ func, data });
}
