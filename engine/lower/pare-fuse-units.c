/* Units that exporters write out in several nodes: GELU by Erf or Tanh, x * Sigmoid (x), hard swish, Mish. Found once, by the value they
 * are functions of. */
#include "engine/lower/pare-lower-private.h"

#include <math.h>

typedef struct
{
  const PareBuilder *b;
  PareUnit unit;
  PareValueId x;
} Match;

static gboolean
is_about (double a, double b)
{
  return fabs (a - b) <= 1e-3 * fabs (b);
}

static gboolean
add (Match *m, PareNodeId id)
{
  if (id == PARE_NONE || m->unit.n_nodes == G_N_ELEMENTS (m->unit.nodes))
    return FALSE;
  m->unit.nodes[m->unit.n_nodes++] = id;
  return TRUE;
}

static const PareNode *
producer (const PareBuilder *b, PareValueId v, const char *op, PareNodeId *id)
{
  *id = b->graph->values[v].producer;
  const PareNode *node = *id != PARE_NONE ? &b->graph->nodes[*id] : NULL;
  return node != NULL && pare_node_is (node, op) && (node->n_inputs == 2 || g_str_equal (op, "HardSigmoid")) ? node : NULL;
}

/* v = op (other, number about `number`) -> other; PARE_NONE: it is not. The node is added. */
static PareValueId
with_number (Match *m, PareValueId v, const char *op, double number)
{
  PareNodeId id;
  const PareNode *node = producer (m->b, v, op, &id);
  double is;
  for (guint i = 0; node != NULL && i < 2; i++)
    if (pare_lower_number (m->b->graph, node, i, &is) && is_about (is, number) && (i == 1 || !g_str_equal (op, "Div")))
      return add (m, id) ? node->inputs[1 - i] : PARE_NONE;
  return PARE_NONE;
}

/* From v = f (x) on: times x, times `number` (1: not), in any order; sets the last node. */
static gboolean
times_x (Match *m, PareValueId v, double number)
{
  const PareBuilder *b = m->b;
  gboolean by_x = FALSE, by_number = number == 1;
  while (!by_x || !by_number)
    {
      PareNodeId id = pare_lower_only_reader (b, v);
      const PareNode *node = id != PARE_NONE ? &b->graph->nodes[id] : NULL;
      gboolean div = node != NULL && pare_node_is (node, "Div");
      if (node == NULL || node->n_inputs != 2 || (!div && !pare_node_is (node, "Mul")) || !add (m, id))
        return FALSE;
      guint other = node->inputs[0] == v ? 1 : 0;
      double is;
      if (div && other == 0)
        return FALSE;
      if (pare_lower_number (b->graph, node, other, &is))
        {
          if (by_number || !is_about (div ? 1 / is : is, number))
            return FALSE;
          by_number = TRUE;
        }
      else if (node->inputs[other] == m->x && !by_x && !div)
        by_x = TRUE;
      else if (!by_x && !by_number && !div && with_number (m, node->inputs[other], "Mul", number) == m->x)
        by_x = by_number = TRUE;
      else
        return FALSE;
      v = node->outputs[0];
      m->unit.last = id;
    }
  return TRUE;
}

/* x^3 */
static gboolean
is_cube (Match *m, PareValueId v)
{
  Match apart = *m;
  if (with_number (&apart, v, "Pow", 3) == m->x)
    {
      *m = apart;
      return TRUE;
    }
  PareNodeId id, inner;
  const PareNode *node = producer (m->b, v, "Mul", &id);
  for (guint i = 0; node != NULL && i < 2; i++)
    {
      const PareNode *square = producer (m->b, node->inputs[1 - i], "Mul", &inner);
      if (node->inputs[i] == m->x && square != NULL && square->inputs[0] == m->x && square->inputs[1] == m->x)
        return add (m, id) && add (m, inner);
    }
  return FALSE;
}

/* 0.5 x (1 + erf (x / sqrt 2)) */
static gboolean
match_erf (Match *m, const PareNode *erf)
{
  Match multiplied = *m;
  m->unit.activation = PARE_ACT_GELU;
  m->unit.unary = PARE_UN_GELU;
  m->x = with_number (m, erf->inputs[0], "Div", G_SQRT2);
  if (m->x == PARE_NONE)
    {
      *m = multiplied;
      m->unit.activation = PARE_ACT_GELU;
      m->unit.unary = PARE_UN_GELU;
      m->x = with_number (m, erf->inputs[0], "Mul", 1 / G_SQRT2);
    }
  PareNodeId plus = pare_lower_only_reader (m->b, erf->outputs[0]);
  return m->x != PARE_NONE && plus != PARE_NONE && with_number (m, m->b->graph->nodes[plus].outputs[0], "Add", 1) == erf->outputs[0]
         && times_x (m, m->b->graph->nodes[plus].outputs[0], 0.5);
}

/* 0.5 x (1 + tanh (sqrt (2 / pi) (x + 0.044715 x^3))) */
static gboolean
match_tanh (Match *m, const PareNode *tanh)
{
  const PareBuilder *b = m->b;
  m->unit.activation = PARE_ACT_GELU_TANH;
  m->unit.unary = PARE_UN_GELU_TANH;
  PareValueId sum = with_number (m, tanh->inputs[0], "Mul", 0.7978845608);
  PareNodeId add_id, plus = pare_lower_only_reader (b, tanh->outputs[0]);
  const PareNode *both = sum != PARE_NONE ? producer (b, sum, "Add", &add_id) : NULL;
  if (both == NULL || plus == PARE_NONE || !add (m, add_id))
    return FALSE;
  for (guint i = 0; i < 2; i++)
    {
      Match apart = *m;
      apart.x = both->inputs[i];
      PareValueId cube = with_number (&apart, both->inputs[1 - i], "Mul", 0.044715);
      if (cube == PARE_NONE || !is_cube (&apart, cube))
        continue;
      *m = apart;
      return with_number (m, b->graph->nodes[plus].outputs[0], "Add", 1) == tanh->outputs[0]
             && times_x (m, b->graph->nodes[plus].outputs[0], 0.5);
    }
  return FALSE;
}

/* x min (max (x + 3, 0), 6) / 6 */
static gboolean
match_clip (Match *m, const PareNode *clip)
{
  double lo, hi;
  m->unit.activation = PARE_ACT_HARDSWISH;
  m->unit.unary = PARE_UN_HARD_SWISH;
  if (!pare_lower_number (m->b->graph, clip, 1, &lo) || !pare_lower_number (m->b->graph, clip, 2, &hi) || lo != 0 || hi != 6)
    return FALSE;
  m->x = with_number (m, clip->inputs[0], "Add", 3);
  return m->x != PARE_NONE && times_x (m, clip->outputs[0], 1.0 / 6);
}

/* x tanh (softplus (x)) */
static gboolean
match_softplus (Match *m, const PareNode *softplus)
{
  PareNodeId id = pare_lower_only_reader (m->b, softplus->outputs[0]);
  m->unit.activation = PARE_ACT_MISH;
  m->unit.unary = PARE_UN_MISH;
  m->x = softplus->inputs[0];
  return id != PARE_NONE && pare_node_is (&m->b->graph->nodes[id], "Tanh") && add (m, id)
         && times_x (m, m->b->graph->nodes[id].outputs[0], 1);
}

/* x sigmoid (x), x sigmoid (1.702 x) */
static gboolean
match_sigmoid (Match *m, const PareNode *sigmoid)
{
  Match plain = *m;
  m->unit.activation = PARE_ACT_QUICK_GELU;
  m->unit.unary = PARE_UN_QUICK_GELU;
  m->x = with_number (m, sigmoid->inputs[0], "Mul", 1.702);
  if (m->x != PARE_NONE && times_x (m, sigmoid->outputs[0], 1))
    return TRUE;
  *m = plain;
  m->unit.activation = PARE_ACT_SWISH;
  m->unit.unary = PARE_UN_SWISH;
  return times_x (m, sigmoid->outputs[0], 1);
}

static gboolean
match (Match *m, PareNodeId id)
{
  const PareNode *node = &m->b->graph->nodes[id];
  m->unit.n_nodes = 0;
  if (!pare_lower_has_input (node, 0) || !add (m, id))
    return FALSE;
  if (pare_node_is (node, "Erf"))
    return match_erf (m, node);
  if (pare_node_is (node, "Tanh"))
    return match_tanh (m, node);
  if (pare_node_is (node, "Clip"))
    return match_clip (m, node);
  if (pare_node_is (node, "Softplus"))
    return match_softplus (m, node);
  m->x = node->inputs[0];
  if (pare_node_is (node, "Sigmoid"))
    return match_sigmoid (m, node);
  m->unit.activation = PARE_ACT_HARDSWISH;
  m->unit.unary = PARE_UN_HARD_SWISH;
  return pare_node_is (node, "HardSigmoid") && is_about (pare_node_get_float (node, "alpha", 0.2f), 1.0 / 6)
         && pare_node_get_float (node, "beta", 0.5f) == 0.5f && times_x (m, node->outputs[0], 1);
}

void
pare_lower_find_units (PareBuilder *b)
{
  const PareGraph *graph = b->graph;
  b->units = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  for (guint i = 0; i < graph->n_nodes; i++)
    {
      Match m = { .b = b };
      if (graph->nodes[i].op == NULL || !match (&m, i) || graph->values[m.x].dtype != PARE_DTYPE_FLOAT32
          || !pare_shape_equal (&graph->values[m.x].shape, &graph->values[graph->nodes[m.unit.last].outputs[0]].shape))
        continue;
      g_hash_table_insert (b->units, GUINT_TO_POINTER (m.x + 1), g_memdup2 (&m.unit, sizeof m.unit));
    }
}

const PareUnit *
pare_lower_unit_of (const PareBuilder *b, PareValueId v)
{
  const PareUnit *unit = b->units != NULL ? g_hash_table_lookup (b->units, GUINT_TO_POINTER (v + 1)) : NULL;
  return unit != NULL && pare_lower_is_closed (b, unit->nodes, unit->n_nodes, unit->last) ? unit : NULL;
}
