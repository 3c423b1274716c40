#pragma once
#include "engine/project/pare-session.h"
#include <adwaita.h>

/* Every recipe tried: the history on the left, the scatter of what each cost on the right. */
#define PARE_TYPE_EXPLORE_PAGE (pare_explore_page_get_type ())
G_DECLARE_FINAL_TYPE (PareExplorePage, pare_explore_page, PARE, EXPLORE_PAGE, GtkWidget)

GtkWidget *pare_explore_page_new (PareSession *session);
