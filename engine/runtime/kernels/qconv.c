/* QConv: convolution on codes, see PareQConvParams. This is the definition, loop by loop; faster ways must give the same bits. */
#include "engine/runtime/kernels/conv.h"
#include "engine/runtime/kernels/integer.h"

typedef struct
{
  const PareQConvParams *p;
  const ConvGeometry *g;
  const PareView *x, *w, *y;
  const int32_t *bias;
  const float *scale;
} Job;

static int32_t
sum_at (const Job *j, int64_t n, int64_t m, int64_t oz, int64_t oy, int64_t ox)
{
  const ConvGeometry *g = j->g;
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
  const Job *j = arg;
  const ConvGeometry *g = j->g;
  const PareQConvParams *p = j->p;
  int64_t m = task % g->m, at = task * g->out[0] * g->out[1] * g->out[2];
  float bias = j->bias ? (float)j->bias[m] : 0, *to = (float *)j->y->data + at;
  for (int64_t oz = 0; oz < g->out[0]; oz++)
    for (int64_t oy = 0; oy < g->out[1]; oy++)
      for (int64_t ox = 0; ox < g->out[2]; ox++, at++)
        {
          float v = scale_sum (sum_at (j, task / g->m, m, oz, oy, ox), bias, j->scale[m]);
          if (is_codes (j->y))
            ((uint8_t *)j->y->data)[at] = (uint8_t)round_code (v, p->zero_y, p->lo, p->hi);
          else
            ((float *)j->y->data)[at] = v;
        }
  if (!is_codes (j->y))
    pare_rt_activate (to, g->out[0] * g->out[1] * g->out[2], p->conv.activation, p->conv.lo, p->conv.hi, p->conv.alpha);
}

KERNEL (pare_rt_k_qconv)
{
  const PareQConvParams *p = params;
  ConvGeometry g;
  REQUIRE (p && n_in == 4 && n_out == 1);
  SUPPORT (is_codes (&in[0]) && is_weight_codes (&in[1]) && (is_codes (&out[0]) || is_f32 (&out[0])));
  REQUIRE (pare_rt_conv_geometry (&p->conv, &in[0], &in[1], &out[0], &g));
  REQUIRE (in[1].shape.dims[0] == g.m && in[1].shape.dims[1] == g.c / g.group);
  REQUIRE (!given (in, n_in, 2) || (in[2].dtype == PARE_DTYPE_INT32 && count_of (&in[2]) == g.m));
  REQUIRE (is_f32 (&in[3]) && count_of (&in[3]) == g.m);
  for (int i = 0; i < 3; i++)
    REQUIRE (g.pad[i] >= 0 && g.pad_end[i] >= 0
             && g.out[i] == (g.in[i] + g.pad[i] + g.pad_end[i] - g.dil[i] * (g.k[i] - 1) - 1) / g.stride[i] + 1);
  REQUIRE (fits_codes (&in[0], p->zero_x, p->zero_x));
  REQUIRE (is_f32 (&out[0]) || (fits_codes (&out[0], p->lo, p->hi) && fits_codes (&out[0], p->zero_y, p->zero_y)));
  CHECKED;
  Job job = { p, &g, &in[0], &in[1], &out[0], given (in, n_in, 2) ? in[2].data : NULL, in[3].data };
  if (count_of (&out[0]) > 0)
    pare_rt_parallel (g.n * g.m, plane_task, &job);
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_qconv)
{
  return 0;
}

PACK (pare_rt_p_qconv)
{
  return 0;
}
