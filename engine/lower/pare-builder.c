#include "engine/lower/pare-lower-private.h"
#include "engine/base/pare-error.h"

#include <stdlib.h>
#include <string.h>

PareBuilder *
pare_builder_new (const PareGraph *graph, const gboolean *keep)
{
  PareBuilder *b = g_new0 (PareBuilder, 1);
  b->graph = graph;
  b->values = g_array_new (FALSE, TRUE, sizeof (PareRtValue));
  b->steps = g_array_new (FALSE, TRUE, sizeof (PareRtStep));
  b->first_step = g_new0 (guint, graph->n_nodes + 1);
  b->end_step = g_new0 (guint, graph->n_nodes + 1);
  b->params = g_byte_array_new ();
  b->constants = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_tensor_unref);
  b->value_of = g_new (guint32, graph->n_values + 1);
  memset (b->value_of, 0xff, (graph->n_values + 1) * sizeof *b->value_of);
  b->keep = g_memdup2 (keep, (graph->n_values + 1) * sizeof *keep);
  b->consumers = pare_graph_consumers (graph);
  b->fusions = g_new0 (PareFusion, graph->n_nodes + 1);
  b->fused_into = g_new (PareNodeId, graph->n_nodes + 1);
  for (guint i = 0; i < graph->n_nodes; i++)
    {
      b->fusions[i].head = PARE_NONE;
      b->fused_into[i] = PARE_NONE;
    }
  b->integers = g_new0 (PareInteger, graph->n_nodes + 1);
  for (guint i = 0; i < graph->n_nodes; i++)
    b->integers[i].rounds = b->integers[i].between = b->integers[i].normalizes = PARE_NONE;
  b->rounded = g_new0 (gboolean, graph->n_nodes + 1);
  b->grid = g_new0 (const PareQuant *, graph->n_values + 1);
  b->on_codes = g_new0 (gboolean, graph->n_values + 1);
  b->codes_of = g_memdup2 (b->value_of, (graph->n_values + 1) * sizeof *b->value_of);
  return b;
}

void
pare_builder_free (PareBuilder *b)
{
  g_array_unref (b->values);
  g_array_unref (b->steps);
  g_free (b->first_step);
  g_free (b->end_step);
  g_byte_array_unref (b->params);
  g_clear_pointer (&b->constants, g_ptr_array_unref);
  g_free (b->value_of);
  g_free (b->keep);
  pare_consumers_free (b->consumers);
  g_free (b->fusions);
  g_free (b->fused_into);
  g_clear_pointer (&b->units, g_hash_table_unref);
  for (guint i = 0; i < b->graph->n_nodes; i++)
    {
      g_clear_pointer (&b->integers[i].weights, pare_tensor_unref);
      g_clear_pointer (&b->integers[i].bias, pare_tensor_unref);
    }
  g_free (b->integers);
  g_free (b->rounded);
  g_free (b->grid);
  g_free (b->on_codes);
  g_free (b->codes_of);
  g_free (b);
}

gboolean
pare_lower_refuse (const PareGraph *graph, const PareNode *node, GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *reason = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "%s: node '%s' (%s): %s", graph->path != NULL ? graph->path : "model",
               node->layer != NULL ? node->layer : node->name, node->op, reason);
  return FALSE;
}

static guint32
add_value (PareBuilder *b, PareDtype dtype, const PareShape *shape, PareRtKind kind, guint32 source)
{
  PareRtValue v = { .dtype = dtype, .shape = *shape, .kind = kind, .alias_of = PARE_RT_NONE, .source_value = source };
  v.bytes = (guint64)MAX (pare_shape_bytes (shape, dtype), 0);
  g_array_append_val (b->values, v);
  return b->values->len - 1;
}

guint32
pare_builder_constant (PareBuilder *b, PareTensor *tensor)
{
  guint32 id = add_value (b, tensor->dtype, &tensor->shape, PARE_RT_CONSTANT, PARE_RT_NONE);
  g_array_index (b->values, PareRtValue, id).offset = b->constants_bytes;
  b->constants_bytes += (tensor->bytes + 63) / 64 * 64;
  g_ptr_array_add (b->constants, pare_tensor_ref (tensor));
  return id;
}

guint32
pare_builder_temporary (PareBuilder *b, PareDtype dtype, const PareShape *shape)
{
  return add_value (b, dtype, shape, PARE_RT_ARENA, PARE_RT_NONE);
}

guint32
pare_builder_value (PareBuilder *b, PareValueId id)
{
  if (id == PARE_NONE)
    return PARE_RT_NONE;
  if (b->moving && b->on_codes[id])
    return pare_lower_codes (b, id);
  if (b->value_of[id] != PARE_RT_NONE)
    return b->value_of[id];
  const PareValue *v = &b->graph->values[id];
  guint32 made;
  if (v->constant != NULL)
    {
      made = pare_builder_constant (b, v->constant);
      g_array_index (b->values, PareRtValue, made).source_value = id;
    }
  else
    {
      gboolean input = FALSE;
      for (guint i = 0; i < b->graph->n_inputs; i++)
        input |= b->graph->inputs[i] == id;
      made = add_value (b, v->dtype, &v->shape, input ? PARE_RT_INPUT : PARE_RT_ARENA, id);
    }
  g_array_index (b->values, PareRtValue, made).keep = b->keep[id];
  b->value_of[id] = made;
  if (b->on_codes[id]) /* asked for in float: laid out once, where it is first read */
    pare_lower_floats (b, id, made);
  return made;
}

guint32
pare_builder_view (PareBuilder *b, guint32 of, const PareShape *shape)
{
  const PareRtValue *value = &g_array_index (b->values, PareRtValue, of);
  guint32 base = value->kind == PARE_RT_ALIAS ? value->alias_of : of,
          made = add_value (b, value->dtype, shape, PARE_RT_ALIAS, PARE_RT_NONE);
  g_array_index (b->values, PareRtValue, made).alias_of = base;
  return made;
}

void
pare_builder_alias (PareBuilder *b, PareValueId id, PareValueId of)
{
  if (b->moving && b->on_codes[of])
    {
      b->codes_of[id] = pare_builder_view (b, pare_lower_codes (b, of), &b->graph->values[id].shape);
      return;
    }
  pare_builder_alias_of (b, id, pare_builder_value (b, of));
}

void
pare_builder_alias_of (PareBuilder *b, PareValueId id, guint32 base)
{
  if (g_array_index (b->values, PareRtValue, base).kind == PARE_RT_ALIAS)
    base = g_array_index (b->values, PareRtValue, base).alias_of;
  guint32 made = add_value (b, b->graph->values[id].dtype, &b->graph->values[id].shape, PARE_RT_ALIAS, id);
  g_array_index (b->values, PareRtValue, made).alias_of = base;
  g_array_index (b->values, PareRtValue, made).keep = b->keep[id];
  b->value_of[id] = made;
}

void
pare_builder_step (PareBuilder *b, const PareNode *node, PareRtOp op, const void *params, gsize params_bytes, const guint32 *in, guint n_in,
                   const guint32 *out, guint n_out)
{
  PareRtStep s = { .op = op, .n_in = n_in, .n_out = n_out, .params = b->params->len, .params_bytes = (uint32_t)params_bytes };
  g_return_if_fail (n_in <= PARE_RT_MAX_IN && n_out <= PARE_RT_MAX_OUT);
  s.layer = node != NULL ? node->origin : PARE_RT_NONE;
  memcpy (s.in, in, n_in * sizeof *in);
  memcpy (s.out, out, n_out * sizeof *out);
  g_byte_array_append (b->params, params, (guint)params_bytes);
  static const guint8 zeros[16] = { 0 };
  g_byte_array_append (b->params, zeros, (16 - b->params->len % 16) % 16);
  g_array_append_val (b->steps, s);
}

static guint32
base_of (const PareBuilder *b, guint32 v)
{
  const PareRtValue *value = &g_array_index (b->values, PareRtValue, v);
  return value->kind == PARE_RT_ALIAS ? value->alias_of : v;
}

static void
plan_memory (PareBuilder *b, PareRtPlan *plan)
{
  guint n = b->values->len;
  g_autofree guint32 *first = g_new (guint32, n + 1), *last = g_new0 (guint32, n + 1), *ids = g_new (guint32, n + 1);
  g_autofree guint64 *bytes = g_new (guint64, n + 1), *offsets = g_new (guint64, n + 1);
  memset (first, 0xff, (n + 1) * sizeof *first);
  for (guint s = 0; s < b->steps->len; s++)
    {
      const PareRtStep *step = &g_array_index (b->steps, PareRtStep, s);
      for (guint i = 0; i < step->n_in + step->n_out; i++)
        {
          guint32 v = i < step->n_in ? step->in[i] : step->out[i - step->n_in];
          if (v == PARE_RT_NONE)
            continue;
          v = base_of (b, v);
          first[v] = MIN (first[v], s);
          last[v] = MAX (last[v], s);
        }
    }
  for (guint i = 0; i < n; i++)
    if (g_array_index (b->values, PareRtValue, i).keep)
      last[base_of (b, i)] = b->steps->len;
  guint count = 0;
  for (guint i = 0; i < n; i++)
    {
      const PareRtValue *v = &g_array_index (b->values, PareRtValue, i);
      if (v->kind != PARE_RT_ARENA)
        continue;
      ids[count] = i;
      bytes[count] = v->bytes;
      first[count] = first[i] == PARE_RT_NONE ? 0 : first[i]; /* count <= i: nothing that is still needed is overwritten */
      last[count] = last[i];
      plan->sum_bytes += v->bytes;
      count++;
    }
  plan->arena_bytes = pare_rt_pack_arena (count, bytes, first, last, offsets);
  for (guint i = 0; i < count; i++)
    g_array_index (b->values, PareRtValue, ids[i]).offset = offsets[i];
}

/* Kernels may read up to one cache line past the end of what they are given, and read in lines: small constants of a mapped file are
 * copied, large ones stay there. */
#define STAYS_MAPPED (64 << 10)

static gboolean
may_stay (const PareTensor *t)
{
  if (t->owner == NULL || pare_dtype_bits (t->dtype) == 0) /* texts: nothing runs on them */
    return TRUE;
  gsize size;
  const guint8 *base = g_bytes_get_data (t->owner, &size), *data = t->data;
  return t->bytes >= STAYS_MAPPED && data >= base && size - (gsize)(data - base) - t->bytes >= 64;
}

/* Where each constant lies. FALSE: no memory. */
static gboolean
place_constants (PareBuilder *b, PareRtPlan *plan)
{
  const guint8 **external = g_new0 (const guint8 *, b->values->len + 1);
  plan->external = external;
  for (guint i = 0, k = 0; i < b->values->len; i++)
    {
      if (g_array_index (b->values, PareRtValue, i).kind != PARE_RT_CONSTANT)
        continue;
      PareTensor *t = g_ptr_array_index (b->constants, k);
      if (!may_stay (t))
        {
          t = pare_tensor_copy (t);
          if (t == NULL)
            return FALSE;
          pare_tensor_unref (g_ptr_array_index (b->constants, k));
          g_ptr_array_index (b->constants, k) = t;
        }
      external[i] = t->data;
      k++;
    }
  return TRUE;
}

/* A step that its kernel does not take, told as the node it stands for and what that reads. */
static void
refuse_step (const PareGraph *graph, const PareRtPlan *plan, guint step, const char *why, GError **error)
{
  const PareRtStep *s = &plan->steps[step];
  const char *layer = "?", *op = pare_rt_op_name (s->op);
  for (guint k = 0; k < graph->n_nodes; k++)
    if (graph->nodes[k].op != NULL && graph->nodes[k].origin == s->layer && graph->nodes[k].layer != NULL)
      {
        layer = graph->nodes[k].layer;
        op = graph->nodes[k].op;
        break;
      }
  g_autoptr (GString) operands = g_string_new (NULL);
  for (guint i = 0; i < s->n_in; i++)
    if (s->in[i] < plan->n_values)
      {
        const PareRtValue *v = &plan->values[s->in[i]];
        g_autofree char *shape = pare_shape_to_string (&v->shape);
        g_string_append_printf (operands, "%s%s %s", operands->len > 0 ? ", " : "", pare_dtype_name (v->dtype), shape);
      }
  g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "%s: node '%s' (%s): %s (%s)", graph->path != NULL ? graph->path : "model", layer,
               op, why, operands->str);
}

PareRtPlan *
pare_builder_finish (PareBuilder *b, GError **error)
{
  PareRtPlan *plan = g_new0 (PareRtPlan, 1);
  const PareGraph *graph = b->graph;
  plan->n_inputs = graph->n_inputs;
  plan->n_outputs = graph->n_outputs;
  plan->inputs = g_new (uint32_t, graph->n_inputs + 1);
  plan->outputs = g_new (uint32_t, graph->n_outputs + 1);
  for (guint i = 0; i < graph->n_inputs; i++)
    plan->inputs[i] = pare_builder_value (b, graph->inputs[i]);
  for (guint i = 0; i < graph->n_outputs; i++)
    plan->outputs[i] = pare_builder_value (b, graph->outputs[i]);
  plan_memory (b, plan);
  plan->n_values = b->values->len;
  plan->n_steps = b->steps->len;
  plan->values = g_memdup2 (b->values->data, MAX (b->values->len, 1) * sizeof (PareRtValue));
  plan->steps = b->steps->len > 0 ? g_memdup2 (b->steps->data, b->steps->len * sizeof (PareRtStep)) : NULL;
  /* params hold 8-byte fields: an aligned copy */
  void *memory = NULL;
  plan->params_bytes = b->params->len;
  if (posix_memalign (&memory, 64, b->params->len + 64) == 0)
    {
      memcpy (memory, b->params->data != NULL ? b->params->data : (const void *)"", b->params->len);
      plan->params = memory;
    }
  plan->constants_bytes = b->constants_bytes;
  if (plan->params == NULL || !place_constants (b, plan))
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_MEMORY, "%s: no memory for %" G_GUINT64_FORMAT " bytes of constants",
                   graph->path != NULL ? graph->path : "model", b->constants_bytes);
      pare_plan_free (plan);
      return NULL;
    }
  for (guint i = 0; i < plan->n_steps; i++)
    {
      const char *wrong = pare_rt_step_check (plan, i);
      if (wrong != NULL)
        {
          refuse_step (graph, plan, i, wrong, error);
          pare_plan_free (plan);
          return NULL;
        }
    }
  const char *wrong = pare_rt_plan_check (plan);
  if (wrong != NULL)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "%s: %s", graph->path != NULL ? graph->path : "model", wrong);
      pare_plan_free (plan);
      return NULL;
    }
  return plan;
}

void
pare_plan_free (PareRtPlan *plan)
{
  if (plan == NULL)
    return;
  g_free (plan->inputs);
  g_free (plan->outputs);
  g_free (plan->values);
  g_free (plan->steps);
  free (plan->params);
  g_free ((gpointer)plan->external);
  g_free (plan);
}
