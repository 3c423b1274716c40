/* Attention: Softmax ([factor *] q k' [+ mask]) v, with the transpositions that split heads and join them again, as one step. */
#include "engine/lower/pare-lower-private.h"

#include <math.h>

#define MOST 16

typedef struct
{
  PareNodeId nodes[MOST];
  guint n;
} Set;

static gboolean
add (Set *set, PareNodeId id)
{
  if (set->n == MOST)
    return FALSE;
  set->nodes[set->n++] = id;
  return TRUE;
}

/* Reads through the transpositions in front of a value that nobody else reads: perm[axis] is then the axis of *v. */
static gboolean
read_through (const PareBuilder *b, PareValueId *v, gint32 *perm, Set *set)
{
  for (;;)
    {
      PareNodeId id = b->graph->values[*v].producer;
      const PareNode *node = id != PARE_NONE ? &b->graph->nodes[id] : NULL;
      guint n = 0;
      const gint64 *order = node != NULL && pare_node_is (node, "Transpose") ? pare_node_get_ints (node, "perm", &n) : NULL;
      int rank = b->graph->values[*v].shape.rank;
      if (order == NULL || n != (guint)rank || pare_lower_only_reader (b, *v) == PARE_NONE || b->integers[id].kind != PARE_INTEGER_NONE
          || b->fused_into[id] != PARE_NONE)
        return TRUE;
      for (guint a = 0; a < n; a++)
        if (order[a] < 0 || order[a] >= rank)
          return FALSE;
      for (int a = 0; a < 4; a++)
        if (perm[a] >= 0)
          perm[a] = (gint32)order[perm[a]];
      if (!add (set, id))
        return FALSE;
      *v = node->inputs[0];
    }
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

/* The elements of a row lie side by side. */
static gboolean
in_rows (const PareBuilder *b, PareValueId v, const gint32 *perm)
{
  return perm[3] == b->graph->values[v].shape.rank - 1;
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

static void
take (PareBuilder *b, PareNodeId softmax_id)
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
    return;
  PareValueId weights = softmax->outputs[0];
  PareNodeId rounded = rounding_of (b, weights), scores_id = read_scores (b, softmax->inputs[0], &f, &set);
  if (rounded != PARE_NONE && add (&set, rounded))
    {
      f.attention.round_weights = 1;
      weights = graph->nodes[rounded].outputs[0];
    }
  PareNodeId after_id = pare_lower_only_reader (b, weights);
  if (after_id == PARE_NONE || scores_id == PARE_NONE || !pare_node_is (&graph->nodes[after_id], "MatMul") || !add (&set, after_id))
    return;
  const PareNode *after = &graph->nodes[after_id], *scores = &graph->nodes[scores_id];
  f.operands[0] = scores->inputs[0];
  f.operands[1] = scores->inputs[1];
  f.operands[2] = after->inputs[1];
  if (after->inputs[0] != weights || after->inputs[1] == after->inputs[0])
    return;
  if (!pare_lower_attention_fits (graph, f.operands, shape))
    return;
  pare_lower_attention_axes (rank, FALSE, f.attention.q);
  pare_lower_attention_axes (rank, TRUE, f.attention.k);
  pare_lower_attention_axes (rank, FALSE, f.attention.v);
  pare_lower_attention_axes (rank, FALSE, f.attention.y);
  PareAttentionParams *p = &f.attention;
  PareValueId q = f.operands[0];
  gint32 plain[4] = { p->q[0], p->q[1], p->q[2], p->q[3] };
  Set before = set;
  if (!read_through (b, &f.operands[0], p->q, &set))
    return;
  if (!in_rows (b, f.operands[0], p->q)) /* as the model lays it out then */
    {
      f.operands[0] = q;
      for (int a = 0; a < 4; a++)
        p->q[a] = plain[a];
      set = before;
    }
  if (!read_through (b, &f.operands[1], p->k, &set) || !read_through (b, &f.operands[2], p->v, &set) || !in_rows (b, f.operands[0], p->q))
    return;
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
  if (pare_lower_is_closed (b, set.nodes, set.n, f.last))
    pare_lower_take (b, &f, set.nodes, set.n);
}

void
pare_lower_find_attention (PareBuilder *b)
{
  for (guint i = 0; i < b->graph->n_nodes; i++)
    if (b->graph->nodes[i].op != NULL && pare_node_is (&b->graph->nodes[i], "Softmax") && pare_lower_has_input (&b->graph->nodes[i], 0))
      take (b, i);
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
