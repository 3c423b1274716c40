/* Low rank: a layer becomes two thinner ones. "svd": out x (in * kernel), the second of them 1x1; "spatial": (in * kh) x (out * kw), a kh x
 * 1 convolution followed by a 1 x kw one. */
#include "engine/compress/pare-compress-private.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

static gboolean
layout (const PareShape *w, const PareWeightPlace *place, PareFactorize method, gsize *rows, gsize *columns)
{
  if (w->rank < 2 || pare_shape_count (w) <= 0)
    return FALSE;
  if (method == PARE_FACTORIZE_SPATIAL)
    {
      if (w->rank != 4 || place->out_axis != 0 || w->dims[2] * w->dims[3] == 1)
        return FALSE;
      *rows = (gsize)(w->dims[1] * w->dims[2]);
      *columns = (gsize)(w->dims[0] * w->dims[3]);
      return TRUE;
    }
  if (w->rank > 2 && place->out_axis != 0)
    return FALSE;
  *rows = (gsize)w->dims[place->out_axis];
  *columns = (gsize)pare_shape_count (w) / *rows;
  return TRUE;
}

guint
pare_factorize_max_rank (const PareShape *weights, const PareWeightPlace *place, PareFactorize method, gsize *rows, gsize *columns)
{
  gsize m, n;
  if (!layout (weights, place, method, &m, &n))
    return 0;
  if (rows != NULL)
    *rows = m;
  if (columns != NULL)
    *columns = n;
  return (guint)((m * n - 1) / (m + n)); /* the largest k with k (m + n) < m n */
}

/* Copies between weights and matrix; both orders of the same elements. */
static void
rearrange (const PareShape *w, const PareWeightPlace *place, PareFactorize method, float *tensor, float *matrix, gboolean fold)
{
  gsize rows, columns;
  layout (w, place, method, &rows, &columns);
  gsize count = (gsize)pare_shape_count (w);
  if (method == PARE_FACTORIZE_SPATIAL)
    {
      gsize M = (gsize)w->dims[0], C = (gsize)w->dims[1], H = (gsize)w->dims[2], W = (gsize)w->dims[3];
      for (gsize m = 0, i = 0; m < M; m++)
        for (gsize c = 0; c < C; c++)
          for (gsize h = 0; h < H; h++)
            for (gsize x = 0; x < W; x++, i++)
              {
                float *at = &matrix[(c * H + h) * columns + m * W + x];
                if (fold)
                  tensor[i] = *at;
                else
                  *at = tensor[i];
              }
      return;
    }
  if (place->out_axis == 0)
    memcpy (fold ? tensor : matrix, fold ? matrix : tensor, count * sizeof *matrix);
  else /* two axes, the output the second */
    for (gsize c = 0; c < columns; c++)
      for (gsize r = 0; r < rows; r++)
        {
          if (fold)
            tensor[c * rows + r] = matrix[r * columns + c];
          else
            matrix[r * columns + c] = tensor[c * rows + r];
        }
}

float *
pare_factorize_unfold (const PareTensor *weights, const PareWeightPlace *place, PareFactorize method, gsize *rows, gsize *columns)
{
  if (!layout (&weights->shape, place, method, rows, columns))
    return NULL;
  float *matrix = g_new (float, *rows **columns + 1);
  rearrange (&weights->shape, place, method, weights->data, matrix, FALSE);
  return matrix;
}

void
pare_factorize_fold (const float *matrix, PareTensor *weights, const PareWeightPlace *place, PareFactorize method)
{
  rearrange (&weights->shape, place, method, weights->data, (float *)matrix, TRUE);
}

gboolean
pare_factorize_split (float *matrix, gsize rows, gsize columns, int rank, float *left, float *right)
{
  gsize k = MIN (rows, columns);
  if (rank < 1 || (gsize)rank > k || rows > G_MAXINT32 || columns > G_MAXINT32)
    return FALSE;
  openblas_set_num_threads (1); /* sums in one order, whatever the machine */
  g_autofree float *u = g_try_new (float, rows *k), *vt = g_try_new (float, k *columns), *s = g_new0 (float, k + 1);
  if (u == NULL || vt == NULL)
    return FALSE;
  if (LAPACKE_sgesdd (LAPACK_ROW_MAJOR, 'S', (lapack_int)rows, (lapack_int)columns, matrix, (lapack_int)columns, s, u, (lapack_int)k, vt,
                      (lapack_int)columns)
      != 0)
    return FALSE;
  for (int i = 0; i < rank; i++)
    {
      float root = sqrtf (MAX (s[i], 0));
      for (gsize r = 0; r < rows; r++)
        left[r * (gsize)rank + i] = u[r * k + i] * root;
      for (gsize c = 0; c < columns; c++)
        right[(gsize)i * columns + c] = vt[(gsize)i * columns + c] * root;
    }
  return TRUE;
}

char *
pare_factorize_why_not (const PareGraph *graph, PareNodeId id, PareFactorize method, int rank)
{
  const PareNode *node = &graph->nodes[id];
  PareWeightPlace place;
  if (!pare_weights_place (graph, id, &place))
    return g_strdup ("it has no weights of its own");
  gboolean conv = pare_node_is (node, "Conv");
  if (!conv && !pare_node_is (node, "Gemm") && !pare_node_is (node, "MatMul"))
    return g_strdup_printf ("%s cannot be factorized", node->op);
  g_autoptr (PareTensor) w = pare_weights_materialize (graph, node->inputs[place.input]);
  if (w == NULL || w->dtype != PARE_DTYPE_FLOAT32)
    return g_strdup_printf ("its weights are %s; only float32 layers can be factorized",
                            w != NULL ? pare_dtype_name (w->dtype) : "not constant");
  if (conv && pare_node_get_int (node, "group", 1) != 1)
    return g_strdup ("a grouped or depthwise convolution gains nothing from a lower rank");
  if (conv && method == PARE_FACTORIZE_SPATIAL && w->shape.rank != 4)
    return g_strdup ("spatial factorization needs a two-dimensional convolution");
  if (method == PARE_FACTORIZE_SPATIAL && (!conv || w->shape.dims[2] * w->shape.dims[3] == 1))
    return g_strdup ("spatial factorization needs a kernel larger than 1x1; svd is for this layer");
  if (!conv && (w->shape.rank != 2 || pare_node_get_int (node, "transA", 0) != 0))
    return g_strdup ("its operands are not a plain matrix product");
  gsize rows, columns;
  guint max = pare_factorize_max_rank (&w->shape, &place, method, &rows, &columns);
  if (rank > 0 && (guint)rank > max)
    return g_strdup_printf ("rank %d saves nothing: a %" G_GSIZE_FORMAT " by %" G_GSIZE_FORMAT " matrix needs %u or less", rank, rows,
                            columns, max);
  return max == 0 ? g_strdup ("no rank saves anything") : NULL;
}

static PareValueId
add_part (PareGraph *g, PareValueId like, const char *suffix, const PareShape *shape, const float *data)
{
  g_autoptr (PareTensor) t = pare_tensor_new (PARE_DTYPE_FLOAT32, shape, NULL);
  if (t == NULL)
    return PARE_NONE;
  memcpy (t->data, data, t->bytes);
  g_autofree char *name = g_strconcat (g->values[like].name, suffix, NULL);
  return pare_graph_add_constant (g, name, t, g->values[like].origin);
}

/* The two spatial axes of an attribute list shared out: the part keeps entry `axis`, the other becomes `fill`. Pads are begin and end of
 * each axis. */
static void
keep_axis (PareNode *to, const PareNode *from, const char *name, int axis, gint64 fill)
{
  guint n;
  const gint64 *given = pare_node_get_ints (from, name, &n);
  gint64 out[4] = { fill, fill, fill, fill };
  if (given == NULL || (n != 2 && n != 4))
    return;
  out[axis] = given[axis];
  if (n == 4)
    out[axis + 2] = given[axis + 2];
  pare_node_set_ints (to, name, out, n);
}

static void
copy_auto_pad (PareNode *to, const PareNode *from)
{
  g_autofree char *auto_pad = pare_node_dup_string (from, "auto_pad");
  if (auto_pad != NULL)
    pare_node_set_string (to, "auto_pad", auto_pad);
}

static void
set_conv_attributes (PareGraph *g, PareNodeId first, PareNodeId second, const PareNode *old, PareFactorize method, const PareShape *w)
{
  PareNode *a = &g->nodes[first], *b = &g->nodes[second];
  gint64 kernel[PARE_MAX_RANK];
  int spatial = w->rank - 2;
  if (method == PARE_FACTORIZE_SPATIAL)
    {
      for (int axis = 0; axis < 2; axis++)
        {
          PareNode *part = axis == 0 ? a : b;
          kernel[0] = axis == 0 ? w->dims[2] : 1;
          kernel[1] = axis == 1 ? w->dims[3] : 1;
          pare_node_set_ints (part, "kernel_shape", kernel, 2);
          keep_axis (part, old, "strides", axis, 1);
          keep_axis (part, old, "dilations", axis, 1);
          keep_axis (part, old, "pads", axis, 0);
          copy_auto_pad (part, old);
        }
      return;
    }
  static const char *const lists[] = { "strides", "dilations", "pads" };
  for (int i = 0; i < spatial; i++)
    kernel[i] = w->dims[2 + i];
  pare_node_set_ints (a, "kernel_shape", kernel, (guint)spatial);
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    {
      guint n;
      const gint64 *given = pare_node_get_ints (old, lists[i], &n);
      if (given != NULL)
        pare_node_set_ints (a, lists[i], given, n);
    }
  copy_auto_pad (a, old);
  for (int i = 0; i < spatial; i++)
    kernel[i] = 1;
  pare_node_set_ints (b, "kernel_shape", kernel, (guint)spatial);
}

gboolean
pare_factorize_node (PareGraph *g, PareNodeId id, PareFactorize method, int rank, GError **error)
{
  PareWeightPlace place;
  g_autoptr (PareTensor) w = pare_weights_dup (g, id, &place);
  gsize rows, columns;
  g_autofree float *matrix = w != NULL ? pare_factorize_unfold (w, &place, method, &rows, &columns) : NULL;
  const char *layer = g->nodes[id].layer != NULL ? g->nodes[id].layer : g->nodes[id].name;
  g_autofree float *left = NULL, *right = NULL;
  if (matrix != NULL)
    {
      left = g_try_new (float, rows *(gsize)rank);
      right = g_try_new (float, columns *(gsize)rank);
    }
  if (left == NULL || right == NULL || !pare_factorize_split (matrix, rows, columns, rank, left, right))
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_MEMORY, "layer '%s': its singular values could not be computed", layer);
      return FALSE;
    }
  PareNode *old = &g->nodes[id];
  gboolean conv = pare_node_is (old, "Conv"), gemm = pare_node_is (old, "Gemm");
  PareShape first_shape = w->shape, second_shape = w->shape;
  g_autofree float *first_data = g_new (float, MAX (rows, columns) * (gsize)rank + 1),
                   *second_data = g_new (float, MAX (rows, columns) * (gsize)rank + 1);
  gsize r = (gsize)rank;
  if (method == PARE_FACTORIZE_SPATIAL)
    {
      gsize H = (gsize)w->shape.dims[2], W = (gsize)w->shape.dims[3], C = (gsize)w->shape.dims[1], M = (gsize)w->shape.dims[0];
      first_shape = pare_shape_make (4, (gint64)r, (gint64)C, (gint64)H, (gint64)1);
      second_shape = pare_shape_make (4, (gint64)M, (gint64)r, (gint64)1, (gint64)W);
      for (gsize k = 0; k < r; k++)
        for (gsize i = 0; i < C * H; i++)
          first_data[k * C * H + i] = left[i * r + k];
      for (gsize m = 0; m < M; m++)
        for (gsize k = 0; k < r; k++)
          for (gsize x = 0; x < W; x++)
            second_data[(m * r + k) * W + x] = right[k * columns + m * W + x];
    }
  else if (place.out_axis == 0) /* Conv, Gemm with transB: out x in */
    {
      first_shape.dims[0] = (gint64)r;
      second_shape.dims[1] = (gint64)r;
      for (int i = 2; i < w->shape.rank; i++)
        second_shape.dims[i] = 1;
      memcpy (first_data, right, r * columns * sizeof *right);
      memcpy (second_data, left, rows * r * sizeof *left);
    }
  else /* in x out: both transposed. A matrix on the left of MatMul has its output first and went above. */
    {
      first_shape.dims[1] = (gint64)r;
      second_shape.dims[0] = (gint64)r;
      for (gsize k = 0; k < r; k++)
        {
          for (gsize c = 0; c < columns; c++)
            first_data[c * r + k] = right[k * columns + c];
          for (gsize o = 0; o < rows; o++)
            second_data[k * rows + o] = left[o * r + k];
        }
    }
  PareValueId weights = old->inputs[place.input];
  PareValueId a = add_part (g, weights, "_first", &first_shape, first_data),
              b = add_part (g, weights, "_second", &second_shape, second_data);
  if (a == PARE_NONE || b == PARE_NONE)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_MEMORY, "layer '%s': no memory for its parts", layer);
      return FALSE;
    }
  old = &g->nodes[id];
  PareValueId out = old->outputs[0], data = old->inputs[place.input == 0 ? 1 : 0];
  g_autofree char *mid_name = g_strconcat (g->values[out].name, "_rank", NULL);
  PareShape unknown = { .rank = -1 };
  PareValueId mid = pare_graph_add_value (g, mid_name, g->values[out].dtype, &unknown, PARE_NONE);
  g_autofree char *first_name = g_strconcat (layer, ".first", NULL), *second_name = g_strconcat (layer, ".second", NULL),
                  *op = g_strdup (old->op);
  PareNodeId origin = old->origin;
  PareValueId bias = (conv || gemm) && old->n_inputs > 2 ? old->inputs[2] : PARE_NONE, nothing = PARE_NONE;
  if (gemm && g->opset < 11) /* there a Gemm without anything to add does not exist */
    {
      PareShape s = pare_shape_make (1, (gint64)r);
      g_autofree float *zeros = g_new0 (float, r);
      nothing = add_part (g, weights, "_first_bias", &s, zeros);
      old = &g->nodes[id];
    }
  PareValueId first_in[3] = { data, a, nothing }, second_in[3] = { mid, b, bias };
  if (place.input == 0)
    {
      first_in[0] = a, first_in[1] = data;
      second_in[0] = b, second_in[1] = mid;
    }
  PareNodeId first = pare_graph_add_node (g, op, first_name, first_in, nothing != PARE_NONE ? 3 : 2, &mid, 1, origin, PARE_ROLE_FACTOR);
  PareNodeId second = pare_graph_add_node (g, op, second_name, second_in, bias != PARE_NONE ? 3 : 2, &out, 1, origin, PARE_ROLE_FACTOR);
  g->nodes[first].layer = pare_graph_keep_name (g, first_name);
  g->nodes[second].layer = pare_graph_keep_name (g, second_name);
  old = &g->nodes[id];
  if (conv)
    set_conv_attributes (g, first, second, old, method, &w->shape);
  if (gemm)
    {
      gint64 trans = pare_node_get_int (old, "transB", 0);
      pare_node_set_int (&g->nodes[first], "transB", trans);
      pare_node_set_int (&g->nodes[second], "transB", trans);
      pare_node_set_float (&g->nodes[second], "alpha", pare_node_get_float (old, "alpha", 1));
      pare_node_set_float (&g->nodes[second], "beta", pare_node_get_float (old, "beta", 1));
      if (g->opset < 7)
        {
          pare_node_set_int (&g->nodes[first], "broadcast", 1);
          pare_node_set_int (&g->nodes[second], "broadcast", pare_node_get_int (old, "broadcast", 0));
        }
    }
  old->n_outputs = 0; /* the second part makes it now */
  pare_graph_remove_node (g, id);
  return TRUE;
}
