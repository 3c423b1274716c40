/* What becomes of sums of products of codes: rows of up to four vectors, brought to the grid of the result, added to another operand or
 * stored as floats. Included by each kind of tiles. */
#include "engine/accel/pare-accel-code-tiles.h"

#include <immintrin.h>
#define VNNI __attribute__ ((target ("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define INLINE static inline __attribute__ ((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma ("unroll")
#else
#define UNROLL _Pragma ("GCC unroll 16")
#endif

/* What a tile is besides its size. */
typedef struct
{
  const uint8_t *const *at; /* [tap][ld]: its pixels' windows */
  int64_t ld;
  const int8_t *w;
  int64_t channel;     /* the first */
  const int32_t *sums; /* of each window */
  uint8_t *y;
  const uint8_t *other;
  const char *next; /* weights that are fetched meanwhile, being the next block's, at every four channels so many bytes further */
  int64_t apart;
  __mmask64 mask;
} Tile;

/* Up to four vectors of codes less their zero point to bytes in order. */
VNNI INLINE __m512i
to_bytes (const __m512i *q, const int nv, const PareTileConv *s, int32_t zero_point, int32_t lo, int32_t hi)
{
  const __m512i order = _mm512_setr_epi32 (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), none = _mm512_setzero_si512 ();
  __m512i zero = _mm512_set1_epi16 ((int16_t)zero_point);
  __m512i low = _mm512_adds_epi16 (_mm512_packs_epi32 (q[0], nv > 1 ? q[1] : none), zero);
  __m512i high = nv > 2 ? _mm512_adds_epi16 (_mm512_packs_epi32 (q[2], nv > 3 ? q[3] : none), zero) : none, bytes;
  if (s->signed_y)
    {
      bytes = _mm512_packs_epi16 (low, high);
      bytes = _mm512_max_epi8 (bytes, _mm512_set1_epi8 ((char)lo));
      bytes = _mm512_min_epi8 (bytes, _mm512_set1_epi8 ((char)hi));
    }
  else
    {
      bytes = _mm512_packus_epi16 (low, high);
      if (lo > 0 || hi < 255)
        bytes = _mm512_min_epu8 (_mm512_max_epu8 (bytes, _mm512_set1_epi8 ((char)lo)), _mm512_set1_epi8 ((char)hi));
    }
  return _mm512_permutexvar_epi32 (order, bytes);
}

/* 16 of 64 bytes. Extraction takes no variable, and v is one where loops are not unrolled. */
VNNI INLINE __m128i
quarter (__m512i x, int v)
{
  switch (v)
    {
    case 0:
      return _mm512_castsi512_si128 (x);
    case 1:
      return _mm512_extracti32x4_epi32 (x, 1);
    case 2:
      return _mm512_extracti32x4_epi32 (x, 2);
    default:
      return _mm512_extracti32x4_epi32 (x, 3);
    }
}

VNNI INLINE void
store_bytes (uint8_t *y, __m512i bytes, __mmask64 mask, const int nv)
{
  if (nv == 4 && mask == ~(__mmask64)0)
    _mm512_storeu_si512 (y, bytes);
  else if (nv == 3 && mask == 0xFFFFFFFFFFFF)
    {
      _mm256_storeu_si256 ((__m256i *)(void *)y, _mm512_castsi512_si256 (bytes));
      _mm_storeu_si128 ((__m128i *)(void *)(y + 32), _mm512_extracti32x4_epi32 (bytes, 2));
    }
  else if (nv == 2 && mask == 0xFFFFFFFF)
    _mm256_storeu_si256 ((__m256i *)(void *)y, _mm512_castsi512_si256 (bytes));
  else if (nv == 1 && mask == 0xFFFF)
    _mm_storeu_si128 ((__m128i *)(void *)y, _mm512_castsi512_si128 (bytes));
  else
    _mm512_mask_storeu_epi8 (y, mask, bytes);
}

/* A code (as a float, rounded) added to another operand's, 16 at a time: as QAdd has it. */
VNNI INLINE __m512i
add_other (__m512 own, __m128i bytes, const PareTileConv *s)
{
  __m512 other = _mm512_cvtepi32_ps (s->signed_other ? _mm512_cvtepi8_epi32 (bytes) : _mm512_cvtepu8_epi32 (bytes));
  __m512 ra = _mm512_set1_ps (s->add.ratio_a), rb = _mm512_set1_ps (s->add.ratio_b), fixed = _mm512_set1_ps (s->add.fixed);
  __m512 v = s->own_is_b ? _mm512_fmadd_ps (own, rb, _mm512_fmadd_ps (other, ra, fixed))
                         : _mm512_fmadd_ps (other, rb, _mm512_fmadd_ps (own, ra, fixed));
  return _mm512_cvtps_epi32 (v); /* of codes and ratios: far from what would wrap, so that bounds come when it is packed */
}

/* Four vectors of sums of each of some rows to where they are stored. Not a part of the tiles: the registers are theirs. */
VNNI INLINE void
finish (const PareTileConv *s, const Tile *t, const __m512i (*sum)[4], int rows, const int nv)
{
  __m512 scale[4], bias[4], factor[4], offset[4], least = _mm512_set1_ps (s->least), most = _mm512_set1_ps (s->most);
  for (int v = 0; v < nv; v++)
    {
      scale[v] = _mm512_loadu_ps (s->scale + t->channel + v * 16);
      bias[v] = s->bias ? _mm512_loadu_ps (s->bias + t->channel + v * 16) : _mm512_setzero_ps ();
    }
#define VALUE(r, v) _mm512_mul_ps (_mm512_add_ps (_mm512_cvtepi32_ps (sum[r][v]), bias[v]), scale[v])
#define BOUND(x) _mm512_min_ps (_mm512_max_ps (x, least), most)
  __m512i q[4];
  switch (s->result)
    {
    case PARE_TILE_PACKED:
      if (s->bias)
        for (int r = 0; r < rows; r++)
          {
            for (int v = 0; v < nv; v++)
              q[v] = _mm512_cvtps_epi32 (VALUE (r, v));
            store_bytes (t->y + r * s->y_pixel, to_bytes (q, nv, s, s->zero, s->lo, s->hi), t->mask, nv);
          }
      else if (s->signed_y || s->lo > 0 || s->hi < 255)
        for (int r = 0; r < rows; r++)
          {
            for (int v = 0; v < nv; v++)
              q[v] = _mm512_cvtps_epi32 (_mm512_mul_ps (_mm512_cvtepi32_ps (sum[r][v]), scale[v]));
            store_bytes (t->y + r * s->y_pixel, to_bytes (q, nv, s, s->zero, s->lo, s->hi), t->mask, nv);
          }
      else
        for (int r = 0; r < rows; r++)
          {
            for (int v = 0; v < nv; v++)
              q[v] = _mm512_cvtps_epi32 (_mm512_mul_ps (_mm512_cvtepi32_ps (sum[r][v]), scale[v]));
            store_bytes (t->y + r * s->y_pixel, to_bytes (q, nv, s, s->zero, 0, 255), t->mask, nv);
          }
      break;
    case PARE_TILE_CODES:
      for (int r = 0; r < rows; r++)
        {
          for (int v = 0; v < nv; v++)
            q[v] = _mm512_cvtps_epi32 (BOUND (VALUE (r, v)));
          store_bytes (t->y + r * s->y_pixel, to_bytes (q, nv, s, s->zero, s->lo, s->hi), t->mask, nv);
        }
      break;
    case PARE_TILE_AFFINE:
      for (int v = 0; v < nv; v++)
        {
          factor[v] = _mm512_loadu_ps (s->factor + t->channel + v * 16);
          offset[v] = _mm512_loadu_ps (s->offset + t->channel + v * 16);
        }
      for (int r = 0; r < rows; r++)
        {
          for (int v = 0; v < nv; v++)
            {
              __m512 x = _mm512_min_ps (_mm512_max_ps (VALUE (r, v), _mm512_set1_ps (s->clip[0])), _mm512_set1_ps (s->clip[1]));
              if (s->rounds)
                x = _mm512_roundscale_ps (x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
              q[v] = _mm512_cvtps_epi32 (BOUND (_mm512_add_ps (_mm512_mul_ps (x, factor[v]), offset[v])));
            }
          store_bytes (t->y + r * s->y_pixel, to_bytes (q, nv, s, s->zero, s->lo, s->hi), t->mask, nv);
        }
      break;
    case PARE_TILE_ADDED:
      for (int r = 0; r < rows; r++)
        {
          __m512i others = _mm512_maskz_loadu_epi8 (t->mask, t->other + r * s->other_pixel);
          for (int v = 0; v < nv; v++)
            {
              __m512 code = _mm512_roundscale_ps (BOUND (VALUE (r, v)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
              code = _mm512_add_ps (code, _mm512_set1_ps ((float)s->zero));
              q[v] = add_other (code, quarter (others, v), s);
            }
          store_bytes (t->y + r * s->y_pixel, to_bytes (q, nv, s, 0, s->add.lo, s->add.hi), t->mask, nv);
        }
      break;
    default:
      for (int r = 0; r < rows; r++)
        for (int v = 0; v < nv; v++)
          _mm512_mask_storeu_ps (t->y + r * s->y_pixel + v * 64, (__mmask16)(t->mask >> v * 16), BOUND (VALUE (r, v)));
      break;
    }
#undef VALUE
#undef BOUND
}

#define FINISH(nv)                                                                                                                         \
  VNNI static __attribute__ ((noinline)) void finish_##nv (const PareTileConv *s, const Tile *t, const __m512i (*sum)[4], int rows)        \
  {                                                                                                                                        \
    finish (s, t, sum, rows, nv);                                                                                                          \
  }
FINISH (1)
FINISH (2)
FINISH (3)
FINISH (4)

#define none _mm512_setzero_si512 ()
#define nothing _mm512_setzero_ps ()

/* Codes of one grid on another of their channel. */
VNNI INLINE __m512i
relay_to (__m512 x, const PareTileConv *s, int64_t channel)
{
  x = _mm512_min_ps (_mm512_max_ps (x, _mm512_set1_ps (s->clip[0])), _mm512_set1_ps (s->clip[1]));
  x = _mm512_roundscale_ps (x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return _mm512_cvtps_epi32 (
      _mm512_add_ps (_mm512_mul_ps (x, _mm512_loadu_ps (s->factor + channel)), _mm512_loadu_ps (s->offset + channel)));
}

VNNI INLINE void
relay (__m512 a, __m512 b, __m512 c, __m512 d, const PareTileConv *s, const Tile *t, int r, const int nv)
{
  __m512i q[4];
  q[0] = relay_to (a, s, t->channel);
  if (nv > 1)
    q[1] = relay_to (b, s, t->channel + 16);
  if (nv > 2)
    q[2] = relay_to (c, s, t->channel + 32);
  if (nv > 3)
    q[3] = relay_to (d, s, t->channel + 48);
  store_bytes (t->y + r * s->y_pixel, to_bytes (q, nv, s, s->zero, s->lo, s->hi), t->mask, nv);
}

VNNI INLINE __m512i
added_to (__m512 own, __m128i bytes, const PareTileConv *s)
{
  own = _mm512_min_ps (_mm512_max_ps (own, _mm512_set1_ps (s->least)), _mm512_set1_ps (s->most));
  own = _mm512_roundscale_ps (own, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return add_other (_mm512_add_ps (own, _mm512_set1_ps ((float)s->zero)), bytes, s);
}

VNNI INLINE void
added (__m512 a, __m512 b, __m512 c, __m512 d, const PareTileConv *s, const Tile *t, int r, const int nv)
{
  __m512i others = nv == 4 && t->mask == ~(__mmask64)0 ? _mm512_loadu_si512 (t->other + r * s->other_pixel)
                                                       : _mm512_maskz_loadu_epi8 (t->mask, t->other + r * s->other_pixel);
  __m512i q[4];
  q[0] = added_to (a, _mm512_castsi512_si128 (others), s);
  if (nv > 1)
    q[1] = added_to (b, _mm512_extracti32x4_epi32 (others, 1), s);
  if (nv > 2)
    q[2] = added_to (c, _mm512_extracti32x4_epi32 (others, 2), s);
  if (nv > 3)
    q[3] = added_to (d, _mm512_extracti32x4_epi32 (others, 3), s);
  store_bytes (t->y + r * s->y_pixel, to_bytes (q, nv, s, 0, s->add.lo, s->add.hi), t->mask, nv);
}

VNNI INLINE void
plain (__m512i a, __m512i b, __m512i c, __m512i d, __m512i zero, uint8_t *y, __mmask64 mask, const int nv)
{
  const __m512i order = _mm512_setr_epi32 (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m512i low = _mm512_adds_epi16 (_mm512_packs_epi32 (a, b), zero);
  __m512i high = nv > 2 ? _mm512_adds_epi16 (_mm512_packs_epi32 (c, d), zero) : none;
  store_bytes (y, _mm512_permutexvar_epi32 (order, _mm512_packus_epi16 (low, high)), mask, nv);
}
