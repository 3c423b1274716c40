#pragma once
#include "app/pare-selection.h"
#include "engine/project/pare-session.h"
#include <gtk/gtk.h>

/**
 * pare_layer_menu_popup:
 * @parent: a widget whose ancestors carry the action group "layer" (pare_layer_actions_new()) and the window's actions
 * @layer: (nullable): the one it was opened on, whose cost it offers to show by the action "table.layer-cost"
 * @area: (nullable): where it points to, in the parent's coordinates
 *
 * The context menu of the selected layers: bits, prune, rank, exclude. Goes away by itself.
 *
 * Returns: (transfer none): the popover, shown.
 */
GtkWidget *pare_layer_menu_popup (GtkWidget *parent, PareSession *session, PareSelection *selection, const char *layer, const GdkRectangle *area);

/* Shows a popover that has no parent yet, at an area of its parent-to-be; it goes away when it is closed. */
void pare_layer_menu_show (GtkWidget *popover, GtkWidget *parent, const GdkRectangle *area);
