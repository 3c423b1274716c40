#pragma once
#include "engine/base/pare-control.h"
#include "widgets/pare-graph-view.h"
#include "widgets/pare-style.h"
#include <adwaita.h>

typedef struct
{
  char **pills;
  double size_fraction;
  char *old_shape, *new_shape;
  PareGraphFlags flags;
} PareDecor;

typedef struct
{
  gboolean valid, is_group;
  guint32 index;
} PareGraphRef; /* display node or group */

typedef struct _PareGraphMotion PareGraphMotion;

struct _PareGraphView
{
  GtkWidget parent_instance;
  PareGraph *graph;
  PareGraphModel *model;
  PareGraphScene *scene;
  gboolean *folded;
  PareControl *control; /* of the running layout */
  guint64 generation;
  gboolean busy;
  PareViewport viewport;
  gboolean placed; /* the first scene has been given its place */
  gboolean fit_when_sized;

  GHashTable *values;
  char *metric_title;
  PareValueFormat format;
  gpointer format_data;
  GDestroyNotify format_destroy;
  double min, max;
  PareMetricFlags metric_flags;
  double *shown_value, *group_value, *group_worst; /* by model index; NAN: missing */

  GHashTable *decor;    /* layer -> PareDecor */
  PareDecor **decor_of; /* by display node, borrowed */

  gboolean *selected; /* by display node */
  char **wanted;      /* selection asked for before a model was there */
  PareGraphRef cursor, hover, anchor;
  double anchor_x, anchor_y; /* where in the view the anchor's header is to stay */
  char *fly_when_ready;

  GskRenderNode **cache; /* by item */
  PareDetail cache_detail;
  double cache_scale;
  guint paint_serial; /* grows when colours or figures change */

  char *needle;
  GArray *hits; /* display nodes */
  gboolean *is_hit;
  guint hit;
  GArray *coupled; /* display nodes */

  PareLook look;
  GtkWidget *reader;                      /* follows the cursor, for assistive tools */
  PareGraphMotion *motion;                /* folding; NULL: nothing moves */
  PareLayoutRect *moving, *moving_frames; /* where items and frames are painted meanwhile; NULL: where the scene says */
  double motion_at;
  AdwAnimation *flight;
  double flight_from[3], flight_to[3];
  double pointer_x, pointer_y;
  double drag_x, drag_y, pinch_scale;
  gboolean space, panning;
  PareGraphShow show;
  gboolean wheel_zooms; /* then Ctrl+wheel scrolls */
};

/* draw */
typedef enum
{
  PARE_DRAW_ALL,
  PARE_DRAW_UNDER /* canvas without its grid, frames, edges and their titles: what lies under the nodes */
} PareGraphDraw;
void pare_graph_view_snapshot (GtkWidget *widget, GtkSnapshot *snapshot);
/* The graph without what belongs to the hand: selection, hover, focus, hits. */
void pare_graph_view_draw (PareGraphView *self, GtkSnapshot *snapshot, float width, float height, PareGraphDraw what);
void pare_graph_view_draw_item (PareGraphView *self, GtkSnapshot *snapshot, guint item);
GskRenderNode *pare_graph_view_item_node (PareGraphView *self, guint item);
void pare_graph_view_item_fill (PareGraphView *self, guint item, GdkRGBA *fill, gboolean *has_value);
PangoLayout *pare_graph_view_text (PareGraphView *self, const char *text, double px, gboolean bold);
void pare_graph_view_drop_cache (PareGraphView *self);
void pare_graph_view_drop_item (PareGraphView *self, gint32 item);
void pare_graph_view_group_colour (PareGraphView *self, guint group, GdkRGBA *fill, gboolean *has_value);
void pare_graph_view_colour_of (PareGraphView *self, double value, GdkRGBA *fill);
GdkRGBA pare_graph_view_canvas_colour (PareGraphView *self);
GdkRGBA pare_graph_view_frame_colour (PareGraphView *self);

/* motion */
void pare_graph_view_start_motion (PareGraphView *self, const PareGraphScene *old, double dx, double dy); /* dx, dy: of the origin */
void pare_graph_view_stop_motion (PareGraphView *self);
guint pare_graph_view_get_n_closing (PareGraphView *self); /* frames that shrink into a card, as they are now */
PareLayoutRect pare_graph_view_get_closing (PareGraphView *self, guint i);

/* export */
gboolean pare_graph_picture_step (gpointer picture);

/* input */
void pare_graph_view_add_controllers (PareGraphView *self);

/* layout */
void pare_graph_view_first_place (PareGraphView *self); /* where a graph opens */
void pare_graph_view_set_folded (PareGraphView *self, guint group, gboolean folded);
void pare_graph_view_relayout (PareGraphView *self);
void pare_graph_view_hold_place (PareGraphView *self);

/* view */
void pare_graph_view_moved (PareGraphView *self);
void pare_graph_view_apply_values (PareGraphView *self); /* the metric, by display node */
void pare_graph_view_apply_decor (PareGraphView *self);
gint32 pare_graph_view_item_of (PareGraphView *self, PareGraphRef ref); /* -1: not visible */
PareGraphRef pare_graph_view_ref_of (PareGraphView *self, gint32 item);
gboolean pare_graph_view_rect_of (PareGraphView *self, PareGraphRef ref, PareLayoutRect *rect); /* item or open frame */
void pare_graph_view_set_cursor (PareGraphView *self, PareGraphRef ref, gboolean reveal);
gboolean pare_graph_view_ref_selected (PareGraphView *self, PareGraphRef ref);
void pare_graph_view_select (PareGraphView *self, PareGraphRef ref, gboolean add, gboolean toggle);
void pare_graph_view_select_none (PareGraphView *self);
void pare_graph_view_fly (PareGraphView *self, double gx, double gy, double scale, gboolean near);
void pare_graph_view_stop_flight (PareGraphView *self);
void pare_graph_view_update_search (PareGraphView *self);
const char *pare_graph_view_layer_of (PareGraphView *self, PareGraphRef ref);
char *pare_graph_view_describe (PareGraphView *self, PareGraphRef ref);
extern guint pare_graph_view_signals[4];
enum
{
  PARE_GRAPH_SELECTION_CHANGED,
  PARE_GRAPH_ACTIVATE_LAYER,
  PARE_GRAPH_CONTEXT_MENU,
  PARE_GRAPH_LAYOUT_CHANGED
};
