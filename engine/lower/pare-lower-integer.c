/* Steps on codes, and values that change sides between codes and floats. What is computed here is the arithmetic of the exported QDQ graph
 * as the integer kernels of runtimes take it; kernels/integer.h has its one definition. */
#include "engine/lower/pare-lower-private.h"
#include "engine/lower/pare-program.h"

#include <math.h>
#include <string.h>

/* --- constants --- */

guint32
pare_lower_floats_constant (PareBuilder *b, const float *values, gint64 n)
{
  PareShape shape = pare_shape_make (1, n);
  g_autoptr (PareTensor) t = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  memcpy (t->data, values, (gsize)n * sizeof *values);
  return pare_builder_constant (b, t);
}

static PareDtype
code_dtype (const PareQuant *q)
{
  return q->is_signed ? PARE_DTYPE_INT8 : PARE_DTYPE_UINT8;
}

static guint32
zero_constant (PareBuilder *b, const PareQuant *q)
{
  PareShape one = pare_shape_make (1, (gint64)1);
  g_autoptr (PareTensor) t = pare_tensor_new (code_dtype (q), &one, NULL);
  *(guint8 *)t->data = (guint8)q->zero[0];
  return pare_builder_constant (b, t);
}

/* --- products: operands --- */

/* The axis of the weights along which outputs lie; -1: not an operator that is computed on codes. */
static int
output_axis (const PareGraph *graph, const PareNode *node)
{
  if (node->n_inputs < 2 || node->n_outputs != 1 || pare_lower_constant (graph, node, 1) == NULL)
    return -1;
  if (pare_node_is (node, "Conv"))
    return 0;
  gboolean gemm = pare_node_is (node, "Gemm");
  int rank = graph->values[node->inputs[0]].shape.rank;
  if ((!gemm && !pare_node_is (node, "MatMul")) || rank < 2 || (gemm && rank != 2) || graph->values[node->inputs[1]].shape.rank != 2
      || (gemm
          && (pare_node_get_float (node, "alpha", 1) != 1 || pare_node_get_float (node, "beta", 1) != 1
              || pare_node_get_int (node, "transA", 0) != 0)))
    return -1;
  return gemm && pare_node_get_int (node, "transB", 0) != 0 ? 0 : 1;
}

/* (transfer full) (nullable) value / scale of a constant as int32; NULL where it does not lie on a grid of one scale or one per channel. */
static gint32 *
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
  g_autofree gint32 *codes = g_new (gint32, n + 1);
  const float *x = t->data;
  for (gint64 i = 0; i < n; i++)
    {
      double scale = q->scale[q->n == 1 ? 0 : i / inner % channels], code = rint (x[i] / scale);
      if (!(fabs (code) <= G_MAXINT32) || (float)((float)code * (float)scale) != x[i])
        return NULL;
      codes[i] = (gint32)code;
    }
  return g_steal_pointer (&codes);
}

/* Weights in the smallest type that holds them. */
static PareTensor *
pack_weights (const gint32 *codes, const PareShape *shape)
{
  gint64 n = pare_shape_count (shape);
  gint32 lo = 0, hi = 0;
  for (gint64 i = 0; i < n; i++)
    {
      lo = MIN (lo, codes[i]);
      hi = MAX (hi, codes[i]);
    }
  if (lo < -G_MAXINT16 || hi > G_MAXINT16)
    return NULL;
  PareDtype dtype = lo >= -2 && hi <= 1       ? PARE_DTYPE_INT2
                    : lo >= -8 && hi <= 7     ? PARE_DTYPE_INT4
                    : lo >= -128 && hi <= 127 ? PARE_DTYPE_INT8
                                              : PARE_DTYPE_INT16;
  int bits = pare_dtype_bits (dtype), per = bits < 8 ? 8 / bits : 1;
  PareTensor *t = pare_tensor_new (dtype, shape, NULL);
  if (t == NULL)
    return NULL;
  guint8 *bytes = t->data;
  if (bits < 8)
    memset (bytes, 0, t->bytes);
  for (gint64 i = 0; i < n; i++)
    if (dtype == PARE_DTYPE_INT16)
      ((gint16 *)t->data)[i] = (gint16)codes[i];
    else if (bits == 8)
      bytes[i] = (guint8)codes[i];
    else
      bytes[i / per] |= (guint8)((codes[i] & ((1 << bits) - 1)) << (i % per * bits));
  return t;
}

/* No sum can leave int32. */
static gboolean
sums_fit (const gint32 *codes, const PareShape *shape, int axis, const gint32 *bias, const PareQuant *x)
{
  gint64 n = pare_shape_count (shape), inner = 1, channels = shape->dims[axis];
  gint64 most = MAX (abs (x->lo - x->zero[0]), abs (x->hi - x->zero[0]));
  g_autofree gint64 *sums = g_new0 (gint64, channels);
  for (int d = axis + 1; d < shape->rank; d++)
    inner *= shape->dims[d];
  for (gint64 i = 0; i < n; i++)
    sums[i / inner % channels] += ABS ((gint64)codes[i]) * most;
  for (gint64 c = 0; c < channels; c++)
    if (sums[c] + (bias != NULL ? ABS ((gint64)bias[c]) : 0) > G_MAXINT32)
      return FALSE;
  return TRUE;
}

gboolean
pare_lower_integer_operands (PareBuilder *b, PareNodeId id, const PareQuant *x)
{
  const PareGraph *graph = b->graph;
  const PareNode *node = &graph->nodes[id];
  int axis = output_axis (graph, node);
  const PareValue *w = axis >= 0 ? &graph->values[node->inputs[1]] : NULL;
  if (w == NULL || w->quant == NULL || w->quant->bits > 8 || w->shape.rank < 2 || w->shape.dims[axis] < 1)
    return FALSE;
  gint64 channels = w->shape.dims[axis];
  g_autofree gint32 *codes = codes_of_constant (w, axis, channels), *bias = NULL;
  if (codes == NULL)
    return FALSE;
  const float *sw = w->quant->scale;
  guint n = w->quant->n;
  if (pare_lower_has_input (node, 2))
    {
      const PareValue *v = &graph->values[node->inputs[2]];
      bias = v->constant != NULL && pare_tensor_count (v->constant) == channels ? codes_of_constant (v, v->shape.rank - 1, channels) : NULL;
      if (bias == NULL || v->quant->bits != 32)
        return FALSE;
      for (gint64 c = 0; c < channels; c++) /* its grid must be that of the sums; files round the product of the scales in their own ways */
        {
          double own = v->quant->scale[v->quant->n == 1 ? 0 : c], sums = (double)x->scale[0] * sw[n == 1 ? 0 : c];
          if (fabs (own - sums) > 1e-5 * sums)
            return FALSE;
        }
    }
  if (!sums_fit (codes, &w->shape, axis, bias, x))
    return FALSE;
  PareInteger *integer = &b->integers[id];
  g_clear_pointer (&integer->weights, pare_tensor_unref);
  g_clear_pointer (&integer->bias, pare_tensor_unref);
  integer->weights = pack_weights (codes, &w->shape);
  integer->channels = channels;
  if (bias != NULL)
    {
      PareShape shape = pare_shape_make (1, channels);
      integer->bias = pare_tensor_new (PARE_DTYPE_INT32, &shape, NULL);
      memcpy (integer->bias->data, bias, (gsize)channels * sizeof *bias);
    }
  return integer->weights != NULL;
}

/* --- sides --- */

static guint32
lay_step (PareBuilder *b, const PareNode *node, const PareQuant *q, guint32 x, guint32 out)
{
  PareQuantizeParams p = { -1, 0, q->lo, q->hi };
  guint32 in[3] = { x, pare_lower_floats_constant (b, q->scale, 1), zero_constant (b, q) };
  pare_builder_step (b, node, PARE_RT_QUANTIZE_LINEAR, &p, sizeof p, in, 3, &out, 1);
  return out;
}

guint32
pare_lower_codes (PareBuilder *b, PareValueId v)
{
  const PareValue *value = &b->graph->values[v];
  if (b->codes_of[v] != PARE_RT_NONE)
    return b->codes_of[v];
  const PareNode *node = value->producer != PARE_NONE ? &b->graph->nodes[value->producer] : NULL;
  b->codes_of[v] = pare_builder_temporary (b, code_dtype (b->grid[v]), &value->shape);
  if (!b->on_codes[v]) /* there in float */
    lay_step (b, node, b->grid[v], pare_builder_value (b, v), b->codes_of[v]);
  return b->codes_of[v];
}

void
pare_lower_floats (PareBuilder *b, PareValueId v, guint32 out)
{
  const PareQuant *q = b->grid[v];
  const PareValue *value = &b->graph->values[v];
  PareQuantizeParams p = { -1, 0, 0, 0 };
  guint32 in[3] = { b->codes_of[v], pare_lower_floats_constant (b, q->scale, 1), zero_constant (b, q) };
  pare_builder_step (b, value->producer != PARE_NONE ? &b->graph->nodes[value->producer] : NULL, PARE_RT_DEQUANTIZE_LINEAR, &p, sizeof p,
                     in, 3, &out, 1);
}

guint32
pare_lower_zero (PareBuilder *b, PareValueId v)
{
  return zero_constant (b, b->grid[v]);
}

/* --- steps --- */

static PareNodeId
id_of (const PareBuilder *b, const PareNode *node)
{
  return (PareNodeId)(node - b->graph->nodes);
}

/* The value that a step writes: codes of what is rounded with it, else floats. */
static guint32
result_of (PareBuilder *b, PareNodeId id)
{
  const PareInteger *integer = &b->integers[id];
  const PareFusion *f = &b->fusions[id];
  if (integer->rounds != PARE_NONE)
    return pare_lower_codes (b, b->graph->nodes[integer->rounds].outputs[0]);
  return pare_builder_value (b, f->head != PARE_NONE ? f->output : b->graph->nodes[id].outputs[0]);
}

static gint32
bound (float x, const PareQuant *q)
{
  return (gint32)CLAMP (rintf (x / q->scale[0] + (float)q->zero[0]), (float)q->lo, (float)q->hi);
}

/* The codes that may be written, where a clip in front of the rounding is a bound on them. */
static void
bounds_of (const PareBuilder *b, PareNodeId id, const PareQuant *y, gint32 *lo, gint32 *hi)
{
  const PareFusion *f = &b->fusions[id];
  *lo = y->lo;
  *hi = y->hi;
  if (f->head == PARE_NONE || f->activation != PARE_ACT_CLIP)
    return;
  *lo = isinf (f->lo) ? *lo : bound (f->lo, y);
  *hi = isinf (f->hi) ? *hi : MAX (bound (f->hi, y), *lo);
}

static const PareQuant *
result_grid (const PareBuilder *b, PareNodeId id)
{
  PareNodeId rounds = b->integers[id].rounds;
  return rounds != PARE_NONE ? b->grid[b->graph->nodes[rounds].outputs[0]] : NULL;
}

static guint32
scales (PareBuilder *b, PareNodeId id, const PareQuant *x, const PareQuant *y)
{
  const PareQuant *w = b->graph->values[b->graph->nodes[id].inputs[1]].quant;
  gint64 n = b->integers[id].channels;
  g_autofree float *factor = g_new (float, n);
  for (gint64 c = 0; c < n; c++)
    {
      factor[c] = x->scale[0] * w->scale[w->n == 1 ? 0 : c];
      if (y != NULL)
        factor[c] = factor[c] / y->scale[0];
    }
  return pare_lower_floats_constant (b, factor, n);
}

/* What a batch normalization behind the product (of reals, or of codes less their zero point) does to each channel, over the scale of the
 * result; as its kernel has it. */
static void
affine (PareBuilder *b, PareNodeId id, const PareQuant *x, const PareQuant *y, guint32 *factor, guint32 *offset)
{
  const PareNode *norm = &b->graph->nodes[b->integers[id].normalizes];
  const float *operands[4], epsilon = pare_node_get_float (norm, "epsilon", 1e-5f);
  gint64 n = b->integers[id].channels;
  g_autofree float *times = g_new (float, n), *plus = g_new (float, n);
  for (guint i = 0; i < 4; i++)
    operands[i] = pare_lower_constant (b->graph, norm, i + 1)->data;
  for (gint64 c = 0; c < n; c++)
    {
      float a = operands[0][c] / sqrtf (operands[3][c] + epsilon);
      times[c] = (x != NULL ? a * x->scale[0] : a) / y->scale[0];
      plus[c] = (operands[1][c] - operands[2][c] * a) / y->scale[0];
    }
  *factor = pare_lower_floats_constant (b, times, n);
  *offset = pare_lower_floats_constant (b, plus, n);
}

gboolean
pare_lower_integer_conv (PareBuilder *b, const PareNode *node, PareValueId x, const PareConvParams *conv)
{
  PareNodeId id = id_of (b, node);
  const PareInteger *integer = &b->integers[id];
  if (integer->kind != PARE_INTEGER_PRODUCT)
    return FALSE;
  const PareQuant *qx = b->grid[x], *qy = result_grid (b, id);
  PareQConvParams p = { .conv = *conv, .zero_x = qx->zero[0] };
  gboolean normalizes = integer->normalizes != PARE_NONE;
  const PareQuant *between = integer->between != PARE_NONE ? b->grid[b->graph->nodes[integer->between].outputs[0]] : NULL;
  if (qy != NULL)
    {
      p.zero_y = qy->zero[0];
      p.lo = qy->lo;
      p.hi = qy->hi;
      if (!normalizes)
        {
          p.conv.activation = PARE_ACT_NONE;
          bounds_of (b, id, qy, &p.lo, &p.hi);
        }
    }
  if (between != NULL)
    {
      gint32 lo, hi;
      bounds_of (b, id, between, &lo, &hi);
      p.conv.activation = PARE_ACT_CLIP;
      p.conv.lo = (float)(lo - between->zero[0]);
      p.conv.hi = (float)(hi - between->zero[0]);
      p.rounds = 1;
    }
  guint32 in[6]
      = { pare_lower_codes (b, x), pare_builder_constant (b, integer->weights),
          integer->bias != NULL ? pare_builder_constant (b, integer->bias) : PARE_RT_NONE, scales (b, id, qx, normalizes ? between : qy) };
  if (normalizes)
    affine (b, id, between, qy, &in[4], &in[5]);
  guint32 out = result_of (b, id);
  pare_builder_step (b, node, PARE_RT_QCONV, &p, sizeof p, in, normalizes ? 6 : 4, &out, 1);
  return TRUE;
}

gboolean
pare_lower_integer_gemm (PareBuilder *b, const PareNode *node, const PareGemmParams *gemm)
{
  PareNodeId id = id_of (b, node);
  const PareInteger *integer = &b->integers[id];
  if (integer->kind != PARE_INTEGER_PRODUCT)
    return FALSE;
  PareValueId x = node->inputs[0];
  const PareQuant *qx = b->grid[x], *qy = result_grid (b, id);
  PareQGemmParams p = { .gemm = *gemm, .zero_x = qx->zero[0] };
  p.gemm.alpha = p.gemm.beta = 1;
  if (qy != NULL)
    {
      p.gemm.activation = PARE_ACT_NONE;
      p.zero_y = qy->zero[0];
      bounds_of (b, id, qy, &p.lo, &p.hi);
    }
  guint32 in[4] = { pare_lower_codes (b, x), pare_builder_constant (b, integer->weights),
                    integer->bias != NULL ? pare_builder_constant (b, integer->bias) : PARE_RT_NONE, scales (b, id, qx, qy) };
  guint32 out = result_of (b, id);
  pare_builder_step (b, node, PARE_RT_QGEMM, &p, sizeof p, in, 4, &out, 1);
  return TRUE;
}

static void
add_step (PareBuilder *b, const PareNode *node)
{
  PareNodeId id = id_of (b, node);
  const PareQuant *qa = b->grid[node->inputs[0]], *qb = b->grid[node->inputs[1]], *qy = result_grid (b, id);
  PareQAddParams p = { .ratio_a = qa->scale[0] / qy->scale[0], .ratio_b = qb->scale[0] / qy->scale[0] };
  p.fixed = (float)qy->zero[0] - fmaf (p.ratio_a, (float)qa->zero[0], p.ratio_b * (float)qb->zero[0]);
  bounds_of (b, id, qy, &p.lo, &p.hi);
  guint32 in[2] = { pare_lower_codes (b, node->inputs[0]), pare_lower_codes (b, node->inputs[1]) }, out = result_of (b, id);
  pare_builder_step (b, node, PARE_RT_QADD, &p, sizeof p, in, 2, &out, 1);
}

static gboolean
average_step (PareBuilder *b, const PareNode *node)
{
  PareNodeId id = id_of (b, node);
  const PareQuant *qx = b->grid[node->inputs[0]], *qy = result_grid (b, id);
  PareQAvgPoolParams p
      = { .scale_x = qx->scale[0], .scale_y = qy->scale[0], .zero_x = qx->zero[0], .zero_y = qy->zero[0], .lo = qy->lo, .hi = qy->hi };
  const PareShape *xs = &b->graph->values[node->inputs[0]].shape, *ys = &b->graph->values[node->outputs[0]].shape;
  p.pool.spatial = xs->rank - 2;
  if (pare_node_is (node, "GlobalAveragePool"))
    for (int i = 0; i < p.pool.spatial; i++)
      {
        p.pool.kernel[i] = (gint32)MIN (xs->dims[2 + i], G_MAXINT32);
        p.pool.stride[i] = p.pool.dilation[i] = 1;
      }
  else if (!pare_lower_window (b->graph, node, p.pool.spatial, xs, ys, NULL, p.pool.kernel, p.pool.stride, p.pool.dilation,
                               p.pool.pad_begin, p.pool.pad_end))
    return FALSE;
  p.pool.count_include_pad = pare_node_get_int (node, "count_include_pad", 0) != 0;
  p.floats = !pare_node_is (node, "GlobalAveragePool");
  guint32 in = pare_lower_codes (b, node->inputs[0]), out = result_of (b, id);
  pare_builder_step (b, node, PARE_RT_QAVG_POOL, &p, sizeof p, &in, 1, &out, 1);
  return TRUE;
}

static void
table_step (PareBuilder *b, const PareNode *node, guint32 x, guint32 codes, guint32 out)
{
  guint32 in[2] = { x, codes };
  pare_builder_step (b, node, PARE_RT_LUT, NULL, 0, in, 2, &out, 1);
}

/* PareQuantize of what is on codes already, or is wanted so. */
static void
lay (PareBuilder *b, const PareNode *node)
{
  PareValueId x = node->inputs[0], y = node->outputs[0];
  if (!b->on_codes[x])
    lay_step (b, node, b->grid[y], pare_builder_value (b, x), pare_lower_codes (b, y));
  else if (pare_lower_same_grid (b->grid[x], b->grid[y]))
    b->codes_of[y] = pare_builder_view (b, pare_lower_codes (b, x), &b->graph->values[y].shape);
  else
    table_step (b, node, pare_lower_codes (b, x), pare_lower_table (b, x, x, b->grid[y]), pare_lower_codes (b, y));
}

static gboolean
concat_steps (PareBuilder *b, const PareNode *node, GError **error)
{
  PareNodeId id = id_of (b, node);
  const PareQuant *qy = result_grid (b, id);
  g_autofree guint32 *in = g_new (guint32, node->n_inputs);
  for (guint i = 0; i < node->n_inputs; i++)
    {
      PareValueId x = node->inputs[i];
      in[i] = pare_lower_codes (b, x);
      if (pare_lower_same_grid (b->grid[x], qy))
        continue;
      guint32 laid = pare_builder_temporary (b, code_dtype (qy), &b->graph->values[x].shape);
      table_step (b, node, in[i], pare_lower_table (b, x, x, qy), laid);
      in[i] = laid;
    }
  return pare_lower_concat_of (b, node, in, result_of (b, id), error);
}

gboolean
pare_lower_integer_node (PareBuilder *b, const PareNode *node, gboolean *done, GError **error)
{
  PareNodeId id = id_of (b, node);
  *done = TRUE;
  switch (b->integers[id].kind)
    {
    case PARE_INTEGER_ADD:
      add_step (b, node);
      return TRUE;
    case PARE_INTEGER_AVERAGE:
      return average_step (b, node) || pare_lower_refuse (b->graph, node, error, "attributes are out of range");
    case PARE_INTEGER_TABLE:
      {
        PareValueId x = b->integers[id].source;
        guint32 codes = pare_lower_table (b, x, b->graph->nodes[b->integers[id].rounds].inputs[0], result_grid (b, id));
        if (codes == PARE_RT_NONE)
          return pare_lower_refuse (b->graph, node, error, "it cannot be computed for every code");
        table_step (b, node, pare_lower_codes (b, x), codes, result_of (b, id));
        return TRUE;
      }
    case PARE_INTEGER_ATTENTION:
      pare_lower_code_attention (b, id, result_grid (b, id), result_of (b, id));
      return TRUE;
    case PARE_INTEGER_CONCAT:
      return concat_steps (b, node, error);
    case PARE_INTEGER_LAY:
      lay (b, node);
      return TRUE;
    case PARE_INTEGER_READ:
      b->codes_of[node->outputs[0]] = pare_builder_value (b, node->inputs[0]);
      return TRUE;
    default:
      *done = b->rounded[id]; /* part of the step in front of it */
      return TRUE;
    }
}
