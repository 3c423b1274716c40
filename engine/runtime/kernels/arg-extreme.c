/* ArgMax and ArgMin along one axis; a NaN counts as the extreme, as in numpy. */
#include "engine/runtime/kernels/kernel.h"

#define SEARCH(type)                                                                                                                       \
  {                                                                                                                                        \
    const type *x = (const type *)in[0].data + o * d * inner + i;                                                                          \
    for (int64_t k = 1; k < d; k++)                                                                                                        \
      {                                                                                                                                    \
        type v = x[k * inner], m = x[best * inner];                                                                                        \
        bool better = p->min ? v < m : v > m, tie = v == m;                                                                                \
        if (m != m)                                                                                                                        \
          {                                                                                                                                \
            better = false;                                                                                                                \
            tie = v != v;                                                                                                                  \
          }                                                                                                                                \
        else if (v != v)                                                                                                                   \
          better = true;                                                                                                                   \
        best = better || (tie && p->last) ? k : best;                                                                                      \
      }                                                                                                                                    \
    break;                                                                                                                                 \
  }

KERNEL (pare_rt_k_arg_extreme)
{
  const PareArgExtremeParams *p = params;
  REQUIRE (p && n_in >= 1 && n_out == 1 && p->axis >= 0 && p->axis < in[0].shape.rank);
  PareDtype t = in[0].dtype;
  SUPPORT (out[0].dtype == PARE_DTYPE_INT64);
  SUPPORT (t == PARE_DTYPE_FLOAT32 || t == PARE_DTYPE_FLOAT64 || t == PARE_DTYPE_INT8 || t == PARE_DTYPE_UINT8 || t == PARE_DTYPE_INT32
           || t == PARE_DTYPE_INT64);
  int64_t outer = product (&in[0].shape, 0, p->axis), d = in[0].shape.dims[p->axis],
          inner = product (&in[0].shape, p->axis + 1, in[0].shape.rank), n;
  REQUIRE (!__builtin_mul_overflow (outer, inner, &n) && count_of (&out[0]) == n && (d > 0 || n == 0));
  CHECKED;
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < inner; i++)
      {
        int64_t best = 0;
        switch (t)
          {
          case PARE_DTYPE_FLOAT32:
            SEARCH (float)
          case PARE_DTYPE_FLOAT64:
            SEARCH (double)
          case PARE_DTYPE_INT8:
            SEARCH (int8_t)
          case PARE_DTYPE_UINT8:
            SEARCH (uint8_t)
          case PARE_DTYPE_INT32:
            SEARCH (int32_t)
          default:
            SEARCH (int64_t)
          }
        ((int64_t *)out[0].data)[o * inner + i] = best;
      }
  return PARE_RT_OK;
}
