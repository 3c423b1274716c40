/* Sixteen lanes of floats that are read and written as bfloat16, for the files that compute on them. */
#include <immintrin.h>

/* The arithmetic of floats beside it; AMX: functions with the matrix unit, too. */
#define NAME(x) bf16_##x
#if defined(__clang__) /* drops the whole attribute over the last word */
#define BF16 __attribute__ ((target ("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma")))
#define AMX __attribute__ ((target ("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma")))
#else
#define BF16 __attribute__ ((target ("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma,prefer-vector-width=512")))
#define AMX __attribute__ ((target ("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma,prefer-vector-width=512")))
#endif
#define UNROLL _Pragma ("GCC unroll 16")
#define INLINE static inline __attribute__ ((always_inline))
#define LANES PARE_BLOCK
#define TARGET BF16 __attribute__ ((unused))
#define VEC __m512
#include "engine/accel/pare-accel-lanes-512.inc.h"
#include "engine/accel/pare-accel-floats-after.inc.h"

/* 1 / (1 + e^-x), times `by`, for what is rounded to 16 bits: as exact as a fifteenth of that rounding. */
BF16 INLINE __m512
short_sigmoid_times (__m512 x, __m512 by)
{
  __m512 t = MUL (x, ALL (-1.44269504f)), f = FRACTION (t), p = ALL (5.51716695e-02f); /* 2^f, -0.5 <= f <= 0.5 */
  p = FMA (p, f, ALL (2.42611125e-01f));
  p = FMA (p, f, ALL (6.93260986e-01f));
  p = FMA (p, f, ALL (9.99928073e-01f));
  return MUL (by, _mm512_rcp14_ps (ADD (ALL (1), TIMES_2_TO (p, SUB (t, f)))));
}

/* What follows a sum, for channels c..c + LANES - 1. wide: it stays a float. */
BF16 INLINE __m512
finish (__m512 x, const PareAfter *after, int64_t c, bool wide)
{
  if (!wide && after->kind == PARE_ACT_SWISH)
    return short_sigmoid_times (x, x);
  if (!wide && after->kind == PARE_ACT_SIGMOID)
    return short_sigmoid_times (x, ALL (1));
  return bf16_finish (x, after, c);
}

/* One permutation that leaves zeros in the lower halves. */
BF16 INLINE __m512
widen (const uint16_t *x)
{
  const __m512i places = _mm512_slli_epi32 (_mm512_setr_epi32 (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), 16);
  __m512i both = _mm512_castsi256_si512 (_mm256_loadu_si256 ((const __m256i *)x));
  return _mm512_castsi512_ps (_mm512_maskz_permutexvar_epi16 (0xaaaaaaaau, places, both));
}

/* Of 32 elements of 16 bits the first half and the second in turn. */
BF16 INLINE __attribute__ ((unused)) __m512i
in_turn (__m512i both)
{
  const __m512i halves = _mm512_setr_epi32 (0x100000, 0x110001, 0x120002, 0x130003, 0x140004, 0x150005, 0x160006, 0x170007, 0x180008,
                                            0x190009, 0x1a000a, 0x1b000b, 0x1c000c, 0x1d000d, 0x1e000e, 0x1f000f);
  return _mm512_permutexvar_epi16 (halves, both);
}

BF16 INLINE void
narrow (uint16_t *to, __m512 x)
{
  _mm256_storeu_si256 ((__m256i *)to, (__m256i)_mm512_cvtneps_pbh (x));
}

BF16 INLINE __m512
load (const void *from, bool wide, int64_t at)
{
  return wide ? _mm512_loadu_ps ((const float *)from + at) : widen ((const uint16_t *)from + at);
}

BF16 INLINE void
store (void *to, bool wide, int64_t at, __m512 x)
{
  if (wide)
    _mm512_storeu_ps ((float *)to + at, x);
  else
    narrow ((uint16_t *)to + at, x);
}

/* Two of them, by one conversion. */
BF16 INLINE void
store_two (void *to, bool wide, int64_t at, int64_t next, __m512 x, __m512 y)
{
  if (wide)
    {
      _mm512_storeu_ps ((float *)to + at, x);
      _mm512_storeu_ps ((float *)to + next, y);
      return;
    }
  __m512i both = (__m512i)_mm512_cvtne2ps_pbh (y, x);
  if (next == at + LANES)
    _mm512_storeu_si512 ((uint16_t *)to + at, both);
  else
    {
      _mm256_storeu_si256 ((__m256i *)((uint16_t *)to + at), _mm512_castsi512_si256 (both));
      _mm256_storeu_si256 ((__m256i *)((uint16_t *)to + next), _mm512_extracti64x4_epi64 (both, 1));
    }
}

/* The first n <= 16 of them, and zeros. */
BF16 INLINE __m512
load_some (const void *from, bool wide, int64_t at, int64_t n)
{
  __mmask16 mask = (__mmask16)((1u << n) - 1);
  if (wide)
    return _mm512_maskz_loadu_ps (mask, (const float *)from + at);
  return _mm512_castsi512_ps (_mm512_slli_epi32 (_mm512_cvtepu16_epi32 (_mm256_maskz_loadu_epi16 (mask, (const uint16_t *)from + at)), 16));
}

/* The first n of them. */
BF16 INLINE void
store_some (void *to, bool wide, int64_t at, __m512 x, int64_t n)
{
  __mmask16 mask = (__mmask16)((1u << n) - 1);
  if (wide)
    _mm512_mask_storeu_ps ((float *)to + at, mask, x);
  else
    _mm256_mask_storeu_epi16 ((uint16_t *)to + at, mask, (__m256i)_mm512_cvtneps_pbh (x));
}

#define OPAQUE(pointer) __asm__("" : "+r"(pointer))
