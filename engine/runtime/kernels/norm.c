/* LayerNormalization, InstanceNormalization, GroupNormalization, LpNormalization. The variance is taken around the mean. */
#include "engine/runtime/kernels/move.h"
#include "engine/runtime/kernels/tile.h"

#define NEAR 4096 /* elements that stay in the nearest cache */

/* y = (x - mean) * inverse * scale + bias, a vector each or NULL. */
PARE_RT_CLONES static void
scale_row (const float *x, float *y, int64_t n, float mean, float inverse, const float *scale, const float *bias)
{
  if (scale && bias)
    PARE_RT_IVDEP
  for (int64_t i = 0; i < n; i++)
    y[i] = (x[i] - mean) * inverse * scale[i] + bias[i];
  else if (scale) PARE_RT_IVDEP for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * inverse * scale[i];
  else PARE_RT_IVDEP for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * inverse;
}

PARE_RT_CLONES static void
scale_plane (const float *x, float *y, int64_t n, float mean, float factor, float bias)
{
  PARE_RT_IVDEP
  for (int64_t i = 0; i < n; i++)
    y[i] = (x[i] - mean) * factor + bias;
}

typedef struct
{
  const float *x, *scale, *bias;
  float *y, *mean, *inverse, epsilon;
  int64_t n, rows, each, together, channels, groups, area; /* rows of a task, and of it those whose moments are taken together */
  const PareShape *shape;
  int64_t scale_strides[PARE_MAX_RANK], bias_strides[PARE_MAX_RANK]; /* elements */
  bool scale_plain, bias_plain, rms;
  const PareRtIsa *isa;
} Job;

/* Element of a broadcast operand for element i of x. */
static int64_t
broadcast_index (const PareShape *s, const int64_t *strides, int64_t i)
{
  int64_t at = 0;
  for (int a = s->rank - 1; a >= 0; a--)
    {
      at += i % s->dims[a] * strides[a];
      i /= s->dims[a];
    }
  return at;
}

static void
layer_row (const Job *j, int64_t row, float mean, float inverse)
{
  const float *x = j->x + row * j->n;
  float *y = j->y + row * j->n;
  bool plain = j->scale_plain && (!j->bias || j->bias_plain);
  scale_row (x, y, j->n, mean, inverse, plain ? j->scale : NULL, plain ? j->bias : NULL);
  for (int64_t i = 0; !plain && i < j->n; i++)
    y[i] *= j->scale[broadcast_index (j->shape, j->scale_strides, row * j->n + i)];
  for (int64_t i = 0; !plain && j->bias && i < j->n; i++)
    y[i] += j->bias[broadcast_index (j->shape, j->bias_strides, row * j->n + i)];
  if (j->mean)
    j->mean[row] = mean;
  if (j->inverse)
    j->inverse[row] = inverse;
}

static void
layer_rows (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  float mean[PARE_RT_MOMENTS], inverse[PARE_RT_MOMENTS];
  int64_t end = (task + 1) * j->each < j->rows ? (task + 1) * j->each : j->rows, some;
  for (int64_t row = task * j->each; row < end; row += some)
    {
      some = j->together < end - row ? j->together : end - row;
      j->isa->moments (j->x + row * j->n, j->n, some, j->epsilon, j->rms, mean, inverse);
      for (int64_t r = 0; r < some; r++)
        layer_row (j, row + r, mean[r], inverse[r]);
    }
}

KERNEL (pare_rt_k_layer_norm)
{
  const PareLayerNormParams *p = params;
  Job job = { .isa = pare_rt_isa () };
  REQUIRE (p && n_in >= 2 && n_out >= 1 && n_out <= 3 && same_shape (&in[0], &out[0]) && p->axis >= 0 && p->axis < in[0].shape.rank);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&in[1]) && is_f32 (&out[0]) && (!given (in, n_in, 2) || is_f32 (&in[2])));
  const PareShape *s = &in[0].shape;
  int64_t rows = product (s, 0, p->axis);
  job.n = product (s, p->axis, s->rank);
  job.shape = s;
  bool bias = given (in, n_in, 2);
  REQUIRE (pare_rt_broadcast_strides (&in[1].shape, s, 1, job.scale_strides));
  REQUIRE (!bias || pare_rt_broadcast_strides (&in[2].shape, s, 1, job.bias_strides));
  for (uint32_t i = 1; i < n_out; i++)
    REQUIRE (out[i].dtype == PARE_DTYPE_NONE || (is_f32 (&out[i]) && count_of (&out[i]) == rows));
  CHECKED;
  /* the rule: one factor for each element of a row, the same for all rows */
  job.scale_plain = in[1].shape.rank <= s->rank - p->axis && count_of (&in[1]) == job.n;
  job.bias_plain = bias && in[2].shape.rank <= s->rank - p->axis && count_of (&in[2]) == job.n;
  job.x = in[0].data;
  job.scale = in[1].data;
  job.bias = bias ? in[2].data : NULL;
  job.y = out[0].data;
  job.mean = n_out > 1 && out[1].dtype != PARE_DTYPE_NONE ? out[1].data : NULL;
  job.inverse = n_out > 2 && out[2].dtype != PARE_DTYPE_NONE ? out[2].data : NULL;
  job.epsilon = p->epsilon;
  job.rms = p->rms != 0;
  job.rows = rows;
  job.each = job.n >= PARE_RT_SHARE ? 1 : PARE_RT_SHARE / (job.n < 1 ? 1 : job.n);
  job.together = job.n > 0 ? NEAR / job.n : 1;
  job.together = job.together < 1 ? 1 : job.together > PARE_RT_MOMENTS ? PARE_RT_MOMENTS : job.together;
  pare_rt_parallel_if (rows * job.n >= 2 * PARE_RT_SHARE, (rows + job.each - 1) / job.each, layer_rows, &job);
  return PARE_RT_OK;
}

/* One group of channels of one sample. */
static void
group_row (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t each = j->channels / j->groups, first = task % j->groups * each;
  const float *x = j->x + task * each * j->area;
  float *y = j->y + task * each * j->area;
  float mean, inverse;
  j->isa->moments (x, each * j->area, 1, j->epsilon, false, &mean, &inverse);
  for (int64_t c = 0; c < each; c++)
    scale_plane (x + c * j->area, y + c * j->area, j->area, mean, j->scale[first + c] * inverse, j->bias[first + c]);
}

static PareRtStatus
group_norm (const PareView *in, uint32_t n_in, PareView *out, uint32_t n_out, void *scratch, float epsilon, int64_t groups)
{
  REQUIRE (n_in == 3 && n_out == 1 && same_shape (&in[0], &out[0]) && in[0].shape.rank >= 2);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&in[1]) && is_f32 (&in[2]) && is_f32 (&out[0]));
  int64_t channels = in[0].shape.dims[1];
  REQUIRE (count_of (&in[1]) == channels && count_of (&in[2]) == channels);
  groups = groups == 0 ? channels : groups;
  REQUIRE (channels == 0 || (groups >= 1 && channels % groups == 0));
  CHECKED;
  Job job = { .isa = pare_rt_isa (),
              .x = in[0].data,
              .scale = in[1].data,
              .bias = in[2].data,
              .y = out[0].data,
              .epsilon = epsilon,
              .channels = channels,
              .groups = groups };
  job.area = product (&in[0].shape, 2, in[0].shape.rank);
  pare_rt_parallel_if (count_of (&in[0]) >= 2 * PARE_RT_SHARE, count_of (&in[0]) > 0 ? in[0].shape.dims[0] * groups : 0, group_row, &job);
  return PARE_RT_OK;
}

KERNEL (pare_rt_k_instance_norm)
{
  const PareInstanceNormParams *p = params;
  REQUIRE (p);
  return group_norm (in, n_in, out, n_out, scratch, p->epsilon, 0);
}

KERNEL (pare_rt_k_group_norm)
{
  const PareGroupNormParams *p = params;
  REQUIRE (p && p->groups >= 1);
  return group_norm (in, n_in, out, n_out, scratch, p->epsilon, p->groups);
}

KERNEL (pare_rt_k_lp_norm)
{
  const PareLpNormParams *p = params;
  REQUIRE (p && n_in >= 1 && n_out == 1 && same_shape (&in[0], &out[0]) && p->axis >= 0 && p->axis < in[0].shape.rank);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&out[0]) && (p->p == 1 || p->p == 2));
  CHECKED;
  int64_t outer = product (&in[0].shape, 0, p->axis), d = in[0].shape.dims[p->axis],
          inner = product (&in[0].shape, p->axis + 1, in[0].shape.rank);
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < inner; i++)
      {
        const float *x = (const float *)in[0].data + o * d * inner + i;
        float *y = (float *)out[0].data + o * d * inner + i;
        double norm = 0;
        for (int64_t k = 0; k < d; k++)
          norm += p->p == 1 ? fabs ((double)x[k * inner]) : (double)x[k * inner] * x[k * inner];
        norm = p->p == 1 ? norm : sqrt (norm);
        for (int64_t k = 0; k < d; k++)
          y[k * inner] = norm == 0 ? 0 : (float)(x[k * inner] / norm); /* a row of zeros stays one */
      }
  return PARE_RT_OK;
}
