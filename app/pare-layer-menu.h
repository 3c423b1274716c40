#pragma once
#include "app/pare-selection.h"
#include "engine/project/pare-session.h"
#include <gtk/gtk.h>

/**
 * pare_layer_menu_popup:
 * @parent: a widget whose ancestors carry the action group "layer" (pare_layer_actions_new()) and the window's actions
 * @area: (nullable): where it points to, in the parent's coordinates
 *
 * The context menu of the selected layers: bits, prune, rank, exclude. Goes away by itself.
 *
 * Returns: (transfer none): the popover, shown.
 */
GtkWidget *pare_layer_menu_popup (GtkWidget *parent, PareSession *session, PareSelection *selection, const GdkRectangle *area);
