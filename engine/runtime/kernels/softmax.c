/* Softmax and LogSoftmax along one axis: y = exp (x - max) / sum; sums in double. */
#include "engine/runtime/kernels/kernel.h"

KERNEL (pare_rt_k_softmax)
{
  const PareSoftmaxParams *p = params;
  REQUIRE (p && n_in >= 1 && n_out == 1 && same_shape (&in[0], &out[0]) && p->axis >= 0 && p->axis < in[0].shape.rank);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&out[0]));
  CHECKED;
  int64_t outer = product (&in[0].shape, 0, p->axis), n = in[0].shape.dims[p->axis],
          inner = product (&in[0].shape, p->axis + 1, in[0].shape.rank);
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < inner; i++)
      {
        const float *x = (const float *)in[0].data + o * n * inner + i;
        float *y = (float *)out[0].data + o * n * inner + i;
        float most = -INFINITY;
        double sum = 0;
        for (int64_t k = 0; k < n; k++)
          most = x[k * inner] > most ? x[k * inner] : most;
        for (int64_t k = 0; k < n; k++)
          {
            float e = expf (x[k * inner] - most);
            sum += e;
            y[k * inner] = p->log ? x[k * inner] - most : e;
          }
        float norm = p->log ? (float)log (sum) : (float)(1 / sum);
        for (int64_t k = 0; k < n; k++)
          y[k * inner] = p->log ? y[k * inner] - norm : y[k * inner] * norm;
      }
  return PARE_RT_OK;
}
