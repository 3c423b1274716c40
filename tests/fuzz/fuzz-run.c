/* libFuzzer: any bytes as an ONNX file that is made runnable, with everything that can be folded, and runs on zeros if it is small: also
 * what runs node by node behind the plan. It gives what it says or one error. */
#include "engine/lower/pare-program.h"
#include "engine/onnx/pare-onnx.h"

int LLVMFuzzerTestOneInput (const guint8 *data, size_t size);

#define MOST_MACS (1 << 22) /* what is larger only takes long */
#define MOST_BYTES (8 << 20)

static gboolean
is_small (const PareGraph *g, const PareProgram *program)
{
  guint n;
  gint64 macs = 0;
  g_autofree PareLayerInfo *infos = pare_graph_layer_infos (g, pare_program_get_graph (program), &n);
  for (guint i = 0; i < n && macs <= MOST_MACS; i++)
    macs += MIN (infos[i].macs, MOST_MACS + 1);
  return macs <= MOST_MACS;
}

static void
run (PareProgram *program)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
  if (runner == NULL)
    return;
  guint n = pare_program_get_n_inputs (program);
  g_autoptr (GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_tensor_unref);
  g_autofree PareView *views = g_new0 (PareView, n + 1);
  for (guint i = 0; i < n; i++)
    {
      PareDtype dtype;
      PareShape shape;
      pare_program_get_input (program, i, &dtype, &shape);
      PareTensor *t = pare_tensor_new (dtype, &shape, NULL);
      if (t == NULL)
        return;
      g_ptr_array_add (tensors, t);
      views[i] = pare_tensor_view (t);
    }
  gboolean fine = pare_runner_run (runner, views, n, NULL, &error);
  if (fine != (error == NULL))
    g_error ("neither outputs nor an error, or both");
  for (guint i = 0; fine && i < pare_program_get_n_outputs (program); i++)
    {
      PareView v = pare_runner_get_output (runner, i);
      if (pare_shape_count (&v.shape) < 0 || (v.data == NULL && pare_shape_count (&v.shape) > 0))
        g_error ("an output without values");
    }
}

int
LLVMFuzzerTestOneInput (const guint8 *data, size_t size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (PareGraph) g = pare_onnx_parse (bytes, NULL, NULL);
  if (g == NULL)
    return 0;
  g_autoptr (GError) error = NULL;
  const PareCompileOptions options = { .backend = PARE_BACKEND_PORTABLE, .memory_budget = MOST_BYTES };
  g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
  if ((program == NULL) != (error != NULL))
    g_error ("neither a program nor an error, or both");
  if (program != NULL && is_small (g, program))
    run (program);
  return 0;
}
