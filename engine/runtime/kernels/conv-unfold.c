/* Convolutions of few positions, which would leave most of a vector empty: what lies under each of them is a row, and channels lie along
 * the vectors: a product of matrices. One position over all of the input is such a row as it lies. */
#include "engine/runtime/kernels/conv.h"

/* One position of output over all of the input. */
static bool
whole_plane (const ConvGeometry *g)
{
  for (int i = 0; i < 3; i++)
    if (g->out[i] != 1 || g->k[i] != g->in[i] || g->pad[i] != 0 || g->pad_end[i] != 0)
      return false;
  return true;
}

static int64_t
positions_of (const ConvGeometry *g)
{
  return g->out[0] * g->out[1] * g->out[2];
}

bool
pare_rt_conv_unfolds (const ConvJob *job)
{
  const ConvGeometry *g = &job->g;
  int64_t lanes = job->isa->lanes;
  if (g->group != 1)
    return false;
  if (whole_plane (g))
    return true;
  for (int i = 0; i < 3; i++)
    if (g->out[i] > lanes)
      return false;
  /* By what a vector of positions leaves empty, in halves of a cycle for each term: unfolding takes three for a float. */
  int64_t positions = positions_of (g);
  return positions <= lanes && (lanes - positions) * g->m > 3 * positions * lanes;
}

/* Floats of the rows and of their product, in whole lines of the cache. FALSE: too large. */
static bool
floats_of (const ConvJob *job, int64_t *rows, int64_t *product)
{
  int64_t positions = positions_of (&job->g);
  *rows = *product = 0;
  if (whole_plane (&job->g))
    return true;
  return !__builtin_mul_overflow (positions, job->terms, rows) && !__builtin_mul_overflow (positions, job->g.m, product)
         && !__builtin_add_overflow (*rows, 15, rows) && (*rows -= *rows % 16) < INT64_MAX / 64 && *product < INT64_MAX / 64;
}

uint64_t
pare_rt_conv_unfold_scratch (const ConvJob *job, int workers)
{
  int64_t rows, product;
  if (!floats_of (job, &rows, &product))
    return UINT64_MAX / 2;
  return PARE_RT_GEMM_SCRATCH * (uint64_t)workers + (uint64_t)(rows + product) * sizeof (float);
}

uint64_t
pare_rt_conv_unfold_pack (const ConvJob *job, const float *w, float *to)
{
  return pare_rt_sgemm_pack (job->g.m, job->terms, w, 1, job->terms, to);
}

/* The taps 0..k-1 from `at` on, `step` apart, that lie in 0..size-1. */
static inline void
taps_inside (int64_t at, int64_t step, int64_t k, int64_t size, int64_t *first, int64_t *end)
{
  *first = at < 0 ? (step - 1 - at) / step : 0;
  *end = at >= size ? 0 : (size - at + step - 1) / step;
  *end = *end < k ? *end : k;
}

static void
unfold (const ConvJob *job, const float *x, int64_t oz, int64_t oy, int64_t ox, float *to)
{
  const ConvGeometry *g = &job->g;
  const int64_t o[3] = { oz, oy, ox };
  int64_t at[3], first[3], end[3];
  for (int i = 0; i < 3; i++)
    {
      at[i] = o[i] * g->stride[i] - g->pad[i];
      taps_inside (at[i], g->dil[i], g->k[i], g->in[i], &first[i], &end[i]);
    }
  for (int64_t c = 0; c < g->c; c++)
    for (int64_t kz = 0; kz < g->k[0]; kz++)
      for (int64_t ky = 0; ky < g->k[1]; ky++, to += g->k[2])
        {
          if (kz < first[0] || kz >= end[0] || ky < first[1] || ky >= end[1] || first[2] >= end[2])
            {
              for (int64_t kx = 0; kx < g->k[2]; kx++)
                to[kx] = 0;
              continue;
            }
          const float *row = x + ((c * g->in[0] + at[0] + kz * g->dil[0]) * g->in[1] + at[1] + ky * g->dil[1]) * g->in[2];
          for (int64_t kx = 0; kx < first[2]; kx++)
            to[kx] = 0;
          for (int64_t kx = first[2]; kx < end[2]; kx++)
            to[kx] = row[at[2] + kx * g->dil[2]];
          for (int64_t kx = end[2]; kx < g->k[2]; kx++)
            to[kx] = 0;
        }
}

void
pare_rt_conv_unfold (const ConvJob *job)
{
  const ConvGeometry *g = &job->g;
  const PareConvParams *p = job->p;
  int64_t positions = positions_of (g), rows, product;
  PareRtGemmAfter after = { .alpha = 1, .beta = 1, .c = job->b, .col_stride = 1, .activation = PARE_ACT_NONE };
  if (whole_plane (g))
    {
      after.residual = job->residual;
      after.activation = p->activation;
      after.lo = p->lo;
      after.hi = p->hi;
      after.act_alpha = p->alpha;
      pare_rt_sgemm_after (g->n, g->m, job->terms, job->x, job->terms, job->w, 1, job->terms, job->packed, job->y, g->m, &after,
                           job->scratch);
      return;
    }
  floats_of (job, &rows, &product);
  float *row = (float *)(void *)(job->scratch + PARE_RT_GEMM_SCRATCH * (uint64_t)pare_rt_workers ()), *sums = row + rows;
  for (int64_t n = 0; n < g->n; n++)
    {
      const float *x = job->x + n * g->c * g->in[0] * g->in[1] * g->in[2];
      float *y = job->y + n * g->m * positions, *to = row;
      for (int64_t oz = 0; oz < g->out[0]; oz++)
        for (int64_t oy = 0; oy < g->out[1]; oy++)
          for (int64_t ox = 0; ox < g->out[2]; ox++, to += job->terms)
            unfold (job, x, oz, oy, ox, to);
      pare_rt_sgemm_after (positions, g->m, job->terms, row, job->terms, job->w, 1, job->terms, job->packed, sums, g->m, &after,
                           job->scratch);
      for (int64_t m = 0; m < g->m; m++)
        for (int64_t i = 0; i < positions; i++)
          y[m * positions + i] = sums[i * g->m + m] + (job->residual ? job->residual[(n * g->m + m) * positions + i] : 0);
      pare_rt_activate (y, g->m * positions, p->activation, p->lo, p->hi, p->alpha);
    }
}
