/* The threads of oneDNN's OpenMP: how many the calling thread uses, and where they run. */
#include "engine/accel/pare-accel-private.h"

#include "engine/runtime/pare-rt-spin.h"

#include <sched.h>
#include <stdatomic.h>

#define SPINS 4000 /* before a thread leaves its CPU to who may keep the others from coming */

/* oneDNN and this file must talk to the same OpenMP, whatever compiler builds us. */
void omp_set_num_threads (int n);
int omp_get_max_threads (void);
int omp_get_thread_num (void);
int omp_get_num_threads (void);

int
pare_accel_set_threads (int threads)
{
  int before = omp_get_max_threads ();
  if (before != threads)
    omp_set_num_threads (threads);
  return before;
}

int
pare_accel_thread (void)
{
  return omp_get_thread_num ();
}

int
pare_accel_team (void)
{
  return omp_get_num_threads ();
}

void
pare_accel_meet (PareAccelTurn *turns, uint32_t turn, int me, int team)
{
  atomic_store_explicit (&turns[me].reached, turn, memory_order_release);
  for (int i = 0, spins = 0; i < team; i++)
    while (atomic_load_explicit (&turns[i].reached, memory_order_acquire) < turn)
      if (++spins < SPINS)
        pare_rt_pause ();
      else
        sched_yield ();
}

#if defined(__linux__) && defined(_OPENMP)

/* The team of the calling thread: its size once it was placed, and the CPUs of all but the caller. */
static _Thread_local int placed;
static _Thread_local cpu_set_t taken;

static void
place_team (int threads, const cpu_set_t *allowed, int mine)
{
  int cpus[64], n = 0;
  CPU_ZERO (&taken);
  placed = threads;
  for (int cpu = 0; cpu < CPU_SETSIZE && n < 64; cpu++)
    if (CPU_ISSET (cpu, allowed) && cpu != mine)
      cpus[n++] = cpu;
  if (n < threads - 1)
    return;
#pragma omp parallel num_threads(threads)
  {
    int me = omp_get_thread_num ();
    if (me > 0 && me <= n)
      {
        cpu_set_t one;
        CPU_ZERO (&one);
        CPU_SET (cpus[me - 1], &one);
        sched_setaffinity (0, sizeof one, &one);
      }
  }
  for (int i = 0; i < threads - 1; i++)
    CPU_SET (cpus[i], &taken);
}

bool
pare_accel_spread (int threads, PareAffinity *before)
{
  cpu_set_t *mask = (cpu_set_t *)(void *)before->mask, others;
  _Static_assert(sizeof (cpu_set_t) <= sizeof before->mask, "room for the mask");
  int mine = sched_getcpu ();
  if (placed == threads && (mine < 0 || !CPU_ISSET (mine, &taken)))
    return false;
  if (mine < 0 || sched_getaffinity (0, sizeof *mask, mask) != 0)
    return false;
  if (placed != threads)
    place_team (threads, mask, mine);
  if (!CPU_ISSET (mine, &taken))
    return false;
  CPU_XOR (&others, mask, &taken);
  CPU_AND (&others, &others, mask);
  return CPU_COUNT (&others) > 0 && sched_setaffinity (0, sizeof others, &others) == 0;
}

void
pare_accel_unspread (const PareAffinity *before)
{
  sched_setaffinity (0, sizeof (cpu_set_t), (const cpu_set_t *)(const void *)before->mask);
}

#else

bool
pare_accel_spread (int threads, PareAffinity *before)
{
  return false;
}

void
pare_accel_unspread (const PareAffinity *before)
{
}

#endif
