/* One model on one split: samples in a seeded order on many threads, each result stored at its own index, figures computed from the whole.
 */
#include "engine/evaluate/pare-evaluate-private.h"
#include "engine/evaluate/pare-prefix-private.h"
#include "engine/base/pare-error.h"
#include "engine/base/pare-rng.h"

#include <math.h>
#include <string.h>

#define KEEP_OUTPUTS (64 * G_GUINT64_CONSTANT (1048576))
#define SNAPSHOT_US 50000
#define FIRST_SAMPLES 20
#define FIRST_US 15000 /* fewer samples say little, but a hand that drags sees that it is heard */
#define TOP 5
#define RANGE 16 /* samples that a worker takes at once: what is kept of them lies beside each other */
#define ALPHA 0.05
#define LATE_US 200                           /* results may wait for so long: workers that lock for each sample wait for each other */
#define AHEAD (G_GUINT64_CONSTANT (64) << 10) /* bytes: larger samples come fast enough, for how long they run */

typedef struct
{
  gint32 prediction, label;
  gboolean correct, top5;
  float confidence, score;
  double kl;
} Entry;

/* What one worker has gathered and not stored yet, and what it needs at every sample. */
typedef struct
{
  GArray *samples, *entries; /* guint; Entry: as many as the samples have */
  gint64 stored;             /* when */
  PareSample ahead;          /* the next one, which memory is asked for while this one runs */
  guint ahead_of;            /* its place in the order, plus one; 0: there is none */
  float *v;                  /* an output's classes: room for `room` */
  double *scratch;           /* twice as many */
  guint room;
} Pending;

typedef struct
{
  PareDataset *dataset;
  PareProgram *program;
  const PareEvaluateOptions *options;
  PareControl *control;
  PareTask task;
  gboolean labelled;
  int offset, threads;
  char *model;                      /* for messages */
  guint n_samples, *order, *starts; /* entry where each sample begins */
  PareRunner **runners;             /* by worker */
  Pending *pending;                 /* by worker */
  PareEvaluation *result;
  guint8 *finished, *top5;
  double *kl;
  guint width; /* values of an entry's output */
  ParePrefixUse *prefix;
  gboolean paired;    /* answers are counted against the baseline's as they come */
  guint lost, gained; /* likewise */
  gint decided;       /* atomic: enough is known */
  GMutex lock;        /* guards what follows and the arrays of result while workers run */
  guint samples_done; /* atomic: looked at without the lock, too */
  gint64 started, last_snapshot;
  gboolean in_snapshot;
  guint error_at;
  GError *error;
} Run;

/* What one worker gathers over the runs of one sample. */
typedef struct
{
  Run *run;
  Pending *pending; /* the worker's */
  guint sample;
  const PareSample *data;
  double sum; /* anomaly: errors of the windows */
  guint windows;
  Entry *entries; /* as many as the sample has: stored with the lock that counts it */
  GError *error;
} Visit;

/* An entry's output as float, whatever the model's dtype. */
static void
to_floats (const PareView *view, gsize at, guint n, float *out)
{
  if (view->dtype == PARE_DTYPE_FLOAT32)
    {
      memcpy (out, (const float *)view->data + at, n * sizeof *out);
      return;
    }
  PareTensor t = { .dtype = view->dtype, .shape = view->shape, .data = view->data };
  for (guint i = 0; i < n; i++)
    out[i] = (float)pare_tensor_get_double (&t, at + i);
}

/* As numpy: the first of the largest, a NAN counts as larger than all. */
static guint
argmax (const float *v, guint n)
{
  guint best = 0;
  for (guint i = 0; i < n; i++)
    if (isnan (v[i]))
      return i;
    else if (v[i] > v[best])
      best = i;
  return best;
}

/* What an output says of the classes. Logarithms take as long as a small layer: only those that are asked for are computed. */
typedef struct
{
  const float *v;
  double *p;            /* probability of each class */
  double shift;         /* log p = v - shift */
  gboolean probability; /* v are probabilities already, as they are taken then: log p = log v */
} Classes;

/* exp (x) of numbers that are too small for it takes as long as ten others. */
static double
exp_or_zero (double x)
{
  return x < -746 ? 0 : exp (x);
}

/* p: room for n */
static Classes
classes_of (const float *v, guint n, double *p)
{
  double sum = 0, max = -INFINITY, total = 0;
  gboolean probability = TRUE;
  for (guint i = 0; i < n; i++)
    {
      sum += v[i];
      max = MAX (max, v[i]);
      probability = probability && v[i] >= 0 && v[i] <= 1.0001f;
    }
  if (probability && fabs (sum - 1) < 0.02)
    {
      for (guint i = 0; i < n; i++)
        p[i] = MAX (v[i], 1e-10);
      return (Classes){ v, p, 0, TRUE };
    }
  for (guint i = 0; i < n; i++)
    total += p[i] = exp_or_zero (v[i] - max);
  for (guint i = 0; i < n; i++)
    p[i] /= total;
  return (Classes){ v, p, max + log (total), FALSE };
}

static double
log_p (const Classes *c, gsize i)
{
  return c->probability ? log (c->p[i]) : c->v[i] - c->shift;
}

static double
divergence (const Classes *before, const Classes *now, guint n)
{
  double kl = 0;
  if (before->probability && now->probability)
    for (guint i = 0; i < n; i++)
      kl += before->p[i] * log (before->p[i] / now->p[i]);
  else
    for (guint i = 0; i < n; i++)
      kl += before->p[i] * (log_p (before, i) - log_p (now, i));
  return MAX (kl, 0);
}

static gboolean
refuse_width (Run *run, guint width, GError **error)
{
  g_set_error (error, PARE_ERROR, PARE_ERROR_SHAPE, "%s: the first output has %u values for a sample, %u for another", run->model, width,
               run->width);
  return FALSE;
}

/* The first sample to finish says how wide an output is, and whether there is room to keep them all. */
static gboolean
settle_width (Run *run, guint width, GError **error)
{
  gboolean good = TRUE;
  if ((guint)g_atomic_int_get ((gint *)&run->width) == width)
    return TRUE;
  g_mutex_lock (&run->lock);
  if (run->width == 0)
    {
      if ((guint64)width * run->result->n * sizeof (float) < KEEP_OUTPUTS)
        {
          run->result->outputs = g_try_new0 (float, MAX ((gsize)width * run->result->n, 1));
          run->result->n_outputs = run->result->outputs != NULL ? width : 0;
        }
      g_atomic_int_set ((gint *)&run->width, (gint)width); /* last: who sees it reads the rest without the lock */
    }
  else if (run->width != width)
    good = refuse_width (run, width, error);
  g_mutex_unlock (&run->lock);
  return good;
}

/* One class decision: `v` are the outputs, entry is its place in the result. */
static void
judge (Run *run, guint entry, const float *v, guint n, gint64 label, Entry *e, double *scratch)
{
  const PareEvaluation *baseline = run->options->baseline;
  guint best = argmax (v, n);
  Classes now = classes_of (v, n, scratch);
  e->prediction = (gint32)best - run->offset;
  e->label = (gint32)label;
  e->confidence = isnan (v[best]) ? 0 : (float)now.p[best];
  e->kl = NAN;
  if (run->labelled)
    {
      gint64 want = label + run->offset;
      guint before = 0; /* classes ahead of the right one */
      e->correct = (gint64)best == want;
      e->score = (float)-log_p (&now, (gsize)want);
      for (guint i = 0; i < n; i++)
        before += v[i] > v[want] || (v[i] == v[want] && i < want);
      e->top5 = before < TOP && !isnan (v[want]);
    }
  else
    e->correct = baseline == NULL || (entry < baseline->n && baseline->prediction[entry] == e->prediction);
  if (baseline != NULL && baseline->outputs != NULL && baseline->n_outputs == n && entry < baseline->n)
    {
      Classes before = classes_of (baseline->outputs + (gsize)entry * n, n, scratch + n);
      e->kl = divergence (&before, &now, n);
    }
  if (run->result->outputs != NULL)
    memcpy (run->result->outputs + (gsize)entry * n, v, n * sizeof *v);
}

static void
store (Run *run, guint entry, const Entry *e)
{
  PareEvaluation *r = run->result;
  r->prediction[entry] = e->prediction;
  r->label[entry] = e->label;
  r->confidence[entry] = e->confidence;
  r->correct[entry] = e->correct != 0;
  r->score[entry] = e->score;
  run->top5[entry] = e->top5 != 0;
  run->kl[entry] = e->kl;
  run->finished[entry] = 1;
  if (run->paired)
    {
      gboolean before = run->options->baseline->correct[entry];
      run->lost += before && !e->correct;
      run->gained += !before && e->correct;
    }
}

static Pending *
make_room (Pending *own, guint n)
{
  if (own->room < n)
    {
      own->v = g_renew (float, own->v, n);
      own->scratch = g_renew (double, own->scratch, 2 * (gsize)n);
      own->room = n;
    }
  return own;
}

static gboolean
visit_classes (PareRunner *runner, Visit *visit)
{
  Run *run = visit->run;
  PareView view = pare_runner_get_output (runner, 0);
  gint64 n = pare_shape_count (&view.shape), label = visit->data->label;
  if (n < 1 || n > G_MAXINT32 || (run->labelled && (label + run->offset < 0 || label + run->offset >= n)))
    {
      g_set_error (&visit->error, PARE_ERROR, PARE_ERROR_SHAPE,
                   "%s: the first output has %" G_GINT64_FORMAT " classes, but %s has the label %" G_GINT64_FORMAT " (class_offset %d)",
                   run->model, n, pare_dataset_get_path (run->dataset), label, run->offset);
      return FALSE;
    }
  if (!settle_width (run, (guint)n, &visit->error))
    return FALSE;
  Pending *own = make_room (visit->pending, (guint)n);
  to_floats (&view, 0, (guint)n, own->v);
  judge (run, run->starts[visit->sample], own->v, (guint)n, label, visit->entries, own->scratch);
  return TRUE;
}

/* The last positions of the output are those that the labels are for. */
static gboolean
visit_tokens (PareRunner *runner, Visit *visit)
{
  Run *run = visit->run;
  PareView view = pare_runner_get_output (runner, 0);
  gint64 count = pare_shape_count (&view.shape), width = view.shape.rank > 0 ? view.shape.dims[view.shape.rank - 1] : 0;
  guint start = run->starts[visit->sample], positions = run->starts[visit->sample + 1] - start;
  if (width < 1 || width > G_MAXINT32 / 2 || count / width < positions)
    {
      g_autofree char *text = pare_shape_to_string (&view.shape);
      g_set_error (&visit->error, PARE_ERROR, PARE_ERROR_SHAPE,
                   "%s: the first output is %s, too few positions for the %u labels of a sample in %s", run->model, text, positions,
                   pare_dataset_get_path (run->dataset));
      return FALSE;
    }
  if (!settle_width (run, (guint)width, &visit->error))
    return FALSE;
  Pending *own = make_room (visit->pending, (guint)width);
  const gint64 *labels = visit->data->labels != NULL ? visit->data->labels->data : NULL;
  for (guint k = 0; k < positions; k++)
    {
      gint64 label = labels != NULL ? labels[k] : -1;
      if (labels != NULL && (label + run->offset < 0 || label + run->offset >= width))
        {
          g_set_error (&visit->error, PARE_ERROR, PARE_ERROR_SHAPE,
                       "%s: the first output has %" G_GINT64_FORMAT " classes, but %s has the label %" G_GINT64_FORMAT, run->model, width,
                       pare_dataset_get_path (run->dataset), label);
          return FALSE;
        }
      to_floats (&view, (gsize)(count / width - positions + k) * (gsize)width, (guint)width, own->v);
      judge (run, start + k, own->v, (guint)width, label, &visit->entries[k], own->scratch);
    }
  return TRUE;
}

static gboolean
visit_error (PareRunner *runner, guint window, Visit *visit)
{
  Run *run = visit->run;
  PareView view = pare_runner_get_output (runner, 0);
  const PareTensor *x = visit->data->x;
  gboolean windows = pare_dataset_has_windows (run->dataset);
  gint64 n = windows ? x->shape.dims[1] : pare_tensor_count (x);
  const float *row = (const float *)x->data + (windows ? (gsize)window * n : 0);
  if (pare_shape_count (&view.shape) != n || n < 1)
    {
      g_autofree char *text = pare_shape_to_string (&view.shape);
      g_set_error (&visit->error, PARE_ERROR, PARE_ERROR_SHAPE,
                   "%s: the first output is %s, it cannot be the reconstruction of the %" G_GINT64_FORMAT " input values of %s", run->model,
                   text, n, pare_dataset_get_path (run->dataset));
      return FALSE;
    }
  g_autofree float *v = g_new (float, n);
  double sum = 0;
  to_floats (&view, 0, (guint)n, v);
  for (gint64 i = 0; i < n; i++)
    sum += ((double)v[i] - row[i]) * ((double)v[i] - row[i]);
  visit->sum += sum / n;
  visit->windows++;
  return TRUE;
}

static gboolean
on_run (PareRunner *runner, guint window, gpointer data)
{
  Visit *visit = data;
  switch (visit->run->task)
    {
    case PARE_TASK_ANOMALY:
      return visit_error (runner, window, visit);
    case PARE_TASK_NEXT_TOKEN:
      return visit_tokens (runner, visit);
    default:
      return visit_classes (runner, visit);
    }
}

static PareMeasure
measure_of (Run *run)
{
  return (PareMeasure){ .task = run->task,
                        .labelled = run->labelled,
                        .baseline = run->options->baseline,
                        .finished = run->finished,
                        .kl = run->kl,
                        .top5 = run->top5,
                        .has_top5 = run->width > TOP,
                        .n_samples = run->n_samples };
}

/* With the lock held. */
static gboolean
is_decided (Run *run)
{
  double d, low, high;
  guint done = run->samples_done;
  if (!run->paired || done < FIRST_SAMPLES || done >= run->n_samples)
    return FALSE;
  pare_stat_paired_anytime (done, run->lost, run->gained, ALPHA, &d, &low, &high);
  return low >= -run->options->tolerance || high < -run->options->tolerance;
}

/* Stores what a worker has gathered. A copy for the snapshot is made under the lock; the figures and the callback happen outside it, one at
 * a time. */
static void
store_pending (Run *run, Pending *pending, gint64 now)
{
  if (pending->samples == NULL || pending->samples->len == 0)
    return;
  g_mutex_lock (&run->lock);
  const Entry *e = (const Entry *)(const void *)pending->entries->data;
  for (guint i = 0; i < pending->samples->len && !g_atomic_int_get (&run->decided); i++) /* what was decided without it stays so */
    {
      guint sample = g_array_index (pending->samples, guint, i);
      for (guint k = run->starts[sample]; k < run->starts[sample + 1]; k++)
        store (run, k, e++);
      g_atomic_int_inc ((gint *)&run->samples_done);
      if (run->options->stop_early && is_decided (run))
        g_atomic_int_set (&run->decided, TRUE);
    }
  g_array_set_size (pending->samples, 0);
  g_array_set_size (pending->entries, 0);
  pending->stored = now;
  guint done = run->samples_done;
  gboolean first = run->last_snapshot == 0;
  gboolean due = first ? done >= FIRST_SAMPLES || now - run->started >= FIRST_US : now - run->last_snapshot >= SNAPSHOT_US;
  gboolean asked = run->options->snapshot != NULL || (run->options->stop_early && !run->paired);
  gboolean take = asked && due && !run->in_snapshot && done < run->n_samples;
  PareEvaluation *partial = NULL;
  g_autofree guint8 *finished = NULL, *top5 = NULL;
  g_autofree double *kl = NULL;
  PareMeasure m = measure_of (run);
  if (take)
    {
      run->in_snapshot = TRUE;
      run->last_snapshot = now;
      partial = pare_evaluation_copy (run->result);
      finished = g_memdup2 (run->finished, run->result->n);
      top5 = g_memdup2 (run->top5, run->result->n);
      kl = g_memdup2 (run->kl, run->result->n * sizeof *kl);
    }
  g_mutex_unlock (&run->lock);
  pare_control_report (run->control, "evaluate", done, run->n_samples);
  if (partial == NULL)
    return;
  m.finished = finished;
  m.top5 = top5;
  m.kl = kl;
  pare_evaluation_measure (partial, &m);
  gboolean decided
      = run->options->stop_early && !run->paired && done >= FIRST_SAMPLES && pare_evaluation_is_decided (partial, run->options->tolerance);
  if (run->options->snapshot != NULL)
    run->options->snapshot (partial, run->options->data);
  pare_evaluation_unref (partial);
  g_mutex_lock (&run->lock);
  run->in_snapshot = FALSE;
  if (decided)
    g_atomic_int_set (&run->decided, TRUE);
  g_mutex_unlock (&run->lock);
}

/* Called after every sample. */
static void
after_sample (Run *run, int worker, guint sample)
{
  Pending *pending = &run->pending[worker];
  gint64 now = g_get_monotonic_time ();
  g_array_append_val (pending->samples, sample);
  if (now - pending->stored >= LATE_US || (guint)g_atomic_int_get ((gint *)&run->samples_done) + pending->samples->len <= FIRST_SAMPLES)
    store_pending (run, pending, now);
}

static gboolean
fail (Run *run, guint index, GError *error)
{
  g_mutex_lock (&run->lock);
  if (run->error == NULL || index < run->error_at)
    {
      g_clear_error (&run->error);
      run->error = error;
      run->error_at = index;
    }
  else
    g_error_free (error);
  g_mutex_unlock (&run->lock);
  return FALSE;
}

/* Nothing is left to do for it: it was done before the evaluation was stopped, or enough is known. No other thread touches its entries. */
static gboolean
may_skip (Run *run, guint sample)
{
  guint first = run->starts[sample];
  return g_atomic_int_get (&run->decided) || first == run->starts[sample + 1] || run->finished[first];
}

/* The sample at this place of the order; and the one behind it, of the worker's range, where small ones are many: it comes while this one
 * runs. What cannot be loaded is so when its turn has come. */
static gboolean
load (Run *run, guint index, guint end, int worker, PareSample *sample, GError **error)
{
  Pending *own = &run->pending[worker];
  PareSplit split = run->options->split;
  if (own->ahead_of == index + 1)
    {
      *sample = own->ahead;
      own->ahead = (PareSample){ 0 };
    }
  else if (!pare_dataset_load (run->dataset, split, run->order[index], sample, error))
    return FALSE;
  pare_sample_clear (&own->ahead);
  own->ahead_of = 0;
  if (index + 1 < end && sample->x->bytes <= AHEAD && !may_skip (run, run->order[index + 1])
      && pare_dataset_load (run->dataset, split, run->order[index + 1], &own->ahead, NULL))
    {
      own->ahead_of = index + 2;
      pare_runner_expect (run->runners[worker], own->ahead.x->data, own->ahead.x->bytes);
    }
  return TRUE;
}

/* The sample through the part of the model that is not known yet. */
static gboolean
run_from_prefix (Run *run, guint rank, guint end, int worker, Visit *visit, PareSample *loaded, GError **error)
{
  gint64 label = -1;
  guint n = pare_program_get_n_inputs (run->program);
  PareRunner *runner = run->runners[worker];
  const PareCut *cut = pare_prefix_use_load (run->prefix, worker, rank, end, runner, &label);
  gboolean whole = cut == NULL || cut->needs_input;
  g_autoptr (GPtrArray) kept = whole ? g_ptr_array_new_with_free_func ((GDestroyNotify)pare_tensor_unref) : NULL;
  g_autofree PareView *views = whole ? g_new0 (PareView, MAX (n, 1)) : NULL;
  loaded->label = label;
  if ((whole || run->task != PARE_TASK_CLASSIFICATION) && !load (run, rank, end, worker, loaded, error))
    return FALSE;
  if (whole && !pare_evaluate_inputs (run->program, run->dataset, loaded->x, kept, views, error))
    return FALSE;
  return pare_prefix_use_run (run->prefix, runner, cut, G_MAXUINT, rank, loaded->label, views, n, run->control, error)
         && on_run (runner, 0, visit);
}

/* end: of the worker's range */
static gboolean
one_sample (Run *run, guint index, guint end, int worker)
{
  GError *error = NULL;
  guint sample = run->order[index];
  g_auto (PareSample) loaded = { 0 };
  if (pare_control_check (run->control, &error))
    return fail (run, index, error);
  if (may_skip (run, sample))
    return TRUE;
  if (run->runners[worker] == NULL && (run->runners[worker] = pare_runner_new (run->program, 1, &error)) == NULL)
    return fail (run, index, error);
  Pending *pending = &run->pending[worker];
  if (pending->samples == NULL)
    {
      pending->samples = g_array_new (FALSE, FALSE, sizeof (guint));
      pending->entries = g_array_new (FALSE, TRUE, sizeof (Entry));
    }
  guint at = pending->entries->len;
  g_array_set_size (pending->entries, at + run->starts[sample + 1] - run->starts[sample]);
  Visit visit
      = { .run = run, .pending = pending, .sample = sample, .data = &loaded, .entries = &g_array_index (pending->entries, Entry, at) };
  gboolean fine;
  if (run->prefix != NULL)
    fine = run_from_prefix (run, index, end, worker, &visit, &loaded, &error);
  else
    fine = load (run, index, end, worker, &loaded, &error)
           && pare_evaluate_feed (run->program, run->runners[worker], run->dataset, &loaded, on_run, &visit, run->control, &error);
  if (!fine)
    {
      if (error == NULL)
        error = visit.error != NULL ? visit.error
                                    : g_error_new (PARE_ERROR, PARE_ERROR_DATA, "%s: sample %u could not be run", run->model, sample);
      return fail (run, index, error);
    }
  if (run->task == PARE_TASK_ANOMALY)
    visit.entries[0] = (Entry){ .label = (gint32)loaded.label, .score = (float)(visit.sum / MAX (visit.windows, 1)), .kl = NAN };
  after_sample (run, worker, sample);
  return TRUE;
}

static gboolean
some_samples (guint first, guint count, int worker, gpointer data)
{
  for (guint i = first; i < first + count; i++)
    if (!one_sample (data, i, first + count, worker))
      return FALSE;
  return TRUE;
}

/* Entries of each sample: one, or its positions. */
static gboolean
make_starts (Run *run, GError **error)
{
  run->starts = g_new0 (guint, run->n_samples + 1);
  guint64 total = 0;
  for (guint i = 0; i < run->n_samples; i++)
    {
      guint64 entries = 1;
      if (run->task == PARE_TASK_NEXT_TOKEN && i == 0)
        {
          g_auto (PareSample) sample = { 0 };
          if (!pare_dataset_load (run->dataset, run->options->split, i, &sample, error))
            return FALSE;
          entries = (guint64)pare_tensor_count (sample.labels != NULL ? sample.labels : sample.x);
        }
      else if (run->task == PARE_TASK_NEXT_TOKEN)
        entries = run->starts[1]; /* rows of one array: all alike */
      total += entries;
      if (total > G_MAXINT32 / 8)
        {
          g_set_error (error, PARE_ERROR, PARE_ERROR_MEMORY, "%s: too many positions to keep", pare_dataset_get_path (run->dataset));
          return FALSE;
        }
      run->starts[i + 1] = (guint)total;
    }
  return TRUE;
}

guint *
pare_evaluate_order (guint n)
{
  /* A seeded shuffle (Fisher-Yates): whatever the order of the files, the first samples stand for all. */
  PareRng rng = { .state = 1 };
  guint *order = g_new (guint, MAX (n, 1));
  for (guint i = 0; i < n; i++)
    order[i] = i;
  for (guint i = n; i > 1; i--)
    {
      guint k = (guint)pare_rng_below (&rng, i), keep = order[i - 1];
      order[i - 1] = order[k];
      order[k] = keep;
    }
  return order;
}

/* What an evaluation that was stopped has done already. */
static void
take_over (Run *run)
{
  const PareEvaluation *from = run->options->resume;
  const PareUnfinished *rest = from != NULL ? from->unfinished : NULL;
  guint n = run->result->n;
  if (rest == NULL || from->n != n)
    return;
  memcpy (run->finished, rest->finished, n);
  memcpy (run->top5, rest->top5, n);
  memcpy (run->kl, rest->kl, n * sizeof *run->kl);
  memcpy (run->result->prediction, from->prediction, n * sizeof *from->prediction);
  memcpy (run->result->label, from->label, n * sizeof *from->label);
  memcpy (run->result->confidence, from->confidence, n * sizeof *from->confidence);
  memcpy (run->result->correct, from->correct, n);
  memcpy (run->result->score, from->score, n * sizeof *from->score);
  run->width = rest->width;
  if (from->outputs != NULL)
    {
      run->result->n_outputs = from->n_outputs;
      run->result->outputs = g_memdup2 (from->outputs, (gsize)n * from->n_outputs * sizeof *from->outputs);
    }
  for (guint i = 0; i < run->n_samples; i++)
    run->samples_done += run->starts[i] < run->starts[i + 1] && run->finished[run->starts[i]];
  for (guint i = 0; run->paired && i < n; i++)
    if (run->finished[i])
      {
        run->lost += run->options->baseline->correct[i] && !run->result->correct[i];
        run->gained += !run->options->baseline->correct[i] && run->result->correct[i];
      }
}

static gboolean
prepare (Run *run, const PareGraph *graph, GError **error)
{
  const PareEvaluateOptions *o = run->options;
  const char *path = pare_dataset_get_path (run->dataset);
  if (run->task == PARE_TASK_DETECTION)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "%s: evaluating detection models (mAP) is not supported yet", path);
      return FALSE;
    }
  if (run->task == PARE_TASK_ANOMALY && !run->labelled)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: the task anomaly needs labels (0: normal)", path);
      return FALSE;
    }
  run->n_samples = pare_dataset_get_n_samples (run->dataset, o->split);
  if (o->limit > 0)
    run->n_samples = MIN (run->n_samples, o->limit);
  PareCompileOptions compile = { .backend = o->backend };
  run->program
      = o->program != NULL ? pare_program_ref (o->program) : pare_evaluate_compile (graph, run->dataset, o->split, &compile, error);
  if (run->program == NULL || !make_starts (run, error))
    return FALSE;
  if (pare_program_get_n_outputs (run->program) == 0)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_SHAPE, "%s: the model has no output", run->model);
      return FALSE;
    }
  guint n = run->starts[run->n_samples];
  run->result = pare_evaluation_new (n);
  run->result->all = n;
  if (run->task == PARE_TASK_NEXT_TOKEN)
    {
      run->result->units = g_new (guint, MAX (run->n_samples, 1));
      for (guint i = 0; i < run->n_samples; i++)
        run->result->units[i] = run->starts[i + 1] - run->starts[i];
    }
  run->finished = g_new0 (guint8, MAX (n, 1));
  run->top5 = g_new0 (guint8, MAX (n, 1));
  run->kl = g_new0 (double, MAX (n, 1));
  run->order = pare_evaluate_order (run->n_samples);
  const PareEvaluation *baseline = o->baseline;
  run->paired = run->task == PARE_TASK_CLASSIFICATION && baseline != NULL && baseline->n == n && baseline->done == n;
  take_over (run);
  if (o->prefix != NULL && !pare_dataset_has_windows (run->dataset)
      && (run->prefix = pare_prefix_use_new (o->prefix, run->program, run->dataset, o->split, run->n_samples, run->threads)) != NULL)
    {
      pare_prefix_use_want_change (run->prefix, run->n_samples);
      pare_prefix_cache_hold (o->prefix, run->program, FALSE);
    }
  return TRUE;
}

static void
run_clear (Run *run)
{
  for (int i = 0; i < run->threads; i++)
    {
      if (run->runners[i] != NULL)
        pare_runner_free (run->runners[i]);
      pare_sample_clear (&run->pending[i].ahead);
      g_free (run->pending[i].v);
      g_free (run->pending[i].scratch);
      if (run->pending[i].samples != NULL)
        {
          g_array_unref (run->pending[i].samples);
          g_array_unref (run->pending[i].entries);
        }
    }
  g_free (run->runners);
  g_free (run->pending);
  if (run->program != NULL)
    pare_program_unref (run->program);
  g_free (run->model);
  g_free (run->order);
  g_free (run->starts);
  g_free (run->finished);
  g_free (run->top5);
  g_free (run->kl);
  pare_prefix_use_free (run->prefix);
  pare_evaluation_unref (run->result);
  g_clear_error (&run->error);
  g_mutex_clear (&run->lock);
}

PareEvaluation *
pare_evaluate (const PareGraph *graph, PareDataset *dataset, const PareEvaluateOptions *options, PareControl *control, GError **error)
{
  static const PareEvaluateOptions defaults = { .split = PARE_SPLIT_REPORT };
  Run run = { .dataset = dataset, .options = options != NULL ? options : &defaults, .control = control };
  run.threads = run.options->threads > 0 ? MIN (run.options->threads, 1024) : pare_default_threads ();
  run.task = pare_dataset_get_task (dataset);
  run.labelled = pare_dataset_has_labels (dataset);
  run.offset = pare_dataset_get_class_offset (dataset);
  run.model = g_strdup (graph->path != NULL ? graph->path : graph->name != NULL ? graph->name : "model");
  run.runners = g_new0 (PareRunner *, run.threads);
  run.pending = g_new0 (Pending, run.threads);
  g_mutex_init (&run.lock);
  PareEvaluation *result = NULL;
  if (prepare (&run, graph, error))
    {
      run.started = g_get_monotonic_time ();
      if (pare_parallel_ranges (run.n_samples, RANGE, run.threads, some_samples, &run))
        {
          for (int i = 0; i < run.threads; i++)
            store_pending (&run, &run.pending[i], g_get_monotonic_time ());
          PareMeasure m = measure_of (&run);
          pare_evaluation_measure (run.result, &m);
          result = g_steal_pointer (&run.result);
          if (result->done < result->all)
            {
              result->stopped_early = TRUE;
              result->unfinished = g_new0 (PareUnfinished, 1);
              *result->unfinished
                  = (PareUnfinished){ g_steal_pointer (&run.finished), g_steal_pointer (&run.top5), g_steal_pointer (&run.kl), run.width };
            }
        }
      else
        g_propagate_error (error, g_steal_pointer (&run.error));
    }
  run_clear (&run);
  return result;
}
