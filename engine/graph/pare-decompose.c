/* Operators that ONNX defines through others, written out for the twin that runs: what remains are operators with kernels. */
#include "engine/graph/pare-graph-private.h"

#include <string.h>

/* The node's inputs and outputs, kept while nodes take its place. */
typedef struct
{
  PareGraph *graph;
  const char *name, *layer;
  PareNodeId origin;
  PareRole role;
  PareValueId in[8], out[4]; /* PARE_NONE: omitted */
  GArray *made;              /* PareNodeId, in the order in which they run */
} Writer;

static PareDtype
dtype_of (const Writer *w, PareValueId value)
{
  return w->graph->values[value].dtype;
}

static const PareShape *
shape_of (const Writer *w, PareValueId value)
{
  return &w->graph->values[value].shape;
}

/* A node that writes `output`. */
static PareNode *
write_to (Writer *w, const char *op, PareValueId output, const PareValueId *in, guint n)
{
  g_autofree char *name = w->name[0] != '\0' ? g_strconcat (w->name, "/", op, NULL) : g_strdup ("");
  PareNodeId id = pare_graph_add_node (w->graph, op, name, in, n, &output, 1, w->origin, w->role);
  PareNode *node = &w->graph->nodes[id];
  g_free (node->layer);
  node->layer = g_strdup (w->layer);
  g_array_append_val (w->made, id);
  return node;
}

/* A node that writes a value of its own, which is returned; b PARE_NONE: one operand. */
static PareValueId
put (Writer *w, const char *op, PareDtype dtype, PareValueId a, PareValueId b)
{
  PareValueId out = pare_graph_add_value (w->graph, op, dtype, NULL, PARE_NONE), in[2] = { a, b };
  write_to (w, op, out, in, b == PARE_NONE ? 1 : 2);
  return out;
}

static PareValueId
cast (Writer *w, PareValueId x, PareDtype to, PareValueId output)
{
  PareValueId out = output != PARE_NONE ? output : pare_graph_add_value (w->graph, "Cast", to, NULL, PARE_NONE);
  pare_node_set_int (write_to (w, "Cast", out, &x, 1), "to", (gint64)to);
  return out;
}

static PareValueId
transpose (Writer *w, PareValueId x, const gint64 *perm, guint n, PareValueId output)
{
  PareValueId out = output != PARE_NONE ? output : pare_graph_add_value (w->graph, "Transpose", dtype_of (w, x), NULL, PARE_NONE);
  pare_node_set_ints (write_to (w, "Transpose", out, &x, 1), "perm", perm, n);
  return out;
}

static void
copy_attrs (PareNode *to, const PareNode *from, const char *but)
{
  for (guint i = 0; i < from->n_attrs; i++)
    if (g_strcmp0 (from->attrs[i].name, but) != 0)
      {
        PareAttr *attr = pare_node_push_attr (to, NULL, PARE_ATTR_OTHER);
        g_free (attr->name);
        pare_attr_copy_to (&from->attrs[i], attr);
      }
}

static PareValueId
constant (Writer *w, const char *what, PareTensor *t)
{
  return pare_graph_add_constant (w->graph, what, t, PARE_NONE);
}

static PareValueId
number (Writer *w, float value)
{
  g_autoptr (PareTensor) t = pare_tensor_new_scalar_f32 (value);
  return constant (w, "number", t);
}

static PareValueId
ints (Writer *w, const gint64 *values, guint n)
{
  g_autoptr (PareTensor) t = pare_tensor_new_i64 (values, n);
  return constant (w, "axes", t);
}

/* The mean over axes, which stay with extent 1; axes PARE_NONE: over all of them. */
static PareValueId
reduce (Writer *w, const char *op, PareValueId x, PareValueId axes, gboolean keep)
{
  PareValueId out = pare_graph_add_value (w->graph, op, dtype_of (w, x), NULL, PARE_NONE), in[2] = { x, axes };
  pare_node_set_int (write_to (w, op, out, in, axes == PARE_NONE ? 1 : 2), "keepdims", keep);
  return out;
}

/* --- the operators; FALSE: left as it is --- */

/* 1 where the first greatest stands, else 0. */
static gboolean
hardmax (Writer *w, const PareNode *node)
{
  const PareShape *s = shape_of (w, w->in[0]);
  gint64 axis = pare_node_get_int (node, "axis", -1);
  if (s->rank < 1 || axis < -s->rank || axis >= s->rank)
    return FALSE;
  axis += axis < 0 ? s->rank : 0;
  gint64 depth = s->dims[axis];
  if (depth < 1 || dtype_of (w, w->in[0]) != PARE_DTYPE_FLOAT32)
    return FALSE;
  PareShape two = pare_shape_make (1, (gint64)2);
  g_autoptr (PareTensor) values = pare_tensor_new (PARE_DTYPE_FLOAT32, &two, NULL);
  ((float *)values->data)[1] = 1;
  PareValueId where = pare_graph_add_value (w->graph, "ArgMax", PARE_DTYPE_INT64, NULL, PARE_NONE);
  PareNode *first = write_to (w, "ArgMax", where, &w->in[0], 1);
  pare_node_set_int (first, "axis", axis);
  pare_node_set_int (first, "keepdims", 0);
  PareValueId in[3] = { where, ints (w, &depth, 1), constant (w, "values", values) };
  pare_node_set_int (write_to (w, "OneHot", w->out[0], in, 3), "axis", axis);
  return TRUE;
}

/* (x - mean) / (std + 1e-9) over `axes`. */
static gboolean
mean_variance (Writer *w, const PareNode *node)
{
  static const gint64 usual[] = { 0, 2, 3 };
  guint n = G_N_ELEMENTS (usual);
  const gint64 *axes = pare_node_get_ints (node, "axes", &n);
  PareDtype dtype = dtype_of (w, w->in[0]);
  if (dtype != PARE_DTYPE_FLOAT32)
    return FALSE;
  PareValueId over = ints (w, axes != NULL ? axes : usual, axes != NULL ? n : G_N_ELEMENTS (usual));
  PareValueId centred = put (w, "Sub", dtype, w->in[0], reduce (w, "ReduceMean", w->in[0], over, TRUE));
  PareValueId variance = reduce (w, "ReduceMean", put (w, "Mul", dtype, centred, centred), over, TRUE);
  PareValueId in[2] = { centred, put (w, "Add", dtype, put (w, "Sqrt", dtype, variance, PARE_NONE), number (w, 1e-9f)) };
  write_to (w, "Div", w->out[0], in, 2);
  return TRUE;
}

/* Ones on the k-th diagonal of a matrix of known extents. */
static gboolean
eye_like (Writer *w, const PareNode *node)
{
  const PareShape *s = shape_of (w, w->in[0]);
  gint64 k = pare_node_get_int (node, "k", 0), to = pare_node_get_int (node, "dtype", (gint64)dtype_of (w, w->in[0]));
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
  PareValueId value = constant (w, "eye", typed);
  write_to (w, "Identity", w->out[0], &value, 1);
  return TRUE;
}

/* A power whose operands are not both floats of one type: as ONNX Runtime, in double precision where integers are involved. */
static gboolean
power (Writer *w, const PareNode *node)
{
  PareDtype a = dtype_of (w, w->in[0]), b = w->in[1] != PARE_NONE ? dtype_of (w, w->in[1]) : PARE_DTYPE_NONE;
  if (b == PARE_DTYPE_NONE || a == PARE_DTYPE_NONE || (a == b && (a == PARE_DTYPE_FLOAT32 || a == PARE_DTYPE_FLOAT64)))
    return FALSE;
  PareDtype in = a == PARE_DTYPE_FLOAT32 ? PARE_DTYPE_FLOAT32 : PARE_DTYPE_FLOAT64;
  PareValueId x = a == in ? w->in[0] : cast (w, w->in[0], in, PARE_NONE), y = b == in ? w->in[1] : cast (w, w->in[1], in, PARE_NONE);
  PareValueId operands[2] = { x, y };
  if (a == in)
    write_to (w, "Pow", w->out[0], operands, 2);
  else
    cast (w, put (w, "Pow", in, x, y), a, w->out[0]);
  return TRUE;
}

/* Outside training all of x passes, and a mask says so. (A ratio of 0 passes all of it in training, too.) */
static gboolean
dropout (Writer *w, const PareNode *node)
{
  PareTensor *training = pare_node_input_constant (w->graph, node, 2), *ratio = pare_node_input_constant (w->graph, node, 1);
  gboolean off = w->in[2] == PARE_NONE || (training != NULL && pare_tensor_count (training) == 1 && pare_tensor_get_int (training, 0) == 0)
                 || (ratio != NULL && pare_tensor_count (ratio) == 1 && pare_tensor_get_double (ratio, 0) == 0);
  const PareShape *s = shape_of (w, w->in[0]);
  if (!off || (w->out[1] == PARE_NONE && w->in[2] == PARE_NONE) || (w->out[1] != PARE_NONE && pare_shape_count (s) < 0))
    return FALSE;
  if (w->out[1] != PARE_NONE)
    {
      g_autoptr (PareTensor) mask = pare_tensor_new (PARE_DTYPE_BOOL, s, NULL);
      if (mask == NULL)
        return FALSE;
      memset (mask->data, 1, mask->bytes);
      PareValueId all = constant (w, "mask", mask);
      write_to (w, "Identity", w->out[1], &all, 1);
    }
  if (w->out[0] != PARE_NONE)
    write_to (w, "Identity", w->out[0], &w->in[0], 1);
  return TRUE;
}

/* x to 8 bits on the grid that its own range asks for: scale = (max - min) / 255 of a range that holds 0. */
static gboolean
dynamic_quantize (Writer *w, const PareNode *node)
{
  const PareDtype f = PARE_DTYPE_FLOAT32;
  if (dtype_of (w, w->in[0]) != f)
    return FALSE;
  PareValueId zero = number (w, 0), top = number (w, 255);
  PareValueId greatest = put (w, "Max", f, reduce (w, "ReduceMax", w->in[0], PARE_NONE, FALSE), zero);
  PareValueId least = put (w, "Min", f, reduce (w, "ReduceMin", w->in[0], PARE_NONE, FALSE), zero);
  PareValueId scale = w->out[1] != PARE_NONE ? w->out[1] : pare_graph_add_value (w->graph, "scale", f, NULL, PARE_NONE);
  PareValueId range[2] = { put (w, "Sub", f, greatest, least), top };
  write_to (w, "Div", scale, range, 2);
  PareValueId offset = put (w, "Div", f, put (w, "Sub", f, zero, least), scale);
  PareValueId clip[3] = { put (w, "Round", f, offset, PARE_NONE), zero, top };
  PareValueId clipped = pare_graph_add_value (w->graph, "Clip", f, NULL, PARE_NONE);
  write_to (w, "Clip", clipped, clip, 3);
  PareValueId point = cast (w, clipped, PARE_DTYPE_UINT8, w->out[2]);
  if (w->out[0] != PARE_NONE)
    {
      PareValueId in[3] = { w->in[0], scale, point };
      write_to (w, "QuantizeLinear", w->out[0], in, 3);
    }
  return TRUE;
}

/* Codes less their zero point, as floats, in which all of them and products of two are exact; one zero point to a row of a, a column of b,
 * or to an output channel: `zero` then gets ones behind it until it has `rank` extents. */
static PareValueId
centred (Writer *w, PareValueId codes, PareValueId zero, int trailing)
{
  PareValueId x = cast (w, codes, PARE_DTYPE_FLOAT32, PARE_NONE);
  if (zero == PARE_NONE)
    return x;
  PareValueId z = cast (w, zero, PARE_DTYPE_FLOAT32, PARE_NONE);
  if (shape_of (w, zero)->rank > 0 && trailing > 0)
    {
      gint64 axes[PARE_MAX_RANK];
      for (int i = 0; i < trailing; i++)
        axes[i] = 1 + i;
      z = put (w, "Unsqueeze", PARE_DTYPE_FLOAT32, z, ints (w, axes, (guint)trailing));
    }
  return put (w, "Sub", PARE_DTYPE_FLOAT32, x, z);
}

/* Sums of products of codes are taken in float32: exact up to 2^24, beyond it right to its last bit, which scales of float32 cannot tell
 * either. */
static gboolean
matmul_integer (Writer *w, const PareNode *node)
{
  if (w->in[1] == PARE_NONE || shape_of (w, w->in[0])->rank < 1 || shape_of (w, w->in[1])->rank < 1)
    return FALSE;
  gboolean rows = w->in[2] != PARE_NONE && shape_of (w, w->in[2])->rank == 1 && shape_of (w, w->in[0])->rank > 1;
  PareValueId a = centred (w, w->in[0], w->in[2], rows ? 1 : 0), b = centred (w, w->in[1], w->in[3], 0);
  cast (w, put (w, "MatMul", PARE_DTYPE_FLOAT32, a, b), PARE_DTYPE_INT32, w->out[0]);
  return TRUE;
}

static gboolean
conv_integer (Writer *w, const PareNode *node)
{
  if (w->in[1] == PARE_NONE || shape_of (w, w->in[1])->rank < 3)
    return FALSE;
  PareValueId in[2] = { centred (w, w->in[0], w->in[2], 0), centred (w, w->in[1], w->in[3], shape_of (w, w->in[1])->rank - 1) };
  PareValueId sum = pare_graph_add_value (w->graph, "Conv", PARE_DTYPE_FLOAT32, NULL, PARE_NONE);
  copy_attrs (write_to (w, "Conv", sum, in, 2), node, NULL);
  cast (w, sum, PARE_DTYPE_INT32, w->out[0]);
  return TRUE;
}

/* layout 1: the batch comes first in x, in the states and in what is computed. */
static gboolean
batch_first (Writer *w, const PareNode *node)
{
  static const gint64 swap[] = { 1, 0, 2 }, sequence[] = { 2, 0, 1, 3 };
  if (pare_node_get_int (node, "layout", 0) != 1)
    return FALSE;
  guint n_in = node->n_inputs, n_out = node->n_outputs;
  PareValueId in[8], out[3];
  for (guint i = 0; i < n_in; i++)
    in[i] = w->in[i] != PARE_NONE && (i == 0 || i == 5 || i == 6) ? transpose (w, w->in[i], swap, 3, PARE_NONE) : w->in[i];
  for (guint i = 0; i < n_out; i++)
    out[i] = w->out[i] != PARE_NONE ? pare_graph_add_value (w->graph, "steps", PARE_DTYPE_FLOAT32, NULL, PARE_NONE) : PARE_NONE;
  PareNodeId id = pare_graph_add_node (w->graph, node->op, w->name, in, n_in, out, n_out, w->origin, w->role);
  PareNode *made = &w->graph->nodes[id];
  g_free (made->layer);
  made->layer = g_strdup (w->layer);
  copy_attrs (made, node, "layout");
  g_array_append_val (w->made, id);
  for (guint i = 0; i < n_out; i++)
    if (out[i] != PARE_NONE)
      transpose (w, out[i], i == 0 ? sequence : swap, i == 0 ? 4 : 3, w->out[i]);
  return TRUE;
}

/* x / rms (x) * scale over the extents from `axis` on. */
static gboolean
rms_norm (Writer *w, const PareNode *node)
{
  const PareDtype f = PARE_DTYPE_FLOAT32;
  int rank = shape_of (w, w->in[0])->rank;
  gint64 axis = pare_node_get_int (node, "axis", -1), axes[PARE_MAX_RANK];
  axis += axis < 0 ? rank : 0;
  if (dtype_of (w, w->in[0]) != f || w->in[1] == PARE_NONE || axis < 0 || axis >= rank)
    return FALSE;
  for (int i = (int)axis; i < rank; i++)
    axes[i - axis] = i;
  PareValueId mean = reduce (w, "ReduceMean", put (w, "Mul", f, w->in[0], w->in[0]), ints (w, axes, (guint)(rank - axis)), TRUE);
  PareValueId root = put (w, "Sqrt", f, put (w, "Add", f, mean, number (w, pare_node_get_float (node, "epsilon", 1e-5f))), PARE_NONE);
  PareValueId in[2] = { put (w, "Div", f, w->in[0], root), w->in[1] };
  write_to (w, "Mul", w->out[0], in, 2);
  return TRUE;
}

/* x sigmoid (alpha x) */
static gboolean
swish (Writer *w, const PareNode *node)
{
  const PareDtype f = PARE_DTYPE_FLOAT32;
  float alpha = pare_node_get_float (node, "alpha", 1);
  if (dtype_of (w, w->in[0]) != f)
    return FALSE;
  PareValueId inner = alpha != 1 ? put (w, "Mul", f, w->in[0], number (w, alpha)) : w->in[0];
  PareValueId in[2] = { w->in[0], put (w, "Sigmoid", f, inner, PARE_NONE) };
  write_to (w, "Mul", w->out[0], in, 2);
  return TRUE;
}

/* A vector is a matrix of one row on the left, of one column on the right, and that extent is no part of the product. */
static gboolean
matmul_vector (Writer *w, const PareNode *node)
{
  if (w->in[1] == PARE_NONE)
    return FALSE;
  int a = shape_of (w, w->in[0])->rank, b = shape_of (w, w->in[1])->rank;
  PareDtype dtype = dtype_of (w, w->in[0]);
  static const gint64 front[] = { 0 }, back[] = { 1 };
  gint64 out[2];
  guint n = 0;
  if (a < 1 || b < 1 || (a > 1 && b > 1))
    return FALSE;
  PareValueId x = a == 1 ? put (w, "Unsqueeze", dtype, w->in[0], ints (w, front, 1)) : w->in[0];
  PareValueId y = b == 1 ? put (w, "Unsqueeze", dtype, w->in[1], ints (w, back, 1)) : w->in[1];
  if (a == 1)
    out[n++] = -2;
  if (b == 1)
    out[n++] = -1;
  PareValueId in[2] = { put (w, "MatMul", dtype, x, y), ints (w, out, n) };
  write_to (w, "Squeeze", w->out[0], in, 2);
  return TRUE;
}

gboolean
pare_decompose_node (PareGraph *graph, PareNodeId id, GArray *made)
{
  static const struct
  {
    const char *op;
    gboolean (*func) (Writer *w, const PareNode *node);
  } rules[] = {
    { "Hardmax", hardmax },
    { "MeanVarianceNormalization", mean_variance },
    { "EyeLike", eye_like },
    { "Pow", power },
    { "Dropout", dropout },
    { "DynamicQuantizeLinear", dynamic_quantize },
    { "MatMulInteger", matmul_integer },
    { "ConvInteger", conv_integer },
    { "RMSNormalization", rms_norm },
    { "Swish", swish },
    { "MatMul", matmul_vector },
    { "LSTM", batch_first },
    { "GRU", batch_first },
    { "RNN", batch_first },
  };
  const PareNode node = graph->nodes[id];
  for (guint r = 0; r < G_N_ELEMENTS (rules); r++)
    {
      if (!pare_node_is (&node, rules[r].op))
        continue;
      Writer w = { .graph = graph, .name = node.name, .layer = node.layer, .origin = node.origin, .role = node.role, .made = made };
      for (guint i = 0; i < G_N_ELEMENTS (w.in); i++)
        w.in[i] = i < node.n_inputs ? node.inputs[i] : PARE_NONE;
      for (guint i = 0; i < G_N_ELEMENTS (w.out); i++)
        w.out[i] = i < node.n_outputs ? node.outputs[i] : PARE_NONE;
      if (w.in[0] == PARE_NONE || node.n_inputs > G_N_ELEMENTS (w.in) || node.n_outputs == 0 || node.n_outputs > 3
          || (w.out[0] == PARE_NONE && node.n_outputs == 1) || !rules[r].func (&w, &node))
        return FALSE;
      pare_graph_remove_node (graph, id);
      return TRUE;
    }
  return FALSE;
}
