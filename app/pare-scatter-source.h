#pragma once
#include "engine/project/pare-session.h"
#include "widgets/pare-scatter-chart.h"

/* How far accuracy may fall before the window calls it a loss; points of a percent. */
#define PARE_TOLERANCE_PP 1.0

/* Feeds the chart with every entry of the session's history that has accuracy and the chart's cost. */
void pare_scatter_source_update (PareScatterChart *chart, PareSession *session);
