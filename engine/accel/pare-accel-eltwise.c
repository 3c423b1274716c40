/* Steps that touch each element once run over the memory as it lies, whatever its layout: padding lanes are computed too, and harmless
 * as long as they stay finite (the weights that meet them are zero). */
#include "engine/accel/pare-accel-private.h"

#include <math.h>

/* The memory of a layout as a vector. */
static const PareMd *
flatten (PareAccel *self, const PareMd *md, int64_t *count)
{
  *count = (int64_t)(pare_md_bytes (md) / pare_md_element_size (md));
  return pare_md_new_typed (self->mds, pare_md_type (md), 1, count, NULL);
}

/* Where the result of an elementwise step goes: over its operand if nobody reads that again. */
static uint32_t
result_buffer (PareAccel *self, uint32_t step, uint32_t y, const PareMd *md, uint32_t operand)
{
  if (operand != PARE_RT_NONE && pare_accel_may_overwrite (self, step, operand))
    {
      pare_accel_set_form (self, y, md, operand);
      return operand;
    }
  return pare_accel_new_form (self, y, md);
}

static PareAccelView
vector_view (int64_t count, uint32_t buffer)
{
  return (PareAccelView){ .dtype = PARE_DTYPE_FLOAT32, .shape = { .rank = 1, .dims = { count } }, .buffer = buffer };
}

/* oneDNN's name of a function; false: use the portable kernel. */
static bool
unary_algorithm (const PareUnaryParams *p, dnnl_alg_kind_t *alg, float *alpha, float *beta)
{
  *alpha = *beta = 0;
  switch (p->kind)
    {
    case PARE_UN_ABS:
      *alg = dnnl_eltwise_abs;
      return true;
    case PARE_UN_NEG:
      *alg = dnnl_eltwise_linear;
      *alpha = -1;
      return true;
    case PARE_UN_SIGMOID:
      *alg = dnnl_eltwise_logistic;
      return true;
    case PARE_UN_TANH:
      *alg = dnnl_eltwise_tanh;
      return true;
    case PARE_UN_RELU:
      *alg = dnnl_eltwise_relu;
      return true;
    case PARE_UN_LEAKY_RELU:
      *alg = dnnl_eltwise_relu;
      *alpha = p->alpha;
      return true;
    case PARE_UN_HARD_SWISH:
      *alg = dnnl_eltwise_hardswish;
      return true;
    case PARE_UN_SWISH:
      *alg = dnnl_eltwise_swish;
      *alpha = 1;
      return true;
    case PARE_UN_QUICK_GELU:
      *alg = dnnl_eltwise_swish;
      *alpha = 1.702f;
      return true;
    case PARE_UN_GELU:
      *alg = dnnl_eltwise_gelu_erf;
      return true;
    case PARE_UN_GELU_TANH:
      *alg = dnnl_eltwise_gelu_tanh;
      return true;
    case PARE_UN_ELU:
      *alg = dnnl_eltwise_elu;
      *alpha = p->alpha;
      return true;
    case PARE_UN_MISH:
      *alg = dnnl_eltwise_mish;
      return true;
    default:
      return false;
    }
}

/* f (0) is a number. */
static bool
zero_is_safe (PareUnaryKind kind)
{
  return kind != PARE_UN_LOG && kind != PARE_UN_RECIPROCAL;
}

/* In the layout in which the operand lies. */
static bool
round_to_bf16 (PareAccel *self, uint32_t step, uint32_t x, uint32_t y)
{
  const PareMd *wide = pare_accel_native (self, x), *narrow = wide ? pare_md_with_type (self->mds, wide, dnnl_bf16) : NULL;
  if (!narrow)
    return false;
  uint32_t src = pare_accel_form (self, step, x, wide);
  return pare_accel_add_reorder (self, step, wide, src, narrow, pare_accel_new_form (self, y, narrow));
}

bool
pare_accel_step_unary (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  const void *params = self->plan->params + s->params;
  uint32_t x = s->in[0], y = s->out[0];
  if (!pare_accel_is_float (self, x) || !pare_accel_is_float (self, y))
    return false;
  if (self->exact && s->op == PARE_RT_UNARY && ((const PareUnaryParams *)params)->kind == PARE_UN_BFLOAT16)
    return pare_accel_rounded_stem (self, step) || (!self->failed && round_to_bf16 (self, step, x, y));
  const PareMd *md = pare_accel_native (self, x), *flat;
  dnnl_alg_kind_t alg = dnnl_eltwise_relu;
  float alpha = 0, beta = 0;
  bool native;
  int64_t count;
  if (!md || !(flat = flatten (self, md, &count)))
    return false;
  if (s->op == PARE_RT_CLIP)
    {
      const PareClipParams *p = params;
      ParePostOps post = { 0 };
      native = pare_accel_activation (PARE_ACT_CLIP, p->lo, p->hi, 0, &post);
      alg = post.ops[0].alg;
      alpha = post.ops[0].alpha;
      beta = post.ops[0].beta;
    }
  else
    {
      native = unary_algorithm (params, &alg, &alpha, &beta);
      if (!zero_is_safe (((const PareUnaryParams *)params)->kind) && !pare_md_is_dense (md))
        return false;
    }
  /* Of 16 bits only where oneDNN computes it and the result is one of them. */
  PareAccelResult result = pare_accel_result (self, y);
  const PareMd *any = result.type == dnnl_bf16 ? pare_accel_native_any (self, x) : md,
               *flat_any = any && native ? flatten (self, any, &count) : NULL;
  dnnl_primitive_desc_t pd = flat_any ? pare_pd_eltwise (self->engine, alg, flat_any, alpha, beta) : NULL;
  if (pd)
    {
      md = any;
      flat = flat_any;
    }
  else
    pd = native && any != md ? pare_pd_eltwise (self->engine, alg, flat, alpha, beta) : NULL;
  flatten (self, md, &count);
  bool narrow = pare_md_type (md) == dnnl_bf16;
  uint32_t src = pare_accel_form (self, step, x, md), to = narrow ? result.value : y,
           dst = src == PARE_RT_NONE ? src : result_buffer (self, step, to, md, src);
  if (pd)
    return pare_accel_add_primitive (self, step, pd, (PareArgSpec[]){ { DNNL_ARG_SRC, flat, src }, { DNNL_ARG_DST, flat, dst } }, 2)
           && pare_accel_absorb (self, narrow ? result.rounds : PARE_RT_NONE);
  PareAccelView in = vector_view (count, src), out = vector_view (count, dst);
  return pare_accel_add_kernel (self, step, s->op, params, &in, 1, &out, 1, pare_rt_kernel_scratch (self->plan, s, NULL));
}

static bool
binary_algorithm (PareBinaryKind kind, dnnl_alg_kind_t *alg)
{
  switch (kind)
    {
    case PARE_BIN_ADD:
      *alg = dnnl_binary_add;
      return true;
    case PARE_BIN_SUB:
      *alg = dnnl_binary_sub;
      return true;
    case PARE_BIN_MUL:
      *alg = dnnl_binary_mul;
      return true;
    case PARE_BIN_DIV:
      *alg = dnnl_binary_div;
      return true;
    case PARE_BIN_MIN:
      *alg = dnnl_binary_min;
      return true;
    case PARE_BIN_MAX:
      *alg = dnnl_binary_max;
      return true;
    default:
      return false;
    }
}

static bool
same_shape (const PareShape *a, const PareShape *b)
{
  if (a->rank != b->rank)
    return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dims[i] != b->dims[i])
      return false;
  return true;
}

static bool
binary_same_shape (PareAccel *self, uint32_t step, uint32_t a, uint32_t b, uint32_t y, dnnl_alg_kind_t alg, const ParePostOps *post)
{
  const PareMd *ma = pare_accel_native_any (self, a), *mb = pare_accel_native_any (self, b), *flat;
  PareAccelResult result = pare_accel_result (self, y);
  int64_t count;
  if (ma && mb && (pare_md_type (ma) != dnnl_bf16 || pare_md_type (mb) != dnnl_bf16 || result.type != dnnl_bf16))
    {
      if ((pare_md_type (ma) == dnnl_bf16 || pare_md_type (mb) == dnnl_bf16 || result.type == dnnl_bf16)
          && pare_accel_binary_bf16 (self, step, a, b, result))
        return true;
      ma = pare_accel_native (self, a);
      mb = pare_accel_native (self, b);
      result = (PareAccelResult){ y, PARE_RT_NONE, dnnl_f32 };
    }
  if (!ma || !mb)
    return false;
  const PareMd *md = ma != mb && pare_md_is_row_major (ma) ? mb : ma;
  if (alg == dnnl_binary_div && !pare_md_is_dense (md))
    return false;
  dnnl_primitive_desc_t pd = (flat = flatten (self, md, &count)) ? pare_pd_binary (self->engine, alg, flat, flat, flat, post) : NULL;
  if (!pd)
    return false;
  uint32_t src_a = pare_accel_form (self, step, a, md), src_b = pare_accel_form (self, step, b, md);
  uint32_t over = src_a != PARE_RT_NONE && pare_accel_may_overwrite (self, step, src_a) ? src_a : src_b;
  uint32_t dst = result_buffer (self, step, result.value, md, over);
  return pare_accel_add_primitive (
             self, step, pd,
             (PareArgSpec[]){ { DNNL_ARG_SRC_0, flat, src_a }, { DNNL_ARG_SRC_1, flat, src_b }, { DNNL_ARG_DST, flat, dst } }, 3)
         && pare_accel_absorb (self, result.rounds);
}

/* One number on one side. */
static bool
binary_scalar (PareAccel *self, uint32_t step, uint32_t a, uint32_t b, uint32_t y, const PareBinaryParams *p)
{
  const PareRtStep *s = &self->plan->steps[step];
  bool swapped = pare_shape_count (&self->plan->values[a].shape) == 1;
  uint32_t x = swapped ? b : a, number = swapped ? a : b;
  const float *constant = pare_accel_constant (self, number);
  const PareMd *md = pare_accel_native (self, x);
  int64_t count;
  if (!md || !constant || !isfinite (*constant) || !flatten (self, md, &count)
      || !same_shape (&self->plan->values[x].shape, &self->plan->values[y].shape))
    return false;
  if (p->kind > PARE_BIN_MAX || p->kind == PARE_BIN_POW || (p->kind == PARE_BIN_DIV && (swapped || *constant == 0)))
    return false;
  uint32_t src = pare_accel_form (self, step, x, md), scalar = pare_accel_plain (self, step, number);
  uint32_t dst = src == PARE_RT_NONE ? src : result_buffer (self, step, y, md, src);
  PareAccelView in[2] = { vector_view (count, src), vector_view (1, scalar) }, out = vector_view (count, dst);
  if (swapped)
    {
      PareAccelView swap = in[0];
      in[0] = in[1];
      in[1] = swap;
    }
  return pare_accel_add_kernel (self, step, s->op, p, in, 2, &out, 1, pare_rt_kernel_scratch (self->plan, s, NULL));
}

/* One number per channel: b is [C, 1...] or [1 or N, C, 1...]. */
static bool
binary_per_channel (PareAccel *self, uint32_t step, uint32_t a, uint32_t b, uint32_t y, dnnl_alg_kind_t alg, const ParePostOps *post)
{
  const PareShape *sa = &self->plan->values[a].shape, *sb = &self->plan->values[b].shape;
  int64_t dims[PARE_MAX_RANK];
  const PareMd *md = pare_accel_native_any (self, a);
  PareAccelResult result = pare_accel_result (self, y);
  bool padded = md && !pare_md_is_dense (md); /* with channels that are none its kernel for AVX2 takes the wrong numbers */
  if (md && (padded || pare_md_type (md) != dnnl_bf16 || result.type != dnnl_bf16))
    {
      md = padded ? pare_accel_plain_md (self, a) : pare_accel_native (self, a);
      result = (PareAccelResult){ y, PARE_RT_NONE, dnnl_f32 };
    }
  if (!md || sb->rank > sa->rank || sa->rank < 3 || !same_shape (sa, &self->plan->values[y].shape) || alg == dnnl_binary_div)
    return false;
  for (int i = 0; i < sa->rank; i++)
    {
      int ib = i - (sa->rank - sb->rank);
      dims[i] = ib < 0 ? 1 : sb->dims[ib];
      if ((i >= 2 && dims[i] != 1) || (i == 1 && dims[i] != sa->dims[1]) || (i == 0 && dims[i] != 1 && dims[i] != sa->dims[0]))
        return false;
    }
  const PareMd *wide = pare_md_with_type (self->mds, md, dnnl_f32); /* numbers of channels are not rounded */
  const PareMd *other = wide ? pare_md_new_like (self->mds, wide, dims) : NULL, *as = pare_md_new (self->mds, sa->rank, dims, NULL);
  dnnl_primitive_desc_t pd = other && as ? pare_pd_binary (self->engine, alg, md, other, md, post) : NULL;
  if (!pd)
    return false;
  uint32_t src = pare_accel_form (self, step, a, md);
  uint32_t src_b = sb->rank == sa->rank           ? pare_accel_form (self, step, b, other)
                   : pare_md_is_row_major (other) ? pare_accel_plain (self, step, b)
                                                  : pare_accel_weights (self, step, b, as, other, 1.0f);
  uint32_t dst = result_buffer (self, step, result.value, md, src);
  return pare_accel_add_primitive (
             self, step, pd, (PareArgSpec[]){ { DNNL_ARG_SRC_0, md, src }, { DNNL_ARG_SRC_1, other, src_b }, { DNNL_ARG_DST, md, dst } }, 3)
         && pare_accel_absorb (self, result.rounds);
}

bool
pare_accel_step_binary (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareBinaryParams *p = (const PareBinaryParams *)(self->plan->params + s->params);
  uint32_t a = s->in[0], b = s->in[1], y = s->out[0];
  ParePostOps post = { 0 };
  dnnl_alg_kind_t alg;
  if (!pare_accel_is_float (self, a) || !pare_accel_is_float (self, b) || !pare_accel_is_float (self, y))
    return false;
  const PareShape *sa = &self->plan->values[a].shape, *sb = &self->plan->values[b].shape;
  int64_t count_a = pare_shape_count (sa), count_b = pare_shape_count (sb);
  if ((count_a == 1) != (count_b == 1))
    return binary_scalar (self, step, a, b, y, p);
  if (!binary_algorithm (p->kind, &alg) || !pare_accel_activation (p->activation, p->lo, p->hi, 0, &post) || count_a < 1 || count_b < 1)
    return false;
  if (same_shape (sa, sb))
    return binary_same_shape (self, step, a, b, y, alg, &post);
  if (pare_accel_gated_point (self, step, count_a > count_b ? a : b, count_a > count_b ? b : a))
    return true;
  if (self->failed)
    return false;
  if (count_a >= count_b)
    return binary_per_channel (self, step, a, b, y, alg, &post);
  return p->kind != PARE_BIN_SUB && binary_per_channel (self, step, b, a, y, alg, &post);
}

bool
pare_accel_step_fake_quant (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareFakeQuantParams *p = (const PareFakeQuantParams *)(self->plan->params + s->params);
  uint32_t x = s->in[0], y = s->out[0], zero = s->n_in > 2 ? s->in[2] : PARE_RT_NONE;
  const float *scale = pare_accel_constant (self, s->in[1]);
  const int32_t *zeros = zero == PARE_RT_NONE ? NULL : pare_accel_constant (self, zero);
  if (!pare_accel_is_float (self, x) || !pare_accel_is_float (self, y) || !pare_accel_is_float (self, s->in[1]) || !scale
      || (zero != PARE_RT_NONE && !zeros) || pare_shape_count (&self->plan->values[s->in[1]].shape) != 1
      || (zeros && (self->plan->values[zero].dtype != PARE_DTYPE_INT32 || pare_shape_count (&self->plan->values[zero].shape) != 1)))
    return false;
  const PareMd *md = pare_accel_native (self, x);
  if (!md || !(*scale > 0))
    return false;
  uint32_t src = pare_accel_form (self, step, x, md);
  uint32_t dst = src == PARE_RT_NONE ? src : result_buffer (self, step, y, md, src);
  if (dst == PARE_RT_NONE)
    return false;
  const PareAccelNode node = { .kind = PARE_NODE_FAKE_QUANT,
                               .step = step,
                               .count = pare_md_bytes (md) / sizeof (float),
                               .scale = *scale,
                               .zero = zeros ? (float)*zeros : 0,
                               .lo = (float)p->lo,
                               .hi = (float)p->hi };
  return pare_accel_add_loop (self, &node, src, dst);
}

bool
pare_accel_step_softmax (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareSoftmaxParams *p = (const PareSoftmaxParams *)(self->plan->params + s->params);
  uint32_t x = s->in[0], y = s->out[0];
  const PareMd *md = pare_accel_plain_md (self, x);
  int axis = p->axis < 0 ? p->axis + self->plan->values[x].shape.rank : p->axis;
  if (!md || !pare_accel_is_float (self, y) || axis < 0 || axis >= pare_md_rank (md))
    return false;
  const PareShape *shape = &self->plan->values[x].shape;
  int64_t n = shape->dims[axis];
  if (axis == shape->rank - 1 && n < 16 && pare_shape_count (shape) >= 16 * n) /* it computes each of those rows in part of a vector */
    return false;
  dnnl_primitive_desc_t pd = pare_pd_softmax (self->engine, p->log, md, axis);
  if (!pd)
    return false;
  uint32_t src = pare_accel_plain (self, step, x);
  uint32_t dst = pare_accel_new_form (self, y, md);
  return pare_accel_add_primitive (self, step, pd, (PareArgSpec[]){ { DNNL_ARG_SRC, md, src }, { DNNL_ARG_DST, md, dst } }, 2);
}
