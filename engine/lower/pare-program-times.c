#include "engine/lower/pare-program-times.h"

static gboolean
is_product (PareRtOp op)
{
  switch (op)
    {
    case PARE_RT_CONV:
    case PARE_RT_CONV_TRANSPOSE:
    case PARE_RT_GEMM:
    case PARE_RT_MATMUL:
    case PARE_RT_QCONV:
    case PARE_RT_QGEMM:
    case PARE_RT_BLOCK_GEMM:
    case PARE_RT_ATTENTION:
    case PARE_RT_QATTENTION:
      return TRUE;
    default:
      return FALSE;
    }
}

gint64 *
pare_plan_count_macs (const PareRtPlan *plan, const PareGraph *graph, const PareBuilder *builder)
{
  guint n = 0;
  g_autofree PareLayerInfo *infos = pare_graph_layer_infos (graph, NULL, &n); /* its own shapes */
  gint64 *macs = g_new0 (gint64, plan->n_steps + 1);
  for (guint i = 0; i < n; i++)
    {
      PareNodeId head = builder->fused_into[infos[i].node] != PARE_NONE ? builder->fused_into[infos[i].node] : infos[i].node;
      guint first = builder->first_step[head], end = MIN (builder->end_step[head], plan->n_steps), at = first;
      while (at < end && !is_product (plan->steps[at].op))
        at++;
      if (first < end)
        macs[at < end ? at : end - 1] += infos[i].macs;
    }
  return macs;
}

static guint32
base_of (const PareRtPlan *plan, guint32 value)
{
  while (plan->values[value].kind == PARE_RT_ALIAS)
    value = plan->values[value].alias_of;
  return value;
}

/* What a step with all that it computes for others reads and writes: each value once, but for what it makes and nobody else reads. */
typedef struct
{
  const PareStepTimes *steps;
  guint32 *maker;    /* of each value: the owner of the step that writes it */
  gboolean *outside; /* of each value: read by another than its maker, or after the run */
  gboolean *unread;  /* of each value: nobody reads it */
  guint32 *seen;     /* of each value: the last owner that counted it, and one */
} Traffic;

static void
find_traffic (Traffic *t)
{
  const PareRtPlan *plan = t->steps->plan;
  t->maker = g_new (guint32, plan->n_values + 1);
  t->outside = g_new0 (gboolean, plan->n_values + 1);
  t->unread = g_new (gboolean, plan->n_values + 1);
  t->seen = g_new0 (guint32, plan->n_values + 1);
  for (guint v = 0; v < plan->n_values; v++)
    {
      t->maker[v] = PARE_RT_NONE;
      t->unread[v] = TRUE;
    }
  for (guint s = 0; s < plan->n_steps; s++)
    for (guint k = 0; k < plan->steps[s].n_out; k++)
      if (plan->steps[s].out[k] != PARE_RT_NONE)
        t->maker[base_of (plan, plan->steps[s].out[k])] = t->steps->owner[s];
  for (guint s = 0; s < plan->n_steps; s++)
    for (guint k = 0; k < plan->steps[s].n_in; k++)
      if (plan->steps[s].in[k] != PARE_RT_NONE)
        {
          guint32 v = base_of (plan, plan->steps[s].in[k]);
          t->unread[v] = FALSE;
          t->outside[v] |= t->maker[v] != t->steps->owner[s];
        }
  for (guint v = 0; v < plan->n_values; v++)
    t->outside[base_of (plan, v)] |= plan->values[v].keep;
  for (guint i = 0; i < plan->n_outputs; i++)
    t->outside[base_of (plan, plan->outputs[i])] = TRUE;
}

static void
free_traffic (Traffic *t)
{
  g_free (t->maker);
  g_free (t->outside);
  g_free (t->unread);
  g_free (t->seen);
}

static guint64
count_once (Traffic *t, guint32 value, guint32 owner)
{
  const PareRtPlan *plan = t->steps->plan;
  guint32 v = value != PARE_RT_NONE ? base_of (plan, value) : PARE_RT_NONE;
  if (v == PARE_RT_NONE || t->seen[v] == owner + 1 || (t->maker[v] == owner && !t->outside[v] && !t->unread[v]))
    return 0;
  t->seen[v] = owner + 1;
  return (guint64)MAX (pare_shape_bytes (&plan->values[v].shape, plan->values[v].dtype), 0);
}

static const char *
op_of (const PareStepTimes *steps, guint step)
{
  const PareGraph *graph = steps->graph;
  for (guint i = 0; i < graph->n_nodes; i++)
    if (graph->nodes[i].op != NULL && graph->nodes[i].origin == steps->plan->steps[step].layer)
      return graph->nodes[i].op;
  return pare_rt_op_name (steps->plan->steps[step].op);
}

static void
add_step (const PareStepTimes *steps, Traffic *traffic, guint step, PareLayerTime *to)
{
  const PareRtStep *s = &steps->plan->steps[step];
  to->ms += steps->ns[step] / 1e6;
  to->macs += steps->macs[step];
  to->integer |= s->op == PARE_RT_QCONV || s->op == PARE_RT_QGEMM;
  to->bf16 |= steps->bf16 != NULL && steps->bf16[step];
  for (guint i = 0; i < s->n_in; i++)
    to->bytes += count_once (traffic, s->in[i], steps->owner[step]);
  for (guint i = 0; i < s->n_out; i++)
    to->bytes += count_once (traffic, s->out[i], steps->owner[step]);
}

PareLayerTime *
pare_layer_times_sum (const PareStepTimes *steps, guint *n)
{
  const PareRtPlan *plan = steps->plan;
  g_autoptr (GArray) times = g_array_new (FALSE, TRUE, sizeof (PareLayerTime));
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);    /* layer + 1 -> index + 1 */
  g_autofree guint *entry_of = g_new0 (guint, plan->n_steps + 1); /* of each step that is its own */
  g_autofree guint *next = g_new0 (guint, plan->n_steps + 1);     /* of each step: another of the same owner; 0: none */
  Traffic traffic = { .steps = steps };
  find_traffic (&traffic);
  for (guint s = 0; s < plan->n_steps; s++)
    {
      if (steps->owner[s] != s)
        continue;
      gpointer key = GUINT_TO_POINTER (plan->steps[s].layer + 1);
      guint at = GPOINTER_TO_UINT (g_hash_table_lookup (seen, key));
      if (at == 0)
        {
          PareLayerTime t = { .layer = plan->steps[s].layer, .op = g_strdup (op_of (steps, s)) };
          g_array_append_val (times, t);
          at = times->len;
          g_hash_table_insert (seen, key, GUINT_TO_POINTER (at));
        }
      entry_of[s] = at - 1;
    }
  for (guint s = plan->n_steps; s-- > 0;) /* owners come first */
    if (steps->owner[s] != s)
      {
        next[s] = next[steps->owner[s]];
        next[steps->owner[s]] = s;
      }
  for (guint owner = 0; owner < plan->n_steps; owner++)
    if (steps->owner[owner] == owner)
      {
        add_step (steps, &traffic, owner, &g_array_index (times, PareLayerTime, entry_of[owner]));
        for (guint s = next[owner]; s != 0; s = next[s])
          add_step (steps, &traffic, s, &g_array_index (times, PareLayerTime, entry_of[owner]));
      }
  free_traffic (&traffic);
  *n = times->len;
  return (PareLayerTime *)g_array_free (g_steal_pointer (&times), FALSE);
}

void
pare_layer_times_free (PareLayerTime *times, guint n)
{
  for (guint i = 0; i < n; i++)
    g_free (times[i].op);
  g_free (times);
}

/* A layer with a step of its own has no holder, whatever else of it another's step does. */
PareNodeId *
pare_layer_times_holders (const PareStepTimes *steps)
{
  const PareRtPlan *plan = steps->plan;
  guint n = steps->n_holders;
  PareNodeId *holders = g_memdup2 (steps->holders, (n + 1) * sizeof *holders);
  g_autofree PareNodeId *taken_by = g_new (PareNodeId, n + 1);
  for (guint i = 0; i <= n; i++)
    taken_by[i] = PARE_NONE;
  for (guint s = 0; s < plan->n_steps; s++)
    if (plan->steps[s].layer < n)
      taken_by[plan->steps[s].layer] = plan->steps[steps->owner[s]].layer;
  for (guint s = 0; s < plan->n_steps; s++)
    if (plan->steps[s].layer < n && steps->owner[s] == s)
      taken_by[plan->steps[s].layer] = PARE_NONE;
  for (guint i = 0; i < n; i++)
    {
      PareNodeId by = holders[i] != PARE_NONE ? holders[i] : i;
      if (by < n && taken_by[by] != PARE_NONE)
        by = taken_by[by];
      holders[i] = by != i ? by : PARE_NONE;
    }
  return holders;
}
