/* QConv as PareQConvParams defines it, loop by loop. Faster ways give the same bits. */
#include "engine/runtime/kernels/qconv.h"

static int32_t
sum_at (const PareQConv *j, int64_t n, int64_t m, int64_t oz, int64_t oy, int64_t ox)
{
  const ConvGeometry *g = &j->g;
  int64_t cg = g->c / g->group, c0 = m / (g->m / g->group) * cg;
  int32_t acc = 0;
  for (int64_t c = 0; c < cg; c++)
    for (int64_t kz = 0; kz < g->k[0]; kz++)
      for (int64_t ky = 0; ky < g->k[1]; ky++)
        for (int64_t kx = 0; kx < g->k[2]; kx++)
          {
            int64_t iz = oz * g->stride[0] - g->pad[0] + kz * g->dil[0], iy = oy * g->stride[1] - g->pad[1] + ky * g->dil[1],
                    ix = ox * g->stride[2] - g->pad[2] + kx * g->dil[2];
            if (iz < 0 || iz >= g->in[0] || iy < 0 || iy >= g->in[1] || ix < 0 || ix >= g->in[2])
              continue;
            int32_t x = code_at (j->x, (((n * g->c + c0 + c) * g->in[0] + iz) * g->in[1] + iy) * g->in[2] + ix) - j->p->zero_x;
            acc += x * code_at (j->w, (((m * cg + c) * g->k[0] + kz) * g->k[1] + ky) * g->k[2] + kx);
          }
  return acc;
}

static void
plane_task (int64_t task, int worker, void *arg)
{
  const PareQConv *j = arg;
  const ConvGeometry *g = &j->g;
  const PareQConvParams *p = j->p;
  int64_t m = task % g->m, at = task * g->out[0] * g->out[1] * g->out[2];
  float bias = j->bias ? (float)j->bias[m] : 0, *to = (float *)j->y->data + at;
  for (int64_t oz = 0; oz < g->out[0]; oz++)
    for (int64_t oy = 0; oy < g->out[1]; oy++)
      for (int64_t ox = 0; ox < g->out[2]; ox++, at++)
        {
          float v = scale_sum (sum_at (j, task / g->m, m, oz, oy, ox), bias, j->scale[m]);
          if (j->factor)
            v = affine_value (v, j->least, j->most, j->rounding, j->factor[m], j->offset[m]);
          if (is_codes (j->y))
            ((uint8_t *)j->y->data)[at] = (uint8_t)round_code (v, p->zero_y, p->lo, p->hi);
          else
            ((float *)j->y->data)[at] = v;
        }
  if (!is_codes (j->y))
    pare_rt_activate (to, g->out[0] * g->out[1] * g->out[2], p->conv.activation, p->conv.lo, p->conv.hi, p->conv.alpha);
}

void
pare_rt_qconv_loop (const PareQConv *c)
{
  pare_rt_parallel (c->g.n * c->g.m, plane_task, (void *)c);
}
