/* Activation statistics that are kept: a second opening measures none again, and nothing that is damaged or somebody else's is believed. */
#include "tests/engine/session-watch.h"
#include "engine/base/pare-error.h"
#include "engine/project/pare-statistics-cache.h"
#include "engine/project/pare-statistics-codec.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

static char *
key_of (const char *model, const char *data)
{
  GError *error = NULL;
  g_autoptr (PareGraph) graph = pare_onnx_load (model, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (PareDataset) dataset = pare_dataset_open (data, &error);
  g_assert_no_error (error);
  return pare_statistics_cache_key (graph, dataset, PARE_BACKEND_AUTO);
}

static PareStatistics *
measure (void)
{
  GError *error = NULL;
  g_autoptr (PareGraph) graph = pare_onnx_load (model_path, NULL, &error);
  g_autoptr (PareDataset) dataset = pare_dataset_open (data_path, &error);
  PareStatistics *statistics = pare_calibrate (graph, dataset, 0, 2, PARE_BACKEND_AUTO, NULL, &error);
  g_assert_no_error (error);
  return statistics;
}

static void
assert_same_statistics (const PareStatistics *a, const PareStatistics *b)
{
  guint n;
  g_autofree const char **names = pare_statistics_list (a, &n);
  g_assert_cmpuint (n, >=, 4);
  g_assert_cmpuint (pare_statistics_get_n_samples (a), ==, pare_statistics_get_n_samples (b));
  guint seen = 0;
  for (guint i = 0; i < n; i++)
    {
      const PareHistogram *x = pare_statistics_get (a, names[i]), *y = pare_statistics_get (b, names[i]);
      g_assert_true ((x == NULL) == (y == NULL));
      if (x != NULL)
        g_assert_cmpmem (x, sizeof *x, y, sizeof *y);
      seen += x != NULL;
    }
  g_assert_cmpuint (seen, >=, 4);
}

static void
test_codec (void)
{
  GError *error = NULL;
  g_autoptr (PareStatistics) statistics = measure ();
  g_autoptr (GBytes) bytes = pare_statistics_to_bytes (statistics, "key");
  gsize n;
  const guint8 *data = g_bytes_get_data (bytes, &n);
  g_autoptr (PareStatistics) back = pare_statistics_from_bytes (data, n, "key", &error);
  g_assert_no_error (error);
  assert_same_statistics (statistics, back);
  g_assert_null (pare_statistics_from_bytes (data, n, "other", &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_FORMAT);
  g_clear_error (&error);
  /* Cut anywhere, and every byte changed. */
  g_autofree guint8 *copy = g_memdup2 (data, n);
  for (gsize i = 0; i < n; i += 1 + n / 500)
    {
      g_assert_null (pare_statistics_from_bytes (data, i, "key", NULL));
      copy[i] ^= 0x10;
      g_assert_null (pare_statistics_from_bytes (copy, n, "key", NULL));
      copy[i] ^= 0x10;
    }
  /* Behind the checksum: never a histogram that contradicts itself. */
  guint whole = 0;
  const gsize head = 8 + 8 + 32;
  for (gsize i = head; i < n; i++)
    {
      copy[i] ^= 1u << (i % 8);
      g_autoptr (PareStatistics) odd = pare_statistics_payload_from_bytes (copy + head, n - head, NULL, &error);
      g_assert_true ((odd == NULL) == (error != NULL));
      g_clear_error (&error);
      copy[i] ^= 1u << (i % 8);
      whole += odd != NULL;
    }
  g_test_message ("%u of %u changed bytes give other figures that make sense", whole, (guint)(n - head));
  g_assert_cmpuint (whole, <, n - head);
}

static void
test_key (void)
{
  GError *error = NULL;
  g_autofree char *key = key_of (model_path, data_path), *again = key_of (model_path, data_path), *other = key_of (second_model, data_path);
  g_assert_cmpstr (key, ==, again);
  g_assert_cmpstr (key, !=, other);
  /* Another calibration split of the same samples. */
  g_autofree char *text = NULL, *path = g_build_filename (folder, "split.json", NULL);
  g_assert_true (g_file_get_contents (data_path, &text, NULL, NULL));
  g_autoptr (GString) changed = g_string_new (text);
  g_assert_cmpuint (g_string_replace (changed, "\"seed\":1", "\"seed\":2", 0), ==, 1);
  g_assert_true (g_file_set_contents (path, changed->str, -1, NULL));
  g_autofree char *split = key_of (model_path, path);
  g_assert_cmpstr (key, !=, split);
  /* The same file, other tensors: as where they are kept in a file beside it. */
  g_autoptr (PareGraph) graph = pare_onnx_load (model_path, NULL, &error), copy = pare_graph_copy (graph);
  g_autofree char *before = pare_statistics_cache_tensors (graph);
  for (guint i = 0; i < copy->n_values; i++)
    if (copy->values[i].constant != NULL && copy->values[i].constant->dtype == PARE_DTYPE_FLOAT32)
      {
        PareTensor *t = pare_tensor_new (PARE_DTYPE_FLOAT32, &copy->values[i].constant->shape, NULL);
        memcpy (t->data, copy->values[i].constant->data, t->bytes);
        ((float *)t->data)[0] += 1;
        pare_tensor_unref (copy->values[i].constant);
        copy->values[i].constant = t;
        break;
      }
  g_autofree char *after = pare_statistics_cache_tensors (copy);
  g_assert_cmpstr (before, !=, after);
}

/* What a session says of one recipe with activation bits. */
static PareEvaluation *
open_and_measure (guint *calibrations)
{
  Watch w;
  open_both (&w);
  set_bits (w.session, "conv2", 3, 4, 0);
  set_bits (w.session, "conv3", 4, 5, 0);
  WAIT (w.session, quiet);
  g_assert_cmpuint (w.messages->len, ==, 0);
  PareEvaluation *evaluation = pare_evaluation_ref ((PareEvaluation *)pare_session_get_evaluation (w.session, NULL));
  *calibrations = w.calibrations;
  remove_project (w.session); /* its figures too: all but the statistics is measured again */
  watch_clear (&w);
  return evaluation;
}

static void
test_second_opening (void)
{
  guint n;
  g_autofree char *key = key_of (model_path, data_path), *path = pare_statistics_cache_path (key);
  g_unlink (path);
  g_autoptr (PareEvaluation) first = open_and_measure (&n);
  g_assert_cmpuint (n, ==, 1);
  g_autofree char *good = NULL;
  gsize length;
  g_assert_true (g_file_get_contents (path, &good, &length, NULL));
  g_autoptr (PareEvaluation) second = open_and_measure (&n);
  g_assert_cmpuint (n, ==, 0);
  assert_same (first, second);
  g_assert_cmpfloat (first->kl, ==, second->kl);

  /* Damaged, cut off, empty, of another model, a folder in its place: measured again, and put right where that can be. */
  g_autofree char *foreign_key = key_of (second_model, data_path);
  g_autoptr (PareStatistics) statistics = measure ();
  g_autoptr (GBytes) foreign = pare_statistics_to_bytes (statistics, foreign_key);
  for (guint kind = 0; kind < 5; kind++)
    {
      g_autofree char *bad = g_memdup2 (good, length);
      bad[length / 2] ^= 4;
      gsize foreign_length;
      const char *foreign_data = g_bytes_get_data (foreign, &foreign_length);
      g_unlink (path);
      if (kind == 0)
        g_assert_true (g_file_set_contents (path, bad, (gssize)length, NULL));
      else if (kind == 1)
        g_assert_true (g_file_set_contents (path, good, (gssize)length - 7, NULL));
      else if (kind == 2)
        g_assert_true (g_file_set_contents (path, "", 0, NULL));
      else if (kind == 3)
        g_assert_true (g_file_set_contents (path, foreign_data, (gssize)foreign_length, NULL));
      else
        g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
      g_autoptr (PareEvaluation) again = open_and_measure (&n);
      g_assert_cmpuint (n, ==, 1);
      assert_same (first, again);
      g_autofree char *now = NULL;
      gsize now_length = 0;
      if (kind < 4)
        {
          g_assert_true (g_file_get_contents (path, &now, &now_length, NULL));
          g_assert_cmpmem (now, now_length, good, length);
        }
      else
        g_rmdir (path);
    }
}

static guint
count_files (const char *in, guint64 *bytes)
{
  guint n = 0;
  g_autoptr (GDir) dir = g_dir_open (in, 0, NULL);
  const char *name;
  *bytes = 0;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (in, name, NULL);
      GStatBuf st;
      if (g_stat (path, &st) == 0)
        *bytes += (guint64)st.st_size;
      n++;
    }
  return n;
}

static void
test_bound (void)
{
  g_autoptr (PareStatistics) statistics = measure ();
  g_autofree char *some = pare_statistics_cache_path ("x"), *cache = g_path_get_dirname (some);
  GError *error = NULL;
  guint64 bytes;
  remove_tree (cache);
  for (int i = 0; i < 10; i++)
    {
      g_autofree char *key = g_strdup_printf ("key-%d", i), *path = pare_statistics_cache_path (key);
      g_assert_true (pare_statistics_cache_put (key, statistics, &error));
      struct utimbuf old = { 1000000 + i, 1000000 + i };
      g_assert_cmpint (utime (path, &old), ==, 0);
    }
  g_autofree char *left = g_build_filename (cache, "new-left-behind", NULL), *strange = g_build_filename (cache, "notes.txt", NULL);
  struct utimbuf old = { 1000, 1000 };
  g_assert_true (g_file_set_contents (left, "half", -1, NULL) && g_file_set_contents (strange, "mine", -1, NULL));
  g_assert_true (utime (left, &old) == 0 && utime (strange, &old) == 0);
  g_autoptr (PareStatistics) used = pare_statistics_cache_get ("key-0"); /* the oldest, but used now */
  assert_same_statistics (used, statistics);
  g_assert_cmpuint (count_files (cache, &bytes), ==, 12);
  guint64 one = (bytes - 8) / 10;
  pare_statistics_cache_trim (one * 3 + one / 2);
  g_assert_cmpuint (count_files (cache, &bytes), ==, 4); /* and what is none of ours stays */
  g_autofree char *oldest = pare_statistics_cache_path ("key-0"), *gone = pare_statistics_cache_path ("key-7"),
                  *last = pare_statistics_cache_path ("key-9");
  g_assert_true (g_file_test (oldest, G_FILE_TEST_EXISTS) && g_file_test (last, G_FILE_TEST_EXISTS)
                 && g_file_test (strange, G_FILE_TEST_EXISTS));
  g_assert_false (g_file_test (gone, G_FILE_TEST_EXISTS));
  remove_tree (cache);
}

/* A child writes statistics without end and is killed at a random moment: what is there is whole. */
static void
test_kill (void)
{
  PareRng rng = { (guint64)g_get_real_time () };
  g_autoptr (PareStatistics) statistics = measure ();
  g_autofree char *path = pare_statistics_cache_path ("killed"), *cache = g_path_get_dirname (path);
  g_test_message ("seed %" G_GUINT64_FORMAT, rng.state);
  for (int round = 0; round < 30; round++)
    {
      pid_t child = fork ();
      if (child == 0)
        for (;;)
          pare_statistics_cache_put ("killed", statistics, NULL);
      g_usleep (1000 + pare_rng_below (&rng, 12000));
      kill (child, SIGKILL);
      int status;
      waitpid (child, &status, 0);
      g_assert_true (WIFSIGNALED (status));
      g_autoptr (PareStatistics) back = pare_statistics_cache_get ("killed");
      if (back != NULL)
        assert_same_statistics (back, statistics);
      else
        g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
    }
  remove_tree (cache);
}

int
main (int argc, char **argv)
{
  session_tests_init (&argc, &argv);
  g_test_add_func ("/cache/codec", test_codec);
  g_test_add_func ("/cache/key", test_key);
  g_test_add_func ("/cache/second-opening", test_second_opening);
  g_test_add_func ("/cache/bound", test_bound);
  g_test_add_func ("/cache/kill", test_kill);
  return session_tests_run ();
}
