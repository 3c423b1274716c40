/* Where: y = cond ? a : b, all three broadcast. */
#include "engine/runtime/kernels/move.h"

#define PICK(type)                                                                                                                         \
  for (int64_t i = 0; i < row; i++)                                                                                                        \
  ((type *)y)[i] = c[i * lc] ? *(const type *)(a + i * la) : *(const type *)(b + i * lb)

KERNEL (pare_rt_k_where)
{
  int64_t sc[PARE_MAX_RANK], sa[PARE_MAX_RANK], sb[PARE_MAX_RANK], index[PARE_MAX_RANK] = { 0 };
  REQUIRE (n_in == 3 && n_out == 1 && in[0].dtype == PARE_DTYPE_BOOL && in[1].dtype == out[0].dtype && in[2].dtype == out[0].dtype);
  SUPPORT (element_size (&out[0]) > 0);
  int64_t size = element_size (&out[0]), count = count_of (&out[0]);
  REQUIRE (pare_rt_broadcast_strides (&in[0].shape, &out[0].shape, 1, sc)
           && pare_rt_broadcast_strides (&in[1].shape, &out[0].shape, size, sa)
           && pare_rt_broadcast_strides (&in[2].shape, &out[0].shape, size, sb));
  CHECKED;
  int last = out[0].shape.rank - 1;
  int64_t row = last < 0 ? 1 : out[0].shape.dims[last], lc = last < 0 ? 0 : sc[last], la = last < 0 ? 0 : sa[last],
          lb = last < 0 ? 0 : sb[last];
  char *y = out[0].data;
  for (int64_t done = 0; done < count; done += row, y += row * size)
    {
      const uint8_t *c = in[0].data;
      const char *a = in[1].data, *b = in[2].data;
      for (int i = 0; i < last; i++)
        {
          c += index[i] * sc[i];
          a += index[i] * sa[i];
          b += index[i] * sb[i];
        }
      switch (size)
        {
        case 1:
          PICK (uint8_t);
          break;
        case 2:
          PICK (uint16_t);
          break;
        case 4:
          PICK (uint32_t);
          break;
        default:
          PICK (uint64_t);
        }
      for (int i = last - 1; i >= 0 && ++index[i] == out[0].shape.dims[i]; i--)
        index[i] = 0;
    }
  return PARE_RT_OK;
}
