/* Functions that a file defines itself: calls are replaced by their nodes, with bound attributes, defaults and bodies, and compute what
 * ONNX Runtime computes; functions that call each other for ever are refused. Two of the files are among the fuzz target's. */
#include "engine/base/pare-error.h"
#include "engine/lower/pare-program.h"
#include "engine/onnx/pare-onnx.h"

#include <math.h>
#include <string.h>

#define CORPUS "fuzz/corpus/onnx"

static PareGraph *
load (const char *folder, const char *name, GError **error)
{
  const char *root = g_getenv ("PARE_SOURCE_ROOT");
  g_autofree char *path = g_build_filename (root != NULL ? root : ".", "tests", folder, name, NULL);
  return pare_onnx_load (path, NULL, error);
}

static void
run (const PareGraph *graph)
{
  /* of ONNX Runtime 1.31 on the same file and input: the first and last of 256 elements, and the sum of their magnitudes */
  static const float first[] = { 1.2902077436447144f, 0.40510207414627075f, 6.063819885253906f, 2.2460110187530518f },
                     last[] = { 4.7094597816467285f, 0.4468936026096344f, 0.39167067408561707f, 0.47100308537483215f };
  g_autoptr (GError) error = NULL;
  g_autoptr (PareProgram) program = pare_program_compile (graph, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
  g_assert_no_error (error);
  float x[192];
  for (int i = 0; i < 192; i++)
    x[i] = (float)(i % 13 - 6) / 8;
  const PareView input = { .data = x, .dtype = PARE_DTYPE_FLOAT32, .shape = { .rank = 4, .dims = { 1, 3, 8, 8 } } };
  pare_runner_run (runner, &input, 1, NULL, &error);
  g_assert_no_error (error);
  PareView y = pare_runner_get_output (runner, 0);
  g_assert_cmpint (pare_shape_count (&y.shape), ==, 256);
  const float *got = y.data;
  double sum = 0;
  for (int i = 0; i < 256; i++)
    sum += fabsf (got[i]);
  g_assert_cmpfloat_with_epsilon (sum, 357.479156, 1e-3);
  for (int i = 0; i < 4; i++)
    {
      g_assert_cmpfloat_with_epsilon (got[i], first[i], 1e-5);
      g_assert_cmpfloat_with_epsilon (got[252 + i], last[i], 1e-5);
    }
}

static void
test_inlined (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) graph = load (CORPUS, "functions", &error);
  g_assert_no_error (error);
  g_assert_null (graph->functions);
  g_assert_cmpuint (pare_graph_find_layer (graph, "b1/conv"), !=, PARE_NONE);
  g_assert_cmpuint (pare_graph_find_layer (graph, "b2/conv"), !=, PARE_NONE);
  run (graph);
  /* what is written again needs no functions */
  g_autoptr (GBytes) bytes = pare_onnx_serialize (graph, &error);
  g_assert_no_error (error);
  g_autoptr (PareGraph) again = pare_onnx_parse (bytes, NULL, &error);
  g_assert_no_error (error);
  run (again);
}

static void
test_refused (void)
{
  static const struct
  {
    const char *folder, *file, *what;
  } cases[]
      = { { CORPUS, "functions-in-a-ring", "calls itself" }, { "engine", "functions-without-end.onnx", "its calls come to more than" } };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (load (cases[i].folder, cases[i].file, &error));
      g_assert_error (error, PARE_ERROR, PARE_ERROR_FORMAT);
      g_assert_nonnull (strstr (error->message, cases[i].what));
      g_assert_nonnull (strstr (error->message, cases[i].file));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/model-functions/inlined", test_inlined);
  g_test_add_func ("/model-functions/refused", test_refused);
  return g_test_run ();
}
