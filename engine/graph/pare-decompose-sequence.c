/* Sequences whose members are known, as exporters write lists: what reads a member reads the tensor itself. The nodes that make and pass
 * sequences on are left without readers. */
#include "engine/graph/pare-writer.h"

#include <string.h>

#define MOST_MEMBERS 4096
#define MOST_LINKS 4096 /* nodes that pass a sequence on */

/* One member: a value, or from..to - 1 of an axis of it. */
typedef struct
{
  PareValueId value;
  gint64 axis, from, to; /* axis negative: all of it */
  gboolean single;       /* the axis goes */
} Member;

/* An operand that is one whole number. fallback: where it is omitted. FALSE: nobody knows it yet. */
static gboolean
number (const PareGraph *g, const PareNode *node, guint i, gint64 fallback, gint64 *value)
{
  const PareTensor *t = pare_node_input_constant (g, node, i);
  *value = fallback;
  if (i >= node->n_inputs || node->inputs[i] == PARE_NONE)
    return TRUE;
  if (t == NULL || pare_tensor_count (t) != 1)
    return FALSE;
  *value = pare_tensor_get_int (t, 0);
  return TRUE;
}

static gboolean
add_parts (const PareGraph *g, const PareNode *split, GArray *members)
{
  const PareValue *x = pare_node_input (g, split, 0);
  gint64 axis = pare_node_get_int (split, "axis", 0), at = 0, each = 1;
  gboolean equal = split->n_inputs < 2 || split->inputs[1] == PARE_NONE, single = equal && pare_node_get_int (split, "keepdims", 1) == 0;
  guint n = 0;
  g_autofree gint64 *sizes = equal ? NULL : pare_node_input_ints (g, split, 1, &n);
  if (x == NULL || x->shape.rank < 1 || axis < -x->shape.rank || axis >= x->shape.rank || (!equal && (sizes == NULL || n < 1)))
    return FALSE;
  axis += axis < 0 ? x->shape.rank : 0;
  if (!equal && g->values[split->inputs[1]].shape.rank == 0) /* each so many, the last perhaps fewer */
    {
      equal = TRUE;
      each = sizes[0];
    }
  gint64 extent = x->shape.dims[axis];
  if (extent < 0 || each < 1)
    return FALSE;
  for (guint i = 0; equal ? at < extent : i < n; i++)
    {
      gint64 size = equal ? MIN (each, extent - at) : sizes[i];
      if (size < 0 || size > extent - at || members->len >= MOST_MEMBERS)
        return FALSE;
      g_array_append_val (members, ((Member){ split->inputs[0], axis, at, at + size, single }));
      at += size;
    }
  return at == extent;
}

/* Fills in what the sequence holds; FALSE: that is not known. */
static gboolean
find_members (const PareGraph *g, PareValueId sequence, guint links, GArray *members)
{
  PareNodeId producer = sequence != PARE_NONE ? g->values[sequence].producer : PARE_NONE;
  const PareNode *node = producer != PARE_NONE ? &g->nodes[producer] : NULL;
  gint64 at;
  if (node == NULL || node->op == NULL || links > MOST_LINKS)
    return FALSE;
  if (pare_node_is (node, "SequenceEmpty"))
    return TRUE;
  if (node->n_inputs < 1 || node->inputs[0] == PARE_NONE)
    return FALSE;
  if (pare_node_is (node, "SplitToSequence"))
    return add_parts (g, node, members);
  if (pare_node_is (node, "SequenceConstruct"))
    {
      for (guint i = 0; i < node->n_inputs; i++)
        {
          Member whole = { node->inputs[i], -1, 0, 0, FALSE };
          if (whole.value == PARE_NONE || members->len >= MOST_MEMBERS)
            return FALSE;
          g_array_append_val (members, whole);
        }
      return TRUE;
    }
  gboolean insert = pare_node_is (node, "SequenceInsert"), erase = pare_node_is (node, "SequenceErase");
  if ((!insert && !erase && !pare_node_is (node, "Identity")) || !find_members (g, node->inputs[0], links + 1, members))
    return FALSE;
  if (!insert && !erase)
    return TRUE;
  gint64 n = members->len;
  if (!number (g, node, insert ? 2 : 1, insert ? n : n - 1, &at))
    return FALSE;
  at += at < 0 ? n : 0;
  if (at < 0 || at >= n + insert || (insert && (node->n_inputs < 2 || node->inputs[1] == PARE_NONE || n >= MOST_MEMBERS)))
    return FALSE;
  if (erase)
    g_array_remove_index (members, (guint)at);
  else
    g_array_insert_val (members, (guint)at, ((Member){ node->inputs[1], -1, 0, 0, FALSE }));
  return TRUE;
}

static GArray *
members_of (const PareWriter *w)
{
  g_autoptr (GArray) members = g_array_new (FALSE, FALSE, sizeof (Member));
  return find_members (w->graph, w->in[0], 0, members) ? g_steal_pointer (&members) : NULL;
}

static PareValueId
value_of (PareWriter *w, const Member *m)
{
  if (m->axis < 0)
    return m->value;
  PareValueId part = pare_write_slice (w, m->value, m->axis, m->from, m->to, 1);
  return m->single ? pare_write (w, "Squeeze", pare_writer_dtype (w, m->value), part, pare_write_ints (w, &m->axis, 1)) : part;
}

static gboolean
sequence_at (PareWriter *w, const PareNode *node)
{
  g_autoptr (GArray) members = members_of (w);
  gint64 at;
  if (members == NULL || w->in[1] == PARE_NONE || !number (w->graph, node, 1, 0, &at))
    return FALSE;
  at += at < 0 ? members->len : 0;
  if (at < 0 || at >= members->len)
    return FALSE;
  PareValueId value = value_of (w, &g_array_index (members, Member, at));
  pare_write_to (w, "Identity", w->out[0], &value, 1);
  return TRUE;
}

static gboolean
sequence_length (PareWriter *w, const PareNode *node)
{
  g_autoptr (GArray) members = members_of (w);
  PareShape scalar = { .rank = 0 };
  g_autoptr (PareTensor) t = members != NULL ? pare_tensor_new (PARE_DTYPE_INT64, &scalar, NULL) : NULL;
  if (t == NULL)
    return FALSE;
  *(gint64 *)t->data = members->len;
  PareValueId length = pare_write_constant (w, "length", t);
  pare_write_to (w, "Identity", w->out[0], &length, 1);
  return TRUE;
}

/* One behind the other along an axis, or along one of their own. */
static gboolean
concat_from_sequence (PareWriter *w, const PareNode *node)
{
  g_autoptr (GArray) members = members_of (w);
  gint64 axis = pare_node_get_int (node, "axis", 0);
  if (members == NULL || members->len < 1)
    return FALSE;
  g_autofree PareValueId *values = g_new (PareValueId, members->len);
  for (guint i = 0; i < members->len; i++)
    {
      values[i] = value_of (w, &g_array_index (members, Member, i));
      if (pare_node_get_int (node, "new_axis", 0) != 0)
        values[i] = pare_write_unsqueeze (w, values[i], &axis, 1);
    }
  pare_write_concat (w, values, members->len, axis, w->out[0]);
  return TRUE;
}

const PareDecomposeRule pare_decompose_rules_sequence[] = {
  { "", "ConcatFromSequence", concat_from_sequence },
  { "", "SequenceAt", sequence_at },
  { "", "SequenceLength", sequence_length },
  { NULL, NULL, NULL },
};
