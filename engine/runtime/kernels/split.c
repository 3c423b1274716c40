/* Split: the inverse of Concat; the outputs' extents along the axis say where to cut. */
#include "engine/runtime/kernels/kernel.h"

KERNEL (pare_rt_k_split)
{
  const PareAxisParams *p = params;
  REQUIRE (p && n_in >= 1 && n_out >= 1);
  SUPPORT (element_size (&in[0]) > 0);
  int rank = in[0].shape.rank;
  int64_t total = 0;
  REQUIRE (p->axis >= 0 && p->axis < rank);
  for (uint32_t i = 0; i < n_out; i++)
    {
      REQUIRE (out[i].dtype == in[0].dtype && out[i].shape.rank == rank);
      for (int d = 0; d < rank; d++)
        REQUIRE (d == p->axis || out[i].shape.dims[d] == in[0].shape.dims[d]);
      REQUIRE (out[i].shape.dims[p->axis] <= in[0].shape.dims[p->axis] - total);
      total += out[i].shape.dims[p->axis];
    }
  REQUIRE (total == in[0].shape.dims[p->axis]);
  CHECKED;
  if (count_of (&in[0]) == 0)
    return PARE_RT_OK;
  int64_t size = element_size (&in[0]), outer = product (&in[0].shape, 0, p->axis);
  int64_t row = product (&in[0].shape, p->axis, rank) * size, at = 0;
  for (uint32_t i = 0; i < n_out; i++)
    {
      int64_t part = product (&out[i].shape, p->axis, rank) * size;
      for (int64_t o = 0; o < outer && part > 0; o++)
        memcpy ((char *)out[i].data + o * part, (const char *)in[0].data + o * row + at, part);
      at += part;
    }
  return PARE_RT_OK;
}
