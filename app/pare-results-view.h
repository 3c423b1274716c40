#pragma once
#include "app/pare-selection.h"
#include "engine/project/pare-session.h"
#include <adwaita.h>

/* Accuracy, size, latency and the scatter, side by side; each follows the session. Narrow: size and latency share a card. */
#define PARE_TYPE_RESULTS_VIEW (pare_results_view_get_type ())
G_DECLARE_FINAL_TYPE (PareResultsView, pare_results_view, PARE, RESULTS_VIEW, GtkWidget)

GtkWidget *pare_results_view_new (PareSession *session, PareSelection *selection);
void pare_results_view_set_narrow (PareResultsView *self, gboolean narrow);
