/* Copy: the same elements under another shape. */
#include "engine/runtime/kernels/kernel.h"

KERNEL (pare_rt_k_copy)
{
  REQUIRE (n_in >= 1 && n_out == 1 && in[0].dtype == out[0].dtype);
  SUPPORT (pare_dtype_bits (in[0].dtype) > 0);
  REQUIRE (count_of (&in[0]) == count_of (&out[0]));
  CHECKED;
  int64_t bytes = pare_shape_bytes (&in[0].shape, in[0].dtype);
  if (bytes > 0)
    memmove (out[0].data, in[0].data, bytes);
  return PARE_RT_OK;
}
