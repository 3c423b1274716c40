/* Pools on codes of 8 bits: the largest of a window, and the mean laid on another grid. */
#include "engine/runtime/kernels/integer.h"
#include "engine/runtime/kernels/pool.h"

typedef struct
{
  const PareQAvgPoolParams *p; /* NULL: the largest */
  const PoolGeometry *g;
  const PareView *x, *y;
} Job;

/* Kernel positions of an axis that lie inside, for a window that starts at `from`. */
static void
inside (int64_t from, int64_t k, int64_t dil, int64_t extent, int64_t *k0, int64_t *k1)
{
  *k0 = from >= 0 ? 0 : (-from + dil - 1) / dil;
  *k1 = extent <= from ? 0 : (extent - from + dil - 1) / dil;
  *k1 = *k1 < k ? *k1 : k;
}

/* What the mean is divided by. */
static int64_t
divisor (const Job *j, const int64_t *from, int64_t seen)
{
  int64_t n = 1;
  if (!j->p->pool.count_include_pad)
    return seen;
  for (int i = 0; i < 3; i++)
    {
      int64_t k0, k1;
      inside (from[i], j->g->k[i], j->g->dil[i], j->g->in[i] + j->g->pad_end[i], &k0, &k1);
      n *= k1; /* padding in front counts */
    }
  return n;
}

static void
plane_task (int64_t plane, int worker, void *arg)
{
  const Job *j = arg;
  const PoolGeometry *g = j->g;
  bool is_signed = j->x->dtype == PARE_DTYPE_INT8;
  const uint8_t *x = (const uint8_t *)j->x->data + plane * g->in[0] * g->in[1] * g->in[2];
  uint8_t *y = (uint8_t *)j->y->data + plane * g->out[0] * g->out[1] * g->out[2], flip = is_signed ? 0x80 : 0;
  for (int64_t oz = 0; oz < g->out[0]; oz++)
    for (int64_t oy = 0; oy < g->out[1]; oy++)
      for (int64_t ox = 0; ox < g->out[2]; ox++)
        {
          int64_t from[3] = { oz * g->stride[0] - g->pad[0], oy * g->stride[1] - g->pad[1], ox * g->stride[2] - g->pad[2] }, k0[3], k1[3];
          int32_t best = 0, sum = 0; /* signed codes are moved up by 128, so that bytes compare as they should */
          for (int i = 0; i < 3; i++)
            inside (from[i], g->k[i], g->dil[i], g->in[i], &k0[i], &k1[i]);
          for (int64_t kz = k0[0]; kz < k1[0]; kz++)
            for (int64_t ky = k0[1]; ky < k1[1]; ky++)
              {
                const uint8_t *row = x + ((from[0] + kz * g->dil[0]) * g->in[1] + from[1] + ky * g->dil[1]) * g->in[2] + from[2];
                for (int64_t kx = k0[2]; kx < k1[2]; kx++)
                  {
                    int32_t code = (uint8_t)(row[kx * g->dil[2]] ^ flip);
                    best = code > best ? code : best;
                    sum += code;
                  }
              }
          if (!j->p)
            {
              *y++ = (uint8_t)(best ^ flip);
              continue;
            }
          int64_t seen = (k1[0] - k0[0]) * (k1[1] - k0[1]) * (k1[2] - k0[2]);
          seen = k1[0] > k0[0] && k1[1] > k0[1] && k1[2] > k0[2] ? seen : 0;
          int64_t n = divisor (j, from, seen);
          float v = n > 0 ? (float)(sum - (int32_t)seen * (flip + j->p->zero_x)) * (j->p->scale_x / (j->p->scale_y * (float)n)) : 0;
          *y++ = (uint8_t)round_code (v, j->p->zero_y, j->p->lo, j->p->hi);
        }
}

void
pare_rt_max_pool_codes (const PoolGeometry *g, const PareView *x, PareView *y)
{
  Job job = { NULL, g, x, y };
  pare_rt_parallel (g->planes, plane_task, &job);
}

KERNEL (pare_rt_k_qavg_pool)
{
  const PareQAvgPoolParams *p = params;
  PoolGeometry g;
  REQUIRE (p && n_in == 1 && n_out == 1 && pare_rt_pool_geometry (&p->pool, &in[0], &out[0], &g));
  SUPPORT (is_codes (&in[0]) && is_codes (&out[0]));
  REQUIRE (fits_codes (&in[0], p->zero_x, p->zero_x) && fits_codes (&out[0], p->lo, p->hi) && p->scale_y > 0);
  for (int i = 0; i < 3; i++)
    REQUIRE (g.k[i] <= 1 << 20 && g.k[0] * g.k[1] * g.k[2] <= 1 << 22);
  CHECKED;
  Job job = { p, &g, &in[0], &out[0] };
  pare_rt_parallel (g.planes, plane_task, &job);
  return PARE_RT_OK;
}
