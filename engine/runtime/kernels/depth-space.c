/* DepthToSpace and SpaceToDepth (both orders): [N,C,H,W], a block of block x block positions for block^2 channels. */
#include "engine/runtime/kernels/move.h"

/* deep [N, C * b * b, H, W], wide [N, C, H * b, W * b] */
static bool
fits (const PareView *deep, const PareView *wide, int64_t b)
{
  const int64_t *d = deep->shape.dims, *w = wide->shape.dims;
  int64_t n;
  return deep->shape.rank == 4 && wide->shape.rank == 4 && b >= 1 && d[0] == w[0] && !__builtin_mul_overflow (w[1], b * b, &n) && n == d[1]
         && !__builtin_mul_overflow (d[2], b, &n) && n == w[2] && !__builtin_mul_overflow (d[3], b, &n) && n == w[3];
}

/* Strides of both over [N, C, H, by, W, bx] */
static void
strides (const PareView *deep, const PareView *wide, int64_t b, bool crd, int64_t size, int64_t *dims, int64_t *ds, int64_t *ws)
{
  const int64_t *d = deep->shape.dims, *w = wide->shape.dims;
  int64_t plane = d[2] * d[3] * size, row = w[3] * size;
  const int64_t extents[6] = { w[0], w[1], d[2], b, d[3], b };
  const int64_t of_deep[6]
      = { d[1] * plane, crd ? b * b * plane : plane, d[3] * size, (crd ? b : b * w[1]) * plane, size, (crd ? 1 : w[1]) * plane };
  const int64_t of_wide[6] = { w[1] * w[2] * row, w[2] * row, b * row, row, b * size, size };
  memcpy (dims, extents, sizeof extents);
  memcpy (ds, of_deep, sizeof of_deep);
  memcpy (ws, of_wide, sizeof of_wide);
}

KERNEL (pare_rt_k_depth_to_space)
{
  const PareDepthSpaceParams *p = params;
  int64_t dims[6], from[6], to[6];
  REQUIRE (p && n_in >= 1 && n_out == 1 && in[0].dtype == out[0].dtype);
  SUPPORT (element_size (&in[0]) > 0);
  REQUIRE (fits (&in[0], &out[0], p->block));
  CHECKED;
  strides (&in[0], &out[0], p->block, p->crd != 0, element_size (&in[0]), dims, from, to);
  pare_rt_move (6, dims, in[0].data, from, out[0].data, to, element_size (&in[0]));
  return PARE_RT_OK;
}

KERNEL (pare_rt_k_space_to_depth)
{
  const PareDepthSpaceParams *p = params;
  int64_t dims[6], from[6], to[6];
  REQUIRE (p && n_in >= 1 && n_out == 1 && in[0].dtype == out[0].dtype);
  SUPPORT (element_size (&in[0]) > 0);
  REQUIRE (fits (&out[0], &in[0], p->block));
  CHECKED;
  strides (&out[0], &in[0], p->block, p->crd != 0, element_size (&in[0]), dims, to, from);
  pare_rt_move (6, dims, in[0].data, from, out[0].data, to, element_size (&in[0]));
  return PARE_RT_OK;
}
