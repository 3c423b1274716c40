#pragma once
#include "app/pare-selection.h"
#include "engine/project/pare-session.h"
#include <adwaita.h>

/* The graph with its overlays: search, colouring and legend, minimap, zoom; keeps the view's colours and pills true to the session. */
#define PARE_TYPE_CANVAS_PANE (pare_canvas_pane_get_type ())
G_DECLARE_FINAL_TYPE (PareCanvasPane, pare_canvas_pane, PARE, CANVAS_PANE, GtkWidget)

GtkWidget *pare_canvas_pane_new (PareSession *session, PareSelection *selection);
GtkWidget *pare_canvas_pane_get_view (PareCanvasPane *self);
void pare_canvas_pane_command (PareCanvasPane *self, const char *command); /* find, find-next, find-previous, zoom-*, next-colour */
void pare_canvas_pane_set_coupled (PareCanvasPane *self, char **layers);   /* NULL: none */
/* While the widget has the focus, B held shows the original: sets the shared preview, and takes it back on release or when the focus goes.
 */
void pare_canvas_preview_keys_attach (GtkWidget *widget, PareSelection *selection);
