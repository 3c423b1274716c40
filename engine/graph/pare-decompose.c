/* Operators that ONNX defines through others, written out for the twin that runs: what remains are operators with kernels. */
#include "engine/graph/pare-writer.h"

#include <string.h>

/* --- the operators; FALSE: left as it is --- */

/* 1 where the first greatest stands, else 0. */
static gboolean
hardmax (PareWriter *w, const PareNode *node)
{
  const PareShape *s = pare_writer_shape (w, w->in[0]);
  gint64 axis = pare_node_get_int (node, "axis", -1);
  if (s->rank < 1 || axis < -s->rank || axis >= s->rank)
    return FALSE;
  axis += axis < 0 ? s->rank : 0;
  gint64 depth = s->dims[axis];
  if (depth < 1 || pare_writer_dtype (w, w->in[0]) != PARE_DTYPE_FLOAT32)
    return FALSE;
  PareShape two = pare_shape_make (1, (gint64)2);
  g_autoptr (PareTensor) values = pare_tensor_new (PARE_DTYPE_FLOAT32, &two, NULL);
  ((float *)values->data)[1] = 1;
  PareValueId where = pare_graph_add_value (w->graph, "ArgMax", PARE_DTYPE_INT64, NULL, PARE_NONE);
  PareNode *first = pare_write_to (w, "ArgMax", where, &w->in[0], 1);
  pare_node_set_int (first, "axis", axis);
  pare_node_set_int (first, "keepdims", 0);
  PareValueId in[3] = { where, pare_write_ints (w, &depth, 1), pare_write_constant (w, "values", values) };
  pare_node_set_int (pare_write_to (w, "OneHot", w->out[0], in, 3), "axis", axis);
  return TRUE;
}

/* (x - mean) / (std + 1e-9) over `axes`. */
static gboolean
mean_variance (PareWriter *w, const PareNode *node)
{
  static const gint64 usual[] = { 0, 2, 3 };
  guint n = G_N_ELEMENTS (usual);
  const gint64 *axes = pare_node_get_ints (node, "axes", &n);
  PareDtype dtype = pare_writer_dtype (w, w->in[0]);
  if (dtype != PARE_DTYPE_FLOAT32)
    return FALSE;
  PareValueId over = pare_write_ints (w, axes != NULL ? axes : usual, axes != NULL ? n : G_N_ELEMENTS (usual));
  PareValueId centred = pare_write (w, "Sub", dtype, w->in[0], pare_write_reduce (w, "ReduceMean", w->in[0], over, TRUE));
  PareValueId variance = pare_write_reduce (w, "ReduceMean", pare_write (w, "Mul", dtype, centred, centred), over, TRUE);
  PareValueId in[2]
      = { centred, pare_write (w, "Add", dtype, pare_write (w, "Sqrt", dtype, variance, PARE_NONE), pare_write_number (w, 1e-9f)) };
  pare_write_to (w, "Div", w->out[0], in, 2);
  return TRUE;
}

/* A statistic that goes on: what was, times the momentum, and what is. */
static void
write_running (PareWriter *w, PareValueId was, PareValueId is, float momentum, PareValueId output)
{
  const PareDtype f = PARE_DTYPE_FLOAT32;
  const PareValueId in[2] = { pare_write (w, "Mul", f, was, pare_write_number (w, momentum)),
                              pare_write (w, "Mul", f, is, pare_write_number (w, 1 - momentum)) };
  pare_write_to (w, "Add", output, in, 2);
}

/* In training mode: by the statistics of what it reads. Exporters write so weights that a network standardizes each time it runs. */
static gboolean
batch_statistics (PareWriter *w, const PareNode *node)
{
  const PareDtype f = PARE_DTYPE_FLOAT32;
  int rank = pare_writer_shape (w, w->in[0])->rank;
  float momentum = pare_node_get_float (node, "momentum", 0.9f);
  if (pare_node_get_int (node, "training_mode", 0) == 0 || !pare_writer_is_float (w, w->in[0]) || rank < 2 || w->out[0] == PARE_NONE)
    return FALSE;
  for (guint i = 1; i < 5; i++)
    if (w->in[i] == PARE_NONE || pare_writer_dtype (w, w->in[i]) != f)
      return FALSE;
  gint64 axes[PARE_MAX_RANK], behind[PARE_MAX_RANK];
  for (int i = 0; i < rank - 1; i++)
    {
      axes[i] = i == 0 ? 0 : i + 1;
      behind[i] = i + 1;
    }
  PareValueId over = pare_write_ints (w, axes, (guint)rank - 1),
              epsilon = pare_write_number (w, pare_node_get_float (node, "epsilon", 1e-5f)),
              centred = pare_write (w, "Sub", f, w->in[0], pare_write_reduce (w, "ReduceMean", w->in[0], over, TRUE)),
              square = pare_write (w, "Mul", f, centred, centred);
  PareValueId root
      = pare_write (w, "Sqrt", f, pare_write (w, "Add", f, pare_write_reduce (w, "ReduceMean", square, over, TRUE), epsilon), PARE_NONE);
  PareValueId scale = rank > 2 ? pare_write_unsqueeze (w, w->in[1], behind, (guint)rank - 2) : w->in[1],
              offset = rank > 2 ? pare_write_unsqueeze (w, w->in[2], behind, (guint)rank - 2) : w->in[2];
  const PareValueId in[2] = { pare_write (w, "Mul", f, pare_write (w, "Div", f, centred, root), scale), offset };
  pare_write_to (w, "Add", w->out[0], in, 2);
  if (w->out[1] != PARE_NONE)
    write_running (w, w->in[3], pare_write_reduce (w, "ReduceMean", w->in[0], over, FALSE), momentum, w->out[1]);
  if (w->out[2] != PARE_NONE)
    write_running (w, w->in[4], pare_write_reduce (w, "ReduceMean", square, over, FALSE), momentum, w->out[2]);
  return TRUE;
}

/* Ones on the k-th diagonal of a matrix of known extents. */
static gboolean
eye_like (PareWriter *w, const PareNode *node)
{
  const PareShape *s = pare_writer_shape (w, w->in[0]);
  gint64 k = pare_node_get_int (node, "k", 0), to = pare_node_get_int (node, "dtype", (gint64)pare_writer_dtype (w, w->in[0]));
  if (s->rank != 2 || s->dims[0] < 0 || s->dims[1] < 0 || pare_dtype_bits ((PareDtype)to) == 0 || k <= -s->dims[0] - 1
      || k >= s->dims[1] + 1)
    return FALSE;
  g_autoptr (PareTensor) eye = pare_tensor_new (PARE_DTYPE_FLOAT32, s, NULL);
  if (eye == NULL)
    return FALSE;
  for (gint64 i = MAX (0, -k); i < s->dims[0] && i + k < s->dims[1]; i++)
    ((float *)eye->data)[i * s->dims[1] + i + k] = 1;
  g_autoptr (PareTensor) typed = pare_tensor_cast (eye, (PareDtype)to, NULL);
  if (typed == NULL)
    return FALSE;
  PareValueId value = pare_write_constant (w, "eye", typed);
  pare_write_to (w, "Identity", w->out[0], &value, 1);
  return TRUE;
}

/* A power whose operands are not both floats of one type: as ONNX Runtime, in double precision where integers are involved. */
static gboolean
power (PareWriter *w, const PareNode *node)
{
  PareDtype a = pare_writer_dtype (w, w->in[0]), b = w->in[1] != PARE_NONE ? pare_writer_dtype (w, w->in[1]) : PARE_DTYPE_NONE;
  if (b == PARE_DTYPE_NONE || a == PARE_DTYPE_NONE || (a == b && (a == PARE_DTYPE_FLOAT32 || a == PARE_DTYPE_FLOAT64)))
    return FALSE;
  PareDtype in = a == PARE_DTYPE_FLOAT32 ? PARE_DTYPE_FLOAT32 : PARE_DTYPE_FLOAT64;
  PareValueId x = a == in ? w->in[0] : pare_write_cast (w, w->in[0], in, PARE_NONE),
              y = b == in ? w->in[1] : pare_write_cast (w, w->in[1], in, PARE_NONE);
  PareValueId operands[2] = { x, y };
  if (a == in)
    pare_write_to (w, "Pow", w->out[0], operands, 2);
  else
    pare_write_cast (w, pare_write (w, "Pow", in, x, y), a, w->out[0]);
  return TRUE;
}

/* Outside training all of x passes, and a mask says so. (A ratio of 0 passes all of it in training, too.) */
static gboolean
dropout (PareWriter *w, const PareNode *node)
{
  PareTensor *training = pare_node_input_constant (w->graph, node, 2), *ratio = pare_node_input_constant (w->graph, node, 1);
  gboolean off = w->in[2] == PARE_NONE || (training != NULL && pare_tensor_count (training) == 1 && pare_tensor_get_int (training, 0) == 0)
                 || (ratio != NULL && pare_tensor_count (ratio) == 1 && pare_tensor_get_double (ratio, 0) == 0);
  const PareShape *s = pare_writer_shape (w, w->in[0]);
  if (!off || (w->out[1] == PARE_NONE && w->in[2] == PARE_NONE) || (w->out[1] != PARE_NONE && pare_shape_count (s) < 0))
    return FALSE;
  if (w->out[1] != PARE_NONE)
    {
      g_autoptr (PareTensor) mask = pare_tensor_new (PARE_DTYPE_BOOL, s, NULL);
      if (mask == NULL)
        return FALSE;
      memset (mask->data, 1, mask->bytes);
      PareValueId all = pare_write_constant (w, "mask", mask);
      pare_write_to (w, "Identity", w->out[1], &all, 1);
    }
  if (w->out[0] != PARE_NONE)
    pare_write_to (w, "Identity", w->out[0], &w->in[0], 1);
  return TRUE;
}

/* layout 1: the batch comes first in x, in the states and in what is computed. */
static gboolean
batch_first (PareWriter *w, const PareNode *node)
{
  static const gint64 swap[] = { 1, 0, 2 }, sequence[] = { 2, 0, 1, 3 };
  if (pare_node_get_int (node, "layout", 0) != 1)
    return FALSE;
  guint n_in = node->n_inputs, n_out = node->n_outputs;
  PareValueId in[8], out[3];
  for (guint i = 0; i < n_in; i++)
    in[i] = w->in[i] != PARE_NONE && (i == 0 || i == 5 || i == 6) ? pare_write_transpose (w, w->in[i], swap, 3, PARE_NONE) : w->in[i];
  for (guint i = 0; i < n_out; i++)
    out[i] = w->out[i] != PARE_NONE ? pare_graph_add_value (w->graph, "steps", PARE_DTYPE_FLOAT32, NULL, PARE_NONE) : PARE_NONE;
  PareNodeId id = pare_graph_add_node (w->graph, node->op, w->name, in, n_in, out, n_out, w->origin, w->role);
  PareNode *made = &w->graph->nodes[id];
  made->layer = w->layer;
  pare_node_add_attrs (made, node, "layout");
  g_array_append_val (w->made, id);
  for (guint i = 0; i < n_out; i++)
    if (out[i] != PARE_NONE)
      pare_write_transpose (w, out[i], i == 0 ? sequence : swap, i == 0 ? 4 : 3, w->out[i]);
  return TRUE;
}

/* x / sqrt (mean (x^2) + epsilon) * scale over the extents from `axis` on. */
static gboolean
rms_norm (PareWriter *w, const PareNode *node)
{
  const PareDtype f = PARE_DTYPE_FLOAT32;
  int rank = pare_writer_shape (w, w->in[0])->rank;
  gint64 axis = pare_node_get_int (node, "axis", -1), axes[PARE_MAX_RANK];
  axis += axis < 0 ? rank : 0;
  if (!pare_writer_is_float (w, w->in[0]) || w->in[1] == PARE_NONE || node->n_outputs > 1 || axis < 0 || axis >= rank)
    return FALSE;
  for (int i = (int)axis; i < rank; i++)
    axes[i - axis] = i;
  PareValueId over = pare_write_ints (w, axes, (guint)(rank - axis)),
              epsilon = pare_write_number (w, pare_node_get_float (node, "epsilon", 1e-5f));
  PareValueId mean = pare_write_reduce (w, "ReduceMean", pare_write (w, "Mul", f, w->in[0], w->in[0]), over, TRUE);
  PareValueId root = pare_write (w, "Sqrt", f, pare_write (w, "Add", f, mean, epsilon), PARE_NONE);
  PareValueId in[2] = { pare_write (w, "Div", f, w->in[0], root), w->in[1] };
  pare_write_to (w, "Mul", w->out[0], in, 2);
  return TRUE;
}

/* Whole numbers of 32 and 64 bits (counts and masks, never a network's weights): every product, and the sum of those. */
static gboolean
whole_matmul (PareWriter *w, PareDtype dtype)
{
  const PareShape *a = pare_writer_shape (w, w->in[0]), *b = pare_writer_shape (w, w->in[1]);
  static const gint64 columns[] = { -1 }, rows[] = { -3 }, terms[] = { -2 };
  gint64 n = a->rank >= 2 && b->rank >= 2 ? pare_shape_count (a) : -1;
  if (n < 0 || MAX (a->rank, b->rank) >= PARE_MAX_RANK || pare_shape_count (b) < 0
      || __builtin_mul_overflow (n, pare_shape_count (b) / MAX (1, b->dims[b->rank - 2]), &n) || n > 1 << 24)
    return FALSE;
  PareValueId x = pare_write (w, "Unsqueeze", dtype, w->in[0], pare_write_ints (w, columns, 1));
  PareValueId y = pare_write (w, "Unsqueeze", dtype, w->in[1], pare_write_ints (w, rows, 1));
  PareValueId in[2] = { pare_write (w, "Mul", dtype, x, y), pare_write_ints (w, terms, 1) };
  pare_node_set_int (pare_write_to (w, "ReduceSum", w->out[0], in, 2), "keepdims", 0);
  return TRUE;
}

/* A vector is a matrix of one row on the left, of one column on the right, and that extent is no part of the product. */
static gboolean
matmul (PareWriter *w, const PareNode *node)
{
  if (w->in[1] == PARE_NONE)
    return FALSE;
  int a = pare_writer_shape (w, w->in[0])->rank, b = pare_writer_shape (w, w->in[1])->rank;
  PareDtype dtype = pare_writer_dtype (w, w->in[0]);
  static const gint64 front[] = { 0 }, back[] = { 1 };
  gint64 out[2];
  guint n = 0;
  if (a < 1 || b < 1)
    return FALSE;
  if (a > 1 && b > 1)
    return pare_decompose_product_of_blocks (w, node)
           || ((dtype == PARE_DTYPE_INT32 || dtype == PARE_DTYPE_INT64) && whole_matmul (w, dtype));
  PareValueId x = a == 1 ? pare_write (w, "Unsqueeze", dtype, w->in[0], pare_write_ints (w, front, 1)) : w->in[0];
  PareValueId y = b == 1 ? pare_write (w, "Unsqueeze", dtype, w->in[1], pare_write_ints (w, back, 1)) : w->in[1];
  if (a == 1)
    out[n++] = -2;
  if (b == 1)
    out[n++] = -1;
  PareValueId in[2] = { pare_write (w, "MatMul", dtype, x, y), pare_write_ints (w, out, n) };
  pare_write_to (w, "Squeeze", w->out[0], in, 2);
  return TRUE;
}

/* Until opset 21 scale and bias were of groups; those that are computed become those of channels as the model runs. */
static gboolean
group_norm (PareWriter *w, const PareNode *node)
{
  const PareShape *x = pare_writer_shape (w, w->in[0]);
  gint64 groups = pare_node_get_int (node, "num_groups", 0), channels = x->rank > 1 ? x->dims[1] : 0;
  if (w->in[1] == PARE_NONE || w->in[2] == PARE_NONE || groups < 1 || channels <= groups || channels % groups != 0
      || (pare_shape_count (pare_writer_shape (w, w->in[1])) != groups && pare_shape_count (pare_writer_shape (w, w->in[2])) != groups))
    return FALSE;
  const gint64 column[] = { groups, 1 }, wide[] = { groups, channels / groups }, row[] = { channels };
  PareValueId in[3] = { w->in[0], w->in[1], w->in[2] };
  for (guint i = 1; i < 3; i++)
    if (pare_shape_count (pare_writer_shape (w, in[i])) == groups)
      {
        PareValueId each = pare_write_reshape (w, in[i], column, 2, PARE_NONE);
        in[i] = pare_write_reshape (w, pare_write (w, "Expand", pare_writer_dtype (w, in[i]), each, pare_write_ints (w, wide, 2)), row, 1,
                                    PARE_NONE);
      }
  pare_node_add_attrs (pare_write_to (w, "GroupNormalization", w->out[0], in, 3), node, NULL);
  return TRUE;
}

/* The norm of each channel: (sum of |x|^p)^(1/p). */
static gboolean
global_lp_pool (PareWriter *w, const PareNode *node)
{
  gint64 p = pare_node_get_int (node, "p", 2), axes[PARE_MAX_RANK];
  int rank = pare_writer_shape (w, w->in[0])->rank;
  if (!pare_writer_is_float (w, w->in[0]) || rank < 3 || p < 1 || p > 64)
    return FALSE;
  for (int i = 2; i < rank; i++)
    axes[i - 2] = i;
  PareValueId over = pare_write_ints (w, axes, (guint)rank - 2), in[2] = { w->in[0], over };
  if (p <= 2)
    {
      pare_write_to (w, p == 1 ? "ReduceL1" : "ReduceL2", w->out[0], in, 2);
      return TRUE;
    }
  PareValueId powers = pare_write (w, "Pow", PARE_DTYPE_FLOAT32, pare_write (w, "Abs", PARE_DTYPE_FLOAT32, w->in[0], PARE_NONE),
                                   pare_write_number (w, (float)p));
  in[0] = pare_write_reduce (w, "ReduceSum", powers, over, TRUE);
  in[1] = pare_write_number (w, 1 / (float)p);
  pare_write_to (w, "Pow", w->out[0], in, 2);
  return TRUE;
}

/* Layers of doubles that ONNX Runtime knows run on floats, as those of half precision do. What computes numbers one by one stays double. */
static gboolean
is_layer_of_doubles (const PareGraph *graph, const PareNode *node)
{
  static const char *const names[]
      = { "BatchNormalization", "Einsum", "Gemm", "LayerNormalization", "LogSoftmax", "MatMul", "MaxPool", "Softmax", NULL };
  return (node->domain == NULL || *node->domain == '\0') && g_strv_contains (names, node->op) && node->n_inputs > 0
         && node->inputs[0] != PARE_NONE && graph->values[node->inputs[0]].dtype == PARE_DTYPE_FLOAT64;
}

static gboolean
through_floats (PareWriter *w, const PareNode *node)
{
  PareValueId in[G_N_ELEMENTS (w->in)], out[G_N_ELEMENTS (w->out)];
  for (guint i = 0; i < node->n_inputs; i++)
    in[i] = w->in[i] != PARE_NONE && pare_writer_dtype (w, w->in[i]) == PARE_DTYPE_FLOAT64
                ? pare_write_cast (w, w->in[i], PARE_DTYPE_FLOAT32, PARE_NONE)
                : w->in[i];
  memcpy (out, w->out, sizeof out); /* those behind the first are indices, or statistics in float32 anyway */
  if (w->out[0] == PARE_NONE)
    return FALSE;
  out[0] = pare_graph_add_value (w->graph, node->op, PARE_DTYPE_FLOAT32, NULL, PARE_NONE);
  pare_node_add_attrs (pare_write_many (w, node->op, out, node->n_outputs, in, node->n_inputs), node, NULL);
  pare_write_cast (w, out[0], PARE_DTYPE_FLOAT64, w->out[0]);
  return TRUE;
}

static const PareDecomposeRule rules_here[] = {
  { "", "Hardmax", hardmax },
  { "", "BatchNormalization", batch_statistics },
  { "", "MeanVarianceNormalization", mean_variance },
  { "", "EyeLike", eye_like },
  { "", "Pow", power },
  { "", "Dropout", dropout },
  { "", "GroupNormalization", group_norm },
  { "", "RMSNormalization", rms_norm },
  { "", "SimplifiedLayerNormalization", rms_norm },
  { "", "GlobalLpPool", global_lp_pool },
  { "", "MatMul", matmul },
  { "", "LSTM", batch_first },
  { "", "GRU", batch_first },
  { "", "RNN", batch_first },
  { NULL, NULL, NULL },
};

/* Operator -> its rules, in order. */
static gpointer
index_rules (gpointer unused)
{
  const PareDecomposeRule *const lists[] = { rules_here,
                                             pare_decompose_rules_attention,
                                             pare_decompose_rules_contrib,
                                             pare_decompose_rules_integer,
                                             pare_decompose_rules_channels,
                                             pare_decompose_rules_signal,
                                             pare_decompose_rules_einsum,
                                             pare_decompose_rules_values,
                                             pare_decompose_rules_pool,
                                             pare_decompose_rules_image,
                                             pare_decompose_rules_grouped,
                                             pare_decompose_rules_random,
                                             pare_decompose_rules_sequence,
                                             pare_decompose_rules_blocks,
                                             pare_decompose_rules_experts,
                                             pare_decompose_rules_loss,
                                             pare_decompose_rules_old,
                                             pare_decompose_rules_learn };
  GHashTable *rules = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    for (const PareDecomposeRule *rule = lists[i]; rule->domain != NULL; rule++)
      g_hash_table_insert (rules, (gpointer)rule->op, g_slist_append (g_hash_table_lookup (rules, rule->op), (gpointer)rule));
  return rules;
}

static PareDecomposeFunc
find_rule (const PareNode *node)
{
  static GOnce once = G_ONCE_INIT; /* nodes are asked about at every edit */
  const char *domain = node->domain == NULL || g_str_equal (node->domain, "ai.onnx") ? "" : node->domain;
  for (GSList *l = g_hash_table_lookup (g_once (&once, index_rules, NULL), node->op); l != NULL; l = l->next)
    {
      const PareDecomposeRule *rule = l->data;
      if (g_str_equal (rule->domain, domain))
        return rule->func;
    }
  return NULL;
}

gboolean
pare_decompose_has_rule (const PareNode *node)
{
  return find_rule (node) != NULL;
}

gboolean
pare_decompose_node (PareGraph *graph, PareNodeId id, GArray *made)
{
  const PareNode node = graph->nodes[id];
  PareDecomposeFunc func = is_layer_of_doubles (graph, &node) ? through_floats : find_rule (&node);
  if (func == NULL)
    return FALSE;
  PareWriter w = { .graph = graph, .name = node.name, .layer = node.layer, .origin = node.origin, .role = node.role, .made = made };
  for (guint i = 0; i < G_N_ELEMENTS (w.in); i++)
    w.in[i] = i < node.n_inputs ? node.inputs[i] : PARE_NONE;
  for (guint i = 0; i < G_N_ELEMENTS (w.out); i++)
    w.out[i] = i < node.n_outputs ? node.outputs[i] : PARE_NONE;
  gboolean reads = node.n_inputs > 0 || !(pare_node_is (&node, "RandomNormal") || pare_node_is (&node, "RandomUniform"));
  if ((reads && w.in[0] == PARE_NONE) || node.n_inputs > G_N_ELEMENTS (w.in) || node.n_outputs == 0 || node.n_outputs > G_N_ELEMENTS (w.out)
      || (w.out[0] == PARE_NONE && node.n_outputs == 1) || !func (&w, &node))
    return FALSE;
  pare_graph_remove_node (graph, id);
  return TRUE;
}
