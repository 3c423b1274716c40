/* Shapes of operators that move, select, join and reduce. */
#include "engine/graph/pare-graph-private.h"

#include <math.h>
#include <string.h>

static gboolean
reshape (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0);
  PareDtype dtype = pare_infer_dtype (c, 0);
  guint n;
  g_autofree gint64 *want = pare_node_input_ints (c->graph, c->node, 1, &n);
  if (want == NULL)
    {
      const PareShape *s = pare_infer_shape (c, 1);
      PareShape y = { .rank = s->rank == 1 && s->dims[0] >= 0 && s->dims[0] <= PARE_MAX_RANK ? (int)s->dims[0] : -1 };
      for (int i = 0; i < y.rank; i++)
        y.dims[i] = -1;
      return pare_infer_set (c, 0, dtype, &y);
    }
  if (n > PARE_MAX_RANK)
    return pare_infer_fail (c, "reshape to %u dimensions, at most %d are supported", n, PARE_MAX_RANK);
  gboolean keep_zero = pare_node_get_int (c->node, "allowzero", 0) != 0;
  PareShape y = { .rank = (int)n };
  gint64 known = 1, total = pare_shape_count (x);
  int rest = -1;
  gboolean sure = TRUE;
  for (int i = 0; i < y.rank; i++)
    {
      gint64 d = want[i];
      if (d == 0 && !keep_zero)
        {
          if (x->rank >= 0 && i >= x->rank)
            return pare_infer_fail (c, "extent %d is to be kept, the input has %d dimensions", i, x->rank);
          d = x->rank >= 0 ? x->dims[i] : -2;
        }
      else if (d == -1)
        {
          if (rest >= 0)
            return pare_infer_fail (c, "two extents of its shape are -1");
          rest = i;
          y.dims[i] = -1;
          continue;
        }
      else if (d < 0)
        return pare_infer_fail (c, "reshape to an extent of %" G_GINT64_FORMAT, d);
      if (d < 0)
        sure = FALSE;
      else if (__builtin_mul_overflow (known, d, &known))
        return pare_infer_fail (c, "reshape to more than any memory");
      y.dims[i] = MAX (d, -1);
    }
  if (sure && total >= 0)
    {
      if (rest >= 0 ? known == 0 ? total != 0 : total % known != 0 : known != total)
        {
          g_autofree char *s = pare_shape_to_string (x), *t = pare_shape_to_string (&y);
          return pare_infer_fail (c, "%s does not reshape to %s", s, t);
        }
      if (rest >= 0)
        y.dims[rest] = known == 0 ? 0 : total / known;
    }
  return pare_infer_set (c, 0, dtype, &y);
}

static gboolean
transpose (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0);
  guint n;
  const gint64 *perm = pare_node_get_ints (c->node, "perm", &n);
  PareShape y = { .rank = x->rank };
  guint seen = 0;
  if (perm != NULL && x->rank >= 0 && (int)n != x->rank)
    return pare_infer_fail (c, "perm has %u entries for an input with %d dimensions", n, x->rank);
  for (int i = 0; i < x->rank; i++)
    {
      int from = x->rank - 1 - i;
      if (perm != NULL && !pare_infer_axis (c, perm[i], x->rank, &from))
        return FALSE;
      if (seen >> from & 1)
        return pare_infer_fail (c, "perm names axis %d twice", from);
      seen |= 1u << from;
      y.dims[i] = x->dims[from];
    }
  return pare_infer_set (c, 0, pare_infer_dtype (c, 0), &y);
}

static gboolean
flatten (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0);
  gint64 axis = pare_node_get_int (c->node, "axis", 1);
  PareShape y = { .rank = 2, .dims = { -1, -1 } };
  if (x->rank >= 0)
    {
      if (axis < -x->rank || axis > x->rank)
        return pare_infer_fail (c, "axis %" G_GINT64_FORMAT " of a tensor with %d dimensions", axis, x->rank);
      int cut = (int)(axis < 0 ? axis + x->rank : axis);
      PareShape a = { .rank = cut }, b = { .rank = x->rank - cut };
      memcpy (a.dims, x->dims, cut * sizeof *a.dims);
      memcpy (b.dims, x->dims + cut, b.rank * sizeof *b.dims);
      y.dims[0] = pare_shape_count (&a);
      y.dims[1] = pare_shape_count (&b);
    }
  return pare_infer_set (c, 0, pare_infer_dtype (c, 0), &y);
}

static gboolean
squeeze (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0);
  PareDtype dtype = pare_infer_dtype (c, 0);
  gboolean given = pare_node_input (c->graph, c->node, 1) != NULL;
  guint n, drop = 0;
  g_autofree gint64 *axes = pare_node_input_ints (c->graph, c->node, 1, &n);
  if (x->rank < 0 || (given && axes == NULL))
    return pare_infer_set (c, 0, dtype, NULL);
  for (guint i = 0; i < n; i++)
    {
      int axis;
      if (!pare_infer_axis (c, axes[i], x->rank, &axis))
        return FALSE;
      if (x->dims[axis] >= 0 && x->dims[axis] != 1)
        return pare_infer_fail (c, "axis %d has extent %" G_GINT64_FORMAT ", only 1 can be dropped", axis, (gint64)x->dims[axis]);
      drop |= 1u << axis;
    }
  PareShape y = { .rank = 0 };
  for (int i = 0; i < x->rank; i++)
    {
      if (!given && x->dims[i] < 0)
        return pare_infer_set (c, 0, dtype, NULL);
      if (given ? !(drop >> i & 1) : x->dims[i] != 1)
        y.dims[y.rank++] = x->dims[i];
    }
  return pare_infer_set (c, 0, dtype, &y);
}

static gboolean
unsqueeze (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0);
  PareDtype dtype = pare_infer_dtype (c, 0);
  guint n, mark = 0;
  g_autofree gint64 *axes = pare_node_input_ints (c->graph, c->node, 1, &n);
  if (x->rank < 0 || axes == NULL)
    return pare_infer_set (c, 0, dtype, NULL);
  if (n > PARE_MAX_RANK || x->rank + (int)n > PARE_MAX_RANK)
    return pare_infer_fail (c, "more than %d dimensions", PARE_MAX_RANK);
  int rank = x->rank + (int)n, from = 0;
  for (guint i = 0; i < n; i++)
    {
      int axis;
      if (!pare_infer_axis (c, axes[i], rank, &axis))
        return FALSE;
      if (mark >> axis & 1)
        return pare_infer_fail (c, "axis %d is given twice", axis);
      mark |= 1u << axis;
    }
  PareShape y = { .rank = rank };
  for (int i = 0; i < rank; i++)
    y.dims[i] = mark >> i & 1 ? 1 : x->dims[from++];
  return pare_infer_set (c, 0, dtype, &y);
}

static gboolean
concat (PareInfer *c)
{
  PareShape y = *pare_infer_shape (c, 0);
  PareDtype dtype = pare_infer_dtype (c, 0);
  int axis;
  for (guint i = 0; i < c->node->n_inputs; i++)
    if (pare_infer_shape (c, i)->rank < 0)
      return pare_infer_set (c, 0, dtype, NULL);
  if (c->node->n_inputs == 0 || !pare_infer_axis (c, pare_node_get_int (c->node, "axis", 0), y.rank, &axis))
    return c->node->n_inputs == 0 ? pare_infer_fail (c, "no inputs") : FALSE;
  for (guint i = 1; i < c->node->n_inputs; i++)
    {
      const PareShape *s = pare_infer_shape (c, i);
      gboolean fits = s->rank == y.rank;
      for (int k = 0; fits && k < y.rank; k++)
        if (k == axis)
          {
            if (s->dims[k] < 0 || y.dims[k] < 0)
              y.dims[k] = -1;
            else if (__builtin_add_overflow (y.dims[k], s->dims[k], &y.dims[k]))
              return pare_infer_fail (c, "its output is beyond any memory");
          }
        else if (y.dims[k] < 0)
          y.dims[k] = s->dims[k];
        else
          fits = s->dims[k] < 0 || s->dims[k] == y.dims[k];
      if (!fits)
        {
          g_autofree char *a = pare_shape_to_string (pare_infer_shape (c, 0)), *b = pare_shape_to_string (s);
          return pare_infer_fail (c, "%s and %s do not join along axis %d", a, b, axis);
        }
    }
  return pare_infer_set (c, 0, dtype, &y);
}

static gboolean
slice (PareInfer *c)
{
  PareShape y = *pare_infer_shape (c, 0);
  PareDtype dtype = pare_infer_dtype (c, 0);
  if (y.rank < 0)
    return pare_infer_set (c, 0, dtype, NULL);
  guint n_starts, n_ends, n_axes, n_steps;
  g_autofree gint64 *starts = pare_node_input_ints (c->graph, c->node, 1, &n_starts),
                    *ends = pare_node_input_ints (c->graph, c->node, 2, &n_ends);
  g_autofree gint64 *axes = pare_node_input_ints (c->graph, c->node, 3, &n_axes),
                    *steps = pare_node_input_ints (c->graph, c->node, 4, &n_steps);
  gboolean axes_known = axes != NULL || pare_node_input (c->graph, c->node, 3) == NULL;
  gboolean known = axes_known && starts != NULL && ends != NULL && (steps != NULL || pare_node_input (c->graph, c->node, 4) == NULL);
  guint n = axes != NULL ? n_axes
            : known      ? n_starts
                         : (guint)(pare_infer_shape (c, 1)->rank == 1 ? MAX (0, pare_infer_shape (c, 1)->dims[0]) : y.rank);
  if (known && (n_starts != n_ends || (axes != NULL && n_axes != n_starts) || (steps != NULL && n_steps != n_starts)))
    return pare_infer_fail (c, "starts, ends, axes and steps have different lengths");
  for (guint i = 0; i < MIN (n, 64); i++)
    {
      int axis;
      if (!axes_known)
        {
          for (int k = 0; k < y.rank; k++)
            y.dims[k] = -1;
          break;
        }
      if (!pare_infer_axis (c, axes ? axes[i] : (gint64)i, y.rank, &axis))
        return FALSE;
      gint64 extent = y.dims[axis], step = steps ? steps[i] : 1;
      if (known && step == 0)
        return pare_infer_fail (c, "a step of 0");
      if (!known || extent < 0)
        {
          y.dims[axis] = -1;
          continue;
        }
      gint64 s = starts[i], e = ends[i];
      step = CLAMP (step, -G_MAXINT32, G_MAXINT32);
      s = s < 0 ? (s < -extent ? -1 : s + extent) : s;
      e = e < 0 ? (e < -extent ? -1 : e + extent) : e;
      if (step > 0)
        {
          s = CLAMP (s, 0, extent);
          e = CLAMP (e, 0, extent);
          y.dims[axis] = e > s ? (e - s - 1) / step + 1 : 0;
        }
      else
        {
          s = starts[i] < 0 && starts[i] < -extent ? 0 : CLAMP (s, 0, MAX (0, extent - 1));
          e = CLAMP (e, -1, extent - 1);
          y.dims[axis] = s > e && extent > 0 ? (s - e - 1) / -step + 1 : 0;
        }
    }
  return pare_infer_set (c, 0, dtype, &y);
}

static gboolean
split (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0);
  PareDtype dtype = pare_infer_dtype (c, 0);
  guint n, outputs = c->node->n_outputs;
  g_autofree gint64 *sizes = pare_node_input_ints (c->graph, c->node, 1, &n);
  gboolean given = pare_node_input (c->graph, c->node, 1) != NULL;
  int axis = 0;
  if (x->rank >= 0 && !pare_infer_axis (c, pare_node_get_int (c->node, "axis", 0), x->rank, &axis))
    return FALSE;
  if (sizes != NULL && n != outputs)
    return pare_infer_fail (c, "%u sizes for %u outputs", n, outputs);
  gint64 extent = x->rank >= 0 ? x->dims[axis] : -1, part = extent >= 0 && outputs > 0 ? (extent + outputs - 1) / outputs : -1,
         left = extent;
  for (guint i = 0; i < outputs; i++)
    {
      PareShape y = *x;
      if (y.rank >= 0)
        y.dims[axis] = sizes ? sizes[i] : given || part < 0 ? -1 : MIN (part, left);
      if (sizes != NULL && (sizes[i] < 0 || (extent >= 0 && sizes[i] > left)))
        return pare_infer_fail (c, "a part of %" G_GINT64_FORMAT " of an extent of %" G_GINT64_FORMAT, sizes[i], extent);
      if (extent >= 0)
        left -= y.rank >= 0 ? MAX (0, y.dims[axis]) : 0;
      if (!pare_infer_set (c, i, dtype, &y))
        return FALSE;
    }
  if (sizes != NULL && extent >= 0 && left != 0)
    return pare_infer_fail (c, "its parts do not add up to the extent of %" G_GINT64_FORMAT, extent);
  return TRUE;
}

static gboolean
pad (PareInfer *c)
{
  PareShape y = *pare_infer_shape (c, 0);
  guint n, n_axes;
  g_autofree gint64 *pads = pare_node_input_ints (c->graph, c->node, 1, &n), *axes = pare_node_input_ints (c->graph, c->node, 3, &n_axes);
  gboolean axes_given = pare_node_input (c->graph, c->node, 3) != NULL;
  gboolean known = pads != NULL && (axes != NULL || !axes_given);
  if (y.rank >= 0 && known && n != 2 * (axes ? n_axes : (guint)y.rank))
    return pare_infer_fail (c, "%u pads for an input with %d dimensions", n, y.rank);
  for (int i = 0; i < y.rank && !known; i++)
    y.dims[i] = -1;
  guint m = known && y.rank >= 0 ? n / 2 : 0;
  for (guint i = 0; i < m; i++)
    {
      int axis;
      if (!pare_infer_axis (c, axes ? axes[i] : (gint64)i, y.rank, &axis))
        return FALSE;
      gint64 d = y.dims[axis];
      if (d < 0)
        continue;
      if (__builtin_add_overflow (d, pads[i], &d) || __builtin_add_overflow (d, pads[i + m], &d) || d < 0)
        return pare_infer_fail (c, "pads of %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT " of an extent of %" G_GINT64_FORMAT, pads[i],
                                pads[i + m], (gint64)y.dims[axis]);
      y.dims[axis] = d;
    }
  return pare_infer_set (c, 0, pare_infer_dtype (c, 0), &y);
}

static gboolean
gather (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0), *k = pare_infer_shape (c, 1);
  PareDtype dtype = pare_infer_dtype (c, 0);
  if (x->rank < 0 || k->rank < 0)
    return pare_infer_set (c, 0, dtype, NULL);
  int axis;
  if (!pare_infer_axis (c, pare_node_get_int (c->node, "axis", 0), x->rank, &axis))
    return FALSE;
  if (x->rank - 1 + k->rank > PARE_MAX_RANK)
    return pare_infer_fail (c, "more than %d dimensions", PARE_MAX_RANK);
  PareShape y = { .rank = x->rank - 1 + k->rank };
  int at = 0;
  for (int i = 0; i < axis; i++)
    y.dims[at++] = x->dims[i];
  for (int i = 0; i < k->rank; i++)
    y.dims[at++] = k->dims[i];
  for (int i = axis + 1; i < x->rank; i++)
    y.dims[at++] = x->dims[i];
  return pare_infer_set (c, 0, dtype, &y);
}

static gboolean
gather_elements (PareInfer *c)
{
  return pare_infer_set (c, 0, pare_infer_dtype (c, 0), pare_infer_shape (c, 1));
}

static gboolean
gather_nd (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0), *k = pare_infer_shape (c, 1);
  PareDtype dtype = pare_infer_dtype (c, 0);
  gint64 batch = pare_node_get_int (c->node, "batch_dims", 0);
  if (x->rank < 0 || k->rank < 1 || k->dims[k->rank - 1] < 0)
    return pare_infer_set (c, 0, dtype, NULL);
  gint64 depth = k->dims[k->rank - 1];
  if (batch < 0 || batch > x->rank || depth > x->rank - batch || k->rank - 1 + x->rank - batch - depth > PARE_MAX_RANK)
    return pare_infer_fail (c, "indices of %" G_GINT64_FORMAT " entries for an input with %d dimensions", depth, x->rank);
  PareShape y = { .rank = 0 };
  for (int i = 0; i < k->rank - 1; i++)
    y.dims[y.rank++] = k->dims[i];
  for (int i = (int)(batch + depth); i < x->rank; i++)
    y.dims[y.rank++] = x->dims[i];
  return pare_infer_set (c, 0, dtype, &y);
}

/* A shape given as a constant input; FALSE with *known FALSE where it is not constant. */
static gboolean
shape_input (PareInfer *c, guint input, PareShape *s, gboolean *known)
{
  guint n;
  g_autofree gint64 *dims = pare_node_input_ints (c->graph, c->node, input, &n);
  *known = dims != NULL;
  s->rank = -1;
  if (dims == NULL)
    {
      const PareShape *k = pare_infer_shape (c, input);
      s->rank = k->rank == 1 && k->dims[0] >= 0 && k->dims[0] <= PARE_MAX_RANK ? (int)k->dims[0] : -1;
      for (int i = 0; i < s->rank; i++)
        s->dims[i] = -1;
      return TRUE;
    }
  if (n > PARE_MAX_RANK)
    return pare_infer_fail (c, "a shape of %u dimensions, at most %d are supported", n, PARE_MAX_RANK);
  s->rank = (int)n;
  for (guint i = 0; i < n; i++)
    if ((s->dims[i] = dims[i]) < 0)
      return pare_infer_fail (c, "a shape with an extent of %" G_GINT64_FORMAT, dims[i]);
  return TRUE;
}

static gboolean
expand (PareInfer *c)
{
  PareShape s, y;
  gboolean known;
  if (!shape_input (c, 1, &s, &known))
    return FALSE;
  if (!known)
    return pare_infer_set (c, 0, pare_infer_dtype (c, 0), NULL);
  return pare_infer_broadcast (c, pare_infer_shape (c, 0), &s, &y) && pare_infer_set (c, 0, pare_infer_dtype (c, 0), &y);
}

static gboolean
constant_of_shape (PareInfer *c)
{
  PareShape s;
  gboolean known;
  const PareAttr *value = pare_node_get_attr (c->node, "value");
  return shape_input (c, 0, &s, &known) && pare_infer_set (c, 0, value && value->tensor ? value->tensor->dtype : PARE_DTYPE_FLOAT32, &s);
}

static gboolean
tile (PareInfer *c)
{
  PareShape y = *pare_infer_shape (c, 0);
  guint n;
  g_autofree gint64 *times = pare_node_input_ints (c->graph, c->node, 1, &n);
  if (times != NULL && y.rank >= 0 && (int)n != y.rank)
    return pare_infer_fail (c, "%u repeats for an input with %d dimensions", n, y.rank);
  for (int i = 0; i < y.rank; i++)
    if (times == NULL)
      y.dims[i] = -1;
    else if (times[i] < 0 || (y.dims[i] >= 0 && __builtin_mul_overflow (y.dims[i], times[i], &y.dims[i])))
      return pare_infer_fail (c, "%" G_GINT64_FORMAT " repeats", times[i]);
  return pare_infer_set (c, 0, pare_infer_dtype (c, 0), &y);
}

gboolean
pare_node_get_resize_scale (const PareGraph *graph, const PareNode *node, float *scale)
{
  g_autofree char *policy = pare_node_dup_string (node, "keep_aspect_ratio_policy");
  gboolean larger = g_strcmp0 (policy, "not_smaller") == 0;
  const PareShape *x = &graph->values[node->inputs[0]].shape;
  guint n, n_axes;
  g_autofree gint64 *sizes = pare_node_input_ints (graph, node, 3, &n);
  const gint64 *axes = pare_node_get_ints (node, "axes", &n_axes);
  if (sizes == NULL || (!larger && g_strcmp0 (policy, "not_larger") != 0))
    return FALSE;
  gboolean any = FALSE;
  for (guint i = 0; i < n; i++)
    {
      gint64 axis = axes == NULL ? i : i < n_axes ? axes[i] + (axes[i] < 0 ? x->rank : 0) : -1;
      if (axis < 0 || axis >= x->rank || x->dims[axis] < 1)
        return FALSE;
      float own = (float)sizes[i] / (float)x->dims[axis];
      *scale = !any ? own : larger ? MAX (*scale, own) : MIN (*scale, own);
      any = TRUE;
    }
  return any;
}

static gboolean
resize (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0);
  PareDtype dtype = pare_infer_dtype (c, 0);
  if (x->rank < 0)
    return pare_infer_set (c, 0, dtype, NULL);
  PareShape y = *x;
  guint n_axes, n_sizes;
  const gint64 *axes = pare_node_get_ints (c->node, "axes", &n_axes);
  g_autofree gint64 *sizes = pare_node_input_ints (c->graph, c->node, 3, &n_sizes);
  PareTensor *scales = pare_node_input_constant (c->graph, c->node, 2);
  guint n = axes ? n_axes : (guint)x->rank;
  gboolean by_scale = scales != NULL && pare_tensor_count (scales) > 0;
  if (n > (guint)x->rank || (sizes != NULL && n_sizes != n) || (by_scale && pare_tensor_count (scales) != n))
    return pare_infer_fail (c, "its scales or sizes do not fit an input with %d dimensions", x->rank);
  g_autofree char *policy = pare_node_dup_string (c->node, "keep_aspect_ratio_policy");
  gboolean stretch = policy == NULL || strcmp (policy, "stretch") == 0;
  float kept = 0;
  gboolean keeps = pare_node_get_resize_scale (c->graph, c->node, &kept);
  for (guint i = 0; i < n; i++)
    {
      int axis;
      if (!pare_infer_axis (c, axes ? axes[i] : (gint64)i, x->rank, &axis))
        return FALSE;
      if (sizes != NULL && stretch)
        y.dims[axis] = sizes[i];
      else if (keeps)
        y.dims[axis] = (gint64)roundf (MIN (kept * (float)x->dims[axis], 1e12f));
      else if (by_scale && x->dims[axis] >= 0)
        {
          /* as floats: 5/12 of 12 are 5, which a double product of that float falls short of */
          float v = (float)pare_tensor_get_double (scales, i) * (float)x->dims[axis];
          if (!(v >= 0 && v < 1e12f))
            return pare_infer_fail (c, "an extent is scaled by %g", pare_tensor_get_double (scales, i));
          y.dims[axis] = (gint64)v;
        }
      else
        y.dims[axis] = -1;
      if (sizes != NULL && sizes[i] < 0)
        return pare_infer_fail (c, "an output extent of %" G_GINT64_FORMAT, sizes[i]);
    }
  return pare_infer_set (c, 0, dtype, &y);
}

static gboolean
depth_space (PareInfer *c)
{
  PareShape y = *pare_infer_shape (c, 0);
  gint64 b = pare_node_get_int (c->node, "blocksize", 0);
  if (b < 1 || b > 1 << 15 || (y.rank >= 0 && y.rank != 4))
    return pare_infer_fail (c, "a block of %" G_GINT64_FORMAT " on an input with %d dimensions", b, y.rank);
  gboolean to_space = pare_node_is (c->node, "DepthToSpace");
  if (y.rank == 4)
    for (int i = 1; i < 4; i++)
      {
        gboolean divide = to_space ? i == 1 : i > 1;
        gint64 by = i == 1 ? b * b : b;
        if (y.dims[i] < 0)
          continue;
        if (divide ? y.dims[i] % by != 0 : __builtin_mul_overflow (y.dims[i], by, &y.dims[i]))
          return pare_infer_fail (c, "an extent of %" G_GINT64_FORMAT " does not split into blocks of %" G_GINT64_FORMAT, (gint64)y.dims[i],
                                  by);
        if (divide)
          y.dims[i] /= by;
      }
  return pare_infer_set (c, 0, pare_infer_dtype (c, 0), &y);
}

static gboolean
shape_of (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0);
  PareShape y = { .rank = 1, .dims = { -1 } };
  if (x->rank >= 0)
    {
      gint64 start = pare_node_get_int (c->node, "start", 0), end = pare_node_get_int (c->node, "end", x->rank);
      start = CLAMP (start < 0 ? start + x->rank : start, 0, x->rank);
      end = CLAMP (end < 0 ? end + x->rank : end, 0, x->rank);
      y.dims[0] = MAX (0, end - start);
    }
  return pare_infer_set (c, 0, PARE_DTYPE_INT64, &y);
}

static gboolean
size_of (PareInfer *c)
{
  PareShape y = { .rank = 0 };
  return pare_infer_set (c, 0, PARE_DTYPE_INT64, &y);
}

static gboolean
range (PareInfer *c)
{
  PareTensor *a = pare_node_input_constant (c->graph, c->node, 0), *b = pare_node_input_constant (c->graph, c->node, 1),
             *d = pare_node_input_constant (c->graph, c->node, 2);
  PareShape y = { .rank = 1, .dims = { -1 } };
  if (a && b && d && pare_tensor_count (a) == 1 && pare_tensor_count (b) == 1 && pare_tensor_count (d) == 1)
    {
      double n = ceil ((pare_tensor_get_double (b, 0) - pare_tensor_get_double (a, 0)) / pare_tensor_get_double (d, 0));
      if (!(n < 1e15))
        return pare_infer_fail (c, "a range without an end");
      y.dims[0] = n > 0 ? (gint64)n : 0;
    }
  return pare_infer_set (c, 0, pare_infer_dtype (c, 0), &y);
}

static gboolean
reduce (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0);
  PareDtype dtype = pare_infer_dtype (c, 0);
  gboolean keep = pare_node_get_int (c->node, "keepdims", 1) != 0;
  guint n = 0, drop = 0;
  gboolean given = pare_node_input (c->graph, c->node, 1) != NULL;
  g_autofree gint64 *axes = pare_node_input_ints (c->graph, c->node, 1, &n);
  if (x->rank < 0 || (given && axes == NULL))
    return pare_infer_set (c, 0, dtype, NULL);
  for (guint i = 0; i < n; i++)
    {
      int axis;
      if (!pare_infer_axis (c, axes[i], x->rank, &axis))
        return FALSE;
      drop |= 1u << axis;
    }
  if (n == 0)
    drop = pare_node_get_int (c->node, "noop_with_empty_axes", 0) ? 0 : ~0u;
  PareShape y = { .rank = 0 };
  for (int i = 0; i < x->rank; i++)
    if (!(drop >> i & 1))
      y.dims[y.rank++] = x->dims[i];
    else if (keep)
      y.dims[y.rank++] = 1;
  return pare_infer_set (c, 0, dtype, &y);
}

static gboolean
arg (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0);
  PareShape y = { .rank = x->rank < 0 ? -1 : 0 };
  int axis = 0;
  if (x->rank >= 0 && !pare_infer_axis (c, pare_node_get_int (c->node, "axis", 0), x->rank, &axis))
    return FALSE;
  for (int i = 0; i < x->rank; i++)
    if (i != axis)
      y.dims[y.rank++] = x->dims[i];
    else if (pare_node_get_int (c->node, "keepdims", 1))
      y.dims[y.rank++] = 1;
  return pare_infer_set (c, 0, PARE_DTYPE_INT64, &y);
}

static gboolean
grid_sample (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0), *grid = pare_infer_shape (c, 1);
  PareShape y = { .rank = x->rank };
  if (x->rank < 0 || grid->rank < 0)
    return pare_infer_set (c, 0, pare_infer_dtype (c, 0), NULL);
  if (x->rank != grid->rank || x->rank < 3)
    return pare_infer_fail (c, "its grid has %d dimensions, its input %d", grid->rank, x->rank);
  for (int i = 0; i < y.rank; i++)
    y.dims[i] = i < 2 ? x->dims[i] : grid->dims[i - 1];
  return pare_infer_set (c, 0, pare_infer_dtype (c, 0), &y);
}

static gboolean
roi_align (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0), *boxes = pare_infer_shape (c, 1);
  PareShape y
      = { .rank = 4,
          .dims = { boxes->rank == 2 ? boxes->dims[0] : -1, x->rank == 4 ? x->dims[1] : -1,
                    MAX (pare_node_get_int (c->node, "output_height", 1), 0), MAX (pare_node_get_int (c->node, "output_width", 1), 0) } };
  return pare_infer_set (c, 0, pare_infer_dtype (c, 0), &y);
}

static gboolean
top_k (PareInfer *c)
{
  PareShape y = *pare_infer_shape (c, 0);
  guint n;
  g_autofree gint64 *k = pare_node_input_ints (c->graph, c->node, 1, &n);
  int axis = 0;
  if (y.rank >= 0 && !pare_infer_axis (c, pare_node_get_int (c->node, "axis", -1), y.rank, &axis))
    return FALSE;
  if (k != NULL && n == 1 && (k[0] < 0 || (y.rank >= 0 && y.dims[axis] >= 0 && k[0] > y.dims[axis])))
    return pare_infer_fail (c, "the first %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT, k[0], (gint64)(y.rank >= 0 ? y.dims[axis] : -1));
  if (y.rank >= 0)
    y.dims[axis] = k != NULL && n == 1 ? k[0] : -1;
  return pare_infer_set (c, 0, pare_infer_dtype (c, 0), &y) && pare_infer_set (c, 1, PARE_DTYPE_INT64, &y);
}

static gboolean
one_hot (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0);
  PareDtype dtype = pare_infer_dtype (c, 2);
  guint n;
  g_autofree gint64 *depth = pare_node_input_ints (c->graph, c->node, 1, &n);
  int axis;
  if (x->rank < 0)
    return pare_infer_set (c, 0, dtype, NULL);
  if (x->rank + 1 > PARE_MAX_RANK || !pare_infer_axis (c, pare_node_get_int (c->node, "axis", -1), x->rank + 1, &axis))
    return pare_infer_fail (c, "more than %d dimensions", PARE_MAX_RANK);
  PareShape y = { .rank = x->rank + 1 };
  for (int i = 0, from = 0; i < y.rank; i++)
    y.dims[i] = i == axis ? (depth && n == 1 && depth[0] >= 0 ? depth[0] : -1) : x->dims[from++];
  return pare_infer_set (c, 0, dtype, &y);
}

static gboolean
non_zero (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0);
  PareShape y = { .rank = 2, .dims = { x->rank < 0 ? -1 : MAX (x->rank, 1), -1 } };
  return pare_infer_set (c, 0, PARE_DTYPE_INT64, &y);
}

/* Along one axis, or of all elements in a row. */
static gboolean
compress (PareInfer *c)
{
  PareShape y = *pare_infer_shape (c, 0);
  int axis = 0;
  if (pare_node_get_attr (c->node, "axis") == NULL)
    y.rank = 1;
  else if (y.rank >= 0 && !pare_infer_axis (c, pare_node_get_int (c->node, "axis", 0), y.rank, &axis))
    return FALSE;
  if (y.rank > 0)
    y.dims[axis] = -1;
  return pare_infer_set (c, 0, pare_infer_dtype (c, 0), &y);
}

static gboolean
unique (PareInfer *c)
{
  PareShape list = { .rank = 1, .dims = { -1 } };
  if (!compress (c)) /* as many of an axis, or of all elements */
    return FALSE;
  for (guint i = 1; i < 4; i++)
    if (!pare_infer_set (c, i, PARE_DTYPE_INT64, &list))
      return FALSE;
  return TRUE;
}

static gboolean
boxes (PareInfer *c)
{
  PareShape y = { .rank = 2, .dims = { -1, 3 } };
  return pare_infer_set (c, 0, PARE_DTYPE_INT64, &y);
}

static gboolean
constant (PareInfer *c)
{
  const PareAttr *a = pare_node_get_attr (c->node, "value");
  return a == NULL || a->tensor == NULL || pare_infer_set (c, 0, a->tensor->dtype, &a->tensor->shape);
}

static gboolean
eye_like (PareInfer *c)
{
  gint64 dtype = pare_node_get_int (c->node, "dtype", 0);
  return pare_infer_set (c, 0, dtype ? (PareDtype)dtype : pare_infer_dtype (c, 0), pare_infer_shape (c, 0));
}

#define R(op)                                                                                                                              \
  {                                                                                                                                        \
    "", op, reduce                                                                                                                         \
  }
const PareInferRule pare_infer_rules_move[] = {
  { "", "Reshape", reshape, PARE_NEEDS (2) },
  { "", "Transpose", transpose },
  { "", "Flatten", flatten },
  { "", "Squeeze", squeeze },
  { "", "Unsqueeze", unsqueeze, PARE_NEEDS (2) },
  { "", "Concat", concat },
  { "", "Slice", slice, PARE_NEEDS (3) },
  { "", "Split", split },
  { "", "Pad", pad, PARE_NEEDS (2) },
  { "", "Gather", gather, PARE_NEEDS (2) },
  { "", "GatherElements", gather_elements, PARE_NEEDS (2) },
  { "", "GatherND", gather_nd, PARE_NEEDS (2) },
  { "", "Expand", expand, PARE_NEEDS (2) },
  { "", "ConstantOfShape", constant_of_shape },
  { "", "Tile", tile, PARE_NEEDS (2) },
  { "", "Resize", resize },
  { "", "DepthToSpace", depth_space },
  { "", "SpaceToDepth", depth_space },
  { "", "Shape", shape_of },
  { "", "Size", size_of },
  { "", "Range", range, PARE_NEEDS (3) },
  { "", "ArgMax", arg },
  { "", "ArgMin", arg },
  { "", "TopK", top_k, PARE_NEEDS (2) },
  { "", "GridSample", grid_sample, PARE_NEEDS (2) },
  { "", "RoiAlign", roi_align, PARE_NEEDS (3) },
  { "", "OneHot", one_hot, PARE_NEEDS (3) },
  { "", "NonZero", non_zero },
  { "", "NonMaxSuppression", boxes, PARE_NEEDS (2) },
  { "", "Compress", compress, PARE_NEEDS (2) },
  { "", "Unique", unique },
  { "", "Constant", constant, PARE_NEEDS_NONE },
  { "", "EyeLike", eye_like },
  R ("ReduceSum"),
  R ("ReduceMean"),
  R ("ReduceMax"),
  R ("ReduceMin"),
  R ("ReduceProd"),
  R ("ReduceL1"),
  R ("ReduceL2"),
  R ("ReduceLogSum"),
  R ("ReduceLogSumExp"),
  R ("ReduceSumSquare"),
  { NULL, NULL, NULL },
};
