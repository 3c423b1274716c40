/* Depthwise Conv: x [N,C,H,W], w [M,1,kH,kW], M a multiple of C; one plane of output after the other, row by row. */
#include "engine/runtime/kernels/conv.h"

typedef struct {
  const PareConvParams *p;
  const ConvGeometry *g;
  const float *x, *w, *b, *residual;
  float *y;
} Job;

/* to[i] += w * from[i * s] */
PARE_RT_CLONES static void
add_row (float *to, const float *from, int64_t n, int64_t s, float w)
{
  if (s == 1)
    for (int64_t i = 0; i < n; i++)
      to[i] += w * from[i];
  else if (s == 2)
    for (int64_t i = 0; i < n; i++)
      to[i] += w * from[2 * i];
  else
    for (int64_t i = 0; i < n; i++)
      to[i] += w * from[i * s];
}

/* Three taps at once, for the inside of a 3-wide kernel with unit dilation. */
PARE_RT_CLONES static void
add_row3 (float *to, const float *from, int64_t n, int64_t s, const float *w)
{
  float w0 = w[0], w1 = w[1], w2 = w[2];
  if (s == 1)
    for (int64_t i = 0; i < n; i++)
      to[i] = to[i] + w0 * from[i] + w1 * from[i + 1] + w2 * from[i + 2];
  else if (s == 2)
    for (int64_t i = 0; i < n; i++)
      to[i] = to[i] + w0 * from[2 * i] + w1 * from[2 * i + 1] + w2 * from[2 * i + 2];
  else
    for (int64_t i = 0; i < n; i++)
      to[i] = to[i] + w0 * from[i * s] + w1 * from[i * s + 1] + w2 * from[i * s + 2];
}

/* Output columns whose input column under kernel column kx lies inside. */
static void
valid_range (const ConvGeometry *g, int64_t kx, int64_t *lo, int64_t *hi)
{
  int64_t s = g->stride[2], shift = kx * g->dil[2] - g->pad[2];
  *lo = shift >= 0 ? 0 : (-shift + s - 1) / s;
  *hi = g->in[2] - 1 - shift < 0 ? 0 : (g->in[2] - 1 - shift) / s + 1;
  *hi = *hi > g->out[2] ? g->out[2] : *hi;
}

static void
plane_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  const ConvGeometry *g = j->g;
  int64_t n = task / g->m, m = task % g->m, c = m / (g->m / g->group);
  int64_t oh = g->out[1], ow = g->out[2], s = g->stride[2];
  const float *x = j->x + (n * g->c + c) * g->in[1] * g->in[2], *w = j->w + m * g->k[1] * g->k[2];
  float *y = j->y + task * oh * ow;
  bool three = g->k[2] == 3 && g->dil[2] == 1;
  int64_t lo0, hi0, lo1, hi1, lo2 = 0, hi2 = 0;
  valid_range (g, 0, &lo0, &hi0);
  if (three)
    {
      valid_range (g, 1, &lo1, &hi1);
      valid_range (g, 2, &lo2, &hi2);
      three = hi2 > lo0;
    }
  memset (y, 0, oh * ow * sizeof (float));
  for (int64_t oy = 0; oy < oh; oy++)
    for (int64_t ky = 0; ky < g->k[1]; ky++)
      {
        int64_t iy = oy * g->stride[1] - g->pad[1] + ky * g->dil[1];
        if (iy < 0 || iy >= g->in[1])
          continue;
        const float *row = x + iy * g->in[2], *wr = w + ky * 3;
        float *to = y + oy * ow;
        if (three)
          {
            /* the inside by threes; the few columns at the edges tap by tap */
            add_row3 (to + lo0, row + lo0 * s - g->pad[2], hi2 - lo0, s, wr);
            for (int64_t kx = 1; kx < 3; kx++)
              {
                int64_t lo = kx == 1 ? lo1 : lo2;
                for (int64_t ox = lo; ox < lo0 && ox < ow; ox++)
                  to[ox] += wr[kx] * row[ox * s - g->pad[2] + kx];
              }
            for (int64_t kx = 0; kx < 2; kx++)
              {
                int64_t hi = kx == 0 ? hi0 : hi1;
                for (int64_t ox = hi2; ox < hi; ox++)
                  to[ox] += wr[kx] * row[ox * s - g->pad[2] + kx];
              }
            continue;
          }
        for (int64_t kx = 0; kx < g->k[2]; kx++)
          {
            int64_t lo, hi;
            valid_range (g, kx, &lo, &hi);
            if (hi > lo)
              add_row (to + lo, row + lo * s - g->pad[2] + kx * g->dil[2], hi - lo, s, w[ky * g->k[2] + kx]);
          }
      }
  pare_rt_conv_epilogue (y, j->residual ? j->residual + task * oh * ow : NULL, oh * ow, j->b ? j->b[m] : 0, j->p);
}

void
pare_rt_conv_depthwise (const PareConvParams *p, const ConvGeometry *g, const float *x, const float *w, const float *b, const float *residual, float *y)
{
  Job job = { p, g, x, w, b, residual, y };
  pare_rt_parallel (g->n * g->m, plane_task, &job);
}
