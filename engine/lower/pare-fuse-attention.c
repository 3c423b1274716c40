/* Attention: Softmax ([factor *] q k' [+ mask]) v, with the transpositions that split heads and join them again, as one step. */
#include "engine/lower/pare-lower-private.h"

#include <math.h>

#define MOST 24

typedef struct
{
  PareNodeId nodes[MOST];
  guint n;
} Set;

static gboolean
add (Set *set, PareNodeId id)
{
  for (guint i = 0; i < set->n; i++)
    if (set->nodes[i] == id)
      return TRUE;
  if (set->n == MOST)
    return FALSE;
  set->nodes[set->n++] = id;
  return TRUE;
}

/* An operand on its way back to what it is read from: perm[axis] is an axis of the value, as in PareAttentionParams. */
typedef struct
{
  PareValueId value;
  gint32 perm[4];
  gint32 *axes;   /* where perm goes to in the end */
  int part;       /* the axis of which one element is read, or -1 */
  gint64 at;      /* which */
  float factor;   /* that it is multiplied by */
  gboolean taken; /* other parts of the value are read, too */
} Source;

/* One element of an axis is read, which the value lacks. */
static void
add_axis (Source *s, int axis, gint64 at)
{
  for (int a = 0; a < 4; a++)
    s->perm[a] += s->perm[a] >= axis;
  s->part = axis;
  s->at = at;
  s->taken = TRUE;
}

static gboolean
through_transpose (const PareBuilder *b, const PareNode *node, Source *s)
{
  guint n = 0;
  const gint64 *order = pare_node_get_ints (node, "perm", &n);
  if (order == NULL || n != (guint)b->graph->values[s->value].shape.rank)
    return FALSE;
  for (guint a = 0; a < n; a++)
    if (order[a] < 0 || order[a] >= n)
      return FALSE;
  for (int a = 0; a < 4; a++)
    if (s->perm[a] >= 0)
      s->perm[a] = (gint32)order[s->perm[a]];
  if (s->part >= 0)
    s->part = (int)order[s->part];
  s->value = node->inputs[0];
  return TRUE;
}

/* A number that all is multiplied by. */
static gboolean
through_factor (const PareBuilder *b, const PareNode *node, Source *s)
{
  double number;
  gboolean times = pare_node_is (node, "Mul");
  guint constant = times && pare_lower_number (b->graph, node, 0, &number) ? 0 : 1;
  if (node->n_inputs != 2 || !pare_lower_number (b->graph, node, constant, &number) || number == 0 || !isfinite (number)
      || !pare_shape_equal (&b->graph->values[node->inputs[1 - constant]].shape, &b->graph->values[s->value].shape))
    return FALSE;
  s->factor *= (float)(times ? number : 1 / number);
  s->value = node->inputs[1 - constant];
  return TRUE;
}

/* One of several that lie in one value: Gather of one number. */
static gboolean
through_gather (const PareBuilder *b, const PareNode *node, Source *s)
{
  const PareShape *from = &b->graph->values[node->inputs[0]].shape;
  const PareTensor *index = pare_lower_constant (b->graph, node, 1);
  int axis = pare_lower_axis (pare_node_get_int (node, "axis", 0), from->rank);
  if (index == NULL || index->shape.rank != 0 || from->rank > 5 || axis < 0 || axis >= from->rank)
    return FALSE;
  gint64 at = (gint64)pare_tensor_get_double (index, 0);
  at += at < 0 ? from->dims[axis] : 0;
  if (at < 0 || at >= from->dims[axis])
    return FALSE;
  add_axis (s, axis, at);
  s->value = node->inputs[0];
  return TRUE;
}

/* The same, split into parts of one element each, and the axis dropped. */
static gboolean
through_split (const PareBuilder *b, const PareNode *node, Source *s, Set *set)
{
  const PareGraph *graph = b->graph;
  const PareShape *whole = &graph->values[node->inputs[0]].shape;
  const PareTensor *axes = pare_lower_constant (graph, node, 1);
  PareNodeId id = graph->values[node->inputs[0]].producer;
  if (id == PARE_NONE || !pare_node_is (&graph->nodes[id], "Split") || axes == NULL || pare_tensor_count (axes) != 1 || whole->rank > 5)
    return FALSE;
  const PareNode *split = &graph->nodes[id];
  int axis = pare_lower_axis ((gint64)pare_tensor_get_double (axes, 0), whole->rank);
  guint part = 0;
  if (axis != pare_lower_axis (pare_node_get_int (split, "axis", 0), whole->rank) || axis < 0 || axis >= whole->rank
      || pare_lower_only_reader (b, node->inputs[0]) == PARE_NONE)
    return FALSE;
  while (split->outputs[part] != node->inputs[0])
    part++;
  gint64 at = pare_lower_part_begins (graph, split, part);
  if (at < 0 || whole->dims[axis] != 1 || !add (set, id))
    return FALSE;
  add_axis (s, axis, at);
  s->value = split->inputs[0];
  return TRUE;
}

/* Reads through what is in front of a value that nobody else reads: transpositions, a factor, and (parts) the taking of one part of a value
 * that the others are parts of, too. FALSE: too many nodes. */
static gboolean
read_through (const PareBuilder *b, Source *s, gboolean parts, Set *set)
{
  for (;;)
    {
      PareNodeId id = b->graph->values[s->value].producer;
      const PareNode *node = id != PARE_NONE ? &b->graph->nodes[id] : NULL;
      if (node == NULL || (!s->taken && pare_lower_only_reader (b, s->value) == PARE_NONE) || b->integers[id].kind != PARE_INTEGER_NONE
          || b->fused_into[id] != PARE_NONE || b->rounded[id])
        return TRUE;
      gboolean through = pare_node_is (node, "Transpose")                           ? through_transpose (b, node, s)
                         : s->taken                                                 ? FALSE
                         : pare_node_is (node, "Mul") || pare_node_is (node, "Div") ? through_factor (b, node, s)
                         : !parts || s->part >= 0                                   ? FALSE
                         : pare_node_is (node, "Gather")                            ? through_gather (b, node, s)
                         : pare_node_is (node, "Squeeze")                           ? through_split (b, node, s, set)
                                                                                    : FALSE;
      if (!through)
        return TRUE;
      if (!add (set, id))
        return FALSE;
    }
}

/* What q, k or v becomes. FALSE: it lies too far behind the value's beginning. */
static gboolean
place (const PareBuilder *b, const Source *s, PareValueId *operand, gint32 *at)
{
  const PareShape *shape = &b->graph->values[s->value].shape;
  gint64 offset = s->part >= 0 ? s->at : 0;
  for (int a = s->part + 1; s->part >= 0 && a < shape->rank; a++)
    offset *= shape->dims[a];
  *operand = s->value;
  *at = (gint32)offset;
  for (int a = 0; a < 4; a++)
    s->axes[a] = s->perm[a];
  return offset <= G_MAXINT32;
}

/* batch, head, row, element of a product's operand or result of rank 3 (no heads), 4, or 5: one sample, where heads that share their keys
 * are an axis of their own within the others, which is what stands for the batch. keys: columns are what v calls rows. */
void
pare_lower_attention_axes (int rank, gboolean keys, gint32 *perm)
{
  perm[0] = rank == 5 ? 1 : 0;
  perm[1] = rank == 5 ? 2 : rank == 4 ? 1 : -1;
  perm[2] = keys ? rank - 1 : rank - 2;
  perm[3] = keys ? rank - 2 : rank - 1;
}

/* An operand goes with the scores: the same batch, its head or, of keys and values, one for all. */
static gboolean
same_batch (const PareShape *a, const PareShape *c, gboolean query)
{
  if (a->rank != c->rank || a->rank < 3 || a->rank > 5 || (a->rank == 5 && c->dims[0] != 1))
    return FALSE;
  for (int i = 0; i + 2 < a->rank; i++)
    if (a->dims[i] != c->dims[i] && (query || a->rank == 3 || i + 3 < a->rank || a->dims[i] != 1))
      return FALSE;
  return TRUE;
}

/* The rounding to bfloat16 that alone reads a value, or PARE_NONE. */
static PareNodeId
rounding_of (const PareBuilder *b, PareValueId v)
{
  PareNodeId id = pare_lower_only_reader (b, v);
  if (id == PARE_NONE || b->fused_into[id] != PARE_NONE || !g_str_equal (b->graph->nodes[id].op, PARE_OP_QUANTIZE))
    return PARE_NONE;
  const PareValue *y = &b->graph->values[b->graph->nodes[id].outputs[0]];
  return y->quant == NULL && y->storage == PARE_DTYPE_BFLOAT16 ? id : PARE_NONE;
}

gboolean
pare_lower_attention_fits (const PareGraph *graph, const PareValueId *operands, const PareShape *scores)
{
  for (guint i = 0; i < 3; i++)
    if (graph->values[operands[i]].constant != NULL || !same_batch (&graph->values[operands[i]].shape, scores, i == 0))
      return FALSE;
  return TRUE;
}

gboolean
pare_lower_mask_fits (const PareGraph *graph, PareValueId mask, const PareShape *scores)
{
  const PareValue *m = &graph->values[mask];
  return m->dtype == PARE_DTYPE_FLOAT32 && m->shape.rank <= MIN (scores->rank, 4)
         && (scores->rank != 3 || m->shape.rank != 3 || scores->dims[0] == 1 || m->shape.dims[0] == 1);
}

/* From the scores back to their product: an added mask, a factor. */
static PareNodeId
read_scores (const PareBuilder *b, PareValueId v, PareFusion *f, Set *set)
{
  const PareGraph *graph = b->graph;
  const PareShape *shape = &graph->values[v].shape;
  for (;;)
    {
      PareNodeId id = graph->values[v].producer;
      if (id == PARE_NONE || pare_lower_only_reader (b, v) == PARE_NONE || !add (set, id))
        return PARE_NONE;
      const PareNode *node = &graph->nodes[id];
      double number = 0;
      if (pare_node_is (node, "MatMul"))
        return node->n_inputs == 2 ? id : PARE_NONE;
      if (node->n_inputs != 2 || !pare_shape_equal (&graph->values[node->outputs[0]].shape, shape))
        return PARE_NONE;
      guint constant = pare_lower_number (graph, node, 0, &number) ? 0 : 1;
      if (pare_node_is (node, "Add") && f->operands[3] == PARE_NONE && f->attention.factor == 1)
        {
          /* the product is on one side: go on with that which is computed by the fewest steps from it */
          guint side = 2;
          for (guint i = 0; i < 2; i++)
            {
              PareNodeId made = graph->values[node->inputs[i]].producer;
              const char *op = made != PARE_NONE ? graph->nodes[made].op : "";
              if (side == 2 && (g_str_equal (op, "MatMul") || g_str_equal (op, "Mul") || g_str_equal (op, "Div"))
                  && pare_shape_equal (&graph->values[node->inputs[i]].shape, shape)
                  && pare_lower_only_reader (b, node->inputs[i]) != PARE_NONE)
                side = i;
            }
          if (side == 2 || node->inputs[0] == node->inputs[1])
            return PARE_NONE;
          f->operands[3] = node->inputs[1 - side];
          if (!pare_lower_mask_fits (graph, f->operands[3], shape))
            return PARE_NONE;
          v = node->inputs[side];
        }
      else if ((pare_node_is (node, "Mul") || (pare_node_is (node, "Div") && constant == 1))
               && pare_lower_number (graph, node, constant, &number) && number != 0 && isfinite (number))
        {
          f->attention.factor *= (float)(pare_node_is (node, "Mul") ? number : 1 / number);
          v = node->inputs[1 - constant];
        }
      else
        return PARE_NONE;
    }
}

/* What the softmax gives, with 0 in the place of NaN, as exporters write what a mask may hide whole rows of; else as it is. */
static PareValueId
without_nan (const PareBuilder *b, PareValueId weights, Set *set)
{
  const PareGraph *graph = b->graph;
  guint from = b->consumers->starts[weights], to = b->consumers->starts[weights + 1];
  double number = 1;
  if (to - from != 2 || b->keep[weights])
    return weights;
  for (guint i = from; i < to; i++)
    {
      PareNodeId where_id = b->consumers->nodes[i], asks_id = b->consumers->nodes[from + to - 1 - i];
      const PareNode *where = &graph->nodes[where_id], *asks = &graph->nodes[asks_id];
      if (pare_node_is (where, "Where") && pare_node_is (asks, "IsNaN") && where->n_inputs == 3 && where->inputs[0] == asks->outputs[0]
          && where->inputs[2] == weights && pare_lower_only_reader (b, asks->outputs[0]) == where_id
          && pare_lower_number (graph, where, 1, &number) && number == 0
          && pare_shape_equal (&graph->values[where->outputs[0]].shape, &graph->values[weights].shape) && add (set, where_id)
          && add (set, asks_id))
        return where->outputs[0];
    }
  return weights;
}

/* parts: q, k and v may be parts of one value. */
static gboolean
take (PareBuilder *b, PareNodeId softmax_id, gboolean parts)
{
  const PareGraph *graph = b->graph;
  const PareNode *softmax = &graph->nodes[softmax_id];
  const PareShape *shape = &graph->values[softmax->outputs[0]].shape;
  int rank = shape->rank;
  Set set = { { softmax_id }, 1 };
  PareFusion f
      = { .kind = PARE_FUSION_ATTENTION, .operands = { PARE_NONE, PARE_NONE, PARE_NONE, PARE_NONE }, .attention = { .factor = 1 } };
  if (rank < 3 || rank > 5 || pare_lower_axis (pare_node_get_int (softmax, "axis", -1), rank) != rank - 1
      || graph->values[softmax->outputs[0]].dtype != PARE_DTYPE_FLOAT32)
    return FALSE;
  PareValueId weights = without_nan (b, softmax->outputs[0], &set);
  f.attention.without_nan = weights != softmax->outputs[0];
  PareNodeId rounded = rounding_of (b, weights), scores_id = read_scores (b, softmax->inputs[0], &f, &set);
  if (rounded != PARE_NONE && add (&set, rounded))
    {
      f.attention.round_weights = 1;
      weights = graph->nodes[rounded].outputs[0];
    }
  PareNodeId after_id = pare_lower_only_reader (b, weights);
  if (after_id == PARE_NONE || scores_id == PARE_NONE || !pare_node_is (&graph->nodes[after_id], "MatMul") || !add (&set, after_id))
    return FALSE;
  const PareNode *after = &graph->nodes[after_id], *scores = &graph->nodes[scores_id];
  f.operands[0] = scores->inputs[0];
  f.operands[1] = scores->inputs[1];
  f.operands[2] = after->inputs[1];
  if (after->inputs[0] != weights || after->inputs[1] == after->inputs[0])
    return FALSE;
  if (!pare_lower_attention_fits (graph, f.operands, shape))
    return FALSE;
  pare_lower_attention_axes (rank, FALSE, f.attention.q);
  pare_lower_attention_axes (rank, TRUE, f.attention.k);
  pare_lower_attention_axes (rank, FALSE, f.attention.v);
  pare_lower_attention_axes (rank, FALSE, f.attention.y);
  PareAttentionParams *p = &f.attention;
  gint32 *const axes[3] = { p->q, p->k, p->v };
  for (guint i = 0; i < 3; i++)
    {
      Source first = { .value = f.operands[i], .axes = axes[i], .part = -1, .factor = 1 }, source;
      Set before = set;
      for (int a = 0; a < 4; a++)
        first.perm[a] = axes[i][a];
      source = first;
      if (!read_through (b, &source, parts, &set))
        return FALSE;
      if (i == 0 && source.perm[3] != graph->values[source.value].shape.rank - 1) /* rows of q have their elements side by side */
        {
          source = first;
          set = before;
        }
      if (!place (b, &source, &f.operands[i], &p->at[i]))
        return FALSE;
      p->factor *= source.factor;
    }
  if (p->q[3] != graph->values[f.operands[0]].shape.rank - 1)
    return FALSE;
  f.head = scores_id;
  f.last = after_id;
  PareValueId y = after->outputs[0];
  rounded = rounding_of (b, y);
  if (rounded != PARE_NONE && add (&set, rounded))
    {
      f.attention.round_result = 1;
      f.last = rounded;
      y = graph->nodes[rounded].outputs[0];
    }
  PareNodeId joined = pare_lower_only_reader (b, y);
  guint n = 0;
  const gint64 *order = joined != PARE_NONE && pare_node_is (&graph->nodes[joined], "Transpose") && b->fused_into[joined] == PARE_NONE
                                && b->integers[joined].kind == PARE_INTEGER_NONE
                            ? pare_node_get_ints (&graph->nodes[joined], "perm", &n)
                            : NULL;
  if (order != NULL && n == (guint)rank && order[rank - 1] == rank - 1 && add (&set, joined))
    {
      gint32 plain[4];
      pare_lower_attention_axes (rank, FALSE, plain);
      for (int a = 0; a < 4; a++)
        for (int to = 0; p->y[a] >= 0 && to < rank; to++)
          if (order[to] == plain[a])
            {
              p->y[a] = to;
              break;
            }
      f.last = joined;
    }
  f.output = graph->nodes[f.last].outputs[0];
  if (!pare_lower_is_closed (b, set.nodes, set.n, f.last))
    return FALSE;
  pare_lower_take (b, &f, set.nodes, set.n);
  return TRUE;
}

void
pare_lower_find_attention (PareBuilder *b)
{
  for (guint i = 0; i < b->graph->n_nodes; i++)
    if (b->graph->nodes[i].op != NULL && pare_node_is (&b->graph->nodes[i], "Softmax") && pare_lower_has_input (&b->graph->nodes[i], 0)
        && !take (b, i, TRUE))
      take (b, i, FALSE);
}

gboolean
pare_lower_attention (PareBuilder *b, const PareFusion *f)
{
  guint32 in[4], out;
  for (guint i = 0; i < 4; i++)
    in[i] = pare_builder_value (b, f->operands[i]);
  out = pare_builder_value (b, f->output);
  pare_builder_step (b, &b->graph->nodes[f->head], PARE_RT_ATTENTION, &f->attention, sizeof f->attention, in, 4, &out, 1);
  return TRUE;
}
