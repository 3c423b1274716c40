/* Convolutions of bfloat16 with few results (channels): vectors of neighbouring pixels, each a pair of terms, where vectors of channels
 * would be mostly empty. */
#include "engine/accel/pare-accel-bfloats.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include "engine/accel/pare-accel-bfloats-lanes.inc.h"

/* Sixteen pixels, `stride` pairs apart. */
BF16 INLINE __m512bh
pixels (const uint16_t *x, const int stride)
{
  const __m512i even = _mm512_setr_epi32 (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  __m512i first = _mm512_loadu_si512 (x);
  return (__m512bh)(stride == 1 ? first : _mm512_permutex2var_epi32 (first, even, _mm512_loadu_si512 (x + 2 * LANES)));
}

/* Four or eight channels (`count`) of n <= 16 pixels, side by side; pixels are `apart` from each other. */
BF16 INLINE void
store_pixels (uint16_t *to, const __m512 *channel, const int count, int64_t apart, int64_t n)
{
  __m512i two[4], four[4];
  uint16_t all[LANES * 8];
  UNROLL for (int i = 0; i < count / 2; i++) two[i] = in_turn ((__m512i)_mm512_cvtne2ps_pbh (channel[2 * i + 1], channel[2 * i]));
  UNROLL for (int i = 0; i < count / 4; i++)
  {
    four[i] = _mm512_unpacklo_epi32 (two[2 * i], two[2 * i + 1]);
    four[2 + i] = _mm512_unpackhi_epi32 (two[2 * i], two[2 * i + 1]);
  }
  UNROLL for (int i = 0; i < 2; i++)
  {
    if (count == 4) /* of each four pixels the two first, then the two last */
      _mm512_storeu_si512 (all + i * 4 * LANES / 2, four[2 * i]);
    else
      {
        _mm512_storeu_si512 (all + i * 8 * LANES / 2, _mm512_unpacklo_epi64 (four[2 * i], four[2 * i + 1]));
        _mm512_storeu_si512 (all + i * 8 * LANES / 2 + 4 * LANES / 2, _mm512_unpackhi_epi64 (four[2 * i], four[2 * i + 1]));
      }
  }
  for (int64_t i = 0; i < n; i++, to += apart)
    if (count == 4)
      __builtin_memcpy (to, all + (i % 4 / 2 * 8 + i / 4 * 2 + i % 2) * 4, 8);
    else
      __builtin_memcpy (to, all + (i % 4 * 4 + i / 4) * 8, 16);
}

/* `vecs` vectors of columns from `column` on, of `count` results. */
BF16 INLINE void
tile (const PareBfloatFew *p, int64_t column, const int count, const int vecs, const int stride)
{
  const uint16_t *x = p->x + column * stride * 2, *w = p->weights;
  __m512 acc[12][8];
  UNROLL for (int n = 0; n < count; n++) UNROLL for (int v = 0; v < vecs; v++) acc[n][v] = ALL (0);
  for (int64_t k = 0; k < p->pairs; k++, w += 2 * count)
    {
      const uint16_t *from = x + p->taps[k];
      __m512bh a[8];
      UNROLL for (int v = 0; v < vecs; v++) a[v] = pixels (from + v * LANES * stride * 2, stride);
      UNROLL for (int n = 0; n < count; n++)
      {
        int both;
        __builtin_memcpy (&both, w + 2 * n, sizeof both);
        __m512bh s = (__m512bh)_mm512_set1_epi32 (both);
        UNROLL for (int v = 0; v < vecs; v++) acc[n][v] = _mm512_dpbf16_ps (acc[n][v], a[v], s);
      }
    }
  UNROLL for (int n = 0; n < count; n++)
  {
    const PareAfter *after = p->after;
    int64_t c = p->first + n, to = n * p->y_plane + column;
    __m512 factor = ALL (p->factor ? p->factor[c] : 1), bias = ALL (p->bias[c]);
    UNROLL for (int v = 0; v < vecs; v++)
    {
      int64_t left = p->columns - column - v * LANES;
      __m512 z = FMA (acc[n][v], factor, bias);
      if (after->kind == PARE_ACT_CLIP)
        z = SMALLER (ALL (after->hi[c]), LARGER (ALL (after->lo[c]), z));
      else
        z = finish (z, after, c, p->y.wide);
      if (p->y_pixel > 0)
        acc[n][v] = z;
      else if (left >= LANES)
        store (p->y.data, p->y.wide, to + v * LANES, z);
      else if (left > 0)
        store_some (p->y.data, p->y.wide, to + v * LANES, z, left);
    }
  }
  if (p->y_pixel > 0 && count > 1)
    UNROLL for (int v = 0; v < vecs; v++)
    {
      int64_t at = column + v * LANES, n = p->columns - at < LANES ? p->columns - at : LANES;
      UNROLL for (int c = 0; c < count; c += 8)
      {
        __m512 some[8];
        UNROLL for (int i = 0; i < 8; i++) some[i] = acc[c + i < count ? c + i : c][v];
        store_pixels ((uint16_t *)p->y.data + at * p->y_pixel + c, some, count - c >= 8 ? 8 : 4, p->y_pixel, n);
      }
    }
}

#define TILE(COUNT, VECS, STRIDE)                                                                                                          \
  BF16 static void tile##COUNT##x##VECS##_##STRIDE (const PareBfloatFew *p, int64_t column)                                                \
  {                                                                                                                                        \
    tile (p, column, COUNT, VECS, STRIDE);                                                                                                 \
  }
#define TILES(COUNT, STRIDE) TILE (COUNT, 1, STRIDE) TILE (COUNT, 2, STRIDE) TILE (COUNT, 3, STRIDE)
/* clang-format off */
TILES (1, 1) TILES (4, 1) TILES (8, 1) TILES (1, 2) TILES (4, 2) TILES (8, 2)
TILE (1, 4, 1) TILE (1, 5, 1) TILE (1, 6, 1) TILE (1, 4, 2) TILE (1, 5, 2) TILE (1, 6, 2)
TILE (4, 4, 1) TILE (4, 5, 1) TILE (4, 6, 1) TILE (4, 4, 2) TILE (4, 5, 2) TILE (4, 6, 2)
TILE (12, 1, 1) TILE (12, 2, 1) TILE (12, 1, 2) TILE (12, 2, 2)
/* clang-format on */
#define NAMES_2(COUNT, STRIDE) tile##COUNT##x1_##STRIDE, tile##COUNT##x2_##STRIDE
#define NAMES_3(COUNT, STRIDE) NAMES_2 (COUNT, STRIDE), tile##COUNT##x3_##STRIDE
#define NAMES_6(COUNT, STRIDE) NAMES_3 (COUNT, STRIDE), tile##COUNT##x4_##STRIDE, tile##COUNT##x5_##STRIDE, tile##COUNT##x6_##STRIDE

            void pare_accel_few_row (const PareBfloatFew *p)
{
  static void (*const tiles[2][4][6]) (const PareBfloatFew *p, int64_t column)
      = { { { NAMES_6 (1, 1) }, { NAMES_6 (4, 1) }, { NAMES_3 (8, 1) }, { NAMES_2 (12, 1) } },
          { { NAMES_6 (1, 2) }, { NAMES_6 (4, 2) }, { NAMES_3 (8, 2) }, { NAMES_2 (12, 2) } } };
  static const int most_vecs[] = { 6, 6, 3, 2 };
  int kind = p->count / 4, most = most_vecs[kind];
  int64_t vecs = (p->columns + LANES - 1) / LANES, pieces = (vecs + most - 1) / most, at = 0;
  for (int64_t i = 0; i < pieces; i++) /* about equal ones */
    {
      int64_t end = vecs * (i + 1) / pieces;
      tiles[p->stride - 1][kind][end - at - 1](p, at * LANES);
      at = end;
    }
}
#else
void
pare_accel_few_row (const PareBfloatFew *p)
{
}
#endif
