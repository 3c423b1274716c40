/* How long a step takes, roughly, and whether threads would make it shorter. They wait for each other half a microsecond, and each reads
 * what another one wrote: where all steps are shared, t becomes t / 2 + 0.9 us with two of them. Where what is read lies with one thread,
 * half of it goes from core to core, and back where it is read next, at 6 to 7 GB/s on a server: sharing then costs 5 us more for 32 KiB.
 * Cores that share a cache do not feel it. Weights stay with the thread that reads them. */
#include "engine/accel/pare-accel-private.h"

#include <math.h>
#include <stdlib.h>

#define GAINS_FROM 2000  /* nanoseconds on one thread, where what comes before is shared, too */
#define FAR 6            /* bytes in a nanosecond, from core to core; steps wait longer than a copy, which is fetched ahead, at 30 */
#define NEAR_FROM 50     /* as it is measured: 30 to 40 where cores are far apart, 60 and more where they share a cache */
#define MOST_MOVING 5000 /* more does not stay with a core */
#define LEAST_ROWS 4     /* fewer take as long: weights are read */
#define ALWAYS INFINITY  /* the kernel knows better */

static double
count_of (const PareRtPlan *plan, uint32_t value)
{
  return (double)pare_shape_count (&plan->values[value].shape);
}

static uint64_t
bytes_of (const PareRtPlan *plan, uint32_t value)
{
  return value != PARE_RT_NONE ? plan->values[value].bytes : 0;
}

static double
conv_ns (const PareRtPlan *plan, const PareRtStep *s, double products)
{
  const PareConvParams *p = (const PareConvParams *)(plan->params + s->params); /* the first thing in both kinds */
  const PareShape *y = &plan->values[s->out[0]].shape;
  double macs = count_of (plan, s->in[1]) * fmax (count_of (plan, s->out[0]) / (double)y->dims[1], LEAST_ROWS);
  return fmax (macs / (p->group > 1 ? 50 : products), (double)(plan->values[s->in[0]].bytes + plan->values[s->out[0]].bytes) / 50);
}

static double
gemm_ns (const PareRtPlan *plan, const PareRtStep *s, double products)
{
  const PareShape *y = &plan->values[s->out[0]].shape;
  double rows = count_of (plan, s->out[0]) / (double)y->dims[y->rank - 1];
  return count_of (plan, s->in[1]) / products * fmax (rows, LEAST_ROWS);
}

static double
matmul_ns (const PareRtPlan *plan, const PareRtStep *s)
{
  const PareRtValue *a = &plan->values[s->in[0]], *b = &plan->values[s->in[1]], *y = &plan->values[s->out[0]];
  double depth = a->shape.rank > 0 ? (double)a->shape.dims[a->shape.rank - 1] : 1;
  return fmax (count_of (plan, s->out[0]) * depth / 50, (double)(a->bytes + b->bytes + y->bytes) / 50);
}

/* As fast as codes are read, or multiplied where there are many rows. */
static double
block_gemm_ns (const PareRtPlan *plan, const PareRtStep *s)
{
  const PareShape *x = &plan->values[s->in[0]].shape;
  double macs = count_of (plan, s->out[0]) * (double)x->dims[x->rank - 1];
  return fmax (macs / 50, (double)plan->values[s->in[1]].bytes / 15);
}

static double
step_ns (const PareRtPlan *plan, uint32_t step, const uint8_t *exact)
{
  const PareRtStep *s = &plan->steps[step];
  bool codes = s->op == PARE_RT_QCONV || s->op == PARE_RT_QGEMM;
  double products = codes ? 350 : exact && pare_rt_step_is_bfloat (plan, step, exact) ? 200 : 100; /* in a nanosecond */
  switch (s->op)
    {
    case PARE_RT_CONV:
    case PARE_RT_QCONV:
      return conv_ns (plan, s, products);
    case PARE_RT_GEMM:
    case PARE_RT_QGEMM:
      return gemm_ns (plan, s, products);
    case PARE_RT_MATMUL:
      return matmul_ns (plan, s);
    case PARE_RT_BLOCK_GEMM:
      return block_gemm_ns (plan, s);
    case PARE_RT_MAX_POOL:
    case PARE_RT_AVG_POOL:
    case PARE_RT_GLOBAL_AVG_POOL:
    case PARE_RT_GLOBAL_MAX_POOL:
    case PARE_RT_BATCH_NORM:
      return count_of (plan, s->in[0]) * 0.1;
    case PARE_RT_BINARY:
    case PARE_RT_CLIP:
      return count_of (plan, s->out[0]) * 0.1;
    case PARE_RT_UNARY:
      return count_of (plan, s->out[0]) * 0.2;
    case PARE_RT_SOFTMAX:
      return count_of (plan, s->out[0]);
    case PARE_RT_CONV_TRANSPOSE:
    case PARE_RT_LSTM:
    case PARE_RT_GRU:
    case PARE_RT_RNN:
    case PARE_RT_EINSUM:
    case PARE_RT_ATTENTION:
    case PARE_RT_QATTENTION:
      return ALWAYS;
    default: /* elements are moved, or a little more */
      return (double)(bytes_of (plan, pare_accel_operand (s, 0)) + bytes_of (plan, s->out[0])) / 50;
    }
}

static uint32_t
memory_of (const PareRtPlan *plan, uint32_t value)
{
  while (plan->values[value].kind == PARE_RT_ALIAS)
    value = plan->values[value].alias_of;
  return value;
}

bool
pare_accel_find_gains (const PareRtPlan *plan, const uint8_t *exact, double moves, bool *gains)
{
  double pace = moves < NEAR_FROM ? FAR : moves;
  bool *shared = calloc (plan->n_values + 1, sizeof *shared), any = false; /* of values: threads wrote it together */
  for (uint32_t i = 0; shared && i < plan->n_steps; i++)
    {
      const PareRtStep *s = &plan->steps[i];
      uint32_t x = pare_accel_operand (s, 0);
      bool goes_on = x != PARE_RT_NONE && shared[memory_of (plan, x)];
      double bytes = (double)(bytes_of (plan, x) + bytes_of (plan, s->out[0])) / (exact && pare_rt_step_is_bfloat (plan, i, exact) ? 2 : 1);
      double moving = goes_on ? 0 : fmin (bytes / pace, MOST_MOVING);
      any |= gains[i] = step_ns (plan, i, exact) > GAINS_FROM + moving;
      for (uint32_t k = 0; k < s->n_out; k++)
        if (s->out[k] != PARE_RT_NONE)
          shared[memory_of (plan, s->out[k])] = gains[i];
    }
  free (shared);
  return any;
}
