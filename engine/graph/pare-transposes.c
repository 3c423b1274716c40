/* Transposes move on until they meet and are gone: those in front of what computes codes element by element move behind it, and groups of
 * what computes floats so are turned (pare-turn.c). Networks whose channels come last are such groups between convolutions, whose channels
 * come first. */
#include "engine/graph/pare-writer.h"

#include <string.h>

/* A group that was turned may let another one pay. */
#define MOST_ROUNDS 3

const PareNode *
pare_transpose_of (const PareGraph *g, PareValueId value, const gint64 **perm, guint *rank)
{
  PareNodeId id = value != PARE_NONE ? g->values[value].producer : PARE_NONE;
  const PareNode *node = id != PARE_NONE ? &g->nodes[id] : NULL;
  if (node == NULL || node->op == NULL || !pare_node_is (node, "Transpose") || node->n_inputs != 1 || node->inputs[0] == PARE_NONE)
    return NULL;
  *perm = pare_node_get_ints (node, "perm", rank);
  guint32 seen = 0;
  if (*perm == NULL || *rank > PARE_MAX_RANK)
    return NULL;
  for (guint i = 0; i < *rank; i++)
    if ((*perm)[i] < 0 || (*perm)[i] >= *rank || (seen >> (*perm)[i] & 1))
      return NULL;
    else
      seen |= 1u << (*perm)[i];
  return node;
}

/* A Transpose of what a Transpose wrote is one, or none. */
static void
join (PareGraph *g, PareNodeId id)
{
  const gint64 *outer, *inner;
  guint n, m;
  PareNode *node = &g->nodes[id];
  if (node->n_outputs != 1 || node->outputs[0] == PARE_NONE || pare_transpose_of (g, node->outputs[0], &outer, &n) == NULL)
    return;
  const PareNode *before = pare_transpose_of (g, node->inputs[0], &inner, &m);
  if (before == NULL || n != m)
    return;
  gint64 both[PARE_MAX_RANK];
  gboolean none = TRUE;
  for (guint i = 0; i < n; i++)
    {
      both[i] = inner[outer[i]];
      none &= both[i] == i;
    }
  PareValueId x = before->inputs[0], y = node->outputs[0];
  pare_node_set_inputs (node, &x, 1);
  if (!none)
    {
      pare_node_set_ints (node, "perm", both, n);
      return;
    }
  pare_node_unset (node, "perm");
  node->op = "Identity";
  pare_graph_replace_uses (g, y, x, FALSE); /* an output keeps its name */
}

/* Which of its operands are not parameters, where it computes element by element: the first, then every `apart`-th. */
static gboolean
is_elementwise (const PareNode *node, guint *first, guint *apart, guint *n)
{
  if (g_strcmp0 (node->domain, PARE_DOMAIN_MS) != 0 || node->n_outputs != 1 || node->outputs[0] == PARE_NONE)
    return FALSE;
  *first = 0;
  *apart = 3;
  *n = 1;
  if (g_str_equal (node->op, "QLinearAdd") || g_str_equal (node->op, "QLinearMul"))
    *n = 2;
  else if (g_str_equal (node->op, "QLinearConcat"))
    {
      *first = 2;
      *n = node->n_inputs > 2 ? (node->n_inputs - 2) / 3 : 0;
    }
  else if (!g_str_equal (node->op, "QLinearSigmoid") && !g_str_equal (node->op, "QLinearLeakyRelu"))
    return FALSE;
  return *n > 0 && node->n_inputs > *first + *apart * (*n - 1);
}

static gboolean
is_scalar (const PareGraph *g, PareValueId value)
{
  return value != PARE_NONE && g->values[value].constant != NULL && pare_tensor_count (g->values[value].constant) == 1;
}

/* Transposes of all operands become one of the result. */
static void
sink (PareGraph *g, PareNodeId id)
{
  guint first, apart, n, rank = 0, moved = 0;
  gint64 perm[PARE_MAX_RANK];
  PareNode *node = &g->nodes[id];
  if (!is_elementwise (node, &first, &apart, &n))
    return;
  g_autofree PareValueId *in = g_memdup2 (node->inputs, node->n_inputs * sizeof *in);
  for (guint i = 0; i < n; i++)
    {
      const gint64 *order;
      guint k, at = first + i * apart;
      const PareNode *before = pare_transpose_of (g, in[at], &order, &k);
      if (before == NULL ? !is_scalar (g, in[at]) : moved > 0 && (k != rank || memcmp (order, perm, k * sizeof *perm) != 0))
        return;
      if (before == NULL)
        continue;
      memcpy (perm, order, k * sizeof *perm);
      rank = k;
      moved++;
      in[at] = before->inputs[0];
    }
  if (moved == 0)
    return;
  if (pare_node_get_attr (node, "axis") != NULL)
    {
      gint64 axis = pare_node_get_int (node, "axis", 0);
      axis += axis < 0 ? rank : 0;
      if (axis < 0 || axis >= rank || moved < n)
        return;
      pare_node_set_int (node, "axis", perm[axis]);
    }
  pare_node_set_inputs (node, in, node->n_inputs);
  PareValueId y = node->outputs[0], turned = pare_graph_add_value (g, g->values[y].name, g->values[y].dtype, NULL, g->values[y].origin);
  node->outputs[0] = turned;
  g->values[turned].producer = id;
  PareNodeId origin = node->origin;
  PareRole role = node->role;
  const char *layer = node->layer;
  PareNodeId after = pare_graph_add_node (g, "Transpose", "", &turned, 1, &y, 1, origin, role);
  pare_node_set_ints (&g->nodes[after], "perm", perm, rank);
  g->nodes[after].layer = layer;
}

static gboolean
join_all (PareGraph *self, GError **error)
{
  g_autoptr (GArray) order = pare_graph_order (self, error);
  if (order == NULL)
    return FALSE;
  for (guint i = 0; i < order->len; i++)
    {
      PareNodeId id = g_array_index (order, PareNodeId, i);
      if (self->nodes[id].op == NULL)
        continue;
      join (self, id);
      sink (self, id);
    }
  return TRUE;
}

gboolean
pare_canonical_join_transposes (PareGraph *self, GError **error)
{
  if (!join_all (self, error))
    return FALSE;
  for (int round = 0; round < MOST_ROUNDS && pare_canonical_turn_groups (self); round++)
    /* Transposes that nobody reads any more would count as readers of what they read */
    if (!join_all (self, error) || !pare_graph_compact (self, error))
      return FALSE;
  return TRUE;
}
