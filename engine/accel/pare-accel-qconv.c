/* Products on codes through oneDNN, where its arithmetic is the definition's (kernels/qconv.c) bit for bit: sums exact in 32 bits, then
 * (sum + bias) * scale, zero point, bounds and one rounding, in this order. Elsewhere the portable kernel runs. */
#include "engine/accel/pare-accel-private.h"

#include <stdlib.h>
#include <string.h>

/* Without an instruction for it, products of bytes are added in pairs in 16 bits, which saturate. */
static bool
has_exact_products (void)
{
  int isa = (int)dnnl_get_effective_cpu_isa ();
  return (isa & dnnl_cpu_isa_avx512_core_vnni) == dnnl_cpu_isa_avx512_core_vnni || (isa & dnnl_cpu_isa_avx2_vnni) == dnnl_cpu_isa_avx2_vnni;
}

/* Weights of up to 8 bits as bytes; NULL for wider ones. Owned by the caller. */
static int8_t *
unpack (const PareAccel *self, uint32_t value, int64_t *count)
{
  const PareRtValue *v = &self->plan->values[value];
  const uint8_t *data = pare_accel_constant (self, value);
  *count = pare_shape_count (&v->shape);
  int8_t *codes = data && *count > 0 && v->dtype != PARE_DTYPE_INT16 ? malloc ((size_t)*count) : NULL;
  if (!codes)
    return NULL;
  for (int64_t i = 0; i < *count; i++)
    codes[i] = v->dtype == PARE_DTYPE_INT8   ? (int8_t)data[i]
               : v->dtype == PARE_DTYPE_INT4 ? (int8_t)((int8_t)(uint8_t)((data[i / 2] >> (i % 2 * 4)) << 4) >> 4)
                                             : (int8_t)((int8_t)(uint8_t)((data[i / 4] >> (i % 4 * 2)) << 6) >> 6);
  return codes;
}

/* What convolutions and matrix products on codes have in common. */
typedef struct
{
  uint32_t x, w, bias, y;
  int32_t zero_x, zero_y, lo, hi;
  PareActivation activation;
  float act_lo, act_hi, act_alpha;
  int8_t *codes;
  int64_t n_codes, rows, stride_row, stride_k; /* of the weights: rows of outputs, elements of a row */
  bool padded;                                 /* zero_x must stay a zero point: padding counts as it */
  bool late;                                   /* the activation follows on its own */
  ParePostOps post;
  uint32_t bias_buffer;
} Product;

static bool
check (PareAccel *self, uint32_t step, Product *q)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareRtValue *values = self->plan->values;
  q->x = s->in[0];
  q->w = s->in[1];
  q->bias = s->in[2];
  q->y = s->out[0];
  q->bias_buffer = PARE_RT_NONE;
  if (!pare_accel_is_codes (self, q->x) || (!pare_accel_is_codes (self, q->y) && !pare_accel_is_float (self, q->y)))
    return false;
  if ((s->n_in != 4 && s->n_in != 6) || !pare_accel_constant (self, q->w) || s->in[3] == PARE_RT_NONE
      || !pare_accel_constant (self, s->in[3]) || (q->bias != PARE_RT_NONE && !pare_accel_constant (self, q->bias)))
    return false;
  return values[q->w].dtype == PARE_DTYPE_INT8 || values[q->w].dtype == PARE_DTYPE_INT4 || values[q->w].dtype == PARE_DTYPE_INT2
         || values[q->w].dtype == PARE_DTYPE_INT16;
}

/* Scales, zero points and bounds as oneDNN does them. False: it would not compute the same. */
static bool
attributes (PareAccel *self, uint32_t step, Product *q)
{
  const PareRtStep *s = &self->plan->steps[step];
  bool is_signed = self->plan->values[q->x].dtype == PARE_DTYPE_INT8;
  if (!has_exact_products ())
    {
      /* Pairs of such weights do not saturate; signed codes would be moved by half of their weights there. */
      if (is_signed)
        return false;
      for (int64_t i = 0; i < q->n_codes; i++)
        if (q->codes[i] > 64 || q->codes[i] < -64)
          return false;
    }
  q->post = (ParePostOps){ .scales = pare_accel_constant (self, s->in[3]), .n_scales = (int)q->rows, .zero_src = q->zero_x };
  if (pare_accel_is_codes (self, q->y))
    {
      bool y_signed = self->plan->values[q->y].dtype == PARE_DTYPE_INT8;
      if (q->lo > (y_signed ? -128 : 0) || q->hi < (y_signed ? 127 : 255))
        q->post.ops[q->post.n++] = (ParePostOp){
          .kind = PARE_POST_ELTWISE, .alg = dnnl_eltwise_clip, .alpha = (float)(q->lo - q->zero_y), .beta = (float)(q->hi - q->zero_y)
        };
      if (q->zero_y) /* added to what is rounded already */
        {
          q->post.ops[q->post.n++] = (ParePostOp){ .kind = PARE_POST_ELTWISE, .alg = dnnl_eltwise_round };
          q->post.ops[q->post.n++]
              = (ParePostOp){ .kind = PARE_POST_ELTWISE, .alg = dnnl_eltwise_linear, .alpha = 1, .beta = (float)q->zero_y };
        }
      return true;
    }
  if (q->activation == PARE_ACT_NONE
      || ((q->activation == PARE_ACT_CLIP || q->activation == PARE_ACT_LEAKY)
          && pare_accel_activation (q->activation, q->act_lo, q->act_hi, q->act_alpha, &q->post)))
    return true;
  q->late = true; /* oneDNN's functions are approximations of another kind */
  return true;
}

/* The bias, with what the zero point of the operand comes to where that gives the same float: all sums below 2^24. */
static bool
fold (PareAccel *self, Product *q, const PareMd **md)
{
  const int64_t exact = 1 << 24, most = 255;
  const int32_t *bias = q->bias == PARE_RT_NONE ? NULL : pare_accel_constant (self, q->bias);
  int64_t k = q->n_codes / q->rows;
  bool may = q->zero_x && !q->padded;
  int32_t *folded = malloc ((size_t)q->rows * sizeof *folded);
  if (!folded)
    return false;
  for (int64_t r = 0; r < q->rows; r++)
    {
      int64_t sum = 0, size = 0, b = bias ? bias[r] : 0;
      for (int64_t i = 0; i < k && q->zero_x; i++)
        {
          int8_t w = q->codes[r * q->stride_row + i * q->stride_k];
          sum += w;
          size += w < 0 ? -w : w;
        }
      int64_t moved = b - sum * q->zero_x;
      may = may && size * most <= exact && llabs (b) <= exact && llabs (moved) <= exact;
      folded[r] = (int32_t)moved;
    }
  if (may)
    q->post.zero_src = 0;
  else if (bias)
    memcpy (folded, bias, (size_t)q->rows * sizeof *folded);
  *md = NULL;
  if (may || bias)
    {
      *md = pare_md_new_typed (self->mds, dnnl_s32, 1, &q->rows, NULL);
      q->bias_buffer = pare_accel_fixed (self, folded, (uint64_t)q->rows * sizeof *folded);
    }
  free (folded);
  return !self->failed && (!(may || bias) || *md);
}

static bool
emit (PareAccel *self, uint32_t step, Product *q, dnnl_primitive_desc_t pd, const PareMd *src, uint32_t src_buffer,
      const PareMd *weights_as, const PareMd *bias, const PareMd *dst, uint32_t dst_buffer)
{
  const PareMd *weights = pare_pd_md (self->mds, pd, PARE_PD_WEIGHTS);
  PareArgSpec args[4];
  uint32_t n = 0;
  args[n++] = (PareArgSpec){ DNNL_ARG_SRC, src, src_buffer };
  args[n++] = (PareArgSpec){ DNNL_ARG_WEIGHTS, weights, weights ? pare_accel_packed (self, q->codes, weights_as, weights) : PARE_RT_NONE };
  if (bias)
    args[n++] = (PareArgSpec){ DNNL_ARG_BIAS, bias, q->bias_buffer };
  args[n++] = (PareArgSpec){ DNNL_ARG_DST, dst, dst_buffer };
  if (!pare_accel_add_primitive (self, step, pd, args, n) || !q->late)
    return !self->failed;
  const PareActivateFloats params = { q->activation, q->act_lo, q->act_hi, q->act_alpha, pare_md_bytes (dst) / sizeof (float) };
  return pare_accel_add_work (self, step, pare_accel_loop_activate (), &params, sizeof params, params.n, &dst_buffer, 1);
}

static bool
convolve (PareAccel *self, uint32_t step, Product *q, const PareQConvParams *p, const PareConvShape *shape)
{
  const PareShape *x = &self->plan->values[q->x].shape, *y = &self->plan->values[q->y].shape;
  for (int i = 0; i < p->conv.spatial; i++)
    q->padded |= shape->pad_begin[i] > 0 || shape->pad_end[i] > 0;
  q->rows = y->dims[1];
  q->stride_row = q->n_codes / q->rows;
  q->stride_k = 1;
  const PareMd *src = pare_md_new_channels_last (self->mds, pare_accel_type (self, q->x), x->rank, x->dims),
               *dst = pare_md_new_channels_last (self->mds, pare_accel_type (self, q->y), y->rank, y->dims),
               *weights = pare_md_new_any (self->mds, dnnl_s8, shape->weights_rank, shape->weights_dims),
               *as = pare_md_new_typed (self->mds, dnnl_s8, shape->weights_rank, shape->weights_dims, shape->weights_strides), *bias;
  if (!src || !dst || !weights || !as || !attributes (self, step, q) || !fold (self, q, &bias))
    return false;
  dnnl_primitive_desc_t pd = pare_pd_conv (self->engine, false, src, weights, bias, dst, shape->stride, shape->dilation, shape->pad_begin,
                                           shape->pad_end, &q->post);
  return pd && emit (self, step, q, pd, src, pare_accel_form (self, step, q->x, src), as, bias, dst, pare_accel_new_form (self, q->y, dst));
}

bool
pare_accel_step_qconv (PareAccel *self, uint32_t step)
{
  const PareQConvParams *p = (const PareQConvParams *)(self->plan->params + self->plan->steps[step].params);
  Product q = { .zero_x = p->zero_x,
                .zero_y = p->zero_y,
                .lo = p->lo,
                .hi = p->hi,
                .activation = p->conv.activation,
                .act_lo = p->conv.lo,
                .act_hi = p->conv.hi,
                .act_alpha = p->conv.alpha };
  const PareRtValue *values = self->plan->values;
  PareConvShape shape;
  if (!check (self, step, &q)
      || !pare_accel_conv_shape (&p->conv, false, &values[q.x].shape, &values[q.w].shape, &values[q.y].shape, &shape))
    return false;
  if (pare_accel_depthwise_codes (self, step, p, &shape) || (!self->failed && pare_accel_conv_tiles (self, step, p, &shape)))
    return true;
  if (self->failed || self->plan->steps[step].n_in != 4 || !(q.codes = unpack (self, q.w, &q.n_codes)))
    return false;
  bool fine = convolve (self, step, &q, p, &shape);
  free (q.codes);
  return fine;
}

static bool
multiply (PareAccel *self, uint32_t step, Product *q, const PareQGemmParams *p)
{
  const PareShape *a = &self->plan->values[q->x].shape, *b = &self->plan->values[q->w].shape;
  int64_t k = a->dims[a->rank - 1], m = k > 0 ? pare_shape_count (a) / k : 0, n = b->dims[p->gemm.trans_b ? 0 : 1];
  q->rows = n;
  q->stride_row = p->gemm.trans_b ? k : 1;
  q->stride_k = p->gemm.trans_b ? 1 : n;
  const int64_t src_dims[2] = { m, k }, dst_dims[2] = { m, n }, weights_dims[2] = { n, k },
                weights_strides[2] = { q->stride_row, q->stride_k };
  const PareMd *src = pare_md_new_typed (self->mds, pare_accel_type (self, q->x), 2, src_dims, NULL),
               *dst = pare_md_new_typed (self->mds, pare_accel_type (self, q->y), 2, dst_dims, NULL),
               *weights = pare_md_new_any (self->mds, dnnl_s8, 2, weights_dims),
               *as = pare_md_new_typed (self->mds, dnnl_s8, 2, weights_dims, weights_strides), *bias;
  if (!src || !dst || !weights || !as || !attributes (self, step, q) || !fold (self, q, &bias) || q->post.zero_src)
    return false;
  dnnl_primitive_desc_t pd = pare_pd_inner_product (self->engine, src, weights, bias, dst, &q->post);
  return pd
         && emit (self, step, q, pd, src, pare_accel_plain (self, step, q->x), as, bias, dst,
                  pare_accel_new_form (self, q->y, pare_accel_plain_md (self, q->y)));
}

bool
pare_accel_step_qgemm (PareAccel *self, uint32_t step)
{
  const PareQGemmParams *p = (const PareQGemmParams *)(self->plan->params + self->plan->steps[step].params);
  Product q = { .zero_x = p->zero_x,
                .zero_y = p->zero_y,
                .lo = p->lo,
                .hi = p->hi,
                .activation = p->gemm.activation,
                .act_lo = p->gemm.lo,
                .act_hi = p->gemm.hi,
                .act_alpha = p->gemm.act_alpha };
  if (!check (self, step, &q) || p->gemm.trans_a)
    return false;
  if (self->plan->values[q.w].dtype == PARE_DTYPE_INT16) /* which oneDNN has no products of */
    return pare_accel_gemm_tiles (self, step, p);
  if (!(q.codes = unpack (self, q.w, &q.n_codes)))
    return false;
  bool fine = multiply (self, step, &q, p);
  free (q.codes);
  return fine;
}
