#include "engine/graph/pare-graph-private.h"

#include <string.h>

static void
index_names (PareGraph *self)
{
  if (self->names != NULL)
    return;
  self->names = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < self->n_values; i++)
    g_hash_table_insert (self->names, (gpointer)self->values[i].name, GUINT_TO_POINTER (i + 1));
}

PareValueId
pare_graph_add_value (PareGraph *self, const char *name_hint, PareDtype dtype, const PareShape *shape, PareValueId origin)
{
  index_names (self);
  PareShape copy = shape != NULL ? *shape : (PareShape){ .rank = -1 }; /* it may be another value's, and the values move */
  const char *base = name_hint != NULL && name_hint[0] != '\0' ? name_hint : "value";
  g_autofree char *other = NULL;
  for (guint n = 2; g_hash_table_contains (self->names, other != NULL ? other : base); n++)
    {
      g_free (other);
      other = g_strdup_printf ("%s_%u", base, n);
    }
  const char *name = pare_graph_keep_name (self, other != NULL ? other : base);
  PareValue *value = pare_graph_push_value (self);
  value->dtype = dtype;
  value->shape = copy;
  value->origin = origin;
  g_hash_table_insert (self->names, (gpointer)name, GUINT_TO_POINTER (self->n_values));
  value->name = name;
  return self->n_values - 1;
}

PareValueId
pare_graph_add_constant (PareGraph *self, const char *name_hint, PareTensor *tensor, PareValueId origin)
{
  PareValueId id = pare_graph_add_value (self, name_hint, tensor->dtype, &tensor->shape, origin);
  self->values[id].constant = pare_tensor_ref (tensor);
  return id;
}

PareNodeId
pare_graph_add_node (PareGraph *self, const char *op, const char *name, const PareValueId *inputs, guint n_inputs,
                     const PareValueId *outputs, guint n_outputs, PareNodeId origin, PareRole role)
{
  PareNodeId id = self->n_nodes;
  PareNode *node = pare_graph_push_node (self);
  node->op = pare_graph_keep_name (self, op);
  node->name = pare_graph_keep_name (self, name ? name : "");
  node->domain = "";
  node->inputs = g_memdup2 (inputs, n_inputs * sizeof *inputs);
  node->n_inputs = n_inputs;
  node->outputs = g_memdup2 (outputs, n_outputs * sizeof *outputs);
  node->n_outputs = n_outputs;
  node->origin = origin;
  node->role = role;
  for (guint i = 0; i < n_outputs; i++)
    if (outputs[i] != PARE_NONE)
      self->values[outputs[i]].producer = id;
  return id;
}

void
pare_graph_set_constant (PareGraph *self, PareValueId value, PareTensor *tensor)
{
  PareValue *v = &self->values[value];
  pare_tensor_ref (tensor);
  g_clear_pointer (&v->constant, pare_tensor_unref);
  v->constant = tensor;
  v->dtype = tensor->dtype;
  v->shape = tensor->shape;
  v->producer = PARE_NONE;
}

static PareAttr *
attr_for_set (PareNode *node, const char *name, PareAttrKind kind)
{
  pare_node_own_attrs (node);
  for (guint i = 0; i < node->n_attrs; i++)
    if (strcmp (node->attrs[i].name, name) == 0)
      {
        pare_attr_clear (&node->attrs[i]);
        memset (&node->attrs[i], 0, sizeof node->attrs[i]);
        node->attrs[i].name = g_strdup (name);
        node->attrs[i].kind = kind;
        return &node->attrs[i];
      }
  return pare_node_push_attr (node, name, kind);
}

void
pare_node_set_int (PareNode *node, const char *name, gint64 value)
{
  attr_for_set (node, name, PARE_ATTR_INT)->i = value;
}

void
pare_node_set_float (PareNode *node, const char *name, float value)
{
  attr_for_set (node, name, PARE_ATTR_FLOAT)->f = value;
}

void
pare_node_set_ints (PareNode *node, const char *name, const gint64 *values, guint n)
{
  gint64 *copy = g_new0 (gint64, n + 1); /* before the old one goes: values may be it */
  if (n > 0)
    memcpy (copy, values, n * sizeof *values);
  PareAttr *attr = attr_for_set (node, name, PARE_ATTR_INTS);
  attr->ints = copy;
  attr->n = n;
}

void
pare_node_set_string (PareNode *node, const char *name, const char *value)
{
  GBytes *copy = g_bytes_new (value, strlen (value));
  attr_for_set (node, name, PARE_ATTR_STRING)->s = copy;
}

void
pare_node_set_graph (PareNode *node, const char *name, PareGraph *body)
{
  attr_for_set (node, name, PARE_ATTR_GRAPH)->graph = body;
}

void
pare_node_unset (PareNode *node, const char *name)
{
  for (guint i = 0; i < node->n_attrs; i++)
    if (strcmp (node->attrs[i].name, name) == 0)
      {
        pare_node_own_attrs (node);
        pare_attr_clear (&node->attrs[i]);
        memmove (&node->attrs[i], &node->attrs[i + 1], (node->n_attrs - i - 1) * sizeof *node->attrs);
        node->n_attrs--;
        return;
      }
}

void
pare_node_set_inputs (PareNode *node, const PareValueId *inputs, guint n)
{
  PareValueId *copy = g_memdup2 (inputs, n * sizeof *inputs);
  g_free (node->inputs);
  node->inputs = copy;
  node->n_inputs = n;
}

/* A body reads the values around it by name. */
void
pare_graph_rename_captured (PareGraph *body, const char *from, const char *to)
{
  for (guint i = 0; i < body->n_values; i++)
    {
      PareValue *v = &body->values[i];
      if (strcmp (v->name, from) != 0)
        continue;
      gboolean own = v->producer != PARE_NONE || v->constant != NULL;
      for (guint k = 0; k < body->n_inputs; k++)
        own |= body->inputs[k] == i;
      if (own)
        return; /* shadows the outer name */
      v->name = pare_graph_keep_name (body, to);
    }
  g_clear_pointer (&body->names, g_hash_table_unref);
  for (guint i = 0; i < body->n_nodes; i++)
    for (guint a = 0; a < body->nodes[i].n_attrs; a++)
      if (body->nodes[i].attrs[a].graph != NULL)
        pare_graph_rename_captured (body->nodes[i].attrs[a].graph, from, to);
}

void
pare_graph_replace_uses (PareGraph *self, PareValueId from, PareValueId to, gboolean outputs)
{
  for (guint i = 0; i < self->n_nodes; i++)
    {
      PareNode *node = &self->nodes[i];
      if (node->op == NULL)
        continue;
      for (guint k = 0; k < node->n_inputs; k++)
        if (node->inputs[k] == from)
          node->inputs[k] = to;
      for (guint a = 0; a < node->n_attrs; a++)
        if (node->attrs[a].graph != NULL)
          pare_graph_rename_captured (node->attrs[a].graph, self->values[from].name, self->values[to].name);
    }
  for (guint i = 0; outputs && i < self->n_outputs; i++)
    if (self->outputs[i] == from)
      self->outputs[i] = to;
}

void
pare_graph_remove_node (PareGraph *self, PareNodeId id)
{
  PareNode *node = &self->nodes[id];
  for (guint i = 0; i < node->n_outputs; i++)
    if (node->outputs[i] != PARE_NONE && self->values[node->outputs[i]].producer == id)
      self->values[node->outputs[i]].producer = PARE_NONE;
  PareNodeId origin = node->origin;
  pare_node_clear (node);
  node->origin = origin;
}

/* Producers each node waits for: its inputs', and those its bodies capture. */
typedef struct
{
  guint *starts;
  PareNodeId *nodes;
} Needs;

static void
needs_build (const PareGraph *self, const PareConsumers *c, Needs *needs)
{
  needs->starts = g_new0 (guint, self->n_nodes + 2);
  for (guint v = 0; v < self->n_values; v++)
    if (self->values[v].producer != PARE_NONE)
      for (guint k = c->starts[v]; k < c->starts[v + 1]; k++)
        needs->starts[c->nodes[k] + 1]++;
  for (guint i = 0; i < self->n_nodes; i++)
    needs->starts[i + 1] += needs->starts[i];
  needs->nodes = g_new0 (PareNodeId, needs->starts[self->n_nodes] + 1);
  g_autofree guint *at = g_memdup2 (needs->starts, (self->n_nodes + 1) * sizeof (guint));
  for (guint v = 0; v < self->n_values; v++)
    if (self->values[v].producer != PARE_NONE)
      for (guint k = c->starts[v]; k < c->starts[v + 1]; k++)
        needs->nodes[at[c->nodes[k]]++] = self->values[v].producer;
}

static void
needs_clear (Needs *needs)
{
  g_free (needs->starts);
  g_free (needs->nodes);
}

static GArray *
order_by (const PareGraph *self, const Needs *needs, GError **error)
{
  g_autoptr (GArray) order = g_array_sized_new (FALSE, FALSE, sizeof (PareNodeId), self->n_nodes);
  g_autofree guint8 *state = g_new0 (guint8, self->n_nodes + 1); /* 0 unseen, 1 open, 2 done */
  g_autofree guint *at = g_memdup2 (needs->starts, (self->n_nodes + 1) * sizeof (guint));
  g_autoptr (GArray) stack = g_array_new (FALSE, FALSE, sizeof (PareNodeId));
  /* Depth first in the present order: a graph in order stays as it is, a new node moves just before its first reader. */
  for (PareNodeId root = 0; root < self->n_nodes; root++)
    {
      if (state[root] != 0 || self->nodes[root].op == NULL)
        continue;
      g_array_append_val (stack, root);
      state[root] = 1;
      while (stack->len > 0)
        {
          PareNodeId id = g_array_index (stack, PareNodeId, stack->len - 1);
          if (at[id] == needs->starts[id + 1])
            {
              state[id] = 2;
              g_array_append_val (order, id);
              g_array_set_size (stack, stack->len - 1);
              continue;
            }
          PareNodeId next = needs->nodes[at[id]++];
          if (state[next] == 1)
            {
              g_autofree char *what = pare_node_describe (&self->nodes[id]);
              g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT, "%s: part of a cycle, its input depends on its own output", what);
              return NULL;
            }
          if (state[next] == 0)
            {
              state[next] = 1;
              g_array_append_val (stack, next);
            }
        }
    }
  return g_steal_pointer (&order);
}

GArray *
pare_graph_order (const PareGraph *self, GError **error)
{
  g_autoptr (PareConsumers) c = pare_graph_consumers (self);
  Needs needs;
  needs_build (self, c, &needs);
  GArray *order = order_by (self, &needs, error);
  needs_clear (&needs);
  return order;
}

static void
take_nodes (PareGraph *self, const GArray *order)
{
  PareNode *old = self->nodes;
  guint n_old = self->n_nodes;
  g_autofree guint8 *kept = g_new0 (guint8, n_old + 1);
  self->nodes = pare_graph_room (order->len, sizeof *old);
  self->n_nodes = order->len;
  for (guint i = 0; i < order->len; i++)
    {
      PareNodeId from = g_array_index (order, PareNodeId, i);
      self->nodes[i] = old[from];
      kept[from] = 1;
    }
  for (guint i = 0; i < n_old; i++)
    if (!kept[i])
      pare_node_clear (&old[i]);
  g_free (old);
  for (guint v = 0; v < self->n_values; v++)
    self->values[v].producer = PARE_NONE;
  for (guint i = 0; i < self->n_nodes; i++)
    for (guint k = 0; k < self->nodes[i].n_outputs; k++)
      if (self->nodes[i].outputs[k] != PARE_NONE)
        self->values[self->nodes[i].outputs[k]].producer = i;
}

gboolean
pare_graph_sort (PareGraph *self, GError **error)
{
  g_autoptr (GArray) order = pare_graph_order (self, error);
  if (order == NULL)
    return FALSE;
  take_nodes (self, order);
  return TRUE;
}

/* What an output needs: of the nodes, backwards; returns the order without the others. */
static GArray *
find_live (const PareGraph *self, const PareConsumers *c, guint8 *live, GError **error)
{
  Needs needs;
  needs_build (self, c, &needs);
  GArray *order = order_by (self, &needs, error);
  for (guint i = 0; order != NULL && i < self->n_outputs; i++)
    if (self->values[self->outputs[i]].producer != PARE_NONE)
      live[self->values[self->outputs[i]].producer] = 1;
  for (guint i = order != NULL ? order->len : 0; i-- > 0;)
    {
      PareNodeId id = g_array_index (order, PareNodeId, i);
      for (guint k = needs.starts[id]; live[id] && k < needs.starts[id + 1]; k++)
        live[needs.nodes[k]] = 1;
      if (!live[id])
        g_array_remove_index (order, i);
    }
  needs_clear (&needs);
  return order;
}

/* Values that are read, computed, or the graph's own. */
static void
find_kept (const PareGraph *self, const PareConsumers *c, const guint8 *live, guint8 *keep)
{
  for (guint v = 0; v < self->n_values; v++)
    for (guint k = c->starts[v]; !keep[v] && k < c->starts[v + 1]; k++)
      keep[v] = live[c->nodes[k]];
  for (guint i = 0; i < self->n_nodes; i++)
    for (guint k = 0; live[i] && k < self->nodes[i].n_outputs; k++)
      if (self->nodes[i].outputs[k] != PARE_NONE)
        keep[self->nodes[i].outputs[k]] = 1;
  for (guint i = 0; i < self->n_inputs; i++)
    keep[self->inputs[i]] = 1;
  for (guint i = 0; i < self->n_outputs; i++)
    keep[self->outputs[i]] = 1;
}

static void
take_values (PareGraph *self, const guint8 *keep)
{
  g_autofree PareValueId *map = g_new (PareValueId, self->n_values + 1);
  guint n = 0;
  for (guint v = 0; v < self->n_values; v++)
    {
      map[v] = keep[v] ? n : PARE_NONE;
      if (!keep[v])
        pare_value_clear (&self->values[v]);
      else
        self->values[n++] = self->values[v];
    }
  self->n_values = n;
  g_clear_pointer (&self->names, g_hash_table_unref);
  for (guint i = 0; i < self->n_nodes; i++)
    {
      PareNode *node = &self->nodes[i];
      for (guint k = 0; k < node->n_inputs; k++)
        node->inputs[k] = node->inputs[k] == PARE_NONE ? PARE_NONE : map[node->inputs[k]];
      for (guint k = 0; k < node->n_outputs; k++)
        node->outputs[k] = node->outputs[k] == PARE_NONE ? PARE_NONE : map[node->outputs[k]];
    }
  for (guint i = 0; i < self->n_inputs; i++)
    self->inputs[i] = map[self->inputs[i]];
  for (guint i = 0; i < self->n_outputs; i++)
    self->outputs[i] = map[self->outputs[i]];
}

gboolean
pare_graph_compact (PareGraph *self, GError **error)
{
  g_autoptr (PareConsumers) c = pare_graph_consumers (self);
  g_autofree guint8 *live = g_new0 (guint8, self->n_nodes + 1), *keep = g_new0 (guint8, self->n_values + 1);
  g_autoptr (GArray) order = find_live (self, c, live, error);
  if (order == NULL)
    return FALSE;
  find_kept (self, c, live, keep);
  take_nodes (self, order);
  take_values (self, keep);
  return pare_graph_verify_sorted (self, error);
}
