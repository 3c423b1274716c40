/* Range: y[i] = start + i * delta. */
#include "engine/runtime/kernels/kernel.h"

#define FILL(type, wide)                                                                                                                   \
  {                                                                                                                                        \
    wide start = (wide) * (const type *)in[0].data, delta = (wide) * (const type *)in[1].data;                                             \
    for (int64_t i = 0; i < n; i++)                                                                                                        \
      ((type *)out[0].data)[i] = (type)(start + (wide)i * delta);                                                                          \
    break;                                                                                                                                 \
  }

KERNEL (pare_rt_k_range)
{
  REQUIRE (n_in == 2 && n_out == 1 && in[0].dtype == out[0].dtype && in[1].dtype == out[0].dtype && count_of (&in[0]) == 1
           && count_of (&in[1]) == 1);
  PareDtype t = out[0].dtype;
  SUPPORT (t == PARE_DTYPE_FLOAT32 || t == PARE_DTYPE_FLOAT64 || t == PARE_DTYPE_INT16 || t == PARE_DTYPE_INT32 || t == PARE_DTYPE_INT64);
  CHECKED;
  int64_t n = count_of (&out[0]);
  switch (t)
    {
    case PARE_DTYPE_FLOAT32:
      FILL (float, float)
    case PARE_DTYPE_FLOAT64:
      FILL (double, double)
    case PARE_DTYPE_INT16:
      FILL (int16_t, uint64_t)
    case PARE_DTYPE_INT32:
      FILL (int32_t, uint64_t)
    default:
      FILL (int64_t, uint64_t)
    }
  return PARE_RT_OK;
}
