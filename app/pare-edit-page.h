#pragma once
#include "app/pare-selection.h"
#include "engine/project/pare-session.h"
#include <adwaita.h>

/* Layer table, graph, inspector, results: the page where a model is shrunk by hand. */
#define PARE_TYPE_EDIT_PAGE (pare_edit_page_get_type ())
G_DECLARE_FINAL_TYPE (PareEditPage, pare_edit_page, PARE, EDIT_PAGE, GtkWidget)

GtkWidget *pare_edit_page_new (PareSession *session, PareSelection *selection);
void pare_edit_page_set_narrow (PareEditPage *self, gboolean narrow);
/* What the window's actions of the same names do here: find, find-next, find-previous, zoom-in, zoom-out, zoom-original, zoom-fit,
 * next-colour, show-table, show-inspector, show-dock, next-region, previous-region. */
void pare_edit_page_command (PareEditPage *self, const char *command);
void pare_edit_page_show_dock (PareEditPage *self, const char *tab);
void pare_edit_page_focus_knob (PareEditPage *self, const char *knob); /* prune, rank */
