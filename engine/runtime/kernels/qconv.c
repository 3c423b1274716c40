/* QConv: convolution on codes, see PareQConvParams: checked here, then handed to the way that suits its shape. */
#include "engine/runtime/kernels/qconv.h"

#define FILTERS 8 /* over one channel, from which on a product is faster: measured, 3 x 3 and 5 x 5, with VNNI */

typedef enum
{
  LOOP,
  VECTOR, /* one position: QGemm on the rows as they lie */
  GEMM,
  MATRIX, /* the same on a matrix unit */
  DEPTHWISE
} Way;

static PareRtStatus
read_operands (PareQConv *c, const PareQConvParams *p, const PareView *in, uint32_t n_in, const PareView *out, uint32_t n_out)
{
  ConvGeometry *g = &c->g;
  REQUIRE (p && (n_in == 4 || n_in == 6) && n_out == 1);
  SUPPORT (is_codes (&in[0]) && is_weight_codes (&in[1]) && (is_codes (&out[0]) || is_f32 (&out[0])));
  REQUIRE (pare_rt_conv_geometry (&p->conv, &in[0], &in[1], &out[0], g));
  REQUIRE (in[1].shape.dims[0] == g->m && in[1].shape.dims[1] == g->c / g->group);
  REQUIRE (!given (in, n_in, 2) || (in[2].dtype == PARE_DTYPE_INT32 && count_of (&in[2]) == g->m));
  REQUIRE (is_f32 (&in[3]) && count_of (&in[3]) == g->m);
  for (int i = 0; i < 3; i++)
    REQUIRE (g->pad[i] >= 0 && g->pad_end[i] >= 0
             && g->out[i] == (g->in[i] + g->pad[i] + g->pad_end[i] - g->dil[i] * (g->k[i] - 1) - 1) / g->stride[i] + 1);
  REQUIRE (fits_codes (&in[0], p->zero_x, p->zero_x));
  REQUIRE (is_f32 (&out[0]) || (fits_codes (&out[0], p->lo, p->hi) && fits_codes (&out[0], p->zero_y, p->zero_y)));
  *c = (PareQConv){ .p = p, .g = *g, .n_in = n_in };
  c->x = &in[0];
  c->w = &in[1];
  c->y = &out[0];
  c->bias = given (in, n_in, 2) ? in[2].data : NULL;
  c->scale = in[3].data;
  c->least = -INFINITY;
  c->most = INFINITY;
  REQUIRE (n_in == 6 || !p->rounds);
  if (n_in == 4)
    return PARE_RT_OK;
  for (int i = 4; i < 6; i++)
    REQUIRE (is_f32 (&in[i]) && count_of (&in[i]) == g->m);
  SUPPORT (is_codes (&out[0]) && (p->conv.activation == PARE_ACT_NONE || p->conv.activation == PARE_ACT_CLIP));
  c->factor = in[4].data;
  c->offset = in[5].data;
  if (p->conv.activation == PARE_ACT_CLIP)
    {
      c->least = p->conv.lo;
      c->most = p->conv.hi;
    }
  REQUIRE (!p->rounds || (c->least >= -255 && c->least <= c->most && c->most <= 255));
  c->rounding = p->rounds ? PARE_ROUNDING : 0;
  return PARE_RT_OK;
}

/* The operands of a QGemm that is the same. */
typedef struct
{
  PareQGemmParams p;
  PareView in[4], out;
} Product;

static PareView
matrix (const PareView *v, int64_t rows, int64_t columns)
{
  PareView m = *v;
  m.shape = (PareShape){ 2, { rows, columns } };
  return m;
}

static Product
product_of (const PareQConv *c, const PareView *in)
{
  const ConvGeometry *g = &c->g;
  const PareQConvParams *p = c->p;
  int64_t k = g->c * g->k[0] * g->k[1] * g->k[2];
  PareGemmParams gemm = {
    .trans_b = 1, .alpha = 1, .beta = 1, .activation = p->conv.activation, .lo = p->conv.lo, .hi = p->conv.hi, .act_alpha = p->conv.alpha
  };
  return (Product){ { gemm, p->zero_x, p->zero_y, p->lo, p->hi },
                    { matrix (&in[0], g->n, k), matrix (&in[1], g->m, k), in[2], in[3] },
                    matrix (c->y, g->n, g->m) };
}

static bool
is_product (const ConvGeometry *g)
{
  bool whole = g->group == 1;
  for (int i = 0; i < 3; i++)
    whole = whole && g->in[i] == g->k[i] && g->out[i] == 1 && g->pad[i] == 0 && (g->k[i] == 1 || g->dil[i] == 1);
  return whole;
}

/* The way, and the scratch of one worker for it. */
static Way
way_of (const PareQConv *c, int workers, uint64_t *scratch)
{
  const ConvGeometry *g = &c->g;
  *scratch = 0;
  if (is_product (g) && c->n_in == 4)
    return VECTOR;
  bool plane = g->in[0] == 1 && g->k[0] == 1 && g->out[0] == 1 && !g->pad[0]; /* none beside it that padding makes */
  if (!plane || count_of (c->y) <= 0 || count_of (c->w) <= 0)
    return LOOP;
  /* Several filters over the same channel are a product: its windows are unfolded once for all of them. */
  if (g->c == g->group && g->m < FILTERS * g->group && (*scratch = pare_rt_qconv_depthwise_scratch (c)) > 0)
    return DEPTHWISE;
  if ((*scratch = pare_rt_qconv_matrix_scratch (c, workers)) > 0)
    return MATRIX;
  *scratch = pare_rt_qconv_gemm_scratch (c, workers);
  return *scratch > 0 ? GEMM : LOOP;
}

KERNEL (pare_rt_k_qconv)
{
  PareQConv c;
  Product product;
  uint64_t need;
  PareRtStatus status = read_operands (&c, params, in, n_in, out, n_out);
  if (status != PARE_RT_OK)
    return status;
  CHECKED;
  switch (way_of (&c, pare_rt_workers (), &need))
    {
    case VECTOR:
      product = product_of (&c, in);
      return pare_rt_k_qgemm (&product.p, product.in, 4, &product.out, 1, scratch);
    case DEPTHWISE:
      pare_rt_qconv_depthwise (&c, scratch);
      break;
    case MATRIX:
      pare_rt_qconv_matrix (&c, scratch);
      break;
    case GEMM:
      pare_rt_qconv_gemm (&c, scratch);
      break;
    default:
      if (count_of (&out[0]) > 0)
        pare_rt_qconv_loop (&c);
      break;
    }
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_qconv)
{
  PareQConv c;
  uint64_t need;
  if (read_operands (&c, params, in, n_in, out, n_out) != PARE_RT_OK)
    return 0;
  if (way_of (&c, pare_rt_workers (), &need) == VECTOR)
    {
      Product product = product_of (&c, in);
      return pare_rt_s_qgemm (&product.p, product.in, 4, &product.out, 1);
    }
  return need * (uint64_t)pare_rt_workers ();
}

PACK (pare_rt_p_qconv)
{
  PareQConv c;
  uint64_t need;
  Way way;
  if (read_operands (&c, params, in, n_in, out, n_out) != PARE_RT_OK || (way = way_of (&c, 1, &need)) == LOOP)
    return 0;
  if (way == VECTOR)
    {
      Product product = product_of (&c, in);
      return pare_rt_p_qgemm (&product.p, product.in, 4, &product.out, 1, packed);
    }
  if (way == DEPTHWISE)
    return pare_rt_qconv_depthwise_pack (&c, packed);
  if (way == MATRIX)
    return pare_rt_qconv_matrix_pack (&c, packed);
  PareIntWeights w = pare_rt_qconv_weights_to_pack (&c);
  if (packed)
    pare_rt_int_pack (&w, packed);
  return pare_rt_int_packed_bytes (&w);
}
