#include "engine/graph/pare-graph-private.h"

#include <math.h>

/* (transfer full) The constant `other` that a Mul multiplies each channel of x with, which gets no more axes by it, as parameters of a
 * normalization by the standard deviation 1; NULL where it is not of that kind. */
static double *
factors (const PareGraph *g, const PareNode *mul, const PareShape *x, PareValueId other, gint64 channels, gboolean last)
{
  const PareValue *v = &g->values[other];
  const PareTensor *t = v->constant;
  const PareShape *y = &g->values[mul->outputs[0]].shape;
  int axis = last ? y->rank - 1 : 1;
  if (t == NULL || t->dtype != PARE_DTYPE_FLOAT32 || v->quant != NULL || y->rank != x->rank || y->rank < 2 || t->shape.rank > y->rank
      || pare_tensor_count (t) != channels || axis - (y->rank - t->shape.rank) < 0
      || t->shape.dims[axis - (y->rank - t->shape.rank)] != channels)
    return NULL;
  double *p = g_new0 (double, 4 * channels);
  for (gint64 k = 0; k < channels; k++)
    {
      p[k] = pare_tensor_get_double (t, (gsize)k);
      p[3 * channels + k] = 1;
    }
  return p;
}

/* (transfer full) Four parameters as doubles; NULL where they are not constants of as many channels. */
static double *
parameters (const PareGraph *g, const PareNode *bn, gint64 channels)
{
  double *p = g_new (double, 4 * channels);
  for (guint i = 0; i < 4; i++)
    {
      PareTensor *t = pare_node_input_constant (g, bn, i + 1);
      if (t == NULL || pare_tensor_count (t) != channels || g->values[bn->inputs[i + 1]].quant != NULL)
        {
          g_free (p);
          return NULL;
        }
      for (gint64 k = 0; k < channels; k++)
        p[i * channels + k] = pare_tensor_get_double (t, (gsize)k);
    }
  return p;
}

/* Each weight times its channel's factor. Channels are the first axis; the second where `each` > 0 (of a transposed convolution: the inputs
 * of each group, whose results follow one another) or `last`. */
static void
scale_weights (PareTensor *weight, const double *scale, gint64 each, gboolean last)
{
  gint64 rows = weight->shape.dims[0], columns = weight->shape.dims[1], inner = 1;
  float *data = weight->data;
  for (int i = 2; i < weight->shape.rank; i++)
    inner *= weight->shape.dims[i];
  if (each == 0 && !last)
    {
      inner *= columns;
      columns = 1;
    }
  for (gint64 r = 0; r < rows; r++)
    for (gint64 c = 0; c < columns; c++, data += inner)
      {
        double factor = scale[each > 0 ? r / each * columns + c : last ? c : r];
        for (gint64 i = 0; i < inner; i++)
          data[i] = (float)(data[i] * factor);
      }
}

/* The only reader may change it. What came after readers were counted, of the values before `counted`, was made here for one node. */
static gboolean
is_own (const PareGraph *g, const PareConsumers *readers, guint counted, PareValueId v)
{
  return v >= counted || (readers->starts[v + 1] - readers->starts[v] == 1 && !pare_graph_is_output (g, v));
}

/* Whether weights or a bias stand as they are stored: on a grid, of 16 bits or from a codebook they would not be any more. */
static gboolean
is_stored (const PareValue *v)
{
  return v->quant != NULL || v->storage != PARE_DTYPE_NONE || v->encoding != PARE_ENCODING_DENSE;
}

/* Folds one BatchNormalization, or one Mul by a constant, into its producer; FALSE: it does not fit and stays. */
static gboolean
fold_one (PareGraph *g, PareNodeId bn_id, const PareConsumers *readers, guint counted)
{
  PareNode *bn = &g->nodes[bn_id];
  gboolean is_mul = pare_node_is (bn, "Mul");
  if (bn->n_inputs < (is_mul ? 2 : 5) || bn->n_outputs < 1 || bn->inputs[0] == PARE_NONE || bn->outputs[0] == PARE_NONE
      || pare_node_get_int (bn, "training_mode", 0) != 0)
    return FALSE;
  guint data = is_mul && g->values[bn->inputs[0]].constant != NULL;
  PareValueId x = bn->inputs[data], y = bn->outputs[0], shift = bn->inputs[is_mul ? 1 - data : 2];
  PareNodeId producer = g->values[x].producer;
  if (producer == PARE_NONE || readers->starts[x + 1] - readers->starts[x] != 1 || pare_graph_is_output (g, x))
    return FALSE;
  PareNode *conv = &g->nodes[producer];
  gboolean is_conv = pare_node_is (conv, "Conv"), is_transpose = pare_node_is (conv, "ConvTranspose"),
           is_gemm = pare_node_is (conv, "Gemm");
  if ((!is_conv && !is_transpose && !is_gemm) || conv->n_outputs != 1 || conv->n_inputs < 2)
    return FALSE;
  if (is_mul
      && (conv->inputs[1] == PARE_NONE || is_stored (&g->values[conv->inputs[1]]) || g->values[x].quant != NULL
          || g->values[y].quant != NULL || (pare_node_input (g, conv, 2) != NULL && is_stored (pare_node_input (g, conv, 2)))))
    return FALSE;
  PareTensor *w = pare_node_input_constant (g, conv, 1), *b = pare_node_input_constant (g, conv, 2);
  if (w == NULL || w->dtype != PARE_DTYPE_FLOAT32 || g->values[conv->inputs[1]].quant != NULL || w->shape.rank < 2
      || (pare_node_input (g, conv, 2) != NULL
          && (b == NULL || b->dtype != PARE_DTYPE_FLOAT32 || g->values[conv->inputs[2]].quant != NULL)))
    return FALSE;
  gint64 group = pare_node_get_int (conv, "group", 1), tb = pare_node_get_int (conv, "transB", 0) != 0;
  gint64 channels = is_conv ? w->shape.dims[0] : is_transpose ? w->shape.dims[1] * group : w->shape.dims[!tb];
  double alpha = is_gemm ? pare_node_get_float (conv, "alpha", 1) : 1, beta = is_gemm ? pare_node_get_float (conv, "beta", 1) : 1;
  if (channels < 1 || group < 1 || (is_gemm && w->shape.rank != 2) || (is_transpose && w->shape.dims[0] % group != 0) || alpha == 0)
    return FALSE;
  if (b != NULL && !(pare_tensor_count (b) == channels && b->shape.rank >= 1 && b->shape.dims[b->shape.rank - 1] == channels)
      && pare_tensor_count (b) != 1)
    return FALSE;
  g_autofree double *p = is_mul ? factors (g, bn, &g->values[x].shape, shift, channels, is_gemm) : parameters (g, bn, channels);
  if (p == NULL)
    return FALSE;
  double epsilon = is_mul ? 0 : pare_node_get_float (bn, "epsilon", 1e-5f);
  PareShape bias_shape = { .rank = 1, .dims = { channels } };
  g_autoptr (PareTensor) weight = pare_tensor_copy (w), bias = pare_tensor_new (PARE_DTYPE_FLOAT32, &bias_shape, NULL);
  if (weight == NULL || bias == NULL)
    return FALSE;
  g_autofree double *scale = g_new (double, channels);
  for (gint64 k = 0; k < channels; k++)
    {
      double root = sqrt (p[3 * channels + k] + epsilon);
      scale[k] = p[k] / root;
      if (!isfinite (scale[k]))
        return FALSE;
      double old = b == NULL ? 0 : beta * pare_tensor_get_double (b, pare_tensor_count (b) == 1 ? 0 : (gsize)k);
      ((float *)bias->data)[k] = (float)((old - p[2 * channels + k]) * scale[k] + p[channels + k]);
    }
  scale_weights (weight, scale, is_transpose ? w->shape.dims[0] / group : 0, is_gemm && !tb);
  PareValueId inputs[3] = { conv->inputs[0] };
  PareValueId old_weight = conv->inputs[1], old_bias = conv->n_inputs > 2 ? conv->inputs[2] : PARE_NONE;
  /* Weights of one reader change in place, under their name; shared ones get a twin. */
  gboolean own_weight = is_own (g, readers, counted, old_weight),
           own_bias = old_bias != PARE_NONE && is_own (g, readers, counted, old_bias);
  inputs[1] = own_weight ? old_weight : pare_graph_add_constant (g, g->values[old_weight].name, weight, g->values[old_weight].origin);
  PareValueId named = old_bias != PARE_NONE ? old_bias : shift;
  inputs[2] = own_bias ? old_bias : pare_graph_add_constant (g, g->values[named].name, bias, g->values[named].origin);
  pare_graph_set_constant (g, inputs[1], weight);
  pare_graph_set_constant (g, inputs[2], bias);
  g->values[inputs[1]].encoding = g->values[old_weight].encoding;
  g->values[inputs[1]].sparse_n = g->values[old_weight].sparse_n;
  g->values[inputs[1]].sparse_m = g->values[old_weight].sparse_m;
  conv = &g->nodes[producer];
  pare_node_set_inputs (conv, inputs, 3);
  if (is_gemm)
    pare_node_unset (conv, "beta");
  pare_graph_remove_node (g, bn_id);
  conv->outputs[0] = y;
  g->values[y].producer = producer;
  g->values[x].producer = PARE_NONE;
  return TRUE;
}

void
pare_graph_fold_batch_norm (PareGraph *g, GHashTable *only)
{
  g_autoptr (PareConsumers) readers = pare_graph_consumers (g);
  const guint counted = g->n_values;
  for (PareNodeId i = 0; i < g->n_nodes; i++)
    {
      PareNode *node = &g->nodes[i];
      if (!pare_node_is (node, "BatchNormalization") || node->n_inputs < 1 || node->inputs[0] == PARE_NONE
          || node->inputs[0] >= g->n_values)
        continue;
      PareNodeId producer = g->values[node->inputs[0]].producer;
      if (only != NULL
          && (producer == PARE_NONE || g->nodes[producer].layer == NULL || !g_hash_table_contains (only, g->nodes[producer].layer)))
        continue;
      fold_one (g, i, readers, counted);
    }
}

void
pare_canonical_fold_factors (PareGraph *g)
{
  g_autoptr (PareConsumers) readers = NULL;
  const guint counted = g->n_values;
  for (PareNodeId i = 0; i < g->n_nodes; i++)
    {
      const PareNode *node = &g->nodes[i];
      if (!pare_node_is (node, "Mul") || node->n_inputs != 2 || node->inputs[0] == PARE_NONE || node->inputs[1] == PARE_NONE
          || (g->values[node->inputs[0]].constant == NULL) == (g->values[node->inputs[1]].constant == NULL)
          || pare_node_get_attr (node, PARE_ATTR_OF_CODES) != NULL)
        continue;
      if (readers == NULL)
        readers = pare_graph_consumers (g);
      fold_one (g, i, readers, counted);
    }
}
