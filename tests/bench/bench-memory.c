/* Memory: bench-memory [MODEL [FOLDER]]. What opening and compiling a model takes, and whether calibrating and evaluating take more for
 * more samples: each is done by a process of its own, which says the most it ever held. FOLDER holds calibration.csv and report.csv with
 * images; without, MobileNet v2 and ImageNet's images in $PARE_SHARED (or ../shared beside the source). */
#include "engine/base/pare-memory.h"
#include "engine/compress/pare-statistics.h"
#include "engine/evaluate/pare-evaluate.h"
#include "engine/onnx/pare-onnx.h"
#include "engine/project/pare-session.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

/* Samples are kept to be used again up to this many bytes by default (pare_dataset_set_cache). */
#define SAMPLE_CACHE (512u << 20)

static int
fail (GError *error)
{
  fprintf (stderr, "bench-memory: %s\n", error->message);
  g_error_free (error);
  return 1;
}

static void
on_opened (GObject *object, GAsyncResult *result, gpointer data)
{
  GError *error = NULL;
  *(int *)data = pare_session_open_finish (PARE_SESSION (object), result, &error) ? 0 : fail (error);
}

static gboolean
on_wake (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

/* As the workbench opens it; settled: until its jobs are done (size, latency, what the charts ask for). */
static int
open_in_session (const char *model, gboolean settled)
{
  g_autofree char *folder = g_dir_make_tmp ("pare-memory-XXXXXX", NULL);
  g_setenv ("XDG_DATA_HOME", folder, TRUE);
  int status = -1;
  g_autoptr (PareSession) session = pare_session_new ();
  guint wake = g_timeout_add (20, on_wake, NULL);
  pare_session_open_async (session, model, NULL, on_opened, &status);
  while (status < 0)
    g_main_context_iteration (NULL, TRUE);
  if (!settled)
    printf ("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", pare_memory_peak (), pare_memory_own ());
  gint64 quiet_since = g_get_monotonic_time ();
  while (settled && g_get_monotonic_time () - quiet_since < 2 * G_USEC_PER_SEC)
    {
      g_main_context_iteration (NULL, TRUE);
      if (pare_session_get_n_jobs (session) > 0)
        quiet_since = g_get_monotonic_time ();
    }
  if (settled)
    printf ("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", pare_memory_peak (), pare_memory_own ());
  g_source_remove (wake);
  g_clear_object (&session);
  char *argv[] = { (char *)"rm", (char *)"-r", folder, NULL };
  g_spawn_sync (NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
  return status;
}

/* One job; prints the peak in bytes. */
static int
child (const char *what, guint n, const char *model, const char *data)
{
  GError *error = NULL;
  if (g_str_has_prefix (what, "session"))
    return open_in_session (model, strcmp (what, "session-settled") == 0);
  g_autoptr (PareGraph) graph = pare_onnx_load (model, NULL, &error);
  if (graph == NULL)
    return fail (error);
  g_autoptr (PareDataset) dataset = NULL;
  g_autoptr (PareStatistics) statistics = NULL;
  g_autoptr (PareEvaluation) evaluation = NULL;
  g_autoptr (PareProgram) program = NULL;
  if (strcmp (what, "calibrate") == 0 || g_str_has_prefix (what, "evaluate"))
    {
      dataset = pare_dataset_open (data, &error);
      if (dataset == NULL)
        return fail (error);
    }
  if (strcmp (what, "calibrate") == 0)
    statistics = pare_calibrate (graph, dataset, n, 0, PARE_BACKEND_AUTO, NULL, &error);
  else if (g_str_has_prefix (what, "evaluate"))
    {
      if (strcmp (what, "evaluate-uncached") == 0)
        pare_dataset_set_cache (dataset, 0);
      PareEvaluateOptions options = { .split = PARE_SPLIT_REPORT, .limit = n };
      evaluation = pare_evaluate (graph, dataset, &options, NULL, &error);
    }
  else if (strcmp (what, "compile") == 0)
    program = pare_program_compile (graph, NULL, &error);
  if (error != NULL)
    return fail (error);
  printf ("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", pare_memory_peak (), pare_memory_own ());
  return 0;
}

/* MiB that a child of this program held at most; -1: it failed. */
static double
peak_of (const char *what, guint n, const char *model, const char *data, double *own)
{
  g_autofree char *number = g_strdup_printf ("%u", n), *out = NULL;
  char *argv[] = { (char *)"/proc/self/exe", (char *)"--child", (char *)what, number, (char *)model, (char *)data, NULL };
  int status = 0;
  g_autoptr (GError) error = NULL;
  g_autofree char *self = g_file_read_link ("/proc/self/exe", &error);
  argv[0] = self;
  if (self == NULL || !g_spawn_sync (NULL, argv, NULL, 0, NULL, NULL, &out, NULL, &status, &error) || status != 0)
    return -1;
  char *rest;
  double peak = (double)g_ascii_strtoull (out, &rest, 10);
  *own = (double)g_ascii_strtoull (rest, NULL, 10) / 1048576.0;
  return peak / 1048576.0;
}

/* The rows of a CSV, their files made absolute. */
static gboolean
add_rows (GPtrArray *rows, const char *folder, const char *name, GError **error)
{
  g_autofree char *path = g_build_filename (folder, name, NULL), *text = NULL;
  if (!g_file_get_contents (path, &text, NULL, error))
    return FALSE;
  g_auto (GStrv) lines = g_strsplit (g_strchomp (text), "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    g_ptr_array_add (rows, g_build_filename (folder, lines[i], NULL));
  return TRUE;
}

/* (transfer full) A description with at least 320 samples to calibrate with and 320 to evaluate, in `dir`. */
static char *
describe (const char *folder, const char *dir, GError **error)
{
  g_autoptr (GPtrArray) rows = g_ptr_array_new_with_free_func (g_free);
  if (!add_rows (rows, folder, "report.csv", error) || !add_rows (rows, folder, "calibration.csv", error))
    return NULL;
  g_ptr_array_add (rows, NULL);
  g_autofree char *text = g_strjoinv ("\n", (char **)rows->pdata), *list = g_build_filename (dir, "list.csv", NULL);
  char *description = g_build_filename (dir, "data.json", NULL);
  const char *json = "{ \"format\": \"csv\", \"task\": \"classification\", \"class_offset\": 1,"
                     "  \"splits\": { \"calibration\": \"list.csv\", \"search\": \"list.csv\", \"report\": \"list.csv\" },"
                     "  \"preprocess\": { \"crop\": 224, \"layout\": \"NCHW\", \"color\": \"RGB\", \"scale\": 0.00784313725490196,"
                     "    \"mean\": [1, 1, 1], \"std\": [1, 1, 1] } }";
  if (g_file_set_contents (list, text, -1, error) && g_file_set_contents (description, json, -1, error))
    return description;
  g_free (description);
  return NULL;
}

static int
grows (const char *what, const char *model, const char *data)
{
  double own, few = peak_of (what, 32, model, data, &own), many = peak_of (what, 320, model, data, &own);
  if (few < 0 || many < 0)
    return 1;
  printf ("%-18s  32 samples %8.1f MiB   320 samples %8.1f MiB   %+.1f MiB\n", what, few, many, many - few);
  return 0;
}

int
main (int argc, char **argv)
{
  if (argc == 6 && strcmp (argv[1], "--child") == 0)
    return child (argv[2], (guint)g_ascii_strtoull (argv[3], NULL, 10), argv[4], argv[5]);
  const char *env = g_getenv ("PARE_SHARED"), *source = g_getenv ("PARE_SOURCE_ROOT");
  g_autofree char *shared = env != NULL ? g_strdup (env) : g_build_filename (source != NULL ? source : ".", "..", "shared", NULL),
                  *relative = g_build_filename (shared, "material", "data", "imagenet", NULL),
                  *folder = g_canonicalize_filename (argc > 2 ? argv[2] : relative, NULL),
                  *model
                  = argc > 1 ? g_strdup (argv[1]) : g_build_filename (shared, "material", "models", "imagenet-mobilenet-v2.onnx", NULL);
  GError *error = NULL;
  GStatBuf info;
  if (g_stat (model, &info) != 0)
    {
      fprintf (stderr, "bench-memory: %s is not there\n", model);
      return 1;
    }
  static const char *const jobs[] = { "open", "compile", "session", "session-settled" };
  for (guint i = 0; i < G_N_ELEMENTS (jobs); i++)
    {
      double own = 0, peak = peak_of (jobs[i], 0, model, "", &own);
      if (peak < 0)
        return 1;
      printf ("%-18s peak %8.1f MiB, %.1f MiB of its own; the file has %.1f MiB\n", jobs[i], peak, own, info.st_size / 1048576.0);
    }
  if (argc == 2)
    return 0; /* a model alone */
  g_autofree char *dir = g_dir_make_tmp ("pare-memory-XXXXXX", &error), *data = dir != NULL ? describe (folder, dir, &error) : NULL;
  int status = 1;
  if (data == NULL)
    fail (error);
  else
    status = grows ("calibrate", model, data) || grows ("evaluate-uncached", model, data) || grows ("evaluate", model, data);
  if (status == 0)
    printf ("evaluate keeps preprocessed samples for the next evaluation, up to %u MiB\n", SAMPLE_CACHE >> 20);
  static const char *const files[] = { "list.csv", "data.json", "" };
  for (guint i = 0; dir != NULL && i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = g_build_filename (dir, files[i], NULL);
      g_remove (path);
    }
  return status;
}
