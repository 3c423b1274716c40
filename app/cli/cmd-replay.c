/* replay: every recipe of a project measured again and exported; what was stored is held against what comes out now. */
#include "app/cli/pare-cli.h"
#include "engine/base/pare-error.h"
#include "engine/export/pare-export.h"
#include "engine/onnx/pare-onnx.h"
#include "engine/project/pare-store.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static PareGraph *
load_model (PareCliOptions *o, PareStore *store, const PareStoreModel *model, const char *path, GError **error)
{
  PareGraph *graph = NULL;
  if (path != NULL || (model->path != NULL && g_file_test (model->path, G_FILE_TEST_EXISTS)))
    {
      graph = pare_onnx_load (path != NULL ? path : model->path, o->control, error);
      if (graph == NULL || model->sha256 == NULL || strcmp (graph->sha256, model->sha256) == 0)
        return graph;
      if (path != NULL || !model->embedded)
        {
          g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: this is not the model of the project: its SHA-256 is %s, %s is recorded",
                       path != NULL ? path : model->path, graph->sha256, model->sha256);
          g_clear_pointer (&graph, pare_graph_unref);
          return NULL;
        }
      pare_cli_warn ("%s has changed since; the model kept in the project is used", model->path);
      g_clear_pointer (&graph, pare_graph_unref);
    }
  g_autoptr (GBytes) bytes = pare_store_read_model_bytes (store, error);
  if (bytes == NULL)
    {
      if (error != NULL && *error == NULL)
        g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "the model %s is gone: --model MODEL says where it is",
                     model->path != NULL ? model->path : "");
      return NULL;
    }
  return pare_onnx_parse (bytes, model->path, error);
}

/* The split whose figures are stored for this recipe. */
static PareEvaluation *
stored_figures (PareStore *store, const char *hash, const char *data_hash, PareSplit *split)
{
  static const PareSplit splits[] = { PARE_SPLIT_SEARCH, PARE_SPLIT_REPORT, PARE_SPLIT_CALIBRATION, PARE_SPLIT_ALL };
  for (guint i = 0; i < G_N_ELEMENTS (splits); i++)
    {
      PareEvaluation *e = pare_store_read_evaluation (store, hash, data_hash, splits[i], FALSE, NULL);
      if (e != NULL)
        {
          *split = splits[i];
          return e;
        }
    }
  return NULL;
}

typedef struct
{
  PareCliOptions *options;
  PareStore *store;
  PareGraph *graph;
  PareDataset *dataset; /* nullable */
  PareStatistics *statistics;
  GPtrArray *baselines; /* PareEvaluation for each split, or NULL */
  JsonBuilder *json;
  guint differ;
} Replay;

static gboolean
replay_entry (Replay *r, const PareStoreEntry *entry, GError **error)
{
  PareCliOptions *o = r->options;
  g_autoptr (PareRecipe) recipe = pare_recipe_parse (entry->recipe, -1, entry->title, error);
  if (recipe == NULL)
    return FALSE;
  if (r->statistics == NULL && r->dataset != NULL)
    {
      GError *inner = NULL;
      r->statistics = pare_cli_calibrate (o, r->graph, r->dataset, recipe, &inner);
      if (inner != NULL)
        {
          g_propagate_error (error, inner);
          return FALSE;
        }
    }
  g_autoptr (PareGraph) changed = pare_apply (r->graph, recipe, r->statistics, NULL, o->control, error);
  if (changed == NULL)
    return FALSE;
  g_autoptr (PareEvaluation) now = NULL, before = NULL;
  PareSplit split = PARE_SPLIT_SEARCH;
  if (r->dataset != NULL)
    {
      before = stored_figures (r->store, entry->hash, pare_dataset_get_hash (r->dataset), &split);
      PareEvaluateOptions options
          = { .split = split, .threads = o->threads, .backend = o->backend, .baseline = g_ptr_array_index (r->baselines, split) };
      now = pare_evaluate (changed, r->dataset, &options, o->control, error);
      if (now == NULL)
        return FALSE;
      if (g_ptr_array_index (r->baselines, split) == NULL && entry->parent == 0)
        g_ptr_array_index (r->baselines, split) = pare_evaluation_ref (now);
    }
  gboolean same = before == NULL || now == NULL || before->value == now->value;
  r->differ += !same;
  /* without the original's figure on this split nothing is claimed in the file */
  const PareEvaluation *baseline = g_ptr_array_index (r->baselines, split);
  g_auto (GStrv) metadata = pare_cli_metadata (recipe, baseline, baseline != NULL ? now : NULL, r->dataset);
  g_autoptr (PareGraph) exported = pare_export_onnx (changed, (const char *const *)metadata, error);
  g_autofree char *file = g_strdup_printf ("%04" G_GINT64_FORMAT ".onnx", entry->id), *path = g_build_filename (o->output, file, NULL);
  if (exported == NULL || !pare_onnx_save (exported, path, error))
    return FALSE;
  pare_cli_end_progress ();
  if (!o->json)
    g_print ("%4" G_GINT64_FORMAT "  %-40s %s %s%s\n", entry->id, entry->title, file, now != NULL ? "accuracy as shown: " : "",
             now == NULL      ? ""
             : before == NULL ? "not stored"
             : same           ? "the same"
                              : "differs");
  json_builder_begin_object (r->json);
  pare_cli_json_int (r->json, "id", entry->id);
  pare_cli_json_int (r->json, "parent", entry->parent);
  pare_cli_json_string (r->json, "title", entry->title);
  pare_cli_json_string (r->json, "file", file);
  pare_cli_json_string (r->json, "split", pare_split_name (split));
  pare_cli_json_double (r->json, "stored", before != NULL ? before->value : NAN);
  if (now != NULL)
    pare_cli_json_evaluation (r->json, now);
  json_builder_end_object (r->json);
  return TRUE;
}

static int
run (PareCliOptions *o)
{
  if (o->output == NULL)
    return pare_cli_usage ("replay needs --output DIR");
  GError *error = NULL;
  g_autoptr (PareStore) store = pare_store_open_read (o->model, &error);
  if (store == NULL)
    return pare_cli_fail (error);
  g_autoptr (PareStoreModel) model = pare_store_read_model (store, &error);
  g_autoptr (PareStoreData) data = error == NULL ? pare_store_read_data (store, &error) : NULL;
  g_autoptr (GPtrArray) entries = error == NULL ? pare_store_list_entries (store, &error) : NULL;
  if (error != NULL)
    return pare_cli_fail (error);
  if (model == NULL)
    {
      g_set_error (&error, PARE_ERROR, PARE_ERROR_DATA, "%s: the project holds no model yet", o->model);
      return pare_cli_fail (error);
    }
  Replay r = { .options = o, .store = store, .json = json_builder_new () };
  g_autoptr (JsonBuilder) json = r.json;
  g_autoptr (PareGraph) graph = r.graph = load_model (o, store, model, o->model_again, &error);
  if (graph == NULL)
    return pare_cli_fail (error);
  const char *data_path = o->data != NULL ? o->data : data != NULL ? data->path : NULL;
  g_autoptr (PareDataset) dataset = data_path != NULL ? r.dataset = pare_dataset_open (data_path, &error) : NULL;
  if (error != NULL)
    return pare_cli_fail (error);
  if (dataset != NULL && data != NULL && data->hash != NULL && strcmp (pare_dataset_get_hash (dataset), data->hash) != 0)
    {
      g_set_error (&error, PARE_ERROR, PARE_ERROR_DATA, "%s: these are not the data of the project: their hash is %s, %s is recorded",
                   data_path, pare_dataset_get_hash (dataset), data->hash);
      return pare_cli_fail (error);
    }
  if (g_mkdir_with_parents (o->output, 0777) != 0)
    {
      g_set_error (&error, PARE_ERROR, PARE_ERROR_FILE, "%s: the folder cannot be made", o->output);
      return pare_cli_fail (error);
    }
  r.baselines = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_evaluation_unref);
  g_ptr_array_set_size (r.baselines, PARE_SPLIT_ALL + 1);
  json_builder_begin_object (json);
  json_builder_set_member_name (json, "entries");
  json_builder_begin_array (json);
  gboolean done = TRUE;
  for (guint i = 0; i < entries->len && done; i++)
    done = replay_entry (&r, g_ptr_array_index (entries, i), &error);
  json_builder_end_array (json);
  pare_cli_json_int (json, "differ", r.differ);
  json_builder_end_object (json);
  for (guint i = 0; i < r.baselines->len; i++)
    g_clear_pointer ((PareEvaluation **)&r.baselines->pdata[i], pare_evaluation_unref);
  g_ptr_array_set_free_func (r.baselines, NULL);
  g_ptr_array_unref (r.baselines);
  g_clear_pointer (&r.statistics, pare_statistics_unref);
  if (!done)
    return pare_cli_fail (error);
  if (o->json)
    pare_cli_json_print (json);
  if (r.differ > 0)
    {
      g_set_error (&error, PARE_ERROR, PARE_ERROR_DATA, "%s: %u of %u results differ from what is stored", o->model, r.differ,
                   entries->len);
      return pare_cli_fail (error);
    }
  return PARE_EXIT_DONE;
}

const PareCliCommand pare_cli_replay = { "replay",
                                         "PROJECT.pare --output DIR [--model MODEL] [--data DATA] [--json]",
                                         "measures and exports every recipe of a project again",
                                         "output data model backend",
                                         TRUE,
                                         run };
