/* Operators of com.microsoft, and of ONNX newer than those that libonnx-testdata has: each file in tests/engine/operators is a model of one
 * node that carries what it is given and what comes out as constants ("given:x", "want:y"), as ONNX Runtime or ONNX's own tests computed it
 * (operators/make.py). Both backends must compute that. */
#include "engine/lower/pare-program.h"
#include "engine/onnx/pare-onnx.h"
#include "tests/engine/tensor-differs.h"

#define LIMIT 16

static PareTensor *
constant_for (const PareGraph *graph, const char *what, PareValueId v)
{
  g_autofree char *name = g_strconcat (what, ":", graph->values[v].name, NULL);
  PareValueId id = pare_graph_find_value (graph, name);
  g_assert_cmpuint (id, !=, PARE_NONE);
  g_assert_nonnull (graph->values[id].constant);
  return graph->values[id].constant;
}

static void
run_on (const PareGraph *graph, PareBackend backend)
{
  PareNamedShape shapes[LIMIT];
  PareView views[LIMIT];
  g_assert_cmpuint (graph->n_inputs, <=, LIMIT);
  for (guint i = 0; i < graph->n_inputs; i++)
    {
      const PareTensor *t = constant_for (graph, "given", graph->inputs[i]);
      shapes[i] = (PareNamedShape){ graph->values[graph->inputs[i]].name, t->shape };
      views[i] = pare_tensor_view (t);
    }
  g_autoptr (GError) error = NULL;
  const PareCompileOptions options = { .backend = backend, .shapes = shapes, .n_shapes = graph->n_inputs };
  g_autoptr (PareProgram) program = pare_program_compile (graph, &options, &error);
  g_assert_no_error (error);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 2, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (pare_program_get_n_outputs (program), ==, graph->n_outputs);
  g_assert_true (pare_runner_run (runner, views, graph->n_inputs, NULL, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < graph->n_outputs; i++)
    {
      PareView got = pare_runner_get_output (runner, i);
      g_autofree char *what = differs (&got, constant_for (graph, "want", graph->outputs[i]), 2e-5);
      if (what != NULL)
        g_test_fail_printf ("%s, output %u: %s", backend == PARE_BACKEND_PORTABLE ? "portable" : "accelerated", i, what);
    }
}

static void
test_one (gconstpointer path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) graph = pare_onnx_load (path, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (GArray) deciding = pare_graph_find_deciding_inputs (graph, PARE_NONE);
  for (guint i = 0; i < deciding->len; i++)
    {
      PareValueId input = g_array_index (deciding, PareValueId, i);
      pare_graph_bind_input (graph, input, constant_for (graph, "given", input), &error);
      g_assert_no_error (error);
    }
  run_on (graph, PARE_BACKEND_PORTABLE);
  run_on (graph, PARE_BACKEND_AUTO);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_autofree char *folder = g_build_filename (g_getenv ("PARE_SOURCE_ROOT") != NULL ? g_getenv ("PARE_SOURCE_ROOT") : ".", "tests",
                                              "engine", "operators", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  g_assert_nonnull (dir);
  for (const char *name; (name = g_dir_read_name (dir)) != NULL;)
    if (g_str_has_suffix (name, ".onnx"))
      {
        g_autofree char *test = g_strdup_printf ("/operators/%.*s", (int)strlen (name) - 5, name);
        g_test_add_data_func_full (test, g_build_filename (folder, name, NULL), test_one, g_free);
      }
  return g_test_run ();
}
