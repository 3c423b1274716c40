/* Pointwise convolutions (1 x 1) of bfloat16 by panels of our own: with a normalization or a function behind, which cost oneDNN as much as
 * the products, of so few channels that its preparations do, and as parts of separable ones. */
#include "engine/accel/pare-accel-bfloats-private.h"

/* Bytes of the pixels that are multiplied by one panel after the other. */
#define BAND (128 * 1024)
#define PRODUCTS 190 /* in a nanosecond, of one thread */
#define FEW 64       /* channels */
#define MORE 256     /* channels of few pixels, by tiles */
#define PIXELS 64    /* that are few */

bool
pare_accel_is_point_bf16 (const PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareConvParams *p = pare_accel_conv_params (self, step);
  if (!pare_accel_bfloats () || s->op != PARE_RT_CONV || !pare_accel_is_bf16 (self, step) || p->spatial != 2 || p->group != 1
      || !pare_accel_constant (self, s->in[1]) || self->plan->values[s->in[0]].shape.dims[1] % 2 || !pare_accel_after_knows (p->activation))
    return false;
  for (int i = 0; i < 2; i++)
    if (p->kernel[i] != 1 || p->stride[i] != 1 || p->pad_begin[i] || p->pad_end[i])
      return false;
  return true;
}

bool
pare_accel_pack_point_bf16 (PareAccel *self, uint32_t step, const PareFolded *f, PareBfloatPoint *p)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareShape *sw = &self->plan->values[s->in[1]].shape;
  int64_t n = sw->dims[0], k = sw->dims[1];
  uint16_t *packed = pare_accel_pack (self, (uint64_t)(pare_accel_whole_blocks (n) * k) * sizeof *packed);
  *p = (PareBfloatPoint){ .k = k, .n = n, .weights = packed, .factor = f->factor, .bias = f->bias, .after = f->after };
  if (packed)
    pare_accel_pack_pairs (pare_accel_constant (self, s->in[1]), n, k, NULL, k / 2, packed);
  return packed != NULL;
}

void
pare_accel_multiply_point (const PareBfloats *isa, const PareBfloatPoint *p, PareBfloatProduct product)
{
  product.pairs = p->k / 2;
  product.b = p->weights;
  product.factor = p->factor;
  product.bias = p->bias;
  product.after = &p->after;
  pare_accel_multiply_pairs (isa, p->n, &product);
}

typedef struct
{
  PareBfloatPoint point;
  int64_t batch, pixels; /* of an image */
  int64_t x_row, x_block, x_image, y_row, y_block, y_image;
  int64_t band;
  int64_t panels; /* of few pixels by tiles, which threads divide among them rather than pixels; else 0 */
  bool residual, wide, wide_residual;
} Pointwise;

/* `some` pixels of an image, by panels from..to - 1. */
static void
multiply (const Pointwise *s, const PareBfloats *isa, const PareView *args, int64_t image, int64_t pixel, int64_t some, int64_t from,
          int64_t to)
{
  int64_t at = image * s->y_image + pixel * s->y_row;
  const PareBfloatPoint *p = &s->point;
  const PareBfloatProduct all = { .rows = some,
                                  .pairs = p->k / 2,
                                  .a = (const uint16_t *)args[0].data + image * s->x_image + pixel * s->x_row,
                                  .a_row = s->x_row,
                                  .a_block = s->x_block,
                                  .b = p->weights,
                                  .factor = p->factor,
                                  .bias = p->bias,
                                  .c = pare_accel_place (&args[1], s->wide, at),
                                  .c_row = s->y_row,
                                  .c_block = s->y_block,
                                  .residual = s->residual ? pare_accel_place (&args[2], s->wide_residual, at) : (PareBfloatPlace){ NULL },
                                  .after = &p->after };
  PareBfloatProduct panel;
  if (to == INT64_MAX)
    pare_accel_multiply_pairs (isa, p->n, &all);
  else
    for (int64_t i = from; i < to && pare_accel_bfloat_panel_of (&all, p->n, i, &panel); i++)
      isa->product (&panel);
}

static void
run (const void *params, const PareView *args, int part, int parts)
{
  const Pointwise *s = params;
  const PareBfloats *isa = pare_accel_bfloats_for (s->batch * s->pixels);
  int64_t all = s->batch * s->pixels, at = all * part / parts, end = all * (part + 1) / parts;
  pare_accel_hold_tiles ();
  if (s->panels > 0 && parts > 1) /* all pixels, some columns */
    for (int64_t image = 0; image < s->batch; image++)
      multiply (s, isa, args, image, 0, s->pixels, s->panels * part / parts, s->panels * (part + 1) / parts);
  else
    while (at < end)
      {
        int64_t image = at / s->pixels, pixel = at % s->pixels, some = end - at < s->band ? end - at : s->band;
        some = some > s->pixels - pixel ? s->pixels - pixel : some;
        multiply (s, isa, args, image, pixel, some, 0, INT64_MAX);
        at += some;
      }
  pare_accel_release_tiles ();
}

bool
pare_accel_point_bf16 (PareAccel *self, uint32_t step)
{
  const PareRtStep *st = &self->plan->steps[step];
  const PareConvParams *p = pare_accel_conv_params (self, step);
  uint32_t x = st->in[0], residual = pare_accel_operand (st, 3), there = PARE_RT_NONE, to;
  const PareShape *sx = &self->plan->values[x].shape, *sy = &self->plan->values[st->out[0]].shape;
  int64_t k = sx->dims[1], n = sy->dims[1];
  int64_t pixels = sx->dims[0] * sx->dims[2] * sx->dims[3];
  bool tiles = pare_accel_bfloats_for (pixels) != pare_accel_bfloats ();
  PareFolded f;
  if (!pare_accel_is_point_bf16 (self, step) || (n % PARE_BLOCK && residual != PARE_RT_NONE) || !pare_accel_fold (self, step, &f))
    return false;
  if (f.norm == PARE_RT_NONE && p->activation <= PARE_ACT_LEAKY && (k > (tiles && pixels <= PIXELS ? MORE : FEW) || n % PARE_BLOCK))
    return false;
  PareAccelResult result = pare_accel_result (self, f.y);
  const PareMd *added = residual != PARE_RT_NONE ? pare_accel_native_any (self, residual) : NULL;
  Pointwise s = { .batch = sx->dims[0],
                  .pixels = sx->dims[2] * sx->dims[3],
                  .residual = residual != PARE_RT_NONE,
                  .wide = result.type != dnnl_bf16,
                  .wide_residual = added && pare_md_type (added) != dnnl_bf16 };
  const PareMd *blocks = pare_md_new_blocks (self->mds, dnnl_bf16, sx->rank, sx->dims);
  dnnl_data_type_t type = result.type, type_added = s.wide_residual ? dnnl_f32 : dnnl_bf16;
  bool blocked = k % PARE_BLOCK == 0 && n % PARE_BLOCK == 0 && blocks && pare_accel_native_any (self, x) == blocks;
  const PareMd *src = blocked ? blocks : pare_md_new_channels_last (self->mds, dnnl_bf16, sx->rank, sx->dims);
  const PareMd *dst = blocked ? pare_md_new_blocks (self->mds, type, sy->rank, sy->dims)
                              : pare_md_new_channels_last (self->mds, type, sy->rank, sy->dims);
  const PareMd *dst_added = blocked ? pare_md_new_blocks (self->mds, type_added, sy->rank, sy->dims)
                                    : pare_md_new_channels_last (self->mds, type_added, sy->rank, sy->dims);
  if (!src || !dst || !dst_added || !pare_accel_pack_point_bf16 (self, step, &f, &s.point))
    return false;
  s.x_row = blocked ? PARE_BLOCK : k;
  s.x_block = blocked ? s.pixels * PARE_BLOCK : PARE_BLOCK;
  s.x_image = s.pixels * k;
  s.y_row = blocked ? PARE_BLOCK : n;
  s.y_block = blocked ? s.pixels * PARE_BLOCK : PARE_BLOCK;
  s.y_image = s.pixels * n;
  s.band = BAND / (2 * (k + n)) + 1;
  int64_t at;
  while (tiles && pixels <= PIXELS && pare_accel_bfloat_panel (pare_accel_whole_blocks (n), s.panels, &at) > 0)
    s.panels++;
  uint32_t in = pare_accel_form (self, step, x, src);
  if (s.residual && (there = pare_accel_form (self, step, residual, dst_added)) == PARE_RT_NONE)
    self->failed = true;
  if (there != PARE_RT_NONE && dst == dst_added && pare_accel_may_overwrite (self, step, there)
      && pare_accel_buffer_root (self, there) != pare_accel_buffer_root (self, in))
    {
      to = there;
      pare_accel_set_form (self, result.value, dst, there);
    }
  else
    to = pare_accel_new_form (self, result.value, dst);
  const uint32_t buffers[3] = { in, to, there };
  double ns = tiles ? pare_accel_tiles_ns (s.batch * s.pixels, n, k) : (double)(s.batch * s.pixels * n) * (double)k / PRODUCTS;
  if (!pare_accel_add_work (self, step, run, &s, sizeof s, (uint64_t)(ns * PARE_ACCEL_IN_NS), buffers, s.residual ? 3 : 2))
    return false;
  return pare_accel_absorb (self, f.norm) && pare_accel_absorb (self, result.rounds);
}
