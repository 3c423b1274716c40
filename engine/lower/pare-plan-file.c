#include "engine/lower/pare-plan-file.h"
#include "engine/base/pare-error.h"
#include "engine/lower/pare-program-cut.h"
#include "engine/runtime/pare-rt-file.h"

#include <stdlib.h>

/* (transfer full) layer name of every source node id. */
static GHashTable *
layer_names (const PareGraph *graph)
{
  GHashTable *names = g_hash_table_new (NULL, NULL);
  for (guint i = 0; i < graph->n_nodes; i++)
    if (graph->nodes[i].op != NULL && graph->nodes[i].layer != NULL)
      g_hash_table_insert (names, GUINT_TO_POINTER (graph->nodes[i].origin), (gpointer)graph->nodes[i].layer);
  return names;
}

static const char *
name_of (GHashTable *names, guint32 layer)
{
  const char *name = layer != PARE_RT_NONE ? g_hash_table_lookup (names, GUINT_TO_POINTER (layer)) : NULL;
  return name != NULL ? name : "";
}

gboolean
pare_program_save_plan (const PareProgram *self, const char *path, GError **error)
{
  const PareRtPlan *plan = pare_program_get_plan (self);
  const char *late;
  if (pare_program_runs_late (self, &late))
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED,
                   "node '%s': only values say how many elements it makes; a plan file holds fixed sizes", late);
      return FALSE;
    }
  g_autoptr (GHashTable) layers = layer_names (pare_program_get_graph (self));
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  for (guint i = 0; i < plan->n_inputs; i++)
    g_ptr_array_add (names, (gpointer)pare_program_get_input (self, i, NULL, NULL));
  for (guint i = 0; i < plan->n_outputs; i++)
    g_ptr_array_add (names, (gpointer)pare_program_get_output (self, i, NULL, NULL));
  for (guint i = 0; i < plan->n_steps; i++)
    g_ptr_array_add (names, (gpointer)name_of (layers, plan->steps[i].layer));
  guint64 bytes = pare_rt_file_bytes (plan, (const char *const *)names->pdata);
  void *data = NULL;
  if (bytes > G_MAXSSIZE || posix_memalign (&data, 64, bytes) != 0)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_MEMORY, "%s: no memory for a plan of %" G_GUINT64_FORMAT " bytes", path, bytes);
      return FALSE;
    }
  pare_rt_file_write (plan, (const char *const *)names->pdata, data);
  g_autoptr (GError) reason = NULL;
  gboolean fine = g_file_set_contents_full (path, data, (gssize)bytes, G_FILE_SET_CONTENTS_CONSISTENT, 0666, &reason);
  if (!fine)
    g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "%s: %s", path, reason->message);
  free (data);
  return fine;
}

PareStepHash *
pare_runner_dup_hashes (PareRunner *self, guint *n)
{
  PareProgram *program = pare_runner_get_program (self);
  const PareRtPlan *plan = pare_program_get_plan (program);
  g_autoptr (GHashTable) layers = layer_names (pare_program_get_graph (program));
  PareStepHash *hashes = g_new0 (PareStepHash, plan->n_steps + 1);
  for (guint i = 0; i < plan->n_steps; i++)
    {
      PareView v = pare_runner_get_value (self, plan->steps[i].out[0]);
      hashes[i].hash = pare_rt_hash (v.data, (guint64)pare_shape_bytes (&v.shape, v.dtype));
      hashes[i].op = pare_rt_op_name (plan->steps[i].op);
      hashes[i].layer = name_of (layers, plan->steps[i].layer);
    }
  *n = plan->n_steps;
  return hashes;
}
