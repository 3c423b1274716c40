#pragma once
#include "app/pare-selection.h"
#include "engine/project/pare-session.h"
#include <gtk/gtk.h>

/* One way to change what is selected: a change of the set fields goes to every selected layer that can take it, as one undo step, or to the
 * defaults where none is selected. Layers that cannot take it are counted in the selection (pare_selection_get_skipped()). */
void pare_layer_edit (PareSession *session, PareSelection *selection, const PareLayerRecipe *change, const char *what /* "4 bits" */,
                      guint group);
void pare_layer_edit_reset (PareSession *session, PareSelection *selection);

/* Plain keys on the selected layers while the widget has the focus: 2..8, Shift+2..8, 0, X, Delete (design README "Keyboard"). */
void pare_layer_keys_attach (GtkWidget *widget, PareSession *session, PareSelection *selection);

/* The same as actions, for menus: weight-bits(i), activation-bits(i), exclude, reset. (transfer full) */
GActionGroup *pare_layer_actions_new (PareSession *session, PareSelection *selection);
