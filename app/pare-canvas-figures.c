#include "app/pare-canvas-figures.h"

typedef struct
{
  PareGraph *graph;
  PareRecipe *recipe;
  PareStatistics *statistics;
  PareControl *control;
  gint64 entry;
} Work;

static void
work_free (gpointer data)
{
  Work *w = data;
  pare_graph_unref (w->graph);
  pare_recipe_unref (w->recipe);
  g_clear_pointer (&w->statistics, pare_statistics_unref);
  pare_control_unref (w->control);
  g_free (w);
}

void
pare_canvas_figures_free (PareCanvasFigures *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->costs, g_hash_table_unref);
  g_clear_pointer (&self->errors, g_hash_table_unref);
  if (self->layers != NULL)
    pare_layer_costs_free (self->layers);
  g_free (self);
}

static void
on_cancelled (GCancellable *cancellable, gpointer control)
{
  pare_control_cancel (control);
}

static gboolean
fill (Work *w, PareCanvasFigures *figures, GError **error)
{
  g_autoptr (PareRecipe) recipe = w->statistics != NULL ? pare_recipe_ref (w->recipe) : pare_recipe_without_activations (w->recipe);
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (PareGraph) changed = pare_apply (w->graph, recipe, w->statistics, warnings, w->control, error);
  PareSize size;
  gint64 macs;
  if (changed == NULL || !pare_cost_size (changed, NULL, &size, &figures->layers, &macs, error))
    return FALSE;
  for (guint i = 0; i < figures->layers->len; i++)
    {
      PareLayerCost *cost = &g_array_index (figures->layers, PareLayerCost, i);
      if (cost->layer != NULL)
        g_hash_table_insert (figures->costs, cost->layer, cost);
    }
  for (guint i = 0; i < w->graph->n_nodes; i++)
    {
      PareLayerRecipe resolved;
      PareWeightError own;
      double value = 0;
      if (!pare_layer_is_compressible (w->graph, i, NULL))
        continue;
      if (pare_control_check (w->control, error))
        return FALSE;
      pare_recipe_resolve (w->recipe, w->graph->nodes[i].layer, &resolved);
      if (pare_layer_recipe_changes_weights (&resolved))
        {
          if (!pare_layer_weight_error (w->graph, &resolved, w->graph->nodes[i].layer, &own, NULL))
            continue;
          value = own.relative_error;
        }
      g_hash_table_insert (figures->errors, g_strdup (w->graph->nodes[i].layer), g_memdup2 (&value, sizeof value));
    }
  return TRUE;
}

static void
run (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Work *w = data;
  GError *error = NULL;
  gulong handler = cancellable != NULL ? g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), w->control, NULL) : 0;
  PareCanvasFigures *figures = g_new0 (PareCanvasFigures, 1);
  figures->entry = w->entry;
  figures->costs = g_hash_table_new (g_str_hash, g_str_equal);
  figures->errors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  gboolean ok = fill (w, figures, &error);
  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, handler);
  if (ok)
    g_task_return_pointer (task, figures, (GDestroyNotify)pare_canvas_figures_free);
  else
    {
      pare_canvas_figures_free (figures);
      g_task_return_error (task, error);
    }
}

void
pare_canvas_figures_async (const PareGraph *graph, const PareRecipe *recipe, PareStatistics *statistics, gint64 entry,
                           GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  Work *w = g_new0 (Work, 1);
  w->graph = pare_graph_ref ((PareGraph *)graph);
  w->recipe = pare_recipe_ref ((PareRecipe *)recipe);
  w->statistics = statistics != NULL ? pare_statistics_ref (statistics) : NULL;
  w->control = pare_control_new (NULL, NULL);
  w->entry = entry;
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, data);
  g_task_set_source_tag (task, pare_canvas_figures_async);
  g_task_set_task_data (task, w, work_free);
  g_task_run_in_thread (task, run);
}

PareCanvasFigures *
pare_canvas_figures_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

GHashTable *
pare_canvas_figures_times (const PareProfile *profile, const PareGraph *graph)
{
  GHashTable *times = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < profile->n_rows; i++)
    if (profile->rows[i].timed && profile->rows[i].layer != PARE_NONE)
      g_hash_table_insert (times, (gpointer)graph->nodes[profile->rows[i].layer].layer, (gpointer)&profile->rows[i]);
  return times;
}
