#include "engine/base/pare-error.h"
#include "engine/compress/pare-apply.h"
#include "engine/export/pare-export.h"
#include "engine/onnx/pare-onnx.h"
#include "make-graph.h"

#include <math.h>

/* conv (4 channels, grid on its weights) between two grids, as apply leaves it. */
static PareGraph *
quantized (int opset, int weight_bits, int activation_bits)
{
  PareGraph *g = make_graph (opset);
  g->ir_version = 3;
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)-1, (gint64)2, (gint64)3, (gint64)3));
  PareShape ws = pare_shape_make (4, (gint64)4, (gint64)2, (gint64)1, (gint64)1), bs = pare_shape_make (1, (gint64)4);
  PareQuant *wq = pare_quant_new (weight_bits, TRUE, 0, 4), *bq = pare_quant_new (32, TRUE, 0, 4);
  wq->lo = -wq->hi;
  float w[8], b[4];
  for (int i = 0; i < 4; i++)
    {
      wq->scale[i] = 0.25f * (float)(i + 1);
      bq->scale[i] = wq->scale[i] * 0.5f;
      b[i] = (float)(i * 100 - 150) * bq->scale[i];
    }
  for (int i = 0; i < 8; i++)
    w[i] = (float)((i % 2 ? wq->lo : wq->hi) / (i / 4 + 1)) * wq->scale[i / 2];
  PareValueId weight = make_float (g, "w", ws, w), bias = make_float (g, "b", bs, b);
  g->values[weight].quant = wq;
  g->values[bias].quant = bq;
  PareValueId xq = MAKE (g, PARE_OP_QUANTIZE, "xq", x);
  PareQuant *aq = pare_quant_new (activation_bits, FALSE, -1, 1);
  aq->scale[0] = 0.5f;
  aq->zero[0] = 3;
  g->values[xq].quant = aq;
  PareValueId c = MAKE (g, "Conv", "conv", xq, weight, bias), r = MAKE (g, "Relu", "relu", c), p = MAKE (g, "Clip", "clip", r),
              y = MAKE (g, PARE_OP_QUANTIZE, "yq", p);
  if (opset < 11)
    pare_node_set_float (node_of (g, p), "max", 6);
  g->values[y].quant = pare_quant_copy (aq);
  make_output (g, y);
  g->values[y].dtype = PARE_DTYPE_FLOAT32;
  pare_graph_name_layers (g);
  return g;
}

static const PareNode *
find (const PareGraph *g, const char *op, guint nth)
{
  for (guint i = 0; i < g->n_nodes; i++)
    if (g_strcmp0 (g->nodes[i].op, op) == 0 && nth-- == 0)
      return &g->nodes[i];
  return NULL;
}

static PareTensor *
constant_of (const PareGraph *g, const PareNode *n, guint i)
{
  return g->values[n->inputs[i]].constant;
}

static const PareNode *
producer (const PareGraph *g, const PareNode *n, guint i)
{
  PareNodeId id = g->values[n->inputs[i]].producer;
  return id == PARE_NONE ? NULL : &g->nodes[id];
}

static void
test_int8 (void)
{
  g_autoptr (PareGraph) g = quantized (9, 8, 8);
  g_autoptr (GError) error = NULL;
  const char *const metadata[] = { "pare_recipe", "{}", "pare_accuracy", "0.9", NULL };
  g_autoptr (PareGraph) e = pare_export_onnx (g, metadata, &error);
  g_assert_no_error (error);
  g_assert_cmpint (e->opset, ==, 13); /* scales per channel */
  g_assert_cmpint (e->ir_version, ==, 8);
  g_assert_cmpuint (e->n_meta, ==, 2);
  g_assert_cmpstr (e->meta_values[1], ==, "0.9");
  const PareNode *conv = find (e, "Conv", 0), *dx = producer (e, conv, 0), *dw = producer (e, conv, 1), *db = producer (e, conv, 2);
  g_assert_cmpstr (dx->op, ==, "DequantizeLinear");
  g_assert_cmpstr (producer (e, dx, 0)->op, ==, "QuantizeLinear");
  g_assert_null (find (e, PARE_OP_QUANTIZE, 0));
  PareTensor *codes = constant_of (e, dw, 0), *bias = constant_of (e, db, 0);
  g_assert_cmpint (codes->dtype, ==, PARE_DTYPE_INT8);
  g_assert_cmpint (pare_tensor_get_int (codes, 0), ==, 127);
  g_assert_cmpint (pare_tensor_get_int (codes, 1), ==, -127);
  g_assert_cmpint (pare_tensor_get_int (codes, 4), ==, 63);
  g_assert_cmpint (pare_node_get_int (dw, "axis", -7), ==, 0);
  g_assert_cmpint (bias->dtype, ==, PARE_DTYPE_INT32);
  g_assert_cmpint (pare_tensor_get_int (bias, 3), ==, 150);
  g_assert_cmpuint (db->n_inputs, ==, 2);
  /* The old Clip took its new form with the opset; no grid is narrower than its container, so it is the only one. */
  g_assert_null (find (e, "Clip", 1));
  g_assert_cmpuint (find (e, "Clip", 0)->n_inputs, ==, 3);
  g_autoptr (GBytes) bytes = pare_onnx_serialize (e, &error);
  g_assert_no_error (error);
  g_autoptr (PareGraph) bare = pare_export_onnx (g, NULL, &error);
  g_autoptr (GBytes) plain = pare_onnx_serialize (bare, &error);
  g_assert_cmpint (pare_export_file_bytes (g, &error), ==, (gint64)g_bytes_get_size (plain));
  /* Read back it is lifted to the same values on the same grids. */
  g_autoptr (PareGraph) back = pare_onnx_parse (bytes, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (PareGraph) c = pare_graph_canonicalize (back, NULL, 0, NULL, &error);
  g_assert_no_error (error);
  const PareNode *again = find (c, "Conv", 0);
  PareTensor *w = constant_of (c, again, 1), *old = g->values[pare_graph_find_value (g, "w")].constant;
  g_assert_cmpmem (w->data, w->bytes, old->data, old->bytes);
  g_assert_nonnull (find (c, PARE_OP_QUANTIZE, 1));
  g_assert_cmpint (c->values[again->inputs[0]].quant->zero[0], ==, 3);
  g_assert_cmpint (c->values[again->inputs[2]].quant->bits, ==, 32);
  /* The graph it was made from is as it was. */
  g_assert_nonnull (g->values[pare_graph_find_value (g, "w")].quant);
  g_assert_cmpint (g->opset, ==, 9);
}

/* One scale needs no opset 13, but ONNX Runtime writes Round beside a float bias behind codes: from opset 11 on there is one. */
static void
test_activations_only (void)
{
  g_autoptr (PareGraph) g = quantized (9, 8, 8);
  for (int i = 0; i < 2; i++)
    g_clear_pointer (&g->values[pare_graph_find_value (g, i ? "w" : "b")].quant, pare_quant_free);
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) e = pare_export_onnx (g, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (e->opset, ==, 13);
}

static void
test_int4 (void)
{
  for (int bits = 2; bits <= 4; bits++)
    {
      g_autoptr (PareGraph) g = quantized (13, bits, 6);
      g_autoptr (GError) error = NULL;
      g_autoptr (PareGraph) e = pare_export_onnx (g, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpint (e->opset, ==, 21);
      g_assert_cmpint (e->ir_version, ==, 10);
      const PareNode *conv = find (e, "Conv", 0), *dw = producer (e, conv, 1);
      PareTensor *codes = constant_of (e, dw, 0);
      g_assert_cmpint (codes->dtype, ==, PARE_DTYPE_INT4);
      g_assert_cmpuint (codes->bytes, ==, 4);
      g_assert_cmpint (pare_tensor_get_int (codes, 1), ==, -((1 << (bits - 1)) - 1));
      g_assert_cmpint (constant_of (e, dw, 2)->dtype, ==, PARE_DTYPE_INT4);
      /* Six bits in eight: clamped before. */
      const PareNode *quantize = producer (e, producer (e, conv, 0), 0), *clip = producer (e, quantize, 0);
      g_assert_cmpstr (clip->op, ==, "Clip");
      g_assert_cmpfloat (pare_tensor_get_double (constant_of (e, clip, 1), 0), ==, -1.5);
      g_assert_cmpfloat (pare_tensor_get_double (constant_of (e, clip, 2), 0), ==, 30);
      g_assert_cmpint (constant_of (e, quantize, 2)->dtype, ==, PARE_DTYPE_UINT8);
    }
}

static void
test_untouched (void)
{
  g_autoptr (PareGraph) g = make_graph (7);
  g->ir_version = 3;
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (2, (gint64)1, (gint64)4)), y = MAKE (g, "Clip", "clip", x);
  pare_node_set_float (node_of (g, y), "max", 6);
  g->values[y].dtype = PARE_DTYPE_FLOAT32;
  make_output (g, y);
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) e = pare_export_onnx (g, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (e->opset, ==, 7);
  g_assert_cmpint (e->ir_version, ==, 3);
  g_assert_cmpuint (e->nodes[0].n_inputs, ==, 1);
}

/* 16-bit and shared values. */
static void
test_storage (void)
{
  for (int kind = 0; kind < 4; kind++)
    {
      g_autoptr (PareGraph) g = make_graph (9);
      PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (2, (gint64)1, (gint64)16)),
                  w = make_float (g, "w", pare_shape_make (2, (gint64)16, (gint64)32), NULL);
      PareValueId y = MAKE (g, "MatMul", "mm", x, w);
      g->values[y].dtype = PARE_DTYPE_FLOAT32;
      make_output (g, y);
      g->values[w].storage = kind == 1 ? PARE_DTYPE_BFLOAT16 : kind == 2 ? PARE_DTYPE_NONE : PARE_DTYPE_FLOAT16;
      g->values[w].encoding = kind >= 2 ? PARE_ENCODING_CODEBOOK : PARE_ENCODING_DENSE;
      g_autoptr (GError) error = NULL;
      g_autoptr (PareGraph) e = pare_export_onnx (g, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpint (e->opset, ==, kind == 1 ? 13 : 9);
      const PareNode *mm = find (e, "MatMul", 0), *last = producer (e, mm, 1);
      PareTensor *old = g->values[w].constant;
      if (kind < 2)
        {
          g_assert_cmpstr (last->op, ==, "Cast");
          PareTensor *narrow = constant_of (e, last, 0);
          g_assert_cmpint (narrow->dtype, ==, kind == 1 ? PARE_DTYPE_BFLOAT16 : PARE_DTYPE_FLOAT16);
          for (gsize i = 0; i < 512; i++)
            g_assert_cmpfloat (pare_tensor_get_double (narrow, i), ==, pare_tensor_get_double (old, i));
          continue;
        }
      g_assert_cmpstr (last->op, ==, "Gather");
      const PareNode *index = producer (e, last, 1), *table = producer (e, last, 0);
      g_assert_cmpstr (index->op, ==, "Cast");
      PareTensor *indices = constant_of (e, index, 0), *values = table ? constant_of (e, table, 0) : constant_of (e, last, 0);
      g_assert_cmpint (indices->dtype, ==, PARE_DTYPE_UINT8);
      g_assert_cmpint (pare_tensor_count (values), ==, 64);
      g_assert_cmpint (values->dtype, ==, kind == 3 ? PARE_DTYPE_FLOAT16 : PARE_DTYPE_FLOAT32);
      for (gsize i = 0; i < 512; i++)
        g_assert_cmpfloat (pare_tensor_get_double (values, (gsize)pare_tensor_get_int (indices, i)), ==, pare_tensor_get_double (old, i));
    }
}

/* Constants of layers that read the same one in the file are one where they are the same, grid and all. */
static void
test_shared (void)
{
  const float values[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, others[8] = { 1, 2, 3, 4, 5, 6, 7, 9 };
  g_autoptr (PareGraph) g = make_graph (13);
  PareShape shape = pare_shape_make (2, (gint64)2, (gint64)4), back = pare_shape_make (2, (gint64)4, (gint64)2);
  PareValueId y = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (2, (gint64)3, (gint64)2)), w[5];
  for (int i = 0; i < 5; i++) /* the third has other values, the fourth another grid, the fifth is from elsewhere */
    {
      g_autofree char *name = g_strdup_printf ("w%d", i), *product = g_strdup_printf ("product%d", i), *turned = g_strdup_printf ("y%d", i);
      w[i] = make_float (g, name, shape, i == 2 ? others : values);
      g->values[w[i]].origin = i == 4 ? 8 : 7;
      PareQuant *q = g->values[w[i]].quant = pare_quant_new (8, TRUE, -1, 1);
      q->scale[0] = i == 3 ? 0.5f : 1;
      y = MAKE (g, "MatMul", turned, MAKE (g, "MatMul", product, y, w[i]), make_float (g, "", back, values));
    }
  make_output (g, y);
  pare_graph_name_layers (g);
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) e = pare_export_onnx (g, NULL, &error);
  g_assert_no_error (error);
  guint n = 0;
  for (guint i = 0; i < e->n_values; i++)
    n += e->values[i].constant != NULL && e->values[i].constant->dtype == PARE_DTYPE_INT8 && pare_tensor_count (e->values[i].constant) == 8;
  g_assert_cmpuint (n, ==, 4);
}

/* Weights that Identity hands on to other layers stay one constant. */
static void
test_shared_by_identity (void)
{
  g_autoptr (PareGraph) g = make_graph (13);
  PareShape square = pare_shape_make (2, (gint64)4, (gint64)4);
  float values[16];
  for (int i = 0; i < 16; i++)
    values[i] = (float)(i * 7 % 16 + 1);
  PareValueId w = make_float (g, "w", square, values), y = make_input (g, "x", PARE_DTYPE_FLOAT32, square);
  y = MAKE (g, "MatMul", "a", y, w);
  y = MAKE (g, "MatMul", "b", y, MAKE (g, "Identity", "w again", w));
  y = MAKE (g, "MatMul", "c", y, MAKE (g, "Identity", "w once more", g->nodes[1].outputs[0]));
  make_output (g, y);
  pare_graph_name_layers (g);
  g_autoptr (GError) error = NULL;
  g_autoptr (PareRecipe) recipe = pare_recipe_new ();
  PareLayerRecipe half;
  pare_layer_recipe_init (&half);
  half.prune = PARE_PRUNE_UNSTRUCTURED;
  half.prune_ratio = 0.5;
  pare_recipe_set_defaults (recipe, &half);
  g_autoptr (PareGraph) pruned = pare_apply (g, recipe, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (PareGraph) e = pare_export_onnx (pruned, NULL, &error);
  g_assert_no_error (error);
  guint n = 0;
  for (guint i = 0; i < e->n_values; i++)
    n += e->values[i].constant != NULL && pare_tensor_count (e->values[i].constant) == 16;
  g_assert_cmpuint (n, ==, 1);
}

static void
test_refused (void)
{
  g_autoptr (PareGraph) g = quantized (13, 8, 8);
  PareValueId w = pare_graph_find_value (g, "w");
  g->values[w].quant->axis = 1; /* two there, four scales */
  g_autoptr (GError) error = NULL;
  g_assert_null (pare_export_onnx (g, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "'w'"));
  g_clear_error (&error);
  g_assert_cmpint (pare_export_file_bytes (g, &error), ==, -1);
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_null (pare_onnx_serialize (g, &error)); /* our own operator does not leave the house */
  g_assert_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/export/shared", test_shared);
  g_test_add_func ("/export/shared-by-identity", test_shared_by_identity);
  g_test_add_func ("/export/int8", test_int8);
  g_test_add_func ("/export/activations-only", test_activations_only);
  g_test_add_func ("/export/int4", test_int4);
  g_test_add_func ("/export/untouched", test_untouched);
  g_test_add_func ("/export/storage", test_storage);
  g_test_add_func ("/export/refused", test_refused);
  return g_test_run ();
}
