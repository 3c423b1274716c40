/* What is drawn of a network: fusing, groups, scenes. No display. */
#include "engine/onnx/pare-onnx.h"
#include "widgets/pare-graph-model.h"

#include <string.h>

static PareGraph *graph;

static PareValueId
input (const char *name, PareShape shape)
{
  PareValueId v = pare_graph_add_value (graph, name, PARE_DTYPE_FLOAT32, &shape, PARE_NONE);
  graph->inputs = g_renew (PareValueId, graph->inputs, graph->n_inputs + 1);
  graph->inputs[graph->n_inputs++] = v;
  return v;
}

static void
output (PareValueId v)
{
  graph->outputs = g_renew (PareValueId, graph->outputs, graph->n_outputs + 1);
  graph->outputs[graph->n_outputs++] = v;
}

static PareValueId
weight (PareShape shape)
{
  g_autoptr (PareTensor) t = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  return pare_graph_add_constant (graph, "w", t, PARE_NONE);
}

static PareValueId
op (const char *kind, const char *name, PareValueId a, PareValueId b, PareShape shape)
{
  PareValueId in[2] = { a, b }, out = pare_graph_add_value (graph, name, PARE_DTYPE_FLOAT32, &shape, PARE_NONE);
  pare_graph_add_node (graph, kind, name, in, b == PARE_NONE ? 1 : 2, &out, 1, PARE_NONE, PARE_ROLE_SELF);
  return out;
}

static PareShape
hwc (gint64 c, gint64 hw)
{
  return pare_shape_make (4, (gint64)1, c, hw, hw);
}

static PareValueId
conv (const char *name, PareValueId x, gint64 c, gint64 hw)
{
  return op ("Conv", name, x, weight (hwc (c, 3)), hwc (c, hw));
}

static void
start (void)
{
  graph = pare_graph_new ("test");
}

static PareGraphModel *
finish (void)
{
  g_autoptr (GError) error = NULL;
  pare_graph_name_layers (graph);
  g_assert_true (pare_graph_verify (graph, &error));
  g_assert_no_error (error);
  PareGraphModel *m = pare_graph_model_new (graph, NULL, 0);
  pare_graph_unref (graph);
  return m;
}

static const PareShown *
shown (const PareGraphModel *m, const char *layer)
{
  guint32 i = pare_graph_model_find (m, layer);
  g_assert_cmpuint (i, !=, PARE_NONE);
  return &m->shown[i];
}

static void
test_fuse (void)
{
  start ();
  PareValueId x = input ("image", hwc (3, 32));
  PareValueId c = conv ("conv1", x, 8, 32);
  PareValueId bn[5] = { c, weight (pare_shape_make (1, (gint64)8)), weight (pare_shape_make (1, (gint64)8)),
                        weight (pare_shape_make (1, (gint64)8)), weight (pare_shape_make (1, (gint64)8)) };
  PareShape s = hwc (8, 32);
  PareValueId n = pare_graph_add_value (graph, "bn", PARE_DTYPE_FLOAT32, &s, PARE_NONE);
  pare_graph_add_node (graph, "BatchNormalization", "bn1", bn, 5, &n, 1, PARE_NONE, PARE_ROLE_SELF);
  PareValueId r = op ("Relu", "relu1", n, PARE_NONE, s);
  PareValueId d = op ("Dropout", "drop", r, PARE_NONE, s);
  PareValueId dw = conv ("dw", d, 8, 32);
  graph->nodes[graph->n_nodes - 1].inputs[1] = weight (pare_shape_make (4, (gint64)8, (gint64)1, (gint64)3, (gint64)3));
  pare_node_set_int (&graph->nodes[graph->n_nodes - 1], "group", 8);
  PareValueId sg = op ("Sigmoid", "gate", dw, PARE_NONE, s), swish = op ("Mul", "swish", dw, sg, s);
  PareValueId sum = op ("Add", "sum", swish, r, s), act = op ("Relu", "relu2", sum, PARE_NONE, s);
  PareValueId shape = op ("Shape", "shape", act, PARE_NONE, pare_shape_make (1, (gint64)4));
  PareValueId part = op ("Gather", "part", shape, weight (pare_shape_make (1, (gint64)1)), pare_shape_make (1, (gint64)1));
  PareValueId flat = op ("Reshape", "flat", act, part, pare_shape_make (2, (gint64)1, (gint64)8192));
  PareValueId mm
      = op ("MatMul", "fc", flat, weight (pare_shape_make (2, (gint64)8192, (gint64)10)), pare_shape_make (2, (gint64)1, (gint64)10));
  PareValueId y = op ("Add", "bias", mm, weight (pare_shape_make (1, (gint64)10)), pare_shape_make (2, (gint64)1, (gint64)10));
  PareValueId q = op ("Frobnicate", "odd", y, PARE_NONE, pare_shape_make (2, (gint64)1, (gint64)10));
  output (q);
  g_autoptr (PareGraphModel) m = finish ();

  /* image, conv1, dw, Add + ReLU, Reshape, fc, odd, output */
  g_assert_cmpuint (m->n_shown, ==, 8);
  g_assert_true (shown (m, "conv1") == shown (m, "bn1"));
  g_assert_true (shown (m, "conv1") == shown (m, "relu1"));
  g_assert_true (shown (m, "conv1") == shown (m, "drop"));
  g_assert_cmpstr (shown (m, "relu1")->layers[0], ==, "conv1"); /* the leader */
  g_assert_cmpstr (shown (m, "conv1")->op, ==, "Conv 3×3");
  g_assert_cmpstr (shown (m, "conv1")->shape, ==, "8×32×32");
  g_assert_cmpint (shown (m, "dw")->klass, ==, PARE_OP_CLASS_DEPTHWISE);
  g_assert_true (shown (m, "dw") == shown (m, "gate"));
  g_assert_true (shown (m, "dw") == shown (m, "swish"));
  g_assert_cmpstr (shown (m, "sum")->title, ==, "Add + ReLU");
  g_assert_cmpint (shown (m, "sum")->kind, ==, PARE_SHOWN_SMALL);
  g_assert_true (shown (m, "shape") == shown (m, "flat")); /* hidden in its reader */
  g_assert_true (shown (m, "part") == shown (m, "flat"));
  g_assert_cmpstr (shown (m, "fc")->op, ==, "MatMul 8192×10");
  g_assert_true (shown (m, "fc") == shown (m, "bias"));
  g_assert_cmpint (shown (m, "odd")->klass, ==, PARE_OP_CLASS_UNKNOWN);
  g_assert_cmpuint (m->n_edges, ==, 8); /* the chain, and the skip from conv1 to the sum */
  for (guint i = 0; i < m->n_edges; i++)
    g_assert_cmpuint (m->shown[m->edges[i].from].order, <, m->shown[m->edges[i].to].order);
}

/* A value that two read is not swallowed: the activation has a node of its own. */
static void
test_fuse_keeps_branches (void)
{
  start ();
  PareValueId x = input ("x", hwc (3, 8)), c = conv ("c", x, 4, 8);
  PareValueId r = op ("Relu", "r", c, PARE_NONE, hwc (4, 8));
  output (op ("Add", "a", c, r, hwc (4, 8)));
  g_autoptr (PareGraphModel) m = finish ();
  g_assert_true (shown (m, "c") != shown (m, "r"));
  g_assert_cmpuint (m->n_edges, ==, 5);
}

static PareValueId
residual (PareValueId x, const char *prefix, gint64 c, gint64 hw, gboolean shortcut)
{
  g_autofree char *a = g_strconcat (prefix, "a", NULL), *b = g_strconcat (prefix, "b", NULL), *s = g_strconcat (prefix, "s", NULL),
                  *sum = g_strconcat (prefix, "sum", NULL);
  PareValueId l = conv (b, conv (a, x, c, hw), c, hw);
  return op ("Add", sum, l, shortcut ? conv (s, x, c, hw) : x, hwc (c, hw));
}

static PareGraphModel *
resnet (void)
{
  start ();
  PareValueId x = input ("x", hwc (3, 32));
  x = conv ("stem", x, 8, 32);
  for (int stage = 0; stage < 3; stage++)
    for (int block = 0; block < 3; block++)
      {
        g_autofree char *prefix = g_strdup_printf ("s%db%d", stage, block);
        x = residual (x, prefix, 8 << stage, 32 >> stage, stage > 0 && block == 0);
      }
  output (op ("GlobalAveragePool", "pool", x, PARE_NONE, hwc (32, 1)));
  return finish ();
}

static void
test_blocks (void)
{
  g_autoptr (PareGraphModel) m = resnet ();
  guint stages = 0, blocks = 0;
  for (guint g = 0; g < m->n_groups; g++)
    {
      const PareShownGroup *x = &m->groups[g];
      stages += x->kind == PARE_GROUP_STAGE;
      blocks += x->kind == PARE_GROUP_BLOCK;
      if (x->kind == PARE_GROUP_STAGE)
        {
          g_assert_cmpuint (x->children->len, ==, 3);
          g_assert_cmpint (x->parent, ==, -1);
        }
      else
        g_assert_cmpint (m->groups[x->parent].kind, ==, PARE_GROUP_STAGE);
    }
  g_assert_cmpuint (stages, ==, 3);
  g_assert_cmpuint (blocks, ==, 9);
  g_assert_cmpint (shown (m, "stem")->group, ==, -1);
  g_assert_cmpint (shown (m, "s1b0s")->group, ==, shown (m, "s1b0sum")->group);
  g_assert_cmpstr (m->groups[shown (m, "s2b2a")->group].title, ==, "Block 9");
  g_assert_cmpstr (m->groups[shown (m, "s2b2a")->group].path, ==, "Stage 3/Block 9");
}

static void
check_scene (const PareGraphScene *s)
{
  const PareGraphModel *m = s->model;
  for (guint i = 0; i < m->n_shown; i++)
    {
      const PareSceneItem *item = &s->items[s->item_of_shown[i]];
      if (item->is_group)
        g_assert_true (pare_graph_model_inside (m, m->shown[i].group, (gint32)item->index));
      else
        g_assert_cmpuint (item->index, ==, i);
      gint32 found = pare_graph_scene_item_at (s, item->rect.x + 3, item->rect.y + 3);
      g_assert_cmpint (found, ==, s->item_of_shown[i]);
    }
  for (guint e = 0; e < s->n_edges; e++) /* the promise that any set of folds is acyclic: everything is drawn downwards */
    g_assert_cmpfloat (s->items[s->edges[e].from].rect.y, <, s->items[s->edges[e].to].rect.y);
  for (guint k = 0; k < s->n_frames; k++)
    g_assert_cmpint (pare_graph_scene_header_at (s, s->frames[k].rect.x + 4, s->frames[k].rect.y + 4), ==, s->frames[k].group);
}

static void
test_scene (void)
{
  g_autoptr (PareGraphModel) m = resnet ();
  g_autofree gboolean *folded = pare_graph_model_default_folds (m);
  g_autoptr (GError) error = NULL;
  PareGraphScene *s = pare_graph_scene_new (m, folded, PARE_SHOW_NAMES, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (s->n_items, ==, m->n_shown);
  g_assert_cmpuint (s->n_frames, ==, 12);
  g_assert_cmpuint (s->layout->crossings, ==, 0);
  g_assert_cmpuint (s->n_dots, ==, 9); /* one where each skip parts */
  check_scene (s);
  pare_graph_scene_unref (s);

  guint32 first = pare_graph_model_find (m, "s0b0a");
  folded[m->groups[m->shown[first].group].parent] = TRUE;
  s = pare_graph_scene_new (m, folded, PARE_SHOW_NAMES, NULL, &error);
  g_assert_cmpuint (s->n_items, ==, m->n_shown - 9 + 1);
  g_assert_cmpuint (s->n_frames, ==, 8);
  g_assert_true (s->items[s->item_of_shown[first]].is_group);
  check_scene (s);
  pare_graph_scene_unref (s);

  for (guint seed = 0; seed < 40; seed++)
    {
      g_autoptr (GRand) r = g_rand_new_with_seed (seed);
      for (guint g = 0; g < m->n_groups; g++)
        folded[g] = g_rand_boolean (r);
      s = pare_graph_scene_new (m, folded, PARE_SHOW_NAMES, NULL, &error);
      check_scene (s);
      pare_graph_scene_unref (s);
    }
}

/* One scope entered twice with another in between: boxes of both would form a cycle. */
static void
test_scopes (void)
{
  start ();
  PareValueId x = input ("x", hwc (3, 8));
  const char *names[] = { "/enc/a/c1", "/enc/a/c2", "/enc/b/c3", "/enc/b/c4", "/dec/c5", "/dec/c6", "/enc/a/c7", "/head/c8", "/head/c9" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    x = conv (names[i], x, 4, 8);
  output (x);
  g_autoptr (PareGraphModel) m = finish ();
  g_assert_cmpuint (m->n_groups, >=, 2);
  gint32 head = shown (m, "/head/c8")->group;
  g_assert_cmpint (head, >=, 0);
  g_assert_cmpstr (m->groups[head].title, ==, "head");
  g_assert_cmpstr (shown (m, "/head/c8")->title, ==, "c8");
  for (guint bits = 0; bits < 1u << MIN (m->n_groups, 6); bits++)
    {
      g_autofree gboolean *folded = g_new0 (gboolean, m->n_groups + 1);
      for (guint g = 0; g < m->n_groups && g < 6; g++)
        folded[g] = bits >> g & 1;
      PareGraphScene *s = pare_graph_scene_new (m, folded, PARE_SHOW_NAMES, NULL, NULL);
      check_scene (s);
      pare_graph_scene_unref (s);
    }
}

static void
test_empty (void)
{
  start ();
  g_autoptr (PareGraphModel) m = finish ();
  g_autofree gboolean *folded = pare_graph_model_default_folds (m);
  PareGraphScene *s = pare_graph_scene_new (m, folded, PARE_SHOW_NAMES, NULL, NULL);
  g_assert_nonnull (s);
  g_assert_cmpint (pare_graph_scene_item_at (s, 10, 10), ==, -1);
  pare_graph_scene_unref (s);
}

static void
test_cancel (void)
{
  g_autoptr (PareGraphModel) m = resnet ();
  g_autofree gboolean *folded = pare_graph_model_default_folds (m);
  g_autoptr (PareControl) control = pare_control_new (NULL, NULL);
  g_autoptr (GError) error = NULL;
  pare_control_cancel (control);
  g_assert_null (pare_graph_scene_new (m, folded, PARE_SHOW_NAMES, control, &error));
  g_assert_nonnull (error);
}

/* Every model at hand: all its nodes are somewhere, any fold can be drawn, and fast. */
static void
test_real (void)
{
  const char *shared = g_getenv ("PARE_SHARED"), *root = g_getenv ("PARE_SOURCE_ROOT");
  g_autofree char *base = shared != NULL ? g_strdup (shared) : root != NULL ? g_build_filename (root, "..", "shared", NULL) : NULL;
  g_autofree char *folder = base != NULL ? g_build_filename (base, "material", "models", NULL) : NULL;
  g_autoptr (GDir) dir = folder != NULL ? g_dir_open (folder, 0, NULL) : NULL;
  if (dir == NULL)
    {
      g_test_skip ("no models here");
      return;
    }
  for (const char *name; (name = g_dir_read_name (dir)) != NULL;)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_autoptr (PareGraph) g = g_str_has_suffix (name, ".onnx") ? pare_onnx_load (path, NULL, NULL) : NULL;
      if (g == NULL)
        continue;
      gint64 begin = g_get_monotonic_time ();
      g_autoptr (PareGraphModel) m = pare_graph_model_new (g, NULL, 0);
      g_autofree gboolean *folded = pare_graph_model_default_folds (m);
      gint64 made = g_get_monotonic_time ();
      PareGraphScene *s = pare_graph_scene_new (m, folded, PARE_SHOW_NAMES, NULL, NULL);
      g_assert_nonnull (s);
      g_test_message ("%s: %u nodes, %u drawn, %u groups, %u crossings, %.0f x %.0f, model %.1f ms, scene %.1f ms", name, g->n_nodes,
                      m->n_shown, m->n_groups, s->layout->crossings, s->layout->width, s->layout->height, (made - begin) / 1e3,
                      (g_get_monotonic_time () - made) / 1e3);
      check_scene (s);
      if (g_str_has_prefix (name, "cifar10-resnet"))
        {
          g_assert_cmpuint (s->layout->crossings, ==, 0);
          g_assert_cmpuint (m->n_groups, >=, 12);
        }
      pare_graph_scene_unref (s);
      for (guint k = 0; k < m->n_groups; k++)
        folded[k] = TRUE;
      s = pare_graph_scene_new (m, folded, PARE_SHOW_NAMES, NULL, NULL);
      check_scene (s);
      pare_graph_scene_unref (s);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/graph-model/fuse", test_fuse);
  g_test_add_func ("/graph-model/fuse-keeps-branches", test_fuse_keeps_branches);
  g_test_add_func ("/graph-model/blocks", test_blocks);
  g_test_add_func ("/graph-model/scene", test_scene);
  g_test_add_func ("/graph-model/scopes", test_scopes);
  g_test_add_func ("/graph-model/empty", test_empty);
  g_test_add_func ("/graph-model/cancel", test_cancel);
  g_test_add_func ("/graph-model/real", test_real);
  return g_test_run ();
}
