/* Trilu: the upper or lower triangle of matrices, counted from diagonal k; the rest is zero. */
#include "engine/runtime/kernels/kernel.h"

KERNEL (pare_rt_k_trilu)
{
  const PareTriluParams *p = params;
  REQUIRE (p && n_in >= 1 && n_out == 1 && in[0].dtype == out[0].dtype && same_shape (&in[0], &out[0]) && in[0].shape.rank >= 2);
  SUPPORT (element_size (&in[0]) > 0);
  CHECKED;
  if (count_of (&in[0]) == 0)
    return PARE_RT_OK;
  int rank = in[0].shape.rank;
  int64_t size = element_size (&in[0]), rows = in[0].shape.dims[rank - 2], cols = in[0].shape.dims[rank - 1];
  int64_t lines = product (&in[0].shape, 0, rank - 1);
  /* further than that a diagonal lies outside on either side, and sums with it fit */
  int64_t k = p->k < -rows ? -rows : p->k > cols ? cols : p->k;
  for (int64_t l = 0; l < lines; l++)
    {
      const char *x = (const char *)in[0].data + l * cols * size;
      char *y = (char *)out[0].data + l * cols * size;
      int64_t split = l % rows + k + (p->upper ? 0 : 1); /* the first column of the right part */
      split = split < 0 ? 0 : split > cols ? cols : split;
      memset (y, 0, cols * size);
      if (p->upper)
        memcpy (y + split * size, x + split * size, (cols - split) * size);
      else
        memcpy (y, x, split * size);
    }
  return PARE_RT_OK;
}
