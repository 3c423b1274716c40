/* Which operators are computed in the step of the Conv or Gemm before them: a constant per channel, one residual sum, one activation. A
 * chain ends at a value that somebody else reads or that must stay readable. */
#include "engine/lower/pare-lower-private.h"

#include <math.h>

PareNodeId
pare_lower_only_reader (const PareBuilder *b, PareValueId v)
{
  guint from = b->consumers->starts[v], to = b->consumers->starts[v + 1];
  return to - from == 1 && !b->keep[v] ? b->consumers->nodes[from] : PARE_NONE;
}

/* The constant adds one number per output channel of y. */
static gboolean
is_per_channel (const PareTensor *t, const PareShape *y, gboolean last_axis)
{
  gint64 channels = y->dims[last_axis ? y->rank - 1 : 1];
  if (t->dtype != PARE_DTYPE_FLOAT32)
    return FALSE;
  int axis = last_axis ? t->shape.rank - 1 : t->shape.rank - (y->rank - 1);
  if (t->shape.rank > y->rank || axis < 0 || axis >= t->shape.rank)
    return FALSE;
  for (int i = 0; i < t->shape.rank; i++)
    if (t->shape.dims[i] != (i == axis ? channels : 1))
      return FALSE;
  return TRUE;
}

/* residuals: its kernel adds another operand. */
static gboolean
extend (PareBuilder *b, PareFusion *f, gboolean channels_last, gboolean residuals)
{
  const PareGraph *graph = b->graph;
  const PareShape *y = &graph->values[f->output].shape;
  if (f->activation != PARE_ACT_NONE)
    return FALSE;
  const PareUnit *unit = b->keep[f->output] ? NULL : pare_lower_unit_of (b, f->output);
  guint readers = b->consumers->starts[f->output + 1] - b->consumers->starts[f->output], own = 0;
  for (guint k = 0; unit != NULL && k < readers; k++) /* none but the unit's nodes */
    for (guint n = 0; n < unit->n_nodes; n++)
      own += unit->nodes[n] == b->consumers->nodes[b->consumers->starts[f->output] + k];
  if (unit != NULL && own == readers)
    {
      f->activation = unit->activation;
      for (guint k = 0; k < unit->n_nodes; k++)
        b->fused_into[unit->nodes[k]] = f->head;
      f->last = unit->last;
      f->output = graph->nodes[unit->last].outputs[0];
      return TRUE;
    }
  PareNodeId id = pare_lower_only_reader (b, f->output);
  if (id == PARE_NONE || b->fused_into[id] != PARE_NONE || b->fusions[id].head != PARE_NONE)
    return FALSE;
  const PareNode *node = &graph->nodes[id];
  if (pare_node_is (node, "Add") && node->n_inputs == 2)
    {
      PareValueId other = node->inputs[node->inputs[0] == f->output ? 1 : 0];
      if (other == f->output)
        return FALSE;
      const PareValue *o = &graph->values[other];
      if (o->constant != NULL)
        {
          if (f->add_bias != PARE_NONE || f->residual != PARE_NONE || !is_per_channel (o->constant, y, channels_last))
            return FALSE;
          f->add_bias = other;
        }
      else
        {
          if (!residuals || f->residual != PARE_NONE || o->dtype != PARE_DTYPE_FLOAT32 || !pare_shape_equal (&o->shape, y))
            return FALSE;
          f->residual = other;
        }
    }
  else if (!pare_lower_activation (graph, node, &f->activation, &f->lo, &f->hi, &f->alpha))
    return FALSE;
  b->fused_into[id] = f->head;
  f->last = id;
  f->output = node->outputs[0];
  return TRUE;
}

/* A constant zero Pad of the spatial axes alone, read by this Conv only. */
static PareNodeId
pad_before (PareBuilder *b, const PareNode *conv)
{
  const PareGraph *graph = b->graph;
  PareNodeId id = graph->values[conv->inputs[0]].producer;
  g_autofree char *automatic = pare_node_dup_string (conv, "auto_pad");
  if (id == PARE_NONE || !pare_node_is (&graph->nodes[id], "Pad") || pare_lower_only_reader (b, conv->inputs[0]) == PARE_NONE
      || (automatic != NULL && !g_str_equal (automatic, "NOTSET")))
    return PARE_NONE;
  const PareNode *pad = &graph->nodes[id];
  g_autofree char *mode = pare_node_dup_string (pad, "mode");
  gint64 pads[2 * PARE_MAX_RANK];
  guint n = 0;
  int rank = graph->values[pad->inputs[0]].shape.rank;
  PareTensor *value = pare_lower_constant (graph, pad, 2);
  if ((mode != NULL && !g_str_equal (mode, "constant")) || pare_lower_has_input (pad, 3)
      || !pare_lower_ints (graph, pad, 1, pads, 2 * PARE_MAX_RANK, &n) || n != 2 * (guint)rank
      || (pare_lower_has_input (pad, 2) && (value == NULL || pare_tensor_count (value) != 1 || pare_tensor_get_double (value, 0) != 0)))
    return PARE_NONE;
  for (int i = 0; i < 2 * rank; i++)
    if (pads[i] < 0 || pads[i] > 65536 || (i % rank < 2 && pads[i] != 0))
      return PARE_NONE;
  return id;
}

gboolean
pare_lower_is_dense (const PareGraph *graph, const PareNode *node)
{
  if (!pare_node_is (node, "MatMul") || !pare_lower_has_input (node, 0) || !pare_lower_has_input (node, 1))
    return FALSE;
  int rank = graph->values[node->inputs[0]].shape.rank;
  return graph->values[node->inputs[1]].shape.rank == 2 && (rank == 2 || (rank > 2 && graph->values[node->inputs[1]].constant != NULL));
}

void
pare_lower_undo_fusion (PareBuilder *b, PareNodeId head)
{
  for (guint i = 0; i < b->graph->n_nodes; i++)
    if (b->fused_into[i] == head)
      b->fused_into[i] = PARE_NONE;
  b->fusions[head].head = PARE_NONE;
}

void
pare_lower_find_fusions (PareBuilder *b)
{
  const PareGraph *graph = b->graph;
  pare_lower_find_units (b);
  for (guint i = 0; i < graph->n_nodes; i++)
    {
      const PareNode *node = &graph->nodes[i];
      if (node->op == NULL || b->fused_into[i] != PARE_NONE)
        continue;
      gboolean conv = pare_node_is (node, "Conv") || pare_node_is (node, "ConvTranspose");
      gboolean dense = pare_node_is (node, "Gemm") || pare_node_is (node, PARE_OP_BLOCK_GEMM) || pare_lower_is_dense (graph, node);
      if ((!conv && !dense) || graph->values[node->outputs[0]].dtype != PARE_DTYPE_FLOAT32)
        continue;
      PareFusion *f = &b->fusions[i];
      *f = (PareFusion){
        .head = i, .last = i, .output = node->outputs[0], .add_bias = PARE_NONE, .residual = PARE_NONE, .pad = PARE_NONE, .focus = PARE_NONE
      };
      if (pare_node_is (node, "Conv"))
        {
          f->pad = pad_before (b, node);
          if (f->pad != PARE_NONE)
            b->fused_into[f->pad] = i;
        }
      /* a Gemm with a bias of its own, and ConvTranspose's kernel, take no second one */
      while (extend (b, f, !pare_node_is (node, "Conv"), !pare_node_is (node, "ConvTranspose")))
        if (f->add_bias != PARE_NONE && dense && pare_lower_has_input (node, 2) && pare_node_is (node, "Gemm"))
          {
            /* undo: two biases would need a sum of constants of different shapes */
            b->fused_into[f->last] = PARE_NONE;
            f->last = i;
            f->output = node->outputs[0];
            f->add_bias = PARE_NONE;
            break;
          }
    }
}
