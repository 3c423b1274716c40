/* Clip: y = min (max (x, lo), hi); NaN passes. Bounds of integer operands are integers. */
#include "engine/runtime/kernels/kernel.h"

PARE_RT_CLONES static void
run_f32 (const float *x, float *y, int64_t n, float lo, float hi)
{
  for (int64_t i = 0; i < n; i++)
    y[i] = clip_f32 (x[i], lo, hi);
}

#define WHOLE(type)                                                                                                                        \
  for (int64_t i = 0; i < n; i++)                                                                                                          \
    {                                                                                                                                      \
      type v = ((const type *)in[0].data)[i];                                                                                              \
      ((type *)out[0].data)[i] = (double)v < (double)p->lo ? (type)p->lo : (double)v > (double)p->hi ? (type)p->hi : v;                    \
    }

KERNEL (pare_rt_k_clip)
{
  const PareClipParams *p = params;
  REQUIRE (p && n_in >= 1 && n_out == 1 && in[0].dtype == out[0].dtype && count_of (&in[0]) == count_of (&out[0]));
  SUPPORT (is_f32 (&in[0]) || in[0].dtype == PARE_DTYPE_FLOAT64 || in[0].dtype == PARE_DTYPE_INT8 || in[0].dtype == PARE_DTYPE_UINT8
           || in[0].dtype == PARE_DTYPE_INT32 || in[0].dtype == PARE_DTYPE_INT64);
  CHECKED;
  int64_t n = count_of (&in[0]);
  switch (in[0].dtype)
    {
    case PARE_DTYPE_FLOAT32:
      run_f32 (in[0].data, out[0].data, n, p->lo, p->hi);
      break;
    case PARE_DTYPE_FLOAT64:
      WHOLE (double) break;
    case PARE_DTYPE_INT8:
      WHOLE (int8_t) break;
    case PARE_DTYPE_UINT8:
      WHOLE (uint8_t) break;
    case PARE_DTYPE_INT32:
      WHOLE (int32_t) break;
    default:
      WHOLE (int64_t)
    }
  return PARE_RT_OK;
}
