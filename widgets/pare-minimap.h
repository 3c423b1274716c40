#pragma once
#include "widgets/pare-graph-view.h"

G_BEGIN_DECLS
/* The whole graph in 90 x 180: tiles in the metric's colours and a frame around what the view shows; click or drag moves there. */
#define PARE_TYPE_MINIMAP (pare_minimap_get_type ())
G_DECLARE_FINAL_TYPE (PareMinimap, pare_minimap, PARE, MINIMAP, GtkWidget)

GtkWidget *pare_minimap_new (PareGraphView *view);
G_END_DECLS
