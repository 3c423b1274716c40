/* The rows of the layer table as a tree: layers in the groups that the graph shows. Display-free.
 *
 * Which groups: those of PareGraphModel with at least two rows inside; inside another group at least three, since a fold for two rows
 * hides more than it tells; none that holds all that is around it. Layers that the graph fuses into others (BatchNorm behind a convolution)
 * have no row of their own unless they hold multiplications. */
#pragma once
#include "app/pare-layer-item.h"
#include "widgets/pare-graph-model.h"

G_BEGIN_DECLS
typedef struct
{
  GPtrArray *roots;     /* (element-type PareLayerItem), owned */
  GPtrArray *layers;    /* all layers, in the order in which they stand unfolded; borrowed */
  GPtrArray *groups;    /* all groups, inner before outer; borrowed */
  GHashTable *by_layer; /* name -> layer, borrowed */
  double most_error;    /* right ends of the colours: square root of the error, ms, fraction, GOP/s */
  double most_ms, most_share, most_rate;
  gboolean stale;   /* what was measured is not of the recipe as it is now */
  gint64 largest;   /* packed bytes of the largest row of the original: the bars' scale */
  guint n_selected; /* layers */
  guint n_matches;  /* layers */
} PareLayerTree;

/* model: (nullable): groups; without it the list is flat. */
PareLayerTree *pare_layer_tree_new (PareSession *session, const PareGraphModel *model);
void pare_layer_tree_free (PareLayerTree *self);

/* Reads all figures again and tells every cell. Linear. */
void pare_layer_tree_refresh (PareLayerTree *self, PareSession *session);

/* Marks rows (matches) whose name or operator holds the text, without case; NULL or "": all. A group whose title holds it is shown whole.
 */
void pare_layer_tree_search (PareLayerTree *self, const char *text);

/* What of this selection has a row: counts it in every row. */
void pare_layer_tree_select (PareLayerTree *self, const char *const *layers);
/* Whether a row counts as selected: a layer in the selection, a group all of whose layers are. */
gboolean pare_layer_tree_is_selected (const PareLayerItem *item);
/* Takes the layers of a row in or out. */
void pare_layer_tree_mark (PareLayerTree *self, PareLayerItem *item, gboolean selected);
/* (transfer container): names of the selected layers, NULL-terminated. */
const char **pare_layer_tree_dup_selected (const PareLayerTree *self);

/* Folds that differ from how the model opens at first, as a text for the project; (transfer full) (nullable). */
char *pare_layer_tree_dup_folds (const PareLayerTree *self);
void pare_layer_tree_set_folds (PareLayerTree *self, const char *text);
G_END_DECLS
