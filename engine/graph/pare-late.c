/* Sizes that depend on values: what a plan of concrete shapes leaves over is computed node by node, once its inputs are known. */
#include "engine/graph/pare-graph-private.h"

gboolean
pare_node_is_selection (const PareNode *node)
{
  return pare_node_is (node, "NonZero") || pare_node_is (node, "NonMaxSuppression") || pare_node_is (node, "Compress")
         || pare_node_is (node, "Unique");
}

static gboolean
is_known (const PareValue *v)
{
  return v->dtype != PARE_DTYPE_NONE && pare_shape_count (&v->shape) >= 0;
}

/* One of its operands says how large the result is, and only the run knows it. No other operator is better known by running. */
static gboolean
is_told_size (const PareGraph *g, const PareNode *node)
{
  static const char *const names[] = { "Reshape", "Expand",          "Tile",   "Range", "Slice",   "Pad",       "TopK",
                                       "OneHot",  "ConstantOfShape", "Resize", "Split", "Squeeze", "Unsqueeze", NULL };
  if (pare_node_is_selection (node))
    return TRUE;
  if ((node->domain != NULL && *node->domain != '\0') || !(g_strv_contains (names, node->op) || g_str_has_prefix (node->op, "Reduce")))
    return FALSE;
  for (guint i = pare_node_is (node, "Range") || pare_node_is (node, "ConstantOfShape") ? 0 : 1; i < node->n_inputs; i++)
    if (node->inputs[i] != PARE_NONE && g->values[node->inputs[i]].constant == NULL)
      return TRUE;
  return FALSE;
}

/* Its kernel takes that operand as a parameter, however well the file says what it makes. */
static gboolean
is_told_how (const PareGraph *g, const PareNode *node)
{
  static const struct
  {
    const char *op;
    guint operands; /* a bit for each */
  } told[] = {
    { "Slice", 1 << 1 | 1 << 3 | 1 << 4 }, { "Pad", 1 << 1 | 1 << 3 }, { "Resize", 1 << 2 }, { "Trilu", 1 << 1 }, { "CumSum", 1 << 1 }
  };
  for (guint k = 0; k < G_N_ELEMENTS (told); k++)
    for (guint i = 0; pare_node_is (node, told[k].op) && i < node->n_inputs; i++)
      if ((told[k].operands >> i & 1) != 0 && node->inputs[i] != PARE_NONE && g->values[node->inputs[i]].constant == NULL)
        return TRUE;
  return g_str_has_prefix (node->op, "Reduce") && (node->domain == NULL || *node->domain == '\0') && node->n_inputs > 1
         && node->inputs[1] != PARE_NONE && g->values[node->inputs[1]].constant == NULL;
}

/* Only the values that it reads can say what it makes, or how often it runs. An If stays with those that its inputs decide
 * (pare_graph_find_deciding_inputs), unless what it reads is late. */
static gboolean
begins_late (const PareGraph *g, const PareNode *node)
{
  gboolean open = pare_node_is (node, "Loop") || pare_node_is (node, "Scan") || is_told_how (g, node);
  if (pare_node_is_sequence (node)) /* of members that only the run knows: others were written out */
    return TRUE;
  if (!open && !is_told_size (g, node))
    return FALSE;
  for (guint i = 0; i < node->n_inputs; i++)
    if (node->inputs[i] != PARE_NONE && !is_known (&g->values[node->inputs[i]]))
      return FALSE;
  for (guint i = 0; i < node->n_outputs; i++)
    open |= node->outputs[i] != PARE_NONE && !is_known (&g->values[node->outputs[i]]);
  return open;
}

/* (transfer full): of each node, TRUE where it can only run when values are known; NULL: none. */
static gboolean *
find_late (const PareGraph *g, const PareConsumers *readers)
{
  g_autofree gboolean *late = g_new0 (gboolean, g->n_nodes + 1);
  gboolean any = FALSE;
  for (guint i = 0; i < g->n_nodes; i++)
    {
      const PareNode *node = &g->nodes[i];
      if (node->op == NULL || !(late[i] || begins_late (g, node)))
        continue;
      any = late[i] = TRUE;
      for (guint k = 0; k < node->n_outputs; k++)
        for (guint r = node->outputs[k] != PARE_NONE ? readers->starts[node->outputs[k]] : 0;
             node->outputs[k] != PARE_NONE && r < readers->starts[node->outputs[k] + 1]; r++)
          late[readers->nodes[r]] = TRUE;
    }
  return any ? g_steal_pointer (&late) : NULL;
}

static void
keep_nodes (PareGraph *g, const gboolean *late, gboolean which)
{
  for (guint i = 0; i < g->n_nodes; i++)
    if (g->nodes[i].op != NULL && late[i] != which)
      pare_graph_remove_node (g, i);
}

/* As far as it can be said before it runs. */
static gboolean
check (const PareNode *node, GError **error)
{
  const PareAttr *body = pare_node_get_attr (node, "body");
  gboolean turns = pare_node_is (node, "Loop") || pare_node_is (node, "Scan"),
           fits = !turns || (body != NULL && body->graph != NULL && body->graph->n_inputs == node->n_inputs);
  if (fits && (pare_infer_has_rule (node) || pare_decompose_has_rule (node) || pare_node_is_sequence (node)))
    return TRUE;
  g_autofree char *what = pare_node_describe (node), *unknown = pare_node_dup_unknown (node);
  if (fits)
    g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "%s: %s", what, unknown);
  else
    g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "%s: its body takes another number of values than it does", what);
  return FALSE;
}

gboolean
pare_graph_split_late (PareGraph *self, PareGraph **late, GError **error)
{
  *late = NULL;
  g_autoptr (PareConsumers) readers = pare_graph_consumers (self);
  g_autofree gboolean *is_late = find_late (self, readers);
  if (is_late == NULL)
    return TRUE;
  for (guint i = 0; i < self->n_nodes; i++)
    if (is_late[i] && self->nodes[i].op != NULL && !check (&self->nodes[i], error))
      return FALSE;
  g_autoptr (PareGraph) rest = pare_graph_copy (self);
  g_autofree gboolean *made_late = g_new0 (gboolean, self->n_values + 1), *crosses = g_new0 (gboolean, self->n_values + 1);
  for (guint v = 0; v < self->n_values; v++)
    {
      PareNodeId producer = self->values[v].producer;
      made_late[v] = producer != PARE_NONE && is_late[producer];
      for (guint r = readers->starts[v]; r < readers->starts[v + 1] && !made_late[v] && self->values[v].constant == NULL; r++)
        crosses[v] |= is_late[readers->nodes[r]];
    }
  keep_nodes (rest, is_late, TRUE);
  rest->n_inputs = rest->n_outputs = 0;
  for (guint v = 0; v < self->n_values; v++)
    if (crosses[v])
      pare_graph_push_input (rest, v);
  guint n = self->n_outputs;
  g_autofree PareValueId *outputs = g_memdup2 (self->outputs, n * sizeof *outputs);
  self->n_outputs = 0;
  for (guint i = 0; i < n; i++)
    {
      pare_graph_push_output (made_late[outputs[i]] ? rest : self, outputs[i]);
      crosses[outputs[i]] = FALSE;
    }
  for (guint v = 0; v < self->n_values; v++)
    if (crosses[v])
      pare_graph_push_output (self, v);
  keep_nodes (self, is_late, FALSE);
  if (!pare_graph_compact (rest, error))
    return FALSE;
  *late = g_steal_pointer (&rest);
  return TRUE;
}

gboolean
pare_graph_compute_within (const PareGraph *self, const PareWalk *walk, PareTensor *const *inputs, PareTensor **outputs, GError **error)
{
  g_autoptr (PareGraph) g = pare_graph_copy (self);
  for (guint i = 0; i < g->n_inputs; i++)
    pare_graph_set_constant (g, g->inputs[i], inputs[i]);
  g->n_inputs = 0;
  PareWalk run = { .from = PARE_CANONICAL_OPSET,
                   .target = PARE_CANONICAL_OPSET,
                   .fold = TRUE,
                   .run = TRUE,
                   .eval = walk->eval,
                   .depth = walk->depth,
                   .turns = walk->turns,
                   .most = walk->most,
                   .held = walk->held,
                   .control = walk->control };
  if (!pare_graph_walk (g, &run, error))
    return FALSE;
  for (guint i = 0; i < g->n_outputs; i++)
    if (g->values[g->outputs[i]].constant == NULL)
      {
        g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "output '%s' cannot be computed", g->values[g->outputs[i]].name);
        return FALSE;
      }
  for (guint i = 0; i < g->n_outputs; i++)
    outputs[i] = pare_tensor_ref (g->values[g->outputs[i]].constant);
  return TRUE;
}

gboolean
pare_graph_compute (const PareGraph *self, PareTensor *const *inputs, PareTensor **outputs, PareEvalFunc eval, gint64 most,
                    PareControl *control, GError **error)
{
  gint64 turns = 1 << 17; /* a file may ask for any number */
  PareWalk walk = { .eval = eval, .turns = &turns, .most = most, .control = control };
  for (guint i = 0; i < self->n_inputs; i++)
    walk.held += (gint64)inputs[i]->bytes;
  if (!pare_graph_compute_within (self, &walk, inputs, outputs, error))
    return FALSE;
  for (guint i = 0; i < self->n_outputs; i++)
    if (pare_tensor_is_sequence (outputs[i]))
      {
        g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "output '%s' is a list, not a tensor", self->values[self->outputs[i]].name);
        return FALSE;
      }
  return TRUE;
}
