/* Tensors of normal numbers; the same seed gives the same ones. */
#pragma once
#include "engine/base/pare-rng.h"
#include "engine/tensor/pare-tensor.h"

static void
fill_normal (float *data, gsize n, guint64 seed, double sigma)
{
  PareRng rng = { seed };
  for (gsize i = 0; i < n; i++)
    data[i] = (float)(sigma * pare_rng_normal (&rng));
}

static PareTensor *
tensor (guint64 seed, double sigma, int rank, const gint64 *dims)
{
  PareShape shape = { .rank = rank };
  for (int i = 0; i < rank; i++)
    shape.dims[i] = dims[i];
  PareTensor *t = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  fill_normal (t->data, (gsize)pare_tensor_count (t), seed, sigma);
  return t;
}
#define TENSOR(seed, sigma, ...) tensor (seed, sigma, sizeof ((gint64[]){ __VA_ARGS__ }) / sizeof (gint64), (gint64[]){ __VA_ARGS__ })
