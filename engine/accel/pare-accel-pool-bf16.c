/* Pooling of bfloat16 whose pixels lie whole, channels side by side or in blocks: the largest of windows, first of rows of pixels, then of
 * columns, and the average of an image. Of few channels oneDNN takes as long as for a vector of them, and what is flattened next it leaves
 * to a reorder. */
#include "engine/accel/pare-accel-bfloats-private.h"

#include <string.h>

#define SUMMED 10   /* elements in a nanosecond, of one thread */
#define COMPARED 30 /* the same */

typedef struct
{
  int64_t images, channels; /* of a pixel: blocks are images of their own */
  int64_t in[2], out[2], kernel[2], stride[2], pad[2];
  int64_t y_pixel, y_channel; /* elements from one to the next */
  int64_t y_image;
  bool wide;
} Pool;

#if defined(__x86_64__) && defined(__GNUC__)
#include "engine/accel/pare-accel-bfloats-lanes.inc.h"

#define SHORTS 32 /* in a vector */

/* Integers in the order of what they stand for, and back. */
BF16 INLINE __m512i
ordered (__m512i x)
{
  return _mm512_xor_si512 (x, _mm512_and_si512 (_mm512_srai_epi16 (x, 15), _mm512_set1_epi16 (0x7fff)));
}

BF16 INLINE __m512i
load_shorts (const uint16_t *x, int64_t n)
{
  return n >= SHORTS ? _mm512_loadu_si512 (x) : _mm512_maskz_loadu_epi16 ((__mmask32)((1u << n) - 1), x);
}

BF16 INLINE void
store_shorts (uint16_t *to, __m512i x, int64_t n)
{
  if (n >= SHORTS)
    _mm512_storeu_si512 (to, x);
  else
    _mm512_mask_storeu_epi16 (to, (__mmask32)((1u << n) - 1), x);
}

static void
limit (const Pool *s, int d, int64_t at, int64_t *from, int64_t *to)
{
  *from = at * s->stride[d] - s->pad[d];
  *to = *from + s->kernel[d] < s->in[d] ? *from + s->kernel[d] : s->in[d];
  *from = *from < 0 ? 0 : *from;
}

/* The largest of each column of pixels of a row of windows, as ordered integers. */
BF16 static void
join_rows (const Pool *s, const uint16_t *x, int64_t oy, uint16_t *to)
{
  int64_t from, end, n = s->in[1] * s->channels;
  limit (s, 0, oy, &from, &end);
  for (int64_t i = 0; i < n; i += SHORTS)
    {
      __m512i most = ordered (load_shorts (x + from * n + i, n - i));
      for (int64_t r = from + 1; r < end; r++)
        most = _mm512_max_epi16 (most, ordered (load_shorts (x + r * n + i, n - i)));
      store_shorts (to + i, most, n - i);
    }
}

BF16 static void
join_columns (const Pool *s, const uint16_t *x, uint16_t *y)
{
  int64_t from, end;
  for (int64_t ox = 0; ox < s->out[1]; ox++, y += s->y_pixel)
    {
      limit (s, 1, ox, &from, &end);
      for (int64_t c = 0; c < s->channels; c += SHORTS)
        {
          int64_t n = s->channels - c < SHORTS ? s->channels - c : SHORTS;
          __m512i most = load_shorts (x + from * s->channels + c, n);
          for (int64_t i = from + 1; i < end; i++)
            most = _mm512_max_epi16 (most, load_shorts (x + i * s->channels + c, n));
          if (s->y_channel == 1)
            store_shorts (y + c, ordered (most), n);
          else
            {
              uint16_t all[SHORTS];
              _mm512_storeu_si512 (all, ordered (most));
              for (int64_t i = 0; i < n; i++)
                y[(c + i) * s->y_channel] = all[i];
            }
        }
    }
}

static void
run_largest (const void *params, const PareView *args, int part, int parts)
{
  const Pool *s = params;
  int64_t line = s->in[1] * s->channels, all = s->images * s->out[0], end = all * (part + 1) / parts;
  uint16_t *joined = (uint16_t *)args[2].data + part * line;
  for (int64_t i = all * part / parts; i < end; i++)
    {
      int64_t image = i / s->out[0], oy = i % s->out[0];
      join_rows (s, (const uint16_t *)args[0].data + image * s->in[0] * line, oy, joined);
      join_columns (s, joined, (uint16_t *)args[1].data + image * s->y_image + oy * s->out[1] * s->y_pixel);
    }
}

/* `vecs` vectors of the average of `area` pixels. */
BF16 INLINE void
average (const uint16_t *x, int64_t pixel, int64_t area, int64_t left, void *y, bool wide, const int vecs)
{
  __m512 sum[4];
  UNROLL for (int v = 0; v < vecs; v++) sum[v] = ALL (0);
  for (int64_t i = 0; i < area; i++, x += pixel)
    {
      UNROLL for (int v = 0; v < vecs; v++) sum[v]
          = ADD (sum[v], left >= vecs * LANES ? widen (x + v * LANES) : load_some (x, false, v * LANES, left - v * LANES));
    }
  UNROLL for (int v = 0; v < vecs; v++)
  {
    sum[v] = _mm512_div_ps (sum[v], ALL ((float)area));
    if (left >= vecs * LANES)
      store (y, wide, v * LANES, sum[v]);
    else
      store_some (y, wide, v * LANES, sum[v], left - v * LANES);
  }
}

BF16 static void
run_average (const void *params, const PareView *args, int part, int parts)
{
  const Pool *s = params;
  int64_t area = s->in[0] * s->in[1], image = s->channels * area;
  for (int64_t i = s->images * part / parts; i < s->images * (part + 1) / parts; i++)
    for (int64_t c = 0, some; c < s->channels; c += some)
      {
        int64_t left = s->channels - c;
        const uint16_t *x = (const uint16_t *)args[0].data + i * image + c;
        void *y = pare_accel_place (&args[1], s->wide, i * s->channels + c).data;
        some = left >= 4 * LANES ? 4 * LANES : LANES;
        if (some > LANES)
          average (x, s->channels, area, left, y, s->wide, 4);
        else
          average (x, s->channels, area, left, y, s->wide, 1);
      }
}

#else
static void
run_largest (const void *params, const PareView *args, int part, int parts)
{
}

static void
run_average (const void *params, const PareView *args, int part, int parts)
{
}
#endif

/* Who reads the value reads it in the order of its elements: under another shape. */
static bool
is_flattened (const PareAccel *self, uint32_t value)
{
  const PareRtPlan *plan = self->plan;
  bool has_name = false;
  for (uint32_t i = 0; i < plan->n_values; i++)
    has_name |= plan->values[i].kind == PARE_RT_ALIAS && plan->values[i].alias_of == value
                && plan->values[i].shape.rank != plan->values[value].shape.rank;
  return has_name && self->values[value].n_uses == 1;
}

bool
pare_accel_pool_bf16 (PareAccel *self, uint32_t step, bool max, const ParePoolShape *shape)
{
  const PareRtStep *st = &self->plan->steps[step];
  uint32_t x = st->in[0];
  const PareShape *sx = &self->plan->values[x].shape, *sy = &self->plan->values[st->out[0]].shape;
  const PareMd *src = pare_accel_native_any (self, x);
  if (!pare_accel_bfloats () || sx->rank != 4 || !src || pare_md_type (src) != dnnl_bf16)
    return false;
  PareAccelResult result = pare_accel_result (self, st->out[0]);
  bool blocked = sx->dims[1] % PARE_BLOCK == 0 && src == pare_md_new_blocks (self->mds, dnnl_bf16, sx->rank, sx->dims),
       pixel = sy->dims[2] * sy->dims[3] == 1, plain = pixel || is_flattened (self, result.value);
  if (!blocked && src != pare_md_new_channels_last (self->mds, dnnl_bf16, sx->rank, sx->dims))
    return false;
  if (max ? result.type != dnnl_bf16 : !pixel || shape->padded || shape->kernel[0] != sx->dims[2] || shape->kernel[1] != sx->dims[3])
    return false;
  int64_t per_pixel = blocked ? PARE_BLOCK : sx->dims[1], area = sy->dims[2] * sy->dims[3];
  Pool s = { .images = sx->dims[0] * sx->dims[1] / per_pixel,
             .channels = per_pixel,
             .y_pixel = plain ? 1 : per_pixel,
             .y_channel = plain ? area : 1,
             .y_image = area * per_pixel,
             .wide = result.type != dnnl_bf16 };
  for (int i = 0; i < 2; i++)
    {
      if (shape->dilation[i] != 1)
        return false;
      s.in[i] = sx->dims[i + 2];
      s.out[i] = sy->dims[i + 2];
      s.kernel[i] = shape->kernel[i];
      s.stride[i] = shape->stride[i];
      s.pad[i] = shape->pad_begin[i];
    }
  const PareMd *dst = plain     ? pare_md_new_typed (self->mds, result.type, sy->rank, sy->dims, NULL)
                      : blocked ? pare_md_new_blocks (self->mds, result.type, sy->rank, sy->dims)
                                : pare_md_new_channels_last (self->mds, result.type, sy->rank, sy->dims);
  if (!dst)
    return false;
  const uint32_t buffers[3]
      = { pare_accel_form (self, step, x, src), pare_accel_new_form (self, result.value, dst),
          max ? pare_accel_buffer_new (self, (uint64_t)(s.in[1] * s.channels * self->threads) * sizeof (uint16_t)) : PARE_RT_NONE };
  double ns = (double)pare_shape_count (sx) / (max ? COMPARED : SUMMED);
  return pare_accel_add_work (self, step, max ? run_largest : run_average, &s, sizeof s, (uint64_t)(ns * PARE_ACCEL_IN_NS), buffers,
                              max ? 3 : 2)
         && pare_accel_absorb (self, result.rounds);
}
