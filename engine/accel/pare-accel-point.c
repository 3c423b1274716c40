/* Pointwise convolutions (1 x 1) of floats by panels of our own: where the activation is a function that costs oneDNN more than the
 * products, behind gates, and as parts of separable ones. */
#include "engine/accel/pare-accel-private.h"

/* Floats of the pixels that are multiplied by one panel after the other. */
#define BAND (128 * 1024 / 4)
#define TILES 24    /* pixels: no tile of a band is less than whole, however high */
#define PRODUCTS 90 /* in a nanosecond, of one thread */

const PareConvParams *
pare_accel_conv_params (const PareAccel *self, uint32_t step)
{
  return (const PareConvParams *)(self->plan->params + self->plan->steps[step].params);
}

uint32_t
pare_accel_operand (const PareRtStep *s, uint32_t i)
{
  return s->n_in > i ? s->in[i] : PARE_RT_NONE;
}

bool
pare_accel_is_own_conv (const PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  if (s->op != PARE_RT_CONV || pare_accel_is_bf16 (self, step) || !pare_accel_is_float (self, s->in[0])
      || !pare_accel_is_float (self, s->out[0]) || !pare_accel_constant (self, s->in[1])
      || (pare_accel_operand (s, 2) != PARE_RT_NONE && !pare_accel_constant (self, s->in[2])))
    return false;
  const PareConvParams *p = pare_accel_conv_params (self, step);
  return p->spatial == 2 && pare_accel_after_knows (p->activation);
}

bool
pare_accel_is_point (const PareAccel *self, uint32_t step)
{
  if (!pare_accel_is_own_conv (self, step))
    return false;
  const PareConvParams *p = pare_accel_conv_params (self, step);
  for (int i = 0; i < 2; i++)
    if (p->kernel[i] != 1 || p->stride[i] != 1 || p->pad_begin[i] || p->pad_end[i])
      return false;
  return p->group == 1;
}

bool
pare_accel_pack_point (PareAccel *self, const PareFloats *isa, uint32_t step, const PareFolded *f, ParePoint *p)
{
  const PareShape *sw = &self->plan->values[self->plan->steps[step].in[1]].shape;
  const float *w = pare_accel_constant (self, self->plan->steps[step].in[1]);
  p->n = sw->dims[0];
  p->k = sw->dims[1];
  p->after = f->after;
  p->bias = f->bias;
  int64_t whole = (p->n + PARE_BLOCK - 1) / PARE_BLOCK * PARE_BLOCK;
  bool known;
  const int64_t how[3] = { p->n, p->k, isa->width };
  float *to
      = pare_accel_pack_shared (self, pare_accel_pack_key (self, PARE_PACK_PANELS, self->plan->steps[step].in[1], f->factor, p->n, how, 3),
                                (uint64_t)(whole * p->k) * sizeof *to, &known);
  p->weights = to;
  if (to && !known)
    pare_accel_pack_panels (isa, w, p->k, 1, f->factor, p->n, p->k, to);
  return to != NULL;
}

/* c = a times the weights, panel by panel. */
void
pare_accel_multiply (const PareFloats *isa, const ParePoint *p, PareProduct product)
{
  float *c = product.c;
  const float *residual = product.residual;
  int64_t at;
  int width;
  product.k = p->k;
  product.after = &p->after;
  for (int64_t i = 0; (width = pare_accel_panel (isa, (p->n + PARE_BLOCK - 1) / PARE_BLOCK * PARE_BLOCK, i, &at)) > 0; i++)
    {
      product.b = p->weights + at * p->k;
      product.bias = p->bias + at;
      product.first = at;
      product.width = width;
      product.columns = (int)(p->n - at < width ? p->n - at : width);
      product.c = c + at / PARE_BLOCK * product.c_block;
      product.residual = residual ? residual + at / PARE_BLOCK * product.c_block : NULL;
      isa->product (&product);
    }
}

typedef struct
{
  ParePoint point;
  int64_t batch, pixels; /* of an image */
  int64_t x_row, x_block, x_image, y_row, y_block, y_image;
  int64_t band;
  bool residual, gated;
  int64_t gate_image, scratch; /* floats: from one image's gate to the next one's; of a thread */
} Pointwise;

/* Some pixels times their channels' numbers, laid out as they were: blocks of band + 1 pixels, for no two to lie a power of two apart, or
 * whole pixels. */
static void
gate (const Pointwise *s, const float *x, const float *numbers, int64_t rows, float *to)
{
  if (s->x_row == PARE_BLOCK)
    {
      for (int64_t b = 0; b < s->point.k / PARE_BLOCK; b++, numbers += PARE_BLOCK)
        for (int64_t r = 0; r < rows; r++)
          for (int i = 0; i < PARE_BLOCK; i++)
            to[(b * (s->band + 1) + r) * PARE_BLOCK + i] = x[b * s->x_block + r * PARE_BLOCK + i] * numbers[i];
      return;
    }
  for (int64_t r = 0; r < rows; r++, x += s->x_row, to += s->x_row)
    for (int64_t k = 0; k < s->point.k; k++)
      to[k] = x[k] * numbers[k];
}

/* args: x, y, (gated) a number for each channel and scratch memory, (residual) what is added */
static void
run (const void *params, const PareView *args, int part, int parts)
{
  const Pointwise *s = params;
  const PareFloats *isa = pare_accel_floats ();
  const float *x = args[0].data, *residual = s->residual ? args[s->gated ? 4 : 2].data : NULL;
  float *y = args[1].data, *scratch = s->gated ? (float *)args[3].data + part * s->scratch : NULL;
  int64_t all = s->batch * s->pixels, at = all * part / parts, end = all * (part + 1) / parts;
  while (at < end)
    {
      int64_t image = at / s->pixels, pixel = at % s->pixels, some = end - at < s->band ? end - at : s->band;
      some = some > s->pixels - pixel ? s->pixels - pixel : some;
      const float *from = x + image * s->x_image + pixel * s->x_row;
      int64_t to = image * s->y_image + pixel * s->y_row;
      if (s->gated)
        gate (s, from, (const float *)args[2].data + image * s->gate_image, some, scratch);
      pare_accel_multiply (isa, &s->point,
                           (PareProduct){ .rows = some,
                                          .a = s->gated ? scratch : from,
                                          .a_row = s->x_row,
                                          .a_block = s->gated && s->x_row == PARE_BLOCK ? (s->band + 1) * PARE_BLOCK : s->x_block,
                                          .c = y + to,
                                          .c_row = s->y_row,
                                          .c_block = s->y_block,
                                          .residual = residual ? residual + to : NULL });
      at += some;
    }
}

bool
pare_accel_point_pays (const PareAccel *self, uint32_t step)
{
  return pare_accel_floats () && pare_accel_is_point (self, step) && pare_accel_conv_params (self, step)->activation > PARE_ACT_LEAKY;
}

/* The nodes of `step` compute the convolution `conv` of x, whose channels are multiplied by `numbers` first where there are some. dst: the
 * layout in which the result is wanted. */
static bool
build (PareAccel *self, uint32_t step, uint32_t conv, uint32_t x, uint32_t numbers, const PareMd *dst)
{
  const PareFloats *isa = pare_accel_floats ();
  uint32_t residual = pare_accel_operand (&self->plan->steps[conv], 3), there = PARE_RT_NONE, result;
  PareFolded f;
  if (!pare_accel_fold (self, conv, &f))
    return false;
  const PareShape *sx = &self->plan->values[x].shape, *sy = &self->plan->values[f.y].shape;
  const PareMd *blocks_x = pare_md_new_blocks (self->mds, dnnl_f32, sx->rank, sx->dims),
               *blocks_y = pare_md_new_blocks (self->mds, dnnl_f32, sy->rank, sy->dims), *native = pare_accel_native (self, x), *src;
  /* As it lies; plain planes become what the result is wanted in. */
  bool blocks = sx->dims[1] % PARE_BLOCK == 0 && (native == blocks_x || (native == pare_accel_plain_md (self, x) && dst == blocks_y)),
       blocks_out = blocks && sy->dims[1] % PARE_BLOCK == 0;
  src = blocks ? blocks_x : pare_md_new_channels_last (self->mds, dnnl_f32, sx->rank, sx->dims);
  dst = blocks_out ? blocks_y : pare_md_new_channels_last (self->mds, dnnl_f32, sy->rank, sy->dims);
  if (!src || !dst)
    return false;
  int64_t pixels = sx->dims[2] * sx->dims[3];
  Pointwise s = { .batch = sx->dims[0],
                  .pixels = pixels,
                  .x_row = blocks ? PARE_BLOCK : sx->dims[1],
                  .x_block = blocks ? pixels * PARE_BLOCK : PARE_BLOCK,
                  .x_image = pixels * sx->dims[1],
                  .y_row = blocks_out ? PARE_BLOCK : sy->dims[1],
                  .y_block = blocks_out ? pixels * PARE_BLOCK : PARE_BLOCK,
                  .y_image = pixels * sy->dims[1],
                  .band = (BAND / (sx->dims[1] + sy->dims[1]) / TILES + 1) * TILES,
                  .residual = residual != PARE_RT_NONE,
                  .gated = numbers != PARE_RT_NONE };
  if (!pare_accel_pack_point (self, isa, conv, &f, &s.point))
    return false;
  uint32_t buffers[5] = { pare_accel_form (self, step, x, src) }, n = 2;
  if (s.gated)
    {
      s.gate_image = self->plan->values[numbers].shape.dims[0] > 1 ? sx->dims[1] : 0;
      s.scratch = (s.band + 1) * sx->dims[1];
      buffers[n++] = pare_accel_plain (self, step, numbers);
      buffers[n++] = pare_accel_buffer_new (self, (uint64_t)(s.scratch * self->threads) * sizeof (float));
    }
  if (s.residual)
    buffers[n++] = there = pare_accel_form (self, step, residual, dst);
  if (buffers[0] == PARE_RT_NONE || (s.residual && there == PARE_RT_NONE))
    {
      self->failed = true;
      return false;
    }
  if (s.residual && conv - step <= 1 && pare_accel_may_overwrite (self, conv, there)
      && pare_accel_buffer_root (self, there) != pare_accel_buffer_root (self, buffers[0]))
    {
      result = there;
      pare_accel_set_form (self, f.y, dst, there);
    }
  else
    result = pare_accel_new_form (self, f.y, dst);
  buffers[1] = result;
  double ns = (double)(s.batch * pixels * s.point.n) * (double)s.point.k / PRODUCTS;
  return pare_accel_add_work (self, step, run, &s, sizeof s, (uint64_t)(ns * PARE_ACCEL_IN_NS), buffers, n)
         && pare_accel_absorb (self, f.norm);
}

bool
pare_accel_point (PareAccel *self, uint32_t step, const PareMd *dst)
{
  return pare_accel_point_pays (self, step) && build (self, step, step, self->plan->steps[step].in[0], PARE_RT_NONE, dst);
}

bool
pare_accel_gated_point (PareAccel *self, uint32_t step, uint32_t x, uint32_t numbers)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareBinaryParams *p = (const PareBinaryParams *)(self->plan->params + s->params);
  uint32_t conv = pare_accel_only_reader (self, s->out[0]);
  if (!pare_accel_floats () || p->kind != PARE_BIN_MUL || p->activation != PARE_ACT_NONE || conv == PARE_RT_NONE
      || !pare_accel_is_point (self, conv) || self->plan->steps[conv].in[0] != s->out[0])
    return false;
  uint32_t residual = pare_accel_operand (&self->plan->steps[conv], 3);
  const PareShape *sx = &self->plan->values[x].shape, *sn = &self->plan->values[numbers].shape;
  if (sx->rank != 4 || sn->rank != 4 || sn->dims[1] != sx->dims[1] || sn->dims[2] != 1 || sn->dims[3] != 1
      || (sn->dims[0] != 1 && sn->dims[0] != sx->dims[0]) || (residual != PARE_RT_NONE && !pare_accel_is_known (self, residual)))
    return false;
  const PareMd *native = pare_accel_native (self, x);
  if (!native || (pare_md_is_row_major (native) && sx->dims[2] * sx->dims[3] > 1))
    return false;
  return build (self, step, conv, x, numbers, pare_md_new_blocks (self->mds, dnnl_f32, sx->rank, sx->dims))
         && pare_accel_absorb (self, conv);
}
