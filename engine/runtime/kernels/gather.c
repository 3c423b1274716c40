/* Gather, GatherElements, GatherND. Negative indices count from the end; one out of range stops the run. */
#include "engine/runtime/kernels/move.h"

/* *i in 0..n-1; false: out of range */
static inline bool
resolve (int64_t *i, int64_t n)
{
  *i += *i < 0 ? n : 0;
  return *i >= 0 && *i < n;
}

static inline void
copy_one (char *to, const char *from, int64_t size)
{
  switch (size)
    {
    case 1:
      *to = *from;
      break;
    case 2:
      *(uint16_t *)to = *(const uint16_t *)from;
      break;
    case 4:
      *(uint32_t *)to = *(const uint32_t *)from;
      break;
    default:
      *(uint64_t *)to = *(const uint64_t *)from;
    }
}

/* The product of up to three extents fits and is n. */
static bool
product_is (int64_t a, int64_t b, int64_t c, int64_t n)
{
  return !__builtin_mul_overflow (a, b, &a) && !__builtin_mul_overflow (a, c, &a) && a == n;
}

KERNEL (pare_rt_k_gather)
{
  const PareAxisParams *p = params;
  REQUIRE (p && n_in == 2 && n_out == 1 && in[0].dtype == out[0].dtype);
  SUPPORT (element_size (&in[0]) > 0 && is_index (&in[1]));
  REQUIRE (p->axis >= 0 && p->axis < in[0].shape.rank);
  int64_t outer = product (&in[0].shape, 0, p->axis), d = in[0].shape.dims[p->axis];
  int64_t inner = product (&in[0].shape, p->axis + 1, in[0].shape.rank), n = count_of (&in[1]), size = element_size (&in[0]);
  REQUIRE (product_is (outer, n, inner, count_of (&out[0])));
  CHECKED;
  char *y = out[0].data;
  if (outer == 0 || inner == 0)
    return PARE_RT_OK;
  for (int64_t o = 0; o < outer; o++)
    for (int64_t k = 0; k < n; k++, y += inner * size)
      {
        int64_t i = index_at (&in[1], k);
        REQUIRE (resolve (&i, d));
        const char *x = (const char *)in[0].data + (o * d + i) * inner * size;
        if (inner == 1)
          copy_one (y, x, size);
        else
          memcpy (y, x, inner * size);
      }
  return PARE_RT_OK;
}

KERNEL (pare_rt_k_gather_elements)
{
  const PareAxisParams *p = params;
  int64_t strides[PARE_MAX_RANK], index[PARE_MAX_RANK] = { 0 };
  REQUIRE (p && n_in == 2 && n_out == 1 && in[0].dtype == out[0].dtype);
  SUPPORT (element_size (&in[0]) > 0 && is_index (&in[1]));
  int rank = in[0].shape.rank;
  REQUIRE (p->axis >= 0 && p->axis < rank && in[1].shape.rank == rank && same_shape (&in[1], &out[0]));
  for (int i = 0; i < rank; i++)
    REQUIRE (i == p->axis || in[1].shape.dims[i] <= in[0].shape.dims[i]);
  CHECKED;
  int64_t size = element_size (&in[0]), n = count_of (&in[1]);
  pare_rt_strides (&in[0].shape, size, strides);
  for (int64_t k = 0; k < n; k++)
    {
      int64_t i = index_at (&in[1], k);
      REQUIRE (resolve (&i, in[0].shape.dims[p->axis]));
      const char *x = (const char *)in[0].data + i * strides[p->axis];
      for (int a = 0; a < rank; a++)
        x += a == p->axis ? 0 : index[a] * strides[a];
      copy_one ((char *)out[0].data + k * size, x, size);
      for (int a = rank - 1; a >= 0 && ++index[a] == in[1].shape.dims[a]; a--)
        index[a] = 0;
    }
  return PARE_RT_OK;
}

KERNEL (pare_rt_k_gather_nd)
{
  const PareGatherNdParams *p = params;
  REQUIRE (p && n_in == 2 && n_out == 1 && in[0].dtype == out[0].dtype);
  SUPPORT (element_size (&in[0]) > 0 && is_index (&in[1]));
  const PareShape *xs = &in[0].shape, *is = &in[1].shape;
  int b = p->batch_dims;
  REQUIRE (is->rank >= 1 && b >= 0 && b < is->rank && b <= xs->rank);
  int64_t k = is->dims[is->rank - 1];
  REQUIRE (k >= 1 && k <= xs->rank - b);
  for (int i = 0; i < b; i++)
    REQUIRE (xs->dims[i] == is->dims[i]);
  int64_t batches = product (xs, 0, b), each = product (is, b, is->rank - 1), run = product (xs, b + (int)k, xs->rank);
  REQUIRE (product_is (batches, each, run, count_of (&out[0])));
  CHECKED;
  int64_t size = element_size (&in[0]), plane = product (xs, b, xs->rank);
  char *y = out[0].data;
  if (run == 0)
    return PARE_RT_OK;
  for (int64_t t = 0; t < batches; t++)
    for (int64_t e = 0; e < each; e++, y += run * size)
      {
        int64_t at = 0;
        for (int64_t a = 0; a < k; a++)
          {
            int64_t i = index_at (&in[1], (t * each + e) * k + a);
            REQUIRE (resolve (&i, xs->dims[b + a]));
            at = at * xs->dims[b + a] + i;
          }
        memcpy (y, (const char *)in[0].data + (t * plane + at * run) * size, run * size);
      }
  return PARE_RT_OK;
}
