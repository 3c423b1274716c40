/* A small graph computed in double, each element with how far arithmetic in float32 is likely to stand from it: what its operands are off,
 * times how steeply it follows them, and the rounding of the step itself, which for a sum is the unit of rounding times the magnitudes of
 * all its terms. Roundings go both ways, so they add up by their squares. A bound made of it is as narrow as the figures allow: wide where
 * a result is the difference of large ones or the softmax of large scores, some units of the last place elsewhere. */
#pragma once
#include "engine/graph/pare-graph.h"

#include <math.h>

#define EXACT_UNIT 0x1p-24 /* of rounding, float32 */
#define EXACT_FUNCTION 4   /* units of a function of the C library or of ours */

typedef struct
{
  PareShape shape;
  double *y, *off;
} Exact;

static inline Exact
exact_new (const PareShape *shape)
{
  gint64 n = pare_shape_count (shape);
  g_assert (n > 0 && n < 1 << 24);
  return (Exact){ *shape, g_new0 (double, (gsize)n), g_new0 (double, (gsize)n) };
}

static inline void
exact_clear (Exact *e)
{
  g_free (e->y);
  g_free (e->off);
}

static inline Exact
exact_of (const PareTensor *t)
{
  Exact e = exact_new (&t->shape);
  for (gint64 i = 0; i < pare_tensor_count (t); i++)
    e.y[i] = t->dtype == PARE_DTYPE_INT64 ? (double)((const gint64 *)t->data)[i] : ((const float *)t->data)[i];
  return e;
}

/* Where element `at` of a tensor of shape `to` is read in x, whose axes of 1 stand for all. */
static inline gint64
exact_spread (const PareShape *x, const PareShape *to, gint64 at)
{
  gint64 index = 0, step = 1;
  for (int i = to->rank - 1; i >= 0; at /= to->dims[i--])
    {
      int own = i - (to->rank - x->rank);
      if (own < 0)
        continue;
      if (x->dims[own] > 1)
        index += at % to->dims[i] * step;
      step *= x->dims[own];
    }
  return index;
}

static inline PareShape
exact_joint (const PareShape *a, const PareShape *b, int kept)
{
  PareShape s = { MAX (a->rank, b->rank), { 0 } };
  for (int i = 0; i < s.rank - kept; i++)
    {
      int at_a = i - (s.rank - a->rank), at_b = i - (s.rank - b->rank);
      s.dims[i] = MAX (at_a < 0 ? 1 : a->dims[at_a], at_b < 0 ? 1 : b->dims[at_b]);
    }
  return s;
}

static inline Exact
exact_binary (const char *op, const Exact *a, const Exact *b)
{
  PareShape shape = exact_joint (&a->shape, &b->shape, 0);
  Exact e = exact_new (&shape);
  for (gint64 i = 0; i < pare_shape_count (&shape); i++)
    {
      gint64 ia = exact_spread (&a->shape, &shape, i), ib = exact_spread (&b->shape, &shape, i);
      double x = a->y[ia], y = b->y[ib], by_x = 1, by_y = 1;
      if (op[0] == 'A' || op[0] == 'S')
        {
          by_y = op[0] == 'A' ? 1 : -1;
          e.y[i] = x + by_y * y;
          double most = fmax (fabs (x), fabs (y)), least = fmin (fabs (x), fabs (y));
          if (least + a->off[ia] + b->off[ib] < most * EXACT_UNIT / 2) /* vanishes in the other, whoever adds them */
            {
              e.y[i] = fabs (x) > fabs (y) ? x : by_y * y;
              continue;
            }
        }
      else if (op[0] == 'M')
        e.y[i] = x * y, by_x = y, by_y = x;
      else if (op[0] == 'D')
        e.y[i] = x / y, by_x = 1 / y, by_y = x / (y * y);
      else if (g_str_equal (op, "PRelu"))
        e.y[i] = x < 0 ? x * y : x, by_x = fmax (fabs (y), 1), by_y = 0;
      else /* Pow; the exponent is a number */
        e.y[i] = pow (x, y), by_x = y * pow (x, y - 1), by_y = 0;
      e.off[i] = hypot (hypot (by_x * a->off[ia], by_y * b->off[ib]), EXACT_UNIT * e.y[i]);
    }
  return e;
}

static inline Exact
exact_unary (const PareNode *node, const Exact *x)
{
  Exact e = exact_new (&x->shape);
  const char *op = node->op;
  g_autofree char *approximate = pare_node_dup_string (node, "approximate");
  gboolean tanh_form = g_strcmp0 (approximate, "tanh") == 0;
  for (gint64 i = 0; i < pare_shape_count (&x->shape); i++)
    {
      double v = x->y[i], y, slope;
      if (g_str_equal (op, "Relu"))
        y = fmax (v, 0), slope = v > 0;
      else if (g_str_equal (op, "Sqrt"))
        y = sqrt (v), slope = 0.5 / y;
      else if (g_str_equal (op, "Reciprocal"))
        y = 1 / v, slope = y * y;
      else if (g_str_equal (op, "Erf"))
        y = erf (v), slope = M_2_SQRTPI * exp (-v * v);
      else if (g_str_equal (op, "Tanh"))
        y = tanh (v), slope = 1 - y * y;
      else if (g_str_equal (op, "Sigmoid"))
        y = 1 / (1 + exp (-v)), slope = y * (1 - y);
      else if (g_str_equal (op, "Elu"))
        y = v < 0 ? expm1 (v) : v, slope = 1, e.off[i] = v < 0 ? EXACT_UNIT : 0; /* of the difference to 1 */
      else if (g_str_equal (op, "Softplus"))
        y = log1p (exp (v)), slope = 1 / (1 + exp (-v));
      else if (g_str_equal (op, "Mish"))
        y = v * tanh (log1p (exp (v))), slope = 1.09; /* at most */
      else
        {
          g_assert_cmpstr (op, ==, "Gelu");
          double u = sqrt (M_2_PI) * (v + 0.044715 * v * v * v), share = tanh_form ? (1 + tanh (u)) / 2 : erfc (-v * M_SQRT1_2) / 2;
          y = v * share, slope = 1.13; /* at most */
          e.off[i] = EXACT_FUNCTION * EXACT_UNIT * v;
        }
      e.y[i] = y;
      e.off[i] = hypot (hypot (e.off[i], slope * x->off[i]), EXACT_FUNCTION * EXACT_UNIT * y);
    }
  return e;
}

static inline Exact
exact_matmul (const Exact *a, const Exact *b)
{
  PareShape shape = exact_joint (&a->shape, &b->shape, 2);
  gint64 k = a->shape.dims[a->shape.rank - 1], n = b->shape.dims[b->shape.rank - 1], m = a->shape.dims[a->shape.rank - 2];
  shape.dims[shape.rank - 2] = shape.dims[shape.rank - 1] = 1;
  PareShape of_a = a->shape, of_b = b->shape;
  of_a.dims[of_a.rank - 2] = of_a.dims[of_a.rank - 1] = of_b.dims[of_b.rank - 2] = of_b.dims[of_b.rank - 1] = 1;
  gint64 batch = pare_shape_count (&shape);
  PareShape whole = shape;
  whole.dims[shape.rank - 2] = m;
  whole.dims[shape.rank - 1] = n;
  Exact e = exact_new (&whole);
  for (gint64 i = 0; i < batch * m * n; i++)
    {
      gint64 at = i / (m * n), ia = exact_spread (&of_a, &shape, at) * m * k + i / n % m * k,
             ib = exact_spread (&of_b, &shape, at) * k * n + i % n;
      double sum = 0, size = 0, off = 0;
      for (gint64 j = 0; j < k; j++, ia++, ib += n)
        {
          sum += a->y[ia] * b->y[ib];
          size += fabs (a->y[ia] * b->y[ib]);
          off += pow (a->off[ia] * b->y[ib], 2) + pow (a->y[ia] * b->off[ib], 2);
        }
      e.y[i] = sum;
      e.off[i] = hypot (sqrt (off), EXACT_UNIT * size);
    }
  return e;
}

/* Over rows of the last axis. */
static inline void
exact_softmax_row (const double *x, const double *x_off, gint64 n, double *y, double *off)
{
  double most = -INFINITY, sum = 0, all = 0;
  for (gint64 i = 0; i < n; i++)
    most = fmax (most, x[i]);
  for (gint64 i = 0; i < n; i++)
    sum += y[i] = exp (x[i] - most);
  for (gint64 i = 0; i < n; i++)
    {
      y[i] /= sum;
      off[i] = isinf (x[i]) ? 0 : hypot (x_off[i], EXACT_UNIT * (x[i] - most)); /* of the exponent */
      all += pow (y[i] * off[i], 2);
    }
  for (gint64 i = 0; i < n; i++)
    {
      double own = y[i] * off[i], others = all - own * own;
      off[i] = y[i] * sqrt (pow ((1 - y[i]) * off[i], 2) + fmax (others, 0) + pow (EXACT_FUNCTION * EXACT_UNIT, 2));
    }
}

static inline Exact
exact_rows (const PareNode *node, const Exact *x, const Exact *scale)
{
  const char *op = node->op;
  gboolean reduce = g_str_has_prefix (op, "Reduce");
  gint64 n = x->shape.dims[x->shape.rank - 1], rows = pare_shape_count (&x->shape) / n;
  PareShape shape = x->shape;
  shape.dims[shape.rank - 1] = reduce ? 1 : n;
  Exact e = exact_new (&shape);
  for (gint64 r = 0; r < rows; r++)
    {
      const double *from = x->y + r * n, *from_off = x->off + r * n;
      double sum = 0, size = 0, off = 0, most = -INFINITY;
      for (gint64 i = 0; i < n; i++)
        {
          gboolean squares = !reduce;
          sum += squares ? from[i] * from[i] : from[i];
          size += squares ? from[i] * from[i] : fabs (from[i]);
          off += pow (squares ? 2 * from[i] * from_off[i] : from_off[i], 2);
          most = fmax (most, from[i]);
        }
      if (g_str_equal (op, "Softmax"))
        exact_softmax_row (from, from_off, n, e.y + r * n, e.off + r * n);
      else if (g_str_equal (op, "ReduceMean"))
        {
          e.y[r] = sum / (double)n;
          e.off[r] = hypot (sqrt (off), EXACT_UNIT * size) / (double)n;
        }
      else if (g_str_equal (op, "ReduceMax"))
        {
          e.y[r] = most;
          for (gint64 i = 0; i < n; i++)
            e.off[r] = fmax (e.off[r], from_off[i]);
        }
      else
        {
          g_assert_cmpstr (op, ==, "RMSNormalization");
          double mean = sum / (double)n + 1e-5f, root = sqrt (mean);
          double root_off = hypot (sqrt (off), EXACT_UNIT * size) / (double)n / mean / 2;
          for (gint64 i = 0; i < n; i++)
            {
              e.y[r * n + i] = from[i] / root * scale->y[i];
              e.off[r * n + i] = hypot (hypot (e.y[r * n + i] * root_off, EXACT_FUNCTION * EXACT_UNIT * e.y[r * n + i]),
                                        from_off[i] / root * scale->y[i]);
            }
        }
    }
  return e;
}

static inline Exact
exact_transpose (const PareNode *node, const Exact *x)
{
  guint rank;
  const gint64 *perm = pare_node_get_ints (node, "perm", &rank);
  PareShape shape = { (int)rank, { 0 } };
  for (guint i = 0; i < rank; i++)
    shape.dims[i] = x->shape.dims[perm[i]];
  Exact e = exact_new (&shape);
  for (gint64 i = 0; i < pare_shape_count (&shape); i++)
    {
      gint64 at[PARE_MAX_RANK] = { 0 }, rest = i, from = 0;
      for (int j = (int)rank - 1; j >= 0; rest /= shape.dims[j--])
        at[perm[j]] = rest % shape.dims[j];
      for (guint j = 0; j < rank; j++)
        from = from * x->shape.dims[j] + at[j];
      e.y[i] = x->y[from];
      e.off[i] = x->off[from];
    }
  return e;
}

static inline Exact
exact_reshape (const Exact *x, const Exact *to)
{
  PareShape shape = { (int)pare_shape_count (&to->shape), { 0 } };
  for (int i = 0; i < shape.rank; i++)
    shape.dims[i] = to->y[i] > 0 ? (gint64)to->y[i] : x->shape.dims[i];
  g_assert_cmpint (pare_shape_count (&shape), ==, pare_shape_count (&x->shape));
  Exact e = exact_new (&shape);
  for (gint64 i = 0; i < pare_shape_count (&shape); i++)
    {
      e.y[i] = x->y[i];
      e.off[i] = x->off[i];
    }
  return e;
}

static inline Exact
exact_node (const PareNode *node, const Exact *all)
{
  const char *op = node->op;
  const Exact *x = &all[node->inputs[0]], *more = node->n_inputs > 1 ? &all[node->inputs[1]] : NULL;
  if (g_str_equal (op, "MatMul"))
    return exact_matmul (x, more);
  if (g_str_equal (op, "Transpose"))
    return exact_transpose (node, x);
  if (g_str_equal (op, "Reshape"))
    return exact_reshape (x, more);
  if (g_str_equal (op, "Clip"))
    {
      Exact e = exact_new (&x->shape);
      for (gint64 i = 0; i < pare_shape_count (&x->shape); i++)
        {
          e.y[i] = fmin (all[node->inputs[2]].y[0], fmax (more->y[0], x->y[i]));
          e.off[i] = x->off[i];
        }
      return e;
    }
  if (g_str_equal (op, "Softmax") || g_str_equal (op, "RMSNormalization") || g_str_has_prefix (op, "Reduce"))
    return exact_rows (node, x, more);
  return node->n_inputs == 2 ? exact_binary (op, x, more) : exact_unary (node, x);
}

/* The first output of a graph whose nodes stand in order, from these inputs. */
static inline Exact
exact_run (const PareGraph *g, PareTensor *const *inputs)
{
  Exact *all = g_new0 (Exact, g->n_values);
  for (guint i = 0; i < g->n_values; i++)
    if (g->values[i].constant != NULL)
      all[i] = exact_of (g->values[i].constant);
  for (guint i = 0; i < g->n_inputs; i++)
    all[g->inputs[i]] = exact_of (inputs[i]);
  for (guint i = 0; i < g->n_nodes; i++)
    all[g->nodes[i].outputs[0]] = exact_node (&g->nodes[i], all);
  for (guint i = 0; i < g->n_values; i++)
    if (i != g->outputs[0] && all[i].y != NULL)
      exact_clear (&all[i]);
  Exact y = all[g->outputs[0]];
  g_free (all);
  return y;
}
