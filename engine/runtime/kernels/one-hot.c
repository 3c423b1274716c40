/* OneHot: in = indices, values (off, on); the depth is the output's extent on the axis. An index out of range sets nothing, as ONNX says.
 */
#include "engine/runtime/kernels/move.h"

static int64_t
position (const PareView *v, int64_t i, int64_t depth)
{
  int64_t at;
  if (v->dtype == PARE_DTYPE_FLOAT32)
    {
      float f = ((const float *)v->data)[i];
      if (!(f >= -(float)depth && f < (float)depth))
        return -1;
      at = (int64_t)f;
    }
  else if (v->dtype == PARE_DTYPE_UINT8)
    at = ((const uint8_t *)v->data)[i];
  else
    at = index_at (v, i);
  at += at < 0 ? depth : 0;
  return at < depth ? at : -1;
}

KERNEL (pare_rt_k_one_hot)
{
  const PareAxisParams *p = params;
  REQUIRE (p && n_in == 2 && n_out == 1 && in[1].dtype == out[0].dtype && count_of (&in[1]) == 2);
  SUPPORT (element_size (&out[0]) > 0 && (is_index (&in[0]) || is_f32 (&in[0]) || in[0].dtype == PARE_DTYPE_UINT8));
  int rank = out[0].shape.rank;
  REQUIRE (rank == in[0].shape.rank + 1 && p->axis >= 0 && p->axis < rank);
  for (int i = 0; i < rank - 1; i++)
    REQUIRE (in[0].shape.dims[i] == out[0].shape.dims[i < p->axis ? i : i + 1]);
  CHECKED;
  int64_t outer = product (&in[0].shape, 0, p->axis), inner = product (&in[0].shape, p->axis, rank - 1), depth = out[0].shape.dims[p->axis];
  int64_t size = element_size (&out[0]);
  const char *values = in[1].data;
  pare_rt_fill (out[0].data, count_of (&out[0]), values, size);
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < inner; i++)
      {
        int64_t at = position (&in[0], o * inner + i, depth);
        if (at >= 0)
          memcpy ((char *)out[0].data + ((o * depth + at) * inner + i) * size, values + size, size);
      }
  return PARE_RT_OK;
}
