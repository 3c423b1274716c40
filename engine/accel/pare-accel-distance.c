/* How far apart the cores of a team are: what it costs that one writes what the other reads. Cores that share a cache pass 32 KiB on in a
 * tenth of a microsecond, those of two clusters or sockets take twenty times as long, and which of them a process gets only shows when it
 * runs: a virtual machine's say nothing about it. Measured once, between the calling thread and the first of its team, so that all programs
 * of a process are made alike. */
#include "engine/accel/pare-accel-private.h"

#include <math.h>
#include <stdatomic.h>
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
  const Copy *c = arg;
  size_t size = c->bytes / (size_t)c->parts;
  memcpy (c->y + (size_t)part * size, c->x + (size_t)part * size, size);
}

static int
compare (const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Nanoseconds in which one thread writes, `threads` copy and the one reads all of it, as between steps of a model; the lower quartile, for
 * others use the machine, too. NAN: after the deadline. */
static double
pass_on (int threads, size_t bytes, char *memory, double deadline)
{
  Copy c = { memory, memory + BYTES, bytes, threads };
  volatile uint64_t sum = 0;
  double ns[ROUNDS];
  for (int r = 0; r < ROUNDS; r++)
    {
      double start = now_ns ();
      uint64_t all = 0;
      memset (c.x, r, bytes);
      pare_accel_share (threads, threads, copy_part, &c);
      for (size_t i = 0; i < bytes; i += LINE)
        all += *(const uint64_t *)(const void *)(c.y + i);
      sum += all;
      ns[r] = now_ns () - start;
      if (start + ns[r] > deadline)
        return NAN;
    }
  qsort (ns, ROUNDS, sizeof *ns, compare);
  return ns[ROUNDS / 4];
}

/* Bytes in a nanosecond; NAN: it took too long. */
static double
measure (char *memory)
{
  double deadline = now_ns () + WAKING_NS + MEASURING_NS;
  pass_on (2, BYTES, memory, deadline); /* wakes the other one */
  deadline = fmin (deadline, now_ns () + MEASURING_NS);
  double shared = pass_on (2, BYTES, memory, deadline) - pass_on (2, 0, memory, deadline);
  double alone = pass_on (1, BYTES, memory, deadline) - pass_on (1, 0, memory, deadline);
  return shared > alone ? 2 * BYTES / (shared - alone) : shared <= alone ? INFINITY : NAN;
}

double
pare_accel_moves (void)
{
  static _Atomic double known;
  double moves = atomic_load (&known);
  char *memory = moves > 0 || pare_accel_count_cpus () < 2 ? NULL : aligned_alloc (4096, 2 * BYTES);
  if (!memory)
    return moves;
  PareAffinity places;
  bool moved = pare_accel_spread (2, &places);
  int before = pare_accel_set_threads (2);
  moves = measure (memory);
  pare_accel_set_threads (before);
  if (moved)
    pare_accel_unspread (&places);
  free (memory);
  if (isnan (moves))
    return 0;
  atomic_store (&known, moves);
  return moves;
}
