/* The session: edits, what they set going, what supersedes what. */
#include "tests/engine/session-watch.h"

static gboolean
smaller (PareSession *s, gpointer data)
{
  PareSize size, was;
  return pare_session_get_size (s, &size, &was, NULL, NULL) && size.packed_bytes < was.packed_bytes;
}

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
  WAIT (s, smaller); /* a job of its own, usually the first to end */
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
  for (int bits = 8; bits >= 3; bits--)
    {
      set_bits (s, "conv1", bits, 0, 17);
      gint64 until = g_get_monotonic_time () + 30000;
      while (g_get_monotonic_time () < until)
        g_main_context_iteration (NULL, FALSE);
    }
  g_assert_cmpuint (pare_session_get_n_entries (s), ==, 2);
  WAIT (s, measured);
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

/* Sizes are counted by a thread of their own, which quiet() does not wait for. */
static gboolean
entry_has_size (PareSession *s, gpointer unused)
{
  return pare_session_find_entry (s, pare_session_get_current_entry (s))->size_origin == PARE_ORIGIN_MEASURED;
}

static gint64
packed_bytes (PareSession *s)
{
  PareSize size;
  pare_session_get_size (s, &size, NULL, NULL, NULL);
  return size.packed_bytes;
}

static void
test_undo (void)
{
  Watch w;
  open_both (&w);
  PareSession *s = w.session;
  WAIT (s, quiet);
  gint64 bytes_of_original = packed_bytes (s);
  set_bits (s, "conv1", 3, 0, 0);
  WAIT (s, quiet);
  g_autofree char *one = pare_recipe_to_json (pare_session_get_recipe (s));
  double value_one = pare_session_get_evaluation (s, NULL)->value;
  WAIT (s, entry_has_size);
  gint64 bytes_one = packed_bytes (s);
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
  g_assert_cmpint (packed_bytes (s), ==, bytes_one);
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
  g_assert_cmpint (packed_bytes (s), ==, bytes_of_original);
  WAIT (s, quiet);
  g_assert_cmpuint (w.evaluations, ==, jobs);
  g_assert_cmpint (packed_bytes (s), ==, bytes_of_original);
  remove_project (s);
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

/* Sizes are a job of their own, which may end after the others. */
static gboolean
second_is_sized (PareSession *s, gpointer data)
{
  return pare_session_get_entry (s, 1)->size_origin == PARE_ORIGIN_MEASURED;
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
  WAIT (s, second_is_sized);
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

/* A full disk, played by the limit on a file's length: one message, the session goes on, and nothing is lost once there is room. */

/* Histories that do not hang together are refused, whoever wrote them. */

int
main (int argc, char **argv)
{
  session_tests_init (&argc, &argv);
  g_test_add_func ("/session/edit", test_edit);
  g_test_add_func ("/session/activations", test_activations);
  g_test_add_func ("/session/supersession", test_supersession);
  g_test_add_func ("/session/drag", test_drag);
  g_test_add_func ("/session/undo", test_undo);
  g_test_add_func ("/session/cancel", test_cancel);
  g_test_add_func ("/session/close", test_close);
  g_test_add_func ("/session/no-data", test_no_data);
  g_test_add_func ("/session/cannot-run", test_cannot_run);
  g_test_add_func ("/session/split", test_split);
  return session_tests_run ();
}
