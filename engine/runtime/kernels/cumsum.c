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

#define COLUMNS 256

/* Columns that lie side by side: row after row. */
PARE_RT_CLONES static void
sum_columns (const PareCumSumParams *p, const float *x, float *y, int64_t d, int64_t inner, int64_t cols)
{
  double sum[COLUMNS] = { 0 };
  for (int64_t k = 0; k < d; k++)
    {
      int64_t at = (p->reverse ? d - 1 - k : k) * inner;
      if (p->exclusive)
        PARE_RT_IVDEP
      for (int64_t c = 0; c < cols; c++)
        {
          double v = x[at + c];
          y[at + c] = (float)sum[c];
          sum[c] += v;
        }
      else PARE_RT_IVDEP for (int64_t c = 0; c < cols; c++)
      {
        sum[c] += (double)x[at + c];
        y[at + c] = (float)sum[c];
      }
    }
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
  if (t == PARE_DTYPE_FLOAT32 && inner >= 8)
    {
      for (int64_t o = 0; o < outer; o++)
        for (int64_t c = 0; c < inner; c += COLUMNS)
          sum_columns (p, (const float *)in[0].data + o * d * inner + c, (float *)out[0].data + o * d * inner + c, d, inner,
                       inner - c < COLUMNS ? inner - c : COLUMNS);
      return PARE_RT_OK;
    }
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
