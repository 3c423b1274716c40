/* BatchNormalization (inference): y = (x - mean) / sqrt (var + epsilon) * scale + bias for each channel (axis 1). */
#include "engine/runtime/kernels/kernel.h"

typedef struct
{
  const float *x, *scale, *bias, *mean, *var;
  float *y, epsilon;
  int64_t planes, channels, area, blocks; /* planes are shared in so many blocks */
} Job;

PARE_RT_CLONES static void
scale_plane (const float *x, float *y, int64_t n, float a, float b)
{
  for (int64_t i = 0; i < n; i++)
    y[i] = x[i] * a + b;
}

static void
normalize_planes (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  for (int64_t i = j->planes * task / j->blocks; i < j->planes * (task + 1) / j->blocks; i++)
    {
      int64_t c = i % j->channels;
      float a = j->scale[c] / sqrtf (j->var[c] + j->epsilon), b = j->bias[c] - j->mean[c] * a;
      scale_plane (j->x + i * j->area, j->y + i * j->area, j->area, a, b);
    }
}

KERNEL (pare_rt_k_batch_norm)
{
  const PareBatchNormParams *p = params;
  REQUIRE (p && n_in == 5 && n_out == 1 && in[0].shape.rank >= 2 && same_shape (&in[0], &out[0]));
  SUPPORT (is_f32 (&in[0]) && is_f32 (&out[0]));
  for (int i = 1; i < 5; i++)
    {
      SUPPORT (is_f32 (&in[i]));
      REQUIRE (count_of (&in[i]) == in[0].shape.dims[1]);
    }
  CHECKED;
  int64_t n = product (&in[0].shape, 0, 2), area = product (&in[0].shape, 2, in[0].shape.rank);
  int64_t blocks = 3 * (int64_t)pare_rt_workers ();
  Job job = { .x = in[0].data,
              .scale = in[1].data,
              .bias = in[2].data,
              .mean = in[3].data,
              .var = in[4].data,
              .y = out[0].data,
              .epsilon = p->epsilon,
              .planes = n,
              .channels = in[0].shape.dims[1],
              .area = area,
              .blocks = n < blocks ? n : blocks };
  if (n * area == 0)
    return PARE_RT_OK;
  pare_rt_parallel_if (n * area >= 2 * PARE_RT_SHARE, job.blocks, normalize_planes, &job);
  return PARE_RT_OK;
}
