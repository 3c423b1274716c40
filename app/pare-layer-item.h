#pragma once
#include "engine/project/pare-session.h"

/* One row of the layer table: a layer that holds constants, with its figures now. Signal "changed" when any of them did. */
#define PARE_TYPE_LAYER_ITEM (pare_layer_item_get_type ())
G_DECLARE_FINAL_TYPE (PareLayerItem, pare_layer_item, PARE, LAYER_ITEM, GObject)

struct _PareLayerItem
{
  GObject parent_instance;
  char *name, *op, *shorthand, *words;
  guint position; /* in the model */
  gint64 params, macs;
  PareShape shape;
  gint64 packed, original; /* bytes; -1: not known yet */
  double sparsity;         /* fraction of zero weights, NAN */
  double error;            /* weights' relative squared error, NAN */
  double ms;               /* NAN */
  PareOrigin ms_origin;
  gboolean compressible, depthwise;
};

PareLayerItem *pare_layer_item_new (PareSession *session, const PareLayerInfo *info, guint position);
/* Reads the session again. */
void pare_layer_item_refresh (PareLayerItem *self, PareSession *session);
/* A convolution in which every group reads one channel. */
gboolean pare_layer_item_is_depthwise (const PareGraph *graph, const PareNode *node);
