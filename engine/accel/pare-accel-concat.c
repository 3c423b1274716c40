#include "engine/accel/pare-accel-private.h"

/* True if the operand's memory can become part of the result's, so that it is computed in place and nothing is copied. */
static bool
may_adopt (const PareAccel *self, uint32_t buffer, uint64_t bytes)
{
  const PareAccelBuffer *b = &self->buffers[buffer];
  return b->parent == PARE_RT_NONE && !b->fixed && b->input == PARE_RT_NONE && b->bytes == bytes;
}

/* All slices in one layout, each contiguous in the result: the result is their memory side by side; copies fill what cannot be adopted. */
static bool
side_by_side (PareAccel *self, uint32_t step, const PareMd *layout, int axis)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareMd *whole = pare_md_new_like (self->mds, layout, self->plan->values[s->out[0]].shape.dims), *parts[PARE_RT_MAX_IN];
  if (!whole || !pare_md_is_outermost (whole, axis))
    return false;
  for (uint32_t i = 0; i < s->n_in; i++)
    {
      parts[i] = pare_md_new_like (self->mds, layout, self->plan->values[s->in[i]].shape.dims);
      if (!parts[i] || !pare_md_is_dense (parts[i]))
        return false;
    }
  uint32_t sources[PARE_RT_MAX_IN];
  for (uint32_t i = 0; i < s->n_in; i++)
    {
      sources[i] = pare_accel_form (self, step, s->in[i], parts[i]);
      if (sources[i] == PARE_RT_NONE)
        return false;
    }
  uint32_t dst = pare_accel_new_form (self, s->out[0], whole);
  if (dst == PARE_RT_NONE)
    return false;
  uint64_t offset = 0;
  for (uint32_t i = 0; i < s->n_in; i++)
    {
      uint64_t bytes = pare_md_bytes (parts[i]);
      uint32_t part = sources[i];
      if (may_adopt (self, part, bytes))
        {
          PareAccelBuffer *b = &self->buffers[part];
          b->parent = dst;
          b->offset = offset;
          if (b->last_use > self->buffers[dst].last_use)
            self->buffers[dst].last_use = b->last_use;
        }
      else
        {
          uint32_t slice = pare_accel_buffer_new (self, bytes);
          if (slice == PARE_RT_NONE)
            return false;
          self->buffers[slice].parent = dst;
          self->buffers[slice].offset = offset;
          if (!pare_accel_add_loop (self, &(PareAccelNode){ .kind = PARE_NODE_COPY, .step = step, .count = bytes }, part, slice))
            return false;
        }
      offset += bytes;
    }
  return true;
}

/* Single elements joined at the last axis, which what reads them moves outward anyway: they stay one behind the other in memory, under
 * another order of the axes. NULL: not so. */
static const PareMd *
stacked (PareAccel *self, uint32_t step, int axis)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareShape *sy = &self->plan->values[s->out[0]].shape;
  uint32_t reader = pare_accel_only_reader (self, s->out[0]);
  if (axis != sy->rank - 1 || reader == PARE_RT_NONE || sy->dims[axis] != (int64_t)s->n_in
      || (self->plan->steps[reader].op != PARE_RT_SLICE && self->plan->steps[reader].op != PARE_RT_TRANSPOSE))
    return NULL;
  int64_t strides[PARE_MAX_RANK], step_in = 1;
  for (int i = axis - 1; i >= 0; i--)
    {
      strides[i] = step_in;
      step_in *= sy->dims[i];
    }
  strides[axis] = step_in;
  return pare_md_new_typed (self->mds, dnnl_f32, sy->rank, sy->dims, strides);
}

/* Reshaped operands whose memory lies along the axis without being moved. */
static bool
side_by_side_as_seen (PareAccel *self, uint32_t step, int axis, dnnl_data_type_t type)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareMd *first = pare_accel_seen (self, s->in[0]);
  for (uint32_t i = 0; first && i < s->n_in; i++)
    {
      const PareMd *md = pare_accel_seen (self, s->in[i]);
      if (!md || pare_md_type (md) != type || md != pare_md_new_like (self->mds, first, self->plan->values[s->in[i]].shape.dims))
        return false;
    }
  return first && side_by_side (self, step, first, axis);
}

bool
pare_accel_step_concat (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareAxisParams *p = (const PareAxisParams *)(self->plan->params + s->params);
  uint32_t y = s->out[0];
  const PareShape *sy = &self->plan->values[y].shape;
  int axis = p->axis < 0 ? p->axis + sy->rank : p->axis;
  const PareMd *layout = NULL, *src[PARE_RT_MAX_IN];
  bool narrow = self->exact && self->exact[y];
  uint64_t largest = 0;
  if (!pare_accel_is_float (self, y) || axis < 0 || axis >= sy->rank)
    return false;
  for (uint32_t i = 0; i < s->n_in && narrow; i++)
    {
      const PareMd *md = pare_accel_is_float (self, s->in[i]) ? pare_accel_native_any (self, s->in[i]) : NULL;
      narrow = md && pare_md_type (md) == dnnl_bf16;
    }
  for (uint32_t i = 0; i < s->n_in; i++)
    {
      const PareMd *md = !pare_accel_is_float (self, s->in[i]) ? NULL
                         : narrow                              ? pare_accel_native_any (self, s->in[i])
                                                               : pare_accel_native (self, s->in[i]);
      if (!md || pare_md_rank (md) != sy->rank)
        return false;
      if (pare_md_bytes (md) > largest)
        {
          largest = pare_md_bytes (md);
          layout = md;
        }
    }
  if (!layout)
    return false;
  if (side_by_side_as_seen (self, step, axis, narrow ? dnnl_bf16 : dnnl_f32))
    return true;
  bool plain = pare_md_is_row_major (layout);
  const PareMd *apart = plain ? stacked (self, step, axis) : NULL;
  if ((apart && side_by_side (self, step, apart, axis)) || (!self->failed && side_by_side (self, step, layout, axis)))
    return true;
  if (self->failed || plain) /* the portable kernel copies short rows, too */
    return false;
  if (axis == 1 && pare_accel_join_channels (self, step, pare_md_type (layout)))
    return true;
  if (self->failed)
    return false;
  /* Blocks that a slice would cut: plain. */
  for (uint32_t i = 0; i < s->n_in; i++)
    if (axis == 1 && i + 1 < s->n_in && self->plan->values[s->in[i]].shape.dims[1] % pare_md_channel_block (layout))
      return side_by_side (self, step, pare_accel_plain_md (self, y), axis);
  const PareMd *dst = pare_md_new_like (self->mds, layout, sy->dims);
  for (uint32_t i = 0; i < s->n_in; i++)
    if (!(src[i] = pare_md_new_like (self->mds, layout, self->plan->values[s->in[i]].shape.dims)))
      return false;
  dnnl_primitive_desc_t pd = dst ? pare_pd_concat (self->engine, dst, axis, (int)s->n_in, src) : NULL;
  if (!pd)
    return false;
  PareArgSpec args[PARE_ACCEL_MAX_ARGS];
  for (uint32_t i = 0; i < s->n_in; i++)
    args[i] = (PareArgSpec){ DNNL_ARG_MULTIPLE_SRC + (int)i, src[i], pare_accel_form (self, step, s->in[i], src[i]) };
  args[s->n_in] = (PareArgSpec){ DNNL_ARG_DST, dst, pare_accel_new_form (self, y, dst) };
  return pare_accel_add_primitive (self, step, pd, args, s->n_in + 1);
}
