/* Small graphs made by hand, for the tests of graph, onnx and export. */
#pragma once
#include "engine/graph/pare-graph.h"

#include <string.h>

G_GNUC_UNUSED static PareGraph *
make_graph (int opset)
{
  PareGraph *g = pare_graph_new ("test");
  g->opset = opset;
  g->ir_version = opset >= 21 ? 10 : 8;
  return g;
}

G_GNUC_UNUSED static PareValueId
make_input (PareGraph *g, const char *name, PareDtype dtype, PareShape shape)
{
  PareValueId id = pare_graph_add_value (g, name, dtype, &shape, PARE_NONE);
  g->values[id].origin = id;
  g->inputs = g_renew (PareValueId, g->inputs, 64);
  g->inputs[g->n_inputs++] = id;
  return id;
}

G_GNUC_UNUSED static void
make_output (PareGraph *g, PareValueId id)
{
  g->outputs = g_renew (PareValueId, g->outputs, 64);
  g->outputs[g->n_outputs++] = id;
}

/* A float constant: values given, or a fixed wave. */
G_GNUC_UNUSED static PareValueId
make_float (PareGraph *g, const char *name, PareShape shape, const float *values)
{
  g_autoptr (PareTensor) t = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  gint64 n = pare_tensor_count (t);
  for (gint64 i = 0; i < n; i++)
    ((float *)t->data)[i] = values ? values[i] : (float)((i * 37 + 11) % 64 - 32) / 32.0f;
  PareValueId id = pare_graph_add_constant (g, name, t, PARE_NONE);
  g->values[id].origin = id;
  return id;
}

G_GNUC_UNUSED static PareValueId
make_ints (PareGraph *g, const char *name, guint n, const gint64 *values)
{
  g_autoptr (PareTensor) t = pare_tensor_new_i64 (values, n);
  return pare_graph_add_constant (g, name, t, PARE_NONE);
}

G_GNUC_UNUSED static PareValueId
make_typed (PareGraph *g, const char *name, PareDtype dtype, PareShape shape, const gint64 *values)
{
  g_autoptr (PareTensor) wide = pare_tensor_new (PARE_DTYPE_INT64, &shape, NULL);
  memcpy (wide->data, values, wide->bytes);
  g_autoptr (PareTensor) t = pare_tensor_cast (wide, dtype, NULL);
  return pare_graph_add_constant (g, name, t, PARE_NONE);
}

/* One node with one output, which is named after it. */
G_GNUC_UNUSED static PareValueId
make_node (PareGraph *g, const char *op, const char *name, guint n, const PareValueId *inputs)
{
  g_autofree char *out = g_strconcat (name, "_out", NULL);
  PareValueId y = pare_graph_add_value (g, out, PARE_DTYPE_NONE, NULL, PARE_NONE);
  g->values[y].origin = y;
  PareNodeId id = pare_graph_add_node (g, op, name, inputs, n, &y, 1, PARE_NONE, PARE_ROLE_SELF);
  g->nodes[id].origin = id;
  return y;
}

#define MAKE(g, op, name, ...) make_node (g, op, name, G_N_ELEMENTS (((PareValueId[]){ __VA_ARGS__ })), (PareValueId[]){ __VA_ARGS__ })

G_GNUC_UNUSED static PareNode *
node_of (PareGraph *g, PareValueId value)
{
  return &g->nodes[g->values[value].producer];
}

/* Checks the shape of a value by its text form. */
#define assert_shape(graph, id, text)                                                                                                      \
  G_STMT_START                                                                                                                             \
  {                                                                                                                                        \
    g_autofree char *s_ = pare_shape_to_string (&(graph)->values[id].shape);                                                               \
    g_assert_cmpstr (s_, ==, text);                                                                                                        \
  }                                                                                                                                        \
  G_STMT_END

/* (transfer full) (nullable) Where the public models are. */
G_GNUC_UNUSED static char *
material_models (void)
{
  const char *shared = g_getenv ("PARE_SHARED"), *root = g_getenv ("PARE_SOURCE_ROOT");
  g_autofree char *beside = root ? g_build_filename (root, "..", "shared", NULL) : NULL;
  char *path = g_build_filename (shared ? shared : beside ? beside : ".", "material", "models", NULL);
  if (!g_file_test (path, G_FILE_TEST_IS_DIR))
    g_clear_pointer (&path, g_free);
  return path;
}

/* v rounded to codes without a sign and back. */
G_GNUC_UNUSED static PareValueId
round_to (PareGraph *g, const char *name, PareValueId v, float scale, gint64 zero)
{
  g_autofree char *s = g_strconcat (name, ".s", NULL), *z = g_strconcat (name, ".z", NULL), *q = g_strconcat (name, ".q", NULL),
                  *d = g_strconcat (name, ".d", NULL);
  PareShape none = { .rank = 0 };
  PareValueId by = make_float (g, s, none, &scale), at = make_typed (g, z, PARE_DTYPE_UINT8, none, &zero);
  return MAKE (g, "DequantizeLinear", d, MAKE (g, "QuantizeLinear", q, v, by, at), by, at);
}
