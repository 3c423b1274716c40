#pragma once
#include "app/pare-selection.h"
#include "engine/project/pare-session.h"
#include <adwaita.h>

/* The list of layers: name, size over the original's ghost, recipe, a chosen metric. Search, sort by any head, many rows selected. */
#define PARE_TYPE_LAYER_TABLE (pare_layer_table_get_type ())
G_DECLARE_FINAL_TYPE (PareLayerTable, pare_layer_table, PARE, LAYER_TABLE, GtkWidget)

GtkWidget *pare_layer_table_new (PareSession *session, PareSelection *selection);
GtkWidget *pare_layer_table_get_view (PareLayerTable *self); /* the list, for keys that act on layers */
