/* CumSum along an axis; float sums in double. */
#include "engine/runtime/kernels/kernel.h"

#define SUM(type, wide)                                                                                                                    \
  {                                                                                                                                        \
    for (int64_t o = 0; o < outer; o++)                                                                                                    \
      for (int64_t i = 0; i < inner; i++)                                                                                                  \
        {                                                                                                                                  \
          const type *x = (const type *)in[0].data + o * d * inner + i;                                                                    \
          type *y = (type *)out[0].data + o * d * inner + i;                                                                               \
          wide sum = 0;                                                                                                                    \
          for (int64_t k = 0; k < d; k++)                                                                                                  \
            {                                                                                                                              \
              int64_t at = (p->reverse ? d - 1 - k : k) * inner;                                                                           \
              wide next = sum + (wide)x[at];                                                                                               \
              y[at] = (type)(p->exclusive ? sum : next);                                                                                   \
              sum = next;                                                                                                                  \
            }                                                                                                                              \
        }                                                                                                                                  \
    break;                                                                                                                                 \
  }

KERNEL (pare_rt_k_cumsum)
{
  const PareCumSumParams *p = params;
  REQUIRE (p && n_in >= 1 && n_out == 1 && in[0].dtype == out[0].dtype && same_shape (&in[0], &out[0]));
  REQUIRE (p->axis >= 0 && p->axis < in[0].shape.rank);
  PareDtype t = in[0].dtype;
  SUPPORT (t == PARE_DTYPE_FLOAT32 || t == PARE_DTYPE_FLOAT64 || t == PARE_DTYPE_INT32 || t == PARE_DTYPE_INT64);
  CHECKED;
  int64_t outer = product (&in[0].shape, 0, p->axis), d = in[0].shape.dims[p->axis],
          inner = product (&in[0].shape, p->axis + 1, in[0].shape.rank);
  switch (t)
    {
    case PARE_DTYPE_FLOAT32:
      SUM (float, double)
    case PARE_DTYPE_FLOAT64:
      SUM (double, double)
    case PARE_DTYPE_INT32:
      SUM (int32_t, uint64_t)
    default:
      SUM (int64_t, uint64_t)
    }
  return PARE_RT_OK;
}
