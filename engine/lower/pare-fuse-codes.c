/* Attention on codes: Softmax (q k' and what follows, each of it rounded [+ mask, rounded]), rounded, times v. Products of codes are exact,
 * and what lies between them is computed as it stands, so that nothing but the sums' order differs from steps of their own. */
#include "engine/lower/pare-lower-private.h"
#include "engine/runtime/pare-rt-ops.h"

#include <math.h>

#define MOST 16

typedef struct
{
  PareNodeId nodes[MOST];
  guint n;
} Set;

/* The node that makes v, which nobody else reads; part of the set then. */
static const PareNode *
maker (const PareBuilder *b, PareValueId v, Set *set)
{
  PareNodeId id = b->graph->values[v].producer;
  if (id == PARE_NONE || pare_lower_only_reader (b, v) == PARE_NONE || b->fused_into[id] != PARE_NONE || b->fusions[id].head != PARE_NONE
      || set->n == MOST)
    return NULL;
  set->nodes[set->n++] = id;
  return &b->graph->nodes[id];
}

static gboolean
rounds (const PareBuilder *b, const PareNode *node)
{
  return node != NULL && g_str_equal (node->op, PARE_OP_QUANTIZE) && b->grid[node->outputs[0]] != NULL;
}

/* From v, which is rounded, back to a product of two activations through functions of each element. chain: they, in that order. */
static const PareNode *
product_before (const PareBuilder *b, PareValueId v, Set *chain)
{
  const PareNode *node = maker (b, v, chain);
  if (!rounds (b, node))
    return NULL;
  for (;;)
    {
      int of = rounds (b, node) ? 0 : pare_lower_function_of (b->graph, node);
      if (of < 0)
        return NULL;
      gboolean first = rounds (b, node);
      node = maker (b, node->inputs[of], chain);
      if (node == NULL || (pare_node_is (node, "MatMul") && !first))
        return NULL;
      if (pare_node_is (node, "MatMul"))
        return node->n_inputs == 2 ? node : NULL;
    }
}

static PareCodeGrid
grid_of (const PareQuant *q)
{
  return (PareCodeGrid){ .scale = q->scale[0], .zero = q->zero[0], .lo = q->lo, .hi = q->hi };
}

/* What each code of the product's grid is behind the chain: a multiple of the last grid's scale by itself, else a table. */
static gboolean
read_chain (PareBuilder *b, const Set *chain, PareFusion *f)
{
  const PareGraph *graph = b->graph;
  guint at = chain->n - 2; /* behind the product */
  const PareQuant *first = b->grid[graph->nodes[chain->nodes[at]].outputs[0]], *last = b->grid[graph->nodes[chain->nodes[0]].outputs[0]];
  g_autoptr (PareTensor) reals
      = pare_lower_table_reals (b, graph->nodes[chain->nodes[at]].outputs[0], graph->nodes[chain->nodes[0]].outputs[0]);
  if (reals == NULL)
    return FALSE;
  gboolean plain = TRUE;
  for (gint32 c = first->lo; c <= first->hi; c++)
    plain &= ((float *)reals->data)[(guint8)c] == (float)(c - first->zero[0]) * last->scale[0];
  f->codes.scores = grid_of (first);
  f->codes.factor /= first->scale[0];
  f->codes.scores.scale = last->scale[0];
  f->table = plain ? PARE_RT_NONE : pare_lower_floats_constant (b, reals->data, 256);
  return TRUE;
}

static PareDtype
dtype_of (const PareQuant *q)
{
  return q->is_signed ? PARE_DTYPE_INT8 : PARE_DTYPE_UINT8;
}

/* The sum of scores and mask, or the scores themselves. */
static const PareNode *
read_scores (const PareBuilder *b, PareValueId v, PareFusion *f, Set *set, Set *chain)
{
  const PareGraph *graph = b->graph;
  const PareShape *shape = &graph->values[v].shape;
  const PareNode *product = product_before (b, v, chain);
  if (product != NULL)
    return product;
  const PareNode *node = maker (b, v, set);
  if (rounds (b, node))
    {
      f->codes.rounds = 1;
      f->codes.masked = grid_of (b->grid[v]);
      node = maker (b, node->inputs[0], set);
    }
  if (node == NULL || !pare_node_is (node, "Add") || node->n_inputs != 2 || b->integers[set->nodes[set->n - 1]].kind != PARE_INTEGER_NONE)
    return NULL;
  for (guint side = 0; side < 2; side++)
    {
      f->operands[3] = node->inputs[1 - side];
      chain->n = 0;
      const PareShape *mask = &graph->values[f->operands[3]].shape;
      if (pare_shape_equal (&graph->values[node->inputs[side]].shape, shape) && pare_lower_mask_fits (graph, f->operands[3], shape)
          && mask->rank > 0 && mask->dims[mask->rank - 1] == shape->dims[shape->rank - 1]
          && (product = product_before (b, node->inputs[side], chain)) != NULL)
        return product;
    }
  return NULL;
}

gboolean
pare_lower_find_code_attention (PareBuilder *b, PareNodeId id)
{
  const PareGraph *graph = b->graph;
  const PareNode *after = &graph->nodes[id];
  Set set = { .n = 0 }, chain = { .n = 0 };
  if (!pare_node_is (after, "MatMul") || after->n_inputs != 2 || graph->values[after->inputs[0]].shape.rank < 3)
    return FALSE;
  const PareNode *weights = maker (b, after->inputs[0], &set), *softmax = rounds (b, weights) ? maker (b, weights->inputs[0], &set) : NULL;
  if (softmax == NULL || !pare_node_is (softmax, "Softmax"))
    return FALSE;
  const PareShape *shape = &graph->values[softmax->outputs[0]].shape;
  if (pare_lower_axis (pare_node_get_int (softmax, "axis", -1), shape->rank) != shape->rank - 1)
    return FALSE;
  PareFusion f = { .kind = PARE_FUSION_ATTENTION,
                   .head = id,
                   .last = id,
                   .output = after->outputs[0],
                   .operands = { PARE_NONE, PARE_NONE, after->inputs[1], PARE_NONE } };
  const PareNode *scores = read_scores (b, softmax->inputs[0], &f, &set, &chain);
  if (scores == NULL)
    return FALSE;
  f.operands[0] = scores->inputs[0];
  f.operands[1] = scores->inputs[1];
  const PareQuant *grid[3];
  for (guint i = 0; i < 3; i++)
    if ((grid[i] = b->grid[f.operands[i]]) == NULL)
      return FALSE;
  if (!pare_lower_attention_fits (graph, f.operands, shape))
    return FALSE;
  PareAttentionParams *p = &f.codes.attention;
  p->factor = 1;
  pare_lower_attention_axes (shape->rank, FALSE, p->q);
  pare_lower_attention_axes (shape->rank, TRUE, p->k);
  pare_lower_attention_axes (shape->rank, FALSE, p->v);
  pare_lower_attention_axes (shape->rank, FALSE, p->y);
  f.codes.zero_q = grid[0]->zero[0];
  f.codes.zero_k = grid[1]->zero[0];
  f.codes.zero_v = grid[2]->zero[0];
  f.codes.factor = grid[0]->scale[0] * grid[1]->scale[0];
  f.codes.weights = grid_of (b->grid[weights->outputs[0]]);
  f.codes.factor_y = f.codes.weights.scale * grid[2]->scale[0];
  const PareShape *q = &graph->values[f.operands[0]].shape;
  if (!pare_rt_qattention_is_exact (&f.codes, dtype_of (grid[0]), dtype_of (grid[1]), dtype_of (grid[2]), q->dims[q->rank - 1],
                                    shape->dims[shape->rank - 1])
      || !read_chain (b, &chain, &f))
    return FALSE;
  for (guint i = 0; i < set.n + chain.n; i++)
    {
      PareNodeId part = i < set.n ? set.nodes[i] : chain.nodes[i - set.n];
      b->integers[part].kind = PARE_INTEGER_NONE;
      b->fused_into[part] = id;
    }
  b->fusions[id] = f;
  return TRUE;
}

void
pare_lower_code_attention (PareBuilder *b, PareNodeId id, const PareQuant *y, guint32 out)
{
  const PareFusion *f = &b->fusions[id];
  PareQAttentionParams p = f->codes;
  guint32 in[5] = { [3] = pare_builder_value (b, f->operands[3]), [4] = f->table };
  for (guint i = 0; i < 3; i++)
    in[i] = pare_lower_codes (b, f->operands[i]);
  if (y != NULL)
    {
      p.y = grid_of (y);
      p.factor_y /= y->scale[0];
    }
  pare_builder_step (b, &b->graph->nodes[id], PARE_RT_QATTENTION, &p, sizeof p, in, 5, &out, 1);
}
