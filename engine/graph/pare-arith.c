/* Shape arithmetic: the few operators that exporters compute shapes with, on small constants, without any kernels. */
#include "engine/graph/pare-graph-private.h"

#include <math.h>
#include <string.h>

#define MAX_COUNT 4096

typedef struct
{
  PareShape shape;
  PareDtype dtype;
  gsize n;
  gint64 *i; /* integers and bool */
  double *d; /* float32 */
} Num;

static void
num_clear (Num *x)
{
  g_clear_pointer (&x->i, g_free);
  g_clear_pointer (&x->d, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Num, num_clear)

static gboolean
num_init (Num *x, PareDtype dtype, const PareShape *shape)
{
  gint64 n = pare_shape_count (shape);
  if (n < 0 || n > MAX_COUNT)
    return FALSE;
  x->shape = *shape;
  x->dtype = dtype;
  x->n = (gsize)n;
  switch (dtype)
    {
    case PARE_DTYPE_FLOAT32:
      x->d = g_new0 (double, n + 1);
      return TRUE;
    case PARE_DTYPE_INT64:
    case PARE_DTYPE_INT32:
    case PARE_DTYPE_BOOL:
      x->i = g_new0 (gint64, n + 1);
      return TRUE;
    default:
      return FALSE;
    }
}

static gboolean
num_load (Num *x, const PareGraph *g, const PareNode *node, guint i)
{
  PareTensor *t = pare_node_input_constant (g, node, i);
  if (t == NULL || g->values[node->inputs[i]].quant != NULL || !num_init (x, t->dtype, &t->shape))
    return FALSE;
  for (gsize k = 0; k < x->n; k++)
    if (x->d)
      x->d[k] = pare_tensor_get_double (t, k);
    else
      x->i[k] = pare_tensor_get_int (t, k);
  return TRUE;
}

static PareTensor *
num_store (const Num *x)
{
  PareTensor *t = pare_tensor_new (x->dtype, &x->shape, NULL);
  if (t == NULL)
    return NULL;
  for (gsize k = 0; k < x->n; k++)
    switch (x->dtype)
      {
      case PARE_DTYPE_FLOAT32:
        ((float *)t->data)[k] = (float)x->d[k];
        break;
      case PARE_DTYPE_INT64:
        ((gint64 *)t->data)[k] = x->i[k];
        break;
      case PARE_DTYPE_INT32:
        ((gint32 *)t->data)[k] = (gint32)x->i[k];
        break;
      default:
        ((guint8 *)t->data)[k] = x->i[k] != 0;
        break;
      }
  return t;
}

/* Element of a broadcast operand at flat index k of the result. */
static gsize
spread_index (const PareShape *from, const PareShape *to, gsize k)
{
  gsize at = 0, step = 1;
  for (int i = to->rank - 1; i >= 0; i--)
    {
      gsize here = k % (gsize)to->dims[i];
      k /= (gsize)to->dims[i];
      int j = i - (to->rank - from->rank);
      if (j >= 0)
        {
          at += (from->dims[j] == 1 ? 0 : here) * step;
          step *= (gsize)from->dims[j];
        }
    }
  return at;
}

static gboolean
spread_shape (const PareShape *a, const PareShape *b, PareShape *out)
{
  PareShape r = { .rank = MAX (a->rank, b->rank) };
  for (int i = 0; i < r.rank; i++)
    {
      gint64 x = i < r.rank - a->rank ? 1 : a->dims[i - (r.rank - a->rank)], y = i < r.rank - b->rank ? 1 : b->dims[i - (r.rank - b->rank)];
      if (x != y && x != 1 && y != 1)
        return FALSE;
      r.dims[i] = x == 1 ? y : x;
    }
  *out = r;
  return TRUE;
}

static gint64
wrap (gint64 a, gint64 b, char op)
{
  guint64 x = (guint64)a, y = (guint64)b;
  return (gint64)(op == '+' ? x + y : op == '-' ? x - y : x * y);
}

/* The operators of two operands, in the order of their names below. Those from EQUAL on answer with a truth value. */
typedef enum
{
  OP_ADD,
  OP_SUB,
  OP_MUL,
  OP_DIV,
  OP_MOD,
  OP_MIN,
  OP_MAX,
  OP_EQUAL,
  OP_LESS,
  OP_GREATER,
  OP_LESS_OR_EQUAL,
  OP_GREATER_OR_EQUAL,
  OP_AND,
  OP_OR,
  N_OPS
} BinaryOp;
static const char *const binary_names[N_OPS]
    = { "Add", "Sub", "Mul", "Div", "Mod", "Min", "Max", "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "And", "Or" };

/* order: of the left operand to the right one, -1, 0 or 1; a NAN has none (2) and is only unequal. */
static gboolean
holds (BinaryOp op, int order)
{
  switch (op)
    {
    case OP_EQUAL:
      return order == 0;
    case OP_LESS:
      return order == -1;
    case OP_GREATER:
      return order == 1;
    case OP_LESS_OR_EQUAL:
      return order == -1 || order == 0;
    default:
      return order == 0 || order == 1;
    }
}

/* In float32, as the runtime would. FALSE: not defined for real numbers here. */
static gboolean
real_binary (BinaryOp op, double u, double v, double *y)
{
  switch (op)
    {
    case OP_ADD:
      *y = (float)u + (float)v;
      return TRUE;
    case OP_SUB:
      *y = (float)u - (float)v;
      return TRUE;
    case OP_MUL:
      *y = (float)u * (float)v;
      return TRUE;
    case OP_DIV:
      *y = (float)u / (float)v;
      return TRUE;
    case OP_MIN:
      *y = MIN (u, v);
      return TRUE;
    case OP_MAX:
      *y = MAX (u, v);
      return TRUE;
    default:
      return FALSE;
    }
}

/* Wraps around as two's complement does. FALSE: there is no answer, and the graph keeps the node. */
static gboolean
integer_binary (BinaryOp op, gint64 u, gint64 v, gboolean fmod, gint64 *y)
{
  switch (op)
    {
    case OP_ADD:
      *y = wrap (u, v, '+');
      return TRUE;
    case OP_SUB:
      *y = wrap (u, v, '-');
      return TRUE;
    case OP_MUL:
      *y = wrap (u, v, '*');
      return TRUE;
    case OP_DIV:
    case OP_MOD:
      if (v == 0 || (v == -1 && u == G_MININT64))
        return FALSE;
      *y = op == OP_DIV ? u / v : fmod ? u % v : ((u % v) + v) % v;
      return TRUE;
    case OP_MIN:
      *y = MIN (u, v);
      return TRUE;
    case OP_MAX:
      *y = MAX (u, v);
      return TRUE;
    case OP_AND:
      *y = u && v;
      return TRUE;
    case OP_OR:
      *y = u || v;
      return TRUE;
    default:
      return FALSE;
    }
}

static gboolean
binary (const PareGraph *g, const PareNode *node, Num *y)
{
  BinaryOp op = 0;
  while (op < N_OPS && !pare_node_is (node, binary_names[op]))
    op++;
  g_auto (Num) a = { 0 }, b = { 0 };
  PareShape shape;
  if (op == N_OPS || node->n_inputs != 2 || !num_load (&a, g, node, 0) || !num_load (&b, g, node, 1) || a.dtype != b.dtype
      || !spread_shape (&a.shape, &b.shape, &shape) || !num_init (y, op >= OP_EQUAL ? PARE_DTYPE_BOOL : a.dtype, &shape))
    return FALSE;
  gboolean compares = op >= OP_EQUAL && op <= OP_GREATER_OR_EQUAL, fmod = pare_node_get_int (node, "fmod", 0) != 0;
  if (op > OP_GREATER_OR_EQUAL && a.d != NULL) /* And of numbers */
    return FALSE;
  for (gsize k = 0; k < y->n; k++)
    {
      gsize i = spread_index (&a.shape, &shape, k), j = spread_index (&b.shape, &shape, k);
      if (compares && a.d != NULL)
        y->i[k] = holds (op, a.d[i] < b.d[j] ? -1 : a.d[i] > b.d[j] ? 1 : a.d[i] == b.d[j] ? 0 : 2);
      else if (compares)
        y->i[k] = holds (op, a.i[i] < b.i[j] ? -1 : a.i[i] > b.i[j]);
      else if (a.d != NULL ? !real_binary (op, a.d[i], b.d[j], &y->d[k]) : !integer_binary (op, a.i[i], b.i[j], fmod, &y->i[k]))
        return FALSE;
    }
  return TRUE;
}

static gboolean
unary (const PareGraph *g, const PareNode *node, Num *y)
{
  g_auto (Num) a = { 0 };
  if (!num_load (&a, g, node, 0))
    return FALSE;
  PareDtype dtype = pare_node_is (node, "Cast") ? (PareDtype)pare_node_get_int (node, "to", 0) : a.dtype;
  if (!num_init (y, dtype, &a.shape))
    return FALSE;
  for (gsize k = 0; k < y->n; k++)
    {
      if (pare_node_is (node, "Cast"))
        {
          double d = a.d ? a.d[k] : 0;
          gint64 i = a.i ? a.i[k] : !(d > -9e18 && d < 9e18) ? G_MININT64 : (gint64)d;
          if (y->d)
            y->d[k] = a.d ? d : (double)(float)a.i[k];
          else
            y->i[k] = dtype == PARE_DTYPE_BOOL ? (a.d ? d != 0 : i != 0) : dtype == PARE_DTYPE_INT32 ? (gint32)i : i;
        }
      else if (pare_node_is (node, "Not"))
        {
          if (y->i == NULL)
            return FALSE;
          y->i[k] = !a.i[k];
        }
      else if (pare_node_is (node, "Neg"))
        {
          if (y->d)
            y->d[k] = -a.d[k];
          else
            y->i[k] = wrap (0, a.i[k], '-');
        }
      else if (y->d == NULL)
        return FALSE;
      else if (pare_node_is (node, "Floor"))
        y->d[k] = floor (a.d[k]);
      else if (pare_node_is (node, "Ceil"))
        y->d[k] = ceil (a.d[k]);
      else
        return FALSE;
    }
  return TRUE;
}

static gboolean
gather (const PareGraph *g, const PareNode *node, Num *y)
{
  g_auto (Num) x = { 0 }, k = { 0 };
  if (!num_load (&x, g, node, 0) || !num_load (&k, g, node, 1) || x.shape.rank != 1 || k.i == NULL
      || pare_node_get_int (node, "axis", 0) > 0 || !num_init (y, x.dtype, &k.shape))
    return FALSE;
  for (gsize i = 0; i < k.n; i++)
    {
      gint64 at = k.i[i] < 0 ? k.i[i] + (gint64)x.n : k.i[i];
      if (at < 0 || at >= (gint64)x.n)
        return FALSE;
      if (y->d)
        y->d[i] = x.d[at];
      else
        y->i[i] = x.i[at];
    }
  return TRUE;
}

static gboolean
concat (const PareGraph *g, const PareNode *node, Num *y)
{
  PareShape s = { .rank = 1, .dims = { 0 } };
  gsize at = 0;
  for (guint i = 0; i < node->n_inputs; i++)
    {
      const PareTensor *t = pare_node_input_constant (g, node, i);
      if (t == NULL || t->shape.rank != 1 || t->dtype != pare_node_input_constant (g, node, 0)->dtype || t->shape.dims[0] > MAX_COUNT)
        return FALSE;
      s.dims[0] += t->shape.dims[0];
    }
  if (node->n_inputs == 0 || !num_init (y, pare_node_input_constant (g, node, 0)->dtype, &s))
    return FALSE;
  for (guint i = 0; i < node->n_inputs; i++)
    {
      g_auto (Num) x = { 0 };
      if (!num_load (&x, g, node, i))
        return FALSE;
      for (gsize k = 0; k < x.n; k++, at++)
        if (y->d)
          y->d[at] = x.d[k];
        else
          y->i[at] = x.i[k];
    }
  return TRUE;
}

/* Only of a vector; the extent was inferred. */
static gboolean
slice (const PareGraph *g, const PareNode *node, Num *y)
{
  g_auto (Num) x = { 0 };
  guint n;
  g_autofree gint64 *starts = pare_node_input_ints (g, node, 1, &n), *steps = NULL;
  const PareValue *out = pare_node_output (g, node, 0);
  if (starts == NULL || n != 1 || !num_load (&x, g, node, 0) || x.shape.rank != 1 || out == NULL || out->shape.rank != 1
      || out->shape.dims[0] < 0)
    return FALSE;
  steps = pare_node_input_ints (g, node, 4, &n);
  gint64 step = steps && n == 1 ? steps[0] : 1, extent = (gint64)x.n;
  gint64 s = starts[0] < 0 ? MAX (starts[0], -extent) + extent : starts[0];
  s = CLAMP (s, 0, step > 0 ? extent : MAX (0, extent - 1));
  if (!num_init (y, x.dtype, &out->shape))
    return FALSE;
  for (gsize k = 0; k < y->n; k++)
    {
      gint64 at;
      if (__builtin_mul_overflow ((gint64)k, step, &at) || __builtin_add_overflow (at, s, &at) || at < 0 || at >= extent)
        return FALSE;
      if (y->d)
        y->d[k] = x.d[at];
      else
        y->i[k] = x.i[at];
    }
  return TRUE;
}

static gboolean
where (const PareGraph *g, const PareNode *node, Num *y)
{
  g_auto (Num) c = { 0 }, a = { 0 }, b = { 0 };
  PareShape shape;
  if (!num_load (&c, g, node, 0) || !num_load (&a, g, node, 1) || !num_load (&b, g, node, 2) || c.i == NULL || a.dtype != b.dtype
      || !spread_shape (&a.shape, &b.shape, &shape) || !spread_shape (&shape, &c.shape, &shape) || !num_init (y, a.dtype, &shape))
    return FALSE;
  for (gsize k = 0; k < y->n; k++)
    {
      gboolean first = c.i[spread_index (&c.shape, &shape, k)] != 0;
      const Num *x = first ? &a : &b;
      gsize i = spread_index (&x->shape, &shape, k);
      if (y->d)
        y->d[k] = x->d[i];
      else
        y->i[k] = x->i[i];
    }
  return TRUE;
}

static gboolean
fill (const PareGraph *g, const PareNode *node, Num *y)
{
  const PareValue *out = pare_node_output (g, node, 0);
  const PareAttr *value = pare_node_get_attr (node, "value");
  if (out == NULL || pare_node_input_constant (g, node, 0) == NULL || !num_init (y, out->dtype, &out->shape))
    return FALSE;
  if (value != NULL && (value->tensor == NULL || pare_tensor_count (value->tensor) != 1))
    return FALSE;
  for (gsize k = 0; k < y->n && value != NULL; k++)
    if (y->d)
      y->d[k] = pare_tensor_get_double (value->tensor, 0);
    else
      y->i[k] = pare_tensor_get_int (value->tensor, 0);
  return TRUE;
}

static gboolean
range (const PareGraph *g, const PareNode *node, Num *y)
{
  g_auto (Num) a = { 0 }, d = { 0 };
  const PareValue *out = pare_node_output (g, node, 0);
  if (out == NULL || !num_load (&a, g, node, 0) || !num_load (&d, g, node, 2) || a.i == NULL || d.i == NULL || a.n != 1 || d.n != 1
      || pare_node_input_constant (g, node, 1) == NULL || !num_init (y, a.dtype, &out->shape))
    return FALSE;
  for (gsize k = 0; k < y->n; k++)
    y->i[k] = wrap (a.i[0], wrap ((gint64)k, d.i[0], '*'), '+');
  return TRUE;
}

/* Over everything only. */
static gboolean
reduce (const PareGraph *g, const PareNode *node, Num *y)
{
  g_auto (Num) x = { 0 };
  const PareValue *out = pare_node_output (g, node, 0);
  if (out == NULL || pare_shape_count (&out->shape) != 1 || !num_load (&x, g, node, 0) || x.i == NULL || x.n == 0
      || !num_init (y, x.dtype, &out->shape))
    return FALSE;
  y->i[0] = x.i[0];
  for (gsize k = 1; k < x.n; k++)
    y->i[0] = pare_node_is (node, "ReduceProd")  ? wrap (y->i[0], x.i[k], '*')
              : pare_node_is (node, "ReduceSum") ? wrap (y->i[0], x.i[k], '+')
              : pare_node_is (node, "ReduceMax") ? MAX (y->i[0], x.i[k])
                                                 : MIN (y->i[0], x.i[k]);
  return TRUE;
}

static gboolean
shape_or_size (const PareGraph *g, const PareNode *node, Num *y)
{
  const PareValue *x = pare_node_input (g, node, 0), *out = pare_node_output (g, node, 0);
  if (x == NULL || out == NULL || out->shape.rank < 0 || pare_shape_count (&x->shape) < 0 || !num_init (y, PARE_DTYPE_INT64, &out->shape))
    return FALSE;
  if (pare_node_is (node, "Size"))
    y->i[0] = pare_shape_count (&x->shape);
  else
    {
      gint64 start = pare_node_get_int (node, "start", 0);
      start = CLAMP (start < 0 ? start + x->shape.rank : start, 0, x->shape.rank);
      for (gsize k = 0; k < y->n && start + (gint64)k < x->shape.rank; k++)
        y->i[k] = x->shape.dims[start + (gint64)k];
    }
  return TRUE;
}

/* The same elements under the inferred shape. */
static gboolean
view (const PareGraph *g, const PareNode *node, Num *y)
{
  const PareValue *out = pare_node_output (g, node, 0);
  if (out == NULL || !num_load (y, g, node, 0) || pare_shape_count (&out->shape) != (gint64)y->n)
    return FALSE;
  y->shape = out->shape;
  return TRUE;
}

gboolean
pare_arith_node (const PareGraph *graph, const PareNode *node, PareTensor **outputs)
{
  static const struct
  {
    const char *op;
    gboolean (*func) (const PareGraph *, const PareNode *, Num *);
  } table[] = {
    { "Shape", shape_or_size }, { "Size", shape_or_size },   { "Gather", gather }, { "Concat", concat },     { "Slice", slice },
    { "Where", where },         { "ConstantOfShape", fill }, { "Range", range },   { "Cast", unary },        { "Not", unary },
    { "Neg", unary },           { "Floor", unary },          { "Ceil", unary },    { "Unsqueeze", view },    { "Squeeze", view },
    { "Reshape", view },        { "Identity", view },        { "Flatten", view },  { "ReduceProd", reduce }, { "ReduceSum", reduce },
    { "ReduceMax", reduce },    { "ReduceMin", reduce },
  };
  g_auto (Num) y = { 0 };
  if (node->n_outputs != 1 || (node->domain != NULL && node->domain[0] != '\0'))
    return FALSE;
  gboolean done = FALSE, found = FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (table) && !found; i++)
    if ((found = strcmp (node->op, table[i].op) == 0))
      done = table[i].func (graph, node, &y);
  if (!found)
    done = binary (graph, node, &y);
  if (!done)
    return FALSE;
  outputs[0] = num_store (&y);
  return outputs[0] != NULL;
}
