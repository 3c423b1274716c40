/* Latency: one inference after another on random input, after a warm-up. Layers are timed in runs of their own, since reading the clock
 * costs too. */
#include "engine/base/pare-error.h"
#include "engine/base/pare-rng.h"
#include "engine/cost/pare-cost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

typedef struct
{
  double whole, off; /* ms; how far from the median of the runs before */
  PareLayerTime *list;
} Run;

static int
compare_runs (const void *a, const void *b)
{
  return compare_doubles (&((const Run *)a)->off, &((const Run *)b)->off);
}

static double
now_ms (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

#define LIKE_OTHERS 0.15 /* of the median: a run so near to it was not interrupted */
#define MOST_TRIES 4

/* The mean of those runs whose whole is nearest to the median without the clock read between layers: medians of each layer on its own would
 * not add up, and a run that something else interrupted says nothing of the layers. Where there are too few, more are made. */
static gboolean
time_layers (PareRunner *runner, const PareView *views, guint n_inputs, guint repeats, PareLatency *latency, PareControl *control,
             GError **error)
{
  g_autofree Run *runs = g_new0 (Run, repeats * MOST_TRIES);
  guint n = 0, done = 0, near = 0, wanted = (repeats + 1) / 2;
  gboolean ok = TRUE;
  pare_runner_set_profiling (runner, TRUE);
  while (ok && done < repeats * MOST_TRIES && (done < repeats || near < wanted))
    {
      double before = now_ms ();
      ok = !pare_control_check (control, error) && pare_runner_run (runner, views, n_inputs, control, error);
      if (!ok)
        break;
      Run *run = &runs[done++];
      run->whole = now_ms () - before;
      run->off = fabs (run->whole - latency->median_ms);
      run->list = pare_runner_dup_times (runner, &n); /* the plan's steps: the same list each time */
      near += run->off <= LIKE_OTHERS * latency->median_ms;
    }
  pare_runner_set_profiling (runner, FALSE);
  if (ok && done > 0)
    {
      qsort (runs, done, sizeof *runs, compare_runs);
      for (guint r = 0; r < wanted; r++)
        latency->profiled_ms += runs[r].whole / wanted;
      for (guint i = 0; i < n; i++)
        {
          double sum = 0;
          for (guint r = 0; r < wanted; r++)
            sum += runs[r].list[i].ms;
          runs[0].list[i].ms = sum / wanted;
        }
      latency->layers = g_steal_pointer (&runs[0].list);
      latency->n_layers = n;
    }
  for (guint r = 0; r < done; r++)
    pare_layer_times_free (runs[r].list, runs[r].list != NULL ? n : 0);
  return ok;
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
      if (pare_control_check (control, error))
        return FALSE;
      double before = now_ms ();
      if (!pare_runner_run (runner, views, n_inputs, control, error))
        return FALSE;
      times[r] = now_ms () - before;
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
  return pare_cost_latency_on (program, NULL, threads, repeats, per_layer, latency, control, error);
}

gboolean
pare_cost_latency_on (PareProgram *program, PareTensor *const *given, int threads, guint repeats, gboolean per_layer, PareLatency *latency,
                      PareControl *control, GError **error)
{
  memset (latency, 0, sizeof *latency);
  guint n_inputs = pare_program_get_n_inputs (program);
  repeats = CLAMP (repeats, 1, 100000);
  latency->threads = threads > 0 ? threads : pare_default_threads ();
  g_autoptr (PareRunner) runner = pare_runner_new (program, latency->threads, error);
  if (runner == NULL)
    return FALSE;
  latency->fast_share = pare_runner_get_coverage (runner);
  pare_program_get_memory (program, &latency->arena_bytes, &latency->tensors_bytes, &latency->constants_bytes);
  latency->packed_bytes = pare_program_get_packed_memory (program);
  latency->bf16_steps = pare_program_count_bf16 (program, &latency->bf16_multiplied);
  g_autoptr (GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_tensor_unref);
  g_autofree PareView *views = g_new0 (PareView, n_inputs + 1);
  PareRng rng = { 1 };
  for (guint i = 0; i < n_inputs; i++)
    {
      PareDtype dtype;
      PareShape shape;
      pare_program_get_input (program, i, &dtype, &shape);
      PareTensor *own = given != NULL ? given[i] : NULL, *t = own != NULL ? pare_tensor_ref (own) : pare_tensor_new (dtype, &shape, error);
      if (t == NULL)
        return FALSE;
      g_ptr_array_add (tensors, t);
      if (own == NULL)
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
  if (per_layer)
    latency->holders = pare_runner_dup_holders (runner, &latency->n_holders);
  latency->peak_rss_bytes = pare_cost_peak_memory ();
  return TRUE;
}

const char *
pare_cost_precision (guint bf16_steps, guint bf16_multiplied)
{
  return bf16_steps == 0                ? NULL
         : bf16_multiplied == 0         ? "bf16 computed in float32"
         : bf16_multiplied < bf16_steps ? "bf16, partly computed in float32"
                                        : "bf16";
}

void
pare_latency_clear (PareLatency *latency)
{
  pare_layer_times_free (latency->layers, latency->n_layers);
  g_clear_pointer (&latency->holders, g_free);
  latency->layers = NULL;
  latency->n_layers = latency->n_holders = 0;
}

void
pare_latency_copy (PareLatency *to, const PareLatency *from)
{
  *to = *from;
  to->layers = from->layers != NULL ? g_memdup2 (from->layers, MAX (from->n_layers, 1) * sizeof *from->layers) : NULL;
  to->holders = g_memdup2 (from->holders, from->n_holders * sizeof *from->holders);
  for (guint i = 0; to->layers != NULL && i < to->n_layers; i++)
    to->layers[i].op = g_strdup (from->layers[i].op);
}
