/* The threads of oneDNN's OpenMP: how many the calling thread uses, and where they run. */
#include "engine/accel/pare-accel-private.h"

#include "engine/runtime/pare-rt-spin.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

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

/* Of each CPU the first one of its core; itself where the system does not tell. */
static int cores[CPU_SETSIZE];

static void
read_cores (void)
{
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    cores[cpu] = cpu;
  for (int cpu = 0, all = (int)sysconf (_SC_NPROCESSORS_CONF); cpu < all && cpu < CPU_SETSIZE; cpu++)
    {
      char path[96];
      int first;
      snprintf (path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
      FILE *file = fopen (path, "re");
      if (file && fscanf (file, "%d", &first) == 1 && first >= 0 && first < CPU_SETSIZE)
        cores[cpu] = first;
      if (file)
        fclose (file);
    }
}

/* CPUs beside the caller's: those of cores that have none yet first, for two threads of one core share what computes. */
static int
choose_cpus (int *cpus, int most, const cpu_set_t *allowed, int mine)
{
  cpu_set_t used, left = *allowed;
  int n = 0;
  CPU_ZERO (&used);
  CPU_SET (cores[mine], &used);
  CPU_CLR (mine, &left);
  for (int alone = 1; alone >= 0; alone--)
    for (int cpu = 0; cpu < CPU_SETSIZE && n < most; cpu++)
      if (CPU_ISSET (cpu, &left) && !(alone && CPU_ISSET (cores[cpu], &used)))
        {
          CPU_SET (cores[cpu], &used);
          CPU_CLR (cpu, &left);
          cpus[n++] = cpu;
        }
  return n;
}

static void
place_team (int threads, const cpu_set_t *allowed, int mine)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once (&once, read_cores);
  int cpus[64], n = choose_cpus (cpus, threads - 1 < 64 ? threads - 1 : 64, allowed, mine);
  CPU_ZERO (&taken);
  placed = threads;
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
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
      if (cpu == cpus[i] || (CPU_ISSET (cpu, allowed) && cores[cpu] == cores[cpus[i]] && cores[cpu] != cores[mine]))
        CPU_SET (cpu, &taken); /* with the other threads of its core */
}

int
pare_accel_count_cpus (void)
{
  cpu_set_t allowed;
  return sched_getaffinity (0, sizeof allowed, &allowed) == 0 ? CPU_COUNT (&allowed) : 1;
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

int
pare_accel_count_cpus (void)
{
  return 1;
}

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
