/* What QuantizeLinear and DequantizeLinear share: which scale belongs to which element. */
#pragma once
#include "engine/runtime/kernels/half.h"

/* The operand in runs of `length` elements in ascending order; element i of run r has scale first(r) + i * step. */
typedef struct
{
  int64_t runs, length, step;
  int64_t axis, inner, block; /* axis, inner: extents; block 0: one scale per index of the axis */
} PareRtScaleRuns;

/* false: scale does not fit x. */
bool pare_rt_scale_runs (const PareQuantizeParams *p, const PareView *x, const PareView *scale, PareRtScaleRuns *runs);
/* A zero point of an integer type, or a quantized element. */
int32_t pare_rt_quantized_at (const PareView *v, int64_t i);

static inline int64_t
first_scale (const PareRtScaleRuns *s, int64_t run)
{
  if (s->block == 0)
    return s->step ? 0 : run % s->axis;
  int64_t blocks = (s->axis + s->block - 1) / s->block;
  if (s->inner > 1)
    return (run / s->axis * blocks + run % s->axis / s->block) * s->inner;
  return run;
}

static inline float
scale_at (const PareView *v, int64_t i)
{
  switch (v->dtype)
    {
    case PARE_DTYPE_FLOAT16:
      return half_to_float (((const uint16_t *)v->data)[i]);
    case PARE_DTYPE_BFLOAT16:
      return bfloat_to_float (((const uint16_t *)v->data)[i]);
    default:
      return ((const float *)v->data)[i];
    }
}
