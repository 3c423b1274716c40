/* From a graph's nodes to what is drawn: a convolution with its normalization and activation is one card, constants and what is computed
 * from them alone vanish into their readers, no-ops are passed through. */
#include "widgets/pare-graph-model.h"

#include <string.h>

typedef struct
{
  const PareGraph *graph;
  PareConsumers *consumers;
  guint32 *leader;    /* of each node: the node it is drawn with; itself: drawn; NONE: not decided */
  gboolean *constant; /* of each value: known without running (shapes count) */
  guint32 *tail;      /* of each leading node: the last node of its chain */
  guint32 *alias;     /* of each value: the value it repeats (through Identity, Dropout, Quantize) */
} Fuse;

static gboolean
one_of (const PareNode *node, const char *const *ops)
{
  for (guint i = 0; ops[i] != NULL; i++)
    if (pare_node_is (node, ops[i]))
      return TRUE;
  return FALSE;
}

static const char *const pass_ops[] = { "Identity", "Dropout", "QuantizeLinear", "DequantizeLinear", PARE_OP_QUANTIZE, "Cast", NULL };
static const char *const leader_ops[]
    = { "Conv",          "ConvTranspose", "Gemm", "MatMul", "QLinearConv",        "QLinearMatMul", "ConvInteger",
        "MatMulInteger", "Add",           "Sum",  "Concat", "BatchNormalization", "QLinearAdd",    NULL };
static const char *const activation_ops[]
    = { "Relu", "LeakyRelu", "PRelu",    "Clip", "Sigmoid",          "HardSigmoid",    "HardSwish",       "Tanh", "Elu",
        "Selu", "Gelu",      "Softplus", "Mish", "QLinearLeakyRelu", "QLinearSigmoid", "ThresholdedRelu", NULL };
static const char *const product_ops[]
    = { "Conv", "ConvTranspose", "Gemm", "MatMul", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", NULL };
static const char *const bias_ops[] = { "Add", "Mul", "Sub", "Div", NULL };

static guint
dynamic_inputs (const Fuse *f, const PareNode *n, PareValueId *one)
{
  guint count = 0;
  for (guint i = 0; i < n->n_inputs; i++)
    if (n->inputs[i] < f->graph->n_values && !f->constant[n->inputs[i]])
      {
        if (count++ == 0 && one != NULL)
          *one = n->inputs[i];
      }
  return count;
}

/* Constants, and whatever is computed from constants and shapes alone. */
static void
find_constants (Fuse *f)
{
  const PareGraph *g = f->graph;
  for (guint v = 0; v < g->n_values; v++)
    f->constant[v] = g->values[v].constant != NULL;
  for (guint i = 0; i < g->n_nodes; i++)
    {
      const PareNode *n = &g->nodes[i];
      if (n->op == NULL || pare_op_class_of (n->op) == PARE_OP_CLASS_UNKNOWN || pare_node_is (n, "RandomNormal")
          || pare_node_is (n, "RandomUniform"))
        continue;
      gboolean has_body = FALSE, output = FALSE;
      for (guint k = 0; k < n->n_attrs; k++)
        has_body |= n->attrs[k].kind == PARE_ATTR_GRAPH;
      for (guint k = 0; k < n->n_outputs; k++)
        output |= n->outputs[k] != PARE_NONE && pare_graph_is_output (g, n->outputs[k]);
      gboolean known = pare_node_is (n, "Shape") || pare_node_is (n, "Size") || dynamic_inputs (f, n, NULL) == 0;
      for (guint k = 0; k < n->n_outputs && known && !has_body && !output; k++)
        if (n->outputs[k] < g->n_values)
          f->constant[n->outputs[k]] = TRUE;
    }
}

static gboolean
is_hidden (const Fuse *f, const PareNode *n)
{
  if (n->op == NULL)
    return TRUE;
  for (guint k = 0; k < n->n_outputs; k++)
    if (n->outputs[k] < f->graph->n_values && f->constant[n->outputs[k]])
      return TRUE;
  return FALSE;
}

static PareValueId
resolve (const Fuse *f, PareValueId v)
{
  while (f->alias[v] != v)
    v = f->alias[v];
  return v;
}

/* The drawn node that makes a value, or NONE for inputs of the model. */
static guint32
maker (const Fuse *f, PareValueId v)
{
  PareNodeId p = f->graph->values[resolve (f, v)].producer;
  return p < f->graph->n_nodes ? f->leader[p] : PARE_NONE;
}

/* How many nodes that are drawn read a value, through its aliases; *only: the last one seen. */
static guint
readers (const Fuse *f, PareValueId v, guint32 *only)
{
  guint count = 0;
  const PareGraph *g = f->graph;
  if (pare_graph_is_output (g, v))
    count++, *only = PARE_NONE;
  for (guint k = f->consumers->starts[v]; k < f->consumers->starts[v + 1]; k++)
    {
      PareNodeId c = f->consumers->nodes[k];
      const PareNode *n = &g->nodes[c];
      if (n->op == NULL || is_hidden (f, n))
        continue;
      if (one_of (n, pass_ops) && n->n_outputs > 0 && n->outputs[0] < g->n_values && n->n_inputs > 0 && n->inputs[0] == v)
        count += readers (f, n->outputs[0], only);
      else if (count == 0 || *only != c)
        count++, *only = c;
    }
  return count;
}

/* Whether node i may be drawn with the node that leads `lead`. */
static gboolean
joins (const Fuse *f, const PareNode *n, guint32 i, PareValueId in, guint32 lead)
{
  const PareNode *leader = &f->graph->nodes[lead];
  const PareNode *last = &f->graph->nodes[f->tail[lead]];
  guint32 only = PARE_NONE;
  if (!one_of (leader, leader_ops) || f->graph->values[resolve (f, in)].producer != f->tail[lead] || last->n_outputs != 1)
    return FALSE;
  if (readers (f, last->outputs[0], &only) != 1 || only != i)
    return FALSE;
  gboolean product = one_of (leader, product_ops);
  if (pare_node_is (n, "BatchNormalization"))
    return product;
  if (one_of (n, activation_ops))
    return !one_of (last, activation_ops);
  if (one_of (n, bias_ops) && product) /* a bias or scale of its own: one value for each channel at most */
    {
      for (guint k = 0; k < n->n_inputs; k++)
        if (n->inputs[k] != in && n->inputs[k] < f->graph->n_values)
          {
            const PareValue *c = &f->graph->values[n->inputs[k]];
            guint wide = 0;
            for (int d = 0; d < c->shape.rank; d++)
              wide += c->shape.dims[d] != 1;
            if (wide > 1)
              return FALSE;
          }
      return !one_of (last, activation_ops);
    }
  return FALSE;
}

/* x * sigmoid(x), where x is the chain's output: both nodes join it. */
static gboolean
joins_swish (Fuse *f, const PareNode *mul)
{
  const PareGraph *g = f->graph;
  if (!pare_node_is (mul, "Mul") || mul->n_inputs != 2 || mul->inputs[0] >= g->n_values || mul->inputs[1] >= g->n_values)
    return FALSE;
  for (int k = 0; k < 2; k++)
    {
      PareValueId x = resolve (f, mul->inputs[k]), s = resolve (f, mul->inputs[1 - k]);
      PareNodeId sig = g->values[s].producer;
      guint32 lead = maker (f, x), only = PARE_NONE, other = PARE_NONE;
      if (sig >= g->n_nodes || lead == PARE_NONE || g->values[x].producer != f->tail[lead] || !one_of (&g->nodes[lead], product_ops))
        continue;
      const PareNode *n = &g->nodes[sig];
      if (!(pare_node_is (n, "Sigmoid") || pare_node_is (n, "HardSigmoid")) || n->n_inputs == 0 || resolve (f, n->inputs[0]) != x)
        continue;
      if (readers (f, s, &other) != 1 || readers (f, x, &only) != 2)
        continue;
      f->leader[sig] = lead;
      f->leader[mul - g->nodes] = lead;
      f->tail[lead] = (guint32)(mul - g->nodes);
      return TRUE;
    }
  return FALSE;
}

static void
choose_leaders (Fuse *f)
{
  const PareGraph *g = f->graph;
  for (guint32 i = 0; i < g->n_nodes; i++)
    {
      const PareNode *n = &g->nodes[i];
      PareValueId in = PARE_NONE;
      f->leader[i] = PARE_NONE;
      f->tail[i] = i;
      if (n->op == NULL || is_hidden (f, n))
        continue;
      if (one_of (n, pass_ops) && n->n_inputs > 0 && n->inputs[0] < g->n_values && n->n_outputs > 0 && n->outputs[0] < g->n_values)
        {
          f->alias[n->outputs[0]] = n->inputs[0];
          f->leader[i] = maker (f, n->inputs[0]); /* NONE: right behind an input; given to its reader below */
          continue;
        }
      if (joins_swish (f, n))
        continue;
      if (dynamic_inputs (f, n, &in) == 1)
        {
          guint32 lead = maker (f, in);
          if (lead != PARE_NONE && joins (f, n, i, in, lead))
            {
              f->leader[i] = lead;
              f->tail[lead] = i;
              continue;
            }
        }
      f->leader[i] = i;
    }
  for (guint32 i = g->n_nodes; i-- > 0;) /* the hidden belong to whoever reads them first */
    for (guint k = 0; k < g->nodes[i].n_outputs && f->leader[i] == PARE_NONE; k++)
      {
        PareValueId v = g->nodes[i].outputs[k];
        if (v < g->n_values)
          for (guint c = f->consumers->starts[v]; c < f->consumers->starts[v + 1] && f->leader[i] == PARE_NONE; c++)
            f->leader[i] = f->leader[f->consumers->nodes[c]];
      }
}

/* --- words --- */

static char *
shape_text (const PareShape *shape)
{
  if (shape->rank < 1)
    return NULL;
  int first = shape->rank > 1 && (shape->dims[0] == 1 || shape->dims[0] <= 0);
  GString *s = g_string_new (NULL);
  for (int d = first; d < shape->rank; d++)
    {
      if (d > first)
        g_string_append (s, "×");
      if (shape->dims[d] >= 0)
        g_string_append_printf (s, "%" G_GINT64_FORMAT, shape->dims[d]);
      else
        g_string_append_c (s, '?');
    }
  return g_string_free (s, FALSE);
}

static const char *
pretty_op (const char *op)
{
  static const char *const names[][2] = { { "Relu", "ReLU" },
                                          { "GlobalAveragePool", "Global average" },
                                          { "AveragePool", "Average pool" },
                                          { "MaxPool", "Max pool" },
                                          { "LeakyRelu", "Leaky ReLU" },
                                          { "HardSwish", "Hard swish" },
                                          { "PRelu", "PReLU" },
                                          { "BatchNormalization", "Batch norm" },
                                          { "LayerNormalization", "Layer norm" },
                                          { "HardSigmoid", "Hard sigmoid" },
                                          { "ReduceMean", "Mean" },
                                          { "QLinearAdd", "Add" },
                                          { "QLinearConcat", "Concat" },
                                          { "QLinearGlobalAveragePool", "Global average" },
                                          { "GlobalMaxPool", "Global max" } };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_equal (op, names[i][0]))
      return names[i][1];
  return op;
}

static const PareShape *
weight_shape (const Fuse *f, const PareNode *n, guint at)
{
  if (at >= n->n_inputs || n->inputs[at] >= f->graph->n_values)
    return NULL;
  const PareValue *v = &f->graph->values[n->inputs[at]];
  const PareShape *s = v->constant != NULL ? &v->constant->shape : &v->shape;
  if (s->rank > 0)
    return s;
  PareNodeId p = v->producer; /* DequantizeLinear of a constant, Constant, Identity */
  return p < f->graph->n_nodes && f->graph->nodes[p].n_inputs > 0 ? weight_shape (f, &f->graph->nodes[p], 0) : NULL;
}

static char *
op_text (const Fuse *f, const PareNode *n, PareOpClass *klass)
{
  *klass = n->domain != NULL && *n->domain != '\0' && !g_str_equal (n->domain, "ai.onnx") && !g_str_equal (n->domain, "com.microsoft")
               ? PARE_OP_CLASS_UNKNOWN
               : pare_op_class_of (n->op);
  gboolean quant = pare_node_is (n, "QLinearConv");
  if (quant || pare_node_is (n, "Conv") || pare_node_is (n, "ConvTranspose") || pare_node_is (n, "ConvInteger"))
    {
      const PareShape *w = weight_shape (f, n, quant ? 3 : 1);
      gint64 group = pare_node_get_int (n, "group", 1), in = w != NULL && w->rank > 1 ? w->dims[1] * group : 0;
      guint n_kernel = 0, n_stride = 0;
      const gint64 *kernel = pare_node_get_ints (n, "kernel_shape", &n_kernel), *stride = pare_node_get_ints (n, "strides", &n_stride);
      if (kernel == NULL && w != NULL && w->rank > 2)
        {
          kernel = w->dims + 2;
          n_kernel = (guint)w->rank - 2;
        }
      if (!pare_node_is (n, "ConvTranspose"))
        *klass = pare_op_class_of_conv (group, in);
      GString *s = g_string_new (pare_node_is (n, "ConvTranspose")   ? "Transposed"
                                 : *klass == PARE_OP_CLASS_DEPTHWISE ? "Depthwise"
                                 : group > 1                         ? "Grouped"
                                                                     : "Conv");
      for (guint i = 0; i < n_kernel; i++)
        g_string_append_printf (s, "%s%" G_GINT64_FORMAT, i == 0 ? " " : "×", kernel[i]);
      if (n_kernel == 1)
        g_string_append (s, " (1-D)");
      gint64 most = 1;
      for (guint i = 0; i < n_stride; i++)
        most = MAX (most, stride[i]);
      if (most > 1)
        g_string_append_printf (s, " /%" G_GINT64_FORMAT, most);
      return g_string_free (s, FALSE);
    }
  if (pare_node_is (n, "Gemm") || pare_node_is (n, "MatMul") || pare_node_is (n, "QLinearMatMul"))
    {
      const PareShape *w = weight_shape (f, n, pare_node_is (n, "QLinearMatMul") ? 3 : 1);
      const char *name = pare_node_is (n, "Gemm") ? "Gemm" : "MatMul";
      if (w != NULL && w->rank == 2 && w->dims[0] > 0 && w->dims[1] > 0)
        {
          gboolean turned = pare_node_is (n, "Gemm") && pare_node_get_int (n, "transB", 0) != 0;
          return g_strdup_printf ("%s %" G_GINT64_FORMAT "×%" G_GINT64_FORMAT, name, w->dims[turned], w->dims[!turned]);
        }
      return g_strdup (name);
    }
  return g_strdup (pretty_op (n->op));
}

/* "MaxPool 3×3" and the like: short enough for a small box. */
static char *
small_title (const Fuse *f, guint32 lead, GArray *members)
{
  const PareNode *n = &f->graph->nodes[lead];
  guint count = 0;
  const gint64 *kernel = pare_node_get_ints (n, "kernel_shape", &count);
  GString *s = g_string_new (pretty_op (n->op));
  for (guint i = 0; i < count && kernel != NULL; i++)
    g_string_append_printf (s, "%s%" G_GINT64_FORMAT, i == 0 ? " " : "×", kernel[i]);
  for (guint i = 1; i < members->len; i++)
    {
      const PareNode *m = &f->graph->nodes[g_array_index (members, guint32, i)];
      if (one_of (m, activation_ops))
        g_string_append_printf (s, " + %s", pretty_op (m->op));
    }
  return g_string_free (s, FALSE);
}

static gboolean
is_card (PareOpClass klass, const PareNode *n, gint64 params)
{
  return klass == PARE_OP_CLASS_CONV || klass == PARE_OP_CLASS_DEPTHWISE || klass == PARE_OP_CLASS_GEMM || klass == PARE_OP_CLASS_UNKNOWN
         || (klass == PARE_OP_CLASS_NORM && params > 0) || pare_node_is (n, "If") || pare_node_is (n, "Loop") || pare_node_is (n, "Scan")
         || pare_node_is (n, "Attention") || pare_node_is (n, "MultiHeadAttention");
}

static PareShown
make_shown (const Fuse *f, guint32 lead, GArray *members, const PareLayerInfo *const *info_of)
{
  const PareGraph *g = f->graph;
  const PareNode *n = &g->nodes[lead], *last = &g->nodes[f->tail[lead]];
  PareShown s = { .group = -1, .height_width = -1, .n_layers = members->len };
  s.layers = g_new0 (char *, members->len + 1);
  for (guint i = 0; i < members->len; i++)
    {
      guint32 m = g_array_index (members, guint32, i);
      s.layers[i] = g_strdup (g->nodes[m].layer != NULL ? g->nodes[m].layer : "");
      if (info_of[m] != NULL)
        {
          s.params += info_of[m]->params;
          s.macs += info_of[m]->macs;
        }
    }
  s.op = op_text (f, n, &s.klass);
  pare_graph_details (g, n, &s.attributes, &s.constants);
  s.kind = is_card (s.klass, n, s.params) ? PARE_SHOWN_CARD : PARE_SHOWN_SMALL;
  s.title = s.kind == PARE_SHOWN_CARD ? g_strdup (s.layers[0]) : small_title (f, lead, members);
  PareShape shape = { 0 };
  if (info_of[f->tail[lead]] != NULL)
    shape = info_of[f->tail[lead]]->output_shape;
  if (shape.rank == 0 && last->n_outputs > 0 && last->outputs[0] < g->n_values)
    shape = g->values[last->outputs[0]].shape;
  s.shape = shape_text (&shape);
  if (shape.rank == 4 && shape.dims[2] > 0 && shape.dims[3] > 0 && shape.dims[2] < G_MAXINT32 && shape.dims[3] < G_MAXINT32)
    s.height_width = shape.dims[2] << 32 | shape.dims[3];
  return s;
}

static PareShown
make_port (const PareGraph *g, PareValueId v)
{
  PareShown s = { .kind = PARE_SHOWN_PORT, .klass = PARE_OP_CLASS_DATA, .group = -1, .height_width = -1 };
  s.layers = g_new0 (char *, 1);
  s.title = g_strdup (g->values[v].name);
  s.op = g_strdup (pare_dtype_name (g->values[v].dtype));
  s.shape = shape_text (&g->values[v].shape);
  return s;
}

static int
compare_edges (gconstpointer x, gconstpointer y)
{
  const PareShownEdge *a = x, *b = y;
  return a->from != b->from ? (a->from < b->from ? -1 : 1) : a->to != b->to ? (a->to < b->to ? -1 : 1) : 0;
}

/* Order of the display nodes such that edges go forward; what a cycle leaves over (there is none in a verified graph) comes last. */
static void
number (PareGraphDraft *d)
{
  guint n = d->shown->len;
  g_autofree guint *degree = g_new0 (guint, n + 1), *start = g_new0 (guint, n + 2), *queue = g_new (guint, n + 1);
  for (guint i = 0; i < d->edges->len; i++)
    {
      degree[g_array_index (d->edges, PareShownEdge, i).to]++;
      start[g_array_index (d->edges, PareShownEdge, i).from + 1]++;
    }
  for (guint i = 0; i < n; i++)
    start[i + 1] += start[i];
  guint last = 0;
  for (guint i = 0; i < n; i++)
    {
      g_array_index (d->shown, PareShown, i).order = n;
      if (degree[i] == 0)
        queue[last++] = i;
    }
  for (guint first = 0; first < last; first++)
    {
      g_array_index (d->shown, PareShown, queue[first]).order = first;
      for (guint k = start[queue[first]]; k < start[queue[first] + 1]; k++)
        {
          guint to = g_array_index (d->edges, PareShownEdge, k).to;
          if (--degree[to] == 0)
            queue[last++] = to;
        }
    }
}

void
pare_graph_fuse (const PareGraph *g, const PareLayerInfo *infos, guint n_infos, PareGraphDraft *draft)
{
  Fuse f = { .graph = g, .consumers = pare_graph_consumers (g) };
  g_autofree guint32 *leader = f.leader = g_new (guint32, g->n_nodes + 1), *tail = f.tail = g_new (guint32, g->n_nodes + 1);
  g_autofree guint32 *alias = f.alias = g_new (guint32, g->n_values + 1);
  g_autofree gboolean *constant = f.constant = g_new0 (gboolean, g->n_values + 1);
  g_autofree const PareLayerInfo **info_of = g_new0 (const PareLayerInfo *, g->n_nodes + 1);
  for (guint v = 0; v < g->n_values; v++)
    alias[v] = v;
  for (guint i = 0; i < n_infos; i++)
    if (infos[i].node < g->n_nodes)
      info_of[infos[i].node] = &infos[i];
  find_constants (&f);
  choose_leaders (&f);

  g_autofree guint32 *shown_of = g_new (guint32, g->n_nodes + 1), *start = g_new0 (guint32, g->n_nodes + 2),
                     *list = g_new (guint32, g->n_nodes + 1);
  for (guint i = 0; i < g->n_nodes; i++)
    if (leader[i] != PARE_NONE)
      start[leader[i] + 1]++;
  for (guint i = 0; i < g->n_nodes; i++)
    start[i + 1] += start[i];
  g_autofree guint32 *fill = g_memdup2 (start, sizeof *start * (g->n_nodes + 1));
  for (guint i = 0; i < g->n_nodes; i++)
    if (leader[i] != PARE_NONE)
      list[fill[leader[i]]++] = i;
  g_autofree guint32 *port_of = g_new (guint32, g->n_values + 1);
  for (guint v = 0; v < g->n_values; v++)
    port_of[v] = PARE_NONE;
  for (guint i = 0; i < g->n_inputs; i++)
    if (g->inputs[i] < g->n_values && !constant[g->inputs[i]])
      {
        PareShown s = make_port (g, g->inputs[i]);
        port_of[g->inputs[i]] = draft->shown->len;
        g_array_append_val (draft->shown, s);
      }
  g_autoptr (GArray) members = g_array_new (FALSE, FALSE, sizeof (guint32));
  for (guint32 i = 0; i < g->n_nodes; i++)
    {
      shown_of[i] = PARE_NONE;
      if (leader[i] != i)
        continue;
      g_array_set_size (members, 0);
      g_array_append_val (members, i); /* the leader first, then what is fused, then the hidden */
      for (int hidden = 0; hidden < 2; hidden++)
        for (guint k = start[i]; k < start[i + 1]; k++)
          if (list[k] != i && is_hidden (&f, &g->nodes[list[k]]) == hidden)
            g_array_append_val (members, list[k]);
      PareShown s = make_shown (&f, i, members, info_of);
      shown_of[i] = draft->shown->len;
      g_array_append_val (draft->shown, s);
    }
  for (guint i = 0; i < g->n_nodes; i++)
    {
      guint32 to = leader[i] != PARE_NONE ? shown_of[leader[i]] : PARE_NONE;
      if (to == PARE_NONE || is_hidden (&f, &g->nodes[i]))
        continue;
      for (guint k = 0; k < g->nodes[i].n_inputs; k++)
        {
          PareValueId v = g->nodes[i].inputs[k];
          if (v >= g->n_values || constant[v])
            continue;
          guint32 m = maker (&f, v), from = m != PARE_NONE ? shown_of[m] : port_of[resolve (&f, v)];
          PareShownEdge e = { from, to };
          if (from != PARE_NONE && from != to)
            g_array_append_val (draft->edges, e);
        }
    }
  for (guint i = 0; i < g->n_outputs; i++)
    if (g->outputs[i] < g->n_values)
      {
        guint32 m = maker (&f, g->outputs[i]), from = m != PARE_NONE ? shown_of[m] : port_of[resolve (&f, g->outputs[i])];
        PareShown s = make_port (g, g->outputs[i]);
        PareShownEdge e = { from, draft->shown->len };
        g_array_append_val (draft->shown, s);
        if (from != PARE_NONE)
          g_array_append_val (draft->edges, e);
      }
  g_array_sort (draft->edges, compare_edges);
  PareShownEdge *e = (PareShownEdge *)(void *)draft->edges->data;
  guint n = 0;
  for (guint i = 0; i < draft->edges->len; i++)
    if (n == 0 || compare_edges (&e[i], &e[n - 1]) != 0)
      e[n++] = e[i];
  g_array_set_size (draft->edges, n);
  number (draft);
  pare_consumers_free (f.consumers);
}
