#include "engine/base/pare-error.h"
#include "engine/base/pare-rng.h"
#include "engine/lower/pare-program.h"
#include "engine/onnx/pare-onnx.h"
#include "make-graph.h"

#include <math.h>

static PareShape
shape4 (gint64 a, gint64 b, gint64 c, gint64 d)
{
  return pare_shape_make (4, a, b, c, d);
}

static PareGraph *
canonical (PareGraph *g)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (pare_graph_compact (g, &error));
  g_assert_no_error (error);
  pare_graph_name_layers (g);
  PareGraph *c = pare_graph_canonicalize (g, NULL, 0, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (c);
  g_assert_true (pare_graph_verify (c, &error));
  return c;
}

static void
assert_contradicts (PareGraph *g, const char *word)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (pare_graph_compact (g, &error));
  pare_graph_name_layers (g);
  g_autoptr (PareGraph) c = pare_graph_canonicalize (g, NULL, 0, NULL, &error);
  g_assert_null (c);
  g_assert_nonnull (error);
  if (strstr (error->message, word) == NULL)
    g_error ("'%s' does not say '%s'", error->message, word);
}

static guint
count_op (const PareGraph *g, const char *op)
{
  guint n = 0;
  for (guint i = 0; i < g->n_nodes; i++)
    n += g_strcmp0 (g->nodes[i].op, op) == 0;
  return n;
}

/* --- core --- */

static void
test_edits (void)
{
  g_autoptr (PareGraph) g = make_graph (21);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (1, 1, 2, 2));
  PareValueId a = MAKE (g, "Relu", "a", x), b = MAKE (g, "Abs", "b", a), dead = MAKE (g, "Neg", "dead", a);
  make_output (g, b);
  PareValueId same = pare_graph_add_value (g, "x", PARE_DTYPE_FLOAT32, NULL, PARE_NONE);
  g_assert_cmpstr (g->values[same].name, ==, "x_2");
  /* A node put between a and b moves before b. */
  PareValueId mid = MAKE (g, "Sqrt", "mid", a);
  node_of (g, b)->inputs[0] = mid;
  g_assert_cmpuint (dead, !=, PARE_NONE);
  g_autoptr (GError) error = NULL;
  g_assert_true (pare_graph_compact (g, &error));
  g_assert_cmpuint (g->n_nodes, ==, 3); /* dead is gone */
  g_assert_cmpstr (g->nodes[0].op, ==, "Relu");
  g_assert_cmpstr (g->nodes[1].op, ==, "Sqrt");
  g_assert_cmpstr (g->nodes[2].op, ==, "Abs");
  g_assert_cmpuint (pare_graph_find_value (g, "x_2"), ==, PARE_NONE);
  g_assert_cmpuint (g->n_values, ==, 4);
  g_autoptr (PareConsumers) c = pare_graph_consumers (g);
  g_assert_cmpuint (c->starts[g->inputs[0] + 1] - c->starts[g->inputs[0]], ==, 1);
  /* attributes */
  PareNode *n = &g->nodes[0];
  pare_node_set_int (n, "i", 3);
  pare_node_set_float (n, "f", 0.5f);
  pare_node_set_ints (n, "v", (gint64[]){ 1, 2 }, 2);
  pare_node_set_string (n, "s", "abc");
  pare_node_set_int (n, "i", 4);
  pare_node_unset (n, "f");
  g_assert_cmpuint (n->n_attrs, ==, 3);
  g_assert_cmpint (pare_node_get_int (n, "i", 0), ==, 4);
  g_assert_cmpfloat (pare_node_get_float (n, "f", 7), ==, 7);
  g_autofree char *s = pare_node_dup_string (n, "s");
  g_assert_cmpstr (s, ==, "abc");
  /* A copy shares nothing that can be edited. */
  g_autoptr (PareGraph) copy = pare_graph_copy (g);
  pare_node_set_int (&copy->nodes[0], "i", 9);
  g_assert_cmpint (pare_node_get_int (n, "i", 0), ==, 4);
}

static void
test_verify (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) g = make_graph (21);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (1, 1, 2, 2));
  PareValueId a = MAKE (g, "Relu", "a", x), b = MAKE (g, "Add", "b", a, x);
  make_output (g, b);
  node_of (g, a)->inputs[0] = b;
  g_assert_false (pare_graph_verify (g, &error));
  g_assert_nonnull (strstr (error->message, "cycle"));
  g_clear_error (&error);
  node_of (g, a)->inputs[0] = 4711;
  g_assert_false (pare_graph_verify (g, &error));
  g_assert_nonnull (strstr (error->message, "node 'a'"));
  g_clear_error (&error);
  PareValueId loose = pare_graph_add_value (g, "loose", PARE_DTYPE_FLOAT32, NULL, PARE_NONE);
  node_of (g, a)->inputs[0] = loose;
  g_assert_false (pare_graph_verify (g, &error));
  g_assert_nonnull (strstr (error->message, "'loose'"));
  g_clear_error (&error);
  node_of (g, a)->inputs[0] = x;
  g_assert_true (pare_graph_verify (g, &error));
}

static void
test_names (void)
{
  g_autoptr (PareGraph) g = make_graph (21);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (1, 1, 2, 2));
  for (int i = 0; i < 4; i++)
    x = MAKE (g, "Relu", "same", x);
  PareValueId y = MAKE (g, "Relu", "same#2", x), z = MAKE (g, "Relu", "", y);
  make_output (g, z);
  pare_graph_name_layers (g);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < g->n_nodes; i++)
    g_assert_true (g_hash_table_add (seen, (gpointer)g->nodes[i].layer));
  g_assert_cmpstr (g->nodes[0].layer, ==, "same");
  g_assert_cmpstr (g->nodes[1].layer, ==, "same#2");
  g_assert_cmpstr (g->nodes[5].layer, ==, g->values[z].name);
  g_assert_cmpuint (pare_graph_find_layer (g, "same#3"), ==, 2);
}

/* --- inference --- */

static void
test_shapes (void)
{
  g_autoptr (PareGraph) g = make_graph (21);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (-1, 3, 17, 16));
  PareValueId w = make_float (g, "w", shape4 (8, 3, 3, 3), NULL), dw = make_float (g, "dw", shape4 (8, 1, 5, 5), NULL),
              tw = make_float (g, "tw", shape4 (8, 4, 2, 2), NULL);
  PareValueId conv = MAKE (g, "Conv", "conv", x, w);
  pare_node_set_ints (node_of (g, conv), "strides", (gint64[]){ 2, 2 }, 2);
  pare_node_set_ints (node_of (g, conv), "pads", (gint64[]){ 0, 1, 1, 1 }, 4);
  PareValueId same = MAKE (g, "Conv", "same", conv, dw);
  pare_node_set_string (node_of (g, same), "auto_pad", "SAME_UPPER");
  pare_node_set_ints (node_of (g, same), "strides", (gint64[]){ 3, 3 }, 2);
  pare_node_set_int (node_of (g, same), "group", 8);
  PareValueId up = MAKE (g, "ConvTranspose", "up", conv, tw);
  pare_node_set_ints (node_of (g, up), "strides", (gint64[]){ 2, 2 }, 2);
  pare_node_set_int (node_of (g, up), "group", 1);
  PareValueId pool = MAKE (g, "MaxPool", "pool", conv);
  pare_node_set_ints (node_of (g, pool), "kernel_shape", (gint64[]){ 3, 3 }, 2);
  pare_node_set_ints (node_of (g, pool), "strides", (gint64[]){ 2, 2 }, 2);
  pare_node_set_int (node_of (g, pool), "ceil_mode", 1);
  PareValueId starts = make_ints (g, "starts", 2, (gint64[]){ -1, 2 }),
              ends = make_ints (g, "ends", 2, (gint64[]){ G_MININT64, G_MAXINT64 }), axes = make_ints (g, "axes", 2, (gint64[]){ 1, -1 }),
              steps = make_ints (g, "steps", 2, (gint64[]){ -2, 3 });
  PareValueId slice = MAKE (g, "Slice", "slice", x, starts, ends, axes, steps);
  PareValueId to = make_ints (g, "to", 3, (gint64[]){ 0, -1, 4 }), reshape = MAKE (g, "Reshape", "reshape", x, to);
  PareValueId perm = MAKE (g, "Transpose", "perm", reshape);
  PareValueId mm = MAKE (g, "MatMul", "mm", reshape, perm);
  node_of (g, mm)->inputs[1] = MAKE (g, "Transpose", "perm2", reshape);
  pare_node_set_ints (node_of (g, node_of (g, mm)->inputs[1]), "perm", (gint64[]){ 0, 2, 1 }, 3);
  PareValueId mean_axes = make_ints (g, "mean_axes", 1, (gint64[]){ -2 }), mean = MAKE (g, "ReduceMean", "mean", x, mean_axes);
  pare_node_set_int (node_of (g, mean), "keepdims", 0);
  PareValueId scales = make_float (g, "scales", pare_shape_make (1, (gint64)4), (float[]){ 1, 1, 2.5f, 0.5f }),
              resize = MAKE (g, "Resize", "resize", x, PARE_NONE, scales);
  PareValueId outs[] = { conv, same, up, pool, slice, reshape, perm, mm, mean, resize };
  const char *want[]
      = { "1×8×8×8", "1×8×3×3", "1×4×16×16", "1×8×4×4", "1×2×17×5", "1×204×4", "4×204×1", "1×204×204", "1×3×16", "1×3×42×8" };
  for (guint i = 0; i < G_N_ELEMENTS (outs); i++)
    make_output (g, outs[i]);
  g_autoptr (PareGraph) c = canonical (g);
  for (guint i = 0; i < G_N_ELEMENTS (outs); i++)
    assert_shape (c, c->outputs[i], want[i]);
  /* Another batch. */
  PareNamedShape four = { "x", shape4 (4, 3, 17, 16) };
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) batch = pare_graph_canonicalize (g, &four, 1, NULL, &error);
  g_assert_no_error (error);
  assert_shape (batch, batch->outputs[0], "4×8×8×8");
  PareNamedShape wrong = { "x", shape4 (4, 5, 17, 16) }, unknown = { "z", shape4 (1, 1, 1, 1) };
  g_assert_null (pare_graph_canonicalize (g, &wrong, 1, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_SHAPE);
  g_clear_error (&error);
  g_assert_null (pare_graph_canonicalize (g, &unknown, 1, NULL, &error));
  g_assert_nonnull (strstr (error->message, "'z'"));
}

/* What "?" stands for in one place says nothing of another; a name does, unless the shapes that are given contradict it. */
static void
test_names_of_extents (void)
{
  const char *names[] = { "?", "None", "side" }, *unsaid[] = { "1×3×1×1", "1×3×1×1", "1×3×9×9" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (PareGraph) g = make_graph (17);
      PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (-1, 3, -1, -1)),
                  y = make_input (g, "y", PARE_DTYPE_FLOAT32, shape4 (1, 3, -1, -1));
      for (int d = 2; d < 4; d++)
        for (int k = 0; k < 2; k++)
          g->values[k == 0 ? x : y].dim_names[d] = names[i];
      make_output (g, MAKE (g, "Relu", "a", x));
      make_output (g, MAKE (g, "Relu", "b", y));
      g_autoptr (GError) error = NULL;
      PareNamedShape square = { "x", shape4 (1, 3, 9, 9) }, wide = { "x", shape4 (2, 3, 9, 7) };
      g_autoptr (PareGraph) first = pare_graph_canonicalize (g, &square, 1, NULL, &error);
      g_assert_no_error (error);
      assert_shape (first, first->outputs[1], unsaid[i]);
      g_autoptr (PareGraph) second = pare_graph_canonicalize (g, &wide, 1, NULL, &error);
      g_assert_no_error (error);
      assert_shape (second, second->outputs[0], "2×3×9×7");
      assert_shape (second, second->outputs[1], "1×3×1×1");
    }
}

static void
test_contradictions (void)
{
  const struct
  {
    const char *op;
    PareShape other;
    const char *word;
  } cases[] = {
    { "Add", { 4, { 1, 3, 5, 4 } }, "broadcast" }, { "MatMul", { 4, { 1, 3, 5, 4 } }, "multiply" },
    { "Conv", { 4, { 8, 2, 3, 3 } }, "channels" }, { "Conv", { 4, { 8, 3, 9, 9 } }, "does not fit" },
    { "Conv", { 3, { 8, 3, 3 } }, "dimensions" },  { "Gemm", { 2, { 4, 4 } }, "dimensions" },
    { "Concat", { 4, { 1, 3, 4, 9 } }, "join" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (PareGraph) g = make_graph (21);
      PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (1, 3, 4, 4)), w = make_float (g, "w", cases[i].other, NULL);
      PareValueId y = make_node (g, cases[i].op, "bad", 2, (PareValueId[]){ x, w });
      if (strcmp (cases[i].op, "Concat") == 0)
        pare_node_set_int (node_of (g, y), "axis", 1);
      make_output (g, y);
      assert_contradicts (g, cases[i].word);
    }
  g_autoptr (PareGraph) mixed = make_graph (21);
  PareValueId x = make_input (mixed, "x", PARE_DTYPE_FLOAT32, shape4 (1, 3, 4, 4)), k = make_ints (mixed, "k", 1, (gint64[]){ 2 });
  make_output (mixed, MAKE (mixed, "Add", "bad", x, k));
  assert_contradicts (mixed, "types");
}

/* Values that no exporter writes: nothing may overflow, hang or abort. */
static void
test_hostile_attributes (void)
{
  static const char *const ops[] = { "Conv",
                                     "ConvTranspose",
                                     "MaxPool",
                                     "AveragePool",
                                     "Slice",
                                     "Pad",
                                     "Reshape",
                                     "Transpose",
                                     "Flatten",
                                     "Squeeze",
                                     "Unsqueeze",
                                     "Concat",
                                     "Split",
                                     "Gather",
                                     "Expand",
                                     "Tile",
                                     "Resize",
                                     "DepthToSpace",
                                     "ReduceSum",
                                     "ArgMax",
                                     "TopK",
                                     "OneHot",
                                     "Softmax",
                                     "LayerNormalization",
                                     "Einsum",
                                     "Range",
                                     "ConstantOfShape",
                                     "Shape",
                                     "LSTM",
                                     "Cast",
                                     "QuantizeLinear",
                                     "DequantizeLinear",
                                     "GatherND",
                                     "If",
                                     "Loop",
                                     "Clip",
                                     "Upsample",
                                     "Dropout",
                                     "BatchNormalization",
                                     "Gemm" };
  static const char *const names[]
      = { "axis",   "axes", "pads",  "strides",     "dilations", "kernel_shape", "group",          "perm",  "blocksize", "to",
          "starts", "ends", "split", "hidden_size", "keepdims",  "batch_dims",   "output_padding", "start", "end",       "block_size" };
  static const gint64 values[] = { 0, 1, -1, 2, 7, -9, G_MAXINT32, G_MININT32, G_MAXINT64, G_MININT64, G_GINT64_CONSTANT (1) << 40, 3, 1 };
  PareRng rng = { 42 };
#define ANY() values[pare_rng_below (&rng, G_N_ELEMENTS (values))]
  guint fine = 0, refused = 0;
  for (guint round = 0; round < 6000; round++)
    {
      g_autoptr (PareGraph) g = make_graph ((int)pare_rng_below (&rng, 22));
      guint rank = (guint)pare_rng_below (&rng, 6);
      PareShape s = { .rank = (int)rank };
      for (guint i = 0; i < rank; i++)
        s.dims[i] = pare_rng_below (&rng, 8) == 0 ? ANY () : 1 + (gint64)pare_rng_below (&rng, 8);
      PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, s);
      gint64 ints[4] = { ANY (), ANY (), ANY (), ANY () };
      PareValueId in[4]
          = { x, make_ints (g, "k", (guint)pare_rng_below (&rng, 5), ints), make_float (g, "w", shape4 (2, 2, 2, 2), NULL), x };
      guint n = (guint)pare_rng_below (&rng, 5);
      for (guint i = 0; i < 4; i++)
        if (pare_rng_below (&rng, 3) == 0)
          in[i] = in[pare_rng_below (&rng, 4)];
      PareValueId y = make_node (g, ops[pare_rng_below (&rng, G_N_ELEMENTS (ops))], "n", n, in);
      for (guint i = (guint)pare_rng_below (&rng, 5); i > 0; i--)
        {
          const char *name = names[pare_rng_below (&rng, G_N_ELEMENTS (names))];
          if (pare_rng_below (&rng, 2))
            pare_node_set_int (node_of (g, y), name, ANY ());
          else
            {
              gint64 list[4] = { ANY (), ANY (), ANY (), ANY () };
              pare_node_set_ints (node_of (g, y), name, list, (guint)pare_rng_below (&rng, 5));
            }
        }
      make_output (g, MAKE (g, "Relu", "last", y));
      g_autoptr (GError) error = NULL;
      g_autoptr (PareGraph) c = pare_graph_canonicalize (g, NULL, 0, NULL, &error);
      g_assert_true ((c == NULL) == (error != NULL));
      *(c ? &fine : &refused) += 1;
      for (guint i = 0; c != NULL && i < c->n_values; i++)
        g_assert_cmpint (c->values[i].shape.rank, <=, PARE_MAX_RANK);
    }
  g_assert_cmpuint (fine, >, 500);
  g_assert_cmpuint (refused, >, 500);
#undef ANY
}

/* --- opsets --- */

static void
test_old_broadcast (void)
{
  g_autoptr (PareGraph) g = make_graph (6);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (1, 3, 4, 4)),
              b = make_float (g, "b", pare_shape_make (1, (gint64)3), NULL);
  PareValueId y = MAKE (g, "Add", "add", x, b);
  pare_node_set_int (node_of (g, y), "broadcast", 1);
  pare_node_set_int (node_of (g, y), "axis", 1);
  make_output (g, y);
  g_autoptr (PareGraph) c = canonical (g);
  assert_shape (c, c->outputs[0], "1×3×4×4");
  g_assert_cmpuint (c->n_nodes, ==, 1); /* the unsqueezed operand is folded */
  assert_shape (c, c->nodes[0].inputs[1], "3×1×1");
}

static void
test_attributes_to_inputs (void)
{
  g_autoptr (PareGraph) g = make_graph (9);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (1, 3, 4, 4));
  PareValueId clip = MAKE (g, "Clip", "clip", x);
  pare_node_set_float (node_of (g, clip), "min", 0);
  pare_node_set_float (node_of (g, clip), "max", 6);
  PareValueId pad = MAKE (g, "Pad", "pad", clip);
  pare_node_set_ints (node_of (g, pad), "pads", (gint64[]){ 0, 0, 1, 1, 0, 0, 2, 2 }, 8);
  PareValueId slice = MAKE (g, "Slice", "slice", pad);
  pare_node_set_ints (node_of (g, slice), "starts", (gint64[]){ 1 }, 1);
  pare_node_set_ints (node_of (g, slice), "ends", (gint64[]){ 3 }, 1);
  pare_node_set_ints (node_of (g, slice), "axes", (gint64[]){ 1 }, 1);
  PareValueId mean = MAKE (g, "ReduceMean", "mean", slice);
  pare_node_set_ints (node_of (g, mean), "axes", (gint64[]){ 2, 3 }, 2);
  PareValueId squeeze = MAKE (g, "Squeeze", "squeeze", mean);
  pare_node_set_ints (node_of (g, squeeze), "axes", (gint64[]){ 2, 3 }, 2);
  PareValueId k = make_ints (g, "kk", 1, (gint64[]){ 1 }), unused = k;
  PareValueId soft = MAKE (g, "Softmax", "soft", squeeze);
  g_assert_cmpuint (unused, ==, k);
  make_output (g, soft);
  g_autoptr (PareGraph) c = canonical (g);
  assert_shape (c, c->outputs[0], "1×2");
  const PareNode *n = &c->nodes[0];
  g_assert_cmpuint (n->n_inputs, ==, 3);
  g_assert_cmpfloat (pare_tensor_get_double (c->values[n->inputs[2]].constant, 0), ==, 6);
  g_assert_null (pare_node_get_attr (n, "max"));
  g_assert_cmpint (pare_node_get_int (&c->nodes[c->n_nodes - 1], "axis", 7), ==, -1);
}

/* The flattened softmax of before 13: two extents after the axis. */
static void
test_softmax (void)
{
  g_autoptr (PareGraph) g = make_graph (11);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (2, 3, 4, 1));
  PareValueId y = MAKE (g, "Softmax", "soft", x), plain = MAKE (g, "Softmax", "plain", x);
  pare_node_set_int (node_of (g, plain), "axis", 2); /* only one extent is not 1 */
  make_output (g, y);
  make_output (g, plain);
  g_autoptr (PareGraph) c = canonical (g);
  g_assert_cmpuint (count_op (c, "Flatten"), ==, 1);
  g_assert_cmpuint (count_op (c, "Reshape"), ==, 1);
  g_assert_cmpuint (count_op (c, "Shape"), ==, 0); /* folded */
  assert_shape (c, c->outputs[0], "2×3×4×1");
  g_assert_cmpint (pare_node_get_int (&c->nodes[c->values[c->outputs[1]].producer], "axis", 7), ==, 2);
}

static void
test_shape_arithmetic (void)
{
  g_autoptr (PareGraph) g = make_graph (11);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (-1, 3, 4, 4)),
              zero = make_typed (g, "zero", PARE_DTYPE_INT64, (PareShape){ 0 }, (gint64[]){ 0 });
  PareValueId s = MAKE (g, "Shape", "s", x), d = MAKE (g, "Gather", "d", s, zero), u = MAKE (g, "Unsqueeze", "u", d),
              rest = make_ints (g, "rest", 1, (gint64[]){ -1 });
  pare_node_set_ints (node_of (g, u), "axes", (gint64[]){ 0 }, 1);
  PareValueId t = MAKE (g, "Concat", "t", u, rest), y = MAKE (g, "Reshape", "y", x, t);
  pare_node_set_int (node_of (g, t), "axis", 0);
  make_output (g, y);
  g_autoptr (PareGraph) c = canonical (g);
  g_assert_cmpuint (c->n_nodes, ==, 1);
  assert_shape (c, c->outputs[0], "1×48");
}

/* --- folding --- */

static void
test_batch_norm (void)
{
  g_autoptr (PareGraph) g = make_graph (13);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (1, 2, 1, 1));
  PareValueId w = make_float (g, "w", shape4 (2, 2, 1, 1), (float[]){ 1, 2, 3, 4 }),
              b = make_float (g, "b", pare_shape_make (1, (gint64)2), (float[]){ 1, -1 });
  PareShape two = pare_shape_make (1, (gint64)2);
  PareValueId scale = make_float (g, "scale", two, (float[]){ 2, 3 }), shift = make_float (g, "shift", two, (float[]){ 5, 7 }),
              mean = make_float (g, "mean", two, (float[]){ 0.5f, 1 }), var = make_float (g, "var", two, (float[]){ 4, 9 });
  PareValueId c = MAKE (g, "Conv", "conv", x, w, b), n = MAKE (g, "BatchNormalization", "bn", c, scale, shift, mean, var),
              r = MAKE (g, "Relu", "relu", n);
  pare_node_set_float (node_of (g, n), "epsilon", 0);
  make_output (g, r);
  pare_graph_name_layers (g);
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) f = pare_graph_copy (g), untouched = pare_graph_copy (g);
  pare_graph_fold_batch_norm (f, NULL);
  g_assert_true (pare_graph_compact (f, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (f->n_nodes, ==, 2);
  PareTensor *fw = f->values[f->nodes[0].inputs[1]].constant, *fb = f->values[f->nodes[0].inputs[2]].constant;
  /* 2 / sqrt 4 = 1, 3 / sqrt 9 = 1 */
  g_assert_cmpfloat_with_epsilon (pare_tensor_get_double (fw, 3), 4, 1e-6);
  g_assert_cmpfloat_with_epsilon (pare_tensor_get_double (fb, 0), (1 - 0.5) * 1 + 5, 1e-6);
  g_assert_cmpfloat_with_epsilon (pare_tensor_get_double (fb, 1), (-1 - 1) * 1 + 7, 1e-6);
  g_assert_cmpuint (f->nodes[0].origin, ==, 0);
  g_assert_cmpstr (f->values[f->nodes[0].inputs[1]].name, ==, "w"); /* under its own name */
  /* the source is as it was */
  g_assert_cmpuint (g->n_nodes, ==, 3);
  g_assert_cmpfloat (pare_tensor_get_double (g->values[b].constant, 0), ==, 1);
  g_autoptr (GHashTable) none = g_hash_table_new (g_str_hash, g_str_equal);
  pare_graph_fold_batch_norm (untouched, none);
  g_assert_true (pare_graph_compact (untouched, &error));
  g_assert_cmpuint (untouched->n_nodes, ==, 3);
}

static void
test_identity (void)
{
  g_autoptr (PareGraph) g = make_graph (12);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (1, 2, 1, 1));
  PareValueId a = MAKE (g, "Relu", "a", x), i = MAKE (g, "Identity", "i", a), d = MAKE (g, "Dropout", "d", i), b = MAKE (g, "Abs", "b", i);
  make_output (g, d);
  make_output (g, b);
  g_autoptr (PareGraph) c = canonical (g);
  g_assert_cmpuint (c->n_nodes, ==, 2);
  g_assert_cmpstr (c->values[c->outputs[0]].name, ==, "d_out"); /* outputs keep their names */
  g_assert_cmpstr (c->nodes[c->values[c->outputs[0]].producer].op, ==, "Relu");
}

static void
test_half (void)
{
  g_autoptr (PareGraph) g = make_graph (13);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT16, shape4 (1, 2, 1, 1)), wf = make_float (g, "wf", shape4 (2, 2, 1, 1), NULL);
  g_autoptr (PareTensor) half = pare_tensor_cast (g->values[wf].constant, PARE_DTYPE_FLOAT16, NULL);
  PareValueId w = pare_graph_add_constant (g, "w", half, PARE_NONE), y = MAKE (g, "Conv", "c", x, w);
  g->values[y].dtype = PARE_DTYPE_FLOAT16;
  make_output (g, y);
  g_autoptr (PareGraph) c = canonical (g);
  g_assert_cmpuint (count_op (c, "Cast"), ==, 2);
  g_assert_cmpint (c->values[c->inputs[0]].dtype, ==, PARE_DTYPE_FLOAT16);
  g_assert_cmpint (c->values[c->outputs[0]].dtype, ==, PARE_DTYPE_FLOAT16);
  g_assert_cmpstr (c->values[c->outputs[0]].name, ==, "c_out");
  const PareNode *conv = &c->nodes[1];
  g_assert_cmpstr (conv->op, ==, "Conv");
  g_assert_cmpint (c->values[conv->inputs[1]].constant->dtype, ==, PARE_DTYPE_FLOAT32);

  make_output (g, pare_graph_find_value (g, "w")); /* weights that are given out as well */
  g_autoptr (PareGraph) both = canonical (g);
  g_assert_cmpint (both->values[both->outputs[1]].dtype, ==, PARE_DTYPE_FLOAT16);
  g_assert_cmpstr (both->values[both->outputs[1]].name, ==, "w");

  g->values[y].dtype = PARE_DTYPE_NONE; /* a file need not say what its nodes make of what it is given */
  g_autoptr (PareGraph) unsaid = canonical (g);
  g_assert_cmpint (unsaid->values[unsaid->outputs[0]].dtype, ==, PARE_DTYPE_FLOAT16);
}

/* --- branches --- */

static PareGraph *
branch (const char *outer, const char *op, const char *out)
{
  PareGraph *b = make_graph (13);
  PareValueId x = pare_graph_add_value (b, outer, PARE_DTYPE_NONE, NULL, PARE_NONE);
  PareValueId y = make_node (b, op, out, 1, &x);
  make_output (b, y);
  return b;
}

/* cond ? Relu (-x) : Sqrt (x), of which the second cannot be where `broken`. */
static void
add_if (PareGraph *g, PareValueId cond, gboolean broken)
{
  PareValueId y = MAKE (g, "If", "if", cond), z = MAKE (g, "Abs", "z", y);
  PareNode *node = node_of (g, y);
  pare_node_set_graph (node, "then_branch", branch ("a_out", "Relu", "t"));
  pare_node_set_graph (node, "else_branch", branch ("x", broken ? "LSTM" : "Sqrt", "e"));
  make_output (g, z);
}

static void
test_if (void)
{
  for (int constant = 0; constant < 2; constant++)
    {
      g_autoptr (PareGraph) g = make_graph (13);
      PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (1, 2, 3, 4));
      MAKE (g, "Neg", "a", x);
      add_if (g,
              constant ? make_typed (g, "cond", PARE_DTYPE_BOOL, (PareShape){ 0 }, (gint64[]){ 1 })
                       : make_input (g, "cond", PARE_DTYPE_BOOL, (PareShape){ 0 }),
              FALSE);
      /* What only a body reads is alive, and comes before it. */
      g_autoptr (PareGraph) c = canonical (g);
      assert_shape (c, c->outputs[0], "1×2×3×4");
      g_assert_cmpuint (count_op (c, "If"), ==, constant ? 0 : 1);
      g_assert_cmpuint (count_op (c, "Relu"), ==, constant ? 1 : 0);
      g_assert_cmpuint (count_op (c, "Neg"), ==, 1);
    }
}

/* An input's value decides; the branch that does not run need not fit. */
static void
test_deciding_inputs (void)
{
  g_autoptr (PareGraph) g = make_graph (13);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (1, 2, 3, 4)),
              rate = make_input (g, "rate", PARE_DTYPE_INT64, (PareShape){ 0 }),
              known = make_typed (g, "known", PARE_DTYPE_INT64, (PareShape){ 0 }, (gint64[]){ 16000 });
  MAKE (g, "Neg", "a", x);
  PareValueId size = MAKE (g, "Size", "size", x), least = MAKE (g, "Less", "least", known, size),
              same = MAKE (g, "Equal", "same", rate, known);
  add_if (g, MAKE (g, "Or", "cond", least, same), TRUE);
  g_autoptr (GArray) deciding = pare_graph_find_deciding_inputs (g, PARE_NONE);
  g_assert_cmpuint (deciding->len, ==, 1); /* of x only the shape is read */
  g_assert_cmpuint (g_array_index (deciding, PareValueId, 0), ==, rate);
  g_autoptr (PareGraph) open = canonical (g);
  g_assert_cmpuint (count_op (open, "If"), ==, 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (PareTensor) few = pare_tensor_new_i64 ((gint64[]){ 1, 2 }, 2);
  g_assert_false (pare_graph_bind_input (g, rate, few, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_DATA);
  g_assert_nonnull (strstr (error->message, "'rate'"));
  g_autoptr (PareTensor) value = pare_tensor_cast (g->values[known].constant, PARE_DTYPE_INT64, NULL);
  g_assert_true (pare_graph_bind_input (g, rate, value, NULL));
  g_assert_cmpuint (g->n_inputs, ==, 1);
  g_autoptr (PareGraph) c = canonical (g);
  g_assert_cmpuint (count_op (c, "If") + count_op (c, "LSTM"), ==, 0);
  g_assert_cmpuint (count_op (c, "Relu"), ==, 1);
  assert_shape (c, c->outputs[0], "1×2×3×4");
}

/* What only a branch reads decides, too, where a branch within it depends on it. */
static void
test_deciding_within (void)
{
  g_autoptr (PareGraph) g = make_graph (13);
  make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (1, 2, 3, 4));
  PareValueId flag = make_input (g, "flag", PARE_DTYPE_BOOL, (PareShape){ 0 });
  PareValueId cond = make_typed (g, "cond", PARE_DTYPE_BOOL, (PareShape){ 0 }, (gint64[]){ 1 });
  add_if (g, cond, FALSE);
  PareGraph *within = make_graph (13);
  PareValueId seen = pare_graph_add_value (within, "flag", PARE_DTYPE_NONE, NULL, PARE_NONE);
  pare_graph_add_value (within, "x", PARE_DTYPE_NONE, NULL, PARE_NONE);
  PareValueId y = MAKE (within, "If", "if", MAKE (within, "Not", "not", seen));
  PareNode *inner = node_of (within, y), *outer = NULL;
  pare_node_set_graph (inner, "then_branch", branch ("x", "LSTM", "t"));
  pare_node_set_graph (inner, "else_branch", branch ("x", "Exp", "e"));
  make_output (within, y);
  for (guint i = 0; i < g->n_nodes; i++)
    if (pare_node_is (&g->nodes[i], "If"))
      outer = &g->nodes[i];
  pare_graph_unref (outer->attrs[0].graph);
  outer->attrs[0].graph = within;
  g_autoptr (GArray) deciding = pare_graph_find_deciding_inputs (g, PARE_NONE);
  g_assert_cmpuint (deciding->len, ==, 1);
  g_assert_cmpuint (g_array_index (deciding, PareValueId, 0), ==, flag);
  g_autoptr (PareTensor) value = pare_tensor_cast (g->values[cond].constant, PARE_DTYPE_BOOL, NULL);
  g_assert_true (pare_graph_bind_input (g, flag, value, NULL));
  g_autoptr (PareGraph) c = canonical (g);
  g_assert_cmpuint (count_op (c, "If") + count_op (c, "LSTM"), ==, 0);
  g_assert_cmpuint (count_op (c, "Exp"), ==, 1);
}

/* --- quantization --- */

static void
add_grid (PareGraph *g, const char *name, float scale, PareDtype dtype, gint64 zero, PareValueId *s, PareValueId *z)
{
  g_autofree char *sn = g_strconcat (name, "_s", NULL), *zn = g_strconcat (name, "_z", NULL);
  *s = make_float (g, sn, (PareShape){ 0 }, &scale);
  *z = make_typed (g, zn, dtype, (PareShape){ 0 }, &zero);
}

static void
test_qdq (void)
{
  g_autoptr (PareGraph) g = make_graph (13);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (1, 2, 3, 3)), s, z;
  add_grid (g, "x", 0.5f, PARE_DTYPE_UINT8, 128, &s, &z);
  PareValueId q = MAKE (g, "QuantizeLinear", "q", x, s, z), t = MAKE (g, "Transpose", "t", q),
              d = MAKE (g, "DequantizeLinear", "d", t, s, z);
  pare_node_set_ints (node_of (g, t), "perm", (gint64[]){ 0, 1, 3, 2 }, 4);
  PareShape ws = shape4 (2, 2, 1, 1);
  PareValueId wq = make_typed (g, "wq", PARE_DTYPE_INT8, ws, (gint64[]){ 1, -2, 3, -128 });
  PareValueId wsc = make_float (g, "ws", pare_shape_make (1, (gint64)2), (float[]){ 0.25f, 2 }),
              wz = make_typed (g, "wz", PARE_DTYPE_INT8, pare_shape_make (1, (gint64)2), (gint64[]){ 0, 1 });
  PareValueId w = MAKE (g, "DequantizeLinear", "w", wq, wsc, wz);
  pare_node_set_int (node_of (g, w), "axis", 0);
  PareValueId bq = make_typed (g, "bq", PARE_DTYPE_INT32, pare_shape_make (1, (gint64)2), (gint64[]){ 8, -4 }),
              bs = make_float (g, "bs", pare_shape_make (1, (gint64)2), (float[]){ 0.125f, 1 });
  PareValueId b = MAKE (g, "DequantizeLinear", "b", bq, bs);
  pare_node_set_int (node_of (g, b), "axis", 0);
  PareValueId y = MAKE (g, "Conv", "conv", d, w, b), yq = MAKE (g, "QuantizeLinear", "yq", y, s, z),
              yd = MAKE (g, "DequantizeLinear", "yd", yq, s, z);
  make_output (g, yd);
  g_autoptr (PareGraph) c = canonical (g);
  g_assert_cmpuint (c->n_nodes, ==, 4);
  g_assert_cmpuint (count_op (c, PARE_OP_QUANTIZE), ==, 2);
  g_assert_cmpuint (count_op (c, "DequantizeLinear") + count_op (c, "QuantizeLinear"), ==, 0);
  g_assert_cmpstr (c->values[c->outputs[0]].name, ==, "yd_out");
  const PareQuant *out = c->values[c->outputs[0]].quant;
  g_assert_nonnull (out);
  g_assert_cmpint (out->bits, ==, 8);
  g_assert_false (out->is_signed);
  g_assert_cmpint (out->zero[0], ==, 128);
  g_assert_cmpint (out->hi, ==, 255);
  const PareNode *conv = NULL;
  for (guint i = 0; i < c->n_nodes; i++)
    if (g_strcmp0 (c->nodes[i].op, "Conv") == 0)
      conv = &c->nodes[i];
  g_assert_nonnull (c->values[conv->inputs[0]].quant); /* through the Transpose */
  g_assert_cmpint (c->values[conv->inputs[0]].dtype, ==, PARE_DTYPE_FLOAT32);
  const PareValue *wv = &c->values[conv->inputs[1]], *bv = &c->values[conv->inputs[2]];
  g_assert_cmpint (wv->quant->axis, ==, 0);
  g_assert_cmpuint (wv->quant->n, ==, 2);
  g_assert_cmpfloat (pare_tensor_get_double (wv->constant, 1), ==, -0.5);
  g_assert_cmpfloat (pare_tensor_get_double (wv->constant, 3), ==, (-128 - 1) * 2);
  g_assert_cmpint (bv->quant->bits, ==, 32);
  g_assert_cmpfloat (pare_tensor_get_double (bv->constant, 1), ==, -4);
}

/* Codes that leave the graph, and grids that differ, stay what they are. */
static void
test_qdq_that_does_not_fit (void)
{
  g_autoptr (PareGraph) g = make_graph (13);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (1, 2, 3, 3)), s, z, s2, z2;
  add_grid (g, "a", 0.5f, PARE_DTYPE_UINT8, 128, &s, &z);
  add_grid (g, "b", 0.25f, PARE_DTYPE_UINT8, 0, &s2, &z2);
  PareValueId q = MAKE (g, "QuantizeLinear", "q", x, s, z), d = MAKE (g, "DequantizeLinear", "d", q, s, z);
  PareValueId q2 = MAKE (g, "QuantizeLinear", "q2", x, s, z), d2 = MAKE (g, "DequantizeLinear", "d2", q2, s2, z2);
  make_output (g, q);
  make_output (g, d);
  make_output (g, d2);
  g_autoptr (PareGraph) c = canonical (g);
  g_assert_cmpuint (count_op (c, "QuantizeLinear"), ==, 2);
  g_assert_cmpuint (count_op (c, "DequantizeLinear"), ==, 2);
  g_assert_cmpint (c->values[c->outputs[0]].dtype, ==, PARE_DTYPE_UINT8);
}

static void
test_qlinear (void)
{
  g_autoptr (PareGraph) g = make_graph (12);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (1, 2, 3, 3)), s, z, ws, wz;
  add_grid (g, "x", 0.5f, PARE_DTYPE_UINT8, 128, &s, &z);
  add_grid (g, "w", 0.25f, PARE_DTYPE_UINT8, 100, &ws, &wz);
  PareValueId wq = make_typed (g, "wq", PARE_DTYPE_UINT8, shape4 (2, 2, 1, 1), (gint64[]){ 0, 100, 200, 255 });
  PareValueId bq = make_typed (g, "bq", PARE_DTYPE_INT32, pare_shape_make (1, (gint64)2), (gint64[]){ 8, -4 });
  PareValueId q = MAKE (g, "QuantizeLinear", "q", x, s, z);
  PareValueId c = MAKE (g, "QLinearConv", "conv", q, s, z, wq, ws, wz, s, z, bq);
  PareValueId a = MAKE (g, "QLinearAdd", "add", c, s, z, q, s, z, s, z), p = MAKE (g, "QLinearGlobalAveragePool", "pool", a, s, z, s, z);
  node_of (g, a)->domain = "com.microsoft";
  node_of (g, p)->domain = "com.microsoft";
  make_output (g, MAKE (g, "DequantizeLinear", "y", p, s, z));
  g_autoptr (PareGraph) t = canonical (g);
  g_assert_cmpuint (count_op (t, "Conv"), ==, 1);
  g_assert_cmpuint (count_op (t, "Add"), ==, 1);
  g_assert_cmpuint (count_op (t, "GlobalAveragePool"), ==, 1);
  g_assert_cmpuint (count_op (t, PARE_OP_QUANTIZE), ==, 4);
  g_assert_cmpuint (t->n_nodes, ==, 7);
  assert_shape (t, t->outputs[0], "1×2×1×1");
  for (guint i = 0; i < t->n_nodes; i++)
    if (g_strcmp0 (t->nodes[i].op, "Conv") == 0)
      {
        const PareValue *w = &t->values[t->nodes[i].inputs[1]], *b = &t->values[t->nodes[i].inputs[2]];
        g_assert_cmpfloat (pare_tensor_get_double (w->constant, 0), ==, -25);
        g_assert_cmpint (w->quant->zero[0], ==, 100);
        g_assert_cmpfloat (pare_tensor_get_double (b->constant, 0), ==, 8 * 0.125);
        g_assert_cmpstr (t->nodes[i].layer, ==, "conv");
      }
}

/* What only moves codes moves the real values they stand for; what it pads with is one of them. */
static void
test_codes_that_move (void)
{
  g_autoptr (PareGraph) g = make_graph (13);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (1, 2, 3, 3)), s, z, ws, wz;
  add_grid (g, "x", 0.5f, PARE_DTYPE_UINT8, 128, &s, &z);
  add_grid (g, "w", 0.25f, PARE_DTYPE_INT8, 0, &ws, &wz);
  PareValueId wq = make_typed (g, "wq", PARE_DTYPE_INT8, shape4 (2, 2, 1, 1), (gint64[]){ 0, 100, -100, 25 }),
              pads = make_ints (g, "pads", 8, (gint64[]){ 0, 0, 1, 1, 0, 0, 1, 1 }),
              by = make_typed (g, "by", PARE_DTYPE_UINT8, pare_shape_make (0), (gint64[]){ 131 }),
              twice = make_float (g, "twice", pare_shape_make (1, (gint64)4), (float[]){ 1, 1, 2, 2 });
  PareValueId q = MAKE (g, "QuantizeLinear", "q", x, s, z), given = MAKE (g, "Pad", "given", q, pads, by),
              unsaid = MAKE (g, "Pad", "unsaid", given, pads), edge = MAKE (g, "Pad", "edge", unsaid, pads),
              large = MAKE (g, "Resize", "large", edge, PARE_NONE, twice),
              c = MAKE (g, "QLinearConv", "conv", large, s, z, wq, ws, wz, s, z), soft = MAKE (g, "QLinearSoftmax", "soft", c, s, z, s, z),
              y = MAKE (g, "DequantizeLinear", "y", soft, s, z);
  pare_node_set_string (node_of (g, edge), "mode", "edge");
  pare_node_set_int (node_of (g, soft), "opset", 12);
  pare_node_set_int (node_of (g, soft), "axis", 3);
  for (guint i = 0; i < 2; i++)
    {
      PareNode *node = node_of (g, i == 0 ? soft : y);
      node->domain = "com.microsoft";
    }
  make_output (g, y);
  g_autoptr (PareGraph) t = canonical (g);
  g_assert_cmpuint (count_op (t, "QuantizeLinear") + count_op (t, "DequantizeLinear"), ==, 0);
  g_assert_cmpuint (count_op (t, PARE_OP_QUANTIZE), ==, 3);
  const struct
  {
    const char *layer;
    double with;
  } pad[] = { { "given", (131 - 128) * 0.5 }, { "unsaid", (0 - 128) * 0.5 } };
  for (guint i = 0; i < t->n_nodes; i++)
    {
      const PareNode *node = &t->nodes[i];
      for (guint k = 0; k < G_N_ELEMENTS (pad); k++)
        if (g_strcmp0 (node->layer, pad[k].layer) == 0)
          g_assert_cmpfloat (pare_tensor_get_double (t->values[node->inputs[2]].constant, 0), ==, pad[k].with);
      if (g_strcmp0 (node->op, "Softmax") == 0)
        g_assert_cmpint (pare_node_get_int (node, "axis", 0), ==, -1);
      if (g_strcmp0 (node->op, "Conv") == 0)
        g_assert_nonnull (t->values[node->inputs[0]].quant);
    }
}

/* --- figures --- */

static void
test_infos (void)
{
  g_autoptr (PareGraph) g = make_graph (13);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape4 (-1, 4, 8, 8));
  PareValueId w = make_float (g, "w", shape4 (6, 2, 3, 3), NULL), b = make_float (g, "b", pare_shape_make (1, (gint64)6), NULL),
              v = make_float (g, "v", pare_shape_make (2, (gint64)6, (gint64)5), NULL);
  PareValueId c = MAKE (g, "Conv", "conv", x, w, b), p = MAKE (g, "GlobalAveragePool", "pool", c), f = MAKE (g, "Flatten", "flat", p),
              y = MAKE (g, "MatMul", "mm", f, v);
  pare_node_set_int (node_of (g, c), "group", 2);
  make_output (g, y);
  pare_graph_name_layers (g);
  g_autoptr (PareGraph) t = canonical (g);
  guint n;
  g_autofree PareLayerInfo *infos = pare_graph_layer_infos (g, t, &n);
  g_assert_cmpuint (n, ==, 4);
  g_assert_cmpint (infos[0].params, ==, 6 * 2 * 9 + 6);
  g_assert_cmpint (infos[0].macs, ==, 6 * 6 * 6 * 2 * 9);
  g_assert_cmpint (infos[3].macs, ==, 30);
  g_assert_cmpint (infos[3].params, ==, 30);
  g_autofree char *s = pare_shape_to_string (&infos[0].output_shape);
  g_assert_cmpstr (s, ==, "1×6×6×6");
  g_assert_cmpint (pare_graph_count_params (g), ==, 6 * 2 * 9 + 6 + 30);
  g_autofree PareLayerInfo *blind = pare_graph_layer_infos (g, NULL, &n);
  g_assert_cmpint (blind[0].params, ==, 114);
}

/* Every public model becomes a twin whose shapes are known; nothing of it is slow. */
static void
test_material (void)
{
  g_autofree char *models = material_models ();
  g_autoptr (GDir) dir = models ? g_dir_open (models, 0, NULL) : NULL;
  if (dir == NULL)
    {
      g_test_skip ("no public models");
      return;
    }
  const char *name;
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (models, name, NULL);
      g_autoptr (GError) error = NULL;
      if (!g_str_has_suffix (name, ".onnx"))
        continue;
      g_autoptr (PareGraph) g = pare_onnx_load (path, NULL, &error);
      g_assert_no_error (error);
      g_autoptr (PareGraph) c = pare_graph_canonicalize (g, NULL, 0, NULL, &error);
      g_assert_no_error (error);
      g_assert_true (pare_graph_verify (c, &error));
      g_assert_cmpint (c->opset, ==, 21);
      /* With kernels to fold with, nothing known is lost and nothing is added. */
      g_autoptr (PareGraph) folded = pare_graph_canonicalize (g, NULL, 0, pare_lower_eval_node, &error);
      g_assert_no_error (error);
      g_assert_true (pare_graph_verify (folded, &error));
      g_assert_cmpuint (folded->n_nodes, <=, c->n_nodes);
      guint n;
      g_autofree PareLayerInfo *infos = pare_graph_layer_infos (g, c, &n);
      gint64 macs = 0, params = 0;
      for (guint i = 0; i < n; i++)
        {
          macs += infos[i].macs;
          params += infos[i].params;
        }
      gboolean classifier = g_str_has_prefix (name, "cifar10") || g_str_has_prefix (name, "imagenet") || g_str_has_prefix (name, "mnist")
                            || g_str_has_prefix (name, "tiny");
      if (!classifier)
        continue;
      for (guint i = 0; i < c->n_values; i++)
        if (pare_shape_count (&c->values[i].shape) < 0)
          g_error ("%s: value '%s' has no shape", name, c->values[i].name);
      for (guint i = 0; i < g->n_values; i++)
        if (pare_shape_count (&c->source_shapes[i]) >= 0)
          g_assert_true (pare_shape_equal (&c->source_shapes[i], &folded->source_shapes[i]));
      g_assert_cmpint (macs, >, 0);
      g_assert_cmpint (params, >=, pare_graph_count_params (g) * 95 / 100);
      if (strstr (name, "qdq") || strstr (name, "qlinear"))
        g_assert_cmpuint (count_op (c, "DequantizeLinear") + count_op (c, "QuantizeLinear"), ==, 0);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/graph/edits", test_edits);
  g_test_add_func ("/graph/verify", test_verify);
  g_test_add_func ("/graph/names", test_names);
  g_test_add_func ("/graph/infer/shapes", test_shapes);
  g_test_add_func ("/graph/infer/names", test_names_of_extents);
  g_test_add_func ("/graph/infer/contradictions", test_contradictions);
  g_test_add_func ("/graph/infer/hostile", test_hostile_attributes);
  g_test_add_func ("/graph/opset/broadcast", test_old_broadcast);
  g_test_add_func ("/graph/opset/attributes", test_attributes_to_inputs);
  g_test_add_func ("/graph/opset/softmax", test_softmax);
  g_test_add_func ("/graph/fold/shapes", test_shape_arithmetic);
  g_test_add_func ("/graph/fold/batch-norm", test_batch_norm);
  g_test_add_func ("/graph/fold/identity", test_identity);
  g_test_add_func ("/graph/fold/if", test_if);
  g_test_add_func ("/graph/fold/deciding-inputs", test_deciding_inputs);
  g_test_add_func ("/graph/fold/deciding-within", test_deciding_within);
  g_test_add_func ("/graph/half", test_half);
  g_test_add_func ("/graph/lift/qdq", test_qdq);
  g_test_add_func ("/graph/lift/left", test_qdq_that_does_not_fit);
  g_test_add_func ("/graph/lift/qlinear", test_qlinear);
  g_test_add_func ("/graph/lift/moved", test_codes_that_move);
  g_test_add_func ("/graph/infos", test_infos);
  g_test_add_func ("/graph/material", test_material);
  return g_test_run ();
}
