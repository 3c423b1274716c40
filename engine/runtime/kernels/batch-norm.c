/* BatchNormalization (inference): y = (x - mean) / sqrt (var + epsilon) * scale + bias for each channel (axis 1). */
#include "engine/runtime/kernels/kernel.h"

typedef struct
{
  const float *x, *scale, *bias, *mean, *var;
  float *y, epsilon;
  int64_t channels, area;
} Job;

PARE_RT_CLONES static void
scale_plane (const float *x, float *y, int64_t n, float a, float b)
{
  for (int64_t i = 0; i < n; i++)
    y[i] = x[i] * a + b;
}

static void
normalize_plane (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t c = task % j->channels;
  float a = j->scale[c] / sqrtf (j->var[c] + j->epsilon), b = j->bias[c] - j->mean[c] * a;
  scale_plane (j->x + task * j->area, j->y + task * j->area, j->area, a, b);
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
  Job job = { in[0].data, in[1].data, in[2].data, in[3].data, in[4].data, out[0].data, p->epsilon, in[0].shape.dims[1], area };
  pare_rt_parallel (area > 0 ? n : 0, normalize_plane, &job);
  return PARE_RT_OK;
}
