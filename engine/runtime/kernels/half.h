/* 16-bit floats and 4-bit integers to and from what C knows. */
#pragma once
#include "engine/runtime/kernels/kernel.h"

static inline float
half_to_float (uint16_t h)
{
  union
  {
    float f;
    uint32_t u;
  } v;
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff;
  if (rest >= 0x7c00)
    v.u = 0x7f800000u | (rest & 0x3ff) << 13;
  else if (rest >= 0x400)
    v.u = (rest << 13) + ((127 - 15) << 23);
  else
    v.f = (float)rest * 5.9604644775390625e-8f; /* subnormal: units of 2^-24 */
  v.u |= sign;
  return v.f;
}

/* The lower half of its bits is empty. */
static inline bool
is_bfloat (float f)
{
  union
  {
    float f;
    uint32_t u;
  } v = { f };
  return (v.u & 0xffff) == 0;
}

/* Round half to even. */
static inline uint16_t
float_to_half (float f)
{
  union
  {
    float f;
    uint32_t u;
  } v = { f };
  uint32_t sign = v.u >> 16 & 0x8000;
  v.u &= 0x7fffffff;
  if (v.u > 0x7f800000)
    return (uint16_t)(sign | 0x7e00);
  if (v.u >= 0x477ff000) /* 65520 and above round to infinity */
    return (uint16_t)(sign | 0x7c00);
  if (v.u < 0x38800000) /* below 2^-14: the sum has its last bit at 2^-24, so the addition rounds */
    {
      v.f += 0.5f;
      return (uint16_t)(sign | (v.u - 0x3f000000));
    }
  v.u += 0xfff + (v.u >> 13 & 1) - ((127 - 15) << 23);
  return (uint16_t)(sign | v.u >> 13);
}

/* The float next to d with an odd last bit where d is not a float: rounding it further gives what rounding d itself would. */
static inline float
float_to_odd (double d)
{
  union
  {
    float f;
    uint32_t u;
  } v = { (float)d };
  if ((double)v.f == d || d != d)
    return v.f;
  v.u -= fabs ((double)v.f) > fabs (d);
  v.u |= 1;
  return v.f;
}

static inline float
bfloat_to_float (uint16_t b)
{
  union
  {
    uint32_t u;
    float f;
  } v = { (uint32_t)b << 16 };
  return v.f;
}

static inline uint16_t
float_to_bfloat (float f)
{
  union
  {
    float f;
    uint32_t u;
  } v = { f };
  if ((v.u & 0x7fffffff) > 0x7f800000)
    return (uint16_t)(v.u >> 16 | 0x40);
  return (uint16_t)((v.u + 0x7fff + (v.u >> 16 & 1)) >> 16);
}

/* Element i of 4-bit data, low nibble first. */
static inline int
nibble_at (const uint8_t *data, int64_t i, bool is_signed)
{
  int v = data[i >> 1] >> (i & 1) * 4 & 15;
  return is_signed ? (v ^ 8) - 8 : v;
}

/* Elements are set in ascending order: an even one clears its odd neighbour. */
static inline void
set_nibble (uint8_t *data, int64_t i, int v)
{
  data[i >> 1] = (uint8_t)(i & 1 ? (data[i >> 1] & 15) | (v & 15) << 4 : v & 15);
}
