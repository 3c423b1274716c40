/* The matrix unit of x86-64 CPUs that have one (AMX): eight tiles of 16 rows of 64 bytes. Four bytes of a row are multiplied with four of
 * a column at once, as the vectors of VNNI do it, and sums are exact in int32. */
#include "engine/runtime/kernels/int-matrix.h"

#if defined(PARE_INT_AMX)
#include <immintrin.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AMX __attribute__ ((target ("amx-tile,amx-int8,avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi2")))
#define INLINE static inline __attribute__ ((always_inline))

#define ASK_PERMISSION 0x1023 /* ARCH_REQ_XCOMP_PERM */
#define TILE_DATA 18          /* the part of a thread's state that holds tiles */
#define TILE_STATE (3u << 17) /* of XCR0: their configuration and they */

/* As LDTILECFG reads it (Intel, Architecture Instruction Set Extensions, 3.2.1): palette 1. */
typedef struct
{
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} Tiles;

/* 0..3: sums, 4 and 5: weights, 6 and 7: input. */
AMX static void
begin (int rows, int lines)
{
  Tiles tiles = { .palette = 1 };
  for (int i = 0; i < 8; i++)
    {
      tiles.row_bytes[i] = (uint16_t)(i == 4 || i == 5 ? 4 * lines : 64);
      tiles.rows[i] = (uint8_t)(i < 6 ? rows : lines);
    }
  __asm__ volatile("" : : "m"(tiles)); /* all of it is read, which compilers are not told */
  _tile_loadconfig (&tiles);
}

AMX static void
end (void)
{
  _tile_release ();
}

AMX static void
wake (void)
{
  _tile_dpbsud (0, 4, 6);
}

/* Masks of the first n of 16. */
INLINE __mmask16
first_of (int64_t n)
{
  return n >= 16 ? (__mmask16)0xFFFF : (__mmask16)((1u << n) - 1);
}

/* Every step-th of 16 pixels, those in the mask. */
AMX INLINE __m128i
some_pixels (const uint8_t *at, int64_t step, __mmask16 mask, __m128i padding)
{
  if (step == 1)
    return _mm_mask_loadu_epi8 (padding, mask, at);
  if (step == 2)
    return _mm256_cvtepi16_epi8 (_mm256_mask_loadu_epi8 (_mm256_broadcastsi128_si256 (padding), _pdep_u32 (mask, 0x55555555), at));
  uint8_t taken[16] = { 0 };
  for (int i = 0; i < 16; i++)
    if (mask >> i & 1)
      taken[i] = at[i * step];
  return _mm_mask_loadu_epi8 (padding, mask, taken);
}

/* 16 pixels of each of four channels -> 16 cells. */
AMX INLINE __m512i
cells (__m128i a, __m128i b, __m128i c, __m128i d, __m512i flip)
{
  const __m512i line = _mm512_setr_epi32 (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i order = _mm512_add_epi32 (_mm512_set1_epi32 (0x30201000), _mm512_mullo_epi32 (_mm512_set1_epi32 (0x01010101), line));
  __m512i v = _mm512_inserti32x4 (_mm512_castsi128_si512 (a), b, 1);
  v = _mm512_inserti32x4 (_mm512_inserti32x4 (v, c, 2), d, 3);
  return _mm512_xor_si512 (_mm512_permutexvar_epi8 (order, v), flip);
}

/* Cells from..to-1 of each row, where some are padding. */
AMX INLINE void
lay_edge (uint8_t *to, const PareMatrixRows *r, int64_t from, int64_t end, const int64_t step)
{
  __m512i flip = _mm512_set1_epi8 ((char)r->flip);
  __m128i padding = _mm_set1_epi8 ((char)r->padding);
  for (int64_t i = from; i < end; i += 16)
    {
      int64_t left = i < r->before ? r->before - i : 0, right = r->before + r->inside - i;
      __mmask16 stored = first_of (end - i), mask = right > left && left < 16 ? first_of (right) & ~first_of (left) : 0;
      uint8_t *row = to + i * 4;
      if (!mask)
        {
          __m512i all = cells (padding, padding, padding, padding, flip);
          for (int64_t n = 0; n < r->rows; n++, row += r->to_row)
            _mm512_mask_storeu_epi32 (row, stored, all);
          continue;
        }
      const uint8_t *a = r->from[0], *b = r->from[1], *c = r->from[2], *d = r->from[3];
      int64_t at = (i - r->before) * step;
      for (int64_t n = 0; n < r->rows; n++, row += r->to_row, at += r->from_row)
        _mm512_mask_storeu_epi32 (row, stored,
                                  cells (some_pixels (a + at, step, mask, padding), some_pixels (b + at, step, mask, padding),
                                         some_pixels (c + at, step, mask, padding), some_pixels (d + at, step, mask, padding), flip));
    }
}

/* The same where none are: whole vectors. */
AMX INLINE void
lay_middle (uint8_t *to, const PareMatrixRows *r, int64_t from, int64_t end, const int64_t step)
{
  __m512i flip = _mm512_set1_epi8 ((char)r->flip);
  const uint8_t *a = r->from[0], *b = r->from[1], *c = r->from[2], *d = r->from[3];
  for (int64_t n = 0; n < r->rows; n++, to += r->to_row, a += r->from_row, b += r->from_row, c += r->from_row, d += r->from_row)
    for (int64_t i = from; i < end; i += 16)
      {
        int64_t at = (i - r->before) * step;
        _mm512_storeu_si512 (to + i * 4, cells (some_pixels (a + at, step, 0xFFFF, _mm_setzero_si128 ()),
                                                some_pixels (b + at, step, 0xFFFF, _mm_setzero_si128 ()),
                                                some_pixels (c + at, step, 0xFFFF, _mm_setzero_si128 ()),
                                                some_pixels (d + at, step, 0xFFFF, _mm_setzero_si128 ()), flip));
      }
}

AMX INLINE void
lay_rows (uint8_t *to, const PareMatrixRows *r, const int64_t step)
{
  int64_t first = (r->before + 15) / 16 * 16, end = (r->before + r->inside) / 16 * 16;
  if (end <= first)
    {
      lay_edge (to, r, 0, r->cells, step);
      return;
    }
  lay_edge (to, r, 0, first, step);
  lay_middle (to, r, first, end, step);
  lay_edge (to, r, end, r->cells, step);
}

AMX static void
lay (uint8_t *to, const PareMatrixRows *rows)
{
  if (rows->step == 1)
    lay_rows (to, rows, 1);
  else if (rows->step == 2)
    lay_rows (to, rows, 2);
  else
    lay_rows (to, rows, rows->step);
}

/* One block of rows by up to four tiles. */
AMX INLINE void
multiply_1 (const PareMatrixProduct *p, int32_t *sum, const int tiles)
{
  const uint8_t *w = p->w[0];
  _tile_zero (0);
  if (tiles > 1)
    _tile_zero (1);
  if (tiles > 2)
    _tile_zero (2);
  if (tiles > 3)
    _tile_zero (3);
  for (int64_t i = 0; i < p->pieces; i++, w += p->w_piece)
    {
      int64_t at = p->piece[i];
      _tile_loadd (4, w, p->w_pitch);
      _tile_loadd (6, p->x[0] + at, p->pitch);
      _tile_dpbsud (0, 4, 6);
      if (tiles > 1)
        {
          _tile_loadd (7, p->x[1] + at, p->pitch);
          _tile_dpbsud (1, 4, 7);
        }
      if (tiles > 2)
        {
          _tile_loadd (6, p->x[2] + at, p->pitch);
          _tile_dpbsud (2, 4, 6);
        }
      if (tiles > 3)
        {
          _tile_loadd (7, p->x[3] + at, p->pitch);
          _tile_dpbsud (3, 4, 7);
        }
    }
  _tile_stored (0, sum, PARE_MATRIX_POSITIONS * 4);
  if (tiles > 1)
    _tile_stored (1, sum + 16, PARE_MATRIX_POSITIONS * 4);
  if (tiles > 2)
    _tile_stored (2, sum + 32, PARE_MATRIX_POSITIONS * 4);
  if (tiles > 3)
    _tile_stored (3, sum + 48, PARE_MATRIX_POSITIONS * 4);
}

/* Two blocks of rows by one or two tiles, from `first` on: each tile of the input is loaded for both. */
AMX INLINE void
multiply_2 (const PareMatrixProduct *p, int32_t *sum, int first, const int tiles)
{
  const uint8_t *upper = p->w[0], *lower = p->w[1], *left = p->x[first], *right = tiles > 1 ? p->x[first + 1] : NULL;
  int32_t *below = sum + PARE_MATRIX_ROWS * PARE_MATRIX_POSITIONS;
  _tile_zero (0);
  _tile_zero (1);
  if (tiles > 1)
    {
      _tile_zero (2);
      _tile_zero (3);
    }
  for (int64_t i = 0; i < p->pieces; i++, upper += p->w_piece, lower += p->w_piece)
    {
      int64_t at = p->piece[i];
      _tile_loadd (6, left + at, p->pitch);
      _tile_loadd (4, upper, p->w_pitch);
      _tile_dpbsud (0, 4, 6);
      _tile_loadd (5, lower, p->w_pitch);
      _tile_dpbsud (1, 5, 6);
      if (tiles > 1)
        {
          _tile_loadd (7, right + at, p->pitch);
          _tile_dpbsud (2, 4, 7);
          _tile_dpbsud (3, 5, 7);
        }
    }
  _tile_stored (0, sum + 16 * first, PARE_MATRIX_POSITIONS * 4);
  _tile_stored (1, below + 16 * first, PARE_MATRIX_POSITIONS * 4);
  if (tiles > 1)
    {
      _tile_stored (2, sum + 16 * (first + 1), PARE_MATRIX_POSITIONS * 4);
      _tile_stored (3, below + 16 * (first + 1), PARE_MATRIX_POSITIONS * 4);
    }
}

AMX static void
multiply (const PareMatrixProduct *p, int32_t *sum)
{
  __asm__ volatile("" ::: "memory"); /* tiles are loaded behind the compiler's back */
  if (p->blocks == 1)
    switch (p->tiles)
      {
      case 1:
        multiply_1 (p, sum, 1);
        break;
      case 2:
        multiply_1 (p, sum, 2);
        break;
      case 3:
        multiply_1 (p, sum, 3);
        break;
      default:
        multiply_1 (p, sum, 4);
        break;
      }
  else
    for (int first = 0; first < p->tiles; first += 2)
      if (p->tiles - first > 1)
        multiply_2 (p, sum, first, 2);
      else
        multiply_2 (p, sum, first, 1);
  __asm__ volatile("" ::: "memory");
}

/* From a row of sums to v, as integer.h has it. */
AMX INLINE void
scale_row (const int32_t *sum, int row, const int tiles, const PareIntScale *s, __m512 *v)
{
  __m512i init = _mm512_set1_epi32 (s->init[row]);
  __m512 bias = _mm512_set1_ps (s->bias[row]), scale = _mm512_set1_ps (s->scale[row]);
  PARE_UNROLL
  for (int t = 0; t < tiles; t++)
    {
      __m512i exact = _mm512_add_epi32 (_mm512_loadu_si512 (sum + row * PARE_MATRIX_POSITIONS + t * 16), init);
      v[t] = _mm512_mul_ps (_mm512_add_ps (_mm512_cvtepi32_ps (exact), bias), scale);
    }
}

/* Codes fit 16 bits with room, so that nothing is saturated. */
AMX INLINE void
store_codes (uint8_t *y, int64_t ldy, const int32_t *sum, int rows, const int tiles, uint64_t mask, const PareIntScale *s,
             const bool affine)
{
  const __m512i order = _mm512_setr_epi32 (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m512 lo = _mm512_set1_ps (s->lo), hi = _mm512_set1_ps (s->hi), least = _mm512_set1_ps (s->least), most = _mm512_set1_ps (s->most);
  __m512 rounding = _mm512_set1_ps (s->rounding);
  __m512i zero = _mm512_set1_epi16 ((int16_t)s->zero), low = _mm512_set1_epi16 (255);
  __mmask64 stored = ~(__mmask64)0 >> (64 - __builtin_popcountll (mask));
  bool whole = (mask & (mask + 1)) == 0; /* nothing is left out in between */
  for (int r = 0; r < rows; r++, y += ldy)
    {
      __m512 v[4];
      __m512i q[4] = { zero, zero, zero, zero };
      scale_row (sum, r, tiles, s, v);
      PARE_UNROLL
      for (int t = 0; t < tiles; t++)
        {
          if (affine)
            {
              v[t] = _mm512_min_ps (_mm512_max_ps (v[t], least), most);
              v[t] = _mm512_sub_ps (_mm512_add_ps (v[t], rounding), rounding);
              v[t] = _mm512_add_ps (_mm512_mul_ps (v[t], _mm512_set1_ps (s->factor[r])), _mm512_set1_ps (s->offset[r]));
            }
          q[t] = _mm512_cvtps_epi32 (_mm512_min_ps (_mm512_max_ps (v[t], lo), hi));
        }
      __m512i a = _mm512_add_epi16 (_mm512_packs_epi32 (q[0], q[1]), zero), b = _mm512_add_epi16 (_mm512_packs_epi32 (q[2], q[3]), zero);
      __m512i bytes = _mm512_packus_epi16 (_mm512_and_si512 (a, low), _mm512_and_si512 (b, low));
      bytes = _mm512_permutexvar_epi32 (order, bytes);
      if (!whole)
        bytes = _mm512_maskz_compress_epi8 (mask, bytes);
      _mm512_mask_storeu_epi8 (y, stored, bytes);
    }
}

AMX INLINE void
store_floats (float *y, int64_t ldy, const int32_t *sum, int rows, int tiles, uint64_t mask, const PareIntScale *s)
{
  for (int r = 0; r < rows; r++, y += ldy)
    {
      __m512 v[4];
      float *to = y;
      scale_row (sum, r, 4, s, v);
      for (int t = 0; t < tiles; t++)
        {
          __mmask16 some = (__mmask16)(mask >> 16 * t);
          int n = __builtin_popcount (some);
          _mm512_mask_storeu_ps (to, first_of (n), _mm512_maskz_compress_ps (some, v[t]));
          to += n;
        }
    }
}

AMX static void
store (void *y, int64_t ldy, const int32_t *sum, int rows, int tiles, uint64_t mask, const PareIntScale *s)
{
  if (!s->codes)
    store_floats (y, ldy, sum, rows, tiles, mask, s);
  else if (s->factor)
    store_codes (y, ldy, sum, rows, 4, mask, s, true);
  else if (tiles == 1)
    store_codes (y, ldy, sum, rows, 1, mask, s, false);
  else if (tiles == 2)
    store_codes (y, ldy, sum, rows, 2, mask, s, false);
  else if (tiles == 3)
    store_codes (y, ldy, sum, rows, 3, mask, s, false);
  else
    store_codes (y, ldy, sum, rows, 4, mask, s, false);
}

static bool
cpu_has_it (void)
{
  unsigned a = 1, b, c = 0, d, low, high;
  __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  if (!(c >> 27 & 1)) /* XGETBV */
    return false;
  a = 7;
  c = 0;
  __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  if (!(d >> 24 & 1) || !(d >> 25 & 1)) /* tiles, of bytes */
    return false;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & TILE_STATE) == TILE_STATE && __builtin_cpu_supports ("avx512bw") && __builtin_cpu_supports ("avx512vl")
         && __builtin_cpu_supports ("avx512vbmi") && __builtin_cpu_supports ("avx512vbmi2");
}

const PareIntMatrix pare_rt_int_amx = { begin, end, wake, lay, multiply, store };

bool
pare_rt_int_has_amx (void)
{
  static _Atomic int known; /* 1: no, 2: yes; whoever finds it out finds the same. The permission is also that of threads to come */
  int now = atomic_load_explicit (&known, memory_order_relaxed);
  if (!now)
    {
      now = cpu_has_it () && syscall (SYS_arch_prctl, ASK_PERMISSION, TILE_DATA) == 0 ? 2 : 1;
      atomic_store_explicit (&known, now, memory_order_relaxed);
    }
  return now == 2;
}
#endif
