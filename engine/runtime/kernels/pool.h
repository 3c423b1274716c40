#pragma once
#include "engine/runtime/kernels/kernel.h"

typedef struct
{
  int64_t planes, in[3], out[3], k[3], stride[3], dil[3], pad[3], pad_end[3];
} PoolGeometry;

/* Everything as three spatial axes. FALSE: the operands do not fit each other. */
bool pare_rt_pool_geometry (const ParePoolParams *p, const PareView *x, const PareView *y, PoolGeometry *g);
/* The largest float of each window of so many planes; only where that says so. */
bool pare_rt_max_pool_fits_lanes (const PoolGeometry *g);
void pare_rt_max_pool_lanes (const PoolGeometry *g, const float *x, float *y, int64_t planes);
/* The largest code of each window; UINT8 or INT8. */
void pare_rt_max_pool_codes (const PoolGeometry *g, const PareView *x, PareView *y);
