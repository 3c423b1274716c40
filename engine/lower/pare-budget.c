/* What a program will take, against what it may: told before memory is taken, by the node that asks for most. */
#include "engine/base/pare-error.h"
#include "engine/base/pare-memory.h"
#include "engine/lower/pare-lower-private.h"

/* What is less than this fits, whatever else runs: asking the kernel takes longer than many a plan. */
#define FITS ((guint64)64 << 20)

/* budget 0: none is stated. */
static gboolean
is_within (guint64 bytes, guint64 budget, guint64 *limit)
{
  if (budget == 0 && bytes <= FITS)
    return TRUE;
  *limit = budget > 0 ? budget : pare_memory_available () / 4 * 3;
  return bytes <= *limit;
}

static const char *
file_of (const PareGraph *graph)
{
  return graph->path != NULL ? graph->path : "model";
}

/* A mapped tensor takes no memory that the machine could not have back; a stated budget counts it all the same. */
static guint64
constant_bytes (const PareTensor *t, gboolean stated)
{
  return t->owner != NULL && !stated ? 0 : t->bytes;
}

gboolean
pare_budget_check_values (const PareGraph *graph, guint64 budget, GError **error)
{
  for (guint i = 0; i < graph->n_values; i++)
    {
      const PareValue *v = &graph->values[i];
      gint64 bytes = v->constant == NULL && v->dtype != PARE_DTYPE_NONE ? pare_shape_bytes (&v->shape, v->dtype) : 0;
      guint64 limit;
      if (bytes < 0 || is_within ((guint64)bytes, budget, &limit))
        continue;
      const PareNode *node = v->producer != PARE_NONE ? &graph->nodes[v->producer] : NULL;
      g_autofree char *shape = pare_shape_to_string (&v->shape), *need = pare_memory_text ((guint64)bytes),
                      *allowed = pare_memory_text (limit);
      if (node != NULL)
        g_set_error (error, PARE_ERROR, PARE_ERROR_MEMORY, "%s: node '%s' (%s): its output %s needs %s, %s are allowed", file_of (graph),
                     node->layer, node->op, shape, need, allowed);
      else
        g_set_error (error, PARE_ERROR, PARE_ERROR_MEMORY, "%s: input '%s' of %s needs %s, %s are allowed", file_of (graph), v->name, shape,
                     need, allowed);
      return FALSE;
    }
  return TRUE;
}

/* Weights that kernels read in an order of their own are there twice. */
static guint64
packed_bytes (const PareRtPlan *plan, const PareRtStep *step, gboolean portable)
{
  guint64 here = pare_rt_kernel_pack (plan, step, NULL);
  gboolean weights = step->op == PARE_RT_CONV || step->op == PARE_RT_CONV_TRANSPOSE || step->op == PARE_RT_GEMM
                     || step->op == PARE_RT_MATMUL || step->op == PARE_RT_QCONV || step->op == PARE_RT_QGEMM;
  if (portable || !weights || step->n_in < 2 || step->in[1] == PARE_RT_NONE || plan->values[step->in[1]].kind != PARE_RT_CONSTANT)
    return here;
  return MAX (here, plan->values[step->in[1]].bytes);
}

/* Bytes of the arena that live while each step runs, summed; returns the step with most. */
static guint
busiest_step (const PareRtPlan *plan)
{
  g_autofree guint32 *first = g_new (guint32, plan->n_values + 1), *last = g_new0 (guint32, plan->n_values + 1);
  g_autofree gint64 *change = g_new0 (gint64, plan->n_steps + 2);
  for (guint v = 0; v < plan->n_values; v++)
    {
      first[v] = G_MAXUINT32;
      last[v] = plan->values[v].keep ? plan->n_steps : 0;
    }
  for (guint s = 0; s < plan->n_steps; s++)
    for (guint i = 0; i < plan->steps[s].n_in + plan->steps[s].n_out; i++)
      {
        guint32 v = i < plan->steps[s].n_in ? plan->steps[s].in[i] : plan->steps[s].out[i - plan->steps[s].n_in];
        if (v == PARE_RT_NONE)
          continue;
        if (plan->values[v].kind == PARE_RT_ALIAS)
          v = plan->values[v].alias_of;
        first[v] = MIN (first[v], s);
        last[v] = MAX (last[v], s);
      }
  for (guint v = 0; v < plan->n_values; v++)
    if (plan->values[v].kind == PARE_RT_ARENA && first[v] != G_MAXUINT32)
      {
        change[first[v]] += (gint64)plan->values[v].bytes;
        change[MIN (last[v], plan->n_steps) + 1] -= (gint64)plan->values[v].bytes;
      }
  gint64 live = 0, most = -1;
  guint at = 0;
  for (guint s = 0; s < plan->n_steps; s++)
    {
      live += change[s];
      if (live > most)
        {
          most = live;
          at = s;
        }
    }
  return at;
}

static guint
reader_of (const PareRtPlan *plan, guint32 value)
{
  for (guint s = 0; s < plan->n_steps; s++)
    for (guint i = 0; i < plan->steps[s].n_in; i++)
      if (plan->steps[s].in[i] == value)
        return s;
  return 0;
}

static const PareNode *
node_of (const PareGraph *graph, const PareRtPlan *plan, guint step)
{
  for (guint i = 0; i < graph->n_nodes && step < plan->n_steps; i++)
    if (graph->nodes[i].op != NULL && graph->nodes[i].origin == plan->steps[step].layer)
      return &graph->nodes[i];
  return NULL;
}

void
pare_budget_of (const PareRtPlan *plan, GPtrArray *constants, gboolean portable, gboolean stated, gboolean packs, PareBudget *out)
{
  guint64 largest = 0;
  *out = (PareBudget){ .activations = plan->arena_bytes };
  for (guint v = 0, k = 0; v < plan->n_values; v++)
    {
      if (plan->values[v].kind != PARE_RT_CONSTANT)
        continue;
      guint64 bytes = constant_bytes (g_ptr_array_index (constants, k++), stated);
      out->constants += bytes;
      if (plan->values[v].bytes > largest)
        {
          largest = plan->values[v].bytes;
          out->largest_constant = v;
        }
    }
  for (guint s = 0; s < plan->n_steps; s++)
    {
      guint64 packed = packs ? packed_bytes (plan, &plan->steps[s], portable) : 0;
      out->packed += packed;
      out->scratch = MAX (out->scratch, pare_rt_kernel_scratch (plan, &plan->steps[s], packed > 0 ? plan : NULL));
    }
}

/* Of all together, at most G_MAXUINT64. */
static guint64
total_of (const PareBudget *need)
{
  guint64 total = need->activations, parts[3] = { need->constants, need->packed, need->scratch };
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    if (__builtin_add_overflow (total, parts[i], &total))
      total = G_MAXUINT64;
  return total;
}

gboolean
pare_budget_check_plan (const PareGraph *graph, const PareRtPlan *plan, GPtrArray *constants, gboolean portable, guint64 budget,
                        gboolean *packs, guint64 *left, GError **error)
{
  PareBudget need, lean;
  gboolean stated = budget > 0;
  guint64 limit;
  *packs = TRUE;
  pare_budget_of (plan, constants, portable, stated, TRUE, &need);
  guint64 total = total_of (&need);
  *left = stated ? budget - MIN (total, budget) : G_MAXUINT64;
  if (is_within (total, budget, &limit))
    return TRUE;
  if (portable) /* the kernels read weights as they lie, too, and take longer */
    {
      pare_budget_of (plan, constants, portable, stated, FALSE, &lean);
      *packs = FALSE;
      *left = stated ? budget - MIN (total_of (&lean), budget) : G_MAXUINT64;
      if (is_within (total_of (&lean), budget, &limit))
        return TRUE;
      need = lean;
      total = total_of (&need);
    }
  gboolean weights = need.constants + need.packed > need.activations;
  const PareNode *node = node_of (graph, plan, weights ? reader_of (plan, need.largest_constant) : busiest_step (plan));
  g_autofree char *all = pare_memory_text (total), *allowed = pare_memory_text (limit), *a = pare_memory_text (need.activations),
                  *c = pare_memory_text (need.constants), *p = pare_memory_text (need.packed), *s = pare_memory_text (need.scratch);
  g_set_error (error, PARE_ERROR, PARE_ERROR_MEMORY,
               "%s: node '%s' (%s): the model needs %s (activations %s%s, constants %s%s, packed weights %s, scratch %s), %s are allowed",
               file_of (graph), node != NULL ? node->layer : "?", node != NULL ? node->op : "?", all, a,
               weights ? "" : ", most at this node", c, weights ? ", the largest of this node" : "", p, s, allowed);
  return FALSE;
}
