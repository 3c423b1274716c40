/* Attention: y = softmax (factor * q k' + mask) v for each batch and head. Keys and values are packed once for each head, then tasks of a
 * few rows of q keep their scores in the cache; nothing of the size of rows times positions is written to memory. */
#include "engine/runtime/kernels/tile.h"

#define ROWS 48           /* of q, a task's */
#define SCORES (96 << 10) /* bytes of scores that a task keeps; fewer rows where positions are many */

typedef struct
{
  const float *data;
  int64_t dim[4], stride[4]; /* batch, head, row, element */
} Operand;

typedef struct
{
  Operand q, k, v, y, mask;
  float factor;
  int64_t rows, blocks, wide; /* rows of q in a task, tasks of a head; floats of a row of scores */
  uint64_t key_bytes, value_bytes, scratch_bytes;
  char *packed, *scratch;
} Job;

/* The operand's extents and strides as the four axes name them; FALSE: they do not name its axes. */
static bool
read_operand (const PareView *view, const int32_t *perm, Operand *o)
{
  uint32_t seen = 0;
  for (int a = 0; a < 4; a++)
    {
      o->dim[a] = 1;
      o->stride[a] = 0;
      if (perm[a] == -1)
        continue;
      if (perm[a] < 0 || perm[a] >= view->shape.rank || (seen >> perm[a] & 1))
        return false;
      seen |= 1u << perm[a];
      o->dim[a] = view->shape.dims[perm[a]];
      o->stride[a] = product (&view->shape, perm[a] + 1, view->shape.rank);
    }
  o->data = view->data;
  return seen == (1u << view->shape.rank) - 1;
}

static bool
read_mask (const PareView *view, Operand *o, const int64_t *dims)
{
  if (view->shape.rank > 4)
    return false;
  int64_t step = 1;
  for (int a = 3; a >= 0; a--)
    {
      int axis = a - (4 - view->shape.rank);
      int64_t d = axis < 0 ? 1 : view->shape.dims[axis];
      if (d != 1 && d != dims[a])
        return false;
      o->dim[a] = dims[a];
      o->stride[a] = d == 1 ? 0 : step;
      step *= d;
    }
  o->data = view->data;
  return true;
}

static int64_t
at (const Operand *o, int64_t batch, int64_t head, int64_t row)
{
  return batch * o->stride[0] + head * o->stride[1] + row * o->stride[2];
}

static uint64_t
round_up (uint64_t bytes)
{
  return (bytes + 63) / 64 * 64;
}

static PareRtStatus
read_operands (Job *j, const PareAttentionParams *p, const PareView *in, uint32_t n_in, const PareView *out, uint32_t n_out)
{
  REQUIRE (p && (n_in == 3 || n_in == 4) && n_out == 1);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&in[1]) && is_f32 (&in[2]) && is_f32 (&out[0]));
  *j = (Job){ .factor = p->factor };
  for (int i = 0; i < 3; i++)
    REQUIRE (in[i].shape.rank <= 4);
  REQUIRE (out[0].shape.rank <= 4);
  REQUIRE (read_operand (&in[0], p->q, &j->q) && read_operand (&in[1], p->k, &j->k) && read_operand (&in[2], p->v, &j->v)
           && read_operand (&out[0], p->y, &j->y));
  for (int a = 0; a < 2; a++)
    REQUIRE (j->q.dim[a] == j->k.dim[a] && j->q.dim[a] == j->v.dim[a] && j->q.dim[a] == j->y.dim[a]);
  REQUIRE (j->q.dim[2] == j->y.dim[2] && j->k.dim[2] == j->v.dim[2] && j->q.dim[3] == j->k.dim[3] && j->v.dim[3] == j->y.dim[3]);
  SUPPORT (j->q.stride[3] <= 1 && j->y.stride[3] <= 1);
  if (given (in, n_in, 3))
    {
      const int64_t dims[4] = { j->q.dim[0], j->q.dim[1], j->q.dim[2], j->k.dim[2] };
      SUPPORT (is_f32 (&in[3]));
      REQUIRE (read_mask (&in[3], &j->mask, dims));
    }
  return PARE_RT_OK;
}

static void
plan (Job *j)
{
  int64_t positions = j->k.dim[2];
  int64_t fit = SCORES / ((int64_t)sizeof (float) * (positions > 0 ? positions : 1)) / 8 * 8;
  j->rows = fit < 8 ? 8 : fit > ROWS ? ROWS : fit;
  j->blocks = (j->q.dim[2] + j->rows - 1) / j->rows;
  j->rows = j->blocks > 0 ? (j->q.dim[2] + j->blocks - 1) / j->blocks : 1; /* equal shares */
  j->key_bytes = round_up (pare_rt_small_pack (positions, j->k.dim[3], NULL, 1, 1, NULL));
  j->value_bytes = round_up (pare_rt_small_pack (j->v.dim[3], positions, NULL, 1, 1, NULL));
  j->wide = pare_rt_small_columns (positions);
  j->scratch_bytes = round_up ((uint64_t)(j->rows * j->wide) * sizeof (float)) + 64;
}

static void
pack_head (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t head = task / 2, b = head / j->q.dim[1], h = head % j->q.dim[1];
  char *to = j->packed + (uint64_t)head * (j->key_bytes + j->value_bytes);
  if (task % 2 == 0)
    pare_rt_small_pack (j->k.dim[2], j->k.dim[3], j->k.data + at (&j->k, b, h, 0), j->k.stride[3], j->k.stride[2], (float *)(void *)to);
  else
    pare_rt_small_pack (j->v.dim[3], j->v.dim[2], j->v.data + at (&j->v, b, h, 0), j->v.stride[2], j->v.stride[3],
                        (float *)(void *)(to + j->key_bytes));
}

PARE_RT_CLONES static void
scale (float *y, int64_t n, float factor)
{
  for (int64_t i = 0; i < n; i++)
    y[i] *= factor;
}

static void
attend (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t head = task / j->blocks, b = head / j->q.dim[1], h = head % j->q.dim[1], r0 = task % j->blocks * j->rows;
  int64_t rows = j->q.dim[2] - r0 < j->rows ? j->q.dim[2] - r0 : j->rows, positions = j->k.dim[2];
  const char *packed = j->packed + (uint64_t)head * (j->key_bytes + j->value_bytes);
  float *scores = (float *)(void *)(j->scratch + (uint64_t)worker * j->scratch_bytes);
  float *y = (float *)(uintptr_t)j->y.data + at (&j->y, b, h, r0), norm[ROWS];
  const PareRtIsa *isa = pare_rt_isa ();
  pare_rt_small_product (rows, positions, j->q.dim[3], j->q.data + at (&j->q, b, h, r0), j->q.stride[2],
                         (const float *)(const void *)packed, scores, j->wide, true);
  for (int64_t r = 0; r < rows; r++)
    {
      float *row = scores + r * j->wide;
      const float *mask = j->mask.data ? j->mask.data + at (&j->mask, b, h, r0 + r) : NULL;
      bool here = mask || !(j->factor > 0); /* a mask has no room behind it, and -inf is to stay the least */
      for (int64_t i = 0; here && i < positions; i++)
        row[i] = row[i] * j->factor + (mask ? mask[i * j->mask.stride[3]] : 0);
      for (int64_t i = positions; i < j->wide; i++)
        row[i] = -INFINITY;
      norm[r] = 1.0f / isa->weigh (row, j->wide, here ? 1.0f : j->factor);
    }
  pare_rt_small_product (rows, j->v.dim[3], positions, scores, j->wide, (const float *)(const void *)(packed + j->key_bytes), y,
                         j->y.stride[2], false);
  for (int64_t r = 0; r < rows; r++)
    scale (y + r * j->y.stride[2], j->v.dim[3], norm[r]);
}

KERNEL (pare_rt_k_attention)
{
  Job j;
  PareRtStatus status = read_operands (&j, params, in, n_in, out, n_out);
  if (status != PARE_RT_OK)
    return status;
  REQUIRE (count_of (&in[0]) > 0 && count_of (&in[1]) > 0 && count_of (&in[2]) > 0);
  CHECKED;
  plan (&j);
  int64_t heads = j.q.dim[0] * j.q.dim[1];
  j.scratch = scratch;
  j.packed = j.scratch + (uint64_t)pare_rt_workers () * j.scratch_bytes;
  bool shared = (double)heads * (double)(j.q.dim[2] * j.k.dim[2]) * (double)j.q.dim[3] >= 100000;
  pare_rt_parallel_if (shared, 2 * heads, pack_head, &j);
  pare_rt_parallel_if (shared, heads * j.blocks, attend, &j);
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_attention)
{
  Job j;
  if (read_operands (&j, params, in, n_in, out, n_out) != PARE_RT_OK || count_of (&in[1]) <= 0 || count_of (&in[2]) <= 0)
    return 0;
  plan (&j);
  return (uint64_t)pare_rt_workers () * j.scratch_bytes + (uint64_t)(j.q.dim[0] * j.q.dim[1]) * (j.key_bytes + j.value_bytes);
}
