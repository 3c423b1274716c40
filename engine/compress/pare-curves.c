/* What the knobs cost a layer by itself: errors and curves for the window, from the weights alone. */
#include "engine/compress/pare-compress-private.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct
{
  PareNodeId node;
  PareWeightPlace place;
  PareTensor *weights; /* as they deploy: BatchNorm folded in, float32 */
  PareTensor *raw;     /* as the file has them: what zeros and shared values are chosen on */
} Layer;

static void
layer_clear (Layer *layer)
{
  g_clear_pointer (&layer->weights, pare_tensor_unref);
  g_clear_pointer (&layer->raw, pare_tensor_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Layer, layer_clear)

static gboolean
layer_open (const PareGraph *source, const char *name, Layer *layer)
{
  layer->node = pare_graph_find_layer (source, name);
  layer->weights = layer->raw = NULL;
  if (layer->node == PARE_NONE || !pare_weights_place (source, layer->node, &layer->place))
    return FALSE;
  layer->raw = pare_weights_dup (source, layer->node, &layer->place);
  layer->weights = pare_layer_dup_weights (source, name);
  return layer->raw != NULL && layer->weights != NULL && pare_weights_check_finite (layer->weights, name, NULL);
}

static double
sum_squares (const float *a, const float *b, gsize n)
{
  double sum = 0;
  for (gsize i = 0; i < n; i += 256)
    {
      double block = 0;
      for (gsize k = i; k < MIN (i + 256, n); k++)
        {
          double d = (double)a[k] - (b != NULL ? b[k] : 0);
          block += d * d;
        }
      sum += block;
    }
  return sum;
}

/* The layer's own weakest output channels as zeros: what the layer loses, whatever its group decides. */
static void
zero_channels (PareTensor *w, const PareWeightPlace *place, double ratio)
{
  PareAxisSplit s = pare_axis_split (&w->shape, place->out_axis);
  gsize n = s.outer * s.inner, gone = (gsize)floor (CLAMP (ratio, 0, 1) * (double)s.n);
  g_autofree float *row = g_new0 (float, n + 1), *norm = g_new (float, s.n + 1);
  for (gsize c = 0; c < s.n; c++)
    {
      pare_axis_gather (w->data, &s, c, row);
      norm[c] = (float)sum_squares (row, NULL, n) + 1e-30f;
    }
  pare_prune_unstructured (norm, s.n, (gone + 0.5) / (double)MAX (s.n, 1));
  memset (row, 0, n * sizeof *row);
  for (gsize c = 0; c < s.n; c++)
    if (norm[c] == 0)
      pare_axis_scatter (w->data, &s, c, row);
}

static void
shrink (const PareGraph *source, const Layer *layer, const PareLayerRecipe *r, PareTensor *w)
{
  gsize rows, columns;
  if (r->prune == PARE_PRUNE_CHANNELS && r->prune_ratio > 0)
    zero_channels (w, &layer->place, r->prune_ratio);
  if (r->factorize > PARE_FACTORIZE_OFF && r->rank > 0)
    {
      g_autofree char *why = pare_factorize_why_not (source, layer->node, r->factorize, r->rank);
      g_autofree float *matrix = why == NULL ? pare_factorize_unfold (w, &layer->place, r->factorize, &rows, &columns) : NULL;
      if (matrix != NULL)
        {
          g_autofree float *left = g_new (float, rows *(gsize)r->rank), *right = g_new (float, columns *(gsize)r->rank);
          if (pare_factorize_split (matrix, rows, columns, r->rank, left, right))
            {
              for (gsize i = 0; i < rows; i++)
                for (gsize j = 0; j < columns; j++)
                  matrix[i * columns + j] = 0;
              for (gsize i = 0; i < rows; i++)
                for (int k = 0; k < r->rank; k++)
                  {
                    float l = left[i * (gsize)r->rank + (gsize)k];
                    const float *from = right + (gsize)k * columns;
                    float *to = matrix + i * columns;
                    for (gsize j = 0; j < columns; j++)
                      to[j] += l * from[j];
                  }
              pare_factorize_fold (matrix, w, &layer->place, r->factorize);
            }
        }
    }
}

static void
thin (const Layer *layer, const PareLayerRecipe *r, PareTensor *w)
{
  gsize n = (gsize)pare_tensor_count (w);
  gboolean pruned = FALSE;
  if (r->prune == PARE_PRUNE_UNSTRUCTURED && r->prune_ratio > 0)
    {
      pare_prune_unstructured (w->data, n, r->prune_ratio);
      pruned = TRUE;
    }
  else if (r->prune == PARE_PRUNE_N_M && r->prune_m > 0 && w->shape.dims[layer->place.in_axis] >= r->prune_m)
    {
      pare_prune_n_m (w->data, &w->shape, layer->place.in_axis, r->prune_n, r->prune_m);
      pruned = TRUE;
    }
  if (r->centroids > 0)
    pare_cluster_apply (w->data, n, r->centroids, pruned);
}

/* The layer under a recipe, in apply's order; (transfer full) (nullable). */
static PareTensor *
change (const PareGraph *source, const Layer *layer, const PareLayerRecipe *r)
{
  gboolean quantized = pare_recipe_narrow_bits (r->weight_bits) || pare_recipe_narrow_bits (r->activation_bits);
  gboolean first = r->factorize > PARE_FACTORIZE_OFF || (r->centroids > 0 && quantized);
  PareTensor *w = pare_tensor_copy (first ? layer->weights : layer->raw);
  if (w == NULL)
    return NULL;
  shrink (source, layer, r, w);
  thin (layer, r, w);
  PareNodeId bn = first ? PARE_NONE : pare_weights_following_batch_norm (source, layer->node);
  if (bn != PARE_NONE)
    pare_weights_scale_by_batch_norm (source, bn, &layer->place, pare_node_get_int (&source->nodes[layer->node], "group", 1), w);
  gsize n = (gsize)pare_tensor_count (w);
  if (r->weight_bits >= 2 && r->weight_bits <= 8)
    {
      gboolean tensor = r->granularity == PARE_GRANULARITY_TENSOR || r->centroids > 0;
      pare_quant_free (pare_grid_apply (w->data, &w->shape, tensor ? -1 : layer->place.out_axis, r->weight_bits, r->range));
    }
  else if (r->weight_bits == 16)
    pare_grid_round_16 (w->data, n, pare_layer_recipe_is_bfloat (r));
  return w;
}

static double
relative_error (const PareTensor *was, const PareTensor *now)
{
  gsize n = (gsize)pare_tensor_count (was);
  double all = sum_squares (was->data, NULL, n);
  return all > 0 ? sum_squares (was->data, now->data, n) / all : 0;
}

gboolean
pare_layer_weight_error (const PareGraph *source, const PareLayerRecipe *resolved, const char *name, PareWeightError *error_out,
                         PareTensor **changed)
{
  g_auto (Layer) layer = { 0 };
  if (changed != NULL)
    *changed = NULL;
  if (!layer_open (source, name, &layer))
    return FALSE;
  g_autoptr (PareTensor) w = change (source, &layer, resolved);
  if (w == NULL)
    return FALSE;
  error_out->relative_error = relative_error (layer.weights, w);
  error_out->snr_db = error_out->relative_error > 0 ? -10 * log10 (error_out->relative_error) : INFINITY;
  error_out->count = pare_tensor_count (w);
  error_out->zeros = 0;
  for (gint64 i = 0; i < error_out->count; i++)
    error_out->zeros += ((const float *)w->data)[i] == 0;
  if (changed != NULL)
    *changed = g_steal_pointer (&w);
  return TRUE;
}

void
pare_layer_bits_curve (const PareGraph *source, const char *name, const PareLayerRecipe *resolved, double out[9])
{
  static const int bits[9] = { 2, 3, 4, 5, 6, 7, 8, 16, PARE_BITS_FLOAT };
  g_auto (Layer) layer = { 0 };
  for (int i = 0; i < 9; i++)
    out[i] = NAN;
  if (!layer_open (source, name, &layer))
    return;
  for (int i = 0; i < 9; i++)
    {
      PareLayerRecipe only;
      pare_layer_recipe_init (&only);
      only.weight_bits = bits[i];
      if (resolved != NULL)
        {
          only.granularity = resolved->granularity;
          only.range = resolved->range;
        }
      g_autoptr (PareTensor) w = change (source, &layer, &only);
      if (w == NULL)
        return;
      out[i] = relative_error (layer.weights, w);
    }
}

typedef struct
{
  float key, loss;
} Ranked;

static int
compare_ranked (const void *a, const void *b)
{
  float x = ((const Ranked *)a)->key, y = ((const Ranked *)b)->key;
  return x < y ? -1 : x > y;
}

/* out[i]: share of the loss when the smallest i / (n - 1) of the items go. Large layers are sampled evenly. */
static void
rank_losses (const float *key, const float *loss, gsize count, guint n, double *out)
{
  enum
  {
    MOST = 100000
  };
  gsize step = (count + MOST - 1) / MOST, m = 0, at = 0;
  g_autofree Ranked *items = g_new (Ranked, count / step + 2);
  double all = 0, sum = 0;
  for (gsize i = 0; i < count; i += step)
    items[m++] = (Ranked){ fabsf (key[i]), loss[i] * loss[i] };
  qsort (items, m, sizeof *items, compare_ranked);
  for (gsize i = 0; i < m; i++)
    all += items[i].loss;
  for (guint i = 0; i < n; i++)
    {
      gsize until = (gsize)floor ((double)m * i / MAX (n - 1, 1));
      for (; at < until; at++)
        sum += items[at].loss;
      out[i] = all > 0 ? MIN (sum / all, 1) : 0;
    }
}

static float *
channel_norms (const PareTensor *w, int axis, gsize *n)
{
  PareAxisSplit s = pare_axis_split (&w->shape, axis);
  g_autofree float *row = g_new (float, s.outer *s.inner + 1);
  float *norms = g_new (float, s.n + 1);
  for (gsize c = 0; c < s.n; c++)
    {
      pare_axis_gather (w->data, &s, c, row);
      norms[c] = (float)sqrt (sum_squares (row, NULL, s.outer * s.inner));
    }
  *n = s.n;
  return norms;
}

void
pare_layer_prune_curve (const PareGraph *source, const char *name, ParePrune kind, guint n, double *out)
{
  g_auto (Layer) layer = { 0 };
  for (guint i = 0; i < n; i++)
    out[i] = NAN;
  if (n == 0 || !layer_open (source, name, &layer))
    return;
  if (kind == PARE_PRUNE_N_M)
    { /* five steps: none to all of each group of four */
      double loss[5];
      for (int zeros = 0; zeros < 5; zeros++)
        {
          PareLayerRecipe only;
          pare_layer_recipe_init (&only);
          only.prune = zeros > 0 ? PARE_PRUNE_N_M : PARE_PRUNE_OFF;
          only.prune_n = zeros;
          only.prune_m = 4;
          g_autoptr (PareTensor) w = change (source, &layer, &only);
          loss[zeros] = w != NULL ? relative_error (layer.weights, w) : NAN;
        }
      for (guint i = 0; i < n; i++)
        out[i] = loss[lround (4.0 * i / MAX (n - 1, 1))];
      return;
    }
  gsize count = (gsize)pare_tensor_count (layer.raw);
  if (kind != PARE_PRUNE_CHANNELS)
    {
      rank_losses (layer.raw->data, layer.weights->data, count, n, out);
      return;
    }
  g_autofree float *key = channel_norms (layer.raw, layer.place.out_axis, &count),
                   *loss = channel_norms (layer.weights, layer.place.out_axis, &count);
  rank_losses (key, loss, count, n, out);
}

double *
pare_layer_spectrum (const PareGraph *source, const char *name, PareFactorize method, guint *n, guint *max_rank)
{
  g_auto (Layer) layer = { 0 };
  *n = 0;
  *max_rank = 0;
  if (!layer_open (source, name, &layer))
    return NULL;
  g_autofree char *why = pare_factorize_why_not (source, layer.node, method, 0);
  gsize rows, columns;
  g_autofree float *matrix = why == NULL ? pare_factorize_unfold (layer.weights, &layer.place, method, &rows, &columns) : NULL;
  if (matrix == NULL || rows > G_MAXINT32 || columns > G_MAXINT32)
    return NULL;
  gsize k = MIN (rows, columns);
  openblas_set_num_threads (1);
  g_autofree float *s = g_new0 (float, k + 1);
  if (LAPACKE_sgesdd (LAPACK_ROW_MAJOR, 'N', (lapack_int)rows, (lapack_int)columns, matrix, (lapack_int)columns, s, NULL, (lapack_int)rows,
                      NULL, (lapack_int)columns)
      != 0)
    return NULL;
  double *out = g_new (double, k);
  for (gsize i = 0; i < k; i++)
    out[i] = MAX (s[i], 0);
  *n = (guint)k;
  *max_rank = pare_factorize_max_rank (&layer.weights->shape, &layer.place, method, NULL, NULL);
  return out;
}
