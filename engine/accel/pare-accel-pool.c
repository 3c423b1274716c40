#include "engine/accel/pare-accel-private.h"

bool
pare_accel_step_pool (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  const ParePoolParams *p = (const ParePoolParams *)(self->plan->params + s->params);
  bool global = s->op == PARE_RT_GLOBAL_AVG_POOL || s->op == PARE_RT_GLOBAL_MAX_POOL,
       max = s->op == PARE_RT_MAX_POOL || s->op == PARE_RT_GLOBAL_MAX_POOL;
  uint32_t x = s->in[0], y = s->out[0];
  if (!pare_accel_is_float (self, x) || !pare_accel_is_float (self, y) || s->n_out > 1)
    return false;
  const PareShape *sx = &self->plan->values[x].shape, *sy = &self->plan->values[y].shape;
  if (sx->rank < 3 || sx->rank > 5 || sy->rank != sx->rank || (!global && p->spatial != sx->rank - 2))
    return false;
  int64_t kernel[3], stride[3], dilation[3], pad_begin[3], pad_end[3];
  bool padded = false;
  for (int i = 0; i < sx->rank - 2; i++)
    {
      kernel[i] = global ? sx->dims[i + 2] : p->kernel[i];
      stride[i] = global ? 1 : p->stride[i];
      dilation[i] = global ? 1 : p->dilation[i];
      pad_begin[i] = global ? 0 : p->pad_begin[i];
      int64_t extent = (kernel[i] - 1) * dilation[i] + 1;
      pad_end[i] = (sy->dims[i + 2] - 1) * stride[i] + extent - sx->dims[i + 2] - pad_begin[i]; /* what windows really reach */
      pad_end[i] = pad_end[i] < 0 ? 0 : pad_end[i];
      padded |= pad_begin[i] > 0 || pad_end[i] > 0;
      /* A window beyond the padding (rounding up) counts differently there; a window of nothing but padding has no answer. */
      if (pad_begin[i] < 0 || pad_begin[i] >= extent || pad_end[i] >= extent
          || (!global && !max && p->count_include_pad && pad_end[i] > p->pad_end[i]))
        return false;
    }
  dnnl_alg_kind_t alg = max                                         ? dnnl_pooling_max
                        : !global && padded && p->count_include_pad ? dnnl_pooling_avg_include_padding
                                                                    : dnnl_pooling_avg_exclude_padding;
  const PareMd *src = pare_accel_native (self, x), *dst = pare_md_new_any (self->mds, sy->rank, sy->dims);
  dnnl_primitive_desc_t pd = src && dst ? pare_pd_pool (self->engine, alg, src, dst, stride, kernel, dilation, pad_begin, pad_end) : NULL;
  const PareMd *dst_md = pd ? pare_pd_md (self->mds, pd, PARE_PD_DST) : NULL;
  if (!dst_md)
    return false;
  const PareArgSpec args[2]
      = { { DNNL_ARG_SRC, src, pare_accel_form (self, step, x, src) }, { DNNL_ARG_DST, dst_md, pare_accel_new_form (self, y, dst_md) } };
  return pare_accel_add_primitive (self, step, pd, args, 2);
}
