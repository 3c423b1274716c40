#include "engine/lower/pare-program-cut.h"
#include "engine/accel/pare-accel.h"
#include "engine/lower/pare-lower-private.h"

#include <string.h>

#define MAX_PIECES 64

static PareCutKey
mix_key (PareCutKey seed, PareCutKey key)
{
  return pare_content_hash (seed, &key, sizeof key);
}

/* --- what each value is --- */

typedef struct
{
  const PareRtPlan *plan;
  const PareAccel *accel; /* nullable */
  PareCutKey *keys;       /* of each value, once known */
  gboolean *known;
  guint32 *made;          /* the step that makes it; G_MAXUINT32 */
  guint32 *last;          /* the last step that reads it, itself or under another name */
  gboolean *reads_inputs; /* of each step: it or a later one */
} Walk;

static guint32
base_of (const PareRtPlan *plan, guint32 v)
{
  while (plan->values[v].kind == PARE_RT_ALIAS)
    v = plan->values[v].alias_of;
  return v;
}

static PareCutKey
hash_type (PareCutKey seed, const PareRtValue *v)
{
  gint64 words[2 + PARE_MAX_RANK] = { v->dtype, v->shape.rank };
  for (int i = 0; i < v->shape.rank; i++)
    words[2 + i] = v->shape.dims[i];
  return pare_content_hash (seed, words, sizeof words);
}

/* A constant's bytes are hashed once: whoever packed it knows. */
static PareCutKey
content_of (const Walk *w, guint32 v)
{
  PareContentKey content;
  if (w->accel == NULL || !pare_accel_get_content (w->accel, v, &content))
    content = pare_constant_hash (pare_rt_plan_constant (w->plan, v), w->plan->values[v].bytes);
  return content;
}

static PareCutKey
key_of (Walk *w, guint32 v)
{
  const PareRtValue *value = &w->plan->values[v];
  if (w->known[v])
    return w->keys[v];
  PareCutKey key = hash_type ((PareCutKey){ value->kind, 1 }, value);
  if (value->kind == PARE_RT_CONSTANT)
    key = mix_key (key, content_of (w, v));
  else if (value->kind == PARE_RT_ALIAS)
    key = mix_key (key, key_of (w, value->alias_of));
  else if (value->kind == PARE_RT_INPUT)
    for (guint i = 0; i < w->plan->n_inputs; i++)
      if (w->plan->inputs[i] == v)
        key = pare_content_hash (key, &i, sizeof i);
  w->known[v] = TRUE;
  return w->keys[v] = key;
}

static void
name_step (Walk *w, guint32 s)
{
  const PareRtStep *step = &w->plan->steps[s];
  guint32 head[4] = { step->op, step->n_in, step->n_out, step->params_bytes };
  PareCutKey key = pare_content_hash ((PareCutKey){ 2, 3 }, head, sizeof head);
  key = pare_content_hash (key, w->plan->params + step->params, step->params_bytes);
  for (guint i = 0; i < step->n_in; i++)
    key = mix_key (key, step->in[i] != PARE_RT_NONE ? key_of (w, step->in[i]) : (PareCutKey){ 4, i });
  for (guint i = 0; i < step->n_out; i++)
    if (step->out[i] != PARE_RT_NONE)
      {
        guint32 v = base_of (w->plan, step->out[i]);
        w->keys[v] = hash_type (mix_key (key, (PareCutKey){ 5, i }), &w->plan->values[v]);
        w->known[v] = TRUE;
      }
}

static double
work_of (const PareRtPlan *plan, const PareRtStep *step)
{
  double out = 0, work;
  for (guint i = 0; i < step->n_out; i++)
    if (step->out[i] != PARE_RT_NONE)
      out += (double)pare_shape_count (&plan->values[step->out[i]].shape);
  work = out;
  const PareShape *w = step->n_in > 1 && step->in[1] != PARE_RT_NONE ? &plan->values[step->in[1]].shape : NULL;
  switch (step->op)
    {
    case PARE_RT_CONV:
      if (w != NULL && w->rank > 1 && w->dims[0] > 0)
        work += out * (double)pare_shape_count (w) / (double)w->dims[0];
      break;
    case PARE_RT_GEMM:
    case PARE_RT_MATMUL:
    case PARE_RT_BLOCK_GEMM:
      if (step->in[0] != PARE_RT_NONE)
        {
          const PareShape *x = &plan->values[step->in[0]].shape;
          work += out * (double)(x->rank > 0 ? x->dims[x->rank - 1] : 1);
        }
      break;
    case PARE_RT_CONV_TRANSPOSE:
    case PARE_RT_LSTM:
    case PARE_RT_GRU:
    case PARE_RT_RNN:
      if (w != NULL && step->in[0] != PARE_RT_NONE)
        {
          const PareShape *x = &plan->values[step->in[0]].shape;
          double last = x->rank > 1 ? (double)x->dims[1] : 1;
          work += (double)pare_shape_count (w) * (double)pare_shape_count (x) / MAX (last, 1);
        }
      break;
    default:
      /* products on codes: weights [M, C / g, k...] or matrices */
      if (step->op > PARE_RT_LP_NORM && w != NULL && w->rank > 1 && w->dims[0] > 0
          && plan->values[base_of (plan, step->in[1])].kind == PARE_RT_CONSTANT)
        work += out * (double)pare_shape_count (w) / (double)w->dims[w->rank == 2 ? 1 : 0];
      break;
    }
  return work;
}

/* FALSE: values are written more than once or in place, a state has no simple meaning then. */
static gboolean
walk_plan (Walk *w)
{
  const PareRtPlan *plan = w->plan;
  for (guint v = 0; v < plan->n_values; v++)
    w->made[v] = G_MAXUINT32;
  for (guint s = 0; s < plan->n_steps; s++)
    {
      const PareRtStep *step = &plan->steps[s];
      for (guint i = 0; i < step->n_out; i++)
        {
          guint32 v = step->out[i] != PARE_RT_NONE ? base_of (plan, step->out[i]) : PARE_RT_NONE;
          if (v == PARE_RT_NONE)
            continue;
          if (w->made[v] != G_MAXUINT32 || plan->values[v].kind != PARE_RT_ARENA || w->last[v] > 0)
            return FALSE;
          for (guint k = 0; k < step->n_in; k++)
            if (step->in[k] != PARE_RT_NONE && base_of (plan, step->in[k]) == v)
              return FALSE;
          w->made[v] = s;
        }
      for (guint i = 0; i < step->n_in; i++)
        if (step->in[i] != PARE_RT_NONE)
          {
            guint32 v = base_of (plan, step->in[i]);
            w->last[v] = s;
            w->reads_inputs[s] |= plan->values[v].kind == PARE_RT_INPUT;
          }
      name_step (w, s);
    }
  for (guint v = 0; v < plan->n_values; v++)
    if (plan->values[v].keep)
      w->last[base_of (plan, v)] = G_MAXUINT32;
  for (guint i = 0; i < plan->n_outputs; i++)
    w->last[base_of (plan, plan->outputs[i])] = G_MAXUINT32;
  for (guint s = plan->n_steps; s-- > 1;)
    w->reads_inputs[s - 1] |= w->reads_inputs[s];
  return TRUE;
}

/* --- the cuts --- */

static gboolean
cut_portable (Walk *w, guint step, GArray *pieces, PareCut *cut)
{
  PareCutKey key = { 6, 7 };
  for (guint v = 0; v < w->plan->n_values; v++)
    if (w->made[v] != G_MAXUINT32 && w->made[v] < step && w->last[v] != 0 && w->last[v] >= step)
      {
        PareCutPiece piece = { v, w->plan->values[v].bytes, v, 0 };
        if (pieces->len == MAX_PIECES)
          return FALSE;
        g_array_append_val (pieces, piece);
        key = mix_key (key, w->keys[v]);
      }
  cut->key = key;
  cut->needs_input = step < w->plan->n_steps && w->reads_inputs[step];
  return TRUE;
}

static gboolean
cut_accel (Walk *w, const PareAccel *accel, const guint64 *hashes, guint step, GArray *pieces, PareCut *cut)
{
  PareAccelPiece found[MAX_PIECES];
  guint64 layout;
  bool needs_input;
  guint32 n = pare_accel_cut (accel, step, hashes, found, MAX_PIECES, &layout, &needs_input);
  if (n > MAX_PIECES)
    return FALSE;
  /* Which values are alive is part of the state's meaning: whether a sum is computed in place depends on it. */
  if (!cut_portable (w, step, pieces, cut))
    return FALSE;
  cut->key = pare_content_hash (cut->key, &layout, sizeof layout);
  cut->needs_input = needs_input;
  g_array_set_size (pieces, 0);
  for (guint i = 0; i < n; i++)
    {
      PareCutPiece piece = { found[i].buffer, found[i].bytes, found[i].value, 0 };
      g_array_append_val (pieces, piece);
    }
  return TRUE;
}

/* The grid of a value, as far as one scale says it. */
static float
scale_of (const PareGraph *graph, const PareRtPlan *plan, guint32 v)
{
  guint32 source = plan->values[v].source_value;
  if (plan->values[v].dtype != PARE_DTYPE_FLOAT32)
    return 0;
  if (source >= graph->n_values)
    return 1; /* codes in floats have no value in the graph */
  const PareQuant *q = graph->values[source].quant;
  return q != NULL && q->n == 1 && q->bits <= 8 ? q->scale[0] : 0;
}

PareCuts *
pare_cuts_new (PareProgram *program)
{
  const PareRtPlan *plan = pare_program_get_plan (program);
  const PareGraph *graph = pare_program_get_graph (program);
  const PareAccel *accel = pare_program_get_accel (program);
  PareCuts *self = g_new0 (PareCuts, 1);
  guint n = plan->n_values + 1;
  g_autofree PareCutKey *keys = g_new0 (PareCutKey, n);
  g_autofree gboolean *known = g_new0 (gboolean, n), *reads = g_new0 (gboolean, plan->n_steps + 1);
  g_autofree guint32 *made = g_new (guint32, n), *last = g_new0 (guint32, n);
  Walk w = { plan, accel, keys, known, made, last, reads };
  self->n_steps = plan->n_steps;
  self->layers = g_new (guint32, plan->n_steps + 1);
  double work = 0, before = 0;
  for (guint s = 0; s < plan->n_steps; s++)
    {
      self->layers[s] = plan->steps[s].layer;
      work += work_of (plan, &plan->steps[s]);
    }
  self->work = (guint64)work;
  if (plan->n_steps < 2 || pare_program_runs_late (program, NULL) || !walk_plan (&w)) /* late nodes may read the inputs, too */
    return self;
  g_autofree guint64 *hashes = g_new0 (guint64, n);
  for (guint v = 0; v < plan->n_values; v++)
    hashes[v] = keys[v].a ^ keys[v].b;
  g_autoptr (GArray) cuts = g_array_new (FALSE, TRUE, sizeof (PareCut)), pieces = g_array_new (FALSE, TRUE, sizeof (PareCutPiece));
  for (guint s = 1; s < plan->n_steps; s++)
    {
      before += work_of (plan, &plan->steps[s - 1]);
      PareCut cut = { .step = s, .work = before / MAX (work, 1) };
      g_array_set_size (pieces, 0);
      if (!(accel != NULL ? cut_accel (&w, accel, hashes, s, pieces, &cut) : cut_portable (&w, s, pieces, &cut)) || pieces->len == 0)
        continue;
      cut.n_pieces = pieces->len;
      cut.pieces = g_memdup2 (pieces->data, pieces->len * sizeof (PareCutPiece));
      for (guint i = 0; i < cut.n_pieces; i++)
        {
          cut.bytes += cut.pieces[i].bytes;
          cut.pieces[i].scale = scale_of (graph, plan, cut.pieces[i].value);
        }
      /* the sizes and the backend belong to what a state is */
      guint64 more[2] = { cut.bytes, (accel != NULL) | cut.n_pieces << 1 };
      cut.key = pare_content_hash (cut.key, more, sizeof more);
      g_array_append_val (cuts, cut);
    }
  self->n = cuts->len;
  self->cuts = (PareCut *)g_array_free (g_steal_pointer (&cuts), FALSE);
  return self;
}

void
pare_cuts_free (PareCuts *self)
{
  if (self == NULL)
    return;
  for (guint i = 0; i < self->n; i++)
    g_free (self->cuts[i].pieces);
  g_free (self->cuts);
  g_free (self->layers);
  g_free (self);
}
