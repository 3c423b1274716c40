/* A recorded session of knob moves, and how long the figures take: live [MODEL DATA]
 * Every layer once: the person selects it, thinks for a moment, sets its weights to 4 bits, waits for the figure and takes it back. The
 * same again with half of its weights pruned, with a ratio that is typed, and with one that nothing could know before: what one move of a
 * hand reaches is compiled before it comes, what is typed after each digit. Then one slider of the middle layer is dragged over 30 values,
 * 30 in a second. Against: the same changes measured from the input, every sample. */
#include "engine/base/pare-rng.h"
#include "engine/onnx/pare-onnx.h"
#include "engine/project/pare-session.h"
#include "tests/remove-tree.h"

#include <glib/gstdio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THINK_MS 700
#define DIGIT_MS 150 /* between two keys: 80 words in a minute */
#define STEPS 30
#define STEP_US 33333
#define TICK_US 4000
#define TOLERANCE 0.01

static double
ms (gint64 us)
{
  return (double)us / 1e3;
}

/* Time that all threads of this process ran: what other programs do hardly shows in it. */
static double
cpu_ms (void)
{
  struct timespec t;
  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double
quantile (GArray *values, double q)
{
  g_array_sort (values, compare);
  return values->len > 0 ? g_array_index (values, double, MIN (values->len - 1, (guint)(q * values->len))) : NAN;
}

static double
mean (const GArray *values)
{
  double sum = 0;
  for (guint i = 0; i < values->len; i++)
    sum += g_array_index (values, double, i);
  return values->len > 0 ? sum / values->len : NAN;
}

/* --- how late the main loop is --- */

typedef struct
{
  gint64 due;
  GArray *late; /* double: ms */
} Ticker;

static gboolean
on_tick (gpointer data)
{
  Ticker *t = data;
  double late = ms (g_get_monotonic_time () - t->due);
  if (t->late != NULL)
    g_array_append_val (t->late, late);
  t->due = g_get_monotonic_time () + TICK_US;
  return G_SOURCE_CONTINUE;
}

static gboolean
tick_prepare (GSource *source, int *timeout)
{
  *timeout = -1;
  return FALSE;
}

static gboolean
tick_dispatch (GSource *source, GSourceFunc func, gpointer data)
{
  gboolean on = func (data);
  g_source_set_ready_time (source, ((Ticker *)data)->due);
  return on;
}

static GSourceFuncs ticker_funcs = { tick_prepare, NULL, tick_dispatch, NULL, NULL, NULL };

/* --- the session --- */

typedef struct
{
  PareSession *session;
  gint64 start, first, final;
  GArray *calls; /* double: ms that the edit itself keeps the main loop */
  guint intervals;
  gboolean opened;
} Watch;

static void
on_evaluation (PareSession *session, Watch *w)
{
  PareOrigin origin;
  const PareEvaluation *e = pare_session_get_evaluation (session, &origin);
  if (e == NULL || (origin != PARE_ORIGIN_PROVISIONAL && origin != PARE_ORIGIN_MEASURED))
    return;
  if (w->first == 0)
    {
      w->first = g_get_monotonic_time ();
      w->intervals++;
    }
  if (origin == PARE_ORIGIN_MEASURED && w->final == 0)
    w->final = g_get_monotonic_time ();
}

static void
on_message (PareSession *session, const char *severity, const char *text, gpointer unused)
{
  g_printerr ("%s: %s\n", severity, text);
}

static void
on_opened (GObject *object, GAsyncResult *result, gpointer data)
{
  GError *error = NULL;
  if (!pare_session_open_finish (PARE_SESSION (object), result, &error))
    {
      g_printerr ("%s\n", error->message);
      exit (1);
    }
  ((Watch *)data)->opened = TRUE;
}

static gboolean
is_quiet (PareSession *s)
{
  PareOrigin accuracy, latency;
  pare_session_get_evaluation (s, &accuracy);
  pare_session_get_latency (s, NULL, &latency, NULL, NULL);
  return accuracy == PARE_ORIGIN_MEASURED && latency == PARE_ORIGIN_MEASURED && pare_session_get_n_jobs (s) == 0
         && pare_session_get_statistics (s) != NULL;
}

static void
wait_quiet (PareSession *s)
{
  while (!is_quiet (s))
    g_main_context_iteration (NULL, TRUE);
}

static void
wait_us (gint64 us)
{
  gint64 until = g_get_monotonic_time () + us;
  while (g_get_monotonic_time () < until)
    g_main_context_iteration (NULL, TRUE);
}

static void
move (Watch *w, const char *layer, const PareLayerRecipe *change, guint group)
{
  w->first = w->final = 0;
  w->start = g_get_monotonic_time ();
  pare_session_set_layers (w->session, (const char *const[]){ layer, NULL }, change, "live", group);
  double took = ms (g_get_monotonic_time () - w->start);
  g_array_append_val (w->calls, took);
}

/* --- from the input --- */

typedef struct
{
  const PareGraph *graph;
  PareDataset *data;
  PareSplit split;
  const PareEvaluation *baseline;
  GArray *ms, *cpu, *saved; /* double, of each evaluation: ms, CPU ms, share of the samples that stopping early spares */
} Whole;

/* One whole evaluation of the changed layer as it was before there were kept states: compiled, every sample from the input. */
static void
measure_whole (Whole *w, const char *layer, const PareLayerRecipe *change)
{
  g_autoptr (PareRecipe) recipe = pare_recipe_new ();
  pare_recipe_set_layer (recipe, layer, change);
  g_autoptr (PareGraph) changed = pare_apply (w->graph, recipe, NULL, NULL, NULL, NULL);
  PareEvaluateOptions o = { .split = w->split, .baseline = w->baseline };
  wait_us (THINK_MS * 1000); /* as before an edit: after a pause, memory and clock are slower */
  gint64 start = g_get_monotonic_time ();
  double cpu_start = cpu_ms ();
  g_autoptr (PareEvaluation) e = changed != NULL ? pare_evaluate (changed, w->data, &o, NULL, NULL) : NULL;
  double took = ms (g_get_monotonic_time () - start), cpu = cpu_ms () - cpu_start;
  o.stop_early = TRUE;
  o.tolerance = TOLERANCE;
  g_autoptr (PareEvaluation) early = e != NULL ? pare_evaluate (changed, w->data, &o, NULL, NULL) : NULL;
  double saved = early != NULL ? 1 - (double)early->done / early->all : NAN;
  g_array_append_val (w->ms, took);
  g_array_append_val (w->cpu, cpu);
  g_array_append_val (w->saved, saved);
}

/* CPU time, in ms, that n runs of one image after another take on one thread: what evaluating n samples cannot be faster than. */
static double
alone_ms (PareProgram *program, PareDataset *data, PareSplit split, guint n)
{
  GError *error = NULL;
  g_auto (PareSample) sample = { 0 };
  g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
  double least = INFINITY;
  for (int round = 0; round < 5 && runner != NULL; round++)
    {
      g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_tensor_unref);
      pare_sample_clear (&sample);
      if (!pare_dataset_load (data, split, 0, &sample, &error))
        break;
      double start = cpu_ms ();
      for (guint i = 0; i < n; i++)
        if (!pare_evaluate_feed (program, runner, data, &sample, NULL, NULL, NULL, &error))
          break;
      least = MIN (least, cpu_ms () - start);
    }
  g_clear_error (&error);
  return least;
}

/* Milliseconds that evaluating all samples from the input takes where the program is there; the least of some, each after a pause. */
static double
samples_ms (const PareGraph *graph, PareProgram *program, PareDataset *data, PareSplit split, const PareEvaluation *baseline)
{
  double least = INFINITY;
  PareEvaluateOptions o = { .split = split, .baseline = baseline, .program = program };
  for (int round = 0; round < 6; round++)
    {
      wait_us (THINK_MS * 1000);
      gint64 start = g_get_monotonic_time ();
      g_autoptr (PareEvaluation) e = pare_evaluate (graph, data, &o, NULL, NULL);
      if (e != NULL)
        least = MIN (least, ms (g_get_monotonic_time () - start));
    }
  return least;
}

/* Milliseconds of each step's node in a run on one thread, least of many; NULL: it does not run. */
static double *
step_times (PareProgram *program, PareDataset *data, PareSplit split, const PareCuts *cuts)
{
  g_auto (PareSample) sample = { 0 };
  g_autoptr (PareRunner) runner = pare_runner_new (program, 1, NULL);
  if (runner == NULL || !pare_dataset_load (data, split, 0, &sample, NULL))
    return NULL;
  double *times = g_new0 (double, cuts->n_steps + 1);
  pare_runner_set_profiling (runner, TRUE);
  for (int round = 0; round < 30; round++)
    {
      guint n = 0;
      if (!pare_evaluate_feed (program, runner, data, &sample, NULL, NULL, NULL, NULL))
        break;
      PareLayerTime *now = pare_runner_dup_times (runner, &n);
      for (guint i = 0; i < n; i++)
        {
          guint step = 0;
          while (step < cuts->n_steps && cuts->layers[step] != now[i].layer)
            step++;
          if (step < cuts->n_steps)
            times[step] = round == 0 ? now[i].ms : MIN (times[step], now[i].ms);
        }
      pare_layer_times_free (now, n);
    }
  return times;
}

/* Share of the time that lies in the node or after it. */
static double
suffix_time (const PareCuts *cuts, const double *times, PareNodeId node)
{
  double all = 0, after = 0;
  gboolean here = FALSE;
  for (guint i = 0; i < cuts->n_steps; i++)
    {
      here |= cuts->layers[i] == node;
      all += times[i];
      after += here ? times[i] : 0;
    }
  return all > 0 ? after / all : NAN;
}

/* Share of the multiplications that lie in the node or after it. */
static double
suffix_share (const PareCuts *cuts, PareNodeId node)
{
  double before = 0;
  guint step = 0;
  while (step < cuts->n_steps && cuts->layers[step] != node)
    step++;
  for (guint i = 0; i < cuts->n && cuts->cuts[i].step <= step; i++)
    before = cuts->cuts[i].work;
  return 1 - before;
}

/* Of the values from `first` on, which stay where they are. */
static double
median_from (const GArray *values, guint first)
{
  g_autoptr (GArray) own = g_array_new (FALSE, FALSE, sizeof (double));
  g_array_append_vals (own, &g_array_index (values, double, first), values->len - first);
  return quantile (own, 0.5);
}

/* --- every layer once --- */

typedef struct
{
  const GArray *shares, *timed; /* double: of each layer's suffix, of multiplications and of time */
  GArray *first, *final;        /* double: ms */
  double total, total_cpu;
  double all, all_cpu; /* what the evaluations from the input would have taken */
  double expected, expected_cpu, expected_timed, expected_timed_cpu;
} Round;

static void
round_clear (Round *r)
{
  g_array_unref (r->first);
  g_array_unref (r->final);
}

/* What the window tells the session while 43.7 is being typed. */
static void
type_ratio (Watch *w, const PareLayerRecipe *change)
{
  static const double read[] = { 0.04, 0.43, 0.43, 0.437 }; /* after each key */
  for (guint i = 0; i < G_N_ELEMENTS (read); i++)
    {
      PareLayerRecipe seen = *change;
      seen.prune_ratio = read[i];
      pare_session_expect_change (w->session, &seen);
      wait_us (DIGIT_MS * 1000);
    }
  pare_session_expect_change (w->session, NULL); /* Enter */
}

/* Evaluations from the input lie between the edits, those of some layers for all: a shared machine is slow for seconds at a time. It is
 * their median that is gone by. */
static void
each_layer (Watch *w, Ticker *ticker, GArray *late, Whole *whole, const GPtrArray *layers, const PareLayerRecipe *change, gboolean typed,
            const char *mark, Round *r)
{
  gboolean detail = g_getenv ("PARE_LIVE_DETAIL") != NULL;
  guint before = whole->ms->len;
  double shares = 0, times = 0;
  r->first = g_array_new (FALSE, FALSE, sizeof (double));
  r->final = g_array_new (FALSE, FALSE, sizeof (double));
  for (guint i = 0; i < layers->len; i++)
    {
      const char *layer = layers->pdata[i];
      double share = g_array_index (r->shares, double, i);
      if (i % MAX (1, layers->len / 6) == 0)
        measure_whole (whole, layer, change);
      pare_session_expect_edit (w->session, (const char *const[]){ layer, NULL });
      wait_us (THINK_MS * 1000);
      if (typed)
        type_ratio (w, change);
      ticker->late = late;
      double cpu = cpu_ms ();
      move (w, layer, change, 0);
      while (w->final == 0)
        g_main_context_iteration (NULL, TRUE);
      cpu = cpu_ms () - cpu;
      ticker->late = NULL;
      double f = ms (w->first - w->start), l = ms (w->final - w->start);
      g_array_append_val (r->first, f);
      g_array_append_val (r->final, l);
      r->total += l;
      r->total_cpu += cpu;
      shares += share;
      times += g_array_index (r->timed, double, i);
      if (detail)
        g_print ("%s%-24s share %.3f first %7.1f final %7.1f ms, CPU %.1f ms; from the input %.1f ms, CPU %.1f ms\n", layer, mark, share, f,
                 l, cpu, g_array_index (whole->ms, double, whole->ms->len - 1), g_array_index (whole->cpu, double, whole->cpu->len - 1));
      pare_session_undo (w->session);
    }
  double median = median_from (whole->ms, before), median_cpu = median_from (whole->cpu, before);
  r->all = layers->len * median;
  r->all_cpu = layers->len * median_cpu;
  r->expected = shares * median;
  r->expected_cpu = shares * median_cpu;
  r->expected_timed = times * median;
  r->expected_timed_cpu = times * median_cpu;
}

static gboolean
one (const char *model, const char *data)
{
  g_autofree char *name = g_path_get_basename (model);
  g_autoptr (PareSession) s = pare_session_new ();
  Watch w = { .session = s, .calls = g_array_new (FALSE, FALSE, sizeof (double)) };
  g_autoptr (GArray) idle = g_array_new (FALSE, FALSE, sizeof (double)), busy = g_array_new (FALSE, FALSE, sizeof (double)),
                     whole_ms = g_array_new (FALSE, FALSE, sizeof (double)), saved = g_array_new (FALSE, FALSE, sizeof (double)),
                     whole_cpu = g_array_new (FALSE, FALSE, sizeof (double));
  Ticker ticker = { .due = g_get_monotonic_time () };
  g_autoptr (GSource) source = g_source_new (&ticker_funcs, sizeof (GSource));
  g_source_set_priority (source, G_PRIORITY_HIGH);
  g_source_set_callback (source, on_tick, &ticker, NULL);
  g_source_set_ready_time (source, 0);
  g_source_attach (source, NULL);
  g_signal_connect (s, "evaluation-changed", G_CALLBACK (on_evaluation), &w);
  g_signal_connect (s, "message", G_CALLBACK (on_message), NULL);
  for (int i = 0; i < 2; i++)
    {
      w.opened = FALSE;
      pare_session_open_async (s, i == 0 ? model : data, NULL, on_opened, &w);
      while (!w.opened)
        g_main_context_iteration (NULL, TRUE);
    }
  wait_quiet (s);
  if (pare_session_get_baseline (s)->n < 150) /* the search split of small sets has too few samples for times */
    pare_session_set_split (s, PARE_SPLIT_REPORT);
  wait_quiet (s);
  wait_us (2000000); /* a person looks at the window first */
  ticker.late = idle;
  wait_us (2000000);
  ticker.late = NULL;

  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) graph = pare_onnx_load (model, NULL, &error);
  g_autoptr (PareDataset) dataset = graph != NULL ? pare_dataset_open (data, &error) : NULL;
  PareSplit split = pare_session_get_split (s);
  g_autoptr (PareProgram) program = dataset != NULL ? pare_evaluate_compile (graph, dataset, split, NULL, &error) : NULL;
  const PareCuts *cuts = program != NULL ? pare_program_get_cuts (program) : NULL;
  if (cuts == NULL)
    {
      g_printerr ("%s\n", error->message);
      return FALSE;
    }
  g_autoptr (GPtrArray) layers = g_ptr_array_new ();
  g_autoptr (GArray) shares = g_array_new (FALSE, FALSE, sizeof (double)), timed = g_array_new (FALSE, FALSE, sizeof (double));
  g_autofree double *times = step_times (program, dataset, split, cuts);
  for (guint i = 0; i < graph->n_nodes; i++)
    if (pare_layer_is_compressible (graph, i, NULL))
      {
        double share = suffix_share (cuts, i), time = times != NULL ? suffix_time (cuts, times, i) : NAN;
        g_ptr_array_add (layers, (gpointer)graph->nodes[i].layer);
        g_array_append_val (shares, share);
        g_array_append_val (timed, time);
      }
  const PareEvaluation *baseline = pare_session_get_baseline (s);

  Whole whole = { graph, dataset, split, baseline, whole_ms, whole_cpu, saved };
  Round bits = { .shares = shares, .timed = timed }, ratio = bits, digits = bits, unforeseen = bits;
  PareLayerRecipe four, half, odd, other;
  pare_layer_recipe_init (&four);
  four.weight_bits = 4;
  pare_layer_recipe_init (&half);
  half.prune = PARE_PRUNE_UNSTRUCTURED;
  half.prune_ratio = 0.5;
  odd = other = half;
  odd.prune_ratio = 0.437;
  other.prune_ratio = 0.563;
  each_layer (&w, &ticker, busy, &whole, layers, &four, FALSE, "", &bits);
  wait_quiet (s);
  each_layer (&w, &ticker, busy, &whole, layers, &half, FALSE, "/pruned", &ratio);
  wait_quiet (s);
  each_layer (&w, &ticker, busy, &whole, layers, &odd, TRUE, "/typed", &digits);
  wait_quiet (s);
  each_layer (&w, &ticker, busy, &whole, layers, &other, FALSE, "/unforeseen", &unforeseen);
  wait_quiet (s);

  /* the drag */
  const char *layer = layers->pdata[layers->len / 2];
  double share = g_array_index (shares, double, layers->len / 2);
  pare_session_expect_edit (s, (const char *const[]){ layer, NULL });
  wait_us (THINK_MS * 1000);
  g_autoptr (GArray) drag_first = g_array_new (FALSE, FALSE, sizeof (double));
  w.intervals = 0;
  ticker.late = busy;
  gint64 next = g_get_monotonic_time ();
  for (int i = 0; i < STEPS; i++)
    {
      PareLayerRecipe change;
      pare_layer_recipe_init (&change);
      change.prune = PARE_PRUNE_UNSTRUCTURED;
      change.prune_ratio = 0.02 * (i + 1);
      move (&w, layer, &change, 7);
      next += STEP_US;
      while (g_get_monotonic_time () < next)
        g_main_context_iteration (NULL, TRUE);
      if (w.first != 0)
        {
          double f = ms (w.first - w.start);
          g_array_append_val (drag_first, f);
        }
    }
  guint shown = drag_first->len;
  while (w.final == 0)
    g_main_context_iteration (NULL, TRUE);
  ticker.late = NULL;
  double end_first = ms (w.first - w.start), end_final = ms (w.final - w.start);
  double whole_median = quantile (whole_ms, 0.5), alone = alone_ms (program, dataset, split, baseline->n);
  double samples = samples_ms (graph, program, dataset, split, baseline);
  double idle_p99 = quantile (idle, 0.99), busy_p99 = quantile (busy, 0.99);

  g_print ("%-24s %3u layers, %u samples, from the input %7.1f ms (early stop at %.1f pp would spare %2.0f %% of the samples)\n", name,
           layers->len, baseline->n, whole_median, TOLERANCE * 100, mean (saved) * 100);
  g_print (
      "  samples in parallel    %.0f %% of the single image's rate times %d threads, by CPU time %.0f %% (images are loaded and judged); "
      "%.0f %% where the program is there\n",
      100 * alone / (quantile (whole_ms, 0) * pare_default_threads ()), pare_default_threads (), 100 * alone / quantile (whole_cpu, 0),
      100 * alone / (samples * pare_default_threads ()));
  g_print (
      "  each layer once        first interval p50 %6.1f p95 %6.1f ms   final mean %7.1f ms   total %7.0f ms: %.2f x the suffix' share, "
      "%.2f x all from the input; by CPU time %.2f x, %.2f x\n"
      "                         against the suffix' share of the measured time of the layers %.2f x; by CPU time %.2f x\n",
      quantile (bits.first, 0.5), quantile (bits.first, 0.95), mean (bits.final), bits.total, bits.total / bits.expected,
      bits.total / bits.all, bits.total_cpu / bits.expected_cpu, bits.total_cpu / bits.all_cpu, bits.total / bits.expected_timed,
      bits.total_cpu / bits.expected_timed_cpu);
  const struct
  {
    const char *name;
    Round *r;
  } others[] = { { "pruned instead", &ratio }, { "a ratio typed", &digits }, { "not foreseen", &unforeseen } };
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    {
      Round *r = others[i].r;
      g_print (
          "  %-22s first interval p50 %6.1f p95 %6.1f ms   final mean %7.1f ms   total %7.0f ms: %.2f x the suffix' share; by CPU time "
          "%.2f x\n",
          others[i].name, quantile (r->first, 0.5), quantile (r->first, 0.95), mean (r->final), r->total, r->total / r->expected,
          r->total_cpu / r->expected_cpu);
    }
  g_print (
      "  drag, 30 steps, 30 Hz  %2u of %u steps showed an interval, after p50 %5.1f ms; after the last: first %6.1f ms, final %6.1f ms "
      "(the share of its suffix: %.1f ms)\n",
      shown, STEPS, quantile (drag_first, 0.5), end_first, end_final, share * whole_median);
  g_print (
      "  main loop delay        p99 idle %.2f ms, while measuring %.2f ms (p50 %.2f, most %.2f); the edit itself p50 %.2f, most %.2f ms\n",
      idle_p99, busy_p99, quantile (busy, 0.5), quantile (busy, 1), quantile (w.calls, 0.5), quantile (w.calls, 1));
  round_clear (&bits);
  round_clear (&ratio);
  round_clear (&digits);
  round_clear (&unforeseen);
  g_array_unref (w.calls);
  g_autofree char *path = g_strdup (pare_session_get_project_path (s));
  g_source_destroy (source);
  g_signal_handlers_disconnect_by_data (s, &w);
  pare_session_close (s);
  if (path != NULL)
    g_unlink (path);
  return TRUE;
}

int
main (int argc, char **argv)
{
  static const char *const known[][2] = { { "tiny-kws-dscnn", "tiny-kws/float.json" },
                                          { "cifar10-resnet20", "cifar10/torch.json" },
                                          { "cifar10-resnet56", "cifar10/torch.json" },
                                          { "imagenet-squeezenet", "imagenet/bgr-caffe.json" },
                                          { "imagenet-mobilenet-v2", "imagenet/rgb-signed-1001.json" } };
  if (argc == 2)
    {
      g_printerr ("usage: live [MODEL DATA]\n");
      return 2;
    }
  g_autofree char *folder = g_dir_make_tmp ("pare-live-XXXXXX", NULL);
  g_setenv ("XDG_DATA_HOME", folder, TRUE);
  g_setenv ("XDG_CACHE_HOME", folder, TRUE);
  if (argc > 2)
    {
      gboolean whole = one (argv[1], argv[2]);
      remove_tree (folder);
      return whole ? 0 : 1;
    }
  const char *shared = g_getenv ("PARE_SHARED"), *root = g_getenv ("PARE_SOURCE_ROOT");
  g_autofree char *beside = g_build_filename (root != NULL ? root : ".", "..", "shared", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (known); i++)
    {
      g_autofree char *file = g_strconcat (known[i][0], ".onnx", NULL);
      g_autofree char *model = g_build_filename (shared != NULL ? shared : beside, "material", "models", file, NULL);
      g_autofree char *data = g_build_filename (shared != NULL ? shared : beside, "material", "data", known[i][1], NULL);
      if (g_file_test (model, G_FILE_TEST_EXISTS) && g_file_test (data, G_FILE_TEST_EXISTS))
        one (model, data);
    }
  remove_tree (folder);
  return 0;
}
