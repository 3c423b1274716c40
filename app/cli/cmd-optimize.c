/* optimize: statistics from the calibration split, the figures from the report split, before and after on the same samples. */
#include "app/cli/pare-cli.h"
#include "engine/export/pare-export.h"
#include "engine/onnx/pare-onnx.h"

#include <glib/gstdio.h>

typedef struct
{
  PareEvaluation *accuracy;
  PareSize size;
  gint64 macs;
  PareLatency latency;
  GArray *layers;
} Side;

static void
side_clear (Side *side)
{
  g_clear_pointer (&side->accuracy, pare_evaluation_unref);
  g_clear_pointer (&side->layers, pare_layer_costs_free);
  pare_latency_clear (&side->latency);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Side, side_clear)

static gboolean
measure (PareCliOptions *o, const PareGraph *graph, PareDataset *dataset, const PareEvaluation *baseline, Side *side, GError **error)
{
  PareEvaluateOptions options
      = { .split = PARE_SPLIT_REPORT, .limit = o->limit, .threads = o->threads, .backend = o->backend, .baseline = baseline };
  side->accuracy = pare_evaluate (graph, dataset, &options, o->control, error);
  if (side->accuracy == NULL || !pare_cost_size (graph, NULL, &side->size, &side->layers, &side->macs, error))
    return FALSE;
  PareCompileOptions compile = { .backend = o->backend };
  g_autoptr (PareProgram) program = pare_evaluate_compile (graph, dataset, PARE_SPLIT_REPORT, &compile, error);
  return program != NULL && pare_cost_latency (program, o->threads, 20, FALSE, &side->latency, o->control, error);
}

static void
json_size (JsonBuilder *b, const char *name, const PareSize *size)
{
  json_builder_set_member_name (b, name);
  json_builder_begin_object (b);
  pare_cli_json_int (b, "params", size->params);
  pare_cli_json_int (b, "memory_bytes", size->memory_bytes);
  pare_cli_json_int (b, "file_bytes", size->file_bytes);
  pare_cli_json_int (b, "packed_bytes", size->packed_bytes);
  pare_cli_json_int (b, "download_bytes", size->download_bytes);
  json_builder_end_object (b);
}

static void
json_latency (JsonBuilder *b, const char *name, const PareLatency *latency)
{
  json_builder_set_member_name (b, name);
  json_builder_begin_object (b);
  pare_cli_json_double (b, "median_ms", latency->median_ms);
  pare_cli_json_double (b, "p10_ms", latency->p10_ms);
  pare_cli_json_double (b, "p90_ms", latency->p90_ms);
  pare_cli_json_string (
      b, "precision", latency->bf16_steps > 0 ? pare_cost_precision (latency->bf16_steps, latency->bf16_multiplied) : "as the model says");
  json_builder_end_object (b);
}

static void
begin (JsonBuilder *b, const char *name)
{
  json_builder_set_member_name (b, name);
  json_builder_begin_object (b);
}

static const PareLayerCost *
find_cost (const GArray *layers, const char *name)
{
  for (guint i = 0; i < layers->len; i++)
    if (g_str_equal (g_array_index (layers, PareLayerCost, i).layer, name))
      return &g_array_index (layers, PareLayerCost, i);
  return NULL;
}

static void
print_json (const PareRecipe *recipe, const Side *before, const Side *after)
{
  g_autoptr (JsonBuilder) b = json_builder_new ();
  json_builder_begin_object (b);
  begin (b, "baseline");
  pare_cli_json_evaluation (b, before->accuracy);
  json_builder_end_object (b);
  begin (b, "result");
  pare_cli_json_evaluation (b, after->accuracy);
  json_builder_end_object (b);
  begin (b, "size");
  json_size (b, "baseline", &before->size);
  json_size (b, "result", &after->size);
  json_builder_end_object (b);
  begin (b, "latency");
  json_latency (b, "baseline", &before->latency);
  json_latency (b, "result", &after->latency);
  json_builder_end_object (b);
  begin (b, "macs");
  pare_cli_json_int (b, "baseline", before->macs);
  pare_cli_json_int (b, "result", after->macs);
  json_builder_end_object (b);
  json_builder_set_member_name (b, "layers");
  json_builder_begin_array (b);
  for (guint i = 0; i < before->layers->len; i++)
    {
      const PareLayerCost *was = &g_array_index (before->layers, PareLayerCost, i), *now = find_cost (after->layers, was->layer);
      PareLayerRecipe resolved;
      pare_recipe_resolve (recipe, was->layer, &resolved);
      g_autofree char *shorthand = pare_layer_recipe_shorthand (&resolved);
      json_builder_begin_object (b);
      pare_cli_json_string (b, "name", was->layer);
      pare_cli_json_string (b, "op", was->op);
      pare_cli_json_string (b, "recipe", shorthand);
      pare_cli_json_int (b, "params", now != NULL ? now->params : 0);
      pare_cli_json_int (b, "macs", now != NULL ? now->macs : 0);
      pare_cli_json_int (b, "zeros", now != NULL ? now->zeros : 0);
      pare_cli_json_int (b, "packed_bytes", now != NULL ? now->packed_bytes : 0);
      pare_cli_json_int (b, "original_packed_bytes", was->packed_bytes);
      json_builder_end_object (b);
    }
  json_builder_end_array (b);
  json_builder_end_object (b);
  pare_cli_json_print (b);
}

static void
row_bytes (const char *name, gint64 before, gint64 after)
{
  g_autofree char *was = pare_cli_bytes (before), *now = pare_cli_bytes (after);
  g_print ("%-18s %14s %14s %+9.1f %%\n", name, was, now, before > 0 ? 100.0 * (after - before) / before : 0);
}

static void
print_table (const Side *before, const Side *after, const char *output)
{
  const PareEvaluation *a = before->accuracy, *r = after->accuracy;
  g_print ("%-18s %14s %14s %11s\n", "", "before", "after", "difference");
  g_print ("%-18s %13.2f%% %13.2f%% %+8.2f pp\n", r->metric, 100 * a->value, 100 * r->value, 100 * (r->value - a->value));
  if (r->has_difference)
    g_print ("%-18s %29s %+.2f .. %+.2f pp, 95 %%, %u samples\n", "  paired", "", 100 * r->difference_low, 100 * r->difference_high,
             r->done);
  row_bytes ("file", before->size.file_bytes, after->size.file_bytes);
  row_bytes ("packed", before->size.packed_bytes, after->size.packed_bytes);
  row_bytes ("download", before->size.download_bytes, after->size.download_bytes);
  row_bytes ("memory, deployed", before->size.memory_bytes, after->size.memory_bytes);
  g_print ("%-18s %14" G_GINT64_FORMAT " %14" G_GINT64_FORMAT " %+9.1f %%\n", "parameters", before->size.params, after->size.params,
           100.0 * (after->size.params - before->size.params) / MAX (1, before->size.params));
  g_print ("%-18s %14" G_GINT64_FORMAT " %14" G_GINT64_FORMAT " %+9.1f %%\n", "multiply-adds", before->macs, after->macs,
           100.0 * (after->macs - before->macs) / MAX (1, before->macs));
  const char *precision = pare_cost_precision (after->latency.bf16_steps, after->latency.bf16_multiplied);
  g_print ("%-18s %11.3f ms %11.3f ms %+9.1f %%   (p10 %.3f .. p90 %.3f%s%s)\n", "latency", before->latency.median_ms,
           after->latency.median_ms, 100 * (after->latency.median_ms / before->latency.median_ms - 1), after->latency.p10_ms,
           after->latency.p90_ms, precision != NULL ? "; " : "", precision != NULL ? precision : "");
  g_print ("written: %s\n", output);
}

static int
run (PareCliOptions *o)
{
  if (o->recipe == NULL || o->data == NULL || o->output == NULL)
    return pare_cli_usage ("optimize needs --recipe R.json, --data DATA and --output OUT.onnx");
  GError *error = NULL;
  g_autoptr (PareGraph) graph = pare_cli_load_model (o, FALSE, &error);
  if (graph == NULL)
    return pare_cli_fail (error);
  g_autoptr (PareRecipe) recipe = pare_recipe_load (o->recipe, &error);
  if (recipe == NULL)
    return pare_cli_fail (error);
  g_autoptr (PareDataset) dataset = pare_dataset_open (o->data, &error);
  if (dataset == NULL)
    return pare_cli_fail (error);
  g_autoptr (PareStatistics) statistics = pare_cli_calibrate (o, graph, dataset, recipe, &error);
  if (error != NULL)
    return pare_cli_fail (error);
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (PareGraph) changed = pare_apply (graph, recipe, statistics, warnings, o->control, &error);
  if (changed == NULL)
    return pare_cli_fail (error);
  g_auto (Side) before = { 0 }, after = { 0 };
  if (!measure (o, graph, dataset, NULL, &before, &error) || !measure (o, changed, dataset, before.accuracy, &after, &error))
    return pare_cli_fail (error);
  g_auto (GStrv) metadata = pare_cli_metadata (recipe, before.accuracy, after.accuracy, dataset);
  g_autoptr (PareGraph) exported = pare_export_onnx (changed, (const char *const *)metadata, &error);
  if (exported == NULL || !pare_onnx_save (exported, o->output, &error))
    return pare_cli_fail (error);
  GStatBuf st;
  if (g_stat (o->output, &st) == 0)
    after.size.file_bytes = st.st_size; /* with the metadata that only now exists */
  if (g_stat (o->model, &st) == 0)
    before.size.file_bytes = st.st_size;
  pare_cli_warnings (warnings);
  pare_cli_end_progress ();
  if (o->json)
    print_json (recipe, &before, &after);
  else
    print_table (&before, &after, o->output);
  return PARE_EXIT_DONE;
}

const PareCliCommand pare_cli_optimize = { "optimize",
                                           "MODEL --recipe R.json --data DATA --output OUT.onnx [--limit N] [--json]",
                                           "applies a recipe, measures before and after, exports",
                                           "recipe data output limit backend",
                                           TRUE,
                                           run };
