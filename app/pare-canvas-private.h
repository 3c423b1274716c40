/* Shared by the files of the canvas pane only. */
#pragma once
#include "app/pare-canvas-figures.h"
#include "app/pare-canvas-pane.h"
#include "widgets/pare-graph-view.h"

#define PARE_CANVAS_ORIGINAL 1 /* the history entry of the original */
/* The smallest canvas, in pixels, that has room for the map beside the graph. */
#define PARE_CANVAS_MAP_WIDTH 480
#define PARE_CANVAS_MAP_HEIGHT 400

typedef enum
{
  PARE_CANVAS_ERROR,
  PARE_CANVAS_SIZE,
  PARE_CANVAS_MACS,
  PARE_CANVAS_TIME,
  PARE_CANVAS_SHARE,
  PARE_CANVAS_RATE,
  PARE_CANVAS_BITS,
  PARE_CANVAS_N_COLOURS
} PareCanvasColour;

struct _PareCanvasPane
{
  GtkWidget parent_instance;
  PareSession *session;
  PareSelection *selection;
  GtkWidget *overlay, *stack, *legend, *legend_title, *path, *zoom, *search_bar, *search, *hits, *banner, *banner_text, *minimap;
  GtkWidget *showing; /* what is looked at */
  GtkWidget *saving_box, *saving_text, *saving_stop;
  GSimpleActionGroup *actions; /* "graph." of the window */
  GCancellable *saving;        /* a picture is being written */
  guint saved_timer;
  GtkWidget *popover; /* the open menu or card, owned by the overlay */
  char *menu_layer;   /* what it is about, and where it points */
  double menu_x, menu_y;
  GtkDropDown *colour;
  PareGraphView *view;
  double most; /* right end of the legend */
  PareCanvasColour scaled_for;
  gboolean beyond;            /* some value lies beyond it */
  GQueue known;               /* PareCanvasFigures, newest first */
  PareCanvasFigures *figures; /* of the entry looked at, borrowed from known; NULL: being computed */
  GCancellable *computing;
  guint idle;
  gboolean syncing;
};

/* pane */
void pare_canvas_queue_recolour (PareCanvasPane *self);

/* preview: an entry of the history that is looked at without going to it */
const PareEntry *pare_canvas_preview_entry (PareCanvasPane *self); /* (nullable) */
void pare_canvas_preview_changed (PareCanvasPane *self);
void pare_canvas_preview_clear (PareCanvasPane *self); /* forgets what was computed */

/* actions */
void pare_canvas_add_actions (PareCanvasPane *self);
GtkWidget *pare_canvas_view_button_new (void);

/* export */
void pare_canvas_export (PareCanvasPane *self, const char *path); /* .svg, else PNG */
void pare_canvas_choose_picture (PareCanvasPane *self, gboolean svg);
GtkWidget *pare_canvas_build_saving (PareCanvasPane *self);

/* menu */
void pare_canvas_context_menu (PareGraphView *view, const char *layer, double x, double y, PareCanvasPane *self);
/* A card that says what the layer of the last menu (else the first selected one) costs. */
void pare_canvas_show_cost (PareCanvasPane *self);
GtkWidget *pare_canvas_cost_new (PareSession *session, const char *layer);
