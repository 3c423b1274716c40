#include "engine/accel/pare-accel-private.h"

/* The step's operands as oneDNN wants them. */
typedef struct
{
  const PareConvParams *p;
  bool transposed;
  bool bf16;
  uint32_t x, w, b, residual, y;
  const PareMd *src, *weights, *weights_as, *bias, *dst; /* src, weights, dst: any */
  uint32_t affine[2];                                    /* factor and offset of each channel that are applied last */
  const float *factor;                                   /* of each output channel, to go into the weights; NULL: none */
  uint32_t bias_buffer;                                  /* instead of b */
  PareConvShape shape;
} Conv;

bool
pare_accel_conv_shape (const PareConvParams *p, bool transposed, const PareShape *x, const PareShape *w, const PareShape *y,
                       PareConvShape *shape)
{
  if (p->spatial < 1 || p->spatial > 3 || x->rank != p->spatial + 2 || y->rank != x->rank || w->rank != x->rank || p->group < 1)
    return false;
  for (int i = 0; i < p->spatial; i++)
    {
      int64_t extent = (int64_t)(p->kernel[i] - 1) * p->dilation[i] + 1;
      int64_t from = transposed ? y->dims[i + 2] : x->dims[i + 2], to = transposed ? x->dims[i + 2] : y->dims[i + 2];
      shape->stride[i] = p->stride[i];
      shape->dilation[i] = p->dilation[i];
      shape->pad_begin[i] = p->pad_begin[i];
      /* What is really used of the padding; a remainder that no window reaches is not. */
      shape->pad_end[i] = (to - 1) * p->stride[i] + extent - from - p->pad_begin[i];
      shape->pad_end[i] = shape->pad_end[i] < 0 && !transposed ? 0 : shape->pad_end[i];
      if (p->pad_begin[i] < 0)
        return false;
    }
  int64_t g = p->group, m = y->dims[1], ic = x->dims[1], area = 1, *dims = shape->weights_dims, *strides = shape->weights_strides;
  int n = 0;
  if (m % g || ic % g)
    return false;
  for (int i = 0; i < p->spatial; i++)
    area *= p->kernel[i];
  if (g > 1)
    {
      dims[n] = g;
      strides[n++] = m / g * (ic / g) * area;
    }
  dims[n] = m / g;
  strides[n++] = transposed ? area : ic / g * area;
  dims[n] = ic / g;
  strides[n++] = transposed ? m / g * area : area;
  for (int i = 0; i < p->spatial; i++)
    {
      dims[n] = p->kernel[i];
      area /= p->kernel[i];
      strides[n++] = area;
    }
  shape->weights_rank = n;
  return true;
}

bool
pare_accel_conv_is_3x3 (const PareConvParams *p, const PareConvShape *shape, int64_t most)
{
  for (int i = 0; i < 2; i++)
    if (p->spatial != 2 || p->kernel[i] != 3 || shape->stride[i] > most || shape->stride[i] != shape->stride[0] || shape->dilation[i] != 1
        || shape->pad_begin[i] > 2)
      return false;
  return true;
}

/* In the layout that the convolution likes best, or in blocks if large ones are; few channels of a source stay as they are. */
static const PareMd *
activations (PareAccel *self, dnnl_data_type_t type, const PareShape *shape, const PareShape *result)
{
  if (self->blocks && type == dnnl_f32 && shape->rank == 4 && result->dims[2] * result->dims[3] >= 400)
    {
      if (shape->dims[1] % 16 == 0)
        return pare_md_new_blocks (self->mds, type, shape->rank, shape->dims);
      if (shape != result && shape->dims[1] <= 4)
        return pare_md_new (self->mds, shape->rank, shape->dims, NULL);
    }
  return pare_md_new_any (self->mds, type, shape->rank, shape->dims);
}

static bool
describe (PareAccel *self, uint32_t step, bool bf16, Conv *c)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareConvParams *p = (const PareConvParams *)(self->plan->params + s->params);
  *c = (Conv){ .p = p,
               .transposed = s->op == PARE_RT_CONV_TRANSPOSE,
               .x = s->in[0],
               .w = s->in[1],
               .b = s->n_in > 2 ? s->in[2] : PARE_RT_NONE,
               .residual = s->n_in > 3 ? s->in[3] : PARE_RT_NONE,
               .y = s->out[0],
               .bias_buffer = PARE_RT_NONE };
  if (!pare_accel_is_float (self, c->x) || !pare_accel_is_float (self, c->w) || !pare_accel_is_float (self, c->y))
    return false;
  const PareShape *x = &self->plan->values[c->x].shape, *w = &self->plan->values[c->w].shape, *y = &self->plan->values[c->y].shape;
  if (!pare_accel_conv_shape (p, c->transposed, x, w, y, &c->shape))
    return false;
  int64_t m = y->dims[1];
  dnnl_data_type_t type = bf16 ? dnnl_bf16 : dnnl_f32;
  c->bf16 = bf16;
  c->src = activations (self, type, x, y);
  c->weights = pare_md_new_any (self->mds, type, c->shape.weights_rank, c->shape.weights_dims);
  c->weights_as = pare_md_new (self->mds, c->shape.weights_rank, c->shape.weights_dims, c->shape.weights_strides);
  c->bias = c->b == PARE_RT_NONE ? NULL : pare_md_new (self->mds, 1, &m, NULL);
  return c->src && c->weights && c->weights_as && (c->bias || c->b == PARE_RT_NONE);
}

/* The result goes to y or, of 16 bits, to what y is rounded to; *rounds: the step that would do that. Where floats are added, a sum that
 * lies where they do stays one. */
static bool
aim (PareAccel *self, Conv *c, uint32_t y, uint32_t *rounds)
{
  const PareMd *added = c->residual == PARE_RT_NONE ? NULL : pare_accel_native_any (self, c->residual);
  bool narrow = c->bf16 && (!added || pare_md_type (added) == dnnl_bf16);
  PareAccelResult result = narrow ? pare_accel_result (self, y) : (PareAccelResult){ y, PARE_RT_NONE, dnnl_f32 };
  const PareShape *shape = &self->plan->values[y].shape;
  c->y = result.value;
  c->dst = activations (self, result.type, shape, shape);
  *rounds = result.rounds;
  return c->dst != NULL;
}

static dnnl_primitive_desc_t
create (PareAccel *self, const Conv *c, const PareMd *dst, const ParePostOps *post)
{
  return pare_pd_conv (self->engine, c->transposed, c->src, c->weights, c->bias, dst, c->shape.stride, c->shape.dilation,
                       c->shape.pad_begin, c->shape.pad_end, post);
}

/* Adds the primitive, with its operands brought into the layouts that it chose. `residual`: the operand of the first post-op, where that is
 * a binary one. */
static bool
emit (PareAccel *self, uint32_t step, const Conv *c, dnnl_primitive_desc_t pd, const ParePostOps *post, uint32_t residual,
      const PareMd *dst_md, uint32_t dst)
{
  const PareMd *src_md = pare_pd_md (self->mds, pd, PARE_PD_SRC), *weights_md = pare_pd_md (self->mds, pd, PARE_PD_WEIGHTS);
  PareArgSpec args[4 + PARE_MAX_POST];
  uint32_t n = 0;
  if (!src_md || !weights_md)
    {
      self->failed = true;
      return false;
    }
  args[n++] = (PareArgSpec){ DNNL_ARG_SRC, src_md, pare_accel_form (self, step, c->x, src_md) };
  uint32_t weights
      = c->factor ? pare_accel_weights_scaled (self, c->w, c->weights_as, weights_md, c->factor, self->plan->values[c->w].shape.dims[0])
                  : pare_accel_weights (self, step, c->w, c->weights_as, weights_md, 1.0f);
  args[n++] = (PareArgSpec){ DNNL_ARG_WEIGHTS, weights_md, weights };
  if (c->bias)
    args[n++] = (PareArgSpec){ DNNL_ARG_BIAS, c->bias,
                               c->bias_buffer != PARE_RT_NONE ? c->bias_buffer : pare_accel_bias (self, step, c->b, 1.0f) };
  args[n++] = (PareArgSpec){ DNNL_ARG_DST, dst_md, dst };
  for (int i = 0, next = 0; i < post->n; i++)
    if (post->ops[i].kind == PARE_POST_BINARY)
      args[n++] = (PareArgSpec){ DNNL_ARG_ATTR_MULTIPLE_POST_OP (i) | DNNL_ARG_SRC_1, post->ops[i].md,
                                 i == 0 && residual != PARE_RT_NONE ? residual : c->affine[next++] };
  return pare_accel_add_primitive (self, step, pd, args, n);
}

/* post has a place for the residual at its head. */
static bool
with_residual (PareAccel *self, uint32_t step, const Conv *c, ParePostOps *post)
{
  post->ops[0] = (ParePostOp){ .kind = PARE_POST_SUM };
  dnnl_primitive_desc_t pd = create (self, c, c->dst, post);
  const PareMd *dst_md = pd ? pare_pd_md (self->mds, pd, PARE_PD_DST) : NULL;
  if (!dst_md)
    return false;
  if (pare_accel_native_any (self, c->residual) == dst_md)
    {
      uint32_t there = pare_accel_form (self, step, c->residual, dst_md);
      uint32_t x = pare_accel_form (self, step, c->x, pare_pd_md (self->mds, pd, PARE_PD_SRC));
      if (there == PARE_RT_NONE || x == PARE_RT_NONE)
        {
          dnnl_primitive_desc_destroy (pd);
          self->failed = true;
          return false;
        }
      if (pare_accel_may_overwrite (self, step, there) && pare_accel_buffer_root (self, there) != pare_accel_buffer_root (self, x))
        {
          pare_accel_set_form (self, c->y, dst_md, there);
          return emit (self, step, c, pd, post, PARE_RT_NONE, dst_md, there);
        }
      ParePostOps binary = *post;
      binary.ops[0] = (ParePostOp){ .kind = PARE_POST_BINARY, .alg = dnnl_binary_add, .md = dst_md };
      dnnl_primitive_desc_t apart = create (self, c, dst_md, &binary);
      if (apart)
        {
          dnnl_primitive_desc_destroy (pd);
          return emit (self, step, c, apart, &binary, there, dst_md, pare_accel_new_form (self, c->y, dst_md));
        }
    }
  uint32_t copy = pare_accel_form_copy (self, step, c->residual, dst_md);
  pare_accel_set_form (self, c->y, dst_md, copy);
  return emit (self, step, c, pd, post, PARE_RT_NONE, dst_md, copy);
}

/* All in one primitive. */
static bool
fused (PareAccel *self, uint32_t step, const Conv *c, ParePostOps *post)
{
  if (c->residual != PARE_RT_NONE)
    return with_residual (self, step, c, post);
  dnnl_primitive_desc_t pd = create (self, c, c->dst, post);
  if (!pd)
    return false;
  const PareMd *dst_md = pare_pd_md (self->mds, pd, PARE_PD_DST);
  return emit (self, step, c, pd, post, PARE_RT_NONE, dst_md, pare_accel_new_form (self, c->y, dst_md));
}

bool
pare_accel_activate (PareAccel *self, uint32_t step, const ParePostOp *op, const PareMd *md, uint32_t buffer)
{
  int64_t count = (int64_t)(pare_md_bytes (md) / pare_md_element_size (md));
  const PareMd *flat = pare_md_new_typed (self->mds, pare_md_type (md), 1, &count, NULL);
  dnnl_primitive_desc_t pd = flat ? pare_pd_eltwise (self->engine, op->alg, flat, op->alpha, op->beta) : NULL;
  if (!pd)
    {
      self->failed = true;
      return false;
    }
  return pare_accel_add_primitive (self, step, pd, (PareArgSpec[]){ { DNNL_ARG_SRC, flat, buffer }, { DNNL_ARG_DST, flat, buffer } }, 2);
}

/* The activation on its own, over the same memory. */
static bool
apart (PareAccel *self, uint32_t step, const Conv *c, const ParePostOp *op)
{
  const ParePostOps none = { 0 };
  dnnl_primitive_desc_t pd = create (self, c, c->dst, NULL);
  const PareMd *dst_md = pd ? pare_pd_md (self->mds, pd, PARE_PD_DST) : NULL;
  if (!dst_md)
    return false;
  uint32_t dst = pare_accel_new_form (self, c->y, dst_md);
  return emit (self, step, c, pd, &none, PARE_RT_NONE, dst_md, dst) && pare_accel_activate (self, step, op, dst_md, dst);
}

/* A normalization after the convolution (of floats: weights of 16 bits are what they are) without more work: f max (z, 0) + o = max (f z +
 * o, o) for f >= 0, so the factor goes into the weights and the offset into the bias and, after a ReLU, into a maximum. False: leave it to
 * two more post-ops. */
static bool
fold_affine (PareAccel *self, Conv *c, const PareMd *vector, ParePostOps *post)
{
  const PareShape *w = &self->plan->values[c->w].shape;
  const float *factor = self->buffers[c->affine[0]].fixed, *offset = self->buffers[c->affine[1]].fixed,
              *bias = c->b == PARE_RT_NONE ? NULL : pare_accel_constant (self, c->b);
  int64_t m = self->plan->values[c->y].shape.dims[1];
  bool relu = c->p->activation == PARE_ACT_CLIP && c->p->lo == 0 && c->p->hi >= 3.4e38f;
  if (c->bf16 || c->transposed || c->residual != PARE_RT_NONE || w->dims[0] != m || !pare_accel_constant (self, c->w)
      || (c->b != PARE_RT_NONE && !bias) || (!relu && c->p->activation != PARE_ACT_NONE))
    return false;
  for (int64_t i = 0; i < m; i++)
    if (!(factor[i] >= 0))
      return false;
  uint64_t bytes = (uint64_t)m * sizeof (float);
  uint32_t buffer = pare_accel_buffer_new (self, bytes);
  float *folded = pare_accel_pack (self, bytes);
  if (buffer == PARE_RT_NONE || !folded)
    return false;
  for (int64_t i = 0; i < m; i++)
    folded[i] = bias ? bias[i] * factor[i] + offset[i] : offset[i];
  self->buffers[buffer].fixed = folded;
  c->factor = factor;
  c->bias_buffer = buffer;
  c->bias = pare_md_new (self->mds, 1, &m, NULL);
  c->affine[0] = c->affine[1]; /* the first binary post-op now takes the offset */
  post->n = 0;
  if (relu)
    post->ops[post->n++] = (ParePostOp){ .kind = PARE_POST_BINARY, .alg = dnnl_binary_max, .md = vector };
  return c->bias != NULL;
}

/* With kernels of our own, where those are faster. */
static bool
by_our_own (PareAccel *self, uint32_t step, const Conv *c)
{
  const PareShape *y = &self->plan->values[self->plan->steps[step].out[0]].shape;
  return !c->transposed
         && (pare_accel_separable (self, step) || (!self->failed && pare_accel_planes (self, step, &c->shape))
             || (!self->failed && pare_accel_winograd (self, step, &c->shape))
             || (!self->failed && pare_accel_grouped (self, step, &c->shape))
             || (!self->failed && pare_accel_stem (self, step, &c->shape, activations (self, dnnl_f32, y, y)))
             || (!self->failed && pare_accel_point (self, step, activations (self, dnnl_f32, y, y))));
}

/* One pixel, as a fully connected layer. */
static bool
as_row_of_bf16 (PareAccel *self, uint32_t step, const Conv *c)
{
  const PareShape *x = &self->plan->values[c->x].shape, *w = &self->plan->values[c->w].shape, *y = &self->plan->values[c->y].shape;
  uint32_t reader = pare_accel_only_reader (self, c->y);
  if (c->transposed || pare_shape_count (x) != x->dims[1] || pare_shape_count (y) != y->dims[1]
      || pare_shape_count (w) != x->dims[1] * y->dims[1] || (reader != PARE_RT_NONE && self->plan->steps[reader].op == PARE_RT_BATCH_NORM))
    return false;
  for (int i = 0; i < c->p->spatial; i++)
    if (c->shape.pad_begin[i]) /* the only window lies beside it */
      return false;
  return pare_accel_rows_bf16 (self, step,
                               &(PareAccelRows){ .x = c->x,
                                                 .w = c->w,
                                                 .b = c->b,
                                                 .residual = c->residual,
                                                 .y = c->y,
                                                 .rows = 1,
                                                 .k = x->dims[1],
                                                 .n = y->dims[1],
                                                 .stride_n = x->dims[1],
                                                 .stride_k = 1,
                                                 .alpha = 1,
                                                 .beta = 1,
                                                 .activation = c->p->activation,
                                                 .lo = c->p->lo,
                                                 .hi = c->p->hi,
                                                 .act_alpha = c->p->alpha });
}

static bool
by_our_own_of_bf16 (PareAccel *self, uint32_t step, const Conv *c)
{
  if (as_row_of_bf16 (self, step, c) || self->failed)
    return !self->failed;
  return pare_accel_winograd_bf16 (self, step, &c->shape) || (!self->failed && pare_accel_stem_bf16 (self, step, &c->shape))
         || (!self->failed && pare_accel_point_bf16 (self, step));
}

/* A transposed convolution of floats that oneDNN computes faster than the portable kernel, which is where each pixel of an image comes from
 * several of the input on both axes and channels fill vectors; else it takes up to twenty times as long. */
static bool
is_dense_transposed (const PareAccel *self, const Conv *c)
{
  bool dense = c->p->spatial == 2 && c->p->group == 1 && self->plan->values[c->x].shape.dims[1] % 16 == 0
               && self->plan->values[c->y].shape.dims[1] % 16 == 0;
  for (int i = 0; i < 2; i++)
    dense = dense && c->p->kernel[i] >= 2 * c->p->stride[i];
  return dense;
}

static bool
convolve (PareAccel *self, uint32_t step, bool bf16)
{
  Conv c;
  ParePostOps post = { 0 }, longer;
  if (!describe (self, step, bf16, &c) || (c.transposed && !bf16 && !is_dense_transposed (self, &c)))
    return false;
  if (bf16 ? by_our_own_of_bf16 (self, step, &c) : !pare_accel_is_bf16 (self, step) && by_our_own (self, step, &c))
    return true;
  if (self->failed)
    return false;
  post.n = c.residual != PARE_RT_NONE;
  if (!pare_accel_activation (c.p->activation, c.p->lo, c.p->hi, c.p->alpha, &post))
    return false;
  const uint32_t y = c.y, norm = pare_accel_only_reader (self, y);
  uint32_t rounds;
  const PareMd *vector;
  if (norm != PARE_RT_NONE && self->plan->steps[norm].in[0] == y && pare_accel_affine (self, norm, &vector, c.affine))
    {
      Conv folded = c;
      longer = post;
      if (!fold_affine (self, &folded, vector, &longer))
        {
          folded = c;
          longer.ops[longer.n++] = (ParePostOp){ .kind = PARE_POST_BINARY, .alg = dnnl_binary_mul, .md = vector };
          longer.ops[longer.n++] = (ParePostOp){ .kind = PARE_POST_BINARY, .alg = dnnl_binary_add, .md = vector };
        }
      if (!self->failed && aim (self, &folded, self->plan->steps[norm].out[0], &rounds) && fused (self, step, &folded, &longer))
        return pare_accel_absorb (self, norm) && pare_accel_absorb (self, rounds);
      if (self->failed)
        return false;
    }
  if (!aim (self, &c, y, &rounds))
    return false;
  if (fused (self, step, &c, &post) || (!self->failed && c.residual == PARE_RT_NONE && post.n == 1 && apart (self, step, &c, &post.ops[0])))
    return pare_accel_absorb (self, rounds);
  return false;
}

bool
pare_accel_step_conv (PareAccel *self, uint32_t step)
{
  if (pare_accel_is_bf16 (self, step)
      && (pare_accel_separable_bf16 (self, step) || (!self->failed && pare_accel_depthwise_bf16 (self, step))
          || (!self->failed && convolve (self, step, true))))
    {
      self->n_bf16++;
      return true;
    }
  return !self->failed && convolve (self, step, false);
}
