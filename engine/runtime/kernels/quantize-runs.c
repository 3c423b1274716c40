/* Which scale belongs to which element of a quantized tensor. */
#include "engine/runtime/kernels/quantize.h"

bool
pare_rt_scale_runs (const PareQuantizeParams *p, const PareView *x, const PareView *scale, PareRtScaleRuns *r)
{
  int rank = x->shape.rank;
  *r = (PareRtScaleRuns){ .runs = 1, .length = count_of (x), .axis = 1, .inner = 1, .step = 0 };
  if (p->axis < 0 || (p->block == 0 && count_of (scale) == 1)) /* one scale means per tensor, whatever the axis says */
    return count_of (scale) == 1;
  if (p->axis >= rank || p->block < 0)
    return false;
  int64_t d = x->shape.dims[p->axis], outer = product (&x->shape, 0, p->axis);
  r->axis = d;
  r->inner = product (&x->shape, p->axis + 1, rank);
  r->block = p->block;
  if (p->block == 0)
    {
      if (count_of (scale) != d)
        return false;
      r->runs = r->inner > 1 ? outer * d : outer;
      r->length = r->inner > 1 ? r->inner : d;
      r->step = r->inner > 1 ? 0 : 1;
      return true;
    }
  int64_t blocks = d / p->block + (d % p->block > 0);
  if (scale->shape.rank != rank)
    return false;
  for (int i = 0; i < rank; i++)
    if (scale->shape.dims[i] != (i == p->axis ? blocks : x->shape.dims[i]))
      return false;
  r->runs = r->inner > 1 ? outer * d : outer * blocks;
  r->length = r->inner > 1 ? r->inner : p->block;
  r->step = r->inner > 1 ? 1 : 0;
  return true;
}

int32_t
pare_rt_quantized_at (const PareView *v, int64_t i)
{
  switch (v->dtype)
    {
    case PARE_DTYPE_INT8:
      return ((const int8_t *)v->data)[i];
    case PARE_DTYPE_UINT8:
      return ((const uint8_t *)v->data)[i];
    case PARE_DTYPE_INT16:
      return ((const int16_t *)v->data)[i];
    case PARE_DTYPE_UINT16:
      return ((const uint16_t *)v->data)[i];
    case PARE_DTYPE_INT32:
      return ((const int32_t *)v->data)[i];
    default:
      return nibble_at (v->data, i, v->dtype == PARE_DTYPE_INT4);
    }
}
