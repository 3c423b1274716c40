/* Concat: operands side by side along an axis. */
#include "engine/runtime/kernels/kernel.h"

KERNEL (pare_rt_k_concat)
{
  const PareAxisParams *p = params;
  REQUIRE (p && n_in >= 1 && n_out == 1);
  SUPPORT (element_size (&out[0]) > 0);
  int rank = out[0].shape.rank;
  int64_t total = 0;
  REQUIRE (p->axis >= 0 && p->axis < rank);
  for (uint32_t i = 0; i < n_in; i++)
    {
      REQUIRE (in[i].dtype == out[0].dtype && in[i].shape.rank == rank);
      for (int d = 0; d < rank; d++)
        REQUIRE (d == p->axis || in[i].shape.dims[d] == out[0].shape.dims[d]);
      REQUIRE (in[i].shape.dims[p->axis] <= out[0].shape.dims[p->axis] - total);
      total += in[i].shape.dims[p->axis];
    }
  REQUIRE (total == out[0].shape.dims[p->axis]);
  CHECKED;
  if (count_of (&out[0]) == 0)
    return PARE_RT_OK;
  int64_t size = element_size (&out[0]), outer = product (&out[0].shape, 0, p->axis);
  int64_t row = product (&out[0].shape, p->axis, rank) * size, at = 0;
  for (uint32_t i = 0; i < n_in; i++)
    {
      int64_t part = product (&in[i].shape, p->axis, rank) * size;
      for (int64_t o = 0; o < outer && part > 0; o++)
        memcpy ((char *)out[0].data + o * row + at, (const char *)in[i].data + o * part, part);
      at += part;
    }
  return PARE_RT_OK;
}
