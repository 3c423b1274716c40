/* TopK: the k largest or smallest along an axis, sorted; of equal ones the first. A NaN counts as larger than any number.
 * A heap of k with the worst on top, over keys that order like the values; floats that lie side by side and are no better than that are
 * passed over sixteen at a time. */
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

#define BLOCK 16
#define ROWS_WORK 16384 /* elements that are worth sharing */

/* From i on, n or the first block in which a float is better than `worst`, or is NaN. */
PARE_RT_CLONES static int64_t
pass_over (const float *x, int64_t i, int64_t n, float worst, bool largest)
{
  for (; i + BLOCK <= n; i += BLOCK)
    {
      int32_t better = 0;
      for (int l = 0; l < BLOCK; l++)
        better |= largest ? -!(x[i + l] <= worst) : -!(x[i + l] >= worst);
      if (better)
        return i;
    }
  return i;
}

static void
select_best (const PareView *x, int64_t first, int64_t step, int64_t n, int64_t k, bool largest, Item *heap)
{
  const float *side_by_side = step == 1 && x->dtype == PARE_DTYPE_FLOAT32 ? (const float *)x->data + first : NULL;
  for (int64_t i = 0; i < n; i++)
    {
      if (side_by_side && i >= k)
        {
          float worst = side_by_side[heap[0].index];
          if (i % BLOCK == 0 && (i = pass_over (side_by_side, i, n, worst, largest)) >= n)
            break;
          if (largest ? side_by_side[i] <= worst : side_by_side[i] >= worst)
            continue;
        }
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

typedef struct
{
  const PareView *x;
  PareView *out;
  uint32_t n_out;
  int64_t d, k, inner, rows, tasks;
  bool largest;
  Item *heaps; /* of each worker */
} Job;

static void
rows_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t size = element_size (j->x);
  Item *heap = j->heaps + worker * j->k;
  for (int64_t row = j->rows * task / j->tasks; row < j->rows * (task + 1) / j->tasks; row++)
    {
      int64_t o = row / j->inner, i = row % j->inner, first = o * j->d * j->inner + i;
      select_best (j->x, first, j->inner, j->d, j->k, j->largest, heap);
      for (int64_t r = 0; r < j->k; r++)
        {
          int64_t to = (o * j->k + r) * j->inner + i;
          if (j->out[0].dtype != PARE_DTYPE_NONE)
            memcpy ((char *)j->out[0].data + to * size, (const char *)j->x->data + (first + heap[r].index * j->inner) * size, size);
          if (j->n_out > 1 && j->out[1].dtype != PARE_DTYPE_NONE)
            ((int64_t *)j->out[1].data)[to] = heap[r].index;
        }
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
  int64_t inner = product (&in[0].shape, p->axis + 1, in[0].shape.rank), most = 4 * pare_rt_workers ();
  Job job = { .x = &in[0],
              .out = out,
              .n_out = n_out,
              .d = d,
              .k = k,
              .inner = inner,
              .rows = product (&in[0].shape, 0, p->axis) * inner,
              .largest = p->largest != 0,
              .heaps = scratch };
  job.tasks = job.rows < most ? job.rows : most;
  if (k > 0)
    pare_rt_parallel_if ((double)job.rows * (double)d > ROWS_WORK, job.tasks, rows_task, &job);
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
  return (uint64_t)k * sizeof (Item) * (uint64_t)pare_rt_workers ();
}
