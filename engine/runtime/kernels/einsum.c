/* Einsum of up to four float operands, as loops over labels: the output's, then those that are summed. */
#include "engine/runtime/kernels/kernel.h"

#define LABELS 16
#define OPERANDS 4
#define COLUMNS 256

typedef struct
{
  int n_in, n_free, n_sum;
  int64_t extent[LABELS]; /* free labels in the output's order, then the summed ones */
  int64_t stride[OPERANDS][LABELS];
  const float *x[OPERANDS];
  float *y;
  int64_t rows, width, n_each, n_last;
} Job;

/* Extents by label; an axis of one is broadcast. false: axes of one label differ. */
static bool
extents (const PareEinsumParams *p, const PareView *in, int64_t *extent)
{
  for (int l = 0; l < p->n_labels; l++)
    extent[l] = -1;
  for (int o = 0; o < OPERANDS && p->rank[o] >= 0; o++)
    for (int a = 0; a < p->rank[o]; a++)
      {
        int64_t *e = &extent[p->label[o][a]], d = in[o].shape.dims[a];
        if (*e > 1 && d != 1 && d != *e)
          return false;
        *e = *e < 0 || *e == 1 ? d : *e;
      }
  return true;
}

/* sum[c] += product of the operands over the last summed label; pointers and strides (cs by column, ks by that label) for each operand. */
PARE_RT_CLONES static void
add_pairs (const float *a, int64_t ac, int64_t ak, const float *b, int64_t bc, int64_t bk, int64_t n, int64_t cols, float *sum)
{
  if (ac == 0 && bc == 1)
    for (int64_t k = 0; k < n; k++)
      {
        float v = a[k * ak];
        for (int64_t c = 0; c < cols; c++)
          sum[c] += v * b[k * bk + c];
      }
  else if (ac == 1 && bc == 0)
    for (int64_t k = 0; k < n; k++)
      {
        float v = b[k * bk];
        for (int64_t c = 0; c < cols; c++)
          sum[c] += a[k * ak + c] * v;
      }
  else
    for (int64_t c = 0; c < cols; c++)
      {
        float s = 0;
        for (int64_t k = 0; k < n; k++)
          s += a[c * ac + k * ak] * b[c * bc + k * bk];
        sum[c] += s;
      }
}

static void
add_products (const Job *j, const int64_t *at, const int64_t *cs, const int64_t *ks, int64_t cols, float *sum)
{
  if (j->n_in == 2)
    {
      add_pairs (j->x[0] + at[0], cs[0], ks[0], j->x[1] + at[1], cs[1], ks[1], j->n_last, cols, sum);
      return;
    }
  for (int64_t c = 0; c < cols; c++)
    for (int64_t k = 0; k < j->n_last; k++)
      {
        float v = 1;
        for (int o = 0; o < j->n_in; o++)
          v *= j->x[o][at[o] + c * cs[o] + k * ks[o]];
        sum[c] += v;
      }
}

/* One row of the output's last label. */
static void
make_row (int64_t row, int worker, void *arg)
{
  const Job *j = arg;
  int last = j->n_free + j->n_sum - 1;
  int64_t base[OPERANDS] = { 0 }, cs[OPERANDS] = { 0 }, ks[OPERANDS] = { 0 }, rest = row;
  float sum[COLUMNS];
  for (int o = 0; o < j->n_in; o++)
    {
      cs[o] = j->n_free > 0 ? j->stride[o][j->n_free - 1] : 0;
      ks[o] = j->n_sum > 0 ? j->stride[o][last] : 0;
    }
  for (int l = j->n_free - 2; l >= 0; l--)
    {
      for (int o = 0; o < j->n_in; o++)
        base[o] += rest % j->extent[l] * j->stride[o][l];
      rest /= j->extent[l];
    }
  for (int64_t c0 = 0; c0 < j->width; c0 += COLUMNS)
    {
      int64_t cols = j->width - c0 < COLUMNS ? j->width - c0 : COLUMNS, at[OPERANDS], index[LABELS] = { 0 };
      for (int o = 0; o < j->n_in; o++)
        at[o] = base[o] + c0 * cs[o];
      memset (sum, 0, cols * sizeof (float));
      for (int64_t done = 0; done < j->n_each; done += j->n_last)
        {
          add_products (j, at, cs, ks, cols, sum);
          for (int l = last - 1; l >= j->n_free; l--)
            {
              bool carry = ++index[l] == j->extent[l];
              for (int o = 0; o < j->n_in; o++)
                at[o] += j->stride[o][l] * (carry ? 1 - j->extent[l] : 1);
              if (!carry)
                break;
              index[l] = 0;
            }
        }
      memcpy (j->y + row * j->width + c0, sum, cols * sizeof (float));
    }
}

KERNEL (pare_rt_k_einsum)
{
  const PareEinsumParams *p = params;
  Job job = { .rows = 1, .width = 1, .n_each = 1, .n_last = 1 };
  int64_t extent[LABELS];
  int slot[LABELS], order = 0;
  REQUIRE (p && n_in >= 1 && n_in <= OPERANDS && n_out == 1 && p->n_labels >= 0 && p->n_labels <= LABELS);
  PareEinsumParams q = *p;
  for (uint32_t o = 0; o < OPERANDS; o++)
    {
      q.rank[o] = o < n_in ? p->rank[o] : -1;
      if (o >= n_in)
        continue;
      SUPPORT (is_f32 (&in[o]));
      REQUIRE (p->rank[o] == in[o].shape.rank);
      for (int a = 0; a < p->rank[o]; a++)
        REQUIRE (p->label[o][a] >= 0 && p->label[o][a] < p->n_labels);
    }
  SUPPORT (is_f32 (&out[0]));
  REQUIRE (p->out_rank == out[0].shape.rank && extents (&q, in, extent));
  for (int l = 0; l < p->n_labels; l++)
    slot[l] = -1;
  for (int a = 0; a < p->out_rank; a++)
    {
      int l = p->out_label[a];
      REQUIRE (l >= 0 && l < p->n_labels && slot[l] < 0 && out[0].shape.dims[a] == extent[l]);
      slot[l] = order;
      job.extent[order++] = extent[l];
    }
  job.n_free = order;
  for (int l = 0; l < p->n_labels; l++)
    if (slot[l] < 0 && extent[l] >= 0)
      {
        slot[l] = order;
        job.extent[order++] = extent[l];
        REQUIRE (!__builtin_mul_overflow (job.n_each, extent[l], &job.n_each));
      }
  job.n_sum = order - job.n_free;
  CHECKED;
  job.n_in = (int)n_in;
  job.y = out[0].data;
  for (uint32_t o = 0; o < n_in; o++)
    {
      int64_t stride = 1;
      job.x[o] = in[o].data;
      /* a label that stands twice walks the diagonal: its strides add up */
      for (int a = p->rank[o] - 1; a >= 0; a--)
        {
          job.stride[o][slot[p->label[o][a]]] += in[o].shape.dims[a] == 1 ? 0 : stride;
          stride *= in[o].shape.dims[a];
        }
    }
  job.width = job.n_free > 0 ? job.extent[job.n_free - 1] : 1;
  job.n_last = job.n_sum > 0 ? job.extent[order - 1] : 1;
  job.rows = job.n_free > 0 ? product (&out[0].shape, 0, p->out_rank - 1) : 1;
  pare_rt_parallel (count_of (&out[0]) > 0 ? job.rows : 0, make_row, &job);
  return PARE_RT_OK;
}
