/* Expand: x broadcast to the output's shape. Tile: x repeated as often as the output's extents say. */
#include "engine/runtime/kernels/move.h"

KERNEL (pare_rt_k_expand)
{
  int64_t from[PARE_MAX_RANK], to[PARE_MAX_RANK];
  REQUIRE (n_in >= 1 && n_out == 1 && in[0].dtype == out[0].dtype);
  SUPPORT (element_size (&in[0]) > 0);
  int64_t size = element_size (&in[0]);
  REQUIRE (pare_rt_broadcast_strides (&in[0].shape, &out[0].shape, size, from));
  CHECKED;
  pare_rt_strides (&out[0].shape, size, to);
  pare_rt_move (out[0].shape.rank, out[0].shape.dims, in[0].data, from, out[0].data, to, size);
  return PARE_RT_OK;
}

KERNEL (pare_rt_k_tile)
{
  /* each axis as two: the repeat, which stands still in x, and the extent */
  int64_t dims[2 * PARE_MAX_RANK], from[2 * PARE_MAX_RANK], to[2 * PARE_MAX_RANK], xs[PARE_MAX_RANK], ys[PARE_MAX_RANK];
  REQUIRE (n_in >= 1 && n_out == 1 && in[0].dtype == out[0].dtype && in[0].shape.rank == out[0].shape.rank);
  SUPPORT (element_size (&in[0]) > 0);
  int rank = in[0].shape.rank;
  for (int i = 0; i < rank; i++)
    {
      int64_t d = in[0].shape.dims[i], n = out[0].shape.dims[i];
      REQUIRE (d == 0 ? n == 0 : n % d == 0);
    }
  CHECKED;
  int64_t size = element_size (&in[0]);
  if (count_of (&out[0]) == 0)
    return PARE_RT_OK;
  pare_rt_strides (&in[0].shape, size, xs);
  pare_rt_strides (&out[0].shape, size, ys);
  for (int i = 0; i < rank; i++)
    {
      int64_t d = in[0].shape.dims[i];
      dims[2 * i] = out[0].shape.dims[i] / d;
      from[2 * i] = 0;
      to[2 * i] = ys[i] * d;
      dims[2 * i + 1] = d;
      from[2 * i + 1] = xs[i];
      to[2 * i + 1] = ys[i];
    }
  pare_rt_move (2 * rank, dims, in[0].data, from, out[0].data, to, size);
  return PARE_RT_OK;
}
