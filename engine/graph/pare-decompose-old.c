/* Operators of com.microsoft and of ONNX's first versions, as converters from other frameworks wrote them before ONNX had a word for what
 * they do, and a few of ONNX's latest. */
#include "engine/graph/pare-writer.h"

#include <math.h>

static const PareDtype f32 = PARE_DTYPE_FLOAT32, i64 = PARE_DTYPE_INT64;

/* --- what ONNX has as well --- */

static gboolean
as_onnx (PareWriter *w, const PareNode *node)
{
  pare_node_add_attrs (pare_write_many (w, node->op, w->out, node->n_outputs, w->in, node->n_inputs), node, NULL);
  return TRUE;
}

/* GridSample of com.microsoft says align_corners and modes as ONNX did in version 16. */
static gboolean
grid_sample (PareWriter *w, const PareNode *node)
{
  if (w->in[1] == PARE_NONE)
    return FALSE;
  PareNode *made = pare_write_to (w, "GridSample", w->out[0], w->in, 2);
  g_autofree char *mode = pare_node_dup_string (node, "mode");
  pare_node_add_attrs (made, node, "mode");
  if (mode != NULL)
    pare_node_set_string (made, "mode", g_str_equal (mode, "bilinear") ? "linear" : g_str_equal (mode, "bicubic") ? "cubic" : mode);
  return TRUE;
}

/* Values in the order in which they first come, where each element's value is, and how often each comes. */
static gboolean
unique (PareWriter *w, const PareNode *node)
{
  const PareValueId out[4] = { w->out[0], PARE_NONE, w->out[1], w->out[2] };
  pare_node_set_int (pare_write_many (w, "Unique", out, 4, w->in, 1), "sorted", 0);
  return TRUE;
}

/* An axis of one element, which a number says. */
static gboolean
expand_dims (PareWriter *w, const PareNode *node)
{
  PareTensor *axis = pare_node_input_constant (w->graph, node, 1);
  if (axis == NULL || pare_tensor_count (axis) != 1)
    return FALSE;
  gint64 at = pare_tensor_get_int (axis, 0);
  const PareValueId in[2] = { w->in[0], pare_write_ints (w, &at, 1) };
  pare_write_to (w, "Unsqueeze", w->out[0], in, 2);
  return TRUE;
}

/* Products of codes of 16 bits, summed up in 32. */
static gboolean
matmul_of_words (PareWriter *w, const PareNode *node)
{
  if (w->in[1] == PARE_NONE)
    return FALSE;
  const PareValueId in[2]
      = { pare_write_cast (w, w->in[0], PARE_DTYPE_INT32, PARE_NONE), pare_write_cast (w, w->in[1], PARE_DTYPE_INT32, PARE_NONE) };
  pare_write_to (w, "MatMul", w->out[0], in, 2);
  return TRUE;
}

/* --- functions of one number --- */

/* alpha x + beta */
static gboolean
affine (PareWriter *w, const PareNode *node)
{
  if (!pare_writer_is_float (w, w->in[0]))
    return FALSE;
  const PareValueId in[2] = { pare_write (w, "Mul", f32, w->in[0], pare_write_number (w, pare_node_get_float (node, "alpha", 1))),
                              pare_write_number (w, pare_node_get_float (node, "beta", 0)) };
  pare_write_to (w, "Add", w->out[0], in, 2);
  return TRUE;
}

/* alpha f (beta x): f is tanh, or log (1 + exp) */
static gboolean
scaled (PareWriter *w, const PareNode *node)
{
  const char *f = g_str_equal (node->op, "ScaledTanh") ? "Tanh" : "Softplus";
  if (!pare_writer_is_float (w, w->in[0]))
    return FALSE;
  PareValueId inner = pare_write (w, "Mul", f32, w->in[0], pare_write_number (w, pare_node_get_float (node, "beta", 1)));
  const PareValueId in[2] = { pare_write (w, f, f32, inner, PARE_NONE), pare_write_number (w, pare_node_get_float (node, "alpha", 1)) };
  pare_write_to (w, "Mul", w->out[0], in, 2);
  return TRUE;
}

/* scale x + a number for each channel */
static gboolean
image_scaler (PareWriter *w, const PareNode *node)
{
  const PareAttr *bias = pare_node_get_attr (node, "bias");
  const PareShape *x = pare_writer_shape (w, w->in[0]);
  if (!pare_writer_is_float (w, w->in[0]) || x->rank != 4 || bias == NULL || bias->kind != PARE_ATTR_FLOATS
      || (gint64)bias->n != x->dims[1])
    return FALSE;
  PareShape shape = { .rank = 4, .dims = { 1, x->dims[1], 1, 1 } };
  g_autoptr (PareTensor) t = pare_tensor_new (f32, &shape, NULL);
  if (t == NULL)
    return FALSE;
  for (guint i = 0; i < bias->n; i++)
    ((float *)t->data)[i] = bias->floats[i];
  const PareValueId in[2] = { pare_write (w, "Mul", f32, w->in[0], pare_write_number (w, pare_node_get_float (node, "scale", 1))),
                              pare_write_constant (w, "bias", t) };
  pare_write_to (w, "Add", w->out[0], in, 2);
  return TRUE;
}

/* --- distances, windows, regions --- */

/* Of each row of a to each row of b: |a|^2 + |b|^2 - 2 a b, as ONNX Runtime has it, or the root of that. */
static gboolean
distances (PareWriter *w, const PareNode *node)
{
  static const gint64 swap[] = { 1, 0 }, last[] = { 1 }, row[] = { 1, -1 };
  g_autofree char *metric = pare_node_dup_string (node, "metric");
  gboolean squared = metric == NULL || g_str_equal (metric, "sqeuclidean");
  if ((!squared && !g_str_equal (metric, "euclidean")) || !pare_writer_is_float (w, w->in[0]) || !pare_writer_is_float (w, w->in[1])
      || pare_writer_shape (w, w->in[0])->rank != 2 || pare_writer_shape (w, w->in[1])->rank != 2)
    return FALSE;
  PareValueId over = pare_write_ints (w, last, 1), norms[2];
  for (guint i = 0; i < 2; i++)
    norms[i] = pare_write_reduce (w, "ReduceSum", pare_write (w, "Mul", f32, w->in[i], w->in[i]), over, TRUE);
  PareValueId sums = pare_write (w, "Add", f32, norms[0], pare_write_reshape (w, norms[1], row, 2, PARE_NONE));
  PareValueId products = pare_write (w, "MatMul", f32, w->in[0], pare_write_transpose (w, w->in[1], swap, 2, PARE_NONE));
  PareValueId difference = pare_write (w, "Sub", f32, sums, pare_write (w, "Mul", f32, products, pare_write_number (w, 2)));
  const PareValueId in[2] = { difference, pare_write_number (w, 0) };
  if (squared)
    pare_write_to (w, "Max", w->out[0], in, 2);
  else
    {
      PareValueId square = pare_write (w, "Max", f32, in[0], in[1]);
      pare_write_to (w, "Sqrt", w->out[0], &square, 1);
    }
  return TRUE;
}

/* Windows of an axis, each step-th, whose elements become the last axis. */
static gboolean
unfold (PareWriter *w, const PareNode *node)
{
  const PareShape x = *pare_writer_shape (w, w->in[0]);
  gint64 axis = pare_node_get_int (node, "dim", -1), size = pare_node_get_int (node, "size", 0), step = pare_node_get_int (node, "step", 1),
         perm[PARE_MAX_RANK];
  axis += axis < 0 ? x.rank : 0;
  if (x.rank < 1 || x.rank >= PARE_MAX_RANK || axis < 0 || axis >= x.rank || size < 1 || step < 1 || size > x.dims[axis])
    return FALSE;
  PareShape places = { .rank = 2, .dims = { (x.dims[axis] - size) / step + 1, size } };
  g_autoptr (PareTensor) t = pare_tensor_new (i64, &places, NULL);
  if (t == NULL)
    return FALSE;
  for (gint64 i = 0; i < pare_tensor_count (t); i++)
    ((gint64 *)t->data)[i] = i / size * step + i % size;
  const PareValueId in[2] = { w->in[0], pare_write_constant (w, "places", t) };
  PareValueId windows = pare_graph_add_value (w->graph, "Gather", pare_writer_dtype (w, w->in[0]), NULL, PARE_NONE);
  pare_node_set_int (pare_write_to (w, "Gather", windows, in, 2), "axis", axis);
  for (int d = 0; d < x.rank; d++)
    perm[d] = d <= axis ? d : d + 1;
  perm[x.rank] = axis + 1;
  pare_write_transpose (w, windows, perm, (guint)x.rank + 1, w->out[0]);
  return TRUE;
}

/* Places of a crop's rows (or columns) in an image of `extent`, [regions, n], as ONNX Runtime computes them: from the first edge to the
 * last, or the middle of one. */
static PareValueId
places (PareWriter *w, PareValueId boxes, gint64 first, gint64 extent, gint64 n)
{
  PareValueId length = pare_write_number (w, (float)(extent - 1)), from = pare_write_slice (w, boxes, 1, first, first + 1, 1),
              to = pare_write_slice (w, boxes, 1, first + 2, first + 3, 1);
  if (n == 1)
    return pare_write (w, "Mul", f32, pare_write (w, "Mul", f32, pare_write (w, "Add", f32, from, to), pare_write_number (w, 0.5f)),
                       length);
  PareShape row = { .rank = 2, .dims = { 1, n } };
  g_autoptr (PareTensor) t = pare_tensor_new (f32, &row, NULL);
  for (gint64 i = 0; t != NULL && i < n; i++)
    ((float *)t->data)[i] = (float)i;
  PareValueId step = pare_write (w, "Div", f32, pare_write (w, "Mul", f32, pare_write (w, "Sub", f32, to, from), length),
                                 pare_write_number (w, (float)(n - 1)));
  return pare_write (w, "Add", f32, pare_write (w, "Mul", f32, from, length),
                     pare_write (w, "Mul", f32, pare_write_constant (w, "steps", t), step));
}

/* Between the image's edges. */
static PareValueId
inside (PareWriter *w, PareValueId at, gint64 extent)
{
  return pare_write (w, "And", PARE_DTYPE_BOOL, pare_write (w, "GreaterOrEqual", PARE_DTYPE_BOOL, at, pare_write_number (w, 0)),
                     pare_write (w, "LessOrEqual", PARE_DTYPE_BOOL, at, pare_write_number (w, (float)(extent - 1))));
}

/* Regions of images, resized: GridSample's grid, and a number where the image ends. */
static gboolean
crop_and_resize (PareWriter *w, const PareNode *node)
{
  static const gint64 rows[] = { 2 }, columns[] = { 1 }, last[] = { 3 }, channels[] = { 1 };
  g_autofree char *mode = pare_node_dup_string (node, "mode");
  gboolean nearest = g_strcmp0 (mode, "nearest") == 0;
  guint n = 0;
  g_autofree gint64 *size = pare_node_input_ints (w->graph, node, 3, &n);
  if (!pare_writer_is_float (w, w->in[0]) || !pare_writer_is_float (w, w->in[1]) || w->in[2] == PARE_NONE || size == NULL || n != 2
      || (!nearest && mode != NULL && !g_str_equal (mode, "bilinear")) || MIN (size[0], size[1]) < 1 || MAX (size[0], size[1]) > 1 << 14)
    return FALSE;
  const PareShape x = *pare_writer_shape (w, w->in[0]), boxes = *pare_writer_shape (w, w->in[1]);
  if (x.rank != 4 || boxes.rank != 2 || boxes.dims[1] != 4 || x.dims[2] < 1 || x.dims[3] < 1)
    return FALSE;
  PareValueId at[2], in_image[2], grid[2];
  for (guint i = 0; i < 2; i++)
    {
      gint64 extent = x.dims[2 + i];
      at[i] = places (w, w->in[1], i, extent, size[i]);
      in_image[i] = pare_write_unsqueeze (w, inside (w, at[i], extent), i == 0 ? rows : columns, 1);
      if (nearest)
        at[i] = pare_write (w, "Floor", f32, pare_write (w, "Add", f32, at[i], pare_write_number (w, 0.5f)), PARE_NONE);
      PareValueId relative = pare_write (w, "Mul", f32, at[i], pare_write_number (w, 2 / (float)MAX (extent - 1, 1)));
      at[i] = pare_write_unsqueeze (w, pare_write (w, "Sub", f32, relative, pare_write_number (w, 1)), i == 0 ? rows : columns, 1);
    }
  const gint64 whole[] = { boxes.dims[0], size[0], size[1] };
  for (guint i = 0; i < 2; i++) /* x comes before y */
    grid[i] = pare_write_unsqueeze (w, pare_write (w, "Expand", f32, at[1 - i], pare_write_ints (w, whole, 3)), last, 1);
  const PareValueId in[2] = { pare_write (w, "Gather", f32, w->in[0], w->in[2]), pare_write_concat (w, grid, 2, 3, PARE_NONE) };
  PareValueId sampled = pare_graph_add_value (w->graph, "GridSample", f32, NULL, PARE_NONE);
  PareNode *made = pare_write_to (w, "GridSample", sampled, in, 2);
  pare_node_set_int (made, "align_corners", 1);
  pare_node_set_string (made, "mode", nearest ? "nearest" : "linear");
  pare_node_set_string (made, "padding_mode", "border");
  PareValueId seen = pare_write_unsqueeze (w, pare_write (w, "And", PARE_DTYPE_BOOL, in_image[0], in_image[1]), channels, 1);
  pare_write_where (w, seen, sampled, pare_write_number (w, pare_node_get_float (node, "extrapolation_value", 0)), w->out[0]);
  return TRUE;
}

/* --- ONNX's latest --- */

/* Products of all up to each one: those of 1, 2, 4, ... neighbours at a time. */
static gboolean
cumulative_product (PareWriter *w, const PareNode *node)
{
  const PareShape x = *pare_writer_shape (w, w->in[0]);
  PareDtype dtype = pare_writer_dtype (w, w->in[0]);
  PareTensor *which = pare_node_input_constant (w->graph, node, 1);
  gboolean back = pare_node_get_int (node, "reverse", 0) != 0, without = pare_node_get_int (node, "exclusive", 0) != 0;
  gint64 axis = which != NULL && pare_tensor_count (which) == 1 ? pare_tensor_get_int (which, 0) : G_MININT64 / 2;
  axis += axis < 0 ? x.rank : 0;
  if (x.rank < 1 || axis < 0 || axis >= x.rank || pare_shape_count (&x) < 0 || x.dims[axis] < 1)
    return FALSE;
  gint64 n = x.dims[axis];
  PareShape one = { .rank = 0 };
  g_autoptr (PareTensor) number = pare_tensor_new (f32, &one, NULL);
  *(float *)number->data = 1;
  g_autoptr (PareTensor) typed = pare_tensor_cast (number, dtype, NULL);
  if (typed == NULL)
    return FALSE;
  PareValueId y = w->in[0], first = pare_write_constant (w, "one", typed);
  for (gint64 by = without ? 0 : 1; by < n; by = by == 0 ? 1 : 2 * by)
    { /* the first pass of one that leaves its own element out moves all by one */
      gint64 shift = MAX (by, 1), dims[PARE_MAX_RANK];
      for (int d = 0; d < x.rank; d++)
        dims[d] = d == axis ? MIN (shift, n) : x.dims[d];
      PareValueId ones = pare_write (w, "Expand", dtype, first, pare_write_ints (w, dims, (guint)x.rank));
      PareValueId rest
          = back ? pare_write_slice (w, y, axis, MIN (shift, n), n, 1) : pare_write_slice (w, y, axis, 0, n - MIN (shift, n), 1);
      const PareValueId parts[2] = { back ? rest : ones, back ? ones : rest };
      PareValueId moved = shift < n ? pare_write_concat (w, parts, 2, axis, PARE_NONE) : ones;
      y = by == 0 ? moved : pare_write (w, "Mul", dtype, y, moved);
    }
  if (without && n == 1)
    y = pare_write (w, "Expand", dtype, first, pare_write_ints (w, x.dims, (guint)x.rank));
  pare_write_to (w, "Identity", w->out[0], &y, 1);
  return TRUE;
}

/* Writes an update into a cache, of each sample from its own place on; at the end it goes on at the beginning. */
static gboolean
tensor_scatter (PareWriter *w, const PareNode *node)
{
  if (w->in[1] == PARE_NONE)
    return FALSE;
  const PareShape cache = *pare_writer_shape (w, w->in[0]), update = *pare_writer_shape (w, w->in[1]);
  gint64 axis = pare_node_get_int (node, "axis", -2), around[PARE_MAX_RANK], dims[PARE_MAX_RANK];
  g_autofree char *mode = pare_node_dup_string (node, "mode");
  axis += axis < 0 ? cache.rank : 0;
  if (cache.rank < 2 || update.rank != cache.rank || axis < 1 || axis >= cache.rank || pare_shape_count (&cache) < 0
      || pare_shape_count (&update) < 0 || update.dims[axis] > cache.dims[axis])
    return FALSE;
  PareShape steps = { .rank = cache.rank };
  for (int d = 0; d < cache.rank; d++)
    {
      steps.dims[d] = d == axis ? update.dims[d] : 1;
      dims[d] = update.dims[d];
      around[d] = d + 1;
      if (d != axis && update.dims[d] != cache.dims[d])
        return FALSE;
    }
  g_autoptr (PareTensor) t = pare_tensor_new (i64, &steps, NULL);
  if (t == NULL)
    return FALSE;
  for (gint64 i = 0; i < pare_tensor_count (t); i++)
    ((gint64 *)t->data)[i] = i;
  PareValueId at = pare_write_constant (w, "steps", t);
  if (w->in[2] != PARE_NONE)
    at = pare_write (w, "Add", i64, at, pare_write_unsqueeze (w, w->in[2], around, (guint)cache.rank - 1));
  if (g_strcmp0 (mode, "circular") == 0)
    at = pare_write (w, "Mod", i64, at, pare_write_ints (w, &cache.dims[axis], 1));
  const PareValueId in[3] = { w->in[0], pare_write (w, "Expand", i64, at, pare_write_ints (w, dims, (guint)cache.rank)), w->in[1] };
  pare_node_set_int (pare_write_to (w, "ScatterElements", w->out[0], in, 3), "axis", axis);
  return TRUE;
}

const PareDecomposeRule pare_decompose_rules_old[] = {
  { "", "Affine", affine },
  { "", "CumProd", cumulative_product },
  { "", "ImageScaler", image_scaler },
  { "", "ParametricSoftplus", scaled },
  { "", "ScaledTanh", scaled },
  { "", "TensorScatter", tensor_scatter },
  { PARE_DOMAIN_MS, "CDist", distances },
  { PARE_DOMAIN_MS, "CropAndResize", crop_and_resize },
  { PARE_DOMAIN_MS, "ExpandDims", expand_dims },
  { PARE_DOMAIN_MS, "GatherND", as_onnx },
  { PARE_DOMAIN_MS, "GridSample", grid_sample },
  { PARE_DOMAIN_MS, "MatMulInteger16", matmul_of_words },
  { PARE_DOMAIN_MS, "Pad", as_onnx },
  { PARE_DOMAIN_MS, "Range", as_onnx },
  { PARE_DOMAIN_MS, "UnfoldTensor", unfold },
  { PARE_DOMAIN_MS, "Unique", unique },
  { NULL, NULL, NULL },
};
