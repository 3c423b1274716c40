/* Elementwise functions of floats, without branches or calls, so that loops over them vectorise on every instruction set. Every operation
 * is rounded on its own (contraction is off), so that they give the same bits on every machine and in every loop. Within 2 ulp of the exact
 * value unless said otherwise; NaN, infinities and denormals as in libm. */
#pragma once
#include <math.h>
#include <stdint.h>

static inline int32_t
bits_of_f32 (float x)
{
  union
  {
    float f;
    int32_t i;
  } u = { x };
  return u.i;
}

static inline float
f32_of_bits (int32_t i)
{
  union
  {
    int32_t i;
    float f;
  } u = { i };
  return u.f;
}

/* a where the mask is all ones, b where it is 0: for choices of which the compiler would make branches. */
static inline float
choose_f32 (int32_t mask, float a, float b)
{
  return f32_of_bits ((bits_of_f32 (a) & mask) | (bits_of_f32 (b) & ~mask));
}

/* Bounds that let NaN through, without the branches that a compiler makes of known results beyond them. */
static inline float
at_least_f32 (float x, float least)
{
  return choose_f32 (-(x < least), least, x);
}

static inline float
at_most_f32 (float x, float most)
{
  return choose_f32 (-(x > most), most, x);
}

/* e^x = p 2^n: what exp_f32() and exp_bounded_f32() share; n is meaningless for NaN, where p is NaN already. */
static inline float
exp_parts_f32 (float x, int32_t *n)
{
  float t = x * 1.44269504088896341f + 12582912.0f;
  *n = bits_of_f32 (t) - 0x4B400000;
  float k = t - 12582912.0f;
  float r = x - k * 0.693359375f;
  r = r - k * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return p * r * r + r + 1.0f;
}

/* For -104 <= x <= 89, or NaN. */
static inline float
exp_between_f32 (float x)
{
  int32_t n;
  float p = exp_parts_f32 (x, &n);
  /* 2^n in two factors, so that both are normal numbers */
  n = n < -160 ? -160 : n > 160 ? 160 : n;
  int32_t h = n >> 1;
  float a = f32_of_bits ((int32_t)((uint32_t)(h + 127) << 23)), b = f32_of_bits ((int32_t)((uint32_t)(n - h + 127) << 23));
  return p * a * b;
}

static inline float
exp_f32 (float x)
{
  return exp_between_f32 (at_most_f32 (at_least_f32 (x, -104.0f), 89.0f));
}

/* The same for -86 <= x <= 89, or NaN. */
static inline float
exp_bounded_f32 (float x)
{
  int32_t n;
  float p = exp_parts_f32 (x, &n);
  return p * f32_of_bits ((int32_t)((uint32_t)(n + 126) << 23)) * 2.0f;
}

static inline float
sigmoid_f32 (float x)
{
  return 1.0f / (1.0f + exp_bounded_f32 (at_most_f32 (at_least_f32 (-x, -86.0f), 89.0f))); /* 1 + e^-86 is 1 */
}

static inline float
tanh_f32 (float x)
{
  float z = x * x, ax = fabsf (x);
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  float small = p * z * x + x;
  float t = 2.0f * ax;
  float big = 1.0f - 2.0f / (exp_bounded_f32 (at_most_f32 (t, 80.0f)) + 1.0f); /* it is 1 from there on */
  big = copysignf (big, x);
  return choose_f32 (-(ax < 0.625f), small, big);
}

static inline float
hard_swish_f32 (float x)
{
  float t = x * (1.0f / 6.0f) + 0.5f;
  t = t < 0 ? 0 : t;
  t = t > 1 ? 1 : t;
  return x * t;
}

/* min then max by comparison that lets NaN through */
static inline float
clip_f32 (float x, float lo, float hi)
{
  x = x < lo ? lo : x;
  return x > hi ? hi : x;
}

/* log (x 2^-shift) for a normal number x > 0; something for what is none. */
static inline float
log_normal_f32 (float x, int32_t shift)
{
  int32_t i = (int32_t)((uint32_t)bits_of_f32 (x) - 0x3F3504F3u); /* sqrt (1/2); below 0 it wraps */
  float k = (float)((i >> 23) - shift);
  float f = f32_of_bits ((i & 0x7FFFFF) + 0x3F3504F3) - 1.0f;
  float s = f / (2.0f + f), z = s * s, w = z * z;
  float r = z * (0.66666662693f + w * 0.28498786688f) + w * (0.40000972152f + w * 0.24279078841f);
  float half = 0.5f * f * f;
  return s * (half + r) + k * 9.0580006145e-06f - half + f + k * 6.9313812256e-01f;
}

/* Natural logarithm. */
static inline float
log_f32 (float x)
{
  int32_t tiny = -(bits_of_f32 (x) < 0x00800000);
  float log = log_normal_f32 (choose_f32 (tiny, x * 8388608.0f, x), tiny & 23);
  log = choose_f32 (-(x < INFINITY), log, x); /* inf and NaN */
  log = choose_f32 (-(x == 0), -INFINITY, log);
  return choose_f32 (-(x < 0), NAN, log);
}

/* log (1 + e^x) = max (x, 0) + log (1 + e^-|x|) */
static inline float
softplus_f32 (float x)
{
  int32_t size = bits_of_f32 (x) & INT32_MAX, most = 0x42D00000; /* 104; positive floats are ordered as their bits are */
  float e = exp_between_f32 (-f32_of_bits (size < most ? size : most)), u = 1.0f + e;
  float log = log_normal_f32 (u, 0) + (e - (u - 1.0f)) / u; /* of 1 + e, with what the sum lost */
  return (x < 0 ? 0 : x) + log;
}

/* x, below 0 e^x - 1: of that the difference is off by its rounding at 1. */
static inline float
elu_f32 (float x)
{
  return choose_f32 (-(x < 0), exp_f32 (x) - 1.0f, x);
}

/* x tanh (log (1 + e^x)) = x n / (n + 2), n = e^x (e^x + 2) */
static inline float
mish_f32 (float x)
{
  float e = exp_f32 (at_most_f32 (x, 20.0f)); /* the quotient is 1 from there on */
  float n = e * (e + 2.0f);
  return x * (n / (n + 2.0f));
}

/* The error function: a polynomial near 0, 1 - e^-p (|x|) beyond. */
static inline float
erf_f32 (float x)
{
  float t = fabsf (x), s = x * x;
  float p = -5.96761703e-4f;
  p = p * s + 4.99119423e-3f;
  p = p * s - 2.67681349e-2f;
  p = p * s + 1.12819925e-1f;
  p = p * s - 3.76125336e-1f;
  p = p * s + 1.28379166e-1f;
  float small = p * x + x;
  float q = -1.72853470e-5f * t + 3.83197126e-4f;
  q = q * s + (-3.88396438e-3f * t + 2.42546219e-2f);
  q = q * t - 1.06777877e-1f;
  q = q * t - 6.34846687e-1f;
  q = q * t - 1.28717512e-1f;
  q = q * t - t;
  float big = copysignf (1.0f - exp_f32 (q), x);
  big = choose_f32 (-(t < 4.0f), big, copysignf (1.0f, x)); /* the polynomial is not meant for more */
  big = choose_f32 (-(t <= INFINITY), big, x);              /* NaN */
  return choose_f32 (-(t > 0.927734375f), big, small);
}

static inline float
gelu_f32 (float x)
{
  return 0.5f * x * (1.0f + erf_f32 (x * 0.70710678118654752f));
}

static inline float
quick_gelu_f32 (float x)
{
  return x * sigmoid_f32 (1.702f * x);
}

static inline float
gelu_tanh_f32 (float x)
{
  return 0.5f * x * (1.0f + tanh_f32 (0.7978845608028654f * (x + 0.044715f * x * x * x)));
}
