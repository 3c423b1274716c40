/* The long jobs: baseline, evaluation, latency, calibration. */
#include "engine/project/pare-limits.h"
#include "engine/project/pare-session-private.h"
#include "engine/project/pare-statistics-cache.h"

#include <math.h>

typedef struct
{
  PareSessionModel *model;
  PareGraph *graph;     /* what runs; NULL: not made yet */
  PareProgram *program; /* it, compiled for the data (nullable) */
  PareDataset *dataset;
  PareSplit split;
  PareEvaluation *baseline;
  ParePrefixCache *prefix;    /* nullable */
  PareEvaluation *unfinished; /* nullable: what has been done already */
  gboolean early;             /* only until the tolerance is decided */
  double tolerance;
  char *key;
  guint repeats;
  gboolean original;
  PareJob *job;
} HeavyJob;

static void
heavy_free (gpointer data)
{
  HeavyJob *h = data;
  pare_session_model_unref (h->model);
  g_clear_pointer (&h->graph, pare_graph_unref);
  g_clear_pointer (&h->program, pare_program_unref);
  g_clear_pointer (&h->dataset, pare_dataset_unref);
  g_clear_pointer (&h->baseline, pare_evaluation_unref);
  g_clear_pointer (&h->prefix, pare_prefix_cache_unref);
  g_clear_pointer (&h->unfinished, pare_evaluation_unref);
  g_free (h->key);
  g_free (h);
}

static HeavyJob *
heavy_new (PareSession *self, PareGraph *graph, const char *key)
{
  HeavyJob *h = g_new0 (HeavyJob, 1);
  h->model = pare_session_model_ref (self->model);
  h->graph = graph != NULL ? pare_graph_ref (graph) : NULL;
  h->dataset = self->dataset != NULL ? pare_dataset_ref (self->dataset) : NULL;
  h->split = self->split;
  h->key = g_strdup (key);
  return h;
}

/* The answer is to a question that is still asked: same model, data, split. */
static gboolean
still_ours (PareSession *self, const HeavyJob *h)
{
  return h->model == self->model && h->dataset == self->dataset && h->split == self->split;
}

static gboolean
is_cancelled (const GError *error)
{
  return g_error_matches (error, PARE_ERROR, PARE_ERROR_CANCELLED);
}

void
pare_session_cancel_heavy (PareSession *self, int tag)
{
  PareJob *job = pare_scheduler_get_running (self->scheduler, LANE_HEAVY);
  if (job == NULL || pare_job_get_tag (job) != tag)
    return;
  pare_job_cancel (job);
  if (tag == HEAVY_LATENCY_ORIGINAL)
    self->latency_original_state = WORK_WANTED;
}

/* --- accuracy --- */

static void
on_snapshot_in_worker (PareEvaluation *partial, gpointer data)
{
  HeavyJob *h = data;
  pare_job_post (h->job, pare_evaluation_ref (partial));
}

static gpointer
run_evaluate (PareJob *job, PareControl *control, gpointer data, GError **error)
{
  HeavyJob *h = data;
  h->job = job;
  PareEvaluateOptions options = { .split = h->split,
                                  .program = h->program,
                                  .baseline = h->baseline,
                                  .snapshot = on_snapshot_in_worker,
                                  .data = h,
                                  .prefix = h->prefix,
                                  .stop_early = h->early,
                                  .tolerance = h->tolerance,
                                  .resume = h->unfinished };
  return pare_evaluate (h->graph, h->dataset, &options, control, error);
}

static void
set_evaluation (PareSession *self, PareEvaluation *evaluation, PareOrigin origin)
{
  pare_evaluation_ref (evaluation);
  g_clear_pointer (&self->evaluation, pare_evaluation_unref);
  self->evaluation = evaluation;
  self->evaluation_origin = origin;
}

/* The recipe in use is the one that the job works for (any that asks for nothing is the original). */
static gboolean
is_current (PareSession *self, const char *key)
{
  PareHistoryEntry *entry = pare_session_current (self);
  return entry != NULL && g_str_equal (entry->key, key);
}

static void
on_evaluation_news (PareJob *job, gpointer snapshot, gpointer owner)
{
  PareSession *self = owner;
  HeavyJob *h = pare_job_get_data (job);
  if (!still_ours (self, h))
    return;
  pare_session_entry_set_evaluation (self, h->key, snapshot, PARE_ORIGIN_PROVISIONAL);
  if (!is_current (self, h->key))
    return;
  set_evaluation (self, snapshot, PARE_ORIGIN_PROVISIONAL);
  pare_session_emit (self, SIGNAL_EVALUATION);
}

static void
on_baseline (PareJob *job, gpointer data, const GError *error, gpointer owner)
{
  PareSession *self = owner;
  HeavyJob *h = pare_job_get_data (job);
  g_autoptr (PareEvaluation) result = data;
  if (still_ours (self, h) && error == NULL)
    {
      pare_session_keep_evaluation (self, h->key, result, TRUE);
      self->baseline = pare_evaluation_ref (result);
      self->baseline_state = WORK_DONE;
      pare_session_entry_set_evaluation (self, h->key, result, PARE_ORIGIN_MEASURED);
      if (is_current (self, h->key))
        {
          set_evaluation (self, result, PARE_ORIGIN_MEASURED);
          self->evaluation_state = WORK_DONE;
        }
      pare_session_emit (self, SIGNAL_EVALUATION);
    }
  else if (still_ours (self, h) && !is_cancelled (error))
    {
      self->baseline_state = WORK_DONE;
      pare_session_message (self, "error", "Accuracy cannot be measured: %s", error->message);
    }
  else if (still_ours (self, h) && pare_job_was_stopped (job))
    {
      self->baseline_state = WORK_DONE;
      self->evaluation_origin = self->evaluation != NULL ? PARE_ORIGIN_STALE : PARE_ORIGIN_NONE;
      pare_session_emit (self, SIGNAL_EVALUATION);
    }
  pare_session_pump (self);
}

static void
on_evaluated (PareJob *job, gpointer data, const GError *error, gpointer owner)
{
  PareSession *self = owner;
  HeavyJob *h = pare_job_get_data (job);
  g_autoptr (PareEvaluation) result = data;
  gboolean current = still_ours (self, h) && is_current (self, h->key);
  if (current && error == NULL && result->stopped_early)
    {
      /* Enough is known to go on dragging; the whole figure comes when the person rests. */
      pare_session_keep_unfinished (self, h->key, result, g_get_monotonic_time () - pare_job_get_info (job)->started);
      pare_session_entry_set_evaluation (self, h->key, result, PARE_ORIGIN_PROVISIONAL);
      set_evaluation (self, result, PARE_ORIGIN_PROVISIONAL);
      pare_session_emit (self, SIGNAL_EVALUATION);
    }
  else if (still_ours (self, h) && error == NULL && !result->stopped_early)
    {
      /* Whole figures are true of their recipe, even if the person has gone on: they go into history, and onto the charts only if they are
       * current. */
      pare_session_entry_set_evaluation (self, h->key, result, PARE_ORIGIN_MEASURED);
      if (current)
        {
          set_evaluation (self, result, PARE_ORIGIN_MEASURED);
          self->evaluation_state = WORK_DONE;
          pare_session_emit (self, SIGNAL_EVALUATION);
        }
      pare_session_keep_evaluation (self, h->key, result, FALSE);
    }
  else if (current && pare_job_get_generation (job) == self->generation && (!is_cancelled (error) || pare_job_was_stopped (job)))
    {
      self->evaluation_state = WORK_DONE;
      if (self->evaluation_origin == PARE_ORIGIN_PROVISIONAL)
        self->evaluation_origin = PARE_ORIGIN_STALE;
      if (!is_cancelled (error))
        pare_session_message (self, "error", "Accuracy cannot be measured: %s", error->message);
      pare_session_emit (self, SIGNAL_EVALUATION);
    }
  pare_session_pump (self);
}

static PareJobSpec
heavy_spec (PareSession *self, HeavyJob *h, int tag, const char *name, PareJobRun run, PareJobDone done, GDestroyNotify result_free)
{
  return (PareJobSpec){ .lane = LANE_HEAVY,
                        .name = name,
                        .generation = self->generation,
                        .tag = tag,
                        .quiet = self->debounce != NULL,                     /* many in a second while a knob moves */
                        .nice = tag <= HEAVY_EVALUATE ? EVALUATION_NICE : 0, /* times are taken at full priority */
                        .run = run,
                        .data = h,
                        .data_free = heavy_free,
                        .result_free = result_free,
                        .snapshot_free = (GDestroyNotify)pare_evaluation_unref,
                        .done = done,
                        .news = tag <= HEAVY_EVALUATE ? on_evaluation_news : NULL };
}

static void
start_heavy (PareSession *self, HeavyJob *h, int tag, const char *name, PareJobRun run, PareJobDone done, GDestroyNotify result_free)
{
  PareJobSpec spec = heavy_spec (self, h, tag, name, run, done, result_free);
  pare_scheduler_start (self->scheduler, &spec);
}

void
pare_session_start_baseline (PareSession *self)
{
  HeavyJob *h = heavy_new (self, self->model->graph, pare_history_get_entry (self->history, 0)->key);
  h->prefix = pare_prefix_cache_ref (pare_session_get_prefix (self));
  start_heavy (self, h, HEAVY_BASELINE, "Measuring the original", run_evaluate, on_baseline, (GDestroyNotify)pare_evaluation_unref);
}

PareJobSpec
pare_session_evaluation_spec (PareSession *self, PareGraph *graph, const char *key)
{
  HeavyJob *h = heavy_new (self, graph, key);
  PareEvaluation *unfinished = pare_session_find_unfinished (self, h->key);
  const PareReady *ready = graph != NULL ? pare_session_find_ready_graph (self, graph) : NULL;
  h->program = ready != NULL ? pare_program_ref (ready->program) : NULL;
  PareLimits limits;
  h->baseline = pare_evaluation_ref (self->baseline);
  h->prefix = pare_prefix_cache_ref (pare_session_get_prefix (self));
  h->unfinished = unfinished != NULL ? pare_evaluation_ref (unfinished) : NULL;
  pare_session_get_limits (self, &limits);
  h->early = self->debounce != NULL && unfinished == NULL;
  h->tolerance = limits.tolerance_pp / 100;
  return heavy_spec (self, h, HEAVY_EVALUATE, "Measuring accuracy", run_evaluate, on_evaluated, (GDestroyNotify)pare_evaluation_unref);
}

void
pare_session_name_evaluation (PareSession *self, const char *key)
{
  PareJob *job = pare_scheduler_get_running (self->scheduler, LANE_HEAVY);
  if (job == NULL || pare_job_get_tag (job) != HEAVY_EVALUATE || pare_job_get_generation (job) != self->generation)
    return;
  HeavyJob *h = pare_job_get_data (job);
  g_free (h->key);
  h->key = g_strdup (key);
}

void
pare_session_pass_graph (PareGraph *graph, gpointer evaluation)
{
  ((HeavyJob *)evaluation)->graph = pare_graph_ref (graph);
}

/* --- latency --- */

static void
latency_free (gpointer data)
{
  pare_latency_clear (data);
  g_free (data);
}

static gpointer
run_latency (PareJob *job, PareControl *control, gpointer data, GError **error)
{
  HeavyJob *h = data;
  g_autoptr (PareProgram) program = h->dataset != NULL ? pare_evaluate_compile (h->graph, h->dataset, h->split, NULL, error)
                                                       : pare_program_compile (h->graph, NULL, error);
  PareLatency *latency = g_new0 (PareLatency, 1);
  if (program != NULL && !pare_control_check (control, error))
    pare_cost_latency (program, pare_default_threads (), h->repeats, TRUE, latency, control, error);
  return latency;
}

static void
on_latency (PareJob *job, gpointer data, const GError *error, gpointer owner)
{
  PareSession *self = owner;
  HeavyJob *h = pare_job_get_data (job);
  PareLatency *latency = data;
  gboolean here = h->model == self->model && h->dataset == self->dataset;
  WorkState *state = h->original ? &self->latency_original_state : &self->latency_state;
  if (here && error == NULL)
    {
      pare_session_keep_latency (self, h->key, latency);
      if (h->original)
        {
          if (self->has_latency_original)
            pare_latency_clear (&self->latency_original);
          pare_latency_copy (&self->latency_original, latency);
          self->has_latency_original = TRUE;
          self->latency_original_state = WORK_DONE;
        }
      if (is_current (self, h->key))
        {
          pare_session_show_latency (self, latency);
          self->latency_state = WORK_DONE;
        }
      pare_session_emit (self, SIGNAL_LATENCY);
    }
  else if (here && !is_cancelled (error))
    {
      *state = WORK_DONE;
      pare_session_message (self, "warning", "Latency cannot be measured: %s", error->message);
    }
  else if (here && pare_job_was_stopped (job))
    {
      *state = WORK_DONE;
      if (h->original)
        self->latency_state = WORK_DONE;
    }
  if (latency != NULL)
    latency_free (latency);
  pare_session_pump (self);
}

void
pare_session_start_latency (PareSession *self, gboolean original)
{
  PareGraph *graph = original ? self->model->graph : self->changed;
  HeavyJob *h = heavy_new (self, graph, original ? pare_history_get_entry (self->history, 0)->key : self->changed_key);
  double expected = self->has_latency_original ? self->latency_original.median_ms : 0;
  h->original = original;
  /* By itself: about 0.3 s. Asked for: more, but a slow model need not take a minute. */
  guint most = self->latency_repeats > 0 ? self->latency_repeats : 15;
  double budget_ms = self->latency_repeats > 0 ? 3000 : 300;
  h->repeats = expected > 0 ? (guint)CLAMP (budget_ms / expected, 5, most) : MIN (most, 15);
  start_heavy (self, h, original ? HEAVY_LATENCY_ORIGINAL : HEAVY_LATENCY_NOW, original ? "Timing the original" : "Timing", run_latency,
               on_latency, latency_free);
}

/* --- calibration: from the cache, else measured --- */

static gpointer
run_recall (PareJob *job, PareControl *control, gpointer data, GError **error)
{
  HeavyJob *h = data;
  g_autofree char *key = pare_statistics_cache_key (h->graph, h->dataset, PARE_BACKEND_AUTO);
  return pare_statistics_cache_get (key);
}

static gpointer
run_calibrate (PareJob *job, PareControl *control, gpointer data, GError **error)
{
  HeavyJob *h = data;
  return pare_statistics_cache_calibrate (h->graph, h->dataset, pare_default_threads (), PARE_BACKEND_AUTO, control, error);
}

static void
on_calibrated (PareJob *job, gpointer data, const GError *error, gpointer owner)
{
  PareSession *self = owner;
  HeavyJob *h = pare_job_get_data (job);
  g_autoptr (PareStatistics) statistics = data;
  gboolean here = h->model == self->model && h->dataset == self->dataset;
  if (here && statistics != NULL)
    {
      g_clear_pointer (&self->statistics, pare_statistics_unref);
      self->statistics = pare_statistics_ref (statistics);
      self->fill_wanted = TRUE; /* edits that were made ahead knew no ranges */
      pare_session_emit (self, SIGNAL_STATISTICS);
    }
  else if (here && error == NULL)
    self->calibrate_looked = TRUE;
  else if (here && !is_cancelled (error))
    {
      self->calibrate_failed = TRUE;
      pare_session_message (self, "error", "Activation ranges cannot be measured: %s", error->message);
    }
  else if (here && pare_job_was_stopped (job))
    self->calibrate_stopped = TRUE;
  pare_session_pump (self);
}

static void
start_calibrate (PareSession *self, const char *name, gboolean quiet, PareJobRun run)
{
  PareJobSpec spec = { .lane = LANE_CALIBRATE,
                       .name = name,
                       .quiet = quiet,
                       .background = !quiet,
                       .run = run,
                       .data = heavy_new (self, self->model->graph, ""),
                       .data_free = heavy_free,
                       .result_free = (GDestroyNotify)pare_statistics_unref,
                       .done = on_calibrated };
  pare_scheduler_start (self->scheduler, &spec);
}

void
pare_session_start_recall (PareSession *self)
{
  start_calibrate (self, "Reading activation ranges", TRUE, run_recall);
}

void
pare_session_start_calibration (PareSession *self)
{
  start_calibrate (self, "Activation ranges", FALSE, run_calibrate);
}
