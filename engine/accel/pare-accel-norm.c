/* Batch normalization that nothing before it took in. */
#include "engine/accel/pare-accel-private.h"

#include <math.h>
#include <string.h>

#define ELEMENTS 10 /* in a nanosecond, of one thread */

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

typedef struct
{
  int64_t images, pixels, image; /* image: floats to the next one */
  int64_t blocks, block;         /* pieces of a pixel, and from one to the next */
  PareAffineRows rows;           /* of one piece */
} Affine;

/* Threads share the pixels: a pointwise convolution, which often comes next, shares them so, too, and then finds its own. */
static void
run (const void *params, const PareView *args, int part, int parts)
{
  const Affine *a = params;
  int64_t begin = a->pixels * part / parts, end = a->pixels * (part + 1) / parts;
  for (int64_t i = 0; i < a->images; i++)
    for (int64_t b = 0; b < a->blocks; b++)
      {
        PareAffineRows rows = a->rows;
        int64_t at = i * a->image + b * a->block + begin * rows.pixel;
        rows.pixels = end - begin;
        rows.x = (const float *)args[0].data + at;
        rows.y = (float *)args[1].data + at;
        rows.factor += b * rows.columns;
        rows.offset += b * rows.columns;
        pare_accel_floats ()->affine (&rows);
      }
}

/* A ReLU or the like that alone reads the value; PARE_RT_NONE: none. */
static uint32_t
find_clip (const PareAccel *self, uint32_t value, PareAffineRows *rows)
{
  uint32_t next = pare_accel_only_reader (self, value);
  const PareRtStep *s = next != PARE_RT_NONE ? &self->plan->steps[next] : NULL;
  if (!s || !pare_accel_is_float (self, s->out[0]))
    return PARE_RT_NONE;
  const void *params = self->plan->params + s->params;
  rows->clip = true;
  if (s->op == PARE_RT_CLIP)
    {
      rows->lo = ((const PareClipParams *)params)->lo;
      rows->hi = ((const PareClipParams *)params)->hi;
      return next;
    }
  rows->lo = 0;
  rows->hi = INFINITY;
  rows->clip = s->op == PARE_RT_UNARY && ((const PareUnaryParams *)params)->kind == PARE_UN_RELU;
  return rows->clip ? next : PARE_RT_NONE;
}

/* Where channels lie in blocks or innermost. */
static bool
by_loop (PareAccel *self, uint32_t step, const PareMd *md, const uint32_t affine[2])
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareShape *x = &self->plan->values[s->in[0]].shape;
  bool blocks = md == pare_md_new_blocks (self->mds, dnnl_f32, x->rank, x->dims);
  if (x->rank < 3 || !pare_accel_floats () || (!blocks && md != pare_md_new_channels_last (self->mds, dnnl_f32, x->rank, x->dims)))
    return false;
  int64_t c = x->dims[1], whole = pare_accel_whole_blocks (c);
  Affine a = { .images = x->dims[0], .pixels = 1, .blocks = blocks ? whole / PARE_BLOCK : 1 };
  for (int i = 2; i < x->rank; i++)
    a.pixels *= x->dims[i];
  float *factor = pare_accel_filled (self, whole, 0), *offset = pare_accel_filled (self, whole, 0);
  if (!factor || !offset)
    return false;
  a.rows.factor = memcpy (factor, self->buffers[affine[0]].fixed, (size_t)c * sizeof *factor);
  a.rows.offset = memcpy (offset, self->buffers[affine[1]].fixed, (size_t)c * sizeof *offset);
  a.rows.columns = a.rows.pixel = blocks ? PARE_BLOCK : c;
  a.block = a.pixels * PARE_BLOCK;
  a.image = a.pixels * (blocks ? whole : c);
  uint32_t next = find_clip (self, s->out[0], &a.rows), y = next != PARE_RT_NONE ? self->plan->steps[next].out[0] : s->out[0],
           src = pare_accel_form (self, step, s->in[0], md), dst = src;
  if (src != PARE_RT_NONE && pare_accel_may_overwrite (self, step, src))
    pare_accel_set_form (self, y, md, dst);
  else
    dst = pare_accel_new_form (self, y, md);
  double ns = (double)pare_md_bytes (md) / sizeof (float) / ELEMENTS;
  return pare_accel_add_work (self, step, run, &a, sizeof a, (uint64_t)(ns * PARE_ACCEL_IN_NS), (uint32_t[]){ src, dst }, 2)
         && pare_accel_absorb (self, next);
}

bool
pare_accel_step_batch_norm (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareMd *vector, *md = pare_accel_is_float (self, s->in[0]) ? pare_accel_native (self, s->in[0]) : NULL;
  uint32_t affine[2];
  if (!md || !pare_accel_affine (self, step, &vector, affine) || pare_md_rank (vector) != pare_md_rank (md))
    return false;
  if (by_loop (self, step, md, affine))
    return true;
  if (self->failed)
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
