/* Depthwise convolutions with the pointwise ones (1 x 1) before and after them, where nobody else reads what lies between: a band of rows
 * at a time, so that the wide tensors in the middle never leave the cache. Rows of the expansion are kept in a ring, for windows of the
 * next band need the last of them. The three are one node, of the first step. */
#include "engine/accel/pare-accel-private.h"

#include <string.h>

/* Floats of a band between its convolutions: they share the second cache with the weights. */
#define BAND (400 * 1024 / 4)

#define PRODUCTS 90 /* in a nanosecond, of one thread */

/* Where the first does not widen, what the depthwise one reads must not fit beside the weights: from the cache oneDNN's are as fast. */
#define WIDENS 3
#define LARGE (1 << 20)

typedef struct
{
  ParePoint expand, project;
  int kernel, stride;
  int64_t channels, batch, in[2], out[2], pad[2];
  const float *weights, *bias; /* [block][kernel][kernel][16]; [channels] */
  PareAfter after;
  int64_t x_row, x_block, x_image, y_row, y_block, y_image;
  bool residual;                    /* a fourth operand, before the activation of the projection */
  int64_t rows, ring;               /* of results in a band; of the expansion that are kept */
  int64_t ring_block, middle_block; /* from block to block of channels, in both */
  int64_t scratch;                  /* floats of a thread */
} Separable;

/* Rows from..to-1 of the expansion of an image, into the ring. */
static void
expand (const PareFloats *isa, const Separable *s, const float *x, float *ring, int64_t from, int64_t to)
{
  while (from < to)
    {
      int64_t slot = from % s->ring, some = to - from < s->ring - slot ? to - from : s->ring - slot;
      pare_accel_multiply (isa, &s->expand,
                           (PareProduct){ .rows = some * s->in[1],
                                          .a = x + from * s->in[1] * s->x_row,
                                          .a_row = s->x_row,
                                          .a_block = s->x_block,
                                          .c = ring + slot * s->in[1] * PARE_BLOCK,
                                          .c_row = PARE_BLOCK,
                                          .c_block = s->ring_block });
      from += some;
    }
}

/* Rows oy..oy + n - 1 of the depthwise convolution; block by block, whose rows share what they read. */
static void
filter (const PareFloats *isa, const Separable *s, const float *x, const float *ring, int64_t oy, int64_t n, float *to, int64_t to_row,
        int64_t to_block)
{
  const float *rows[5];
  int64_t row = ring ? PARE_BLOCK : s->x_row, pitch = s->in[1] * row, above = oy * s->stride - s->pad[0];
  int64_t turn = ring && above > 0 ? above / s->ring * s->ring : 0; /* the rows of a band are in this turn of the ring or the next */
  PareDepthwiseRow d = { .kernel = s->kernel,
                         .stride = s->stride,
                         .in = s->in[1],
                         .out = s->out[1],
                         .pad = s->pad[1],
                         .x = rows,
                         .x_row = row,
                         .y_row = to_row,
                         .after = &s->after };
  for (int64_t b = 0; b < s->channels / PARE_BLOCK; b++)
    {
      const float *from = ring ? ring + b * s->ring_block : x + b * s->x_block;
      d.y = to + b * to_block;
      d.weights = s->weights + b * s->kernel * s->kernel * PARE_BLOCK;
      d.bias = s->bias + b * PARE_BLOCK;
      d.first = b * PARE_BLOCK;
      for (int64_t r = 0; r < n; r++, d.y += s->out[1] * to_row)
        {
          for (int i = 0; i < s->kernel; i++)
            {
              int64_t iy = above + r * s->stride + i, slot = iy - turn;
              if (ring && slot >= s->ring)
                slot -= s->ring;
              rows[i] = iy < 0 || iy >= s->in[0] ? NULL : from + slot * pitch;
            }
          isa->depthwise (&d);
        }
    }
}

static void
run (const void *params, const PareView *args, int part, int parts)
{
  const Separable *s = params;
  const PareFloats *isa = pare_accel_floats ();
  const float *residual = s->residual ? args[3].data : NULL;
  float *ring = s->expand.n ? (float *)args[2].data + part * s->scratch : NULL,
        *middle = s->project.n ? (float *)args[2].data + part * s->scratch + s->channels / PARE_BLOCK * s->ring_block : NULL;
  int64_t all = s->batch * s->out[0], row = all * part / parts, end = all * (part + 1) / parts, known = 0;
  bool fresh = true; /* nothing of this image is in the ring */
  while (row < end)
    {
      int64_t image = row / s->out[0], oy = row % s->out[0], some = s->rows;
      some = some > end - row ? end - row : some;
      some = some > s->out[0] - oy ? s->out[0] - oy : some;
      const float *x = (const float *)args[0].data + image * s->x_image;
      if (ring)
        {
          int64_t from = oy * s->stride - s->pad[0], to = (oy + some - 1) * s->stride - s->pad[0] + s->kernel;
          from = from < 0 ? 0 : from;
          from = fresh || known < from ? from : known;
          known = to > s->in[0] ? s->in[0] : to;
          expand (isa, s, x, ring, from, known);
        }
      int64_t y = image * s->y_image + oy * s->out[1] * s->y_row;
      if (middle)
        filter (isa, s, x, ring, oy, some, middle, PARE_BLOCK, s->middle_block);
      else
        filter (isa, s, x, ring, oy, some, (float *)args[1].data + y, s->y_row, s->y_block);
      if (middle)
        pare_accel_multiply (isa, &s->project,
                             (PareProduct){ .rows = some * s->out[1],
                                            .a = middle,
                                            .a_row = PARE_BLOCK,
                                            .a_block = s->middle_block,
                                            .c = (float *)args[1].data + y,
                                            .c_row = s->y_row,
                                            .c_block = s->y_block,
                                            .residual = residual ? residual + y : NULL });
      row += some;
      fresh = row % s->out[0] == 0;
    }
}

/* --- what such a group is ------------------------------------------------------------------------------------------------------- */

static bool
is_depthwise (const PareAccel *self, uint32_t step)
{
  if (!pare_accel_is_own_conv (self, step))
    return false;
  const PareRtStep *s = &self->plan->steps[step];
  const PareConvParams *p = pare_accel_conv_params (self, step);
  int64_t channels = self->plan->values[s->in[0]].shape.dims[1];
  for (int i = 0; i < 2; i++)
    if ((p->kernel[i] != 3 && p->kernel[i] != 5) || p->kernel[i] != p->kernel[0] || p->stride[i] != p->stride[0] || p->stride[i] > 2
        || p->dilation[i] != 1 || p->pad_begin[i] < 0 || p->pad_begin[i] >= p->kernel[i])
      return false;
  return p->group == channels && channels % PARE_BLOCK == 0 && self->plan->values[s->out[0]].shape.dims[1] == channels
         && pare_accel_operand (s, 3) == PARE_RT_NONE;
}

/* The convolution that reads the value, where nobody else does and it does not read it as a residual. */
static uint32_t
follower (const PareAccel *self, uint32_t value)
{
  uint32_t reader = pare_accel_only_reader (self, value);
  return reader != PARE_RT_NONE && self->plan->steps[reader].op == PARE_RT_CONV && self->plan->steps[reader].in[0] == value ? reader
                                                                                                                            : PARE_RT_NONE;
}

static bool
pack_depthwise (PareAccel *self, uint32_t step, const PareFolded *f, Separable *s)
{
  const float *w = pare_accel_constant (self, self->plan->steps[step].in[1]);
  int64_t taps = s->kernel * s->kernel;
  float *to = pare_accel_pack (self, (uint64_t)(s->channels * taps) * sizeof *to);
  s->weights = to;
  s->bias = f->bias;
  s->after = f->after;
  if (!to)
    return false;
  for (int64_t c = 0; c < s->channels; c++)
    for (int64_t t = 0; t < taps; t++)
      to[(c / PARE_BLOCK * taps + t) * PARE_BLOCK + c % PARE_BLOCK] = w[c * taps + t] * (f->factor ? f->factor[c] : 1);
  return true;
}

/* As many rows in a band as the cache holds. */
static void
plan_bands (Separable *s)
{
  int64_t blocks = s->channels / PARE_BLOCK;
  for (s->rows = s->out[0]; s->rows > 0; s->rows--)
    {
      s->ring = (s->rows - 1) * s->stride + s->kernel;
      s->ring = s->ring > s->in[0] ? s->in[0] : s->ring;
      s->ring_block = s->expand.n ? (s->ring * s->in[1] + 1) * PARE_BLOCK : 0; /* one more: no two lie a power of two apart */
      s->middle_block = s->project.n ? (s->rows * s->out[1] + 1) * PARE_BLOCK : 0;
      s->scratch = blocks * (s->ring_block + s->middle_block);
      if (s->scratch <= BAND || s->rows == 1)
        break;
    }
  int64_t bands = (s->out[0] + s->rows - 1) / s->rows; /* equal ones */
  s->rows = (s->out[0] + bands - 1) / bands;
}

/* Measured; before anything is packed for it. */
bool
pare_accel_separable_pays (const PareAccel *self, uint32_t step)
{
  if (!pare_accel_floats ())
    return false;
  uint32_t next = step;
  bool point = pare_accel_is_point (self, step);
  if (point)
    {
      const PareShape *sw = &self->plan->values[self->plan->steps[step].in[1]].shape;
      if (pare_accel_operand (&self->plan->steps[step], 3) != PARE_RT_NONE)
        return false;
      next = pare_accel_only_reader (self, self->plan->steps[step].out[0]);
      if (next != PARE_RT_NONE && self->plan->steps[next].op == PARE_RT_BATCH_NORM)
        next = pare_accel_only_reader (self, self->plan->steps[next].out[0]);
      if (next != PARE_RT_NONE && is_depthwise (self, next) && sw->dims[0] >= WIDENS * sw->dims[1])
        return true;
    }
  return next != PARE_RT_NONE && is_depthwise (self, next)
         && (pare_accel_conv_params (self, next)->activation > PARE_ACT_LEAKY
             || (uint64_t)pare_shape_count (&self->plan->values[self->plan->steps[next].in[0]].shape) * sizeof (float) >= LARGE);
}

bool
pare_accel_separable (PareAccel *self, uint32_t step)
{
  const PareFloats *isa = pare_accel_floats ();
  const PareRtPlan *plan = self->plan;
  uint32_t first = PARE_RT_NONE, middle = step, last, residual;
  PareFolded expanded = { .norm = PARE_RT_NONE }, filtered, projected = { .norm = PARE_RT_NONE };
  if (!pare_accel_separable_pays (self, step))
    return false;
  if (pare_accel_is_point (self, step))
    {
      if (!pare_accel_fold (self, step, &expanded))
        return false;
      first = step;
      middle = follower (self, expanded.y);
    }
  if (middle == PARE_RT_NONE || !is_depthwise (self, middle) || !pare_accel_fold (self, middle, &filtered))
    return false;
  last = follower (self, filtered.y);
  residual = last == PARE_RT_NONE ? PARE_RT_NONE : pare_accel_operand (&plan->steps[last], 3);
  if (last != PARE_RT_NONE
      && (!pare_accel_is_point (self, last) || (residual != PARE_RT_NONE && !pare_accel_is_known (self, residual))
          || !pare_accel_fold (self, last, &projected)))
    last = residual = PARE_RT_NONE;
  uint32_t end = last == PARE_RT_NONE ? middle : last, x = plan->steps[step].in[0], y = last == PARE_RT_NONE ? filtered.y : projected.y;
  const PareConvParams *p = pare_accel_conv_params (self, middle);
  const PareShape *sx = &plan->values[x].shape, *sy = &plan->values[y].shape, *sm = &plan->values[plan->steps[middle].out[0]].shape;
  const PareMd *src = pare_md_new_blocks (self->mds, dnnl_f32, sx->rank, sx->dims), *dst;
  bool blocked = src && sx->dims[1] % PARE_BLOCK == 0 && pare_accel_native (self, x) == src,
       blocked_y = blocked && sy->dims[1] % PARE_BLOCK == 0;
  if (!blocked)
    src = pare_md_new_channels_last (self->mds, dnnl_f32, sx->rank, sx->dims);
  dst = blocked_y ? pare_md_new_blocks (self->mds, dnnl_f32, sy->rank, sy->dims)
                  : pare_md_new_channels_last (self->mds, dnnl_f32, sy->rank, sy->dims);
  if (!src || !dst)
    return false;
  int64_t in = sx->dims[2] * sx->dims[3], out = sm->dims[2] * sm->dims[3];
  Separable s = { .kernel = p->kernel[0],
                  .stride = p->stride[0],
                  .channels = sm->dims[1],
                  .batch = sx->dims[0],
                  .in = { sx->dims[2], sx->dims[3] },
                  .out = { sm->dims[2], sm->dims[3] },
                  .pad = { p->pad_begin[0], p->pad_begin[1] },
                  .x_row = blocked ? PARE_BLOCK : sx->dims[1],
                  .x_block = blocked ? in * PARE_BLOCK : PARE_BLOCK,
                  .x_image = in * sx->dims[1],
                  .y_row = blocked_y ? PARE_BLOCK : sy->dims[1],
                  .y_block = blocked_y ? out * PARE_BLOCK : PARE_BLOCK,
                  .y_image = out * sy->dims[1],
                  .residual = residual != PARE_RT_NONE };
  if ((first != PARE_RT_NONE && !pare_accel_pack_point (self, isa, first, &expanded, &s.expand))
      || (last != PARE_RT_NONE && !pare_accel_pack_point (self, isa, last, &projected, &s.project))
      || !pack_depthwise (self, middle, &filtered, &s))
    return false;
  plan_bands (&s);
  uint32_t scratch = pare_accel_buffer_new (self, (uint64_t)(s.scratch * self->threads) * sizeof (float)), there = PARE_RT_NONE, result;
  uint32_t in_buffer = pare_accel_form (self, step, x, src);
  if (s.residual)
    there = pare_accel_form (self, step, residual, dst);
  /* Over the residual: a thread must not write what another one still expands, nor the filter what it still reads. */
  bool same = there != PARE_RT_NONE && pare_accel_buffer_root (self, there) == pare_accel_buffer_root (self, in_buffer);
  if (there != PARE_RT_NONE && end - step <= 2 && pare_accel_may_overwrite (self, end, there)
      && (!same || (there == in_buffer && s.expand.n && self->threads == 1)))
    {
      result = there;
      pare_accel_set_form (self, y, dst, there);
    }
  else
    result = pare_accel_new_form (self, y, dst);
  if (s.residual && there == PARE_RT_NONE)
    self->failed = true;
  const uint32_t buffers[4] = { in_buffer, result, scratch, there };
  double macs = (double)(s.batch * out * s.channels) * (double)(s.kernel * s.kernel + s.project.n)
                + (double)(s.batch * in * s.expand.k) * (double)s.channels;
  if (!pare_accel_add_work (self, step, run, &s, sizeof s, (uint64_t)(macs / PRODUCTS * PARE_ACCEL_IN_NS), buffers, s.residual ? 4 : 3))
    return false;
  const uint32_t parts[] = { middle, last, expanded.norm, filtered.norm, projected.norm };
  for (uint32_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (parts[i] != step)
      pare_accel_absorb (self, parts[i]);
  return true;
}
