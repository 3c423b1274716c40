/* What a knob would make of the selected layers, before it is touched: their size, the layer's own error, the size of the model. Computed
 * in a thread on a copy of the recipe; the session hears nothing of it, so no evaluation starts. One computation at a time: a pointer that
 * runs along a curve leaves at most one behind it. */
#include "app/pare-inspector-private.h"

#include "engine/cost/pare-cost.h"
#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

typedef struct
{
  PareGraph *graph;
  PareRecipe *recipe;
  PareStatistics *statistics; /* nullable */
  PareControl *control;
  char **layers; /* none: the defaults are changed */
  gboolean known, has_error;
  double selected_bytes, model_bytes, error;
} Preview;

static void
preview_free (gpointer data)
{
  Preview *p = data;
  pare_graph_unref (p->graph);
  pare_recipe_unref (p->recipe);
  if (p->statistics != NULL)
    pare_statistics_unref (p->statistics);
  pare_control_unref (p->control);
  g_strfreev (p->layers);
  g_free (p);
}

static void
run (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Preview *p = data;
  g_autoptr (PareGraph) changed = NULL;
  g_autoptr (GError) error = NULL;
  PareSize size;
  GArray *costs = NULL;
  if (p->layers[0] != NULL && p->layers[1] == NULL)
    {
      PareLayerRecipe resolved;
      PareWeightError own;
      pare_recipe_resolve (p->recipe, p->layers[0], &resolved);
      p->has_error = pare_layer_weight_error (p->graph, &resolved, p->layers[0], &own, NULL);
      p->error = p->has_error ? own.relative_error : NAN;
    }
  if (p->statistics == NULL) /* ranges that are not measured yet cannot be applied; they weigh next to nothing */
    {
      PareRecipe *without = pare_recipe_without_activations (p->recipe);
      pare_recipe_unref (p->recipe);
      p->recipe = without;
    }
  changed = pare_apply (p->graph, p->recipe, p->statistics, NULL, p->control, &error);
  if (changed != NULL && pare_cost_size (changed, NULL, &size, &costs, NULL, &error))
    {
      p->known = TRUE;
      p->model_bytes = size.packed_bytes;
      for (guint i = 0; i < costs->len; i++)
        {
          const PareLayerCost *c = &g_array_index (costs, PareLayerCost, i);
          if (g_strv_contains ((const char *const *)p->layers, c->layer))
            p->selected_bytes += c->packed_bytes;
        }
      if (p->layers[0] == NULL)
        p->selected_bytes = p->model_bytes;
    }
  g_clear_pointer (&costs, pare_layer_costs_free);
  g_task_return_boolean (task, TRUE);
}

static void
set_italic (PareInspector *self, gboolean italic)
{
  GtkLabel *const labels[] = { self->size_value, self->size_note, self->time_value, self->time_note, self->error_value, self->error_note };
  for (guint i = 0; i < G_N_ELEMENTS (labels); i++)
    if (italic)
      gtk_widget_add_css_class (GTK_WIDGET (labels[i]), "pare-preview");
    else
      gtk_widget_remove_css_class (GTK_WIDGET (labels[i]), "pare-preview");
}

static void
show (PareInspector *self, const Preview *p)
{
  double was = 0;
  PareSize size = { 0 }, original = { 0 };
  gboolean sizes = pare_session_get_size (self->session, &size, &original, NULL, NULL);
  for (char **l = p->layers; *l != NULL; l++)
    {
      const PareLayerCost *c = pare_session_get_layer_cost (self->session, *l, TRUE);
      was += c != NULL ? c->packed_bytes : 0;
    }
  if (p->layers[0] == NULL)
    was = sizes ? original.packed_bytes : NAN;
  double selected = p->known ? p->selected_bytes : NAN, model = p->known ? p->model_bytes : NAN;
  g_autofree char *size_text = pare_format_kib_unit (selected), *of = pare_format_kib (was), *change = pare_format_change (selected, was),
                  *size_note = g_strdup_printf (_ ("%s of %s"), change, of);
  g_autofree char *model_text = pare_format_kib_unit (model), *model_change = pare_format_change (model, sizes ? size.packed_bytes : NAN),
                  *model_note = g_strdup_printf (_ ("%s to now"), model_change);
  g_autofree char *error_text = pare_format_percent (p->has_error ? sqrt (p->error) : NAN, 1);
  gtk_label_set_text (self->size_value, size_text);
  gtk_label_set_text (self->size_note, size_note);
  gtk_label_set_text (self->time_title, _ ("Model, predicted"));
  gtk_label_set_text (self->time_value, model_text);
  gtk_label_set_text (self->time_note, model_note);
  gtk_label_set_text (self->error_value, error_text);
  gtk_label_set_text (self->error_note, _ ("of the weights"));
  set_italic (self, TRUE);
  self->preview_shown = TRUE;
  pare_session_expect_change (self->session, &self->preview_change); /* the pointer rests here, and may be pressed */
}

static void start (PareInspector *self);

static void
on_done (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (PareInspector) self = data;
  Preview *p = g_task_get_task_data (G_TASK (result));
  self->preview_busy = FALSE;
  g_clear_pointer (&self->preview_control, pare_control_unref);
  if (self->box == NULL)
    return;
  if (self->preview_wanted)
    start (self);
  else if (self->previewing)
    show (self, p);
}

static void
start (PareInspector *self)
{
  const PareGraph *graph = pare_session_get_graph (self->session);
  const PareRecipe *recipe = pare_session_get_recipe (self->session);
  PareStatistics *statistics = pare_session_get_statistics (self->session);
  self->preview_wanted = FALSE;
  if (graph == NULL || recipe == NULL)
    return;
  Preview *p = g_new0 (Preview, 1);
  p->graph = pare_graph_ref ((PareGraph *)graph);
  p->recipe = pare_recipe_copy (recipe);
  p->statistics = statistics != NULL ? pare_statistics_ref (statistics) : NULL;
  p->control = pare_control_new (NULL, NULL);
  p->error = NAN;
  p->layers = g_strdupv ((char **)pare_selection_get (self->selection));
  for (char **l = p->layers; *l != NULL; l++)
    pare_recipe_merge_layer (p->recipe, *l, &self->preview_change);
  if (p->layers[0] == NULL)
    {
      PareLayerRecipe defaults = *pare_recipe_get_defaults (recipe);
      pare_layer_recipe_merge (&defaults, &self->preview_change);
      pare_recipe_set_defaults (p->recipe, &defaults);
    }
  self->preview_control = pare_control_ref (p->control);
  self->preview_busy = TRUE;
  g_autoptr (GTask) task = g_task_new (NULL, NULL, on_done, g_object_ref (self));
  g_task_set_task_data (task, p, preview_free);
  g_task_run_in_thread (task, run);
}

void
pare_inspector_preview (PareInspector *self, const PareLayerRecipe *change)
{
  if (change == NULL)
    {
      pare_inspector_end_preview (self);
      return;
    }
  self->previewing = self->preview_wanted = TRUE;
  self->preview_change = *change;
  if (self->preview_busy)
    pare_control_cancel (self->preview_control);
  else
    start (self);
}

void
pare_inspector_end_preview (PareInspector *self)
{
  gboolean shown = self->preview_shown;
  self->previewing = self->preview_wanted = self->preview_shown = FALSE;
  pare_session_expect_change (self->session, NULL);
  if (self->preview_control != NULL)
    pare_control_cancel (self->preview_control);
  if (!shown)
    return;
  set_italic (self, FALSE);
  gtk_label_set_text (self->time_title, _ ("Time here"));
  pare_inspector_show_figures (self);
}
