/* Depthwise convolutions of bfloat16 by a loop of our own, two rows of results at a time: rows of what they read are paired, so that one
 * instruction multiplies two of them; what a row of results does not need of a pair meets a weight of zero. Channels 16 at a time. Which
 * rows make a pair depends on the image alone, as the order of the sums does. CPUs with a matrix unit take four times as long for that
 * instruction as for a product of floats (measured), and as long for making pairs: there, each element becomes a float once and is
 * multiplied as one by all that read it, which is exact, too. */
#include "engine/accel/pare-accel-amx.h"
#include "engine/accel/pare-accel-bfloats-private.h"

#include <string.h>

#define MOST_KERNEL 5
#define MOST_PAIRS 4 /* of rows that two rows of results read */
#define PRODUCTS 80  /* in a nanosecond, of one thread */

#if defined(__x86_64__) && defined(__GNUC__)
#include "engine/accel/pare-accel-bfloats-lanes.inc.h"

#define WIDE 8 /* results of a row at a time: as many as registers hold beside the weights */

/* One block of channels of two rows. */
typedef struct
{
  const PareBfloatDepthwise *s;
  const uint16_t *rows[2 * MOST_PAIRS]; /* at the first column of the image */
  const uint16_t *weights;
  const float *taps, *factor, *bias;
  void *y[2]; /* the second NULL: there is none */
  int64_t first;
  int64_t channels; /* of the block; what is read beside them is not stored */
} Two;

/* Functions of activation are longer than what stands around them. */
BF16 __attribute__ ((noinline)) static __m512
far_finish (__m512 x, const PareAfter *after, int64_t c, bool wide)
{
  return finish (x, after, c, wide);
}

/* What follows the sums of `count` results of both rows. */
BF16 INLINE void
finish_columns (const Two *t, int64_t ox, __m512 acc[2][WIDE], const int count)
{
  const PareBfloatDepthwise *s = t->s;
  const PareAfter *after = &s->after;
  UNROLL for (int q = 0; q < 2; q++)
  {
    if (!t->y[q])
      continue;
    if (t->factor)
      {
        __m512 factor = LOAD (t->factor), bias = LOAD (t->bias);
        UNROLL for (int o = 0; o < count; o++) acc[q][o] = FMA (acc[q][o], factor, bias);
      }
    if (after->kind == PARE_ACT_CLIP)
      {
        __m512 lo = LOAD (after->lo + t->first), hi = LOAD (after->hi + t->first);
        UNROLL for (int o = 0; o < count; o++) acc[q][o] = SMALLER (hi, LARGER (lo, acc[q][o]));
      }
    else if (after->kind != PARE_ACT_NONE)
      {
        UNROLL for (int o = 0; o < count; o++) acc[q][o] = far_finish (acc[q][o], after, t->first, s->wide);
      }
    const int64_t y_row = s->y_row;
    void *to = (char *)t->y[q] + ox * y_row * (s->wide ? 4 : 2);
    if (t->channels >= LANES)
      {
        UNROLL for (int o = 0; o + 1 < count; o += 2) store_two (to, s->wide, o * y_row, (o + 1) * y_row, acc[q][o], acc[q][o + 1]);
        if (count % 2)
          store (to, s->wide, (count - 1) * y_row, acc[q][count - 1]);
      }
    else
      {
        UNROLL for (int o = 0; o < count; o++) store_some (to, s->wide, o * y_row, acc[q][o], t->channels);
      }
  }
}

/* Results ox..ox + count - 1. The first `left` and the last `right` columns of their windows lie outside; check: perhaps others, too. */
BF16 INLINE void
columns (const Two *t, int64_t ox, const int count, const int kernel, const int stride, const int left, const int right, const bool check)
{
  const PareBfloatDepthwise *s = t->s;
  const int pairs = (kernel + stride + 1) / 2;
  const int64_t column = ox * stride - s->pad[1], x_row = s->x_row;
  const __m512i places = _mm512_add_epi32 (
      _mm512_mullo_epi32 (_mm512_setr_epi32 (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), _mm512_set1_epi32 (0x10001)),
      _mm512_set1_epi32 (0x200000));
  __m512 acc[2][WIDE];
  __m512 begin = t->factor ? _mm512_setzero_ps () : LOAD (t->bias);
  UNROLL for (int o = 0; o < count; o++) acc[0][o] = acc[1][o] = begin;
  UNROLL for (int p = 0; p < pairs; p++)
  {
    const uint16_t *above = t->rows[2 * p] + (column + left) * x_row, *below = t->rows[2 * p + 1] + (column + left) * x_row;
    __m512bh w[2][MOST_KERNEL];
    UNROLL for (int q = 0; q < 2; q++) UNROLL for (int k = 0; k < kernel; k++) w[q][k]
        = (__m512bh)_mm512_load_si512 (t->weights + ((q * pairs + p) * kernel + k) * 2 * LANES);
    /* Where a row of results has a use for one row of the pair only, that is multiplied as floats: the CPU does both side by side. */
    UNROLL for (int q = 0; q < 2; q++) if (2 * p - q * stride == kernel - 1) UNROLL for (int k = 0; k < kernel; k++) w[q][k]
        = (__m512bh)_mm512_slli_epi32 ((__m512i)w[q][k], 16);
    UNROLL for (int c = left; c < (count - 1) * stride + kernel - right; c++, above += x_row, below += x_row)
    {
      OPAQUE (above);
      OPAQUE (below);
      if (check && (column + c < 0 || column + c >= s->in[1]))
        continue;
      __m512i a = _mm512_castsi256_si512 (_mm256_loadu_si256 ((const __m256i *)above)),
              b = _mm512_castsi256_si512 (_mm256_loadu_si256 ((const __m256i *)below));
      __m512i x = _mm512_permutex2var_epi16 (a, places, b);
      __m512 first = _mm512_castsi512_ps (_mm512_slli_epi32 (x, 16)),
             second = _mm512_castsi512_ps (_mm512_and_si512 (x, _mm512_set1_epi32 ((int)0xffff0000)));
      UNROLL for (int q = 0; q < 2; q++) /* of the rows that read this pair */
          if (2 * p + 1 >= q * stride && 2 * p - q * stride < kernel)
              UNROLL for (int o = 0; o < count; o++) if (c >= o * stride && c - o * stride < kernel)
      {
        const __m512bh by = w[q][c - o * stride];
        if (2 * p - q * stride == kernel - 1)
          acc[q][o] = FMA (first, _mm512_castsi512_ps ((__m512i)by), acc[q][o]);
        else if (2 * p + 1 == q * stride)
          acc[q][o] = FMA (second, _mm512_castsi512_ps ((__m512i)by), acc[q][o]);
        else
          acc[q][o] = _mm512_dpbf16_ps (acc[q][o], (__m512bh)x, by);
      }
    }
  }
  finish_columns (t, ox, acc, count);
}

/* The same of columns that are multiplied as floats. */
BF16 INLINE void
float_columns (const Two *t, int64_t ox, const int count, const int kernel, const int stride, const int left, const int right,
               const bool check)
{
  const PareBfloatDepthwise *s = t->s;
  const int64_t column = ox * stride - s->pad[1], x_row = s->x_row;
  __m512 acc[2][WIDE];
  __m512 begin = t->factor ? _mm512_setzero_ps () : LOAD (t->bias);
  UNROLL for (int o = 0; o < count; o++) acc[0][o] = acc[1][o] = begin;
  UNROLL for (int r = 0; r < kernel + stride; r++)
  {
    const uint16_t *x = t->rows[r] + (column + left) * x_row;
    UNROLL for (int c = left; c < (count - 1) * stride + kernel - right; c++, x += x_row)
    {
      OPAQUE (x);
      if (check && (column + c < 0 || column + c >= s->in[1]))
        continue;
      __m512 all = widen (x);
      UNROLL for (int q = 0; q < 2; q++) if (r >= q * stride && r - q * stride < kernel)
          UNROLL for (int o = 0; o < count; o++) if (c >= o * stride && c - o * stride < kernel) acc[q][o]
          = FMA (all, LOAD (t->taps + ((r - q * stride) * kernel + c - o * stride) * LANES), acc[q][o]);
    }
  }
  finish_columns (t, ox, acc, count);
}

#define COLUMNS(NAME, FUNC, N, KERNEL, STRIDE)                                                                                             \
  BF16 static void NAME##N##_##KERNEL##_##STRIDE (const Two *t, int64_t ox)                                                                \
  {                                                                                                                                        \
    int64_t left = t->s->pad[1] - ox * STRIDE, right = ox * STRIDE - t->s->pad[1] + (N - 1) * STRIDE + KERNEL - t->s->in[1];               \
    if (left <= 0 && right <= 0)                                                                                                           \
      FUNC (t, ox, N, KERNEL, STRIDE, 0, 0, false);                                                                                        \
    else if (KERNEL == 3 && left <= 0 && right == 1)                                                                                       \
      FUNC (t, ox, N, KERNEL, STRIDE, 0, 1, false);                                                                                        \
    else if (KERNEL == 3 && left == 1 && right <= 0)                                                                                       \
      FUNC (t, ox, N, KERNEL, STRIDE, 1, 0, false);                                                                                        \
    else if (KERNEL == 3 && left == 1 && right == 1)                                                                                       \
      FUNC (t, ox, N, KERNEL, STRIDE, 1, 1, false);                                                                                        \
    else                                                                                                                                   \
      FUNC (t, ox, N, KERNEL, STRIDE, 0, 0, true);                                                                                         \
  }
#define COLUMNS_8(NAME, FUNC, KERNEL, STRIDE)                                                                                              \
  COLUMNS (NAME, FUNC, 1, KERNEL, STRIDE)                                                                                                  \
  COLUMNS (NAME, FUNC, 2, KERNEL, STRIDE)                                                                                                  \
  COLUMNS (NAME, FUNC, 3, KERNEL, STRIDE)                                                                                                  \
  COLUMNS (NAME, FUNC, 4, KERNEL, STRIDE)                                                                                                  \
  COLUMNS (NAME, FUNC, 5, KERNEL, STRIDE)                                                                                                  \
  COLUMNS (NAME, FUNC, 6, KERNEL, STRIDE)                                                                                                  \
  COLUMNS (NAME, FUNC, 7, KERNEL, STRIDE)                                                                                                  \
  COLUMNS (NAME, FUNC, 8, KERNEL, STRIDE)
/* clang-format off */
COLUMNS_8 (paired, columns, 3, 1) COLUMNS_8 (paired, columns, 3, 2) COLUMNS_8 (paired, columns, 5, 1) COLUMNS_8 (paired, columns, 5, 2)
COLUMNS_8 (single, float_columns, 3, 1) COLUMNS_8 (single, float_columns, 3, 2)
COLUMNS_8 (single, float_columns, 5, 1) COLUMNS_8 (single, float_columns, 5, 2)
_Static_assert (WIDE == 8, "as many of each as NAMES names");
/* clang-format on */
#define NAMES(NAME, KERNEL, STRIDE)                                                                                                        \
  {                                                                                                                                        \
    NAME##1_##KERNEL##_##STRIDE, NAME##2_##KERNEL##_##STRIDE, NAME##3_##KERNEL##_##STRIDE, NAME##4_##KERNEL##_##STRIDE,                    \
        NAME##5_##KERNEL##_##STRIDE, NAME##6_##KERNEL##_##STRIDE, NAME##7_##KERNEL##_##STRIDE, NAME##8_##KERNEL##_##STRIDE                 \
  }

void
pare_accel_two_rows (const PareBfloatDepthwise *s, const uint16_t *x, int64_t oy, void *y)
{
  static void (*const funcs[2][2][2][WIDE]) (const Two *t, int64_t ox)
      = { { { NAMES (paired, 3, 1), NAMES (paired, 3, 2) }, { NAMES (paired, 5, 1), NAMES (paired, 5, 2) } },
          { { NAMES (single, 3, 1), NAMES (single, 3, 2) }, { NAMES (single, 5, 1), NAMES (single, 5, 2) } } };
  int64_t pieces = (s->out[1] + WIDE - 1) / WIDE, size = (s->wide ? 4 : 2), from = oy * s->stride - s->pad[0], at[2 * MOST_PAIRS];
  bool both = oy + 1 < s->out[0];
  for (int k = 0; k < 2 * s->pairs; k++) /* -1: outside, or of no result's window */
    at[k]
        = from + k < 0 || from + k >= s->in[0] || k >= s->kernel + (both ? s->stride : 0) ? -1 : (from + k) % s->ring * s->in[1] * s->x_row;
  for (int64_t first = 0; first < s->channels; first += LANES)
    {
      Two t = { .s = s,
                .weights = s->taps ? NULL : s->weights + first * 2 * s->pairs * s->kernel * 2,
                .taps = s->taps ? s->taps + first * s->kernel * s->kernel : NULL,
                .factor = s->factor ? s->factor + first : NULL,
                .bias = s->bias + first,
                .first = first,
                .channels = s->channels - first };
      for (int k = 0; k < 2 * s->pairs; k++)
        t.rows[k] = at[k] < 0 ? s->zeros : x + first / LANES * s->x_block + at[k];
      t.y[0] = (char *)y + first / LANES * s->y_block * size;
      t.y[1] = both ? (char *)t.y[0] + s->out[1] * s->y_row * size : NULL;
      for (int64_t k = 0, ox = 0; k < pieces; k++) /* about equal ones */
        {
          int64_t to = s->out[1] * (k + 1) / pieces;
          funcs[s->taps != NULL][s->kernel == 5][s->stride - 1][to - ox - 1](&t, ox);
          ox = to;
        }
    }
}
#else
void
pare_accel_two_rows (const PareBfloatDepthwise *s, const uint16_t *x, int64_t oy, void *y)
{
}
#endif

typedef struct
{
  PareBfloatDepthwise depthwise;
  int64_t batch, x_image, y_image;
} Images;

static void
run (const void *params, const PareView *args, int part, int parts)
{
  const Images *s = params;
  const PareBfloatDepthwise *d = &s->depthwise;
  int64_t twos = (d->out[0] + 1) / 2, all = s->batch * twos, begin = all * part / parts, end = all * (part + 1) / parts;
  for (int64_t i = begin; i < end; i++)
    {
      int64_t image = i / twos, oy = i % twos * 2;
      pare_accel_two_rows (d, (const uint16_t *)args[0].data + image * s->x_image, oy,
                           (char *)args[1].data + (image * s->y_image + oy * d->out[1] * d->y_row) * (d->wide ? 4 : 2));
    }
}

/* Weights as they are, tap by tap, vectors of channels filled up to whole blocks. */
static const float *
pack_taps (PareAccel *self, const float *weights, int64_t channels, int64_t area)
{
  float *to = pare_accel_filled (self, pare_accel_whole_blocks (channels) * area, 0);
  for (int64_t c = 0; to && c < channels; c++)
    for (int64_t i = 0; i < area; i++)
      to[(c / PARE_BLOCK * area + i) * PARE_BLOCK + c % PARE_BLOCK] = weights[c * area + i];
  return to;
}

/* Weights by pairs of rows, for both rows of results. */
bool
pare_accel_pack_depthwise_bf16 (PareAccel *self, uint32_t step, const PareFolded *f, PareBfloatDepthwise *s)
{
  const float *weights = pare_accel_constant (self, self->plan->steps[step].in[1]);
  int64_t blocks = (s->channels + PARE_BLOCK - 1) / PARE_BLOCK, per_block = 2 * s->pairs * s->kernel * PARE_BLOCK * 2;
  uint64_t row = (uint64_t)(s->in[1] * s->x_row + PARE_BLOCK) * sizeof (uint16_t);
  uint16_t *zeros = pare_accel_pack (self, row);
  if (!zeros)
    return false;
  memset (zeros, 0, row);
  s->zeros = zeros;
  s->factor = f->factor;
  s->bias = f->bias;
  s->after = f->after;
  if (pare_accel_has_amx ())
    {
      s->taps = pack_taps (self, weights, s->channels, s->kernel * s->kernel);
      return s->taps != NULL;
    }
  uint16_t *to = pare_accel_pack (self, (uint64_t)(blocks * per_block) * sizeof *to);
  if (!to)
    return false;
  memset (to, 0, (size_t)(blocks * per_block) * sizeof *to);
  for (int64_t c = 0; c < s->channels; c++)
    for (int q = 0; q < 2; q++)
      for (int r = 0; r < 2 * s->pairs; r++)
        for (int k = 0; k < s->kernel; k++)
          {
            int tap = r - q * s->stride;
            uint32_t bits = 0;
            if (tap >= 0 && tap < s->kernel)
              memcpy (&bits, weights + (c * s->kernel + tap) * s->kernel + k, sizeof bits);
            to[c / PARE_BLOCK * per_block + (((q * s->pairs + r / 2) * s->kernel + k) * PARE_BLOCK + c % PARE_BLOCK) * 2 + r % 2]
                = (uint16_t)(bits >> 16);
          }
  s->weights = to;
  return true;
}

bool
pare_accel_is_depthwise_bf16 (const PareAccel *self, uint32_t step, PareBfloatDepthwise *s)
{
  const PareRtStep *st = &self->plan->steps[step];
  if (st->op != PARE_RT_CONV || !pare_accel_bfloats () || !pare_accel_is_bf16 (self, step))
    return false;
  const PareConvParams *p = pare_accel_conv_params (self, step);
  const PareShape *sx = &self->plan->values[st->in[0]].shape, *sy = &self->plan->values[st->out[0]].shape;
  PareConvShape shape;
  if (p->spatial != 2 || p->group != sx->dims[1] || sy->dims[1] != sx->dims[1] || !pare_accel_constant (self, st->in[1])
      || pare_accel_operand (st, 3) != PARE_RT_NONE || !pare_accel_after_knows (p->activation)
      || !pare_accel_conv_shape (p, false, sx, &self->plan->values[st->in[1]].shape, sy, &shape))
    return false;
  for (int i = 0; i < 2; i++)
    if ((p->kernel[i] != 3 && p->kernel[i] != 5) || p->kernel[i] != p->kernel[0] || shape.dilation[i] != 1
        || shape.stride[i] != shape.stride[0] || shape.stride[i] > 2)
      return false;
  *s = (PareBfloatDepthwise){ .kernel = p->kernel[0],
                              .stride = (int)shape.stride[0],
                              .pairs = (p->kernel[0] + (int)shape.stride[0] + 1) / 2,
                              .channels = sx->dims[1],
                              .in = { sx->dims[2], sx->dims[3] },
                              .out = { sy->dims[2], sy->dims[3] },
                              .pad = { shape.pad_begin[0], shape.pad_begin[1] },
                              .ring = sx->dims[2] };
  return true;
}

bool
pare_accel_depthwise_bf16 (PareAccel *self, uint32_t step)
{
  const PareRtStep *st = &self->plan->steps[step];
  uint32_t x = st->in[0];
  const PareShape *sx = &self->plan->values[x].shape, *sy = &self->plan->values[st->out[0]].shape;
  Images s;
  PareBfloatDepthwise *d = &s.depthwise;
  PareFolded f;
  if (!pare_accel_is_depthwise_bf16 (self, step, d) || !pare_accel_fold (self, step, &f))
    return false;
  PareAccelResult result = pare_accel_result (self, f.y);
  const PareMd *blocks = pare_md_new_blocks (self->mds, dnnl_bf16, sx->rank, sx->dims);
  int64_t channels = d->channels, in = d->in[0] * d->in[1], out = d->out[0] * d->out[1];
  bool blocked = blocks && channels % PARE_BLOCK == 0 && pare_accel_native_any (self, x) == blocks;
  const PareMd *src = blocked ? blocks : pare_md_new_channels_last (self->mds, dnnl_bf16, sx->rank, sx->dims);
  const PareMd *dst = blocked ? pare_md_new_blocks (self->mds, result.type, sy->rank, sy->dims)
                              : pare_md_new_channels_last (self->mds, result.type, sy->rank, sy->dims);
  d->x_row = d->y_row = blocked ? PARE_BLOCK : channels;
  d->x_block = blocked ? in * PARE_BLOCK : PARE_BLOCK;
  d->y_block = blocked ? out * PARE_BLOCK : PARE_BLOCK;
  d->wide = result.type != dnnl_bf16;
  s.batch = sx->dims[0];
  s.x_image = in * channels;
  s.y_image = out * channels;
  if (!src || !dst || !pare_accel_pack_depthwise_bf16 (self, step, &f, d))
    return false;
  const uint32_t buffers[2] = { pare_accel_form (self, step, x, src), pare_accel_new_form (self, result.value, dst) };
  double ns = (double)(s.batch * out * channels) * d->kernel * d->kernel / PRODUCTS;
  if (!pare_accel_add_work (self, step, run, &s, sizeof s, (uint64_t)(ns * PARE_ACCEL_IN_NS), buffers, 2))
    return false;
  return pare_accel_absorb (self, f.norm) && pare_accel_absorb (self, result.rounds);
}
