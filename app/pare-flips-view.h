#pragma once
#include "engine/project/pare-session.h"
#include <adwaita.h>

/* The samples whose answer the recipe changed: thumbnails with both answers, lost first. */
#define PARE_TYPE_FLIPS_VIEW (pare_flips_view_get_type ())
G_DECLARE_FINAL_TYPE (PareFlipsView, pare_flips_view, PARE, FLIPS_VIEW, GtkWidget)

GtkWidget *pare_flips_view_new (PareSession *session);
guint pare_flips_view_get_n (PareFlipsView *self); /* notify by signal "changed" */
