/* Layers of 16 bits from the recipe to the figures: what apply rounds and where, that it is computed so by both backends, here and from the
 * exported file, against sums made in the plainest way. */
#include "engine/accel/pare-accel.h"
#include "engine/cost/pare-cost.h"
#include "engine/export/pare-export.h"
#include "engine/lower/pare-program.h"
#include "apply-16-bits.h"
#include "make-graph.h"
#include "to-bf16.h"

#include <math.h>

#define C 16
#define S 8

static PareValueId
weights (PareGraph *g, const char *name, PareShape shape, float size)
{
  PareValueId id = make_float (g, name, shape, NULL);
  PareTensor *t = g->values[id].constant;
  for (gint64 i = 0; i < pare_tensor_count (t); i++)
    ((float *)t->data)[i] = size * sinf (1.7f * (float)i + (float)strlen (name));
  return id;
}

/* Two convolutions, the second with a shortcut around it, two pools, a dense layer. */
static PareGraph *
make (void)
{
  PareGraph *g = make_graph (13);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)3, (gint64)S, (gint64)S));
  PareValueId a = MAKE (g, "Conv", "a", x, weights (g, "a_w", pare_shape_make (4, (gint64)C, (gint64)3, (gint64)3, (gint64)3), 0.3f),
                        weights (g, "a_b", pare_shape_make (1, (gint64)C), 0.2f));
  pare_node_set_ints (node_of (g, a), "pads", (gint64[]){ 1, 1, 1, 1 }, 4);
  PareValueId ar = MAKE (g, "Relu", "ar", a);
  PareValueId b = MAKE (g, "Conv", "b", ar, weights (g, "bb_w", pare_shape_make (4, (gint64)C, (gint64)C, (gint64)1, (gint64)1), 0.4f));
  PareValueId sum = MAKE (g, "Add", "sum", b, ar), br = MAKE (g, "Relu", "br", sum), pool = MAKE (g, "MaxPool", "pool", br);
  pare_node_set_ints (node_of (g, pool), "kernel_shape", (gint64[]){ 2, 2 }, 2);
  pare_node_set_ints (node_of (g, pool), "strides", (gint64[]){ 2, 2 }, 2);
  PareValueId mean = MAKE (g, "GlobalAveragePool", "mean", pool), flat = MAKE (g, "Flatten", "flat", mean);
  PareValueId y = MAKE (g, "Gemm", "y", flat, weights (g, "ccc_w", pare_shape_make (2, (gint64)C, (gint64)5), 0.5f));
  make_output (g, y);
  g->values[y].dtype = PARE_DTYPE_FLOAT32;
  pare_graph_name_layers (g);
  return g;
}

typedef struct
{
  float x[3][S][S], inner[C][S][S], mean[C], y[5];
} Net;

static const float *
data_of (const PareGraph *g, const char *name)
{
  return g->values[pare_graph_find_value (g, name)].constant->data;
}

/* By the definition: operands rounded, sums of doubles; what is stored between is rounded, the sum before the shortcut is not. */
static void
compute (const PareGraph *g, Net *n)
{
  static float ar[C][S][S];
  const float *aw = data_of (g, "a_w"), *ab = data_of (g, "a_b"), *bw = data_of (g, "bb_w"), *cw = data_of (g, "ccc_w");
  for (int m = 0; m < C; m++)
    for (int i = 0; i < S; i++)
      for (int j = 0; j < S; j++)
        {
          double v = ab[m];
          for (int c = 0; c < 3; c++)
            for (int k = 0; k < 3; k++)
              for (int l = 0; l < 3; l++)
                if (i + k > 0 && i + k <= S && j + l > 0 && j + l <= S)
                  v += (double)to_bf16 (n->x[c][i + k - 1][j + l - 1]) * to_bf16 (aw[((m * 3 + c) * 3 + k) * 3 + l]);
          ar[m][i][j] = to_bf16 (fmaxf ((float)v, 0));
        }
  for (int m = 0; m < C; m++)
    {
      double sum = 0;
      for (int i = 0; i < S; i++)
        for (int j = 0; j < S; j++)
          {
            double v = ar[m][i][j];
            for (int c = 0; c < C; c++)
              v += (double)ar[c][i][j] * to_bf16 (bw[m * C + c]);
            n->inner[m][i][j] = to_bf16 (fmaxf ((float)v, 0));
          }
      for (int i = 0; i < S; i += 2)
        for (int j = 0; j < S; j += 2)
          sum += fmaxf (fmaxf (n->inner[m][i][j], n->inner[m][i][j + 1]), fmaxf (n->inner[m][i + 1][j], n->inner[m][i + 1][j + 1]));
      n->mean[m] = to_bf16 ((float)(sum / (S * S / 4)));
    }
  for (int o = 0; o < 5; o++)
    {
      double v = 0;
      for (int c = 0; c < C; c++)
        v += (double)n->mean[c] * to_bf16 (cw[c * 5 + o]);
      n->y[o] = (float)v;
    }
}

static void
run (const PareGraph *g, PareBackend backend, const char *tap, guint products, Net *n)
{
  GError *error = NULL;
  PareCompileOptions options = { .backend = backend, .taps = &tap, .n_taps = tap != NULL };
  g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
  g_assert_no_error (error);
  guint multiplied;
  g_assert_cmpuint (pare_program_count_bf16 (program, &multiplied), ==, products);
  g_assert_cmpuint (multiplied, ==, backend == PARE_BACKEND_PORTABLE || !pare_accel_has_bf16 () ? 0 : products);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
  g_assert_no_error (error);
  PareView x = { PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)3, (gint64)S, (gint64)S), n->x, NULL }, view;
  g_assert_true (pare_runner_run (runner, &x, 1, NULL, &error));
  g_assert_no_error (error);
  memcpy (n->y, pare_runner_get_output (runner, 0).data, sizeof n->y);
  if (tap == NULL)
    return;
  g_assert_true (pare_runner_get_tap (runner, tap, &view));
  memcpy (n->inner, view.data, sizeof n->inner);
}

static void
fill (Net *n)
{
  for (int i = 0; i < 3 * S * S; i++)
    ((float *)n->x)[i] = cosf (0.9f * (float)i) + 0.3f;
}

static void
test_definition (void)
{
  g_autoptr (PareGraph) g = make (), changed = apply_16_bits (g, "");
  Net want = { 0 }, whole = { 0 };
  fill (&want);
  fill (&whole);
  compute (g, &want);
  run (g, PARE_BACKEND_AUTO, NULL, 0, &whole);
  float far = 0;
  for (int o = 0; o < 5; o++)
    far = fmaxf (far, fabsf (whole.y[o] - want.y[o]));
  g_assert_cmpfloat (far, >, 1e-4f); /* the rounding shows */
  for (int portable = 0; portable < 2; portable++)
    {
      Net got = { 0 };
      guint other = 0;
      fill (&got);
      run (changed, portable ? PARE_BACKEND_PORTABLE : PARE_BACKEND_AUTO, "br_out_bf16", 3, &got);
      for (int i = 0; i < C * S * S; i++)
        {
          float w = ((float *)want.inner)[i], v = ((float *)got.inner)[i];
          g_assert_cmpfloat (v, ==, to_bf16 (v));
          g_assert_cmpfloat_with_epsilon (v, w, 0.01f * fabsf (w) + 1e-5f); /* the neighbour: the sum lay between */
          other += v != w;
        }
      g_assert_cmpuint (other, <, C * S * S / 100);
      for (int o = 0; o < 5; o++)
        g_assert_cmpfloat_with_epsilon (got.y[o], want.y[o], far / 4);
    }
}

/* The file that is exported says the same, to us and to others. */
static void
test_export (void)
{
  GError *error = NULL;
  g_autoptr (PareGraph) g = make (), changed = apply_16_bits (g, ""), exported = pare_export_onnx (changed, NULL, &error);
  g_assert_no_error (error);
  guint casts = 0;
  for (guint i = 0; i < exported->n_nodes; i++)
    {
      g_assert_cmpstr (exported->nodes[i].op, !=, PARE_OP_QUANTIZE);
      casts += pare_node_is (&exported->nodes[i], "Cast") && pare_node_get_int (&exported->nodes[i], "to", 0) == PARE_DTYPE_BFLOAT16;
    }
  g_assert_cmpuint (casts, ==, 4); /* x, after both sums, the mean */
  for (int portable = 0; portable < 2; portable++)
    {
      PareBackend backend = portable ? PARE_BACKEND_PORTABLE : PARE_BACKEND_AUTO;
      Net here = { 0 }, there = { 0 };
      fill (&here);
      fill (&there);
      run (changed, backend, NULL, 3, &here);
      run (exported, backend, NULL, 3, &there);
      g_assert_cmpmem (there.y, sizeof there.y, here.y, sizeof here.y);
    }
}

static PareDtype
storage_of (const PareGraph *g, const char *layer)
{
  PareNodeId id = pare_graph_find_layer (g, layer);
  g_assert_cmpuint (id, !=, PARE_NONE);
  return g->values[g->nodes[id].inputs[1]].storage;
}

/* Other widths beside: those layers compute floats, and no count says otherwise. */
static void
test_mixed (void)
{
  g_autoptr (PareGraph) g = make ();
  g_autoptr (PareGraph) one = apply_16_bits (g, "\"b\": {\"exclude\": true}"),
                        weights_only = apply_16_bits (g, "\"b\": {\"activations\": {\"bits\": \"float\"}}");
  Net n = { 0 }, portable = { 0 };
  fill (&n);
  fill (&portable);
  run (one, PARE_BACKEND_AUTO, NULL, 2, &n);
  run (one, PARE_BACKEND_PORTABLE, NULL, 2, &portable);
  for (int o = 0; o < 5; o++)
    g_assert_cmpfloat_with_epsilon (n.y[o], portable.y[o], 2e-3f);
  run (weights_only, PARE_BACKEND_AUTO, NULL, 2, &n);
  /* weights of 16 bits alone are stored as float16, which is finer */
  g_assert_cmpint (storage_of (weights_only, "b"), ==, PARE_DTYPE_FLOAT16);
  g_assert_cmpint (storage_of (one, "a"), ==, PARE_DTYPE_BFLOAT16);
}

static void
test_marks (void)
{
  GError *error = NULL;
  g_autoptr (PareGraph) g = make (), changed = apply_16_bits (g, "");
  for (int k = 0; k < 3; k++)
    {
      PareCompileOptions options = { .backend = k == 2 ? PARE_BACKEND_PORTABLE : PARE_BACKEND_AUTO };
      g_autoptr (PareProgram) program = pare_program_compile (k == 0 ? g : changed, &options, &error);
      g_assert_no_error (error);
      PareLatency latency = { 0 };
      g_assert_true (pare_cost_latency (program, 1, 3, TRUE, &latency, NULL, &error));
      const char *said = pare_cost_precision (latency.bf16_steps, latency.bf16_multiplied);
      g_assert_cmpstr (said, ==, k == 0 ? NULL : k == 1 && pare_accel_has_bf16 () ? "bf16" : "bf16 computed in float32");
      guint marked = 0;
      for (guint i = 0; i < latency.n_layers; i++)
        marked += latency.layers[i].bf16;
      g_assert_cmpuint (marked, ==, k == 1 && pare_accel_has_bf16 () ? 3 : 0);
      pare_latency_clear (&latency);
    }
}

/* What may be applied before anything is measured. */
static void
test_without_ranges (void)
{
  GError *error = NULL;
  PareLayerRecipe r;
  g_autoptr (PareRecipe) recipe
      = pare_recipe_parse ("{\"pare_recipe\": 1, \"defaults\": {\"weights\": {\"bits\": 16}, \"activations\": {\"bits\": 16}},"
                           " \"layers\": {\"a\": {\"weights\": {\"bits\": 8}}, \"b\": {\"exclude\": true}}}",
                           -1, "test", &error);
  g_assert_no_error (error);
  g_autoptr (PareRecipe) without = pare_recipe_without_activations (recipe);
  pare_recipe_resolve (without, "a", &r);
  g_assert_false (pare_layer_recipe_needs_ranges (&r));
  g_assert_cmpint (r.weight_bits, ==, 8);
  pare_recipe_resolve (without, "y", &r);
  g_assert_true (pare_layer_recipe_is_bfloat (&r));
  g_autoptr (PareRecipe) other
      = pare_recipe_parse ("{\"pare_recipe\": 1, \"defaults\": {\"weights\": {\"bits\": 8}, \"activations\": {\"bits\": 16}},"
                           " \"layers\": {\"a\": {\"weights\": {\"bits\": 16}}}}",
                           -1, "test", &error);
  g_assert_no_error (error);
  g_autoptr (PareRecipe) left = pare_recipe_without_activations (other);
  pare_recipe_resolve (left, "a", &r);
  g_assert_true (pare_layer_recipe_is_bfloat (&r));
  pare_recipe_resolve (left, "y", &r);
  g_assert_cmpint (r.activation_bits, ==, PARE_BITS_UNSET);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bf16/definition", test_definition);
  g_test_add_func ("/bf16/export", test_export);
  g_test_add_func ("/bf16/mixed", test_mixed);
  g_test_add_func ("/bf16/marks", test_marks);
  g_test_add_func ("/bf16/without-ranges", test_without_ranges);
  return g_test_run ();
}
