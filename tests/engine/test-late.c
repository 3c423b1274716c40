/* Nodes whose sizes only values say run behind the plan: what is found, what is not, loops, and what cannot be had. The expected values are
 * those of ONNX Runtime or can be counted by hand; the operators themselves are in test-conformance. */
#include "engine/base/pare-error.h"
#include "engine/lower/pare-plan-file.h"
#include "engine/lower/pare-program.h"
#include "tests/engine/make-graph.h"

#include <glib/gstdio.h>

static const PareBackend backends[] = { PARE_BACKEND_PORTABLE, PARE_BACKEND_AUTO };

static PareRunner *
start (PareGraph *g, PareBackend backend)
{
  g_autoptr (GError) error = NULL;
  const PareCompileOptions options = { .backend = backend };
  g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
  g_assert_no_error (error);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
  g_assert_no_error (error);
  return g_steal_pointer (&runner);
}

static void
feed (PareRunner *runner, float *x, PareShape shape)
{
  g_autoptr (GError) error = NULL;
  const PareView view = { .dtype = PARE_DTYPE_FLOAT32, .shape = shape, .data = x };
  pare_runner_run (runner, &view, 1, NULL, &error);
  g_assert_no_error (error);
}

static void
expect (PareRunner *runner, guint output, const char *shape, const double *values)
{
  PareView v = pare_runner_get_output (runner, output);
  g_autofree char *text = pare_shape_to_string (&v.shape);
  g_assert_cmpstr (text, ==, shape);
  for (gint64 i = 0; i < pare_shape_count (&v.shape); i++)
    {
      double got = v.dtype == PARE_DTYPE_INT64 ? (double)((const gint64 *)v.data)[i] : (double)((const float *)v.data)[i];
      g_assert_cmpfloat_with_epsilon (got, values[i], 1e-6);
    }
}

/* Relu in the plan; which elements are above a limit, and what they are, behind it. */
static PareGraph *
make_selection (void)
{
  PareGraph *g = make_graph (17);
  const float limit = 1;
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (2, (gint64)2, (gint64)3));
  PareValueId positive = MAKE (g, "Relu", "relu", x);
  PareValueId above = MAKE (g, "Greater", "above", positive, make_float (g, "limit", pare_shape_make (0), &limit));
  PareValueId places = MAKE (g, "Transpose", "places", MAKE (g, "NonZero", "nonzero", above));
  PareValueId found = MAKE (g, "GatherND", "found", positive, places);
  make_output (g, found);
  make_output (g, positive); /* in the plan */
  make_output (g, MAKE (g, "Mul", "squares", found, found));
  pare_graph_name_layers (g);
  return g;
}

static void
test_selection (void)
{
  g_autoptr (PareGraph) g = make_selection ();
  for (guint b = 0; b < G_N_ELEMENTS (backends); b++)
    {
      g_autoptr (PareRunner) runner = start (g, backends[b]);
      PareProgram *program = pare_runner_get_program (runner);
      const char *layer = NULL;
      PareShape shape;
      g_assert_true (pare_program_runs_late (program, &layer));
      g_assert_cmpstr (layer, ==, "nonzero");
      g_assert_cmpuint (pare_program_get_n_outputs (program), ==, 3);
      g_assert_cmpstr (pare_program_get_output (program, 0, NULL, &shape), ==, "found_out");
      g_assert_cmpint (shape.dims[0], ==, -1);
      g_assert_cmpstr (pare_program_get_output (program, 1, NULL, NULL), ==, "relu_out");
      PareShape of_x = pare_shape_make (2, (gint64)2, (gint64)3);
      float some[6] = { 2, -3, 0.5f, 4, 1, 1.5f }, none[6] = { -2, 0, 1, -4, 0.5f, 1 }, all[6] = { 2, 3, 4, 5, 6, 7 };
      feed (runner, some, of_x);
      expect (runner, 0, "3", (const double[]){ 2, 4, 1.5 });
      expect (runner, 1, "2×3", (const double[]){ 2, 0, 0.5, 4, 1, 1.5 });
      expect (runner, 2, "3", (const double[]){ 4, 16, 2.25 });
      feed (runner, none, of_x);
      expect (runner, 0, "0", NULL);
      expect (runner, 2, "0", NULL);
      feed (runner, all, of_x);
      expect (runner, 0, "6", (const double[]){ 2, 3, 4, 5, 6, 7 });
    }
}

/* Calibration asks for every value that a layer may read: those behind the plan are not there, the others are. */
static void
test_taps (void)
{
  g_autoptr (PareGraph) g = make_selection ();
  const char *const taps[] = { "x", "relu_out", "found_out", "squares_out" };
  const PareCompileOptions options = { .taps = taps, .n_taps = G_N_ELEMENTS (taps) };
  g_autoptr (GError) error = NULL;
  g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
  g_assert_no_error (error);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
  g_assert_no_error (error);
  float x[6] = { 2, -3, 0.5f, 4, 1, 1.5f };
  feed (runner, x, pare_shape_make (2, (gint64)2, (gint64)3));
  for (guint i = 0; i < G_N_ELEMENTS (taps); i++)
    {
      PareView view;
      g_assert_cmpint (pare_runner_get_tap (runner, taps[i], &view), ==, i < 2);
    }
}

/* A Loop over x that has as many turns as x has elements above 1, adds x to a state each time, and gives the sum of each turn. */
static PareGraph *
make_loop (void)
{
  PareGraph *g = make_graph (17), *body = make_graph (17);
  const float zero = 0, one = 1;
  const gint64 last = 1;
  PareShape scalar = pare_shape_make (0), three = pare_shape_make (1, (gint64)3);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, three);
  PareValueId above = MAKE (g, "Greater", "above", x, make_float (g, "one", scalar, &one));
  PareValueId extents = MAKE (g, "Shape", "extents", MAKE (g, "NonZero", "nonzero", above));
  PareValueId turns = MAKE (g, "Gather", "turns", extents, make_typed (g, "last", PARE_DTYPE_INT64, scalar, &last));

  make_input (body, "turn", PARE_DTYPE_INT64, scalar);
  PareValueId on = make_input (body, "on", PARE_DTYPE_BOOL, scalar), state = make_input (body, "state", PARE_DTYPE_FLOAT32, three);
  PareValueId around = pare_graph_add_value (body, "x", PARE_DTYPE_NONE, NULL, PARE_NONE);
  PareValueId sum = MAKE (body, "Add", "add", state, around), total = MAKE (body, "ReduceSum", "total", sum);
  pare_node_set_int (node_of (body, total), "keepdims", 0);
  make_output (body, MAKE (body, "Identity", "go_on", on));
  make_output (body, sum);
  make_output (body, total);

  PareValueId in[3] = { turns, PARE_NONE, make_float (g, "start", three, (const float[]){ zero, zero, zero }) }, out[2];
  out[0] = pare_graph_add_value (g, "state_out", PARE_DTYPE_NONE, NULL, PARE_NONE);
  out[1] = pare_graph_add_value (g, "totals", PARE_DTYPE_NONE, NULL, PARE_NONE);
  PareNodeId id = pare_graph_add_node (g, "Loop", "loop", in, 3, out, 2, PARE_NONE, PARE_ROLE_SELF);
  g->nodes[id].origin = id;
  pare_node_set_graph (&g->nodes[id], "body", body);
  make_output (g, out[0]);
  make_output (g, out[1]);
  pare_graph_name_layers (g);
  return g;
}

static void
test_loop (void)
{
  g_autoptr (PareGraph) g = make_loop ();
  PareShape three = pare_shape_make (1, (gint64)3);
  for (guint b = 0; b < G_N_ELEMENTS (backends); b++)
    {
      g_autoptr (PareRunner) runner = start (g, backends[b]);
      float two[3] = { 2, 0.5f, 3 }, none[3] = { 0, 1, -1 };
      feed (runner, two, three);
      expect (runner, 0, "3", (const double[]){ 4, 1, 6 });
      expect (runner, 1, "2", (const double[]){ 5.5, 11 });
      feed (runner, none, three);
      expect (runner, 0, "3", (const double[]){ 0, 0, 0 });
      expect (runner, 1, "0", NULL);
    }
}

/* The same with constants is no late node at all; what would go on for ever is, and says so. */
static void
test_folded (void)
{
  g_autoptr (PareGraph) g = make_loop ();
  const float values[3] = { 2, 0.5f, 3 };
  g_autoptr (PareTensor) x = pare_tensor_new (PARE_DTYPE_FLOAT32, &(PareShape){ .rank = 1, .dims = { 3 } }, NULL);
  memcpy (x->data, values, sizeof values);
  g->n_inputs = 0;
  pare_graph_set_constant (g, pare_graph_find_value (g, "x"), x);
  {
    g_autoptr (PareRunner) runner = start (g, PARE_BACKEND_AUTO);
    g_assert_false (pare_program_runs_late (pare_runner_get_program (runner), NULL));
    g_autoptr (GError) error = NULL;
    g_assert_true (pare_runner_run (runner, NULL, 0, NULL, &error));
    expect (runner, 1, "2", (const double[]){ 5.5, 11 });
  }
  g->nodes[pare_graph_find_layer (g, "loop")].inputs[0] = PARE_NONE;
  g_autoptr (PareRunner) runner = start (g, PARE_BACKEND_AUTO);
  g_autoptr (GError) error = NULL;
  g_assert_true (pare_program_runs_late (pare_runner_get_program (runner), NULL));
  g_assert_false (pare_runner_run (runner, NULL, 0, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "node 'loop' (Loop): it goes on for too many turns"));
}

static void
test_cancel (void)
{
  g_autoptr (PareGraph) g = make_selection ();
  g_autoptr (PareRunner) runner = start (g, PARE_BACKEND_PORTABLE);
  g_autoptr (PareControl) control = pare_control_new (NULL, NULL);
  g_autoptr (GError) error = NULL;
  float x[6] = { 1, 2, 3, 4, 5, 6 };
  const PareView view = { .dtype = PARE_DTYPE_FLOAT32, .shape = pare_shape_make (2, (gint64)2, (gint64)3), .data = x };
  pare_control_cancel (control);
  g_assert_false (pare_runner_run (runner, &view, 1, control, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_CANCELLED);
}

/* All the time stands at the first late node; a plan file cannot hold any; what only an unknown operator could compute is refused. */
static void
test_around (void)
{
  g_autoptr (PareGraph) g = make_selection ();
  g_autoptr (PareRunner) runner = start (g, PARE_BACKEND_AUTO);
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (g_get_tmp_dir (), "late.plan", NULL);
  float x[6] = { 1, 2, 3, 4, 5, 6 };
  pare_runner_set_profiling (runner, TRUE);
  feed (runner, x, pare_shape_make (2, (gint64)2, (gint64)3));
  guint n, n_holders;
  PareLayerTime *times = pare_runner_dup_times (runner, &n);
  g_autofree PareNodeId *holders = pare_runner_dup_holders (runner, &n_holders);
  PareNodeId nonzero = pare_graph_find_layer (g, "nonzero"), found = pare_graph_find_layer (g, "found");
  g_assert_cmpuint (times[n - 1].layer, ==, nonzero);
  g_assert_cmpfloat (times[n - 1].ms, >, 0);
  g_assert_cmpuint (found, <, n_holders);
  g_assert_cmpuint (holders[found], ==, nonzero);
  pare_layer_times_free (times, n);

  g_assert_false (pare_program_save_plan (pare_runner_get_program (runner), path, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_clear_error (&error);

  PareValueId strange = MAKE (g, "StringNormalizer", "strange", g->outputs[0]);
  make_output (g, strange);
  pare_graph_name_layers (g);
  g_autoptr (PareGraph) canonical = pare_graph_canonicalize (g, NULL, 0, pare_lower_eval_node, &error);
  g_assert_no_error (error);
  g_autofree char *why = pare_lower_why_not (canonical);
  g_assert_cmpstr (why, ==, "node 'strange' (StringNormalizer): StringNormalizer is not an operator that Pare runs");
}

/* As many zeros as x says, and twice that. */
static PareGraph *
make_zeros (void)
{
  PareGraph *g = make_graph (17);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (1, (gint64)1));
  PareValueId n = MAKE (g, "Cast", "n", x);
  pare_node_set_int (node_of (g, n), "to", 7);
  PareValueId zeros = MAKE (g, "ConstantOfShape", "zeros", n);
  make_output (g, MAKE (g, "Add", "twice", zeros, zeros));
  pare_graph_name_layers (g);
  return g;
}

/* (nullable) (transfer full) The error of a run that asks for so many elements within a budget. */
static char *
run_zeros (guint64 budget, float elements)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) g = make_zeros ();
  const PareCompileOptions options = { .backend = PARE_BACKEND_PORTABLE, .memory_budget = budget };
  g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
  g_assert_no_error (error);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
  g_assert_no_error (error);
  const PareView view = { .dtype = PARE_DTYPE_FLOAT32, .shape = pare_shape_make (1, (gint64)1), .data = &elements };
  if (pare_runner_run (runner, &view, 1, NULL, &error))
    {
      PareView y = pare_runner_get_output (runner, 0);
      g_assert_cmpfloat ((float)y.shape.dims[0], ==, elements);
      return NULL;
    }
  g_assert_error (error, PARE_ERROR, PARE_ERROR_MEMORY);
  return g_strdup (error->message);
}

/* What late nodes make is held against the budget, one by one and together; without one against the machine. */
static void
test_memory (void)
{
  g_assert_null (run_zeros (1 << 20, 1000));
  g_assert_null (run_zeros (0, 1000));
  g_autofree char *alone = run_zeros (1 << 20, 1 << 20), *together = run_zeros (1 << 20, 120000), *machine = run_zeros (0, 0x1p44f);
  g_assert_nonnull (strstr (alone, "node 'zeros' (ConstantOfShape): its output 1048576 needs 8.0 MiB, "));
  g_assert_nonnull (strstr (together, "node 'twice' (Add): its output 120000 needs 937.5 KiB, "));
  g_assert_nonnull (strstr (machine, "node 'zeros' (ConstantOfShape): its output 17592186044416 needs 131072.0 GiB, "));
}

/* A file may well declare how large a Slice is whose begin only values say. */
static void
test_declared (void)
{
  float x[5] = { 1, 2, 7, 4, 5 };
  const gint64 two = 2;
  for (guint b = 0; b < G_N_ELEMENTS (backends); b++)
    {
      g_autoptr (PareGraph) g = make_graph (17);
      PareValueId in = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (1, (gint64)5)), at = MAKE (g, "ArgMax", "at", in),
                  end = MAKE (g, "Add", "end", at, make_ints (g, "two", 1, &two)), slice = MAKE (g, "Slice", "slice", in, at, end);
      g->values[slice].dtype = PARE_DTYPE_FLOAT32;
      g->values[slice].shape = pare_shape_make (1, (gint64)2);
      make_output (g, slice);
      pare_graph_name_layers (g);
      g_autoptr (PareRunner) runner = start (g, backends[b]);
      feed (runner, x, pare_shape_make (1, (gint64)5));
      expect (runner, 0, "2", (const double[]){ 7, 4 });
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/late/selection", test_selection);
  g_test_add_func ("/late/taps", test_taps);
  g_test_add_func ("/late/loop", test_loop);
  g_test_add_func ("/late/folded", test_folded);
  g_test_add_func ("/late/cancel", test_cancel);
  g_test_add_func ("/late/around", test_around);
  g_test_add_func ("/late/memory", test_memory);
  g_test_add_func ("/late/declared", test_declared);
  return g_test_run ();
}
