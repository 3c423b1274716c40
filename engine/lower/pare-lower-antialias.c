/* Resize of images that first blurs what becomes smaller: each axis is a product with a matrix of weights, which are those of ONNX
 * Runtime (and of Pillow), also in how floats are rounded. */
#include "engine/lower/pare-lower-private.h"

#include <math.h>
#include <string.h>

#define MOST_WEIGHTS ((gint64)1 << 26)

/* How much something counts at this distance from the middle, in steps of the coarser grid. */
static float
weight_at (const PareResizeParams *p, float x)
{
  float a = p->cubic_a;
  x = fabsf (x);
  if (p->mode == PARE_RESIZE_LINEAR)
    return x < 1 ? 1 - x : 0;
  return x < 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/* What one place of the result is made of: row [n_in] of the matrix. */
static void
fill_row (const PareResizeParams *p, int axis, gint64 o, gint64 n_in, gint64 n_out, float *row)
{
  float scale = 1 / p->scale[axis], finer = scale >= 1 ? 1 / scale : 1, reach = (p->mode == PARE_RESIZE_LINEAR ? 1.0f : 2.0f), total = 0;
  float support = scale >= 1 ? reach * scale : reach;
  float centre = 0.5f + (scale == 1 ? (float)o : pare_rt_resize_coordinate (p, axis, o, n_in, n_out));
  gint64 from = (gint64)floorf (centre - support + 0.5f), to = (gint64)floorf (centre + support + 0.5f);
  for (gint64 i = from; i < to; i++)
    {
      gboolean outside = i < 0 || i >= n_in;
      float weight = outside && p->exclude_outside ? 0 : weight_at (p, ((float)i - centre + 0.5f) * finer);
      row[CLAMP (i, 0, n_in - 1)] += weight; /* beyond its edges an image goes on as it ends */
      total += weight;
    }
  for (gint64 i = 0; i < n_in && total != 0; i++)
    row[i] /= total;
}

/* (transfer full) The matrix of an axis, [to][from], or [from][to] for the last one; NULL: too large. */
static PareTensor *
matrix_of (const PareResizeParams *p, int axis, gint64 n_in, gint64 n_out, gboolean last)
{
  PareShape shape = pare_shape_make (2, last ? n_in : n_out, last ? n_out : n_in);
  if (n_in < 1 || n_out > MOST_WEIGHTS / n_in)
    return NULL;
  PareTensor *t = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  g_autofree float *row = g_new (float, n_in);
  for (gint64 o = 0; t != NULL && o < n_out; o++)
    {
      memset (row, 0, (gsize)n_in * sizeof *row);
      fill_row (p, axis, o, n_in, n_out, row);
      for (gint64 i = 0; i < n_in; i++)
        ((float *)t->data)[last ? i * n_out + o : o * n_in + i] = row[i];
    }
  return t;
}

gboolean
pare_lower_antialias (PareBuilder *b, const PareNode *node, const PareResizeParams *p, GError **error)
{
  const PareGraph *graph = b->graph;
  PareShape shape = graph->values[node->inputs[0]].shape;
  const PareShape *ys = &graph->values[node->outputs[0]].shape;
  int left = 0;
  for (int axis = 0; axis < shape.rank; axis++)
    left += shape.dims[axis] != ys->dims[axis];
  if (graph->values[node->inputs[0]].dtype != PARE_DTYPE_FLOAT32 || p->mode == PARE_RESIZE_NEAREST || p->coord == PARE_COORD_TF_CROP)
    return pare_lower_refuse (graph, node, error, "antialias of this type or mode is not supported");
  if (left == 0)
    return pare_lower_step (b, node, PARE_RT_COPY, NULL, 0, 1);
  guint32 value = pare_builder_value (b, node->inputs[0]);
  for (int axis = shape.rank - 1; axis >= 0; axis--) /* rows first, as ONNX Runtime does */
    {
      gint64 n_in = shape.dims[axis], n_out = ys->dims[axis], outer = 1, inner = 1;
      if (n_in == n_out) /* whatever its scale: as ONNX Runtime */
        continue;
      for (int i = 0; i < shape.rank; i++)
        if (i != axis)
          *(i < axis ? &outer : &inner) *= shape.dims[i];
      g_autoptr (PareTensor) matrix = matrix_of (p, axis, n_in, n_out, inner == 1);
      if (matrix == NULL)
        return pare_lower_refuse (graph, node, error, "antialias from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT " is too large", n_in,
                                  n_out);
      PareShape from = inner == 1 ? pare_shape_make (2, outer, n_in) : pare_shape_make (3, outer, n_in, inner),
                to = inner == 1 ? pare_shape_make (2, outer, n_out) : pare_shape_make (3, outer, n_out, inner);
      shape.dims[axis] = n_out;
      guint32 x = pare_builder_view (b, value, &from), weights = pare_builder_constant (b, matrix),
              product = pare_builder_temporary (b, PARE_DTYPE_FLOAT32, &to);
      const guint32 in[2] = { inner == 1 ? x : weights, inner == 1 ? weights : x };
      pare_builder_step (b, node, PARE_RT_MATMUL, NULL, 0, in, 2, &product, 1);
      value = pare_builder_view (b, product, &shape);
    }
  pare_builder_alias_of (b, node->outputs[0], value);
  return TRUE;
}
