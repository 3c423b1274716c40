/* One node -> its step. */
#include "engine/lower/pare-lower-private.h"

#include <math.h>
#include <string.h>

static const struct
{
  const char *op;
  PareUnaryKind kind;
  float alpha, beta;
} unaries[] = {
  { "Abs", PARE_UN_ABS, 0, 0 },
  { "Neg", PARE_UN_NEG, 0, 0 },
  { "Exp", PARE_UN_EXP, 0, 0 },
  { "Log", PARE_UN_LOG, 0, 0 },
  { "Sqrt", PARE_UN_SQRT, 0, 0 },
  { "Reciprocal", PARE_UN_RECIPROCAL, 0, 0 },
  { "Sigmoid", PARE_UN_SIGMOID, 0, 0 },
  { "Tanh", PARE_UN_TANH, 0, 0 },
  { "Erf", PARE_UN_ERF, 0, 0 },
  { "Relu", PARE_UN_RELU, 0, 0 },
  { "LeakyRelu", PARE_UN_LEAKY_RELU, 0.01f, 0 },
  { "Elu", PARE_UN_ELU, 1, 0 },
  { "Selu", PARE_UN_SELU, 1.67326319217681884765625f, 1.05070102214813232421875f },
  { "Celu", PARE_UN_CELU, 1, 0 },
  { "Softplus", PARE_UN_SOFTPLUS, 0, 0 },
  { "Softsign", PARE_UN_SOFTSIGN, 0, 0 },
  { "HardSigmoid", PARE_UN_HARD_SIGMOID, 0.2f, 0.5f },
  { "HardSwish", PARE_UN_HARD_SWISH, 0, 0 },
  { "Gelu", PARE_UN_GELU, 0, 0 },
  { "Mish", PARE_UN_MISH, 0, 0 },
  { "Floor", PARE_UN_FLOOR, 0, 0 },
  { "Ceil", PARE_UN_CEIL, 0, 0 },
  { "Round", PARE_UN_ROUND, 0, 0 },
  { "Sign", PARE_UN_SIGN, 0, 0 },
  { "Not", PARE_UN_NOT, 0, 0 },
  { "Sin", PARE_UN_SIN, 0, 0 },
  { "Cos", PARE_UN_COS, 0, 0 },
  { "Tan", PARE_UN_TAN, 0, 0 },
  { "Asin", PARE_UN_ASIN, 0, 0 },
  { "Acos", PARE_UN_ACOS, 0, 0 },
  { "Atan", PARE_UN_ATAN, 0, 0 },
  { "Sinh", PARE_UN_SINH, 0, 0 },
  { "Cosh", PARE_UN_COSH, 0, 0 },
  { "Asinh", PARE_UN_ASINH, 0, 0 },
  { "Acosh", PARE_UN_ACOSH, 0, 0 },
  { "Atanh", PARE_UN_ATANH, 0, 0 },
  { "ThresholdedRelu", PARE_UN_THRESHOLDED_RELU, 1, 0 },
  { "IsNaN", PARE_UN_IS_NAN, 0, 0 },
  { "BitwiseNot", PARE_UN_BIT_NOT, 0, 0 },
  { "Shrink", PARE_UN_SHRINK, 0.5f, 0 },
  { "IsInf", PARE_UN_IS_INF, 1, 1 },
};

static const struct
{
  const char *op;
  PareBinaryKind kind;
} binaries[] = {
  { "Add", PARE_BIN_ADD },
  { "Sub", PARE_BIN_SUB },
  { "Mul", PARE_BIN_MUL },
  { "Div", PARE_BIN_DIV },
  { "Pow", PARE_BIN_POW },
  { "Min", PARE_BIN_MIN },
  { "Max", PARE_BIN_MAX },
  { "Sum", PARE_BIN_ADD },
  { "Mean", PARE_BIN_ADD },
  { "Mod", PARE_BIN_MOD },
  { "PRelu", PARE_BIN_PRELU },
  { "Equal", PARE_BIN_EQUAL },
  { "Less", PARE_BIN_LESS },
  { "LessOrEqual", PARE_BIN_LESS_EQUAL },
  { "Greater", PARE_BIN_GREATER },
  { "GreaterOrEqual", PARE_BIN_GREATER_EQUAL },
  { "And", PARE_BIN_AND },
  { "Or", PARE_BIN_OR },
  { "Xor", PARE_BIN_XOR },
  { "BitwiseAnd", PARE_BIN_BIT_AND },
  { "BitwiseOr", PARE_BIN_BIT_OR },
  { "BitwiseXor", PARE_BIN_BIT_XOR },
  { "BitShift", PARE_BIN_SHIFT_LEFT },
};

/* lo and hi of a Clip with constant bounds. */
static gboolean
clip_bounds (const PareGraph *graph, const PareNode *node, float *lo, float *hi)
{
  *lo = -INFINITY;
  *hi = INFINITY;
  for (guint i = 1; i <= 2; i++)
    if (pare_lower_has_input (node, i))
      {
        PareTensor *t = pare_lower_constant (graph, node, i);
        if (t == NULL || pare_tensor_count (t) != 1)
          return FALSE;
        *(i == 1 ? lo : hi) = (float)pare_tensor_get_double (t, 0);
      }
  return TRUE;
}

/* A Gelu that is approximated. */
static gboolean
by_tanh (const PareNode *node)
{
  g_autofree char *form = pare_node_dup_string (node, "approximate");
  return g_strcmp0 (form, "tanh") == 0;
}

gboolean
pare_lower_activation (const PareGraph *graph, const PareNode *node, PareActivation *activation, float *lo, float *hi, float *alpha)
{
  if (node->n_outputs == 0 || node->outputs[0] == PARE_NONE || graph->values[node->outputs[0]].dtype != PARE_DTYPE_FLOAT32)
    return FALSE;
  double slope;
  *lo = -INFINITY;
  *hi = INFINITY;
  if (pare_node_is (node, "Relu"))
    {
      *activation = PARE_ACT_CLIP;
      *lo = 0;
    }
  else if (pare_node_is (node, "Clip"))
    {
      if (!clip_bounds (graph, node, lo, hi))
        return FALSE;
      *activation = PARE_ACT_CLIP;
    }
  else if (pare_node_is (node, "LeakyRelu"))
    {
      *activation = PARE_ACT_LEAKY;
      *alpha = pare_node_get_float (node, "alpha", 0.01f);
    }
  else if (pare_node_is (node, "Sigmoid"))
    *activation = PARE_ACT_SIGMOID;
  else if (pare_node_is (node, "Tanh"))
    *activation = PARE_ACT_TANH;
  else if (pare_node_is (node, "HardSwish"))
    *activation = PARE_ACT_HARDSWISH;
  else if (pare_node_is (node, "Gelu"))
    *activation = by_tanh (node) ? PARE_ACT_GELU_TANH : PARE_ACT_GELU;
  else if (pare_node_is (node, "Mish"))
    *activation = PARE_ACT_MISH;
  else if (pare_node_is (node, "Elu") && pare_node_get_float (node, "alpha", 1) == 1)
    *activation = PARE_ACT_ELU;
  else if (pare_node_is (node, "PRelu") && pare_lower_number (graph, node, 1, &slope))
    {
      *activation = PARE_ACT_LEAKY;
      *alpha = (float)slope;
    }
  else
    return FALSE;
  return TRUE;
}

static gboolean
lower_binary (PareBuilder *b, const PareNode *node, PareBinaryKind kind, GError **error)
{
  const PareGraph *graph = b->graph;
  const PareValue *y = &graph->values[node->outputs[0]];
  PareBinaryParams p = { kind, PARE_ACT_NONE, -INFINITY, INFINITY };
  if (pare_node_is (node, "Mod") && pare_node_get_int (node, "fmod", 0) != 0)
    p.kind = PARE_BIN_FMOD;
  if (pare_node_is (node, "BitShift"))
    {
      g_autofree char *direction = pare_node_dup_string (node, "direction");
      p.kind = g_strcmp0 (direction, "RIGHT") == 0 ? PARE_BIN_SHIFT_RIGHT : PARE_BIN_SHIFT_LEFT;
    }
  if (node->n_inputs == 1)
    {
      pare_builder_alias (b, node->outputs[0], node->inputs[0]);
      return TRUE;
    }
  guint32 left = pare_builder_value (b, node->inputs[0]);
  PareShape shape = graph->values[node->inputs[0]].shape;
  for (guint i = 1; i < node->n_inputs; i++) /* Sum, Min, Max, Mean take any number */
    {
      if (!pare_lower_has_input (node, i))
        return pare_lower_refuse (graph, node, error, "input %u is missing", i);
      const PareShape *other = &graph->values[node->inputs[i]].shape;
      gboolean last = i + 1 == node->n_inputs, mean = pare_node_is (node, "Mean");
      PareShape joined = { .rank = MAX (shape.rank, other->rank) };
      for (int d = 0; d < joined.rank; d++)
        {
          int da = d - (joined.rank - shape.rank), db = d - (joined.rank - other->rank);
          gint64 x = da < 0 ? 1 : shape.dims[da], z = db < 0 ? 1 : other->dims[db];
          joined.dims[d] = x == 1 ? z : x;
        }
      shape = joined;
      guint32 in[2] = { left, pare_builder_value (b, node->inputs[i]) },
              out = last && !mean ? pare_builder_value (b, node->outputs[0]) : pare_builder_temporary (b, y->dtype, &shape);
      pare_builder_step (b, node, PARE_RT_BINARY, &p, sizeof p, in, 2, &out, 1);
      left = out;
      if (last && mean)
        {
          g_autoptr (PareTensor) share = pare_tensor_new_scalar_f32 (1.0f / (float)node->n_inputs);
          PareBinaryParams scale = { PARE_BIN_MUL, PARE_ACT_NONE, 0, 0 };
          guint32 args[2] = { left, pare_builder_constant (b, share) }, result = pare_builder_value (b, node->outputs[0]);
          pare_builder_step (b, node, PARE_RT_BINARY, &scale, sizeof scale, args, 2, &result, 1);
        }
    }
  return TRUE;
}

static gboolean
lower_unary (PareBuilder *b, const PareNode *node, guint i, GError **error)
{
  PareUnaryParams p = { unaries[i].kind, pare_node_get_float (node, "alpha", unaries[i].alpha), unaries[i].beta };
  if (p.kind == PARE_UN_SELU)
    p.beta = pare_node_get_float (node, "gamma", unaries[i].beta);
  else if (p.kind == PARE_UN_HARD_SIGMOID)
    p.beta = pare_node_get_float (node, "beta", unaries[i].beta);
  else if (p.kind == PARE_UN_SHRINK)
    {
      p.alpha = pare_node_get_float (node, "lambd", 0.5f);
      p.beta = pare_node_get_float (node, "bias", 0);
    }
  else if (p.kind == PARE_UN_IS_INF)
    {
      p.alpha = pare_node_get_int (node, "detect_negative", 1) != 0;
      p.beta = pare_node_get_int (node, "detect_positive", 1) != 0;
    }
  else if (p.kind == PARE_UN_GELU && by_tanh (node))
    p.kind = PARE_UN_GELU_TANH;
  return pare_lower_step (b, node, PARE_RT_UNARY, &p, sizeof p, 1);
}

static gboolean
lower_axis (PareBuilder *b, const PareNode *node, PareRtOp op, guint n_in, gint64 fallback, GError **error)
{
  int rank = b->graph->values[node->inputs[0]].shape.rank;
  PareAxisParams p = { pare_lower_axis (pare_node_get_int (node, "axis", fallback), rank) };
  if (p.axis < 0)
    return pare_lower_refuse (b->graph, node, error, "axis is out of range");
  return pare_lower_step (b, node, op, &p, sizeof p, n_in);
}

static PareScatterReduction
reduction_of (const PareNode *node)
{
  static const char *const names[] = { "none", "add", "mul", "min", "max" };
  g_autofree char *text = pare_node_dup_string (node, "reduction");
  for (guint i = 0; text != NULL && i < G_N_ELEMENTS (names); i++)
    if (g_str_equal (text, names[i]))
      return (PareScatterReduction)i;
  return PARE_SCATTER_NONE;
}

static gboolean
refuse_unknown (PareBuilder *b, const PareNode *node, GError **error)
{
  g_autofree char *why = pare_node_dup_unknown (node);
  g_autoptr (GArray) inputs = pare_graph_find_deciding_inputs (b->graph, (PareNodeId)(node - b->graph->nodes));
  if (inputs->len > 0 && !pare_node_is (node, "If"))
    return pare_lower_refuse (b->graph, node, error,
                              "how many positions it has depends on the value of the input '%s', which must be given",
                              b->graph->values[g_array_index (inputs, PareValueId, 0)].name);
  return pare_lower_refuse (b->graph, node, error, "%s", why);
}

/* Operators whose parameters are a few attributes. */
static gboolean
lower_other (PareBuilder *b, const PareNode *node, GError **error)
{
  const PareGraph *graph = b->graph;
  const PareShape *xs = node->n_inputs > 0 && node->inputs[0] != PARE_NONE ? &graph->values[node->inputs[0]].shape : NULL;
  const char *op = node->op;
#define IS(name) (strcmp (op, name) == 0)
  if (xs == NULL)
    return pare_lower_refuse (graph, node, error, "needs an input");
  if (IS ("Clip"))
    {
      PareClipParams p;
      if (!clip_bounds (graph, node, &p.lo, &p.hi))
        return pare_lower_refuse (graph, node, error, "bounds must be constants");
      return pare_lower_step (b, node, PARE_RT_CLIP, &p, sizeof p, 1);
    }
  if (IS ("Softmax") || IS ("LogSoftmax"))
    {
      PareSoftmaxParams p = { pare_lower_axis (pare_node_get_int (node, "axis", -1), xs->rank), IS ("LogSoftmax") };
      return p.axis < 0 ? pare_lower_refuse (graph, node, error, "axis is out of range")
                        : pare_lower_step (b, node, PARE_RT_SOFTMAX, &p, sizeof p, 1);
    }
  if (IS ("Where"))
    return pare_lower_step (b, node, PARE_RT_WHERE, NULL, 0, 3);
  if (IS ("Cast") || IS ("CastLike"))
    return pare_lower_step (b, node, PARE_RT_CAST, NULL, 0, 1);
  if (IS ("GlobalAveragePool"))
    return pare_lower_step (b, node, PARE_RT_GLOBAL_AVG_POOL, NULL, 0, 1);
  if (IS ("GlobalMaxPool"))
    return pare_lower_step (b, node, PARE_RT_GLOBAL_MAX_POOL, NULL, 0, 1);
  if (IS ("BatchNormalization"))
    {
      PareBatchNormParams p = { pare_node_get_float (node, "epsilon", 1e-5f) };
      return pare_lower_step (b, node, PARE_RT_BATCH_NORM, &p, sizeof p, 5);
    }
  if (IS ("InstanceNormalization"))
    {
      PareInstanceNormParams p = { pare_node_get_float (node, "epsilon", 1e-5f) };
      return pare_lower_step (b, node, PARE_RT_INSTANCE_NORM, &p, sizeof p, 3);
    }
  if (IS ("GroupNormalization"))
    {
      PareGroupNormParams p
          = { pare_node_get_float (node, "epsilon", 1e-5f), (gint32)CLAMP (pare_node_get_int (node, "num_groups", 1), 1, G_MAXINT32) };
      return pare_lower_step (b, node, PARE_RT_GROUP_NORM, &p, sizeof p, 3);
    }
  if (IS ("LayerNormalization"))
    {
      PareLayerNormParams p = { .axis = pare_lower_axis (pare_node_get_int (node, "axis", -1), xs->rank),
                                .epsilon = pare_node_get_float (node, "epsilon", 1e-5f) };
      guint32 in[3], out[3];
      for (guint i = 0; i < 3; i++)
        {
          in[i] = pare_lower_has_input (node, i) ? pare_builder_value (b, node->inputs[i]) : PARE_RT_NONE;
          PareValueId y = i < node->n_outputs ? node->outputs[i] : PARE_NONE;
          gboolean read = y != PARE_NONE && (i == 0 || b->keep[y] || b->consumers->starts[y] != b->consumers->starts[y + 1]);
          out[i] = read ? pare_builder_value (b, y) : PARE_RT_NONE;
        }
      if (p.axis < 0)
        return pare_lower_refuse (graph, node, error, "axis is out of range");
      pare_builder_step (b, node, PARE_RT_LAYER_NORM, &p, sizeof p, in, 3, out,
                         out[2] != PARE_RT_NONE   ? 3
                         : out[1] != PARE_RT_NONE ? 2
                                                  : 1);
      return TRUE;
    }
  if (IS ("RotaryEmbedding")) /* positions have picked their rows of the tables by now */
    {
      PareRotaryParams p
          = { (gint32)CLAMP (pare_node_get_int (node, "num_heads", 0), 0, 1 << 20), pare_node_get_int (node, "interleaved", 0) != 0 };
      return pare_lower_has_input (node, 1) && pare_lower_has_input (node, 2) && !pare_lower_has_input (node, 3)
                 ? pare_lower_step (b, node, PARE_RT_ROTARY, &p, sizeof p, 3)
                 : pare_lower_refuse (graph, node, error, "its tables do not fit its input");
    }
  if (IS ("LpNormalization"))
    {
      PareLpNormParams p
          = { pare_lower_axis (pare_node_get_int (node, "axis", -1), xs->rank), (gint32)CLAMP (pare_node_get_int (node, "p", 2), 1, 2) };
      return p.axis < 0 ? pare_lower_refuse (graph, node, error, "axis is out of range")
                        : pare_lower_step (b, node, PARE_RT_LP_NORM, &p, sizeof p, 1);
    }
  if (IS ("LRN"))
    {
      PareLrnParams p = { (gint32)CLAMP (pare_node_get_int (node, "size", 1), 1, 1 << 20), pare_node_get_float (node, "alpha", 1e-4f),
                          pare_node_get_float (node, "beta", 0.75f), pare_node_get_float (node, "bias", 1) };
      return pare_lower_step (b, node, PARE_RT_LRN, &p, sizeof p, 1);
    }
  if (IS ("ArgMax") || IS ("ArgMin"))
    {
      PareArgExtremeParams p = { pare_lower_axis (pare_node_get_int (node, "axis", 0), xs->rank), IS ("ArgMin"),
                                 pare_node_get_int (node, "select_last_index", 0) != 0 };
      return p.axis < 0 ? pare_lower_refuse (graph, node, error, "axis is out of range")
                        : pare_lower_step (b, node, PARE_RT_ARG_EXTREME, &p, sizeof p, 1);
    }
  if (IS ("CumSum"))
    {
      gint64 axis;
      guint n;
      if (!pare_lower_ints (graph, node, 1, &axis, 1, &n) || n != 1 || pare_lower_axis (axis, xs->rank) < 0)
        return pare_lower_refuse (graph, node, error, "axis must be a constant in range");
      PareCumSumParams p = { pare_lower_axis (axis, xs->rank), pare_node_get_int (node, "exclusive", 0) != 0,
                             pare_node_get_int (node, "reverse", 0) != 0 };
      return pare_lower_step (b, node, PARE_RT_CUMSUM, &p, sizeof p, 1);
    }
  if (IS ("Gather"))
    return lower_axis (b, node, PARE_RT_GATHER, 2, 0, error);
  if (IS ("GatherElements"))
    return lower_axis (b, node, PARE_RT_GATHER_ELEMENTS, 2, 0, error);
  if (IS ("GatherND"))
    {
      PareGatherNdParams p = { (gint32)CLAMP (pare_node_get_int (node, "batch_dims", 0), 0, PARE_MAX_RANK) };
      return pare_lower_step (b, node, PARE_RT_GATHER_ND, &p, sizeof p, 2);
    }
  if (IS ("ScatterND") || IS ("ScatterElements") || IS ("Scatter"))
    {
      PareScatterParams p = { pare_lower_axis (pare_node_get_int (node, "axis", 0), xs->rank), reduction_of (node) };
      return pare_lower_step (b, node, IS ("ScatterND") ? PARE_RT_SCATTER_ND : PARE_RT_SCATTER_ELEMENTS, &p, sizeof p, 3);
    }
  if (IS ("Expand"))
    return pare_lower_step (b, node, PARE_RT_EXPAND, NULL, 0, 1);
  if (IS ("Tile"))
    return pare_lower_step (b, node, PARE_RT_TILE, NULL, 0, 1);
  if (IS ("DepthToSpace") || IS ("SpaceToDepth"))
    {
      g_autofree char *mode = pare_node_dup_string (node, "mode");
      PareDepthSpaceParams p
          = { (gint32)CLAMP (pare_node_get_int (node, "blocksize", 1), 1, 1 << 16), mode != NULL && g_str_equal (mode, "CRD") };
      return pare_lower_step (b, node, IS ("DepthToSpace") ? PARE_RT_DEPTH_TO_SPACE : PARE_RT_SPACE_TO_DEPTH, &p, sizeof p, 1);
    }
  if (IS ("Trilu"))
    {
      gint64 k = 0;
      guint n;
      if (pare_lower_has_input (node, 1) && !pare_lower_ints (graph, node, 1, &k, 1, &n))
        return pare_lower_refuse (graph, node, error, "k must be a constant");
      PareTriluParams p = { pare_node_get_int (node, "upper", 1) != 0, k };
      return pare_lower_step (b, node, PARE_RT_TRILU, &p, sizeof p, 1);
    }
  if (IS ("Range"))
    {
      guint32 in[2] = { pare_builder_value (b, node->inputs[0]), pare_builder_value (b, node->inputs[2]) },
              out = pare_builder_value (b, node->outputs[0]);
      pare_builder_step (b, node, PARE_RT_RANGE, NULL, 0, in, 2, &out, 1);
      return TRUE;
    }
  if (IS ("TopK"))
    {
      PareTopKParams p = { pare_lower_axis (pare_node_get_int (node, "axis", -1), xs->rank), pare_node_get_int (node, "largest", 1) != 0 };
      const PareValue *v = &graph->values[node->outputs[0] != PARE_NONE ? node->outputs[0] : node->outputs[1]];
      guint32 in = pare_builder_value (b, node->inputs[0]), out[2];
      if (p.axis < 0)
        return pare_lower_refuse (graph, node, error, "axis is out of range");
      for (guint i = 0; i < 2; i++)
        out[i] = i < node->n_outputs && node->outputs[i] != PARE_NONE
                     ? pare_builder_value (b, node->outputs[i])
                     : pare_builder_temporary (b, i == 0 ? graph->values[node->inputs[0]].dtype : PARE_DTYPE_INT64, &v->shape);
      pare_builder_step (b, node, PARE_RT_TOPK, &p, sizeof p, &in, 1, out, 2);
      return TRUE;
    }
  if (IS ("OneHot"))
    {
      PareAxisParams p = { pare_lower_axis (pare_node_get_int (node, "axis", -1), xs->rank + 1) };
      guint32 in[2] = { pare_builder_value (b, node->inputs[0]), pare_builder_value (b, node->inputs[2]) },
              out = pare_builder_value (b, node->outputs[0]);
      if (p.axis < 0)
        return pare_lower_refuse (graph, node, error, "axis is out of range");
      pare_builder_step (b, node, PARE_RT_ONE_HOT, &p, sizeof p, in, 2, &out, 1);
      return TRUE;
    }
#undef IS
  return refuse_unknown (b, node, error);
}

/* Nodes with graphs of their own; an If whose condition is known has become its branch by now. */
static gboolean
refuse_control (PareBuilder *b, PareNodeId id, GError **error)
{
  const PareNode *node = &b->graph->nodes[id];
  g_autoptr (GArray) inputs = pare_graph_find_deciding_inputs (b->graph, id);
  if (!pare_node_is (node, "If") || inputs->len == 0)
    return refuse_unknown (b, node, error);
  const char *name = b->graph->values[g_array_index (inputs, PareValueId, 0)].name;
  return pare_lower_refuse (b->graph, node, error, "which branch runs depends on the value of the input '%s', which must be given", name);
}

static gboolean
lower_any (PareBuilder *b, PareNodeId id, GError **error)
{
  static const struct
  {
    const char *op;
    PareLowerFunc func;
  } functions[] = {
    { "Conv", pare_lower_conv },
    { "ConvTranspose", pare_lower_conv_transpose },
    { "Gemm", pare_lower_gemm },
    { "MatMul", pare_lower_matmul },
    { PARE_OP_BLOCK_GEMM, pare_lower_block_gemm },
    { "MaxPool", pare_lower_pool },
    { "AveragePool", pare_lower_pool },
    { "Slice", pare_lower_slice },
    { "Split", pare_lower_split },
    { "Concat", pare_lower_concat },
    { "Pad", pare_lower_pad },
    { "Resize", pare_lower_resize },
    { "GridSample", pare_lower_grid_sample },
    { "RoiAlign", pare_lower_roi_align },
    { "Transpose", pare_lower_transpose },
    { "Einsum", pare_lower_einsum },
    { "LSTM", pare_lower_recurrent },
    { "GRU", pare_lower_recurrent },
    { "RNN", pare_lower_recurrent },
    { "QuantizeLinear", pare_lower_quantize },
    { "DequantizeLinear", pare_lower_quantize },
  };
  static const char *const aliases[] = { "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout" };
  const PareNode *node = &b->graph->nodes[id];
  if (b->fusions[id].head != PARE_NONE && b->fusions[id].kind != PARE_FUSION_PRODUCT)
    return pare_lower_pattern (b, &b->fusions[id], error);
  if (pare_node_is (node, "If") || pare_node_is (node, "Loop") || pare_node_is (node, "Scan"))
    return refuse_control (b, id, error);
  for (guint i = 0; i < node->n_outputs; i++)
    {
      const PareValue *v = node->outputs[i] != PARE_NONE ? &b->graph->values[node->outputs[i]] : NULL;
      gboolean used
          = v != NULL
            && (b->keep[node->outputs[i]] || b->consumers->starts[node->outputs[i]] != b->consumers->starts[node->outputs[i] + 1]);
      if (!used || (v->dtype != PARE_DTYPE_NONE && pare_shape_count (&v->shape) >= 0))
        continue;
      if (pare_node_is (node, "Constant"))
        return pare_lower_refuse (b->graph, node, error, "its value is no dense tensor of numbers");
      return pare_infer_has_rule (node) ? pare_lower_refuse (b->graph, node, error, "the shape of its output '%s' is not known", v->name)
                                        : refuse_unknown (b, node, error);
    }
  static const char *const several[] = { "GRU", "LSTM", "RNN", "Split", NULL }; /* often only the last state, or one part, is read */
  if (node->n_outputs == 0 || (node->outputs[0] == PARE_NONE && !g_strv_contains (several, node->op)))
    return pare_lower_refuse (b->graph, node, error, "has no first output");
  if (g_str_equal (node->op, PARE_OP_QUANTIZE))
    return pare_lower_quantize (b, node, error);
  if (node->domain != NULL && *node->domain != '\0' && !g_str_equal (node->domain, "ai.onnx"))
    return refuse_unknown (b, node, error);
  /* a Dropout with a mask or a mode that is known to be off was taken apart */
  if ((pare_node_is (node, "Dropout") && (pare_lower_has_input (node, 2) || (node->n_outputs > 1 && node->outputs[1] != PARE_NONE)))
      || (pare_node_is (node, "BatchNormalization") && pare_node_get_int (node, "training_mode", 0) != 0))
    return pare_lower_refuse (b->graph, node, error, "training mode is not supported");
  for (guint i = 0; i < G_N_ELEMENTS (aliases); i++)
    if (g_str_equal (node->op, aliases[i]) && pare_lower_has_input (node, 0))
      {
        pare_builder_alias (b, node->outputs[0], node->inputs[0]);
        return TRUE;
      }
  for (guint i = 0; i < G_N_ELEMENTS (unaries); i++)
    if (g_str_equal (node->op, unaries[i].op) && pare_lower_has_input (node, 0))
      return lower_unary (b, node, i, error);
  for (guint i = 0; i < G_N_ELEMENTS (binaries); i++)
    if (g_str_equal (node->op, binaries[i].op) && pare_lower_has_input (node, 0))
      return lower_binary (b, node, binaries[i].kind, error);
  for (guint i = 0; i < G_N_ELEMENTS (functions); i++)
    if (g_str_equal (node->op, functions[i].op))
      return pare_lower_has_input (node, 0) ? functions[i].func (b, node, error)
                                            : pare_lower_refuse (b->graph, node, error, "needs an input");
  if (g_str_has_prefix (node->op, "Reduce") && pare_lower_has_input (node, 0))
    return pare_lower_reduce (b, node, error);
  return lower_other (b, node, error);
}

gboolean
pare_lower_node (PareBuilder *b, PareNodeId id, GError **error)
{
  gboolean done = FALSE;
  if (!pare_lower_integer_node (b, &b->graph->nodes[id], &done, error))
    return FALSE;
  if (done)
    return TRUE;
  b->moving = b->integers[id].kind == PARE_INTEGER_MOVE;
  gboolean fine = lower_any (b, id, error);
  b->moving = FALSE;
  return fine;
}
