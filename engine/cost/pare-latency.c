/* Latency: one inference after another on random input, after a warm-up. Layers are timed in runs of their own, since reading the clock
 * costs too. */
#include "engine/base/pare-error.h"
#include "engine/base/pare-rng.h"
#include "engine/cost/pare-cost.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define WARM_RUNS 3
#define WARM_US 50000
#define MAX_WARM_RUNS 50

static void
fill (PareTensor *t, PareRng *rng)
{
  gint64 n = pare_tensor_count (t);
  for (gint64 i = 0; i < n; i++)
    switch (t->dtype)
      {
      case PARE_DTYPE_FLOAT32:
        ((float *)t->data)[i] = (float)pare_rng_uniform (rng);
        break;
      case PARE_DTYPE_FLOAT64:
        ((double *)t->data)[i] = pare_rng_uniform (rng);
        break;
      case PARE_DTYPE_FLOAT16:
        ((guint16 *)t->data)[i] = pare_float_to_half ((float)pare_rng_uniform (rng));
        break;
      case PARE_DTYPE_UINT8:
        ((guint8 *)t->data)[i] = (guint8)pare_rng_below (rng, 256);
        break;
      case PARE_DTYPE_INT8:
        ((gint8 *)t->data)[i] = (gint8)((int)pare_rng_below (rng, 256) - 128);
        break;
      case PARE_DTYPE_BOOL:
        ((guint8 *)t->data)[i] = (guint8)pare_rng_below (rng, 2);
        break;
      case PARE_DTYPE_INT64:
        ((gint64 *)t->data)[i] = 1;
        break; /* likely an index: 1 is in range nearly everywhere */
      case PARE_DTYPE_INT32:
        ((gint32 *)t->data)[i] = 1;
        break;
      default:
        break;
      }
}

static int
compare_doubles (const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Between the two nearest of n sorted figures. */
static double
quantile (const double *sorted, guint n, double share)
{
  double at = share * (n - 1);
  guint i = (guint)at;
  return i + 1 < n ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

/* Medians over runs of each entry; a run that lists other entries is left out. */
static gboolean
time_layers (PareRunner *runner, const PareView *views, guint n_inputs, guint repeats, PareLatency *latency, PareControl *control,
             GError **error)
{
  g_autofree double *times = NULL;
  guint n = 0, runs = 0;
  pare_runner_set_profiling (runner, TRUE);
  for (guint r = 0; r < repeats; r++)
    {
      guint now;
      if (pare_control_check (control, error) || !pare_runner_run (runner, views, n_inputs, control, error))
        return FALSE;
      PareLayerTime *list = pare_runner_dup_times (runner, &now);
      if (r == 0)
        {
          n = now;
          times = g_new0 (double, (gsize)MAX (n, 1) * repeats);
        }
      if (now == n)
        {
          for (guint i = 0; i < n; i++)
            times[(gsize)i * repeats + runs] = list[i].ms;
          runs++;
        }
      if (r == 0)
        {
          latency->layers = list;
          latency->n_layers = n;
        }
      else
        pare_layer_times_free (list, now);
    }
  for (guint i = 0; i < n && runs > 0; i++)
    {
      qsort (times + (gsize)i * repeats, runs, sizeof *times, compare_doubles);
      latency->layers[i].ms = quantile (times + (gsize)i * repeats, runs, 0.5);
    }
  pare_runner_set_profiling (runner, FALSE);
  return TRUE;
}

static gboolean
time_runs (PareRunner *runner, const PareView *views, guint n_inputs, guint repeats, PareLatency *latency, PareControl *control,
           GError **error)
{
  gint64 start = g_get_monotonic_time ();
  for (guint r = 0; r < WARM_RUNS || (r < MAX_WARM_RUNS && g_get_monotonic_time () - start < WARM_US); r++)
    {
      if (pare_control_check (control, error) || !pare_runner_run (runner, views, n_inputs, control, error))
        return FALSE;
      if (g_get_monotonic_time () - start > 20 * WARM_US) /* a second a run: warm enough */
        break;
    }
  g_autofree double *times = g_new (double, repeats);
  for (guint r = 0; r < repeats; r++)
    {
      struct timespec before, after;
      if (pare_control_check (control, error))
        return FALSE;
      clock_gettime (CLOCK_MONOTONIC, &before);
      if (!pare_runner_run (runner, views, n_inputs, control, error))
        return FALSE;
      clock_gettime (CLOCK_MONOTONIC, &after);
      times[r] = 1e3 * (double)(after.tv_sec - before.tv_sec) + 1e-6 * (double)(after.tv_nsec - before.tv_nsec);
      pare_control_report (control, "measuring", r + 1, repeats);
    }
  qsort (times, repeats, sizeof *times, compare_doubles);
  latency->median_ms = quantile (times, repeats, 0.5);
  latency->p10_ms = quantile (times, repeats, 0.1);
  latency->p90_ms = quantile (times, repeats, 0.9);
  latency->repeats = repeats;
  return TRUE;
}

gboolean
pare_cost_latency (PareProgram *program, int threads, guint repeats, gboolean per_layer, PareLatency *latency, PareControl *control,
                   GError **error)
{
  memset (latency, 0, sizeof *latency);
  guint n_inputs = pare_program_get_n_inputs (program);
  repeats = CLAMP (repeats, 1, 100000);
  g_autoptr (PareRunner) runner = pare_runner_new (program, threads > 0 ? threads : pare_default_threads (), error);
  if (runner == NULL)
    return FALSE;
  g_autoptr (GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_tensor_unref);
  g_autofree PareView *views = g_new0 (PareView, n_inputs + 1);
  PareRng rng = { 1 };
  for (guint i = 0; i < n_inputs; i++)
    {
      PareDtype dtype;
      PareShape shape;
      pare_program_get_input (program, i, &dtype, &shape);
      PareTensor *t = pare_tensor_new (dtype, &shape, error);
      if (t == NULL)
        return FALSE;
      g_ptr_array_add (tensors, t);
      fill (t, &rng);
      views[i] = pare_tensor_view (t);
    }
  gboolean ok = time_runs (runner, views, n_inputs, repeats, latency, control, error);
  if (ok && per_layer)
    ok = time_layers (runner, views, n_inputs, MIN (repeats, 20), latency, control, error);
  if (!ok)
    {
      pare_latency_clear (latency);
      return FALSE;
    }
  struct rusage usage;
  if (getrusage (RUSAGE_SELF, &usage) == 0)
    latency->peak_rss_bytes = (guint64)usage.ru_maxrss * 1024;
  return TRUE;
}

void
pare_latency_clear (PareLatency *latency)
{
  pare_layer_times_free (latency->layers, latency->n_layers);
  latency->layers = NULL;
  latency->n_layers = 0;
}
