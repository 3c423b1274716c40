/* Transpose: axis i of y is axis perm[i] of x. */
#include "engine/runtime/kernels/move.h"

KERNEL (pare_rt_k_transpose)
{
  const PareTransposeParams *p = params;
  REQUIRE (p && n_in >= 1 && n_out == 1 && in[0].dtype == out[0].dtype && in[0].shape.rank == out[0].shape.rank);
  SUPPORT (element_size (&in[0]) > 0);
  int rank = in[0].shape.rank;
  unsigned seen = 0;
  for (int i = 0; i < rank; i++)
    {
      REQUIRE (p->perm[i] >= 0 && p->perm[i] < rank && !(seen >> p->perm[i] & 1));
      REQUIRE (out[0].shape.dims[i] == in[0].shape.dims[p->perm[i]]);
      seen |= 1u << p->perm[i];
    }
  CHECKED;
  int64_t size = element_size (&in[0]), strides[PARE_MAX_RANK], from[PARE_MAX_RANK], to[PARE_MAX_RANK];
  pare_rt_strides (&in[0].shape, size, strides);
  pare_rt_strides (&out[0].shape, size, to);
  for (int i = 0; i < rank; i++)
    from[i] = strides[p->perm[i]];
  pare_rt_move (rank, out[0].shape.dims, in[0].data, from, out[0].data, to, size);
  return PARE_RT_OK;
}
