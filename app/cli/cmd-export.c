#include "app/cli/pare-cli.h"
#include "engine/export/pare-export.h"
#include "engine/lower/pare-plan-file.h"
#include "engine/onnx/pare-onnx.h"

#include <string.h>

/* The compiled model: what pare-rt runs. */
static gboolean
save_plan (PareCliOptions *o, const PareGraph *graph, GError **error)
{
  PareCompileOptions compile = { .shapes = (const PareNamedShape *)o->shapes->data, .n_shapes = o->shapes->len };
  g_autoptr (PareProgram) program = pare_program_compile (graph, &compile, error);
  return program != NULL && pare_program_save_plan (program, o->output, error);
}

/* What optimize writes, without measuring: the recipe applied and the file written. */
static int
run (PareCliOptions *o)
{
  if (o->format == NULL || o->output == NULL)
    return pare_cli_usage ("export needs --format onnx|plan and --output PATH");
  gboolean plan = strcmp (o->format, "plan") == 0;
  if (!plan && strcmp (o->format, "onnx") != 0)
    return pare_cli_usage ("--format %s is not available; onnx and plan are", o->format);
  GError *error = NULL;
  g_autoptr (PareGraph) graph = pare_cli_load_model (o, FALSE, &error);
  if (graph == NULL)
    return pare_cli_fail (error);
  g_autoptr (PareRecipe) recipe = o->recipe != NULL ? pare_recipe_load (o->recipe, &error) : pare_recipe_new ();
  if (recipe == NULL)
    return pare_cli_fail (error);
  g_autoptr (PareDataset) dataset = NULL;
  g_autoptr (PareStatistics) statistics = NULL;
  if (o->data != NULL)
    {
      dataset = pare_dataset_open (o->data, &error);
      if (dataset == NULL)
        return pare_cli_fail (error);
      statistics = pare_cli_calibrate (o, graph, dataset, recipe, &error);
      if (error != NULL)
        return pare_cli_fail (error);
    }
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (PareGraph) changed = pare_apply (graph, recipe, statistics, warnings, o->control, &error);
  if (changed == NULL)
    return pare_cli_fail (error);
  if (plan)
    {
      if (!save_plan (o, changed, &error))
        return pare_cli_fail (error);
      pare_cli_warnings (warnings);
      return PARE_EXIT_DONE;
    }
  g_auto (GStrv) metadata = pare_cli_metadata (recipe, NULL, NULL, dataset);
  g_autoptr (PareGraph) exported = pare_export_onnx (changed, (const char *const *)metadata, &error);
  if (exported == NULL || !pare_onnx_save (exported, o->output, &error))
    return pare_cli_fail (error);
  pare_cli_warnings (warnings);
  return PARE_EXIT_DONE;
}

const PareCliCommand pare_cli_export
    = { "export",
        "MODEL --format onnx|plan --output PATH [--recipe R.json] [--data DATA] [--shape NAME=1,3,224,224] [--input NAME=FILE.npy]",
        "writes the compressed model for other runtimes, or compiled for pare-rt (data: where activations are quantized)",
        "format output recipe data backend shape input",
        FALSE,
        run };
