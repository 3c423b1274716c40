#include "app/cli/pare-cli.h"
#include "engine/base/pare-error.h"

/* One line for each sample in split order: label, prediction. */
static gboolean
write_predictions (const char *path, const PareEvaluation *e, GError **error)
{
  g_autoptr (GString) text = g_string_new ("label,prediction\n");
  for (guint i = 0; i < e->n; i++)
    if (e->prediction != NULL)
      g_string_append_printf (text, "%d,%d\n", e->label != NULL ? e->label[i] : -1, e->prediction[i]);
    else
      g_string_append_printf (text, "%d,%.9g\n", e->label != NULL ? e->label[i] : -1, e->score != NULL ? e->score[i] : 0);
  GError *inner = NULL;
  if (g_file_set_contents (path, text->str, (gssize)text->len, &inner))
    return TRUE;
  g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "%s: %s", path, inner->message);
  g_error_free (inner);
  return FALSE;
}

static void
json_classes (JsonBuilder *b, PareDataset *dataset, const PareEvaluation *e)
{
  json_builder_set_member_name (b, "classes");
  json_builder_begin_array (b);
  if (e->correct != NULL && e->label != NULL && pare_dataset_get_task (dataset) == PARE_TASK_CLASSIFICATION)
    {
      int top = -1;
      for (guint i = 0; i < e->n; i++)
        top = MAX (top, e->label[i]);
      g_autofree guint *all = g_new0 (guint, top + 2), *right = g_new0 (guint, top + 2);
      for (guint i = 0; i < e->n; i++)
        if (e->label[i] >= 0 && e->prediction[i] != -1)
          {
            all[e->label[i]]++;
            right[e->label[i]] += e->correct[i];
          }
      for (int c = 0; c <= top; c++)
        if (all[c] > 0)
          {
            json_builder_begin_object (b);
            pare_cli_json_int (b, "label", c);
            pare_cli_json_string (b, "name", pare_dataset_get_class_name (dataset, c));
            pare_cli_json_int (b, "samples", all[c]);
            pare_cli_json_double (b, "value", (double)right[c] / all[c]);
            json_builder_end_object (b);
          }
    }
  json_builder_end_array (b);
}

static int
run (PareCliOptions *o)
{
  if (o->data == NULL)
    return pare_cli_usage ("evaluate needs --data DATA");
  GError *error = NULL;
  g_autoptr (PareGraph) graph = pare_cli_load_model (o, FALSE, &error);
  if (graph == NULL)
    return pare_cli_fail (error);
  g_autoptr (PareDataset) dataset = pare_dataset_open (o->data, &error);
  if (dataset == NULL)
    return pare_cli_fail (error);
  PareEvaluateOptions options = { .split = o->split, .limit = o->limit, .threads = o->threads, .backend = o->backend };
  gint64 start = g_get_monotonic_time ();
  g_autoptr (PareEvaluation) e = pare_evaluate (graph, dataset, &options, o->control, &error);
  if (e == NULL || (o->predictions != NULL && !write_predictions (o->predictions, e, &error)))
    return pare_cli_fail (error);
  double seconds = (g_get_monotonic_time () - start) / 1e6;
  pare_cli_end_progress ();
  PareCompileOptions compile = { .backend = o->backend };
  g_autoptr (PareProgram) program = pare_evaluate_compile (graph, dataset, o->split, &compile, &error);
  if (program == NULL)
    return pare_cli_fail (error);
  guint multiplied, steps = pare_program_count_bf16 (program, &multiplied);
  const char *precision = pare_cost_precision (steps, multiplied);
  if (!o->json)
    {
      g_autofree char *figure = pare_cli_figure (e);
      g_print ("%s %s, %s split, %.2f s%s%s\n", e->metric, figure, pare_split_name (o->split), seconds, precision != NULL ? ", " : "",
               precision != NULL ? precision : "");
      return PARE_EXIT_DONE;
    }
  g_autoptr (JsonBuilder) b = json_builder_new ();
  json_builder_begin_object (b);
  pare_cli_json_evaluation (b, e);
  pare_cli_json_string (b, "split", pare_split_name (o->split));
  pare_cli_json_double (b, "seconds", seconds);
  pare_cli_json_string (b, "precision", precision != NULL ? precision : "as the model says");
  json_classes (b, dataset, e);
  json_builder_end_object (b);
  pare_cli_json_print (b);
  return PARE_EXIT_DONE;
}

const PareCliCommand pare_cli_evaluate
    = { "evaluate",
        "MODEL --data DATA [--split calibration|search|report|all] [--limit N] [--predictions FILE.csv] [--json]",
        "measures accuracy with its 95 % interval",
        "data split limit predictions backend",
        TRUE,
        run };
