/* Lut: y[i] = table[byte of x[i]]. A table of bytes fits the registers of some CPUs. */
#include "engine/runtime/kernels/integer.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define TASK_CODES 32768

typedef struct
{
  const uint8_t *x, *table;
  uint8_t *y;
  int64_t n, size;
} Job;

/* As much from the front as goes in whole vectors; returns how much. */
#if defined(__x86_64__)
__attribute__ ((target ("avx512f,avx512bw,avx512vbmi"))) static int64_t
look_up_512 (uint8_t *y, const uint8_t *x, const uint8_t *table, int64_t n)
{
  __m512i t[4];
  int64_t i = 0;
  for (int q = 0; q < 4; q++)
    t[q] = _mm512_loadu_si512 (table + 64 * q);
  for (; i + 64 <= n; i += 64)
    {
      __m512i at = _mm512_loadu_si512 (x + i);
      __m512i low = _mm512_permutex2var_epi8 (t[0], at, t[1]), high = _mm512_permutex2var_epi8 (t[2], at, t[3]);
      _mm512_storeu_si512 (y + i, _mm512_mask_blend_epi8 (_mm512_movepi8_mask (at), low, high));
    }
  return i;
}

static int64_t
look_up_vectors (uint8_t *y, const uint8_t *x, const uint8_t *table, int64_t n)
{
  return __builtin_cpu_supports ("avx512vbmi") && __builtin_cpu_supports ("avx512bw") ? look_up_512 (y, x, table, n) : 0;
}
#elif defined(__aarch64__)
static int64_t
look_up_vectors (uint8_t *y, const uint8_t *x, const uint8_t *table, int64_t n)
{
  uint8x16x4_t t[4];
  int64_t i = 0;
  for (int q = 0; q < 4; q++)
    t[q] = vld1q_u8_x4 (table + 64 * q);
  for (; i + 16 <= n; i += 16)
    {
      uint8x16_t at = vld1q_u8 (x + i), v = vqtbl4q_u8 (t[0], at);
      for (int q = 1; q < 4; q++)
        v = vqtbx4q_u8 (v, t[q], vsubq_u8 (at, vdupq_n_u8 ((uint8_t)(64 * q))));
      vst1q_u8 (y + i, v);
    }
  return i;
}
#else
static int64_t
look_up_vectors (uint8_t *y, const uint8_t *x, const uint8_t *table, int64_t n)
{
  return 0;
}
#endif

static void
part_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t from = task * TASK_CODES, n = j->n - from < TASK_CODES ? j->n - from : TASK_CODES;
  const uint8_t *x = j->x + from;
  if (j->size == 4)
    for (int64_t i = 0; i < n; i++)
      ((float *)(void *)j->y)[from + i] = ((const float *)(const void *)j->table)[x[i]];
  else
    for (int64_t i = look_up_vectors (j->y + from, x, j->table, n); i < n; i++)
      j->y[from + i] = j->table[x[i]];
}

KERNEL (pare_rt_k_lut)
{
  REQUIRE (n_in == 2 && n_out == 1 && same_shape (&in[0], &out[0]) && count_of (&in[1]) == 256 && in[1].dtype == out[0].dtype);
  SUPPORT (is_codes (&in[0]) && (is_codes (&out[0]) || is_f32 (&out[0])));
  CHECKED;
  Job job = { in[0].data, in[1].data, out[0].data, count_of (&in[0]), element_size (&out[0]) };
  pare_rt_parallel ((job.n + TASK_CODES - 1) / TASK_CODES, part_task, &job);
  return PARE_RT_OK;
}
