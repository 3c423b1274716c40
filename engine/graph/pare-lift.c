/* QDQ and QLinear graphs become float graphs whose values carry their grid. QLinear operators are first taken apart into DequantizeLinear,
 * the float operator and QuantizeLinear; then constants are dequantized, and quantized activations become float values on the grid wherever
 * everything that reads them can take them so. The rest stays as it is: the runtime has kernels for both operators. */
#include "engine/graph/pare-graph-private.h"

#include <math.h>
#include <string.h>

static PareQuant *
quant_for (PareDtype dtype, int axis, guint n)
{
  switch (dtype)
    {
    case PARE_DTYPE_INT4:
      return pare_quant_new (4, TRUE, axis, n);
    case PARE_DTYPE_UINT4:
      return pare_quant_new (4, FALSE, axis, n);
    case PARE_DTYPE_INT8:
      return pare_quant_new (8, TRUE, axis, n);
    case PARE_DTYPE_UINT8:
      return pare_quant_new (8, FALSE, axis, n);
    case PARE_DTYPE_INT16:
      return pare_quant_new (16, TRUE, axis, n);
    case PARE_DTYPE_UINT16:
      return pare_quant_new (16, FALSE, axis, n);
    case PARE_DTYPE_INT32:
      return pare_quant_new (32, TRUE, axis, n);
    default:
      return NULL;
    }
}

/* (transfer full) (nullable) The grid that constant scale and zero point inputs (at `first`) describe for a value of dtype and shape. */
static PareQuant *
read_grid (const PareGraph *g, const PareNode *node, guint first, PareDtype dtype, const PareShape *shape, gint64 axis)
{
  PareTensor *s = pare_node_input_constant (g, node, first), *z = pare_node_input_constant (g, node, first + 1);
  if (s == NULL || (s->dtype != PARE_DTYPE_FLOAT32 && s->dtype != PARE_DTYPE_FLOAT16)
      || (pare_node_input (g, node, first + 1) != NULL && z == NULL) || pare_node_get_int (node, "block_size", 0) > 0)
    return NULL;
  gint64 n = pare_tensor_count (s);
  if (n < 1 || s->shape.rank > 1 || (z != NULL && pare_tensor_count (z) != n))
    return NULL;
  if (axis < 0 && shape->rank >= 0)
    axis += shape->rank;
  if (n > 1 && (shape->rank < 0 || axis < 0 || axis >= shape->rank || shape->dims[axis] != n))
    return NULL;
  PareQuant *q = quant_for (dtype, n == 1 ? -1 : (int)axis, (guint)n);
  for (gint64 i = 0; q != NULL && i < n; i++)
    {
      q->scale[i] = (float)pare_tensor_get_double (s, (gsize)i);
      q->zero[i] = z ? (gint32)pare_tensor_get_int (z, (gsize)i) : 0;
      if (!(q->scale[i] > 0) || !isfinite (q->scale[i]))
        g_clear_pointer (&q, pare_quant_free);
    }
  return q;
}

static gboolean
same_grid (const PareQuant *a, const PareQuant *b)
{
  if (a->bits != b->bits || a->is_signed != b->is_signed || a->n != b->n || (a->n > 1 && a->axis != b->axis))
    return FALSE;
  for (guint i = 0; i < a->n; i++)
    if (a->scale[i] != b->scale[i] || a->zero[i] != b->zero[i])
      return FALSE;
  return TRUE;
}

/* Elements between two steps of the axis. */
static gint64
inner_of (const PareShape *s, const PareQuant *q)
{
  gint64 inner = 1;
  for (int i = q->axis + 1; q->axis >= 0 && i < s->rank; i++)
    inner *= s->dims[i];
  return MAX (inner, 1);
}

static PareTensor *
dequantize (const PareTensor *codes, const PareQuant *q)
{
  PareTensor *t = pare_tensor_new (PARE_DTYPE_FLOAT32, &codes->shape, NULL);
  gint64 n = pare_tensor_count (codes), inner = inner_of (&codes->shape, q);
  for (gint64 i = 0; t != NULL && i < n; i++)
    {
      guint k = q->n == 1 ? 0 : (guint)(i / inner % q->n);
      ((float *)t->data)[i] = (float)(pare_tensor_get_int (codes, (gsize)i) - q->zero[k]) * q->scale[k];
    }
  return t;
}

static PareTensor *
quantize (const PareTensor *x, const PareQuant *q, PareDtype dtype)
{
  g_autoptr (PareTensor) codes = pare_tensor_new (PARE_DTYPE_INT32, &x->shape, NULL);
  gint64 n = pare_tensor_count (x), inner = inner_of (&x->shape, q);
  for (gint64 i = 0; codes != NULL && i < n; i++)
    {
      guint k = q->n == 1 ? 0 : (guint)(i / inner % q->n);
      float v = (float)pare_tensor_get_double (x, (gsize)i) / q->scale[k];
      double r = isnan (v) ? 0 : nearbyint (v) + q->zero[k];
      ((gint32 *)codes->data)[i] = (gint32)CLAMP (r, (double)q->lo, (double)q->hi);
    }
  return codes != NULL ? pare_tensor_cast (codes, dtype, NULL) : NULL;
}

/* --- QLinear operators taken apart --- */

typedef struct
{
  PareGraph *g;
  PareNodeId node;
} Apart;

static PareNode *
self (Apart *a)
{
  return &a->g->nodes[a->node];
}

static PareValueId
quant_node (Apart *a, const char *op, PareValueId x, PareValueId scale, PareValueId zero, PareValueId y, gint64 axis)
{
  PareValueId in[3] = { x, scale, zero };
  if (y == PARE_NONE)
    {
      g_autofree char *hint = g_strconcat (a->g->values[x].name, "_dq", NULL);
      y = pare_graph_add_value (a->g, hint, PARE_DTYPE_FLOAT32, &a->g->values[x].shape, a->g->values[x].origin);
    }
  PareNodeId id = pare_graph_add_node (a->g, op, "", in, zero == PARE_NONE ? 2 : 3, &y, 1, self (a)->origin, PARE_ROLE_QUANT);
  a->g->nodes[id].layer = self (a)->layer;
  pare_node_set_int (&a->g->nodes[id], "axis", axis);
  return y;
}

/* inputs[i], i+1, i+2: a quantized value with its scale and zero point. */
static PareValueId
take_input (Apart *a, guint i, gint64 axis)
{
  PareNode *node = self (a);
  if (i + 1 >= node->n_inputs || node->inputs[i] == PARE_NONE || node->inputs[i + 1] == PARE_NONE)
    return PARE_NONE;
  PareValueId zero = i + 2 < node->n_inputs ? node->inputs[i + 2] : PARE_NONE;
  return quant_node (a, "DequantizeLinear", node->inputs[i], node->inputs[i + 1], zero, PARE_NONE, axis);
}

/* The node becomes `op` on float values; what it wrote is now written by a QuantizeLinear after it. */
static void
finish (Apart *a, const char *op, const PareValueId *inputs, guint n, PareValueId scale, PareValueId zero)
{
  PareValueId y = self (a)->outputs[0];
  if (scale != PARE_NONE)
    {
      if (zero == PARE_NONE && a->g->values[y].dtype == PARE_DTYPE_INT8) /* the default would be uint8 */
        {
          PareShape s = { .rank = 0 };
          g_autoptr (PareTensor) t = pare_tensor_new (PARE_DTYPE_INT8, &s, NULL);
          zero = pare_graph_add_constant (a->g, "zero_point", t, PARE_NONE);
        }
      g_autofree char *hint = g_strconcat (a->g->values[y].name, "_f32", NULL);
      PareValueId wide = pare_graph_add_value (a->g, hint, PARE_DTYPE_FLOAT32, &a->g->values[y].shape, a->g->values[y].origin);
      quant_node (a, "QuantizeLinear", wide, scale, zero, y, 1);
      self (a)->outputs[0] = wide;
      a->g->values[wide].producer = a->node;
    }
  PareNode *node = self (a);
  node->op = op;
  node->domain = "";
  pare_node_set_inputs (node, inputs, n);
}

/* (transfer none) The float twin of an int32 bias: scale s_x * s_w, times the product's factor, which QGemm's scales with it. */
static PareValueId
bias_value (Apart *a, guint bias, guint sx, guint sw, float factor)
{
  PareNode *node = self (a);
  PareTensor *b = pare_node_input_constant (a->g, node, bias), *x = pare_node_input_constant (a->g, node, sx),
             *w = pare_node_input_constant (a->g, node, sw);
  if (b == NULL || x == NULL || w == NULL || b->dtype != PARE_DTYPE_INT32 || b->shape.rank < 1 || pare_tensor_count (x) != 1)
    return PARE_NONE;
  gint64 channels = pare_tensor_count (b), n = pare_tensor_count (w);
  if (n != 1 && n != channels)
    return PARE_NONE;
  PareQuant *q = pare_quant_new (32, TRUE, n == 1 ? -1 : b->shape.rank - 1, (guint)n);
  for (gint64 i = 0; i < n; i++)
    q->scale[i] = (float)pare_tensor_get_double (x, 0) * (float)pare_tensor_get_double (w, (gsize)i) * factor;
  g_autoptr (PareTensor) t = dequantize (b, q);
  if (t == NULL)
    {
      pare_quant_free (q);
      return PARE_NONE;
    }
  PareValueId old = node->inputs[bias];
  g_autofree char *hint = g_strconcat (a->g->values[old].name, "_f32", NULL);
  PareValueId id = pare_graph_add_constant (a->g, hint, t, a->g->values[old].origin);
  a->g->values[id].quant = q;
  return id;
}

/* QLinearSoftmax carries the opset whose Softmax it is: before 13 that went over all axes from `axis` on. */
static gboolean
means_one_axis (PareNode *node, int rank)
{
  if (strcmp (node->op, "QLinearSoftmax") != 0 || pare_node_get_int (node, "opset", 13) >= 13)
    return TRUE;
  gint64 axis = pare_node_get_int (node, "axis", 1);
  if (rank < 1 || (axis != rank - 1 && axis != -1))
    return FALSE;
  pare_node_set_int (node, "axis", -1);
  return TRUE;
}

static void
take_apart (PareGraph *g, PareNodeId id)
{
  Apart apart = { g, id }, *a = &apart;
  PareNode *node = &g->nodes[id];
  gboolean ms = g_strcmp0 (node->domain, "com.microsoft") == 0;
  if (node->n_outputs < 1 || node->outputs[0] == PARE_NONE)
    return;
#define IN(i) ((guint)(i) < self (a)->n_inputs ? self (a)->inputs[i] : PARE_NONE)
  gboolean is_conv = pare_node_is (node, "QLinearConv"), is_matmul = pare_node_is (node, "QLinearMatMul");
  gboolean is_add = ms && strcmp (node->op, "QLinearAdd") == 0, is_mul = ms && strcmp (node->op, "QLinearMul") == 0;
  gboolean is_gemm = ms && strcmp (node->op, "QGemm") == 0;
  if (is_conv || is_matmul || is_add || is_mul || is_gemm)
    {
      PareValueId in[3], sy = IN (is_gemm ? 7 : 6), zy = IN (is_gemm ? 8 : 7);
      guint bias = is_conv ? 8 : 6, n = 2;
      gboolean has_bias = (is_conv || is_gemm) && IN (bias) != PARE_NONE;
      if (IN (0) == PARE_NONE || IN (1) == PARE_NONE || IN (3) == PARE_NONE || IN (4) == PARE_NONE || (sy == PARE_NONE && !is_gemm))
        return;
      in[2] = PARE_NONE;
      float factor = is_gemm ? pare_node_get_float (node, "alpha", 1) : 1;
      if (has_bias && (in[2] = bias_value (a, bias, 1, 4, factor)) == PARE_NONE)
        return;
      int rank = g->values[IN (3)].shape.rank;
      in[0] = take_input (a, 0, 1);
      in[1] = take_input (a, 3, is_conv ? 0 : is_gemm ? (pare_node_get_int (self (a), "transB", 0) ? 0 : 1) : MAX (rank - 1, 0));
      n = has_bias ? 3 : 2;
      finish (a, is_conv ? "Conv" : is_matmul ? "MatMul" : is_add ? "Add" : is_mul ? "Mul" : "Gemm", in, n, sy, zy);
      if (is_mul)
        pare_node_set_int (self (a), PARE_ATTR_OF_CODES, 1);
      return;
    }
  static const char *const unary[][2] = { { "QLinearGlobalAveragePool", "GlobalAveragePool" },
                                          { "QLinearAveragePool", "AveragePool" },
                                          { "QLinearSigmoid", "Sigmoid" },
                                          { "QLinearSoftmax", "Softmax" },
                                          { "QLinearLeakyRelu", "LeakyRelu" } };
  for (guint i = 0; ms && i < G_N_ELEMENTS (unary); i++)
    if (strcmp (self (a)->op, unary[i][0]) == 0)
      {
        if (IN (0) == PARE_NONE || IN (1) == PARE_NONE || IN (3) == PARE_NONE || pare_node_get_int (self (a), "channels_last", 0) != 0
            || !means_one_axis (self (a), g->values[IN (0)].shape.rank))
          return;
        PareValueId sy = IN (3), zy = IN (4), in = take_input (a, 0, 1);
        pare_node_unset (self (a), "channels_last");
        pare_node_unset (self (a), "opset");
        finish (a, unary[i][1], &in, 1, sy, zy);
        return;
      }
  if (ms && strcmp (self (a)->op, "QLinearWhere") == 0)
    {
      for (guint i = 0; i < 8; i++)
        if (IN (i) == PARE_NONE && i != 3 && i != 6)
          return;
      PareValueId sz = IN (7), zz = IN (8), in[3] = { IN (0), take_input (a, 1, 1), take_input (a, 4, 1) };
      finish (a, "Where", in, 3, sz, zz);
      return;
    }
  if (ms && strcmp (self (a)->op, "QLinearConcat") == 0 && IN (0) != PARE_NONE && self (a)->n_inputs >= 5)
    {
      guint n = (self (a)->n_inputs - 2) / 3;
      g_autofree PareValueId *in = g_new (PareValueId, n);
      PareValueId sy = IN (0), zy = IN (1);
      for (guint i = 0; i < n; i++)
        if (IN (2 + 3 * i) == PARE_NONE || IN (3 + 3 * i) == PARE_NONE)
          return;
      for (guint i = 0; i < n; i++)
        in[i] = take_input (a, 2 + 3 * i, 1);
      finish (a, "Concat", in, n, sy, zy);
    }
#undef IN
}

/* --- constants --- */

static void
lift_constants (PareGraph *g)
{
  for (PareNodeId i = 0; i < g->n_nodes; i++)
    {
      PareNode *node = &g->nodes[i];
      gboolean is_q = pare_node_is (node, "QuantizeLinear"), is_dq = pare_node_is (node, "DequantizeLinear");
      if ((!is_q && !is_dq) || node->n_outputs != 1 || node->outputs[0] == PARE_NONE)
        continue;
      PareTensor *x = pare_node_input_constant (g, node, 0);
      if (x == NULL || pare_dtype_bits (x->dtype) == 0)
        continue;
      PareValueId y = node->outputs[0], from = node->inputs[0];
      PareDtype dtype = is_q ? g->values[y].dtype : x->dtype;
      PareQuant *q = read_grid (g, node, 1, dtype, &x->shape, pare_node_get_int (node, "axis", 1));
      if (q == NULL)
        continue;
      g_autoptr (PareTensor) t = is_q ? quantize (x, q, dtype) : dequantize (x, q);
      if (t == NULL)
        {
          pare_quant_free (q);
          continue;
        }
      PareValueId origin = g->values[from].origin;
      pare_graph_remove_node (g, i);
      pare_graph_set_constant (g, y, t);
      g->values[y].origin = origin;
      if (is_dq)
        {
          pare_quant_free (g->values[y].quant);
          g->values[y].quant = q;
        }
      else
        pare_quant_free (q);
    }
}

/* --- activations --- */

static gboolean
passes_through (const PareNode *node)
{
  return pare_node_only_moves (node) || pare_node_is (node, "Concat") || pare_node_is (node, "Gather");
}

/* What a Pad of codes pads with; FALSE: that is not known. */
static gboolean
pad_code (const PareGraph *g, const PareNode *node, gint64 *code)
{
  PareTensor *value = pare_node_input_constant (g, node, 2);
  *code = value != NULL && pare_tensor_count (value) == 1 ? pare_tensor_get_int (value, 0) : 0;
  return pare_node_input (g, node, 2) == NULL || (value != NULL && pare_tensor_count (value) == 1);
}

/* Pads with the real number that the code stands for. */
static void
lift_pad (PareGraph *g, PareNodeId id, const PareQuant *q)
{
  gint64 code;
  g_autofree char *mode = pare_node_dup_string (&g->nodes[id], "mode");
  if ((mode != NULL && strcmp (mode, "constant") != 0) || !pad_code (g, &g->nodes[id], &code))
    return;
  PareShape scalar = { .rank = 0 };
  g_autoptr (PareTensor) real = pare_tensor_new (PARE_DTYPE_FLOAT32, &scalar, NULL);
  *(float *)real->data = (float)(code - q->zero[0]) * q->scale[0];
  PareValueId in[4]
      = { g->nodes[id].inputs[0], g->nodes[id].n_inputs > 1 ? g->nodes[id].inputs[1] : PARE_NONE,
          pare_graph_add_constant (g, "pad_value", real, PARE_NONE), g->nodes[id].n_inputs > 3 ? g->nodes[id].inputs[3] : PARE_NONE };
  pare_node_set_inputs (&g->nodes[id], in, g->nodes[id].n_inputs > 3 ? 4 : 3);
}

/* Does `reader` take value v as a float on grid q? */
static gboolean
reader_fits (const PareGraph *g, const PareNode *reader, PareValueId v, const PareQuant *q, PareQuant **grids)
{
  if (pare_node_is (reader, "DequantizeLinear"))
    {
      if (reader->n_inputs < 2 || reader->inputs[0] != v)
        return FALSE;
      PareQuant *own = read_grid (g, reader, 1, g->values[v].dtype, &g->values[v].shape, pare_node_get_int (reader, "axis", 1));
      gboolean fits = own != NULL && same_grid (own, q);
      pare_quant_free (own);
      return fits;
    }
  gint64 code;
  if (!passes_through (reader) || q->n != 1 || (pare_node_is (reader, "Pad") && !pad_code (g, reader, &code)))
    return FALSE;
  for (guint i = 0; i < reader->n_inputs; i++)
    if (i > 0 && !pare_node_is (reader, "Concat") && reader->inputs[i] == v)
      return FALSE; /* as indices or a shape */
  for (guint i = 0; i < (pare_node_is (reader, "MaxPool") ? 1 : reader->n_outputs); i++)
    if (reader->outputs[i] != PARE_NONE && grids[reader->outputs[i]] == NULL)
      return FALSE;
  return TRUE;
}

static void
lift_activations (PareGraph *g)
{
  g_autoptr (PareConsumers) readers = pare_graph_consumers (g);
  const guint n_values = g->n_values; /* of those that are made on the way none has a grid */
  g_autofree PareQuant **grids = g_new0 (PareQuant *, n_values + 1);
  g_autoptr (GArray) order = pare_graph_order (g, NULL);
  if (order == NULL)
    return;
  /* Forward: every value that could lie on a known grid. */
  for (guint i = 0; i < order->len; i++)
    {
      const PareNode *node = &g->nodes[g_array_index (order, PareNodeId, i)];
      PareValueId y = node->n_outputs > 0 ? node->outputs[0] : PARE_NONE;
      if (y == PARE_NONE)
        continue;
      if (pare_node_is (node, "QuantizeLinear") && node->n_inputs > 1 && node->inputs[0] != PARE_NONE)
        grids[y] = read_grid (g, node, 1, g->values[y].dtype, &g->values[y].shape, pare_node_get_int (node, "axis", 1));
      else if (passes_through (node) && node->n_inputs > 0 && node->inputs[0] != PARE_NONE && grids[node->inputs[0]] != NULL
               && grids[node->inputs[0]]->n == 1)
        {
          gboolean equal = TRUE;
          for (guint k = 1; k < node->n_inputs && pare_node_is (node, "Concat"); k++)
            equal &= node->inputs[k] != PARE_NONE && grids[node->inputs[k]] != NULL
                     && same_grid (grids[node->inputs[k]], grids[node->inputs[0]]);
          for (guint k = 0; equal && k < (pare_node_is (node, "MaxPool") ? 1 : node->n_outputs); k++)
            if (node->outputs[k] != PARE_NONE)
              grids[node->outputs[k]] = pare_quant_copy (grids[node->inputs[0]]);
        }
    }
  /* Backward until nothing changes: a value that somebody needs as codes stays codes, and so does what it is made from. */
  for (gboolean changed = TRUE; changed;)
    {
      changed = FALSE;
      for (guint v = 0; v < g->n_values; v++)
        {
          if (grids[v] == NULL)
            continue;
          gboolean fits = !pare_graph_is_output (g, v);
          for (guint k = readers->starts[v]; fits && k < readers->starts[v + 1]; k++)
            fits = reader_fits (g, &g->nodes[readers->nodes[k]], v, grids[v], grids);
          const PareNode *producer = g->values[v].producer != PARE_NONE ? &g->nodes[g->values[v].producer] : NULL;
          if (fits && producer != NULL && passes_through (producer))
            for (guint k = 0; k < producer->n_inputs; k++)
              if (producer->inputs[k] != PARE_NONE && (k == 0 || pare_node_is (producer, "Concat")))
                fits &= grids[producer->inputs[k]] != NULL;
          if (!fits)
            {
              g_clear_pointer (&grids[v], pare_quant_free);
              changed = TRUE;
            }
        }
    }
  for (guint i = 0; i < order->len; i++)
    {
      PareNodeId id = g_array_index (order, PareNodeId, i);
      PareNode *node = &g->nodes[id];
      if (pare_node_is (node, "QuantizeLinear") && node->n_inputs > 0 && node->inputs[0] != PARE_NONE && node->n_outputs > 0
          && node->outputs[0] != PARE_NONE && grids[node->outputs[0]] != NULL)
        {
          PareValueId x = node->inputs[0];
          node->op = PARE_OP_QUANTIZE;
          node->role = PARE_ROLE_QUANT;
          pare_node_set_inputs (node, &x, 1);
          pare_node_unset (node, "axis");
          pare_node_unset (node, "saturate");
          pare_node_unset (node, "output_dtype");
        }
      else if (pare_node_is (node, "Pad") && node->n_inputs > 0 && node->inputs[0] != PARE_NONE && grids[node->inputs[0]] != NULL)
        lift_pad (g, id, grids[node->inputs[0]]);
      else if (pare_node_is (node, "DequantizeLinear") && node->n_inputs > 0 && node->inputs[0] != PARE_NONE
               && grids[node->inputs[0]] != NULL)
        {
          PareValueId x = node->inputs[0];
          node->op = "Identity";
          pare_node_set_inputs (node, &x, 1);
        }
      else if (pare_node_is (node, "DequantizeLinear") && node->n_inputs > 1 && node->inputs[0] != PARE_NONE && node->n_outputs > 0
               && node->outputs[0] != PARE_NONE && g->values[node->outputs[0]].quant == NULL) /* codes from elsewhere, still on a grid */
        g->values[node->outputs[0]].quant = read_grid (g, node, 1, g->values[node->inputs[0]].dtype, &g->values[node->inputs[0]].shape,
                                                       pare_node_get_int (node, "axis", 1));
    }
  for (guint v = 0; v < n_values; v++)
    if (grids[v] != NULL)
      {
        g->values[v].dtype = PARE_DTYPE_FLOAT32;
        pare_quant_free (g->values[v].quant);
        g->values[v].quant = grids[v];
      }
}

gboolean
pare_canonical_lift (PareGraph *g, GError **error)
{
  gboolean any = FALSE;
  guint n = g->n_nodes;
  for (PareNodeId i = 0; i < n; i++)
    if (g->nodes[i].op != NULL)
      {
        /* Some files take these two from there, since they once had types that the standard lacked. */
        if (g_strcmp0 (g->nodes[i].domain, "com.microsoft") == 0
            && (strcmp (g->nodes[i].op, "QuantizeLinear") == 0 || strcmp (g->nodes[i].op, "DequantizeLinear") == 0))
          g->nodes[i].domain = "";
        any |= strstr (g->nodes[i].op, "QuantizeLinear") != NULL || strstr (g->nodes[i].op, "equantizeLinear") != NULL;
        if (g_str_has_prefix (g->nodes[i].op, "Q") && !g_str_has_prefix (g->nodes[i].op, "QuantizeLinear"))
          {
            take_apart (g, i);
            any = TRUE;
          }
      }
  if (!any)
    return TRUE;
  if (!pare_graph_sort (g, error))
    return FALSE;
  lift_constants (g);
  lift_activations (g);
  return TRUE;
}
