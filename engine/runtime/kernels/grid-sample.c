/* GridSample over images and volumes. Where a result comes from is the same for all channels: positions and weights are made for a block of
 * results, then each channel takes its block of sums, in vectors. */
#include "engine/runtime/kernels/kernel.h"

#define BLOCK 64
#define AXES 3
#define TAPS 64 /* cubic in a volume */

typedef struct
{
  const float *x, *grid;
  float *y;
  PareGridSampleParams p;
  int axes, taps;         /* taps of one axis */
  int64_t dim[AXES];      /* of x */
  int64_t area, channels; /* elements of a channel of x */
  int64_t outs, blocks;   /* results of a channel, blocks of them */
} Job;

/* Back into lo..hi, reflected at both as often as it takes. */
static float
reflect (float v, float lo, float hi)
{
  float range = hi - lo, off = v < lo ? lo - v : v - hi;
  if (v >= lo && v <= hi)
    return v;
  if (!(range > 0) || !(off < 1e9f))
    return lo;
  int64_t n = (int64_t)(off / range);
  float rest = off - (float)n * range;
  return (n % 2 == 0) == (v < lo) ? lo + rest : hi - rest;
}

/* The taps of a coordinate: positions, -1 where nothing lies, and weights. */
static void
taps_of (const Job *j, float normal, int64_t n, int64_t at[4], float weight[4])
{
  bool align = j->p.align_corners != 0;
  float lo = align ? 0 : -0.5f, hi = align ? (float)n - 1 : (float)n - 0.5f;
  float v = align ? (normal + 1) / 2 * ((float)n - 1) : ((normal + 1) * (float)n - 1) / 2;
  if (j->p.mode == PARE_GRID_NEAREST)
    v = rintf (v);
  if (!(v >= lo && v <= hi) && j->p.padding == PARE_GRID_BORDER)
    {
      /* Of a cubic the border is taken for each tap; from here on all of them lie there. */
      float beyond = j->p.mode == PARE_GRID_CUBIC ? 3 : 0;
      v = v > 0 ? fminf (v, (float)n - 1 + beyond) : fmaxf (v, -beyond);
    }
  else if (!(v >= lo && v <= hi) && j->p.padding == PARE_GRID_REFLECTION)
    v = reflect (v, lo, hi);
  if (!(fabsf (v) < 1e9f)) /* far outside of anything, or not a number */
    v = -1e9f;
  float base = floorf (v), f = v - base;
  int64_t first = (int64_t)base;
  if (j->p.mode == PARE_GRID_CUBIC)
    {
      const float a = -0.75f;
      first--;
      weight[0] = ((a * (f + 1) - 5 * a) * (f + 1) + 8 * a) * (f + 1) - 4 * a;
      weight[1] = ((a + 2) * f - (a + 3)) * f * f + 1;
      weight[2] = ((a + 2) * (1 - f) - (a + 3)) * (1 - f) * (1 - f) + 1;
      weight[3] = ((a * (2 - f) - 5 * a) * (2 - f) + 8 * a) * (2 - f) - 4 * a;
    }
  else
    {
      weight[0] = 1 - f;
      weight[1] = f;
    }
  for (int t = 0; t < j->taps; t++)
    {
      int64_t i = first + t;
      if (i < 0 || i >= n)
        {
          float back = j->p.padding == PARE_GRID_REFLECTION ? reflect ((float)i, lo, hi) : (float)i;
          i = j->p.padding == PARE_GRID_ZEROS ? -1 : back > (float)(n - 1) ? n - 1 : back > 0 ? (int64_t)back : 0;
        }
      at[t] = i;
    }
}

/* Of result i of the block: positions and weights of all its taps, tap by tap BLOCK apart. */
static void
place (const Job *j, const float *normal, int32_t *at, float *weight)
{
  int64_t positions[AXES][4];
  float weights[AXES][4];
  int n = 1;
  for (int a = 0; a < j->axes; a++, n *= j->taps)
    taps_of (j, normal[j->axes - 1 - a], j->dim[a], positions[a], weights[a]);
  for (int t = 0; t < n; t++)
    {
      int64_t to = 0;
      float w = 1;
      for (int a = 0, rest = t, each = n / j->taps; a<j->axes; a++, rest %= each, each = each> 1 ? each / j->taps : 1)
        {
          int k = rest / each;
          to = to < 0 || positions[a][k] < 0 ? -1 : to * j->dim[a] + positions[a][k];
          w *= weights[a][k];
          if (each == 1)
            rest = 0;
        }
      at[t * BLOCK] = to < 0 ? 0 : (int32_t)to;
      weight[t * BLOCK] = to < 0 ? 0 : w;
    }
}

PARE_RT_CLONES static void
sum_up (const float *restrict x, const int32_t *restrict at, const float *restrict weight, int taps, float *restrict y, int64_t n)
{
  float sum[BLOCK] = { 0 };
  for (int t = 0; t < taps; t++, at += BLOCK, weight += BLOCK)
    for (int i = 0; i < BLOCK; i++)
      sum[i] += weight[i] * x[at[i]];
  memcpy (y, sum, (size_t)n * sizeof (float));
}

static void
sample (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t image = task / j->blocks, first = task % j->blocks * BLOCK, n = j->outs - first < BLOCK ? j->outs - first : BLOCK;
  int32_t at[TAPS * BLOCK];
  float weight[TAPS * BLOCK];
  int taps = 1;
  for (int a = 0; a < j->axes; a++)
    taps *= j->taps;
  for (int64_t i = 0; i < BLOCK; i++) /* beyond the last: as the last */
    place (j, j->grid + (image * j->outs + first + (i < n ? i : n - 1)) * j->axes, at + i, weight + i);
  for (int64_t c = 0; c < j->channels; c++)
    sum_up (j->x + (image * j->channels + c) * j->area, at, weight, taps, j->y + (image * j->channels + c) * j->outs + first, n);
}

KERNEL (pare_rt_k_grid_sample)
{
  const PareGridSampleParams *p = params;
  REQUIRE (p && n_in == 2 && n_out == 1 && in[0].shape.rank == in[1].shape.rank && in[0].shape.rank == out[0].shape.rank);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&in[1]) && is_f32 (&out[0]) && in[0].shape.rank >= 3 && in[0].shape.rank <= 2 + AXES);
  int rank = in[0].shape.rank;
  REQUIRE (p->mode <= PARE_GRID_CUBIC && p->padding <= PARE_GRID_REFLECTION && in[1].shape.dims[rank - 1] == rank - 2);
  REQUIRE (in[0].shape.dims[0] == in[1].shape.dims[0] && in[0].shape.dims[0] == out[0].shape.dims[0]
           && in[0].shape.dims[1] == out[0].shape.dims[1]);
  Job j = { .p = *p, .axes = rank - 2, .taps = p->mode == PARE_GRID_CUBIC ? 4 : p->mode == PARE_GRID_LINEAR ? 2 : 1 };
  for (int a = 0; a < j.axes; a++)
    {
      REQUIRE (in[1].shape.dims[1 + a] == out[0].shape.dims[2 + a] && in[0].shape.dims[2 + a] > 0);
      j.dim[a] = in[0].shape.dims[2 + a];
    }
  j.area = product (&in[0].shape, 2, rank);
  SUPPORT (j.area <= INT32_MAX);
  CHECKED;
  j.x = in[0].data;
  j.grid = in[1].data;
  j.y = out[0].data;
  j.channels = in[0].shape.dims[1];
  j.outs = product (&out[0].shape, 2, rank);
  j.blocks = (j.outs + BLOCK - 1) / BLOCK;
  pare_rt_parallel_if (count_of (&out[0]) >= PARE_RT_SHARE, in[0].shape.dims[0] * j.blocks, sample, &j);
  return PARE_RT_OK;
}
