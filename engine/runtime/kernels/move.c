/* Moving elements between boxes of memory. */
#include "engine/runtime/kernels/move.h"

void
pare_rt_strides (const PareShape *s, int64_t size, int64_t *strides)
{
  for (int i = s->rank - 1; i >= 0; i--)
    {
      strides[i] = size;
      size *= s->dims[i];
    }
}

bool
pare_rt_broadcast_strides (const PareShape *s, const PareShape *out, int64_t size, int64_t *strides)
{
  int skip = out->rank - s->rank;
  if (skip < 0)
    return false;
  for (int i = out->rank - 1; i >= 0; i--)
    {
      int64_t d = i < skip ? 1 : s->dims[i - skip];
      if (d != 1 && d != out->dims[i])
        return false;
      strides[i] = d == 1 ? 0 : size;
      size *= d;
    }
  return true;
}

#define ROW(bytes)                                                                                                                         \
  for (int64_t i = 0; i < n; i++)                                                                                                          \
  memcpy (to + i * ts, from + i * fs, bytes)

static void
move_row (int64_t n, const char *from, int64_t fs, char *to, int64_t ts, int64_t size)
{
  if (fs == size && ts == size)
    memcpy (to, from, n * size);
  else
    switch (size)
      {
      case 1:
        ROW (1);
        break;
      case 2:
        ROW (2);
        break;
      case 4:
        ROW (4);
        break;
      case 8:
        ROW (8);
        break;
      default:
        ROW (16);
      }
}

#ifdef __SSE2__
#include <emmintrin.h>
/* Sixteen elements of four bytes, read in order along the first axis, written in order along the second. */
static void
turn_4x4 (const char *from, int64_t fs, char *to, int64_t ts)
{
  __m128i a = _mm_loadu_si128 ((const void *)from), b = _mm_loadu_si128 ((const void *)(from + fs)),
          c = _mm_loadu_si128 ((const void *)(from + 2 * fs)), d = _mm_loadu_si128 ((const void *)(from + 3 * fs));
  __m128i ab = _mm_unpacklo_epi32 (a, b), cd = _mm_unpacklo_epi32 (c, d), ab_high = _mm_unpackhi_epi32 (a, b),
          cd_high = _mm_unpackhi_epi32 (c, d);
  _mm_storeu_si128 ((void *)to, _mm_unpacklo_epi64 (ab, cd));
  _mm_storeu_si128 ((void *)(to + ts), _mm_unpackhi_epi64 (ab, cd));
  _mm_storeu_si128 ((void *)(to + 2 * ts), _mm_unpacklo_epi64 (ab_high, cd_high));
  _mm_storeu_si128 ((void *)(to + 3 * ts), _mm_unpackhi_epi64 (ab_high, cd_high));
}
#else
static void
turn_4x4 (const char *from, int64_t fs, char *to, int64_t ts)
{
  for (int i = 0; i < 4; i++)
    for (int k = 0; k < 4; k++)
      memcpy (to + i * ts + k * 4, from + k * fs + i * 4, 4);
}
#endif

/* Two axes in blocks, so that the lines read along one and written along the other stay in the cache. */
#define BLOCK 16
static void
move_plane (const int64_t *dims, const char *from, const int64_t *fs, char *to, const int64_t *ts, int64_t size)
{
  if (fs[1] == size || fs[0] != size)
    {
      for (int64_t i = 0; i < dims[0]; i++)
        move_row (dims[1], from + i * fs[0], fs[1], to + i * ts[0], ts[1], size);
      return;
    }
  int64_t whole[2] = { dims[0] & ~(int64_t)3, dims[1] & ~(int64_t)3 };
  if (size == 4 && ts[1] == 4 && whole[0] > 0 && whole[1] > 0)
    {
      for (int64_t i = 0; i < whole[0]; i += BLOCK)
        for (int64_t j = 0; j < whole[1]; j += 4)
          for (int64_t k = i; k < i + BLOCK && k < whole[0]; k += 4)
            turn_4x4 (from + k * 4 + j * fs[1], fs[1], to + k * ts[0] + j * 4, ts[0]);
      for (int64_t i = 0; i < dims[0]; i++)
        {
          int64_t j = i < whole[0] ? whole[1] : 0;
          move_row (dims[1] - j, from + i * 4 + j * fs[1], fs[1], to + i * ts[0] + j * 4, 4, 4);
        }
      return;
    }
  for (int64_t i = 0; i < dims[0]; i += BLOCK)
    for (int64_t j = 0; j < dims[1]; j += BLOCK)
      for (int64_t k = i; k < i + BLOCK && k < dims[0]; k++)
        move_row (dims[1] - j < BLOCK ? dims[1] - j : BLOCK, from + k * fs[0] + j * fs[1], fs[1], to + k * ts[0] + j * ts[1], ts[1], size);
}

void
pare_rt_move (int rank, const int64_t *dims, const void *from, const int64_t *from_strides, void *to, const int64_t *to_strides,
              int64_t size)
{
  int64_t d[2 * PARE_MAX_RANK], fs[2 * PARE_MAX_RANK], ts[2 * PARE_MAX_RANK], index[2 * PARE_MAX_RANK] = { 0 };
  const char *f = from;
  char *t = to;
  int n = 0;
  /* Axes of one element fall away; neighbours that are one run on both sides become one axis. */
  for (int i = 0; i < rank; i++)
    {
      if (dims[i] == 0)
        return;
      if (dims[i] == 1)
        continue;
      if (n > 0 && fs[n - 1] == from_strides[i] * dims[i] && ts[n - 1] == to_strides[i] * dims[i])
        d[n - 1] *= dims[i];
      else
        d[n++] = dims[i];
      fs[n - 1] = from_strides[i];
      ts[n - 1] = to_strides[i];
    }
  int64_t run = n > 1 && fs[n - 1] == size && ts[n - 1] == size ? d[n - 1] * size : 0;
  if (run == 2 || run == 4 || run == 8 || run == 16) /* elements of this size, wherever they lie */
    {
      size = run;
      n--;
    }
  if (n < 2)
    {
      move_row (n == 0 ? 1 : d[0], f, n == 0 ? size : fs[0], t, n == 0 ? size : ts[0], size);
      return;
    }
  /* The axis that is read in order beside the last one, for blocks (any order of axes copies the same elements). */
  for (int i = 0; fs[n - 1] != size && i < n - 2; i++)
    if (fs[i] == size)
      {
        int64_t a = d[i], b = fs[i], c = ts[i];
        for (int k = i; k < n - 2; k++)
          {
            d[k] = d[k + 1];
            fs[k] = fs[k + 1];
            ts[k] = ts[k + 1];
          }
        d[n - 2] = a;
        fs[n - 2] = b;
        ts[n - 2] = c;
        break;
      }
  for (;;)
    {
      move_plane (d + n - 2, f, fs + n - 2, t, ts + n - 2, size);
      int k = n - 3;
      for (; k >= 0; k--)
        {
          f += fs[k];
          t += ts[k];
          if (++index[k] < d[k])
            break;
          f -= d[k] * fs[k];
          t -= d[k] * ts[k];
          index[k] = 0;
        }
      if (k < 0)
        return;
    }
}

void
pare_rt_fill (void *to, int64_t n, const void *value, int64_t size)
{
  if (n > 0)
    move_row (n, value, 0, to, size, size);
}
