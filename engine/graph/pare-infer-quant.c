/* Shapes of quantized operators. */
#include "engine/graph/pare-graph-private.h"

static PareDtype
zero_dtype (PareInfer *c, guint zero)
{
  PareDtype dtype = pare_infer_dtype (c, zero);
  return dtype != PARE_DTYPE_NONE ? dtype : PARE_DTYPE_UINT8;
}

static gboolean
quantize (PareInfer *c)
{
  gint64 given = pare_node_get_int (c->node, "output_dtype", 0);
  PareDtype dtype = pare_node_input (c->graph, c->node, 2) ? zero_dtype (c, 2) : given ? (PareDtype)given : PARE_DTYPE_UINT8;
  return pare_infer_set (c, 0, dtype, pare_infer_shape (c, 0));
}

static gboolean
dequantize (PareInfer *c)
{
  PareDtype dtype = pare_infer_dtype (c, 1);
  return pare_infer_set (c, 0, dtype != PARE_DTYPE_NONE ? dtype : PARE_DTYPE_FLOAT32, pare_infer_shape (c, 0));
}

static gboolean
dynamic_quantize (PareInfer *c)
{
  PareShape scalar = { .rank = 0 };
  return pare_infer_set (c, 0, PARE_DTYPE_UINT8, pare_infer_shape (c, 0)) && pare_infer_set (c, 1, PARE_DTYPE_FLOAT32, &scalar)
         && pare_infer_set (c, 2, PARE_DTYPE_UINT8, &scalar);
}

static gboolean
qlinear_conv (PareInfer *c)
{
  return pare_infer_conv (c, pare_infer_shape (c, 0), pare_infer_shape (c, 3), zero_dtype (c, 7));
}

static gboolean
qlinear_matmul (PareInfer *c)
{
  return pare_infer_matmul (c, pare_infer_shape (c, 0), pare_infer_shape (c, 3), zero_dtype (c, 7));
}

static gboolean
conv_integer (PareInfer *c)
{
  return pare_infer_conv (c, pare_infer_shape (c, 0), pare_infer_shape (c, 1), PARE_DTYPE_INT32);
}

static gboolean
matmul_integer (PareInfer *c)
{
  return pare_infer_matmul (c, pare_infer_shape (c, 0), pare_infer_shape (c, 1), PARE_DTYPE_INT32);
}

static gboolean
block_gemm (PareInfer *c)
{
  PareShape y = *pare_infer_shape (c, 0);
  const PareShape *codes = pare_infer_shape (c, 1);
  if (y.rank < 1 || codes->rank != 3)
    return TRUE;
  y.dims[y.rank - 1] = codes->dims[0];
  return pare_infer_set (c, 0, PARE_DTYPE_FLOAT32, &y);
}

/* com.microsoft QLinearAdd, QLinearMul: a, sa, za, b, sb, zb, sy, zy. */
static gboolean
qlinear_binary (PareInfer *c)
{
  PareShape y;
  return pare_infer_broadcast (c, pare_infer_shape (c, 0), pare_infer_shape (c, 3), &y)
         && pare_infer_set (c, 0, pare_infer_dtype (c, 0), &y);
}

/* x, sx, zx, sy, zy */
static gboolean
qlinear_unary (PareInfer *c)
{
  return pare_infer_set (c, 0, pare_infer_dtype (c, 0), pare_infer_shape (c, 0));
}

static gboolean
qlinear_pool (PareInfer *c)
{
  PareShape y = *pare_infer_shape (c, 0);
  gboolean last = pare_node_get_int (c->node, "channels_last", 0) != 0;
  for (int i = last ? 1 : 2; i < y.rank - (last ? 1 : 0); i++)
    y.dims[i] = 1;
  return pare_infer_set (c, 0, pare_infer_dtype (c, 0), &y);
}

/* With channels last its shape is known where it runs: there it is taken apart (pare-channels-last.c). */
static gboolean
qlinear_average (PareInfer *c)
{
  if (pare_node_get_int (c->node, "channels_last", 0) != 0)
    return pare_infer_set (c, 0, pare_infer_dtype (c, 0), NULL);
  return pare_infer_pool (c);
}

/* sy, zy, then x, sx, zx of each input. */
static gboolean
qlinear_concat (PareInfer *c)
{
  PareShape y = { .rank = -1 };
  int axis = 0;
  for (guint i = 2; i < c->node->n_inputs; i += 3)
    {
      const PareShape *s = pare_infer_shape (c, i);
      if (s->rank < 0)
        return pare_infer_set (c, 0, zero_dtype (c, 1), NULL);
      if (i == 2)
        {
          y = *s;
          if (!pare_infer_axis (c, pare_node_get_int (c->node, "axis", 0), y.rank, &axis))
            return FALSE;
          continue;
        }
      if (s->rank != y.rank)
        return pare_infer_fail (c, "its inputs have %d and %d dimensions", y.rank, s->rank);
      if (y.dims[axis] < 0 || s->dims[axis] < 0)
        y.dims[axis] = -1;
      else if (__builtin_add_overflow (y.dims[axis], s->dims[axis], &y.dims[axis]))
        return pare_infer_fail (c, "its output is beyond any memory");
    }
  return pare_infer_set (c, 0, zero_dtype (c, 1), &y);
}

static gboolean
q_gemm (PareInfer *c)
{
  const PareShape *a = pare_infer_shape (c, 0), *b = pare_infer_shape (c, 3);
  PareShape y = { .rank = 2, .dims = { -1, -1 } };
  if (a->rank == 2 && b->rank == 2)
    {
      y.dims[0] = a->dims[pare_node_get_int (c->node, "transA", 0) != 0];
      y.dims[1] = b->dims[pare_node_get_int (c->node, "transB", 0) == 0];
    }
  return pare_infer_set (c, 0, pare_node_input (c->graph, c->node, 7) ? zero_dtype (c, 8) : PARE_DTYPE_FLOAT32, &y);
}

/* condition, x, sx, zx, y, sy, zy, sz, zz */
static gboolean
qlinear_where (PareInfer *c)
{
  PareShape z;
  return pare_infer_broadcast (c, pare_infer_shape (c, 1), pare_infer_shape (c, 4), &z)
         && pare_infer_broadcast (c, &z, pare_infer_shape (c, 0), &z) && pare_infer_set (c, 0, pare_infer_dtype (c, 1), &z);
}

#define MS "com.microsoft"
#define UNARY 0xb   /* x, sx, sy; zero points are 0 where they are omitted */
#define BINARY 0x5b /* a, sa, b, sb, sy */
const PareInferRule pare_infer_rules_quant[] = {
  { "", "QuantizeLinear", quantize, PARE_NEEDS (2) },
  { "", "DequantizeLinear", dequantize, PARE_NEEDS (2) },
  { MS, "QuantizeLinear", quantize, PARE_NEEDS (2) },
  { MS, "DequantizeLinear", dequantize, PARE_NEEDS (2) },
  { "", "DynamicQuantizeLinear", dynamic_quantize },
  { "", "QLinearConv", qlinear_conv, PARE_NEEDS (8) },
  { "", "QLinearMatMul", qlinear_matmul, PARE_NEEDS (8) },
  { "", "ConvInteger", conv_integer, PARE_NEEDS (2) },
  { "", "MatMulInteger", matmul_integer, PARE_NEEDS (2) },
  { "", PARE_OP_BLOCK_GEMM, block_gemm, PARE_NEEDS (3) },
  { MS, "QLinearAdd", qlinear_binary, BINARY },
  { MS, "QLinearMul", qlinear_binary, BINARY },
  { MS, "QLinearAveragePool", qlinear_average, UNARY },
  { MS, "QLinearGlobalAveragePool", qlinear_pool, UNARY },
  { MS, "QLinearSigmoid", qlinear_unary, UNARY },
  { MS, "QLinearLeakyRelu", qlinear_unary, UNARY },
  { MS, "QLinearSoftmax", qlinear_unary, UNARY },
  { MS, "QLinearWhere", qlinear_where, PARE_NEEDS (9) },
  { MS, "QLinearConcat", qlinear_concat, PARE_NEEDS (5) },
  { MS, "QGemm", q_gemm, PARE_NEEDS (6) },
  { NULL, NULL, NULL },
};
