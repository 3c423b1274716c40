/* How far apart two cores are: what it costs that one writes what the other reads. Cores that share a cache pass 32 KiB on in a tenth of a
 * microsecond, those of two clusters or sockets take twenty times as long, and which of them a process gets only shows when it runs: a
 * virtual machine's say nothing about it. */
#include "engine/runtime/pare-rt-distance.h"
#include "engine/runtime/pare-rt-spin.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BYTES 32768
#define ROUNDS 12
#define LINE 64
#define WAKING_NS 20e6
#define MEASURING_NS 2e6 /* longer than that, and both run on one CPU */

typedef struct
{
  char *x, *y;
  size_t bytes;
  int parts;
  double deadline;
  _Atomic int here; /* those who have come: each does one part, and none another's */
} Copy;

static double
now_ns (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void
copy_part (int64_t part, int worker, void *arg)
{
  Copy *c = arg;
  size_t size = c->bytes / (size_t)c->parts;
  (void)worker;
  atomic_fetch_add (&c->here, 1);
  for (int i = 0; atomic_load (&c->here) < c->parts && (++i % 64 || now_ns () < c->deadline);)
    pare_rt_pause ();
  memcpy (c->y + (size_t)part * size, c->x + (size_t)part * size, size);
}

static int
compare (const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Nanoseconds in which one thread writes, `threads` copy and the one reads all of it, as between steps of a model; the lower quartile, for
 * others use the machine, too. -1: after the deadline. */
static double
pass_on (PareRtShare share, int threads, size_t bytes, char *memory, double deadline)
{
  Copy c = { memory, memory + BYTES, bytes, threads, deadline, 0 };
  volatile uint64_t sum = 0;
  double ns[ROUNDS];
  for (int r = 0; r < ROUNDS; r++)
    {
      double start = now_ns ();
      uint64_t all = 0;
      atomic_store (&c.here, 0);
      memset (c.x, r, bytes);
      if (threads > 1)
        share (threads, threads, copy_part, &c);
      else
        copy_part (0, 0, &c);
      for (size_t i = 0; i < bytes; i += LINE)
        all += *(const uint64_t *)(const void *)(c.y + i);
      sum += all;
      ns[r] = now_ns () - start;
      if (start + ns[r] > deadline)
        return -1;
    }
  qsort (ns, ROUNDS, sizeof *ns, compare);
  return ns[ROUNDS / 4];
}

PareRtDistance
pare_rt_measure_distance (PareRtShare share)
{
  PareRtDistance d = { 0, 0 };
  void *memory = NULL;
  if (posix_memalign (&memory, 4096, 2 * BYTES) != 0)
    return d;
  double deadline = now_ns () + WAKING_NS + MEASURING_NS;
  pass_on (share, 2, BYTES, memory, deadline); /* wakes the other one */
  if (now_ns () + MEASURING_NS < deadline)
    deadline = now_ns () + MEASURING_NS;
  double both = pass_on (share, 2, BYTES, memory, deadline), meet = pass_on (share, 2, 0, memory, deadline);
  double one = pass_on (share, 1, BYTES, memory, deadline), none = pass_on (share, 1, 0, memory, deadline);
  free (memory);
  if (both >= 0 && meet >= 0 && one > none && none >= 0)
    d = (PareRtDistance){ one - none, both - meet > one - none ? both - meet - (one - none) : 0 };
  return d;
}
