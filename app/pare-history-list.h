#pragma once
#include "app/pare-selection.h"
#include "engine/project/pare-session.h"
#include <adwaita.h>

/* Every recipe tried, newest first, as a tree drawn in a lane column; activating a row goes to that recipe. A row
 * on which the pointer rests is previewed; those that are brushed in a chart are marked. */
#define PARE_TYPE_HISTORY_LIST (pare_history_list_get_type ())
G_DECLARE_FINAL_TYPE (PareHistoryList, pare_history_list, PARE, HISTORY_LIST, GtkWidget)

GtkWidget *pare_history_list_new (PareSession *session, PareSelection *selection);
