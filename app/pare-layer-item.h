#pragma once
#include "engine/project/pare-session.h"

/* One row of the layer table: a layer that holds constants, or a group of them, with its figures now. Signal "changed" when any of them
 * did. Rows form a tree (pare-layer-tree.h), which owns the children; a group's figures are sums, of errors the worst. */
#define PARE_TYPE_LAYER_ITEM (pare_layer_item_get_type ())
G_DECLARE_FINAL_TYPE (PareLayerItem, pare_layer_item, PARE, LAYER_ITEM, GObject)

struct _PareLayerItem
{
  GObject parent_instance;
  PareLayerItem *parent; /* borrowed */
  GPtrArray *children;   /* (element-type PareLayerItem), NULL: a layer */
  guint first, n_layers; /* its layers in the tree's list; 1 for a layer itself */
  char *name;            /* of the layer; the path of a group */
  char *title;           /* as shown */
  char *op;              /* of a layer; what a group is made of */
  char *folded;          /* name, title and operator without case, for searching */
  PareNodeId node;       /* of a layer */
  gint64 params, macs;
  PareShape shape;
  PareLayerRecipe resolved; /* of a layer: what the shorthand says */
  const char *shorthand;    /* interned; a group: what its layers have in common */
  gint64 packed, original;  /* bytes; -1: not known yet */
  double sparsity;          /* fraction of zero weights, NAN */
  double error;             /* weights' relative squared error, NAN */
  double ms, share, rate;   /* measured here: milliseconds, of the whole, GOP/s; NAN. A group's rate: all its work over all its time */
  const char *inside;       /* the layer whose step computes this one too, NULL; borrowed from the graph */
  double work;              /* operations, in units of rate times ms; 0 without a rate */
  gboolean integer;         /* the rate is of integers */
  double zeros, counted;    /* weights at zero, of how many */
  guint position;           /* in the model: of its first layer */
  guint n_selected;
  gboolean compressible, depthwise;
  gboolean open, open_first; /* unfolded; and when the model opens for the first time */
  gboolean matches;          /* the search; a group: any layer in it */
  gpointer store;            /* of the shown children, for the list (GListStore) */
};

/**
 * pare_layer_item_new:
 * @info: what the session knows of the layer
 * @position: in the order of the model
 *
 * Returns: (transfer full): a row for one layer; its figures come with pare_layer_item_refresh().
 */
PareLayerItem *pare_layer_item_new (PareSession *session, const PareLayerInfo *info, guint position);

/**
 * pare_layer_item_new_group:
 * @path: tells groups apart, also when the project is opened again
 * @summary: what it is made of: "6 convs · 16×16"
 *
 * Returns: (transfer full): a group without layers yet.
 */
PareLayerItem *pare_layer_item_new_group (const char *path, const char *title, const char *summary);

/* Reads a layer's figures from the session again, but what was measured, which the caller knows (NULL: nothing). Does not emit. */
void pare_layer_item_refresh (PareLayerItem *self, PareSession *session, const PareProfileRow *measured);
/* Adds up a group from its children, which are fresh; layers: of the tree, for the recipes. Does not emit. */
void pare_layer_item_sum (PareLayerItem *self, const GPtrArray *layers);
/* Tells the cells. */
void pare_layer_item_emit_changed (PareLayerItem *self);

/* The recipe in words, for the tip: (transfer full). A group counts its layers' recipes. */
char *pare_layer_item_dup_words (PareLayerItem *self, PareSession *session, const GPtrArray *layers);
/* A convolution in which every group reads one channel. */
gboolean pare_layer_item_is_depthwise (const PareGraph *graph, const PareNode *node);
