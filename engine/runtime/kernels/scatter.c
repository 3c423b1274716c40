/* ScatterElements and ScatterND: a copy of x with updates written, added, ... at indices, in the order of the updates. */
#include "engine/runtime/kernels/move.h"

#define COMBINE(type, sum, times)                                                                                                          \
  {                                                                                                                                        \
    type *y = to, u = *(const type *)from;                                                                                                 \
    *y = how == PARE_SCATTER_ADD   ? (type)(sum)                                                                                           \
         : how == PARE_SCATTER_MUL ? (type)(times)                                                                                         \
         : how == PARE_SCATTER_MIN ? (u < *y ? u : *y)                                                                                     \
                                   : (u > *y ? u : *y);                                                                                    \
    break;                                                                                                                                 \
  }
#define COMBINE_INT(type) COMBINE (type, (uint64_t)*y + (uint64_t)u, (uint64_t)*y * (uint64_t)u)

static void
combine (PareScatterReduction how, PareDtype dtype, int64_t size, void *to, const void *from)
{
  if (how == PARE_SCATTER_NONE)
    memcpy (to, from, size);
  else
    switch (dtype)
      {
      case PARE_DTYPE_FLOAT32:
        COMBINE (float, *y + u, *y * u)
      case PARE_DTYPE_FLOAT64:
        COMBINE (double, *y + u, *y * u)
      case PARE_DTYPE_INT8:
        COMBINE_INT (int8_t)
      case PARE_DTYPE_UINT8:
        COMBINE_INT (uint8_t)
      case PARE_DTYPE_INT32:
        COMBINE_INT (int32_t)
      default:
        COMBINE_INT (int64_t)
      }
}

static PareRtStatus
check (const PareScatterParams *p, const PareView *in, uint32_t n_in, const PareView *out, uint32_t n_out)
{
  REQUIRE (p && n_in == 3 && n_out == 1 && in[0].dtype == out[0].dtype && in[2].dtype == in[0].dtype && same_shape (&in[0], &out[0]));
  PareDtype t = in[0].dtype;
  SUPPORT (element_size (&in[0]) > 0 && is_index (&in[1]) && (unsigned)p->reduction <= PARE_SCATTER_MAX);
  SUPPORT (p->reduction == PARE_SCATTER_NONE || t == PARE_DTYPE_FLOAT32 || t == PARE_DTYPE_FLOAT64 || t == PARE_DTYPE_INT8
           || t == PARE_DTYPE_UINT8 || t == PARE_DTYPE_INT32 || t == PARE_DTYPE_INT64);
  return PARE_RT_OK;
}

static void
copy_operand (const PareView *in, PareView *out)
{
  int64_t bytes = pare_shape_bytes (&in->shape, in->dtype);
  if (bytes > 0)
    memmove (out->data, in->data, bytes);
}

KERNEL (pare_rt_k_scatter_elements)
{
  const PareScatterParams *p = params;
  int64_t strides[PARE_MAX_RANK], index[PARE_MAX_RANK] = { 0 };
  PareRtStatus status = check (p, in, n_in, out, n_out);
  if (status != PARE_RT_OK)
    return status;
  int rank = in[0].shape.rank;
  REQUIRE (p->axis >= 0 && p->axis < rank && in[1].shape.rank == rank && same_shape (&in[1], &in[2]));
  for (int a = 0; a < rank; a++)
    REQUIRE (a == p->axis || in[1].shape.dims[a] <= in[0].shape.dims[a]);
  CHECKED;
  int64_t size = element_size (&in[0]), n = count_of (&in[1]), d = in[0].shape.dims[p->axis];
  pare_rt_strides (&in[0].shape, size, strides);
  copy_operand (&in[0], &out[0]);
  for (int64_t k = 0; k < n; k++)
    {
      int64_t i = index_at (&in[1], k);
      i += i < 0 ? d : 0;
      REQUIRE (i >= 0 && i < d);
      char *y = (char *)out[0].data + i * strides[p->axis];
      for (int a = 0; a < rank; a++)
        y += a == p->axis ? 0 : index[a] * strides[a];
      combine (p->reduction, in[0].dtype, size, y, (const char *)in[2].data + k * size);
      for (int a = rank - 1; a >= 0 && ++index[a] == in[1].shape.dims[a]; a--)
        index[a] = 0;
    }
  return PARE_RT_OK;
}

KERNEL (pare_rt_k_scatter_nd)
{
  const PareScatterParams *p = params;
  PareRtStatus status = check (p, in, n_in, out, n_out);
  if (status != PARE_RT_OK)
    return status;
  const PareShape *xs = &in[0].shape, *is = &in[1].shape, *us = &in[2].shape;
  REQUIRE (is->rank >= 1 && is->dims[is->rank - 1] >= 1 && is->dims[is->rank - 1] <= xs->rank);
  int k = (int)is->dims[is->rank - 1], lead = is->rank - 1;
  REQUIRE (us->rank == lead + xs->rank - k);
  for (int i = 0; i < us->rank; i++)
    REQUIRE (us->dims[i] == (i < lead ? is->dims[i] : xs->dims[i - lead + k]));
  CHECKED;
  int64_t size = element_size (&in[0]), rows = product (is, 0, lead), run = product (xs, k, xs->rank);
  copy_operand (&in[0], &out[0]);
  for (int64_t r = 0; run > 0 && r < rows; r++)
    {
      int64_t at = 0;
      for (int a = 0; a < k; a++)
        {
          int64_t i = index_at (&in[1], r * k + a);
          i += i < 0 ? xs->dims[a] : 0;
          REQUIRE (i >= 0 && i < xs->dims[a]);
          at = at * xs->dims[a] + i;
        }
      char *y = (char *)out[0].data + at * run * size;
      const char *u = (const char *)in[2].data + r * run * size;
      if (p->reduction == PARE_SCATTER_NONE)
        memcpy (y, u, run * size);
      else
        for (int64_t i = 0; i < run; i++)
          combine (p->reduction, in[0].dtype, size, y + i * size, u + i * size);
    }
  return PARE_RT_OK;
}
