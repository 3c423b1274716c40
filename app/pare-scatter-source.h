#pragma once
#include "app/pare-selection.h"
#include "engine/project/pare-session.h"
#include "widgets/pare-scatter-chart.h"

/* Feeds the chart with every entry of the session's history that has accuracy and the chart's cost, with the project's limits, and with
 * what is brushed: two recipes are tagged A and B, more are ringed. */
void pare_scatter_source_update (PareScatterChart *chart, PareSession *session, PareSelection *selection);
