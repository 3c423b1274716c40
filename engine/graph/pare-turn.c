/* Groups of nodes that read one another and compute element by element, or only need to know which axis is which, compute on axes in
 * another order where that leaves fewer elements to be moved by the Transposes around them. */
#include "engine/graph/pare-graph-private.h"

#include <stdlib.h>
#include <string.h>

/* Of operators that ONNX gives so many; a file may hold more. */
#define MOST_INPUTS 5

/* What of a node follows the order of the axes. */
typedef enum
{
  TURN_NONE,
  TURN_ALL,   /* nothing but its operands, which are all of its inputs */
  TURN_FIRST, /* nothing but its first input */
  TURN_AXIS,  /* and the attribute axis; of a grid, where there is a scale for each of its steps */
  TURN_JOINED,
  TURN_SLICE,
  TURN_PAD,
  TURN_RESIZE,
  TURN_REDUCE
} Turn;

typedef struct
{
  const char *op;
  Turn turn;
} Known;

static int
by_op (const void *op, const void *known)
{
  return strcmp (op, ((const Known *)known)->op);
}

static Turn
turn_of (const PareNode *node)
{
  static const Known known[] = { /* in the order of strcmp() */
                                 { "Abs", TURN_FIRST },
                                 { "Add", TURN_ALL },
                                 { "And", TURN_ALL },
                                 { "Cast", TURN_FIRST },
                                 { "Ceil", TURN_FIRST },
                                 { "Celu", TURN_FIRST },
                                 { "Clip", TURN_FIRST },
                                 { "Concat", TURN_JOINED },
                                 { "DequantizeLinear", TURN_AXIS },
                                 { "Div", TURN_ALL },
                                 { "Elu", TURN_FIRST },
                                 { "Equal", TURN_ALL },
                                 { "Erf", TURN_FIRST },
                                 { "Exp", TURN_FIRST },
                                 { "Floor", TURN_FIRST },
                                 { "Gelu", TURN_FIRST },
                                 { "Greater", TURN_ALL },
                                 { "GreaterOrEqual", TURN_ALL },
                                 { "HardSigmoid", TURN_FIRST },
                                 { "HardSwish", TURN_FIRST },
                                 { "Identity", TURN_FIRST },
                                 { "LeakyRelu", TURN_FIRST },
                                 { "Less", TURN_ALL },
                                 { "LessOrEqual", TURN_ALL },
                                 { "Log", TURN_FIRST },
                                 { "Max", TURN_ALL },
                                 { "Mean", TURN_ALL },
                                 { "Min", TURN_ALL },
                                 { "Mish", TURN_FIRST },
                                 { "Mul", TURN_ALL },
                                 { "Neg", TURN_FIRST },
                                 { "Not", TURN_FIRST },
                                 { "Or", TURN_ALL },
                                 { "PRelu", TURN_ALL },
                                 { "Pad", TURN_PAD },
                                 { PARE_OP_QUANTIZE, TURN_FIRST },
                                 { "Pow", TURN_ALL },
                                 { "QuantizeLinear", TURN_AXIS },
                                 { "Reciprocal", TURN_FIRST },
                                 { "ReduceMax", TURN_REDUCE },
                                 { "ReduceMean", TURN_REDUCE },
                                 { "ReduceMin", TURN_REDUCE },
                                 { "ReduceSum", TURN_REDUCE },
                                 { "Relu", TURN_FIRST },
                                 { "Resize", TURN_RESIZE },
                                 { "Round", TURN_FIRST },
                                 { "Selu", TURN_FIRST },
                                 { "Sigmoid", TURN_FIRST },
                                 { "Sign", TURN_FIRST },
                                 { "Slice", TURN_SLICE },
                                 { "Softplus", TURN_FIRST },
                                 { "Softsign", TURN_FIRST },
                                 { "Split", TURN_AXIS },
                                 { "Sqrt", TURN_FIRST },
                                 { "Sub", TURN_ALL },
                                 { "Sum", TURN_ALL },
                                 { "Tanh", TURN_FIRST },
                                 { "ThresholdedRelu", TURN_FIRST },
                                 { "Where", TURN_ALL }
  };
  if (node->op == NULL || (node->domain != NULL && node->domain[0] != '\0'))
    return TURN_NONE;
  const Known *found = bsearch (node->op, known, G_N_ELEMENTS (known), sizeof *known, by_op);
  return found != NULL ? found->turn : TURN_NONE;
}

static guint
count_operands (const PareNode *node, Turn turn)
{
  return turn == TURN_ALL || turn == TURN_JOINED ? node->n_inputs : 1;
}

static gboolean
is_known (const PareShape *shape)
{
  for (int i = 0; i < shape->rank; i++)
    if (shape->dims[i] < 0)
      return FALSE;
  return shape->rank >= 0;
}

/* Whether it stays as it is in front of an operator on that many axes: one number, which has no order of axes of its own. */
static gboolean
is_one (const PareValue *v, int rank)
{
  return v->shape.rank < rank && is_known (&v->shape) && pare_shape_count (&v->shape) == 1;
}

static gboolean
drops_axes (const PareNode *node)
{
  return turn_of (node) == TURN_REDUCE && pare_node_get_int (node, "keepdims", 1) == 0;
}

/* The axes that are constants of an input, each of 0..rank-1. (transfer full) (nullable) */
static gint64 *
axes_of (const PareGraph *g, const PareNode *node, guint input, int rank, guint *n)
{
  g_autofree gint64 *axes = pare_node_input_ints (g, node, input, n);
  for (guint i = 0; axes != NULL && i < *n; i++)
    {
      axes[i] += axes[i] < 0 ? rank : 0;
      if (axes[i] < 0 || axes[i] >= rank)
        return NULL;
    }
  return axes != NULL && *n <= (guint)rank ? g_steal_pointer (&axes) : NULL;
}

static gint64
axis_of (const PareNode *node, int rank)
{
  gint64 axis = pare_node_get_int (node, "axis", pare_node_is (node, "Split") ? 0 : 1);
  return axis < 0 ? axis + rank : axis;
}

/* Whether what it says of axes can be said of others. */
static gboolean
tells_axes (const PareGraph *g, const PareNode *node, Turn turn, int rank)
{
  guint n = 0;
  g_autofree gint64 *axes = NULL;
  switch (turn)
    {
    case TURN_AXIS:
      if (pare_node_get_int (node, "block_size", 0) != 0
          || (!pare_node_is (node, "Split") && (node->n_inputs < 2 || pare_node_input (g, node, 1) == NULL)))
        return FALSE;
      if (!pare_node_is (node, "Split") && pare_node_input (g, node, 1)->shape.rank == 0)
        return TRUE;
      return axis_of (node, rank) >= 0 && axis_of (node, rank) < rank;
    case TURN_JOINED:
      return pare_node_get_attr (node, "axis") != NULL && axis_of (node, rank) >= 0 && axis_of (node, rank) < rank;
    case TURN_SLICE:
      axes = axes_of (g, node, 3, rank, &n);
      if (pare_node_input (g, node, 3) != NULL)
        return axes != NULL;
      axes = pare_node_input_ints (g, node, 1, &n); /* the first ones */
      return axes != NULL && n <= (guint)rank;
    case TURN_PAD:
      axes = axes_of (g, node, 3, rank, &n);
      if (pare_node_input (g, node, 3) != NULL)
        return axes != NULL;
      axes = pare_node_input_ints (g, node, 1, &n);
      return axes != NULL && n == 2 * (guint)rank;
    case TURN_RESIZE:
      for (guint i = 1; i < node->n_inputs; i++)
        if (pare_node_input (g, node, i) != NULL
            && (pare_node_input_constant (g, node, i) == NULL
                || (pare_tensor_count (pare_node_input_constant (g, node, i)) != 0
                    && (i == 1 || pare_tensor_count (pare_node_input_constant (g, node, i)) != rank))))
          return FALSE;
      return pare_node_get_attr (node, "axes") == NULL;
    case TURN_REDUCE:
      axes = axes_of (g, node, 1, rank, &n);
      return axes != NULL && n > 0;
    default:
      return TRUE;
    }
}

/* Whether the node computes the same on axes in any other order, of which there are that many. */
static gboolean
can_turn (const PareGraph *g, const PareNode *node, int rank)
{
  Turn turn = turn_of (node);
  if (turn == TURN_NONE || node->n_inputs < 1 || (turn != TURN_ALL && turn != TURN_JOINED && node->n_inputs > MOST_INPUTS)
      || node->n_outputs < 1 || (node->n_outputs > 1 && !pare_node_is (node, "Split")) || pare_node_has_graph (node))
    return FALSE;
  for (guint i = 0; i < node->n_outputs; i++)
    {
      const PareValue *y = pare_node_output (g, node, i);
      if (y == NULL || !is_known (&y->shape) || (y->quant != NULL && y->quant->n > 1))
        return FALSE;
      if (!drops_axes (node) && y->shape.rank != rank)
        return FALSE;
    }
  for (guint i = 0; i < count_operands (node, turn); i++)
    {
      const PareValue *x = pare_node_input (g, node, i);
      if (x == NULL || !is_known (&x->shape) || (x->quant != NULL && x->quant->n > 1))
        return FALSE;
      gboolean constant = turn == TURN_ALL && x->constant != NULL && x->shape.rank <= rank && pare_dtype_bits (x->dtype) % 8 == 0
                          && pare_dtype_bits (x->dtype) > 0;
      if (x->shape.rank != rank ? !constant && !(turn == TURN_ALL && is_one (x, rank)) : x->constant != NULL && !constant)
        return FALSE;
    }
  return tells_axes (g, node, turn, rank);
}

typedef struct
{
  PareGraph *g;
  PareConsumers *readers;
  guint8 *seen;  /* nodes: looked at already, of whatever group */
  guint *group;  /* nodes: number of the group, 0: none */
  GArray *nodes; /* PareNodeId of the group at hand */
  guint number;
  int rank;
  gint64 perm[PARE_MAX_RANK]; /* what a value is now is the Transpose by this of what it becomes */
} Group;

static void
take_in (Group *s, PareNodeId id)
{
  if (id == PARE_NONE || s->seen[id] || !can_turn (s->g, &s->g->nodes[id], s->rank))
    return;
  s->seen[id] = 1;
  s->group[id] = s->number;
  g_array_append_val (s->nodes, id);
}

static void
take_readers (Group *s, PareValueId v)
{
  for (guint k = s->readers->starts[v]; k < s->readers->starts[v + 1]; k++)
    take_in (s, s->readers->nodes[k]);
}

/* All that a node reads or is read by, as far as it can be turned. */
static void
grow (Group *s)
{
  for (guint i = 0; i < s->nodes->len; i++)
    {
      PareNodeId id = g_array_index (s->nodes, PareNodeId, i);
      const PareNode *node = &s->g->nodes[id];
      for (guint k = 0; k < count_operands (node, turn_of (node)); k++)
        {
          PareValueId x = node->inputs[k];
          if (s->g->values[x].constant != NULL || s->g->values[x].shape.rank != s->rank)
            continue;
          PareNodeId from = s->g->values[x].producer;
          if (from != PARE_NONE && !drops_axes (&s->g->nodes[from]))
            take_in (s, from);
          take_readers (s, x);
        }
      for (guint k = 0; k < node->n_outputs && !drops_axes (node); k++)
        take_readers (s, node->outputs[k]);
    }
}

/* Elements that the Transpose of such a value moves: none where only extents of 1 change their places. */
static double
moved (const PareShape *shape, const gint64 *perm)
{
  gint64 last = -1;
  gboolean moves = FALSE;
  for (int i = 0; i < shape->rank; i++)
    if (shape->dims[perm[i]] != 1)
      {
        moves |= perm[i] < last;
        last = perm[i];
      }
  return moves ? (double)pare_shape_count (shape) : 0;
}

static gboolean
is_same_order (const gint64 *perm, int rank)
{
  for (int i = 0; i < rank; i++)
    if (perm[i] != i)
      return FALSE;
  return TRUE;
}

/* The order that undoes another. */
static void
inverse (const gint64 *perm, int rank, gint64 *back)
{
  for (int i = 0; i < rank; i++)
    back[perm[i]] = i;
}

/* What a reduction's result, whose axes are gone, is the Transpose by of what it becomes; the number of its axes. */
static int
rest_of (const PareGraph *g, const PareNode *node, const gint64 *perm, int rank, gint64 *rest)
{
  guint n = 0, gone = 0;
  g_autofree gint64 *axes = axes_of (g, node, 1, rank, &n);
  for (guint i = 0; i < n; i++)
    gone |= 1u << axes[i];
  int count = 0;
  for (int i = 0; i < rank; i++)
    if (!(gone >> i & 1))
      {
        gint64 at = 0;
        for (int k = 0; k < rank; k++)
          at += !(gone >> k & 1) && perm[k] < perm[i];
        rest[count++] = at;
      }
  return count;
}

/* The share of a value's readers that are of the group. */
static double
share_of (const Group *s, PareValueId v)
{
  guint own = 0, n = s->readers->starts[v + 1] - s->readers->starts[v];
  for (guint k = s->readers->starts[v]; k < s->readers->starts[v + 1]; k++)
    own += s->group[s->readers->nodes[k]] == s->number;
  return n == 0 || pare_graph_is_output (s->g, v) ? 0 : (double)own / n;
}

/* Elements less to be moved where an operand is turned. Of a Transpose, whatever its order, nothing but another one is left. */
static double
gain_in (const Group *s, PareValueId v, const gint64 *back)
{
  const PareValue *x = &s->g->values[v];
  const gint64 *order;
  guint n;
  if (x->constant != NULL || x->shape.rank != s->rank || (x->producer != PARE_NONE && s->group[x->producer] == s->number))
    return 0;
  const PareNode *t = pare_transpose_of (s->g, v, &order, &n);
  double cost = moved (&x->shape, back);
  if (t == NULL || n != (guint)s->rank)
    return -cost;
  double freed = moved (&s->g->values[t->inputs[0]].shape, order) * share_of (s, v);
  return memcmp (order, s->perm, n * sizeof *order) == 0 ? freed : freed - cost;
}

static double
gain_out (const Group *s, PareValueId v, const gint64 *back, const PareShape *becomes)
{
  double gain = 0, cost = moved (becomes, s->perm);
  gboolean needed = pare_graph_is_output (s->g, v);
  for (guint k = s->readers->starts[v]; k < s->readers->starts[v + 1]; k++)
    {
      const PareNode *reader = &s->g->nodes[s->readers->nodes[k]];
      const gint64 *order = NULL;
      guint n = 0;
      if (s->group[s->readers->nodes[k]] == s->number)
        continue;
      if (reader->n_outputs == 1 && reader->outputs[0] != PARE_NONE && pare_transpose_of (s->g, reader->outputs[0], &order, &n) == reader)
        gain += memcmp (order, back, n * sizeof *order) == 0 ? moved (&s->g->values[v].shape, order) : 0;
      else
        needed = TRUE;
    }
  return gain - (needed ? cost : 0);
}

static PareShape
turned_shape (const PareShape *shape, const gint64 *perm)
{
  PareShape turned = *shape;
  for (int i = 0; i < shape->rank; i++)
    turned.dims[perm[i]] = shape->dims[i];
  return turned;
}

/* Elements less to be moved when the group at hand is turned by s->perm. An operand of several nodes is counted once. */
static double
gain_of (const Group *s)
{
  gint64 back[PARE_MAX_RANK], rest[PARE_MAX_RANK];
  inverse (s->perm, s->rank, back);
  g_autoptr (GHashTable) counted = g_hash_table_new (NULL, NULL);
  double gain = 0;
  for (guint i = 0; i < s->nodes->len; i++)
    {
      const PareNode *node = &s->g->nodes[g_array_index (s->nodes, PareNodeId, i)];
      for (guint k = 0; k < count_operands (node, turn_of (node)); k++)
        if (g_hash_table_add (counted, GUINT_TO_POINTER (node->inputs[k] + 1)))
          gain += gain_in (s, node->inputs[k], back);
      for (guint k = 0; k < node->n_outputs; k++)
        {
          const PareShape *y = &s->g->values[node->outputs[k]].shape;
          PareShape becomes = *y;
          if (drops_axes (node))
            {
              int n = rest_of (s->g, node, s->perm, s->rank, rest);
              if (n != y->rank)
                return -1;
              becomes = turned_shape (y, rest);
              gain -= moved (&becomes, rest);
              continue;
            }
          becomes = turned_shape (y, s->perm);
          gain += gain_out (s, node->outputs[k], back, &becomes);
        }
    }
  return gain;
}

/* A constant as it becomes, by its own name. */
static PareValueId
turn_constant (PareGraph *g, PareValueId value, const gint64 *perm, int rank)
{
  g_autoptr (PareTensor) t = pare_tensor_ref (g->values[value].constant);
  PareShape full = { .rank = rank };
  int missing = rank - t->shape.rank;
  for (int i = 0; i < rank; i++)
    full.dims[i] = i < missing ? 1 : t->shape.dims[i - missing];
  PareShape becomes = turned_shape (&full, perm);
  g_autoptr (PareTensor) turned = NULL;
  if (moved (&becomes, perm) == 0)
    turned = pare_tensor_reshape (t, &becomes, NULL);
  else if ((turned = pare_tensor_new_unset (t->dtype, &becomes, NULL)) != NULL)
    {
      gsize size = (gsize)pare_dtype_bits (t->dtype) / 8;
      gint64 stride[PARE_MAX_RANK], step = 1, at[PARE_MAX_RANK] = { 0 }, to = 0;
      for (int i = rank; i-- > 0;)
        {
          stride[i] = step;
          step *= becomes.dims[i];
        }
      for (gint64 k = 0, n = pare_tensor_count (t); k < n; k++)
        {
          memcpy ((char *)turned->data + (gsize)to * size, (const char *)t->data + (gsize)k * size, size);
          for (int i = rank; i-- > 0;)
            {
              to += stride[perm[i]];
              if (++at[i] < full.dims[i])
                break;
              to -= stride[perm[i]] * at[i];
              at[i] = 0;
            }
        }
    }
  if (turned == NULL)
    return PARE_NONE;
  PareValueId made = pare_graph_add_constant (g, g->values[value].name, turned, g->values[value].origin);
  g->values[made].quant = pare_quant_copy (g->values[value].quant);
  g->values[made].encoding = g->values[value].encoding;
  g->values[made].storage = g->values[value].storage;
  return made;
}

/* A Transpose of x that writes y, for the layer of that node. */
static void
add_transpose (PareGraph *g, PareNodeId beside, PareValueId x, PareValueId y, const gint64 *perm, int rank)
{
  PareNodeId id = pare_graph_add_node (g, "Transpose", "", &x, 1, &y, 1, g->nodes[beside].origin, g->nodes[beside].role);
  pare_node_set_ints (&g->nodes[id], "perm", perm, (guint)rank);
  g->nodes[id].layer = g->nodes[beside].layer;
}

/* A value as it becomes, which is not written yet. */
static PareValueId
add_turned (PareGraph *g, PareValueId v, const gint64 *perm)
{
  PareShape shape = turned_shape (&g->values[v].shape, perm);
  PareValueId made = pare_graph_add_value (g, g->values[v].name, g->values[v].dtype, &shape, g->values[v].origin);
  g->values[made].quant = pare_quant_copy (g->values[v].quant);
  g->values[made].storage = g->values[v].storage;
  return made;
}

/* --- what nodes say of axes --- */

static PareValueId
add_ints (PareGraph *g, const gint64 *values, guint n)
{
  g_autoptr (PareTensor) t = pare_tensor_new_i64 (values, n);
  return pare_graph_add_constant (g, "axes", t, PARE_NONE);
}

/* Input `at` holds these instead. */
static void
set_ints (PareGraph *g, PareNodeId id, guint at, const gint64 *values, guint n)
{
  PareValueId made = add_ints (g, values, n), in[MOST_INPUTS];
  PareNode *node = &g->nodes[id];
  guint count = MAX (node->n_inputs, at + 1);
  for (guint i = 0; i < count; i++)
    in[i] = i < node->n_inputs ? node->inputs[i] : PARE_NONE;
  in[at] = made;
  pare_node_set_inputs (node, in, count);
}

static void
rename_axes (PareGraph *g, PareNodeId id, guint at, const gint64 *perm, int rank)
{
  guint n = 0;
  g_autofree gint64 *axes = axes_of (g, &g->nodes[id], at, rank, &n);
  for (guint i = 0; i < n; i++)
    axes[i] = perm[axes[i]];
  set_ints (g, id, at, axes, n);
}

/* Sizes or scales of a Resize, each its own axis'. */
static void
turn_numbers (PareGraph *g, PareNodeId id, guint at, const gint64 *perm, int rank)
{
  PareTensor *old = pare_node_input_constant (g, &g->nodes[id], at);
  if (old == NULL || pare_tensor_count (old) != rank)
    return;
  g_autoptr (PareTensor) t = pare_tensor_copy (old);
  gsize size = t->bytes / (gsize)rank;
  for (int i = 0; i < rank; i++)
    memcpy ((char *)t->data + (gsize)perm[i] * size, (const char *)old->data + (gsize)i * size, size);
  PareValueId made = pare_graph_add_constant (g, g->values[g->nodes[id].inputs[at]].name, t, PARE_NONE);
  g->nodes[id].inputs[at] = made;
}

static void
tell_axes (PareGraph *g, PareNodeId id, const gint64 *perm, int rank)
{
  Turn turn = turn_of (&g->nodes[id]);
  guint n = 0;
  if (turn == TURN_JOINED || (turn == TURN_AXIS && axis_of (&g->nodes[id], rank) >= 0 && axis_of (&g->nodes[id], rank) < rank))
    pare_node_set_int (&g->nodes[id], "axis", perm[axis_of (&g->nodes[id], rank)]);
  else if (turn == TURN_SLICE && pare_node_input (g, &g->nodes[id], 3) == NULL)
    {
      g_autofree gint64 *starts = pare_node_input_ints (g, &g->nodes[id], 1, &n);
      set_ints (g, id, 3, perm, n);
    }
  else if (turn == TURN_SLICE || (turn == TURN_PAD && pare_node_input (g, &g->nodes[id], 3) != NULL))
    rename_axes (g, id, 3, perm, rank);
  else if (turn == TURN_PAD)
    {
      g_autofree gint64 *pads = pare_node_input_ints (g, &g->nodes[id], 1, &n);
      gint64 each[2 * PARE_MAX_RANK];
      for (int i = 0; i < rank; i++)
        {
          each[perm[i]] = pads[i];
          each[rank + perm[i]] = pads[rank + i];
        }
      set_ints (g, id, 1, each, n);
    }
  else if (turn == TURN_RESIZE)
    for (guint i = 2; i < 4; i++)
      turn_numbers (g, id, i, perm, rank);
  else if (turn == TURN_REDUCE)
    rename_axes (g, id, 1, perm, rank);
}

/* The group's nodes compute what becomes of their values; who else reads one reads its Transpose. FALSE: no memory, nothing was changed. */
static gboolean
turn (Group *s)
{
  PareGraph *g = s->g;
  gint64 back[PARE_MAX_RANK], rest[PARE_MAX_RANK];
  inverse (s->perm, s->rank, back);
  g_autoptr (GHashTable) becomes = g_hash_table_new (NULL, NULL); /* value + 1 -> what becomes of it + 1 */
#define BECOMES(v) GPOINTER_TO_UINT (g_hash_table_lookup (becomes, GUINT_TO_POINTER ((v) + 1)))
#define SET_BECOMES(v, to) g_hash_table_insert (becomes, GUINT_TO_POINTER ((v) + 1), GUINT_TO_POINTER ((to) + 1))
  for (guint i = 0; i < s->nodes->len; i++) /* constants first: they may find no memory */
    {
      PareNodeId id = g_array_index (s->nodes, PareNodeId, i);
      for (guint k = 0; k < count_operands (&g->nodes[id], turn_of (&g->nodes[id])); k++)
        {
          PareValueId x = g->nodes[id].inputs[k];
          if (g->values[x].constant == NULL || is_one (&g->values[x], s->rank) || BECOMES (x))
            continue;
          PareValueId made = turn_constant (g, x, s->perm, s->rank);
          if (made == PARE_NONE)
            return FALSE;
          SET_BECOMES (x, made);
        }
    }
  for (guint i = 0; i < s->nodes->len; i++)
    {
      PareNodeId id = g_array_index (s->nodes, PareNodeId, i);
      int n = drops_axes (&g->nodes[id]) ? rest_of (g, &g->nodes[id], s->perm, s->rank, rest) : s->rank;
      const gint64 *perm = drops_axes (&g->nodes[id]) ? rest : s->perm;
      if (drops_axes (&g->nodes[id]) && is_same_order (rest, n))
        continue;
      for (guint k = 0; k < g->nodes[id].n_outputs; k++)
        {
          PareValueId y = g->nodes[id].outputs[k], made = add_turned (g, y, perm);
          add_transpose (g, id, made, y, perm, n);
          g->nodes[id].outputs[k] = made;
          g->values[made].producer = id;
          if (!drops_axes (&g->nodes[id]))
            SET_BECOMES (y, made);
        }
    }
  for (guint i = 0; i < s->nodes->len; i++)
    {
      PareNodeId id = g_array_index (s->nodes, PareNodeId, i);
      for (guint k = 0; k < count_operands (&g->nodes[id], turn_of (&g->nodes[id])); k++)
        {
          PareValueId x = g->nodes[id].inputs[k];
          if (is_one (&g->values[x], s->rank))
            continue;
          if (!BECOMES (x))
            {
              PareValueId made = add_turned (g, x, s->perm);
              add_transpose (g, id, x, made, back, s->rank);
              SET_BECOMES (x, made);
            }
          g->nodes[id].inputs[k] = BECOMES (x) - 1;
        }
      tell_axes (g, id, s->perm, s->rank);
    }
#undef BECOMES
#undef SET_BECOMES
  return TRUE;
}

/* Orders that could pay: those of the Transposes in front of the group, and those that the ones behind it undo. Keeps the best in s->perm.
 */
static double
choose (Group *s)
{
  const gint64 *order;
  guint n;
  double best = 0;
  gint64 chosen[PARE_MAX_RANK] = { 0 }, tried[4][PARE_MAX_RANK];
  guint n_tried = 0;
  for (guint i = 0; i < s->nodes->len; i++)
    {
      const PareNode *node = &s->g->nodes[g_array_index (s->nodes, PareNodeId, i)];
      guint operands = count_operands (node, turn_of (node));
      for (guint k = 0; k < operands + node->n_outputs; k++)
        {
          PareValueId v = k < operands ? node->inputs[k] : node->outputs[k - operands];
          guint from = k < operands ? 0 : s->readers->starts[v], to = k < operands ? 1 : s->readers->starts[v + 1];
          for (guint r = from; r < to; r++)
            {
              const PareNode *reader = k < operands ? NULL : &s->g->nodes[s->readers->nodes[r]];
              PareValueId t = k < operands ? v : reader->n_outputs == 1 ? reader->outputs[0] : PARE_NONE;
              if (n_tried == G_N_ELEMENTS (tried) || pare_transpose_of (s->g, t, &order, &n) == NULL || n != (guint)s->rank)
                continue;
              if (k < operands)
                memcpy (s->perm, order, n * sizeof *order);
              else
                inverse (order, s->rank, s->perm);
              gboolean known = FALSE;
              for (guint m = 0; m < n_tried; m++)
                known |= memcmp (tried[m], s->perm, n * sizeof *order) == 0;
              if (known)
                continue;
              memcpy (tried[n_tried++], s->perm, n * sizeof *order);
              double gain = gain_of (s);
              if (gain > best)
                {
                  best = gain;
                  memcpy (chosen, s->perm, sizeof chosen);
                }
            }
        }
    }
  memcpy (s->perm, chosen, sizeof chosen);
  return best;
}

gboolean
pare_canonical_turn_groups (PareGraph *g)
{
  const gint64 *order;
  guint n, n_nodes = g->n_nodes, n_orders = 0;
  for (guint i = 0; i < n_nodes; i++)
    n_orders += pare_node_is (&g->nodes[i], "Transpose");
  if (n_orders == 0)
    return FALSE;
  g_autoptr (PareConsumers) readers = pare_graph_consumers (g);
  g_autofree guint8 *seen = g_new0 (guint8, n_nodes);
  g_autofree guint *group = g_new0 (guint, n_nodes);
  g_autoptr (GArray) nodes = g_array_new (FALSE, FALSE, sizeof (PareNodeId));
  Group s = { .g = g, .readers = readers, .seen = seen, .group = group, .nodes = nodes };
  g_autoptr (GArray) chosen = g_array_new (FALSE, FALSE, sizeof (Group));
  for (PareNodeId i = 0; i < n_nodes; i++)
    {
      const PareNode *t = &g->nodes[i];
      if (!pare_node_is (t, "Transpose") || t->n_outputs != 1 || t->outputs[0] == PARE_NONE
          || pare_transpose_of (g, t->outputs[0], &order, &n) == NULL)
        continue;
      /* one group for what reads it, one for what it reads */
      for (int side = 0; side < 2; side++)
        {
          g_array_set_size (nodes, 0);
          s.number++;
          s.rank = (int)n;
          if (side == 0)
            take_readers (&s, t->outputs[0]);
          else if (g->values[t->inputs[0]].producer != PARE_NONE && !drops_axes (&g->nodes[g->values[t->inputs[0]].producer]))
            take_in (&s, g->values[t->inputs[0]].producer);
          grow (&s);
          if (nodes->len == 0 || choose (&s) <= 0)
            continue;
          Group found = s;
          found.nodes = g_array_copy (nodes);
          g_array_append_val (chosen, found);
        }
    }
  /* what was counted holds until something is changed */
  gboolean changed = FALSE;
  for (guint i = 0; i < chosen->len; i++)
    {
      Group *found = &g_array_index (chosen, Group, i);
      changed |= turn (found);
      g_array_unref (found->nodes);
    }
  return changed;
}
