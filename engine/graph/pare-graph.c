#include "engine/graph/pare-graph-private.h"

#include <stddef.h>
#include <string.h>

/* Arrays hold no capacity of their own: it is the next power of two, so that an append reallocates only at powers of two. */
static gpointer
grow (gpointer array, guint n, gsize size)
{
  if ((n & (n - 1)) != 0)
    return array;
  guint capacity = n == 0 ? 1 : n * 2;
  return g_realloc_n (array, capacity, size);
}

gpointer
pare_graph_room (guint n, gsize size)
{
  return n > 0 ? g_malloc_n ((gsize)1 << g_bit_storage (n - 1), size) : NULL;
}

PareQuant *
pare_quant_new (int bits, gboolean is_signed, int axis, guint n)
{
  PareQuant *self = g_new0 (PareQuant, 1);
  self->bits = bits;
  self->is_signed = is_signed;
  self->axis = axis;
  self->n = n;
  self->scale = g_new0 (float, MAX (n, 1));
  self->zero = g_new0 (gint32, MAX (n, 1));
  int b = CLAMP (bits, 1, 32);
  gint64 span = G_GINT64_CONSTANT (1) << b;
  self->lo = is_signed ? (gint32)(-span / 2) : 0;
  self->hi = is_signed ? (gint32)(span / 2 - 1) : (gint32)MIN (span - 1, G_MAXINT32);
  return self;
}

PareQuant *
pare_quant_copy (const PareQuant *self)
{
  if (self == NULL)
    return NULL;
  PareQuant *copy = g_memdup2 (self, sizeof *self);
  copy->scale = g_memdup2 (self->scale, MAX (self->n, 1) * sizeof *self->scale);
  copy->zero = g_memdup2 (self->zero, MAX (self->n, 1) * sizeof *self->zero);
  return copy;
}

void
pare_quant_free (PareQuant *self)
{
  if (self == NULL)
    return;
  g_free (self->scale);
  g_free (self->zero);
  g_free (self);
}

void
pare_attr_clear (PareAttr *attr)
{
  g_clear_pointer (&attr->name, g_free);
  g_clear_pointer (&attr->s, g_bytes_unref);
  g_clear_pointer (&attr->ints, g_free);
  g_clear_pointer (&attr->floats, g_free);
  if (attr->strings != NULL)
    for (guint i = 0; i < attr->n; i++)
      g_bytes_unref (attr->strings[i]);
  g_clear_pointer (&attr->strings, g_free);
  g_clear_pointer (&attr->tensor, pare_tensor_unref);
  g_clear_pointer (&attr->graph, pare_graph_unref);
  g_clear_pointer (&attr->raw, g_bytes_unref);
}

static void
copy_attr (const PareAttr *from, PareAttr *to)
{
  *to = *from;
  to->name = g_strdup (from->name);
  to->s = from->s ? g_bytes_ref (from->s) : NULL;
  to->ints = from->ints ? g_memdup2 (from->ints, from->n * sizeof *from->ints) : NULL;
  to->floats = from->floats ? g_memdup2 (from->floats, from->n * sizeof *from->floats) : NULL;
  to->strings = from->strings ? g_memdup2 (from->strings, from->n * sizeof *from->strings) : NULL;
  if (to->strings != NULL)
    for (guint i = 0; i < to->n; i++)
      g_bytes_ref (to->strings[i]);
  to->tensor = from->tensor ? pare_tensor_ref (from->tensor) : NULL;
  to->graph = from->graph ? pare_graph_copy (from->graph) : NULL;
  to->raw = from->raw ? g_bytes_ref (from->raw) : NULL;
}

/* Attributes as copies of a node share them. */
typedef struct
{
  gatomicrefcount refs;
  PareAttr items[];
} Attrs;

static Attrs *
attrs_of (const PareNode *node)
{
  return (Attrs *)(void *)((guint8 *)node->attrs - offsetof (Attrs, items));
}

static void
drop_attrs (PareNode *node)
{
  Attrs *attrs = node->attrs != NULL ? attrs_of (node) : NULL;
  if (attrs != NULL && g_atomic_ref_count_dec (&attrs->refs))
    {
      for (guint i = 0; i < node->n_attrs; i++)
        pare_attr_clear (&attrs->items[i]);
      g_free (attrs);
    }
  node->attrs = NULL;
  node->n_attrs = 0;
}

void
pare_node_clear (PareNode *node)
{
  node->name = node->layer = node->op = node->domain = NULL;
  g_clear_pointer (&node->inputs, g_free);
  g_clear_pointer (&node->outputs, g_free);
  node->n_inputs = node->n_outputs = 0;
  drop_attrs (node);
}

void
pare_value_clear (PareValue *value)
{
  value->name = NULL;
  g_clear_pointer (&value->constant, pare_tensor_unref);
  g_clear_pointer (&value->quant, pare_quant_free);
}

PareGraph *
pare_graph_new (const char *name)
{
  PareGraph *self = g_new0 (PareGraph, 1);
  g_atomic_ref_count_init (&self->refs);
  self->name = g_strdup (name ? name : "");
  self->kept = pare_names_new ();
  return self;
}

const char *
pare_graph_keep_name (PareGraph *self, const char *text)
{
  return pare_names_keep (self->kept, text);
}

PareGraph *
pare_graph_ref (PareGraph *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
pare_graph_unref (PareGraph *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  for (guint i = 0; i < self->n_nodes; i++)
    pare_node_clear (&self->nodes[i]);
  for (guint i = 0; i < self->n_values; i++)
    pare_value_clear (&self->values[i]);
  for (guint i = 0; i < self->n_domains; i++)
    g_free (self->domains[i]);
  for (guint i = 0; i < self->n_meta; i++)
    {
      g_free (self->meta_keys[i]);
      g_free (self->meta_values[i]);
    }
  g_free (self->domains);
  g_free (self->domain_versions);
  g_free (self->meta_keys);
  g_free (self->meta_values);
  g_free (self->nodes);
  g_free (self->values);
  g_free (self->inputs);
  g_free (self->outputs);
  g_free (self->name);
  g_free (self->path);
  g_free (self->sha256);
  g_free (self->producer_name);
  g_free (self->source_shapes);
  g_free (self->source_dtypes);
  g_clear_pointer (&self->source, g_bytes_unref);
  g_clear_pointer (&self->functions, g_bytes_unref);
  g_clear_pointer (&self->names, g_hash_table_unref);
  pare_names_unref (self->kept);
  g_free (self);
}

PareNode *
pare_graph_push_node (PareGraph *self)
{
  self->nodes = grow (self->nodes, self->n_nodes, sizeof *self->nodes);
  PareNode *node = &self->nodes[self->n_nodes++];
  memset (node, 0, sizeof *node);
  return node;
}

PareValue *
pare_graph_push_value (PareGraph *self)
{
  self->values = grow (self->values, self->n_values, sizeof *self->values);
  PareValue *value = &self->values[self->n_values++];
  memset (value, 0, sizeof *value);
  value->producer = PARE_NONE;
  value->shape.rank = -1;
  value->origin = PARE_NONE;
  return value;
}

void
pare_graph_push_input (PareGraph *self, PareValueId id)
{
  self->inputs = grow (self->inputs, self->n_inputs, sizeof *self->inputs);
  self->inputs[self->n_inputs++] = id;
}

void
pare_graph_push_output (PareGraph *self, PareValueId id)
{
  self->outputs = grow (self->outputs, self->n_outputs, sizeof *self->outputs);
  self->outputs[self->n_outputs++] = id;
}

/* Room for one more than n, by the rule of grow(); not set. */
static Attrs *
make_attrs (guint n)
{
  Attrs *attrs = g_malloc (sizeof (Attrs) + ((gsize)1 << g_bit_storage (n)) * sizeof (PareAttr));
  g_atomic_ref_count_init (&attrs->refs);
  return attrs;
}

void
pare_node_own_attrs (PareNode *node)
{
  if (node->attrs == NULL || g_atomic_ref_count_compare (&attrs_of (node)->refs, 1))
    return;
  Attrs *own = make_attrs (node->n_attrs);
  for (guint i = 0; i < node->n_attrs; i++)
    copy_attr (&node->attrs[i], &own->items[i]);
  guint n = node->n_attrs;
  drop_attrs (node);
  node->attrs = own->items;
  node->n_attrs = n;
}

PareAttr *
pare_node_push_attr (PareNode *node, const char *name, PareAttrKind kind)
{
  pare_node_own_attrs (node);
  guint n = node->n_attrs;
  if (node->attrs == NULL || (n & (n - 1)) == 0)
    {
      Attrs *more = make_attrs (n);
      if (node->attrs != NULL)
        {
          memcpy (more->items, node->attrs, n * sizeof *node->attrs);
          g_free (attrs_of (node));
        }
      node->attrs = more->items;
    }
  PareAttr *attr = &node->attrs[node->n_attrs++];
  memset (attr, 0, sizeof *attr);
  attr->name = g_strdup (name ? name : "");
  attr->kind = kind;
  return attr;
}

void
pare_node_add_attrs (PareNode *node, const PareNode *from, const char *but)
{
  for (guint i = 0; i < from->n_attrs; i++)
    if (g_strcmp0 (from->attrs[i].name, but) != 0)
      {
        PareAttr *attr = pare_node_push_attr (node, NULL, PARE_ATTR_OTHER);
        g_free (attr->name);
        copy_attr (&from->attrs[i], attr);
      }
}

static void
copy_node (const PareNode *from, PareNode *node)
{
  *node = *from;
  node->inputs = g_memdup2 (from->inputs, from->n_inputs * sizeof *from->inputs);
  node->outputs = g_memdup2 (from->outputs, from->n_outputs * sizeof *from->outputs);
  if (from->attrs != NULL)
    g_atomic_ref_count_inc (&attrs_of (from)->refs);
  if (pare_node_has_graph (from))
    pare_node_own_attrs (node); /* passes change bodies where they are */
}

PareGraph *
pare_graph_copy (const PareGraph *self)
{
  PareGraph *copy = g_new0 (PareGraph, 1);
  g_atomic_ref_count_init (&copy->refs);
  copy->name = g_strdup (self->name);
  copy->kept = pare_names_ref (self->kept);
  copy->path = g_strdup (self->path);
  copy->sha256 = g_strdup (self->sha256);
  copy->source = self->source ? g_bytes_ref (self->source) : NULL;
  copy->functions = self->functions ? g_bytes_ref (self->functions) : NULL;
  copy->ir_version = self->ir_version;
  copy->opset = self->opset;
  copy->producer_name = g_strdup (self->producer_name);
  copy->n_domains = self->n_domains;
  copy->domains = g_new0 (char *, self->n_domains + 1);
  copy->domain_versions = g_new0 (int, self->n_domains + 1);
  for (guint i = 0; i < self->n_domains; i++)
    {
      copy->domains[i] = g_strdup (self->domains[i]);
      copy->domain_versions[i] = self->domain_versions[i];
    }
  copy->n_meta = self->n_meta;
  copy->meta_keys = g_new0 (char *, self->n_meta + 1);
  copy->meta_values = g_new0 (char *, self->n_meta + 1);
  for (guint i = 0; i < self->n_meta; i++)
    {
      copy->meta_keys[i] = g_strdup (self->meta_keys[i]);
      copy->meta_values[i] = g_strdup (self->meta_values[i]);
    }
  copy->nodes = pare_graph_room (self->n_nodes, sizeof *self->nodes);
  copy->n_nodes = self->n_nodes;
  for (guint i = 0; i < self->n_nodes; i++)
    copy_node (&self->nodes[i], &copy->nodes[i]);
  copy->values = pare_graph_room (self->n_values, sizeof *self->values);
  copy->n_values = self->n_values;
  for (guint i = 0; i < self->n_values; i++)
    {
      const PareValue *from = &self->values[i];
      PareValue *to = &copy->values[i];
      *to = *from;
      to->constant = from->constant ? pare_tensor_ref (from->constant) : NULL;
      to->quant = pare_quant_copy (from->quant);
    }
  for (guint i = 0; i < self->n_inputs; i++)
    pare_graph_push_input (copy, self->inputs[i]);
  for (guint i = 0; i < self->n_outputs; i++)
    pare_graph_push_output (copy, self->outputs[i]);
  return copy;
}

PareValueId
pare_graph_find_value (const PareGraph *self, const char *name)
{
  if (name == NULL)
    return PARE_NONE;
  if (self->names != NULL)
    {
      guint id = GPOINTER_TO_UINT (g_hash_table_lookup (self->names, name));
      if (id != 0 && id <= self->n_values && g_strcmp0 (self->values[id - 1].name, name) == 0)
        return id - 1;
    }
  for (guint i = 0; i < self->n_values; i++)
    if (g_strcmp0 (self->values[i].name, name) == 0)
      return i;
  return PARE_NONE;
}

PareNodeId
pare_graph_find_layer (const PareGraph *self, const char *layer)
{
  for (guint i = 0; layer != NULL && i < self->n_nodes; i++)
    if (self->nodes[i].op != NULL && g_strcmp0 (self->nodes[i].layer, layer) == 0)
      return i;
  return PARE_NONE;
}

const PareAttr *
pare_node_get_attr (const PareNode *node, const char *name)
{
  for (guint i = 0; i < node->n_attrs; i++)
    if (strcmp (node->attrs[i].name, name) == 0)
      return &node->attrs[i];
  return NULL;
}

gint64
pare_node_get_int (const PareNode *node, const char *name, gint64 fallback)
{
  const PareAttr *attr = pare_node_get_attr (node, name);
  return attr != NULL && attr->kind == PARE_ATTR_INT ? attr->i : fallback;
}

float
pare_node_get_float (const PareNode *node, const char *name, float fallback)
{
  const PareAttr *attr = pare_node_get_attr (node, name);
  return attr != NULL && attr->kind == PARE_ATTR_FLOAT ? attr->f : attr != NULL && attr->kind == PARE_ATTR_INT ? (float)attr->i : fallback;
}

const gint64 *
pare_node_get_ints (const PareNode *node, const char *name, guint *n)
{
  const PareAttr *attr = pare_node_get_attr (node, name);
  gboolean found = attr != NULL && attr->kind == PARE_ATTR_INTS && attr->ints != NULL;
  if (n != NULL)
    *n = found ? attr->n : 0;
  return found ? attr->ints : NULL;
}

char *
pare_node_dup_string (const PareNode *node, const char *name)
{
  const PareAttr *attr = pare_node_get_attr (node, name);
  if (attr == NULL || attr->kind != PARE_ATTR_STRING || attr->s == NULL)
    return NULL;
  gsize size;
  const char *data = g_bytes_get_data (attr->s, &size);
  g_autofree char *text = g_strndup (data ? data : "", size);
  return g_utf8_make_valid (text, -1);
}

gboolean
pare_node_is (const PareNode *node, const char *op)
{
  return node->op != NULL && strcmp (node->op, op) == 0 && (node->domain == NULL || node->domain[0] == '\0');
}

gboolean
pare_node_only_moves (const PareNode *node)
{
  static const char *const names[] = { "MaxPool", "Transpose", "Reshape", "Flatten", "Squeeze",      "Unsqueeze",    "Slice", "Identity",
                                       "Split",   "Dropout",   "Expand",  "Pad",     "DepthToSpace", "SpaceToDepth", "Tile",  NULL };
  if (node->op == NULL || (node->domain != NULL && *node->domain != '\0'))
    return FALSE;
  if (strcmp (node->op, "Resize") == 0)
    {
      g_autofree char *mode = pare_node_dup_string (node, "mode"), *where = pare_node_dup_string (node, "coordinate_transformation_mode");
      return (mode == NULL || strcmp (mode, "nearest") == 0) && g_strcmp0 (where, "tf_crop_and_resize") != 0;
    }
  return g_strv_contains (names, node->op) && (strcmp (node->op, "Dropout") != 0 || node->n_outputs < 2);
}

gboolean
pare_node_has_graph (const PareNode *node)
{
  for (guint i = 0; i < node->n_attrs; i++)
    if (node->attrs[i].graph != NULL)
      return TRUE;
  return FALSE;
}

char *
pare_node_describe (const PareNode *node)
{
  const char *name = node->name != NULL && node->name[0] != '\0' ? node->name : node->layer;
  gboolean own = node->domain == NULL || node->domain[0] == '\0';
  return g_strdup_printf ("node '%s' (%s%s%s)", name ? name : "", own ? "" : node->domain, own ? "" : ":", node->op ? node->op : "?");
}

void
pare_graph_collect_captured (const PareGraph *body, GHashTable *names)
{
  g_autoptr (GHashTable) own = g_hash_table_new (g_str_hash, g_str_equal), inner = g_hash_table_new (g_str_hash, g_str_equal);
  g_autofree guint8 *is_input = g_new0 (guint8, body->n_values + 1);
  for (guint i = 0; i < body->n_inputs; i++)
    is_input[body->inputs[i]] = 1;
  for (guint i = 0; i < body->n_values; i++)
    {
      const PareValue *v = &body->values[i];
      if (v->producer == PARE_NONE && v->constant == NULL && !is_input[i])
        g_hash_table_add (names, (gpointer)v->name);
      else
        g_hash_table_add (own, (gpointer)v->name);
    }
  for (guint i = 0; i < body->n_nodes; i++)
    for (guint a = 0; a < body->nodes[i].n_attrs; a++)
      if (body->nodes[i].attrs[a].graph != NULL)
        pare_graph_collect_captured (body->nodes[i].attrs[a].graph, inner);
  GHashTableIter iter;
  gpointer key;
  g_hash_table_iter_init (&iter, inner);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    if (!g_hash_table_contains (own, key))
      g_hash_table_add (names, key);
}

PareConsumers *
pare_graph_consumers (const PareGraph *self)
{
  PareConsumers *c = g_new0 (PareConsumers, 1);
  c->starts = g_new0 (guint, self->n_values + 2);
  guint most = 0;
  for (guint i = 0; i < self->n_nodes; i++)
    most += self->nodes[i].n_inputs;
  g_autoptr (GArray) pairs = g_array_sized_new (FALSE, FALSE, 2 * sizeof (guint), most + 1); /* value, node */
  g_autoptr (GHashTable) by_name = NULL;
  for (guint i = 0; i < self->n_nodes; i++)
    {
      const PareNode *node = &self->nodes[i];
      if (node->op == NULL)
        continue;
      for (guint k = 0; k < node->n_inputs; k++)
        {
          gboolean again = node->inputs[k] == PARE_NONE || node->inputs[k] >= self->n_values;
          for (guint j = 0; j < k && !again && k < 64; j++)
            again = node->inputs[j] == node->inputs[k];
          guint pair[2] = { node->inputs[k], i };
          if (!again)
            g_array_append_vals (pairs, pair, 1);
        }
      if (!pare_node_has_graph (node))
        continue;
      if (by_name == NULL)
        {
          by_name = g_hash_table_new (g_str_hash, g_str_equal);
          for (guint v = 0; v < self->n_values; v++)
            g_hash_table_insert (by_name, (gpointer)self->values[v].name, GUINT_TO_POINTER (v + 1));
        }
      g_autoptr (GHashTable) captured = g_hash_table_new (g_str_hash, g_str_equal);
      for (guint a = 0; a < node->n_attrs; a++)
        if (node->attrs[a].graph != NULL)
          pare_graph_collect_captured (node->attrs[a].graph, captured);
      GHashTableIter iter;
      gpointer key;
      g_hash_table_iter_init (&iter, captured);
      while (g_hash_table_iter_next (&iter, &key, NULL))
        {
          guint id = GPOINTER_TO_UINT (g_hash_table_lookup (by_name, key));
          guint pair[2] = { id - 1, i };
          gboolean again = id == 0;
          for (guint k = 0; k < node->n_inputs && !again; k++)
            again = node->inputs[k] == id - 1;
          if (!again)
            g_array_append_vals (pairs, pair, 1);
        }
    }
  c->nodes = g_new0 (PareNodeId, pairs->len + 1);
  const guint *p = (const guint *)pairs->data;
  for (guint i = 0; i < pairs->len; i++)
    c->starts[p[2 * i] + 1]++;
  for (guint v = 0; v < self->n_values; v++)
    c->starts[v + 1] += c->starts[v];
  g_autofree guint *at = g_memdup2 (c->starts, (self->n_values + 1) * sizeof (guint));
  for (guint i = 0; i < pairs->len; i++)
    c->nodes[at[p[2 * i]]++] = p[2 * i + 1];
  return c;
}

void
pare_consumers_free (PareConsumers *self)
{
  if (self == NULL)
    return;
  g_free (self->starts);
  g_free (self->nodes);
  g_free (self);
}

gboolean
pare_graph_is_output (const PareGraph *self, PareValueId value)
{
  for (guint i = 0; i < self->n_outputs; i++)
    if (self->outputs[i] == value)
      return TRUE;
  return FALSE;
}

PareValue *
pare_node_input (const PareGraph *graph, const PareNode *node, guint i)
{
  return i < node->n_inputs && node->inputs[i] != PARE_NONE ? &graph->values[node->inputs[i]] : NULL;
}

PareValue *
pare_node_output (const PareGraph *graph, const PareNode *node, guint i)
{
  return i < node->n_outputs && node->outputs[i] != PARE_NONE ? &graph->values[node->outputs[i]] : NULL;
}

PareTensor *
pare_node_input_constant (const PareGraph *graph, const PareNode *node, guint i)
{
  PareValue *value = pare_node_input (graph, node, i);
  return value != NULL ? value->constant : NULL;
}

gint64 *
pare_node_input_ints (const PareGraph *graph, const PareNode *node, guint i, guint *n)
{
  PareTensor *t = pare_node_input_constant (graph, node, i);
  *n = 0;
  if (t == NULL || pare_dtype_bits (t->dtype) == 0)
    return NULL;
  gint64 count = pare_tensor_count (t);
  if (count < 0 || count > 1 << 20)
    return NULL;
  gint64 *out = g_new0 (gint64, count + 1);
  for (gint64 k = 0; k < count; k++)
    out[k] = pare_tensor_get_int (t, (gsize)k);
  *n = (guint)count;
  return out;
}
