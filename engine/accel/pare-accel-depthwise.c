/* Depthwise 3 x 3 convolutions of codes by a loop of our own: oneDNN's multiply one tap at a time, this one four with one instruction.
 * Channels innermost, 64 at a time: three rows of a column of pixels are woven so that the taps of a channel lie side by side; a column
 * serves all windows that it is in. Weaving leaves channels in another order, in which weights, biases and scales are stored; packing the
 * results undoes it. */
#include "engine/accel/pare-accel-private.h"
#include "engine/runtime/kernels/integer.h"

#include <math.h>
#include <string.h>

#define BLOCK 64

typedef struct
{
  const int8_t *weights; /* of each block: column, vector, 16 channels, 4 rows (the last is zero) */
  const int8_t *more;    /* as much again, to be added: of weights that are no bytes; NULL: they are */
  const int32_t *bias;   /* what the zero point comes to is in it */
  const float *scale;
  const float *factor, *offset; /* NULL, or what follows: clipped to clip[0]..clip[1], times, plus */
  float clip[2];
  bool rounds; /* what is clipped */
  int64_t batch, channels, in[2], out[2], pad[2];
  int stride;
  bool signed_x, signed_y;
  uint8_t outside; /* of padding */
  int32_t zero;    /* added to what is rounded */
  float lo, hi;    /* bounds before that */
} Depthwise;

/* Where channel c of a block lies in one of four vectors of 16. */
static int
place_of (int c)
{
  return c % 16 / 4 * 16 + c / 16 * 4 + c % 4;
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define VNNI __attribute__ ((target ("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))

typedef struct
{
  __m512i v[4];
} Column;

/* rows: of this column of pixels, NULL where they lie outside. */
VNNI static inline __attribute__ ((always_inline)) Column
weave (const uint8_t *const rows[3], int64_t at, __mmask64 mask, __m512i outside, __m512i flip)
{
  __m512i a = rows[0] ? _mm512_xor_si512 (_mm512_maskz_loadu_epi8 (mask, rows[0] + at), flip) : outside,
          b = rows[1] ? _mm512_xor_si512 (_mm512_maskz_loadu_epi8 (mask, rows[1] + at), flip) : outside,
          c = rows[2] ? _mm512_xor_si512 (_mm512_maskz_loadu_epi8 (mask, rows[2] + at), flip) : outside, d = _mm512_setzero_si512 ();
  __m512i ab_low = _mm512_unpacklo_epi8 (a, b), ab_high = _mm512_unpackhi_epi8 (a, b), cd_low = _mm512_unpacklo_epi8 (c, d),
          cd_high = _mm512_unpackhi_epi8 (c, d);
  return (Column){ { _mm512_unpacklo_epi16 (ab_low, cd_low), _mm512_unpackhi_epi16 (ab_low, cd_low),
                     _mm512_unpacklo_epi16 (ab_high, cd_high), _mm512_unpackhi_epi16 (ab_high, cd_high) } };
}

/* One row of results, one block of channels. rows: at the first channel of the block, of the first pixel. */
VNNI static inline __attribute__ ((always_inline)) void
row_of_block (const Depthwise *s, const uint8_t *const rows[3], uint8_t *y, int64_t block, __mmask64 mask, const int stride,
              const bool wide)
{
  static const uint8_t *const none[3] = { NULL, NULL, NULL };
  const int8_t *packed = s->weights + block * 12 * 64, *more = wide ? s->more + block * 12 * 64 : NULL;
  const int32_t *bias = s->bias + block * BLOCK;
  const float *scales = s->scale + block * BLOCK, *factors = s->factor ? s->factor + block * BLOCK : NULL,
              *offsets = s->factor ? s->offset + block * BLOCK : NULL;
  __m512i outside = _mm512_set1_epi8 ((char)s->outside), flip = _mm512_set1_epi8 (s->signed_x ? (char)0x80 : 0);
  __m512i zero = _mm512_set1_epi32 (s->zero);
  __m512 lo = _mm512_set1_ps (s->lo), hi = _mm512_set1_ps (s->hi);
  int64_t next = -s->pad[1]; /* the next column of pixels */
  Column a, b, c;
#define NEXT(to)                                                                                                                           \
  do                                                                                                                                       \
    {                                                                                                                                      \
      to = weave (next < 0 || next >= s->in[1] ? none : rows, next * s->channels, mask, outside, flip);                                    \
      next++;                                                                                                                              \
    }                                                                                                                                      \
  while (0)
  NEXT (b);
  c = b;
  if (stride == 1)
    NEXT (c);
  for (int64_t ox = 0; ox < s->out[1]; ox++, y += s->channels)
    {
      a = stride == 1 ? b : c;
      if (stride == 1)
        b = c;
      else
        NEXT (b);
      NEXT (c);
      __m512i sum[4];
      for (int j = 0; j < 4; j++)
        {
          sum[j] = _mm512_load_si512 (bias + j * 16);
          sum[j] = _mm512_dpbusd_epi32 (sum[j], a.v[j], _mm512_load_si512 (packed + j * 64));
          sum[j] = _mm512_dpbusd_epi32 (sum[j], b.v[j], _mm512_load_si512 (packed + (4 + j) * 64));
          sum[j] = _mm512_dpbusd_epi32 (sum[j], c.v[j], _mm512_load_si512 (packed + (8 + j) * 64));
          if (wide)
            {
              sum[j] = _mm512_dpbusd_epi32 (sum[j], a.v[j], _mm512_load_si512 (more + j * 64));
              sum[j] = _mm512_dpbusd_epi32 (sum[j], b.v[j], _mm512_load_si512 (more + (4 + j) * 64));
              sum[j] = _mm512_dpbusd_epi32 (sum[j], c.v[j], _mm512_load_si512 (more + (8 + j) * 64));
            }
          __m512 v = _mm512_mul_ps (_mm512_cvtepi32_ps (sum[j]), _mm512_load_ps (scales + j * 16));
          if (factors)
            {
              v = _mm512_min_ps (_mm512_max_ps (v, _mm512_set1_ps (s->clip[0])), _mm512_set1_ps (s->clip[1]));
              if (s->rounds)
                v = _mm512_roundscale_ps (v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
              v = _mm512_add_ps (_mm512_mul_ps (v, _mm512_load_ps (factors + j * 16)), _mm512_load_ps (offsets + j * 16));
            }
          v = _mm512_min_ps (_mm512_max_ps (v, lo), hi);
          sum[j] = _mm512_add_epi32 (_mm512_cvtps_epi32 (v), zero);
        }
      __m512i low = _mm512_packs_epi32 (sum[0], sum[1]), high = _mm512_packs_epi32 (sum[2], sum[3]);
      _mm512_mask_storeu_epi8 (y, mask, s->signed_y ? _mm512_packs_epi16 (low, high) : _mm512_packus_epi16 (low, high));
    }
#undef NEXT
}

VNNI static void
run (const void *params, const PareView *args, int part, int parts)
{
  const Depthwise *s = params;
  int64_t rows = s->batch * s->out[0], begin = rows * part / parts, end = rows * (part + 1) / parts;
  for (int64_t r = begin; r < end; r++)
    {
      int64_t image = r / s->out[0], from = r % s->out[0] * s->stride - s->pad[0];
      const uint8_t *x = (const uint8_t *)args[0].data + image * s->in[0] * s->in[1] * s->channels, *at[3];
      uint8_t *y = (uint8_t *)args[1].data + r * s->out[1] * s->channels;
      for (int64_t block = 0; block * BLOCK < s->channels; block++)
        {
          int64_t first = block * BLOCK, some = s->channels - first;
          __mmask64 mask = some < BLOCK ? ((__mmask64)1 << some) - 1 : ~(__mmask64)0;
          for (int k = 0; k < 3; k++)
            at[k] = from + k < 0 || from + k >= s->in[0] ? NULL : x + (from + k) * s->in[1] * s->channels + first;
          if (s->stride == 1 && s->more)
            row_of_block (s, at, y + first, block, mask, 1, true);
          else if (s->stride == 1)
            row_of_block (s, at, y + first, block, mask, 1, false);
          else if (s->more)
            row_of_block (s, at, y + first, block, mask, 2, true);
          else
            row_of_block (s, at, y + first, block, mask, 2, false);
        }
    }
}

static bool
can_run (void)
{
  return ((int)dnnl_get_effective_cpu_isa () & dnnl_cpu_isa_avx512_core_vnni) == dnnl_cpu_isa_avx512_core_vnni
         && __builtin_cpu_supports ("avx512vnni") && __builtin_cpu_supports ("avx512bw") && __builtin_cpu_supports ("avx512vl");
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

/* Weights, biases and scales in the order of the loop. False: a sum of bias and products would not be exact, or no memory. */
static bool
pack (PareAccel *self, Depthwise *s, const PareView *weights, const int32_t *bias, const float *scale, const float *affine[2],
      int32_t zero_x)
{
  bool wide = weights->dtype == PARE_DTYPE_INT16;
  int64_t blocks = (s->channels + BLOCK - 1) / BLOCK;
  int8_t *w = pare_accel_pack (self, (uint64_t)blocks * 12 * 64), *more = wide ? pare_accel_pack (self, (uint64_t)blocks * 12 * 64) : NULL;
  int32_t *b = pare_accel_pack (self, (uint64_t)blocks * BLOCK * sizeof *b);
  float *f = pare_accel_pack (self, (uint64_t)blocks * BLOCK * sizeof *f), *times = NULL, *plus = NULL;
  if (!w || !b || !f || (wide && !more))
    return false;
  memset (w, 0, (size_t)(blocks * 12 * 64));
  if (wide)
    memset (more, 0, (size_t)(blocks * 12 * 64));
  memset (b, 0, (size_t)(blocks * BLOCK) * sizeof *b);
  if (affine[0])
    {
      times = pare_accel_pack (self, (uint64_t)blocks * BLOCK * sizeof *times);
      plus = pare_accel_pack (self, (uint64_t)blocks * BLOCK * sizeof *plus);
      if (!times || !plus)
        return false;
      memset (times, 0, (size_t)(blocks * BLOCK) * sizeof *times);
      memset (plus, 0, (size_t)(blocks * BLOCK) * sizeof *plus);
    }
  memset (f, 0, (size_t)(blocks * BLOCK) * sizeof *f);
  for (int64_t c = 0; c < s->channels; c++)
    {
      int64_t block = c / BLOCK, place = place_of ((int)(c % BLOCK));
      int32_t sum = 0, own = bias ? bias[c] : 0;
      if (own > 1 << 24 || own < -(1 << 24))
        return false;
      for (int row = 0; row < 3; row++)
        for (int column = 0; column < 3; column++)
          {
            int32_t tap = code_at (weights, c * 9 + row * 3 + column), byte = tap < -128 ? -128 : tap > 127 ? 127 : tap;
            int64_t at = block * 12 * 64 + column * 4 * 64 + place * 4 + row;
            if (tap - byte < -128 || tap - byte > 127)
              return false;
            w[at] = (int8_t)byte;
            if (wide)
              more[at] = (int8_t)(tap - byte);
            sum += tap;
          }
      b[block * BLOCK + place] = own - sum * (zero_x + (s->signed_x ? 128 : 0));
      f[block * BLOCK + place] = scale[c];
      if (affine[0])
        {
          times[block * BLOCK + place] = affine[0][c];
          plus[block * BLOCK + place] = affine[1][c];
        }
    }
  s->weights = w;
  s->more = more;
  s->bias = b;
  s->scale = f;
  s->factor = times;
  s->offset = plus;
  return true;
}

bool
pare_accel_depthwise_codes (PareAccel *self, uint32_t step, const PareQConvParams *p, const PareConvShape *shape)
{
  const PareRtStep *st = &self->plan->steps[step];
  uint32_t x = st->in[0], y = st->out[0];
  const PareShape *sx = &self->plan->values[x].shape, *sy = &self->plan->values[y].shape;
  if (p->conv.spatial != 2 || p->conv.group != sx->dims[1] || sy->dims[1] != sx->dims[1] || !pare_accel_is_codes (self, y) || !can_run ())
    return false;
  for (int i = 0; i < 2; i++)
    if (p->conv.kernel[i] != 3 || shape->dilation[i] != 1 || shape->stride[i] != shape->stride[0] || shape->stride[i] > 2)
      return false;
  if (st->n_in == 4 && sx->dims[1] * 2 < (sx->dims[1] + BLOCK - 1) / BLOCK * BLOCK) /* most lanes would idle: oneDNN takes 16 at a time */
    return false;
  Depthwise s = { .batch = sx->dims[0],
                  .channels = sx->dims[1],
                  .in = { sx->dims[2], sx->dims[3] },
                  .out = { sy->dims[2], sy->dims[3] },
                  .pad = { shape->pad_begin[0], shape->pad_begin[1] },
                  .stride = (int)shape->stride[0],
                  .signed_x = self->plan->values[x].dtype == PARE_DTYPE_INT8,
                  .signed_y = self->plan->values[y].dtype == PARE_DTYPE_INT8,
                  .zero = p->zero_y,
                  .lo = (float)(p->lo - p->zero_y),
                  .hi = (float)(p->hi - p->zero_y) };
  s.outside = (uint8_t)(p->zero_x + (s.signed_x ? 128 : 0));
  const float *affine[2] = { NULL, NULL };
  for (int i = 0; i < 2 && st->n_in == 6; i++)
    if (!(affine[i] = pare_accel_constant (self, st->in[4 + i])))
      return false;
  s.rounds = p->rounds;
  s.clip[0] = p->conv.activation == PARE_ACT_CLIP ? p->conv.lo : -INFINITY;
  s.clip[1] = p->conv.activation == PARE_ACT_CLIP ? p->conv.hi : INFINITY;
  const PareRtValue *w = &self->plan->values[st->in[1]];
  const PareView weights = { w->dtype, w->shape, (void *)(uintptr_t)pare_accel_constant (self, st->in[1]), NULL };
  const PareMd *src = pare_md_new_channels_last (self->mds, pare_accel_type (self, x), sx->rank, sx->dims),
               *dst = pare_md_new_channels_last (self->mds, pare_accel_type (self, y), sy->rank, sy->dims);
  if (!src || !dst
      || !pack (self, &s, &weights, st->in[2] == PARE_RT_NONE ? NULL : pare_accel_constant (self, st->in[2]),
                pare_accel_constant (self, st->in[3]), affine, p->zero_x))
    return false;
  const uint32_t in = pare_accel_form (self, step, x, src);
  const uint32_t buffers[2] = { in, pare_accel_new_form (self, y, dst) };
  return pare_accel_add_work (self, step, run, &s, sizeof s, pare_md_bytes (dst) * 4, buffers, 2);
}
