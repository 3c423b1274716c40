#include "app/pare-layer-item.h"

#include <math.h>

G_DEFINE_FINAL_TYPE (PareLayerItem, pare_layer_item, G_TYPE_OBJECT)

static guint changed_signal;

static void
pare_layer_item_finalize (GObject *object)
{
  PareLayerItem *self = PARE_LAYER_ITEM (object);
  g_free (self->name);
  g_free (self->op);
  g_free (self->shorthand);
  g_free (self->words);
  G_OBJECT_CLASS (pare_layer_item_parent_class)->finalize (object);
}

static void
pare_layer_item_class_init (PareLayerItemClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = pare_layer_item_finalize;
  changed_signal = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
pare_layer_item_init (PareLayerItem *self)
{
}

void
pare_layer_item_refresh (PareLayerItem *self, PareSession *session)
{
  const PareLayerCost *now = pare_session_get_layer_cost (session, self->name, FALSE),
                      *was = pare_session_get_layer_cost (session, self->name, TRUE);
  PareLayerRecipe resolved;
  pare_recipe_resolve (pare_session_get_recipe (session), self->name, &resolved);
  g_free (self->shorthand);
  g_free (self->words);
  self->shorthand = self->compressible ? pare_layer_recipe_shorthand (&resolved) : g_strdup ("");
  self->words = self->compressible ? pare_layer_recipe_words (&resolved) : g_strdup ("");
  self->original = was != NULL ? was->packed_bytes : -1;
  self->packed = now != NULL ? now->packed_bytes : self->original;
  self->sparsity = now != NULL && now->params > 0 ? (double)now->zeros / now->params : NAN;
  self->error = pare_session_get_layer_error (session, self->name);
  self->ms = pare_session_get_layer_time (session, self->name, &self->ms_origin);
  g_signal_emit (self, changed_signal, 0);
}

gboolean
pare_layer_item_is_depthwise (const PareGraph *graph, const PareNode *node)
{
  gint64 group = pare_node_get_int (node, "group", 1);
  if (group < 2 || node->n_inputs < 2 || node->inputs[1] == PARE_NONE || graph->values[node->inputs[1]].constant == NULL)
    return FALSE;
  return pare_node_is (node, "Conv") && graph->values[node->inputs[1]].constant->shape.rank > 1
         && graph->values[node->inputs[1]].constant->shape.dims[1] == 1;
}

PareLayerItem *
pare_layer_item_new (PareSession *session, const PareLayerInfo *info, guint position)
{
  const PareGraph *graph = pare_session_get_graph (session);
  PareLayerItem *self = g_object_new (PARE_TYPE_LAYER_ITEM, NULL);
  self->name = g_strdup (graph->nodes[info->node].layer);
  self->op = g_strdup (graph->nodes[info->node].op);
  self->position = position;
  self->params = info->params;
  self->macs = info->macs;
  self->shape = info->output_shape;
  self->compressible = pare_layer_is_compressible (graph, info->node, NULL);
  self->depthwise = pare_layer_item_is_depthwise (graph, &graph->nodes[info->node]);
  pare_layer_item_refresh (self, session);
  return self;
}
