#pragma once
#include "app/pare-selection.h"
#include "engine/project/pare-session.h"
#include <adwaita.h>

/* Figures and knobs of what is selected: one layer, many, or - with nothing selected - the defaults of the whole model.
 * Signal "coupled" (char **): the layers that must be pruned together with the selected one, NULL: none. */
#define PARE_TYPE_INSPECTOR (pare_inspector_get_type ())
G_DECLARE_FINAL_TYPE (PareInspector, pare_inspector, PARE, INSPECTOR, GtkWidget)

GtkWidget *pare_inspector_new (PareSession *session, PareSelection *selection);
void pare_inspector_focus_knob (PareInspector *self, const char *knob); /* prune, rank */
