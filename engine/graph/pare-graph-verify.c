#include "engine/graph/pare-graph-private.h"

#include <string.h>

static gboolean complain (GError **error, const PareNode *node, const char *format, ...) G_GNUC_PRINTF (3, 4);

static gboolean
complain (GError **error, const PareNode *node, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *reason = g_strdup_vprintf (format, args), *what = node ? pare_node_describe (node) : g_strdup ("graph");
  va_end (args);
  g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT, "%s: %s", what, reason);
  return FALSE;
}

/* outer: names that the graphs around a body define (NULL at the top). */
static gboolean
verify (const PareGraph *self, GHashTable *outer, GError **error)
{
  g_autofree guint8 *defined = g_new0 (guint8, self->n_values + 1);
  gboolean bodies = FALSE;
  for (guint i = 0; i < self->n_nodes && !bodies; i++)
    bodies = pare_node_has_graph (&self->nodes[i]);
  g_autoptr (GHashTable) names = bodies ? g_hash_table_new (g_str_hash, g_str_equal) : NULL; /* what a body sees */
  if (outer != NULL && bodies)
    {
      GHashTableIter iter;
      gpointer key;
      g_hash_table_iter_init (&iter, outer);
      while (g_hash_table_iter_next (&iter, &key, NULL))
        g_hash_table_add (names, key);
    }
  g_autoptr (GHashTable) own = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < self->n_values; i++)
    {
      const PareValue *v = &self->values[i];
      if (v->name == NULL || !g_hash_table_add (own, (gpointer)v->name))
        return complain (error, NULL, "two values are named '%s'", v->name ? v->name : "");
      if (v->shape.rank > PARE_MAX_RANK)
        return complain (error, NULL, "value '%s' has rank %d, at most %d are supported", v->name, v->shape.rank, PARE_MAX_RANK);
      if (v->producer != PARE_NONE && (v->producer >= self->n_nodes || self->nodes[v->producer].op == NULL))
        return complain (error, NULL, "value '%s' names a producer that is not there", v->name);
      if (v->constant != NULL && v->producer == PARE_NONE)
        defined[i] = 1;
    }
  for (guint i = 0; i < self->n_inputs; i++)
    {
      if (self->inputs[i] >= self->n_values)
        return complain (error, NULL, "input %u is not a value", i);
      defined[self->inputs[i]] = 1;
    }
  for (guint i = 0; i < self->n_values && bodies; i++)
    if (defined[i])
      g_hash_table_add (names, (gpointer)self->values[i].name);
  for (guint i = 0; i < self->n_nodes; i++)
    {
      const PareNode *node = &self->nodes[i];
      if (node->op == NULL)
        continue;
      for (guint k = 0; k < node->n_inputs; k++)
        {
          PareValueId v = node->inputs[k];
          if (v == PARE_NONE)
            continue;
          if (v >= self->n_values)
            return complain (error, node, "input %u is not a value", k);
          if (defined[v] || (outer != NULL && g_hash_table_contains (outer, self->values[v].name)))
            continue;
          if (self->values[v].producer == PARE_NONE)
            return complain (error, node, "input '%s' is neither an input of the graph, an initializer, nor any node's output",
                             self->values[v].name);
          return complain (error, node, "input '%s' is used before it is computed", self->values[v].name);
        }
      for (guint a = 0; a < node->n_attrs; a++)
        if (node->attrs[a].graph != NULL && !verify (node->attrs[a].graph, names, error))
          return FALSE;
      for (guint k = 0; k < node->n_outputs; k++)
        {
          PareValueId v = node->outputs[k];
          if (v == PARE_NONE)
            continue;
          if (v >= self->n_values)
            return complain (error, node, "output %u is not a value", k);
          if (self->values[v].producer != i || defined[v])
            return complain (error, node, "output '%s' is defined twice", self->values[v].name);
          defined[v] = 1;
          if (bodies)
            g_hash_table_add (names, (gpointer)self->values[v].name);
        }
    }
  for (guint i = 0; i < self->n_outputs; i++)
    {
      if (self->outputs[i] >= self->n_values)
        return complain (error, NULL, "output %u is not a value", i);
      const char *name = self->values[self->outputs[i]].name;
      if (!defined[self->outputs[i]] && (outer == NULL || !g_hash_table_contains (outer, name)))
        return complain (error, NULL, "output '%s' is not computed by any node", name);
    }
  return TRUE;
}

gboolean
pare_graph_verify_sorted (const PareGraph *self, GError **error)
{
  return verify (self, NULL, error);
}

gboolean
pare_graph_verify (const PareGraph *self, GError **error)
{
  g_autoptr (GArray) order = pare_graph_order (self, error);
  return order != NULL && verify (self, NULL, error);
}

void
pare_graph_name_layers (PareGraph *self)
{
  g_autoptr (GHashTable) used = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) next
      = g_hash_table_new (g_str_hash, g_str_equal); /* base name -> last suffix, so that n equal names stay linear */
  for (guint i = 0; i < self->n_nodes; i++)
    {
      PareNode *node = &self->nodes[i];
      if (node->op == NULL)
        continue;
      const char *base = node->name != NULL && node->name[0] != '\0' ? node->name : NULL;
      for (guint k = 0; base == NULL && k < node->n_outputs; k++)
        if (node->outputs[k] != PARE_NONE)
          base = self->values[node->outputs[k]].name;
      if (base == NULL)
        base = node->op;
      g_autofree char *other = NULL;
      guint n = GPOINTER_TO_UINT (g_hash_table_lookup (next, base));
      for (n = MAX (n, 2); g_hash_table_contains (used, other != NULL ? other : base); n++)
        {
          g_free (other);
          other = g_strdup_printf ("%s#%u", base, n);
          g_hash_table_insert (next, (gpointer)base, GUINT_TO_POINTER (n + 1));
        }
      node->layer = pare_graph_keep_name (self, other != NULL ? other : base);
      g_hash_table_add (used, (gpointer)node->layer);
    }
}
