/* What each operator does to channels. */
#include "engine/compress/pare-channels-private.h"

#include <math.h>
#include <string.h>

static const PareShape *
constant_shape (PareChannels *self, PareValueId value, PareTensor **tensor)
{
  *tensor = value != PARE_NONE ? pare_weights_materialize (self->graph, value) : NULL;
  return *tensor != NULL ? &(*tensor)->shape : NULL;
}

/* A constant that broadcasts over a value: if it has an entry per channel it is cut along. FALSE: it does not fit. */
static gboolean
note_broadcast (PareChannels *self, PareNodeId node, guint input, const PareChannelMap *map, int value_rank)
{
  g_autoptr (PareTensor) t = NULL;
  const PareShape *s = constant_shape (self, self->graph->nodes[node].inputs[input], &t);
  if (s == NULL)
    return FALSE;
  if (pare_tensor_count (t) == 1)
    return TRUE;
  if (map->flat || value_rank < 0)
    return FALSE;
  int first = value_rank - s->rank; /* shapes are lined up at their ends */
  const PareNode *reader = &self->graph->nodes[node];
  if (pare_node_get_int (reader, "broadcast", 0) != 0) /* before opset 7: at `axis`, if it is given */
    first = (int)CLAMP (pare_node_get_int (reader, "axis", first), -1, PARE_MAX_RANK);
  int axis = map->axis - first;
  if (s->rank > value_rank || first < 0)
    return FALSE;
  if (axis >= s->rank)
    return TRUE;
  if (axis < 0 || s->dims[axis] == 1)
    return TRUE;
  if (s->dims[axis] != map->n)
    return FALSE;
  pare_channels_note (self, PARE_CUT_TENSOR, node, input, axis, 1, map);
  return TRUE;
}

/* --- operators --- */

typedef struct
{
  PareChannels *self;
  const PareGraph *graph;
  const PareNode *node;
  PareNodeId id;
  int *rank; /* by value, -1 unknown */
  /* Of a Reshape whose target is put together by a Concat: that one, and where its constants hold the target's entries. */
  PareNodeId built;
  guint input[PARE_MAX_RANK];
  int at[PARE_MAX_RANK];
} Walk;

static void
give_up (Walk *w, const char *why)
{
  for (guint i = 0; i < w->node->n_inputs; i++)
    pare_channels_veto (w->self, pare_channels_map_of (w->self, w->node->inputs[i]), "%s '%s' (%s)", why,
                        pare_channels_label (w->graph, w->id), w->node->op);
}

static void
produce (Walk *w, guint n, int axis, int rank)
{
  PareChannelMap map;
  if (!pare_channels_fresh (w->self, n, axis, &map))
    return;
  w->self->made[w->id] = pare_channels_copy_map (&map);
  pare_channels_set_map (w->self, w->node->outputs[0], map);
  w->rank[w->node->outputs[0]] = rank;
}

static void
note_bias (Walk *w, guint input)
{
  const PareChannelMap *made = &w->self->made[w->id];
  g_autoptr (PareTensor) t = NULL;
  if (made->unit == NULL || input >= w->node->n_inputs || w->node->inputs[input] == PARE_NONE)
    return;
  const PareShape *s = constant_shape (w->self, w->node->inputs[input], &t);
  if (s == NULL)
    {
      pare_channels_veto (w->self, made, "the bias of '%s' is not a constant", pare_channels_label (w->graph, w->id));
      pare_channels_veto (w->self, pare_channels_map_of (w->self, w->node->inputs[input]), "it is the bias of '%s'",
                          pare_channels_label (w->graph, w->id));
    }
  else if (s->rank > 0 && s->dims[s->rank - 1] == made->n && pare_tensor_count (t) == made->n)
    pare_channels_note (w->self, PARE_CUT_TENSOR, w->id, input, s->rank - 1, 1, made);
  else if (pare_tensor_count (t) != 1)
    pare_channels_veto (w->self, made, "the bias of '%s' has an entry per element", pare_channels_label (w->graph, w->id));
}

static void
walk_conv (Walk *w, gboolean transposed)
{
  PareChannels *self = w->self;
  const PareChannelMap *in = pare_channels_map_of (self, w->node->inputs[0]);
  g_autoptr (PareTensor) t = NULL;
  const PareShape *s = w->node->n_inputs > 1 ? constant_shape (self, w->node->inputs[1], &t) : NULL;
  if (s == NULL || s->rank < 3 || pare_tensor_count (t) <= 0)
    {
      give_up (w, "it feeds, without constant weights,");
      return;
    }
  gint64 group = pare_node_get_int (w->node, "group", 1), outputs = transposed ? s->dims[1] * group : s->dims[0];
  gint64 inputs = transposed ? s->dims[0] : s->dims[1] * group;
  if (group == 1)
    {
      if (in->unit != NULL && !in->flat && in->n == inputs)
        {
          pare_channels_note (self, PARE_CUT_TENSOR, w->id, 1, transposed ? 0 : 1, 1, in);
          self->reads[w->id] = TRUE;
        }
      else
        pare_channels_veto (self, in, "its channels do not line up at '%s'", pare_channels_label (w->graph, w->id));
      produce (w, (guint)outputs, 1, s->rank);
      pare_channels_note (self, PARE_CUT_TENSOR, w->id, 1, transposed ? 1 : 0, 1, &self->made[w->id]);
    }
  else if (group == inputs && outputs % inputs == 0 && (!transposed || outputs == inputs))
    { /* depthwise: the outputs are the inputs, each `multiple` times */
      guint multiple = (guint)(outputs / inputs);
      if (in->unit == NULL || in->flat || in->n != inputs)
        { /* nothing is known in front: channels that nobody may remove */
          pare_channels_veto (self, in, "its channels do not line up at '%s'", pare_channels_label (w->graph, w->id));
          produce (w, (guint)outputs, 1, s->rank);
          pare_channels_veto (self, &self->made[w->id], "'%s' is depthwise on the model's input", pare_channels_label (w->graph, w->id));
          return;
        }
      PareChannelMap out = { g_new (guint32, outputs), (guint)outputs, 1, FALSE };
      for (guint i = 0; i < out.n; i++)
        out.unit[i] = in->unit[i / multiple];
      pare_channels_note (self, PARE_CUT_GROUP, w->id, 0, 0, 1, in);
      self->made[w->id] = pare_channels_copy_map (&out);
      pare_channels_note (self, PARE_CUT_TENSOR, w->id, 1, 0, 1, &out);
      pare_channels_set_map (self, w->node->outputs[0], out);
      w->rank[w->node->outputs[0]] = s->rank;
    }
  else
    {
      pare_channels_veto (self, in, "'%s' is a grouped convolution", pare_channels_label (w->graph, w->id));
      produce (w, (guint)outputs, 1, s->rank);
      pare_channels_veto (self, &self->made[w->id], "'%s' is a grouped convolution", pare_channels_label (w->graph, w->id));
      return;
    }
  note_bias (w, 2);
}

/* Gemm and MatMul with a constant on the right. */
static void
walk_matrix (Walk *w)
{
  PareChannels *self = w->self;
  gboolean gemm = pare_node_is (w->node, "Gemm"), trans = gemm && pare_node_get_int (w->node, "transB", 0) != 0;
  const PareChannelMap *in = pare_channels_map_of (self, w->node->inputs[0]);
  g_autoptr (PareTensor) t = NULL;
  const PareShape *s = w->node->n_inputs > 1 ? constant_shape (self, w->node->inputs[1], &t) : NULL;
  int rank = gemm || in->flat ? 2 : w->rank[w->node->inputs[0]];
  if (s == NULL || s->rank != 2 || pare_tensor_count (t) <= 0 || (gemm && pare_node_get_int (w->node, "transA", 0) != 0))
    {
      give_up (w, "it feeds, without constant weights on the right,");
      return;
    }
  gint64 inputs = s->dims[trans ? 1 : 0];
  if (in->unit != NULL && inputs % in->n == 0 && (in->flat || inputs == in->n) && in->axis == (rank < 0 ? -2 : rank - 1))
    {
      pare_channels_note (self, PARE_CUT_TENSOR, w->id, 1, trans ? 1 : 0, (guint)(inputs / in->n), in);
      self->reads[w->id] = TRUE;
    }
  else
    pare_channels_veto (self, in, "its channels do not line up at '%s'", pare_channels_label (w->graph, w->id));
  if (rank < 2)
    return;
  produce (w, (guint)s->dims[trans ? 0 : 1], rank - 1, rank);
  pare_channels_note (self, PARE_CUT_TENSOR, w->id, 1, trans ? 0 : 1, 1, &self->made[w->id]);
  if (gemm)
    note_bias (w, 2);
}

static void
pass (Walk *w, PareValueId from, PareValueId to)
{
  if (to == PARE_NONE)
    return;
  pare_channels_set_map (w->self, to, pare_channels_copy_map (pare_channels_map_of (w->self, from)));
  w->rank[to] = w->rank[from];
}

static void
walk_elementwise (Walk *w)
{
  PareChannels *self = w->self;
  PareValueId base = PARE_NONE;
  for (guint i = 0; i < w->node->n_inputs; i++) /* the operand with the most axes tells where the channels are */
    {
      PareValueId v = w->node->inputs[i];
      if (v != PARE_NONE && pare_channels_map_of (self, v)->unit != NULL
          && (base == PARE_NONE || pare_channels_map_of (self, v)->n > pare_channels_map_of (self, base)->n))
        base = v;
    }
  if (base == PARE_NONE)
    return;
  PareChannelMap map = pare_channels_copy_map (pare_channels_map_of (self, base));
  int rank = w->rank[base];
  for (guint i = 0; i < w->node->n_inputs; i++)
    {
      PareValueId v = w->node->inputs[i];
      const PareChannelMap *other = pare_channels_map_of (self, v);
      if (v == PARE_NONE || v == base)
        continue;
      if (other->unit != NULL && other->n == map.n && other->axis == map.axis && other->flat == map.flat && w->rank[v] == rank)
        for (guint c = 0; c < map.n; c++)
          pare_channels_unite (self, other->unit[c], map.unit[c]);
      else if (other->unit != NULL || !note_broadcast (self, w->id, i, &map, rank))
        {
          pare_channels_veto (self, other, "it meets other channels at '%s' (%s)", pare_channels_label (w->graph, w->id), w->node->op);
          pare_channels_veto (self, &map, "it meets other channels at '%s' (%s)", pare_channels_label (w->graph, w->id), w->node->op);
        }
    }
  pare_channels_set_map (self, w->node->outputs[0], map);
  w->rank[w->node->outputs[0]] = rank;
}

static void
walk_concat (Walk *w)
{
  PareChannels *self = w->self;
  guint total = 0;
  int axis = -1, rank = -1;
  gint64 want = pare_node_get_int (w->node, "axis", 1);
  for (guint i = 0; i < w->node->n_inputs; i++)
    {
      const PareChannelMap *in = pare_channels_map_of (self, w->node->inputs[i]);
      if (in->unit == NULL || in->flat)
        {
          give_up (w, "other inputs are not known at");
          return;
        }
      axis = in->axis;
      rank = w->rank[w->node->inputs[i]];
      total += in->n;
    }
  if (want < 0)
    want += rank;
  PareChannelMap out = { NULL, 0, axis, FALSE };
  if (want == axis)
    {
      out.unit = g_new (guint32, total);
      for (guint i = 0; i < w->node->n_inputs; i++)
        {
          const PareChannelMap *in = pare_channels_map_of (self, w->node->inputs[i]);
          memcpy (out.unit + out.n, in->unit, in->n * sizeof *in->unit);
          out.n += in->n;
        }
    }
  else
    {
      out = pare_channels_copy_map (pare_channels_map_of (self, w->node->inputs[0]));
      for (guint i = 1; i < w->node->n_inputs; i++)
        {
          const PareChannelMap *in = pare_channels_map_of (self, w->node->inputs[i]);
          if (in->n != out.n)
            {
              g_free (out.unit);
              give_up (w, "channels do not line up at");
              return;
            }
          for (guint c = 0; c < out.n; c++)
            pare_channels_unite (self, in->unit[c], out.unit[c]);
        }
    }
  pare_channels_set_map (self, w->node->outputs[0], out);
  w->rank[w->node->outputs[0]] = rank;
}

static gint64 *
ints_of (Walk *w, const char *attr, guint input, guint *n)
{
  const gint64 *given = attr != NULL ? pare_node_get_ints (w->node, attr, n) : NULL;
  if (given != NULL)
    return g_memdup2 (given, *n * sizeof *given);
  *n = 0;
  if (input >= w->node->n_inputs || w->node->inputs[input] == PARE_NONE)
    return NULL;
  g_autoptr (PareTensor) t = pare_weights_materialize (w->graph, w->node->inputs[input]);
  gint64 count = t != NULL ? pare_tensor_count (t) : 0;
  if (count <= 0 || count > 64)
    return NULL;
  gint64 *out = g_new (gint64, count);
  for (gint64 i = 0; i < count; i++)
    out[i] = pare_tensor_get_int (t, (gsize)i);
  *n = (guint)count;
  return out;
}

/* A value's extents. Most files say no shapes between their layers: then they are inferred, once. NULL: not known. */
static const PareShape *
known_shape (Walk *w, PareValueId value)
{
  PareChannels *self = w->self;
  const PareShape *shape = &w->graph->values[value].shape;
  if (shape->rank >= 1 && pare_shape_count (shape) > 0)
    return shape;
  g_autoptr (PareGraph) twin = self->looked ? NULL : pare_graph_canonicalize (w->graph, NULL, 0, NULL, NULL);
  self->looked = TRUE;
  if (twin != NULL)
    self->shapes = g_memdup2 (twin->source_shapes, self->n_values * sizeof *self->shapes);
  return self->shapes != NULL && self->shapes[value].rank >= 1 ? &self->shapes[value] : NULL;
}

/* Elements of one sample; -1: not known. */
static gint64
sample_size (Walk *w, PareValueId value)
{
  const PareShape *shape = known_shape (w, value);
  gint64 size = 1;
  for (int i = 1; shape != NULL && i < shape->rank; i++)
    if (shape->dims[i] <= 0 || __builtin_mul_overflow (size, shape->dims[i], &size))
      return -1;
  return shape == NULL ? -1 : size;
}

/* [-1, ...]: do the other entries hold one sample, or do they cut samples into rows? What cannot be told is taken for the former. */
static gboolean
cuts_rows (Walk *w, const gint64 *target, guint n)
{
  gint64 size = sample_size (w, w->node->inputs[0]), rest = 1;
  for (guint i = 1; i < n; i++)
    if (target[i] <= 0 || __builtin_mul_overflow (rest, target[i], &rest))
      return FALSE;
  return size > 0 && size != rest;
}

/* (transfer full) A target that is put together when the model runs, as files with an open batch have it: a Concat, perhaps between Casts,
 * of one entry that is computed (-1 here, as it is for a Reshape) and constants. NULL: it is none, or others read it. */
static gint64 *
built_target (Walk *w, guint *n)
{
  const PareGraph *g = w->graph;
  if (w->node->n_inputs < 2 || w->node->inputs[1] == PARE_NONE)
    return NULL;
  PareValueId value = w->node->inputs[1];
  g_autoptr (PareConsumers) readers = pare_graph_consumers (g);
  for (PareNodeId id; (id = g->values[value].producer) != PARE_NONE;)
    {
      const PareNode *made = &g->nodes[id];
      if (readers->starts[value + 1] - readers->starts[value] != 1)
        return NULL;
      if (pare_node_is (made, "Cast"))
        {
          value = made->inputs[0];
          continue;
        }
      if (!pare_node_is (made, "Concat"))
        return NULL;
      g_autofree gint64 *target = g_new (gint64, PARE_MAX_RANK);
      *n = 0;
      for (guint i = 0; i < made->n_inputs; i++)
        {
          g_autoptr (PareTensor) t = pare_weights_materialize (g, made->inputs[i]);
          const PareShape *s = t != NULL ? &t->shape : known_shape (w, made->inputs[i]);
          gint64 count = s != NULL && s->rank == 1 ? s->dims[0] : -1;
          if (count < 1 || *n + count > PARE_MAX_RANK || (t == NULL && (count != 1 || i > 0)))
            return NULL;
          for (int k = 0; k < count; k++, ++*n)
            {
              target[*n] = t != NULL ? pare_tensor_get_int (t, (gsize)k) : -1;
              w->input[*n] = i;
              w->at[*n] = k;
            }
        }
      w->built = id;
      return g_steal_pointer (&target);
    }
  return NULL;
}

/* An entry of the target goes with channels. */
static void
note_target (Walk *w, int entry, guint repeat, const PareChannelMap *map)
{
  if (w->built == PARE_NONE)
    pare_channels_note (w->self, PARE_CUT_SHAPE, w->id, 1, entry, repeat, map);
  else
    pare_channels_note (w->self, PARE_CUT_SHAPE, w->built, w->input[entry], w->at[entry], repeat, map);
}

/* Channels that come last, as TensorFlow has them: flattened into [batch, everything else] every position has all of them again; where the
 * last extent stays, whatever lies in front of it may be arranged anew. FALSE: neither, or not known. */
static gboolean
reshape_last (Walk *w, const gint64 *shape, guint n, PareChannelMap *map)
{
  const PareChannelMap *in = pare_channels_map_of (w->self, w->node->inputs[0]);
  int rank = w->rank[w->node->inputs[0]];
  if (shape == NULL || in->flat || rank < 2 || in->axis != rank - 1 || n < 1)
    return FALSE;
  gint64 last = shape[n - 1];
  if (last == in->n && (rank > 2 || n > 2)) /* [batch, channels] of as many is no flattening either, but the rule below has it, too */
    {
      *map = pare_channels_copy_map (in);
      map->axis = (int)n - 1;
      note_target (w, map->axis, 1, in);
      return TRUE;
    }
  if (n != 2 || (shape[0] != 0 && shape[0] != 1 && shape[0] != -1))
    return FALSE;
  gint64 size = sample_size (w, w->node->inputs[0]);
  if (size < (gint64)in->n || size % in->n != 0 || size > MAX_UNITS || (last != -1 && last != size) || (last == -1 && shape[0] == -1))
    return FALSE;
  *map = (PareChannelMap){ g_new (guint32, size), (guint)size, 1, FALSE };
  for (guint i = 0; i < map->n; i++)
    map->unit[i] = in->unit[i % in->n];
  if (last > 0)
    note_target (w, 1, 1, map);
  return TRUE;
}

static void
walk_reshape (Walk *w)
{
  PareChannels *self = w->self;
  const PareChannelMap *in = pare_channels_map_of (self, w->node->inputs[0]);
  PareValueId out = w->node->outputs[0];
  int rank = w->rank[w->node->inputs[0]];
  if (in->unit == NULL)
    return;
  guint n;
  g_autofree gint64 *shape = ints_of (w, "shape", 1, &n);
  if (shape == NULL)
    shape = built_target (w, &n);
  PareChannelMap map;
  if (reshape_last (w, shape, n, &map))
    {
      pare_channels_set_map (self, out, map);
      w->rank[out] = (int)n;
      return;
    }
  map = pare_channels_copy_map (in);
  gboolean ok = shape != NULL && in->axis == 1 && n >= 2 && (shape[0] == 0 || shape[0] == 1 || shape[0] == -1) && rank >= 2
                && !(shape[0] == -1 && cuts_rows (w, shape, n));
  if (ok && n == 2)
    { /* [batch, everything else], channel-major */
      map.flat = TRUE;
      ok = shape[1] == -1 || (shape[1] > 0 && shape[1] % in->n == 0);
      if (ok && shape[1] > 0)
        note_target (w, 1, (guint)(shape[1] / in->n), in);
    }
  else if (ok)
    {
      ok = !in->flat && (shape[1] == 0 || shape[1] == in->n) && !(shape[0] == -1 && shape[1] == -1);
      if (ok && shape[1] == in->n)
        note_target (w, 1, 1, in);
    }
  if (!ok)
    {
      g_free (map.unit);
      give_up (w, "its channels are rearranged by");
      return;
    }
  pare_channels_set_map (self, out, map);
  w->rank[out] = (int)n;
}

static void
walk_flatten (Walk *w)
{
  const PareChannelMap *in = pare_channels_map_of (w->self, w->node->inputs[0]);
  if (in->unit == NULL)
    return;
  const gint64 as_reshape[2] = { 0, -1 };
  PareChannelMap map;
  if (pare_node_get_int (w->node, "axis", 1) == 1 && in->axis > 1 && reshape_last (w, as_reshape, 2, &map))
    {
      pare_channels_set_map (w->self, w->node->outputs[0], map);
      w->rank[w->node->outputs[0]] = 2;
      return;
    }
  if (pare_node_get_int (w->node, "axis", 1) != 1 || in->axis != 1)
    {
      give_up (w, "its channels are rearranged by");
      return;
    }
  map = pare_channels_copy_map (in);
  map.flat = in->flat || w->rank[w->node->inputs[0]] != 2;
  pare_channels_set_map (w->self, w->node->outputs[0], map);
  w->rank[w->node->outputs[0]] = 2;
}

static void
walk_pad (Walk *w)
{
  PareChannels *self = w->self;
  const PareChannelMap *in = pare_channels_map_of (self, w->node->inputs[0]);
  if (in->unit == NULL)
    return;
  guint n;
  g_autofree gint64 *pads = ints_of (w, "pads", 1, &n);
  g_autofree char *mode = pare_node_dup_string (w->node, "mode");
  int rank = w->rank[w->node->inputs[0]];
  if (pads == NULL || in->flat || rank < 0 || n != 2 * (guint)rank || (mode != NULL && !g_str_equal (mode, "constant"))
      || (w->node->n_inputs > 3 && w->node->inputs[3] != PARE_NONE))
    {
      give_up (w, "its channels are padded in an unusual way by");
      return;
    }
  gint64 before = pads[in->axis], after = pads[in->axis + rank];
  if (before < 0 || after < 0 || before > MAX_UNITS / 4 || after > MAX_UNITS / 4)
    {
      give_up (w, "its channels are cropped by");
      return;
    }
  PareChannelMap map = pare_channels_copy_map (in);
  if (before + after > 0)
    {
      PareChannelMap extra;
      if (!pare_channels_fresh (self, (guint)(before + after), in->axis, &extra))
        {
          g_free (map.unit);
          give_up (w, "too many channels at");
          return;
        }
      map.n = in->n + extra.n;
      map.unit = g_renew (guint32, map.unit, map.n);
      memmove (map.unit + before, map.unit, in->n * sizeof *map.unit);
      memcpy (map.unit, extra.unit, (gsize)before * sizeof *map.unit);
      memcpy (map.unit + before + in->n, extra.unit + before, (gsize)after * sizeof *map.unit);
      g_free (extra.unit);
      /* the whole output; which of it was there is told by the pads that are rewritten */
      pare_channels_note (self, PARE_CUT_PADS, w->id, 1, in->axis, 1, &map);
      PareCut *cut = &g_array_index (self->cuts, PareCut, self->cuts->len - 1);
      cut->before = (guint)before;
      cut->middle = in->n;
    }
  pare_channels_set_map (self, w->node->outputs[0], map);
  w->rank[w->node->outputs[0]] = rank;
}

static void
walk_slice (Walk *w)
{
  PareChannels *self = w->self;
  const PareChannelMap *in = pare_channels_map_of (self, w->node->inputs[0]);
  int rank = w->rank[w->node->inputs[0]];
  if (in->unit == NULL)
    return;
  guint ns, ne, na, nt;
  g_autofree gint64 *starts = ints_of (w, "starts", 1, &ns), *ends = ints_of (w, "ends", 2, &ne), *axes = ints_of (w, "axes", 3, &na),
                    *steps = ints_of (w, NULL, 4, &nt);
  gboolean ok
      = starts != NULL && ends != NULL && ns == ne && (axes == NULL || na == ns) && (steps == NULL || nt == ns) && rank >= 0 && !in->flat;
  for (guint i = 0; ok && i < ns; i++)
    {
      gint64 axis = axes != NULL ? axes[i] : i;
      axis += axis < 0 ? rank : 0;
      if (axis != in->axis)
        continue;
      ok = starts[i] == 0 && ends[i] >= (gint64)in->n && (steps == NULL || steps[i] == 1); /* only a slice of everything */
    }
  if (!ok)
    {
      give_up (w, "its channels are cut by");
      return;
    }
  pass (w, w->node->inputs[0], w->node->outputs[0]);
}

static void
walk_batch_norm (Walk *w)
{
  const PareChannelMap *in = pare_channels_map_of (w->self, w->node->inputs[0]);
  guint last = pare_node_is (w->node, "BatchNormalization") ? 5 : 3;
  if (in->unit == NULL)
    return;
  for (guint i = 1; i < last && i < w->node->n_inputs; i++)
    {
      g_autoptr (PareTensor) t = NULL;
      const PareShape *s = constant_shape (w->self, w->node->inputs[i], &t);
      if (s == NULL || s->rank != 1 || s->dims[0] != in->n || in->flat || in->axis != 1)
        {
          give_up (w, "its parameters are not constant at");
          return;
        }
      pare_channels_note (w->self, PARE_CUT_TENSOR, w->id, i, 0, 1, in);
    }
  pass (w, w->node->inputs[0], w->node->outputs[0]);
}

static void
walk_reduce (Walk *w)
{
  const PareChannelMap *in = pare_channels_map_of (w->self, w->node->inputs[0]);
  int rank = w->rank[w->node->inputs[0]];
  guint n;
  g_autofree gint64 *axes = ints_of (w, "axes", 1, &n);
  if (in->unit == NULL)
    return;
  int before = 0;
  gboolean ok = axes != NULL && rank > 0 && !in->flat;
  for (guint i = 0; ok && i < n; i++)
    {
      gint64 axis = axes[i] < 0 ? axes[i] + rank : axes[i];
      ok = axis != in->axis;
      before += axis < in->axis;
    }
  if (!ok)
    {
      give_up (w, "its channels are summed by");
      return;
    }
  pass (w, w->node->inputs[0], w->node->outputs[0]);
  if (pare_node_get_int (w->node, "keepdims", 1) == 0)
    {
      pare_channels_map_of (w->self, w->node->outputs[0])->axis -= before;
      w->rank[w->node->outputs[0]] = rank - (int)n;
    }
}

static void
walk_transpose (Walk *w)
{
  const PareChannelMap *in = pare_channels_map_of (w->self, w->node->inputs[0]);
  int rank = w->rank[w->node->inputs[0]];
  guint n;
  const gint64 *perm = pare_node_get_ints (w->node, "perm", &n);
  if (in->unit == NULL)
    return;
  if (perm == NULL || rank < 0 || n != (guint)rank || in->flat)
    {
      give_up (w, "its axes are turned by");
      return;
    }
  pass (w, w->node->inputs[0], w->node->outputs[0]);
  for (int i = 0; i < rank; i++)
    if (perm[i] == in->axis)
      pare_channels_map_of (w->self, w->node->outputs[0])->axis = i;
}

/* Squeeze and Unsqueeze: axes of one go or come, the channels stay. */
static void
walk_squeeze (Walk *w, gboolean adds)
{
  const PareChannelMap *in = pare_channels_map_of (w->self, w->node->inputs[0]);
  int rank = w->rank[w->node->inputs[0]], at = 0;
  guint n;
  g_autofree gint64 *axes = ints_of (w, "axes", 1, &n);
  if (in->unit == NULL)
    return;
  int all = rank + (adds ? (int)n : 0), axis = -1;
  guint64 named = 0; /* a bit for each axis */
  gboolean ok = axes != NULL && rank > 0 && !in->flat && all <= PARE_MAX_RANK;
  for (guint i = 0; ok && i < n; i++)
    {
      gint64 a = axes[i] < 0 ? axes[i] + all : axes[i];
      ok = a >= 0 && a < all && (adds || a != in->axis) && !(named >> a & 1);
      named |= ok ? (guint64)1 << a : 0;
    }
  for (int a = 0; ok && a < all; a++) /* `at` counts the axes that are there on the other side, too */
    if (!(named >> a & 1))
      {
        if (adds ? at == in->axis : a == in->axis)
          axis = adds ? a : at;
        at++;
      }
  if (!ok || axis < 0)
    {
      give_up (w, "its axes are told apart by");
      return;
    }
  pass (w, w->node->inputs[0], w->node->outputs[0]);
  pare_channels_map_of (w->self, w->node->outputs[0])->axis = axis;
  w->rank[w->node->outputs[0]] = adds ? all : rank - (int)n;
}

static void
walk_resize (Walk *w)
{
  const PareChannelMap *in = pare_channels_map_of (w->self, w->node->inputs[0]);
  if (in->unit == NULL)
    return;
  if (w->node->n_inputs > 3 && w->node->inputs[3] != PARE_NONE)
    {
      guint n;
      g_autofree gint64 *sizes = ints_of (w, NULL, 3, &n);
      if (sizes == NULL || in->axis < 0 || (guint)in->axis >= n || sizes[in->axis] != in->n)
        {
          give_up (w, "its channels are resized by");
          return;
        }
      pare_channels_note (w->self, PARE_CUT_SIZES, w->id, 3, in->axis, 1, in);
    }
  pass (w, w->node->inputs[0], w->node->outputs[0]);
}

static void
walk_node (Walk *w)
{
  static const char *const passing[] = { "Relu",
                                         "LeakyRelu",
                                         "Clip",
                                         "Sigmoid",
                                         "Tanh",
                                         "Elu",
                                         "Selu",
                                         "HardSigmoid",
                                         "HardSwish",
                                         "Softplus",
                                         "Erf",
                                         "Gelu",
                                         "Identity",
                                         "Dropout",
                                         "MaxPool",
                                         "AveragePool",
                                         "Cast",
                                         "Neg",
                                         "Abs",
                                         "Exp",
                                         "Sqrt",
                                         "GlobalMaxPool",
                                         "GlobalAveragePool",
                                         "LpPool",
                                         "GlobalLpPool",
                                         "Mish",
                                         "ThresholdedRelu",
                                         "Softsign",
                                         "Reciprocal",
                                         "Log",
                                         NULL };
  static const char *const elementwise[] = { "Add", "Sub", "Mul", "Div", "Sum", "Max", "Min", "Mean", "PRelu", "Pow", NULL };
  static const char *const reducing[] = { "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2", NULL };
  const PareNode *node = w->node;
  gboolean plain = node->domain == NULL || node->domain[0] == '\0';
  if (node->n_outputs == 0 || node->outputs[0] == PARE_NONE)
    return;
  if (node->n_inputs == 0 || pare_node_is (node, "Constant") || pare_node_is (node, "Shape"))
    return; /* Shape: sizes are told at run time */
  if (pare_node_is (node, "Conv") || pare_node_is (node, "ConvTranspose"))
    walk_conv (w, pare_node_is (node, "ConvTranspose"));
  else if (pare_node_is (node, "Gemm") || pare_node_is (node, "MatMul"))
    walk_matrix (w);
  else if (plain && g_strv_contains (passing, node->op))
    pass (w, node->inputs[0], node->outputs[0]);
  else if (plain && g_strv_contains (elementwise, node->op))
    walk_elementwise (w);
  else if (pare_node_is (node, "Concat"))
    walk_concat (w);
  else if (pare_node_is (node, "Reshape"))
    walk_reshape (w);
  else if (pare_node_is (node, "Flatten"))
    walk_flatten (w);
  else if (pare_node_is (node, "Pad"))
    walk_pad (w);
  else if (pare_node_is (node, "Slice"))
    walk_slice (w);
  else if (pare_node_is (node, "BatchNormalization") || pare_node_is (node, "InstanceNormalization"))
    walk_batch_norm (w);
  else if (plain && g_strv_contains (reducing, node->op))
    walk_reduce (w);
  else if (pare_node_is (node, "Transpose"))
    walk_transpose (w);
  else if (pare_node_is (node, "Squeeze") || pare_node_is (node, "Unsqueeze"))
    walk_squeeze (w, pare_node_is (node, "Unsqueeze"));
  else if (pare_node_is (node, "Resize") || pare_node_is (node, "Upsample"))
    walk_resize (w);
  else
    give_up (w, "it feeds");
}

void
pare_channels_walk (PareChannels *self, PareNodeId id, int *rank)
{
  Walk w = { .self = self, .graph = self->graph, .node = &self->graph->nodes[id], .id = id, .rank = rank, .built = PARE_NONE };
  walk_node (&w);
}
