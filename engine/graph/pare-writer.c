/* The writer of nodes that take the place of others. */
#include "engine/graph/pare-writer.h"

PareDtype
pare_writer_dtype (const PareWriter *w, PareValueId value)
{
  return w->graph->values[value].dtype;
}

const PareShape *
pare_writer_shape (const PareWriter *w, PareValueId value)
{
  return &w->graph->values[value].shape;
}

PareNode *
pare_write_many (PareWriter *w, const char *op, const PareValueId *out, guint n_out, const PareValueId *in, guint n)
{
  g_autofree char *name = w->name[0] != '\0' ? g_strconcat (w->name, "/", op, NULL) : g_strdup ("");
  PareNodeId id = pare_graph_add_node (w->graph, op, name, in, n, out, n_out, w->origin, w->role);
  PareNode *node = &w->graph->nodes[id];
  node->layer = w->layer;
  g_array_append_val (w->made, id);
  return node;
}

PareNode *
pare_write_to (PareWriter *w, const char *op, PareValueId output, const PareValueId *in, guint n)
{
  return pare_write_many (w, op, &output, 1, in, n);
}

PareNode *
pare_write_ms (PareWriter *w, const char *op, PareValueId output, const PareValueId *in, guint n)
{
  PareNode *node = pare_write_to (w, op, output, in, n);
  node->domain = PARE_DOMAIN_MS;
  return node;
}

PareValueId
pare_write (PareWriter *w, const char *op, PareDtype dtype, PareValueId a, PareValueId b)
{
  PareValueId out = pare_graph_add_value (w->graph, op, dtype, NULL, PARE_NONE), in[2] = { a, b };
  pare_write_to (w, op, out, in, b == PARE_NONE ? 1 : 2);
  return out;
}

PareValueId
pare_write_cast (PareWriter *w, PareValueId x, PareDtype to, PareValueId output)
{
  PareValueId out = output != PARE_NONE ? output : pare_graph_add_value (w->graph, "Cast", to, NULL, PARE_NONE);
  pare_node_set_int (pare_write_to (w, "Cast", out, &x, 1), "to", (gint64)to);
  return out;
}

PareValueId
pare_write_transpose (PareWriter *w, PareValueId x, const gint64 *perm, guint n, PareValueId output)
{
  PareValueId out = output != PARE_NONE ? output : pare_graph_add_value (w->graph, "Transpose", pare_writer_dtype (w, x), NULL, PARE_NONE);
  pare_node_set_ints (pare_write_to (w, "Transpose", out, &x, 1), "perm", perm, n);
  return out;
}

PareValueId
pare_write_constant (PareWriter *w, const char *what, PareTensor *t)
{
  return pare_graph_add_constant (w->graph, what, t, PARE_NONE);
}

PareValueId
pare_write_number (PareWriter *w, float value)
{
  g_autoptr (PareTensor) t = pare_tensor_new_scalar_f32 (value);
  return pare_write_constant (w, "number", t);
}

PareValueId
pare_write_ints (PareWriter *w, const gint64 *values, guint n)
{
  g_autoptr (PareTensor) t = pare_tensor_new_i64 (values, n);
  return pare_write_constant (w, "axes", t);
}

PareValueId
pare_write_reduce (PareWriter *w, const char *op, PareValueId x, PareValueId axes, gboolean keep)
{
  PareValueId out = pare_graph_add_value (w->graph, op, pare_writer_dtype (w, x), NULL, PARE_NONE), in[2] = { x, axes };
  pare_node_set_int (pare_write_to (w, op, out, in, axes == PARE_NONE ? 1 : 2), "keepdims", keep);
  return out;
}

gboolean
pare_writer_is_float (const PareWriter *w, PareValueId value)
{
  return value != PARE_NONE && pare_writer_dtype (w, value) == PARE_DTYPE_FLOAT32 && pare_shape_count (pare_writer_shape (w, value)) >= 0;
}

static PareValueId
own_or (PareWriter *w, const char *op, PareValueId like, PareValueId output)
{
  return output != PARE_NONE ? output : pare_graph_add_value (w->graph, op, pare_writer_dtype (w, like), NULL, PARE_NONE);
}

PareValueId
pare_write_reshape (PareWriter *w, PareValueId x, const gint64 *dims, guint n, PareValueId output)
{
  PareValueId out = own_or (w, "Reshape", x, output), in[2] = { x, pare_write_ints (w, dims, n) };
  pare_write_to (w, "Reshape", out, in, 2);
  return out;
}

PareValueId
pare_write_slice (PareWriter *w, PareValueId x, gint64 axis, gint64 from, gint64 to, gint64 step)
{
  PareValueId out = own_or (w, "Slice", x, PARE_NONE);
  PareValueId in[5]
      = { x, pare_write_ints (w, &from, 1), pare_write_ints (w, &to, 1), pare_write_ints (w, &axis, 1), pare_write_ints (w, &step, 1) };
  pare_write_to (w, "Slice", out, in, 5);
  return out;
}

PareValueId
pare_write_unsqueeze (PareWriter *w, PareValueId x, const gint64 *axes, guint n)
{
  return pare_write (w, "Unsqueeze", pare_writer_dtype (w, x), x, pare_write_ints (w, axes, n));
}

PareValueId
pare_write_pick (PareWriter *w, PareValueId x, gint64 axis, gint64 index)
{
  PareShape scalar = { .rank = 0 };
  g_autoptr (PareTensor) t = pare_tensor_new (PARE_DTYPE_INT64, &scalar, NULL);
  *(gint64 *)t->data = index;
  PareValueId out = own_or (w, "Gather", x, PARE_NONE), in[2] = { x, pare_write_constant (w, "index", t) };
  pare_node_set_int (pare_write_to (w, "Gather", out, in, 2), "axis", axis);
  return out;
}

PareValueId
pare_write_concat (PareWriter *w, const PareValueId *in, guint n, gint64 axis, PareValueId output)
{
  PareValueId out = own_or (w, "Concat", in[0], output);
  pare_node_set_int (pare_write_to (w, "Concat", out, in, n), "axis", axis);
  return out;
}

PareValueId
pare_write_where (PareWriter *w, PareValueId condition, PareValueId x, PareValueId y, PareValueId output)
{
  PareValueId out = own_or (w, "Where", x, output), in[3] = { condition, x, y };
  pare_write_to (w, "Where", out, in, 3);
  return out;
}

void
pare_write_product (PareWriter *w, PareValueId a, PareValueId b, PareValueId bias)
{
  const PareValueId in[2] = { a, b };
  if (bias == PARE_NONE)
    pare_write_to (w, "MatMul", w->out[0], in, 2);
  else
    {
      const PareValueId sum[2] = { pare_write (w, "MatMul", PARE_DTYPE_FLOAT32, a, b), bias };
      pare_write_to (w, "Add", w->out[0], sum, 2);
    }
}
