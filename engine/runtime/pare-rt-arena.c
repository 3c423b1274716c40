/* Memory by liveness: the largest first, each at the lowest offset where nothing that lives at the same time lies (greedy by size,
 * Pisarchyk and Lee 2020). */
#include "engine/runtime/pare-rt.h"
#include <stdlib.h>

typedef struct
{
  uint64_t bytes;
  uint32_t index;
} Entry;

static int
larger_first (const void *a, const void *b)
{
  const Entry *x = a, *y = b;
  return x->bytes < y->bytes ? 1 : x->bytes > y->bytes ? -1 : (x->index > y->index) - (x->index < y->index);
}

/* Keeps `placed` (indices) sorted by offset. */
static void
insert (uint32_t *placed, uint32_t n, uint32_t index, const uint64_t *offsets)
{
  uint32_t i = n;
  for (; i > 0 && offsets[placed[i - 1]] > offsets[index]; i--)
    placed[i] = placed[i - 1];
  placed[i] = index;
}

uint64_t
pare_rt_pack_arena (uint32_t n, const uint64_t *bytes, const uint32_t *first, const uint32_t *last, uint64_t *offsets)
{
  Entry *order = malloc ((n + 1) * sizeof *order);
  uint32_t *placed = malloc ((n + 1) * sizeof *placed);
  uint64_t size = 0;
  for (uint32_t i = 0; i < n; i++)
    {
      offsets[i] = 0;
      if (order)
        order[i] = (Entry){ bytes[i], i };
    }
  if (!order || !placed) /* without memory to plan, nothing shares */
    for (uint32_t i = 0; i < n; i++)
      {
        offsets[i] = size;
        size += (bytes[i] + 63) / 64 * 64;
      }
  else
    {
      qsort (order, n, sizeof *order, larger_first);
      for (uint32_t k = 0; k < n; k++)
        {
          uint32_t i = order[k].index;
          uint64_t need = (bytes[i] + 63) / 64 * 64, at = 0;
          for (uint32_t p = 0; p < k; p++)
            {
              uint32_t o = placed[p];
              if (last[o] < first[i] || last[i] < first[o])
                continue;
              if (offsets[o] >= at + need)
                break;
              uint64_t end = offsets[o] + (bytes[o] + 63) / 64 * 64;
              at = end > at ? end : at;
            }
          offsets[i] = at;
          insert (placed, k, i, offsets);
          size = at + need > size ? at + need : size;
        }
    }
  free (order);
  free (placed);
  return size;
}
