/* Products of codes whose range is found while running (dynamic quantization), written out. */
#include "engine/graph/pare-writer.h"

static const PareDtype f32 = PARE_DTYPE_FLOAT32;

/* x to 8 bits on the grid that its own range asks for: scale = (max - min) / 255 of a range that holds 0. */
static gboolean
dynamic_quantize (PareWriter *w, const PareNode *node)
{
  if (pare_writer_dtype (w, w->in[0]) != f32)
    return FALSE;
  PareValueId zero = pare_write_number (w, 0), top = pare_write_number (w, 255);
  PareValueId greatest = pare_write (w, "Max", f32, pare_write_reduce (w, "ReduceMax", w->in[0], PARE_NONE, FALSE), zero);
  PareValueId least = pare_write (w, "Min", f32, pare_write_reduce (w, "ReduceMin", w->in[0], PARE_NONE, FALSE), zero);
  PareValueId scale = w->out[1] != PARE_NONE ? w->out[1] : pare_graph_add_value (w->graph, "scale", f32, NULL, PARE_NONE);
  PareValueId range[2] = { pare_write (w, "Sub", f32, greatest, least), top };
  pare_write_to (w, "Div", scale, range, 2);
  PareValueId offset = pare_write (w, "Div", f32, pare_write (w, "Sub", f32, zero, least), scale);
  PareValueId clip[3] = { pare_write (w, "Round", f32, offset, PARE_NONE), zero, top };
  PareValueId clipped = pare_graph_add_value (w->graph, "Clip", f32, NULL, PARE_NONE);
  pare_write_to (w, "Clip", clipped, clip, 3);
  PareValueId point = pare_write_cast (w, clipped, PARE_DTYPE_UINT8, w->out[2]);
  if (w->out[0] != PARE_NONE)
    {
      PareValueId in[3] = { w->in[0], scale, point };
      pare_write_to (w, "QuantizeLinear", w->out[0], in, 3);
    }
  return TRUE;
}

#define OF_SUMS "of_sums" /* a Cast of whole numbers, so that casting them back gives what they were */

/* The sums y, whole numbers in float32, as the int32 of the node's result; where that is only made floats again it stays as it is. */
static void
give_sums (PareWriter *w, PareValueId y)
{
  g_autoptr (PareConsumers) readers = pare_graph_consumers (w->graph);
  PareValueId out = w->out[0];
  guint first = readers->starts[out], end = readers->starts[out + 1];
  gboolean floats = end > first && !pare_graph_is_output (w->graph, out);
  for (guint i = first; i < end && floats; i++)
    {
      const PareNode *reader = &w->graph->nodes[readers->nodes[i]];
      floats = pare_node_is (reader, "Cast") && pare_node_get_int (reader, "to", 0) == f32;
    }
  if (!floats)
    {
      pare_write_cast (w, y, PARE_DTYPE_INT32, out);
      pare_node_set_int (&w->graph->nodes[w->graph->values[out].producer], OF_SUMS, 1);
    }
  for (guint i = first; i < end && floats; i++)
    pare_node_set_inputs (&w->graph->nodes[readers->nodes[i]], &y, 1);
}

/* --- constant weights: codes are multiplied as they are --- */

/* (nullable) (transfer full) A constant of codes less its zero point, of one or of one per `axis`, as floats of a grid. */
static PareTensor *
centred_constant (const PareWriter *w, guint i, int axis, PareQuant **grid)
{
  const PareTensor *codes = w->in[i] != PARE_NONE ? w->graph->values[w->in[i]].constant : NULL,
                   *zero = w->in[i + 2] != PARE_NONE ? w->graph->values[w->in[i + 2]].constant : NULL;
  if (codes == NULL || (codes->dtype != PARE_DTYPE_UINT8 && codes->dtype != PARE_DTYPE_INT8) || axis >= codes->shape.rank
      || (w->in[i + 2] != PARE_NONE && zero == NULL))
    return NULL;
  gint64 n = zero != NULL ? pare_tensor_count (zero) : 1, inner = 1;
  if (n != 1 && n != codes->shape.dims[axis])
    return NULL;
  for (int d = axis + 1; d < codes->shape.rank; d++)
    inner *= codes->shape.dims[d];
  PareTensor *t = pare_tensor_new (f32, &codes->shape, NULL);
  if (t == NULL)
    return NULL;
  *grid = pare_quant_new (8, codes->dtype == PARE_DTYPE_INT8, n == 1 ? -1 : axis, (guint)n);
  for (gint64 k = 0; k < n; k++)
    {
      (*grid)->scale[k] = 1;
      (*grid)->zero[k] = zero != NULL ? (gint32)pare_tensor_get_int (zero, (gsize)k) : 0;
    }
  for (gint64 k = 0, count = pare_tensor_count (codes); k < count; k++)
    ((float *)t->data)[k] = (float)(pare_tensor_get_int (codes, (gsize)k) - (*grid)->zero[n == 1 ? 0 : k / inner % n]);
  return t;
}

/* Codes of 8 bits whose zero point is one number, or none. */
static gboolean
is_of_one_zero (const PareWriter *w)
{
  PareDtype dtype = pare_writer_dtype (w, w->in[0]);
  if (dtype != PARE_DTYPE_UINT8 && dtype != PARE_DTYPE_INT8)
    return FALSE;
  return w->in[2] == PARE_NONE || pare_shape_count (pare_writer_shape (w, w->in[2])) == 1;
}

/* What the codes stand for on the grid of scale 1 and zero point 0: themselves. */
static PareValueId
as_they_are (PareWriter *w, PareValueId codes)
{
  PareShape scalar = { .rank = 0 };
  g_autoptr (PareTensor) zero = pare_tensor_new (pare_writer_dtype (w, codes), &scalar, NULL);
  memset (zero->data, 0, zero->bytes);
  PareValueId in[3] = { codes, pare_write_number (w, 1), pare_write_constant (w, "zero_point", zero) },
              x = pare_graph_add_value (w->graph, "codes", f32, NULL, PARE_NONE);
  pare_write_to (w, "DequantizeLinear", x, in, 3);
  return x;
}

/* sums of products with x less x's zero point times the sums of the weights, which are of `shape`. */
static void
give_less_zero (PareWriter *w, PareValueId sums, const PareTensor *weights, int axis, const PareShape *shape)
{
  if (w->in[2] == PARE_NONE)
    {
      give_sums (w, sums);
      return;
    }
  g_autoptr (PareTensor) of_weights = pare_tensor_new (f32, shape, NULL);
  memset (of_weights->data, 0, of_weights->bytes);
  gint64 inner = 1, channels = weights->shape.dims[axis];
  for (int d = axis + 1; d < weights->shape.rank; d++)
    inner *= weights->shape.dims[d];
  for (gint64 i = 0, n = pare_tensor_count (weights); i < n; i++)
    ((float *)of_weights->data)[i / inner % channels] += ((const float *)weights->data)[i]; /* whole numbers: exact */
  PareValueId zero = pare_write_cast (w, w->in[2], f32, PARE_NONE),
              too_much = pare_write (w, "Mul", f32, zero, pare_write_constant (w, "sums", of_weights));
  give_sums (w, pare_write (w, "Sub", f32, sums, too_much));
}

static PareValueId
constant_on_grid (PareWriter *w, PareTensor *t, PareQuant *grid)
{
  PareValueId value = pare_write_constant (w, "weights", t);
  w->graph->values[value].quant = grid;
  return value;
}

/* Sums are exact up to 2^24, beyond that right to the last bit of a float32; without the zero point's share they may be smaller. */
static gboolean
matmul_constant (PareWriter *w)
{
  PareQuant *grid = NULL;
  const PareShape *x = pare_writer_shape (w, w->in[0]);
  if (!is_of_one_zero (w) || x->rank < 2 || pare_writer_shape (w, w->in[1])->rank != 2)
    return FALSE;
  g_autoptr (PareTensor) weights = centred_constant (w, 1, 1, &grid);
  if (weights == NULL)
    return FALSE;
  PareShape columns = pare_shape_make (1, weights->shape.dims[1]);
  PareValueId y = pare_write (w, "MatMul", f32, as_they_are (w, w->in[0]), constant_on_grid (w, weights, grid));
  give_less_zero (w, y, weights, 1, &columns);
  return TRUE;
}

/* The same for convolutions. They pad with the zero point, which is known only while running: a step of its own does that in front. */
static gboolean
conv_constant (PareWriter *w, const PareNode *node)
{
  PareQuant *grid = NULL;
  PareShape x = *pare_writer_shape (w, w->in[0]);
  guint n = 0;
  const gint64 *pads = pare_node_get_ints (node, "pads", &n);
  g_autofree char *automatic = pare_node_dup_string (node, "auto_pad");
  gboolean padded = FALSE;
  for (guint i = 0; i < n; i++)
    padded |= pads[i] != 0;
  if (!is_of_one_zero (w) || x.rank < 3 || (n != 0 && n != 2 * (guint)(x.rank - 2))
      || (automatic != NULL && strcmp (automatic, "NOTSET") != 0 && strcmp (automatic, "VALID") != 0))
    return FALSE;
  g_autoptr (PareTensor) weights = centred_constant (w, 1, 0, &grid);
  if (weights == NULL)
    return FALSE;
  PareValueId codes = w->in[0];
  if (padded && w->in[2] != PARE_NONE)
    {
      gint64 all[2 * PARE_MAX_RANK] = { 0 };
      for (int d = 2; d < x.rank; d++)
        {
          all[d] = pads[d - 2];
          all[x.rank + d] = pads[x.rank - 2 + d - 2];
        }
      PareValueId in[3] = { codes, pare_write_ints (w, all, 2 * (guint)x.rank), w->in[2] };
      codes = pare_graph_add_value (w->graph, "Pad", pare_writer_dtype (w, codes), NULL, PARE_NONE);
      pare_write_to (w, "Pad", codes, in, 3);
    }
  PareValueId in[2] = { as_they_are (w, codes), constant_on_grid (w, weights, grid) },
              y = pare_graph_add_value (w->graph, "Conv", f32, NULL, PARE_NONE);
  pare_node_add_attrs (pare_write_to (w, "Conv", y, in, 2), node, codes != w->in[0] ? "pads" : NULL);
  PareShape channels = { .rank = x.rank - 1, .dims = { weights->shape.dims[0] } };
  for (int d = 1; d < channels.rank; d++)
    channels.dims[d] = 1;
  give_less_zero (w, y, weights, 0, &channels);
  return TRUE;
}

/* --- whatever else: codes are made floats, and the zero points taken off first --- */

/* Codes less their zero point, as floats, in which all of them and products of two are exact; one zero point to a row of a, a column of b,
 * or to an output channel: `zero` then gets ones behind it until it has `rank` extents. */
static PareValueId
centred (PareWriter *w, PareValueId codes, PareValueId zero, int trailing)
{
  PareValueId x = pare_write_cast (w, codes, f32, PARE_NONE);
  if (zero == PARE_NONE)
    return x;
  PareValueId z = pare_write_cast (w, zero, f32, PARE_NONE);
  if (pare_writer_shape (w, zero)->rank > 0 && trailing > 0)
    {
      gint64 axes[PARE_MAX_RANK];
      for (int i = 0; i < trailing; i++)
        axes[i] = 1 + i;
      z = pare_write (w, "Unsqueeze", f32, z, pare_write_ints (w, axes, (guint)trailing));
    }
  return pare_write (w, "Sub", f32, x, z);
}

static gboolean
matmul_integer (PareWriter *w, const PareNode *node)
{
  if (w->in[1] == PARE_NONE || pare_writer_shape (w, w->in[0])->rank < 1 || pare_writer_shape (w, w->in[1])->rank < 1)
    return FALSE;
  if (matmul_constant (w))
    return TRUE;
  gboolean rows = w->in[2] != PARE_NONE && pare_writer_shape (w, w->in[2])->rank == 1 && pare_writer_shape (w, w->in[0])->rank > 1;
  PareValueId a = centred (w, w->in[0], w->in[2], rows ? 1 : 0), b = centred (w, w->in[1], w->in[3], 0);
  give_sums (w, pare_write (w, "MatMul", f32, a, b));
  return TRUE;
}

static gboolean
conv_integer (PareWriter *w, const PareNode *node)
{
  if (w->in[1] == PARE_NONE || pare_writer_shape (w, w->in[1])->rank < 3)
    return FALSE;
  if (conv_constant (w, node))
    return TRUE;
  PareValueId in[2] = { centred (w, w->in[0], w->in[2], 0), centred (w, w->in[1], w->in[3], pare_writer_shape (w, w->in[1])->rank - 1) };
  PareValueId sum = pare_graph_add_value (w->graph, "Conv", f32, NULL, PARE_NONE);
  pare_node_add_attrs (pare_write_to (w, "Conv", sum, in, 2), node, NULL);
  give_sums (w, sum);
  return TRUE;
}

/* Whole numbers less than 2^24 add up to the same float as an int32 does when it is made one: a bias that is added to sums before they
 * become floats is added behind. (Tools write so convolutions whose bias they quantize, too.) */
static gboolean
cast_of_biased (PareWriter *w, const PareNode *node)
{
  const PareGraph *g = w->graph;
  PareNodeId add = w->in[0] != PARE_NONE ? g->values[w->in[0]].producer : PARE_NONE;
  if (add == PARE_NONE || pare_node_get_int (node, "to", 0) != f32 || !pare_node_is (&g->nodes[add], "Add")
      || pare_writer_dtype (w, w->in[0]) != PARE_DTYPE_INT32)
    return FALSE;
  for (guint i = 0; i < 2; i++)
    {
      const PareNode *n = &g->nodes[add];
      PareValueId sums = n->inputs[i], bias = n->inputs[1 - i];
      PareNodeId cast = g->values[sums].producer;
      if (cast == PARE_NONE || !pare_node_is (&g->nodes[cast], "Cast") || pare_node_get_int (&g->nodes[cast], OF_SUMS, 0) == 0)
        continue;
      PareValueId in[2] = { g->nodes[cast].inputs[0], PARE_NONE };
      in[1] = pare_write_cast (w, bias, f32, PARE_NONE);
      pare_write_to (w, "Add", w->out[0], in, 2);
      return TRUE;
    }
  return FALSE;
}

const PareDecomposeRule pare_decompose_rules_integer[] = {
  { "", "DynamicQuantizeLinear", dynamic_quantize },
  { "", "MatMulInteger", matmul_integer },
  { "", "ConvInteger", conv_integer },
  { "", "Cast", cast_of_biased },
  { NULL, NULL, NULL },
};
