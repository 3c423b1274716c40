/* The interpreter: one thread's arena and scratch over a plan; no allocation while running. */
#include "engine/runtime/kernels/kernel.h"
#include "engine/runtime/pare-rt-pool.h"
#include "engine/runtime/pare-rt-weights.h"

#include <stdlib.h>
#include <time.h>

struct PareRtRunner
{
  const PareRtPlan *plan;
  const PareRtWeights *weights;
  uint8_t *arena;
  void *scratch;
  uint64_t scratch_bytes;
  void **data; /* of each value; inputs change with every run */
  PareRtPool *pool;
};

static bool
take_scratch (PareRtRunner *r)
{
  uint64_t most = 64;
  PareRtPool *before = pare_rt_pool_enter (r->pool);
  for (uint32_t i = 0; i < r->plan->n_steps; i++)
    {
      uint64_t need = pare_rt_kernel_scratch (r->plan, &r->plan->steps[i], pare_rt_weights_get (r->weights, i));
      most = need > most ? need : most;
    }
  pare_rt_pool_enter (before);
  if (most <= r->scratch_bytes)
    return true;
  void *scratch = NULL;
  if (most > UINT64_MAX / 2 || posix_memalign (&scratch, 64, (most + 63) / 64 * 64) != 0)
    return false;
  free (r->scratch);
  r->scratch = scratch;
  r->scratch_bytes = most;
  return true;
}

PareRtRunner *
pare_rt_runner_new (const PareRtPlan *plan, const PareRtWeights *weights)
{
  PareRtRunner *r = calloc (1, sizeof *r);
  if (!r)
    return NULL;
  r->plan = plan;
  r->weights = weights;
  r->data = calloc (plan->n_values + 1, sizeof *r->data);
  void *arena = NULL;
  if (!r->data || plan->arena_bytes > UINT64_MAX / 2 || posix_memalign (&arena, 64, (plan->arena_bytes + 127) / 64 * 64) != 0
      || !take_scratch (r))
    {
      free (arena);
      pare_rt_runner_free (r);
      return NULL;
    }
  r->arena = arena;
  for (uint32_t i = 0; i < plan->n_values; i++)
    if (plan->values[i].kind == PARE_RT_CONSTANT)
      r->data[i] = pare_rt_plan_constant (plan, i);
    else if (plan->values[i].kind == PARE_RT_ARENA)
      r->data[i] = r->arena + plan->values[i].offset;
  for (uint32_t i = 0; i < plan->n_values; i++)
    if (plan->values[i].kind == PARE_RT_ALIAS)
      r->data[i] = r->data[plan->values[i].alias_of];
  return r;
}

bool
pare_rt_runner_set_threads (PareRtRunner *r, int threads)
{
  pare_rt_pool_free (r->pool);
  r->pool = threads > 1 ? pare_rt_pool_new (threads) : NULL;
  if (!take_scratch (r))
    {
      pare_rt_pool_free (r->pool);
      r->pool = NULL;
      return false;
    }
  return pare_rt_pool_threads (r->pool) == (threads > 1 ? threads : 1);
}

void
pare_rt_runner_free (PareRtRunner *r)
{
  if (!r)
    return;
  pare_rt_pool_free (r->pool);
  free (r->arena);
  free (r->scratch);
  free (r->data);
  free (r);
}

static uint64_t
now_ns (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

PareView
pare_rt_runner_view (PareRtRunner *r, uint32_t value)
{
  if (value == PARE_RT_NONE)
    return (PareView){ .dtype = PARE_DTYPE_NONE };
  return (PareView){ r->plan->values[value].dtype, r->plan->values[value].shape, r->data[value], NULL };
}

PareRtStatus
pare_rt_runner_run (PareRtRunner *r, const PareView *inputs, uint64_t *step_ns, const volatile int *cancel, uint32_t *failed_step)
{
  return pare_rt_runner_run_part (r, inputs, 0, r->plan->n_steps, step_ns, cancel, failed_step);
}

PareRtStatus
pare_rt_runner_run_part (PareRtRunner *r, const PareView *inputs, uint32_t from, uint32_t to, uint64_t *step_ns, const volatile int *cancel,
                         uint32_t *failed_step)
{
  const PareRtPlan *plan = r->plan;
  PareView in[PARE_RT_MAX_IN], out[PARE_RT_MAX_OUT];
  PareRtStatus status = PARE_RT_OK;
  for (uint32_t i = 0; i < plan->n_inputs && inputs; i++)
    r->data[plan->inputs[i]] = inputs[i].data;
  for (uint32_t i = 0; i < plan->n_values; i++) /* reshaped inputs */
    if (plan->values[i].kind == PARE_RT_ALIAS)
      r->data[i] = r->data[plan->values[i].alias_of];
  PareRtPool *before = pare_rt_pool_enter (r->pool);
  for (uint32_t s = from; s < to && status == PARE_RT_OK; s++)
    {
      const PareRtStep *step = &plan->steps[s];
      uint64_t start = step_ns ? now_ns () : 0;
      if (cancel && *cancel)
        {
          status = PARE_RT_CANCELLED;
          break;
        }
      for (uint32_t i = 0; i < step->n_in; i++)
        in[i] = pare_rt_runner_view (r, step->in[i]);
      if (step->n_in > 1)
        in[1].packed = pare_rt_weights_get (r->weights, s);
      for (uint32_t i = 0; i < step->n_out; i++)
        out[i] = pare_rt_runner_view (r, step->out[i]);
      status = pare_rt_kernel (step->op) (step->params_bytes ? plan->params + step->params : NULL, in, step->n_in, out, step->n_out,
                                          r->scratch);
      if (step_ns)
        step_ns[s] += now_ns () - start;
      if (status != PARE_RT_OK && failed_step)
        *failed_step = s;
    }
  pare_rt_pool_enter (before);
  return status;
}
