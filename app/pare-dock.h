#pragma once
#include "app/pare-selection.h"
#include "engine/project/pare-session.h"
#include <adwaita.h>

/* Results, history, flips, profile, jobs, messages: the region under the graph. */
#define PARE_TYPE_DOCK (pare_dock_get_type ())
G_DECLARE_FINAL_TYPE (PareDock, pare_dock, PARE, DOCK, GtkWidget)

GtkWidget *pare_dock_new (PareSession *session, PareSelection *selection);
void pare_dock_show (PareDock *self, const char *tab); /* results, history, flips, profile, jobs, messages */
void pare_dock_set_narrow (PareDock *self, gboolean narrow);
