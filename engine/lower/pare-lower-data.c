/* Operators that move, cut or resize data, and reductions. Extents that ONNX passes as operands must be constants of the canonical graph.
 */
#include "engine/lower/pare-lower-private.h"

#include <math.h>
#include <string.h>

gboolean
pare_lower_step (PareBuilder *b, const PareNode *node, PareRtOp op, const void *p, gsize bytes, guint n_in)
{
  guint32 in[PARE_RT_MAX_IN], out = pare_builder_value (b, node->outputs[0]);
  for (guint i = 0; i < n_in; i++)
    in[i] = pare_lower_has_input (node, i) ? pare_builder_value (b, node->inputs[i]) : PARE_RT_NONE;
  pare_builder_step (b, node, op, p, bytes, in, n_in, &out, 1);
  return TRUE;
}

gboolean
pare_lower_slice_params (const PareGraph *graph, const PareNode *node, PareSliceParams *p)
{
  const PareShape *xs = &graph->values[node->inputs[0]].shape;
  gint64 starts[PARE_MAX_RANK], axes[PARE_MAX_RANK], steps[PARE_MAX_RANK];
  guint n = 0, m = 0;
  for (int i = 0; i < PARE_MAX_RANK; i++)
    {
      p->start[i] = 0;
      p->step[i] = 1;
      axes[i] = i;
      steps[i] = 1;
    }
  if (!pare_lower_ints (graph, node, 1, starts, PARE_MAX_RANK, &n)
      || (pare_lower_has_input (node, 3) && (!pare_lower_ints (graph, node, 3, axes, PARE_MAX_RANK, &m) || m != n))
      || (pare_lower_has_input (node, 4) && (!pare_lower_ints (graph, node, 4, steps, PARE_MAX_RANK, &m) || m != n)))
    return FALSE;
  for (guint i = 0; i < n; i++)
    {
      int axis = pare_lower_axis (axes[i], xs->rank);
      if (axis < 0 || steps[i] == 0)
        return FALSE;
      gint64 d = xs->dims[axis], s = starts[i];
      s = s < 0 ? s < -d ? 0 : s + d : s;
      p->start[axis] = steps[i] > 0 ? CLAMP (s, 0, d) : CLAMP (starts[i] < -d ? -1 : s, 0, MAX (d - 1, 0));
      p->step[axis] = steps[i];
    }
  return TRUE;
}

gboolean
pare_lower_slice (PareBuilder *b, const PareNode *node, GError **error)
{
  PareSliceParams p;
  if (!pare_lower_slice_params (b->graph, node, &p))
    return pare_lower_refuse (b->graph, node, error, "starts, axes and steps must be constants in range");
  return pare_lower_step (b, node, PARE_RT_SLICE, &p, sizeof p, 1);
}

gint64
pare_lower_part_begins (const PareGraph *graph, const PareNode *split, guint part)
{
  const PareTensor *sizes = pare_lower_constant (graph, split, 1);
  const PareShape *x = &graph->values[split->inputs[0]].shape;
  int axis = pare_lower_axis (pare_node_get_int (split, "axis", 0), x->rank);
  gint64 at = 0, alike = (x->dims[axis] + split->n_outputs - 1) / split->n_outputs; /* but for the last */
  for (guint i = 0; i < part; i++)
    if (sizes != NULL && i < pare_tensor_count (sizes))
      at += (gint64)pare_tensor_get_double (sizes, i);
    else if (split->outputs[i] != PARE_NONE) /* also as the file declares it, where sizes are computed */
      at += graph->values[split->outputs[i]].shape.dims[axis];
    else if (!pare_lower_has_input (split, 1))
      at += MIN (alike, x->dims[axis] - at);
    else
      return -1;
  return at;
}

gboolean
pare_lower_split (PareBuilder *b, const PareNode *node, GError **error)
{
  const PareGraph *graph = b->graph;
  const PareShape *xs = &graph->values[node->inputs[0]].shape;
  int axis = pare_lower_axis (pare_node_get_int (node, "axis", 0), xs->rank);
  if (axis < 0)
    return pare_lower_refuse (graph, node, error, "axis is out of range");
  guint32 in = pare_builder_value (b, node->inputs[0]);
  for (guint i = 0; i < node->n_outputs; i++) /* each part a slice: any number of them */
    {
      if (node->outputs[i] == PARE_NONE)
        continue;
      PareSliceParams p;
      for (int d = 0; d < PARE_MAX_RANK; d++)
        {
          p.start[d] = 0;
          p.step[d] = 1;
        }
      p.start[axis] = pare_lower_part_begins (graph, node, i);
      if (p.start[axis] < 0)
        return pare_lower_refuse (graph, node, error, "where output %u begins is not known", i);
      const PareShape *ys = &graph->values[node->outputs[i]].shape;
      if (ys->rank != xs->rank)
        return pare_lower_refuse (graph, node, error, "the shape of output %u is not known", i);
      guint32 out = pare_builder_value (b, node->outputs[i]);
      pare_builder_step (b, node, PARE_RT_SLICE, &p, sizeof p, &in, 1, &out, 1);
    }
  return TRUE;
}

gboolean
pare_lower_concat_of (PareBuilder *b, const PareNode *node, const guint32 *values, guint32 result, GError **error)
{
  const PareGraph *graph = b->graph;
  const PareValue *y = &graph->values[node->outputs[0]];
  PareAxisParams p = { pare_lower_axis (pare_node_get_int (node, "axis", 0), y->shape.rank) };
  if (p.axis < 0)
    return pare_lower_refuse (graph, node, error, "axis is out of range");
  guint32 in[PARE_RT_MAX_IN];
  guint n = 0;
  gint64 extent = 0;
  for (guint i = 0; i < node->n_inputs; i++)
    {
      in[n++] = values[i];
      extent += graph->values[node->inputs[i]].shape.dims[p.axis];
      gboolean last = i + 1 == node->n_inputs;
      if (n < PARE_RT_MAX_IN && !last)
        continue;
      PareShape part = y->shape; /* more operands than a step takes: what is joined so far becomes the first of the next */
      part.dims[p.axis] = extent;
      guint32 out = last ? result : pare_builder_temporary (b, g_array_index (b->values, PareRtValue, result).dtype, &part);
      pare_builder_step (b, node, PARE_RT_CONCAT, &p, sizeof p, in, n, &out, 1);
      in[0] = out;
      n = 1;
    }
  return TRUE;
}

gboolean
pare_lower_concat (PareBuilder *b, const PareNode *node, GError **error)
{
  g_autofree guint32 *values = g_new (guint32, node->n_inputs + 1);
  for (guint i = 0; i < node->n_inputs; i++)
    {
      if (node->inputs[i] == PARE_NONE || b->graph->values[node->inputs[i]].shape.rank != b->graph->values[node->outputs[0]].shape.rank)
        return pare_lower_refuse (b->graph, node, error, "input %u does not fit", i);
      values[i] = pare_builder_value (b, node->inputs[i]);
    }
  return pare_lower_concat_of (b, node, values, pare_builder_value (b, node->outputs[0]), error);
}

gboolean
pare_lower_pad (PareBuilder *b, const PareNode *node, GError **error)
{
  const PareGraph *graph = b->graph;
  const PareShape *xs = &graph->values[node->inputs[0]].shape;
  gint64 pads[2 * PARE_MAX_RANK], axes[PARE_MAX_RANK];
  guint n = 0, m = (guint)xs->rank;
  ParePadParams p = { 0 };
  g_autofree char *mode = pare_node_dup_string (node, "mode");
  p.mode = mode == NULL || g_str_equal (mode, "constant") ? PARE_PAD_CONSTANT
           : g_str_equal (mode, "reflect")                ? PARE_PAD_REFLECT
           : g_str_equal (mode, "edge")                   ? PARE_PAD_EDGE
                                                          : PARE_PAD_WRAP;
  for (int i = 0; i < PARE_MAX_RANK; i++)
    axes[i] = i;
  if (!pare_lower_ints (graph, node, 1, pads, 2 * PARE_MAX_RANK, &n)
      || (pare_lower_has_input (node, 3) && !pare_lower_ints (graph, node, 3, axes, PARE_MAX_RANK, &m)) || n != 2 * m)
    return pare_lower_refuse (graph, node, error, "pads and axes must be constants that fit");
  for (guint i = 0; i < m; i++)
    {
      int axis = pare_lower_axis (axes[i], xs->rank);
      if (axis < 0)
        return pare_lower_refuse (graph, node, error, "an axis is out of range");
      p.begin[axis] = pads[i];
    }
  guint32 x = pare_builder_value (b, node->inputs[0]);
  guint32 in[2] = { x, b->moving                        ? pare_lower_zero (b, node->inputs[0])
                       : pare_lower_has_input (node, 2) ? pare_builder_value (b, node->inputs[2])
                                                        : PARE_RT_NONE };
  guint32 out = pare_builder_value (b, node->outputs[0]);
  pare_builder_step (b, node, PARE_RT_PAD, &p, sizeof p, in, 2, &out, 1);
  return TRUE;
}

gboolean
pare_lower_transpose (PareBuilder *b, const PareNode *node, GError **error)
{
  const PareShape *xs = &b->graph->values[node->inputs[0]].shape;
  PareTransposeParams p = { 0 };
  guint n = 0;
  const gint64 *perm = pare_node_get_ints (node, "perm", &n);
  if (perm != NULL && n != (guint)xs->rank)
    return pare_lower_refuse (b->graph, node, error, "perm does not fit rank %d", xs->rank);
  for (int i = 0; i < xs->rank; i++)
    {
      if (perm != NULL && (perm[i] < 0 || perm[i] >= xs->rank))
        return pare_lower_refuse (b->graph, node, error, "perm is out of range");
      p.perm[i] = perm != NULL ? (gint32)perm[i] : xs->rank - 1 - i;
    }
  return pare_lower_step (b, node, PARE_RT_TRANSPOSE, &p, sizeof p, 1);
}

/* The ReduceMin of all elements of the value of which this finds the largest, which comes later: dynamic quantization asks for both. */
static PareNodeId
other_end (const PareBuilder *b, const PareNode *node)
{
  PareValueId x = node->inputs[0];
  const PareValue *v = &b->graph->values[x];
  PareNodeId own = (PareNodeId)(node - b->graph->nodes);
  if (v->dtype != PARE_DTYPE_FLOAT32 || pare_shape_count (&v->shape) < 1 || pare_lower_has_input (node, 1))
    return PARE_NONE;
  for (guint k = b->consumers->starts[x]; k < b->consumers->starts[x + 1]; k++)
    {
      PareNodeId id = b->consumers->nodes[k];
      const PareNode *other = &b->graph->nodes[id];
      if (id > own && pare_node_is (other, "ReduceMin") && !pare_lower_has_input (other, 1) && other->n_outputs == 1
          && other->outputs[0] != PARE_NONE && pare_node_get_int (other, "noop_with_empty_axes", 0) == 0 && b->fused_into[id] == PARE_NONE
          && b->fusions[id].head == PARE_NONE)
        return id;
    }
  return PARE_NONE;
}

gboolean
pare_lower_reduce (PareBuilder *b, const PareNode *node, GError **error)
{
  static const struct
  {
    const char *op;
    PareReduceKind kind;
  } kinds[] = {
    { "ReduceSum", PARE_REDUCE_SUM },
    { "ReduceMean", PARE_REDUCE_MEAN },
    { "ReduceMax", PARE_REDUCE_MAX },
    { "ReduceMin", PARE_REDUCE_MIN },
    { "ReduceProd", PARE_REDUCE_PROD },
    { "ReduceL1", PARE_REDUCE_L1 },
    { "ReduceL2", PARE_REDUCE_L2 },
    { "ReduceLogSum", PARE_REDUCE_LOG_SUM },
    { "ReduceLogSumExp", PARE_REDUCE_LOG_SUM_EXP },
    { "ReduceSumSquare", PARE_REDUCE_SUM_SQUARE },
  };
  const PareShape *xs = &b->graph->values[node->inputs[0]].shape;
  gint64 axes[PARE_MAX_RANK];
  guint n = 0;
  PareReduceParams p = { 0 };
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (pare_node_is (node, kinds[i].op))
      p.kind = kinds[i].kind;
  if (pare_lower_has_input (node, 1) && !pare_lower_ints (b->graph, node, 1, axes, PARE_MAX_RANK, &n))
    return pare_lower_refuse (b->graph, node, error, "axes must be constants");
  for (guint i = 0; i < n; i++)
    {
      int axis = pare_lower_axis (axes[i], xs->rank);
      if (axis < 0)
        return pare_lower_refuse (b->graph, node, error, "an axis is out of range");
      p.axes |= 1u << axis;
    }
  gboolean none = n == 0 && pare_node_get_int (node, "noop_with_empty_axes", 0) != 0;
  if (none && p.kind <= PARE_REDUCE_PROD) /* of the others each element is still a size, a square or a logarithm */
    return pare_lower_step (b, node, PARE_RT_COPY, NULL, 0, 1);
  if (n == 0 && !none)
    p.axes = (1u << xs->rank) - 1;
  PareNodeId least = p.kind == PARE_REDUCE_MAX && !none ? other_end (b, node) : PARE_NONE;
  if (least == PARE_NONE)
    return pare_lower_step (b, node, PARE_RT_REDUCE, &p, sizeof p, 1);
  guint32 in = pare_builder_value (b, node->inputs[0]),
          out[2] = { pare_builder_value (b, node->outputs[0]), pare_builder_value (b, b->graph->nodes[least].outputs[0]) };
  pare_builder_step (b, node, PARE_RT_REDUCE, &p, sizeof p, &in, 1, out, 2);
  b->fused_into[least] = (PareNodeId)(node - b->graph->nodes);
  return TRUE;
}

int
pare_lower_choice (const PareNode *node, const char *name, int fallback, const char *const *names)
{
  g_autofree char *text = pare_node_dup_string (node, name);
  for (int i = 0; text != NULL && names[i] != NULL; i++)
    if (g_str_equal (names[i], text))
      return i;
  return text == NULL ? fallback : -1;
}

gboolean
pare_lower_resize (PareBuilder *b, const PareNode *node, GError **error)
{
  static const char *const modes[] = { "nearest", "linear", "cubic", NULL };
  static const char *const coords[] = { "half_pixel",         "asymmetric",           "align_corners",        "pytorch_half_pixel",
                                        "tf_crop_and_resize", "half_pixel_symmetric", "tf_half_pixel_for_nn", NULL };
  static const char *const nearests[] = { "round_prefer_floor", "round_prefer_ceil", "floor", "ceil", NULL };
  const PareGraph *graph = b->graph;
  const PareShape *xs = &graph->values[node->inputs[0]].shape, *ys = &graph->values[node->outputs[0]].shape;
  PareResizeParams p = { .exclude_outside = pare_node_get_int (node, "exclude_outside", 0) != 0,
                         .cubic_a = pare_node_get_float (node, "cubic_coeff_a", -0.75f),
                         .extrapolation = pare_node_get_float (node, "extrapolation_value", 0) };
  int mode = pare_lower_choice (node, "mode", 0, modes), coord = pare_lower_choice (node, "coordinate_transformation_mode", 0, coords),
      nearest = pare_lower_choice (node, "nearest_mode", 0, nearests);
  if (mode < 0 || coord < 0 || nearest < 0)
    return pare_lower_refuse (graph, node, error, "this mode is not supported");
  p.mode = (PareResizeMode)mode;
  p.coord = (PareCoordMode)coord;
  p.nearest = (PareNearestMode)nearest;
  guint n = 0, n_axes = 0;
  gint64 axes[PARE_MAX_RANK];
  const gint64 *given = pare_node_get_ints (node, "axes", &n_axes);
  for (int i = 0; i < xs->rank; i++)
    {
      p.scale[i] = xs->dims[i] > 0 ? (float)ys->dims[i] / (float)xs->dims[i] : 1;
      p.roi_end[i] = 1;
      axes[i] = given != NULL && (guint)i < n_axes ? pare_lower_axis (given[i], xs->rank) : i;
    }
  PareTensor *scales = pare_lower_constant (graph, node, 2), *roi = pare_lower_constant (graph, node, 1);
  n = given != NULL ? n_axes : (guint)xs->rank;
  if (pare_lower_has_input (node, 2) && scales == NULL)
    return pare_lower_refuse (graph, node, error, "scales must be constant");
  if (p.coord == PARE_COORD_TF_CROP && roi == NULL)
    return pare_lower_refuse (graph, node, error, "the region to crop must be constant");
  if (scales != NULL && pare_tensor_count (scales) == (gint64)n)
    for (guint i = 0; i < n; i++)
      if (axes[i] >= 0)
        p.scale[axes[i]] = (float)pare_tensor_get_double (scales, i);
  if (roi != NULL && pare_tensor_count (roi) == 2 * (gint64)n)
    for (guint i = 0; i < n; i++)
      if (axes[i] >= 0)
        {
          p.roi_start[axes[i]] = (float)pare_tensor_get_double (roi, i);
          p.roi_end[axes[i]] = (float)pare_tensor_get_double (roi, n + i);
        }
  float kept;
  if (pare_node_get_resize_scale (graph, node, &kept))
    for (guint i = 0; i < n; i++)
      if (axes[i] >= 0)
        p.scale[axes[i]] = kept;
  if (pare_node_get_int (node, "antialias", 0) != 0)
    return pare_lower_antialias (b, node, &p, error);
  return pare_lower_step (b, node, PARE_RT_RESIZE, &p, sizeof p, 1);
}

/* The operand with its axes in the order of labels, as `shape`. */
static guint32
arranged (PareBuilder *b, const PareNode *node, guint32 value, const PareShape *xs, const gint32 *own, const gint32 *order,
          const PareShape *shape)
{
  PareTransposeParams t = { 0 };
  PareShape turned = *xs;
  gboolean same = TRUE;
  for (int i = 0; i < xs->rank; i++)
    for (int k = 0; k < xs->rank; k++)
      if (own[k] == order[i])
        {
          t.perm[i] = k;
          turned.dims[i] = xs->dims[k];
          same = same && i == k;
        }
  if (!same)
    {
      guint32 to = pare_builder_temporary (b, PARE_DTYPE_FLOAT32, &turned);
      pare_builder_step (b, node, PARE_RT_TRANSPOSE, &t, sizeof t, &value, 1, &to, 1);
      value = to;
    }
  return pare_builder_view (b, value, shape);
}

/* Two operands whose axes are those of matrices, or several of them: what both have and the result, too, counts the matrices. FALSE: more
 * than that. */
static gboolean
as_products (PareBuilder *b, const PareNode *node, const PareEinsumParams *p)
{
  const PareGraph *graph = b->graph;
  gint32 order[3][16]; /* a, b, result */
  int n[3] = { 0 };
  gint64 sizes[4] = { 1, 1, 1, 1 }; /* matrices, rows, columns, terms */
  if (node->n_inputs != 2 || graph->values[node->outputs[0]].dtype != PARE_DTYPE_FLOAT32)
    return FALSE;
  for (int kind = 0; kind < 4; kind++) /* in the order of the first operand that has them */
    for (int label = 0; label < p->n_labels; label++)
      {
        int uses[3] = { 0 };
        gint64 extent = 0;
        for (int o = 0; o < 2; o++)
          for (int i = 0; i < p->rank[o]; i++)
            if (p->label[o][i] == label)
              {
                gint64 d = graph->values[node->inputs[o]].shape.dims[i];
                if (uses[o]++ > 0 || (extent != 0 && extent != d) || d < 1)
                  return FALSE;
                extent = d;
              }
        for (int i = 0; i < p->out_rank; i++)
          uses[2] += p->out_label[i] == label;
        int its = uses[2] > 1 ? -1 : uses[0] && uses[1] ? uses[2] ? 0 : 3 : !uses[2] ? -1 : uses[0] ? 1 : 2;
        if (its < 0)
          return FALSE;
        if (its != kind)
          continue;
        sizes[kind] *= extent;
        for (int o = 0; o < 3; o++)
          if (uses[o])
            order[o][n[o]++] = label;
      }
  if (sizes[3] == 1 || n[0] != p->rank[0] || n[1] != p->rank[1] || n[2] != p->out_rank || p->rank[0] == 0 || p->rank[1] == 0
      || p->out_rank == 0)
    return FALSE;
  /* The second one's terms come before its columns. */
  gint32 second[16];
  int at = 0;
  for (int pass = 0; pass < 3; pass++)
    for (int i = 0; i < n[1]; i++)
      {
        gboolean in_a = FALSE, in_y = FALSE;
        for (int k = 0; k < n[0]; k++)
          in_a |= order[0][k] == order[1][i];
        for (int k = 0; k < n[2]; k++)
          in_y |= order[2][k] == order[1][i];
        if (pass == (in_a && in_y ? 0 : in_a ? 1 : 2))
          second[at++] = order[1][i];
      }
  PareShape sa = pare_shape_make (3, sizes[0], sizes[1], sizes[3]), sb = pare_shape_make (3, sizes[0], sizes[3], sizes[2]),
            sy = pare_shape_make (3, sizes[0], sizes[1], sizes[2]), turned = { .rank = p->out_rank };
  const PareShape *ys = &graph->values[node->outputs[0]].shape;
  guint32 in[2]
      = { arranged (b, node, pare_builder_value (b, node->inputs[0]), &graph->values[node->inputs[0]].shape, p->label[0], order[0], &sa),
          arranged (b, node, pare_builder_value (b, node->inputs[1]), &graph->values[node->inputs[1]].shape, p->label[1], second, &sb) },
      product = pare_builder_temporary (b, PARE_DTYPE_FLOAT32, &sy), out = pare_builder_value (b, node->outputs[0]);
  pare_builder_step (b, node, PARE_RT_MATMUL, NULL, 0, in, 2, &product, 1);
  PareTransposeParams t = { 0 };
  for (int i = 0; i < p->out_rank; i++)
    for (int k = 0; k < p->out_rank; k++)
      if (order[2][k] == p->out_label[i])
        {
          t.perm[i] = k;
          turned.dims[k] = ys->dims[i];
        }
  guint32 named = pare_builder_view (b, product, &turned);
  pare_builder_step (b, node, PARE_RT_TRANSPOSE, &t, sizeof t, &named, 1, &out, 1);
  return TRUE;
}

gboolean
pare_lower_einsum (PareBuilder *b, const PareNode *node, GError **error)
{
  const PareGraph *graph = b->graph;
  g_autofree char *equation = pare_node_dup_string (node, "equation");
  PareEinsumParams p = { 0 };
  gint32 number[256];
  guint operand = 0;
  gboolean result = FALSE;
  memset (number, 0xff, sizeof number);
  if (equation == NULL || node->n_inputs > 4 || strstr (equation, "...") != NULL)
    return pare_lower_refuse (graph, node, error, "this equation is not supported");
  for (const char *c = equation; *c != '\0'; c++)
    {
      if (*c == ' ')
        continue;
      if (*c == ',' && !result)
        operand++;
      else if (*c == '-' && c[1] == '>')
        {
          result = TRUE;
          c++;
        }
      else if (g_ascii_isalpha (*c) && operand < node->n_inputs)
        {
          if (number[(guchar)*c] < 0)
            number[(guchar)*c] = p.n_labels++;
          if (p.n_labels > 16 || (result ? p.out_rank : p.rank[operand]) >= PARE_MAX_RANK)
            return pare_lower_refuse (graph, node, error, "this equation has too many axes");
          if (result)
            p.out_label[p.out_rank++] = number[(guchar)*c];
          else
            p.label[operand][p.rank[operand]++] = number[(guchar)*c];
        }
      else
        return pare_lower_refuse (graph, node, error, "this equation is not supported");
    }
  if (operand + 1 != node->n_inputs)
    return pare_lower_refuse (graph, node, error, "its equation is not about %u operands", node->n_inputs);
  for (int c = 0; !result && c < 256; c++) /* what stands once, in the order of the alphabet */
    {
      int uses = 0;
      for (guint o = 0; number[c] >= 0 && o <= operand; o++)
        for (int i = 0; i < p.rank[o]; i++)
          uses += p.label[o][i] == number[c];
      if (uses == 1 && p.out_rank < PARE_MAX_RANK)
        p.out_label[p.out_rank++] = number[c];
    }
  return as_products (b, node, &p) || pare_lower_step (b, node, PARE_RT_EINSUM, &p, sizeof p, node->n_inputs);
}

gboolean
pare_lower_quantize (PareBuilder *b, const PareNode *node, GError **error)
{
  const PareGraph *graph = b->graph;
  if (g_str_equal (node->op, PARE_OP_QUANTIZE))
    {
      const PareQuant *q = graph->values[node->outputs[0]].quant;
      if (q == NULL && graph->values[node->outputs[0]].storage == PARE_DTYPE_BFLOAT16)
        {
          PareUnaryParams p = { PARE_UN_BFLOAT16, 0, 0 };
          return pare_lower_step (b, node, PARE_RT_UNARY, &p, sizeof p, 1);
        }
      if (q == NULL || q->n == 0)
        return pare_lower_refuse (graph, node, error, "its output has no grid");
      PareFakeQuantParams p = { q->n == 1 ? -1 : q->axis, q->lo, q->hi };
      PareShape shape = pare_shape_make (1, (gint64)q->n);
      g_autoptr (PareTensor) scale = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL),
                             zero = pare_tensor_new (PARE_DTYPE_INT32, &shape, NULL);
      memcpy (scale->data, q->scale, q->n * sizeof *q->scale);
      memcpy (zero->data, q->zero, q->n * sizeof *q->zero);
      guint32 in[3] = { pare_builder_value (b, node->inputs[0]), pare_builder_constant (b, scale), pare_builder_constant (b, zero) };
      guint32 out = pare_builder_value (b, node->outputs[0]);
      pare_builder_step (b, node, PARE_RT_FAKE_QUANT, &p, sizeof p, in, 3, &out, 1);
      return TRUE;
    }
  const PareShape *xs = &graph->values[node->inputs[0]].shape, *ss = &graph->values[node->inputs[1]].shape;
  PareQuantizeParams p = { -1, (gint32)CLAMP (pare_node_get_int (node, "block_size", 0), 0, G_MAXINT32) };
  if (pare_shape_count (ss) != 1 || p.block > 0)
    {
      p.axis = pare_lower_axis (pare_node_get_int (node, "axis", 1), xs->rank);
      if (p.axis < 0)
        return pare_lower_refuse (graph, node, error, "axis is out of range");
    }
  return pare_lower_step (b, node, pare_node_is (node, "QuantizeLinear") ? PARE_RT_QUANTIZE_LINEAR : PARE_RT_DEQUANTIZE_LINEAR, &p,
                          sizeof p, 3);
}

/* --- LSTM, GRU, RNN --- */

static int
rnn_activation (const char *name)
{
  static const struct
  {
    const char *name;
    PareUnaryKind kind;
  } known[] = {
    { "Sigmoid", PARE_UN_SIGMOID },
    { "Tanh", PARE_UN_TANH },
    { "Relu", PARE_UN_RELU },
    { "HardSigmoid", PARE_UN_HARD_SIGMOID },
    { "LeakyRelu", PARE_UN_LEAKY_RELU },
    { "Elu", PARE_UN_ELU },
    { "Softsign", PARE_UN_SOFTSIGN },
    { "Softplus", PARE_UN_SOFTPLUS },
    { "ThresholdedRelu", PARE_UN_THRESHOLDED_RELU },
  };
  for (guint i = 0; i < G_N_ELEMENTS (known); i++)
    if (g_ascii_strcasecmp (name, known[i].name) == 0)
      return (int)known[i].kind;
  return -1;
}

/* An activation's alpha or beta: the next of a list that only those read which have one, else what ONNX Runtime takes. */
static float
rnn_next (const PareAttr *list, guint *used, float otherwise)
{
  return list != NULL && list->kind == PARE_ATTR_FLOATS && *used < list->n ? list->floats[(*used)++] : otherwise;
}

/* Every sequence takes all steps: their lengths say nothing. */
static gboolean
are_whole (const PareGraph *graph, const PareNode *node)
{
  const PareTensor *lengths = pare_lower_constant (graph, node, 4);
  gint64 n = lengths != NULL ? pare_tensor_count (lengths) : 0;
  gboolean whole = n > 0;
  for (gint64 i = 0; i < n && whole; i++)
    whole = pare_tensor_get_int (lengths, (gsize)i) == graph->values[node->inputs[0]].shape.dims[0];
  return whole;
}

gboolean
pare_lower_recurrent (PareBuilder *b, const PareNode *node, GError **error)
{
  const PareGraph *graph = b->graph;
  gboolean lstm = pare_node_is (node, "LSTM"), gru = pare_node_is (node, "GRU");
  g_autofree char *direction = pare_node_dup_string (node, "direction");
  PareRnnParams p
      = { .clip = pare_node_get_float (node, "clip", 0), .linear_before_reset = pare_node_get_int (node, "linear_before_reset", 0) != 0 };
  p.direction = direction == NULL || g_str_equal (direction, "forward") ? PARE_RNN_FORWARD
                : g_str_equal (direction, "reverse")                    ? PARE_RNN_REVERSE
                                                                        : PARE_RNN_BIDIRECTIONAL;
  int directions = p.direction == PARE_RNN_BIDIRECTIONAL ? 2 : 1, per = lstm ? 3 : gru ? 2 : 1;
  static const PareUnaryKind usual[3] = { PARE_UN_SIGMOID, PARE_UN_TANH, PARE_UN_TANH };
  for (int i = 0; i < 6; i++)
    {
      p.activation[i] = per == 1 ? PARE_UN_TANH : usual[i % per];
      p.alpha[i] = 0.2f;
      p.beta[i] = 0.5f;
    }
  const PareAttr *named = pare_node_get_attr (node, "activations");
  const PareAttr *alpha = pare_node_get_attr (node, "activation_alpha"), *beta = pare_node_get_attr (node, "activation_beta");
  guint n_alpha = 0, n_beta = 0;
  for (guint i = 0; named != NULL && named->kind == PARE_ATTR_STRINGS && i < MIN (named->n, (guint)(directions * per)); i++)
    {
      gsize length;
      const char *bytes = g_bytes_get_data (named->strings[i], &length);
      g_autofree char *name = g_strndup (bytes != NULL ? bytes : "", length);
      p.activation[i] = rnn_activation (name);
      if (p.activation[i] < 0)
        return pare_lower_refuse (graph, node, error, "activation %s is not supported", name);
      switch (p.activation[i])
        {
        case PARE_UN_HARD_SIGMOID:
          p.alpha[i] = rnn_next (alpha, &n_alpha, 0.2f);
          p.beta[i] = rnn_next (beta, &n_beta, 0.5f);
          break;
        case PARE_UN_LEAKY_RELU:
          p.alpha[i] = rnn_next (alpha, &n_alpha, 0.01f);
          break;
        case PARE_UN_ELU:
          p.alpha[i] = rnn_next (alpha, &n_alpha, 1);
          break;
        case PARE_UN_THRESHOLDED_RELU:
          p.alpha[i] = rnn_next (alpha, &n_alpha, 0);
          break;
        default:
          break;
        }
    }
  if (pare_node_get_int (node, "input_forget", 0) != 0)
    return pare_lower_refuse (graph, node, error, "input_forget 1 is not supported");
  if (pare_node_get_int (node, "layout", 0) != 0)
    return pare_lower_refuse (graph, node, error, "layout 1 is not supported");
  const PareShape *xs = &graph->values[node->inputs[0]].shape;
  if (!pare_lower_has_input (node, 2) || graph->values[node->inputs[2]].shape.rank != 3)
    return pare_lower_refuse (graph, node, error, "needs its recurrent weights");
  p.hidden = (gint32)graph->values[node->inputs[2]].shape.dims[2];
  guint32 in[PARE_RT_SCALES + 2], out[3];
  gboolean codes = lstm && node->n_inputs == PARE_RT_SCALES + 2;
  guint n_in = codes ? G_N_ELEMENTS (in) : lstm ? 8 : 6, n_out = lstm ? 3 : 2;
  for (guint i = 0; i < n_in; i++)
    in[i] = pare_lower_has_input (node, i) && (i != 4 || !are_whole (graph, node)) ? pare_builder_value (b, node->inputs[i]) : PARE_RT_NONE;
  for (guint i = 0; i < n_out; i++)
    {
      gint64 t = xs->dims[0], batch = xs->dims[1];
      PareShape shape = i == 0 ? pare_shape_make (4, t, (gint64)directions, batch, (gint64)p.hidden)
                               : pare_shape_make (3, (gint64)directions, batch, (gint64)p.hidden);
      out[i] = i < node->n_outputs && node->outputs[i] != PARE_NONE ? pare_builder_value (b, node->outputs[i])
                                                                    : pare_builder_temporary (b, PARE_DTYPE_FLOAT32, &shape);
    }
  pare_builder_step (b, node, lstm ? PARE_RT_LSTM : gru ? PARE_RT_GRU : PARE_RT_RNN, &p, sizeof p, in, n_in, out, n_out);
  return TRUE;
}
