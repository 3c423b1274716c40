/* Grids on activations. Each quantized layer asks for its data input on a grid; what lies between such layers (sums, pools, concatenations,
 * changes of shape) carries the widest grid that its readers ask for, so that a runtime finds integers on both sides of everything it can
 * fuse:
 *
 *   Conv - (Relu) - Q - Conv,   Q, Q - Add - (Relu) - Q,   Q - MaxPool - same Q,   Q, Q - Concat - same Q
 *
 * An activation that clips and belongs to one node alone has no grid in front of it: its own is the range after it.
 *
 * Layers of 16 bits on both sides ask for bfloat16 instead: a rounding without a scale, so that nothing needs to be measured. It is laid
 * where values are stored, not where a runtime keeps a sum of floats: not between a layer and the sum or the activation behind it.
 * Attention in front of such a layer multiplies bfloat16, too: what goes into both of its products is rounded, what goes into its softmax
 * is not. */
#include "engine/compress/pare-compress-private.h"

#include <math.h>
#include <string.h>

typedef struct
{
  int bits;
  PareCalibrator calibrator;
  double percentile;
  gboolean bfloat;
} Want;

/* A value that is to be laid on a grid in one way. */
typedef struct
{
  PareValueId value;
  Want want;
  guint parent;   /* union-find: points with one root share scale and zero point */
  gboolean moved; /* what moves data makes it of values that are laid the same way: it lies so by itself */
  PareValueId laid;
  double low, high; /* of the root: the union of its members' ranges */
} Point;

typedef struct
{
  PareNodeId node;
  guint input, point;
} Reader;

typedef struct
{
  PareGraph *graph;
  const PareGraph *source;
  const PareLayerRecipe *resolved;
  PareConsumers *consumers;
  GArray *points, *readers;
  GArray **at;         /* by value: guint ids of its points, or NULL */
  gboolean *is_scores; /* by node: the first product of attention in bfloat16 */
} Work;

typedef enum
{
  FLOW_NONE,
  FLOW_OWN /* grids on both sides, each its own */,
  FLOW_SAME /* one grid */,
  FLOW_CLIP /* Relu, Clip */
} Flow;

static gboolean
is_one_of (const PareNode *node, const char *const *ops)
{
  return node->op != NULL && (node->domain == NULL || node->domain[0] == '\0') && g_strv_contains (ops, node->op);
}

static Flow
flow_of (const PareNode *node)
{
  static const char *const same[]
      = { "MaxPool", "GlobalMaxPool", "Reshape",      "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Slice",
          "Pad",     "DepthToSpace",  "SpaceToDepth", "Concat",  "Split",     "Gather",  "Expand",    "Tile",     NULL };
  static const char *const own[]
      = { "Add",       "Sub", "Mul",   "AveragePool", "GlobalAveragePool", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid",
          "HardSwish", "Elu", "PRelu", "Resize",      "Upsample",          NULL };
  static const char *const clip[] = { "Relu", "Clip", NULL };
  return is_one_of (node, same) ? FLOW_SAME : is_one_of (node, own) ? FLOW_OWN : is_one_of (node, clip) ? FLOW_CLIP : FLOW_NONE;
}

static gboolean
is_pool (const PareNode *node)
{
  static const char *const pools[] = { "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", NULL };
  return is_one_of (node, pools);
}

static gboolean
computes (const PareNode *node)
{
  static const char *const ops[] = { "Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Sub", "Mul", "BatchNormalization", NULL };
  return is_one_of (node, ops);
}

static gboolean
is_constant (const PareGraph *graph, PareValueId value)
{
  if (value == PARE_NONE || graph->values[value].constant != NULL)
    return TRUE;
  PareNodeId p = graph->values[value].producer;
  return p != PARE_NONE && pare_node_is (&graph->nodes[p], "Constant");
}

static guint
n_readers (const PareConsumers *c, PareValueId v)
{
  return c->starts[v + 1] - c->starts[v];
}

/* A clip that no grid stands in front of: the only reader of something that computes. */
static gboolean
is_fused_clip (const PareGraph *graph, const PareConsumers *consumers, const PareNode *node)
{
  if (flow_of (node) != FLOW_CLIP)
    return FALSE;
  PareValueId in = node->inputs[0];
  PareNodeId p = in != PARE_NONE ? graph->values[in].producer : PARE_NONE;
  return p != PARE_NONE && n_readers (consumers, in) == 1 && !pare_graph_is_output (graph, in) && computes (&graph->nodes[p]);
}

gboolean
pare_activations_watches (const PareGraph *graph, const PareConsumers *consumers, PareValueId value)
{
  const PareValue *v = &graph->values[value];
  if (is_constant (graph, value) || (v->dtype != PARE_DTYPE_FLOAT32 && v->dtype != PARE_DTYPE_NONE) || n_readers (consumers, value) == 0)
    return FALSE;
  for (guint k = consumers->starts[value]; k < consumers->starts[value + 1]; k++)
    {
      const PareNode *reader = &graph->nodes[consumers->nodes[k]];
      Flow flow = flow_of (reader);
      if (pare_layer_is_compressible (graph, consumers->nodes[k], NULL) || (flow != FLOW_NONE && !is_fused_clip (graph, consumers, reader)))
        return TRUE;
    }
  return FALSE;
}

static guint
find_root (Work *w, guint i)
{
  while (g_array_index (w->points, Point, i).parent != i)
    i = g_array_index (w->points, Point, i).parent;
  return i;
}

static void
unite (Work *w, guint a, guint b)
{
  a = find_root (w, a);
  b = find_root (w, b);
  if (a != b)
    g_array_index (w->points, Point, MAX (a, b)).parent = MIN (a, b);
}

static guint
request (Work *w, PareValueId value, const Want *want, PareNodeId node, guint input)
{
  guint id = G_MAXUINT;
  if (w->at[value] == NULL)
    w->at[value] = g_array_new (FALSE, FALSE, sizeof (guint));
  for (guint i = 0; i < w->at[value]->len && id == G_MAXUINT; i++)
    {
      guint candidate = g_array_index (w->at[value], guint, i);
      const Want *other = &g_array_index (w->points, Point, candidate).want;
      if (other->bits == want->bits && other->calibrator == want->calibrator && other->percentile == want->percentile
          && other->bfloat == want->bfloat)
        id = candidate;
    }
  if (id == G_MAXUINT)
    {
      id = w->points->len;
      Point point = { value, *want, id, FALSE, PARE_NONE, INFINITY, -INFINITY };
      g_array_append_val (w->points, point);
      g_array_append_val (w->at[value], id);
    }
  Reader reader = { node, input, id };
  g_array_append_val (w->readers, reader);
  return id;
}

/* The widest of what is asked of the node's outputs; a clip that belongs to the node is part of it. */
static guint
widest (Work *w, const PareNode *node)
{
  guint best = G_MAXUINT;
  PareValueId only = node->n_outputs == 1 ? node->outputs[0] : PARE_NONE;
  if (only != PARE_NONE && n_readers (w->consumers, only) == 1)
    {
      const PareNode *next = &w->graph->nodes[w->consumers->nodes[w->consumers->starts[only]]];
      if (is_fused_clip (w->graph, w->consumers, next))
        node = next;
    }
  for (guint o = 0; o < node->n_outputs; o++)
    for (guint i = 0; node->outputs[o] != PARE_NONE && w->at[node->outputs[o]] != NULL && i < w->at[node->outputs[o]]->len; i++)
      {
        guint id = g_array_index (w->at[node->outputs[o]], guint, i);
        if (best == G_MAXUINT || g_array_index (w->points, Point, id).want.bits > g_array_index (w->points, Point, best).want.bits)
          best = id;
      }
  return best;
}

/* The layer's own wish, if the node is one whose data input goes on a grid; data: that input. */
static gboolean
layer_want (const Work *w, PareNodeId id, Want *want, guint *data)
{
  const PareNode *node = &w->graph->nodes[id];
  PareWeightPlace place;
  if (node->role == PARE_ROLE_QUANT || node->origin >= w->source->n_nodes || !pare_weights_place (w->graph, id, &place))
    return FALSE;
  const PareLayerRecipe *r = &w->resolved[node->origin];
  if (!pare_recipe_narrow_bits (r->activation_bits))
    return FALSE;
  *data = pare_node_is (node, "MatMul") ? 1 - place.input : 0;
  if (pare_layer_recipe_is_bfloat (r))
    *want = (Want){ .bits = 16, .bfloat = TRUE };
  else
    *want = (Want){ r->activation_bits, r->calibrator, r->calibrator == PARE_CALIBRATOR_PERCENTILE ? r->percentile : 0, FALSE };
  return *data < node->n_inputs && !is_constant (w->graph, node->inputs[*data]);
}

/* A pool at the end that nothing asks anything of: the quantized layer in front of it still wants integers behind it. */
static gboolean
tail_want (const Work *w, const PareNode *pool, Want *want)
{
  PareValueId v = pool->inputs[0];
  for (guint k = w->consumers->starts[v]; k < w->consumers->starts[v + 1]; k++)
    if (!is_pool (&w->graph->nodes[w->consumers->nodes[k]]))
      return FALSE;
  PareNodeId p = w->graph->values[v].producer;
  if (p != PARE_NONE && is_fused_clip (w->graph, w->consumers, &w->graph->nodes[p]))
    p = w->graph->values[w->graph->nodes[p].inputs[0]].producer;
  guint data;
  return p != PARE_NONE && layer_want (w, p, want, &data);
}

/* The node that computes the k-th operand and that nothing else reads: what comes of it need not be stored. */
static PareNodeId
own_producer (const Work *w, const PareNode *node, guint k)
{
  PareValueId v = node->inputs[k];
  PareNodeId p = w->graph->values[v].producer;
  return p != PARE_NONE && n_readers (w->consumers, v) == 1 && !pare_graph_is_output (w->graph, v) && computes (&w->graph->nodes[p])
             ? p
             : PARE_NONE;
}

/* Is the k-th operand of a node whose result goes to bfloat16 stored on its own? A product takes the sum and the activation behind it into
 * its own sums; of two products the one that comes first takes the sum. Products of two values are mostly activations in parts: where one
 * of them is stored narrow for another reader, that is taken. */
static gboolean
is_stored (const Work *w, const PareNode *node, guint k)
{
  if (is_pool (node) || flow_of (node) == FLOW_SAME || pare_node_is (node, "Resize") || pare_node_is (node, "Upsample"))
    return TRUE;
  if (!pare_node_is (node, "Add") || node->n_inputs != 2)
    return FALSE;
  PareNodeId own = own_producer (w, node, k), other = own_producer (w, node, 1 - k);
  if (own != PARE_NONE && other != PARE_NONE && pare_node_is (&w->graph->nodes[own], "Mul")
      && pare_node_is (&w->graph->nodes[other], "Mul"))
    return FALSE; /* a rotation */
  return own == PARE_NONE || (other != PARE_NONE && other < own);
}

static gboolean
takes_narrow (const PareNode *node)
{
  return flow_of (node) != FLOW_NONE && !pare_node_is (node, "PRelu");
}

/* Readers that would take either read what is stored anyway. */
static void
share_narrow (Work *w, const Point *point)
{
  for (guint k = w->consumers->starts[point->value]; k < w->consumers->starts[point->value + 1]; k++)
    {
      PareNode *reader = &w->graph->nodes[w->consumers->nodes[k]];
      if (reader->op == NULL || !takes_narrow (reader))
        continue;
      for (guint i = 0; i < reader->n_inputs; i++)
        if (reader->inputs[i] == point->value)
          reader->inputs[i] = point->laid;
    }
}

/* The product of two activations that is the softmax' argument but for a factor and a mask; PARE_NONE: there is none. */
static PareNodeId
find_scores (const Work *w, PareValueId v)
{
  for (;;)
    {
      PareNodeId p = w->graph->values[v].producer;
      if (p == PARE_NONE || n_readers (w->consumers, v) != 1 || pare_graph_is_output (w->graph, v))
        return PARE_NONE;
      const PareNode *node = &w->graph->nodes[p];
      if (pare_node_is (node, "MatMul"))
        return p;
      if (node->n_inputs != 2 || (!pare_node_is (node, "Add") && !pare_node_is (node, "Mul") && !pare_node_is (node, "Div")))
        return PARE_NONE;
      v = node->inputs[0]; /* a mask is computed otherwise, where it is not constant */
      for (guint k = 0; k < 2; k++)
        {
          PareNodeId other = w->graph->values[node->inputs[k]].producer;
          const char *op = other != PARE_NONE ? w->graph->nodes[other].op : NULL;
          if (op != NULL && (g_str_equal (op, "MatMul") || g_str_equal (op, "Mul") || g_str_equal (op, "Div")))
            {
              v = node->inputs[k];
              break;
            }
        }
    }
}

/* Both products of attention, where the layer behind it reads bfloat16. TRUE: the node is one of them. */
static gboolean
collect_attention (Work *w, PareNodeId id)
{
  const PareNode *node = &w->graph->nodes[id];
  guint out = widest (w, node);
  if (!pare_node_is (node, "MatMul") || node->n_inputs != 2 || is_constant (w->graph, node->inputs[0])
      || is_constant (w->graph, node->inputs[1]))
    return FALSE;
  PareNodeId softmax = w->graph->values[node->inputs[0]].producer;
  Want want = { .bits = 16, .bfloat = TRUE };
  if (!w->is_scores[id])
    {
      if (out == G_MAXUINT || !g_array_index (w->points, Point, out).want.bfloat || softmax == PARE_NONE
          || !pare_node_is (&w->graph->nodes[softmax], "Softmax") || n_readers (w->consumers, node->inputs[0]) != 1)
        return FALSE;
      PareNodeId scores = find_scores (w, w->graph->nodes[softmax].inputs[0]);
      if (scores == PARE_NONE)
        return FALSE;
      w->is_scores[scores] = TRUE;
    }
  for (guint k = 0; k < 2; k++)
    request (w, node->inputs[k], &want, id, k);
  return TRUE;
}

static void
collect (Work *w)
{
  for (guint i = w->graph->n_nodes; i-- > 0;) /* readers before what they read */
    {
      const PareNode *node = &w->graph->nodes[i];
      Want want;
      guint data;
      if (node->op == NULL)
        continue;
      if (layer_want (w, i, &want, &data))
        {
          request (w, node->inputs[data], &want, i, data);
          continue;
        }
      if (collect_attention (w, i))
        continue;
      Flow flow = flow_of (node);
      if (flow == FLOW_NONE || is_fused_clip (w->graph, w->consumers, node) || node->n_inputs == 0
          || is_constant (w->graph, node->inputs[0]))
        continue;
      guint out = widest (w, node);
      if (out == G_MAXUINT)
        {
          if (is_pool (node) && tail_want (w, node, &want))
            request (w, node->inputs[0], &want, i, 0);
          continue;
        }
      gboolean many
          = pare_node_is (node, "Add") || pare_node_is (node, "Sub") || pare_node_is (node, "Mul") || pare_node_is (node, "Concat");
      gboolean floating = FALSE;
      for (guint k = 0; many && k < node->n_inputs; k++)
        floating |= is_constant (w->graph, node->inputs[k]);
      if (floating) /* a constant operand is no sum of two grids */
        continue;
      gboolean bfloat = g_array_index (w->points, Point, out).want.bfloat;
      if (bfloat && (flow == FLOW_SAME || (flow == FLOW_CLIP && pare_node_is (node, "Relu"))))
        for (guint o = 0; o < node->n_outputs; o++)
          for (guint p = 0; node->outputs[o] != PARE_NONE && w->at[node->outputs[o]] != NULL && p < w->at[node->outputs[o]]->len; p++)
            {
              Point *point = &g_array_index (w->points, Point, g_array_index (w->at[node->outputs[o]], guint, p));
              point->moved |= point->want.bfloat;
            }
      for (guint k = 0; k < (many ? node->n_inputs : 1); k++)
        {
          Want copy = g_array_index (w->points, Point, out).want;
          if (bfloat && flow != FLOW_CLIP && !is_stored (w, node, k))
            continue;
          guint in = request (w, node->inputs[k], &copy, i, k);
          if (flow == FLOW_SAME)
            unite (w, in, out);
        }
    }
}

static const PareHistogram *
histogram_of (const Work *w, const PareStatistics *statistics, PareValueId value)
{
  const PareValue *v = &w->graph->values[value];
  const PareHistogram *h = pare_statistics_get (statistics, v->name);
  if (h == NULL && v->origin != PARE_NONE && v->origin < w->source->n_values)
    h = pare_statistics_get (statistics, w->source->values[v->origin].name);
  return h != NULL && h->count > 0 ? h : NULL;
}

/* Grid of a range that holds zero; the top of it is never beyond high, so that a runtime may drop a clip at high. */
static PareQuant *
make_quant (int bits, double low, double high)
{
  PareQuant *q = pare_quant_new (bits, FALSE, -1, 1);
  q->lo = 0;
  q->hi = (gint32)((1 << bits) - 1);
  double scale = (high - low) / q->hi;
  if (!(scale > 1e-30))
    scale = 1.0 / q->hi;
  q->scale[0] = (float)scale;
  while (low == 0 && high > 0 && q->scale[0] * (float)q->hi > (float)high)
    q->scale[0] = nextafterf (q->scale[0], 0);
  q->zero[0] = (gint32)CLAMP (rint (-low / q->scale[0]), q->lo, q->hi);
  return q;
}

/* FALSE: not even the value's layer is known to the statistics. */
static void
find_ranges (Work *w, const PareStatistics *statistics)
{
  for (guint i = 0; i < w->points->len; i++)
    {
      const Point *point = &g_array_index (w->points, Point, i);
      const PareHistogram *h = statistics != NULL && !point->want.bfloat ? histogram_of (w, statistics, point->value) : NULL;
      if (h == NULL)
        continue;
      double low, high;
      pare_histogram_range (h, point->want.calibrator, point->want.percentile, point->want.bits, &low, &high);
      Point *root = &g_array_index (w->points, Point, find_root (w, i));
      root->low = MIN (root->low, low);
      root->high = MAX (root->high, high);
    }
}

static void
lay_points (Work *w)
{
  PareGraph *g = w->graph;
  for (guint i = 0; i < w->points->len; i++)
    {
      Point *point = &g_array_index (w->points, Point, i);
      const Point *root = &g_array_index (w->points, Point, find_root (w, i));
      if (!point->want.bfloat && !(root->low <= root->high)) /* nobody measured it: stays float */
        continue;
      if (point->moved)
        {
          point->laid = point->value;
          continue;
        }
      const PareValue from = g->values[point->value];
      g_autofree char *name
          = point->want.bfloat ? g_strconcat (from.name, "_bf16", NULL) : g_strdup_printf ("%s_q%d", from.name, point->want.bits);
      PareValueId to = pare_graph_add_value (g, name, from.dtype, &from.shape, from.origin);
      PareValue *v = &g->values[to];
      for (int d = 0; d < PARE_MAX_RANK; d++)
        v->dim_names[d] = g->values[point->value].dim_names[d];
      if (point->want.bfloat)
        v->storage = PARE_DTYPE_BFLOAT16;
      else
        v->quant = make_quant (point->want.bits, root->low, root->high);
      PareNodeId origin = PARE_NONE; /* the producer's layer, or the first reader's */
      if (from.producer != PARE_NONE)
        origin = g->nodes[from.producer].origin;
      for (guint r = w->readers->len; origin == PARE_NONE && r-- > 0;)
        if (g_array_index (w->readers, Reader, r).point == i)
          origin = g->nodes[g_array_index (w->readers, Reader, r).node].origin;
      PareNodeId q = pare_graph_add_node (g, PARE_OP_QUANTIZE, g->values[to].name, &point->value, 1, &to, 1, origin, PARE_ROLE_QUANT);
      g->nodes[q].layer = g->values[to].name;
      point->laid = to;
    }
  for (guint r = 0; r < w->readers->len; r++)
    {
      const Reader *reader = &g_array_index (w->readers, Reader, r);
      PareValueId laid = g_array_index (w->points, Point, reader->point).laid;
      if (laid != PARE_NONE)
        g->nodes[reader->node].inputs[reader->input] = laid;
    }
  for (guint i = 0; i < w->points->len; i++)
    {
      const Point *point = &g_array_index (w->points, Point, i);
      if (point->want.bfloat && point->laid != PARE_NONE && point->laid != point->value)
        share_narrow (w, point);
    }
}

/* The bias of a layer with integer input and weights goes to the grid of the sums, s_x * s_w, where it is added as an int32. */
static void
lay_bias (PareGraph *g, PareNodeId id)
{
  PareNode *node = &g->nodes[id];
  PareWeightPlace place;
  gboolean conv = pare_node_is (node, "Conv"), gemm = pare_node_is (node, "Gemm");
  if (!(conv || gemm) || node->n_inputs < 3 || node->inputs[2] == PARE_NONE || !pare_weights_place (g, id, &place))
    return;
  if (gemm && (pare_node_get_float (node, "alpha", 1) != 1 || pare_node_get_float (node, "beta", 1) != 1))
    return;
  const PareQuant *x = g->values[node->inputs[0]].quant;
  PareQuant *weights = g->values[node->inputs[1]].quant;
  if (x == NULL || x->n != 1 || weights == NULL || g->values[node->inputs[1]].constant == NULL)
    return;
  const PareShape *shape = &g->values[node->inputs[1]].shape;
  gint64 channels = shape->dims[place.out_axis];
  g_autoptr (PareTensor) raw = pare_weights_materialize (g, node->inputs[2]);
  if (raw == NULL || raw->dtype != PARE_DTYPE_FLOAT32 || pare_tensor_count (raw) != channels
      || (weights->n != 1 && weights->n != (guint)channels))
    return;
  g_autoptr (PareTensor) bias = pare_tensor_copy (raw), new_weights = NULL;
  float *b = bias->data;
  for (gint64 c = 0; c < channels; c++) /* a channel of tiny weights and a large bias gets the scale that its bias needs */
    {
      guint k = weights->n == 1 ? 0 : (guint)c;
      double need = fabs (b[c]) / x->scale[0] / 0x1p30;
      if (!isfinite (b[c]) || weights->scale[k] >= need)
        continue;
      if (new_weights == NULL)
        new_weights = pare_tensor_copy (g->values[node->inputs[1]].constant);
      weights->scale[k] = (float)need * 1.0001f;
      pare_grid_apply_scale (new_weights->data, shape, weights, k);
    }
  if (new_weights != NULL)
    pare_graph_set_constant (g, node->inputs[1], new_weights);
  PareQuant *q = pare_quant_new (32, TRUE, weights->n == 1 ? -1 : bias->shape.rank - 1, weights->n);
  for (guint k = 0; k < weights->n; k++)
    q->scale[k] = x->scale[0] * weights->scale[k];
  for (gint64 c = 0; c < channels; c++)
    {
      float scale = q->scale[weights->n == 1 ? 0 : c];
      b[c] = (float)CLAMP (rint ((double)b[c] / scale), -2147483647.0, 2147483647.0) * scale;
    }
  const PareValue *old = &g->values[node->inputs[2]];
  g_autofree char *name = g_strconcat (old->name, "_q32", NULL);
  PareValueId origin = old->origin;
  PareValueId value = pare_graph_add_constant (g, name, bias, origin);
  g->values[value].quant = q;
  g->nodes[id].inputs[2] = value;
}

static void
work_clear (Work *w)
{
  g_array_unref (w->points);
  g_array_unref (w->readers);
  for (guint i = 0; i < w->graph->n_values && w->at != NULL; i++)
    if (w->at[i] != NULL)
      g_array_unref (w->at[i]);
  g_free (w->at);
  g_free (w->is_scores);
  pare_consumers_free (w->consumers);
}

gboolean
pare_activations_apply (PareGraph *graph, const PareGraph *source, const PareLayerRecipe *resolved, const PareStatistics *statistics,
                        GPtrArray *warnings, GError **error)
{
  Work w = { graph, source, resolved, pare_graph_consumers (graph) };
  w.points = g_array_new (FALSE, FALSE, sizeof (Point));
  w.readers = g_array_new (FALSE, FALSE, sizeof (Reader));
  w.at = g_new0 (GArray *, graph->n_values + 1);
  w.is_scores = g_new0 (gboolean, graph->n_nodes + 1);
  guint n_values = graph->n_values;
  collect (&w);
  find_ranges (&w, statistics);
  gboolean ok = TRUE;
  for (guint r = 0; r < w.readers->len && ok; r++)
    {
      const Reader *reader = &g_array_index (w.readers, Reader, r);
      const Point *root = &g_array_index (w.points, Point, find_root (&w, reader->point));
      const PareNode *node = &graph->nodes[reader->node];
      Want want;
      guint data;
      if (root->low <= root->high || !layer_want (&w, reader->node, &want, &data) || want.bfloat)
        continue;
      if (statistics == NULL)
        {
          g_set_error (error, PARE_ERROR, PARE_ERROR_RECIPE, "layer '%s': %d-bit activations need calibration data",
                       source->nodes[node->origin].layer, want.bits);
          ok = FALSE;
        }
      else if (node->role != PARE_ROLE_FACTOR)
        pare_warn (warnings, source->nodes[node->origin].layer, "calibration saw nothing of its input; its activations stay float");
    }
  if (ok)
    {
      lay_points (&w);
      for (guint i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i].op != NULL)
          lay_bias (graph, i);
    }
  for (guint i = 0; i < n_values; i++)
    g_clear_pointer (&w.at[i], g_array_unref);
  g_clear_pointer (&w.at, g_free);
  work_clear (&w);
  return ok;
}
