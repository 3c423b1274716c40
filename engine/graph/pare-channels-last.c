/* Operators of com.microsoft whose channels come last become those of ONNX between Transposes, as does what ONNX Runtime writes when it
 * saves an integer network as it runs it. What becomes of the Transposes: pare-transposes.c. */
#include "engine/graph/pare-writer.h"

/* The same operator, on channels that come first. */
static gboolean
channels_first (PareWriter *w, const PareNode *node)
{
  gboolean pool = g_str_equal (node->op, "NhwcMaxPool"), conv = g_str_equal (node->op, "QLinearConv");
  int rank = pare_writer_shape (w, w->in[0])->rank;
  gboolean last = pool || pare_node_get_int (node, "channels_last", 0) != 0;
  if ((!last && !conv) || (last && (rank < 3 || rank > PARE_MAX_RANK)))
    return FALSE; /* nothing to change; or nobody knows */
  gint64 in[PARE_MAX_RANK] = { 0, rank - 1 }, out[PARE_MAX_RANK] = { 0 };
  for (int i = 2; i < rank; i++)
    in[i] = i - 1;
  for (int i = 0; last && i < rank; i++)
    out[in[i]] = i;
  PareValueId y = last ? pare_graph_add_value (w->graph, node->op, PARE_DTYPE_NONE, NULL, PARE_NONE) : w->out[0];
  if (last)
    w->in[0] = pare_write_transpose (w, w->in[0], in, (guint)rank, PARE_NONE);
  PareNode *made = pool || conv ? pare_write_to (w, pool ? "MaxPool" : "QLinearConv", y, w->in, node->n_inputs)
                                : pare_write_ms (w, node->op, y, w->in, node->n_inputs);
  pare_node_add_attrs (made, node, "channels_last");
  if (last)
    pare_write_transpose (w, y, out, (guint)rank, w->out[0]);
  return TRUE;
}

const PareDecomposeRule pare_decompose_rules_channels[] = {
  { PARE_DOMAIN_MS, "NhwcMaxPool", channels_first },
  { PARE_DOMAIN_MS, "QLinearAveragePool", channels_first },
  { PARE_DOMAIN_MS, "QLinearConv", channels_first },
  { PARE_DOMAIN_MS, "QLinearGlobalAveragePool", channels_first },
  { NULL, NULL, NULL },
};
