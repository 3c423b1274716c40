/* QAdd: the sum of two tensors of codes as ONNX Runtime's QLinearAdd takes it. */
#include "engine/runtime/kernels/integer.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__x86_64__) || !defined(__GLIBC__) || defined(__clang__)
#define CLONES
#else /* with their fmaf: a call for each element otherwise */
#define CLONES __attribute__ ((target_clones ("default", "arch=haswell", "arch=skylake-avx512")))
#endif

#define TASK_CODES 32768

typedef struct
{
  const PareQAddParams *p;
  const uint8_t *a, *b;
  uint8_t *y, flip_a, flip_b; /* 0x80 for signed codes: moved up by 128 as bytes, down again as numbers */
  int64_t n;
} Job;

CLONES static void
add (const uint8_t *a, const uint8_t *b, uint8_t *y, int64_t n, uint8_t flip_a, uint8_t flip_b, const PareQAddParams *p)
{
  float ratio_a = p->ratio_a, ratio_b = p->ratio_b, fixed = p->fixed, lo = (float)p->lo, hi = (float)p->hi;
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC ivdep /* y may be a or b, element by element */
#endif
  for (int64_t i = 0; i < n; i++)
    {
      float va = (float)((a[i] ^ flip_a) - flip_a), vb = (float)((b[i] ^ flip_b) - flip_b);
      y[i] = (uint8_t)round_plain (clamp_plain (fmaf (vb, ratio_b, fmaf (va, ratio_a, fixed)), lo, hi));
    }
}

static void
part_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t from = task * TASK_CODES, n = j->n - from < TASK_CODES ? j->n - from : TASK_CODES;
  add (j->a + from, j->b + from, j->y + from, n, j->flip_a, j->flip_b, j->p);
}

static uint8_t
flip_of (const PareView *v)
{
  return v->dtype == PARE_DTYPE_INT8 ? 0x80 : 0;
}

KERNEL (pare_rt_k_qadd)
{
  const PareQAddParams *p = params;
  REQUIRE (p && n_in == 2 && n_out == 1 && same_shape (&in[0], &in[1]) && same_shape (&in[0], &out[0]));
  SUPPORT (is_codes (&in[0]) && is_codes (&in[1]) && is_codes (&out[0]));
  REQUIRE (fits_codes (&out[0], p->lo, p->hi));
  CHECKED;
  Job job = { p, in[0].data, in[1].data, out[0].data, flip_of (&in[0]), flip_of (&in[1]), count_of (&out[0]) };
  pare_rt_parallel ((job.n + TASK_CODES - 1) / TASK_CODES, part_task, &job);
  return PARE_RT_OK;
}
