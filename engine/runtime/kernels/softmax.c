/* Softmax and LogSoftmax along one axis: y = exp (x - max) / sum. A long row's sum is taken in sixteen parts, folded in a fixed order, so
 * that it is the same on every instruction set. */
#include "engine/runtime/kernels/kernel.h"

#define COLUMNS 64
#define SHORT 16 /* elements of a row: of as many rows or more they are turned into columns */

typedef struct
{
  const float *x;
  float *y;
  int64_t n, inner, each; /* each: rows, or blocks of columns, of a task */
  int64_t total;
  bool log;
} Job;

PARE_RT_CLONES float
pare_rt_row_max (const float *x, int64_t n)
{
  float most[16];
  int64_t i = 0;
  for (int l = 0; l < 16; l++)
    most[l] = -INFINITY;
  for (; i + 16 <= n; i += 16)
    for (int l = 0; l < 16; l++)
      most[l] = x[i + l] > most[l] ? x[i + l] : most[l];
  for (int l = 0; i < n; i++, l++)
    most[l] = x[i] > most[l] ? x[i] : most[l];
  for (int w = 8; w > 0; w /= 2)
    for (int l = 0; l < w; l++)
      most[l] = most[l + w] > most[l] ? most[l + w] : most[l];
  return most[0];
}

PARE_RT_CLONES float
pare_rt_row_sum (const float *x, int64_t n)
{
  float part[16] = { 0 };
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int l = 0; l < 16; l++)
      part[l] += x[i + l];
  for (int l = 0; i < n; i++, l++)
    part[l] += x[i];
  for (int w = 8; w > 0; w /= 2)
    for (int l = 0; l < w; l++)
      part[l] += part[l + w];
  return part[0];
}

PARE_RT_CLONES static void
row (const float *restrict x, float *restrict y, int64_t n, bool log)
{
  float top = pare_rt_row_max (x, n);
  for (int64_t i = 0; i < n; i++)
    y[i] = exp_f32 (x[i] - top);
  float sum = pare_rt_row_sum (y, n), norm = log ? log_f32 (sum) : 1.0f / sum;
  if (log)
    for (int64_t i = 0; i < n; i++)
      y[i] = x[i] - top - norm;
  else
    for (int64_t i = 0; i < n; i++)
      y[i] *= norm;
}

/* Columns that lie side by side, each a softmax of its own down the rows. */
PARE_RT_CLONES static void
columns (const float *x, float *y, int64_t n, int64_t stride, int64_t cols, bool log)
{
  float most[COLUMNS], sum[COLUMNS];
  for (int64_t c = 0; c < cols; c++)
    {
      most[c] = -INFINITY;
      sum[c] = 0;
    }
  for (int64_t k = 0; k < n; k++)
    for (int64_t c = 0; c < cols; c++)
      most[c] = x[k * stride + c] > most[c] ? x[k * stride + c] : most[c];
  for (int64_t k = 0; k < n; k++)
    PARE_RT_IVDEP
  for (int64_t c = 0; c < cols; c++)
    {
      float d = x[k * stride + c] - most[c], e = exp_f32 (d);
      sum[c] += e;
      y[k * stride + c] = log ? d : e;
    }
  for (int64_t c = 0; c < cols; c++)
    sum[c] = log ? log_f32 (sum[c]) : 1.0f / sum[c];
  for (int64_t k = 0; k < n; k++)
    for (int64_t c = 0; c < cols; c++)
      y[k * stride + c] = log ? y[k * stride + c] - sum[c] : y[k * stride + c] * sum[c];
}

/* Rows that no vector would fill. */
static void
short_rows (const float *x, float *y, int64_t n, int64_t rows, bool log)
{
  float turned[SHORT * COLUMNS];
  for (; rows > 0; rows -= COLUMNS, x += COLUMNS * n, y += COLUMNS * n)
    {
      int64_t some = rows < COLUMNS ? rows : COLUMNS;
      for (int64_t r = 0; r < some; r++)
        for (int64_t k = 0; k < n; k++)
          turned[k * COLUMNS + r] = x[r * n + k];
      columns (turned, turned, n, COLUMNS, some, log);
      for (int64_t r = 0; r < some; r++)
        for (int64_t k = 0; k < n; k++)
          y[r * n + k] = turned[k * COLUMNS + r];
    }
}

static void
run_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  if (j->inner == 1 && j->n <= SHORT && j->total >= SHORT)
    {
      int64_t first = task * j->each, rows = j->total - first < j->each ? j->total - first : j->each;
      short_rows (j->x + first * j->n, j->y + first * j->n, j->n, rows, j->log);
      return;
    }
  for (int64_t i = task * j->each; i < (task + 1) * j->each && i < j->total; i++)
    if (j->inner == 1)
      row (j->x + i * j->n, j->y + i * j->n, j->n, j->log);
    else
      {
        int64_t blocks = (j->inner + COLUMNS - 1) / COLUMNS, c = i % blocks * COLUMNS, at = i / blocks * j->n * j->inner + c;
        columns (j->x + at, j->y + at, j->n, j->inner, j->inner - c < COLUMNS ? j->inner - c : COLUMNS, j->log);
      }
}

KERNEL (pare_rt_k_softmax)
{
  const PareSoftmaxParams *p = params;
  REQUIRE (p && n_in >= 1 && n_out == 1 && same_shape (&in[0], &out[0]) && p->axis >= 0 && p->axis < in[0].shape.rank);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&out[0]));
  CHECKED;
  int64_t outer = product (&in[0].shape, 0, p->axis), n = in[0].shape.dims[p->axis],
          inner = product (&in[0].shape, p->axis + 1, in[0].shape.rank);
  Job job = { .x = in[0].data, .y = out[0].data, .n = n, .inner = inner, .log = p->log };
  if (outer * n * inner == 0)
    return PARE_RT_OK;
  job.total = inner == 1 ? outer : outer * ((inner + COLUMNS - 1) / COLUMNS);
  int64_t elements = n * (inner < COLUMNS ? inner : COLUMNS);
  job.each = elements >= PARE_RT_SHARE ? 1 : PARE_RT_SHARE / elements;
  pare_rt_parallel_if (outer * n * inner >= 2 * PARE_RT_SHARE, (job.total + job.each - 1) / job.each, run_task, &job);
  return PARE_RT_OK;
}
