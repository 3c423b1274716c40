/* Sizes to take figures at, for models that leave theirs open: pictures and sequences as they are common, at which the model really runs.
 */
#include "engine/lower/pare-program.h"

/* Tried together, in this order; the first serves most. */
static const gint64 sides[] = { 224, 320, 640, 256, 512, 128, 96, 64, 32 }, lengths[] = { 128, 512, 576, 64, 16000, 32, 16, 1, 1 };

/* The input with every extent said; FALSE: of no kind that is known here. */
static gboolean
guess (const PareValue *v, guint attempt, PareShape *guess)
{
  gboolean real = v->dtype == PARE_DTYPE_FLOAT32 || v->dtype == PARE_DTYPE_FLOAT16 || v->dtype == PARE_DTYPE_UINT8,
           tokens = v->dtype == PARE_DTYPE_INT64 || v->dtype == PARE_DTYPE_INT32;
  *guess = v->shape;
  gint64 *d = guess->dims;
  if (real && v->shape.rank == 4)
    {
      gboolean last = d[3] >= 1 && d[3] <= 4 && (d[1] < 1 || d[1] > 4); /* channels */
      int height = last ? 1 : 2;
      d[last ? 3 : 1] = d[last ? 3 : 1] >= 0 ? d[last ? 3 : 1] : 3;
      for (int i = height; i < height + 2; i++)
        d[i] = d[i] >= 0 ? d[i] : sides[attempt];
    }
  else if ((real || tokens) && v->shape.rank == 2)
    d[1] = d[1] >= 0 ? d[1] : lengths[attempt];
  else
    return FALSE;
  d[0] = d[0] >= 0 ? d[0] : 1;
  return TRUE;
}

static gboolean
runs (const PareGraph *graph)
{
  g_autoptr (PareGraph) canonical = pare_graph_canonicalize (graph, NULL, 0, pare_lower_eval_node, NULL);
  g_autofree char *why_not = canonical != NULL ? pare_lower_why_not (canonical) : NULL;
  gboolean nothing = FALSE;
  for (guint i = 0; canonical != NULL && i < canonical->n_outputs; i++)
    nothing |= pare_shape_count (&canonical->values[canonical->outputs[i]].shape) == 0;
  return canonical != NULL && why_not == NULL && !nothing;
}

gboolean
pare_lower_assume_shapes (PareGraph *graph)
{
  for (guint attempt = 0; attempt < G_N_ELEMENTS (sides); attempt++)
    {
      guint made = 0;
      for (guint i = 0; i < graph->n_inputs; i++)
        {
          PareValue *v = &graph->values[graph->inputs[i]];
          PareShape whole;
          gboolean beyond_batch = FALSE;
          for (int d = 1; d < v->shape.rank; d++)
            beyond_batch |= v->shape.dims[d] < 0;
          if (beyond_batch && guess (v, attempt, &whole))
            {
              v->assumed = whole;
              made++;
            }
        }
      if (made == 0)
        return FALSE;
      if (runs (graph))
        return TRUE;
    }
  for (guint i = 0; i < graph->n_inputs; i++)
    graph->values[graph->inputs[i]].assumed = (PareShape){ 0 };
  return FALSE;
}
