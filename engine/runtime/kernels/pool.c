/* Pooling: x [N,C,D,H,W] (1 to 3 spatial axes) -> y [N,C,oD,oH,oW]. */
#include "engine/runtime/kernels/pool.h"

bool
pare_rt_pool_geometry (const ParePoolParams *p, const PareView *x, const PareView *y, PoolGeometry *g)
{
  int s = p->spatial;
  if (s < 1 || s > 3 || x->shape.rank != s + 2 || y->shape.rank != s + 2 || x->shape.dims[0] != y->shape.dims[0]
      || x->shape.dims[1] != y->shape.dims[1])
    return false;
  g->planes = x->shape.dims[0] * x->shape.dims[1];
  for (int i = 0; i < 3; i++)
    {
      int a = i - (3 - s);
      g->in[i] = a < 0 ? 1 : x->shape.dims[2 + a];
      g->out[i] = a < 0 ? 1 : y->shape.dims[2 + a];
      g->k[i] = a < 0 ? 1 : p->kernel[a];
      g->stride[i] = a < 0 ? 1 : p->stride[a];
      g->dil[i] = a < 0 ? 1 : p->dilation[a];
      g->pad[i] = a < 0 ? 0 : p->pad_begin[a];
      g->pad_end[i] = a < 0 ? 0 : p->pad_end[a];
      if (g->k[i] < 1 || g->stride[i] < 1 || g->dil[i] < 1)
        return false;
    }
  return true;
}

typedef struct
{
  const ParePoolParams *p;
  const PoolGeometry *g;
  const float *x;
  float *y;
  bool max;
} Job;

static void
pool_plane (int64_t plane, int worker, void *arg)
{
  const Job *j = arg;
  const PoolGeometry *g = j->g;
  const float *x = j->x + plane * g->in[0] * g->in[1] * g->in[2];
  float *y = j->y + plane * g->out[0] * g->out[1] * g->out[2];
  for (int64_t oz = 0; oz < g->out[0]; oz++)
    for (int64_t oy = 0; oy < g->out[1]; oy++)
      for (int64_t ox = 0; ox < g->out[2]; ox++)
        {
          int64_t z0 = oz * g->stride[0] - g->pad[0], y0 = oy * g->stride[1] - g->pad[1], x0 = ox * g->stride[2] - g->pad[2], seen = 0;
          float best = -INFINITY, sum = 0;
          for (int64_t kz = 0; kz < g->k[0]; kz++)
            for (int64_t ky = 0; ky < g->k[1]; ky++)
              {
                int64_t iz = z0 + kz * g->dil[0], iy = y0 + ky * g->dil[1];
                if (iz < 0 || iz >= g->in[0] || iy < 0 || iy >= g->in[1])
                  continue;
                const float *row = x + (iz * g->in[1] + iy) * g->in[2];
                for (int64_t kx = 0; kx < g->k[2]; kx++)
                  {
                    int64_t ix = x0 + kx * g->dil[2];
                    if (ix < 0 || ix >= g->in[2])
                      continue;
                    best = row[ix] > best || isnan (row[ix]) ? row[ix] : best;
                    sum += row[ix];
                    seen++;
                  }
              }
          if (!j->max && j->p->count_include_pad)
            {
              /* a window that ceil mode lets reach beyond the padding counts only what lies inside it */
              seen = 1;
              int64_t from[3] = { z0, y0, x0 };
              for (int i = 0; i < 3; i++)
                {
                  int64_t inside = 0;
                  for (int64_t k = 0; k < g->k[i]; k++)
                    inside += from[i] + k * g->dil[i] < g->in[i] + g->pad_end[i];
                  seen *= inside;
                }
            }
          *y++ = j->max ? best : seen > 0 ? sum / (float)seen : 0;
        }
}

static PareRtStatus
pool (const void *params, const PareView *in, uint32_t n_in, PareView *out, uint32_t n_out, void *scratch, bool max)
{
  const ParePoolParams *p = params;
  PoolGeometry g;
  REQUIRE (p && n_in >= 1 && n_out >= 1 && in[0].dtype == out[0].dtype && pare_rt_pool_geometry (p, &in[0], &out[0], &g));
  SUPPORT ((is_f32 (&in[0]) || (max && element_size (&in[0]) == 1)) && n_out == 1);
  CHECKED;
  if (!is_f32 (&in[0]))
    {
      pare_rt_max_pool_codes (&g, &in[0], &out[0]);
      return PARE_RT_OK;
    }
  Job job = { p, &g, in[0].data, out[0].data, max };
  pare_rt_parallel (g.planes, pool_plane, &job);
  return PARE_RT_OK;
}

KERNEL (pare_rt_k_max_pool)
{
  return pool (params, in, n_in, out, n_out, scratch, true);
}

KERNEL (pare_rt_k_avg_pool)
{
  return pool (params, in, n_in, out, n_out, scratch, false);
}

static PareRtStatus
global (const PareView *in, uint32_t n_in, PareView *out, uint32_t n_out, void *scratch, bool max)
{
  REQUIRE (n_in >= 1 && n_out == 1 && in[0].shape.rank >= 2);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&out[0]));
  int64_t planes = product (&in[0].shape, 0, 2), area = product (&in[0].shape, 2, in[0].shape.rank);
  REQUIRE (count_of (&out[0]) == planes);
  CHECKED;
  for (int64_t i = 0; i < planes; i++)
    {
      const float *x = (const float *)in[0].data + i * area;
      double sum = 0;
      float best = -INFINITY;
      for (int64_t k = 0; k < area; k++)
        {
          sum += x[k];
          best = x[k] > best || isnan (x[k]) ? x[k] : best;
        }
      ((float *)out[0].data)[i] = max ? best : (float)(sum / (double)area);
    }
  return PARE_RT_OK;
}

KERNEL (pare_rt_k_global_avg_pool)
{
  return global (in, n_in, out, n_out, scratch, false);
}

KERNEL (pare_rt_k_global_max_pool)
{
  return global (in, n_in, out, n_out, scratch, true);
}
