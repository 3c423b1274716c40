/* Operators of com.microsoft, as optimised exports hold them, and young ones of ONNX, written out. */
#include "engine/graph/pare-writer.h"

static const PareDtype f32 = PARE_DTYPE_FLOAT32;

/* --- products with an activation behind them --- */

static gboolean
knows_activation (const char *name)
{
  static const char *const names[]
      = { "", "Relu", "Tanh", "Sigmoid", "HardSwish", "Softplus", "Softsign", "LeakyRelu", "Elu", "HardSigmoid", "Clip", NULL };
  return name == NULL || g_strv_contains (names, name);
}

/* One of those, with its parameters. */
static void
activate (PareWriter *w, const char *name, float a, float b, PareValueId x, PareValueId out)
{
  PareValueId in[3] = { x, PARE_NONE, PARE_NONE };
  gboolean clip = g_strcmp0 (name, "Clip") == 0, one = g_strcmp0 (name, "LeakyRelu") == 0 || g_strcmp0 (name, "Elu") == 0;
  if (clip)
    {
      in[1] = pare_write_number (w, a);
      in[2] = pare_write_number (w, b);
    }
  PareNode *node = pare_write_to (w, name == NULL || name[0] == '\0' ? "Identity" : name, out, in, clip ? 3 : 1);
  if (one || g_strcmp0 (name, "HardSigmoid") == 0)
    pare_node_set_float (node, "alpha", a);
  if (g_strcmp0 (name, "HardSigmoid") == 0)
    pare_node_set_float (node, "beta", b);
}

/* act (Conv (x, w, b) + z) */
static gboolean
fused_conv (PareWriter *w, const PareNode *node)
{
  g_autofree char *name = pare_node_dup_string (node, "activation");
  const PareAttr *params = pare_node_get_attr (node, "activation_params");
  guint n = params != NULL && params->kind == PARE_ATTR_FLOATS ? params->n : 0;
  if (w->in[1] == PARE_NONE || !knows_activation (name))
    return FALSE;
  PareValueId y = pare_graph_add_value (w->graph, "Conv", f32, NULL, PARE_NONE);
  PareNode *conv = pare_write_to (w, "Conv", y, w->in, w->in[2] != PARE_NONE ? 3 : 2);
  pare_node_add_attrs (conv, node, "activation");
  pare_node_unset (conv, "activation_params");
  if (w->in[3] != PARE_NONE)
    y = pare_write (w, "Add", f32, y, w->in[3]);
  activate (w, name, n > 0 ? params->floats[0] : 0.01f, n > 1 ? params->floats[1] : 0, y, w->out[0]);
  return TRUE;
}

static gboolean
fused_gemm (PareWriter *w, const PareNode *node)
{
  static const char *const own[] = { "activation", "activation_alpha", "activation_beta", "activation_gamma" };
  g_autofree char *name = pare_node_dup_string (node, "activation");
  if (w->in[1] == PARE_NONE || !knows_activation (name))
    return FALSE;
  PareValueId y = pare_graph_add_value (w->graph, "Gemm", f32, NULL, PARE_NONE);
  PareNode *gemm = pare_write_to (w, "Gemm", y, w->in, w->in[2] != PARE_NONE ? 3 : 2);
  pare_node_add_attrs (gemm, node, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (own); i++)
    pare_node_unset (gemm, own[i]);
  activate (w, name, pare_node_get_float (node, "activation_alpha", 0.01f), pare_node_get_float (node, "activation_beta", 0), y, w->out[0]);
  return TRUE;
}

/* alpha a b, matrices of which may be transposed, as may their batch: its axes then stand between those of the matrix. */
static gboolean
fused_matmul (PareWriter *w, const PareNode *node)
{
  static const char *const names[2][2] = { { "transA", "transBatchA" }, { "transB", "transBatchB" } };
  float alpha = pare_node_get_float (node, "alpha", 1);
  PareValueId in[2];
  if (!pare_writer_is_float (w, w->in[0]) || w->in[1] == PARE_NONE || !pare_writer_is_float (w, w->in[1]))
    return FALSE;
  for (guint i = 0; i < 2; i++)
    {
      int rank = pare_writer_shape (w, w->in[i])->rank;
      gboolean matrix = pare_node_get_int (node, names[i][0], 0) != 0 && rank >= 2,
               batch = pare_node_get_int (node, names[i][1], 0) != 0 && rank >= 3;
      gint64 perm[PARE_MAX_RANK];
      for (int a = 0; a < rank; a++)
        perm[a] = batch && a < rank - 2 ? a + 1 : batch && a == rank - 2 ? 0 : a;
      if (matrix)
        {
          gint64 last = perm[rank - 1];
          perm[rank - 1] = perm[rank - 2];
          perm[rank - 2] = last;
        }
      in[i] = matrix || batch ? pare_write_transpose (w, w->in[i], perm, (guint)rank, PARE_NONE) : w->in[i];
    }
  if (alpha == 1)
    pare_write_to (w, "MatMul", w->out[0], in, 2);
  else
    {
      const PareValueId scaled[2] = { pare_write (w, "MatMul", f32, in[0], in[1]), pare_write_number (w, alpha) };
      pare_write_to (w, "Mul", w->out[0], scaled, 2);
    }
  return TRUE;
}

/* --- activations --- */

static gboolean
gelu_of (PareWriter *w, PareValueId x, gboolean tanh, PareValueId out)
{
  PareNode *gelu = pare_write_to (w, "Gelu", out, &x, 1);
  if (tanh)
    pare_node_set_string (gelu, "approximate", "tanh");
  return TRUE;
}

static PareValueId
with (PareWriter *w, PareValueId x, PareValueId added)
{
  return added != PARE_NONE ? pare_write (w, "Add", f32, x, added) : x;
}

static gboolean
gelu (PareWriter *w, const PareNode *node)
{
  return gelu_of (w, with (w, w->in[0], w->in[1]), FALSE, w->out[0]);
}

static gboolean
fast_gelu (PareWriter *w, const PareNode *node)
{
  return gelu_of (w, with (w, w->in[0], w->in[1]), TRUE, w->out[0]);
}

/* x * gelu of the other half */
static gboolean
bias_split_gelu (PareWriter *w, const PareNode *node)
{
  const PareShape s = *pare_writer_shape (w, w->in[0]);
  if (!pare_writer_is_float (w, w->in[0]) || s.rank < 1 || s.dims[s.rank - 1] % 2 != 0)
    return FALSE;
  PareValueId sum = with (w, w->in[0], w->in[1]), g = pare_graph_add_value (w->graph, "Gelu", f32, NULL, PARE_NONE);
  gint64 last = s.rank - 1, half = s.dims[last] / 2;
  PareValueId in[2] = { pare_write_slice (w, sum, last, 0, half, 1), g };
  gelu_of (w, pare_write_slice (w, sum, last, half, 2 * half, 1), FALSE, g);
  pare_write_to (w, "Mul", w->out[0], in, 2);
  return TRUE;
}

/* x sigmoid (alpha x), times b where it is given */
static void
gated (PareWriter *w, PareValueId x, float alpha, PareValueId b, PareValueId out)
{
  PareValueId inner = alpha != 1 ? pare_write (w, "Mul", f32, x, pare_write_number (w, alpha)) : x;
  PareValueId in[2] = { x, pare_write (w, "Sigmoid", f32, inner, PARE_NONE) };
  if (b != PARE_NONE)
    {
      in[0] = pare_write (w, "Mul", f32, in[0], in[1]);
      in[1] = b;
    }
  pare_write_to (w, "Mul", out, in, 2);
}

/* QuickGelu, Swish, SwiGLU */
static gboolean
swish (PareWriter *w, const PareNode *node)
{
  if (!pare_writer_is_float (w, w->in[0]))
    return FALSE;
  gated (w, w->in[0], pare_node_get_float (node, "alpha", g_str_equal (node->op, "QuickGelu") ? 1.702f : 1), w->in[1], w->out[0]);
  return TRUE;
}

static gboolean
bias_add (PareWriter *w, const PareNode *node)
{
  if (w->in[1] == PARE_NONE || w->in[2] == PARE_NONE)
    return FALSE;
  const PareValueId in[2] = { with (w, w->in[0], w->in[1]), w->in[2] };
  pare_write_to (w, "Add", w->out[0], in, 2);
  return TRUE;
}

/* --- normalizations --- */

/* Normalizes x + skip + bias, which is an output too. simple: by the root of the mean square. */
static gboolean
skip_norm (PareWriter *w, const PareNode *node, gboolean simple)
{
  PareValueId bias = w->in[simple ? 3 : 4];
  if (!pare_writer_is_float (w, w->in[0]) || w->in[1] == PARE_NONE || w->in[2] == PARE_NONE || w->out[0] == PARE_NONE
      || w->out[1] != PARE_NONE || w->out[2] != PARE_NONE)
    return FALSE;
  PareValueId sum = with (w, with (w, w->in[0], w->in[1]), bias);
  if (w->out[3] != PARE_NONE)
    pare_write_to (w, "Identity", w->out[3], &sum, 1);
  const PareValueId in[3] = { sum, w->in[2], simple ? PARE_NONE : w->in[3] };
  const char *op = simple ? "RMSNormalization" : "LayerNormalization";
  pare_node_set_float (pare_write_to (w, op, w->out[0], in, in[2] != PARE_NONE ? 3 : 2), "epsilon",
                       pare_node_get_float (node, "epsilon", 1e-12f));
  return TRUE;
}

static gboolean
skip_layer_norm (PareWriter *w, const PareNode *node)
{
  return skip_norm (w, node, FALSE);
}

static gboolean
skip_rms_norm (PareWriter *w, const PareNode *node)
{
  return skip_norm (w, node, TRUE);
}

/* Rows of three tables, added and normalized; also how many words each sample has. */
static gboolean
embed_layer_norm (PareWriter *w, const PareNode *node)
{
  for (guint i = 2; i <= 6; i++)
    if ((i != 4 || w->in[1] != PARE_NONE) && !pare_writer_is_float (w, w->in[i]))
      return FALSE;
  const PareShape ids = *pare_writer_shape (w, w->in[0]);
  if (ids.rank != 2 || ids.dims[0] < 0 || ids.dims[1] < 0 || w->out[0] == PARE_NONE)
    return FALSE;
  PareValueId words = pare_write (w, "Gather", f32, w->in[2], w->in[0]);
  PareValueId places
      = w->in[8] != PARE_NONE ? pare_write (w, "Gather", f32, w->in[3], w->in[8]) : pare_write_slice (w, w->in[3], 0, 0, ids.dims[1], 1);
  PareValueId sum = with (w, words, places);
  if (w->in[1] != PARE_NONE)
    sum = with (w, sum, pare_write (w, "Gather", f32, w->in[4], w->in[1]));
  const PareValueId in[3] = { sum, w->in[5], w->in[6] };
  pare_node_set_float (pare_write_to (w, "LayerNormalization", w->out[0], in, 3), "epsilon", pare_node_get_float (node, "epsilon", 1e-12f));
  if (w->out[2] != PARE_NONE)
    pare_write_to (w, "Identity", w->out[2], &sum, 1);
  if (w->out[1] == PARE_NONE)
    return TRUE;
  PareShape samples = { .rank = 1, .dims = { ids.dims[0] } };
  g_autoptr (PareTensor) none = pare_tensor_new (PARE_DTYPE_INT32, &samples, NULL);
  static const gint64 last[] = { 1 };
  PareValueId counted = w->in[7] != PARE_NONE ? pare_write_reduce (w, "ReduceSum", w->in[7], pare_write_ints (w, last, 1), FALSE)
                                              : pare_write_constant (w, "none", none);
  pare_write_cast (w, counted, PARE_DTYPE_INT32, w->out[1]);
  return TRUE;
}

/* Channels may come last; an activation, x sigmoid (x), may follow. */
static gboolean
group_norm (PareWriter *w, const PareNode *node)
{
  static const gint64 first[] = { 0, 3, 1, 2 }, last[] = { 0, 2, 3, 1 };
  gboolean turned = pare_node_get_int (node, "channels_last", 1) != 0;
  if (!pare_writer_is_float (w, w->in[0]) || w->in[1] == PARE_NONE || w->in[2] == PARE_NONE
      || (turned && pare_writer_shape (w, w->in[0])->rank != 4))
    return FALSE;
  gboolean silu = pare_node_get_int (node, "activation", 0) != 0;
  PareValueId in[3] = { turned ? pare_write_transpose (w, w->in[0], first, 4, PARE_NONE) : w->in[0], w->in[1], w->in[2] };
  PareValueId y = turned || silu ? pare_graph_add_value (w->graph, "GroupNorm", f32, NULL, PARE_NONE) : w->out[0];
  PareNode *norm = pare_write_to (w, "GroupNormalization", y, in, 3);
  pare_node_set_int (norm, "num_groups", pare_node_get_int (node, "groups", 1));
  pare_node_set_float (norm, "epsilon", pare_node_get_float (node, "epsilon", 1e-5f));
  if (silu)
    {
      PareValueId product[2] = { y, pare_write (w, "Sigmoid", f32, y, PARE_NONE) };
      y = turned ? pare_graph_add_value (w->graph, "Swish", f32, NULL, PARE_NONE) : w->out[0];
      pare_write_to (w, "Mul", y, product, 2);
    }
  if (turned)
    pare_write_transpose (w, y, last, 4, w->out[0]);
  return TRUE;
}

/* --- products of quantized weights --- */

static PareValueId
dequantized (PareWriter *w, PareValueId codes, PareValueId scale, PareValueId zero, gint64 axis)
{
  const PareValueId in[3] = { codes, scale, zero };
  PareValueId out = pare_graph_add_value (w->graph, "DequantizeLinear", f32, NULL, PARE_NONE);
  pare_node_set_int (pare_write_to (w, "DequantizeLinear", out, in, zero != PARE_NONE ? 3 : 2), "axis", axis);
  return out;
}

/* a, b, scales of both, zero points of both, bias */
static gboolean
integer_to_float (PareWriter *w, const PareNode *node)
{
  if (w->in[1] == PARE_NONE || w->in[2] == PARE_NONE || w->in[3] == PARE_NONE)
    return FALSE;
  gint64 rows = MAX (pare_writer_shape (w, w->in[0])->rank - 2, 0), columns = MAX (pare_writer_shape (w, w->in[1])->rank - 1, 0);
  PareValueId a = dequantized (w, w->in[0], w->in[2], w->in[4], rows), b = dequantized (w, w->in[1], w->in[3], w->in[5], columns);
  pare_write_product (w, a, b, w->in[6]);
  return TRUE;
}

/* The same of floats that are laid on the grid of their own range first. */
static gboolean
dynamic_matmul (PareWriter *w, const PareNode *node)
{
  if (!pare_writer_is_float (w, w->in[0]) || w->in[1] == PARE_NONE || w->in[2] == PARE_NONE)
    return FALSE;
  PareValueId out[3] = { pare_graph_add_value (w->graph, "codes", PARE_DTYPE_UINT8, NULL, PARE_NONE),
                         pare_graph_add_value (w->graph, "scale", f32, NULL, PARE_NONE),
                         pare_graph_add_value (w->graph, "zero", PARE_DTYPE_UINT8, NULL, PARE_NONE) };
  pare_write_many (w, "DynamicQuantizeLinear", out, 3, &w->in[0], 1);
  gint64 columns = MAX (pare_writer_shape (w, w->in[1])->rank - 1, 0);
  PareValueId a = dequantized (w, out[0], out[1], out[2], 0), b = dequantized (w, w->in[1], w->in[2], w->in[3], columns);
  pare_write_product (w, a, b, w->in[4]);
  return TRUE;
}

/* Codes [directions, rows, columns] as an LSTM has them, [directions, columns, rows], less their zero points, of which there is one, or one
 * for each direction or each of its columns; NULL: not as it should be. */
static PareTensor *
lstm_codes (const PareTensor *codes, const PareTensor *zero)
{
  gint64 d = codes->shape.dims[0], rows = codes->shape.dims[1], columns = codes->shape.dims[2];
  gint64 zeros = zero != NULL ? pare_tensor_count (zero) : 1, least = 0, greatest = 0;
  if ((codes->dtype != PARE_DTYPE_INT8 && codes->dtype != PARE_DTYPE_UINT8) || (zero != NULL && zero->dtype != codes->dtype)
      || (zeros != 1 && zeros != d && zeros != d * columns))
    return NULL;
  g_autofree gint16 *turned = g_new (gint16, d * rows * columns);
  for (gint64 i = 0; i < d * columns; i++)
    for (gint64 r = 0; r < rows; r++)
      {
        gint64 z = zero != NULL ? pare_tensor_get_int (zero, (gsize)(zeros == 1 ? 0 : zeros == d ? i / columns : i)) : 0;
        gint64 code = pare_tensor_get_int (codes, (gsize)((i / columns * rows + r) * columns + i % columns)) - z;
        least = MIN (least, code);
        greatest = MAX (greatest, code);
        turned[i * rows + r] = (gint16)code;
      }
  PareShape shape = { .rank = 3, .dims = { d, columns, rows } };
  PareTensor *t = pare_tensor_new (least < G_MININT8 || greatest > G_MAXINT8 ? PARE_DTYPE_INT16 : PARE_DTYPE_INT8, &shape, NULL);
  for (gint64 i = 0; t != NULL && i < d * rows * columns; i++)
    if (t->dtype == PARE_DTYPE_INT8)
      ((gint8 *)t->data)[i] = (gint8)turned[i];
    else
      ((gint16 *)t->data)[i] = turned[i];
  return t;
}

/* One scale, or one for each direction or each of its columns, as [directions, columns]; NULL: not as it should be. */
static PareTensor *
lstm_scales (const PareTensor *scale, gint64 d, gint64 columns)
{
  gint64 n = pare_tensor_count (scale);
  PareShape shape = { .rank = 2, .dims = { d, columns } };
  PareTensor *t = scale->dtype == f32 && (n == 1 || n == d || n == d * columns) ? pare_tensor_new (f32, &shape, NULL) : NULL;
  for (gint64 i = 0; t != NULL && i < d * columns; i++)
    ((float *)t->data)[i] = ((const float *)scale->data)[n == 1 ? 0 : n == d ? i / columns : i];
  return t;
}

/* An LSTM whose weights are codes, and whose input and states are laid on the grid of their own range, the states step by step: x, weights,
 * biases, lengths, states, peepholes, scale and zero point of both weights. The step that computes LSTM has that, too, as operands 9
 * and 10. */
static gboolean
dynamic_lstm (PareWriter *w, const PareNode *node)
{
  if (!pare_writer_is_float (w, w->in[0]) || node->n_inputs < 11)
    return FALSE;
  PareValueId in[11];
  memcpy (in, w->in, sizeof in);
  in[8] = PARE_NONE;
  for (guint i = 0; i < 2; i++)
    {
      const PareTensor *codes = pare_node_input_constant (w->graph, node, 1 + i),
                       *scale = pare_node_input_constant (w->graph, node, 8 + 2 * i),
                       *zero = pare_node_input_constant (w->graph, node, 9 + 2 * i);
      if (codes == NULL || scale == NULL || codes->shape.rank != 3 || pare_tensor_count (codes) < 1
          || (9 + 2 * i < node->n_inputs && w->in[9 + 2 * i] != PARE_NONE && zero == NULL))
        return FALSE;
      gint64 d = codes->shape.dims[0], columns = codes->shape.dims[2];
      g_autoptr (PareTensor) turned = lstm_codes (codes, zero), scales = lstm_scales (scale, d, columns);
      if (turned == NULL || scales == NULL)
        return FALSE;
      in[1 + i] = pare_write_constant (w, "weights", turned);
      in[9 + i] = pare_write_constant (w, "scale", scales);
    }
  pare_node_add_attrs (pare_write_many (w, "LSTM", w->out, MIN (node->n_outputs, 3), in, G_N_ELEMENTS (in)), node, NULL);
  return TRUE;
}

/* --- others --- */

/* A depthwise convolution that looks back only; what it needs of the past is an input and an output. */
static gboolean
causal_conv (PareWriter *w, const PareNode *node)
{
  g_autofree char *activation = pare_node_dup_string (node, "activation");
  gboolean silu = g_strcmp0 (activation, "silu") == 0 || g_strcmp0 (activation, "swish") == 0;
  if (!pare_writer_is_float (w, w->in[0]) || w->in[1] == PARE_NONE || (!silu && activation != NULL && !g_str_equal (activation, "none"))
      || pare_node_get_int (node, "ndim", 1) != 1)
    return FALSE;
  const PareShape x = *pare_writer_shape (w, w->in[0]), weights = *pare_writer_shape (w, w->in[1]);
  if (x.rank != 3 || weights.rank != 3 || weights.dims[0] != x.dims[1] || weights.dims[2] < 1)
    return FALSE;
  gint64 back = weights.dims[2] - 1;
  PareShape state = { .rank = 3, .dims = { x.dims[0], x.dims[1], back } };
  g_autoptr (PareTensor) zeros = pare_tensor_new (f32, &state, NULL);
  if (zeros == NULL)
    return FALSE;
  const PareValueId parts[2] = { w->in[3] != PARE_NONE ? w->in[3] : pare_write_constant (w, "past", zeros), w->in[0] };
  PareValueId all = back > 0 ? pare_write_concat (w, parts, 2, 2, PARE_NONE) : w->in[0], in[3] = { all, w->in[1], w->in[2] };
  PareValueId y = silu ? pare_graph_add_value (w->graph, "Conv", f32, NULL, PARE_NONE) : w->out[0];
  pare_node_set_int (pare_write_to (w, "Conv", y, in, in[2] != PARE_NONE ? 3 : 2), "group", x.dims[1]);
  if (silu)
    gated (w, y, 1, PARE_NONE, w->out[0]);
  if (w->out[1] != PARE_NONE)
    {
      PareValueId kept = back > 0 ? pare_write_slice (w, all, 2, x.dims[2], x.dims[2] + back, 1) : parts[0];
      pare_write_to (w, "Identity", w->out[1], &kept, 1);
    }
  return TRUE;
}

/* What ONNX has as well. */
static gboolean
as_onnx (PareWriter *w, const PareNode *node)
{
  PareNode *made = pare_write_many (w, node->op, w->out, MIN (node->n_outputs, G_N_ELEMENTS (w->out)), w->in, node->n_inputs);
  pare_node_add_attrs (made, node, NULL);
  return TRUE;
}

const PareDecomposeRule pare_decompose_rules_contrib[] = {
  { "", "CausalConvWithState", causal_conv },
  { "", "SwiGLU", swish },
  { "", "Swish", swish },
  { PARE_DOMAIN_MS, "BiasAdd", bias_add },
  { PARE_DOMAIN_MS, "BiasGelu", gelu },
  { PARE_DOMAIN_MS, "BiasSplitGelu", bias_split_gelu },
  { PARE_DOMAIN_MS, "CausalConvWithState", causal_conv },
  { PARE_DOMAIN_MS, "DynamicQuantizeLSTM", dynamic_lstm },
  { PARE_DOMAIN_MS, "DynamicQuantizeMatMul", dynamic_matmul },
  { PARE_DOMAIN_MS, "EmbedLayerNormalization", embed_layer_norm },
  { PARE_DOMAIN_MS, "FastGelu", fast_gelu },
  { PARE_DOMAIN_MS, "FusedConv", fused_conv },
  { PARE_DOMAIN_MS, "FusedGemm", fused_gemm },
  { PARE_DOMAIN_MS, "FusedMatMul", fused_matmul },
  { PARE_DOMAIN_MS, "Gelu", gelu },
  { PARE_DOMAIN_MS, "GroupNorm", group_norm },
  { PARE_DOMAIN_MS, "MatMulIntegerToFloat", integer_to_float },
  { PARE_DOMAIN_MS, "QuickGelu", swish },
  { PARE_DOMAIN_MS, "SkipLayerNormalization", skip_layer_norm },
  { PARE_DOMAIN_MS, "SkipSimplifiedLayerNormalization", skip_rms_norm },
  { PARE_DOMAIN_MS, "TransposeMatMul", fused_matmul },
  { PARE_DOMAIN_MS, "Trilu", as_onnx },
  { NULL, NULL, NULL },
};
