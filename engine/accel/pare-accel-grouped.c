/* Grouped convolutions of 3 x 3 with groups of few channels by a kernel of our own: oneDNN's keep most lanes idle there.
 * Rows of one block of channels are copied with their padding as they are needed, three at a time. */
#include "engine/accel/pare-accel-private.h"

#include <string.h>

typedef struct
{
  int depth, stride;
  int64_t batch, channels, blocks, in[2], out[2], pad[2], pitch; /* pitch: pixels of a copied row */
  int64_t x_row, x_block, x_image, y_row, y_block, y_image;
  const float *weights, *bias; /* [block][row][channel of the group][column][16] */
  PareAfter after;
  bool residual;
} Grouped;

/* Channels of a block: the last one may have fewer. */
static int64_t
channels_of (const Grouped *g, int64_t block)
{
  int64_t left = g->channels - block * PARE_BLOCK;
  return left < PARE_BLOCK ? left : PARE_BLOCK;
}

/* A row of pixels of one block between its padding; channels that are none are 0. */
static void
copy_row (const Grouped *g, int64_t channels, const float *x, float *to)
{
  int64_t some = g->pitch - g->pad[1] < g->in[1] ? g->pitch - g->pad[1] : g->in[1];
  memset (to, 0, (size_t)(g->pad[1] * PARE_BLOCK) * sizeof *to);
  to += g->pad[1] * PARE_BLOCK;
  if (channels == PARE_BLOCK)
    for (int64_t i = 0; i < some; i++)
      memcpy (to + i * PARE_BLOCK, x + i * g->x_row, PARE_BLOCK * sizeof *to);
  else
    for (int64_t i = 0; i < some; i++)
      for (int64_t c = 0; c < PARE_BLOCK; c++)
        to[i * PARE_BLOCK + c] = c < channels ? x[i * g->x_row + c] : 0;
  memset (to + some * PARE_BLOCK, 0, (size_t)((g->pitch - g->pad[1] - some) * PARE_BLOCK) * sizeof *to);
}

static void
run (const void *params, const PareView *args, int part, int parts)
{
  const Grouped *g = params;
  const PareFloats *isa = pare_accel_floats ();
  const int64_t row = g->pitch * PARE_BLOCK, all = g->batch * g->blocks * g->out[0];
  float *rows = (float *)args[2].data + part * 3 * row;
  int64_t kept[3] = { -1, -1, -1 }, plane = -1;
  for (int64_t i = all * part / parts; i < all * (part + 1) / parts; i++)
    {
      int64_t oy = i % g->out[0], block = i / g->out[0] % g->blocks, image = i / g->out[0] / g->blocks, channels = channels_of (g, block);
      const float *x = (const float *)args[0].data + image * g->x_image + block * g->x_block, *window[3];
      int64_t y = image * g->y_image + block * g->y_block + oy * g->out[1] * g->y_row;
      if (i / g->out[0] != plane)
        kept[0] = kept[1] = kept[2] = -1;
      plane = i / g->out[0];
      for (int k = 0; k < 3; k++)
        {
          int64_t iy = oy * g->stride - g->pad[0] + k;
          window[k] = iy < 0 || iy >= g->in[0] ? NULL : rows + iy % 3 * row;
          if (window[k] && kept[iy % 3] != iy)
            copy_row (g, channels, x + iy * g->in[1] * g->x_row, rows + iy % 3 * row);
          if (window[k])
            kept[iy % 3] = iy;
        }
      isa->grouped (&(PareGroupedRow){ .depth = g->depth,
                                       .stride = g->stride,
                                       .columns = (int)channels,
                                       .out = g->out[1],
                                       .x = window,
                                       .y = (float *)args[1].data + y,
                                       .y_row = g->y_row,
                                       .residual = g->residual ? (const float *)args[3].data + y : NULL,
                                       .weights = g->weights + block * 9 * g->depth * PARE_BLOCK,
                                       .bias = g->bias,
                                       .after = &g->after,
                                       .first = block * PARE_BLOCK });
    }
}

static void
pack (const Grouped *g, const float *weights, const float *factor, float *to)
{
  for (int64_t n = 0; n < g->blocks * PARE_BLOCK; n++)
    for (int64_t i = 0; i < g->depth; i++)
      for (int64_t k = 0; k < 9; k++)
        to[n / PARE_BLOCK * 9 * g->depth * PARE_BLOCK + ((k / 3 * g->depth + i) * 3 + k % 3) * PARE_BLOCK + n % PARE_BLOCK]
            = n < g->channels ? weights[(n * g->depth + i) * 9 + k] * (factor ? factor[n] : 1) : 0;
}

bool
pare_accel_grouped (PareAccel *self, uint32_t step, const PareConvShape *shape)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareConvParams *p = (const PareConvParams *)(self->plan->params + s->params);
  uint32_t x = s->in[0], y = s->out[0], residual = s->n_in > 3 ? s->in[3] : PARE_RT_NONE;
  const PareShape *sx = &self->plan->values[x].shape, *sy = &self->plan->values[y].shape;
  const PareFloats *isa = pare_accel_floats ();
  const float *weights = pare_accel_constant (self, s->in[1]);
  int64_t n = sx->dims[1], depth = n / p->group;
  if (!isa || !isa->grouped || !pare_accel_conv_is_3x3 (p, shape, 2) || (depth != 2 && depth != 4 && depth != 8) || sy->dims[1] != n
      || !weights || !pare_accel_after_knows (p->activation) || !pare_accel_is_float (self, x) || !pare_accel_is_float (self, y))
    return false;
  const PareMd *last = pare_md_new_channels_last (self->mds, dnnl_f32, sx->rank, sx->dims);
  bool blocked = n % PARE_BLOCK == 0 && pare_accel_native (self, x) != last;
  const PareMd *src = blocked ? pare_md_new_blocks (self->mds, dnnl_f32, sx->rank, sx->dims) : last,
               *dst = blocked ? pare_md_new_blocks (self->mds, dnnl_f32, sy->rank, sy->dims)
                              : pare_md_new_channels_last (self->mds, dnnl_f32, sy->rank, sy->dims);
  if (!src || !dst)
    return false;
  int64_t in = sx->dims[2] * sx->dims[3], out = sy->dims[2] * sy->dims[3];
  Grouped g = { .depth = (int)depth,
                .stride = (int)shape->stride[0],
                .batch = sx->dims[0],
                .channels = n,
                .blocks = pare_accel_whole_blocks (n) / PARE_BLOCK,
                .in = { sx->dims[2], sx->dims[3] },
                .out = { sy->dims[2], sy->dims[3] },
                .pad = { shape->pad_begin[0], shape->pad_begin[1] },
                .pitch = (sy->dims[3] - 1) * shape->stride[1] + 3,
                .x_row = blocked ? PARE_BLOCK : n,
                .x_block = blocked ? in * PARE_BLOCK : PARE_BLOCK,
                .x_image = in * n,
                .y_row = blocked ? PARE_BLOCK : n,
                .y_block = blocked ? out * PARE_BLOCK : PARE_BLOCK,
                .y_image = out * n,
                .residual = residual != PARE_RT_NONE };
  PareFolded f;
  if (!pare_accel_fold (self, step, &f))
    return false;
  float *packed = pare_accel_pack (self, (uint64_t)(g.blocks * PARE_BLOCK * depth * 9) * sizeof *packed);
  uint32_t scratch = pare_accel_buffer_new (self, (uint64_t)(3 * g.pitch * PARE_BLOCK * self->threads) * sizeof (float));
  if (!packed || scratch == PARE_RT_NONE)
    return false;
  pack (&g, weights, f.factor, packed);
  g.weights = packed;
  g.bias = f.bias;
  g.after = f.after;
  uint32_t in_buffer = pare_accel_form (self, step, x, src),
           there = g.residual ? pare_accel_form (self, step, residual, dst) : PARE_RT_NONE;
  const uint32_t buffers[4] = { in_buffer, pare_accel_new_form (self, f.y, dst), scratch, there };
  double ns = (double)(sy->dims[0] * out * n) * 9 * (double)depth / 80;
  return pare_accel_add_work (self, step, run, &g, sizeof g, (uint64_t)(ns * PARE_ACCEL_IN_NS), buffers, g.residual ? 4 : 3)
         && (pare_accel_absorb (self, f.norm), true);
}
