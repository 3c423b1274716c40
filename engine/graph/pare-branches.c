/* Which of a graph's inputs decide what runs at all: those on whose values the condition of an If depends, and those that say how many
 * positions attention over a past hands on. */
#include "engine/graph/pare-graph-private.h"

/* Shapes are known without values. */
static gboolean
reads_values (const PareNode *node)
{
  return !pare_node_is (node, "Shape") && !pare_node_is (node, "Size");
}

/* The operand that decides what runs, or how large it is; PARE_NONE: there is none. */
static PareValueId
deciding_operand (const PareNode *node)
{
  gboolean grouped = g_strcmp0 (node->domain, "com.microsoft") == 0 && g_str_equal (node->op, "GroupQueryAttention");
  if (grouped)
    return node->n_inputs > 6 ? node->inputs[6] : PARE_NONE;
  return pare_node_is (node, "If") && node->n_inputs > 0 ? node->inputs[0] : PARE_NONE;
}

static void
push (GArray *open, guint8 *seen, PareValueId value)
{
  if (value == PARE_NONE || seen[value])
    return;
  seen[value] = TRUE;
  g_array_append_val (open, value);
}

/* Marks the values on which conditions depend, in branches within branches, too. outside (nullable): takes the names of those that a branch
 * reads from around it. */
static void
mark_deciding (const PareGraph *self, PareNodeId only, guint8 *seen, GHashTable *outside)
{
  g_autoptr (GArray) open = g_array_new (FALSE, FALSE, sizeof (PareValueId));
  g_autoptr (GHashTable) captured = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < self->n_nodes; i++)
    {
      const PareNode *node = &self->nodes[i];
      PareValueId operand = node->op == NULL || (only != PARE_NONE && i != only) ? PARE_NONE : deciding_operand (node);
      if (operand == PARE_NONE)
        continue;
      push (open, seen, operand);
      for (guint a = 0; a < node->n_attrs; a++)
        if (node->attrs[a].graph != NULL)
          {
            g_autofree guint8 *inner = g_new0 (guint8, node->attrs[a].graph->n_values + 1);
            mark_deciding (node->attrs[a].graph, PARE_NONE, inner, captured);
          }
    }
  GHashTableIter iter;
  gpointer name;
  g_hash_table_iter_init (&iter, captured);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    {
      PareValueId value = pare_graph_find_value (self, name);
      push (open, seen, value);
      if (value == PARE_NONE && outside != NULL)
        g_hash_table_add (outside, name);
    }
  for (guint at = 0; at < open->len; at++)
    {
      const PareValue *v = &self->values[g_array_index (open, PareValueId, at)];
      const PareNode *made_by = v->producer == PARE_NONE || v->constant != NULL ? NULL : &self->nodes[v->producer];
      if (v->producer == PARE_NONE && v->constant == NULL && outside != NULL)
        g_hash_table_add (outside, (gpointer)v->name);
      for (guint i = 0; made_by != NULL && reads_values (made_by) && i < made_by->n_inputs; i++)
        push (open, seen, made_by->inputs[i]);
    }
}

GArray *
pare_graph_find_deciding_inputs (const PareGraph *self, PareNodeId only)
{
  g_autofree guint8 *seen = g_new0 (guint8, self->n_values + 1);
  mark_deciding (self, only, seen, NULL);
  GArray *found = g_array_new (FALSE, FALSE, sizeof (PareValueId));
  for (guint i = 0; i < self->n_inputs; i++)
    if (seen[self->inputs[i]])
      g_array_append_val (found, self->inputs[i]);
  return found;
}

gboolean
pare_graph_bind_input (PareGraph *self, PareValueId input, PareTensor *value, GError **error)
{
  PareValue *v = &self->values[input];
  gboolean fits = v->dtype == value->dtype && (v->shape.rank < 0 || v->shape.rank == value->shape.rank);
  for (int i = 0; fits && i < v->shape.rank; i++)
    fits = v->shape.dims[i] < 0 || v->shape.dims[i] == value->shape.dims[i];
  if (!fits)
    {
      g_autofree char *have = pare_shape_to_string (&value->shape), *want = pare_shape_to_string (&v->shape);
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "input '%s' is %s %s, not %s %s", v->name, pare_dtype_name (v->dtype), want,
                   pare_dtype_name (value->dtype), have);
      return FALSE;
    }
  guint n = 0;
  for (guint i = 0; i < self->n_inputs; i++)
    if (self->inputs[i] != input)
      self->inputs[n++] = self->inputs[i];
  self->n_inputs = n;
  pare_graph_set_constant (self, input, value);
  return TRUE;
}
