/* Coupled channels. Every channel of every value is a unit; what an operator does to channels says which units are one: a sum makes its
 * operands' units one by one the same, a concatenation lines them up, a depthwise convolution hands them through, a channel-wise Pad sets
 * free ones beside them. Units with one root go together or stay together. What an operator needs cut when units go is noted while walking.
 */
#include "engine/compress/pare-channels-private.h"

#include <math.h>
#include <string.h>

guint32
pare_channels_root (PareChannels *self, guint32 unit)
{
  while (self->parent[unit] != unit)
    {
      self->parent[unit] = self->parent[self->parent[unit]];
      unit = self->parent[unit];
    }
  return unit;
}

void
pare_channels_unite (PareChannels *self, guint32 a, guint32 b)
{
  a = pare_channels_root (self, a);
  b = pare_channels_root (self, b);
  if (a == b)
    return;
  guint32 keep = MIN (a, b), gone = MAX (a, b);
  self->parent[gone] = keep;
  if (self->veto[keep] == NULL)
    self->veto[keep] = g_steal_pointer (&self->veto[gone]);
}

static void
veto_unit (PareChannels *self, guint32 unit, const char *why)
{
  unit = pare_channels_root (self, unit);
  if (self->veto[unit] == NULL)
    self->veto[unit] = g_strdup (why);
}

void
pare_channels_veto (PareChannels *self, const PareChannelMap *map, const char *format, ...)
{
  if (map->unit == NULL)
    return;
  va_list args;
  va_start (args, format);
  g_autofree char *why = g_strdup_vprintf (format, args);
  va_end (args);
  for (guint i = 0; i < map->n; i++)
    veto_unit (self, map->unit[i], why);
}

/* `n` fresh units; FALSE where there would be too many. */
gboolean
pare_channels_fresh (PareChannels *self, guint n, int axis, PareChannelMap *map)
{
  if (n == 0 || n > MAX_UNITS || self->n_units + n > MAX_UNITS)
    return FALSE;
  if (self->n_units + n > self->allocated)
    {
      guint more = MAX (self->allocated * 2, self->n_units + n + 1024);
      self->parent = g_renew (guint32, self->parent, more);
      self->veto = g_renew (char *, self->veto, more);
      self->allocated = more;
    }
  *map = (PareChannelMap){ g_new (guint32, n), n, axis, FALSE };
  for (guint i = 0; i < n; i++)
    {
      self->parent[self->n_units] = self->n_units;
      self->veto[self->n_units] = NULL;
      map->unit[i] = self->n_units++;
    }
  return TRUE;
}

PareChannelMap
pare_channels_copy_map (const PareChannelMap *map)
{
  PareChannelMap copy = *map;
  copy.unit = map->unit != NULL ? g_memdup2 (map->unit, map->n * sizeof *map->unit) : NULL;
  return copy;
}

void
pare_channels_note (PareChannels *self, PareCutKind kind, PareNodeId node, guint input, int axis, guint repeat, const PareChannelMap *map)
{
  PareCut cut = { kind, node, input, axis, repeat, 0, 0, g_memdup2 (map->unit, map->n * sizeof *map->unit), map->n };
  g_array_append_val (self->cuts, cut);
}

PareChannelMap *
pare_channels_map_of (PareChannels *self, PareValueId value)
{
  static const PareChannelMap none = { NULL, 0, -1, FALSE };
  return value == PARE_NONE ? (PareChannelMap *)&none : &self->map[value];
}

void
pare_channels_set_map (PareChannels *self, PareValueId value, PareChannelMap map)
{
  if (value == PARE_NONE)
    g_free (map.unit);
  else
    {
      g_free (self->map[value].unit);
      self->map[value] = map;
    }
}

const char *
pare_channels_label (const PareGraph *g, PareNodeId id)
{
  return g->nodes[id].layer != NULL ? g->nodes[id].layer : g->nodes[id].name;
}

/* Values that bodies of If and Loop read by name are read by an operator we do not look into. */
static void
veto_captured (PareChannels *self)
{
  g_autoptr (PareConsumers) consumers = pare_graph_consumers (self->graph);
  for (guint v = 0; v < self->graph->n_values; v++)
    for (guint k = consumers->starts[v]; self->map[v].unit != NULL && k < consumers->starts[v + 1]; k++)
      {
        const PareNode *node = &self->graph->nodes[consumers->nodes[k]];
        gboolean direct = FALSE;
        for (guint i = 0; i < node->n_inputs; i++)
          direct |= node->inputs[i] == v;
        if (!direct)
          pare_channels_veto (self, &self->map[v], "the body of '%s' reads it", pare_channels_label (self->graph, consumers->nodes[k]));
      }
}

PareChannels *
pare_channels_new (const PareGraph *graph)
{
  PareChannels *self = g_new0 (PareChannels, 1);
  self->graph = graph;
  self->n_values = graph->n_values;
  self->n_nodes = graph->n_nodes;
  self->map = g_new0 (PareChannelMap, graph->n_values + 1);
  self->made = g_new0 (PareChannelMap, graph->n_nodes + 1);
  self->reads = g_new0 (gboolean, graph->n_nodes + 1);
  self->cuts = g_array_new (FALSE, FALSE, sizeof (PareCut));
  g_autofree int *rank = g_new (int, graph->n_values + 1);
  for (guint v = 0; v < graph->n_values; v++)
    rank[v] = graph->values[v].constant != NULL ? graph->values[v].constant->shape.rank : graph->values[v].shape.rank;
  for (guint i = 0; i < graph->n_nodes; i++)
    if (graph->nodes[i].op != NULL)
      pare_channels_walk (self, i, rank);
  for (guint i = 0; i < graph->n_outputs; i++)
    pare_channels_veto (self, &self->map[graph->outputs[i]], "its channels are the model's output '%s'",
                        graph->values[graph->outputs[i]].name);
  veto_captured (self);
  return self;
}

void
pare_channels_free (PareChannels *self)
{
  if (self == NULL)
    return;
  for (guint v = 0; v < self->n_values; v++)
    g_free (self->map[v].unit);
  for (guint i = 0; i < self->n_nodes; i++)
    g_free (self->made[i].unit);
  for (guint i = 0; i < self->n_units; i++)
    g_free (self->veto[i]);
  for (guint i = 0; i < self->cuts->len; i++)
    g_free (g_array_index (self->cuts, PareCut, i).unit);
  g_array_unref (self->cuts);
  g_free (self->map);
  g_free (self->made);
  g_free (self->reads);
  g_free (self->shapes);
  g_free (self->parent);
  g_free (self->veto);
  g_free (self);
}

/* --- questions --- */

void
pare_channels_members (PareChannels *self, PareNodeId node, GHashTable *members, GHashTable *followers)
{
  const PareChannelMap *made = &self->made[node];
  if (made->unit == NULL)
    return;
  g_autofree guint8 *mine = g_new0 (guint8, self->n_units + 1);
  for (guint i = 0; i < made->n; i++)
    mine[pare_channels_root (self, made->unit[i])] = 1;
  for (guint i = 0; i < self->graph->n_nodes; i++)
    for (guint k = 0; k < self->made[i].n; k++)
      if (mine[pare_channels_root (self, self->made[i].unit[k])])
        {
          g_hash_table_add (members, GUINT_TO_POINTER (i));
          break;
        }
  for (guint c = 0; c < self->cuts->len; c++)
    {
      const PareCut *cut = &g_array_index (self->cuts, PareCut, c);
      if (cut->kind != PARE_CUT_TENSOR || cut->input != 1 || !self->reads[cut->node]
          || g_hash_table_contains (members, GUINT_TO_POINTER (cut->node)))
        continue;
      for (guint k = 0; k < cut->n; k++)
        if (mine[pare_channels_root (self, cut->unit[k])])
          {
            g_hash_table_add (followers, GUINT_TO_POINTER (cut->node));
            break;
          }
    }
}

char *
pare_channels_why_not (PareChannels *self, PareNodeId node, gint64 *count)
{
  const PareChannelMap *made = &self->made[node];
  const char *why = NULL;
  gint64 free_ones = 0;
  for (guint i = 0; i < made->n; i++)
    {
      const char *veto = self->veto[pare_channels_root (self, made->unit[i])];
      if (veto == NULL)
        free_ones++;
      else if (why == NULL)
        why = veto;
    }
  if (count != NULL)
    *count = free_ones;
  if (free_ones > 0)
    return NULL;
  return g_strdup (why != NULL ? why : "it makes no channels of its own");
}

static char **
names_of (const PareGraph *graph, GHashTable *set)
{
  GPtrArray *names = g_ptr_array_new ();
  for (guint i = 0; i < graph->n_nodes; i++) /* in the graph's order */
    if (g_hash_table_contains (set, GUINT_TO_POINTER (i)))
      g_ptr_array_add (names, g_strdup (pare_channels_label (graph, i)));
  g_ptr_array_add (names, NULL);
  return (char **)g_ptr_array_free (names, FALSE);
}

PareCoupledGroup *
pare_coupled_group_find (const PareGraph *source, const char *layer)
{
  PareNodeId id = pare_graph_find_layer (source, layer);
  if (id == PARE_NONE)
    return NULL;
  g_autoptr (PareChannels) channels = pare_channels_new (source);
  gint64 count;
  g_autofree char *why = pare_channels_why_not (channels, id, &count);
  if (why != NULL)
    return NULL;
  g_autoptr (GHashTable) members = g_hash_table_new (NULL, NULL), followers = g_hash_table_new (NULL, NULL);
  pare_channels_members (channels, id, members, followers);
  PareCoupledGroup *group = g_new0 (PareCoupledGroup, 1);
  group->members = names_of (source, members);
  group->followers = names_of (source, followers);
  group->channels = count;
  return group;
}

char *
pare_coupled_group_why_not (const PareGraph *source, const char *layer)
{
  PareNodeId id = pare_graph_find_layer (source, layer);
  if (id == PARE_NONE)
    return g_strdup ("there is no such layer");
  g_autoptr (PareChannels) channels = pare_channels_new (source);
  return pare_channels_why_not (channels, id, NULL);
}

void
pare_coupled_group_free (PareCoupledGroup *self)
{
  if (self == NULL)
    return;
  g_strfreev (self->members);
  g_strfreev (self->followers);
  g_free (self);
}
