/* Sequences of a graph that runs: lists whose members only the run knows, as loops make them. Such a list is a tensor of no type that holds
 * its members; the operators here are the only ones that read it. Lists whose members are known before are written out instead
 * (pare-decompose-sequence.c). */
#include "engine/graph/pare-graph-private.h"

#include <string.h>

#define MOST_PARTS (1 << 20) /* without elements, a tensor may say that it has any number */

static gboolean
refuse (const PareNode *node, GError **error, const char *reason)
{
  g_autofree char *what = pare_node_describe (node);
  g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "%s: %s", what, reason);
  return FALSE;
}

gboolean
pare_node_is_sequence (const PareNode *node)
{
  return pare_node_is (node, "SequenceEmpty") || pare_node_is (node, "SequenceConstruct") || pare_node_is (node, "SequenceInsert")
         || pare_node_is (node, "SequenceErase") || pare_node_is (node, "SequenceAt") || pare_node_is (node, "SequenceLength")
         || pare_node_is (node, "SplitToSequence") || pare_node_is (node, "ConcatFromSequence");
}

gboolean
pare_tensor_is_sequence (const PareTensor *t)
{
  return t != NULL && t->dtype == PARE_DTYPE_NONE && t->owner != NULL;
}

static void
free_members (gpointer members)
{
  g_ptr_array_unref (members);
}

/* (transfer full) members: PareTensor, taken. */
static PareTensor *
sequence_new (GPtrArray *members)
{
  PareTensor *t = g_new0 (PareTensor, 1);
  g_atomic_ref_count_init (&t->refs);
  t->dtype = PARE_DTYPE_NONE;
  t->shape = pare_shape_make (1, (gint64)members->len);
  t->bytes = members->len * sizeof members->pdata[0];
  t->data = members->pdata;
  t->owner = g_bytes_new_with_free_func (members->pdata, t->bytes, free_members, members);
  return t;
}

static GPtrArray *
members_new (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify)pare_tensor_unref);
}

/* (transfer full) A list of its own with the same members. */
static GPtrArray *
dup_members (const PareTensor *sequence)
{
  GPtrArray *members = members_new ();
  for (gint64 i = 0; i < sequence->shape.dims[0]; i++)
    g_ptr_array_add (members, pare_tensor_ref (((PareTensor **)sequence->data)[i]));
  return members;
}

/* A list is cut, joined and indexed in whole bytes. */
static gboolean
is_of_bytes (const PareTensor *t)
{
  return !pare_tensor_is_sequence (t) && pare_dtype_bits (t->dtype) >= 8;
}

/* How often `axis` of a tensor begins anew, and how many bytes one element of it holds. */
static void
cut (const PareTensor *t, gint64 axis, gsize *outer, gsize *inner)
{
  *outer = 1;
  *inner = pare_dtype_bits (t->dtype) / 8;
  for (gint64 d = 0; d < t->shape.rank; d++)
    if (d < axis)
      *outer *= (gsize)t->shape.dims[d];
    else if (d > axis)
      *inner *= (gsize)t->shape.dims[d];
}

/* (transfer full) from..from + n - 1 of an axis; single: the axis goes. */
static PareTensor *
part_of (const PareTensor *t, gint64 axis, gint64 from, gint64 n, gboolean single, GError **error)
{
  gsize outer, inner, extent = (gsize)t->shape.dims[axis];
  cut (t, axis, &outer, &inner);
  PareShape shape = t->shape;
  shape.dims[axis] = n;
  if (single)
    {
      shape.rank--;
      memmove (shape.dims + axis, shape.dims + axis + 1, (gsize)(shape.rank - axis) * sizeof shape.dims[0]);
    }
  PareTensor *part = pare_tensor_new (t->dtype, &shape, error);
  for (gsize o = 0; part != NULL && n > 0 && o < outer; o++)
    memcpy ((char *)part->data + o * (gsize)n * inner, (const char *)t->data + (o * extent + (gsize)from) * inner, (gsize)n * inner);
  return part;
}

static gboolean
split (const PareNode *node, const PareTensor *x, const PareTensor *sizes, PareTensor **y, GError **error)
{
  gint64 axis = pare_node_get_int (node, "axis", 0), at = 0, each = 1;
  if (!is_of_bytes (x) || axis < -x->shape.rank || axis >= x->shape.rank)
    return refuse (node, error, "there is no such axis to split");
  axis += axis < 0 ? x->shape.rank : 0;
  gboolean single = sizes == NULL && pare_node_get_int (node, "keepdims", 1) == 0, listed = sizes != NULL && sizes->shape.rank == 1;
  if (sizes != NULL && !listed && (pare_tensor_count (sizes) != 1 || (each = pare_tensor_get_int (sizes, 0)) < 1))
    return refuse (node, error, "its parts have no size");
  gint64 extent = x->shape.dims[axis], n = listed ? sizes->shape.dims[0] : extent / each + (extent % each != 0);
  if (n > MOST_PARTS)
    return refuse (node, error, "it makes too many parts");
  g_autoptr (GPtrArray) members = members_new ();
  for (gint64 i = 0; i < n; i++)
    {
      gint64 size = listed ? pare_tensor_get_int (sizes, (gsize)i) : MIN (each, extent - at);
      if (size < 0 || size > extent - at)
        return refuse (node, error, "its parts are larger than the whole");
      PareTensor *part = part_of (x, axis, at, size, single, error);
      if (part == NULL)
        return FALSE;
      g_ptr_array_add (members, part);
      at += size;
    }
  if (at != extent)
    return refuse (node, error, "its parts are not the whole");
  *y = sequence_new (g_steal_pointer (&members));
  return TRUE;
}

/* One behind the other along `axis`; along a new one where new_axis. */
static gboolean
concat (const PareNode *node, const PareTensor *sequence, PareTensor **y, GError **error)
{
  PareTensor *const *members = sequence->data;
  gint64 n = sequence->shape.dims[0], axis = pare_node_get_int (node, "axis", 0);
  gboolean grow = pare_node_get_int (node, "new_axis", 0) != 0;
  if (n < 1 || !is_of_bytes (members[0]))
    return refuse (node, error, "there is nothing to join");
  PareShape shape = members[0]->shape;
  int rank = shape.rank + grow;
  if (axis < -rank || axis >= rank || rank > PARE_MAX_RANK)
    return refuse (node, error, "there is no such axis");
  axis += axis < 0 ? rank : 0;
  if (grow)
    {
      memmove (shape.dims + axis + 1, shape.dims + axis, (gsize)(shape.rank - axis) * sizeof shape.dims[0]);
      shape.rank = rank;
    }
  shape.dims[axis] = 0;
  for (gint64 i = 0; i < n; i++)
    {
      const PareShape *s = &members[i]->shape;
      gboolean fits = members[i]->dtype == members[0]->dtype && s->rank + grow == rank;
      for (int d = 0; fits && d < s->rank; d++)
        fits = s->dims[d] == members[0]->shape.dims[d] || (d == axis && !grow);
      if (!fits || __builtin_add_overflow (shape.dims[axis], grow ? 1 : s->dims[axis], &shape.dims[axis]))
        return refuse (node, error, "the members of its list do not fit each other");
    }
  if ((*y = pare_tensor_new (members[0]->dtype, &shape, error)) == NULL)
    return FALSE;
  gsize outer, inner, at = 0;
  cut (*y, axis, &outer, &inner);
  gsize row = (gsize)shape.dims[axis] * inner;
  for (gint64 i = 0; i < n && outer > 0; i++)
    {
      gsize piece = members[i]->bytes / outer;
      for (gsize o = 0; o < outer && piece > 0; o++)
        memcpy ((char *)(*y)->data + o * row + at, (const char *)members[i]->data + o * piece, piece);
      at += piece;
    }
  return TRUE;
}

/* A place in a list of n; FALSE: there is none such. */
static gboolean
place (const PareTensor *t, gint64 n, gint64 fallback, gint64 *at)
{
  if (t != NULL && (pare_tensor_is_sequence (t) || pare_tensor_count (t) != 1))
    return FALSE;
  *at = t != NULL ? pare_tensor_get_int (t, 0) : fallback;
  *at += *at < 0 ? n : 0;
  return *at >= 0 && *at < n;
}

/* What reads a list that is there. */
static gboolean
read_sequence (const PareNode *node, const PareTensor *list, PareTensor *const *in, PareTensor **y, GError **error)
{
  gint64 n = list->shape.dims[0], at = n;
  const PareShape scalar = { .rank = 0 };
  if (pare_node_is (node, "SequenceLength"))
    {
      *y = pare_tensor_new (PARE_DTYPE_INT64, &scalar, error);
      if (*y != NULL)
        *(gint64 *)(*y)->data = n;
      return *y != NULL;
    }
  if (pare_node_is (node, "ConcatFromSequence"))
    return concat (node, list, y, error);
  if (pare_node_is (node, "SequenceAt"))
    {
      if (in[1] == NULL || !place (in[1], n, 0, &at))
        return refuse (node, error, "its list has no such member");
      *y = pare_tensor_ref (((PareTensor **)list->data)[at]);
      return TRUE;
    }
  gboolean insert = pare_node_is (node, "SequenceInsert");
  if ((insert && (in[1] == NULL || pare_tensor_is_sequence (in[1]) || !place (in[2], n + 1, n, &at)))
      || (!insert && !place (in[1], n, n - 1, &at)))
    return refuse (node, error, "its list has no such place");
  GPtrArray *members = dup_members (list);
  if (insert)
    g_ptr_array_insert (members, (int)at, pare_tensor_ref (in[1]));
  else
    g_ptr_array_remove_index (members, (guint)at);
  *y = sequence_new (members);
  return TRUE;
}

gboolean
pare_sequence_node (const PareNode *node, PareTensor *const *inputs, PareTensor **outputs, GError **error)
{
  PareTensor *in[3] = { NULL };
  for (guint i = 0; i < node->n_inputs && i < G_N_ELEMENTS (in); i++)
    in[i] = inputs[i];
  if (pare_node_is (node, "SequenceEmpty"))
    {
      outputs[0] = sequence_new (members_new ());
      return TRUE;
    }
  if (in[0] == NULL)
    return refuse (node, error, "inputs are missing");
  if (pare_node_is (node, "SplitToSequence"))
    return split (node, in[0], in[1], &outputs[0], error);
  if (pare_node_is (node, "SequenceConstruct"))
    {
      g_autoptr (GPtrArray) members = members_new ();
      for (guint i = 0; i < node->n_inputs; i++)
        {
          if (inputs[i] == NULL || pare_tensor_is_sequence (inputs[i]))
            return refuse (node, error, "a member is no tensor");
          g_ptr_array_add (members, pare_tensor_ref (inputs[i]));
        }
      outputs[0] = sequence_new (g_steal_pointer (&members));
      return TRUE;
    }
  if (!pare_tensor_is_sequence (in[0]))
    return refuse (node, error, "it reads a tensor where a list is wanted");
  return read_sequence (node, in[0], in, &outputs[0], error);
}
