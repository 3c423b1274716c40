/* The graph of a network: layered drawing with groups that fold, coloured by a metric. Pan, zoom at the pointer, select, search.
 * Layout runs in a worker; drawing culls and keeps what it drew. The viewport is a model of its own (pare-viewport.h). */
#pragma once
#include "widgets/pare-graph-model.h"
#include "widgets/pare-viewport.h"
#include <gtk/gtk.h>

G_BEGIN_DECLS
#define PARE_TYPE_GRAPH_VIEW (pare_graph_view_get_type ())
G_DECLARE_FINAL_TYPE (PareGraphView, pare_graph_view, PARE, GRAPH_VIEW, GtkWidget)

/* Properties: "scale" (double, read), "busy" (boolean, read: a layout is being computed); "show-names", "show-attributes",
 * "show-constants" (boolean: what nodes say), "wheel-zooms" (boolean: the plain wheel zooms, with Ctrl it scrolls).
 * Signals: "selection-changed" (); "activate-layer" (const char *layer); "context-menu" (const char *layer or NULL, double x, double y),
 * view coordinates; "layout-changed" (): another scene is shown. */

typedef char *(*PareValueFormat) (double value, gpointer data); /* (transfer full) */

typedef enum
{
  PARE_METRIC_SUM = 0,        /* figures of parts add up: bytes, time */
  PARE_METRIC_WORST = 1 << 0, /* the largest stands for many: error, bits */
  PARE_METRIC_DELTA = 1 << 1  /* min..max are shown on the delta map, symmetric about zero */
} PareMetricFlags;

typedef enum
{
  PARE_GRAPH_NONE = 0,
  PARE_GRAPH_UNSUPPORTED = 1 << 0, /* opens, cannot run */
  PARE_GRAPH_CHANGED = 1 << 1,
  PARE_GRAPH_EXCLUDED = 1 << 2,
  PARE_GRAPH_DIVERGES = 1 << 3 /* first layer that differs in a verification */
} PareGraphFlags;

GtkWidget *pare_graph_view_new (void);
/* graph: (nullable): ref taken. infos: (nullable): copied. Folds and place are kept where the new graph has the same layers. */
void pare_graph_view_set_graph (PareGraphView *self, const PareGraph *graph, const PareLayerInfo *infos, guint n_infos);
PareGraphModel *pare_graph_view_get_model (PareGraphView *self); /* (nullable), borrowed */

/* values: (nullable): layer name -> double *, ref taken, not to be changed afterwards; NAN or absent: missing. Colours are spread over
 * min..max. */
void pare_graph_view_set_metric (PareGraphView *self, const char *title, GHashTable *values, PareValueFormat format, gpointer format_data,
                                 GDestroyNotify destroy, double min, double max, PareMetricFlags flags);
/* What the recipe did to a layer. pills: (nullable) NULL-terminated; size_fraction: bytes left of the original, NAN: no bar; shapes:
 * (nullable). */
void pare_graph_view_set_decorations (PareGraphView *self, const char *layer, const char *const *pills, double size_fraction,
                                      const char *old_shape, const char *new_shape, PareGraphFlags flags);
void pare_graph_view_clear_decorations (PareGraphView *self);

/* Selection: display nodes that stand for any of these layers. Setting it does not emit "selection-changed". */
void pare_graph_view_set_selected (PareGraphView *self, const char *const *layers);
char **pare_graph_view_dup_selected (PareGraphView *self); /* leading layers, in the order of the model */

/* Case-insensitive, in names and operators; NULL or "" ends the search. Returns the number of hits; the first one is shown. */
guint pare_graph_view_search (PareGraphView *self, const char *text);
guint pare_graph_view_search_next (PareGraphView *self, int direction); /* 1-based index of the hit now shown; 0: none */

void pare_graph_view_fly_to (PareGraphView *self, const char *layer);              /* opens the folds around it */
void pare_graph_view_set_coupled (PareGraphView *self, const char *const *layers); /* NULL: none */

double pare_graph_view_get_scale (PareGraphView *self);
void pare_graph_view_zoom_in (PareGraphView *self);
void pare_graph_view_zoom_out (PareGraphView *self);
void pare_graph_view_zoom_original (PareGraphView *self);
void pare_graph_view_zoom_to (PareGraphView *self, double scale);
void pare_graph_view_fit (PareGraphView *self);
void pare_graph_view_fit_selection (PareGraphView *self);
/* Parts of the view that overlays cover: fitting leaves them free. */
void pare_graph_view_set_insets (PareGraphView *self, double left, double top, double right, double bottom);
void pare_graph_view_fold_all (PareGraphView *self, gboolean folded);
/* The whole graph as a PNG or SVG, without selection and hover: painted between frames, packed and written in a worker. At its own size,
 * smaller where a side would be over 16,384 pixels. progress (nullable): fraction done, in the main thread. */
typedef void (*PareGraphProgress) (double fraction, gpointer data);
void pare_graph_view_save_picture_async (PareGraphView *self, const char *path, gboolean svg, GCancellable *cancellable,
                                         PareGraphProgress progress, gpointer progress_data, GAsyncReadyCallback callback, gpointer data);
/* FALSE: the error names the file; nothing half-written is left under its name. */
gboolean pare_graph_view_save_picture_finish (PareGraphView *self, GAsyncResult *result, GError **error);
/* The scale such a picture has: 1, or less where it would be too large. */
double pare_graph_view_picture_scale (PareGraphView *self, gboolean svg);
/* Path of the cursor from the outermost group on: "Stage 3", "Block 8", NULL-terminated; the title of the node last. */
char **pare_graph_view_dup_path (PareGraphView *self);
G_END_DECLS
