/* LRN: y = x / (bias + alpha / size * sum of squares over `size` neighbouring channels) ^ beta. */
#include "engine/runtime/kernels/kernel.h"

typedef struct
{
  const PareLrnParams *p;
  const float *x;
  float *y;
  int64_t channels, area;
} Job;

static void
lrn_plane (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t c = task % j->channels, before = (j->p->size - 1) / 2, after = j->p->size - 1 - before;
  int64_t from = c > before ? c - before : 0, to = c < j->channels - 1 - after ? c + after : j->channels - 1;
  const float *sample = j->x + (task - c) * j->area;
  float *y = j->y + task * j->area, factor = j->p->alpha / (float)j->p->size;
  for (int64_t i = 0; i < j->area; i++)
    {
      float sum = 0;
      for (int64_t k = from; k <= to; k++)
        sum += sample[k * j->area + i] * sample[k * j->area + i];
      y[i] = sample[c * j->area + i] * powf (j->p->bias + factor * sum, -j->p->beta);
    }
}

KERNEL (pare_rt_k_lrn)
{
  const PareLrnParams *p = params;
  REQUIRE (p && n_in >= 1 && n_out == 1 && same_shape (&in[0], &out[0]) && in[0].shape.rank >= 2 && p->size >= 1);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&out[0]));
  CHECKED;
  Job job = { p, in[0].data, out[0].data, in[0].shape.dims[1], product (&in[0].shape, 2, in[0].shape.rank) };
  pare_rt_parallel (count_of (&in[0]) > 0 ? product (&in[0].shape, 0, 2) : 0, lrn_plane, &job);
  return PARE_RT_OK;
}
