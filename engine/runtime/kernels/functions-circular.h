/* Sine, cosine, tangent and arc tangent of floats, in doubles, as functions.h has others: without branches or calls, so that loops
 * vectorise, the same bits on every machine and in every loop. Within 0.6 ulp of the exact value. */
#pragma once
#include "engine/runtime/kernels/functions.h"
#include <stdbool.h>

/* Beyond it, and where x is not finite, libm reduces the angle. */
#define CIRCULAR_F32_MOST 1e6f

static inline bool
is_circular_f32 (float x)
{
  return fabsf (x) <= CIRCULAR_F32_MOST;
}

static inline int64_t
bits_of_f64 (double x)
{
  union
  {
    double f;
    int64_t i;
  } u = { x };
  return u.i;
}

static inline double
f64_of_bits (int64_t i)
{
  union
  {
    int64_t i;
    double f;
  } u = { i };
  return u.f;
}

/* a where the mask is all ones, b where it is 0. */
static inline double
choose_f64 (int64_t mask, double a, double b)
{
  return f64_of_bits ((bits_of_f64 (a) & mask) | (bits_of_f64 (b) & ~mask));
}

typedef struct
{
  double sin, cos;  /* of what is left of the angle, at most pi / 4 */
  int64_t quarters; /* that were taken off it; the two last bits count */
} Circular;

static inline Circular
circular_f32 (float x)
{
  double magic = 6755399441055744.0, t = (double)x * 6.36619772367581382433e-01 + magic, k = t - magic;
  double r = (double)x - k * 1.57079631090164184570; /* exact: the last bits of this constant are 0 */
  r = r - k * 1.58932547735281966916e-08;
  double z = r * r, s = 2.7183114939898219064e-06, c = 2.43904487962774090654e-05;
  s = s * z - 1.98393348360966317347e-04;
  s = s * z + 8.3333293858894631756e-03;
  s = s * z - 1.66666666416265235595e-01;
  c = c * z - 1.38867637746099294692e-03;
  c = c * z + 4.16666233237390631894e-02;
  c = c * z - 4.99999997251031003120e-01;
  return (Circular){ r * (s * z + 1.0), c * z + 1.0, bits_of_f64 (t) };
}

/* The sine a number of quarter turns on. */
static inline float
turned_sin_f32 (Circular a, int64_t on)
{
  int64_t n = a.quarters + on;
  double y = choose_f64 (-(n & 1), a.cos, a.sin);
  return (float)f64_of_bits (bits_of_f64 (y) ^ (int64_t)((uint64_t)(n & 2) << 62));
}

static inline float
sin_f32 (float x)
{
  return turned_sin_f32 (circular_f32 (x), 0);
}

static inline float
cos_f32 (float x)
{
  return turned_sin_f32 (circular_f32 (x), 1);
}

static inline float
tan_f32 (float x)
{
  Circular a = circular_f32 (x);
  int64_t odd = -(a.quarters & 1);
  return (float)(choose_f64 (odd, -a.cos, a.sin) / choose_f64 (odd, a.sin, a.cos));
}

/* Of every x: t p(t^2) up to 1; beyond, a right angle less that of 1 / x. */
static inline float
atan_f32 (float x)
{
  double a = fabs ((double)x);
  int64_t far = -(int64_t)(a > 1.0);
  double t = choose_f64 (far, 1.0 / a, a), z = t * t, p = 1.09098575346419646e-03;
  p = p * z - 7.19875767147887605e-03;
  p = p * z + 2.22730211118453147e-02;
  p = p * z - 4.43559213406315156e-02;
  p = p * z + 6.71599518958408553e-02;
  p = p * z - 8.79872240827623692e-02;
  p = p * z + 1.10544878719893408e-01;
  p = p * z - 1.42791575783374924e-01;
  p = p * z + 1.99996044762738912e-01;
  p = p * z - 3.33333239304344775e-01;
  p = p * z + 9.99999999627991354e-01;
  p *= t;
  return (float)copysign (choose_f64 (far, 1.57079632679489661923 - p, p), (double)x);
}
