/* Concat: operands side by side along an axis. */
#include "engine/runtime/kernels/kernel.h"

#define TILE (16 << 10) /* bytes of the result that all operands are copied to in turn: few elements of each stand beside each other */

typedef struct
{
  const PareView *in;
  uint32_t n_in;
  char *to;
  int axis;
  int64_t size, outer, row, tile; /* rows in all, bytes of one, rows of a tile */
  int64_t pieces;                 /* that a long row's parts are cut into */
} Job;

static void
copy_parts (char *to, int64_t row, const char *from, int64_t part, int64_t n)
{
  switch (part)
    {
    case 1:
      for (int64_t o = 0; o < n; o++)
        to[o * row] = from[o];
      break;
    case 4:
      for (int64_t o = 0; o < n; o++)
        memcpy (to + o * row, from + o * 4, 4);
      break;
    case 8:
      for (int64_t o = 0; o < n; o++)
        memcpy (to + o * row, from + o * 8, 8);
      break;
    case 16:
      for (int64_t o = 0; o < n; o++)
        memcpy (to + o * row, from + o * 16, 16);
      break;
    default:
      for (int64_t o = 0; o < n; o++)
        memcpy (to + o * row, from + o * part, (size_t)part);
    }
}

static void
join (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t piece = task % j->pieces, first = task / j->pieces * j->tile, n = j->outer - first < j->tile ? j->outer - first : j->tile, at = 0;
  for (uint32_t i = 0; i < j->n_in; i++)
    {
      int64_t part = product (&j->in[i].shape, j->axis, j->in[i].shape.rank) * j->size;
      int64_t from = part * piece / j->pieces, bytes = part * (piece + 1) / j->pieces - from;
      if (j->pieces > 1)
        memcpy (j->to + first * j->row + at + from, (const char *)j->in[i].data + first * part + from, (size_t)bytes);
      else if (part > 0)
        copy_parts (j->to + first * j->row + at, j->row, (const char *)j->in[i].data + first * part, part, n);
      at += part;
    }
}

KERNEL (pare_rt_k_concat)
{
  const PareAxisParams *p = params;
  REQUIRE (p && n_in >= 1 && n_out == 1);
  SUPPORT (element_size (&out[0]) > 0);
  int rank = out[0].shape.rank;
  int64_t total = 0;
  REQUIRE (p->axis >= 0 && p->axis < rank);
  for (uint32_t i = 0; i < n_in; i++)
    {
      REQUIRE (in[i].dtype == out[0].dtype && in[i].shape.rank == rank);
      for (int d = 0; d < rank; d++)
        REQUIRE (d == p->axis || in[i].shape.dims[d] == out[0].shape.dims[d]);
      REQUIRE (in[i].shape.dims[p->axis] <= out[0].shape.dims[p->axis] - total);
      total += in[i].shape.dims[p->axis];
    }
  REQUIRE (total == out[0].shape.dims[p->axis]);
  CHECKED;
  if (count_of (&out[0]) == 0)
    return PARE_RT_OK;
  Job job = {
    .in = in, .n_in = n_in, .to = out[0].data, .axis = p->axis, .size = element_size (&out[0]), .outer = product (&out[0].shape, 0, p->axis)
  };
  job.row = product (&out[0].shape, p->axis, rank) * job.size;
  job.tile = job.row < TILE ? TILE / job.row : 1;
  job.pieces = job.row >= 4 * PARE_RT_SHARE && job.outer < pare_rt_workers () ? pare_rt_workers () : 1; /* then a tile is one row */
  pare_rt_parallel_if (job.row * job.outer >= 4 * PARE_RT_SHARE, (job.outer + job.tile - 1) / job.tile * job.pieces, join, &job);
  return PARE_RT_OK;
}
