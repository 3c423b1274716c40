/* Conv, ConvTranspose, Gemm, MatMul and pooling, with what is fused into them. */
#include "engine/lower/pare-lower-private.h"

#include <math.h>
#include <string.h>

static PareNodeId
id_of (const PareBuilder *b, const PareNode *node)
{
  return (PareNodeId)(node - b->graph->nodes);
}

/* bias [m] of the node plus a constant per channel. */
static guint32
bias_value (PareBuilder *b, const PareNode *node, guint input, PareValueId add, gint64 m)
{
  if (add == PARE_NONE)
    return pare_lower_has_input (node, input) ? pare_builder_value (b, node->inputs[input]) : PARE_RT_NONE;
  const PareTensor *more = b->graph->values[add].constant;
  PareTensor *own = pare_lower_constant (b->graph, node, input);
  PareShape shape = pare_shape_make (1, m);
  g_autoptr (PareTensor) sum = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  for (gint64 i = 0; i < m; i++)
    ((float *)sum->data)[i] = ((const float *)more->data)[i] + (own != NULL ? ((const float *)own->data)[i] : 0);
  return pare_builder_constant (b, sum);
}

/* Whether a window of width 1 runs over planes of width 1: a signal that stands upright, as exports from one-dimensional models have it. */
static gboolean
stands_upright (const PareConvParams *p, const PareShape *x, const PareShape *w, const PareShape *y)
{
  return p->spatial == 2 && x->dims[3] == 1 && y->dims[3] == 1 && w->dims[3] == 1 && x->dims[2] > 1 && p->pad_begin[1] == 0
         && p->pad_end[1] == 0;
}

/* The same numbers in the same order: the last two axes exchanged, of which the last is 1. */
static PareShape
lying (const PareShape *shape)
{
  PareShape turned = *shape;
  turned.dims[2] = shape->dims[3];
  turned.dims[3] = shape->dims[2];
  return turned;
}

/* The step of a convolution of upright signals, laid down: kernels run along the last axis. */
static void
lying_step (PareBuilder *b, const PareNode *node, const PareConvParams *upright, const PareShape *x, const PareShape *w, guint32 in[4])
{
  PareConvParams p = *upright;
  gint32 *const each[] = { p.kernel, p.stride, p.dilation, p.pad_begin, p.pad_end };
  for (guint i = 0; i < G_N_ELEMENTS (each); i++)
    {
      gint32 down = each[i][0];
      each[i][0] = each[i][1];
      each[i][1] = down;
    }
  const PareFusion *f = &b->fusions[id_of (b, node)];
  PareValueId y = f->head != PARE_NONE ? f->output : node->outputs[0];
  PareShape xs = lying (x), ws = lying (w), ys = lying (&b->graph->values[y].shape);
  in[0] = pare_builder_view (b, in[0], &xs);
  in[1] = pare_builder_view (b, in[1], &ws);
  in[3] = in[3] == PARE_RT_NONE ? in[3] : pare_builder_view (b, in[3], &ys);
  guint32 out = pare_builder_temporary (b, PARE_DTYPE_FLOAT32, &ys);
  pare_builder_step (b, node, PARE_RT_CONV, &p, sizeof p, in, 4, &out, 1);
  pare_builder_alias_of (b, y, out);
}

gboolean
pare_lower_conv (PareBuilder *b, const PareNode *node, GError **error)
{
  const PareGraph *graph = b->graph;
  const PareFusion *f = &b->fusions[id_of (b, node)];
  gboolean fused = f->head != PARE_NONE;
  PareConvParams p = { .hi = INFINITY, .lo = -INFINITY };
  if (node->n_inputs < 2 || !pare_lower_has_input (node, 0) || !pare_lower_has_input (node, 1))
    return pare_lower_refuse (graph, node, error, "needs an input and weights");
  PareValueId x = fused && f->pad != PARE_NONE ? graph->nodes[f->pad].inputs[0] : node->inputs[0];
  const PareShape *xs = &graph->values[x].shape, *ws = &graph->values[node->inputs[1]].shape, *ys = &graph->values[node->outputs[0]].shape;
  p.spatial = xs->rank - 2;
  if (p.spatial < 1 || p.spatial > 3 || ws->rank != xs->rank || ys->rank != xs->rank)
    return pare_lower_refuse (graph, node, error, "1 to 3 spatial axes are supported");
  gint64 group = pare_node_get_int (node, "group", 1);
  if (group < 1 || group > G_MAXINT32
      || !pare_lower_window (graph, node, p.spatial, &graph->values[node->inputs[0]].shape, ys, ws->dims + 2, p.kernel, p.stride,
                             p.dilation, p.pad_begin, p.pad_end))
    return pare_lower_refuse (graph, node, error, "attributes are out of range");
  p.group = (gint32)group;
  if (fused && f->pad != PARE_NONE)
    {
      gint64 pads[2 * PARE_MAX_RANK];
      guint n;
      pare_lower_ints (graph, &graph->nodes[f->pad], 1, pads, 2 * PARE_MAX_RANK, &n);
      for (int i = 0; i < p.spatial; i++)
        {
          p.pad_begin[i] += (gint32)pads[2 + i];
          p.pad_end[i] += (gint32)pads[xs->rank + 2 + i];
        }
    }
  if (pare_lower_has_input (node, 2) && f->head != PARE_NONE && f->add_bias != PARE_NONE && pare_lower_constant (graph, node, 2) == NULL)
    return pare_lower_refuse (graph, node, error, "a bias that is computed is not supported");
  if (fused)
    {
      p.activation = f->activation;
      p.lo = f->lo;
      p.hi = f->hi;
      p.alpha = f->alpha;
    }
  if (pare_lower_integer_conv (b, node, x, &p))
    return TRUE;
  guint32 w = PARE_RT_NONE;
  if (fused && f->focus != PARE_NONE)
    x = pare_lower_focus (b, node, &p, &w);
  guint32 in[4] = { pare_builder_value (b, x), w != PARE_RT_NONE ? w : pare_builder_value (b, node->inputs[1]),
                    bias_value (b, node, 2, fused ? f->add_bias : PARE_NONE, ws->dims[0]),
                    fused ? pare_builder_value (b, f->residual) : PARE_RT_NONE };
  if (stands_upright (&p, &graph->values[x].shape, ws, ys))
    {
      lying_step (b, node, &p, &graph->values[x].shape, ws, in);
      return TRUE;
    }
  guint32 out = pare_builder_value (b, fused ? f->output : node->outputs[0]);
  pare_builder_step (b, node, PARE_RT_CONV, &p, sizeof p, in, 4, &out, 1);
  return TRUE;
}

gboolean
pare_lower_conv_transpose (PareBuilder *b, const PareNode *node, GError **error)
{
  const PareGraph *graph = b->graph;
  const PareFusion *f = &b->fusions[id_of (b, node)];
  gboolean fused = f->head != PARE_NONE;
  PareConvParams p = { .hi = INFINITY, .lo = -INFINITY };
  if (!pare_lower_has_input (node, 0) || !pare_lower_has_input (node, 1))
    return pare_lower_refuse (graph, node, error, "needs an input and weights");
  const PareShape *xs = &graph->values[node->inputs[0]].shape, *ws = &graph->values[node->inputs[1]].shape,
                  *ys = &graph->values[node->outputs[0]].shape;
  p.spatial = xs->rank - 2;
  gint64 group = pare_node_get_int (node, "group", 1);
  if (p.spatial < 1 || p.spatial > 3 || ws->rank != xs->rank || ys->rank != xs->rank || group < 1 || group > G_MAXINT32
      || !pare_lower_window (graph, node, p.spatial, xs, ys, ws->dims + 2, p.kernel, p.stride, p.dilation, p.pad_begin, p.pad_end))
    return pare_lower_refuse (graph, node, error, "attributes are out of range");
  p.group = (gint32)group;
  /* padding that an output_shape or SAME asks for follows from the extents */
  guint n = 0;
  g_autofree char *automatic = pare_node_dup_string (node, "auto_pad");
  gboolean lower = g_strcmp0 (automatic, "SAME_UPPER") != 0; /* where an output_shape stands alone, too, the odd one comes first */
  if (pare_node_get_ints (node, "output_shape", &n) != NULL || (automatic != NULL && g_str_has_prefix (automatic, "SAME")))
    {
      guint extra_n = 0;
      const gint64 *extra = pare_node_get_ints (node, "output_padding", &extra_n);
      for (int i = 0; i < p.spatial; i++)
        {
          gint64 total = (xs->dims[2 + i] - 1) * p.stride[i] + (extra != NULL && (guint)i < extra_n ? extra[i] : 0)
                         + (gint64)(p.kernel[i] - 1) * p.dilation[i] + 1 - ys->dims[2 + i];
          total = CLAMP (total, 0, G_MAXINT32 / 2);
          p.pad_begin[i] = (gint32)(lower ? total - total / 2 : total / 2);
          p.pad_end[i] = (gint32)(total - p.pad_begin[i]);
        }
    }
  guint32 in[3] = { pare_builder_value (b, node->inputs[0]), pare_builder_value (b, node->inputs[1]),
                    bias_value (b, node, 2, fused ? f->add_bias : PARE_NONE, ys->dims[1]) };
  guint32 out = pare_builder_value (b, fused ? f->output : node->outputs[0]);
  if (fused)
    {
      p.activation = f->activation;
      p.lo = f->lo;
      p.hi = f->hi;
      p.alpha = f->alpha;
    }
  pare_builder_step (b, node, PARE_RT_CONV_TRANSPOSE, &p, sizeof p, in, 3, &out, 1);
  return TRUE;
}

static void
dense_step (PareBuilder *b, const PareNode *node, const PareGemmParams *base, guint32 c)
{
  const PareFusion *f = &b->fusions[id_of (b, node)];
  PareGemmParams p = *base;
  if (f->head != PARE_NONE)
    {
      p.activation = f->activation;
      p.lo = f->lo;
      p.hi = f->hi;
      p.act_alpha = f->alpha;
    }
  if (pare_lower_integer_gemm (b, node, &p))
    return;
  guint32 in[4] = { pare_builder_value (b, node->inputs[0]), pare_builder_value (b, node->inputs[1]), c,
                    f->head != PARE_NONE ? pare_builder_value (b, f->residual) : PARE_RT_NONE };
  guint32 out = pare_builder_value (b, f->head != PARE_NONE ? f->output : node->outputs[0]);
  pare_builder_step (b, node, PARE_RT_GEMM, &p, sizeof p, in, in[3] == PARE_RT_NONE ? 3 : 4, &out, 1);
}

/* A constant added per column, as [n]. */
static guint32
column_bias (PareBuilder *b, PareValueId id, gint64 n)
{
  PareShape shape = pare_shape_make (1, n);
  g_autoptr (PareTensor) flat = pare_tensor_reshape (b->graph->values[id].constant, &shape, NULL);
  return flat != NULL ? pare_builder_constant (b, flat) : PARE_RT_NONE;
}

gboolean
pare_lower_gemm (PareBuilder *b, const PareNode *node, GError **error)
{
  const PareFusion *f = &b->fusions[id_of (b, node)];
  PareGemmParams p = { .trans_a = pare_node_get_int (node, "transA", 0) != 0,
                       .trans_b = pare_node_get_int (node, "transB", 0) != 0,
                       .alpha = pare_node_get_float (node, "alpha", 1),
                       .beta = pare_node_get_float (node, "beta", 1),
                       .lo = -INFINITY,
                       .hi = INFINITY };
  if (!pare_lower_has_input (node, 0) || !pare_lower_has_input (node, 1))
    return pare_lower_refuse (b->graph, node, error, "needs two matrices");
  gboolean own = pare_lower_has_input (node, 2) && b->integers[id_of (b, node)].kind == PARE_INTEGER_NONE;
  guint32 c = own ? pare_builder_value (b, node->inputs[2]) : PARE_RT_NONE;
  if (f->head != PARE_NONE && f->add_bias != PARE_NONE)
    {
      c = column_bias (b, f->add_bias, b->graph->values[node->outputs[0]].shape.dims[1]);
      p.beta = 1;
    }
  dense_step (b, node, &p, c);
  return TRUE;
}

gboolean
pare_lower_matmul (PareBuilder *b, const PareNode *node, GError **error)
{
  const PareGraph *graph = b->graph;
  const PareFusion *f = &b->fusions[id_of (b, node)];
  if (!pare_lower_has_input (node, 0) || !pare_lower_has_input (node, 1))
    return pare_lower_refuse (graph, node, error, "needs two operands");
  const PareShape *as = &graph->values[node->inputs[0]].shape, *bs = &graph->values[node->inputs[1]].shape;
  if (pare_lower_is_dense (graph, node))
    {
      PareGemmParams p = { .alpha = 1, .beta = 1, .lo = -INFINITY, .hi = INFINITY };
      dense_step (b, node, &p, f->head != PARE_NONE && f->add_bias != PARE_NONE ? column_bias (b, f->add_bias, bs->dims[1]) : PARE_RT_NONE);
      return TRUE;
    }
  if (as->rank < 2 || bs->rank < 2)
    return pare_lower_refuse (graph, node, error, "operands of rank 1 are not supported");
  if (pare_lower_integer_gemm (b, node, &(PareGemmParams){ .alpha = 1, .beta = 1, .lo = -INFINITY, .hi = INFINITY }))
    return TRUE;
  guint32 in[2] = { pare_builder_value (b, node->inputs[0]), pare_builder_value (b, node->inputs[1]) },
          out = pare_builder_value (b, node->outputs[0]);
  pare_builder_step (b, node, PARE_RT_MATMUL, NULL, 0, in, 2, &out, 1);
  return TRUE;
}

/* Weights that stay codes. */
gboolean
pare_lower_block_gemm (PareBuilder *b, const PareNode *node, GError **error)
{
  const PareFusion *f = &b->fusions[id_of (b, node)];
  gboolean fused = f->head != PARE_NONE;
  PareBlockGemmParams p = { .bits = (gint32)CLAMP (pare_node_get_int (node, "bits", 4), 0, 8), .lo = -INFINITY, .hi = INFINITY };
  guint32 in[6];
  for (guint i = 0; i < 4; i++)
    in[i] = pare_lower_has_input (node, i) ? pare_builder_value (b, node->inputs[i]) : PARE_RT_NONE;
  if (fused)
    {
      p.activation = f->activation;
      p.lo = f->lo;
      p.hi = f->hi;
      p.act_alpha = f->alpha;
    }
  const PareShape *y = &b->graph->values[node->outputs[0]].shape;
  in[4] = fused && f->add_bias != PARE_NONE ? column_bias (b, f->add_bias, y->dims[y->rank - 1]) : PARE_RT_NONE;
  in[5] = fused ? pare_builder_value (b, f->residual) : PARE_RT_NONE;
  guint32 out = pare_builder_value (b, fused ? f->output : node->outputs[0]);
  pare_builder_step (b, node, PARE_RT_BLOCK_GEMM, &p, sizeof p, in, G_N_ELEMENTS (in), &out, 1);
  return TRUE;
}

gboolean
pare_lower_pool (PareBuilder *b, const PareNode *node, GError **error)
{
  const PareGraph *graph = b->graph;
  ParePoolParams p = { 0 };
  const PareShape *xs = &graph->values[node->inputs[0]].shape, *ys = &graph->values[node->outputs[0]].shape;
  p.spatial = xs->rank - 2;
  if (p.spatial < 1 || p.spatial > 3 || ys->rank != xs->rank
      || !pare_lower_window (graph, node, p.spatial, xs, ys, NULL, p.kernel, p.stride, p.dilation, p.pad_begin, p.pad_end))
    return pare_lower_refuse (graph, node, error, "attributes are out of range");
  if (node->n_outputs > 1 && node->outputs[1] != PARE_NONE)
    return pare_lower_refuse (graph, node, error, "its second output is not supported");
  p.count_include_pad = pare_node_get_int (node, "count_include_pad", 0) != 0;
  guint32 in = pare_builder_value (b, node->inputs[0]), out = pare_builder_value (b, node->outputs[0]);
  pare_builder_step (b, node, pare_node_is (node, "MaxPool") ? PARE_RT_MAX_POOL : PARE_RT_AVG_POOL, &p, sizeof p, &in, 1, &out, 1);
  return TRUE;
}
