/* What is drawn of a network: display nodes fused from the graph's nodes, nested groups, edges. Plain, without widgets, immutable once
 * made, so that it is made and read in any thread.
 *
 *   PareGraph --fuse--> display nodes and edges --groups--> nested groups --(which are folded)--> PareGraphScene with coordinates
 *
 * Invariants:
 * 1. Every node of the graph but unread constants belongs to exactly one display node.
 * 2. At every level of the group tree the members, taken as boxes, form an acyclic graph: any set of groups can be folded. */
#pragma once
#include "engine/graph/pare-graph.h"
#include "engine/layout/pare-layout.h"
#include "widgets/pare-colormap.h"

G_BEGIN_DECLS
typedef enum
{
  PARE_SHOWN_CARD,  /* computes: 220 x 50 */
  PARE_SHOWN_SMALL, /* joins, pools, moves data: a small white box */
  PARE_SHOWN_PORT   /* input or output of the model */
} PareShownKind;

typedef enum
{
  PARE_SHOW_NAMES = 1 << 0, /* else the operator heads a card */
  PARE_SHOW_ATTRIBUTES = 1 << 1,
  PARE_SHOW_CONSTANTS = 1 << 2 /* the initializers it reads */
} PareGraphShow;

typedef struct
{
  PareShownKind kind;
  PareOpClass klass;
  char **layers; /* names of the layers it stands for; the first one leads; NULL-terminated; empty for ports */
  guint n_layers;
  char *title;         /* "Conv_57", "Add + ReLU", "input" */
  char *op;            /* "Conv 3×3" */
  char *shape;         /* of its output: "64×8×8"; NULL: not known */
  gint64 height_width; /* spatial size of the output (h << 32 | w); -1: none */
  char **attributes;   /* name, text, name, text, ..., NULL; of the leader; (nullable) */
  char **constants;    /* likewise */
  gint64 params, macs;
  gint32 group; /* innermost, -1: none */
  guint order;  /* topological */
} PareShown;

typedef enum
{
  PARE_GROUP_SCOPE,
  PARE_GROUP_BLOCK, /* from a fork to where its branches join */
  PARE_GROUP_STAGE, /* blocks of one output size */
  PARE_GROUP_RUN    /* alike groups in a row */
} PareGroupKind;

typedef struct
{
  PareGroupKind kind;
  gint32 parent;
  guint depth;   /* 0: outermost */
  char *title;   /* "Stage 3", "layer1" */
  char *path;    /* titles from the outermost on, for telling groups apart */
  guint n_shown; /* display nodes inside, at any depth */
  guint n_layers;
  guint n_convs; /* of its cards: convolutions; and all cards */
  guint n_cards;
  char *summary;    /* "6 convs · 16×16" */
  GArray *children; /* gint32 group ids, in order */
} PareShownGroup;

typedef struct
{
  guint32 from, to;
} PareShownEdge; /* display nodes; the label is the shape of `from` */

typedef struct
{
  gatomicrefcount refs;
  PareShown *shown;
  guint n_shown;
  PareShownEdge *edges;
  guint n_edges;
  PareShownGroup *groups;
  guint n_groups;
  GHashTable *by_layer; /* layer name -> display node + 1 */
} PareGraphModel;

/**
 * pare_graph_model_new:
 * @infos: (array length=n_infos) (nullable): figures per layer, for shapes; without them the shapes the values carry are used
 */
PareGraphModel *pare_graph_model_new (const PareGraph *graph, const PareLayerInfo *infos, guint n_infos);
PareGraphModel *pare_graph_model_ref (PareGraphModel *self);
void pare_graph_model_unref (PareGraphModel *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareGraphModel, pare_graph_model_unref)
/* The display node of a layer, or PARE_NONE. */
guint32 pare_graph_model_find (const PareGraphModel *self, const char *layer);
gboolean pare_graph_model_inside (const PareGraphModel *self, gint32 inner, gint32 group); /* is or lies in */
/* Which groups are folded when a model opens: none up to 2,000 display nodes, else all below two levels, and runs. */
gboolean *pare_graph_model_default_folds (const PareGraphModel *self);

/* --- what is visible for a state of folds, with coordinates --- */
typedef struct
{
  gboolean is_group;
  guint32 index; /* display node, or folded group */
  gint32 frame;  /* innermost open group around it; index into model->groups, -1: none */
  PareLayoutRect rect;
} PareSceneItem;

typedef struct
{
  guint32 from, to;
  guint32 shown;
  PareLayoutRect bounds;
} PareSceneEdge; /* items; the display node whose shape it carries */
typedef struct
{
  gint32 group;
  PareLayoutRect rect;
} PareSceneFrame;

typedef struct
{
  gatomicrefcount refs;
  PareGraphModel *model;
  PareGraphShow show;
  gboolean *folded; /* per group */
  PareSceneItem *items;
  guint n_items;
  PareSceneEdge *edges;
  guint n_edges;
  PareSceneFrame *frames; /* open groups, outer before inner */
  guint n_frames;
  gint32 *item_of_shown;  /* the item that stands for a display node (itself or a folded group around it) */
  gint32 *frame_of_group; /* index into frames, -1: folded or hidden */
  gint32 *item_of_group;  /* the folded card, -1 */
  PareLayout *layout;
  guint *out_start, *out; /* CSR over items: edges that leave, in order of x */
  guint *in_start, *in;
  double *dots; /* x, y pairs: where lines of one source part */
  guint n_dots;
  guint *dot_source; /* items */
  /* bands of equal height, for culling: lists of items and edges that touch them */
  double band_height;
  guint n_bands;
  guint *band_items_start, *band_items, *band_edges_start, *band_edges;
} PareGraphScene;

/* Pure and cancellable, for a worker. */
PareGraphScene *pare_graph_scene_new (PareGraphModel *model, const gboolean *folded, PareGraphShow show, PareControl *control,
                                      GError **error);
PareGraphScene *pare_graph_scene_ref (PareGraphScene *self);
void pare_graph_scene_unref (PareGraphScene *self); /* NULL is allowed */
/* Lines under a card's head, and what stands in the head. */
guint pare_shown_n_lines (const PareShown *self, PareGraphShow show);
const char *pare_shown_heading (const PareShown *self, PareGraphShow show);
/* Topmost item at a point; -1: none. */
gint32 pare_graph_scene_item_at (const PareGraphScene *self, double x, double y);
/* Open group whose header is at a point; -1: none. */
gint32 pare_graph_scene_header_at (const PareGraphScene *self, double x, double y);
void pare_graph_scene_bands (const PareGraphScene *self, double y0, double y1, guint *first, guint *last); /* inclusive */

#define PARE_CARD_WIDTH 220
#define PARE_CARD_HEIGHT 50
#define PARE_SMALL_HEIGHT 24
#define PARE_LINE_HEIGHT 15 /* of an attribute */
#define PARE_FOLDED_HEIGHT 40
#define PARE_RUN_WIDTH 400
#define PARE_FRAME_HEADER 22
#define PARE_FRAME_PADDING 13

/* For the two halves of the making. */
typedef struct
{
  GArray *shown;  /* PareShown */
  GArray *edges;  /* PareShownEdge, sorted, unique */
  GArray *groups; /* PareShownGroup */
} PareGraphDraft;
void pare_graph_fuse (const PareGraph *graph, const PareLayerInfo *infos, guint n_infos, PareGraphDraft *draft);
void pare_graph_group (PareGraphDraft *draft);
/* (transfer full), NULL-terminated pairs of name and text. */
void pare_graph_details (const PareGraph *graph, const PareNode *node, char ***attributes, char ***constants);
G_END_DECLS
