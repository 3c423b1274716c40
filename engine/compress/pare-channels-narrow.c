/* Chooses the channels that go and cuts every tensor, attribute and shape that they run through. */
#include "engine/compress/pare-channels-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Units with one root, produced by the same layers: one group of equals. */
typedef struct
{
  guint32 root;
  double magnitude;
  guint64 signature; /* of the set of layers that produce it */
} Unit;

typedef struct
{
  guint64 signature;
  guint n;
  double ratio; /* the smallest that a member asks for; < 0: none asks */
  int round_to;
  gboolean asked;
} Group;

static const PareLayerRecipe *
recipe_of (const PareGraph *g, PareNodeId id, const PareLayerRecipe *resolved, guint n_resolved)
{
  PareNodeId origin = g->nodes[id].origin;
  return origin < n_resolved ? &resolved[origin] : NULL;
}

static int
compare_units (const void *a, const void *b)
{
  const Unit *x = a, *y = b;
  if (x->signature != y->signature)
    return x->signature < y->signature ? -1 : 1;
  if (x->magnitude != y->magnitude)
    return x->magnitude < y->magnitude ? -1 : 1;
  return x->root < y->root ? -1 : x->root > y->root;
}

/* Norms of a weight's slices along one axis, each of `repeat` entries, over their mean: what layers of different size have in common. */
static double *
relative_norms (const PareTensor *w, int axis, guint n, guint repeat)
{
  PareAxisSplit s = pare_axis_split (&w->shape, axis);
  const float *data = w->data;
  if (s.n != (gsize)n * repeat)
    return NULL;
  double *norm = g_new0 (double, n + 1), all = 0;
  for (guint c = 0; c < n; c++)
    {
      for (gsize o = 0; o < s.outer; o++)
        {
          const float *run = data + (o * s.n + (gsize)c * repeat) * s.inner;
          for (gsize i = 0; i < s.inner * repeat; i++)
            norm[c] += (double)run[i] * run[i];
        }
      all += norm[c];
      norm[c] = sqrt (norm[c]);
    }
  double mean = sqrt (all / n) + 1e-30;
  for (guint c = 0; c < n; c++)
    norm[c] /= mean;
  return norm;
}

/* A unit's magnitude: the norms of the filters that make it, summed over its group, times those of the weights that read it. Measured:
 * without the readers the ResNets lose a third more, depthwise networks twice as much. The weights are the file's, before BatchNorm is
 * folded in. */
static double *
magnitudes (PareChannels *self)
{
  double *made = g_new0 (double, self->n_units + 1);
  g_autofree double *read = g_new0 (double, self->n_units + 1);
  for (guint i = 0; i < self->n_nodes; i++)
    {
      const PareChannelMap *map = &self->made[i];
      PareWeightPlace place;
      g_autoptr (PareTensor) w = map->unit != NULL ? pare_weights_dup (self->graph, i, &place) : NULL;
      g_autofree double *norm = w != NULL ? relative_norms (w, place.out_axis, map->n, 1) : NULL;
      for (guint c = 0; norm != NULL && c < map->n; c++)
        made[pare_channels_root (self, map->unit[c])] += norm[c];
    }
  for (guint i = 0; i < self->cuts->len; i++)
    {
      const PareCut *cut = &g_array_index (self->cuts, PareCut, i);
      PareWeightPlace place;
      if (cut->kind != PARE_CUT_TENSOR || cut->input != 1 || !self->reads[cut->node])
        continue;
      g_autoptr (PareTensor) w = pare_weights_dup (self->graph, cut->node, &place);
      g_autofree double *norm = w != NULL && place.in_axis == cut->axis ? relative_norms (w, cut->axis, cut->n, cut->repeat) : NULL;
      for (guint c = 0; norm != NULL && c < cut->n; c++)
        read[pare_channels_root (self, cut->unit[c])] += norm[c];
    }
  for (guint u = 0; u < self->n_units; u++)
    if (read[u] > 0)
      made[u] *= read[u];
  return made;
}

/* By unit: TRUE if it goes. NULL: none does. */
static guint8 *
choose (PareChannels *self, const PareGraph *g, const PareLayerRecipe *resolved, guint n_resolved, GPtrArray *warnings)
{
  g_autofree double *magnitude = magnitudes (self);
  g_autofree guint64 *signature = g_new0 (guint64, self->n_units + 1);
  g_autofree guint32 *seen = g_new0 (guint32, self->n_units + 1); /* node + 1 that marked it last */
  g_autofree guint8 *kept_back = g_new0 (guint8, self->n_units + 1);
  for (guint i = 0; i < g->n_nodes; i++)
    {
      const PareChannelMap *made = &self->made[i];
      const PareLayerRecipe *r = recipe_of (g, i, resolved, n_resolved);
      if (made->unit == NULL)
        continue;
      for (guint k = 0; k < made->n; k++)
        {
          guint32 root = pare_channels_root (self, made->unit[k]);
          if (seen[root] != i + 1)
            signature[root] = (signature[root] ^ (i + 1)) * G_GUINT64_CONSTANT (0x9E3779B97F4A7C15) + (signature[root] >> 29);
          seen[root] = i + 1;
          if (r != NULL && r->exclude == 1)
            kept_back[root] = 1;
        }
    }
  g_autoptr (GArray) units = g_array_new (FALSE, FALSE, sizeof (Unit));
  for (guint32 u = 0; u < self->n_units; u++)
    if (self->parent[u] == u && self->veto[u] == NULL && !kept_back[u] && signature[u] != 0)
      {
        Unit unit = { u, magnitude[u], signature[u] };
        g_array_append_val (units, unit);
      }
  if (units->len > 0)
    qsort (units->data, units->len, sizeof (Unit), compare_units);
  /* What each group's members ask for. */
  g_autoptr (GHashTable) groups = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, g_free);
  for (guint i = 0; i < units->len; i++)
    {
      guint64 key = g_array_index (units, Unit, i).signature;
      Group *group = g_hash_table_lookup (groups, &key);
      if (group == NULL)
        {
          group = g_new0 (Group, 1);
          *group = (Group){ key, 0, 2, 1, FALSE };
          g_hash_table_insert (groups, &group->signature, group);
        }
      group->n++;
    }
  for (guint i = 0; i < g->n_nodes; i++)
    {
      const PareLayerRecipe *r = recipe_of (g, i, resolved, n_resolved);
      const PareChannelMap *made = &self->made[i];
      if (r == NULL || r->prune != PARE_PRUNE_CHANNELS || r->prune_ratio < 0)
        continue;
      gboolean any = FALSE, held = FALSE;
      for (guint k = 0; k < made->n; k++)
        {
          guint32 root = pare_channels_root (self, made->unit[k]);
          Group *group = self->veto[root] == NULL && !kept_back[root] ? g_hash_table_lookup (groups, &signature[root]) : NULL;
          held |= kept_back[root];
          if (group == NULL)
            continue;
          any = group->asked = TRUE;
          group->ratio = MIN (group->ratio, r->prune_ratio);
          group->round_to = MAX (group->round_to, r->round_to);
        }
      if (!any && r->prune_ratio > 0)
        {
          g_autofree char *why = held ? g_strdup ("a layer of its coupled group is excluded") : pare_channels_why_not (self, i, NULL);
          pare_warn (warnings, g->nodes[i].layer, "no channels can be removed: %s; left as it was", why != NULL ? why : "nothing is free");
        }
    }
  guint8 *gone = g_new0 (guint8, self->n_units + 1);
  gboolean some = FALSE;
  for (guint i = 0; i < units->len;)
    {
      guint64 key = g_array_index (units, Unit, i).signature;
      const Group *group = g_hash_table_lookup (groups, &key);
      guint remove = group->asked ? (guint)floor (MIN (group->ratio, 1) * group->n) : 0, keep = group->n - remove;
      if (group->round_to > 1)
        keep = MIN (group->n, (keep + (guint)group->round_to - 1) / (guint)group->round_to * (guint)group->round_to);
      remove = group->n - MAX (keep, 1);
      for (guint k = 0; k < remove; k++)
        gone[g_array_index (units, Unit, i + k).root] = 1;
      some |= remove > 0;
      i += group->n;
    }
  if (!some)
    g_clear_pointer (&gone, g_free);
  return gone;
}

/* Positions of a cut that stay, in order. */
static guint
kept_positions (PareChannels *self, const guint8 *gone, const guint32 *unit, guint n, guint *out)
{
  guint kept = 0;
  for (guint i = 0; i < n; i++)
    if (!gone[pare_channels_root (self, unit[i])])
      {
        if (out != NULL)
          out[kept] = i;
        kept++;
      }
  return kept;
}

static PareTensor *
cut_tensor (const PareTensor *t, int axis, const guint *positions, guint kept, guint repeat, GError **error)
{
  PareShape shape = t->shape;
  shape.dims[axis] = (gint64)kept * repeat;
  PareTensor *out = pare_tensor_new (t->dtype, &shape, error);
  if (out == NULL)
    return NULL;
  gsize size = (gsize)pare_dtype_bits (t->dtype) / 8;
  PareAxisSplit s = pare_axis_split (&t->shape, axis);
  gsize run = s.inner * size * repeat;
  char *to = out->data;
  for (gsize o = 0; o < s.outer; o++)
    for (guint k = 0; k < kept; k++, to += run)
      memcpy (to, (const char *)t->data + (o * s.n + (gsize)positions[k] * repeat) * s.inner * size, run);
  return out;
}

/* A list of integers that is an attribute in old opsets and an input in new ones. */
static gboolean
set_ints (PareGraph *g, PareNodeId id, const char *attr, guint input, int at, gint64 value)
{
  guint n;
  const gint64 *given = pare_node_get_ints (&g->nodes[id], attr, &n);
  if (given != NULL)
    {
      g_autofree gint64 *copy = g_memdup2 (given, n * sizeof *given);
      copy[at] = value;
      pare_node_set_ints (&g->nodes[id], attr, copy, n);
      return TRUE;
    }
  PareValueId old = g->nodes[id].inputs[input];
  g_autoptr (PareTensor) t = pare_weights_materialize (g, old);
  gboolean half = t != NULL && t->dtype == PARE_DTYPE_INT32; /* cast behind, as TensorFlow has it */
  g_autoptr (PareTensor) copy = t != NULL && (half || t->dtype == PARE_DTYPE_INT64) ? pare_tensor_copy (t) : NULL;
  if (copy == NULL)
    return FALSE;
  if (half)
    ((gint32 *)copy->data)[at] = (gint32)value;
  else
    ((gint64 *)copy->data)[at] = value;
  PareValueId fresh = pare_graph_add_constant (g, g->values[old].name, copy, g->values[old].origin);
  g->nodes[id].inputs[input] = fresh;
  return TRUE;
}

static gint64
get_ints (PareGraph *g, PareNodeId id, const char *attr, guint input, int at, guint *n)
{
  const gint64 *given = pare_node_get_ints (&g->nodes[id], attr, n);
  if (given != NULL)
    return given[at];
  g_autoptr (PareTensor) t = pare_weights_materialize (g, g->nodes[id].inputs[input]);
  *n = t != NULL ? (guint)pare_tensor_count (t) : 0;
  return t != NULL && (guint)at < *n ? pare_tensor_get_int (t, (gsize)at) : 0;
}

static gboolean
apply_cut (PareChannels *self, PareGraph *g, const PareCut *cut, const guint8 *gone, GError **error)
{
  g_autofree guint *positions = g_new (guint, cut->n + 1);
  guint kept = kept_positions (self, gone, cut->unit, cut->n, positions), n;
  gboolean ok = TRUE;
  if (kept == cut->n)
    return TRUE;
  switch (cut->kind)
    {
    case PARE_CUT_TENSOR:
      {
        PareValueId old = g->nodes[cut->node].inputs[cut->input];
        g_autoptr (PareTensor) t = pare_weights_materialize (g, old);
        g_autoptr (PareTensor) out = t != NULL ? cut_tensor (t, cut->axis, positions, kept, cut->repeat, error) : NULL;
        if (out == NULL)
          return FALSE;
        PareValueId fresh = pare_graph_add_constant (g, g->values[old].name, out, g->values[old].origin);
        g->nodes[cut->node].inputs[cut->input] = fresh;
        return TRUE;
      }
    case PARE_CUT_SHAPE:
      ok = set_ints (g, cut->node, "shape", 1, cut->axis, (gint64)kept * cut->repeat);
      break;
    case PARE_CUT_SIZES:
      ok = set_ints (g, cut->node, "sizes", 3, cut->axis, kept);
      break;
    case PARE_CUT_GROUP:
      pare_node_set_int (&g->nodes[cut->node], "group", kept);
      break;
    case PARE_CUT_PADS:
      {
        guint before = 0, after = 0; /* kept ones in front of and behind what was there */
        for (guint i = 0; i < kept; i++)
          {
            before += positions[i] < cut->before;
            after += positions[i] >= cut->before + cut->middle;
          }
        get_ints (g, cut->node, "pads", 1, 0, &n);
        ok = set_ints (g, cut->node, "pads", 1, cut->axis, before) && set_ints (g, cut->node, "pads", 1, cut->axis + (int)n / 2, after);
        break;
      }
    default:
      break;
    }
  if (!ok)
    g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED,
                 "node '%s' (%s): its sizes are not constant integers, channels cannot be removed", g->nodes[cut->node].layer,
                 g->nodes[cut->node].op);
  return ok;
}

gboolean
pare_channels_narrow (PareChannels *self, PareGraph *g, const PareLayerRecipe *resolved, guint n_resolved, GPtrArray *warnings,
                      GError **error)
{
  g_autofree guint8 *gone = choose (self, g, resolved, n_resolved, warnings);
  if (gone == NULL)
    return TRUE;
  for (guint i = 0; i < self->cuts->len; i++)
    if (!apply_cut (self, g, &g_array_index (self->cuts, PareCut, i), gone, error))
      return FALSE;
  for (guint v = 0; v < self->n_values; v++)
    {
      const PareChannelMap *map = &self->map[v];
      PareShape *shape = &g->values[v].shape;
      if (map->unit == NULL)
        continue;
      guint kept = kept_positions (self, gone, map->unit, map->n, NULL);
      if (kept == map->n || shape->rank < 0 || map->axis < 0 || map->axis >= shape->rank || shape->dims[map->axis] < 0)
        continue;
      shape->dims[map->axis] = shape->dims[map->axis] / map->n * kept; /* a flattened axis holds each channel so many times */
    }
  return TRUE;
}
