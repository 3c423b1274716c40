/* Sizes counted by hand, and latency that holds together. */
#include "engine/base/pare-error.h"
#include "engine/base/pare-rng.h"
#include "engine/compress/pare-apply.h"
#include "engine/cost/pare-cost.h"
#include "engine/export/pare-export.h"
#include "engine/onnx/pare-onnx.h"
#include "tests/engine/make-graph.h"

#include <math.h>
#include <string.h>

enum
{
  OUT = 32,
  IN = 16
};

/* x [1, IN] -> Gemm (transB) with bias -> Relu -> y */
static PareGraph *
make (void)
{
  PareGraph *g = pare_graph_new ("g");
  g->opset = 13;
  g->ir_version = 7;
  PareShape in = pare_shape_make (2, (gint64)1, (gint64)IN), out = pare_shape_make (2, (gint64)1, (gint64)OUT);
  PareShape weights = pare_shape_make (2, (gint64)OUT, (gint64)IN), bias = pare_shape_make (1, (gint64)OUT);
  g_autoptr (PareTensor) w = pare_tensor_new (PARE_DTYPE_FLOAT32, &weights, NULL), b = pare_tensor_new (PARE_DTYPE_FLOAT32, &bias, NULL);
  PareRng rng = { 4 };
  for (int i = 0; i < OUT * IN; i++)
    ((float *)w->data)[i] = (float)pare_rng_normal (&rng);
  for (int i = 0; i < OUT; i++)
    ((float *)b->data)[i] = (float)(0.1 * pare_rng_normal (&rng)) + 0.5f;
  PareValueId x = pare_graph_add_value (g, "x", PARE_DTYPE_FLOAT32, &in, PARE_NONE);
  PareValueId inputs[3] = { x, pare_graph_add_constant (g, "w", w, PARE_NONE), pare_graph_add_constant (g, "b", b, PARE_NONE) };
  PareValueId h = pare_graph_add_value (g, "h", PARE_DTYPE_FLOAT32, &out, PARE_NONE),
              y = pare_graph_add_value (g, "y", PARE_DTYPE_FLOAT32, &out, PARE_NONE);
  PareNodeId gemm = pare_graph_add_node (g, "Gemm", "fc", inputs, 3, &h, 1, 0, PARE_ROLE_SELF);
  pare_node_set_int (&g->nodes[gemm], "transB", 1);
  pare_graph_add_node (g, "Relu", "relu", &h, 1, &y, 1, 1, PARE_ROLE_SELF);
  g->inputs = g_new (PareValueId, 1);
  g->inputs[g->n_inputs++] = x;
  g->outputs = g_new (PareValueId, 1);
  g->outputs[g->n_outputs++] = y;
  pare_graph_name_layers (g);
  return g;
}

static PareSize
size_of (const PareGraph *g, const char *defaults, gint64 *macs, gint64 *zeros)
{
  GError *error = NULL;
  g_autofree char *json = g_strdup_printf ("{\"pare_recipe\": 1, \"defaults\": {%s}}", defaults);
  g_autoptr (PareRecipe) recipe = pare_recipe_parse (json, -1, "test", &error);
  g_assert_no_error (error);
  g_autoptr (PareGraph) changed = pare_apply (g, recipe, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  PareSize size;
  GArray *layers;
  g_assert_true (pare_cost_size (changed, NULL, &size, &layers, macs, &error));
  g_assert_no_error (error);
  g_autoptr (PareWeighed) known = pare_weighed_new (g);
  PareSize again;
  g_assert_true (pare_cost_size (changed, known, &again, NULL, NULL, NULL));
  g_assert_cmpmem (&size, sizeof size, &again, sizeof again);
  const PareLayerCost *fc = &g_array_index (layers, PareLayerCost, 0);
  g_assert_cmpstr (fc->layer, ==, "fc");
  g_assert_cmpint (fc->params, ==, size.params);
  g_assert_cmpint (fc->packed_bytes, ==, size.packed_bytes);
  g_assert_cmpint (fc->macs, ==, *macs);
  *zeros = fc->zeros;
  g_assert_cmpint (size.download_bytes, <=, size.packed_bytes);
  g_autoptr (PareGraph) exported = changed->source == NULL ? pare_export_onnx (changed, NULL, NULL) : NULL;
  g_autoptr (GBytes) bytes = exported != NULL ? pare_onnx_serialize (exported, NULL) : g_bytes_ref (changed->source);
  g_assert_cmpint (size.file_bytes, ==, g_bytes_get_size (bytes));
  pare_layer_costs_free (layers);
  return size;
}

static void
test_size (void)
{
  g_autoptr (PareGraph) g = make ();
  gint64 macs, zeros;
  const gint64 n = OUT * IN, bias = 4 * OUT, scales = 4 * OUT;
  PareSize s = size_of (g, "", &macs, &zeros);
  g_assert_cmpint (s.params, ==, n + OUT);
  g_assert_cmpint (macs, ==, n);
  g_assert_cmpint (s.memory_bytes, ==, 4 * n + bias);
  g_assert_cmpint (s.packed_bytes, ==, 4 * n + bias);
  s = size_of (g, "\"weights\": {\"bits\": 8}", &macs, &zeros);
  g_assert_cmpint (s.memory_bytes, ==, n + scales + bias);
  g_assert_cmpint (s.packed_bytes, ==, n + scales + bias);
  s = size_of (g, "\"weights\": {\"bits\": 3, \"granularity\": \"tensor\"}", &macs, &zeros);
  g_assert_cmpint (s.memory_bytes, ==, n / 2 + 4 + bias);     /* two to a byte */
  g_assert_cmpint (s.packed_bytes, <=, n * 3 / 8 + 4 + bias); /* zeros may make it less */
  g_assert_cmpint (s.packed_bytes, >=, n * 2 / 8 + 4 + bias);
  g_assert_cmpint (s.download_bytes, <, s.packed_bytes);
  s = size_of (g, "\"weights\": {\"bits\": 16}", &macs, &zeros);
  g_assert_cmpint (s.memory_bytes, ==, 2 * n + bias);
  g_assert_cmpint (s.packed_bytes, ==, 2 * n + bias);
  s = size_of (g, "\"prune\": {\"kind\": \"2:4\"}", &macs, &zeros);
  g_assert_cmpint (zeros, ==, n / 2);
  g_assert_cmpint (s.params, ==, n + OUT);
  g_assert_cmpint (s.packed_bytes, ==, n / 2 * 4 + n / 8 + bias); /* a bitmap, here as small as two index bits for each that stays */
  s = size_of (g, "\"prune\": {\"kind\": \"unstructured\", \"ratio\": 0.75}", &macs, &zeros);
  g_assert_cmpint (zeros, ==, n * 3 / 4);
  g_assert_cmpint (s.packed_bytes, ==, n / 4 * 4 + n / 8 + bias);
  s = size_of (g, "\"cluster\": {\"centroids\": 16}", &macs, &zeros);
  g_assert_cmpint (s.packed_bytes, ==, n * 4 / 8 + 16 * 4 + bias);
  s = size_of (g, "\"factorize\": {\"method\": \"svd\", \"rank\": 4}", &macs, &zeros);
  g_assert_cmpint (s.params, ==, 4 * (IN + OUT) + OUT);
  g_assert_cmpint (macs, ==, 4 * (IN + OUT));
}

/* Codes of two values, one of them in an eighth of the places: 0.5436 bits each. */
static void
test_entropy (void)
{
  g_autoptr (PareGraph) g = make ();
  PareValue *w = &g->values[pare_graph_find_value (g, "w")];
  w->quant = pare_quant_new (8, TRUE, -1, 1);
  w->quant->scale[0] = 0.5f;
  for (int i = 0; i < OUT * IN; i++)
    ((float *)w->constant->data)[i] = i % 8 == 0 ? 1.5f : 0.5f;
  PareSize size;
  g_assert_true (pare_cost_size (g, NULL, &size, NULL, NULL, NULL));
  double bits = -(1.0 / 8 * log2 (1.0 / 8) + 7.0 / 8 * log2 (7.0 / 8));
  PareValue *b = &g->values[pare_graph_find_value (g, "b")];
  pare_tensor_unref (b->constant);
  PareShape one = pare_shape_make (1, (gint64)OUT);
  b->constant = pare_tensor_new (PARE_DTYPE_FLOAT32, &one, NULL); /* zeros, which cost next to nothing */
  g_assert_true (pare_cost_size (g, NULL, &size, NULL, NULL, NULL));
  g_assert_cmpint (size.download_bytes, ==, (gint64)ceil (OUT * IN * bits / 8) + 4);
}

static void
test_latency (void)
{
  g_autoptr (PareGraph) g = make ();
  GError *error = NULL;
  g_autoptr (PareProgram) program = pare_program_compile (g, NULL, &error);
  g_assert_no_error (error);
  PareLatency latency;
  g_assert_true (pare_cost_latency (program, 1, 30, TRUE, &latency, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (latency.repeats, ==, 30);
  g_assert_cmpfloat (latency.median_ms, >, 0);
  g_assert_cmpfloat (latency.p10_ms, <=, latency.median_ms);
  g_assert_cmpfloat (latency.median_ms, <=, latency.p90_ms);
  g_assert_cmpuint (latency.peak_rss_bytes, >, 1 << 20);
  g_assert_cmpuint (latency.n_layers, >, 0);
  for (guint i = 0; i < latency.n_layers; i++)
    g_assert_cmpfloat (latency.layers[i].ms, >=, 0);
  pare_latency_clear (&latency);
  g_assert_null (latency.layers);
  g_autoptr (PareControl) control = pare_control_new (NULL, NULL);
  pare_control_cancel (control);
  g_assert_false (pare_cost_latency (program, 1, 30, FALSE, &latency, control, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_CANCELLED);
  g_clear_error (&error);
}

/* What is given is what runs: a row that a table does not have. What is not given is random. */
static void
test_given (void)
{
  g_autoptr (PareGraph) g = make_graph (17);
  PareShape rows = pare_shape_make (2, (gint64)4, (gint64)3), one = pare_shape_make (1, (gint64)1),
            row = pare_shape_make (2, (gint64)1, (gint64)3);
  const PareValueId in[2] = { make_float (g, "table", rows, NULL), make_input (g, "i", PARE_DTYPE_INT64, one) };
  PareValueId y = pare_graph_add_value (g, "y", PARE_DTYPE_FLOAT32, &row, PARE_NONE);
  pare_graph_add_node (g, "Gather", "rows", in, 2, &y, 1, 0, PARE_ROLE_SELF);
  make_output (g, y);
  g_autoptr (GError) error = NULL;
  g_autoptr (PareProgram) program = pare_program_compile (g, NULL, &error);
  g_assert_no_error (error);
  const gint64 last = 3, none = 4;
  g_autoptr (PareTensor) is_there = pare_tensor_new_i64 (&last, 1), is_not = pare_tensor_new_i64 (&none, 1);
  PareTensor *const given[3] = { is_there, NULL, is_not };
  PareLatency latency;
  for (guint i = 0; i < 2; i++)
    {
      g_assert_true (pare_cost_latency_on (program, &given[i], 1, 3, FALSE, &latency, NULL, &error));
      g_assert_no_error (error);
    }
  g_assert_false (pare_cost_latency_on (program, &given[2], 1, 3, FALSE, &latency, NULL, &error));
  g_assert_nonnull (error);
}

/* x -> Conv expand -> Clip -> Conv depthwise -> Clip -> Conv project -> Add -> MatMul -> Add (bias) -> Add (residual) -> Relu: what
 * backends like to compute in few steps. */
static PareGraph *
make_block (void)
{
  PareGraph *g = make_graph (13);
  enum
  {
    C = 32,
    WIDE = 96,
    SIZE = 14
  };
  const float low = 0, high = 6;
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)C, (gint64)SIZE, (gint64)SIZE)),
              lo = make_float (g, "lo", pare_shape_make (0), &low), hi = make_float (g, "hi", pare_shape_make (0), &high),
              we = make_float (g, "we", pare_shape_make (4, (gint64)WIDE, (gint64)C, (gint64)1, (gint64)1), NULL),
              be = make_float (g, "be", pare_shape_make (1, (gint64)WIDE), NULL),
              wd = make_float (g, "wd", pare_shape_make (4, (gint64)WIDE, (gint64)1, (gint64)3, (gint64)3), NULL),
              bd = make_float (g, "bd", pare_shape_make (1, (gint64)WIDE), NULL),
              wp = make_float (g, "wp", pare_shape_make (4, (gint64)C, (gint64)WIDE, (gint64)1, (gint64)1), NULL),
              bp = make_float (g, "bp", pare_shape_make (1, (gint64)C), NULL),
              wm = make_float (g, "wm", pare_shape_make (2, (gint64)SIZE, (gint64)SIZE), NULL),
              bm = make_float (g, "bm", pare_shape_make (1, (gint64)SIZE), NULL);
  PareValueId e = MAKE (g, "Conv", "expand", x, we, be), ec = MAKE (g, "Clip", "expand_clip", e, lo, hi),
              d = MAKE (g, "Conv", "depthwise", ec, wd, bd), dc = MAKE (g, "Clip", "depthwise_clip", d, lo, hi),
              p = MAKE (g, "Conv", "project", dc, wp, bp), r = MAKE (g, "Add", "residual", p, x), m = MAKE (g, "MatMul", "product", r, wm),
              b = MAKE (g, "Add", "bias", m, bm), again = MAKE (g, "Add", "again", b, r), y = MAKE (g, "Relu", "y", again);
  static const gint64 pads[] = { 1, 1, 1, 1 };
  PareNode *node = node_of (g, d);
  pare_node_set_ints (node, "pads", pads, 4);
  pare_node_set_int (node, "group", WIDE);
  make_output (g, y);
  for (guint i = 0; i < g->n_nodes; i++)
    g->nodes[i].origin = i;
  pare_graph_name_layers (g);
  return g;
}

/* However a backend joins layers in steps: no work is lost or counted twice, and of each layer is known where its time stands. */
static void
test_layers (void)
{
  static const struct
  {
    PareBackend backend;
    int threads;
    gboolean no_fusion;
  } ways[] = { { PARE_BACKEND_AUTO, 1, FALSE },
               { PARE_BACKEND_AUTO, 2, FALSE },
               { PARE_BACKEND_PORTABLE, 1, FALSE },
               { PARE_BACKEND_AUTO, 1, TRUE },
               { PARE_BACKEND_PORTABLE, 2, TRUE } };
  g_autoptr (PareGraph) g = make_block ();
  const gint64 macs = 14 * 14 * 96 * (32 + 9 + 32) + 14 * 14 * 32 * 14;
  guint64 bytes[G_N_ELEMENTS (ways)] = { 0 };
  for (guint w = 0; w < G_N_ELEMENTS (ways); w++)
    {
      GError *error = NULL;
      PareCompileOptions options = { .backend = ways[w].backend, .no_fusion = ways[w].no_fusion };
      g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
      g_assert_no_error (error);
      PareLatency latency;
      g_assert_true (pare_cost_latency (program, ways[w].threads, 5, TRUE, &latency, NULL, &error));
      g_assert_no_error (error);
      g_autofree guint *entries = g_new0 (guint, g->n_nodes + 1);
      gint64 sum = 0;
      for (guint i = 0; i < latency.n_layers; i++)
        {
          sum += latency.layers[i].macs;
          bytes[w] += latency.layers[i].bytes;
          g_assert_cmpuint (latency.layers[i].bytes, >, 0);
          if (latency.layers[i].layer != PARE_NONE)
            entries[latency.layers[i].layer]++;
        }
      g_assert_cmpint (sum, ==, macs);
      g_assert_cmpuint (latency.n_holders, ==, g->n_nodes);
      for (guint i = 0; i < g->n_nodes; i++)
        {
          g_assert_cmpuint (entries[i], <=, 1);
          if (ways[w].no_fusion && ways[w].backend == PARE_BACKEND_PORTABLE)
            g_assert_cmpuint (entries[i], ==, 1);
          /* an entry of its own, or a holder, which has one */
          g_assert_true ((latency.holders[i] == PARE_NONE) == (entries[i] == 1));
          g_assert_true (latency.holders[i] == PARE_NONE || entries[latency.holders[i]] == 1);
        }
      g_test_message ("backend %d, %d threads, fusion %d: %u layers have a time, %" G_GUINT64_FORMAT " bytes", ways[w].backend,
                      ways[w].threads, !ways[w].no_fusion, latency.n_layers, bytes[w]);
      pare_latency_clear (&latency);
    }
  /* what stays within a step is not moved */
  g_assert_cmpuint (bytes[2], <, bytes[4]);
  g_assert_cmpuint (bytes[0], <=, bytes[2]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cost/size", test_size);
  g_test_add_func ("/cost/entropy", test_entropy);
  g_test_add_func ("/cost/latency", test_latency);
  g_test_add_func ("/cost/given", test_given);
  g_test_add_func ("/cost/layers", test_layers);
  return g_test_run ();
}
