/* One node on constants: a plan of one step, run at once. Operators that only look at shapes are answered here. */
#include "engine/lower/pare-lower-private.h"
#include "engine/lower/pare-program.h"

#include <string.h>

static PareTensor *
constant_of_shape (const PareNode *node, PareTensor *extents, GError **error)
{
  PareShape shape = { .rank = (int)pare_tensor_count (extents) };
  const PareAttr *value = pare_node_get_attr (node, "value");
  if (shape.rank > PARE_MAX_RANK)
    return NULL;
  for (int i = 0; i < shape.rank; i++)
    shape.dims[i] = pare_tensor_get_int (extents, i);
  PareTensor *of = value != NULL ? value->tensor : NULL;
  if (pare_shape_count (&shape) < 0 || (of != NULL && pare_tensor_count (of) != 1))
    return NULL;
  PareTensor *t = pare_tensor_new (of != NULL ? of->dtype : PARE_DTYPE_FLOAT32, &shape, error);
  gsize size = of != NULL ? pare_dtype_bits (of->dtype) / 8 : 0;
  for (gint64 i = 0; t != NULL && size > 0 && i < pare_tensor_count (t); i++)
    memcpy ((char *)t->data + (gsize)i * size, of->data, size);
  return t;
}

/* Everything that it makes has no element: nothing was found, and what is done with it is nothing, too. */
static gboolean
nothing_to_do (const PareGraph *graph, const PareNode *node, PareTensor **outputs)
{
  for (guint i = 0; i < node->n_outputs; i++)
    {
      const PareValue *v = node->outputs[i] != PARE_NONE ? &graph->values[node->outputs[i]] : NULL;
      if (v != NULL && (v->dtype == PARE_DTYPE_NONE || pare_shape_count (&v->shape) != 0))
        return FALSE;
    }
  for (guint i = 0; i < node->n_outputs; i++)
    if (node->outputs[i] != PARE_NONE)
      outputs[i] = pare_tensor_new (graph->values[node->outputs[i]].dtype, &graph->values[node->outputs[i]].shape, NULL);
  return TRUE;
}

gboolean
pare_lower_eval_node (const PareGraph *graph, const PareNode *node, PareTensor **inputs, PareTensor **outputs, GError **error)
{
  for (guint i = 0; i < node->n_outputs; i++)
    outputs[i] = NULL;
  if (pare_node_is (node, "Shape") && inputs[0] != NULL)
    {
      int rank = inputs[0]->shape.rank;
      gint64 from = pare_node_get_int (node, "start", 0), to = pare_node_get_int (node, "end", rank);
      from = CLAMP (from < 0 ? from + rank : from, 0, rank);
      to = CLAMP (to < 0 ? to + rank : to, from, rank);
      outputs[0] = pare_tensor_new_i64 ((const gint64 *)inputs[0]->shape.dims + from, (gsize)(to - from));
      return TRUE;
    }
  if (pare_node_is (node, "ConstantOfShape") && inputs[0] != NULL)
    return (outputs[0] = constant_of_shape (node, inputs[0], error)) != NULL;
  if (pare_node_is (node, "Size") && inputs[0] != NULL)
    {
      gint64 n = pare_tensor_count (inputs[0]);
      PareShape scalar = { .rank = 0 };
      outputs[0] = pare_tensor_new (PARE_DTYPE_INT64, &scalar, NULL);
      *(gint64 *)outputs[0]->data = n;
      return TRUE;
    }

  if (pare_node_is_selection (node))
    return pare_lower_select (node, inputs, outputs);
  if (nothing_to_do (graph, node, outputs))
    return TRUE;

  /* a graph of this node alone; values: inputs as constants, then outputs */
  guint n = node->n_inputs + node->n_outputs;
  g_autofree PareValue *values = g_new0 (PareValue, n + 1);
  g_autofree PareValueId *ids = g_new (PareValueId, n + 1);
  g_autofree gboolean *keep = g_new0 (gboolean, n + 1);
  PareNode alone = *node;
  PareGraph small = { .path = graph->path, .nodes = &alone, .n_nodes = 1, .values = values, .n_values = n };
  for (guint i = 0; i < n; i++)
    {
      gboolean input = i < node->n_inputs;
      PareValueId id = input ? node->inputs[i] : node->outputs[i - node->n_inputs];
      ids[i] = id == PARE_NONE || (input && inputs[i] == NULL) ? PARE_NONE : i;
      values[i].producer = input ? PARE_NONE : 0;
      values[i].shape.rank = -1;
      if (ids[i] == PARE_NONE)
        continue;
      values[i] = graph->values[id];
      values[i].constant = input ? inputs[i] : NULL;
      values[i].producer = input ? PARE_NONE : 0;
      if (input)
        {
          values[i].dtype = inputs[i]->dtype;
          values[i].shape = inputs[i]->shape;
        }
      else
        {
          if (values[i].dtype == PARE_DTYPE_NONE || pare_shape_bytes (&values[i].shape, values[i].dtype) < 0)
            return FALSE;
          keep[i] = TRUE;
        }
    }
  alone.inputs = ids;
  alone.outputs = ids + node->n_inputs;
  small.outputs = g_new (PareValueId, node->n_outputs + 1);
  for (guint i = 0; i < node->n_outputs; i++)
    if (alone.outputs[i] != PARE_NONE)
      small.outputs[small.n_outputs++] = alone.outputs[i];
  g_autofree PareValueId *owned = small.outputs;
  g_autoptr (PareBuilder) b = pare_builder_new (&small, keep);
  if (!pare_lower_node (b, 0, error))
    return FALSE;
  PareRtPlan *plan = pare_builder_finish (b, error);
  if (plan == NULL)
    return FALSE;
  PareRtRunner *runner = pare_rt_runner_new (plan, NULL);
  gboolean done = runner != NULL && pare_rt_runner_run (runner, NULL, NULL, NULL, NULL) == PARE_RT_OK;
  for (guint i = 0, k = 0; done && i < node->n_outputs; i++)
    if (alone.outputs[i] != PARE_NONE)
      {
        PareView v = pare_rt_runner_view (runner, plan->outputs[k++]);
        outputs[i] = pare_tensor_new_unset (v.dtype, &v.shape, error);
        if (outputs[i] != NULL && outputs[i]->bytes > 0)
          memcpy (outputs[i]->data, v.data, outputs[i]->bytes);
        done &= outputs[i] != NULL;
      }
  pare_rt_runner_free (runner);
  pare_plan_free (plan);
  return done;
}
