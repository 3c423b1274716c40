/* Where: y = cond ? a : b, all three broadcast. */
#include "engine/runtime/kernels/move.h"

/* A row; strides in elements, 0 or 1. */
#define PICK(name, type)                                                                                                                   \
  PARE_RT_CLONES static void name (int64_t n, const uint8_t *c, int64_t lc, const type *a, int64_t la, const type *b, int64_t lb, type *y) \
  {                                                                                                                                        \
    if (lc && la && lb)                                                                                                                    \
      PARE_RT_IVDEP                                                                                                                        \
    for (int64_t i = 0; i < n; i++)                                                                                                        \
      y[i] = c[i] ? a[i] : b[i];                                                                                                           \
    else if (lc && la)                                                                                                                     \
    {                                                                                                                                      \
      const type other = *b;                                                                                                               \
      PARE_RT_IVDEP                                                                                                                        \
      for (int64_t i = 0; i < n; i++)                                                                                                      \
        y[i] = c[i] ? a[i] : other;                                                                                                        \
    }                                                                                                                                      \
    else if (lc && lb)                                                                                                                     \
    {                                                                                                                                      \
      const type own = *a;                                                                                                                 \
      PARE_RT_IVDEP                                                                                                                        \
      for (int64_t i = 0; i < n; i++)                                                                                                      \
        y[i] = c[i] ? own : b[i];                                                                                                          \
    }                                                                                                                                      \
    else for (int64_t i = 0; i < n; i++) y[i] = c[i * lc] ? a[i * la] : b[i * lb];                                                         \
  }
PICK (pick_8, uint8_t)
PICK (pick_16, uint16_t)
PICK (pick_32, uint32_t)
PICK (pick_64, uint64_t)

typedef struct
{
  int rank;
  int64_t dims[PARE_MAX_RANK], strides[3][PARE_MAX_RANK]; /* in elements */
  const char *in[3];
  char *out;
  int64_t size, rows, rows_each;
} Job;

static void
pick_rows (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int last = j->rank - 1;
  int64_t n = j->dims[last], end = (task + 1) * j->rows_each < j->rows ? (task + 1) * j->rows_each : j->rows;
  for (int64_t row = task * j->rows_each; row < end; row++)
    {
      int64_t at[3] = { 0 }, rest = row;
      for (int i = last - 1; i >= 0; rest /= j->dims[i], i--)
        for (int k = 0; k < 3; k++)
          at[k] += rest % j->dims[i] * j->strides[k][i];
      const uint8_t *c = (const uint8_t *)j->in[0] + at[0];
      const void *a = j->in[1] + at[1] * j->size, *b = j->in[2] + at[2] * j->size;
      void *y = j->out + row * n * j->size;
      int64_t lc = j->strides[0][last], la = j->strides[1][last], lb = j->strides[2][last];
      if (j->size == 1)
        pick_8 (n, c, lc, a, la, b, lb, y);
      else if (j->size == 2)
        pick_16 (n, c, lc, a, la, b, lb, y);
      else if (j->size == 4)
        pick_32 (n, c, lc, a, la, b, lb, y);
      else
        pick_64 (n, c, lc, a, la, b, lb, y);
    }
}

KERNEL (pare_rt_k_where)
{
  REQUIRE (n_in == 3 && n_out == 1 && in[0].dtype == PARE_DTYPE_BOOL && in[1].dtype == out[0].dtype && in[2].dtype == out[0].dtype);
  SUPPORT (element_size (&out[0]) > 0);
  int64_t strides[3][PARE_MAX_RANK], count = count_of (&out[0]);
  for (int k = 0; k < 3; k++)
    REQUIRE (pare_rt_broadcast_strides (&in[k].shape, &out[0].shape, 1, strides[k]));
  CHECKED;
  if (count == 0)
    return PARE_RT_OK;
  Job j = { .in = { in[0].data, in[1].data, in[2].data }, .out = out[0].data, .size = element_size (&out[0]) };
  for (int i = 0; i < out[0].shape.rank; i++) /* neighbouring axes that are one run in all operands are one */
    {
      int64_t d = out[0].shape.dims[i];
      bool joins = j.rank > 0;
      if (d == 1)
        continue;
      for (int k = 0; k < 3 && joins; k++)
        joins = j.strides[k][j.rank - 1] == strides[k][i] * d;
      if (!joins)
        j.dims[j.rank++] = 1;
      j.dims[j.rank - 1] *= d;
      for (int k = 0; k < 3; k++)
        j.strides[k][j.rank - 1] = strides[k][i];
    }
  if (j.rank == 0)
    j.dims[j.rank++] = 1;
  if (j.rank == 1 && count >= 4 * PARE_RT_SHARE && count % 16 == 0) /* one run, in pieces */
    {
      j.rank = 2;
      j.dims[0] = 16;
      j.dims[1] = count / 16;
      for (int k = 0; k < 3; k++)
        {
          j.strides[k][1] = j.strides[k][0];
          j.strides[k][0] *= j.dims[1];
        }
    }
  int64_t row = j.dims[j.rank - 1];
  j.rows = count / row;
  j.rows_each = row < PARE_RT_SHARE ? PARE_RT_SHARE / row : 1;
  pare_rt_parallel_if (count >= 4 * PARE_RT_SHARE, (j.rows + j.rows_each - 1) / j.rows_each, pick_rows, &j);
  return PARE_RT_OK;
}
