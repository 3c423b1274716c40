#include "app/pare-layer-study.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

typedef struct
{
  PareGraph *graph;
  char *layer;
  PareLayerRecipe resolved;
} Request;

static void
request_free (Request *r)
{
  pare_graph_unref (r->graph);
  g_free (r->layer);
  g_free (r);
}

void
pare_layer_study_free (PareLayerStudy *self)
{
  if (self == NULL)
    return;
  g_free (self->layer);
  g_free (self->spectrum);
  g_free (self->coupled);
  g_strfreev (self->coupled_layers);
  g_free (self);
}

static void
histogram (const PareTensor *t, double low, double high, double *bins)
{
  gsize n = (gsize)pare_tensor_count (t);
  const float *x = t->data;
  memset (bins, 0, PARE_STUDY_BINS * sizeof *bins);
  for (gsize i = 0; i < n; i++)
    {
      double at = (x[i] - low) / (high - low) * PARE_STUDY_BINS;
      bins[at >= 0 && at < PARE_STUDY_BINS ? (int)at : at >= PARE_STUDY_BINS ? PARE_STUDY_BINS - 1 : 0]++;
    }
}

static void
study_group (PareLayerStudy *self, const Request *r)
{
  PareCoupledGroup *group = pare_coupled_group_find (r->graph, r->layer);
  if (group == NULL)
    {
      self->coupled = pare_coupled_group_why_not (r->graph, r->layer);
      return;
    }
  self->can_narrow = TRUE;
  g_autoptr (GPtrArray) all = g_ptr_array_new ();
  g_autoptr (GString) also = g_string_new (NULL);
  guint named = 0, more = 0;
  for (int pass = 0; pass < 2; pass++)
    for (char **l = pass == 0 ? group->members : group->followers; l != NULL && *l != NULL; l++)
      {
        if (strcmp (*l, r->layer) == 0)
          continue;
        g_ptr_array_add (all, g_strdup (*l));
        if (named < 2)
          g_string_append_printf (also, "%s%s", named++ > 0 ? ", " : "", *l);
        else
          more++;
      }
  if (more > 0)
    g_string_append_printf (also, _ (" and %u more"), more);
  guint members = group->members != NULL ? g_strv_length (group->members) : 0;
  if (all->len > 0)
    self->coupled = g_strdup_printf (members > 1 ? _ ("Goes together with %s") : _ ("Also narrows the input of %s"), also->str);
  g_ptr_array_add (all, NULL);
  self->coupled_layers = (char **)g_ptr_array_free (g_steal_pointer (&all), FALSE);
  pare_coupled_group_free (group);
}

static void
run (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Request *r = data;
  PareLayerStudy *self = g_new0 (PareLayerStudy, 1);
  self->layer = g_strdup (r->layer);
  g_autoptr (PareTensor) weights = pare_layer_dup_weights (r->graph, r->layer), changed = NULL;
  self->has_weights = weights != NULL;
  if (weights != NULL)
    {
      double most = 0;
      gsize n = (gsize)pare_tensor_count (weights);
      for (gsize i = 0; i < n; i++)
        most = fmax (most, fabs (((const float *)weights->data)[i]));
      self->high = most > 0 ? most : 1;
      self->low = -self->high;
      histogram (weights, self->low, self->high, self->before);
      self->has_error = pare_layer_weight_error (r->graph, &r->resolved, r->layer, &self->error, &changed);
      if (changed != NULL)
        histogram (changed, self->low, self->high, self->after);
      pare_layer_bits_curve (r->graph, r->layer, &r->resolved, self->bits_error);
    }
  if (weights != NULL && !g_cancellable_is_cancelled (cancellable))
    {
      self->prune_kind = r->resolved.prune == PARE_PRUNE_CHANNELS ? PARE_PRUNE_CHANNELS : PARE_PRUNE_UNSTRUCTURED;
      pare_layer_prune_curve (r->graph, r->layer, self->prune_kind, PARE_STUDY_PRUNE, self->prune_error);
      study_group (self, r);
    }
  if (weights != NULL && !g_cancellable_is_cancelled (cancellable))
    {
      gboolean square = weights->shape.rank < 4 || (weights->shape.dims[2] == 1 && weights->shape.dims[3] == 1);
      self->spectrum_method = square ? PARE_FACTORIZE_SVD : PARE_FACTORIZE_SPATIAL;
      self->spectrum = pare_layer_spectrum (r->graph, r->layer, self->spectrum_method, &self->n_spectrum, &self->max_rank);
    }
  g_task_return_pointer (task, self, (GDestroyNotify)pare_layer_study_free);
}

void
pare_layer_study_async (const PareGraph *graph, const char *layer, const PareLayerRecipe *resolved, GCancellable *cancellable,
                        GAsyncReadyCallback callback, gpointer data)
{
  Request *r = g_new0 (Request, 1);
  r->graph = pare_graph_ref ((PareGraph *)graph);
  r->layer = g_strdup (layer);
  r->resolved = *resolved;
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, data);
  g_task_set_task_data (task, r, (GDestroyNotify)request_free);
  g_task_run_in_thread (task, run);
}

PareLayerStudy *
pare_layer_study_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
