#include "widgets/pare-graph-model.h"

#include <string.h>

static void
clear_shown (PareShown *s)
{
  g_strfreev (s->layers);
  g_free (s->title);
  g_free (s->op);
  g_free (s->shape);
  g_strfreev (s->attributes);
  g_strfreev (s->constants);
}

static void
clear_group (PareShownGroup *g)
{
  g_free (g->title);
  g_free (g->path);
  g_free (g->summary);
  if (g->children != NULL)
    g_array_unref (g->children);
}

PareGraphModel *
pare_graph_model_new (const PareGraph *graph, const PareLayerInfo *infos, guint n_infos)
{
  PareGraphDraft draft = { g_array_new (FALSE, TRUE, sizeof (PareShown)), g_array_new (FALSE, TRUE, sizeof (PareShownEdge)),
                           g_array_new (FALSE, TRUE, sizeof (PareShownGroup)) };
  pare_graph_fuse (graph, infos, infos != NULL ? n_infos : 0, &draft);
  pare_graph_group (&draft);
  PareGraphModel *self = g_new0 (PareGraphModel, 1);
  g_atomic_ref_count_init (&self->refs);
  self->n_shown = draft.shown->len;
  self->n_edges = draft.edges->len;
  self->n_groups = draft.groups->len;
  self->shown = (PareShown *)(void *)g_array_free (draft.shown, FALSE);
  self->edges = (PareShownEdge *)(void *)g_array_free (draft.edges, FALSE);
  self->groups = (PareShownGroup *)(void *)g_array_free (draft.groups, FALSE);
  self->by_layer = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < self->n_shown; i++)
    for (guint k = 0; k < self->shown[i].n_layers; k++)
      g_hash_table_insert (self->by_layer, self->shown[i].layers[k], GUINT_TO_POINTER (i + 1));
  return self;
}

PareGraphModel *
pare_graph_model_ref (PareGraphModel *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
pare_graph_model_unref (PareGraphModel *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  for (guint i = 0; i < self->n_shown; i++)
    clear_shown (&self->shown[i]);
  for (guint i = 0; i < self->n_groups; i++)
    clear_group (&self->groups[i]);
  g_free (self->shown);
  g_free (self->edges);
  g_free (self->groups);
  g_hash_table_unref (self->by_layer);
  g_free (self);
}

guint32
pare_graph_model_find (const PareGraphModel *self, const char *layer)
{
  gpointer found = layer != NULL ? g_hash_table_lookup (self->by_layer, layer) : NULL;
  return found != NULL ? GPOINTER_TO_UINT (found) - 1 : PARE_NONE;
}

gboolean
pare_graph_model_inside (const PareGraphModel *self, gint32 inner, gint32 group)
{
  while (inner >= 0 && inner != group)
    inner = self->groups[inner].parent;
  return inner == group;
}

gboolean *
pare_graph_model_default_folds (const PareGraphModel *self)
{
  gboolean *folded = g_new0 (gboolean, self->n_groups + 1);
  for (guint g = 0; g < self->n_groups && self->n_shown > 2000; g++)
    folded[g] = self->groups[g].depth >= 1 || self->groups[g].kind == PARE_GROUP_RUN;
  return folded;
}
