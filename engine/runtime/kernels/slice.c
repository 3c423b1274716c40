/* Slice: y[i] = x[start + i * step] on every axis. */
#include "engine/runtime/kernels/move.h"

KERNEL (pare_rt_k_slice)
{
  const PareSliceParams *p = params;
  int64_t from[PARE_MAX_RANK], to[PARE_MAX_RANK], offset = 0;
  REQUIRE (p && n_in >= 1 && n_out == 1 && in[0].dtype == out[0].dtype && in[0].shape.rank == out[0].shape.rank);
  SUPPORT (element_size (&in[0]) > 0);
  int64_t size = element_size (&in[0]);
  int rank = in[0].shape.rank;
  bool empty = count_of (&out[0]) == 0;
  for (int i = 0; i < rank && !empty; i++)
    {
      int64_t last, n = out[0].shape.dims[i], d = in[0].shape.dims[i];
      REQUIRE (p->start[i] >= 0 && p->start[i] < d);
      REQUIRE (!__builtin_mul_overflow (n - 1, p->step[i], &last) && !__builtin_add_overflow (last, p->start[i], &last));
      REQUIRE (last >= 0 && last < d && (n == 1 || p->step[i] != 0));
    }
  CHECKED;
  if (empty)
    return PARE_RT_OK;
  pare_rt_strides (&in[0].shape, size, from);
  pare_rt_strides (&out[0].shape, size, to);
  for (int i = 0; i < rank; i++)
    {
      offset += p->start[i] * from[i];
      from[i] *= out[0].shape.dims[i] == 1 ? 0 : p->step[i]; /* of one element any step is allowed, however far */
    }
  pare_rt_move (rank, out[0].shape.dims, (const char *)in[0].data + offset, from, out[0].data, to, size);
  return PARE_RT_OK;
}
