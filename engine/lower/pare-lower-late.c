/* What runs behind a plan: the nodes whose sizes only values say, on what the plan has computed. */
#include "engine/lower/pare-lower-late.h"
#include "engine/base/pare-error.h"
#include "engine/lower/pare-program.h"

#include <string.h>

static guint
place_of (const PareGraph *graph, const char *name)
{
  for (guint i = 0; i < graph->n_outputs; i++)
    if (g_str_equal (graph->values[graph->outputs[i]].name, name))
      return i;
  return PARE_NONE;
}

gboolean
pare_late_split (PareGraph *canonical, PareLate **late, GError **error)
{
  guint n = canonical->n_outputs;
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < n; i++)
    g_ptr_array_add (names, g_strdup (canonical->values[canonical->outputs[i]].name));
  PareGraph *graph;
  *late = NULL;
  if (!pare_graph_split_late (canonical, &graph, error))
    return FALSE;
  if (graph == NULL)
    return TRUE;
  PareLate *self = *late = g_new0 (PareLate, 1);
  self->graph = graph;
  self->inputs = g_new (guint, graph->n_inputs + 1);
  for (guint i = 0; i < graph->n_inputs; i++)
    self->inputs[i] = place_of (canonical, graph->values[graph->inputs[i]].name);
  self->n_outputs = n;
  self->early = g_new (guint, n + 1);
  self->late = g_new (guint, n + 1);
  for (guint i = 0; i < n; i++)
    {
      self->early[i] = place_of (canonical, names->pdata[i]);
      self->late[i] = place_of (graph, names->pdata[i]);
    }
  return TRUE;
}

void
pare_late_free (PareLate *self)
{
  if (self == NULL)
    return;
  pare_graph_unref (self->graph);
  g_free (self->inputs);
  g_free (self->early);
  g_free (self->late);
  g_free (self);
}

void
pare_late_forget (const PareLate *self, PareTensor **outputs)
{
  for (guint i = 0; i < self->graph->n_outputs; i++)
    g_clear_pointer (&outputs[i], pare_tensor_unref);
}

gboolean
pare_late_run (const PareLate *self, const PareView *views, PareTensor **outputs, PareControl *control, GError **error)
{
  g_autoptr (GPtrArray) inputs = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_tensor_unref);
  pare_late_forget (self, outputs);
  for (guint i = 0; i < self->graph->n_inputs; i++)
    {
      PareTensor *t = pare_tensor_new_unset (views[i].dtype, &views[i].shape, error);
      if (t == NULL)
        return FALSE;
      if (t->bytes > 0)
        memcpy (t->data, views[i].data, t->bytes);
      g_ptr_array_add (inputs, t);
    }
  GError *local = NULL;
  if (pare_graph_compute (self->graph, (PareTensor *const *)inputs->pdata, outputs, pare_lower_eval_node, self->most, control, &local))
    return TRUE;
  if (self->graph->path != NULL && !g_error_matches (local, PARE_ERROR, PARE_ERROR_CANCELLED)
      && strstr (local->message, self->graph->path) == NULL)
    g_prefix_error (&local, "%s: ", self->graph->path);
  g_propagate_error (error, local);
  return FALSE;
}
