/* Depthwise 3 x 3 convolutions of bfloat16 with a normalization behind them, by a loop of our own: oneDNN's takes twice as long with two
 * more post-operations as without (and without, no longer than this one). Channels innermost, 16 at a time: operands are widened as they
 * are read, multiplied and summed up as floats; bias, bounds, factor and offset are applied in registers, and the result is rounded once.
 */
#include "engine/accel/pare-accel-private.h"

#include <math.h>
#include <string.h>

#define LANES 16
#define ROWS 12 /* of packed numbers for 16 channels: taps, bias, factor, offset */
#define WIDE 8  /* results of a row at a time */

typedef struct
{
  const float *packed; /* ROWS * LANES of each block of channels */
  int64_t batch, channels, in[2], out[2], pad[2];
  int stride;
  float lo, hi;
} Depthwise;

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define BF16 __attribute__ ((target ("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
/* The sums are to stay in registers. */
#define UNROLL _Pragma ("GCC unroll 32")
#define INLINE static inline __attribute__ ((always_inline))

BF16 INLINE __m512
widen (const uint16_t *x, __mmask16 mask)
{
  return _mm512_castsi512_ps (_mm512_slli_epi32 (_mm512_cvtepu16_epi32 (_mm256_maskz_loadu_epi16 (mask, x)), 16));
}

/* n results next to each other; column: of the first tap. edge: taps may lie outside. */
BF16 INLINE void
tile (const Depthwise *s, const uint16_t *const rows[3], int64_t column, const float *w, uint16_t *y, __mmask16 mask, const int n,
      const int stride, const bool edge)
{
  __m512 sum[WIDE];
  UNROLL for (int o = 0; o < n; o++) sum[o] = _mm512_load_ps (w + 9 * LANES);
  UNROLL for (int r = 0; r < 3; r++)
  {
    if (!rows[r])
      continue;
    __m512 tap[3]
        = { _mm512_load_ps (w + r * 3 * LANES), _mm512_load_ps (w + (r * 3 + 1) * LANES), _mm512_load_ps (w + (r * 3 + 2) * LANES) };
    UNROLL for (int c = 0; c < (n - 1) * stride + 3; c++)
    {
      if (edge && (column + c < 0 || column + c >= s->in[1]))
        continue;
      __m512 x = widen (rows[r] + (column + c) * s->channels, mask);
      UNROLL for (int o = 0; o < n; o++) if (c - o * stride >= 0 && c - o * stride < 3) sum[o]
          = _mm512_fmadd_ps (x, tap[c - o * stride], sum[o]);
    }
  }
  UNROLL for (int o = 0; o < n; o++)
  {
    __m512 v = _mm512_min_ps (_mm512_max_ps (sum[o], _mm512_set1_ps (s->lo)), _mm512_set1_ps (s->hi));
    v = _mm512_add_ps (_mm512_mul_ps (v, _mm512_load_ps (w + 10 * LANES)), _mm512_load_ps (w + 11 * LANES));
    _mm256_mask_storeu_epi16 (y + o * s->channels, mask, (__m256i)_mm512_cvtneps_pbh (v));
  }
}

BF16 INLINE void
row_of_block (const Depthwise *s, const uint16_t *const rows[3], const float *w, uint16_t *y, __mmask16 mask, const int stride)
{
  int64_t ox = 0, left;
  for (; (left = s->out[1] - ox) > 0; ox += left >= WIDE ? WIDE : left >= 4 ? 4 : 1)
    {
      int64_t column = ox * stride - s->pad[1];
      bool inside = column >= 0 && column + (WIDE - 1) * stride + 3 <= s->in[1];
      uint16_t *to = y + ox * s->channels;
      if (left >= WIDE && inside)
        tile (s, rows, column, w, to, mask, WIDE, stride, false);
      else if (left >= WIDE)
        tile (s, rows, column, w, to, mask, WIDE, stride, true);
      else if (left >= 4)
        tile (s, rows, column, w, to, mask, 4, stride, true);
      else
        tile (s, rows, column, w, to, mask, 1, stride, true);
    }
}

BF16 static void
run (const void *params, const PareView *args, int part, int parts)
{
  const Depthwise *s = params;
  int64_t all = s->batch * s->out[0], begin = all * part / parts, end = all * (part + 1) / parts;
  for (int64_t r = begin; r < end; r++)
    {
      int64_t image = r / s->out[0], from = r % s->out[0] * s->stride - s->pad[0];
      const uint16_t *x = (const uint16_t *)args[0].data + image * s->in[0] * s->in[1] * s->channels, *at[3];
      uint16_t *y = (uint16_t *)args[1].data + r * s->out[1] * s->channels;
      for (int64_t first = 0; first < s->channels; first += LANES)
        {
          int64_t some = s->channels - first;
          __mmask16 mask = some < LANES ? (__mmask16)((1u << some) - 1) : (__mmask16)0xffff;
          const float *w = s->packed + first * ROWS;
          for (int k = 0; k < 3; k++)
            at[k] = from + k < 0 || from + k >= s->in[0] ? NULL : x + (from + k) * s->in[1] * s->channels + first;
          if (s->stride == 1)
            row_of_block (s, at, w, y + first, mask, 1);
          else
            row_of_block (s, at, w, y + first, mask, 2);
        }
    }
}

static bool
can_run (void)
{
  return pare_accel_has_bf16 () && __builtin_cpu_supports ("avx512bf16") && __builtin_cpu_supports ("avx512bw")
         && __builtin_cpu_supports ("avx512vl");
}
#else
static void
run (const void *params, const PareView *args, int part, int parts)
{
}

static bool
can_run (void)
{
  return false;
}
#endif

static bool
pack (PareAccel *self, Depthwise *s, const float *weights, const float *bias, const float *factor, const float *offset)
{
  int64_t blocks = (s->channels + LANES - 1) / LANES;
  uint64_t bytes = (uint64_t)blocks * ROWS * LANES * sizeof (float);
  float *to = pare_accel_pack (self, bytes);
  if (!to)
    return false;
  memset (to, 0, bytes);
  for (int64_t c = 0; c < s->channels; c++)
    {
      float *at = to + c / LANES * ROWS * LANES + c % LANES;
      for (int k = 0; k < 9; k++)
        at[k * LANES] = weights[c * 9 + k];
      at[9 * LANES] = bias ? bias[c] : 0;
      at[10 * LANES] = factor[c];
      at[11 * LANES] = offset[c];
    }
  s->packed = to;
  return true;
}

bool
pare_accel_depthwise_bf16 (PareAccel *self, uint32_t step)
{
  const PareRtStep *st = &self->plan->steps[step];
  const PareConvParams *p = (const PareConvParams *)(self->plan->params + st->params);
  uint32_t x = st->in[0], w = st->in[1], b = st->n_in > 2 ? st->in[2] : PARE_RT_NONE, y = st->out[0];
  const PareShape *sx = &self->plan->values[x].shape, *sy = &self->plan->values[y].shape;
  const float *weights = pare_accel_constant (self, w), *bias = b == PARE_RT_NONE ? NULL : pare_accel_constant (self, b);
  PareConvShape shape;
  if (st->op != PARE_RT_CONV || !can_run () || p->spatial != 2 || p->group != sx->dims[1] || sy->dims[1] != sx->dims[1] || !weights
      || (b != PARE_RT_NONE && !bias) || (st->n_in > 3 && st->in[3] != PARE_RT_NONE)
      || (p->activation != PARE_ACT_NONE && p->activation != PARE_ACT_CLIP)
      || !pare_accel_conv_shape (p, false, sx, &self->plan->values[w].shape, sy, &shape))
    return false;
  for (int i = 0; i < 2; i++)
    if (p->kernel[i] != 3 || shape.dilation[i] != 1 || shape.stride[i] != shape.stride[0] || shape.stride[i] > 2)
      return false;
  Depthwise s = { .batch = sx->dims[0],
                  .channels = sx->dims[1],
                  .in = { sx->dims[2], sx->dims[3] },
                  .out = { sy->dims[2], sy->dims[3] },
                  .pad = { shape.pad_begin[0], shape.pad_begin[1] },
                  .stride = (int)shape.stride[0],
                  .lo = p->activation == PARE_ACT_CLIP ? p->lo : -INFINITY,
                  .hi = p->activation == PARE_ACT_CLIP ? p->hi : INFINITY };
  const PareMd *vector;
  uint32_t affine[2], norm = pare_accel_only_reader (self, y);
  if (norm == PARE_RT_NONE || self->plan->steps[norm].in[0] != y || !pare_accel_affine (self, norm, &vector, affine))
    return false;
  PareAccelResult result = pare_accel_result (self, self->plan->steps[norm].out[0]);
  if (result.type != dnnl_bf16)
    return false;
  const PareMd *src = pare_md_new_channels_last (self->mds, dnnl_bf16, sx->rank, sx->dims),
               *dst = pare_md_new_channels_last (self->mds, dnnl_bf16, sy->rank, sy->dims);
  if (!src || !dst || !pack (self, &s, weights, bias, self->buffers[affine[0]].fixed, self->buffers[affine[1]].fixed))
    return false;
  const uint32_t in = pare_accel_form (self, step, x, src);
  const uint32_t buffers[2] = { in, pare_accel_new_form (self, result.value, dst) };
  if (!pare_accel_add_work (self, step, run, &s, sizeof s, pare_md_bytes (dst) * 4, buffers, 2))
    return false;
  return pare_accel_absorb (self, norm) && pare_accel_absorb (self, result.rounds);
}
