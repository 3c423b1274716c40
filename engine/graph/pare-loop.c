/* Loop and Scan on constants: the body, computed once for every turn. */
#include "engine/graph/pare-graph-private.h"

#include <string.h>

static gboolean
refuse (const PareNode *node, GError **error, const char *reason)
{
  g_autofree char *what = pare_node_describe (node);
  g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "%s: %s", what, reason);
  return FALSE;
}

/* One above the other, along a new first axis. parts: all of one type and shape. (transfer full) */
static PareTensor *
stack (GPtrArray *parts, const PareValue *like, GError **error)
{
  PareShape shape = parts->len > 0 ? ((PareTensor *)parts->pdata[0])->shape : like->shape;
  PareDtype dtype = parts->len > 0 ? ((PareTensor *)parts->pdata[0])->dtype : like->dtype;
  shape.rank = MAX (shape.rank, 0);
  if (shape.rank == PARE_MAX_RANK)
    return NULL;
  memmove (shape.dims + 1, shape.dims, shape.rank * sizeof shape.dims[0]);
  shape.rank++;
  shape.dims[0] = parts->len;
  for (int d = 1; d < shape.rank; d++)
    shape.dims[d] = MAX (shape.dims[d], 0);
  PareTensor *t = pare_tensor_new (dtype, &shape, error);
  gsize at = 0;
  for (guint i = 0; t != NULL && i < parts->len; i++)
    {
      const PareTensor *part = parts->pdata[i];
      if (part->dtype != dtype || at + part->bytes > t->bytes || part->bytes * parts->len != t->bytes)
        {
          pare_tensor_unref (t);
          return NULL;
        }
      memcpy ((char *)t->data + at, part->data, part->bytes);
      at += part->bytes;
    }
  return t;
}

/* (transfer full) Row `i` of the first axis. */
static PareTensor *
row (const PareTensor *of, gint64 i)
{
  PareShape shape = of->shape;
  shape.rank--;
  memmove (shape.dims, shape.dims + 1, shape.rank * sizeof shape.dims[0]);
  PareTensor *t = pare_tensor_new (of->dtype, &shape, NULL);
  if (t != NULL)
    memcpy (t->data, (const char *)of->data + (gsize)i * t->bytes, t->bytes);
  return t;
}

typedef struct
{
  PareGraph *body; /* of its own, with what it captures as constants */
  PareWalk walk;
  GPtrArray *in, *out; /* PareTensor, of one turn */
} Turn;

static gboolean
run_turn (Turn *t, const PareNode *node, GError **error)
{
  g_ptr_array_set_size (t->out, 0);
  g_ptr_array_set_size (t->out, (int)t->body->n_outputs);
  for (guint i = 0; i < t->in->len; i++)
    if (t->in->pdata[i] == NULL)
      return refuse (node, error, "no memory for an operand of its body");
  return pare_graph_compute_within (t->body, &t->walk, (PareTensor *const *)t->in->pdata, (PareTensor **)t->out->pdata, error);
}

static PareTensor *
scalar (PareDtype dtype, gint64 value)
{
  PareShape shape = { .rank = 0 };
  PareTensor *t = pare_tensor_new (dtype, &shape, NULL);
  if (t != NULL && dtype == PARE_DTYPE_BOOL)
    *(guint8 *)t->data = value != 0;
  else if (t != NULL)
    *(gint64 *)t->data = value;
  return t;
}

/* Keeps states (out[from..]) for the next turn and what is stacked. */
static void
take_turn (Turn *t, GPtrArray *states, GPtrArray **stacks, guint from, guint n_states, guint n_stacks)
{
  for (guint i = 0; i < n_states; i++)
    {
      pare_tensor_unref (states->pdata[i]);
      states->pdata[i] = g_steal_pointer (&t->out->pdata[from + i]);
    }
  for (guint i = 0; i < n_stacks; i++)
    {
      PareTensor *part = g_steal_pointer (&t->out->pdata[from + n_states + i]);
      t->walk.held += (gint64)part->bytes;
      g_ptr_array_add (stacks[i], part);
    }
}

static void
unref_tensor (gpointer t)
{
  pare_tensor_unref (t);
}

/* Loop (scans < 0) and Scan with that many sequences. */
static gboolean
run (const PareGraph *g, const PareNode *node, Turn *t, gint64 scans, PareTensor **outputs, GError **error)
{
  gboolean loop = scans < 0;
  guint first = loop ? 2 : 0, n_states = node->n_inputs - first - (loop ? 0 : (guint)scans), from = loop ? 1 : 0;
  PareTensor *limit = loop ? pare_node_input_constant (g, node, 0) : pare_node_input_constant (g, node, n_states),
             *condition = loop ? pare_node_input_constant (g, node, 1) : NULL;
  gint64 turns = loop && limit == NULL ? G_MAXINT64 : loop ? pare_tensor_get_int (limit, 0) : limit->shape.dims[0];
  gboolean go_on = condition == NULL || pare_tensor_get_int (condition, 0) != 0;
  guint n_stacks = t->body->n_outputs - from - n_states;
  g_autoptr (GPtrArray) states = g_ptr_array_new_with_free_func (unref_tensor),
                        made = g_ptr_array_new_with_free_func ((GDestroyNotify)g_ptr_array_unref);
  for (guint i = 0; i < n_states; i++)
    g_ptr_array_add (states, pare_tensor_ref (pare_node_input_constant (g, node, first + i)));
  for (guint i = 0; i < n_stacks; i++)
    g_ptr_array_add (made, g_ptr_array_new_with_free_func (unref_tensor));
  for (gint64 turn = 0; turn < turns && go_on; turn++)
    {
      if (--*t->walk.turns < 0)
        return refuse (node, error, "it goes on for too many turns");
      g_ptr_array_set_size (t->in, 0);
      if (loop)
        {
          g_ptr_array_add (t->in, scalar (PARE_DTYPE_INT64, turn));
          g_ptr_array_add (t->in, scalar (PARE_DTYPE_BOOL, 1));
        }
      for (guint i = 0; i < n_states; i++)
        g_ptr_array_add (t->in, pare_tensor_ref (states->pdata[i]));
      for (gint64 i = 0; i < scans; i++)
        g_ptr_array_add (t->in, row (pare_node_input_constant (g, node, n_states + (guint)i), turn));
      if (!run_turn (t, node, error))
        return FALSE;
      go_on = !loop || pare_tensor_get_int (t->out->pdata[0], 0) != 0;
      take_turn (t, states, (GPtrArray **)made->pdata, from, n_states, n_stacks);
    }
  for (guint i = 0; i < node->n_outputs; i++)
    {
      if (node->outputs[i] == PARE_NONE)
        continue;
      outputs[i] = i < n_states ? pare_tensor_ref (states->pdata[i])
                                : stack (made->pdata[i - n_states], &t->body->values[t->body->outputs[from + i]], error);
      if (outputs[i] == NULL)
        return (error != NULL && *error != NULL) || refuse (node, error, "what its turns make has not one shape");
    }
  return TRUE;
}

/* Scan along first axes, from the first row: what exporters write. */
static gboolean
is_plain_scan (const PareGraph *g, const PareNode *node, gint64 scans)
{
  static const char *const lists[] = { "scan_input_axes", "scan_input_directions", "scan_output_axes", "scan_output_directions", NULL };
  for (guint i = 0; lists[i] != NULL; i++)
    {
      guint n = 0;
      const gint64 *values = pare_node_get_ints (node, lists[i], &n);
      for (guint k = 0; values != NULL && k < n; k++)
        if (values[k] != 0)
          return FALSE;
    }
  gint64 rows = -1;
  for (gint64 i = 0; i < scans; i++)
    {
      const PareTensor *t = pare_node_input_constant (g, node, node->n_inputs - (guint)scans + (guint)i);
      if (t->shape.rank < 1 || (rows >= 0 && t->shape.dims[0] != rows))
        return FALSE;
      rows = t->shape.dims[0];
    }
  return TRUE;
}

gboolean
pare_loop_node (const PareGraph *graph, const PareNode *node, PareGraph *body, const PareWalk *walk, PareTensor **outputs, GError **error)
{
  gboolean loop = pare_node_is (node, "Loop");
  gint64 scans = loop ? -1 : pare_node_get_int (node, "num_scan_inputs", 0);
  guint first = loop ? 2 : 0;
  if (node->n_inputs < first || (!loop && (scans < 1 || scans > node->n_inputs)))
    return refuse (node, error, "inputs are missing");
  for (guint i = 0; i < node->n_inputs; i++)
    if (node->inputs[i] == PARE_NONE ? i >= first : pare_tensor_count (pare_node_input_constant (graph, node, i)) < 1 && i < first)
      return refuse (node, error, "inputs are missing");
    else if ((i < first || (!loop && i >= node->n_inputs - (guint)scans))
             && pare_tensor_is_sequence (pare_node_input_constant (graph, node, i)))
      return refuse (node, error, "a list is no number of turns and has no rows");
  guint n_states = node->n_inputs - first - (loop ? 0 : (guint)scans);
  if (body->n_inputs != node->n_inputs || body->n_outputs < n_states + (loop ? 1 : 0) || node->n_outputs > body->n_outputs - (loop ? 1 : 0))
    return refuse (node, error, "its body takes or gives another number of values than it does");
  if (!loop && !is_plain_scan (graph, node, scans))
    return refuse (node, error, "sequences along other axes, backwards, or of different lengths are not supported");
  Turn t = {
    .body = body, .walk = *walk, .in = g_ptr_array_new_with_free_func (unref_tensor), .out = g_ptr_array_new_with_free_func (unref_tensor)
  };
  gboolean fine = run (graph, node, &t, scans, outputs, error);
  g_ptr_array_unref (t.in);
  g_ptr_array_unref (t.out);
  return fine;
}
