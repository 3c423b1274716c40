/* Where layers keep their weights, and how they look once what belongs to the layer is folded in. */
#include "engine/compress/pare-compress-private.h"

#include <math.h>
#include <string.h>

static const PareNode *
producer_of (const PareGraph *graph, PareValueId value)
{
  PareNodeId id = graph->values[value].producer;
  return id != PARE_NONE && id < graph->n_nodes && graph->nodes[id].op != NULL ? &graph->nodes[id] : NULL;
}

static gboolean
is_rearrangement (const PareNode *node)
{
  return pare_node_is (node, "Reshape") || pare_node_is (node, "Transpose") || pare_node_is (node, "Squeeze")
         || pare_node_is (node, "Unsqueeze") || pare_node_is (node, "Flatten");
}

/* The constant at the end of the chain, borrowed; nothing is computed. */
static PareTensor *
root_constant (const PareGraph *graph, PareValueId value)
{
  for (int depth = 0; depth < 16 && value != PARE_NONE; depth++)
    {
      if (graph->values[value].constant != NULL)
        return graph->values[value].constant;
      const PareNode *node = producer_of (graph, value);
      if (node == NULL)
        return NULL;
      if (pare_node_is (node, "Constant"))
        {
          const PareAttr *attr = pare_node_get_attr (node, "value");
          return attr != NULL ? attr->tensor : NULL;
        }
      if (node->n_inputs == 0 || !(is_rearrangement (node) || pare_node_is (node, "Identity")))
        return NULL;
      value = node->inputs[0];
    }
  return NULL;
}

static PareTensor *
transpose (const PareTensor *in, const PareNode *node)
{
  int rank = in->shape.rank;
  guint n;
  const gint64 *given = pare_node_get_ints (node, "perm", &n);
  gint64 perm[PARE_MAX_RANK];
  guint8 seen[PARE_MAX_RANK] = { 0 };
  if (given != NULL && n != (guint)rank)
    return NULL;
  PareShape shape = { .rank = rank };
  for (int i = 0; i < rank; i++)
    {
      perm[i] = given != NULL ? given[i] : rank - 1 - i;
      if (perm[i] < 0 || perm[i] >= rank || seen[perm[i]]++)
        return NULL;
      shape.dims[i] = in->shape.dims[perm[i]];
    }
  int bits = pare_dtype_bits (in->dtype);
  PareTensor *out = bits >= 8 ? pare_tensor_new (in->dtype, &shape, NULL) : NULL;
  if (out == NULL)
    return NULL;
  gsize size = (gsize)bits / 8, count = (gsize)pare_tensor_count (in), stride[PARE_MAX_RANK];
  gsize at[PARE_MAX_RANK] = { 0 }, from = 0;
  for (int i = 0; i < rank; i++)
    {
      stride[i] = 1;
      for (int k = (int)perm[i] + 1; k < rank; k++)
        stride[i] *= (gsize)in->shape.dims[k];
    }
  for (gsize to = 0; to < count; to++)
    {
      memcpy ((char *)out->data + to * size, (const char *)in->data + from * size, size);
      for (int i = rank - 1; i >= 0; i--)
        {
          from += stride[i];
          if (++at[i] < (gsize)shape.dims[i])
            break;
          from -= at[i] * stride[i];
          at[i] = 0;
        }
    }
  return out;
}

static PareTensor *
reshape_as (const PareGraph *graph, const PareNode *node, PareTensor *in)
{
  PareShape shape = { 0 };
  gint64 count = pare_tensor_count (in);
  if (pare_node_is (node, "Reshape"))
    {
      g_autoptr (PareTensor) want = NULL;
      guint n = 0;
      const gint64 *attr = pare_node_get_ints (node, "shape", &n); /* before opset 5 */
      if (attr == NULL)
        {
          want = node->n_inputs > 1 && node->inputs[1] != PARE_NONE ? pare_weights_materialize (graph, node->inputs[1]) : NULL;
          if (want == NULL || want->dtype != PARE_DTYPE_INT64 || pare_tensor_count (want) > PARE_MAX_RANK)
            return NULL;
          n = (guint)pare_tensor_count (want);
          attr = want->data;
        }
      if (n > PARE_MAX_RANK)
        return NULL;
      int open = -1;
      gint64 known = 1;
      shape.rank = (int)n;
      for (guint i = 0; i < n; i++)
        {
          shape.dims[i] = attr[i] == 0 && i < (guint)in->shape.rank ? in->shape.dims[i] : attr[i];
          if (shape.dims[i] == -1)
            open = (int)i;
          else if (shape.dims[i] <= 0 || __builtin_mul_overflow (known, shape.dims[i], &known))
            return NULL;
        }
      if (open >= 0)
        shape.dims[open] = count / known;
    }
  else if (pare_node_is (node, "Flatten"))
    {
      gint64 axis = pare_node_get_int (node, "axis", 1), before = 1;
      if (axis < 0)
        axis += in->shape.rank;
      for (gint64 i = 0; i < axis && i < in->shape.rank; i++)
        before *= in->shape.dims[i];
      if (before <= 0)
        return NULL;
      shape = pare_shape_make (2, before, count / before);
    }
  else /* Squeeze and Unsqueeze: the declared shape is all that is needed */
    shape = graph->values[node->outputs[0]].shape;
  return pare_shape_count (&shape) == count ? pare_tensor_reshape (in, &shape, NULL) : NULL;
}

PareTensor *
pare_weights_materialize (const PareGraph *graph, PareValueId value)
{
  PareTensor *root = root_constant (graph, value);
  if (root == NULL)
    return NULL;
  const PareNode *node = graph->values[value].constant == NULL ? producer_of (graph, value) : NULL;
  if (node == NULL || pare_node_is (node, "Constant"))
    return pare_tensor_ref (root);
  g_autoptr (PareTensor) in = pare_weights_materialize (graph, node->inputs[0]);
  if (in == NULL)
    return NULL;
  if (pare_node_is (node, "Identity"))
    return g_steal_pointer (&in);
  return pare_node_is (node, "Transpose") ? transpose (in, node) : reshape_as (graph, node, in);
}

static gboolean
is_float (PareDtype dtype)
{
  return dtype == PARE_DTYPE_FLOAT32 || dtype == PARE_DTYPE_FLOAT16 || dtype == PARE_DTYPE_BFLOAT16 || dtype == PARE_DTYPE_FLOAT64;
}

static gboolean
has_constant (const PareGraph *graph, const PareNode *node, guint input)
{
  if (input >= node->n_inputs || node->inputs[input] == PARE_NONE)
    return FALSE;
  PareTensor *root = root_constant (graph, node->inputs[input]);
  return root != NULL && is_float (root->dtype) && pare_tensor_count (root) > 0;
}

/* Rank of a constant after its chain; the chain is computed only where it changes ranks. */
static int
constant_rank (const PareGraph *graph, PareValueId value)
{
  if (graph->values[value].constant != NULL)
    return graph->values[value].constant->shape.rank;
  g_autoptr (PareTensor) t = pare_weights_materialize (graph, value);
  return t != NULL ? t->shape.rank : -1;
}

gboolean
pare_weights_place (const PareGraph *graph, PareNodeId id, PareWeightPlace *place)
{
  const PareNode *node = &graph->nodes[id];
  gboolean conv = pare_node_is (node, "Conv"), transposed = pare_node_is (node, "ConvTranspose");
  if (conv || transposed)
    {
      if (!has_constant (graph, node, 1) || constant_rank (graph, node->inputs[1]) < 3)
        return FALSE;
      *place = (PareWeightPlace){ 1, conv ? 0 : 1, conv ? 1 : 0 };
      return TRUE;
    }
  if (pare_node_is (node, "Gemm"))
    {
      gboolean t = pare_node_get_int (node, "transB", 0) != 0;
      if (!has_constant (graph, node, 1) || constant_rank (graph, node->inputs[1]) != 2)
        return FALSE;
      *place = (PareWeightPlace){ 1, t ? 0 : 1, t ? 1 : 0 };
      return TRUE;
    }
  if (pare_node_is (node, "MatMul"))
    {
      guint side = has_constant (graph, node, 1) ? 1 : 0;
      if ((side == 0 && !has_constant (graph, node, 0)) || node->n_inputs < 2)
        return FALSE;
      int rank = constant_rank (graph, node->inputs[side]);
      if (rank < 2 || root_constant (graph, node->inputs[1 - side]) != NULL)
        return FALSE;
      *place = (PareWeightPlace){ side, side == 1 ? rank - 1 : rank - 2, side == 1 ? rank - 2 : rank - 1 };
      return TRUE;
    }
  if (pare_node_is (node, "LSTM") || pare_node_is (node, "GRU") || pare_node_is (node, "RNN"))
    {
      if (!has_constant (graph, node, 1) || constant_rank (graph, node->inputs[1]) != 3)
        return FALSE;
      *place = (PareWeightPlace){ 1, 1, 2 };
      return TRUE;
    }
  return FALSE;
}

gboolean
pare_layer_is_compressible (const PareGraph *source, PareNodeId node, guint *weight)
{
  PareWeightPlace place;
  if (node >= source->n_nodes || source->nodes[node].op == NULL || !pare_weights_place (source, node, &place))
    return FALSE;
  if (weight != NULL)
    *weight = place.input;
  return TRUE;
}

PareTensor *
pare_weights_dup (const PareGraph *graph, PareNodeId node, PareWeightPlace *place)
{
  if (!pare_weights_place (graph, node, place))
    return NULL;
  g_autoptr (PareTensor) raw = pare_weights_materialize (graph, graph->nodes[node].inputs[place->input]);
  if (raw == NULL)
    return NULL;
  return raw->dtype == PARE_DTYPE_FLOAT32 ? pare_tensor_copy (raw) : pare_tensor_cast (raw, PARE_DTYPE_FLOAT32, NULL);
}

PareAxisSplit
pare_axis_split (const PareShape *shape, int axis)
{
  PareAxisSplit s = { 1, 1, 1 };
  for (int i = 0; i < shape->rank; i++)
    if (axis < 0 || i > axis)
      s.inner *= (gsize)shape->dims[i];
    else if (i < axis)
      s.outer *= (gsize)shape->dims[i];
    else
      s.n = (gsize)shape->dims[i];
  return s;
}

void
pare_axis_gather (const float *data, const PareAxisSplit *s, gsize channel, float *out)
{
  for (gsize o = 0; o < s->outer; o++)
    {
      const float *from = data + (o * s->n + channel) * s->inner;
      if (s->inner == 1)
        out[o] = *from;
      else
        memcpy (out + o * s->inner, from, s->inner * sizeof *out);
    }
}

void
pare_axis_scatter (float *data, const PareAxisSplit *s, gsize channel, const float *in)
{
  for (gsize o = 0; o < s->outer; o++)
    {
      float *to = data + (o * s->n + channel) * s->inner;
      if (s->inner == 1)
        *to = in[o];
      else
        memcpy (to, in + o * s->inner, s->inner * sizeof *in);
    }
}

PareNodeId
pare_weights_following_batch_norm (const PareGraph *graph, PareNodeId id)
{
  const PareNode *node = &graph->nodes[id];
  if (!(pare_node_is (node, "Conv") || pare_node_is (node, "ConvTranspose") || pare_node_is (node, "Gemm")) || node->n_outputs < 1)
    return PARE_NONE;
  PareNodeId found = PARE_NONE;
  for (guint i = 0; i < graph->n_nodes; i++)
    for (guint k = 0; k < graph->nodes[i].n_inputs && graph->nodes[i].op != NULL; k++)
      if (graph->nodes[i].inputs[k] == node->outputs[0])
        {
          if (found != PARE_NONE || k != 0 || !pare_node_is (&graph->nodes[i], "BatchNormalization") || graph->nodes[i].n_inputs < 5)
            return PARE_NONE;
          found = i;
        }
  return found != PARE_NONE && !pare_graph_is_output (graph, node->outputs[0]) ? found : PARE_NONE;
}

gboolean
pare_weights_scale_by_batch_norm (const PareGraph *graph, PareNodeId bn, const PareWeightPlace *place, gint64 group, PareTensor *weights)
{
  const PareNode *node = &graph->nodes[bn];
  g_autoptr (PareTensor) gamma = pare_weights_materialize (graph, node->inputs[1]), var = pare_weights_materialize (graph, node->inputs[4]);
  PareAxisSplit s = pare_axis_split (&weights->shape, place->out_axis);
  gint64 channels = (gint64)s.n * (place->out_axis == 1 && weights->shape.rank > 2 ? group : 1);
  if (gamma == NULL || var == NULL || pare_tensor_count (gamma) != channels || pare_tensor_count (var) != channels)
    return FALSE;
  float epsilon = pare_node_get_float (node, "epsilon", 1e-5f), *w = weights->data;
  gsize rows_per_group = s.outer / (gsize)MAX (group, 1);
  for (gsize o = 0; o < s.outer; o++)
    for (gsize c = 0; c < s.n; c++)
      {
        gsize channel = channels == (gint64)s.n ? c : o / MAX (rows_per_group, 1) * s.n + c;
        float f = (float)(pare_tensor_get_double (gamma, channel) / sqrt (pare_tensor_get_double (var, channel) + epsilon));
        float *row = w + (o * s.n + c) * s.inner;
        for (gsize i = 0; i < s.inner; i++)
          row[i] *= f;
      }
  return TRUE;
}

PareTensor *
pare_layer_dup_weights (const PareGraph *graph, const char *layer)
{
  PareNodeId id = pare_graph_find_layer (graph, layer);
  PareWeightPlace place;
  if (id == PARE_NONE)
    return NULL;
  PareTensor *weights = pare_weights_dup (graph, id, &place);
  if (weights == NULL)
    return NULL;
  PareNodeId bn = pare_weights_following_batch_norm (graph, id);
  if (bn != PARE_NONE)
    pare_weights_scale_by_batch_norm (graph, bn, &place, pare_node_get_int (&graph->nodes[id], "group", 1), weights);
  return weights;
}

gboolean
pare_weights_check_finite (const PareTensor *weights, const char *layer, GError **error)
{
  const float *w = weights->data;
  gsize n = (gsize)pare_tensor_count (weights);
  for (gsize i = 0; i < n; i++)
    if (!isfinite (w[i]))
      {
        g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "layer '%s': weight %" G_GSIZE_FORMAT " is %s; such weights cannot be compressed",
                     layer, i, isnan (w[i]) ? "not a number" : "infinite");
        return FALSE;
      }
  return TRUE;
}
