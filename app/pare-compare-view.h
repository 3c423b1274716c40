#pragma once
#include "app/pare-selection.h"
#include "engine/project/pare-session.h"
#include <adwaita.h>

/* The recipes that are brushed in a chart, side by side: size, time and accuracy with the differences to the first; of two, the layers that
 * they treat differently. Nothing brushed: the original and the recipe in use. */
#define PARE_TYPE_COMPARE_VIEW (pare_compare_view_get_type ())
G_DECLARE_FINAL_TYPE (PareCompareView, pare_compare_view, PARE, COMPARE_VIEW, GtkWidget)

GtkWidget *pare_compare_view_new (PareSession *session, PareSelection *selection);
/* What is compared, oldest first (element-type gint64) (transfer full). */
GArray *pare_compare_entries (PareSession *session, PareSelection *selection);
