#include "app/cli/pare-cli.h"

#include <string.h>

static void
json_values (JsonBuilder *b, const char *name, const PareGraph *graph, const PareValueId *ids, guint n)
{
  json_builder_set_member_name (b, name);
  json_builder_begin_array (b);
  for (guint i = 0; i < n; i++)
    {
      const PareValue *v = &graph->values[ids[i]];
      json_builder_begin_object (b);
      pare_cli_json_string (b, "name", v->name);
      pare_cli_json_string (b, "dtype", pare_dtype_name (v->dtype));
      pare_cli_json_shape (b, "shape", &v->shape, v->dim_names);
      json_builder_end_object (b);
    }
  json_builder_end_array (b);
}

static void
print_json (const PareGraph *graph, const PareLayerInfo *infos, guint n, gint64 params, gint64 macs, guint bf16, const char *why_not)
{
  g_autoptr (JsonBuilder) b = json_builder_new ();
  json_builder_begin_object (b);
  json_values (b, "inputs", graph, graph->inputs, graph->n_inputs);
  json_values (b, "outputs", graph, graph->outputs, graph->n_outputs);
  pare_cli_json_int (b, "opset", graph->opset);
  pare_cli_json_int (b, "params", params);
  pare_cli_json_int (b, "macs", macs);
  pare_cli_json_int (b, "bf16_steps", bf16);
  pare_cli_json_string (b, "cannot_run", why_not);
  json_builder_set_member_name (b, "layers");
  json_builder_begin_array (b);
  for (guint i = 0; i < n; i++)
    {
      const PareNode *node = &graph->nodes[infos[i].node];
      json_builder_begin_object (b);
      pare_cli_json_string (b, "name", node->layer);
      pare_cli_json_string (b, "op", node->op);
      pare_cli_json_int (b, "params", infos[i].params);
      pare_cli_json_int (b, "macs", infos[i].macs);
      pare_cli_json_shape (b, "output_shape", &infos[i].output_shape, NULL);
      json_builder_end_object (b);
    }
  json_builder_end_array (b);
  json_builder_end_object (b);
  pare_cli_json_print (b);
}

/* Layers that multiply bfloat16, as the model says. */
static guint
count_bf16 (const PareCliOptions *o, const PareGraph *graph, const PareGraph *canonical)
{
  gboolean any = FALSE;
  for (guint i = 0; canonical != NULL && i < canonical->n_values; i++)
    any |= canonical->values[i].storage == PARE_DTYPE_BFLOAT16 && canonical->values[i].constant == NULL;
  if (!any)
    return 0;
  PareCompileOptions compile = { .shapes = (const PareNamedShape *)o->shapes->data, .n_shapes = o->shapes->len };
  g_autoptr (PareProgram) program = pare_program_compile (graph, &compile, NULL);
  return program != NULL ? pare_program_count_bf16 (program, NULL) : 0;
}

static void
print_value (const char *kind, const PareValue *v)
{
  g_autofree char *shape = pare_shape_to_string (&v->shape);
  g_print ("%-8s %s %s %s\n", kind, v->name, pare_dtype_name (v->dtype), shape);
}

static int
run (PareCliOptions *o)
{
  GError *error = NULL;
  g_autoptr (PareGraph) graph = pare_cli_load_model (o, FALSE, &error);
  if (graph == NULL)
    return pare_cli_fail (error);
  /* Shapes are a service, not a condition: what cannot be inferred is shown without. */
  g_autoptr (PareGraph) canonical
      = pare_graph_canonicalize (graph, (const PareNamedShape *)o->shapes->data, o->shapes->len, pare_lower_eval_node, &error);
  if (canonical == NULL)
    {
      if (strstr (error->message, o->model) == NULL)
        g_prefix_error (&error, "%s: ", o->model);
      if (o->shapes->len > 0)
        return pare_cli_fail (error);
      pare_cli_warn ("%s", error->message);
      g_clear_error (&error);
    }
  g_autofree char *why_not = canonical != NULL ? pare_lower_why_not (canonical) : NULL;
  guint n;
  g_autofree PareLayerInfo *infos = pare_graph_layer_infos (graph, canonical, &n);
  gint64 params = pare_graph_count_params (graph), macs = 0;
  for (guint i = 0; i < n; i++)
    macs += infos[i].macs;
  guint bf16 = why_not == NULL ? count_bf16 (o, graph, canonical) : 0;
  if (o->json)
    {
      print_json (graph, infos, n, params, macs, bf16, why_not);
      return PARE_EXIT_DONE;
    }
  g_print ("%s: opset %d, %u layers, %" G_GINT64_FORMAT " parameters, %" G_GINT64_FORMAT " multiply-adds\n", o->model, graph->opset, n,
           params, macs);
  for (guint i = 0; i < graph->n_inputs; i++)
    print_value ("input", &graph->values[graph->inputs[i]]);
  for (guint i = 0; i < graph->n_outputs; i++)
    print_value ("output", &graph->values[graph->outputs[i]]);
  if (bf16 > 0)
    g_print ("bf16     %u steps\n", bf16);
  if (why_not != NULL)
    g_print ("cannot run: %s\n", why_not);
  g_print ("\n%-44s %-18s %12s %14s  %s\n", "layer", "op", "parameters", "multiply-adds", "output");
  for (guint i = 0; i < n; i++)
    {
      const PareNode *node = &graph->nodes[infos[i].node];
      g_autofree char *shape = pare_shape_to_string (&infos[i].output_shape);
      g_print ("%-44s %-18s %12" G_GINT64_FORMAT " %14" G_GINT64_FORMAT "  %s\n", node->layer, node->op, infos[i].params, infos[i].macs,
               shape);
    }
  return PARE_EXIT_DONE;
}

const PareCliCommand pare_cli_info
    = { "info",
        "MODEL [--shape NAME=1,3,224,224] [--input NAME=FILE.npy] [--json]",
        "inputs, outputs and layers with parameters, multiply-adds, shapes (input: a value that decides which branch runs)",
        "shape input",
        TRUE,
        run };
