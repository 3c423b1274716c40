/* Latency of models as the engine runs them: bench-model [MODEL [THREADS [portable]]]. With a model: its layers too. Without: a table of
 * the classifiers in $PARE_SHARED (or ../shared beside the source), at one thread and at all. */
#include "engine/lower/pare-program.h"
#include "engine/onnx/pare-onnx.h"

#include <string.h>

typedef struct
{
  double load, compile, prepare; /* ms */
  double median, p10, p90;
  guint runs;
  PareLayerTime *layers; /* fastest of each */
  guint n_layers;
} Result;

static int
compare (gconstpointer a, gconstpointer b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Inputs of all kinds: floats in 0..1, integers 0. */
static PareView
make_input (PareProgram *program, guint i)
{
  PareView view = { 0 };
  pare_program_get_input (program, i, &view.dtype, &view.shape);
  view.data = g_malloc0 ((gsize)pare_shape_bytes (&view.shape, view.dtype) + 64);
  if (view.dtype == PARE_DTYPE_FLOAT32)
    for (gint64 k = 0; k < pare_shape_count (&view.shape); k++)
      ((float *)view.data)[k] = (float)((k * 7919) % 1021) / 1021;
  return view;
}

static gboolean
measure (const char *path, int threads, PareBackend backend, gboolean layers, Result *result, GError **error)
{
  gint64 t0 = g_get_monotonic_time ();
  g_autoptr (PareGraph) graph = pare_onnx_load (path, NULL, error);
  if (graph == NULL)
    return FALSE;
  gint64 t1 = g_get_monotonic_time ();
  const PareCompileOptions options = { .backend = backend };
  g_autoptr (PareProgram) program = pare_program_compile (graph, &options, error);
  if (program == NULL)
    return FALSE;
  gint64 t2 = g_get_monotonic_time ();
  g_autoptr (PareRunner) runner = pare_runner_new (program, threads, error);
  if (runner == NULL)
    return FALSE;
  gint64 t3 = g_get_monotonic_time ();
  guint n = pare_program_get_n_inputs (program);
  g_autofree PareView *inputs = g_new0 (PareView, n);
  for (guint i = 0; i < n; i++)
    inputs[i] = make_input (program, i);
  gboolean fine = TRUE;
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));
  gint64 end = g_get_monotonic_time () + 1000000;
  for (guint i = 0; fine && i < 20000 && (i < 5 || g_get_monotonic_time () < end); i++)
    {
      g_autoptr (GTimer) timer = g_timer_new ();
      fine = pare_runner_run (runner, inputs, n, NULL, error);
      double ms = g_timer_elapsed (timer, NULL) * 1e3;
      if (i >= 2)
        g_array_append_val (times, ms);
    }
  if (fine && layers)
    {
      pare_runner_set_profiling (runner, TRUE);
      for (guint i = 0; fine && i < 50; i++)
        {
          guint n_layers = 0;
          fine = pare_runner_run (runner, inputs, n, NULL, error);
          PareLayerTime *now = pare_runner_dup_times (runner, &n_layers);
          for (guint k = 0; i > 0 && k < MIN (n_layers, result->n_layers); k++)
            now[k].ms = MIN (now[k].ms, result->layers[k].ms);
          pare_layer_times_free (result->layers, result->n_layers);
          result->layers = now;
          result->n_layers = n_layers;
        }
    }
  for (guint i = 0; i < n; i++)
    g_free (inputs[i].data);
  if (!fine)
    return FALSE;
  g_array_sort (times, compare);
  const double *sorted = (const double *)(const void *)times->data;
  result->load = (t1 - t0) / 1e3;
  result->compile = (t2 - t1) / 1e3;
  result->prepare = (t3 - t2) / 1e3;
  result->median = sorted[times->len / 2];
  result->p10 = sorted[times->len / 10];
  result->p90 = sorted[times->len * 9 / 10];
  result->runs = times->len;
  return TRUE;
}

static gboolean
one (const char *path, int threads, PareBackend backend, gboolean layers)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *name = g_path_get_basename (path);
  Result r = { 0 };
  if (!measure (path, threads, backend, layers, &r, &error))
    {
      g_printerr ("%s: %s\n", name, error->message);
      return FALSE;
    }
  g_print ("%-42s %2d thread%s  median %8.4f ms  p10 %8.4f  p90 %8.4f  %5u runs  load %6.1f  compile %6.1f  prepare %6.1f\n", name, threads,
           threads == 1 ? " " : "s", r.median, r.p10, r.p90, r.runs, r.load, r.compile, r.prepare);
  for (guint i = 0; i < r.n_layers; i++)
    g_print ("%6u %-24s %9.2f us\n", r.layers[i].layer, r.layers[i].op, r.layers[i].ms * 1e3);
  pare_layer_times_free (r.layers, r.n_layers);
  return TRUE;
}

int
main (int argc, char **argv)
{
  static const char *const models[] = { "mnist-convnet",        "tiny-ad-autoencoder",       "tiny-kws-dscnn",
                                        "tiny-ic-resnet8",      "tiny-vww-mobilenet-v1-025", "cifar10-convnet",
                                        "cifar10-resnet20",     "cifar10-resnet56",          "imagenet-mobilenet-v1-050-160",
                                        "imagenet-etinynet",    "imagenet-mobilenet-v2",     "imagenet-squeezenet",
                                        "imagenet-tiny-darknet" };
  PareBackend backend = argc > 3 && !strcmp (argv[3], "portable") ? PARE_BACKEND_PORTABLE : PARE_BACKEND_AUTO;
  if (argc > 1)
    return one (argv[1], argc > 2 ? MAX (1, atoi (argv[2])) : 1, backend, TRUE) ? 0 : 1;
  const char *shared = g_getenv ("PARE_SHARED"), *root = g_getenv ("PARE_SOURCE_ROOT");
  g_autofree char *beside = g_build_filename (root != NULL ? root : ".", "..", "shared", NULL);
  int counts[2] = { 1, pare_default_threads () };
  gboolean any = FALSE;
  for (int t = 0; t < (counts[1] > 1 ? 2 : 1); t++)
    for (guint i = 0; i < G_N_ELEMENTS (models); i++)
      {
        g_autofree char *file = g_strconcat (models[i], ".onnx", NULL);
        g_autofree char *path = g_build_filename (shared != NULL ? shared : beside, "material", "models", file, NULL);
        if (g_file_test (path, G_FILE_TEST_EXISTS))
          any = one (path, counts[t], backend, FALSE) || any;
      }
  if (!any)
    g_print ("no models in %s\n", shared != NULL ? shared : beside);
  return 0;
}
