#include "app/cli/pare-cli.h"
#include "engine/cost/pare-profile.h"

#include <math.h>
#include <string.h>

/* Rows that take time, and those whose work another's step does; the rest has nothing to do. */
static gboolean
is_shown (const PareProfileRow *row)
{
  return row->timed || row->inside != PARE_NONE;
}

static const char *
layer_name (const PareGraph *graph, PareNodeId layer)
{
  return layer < graph->n_nodes ? graph->nodes[layer].layer : "";
}

static void
print_layers (const PareProfile *profile, const PareGraph *graph)
{
  for (guint i = 0; i < profile->n_rows; i++)
    {
      const PareProfileRow *row = &profile->rows[i];
      const char *op = row->layer < graph->n_nodes ? graph->nodes[row->layer].op : "";
      if (!is_shown (row))
        continue;
      if (row->timed)
        g_print ("%9.4f ms %5.1f %% %8.1f GFLOP/s %7.1f GB/s  %-16s %s", row->ms, 100 * row->share, isnan (row->gops) ? 0 : row->gops,
                 isnan (row->gbs) ? 0 : row->gbs, op, layer_name (graph, row->layer));
      else
        g_print ("%49s  %-16s %s", "", op, layer_name (graph, row->layer));
      g_print (row->inside != PARE_NONE ? "  (in %s)\n" : "%s\n", row->inside != PARE_NONE ? layer_name (graph, row->inside) : "");
    }
  g_print ("%9.4f ms %5.1f %% the layers together, of %.4f ms\n", profile->layers_ms, 100 * profile->layers_ms / profile->whole_ms,
           profile->whole_ms);
}

static void
put_layers (JsonBuilder *b, const PareProfile *profile, const PareGraph *graph)
{
  json_builder_set_member_name (b, "layers");
  json_builder_begin_array (b);
  for (guint i = 0; profile != NULL && i < profile->n_rows; i++)
    {
      const PareProfileRow *row = &profile->rows[i];
      if (!is_shown (row))
        continue;
      json_builder_begin_object (b);
      pare_cli_json_string (b, "name", layer_name (graph, row->layer));
      pare_cli_json_string (b, "op", row->layer < graph->n_nodes ? graph->nodes[row->layer].op : "");
      if (row->inside != PARE_NONE)
        pare_cli_json_string (b, "in", layer_name (graph, row->inside));
      if (row->timed)
        {
          pare_cli_json_double (b, "median_ms", row->ms);
          pare_cli_json_int (b, "macs", row->macs);
          pare_cli_json_double (b, "gflops", isnan (row->gops) ? 0 : row->gops);
          pare_cli_json_double (b, "gb_per_s", isnan (row->gbs) ? 0 : row->gbs);
        }
      json_builder_end_object (b);
    }
  json_builder_end_array (b);
}

static int
run (PareCliOptions *o)
{
  GError *error = NULL;
  g_autoptr (PareGraph) graph = pare_cli_load_model (o, TRUE, &error);
  g_autoptr (GHashTable) tensors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify)pare_tensor_unref);
  if (graph == NULL || !pare_cli_load_inputs (o, graph, tensors, &error))
    return pare_cli_fail (error);
  g_autoptr (PareGraph) changed = NULL;
  if (o->bf16) /* as if every layer asked for 16 bits */
    {
      g_autoptr (PareRecipe) recipe = pare_recipe_new ();
      PareLayerRecipe all;
      pare_layer_recipe_init (&all);
      all.weight_bits = all.activation_bits = 16;
      pare_recipe_set_defaults (recipe, &all);
      changed = pare_apply (graph, recipe, NULL, NULL, o->control, &error);
      if (changed == NULL)
        return pare_cli_fail (error);
    }
  /* --batch sets the first symbolic extent of the first axis where no shape is given. */
  if (o->batch > 1 && o->shapes->len == 0)
    for (guint i = 0; i < graph->n_inputs; i++)
      {
        const PareValue *v = &graph->values[graph->inputs[i]];
        PareNamedShape shape = { g_strdup (v->name), v->shape };
        for (int d = 0; d < shape.shape.rank; d++)
          if (shape.shape.dims[d] < 0)
            shape.shape.dims[d] = d == 0 ? o->batch : 1;
        g_array_append_val (o->shapes, shape);
      }
  PareCompileOptions compile = {
    .backend = o->backend, .shapes = (const PareNamedShape *)o->shapes->data, .n_shapes = o->shapes->len, .memory_budget = o->memory_budget
  };
  PareGraph *measured = changed != NULL ? changed : graph;
  g_autoptr (PareProgram) program = pare_program_compile (measured, &compile, &error);
  if (program == NULL && o->shapes->len == 0 && pare_lower_assume_shapes (measured)) /* does not run at 1, where nothing is said */
    {
      g_clear_error (&error);
      g_autofree char *assumed = pare_graph_dup_assumed (measured);
      pare_cli_warn ("the model leaves its sizes open (--shape): measured with %s", assumed);
      program = pare_program_compile (measured, &compile, &error);
    }
  if (program == NULL)
    return pare_cli_fail (error);
  PareLatency latency = { 0 };
  guint n_inputs = pare_program_get_n_inputs (program);
  g_autofree PareTensor **given = g_new0 (PareTensor *, n_inputs + 1); /* what is not given is random */
  for (guint i = 0; i < n_inputs; i++)
    given[i] = g_hash_table_lookup (tensors, pare_program_get_input (program, i, NULL, NULL));
  if (!pare_cost_latency_on (program, given, o->threads, o->repeat > 0 ? o->repeat : 50, o->per_layer, &latency, o->control, &error))
    return pare_cli_fail (error);
  pare_cli_end_progress ();
  const char *precision = pare_cost_precision (latency.bf16_steps, latency.bf16_multiplied);
  if (latency.bf16_steps > 0 && latency.bf16_multiplied == 0)
    pare_cli_warn ("nothing here multiplies bfloat16: the answers are the same, the times are those of float32");
  g_autoptr (PareProfile) profile = latency.n_layers > 0 ? pare_profile_new (graph, &latency, NULL, NULL) : NULL;
  guint64 arena, sum, constants;
  pare_program_get_memory (program, &arena, &sum, &constants);
  guint64 packed = pare_program_get_packed_memory (program);
  if (o->json)
    {
      g_autoptr (JsonBuilder) b = json_builder_new ();
      json_builder_begin_object (b);
      pare_cli_json_double (b, "median_ms", latency.median_ms);
      pare_cli_json_double (b, "p10_ms", latency.p10_ms);
      pare_cli_json_double (b, "p90_ms", latency.p90_ms);
      pare_cli_json_int (b, "repeats", latency.repeats);
      pare_cli_json_int (b, "threads", o->threads);
      pare_cli_json_string (b, "precision", precision != NULL ? precision : "as the model says");
      pare_cli_json_int (b, "bf16_steps", latency.bf16_steps);
      pare_cli_json_int (b, "bf16_multiplied", latency.bf16_multiplied);
      pare_cli_json_int (b, "peak_rss_bytes", (gint64)latency.peak_rss_bytes);
      pare_cli_json_int (b, "arena_bytes", (gint64)arena);
      pare_cli_json_int (b, "tensors_bytes", (gint64)sum);
      pare_cli_json_int (b, "constants_bytes", (gint64)constants);
      pare_cli_json_int (b, "packed_bytes", (gint64)packed);
      put_layers (b, profile, graph);
      json_builder_end_object (b);
      pare_cli_json_print (b);
    }
  else
    {
      g_print ("median %.3f ms (p10 %.3f, p90 %.3f; %u runs, %d threads%s%s)\n", latency.median_ms, latency.p10_ms, latency.p90_ms,
               latency.repeats, o->threads, precision != NULL ? ", " : "", precision != NULL ? precision : "");
      g_print (
          "activations %.1f KiB planned of %.1f KiB in all, constants %.1f KiB and packed for the kernels %.1f KiB, peak memory %.1f MiB\n",
          arena / 1024.0, sum / 1024.0, constants / 1024.0, packed / 1024.0, latency.peak_rss_bytes / 1048576.0);
      if (profile != NULL)
        print_layers (profile, graph);
    }
  pare_latency_clear (&latency);
  return PARE_EXIT_DONE;
}

const PareCliCommand pare_cli_bench = { "bench",
                                        "MODEL [--shape NAME=...] [--input NAME=FILE.npy] [--batch N] [--repeat N] [--per-layer] "
                                        "[--backend ...] [--bf16] [--memory-budget 2G] [--json]",
                                        "measures latency",
                                        "shape input batch repeat per-layer backend memory-budget bf16",
                                        TRUE,
                                        run };
