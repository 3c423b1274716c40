#include "engine/export/pare-export-private.h"
#include "engine/graph/pare-graph-private.h"

gboolean
pare_export_raise (PareGraph *graph, int opset, GError **error)
{
  if (!pare_graph_upgrade (graph, opset, error))
    return FALSE;
  graph->ir_version = MAX (graph->ir_version, opset >= 21 ? 10 : 8);
  return TRUE;
}
