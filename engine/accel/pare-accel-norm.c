#include "engine/accel/pare-accel-private.h"

#include <math.h>

bool
pare_accel_affine (PareAccel *self, uint32_t step, const PareMd **md, uint32_t buffers[2])
{
  const PareRtStep *s = &self->plan->steps[step];
  if (s->op != PARE_RT_BATCH_NORM || s->n_in < 5 || s->n_out != 1 || !pare_accel_is_float (self, s->in[0])
      || !pare_accel_is_float (self, s->out[0]))
    return false;
  const PareShape *x = &self->plan->values[s->in[0]].shape;
  const float *operands[5], epsilon = ((const PareBatchNormParams *)(self->plan->params + s->params))->epsilon;
  int64_t dims[PARE_MAX_RANK];
  if (x->rank < 2)
    return false;
  for (int i = 0; i < x->rank; i++)
    dims[i] = i == 1 ? x->dims[1] : 1;
  for (int i = 1; i < 5; i++)
    if (!pare_accel_is_float (self, s->in[i]) || pare_shape_count (&self->plan->values[s->in[i]].shape) != dims[1]
        || !(operands[i] = pare_accel_constant (self, s->in[i])))
      return false;
  uint64_t bytes = (uint64_t)dims[1] * sizeof (float);
  *md = pare_md_new (self->mds, x->rank, dims, NULL);
  float *factor = pare_accel_pack (self, bytes), *offset = pare_accel_pack (self, bytes);
  buffers[0] = pare_accel_buffer_new (self, bytes);
  buffers[1] = pare_accel_buffer_new (self, bytes);
  if (!*md || !factor || !offset || buffers[0] == PARE_RT_NONE || buffers[1] == PARE_RT_NONE)
    return false;
  for (int64_t c = 0; c < dims[1]; c++)
    {
      double f = operands[1][c] / sqrt ((double)operands[4][c] + epsilon);
      factor[c] = (float)f;
      offset[c] = (float)(operands[2][c] - operands[3][c] * f);
    }
  self->buffers[buffers[0]].fixed = factor;
  self->buffers[buffers[1]].fixed = offset;
  return true;
}

bool
pare_accel_step_batch_norm (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareMd *vector, *md = pare_accel_is_float (self, s->in[0]) ? pare_accel_native (self, s->in[0]) : NULL;
  uint32_t affine[2];
  if (!md || !pare_accel_affine (self, step, &vector, affine) || pare_md_rank (vector) != pare_md_rank (md))
    return false;
  const ParePostOps post = { 1, { { .kind = PARE_POST_BINARY, .alg = dnnl_binary_add, .md = vector } } };
  dnnl_primitive_desc_t pd = pare_pd_binary (self->engine, dnnl_binary_mul, md, vector, md, &post);
  if (!pd)
    return false;
  uint32_t src = pare_accel_form (self, step, s->in[0], md), dst = src;
  if (src != PARE_RT_NONE && pare_accel_may_overwrite (self, step, src))
    pare_accel_set_form (self, s->out[0], md, dst);
  else
    dst = pare_accel_new_form (self, s->out[0], md);
  const PareArgSpec args[4] = { { DNNL_ARG_SRC_0, md, src },
                                { DNNL_ARG_SRC_1, vector, affine[0] },
                                { DNNL_ARG_DST, md, dst },
                                { DNNL_ARG_ATTR_MULTIPLE_POST_OP (0) | DNNL_ARG_SRC_1, vector, affine[1] } };
  return pare_accel_add_primitive (self, step, pd, args, 4);
}
