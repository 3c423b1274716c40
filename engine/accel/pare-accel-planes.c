/* Convolutions with few results (channels), over planes: vectors of neighbouring pixels, where vectors of channels would be mostly empty. A
 * band of rows is copied with its padding, its columns dealt out by the step, so that what a tap reads for neighbouring results lies side
 * by side. */
#include "engine/accel/pare-accel-private.h"

#include <string.h>

#define MOST_RESULTS 8
#define BAND (384 * 1024 / 4) /* floats of a band's copy */
#define COLUMNS 480           /* of results in a band: whole tiles */
#define SLACK 128             /* floats behind a band that the last tile reads, too */

typedef struct
{
  int64_t batch, channels, n, in[2], out[2], kernel[2], stride[2], dilation[2], pad[2];
  int64_t rows, columns; /* of results in a band */
  int64_t held, pitch;   /* rows of a plane's copy; floats of one of its phases */
  const int64_t *taps;
  const float *weights, *bias; /* groups of results: [k][count] */
  PareAfter after;
  int64_t scratch; /* floats of a thread */
} Planes;

/* What the results of rows oy..oy + n - 1, columns ox..ox + m - 1 need of an image. */
static void
lay_out (const Planes *s, const float *x, int64_t oy, int64_t n, int64_t ox, int64_t m, float *to)
{
  int64_t above = oy * s->stride[0] - s->pad[0], rows = (n - 1) * s->stride[0] + (s->kernel[0] - 1) * s->dilation[0] + 1,
          step = s->stride[1], left = ox * step - s->pad[1], width = m + (s->kernel[1] - 1) * s->dilation[1] / step + 1;
  for (int64_t c = 0; c < s->channels; c++)
    for (int64_t r = 0; r < rows; r++)
      {
        float *row = to + (c * s->held + r) * step * s->pitch;
        int64_t iy = above + r;
        const float *from = x + (c * s->in[0] + iy) * s->in[1];
        for (int64_t phase = 0; phase < step; phase++, row += s->pitch)
          {
            /* columns i of the copy are left + phase + i * step */
            int64_t at = left + phase, begin = at < 0 ? (step - 1 - at) / step : 0,
                    end = at >= s->in[1] ? 0 : (s->in[1] - at + step - 1) / step;
            begin = begin > width ? width : begin;
            end = end > width ? width : end;
            if (iy < 0 || iy >= s->in[0] || end <= begin)
              begin = end = width;
            memset (row, 0, (size_t)begin * sizeof *row);
            if (step == 1)
              memcpy (row + begin, from + at + begin, (size_t)(end - begin) * sizeof *row);
            else
              for (int64_t i = begin; i < end; i++)
                row[i] = from[at + i * step];
            memset (row + end, 0, (size_t)(width - end) * sizeof *row);
          }
      }
}

static int
count_of (const PareFloats *isa, int64_t left)
{
  return left >= isa->planes ? isa->planes : left >= 4 ? 4 : 1;
}

static void
run (const void *params, const PareView *args, int part, int parts)
{
  const Planes *s = params;
  const PareFloats *isa = pare_accel_floats ();
  float *band = (float *)args[2].data + part * s->scratch;
  int64_t k = s->channels * s->kernel[0] * s->kernel[1], down = (s->out[0] + s->rows - 1) / s->rows,
          across = (s->out[1] + s->columns - 1) / s->columns, all = s->batch * down * across;
  for (int64_t i = all * part / parts; i < all * (part + 1) / parts; i++)
    {
      int64_t image = i / (down * across), oy = i / across % down * s->rows, ox = i % across * s->columns;
      int64_t n = s->out[0] - oy < s->rows ? s->out[0] - oy : s->rows, m = s->out[1] - ox < s->columns ? s->out[1] - ox : s->columns;
      lay_out (s, (const float *)args[0].data + image * s->channels * s->in[0] * s->in[1], oy, n, ox, m, band);
      for (int64_t r = 0; r < n; r++)
        for (int64_t c = 0; c < s->n;)
          {
            int count = count_of (isa, s->n - c);
            isa->plane (&(ParePlaneRow){ .k = k,
                                         .taps = s->taps,
                                         .x = band + r * s->stride[0] * s->stride[1] * s->pitch,
                                         .weights = s->weights + c * k,
                                         .bias = s->bias + c,
                                         .count = count,
                                         .columns = m,
                                         .y = (float *)args[1].data + ((image * s->n + c) * s->out[0] + oy + r) * s->out[1] + ox,
                                         .y_plane = s->out[0] * s->out[1],
                                         .after = &s->after,
                                         .first = c });
            c += count;
          }
    }
}

/* Measured: products in a nanosecond. oneDNN's take vectors of channels. */
static bool
pays (const PareShape *x, const PareShape *y, double macs, bool plain)
{
  double n = (double)y->dims[1], width = (double)y->dims[y->rank - 1], whole = (double)((y->dims[y->rank - 1] + 15) / 16 * 16);
  double ours = macs / (n < 4 ? 45 : 90) * whole / width + (double)pare_shape_count (x) * (plain ? 0.15 : 0.5), theirs = macs / (7 * n);
  return ours < 0.8 * theirs;
}

/* Weights of results in groups: [k][count]. */
static void
pack (const PareFloats *isa, const float *weights, const float *factor, int64_t n, int64_t k, float *to)
{
  for (int64_t c = 0; c < n;)
    {
      int count = count_of (isa, n - c);
      for (int64_t j = 0; j < k; j++)
        for (int i = 0; i < count; i++)
          *to++ = weights[(c + i) * k + j] * (factor ? factor[c + i] : 1);
      c += count;
    }
}

bool
pare_accel_planes (PareAccel *self, uint32_t step, const PareConvShape *shape)
{
  const PareRtStep *st = &self->plan->steps[step];
  const PareConvParams *p = pare_accel_conv_params (self, step);
  uint32_t x = st->in[0];
  const PareShape *sx = &self->plan->values[x].shape, *sy = &self->plan->values[st->out[0]].shape;
  const PareFloats *isa = pare_accel_floats ();
  const float *weights = pare_accel_constant (self, st->in[1]);
  int64_t k = sx->rank > 1 ? sx->dims[1] : 0;
  if (!isa || !weights || p->spatial > 2 || p->group != 1 || sy->dims[1] > MOST_RESULTS || pare_accel_operand (st, 3) != PARE_RT_NONE
      || !pare_accel_after_knows (p->activation) || pare_shape_count (sy) < 1)
    return false;
  const PareMd *plain = pare_accel_plain_md (self, x);
  PareFolded f;
  for (int i = 0; i < p->spatial; i++)
    k *= p->kernel[i];
  if (!plain || k <= sx->dims[1]
      || !pays (sx, sy, (double)pare_shape_count (sy) * (double)k, pare_md_is_row_major (pare_accel_native (self, x)))
      || !pare_accel_fold (self, step, &f))
    return false;
  Planes s = { .batch = sx->dims[0], .channels = sx->dims[1], .n = sy->dims[1], .bias = f.bias, .after = f.after };
  for (int i = 0; i < 2; i++)
    {
      int axis = i - 2 + p->spatial; /* one axis: rows of one image row */
      s.in[i] = axis < 0 ? 1 : sx->dims[axis + 2];
      s.out[i] = axis < 0 ? 1 : sy->dims[axis + 2];
      s.kernel[i] = axis < 0 ? 1 : p->kernel[axis];
      s.stride[i] = axis < 0 ? 1 : shape->stride[axis];
      s.dilation[i] = axis < 0 ? 1 : shape->dilation[axis];
      s.pad[i] = axis < 0 ? 0 : shape->pad_begin[axis];
    }
  s.columns = s.out[1] < COLUMNS ? s.out[1] : COLUMNS;
  s.pitch = s.columns + (s.kernel[1] - 1) * s.dilation[1] / s.stride[1] + 1;
  for (s.rows = (s.out[0] + self->threads - 1) / self->threads;; s.rows--)
    {
      s.held = (s.rows - 1) * s.stride[0] + (s.kernel[0] - 1) * s.dilation[0] + 1;
      s.scratch = s.channels * s.held * s.stride[1] * s.pitch + SLACK;
      if (s.scratch <= BAND || s.rows == 1)
        break;
    }
  float *packed = pare_accel_pack (self, (uint64_t)(s.n * k) * sizeof *packed);
  int64_t *taps = pare_accel_pack (self, (uint64_t)k * sizeof *taps), *tap = taps;
  uint32_t scratch = pare_accel_buffer_new (self, (uint64_t)(s.scratch * self->threads) * sizeof (float));
  if (!packed || !taps || scratch == PARE_RT_NONE)
    return false;
  for (int64_t c = 0; c < s.channels; c++)
    for (int64_t ky = 0; ky < s.kernel[0]; ky++)
      for (int64_t kx = 0; kx < s.kernel[1]; kx++)
        *tap++ = ((c * s.held + ky * s.dilation[0]) * s.stride[1] + kx * s.dilation[1] % s.stride[1]) * s.pitch
                 + kx * s.dilation[1] / s.stride[1];
  pack (isa, weights, f.factor, s.n, k, packed);
  s.weights = packed;
  s.taps = taps;
  const uint32_t in = pare_accel_form (self, step, x, plain);
  const uint32_t buffers[3] = { in, pare_accel_new_form (self, f.y, pare_accel_plain_md (self, f.y)), scratch };
  double ns = (double)pare_shape_count (sy) * (double)k / 60;
  return pare_accel_add_work (self, step, run, &s, sizeof s, (uint64_t)(ns * PARE_ACCEL_IN_NS), buffers, 3)
         && pare_accel_absorb (self, f.norm);
}
