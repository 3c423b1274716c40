/* DequantizeLinear: y = (x - zero) * scale. */
#include "engine/runtime/kernels/quantize.h"

#define RUN(name, type)                                                                                                                    \
  PARE_RT_CLONES static void name (const type *x, float *y, int64_t n, float scale, int32_t zero)                                          \
  {                                                                                                                                        \
    for (int64_t i = 0; i < n; i++)                                                                                                        \
      y[i] = (float)(x[i] - zero) * scale;                                                                                                 \
  }
RUN (run_u8, uint8_t)
RUN (run_i8, int8_t)

static bool
is_quantized (PareDtype dtype)
{
  return dtype == PARE_DTYPE_INT8 || dtype == PARE_DTYPE_UINT8 || dtype == PARE_DTYPE_INT16 || dtype == PARE_DTYPE_UINT16
         || dtype == PARE_DTYPE_INT32 || dtype == PARE_DTYPE_INT4 || dtype == PARE_DTYPE_UINT4;
}

KERNEL (pare_rt_k_dequantize_linear)
{
  const PareQuantizeParams *p = params;
  PareRtScaleRuns runs;
  REQUIRE (p && n_in >= 2 && n_out == 1 && same_shape (&in[0], &out[0]) && out[0].dtype == in[1].dtype);
  SUPPORT (out[0].dtype == PARE_DTYPE_FLOAT32 || out[0].dtype == PARE_DTYPE_FLOAT16 || out[0].dtype == PARE_DTYPE_BFLOAT16);
  SUPPORT (is_quantized (in[0].dtype));
  REQUIRE (pare_rt_scale_runs (p, &in[0], &in[1], &runs));
  REQUIRE (!given (in, n_in, 2) || (in[2].dtype == in[0].dtype && count_of (&in[2]) == count_of (&in[1])));
  CHECKED;
  bool zeros = given (in, n_in, 2), f32 = is_f32 (&out[0]);
  int64_t at = 0, total = count_of (&in[0]);
  for (int64_t r = 0; r < runs.runs && at < total; r++)
    {
      int64_t first = first_scale (&runs, r), n = runs.length;
      /* the last block of an axis may be short */
      if (runs.block > 0 && runs.inner == 1 && n > runs.axis - at % runs.axis)
        n = runs.axis - at % runs.axis;
      float scale = scale_at (&in[1], first);
      int32_t zero = zeros ? pare_rt_quantized_at (&in[2], first) : 0;
      if (f32 && runs.step == 0 && in[0].dtype == PARE_DTYPE_UINT8)
        run_u8 ((const uint8_t *)in[0].data + at, (float *)out[0].data + at, n, scale, zero);
      else if (f32 && runs.step == 0 && in[0].dtype == PARE_DTYPE_INT8)
        run_i8 ((const int8_t *)in[0].data + at, (float *)out[0].data + at, n, scale, zero);
      else
        for (int64_t i = 0; i < n; i++)
          {
            if (runs.step && i > 0)
              {
                scale = scale_at (&in[1], first + i);
                zero = zeros ? pare_rt_quantized_at (&in[2], first + i) : 0;
              }
            float y = (float)((int64_t)pare_rt_quantized_at (&in[0], at + i) - zero) * scale;
            if (f32)
              ((float *)out[0].data)[at + i] = y;
            else
              ((uint16_t *)out[0].data)[at + i] = out[0].dtype == PARE_DTYPE_FLOAT16 ? float_to_half (y) : float_to_bfloat (y);
          }
      at += n;
    }
  return PARE_RT_OK;
}
