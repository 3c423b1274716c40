/* What follows a convolution's sums, as the float kernels take it: bias, bounds for each channel, and a normalization behind the activation
 * folded into all of them: f min (max (z, lo), hi) + o = min (max (f z + o, f lo + o), f hi + o), with the bounds exchanged where f < 0. */
#include "engine/accel/pare-accel-private.h"

#include <math.h>
#include <string.h>

static float *
whole_blocks (PareAccel *self, int64_t n)
{
  uint64_t bytes = (uint64_t)((n + PARE_BLOCK - 1) / PARE_BLOCK * PARE_BLOCK) * sizeof (float);
  float *to = pare_accel_pack (self, bytes);
  if (to)
    memset (to, 0, bytes);
  return to;
}

bool
pare_accel_fold (PareAccel *self, uint32_t step, PareFolded *f)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareConvParams *p = (const PareConvParams *)(self->plan->params + s->params);
  int64_t n = self->plan->values[s->out[0]].shape.dims[1];
  const float *bias = NULL, *factor = NULL, *offset = NULL;
  uint32_t affine[2];
  const PareMd *md;
  bool clip = p->activation == PARE_ACT_CLIP;
  *f = (PareFolded){ .y = s->out[0], .norm = PARE_RT_NONE };
  if (s->n_in > 2 && s->in[2] != PARE_RT_NONE && !(bias = pare_accel_constant (self, s->in[2])))
    return false;
  uint32_t norm = s->n_in > 3 && s->in[3] != PARE_RT_NONE ? PARE_RT_NONE : pare_accel_only_reader (self, f->y);
  if ((clip || p->activation == PARE_ACT_NONE) && norm != PARE_RT_NONE && self->plan->steps[norm].in[0] == f->y
      && pare_accel_affine (self, norm, &md, affine))
    {
      f->norm = norm;
      f->y = self->plan->steps[norm].out[0];
      factor = self->buffers[affine[0]].fixed;
      offset = self->buffers[affine[1]].fixed;
    }
  float *all = factor ? whole_blocks (self, n) : NULL;
  if (factor && !all)
    return false;
  if (factor)
    factor = memcpy (all, factor, (size_t)n * sizeof *all);
  float *sum = whole_blocks (self, n), *lo = clip ? whole_blocks (self, n) : NULL, *hi = clip ? whole_blocks (self, n) : NULL;
  if (!sum || (clip && (!lo || !hi)))
    return false;
  for (int64_t i = 0; i < n; i++)
    {
      float a = factor ? factor[i] : 1, o = factor ? offset[i] : 0;
      sum[i] = bias ? bias[i] * a + o : o;
      if (!clip)
        continue;
      lo[i] = a == 0 ? o : (a < 0 ? p->hi : p->lo) * a + o;
      hi[i] = a == 0 ? o : (a < 0 ? p->lo : p->hi) * a + o;
    }
  f->factor = factor;
  f->bias = sum;
  f->after = (PareAfter){
    .kind = pare_accel_after_knows (p->activation) ? p->activation : PARE_ACT_NONE, .lo = lo, .hi = hi, .alpha = p->alpha
  };
  return true;
}
