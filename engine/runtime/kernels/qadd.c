/* QAdd: the sum of two tensors of codes as ONNX Runtime's QLinearAdd takes it. */
#include "engine/runtime/kernels/int-isa.h"
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

#if defined(__x86_64__)
#include <immintrin.h>

/* 64 codes from registers to registers; n: a multiple of that. Sums lie within codes, so that nothing is saturated. */
__attribute__ ((target ("avx512f,avx512bw,avx512vl"))) static void
add_vectors (const uint8_t *a, const uint8_t *b, uint8_t *y, int64_t n, uint8_t flip_a, uint8_t flip_b, const PareQAddParams *p)
{
  const __m512i order = _mm512_setr_epi32 (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m512 ratio_a = _mm512_set1_ps (p->ratio_a), ratio_b = _mm512_set1_ps (p->ratio_b), fixed = _mm512_set1_ps (p->fixed);
  __m512 lo = _mm512_set1_ps ((float)p->lo), hi = _mm512_set1_ps ((float)p->hi);
  __m512i down_a = _mm512_set1_epi32 (flip_a), down_b = _mm512_set1_epi32 (flip_b), low = _mm512_set1_epi16 (255);
  __m128i bits_a = _mm_set1_epi8 ((char)flip_a), bits_b = _mm_set1_epi8 ((char)flip_b);
  for (int64_t i = 0; i < n; i += 64)
    {
      __m512i q[4];
      PARE_UNROLL
      for (int v = 0; v < 4; v++)
        {
          __m128i x = _mm_xor_si128 (_mm_loadu_si128 ((const __m128i *)(const void *)(a + i + 16 * v)), bits_a);
          __m128i z = _mm_xor_si128 (_mm_loadu_si128 ((const __m128i *)(const void *)(b + i + 16 * v)), bits_b);
          __m512 sum = _mm512_fmadd_ps (_mm512_cvtepi32_ps (_mm512_sub_epi32 (_mm512_cvtepu8_epi32 (x), down_a)), ratio_a, fixed);
          sum = _mm512_fmadd_ps (_mm512_cvtepi32_ps (_mm512_sub_epi32 (_mm512_cvtepu8_epi32 (z), down_b)), ratio_b, sum);
          q[v] = _mm512_cvtps_epi32 (_mm512_min_ps (_mm512_max_ps (sum, lo), hi));
        }
      __m512i first = _mm512_and_si512 (_mm512_packs_epi32 (q[0], q[1]), low);
      __m512i second = _mm512_and_si512 (_mm512_packs_epi32 (q[2], q[3]), low);
      _mm512_storeu_si512 (y + i, _mm512_permutexvar_epi32 (order, _mm512_packus_epi16 (first, second)));
    }
}

static int64_t
add_most (const uint8_t *a, const uint8_t *b, uint8_t *y, int64_t n, uint8_t flip_a, uint8_t flip_b, const PareQAddParams *p)
{
  if (pare_rt_int_isa ()->lanes < 16)
    return 0;
  add_vectors (a, b, y, n / 64 * 64, flip_a, flip_b, p);
  return n / 64 * 64;
}
#else
static int64_t
add_most (const uint8_t *a, const uint8_t *b, uint8_t *y, int64_t n, uint8_t flip_a, uint8_t flip_b, const PareQAddParams *p)
{
  return 0;
}
#endif

static void
part_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t from = task * TASK_CODES, n = j->n - from < TASK_CODES ? j->n - from : TASK_CODES;
  int64_t done = add_most (j->a + from, j->b + from, j->y + from, n, j->flip_a, j->flip_b, j->p);
  from += done;
  add (j->a + from, j->b + from, j->y + from, n - done, j->flip_a, j->flip_b, j->p);
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
