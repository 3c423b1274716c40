/* QuantizeLinear: y = saturate (round_half_even (x / scale) + zero). */
#include "engine/runtime/kernels/quantize.h"

/* NaN takes the lowest value, as ONNX Runtime's vector code has it. Clamping before rounding is the same, as the bounds are integers. */
static inline int32_t
quantize_f32 (float x, float scale, int32_t zero, int32_t lo, int32_t hi)
{
  float q = x / scale, least = (float)(lo - zero), most = (float)(hi - zero);
  q = q > least ? q : least;
  q = q < most ? q : most;
  return (int32_t)rintf (q) + zero;
}

/* The common case: a run under one scale. */
#define RUN(name, type)                                                                                                                    \
  PARE_RT_CLONES static void name (const float *x, type *y, int64_t n, float scale, int32_t zero, int32_t lo, int32_t hi)                  \
  {                                                                                                                                        \
    for (int64_t i = 0; i < n; i++)                                                                                                        \
      y[i] = (type)quantize_f32 (x[i], scale, zero, lo, hi);                                                                               \
  }
RUN (run_u8, uint8_t)
RUN (run_i8, int8_t)

static bool
range_of (PareDtype dtype, int32_t *lo, int32_t *hi)
{
  switch (dtype)
    {
    case PARE_DTYPE_INT8:
      *lo = -128;
      *hi = 127;
      return true;
    case PARE_DTYPE_UINT8:
      *lo = 0;
      *hi = 255;
      return true;
    case PARE_DTYPE_INT16:
      *lo = -32768;
      *hi = 32767;
      return true;
    case PARE_DTYPE_UINT16:
      *lo = 0;
      *hi = 65535;
      return true;
    case PARE_DTYPE_INT4:
      *lo = -8;
      *hi = 7;
      return true;
    case PARE_DTYPE_UINT4:
      *lo = 0;
      *hi = 15;
      return true;
    default:
      return false;
    }
}

KERNEL (pare_rt_k_quantize_linear)
{
  const PareQuantizeParams *p = params;
  PareRtScaleRuns runs;
  int32_t lo, hi;
  REQUIRE (p && n_in >= 2 && n_out == 1 && same_shape (&in[0], &out[0]) && in[0].dtype == in[1].dtype);
  SUPPORT (in[0].dtype == PARE_DTYPE_FLOAT32 || in[0].dtype == PARE_DTYPE_FLOAT16 || in[0].dtype == PARE_DTYPE_BFLOAT16);
  SUPPORT (range_of (out[0].dtype, &lo, &hi));
  REQUIRE (p->lo <= p->hi && (p->lo == p->hi || (p->lo >= lo && p->hi <= hi)));
  REQUIRE (pare_rt_scale_runs (p, &in[0], &in[1], &runs));
  REQUIRE (!given (in, n_in, 2) || (in[2].dtype == out[0].dtype && count_of (&in[2]) == count_of (&in[1])));
  CHECKED;
  if (p->lo < p->hi)
    {
      lo = p->lo;
      hi = p->hi;
    }
  bool zeros = given (in, n_in, 2), f32 = is_f32 (&in[0]);
  int64_t at = 0, total = count_of (&in[0]);
  for (int64_t r = 0; r < runs.runs && at < total; r++)
    {
      int64_t first = first_scale (&runs, r), n = runs.length;
      /* the last block of an axis may be short */
      if (runs.block > 0 && runs.inner == 1 && n > runs.axis - at % runs.axis)
        n = runs.axis - at % runs.axis;
      float scale = scale_at (&in[1], first);
      int32_t zero = zeros ? pare_rt_quantized_at (&in[2], first) : 0;
      if (f32 && runs.step == 0 && out[0].dtype == PARE_DTYPE_UINT8)
        run_u8 ((const float *)in[0].data + at, (uint8_t *)out[0].data + at, n, scale, zero, lo, hi);
      else if (f32 && runs.step == 0 && out[0].dtype == PARE_DTYPE_INT8)
        run_i8 ((const float *)in[0].data + at, (int8_t *)out[0].data + at, n, scale, zero, lo, hi);
      else
        for (int64_t i = 0; i < n; i++)
          {
            if (runs.step && i > 0)
              {
                scale = scale_at (&in[1], first + i);
                zero = zeros ? pare_rt_quantized_at (&in[2], first + i) : 0;
              }
            int32_t q = quantize_f32 (scale_at (&in[0], at + i), scale, zero, lo, hi);
            if (out[0].dtype == PARE_DTYPE_INT4 || out[0].dtype == PARE_DTYPE_UINT4)
              set_nibble (out[0].data, at + i, q);
            else if (element_size (&out[0]) == 1)
              ((uint8_t *)out[0].data)[at + i] = (uint8_t)q;
            else
              ((uint16_t *)out[0].data)[at + i] = (uint16_t)q;
          }
      at += n;
    }
  return PARE_RT_OK;
}
