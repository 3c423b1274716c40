/* The wire format is written directly: lengths are put in front once a part is complete. */
#include "engine/onnx/pare-onnx-private.h"

#include <string.h>

typedef struct
{
  GByteArray *bytes; /* NULL: they are only counted */
  guint64 n;
} Out;

static void
append (Out *out, const void *data, gsize n)
{
  if (out->bytes != NULL)
    g_byte_array_append (out->bytes, data, (guint)n);
  out->n += n;
}

static void
put_varint (Out *out, guint64 v)
{
  guint8 b[10];
  guint n = 0;
  do
    {
      b[n++] = (guint8)((v & 127) | (v > 127 ? 128 : 0));
      v >>= 7;
    }
  while (v != 0);
  append (out, b, n);
}

static void
put_int (Out *out, int field, gint64 value)
{
  put_varint (out, (guint64)field << 3);
  put_varint (out, (guint64)value);
}

static void
put_bytes (Out *out, int field, const void *data, gsize size)
{
  put_varint (out, (guint64)field << 3 | 2);
  put_varint (out, size);
  if (size > 0)
    append (out, data, size);
}

static void
put_text (Out *out, int field, const char *text)
{
  put_bytes (out, field, text ? text : "", text ? strlen (text) : 0);
}

static void
put_float (Out *out, int field, float value)
{
  put_varint (out, (guint64)field << 3 | 5);
  append (out, &value, 4);
}

static guint64
begin (Out *out, int field)
{
  put_varint (out, (guint64)field << 3 | 2);
  return out->n;
}

static void
end (Out *out, guint64 start)
{
  guint64 length = out->n - start;
  guint8 b[10];
  guint n = 0;
  for (guint64 v = length; n == 0 || v != 0; v >>= 7)
    b[n++] = (guint8)((v & 127) | (v > 127 ? 128 : 0));
  out->n += n;
  if (out->bytes == NULL)
    return;
  g_byte_array_set_size (out->bytes, (guint)out->n);
  memmove (out->bytes->data + start + n, out->bytes->data + start, length);
  memcpy (out->bytes->data + start, b, n);
}

static void
put_tensor (Out *out, int field, const char *name, const PareTensor *t)
{
  guint64 start = begin (out, field);
  if (t->dtype == PARE_DTYPE_STRING && t->owner != NULL)
    {
      /* As read: the message itself, but for its name. */
      Onnx__TensorProto *p = onnx__tensor_proto__unpack (NULL, t->bytes, t->data);
      for (gsize i = 0; p != NULL && i < p->n_dims; i++)
        put_int (out, 1, p->dims[i]);
      put_int (out, 2, PARE_DTYPE_STRING);
      for (gsize i = 0; p != NULL && i < p->n_string_data; i++)
        put_bytes (out, 6, p->string_data[i].data, p->string_data[i].len);
      if (p != NULL)
        onnx__tensor_proto__free_unpacked (p, NULL);
      if (name != NULL)
        put_text (out, 8, name);
      end (out, start);
      return;
    }
  for (int i = 0; i < t->shape.rank; i++)
    put_int (out, 1, t->shape.dims[i]);
  put_int (out, 2, t->dtype); /* by number: the installed schema may not know the 4-bit types */
  if (name != NULL)
    put_text (out, 8, name);
  put_bytes (out, 9, t->data, t->bytes);
  end (out, start);
}

static void put_graph (Out *out, int field, const PareGraph *g, gint64 ir_version);

static void
put_attr (Out *out, const PareAttr *a, gint64 ir_version)
{
  if (a->kind == PARE_ATTR_OTHER)
    {
      if (a->raw != NULL)
        put_bytes (out, 5, g_bytes_get_data (a->raw, NULL), g_bytes_get_size (a->raw));
      return;
    }
  guint64 start = begin (out, 5);
  put_text (out, 1, a->name);
  switch (a->kind)
    {
    case PARE_ATTR_FLOAT:
      put_float (out, 2, a->f);
      break;
    case PARE_ATTR_INT:
      put_int (out, 3, a->i);
      break;
    case PARE_ATTR_STRING:
      put_bytes (out, 4, a->s ? g_bytes_get_data (a->s, NULL) : "", a->s ? g_bytes_get_size (a->s) : 0);
      break;
    case PARE_ATTR_TENSOR:
      put_tensor (out, 5, NULL, a->tensor);
      break;
    case PARE_ATTR_GRAPH:
      put_graph (out, 6, a->graph, ir_version);
      break;
    case PARE_ATTR_FLOATS:
      for (guint i = 0; i < a->n; i++)
        put_float (out, 7, a->floats[i]);
      break;
    case PARE_ATTR_INTS:
      for (guint i = 0; i < a->n; i++)
        put_int (out, 8, a->ints[i]);
      break;
    case PARE_ATTR_STRINGS:
      for (guint i = 0; i < a->n; i++)
        put_bytes (out, 9, g_bytes_get_data (a->strings[i], NULL), g_bytes_get_size (a->strings[i]));
      break;
    default:
      break;
    }
  put_int (out, 20, a->kind);
  end (out, start);
}

static void
put_value_info (Out *out, int field, const PareValue *v)
{
  guint64 start = begin (out, field);
  put_text (out, 1, v->name);
  if (v->dtype != PARE_DTYPE_NONE)
    {
      guint64 type = begin (out, 2), tensor = begin (out, 1);
      put_int (out, 1, v->dtype);
      if (v->shape.rank >= 0)
        {
          guint64 shape = begin (out, 2);
          for (int i = 0; i < v->shape.rank; i++)
            {
              guint64 dim = begin (out, 1);
              if (v->shape.dims[i] >= 0)
                put_int (out, 1, v->shape.dims[i]);
              else if (v->dim_names[i] != NULL)
                put_text (out, 2, v->dim_names[i]);
              end (out, dim);
            }
          end (out, shape);
        }
      end (out, tensor);
      end (out, type);
    }
  end (out, start);
}

static void
put_graph (Out *out, int field, const PareGraph *g, gint64 ir_version)
{
  guint64 start = begin (out, field);
  for (guint i = 0; i < g->n_nodes; i++)
    {
      const PareNode *node = &g->nodes[i];
      if (node->op == NULL)
        continue;
      guint64 at = begin (out, 1);
      for (guint k = 0; k < node->n_inputs; k++)
        put_text (out, 1, node->inputs[k] == PARE_NONE ? "" : g->values[node->inputs[k]].name);
      for (guint k = 0; k < node->n_outputs; k++)
        put_text (out, 2, node->outputs[k] == PARE_NONE ? "" : g->values[node->outputs[k]].name);
      if (node->name != NULL && node->name[0] != '\0')
        put_text (out, 3, node->name);
      put_text (out, 4, node->op);
      for (guint a = 0; a < node->n_attrs; a++)
        put_attr (out, &node->attrs[a], ir_version);
      if (node->domain != NULL && node->domain[0] != '\0')
        put_text (out, 7, node->domain);
      end (out, at);
    }
  put_text (out, 2, g->name != NULL && g->name[0] != '\0' ? g->name : "graph");
  for (guint i = 0; i < g->n_values; i++)
    if (g->values[i].constant != NULL && g->values[i].producer == PARE_NONE)
      put_tensor (out, 5, g->values[i].name, g->values[i].constant);
  for (guint i = 0; i < g->n_inputs; i++)
    put_value_info (out, 11, &g->values[g->inputs[i]]);
  if (ir_version < 4) /* initializers had to be inputs as well */
    for (guint i = 0; i < g->n_values; i++)
      if (g->values[i].constant != NULL && g->values[i].producer == PARE_NONE)
        put_value_info (out, 11, &g->values[i]);
  for (guint i = 0; i < g->n_outputs; i++)
    put_value_info (out, 12, &g->values[g->outputs[i]]);
  end (out, start);
}

static gboolean
check_writable (const PareGraph *g, GError **error)
{
  guint64 total = 0;
  for (guint i = 0; i < g->n_values; i++)
    total += g->values[i].constant ? g->values[i].constant->bytes : 0;
  if (total > G_MAXINT32 - (64 << 20))
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "a single ONNX file holds at most 2 GB, this model needs %" G_GUINT64_FORMAT,
                   total);
      return FALSE;
    }
  for (guint i = 0; i < g->n_nodes; i++)
    if (g_strcmp0 (g->nodes[i].op, PARE_OP_QUANTIZE) == 0)
      {
        g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "node '%s' (%s) is not an ONNX operator",
                     g->nodes[i].layer ? g->nodes[i].layer : "", g->nodes[i].op);
        return FALSE;
      }
  return TRUE;
}

static void
put_model (Out *out, const PareGraph *g)
{
  put_int (out, 1, g->ir_version > 0 ? g->ir_version : 8);
  if (g->producer_name != NULL && g->producer_name[0] != '\0')
    put_text (out, 2, g->producer_name);
  put_graph (out, 7, g, g->ir_version > 0 ? g->ir_version : 8);
  if (g->opset > 0)
    {
      guint64 at = begin (out, 8);
      put_text (out, 1, "");
      put_int (out, 2, g->opset);
      end (out, at);
    }
  for (guint i = 0; i < g->n_domains; i++)
    {
      guint64 at = begin (out, 8);
      put_text (out, 1, g->domains[i]);
      put_int (out, 2, g->domain_versions[i]);
      end (out, at);
    }
  for (guint i = 0; i < g->n_meta; i++)
    {
      guint64 at = begin (out, 14);
      put_text (out, 1, g->meta_keys[i]);
      put_text (out, 2, g->meta_values[i]);
      end (out, at);
    }
  if (g->functions != NULL)
    append (out, g_bytes_get_data (g->functions, NULL), g_bytes_get_size (g->functions));
}

GBytes *
pare_onnx_serialize (const PareGraph *graph, GError **error)
{
  if (!check_writable (graph, error))
    return NULL;
  Out out = { .bytes = g_byte_array_new () };
  put_model (&out, graph);
  return g_byte_array_free_to_bytes (out.bytes);
}

gint64
pare_onnx_count_bytes (const PareGraph *graph, GError **error)
{
  if (!check_writable (graph, error))
    return -1;
  Out out = { .bytes = NULL };
  put_model (&out, graph);
  return (gint64)out.n;
}

gboolean
pare_onnx_save (const PareGraph *graph, const char *path, GError **error)
{
  g_autoptr (GBytes) bytes = pare_onnx_serialize (graph, error);
  if (bytes == NULL)
    return FALSE;
  gsize size;
  const char *data = g_bytes_get_data (bytes, &size);
  GError *local = NULL;
  if (!g_file_set_contents_full (path, data, (gssize)size, G_FILE_SET_CONTENTS_CONSISTENT, 0644, &local))
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "%s: cannot be written: %s", path, local->message);
      g_error_free (local);
      return FALSE;
    }
  return TRUE;
}
