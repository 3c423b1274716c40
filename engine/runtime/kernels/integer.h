/* What the kernels on codes share: the one definition of their arithmetic. Sums of products are exact in int32; everything after that is
 * float32, step by step, rounded to even. */
#pragma once
#include "engine/runtime/kernels/kernel.h"

static inline bool
is_codes (const PareView *v)
{
  return v->dtype == PARE_DTYPE_UINT8 || v->dtype == PARE_DTYPE_INT8;
}

static inline bool
is_weight_codes (const PareView *v)
{
  return v->dtype == PARE_DTYPE_INT8 || v->dtype == PARE_DTYPE_INT4 || v->dtype == PARE_DTYPE_INT2 || v->dtype == PARE_DTYPE_INT16;
}

/* lo..hi and the zero points are values of the types they belong to. */
static inline bool
fits_codes (const PareView *v, int32_t lo, int32_t hi)
{
  return v->dtype == PARE_DTYPE_UINT8 ? lo >= 0 && hi <= 255 && lo <= hi : lo >= -128 && hi <= 127 && lo <= hi;
}

static inline int32_t
code_at (const PareView *v, int64_t i)
{
  const uint8_t *bytes = v->data;
  switch (v->dtype)
    {
    case PARE_DTYPE_UINT8:
      return bytes[i];
    case PARE_DTYPE_INT8:
      return ((const int8_t *)bytes)[i];
    case PARE_DTYPE_INT16:
      return ((const int16_t *)v->data)[i];
    case PARE_DTYPE_INT4:
      return (int8_t)(uint8_t)((bytes[i / 2] >> (i % 2 * 4)) << 4) >> 4;
    default: /* INT2 */
      return (int8_t)(uint8_t)((bytes[i / 4] >> (i % 4 * 2)) << 6) >> 6;
    }
}

/* From the exact sum to v, before the zero point. */
static inline float
scale_sum (int32_t acc, float bias, float scale)
{
  float v = (float)acc;
  v = v + bias;
  return v * scale;
}

/* Added and taken off again, a float of less than half of it is rounded to even: 1.5 * 2^23. */
#define PARE_ROUNDING 12582912.0f

/* What a batch normalization behind the activation makes of v: clipped in reals, or to codes less their zero point and rounded
 * (PARE_ROUNDING, else 0), then the factor of the channel, then its offset, both over the scale of the result. */
static inline float
affine_value (float v, float least, float most, float rounding, float factor, float offset)
{
  v = v > least ? v : least;
  v = v < most ? v : most;
  v = v + rounding;
  v = v - rounding;
  v = v * factor;
  return v + offset;
}

/* From v to the code: rounded to even before the zero point is added, as QuantizeLinear and ONNX Runtime's kernels have it. Added before,
 * an odd zero point turns ties around, and a large one costs v its last bits. */
static inline int32_t
round_code (float v, int32_t zero, int32_t lo, int32_t hi)
{
  float least = (float)(lo - zero), most = (float)(hi - zero);
  v = v > least ? v : least;
  v = v < most ? v : most;
  return (int32_t)rintf (v) + zero;
}

/* The same without branches and calls, for loops that should become vectors. Half to even: adding leaves the integer in the low bits; right
 * up to 2^22, and codes are far below. */
static inline float
clamp_plain (float v, float lo, float hi)
{
  v = v > lo ? v : lo;
  return v < hi ? v : hi;
}

static inline int32_t
round_plain (float v)
{
  union
  {
    float f;
    int32_t i;
  } u = { v + PARE_ROUNDING };
  return u.i - 0x4B400000;
}
