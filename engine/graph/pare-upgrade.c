/* Opset upgraders: one small rewrite for each operator that changed its form or its meaning, from 1 to 21. */
#include "engine/graph/pare-graph-private.h"

#include <string.h>

static PareNode *
self (PareUpgrade *u)
{
  return &u->graph->nodes[u->node];
}

static PareNodeId
helper (PareUpgrade *u, GArray *list, const char *op, const PareValueId *inputs, guint n, PareValueId output)
{
  PareNodeId origin = self (u)->origin, id;
  g_autofree char *name = self (u)->name[0] ? g_strconcat (self (u)->name, "/", op, NULL) : g_strdup ("");
  PareRole role = self (u)->role;
  id = pare_graph_add_node (u->graph, op, name, inputs, n, &output, 1, origin, role);
  u->graph->nodes[id].layer = self (u)->layer;
  g_array_append_val (list, id);
  return id;
}

static PareValueId
new_value (PareUpgrade *u, const char *like, PareDtype dtype)
{
  return pare_graph_add_value (u->graph, like, dtype, NULL, PARE_NONE);
}

static PareValueId
ints_constant (PareUpgrade *u, const char *what, const gint64 *values, guint n)
{
  g_autofree char *name = g_strdup_printf ("%s_%s", self (u)->layer ? self (u)->layer : self (u)->op, what);
  g_autoptr (PareTensor) t = pare_tensor_new_i64 (values, n);
  return pare_graph_add_constant (u->graph, name, t, PARE_NONE);
}

static PareValueId
float_constant (PareUpgrade *u, const char *what, float value, PareDtype like)
{
  g_autofree char *name = g_strdup_printf ("%s_%s", self (u)->layer ? self (u)->layer : self (u)->op, what);
  g_autoptr (PareTensor) t = pare_tensor_new_scalar_f32 (value);
  g_autoptr (PareTensor) c = like == PARE_DTYPE_NONE || like == PARE_DTYPE_FLOAT32 ? pare_tensor_ref (t) : pare_tensor_cast (t, like, NULL);
  return pare_graph_add_constant (u->graph, name, c ? c : t, PARE_NONE);
}

/* Sets input i, filling omitted ones up to it. */
static void
set_input (PareUpgrade *u, guint i, PareValueId value)
{
  PareNode *node = self (u);
  guint n = MAX (node->n_inputs, i + 1);
  g_autofree PareValueId *inputs = g_new (PareValueId, n);
  for (guint k = 0; k < n; k++)
    inputs[k] = k < node->n_inputs ? node->inputs[k] : PARE_NONE;
  inputs[i] = value;
  pare_node_set_inputs (node, inputs, n);
}

static PareDtype
input_dtype (PareUpgrade *u, guint i)
{
  PareValue *v = pare_node_input (u->graph, self (u), i);
  return v ? v->dtype : PARE_DTYPE_NONE;
}

static int
input_rank (PareUpgrade *u, guint i)
{
  PareValue *v = pare_node_input (u->graph, self (u), i);
  return v ? v->shape.rank : -1;
}

/* An attribute of integers becomes input i. */
static void
ints_to_input (PareUpgrade *u, const char *attr, guint i)
{
  guint n;
  const gint64 *values = pare_node_get_ints (self (u), attr, &n);
  if (values != NULL && (i >= self (u)->n_inputs || self (u)->inputs[i] == PARE_NONE))
    {
      g_autofree gint64 *copy = g_memdup2 (values, n * sizeof *values);
      set_input (u, i, ints_constant (u, attr, copy, n));
    }
  pare_node_unset (self (u), attr);
}

static gboolean
axes_to_input (PareUpgrade *u)
{
  ints_to_input (u, "axes", 1);
  return TRUE;
}

/* Opset 1: Reshape took its shape as an attribute. */
static gboolean
reshape_5 (PareUpgrade *u)
{
  ints_to_input (u, "shape", 1);
  return TRUE;
}

static gboolean
drop_legacy (PareUpgrade *u)
{
  pare_node_unset (self (u), "consumed_inputs");
  return TRUE;
}

/* Operand i gets `tail` extents of 1 at its end. */
static void
append_ones (PareUpgrade *u, guint i, gint64 tail)
{
  PareValue *v = pare_node_input (u->graph, self (u), i);
  gint64 axes[PARE_MAX_RANK];
  for (int k = 0; k < tail; k++)
    axes[k] = v->shape.rank + k;
  PareDtype dtype = v->dtype;
  PareValueId in[2] = { self (u)->inputs[i], PARE_NONE };
  gboolean as_input = u->target >= 13;
  if (as_input)
    in[1] = ints_constant (u, "axes", axes, (guint)tail);
  PareValueId out = new_value (u, "broadcast", dtype);
  PareNodeId id = helper (u, u->before, "Unsqueeze", in, as_input ? 2 : 1, out);
  if (!as_input)
    pare_node_set_ints (&u->graph->nodes[id], "axes", axes, (guint)tail);
  set_input (u, i, out);
}

/* Before 7, broadcasting was asked for, and the second operand stood at `axis` of the first. */
static gboolean
broadcast_7 (PareUpgrade *u)
{
  gint64 axis = pare_node_get_int (self (u), "axis", G_MININT64);
  gboolean broadcast = pare_node_get_int (self (u), "broadcast", 0) != 0;
  pare_node_unset (self (u), "axis");
  pare_node_unset (self (u), "broadcast");
  pare_node_unset (self (u), "consumed_inputs");
  int a = input_rank (u, 0), b = input_rank (u, 1);
  if (!broadcast || axis == G_MININT64 || a < 0 || b < 0 || axis < -a || axis > a)
    return TRUE;
  gint64 tail = a - (axis < 0 ? axis + a : axis) - b;
  if (tail > 0 && b + tail <= PARE_MAX_RANK)
    append_ones (u, 1, tail);
  return TRUE;
}

/* One slope per channel, which was axis 1. */
static gboolean
prelu_7 (PareUpgrade *u)
{
  pare_node_unset (self (u), "consumed_inputs");
  PareValue *x = pare_node_input (u->graph, self (u), 0), *slope = pare_node_input (u->graph, self (u), 1);
  if (x != NULL && slope != NULL && slope->shape.rank == 1 && slope->shape.dims[0] != 1 && x->shape.rank > 2)
    append_ones (u, 1, x->shape.rank - 2);
  return TRUE;
}

static gboolean
gemm_7 (PareUpgrade *u)
{
  pare_node_unset (self (u), "broadcast");
  return TRUE;
}

static gboolean
batch_norm_7 (PareUpgrade *u)
{
  pare_node_unset (self (u), "is_test");
  pare_node_unset (self (u), "consumed_inputs");
  pare_node_unset (self (u), "spatial");
  return TRUE;
}

static gboolean
batch_norm_9 (PareUpgrade *u)
{
  pare_node_unset (self (u), "spatial");
  return TRUE;
}

/* Older forms had the saved statistics as outputs 1..4; the running ones follow only in training mode. */
static gboolean
batch_norm_14 (PareUpgrade *u)
{
  self (u)->n_outputs = MIN (self (u)->n_outputs, 1);
  return TRUE;
}

static gboolean
dropout_7 (PareUpgrade *u)
{
  pare_node_unset (self (u), "is_test");
  pare_node_unset (self (u), "consumed_inputs");
  return TRUE;
}

static gboolean
dropout_12 (PareUpgrade *u)
{
  const PareAttr *ratio = pare_node_get_attr (self (u), "ratio");
  if (ratio != NULL && ratio->kind == PARE_ATTR_FLOAT && self (u)->n_inputs < 2)
    set_input (u, 1, float_constant (u, "ratio", ratio->f, PARE_DTYPE_FLOAT32));
  pare_node_unset (self (u), "ratio");
  return TRUE;
}

static gboolean
clip_11 (PareUpgrade *u)
{
  PareDtype dtype = input_dtype (u, 0);
  const char *const names[] = { "min", "max" };
  for (guint i = 0; i < 2; i++)
    {
      const PareAttr *a = pare_node_get_attr (self (u), names[i]);
      if (a != NULL && (a->kind == PARE_ATTR_FLOAT || a->kind == PARE_ATTR_INT))
        {
          float v = a->kind == PARE_ATTR_FLOAT ? a->f : (float)a->i;
          set_input (u, i + 1, float_constant (u, names[i], v, dtype));
        }
      pare_node_unset (self (u), names[i]);
    }
  return drop_legacy (u);
}

/* paddings (opset 1) -> pads (2) -> input (11); value likewise. */
static gboolean
pad_2 (PareUpgrade *u)
{
  guint n;
  const gint64 *old = pare_node_get_ints (self (u), "paddings", &n);
  if (old != NULL)
    {
      g_autofree gint64 *copy = g_memdup2 (old, n * sizeof *old);
      pare_node_set_ints (self (u), "pads", copy, n);
    }
  pare_node_unset (self (u), "paddings");
  return TRUE;
}

static gboolean
pad_11 (PareUpgrade *u)
{
  const PareAttr *value = pare_node_get_attr (self (u), "value");
  gboolean has = value != NULL && value->kind == PARE_ATTR_FLOAT && value->f != 0;
  float v = has ? value->f : 0;
  ints_to_input (u, "pads", 1);
  if (has)
    set_input (u, 2, float_constant (u, "value", v, input_dtype (u, 0)));
  pare_node_unset (self (u), "value");
  return TRUE;
}

static gboolean
slice_10 (PareUpgrade *u)
{
  ints_to_input (u, "starts", 1);
  ints_to_input (u, "ends", 2);
  ints_to_input (u, "axes", 3);
  return TRUE;
}

static gboolean
split_13 (PareUpgrade *u)
{
  ints_to_input (u, "split", 1);
  return TRUE;
}

static gboolean
split_18 (PareUpgrade *u)
{
  if (pare_node_input (u->graph, self (u), 1) == NULL)
    pare_node_set_int (self (u), "num_outputs", self (u)->n_outputs);
  return TRUE;
}

static gboolean
top_k_10 (PareUpgrade *u)
{
  gint64 k = pare_node_get_int (self (u), "k", 1);
  if (self (u)->n_inputs < 2)
    set_input (u, 1, ints_constant (u, "k", &k, 1));
  pare_node_unset (self (u), "k");
  return TRUE;
}

/* Before 13 the operator works on the tensor flattened to two dimensions at `axis`. */
static gboolean
softmax_13 (PareUpgrade *u)
{
  gint64 axis = pare_node_get_int (self (u), "axis", 1);
  PareValue *x = pare_node_input (u->graph, self (u), 0);
  if (x == NULL || self (u)->n_outputs != 1 || self (u)->outputs[0] == PARE_NONE)
    return TRUE;
  PareShape s = x->shape;
  if (s.rank >= 0 && axis < 0)
    axis += s.rank;
  if (s.rank >= 0 && (axis < 0 || axis > s.rank))
    return TRUE; /* out of range: inference says so */
  gboolean last = s.rank >= 0 && axis == s.rank - 1;
  /* Where every extent but one after the axis is 1, the flattened form is the plain one. */
  int wide = 0, at = (int)axis;
  for (int i = (int)MAX (axis, 0); i < s.rank; i++)
    if (s.dims[i] != 1)
      {
        wide++;
        at = i;
      }
  if (last || (s.rank > axis && axis >= 0 && wide <= 1))
    {
      pare_node_set_int (self (u), "axis", last ? -1 : at);
      return TRUE;
    }
  PareDtype dtype = x->dtype;
  PareValueId in = self (u)->inputs[0], out = self (u)->outputs[0], shape = new_value (u, "shape", PARE_DTYPE_INT64),
              flat = new_value (u, "flat", dtype), soft = new_value (u, "softmax", dtype);
  helper (u, u->before, "Shape", &in, 1, shape);
  PareNodeId f = helper (u, u->before, "Flatten", &in, 1, flat);
  pare_node_set_int (&u->graph->nodes[f], "axis", axis);
  set_input (u, 0, flat);
  pare_node_set_int (self (u), "axis", -1);
  self (u)->outputs[0] = soft;
  u->graph->values[soft].producer = u->node;
  PareValueId back[2] = { soft, shape };
  PareNodeId r = helper (u, u->after, "Reshape", back, 2, out);
  if (u->target >= 14)
    pare_node_set_int (&u->graph->nodes[r], "allowzero", 1); /* before, an empty batch could not be said */
  return TRUE;
}

/* Upsample: nearest as Resize does it with asymmetric coordinates, rounded down. */
static gboolean
upsample_9 (PareUpgrade *u)
{
  const PareAttr *a = pare_node_get_attr (self (u), "scales");
  if (a != NULL && a->kind == PARE_ATTR_FLOATS && self (u)->n_inputs < 2)
    {
      PareShape s = { .rank = 1, .dims = { a->n } };
      g_autoptr (PareTensor) t = pare_tensor_new (PARE_DTYPE_FLOAT32, &s, NULL);
      memcpy (t->data, a->floats, a->n * sizeof (float));
      set_input (u, 1, pare_graph_add_constant (u->graph, "scales", t, PARE_NONE));
    }
  pare_node_unset (self (u), "scales");
  return TRUE;
}

/* Nearest of opset 10, as ONNX Runtime has it: an axis that shrinks takes the next element, one that grows the last. One Resize rounds one
 * way; where some axes shrink and others grow, one in front does what shrinks. */
static const char *
nearest_10 (PareUpgrade *u)
{
  PareTensor *t = pare_node_input_constant (u->graph, self (u), 2);
  gint64 n = t != NULL && t->dtype == PARE_DTYPE_FLOAT32 ? pare_tensor_count (t) : 0;
  const float *scale = n > 0 ? t->data : NULL;
  gboolean shrinks = FALSE, grows = FALSE;
  for (gint64 i = 0; i < n; i++)
    {
      shrinks |= scale[i] < 1;
      grows |= scale[i] > 1;
    }
  if (!shrinks || !grows)
    return shrinks ? "ceil" : "floor";
  g_autoptr (PareTensor) down = pare_tensor_new (PARE_DTYPE_FLOAT32, &t->shape, NULL),
                         up = pare_tensor_new (PARE_DTYPE_FLOAT32, &t->shape, NULL);
  for (gint64 i = 0; i < n; i++)
    {
      ((float *)down->data)[i] = MIN (scale[i], 1);
      ((float *)up->data)[i] = MAX (scale[i], 1);
    }
  PareValueId smaller = new_value (u, "smaller", input_dtype (u, 0)),
              in[3] = { self (u)->inputs[0], PARE_NONE, pare_graph_add_constant (u->graph, "scales", down, PARE_NONE) };
  PareNodeId id = helper (u, u->before, "Resize", in, 3, smaller); /* moves the nodes */
  PareNode *first = &u->graph->nodes[id];
  pare_node_set_string (first, "mode", "nearest");
  pare_node_set_string (first, "coordinate_transformation_mode", "asymmetric");
  pare_node_set_string (first, "nearest_mode", "ceil");
  set_input (u, 0, smaller);
  set_input (u, 2, pare_graph_add_constant (u->graph, "scales", up, PARE_NONE));
  return "floor";
}

static gboolean
to_resize (PareUpgrade *u)
{
  PareNode *node = self (u);
  if (node->n_inputs != 2) /* an Upsample that became a Resize has its three already */
    return TRUE;
  PareValueId in[3] = { node->inputs[0], PARE_NONE, node->inputs[1] };
  g_autofree char *mode = pare_node_dup_string (node, "mode");
  node->op = "Resize";
  pare_node_set_inputs (node, in, 3);
  pare_node_set_string (
      node, "mode", mode == NULL || strcmp (mode, "bilinear") == 0 || strcmp (mode, "trilinear") == 0 ? mode ? "linear" : "nearest" : mode);
  pare_node_set_string (node, "coordinate_transformation_mode", "asymmetric");
  gboolean nearest = mode == NULL || strcmp (mode, "nearest") == 0;
  const char *round = nearest ? nearest_10 (u) : "floor"; /* may add nodes, which moves this one */
  pare_node_set_string (self (u), "nearest_mode", round);
  return TRUE;
}

/* An empty roi or scales tensor stood for an omitted one. */
static gboolean
resize_13 (PareUpgrade *u)
{
  for (guint i = 1; i < MIN (self (u)->n_inputs, 3); i++)
    {
      PareTensor *t = pare_node_input_constant (u->graph, self (u), i);
      if (t != NULL && pare_tensor_count (t) == 0)
        self (u)->inputs[i] = PARE_NONE;
    }
  return TRUE;
}

/* In opset 1 the target type was a string. */
static gboolean
cast_6 (PareUpgrade *u)
{
  static const struct
  {
    const char *name;
    int dtype;
  } names[] = {
    { "FLOAT", 1 }, { "UINT8", 2 }, { "INT8", 3 },     { "UINT16", 4 },  { "INT16", 5 },   { "INT32", 6 },
    { "INT64", 7 }, { "BOOL", 9 },  { "FLOAT16", 10 }, { "DOUBLE", 11 }, { "UINT32", 12 }, { "UINT64", 13 },
  };
  g_autofree char *to = pare_node_dup_string (self (u), "to");
  for (guint i = 0; to != NULL && i < G_N_ELEMENTS (names); i++)
    if (g_ascii_strcasecmp (to, names[i].name) == 0)
      pare_node_set_int (self (u), "to", names[i].dtype);
  return TRUE;
}

static gboolean
concat_4 (PareUpgrade *u)
{
  if (pare_node_get_attr (self (u), "axis") == NULL)
    pare_node_set_int (self (u), "axis", 1);
  return TRUE;
}

/* kernel_shape of one number, in files of the first version, stands for all. */
static gboolean
window_1 (PareUpgrade *u)
{
  static const char *const names[] = { "kernel_shape", "strides", "dilations" };
  int spatial = input_rank (u, 0) - 2;
  for (guint i = 0; i < G_N_ELEMENTS (names) && spatial > 0; i++)
    {
      const PareAttr *a = pare_node_get_attr (self (u), names[i]);
      if (a == NULL || a->kind != PARE_ATTR_INT)
        continue;
      gint64 all[PARE_MAX_RANK];
      for (int k = 0; k < spatial; k++)
        all[k] = a->i;
      pare_node_set_ints (self (u), names[i], all, (guint)spatial);
    }
  const PareAttr *pads = pare_node_get_attr (self (u), "pads");
  gint64 both[2 * PARE_MAX_RANK];
  if (spatial > 0 && pads != NULL && (pads->kind == PARE_ATTR_INT || (pads->kind == PARE_ATTR_INTS && pads->n == (guint)spatial)))
    {
      for (int k = 0; k < 2 * spatial; k++)
        both[k] = pads->kind == PARE_ATTR_INT ? pads->i : pads->ints[k % spatial];
      pare_node_set_ints (self (u), "pads", both, 2 * (guint)spatial);
    }
  return TRUE;
}

static gboolean
scatter_11 (PareUpgrade *u)
{
  self (u)->op = "ScatterElements";
  return TRUE;
}

/* Reductions over nothing, LRN and the like kept their form. GroupNormalization's scale and bias became per channel. */
static gboolean
group_norm_21 (PareUpgrade *u)
{
  PareValue *x = pare_node_input (u->graph, self (u), 0);
  gint64 groups = pare_node_get_int (self (u), "num_groups", 0);
  if (x == NULL || x->shape.rank < 2 || x->shape.dims[1] < 1 || groups < 1 || x->shape.dims[1] % groups != 0)
    return TRUE;
  gint64 per = x->shape.dims[1] / groups;
  for (guint i = 1; i < 3; i++)
    {
      PareTensor *t = pare_node_input_constant (u->graph, self (u), i);
      if (t == NULL || t->dtype != PARE_DTYPE_FLOAT32 || pare_tensor_count (t) != groups || per == 1)
        continue;
      PareShape s = { .rank = 1, .dims = { groups * per } };
      g_autoptr (PareTensor) wide = pare_tensor_new (PARE_DTYPE_FLOAT32, &s, NULL);
      for (gint64 k = 0; wide != NULL && k < groups * per; k++)
        ((float *)wide->data)[k] = ((float *)t->data)[k / per];
      if (wide != NULL)
        set_input (u, i, pare_graph_add_constant (u->graph, "group_norm", wide, PARE_NONE));
    }
  return TRUE;
}

static gboolean
grid_sample_20 (PareUpgrade *u)
{
  g_autofree char *mode = pare_node_dup_string (self (u), "mode");
  if (g_strcmp0 (mode, "bilinear") == 0)
    pare_node_set_string (self (u), "mode", "linear");
  else if (g_strcmp0 (mode, "bicubic") == 0)
    pare_node_set_string (self (u), "mode", "cubic");
  return TRUE;
}

/* The axis became an operand. */
static gboolean
dft_20 (PareUpgrade *u)
{
  gint64 axis = pare_node_get_int (self (u), "axis", 1);
  PareShape scalar = { .rank = 0 };
  g_autoptr (PareTensor) t = pare_tensor_new (PARE_DTYPE_INT64, &scalar, NULL);
  *(gint64 *)t->data = axis;
  set_input (u, 2, pare_graph_add_constant (u->graph, "axis", t, PARE_NONE));
  pare_node_unset (self (u), "axis");
  return TRUE;
}

/* Until then pixels were not shifted. */
static gboolean
roi_align_16 (PareUpgrade *u)
{
  if (pare_node_get_attr (self (u), "coordinate_transformation_mode") == NULL)
    pare_node_set_string (self (u), "coordinate_transformation_mode", "output_half_pixel");
  return TRUE;
}

typedef struct
{
  const char *op;
  int version;
  gboolean (*func) (PareUpgrade *u);
} Rule;
/* Ascending versions per operator. */
static const Rule rules[] = {
  { "Add", 7, broadcast_7 },
  { "Sub", 7, broadcast_7 },
  { "Mul", 7, broadcast_7 },
  { "Div", 7, broadcast_7 },
  { "Pow", 7, broadcast_7 },
  { "And", 7, broadcast_7 },
  { "Or", 7, broadcast_7 },
  { "Xor", 7, broadcast_7 },
  { "Equal", 7, broadcast_7 },
  { "Greater", 7, broadcast_7 },
  { "Less", 7, broadcast_7 },
  { "PRelu", 7, prelu_7 },
  { "Relu", 6, drop_legacy },
  { "Sigmoid", 6, drop_legacy },
  { "Tanh", 6, drop_legacy },
  { "Elu", 6, drop_legacy },
  { "Selu", 6, drop_legacy },
  { "LeakyRelu", 6, drop_legacy },
  { "Exp", 6, drop_legacy },
  { "Log", 6, drop_legacy },
  { "Sqrt", 6, drop_legacy },
  { "Abs", 6, drop_legacy },
  { "Neg", 6, drop_legacy },
  { "Floor", 6, drop_legacy },
  { "Ceil", 6, drop_legacy },
  { "Reciprocal", 6, drop_legacy },
  { "HardSigmoid", 6, drop_legacy },
  { "Max", 6, drop_legacy },
  { "Min", 6, drop_legacy },
  { "Sum", 6, drop_legacy },
  { "Mean", 6, drop_legacy },
  { "InstanceNormalization", 6, drop_legacy },
  { "Gemm", 7, gemm_7 },
  { "BatchNormalization", 7, batch_norm_7 },
  { "BatchNormalization", 9, batch_norm_9 },
  { "BatchNormalization", 14, batch_norm_14 },
  { "Dropout", 7, dropout_7 },
  { "Dropout", 12, dropout_12 },
  { "Clip", 11, clip_11 },
  { "Pad", 2, pad_2 },
  { "Pad", 11, pad_11 },
  { "Slice", 10, slice_10 },
  { "Split", 13, split_13 },
  { "Split", 18, split_18 },
  { "TopK", 10, top_k_10 },
  { "Softmax", 13, softmax_13 },
  { "LogSoftmax", 13, softmax_13 },
  { "Hardmax", 13, softmax_13 },
  { "Upsample", 9, upsample_9 },
  { "Upsample", 10, to_resize },
  { "Resize", 11, to_resize },
  { "Resize", 13, resize_13 },
  { "Cast", 6, cast_6 },
  { "Concat", 4, concat_4 },
  { "Reshape", 5, reshape_5 },
  { "Conv", 2, window_1 },
  { "ConvTranspose", 2, window_1 },
  { "MaxPool", 2, window_1 },
  { "AveragePool", 2, window_1 },
  { "Scatter", 11, scatter_11 },
  { "GroupNormalization", 21, group_norm_21 },
  { "GridSample", 20, grid_sample_20 },
  { "DFT", 20, dft_20 },
  { "RoiAlign", 16, roi_align_16 },
  { "Squeeze", 13, axes_to_input },
  { "Unsqueeze", 13, axes_to_input },
  { "ReduceSum", 13, axes_to_input },
  { "ReduceMean", 18, axes_to_input },
  { "ReduceMax", 18, axes_to_input },
  { "ReduceMin", 18, axes_to_input },
  { "ReduceProd", 18, axes_to_input },
  { "ReduceL1", 18, axes_to_input },
  { "ReduceL2", 18, axes_to_input },
  { "ReduceLogSum", 18, axes_to_input },
  { "ReduceLogSumExp", 18, axes_to_input },
  { "ReduceSumSquare", 18, axes_to_input },
};

gboolean
pare_upgrade_node (PareUpgrade *u, GError **error)
{
  const char *domain = self (u)->domain;
  if (domain != NULL && domain[0] != '\0')
    return TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (rules); i++)
    if (rules[i].version > u->from && rules[i].version <= u->target && strcmp (self (u)->op, rules[i].op) == 0 && !rules[i].func (u))
      {
        g_autofree char *what = pare_node_describe (self (u));
        g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "%s: cannot be brought from opset %d to %d", what, u->from, u->target);
        return FALSE;
      }
  return TRUE;
}
