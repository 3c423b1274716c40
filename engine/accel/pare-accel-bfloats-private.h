/* What the files that build steps of bfloat16 share. */
#pragma once
#include "engine/accel/pare-accel-bfloats.h"
#include "engine/accel/pare-accel-private.h"

static inline PareBfloatPlace
pare_accel_place (const PareView *view, bool wide, int64_t at)
{
  return (PareBfloatPlace){ (char *)view->data + at * (wide ? 4 : 2), wide };
}

/* How long a thread takes for a product by tiles, roughly: each vector of results for what follows it, and for each step of 32 terms. */
static inline double
pare_accel_tiles_ns (int64_t rows, int64_t n, int64_t k)
{
  return (double)rows * (double)((n + PARE_BLOCK - 1) / PARE_BLOCK) * (1.2 + 0.25 * (double)((k + 31) / 32));
}

/* A pointwise convolution whose operands are of 16 bits. */
bool pare_accel_is_point_bf16 (const PareAccel *self, uint32_t step);
bool pare_accel_pack_point_bf16 (PareAccel *self, uint32_t step, const PareFolded *f, PareBfloatPoint *p);

/* A depthwise one that there are loops for; s: what it is, of all images. */
bool pare_accel_is_depthwise_bf16 (const PareAccel *self, uint32_t step, PareBfloatDepthwise *s);
/* Its weights and what follows, once its x_row is known. */
bool pare_accel_pack_depthwise_bf16 (PareAccel *self, uint32_t step, const PareFolded *f, PareBfloatDepthwise *s);
