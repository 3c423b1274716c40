/* Model-local functions: operators that a file defines itself, as PyTorch's exporter writes its modules. Each call is replaced by the nodes
 * of the function, so that their layers are seen and changed like any others. */
#include "engine/onnx/pare-onnx-private.h"

#include <string.h>

#define MAX_DEPTH PARE_ONNX_MAX_DEPTH
/* A few functions that call each other twice make more nodes than there is memory for. */
#define MAX_NODES (1u << 18)

typedef struct
{
  Onnx__ModelProto *model;
  GHashTable *functions; /* "domain:name" -> Onnx__FunctionProto; NULL: two of one name */
  GHashTable *names;     /* of values and nodes that are taken */
  guint nodes;
  gboolean left; /* a call remains */
  const char *what;
  GError **error;
} Inliner;

/* One call: what a name within the function is outside. */
typedef struct
{
  Inliner *in;
  const Onnx__NodeProto *node;
  const Onnx__FunctionProto *function;
  const char *prefix;
  GHashTable *outer; /* name within -> name outside */
} Call;

static gboolean expand_list (Inliner *in, Onnx__NodeProto ***nodes, gsize *n, int depth);

static const char *
text_of (const char *s)
{
  return s != NULL ? s : "";
}

static char *
function_key (const char *domain, const char *name)
{
  return g_strconcat (strcmp (text_of (domain), "ai.onnx") == 0 ? "" : text_of (domain), ":", text_of (name), NULL);
}

static int
opset_of (Onnx__OperatorSetIdProto **imports, gsize n)
{
  for (gsize i = 0; i < n; i++)
    if (text_of (imports[i]->domain)[0] == '\0' || strcmp (imports[i]->domain, "ai.onnx") == 0)
      return (int)imports[i]->version;
  return 0;
}

/* (transfer full) A name like `wanted` that nobody has. */
static char *
new_name (Inliner *in, const char *wanted)
{
  char *name = g_strdup (wanted);
  for (guint i = 2; g_hash_table_contains (in->names, name); i++)
    {
      g_free (name);
      name = g_strdup_printf ("%s_%u", wanted, i);
    }
  g_hash_table_add (in->names, g_strdup (name));
  return name;
}

static void
note_name (Inliner *in, const char *name)
{
  if (name != NULL && name[0] != '\0' && !g_hash_table_contains (in->names, name))
    g_hash_table_add (in->names, g_strdup (name));
}

static void
note_graph (Inliner *in, const Onnx__GraphProto *g)
{
  for (gsize i = 0; i < g->n_initializer; i++)
    note_name (in, g->initializer[i]->name);
  for (gsize i = 0; i < g->n_input; i++)
    note_name (in, g->input[i]->name);
  for (gsize i = 0; i < g->n_node; i++)
    {
      const Onnx__NodeProto *node = g->node[i];
      note_name (in, node->name);
      for (gsize k = 0; k < node->n_output; k++)
        note_name (in, node->output[k]);
      for (gsize k = 0; k < node->n_attribute; k++)
        if (node->attribute[k]->g != NULL)
          note_graph (in, node->attribute[k]->g);
    }
}

/* The outside's name takes the place of *name. protobuf-c frees with free(), as GLib's strings may be. */
static void
rename_value (Call *c, char **name)
{
  if (text_of (*name)[0] == '\0')
    return;
  const char *outer = g_hash_table_lookup (c->outer, *name);
  if (outer == NULL)
    {
      g_autofree char *wanted = g_strconcat (c->prefix, "/", *name, NULL);
      char *made = new_name (c->in, wanted);
      g_hash_table_insert (c->outer, g_strdup (*name), made);
      outer = made;
    }
  char *copy = g_strdup (outer);
  g_free (*name);
  *name = copy;
}

static void finish_node (Call *c, Onnx__NodeProto *node);

static void
rename_graph (Call *c, Onnx__GraphProto *g)
{
  for (gsize i = 0; i < g->n_initializer; i++)
    rename_value (c, &g->initializer[i]->name);
  for (gsize i = 0; i < g->n_input; i++)
    rename_value (c, &g->input[i]->name);
  for (gsize i = 0; i < g->n_output; i++)
    rename_value (c, &g->output[i]->name);
  for (gsize i = 0; i < g->n_value_info; i++)
    rename_value (c, &g->value_info[i]->name);
  for (gsize i = 0; i < g->n_node; i++)
    finish_node (c, g->node[i]);
}

#define COPY(NAME, Type)                                                                                                                   \
  static Type *copy_##NAME (const Type *from)                                                                                              \
  {                                                                                                                                        \
    gsize size = onnx__##NAME##__get_packed_size (from);                                                                                   \
    g_autofree guint8 *data = g_malloc (size + 1);                                                                                         \
    onnx__##NAME##__pack (from, data);                                                                                                     \
    return onnx__##NAME##__unpack (NULL, size, data);                                                                                      \
  }
COPY (node_proto, Onnx__NodeProto)
COPY (attribute_proto, Onnx__AttributeProto)

/* (transfer full) What the function says of an attribute that a call leaves out: attribute_proto, which older schemas do not know and keep
 * aside. NULL: nothing. */
static Onnx__AttributeProto *
default_attribute (const Onnx__FunctionProto *f, const char *name)
{
  const ProtobufCFieldDescriptor *known = protobuf_c_message_descriptor_get_field (f->base.descriptor, 11);
  if (known != NULL)
    {
      gsize n = *(const size_t *)((const char *)f + known->quantifier_offset);
      Onnx__AttributeProto *const *all = *(Onnx__AttributeProto *const *const *)((const char *)f + known->offset);
      for (gsize i = 0; i < n; i++)
        if (strcmp (text_of (all[i]->name), name) == 0)
          return copy_attribute_proto (all[i]);
      return NULL;
    }
  for (unsigned i = 0; i < f->base.n_unknown_fields; i++)
    {
      const ProtobufCMessageUnknownField *u = &f->base.unknown_fields[i];
      gsize prefix = 0;
      while (prefix < u->len && u->data[prefix] > 127)
        prefix++;
      if (u->tag != 11 || ++prefix > u->len)
        continue;
      Onnx__AttributeProto *a = onnx__attribute_proto__unpack (NULL, u->len - prefix, u->data + prefix);
      if (a != NULL && strcmp (text_of (a->name), name) == 0)
        return a;
      if (a != NULL)
        onnx__attribute_proto__free_unpacked (a, NULL);
    }
  return NULL;
}

/* (transfer full) The value of the function's parameter, under the attribute's own name; NULL: it has none. */
static Onnx__AttributeProto *
bind_attribute (const Call *c, const Onnx__AttributeProto *reference)
{
  Onnx__AttributeProto *bound = NULL;
  for (gsize i = 0; bound == NULL && i < c->node->n_attribute; i++)
    if (strcmp (text_of (c->node->attribute[i]->name), reference->ref_attr_name) == 0)
      bound = copy_attribute_proto (c->node->attribute[i]);
  if (bound == NULL)
    bound = default_attribute (c->function, reference->ref_attr_name);
  if (bound != NULL)
    {
      g_free (bound->name);
      bound->name = g_strdup (text_of (reference->name));
    }
  return bound;
}

/* A copy of a function's node becomes one of the graph outside. */
static void
finish_node (Call *c, Onnx__NodeProto *node)
{
  g_autofree char *wanted = g_strconcat (c->prefix, "/", text_of (node->name)[0] != '\0' ? node->name : text_of (node->op_type), NULL);
  g_free (node->name);
  node->name = new_name (c->in, wanted);
  for (gsize i = 0; i < node->n_input; i++)
    rename_value (c, &node->input[i]);
  for (gsize i = 0; i < node->n_output; i++)
    rename_value (c, &node->output[i]);
  gsize kept = 0;
  for (gsize i = 0; i < node->n_attribute; i++)
    {
      Onnx__AttributeProto *a = node->attribute[i];
      if (text_of (a->ref_attr_name)[0] != '\0')
        {
          Onnx__AttributeProto *bound = bind_attribute (c, a);
          onnx__attribute_proto__free_unpacked (a, NULL);
          if (bound != NULL)
            node->attribute[kept++] = bound; /* its graphs are of the caller's world */
          continue;
        }
      node->attribute[kept++] = a;
      if (a->g != NULL)
        rename_graph (c, a->g);
    }
  node->n_attribute = kept;
}

static Onnx__NodeProto *
new_identity (Inliner *in, const char *from, const char *to, const char *prefix)
{
  Onnx__NodeProto *node = g_new (Onnx__NodeProto, 1);
  g_autofree char *wanted = g_strconcat (prefix, "/Identity", NULL);
  onnx__node_proto__init (node);
  node->op_type = g_strdup ("Identity");
  node->name = new_name (in, wanted);
  node->n_input = node->n_output = 1;
  node->input = g_new (char *, 1);
  node->output = g_new (char *, 1);
  node->input[0] = g_strdup (from);
  node->output[0] = g_strdup (to);
  return node;
}

/* Appends the function's nodes as the call asks for them. */
static gboolean
inline_call (Inliner *in, const Onnx__NodeProto *node, const Onnx__FunctionProto *f, GPtrArray *out)
{
  if (node->n_input > f->n_input || node->n_output > f->n_output)
    {
      g_set_error (in->error, PARE_ERROR, PARE_ERROR_FORMAT, "%s: node '%s' (%s): has more operands than its function", in->what,
                   text_of (node->name), text_of (node->op_type));
      return FALSE;
    }
  g_autofree char *prefix = text_of (node->name)[0] != '\0' ? g_strdup (node->name) : new_name (in, text_of (node->op_type));
  g_autoptr (GHashTable) outer = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  Call c = { in, node, f, prefix, outer };
  for (gsize i = 0; i < f->n_input; i++)
    g_hash_table_insert (outer, g_strdup (f->input[i]), g_strdup (i < node->n_input ? text_of (node->input[i]) : ""));
  for (gsize i = 0; i < f->n_output && i < node->n_output; i++)
    if (text_of (node->output[i])[0] != '\0')
      {
        const char *same = g_hash_table_lookup (outer, f->output[i]);
        if (same != NULL) /* it is an input, or another output too */
          g_ptr_array_add (out, new_identity (in, same, node->output[i], prefix));
        else
          g_hash_table_insert (outer, g_strdup (f->output[i]), g_strdup (node->output[i]));
      }
  for (gsize i = 0; i < f->n_node; i++)
    {
      Onnx__NodeProto *copy = ++in->nodes <= MAX_NODES ? copy_node_proto (f->node[i]) : NULL;
      if (copy == NULL)
        {
          g_set_error (in->error, PARE_ERROR, PARE_ERROR_FORMAT, "%s: function %s: its calls come to more than %u nodes", in->what,
                       text_of (f->name), MAX_NODES);
          return FALSE;
        }
      g_ptr_array_add (out, copy);
      finish_node (&c, copy);
    }
  return TRUE;
}

static const Onnx__FunctionProto *
called (Inliner *in, const Onnx__NodeProto *node)
{
  g_autofree char *key = function_key (node->domain, node->op_type);
  const Onnx__FunctionProto *f = g_hash_table_lookup (in->functions, key);
  if (f == NULL)
    {
      in->left |= g_hash_table_contains (in->functions, key);
      return NULL;
    }
  /* its nodes would mean something else under another version of the operators */
  if (opset_of (f->opset_import, f->n_opset_import) != opset_of (in->model->opset_import, in->model->n_opset_import)
      && f->n_opset_import > 0 && opset_of (f->opset_import, f->n_opset_import) != 0)
    {
      in->left = TRUE;
      return NULL;
    }
  return f;
}

/* Calls in the list, in bodies of its nodes and in what they are replaced by. */
static gboolean
expand_list (Inliner *in, Onnx__NodeProto ***nodes, gsize *n, int depth)
{
  g_autoptr (GPtrArray) out = g_ptr_array_new ();
  gboolean fine = TRUE;
  for (gsize i = 0; i < *n; i++)
    {
      Onnx__NodeProto *node = (*nodes)[i];
      const Onnx__FunctionProto *f = fine ? called (in, node) : NULL;
      for (gsize k = 0; fine && k < node->n_attribute; k++)
        if (node->attribute[k]->g != NULL)
          fine = expand_list (in, &node->attribute[k]->g->node, &node->attribute[k]->g->n_node, depth + 1);
      if (f == NULL || !fine)
        {
          g_ptr_array_add (out, node);
          continue;
        }
      if (depth >= MAX_DEPTH)
        {
          g_set_error (in->error, PARE_ERROR, PARE_ERROR_FORMAT, "%s: function %s: calls itself, or is nested too deep", in->what,
                       text_of (f->name));
          fine = FALSE;
          g_ptr_array_add (out, node);
          continue;
        }
      g_autoptr (GPtrArray) body = g_ptr_array_new ();
      fine = inline_call (in, node, f, body);
      gsize made = body->len;
      Onnx__NodeProto **list = (Onnx__NodeProto **)g_ptr_array_steal (body, NULL);
      fine = fine && expand_list (in, &list, &made, depth + 1);
      for (gsize k = 0; k < made; k++)
        g_ptr_array_add (out, list[k]);
      g_free (list);
      onnx__node_proto__free_unpacked (node, NULL);
    }
  g_free (*nodes);
  *n = out->len;
  *nodes = (Onnx__NodeProto **)g_ptr_array_steal (out, NULL);
  return fine;
}

gboolean
pare_onnx_inline_functions (Onnx__ModelProto *model, const char *what, gboolean *left, GError **error)
{
  *left = FALSE;
  if (model->n_functions == 0)
    return TRUE;
  g_autoptr (GHashTable) functions = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GHashTable) names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Inliner in = { .model = model, .functions = functions, .names = names, .what = what, .error = error };
  for (gsize i = 0; i < model->n_functions; i++)
    {
      char *key = function_key (model->functions[i]->domain, model->functions[i]->name);
      g_hash_table_insert (functions, key, g_hash_table_contains (functions, key) ? NULL : model->functions[i]);
    }
  note_graph (&in, model->graph);
  gboolean fine = expand_list (&in, &model->graph->node, &model->graph->n_node, 0);
  *left = in.left;
  return fine;
}
