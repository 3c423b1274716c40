/* ArgMax and ArgMin along one axis; a NaN counts as the extreme, as in numpy. */
#include "engine/runtime/kernels/kernel.h"

#define SEARCH(type)                                                                                                                       \
  {                                                                                                                                        \
    const type *x = (const type *)in[0].data + o * d * inner + i;                                                                          \
    for (int64_t k = 1; k < d; k++)                                                                                                        \
      {                                                                                                                                    \
        type v = x[k * inner], m = x[best * inner];                                                                                        \
        bool better = p->min ? v < m : v > m, tie = v == m;                                                                                \
        if (m != m)                                                                                                                        \
          {                                                                                                                                \
            better = false;                                                                                                                \
            tie = v != v;                                                                                                                  \
          }                                                                                                                                \
        else if (v != v)                                                                                                                   \
          better = true;                                                                                                                   \
        best = better || (tie && p->last) ? k : best;                                                                                      \
      }                                                                                                                                    \
    break;                                                                                                                                 \
  }

#define COLUMNS 256

typedef struct
{
  const float *x;
  int64_t *y;
  int64_t d, inner, blocks;
  bool min, last;
} Job;

/* Columns that lie side by side, floats: row after row. */
PARE_RT_CLONES static void
search_columns (const Job *j, const float *x, int64_t *y, int64_t cols)
{
  float most[COLUMNS];
  int32_t best[COLUMNS];
  const float sign = j->min ? -1 : 1;
  const int32_t last = j->last;
  for (int64_t c = 0; c < cols; c++)
    {
      most[c] = sign * x[c];
      best[c] = 0;
    }
  for (int64_t k = 1; k < j->d; k++)
    {
      x += j->inner;
      for (int64_t c = 0; c < cols; c++)
        {
          float v = sign * x[c], m = most[c];
          int32_t nan_v = v != v, nan_m = m != m, better = (v > m) | (nan_v & !nan_m) | (last & ((v == m) | (nan_v & nan_m)));
          best[c] = better ? (int32_t)k : best[c];
          most[c] = better ? v : m;
        }
    }
  for (int64_t c = 0; c < cols; c++)
    y[c] = best[c];
}

static void
search_block (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t o = task / j->blocks, c = task % j->blocks * COLUMNS;
  search_columns (j, j->x + o * j->d * j->inner + c, j->y + o * j->inner + c, j->inner - c < COLUMNS ? j->inner - c : COLUMNS);
}

KERNEL (pare_rt_k_arg_extreme)
{
  const PareArgExtremeParams *p = params;
  REQUIRE (p && n_in >= 1 && n_out == 1 && p->axis >= 0 && p->axis < in[0].shape.rank);
  PareDtype t = in[0].dtype;
  SUPPORT (out[0].dtype == PARE_DTYPE_INT64);
  SUPPORT (t == PARE_DTYPE_FLOAT32 || t == PARE_DTYPE_FLOAT64 || t == PARE_DTYPE_INT8 || t == PARE_DTYPE_UINT8 || t == PARE_DTYPE_INT32
           || t == PARE_DTYPE_INT64);
  int64_t outer = product (&in[0].shape, 0, p->axis), d = in[0].shape.dims[p->axis],
          inner = product (&in[0].shape, p->axis + 1, in[0].shape.rank), n;
  REQUIRE (!__builtin_mul_overflow (outer, inner, &n) && count_of (&out[0]) == n && (d > 0 || n == 0));
  CHECKED;
  if (t == PARE_DTYPE_FLOAT32 && inner >= 8 && d > 0 && d <= INT32_MAX)
    {
      Job j = { in[0].data, out[0].data, d, inner, (inner + COLUMNS - 1) / COLUMNS, p->min, p->last };
      pare_rt_parallel_if (n * d >= 4 * PARE_RT_SHARE, outer * j.blocks, search_block, &j);
      return PARE_RT_OK;
    }
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < inner; i++)
      {
        int64_t best = 0;
        switch (t)
          {
          case PARE_DTYPE_FLOAT32:
            SEARCH (float)
          case PARE_DTYPE_FLOAT64:
            SEARCH (double)
          case PARE_DTYPE_INT8:
            SEARCH (int8_t)
          case PARE_DTYPE_UINT8:
            SEARCH (uint8_t)
          case PARE_DTYPE_INT32:
            SEARCH (int32_t)
          default:
            SEARCH (int64_t)
          }
        ((int64_t *)out[0].data)[o * inner + i] = best;
      }
  return PARE_RT_OK;
}
