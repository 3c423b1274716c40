/* TopK: the k largest or smallest along an axis, sorted; of equal ones the first. A NaN counts as larger than any number.
 * A heap of k with the worst on top, over keys that order like the values. */
#include "engine/runtime/kernels/kernel.h"

typedef struct
{
  uint64_t key;
  int64_t index;
} Item;

static uint64_t
real_key (double v)
{
  union
  {
    double d;
    uint64_t u;
  } bits = { v == 0 ? 0 : v }; /* both zeros are equal */
  if (isnan (v))
    return UINT64_MAX;
  return bits.u >> 63 ? ~bits.u : bits.u | (uint64_t)1 << 63;
}

static uint64_t
key_of (const PareView *v, int64_t i)
{
  const uint64_t middle = (uint64_t)1 << 63;
  switch (v->dtype)
    {
    case PARE_DTYPE_FLOAT32:
      return real_key (((const float *)v->data)[i]);
    case PARE_DTYPE_FLOAT64:
      return real_key (((const double *)v->data)[i]);
    case PARE_DTYPE_INT8:
      return (uint64_t)(int64_t)((const int8_t *)v->data)[i] ^ middle;
    case PARE_DTYPE_UINT8:
      return ((const uint8_t *)v->data)[i];
    case PARE_DTYPE_INT32:
      return (uint64_t)(int64_t)((const int32_t *)v->data)[i] ^ middle;
    default:
      return (uint64_t)((const int64_t *)v->data)[i] ^ middle;
    }
}

static inline bool
worse (const Item *a, const Item *b)
{
  return a->key < b->key || (a->key == b->key && a->index > b->index);
}

/* Puts `item` where it belongs at or below the hole at `at`. */
static void
sift (Item *heap, int64_t n, int64_t at, Item item)
{
  for (int64_t child; (child = 2 * at + 1) < n; at = child)
    {
      if (child + 1 < n && worse (&heap[child + 1], &heap[child]))
        child++;
      if (!worse (&heap[child], &item))
        break;
      heap[at] = heap[child];
    }
  heap[at] = item;
}

static void
select_best (const PareView *x, int64_t first, int64_t step, int64_t n, int64_t k, bool largest, Item *heap)
{
  for (int64_t i = 0; i < n; i++)
    {
      uint64_t key = key_of (x, first + i * step);
      Item item = { largest ? key : ~key, i };
      if (i < k)
        {
          heap[i] = item;
          for (int64_t at = i == k - 1 ? k / 2 : 0; at > 0; at--)
            sift (heap, k, at - 1, heap[at - 1]);
        }
      else if (worse (&heap[0], &item))
        sift (heap, k, 0, item);
    }
  /* the worst goes last */
  for (int64_t left = k - 1; left > 0; left--)
    {
      Item last = heap[left];
      heap[left] = heap[0];
      sift (heap, left, 0, last);
    }
}

KERNEL (pare_rt_k_topk)
{
  const PareTopKParams *p = params;
  REQUIRE (p && n_in >= 1 && n_out >= 1 && n_out <= 2 && p->axis >= 0 && p->axis < in[0].shape.rank);
  PareDtype t = in[0].dtype;
  SUPPORT (t == PARE_DTYPE_FLOAT32 || t == PARE_DTYPE_FLOAT64 || t == PARE_DTYPE_INT8 || t == PARE_DTYPE_UINT8 || t == PARE_DTYPE_INT32
           || t == PARE_DTYPE_INT64);
  int64_t k = -1;
  for (uint32_t o = 0; o < n_out; o++)
    {
      if (out[o].dtype == PARE_DTYPE_NONE)
        continue;
      REQUIRE (out[o].dtype == (o == 0 ? t : PARE_DTYPE_INT64) && out[o].shape.rank == in[0].shape.rank);
      for (int i = 0; i < in[0].shape.rank; i++)
        REQUIRE (i == p->axis || out[o].shape.dims[i] == in[0].shape.dims[i]);
      REQUIRE (k < 0 || k == out[o].shape.dims[p->axis]);
      k = out[o].shape.dims[p->axis];
    }
  int64_t d = in[0].shape.dims[p->axis];
  REQUIRE (k >= 0 && k <= d);
  CHECKED;
  int64_t outer = product (&in[0].shape, 0, p->axis), inner = product (&in[0].shape, p->axis + 1, in[0].shape.rank),
          size = element_size (&in[0]);
  Item *heap = scratch;
  for (int64_t o = 0; k > 0 && o < outer; o++)
    for (int64_t i = 0; i < inner; i++)
      {
        int64_t first = o * d * inner + i;
        select_best (&in[0], first, inner, d, k, p->largest != 0, heap);
        for (int64_t r = 0; r < k; r++)
          {
            int64_t to = (o * k + r) * inner + i;
            if (out[0].dtype != PARE_DTYPE_NONE)
              memcpy ((char *)out[0].data + to * size, (const char *)in[0].data + (first + heap[r].index * inner) * size, size);
            if (n_out > 1 && out[1].dtype != PARE_DTYPE_NONE)
              ((int64_t *)out[1].data)[to] = heap[r].index;
          }
      }
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_topk)
{
  const PareTopKParams *p = params;
  if (!p || n_in < 1 || p->axis < 0 || p->axis >= in[0].shape.rank || in[0].shape.dims[p->axis] < 0)
    return 0;
  int64_t k = 0;
  for (uint32_t o = 0; o < n_out; o++)
    if (out[o].dtype != PARE_DTYPE_NONE && p->axis < out[o].shape.rank && out[o].shape.dims[p->axis] > k)
      k = out[o].shape.dims[p->axis];
  k = k > in[0].shape.dims[p->axis] ? in[0].shape.dims[p->axis] : k;
  return (uint64_t)k * sizeof (Item);
}
