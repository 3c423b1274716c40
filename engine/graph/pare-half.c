/* Half precision graphs are computed in float32: constants are widened, the graph's own inputs and outputs keep their type behind a Cast.
 * Where floats are cast to bfloat16 and straight back, the rounding itself is meant: it stays, as a PareQuantize. */
#include "engine/graph/pare-graph-private.h"

static gboolean
is_half (PareDtype dtype)
{
  return dtype == PARE_DTYPE_FLOAT16 || dtype == PARE_DTYPE_BFLOAT16;
}

static gboolean
widen (PareTensor **t, GError **error)
{
  if (*t == NULL || !is_half ((*t)->dtype))
    return TRUE;
  PareTensor *wide = pare_tensor_cast (*t, PARE_DTYPE_FLOAT32, error);
  if (wide == NULL)
    return FALSE;
  pare_tensor_unref (*t);
  *t = wide;
  return TRUE;
}

static gboolean
widen_inside (PareGraph *g, GError **error)
{
  for (guint i = 0; i < g->n_values; i++)
    {
      PareValue *v = &g->values[i];
      if (!widen (&v->constant, error))
        return FALSE;
      if (is_half (v->dtype))
        v->dtype = PARE_DTYPE_FLOAT32;
    }
  for (guint i = 0; i < g->n_nodes; i++)
    {
      PareNode *node = &g->nodes[i];
      if (node->op == NULL)
        continue;
      static const char *const names[] = { "to", "dtype", "output_dtype" };
      for (guint k = 0; k < G_N_ELEMENTS (names); k++)
        if (is_half ((PareDtype)pare_node_get_int (node, names[k], 0)))
          pare_node_set_int (node, names[k], PARE_DTYPE_FLOAT32);
      for (guint a = 0; a < node->n_attrs; a++)
        if (!widen (&node->attrs[a].tensor, error) || (node->attrs[a].graph != NULL && !widen_inside (node->attrs[a].graph, error)))
          return FALSE;
    }
  return TRUE;
}

/* Everything that reads v casts it back to float32. */
static gboolean
is_cast_back (const PareGraph *g, const PareConsumers *consumers, PareValueId v)
{
  guint from = consumers->starts[v], to = consumers->starts[v + 1];
  for (guint k = from; k < to; k++)
    {
      const PareNode *reader = &g->nodes[consumers->nodes[k]];
      if (!pare_node_is (reader, "Cast") || pare_node_get_int (reader, "to", 0) != PARE_DTYPE_FLOAT32)
        return FALSE;
    }
  return to > from && !pare_graph_is_output (g, v);
}

static void
keep_roundings (PareGraph *g)
{
  guint n = g->n_nodes;
  gboolean any = FALSE;
  for (guint i = 0; i < n; i++)
    any |= pare_node_is (&g->nodes[i], "Cast") && pare_node_get_int (&g->nodes[i], "to", 0) == PARE_DTYPE_BFLOAT16;
  if (!any)
    return;
  g_autoptr (PareConsumers) consumers = pare_graph_consumers (g);
  for (guint i = 0; i < n; i++)
    {
      PareNode *cast = &g->nodes[i];
      if (!pare_node_is (cast, "Cast") || cast->n_outputs != 1 || pare_node_get_int (cast, "to", 0) != PARE_DTYPE_BFLOAT16
          || !is_cast_back (g, consumers, cast->outputs[0]))
        continue;
      PareValueId y = cast->outputs[0];
      g_autofree char *hint = g_strconcat (g->values[y].name, "_f32", NULL);
      PareValueId wide = pare_graph_add_value (g, hint, PARE_DTYPE_FLOAT32, &g->values[y].shape, g->values[y].origin);
      cast = &g->nodes[i];
      cast->outputs[0] = wide;
      g->values[wide].producer = i;
      g->values[y].producer = PARE_NONE;
      g->values[y].storage = PARE_DTYPE_BFLOAT16;
      PareNodeId rounds = pare_graph_add_node (g, PARE_OP_QUANTIZE, "", &wide, 1, &y, 1, g->nodes[i].origin, PARE_ROLE_QUANT);
      g->nodes[rounds].layer = g->nodes[i].layer;
    }
}

/* The types of the graph's outputs; those that the file does not declare are what its nodes make of its inputs. */
static void
find_output_types (const PareGraph *g, PareDtype *out)
{
  gboolean unsaid = FALSE, half = FALSE;
  for (guint i = 0; i < g->n_values; i++)
    half |= is_half (g->values[i].dtype);
  for (guint i = 0; i < g->n_outputs; i++)
    {
      out[i] = g->values[g->outputs[i]].dtype;
      unsaid |= out[i] == PARE_DTYPE_NONE;
    }
  if (!unsaid || !half)
    return;
  g_autoptr (PareGraph) inferred = pare_graph_copy (g);
  PareWalk walk = { .from = MAX (g->opset, 1), .target = PARE_CANONICAL_OPSET, .trust_declared = TRUE, .lenient = TRUE };
  if (pare_graph_walk (inferred, &walk, NULL))
    for (guint i = 0; i < g->n_outputs; i++)
      out[i] = inferred->values[inferred->outputs[i]].dtype;
}

gboolean
pare_canonical_half (PareGraph *g, GError **error)
{
  guint n_inputs = g->n_inputs, n_outputs = g->n_outputs;
  g_autofree PareDtype *in = g_new (PareDtype, n_inputs + 1), *out = g_new (PareDtype, n_outputs + 1);
  for (guint i = 0; i < n_inputs; i++)
    in[i] = g->values[g->inputs[i]].dtype;
  find_output_types (g, out);
  keep_roundings (g);
  if (!widen_inside (g, error))
    return FALSE;
  for (guint i = 0; i < n_outputs; i++)
    {
      PareValueId y = g->outputs[i];
      PareNodeId producer = g->values[y].producer;
      if (!is_half (out[i]))
        continue;
      g_autofree char *hint = g_strconcat (g->values[y].name, "_f32", NULL);
      if (producer == PARE_NONE) /* a constant, or an input, which gets its own type back below */
        {
          if (g->values[y].constant == NULL)
            continue;
          PareValueId held = pare_graph_add_constant (g, hint, g->values[y].constant, g->values[y].origin);
          pare_graph_replace_uses (g, y, held, FALSE);
          g_clear_pointer (&g->values[y].constant, pare_tensor_unref);
          PareNodeId narrow = pare_graph_add_node (g, "Cast", "", &held, 1, &y, 1, PARE_NONE, PARE_ROLE_FOLDED);
          pare_node_set_int (&g->nodes[narrow], "to", out[i]);
          g->values[y].dtype = out[i];
          continue;
        }
      PareValueId wide = pare_graph_add_value (g, hint, PARE_DTYPE_FLOAT32, &g->values[y].shape, g->values[y].origin);
      PareNode *node = &g->nodes[producer];
      for (guint k = 0; k < node->n_outputs; k++)
        if (node->outputs[k] == y)
          node->outputs[k] = wide;
      g->values[wide].producer = producer;
      pare_graph_replace_uses (g, y, wide, FALSE);
      PareNodeId cast = pare_graph_add_node (g, "Cast", "", &wide, 1, &y, 1, g->nodes[producer].origin, g->nodes[producer].role);
      pare_node_set_int (&g->nodes[cast], "to", out[i]);
      g->nodes[cast].layer = g->nodes[producer].layer;
      g->values[y].dtype = out[i];
    }
  for (guint i = 0; i < n_inputs; i++)
    {
      PareValueId x = g->inputs[i];
      if (!is_half (in[i]))
        continue;
      g->values[x].dtype = in[i];
      g_autofree char *hint = g_strconcat (g->values[x].name, "_f32", NULL);
      PareValueId wide = pare_graph_add_value (g, hint, PARE_DTYPE_FLOAT32, &g->values[x].shape, PARE_NONE);
      pare_graph_replace_uses (g, x, wide, FALSE);
      PareNodeId cast = pare_graph_add_node (g, "Cast", "", &x, 1, &wide, 1, PARE_NONE, PARE_ROLE_FOLDED);
      pare_node_set_int (&g->nodes[cast], "to", PARE_DTYPE_FLOAT32);
    }
  return pare_graph_sort (g, error);
}
