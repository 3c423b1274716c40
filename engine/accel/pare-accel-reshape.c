/* A reshaped value by its own axes in the memory of what it is another name of, where that is only a matter of names: axes that were put
 * together lie one inside the other, those that were taken apart always do. Channels that lie side by side stay so when rows and columns
 * become one axis. */
#include "engine/accel/pare-accel-private.h"

#include <string.h>

/* Strides of `to` over memory that `from` has in its strides. */
static bool
regroup (const PareShape *from, const int64_t *strides, const PareShape *to, int64_t *out)
{
  int64_t dims[PARE_MAX_RANK], steps[PARE_MAX_RANK], all = pare_shape_count (from);
  int n = 0, i = 0, k = 0;
  for (int a = 0; a < from->rank; a++) /* axes of 1 are nowhere */
    if (from->dims[a] != 1)
      {
        dims[n] = from->dims[a];
        steps[n++] = strides[a];
      }
  for (; k < to->rank; k++)
    out[k] = all;
  for (k = 0; i < n;)
    {
      int end = i + 1, last = k;
      int64_t a = dims[i], b = to->dims[k];
      while (a != b)
        if (a < b)
          {
            if (end == n || steps[end - 1] != steps[end] * dims[end])
              return false;
            a *= dims[end++];
          }
        else if (++last < to->rank)
          b *= to->dims[last];
        else
          return false;
      int64_t step = steps[end - 1];
      for (int axis = last; axis >= k; axis--)
        if (to->dims[axis] != 1)
          {
            out[axis] = step;
            step *= to->dims[axis];
          }
      i = end;
      k = last + 1;
    }
  return true;
}

const PareMd *
pare_accel_seen (PareAccel *self, uint32_t value)
{
  const PareRtValue *v = &self->plan->values[value], *base = v;
  uint32_t of = value;
  while (base->kind == PARE_RT_ALIAS)
    base = &self->plan->values[of = base->alias_of];
  if (of == value || base->dtype != PARE_DTYPE_FLOAT32 || v->dtype != PARE_DTYPE_FLOAT32 || base->kind != PARE_RT_ARENA
      || !self->values[of].n_forms || !self->values[of].forms[0].md || pare_shape_count (&v->shape) != pare_shape_count (&base->shape))
    return NULL;
  const PareMd *md = self->values[of].forms[0].md;
  const int64_t *strides = pare_md_strides (md);
  int64_t seen[PARE_MAX_RANK];
  if (!strides || !pare_md_is_dense (md) || pare_md_rank (md) != base->shape.rank || v->shape.rank < 1
      || !regroup (&base->shape, strides, &v->shape, seen))
    return NULL;
  const PareMd *same = pare_md_new_typed (self->mds, pare_md_type (md), v->shape.rank, v->shape.dims, seen);
  return same ? pare_md_new_like (self->mds, same, v->shape.dims) : NULL;
}
