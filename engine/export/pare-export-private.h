#pragma once
#include "engine/graph/pare-graph.h"

/* Brings the graph to `opset` with the least rewriting, and the file version that goes with it. */
gboolean pare_export_raise (PareGraph *graph, int opset, GError **error);
