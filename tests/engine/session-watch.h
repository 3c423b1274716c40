/* A small model and its data, a session and what it said: shared by the tests of the session. */
#pragma once
#include "engine/base/pare-rng.h"
#include "engine/onnx/pare-onnx.h"
#include "engine/project/pare-session.h"
#include "tests/remove-tree.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#define SAMPLES 600
#define SIDE 12
#define CLASSES 6

static char *folder, *model_path, *data_path, *second_model;

/* --- a model and its data --- */

G_GNUC_UNUSED static PareTensor *
random_tensor (PareRng *rng, double scale, int rank, const gint64 *dims)
{
  PareShape shape = { .rank = rank };
  memcpy (shape.dims, dims, (gsize)rank * sizeof *dims);
  PareTensor *t = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  for (gint64 i = 0; i < pare_tensor_count (t); i++)
    ((float *)t->data)[i] = (float)(scale * pare_rng_normal (rng));
  return t;
}

G_GNUC_UNUSED static PareValueId
add_constant (PareGraph *g, PareRng *rng, const char *name, double scale, int rank, const gint64 *dims)
{
  g_autoptr (PareTensor) t = random_tensor (rng, scale, rank, dims);
  return pare_graph_add_constant (g, name, t, PARE_NONE);
}

G_GNUC_UNUSED static PareValueId
add_op (PareGraph *g, const char *op, const char *name, const PareValueId *in, guint n_in, PareNodeId *id)
{
  PareShape unknown = { .rank = -1 };
  g_autofree char *out_name = g_strconcat (name, "_out", NULL);
  PareValueId out = pare_graph_add_value (g, out_name, PARE_DTYPE_FLOAT32, &unknown, PARE_NONE);
  PareNodeId node = pare_graph_add_node (g, op, name, in, n_in, &out, 1, PARE_NONE, PARE_ROLE_SELF);
  if (id != NULL)
    *id = node;
  return out;
}

G_GNUC_UNUSED static PareValueId
add_conv (PareGraph *g, PareRng *rng, const char *name, PareValueId x, gint64 from, gint64 to)
{
  PareNodeId node;
  g_autofree char *w = g_strconcat (name, ".weight", NULL), *b = g_strconcat (name, ".bias", NULL),
                  *relu = g_strconcat (name, "_relu", NULL);
  PareValueId in[3] = { x, add_constant (g, rng, w, 1 / sqrt (from * 9.0), 4, (gint64[]){ to, from, 3, 3 }),
                        add_constant (g, rng, b, 0.1, 1, (gint64[]){ to }) };
  PareValueId y = add_op (g, "Conv", name, in, 3, &node);
  pare_node_set_ints (&g->nodes[node], "kernel_shape", (gint64[]){ 3, 3 }, 2);
  pare_node_set_ints (&g->nodes[node], "pads", (gint64[]){ 1, 1, 1, 1 }, 4);
  return add_op (g, "Relu", relu, &y, 1, NULL);
}

G_GNUC_UNUSED static PareGraph *
make_model (guint64 seed, const char *last_op)
{
  PareRng rng = { seed };
  PareGraph *g = pare_graph_new ("tiny");
  PareNodeId node;
  g->opset = 13;
  g->ir_version = 7;
  PareShape in_shape = pare_shape_make (4, (gint64)1, (gint64)3, (gint64)SIDE, (gint64)SIDE),
            out_shape = pare_shape_make (2, (gint64)1, (gint64)CLASSES);
  PareValueId x = pare_graph_add_value (g, "x", PARE_DTYPE_FLOAT32, &in_shape, PARE_NONE);
  PareValueId y = add_conv (g, &rng, "conv1", x, 3, 12);
  y = add_conv (g, &rng, "conv2", y, 12, 12);
  y = add_conv (g, &rng, "conv3", y, 12, 16);
  y = add_op (g, "Flatten", "flatten", &y, 1, NULL);
  PareValueId in[3] = { y, add_constant (g, &rng, "fc.weight", 0.05, 2, (gint64[]){ CLASSES, 16 * SIDE * SIDE }),
                        add_constant (g, &rng, "fc.bias", 0.01, 1, (gint64[]){ CLASSES }) };
  y = add_op (g, "Gemm", "fc", in, 3, &node);
  pare_node_set_int (&g->nodes[node], "transB", 1);
  if (last_op != NULL)
    y = add_op (g, last_op, "odd", &y, 1, NULL);
  g->values[y].shape = out_shape;
  g->inputs = g_new (PareValueId, 1);
  g->inputs[0] = x;
  g->n_inputs = 1;
  g->outputs = g_new (PareValueId, 1);
  g->outputs[0] = y;
  g->n_outputs = 1;
  pare_graph_name_layers (g);
  return g;
}

/* Samples, each labelled by what the float model says, but for one in ten. */
G_GNUC_UNUSED static void
make_data (const PareGraph *g)
{
  GError *error = NULL;
  PareRng rng = { 99 };
  g_autoptr (PareTensor) x = random_tensor (&rng, 1, 4, (gint64[]){ SAMPLES, 3, SIDE, SIDE });
  gint64 labels[SAMPLES];
  g_autoptr (PareProgram) program = pare_program_compile (g, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < SAMPLES; i++)
    {
      PareShape one = pare_shape_make (4, (gint64)1, (gint64)3, (gint64)SIDE, (gint64)SIDE);
      PareView view = { .dtype = PARE_DTYPE_FLOAT32, .shape = one, .data = (float *)x->data + (gsize)i * 3 * SIDE * SIDE };
      g_assert_true (pare_runner_run (runner, &view, 1, NULL, &error));
      const float *out = pare_runner_get_output (runner, 0).data;
      labels[i] = 0;
      for (guint k = 1; k < CLASSES; k++)
        if (out[k] > out[labels[i]])
          labels[i] = k;
      if (i % 10 == 0)
        labels[i] = (labels[i] + 1) % CLASSES;
    }
  g_autoptr (PareTensor) y = pare_tensor_new_i64 (labels, SAMPLES);
  g_autofree char *xp = g_build_filename (folder, "x.npy", NULL), *yp = g_build_filename (folder, "y.npy", NULL);
  g_assert_true (pare_npy_save (xp, x, NULL));
  g_assert_true (pare_npy_save (yp, y, NULL));
  const char *json = "{\"format\":\"npy\",\"samples\":\"x.npy\",\"labels\":\"y.npy\",\"splits\":{\"calibration\":0.1,\"search\":0.8,"
                     "\"report\":0.1,\"seed\":1}}";
  g_assert_true (g_file_set_contents (data_path, json, -1, NULL));
}

/* --- a session and what it said --- */

typedef struct
{
  PareSession *session;
  GString *log; /* names of signals, in order */
  GPtrArray *messages;
  guint baselines, evaluations, calibrations, snapshots; /* jobs seen */
  gboolean seen_baseline, seen_evaluation, seen_calibration;
} Watch;

G_GNUC_UNUSED static void
log_signal (Watch *w, const char *name)
{
  g_string_append_printf (w->log, "%s ", name);
}
#define LOGGER(fn, name)                                                                                                                   \
  static void fn (PareSession *s, Watch *w)                                                                                                \
  {                                                                                                                                        \
    log_signal (w, name);                                                                                                                  \
  }
LOGGER (on_model, "model")
LOGGER (on_data, "data")
LOGGER (on_recipe, "recipe")
LOGGER (on_size, "size")
LOGGER (on_statistics, "statistics")
LOGGER (on_latency, "latency")
LOGGER (on_history, "history")

G_GNUC_UNUSED static void
on_evaluation (PareSession *s, Watch *w)
{
  PareOrigin origin;
  pare_session_get_evaluation (s, &origin);
  w->snapshots += origin == PARE_ORIGIN_PROVISIONAL;
  log_signal (w, origin == PARE_ORIGIN_MEASURED      ? "measured"
                 : origin == PARE_ORIGIN_PROVISIONAL ? "provisional"
                 : origin == PARE_ORIGIN_STALE       ? "stale"
                                                     : "none");
}

G_GNUC_UNUSED static void
on_message (PareSession *s, const char *severity, const char *text, Watch *w)
{
  g_ptr_array_add (w->messages, g_strdup_printf ("%s: %s", severity, text));
  g_test_message ("message %s: %s", severity, text);
}

G_GNUC_UNUSED static int
find_job (PareSession *s, const char *name)
{
  for (guint i = 0; i < pare_session_get_n_jobs (s); i++)
    if (g_str_equal (pare_session_get_job (s, i)->name, name))
      return (int)i;
  return -1;
}

G_GNUC_UNUSED static void
on_jobs (PareSession *s, Watch *w)
{
  gboolean baseline = find_job (s, "Measuring the original") >= 0, evaluation = find_job (s, "Measuring accuracy") >= 0,
           calibration = find_job (s, "Activation ranges") >= 0;
  w->calibrations += calibration && !w->seen_calibration;
  w->seen_calibration = calibration;
  w->baselines += baseline && !w->seen_baseline;
  w->evaluations += evaluation && !w->seen_evaluation;
  w->seen_baseline = baseline;
  w->seen_evaluation = evaluation;
}

G_GNUC_UNUSED static void
watch_init (Watch *w)
{
  *w = (Watch){ .session = pare_session_new (), .log = g_string_new (NULL), .messages = g_ptr_array_new_with_free_func (g_free) };
  g_signal_connect (w->session, "model-changed", G_CALLBACK (on_model), w);
  g_signal_connect (w->session, "data-changed", G_CALLBACK (on_data), w);
  g_signal_connect (w->session, "recipe-changed", G_CALLBACK (on_recipe), w);
  g_signal_connect (w->session, "size-changed", G_CALLBACK (on_size), w);
  g_signal_connect (w->session, "statistics-changed", G_CALLBACK (on_statistics), w);
  g_signal_connect (w->session, "latency-changed", G_CALLBACK (on_latency), w);
  g_signal_connect (w->session, "history-changed", G_CALLBACK (on_history), w);
  g_signal_connect (w->session, "evaluation-changed", G_CALLBACK (on_evaluation), w);
  g_signal_connect (w->session, "message", G_CALLBACK (on_message), w);
  g_signal_connect (w->session, "jobs-changed", G_CALLBACK (on_jobs), w);
}

G_GNUC_UNUSED static void
watch_clear (Watch *w)
{
  if (w->session != NULL)
    {
      gpointer session = w->session;
      pare_session_close (w->session);
      g_object_add_weak_pointer (session, &session);
      g_object_unref (w->session);
      g_assert_null (session);
    }
  g_string_free (w->log, TRUE);
  g_ptr_array_unref (w->messages);
}

G_GNUC_UNUSED static gboolean
has_message (Watch *w, const char *words)
{
  for (guint i = 0; i < w->messages->len; i++)
    if (strstr (w->messages->pdata[i], words) != NULL)
      return TRUE;
  return FALSE;
}

G_GNUC_UNUSED static gboolean
on_wake (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

/* Turns the main loop until `test` holds; fails after a minute. */
G_GNUC_UNUSED static void
wait_until (PareSession *s, gboolean (*test) (PareSession *s, gpointer data), gpointer data, const char *what)
{
  gint64 end = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;
  guint wake = g_timeout_add (5, on_wake, NULL);
  while (!test (s, data))
    {
      if (g_get_monotonic_time () > end)
        g_error ("waited a minute for: %s", what);
      g_main_context_iteration (NULL, TRUE);
    }
  g_source_remove (wake);
}
#define WAIT(s, test) wait_until (s, test, NULL, #test)

G_GNUC_UNUSED static gboolean
measured (PareSession *s, gpointer data)
{
  PareOrigin origin;
  return pare_session_get_evaluation (s, &origin) != NULL && origin == PARE_ORIGIN_MEASURED;
}

G_GNUC_UNUSED static gboolean
quiet (PareSession *s, gpointer data)
{
  PareOrigin origin;
  pare_session_get_latency (s, NULL, &origin, NULL, NULL);
  return measured (s, NULL) && origin == PARE_ORIGIN_MEASURED && pare_session_get_n_jobs (s) == 0
         && pare_session_get_statistics (s) != NULL;
}

G_GNUC_UNUSED static gboolean
has_size (PareSession *s, gpointer data)
{
  return pare_session_get_size (s, NULL, NULL, NULL, NULL);
}

G_GNUC_UNUSED static gboolean
evaluating (PareSession *s, gpointer data)
{
  return find_job (s, "Measuring accuracy") >= 0;
}

typedef struct
{
  gboolean done, fine;
  GError *error;
} Opened;

G_GNUC_UNUSED static void
on_opened (GObject *object, GAsyncResult *result, gpointer data)
{
  Opened *o = data;
  o->fine = pare_session_open_finish (PARE_SESSION (object), result, &o->error);
  o->done = TRUE;
}

G_GNUC_UNUSED static gboolean
is_done (PareSession *s, gpointer data)
{
  return ((Opened *)data)->done;
}

G_GNUC_UNUSED static gboolean
open_path (PareSession *s, const char *path, GError **error)
{
  Opened o = { 0 };
  pare_session_open_async (s, path, NULL, on_opened, &o);
  wait_until (s, is_done, &o, path);
  if (o.error != NULL)
    g_propagate_error (error, o.error);
  return o.fine;
}

G_GNUC_UNUSED static void
open_both (Watch *w)
{
  GError *error = NULL;
  watch_init (w);
  g_assert_true (open_path (w->session, model_path, &error));
  g_assert_no_error (error);
  g_assert_true (open_path (w->session, data_path, &error));
  g_assert_no_error (error);
}

G_GNUC_UNUSED static void
set_bits (PareSession *s, const char *layer, int weights, int activations, guint group)
{
  PareLayerRecipe change;
  pare_layer_recipe_init (&change);
  change.weight_bits = weights;
  change.activation_bits = activations;
  g_autofree char *title = g_strdup_printf ("%s: %d bit", layer, weights);
  pare_session_set_layers (s, (const char *const[]){ layer, NULL }, &change, title, group);
}

/* The figures by the shortest way, without session. */
G_GNUC_UNUSED static PareEvaluation *
directly (const PareRecipe *recipe)
{
  GError *error = NULL;
  g_autoptr (PareGraph) source = pare_onnx_load (model_path, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (PareDataset) dataset = pare_dataset_open (data_path, &error);
  g_assert_no_error (error);
  PareEvaluateOptions options = { .split = PARE_SPLIT_SEARCH };
  g_autoptr (PareEvaluation) baseline = pare_evaluate (source, dataset, &options, NULL, &error);
  g_assert_no_error (error);
  if (recipe == NULL)
    return g_steal_pointer (&baseline);
  g_autoptr (PareStatistics) statistics = pare_calibrate (source, dataset, 0, 2, PARE_BACKEND_AUTO, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (PareGraph) changed = pare_apply (source, recipe, statistics, NULL, NULL, &error);
  g_assert_no_error (error);
  options.baseline = baseline;
  PareEvaluation *result = pare_evaluate (changed, dataset, &options, NULL, &error);
  g_assert_no_error (error);
  return result;
}

G_GNUC_UNUSED static void
assert_same (const PareEvaluation *a, const PareEvaluation *b)
{
  g_assert_cmpstr (a->metric, ==, b->metric);
  g_assert_cmpfloat (a->value, ==, b->value);
  g_assert_cmpfloat (a->low, ==, b->low);
  g_assert_cmpfloat (a->high, ==, b->high);
  g_assert_cmpuint (a->done, ==, b->done);
  g_assert_cmpint (a->has_difference, ==, b->has_difference);
  g_assert_cmpfloat (a->difference, ==, b->difference);
  g_assert_cmpfloat (a->difference_low, ==, b->difference_low);
  g_assert_cmpuint (a->lost, ==, b->lost);
  g_assert_cmpuint (a->gained, ==, b->gained);
  g_assert_cmpmem (a->prediction, a->n * 4, b->prediction, b->n * 4);
}

G_GNUC_UNUSED static void
remove_project (PareSession *s)
{
  g_autofree char *path = g_strdup (pare_session_get_project_path (s));
  pare_session_close (s);
  g_unlink (path);
}

G_GNUC_UNUSED static gboolean
has_latency (PareSession *s, gpointer data)
{
  PareOrigin origin;
  pare_session_get_latency (s, NULL, &origin, NULL, NULL);
  return origin == PARE_ORIGIN_MEASURED;
}

/* The folder, the models and the data of a test program; before g_test_run(). */
G_GNUC_UNUSED static void
session_tests_init (int *argc, char ***argv)
{
  GError *error = NULL;
  folder = g_dir_make_tmp ("pare-session-XXXXXX", NULL);
  g_setenv ("XDG_DATA_HOME", folder, TRUE);
  g_setenv ("XDG_CACHE_HOME", folder, TRUE);
  g_test_init (argc, argv, NULL);
  model_path = g_build_filename (folder, "tiny.onnx", NULL);
  second_model = g_build_filename (folder, "second.onnx", NULL);
  data_path = g_build_filename (folder, "dataset.json", NULL);
  g_autoptr (PareGraph) model = make_model (3, NULL), second = make_model (4, NULL);
  if (!pare_onnx_save (model, model_path, &error) || !pare_onnx_save (second, second_model, &error))
    g_error ("%s", error->message);
  make_data (model);
}

G_GNUC_UNUSED static int
session_tests_run (void)
{
  int status = g_test_run ();
  remove_tree (folder);
  g_free (folder);
  g_free (model_path);
  g_free (second_model);
  g_free (data_path);
  return status;
}
