/* libFuzzer: any bytes as a plan. It is refused with a reason, or runs without reading or writing what is not its own. */
#include "engine/runtime/pare-rt-file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define MOST_WORK (1 << 22) /* elements of all operands: what is larger only takes long */

static int
is_small (const PareRtPlan *plan)
{
  uint64_t sum = plan->arena_bytes;
  if (plan->arena_bytes > MOST_WORK || plan->n_steps > 64 || plan->n_inputs > 8)
    return 0;
  for (uint32_t s = 0; s < plan->n_steps; s++)
    {
      uint64_t work = 1;
      for (uint32_t i = 0; i < plan->steps[s].n_in; i++)
        {
          uint32_t v = plan->steps[s].in[i];
          if (v != PARE_RT_NONE)
            work *= 1 + (uint64_t)pare_shape_count (&plan->values[v].shape) % MOST_WORK;
          if (work > (uint64_t)MOST_WORK << 6)
            return 0;
        }
      sum += work + pare_rt_kernel_scratch (plan, &plan->steps[s], plan);
      if (sum > (uint64_t)MOST_WORK << 7)
        return 0;
    }
  return 1;
}

static void
run (const PareRtPlan *plan)
{
  PareView inputs[8];
  for (uint32_t i = 0; i < plan->n_inputs; i++)
    {
      const PareRtValue *v = &plan->values[plan->inputs[i]];
      inputs[i] = (PareView){ v->dtype, v->shape, calloc (1, v->bytes + 1), NULL };
    }
  PareRtWeights *weights = pare_rt_weights_new (plan);
  PareRtRunner *runner = weights ? pare_rt_runner_new (plan, weights) : NULL;
  if (runner)
    {
      pare_rt_runner_run (runner, inputs, NULL, NULL, NULL);
      for (uint32_t i = 0; i < plan->n_outputs; i++)
        pare_rt_runner_view (runner, plan->outputs[i]);
    }
  pare_rt_runner_free (runner);
  pare_rt_weights_free (weights);
  for (uint32_t i = 0; i < plan->n_inputs; i++)
    free (inputs[i].data);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  PareRtFile file;
  void *copy = NULL;
  if (posix_memalign (&copy, 64, size + 1) != 0)
    return 0;
  memcpy (copy, data, size);
  if (pare_rt_file_open (copy, size, &file) == NULL)
    {
      for (uint32_t s = 0; s < file.plan.n_steps; s++)
        if (strlen (pare_rt_file_layer_name (&file, s)) > size)
          abort ();
      if (is_small (&file.plan))
        run (&file.plan);
    }
  free (copy);
  return 0;
}
