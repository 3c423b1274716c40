/* Conv, Gemm and MatMul of graphs that are quantized throughout, computed on their codes. Rounding is a cliff: a sum of dequantized floats
 * that misses an integer accumulator by one part in a million falls on the other side of a half now and then, and a deep network turns a
 * few such codes into other answers. So where operands and result lie on grids, the step gets (code - zero) of both operands as floats:
 * every product and partial sum is an integer below 2^24, hence exact in any order and on any backend. What follows is the pinned
 * arithmetic of integer runtimes: (sum + bias) * (sx * sw / sy), rounded to even, clamped. */
#include "engine/lower/pare-lower-private.h"

#include <math.h>

#define EXACT_BELOW (1 << 24)

/* (transfer full) (nullable) (t / scale) as integers; NULL where t does not lie on the grid. axis: that of the channels; the grid may have
 * one scale or one for each. */
static PareTensor *
codes_of_constant (const PareValue *v, int axis, gint64 channels)
{
  const PareTensor *t = v->constant;
  const PareQuant *q = v->quant;
  if (t == NULL || q == NULL || t->dtype != PARE_DTYPE_FLOAT32 || q->group > 0
      || (q->n != 1 && (q->axis != axis || q->n != (guint)channels)))
    return NULL;
  gint64 n = pare_tensor_count (t), inner = 1;
  for (int d = axis + 1; d < t->shape.rank; d++)
    inner *= t->shape.dims[d];
  g_autoptr (PareTensor) codes = pare_tensor_new (PARE_DTYPE_FLOAT32, &t->shape, NULL);
  const float *x = t->data;
  for (gint64 i = 0; codes != NULL && i < n; i++)
    {
      float scale = q->scale[q->n == 1 ? 0 : i / inner % channels], code = rintf (x[i] / scale);
      if (!(fabsf (code) < EXACT_BELOW) || code * scale != x[i])
        return NULL;
      ((float *)codes->data)[i] = code;
    }
  return g_steal_pointer (&codes);
}

/* Every sum that can occur is an integer that a float holds. */
static gboolean
sums_are_exact (const PareTensor *w, const PareTensor *bias, const PareQuant *x, int axis, gint64 channels)
{
  gint64 n = pare_tensor_count (w), inner = 1;
  double most = MAX (abs (x->lo - x->zero[0]), abs (x->hi - x->zero[0]));
  g_autofree double *sums = g_new0 (double, channels);
  for (int d = axis + 1; d < w->shape.rank; d++)
    inner *= w->shape.dims[d];
  for (gint64 i = 0; i < n; i++)
    sums[i / inner % channels] += fabsf (((const float *)w->data)[i]) * most;
  for (gint64 c = 0; c < channels; c++)
    if (sums[c] + (bias != NULL ? fabsf (((const float *)bias->data)[c]) : 0) >= EXACT_BELOW)
      return FALSE;
  return TRUE;
}

/* The PareQuantize that alone reads what the node (with what is fused into it) writes. */
static const PareNode *
quantize_after (const PareBuilder *b, PareNodeId id)
{
  const PareFusion *f = &b->fusions[id];
  PareValueId y = f->head != PARE_NONE ? f->output : b->graph->nodes[id].outputs[0];
  if (f->head != PARE_NONE
      && (f->add_bias != PARE_NONE || f->residual != PARE_NONE || f->pad != PARE_NONE
          || (f->activation != PARE_ACT_NONE && !(f->activation == PARE_ACT_CLIP && f->lo == 0 && isinf (f->hi)))))
    return NULL;
  guint from = b->consumers->starts[y], to = b->consumers->starts[y + 1];
  const PareNode *reader = to - from == 1 && !b->keep[y] ? &b->graph->nodes[b->consumers->nodes[from]] : NULL;
  if (reader == NULL || !g_str_equal (reader->op, PARE_OP_QUANTIZE))
    return NULL;
  const PareQuant *q = b->graph->values[reader->outputs[0]].quant;
  return q != NULL && q->n == 1 ? reader : NULL;
}

/* The axis of the weights along which outputs lie; -1: not an operator that is computed on codes. */
static int
output_axis (const PareGraph *graph, const PareNode *node)
{
  if (node->op == NULL || node->n_inputs < 2 || node->n_outputs != 1 || !pare_lower_has_input (node, 0)
      || pare_lower_constant (graph, node, 1) == NULL)
    return -1;
  if (pare_node_is (node, "Conv"))
    return 0;
  gboolean gemm = pare_node_is (node, "Gemm");
  if ((!gemm && !pare_node_is (node, "MatMul")) || graph->values[node->inputs[0]].shape.rank != 2
      || graph->values[node->inputs[1]].shape.rank != 2
      || (gemm && (pare_node_get_float (node, "alpha", 1) != 1 || pare_node_get_float (node, "beta", 1) != 1)))
    return -1;
  return gemm && pare_node_get_int (node, "transB", 0) != 0 ? 0 : 1;
}

static void
consider (PareBuilder *b, PareNodeId id)
{
  const PareGraph *graph = b->graph;
  const PareNode *node = &graph->nodes[id], *after;
  int axis = output_axis (graph, node);
  const PareValue *x = axis >= 0 ? &graph->values[node->inputs[0]] : NULL, *w = axis >= 0 ? &graph->values[node->inputs[1]] : NULL;
  if (x == NULL || x->quant == NULL || x->quant->n != 1 || x->quant->bits > 8 || x->constant != NULL || x->dtype != PARE_DTYPE_FLOAT32
      || w->shape.rank < 2 || (after = quantize_after (b, id)) == NULL)
    return;
  gint64 channels = w->shape.dims[axis];
  g_autoptr (PareTensor) codes = codes_of_constant (w, axis, channels), bias = NULL;
  if (codes == NULL || channels < 1)
    return;
  float sx = x->quant->scale[0], sy = graph->values[after->outputs[0]].quant->scale[0];
  const float *sw = w->quant->scale;
  guint n = w->quant->n;
  if (pare_lower_has_input (node, 2))
    {
      const PareValue *v = &graph->values[node->inputs[2]];
      bias = v->constant != NULL && pare_tensor_count (v->constant) == channels ? codes_of_constant (v, v->shape.rank - 1, channels) : NULL;
      if (bias == NULL || v->quant->bits != 32)
        return;
      for (gint64 c = 0; c < channels; c++) /* its grid must be that of the sums; files round the product of the scales in their own ways */
        {
          double own = v->quant->scale[v->quant->n == 1 ? 0 : c], sums = (double)sx * sw[n == 1 ? 0 : c];
          if (fabs (own - sums) > 1e-5 * sums)
            return;
        }
    }
  if (!sums_are_exact (codes, bias, x->quant, axis, channels))
    return;
  const PareShape *ys = &graph->values[node->outputs[0]].shape;
  PareShape shape = { .rank = ys->rank };
  for (int d = 0; d < shape.rank; d++)
    shape.dims[d] = d == 1 ? channels : 1;
  PareTensor *factor = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  for (gint64 c = 0; c < channels; c++)
    ((float *)factor->data)[c] = sx * sw[n == 1 ? 0 : c] / sy;
  b->integers[id] = (PareInteger){ g_steal_pointer (&codes), g_steal_pointer (&bias), factor };
  b->integer_before[after - graph->nodes] = id;
}

/* The sum of two values on grids, laid on a grid. */
static void
consider_add (PareBuilder *b, PareNodeId id)
{
  const PareGraph *graph = b->graph;
  const PareNode *node = &graph->nodes[id], *after;
  if (node->op == NULL || !pare_node_is (node, "Add") || node->n_inputs != 2 || b->fused_into[id] != PARE_NONE
      || (after = quantize_after (b, id)) == NULL)
    return;
  for (guint i = 0; i < 2; i++)
    {
      const PareValue *v = &graph->values[node->inputs[i]];
      if (v->constant != NULL || v->quant == NULL || v->quant->n != 1 || v->quant->bits > 8 || v->dtype != PARE_DTYPE_FLOAT32
          || !pare_shape_equal (&v->shape, &graph->values[node->outputs[0]].shape))
        return;
    }
  b->add_quantize[id] = (PareNodeId)(after - graph->nodes);
  b->integer_before[after - graph->nodes] = id;
}

void
pare_lower_find_integers (PareBuilder *b)
{
  for (guint i = 0; i < b->graph->n_nodes; i++)
    {
      consider (b, i);
      consider_add (b, i);
    }
}

static guint32
scalar (PareBuilder *b, float value)
{
  PareShape one = pare_shape_make (1, (gint64)1);
  g_autoptr (PareTensor) t = pare_tensor_new (PARE_DTYPE_FLOAT32, &one, NULL);
  *(float *)t->data = value;
  return pare_builder_constant (b, t);
}

static guint32
binary (PareBuilder *b, const PareNode *node, PareBinaryKind kind, guint32 x, guint32 y, guint32 out)
{
  PareBinaryParams p = { kind, PARE_ACT_NONE, -INFINITY, INFINITY };
  guint32 in[2] = { x, y };
  pare_builder_step (b, node, PARE_RT_BINARY, &p, sizeof p, in, 2, &out, 1);
  return out;
}

/* code - zero of what is already code - zero in a wider range and not yet rounded. */
static guint32
round_to_codes (PareBuilder *b, const PareNode *node, const PareQuant *q, guint32 x, const PareShape *shape)
{
  PareFakeQuantParams p = { -1, q->lo, q->hi };
  PareShape one = pare_shape_make (1, (gint64)1);
  g_autoptr (PareTensor) zero = pare_tensor_new (PARE_DTYPE_INT32, &one, NULL);
  *(gint32 *)zero->data = q->zero[0];
  guint32 in[3] = { x, scalar (b, 1), pare_builder_constant (b, zero) }, out = pare_builder_temporary (b, PARE_DTYPE_FLOAT32, shape);
  pare_builder_step (b, node, PARE_RT_FAKE_QUANT, &p, sizeof p, in, 3, &out, 1);
  return out;
}

guint32
pare_lower_codes (PareBuilder *b, const PareNode *node, PareValueId v)
{
  if (b->codes_of[v] != PARE_RT_NONE)
    return b->codes_of[v];
  const PareValue *value = &b->graph->values[v];
  guint32 wide = binary (b, node, PARE_BIN_DIV, pare_builder_value (b, v), scalar (b, value->quant->scale[0]),
                         pare_builder_temporary (b, PARE_DTYPE_FLOAT32, &value->shape));
  return b->codes_of[v] = round_to_codes (b, node, value->quant, wide, &value->shape);
}

gboolean
pare_lower_quantize_on_codes (PareBuilder *b, const PareNode *node)
{
  PareValueId v = node->outputs[0];
  const PareValue *value = &b->graph->values[v];
  const PareQuant *q = value->quant;
  PareNodeId before = b->integer_before[node - b->graph->nodes];
  gboolean as_codes = FALSE, as_floats = b->keep[v];
  if (q == NULL || q->n != 1)
    return FALSE;
  for (guint k = b->consumers->starts[v]; k < b->consumers->starts[v + 1]; k++)
    {
      PareNodeId reader = b->consumers->nodes[k];
      *(b->add_quantize[reader] != PARE_NONE || (b->integers[reader].weights != NULL && b->graph->nodes[reader].inputs[0] == v)
            ? &as_codes
            : &as_floats)
          = TRUE;
    }
  if (before == PARE_NONE && (!as_codes || as_floats))
    return FALSE; /* the usual step; codes follow from its floats where they are asked for */
  guint32 x = pare_builder_value (b, node->inputs[0]);
  guint32 t = before == PARE_NONE || b->integers[before].factor != NULL ? pare_builder_temporary (b, PARE_DTYPE_FLOAT32, &value->shape) : x;
  if (before == PARE_NONE)
    x = binary (b, node, PARE_BIN_DIV, x, scalar (b, q->scale[0]), t);
  else if (b->integers[before].factor != NULL)
    x = binary (b, node, PARE_BIN_MUL, x, pare_builder_constant (b, b->integers[before].factor), t);
  b->codes_of[v] = round_to_codes (b, node, q, x, &value->shape);
  if (as_floats || !as_codes)
    binary (b, node, PARE_BIN_MUL, b->codes_of[v], scalar (b, q->scale[0]), pare_builder_value (b, v));
  return TRUE;
}

static guint32
wide_scalar (PareBuilder *b, double value)
{
  PareShape one = pare_shape_make (1, (gint64)1);
  g_autoptr (PareTensor) t = pare_tensor_new (PARE_DTYPE_FLOAT64, &one, NULL);
  *(double *)t->data = value;
  return pare_builder_constant (b, t);
}

static guint32
cast (PareBuilder *b, const PareNode *node, guint32 x, PareDtype dtype, const PareShape *shape)
{
  guint32 out = pare_builder_temporary (b, dtype, shape);
  pare_builder_step (b, node, PARE_RT_CAST, NULL, 0, &x, 1, &out, 1);
  return out;
}

/* fmaf (code, ratio, plus): product and sum are exact in double, so that the one rounding back to float is that of the fma. offset makes up
 * for the zero point that `codes` lacks; plus: a plan value or PARE_RT_NONE. */
static guint32
fused_multiply_add (PareBuilder *b, const PareNode *node, guint32 codes, double ratio, double offset, guint32 plus, const PareShape *shape)
{
  guint32 x = cast (b, node, codes, PARE_DTYPE_FLOAT64, shape);
  x = binary (b, node, PARE_BIN_MUL, x, wide_scalar (b, ratio), pare_builder_temporary (b, PARE_DTYPE_FLOAT64, shape));
  x = binary (b, node, PARE_BIN_ADD, x, wide_scalar (b, offset), pare_builder_temporary (b, PARE_DTYPE_FLOAT64, shape));
  if (plus != PARE_RT_NONE)
    x = binary (b, node, PARE_BIN_ADD, x, cast (b, node, plus, PARE_DTYPE_FLOAT64, shape),
                pare_builder_temporary (b, PARE_DTYPE_FLOAT64, shape));
  return cast (b, node, x, PARE_DTYPE_FLOAT32, shape);
}

/* The codes of the sum as ONNX Runtime's QLinearAdd takes them: fixed = zy - fma (ra, za, rb * zb); rint (fma (b, rb, fma (a, ra, fixed))),
 * where ra and rb are the scales against the result's. What is written is that less zy. */
gboolean
pare_lower_add_on_codes (PareBuilder *b, const PareNode *node)
{
  const PareGraph *graph = b->graph;
  PareNodeId after = b->add_quantize[node - graph->nodes];
  if (after == PARE_NONE)
    return FALSE;
  const PareQuant *qa = graph->values[node->inputs[0]].quant, *qb = graph->values[node->inputs[1]].quant,
                  *qy = graph->values[graph->nodes[after].outputs[0]].quant;
  const PareShape *shape = &graph->values[node->outputs[0]].shape;
  float ra = qa->scale[0] / qy->scale[0], rb = qb->scale[0] / qy->scale[0], za = (float)qa->zero[0], zb = (float)qb->zero[0],
        zy = (float)qy->zero[0];
  float fixed = zy - fmaf (ra, za, rb * zb);
  guint32 left = pare_lower_codes (b, node, node->inputs[0]), right = pare_lower_codes (b, node, node->inputs[1]);
  guint32 sum = fused_multiply_add (b, node, left, ra, (double)ra * za + fixed, PARE_RT_NONE, shape);
  sum = fused_multiply_add (b, node, right, rb, (double)rb * zb, sum, shape);
  PareUnaryParams p = { PARE_UN_ROUND, 0, 0 };
  guint32 rounded = pare_builder_temporary (b, PARE_DTYPE_FLOAT32, shape);
  pare_builder_step (b, node, PARE_RT_UNARY, &p, sizeof p, &sum, 1, &rounded, 1);
  binary (b, node, PARE_BIN_SUB, rounded, scalar (b, zy), pare_builder_value (b, node->outputs[0]));
  return TRUE;
}
