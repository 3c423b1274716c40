/* Pad: a border around x, or where begin or end are negative, a crop (which comes first, as in ONNX Runtime). */
#include "engine/runtime/kernels/move.h"

/* Where output index o of an axis comes from; n elements lie between begin and begin + n. */
static inline int64_t
source (ParePadMode mode, int64_t o, int64_t begin, int64_t n)
{
  int64_t i = o - begin;
  if (i >= 0 && i < n)
    return i;
  if (mode == PARE_PAD_EDGE || n == 1)
    return i < 0 ? 0 : n - 1;
  int64_t period = mode == PARE_PAD_WRAP ? n : 2 * (n - 1);
  i %= period;
  i += i < 0 ? period : 0;
  return i < n ? i : period - i;
}

KERNEL (pare_rt_k_pad)
{
  const ParePadParams *p = params;
  int64_t from[PARE_MAX_RANK], to[PARE_MAX_RANK], begin[PARE_MAX_RANK], inner[PARE_MAX_RANK], index[PARE_MAX_RANK] = { 0 }, offset = 0;
  REQUIRE (p && n_in >= 1 && n_out == 1 && in[0].dtype == out[0].dtype && in[0].shape.rank == out[0].shape.rank);
  SUPPORT (element_size (&in[0]) > 0 && (unsigned)p->mode <= PARE_PAD_WRAP);
  int64_t size = element_size (&in[0]), count = count_of (&out[0]);
  int rank = in[0].shape.rank;
  bool value = given (in, n_in, 1);
  REQUIRE (!value || (in[1].dtype == in[0].dtype && count_of (&in[1]) == 1));
  pare_rt_strides (&in[0].shape, size, from);
  pare_rt_strides (&out[0].shape, size, to);
  for (int i = 0; i < rank; i++)
    {
      int64_t d = in[0].shape.dims[i], n = out[0].shape.dims[i];
      REQUIRE (p->begin[i] >= -d && p->begin[i] <= n);
      int64_t end = n - d - p->begin[i], crop = p->begin[i] < 0 ? -p->begin[i] : 0;
      begin[i] = p->begin[i] < 0 ? 0 : p->begin[i];
      inner[i] = d - crop + (end < 0 ? end : 0);
      REQUIRE (inner[i] >= 0 && begin[i] + inner[i] <= n);
      REQUIRE (p->mode == PARE_PAD_CONSTANT || inner[i] > 0 || count == 0);
      offset += crop * from[i];
    }
  CHECKED;
  if (count == 0)
    return PARE_RT_OK;
  const char *x = (const char *)in[0].data + offset;
  char *y = out[0].data;
  if (p->mode == PARE_PAD_CONSTANT || rank == 0)
    {
      uint64_t zero = 0;
      pare_rt_fill (y, count, value ? in[1].data : &zero, size);
      for (int i = 0; i < rank; i++)
        y += begin[i] * to[i];
      pare_rt_move (rank, inner, x, from, y, to, size);
      return PARE_RT_OK;
    }
  int last = rank - 1;
  int64_t row = out[0].shape.dims[last];
  for (int64_t done = 0; done < count; done += row, y += row * size)
    {
      const char *r = x;
      for (int i = 0; i < last; i++)
        r += source (p->mode, index[i], begin[i], inner[i]) * from[i];
      memcpy (y + begin[last] * size, r, inner[last] * size);
      for (int64_t o = 0; o < row; o++)
        {
          if (o == begin[last])
            o += inner[last];
          if (o < row)
            memcpy (y + o * size, r + source (p->mode, o, begin[last], inner[last]) * size, size);
        }
      for (int i = last - 1; i >= 0 && ++index[i] == out[0].shape.dims[i]; i--)
        index[i] = 0;
    }
  return PARE_RT_OK;
}
