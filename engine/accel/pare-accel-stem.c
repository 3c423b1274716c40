/* The first convolution of a network: few channels, read as they come, plane by plane. A band of rows is copied with its padding; what a
 * term of the sums multiplies then lies at one offset for all results of a row. */
#include "engine/accel/pare-accel-private.h"

#include <string.h>

#define MOST_CHANNELS 4
#define ROWS 8 /* of results in a band */

typedef struct
{
  int64_t batch, channels, n, in[2], out[2], kernel[2], stride[2], pad[2];
  int64_t rows, pitch; /* of a plane's copy */
  int64_t y_row, y_block, y_image;
  const int64_t *taps;
  const float *weights, *bias;
  PareAfter after;
  int64_t scratch; /* floats of a thread */
} Stem;

/* What the results of rows oy..oy + n - 1 need of an image. */
static void
lay_out (const Stem *s, const float *x, int64_t oy, int64_t n, float *to)
{
  int64_t above = oy * s->stride[0] - s->pad[0], rows = (n - 1) * s->stride[0] + s->kernel[0],
          some = s->pitch - s->pad[1] < s->in[1] ? s->pitch - s->pad[1] : s->in[1];
  for (int64_t c = 0; c < s->channels; c++)
    for (int64_t r = 0; r < rows; r++)
      {
        float *row = to + (c * s->rows + r) * s->pitch;
        int64_t iy = above + r;
        if (iy < 0 || iy >= s->in[0])
          {
            memset (row, 0, (size_t)s->pitch * sizeof *row);
            continue;
          }
        memset (row, 0, (size_t)s->pad[1] * sizeof *row);
        memcpy (row + s->pad[1], x + (c * s->in[0] + iy) * s->in[1], (size_t)some * sizeof *row);
        memset (row + s->pad[1] + some, 0, (size_t)(s->pitch - s->pad[1] - some) * sizeof *row);
      }
}

static void
run (const void *params, const PareView *args, int part, int parts)
{
  const Stem *s = params;
  const PareFloats *isa = pare_accel_floats ();
  float *band = (float *)args[2].data + part * s->scratch;
  int64_t all = s->batch * s->out[0], row = all * part / parts, end = all * (part + 1) / parts, at;
  while (row < end)
    {
      int64_t image = row / s->out[0], oy = row % s->out[0], some = end - row < ROWS ? end - row : ROWS;
      some = some > s->out[0] - oy ? s->out[0] - oy : some;
      lay_out (s, (const float *)args[0].data + image * s->channels * s->in[0] * s->in[1], oy, some, band);
      for (int64_t r = 0; r < some; r++)
        {
          float *y = (float *)args[1].data + image * s->y_image + (oy + r) * s->out[1] * s->y_row;
          int width;
          for (int64_t i = 0; (width = pare_accel_panel (isa, s->n, i, &at)) > 0; i++)
            isa->product (&(PareProduct){ .rows = s->out[1],
                                          .k = s->channels * s->kernel[0] * s->kernel[1],
                                          .a = band + r * s->stride[0] * s->pitch,
                                          .a_row = s->stride[1],
                                          .taps = s->taps,
                                          .b = s->weights + at * s->channels * s->kernel[0] * s->kernel[1],
                                          .width = width,
                                          .columns = width,
                                          .bias = s->bias + at,
                                          .c = y + at / PARE_BLOCK * s->y_block,
                                          .c_row = s->y_row,
                                          .c_block = s->y_block,
                                          .after = &s->after,
                                          .first = at });
        }
      row += some;
    }
}

bool
pare_accel_stem (PareAccel *self, uint32_t step, const PareConvShape *shape, const PareMd *dst)
{
  const PareRtStep *st = &self->plan->steps[step];
  const PareConvParams *p = (const PareConvParams *)(self->plan->params + st->params);
  uint32_t x = st->in[0];
  const PareShape *sx = &self->plan->values[x].shape, *sy = &self->plan->values[st->out[0]].shape;
  const PareFloats *isa = pare_accel_floats ();
  if (!isa || p->spatial != 2 || p->group != 1 || sx->dims[1] > MOST_CHANNELS || sy->dims[1] % PARE_BLOCK || !pare_accel_is_float (self, x)
      || !pare_accel_is_float (self, st->out[0]) || (st->n_in > 3 && st->in[3] != PARE_RT_NONE) || !pare_accel_constant (self, st->in[1]))
    return false;
  const PareMd *plain = pare_accel_plain_md (self, x), *blocks = pare_md_new_blocks (self->mds, dnnl_f32, sy->rank, sy->dims);
  bool blocked = dst == blocks;
  if (!blocked)
    dst = pare_md_new_channels_last (self->mds, dnnl_f32, sy->rank, sy->dims);
  ParePostOps apart = { 0 };
  if (!pare_accel_after_knows (p->activation) && !pare_accel_activation (p->activation, p->lo, p->hi, p->alpha, &apart))
    return false;
  PareFolded f;
  if (!plain || !dst || pare_accel_native_any (self, x) != plain || !pare_accel_fold (self, step, &f))
    return false;
  int64_t n = sy->dims[1], out = sy->dims[2] * sy->dims[3], k = sx->dims[1];
  Stem s = { .batch = sx->dims[0],
             .channels = sx->dims[1],
             .n = n,
             .y_row = blocked ? PARE_BLOCK : n,
             .y_block = blocked ? out * PARE_BLOCK : PARE_BLOCK,
             .y_image = out * n,
             .bias = f.bias,
             .after = f.after };
  for (int i = 0; i < 2; i++)
    {
      if (shape->dilation[i] != 1)
        return false;
      s.in[i] = sx->dims[i + 2];
      s.out[i] = sy->dims[i + 2];
      s.kernel[i] = p->kernel[i];
      s.stride[i] = shape->stride[i];
      s.pad[i] = shape->pad_begin[i];
      k *= p->kernel[i];
    }
  s.rows = (ROWS - 1) * s.stride[0] + s.kernel[0];
  s.pitch = (s.out[1] - 1) * s.stride[1] + s.kernel[1];
  s.scratch = s.channels * s.rows * s.pitch + 16;
  float *packed = pare_accel_pack (self, (uint64_t)(n * k) * sizeof *packed);
  int64_t *taps = pare_accel_pack (self, (uint64_t)k * sizeof *taps);
  uint32_t scratch = pare_accel_buffer_new (self, (uint64_t)(s.scratch * self->threads) * sizeof (float));
  if (!packed || !taps || s.pad[1] >= s.pitch)
    return false;
  for (int64_t c = 0; c < s.channels; c++)
    for (int64_t ky = 0; ky < s.kernel[0]; ky++)
      for (int64_t kx = 0; kx < s.kernel[1]; kx++)
        taps[(c * s.kernel[0] + ky) * s.kernel[1] + kx] = (c * s.rows + ky) * s.pitch + kx;
  pare_accel_pack_panels (isa, pare_accel_constant (self, st->in[1]), k, 1, f.factor, n, k, packed);
  s.weights = packed;
  s.taps = taps;
  const uint32_t buffers[3] = { pare_accel_form (self, step, x, plain), pare_accel_new_form (self, f.y, dst), scratch };
  double ns = (double)(s.batch * out * n) * (double)k / 90;
  if (!pare_accel_add_work (self, step, run, &s, sizeof s, (uint64_t)(ns * PARE_ACCEL_IN_NS), buffers, 3))
    return false;
  pare_accel_absorb (self, f.norm);
  return apart.n == 0 || pare_accel_activate (self, step, &apart.ops[0], dst, buffers[1]);
}
