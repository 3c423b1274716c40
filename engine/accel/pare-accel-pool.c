#include "engine/accel/pare-accel-private.h"

bool
pare_accel_pool_shape (const ParePoolParams *p, bool global, bool max, const PareShape *x, const PareShape *y, ParePoolShape *shape)
{
  if (x->rank < 3 || x->rank > 5 || y->rank != x->rank || (!global && p->spatial != x->rank - 2))
    return false;
  shape->padded = false;
  for (int i = 0; i < x->rank - 2; i++)
    {
      shape->kernel[i] = global ? x->dims[i + 2] : p->kernel[i];
      shape->stride[i] = global ? 1 : p->stride[i];
      shape->dilation[i] = global ? 1 : p->dilation[i];
      shape->pad_begin[i] = global ? 0 : p->pad_begin[i];
      int64_t extent = (shape->kernel[i] - 1) * shape->dilation[i] + 1;
      int64_t end = (y->dims[i + 2] - 1) * shape->stride[i] + extent - x->dims[i + 2] - shape->pad_begin[i]; /* what windows really reach */
      shape->pad_end[i] = end < 0 ? 0 : end;
      shape->padded |= shape->pad_begin[i] > 0 || shape->pad_end[i] > 0;
      /* A window beyond the padding (rounding up) counts differently there; a window of nothing but padding has no answer. */
      if (shape->pad_begin[i] < 0 || shape->pad_begin[i] >= extent || shape->pad_end[i] >= extent
          || (!global && !max && p->count_include_pad && shape->pad_end[i] > p->pad_end[i]))
        return false;
    }
  return true;
}

bool
pare_accel_step_pool (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  const ParePoolParams *p = (const ParePoolParams *)(self->plan->params + s->params);
  bool global = s->op == PARE_RT_GLOBAL_AVG_POOL || s->op == PARE_RT_GLOBAL_MAX_POOL,
       max = s->op == PARE_RT_MAX_POOL || s->op == PARE_RT_GLOBAL_MAX_POOL;
  uint32_t x = s->in[0], y = s->out[0];
  if (s->op == PARE_RT_MAX_POOL && pare_accel_is_codes (self, x)) /* oneDNN's kernels for bytes take three times as long as ours */
    return pare_accel_step_max_pool_codes (self, step);
  if (!pare_accel_is_float (self, x) || !pare_accel_is_float (self, y) || s->n_out > 1)
    return false;
  /* Whole planes that lie one after the other are plain reductions, where oneDNN goes value by value. */
  if (s->op == PARE_RT_GLOBAL_MAX_POOL
      && pare_accel_native (self, x) == pare_md_new (self->mds, self->plan->values[x].shape.rank, self->plan->values[x].shape.dims, NULL))
    return false;
  const PareShape *sx = &self->plan->values[x].shape, *sy = &self->plan->values[y].shape;
  ParePoolShape shape;
  if (!pare_accel_pool_shape (p, global, max, sx, sy, &shape))
    return false;
  if (pare_accel_pool_bf16 (self, step, max, &shape))
    return true;
  if (self->failed)
    return false;
  dnnl_alg_kind_t alg = max                                               ? dnnl_pooling_max
                        : !global && shape.padded && p->count_include_pad ? dnnl_pooling_avg_include_padding
                                                                          : dnnl_pooling_avg_exclude_padding;
  const PareMd *src = pare_accel_native_any (self, x);
  PareAccelResult result = pare_accel_result (self, y);
  if (src && pare_md_type (src) != dnnl_bf16)
    result = (PareAccelResult){ y, PARE_RT_NONE, dnnl_f32 };
  else if (result.type != dnnl_bf16) /* of 16 bits on both sides or on none */
    src = pare_accel_native (self, x);
  const PareMd *dst = src ? pare_md_new_any (self->mds, result.type, sy->rank, sy->dims) : NULL;
  dnnl_primitive_desc_t pd
      = src && dst ? pare_pd_pool (self->engine, alg, src, dst, shape.stride, shape.kernel, shape.dilation, shape.pad_begin, shape.pad_end)
                   : NULL;
  const PareMd *dst_md = pd ? pare_pd_md (self->mds, pd, PARE_PD_DST) : NULL;
  if (!dst_md)
    return false;
  const PareArgSpec args[2] = { { DNNL_ARG_SRC, src, pare_accel_form (self, step, x, src) },
                                { DNNL_ARG_DST, dst_md, pare_accel_new_form (self, result.value, dst_md) } };
  return pare_accel_add_primitive (self, step, pd, args, 2) && pare_accel_absorb (self, result.rounds);
}
