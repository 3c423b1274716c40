/* Numbers drawn at random, drawn once: the same model gives the same answers, so what a file asks to draw is a constant of its shape, told
 * by the node's seed or, where it has none, by the name of what it makes. A node in the body of a loop draws the same in every turn. */
#include "engine/base/pare-rng.h"
#include "engine/graph/pare-writer.h"

#include <string.h>

#define MOST_DRAWN (1 << 24) /* elements: a file may ask for any number */

static PareRng
rng_of (const PareWriter *w, const PareNode *node)
{
  const PareAttr *seed = pare_node_get_attr (node, "seed");
  guint32 bits;
  if (seed == NULL || seed->kind != PARE_ATTR_FLOAT)
    return (PareRng){ pare_splitmix64 (g_str_hash (w->graph->values[w->out[0]].name)) };
  memcpy (&bits, &seed->f, sizeof bits);
  return (PareRng){ pare_splitmix64 (bits) };
}

/* In 0..1 without 1, which it does not become as a float either. */
static double
draw_uniform (PareRng *rng)
{
  return (double)(pare_rng_next (rng) >> 40) * 0x1p-24;
}

/* (transfer full) NULL: its extents are not known, or there is no room. */
static PareTensor *
draw (const PareWriter *w, const PareNode *node, const PareShape *shape, gboolean normal, double from, double scale)
{
  gint64 n = pare_shape_count (shape);
  PareTensor *t = n >= 0 && n <= MOST_DRAWN ? pare_tensor_new (PARE_DTYPE_FLOAT32, shape, NULL) : NULL;
  PareRng rng = rng_of (w, node);
  for (gint64 i = 0; t != NULL && i < n; i++)
    ((float *)t->data)[i] = (float)(from + scale * (normal ? pare_rng_normal (&rng) : draw_uniform (&rng)));
  return t;
}

/* Of what extents and type: those of the operand, or what attributes say. */
static PareShape
extents_of (const PareWriter *w, const PareNode *node, PareDtype *dtype)
{
  guint n = 0;
  gboolean like = g_str_has_suffix (node->op, "Like");
  const gint64 *dims = like ? NULL : pare_node_get_ints (node, "shape", &n);
  PareShape shape = { .rank = dims != NULL && n <= PARE_MAX_RANK ? (int)n : -1 };
  for (int d = 0; d < shape.rank; d++)
    shape.dims[d] = dims[d];
  *dtype = (PareDtype)pare_node_get_int (node, "dtype", like ? pare_writer_dtype (w, w->in[0]) : PARE_DTYPE_FLOAT32);
  return like ? *pare_writer_shape (w, w->in[0]) : shape;
}

/* RandomNormal, RandomUniform and those whose extents are their operand's. */
static gboolean
draw_constant (PareWriter *w, const PareNode *node)
{
  gboolean normal = g_str_has_prefix (node->op, "RandomNormal");
  PareDtype dtype;
  const PareShape shape = extents_of (w, node, &dtype);
  double from = normal ? pare_node_get_float (node, "mean", 0) : pare_node_get_float (node, "low", 0),
         scale = normal ? pare_node_get_float (node, "scale", 1) : pare_node_get_float (node, "high", 1) - from;
  if (dtype != PARE_DTYPE_FLOAT32 && dtype != PARE_DTYPE_FLOAT64)
    return FALSE;
  g_autoptr (PareTensor) drawn = draw (w, node, &shape, normal, from, scale);
  g_autoptr (PareTensor) typed = drawn != NULL ? pare_tensor_cast (drawn, dtype, NULL) : NULL;
  if (typed == NULL)
    return FALSE;
  PareValueId value = pare_write_constant (w, "drawn", typed);
  pare_write_to (w, "Identity", w->out[0], &value, 1);
  return TRUE;
}

/* (transfer full) Numbers of 0..1, as many as a shape has elements; NULL: that is not known, or there is no room. */
static PareTensor *
draw_shares (const PareWriter *w, const PareNode *node, const PareShape *shape)
{
  return draw (w, node, shape, FALSE, 0, 1);
}

/* 1 with the probability that its operand says. */
static gboolean
bernoulli (PareWriter *w, const PareNode *node)
{
  PareDtype from = pare_writer_dtype (w, w->in[0]), to = (PareDtype)pare_node_get_int (node, "dtype", from);
  gboolean real = from == PARE_DTYPE_FLOAT32 || from == PARE_DTYPE_FLOAT64;
  g_autoptr (PareTensor) shares = real ? draw_shares (w, node, pare_writer_shape (w, w->in[0])) : NULL;
  if (shares == NULL || pare_dtype_bits (to) == 0)
    return FALSE;
  PareValueId x = from == PARE_DTYPE_FLOAT64 ? pare_write_cast (w, w->in[0], PARE_DTYPE_FLOAT32, PARE_NONE) : w->in[0];
  pare_write_cast (w, pare_write (w, "Less", PARE_DTYPE_BOOL, pare_write_constant (w, "drawn", shares), x), to, w->out[0]);
  return TRUE;
}

/* Classes, drawn with probabilities whose logarithms, or those less a number, the operand says: as many as the sums of the probabilities up
 * to each class are below what was drawn. */
static gboolean
multinomial (PareWriter *w, const PareNode *node)
{
  const PareDtype f = PARE_DTYPE_FLOAT32, i64 = PARE_DTYPE_INT64;
  static const gint64 samples[] = { 1 }, classes[] = { 2 };
  const PareShape x = *pare_writer_shape (w, w->in[0]);
  PareDtype to = (PareDtype)pare_node_get_int (node, "dtype", PARE_DTYPE_INT32);
  PareShape shape = { .rank = 3, .dims = { x.dims[0], pare_node_get_int (node, "sample_size", 1), 1 } };
  g_autoptr (PareTensor) shares = NULL;
  if (!pare_writer_is_float (w, w->in[0]) || x.rank != 2 || x.dims[1] < 1 || shape.dims[1] < 1
      || (to != PARE_DTYPE_INT32 && to != PARE_DTYPE_INT64) || (shares = draw_shares (w, node, &shape)) == NULL)
    return FALSE;
  const PareValueId in[2] = { pare_write (w, "Softmax", f, w->in[0], PARE_NONE), pare_write_ints (w, &(gint64){ 1 }, 1) };
  PareValueId sums = pare_graph_add_value (w->graph, "CumSum", f, NULL, PARE_NONE);
  pare_write_to (w, "CumSum", sums, in, 2);
  PareValueId below = pare_write (w, "LessOrEqual", PARE_DTYPE_BOOL, pare_write_unsqueeze (w, sums, samples, 1),
                                  pare_write_constant (w, "drawn", shares));
  PareValueId class = pare_write_reduce (w, "ReduceSum", pare_write_cast (w, below, i64, PARE_NONE), pare_write_ints (w, classes, 1),
                                         FALSE);
  pare_write_cast (w, pare_write (w, "Min", i64, class, pare_write_ints (w, &(gint64){ x.dims[1] - 1 }, 1)), to, w->out[0]);
  return TRUE;
}

const PareDecomposeRule pare_decompose_rules_random[] = {
  { "", "Bernoulli", bernoulli },
  { "", "Multinomial", multinomial },
  { "", "RandomNormal", draw_constant },
  { "", "RandomNormalLike", draw_constant },
  { "", "RandomUniform", draw_constant },
  { "", "RandomUniformLike", draw_constant },
  { NULL, NULL, NULL },
};
