#include "app/cli/pare-cli.h"
#include "engine/base/pare-error.h"
#include "engine/onnx/pare-onnx.h"
#include "engine/project/pare-statistics-cache.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static GMutex progress_lock;
static gboolean progress_shown;

/* A line that is written over, on a terminal only, at most ten times a second. */
void
pare_cli_progress (const char *what, guint64 done, guint64 total, gpointer data)
{
  static gint64 last;
  static int terminal = -1;
  g_mutex_lock (&progress_lock);
  gint64 now = g_get_monotonic_time ();
  if (terminal < 0)
    terminal = isatty (STDERR_FILENO);
  if (terminal && (now - last > 100000 || done == total))
    {
      fprintf (stderr, "\r\033[K%s %" G_GUINT64_FORMAT " / %" G_GUINT64_FORMAT, what, done, total);
      fflush (stderr);
      last = now;
      progress_shown = TRUE;
    }
  g_mutex_unlock (&progress_lock);
}

void
pare_cli_end_progress (void)
{
  g_mutex_lock (&progress_lock);
  if (progress_shown)
    fputs ("\r\033[K", stderr);
  progress_shown = FALSE;
  g_mutex_unlock (&progress_lock);
}

/* One line, whatever a file's names hold. */
static void
print_line (const char *kind, const char *text)
{
  pare_cli_end_progress ();
  g_autofree char *line = g_utf8_make_valid (text, -1);
  for (char *c = line; *c != '\0'; c++)
    if ((guchar)*c < ' ')
      *c = ' ';
  fprintf (stderr, "pare: %s: %s\n", kind, line);
}

int
pare_cli_fail (GError *error)
{
  print_line ("error", error != NULL ? error->message : "failed without a reason");
  g_clear_error (&error);
  return PARE_EXIT_FAILED;
}

int
pare_cli_usage (const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  print_line ("error", text);
  return PARE_EXIT_USAGE;
}

void
pare_cli_warn (const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  print_line ("warning", text);
}

void
pare_cli_warnings (GPtrArray *warnings)
{
  for (guint i = 0; i < warnings->len; i++)
    print_line ("warning", g_ptr_array_index (warnings, i));
}

void
pare_cli_json_double (JsonBuilder *b, const char *name, double value)
{
  json_builder_set_member_name (b, name);
  if (isfinite (value))
    json_builder_add_double_value (b, value);
  else
    json_builder_add_null_value (b);
}

void
pare_cli_json_int (JsonBuilder *b, const char *name, gint64 value)
{
  json_builder_set_member_name (b, name);
  json_builder_add_int_value (b, value);
}

void
pare_cli_json_string (JsonBuilder *b, const char *name, const char *value)
{
  json_builder_set_member_name (b, name);
  if (value != NULL)
    json_builder_add_string_value (b, value);
  else
    json_builder_add_null_value (b);
}

void
pare_cli_json_shape (JsonBuilder *b, const char *name, const PareShape *shape, const char *const *dim_names)
{
  json_builder_set_member_name (b, name);
  if (shape->rank < 0)
    {
      json_builder_add_null_value (b);
      return;
    }
  json_builder_begin_array (b);
  for (int i = 0; i < shape->rank; i++)
    if (shape->dims[i] >= 0)
      json_builder_add_int_value (b, shape->dims[i]);
    else if (dim_names != NULL && dim_names[i] != NULL)
      json_builder_add_string_value (b, dim_names[i]);
    else
      json_builder_add_null_value (b);
  json_builder_end_array (b);
}

void
pare_cli_json_evaluation (JsonBuilder *b, const PareEvaluation *e)
{
  pare_cli_json_string (b, "metric", e->metric);
  pare_cli_json_double (b, "value", e->value);
  pare_cli_json_double (b, "low", e->low);
  pare_cli_json_double (b, "high", e->high);
  pare_cli_json_int (b, "samples", e->done);
  if (isfinite (e->top5))
    pare_cli_json_double (b, "top5", e->top5);
  if (isfinite (e->perplexity))
    pare_cli_json_double (b, "perplexity", e->perplexity);
  if (isfinite (e->kl))
    pare_cli_json_double (b, "kl", e->kl);
  if (e->has_difference)
    {
      json_builder_set_member_name (b, "paired_difference");
      json_builder_begin_object (b);
      pare_cli_json_double (b, "value", e->difference);
      pare_cli_json_double (b, "low", e->difference_low);
      pare_cli_json_double (b, "high", e->difference_high);
      pare_cli_json_int (b, "lost", e->lost);
      pare_cli_json_int (b, "gained", e->gained);
      json_builder_end_object (b);
    }
}

void
pare_cli_json_print (JsonBuilder *b)
{
  g_autoptr (JsonNode) root = json_builder_get_root (b);
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  json_generator_set_root (generator, root);
  json_generator_set_pretty (generator, TRUE);
  json_generator_set_indent (generator, 1);
  g_autofree char *text = json_generator_to_data (generator, NULL);
  puts (text);
}

char *
pare_cli_bytes (gint64 bytes)
{
  return bytes < 1024 * 1024 ? g_strdup_printf ("%.1f KiB", bytes / 1024.0) : g_strdup_printf ("%.2f MiB", bytes / 1048576.0);
}

char *
pare_cli_figure (const PareEvaluation *e)
{
  return g_strdup_printf ("%.4f (%.4f .. %.4f, %u samples)", e->value, e->low, e->high, e->done);
}

/* Of the values that --input gives, those that decide which branches run become constants; others stay in the list. */
static gboolean
bind_inputs (const PareCliOptions *options, PareGraph *graph, GError **error)
{
  g_autoptr (GArray) deciding = pare_graph_find_deciding_inputs (graph, PARE_NONE);
  for (guint k = 0; k < deciding->len; k++)
    {
      PareValueId id = g_array_index (deciding, PareValueId, k);
      g_autofree char *start = g_strconcat (graph->values[id].name, "=", NULL);
      for (guint i = options->inputs->len; i-- > 0;)
        if (g_str_has_prefix (g_ptr_array_index (options->inputs, i), start))
          {
            const char *file = (const char *)g_ptr_array_index (options->inputs, i) + strlen (start);
            g_autoptr (PareTensor) value = pare_npy_load (file, error);
            if (value == NULL)
              return FALSE;
            if (!pare_graph_bind_input (graph, id, value, error))
              {
                g_prefix_error (error, "%s: ", options->model);
                return FALSE;
              }
            g_ptr_array_remove_index (options->inputs, i);
            break;
          }
    }
  return TRUE;
}

PareGraph *
pare_cli_load_model (const PareCliOptions *options, gboolean runs_inputs, GError **error)
{
  g_autoptr (PareGraph) graph = pare_onnx_load (options->model, options->control, error);
  if (graph == NULL || !bind_inputs (options, graph, error))
    return NULL;
  if (!runs_inputs && options->inputs->len > 0)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: --input %s: only inputs that decide which branch runs take a value here",
                   options->model, (const char *)g_ptr_array_index (options->inputs, 0));
      return NULL;
    }
  return g_steal_pointer (&graph);
}

/* The extents of a value that is given, in the place of those that --shape says of it. */
static void
set_shape (GArray *shapes, const char *name, const PareShape *shape)
{
  for (guint i = 0; i < shapes->len; i++)
    if (strcmp (g_array_index (shapes, PareNamedShape, i).name, name) == 0)
      {
        g_array_index (shapes, PareNamedShape, i).shape = *shape;
        return;
      }
  PareNamedShape named = { g_strdup (name), *shape };
  g_array_append_val (shapes, named);
}

gboolean
pare_cli_load_inputs (PareCliOptions *options, const PareGraph *graph, GHashTable *tensors, GError **error)
{
  for (guint i = 0; i < options->inputs->len; i++)
    {
      const char *text = g_ptr_array_index (options->inputs, i), *equal = strrchr (text, '=');
      g_autofree char *name = g_strndup (text, (gsize)(equal - text));
      gboolean known = FALSE;
      for (guint k = 0; k < graph->n_inputs; k++)
        known |= strcmp (graph->values[graph->inputs[k]].name, name) == 0;
      if (!known)
        {
          g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: no input '%s'", options->model, name);
          return FALSE;
        }
      PareTensor *t = pare_npy_load (equal + 1, error);
      if (t == NULL)
        return FALSE;
      set_shape (options->shapes, name, &t->shape);
      g_hash_table_replace (tensors, g_steal_pointer (&name), t);
    }
  return TRUE;
}

PareStatistics *
pare_cli_calibrate (const PareCliOptions *options, const PareGraph *graph, PareDataset *dataset, const PareRecipe *recipe, GError **error)
{
  gboolean needed = FALSE;
  for (guint i = 0; i < graph->n_nodes && !needed; i++)
    {
      PareLayerRecipe layer;
      pare_recipe_resolve (recipe, graph->nodes[i].layer, &layer);
      needed = pare_layer_recipe_needs_ranges (&layer);
    }
  if (!needed)
    return NULL;
  return pare_statistics_cache_calibrate (graph, dataset, options->threads, options->backend, options->control, error);
}

char **
pare_cli_metadata (const PareRecipe *recipe, const PareEvaluation *baseline, const PareEvaluation *result, const PareDataset *dataset)
{
  GPtrArray *pairs = g_ptr_array_new ();
  g_ptr_array_add (pairs, g_strdup ("pare.version"));
  g_ptr_array_add (pairs, g_strdup (PARE_VERSION));
  g_ptr_array_add (pairs, g_strdup ("pare.recipe"));
  g_ptr_array_add (pairs, pare_recipe_to_json (recipe));
  if (result != NULL)
    {
      g_ptr_array_add (pairs, g_strdup ("pare.measured"));
      g_autofree char *before = pare_cli_figure (baseline), *after = pare_cli_figure (result);
      g_ptr_array_add (pairs, g_strdup_printf ("%s %s; original %s", result->metric, after, before));
    }
  if (dataset != NULL)
    {
      g_ptr_array_add (pairs, g_strdup ("pare.data_sha256"));
      g_ptr_array_add (pairs, g_strdup (pare_dataset_get_hash (dataset)));
    }
  g_ptr_array_add (pairs, NULL);
  return (char **)g_ptr_array_free (pairs, FALSE);
}
