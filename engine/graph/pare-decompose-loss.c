/* What training minimizes, where a file kept it: how unlikely a network held the true labels. */
#include "engine/graph/pare-writer.h"

static const PareDtype f32 = PARE_DTYPE_FLOAT32, i64 = PARE_DTYPE_INT64;

typedef enum
{
  REDUCE_NONE,
  REDUCE_SUM,
  REDUCE_MEAN
} Reduction;

static gboolean
read_reduction (const PareNode *node, Reduction *reduction)
{
  g_autofree char *name = pare_node_dup_string (node, "reduction");
  *reduction = g_strcmp0 (name, "none") == 0 ? REDUCE_NONE : g_strcmp0 (name, "sum") == 0 ? REDUCE_SUM : REDUCE_MEAN;
  return name == NULL || *reduction != REDUCE_MEAN || g_str_equal (name, "mean");
}

/* Log probabilities [n, classes, ...], labels [n, ...] and weights of classes (PARE_NONE: all 1): a label that is to be ignored weighs 0.
 */
static gboolean
likelihood (PareWriter *w, const PareNode *node, PareValueId log, PareValueId output)
{
  static const gint64 classes[] = { 1 };
  const PareAttr *ignored = pare_node_get_attr (node, "ignore_index");
  gboolean ignores = ignored != NULL && ignored->kind == PARE_ATTR_INT;
  Reduction reduction;
  if (!read_reduction (node, &reduction))
    return FALSE;
  PareValueId label = pare_write_cast (w, w->in[1], i64, PARE_NONE), seen = PARE_NONE, zero = pare_write_number (w, 0);
  if (ignores)
    {
      const gint64 first = 0, none = ignored->i;
      seen = pare_write (w, "Not", PARE_DTYPE_BOOL, pare_write (w, "Equal", PARE_DTYPE_BOOL, label, pare_write_ints (w, &none, 1)),
                         PARE_NONE);
      label = pare_write_where (w, seen, label, pare_write_ints (w, &first, 1), PARE_NONE);
    }
  PareValueId in[2] = { log, pare_write_unsqueeze (w, label, classes, 1) };
  PareValueId found = pare_graph_add_value (w->graph, "GatherElements", f32, NULL, PARE_NONE);
  pare_node_set_int (pare_write_to (w, "GatherElements", found, in, 2), "axis", 1);
  PareValueId squeezed = pare_write (w, "Squeeze", f32, found, pare_write_ints (w, classes, 1));
  PareValueId loss = pare_write (w, "Neg", f32, squeezed, PARE_NONE);
  PareValueId weight = w->in[2] != PARE_NONE ? pare_write (w, "Gather", f32, w->in[2], label) : PARE_NONE;
  if (weight != PARE_NONE)
    loss = pare_write (w, "Mul", f32, loss, weight);
  if (ignores)
    loss = pare_write_where (w, seen, loss, zero, PARE_NONE);
  if (reduction == REDUCE_NONE)
    {
      pare_write_to (w, "Identity", output, &loss, 1);
      return TRUE;
    }
  if (reduction == REDUCE_SUM || (weight == PARE_NONE && !ignores))
    {
      pare_node_set_int (pare_write_to (w, reduction == REDUCE_SUM ? "ReduceSum" : "ReduceMean", output, &loss, 1), "keepdims", 0);
      return TRUE;
    }
  if (weight == PARE_NONE)
    weight = pare_write_cast (w, seen, f32, PARE_NONE);
  else if (ignores)
    weight = pare_write_where (w, seen, weight, zero, PARE_NONE);
  const PareValueId parts[2]
      = { pare_write_reduce (w, "ReduceSum", loss, PARE_NONE, FALSE), pare_write_reduce (w, "ReduceSum", weight, PARE_NONE, FALSE) };
  pare_write_to (w, "Div", output, parts, 2);
  return TRUE;
}

static gboolean
fits (const PareWriter *w)
{
  if (!pare_writer_is_float (w, w->in[0]) || w->in[1] == PARE_NONE || w->out[0] == PARE_NONE)
    return FALSE;
  const PareShape *x = pare_writer_shape (w, w->in[0]), *label = pare_writer_shape (w, w->in[1]);
  PareDtype dtype = pare_writer_dtype (w, w->in[1]);
  if (x->rank < 2 || label->rank != x->rank - 1 || x->dims[1] < 1 || (dtype != i64 && dtype != PARE_DTYPE_INT32))
    return FALSE;
  for (int d = 0; d < label->rank; d++)
    if (label->dims[d] != x->dims[d == 0 ? 0 : d + 1])
      return FALSE;
  return w->in[2] == PARE_NONE || (pare_writer_is_float (w, w->in[2]) && pare_shape_count (pare_writer_shape (w, w->in[2])) == x->dims[1]);
}

static gboolean
negative_log_likelihood (PareWriter *w, const PareNode *node)
{
  return fits (w) && likelihood (w, node, w->in[0], w->out[0]);
}

/* Of scores; the log probabilities are an output, too. */
static gboolean
cross_entropy (PareWriter *w, const PareNode *node)
{
  Reduction reduction;
  if (!fits (w) || !read_reduction (node, &reduction))
    return FALSE;
  PareValueId log = w->out[1] != PARE_NONE ? w->out[1] : pare_graph_add_value (w->graph, "LogSoftmax", f32, NULL, PARE_NONE);
  pare_node_set_int (pare_write_to (w, "LogSoftmax", log, &w->in[0], 1), "axis", 1);
  return likelihood (w, node, log, w->out[0]);
}

const PareDecomposeRule pare_decompose_rules_loss[] = {
  { "", "NegativeLogLikelihoodLoss", negative_log_likelihood },
  { "", "SoftmaxCrossEntropyLoss", cross_entropy },
  { NULL, NULL, NULL },
};
