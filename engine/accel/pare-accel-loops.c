#include "engine/accel/pare-accel-private.h"

#include <math.h>
#include <stdatomic.h>

/* Vector code for newer CPUs beside the baseline, chosen at load by what the CPU can do (naming a model would leave out all others);
 * sanitizers run before that choice is possible. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)                \
    && !defined(__SANITIZE_THREAD__)
#define CLONES __attribute__ ((target_clones ("default", "avx2", "avx512f")))
#else
#define CLONES
#endif

/* Written as the portable kernel writes it: the same operations in the same order give the same bits. */
CLONES static void
fake_quant (const float *x, float *y, uint64_t n, float scale, float zero, float lo, float hi)
{
  for (uint64_t i = 0; i < n; i++)
    {
      float q = rintf (x[i] / scale) + zero;
      q = q > lo ? q : lo;
      q = q < hi ? q : hi;
      y[i] = (q - zero) * scale;
    }
}

void
pare_accel_fake_quant (const float *x, float *y, uint64_t n, float scale, float zero, float lo, float hi, int threads)
{
  if (threads <= 1)
    {
      fake_quant (x, y, n, scale, zero, lo, hi);
      return;
    }
  uint64_t chunk = (n / (uint64_t)threads + 63) / 64 * 64;
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) schedule(static)
#endif
  for (int t = 0; t < threads; t++)
    {
      uint64_t begin = chunk * (uint64_t)t < n ? chunk * (uint64_t)t : n, end = t == threads - 1 || begin + chunk > n ? n : begin + chunk;
      fake_quant (x + begin, y + begin, end - begin, scale, zero, lo, hi);
    }
}

#define MOST_RANGES 64

/* Tasks that lie beside each other are one thread's, so that what it wrote or laid out in the tasks before is near; who has none left takes
 * another one's. */
typedef struct
{
  _Alignas(64) _Atomic int64_t next;
  int64_t end;
} Range;

void
pare_accel_run_loop (PareAccelLoop loop, const void *params, const PareView *args, int threads)
{
  if (threads <= 1)
    {
      loop (params, args, 0, 1);
      return;
    }
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) schedule(static)
#endif
  for (int t = 0; t < threads; t++)
    loop (params, args, t, threads);
}

void
pare_accel_share (int threads, int64_t n, void (*func) (int64_t task, int worker, void *arg), void *arg)
{
  Range ranges[MOST_RANGES];
  int shares = threads < MOST_RANGES ? threads : MOST_RANGES;
  for (int i = 0; i < shares; i++)
    {
      atomic_init (&ranges[i].next, n * i / shares);
      ranges[i].end = n * (i + 1) / shares;
    }
#ifdef _OPENMP
#pragma omp parallel num_threads(threads)
#endif
  {
    int worker = pare_accel_thread ();
    for (int i = 0; i < shares; i++)
      {
        Range *r = &ranges[(worker + i) % shares];
        for (int64_t task; (task = atomic_fetch_add_explicit (&r->next, 1, memory_order_relaxed)) < r->end;)
          func (task, worker, arg);
      }
  }
}
