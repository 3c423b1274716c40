/* What several nodes write out and one kernel computes: units of their own, LayerNormalization and RMSNormalization. Products and integers
 * have taken what is theirs before. */
#include "engine/lower/pare-lower-private.h"

gboolean
pare_lower_number (const PareGraph *graph, const PareNode *node, guint i, double *number)
{
  PareTensor *t = pare_lower_constant (graph, node, i);
  if (t == NULL || t->dtype != PARE_DTYPE_FLOAT32 || pare_tensor_count (t) != 1)
    return FALSE;
  *number = pare_tensor_get_double (t, 0);
  return TRUE;
}

static gboolean
among (const PareNodeId *nodes, guint n, PareNodeId id)
{
  for (guint i = 0; i < n; i++)
    if (nodes[i] == id)
      return TRUE;
  return FALSE;
}

gboolean
pare_lower_is_closed (const PareBuilder *b, const PareNodeId *nodes, guint n, PareNodeId last)
{
  for (guint i = 0; i < n; i++)
    {
      const PareNode *node = &b->graph->nodes[nodes[i]];
      if (b->fused_into[nodes[i]] != PARE_NONE || b->fusions[nodes[i]].head != PARE_NONE || b->integers[nodes[i]].kind != PARE_INTEGER_NONE
          || b->rounded[nodes[i]])
        return FALSE;
      for (guint o = 0; o < node->n_outputs && nodes[i] != last; o++)
        {
          PareValueId v = node->outputs[o];
          if (v == PARE_NONE)
            continue;
          if (b->keep[v])
            return FALSE;
          for (guint k = b->consumers->starts[v]; k < b->consumers->starts[v + 1]; k++)
            if (!among (nodes, n, b->consumers->nodes[k]))
              return FALSE;
        }
    }
  return TRUE;
}

void
pare_lower_take (PareBuilder *b, const PareFusion *fusion, const PareNodeId *nodes, guint n)
{
  b->fusions[fusion->head] = *fusion;
  for (guint i = 0; i < n; i++)
    b->fused_into[nodes[i]] = fusion->head;
}

static void
take_unit (PareBuilder *b, PareValueId x)
{
  const PareUnit *unit = pare_lower_unit_of (b, x);
  if (unit == NULL)
    return;
  pare_lower_take (b,
                   &(PareFusion){ .kind = PARE_FUSION_UNARY,
                                  .head = unit->nodes[0],
                                  .last = unit->last,
                                  .output = b->graph->nodes[unit->last].outputs[0],
                                  .unary = unit->unary,
                                  .operands = { x } },
                   unit->nodes, unit->n_nodes);
}

/* --- LayerNormalization: d = x - mean (x); d / sqrt (mean (d^2) + epsilon) [* scale] [+ bias] over the last axis;
 * RMSNormalization: d is x --- */

typedef struct
{
  PareNodeId nodes[10];
  guint n;
} Set;

static const PareNode *
made_by (const PareBuilder *b, PareValueId v, const char *op, Set *set)
{
  PareNodeId id = b->graph->values[v].producer;
  if (id == PARE_NONE || !pare_node_is (&b->graph->nodes[id], op) || b->graph->nodes[id].n_inputs < 1
      || set->n == G_N_ELEMENTS (set->nodes))
    return NULL;
  if (!among (set->nodes, set->n, id))
    set->nodes[set->n++] = id;
  return &b->graph->nodes[id];
}

/* The mean along the last axis, which stays as one. */
static const PareNode *
mean_of (const PareBuilder *b, PareValueId v, Set *set)
{
  const PareNode *node = made_by (b, v, "ReduceMean", set);
  gint64 axis;
  guint n;
  if (node == NULL || pare_node_get_int (node, "keepdims", 1) == 0 || !pare_lower_ints (b->graph, node, 1, &axis, 1, &n) || n != 1)
    return NULL;
  int rank = b->graph->values[node->inputs[0]].shape.rank;
  return rank > 0 && pare_lower_axis (axis, rank) == rank - 1 ? node : NULL;
}

/* x - mean (x) -> x */
static PareValueId
centred (const PareBuilder *b, PareValueId v, Set *set)
{
  const PareNode *sub = made_by (b, v, "Sub", set), *mean = sub != NULL ? mean_of (b, sub->inputs[1], set) : NULL;
  return mean != NULL && mean->inputs[0] == sub->inputs[0] ? sub->inputs[0] : PARE_NONE;
}

/* The node behind v that combines it with a vector along the last axis. */
static PareNodeId
vector_after (const PareBuilder *b, PareValueId v, const char *op, PareValueId *vector)
{
  PareNodeId id = pare_lower_only_reader (b, v);
  const PareNode *node = id != PARE_NONE ? &b->graph->nodes[id] : NULL;
  const PareShape *shape = &b->graph->values[v].shape;
  if (node == NULL || !pare_node_is (node, op) || node->n_inputs != 2)
    return PARE_NONE;
  *vector = node->inputs[node->inputs[0] == v ? 1 : 0];
  const PareTensor *t = b->graph->values[*vector].constant;
  return t != NULL && t->dtype == PARE_DTYPE_FLOAT32 && t->shape.rank == 1 && t->shape.dims[0] == shape->dims[shape->rank - 1] ? id
                                                                                                                               : PARE_NONE;
}

/* The node that divides *d by root, or multiplies it by one over root. */
static PareNodeId
divides (const PareBuilder *b, PareValueId root, PareValueId *d, Set *set)
{
  PareNodeId id = pare_lower_only_reader (b, root);
  const PareNode *node = id != PARE_NONE ? &b->graph->nodes[id] : NULL;
  double one;
  if (node == NULL || set->n + 2 > G_N_ELEMENTS (set->nodes))
    return PARE_NONE;
  set->nodes[set->n++] = id;
  *d = node->inputs[0];
  if (pare_node_is (node, "Div") && node->inputs[1] == root && !pare_lower_number (b->graph, node, 0, &one))
    return id;
  if (!pare_node_is (node, "Reciprocal") && (!pare_node_is (node, "Div") || !pare_lower_number (b->graph, node, 0, &one) || one != 1))
    return PARE_NONE;
  PareValueId factor = node->outputs[0];
  id = pare_lower_only_reader (b, factor);
  node = id != PARE_NONE ? &b->graph->nodes[id] : NULL;
  if (node == NULL || !pare_node_is (node, "Mul") || node->n_inputs != 2)
    return PARE_NONE;
  *d = node->inputs[node->inputs[0] == factor ? 1 : 0];
  set->nodes[set->n++] = id;
  return id;
}

static void
take_norm (PareBuilder *b, PareNodeId root)
{
  const PareGraph *graph = b->graph;
  const PareNode *sqrt = &graph->nodes[root];
  Set set = { { root }, 1 };
  const PareNode *plus = made_by (b, sqrt->inputs[0], "Add", &set);
  double epsilon = 0;
  guint number = plus != NULL && pare_lower_number (graph, plus, 0, &epsilon) ? 0 : 1;
  if (plus == NULL || plus->n_inputs != 2 || !pare_lower_number (graph, plus, number, &epsilon) || epsilon < 0)
    return;
  const PareNode *mean = mean_of (b, plus->inputs[1 - number], &set);
  if (mean == NULL)
    return;
  const PareNode *square = made_by (b, mean->inputs[0], "Pow", &set);
  double two;
  gboolean squared = square != NULL && pare_lower_number (graph, square, 1, &two) && two == 2;
  if (square == NULL)
    {
      square = made_by (b, mean->inputs[0], "Mul", &set);
      squared = square != NULL && square->inputs[0] == square->inputs[1];
    }
  if (!squared)
    return;
  guint before = set.n;
  PareValueId x = centred (b, square->inputs[0], &set), d;
  gboolean rms = x == PARE_NONE;
  if (rms)
    {
      set.n = before;
      x = square->inputs[0];
    }
  PareNodeId div = divides (b, sqrt->outputs[0], &d, &set);
  if (graph->values[x].dtype != PARE_DTYPE_FLOAT32 || div == PARE_NONE || (rms ? d : centred (b, d, &set)) != x
      || set.n + 2 > G_N_ELEMENTS (set.nodes))
    return;
  PareFusion f = {
    .kind = PARE_FUSION_NORM, .head = div, .last = div, .epsilon = (float)epsilon, .rms = rms, .operands = { x, PARE_NONE, PARE_NONE }
  };
  PareValueId vector;
  PareNodeId mul = vector_after (b, graph->nodes[div].outputs[0], "Mul", &vector);
  if (mul != PARE_NONE && b->fused_into[mul] == PARE_NONE && b->integers[mul].kind == PARE_INTEGER_NONE)
    {
      f.operands[1] = vector;
      f.last = set.nodes[set.n++] = mul;
      PareNodeId add = vector_after (b, graph->nodes[mul].outputs[0], "Add", &vector);
      if (add != PARE_NONE && b->fused_into[add] == PARE_NONE && b->integers[add].kind == PARE_INTEGER_NONE)
        {
          f.operands[2] = vector;
          f.last = set.nodes[set.n++] = add;
        }
    }
  f.output = graph->nodes[f.last].outputs[0];
  if (pare_lower_is_closed (b, set.nodes, set.n, f.last))
    pare_lower_take (b, &f, set.nodes, set.n);
}

void
pare_lower_find_patterns (PareBuilder *b)
{
  const PareGraph *graph = b->graph;
  pare_lower_find_attention (b);
  for (guint i = 0; i < graph->n_nodes; i++)
    if (graph->nodes[i].op != NULL && pare_node_is (&graph->nodes[i], "Sqrt") && pare_lower_has_input (&graph->nodes[i], 0))
      take_norm (b, i);
  for (PareValueId v = 0; v < graph->n_values; v++)
    take_unit (b, v);
}

static gboolean
lower_norm (PareBuilder *b, const PareFusion *f)
{
  const PareShape *shape = &b->graph->values[f->operands[0]].shape;
  PareLayerNormParams p = { .axis = shape->rank - 1, .epsilon = f->epsilon, .rms = f->rms };
  guint32 in[3]
      = { pare_builder_value (b, f->operands[0]), pare_builder_value (b, f->operands[1]), pare_builder_value (b, f->operands[2]) };
  if (f->operands[1] == PARE_NONE)
    {
      PareShape vector = pare_shape_make (1, shape->dims[shape->rank - 1]);
      g_autoptr (PareTensor) ones = pare_tensor_new (PARE_DTYPE_FLOAT32, &vector, NULL);
      if (ones == NULL)
        return FALSE;
      for (gint64 i = 0; i < vector.dims[0]; i++)
        ((float *)ones->data)[i] = 1;
      in[1] = pare_builder_constant (b, ones);
    }
  guint32 out = pare_builder_value (b, f->output);
  pare_builder_step (b, &b->graph->nodes[f->head], PARE_RT_LAYER_NORM, &p, sizeof p, in, 3, &out, 1);
  return TRUE;
}

gboolean
pare_lower_pattern (PareBuilder *b, const PareFusion *f, GError **error)
{
  const PareNode *node = &b->graph->nodes[f->head];
  if (f->kind == PARE_FUSION_ATTENTION)
    return pare_lower_attention (b, f);
  if (f->kind == PARE_FUSION_NORM)
    return lower_norm (b, f) || pare_lower_refuse (b->graph, node, error, "no memory");
  PareUnaryParams p = { .kind = f->unary };
  guint32 in = pare_builder_value (b, f->operands[0]), out = pare_builder_value (b, f->output);
  pare_builder_step (b, node, PARE_RT_UNARY, &p, sizeof p, &in, 1, &out, 1);
  return TRUE;
}
