#include "app/cli/pare-cli.h"
#include "engine/base/pare-error.h"
#include "engine/lower/pare-plan-file.h"

#include <glib/gstdio.h>
#include <string.h>

static gboolean
has_all (const PareCliOptions *o, const PareGraph *graph, GHashTable *tensors, GError **error)
{
  for (guint k = 0; k < graph->n_inputs; k++)
    if (!g_hash_table_contains (tensors, graph->values[graph->inputs[k]].name))
      {
        g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: input '%s' is missing: --input %s=FILE.npy", o->model,
                     graph->values[graph->inputs[k]].name, graph->values[graph->inputs[k]].name);
        return FALSE;
      }
  return TRUE;
}

/* NAME.npy as a file can be called: separators become underscores; a name that is longer than file systems take, or that another output has
 * by then, is told apart by the output's number. `taken` keeps it. */
static const char *
file_of (const char *name, guint i, GHashTable *taken)
{
  const gsize longest = 200; /* bytes */
  g_autofree char *whole = g_strdelimit (g_strdup (name), "/:", '_');
  gboolean fits = strlen (whole) <= longest;
  g_autofree char *start = fits ? g_strdup (whole) : g_utf8_make_valid (whole, (gssize)longest);
  char *file = fits ? g_strconcat (start, ".npy", NULL) : NULL;
  for (; file == NULL || g_hash_table_contains (taken, file); i++)
    {
      g_free (file);
      file = g_strdup_printf ("%s-%u.npy", start, i);
    }
  g_hash_table_add (taken, file);
  return file;
}

static gboolean
save_outputs (PareCliOptions *o, PareProgram *program, PareRunner *runner, GError **error)
{
  if (g_mkdir_with_parents (o->output_dir, 0777) != 0)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "%s: the folder cannot be made", o->output_dir);
      return FALSE;
    }
  g_autoptr (GHashTable) taken = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < pare_program_get_n_outputs (program); i++)
    {
      const char *name = pare_program_get_output (program, i, NULL, NULL);
      PareView view = pare_runner_get_output (runner, i);
      g_autoptr (PareTensor) t = pare_tensor_new (view.dtype, &view.shape, error);
      if (t == NULL)
        return FALSE;
      memcpy (t->data, view.data, t->bytes);
      g_autofree char *path = g_build_filename (o->output_dir, file_of (name, i, taken), NULL);
      if (!pare_npy_save (path, t, error))
        return FALSE;
    }
  return TRUE;
}

/* One line a step: hash of what it computed, operator, layer. */
static void
print_hashes (PareRunner *runner)
{
  guint n;
  g_autofree PareStepHash *hashes = pare_runner_dup_hashes (runner, &n);
  for (guint i = 0; i < n; i++)
    g_print ("%016" G_GINT64_MODIFIER "x %s %s\n", hashes[i].hash, hashes[i].op, hashes[i].layer);
}

static int
run (PareCliOptions *o)
{
  if (o->output_dir == NULL)
    return pare_cli_usage ("run needs --output-dir DIR");
  GError *error = NULL;
  g_autoptr (PareGraph) graph = pare_cli_load_model (o, TRUE, &error);
  if (graph == NULL)
    return pare_cli_fail (error);
  g_autoptr (GHashTable) tensors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify)pare_tensor_unref);
  if (!pare_cli_load_inputs (o, graph, tensors, &error) || !has_all (o, graph, tensors, &error))
    return pare_cli_fail (error);
  PareCompileOptions compile = { .backend = o->backend,
                                 .shapes = (const PareNamedShape *)o->shapes->data,
                                 .n_shapes = o->shapes->len,
                                 .keep_steps = o->hashes,
                                 .memory_budget = o->memory_budget };
  g_autoptr (PareProgram) program = pare_program_compile (graph, &compile, &error);
  if (program == NULL)
    return pare_cli_fail (error);
  g_autoptr (PareRunner) runner = pare_runner_new (program, o->threads, &error);
  if (runner == NULL)
    return pare_cli_fail (error);
  guint n = pare_program_get_n_inputs (program);
  g_autofree PareView *views = g_new0 (PareView, MAX (n, 1));
  for (guint i = 0; i < n; i++)
    views[i] = pare_tensor_view (g_hash_table_lookup (tensors, pare_program_get_input (program, i, NULL, NULL)));
  if (!pare_runner_run (runner, views, n, o->control, &error) || !save_outputs (o, program, runner, &error))
    return pare_cli_fail (error);
  if (o->hashes)
    print_hashes (runner);
  return PARE_EXIT_DONE;
}

const PareCliCommand pare_cli_run
    = { "run",
        "MODEL --input NAME=FILE.npy ... --output-dir DIR [--backend auto|portable|onednn] [--memory-budget 2G] [--hashes]",
        "runs the model once and writes each output as DIR/NAME.npy (hashes: prints one of what each step computed)",
        "input output-dir backend memory-budget hashes",
        FALSE,
        run };
