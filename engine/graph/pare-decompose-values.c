/* Operators with an operand that is a constant in most files, as their kernels want it: where it is computed, they are written out. */
#include "engine/graph/pare-writer.h"

/* Bounds that are computed: the greater of x and the lower one, and of that and the upper one the smaller. */
static gboolean
clip (PareWriter *w, const PareNode *node)
{
  PareDtype dtype = pare_writer_dtype (w, w->in[0]);
  int rank = pare_writer_shape (w, w->in[0])->rank;
  gboolean computed = FALSE;
  guint n = 0;
  PareValueId bounds[2];
  for (guint i = 1; i <= 2; i++)
    if (w->in[i] != PARE_NONE)
      {
        const PareShape *s = pare_writer_shape (w, w->in[i]);
        if (pare_writer_dtype (w, w->in[i]) != dtype || pare_shape_count (s) != 1 || s->rank > rank)
          return FALSE;
        computed |= w->graph->values[w->in[i]].constant == NULL;
        bounds[n++] = w->in[i];
      }
  if (!computed)
    return FALSE;
  const PareValueId in[2] = { n == 2 ? pare_write (w, "Max", dtype, w->in[0], bounds[0]) : w->in[0], bounds[n - 1] };
  pare_write_to (w, w->in[2] != PARE_NONE ? "Min" : "Max", w->out[0], in, 2);
  return TRUE;
}

/* Lengths that are known to be those of the whole. */
static gboolean
are_all (const PareWriter *w, const PareNode *node, gint64 steps)
{
  guint n = 0;
  g_autofree gint64 *lengths = pare_node_input_ints (w->graph, node, 1, &n);
  for (guint i = 0; lengths != NULL && i < n; i++)
    if (lengths[i] != steps)
      return FALSE;
  return lengths != NULL;
}

/* (transfer full) 0, 1, ... along an axis of two, `n` of them; NULL: no memory. */
static PareTensor *
count_along (gint64 axis, gint64 n)
{
  PareShape shape = { .rank = 2, .dims = { 1, 1 } };
  shape.dims[axis] = n;
  PareTensor *t = pare_tensor_new (PARE_DTYPE_INT64, &shape, NULL);
  for (gint64 i = 0; t != NULL && i < n; i++)
    ((gint64 *)t->data)[i] = i;
  return t;
}

/* The first `length` steps of each sequence backwards, the rest as it is: a slice where that is all of them, else each step is gathered
 * from its place. */
static gboolean
reverse_sequence (PareWriter *w, const PareNode *node)
{
  const PareDtype i64 = PARE_DTYPE_INT64;
  const PareShape x = *pare_writer_shape (w, w->in[0]);
  gint64 time = pare_node_get_int (node, "time_axis", 0), batch = pare_node_get_int (node, "batch_axis", 1);
  if (x.rank < 2 || time < 0 || time > 1 || batch != 1 - time || w->in[1] == PARE_NONE || pare_writer_dtype (w, w->in[1]) != i64
      || x.dims[time] < 0 || x.dims[batch] < 0 || pare_writer_shape (w, w->in[1])->rank != 1
      || pare_writer_shape (w, w->in[1])->dims[0] != x.dims[batch])
    return FALSE;
  if (are_all (w, node, x.dims[time]))
    {
      const gint64 from = -1, to = G_MININT64 + 1, by = -1;
      PareValueId in[5] = { w->in[0], pare_write_ints (w, &from, 1), pare_write_ints (w, &to, 1), pare_write_ints (w, &time, 1),
                            pare_write_ints (w, &by, 1) };
      pare_write_to (w, "Slice", w->out[0], in, 5);
      return TRUE;
    }
  g_autoptr (PareTensor) steps = count_along (time, x.dims[time]), samples = count_along (batch, x.dims[batch]);
  if (steps == NULL || samples == NULL)
    return FALSE;
  const gint64 whole[2] = { x.dims[0], x.dims[1] }, last = 2;
  PareValueId step = pare_write_constant (w, "step", steps), length = pare_write_unsqueeze (w, w->in[1], &time, 1);
  PareValueId back = pare_write (w, "Sub", i64, pare_write (w, "Sub", i64, length, pare_write_ints (w, &(gint64){ 1 }, 1)), step);
  PareValueId is_in = pare_write (w, "Less", PARE_DTYPE_BOOL, step, length), place[2];
  place[time] = pare_write_where (w, is_in, back, step, PARE_NONE);
  place[batch] = pare_write (w, "Expand", i64, pare_write_constant (w, "sample", samples), pare_write_ints (w, whole, 2));
  for (guint i = 0; i < 2; i++)
    place[i] = pare_write_unsqueeze (w, place[i], &last, 1);
  const PareValueId in[2] = { w->in[0], pare_write_concat (w, place, 2, last, PARE_NONE) };
  pare_write_to (w, "GatherND", w->out[0], in, 2);
  return TRUE;
}

const PareDecomposeRule pare_decompose_rules_values[] = {
  { "", "Clip", clip },
  { "", "ReverseSequence", reverse_sequence },
  { NULL, NULL, NULL },
};
