#include "engine/graph/pare-graph-private.h"

#include <string.h>

static gint64
clamped_count (const PareShape *s)
{
  return MAX (0, pare_shape_count (s));
}

gint64
pare_graph_count_params (const PareGraph *source)
{
  gint64 n = 0;
  for (guint i = 0; i < source->n_values; i++)
    if (source->values[i].constant != NULL && source->values[i].producer == PARE_NONE)
      n += pare_tensor_count (source->values[i].constant);
  for (guint i = 0; i < source->n_nodes; i++)
    {
      const PareNode *node = &source->nodes[i];
      if (!pare_node_is (node, "Constant"))
        continue;
      for (guint a = 0; a < node->n_attrs; a++)
        {
          const PareAttr *attr = &node->attrs[a];
          n += attr->tensor                                                     ? pare_tensor_count (attr->tensor)
               : attr->kind == PARE_ATTR_INTS || attr->kind == PARE_ATTR_FLOATS ? attr->n
               : attr->kind == PARE_ATTR_INT || attr->kind == PARE_ATTR_FLOAT   ? 1
                                                                                : 0;
        }
    }
  return n;
}

static gint64
times (gint64 a, gint64 b)
{
  gint64 r;
  return a < 0 || b < 0 || __builtin_mul_overflow (a, b, &r) ? 0 : r;
}

typedef struct
{
  const PareGraph *source, *canonical;
  GHashTable *by_name;
} Known;

/* What the canonical graph's making knew of a value of the source. */
static PareShape
shape_of (const Known *k, PareValueId id)
{
  PareShape unknown = { .rank = -1 };
  if (id == PARE_NONE)
    return unknown;
  if (k->canonical != NULL && k->canonical->n_source == k->source->n_values && id < k->canonical->n_source)
    return k->canonical->source_shapes[id];
  const PareValue *v = &k->source->values[id];
  gpointer found = k->by_name ? g_hash_table_lookup (k->by_name, v->name) : NULL;
  return found ? k->canonical->values[GPOINTER_TO_UINT (found) - 1].shape : v->constant ? v->constant->shape : v->shape;
}

static PareDtype
dtype_of (const Known *k, PareValueId id)
{
  if (k->canonical != NULL && k->canonical->n_source == k->source->n_values && id < k->canonical->n_source)
    return k->canonical->source_dtypes[id];
  return k->source->values[id].dtype;
}

static gint64
macs_of (const Known *k, const PareNode *node)
{
  PareShape x = shape_of (k, node->n_inputs > 0 ? node->inputs[0] : PARE_NONE),
            y = shape_of (k, node->n_outputs > 0 ? node->outputs[0] : PARE_NONE);
  gboolean ms = g_strcmp0 (node->domain, "com.microsoft") == 0;
  gboolean qlinear = pare_node_is (node, "QLinearConv") || pare_node_is (node, "QLinearMatMul") || (ms && strcmp (node->op, "QGemm") == 0);
  guint weight = qlinear ? 3 : 1;
  PareShape w = shape_of (k, weight < node->n_inputs ? node->inputs[weight] : PARE_NONE);
  if (pare_node_is (node, "Conv") || pare_node_is (node, "QLinearConv") || pare_node_is (node, "ConvInteger"))
    {
      gint64 per = 1;
      for (int i = 1; i < w.rank; i++)
        per = times (per, w.dims[i]);
      return w.rank < 2 ? 0 : times (clamped_count (&y), per);
    }
  if (pare_node_is (node, "ConvTranspose"))
    {
      gint64 per = 1;
      for (int i = 1; i < w.rank; i++)
        per = times (per, w.dims[i]);
      return w.rank < 2 ? 0 : times (clamped_count (&x), per);
    }
  if (pare_node_is (node, "MatMul") || pare_node_is (node, "QLinearMatMul") || pare_node_is (node, "MatMulInteger"))
    return x.rank < 1 ? 0 : times (clamped_count (&y), x.dims[x.rank - 1]);
  if (pare_node_is (node, PARE_OP_BLOCK_GEMM) || (ms && (strcmp (node->op, "MatMulNBits") == 0 || strcmp (node->op, "MatMulBnb4") == 0)))
    return x.rank < 1 ? 0 : times (clamped_count (&y), x.dims[x.rank - 1]);
  if (pare_node_is (node, "Gemm") || (ms && strcmp (node->op, "QGemm") == 0))
    return x.rank != 2 ? 0 : times (clamped_count (&y), x.dims[pare_node_get_int (node, "transA", 0) ? 0 : 1]);
  if (pare_node_is (node, "LSTM") || pare_node_is (node, "GRU") || pare_node_is (node, "RNN"))
    {
      PareShape r = shape_of (k, node->n_inputs > 2 ? node->inputs[2] : PARE_NONE);
      if (x.rank != 3)
        return 0;
      return times (times (x.dims[0], x.dims[1]), clamped_count (&w) + clamped_count (&r));
    }
  return 0;
}

PareLayerInfo *
pare_graph_layer_infos (const PareGraph *source, const PareGraph *canonical, guint *n)
{
  PareLayerInfo *infos = g_new0 (PareLayerInfo, source->n_nodes + 1);
  guint count = 0;
  Known known = { source, canonical, NULL };
  if (canonical != NULL && canonical->n_source != source->n_values)
    {
      known.by_name = g_hash_table_new (g_str_hash, g_str_equal);
      for (guint i = 0; i < canonical->n_values; i++)
        g_hash_table_insert (known.by_name, (gpointer)canonical->values[i].name, GUINT_TO_POINTER (i + 1));
    }
  g_autofree gint64 *held = g_new0 (gint64, source->n_values + 1);
  for (guint i = 0; i < source->n_nodes; i++)
    if (pare_node_is (&source->nodes[i], "Constant") && source->nodes[i].n_outputs > 0 && source->nodes[i].outputs[0] != PARE_NONE)
      {
        const PareAttr *a = pare_node_get_attr (&source->nodes[i], "value");
        held[source->nodes[i].outputs[0]] = a && a->tensor ? pare_tensor_count (a->tensor) : 0;
      }
  for (guint i = 0; i < source->n_nodes; i++)
    {
      const PareNode *node = &source->nodes[i];
      if (node->op == NULL || pare_node_is (node, "Constant"))
        continue;
      PareLayerInfo *info = &infos[count++];
      info->node = i;
      for (guint k = 0; k < node->n_inputs; k++)
        {
          PareValueId v = node->inputs[k];
          gboolean again = v == PARE_NONE;
          for (guint j = 0; j < k && !again && k < 64; j++)
            again = node->inputs[j] == v;
          if (!again)
            info->params += source->values[v].constant ? pare_tensor_count (source->values[v].constant) : held[v];
        }
      info->macs = macs_of (&known, node);
      info->output_shape.rank = -1;
      for (guint k = 0; k < node->n_outputs; k++)
        if (node->outputs[k] != PARE_NONE)
          {
            info->output_shape = shape_of (&known, node->outputs[k]);
            info->output_dtype = dtype_of (&known, node->outputs[k]);
            break;
          }
    }
  g_clear_pointer (&known.by_name, g_hash_table_unref);
  *n = count;
  return infos;
}

char *
pare_graph_dup_assumed (const PareGraph *self)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < self->n_inputs; i++)
    {
      const PareValue *v = &self->values[self->inputs[i]];
      if (v->assumed.rank <= 0)
        continue;
      g_autofree char *shape = pare_shape_to_string (&v->assumed);
      g_string_append_printf (text, "%s%s %s", text->len > 0 ? ", " : "", v->name, shape);
    }
  return g_string_free (text, text->len == 0);
}
