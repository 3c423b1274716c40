#pragma once
#include <glib.h>
#include <math.h>

/* SplitMix64: seeded, the same everywhere (Steele, Lea, Flood 2014). */
typedef struct
{
  guint64 state;
} PareRng;

static inline guint64
pare_splitmix64 (guint64 x)
{
  guint64 z = x + G_GUINT64_CONSTANT (0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT (0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT (0x94D049BB133111EB);
  return z ^ (z >> 31);
}
static inline guint64
pare_rng_next (PareRng *r)
{
  guint64 v = pare_splitmix64 (r->state);
  r->state += G_GUINT64_CONSTANT (0x9E3779B97F4A7C15);
  return v;
}
/* Uniform in [0, 1). */
static inline double
pare_rng_uniform (PareRng *r)
{
  return (pare_rng_next (r) >> 11) * 0x1p-53;
}
/* Uniform in 0..n-1. */
static inline guint64
pare_rng_below (PareRng *r, guint64 n)
{
  return (guint64)(pare_rng_uniform (r) * n);
}
static inline double
pare_rng_normal (PareRng *r)
{
  double u = 1.0 - pare_rng_uniform (r), v = pare_rng_uniform (r);
  return sqrt (-2 * log (u)) * cos (2 * G_PI * v);
}
