/* The largest of windows, where vectors have 16 lanes: of each column of some rows first, then of neighbours in that line. A window of
 * three by three is so read in four vectors instead of nine. */
#include "engine/runtime/kernels/pool.h"
#include "engine/runtime/kernels/tile.h"

#if defined(__x86_64__)
#include <float.h>
#include <immintrin.h>

#define AVX512 __attribute__ ((target ("avx512f")))
#define INLINE static inline __attribute__ ((always_inline))
#define AT_A_TIME 8      /* rows of the output: what was written last is slow to read */
#define LINE_COLUMNS 512 /* of a padded row */

bool
pare_rt_max_pool_fits_lanes (const PoolGeometry *g)
{
  return pare_rt_isa ()->lanes == 16 && g->in[0] == 1 && g->out[0] == 1 && g->k[0] == 1 && g->pad[0] == 0 && g->stride[2] <= 2
         && g->pad[2] >= 0 && g->pad[2] < LINE_COLUMNS && g->in[2] <= LINE_COLUMNS - g->pad[2] && g->out[2] <= LINE_COLUMNS
         && g->k[2] <= LINE_COLUMNS && g->dil[2] <= LINE_COLUMNS
         && (g->out[2] - 1) * g->stride[2] + (g->k[2] - 1) * g->dil[2] < LINE_COLUMNS;
}

INLINE __mmask16
first_of (int64_t n)
{
  return n >= 16 ? (__mmask16)0xFFFF : (__mmask16)((1u << n) - 1);
}

/* NaN above all, as elsewhere (tile.inc.h). */
AVX512 INLINE __m512
larger (__m512 a, __m512 x)
{
  __mmask16 above = _mm512_cmp_ps_mask (x, a, _CMP_GT_OQ) | _mm512_cmp_ps_mask (x, x, _CMP_UNORD_Q);
  return _mm512_mask_mov_ps (a, above, x);
}

/* Of each column of the windows that begin in row `from`. */
AVX512 static void
raise_rows (const PoolGeometry *g, const float *x, int64_t from, float *line)
{
  int64_t width = g->in[2], k0 = 0, k1 = g->k[1];
  while (k0 < k1 && from + k0 * g->dil[1] < 0)
    k0++;
  while (k1 > k0 && from + (k1 - 1) * g->dil[1] >= g->in[1])
    k1--;
  __m512 least = _mm512_set1_ps (k1 - k0 < g->k[1] ? -FLT_MAX : -INFINITY);
  for (int64_t i = 0; i < width; i += 16)
    {
      __mmask16 some = first_of (width - i);
      __m512 v = least;
      for (int64_t ky = k0; ky < k1; ky++)
        v = larger (v, _mm512_maskz_loadu_ps (some, x + (from + ky * g->dil[1]) * width + i));
      _mm512_mask_storeu_ps (line + i, some, v);
    }
}

/* Of the windows of a row: at every column, or at every second one. */
AVX512 static void
raise_columns (const PoolGeometry *g, const float *line, float *y)
{
  const __m512i even = _mm512_setr_epi32 (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  for (int64_t i = 0; i < g->out[2]; i += 16)
    {
      const float *from = line + i * g->stride[2];
      __m512 a = _mm512_loadu_ps (from);
      if (g->stride[2] == 1)
        for (int64_t kx = 1; kx < g->k[2]; kx++)
          a = larger (a, _mm512_loadu_ps (from + kx * g->dil[2]));
      else
        {
          __m512 b = _mm512_loadu_ps (from + 16);
          for (int64_t kx = 1; kx < g->k[2]; kx++)
            {
              a = larger (a, _mm512_loadu_ps (from + kx * g->dil[2]));
              b = larger (b, _mm512_loadu_ps (from + kx * g->dil[2] + 16));
            }
          a = _mm512_permutex2var_ps (a, even, b);
        }
      _mm512_mask_storeu_ps (y + i, first_of (g->out[2] - i), a);
    }
}

void
pare_rt_max_pool_lanes (const PoolGeometry *g, const float *x, float *y, int64_t planes)
{
  float lines[AT_A_TIME][LINE_COLUMNS + 64];
  for (int r = 0; r < AT_A_TIME; r++)
    for (int i = 0; i < LINE_COLUMNS + 64; i++)
      lines[r][i] = -FLT_MAX;
  for (int64_t plane = 0; plane < planes; plane++, x += g->in[1] * g->in[2])
    for (int64_t oy = 0; oy < g->out[1]; oy += AT_A_TIME)
      {
        int64_t some = g->out[1] - oy < AT_A_TIME ? g->out[1] - oy : AT_A_TIME;
        for (int64_t r = 0; r < some; r++)
          raise_rows (g, x, (oy + r) * g->stride[1] - g->pad[1], lines[r] + g->pad[2]);
        for (int64_t r = 0; r < some; r++, y += g->out[2])
          raise_columns (g, lines[r], y);
      }
}
#else
bool
pare_rt_max_pool_fits_lanes (const PoolGeometry *g)
{
  return false;
}

void
pare_rt_max_pool_lanes (const PoolGeometry *g, const float *x, float *y, int64_t planes)
{
}
#endif
