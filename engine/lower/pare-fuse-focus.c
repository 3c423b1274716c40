/* Convolutions of an image whose pixels were dealt out to channels first, by strided slices that are joined (a "focus" layer, space to
 * depth): the same products as those of one convolution over the image itself, whose windows and steps are that many times larger. */
#include "engine/lower/pare-lower-private.h"

#include <string.h>

#define MOST_STEP 4
#define MOST_DEPTH 4 /* slices of slices */

/* What a value is of the image: every step'th row and column from these on. */
typedef struct
{
  PareValueId source;
  gint64 start[2], step[2];
  PareNodeId nodes[MOST_DEPTH];
  guint n_nodes;
} Dealt;

static gboolean
trace (const PareGraph *graph, PareValueId v, Dealt *d)
{
  *d = (Dealt){ .source = v, .step = { 1, 1 } };
  for (; d->n_nodes < MOST_DEPTH; d->n_nodes++)
    {
      PareNodeId id = graph->values[d->source].producer;
      PareSliceParams p;
      if (id == PARE_NONE || !pare_node_is (&graph->nodes[id], "Slice") || graph->values[d->source].quant != NULL)
        break;
      const PareNode *node = &graph->nodes[id];
      const PareShape *xs = &graph->values[node->inputs[0]].shape, *ys = &graph->values[node->outputs[0]].shape;
      if (xs->rank != 4 || !pare_lower_slice_params (graph, node, &p) || ys->dims[0] != xs->dims[0] || ys->dims[1] != xs->dims[1])
        return FALSE;
      for (int i = 0; i < 2; i++)
        {
          if (p.step[i] != 1 || p.step[i + 2] < 1 || xs->dims[i + 2] != ys->dims[i + 2] * p.step[i + 2] || p.start[i + 2] >= p.step[i + 2])
            return FALSE;
          d->start[i] = p.start[i + 2] + d->start[i] * p.step[i + 2];
          d->step[i] *= p.step[i + 2];
        }
      d->nodes[d->n_nodes] = id;
      d->source = node->inputs[0];
    }
  return d->n_nodes > 0;
}

/* The slices of a Concat are all that the image has, in any order, each once: their step; 0: they are not. */
static int
dealt_by (const PareGraph *graph, const PareNode *concat, Dealt *all)
{
  guint seen = 0;
  const PareShape *ys = &graph->values[concat->outputs[0]].shape;
  if (ys->rank != 4 || pare_lower_axis (pare_node_get_int (concat, "axis", 0), 4) != 1 || concat->n_inputs > MOST_STEP * MOST_STEP)
    return 0;
  for (guint i = 0; i < concat->n_inputs; i++)
    {
      if (concat->inputs[i] == PARE_NONE || !trace (graph, concat->inputs[i], &all[i]) || all[i].source != all[0].source
          || all[i].step[0] != all[0].step[0] || all[i].step[1] != all[0].step[0])
        return 0;
      seen |= 1u << (all[i].start[0] * all[0].step[0] + all[i].start[1]) % 32;
    }
  gint64 step = all[0].step[0], n = step * step;
  return step > 1 && step <= MOST_STEP && concat->n_inputs == n && seen == (1u << n) - 1 ? (int)step : 0;
}

void
pare_lower_find_focus (PareBuilder *b)
{
  const PareGraph *graph = b->graph;
  for (guint i = 0; i < graph->n_nodes; i++)
    {
      const PareNode *conv = &graph->nodes[i];
      PareFusion *f = &b->fusions[i];
      Dealt all[MOST_STEP * MOST_STEP];
      if (conv->op == NULL || !pare_node_is (conv, "Conv") || f->head != i || f->pad != PARE_NONE
          || b->integers[i].kind != PARE_INTEGER_NONE || !pare_lower_has_input (conv, 0) || pare_node_get_int (conv, "group", 1) != 1)
        continue;
      PareNodeId join = graph->values[conv->inputs[0]].producer;
      PareTensor *weights = pare_lower_constant (graph, conv, 1);
      int step = join != PARE_NONE && pare_node_is (&graph->nodes[join], "Concat") ? dealt_by (graph, &graph->nodes[join], all) : 0;
      if (step == 0 || weights == NULL || weights->dtype != PARE_DTYPE_FLOAT32 || weights->shape.rank != 4
          || pare_lower_only_reader (b, conv->inputs[0]) != i)
        continue;
      PareNodeId nodes[MOST_STEP * MOST_STEP * MOST_DEPTH + 1];
      guint n = 0;
      for (guint k = 0; k < graph->nodes[join].n_inputs; k++)
        for (guint s = 0; s < all[k].n_nodes; s++)
          {
            guint at = 0;
            while (at < n && nodes[at] != all[k].nodes[s])
              at++;
            if (at == n)
              nodes[n++] = all[k].nodes[s];
          }
      nodes[n++] = join;
      if (!pare_lower_is_closed (b, nodes, n, join))
        continue;
      for (guint k = 0; k < n; k++)
        b->fused_into[nodes[k]] = i;
      f->focus = join;
    }
}

PareValueId
pare_lower_focus (PareBuilder *b, const PareNode *conv, PareConvParams *p, guint32 *weights)
{
  const PareGraph *graph = b->graph;
  const PareNode *join = &graph->nodes[graph->values[conv->inputs[0]].producer];
  Dealt all[MOST_STEP * MOST_STEP];
  int step = dealt_by (graph, join, all);
  const PareTensor *w = pare_lower_constant (graph, conv, 1);
  const gint64 *d = w->shape.dims;
  gint64 channels = d[1] / step / step;
  PareShape shape = pare_shape_make (4, d[0], channels, d[2] * step, d[3] * step);
  g_autoptr (PareTensor) dealt = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  const float *from = w->data;
  for (gint64 m = 0; m < d[0]; m++)
    for (gint64 c = 0; c < d[1]; c++)
      for (gint64 y = 0; y < d[2]; y++)
        for (gint64 x = 0; x < d[3]; x++)
          {
            const Dealt *of = &all[c / channels];
            gint64 row = y * step + of->start[0], column = x * step + of->start[1];
            ((float *)dealt->data)[((m * channels + c % channels) * d[2] * step + row) * d[3] * step + column] = *from++;
          }
  *weights = pare_builder_constant (b, dealt);
  for (int i = 0; i < 2; i++)
    {
      p->kernel[i] *= step;
      p->stride[i] *= step;
      p->pad_begin[i] *= step;
      p->pad_end[i] *= step;
    }
  return all[0].source;
}
