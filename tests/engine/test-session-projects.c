/* Projects without a name: going on with them, beginning anew, tidying; and saving under another name beside the running session. */
#include "tests/engine/session-watch.h"
#include "engine/base/pare-error.h"
#include "engine/project/pare-projects.h"
#include "engine/project/pare-session-private.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

static guint
count_projects (void)
{
  guint n = 0;
  g_autofree char *in = pare_projects_folder ();
  g_autoptr (GDir) dir = g_dir_open (in, 0, NULL);
  while (dir != NULL && g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static void
clear_projects (void)
{
  g_autofree char *in = pare_projects_folder ();
  remove_tree (in);
}

static void
test_untouched (void)
{
  /* Looked at, not edited: no file stays, nor a log. */
  Watch w;
  clear_projects ();
  open_both (&w);
  pare_session_set_ui (w.session, "dock", "228");
  WAIT (w.session, quiet);
  g_assert_true (pare_session_is_untouched (w.session));
  g_assert_cmpuint (count_projects (), >=, 1);
  watch_clear (&w);
  g_assert_cmpuint (count_projects (), ==, 0);
  /* Another model in its place: the same. */
  GError *error = NULL;
  open_both (&w);
  g_assert_true (open_path (w.session, second_model, &error));
  g_assert_no_error (error);
  watch_clear (&w);
  g_assert_cmpuint (count_projects (), ==, 0);
  /* An edit that was undone is an edit. So is a setting. */
  for (int kind = 0; kind < 2; kind++)
    {
      open_both (&w);
      if (kind == 0)
        {
          set_bits (w.session, "conv1", 3, 0, 0);
          g_assert_false (pare_session_is_untouched (w.session));
          pare_session_undo (w.session);
        }
      else
        pare_session_set_split (w.session, PARE_SPLIT_REPORT);
      g_autofree char *path = g_strdup (pare_session_get_project_path (w.session));
      watch_clear (&w);
      g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
      g_assert_cmpuint (count_projects (), ==, 1);
      clear_projects ();
    }
}

static void
test_continue (void)
{
  Watch w, v;
  GError *error = NULL;
  clear_projects ();
  open_both (&w);
  g_assert_cmpint (pare_session_get_continued (w.session), ==, 0);
  set_bits (w.session, "conv1", 3, 0, 0);
  WAIT (w.session, quiet);
  g_autofree char *first = g_strdup (pare_session_get_project_path (w.session));
  double value = pare_session_get_evaluation (w.session, NULL)->value;
  gint64 when = pare_session_get_entry (w.session, 1)->when;
  /* The same model once more: it is open. */
  g_assert_true (open_path (w.session, model_path, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (pare_session_get_n_entries (w.session), ==, 2);
  g_assert_nonnull (pare_session_get_dataset (w.session));
  /* Another session meanwhile: that project is in use, so one of its own. */
  watch_init (&v);
  g_assert_true (open_path (v.session, model_path, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (pare_session_get_project_path (v.session), !=, first);
  g_assert_false (pare_session_is_read_only (v.session));
  g_assert_cmpuint (v.messages->len, ==, 0);
  watch_clear (&v);
  watch_clear (&w);
  g_assert_cmpuint (count_projects (), ==, 1);

  watch_init (&w);
  g_assert_true (open_path (w.session, model_path, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (pare_session_get_project_path (w.session), ==, first);
  g_assert_cmpint (pare_session_get_continued (w.session), ==, when);
  g_assert_true (measured (w.session, NULL));
  g_assert_cmpfloat (pare_session_get_evaluation (w.session, NULL)->value, ==, value);
  WAIT (w.session, quiet);
  g_assert_nonnull (pare_session_get_dataset (w.session)); /* its data came by itself */
  g_assert_cmpuint (w.messages->len, ==, 0);
  g_assert_cmpuint (w.baselines + w.evaluations + w.calibrations, ==, 0);

  /* From the beginning, with the same data; what was there stays. */
  Opened o = { 0 };
  pare_session_start_fresh_async (w.session, NULL, on_opened, &o);
  wait_until (w.session, is_done, &o, "fresh");
  g_assert_no_error (o.error);
  g_assert_cmpstr (pare_session_get_project_path (w.session), !=, first);
  g_assert_cmpuint (pare_session_get_n_entries (w.session), ==, 1);
  g_assert_cmpint (pare_session_get_continued (w.session), ==, 0);
  g_assert_nonnull (pare_session_get_dataset (w.session));
  WAIT (w.session, quiet);
  watch_clear (&w);
  g_assert_true (g_file_test (first, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (count_projects (), ==, 1); /* the fresh one was not touched */

  /* Another model under the same name and path is another model. */
  g_autofree char *text = NULL, *other = NULL;
  gsize n, m;
  g_assert_true (g_file_get_contents (model_path, &text, &n, NULL) && g_file_get_contents (second_model, &other, &m, NULL));
  g_assert_true (g_file_set_contents (model_path, other, (gssize)m, NULL));
  watch_init (&w);
  g_assert_true (open_path (w.session, model_path, &error));
  g_assert_cmpuint (pare_session_get_n_entries (w.session), ==, 1);
  watch_clear (&w);
  g_assert_true (g_file_set_contents (model_path, text, (gssize)n, NULL));

  /* A damaged project is named, left as it is, and not in the way. */
  g_assert_true (g_file_get_contents (first, &text, &n, NULL));
  g_autofree char *bad = g_memdup2 (text, n);
  for (gsize i = 0; i + 12 <= n; i++)
    if (memcmp (bad + i, "conv1: 3 bit", 12) == 0)
      bad[i] ^= 1;
  g_assert_true (g_file_set_contents (first, bad, (gssize)n, NULL));
  watch_init (&w);
  g_assert_true (open_path (w.session, model_path, &error));
  g_assert_no_error (error);
  g_assert_true (has_message (&w, "earlier project of this model cannot be read"));
  g_assert_cmpuint (pare_session_get_n_entries (w.session), ==, 1);
  watch_clear (&w);
  g_autofree char *still = NULL;
  gsize k;
  g_assert_true (g_file_get_contents (first, &still, &k, NULL));
  g_assert_cmpmem (still, k, bad, n);
  clear_projects ();
}

/* As a killed process leaves it. */
static char *
leave_project (guint n, gboolean edited, const char *model, int days)
{
  GError *error = NULL;
  char *path = pare_projects_path ("tiny", n);
  PareStore *store = pare_store_create (path, &error);
  g_assert_no_error (error);
  PareStoreModel record = { .path = (char *)model, .name = (char *)"tiny", .sha256 = (char *)"00", .size = 3 };
  pare_store_put_model (store, &record, NULL);
  for (int i = 1; i <= (edited ? 2 : 1); i++)
    {
      PareStoreEntry entry = { i, i - 1, 1000, (char *)"t", (char *)"{\"pare_recipe\":1}", (char *)"" };
      PareStoreStep step = { i, (char *)"t" };
      PareStoreEdit edit = { .entry = &entry, .step = &step, .step_index = (guint)i - 1, .position = (guint)i - 1 };
      pare_store_put_edit (store, &edit);
    }
  pare_store_close (store);
  gint64 then = g_get_real_time () / G_USEC_PER_SEC - (gint64)days * 86400;
  struct utimbuf old = { then, then };
  g_assert_cmpint (utime (path, &old), ==, 0);
  return path;
}

static void
test_tidy (void)
{
  clear_projects ();
  g_autofree char *old = leave_project (1, FALSE, model_path, 100), *edited = leave_project (2, TRUE, model_path, 100),
                  *young = leave_project (3, FALSE, model_path, 80), *orphan = leave_project (4, FALSE, "/nowhere/at/all.onnx", 100),
                  *open = leave_project (5, FALSE, model_path, 100), *damaged = leave_project (6, FALSE, model_path, 100),
                  *junk = pare_projects_path ("tiny", 7);
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  g_autofree char *text = NULL;
  gsize n;
  struct utimbuf then = { now - 100 * 86400, now - 100 * 86400 };
  g_assert_true (g_file_get_contents (damaged, &text, &n, NULL));
  for (gsize i = 0; i + 11 <= n; i++)
    if (memcmp (text + i, "pare_recipe", 11) == 0)
      text[i] ^= 1;
  g_assert_true (g_file_set_contents (damaged, text, (gssize)n, NULL) && g_file_set_contents (junk, "notes", -1, NULL));
  g_assert_true (utime (damaged, &then) == 0 && utime (junk, &then) == 0);
  PareStore *reader = pare_store_open (open, NULL);
  g_assert_nonnull (reader);
  utime (open, &then);
  g_assert_cmpuint (pare_projects_tidy (now), ==, 1);
  g_assert_false (g_file_test (old, G_FILE_TEST_EXISTS));
  const char *stay[] = { edited, young, orphan, open, damaged, junk };
  for (guint i = 0; i < G_N_ELEMENTS (stay); i++)
    g_assert_true (g_file_test (stay[i], G_FILE_TEST_EXISTS));
  pare_store_close (reader);
  g_assert_cmpuint (pare_projects_tidy (now), ==, 1); /* nobody has it open any more */
  clear_projects ();
}

/* --- saving as, beside the session --- */

typedef struct
{
  gboolean done, fine;
  GError *error;
} Saved;

static void
on_saved (GObject *object, GAsyncResult *result, gpointer data)
{
  Saved *s = data;
  s->fine = pare_session_save_as_finish (PARE_SESSION (object), result, &s->error);
  s->done = TRUE;
}

static gboolean
save_done (PareSession *s, gpointer data)
{
  return ((Saved *)data)->done;
}

static void
test_save_as (void)
{
  Watch w;
  GError *error = NULL;
  Saved saved = { 0 };
  clear_projects ();
  open_both (&w);
  set_bits (w.session, "conv1", 3, 0, 0);
  WAIT (w.session, quiet);
  g_autofree char *before = g_strdup (pare_session_get_project_path (w.session)), *path = g_build_filename (folder, "a.pare", NULL);
  pare_session_save_as_async (w.session, path, NULL, on_saved, &saved);
  /* Edits go on, and opening waits its turn. */
  set_bits (w.session, "conv2", 4, 0, 0);
  set_bits (w.session, "conv3", 5, 0, 0);
  pare_session_undo (w.session);
  g_assert_false (saved.done);
  g_assert_false (open_path (w.session, second_model, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_FILE);
  g_clear_error (&error);
  wait_until (w.session, save_done, &saved, "save as");
  g_assert_no_error (saved.error);
  g_assert_true (saved.fine);
  g_assert_cmpstr (pare_session_get_project_path (w.session), ==, path);
  g_assert_false (g_file_test (before, G_FILE_TEST_EXISTS));
  g_autofree char *recipe = pare_recipe_to_json (pare_session_get_recipe (w.session));
  watch_clear (&w);
  watch_init (&w);
  g_assert_true (open_path (w.session, path, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (pare_session_get_n_entries (w.session), ==, 4);
  g_autofree char *recipe_now = pare_recipe_to_json (pare_session_get_recipe (w.session));
  g_assert_cmpstr (recipe, ==, recipe_now);
  g_assert_true (pare_session_can_redo (w.session, NULL));
  /* A place that takes nothing: the reason, and everything as before. */
  const char *const bad[] = { "/proc/nowhere/x.pare", "/proc/x.pare" };
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      saved = (Saved){ 0 };
      pare_session_save_as_async (w.session, bad[i], NULL, on_saved, &saved);
      wait_until (w.session, save_done, &saved, "save as");
      g_assert_error (saved.error, PARE_ERROR, PARE_ERROR_FILE);
      g_test_message ("%s", saved.error->message);
      g_clear_error (&saved.error);
      g_assert_cmpstr (pare_session_get_project_path (w.session), ==, path);
    }
  set_bits (w.session, "fc", 6, 0, 0);
  /* Cancelled: as before, and nothing left beside. */
  g_autofree char *other = g_build_filename (folder, "b.pare", NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  saved = (Saved){ 0 };
  pare_session_save_as_async (w.session, other, cancellable, on_saved, &saved);
  g_cancellable_cancel (cancellable);
  wait_until (w.session, save_done, &saved, "save as");
  if (!saved.fine) /* else it was faster */
    {
      g_assert_error (saved.error, PARE_ERROR, PARE_ERROR_CANCELLED);
      g_assert_false (g_file_test (other, G_FILE_TEST_EXISTS));
    }
  const char *stays = saved.fine ? other : path;
  g_clear_error (&saved.error);
  /* Closed while it saves: one of the two files holds everything. */
  g_autofree char *third = g_build_filename (folder, "c.pare", NULL);
  saved = (Saved){ 0 };
  pare_session_save_as_async (w.session, third, NULL, on_saved, &saved);
  set_bits (w.session, "fc", 7, 0, 0);
  pare_session_close (w.session);
  wait_until (w.session, save_done, &saved, "save as");
  watch_clear (&w);
  g_clear_error (&saved.error);
  watch_init (&w);
  g_assert_true (open_path (w.session, saved.fine ? third : stays, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (pare_session_get_n_entries (w.session), ==, 6);
  watch_clear (&w);
  g_unlink (path);
  g_unlink (other);
  g_unlink (third);
}

/* --- killed --- */

/* A child edits and saves under other names in turn, telling each edit that is on disk; it is killed at a random moment. Of all files that
 * it may have had as its project, the newest holds every edit that was told, and at most the one in flight besides. */
static void
test_kill (void)
{
  PareRng rng = { (guint64)g_get_real_time () };
  g_test_message ("seed %" G_GUINT64_FORMAT, rng.state);
  guint saved_rounds = 0;
  for (int round = 0; round < 16; round++)
    {
      clear_projects ();
      g_autofree char *names[4] = { NULL };
      for (guint i = 0; i < 4; i++)
        {
          g_autofree char *name = g_strdup_printf ("kill-%d-%u.pare", round, i);
          names[i] = g_build_filename (folder, name, NULL);
        }
      int told[2];
      g_assert_cmpint (pipe (told), ==, 0);
      pid_t child = fork ();
      if (child == 0)
        {
          PareSession *s = pare_session_new ();
          Opened o = { 0 };
          Saved saved = { .done = TRUE };
          pare_session_open_async (s, model_path, NULL, on_opened, &o);
          while (!o.done)
            g_main_context_iteration (NULL, TRUE);
          for (guint i = 0;; i++)
            {
              static const char *const layers[] = { "conv1", "conv2", "conv3", "fc" };
              set_bits (s, layers[i % 4], 2 + (int)(i / 4) % 7, 0, 0);
              if (i % 5 == 2 && saved.done)
                {
                  saved.done = FALSE;
                  pare_session_save_as_async (s, names[(i / 5) % 4], NULL, on_saved, &saved);
                }
              gint64 end = g_get_monotonic_time () + 3000;
              while (g_get_monotonic_time () < end)
                g_main_context_iteration (NULL, FALSE);
              if (!pare_store_flush (s->store, NULL))
                _exit (2);
              guint n = pare_session_get_n_entries (s);
              if (write (told[1], &n, sizeof n) != sizeof n)
                _exit (3);
            }
        }
      close (told[1]);
      guint n, committed = 1, most = 0;
      g_assert_cmpint (read (told[0], &n, sizeof n), ==, sizeof n);
      committed = n;
      g_usleep (pare_rng_below (&rng, 120000));
      kill (child, SIGKILL);
      while (read (told[0], &n, sizeof n) == sizeof n)
        committed = n;
      close (told[0]);
      int status;
      waitpid (child, &status, 0);
      g_assert_true (WIFSIGNALED (status));
      g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
      for (guint i = 0; i < 4; i++)
        if (g_file_test (names[i], G_FILE_TEST_EXISTS))
          g_ptr_array_add (paths, g_strdup (names[i]));
      saved_rounds += paths->len > 0;
      g_autofree char *own = pare_projects_path ("tiny", 1);
      if (g_file_test (own, G_FILE_TEST_EXISTS))
        g_ptr_array_add (paths, g_strdup (own));
      g_assert_cmpuint (paths->len, >, 0);
      for (guint i = 0; i < paths->len; i++)
        {
          /* Every one of them opens. */
          Watch w;
          GError *error = NULL;
          watch_init (&w);
          g_assert_true (open_path (w.session, paths->pdata[i], &error));
          g_assert_no_error (error);
          most = MAX (most, pare_session_get_n_entries (w.session));
          watch_clear (&w);
          g_unlink (paths->pdata[i]);
        }
      g_test_message ("round %d: %u told, %u found, %u files", round, committed, most, paths->len);
      g_assert_cmpuint (most, >=, committed);
      g_assert_cmpuint (most, <=, committed + 1);
    }
  g_assert_cmpuint (saved_rounds, >, 0);
}

/* --- nowhere to save --- */

static void
test_read_only_folder (void)
{
  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
      g_test_trap_assert_passed ();
      return;
    }
  Watch w;
  GError *error = NULL;
  clear_projects ();
  g_autofree char *in = pare_projects_folder ();
  g_rmdir (in);
  g_assert_true (g_file_set_contents (in, "in the way", -1, NULL)); /* for root too, whom permissions do not stop */
  open_both (&w);
  g_assert_nonnull (pare_session_get_save_trouble (w.session));
  g_test_message ("%s", pare_session_get_save_trouble (w.session));
  g_assert_nonnull (strstr (pare_session_get_save_trouble (w.session), "tiny-1.pare"));
  g_assert_true (has_message (&w, "will not be saved"));
  set_bits (w.session, "conv1", 3, 0, 0);
  WAIT (w.session, quiet); /* everything else works */
  g_autofree char *path = g_build_filename (folder, "elsewhere.pare", NULL), *recipe = NULL;
  Saved saved = { 0 };
  pare_session_save_as_async (w.session, "/proc/nowhere/x.pare", NULL, on_saved, &saved);
  wait_until (w.session, save_done, &saved, "save as");
  g_assert_error (saved.error, PARE_ERROR, PARE_ERROR_FILE);
  g_clear_error (&saved.error);
  g_assert_nonnull (pare_session_get_save_trouble (w.session));
  saved = (Saved){ 0 };
  pare_session_save_as_async (w.session, path, NULL, on_saved, &saved);
  wait_until (w.session, save_done, &saved, "save as");
  g_assert_no_error (saved.error);
  g_assert_null (pare_session_get_save_trouble (w.session));
  set_bits (w.session, "conv2", 3, 0, 0);
  recipe = pare_recipe_to_json (pare_session_get_recipe (w.session));
  watch_clear (&w);
  watch_init (&w);
  g_assert_true (open_path (w.session, path, &error));
  g_assert_no_error (error);
  g_autofree char *back = pare_recipe_to_json (pare_session_get_recipe (w.session));
  g_assert_cmpstr (recipe, ==, back);
  g_assert_cmpuint (pare_session_get_n_entries (w.session), ==, 3);
  watch_clear (&w);
  g_unlink (path);
  g_unlink (in);
}

int
main (int argc, char **argv)
{
  session_tests_init (&argc, &argv);
  g_test_add_func ("/projects/kill", test_kill); /* forks: before there are threads */
  g_test_add_func ("/projects/untouched", test_untouched);
  g_test_add_func ("/projects/continue", test_continue);
  g_test_add_func ("/projects/tidy", test_tidy);
  g_test_add_func ("/projects/save-as", test_save_as);
  g_test_add_func ("/projects/read-only-folder", test_read_only_folder);
  return session_tests_run ();
}
