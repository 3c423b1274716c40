/* Shape and dtype inference: the dispatcher, elementwise operators and what the other files share. Only opset 21 semantics. */
#include "engine/graph/pare-graph-private.h"

#include <string.h>

gboolean
pare_infer_fail (PareInfer *c, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *reason = g_strdup_vprintf (format, args), *what = pare_node_describe (c->node);
  va_end (args);
  if (c->error == NULL || *c->error == NULL)
    g_set_error (c->error, PARE_ERROR, PARE_ERROR_SHAPE, "%s: %s", what, reason);
  return FALSE;
}

const PareShape *
pare_infer_shape (PareInfer *c, guint i)
{
  static const PareShape unknown = { .rank = -1 };
  const PareValue *v = pare_node_input (c->graph, c->node, i);
  return v ? &v->shape : &unknown;
}

PareDtype
pare_infer_dtype (PareInfer *c, guint i)
{
  const PareValue *v = pare_node_input (c->graph, c->node, i);
  return v ? v->dtype : PARE_DTYPE_NONE;
}

gboolean
pare_infer_set (PareInfer *c, guint output, PareDtype dtype, const PareShape *shape)
{
  PareValue *v = pare_node_output (c->graph, c->node, output);
  if (v == NULL)
    return TRUE;
  if (dtype != PARE_DTYPE_NONE)
    v->dtype = dtype;
  if (shape == NULL || shape->rank < 0)
    return TRUE;
  if (shape->rank > PARE_MAX_RANK)
    return pare_infer_fail (c, "its output has %d dimensions, at most %d are supported", shape->rank, PARE_MAX_RANK);
  gint64 n = 1;
  for (int i = 0; i < shape->rank; i++)
    if (shape->dims[i] > 0 && (__builtin_mul_overflow (n, shape->dims[i], &n) || n > G_GINT64_CONSTANT (1) << 56))
      {
        g_autofree char *text = pare_shape_to_string (shape);
        return pare_infer_fail (c, "its output of %s is beyond any memory", text);
      }
  v->shape = *shape;
  return TRUE;
}

gboolean
pare_infer_axis (PareInfer *c, gint64 axis, int rank, int *out)
{
  if (axis < -rank || axis >= rank)
    return pare_infer_fail (c, "axis %" G_GINT64_FORMAT " of a tensor with %d dimensions", axis, rank);
  *out = (int)(axis < 0 ? axis + rank : axis);
  return TRUE;
}

gboolean
pare_infer_broadcast (PareInfer *c, const PareShape *a, const PareShape *b, PareShape *out)
{
  if (a->rank < 0 || b->rank < 0)
    {
      out->rank = -1;
      return TRUE;
    }
  int rank = MAX (a->rank, b->rank);
  PareShape r = { .rank = rank };
  for (int i = 0; i < rank; i++)
    {
      gint64 x = i < rank - a->rank ? 1 : a->dims[i - (rank - a->rank)], y = i < rank - b->rank ? 1 : b->dims[i - (rank - b->rank)];
      if (x >= 0 && y >= 0 && x != y && x != 1 && y != 1)
        {
          g_autofree char *s = pare_shape_to_string (a), *t = pare_shape_to_string (b);
          return pare_infer_fail (c, "%s and %s do not broadcast", s, t);
        }
      r.dims[i] = x == 1 ? y : y == 1 ? x : x < 0 ? y : x; /* an unknown extent must equal the known one, or be 1 */
    }
  *out = r;
  return TRUE;
}

static gboolean
same (PareInfer *c)
{
  return pare_infer_set (c, 0, pare_infer_dtype (c, 0), pare_infer_shape (c, 0));
}

static gboolean
to_bool (PareInfer *c)
{
  return pare_infer_set (c, 0, PARE_DTYPE_BOOL, pare_infer_shape (c, 0));
}

static gboolean
spread (PareInfer *c, PareDtype dtype)
{
  PareShape s = *pare_infer_shape (c, 0);
  for (guint i = 1; i < c->node->n_inputs; i++)
    if (c->node->inputs[i] == PARE_NONE)
      return pare_infer_fail (c, "inputs are missing");
    else if (!pare_infer_broadcast (c, &s, pare_infer_shape (c, i), &s))
      return FALSE;
  return pare_infer_set (c, 0, dtype, &s);
}

static gboolean
elementwise (PareInfer *c)
{
  PareDtype dtype = pare_infer_dtype (c, 0);
  for (guint i = 1; i < c->node->n_inputs && dtype == PARE_DTYPE_NONE; i++)
    dtype = pare_infer_dtype (c, i);
  /* Mixed types are an error in ONNX (Pow and shifts aside); the runtime has no kernel that could guess. */
  for (guint i = 1; i < c->node->n_inputs && !pare_node_is (c->node, "Pow"); i++)
    if (pare_infer_dtype (c, i) != PARE_DTYPE_NONE && pare_infer_dtype (c, i) != dtype)
      return pare_infer_fail (c, "inputs of different types, %s and %s", pare_dtype_name (dtype),
                              pare_dtype_name (pare_infer_dtype (c, i)));
  return spread (c, dtype);
}

static gboolean
compare (PareInfer *c)
{
  return spread (c, PARE_DTYPE_BOOL);
}

static gboolean
where (PareInfer *c)
{
  PareDtype dtype = pare_infer_dtype (c, 1);
  return spread (c, dtype != PARE_DTYPE_NONE ? dtype : pare_infer_dtype (c, 2));
}

static gboolean
prelu (PareInfer *c)
{
  PareShape s;
  return pare_infer_broadcast (c, pare_infer_shape (c, 0), pare_infer_shape (c, 1), &s)
         && pare_infer_set (c, 0, pare_infer_dtype (c, 0), pare_infer_shape (c, 0));
}

static gboolean
cast (PareInfer *c)
{
  gint64 to = pare_node_get_int (c->node, "to", 0);
  if (pare_dtype_bits ((PareDtype)to) == 0 && to != PARE_DTYPE_STRING)
    return pare_infer_fail (c, "cast to unsupported type %" G_GINT64_FORMAT, to);
  return pare_infer_set (c, 0, (PareDtype)to, pare_infer_shape (c, 0));
}

static gboolean
cast_like (PareInfer *c)
{
  return pare_infer_set (c, 0, pare_infer_dtype (c, 1), pare_infer_shape (c, 0));
}

static gboolean
random_like (PareInfer *c)
{
  gint64 dtype = pare_node_get_int (c->node, "dtype", 0);
  return pare_infer_set (c, 0, dtype ? (PareDtype)dtype : pare_infer_dtype (c, 0), pare_infer_shape (c, 0));
}

static gboolean
random_new (PareInfer *c)
{
  guint n;
  const gint64 *dims = pare_node_get_ints (c->node, "shape", &n);
  PareShape s = { .rank = dims != NULL && n <= PARE_MAX_RANK ? (int)n : -1 };
  for (int i = 0; i < s.rank; i++)
    s.dims[i] = dims[i] < 0 ? -1 : dims[i];
  return pare_infer_set (c, 0, (PareDtype)pare_node_get_int (c->node, "dtype", PARE_DTYPE_FLOAT32), &s);
}

static gboolean
softmax (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0);
  int axis;
  return (x->rank < 1 || pare_infer_axis (c, pare_node_get_int (c->node, "axis", -1), x->rank, &axis)) && same (c);
}

static gboolean
dropout (PareInfer *c)
{
  return same (c) && pare_infer_set (c, 1, PARE_DTYPE_BOOL, pare_infer_shape (c, 0));
}

/* The outputs of If are what both branches agree on. */
static gboolean
branch (PareInfer *c)
{
  const PareAttr *a = pare_node_get_attr (c->node, "then_branch"), *b = pare_node_get_attr (c->node, "else_branch");
  if (a == NULL || b == NULL || a->graph == NULL || b->graph == NULL)
    return pare_infer_fail (c, "a branch is missing");
  if (a->graph->n_outputs != c->node->n_outputs || b->graph->n_outputs != c->node->n_outputs)
    return pare_infer_fail (c, "%u outputs, its branches have %u and %u", c->node->n_outputs, a->graph->n_outputs, b->graph->n_outputs);
  for (guint i = 0; i < c->node->n_outputs; i++)
    {
      const PareValue *x = &a->graph->values[a->graph->outputs[i]], *y = &b->graph->values[b->graph->outputs[i]];
      PareShape s = x->shape;
      if (s.rank != y->shape.rank)
        s.rank = -1;
      for (int k = 0; k < s.rank; k++)
        if (s.dims[k] != y->shape.dims[k])
          s.dims[k] = -1;
      if (!pare_infer_set (c, i, x->dtype == y->dtype ? x->dtype : PARE_DTYPE_NONE, &s))
        return FALSE;
    }
  return TRUE;
}

/* States may change their shapes from turn to turn, and how many turns there are is seen when it runs. */
static gboolean
turns (PareInfer *c)
{
  const PareAttr *a = pare_node_get_attr (c->node, "body");
  guint skip = pare_node_is (c->node, "Loop") ? 1 : 0;
  if (a == NULL || a->graph == NULL || a->graph->n_outputs < skip + c->node->n_outputs)
    return pare_infer_fail (c, "its body is missing, or gives fewer values than it does");
  for (guint i = 0; i < c->node->n_outputs; i++)
    if (!pare_infer_set (c, i, a->graph->values[a->graph->outputs[skip + i]].dtype, NULL))
      return FALSE;
  return TRUE;
}

static const char *const names_same[] = { "Abs",
                                          "Acos",
                                          "Acosh",
                                          "Asin",
                                          "Asinh",
                                          "Atan",
                                          "Atanh",
                                          "BitwiseNot",
                                          "Ceil",
                                          "Celu",
                                          "Clip",
                                          "Cos",
                                          "Cosh",
                                          "Elu",
                                          "Erf",
                                          "Exp",
                                          "Floor",
                                          "Gelu",
                                          "HardSigmoid",
                                          "HardSwish",
                                          "Identity",
                                          "LeakyRelu",
                                          "Log",
                                          "Mish",
                                          "Neg",
                                          "Not",
                                          "Reciprocal",
                                          "Relu",
                                          "Round",
                                          "Selu",
                                          "Shrink",
                                          "Sigmoid",
                                          "Sign",
                                          "Sin",
                                          "Sinh",
                                          "Softplus",
                                          "Softsign",
                                          "Sqrt",
                                          "Swish",
                                          "Tan",
                                          "Tanh",
                                          "ThresholdedRelu",
                                          "Trilu",
                                          "LRN",
                                          "LpNormalization",
                                          "MeanVarianceNormalization",
                                          "PareQuantize",
                                          NULL };
static const char *const names_binary[]
    = { "Add", "Sub", "Mul", "Div", "Pow", "Mod", "And", "Or", "Xor", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", NULL };
static const char *const names_variadic[] = { "Max", "Min", "Sum", "Mean", NULL };
static const char *const names_compare[] = { "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", NULL };
static const PareInferRule rule_same = { .func = same }, rule_binary = { .func = elementwise, .needs = PARE_NEEDS (2) },
                           rule_variadic = { .func = elementwise }, rule_compare = { .func = compare, .needs = PARE_NEEDS (2) };
static const PareInferRule rules_here[] = {
  { "", "IsNaN", to_bool },
  { "", "IsInf", to_bool },
  { "", "Where", where, PARE_NEEDS (3) },
  { "", "PRelu", prelu, PARE_NEEDS (2) },
  { "", "Cast", cast },
  { "", "CastLike", cast_like, PARE_NEEDS (2) },
  { "", "RandomNormalLike", random_like },
  { "", "RandomUniformLike", random_like },
  { "", "Bernoulli", random_like },
  { "", "RandomNormal", random_new, PARE_NEEDS_NONE },
  { "", "RandomUniform", random_new, PARE_NEEDS_NONE },
  { "", "Dropout", dropout },
  { "", "Softmax", softmax },
  { "", "LogSoftmax", softmax },
  { "", "Hardmax", softmax },
  { "", "If", branch },
  { "", "Loop", turns, PARE_NEEDS_NONE },
  { "", "Scan", turns },
  { "", "CumSum", same, PARE_NEEDS (2) },
  { "", "GroupNormalization", same, PARE_NEEDS (3) },
  { "", "InstanceNormalization", same, PARE_NEEDS (3) },
  { "", "RMSNormalization", same, PARE_NEEDS (2) },
  { "", "ReverseSequence", same, PARE_NEEDS (2) },
  { "", "RotaryEmbedding", same, PARE_NEEDS (3) },
  { "", "Scatter", same, PARE_NEEDS (3) },
  { "", "ScatterElements", same, PARE_NEEDS (3) },
  { "", "ScatterND", same, PARE_NEEDS (3) },
  { "com.microsoft", "Gelu", same },
  { "com.microsoft", "FastGelu", same },
  { "com.microsoft", "QuickGelu", same },
  { "onnx.brevitas", "Quant", same, PARE_NEEDS (4) },
  { "qonnx.custom_op.general", "Quant", same, PARE_NEEDS (4) },
  { "com.microsoft", "BiasGelu", same, PARE_NEEDS (2) },
  { NULL, NULL, NULL },
};

static void
add_rules (GHashTable *table, const PareInferRule *rules)
{
  for (; rules->op != NULL; rules++)
    g_hash_table_insert (table, g_strconcat (rules->domain, ":", rules->op, NULL), (gpointer)rules);
}

static void
add_names (GHashTable *table, const char *const *names, const PareInferRule *rule)
{
  for (; *names != NULL; names++)
    g_hash_table_insert (table, g_strconcat (":", *names, NULL), (gpointer)rule);
}

/* (transfer none) NULL: an operator without a rule. */
static const PareInferRule *
find_rule (const PareNode *node)
{
  static gsize once = 0;
  static GHashTable *table = NULL;
  if (g_once_init_enter (&once))
    {
      table = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
      add_names (table, names_same, &rule_same);
      add_names (table, names_binary, &rule_binary);
      add_names (table, names_variadic, &rule_variadic);
      add_names (table, names_compare, &rule_compare);
      add_rules (table, rules_here);
      add_rules (table, pare_infer_rules_nn);
      add_rules (table, pare_infer_rules_move);
      add_rules (table, pare_infer_rules_quant);
      g_once_init_leave (&once, 1);
    }
  g_autofree char *key = g_strconcat (node->domain ? node->domain : "", ":", node->op, NULL);
  return g_hash_table_lookup (table, key);
}

gboolean
pare_infer_has_rule (const PareNode *node)
{
  return find_rule (node) != NULL;
}

char *
pare_node_dup_unknown (const PareNode *node)
{
  if (pare_decompose_has_rule (node))
    return g_strdup_printf ("%s with these attributes or operands is not supported", node->op);
  /* its channels lie in blocks of as many as that CPU's vectors hold: how many no file says */
  if (g_strcmp0 (node->domain, "com.microsoft.nchwc") == 0)
    return g_strdup (
        "ONNX Runtime wrote this operator for one kind of CPU; saved at the optimization level 'extended', the model runs anywhere");
  if (node->domain != NULL && *node->domain != '\0' && !g_str_equal (node->domain, "ai.onnx"))
    return g_strdup_printf ("operators of the domain %s are not supported", node->domain);
  return g_strdup_printf ("%s is not an operator that Pare runs", node->op);
}

/* Passes and kernels count on what their operators need. */
static gboolean
has_needed_inputs (const PareInferRule *rule, const PareNode *node)
{
  guint needs = rule->needs == 0 ? 1 : rule->needs & ~PARE_NEEDS_NONE;
  for (guint i = 0; needs >> i != 0; i++)
    if ((needs >> i & 1) != 0 && (i >= node->n_inputs || node->inputs[i] == PARE_NONE))
      return FALSE;
  return TRUE;
}

/* Nobody may read the first of several outputs; an operator that has but one is not complete without it. */
static gboolean
has_first_output (const PareNode *node)
{
  static const char *const several[] = { "Attention", "BatchNormalization",
                                         "Dropout",   "DynamicQuantizeLinear",
                                         "GRU",       "If",
                                         "LSTM",      "LayerNormalization",
                                         "Loop",      "MaxPool",
                                         "RNN",       "Scan",
                                         "Split",     "TopK",
                                         "Unique",    NULL };
  return node->n_outputs < 2 || node->outputs[0] != PARE_NONE || (node->domain != NULL && node->domain[0] != '\0')
         || g_strv_contains (several, node->op);
}

gboolean
pare_infer_node (PareGraph *graph, PareNodeId id, GError **error)
{
  PareInfer c = { graph, &graph->nodes[id], error };
  const PareInferRule *rule = find_rule (c.node);
  if (rule == NULL)
    return TRUE;
  if (!has_needed_inputs (rule, c.node))
    return pare_infer_fail (&c, "inputs are missing");
  if (!has_first_output (c.node))
    return pare_infer_fail (&c, "its output is missing");
  return rule->func (&c);
}
