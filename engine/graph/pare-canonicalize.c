/* The twin that runs. */
#include "engine/graph/pare-graph-private.h"

#include <string.h>

/* Of loops over constants, all together: what counts or shapes something is short. */
#define MAX_TURNS 1024

/* A name that some exporter writes for "not known", wherever an extent is. */
static gboolean
says_nothing (const char *name)
{
  return name == NULL || !(g_ascii_isalpha (*name) || *name == '_') || strcmp (name, "None") == 0;
}

gint64
pare_extents_get (GHashTable *extents, const char *name)
{
  gint64 *extent = extents != NULL && !says_nothing (name) ? g_hash_table_lookup (extents, name) : NULL;
  return extent != NULL ? *extent : -1;
}

void
pare_extents_bind (GHashTable *extents, const char *name, gint64 extent)
{
  if (says_nothing (name))
    return;
  gint64 *bound = g_hash_table_lookup (extents, name);
  if (bound == NULL)
    g_hash_table_insert (extents, g_strdup (name), g_memdup2 (&extent, sizeof extent));
  else if (*bound != extent)
    *bound = -1; /* of two minds: files do not always mean one extent by one name, and other runtimes do not hold them to it */
}

/* Concrete input shapes; fills extents (symbolic name -> value). open: symbolic extents but the first stay unknown. */
static gboolean
fix_inputs (PareGraph *g, const PareNamedShape *shapes, guint n_shapes, gboolean open, GHashTable *extents, GError **error)
{
  for (guint i = 0; i < n_shapes; i++)
    {
      PareValueId id = pare_graph_find_value (g, shapes[i].name);
      gboolean found = FALSE;
      for (guint k = 0; k < g->n_inputs; k++)
        found |= g->inputs[k] == id;
      if (id == PARE_NONE || !found)
        {
          g_set_error (error, PARE_ERROR, PARE_ERROR_SHAPE, "the model has no input '%s'", shapes[i].name);
          return FALSE;
        }
      PareValue *v = &g->values[id];
      const PareShape *s = &shapes[i].shape;
      gboolean fits = s->rank >= 0 && s->rank <= PARE_MAX_RANK && (v->shape.rank < 0 || v->shape.rank == s->rank);
      for (int d = 0; fits && d < s->rank; d++)
        {
          fits = s->dims[d] >= 0 && (v->shape.rank < 0 || v->shape.dims[d] <= 0 || v->shape.dims[d] == s->dims[d]);
          if (fits)
            pare_extents_bind (extents, v->dim_names[d], s->dims[d]);
        }
      if (!fits)
        {
          g_autofree char *want = pare_shape_to_string (&v->shape), *got = pare_shape_to_string (s);
          g_set_error (error, PARE_ERROR, PARE_ERROR_SHAPE, "input '%s' is %s, a shape of %s does not fit", v->name, want, got);
          return FALSE;
        }
      v->shape = *s;
    }
  for (guint k = 0; k < g->n_inputs; k++)
    {
      PareValue *v = &g->values[g->inputs[k]];
      for (int d = 0; d < v->shape.rank; d++)
        {
          gboolean given = FALSE;
          for (guint i = 0; i < n_shapes; i++)
            given |= strcmp (shapes[i].name, v->name) == 0;
          if (given || v->shape.dims[d] >= 0) /* 0 is an extent, too: of a past that is empty */
            continue;
          gint64 bound = pare_extents_get (extents, v->dim_names[d]);
          gint64 unsaid = v->assumed.rank == v->shape.rank && v->assumed.rank > 0 ? v->assumed.dims[d] : 1;
          v->shape.dims[d] = bound >= 0 ? bound : open && d > 0 ? -1 : unsaid;
          if (bound < 0 && v->shape.dims[d] > 0)
            pare_extents_bind (extents, v->dim_names[d], v->shape.dims[d]);
        }
      gint64 count = pare_shape_count (&v->shape);
      if (v->shape.rank >= 0 && !open && (count < 0 || count > G_GINT64_CONSTANT (1) << 48))
        {
          g_autofree char *text = pare_shape_to_string (&v->shape);
          g_set_error (error, PARE_ERROR, PARE_ERROR_SHAPE, "input '%s' of %s is beyond any memory", v->name, text);
          return FALSE;
        }
    }
  return TRUE;
}

static gboolean
is_cast_to_same (const PareGraph *g, const PareNode *node)
{
  PareValueId x = node->n_inputs > 0 ? node->inputs[0] : PARE_NONE;
  return pare_node_is (node, "Cast") && x != PARE_NONE && g->values[x].dtype != PARE_DTYPE_NONE
         && g->values[x].dtype == (PareDtype)pare_node_get_int (node, "to", 0);
}

/* Identity, Dropout and casts that change nothing pass their input on. A graph output keeps its name, so there the producer is made to
 * write it. */
void
pare_canonical_drop_identities (PareGraph *g)
{
  for (guint i = 0; i < g->n_nodes; i++)
    {
      PareNode *node = &g->nodes[i];
      if (node->op == NULL || !(pare_node_is (node, "Identity") || pare_node_is (node, "Dropout") || is_cast_to_same (g, node))
          || node->n_inputs == 0 || node->n_outputs == 0)
        continue;
      PareValueId x = node->inputs[0], y = node->outputs[0];
      if (x == PARE_NONE || y == PARE_NONE)
        continue;
      if (pare_node_is (node, "Dropout"))
        {
          /* Training mode, or a mask that somebody reads, is not a pass-through. */
          PareTensor *training = pare_node_input_constant (g, node, 2);
          if (pare_node_input (g, node, 2) != NULL && (training == NULL || pare_tensor_get_int (training, 0) != 0))
            continue;
          if (node->n_outputs > 1 && node->outputs[1] != PARE_NONE)
            {
              g_autoptr (PareConsumers) c = pare_graph_consumers (g);
              if (c->starts[node->outputs[1] + 1] > c->starts[node->outputs[1]] || pare_graph_is_output (g, node->outputs[1]))
                continue;
            }
        }
      if (!pare_graph_is_output (g, y))
        {
          pare_graph_remove_node (g, i);
          pare_graph_replace_uses (g, y, x, FALSE);
          continue; /* x keeps its grid */
        }
      PareNodeId producer = g->values[x].producer;
      if (producer == PARE_NONE || pare_graph_is_output (g, x))
        continue;
      pare_graph_remove_node (g, i);
      PareNode *p = &g->nodes[producer];
      for (guint k = 0; k < p->n_outputs; k++)
        if (p->outputs[k] == x)
          p->outputs[k] = y;
      g->values[y].producer = producer;
      g->values[x].producer = PARE_NONE;
      if (g->values[y].quant == NULL)
        g->values[y].quant = g_steal_pointer (&g->values[x].quant);
      if (g->values[x].storage != PARE_DTYPE_NONE)
        g->values[y].storage = g->values[x].storage;
      pare_graph_replace_uses (g, x, y, FALSE);
    }
}

static PareWalk
walk_of (const PareGraph *g, PareEvalFunc eval, GHashTable *extents, gboolean trust, gint64 *turns)
{
  return (PareWalk){ .from = MAX (g->opset, 1),
                     .target = PARE_CANONICAL_OPSET,
                     .fold = TRUE,
                     .trust_declared = trust,
                     .eval = eval,
                     .extents = extents,
                     .turns = turns };
}

static PareGraph *
canonicalize (const PareGraph *source, const PareNamedShape *shapes, guint n_shapes, gboolean open, PareEvalFunc eval, GError **error)
{
  g_autoptr (PareGraph) g = pare_graph_copy (source);
  g_autoptr (GHashTable) extents = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  if (!fix_inputs (g, shapes, n_shapes, open, extents, error) || !pare_canonical_half (g, error))
    return NULL;
  gint64 turns = MAX_TURNS;
  PareWalk walk = walk_of (g, eval, extents, n_shapes == 0, &turns);
  if (!pare_graph_walk (g, &walk, error))
    return NULL;
  g->opset = PARE_CANONICAL_OPSET;
  g->n_source = source->n_values;
  g->source_shapes = g_new (PareShape, source->n_values + 1);
  g->source_dtypes = g_new (PareDtype, source->n_values + 1);
  for (guint i = 0; i < source->n_values; i++)
    {
      g->source_shapes[i] = g->values[i].shape;
      g->source_dtypes[i] = g->values[i].dtype;
    }
  pare_canonical_drop_identities (g);
  if (!pare_canonical_join_transposes (g, error) || !pare_canonical_lift (g, error))
    return NULL;
  pare_canonical_drop_identities (g);
  if (!pare_graph_sort (g, error))
    return NULL;
  pare_graph_fold_batch_norm (g, NULL);
  pare_canonical_fold_factors (g);
  if (!pare_graph_compact (g, error))
    return NULL;
  /* What the passes made has no shapes yet. */
  walk = walk_of (g, eval, extents, n_shapes == 0, &turns);
  if (!pare_graph_walk (g, &walk, error) || !pare_graph_compact (g, error))
    return NULL;
  return g_steal_pointer (&g);
}

/* Has an input an extent that only a default could fill? */
static gboolean
has_open_extent (const PareGraph *source)
{
  for (guint i = 0; i < source->n_inputs; i++)
    for (int d = 1; d < source->values[source->inputs[i]].shape.rank; d++)
      if (source->values[source->inputs[i]].shape.dims[d] < 0)
        return TRUE;
  return FALSE;
}

PareGraph *
pare_graph_canonicalize (const PareGraph *source, const PareNamedShape *shapes, guint n_shapes, PareEvalFunc eval, GError **error)
{
  GError *local = NULL;
  PareGraph *g = canonicalize (source, shapes, n_shapes, FALSE, eval, &local);
  if (g == NULL && n_shapes == 0 && has_open_extent (source))
    /* A text or a sound of length 1 may be too short for the model: nothing contradicts itself, the extent is only not known yet. */
    g = canonicalize (source, NULL, 0, TRUE, eval, NULL);
  if (g == NULL)
    g_propagate_error (error, local);
  else
    g_clear_error (&local);
  return g;
}
