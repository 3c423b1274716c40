#include "engine/accel/pare-accel-bfloats.h"
#include "engine/accel/pare-accel-private.h"

#include <string.h>

/* The operand as a bias of n elements: a vector, a row, or one number where n is 1. */
static bool
is_row (const PareShape *shape, int64_t n)
{
  return pare_shape_count (shape) == n && (shape->rank == 0 || shape->dims[shape->rank - 1] == n);
}

/* A flattened value whose source is there in a blocked layout: its shape [N, C, spatial], so that the inner product reads it as it is. */
static uint32_t
unflattened (PareAccel *self, uint32_t value, int64_t rows, int64_t columns)
{
  uint32_t source = value;
  while (self->plan->values[source].kind == PARE_RT_ALIAS)
    source = self->plan->values[source].alias_of;
  const PareShape *shape = &self->plan->values[source].shape;
  const PareMd *native = pare_accel_is_float (self, source) ? pare_accel_native_any (self, source) : NULL;
  if (source == value || !native || shape->rank < 3 || shape->rank > 5 || shape->dims[0] != rows
      || pare_shape_count (shape) != rows * columns || pare_md_is_row_major (native))
    return PARE_RT_NONE;
  return source;
}

/* Where a residual is added: over the memory it lies in where nobody reads that again, else as another operand, else over a copy. Puts the
 * operation at the head of post. dst: the buffer that the product writes; PARE_RT_NONE: one of its own. Returns the operand or
 * PARE_RT_NONE. */
static uint32_t
place_residual (PareAccel *self, uint32_t step, uint32_t residual, const PareMd *form, const PareMd *matrix, uint32_t x_buffer,
                ParePostOps *post, uint32_t *dst)
{
  if (pare_md_type (matrix) != dnnl_f32) /* the sum is rounded, not the residual */
    {
      const PareMd *wide = pare_md_with_type (self->mds, matrix, dnnl_f32);
      post->ops[0] = (ParePostOp){ .kind = PARE_POST_BINARY, .alg = dnnl_binary_add, .md = wide };
      *dst = PARE_RT_NONE;
      return wide ? pare_accel_plain (self, step, residual) : PARE_RT_NONE;
    }
  uint32_t there = pare_accel_native_any (self, residual) == form ? pare_accel_form (self, step, residual, form) : PARE_RT_NONE;
  *dst = there;
  post->ops[0] = (ParePostOp){ .kind = PARE_POST_SUM };
  if (there != PARE_RT_NONE && pare_accel_may_overwrite (self, step, there)
      && pare_accel_buffer_root (self, there) != pare_accel_buffer_root (self, x_buffer))
    return PARE_RT_NONE;
  if (there == PARE_RT_NONE)
    {
      *dst = pare_accel_form_copy (self, step, residual, form);
      return PARE_RT_NONE;
    }
  post->ops[0] = (ParePostOp){ .kind = PARE_POST_BINARY, .alg = dnnl_binary_add, .md = matrix };
  *dst = PARE_RT_NONE;
  return there;
}

/* y [rows, n] = act (x [rows, k] w + b + residual), w with these strides. post: room for the residual at its head. */
static bool
inner_product (PareAccel *self, uint32_t step, uint32_t x, uint32_t w, uint32_t b, uint32_t residual, uint32_t y, int64_t rows, int64_t k,
               int64_t n, int64_t stride_n, int64_t stride_k, float alpha, float beta, bool bf16, ParePostOps *post)
{
  uint32_t dst_buffer = PARE_RT_NONE, operand = PARE_RT_NONE;
  PareAccelResult target = bf16 ? pare_accel_result (self, y) : (PareAccelResult){ y, PARE_RT_NONE, dnnl_f32 };
  dnnl_data_type_t type = bf16 ? dnnl_bf16 : dnnl_f32, result = target.type;
  const int64_t src_dims[2] = { rows, k }, dst_dims[2] = { rows, n }, weights_dims[2] = { n, k },
                weights_strides[2] = { stride_n, stride_k };
  const PareMd *src = pare_md_new_typed (self->mds, type, 2, src_dims, NULL),
               *dst = pare_md_new_typed (self->mds, result, 2, dst_dims, NULL);
  const PareMd *weights = pare_md_new_any (self->mds, type, 2, weights_dims),
               *as = pare_md_new (self->mds, 2, weights_dims, weights_strides);
  const PareMd *bias = b == PARE_RT_NONE ? NULL : pare_md_new (self->mds, 1, &n, NULL);
  dnnl_primitive_desc_t pd = NULL;
  const PareMd *plain = pare_accel_plain_md (self, y), *dst_form = plain ? pare_md_with_type (self->mds, plain, result) : NULL;
  if (!dst_form)
    return false;
  if (residual != PARE_RT_NONE)
    {
      uint32_t x_buffer = bf16 ? pare_accel_plain_bf16 (self, step, x) : pare_accel_plain (self, step, x);
      if (x_buffer == PARE_RT_NONE)
        return false;
      operand = place_residual (self, step, residual, dst_form, dst, x_buffer, post, &dst_buffer);
    }
  uint32_t source = unflattened (self, x, rows, k);
  if (source != PARE_RT_NONE && pare_md_type (pare_accel_native_any (self, source)) == type)
    {
      const PareShape *shape = &self->plan->values[source].shape;
      int64_t dims[5], strides[5], step_k = stride_k;
      dims[0] = n;
      strides[0] = stride_n;
      for (int i = shape->rank - 1; i > 0; i--)
        {
          dims[i] = shape->dims[i];
          strides[i] = step_k;
          step_k *= shape->dims[i];
        }
      const PareMd *any = pare_md_new_any (self->mds, type, shape->rank, dims),
                   *spatial = pare_md_new (self->mds, shape->rank, dims, strides);
      pd = any && spatial ? pare_pd_inner_product (self->engine, pare_accel_native_any (self, source), any, bias, dst, post) : NULL;
      if (pd)
        {
          src = pare_accel_native_any (self, source);
          as = spatial;
          x = source;
        }
    }
  if (!pd)
    {
      source = PARE_RT_NONE;
      pd = src && dst && weights && as ? pare_pd_inner_product (self->engine, src, weights, bias, dst, post) : NULL;
    }
  if (!pd && operand != PARE_RT_NONE && result == dnnl_f32) /* it does not take another operand */
    {
      post->ops[0] = (ParePostOp){ .kind = PARE_POST_SUM };
      pd = src && weights && as ? pare_pd_inner_product (self->engine, src, weights, bias, dst, post) : NULL;
      dst_buffer = pd ? pare_accel_form_copy (self, step, residual, dst_form) : PARE_RT_NONE;
      operand = PARE_RT_NONE;
    }
  if (!pd)
    return false;
  y = target.value;
  const PareMd *weights_md = pare_pd_md (self->mds, pd, PARE_PD_WEIGHTS);
  PareArgSpec args[5];
  uint32_t n_args = 0;
  args[n_args++] = (PareArgSpec){ DNNL_ARG_SRC, src,
                                  source != PARE_RT_NONE ? pare_accel_form (self, step, x, src)
                                  : bf16                 ? pare_accel_plain_bf16 (self, step, x)
                                                         : pare_accel_plain (self, step, x) };
  args[n_args++] = (PareArgSpec){ DNNL_ARG_WEIGHTS, weights_md, pare_accel_weights (self, step, w, as, weights_md, alpha) };
  if (bias)
    args[n_args++] = (PareArgSpec){ DNNL_ARG_BIAS, bias, pare_accel_bias (self, step, b, beta) };
  if (dst_buffer != PARE_RT_NONE)
    pare_accel_set_form (self, y, dst_form, dst_buffer);
  else
    dst_buffer = pare_accel_new_form (self, y, dst_form);
  args[n_args++] = (PareArgSpec){ DNNL_ARG_DST, dst, dst_buffer };
  if (operand != PARE_RT_NONE)
    args[n_args++] = (PareArgSpec){ DNNL_ARG_ATTR_MULTIPLE_POST_OP (0) | DNNL_ARG_SRC_1, post->ops[0].md, operand };
  if (!pare_accel_add_primitive (self, step, pd, args, n_args))
    return false;
  self->n_bf16 += bf16;
  return pare_accel_absorb (self, target.rounds);
}

bool
pare_accel_step_gemm (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareGemmParams *p = (const PareGemmParams *)(self->plan->params + s->params);
  uint32_t a = s->in[0], b = s->in[1], c = s->n_in > 2 ? s->in[2] : PARE_RT_NONE, residual = s->n_in > 3 ? s->in[3] : PARE_RT_NONE,
           y = s->out[0];
  ParePostOps post = { .n = residual != PARE_RT_NONE };
  if (!pare_accel_is_float (self, a) || !pare_accel_is_float (self, b) || !pare_accel_is_float (self, y)
      || (residual != PARE_RT_NONE && !pare_accel_is_float (self, residual))
      || !pare_accel_activation (p->activation, p->lo, p->hi, p->act_alpha, &post))
    return false;
  const PareShape *sa = &self->plan->values[a].shape, *sb = &self->plan->values[b].shape;
  if (sa->rank < 2 || sb->rank != 2 || pare_shape_count (sa) < 1)
    return false;
  int64_t k = sa->dims[p->trans_a ? 0 : sa->rank - 1], m = pare_shape_count (sa) / k, n = sb->dims[p->trans_b ? 0 : 1];
  if (n < 1 || (p->trans_a && m > 1 && k > 1))
    return false;
  if (p->beta == 0)
    c = PARE_RT_NONE;
  if (c != PARE_RT_NONE
      && (!pare_accel_is_float (self, c) || !is_row (&self->plan->values[c].shape, n) || (p->beta != 1 && !pare_accel_constant (self, c))))
    return false;
  if (!pare_accel_constant (self, b))
    return false; /* repacking in each run costs more than the product */
  int64_t stride_n = p->trans_b ? k : 1, stride_k = p->trans_b ? 1 : n;
  const PareAccelRows rows = { .x = a,
                               .w = b,
                               .b = c,
                               .residual = residual,
                               .y = y,
                               .rows = m,
                               .k = k,
                               .n = n,
                               .stride_n = stride_n,
                               .stride_k = stride_k,
                               .alpha = p->alpha,
                               .beta = p->beta,
                               .activation = p->activation,
                               .lo = p->lo,
                               .hi = p->hi,
                               .act_alpha = p->act_alpha };
  bool bf16 = p->alpha == 1 && pare_accel_is_bf16 (self, step), own = m == 1 || unflattened (self, a, m, k) == PARE_RT_NONE;
  if (bf16 && own && pare_accel_rows_bf16 (self, step, &rows))
    {
      self->n_bf16++;
      return true;
    }
  return (!self->failed && bf16
          && inner_product (self, step, a, b, c, residual, y, m, k, n, stride_n, stride_k, 1.0f, p->beta, true, &post))
         || (!self->failed && unflattened (self, a, m, k) == PARE_RT_NONE && pare_accel_rows (self, step, &rows))
         || (!self->failed
             && inner_product (self, step, a, b, c, residual, y, m, k, n, stride_n, stride_k, p->alpha, p->beta, false, &post));
}

bool
pare_accel_step_matmul (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  uint32_t a = s->in[0], b = s->in[1], y = s->out[0];
  ParePostOps post = { 0 };
  if (s->n_in > 2 || !pare_accel_is_float (self, a) || !pare_accel_is_float (self, b) || !pare_accel_is_float (self, y))
    return false;
  const PareShape *sa = &self->plan->values[a].shape, *sb = &self->plan->values[b].shape, *sy = &self->plan->values[y].shape;
  if (sa->rank < 2 || sb->rank < 2 || sy->rank < 2)
    return false;
  int64_t m = sa->dims[sa->rank - 2], k = sa->dims[sa->rank - 1], n = sb->dims[sb->rank - 1];
  if (m < 1 || k < 1 || n < 1 || pare_shape_count (sa) < 1)
    return false;
  if (sb->rank == 2 && pare_accel_constant (self, b))
    {
      int64_t rows = pare_shape_count (sa) / k;
      const PareAccelRows r = { .x = a,
                                .w = b,
                                .b = PARE_RT_NONE,
                                .residual = PARE_RT_NONE,
                                .y = y,
                                .rows = rows,
                                .k = k,
                                .n = n,
                                .stride_n = 1,
                                .stride_k = n,
                                .alpha = 1,
                                .beta = 1 };
      bool bf16 = pare_accel_is_bf16 (self, step);
      if (bf16 && pare_accel_rows_bf16 (self, step, &r))
        {
          self->n_bf16++;
          return true;
        }
      return (!self->failed && bf16
              && inner_product (self, step, a, b, PARE_RT_NONE, PARE_RT_NONE, y, rows, k, n, 1, n, 1.0f, 1.0f, true, &post))
             || (!self->failed && pare_accel_rows (self, step, &r))
             || (!self->failed
                 && inner_product (self, step, a, b, PARE_RT_NONE, PARE_RT_NONE, y, rows, k, n, 1, n, 1.0f, 1.0f, false, &post));
    }
  int64_t da[PARE_MAX_RANK], db[PARE_MAX_RANK];
  for (int i = 0; i < sy->rank; i++)
    {
      int ia = i - (sy->rank - sa->rank), ib = i - (sy->rank - sb->rank);
      da[i] = ia < 0 ? 1 : sa->dims[ia];
      db[i] = ib < 0 ? 1 : sb->dims[ib];
    }
  const PareMd *src = pare_md_new (self->mds, sy->rank, da, NULL), *weights = pare_md_new (self->mds, sy->rank, db, NULL),
               *dst = pare_accel_plain_md (self, y);
  dnnl_primitive_desc_t pd = src && weights && dst ? pare_pd_matmul (self->engine, src, weights, NULL, dst, &post) : NULL;
  if (!pd)
    return false;
  const PareArgSpec args[3] = { { DNNL_ARG_SRC, src, pare_accel_plain (self, step, a) },
                                { DNNL_ARG_WEIGHTS, weights, pare_accel_plain (self, step, b) },
                                { DNNL_ARG_DST, dst, pare_accel_new_form (self, y, dst) } };
  return pare_accel_add_primitive (self, step, pd, args, 3);
}
