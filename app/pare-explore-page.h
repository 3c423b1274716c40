#pragma once
#include "app/pare-selection.h"
#include "engine/project/pare-session.h"
#include <adwaita.h>

/* Every recipe tried: the history on the left, the scatter of what each cost with the comparison under it, and the samples that
 * changed their answer on the right. */
#define PARE_TYPE_EXPLORE_PAGE (pare_explore_page_get_type ())
G_DECLARE_FINAL_TYPE (PareExplorePage, pare_explore_page, PARE, EXPLORE_PAGE, GtkWidget)

GtkWidget *pare_explore_page_new (PareSession *session, PareSelection *selection);
void pare_explore_page_set_narrow (PareExplorePage *self, gboolean narrow); /* no room for the samples */
