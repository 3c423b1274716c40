/* QAdd: the sum of two tensors of codes as ONNX Runtime's QLinearAdd takes it. */
#include "engine/runtime/kernels/integer.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__x86_64__) || !defined(__GLIBC__) || defined(__clang__)
#define CLONES
#else /* with an fmaf of their own: a call for each element otherwise. Not by arch=, which means the very CPU and none that came later. */
#define CLONES __attribute__ ((target_clones ("default", "fma", "avx512f")))
#endif

#define TASK_CODES 32768
#define AT_A_TIME 512 /* floats of both operands stay in the first cache */

typedef struct
{
  const PareQAddParams *p;
  const uint8_t *a, *b;
  uint8_t *y, flip_a, flip_b; /* 0x80 for signed codes: moved up by 128 as bytes, down again as numbers */
  int64_t n;
} Job;

CLONES static void
to_floats (const uint8_t *codes, int64_t n, uint8_t flip, float *to)
{
  for (int64_t i = 0; i < n; i++)
    to[i] = (float)((codes[i] ^ flip) - flip);
}

CLONES static void
add_floats (const float *a, const float *b, int64_t n, const PareQAddParams *p, int32_t *y)
{
  float ratio_a = p->ratio_a, ratio_b = p->ratio_b, fixed = p->fixed, lo = (float)p->lo, hi = (float)p->hi;
  for (int64_t i = 0; i < n; i++)
    y[i] = round_plain (clamp_plain (fmaf (b[i], ratio_b, fmaf (a[i], ratio_a, fixed)), lo, hi));
}

CLONES static void
to_codes (const int32_t *from, int64_t n, uint8_t *codes)
{
  for (int64_t i = 0; i < n; i++)
    codes[i] = (uint8_t)from[i];
}

/* y may be a or b. In three loops, each of elements of one or two sizes: GCC makes vectors of these and not of all in one. */
static void
add (const uint8_t *a, const uint8_t *b, uint8_t *y, int64_t n, uint8_t flip_a, uint8_t flip_b, const PareQAddParams *p)
{
  float floats_a[AT_A_TIME], floats_b[AT_A_TIME];
  int32_t sums[AT_A_TIME];
  for (int64_t at = 0; at < n; at += AT_A_TIME)
    {
      int64_t some = n - at < AT_A_TIME ? n - at : AT_A_TIME;
      to_floats (a + at, some, flip_a, floats_a);
      to_floats (b + at, some, flip_b, floats_b);
      add_floats (floats_a, floats_b, some, p, sums);
      to_codes (sums, some, y + at);
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
