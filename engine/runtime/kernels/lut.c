/* Lut: y[i] = table[byte of x[i]]. */
#include "engine/runtime/kernels/integer.h"

KERNEL (pare_rt_k_lut)
{
  REQUIRE (n_in == 2 && n_out == 1 && same_shape (&in[0], &out[0]) && count_of (&in[1]) == 256 && in[1].dtype == out[0].dtype);
  SUPPORT (is_codes (&in[0]) && (is_codes (&out[0]) || is_f32 (&out[0])));
  CHECKED;
  const uint8_t *x = in[0].data;
  int64_t n = count_of (&in[0]);
  if (is_f32 (&out[0]))
    for (int64_t i = 0; i < n; i++)
      ((float *)out[0].data)[i] = ((const float *)in[1].data)[x[i]];
  else
    for (int64_t i = 0; i < n; i++)
      ((uint8_t *)out[0].data)[i] = ((const uint8_t *)in[1].data)[x[i]];
  return PARE_RT_OK;
}
