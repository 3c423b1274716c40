/* The session, driven by a main loop over a small model and data that the test makes itself. */
#include "engine/base/pare-error.h"
#include "engine/base/pare-rng.h"
#include "engine/onnx/pare-onnx.h"
#include "engine/project/pare-history.h"
#include "engine/project/pare-session.h"
#include "engine/project/pare-store.h"

#include <glib/gstdio.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#define SAMPLES 600
#define SIDE 12
#define CLASSES 6

static char *folder, *model_path, *data_path, *second_model;

/* --- a model and its data --- */

static PareTensor *
random_tensor (PareRng *rng, double scale, int rank, const gint64 *dims)
{
  PareShape shape = { .rank = rank };
  memcpy (shape.dims, dims, (gsize)rank * sizeof *dims);
  PareTensor *t = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  for (gint64 i = 0; i < pare_tensor_count (t); i++)
    ((float *)t->data)[i] = (float)(scale * pare_rng_normal (rng));
  return t;
}

static PareValueId
add_constant (PareGraph *g, PareRng *rng, const char *name, double scale, int rank, const gint64 *dims)
{
  g_autoptr (PareTensor) t = random_tensor (rng, scale, rank, dims);
  return pare_graph_add_constant (g, name, t, PARE_NONE);
}

static PareValueId
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

static PareValueId
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

static PareGraph *
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
static void
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
  guint baselines, evaluations, snapshots; /* jobs seen */
  gboolean seen_baseline, seen_evaluation;
} Watch;

static void
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

static void
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

static void
on_message (PareSession *s, const char *severity, const char *text, Watch *w)
{
  g_ptr_array_add (w->messages, g_strdup_printf ("%s: %s", severity, text));
  g_test_message ("message %s: %s", severity, text);
}

static int
find_job (PareSession *s, const char *name)
{
  for (guint i = 0; i < pare_session_get_n_jobs (s); i++)
    if (g_str_equal (pare_session_get_job (s, i)->name, name))
      return (int)i;
  return -1;
}

static void
on_jobs (PareSession *s, Watch *w)
{
  gboolean baseline = find_job (s, "Measuring the original") >= 0, evaluation = find_job (s, "Measuring accuracy") >= 0;
  w->baselines += baseline && !w->seen_baseline;
  w->evaluations += evaluation && !w->seen_evaluation;
  w->seen_baseline = baseline;
  w->seen_evaluation = evaluation;
}

static void
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

static void
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

static gboolean
has_message (Watch *w, const char *words)
{
  for (guint i = 0; i < w->messages->len; i++)
    if (strstr (w->messages->pdata[i], words) != NULL)
      return TRUE;
  return FALSE;
}

static gboolean
on_wake (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

/* Turns the main loop until `test` holds; fails after a minute. */
static void
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

static gboolean
measured (PareSession *s, gpointer data)
{
  PareOrigin origin;
  return pare_session_get_evaluation (s, &origin) != NULL && origin == PARE_ORIGIN_MEASURED;
}

static gboolean
quiet (PareSession *s, gpointer data)
{
  PareOrigin origin;
  pare_session_get_latency (s, NULL, &origin, NULL, NULL);
  return measured (s, NULL) && origin == PARE_ORIGIN_MEASURED && pare_session_get_n_jobs (s) == 0
         && pare_session_get_statistics (s) != NULL;
}

static gboolean
has_size (PareSession *s, gpointer data)
{
  return pare_session_get_size (s, NULL, NULL, NULL, NULL);
}

static gboolean
evaluating (PareSession *s, gpointer data)
{
  return find_job (s, "Measuring accuracy") >= 0;
}

typedef struct
{
  gboolean done, fine;
  GError *error;
} Opened;

static void
on_opened (GObject *object, GAsyncResult *result, gpointer data)
{
  Opened *o = data;
  o->fine = pare_session_open_finish (PARE_SESSION (object), result, &o->error);
  o->done = TRUE;
}

static gboolean
is_done (PareSession *s, gpointer data)
{
  return ((Opened *)data)->done;
}

static gboolean
open_path (PareSession *s, const char *path, GError **error)
{
  Opened o = { 0 };
  pare_session_open_async (s, path, NULL, on_opened, &o);
  wait_until (s, is_done, &o, path);
  if (o.error != NULL)
    g_propagate_error (error, o.error);
  return o.fine;
}

static void
open_both (Watch *w)
{
  GError *error = NULL;
  watch_init (w);
  g_assert_true (open_path (w->session, model_path, &error));
  g_assert_no_error (error);
  g_assert_true (open_path (w->session, data_path, &error));
  g_assert_no_error (error);
}

static void
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
static PareEvaluation *
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

static void
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

static void
remove_project (PareSession *s)
{
  g_autofree char *path = g_strdup (pare_session_get_project_path (s));
  pare_session_close (s);
  g_unlink (path);
}

/* --- tests --- */

static void
test_edit (void)
{
  Watch w;
  open_both (&w);
  PareSession *s = w.session;
  WAIT (s, quiet);
  g_autoptr (PareEvaluation) original = directly (NULL);
  const PareEvaluation *baseline = pare_session_get_baseline (s);
  assert_same (baseline, original);
  g_assert_cmpfloat (baseline->value, >, 0.8);
  g_assert_true (pare_session_get_evaluation (s, NULL) == baseline);
  g_assert_cmpuint (w.baselines, ==, 1);
  g_assert_cmpuint (pare_session_get_n_entries (s), ==, 1);
  const PareEntry *first = pare_session_get_entry (s, 0);
  g_assert_cmpint (first->accuracy_origin, ==, PARE_ORIGIN_MEASURED);
  g_assert_cmpint (first->size_origin, ==, PARE_ORIGIN_MEASURED);
  g_assert_cmpint (first->latency_origin, ==, PARE_ORIGIN_MEASURED);
  PareLatency now, then;
  g_assert_true (pare_session_get_latency (s, &now, NULL, NULL, &then));
  g_assert_cmpfloat (now.median_ms, ==, then.median_ms);
  g_assert_cmpfloat (then.median_ms, >, 0);
  PareOrigin origin;
  g_assert_cmpfloat (pare_session_get_layer_time (s, "conv2", &origin), >, 0);
  g_assert_true (isnan (pare_session_get_layer_time (s, "nowhere", &origin)));
  g_assert_cmpfloat (pare_session_get_layer_error (s, "conv2"), ==, 0);

  /* An edit: the recipe is there when the call returns; then the size; the accuracy streams in; at last the latency. */
  g_string_truncate (w.log, 0);
  set_bits (s, "conv2", 2, 0, 0);
  g_assert_true (g_str_has_prefix (w.log->str, "recipe history "));
  g_assert_nonnull (strstr (w.log->str, "stale"));
  PareLayerRecipe own;
  g_assert_true (pare_recipe_get_layer (pare_session_get_recipe (s), "conv2", &own));
  g_assert_cmpint (own.weight_bits, ==, 2);
  int ago;
  pare_session_get_latency (s, &now, &origin, &ago, NULL);
  g_assert_cmpint (origin, ==, PARE_ORIGIN_STALE);
  g_assert_cmpint (ago, ==, 1);
  WAIT (s, measured);
  PareSize size, was;
  g_assert_true (pare_session_get_size (s, &size, &was, NULL, NULL));
  g_assert_cmpint (size.packed_bytes, <, was.packed_bytes);
  g_assert_cmpfloat (pare_session_get_layer_error (s, "conv2"), >, 0.001);
  g_assert_nonnull (strstr (w.log->str, "size"));
  g_autoptr (PareEvaluation) direct = directly (pare_session_get_recipe (s));
  assert_same (pare_session_get_evaluation (s, NULL), direct);
  g_assert_true (direct->has_difference);
  g_assert_cmpfloat (direct->value, <, original->value);
  WAIT (s, quiet);
  const PareLayerCost *cost = pare_session_get_layer_cost (s, "conv2", FALSE), *cost_was = pare_session_get_layer_cost (s, "conv2", TRUE);
  g_assert_cmpint (cost->packed_bytes, <, cost_was->packed_bytes);
  const PareEntry *entry = pare_session_get_entry (s, 1);
  g_assert_cmpint (entry->parent, ==, 1);
  g_assert_cmpstr (entry->title, ==, "conv2: 2 bit");
  g_assert_cmpfloat (entry->accuracy, ==, direct->value);
  g_assert_cmpint (entry->accuracy_origin, ==, PARE_ORIGIN_MEASURED);
  g_assert_cmpint (entry->latency_origin, ==, PARE_ORIGIN_MEASURED);

  /* The same value again is no edit; an unknown layer is an error and no edit. */
  set_bits (s, "conv2", 2, 0, 0);
  set_bits (s, "conv9", 2, 0, 0);
  g_assert_cmpuint (pare_session_get_n_entries (s), ==, 2);
  g_assert_true (has_message (&w, "conv9"));
  remove_project (s);
  watch_clear (&w);
}

static void
test_activations (void)
{
  /* Asked for before the ranges are there: the job waits for them. */
  Watch w;
  open_both (&w);
  PareSession *s = w.session;
  PareLayerRecipe defaults;
  pare_layer_recipe_init (&defaults);
  defaults.weight_bits = defaults.activation_bits = 4;
  pare_session_set_defaults (s, &defaults, "All: 4 bit", 0);
  g_assert_null (pare_session_get_statistics (s));
  WAIT (s, measured);
  g_assert_nonnull (pare_session_get_statistics (s));
  g_autoptr (PareEvaluation) direct = directly (pare_session_get_recipe (s));
  assert_same (pare_session_get_evaluation (s, NULL), direct);
  remove_project (s);
  watch_clear (&w);
}

static void
test_supersession (void)
{
  Watch w;
  open_both (&w);
  PareSession *s = w.session;
  WAIT (s, quiet);
  static const char *const layers[] = { "conv1", "conv2", "conv3", "fc" };
  PareRng rng = { 5 };
  for (int i = 0; i < 100; i++)
    {
      set_bits (s, layers[i % 4], 2 + (int)pare_rng_below (&rng, 7), i % 3 == 0 ? 4 : 0, 0);
      if (i % 7 == 0)
        for (int k = 0; k < 20; k++)
          g_main_context_iteration (NULL, FALSE);
      if (i % 30 == 0)
        g_usleep (20000);
    }
  WAIT (s, measured);
  g_autoptr (PareEvaluation) direct = directly (pare_session_get_recipe (s));
  assert_same (pare_session_get_evaluation (s, NULL), direct);
  g_assert_cmpuint (pare_session_get_n_entries (s), >, 60);
  WAIT (s, quiet);
  /* No figure of one recipe has come to stand at another: every entry that says measured is. */
  guint checked = 0;
  for (guint i = 0; i < pare_session_get_n_entries (s) && checked < 4; i++)
    {
      const PareEntry *e = pare_session_get_entry (s, i);
      if (e->accuracy_origin != PARE_ORIGIN_MEASURED || i == 0)
        continue;
      g_autoptr (PareEvaluation) again = directly (e->recipe);
      g_assert_cmpfloat (again->value, ==, e->accuracy);
      checked++;
    }
  g_assert_cmpuint (checked, >=, 1);
  remove_project (s);
  watch_clear (&w);
}

static void
test_drag (void)
{
  Watch w;
  open_both (&w);
  PareSession *s = w.session;
  WAIT (s, quiet);
  const char *title;
  guint evaluations = w.evaluations;
  gint64 longest = 0, last = g_get_monotonic_time ();
  for (int bits = 8; bits >= 3; bits--)
    {
      set_bits (s, "conv1", bits, 0, 17);
      longest = MAX (longest, g_get_monotonic_time () - last);
      last = g_get_monotonic_time ();
      gint64 until = last + 30000;
      while (g_get_monotonic_time () < until)
        g_main_context_iteration (NULL, FALSE);
    }
  /* Not while the knob moves (on a machine that is busy elsewhere it may have stood still for long enough). */
  if (longest < 120000)
    g_assert_cmpuint (w.evaluations, ==, evaluations);
  g_assert_cmpuint (pare_session_get_n_entries (s), ==, 2);
  WAIT (s, measured);
  if (longest < 120000)
    g_assert_cmpuint (w.evaluations, ==, evaluations + 1);
  g_autoptr (PareEvaluation) direct = directly (pare_session_get_recipe (s));
  assert_same (pare_session_get_evaluation (s, NULL), direct);
  g_assert_true (pare_session_can_undo (s, &title));
  g_assert_cmpstr (title, ==, "conv1: 3 bit");
  g_assert_false (pare_session_can_redo (s, &title));
  set_bits (s, "conv1", 4, 0, 18); /* another drag */
  g_assert_cmpuint (pare_session_get_n_entries (s), ==, 3);
  pare_session_undo (s);
  pare_session_undo (s);
  g_assert_cmpint (pare_session_get_current_entry (s), ==, 1);
  g_assert_false (pare_session_can_undo (s, NULL));
  g_assert_true (pare_session_can_redo (s, &title));
  g_assert_cmpstr (title, ==, "conv1: 3 bit");
  remove_project (s);
  watch_clear (&w);
}

static void
test_undo (void)
{
  Watch w;
  open_both (&w);
  PareSession *s = w.session;
  WAIT (s, quiet);
  set_bits (s, "conv1", 3, 0, 0);
  WAIT (s, quiet);
  g_autofree char *one = pare_recipe_to_json (pare_session_get_recipe (s));
  double value_one = pare_session_get_evaluation (s, NULL)->value;
  set_bits (s, "conv3", 2, 0, 0);
  WAIT (s, quiet);
  double value_two = pare_session_get_evaluation (s, NULL)->value;
  PareLatency latency;
  PareOrigin origin;
  guint jobs = w.evaluations;
  /* What is known is shown in the same call, and nothing runs. */
  pare_session_undo (s);
  g_assert_true (measured (s, NULL));
  g_assert_cmpfloat (pare_session_get_evaluation (s, NULL)->value, ==, value_one);
  g_autofree char *again = pare_recipe_to_json (pare_session_get_recipe (s));
  g_assert_cmpstr (one, ==, again);
  pare_session_get_latency (s, &latency, &origin, NULL, NULL);
  g_assert_cmpint (origin, ==, PARE_ORIGIN_MEASURED);
  pare_session_undo (s);
  g_assert_true (pare_recipe_is_identity (pare_session_get_recipe (s)));
  g_assert_true (pare_session_get_evaluation (s, NULL) == pare_session_get_baseline (s));
  pare_session_redo (s);
  pare_session_redo (s);
  g_assert_cmpfloat (pare_session_get_evaluation (s, NULL)->value, ==, value_two);
  pare_session_go_to_entry (s, 2);
  g_assert_cmpfloat (pare_session_get_evaluation (s, NULL)->value, ==, value_one);
  g_assert_cmpuint (pare_session_get_n_entries (s), ==, 3);
  pare_session_undo (s);
  g_assert_cmpint (pare_session_get_current_entry (s), ==, 3);
  /* A layer set back by hand is the original again, whose figures are known. */
  pare_session_reset_layers (s, (const char *const[]){ "conv1", "conv3", NULL }, "Back");
  g_assert_true (measured (s, NULL));
  g_assert_cmpfloat (pare_session_get_evaluation (s, NULL)->value, ==, pare_session_get_baseline (s)->value);
  WAIT (s, quiet);
  g_assert_cmpuint (w.evaluations, ==, jobs);
  PareSize size, was;
  pare_session_get_size (s, &size, &was, NULL, NULL);
  g_assert_cmpint (size.packed_bytes, ==, was.packed_bytes);
  remove_project (s);
  watch_clear (&w);
}

static void
test_reopen (void)
{
  Watch w, v;
  open_both (&w);
  PareSession *s = w.session;
  WAIT (s, quiet);
  set_bits (s, "conv1", 3, 8, 0);
  WAIT (s, quiet);
  set_bits (s, "conv3", 2, 0, 0);
  WAIT (s, quiet);
  pare_session_set_ui (s, "dock", "228");
  pare_session_undo (s);
  g_autofree char *path = g_strdup (pare_session_get_project_path (s));
  g_autofree char *recipe = pare_recipe_to_json (pare_session_get_recipe (s));
  g_autoptr (PareEvaluation) evaluation = pare_evaluation_ref ((PareEvaluation *)pare_session_get_evaluation (s, NULL));
  g_autoptr (PareEvaluation) baseline = pare_evaluation_ref ((PareEvaluation *)pare_session_get_baseline (s));
  PareSize size, size_now;
  gint64 macs, macs_now;
  pare_session_get_size (s, &size, NULL, &macs, NULL);
  PareLatency latency, latency_now;
  pare_session_get_latency (s, &latency, NULL, NULL, NULL);
  double median = latency.median_ms;
  PareEntry last = *pare_session_get_entry (s, 2);
  g_autofree char *title = g_strdup (last.title);
  /* A second session: for reading only, and says so. */
  GError *error = NULL;
  watch_init (&v);
  g_assert_true (open_path (v.session, path, &error));
  g_assert_no_error (error);
  g_assert_true (pare_session_is_read_only (v.session));
  g_assert_true (has_message (&v, "reading only"));
  watch_clear (&v);
  watch_clear (&w);

  watch_init (&w);
  s = w.session;
  g_assert_true (open_path (s, path, &error));
  g_assert_no_error (error);
  /* Everything is there at once, before data and jobs. */
  g_autofree char *recipe_now = pare_recipe_to_json (pare_session_get_recipe (s));
  g_assert_cmpstr (recipe, ==, recipe_now);
  g_assert_true (measured (s, NULL));
  assert_same (pare_session_get_evaluation (s, NULL), evaluation);
  assert_same (pare_session_get_baseline (s), baseline);
  g_assert_cmpmem (pare_session_get_baseline (s)->outputs, baseline->n * baseline->n_outputs * 4, baseline->outputs,
                   baseline->n * baseline->n_outputs * 4);
  g_assert_true (pare_session_get_size (s, &size_now, NULL, &macs_now, NULL));
  g_assert_cmpmem (&size, sizeof size, &size_now, sizeof size_now);
  g_assert_cmpint (macs, ==, macs_now);
  PareOrigin origin;
  pare_session_get_latency (s, &latency_now, &origin, NULL, NULL);
  g_assert_cmpfloat (latency_now.median_ms, ==, median);
  g_assert_cmpint (origin, ==, PARE_ORIGIN_MEASURED);
  g_assert_cmpuint (pare_session_get_n_entries (s), ==, 3);
  const PareEntry *entry = pare_session_get_entry (s, 2);
  g_assert_cmpstr (entry->title, ==, title);
  g_assert_cmpfloat (entry->accuracy, ==, last.accuracy);
  g_assert_cmpfloat (entry->difference_low, ==, last.difference_low);
  g_assert_cmpfloat (entry->latency_ms, ==, last.latency_ms);
  g_assert_cmpint (entry->size.packed_bytes, ==, last.size.packed_bytes);
  g_assert_true (pare_session_can_undo (s, NULL));
  g_assert_true (pare_session_can_redo (s, NULL));
  g_autofree char *dock = pare_session_get_ui (s, "dock");
  g_assert_cmpstr (dock, ==, "228");
  WAIT (s, quiet);
  pare_session_redo (s);
  g_assert_true (measured (s, NULL));
  WAIT (s, quiet);
  g_assert_cmpuint (w.baselines, ==, 0);
  g_assert_cmpuint (w.evaluations, ==, 0);
  g_assert_cmpuint (w.messages->len, ==, 0);
  /* And it goes on. */
  set_bits (s, "fc", 2, 0, 0);
  WAIT (s, measured);
  g_assert_cmpuint (w.evaluations, ==, 1);
  g_autoptr (PareEvaluation) direct = directly (pare_session_get_recipe (s));
  g_assert_cmpfloat (direct->value, ==, pare_session_get_evaluation (s, NULL)->value);
  g_assert_cmpfloat (direct->kl, ==, pare_session_get_evaluation (s, NULL)->kl);
  remove_project (s);
  watch_clear (&w);
}

static void
test_missing (void)
{
  /* Model gone, data gone: the project stands by itself. */
  Watch w;
  GError *error = NULL;
  g_autofree char *copy = g_build_filename (folder, "moved.onnx", NULL), *data = g_build_filename (folder, "moved.json", NULL),
                  *text = NULL;
  gsize n;
  g_assert_true (g_file_get_contents (model_path, &text, &n, NULL));
  g_assert_true (g_file_set_contents (copy, text, (gssize)n, NULL));
  g_autofree char *json = NULL;
  g_assert_true (g_file_get_contents (data_path, &json, NULL, NULL));
  g_assert_true (g_file_set_contents (data, json, -1, NULL));
  watch_init (&w);
  g_assert_true (open_path (w.session, copy, &error));
  g_assert_true (open_path (w.session, data, &error));
  WAIT (w.session, quiet);
  set_bits (w.session, "conv1", 3, 0, 0);
  WAIT (w.session, quiet);
  g_autofree char *path = g_strdup (pare_session_get_project_path (w.session));
  double value = pare_session_get_evaluation (w.session, NULL)->value;
  watch_clear (&w);
  g_unlink (data);
  g_autofree char *other = NULL;
  g_assert_true (g_file_get_contents (second_model, &other, &n, NULL));
  g_assert_true (g_file_set_contents (copy, other, (gssize)n, NULL)); /* another model under the old name */
  watch_init (&w);
  g_assert_true (open_path (w.session, path, &error));
  g_assert_no_error (error);
  g_assert_true (has_message (&w, "the project's own copy is used"));
  g_assert_cmpfloat (pare_session_get_evaluation (w.session, NULL)->value, ==, value);
  gint64 end = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;
  while (!has_message (&w, "data of the project cannot be read") && g_get_monotonic_time () < end)
    g_main_context_iteration (NULL, FALSE);
  g_assert_true (has_message (&w, "data of the project cannot be read"));
  g_assert_true (measured (w.session, NULL));
  g_assert_cmpuint (w.baselines + w.evaluations, ==, 0);
  /* Other data: measured again. */
  g_assert_true (open_path (w.session, data_path, &error));
  WAIT (w.session, quiet);
  remove_project (w.session);
  watch_clear (&w);
}

static gboolean
few_jobs (PareSession *s, gpointer data)
{
  return !evaluating (s, NULL);
}

static void
test_cancel (void)
{
  Watch w;
  open_both (&w);
  PareSession *s = w.session;
  WAIT (s, quiet);
  /* On a quick machine it may be over before it is stopped: then once more with another width. */
  PareOrigin origin = PARE_ORIGIN_MEASURED;
  int bits = 2;
  for (; bits <= 8 && origin == PARE_ORIGIN_MEASURED; bits++)
    {
      set_bits (s, "conv1", bits, 0, 0);
      WAIT (s, evaluating);
      pare_session_cancel_job (s, (guint)find_job (s, "Measuring accuracy"));
      WAIT (s, few_jobs);
      pare_session_get_evaluation (s, &origin);
    }
  g_assert_cmpint (origin, ==, PARE_ORIGIN_STALE);
  for (int i = 0; i < 60; i++)
    {
      g_usleep (5000);
      g_main_context_iteration (NULL, FALSE);
      g_assert_false (evaluating (s, NULL)); /* stays stopped */
    }
  pare_session_evaluate (s); /* goes on */
  WAIT (s, measured);
  set_bits (s, "conv2", 5, 0, 0);
  WAIT (s, evaluating);
  pare_session_cancel_job (s, (guint)find_job (s, "Measuring accuracy"));
  WAIT (s, few_jobs);
  set_bits (s, "conv2", 6, 0, 0); /* the next edit starts it again */
  WAIT (s, measured);
  g_autoptr (PareEvaluation) direct = directly (pare_session_get_recipe (s));
  assert_same (pare_session_get_evaluation (s, NULL), direct);
  remove_project (s);
  watch_clear (&w);
}

static void
test_close (void)
{
  /* At any moment, with jobs running, with and without close, during opening. */
  for (int i = 0; i < 14; i++)
    {
      GError *error = NULL;
      gpointer session = pare_session_new ();
      Opened o = { 0 };
      pare_session_open_async (session, model_path, NULL, on_opened, &o);
      if (i > 1)
        {
          wait_until (session, is_done, &o, "opened");
          o = (Opened){ 0 };
          pare_session_open_async (session, data_path, NULL, on_opened, &o);
        }
      if (i > 3)
        wait_until (session, is_done, &o, "opened");
      if (i > 5)
        set_bits (session, "conv2", 3, i % 2 == 0 ? 8 : 0, i > 11 ? 3 : 0);
      for (int k = 0; k < (i - 6) * 8; k++)
        {
          g_main_context_iteration (NULL, FALSE);
          g_usleep (500);
        }
      g_autofree char *path = g_strdup (pare_session_get_project_path (session));
      pare_session_close (session);
      while (!o.done)
        g_main_context_iteration (NULL, TRUE);
      g_clear_error (&o.error);
      g_clear_error (&error);
      g_object_add_weak_pointer (session, &session);
      g_object_unref (session);
      g_assert_null (session);
      if (path != NULL)
        g_unlink (path);
    }
  /* Without close: the last reference does it. */
  PareSession *session = pare_session_new ();
  g_assert_true (open_path (session, model_path, NULL));
  g_autofree char *path = g_strdup (pare_session_get_project_path (session));
  set_bits (session, "conv2", 3, 0, 0);
  g_object_unref (session);
  g_unlink (path);
}

static gboolean
has_latency (PareSession *s, gpointer data)
{
  PareOrigin origin;
  pare_session_get_latency (s, NULL, &origin, NULL, NULL);
  return origin == PARE_ORIGIN_MEASURED;
}

static gboolean
smaller (PareSession *s, gpointer data)
{
  PareSize size, was;
  return pare_session_get_size (s, &size, &was, NULL, NULL) && size.packed_bytes < was.packed_bytes;
}

static void
test_no_data (void)
{
  Watch w;
  GError *error = NULL;
  watch_init (&w);
  PareSession *s = w.session;
  g_assert_true (open_path (s, model_path, &error));
  g_assert_no_error (error);
  WAIT (s, has_size);
  WAIT (s, has_latency);
  set_bits (s, "conv3", 4, 8, 0); /* activations wait for data; the weights count */
  WAIT (s, smaller);
  WAIT (s, has_latency);
  g_assert_null (pare_session_get_evaluation (s, NULL));
  g_assert_true (has_message (&w, "need ranges from data"));
  g_assert_cmpint (pare_session_get_entry (s, 1)->size_origin, ==, PARE_ORIGIN_PROVISIONAL);
  g_assert_true (open_path (s, data_path, &error));
  WAIT (s, quiet);
  g_assert_cmpint (pare_session_get_entry (s, 1)->size_origin, ==, PARE_ORIGIN_MEASURED);
  g_autoptr (PareEvaluation) direct = directly (pare_session_get_recipe (s));
  assert_same (pare_session_get_evaluation (s, NULL), direct);
  remove_project (s);
  watch_clear (&w);
}

static void
test_cannot_run (void)
{
  Watch w;
  GError *error = NULL;
  g_autoptr (PareGraph) g = make_model (1, "StringNormalizer");
  g_autofree char *path = g_build_filename (folder, "odd.onnx", NULL);
  g_assert_true (pare_onnx_save (g, path, &error));
  g_assert_no_error (error);
  watch_init (&w);
  g_assert_true (open_path (w.session, path, &error));
  g_assert_no_error (error);
  g_assert_nonnull (pare_session_get_graph (w.session));
  g_assert_nonnull (strstr (pare_session_get_why_not (w.session), "odd"));
  g_assert_true (open_path (w.session, data_path, &error));
  WAIT (w.session, has_size);
  set_bits (w.session, "conv3", 4, 0, 0);
  WAIT (w.session, smaller);
  g_assert_null (pare_session_get_evaluation (w.session, NULL));
  g_assert_cmpuint (w.baselines, ==, 0);
  remove_project (w.session);
  watch_clear (&w);
}

static void
test_save_as (void)
{
  Watch w;
  GError *error = NULL;
  open_both (&w);
  PareSession *s = w.session;
  WAIT (s, quiet);
  set_bits (s, "conv1", 3, 0, 0);
  WAIT (s, measured);
  g_autofree char *before = g_strdup (pare_session_get_project_path (s)), *path = g_build_filename (folder, "named.pare", NULL);
  g_assert_true (g_str_has_suffix (before, "/pare/projects/tiny-1.pare"));
  g_assert_true (pare_session_save_as (s, path, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (pare_session_get_project_path (s), ==, path);
  g_assert_false (g_file_test (before, G_FILE_TEST_EXISTS));
  set_bits (s, "conv2", 3, 0, 0);
  /* A reader beside it: edits there are kept by saving under another name. */
  Watch v;
  g_autofree char *other = g_build_filename (folder, "other.pare", NULL);
  watch_init (&v);
  g_assert_true (open_path (v.session, path, &error));
  g_assert_true (pare_session_is_read_only (v.session));
  guint n = pare_session_get_n_entries (v.session);
  set_bits (v.session, "fc", 4, 0, 0);
  g_assert_true (pare_session_save_as (v.session, other, &error));
  g_assert_no_error (error);
  g_assert_false (pare_session_is_read_only (v.session));
  g_assert_false (pare_session_save_as (v.session, path, &error)); /* it is open over there */
  g_assert_error (error, PARE_ERROR, PARE_ERROR_FILE);
  g_clear_error (&error);
  watch_clear (&v);
  watch_init (&v);
  g_assert_true (open_path (v.session, other, &error));
  g_assert_cmpuint (pare_session_get_n_entries (v.session), ==, n + 1);
  g_assert_true (pare_session_can_undo (v.session, NULL));
  remove_project (v.session);
  watch_clear (&v);
  g_assert_false (pare_session_save_as (s, "/proc/nowhere/x.pare", &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_FILE);
  g_clear_error (&error);
  set_bits (s, "conv2", 4, 0, 0);
  WAIT (s, measured);
  remove_project (s);
  watch_clear (&w);
}

typedef struct
{
  gboolean done, fine;
  GError *error;
} Exported;

static void
on_exported (GObject *object, GAsyncResult *result, gpointer data)
{
  Exported *e = data;
  e->fine = pare_session_export_finish (PARE_SESSION (object), result, &e->error);
  e->done = TRUE;
}

static gboolean
export_done (PareSession *s, gpointer data)
{
  return ((Exported *)data)->done;
}

static void
test_export (void)
{
  Watch w;
  Exported e = { 0 };
  open_both (&w);
  set_bits (w.session, "conv1", 8, 8, 0);
  g_autofree char *path = g_build_filename (folder, "out.onnx", NULL);
  pare_session_export_async (w.session, path, NULL, on_exported, &e); /* waits for the ranges */
  wait_until (w.session, export_done, &e, "export");
  g_assert_no_error (e.error);
  g_assert_true (e.fine);
  GError *error = NULL;
  g_autoptr (PareGraph) back = pare_onnx_load (path, NULL, &error);
  g_assert_no_error (error);
  gboolean quantizes = FALSE, recipe = FALSE;
  for (guint i = 0; i < back->n_nodes; i++)
    quantizes |= g_str_equal (back->nodes[i].op, "QuantizeLinear");
  for (guint i = 0; i < back->n_meta; i++)
    recipe |= g_str_equal (back->meta_keys[i], "pare.recipe");
  g_assert_true (quantizes && recipe);
  e = (Exported){ 0 };
  pare_session_export_async (w.session, "/proc/nowhere/x.onnx", NULL, on_exported, &e);
  wait_until (w.session, export_done, &e, "export");
  g_assert_false (e.fine);
  g_clear_error (&e.error);
  remove_project (w.session);
  watch_clear (&w);
}

static void
test_refused (void)
{
  Watch w;
  GError *error = NULL;
  g_autofree char *bad = g_build_filename (folder, "bad.pare", NULL), *junk = g_build_filename (folder, "junk.bin", NULL),
                  *cut = g_build_filename (folder, "cut.onnx", NULL);
  g_autofree char *recipe = g_build_filename (folder, "recipe.json", NULL), *text = NULL;
  g_assert_true (g_file_set_contents (bad, "SQLite format 3", 16, NULL));
  g_assert_true (g_file_set_contents (junk, "\xff\xfe\xfd\xfc", 4, NULL));
  gsize n;
  g_assert_true (g_file_get_contents (model_path, &text, &n, NULL));
  g_assert_true (g_file_set_contents (cut, text, (gssize)n / 2, NULL));
  g_assert_true (g_file_set_contents (recipe, "{\"pare_recipe\":1,\"layers\":{\"conv1\":{\"weights\":{\"bits\":4}}}}", -1, NULL));
  open_both (&w);
  WAIT (w.session, quiet);
  const char *paths[] = { bad, junk, cut, "/nowhere/at/all.onnx", "/nowhere/at/all.pare", "/nowhere" };
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      g_assert_false (open_path (w.session, paths[i], &error));
      g_assert_nonnull (error);
      g_test_message ("%s", error->message);
      g_assert_null (strchr (error->message, '\n'));
      g_clear_error (&error);
    }
  /* What was open is as it was. */
  g_assert_nonnull (pare_session_get_graph (w.session));
  g_assert_true (measured (w.session, NULL));
  g_assert_true (open_path (w.session, recipe, &error));
  g_assert_no_error (error);
  PareLayerRecipe own;
  g_assert_true (pare_recipe_get_layer (pare_session_get_recipe (w.session), "conv1", &own));
  g_assert_cmpint (own.weight_bits, ==, 4);
  /* Another model takes the place. */
  g_autofree char *old = g_strdup (pare_session_get_project_path (w.session));
  g_assert_true (open_path (w.session, second_model, &error));
  g_assert_cmpuint (pare_session_get_n_entries (w.session), ==, 1);
  g_assert_null (pare_session_get_dataset (w.session));
  g_assert_null (pare_session_get_evaluation (w.session, NULL));
  g_unlink (old);
  WAIT (w.session, has_latency);
  remove_project (w.session);
  watch_clear (&w);
}

static void
test_split (void)
{
  Watch w;
  open_both (&w);
  PareSession *s = w.session;
  WAIT (s, quiet);
  set_bits (s, "conv1", 3, 0, 0);
  WAIT (s, quiet);
  guint search = pare_session_get_evaluation (s, NULL)->done;
  pare_session_set_split (s, PARE_SPLIT_REPORT);
  g_assert_null (pare_session_get_evaluation (s, NULL));
  WAIT (s, quiet);
  g_assert_cmpuint (pare_session_get_evaluation (s, NULL)->done, <, search);
  guint n = w.evaluations;
  pare_session_set_split (s, PARE_SPLIT_SEARCH);
  g_assert_true (measured (s, NULL));
  g_assert_cmpuint (pare_session_get_evaluation (s, NULL)->done, ==, search);
  WAIT (s, quiet);
  g_assert_cmpuint (w.evaluations, ==, n);
  remove_project (s);
  watch_clear (&w);
}

static void
test_data_first (void)
{
  Watch w;
  GError *error = NULL;
  watch_init (&w);
  g_assert_true (open_path (w.session, data_path, &error));
  g_assert_no_error (error);
  g_assert_nonnull (pare_session_get_dataset (w.session));
  g_assert_null (pare_session_get_graph (w.session));
  g_assert_false (pare_session_save_as (w.session, "/tmp/x.pare", &error));
  g_clear_error (&error);
  g_assert_true (open_path (w.session, model_path, &error));
  g_assert_no_error (error);
  g_assert_nonnull (pare_session_get_dataset (w.session));
  WAIT (w.session, quiet);
  g_autofree char *path = g_strdup (pare_session_get_project_path (w.session));
  watch_clear (&w);
  watch_init (&w);
  g_assert_true (open_path (w.session, path, &error));
  WAIT (w.session, quiet);
  g_assert_cmpuint (w.baselines, ==, 0);
  remove_project (w.session);
  watch_clear (&w);
}

static gboolean
told_trouble (PareSession *s, gpointer data)
{
  return pare_session_get_save_trouble (s) != NULL;
}

static gboolean
told_relief (PareSession *s, gpointer data)
{
  return pare_session_get_save_trouble (s) == NULL;
}

/* A full disk, played by the limit on a file's length: one message, the session goes on, and nothing is lost once there is room. */
static void
test_full_disk (void)
{
  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
      g_test_trap_assert_passed ();
      return;
    }
  Watch w;
  GError *error = NULL;
  struct rlimit limit, old;
  signal (SIGXFSZ, SIG_IGN);
  open_both (&w);
  WAIT (w.session, quiet);
  getrlimit (RLIMIT_FSIZE, &old);
  limit = old;
  limit.rlim_cur = 4096;
  setrlimit (RLIMIT_FSIZE, &limit);
  set_bits (w.session, "conv1", 3, 0, 0);
  WAIT (w.session, told_trouble);
  set_bits (w.session, "conv2", 3, 0, 0);
  WAIT (w.session, measured);
  g_assert_true (has_message (&w, "cannot be saved"));
  guint said = w.messages->len;
  setrlimit (RLIMIT_FSIZE, &old);
  WAIT (w.session, told_relief);
  g_assert_true (has_message (&w, "saved again"));
  g_assert_cmpuint (w.messages->len, ==, said + 1);
  g_autofree char *path = g_strdup (pare_session_get_project_path (w.session));
  double value = pare_session_get_evaluation (w.session, NULL)->value;
  watch_clear (&w);
  watch_init (&w);
  g_assert_true (open_path (w.session, path, &error));
  g_assert_cmpuint (pare_session_get_n_entries (w.session), ==, 3);
  g_assert_cmpfloat (pare_session_get_evaluation (w.session, NULL)->value, ==, value);
  remove_project (w.session);
  watch_clear (&w);
}

/* Histories that do not hang together are refused, whoever wrote them. */
static void
test_history (void)
{
  static const struct
  {
    gint64 id[3], parent[3], step[3];
    guint n, steps, position;
    gboolean fine;
  } cases[] = {
    { { 1, 2, 3 }, { 0, 1, 1 }, { 1, 3, 2 }, 3, 3, 1, TRUE },
    { { 1, 2, 3 }, { 0, 1, 1 }, { 1, 3, 2 }, 3, 3, 3, FALSE }, /* position beyond the steps */
    { { 1, 2, 3 }, { 0, 1, 4 }, { 1 }, 3, 1, 0, FALSE },       /* a parent that comes later */
    { { 1, 2, 3 }, { 0, 1, 0 }, { 1 }, 3, 1, 0, FALSE },       /* two roots */
    { { 2, 3 }, { 0, 2 }, { 2 }, 2, 1, 0, FALSE },             /* no original */
    { { 1 }, { 0 }, { 7 }, 1, 1, 0, FALSE },                   /* a step to nowhere */
    { { 1 }, { 0 }, { 0 }, 1, 0, 0, FALSE },
    { { 0 }, { 0 }, { 0 }, 0, 0, 0, FALSE },
  };
  for (guint c = 0; c < G_N_ELEMENTS (cases); c++)
    {
      GError *error = NULL;
      g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_store_entry_free);
      g_autoptr (GPtrArray) steps = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_store_step_free);
      for (guint i = 0; i < cases[c].n; i++)
        {
          PareStoreEntry *e = g_new0 (PareStoreEntry, 1);
          e->id = cases[c].id[i];
          e->parent = cases[c].parent[i];
          e->title = g_strdup ("t");
          e->recipe = g_strdup ("{\"pare_recipe\":1}");
          e->hash = g_strdup ("");
          g_ptr_array_add (entries, e);
        }
      for (guint i = 0; i < cases[c].steps; i++)
        {
          PareStoreStep *s = g_new0 (PareStoreStep, 1);
          s->entry = cases[c].step[i];
          s->title = g_strdup ("t");
          g_ptr_array_add (steps, s);
        }
      PareHistory *history = pare_history_restore (entries, steps, cases[c].position, "x.pare", &error);
      g_assert_cmpint (history != NULL, ==, cases[c].fine);
      if (history == NULL)
        g_assert_error (error, PARE_ERROR, PARE_ERROR_FORMAT);
      else
        g_assert_cmpint (pare_history_get_current (history)->shown.id, ==, 3);
      g_clear_error (&error);
      pare_history_free (history);
      if (c != 0)
        continue;
      g_free (((PareStoreEntry *)entries->pdata[1])->recipe);
      ((PareStoreEntry *)entries->pdata[1])->recipe = g_strdup ("{\"pare_recipe\":1,\"layers\":{\"a\":{\"weights\":{\"bits\":99}}}}");
      g_assert_null (pare_history_restore (entries, steps, 0, "x.pare", &error));
      g_assert_nonnull (error);
      g_clear_error (&error);
    }
}

static void
remove_tree (const char *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  const char *name;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);
      if (g_file_test (child, G_FILE_TEST_IS_DIR))
        remove_tree (child);
      else
        g_unlink (child);
    }
  g_clear_pointer (&dir, g_dir_close);
  g_rmdir (path);
}

int
main (int argc, char **argv)
{
  folder = g_dir_make_tmp ("pare-session-XXXXXX", NULL);
  g_setenv ("XDG_DATA_HOME", folder, TRUE);
  g_test_init (&argc, &argv, NULL);
  model_path = g_build_filename (folder, "tiny.onnx", NULL);
  second_model = g_build_filename (folder, "second.onnx", NULL);
  data_path = g_build_filename (folder, "dataset.json", NULL);
  GError *error = NULL;
  g_autoptr (PareGraph) model = make_model (3, NULL), second = make_model (4, NULL);
  if (!pare_onnx_save (model, model_path, &error) || !pare_onnx_save (second, second_model, &error))
    g_error ("%s", error->message);
  make_data (model);
  g_test_add_func ("/session/edit", test_edit);
  g_test_add_func ("/session/activations", test_activations);
  g_test_add_func ("/session/supersession", test_supersession);
  g_test_add_func ("/session/drag", test_drag);
  g_test_add_func ("/session/undo", test_undo);
  g_test_add_func ("/session/reopen", test_reopen);
  g_test_add_func ("/session/missing", test_missing);
  g_test_add_func ("/session/cancel", test_cancel);
  g_test_add_func ("/session/close", test_close);
  g_test_add_func ("/session/no-data", test_no_data);
  g_test_add_func ("/session/cannot-run", test_cannot_run);
  g_test_add_func ("/session/save-as", test_save_as);
  g_test_add_func ("/session/export", test_export);
  g_test_add_func ("/session/refused", test_refused);
  g_test_add_func ("/session/split", test_split);
  g_test_add_func ("/session/data-first", test_data_first);
  g_test_add_func ("/session/full-disk", test_full_disk);
  g_test_add_func ("/session/history", test_history);
  int status = g_test_run ();
  remove_tree (folder);
  g_free (folder);
  g_free (model_path);
  g_free (second_model);
  g_free (data_path);
  return status;
}
