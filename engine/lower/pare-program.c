#include "engine/lower/pare-program.h"
#include "engine/accel/pare-accel.h"
#include "engine/base/pare-error.h"
#include "engine/lower/pare-lower-late.h"
#include "engine/lower/pare-lower-private.h"
#include "engine/lower/pare-program-cut.h"
#include "engine/lower/pare-program-times.h"

#include <stdio.h>
#include <string.h>

struct _PareProgram
{
  gatomicrefcount refs;
  PareGraph *graph; /* canonical, without what runs late */
  PareLate *late;   /* what runs behind the plan; NULL: nothing */
  PareRtPlan *plan;
  guint32 *value_of;    /* canonical value -> plan value */
  GPtrArray *constants; /* tensors that the plan's constants lie in */
  PareNodeId *holders;  /* of source nodes */
  guint n_holders;
  gint64 *macs; /* of each step: the multiply-adds of all nodes that it computes */
  PareBackend backend;
  guint8 *bf16; /* of each step: it is a product of 16 bits */
  guint n_bf16;
  GMutex lock; /* of accels */
  struct
  {
    int threads;
    PareAccel *accel;
  } accels[4]; /* packed weights for each number of threads that was asked for */
  guint n_accels;
  PareRtWeights *weights; /* of the portable kernels, made on first use */
  PareCuts *cuts;         /* likewise; atomic */
  gboolean packs;         /* there is room for them */
};

struct _PareRunner
{
  PareProgram *program;
  PareRtRunner *portable;
  PareAccelRunner *accel;
  const PareAccel *own; /* what accel runs; NULL as that */
  PareTensor **late;    /* what the program's late nodes made in the last run; NULL where there are none */
  guint64 late_ns;      /* of the last run */
  guint64 *step_ns;     /* of the last run, when profiling */
  gboolean profiling;
  double coverage; /* share of the steps that the accelerator runs */
};

gboolean
pare_backend_parse (const char *text, PareBackend *backend)
{
  static const char *const names[] = { "auto", "portable", "onednn" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (text, names[i]) == 0)
      {
        *backend = (PareBackend)i;
        return TRUE;
      }
  return FALSE;
}

/* An input of numbers that have no type here: the file says sequence, complex, 8-bit float or nothing. */
static gboolean
check_input_types (const PareGraph *graph, GError **error)
{
  for (guint i = 0; i < graph->n_inputs; i++)
    {
      const PareValue *v = &graph->values[graph->inputs[i]];
      if (pare_dtype_bits (v->dtype) > 0)
        continue;
      g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "%s: input '%s': %s", graph->path != NULL ? graph->path : "model", v->name,
                   v->dtype == PARE_DTYPE_STRING ? "texts are not supported"
                                                 : "the type of its elements is not supported, or the file does not say it");
      return FALSE;
    }
  return TRUE;
}

static gboolean
lower_one (PareBuilder *b, PareNodeId head, GError **error)
{
  b->first_step[head] = b->steps->len;
  gboolean fine = pare_lower_node (b, head, error);
  b->end_step[head] = b->steps->len;
  return fine;
}

static gboolean
lower_all (PareBuilder *b, GError **error)
{
  const PareGraph *graph = b->graph;
  if (!check_input_types (graph, error))
    return FALSE;
  for (guint i = 0; i < graph->n_nodes; i++)
    {
      PareNodeId head = b->fused_into[i];
      if (graph->nodes[i].op == NULL)
        continue;
      if (head != PARE_NONE) /* part of a chain: emitted in the place of its last node */
        {
          if (b->fusions[head].head != PARE_NONE && b->fusions[head].last == i && !lower_one (b, head, error))
            return FALSE;
        }
      else if ((b->fusions[i].head == PARE_NONE || b->fusions[i].last == i) && !lower_one (b, i, error))
        return FALSE;
    }
  return TRUE;
}

static guint
end_of_origins (const PareGraph *graph)
{
  guint end = 0;
  for (guint i = 0; i < graph->n_nodes; i++)
    if (graph->nodes[i].op != NULL && graph->nodes[i].origin != PARE_NONE)
      end = MAX (end, graph->nodes[i].origin + 1);
  return end;
}

/* What was fused, in the source's nodes. Of what runs late, the first has the time of all. */
static void
find_holders (PareProgram *self, const PareNodeId *fused_into, const PareGraph *late)
{
  const PareGraph *graph = self->graph;
  self->n_holders = MAX (end_of_origins (graph), late != NULL ? end_of_origins (late) : 0);
  self->holders = g_new (PareNodeId, self->n_holders + 1);
  for (guint i = 0; i <= self->n_holders; i++)
    self->holders[i] = PARE_NONE;
  for (guint i = 0; i < graph->n_nodes; i++)
    {
      PareNodeId own = graph->nodes[i].origin, head = fused_into[i];
      if (graph->nodes[i].op != NULL && own != PARE_NONE && head != PARE_NONE && graph->nodes[head].origin != own)
        self->holders[own] = graph->nodes[head].origin;
    }
  for (guint i = 1; late != NULL && i < late->n_nodes; i++)
    if (late->nodes[i].origin != PARE_NONE && late->nodes[i].origin != late->nodes[0].origin)
      self->holders[late->nodes[i].origin] = late->nodes[0].origin;
}

/* Is the value the plan's? What runs late is not computed there. */
static gboolean
is_early (const PareGraph *g, PareValueId value)
{
  PareNodeId producer = g->values[value].producer;
  gboolean given = g->values[value].constant != NULL;
  for (guint i = 0; i < g->n_inputs; i++)
    given |= g->inputs[i] == value;
  return given || (producer != PARE_NONE && g->nodes[producer].op != NULL);
}

/* *late: what the plan leaves over, (transfer full) also where it fails. */
static PareProgram *
compile (const PareGraph *graph, const PareCompileOptions *options, PareLate **late, GError **error)
{
  static const PareCompileOptions defaults;
  if (options == NULL)
    options = &defaults;
  g_autoptr (PareGraph) canonical = pare_graph_canonicalize (graph, options->shapes, options->n_shapes, pare_lower_eval_node, error);
  if (canonical == NULL || !pare_budget_check_values (canonical, options->memory_budget, error)
      || !pare_late_split (canonical, late, error))
    return NULL;
  g_autofree gboolean *keep = g_new0 (gboolean, canonical->n_values + 1);
  for (guint i = 0; i < canonical->n_outputs; i++)
    keep[canonical->outputs[i]] = TRUE;
  g_autoptr (GHashTable) taps = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < options->n_taps; i++)
    g_hash_table_add (taps, (gpointer)options->taps[i]);
  for (guint i = 0; i < canonical->n_values && options->n_taps > 0; i++)
    if (canonical->values[i].name != NULL && g_hash_table_contains (taps, canonical->values[i].name))
      keep[i] |= is_early (canonical, i);
  g_autoptr (PareBuilder) b = pare_builder_new (canonical, keep);
  if (!options->no_fusion)
    pare_lower_find_fusions (b);
  pare_lower_find_integers (b);
  if (!options->no_fusion)
    {
      pare_lower_find_focus (b);
      pare_lower_find_patterns (b);
    }
  if (!lower_all (b, error))
    return NULL;
  for (guint i = 0; i < canonical->n_values; i++) /* what is read after the run is read as floats */
    if (keep[i])
      pare_builder_value (b, i);
  for (guint i = 0; i < b->steps->len && options->keep_steps; i++)
    g_array_index (b->values, PareRtValue, g_array_index (b->steps, PareRtStep, i).out[0]).keep = TRUE;
  PareRtPlan *plan = pare_builder_finish (b, error);
  if (plan == NULL)
    return NULL;
  gboolean packs;
  guint64 left;
  if (!pare_budget_check_plan (canonical, plan, b->constants, options->backend == PARE_BACKEND_PORTABLE, options->memory_budget, &packs,
                               &left, error))
    {
      pare_plan_free (plan);
      return NULL;
    }
  if (*late != NULL && options->memory_budget > 0)
    (*late)->most = MAX ((gint64)MIN (left, G_MAXINT64), 1);
  PareProgram *self = g_new0 (PareProgram, 1);
  g_atomic_ref_count_init (&self->refs);
  g_mutex_init (&self->lock);
  self->graph = g_steal_pointer (&canonical);
  self->plan = plan;
  self->packs = packs;
  self->value_of = g_steal_pointer (&b->value_of);
  self->constants = g_steal_pointer (&b->constants);
  self->backend = options->backend;
  g_autofree guint8 *exact = g_new0 (guint8, plan->n_values + 1);
  pare_rt_plan_find_bfloat (plan, exact);
  self->bf16 = g_new0 (guint8, plan->n_steps + 1);
  for (guint i = 0; i < plan->n_steps; i++)
    self->n_bf16 += self->bf16[i] = pare_rt_step_is_bfloat (plan, i, exact);
  find_holders (self, b->fused_into, *late != NULL ? (*late)->graph : NULL);
  self->macs = pare_plan_count_macs (plan, self->graph, b);
  return self;
}

PareProgram *
pare_program_compile (const PareGraph *graph, const PareCompileOptions *options, GError **error)
{
  GError *local = NULL;
  PareLate *late = NULL;
  PareProgram *self = compile (graph, options, &late, &local);
  if (self != NULL)
    self->late = late;
  else
    pare_late_free (late);
  if (self == NULL && local != NULL && graph->path != NULL && strstr (local->message, graph->path) == NULL)
    g_prefix_error (&local, "%s: ", graph->path); /* passes over the graph do not know its file */
  if (self == NULL)
    g_propagate_error (error, local);
  return self;
}

PareProgram *
pare_program_ref (PareProgram *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
pare_program_unref (PareProgram *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  for (guint i = 0; i < self->n_accels; i++)
    if (self->accels[i].accel != NULL)
      pare_accel_free (self->accels[i].accel);
  pare_rt_weights_free (self->weights);
  pare_cuts_free (self->cuts);
  pare_plan_free (self->plan);
  g_ptr_array_unref (self->constants);
  pare_graph_unref (self->graph);
  pare_late_free (self->late);
  g_free (self->value_of);
  g_free (self->holders);
  g_free (self->macs);
  g_free (self->bf16);
  g_mutex_clear (&self->lock);
  g_free (self);
}

const PareGraph *
pare_program_get_graph (const PareProgram *self)
{
  return self->graph;
}

guint
pare_program_count_bf16 (PareProgram *self, guint *multiplied)
{
  if (multiplied == NULL)
    return self->n_bf16;
  g_mutex_lock (&self->lock);
  const PareAccel *accel = self->n_accels > 0 ? self->accels[0].accel : NULL;
  gboolean made = self->n_accels > 0;
  g_mutex_unlock (&self->lock);
  if (!made && self->n_bf16 > 0 && pare_accel_has_bf16 ())
    accel = pare_program_get_accel (self);
  *multiplied = pare_accel_count_bf16 (accel);
  return self->n_bf16;
}

guint
pare_program_get_n_inputs (const PareProgram *self)
{
  return self->plan->n_inputs;
}

guint
pare_program_get_n_outputs (const PareProgram *self)
{
  return self->late != NULL ? self->late->n_outputs : self->plan->n_outputs;
}

gboolean
pare_program_runs_late (const PareProgram *self, const char **layer)
{
  if (self->late != NULL && layer != NULL)
    *layer = self->late->graph->nodes[0].layer;
  return self->late != NULL;
}

static const char *
describe (const PareGraph *graph, PareValueId id, PareDtype *dtype, PareShape *shape)
{
  const PareValue *v = &graph->values[id];
  if (dtype != NULL)
    *dtype = v->dtype;
  if (shape != NULL)
    *shape = v->shape;
  return v->name;
}

const char *
pare_program_get_input (const PareProgram *self, guint i, PareDtype *dtype, PareShape *shape)
{
  return describe (self->graph, self->graph->inputs[i], dtype, shape);
}

const char *
pare_program_get_output (const PareProgram *self, guint i, PareDtype *dtype, PareShape *shape)
{
  const PareLate *late = self->late;
  if (late != NULL && late->late[i] != PARE_NONE)
    return describe (late->graph, late->graph->outputs[late->late[i]], dtype, shape);
  return describe (self->graph, self->graph->outputs[late != NULL ? late->early[i] : i], dtype, shape);
}

void
pare_program_get_memory (const PareProgram *self, guint64 *arena, guint64 *sum, guint64 *constants)
{
  *arena = self->plan->arena_bytes;
  *sum = self->plan->sum_bytes;
  *constants = self->plan->constants_bytes;
}

guint64
pare_program_get_packed_memory (PareProgram *self)
{
  guint64 bytes = 0;
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->n_accels; i++)
    bytes += self->accels[i].accel != NULL ? pare_accel_packed_bytes (self->accels[i].accel) : 0;
  bytes += pare_rt_weights_bytes (self->weights);
  g_mutex_unlock (&self->lock);
  return bytes;
}

/* --- running --- */

static PareAccel *
get_accel (PareProgram *self, int threads)
{
  PareAccel *accel = NULL;
  g_mutex_lock (&self->lock);
  guint i = 0;
  while (i < self->n_accels && self->accels[i].threads != threads)
    i++;
  if (i == self->n_accels && i < G_N_ELEMENTS (self->accels))
    {
      self->accels[i].threads = threads;
      self->accels[i].accel = pare_accel_new (self->plan, threads);
      self->n_accels++;
    }
  if (i < self->n_accels)
    accel = self->accels[i].accel;
  g_mutex_unlock (&self->lock);
  return accel;
}

static const PareRtWeights *
get_weights (PareProgram *self)
{
  g_mutex_lock (&self->lock);
  if (self->weights == NULL && self->packs)
    self->weights = pare_rt_weights_new (self->plan); /* no memory: constants are read as they lie */
  g_mutex_unlock (&self->lock);
  return self->weights;
}

PareRunner *
pare_runner_new (PareProgram *program, int threads, GError **error)
{
  PareRunner *self = g_new0 (PareRunner, 1);
  self->program = pare_program_ref (program);
  PareAccel *accel = program->backend == PARE_BACKEND_PORTABLE ? NULL : get_accel (program, MAX (threads, 1));
  if (accel != NULL)
    self->accel = pare_accel_runner_new (accel);
  if (self->accel != NULL)
    {
      self->own = accel;
      self->coverage = pare_accel_get_coverage (accel);
    }
  if (self->accel == NULL)
    {
      self->portable = pare_rt_runner_new (program->plan, get_weights (program));
      if (self->portable == NULL)
        {
          g_set_error (error, PARE_ERROR, PARE_ERROR_MEMORY, "%s: no memory for %" G_GUINT64_FORMAT " bytes of activations",
                       program->graph->path != NULL ? program->graph->path : "model", (guint64)program->plan->arena_bytes);
          pare_runner_free (self);
          return NULL;
        }
      if (threads > 1)
        pare_rt_runner_set_threads (self->portable, threads); /* fewer threads: slower, the same figures */
    }
  self->step_ns = g_new0 (guint64, program->plan->n_steps + 1);
  if (program->late != NULL)
    self->late = g_new0 (PareTensor *, program->late->graph->n_outputs + 1);
  return self;
}

void
pare_runner_free (PareRunner *self)
{
  if (self == NULL)
    return;
  if (self->accel != NULL)
    pare_accel_runner_free (self->accel);
  pare_rt_runner_free (self->portable);
  if (self->late != NULL)
    pare_late_forget (self->program->late, self->late);
  g_free (self->late);
  pare_program_unref (self->program);
  g_free (self->step_ns);
  g_free (self);
}

double
pare_runner_get_coverage (const PareRunner *self)
{
  return self->coverage;
}

static gboolean
check_inputs (PareRunner *self, const PareView *inputs, guint n_inputs, GError **error)
{
  const PareRtPlan *plan = self->program->plan;
  const PareGraph *graph = self->program->graph;
  const char *file = graph->path != NULL ? graph->path : "model";
  if (n_inputs != plan->n_inputs)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_SHAPE, "%s: %u inputs are given, the model has %u", file, n_inputs, plan->n_inputs);
      return FALSE;
    }
  for (guint i = 0; i < n_inputs; i++)
    {
      const PareRtValue *v = &plan->values[plan->inputs[i]];
      if (inputs[i].dtype == v->dtype && pare_shape_equal (&inputs[i].shape, &v->shape))
        continue;
      g_autofree char *got = pare_shape_to_string (&inputs[i].shape), *want = pare_shape_to_string (&v->shape);
      g_set_error (error, PARE_ERROR, PARE_ERROR_SHAPE, "%s: input '%s' is %s %s, the model takes %s %s", file,
                   graph->values[graph->inputs[i]].name, pare_dtype_name (inputs[i].dtype), got, pare_dtype_name (v->dtype), want);
      return FALSE;
    }
  return TRUE;
}

static gboolean
fail (PareRunner *self, PareRtStatus status, guint32 failed, GError **error)
{
  const PareRtPlan *plan = self->program->plan;
  const PareGraph *graph = self->program->graph;
  if (status == PARE_RT_CANCELLED)
    {
      g_set_error_literal (error, PARE_ERROR, PARE_ERROR_CANCELLED, "cancelled");
      return FALSE;
    }
  const char *layer = "?", *op = failed < plan->n_steps ? pare_rt_op_name (plan->steps[failed].op) : "?";
  for (guint i = 0; i < graph->n_nodes && failed < plan->n_steps; i++)
    if (graph->nodes[i].op != NULL && graph->nodes[i].origin == plan->steps[failed].layer)
      {
        layer = graph->nodes[i].layer;
        op = graph->nodes[i].op;
        break;
      }
  g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: node '%s' (%s): %s", graph->path != NULL ? graph->path : "model", layer, op,
               status == PARE_RT_NO_MEMORY ? "no memory" : "its operands are out of range");
  return FALSE;
}

static PareView
view (PareRunner *self, guint32 value)
{
  return self->accel != NULL ? pare_accel_runner_view (self->accel, value) : pare_rt_runner_view (self->portable, value);
}

static gboolean
run_late (PareRunner *self, PareControl *control, GError **error)
{
  const PareLate *late = self->program->late;
  if (late == NULL)
    return TRUE;
  gint64 begin = g_get_monotonic_time ();
  g_autofree PareView *views = g_new (PareView, late->graph->n_inputs + 1);
  for (guint i = 0; i < late->graph->n_inputs; i++)
    views[i] = view (self, self->program->plan->outputs[late->inputs[i]]);
  gboolean fine = pare_late_run (late, views, self->late, control, error);
  self->late_ns = (guint64)(g_get_monotonic_time () - begin) * 1000;
  return fine;
}

gboolean
pare_runner_run (PareRunner *self, const PareView *inputs, guint n_inputs, PareControl *control, GError **error)
{
  const PareRtPlan *plan = self->program->plan;
  if (!check_inputs (self, inputs, n_inputs, error))
    return FALSE;
  guint32 failed = 0;
  guint64 *times = self->profiling ? self->step_ns : NULL;
  if (times != NULL)
    memset (times, 0, plan->n_steps * sizeof *times);
  PareRtStatus status = self->accel != NULL ? pare_accel_runner_run (self->accel, inputs, times, pare_control_flag (control), &failed)
                                            : pare_rt_runner_run (self->portable, inputs, times, pare_control_flag (control), &failed);
  return status == PARE_RT_OK ? run_late (self, control, error) : fail (self, status, failed, error);
}

gboolean
pare_runner_run_part (PareRunner *self, const PareView *inputs, guint n_inputs, guint from, guint to, PareControl *control, GError **error)
{
  const PareRtPlan *plan = self->program->plan;
  guint32 failed = 0;
  PareRtStatus status;
  to = MIN (to, plan->n_steps);
  if ((inputs != NULL && !check_inputs (self, inputs, n_inputs, error)) || from > to)
    return FALSE;
  status = self->accel != NULL ? pare_accel_runner_run_part (self->accel, inputs, from, to, pare_control_flag (control), &failed)
                               : pare_rt_runner_run_part (self->portable, inputs, from, to, NULL, pare_control_flag (control), &failed);
  if (status != PARE_RT_OK)
    return fail (self, status, failed, error);
  return to < plan->n_steps || run_late (self, control, error);
}

void
pare_runner_expect (PareRunner *self, const void *data, gsize bytes)
{
  if (self->accel != NULL)
    pare_accel_runner_expect (self->accel, data, bytes);
}

void *
pare_runner_get_piece (PareRunner *self, const PareCutPiece *piece)
{
  return self->accel != NULL ? pare_accel_runner_piece (self->accel, &(PareAccelPiece){ .buffer = piece->place, .bytes = piece->bytes })
                             : pare_rt_runner_view (self->portable, piece->place).data;
}

PareView
pare_runner_get_value (PareRunner *self, guint32 value)
{
  return view (self, value);
}

PareProgram *
pare_runner_get_program (PareRunner *self)
{
  return self->program;
}

PareView
pare_runner_get_output (PareRunner *self, guint i)
{
  const PareLate *late = self->program->late;
  if (late == NULL || late->late[i] == PARE_NONE)
    return view (self, self->program->plan->outputs[late == NULL ? i : late->early[i]]);
  return pare_tensor_view (self->late[late->late[i]]);
}

gboolean
pare_runner_get_tap (PareRunner *self, const char *name, PareView *out)
{
  const PareGraph *graph = self->program->graph;
  PareValueId id = pare_graph_find_value (graph, name);
  guint32 value = id != PARE_NONE ? self->program->value_of[id] : PARE_RT_NONE;
  if (value == PARE_RT_NONE || !self->program->plan->values[value].keep)
    return FALSE;
  *out = view (self, value);
  return TRUE;
}

const PareRtPlan *
pare_program_get_plan (const PareProgram *self)
{
  return self->plan;
}

PareAccel *
pare_program_get_accel (PareProgram *self)
{
  return self->backend == PARE_BACKEND_PORTABLE ? NULL : get_accel (self, 1);
}

const PareCuts *
pare_program_get_cuts (PareProgram *self)
{
  PareCuts *cuts = g_atomic_pointer_get (&self->cuts);
  if (cuts != NULL)
    return cuts;
  cuts = pare_cuts_new (self);
  if (g_atomic_pointer_compare_and_exchange (&self->cuts, NULL, cuts))
    return cuts;
  pare_cuts_free (cuts); /* another thread was quicker */
  return g_atomic_pointer_get (&self->cuts);
}

/* --- profile --- */

void
pare_runner_set_profiling (PareRunner *self, gboolean on)
{
  self->profiling = on;
}

static PareStepTimes
step_times (const PareRunner *self, guint32 *owner)
{
  PareProgram *program = self->program;
  for (guint s = 0; s < program->plan->n_steps; s++)
    owner[s] = self->accel != NULL ? pare_accel_get_owner (self->own, s) : s;
  return (PareStepTimes){ .plan = program->plan,
                          .graph = program->graph,
                          .owner = owner,
                          .macs = program->macs,
                          .ns = self->step_ns,
                          .holders = program->holders,
                          .n_holders = program->n_holders };
}

PareLayerTime *
pare_runner_dup_times (PareRunner *self, guint *n)
{
  g_autofree guint32 *owner = g_new (guint32, self->program->plan->n_steps + 1);
  PareStepTimes steps = step_times (self, owner);
  guint bf16;
  pare_program_count_bf16 (self->program, &bf16);
  steps.bf16 = bf16 > 0 ? self->program->bf16 : NULL;
  PareLayerTime *times = pare_layer_times_sum (&steps, n);
  if (self->program->late == NULL)
    return times;
  const PareNode *first = &self->program->late->graph->nodes[0];
  times = g_renew (PareLayerTime, times, *n + 1);
  times[(*n)++] = (PareLayerTime){ .layer = first->origin, .op = g_strdup (first->op), .ms = self->late_ns / 1e6 };
  return times;
}

PareNodeId *
pare_runner_dup_holders (PareRunner *self, guint *n)
{
  g_autofree guint32 *owner = g_new (guint32, self->program->plan->n_steps + 1);
  PareStepTimes steps = step_times (self, owner);
  *n = self->program->n_holders;
  return pare_layer_times_holders (&steps);
}

char *
pare_lower_why_not (const PareGraph *of)
{
  g_autofree gboolean *keep = g_new0 (gboolean, of->n_values + 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) canonical = pare_graph_copy (of);
  PareLate *late;
  gboolean fine = pare_late_split (canonical, &late, &error);
  pare_late_free (late);
  for (guint i = 0; i < canonical->n_outputs; i++)
    keep[canonical->outputs[i]] = TRUE;
  g_autoptr (PareBuilder) b = pare_builder_new (canonical, keep);
  if (fine && lower_all (b, &error))
    return NULL;
  /* without the file's name: the caller knows which model it asked about */
  const char *node = strstr (error->message, "node '");
  if (node == NULL)
    node = strstr (error->message, "input '");
  return g_strdup (node != NULL ? node : error->message);
}
