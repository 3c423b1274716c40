/* The project file: what is written comes back, whatever happens to the process or the file. */
#include "engine/base/pare-error.h"
#include "engine/base/pare-rng.h"
#include "engine/project/pare-evaluation-codec.h"
#include "engine/project/pare-store.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct
{
  char *folder, *path;
} Fixture;

static void
set_up (Fixture *f, gconstpointer unused)
{
  f->folder = g_dir_make_tmp ("pare-store-XXXXXX", NULL);
  f->path = g_build_filename (f->folder, "a project%20#?.pare", NULL);
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  GDir *dir = g_dir_open (f->folder, 0, NULL);
  const char *name;
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (f->folder, name, NULL);
      g_unlink (path);
    }
  g_dir_close (dir);
  g_assert_cmpint (g_rmdir (f->folder), ==, 0);
  g_free (f->folder);
  g_free (f->path);
}

static void
put_entry (PareStore *store, gint64 id, guint step)
{
  g_autofree char *title = g_strdup_printf ("Conv_%d: %" G_GINT64_FORMAT " bit", (int)step, id);
  g_autofree char *recipe = g_strdup_printf ("{\"pare_recipe\":1,\"n\":%" G_GINT64_FORMAT "}", id);
  g_autofree char *hash = g_compute_checksum_for_string (G_CHECKSUM_SHA256, recipe, -1);
  PareStoreEntry entry = { .id = id, .parent = id - 1, .when = 1700000000 + id, .title = title, .recipe = recipe, .hash = hash };
  PareStoreStep undo = { .entry = id, .title = title };
  PareStoreEdit edit = { .entry = &entry, .step = &undo, .step_index = step, .position = step };
  pare_store_put_edit (store, &edit);
}

static PareEvaluation *
make_evaluation (guint n, guint n_outputs)
{
  PareRng rng = { 7 };
  PareEvaluation *e = pare_evaluation_blank ();
  e->metric = g_strdup ("top1");
  e->value = 0.875;
  e->low = 0.85;
  e->high = 0.9;
  e->done = e->all = e->n = n;
  e->kl = 0.0123;
  e->has_difference = TRUE;
  e->difference = -0.01;
  e->difference_low = -0.02;
  e->difference_high = 1e-300;
  e->lost = 3;
  e->gained = 1;
  e->prediction = g_new (gint32, n);
  e->label = g_new (gint32, n);
  e->confidence = g_new (float, n);
  e->correct = g_new (guint8, n);
  e->n_outputs = n_outputs;
  e->outputs = n_outputs > 0 ? g_new (float, n *n_outputs) : NULL;
  for (guint i = 0; i < n; i++)
    {
      e->prediction[i] = (gint32)pare_rng_below (&rng, 10) - 1;
      e->label[i] = (gint32)pare_rng_below (&rng, 10);
      e->confidence[i] = (float)pare_rng_uniform (&rng);
      e->correct[i] = e->prediction[i] == e->label[i];
    }
  for (guint i = 0; i < n * n_outputs; i++)
    e->outputs[i] = (float)pare_rng_normal (&rng);
  return e;
}

static void
assert_same_double (double a, double b)
{
  g_assert_true (a == b || (isnan (a) && isnan (b)));
}

static void
assert_same_evaluation (const PareEvaluation *a, const PareEvaluation *b, gboolean outputs)
{
  g_assert_cmpstr (a->metric, ==, b->metric);
  assert_same_double (a->value, b->value);
  assert_same_double (a->low, b->low);
  assert_same_double (a->high, b->high);
  assert_same_double (a->top5, b->top5);
  assert_same_double (a->perplexity, b->perplexity);
  assert_same_double (a->kl, b->kl);
  assert_same_double (a->difference, b->difference);
  assert_same_double (a->difference_low, b->difference_low);
  assert_same_double (a->difference_high, b->difference_high);
  g_assert_cmpuint (a->done, ==, b->done);
  g_assert_cmpuint (a->all, ==, b->all);
  g_assert_cmpint (a->has_difference, ==, b->has_difference);
  g_assert_cmpuint (a->lost, ==, b->lost);
  g_assert_cmpuint (a->gained, ==, b->gained);
  g_assert_cmpmem (a->prediction, a->n * 4, b->prediction, b->n * 4);
  g_assert_cmpmem (a->label, a->n * 4, b->label, b->n * 4);
  g_assert_cmpmem (a->confidence, a->n * 4, b->confidence, b->n * 4);
  g_assert_cmpmem (a->correct, a->n, b->correct, b->n);
  if (outputs)
    g_assert_cmpmem (a->outputs, a->n * a->n_outputs * 4, b->outputs, b->n * b->n_outputs * 4);
  else
    g_assert_null (b->outputs);
}

static void
fill (PareStore *store)
{
  g_autoptr (PareEvaluation) evaluation = make_evaluation (150, 10);
  g_autoptr (GBytes) bytes = g_bytes_new_static ("not a model, but bytes", 22);
  PareStoreModel model = { .path = "/models/net.onnx", .name = "net", .sha256 = "abc", .size = 22 };
  PareStoreData data = { .path = "/data/set", .name = "set", .hash = "def" };
  PareSize size = { 1, 2, 3, 4, 5000000000 };
  PareLayerTime times[] = { { .layer = 4, .op = "Conv", .ms = 0.25 }, { .layer = PARE_NONE, .op = "Reorder", .ms = 1e-3 } };
  PareLatency latency
      = { .median_ms = 1.5, .p10_ms = 1.4, .p90_ms = 2.5, .repeats = 15, .peak_rss_bytes = 1u << 30, .layers = times, .n_layers = 2 };
  pare_store_put_model (store, &model, bytes);
  pare_store_put_data (store, &data);
  for (gint64 i = 1; i <= 20; i++)
    put_entry (store, i, (guint)i - 1);
  pare_store_put_evaluation (store, "r1", "def", PARE_SPLIT_SEARCH, evaluation, TRUE);
  pare_store_put_evaluation (store, "r2", "def", PARE_SPLIT_SEARCH, evaluation, FALSE);
  pare_store_put_size (store, "r1", &size, 123456789012);
  pare_store_put_latency (store, "r1", "here", 2, &latency);
  pare_store_put_meta (store, "ui.dock", "228");
  pare_store_put_meta (store, "ui.gone", "1");
  pare_store_put_meta (store, "ui.gone", NULL);
}

/* What a file says, as one text: two files that say the same give the same. NULL with error where it is refused. */
static char *
describe (const char *path, GError **error)
{
  g_autoptr (PareStore) store = pare_store_open_read (path, error);
  if (store == NULL)
    return NULL;
  GString *out = g_string_new (NULL);
  GError *local = NULL;
  g_autoptr (PareStoreModel) model = pare_store_read_model (store, &local);
  g_assert_no_error (local);
  if (model != NULL)
    g_string_append_printf (out, "model %s %s %s %d %d\n", model->path, model->name, model->sha256, (int)model->size, model->embedded);
  g_autoptr (GBytes) bytes = pare_store_read_model_bytes (store, &local);
  g_assert_no_error (local);
  if (bytes != NULL)
    {
      g_autofree char *sum = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes);
      g_string_append_printf (out, "bytes %s\n", sum);
    }
  g_autoptr (PareStoreData) data = pare_store_read_data (store, &local);
  g_assert_no_error (local);
  if (data != NULL)
    g_string_append_printf (out, "data %s %s %s\n", data->path, data->name, data->hash);
  g_autoptr (GPtrArray) entries = pare_store_list_entries (store, &local);
  g_assert_no_error (local);
  for (guint i = 0; i < entries->len; i++)
    {
      PareStoreEntry *e = entries->pdata[i];
      g_string_append_printf (out, "entry %d %d %s %d %s %s\n", (int)e->id, (int)e->parent, e->title, (int)e->when, e->recipe, e->hash);
    }
  GPtrArray *steps;
  guint position;
  g_assert_true (pare_store_read_undo (store, &steps, &position, &local));
  g_string_append_printf (out, "position %u\n", position);
  for (guint i = 0; i < steps->len; i++)
    g_string_append_printf (out, "step %d %s\n", (int)((PareStoreStep *)steps->pdata[i])->entry, ((PareStoreStep *)steps->pdata[i])->title);
  g_ptr_array_unref (steps);
  for (int r = 1; r <= 2; r++)
    {
      g_autoptr (PareEvaluation) e = pare_store_read_evaluation (store, r == 1 ? "r1" : "r2", "def", PARE_SPLIT_SEARCH, TRUE, &local);
      g_assert_no_error (local);
      if (e == NULL)
        continue;
      g_autoptr (GBytes) samples = pare_evaluation_samples_to_bytes (e, TRUE);
      g_autofree char *sum = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, samples);
      g_string_append_printf (out, "evaluation %s %.17g %.17g %.17g %u %s\n", e->metric, e->value, e->low, e->difference_high, e->done,
                              sum);
    }
  PareSize size;
  gint64 macs;
  if (pare_store_read_size (store, "r1", &size, &macs, NULL))
    g_string_append_printf (out, "size %d %d %d %d %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n", (int)size.params, (int)size.memory_bytes,
                            (int)size.file_bytes, (int)size.packed_bytes, size.download_bytes, macs);
  PareLatency latency;
  g_autofree char *host = NULL;
  if (pare_store_read_latency (store, "r1", NULL, &latency, &host, NULL, NULL))
    {
      g_string_append_printf (out, "latency %s %.17g %.17g %.17g %u", host, latency.median_ms, latency.p10_ms, latency.p90_ms,
                              latency.repeats);
      for (guint i = 0; i < latency.n_layers; i++)
        g_string_append_printf (out, " %u %s %.17g", latency.layers[i].layer, latency.layers[i].op, latency.layers[i].ms);
      g_string_append_c (out, '\n');
      pare_layer_times_free (latency.layers, latency.n_layers);
    }
  g_autoptr (GHashTable) ui = pare_store_list_meta (store, "ui.", &local);
  g_assert_no_error (local);
  g_string_append_printf (out, "ui %u %s\n", g_hash_table_size (ui), (char *)g_hash_table_lookup (ui, "dock"));
  return g_string_free (out, FALSE);
}

static void
test_roundtrip (Fixture *f, gconstpointer unused)
{
  GError *error = NULL;
  PareStore *store = pare_store_create (f->path, &error);
  g_assert_no_error (error);
  g_assert_false (pare_store_is_read_only (store));
  fill (store);
  g_assert_true (pare_store_flush (store, &error));
  g_autofree char *during = describe (f->path, &error);
  g_assert_no_error (error);
  pare_store_close (store);
  g_assert_null (pare_store_create (f->path, &error)); /* never overwrites */
  g_assert_error (error, PARE_ERROR, PARE_ERROR_FILE);
  g_clear_error (&error);

  g_assert_true (pare_store_sniff (f->path));
  g_autofree char *after = describe (f->path, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (during, ==, after);
  g_assert_nonnull (strstr (after, "model /models/net.onnx net abc 22 1\n"));
  g_assert_nonnull (strstr (after, "data /data/set set def\n"));
  g_assert_nonnull (strstr (after, "entry 20 19 Conv_19: 20 bit 1700000020 {"));
  g_assert_nonnull (strstr (after, "position 19\n"));
  g_assert_nonnull (strstr (after, "size 1 2 3 4 5000000000 123456789012\n"));
  g_assert_nonnull (strstr (after, "latency here 1.5 1.3999999999999999 2.5 15 4 Conv 0.25 4294967295 Reorder 0.001\n"));
  g_assert_nonnull (strstr (after, "ui 1 228\n"));

  store = pare_store_open (f->path, &error);
  g_assert_no_error (error);
  g_autoptr (PareEvaluation) made = make_evaluation (150, 10);
  g_autoptr (PareEvaluation) whole = pare_store_read_evaluation (store, "r1", "def", PARE_SPLIT_SEARCH, TRUE, &error);
  g_autoptr (PareEvaluation) bare = pare_store_read_evaluation (store, "r2", "def", PARE_SPLIT_SEARCH, TRUE, &error);
  g_assert_no_error (error);
  assert_same_evaluation (made, whole, TRUE);
  assert_same_evaluation (made, bare, FALSE);
  g_assert_null (pare_store_read_evaluation (store, "r1", "def", PARE_SPLIT_REPORT, TRUE, &error));
  g_assert_no_error (error);
  /* Times of the computer that is asked for, even where another's are newer; of any, where it has none. */
  static const char *const asked[][2] = { { "here", "here" }, { "there", "there" }, { "nowhere", "there" }, { NULL, "there" } };
  PareLatency other = { .median_ms = 9 };
  g_usleep (1100000); /* times are kept in seconds */
  pare_store_put_latency (store, "r1", "there", 2, &other);
  g_assert_true (pare_store_flush (store, &error));
  for (guint i = 0; i < G_N_ELEMENTS (asked); i++)
    {
      PareLatency latency;
      g_autofree char *host = NULL;
      g_assert_true (pare_store_read_latency (store, "r1", asked[i][0], &latency, &host, NULL, &error));
      g_assert_cmpstr (host, ==, asked[i][1]);
      g_assert_cmpfloat (latency.median_ms, ==, g_str_equal (host, "here") ? 1.5 : 9);
      pare_latency_clear (&latency);
    }
  /* An edit after undo drops the steps beyond it. */
  put_entry (store, 21, 5);
  g_assert_true (pare_store_flush (store, NULL));
  GPtrArray *steps;
  guint position;
  g_assert_true (pare_store_read_undo (store, &steps, &position, &error));
  g_assert_cmpuint (steps->len, ==, 6);
  g_assert_cmpuint (position, ==, 5);
  g_assert_cmpint (((PareStoreStep *)steps->pdata[5])->entry, ==, 21);
  g_ptr_array_unref (steps);
  pare_store_close (store);
  /* Closing folds the log into the file: nothing is left beside it. */
  g_autofree char *wal = g_strconcat (f->path, "-wal", NULL);
  g_assert_false (g_file_test (wal, G_FILE_TEST_EXISTS));
}

static void
test_second_writer (Fixture *f, gconstpointer unused)
{
  GError *error = NULL;
  int ready[2], done[2];
  char c = 0;
  g_assert_cmpint (pipe (ready), ==, 0);
  g_assert_cmpint (pipe (done), ==, 0);
  pid_t child = fork ();
  if (child == 0)
    {
      PareStore *store = pare_store_create (f->path, NULL);
      if (store == NULL)
        _exit (1);
      put_entry (store, 1, 0);
      if (!pare_store_flush (store, NULL) || write (ready[1], "x", 1) != 1 || read (done[0], &c, 1) != 1)
        _exit (2);
      pare_store_close (store);
      _exit (0);
    }
  g_assert_cmpint (read (ready[0], &c, 1), ==, 1);
  /* Another process has it: for reading, with the reason. */
  PareStore *second = pare_store_open (f->path, &error);
  g_assert_no_error (error);
  g_assert_true (pare_store_is_read_only (second));
  g_assert_nonnull (strstr (pare_store_get_why_read_only (second), "another process"));
  put_entry (second, 99, 7); /* goes nowhere */
  g_autoptr (GPtrArray) entries = pare_store_list_entries (second, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (entries->len, ==, 1);
  /* And nobody's copy may land on it. */
  g_assert_false (pare_store_copy (second, f->path, FALSE, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_FILE);
  g_clear_error (&error);
  pare_store_close (second);
  int status;
  g_assert_cmpint (write (done[1], "x", 1), ==, 1);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);
  /* It went: the next one writes. A third in this process does not. */
  PareStore *store = pare_store_open (f->path, &error);
  g_assert_no_error (error);
  g_assert_false (pare_store_is_read_only (store));
  PareStore *third = pare_store_open (f->path, &error);
  g_assert_no_error (error);
  g_assert_true (pare_store_is_read_only (third));
  put_entry (store, 2, 1);
  g_assert_true (pare_store_flush (store, NULL));
  g_autoptr (GPtrArray) seen = pare_store_list_entries (third, &error);
  g_assert_cmpuint (seen->len, ==, 2);
  pare_store_close (store);
  pare_store_close (third);
  for (int i = 0; i < 2; i++)
    {
      close (ready[i]);
      close (done[i]);
    }
}

/* A child writes entry after entry and tells each one that is committed; it is killed at a random moment. */
static void
test_kill (Fixture *f, gconstpointer unused)
{
  PareRng rng = { (guint64)g_get_real_time () };
  gint64 last = 0;
  GError *error = NULL;
  pare_store_close (pare_store_create (f->path, &error));
  g_assert_no_error (error);
  g_test_message ("seed %" G_GUINT64_FORMAT, rng.state);
  for (int round = 0; round < 25; round++)
    {
      int told[2];
      g_assert_cmpint (pipe (told), ==, 0);
      pid_t child = fork ();
      if (child == 0)
        {
          PareStore *store = pare_store_open (f->path, NULL);
          PareEvaluation *evaluation = make_evaluation (400, 0);
          if (store == NULL || pare_store_is_read_only (store))
            _exit (1);
          for (gint64 id = last + 1;; id++)
            {
              put_entry (store, id, (guint)id - 1);
              if (!pare_store_flush (store, NULL))
                _exit (2);
              if (write (told[1], &id, sizeof id) != sizeof id)
                _exit (3);
              pare_store_put_evaluation (store, "some", "data", PARE_SPLIT_SEARCH, evaluation, FALSE);
            }
        }
      close (told[1]);
      gint64 id, committed = last;
      /* The first word says that it runs. */
      g_assert_cmpint (read (told[0], &id, sizeof id), ==, sizeof id);
      committed = id;
      g_usleep (pare_rng_below (&rng, 15000));
      kill (child, SIGKILL);
      while (read (told[0], &id, sizeof id) == sizeof id)
        committed = id;
      close (told[0]);
      int status;
      waitpid (child, &status, 0);
      g_assert_true (WIFSIGNALED (status));
      PareStore *store = round % 2 == 0 ? pare_store_open (f->path, &error) : pare_store_open_read (f->path, &error);
      g_assert_no_error (error);
      g_autoptr (GPtrArray) entries = pare_store_list_entries (store, &error);
      g_assert_no_error (error);
      /* All that were committed are there, at most the one in flight besides, none missing between. */
      g_assert_cmpint (entries->len, >=, committed);
      g_assert_cmpint (entries->len, <=, committed + 1);
      for (guint i = 0; i < entries->len; i++)
        g_assert_cmpint (((PareStoreEntry *)entries->pdata[i])->id, ==, i + 1);
      last = entries->len;
      pare_store_close (store);
    }
  g_test_message ("%d entries", (int)last);
  g_assert_cmpint (last, >=, 25);
}

static void
write_whole (const char *path, const char *data, gsize n)
{
  GError *error = NULL;
  g_file_set_contents (path, data, (gssize)n, &error);
  g_assert_no_error (error);
}

/* Refused with one message and untouched, or says exactly what the whole one says. */
static gboolean
check_damaged (const char *path, const char *data, gsize n, const char *expected)
{
  GError *error = NULL;
  write_whole (path, data, n);
  PareStore *store = pare_store_open (path, &error);
  if (store == NULL)
    {
      g_autofree char *now = NULL;
      gsize length;
      g_assert_nonnull (error);
      g_assert_cmpstr (g_quark_to_string (error->domain), ==, g_quark_to_string (PARE_ERROR));
      g_assert_null (strchr (error->message, '\n'));
      g_clear_error (&error);
      g_assert_true (g_file_get_contents (path, &now, &length, NULL));
      g_assert_cmpmem (now, length, data, n);
      return FALSE;
    }
  pare_store_close (store);
  g_autofree char *says = describe (path, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (says, ==, expected);
  return TRUE;
}

static void
test_damaged (Fixture *f, gconstpointer unused)
{
  GError *error = NULL;
  PareStore *store = pare_store_create (f->path, &error);
  g_assert_no_error (error);
  fill (store);
  pare_store_close (store);
  g_autofree char *expected = describe (f->path, &error);
  g_assert_no_error (error);
  g_autofree char *whole = NULL;
  gsize length;
  g_assert_true (g_file_get_contents (f->path, &whole, &length, NULL));
  g_autofree char *bad = g_build_filename (f->folder, "bad.pare", NULL);

  PareRng rng = { 11 };
  guint refused = 0, harmless = 0;
  for (int i = 0; i < 600; i++)
    {
      g_autofree char *copy = g_memdup2 (whole, length);
      /* The first pages, where the header and the schema are, get their share. */
      gsize at = pare_rng_below (&rng, i % 3 == 0 ? MIN (4096, length) : length);
      copy[at] ^= (char)(1 << pare_rng_below (&rng, 8));
      if (check_damaged (bad, copy, length, expected))
        harmless++;
      else
        refused++;
    }
  g_test_message ("bit flips: %u refused, %u in unused places", refused, harmless);
  g_assert_cmpuint (refused, >, 150);
  for (int i = 0; i < 60; i++)
    g_assert_false (check_damaged (bad, whole, pare_rng_below (&rng, length), expected));
  for (gsize cut = 4096; cut < length; cut += 4096)
    g_assert_false (check_damaged (bad, whole, cut, expected));
  g_assert_false (check_damaged (bad, "", 0, expected));
  g_assert_false (check_damaged (bad, "SQLite format 3", 16, expected));
  g_autofree char *noise = g_malloc (9000);
  for (int i = 0; i < 9000; i++)
    noise[i] = (char)pare_rng_next (&rng);
  g_assert_false (check_damaged (bad, noise, 9000, expected));
  g_assert_null (pare_store_open (f->folder, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_FORMAT);
  g_clear_error (&error);
}

static void
change_with_sql (const char *path, const char *sql)
{
  sqlite3 *db;
  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
  sqlite3_close (db);
}

static void
assert_refused (const char *path, int code, const char *words)
{
  GError *error = NULL;
  g_autofree char *before = NULL, *after = NULL;
  gsize n, m;
  g_assert_true (g_file_get_contents (path, &before, &n, NULL));
  g_assert_null (pare_store_open (path, &error));
  g_assert_error (error, PARE_ERROR, code);
  g_assert_nonnull (strstr (error->message, words));
  g_clear_error (&error);
  g_assert_null (pare_store_open_read (path, &error));
  g_clear_error (&error);
  g_assert_true (g_file_get_contents (path, &after, &m, NULL));
  g_assert_cmpmem (before, n, after, m);
}

static void
test_refused (Fixture *f, gconstpointer unused)
{
  struct
  {
    const char *sql, *words;
    int code;
  } cases[] = {
    { "PRAGMA user_version=2", "newer", PARE_ERROR_UNSUPPORTED },
    { "PRAGMA application_id=7", "another program", PARE_ERROR_FORMAT },
    { "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries; END", "tables", PARE_ERROR_FORMAT },
    { "DROP TABLE sizes", "tables", PARE_ERROR_FORMAT },
    { "UPDATE entries SET title = 'x' WHERE id = 3", "digest", PARE_ERROR_FORMAT },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      GError *error = NULL;
      PareStore *store = pare_store_create (f->path, &error);
      g_assert_no_error (error);
      fill (store);
      pare_store_close (store);
      change_with_sql (f->path, cases[i].sql);
      assert_refused (f->path, cases[i].code, cases[i].words);
      g_unlink (f->path);
    }
  sqlite3 *db;
  g_assert_cmpint (sqlite3_open (f->path, &db), ==, SQLITE_OK);
  sqlite3_exec (db, "CREATE TABLE other (x)", NULL, NULL, NULL);
  sqlite3_close (db);
  g_assert_false (pare_store_sniff (f->path));
  assert_refused (f->path, PARE_ERROR_FORMAT, "another program");
}

static void
test_copy (Fixture *f, gconstpointer unused)
{
  GError *error = NULL;
  g_autofree char *to = g_build_filename (f->folder, "copy.pare", NULL);
  PareStore *store = pare_store_create (f->path, &error);
  g_assert_no_error (error);
  fill (store);
  g_assert_true (pare_store_copy (store, to, FALSE, NULL, &error));
  g_assert_no_error (error);
  put_entry (store, 50, 20);
  g_assert_true (pare_store_copy (store, to, FALSE, NULL, &error));       /* replaces */
  g_assert_false (pare_store_copy (store, f->path, FALSE, NULL, &error)); /* itself */
  g_assert_error (error, PARE_ERROR, PARE_ERROR_FILE);
  g_clear_error (&error);
  pare_store_close (store);
  g_autofree char *a = describe (f->path, &error), *b = describe (to, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (a, ==, b);
  g_assert_nonnull (strstr (b, "entry 50"));
  g_autofree char *nowhere = g_build_filename (f->folder, "none", "x.pare", NULL);
  store = pare_store_open_read (f->path, &error);
  g_assert_no_error (error);
  g_assert_false (pare_store_copy (store, nowhere, FALSE, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_FILE);
  g_clear_error (&error);
  pare_store_close (store);
}

static gboolean
has_size (PareStore *store, const char *recipe)
{
  PareSize size;
  gint64 macs;
  g_autoptr (GError) error = NULL;
  gboolean has = pare_store_read_size (store, recipe, &size, &macs, &error);
  g_assert_no_error (error);
  return has;
}

/* Which recipes have figures is known without asking the file, wherever they come from: written before, written now, handed over, or by
 * another store. */
static void
test_measured (Fixture *f, gconstpointer unused)
{
  GError *error = NULL;
  PareSize size = { .params = 1 };
  g_autofree char *to = g_build_filename (f->folder, "copy.pare", NULL);
  PareStore *store = pare_store_create (f->path, &error);
  g_assert_no_error (error);
  g_assert_false (has_size (store, "a"));
  pare_store_put_size (store, "a", &size, 1);
  g_assert_true (pare_store_flush (store, NULL));
  g_assert_true (has_size (store, "a"));
  g_assert_true (pare_store_copy (store, to, TRUE, NULL, &error));
  pare_store_put_size (store, "b", &size, 1);
  PareStore *other = pare_store_open (to, &error);
  g_assert_no_error (error);
  g_assert_true (has_size (other, "a"));
  g_assert_false (has_size (other, "b"));
  pare_store_put_size (store, "d", &size, 1);
  pare_store_hand_over (store, other); /* at once: "d" is not written yet */
  g_assert_true (has_size (store, "b") && has_size (store, "d"));
  g_assert_true (pare_store_flush (other, NULL));
  g_assert_true (has_size (other, "b") && has_size (other, "d"));
  pare_store_close (other);
  PareStore *reader = pare_store_open_read (f->path, &error);
  g_assert_no_error (error);
  g_assert_false (has_size (reader, "c"));
  pare_store_put_size (store, "c", &size, 1);
  gint64 until = g_get_monotonic_time () + 5 * G_USEC_PER_SEC; /* it is written soon by itself */
  while (!has_size (reader, "c") && g_get_monotonic_time () < until)
    g_usleep (1000);
  g_assert_true (has_size (reader, "c"));
  pare_store_close (reader);
  pare_store_close (store);
}

static void
count_trouble (const char *text, gpointer data)
{
  int *counts = data;
  g_atomic_int_inc (&counts[text != NULL ? 0 : 1]);
}

/* A full disk, played by the limit on a file's length: told once, kept, and written when there is room again. */
static void
test_full_disk (Fixture *f, gconstpointer unused)
{
  pid_t child = fork ();
  if (child == 0)
    {
      int counts[2] = { 0, 0 };
      struct rlimit limit, old;
      signal (SIGXFSZ, SIG_IGN);
      PareStore *store = pare_store_create (f->path, NULL);
      if (store == NULL)
        _exit (1);
      pare_store_set_trouble_func (store, count_trouble, counts);
      put_entry (store, 1, 0);
      if (!pare_store_flush (store, NULL))
        _exit (2);
      getrlimit (RLIMIT_FSIZE, &old);
      limit = old;
      limit.rlim_cur = 100000;
      setrlimit (RLIMIT_FSIZE, &limit);
      PareEvaluation *evaluation = make_evaluation (20000, 0);
      for (int i = 0; i < 5; i++)
        pare_store_put_evaluation (store, i % 2 == 0 ? "a" : "b", "d", PARE_SPLIT_SEARCH, evaluation, FALSE);
      put_entry (store, 2, 1);
      GError *error = NULL;
      if (pare_store_flush (store, &error) || error == NULL || g_atomic_int_get (&counts[0]) != 1)
        _exit (3);
      setrlimit (RLIMIT_FSIZE, &old);
      if (!pare_store_flush (store, NULL) || g_atomic_int_get (&counts[1]) != 1)
        _exit (4);
      pare_store_close (store);
      _exit (0);
    }
  int status;
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);
  GError *error = NULL;
  g_autoptr (PareStore) store = pare_store_open (f->path, &error);
  g_assert_no_error (error);
  g_autoptr (GPtrArray) entries = pare_store_list_entries (store, &error);
  g_assert_cmpuint (entries->len, ==, 2);
  g_autoptr (PareEvaluation) e = pare_store_read_evaluation (store, "b", "d", PARE_SPLIT_SEARCH, TRUE, &error);
  g_assert_nonnull (e);
  g_assert_cmpuint (e->n, ==, 20000);
}

/* Arrays of the codec: every prefix and every flipped bit is refused or read without leaving its bounds (the sanitizers watch). */
static void
test_codec (void)
{
  g_autoptr (PareEvaluation) made = make_evaluation (37, 3);
  g_autoptr (GBytes) bytes = pare_evaluation_samples_to_bytes (made, TRUE);
  gsize n;
  const guint8 *data = g_bytes_get_data (bytes, &n);
  PareRng rng = { 3 };
  guint refused = 0;
  for (gsize cut = 0; cut <= n; cut++)
    {
      g_autofree guint8 *copy = g_memdup2 (data, cut);
      g_autoptr (PareEvaluation) e = pare_evaluation_blank ();
      if (!pare_evaluation_samples_from_bytes (e, copy, cut, NULL))
        refused++;
    }
  g_assert_cmpuint (refused, >, n - 10);
  for (int i = 0; i < 2000; i++)
    {
      g_autofree guint8 *copy = g_memdup2 (data, n);
      g_autoptr (PareEvaluation) e = pare_evaluation_blank ();
      copy[pare_rng_below (&rng, i % 2 == 0 ? 40 : n)] ^= (guint8)(1 << pare_rng_below (&rng, 8));
      pare_evaluation_samples_from_bytes (e, copy, n, NULL);
    }
  g_autoptr (PareEvaluation) back = pare_evaluation_blank ();
  g_assert_true (pare_evaluation_samples_from_bytes (back, data, n, NULL));
  g_assert_cmpmem (back->outputs, 37 * 3 * 4, made->outputs, 37 * 3 * 4);
  guint32 huge[2] = { GUINT32_TO_LE (0x40000000), 0 };
  g_assert_false (pare_evaluation_samples_from_bytes (back, huge, sizeof huge, NULL));
  PareLatency latency = { 0 };
  g_assert_false (pare_latency_layers_from_bytes (&latency, huge, sizeof huge, NULL));
  g_assert_null (latency.layers);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) g_test_add ("/store/" name, Fixture, NULL, set_up, func, tear_down)
  ADD ("roundtrip", test_roundtrip);
  ADD ("second-writer", test_second_writer);
  ADD ("kill", test_kill);
  ADD ("damaged", test_damaged);
  ADD ("refused", test_refused);
  ADD ("copy", test_copy);
  ADD ("measured", test_measured);
  ADD ("full-disk", test_full_disk);
  g_test_add_func ("/store/codec", test_codec);
  return g_test_run ();
}
