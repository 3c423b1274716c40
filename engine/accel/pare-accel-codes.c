/* Steps on codes that are not products: in the layout in which their operands lie, with loops of our own. */
#include "engine/accel/pare-accel-private.h"

static bool
same_shape (const PareAccel *self, uint32_t a, uint32_t b)
{
  const PareShape *sa = &self->plan->values[a].shape, *sb = &self->plan->values[b].shape;
  if (sa->rank != sb->rank)
    return false;
  for (int i = 0; i < sa->rank; i++)
    if (sa->dims[i] != sb->dims[i])
      return false;
  return true;
}

bool
pare_accel_step_qadd (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  uint32_t a = s->in[0], b = s->in[1], y = s->out[0];
  if (!pare_accel_is_codes (self, a) || !pare_accel_is_codes (self, b) || !pare_accel_is_codes (self, y) || !same_shape (self, a, b)
      || !same_shape (self, a, y))
    return false;
  const PareMd *ma = pare_accel_native (self, a), *mb = pare_accel_native (self, b);
  if (!ma || !mb)
    return false;
  const PareMd *md = pare_md_is_row_major (ma) && !pare_md_is_row_major (mb) ? mb : ma;
  const PareMd *as_a = pare_md_with_type (self->mds, md, pare_accel_type (self, a)),
               *as_b = pare_md_with_type (self->mds, md, pare_accel_type (self, b)),
               *as_y = pare_md_with_type (self->mds, md, pare_accel_type (self, y));
  if (!as_a || !as_b || !as_y)
    return false;
  const PareAddCodes params = { .p = *(const PareQAddParams *)(self->plan->params + s->params),
                                .signed_a = self->plan->values[a].dtype == PARE_DTYPE_INT8,
                                .signed_b = self->plan->values[b].dtype == PARE_DTYPE_INT8,
                                .signed_y = self->plan->values[y].dtype == PARE_DTYPE_INT8,
                                .n = pare_md_bytes (md) };
  const uint32_t in_a = pare_accel_form (self, step, a, as_a), in_b = pare_accel_form (self, step, b, as_b);
  const uint32_t buffers[3] = { in_a, in_b, pare_accel_new_form (self, y, as_y) };
  return pare_accel_add_work (self, step, pare_accel_loop_add (), &params, sizeof params, params.n, buffers, 3);
}

bool
pare_accel_step_lut (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  uint32_t x = s->in[0], y = s->out[0];
  const PareMd *md = pare_accel_is_codes (self, x) && pare_accel_is_codes (self, y) ? pare_accel_native (self, x) : NULL,
               *as = md ? pare_md_with_type (self->mds, md, pare_accel_type (self, y)) : NULL;
  const void *table = pare_accel_constant (self, s->in[1]);
  if (!as || !table)
    return false;
  const PareLutCodes params = { pare_md_bytes (md) };
  const uint32_t in = pare_accel_form (self, step, x, md), constant = pare_accel_fixed (self, table, 256);
  const uint32_t buffers[3] = { in, constant, pare_accel_new_form (self, y, as) };
  return pare_accel_add_work (self, step, pare_accel_loop_lut (), &params, sizeof params, params.n, buffers, 3);
}

/* Both pools: windows over pixels, all channels of a pixel at once. */
static bool
pool (PareAccel *self, uint32_t step, const ParePoolParams *p, const PareQAvgPoolParams *mean)
{
  const PareRtStep *s = &self->plan->steps[step];
  uint32_t x = s->in[0], y = s->out[0];
  const PareShape *sx = &self->plan->values[x].shape, *sy = &self->plan->values[y].shape;
  int spatial = p->spatial;
  if (!pare_accel_is_codes (self, x) || !pare_accel_is_codes (self, y) || spatial < 1 || spatial > 3 || sx->rank != spatial + 2
      || sy->rank != sx->rank || s->n_out != 1)
    return false;
  const PareMd *src = pare_md_new_channels_last (self->mds, pare_accel_type (self, x), sx->rank, sx->dims),
               *dst = pare_md_new_channels_last (self->mds, pare_accel_type (self, y), sy->rank, sy->dims);
  if (!src || !dst)
    return false;
  ParePoolCodes params
      = { .p = mean, .is_signed = self->plan->values[x].dtype == PARE_DTYPE_INT8, .batch = sx->dims[0], .channels = sx->dims[1] };
  for (int i = 0; i < 3; i++)
    {
      int a = i - (3 - spatial);
      params.in[i] = a < 0 ? 1 : sx->dims[a + 2];
      params.out[i] = a < 0 ? 1 : sy->dims[a + 2];
      params.k[i] = a < 0 ? 1 : p->kernel[a];
      params.stride[i] = a < 0 ? 1 : p->stride[a];
      params.dilation[i] = a < 0 ? 1 : p->dilation[a];
      params.pad[i] = a < 0 ? 0 : p->pad_begin[a];
      params.pad_end[i] = a < 0 ? 0 : p->pad_end[a];
    }
  const uint32_t in = pare_accel_form (self, step, x, src);
  const uint32_t buffers[2] = { in, pare_accel_new_form (self, y, dst) };
  return pare_accel_add_work (self, step, mean ? pare_accel_loop_avg_pool () : pare_accel_loop_max_pool (), &params, sizeof params,
                              pare_md_bytes (src), buffers, 2);
}

bool
pare_accel_step_qavg_pool (PareAccel *self, uint32_t step)
{
  const PareQAvgPoolParams *p = (const PareQAvgPoolParams *)(self->plan->params + self->plan->steps[step].params);
  return pool (self, step, &p->pool, p);
}

bool
pare_accel_step_max_pool_codes (PareAccel *self, uint32_t step)
{
  return pool (self, step, (const ParePoolParams *)(self->plan->params + self->plan->steps[step].params), NULL);
}

/* One scale and zero point for the whole tensor, both constants. */
static bool
per_tensor (const PareAccel *self, const PareRtStep *s, uint32_t codes, float *scale, int32_t *zero)
{
  uint32_t z = s->n_in > 2 ? s->in[2] : PARE_RT_NONE;
  const float *constant = pare_accel_constant (self, s->in[1]);
  *zero = 0;
  if (!constant || self->plan->values[s->in[1]].dtype != PARE_DTYPE_FLOAT32 || pare_shape_count (&self->plan->values[s->in[1]].shape) != 1)
    return false;
  *scale = *constant;
  if (z == PARE_RT_NONE)
    return true;
  const void *number = pare_accel_constant (self, z);
  if (!number || self->plan->values[z].dtype != self->plan->values[codes].dtype || pare_shape_count (&self->plan->values[z].shape) != 1)
    return false;
  *zero = self->plan->values[codes].dtype == PARE_DTYPE_INT8 ? *(const int8_t *)number : *(const uint8_t *)number;
  return true;
}

/* Does a step that likes channels innermost read the value. */
static bool
is_for_channels_last (const PareAccel *self, uint32_t step, uint32_t value)
{
  for (uint32_t i = step + 1; i < self->plan->n_steps && i <= self->values[value].last_use; i++)
    switch (self->plan->steps[i].op)
      {
      case PARE_RT_QCONV:
      case PARE_RT_QAVG_POOL:
      case PARE_RT_MAX_POOL:
        if (self->plan->steps[i].in[0] == value)
          return true;
        break;
      default:
        break;
      }
  return false;
}

bool
pare_accel_step_quantize (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareQuantizeParams *p = (const PareQuantizeParams *)(self->plan->params + s->params);
  uint32_t x = s->in[0], y = s->out[0];
  PareQuantizeCodes params = { .planes = 1, .batch = 1 };
  if (!pare_accel_is_float (self, x) || !pare_accel_is_codes (self, y) || !per_tensor (self, s, y, &params.scale, &params.zero))
    return false;
  const PareShape *sx = &self->plan->values[x].shape;
  const PareMd *md = pare_accel_native (self, x), *as = md;
  bool is_signed = self->plan->values[y].dtype == PARE_DTYPE_INT8;
  params.lo = p->lo < p->hi ? p->lo : is_signed ? -128 : 0;
  params.hi = p->lo < p->hi ? p->hi : is_signed ? 127 : 255;
  if (!md)
    return false;
  if (sx->rank >= 3 && is_for_channels_last (self, step, y))
    {
      const PareMd *last = pare_md_new_channels_last (self->mds, dnnl_f32, sx->rank, sx->dims);
      if (pare_md_is_row_major (md)) /* the planes are woven while they are quantized */
        {
          params.planes = sx->dims[1];
          params.batch = sx->dims[0];
          as = last;
        }
      else
        as = md = last;
    }
  else if (!pare_md_is_dense (md))
    as = md = pare_accel_plain_md (self, x);
  const PareMd *dst = as ? pare_md_with_type (self->mds, as, pare_accel_type (self, y)) : NULL;
  if (!md || !dst)
    return false;
  params.area = (int64_t)(pare_md_bytes (md) / sizeof (float)) / (params.planes * params.batch);
  const uint32_t in = pare_accel_form (self, step, x, md);
  const uint32_t buffers[2] = { in, pare_accel_new_form (self, y, dst) };
  return pare_accel_add_work (self, step, pare_accel_loop_quantize (), &params, sizeof params, pare_md_bytes (dst), buffers, 2);
}

bool
pare_accel_step_dequantize (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  uint32_t x = s->in[0], y = s->out[0];
  PareDequantizeCodes params = { 0 };
  if (!pare_accel_is_codes (self, x) || !pare_accel_is_float (self, y) || pare_accel_constant (self, x)
      || !per_tensor (self, s, x, &params.scale, &params.zero))
    return false;
  const PareMd *md = pare_accel_native (self, x), *dst = md ? pare_md_with_type (self->mds, md, dnnl_f32) : NULL;
  if (!dst)
    return false;
  params.is_signed = self->plan->values[x].dtype == PARE_DTYPE_INT8;
  params.n = pare_md_bytes (md);
  const uint32_t in = pare_accel_form (self, step, x, md);
  const uint32_t buffers[2] = { in, pare_accel_new_form (self, y, dst) };
  return pare_accel_add_work (self, step, pare_accel_loop_dequantize (), &params, sizeof params, params.n, buffers, 2);
}

/* Rows of bytes: what lies inside the axis, in the layout in which most of the operands lie. */
bool
pare_accel_step_concat_codes (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareAxisParams *p = (const PareAxisParams *)(self->plan->params + s->params);
  uint32_t y = s->out[0];
  const PareShape *sy = &self->plan->values[y].shape;
  int axis = p->axis < 0 ? p->axis + sy->rank : p->axis;
  bool last = false;
  if (!pare_accel_is_codes (self, y) || axis < 0 || axis >= sy->rank)
    return false;
  for (uint32_t i = 0; i < s->n_in; i++)
    {
      const PareMd *md = self->plan->values[s->in[i]].dtype == self->plan->values[y].dtype ? pare_accel_native (self, s->in[i]) : NULL;
      if (!md || pare_md_rank (md) != sy->rank)
        return false;
      last |= !pare_md_is_row_major (md);
    }
  last &= sy->rank >= 3;
  PareConcatCodes params = { .n = (int)s->n_in, .rows = 1 };
  uint32_t buffers[PARE_RT_MAX_IN + 1];
  for (uint32_t i = 0; i < s->n_in; i++)
    {
      const PareShape *sx = &self->plan->values[s->in[i]].shape;
      const PareMd *md = last ? pare_md_new_channels_last (self->mds, pare_accel_type (self, y), sx->rank, sx->dims)
                              : pare_accel_plain_md (self, s->in[i]);
      if (!md)
        return false;
      params.run[i] = sx->dims[axis];
      for (int a = 0; a < sx->rank; a++)
        if (last ? axis != 1 && (a == 1 || (axis == 0 || a > axis)) && a != axis : a > axis)
          params.run[i] *= sx->dims[a];
    }
  for (int a = 0; a < sy->rank; a++)
    if (a != axis && (last ? axis == 1 || (a != 1 && a < axis) : a < axis))
      params.rows *= sy->dims[a];
  for (uint32_t i = 0; i < s->n_in; i++)
    {
      const PareShape *sx = &self->plan->values[s->in[i]].shape;
      buffers[i] = pare_accel_form (self, step, s->in[i],
                                    last ? pare_md_new_channels_last (self->mds, pare_accel_type (self, y), sx->rank, sx->dims)
                                         : pare_accel_plain_md (self, s->in[i]));
    }
  const PareMd *dst
      = last ? pare_md_new_channels_last (self->mds, pare_accel_type (self, y), sy->rank, sy->dims) : pare_accel_plain_md (self, y);
  if (!dst)
    return false;
  buffers[s->n_in] = pare_accel_new_form (self, y, dst);
  return pare_accel_add_work (self, step, pare_accel_loop_concat (), &params, sizeof params, pare_md_bytes (dst), buffers, s->n_in + 1);
}
