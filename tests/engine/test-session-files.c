/* The session and its files: reopening, damage, other names, full disks, export. */
#include "tests/engine/session-watch.h"
#include "engine/base/pare-error.h"
#include "engine/project/pare-history.h"
#include "engine/project/pare-store.h"

#include <signal.h>
#include <sys/resource.h>

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
  set_bits (w.session, "conv1", 3, 0, 0); /* else nobody would miss the project */
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

int
main (int argc, char **argv)
{
  session_tests_init (&argc, &argv);
  g_test_add_func ("/session/reopen", test_reopen);
  g_test_add_func ("/session/missing", test_missing);
  g_test_add_func ("/session/save-as", test_save_as);
  g_test_add_func ("/session/export", test_export);
  g_test_add_func ("/session/refused", test_refused);
  g_test_add_func ("/session/data-first", test_data_first);
  g_test_add_func ("/session/full-disk", test_full_disk);
  g_test_add_func ("/session/history", test_history);
  return session_tests_run ();
}
