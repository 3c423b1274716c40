/* Functions of one value on codes, through however many nodes, up to a rounding: a table of 256 codes, whose entries are what these nodes
 * make of each code one by one. Both sides of x * Sigmoid (x) are such functions of x, rounded in between or not. */
#include "engine/lower/pare-lower-private.h"
#include "engine/lower/pare-program.h"

#include <math.h>

#define MOST 32

/* Nodes that lie between a value and what is computed from it. */
typedef struct
{
  PareNodeId nodes[MOST];
  guint n;
} Way;

static gboolean
is_one_of (const PareNode *node, const char *const *ops)
{
  return (node->domain == NULL || *node->domain == '\0') && g_strv_contains (ops, node->op) && node->n_outputs == 1;
}

int
pare_lower_function_of (const PareGraph *graph, const PareNode *node)
{
  static const char *const unary[] = { "Relu", "Clip", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Elu", "Selu",
                                       "Gelu", "Mish", "Softplus",  "Abs",     "Neg",  "Sqrt",        "Exp",       "Erf", NULL },
                           *const binary[] = { "Add", "Sub", "Mul", "Div", "Pow", NULL };
  if (node->n_inputs < 1)
    return -1;
  if (is_one_of (node, binary)) /* with a number */
    {
      int of = node->n_inputs == 2 && pare_lower_constant (graph, node, 0) != NULL ? 1 : 0;
      PareTensor *number = node->n_inputs == 2 ? pare_lower_constant (graph, node, 1 - (guint)of) : NULL;
      return number != NULL && number->dtype == PARE_DTYPE_FLOAT32 && number->shape.rank <= 1 && pare_tensor_count (number) == 1 ? of : -1;
    }
  if (!is_one_of (node, unary) || node->inputs[0] == PARE_NONE)
    return -1;
  for (guint i = 1; i < node->n_inputs; i++)
    if (pare_lower_has_input (node, i) && pare_lower_constant (graph, node, i) == NULL)
      return -1;
  return 0;
}

/* A function of two values element by element. */
static gboolean
joins (const PareGraph *graph, const PareNode *node)
{
  static const char *const ops[] = { "Add", "Sub", "Mul", "Div", NULL };
  return node->n_inputs == 2 && is_one_of (node, ops) && pare_lower_has_input (node, 0) && pare_lower_has_input (node, 1)
         && pare_lower_constant (graph, node, 0) == NULL && pare_lower_constant (graph, node, 1) == NULL
         && pare_shape_equal (&graph->values[node->inputs[0]].shape, &graph->values[node->outputs[0]].shape)
         && pare_shape_equal (&graph->values[node->inputs[1]].shape, &graph->values[node->outputs[0]].shape);
}

/* A rounding to a grid of one scale. */
static gboolean
rounds (const PareBuilder *b, const PareNode *node)
{
  return g_str_equal (node->op, PARE_OP_QUANTIZE) && b->grid[node->outputs[0]] != NULL;
}

/* The node that makes v, if it does so from other values element by element, and the operand where there is but one (-1: both). */
static const PareNode *
maker (const PareBuilder *b, PareValueId v, int *of)
{
  PareNodeId id = b->graph->values[v].producer;
  const PareNode *node = id != PARE_NONE ? &b->graph->nodes[id] : NULL;
  if (node == NULL || node->op == NULL)
    return NULL;
  *of = rounds (b, node) ? 0 : pare_lower_function_of (b->graph, node);
  return *of >= 0 || joins (b->graph, node) ? node : NULL;
}

static gboolean
has (const Way *way, PareNodeId id)
{
  for (guint i = 0; i < way->n; i++)
    if (way->nodes[i] == id)
      return TRUE;
  return FALSE;
}

/* Every element of v is a function of the one of x alone; adds the nodes between them. */
static gboolean
follows (const PareBuilder *b, PareValueId v, PareValueId x, Way *way)
{
  int of = -1;
  if (v == x)
    return TRUE;
  const PareNode *node = maker (b, v, &of);
  if (node == NULL || way->n == MOST)
    return FALSE;
  PareNodeId id = (PareNodeId)(node - b->graph->nodes);
  if (has (way, id))
    return TRUE;
  way->nodes[way->n++] = id;
  return of >= 0 ? follows (b, node->inputs[of], x, way) : follows (b, node->inputs[0], x, way) && follows (b, node->inputs[1], x, way);
}

/* The nearest value on codes that the node's result is a function of, and the nodes in front of it; PARE_NONE: there is none. */
static PareValueId
source_of (const PareBuilder *b, const PareNode *node, Way *way)
{
  int of = pare_lower_function_of (b->graph, node);
  way->n = 0;
  if (of >= 0)
    return b->grid[node->inputs[of]] != NULL ? node->inputs[of] : PARE_NONE;
  PareValueId v = joins (b->graph, node) ? node->inputs[0] : PARE_NONE;
  for (guint i = 0; i < MOST && v != PARE_NONE; i++)
    {
      way->n = 0;
      if (b->grid[v] != NULL && follows (b, node->inputs[0], v, way) && follows (b, node->inputs[1], v, way))
        return v;
      const PareNode *before = maker (b, v, &of);
      v = before != NULL && of >= 0 ? before->inputs[of] : PARE_NONE;
    }
  return PARE_NONE;
}

/* What nobody but the table's nodes reads is not computed any more. */
static void
absorb (PareBuilder *b, PareNodeId table, const Way *way)
{
  Way in = { .nodes = { table }, .n = 1 };
  for (gboolean more = TRUE; more && in.n < MOST;)
    {
      more = FALSE;
      for (guint i = 0; i < way->n && in.n < MOST; i++)
        {
          PareNodeId id = way->nodes[i];
          PareValueId y = b->graph->nodes[id].outputs[0];
          gboolean free = !b->keep[y] && b->fused_into[id] == PARE_NONE && b->fusions[id].head == PARE_NONE && !has (&in, id);
          for (guint k = b->consumers->starts[y]; k < b->consumers->starts[y + 1] && free; k++)
            free = has (&in, b->consumers->nodes[k]);
          if (!free)
            continue;
          in.nodes[in.n++] = id;
          b->integers[id].kind = PARE_INTEGER_NONE;
          b->rounded[id] = TRUE;
          more = TRUE;
        }
    }
}

gboolean
pare_lower_find_table (PareBuilder *b, PareNodeId id)
{
  const PareGraph *graph = b->graph;
  PareNodeId after = PARE_NONE, last = id;
  Way before;
  PareValueId x = b->fusions[id].head == PARE_NONE ? source_of (b, &graph->nodes[id], &before) : PARE_NONE;
  if (x == PARE_NONE)
    return FALSE;
  while ((after = pare_lower_quantize_after (b, last)) == PARE_NONE)
    {
      last = pare_lower_only_reader (b, graph->nodes[last].outputs[0]);
      if (last == PARE_NONE || b->fused_into[last] != PARE_NONE || b->fusions[last].head != PARE_NONE
          || pare_lower_function_of (graph, &graph->nodes[last]) < 0)
        return FALSE;
    }
  Way whole = { .n = 0 };
  if (!follows (b, graph->nodes[last].outputs[0], x, &whole)) /* too long by what stands behind the node */
    return FALSE;
  for (PareNodeId on = id; on != last; b->rounded[on] = TRUE)
    on = pare_lower_only_reader (b, graph->nodes[on].outputs[0]);
  absorb (b, id, &before);
  b->integers[id].kind = PARE_INTEGER_TABLE;
  b->integers[id].rounds = after;
  b->integers[id].source = x;
  b->rounded[after] = TRUE;
  return TRUE;
}

/* --- values --- */

static PareTensor *
reals_of (const PareQuant *q)
{
  PareShape shape = pare_shape_make (1, (gint64)256);
  PareTensor *t = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  for (int i = 0; i < 256; i++)
    ((float *)t->data)[i] = (float)((q->is_signed ? (gint8)i : i) - q->zero[0]) * q->scale[0];
  return t;
}

static PareTensor *
laid (PareTensor *reals, const PareQuant *q)
{
  PareTensor *t = pare_tensor_new (PARE_DTYPE_FLOAT32, &reals->shape, NULL);
  float least = (float)(q->lo - q->zero[0]), most = (float)(q->hi - q->zero[0]);
  for (int i = 0; i < 256; i++)
    {
      float v = rintf (((float *)reals->data)[i] / q->scale[0]);
      v = v > least ? v : least;
      ((float *)t->data)[i] = (v < most ? v : most) * q->scale[0];
    }
  return t;
}

/* As laid(), of v, which a number joins with values whose codes are known. */
static PareTensor *
laid_with_number (const PareBuilder *b, PareValueId v, PareTensor *reals, const PareQuant *q)
{
  PareTensor *t = pare_tensor_new (PARE_DTYPE_FLOAT32, &reals->shape, NULL);
  float *codes = t->data;
  pare_lower_with_number (b, v, reals->data, q, codes);
  for (int i = 0; i < 256; i++)
    codes[i] = (codes[i] - (float)q->zero[0]) * q->scale[0];
  return t;
}

/* The node's result on as many values at once; NULL: it cannot be had. */
static PareTensor *
applied (const PareGraph *graph, const PareNode *node, PareTensor *const *given)
{
  PareTensor *inputs[8] = { NULL }, *outputs[1] = { NULL };
  PareGraph one = *graph; /* the node's values, but for these 256 */
  g_autofree PareValue *values = g_memdup2 (one.values, one.n_values * sizeof *values);
  if (node->n_inputs > G_N_ELEMENTS (inputs))
    return NULL;
  one.values = values;
  for (guint i = 0; i < node->n_inputs; i++)
    {
      inputs[i] = i < 2 && given[i] != NULL ? given[i] : pare_lower_constant (graph, node, i);
      if (i < 2 && given[i] != NULL)
        values[node->inputs[i]].shape = values[node->outputs[0]].shape = given[i]->shape;
    }
  return pare_lower_eval_node (&one, node, inputs, outputs, NULL) ? outputs[0] : NULL;
}

static int
by_id (const void *a, const void *b)
{
  PareNodeId x = *(const PareNodeId *)a, y = *(const PareNodeId *)b;
  return (x > y) - (x < y);
}

PareTensor *
pare_lower_table_reals (const PareBuilder *b, PareValueId x, PareValueId v)
{
  const PareGraph *graph = b->graph;
  Way way = { .n = 0 };
  g_autoptr (GHashTable) known = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify)pare_tensor_unref);
  if (!follows (b, v, x, &way))
    return NULL;
  g_hash_table_insert (known, GUINT_TO_POINTER (x + 1), reals_of (b->grid[x]));
  qsort (way.nodes, way.n, sizeof *way.nodes, by_id); /* nodes stand behind what they read */
  for (guint i = 0; i < way.n; i++)
    {
      const PareNode *node = &graph->nodes[way.nodes[i]];
      PareTensor *given[2] = { NULL };
      for (guint k = 0; k < MIN (node->n_inputs, 2); k++)
        given[k] = g_hash_table_lookup (known, GUINT_TO_POINTER (node->inputs[k] + 1));
      gboolean is_rounded = rounds (b, node);
      PareValueId joined = is_rounded ? pare_lower_number_operand (b, node->inputs[0]) : PARE_NONE;
      PareTensor *of = joined != PARE_NONE ? g_hash_table_lookup (known, GUINT_TO_POINTER (joined + 1)) : NULL;
      PareTensor *y = of != NULL   ? laid_with_number (b, node->inputs[0], of, b->grid[node->outputs[0]])
                      : is_rounded ? laid (given[0], b->grid[node->outputs[0]])
                                   : applied (graph, node, given);
      if (y == NULL)
        return NULL;
      g_hash_table_insert (known, GUINT_TO_POINTER (node->outputs[0] + 1), y);
    }
  return pare_tensor_ref (g_hash_table_lookup (known, GUINT_TO_POINTER (v + 1)));
}

guint32
pare_lower_table (PareBuilder *b, PareValueId x, PareValueId v, const PareQuant *y)
{
  g_autoptr (PareTensor) reals = pare_lower_table_reals (b, x, v);
  if (reals == NULL)
    return PARE_RT_NONE;
  g_autoptr (PareTensor) codes = pare_tensor_new (y->is_signed ? PARE_DTYPE_INT8 : PARE_DTYPE_UINT8, &reals->shape, NULL);
  PareValueId joined = v != x ? pare_lower_number_operand (b, v) : PARE_NONE;
  g_autoptr (PareTensor) of = joined != PARE_NONE ? pare_lower_table_reals (b, x, joined) : NULL;
  float rounded[256];
  if (of != NULL)
    pare_lower_with_number (b, v, of->data, y, rounded);
  for (int i = 0; i < 256; i++)
    {
      float c = of != NULL ? rounded[i] : rintf (((float *)reals->data)[i] / y->scale[0]) + (float)y->zero[0];
      c = c > (float)y->lo ? c : (float)y->lo;
      c = c < (float)y->hi ? c : (float)y->hi;
      ((guint8 *)codes->data)[i] = (guint8)(gint32)c;
    }
  return pare_builder_constant (b, codes);
}
