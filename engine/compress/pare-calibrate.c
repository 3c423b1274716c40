/* Statistics: the source graph runs over the calibration split, each worker fills histograms of its own, and these are added up. Memory
 * does not depend on the number of samples but for two sums per chunk of 16 of them, kept apart so that the figures do not depend on the
 * threads. */
#include "engine/compress/pare-compress-private.h"
#include "engine/evaluate/pare-evaluate.h"

#include <string.h>

#define CHUNK 16

typedef struct
{
  PareProgram *program;
  PareDataset *dataset;
  PareControl *control;
  char **names;
  guint n, n_samples, done;
  int threads;
  PareRunner **runners;       /* by worker */
  PareHistogram **histograms; /* by worker */
  double *sums;               /* by chunk, name: sum and sum of squares */
  GMutex lock;
  GError *error;
} Job;

typedef struct
{
  Job *job;
  int worker;
  guint chunk;
} Visit;

static gboolean
visit (PareRunner *runner, guint window, gpointer data)
{
  Visit *v = data;
  Job *job = v->job;
  double *sums = job->sums + (gsize)v->chunk * job->n * 2;
  for (guint i = 0; i < job->n; i++)
    {
      PareView view;
      if (!pare_runner_get_tap (runner, job->names[i], &view) || view.dtype != PARE_DTYPE_FLOAT32)
        continue;
      gint64 count = pare_shape_count (&view.shape);
      PareHistogram *h = &job->histograms[v->worker][i];
      h->sum = h->sum_squares = 0;
      if (count > 0)
        pare_histogram_add (h, view.data, (gsize)count);
      sums[2 * i] += h->sum;
      sums[2 * i + 1] += h->sum_squares;
    }
  return TRUE;
}

static gboolean
run_sample (Job *job, guint i, int worker, guint chunk, GError **error)
{
  PareSample sample = { 0 };
  if (!pare_dataset_load (job->dataset, PARE_SPLIT_CALIBRATION, i, &sample, error))
    return FALSE;
  Visit v = { job, worker, chunk };
  gboolean ok = pare_evaluate_feed (job->program, job->runners[worker], job->dataset, &sample, visit, &v, job->control, error);
  pare_sample_clear (&sample);
  return ok;
}

static gboolean
run_chunk (guint chunk, int worker, gpointer data)
{
  Job *job = data;
  GError *error = NULL;
  if (job->runners[worker] == NULL)
    {
      job->runners[worker] = pare_runner_new (job->program, 1, &error);
      job->histograms[worker] = g_new (PareHistogram, MAX (job->n, 1));
      for (guint i = 0; i < job->n; i++)
        pare_histogram_init (&job->histograms[worker][i]);
    }
  for (guint i = chunk * CHUNK; error == NULL && i < MIN ((chunk + 1) * CHUNK, job->n_samples); i++)
    {
      if (pare_control_check (job->control, &error) || !run_sample (job, i, worker, chunk, &error))
        break;
      g_mutex_lock (&job->lock);
      pare_control_report (job->control, "calibrating", ++job->done, job->n_samples);
      g_mutex_unlock (&job->lock);
    }
  if (error == NULL)
    return TRUE;
  g_mutex_lock (&job->lock);
  if (job->error == NULL)
    g_propagate_error (&job->error, g_steal_pointer (&error));
  g_mutex_unlock (&job->lock);
  g_clear_error (&error);
  return FALSE;
}

static void
job_clear (Job *job)
{
  for (int w = 0; w < job->threads; w++)
    {
      g_clear_pointer (&job->runners[w], pare_runner_free);
      g_free (job->histograms[w]);
    }
  g_clear_pointer (&job->program, pare_program_unref);
  g_strfreev (job->names);
  g_free (job->runners);
  g_free (job->histograms);
  g_free (job->sums);
  g_mutex_clear (&job->lock);
}

static char **
watched_values (const PareGraph *source)
{
  g_autoptr (PareConsumers) consumers = pare_graph_consumers (source);
  GPtrArray *names = g_ptr_array_new ();
  for (guint v = 0; v < source->n_values; v++)
    if (pare_activations_watches (source, consumers, v))
      g_ptr_array_add (names, g_strdup (source->values[v].name));
  g_ptr_array_add (names, NULL);
  return (char **)g_ptr_array_free (names, FALSE);
}

static PareStatistics *
collect (Job *job)
{
  g_autofree PareHistogram *histograms = g_new (PareHistogram, MAX (job->n, 1));
  guint chunks = (job->n_samples + CHUNK - 1) / CHUNK;
  for (guint i = 0; i < job->n; i++)
    {
      PareHistogram *h = &histograms[i];
      pare_histogram_init (h);
      for (int w = 0; w < job->threads; w++)
        if (job->histograms[w] != NULL)
          pare_histogram_merge (h, &job->histograms[w][i]);
      h->sum = h->sum_squares = 0;
      for (guint c = 0; c < chunks; c++)
        {
          h->sum += job->sums[((gsize)c * job->n + i) * 2];
          h->sum_squares += job->sums[((gsize)c * job->n + i) * 2 + 1];
        }
    }
  return pare_statistics_new ((const char *const *)job->names, histograms, job->n, job->n_samples);
}

PareStatistics *
pare_calibrate (const PareGraph *source, PareDataset *dataset, guint limit, int threads, PareBackend backend, PareControl *control,
                GError **error)
{
  Job job = { .dataset = dataset, .control = control };
  job.n_samples = pare_dataset_get_n_samples (dataset, PARE_SPLIT_CALIBRATION);
  if (limit > 0)
    job.n_samples = MIN (job.n_samples, limit);
  if (job.n_samples == 0)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: the calibration split is empty", pare_dataset_get_path (dataset));
      return NULL;
    }
  job.names = watched_values (source);
  job.n = g_strv_length (job.names);
  PareCompileOptions options = { .backend = backend, .taps = (const char *const *)job.names, .n_taps = job.n };
  job.program = pare_evaluate_compile (source, dataset, PARE_SPLIT_CALIBRATION, &options, error);
  if (job.program == NULL)
    {
      g_strfreev (job.names);
      return NULL;
    }
  guint chunks = (job.n_samples + CHUNK - 1) / CHUNK;
  job.threads = CLAMP (threads > 0 ? threads : pare_default_threads (), 1, (int)chunks);
  job.runners = g_new0 (PareRunner *, job.threads);
  job.histograms = g_new0 (PareHistogram *, job.threads);
  job.sums = g_new0 (double, (gsize)chunks *MAX (job.n, 1) * 2);
  g_mutex_init (&job.lock);
  PareStatistics *statistics = NULL;
  if (pare_parallel_for (chunks, job.threads, run_chunk, &job))
    statistics = collect (&job);
  else
    g_propagate_error (error, job.error);
  job_clear (&job);
  return statistics;
}
