/* Steps that only move data, done in the layout in which it lies, so that a strided shortcut does not cost two reorders. */
#include "engine/accel/pare-accel-private.h"
#include "engine/runtime/kernels/move.h"

#include <stdlib.h>
#include <string.h>

void
pare_accel_copy_block (const PareAccelBlock *b, const void *source, void *destination)
{
  int64_t from[PARE_MAX_RANK], to[PARE_MAX_RANK];
  if (b->clear)
    memset (destination, b->fill, b->clear);
  for (int i = 0; i < b->rank; i++)
    {
      from[i] = b->src_stride[i] * b->size;
      to[i] = b->dst_stride[i] * b->size;
    }
  pare_rt_move (b->rank, b->extent, (const char *)source + b->src_offset * b->size, from, (char *)destination + b->dst_offset * b->size, to,
                b->size);
}

/* Outermost axis of the destination first. */
static void
sort_axes (PareAccelBlock *b)
{
  for (int i = 1; i < b->rank; i++)
    for (int j = i; j > 0 && b->dst_stride[j - 1] < b->dst_stride[j]; j--)
      {
        int64_t extent = b->extent[j], src = b->src_stride[j], dst = b->dst_stride[j];
        b->extent[j] = b->extent[j - 1];
        b->src_stride[j] = b->src_stride[j - 1];
        b->dst_stride[j] = b->dst_stride[j - 1];
        b->extent[j - 1] = extent;
        b->src_stride[j - 1] = src;
        b->dst_stride[j - 1] = dst;
      }
}

static bool
add_block (PareAccel *self, uint32_t step, PareAccelBlock *block, const PareMd *src_md, const PareMd *dst_md)
{
  const PareRtStep *s = &self->plan->steps[step];
  PareAccelBlock *kept = pare_accel_pack (self, sizeof *kept);
  uint32_t src = pare_accel_form (self, step, s->in[0], src_md), dst = pare_accel_new_form (self, s->out[0], dst_md);
  if (!kept || src == PARE_RT_NONE || dst == PARE_RT_NONE)
    {
      self->failed = true;
      return false;
    }
  sort_axes (block);
  *kept = *block;
  return pare_accel_add_loop (self, &(PareAccelNode){ .kind = PARE_NODE_BLOCK, .step = step, .block = kept }, src, dst);
}

/* The same memory under another name of its axes. */
static bool
transpose (PareAccel *self, uint32_t step, const PareTransposeParams *p, const PareMd *md)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareShape *sy = &self->plan->values[s->out[0]].shape;
  const int64_t *strides = pare_md_strides (md);
  int64_t permuted[PARE_MAX_RANK];
  for (int i = 0; i < sy->rank; i++)
    {
      if (p->perm[i] < 0 || p->perm[i] >= sy->rank || pare_md_dims (md)[p->perm[i]] != sy->dims[i])
        return false;
      permuted[i] = strides[p->perm[i]];
    }
  const PareMd *renamed = pare_md_new_typed (self->mds, pare_md_type (md), sy->rank, sy->dims, permuted);
  uint32_t src = renamed ? pare_accel_form (self, step, s->in[0], md) : PARE_RT_NONE;
  if (src == PARE_RT_NONE)
    return false;
  pare_accel_set_form (self, s->out[0], renamed, src);
  return true;
}

bool
pare_accel_step_move (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  const void *params = self->plan->params + s->params;
  uint32_t x = s->in[0], y = s->out[0];
  if ((!pare_accel_is_float (self, x) && !pare_accel_is_codes (self, x)) || self->plan->values[x].dtype != self->plan->values[y].dtype
      || s->n_out != 1)
    return false;
  const PareShape *sx = &self->plan->values[x].shape, *sy = &self->plan->values[y].shape;
  const PareMd *md = self->exact && self->exact[y] ? pare_accel_native_any (self, x) : pare_accel_native (self, x);
  const int64_t *strides = md ? pare_md_strides (md) : NULL;
  if (!strides || sx->rank < 1 || sx->rank != sy->rank || pare_md_rank (md) != sx->rank || pare_shape_count (sy) < 1)
    return false;
  if (s->op == PARE_RT_TRANSPOSE)
    {
      const PareMd *seen = pare_accel_seen (self, x);
      return transpose (self, step, params, seen && (pare_md_type (seen) == dnnl_f32 || pare_md_type (md) == dnnl_bf16) ? seen : md);
    }
  /* Already plain: the portable kernel does the same. */
  const PareMd *like = pare_md_is_row_major (md) ? NULL : pare_md_new_like (self->mds, md, sy->dims);
  const int64_t *out = like ? pare_md_strides (like) : NULL;
  if (!out)
    return false;
  PareAccelBlock block = { .rank = sx->rank, .size = (int)pare_md_element_size (md) };
  for (int i = 0; i < sx->rank; i++)
    if (s->op == PARE_RT_SLICE)
      {
        const PareSliceParams *p = params;
        block.extent[i] = sy->dims[i];
        block.src_stride[i] = strides[i] * p->step[i];
        block.dst_stride[i] = out[i];
        block.src_offset += strides[i] * p->start[i];
      }
    else
      {
        const ParePadParams *p = params;
        int64_t crop = p->begin[i] < 0 ? -p->begin[i] : 0, to = p->begin[i] > 0 ? p->begin[i] : 0;
        int64_t from = sx->dims[i] - crop, room = sy->dims[i] - to;
        block.extent[i] = from < room ? from : room;
        block.src_stride[i] = strides[i];
        block.dst_stride[i] = out[i];
        block.src_offset += strides[i] * crop;
        block.dst_offset += out[i] * to;
        if (block.extent[i] < 1)
          return false;
      }
  if (s->op == PARE_RT_PAD)
    {
      const void *value = s->n_in > 1 && s->in[1] != PARE_RT_NONE ? pare_accel_constant (self, s->in[1]) : NULL;
      if (((const ParePadParams *)params)->mode != PARE_PAD_CONSTANT || (s->n_in > 1 && s->in[1] != PARE_RT_NONE && !value))
        return false;
      if (value && pare_accel_is_codes (self, x))
        block.fill = *(const uint8_t *)value;
      else if (value && *(const float *)value != 0)
        return false;
      block.clear = pare_md_bytes (like);
    }
  return add_block (self, step, &block, md, like);
}
