/* Packed weights: made once for a plan on this CPU, read by all its runners. */
#include "engine/runtime/pare-rt-weights.h"

#include <stdlib.h>

struct PareRtWeights
{
  uint8_t *memory;
  uint64_t bytes;
  uint64_t *offsets; /* of each step; UINT64_MAX: as they lie */
  uint32_t n_steps;
};

PareRtWeights *
pare_rt_weights_new (const PareRtPlan *plan)
{
  PareRtWeights *self = calloc (1, sizeof *self);
  if (!self)
    return NULL;
  self->n_steps = plan->n_steps;
  self->offsets = calloc ((size_t)plan->n_steps + 1, sizeof *self->offsets);
  if (!self->offsets)
    {
      free (self);
      return NULL;
    }
  for (uint32_t i = 0; i < plan->n_steps; i++)
    {
      uint64_t need = pare_rt_kernel_pack (plan, &plan->steps[i], NULL);
      self->offsets[i] = need ? self->bytes : UINT64_MAX;
      if (need > UINT64_MAX / 4 - self->bytes)
        {
          pare_rt_weights_free (self);
          return NULL;
        }
      self->bytes += (need + 63) / 64 * 64;
    }
  void *memory = NULL;
  if (self->bytes > SIZE_MAX - 128 || posix_memalign (&memory, 64, self->bytes + 64) != 0)
    {
      pare_rt_weights_free (self);
      return NULL;
    }
  self->memory = memory;
  for (uint32_t i = 0; i < plan->n_steps; i++)
    if (self->offsets[i] != UINT64_MAX)
      pare_rt_kernel_pack (plan, &plan->steps[i], self->memory + self->offsets[i]);
  return self;
}

void
pare_rt_weights_free (PareRtWeights *self)
{
  if (!self)
    return;
  free (self->memory);
  free (self->offsets);
  free (self);
}

uint64_t
pare_rt_weights_bytes (const PareRtWeights *self)
{
  return self ? self->bytes : 0;
}

const void *
pare_rt_weights_get (const PareRtWeights *self, uint32_t step)
{
  return self && step < self->n_steps && self->offsets[step] != UINT64_MAX ? self->memory + self->offsets[step] : NULL;
}
