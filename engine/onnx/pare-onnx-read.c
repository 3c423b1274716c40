#include "engine/graph/pare-graph-private.h"
#include "engine/onnx/pare-onnx-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Stands as the producer of graph inputs while nodes are read, so that an output of the same name is noticed. */
#define INPUT_MARK (PARE_NONE - 1)

typedef struct
{
  PareOnnxSource source;
  GError **error;
} Reader;

static PareGraph *read_graph (Reader *r, const Onnx__GraphProto *proto);

static gboolean fail (Reader *r, PareError code, const char *format, ...) G_GNUC_PRINTF (3, 4);

static gboolean
fail (Reader *r, PareError code, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *reason = g_strdup_vprintf (format, args);
  va_end (args);
  if (r->error != NULL && *r->error == NULL)
    g_set_error (r->error, PARE_ERROR, code, "%s: %s", r->source.what, reason);
  return FALSE;
}

/* The kind of an attribute; files of the first version do not say. */
static PareAttrKind
attr_kind (const Onnx__AttributeProto *p)
{
  if (p->ref_attr_name != NULL && p->ref_attr_name[0] != '\0')
    return PARE_ATTR_OTHER;
  if (p->has_type && p->type != 0)
    return p->type >= 1 && p->type <= 8 ? (PareAttrKind)p->type : PARE_ATTR_OTHER;
  return p->has_f       ? PARE_ATTR_FLOAT
         : p->has_i     ? PARE_ATTR_INT
         : p->has_s     ? PARE_ATTR_STRING
         : p->t         ? PARE_ATTR_TENSOR
         : p->g         ? PARE_ATTR_GRAPH
         : p->n_floats  ? PARE_ATTR_FLOATS
         : p->n_strings ? PARE_ATTR_STRINGS
         : p->n_ints    ? PARE_ATTR_INTS
                        : PARE_ATTR_OTHER;
}

static gboolean
read_attr (Reader *r, const Onnx__AttributeProto *p, PareNode *node)
{
  PareAttr *a = pare_node_push_attr (node, p->name, attr_kind (p));
  switch (a->kind)
    {
    case PARE_ATTR_FLOAT:
      a->f = p->has_f ? p->f : 0;
      break;
    case PARE_ATTR_INT:
      a->i = p->has_i ? p->i : 0;
      break;
    case PARE_ATTR_STRING:
      a->s = g_bytes_new (p->s.data, p->has_s ? p->s.len : 0);
      break;
    case PARE_ATTR_FLOATS:
      a->n = (guint)p->n_floats;
      a->floats = g_memdup2 (p->floats, p->n_floats * sizeof (float));
      break;
    case PARE_ATTR_INTS:
      a->n = (guint)p->n_ints;
      a->ints = g_new0 (gint64, p->n_ints + 1); /* never NULL: an empty list is a list */
      if (p->n_ints > 0)
        memcpy (a->ints, p->ints, p->n_ints * sizeof (gint64));
      break;
    case PARE_ATTR_STRINGS:
      a->n = (guint)p->n_strings;
      a->strings = g_new0 (GBytes *, p->n_strings + 1);
      for (gsize i = 0; i < p->n_strings; i++)
        a->strings[i] = g_bytes_new (p->strings[i].data, p->strings[i].len);
      break;
    case PARE_ATTR_TENSOR:
      {
        g_autofree char *what = pare_node_describe (node), *name = g_strdup_printf ("%s, attribute '%s'", what, a->name);
        if (p->t == NULL)
          return fail (r, PARE_ERROR_FORMAT, "%s: no tensor", name);
        a->tensor = pare_onnx_read_tensor (&r->source, p->t, name, r->error);
        return a->tensor != NULL;
      }
    case PARE_ATTR_GRAPH:
      if (p->g == NULL)
        {
          g_autofree char *what = pare_node_describe (node);
          return fail (r, PARE_ERROR_FORMAT, "%s: attribute '%s' holds no graph", what, a->name);
        }
      a->graph = read_graph (r, p->g);
      return a->graph != NULL;
    default:
      {
        gsize size = onnx__attribute_proto__get_packed_size (p);
        guint8 *data = g_malloc (size + 1);
        onnx__attribute_proto__pack (p, data);
        a->raw = g_bytes_new_take (data, size);
      }
    }
  return TRUE;
}

static void
read_type (PareGraph *g, const Onnx__TypeProto *type, PareValue *value)
{
  if (type == NULL || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || type->tensor_type == NULL)
    return;
  const Onnx__TypeProto__Tensor *t = type->tensor_type;
  if (t->has_elem_type && (pare_dtype_bits ((PareDtype)t->elem_type) != 0 || t->elem_type == PARE_DTYPE_STRING))
    value->dtype = (PareDtype)t->elem_type;
  if (t->shape == NULL || t->shape->n_dim > PARE_MAX_RANK)
    return;
  value->shape.rank = (int)t->shape->n_dim;
  for (gsize i = 0; i < t->shape->n_dim; i++)
    {
      const Onnx__TensorShapeProto__Dimension *d = t->shape->dim[i];
      value->shape.dims[i] = -1;
      value->dim_names[i] = NULL;
      if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value >= 0)
        value->shape.dims[i] = d->dim_value;
      else if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && d->dim_param != NULL && d->dim_param[0] != '\0')
        value->dim_names[i] = pare_graph_keep_name (g, d->dim_param);
    }
}

static PareValueId
value_id (PareGraph *g, GHashTable *ids, const char *name)
{
  guint id = GPOINTER_TO_UINT (g_hash_table_lookup (ids, name));
  if (id != 0)
    return id - 1;
  PareValue *value = pare_graph_push_value (g);
  value->name = pare_graph_keep_name (g, name);
  value->origin = g->n_values - 1;
  g_hash_table_insert (ids, g_strdup (name), GUINT_TO_POINTER (g->n_values));
  return g->n_values - 1;
}

static gboolean
read_node (Reader *r, const Onnx__NodeProto *p, PareGraph *g, GHashTable *ids)
{
  PareNodeId id = g->n_nodes;
  PareNode *node = pare_graph_push_node (g);
  node->name = pare_graph_keep_name (g, p->name ? p->name : "");
  node->op = pare_graph_keep_name (g, p->op_type ? p->op_type : "");
  node->domain = pare_graph_keep_name (g, p->domain == NULL || strcmp (p->domain, "ai.onnx") == 0 ? "" : p->domain);
  node->origin = id;
  node->role = PARE_ROLE_SELF;
  if (node->op[0] == '\0')
    return fail (r, PARE_ERROR_FORMAT, "node %u '%s' has no operator", id, node->name);
  if (pare_node_is (node, PARE_OP_QUANTIZE) || pare_node_is (node, PARE_OP_BLOCK_GEMM))
    return fail (r, PARE_ERROR_FORMAT, "node %u '%s': there is no operator %s", id, node->name, node->op);
  node->n_inputs = (guint)p->n_input;
  node->n_outputs = (guint)p->n_output;
  node->inputs = g_new (PareValueId, p->n_input + 1);
  node->outputs = g_new (PareValueId, p->n_output + 1);
  for (gsize i = 0; i < p->n_input; i++)
    node->inputs[i] = p->input[i] == NULL || p->input[i][0] == '\0' ? PARE_NONE : value_id (g, ids, p->input[i]);
  for (gsize i = 0; i < p->n_output; i++)
    {
      node->outputs[i] = PARE_NONE;
      if (p->output[i] == NULL || p->output[i][0] == '\0')
        continue;
      PareValueId v = value_id (g, ids, p->output[i]);
      node->outputs[i] = v;
      if (g->values[v].producer != PARE_NONE || g->values[v].constant != NULL)
        {
          g_autofree char *what = pare_node_describe (node);
          return fail (r, PARE_ERROR_FORMAT, "%s: output '%s' is defined twice", what, p->output[i]);
        }
      g->values[v].producer = id;
    }
  for (gsize i = 0; i < p->n_attribute; i++)
    if (!read_attr (r, p->attribute[i], node))
      return FALSE;
  return TRUE;
}

static gboolean
fill_graph (Reader *r, const Onnx__GraphProto *p, PareGraph *g)
{
  g_autoptr (GHashTable) ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (p->n_sparse_initializer > 0)
    return fail (r, PARE_ERROR_UNSUPPORTED, "graph '%s' holds sparse initializers, which are not supported", g->name);
  for (gsize i = 0; i < p->n_initializer; i++)
    {
      const Onnx__TensorProto *t = p->initializer[i];
      if (t->name == NULL || t->name[0] == '\0')
        return fail (r, PARE_ERROR_FORMAT, "initializer %" G_GSIZE_FORMAT " has no name", i);
      PareValueId v = value_id (g, ids, t->name);
      if (g->values[v].constant != NULL)
        return fail (r, PARE_ERROR_FORMAT, "two initializers are named '%s'", t->name);
      g_autoptr (PareTensor) tensor = pare_onnx_read_tensor (&r->source, t, t->name, r->error);
      if (tensor == NULL)
        return FALSE;
      pare_graph_set_constant (g, v, tensor);
    }
  for (gsize i = 0; i < p->n_input; i++)
    {
      if (p->input[i]->name == NULL || p->input[i]->name[0] == '\0')
        return fail (r, PARE_ERROR_FORMAT, "input %" G_GSIZE_FORMAT " has no name", i);
      gboolean known = g_hash_table_contains (ids, p->input[i]->name);
      PareValueId v = value_id (g, ids, p->input[i]->name);
      if (g->values[v].constant != NULL)
        continue; /* repeats an initializer, as files before IR 4 must */
      if (known)
        return fail (r, PARE_ERROR_FORMAT, "two inputs are named '%s'", p->input[i]->name);
      read_type (g, p->input[i]->type, &g->values[v]);
      g->values[v].producer = INPUT_MARK;
      pare_graph_push_input (g, v);
    }
  for (gsize i = 0; i < p->n_node; i++)
    if (!read_node (r, p->node[i], g, ids))
      return FALSE;
  for (guint i = 0; i < g->n_inputs; i++)
    g->values[g->inputs[i]].producer = PARE_NONE;
  for (gsize i = 0; i < p->n_output; i++)
    {
      if (p->output[i]->name == NULL || p->output[i]->name[0] == '\0')
        return fail (r, PARE_ERROR_FORMAT, "output %" G_GSIZE_FORMAT " has no name", i);
      PareValueId v = value_id (g, ids, p->output[i]->name);
      if (g->values[v].constant == NULL && g->values[v].producer != PARE_NONE)
        read_type (g, p->output[i]->type, &g->values[v]);
      pare_graph_push_output (g, v);
    }
  for (gsize i = 0; i < p->n_value_info; i++)
    {
      const char *name = p->value_info[i]->name;
      guint id = name ? GPOINTER_TO_UINT (g_hash_table_lookup (ids, name)) : 0;
      if (id != 0 && g->values[id - 1].producer != PARE_NONE && !pare_graph_is_output (g, id - 1))
        read_type (g, p->value_info[i]->type, &g->values[id - 1]);
    }
  return TRUE;
}

static PareGraph *
read_graph (Reader *r, const Onnx__GraphProto *p)
{
  PareGraph *g = pare_graph_new (p->name);
  if (!fill_graph (r, p, g) || !pare_graph_sort (g, r->error))
    g_clear_pointer (&g, pare_graph_unref);
  else
    {
      for (guint i = 0; i < g->n_nodes; i++)
        g->nodes[i].origin = i;
      pare_graph_name_layers (g);
    }
  return g;
}

/* Opset imports, metadata and where it came from. */
static gboolean
read_model (Reader *r, const Onnx__ModelProto *m, PareGraph *g)
{
  g->ir_version = m->has_ir_version ? m->ir_version : 0;
  g->producer_name = g_strdup (m->producer_name);
  g->domains = g_new0 (char *, m->n_opset_import + 1);
  g->domain_versions = g_new0 (int, m->n_opset_import + 1);
  for (gsize i = 0; i < m->n_opset_import; i++)
    {
      const char *domain = m->opset_import[i]->domain;
      gint64 version = m->opset_import[i]->has_version ? m->opset_import[i]->version : 0;
      if (version < 0 || version > 100000)
        return fail (r, PARE_ERROR_FORMAT, "opset %" G_GINT64_FORMAT " of domain '%s'", version, domain ? domain : "");
      if (domain == NULL || domain[0] == '\0' || strcmp (domain, "ai.onnx") == 0)
        {
          g->opset = (int)version;
          continue;
        }
      g->domains[g->n_domains] = g_strdup (domain);
      g->domain_versions[g->n_domains++] = (int)version;
    }
  g->meta_keys = g_new0 (char *, m->n_metadata_props + 1);
  g->meta_values = g_new0 (char *, m->n_metadata_props + 1);
  for (gsize i = 0; i < m->n_metadata_props; i++)
    {
      const Onnx__StringStringEntryProto *p = m->metadata_props[i];
      g->meta_keys[g->n_meta] = g_strdup (p->key ? p->key : "");
      g->meta_values[g->n_meta++] = g_strdup (p->value ? p->value : "");
    }
  return TRUE;
}

/* fd: the file that `bytes` are mapped from, -1: they are in memory. */
static PareGraph *
parse (GBytes *bytes, const char *path, int fd, PareControl *control, GError **error)
{
  g_autofree char *base = path ? g_path_get_basename (path) : g_strdup ("model");
  GError *local = NULL;
  Reader r = { .source = { .bytes = bytes, .mapped = fd >= 0, .what = base, .control = control }, .error = &local };
  PareOnnxScan scan;
  if (!pare_onnx_scan (bytes, base, &scan, error))
    return NULL;
  if (pare_control_check (control, error))
    {
      pare_onnx_scan_clear (&scan);
      return NULL;
    }
  PareGraph *g = NULL;
  gboolean calls = FALSE;
  Onnx__ModelProto *m = onnx__model_proto__unpack (NULL, scan.skeleton->len, scan.skeleton->data);
  if (path != NULL)
    {
      g_autofree char *folder = g_path_get_dirname (path);
      char *resolved = realpath (folder, NULL);
      r.source.folder = g_strdup (resolved);
      free (resolved);
    }
  if (m == NULL)
    fail (&r, PARE_ERROR_FORMAT, "not a valid ONNX file: its parts do not fit together");
  else if (m->graph == NULL)
    fail (&r, PARE_ERROR_FORMAT, "not a valid ONNX file: it holds no graph");
  else if (pare_onnx_inline_functions (m, base, &calls, r.error) && (g = read_graph (&r, m->graph)) != NULL)
    {
      GError *verify = NULL;
      if (!read_model (&r, m, g) || pare_control_check (control, r.error) || !pare_graph_verify (g, &verify))
        g_clear_pointer (&g, pare_graph_unref);
      if (verify != NULL)
        {
          fail (&r, PARE_ERROR_FORMAT, "%s", verify->message);
          g_error_free (verify);
        }
    }
  if (m != NULL)
    onnx__model_proto__free_unpacked (m, NULL);
  if (g != NULL)
    {
      g->path = g_strdup (path);
      g->source = g_bytes_ref (bytes);
      if (calls)
        g->functions = g_bytes_new (scan.functions->data, scan.functions->len);
      g->sha256 = fd >= 0 ? pare_onnx_hash_fd (fd, path, control, &local) : g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes);
      if (g->sha256 == NULL)
        g_clear_pointer (&g, pare_graph_unref);
    }
  else if (local != NULL && strstr (local->message, base) == NULL)
    g_prefix_error (&local, "%s: ", base);
  if (local != NULL)
    g_propagate_error (error, local);
  pare_onnx_scan_clear (&scan);
  g_free (r.source.folder);
  g_clear_pointer (&r.source.external, g_hash_table_unref);
  return g;
}

PareGraph *
pare_onnx_parse (GBytes *bytes, const char *path, GError **error)
{
  return parse (bytes, path, -1, NULL, error);
}

PareGraph *
pare_onnx_load (const char *path, PareControl *control, GError **error)
{
  GError *local = NULL;
  /* A folder or a device maps too, or blocks for ever. */
  if (!g_file_test (path, G_FILE_TEST_IS_REGULAR))
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "%s: %s", path,
                   g_file_test (path, G_FILE_TEST_EXISTS) ? "not a file" : "no such file");
      return NULL;
    }
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  GMappedFile *file = fd >= 0 ? g_mapped_file_new_from_fd (fd, FALSE, &local) : NULL;
  if (file == NULL)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "%s: cannot be read: %s", path, local != NULL ? local->message : g_strerror (errno));
      g_clear_error (&local);
      if (fd >= 0)
        close (fd);
      return NULL;
    }
  g_autoptr (GBytes) bytes = g_mapped_file_get_bytes (file);
  g_mapped_file_unref (file);
  pare_control_report (control, "Reading the model", 0, g_bytes_get_size (bytes));
  PareGraph *graph = parse (bytes, path, fd, control, error);
  close (fd);
  return graph;
}
