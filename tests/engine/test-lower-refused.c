/* What does not run is refused when it is compiled, and the message says which node it is and why. */
#include "engine/base/pare-error.h"
#include "engine/lower/pare-program.h"
#include "tests/engine/make-graph.h"

static void
test_why_not (void)
{
  static const struct
  {
    const char *op, *why; /* why NULL: it runs */
  } cases[] = { { "Tanh", NULL },
                { "Wobble", "node 'odd' (Wobble): Wobble is not an operator that Pare runs" },
                { "Det", "node 'odd' (Det): Det is not an operator that Pare runs" },
                { "LpPool", "node 'odd' (LpPool): LpPool with these attributes or operands is not supported" } };
  for (guint k = 0; k < G_N_ELEMENTS (cases); k++)
    {
      g_autoptr (PareGraph) g = make_graph (17);
      g_autoptr (GError) error = NULL;
      PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, (gint64)1, (gint64)2, (gint64)3)),
                  y = MAKE (g, cases[k].op, "odd", MAKE (g, "Relu", "relu", x));
      if (g_str_equal (cases[k].op, "LpPool"))
        {
          pare_node_set_ints (node_of (g, y), "kernel_shape", (const gint64[]){ 2 }, 1);
          pare_node_set_int (node_of (g, y), "p", 65);
        }
      y = MAKE (g, "Relu", "after", y);
      make_output (g, y);
      pare_graph_name_layers (g);
      g_autoptr (PareGraph) canonical = pare_graph_canonicalize (g, NULL, 0, pare_lower_eval_node, &error);
      g_assert_no_error (error);
      g_autofree char *why = pare_lower_why_not (canonical);
      g_assert_cmpstr (why, ==, cases[k].why);
      if (why == NULL)
        continue;
      g_assert_null (pare_program_compile (g, NULL, &error));
      g_assert_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED);
      g_assert_nonnull (strstr (error->message, why));
    }
}

/* What ONNX Runtime writes for one kind of CPU says how to have the model without that. */
static void
test_blocks (void)
{
  g_autoptr (PareGraph) g = make_graph (17);
  g_autoptr (GError) error = NULL;
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)16, (gint64)3, (gint64)3)),
              y = MAKE (g, "ReorderInput", "blocks", x);
  node_of (g, y)->domain = "com.microsoft.nchwc";
  make_output (g, y);
  pare_graph_name_layers (g);
  g_assert_null (pare_program_compile (g, NULL, &error));
  g_assert_nonnull (strstr (error->message, "node 'blocks' (ReorderInput): ONNX Runtime wrote this operator for one kind of CPU"));
}

/* What no kernel takes is told as the file's operator, with what it reads. */
static void
test_wrong_types (void)
{
  g_autoptr (PareGraph) g = make_graph (17);
  g_autoptr (GError) error = NULL;
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (1, (gint64)3));
  make_output (g, MAKE (g, "BitShift", "shift", x, x));
  pare_graph_name_layers (g);
  g_assert_null (pare_program_compile (g, NULL, &error));
  g_assert_nonnull (strstr (error->message, "node 'shift' (BitShift): "));
  g_assert_nonnull (strstr (error->message, "(float32 3, float32 3)"));
}

/* A list of axes that is longer than the input has any is refused before anything is written by it. */
static void
test_resize_axes (void)
{
  static const gint64 axes[20] = { 0 };
  PareShape twenty = pare_shape_make (1, (gint64)20);
  g_autoptr (PareGraph) g = make_graph (18);
  g_autoptr (GError) error = NULL;
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (2, (gint64)2, (gint64)3)),
              y = MAKE (g, "Resize", "resize", x, PARE_NONE, make_float (g, "scales", twenty, NULL));
  pare_node_set_ints (node_of (g, y), "axes", axes, 20);
  make_output (g, y);
  pare_graph_name_layers (g);
  g_assert_null (pare_program_compile (g, NULL, &error));
  g_assert_nonnull (strstr (error->message, "node 'resize' (Resize): its scales or sizes do not fit an input with 2 dimensions"));
}

/* What a recurrent layer would compute otherwise is refused, never left out. */
static void
test_input_forget (void)
{
  for (gint64 forget = 0; forget < 2; forget++)
    {
      g_autoptr (PareGraph) g = make_graph (17);
      g_autoptr (GError) error = NULL;
      PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, (gint64)2, (gint64)1, (gint64)3)),
                  w = make_float (g, "w", pare_shape_make (3, (gint64)1, (gint64)8, (gint64)3), NULL),
                  r = make_float (g, "r", pare_shape_make (3, (gint64)1, (gint64)8, (gint64)2), NULL),
                  y = MAKE (g, "LSTM", "lstm", x, w, r);
      PareNode *node = &g->nodes[g->values[y].producer];
      pare_node_set_int (node, "hidden_size", 2);
      pare_node_set_int (node, "input_forget", forget);
      make_output (g, y);
      pare_graph_name_layers (g);
      g_autoptr (PareProgram) program = pare_program_compile (g, NULL, &error);
      g_assert_true ((program == NULL) == (forget == 1));
      g_assert_true (forget == 0 || strstr (error->message, "node 'lstm' (LSTM): input_forget 1 is not supported") != NULL);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/lower/why-not", test_why_not);
  g_test_add_func ("/lower/blocks", test_blocks);
  g_test_add_func ("/lower/wrong-types", test_wrong_types);
  g_test_add_func ("/lower/resize-axes", test_resize_axes);
  g_test_add_func ("/lower/input-forget", test_input_forget);
  return g_test_run ();
}
