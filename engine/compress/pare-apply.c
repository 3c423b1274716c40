/* apply: a source graph and a recipe make graph'. Works at file level: the graph keeps its own opset and what the recipe does not touch.
 * Order: channels -> factorize -> zeros -> shared weights -> fold BatchNorm into what is quantized -> weight grids -> activation grids. */
#include "engine/compress/pare-compress-private.h"

#include <math.h>
#include <string.h>

void
pare_warn (GPtrArray *warnings, const char *layer, const char *format, ...)
{
  if (warnings == NULL)
    return;
  va_list args;
  va_start (args, format);
  g_autofree char *reason = g_strdup_vprintf (format, args);
  va_end (args);
  g_ptr_array_add (warnings, g_strdup_printf ("layer '%s': %s", layer, reason));
}

gboolean
pare_recipe_narrow_bits (int bits)
{
  return bits != PARE_BITS_UNSET && bits != PARE_BITS_FLOAT;
}

gboolean
pare_recipe_touches (const PareLayerRecipe *r)
{
  return pare_recipe_narrow_bits (r->weight_bits) || pare_recipe_narrow_bits (r->activation_bits) || r->prune > PARE_PRUNE_OFF
         || r->factorize > PARE_FACTORIZE_OFF || r->centroids > 0;
}

typedef struct
{
  const PareGraph *source;
  const PareRecipe *recipe;
  PareGraph *graph;
  PareLayerRecipe *resolved; /* by node of the source */
  guint8 *touched, *told;    /* told: of too few inputs for n:m, once for a layer of several matrices (recurrent, factorized) */
  GPtrArray *warnings;
  gboolean untidy; /* something has been replaced since the graph was compacted */
} Apply;

static const char *
layer_name (const Apply *a, PareNodeId origin)
{
  return a->source->nodes[origin].layer;
}

static gboolean
resolve_layers (Apply *a, GError **error)
{
  const PareGraph *source = a->source;
  const char *sha = pare_recipe_get_model_sha256 (a->recipe);
  if (sha != NULL && source->sha256 != NULL && g_ascii_strcasecmp (sha, source->sha256) != 0)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_RECIPE, "model_sha256: the recipe is for another model (%.12s…, this one is %.12s…)", sha,
                   source->sha256);
      return FALSE;
    }
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < source->n_nodes; i++)
    if (source->nodes[i].layer != NULL)
      g_hash_table_insert (names, (gpointer)source->nodes[i].layer, GUINT_TO_POINTER (i + 1));
  g_auto (GStrv) layers = pare_recipe_list_layers (a->recipe);
  for (char **name = layers; *name != NULL; name++)
    {
      guint id = GPOINTER_TO_UINT (g_hash_table_lookup (names, *name));
      PareLayerRecipe resolved;
      if (id == 0)
        {
          g_set_error (error, PARE_ERROR, PARE_ERROR_RECIPE, "layers.%s: %s has no such layer", *name,
                       source->path ? source->path : "the model");
          return FALSE;
        }
      pare_recipe_resolve (a->recipe, *name, &resolved);
      if (pare_recipe_touches (&resolved) && !pare_layer_is_compressible (source, id - 1, NULL))
        pare_warn (a->warnings, *name, "%s has no float weights of its own; left as it was", source->nodes[id - 1].op);
    }
  a->resolved = g_new0 (PareLayerRecipe, source->n_nodes + 1);
  a->touched = g_new0 (guint8, source->n_nodes + 1);
  a->told = g_new0 (guint8, source->n_nodes + 1);
  for (guint i = 0; i < source->n_nodes; i++)
    {
      PareLayerRecipe *r = &a->resolved[i];
      pare_layer_recipe_init (r);
      if (!pare_layer_is_compressible (source, i, NULL))
        continue;
      pare_recipe_resolve (a->recipe, layer_name (a, i), r);
      PareWeightPlace place;
      g_autoptr (PareTensor) raw = NULL;
      if (pare_recipe_touches (r) && pare_weights_place (source, i, &place))
        raw = pare_weights_materialize (source, source->nodes[i].inputs[place.input]);
      if (raw != NULL && raw->dtype != PARE_DTYPE_FLOAT32
          && (pare_recipe_narrow_bits (r->weight_bits) || pare_recipe_narrow_bits (r->activation_bits)))
        {
          pare_warn (a->warnings, layer_name (a, i), "its weights are %s; only float32 layers can be quantized",
                     pare_dtype_name (raw->dtype));
          r->weight_bits = r->activation_bits = PARE_BITS_FLOAT;
        }
      a->touched[i] = pare_recipe_touches (r);
    }
  return TRUE;
}

/* --- what belongs to a layer is folded into it --- */

/* Conv without bias + Add of one value per channel: the bias in another dress. */
static void
fold_bias (PareGraph *g, PareNodeId id, const PareConsumers *consumers)
{
  PareNode *node = &g->nodes[id];
  if (!pare_node_is (node, "Conv") || (node->n_inputs > 2 && node->inputs[2] != PARE_NONE) || node->n_inputs < 2)
    return;
  PareValueId out = node->outputs[0];
  if (consumers->starts[out + 1] - consumers->starts[out] != 1 || pare_graph_is_output (g, out))
    return;
  PareNodeId next = consumers->nodes[consumers->starts[out]];
  const PareNode *add = &g->nodes[next];
  if (!pare_node_is (add, "Add") || add->n_inputs != 2 || add->inputs[0] == add->inputs[1])
    return;
  PareValueId other = add->inputs[add->inputs[0] == out];
  const PareTensor *weights = g->values[node->inputs[1]].constant;
  g_autoptr (PareTensor) c = pare_weights_materialize (g, other);
  if (c == NULL || weights == NULL || c->dtype != weights->dtype || weights->shape.rank < 3)
    return;
  int spatial = weights->shape.rank - 2, rank = c->shape.rank;
  gint64 channels = weights->shape.dims[0];
  if (pare_tensor_count (c) != channels || rank <= spatial || rank > spatial + 2 || c->shape.dims[rank - spatial - 1] != channels)
    return;
  PareShape shape = pare_shape_make (1, channels);
  g_autoptr (PareTensor) bias = pare_tensor_reshape (c, &shape, NULL);
  if (bias == NULL)
    return;
  g_autofree char *name = g_strconcat (g->values[other].name, "_bias", NULL);
  PareValueId sum = add->outputs[0],
              inputs[3] = { node->inputs[0], node->inputs[1], pare_graph_add_constant (g, name, bias, g->values[other].origin) };
  pare_graph_remove_node (g, next);
  node = &g->nodes[id];
  pare_node_set_inputs (node, inputs, 3);
  node->outputs[0] = sum;
  g->values[out].producer = PARE_NONE;
  g->values[sum].producer = id;
}

typedef gboolean (*LayerTest) (const PareLayerRecipe *r);

static gboolean
is_quantized (const PareLayerRecipe *r)
{
  return pare_recipe_narrow_bits (r->weight_bits) || pare_recipe_narrow_bits (r->activation_bits);
}

/* Zeros and shared values are chosen on the weights as the file has them: measured, magnitudes before the BatchNorm's scale tell better
 * what may go, and values stay shared only where no scale per channel comes after. What follows in the same layer may need them folded
 * already. */
static gboolean
folds_first (const PareLayerRecipe *r)
{
  return r->factorize > PARE_FACTORIZE_OFF || (r->centroids > 0 && is_quantized (r));
}

static gboolean
fold_layers (Apply *a, LayerTest test, GError **error)
{
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < a->source->n_nodes; i++)
    if (a->touched[i] && test (&a->resolved[i]))
      g_hash_table_add (names, (gpointer)a->source->nodes[i].layer);
  if (g_hash_table_size (names) == 0)
    return TRUE;
  PareGraph *g = a->graph;
  pare_graph_fold_batch_norm (g, names);
  g_autoptr (PareConsumers) consumers = pare_graph_consumers (g);
  for (guint i = 0; i < g->n_nodes; i++)
    if (g->nodes[i].op != NULL && g->nodes[i].origin < a->source->n_nodes && a->touched[g->nodes[i].origin]
        && test (&a->resolved[g->nodes[i].origin]))
      fold_bias (g, i, consumers);
  return pare_graph_compact (g, error);
}

/* What Identity nodes hand on to this value: exporters write them where several layers share weights. */
static PareValueId
behind_identities (const PareGraph *g, PareValueId id)
{
  for (PareNodeId from; (from = g->values[id].producer) != PARE_NONE; id = g->nodes[from].inputs[0])
    if (!pare_node_is (&g->nodes[from], "Identity") || g->nodes[from].n_inputs != 1 || g->nodes[from].inputs[0] == PARE_NONE)
      break;
  return id;
}

/* Weights behind Constant, Reshape and the like become constants of their own. */
static void
materialize_layers (Apply *a)
{
  PareGraph *g = a->graph;
  for (guint i = 0; i < g->n_nodes; i++)
    {
      PareNode *node = &g->nodes[i];
      PareWeightPlace place;
      if (node->op == NULL || node->origin >= a->source->n_nodes || !a->touched[node->origin] || !pare_weights_place (g, i, &place))
        continue;
      PareValueId value = node->inputs[place.input] = behind_identities (g, node->inputs[place.input]);
      g_autoptr (PareTensor) t = g->values[value].constant == NULL ? pare_weights_materialize (g, value) : NULL;
      if (t != NULL)
        {
          PareValueId id = pare_graph_add_constant (g, g->values[value].name, t, g->values[value].origin);
          g->nodes[i].inputs[place.input] = id;
        }
    }
}

/* --- one layer's weights --- */

/* A constant input as float32 to work on, checked; NULL with an error, or without one where there is nothing to do. */
static PareTensor *
open_weights (const Apply *a, PareNodeId id, guint input, PareDtype *dtype, GError **error)
{
  const PareNode *node = &a->graph->nodes[id];
  g_autoptr (PareTensor) raw
      = input < node->n_inputs && node->inputs[input] != PARE_NONE ? pare_weights_materialize (a->graph, node->inputs[input]) : NULL;
  if (raw == NULL)
    return NULL;
  *dtype = raw->dtype;
  g_autoptr (PareTensor) w = raw->dtype == PARE_DTYPE_FLOAT32 ? pare_tensor_copy (raw) : pare_tensor_cast (raw, PARE_DTYPE_FLOAT32, error);
  return w != NULL && pare_weights_check_finite (w, layer_name (a, node->origin), error) ? g_steal_pointer (&w) : NULL;
}

/* The input reads a constant of its own from now on: others may share the old one. */
static PareValue *
store_weights (Apply *a, PareNodeId id, guint input, PareTensor *w, PareDtype dtype, GError **error)
{
  PareGraph *g = a->graph;
  g_autoptr (PareTensor) stored = dtype == PARE_DTYPE_FLOAT32 ? pare_tensor_ref (w) : pare_tensor_cast (w, dtype, error);
  if (stored == NULL)
    return NULL;
  PareValueId old = g->nodes[id].inputs[input], value = pare_graph_add_constant (g, g->values[old].name, stored, g->values[old].origin);
  PareValue *v = &g->values[value];
  v->encoding = g->values[old].encoding;
  v->sparse_n = g->values[old].sparse_n;
  v->sparse_m = g->values[old].sparse_m;
  g->nodes[id].inputs[input] = value;
  a->untidy = TRUE;
  return v;
}

static gboolean
thin_weights (Apply *a, PareNodeId id, guint input, const PareWeightPlace *place, GError **error)
{
  PareNodeId origin = a->graph->nodes[id].origin;
  const PareLayerRecipe *r = &a->resolved[origin];
  gboolean unstructured = r->prune == PARE_PRUNE_UNSTRUCTURED && r->prune_ratio > 0, n_m = r->prune == PARE_PRUNE_N_M;
  if (!unstructured && !n_m && r->centroids <= 0)
    return TRUE;
  GError *reason = NULL;
  PareDtype dtype;
  g_autoptr (PareTensor) w = open_weights (a, id, input, &dtype, &reason);
  if (w == NULL)
    {
      gboolean ok = reason == NULL;
      if (!ok)
        g_propagate_error (error, reason);
      return ok;
    }
  gsize n = (gsize)pare_tensor_count (w);
  gint64 inputs = w->shape.dims[place->in_axis];
  if (n_m && inputs < r->prune_m)
    {
      if (!a->told[origin])
        pare_warn (a->warnings, layer_name (a, origin),
                   "%d:%d needs at least %d input channels, it has %" G_GINT64_FORMAT "; left as it was", r->prune_n, r->prune_m,
                   r->prune_m, inputs);
      a->told[origin] = TRUE;
      n_m = FALSE;
    }
  if (unstructured)
    pare_prune_unstructured (w->data, n, r->prune_ratio);
  if (n_m)
    pare_prune_n_m (w->data, &w->shape, place->in_axis, r->prune_n, r->prune_m);
  if (r->centroids > 0)
    pare_cluster_apply (w->data, n, r->centroids, unstructured || n_m);
  else if (!unstructured && !n_m)
    return TRUE;
  PareValue *v = store_weights (a, id, input, w, dtype, error);
  if (v == NULL)
    return FALSE;
  if (r->centroids > 0)
    v->encoding = PARE_ENCODING_CODEBOOK;
  if (n_m)
    {
      v->sparse_n = r->prune_n;
      v->sparse_m = r->prune_m;
    }
  return TRUE;
}

static gboolean
lay_weights (Apply *a, PareNodeId id, guint input, const PareWeightPlace *place, GError **error)
{
  const PareLayerRecipe *r = &a->resolved[a->graph->nodes[id].origin];
  if (!pare_recipe_narrow_bits (r->weight_bits))
    return TRUE;
  GError *reason = NULL;
  PareDtype dtype;
  g_autoptr (PareTensor) w = open_weights (a, id, input, &dtype, &reason);
  if (w == NULL)
    {
      gboolean ok = reason == NULL;
      if (!ok)
        g_propagate_error (error, reason);
      return ok;
    }
  PareQuant *quant = NULL;
  PareDtype storage = PARE_DTYPE_NONE;
  /* Shared values stay shared only under one scale. */
  gboolean tensor = r->granularity == PARE_GRANULARITY_TENSOR || r->centroids > 0;
  if (r->weight_bits == 16)
    storage = pare_grid_round_16 (w->data, (gsize)pare_tensor_count (w), pare_layer_recipe_is_bfloat (r));
  else
    quant = pare_grid_apply (w->data, &w->shape, tensor ? -1 : place->out_axis, r->weight_bits, r->range);
  PareValue *v = store_weights (a, id, input, w, dtype, error);
  if (v == NULL)
    {
      pare_quant_free (quant);
      return FALSE;
    }
  v->quant = quant;
  v->storage = storage;
  return TRUE;
}

typedef gboolean (*WeightFunc) (Apply *a, PareNodeId id, guint input, const PareWeightPlace *place, GError **error);

static gboolean
each_weight (Apply *a, WeightFunc func, PareControl *control, GError **error)
{
  guint n = a->graph->n_nodes;
  for (guint i = 0; i < n; i++)
    {
      const PareNode *node = &a->graph->nodes[i];
      PareWeightPlace place;
      if (node->op == NULL || node->origin >= a->source->n_nodes || !a->touched[node->origin] || node->role == PARE_ROLE_QUANT
          || !pare_weights_place (a->graph, i, &place))
        continue;
      gboolean recurrent = pare_node_is (node, "LSTM") || pare_node_is (node, "GRU") || pare_node_is (node, "RNN");
      if (pare_control_check (control, error) || !func (a, i, place.input, &place, error))
        return FALSE;
      if (recurrent && !func (a, i, 2, &place, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
factorize_layers (Apply *a, PareControl *control, GError **error)
{
  guint n = a->graph->n_nodes;
  for (guint i = 0; i < n; i++)
    {
      const PareNode *node = &a->graph->nodes[i];
      if (node->op == NULL || node->origin >= a->source->n_nodes || !a->touched[node->origin])
        continue;
      const PareLayerRecipe *r = &a->resolved[node->origin];
      PareWeightPlace place;
      if (r->factorize <= PARE_FACTORIZE_OFF || !pare_weights_place (a->graph, i, &place))
        continue;
      if (pare_control_check (control, error))
        return FALSE;
      PareNodeId origin = node->origin;
      g_autoptr (PareTensor) w = pare_weights_dup (a->graph, i, &place);
      if (w == NULL || !pare_weights_check_finite (w, layer_name (a, origin), error))
        return FALSE;
      g_autofree char *why = pare_factorize_why_not (a->graph, i, r->factorize, r->rank);
      if (r->rank <= 0)
        pare_warn (a->warnings, layer_name (a, origin), "factorize names no rank; left as it was");
      else if (why != NULL)
        pare_warn (a->warnings, layer_name (a, origin), "%s; left as it was", why);
      else if (!pare_factorize_node (a->graph, i, r->factorize, r->rank, error))
        return FALSE;
      else
        a->untidy = TRUE;
    }
  return TRUE;
}

static gboolean
prune_channels (Apply *a, GError **error)
{
  gboolean wanted = FALSE;
  for (guint i = 0; i < a->source->n_nodes; i++)
    wanted |= a->touched[i] && a->resolved[i].prune == PARE_PRUNE_CHANNELS && a->resolved[i].prune_ratio > 0;
  if (!wanted)
    return TRUE;
  a->untidy = TRUE;
  g_autoptr (PareChannels) channels = pare_channels_new (a->graph);
  return pare_channels_narrow (channels, a->graph, a->resolved, a->source->n_nodes, a->warnings, error);
}

/* Between the steps the graph is sorted and rid of what nobody reads, since each of them looks at who reads what. */
static gboolean
tidy (Apply *a, GError **error)
{
  gboolean untidy = a->untidy;
  a->untidy = FALSE;
  return !untidy || pare_graph_compact (a->graph, error);
}

static void
apply_clear (Apply *a)
{
  g_clear_pointer (&a->graph, pare_graph_unref);
  g_free (a->resolved);
  g_free (a->touched);
  g_free (a->told);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Apply, apply_clear)

PareGraph *
pare_apply (const PareGraph *source, const PareRecipe *recipe, const PareStatistics *statistics, GPtrArray *warnings, PareControl *control,
            GError **error)
{
  g_auto (Apply) a = { source, recipe, .warnings = warnings };
  if (pare_control_check (control, error) || !resolve_layers (&a, error))
    return NULL;
  a.graph = pare_graph_copy (source);
  for (guint i = 0; i < a.graph->n_nodes; i++)
    a.graph->nodes[i].origin = i;
  for (guint i = 0; i < a.graph->n_values; i++)
    a.graph->values[i].origin = i;
  gboolean any = FALSE, activations = FALSE;
  for (guint i = 0; i < source->n_nodes; i++)
    {
      any |= a.touched[i];
      activations |= a.touched[i] && pare_recipe_narrow_bits (a.resolved[i].activation_bits);
    }
  if (!any)
    return g_steal_pointer (&a.graph);
  g_clear_pointer (&a.graph->source, g_bytes_unref); /* these are another graph's bytes now */
  materialize_layers (&a);
  if (!pare_graph_compact (a.graph, error) || !prune_channels (&a, error) || !fold_layers (&a, folds_first, error)
      || !factorize_layers (&a, control, error) || !each_weight (&a, thin_weights, control, error) || !tidy (&a, error)
      || !fold_layers (&a, is_quantized, error) || !each_weight (&a, lay_weights, control, error) || !tidy (&a, error))
    return NULL;
  if (activations
      && (!pare_activations_apply (a.graph, source, a.resolved, statistics, warnings, error) || !pare_graph_compact (a.graph, error)))
    return NULL;
  return g_steal_pointer (&a.graph);
}
