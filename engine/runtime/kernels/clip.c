/* Clip: y = min (max (x, lo), hi); NaN passes. Bounds of integer operands are integers. */
#include "engine/runtime/kernels/kernel.h"

PARE_RT_CLONES static void
run_f32 (const float *x, float *y, int64_t n, float lo, float hi)
{
  for (int64_t i = 0; i < n; i++)
    y[i] = clip_f32 (x[i], lo, hi);
}

/* A bound that the type cannot hold is the nearest that it can. */
static double
bound (double at, double least, double most)
{
  return at < least ? least : at > most ? most : at;
}

#define CLIP(type, least, most)                                                                                                            \
  {                                                                                                                                        \
    double lo = bound (p->lo, least, most), hi = bound (p->hi, least, most);                                                               \
    for (int64_t i = 0; i < n; i++)                                                                                                        \
      {                                                                                                                                    \
        type v = ((const type *)in[0].data)[i];                                                                                            \
        ((type *)out[0].data)[i] = (double)v < lo ? (type)lo : (double)v > hi ? (type)hi : v;                                              \
      }                                                                                                                                    \
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
      CLIP (double, -INFINITY, INFINITY) break;
    case PARE_DTYPE_INT8:
      CLIP (int8_t, INT8_MIN, INT8_MAX) break;
    case PARE_DTYPE_UINT8:
      CLIP (uint8_t, 0, UINT8_MAX) break;
    case PARE_DTYPE_INT32:
      CLIP (int32_t, INT32_MIN, INT32_MAX) break;
    default:
      CLIP (int64_t, -0x1p63, 0x1.fffffffffffffp62)
    }
  return PARE_RT_OK;
}
