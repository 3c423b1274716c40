#include "engine/accel/pare-accel-code-tiles.h"

#include <dnnl.h>
#include <string.h>

void
pare_accel_tile_block (const PareTileConv *s, int block, int *first, int *n)
{
  int least = s->vectors / s->blocks, more = s->vectors % s->blocks;
  *first = block * least + (block < more ? block : more);
  *n = least + (block < more);
}

/* Threads share what is larger: pixels, or channels where weights are most of what is read. */
PareTileShare
pare_accel_tile_share (const PareTileConv *s, int part, int parts)
{
  int64_t taps = s->k[0] * s->k[1], pixels = s->images * s->out[0] * s->out[1];
  if (parts > 1 && s->blocks >= parts && taps * s->c * s->m > s->images * s->in[0] * s->in[1] * s->c)
    return (PareTileShare){ 0, pixels, s->blocks * part / parts, s->blocks * (part + 1) / parts };
  return (PareTileShare){ pixels * part / parts, pixels * (part + 1) / parts, 0, s->blocks };
}

#if defined(__x86_64__) && defined(__GNUC__)
#include "engine/accel/pare-accel-code-after.inc.h"

/* Sums of products are variables with names, since the compiler keeps arrays of them in memory: DO_n (X) is X for each of n rows, X_n is X
 * of a row of n vectors. */
#define DO_1(X) X (0)
#define DO_2(X) DO_1 (X) X (1)
#define DO_3(X) DO_2 (X) X (2)
#define DO_4(X) DO_3 (X) X (3)
#define DO_5(X) DO_4 (X) X (4)
#define DO_6(X) DO_5 (X) X (5)
#define DO_7(X) DO_6 (X) X (6)
#define DO_8(X) DO_7 (X) X (7)
#define DO_9(X) DO_8 (X) X (8)
#define DO_10(X) DO_9 (X) X (9)
#define DO_11(X) DO_10 (X) X (10)
#define DO_12(X) DO_11 (X) X (11)
#define BEGIN(r, v) __m512i sum##r##_##v = start (s, t, r, v);
#define BEGIN_1(r) BEGIN (r, 0)
#define BEGIN_2(r) BEGIN_1 (r) BEGIN (r, 1)
#define BEGIN_3(r) BEGIN_2 (r) BEGIN (r, 2)
#define BEGIN_4(r) BEGIN_3 (r) BEGIN (r, 3)
#define PLACE(r) const uint8_t *x##r = at[r];
#define WEIGHT_1 __m512i w0 = _mm512_load_si512 (w);
#define WEIGHT_2 WEIGHT_1 __m512i w1 = _mm512_load_si512 (w + 64);
#define WEIGHT_3 WEIGHT_2 __m512i w2 = _mm512_load_si512 (w + 128);
#define WEIGHT_4 WEIGHT_3 __m512i w3 = _mm512_load_si512 (w + 192);
#define CODES(r) __m512i codes = _mm512_xor_si512 (_mm512_set1_epi32 (four_at (x##r + i)), flip);
#define FETCH_1 (void)next; /* loads are what one vector waits for */
#define FETCH_2                                                                                                                            \
  __builtin_prefetch (next, 0, 2);                                                                                                         \
  next += t->apart;
#define FETCH_3 FETCH_2
#define FETCH_4 FETCH_2
#define PRODUCT(r, v) sum##r##_##v = _mm512_dpbusd_epi32 (sum##r##_##v, codes, w##v);
#define STEP_1(r)                                                                                                                          \
  {                                                                                                                                        \
    CODES (r) PRODUCT (r, 0)                                                                                                               \
  }
#define STEP_2(r)                                                                                                                          \
  {                                                                                                                                        \
    CODES (r) PRODUCT (r, 0) PRODUCT (r, 1)                                                                                                \
  }
#define STEP_3(r)                                                                                                                          \
  {                                                                                                                                        \
    CODES (r) PRODUCT (r, 0) PRODUCT (r, 1) PRODUCT (r, 2)                                                                                 \
  }
#define STEP_4(r)                                                                                                                          \
  {                                                                                                                                        \
    CODES (r) PRODUCT (r, 0) PRODUCT (r, 1) PRODUCT (r, 2) PRODUCT (r, 3)                                                                  \
  }
#define END(r, v) sum[r][v] = sum##r##_##v;
#define END_1(r) END (r, 0)
#define END_2(r) END_1 (r) END (r, 1)
#define END_3(r) END_2 (r) END (r, 2)
#define END_4(r) END_3 (r) END (r, 3)

#define SCALE_1 __m512 f0 = _mm512_loadu_ps (s->scale + t->channel);
#define SCALE_2 SCALE_1 __m512 f1 = _mm512_loadu_ps (s->scale + t->channel + 16);
#define SCALE_3 SCALE_2 __m512 f2 = _mm512_loadu_ps (s->scale + t->channel + 32);
#define SCALE_4 SCALE_3 __m512 f3 = _mm512_loadu_ps (s->scale + t->channel + 48);
#define Q(r, v) _mm512_cvtps_epi32 (_mm512_mul_ps (_mm512_cvtepi32_ps (sum##r##_##v), f##v))
#define OUT_1(r) plain (Q (r, 0), none, none, none, zero, t->y + r * s->y_pixel, t->mask, 1);
#define OUT_2(r) plain (Q (r, 0), Q (r, 1), none, none, zero, t->y + r * s->y_pixel, t->mask, 2);
#define OUT_3(r) plain (Q (r, 0), Q (r, 1), Q (r, 2), none, zero, t->y + r * s->y_pixel, t->mask, 3);
#define OUT_4(r) plain (Q (r, 0), Q (r, 1), Q (r, 2), Q (r, 3), zero, t->y + r * s->y_pixel, t->mask, 4);
#define F(r, v) _mm512_mul_ps (_mm512_cvtepi32_ps (sum##r##_##v), f##v)
#define SUM_1(r) added (F (r, 0), nothing, nothing, nothing, s, t, r, 1);
#define SUM_2(r) added (F (r, 0), F (r, 1), nothing, nothing, s, t, r, 2);
#define SUM_3(r) added (F (r, 0), F (r, 1), F (r, 2), nothing, s, t, r, 3);
#define SUM_4(r) added (F (r, 0), F (r, 1), F (r, 2), F (r, 3), s, t, r, 4);
#define RELAY_1(r) relay (F (r, 0), nothing, nothing, nothing, s, t, r, 1);
#define RELAY_2(r) relay (F (r, 0), F (r, 1), nothing, nothing, s, t, r, 2);
#define RELAY_3(r) relay (F (r, 0), F (r, 1), F (r, 2), nothing, s, t, r, 3);
#define RELAY_4(r) relay (F (r, 0), F (r, 1), F (r, 2), F (r, 3), s, t, r, 4);

VNNI INLINE __m512i
start (const PareTileConv *s, const Tile *t, int r, int v)
{
  __m512i init = _mm512_loadu_si512 (s->init + t->channel + v * 16);
  if (!s->shift)
    return init;
  __m512i shift = _mm512_loadu_si512 (s->shift + t->channel + v * 16);
  return _mm512_add_epi32 (init, _mm512_mullo_epi32 (shift, _mm512_set1_epi32 (t->sums[r])));
}

INLINE int32_t
four_at (const uint8_t *x)
{
  int32_t four;
  memcpy (&four, x, sizeof four);
  return four;
}

#define TILE(rows, nv)                                                                                                                     \
  VNNI static void tile_##rows##_##nv (const PareTileConv *s, const Tile *t)                                                               \
  {                                                                                                                                        \
    DO_##rows (BEGIN_##nv) const int8_t *w = t->w;                                                                                         \
    const char *next = t->next;                                                                                                            \
    const uint8_t *const *at = t->at;                                                                                                      \
    __m512i flip = _mm512_set1_epi8 (s->signed_x ? (char)0x80 : 0), sum[rows][4];                                                          \
    int64_t taps = s->k[0] * s->k[1], bytes = s->steps * 4;                                                                                \
    for (int64_t tap = 0; tap < taps; tap++, at += t->ld)                                                                                  \
      {                                                                                                                                    \
        DO_##rows (PLACE) for (int64_t i = 0; i < bytes; i += 4, w += nv * 64)                                                             \
        {                                                                                                                                  \
          WEIGHT_##nv FETCH_##nv DO_##rows (STEP_##nv)                                                                                     \
        }                                                                                                                                  \
      }                                                                                                                                    \
    if (s->result == PARE_TILE_PLAIN)                                                                                                      \
      {                                                                                                                                    \
        SCALE_##nv __m512i zero = _mm512_set1_epi16 ((int16_t)s->zero);                                                                    \
        DO_##rows (OUT_##nv) return;                                                                                                       \
      }                                                                                                                                    \
    if (s->result == PARE_TILE_ADDED && !s->bias)                                                                                          \
      {                                                                                                                                    \
        SCALE_##nv DO_##rows (SUM_##nv) return;                                                                                            \
      }                                                                                                                                    \
    if (s->result == PARE_TILE_TWICE)                                                                                                      \
      {                                                                                                                                    \
        SCALE_##nv DO_##rows (RELAY_##nv) return;                                                                                          \
      }                                                                                                                                    \
    DO_##rows (END_##nv) finish_##nv (s, t, (const __m512i (*)[4])sum, rows);                                                              \
  }
#define TO_6(nv) TILE (1, nv) TILE (2, nv) TILE (3, nv) TILE (4, nv) TILE (5, nv) TILE (6, nv)
#define TO_8(nv) TO_6 (nv) TILE (7, nv) TILE (8, nv)
#define TO_12(nv) TO_8 (nv) TILE (9, nv) TILE (10, nv) TILE (11, nv) TILE (12, nv)
TO_12 (1)
TO_8 (2)
TO_8 (3)
TO_6 (4)
#define NAMES_6(nv) tile_1_##nv, tile_2_##nv, tile_3_##nv, tile_4_##nv, tile_5_##nv, tile_6_##nv
#define NAMES_8(nv) NAMES_6 (nv), tile_7_##nv, tile_8_##nv
static void (*const tiles[4][12]) (const PareTileConv *, const Tile *)
    = { { NAMES_8 (1), tile_9_1, tile_10_1, tile_11_1, tile_12_1 }, { NAMES_8 (2) }, { NAMES_8 (3) }, { NAMES_6 (4) } };
static const int most_rows[4] = { 12, 8, 8, 6 };

/* Sums that are still to be added to another operand and stored, bytes that packing with saturation bounds. That takes half as long as the
 * products of few channels and other units of the CPU: it is done row by row among the products of the next tile, which has a row less, for
 * the registers. */
#define LATE_ROWS 5
typedef struct
{
  __m512i sum[LATE_ROWS][4];
  const float *scale;
  uint8_t *y;
  const uint8_t *other;
  int64_t rows;
} Pending;

static bool
may_be_late (const PareTileConv *s)
{
  return s->result == PARE_TILE_ADDED && !s->bias && !s->signed_other && !s->signed_y && s->add.lo <= 0 && s->add.hi >= 255;
}

VNNI INLINE __m512i
late_sum (const PareTileConv *s, const Pending *p, int64_t r, int v, const bool own_is_b)
{
  __m512 own = _mm512_mul_ps (_mm512_cvtepi32_ps (p->sum[r][v]), _mm512_loadu_ps (p->scale + v * 16));
  own = _mm512_min_ps (_mm512_max_ps (own, _mm512_set1_ps (s->least)), _mm512_set1_ps (s->most));
  own = _mm512_roundscale_ps (own, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  own = _mm512_add_ps (own, _mm512_set1_ps ((float)s->zero));
  __m512 other = _mm512_cvtepi32_ps (
      _mm512_cvtepu8_epi32 (_mm_loadu_si128 ((const __m128i *)(const void *)(p->other + r * s->other_pixel + v * 16))));
  __m512 ra = _mm512_set1_ps (s->add.ratio_a), rb = _mm512_set1_ps (s->add.ratio_b), fixed = _mm512_set1_ps (s->add.fixed);
  return _mm512_cvtps_epi32 (own_is_b ? _mm512_fmadd_ps (own, rb, _mm512_fmadd_ps (other, ra, fixed))
                                      : _mm512_fmadd_ps (other, rb, _mm512_fmadd_ps (own, ra, fixed)));
}

VNNI INLINE void
finish_late (const PareTileConv *s, const Pending *p, int64_t r, const bool own_is_b)
{
  __asm__ volatile("" : "+r"(s), "+r"(p)); /* or what it needs would be kept in registers, which belong to the products */
  __m512i low = _mm512_packs_epi32 (late_sum (s, p, r, 0, own_is_b), late_sum (s, p, r, 1, own_is_b)),
          high = _mm512_packs_epi32 (late_sum (s, p, r, 2, own_is_b), late_sum (s, p, r, 3, own_is_b));
  const __m512i order = _mm512_setr_epi32 (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  _mm512_storeu_si512 (p->y + r * s->y_pixel, _mm512_permutexvar_epi32 (order, _mm512_packus_epi16 (low, high)));
}

#define LATE(n, own_is_b)                                                                                                                  \
  VNNI static void late_##n##_##own_is_b (const PareTileConv *s, const Tile *t, Pending *p)                                                \
  {                                                                                                                                        \
    DO_##n (BEGIN_4) const int8_t *w = t->w;                                                                                               \
    const char *next = t->next;                                                                                                            \
    const uint8_t *const *at = t->at;                                                                                                      \
    __m512i flip = _mm512_set1_epi8 (s->signed_x ? (char)0x80 : 0), (*sum)[4] = p->sum;                                                    \
    int64_t taps = s->k[0] * s->k[1], bytes = s->steps * 4, late = 0, rows = p->rows;                                                      \
    for (int64_t tap = 0; tap < taps; tap++, at += t->ld)                                                                                  \
      {                                                                                                                                    \
        DO_##n (PLACE) for (int64_t i = 0; i < bytes; i += 4, w += 4 * 64)                                                                 \
        {                                                                                                                                  \
          WEIGHT_4 FETCH_4 DO_##n (STEP_4) if (late < rows && (i & 4)) finish_late (s, p, late++, own_is_b);                               \
        }                                                                                                                                  \
      }                                                                                                                                    \
    while (late < rows)                                                                                                                    \
      finish_late (s, p, late++, own_is_b);                                                                                                \
    DO_##n (END_4) p->scale = s->scale + t->channel;                                                                                       \
    p->y = t->y;                                                                                                                           \
    p->other = t->other;                                                                                                                   \
    p->rows = n;                                                                                                                           \
  }
#define LATES(own_is_b) LATE (1, own_is_b) LATE (2, own_is_b) LATE (3, own_is_b) LATE (4, own_is_b) LATE (5, own_is_b)
LATES (0)
LATES (1)
static void (*const late_tiles[2][LATE_ROWS]) (const PareTileConv *, const Tile *, Pending *)
    = { { late_1_0, late_2_0, late_3_0, late_4_0, late_5_0 }, { late_1_1, late_2_1, late_3_1, late_4_1, late_5_1 } };

/* The sum of a window's codes, as they are multiplied. */
VNNI static int32_t
sum_window (const PareTileConv *s, const uint8_t *const *at, int64_t ld, int64_t taps)
{
  __m512i ones = _mm512_set1_epi8 (1), sum = _mm512_setzero_si512 (), flip = _mm512_set1_epi8 (s->signed_x ? (char)0x80 : 0);
  for (int64_t t = 0; t < taps; t++, at += ld)
    for (int64_t i = 0; i < s->c; i += 64)
      {
        __mmask64 rest = s->c - i < 64 ? ((__mmask64)1 << (s->c - i)) - 1 : ~(__mmask64)0;
        __m512i codes = _mm512_maskz_loadu_epi8 (rest, *at + i);
        sum = _mm512_dpbusd_epi32 (sum, _mm512_maskz_mov_epi8 (rest, _mm512_xor_si512 (codes, flip)), ones);
      }
  return _mm512_reduce_add_epi32 (sum);
}

/* from + i * step for i < n. */
VNNI INLINE void
count_up (const uint8_t **to, const uint8_t *from, int64_t step, int64_t n)
{
  __m512i at = _mm512_add_epi64 (_mm512_set1_epi64 ((long long)(uintptr_t)from),
                                 _mm512_mullo_epi64 (_mm512_set1_epi64 (step), _mm512_setr_epi64 (0, 1, 2, 3, 4, 5, 6, 7))),
          more = _mm512_set1_epi64 (8 * step);
  for (int64_t i = 0; i < n; i += 8, at = _mm512_add_epi64 (at, more))
    if (n - i >= 8)
      _mm512_storeu_si512 (to + i, at);
    else
      _mm512_mask_storeu_epi64 (to + i, (__mmask8)((1 << (n - i)) - 1), at);
}

/* A run of pixels of one row at a time. */
VNNI void
pare_accel_tile_windows (const PareTileConv *s, const uint8_t *x, int64_t first, int64_t n, const uint8_t **at)
{
  int64_t row = first / s->out[1], ox = first % s->out[1], run;
  for (int64_t i = 0; i < n; i += run, row++, ox = 0)
    {
      const uint8_t *image = x + row / s->out[0] * s->x_image, **to = at + i;
      int64_t oy = row % s->out[0];
      run = s->out[1] - ox < n - i ? s->out[1] - ox : n - i;
      for (int64_t ky = 0; ky < s->k[0]; ky++)
        {
          int64_t y = oy * s->stride[0] - s->pad[0] + ky * s->dilation[0];
          bool inside = y >= 0 && y < s->in[0];
          for (int64_t kx = 0; kx < s->k[1]; kx++, to += n)
            {
              int64_t column = ox * s->stride[1] - s->pad[1] + kx * s->dilation[1], left = 0, right = run;
              if (!inside)
                right = 0;
              for (; left < right && column + left * s->stride[1] < 0; left++)
                to[left] = s->outside;
              for (; right > left && column + (right - 1) * s->stride[1] >= s->in[1]; right--)
                ;
              for (int64_t r = right; r < run; r++)
                to[r] = s->outside;
              count_up (to + left, image + y * s->x_row + (column + left * s->stride[1]) * s->x_pixel, s->stride[1] * s->x_pixel,
                        right - left);
            }
        }
    }
}

/* Pixels first..first+n-1 (a chunk), blocks of channels from..to-1. */
static void
run_chunk (const PareTileConv *s, const PareView *args, int64_t first, int64_t n, int from, int to, Pending *pending)
{
  const uint8_t *at[PARE_TILE_TABLE];
  int32_t sums[PARE_TILE_PIXELS];
  int64_t taps = s->k[0] * s->k[1], terms = s->terms;
  pare_accel_tile_windows (s, args[0].data, first, n, at);
  for (int64_t i = 0; i < n && s->shift; i++)
    sums[i] = sum_window (s, at + i, n, taps);
  int64_t size = s->result == PARE_TILE_FLOATS ? 4 : 1;
  for (int block = from; block < to; block++)
    {
      int vector, nv, next, next_nv = 0;
      pare_accel_tile_block (s, block, &vector, &nv);
      if (block + 1 < to)
        pare_accel_tile_block (s, block + 1, &next, &next_nv);
      int64_t channel = vector * 16, some = s->m - channel < nv * 16 ? s->m - channel : nv * 16;
      Tile t = {
        .ld = n, .w = s->weights + vector * 64 * terms, .channel = channel, .mask = some < 64 ? ((__mmask64)1 << some) - 1 : ~(__mmask64)0
      };
      bool late = nv == 4 && some == 64 && may_be_late (s);
      int64_t most = late ? LATE_ROWS : most_rows[nv - 1], count = (n + most - 1) / most;
      t.next = (const char *)t.w + nv * 64 * terms;
      t.apart = (next_nv * 64 + count - 1) / count;
      for (int64_t i = 0, p = 0; i < count; i++, t.next += t.apart * terms)
        {
          int64_t rows = n / count + (i < n % count);
          t.at = at + p;
          t.sums = sums + p;
          t.y = (uint8_t *)args[1].data + s->y_first + (first + p) * s->y_pixel + channel * size;
          if (s->result == PARE_TILE_ADDED)
            t.other = (const uint8_t *)args[2].data + (first + p) * s->other_pixel + channel;
          if (late)
            late_tiles[s->own_is_b][rows - 1](s, &t, pending);
          else
            tiles[nv - 1][rows - 1](s, &t);
          p += rows;
        }
    }
}

VNNI static void
run (const void *params, const PareView *args, int part, int parts)
{
  const PareTileConv *s = params;
  PareTileShare share = pare_accel_tile_share (s, part, parts);
  Pending pending;
  pending.rows = 0;
  if (s->wakes)
    pare_accel_wake_begin ();
  int64_t all = share.end - share.begin, chunks = (all + s->chunk - 1) / s->chunk;
  for (int64_t i = 0; i < chunks; i++)
    {
      int64_t a = share.begin + all * i / chunks, b = share.begin + all * (i + 1) / chunks;
      if (s->wakes)
        pare_accel_wake ();
      run_chunk (s, args, a, b - a, share.from, share.to, &pending);
    }
  for (int64_t r = 0; r < pending.rows; r++)
    finish_late (s, &pending, r, s->own_is_b);
  if (s->wakes)
    pare_accel_wake_end ();
}

static void
frame (const void *params, const PareView *args, int part, int parts)
{
  const PareTileFrame *s = params;
  int64_t wide = s->begin + s->row + s->end, all = s->above + s->image_rows + s->below, count = s->rows / s->image_rows * all;
  if (part == parts - 1)
    memset ((uint8_t *)args[1].data + count * wide, s->fill, (size_t)s->last);
  for (int64_t i = count * part / parts; i < count * (part + 1) / parts; i++)
    {
      uint8_t *y = (uint8_t *)args[1].data + (i % s->planes * (count / s->planes) + i / s->planes) * wide;
      int64_t row = i % all - s->above;
      if (row < 0 || row >= s->image_rows)
        {
          memset (y, s->fill, (size_t)wide);
          continue;
        }
      memset (y, s->fill, (size_t)s->begin);
      memcpy (y + s->begin, (const uint8_t *)args[0].data + (i / all * s->image_rows + row) * s->row, (size_t)s->row);
      memset (y + s->begin + s->row, s->fill, (size_t)s->end);
    }
}

PareAccelLoop
pare_accel_loop_frame (void)
{
  return frame;
}

PareAccelLoop
pare_accel_loop_tiles (void)
{
  return ((int)dnnl_get_effective_cpu_isa () & dnnl_cpu_isa_avx512_core_vnni) == dnnl_cpu_isa_avx512_core_vnni
                 && __builtin_cpu_supports ("avx512vnni") && __builtin_cpu_supports ("avx512bw") && __builtin_cpu_supports ("avx512vl")
             ? run
             : NULL;
}
#else
PareAccelLoop
pare_accel_loop_frame (void)
{
  return NULL;
}

PareAccelLoop
pare_accel_loop_tiles (void)
{
  return NULL;
}
#endif
