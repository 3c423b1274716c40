/* Models and recipes for the tests of runs in parts: a graph with branches made by hand, and public models where they are. */
#pragma once
#include "engine/base/pare-rng.h"
#include "engine/compress/pare-apply.h"
#include "engine/onnx/pare-onnx.h"
#include "tests/engine/make-graph.h"

#include <math.h>

/* A Conv k x wide with a bias, weights from the seed. */
G_GNUC_UNUSED static PareValueId
branch_conv_wide (PareGraph *g, PareRng *rng, const char *name, PareValueId x, gint64 from, gint64 to, gint64 k, gint64 wide)
{
  PareShape ws = pare_shape_make (4, to, from, k, wide), bs = pare_shape_make (1, to);
  g_autoptr (PareTensor) w = pare_tensor_new (PARE_DTYPE_FLOAT32, &ws, NULL), b = pare_tensor_new (PARE_DTYPE_FLOAT32, &bs, NULL);
  for (gint64 i = 0; i < pare_tensor_count (w); i++)
    ((float *)w->data)[i] = (float)(pare_rng_normal (rng) / sqrt (from * k * wide));
  for (gint64 i = 0; i < to; i++)
    ((float *)b->data)[i] = (float)(0.1 * pare_rng_normal (rng));
  g_autofree char *wn = g_strconcat (name, ".w", NULL), *bn = g_strconcat (name, ".b", NULL);
  PareValueId y = MAKE (g, "Conv", name, x, pare_graph_add_constant (g, wn, w, PARE_NONE), pare_graph_add_constant (g, bn, b, PARE_NONE));
  pare_node_set_ints (node_of (g, y), "kernel_shape", (gint64[]){ k, wide }, 2);
  pare_node_set_ints (node_of (g, y), "pads", (gint64[]){ k / 2, wide / 2, k / 2, wide / 2 }, 4);
  return y;
}

G_GNUC_UNUSED static PareValueId
branch_conv (PareGraph *g, PareRng *rng, const char *name, PareValueId x, gint64 from, gint64 to, gint64 k)
{
  return branch_conv_wide (g, rng, name, x, from, to, k, k);
}

/* x -> conv -> { 1x1, 3x3 -> 3x3 } -> Concat -> { + x through 1x1 } -> pools of two kinds, one perhaps of an upright signal -> sum -> Gemm.
 * The input is read twice, far apart. */
G_GNUC_UNUSED static PareGraph *
branch_model (guint64 seed, gboolean upright)
{
  PareRng rng = { .state = seed };
  PareGraph *g = make_graph (21);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)3, (gint64)10, (gint64)10));
  PareValueId a = MAKE (g, "Relu", "stem_relu", branch_conv (g, &rng, "stem", x, 3, 12, 3));
  PareValueId left = MAKE (g, "Relu", "left_relu", branch_conv (g, &rng, "left", a, 12, 8, 1));
  PareValueId right = MAKE (g, "Relu", "right_relu", branch_conv (g, &rng, "right", a, 12, 16, 3));
  right = MAKE (g, "HardSwish", "right2_act", branch_conv (g, &rng, "right2", right, 16, 16, 3));
  PareValueId both = MAKE (g, "Concat", "both", left, right);
  pare_node_set_int (node_of (g, both), "axis", 1);
  PareValueId mixed = branch_conv (g, &rng, "mix", both, 24, 24, 1);
  PareValueId skip = branch_conv (g, &rng, "skip", x, 3, 24, 1);
  PareValueId sum = MAKE (g, "Relu", "sum_relu", MAKE (g, "Add", "sum", mixed, skip));
  PareValueId deep = MAKE (g, "Relu", "deep_relu", MAKE (g, "Add", "deep_sum", branch_conv (g, &rng, "deep", sum, 24, 24, 3), sum));
  PareValueId signal = sum;
  if (upright)
    {
      signal = MAKE (g, "Reshape", "signal", sum, make_ints (g, "signal.shape", 4, (gint64[]){ 1, 24, 100, 1 }));
      signal = MAKE (g, "Relu", "upright_relu", branch_conv_wide (g, &rng, "upright", signal, 24, 24, 3, 1));
    }
  PareValueId p = MAKE (g, "GlobalAveragePool", "average", deep), q = MAKE (g, "GlobalMaxPool", "most", signal);
  PareValueId flat = MAKE (g, "Flatten", "flat", MAKE (g, "Add", "pools", p, q));
  PareShape ws = pare_shape_make (2, (gint64)24, (gint64)6);
  g_autoptr (PareTensor) w = pare_tensor_new (PARE_DTYPE_FLOAT32, &ws, NULL);
  for (gint64 i = 0; i < 24 * 6; i++)
    ((float *)w->data)[i] = (float)pare_rng_normal (&rng);
  make_output (g, MAKE (g, "Gemm", "head", flat, pare_graph_add_constant (g, "head.w", w, PARE_NONE)));
  pare_graph_name_layers (g);
  return g;
}

/* (transfer full) NULL where it is not there. */
G_GNUC_UNUSED static PareGraph *
public_model (const char *name)
{
  g_autofree char *models = material_models (), *file = g_strconcat (name, ".onnx", NULL);
  g_autofree char *path = models != NULL ? g_build_filename (models, file, NULL) : NULL;
  return path != NULL && g_file_test (path, G_FILE_TEST_EXISTS) ? pare_onnx_load (path, NULL, NULL) : NULL;
}

/* Some layers get some knobs. base: what it starts from. quantize: activations too. */
G_GNUC_UNUSED static PareRecipe *
random_recipe (const PareGraph *g, PareRng *rng, const PareRecipe *base, guint n, gboolean quantize)
{
  PareRecipe *r = base != NULL ? pare_recipe_copy (base) : pare_recipe_new ();
  g_autoptr (GArray) layers = g_array_new (FALSE, FALSE, sizeof (guint));
  for (guint i = 0; i < g->n_nodes; i++)
    if (pare_layer_is_compressible (g, i, NULL))
      g_array_append_val (layers, i);
  for (guint k = 0; k < n; k++)
    {
      const char *layer = g->nodes[g_array_index (layers, guint, pare_rng_below (rng, layers->len))].layer;
      PareLayerRecipe own;
      pare_recipe_get_layer (r, layer, &own);
      switch (pare_rng_below (rng, quantize ? 4 : 3))
        {
        case 0:
          own.weight_bits = 3 + (int)pare_rng_below (rng, 6);
          break;
        case 1:
          own.prune = PARE_PRUNE_UNSTRUCTURED;
          own.prune_ratio = 0.1 * (1 + (double)pare_rng_below (rng, 8));
          break;
        case 2:
          own.prune = PARE_PRUNE_CHANNELS;
          own.prune_ratio = 0.1 * (1 + (double)pare_rng_below (rng, 4));
          break;
        default:
          own.weight_bits = own.activation_bits = 8;
          break;
        }
      pare_recipe_set_layer (r, layer, &own);
    }
  return r;
}
