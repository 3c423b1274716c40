/* Which parts of a graph run on codes. A value has a grid where its real values lie on one of 8 bits or fewer with one scale: what a
 * PareQuantize writes, and what moving such values about leaves as it is. An operator whose operands have grids is computed on codes, and
 * the PareQuantize behind it is part of its step: the arithmetic that deploys. Everything else stays in float; values change sides where
 * they must (pare-lower-integer.c). */
#include "engine/lower/pare-lower-private.h"

#include <math.h>

static const PareQuant *
own_grid (const PareGraph *graph, PareValueId v)
{
  const PareValue *value = &graph->values[v];
  const PareQuant *q = value->quant;
  return q != NULL && q->n == 1 && q->group == 0 && q->bits <= 8 && value->dtype == PARE_DTYPE_FLOAT32 && value->constant == NULL
                 && q->lo <= q->hi && q->lo >= (q->is_signed ? -128 : 0) && q->hi <= (q->is_signed ? 127 : 255) && q->zero[0] >= q->lo
                 && q->zero[0] <= q->hi
             ? q
             : NULL;
}

gboolean
pare_lower_same_grid (const PareQuant *a, const PareQuant *b)
{
  return a == b
         || (a != NULL && b != NULL && a->is_signed == b->is_signed && a->lo == b->lo && a->hi == b->hi && a->scale[0] == b->scale[0]
             && a->zero[0] == b->zero[0]);
}

PareNodeId
pare_lower_quantize_after (const PareBuilder *b, PareNodeId id)
{
  const PareFusion *f = &b->fusions[id];
  PareValueId y = f->head != PARE_NONE ? f->output : b->graph->nodes[id].outputs[0];
  PareNodeId reader = pare_lower_only_reader (b, y);
  return reader != PARE_NONE && g_str_equal (b->graph->nodes[reader].op, PARE_OP_QUANTIZE)
                 && own_grid (b->graph, b->graph->nodes[reader].outputs[0]) != NULL
             ? reader
             : PARE_NONE;
}

/* A batch normalization with constants that alone reads y, which the convolution writes, and the PareQuantize that alone reads that. */
static PareNodeId
quantize_after_norm (const PareBuilder *b, PareNodeId id, PareValueId y, PareNodeId *norm)
{
  const PareGraph *graph = b->graph;
  *norm = pare_lower_only_reader (b, y);
  const PareNode *node = *norm != PARE_NONE ? &graph->nodes[*norm] : NULL;
  if (node == NULL || !pare_node_is (&graph->nodes[id], "Conv") || !pare_node_is (node, "BatchNormalization") || node->n_inputs < 5
      || pare_node_get_int (node, "training_mode", 0) != 0 || b->fused_into[*norm] != PARE_NONE)
    return PARE_NONE;
  for (guint i = 1; i < 5; i++)
    {
      PareTensor *t = pare_lower_constant (graph, node, i);
      if (t == NULL || t->dtype != PARE_DTYPE_FLOAT32 || pare_tensor_count (t) != b->integers[id].channels)
        return PARE_NONE;
    }
  for (guint i = 1; i < node->n_outputs; i++)
    if (node->outputs[i] != PARE_NONE)
      return PARE_NONE;
  return pare_lower_quantize_after (b, *norm);
}

static void
take (PareBuilder *b, PareNodeId id, PareIntegerKind kind, PareNodeId rounds)
{
  b->integers[id].kind = kind;
  b->integers[id].rounds = rounds;
  if (rounds != PARE_NONE)
    b->rounded[rounds] = TRUE;
}

static gboolean
consider_product (PareBuilder *b, PareNodeId id)
{
  const PareNode *node = &b->graph->nodes[id];
  const PareFusion *f = &b->fusions[id];
  gboolean fused = f->head != PARE_NONE;
  PareValueId x = fused && f->pad != PARE_NONE ? b->graph->nodes[f->pad].inputs[0] : node->inputs[0];
  gboolean adds = fused && (f->add_bias != PARE_NONE || f->residual != PARE_NONE);
  if (x == PARE_NONE || b->grid[x] == NULL || (adds && (pare_node_is (node, "Conv") || pare_node_is (node, "ConvTranspose")))
      || !pare_lower_integer_operands (b, id, b->grid[x]))
    return FALSE;
  if (adds) /* sums of floats are steps of their own there */
    {
      pare_lower_undo_fusion (b, id);
      fused = FALSE;
    }
  gboolean bounds = !fused || f->activation == PARE_ACT_NONE || f->activation == PARE_ACT_CLIP;
  PareNodeId after = bounds ? pare_lower_quantize_after (b, id) : PARE_NONE, between = after, norm, last;
  PareValueId y = between != PARE_NONE ? b->graph->nodes[between].outputs[0] : fused ? f->output : node->outputs[0];
  if (bounds && (last = quantize_after_norm (b, id, y, &norm)) != PARE_NONE)
    {
      b->integers[id].normalizes = norm;
      b->integers[id].between = between;
      b->rounded[norm] = TRUE;
      if (between != PARE_NONE)
        b->rounded[between] = TRUE;
      after = last;
    }
  take (b, id, PARE_INTEGER_PRODUCT, after);
  return TRUE;
}

/* The sum of two values of one shape, with what clips it. */
static gboolean
consider_add (PareBuilder *b, PareNodeId id)
{
  const PareGraph *graph = b->graph;
  const PareNode *node = &graph->nodes[id];
  if (!pare_node_is (node, "Add") || node->n_inputs != 2)
    return FALSE;
  for (guint i = 0; i < 2; i++)
    if (b->grid[node->inputs[i]] == NULL
        || !pare_shape_equal (&graph->values[node->inputs[i]].shape, &graph->values[node->outputs[0]].shape))
      return FALSE;
  PareNodeId clip = pare_lower_only_reader (b, node->outputs[0]);
  PareFusion f = { .head = id, .output = node->outputs[0], .add_bias = PARE_NONE, .residual = PARE_NONE, .pad = PARE_NONE };
  if (clip != PARE_NONE && b->fused_into[clip] == PARE_NONE
      && pare_lower_activation (graph, &graph->nodes[clip], &f.activation, &f.lo, &f.hi, &f.alpha) && f.activation == PARE_ACT_CLIP)
    {
      f.last = clip;
      f.output = graph->nodes[clip].outputs[0];
      b->fusions[id] = f;
    }
  PareNodeId after = pare_lower_quantize_after (b, id);
  if (after == PARE_NONE)
    {
      b->fusions[id].head = PARE_NONE;
      return FALSE;
    }
  if (b->fusions[id].head != PARE_NONE)
    b->fused_into[clip] = id;
  take (b, id, PARE_INTEGER_ADD, after);
  return TRUE;
}

static gboolean
consider_average (PareBuilder *b, PareNodeId id)
{
  const PareNode *node = &b->graph->nodes[id];
  int rank = b->graph->values[node->inputs[0]].shape.rank;
  PareNodeId after = pare_lower_quantize_after (b, id);
  if ((!pare_node_is (node, "AveragePool") && !pare_node_is (node, "GlobalAveragePool")) || b->grid[node->inputs[0]] == NULL
      || after == PARE_NONE || rank < 3 || rank > 5)
    return FALSE;
  take (b, id, PARE_INTEGER_AVERAGE, after);
  return TRUE;
}

static gboolean
consider_attention (PareBuilder *b, PareNodeId id)
{
  if (!pare_lower_find_code_attention (b, id))
    return FALSE;
  take (b, id, PARE_INTEGER_ATTENTION, pare_lower_quantize_after (b, id));
  return TRUE;
}

/* A Concat of values on grids: as they are where they share one, else each laid on that of the result. */
static gboolean
consider_concat (PareBuilder *b, PareNodeId id)
{
  const PareNode *node = &b->graph->nodes[id];
  gboolean same = TRUE;
  if (!pare_node_is (node, "Concat") || node->n_inputs < 1)
    return FALSE;
  for (guint i = 0; i < node->n_inputs; i++)
    {
      if (node->inputs[i] == PARE_NONE || b->grid[node->inputs[i]] == NULL)
        return FALSE;
      same &= pare_lower_same_grid (b->grid[node->inputs[i]], b->grid[node->inputs[0]]);
    }
  PareNodeId after = pare_lower_quantize_after (b, id);
  if (same && after == PARE_NONE)
    {
      b->grid[node->outputs[0]] = b->grid[node->inputs[0]];
      take (b, id, PARE_INTEGER_MOVE, PARE_NONE);
    }
  else if (after != PARE_NONE)
    take (b, id, PARE_INTEGER_CONCAT, after);
  return same || after != PARE_NONE;
}

/* Codes are moved as bytes; the result lies on the same grid. */
static gboolean
consider_move (PareBuilder *b, PareNodeId id)
{
  const PareGraph *graph = b->graph;
  const PareNode *node = &graph->nodes[id];
  const PareQuant *q = b->grid[node->inputs[0]];
  if (q == NULL || !pare_node_only_moves (node))
    return FALSE;
  if (pare_node_is (node, "Pad"))
    {
      PareTensor *value = pare_lower_constant (graph, node, 2);
      if (pare_lower_has_input (node, 2) && (value == NULL || pare_tensor_count (value) != 1 || pare_tensor_get_double (value, 0) != 0))
        return FALSE;
    }
  for (guint i = 0; i < node->n_outputs; i++)
    if (node->outputs[i] != PARE_NONE && graph->values[node->outputs[i]].dtype == PARE_DTYPE_FLOAT32)
      b->grid[node->outputs[i]] = q;
  take (b, id, PARE_INTEGER_MOVE, PARE_NONE);
  return TRUE;
}

/* Going back: whose codes somebody computes with. What only float operators read is better laid on its grid in float. */
static void
find_wanted (PareBuilder *b, gboolean *wanted)
{
  const PareGraph *graph = b->graph;
  for (guint i = graph->n_nodes; i-- > 0;)
    {
      const PareNode *node = &graph->nodes[i];
      const PareFusion *f = &b->fusions[i];
      PareIntegerKind kind = b->integers[i].kind;
      if (node->op == NULL || kind == PARE_INTEGER_NONE)
        continue;
      gboolean wants = kind != PARE_INTEGER_MOVE && kind != PARE_INTEGER_LAY && kind != PARE_INTEGER_READ;
      for (guint k = 0; k < node->n_outputs && !wants; k++)
        wants = node->outputs[k] != PARE_NONE && wanted[node->outputs[k]];
      guint n = kind == PARE_INTEGER_READ || kind == PARE_INTEGER_ATTENTION ? 0
                : kind == PARE_INTEGER_ADD                                  ? 2
                : pare_node_is (node, "Concat")                             ? node->n_inputs
                                                                            : 1;
      for (guint k = 0; k < n && wants; k++)
        {
          PareValueId x = node->inputs[k];
          if (kind == PARE_INTEGER_TABLE)
            x = b->integers[i].source;
          if (kind == PARE_INTEGER_PRODUCT && f->head != PARE_NONE && f->pad != PARE_NONE)
            x = graph->nodes[f->pad].inputs[0];
          if (x != PARE_NONE)
            wanted[x] = TRUE;
        }
      for (guint k = 0; k < 3 && kind == PARE_INTEGER_ATTENTION; k++)
        wanted[f->operands[k]] = TRUE;
    }
}

void
pare_lower_find_integers (PareBuilder *b)
{
  const PareGraph *graph = b->graph;
  g_autofree gboolean *wanted = g_new0 (gboolean, graph->n_values + 1);
  for (guint i = 0; i < graph->n_nodes; i++)
    {
      const PareNode *node = &graph->nodes[i];
      if (node->op == NULL || node->n_inputs < 1 || node->inputs[0] == PARE_NONE || node->n_outputs < 1 || node->outputs[0] == PARE_NONE)
        continue;
      if (g_str_equal (node->op, PARE_OP_QUANTIZE))
        {
          b->grid[node->outputs[0]] = own_grid (graph, node->outputs[0]);
          if (b->grid[node->outputs[0]] != NULL && !b->rounded[i])
            take (b, i, PARE_INTEGER_LAY, PARE_NONE);
        }
      else if (pare_node_is (node, "DequantizeLinear"))
        {
          PareDtype dtype = graph->values[node->inputs[0]].dtype;
          b->grid[node->outputs[0]] = dtype == PARE_DTYPE_UINT8 || dtype == PARE_DTYPE_INT8 ? own_grid (graph, node->outputs[0]) : NULL;
          if (b->grid[node->outputs[0]] != NULL)
            take (b, i, PARE_INTEGER_READ, PARE_NONE);
        }
      else if (b->fused_into[i] != PARE_NONE || graph->values[node->outputs[0]].dtype != PARE_DTYPE_FLOAT32)
        continue;
      else if (!consider_product (b, i) && !consider_add (b, i) && !consider_average (b, i) && !pare_lower_find_table (b, i)
               && !consider_attention (b, i) && !consider_concat (b, i))
        consider_move (b, i);
    }
  find_wanted (b, wanted);
  /* a side for each value; what a value on codes is moved into is on codes */
  for (guint i = 0; i < graph->n_nodes; i++)
    {
      const PareNode *node = &graph->nodes[i];
      PareInteger *integer = &b->integers[i];
      if (node->op == NULL || integer->kind == PARE_INTEGER_NONE)
        continue;
      if (integer->kind == PARE_INTEGER_LAY || integer->kind == PARE_INTEGER_READ)
        {
          gboolean codes = wanted[node->outputs[0]] || (integer->kind == PARE_INTEGER_LAY && b->on_codes[node->inputs[0]]);
          b->on_codes[node->outputs[0]] = codes;
          if (!codes)
            integer->kind = PARE_INTEGER_NONE;
        }
      else if (integer->rounds != PARE_NONE)
        b->on_codes[graph->nodes[integer->rounds].outputs[0]] = TRUE;
      else if (integer->kind == PARE_INTEGER_MOVE)
        {
          gboolean codes = TRUE;
          for (guint k = 0; k < (pare_node_is (node, "Concat") ? node->n_inputs : 1); k++)
            codes &= b->on_codes[node->inputs[k]];
          for (guint k = 0; k < node->n_outputs && codes; k++)
            if (node->outputs[k] != PARE_NONE)
              b->on_codes[node->outputs[k]] = TRUE;
          if (!codes)
            integer->kind = PARE_INTEGER_NONE;
        }
    }
}
