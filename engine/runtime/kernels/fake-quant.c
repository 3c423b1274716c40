/* The arithmetic of QuantizeLinear followed by DequantizeLinear: y = (clamp (round_half_even (x / s) + z, lo, hi) - z) * s.
 * x any shape; s, z: one element, or one for each index of `axis`. NaN becomes zero. */
#include "engine/runtime/kernels/kernel.h"

PARE_RT_CLONES static void
run (const float *x, float *y, int64_t n, float s, float z, float lo, float hi)
{
  for (int64_t i = 0; i < n; i++)
    {
      float q = rintf (x[i] / s) + z;
      q = q > lo ? q : lo;
      q = q < hi ? q : hi;
      y[i] = (q - z) * s;
    }
}

KERNEL (pare_rt_k_fake_quant)
{
  const PareFakeQuantParams *p = params;
  REQUIRE (p && n_in == 3 && n_out == 1 && same_shape (&in[0], &out[0]) && p->axis < in[0].shape.rank && p->lo <= p->hi);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&out[0]) && is_f32 (&in[1]) && in[2].dtype == PARE_DTYPE_INT32);
  int64_t channels = p->axis < 0 ? 1 : in[0].shape.dims[p->axis];
  REQUIRE (count_of (&in[1]) == channels && count_of (&in[2]) == channels);
  CHECKED;
  int64_t inner = p->axis < 0 ? count_of (&in[0]) : product (&in[0].shape, p->axis + 1, in[0].shape.rank);
  int64_t runs = inner > 0 ? count_of (&in[0]) / inner : 0;
  const float *s = in[1].data;
  const int32_t *z = in[2].data;
  for (int64_t r = 0; r < runs; r++)
    {
      int64_t c = p->axis < 0 ? 0 : r % channels;
      run ((const float *)in[0].data + r * inner, (float *)out[0].data + r * inner, inner, s[c], (float)z[c], (float)p->lo, (float)p->hi);
    }
  return PARE_RT_OK;
}
