/* The portable kernels beside oneDNN, in one run: bench-portable [MODEL [THREADS]]
 * Without a model: a table of the classifiers in $PARE_SHARED (or ../shared beside the source) at one thread and at two. With one: its
 * layers too, each with the share of this core's peak (two fused multiply-adds of the widest vectors a cycle, measured by a small loop).
 * Runs of both take turns, a few at a time; the fastest and the median of each are compared. */
#include "engine/cost/pare-cost.h"
#include "engine/lower/pare-program.h"
#include "engine/onnx/pare-onnx.h"
#include "engine/runtime/kernels/tile.h"

#include <string.h>

typedef struct
{
  PareProgram *program;
  PareRunner *runner;
  GArray *times; /* ms */
  PareLayerTime *layers;
  guint n_layers;
} Side;

static int
compare (gconstpointer a, gconstpointer b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static PareView
make_input (PareProgram *program, guint i)
{
  PareView view = { 0 };
  pare_program_get_input (program, i, &view.dtype, &view.shape);
  view.data = g_malloc0 ((gsize)pare_shape_bytes (&view.shape, view.dtype) + 64);
  if (view.dtype == PARE_DTYPE_FLOAT32)
    for (gint64 k = 0; k < pare_shape_count (&view.shape); k++)
      ((float *)view.data)[k] = (float)((k * 7919) % 1021) / 1021;
  return view;
}

/* Multiplications a second of one core at most: a dozen independent chains of the widest fused multiply-adds. 0: not known here. */
static double
peak (void)
{
  double best = 0;
#if defined(__x86_64__)
#define CHAIN(reg) "vfmadd231ps %%" reg "0, %%" reg "1, %%" reg
#define CHAINS(reg)                                                                                                                        \
  "1:\n" CHAIN (reg) "2\n" CHAIN (reg) "3\n" CHAIN (reg) "4\n" CHAIN (reg) "5\n" CHAIN (reg) "6\n" CHAIN (reg) "7\n" CHAIN (               \
      reg) "8\n" CHAIN (reg) "9\n" CHAIN (reg) "10\n" CHAIN (reg) "11\n" CHAIN (reg) "12\n" CHAIN (reg) "13\n"                             \
                                                                                                        "dec %0\n jnz 1b\n"
  const char *isa = pare_rt_isa ()->name;
  int lanes = pare_rt_isa ()->lanes;
  for (int turn = 0; turn < 30 && lanes >= 8; turn++)
    {
      gint64 n = 500000, start = g_get_monotonic_time ();
      if (g_str_equal (isa, "avx512"))
        __asm__ volatile("vxorps %%xmm0, %%xmm0, %%xmm0\n vmovaps %%xmm0, %%xmm1\n" CHAINS ("zmm")
                         : "+r"(n)
                         :
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                           "xmm13");
      else
        __asm__ volatile("vxorps %%xmm0, %%xmm0, %%xmm0\n vmovaps %%xmm0, %%xmm1\n" CHAINS ("ymm")
                         : "+r"(n)
                         :
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                           "xmm13");
      best = MAX (best, 500000.0 * 12 * lanes / ((double)(g_get_monotonic_time () - start) / 1e6));
    }
#endif
  return best;
}

static gboolean
side_open (Side *side, const PareGraph *graph, PareBackend backend, int threads, GError **error)
{
  const PareCompileOptions options = { .backend = backend };
  side->program = pare_program_compile (graph, &options, error);
  side->runner = side->program != NULL ? pare_runner_new (side->program, threads, error) : NULL;
  side->times = g_array_new (FALSE, FALSE, sizeof (double));
  return side->runner != NULL;
}

static void
side_clear (Side *side)
{
  g_clear_pointer (&side->runner, pare_runner_free);
  g_clear_pointer (&side->program, pare_program_unref);
  g_clear_pointer (&side->times, g_array_unref);
  pare_layer_times_free (side->layers, side->n_layers);
}

/* The fastest of `quantile` 0, else that quantile. */
static double
time_of (Side *side, double quantile)
{
  g_array_sort (side->times, compare);
  return g_array_index (side->times, double, (guint)(quantile * (side->times->len - 1)));
}

static gboolean
run_layers (Side *side, const PareView *inputs, guint n, GError **error)
{
  pare_runner_set_profiling (side->runner, TRUE);
  for (guint i = 0; i < 60; i++)
    {
      if (!pare_runner_run (side->runner, inputs, n, NULL, error))
        return FALSE;
      guint n_layers = 0;
      PareLayerTime *now = pare_runner_dup_times (side->runner, &n_layers);
      for (guint k = 0; k < MIN (n_layers, side->n_layers); k++)
        now[k].ms = MIN (now[k].ms, side->layers[k].ms);
      pare_layer_times_free (side->layers, side->n_layers);
      side->layers = now;
      side->n_layers = n_layers;
    }
  return TRUE;
}

static void
print_layers (Side *sides, const PareGraph *graph, int threads)
{
  GArray *sizes = NULL;
  PareSize size;
  double most = peak () * threads;
  if (!pare_cost_size (graph, NULL, &size, &sizes, NULL, NULL))
    sizes = NULL;
  g_print ("peak %.1f GMAC/s\n%6s %-22s %10s %10s %7s %8s %7s\n", most / 1e9, "node", "op", "portable", "oneDNN", "ratio", "GMAC/s",
           "peak");
  for (guint i = 0; i < sides[0].n_layers; i++)
    {
      const PareLayerTime *l = &sides[0].layers[i];
      double other = 0, macs = 0;
      for (guint k = 0; k < sides[1].n_layers; k++)
        if (sides[1].layers[k].layer == l->layer)
          other = sides[1].layers[k].ms;
      for (guint k = 0; sizes != NULL && k < sizes->len; k++)
        {
          const PareLayerCost *cost = &g_array_index (sizes, PareLayerCost, k);
          if (l->layer != PARE_NONE && g_strcmp0 (cost->layer, graph->nodes[l->layer].layer) == 0)
            macs = (double)cost->macs;
        }
      g_print ("%6u %-22s %8.2fus %8.2fus %7.2f", l->layer, l->op, l->ms * 1e3, other * 1e3, other / l->ms);
      if (macs > 0)
        g_print (" %8.1f", macs / l->ms / 1e6);
      if (macs > 0 && most > 0)
        g_print (" %5.0f %%", macs / l->ms * 1e3 / most * 100);
      g_print ("\n");
    }
  if (sizes != NULL)
    pare_layer_costs_free (sizes);
}

static gboolean
one (const char *path, int threads, gboolean layers)
{
  static const PareBackend backends[2] = { PARE_BACKEND_PORTABLE, PARE_BACKEND_ONEDNN };
  g_autoptr (GError) error = NULL;
  g_autofree char *name = g_path_get_basename (path);
  g_autoptr (PareGraph) graph = pare_onnx_load (path, NULL, &error);
  Side sides[2] = { 0 };
  gboolean fine = graph != NULL;
  for (int s = 0; fine && s < 2; s++)
    fine = side_open (&sides[s], graph, backends[s], threads, &error);
  guint n = fine ? pare_program_get_n_inputs (sides[0].program) : 0;
  g_autofree PareView *inputs = g_new0 (PareView, n + 1);
  for (guint i = 0; i < n; i++)
    inputs[i] = make_input (sides[0].program, i);
  gint64 end = g_get_monotonic_time () + 3000000;
  for (guint round = 0; fine && (round < 4 || g_get_monotonic_time () < end); round++)
    for (int s = 0; fine && s < 2; s++)
      {
        /* Until the other side's threads no longer look for work: OpenMP's do for 16 ms, and take a CPU. Then two runs warm caches up, the
         * rest of 30 ms count. */
        g_usleep (50000);
        gint64 turn = g_get_monotonic_time () + 30000;
        for (guint i = 0; fine && (i < 4 || g_get_monotonic_time () < turn); i++)
          {
            g_autoptr (GTimer) timer = g_timer_new ();
            fine = pare_runner_run (sides[s].runner, inputs, n, NULL, &error);
            double ms = g_timer_elapsed (timer, NULL) * 1e3;
            if (i > 1)
              g_array_append_val (sides[s].times, ms);
          }
      }
  if (fine)
    g_print ("%-34s %d  portable %8.4f (median %8.4f) ms  oneDNN %8.4f (median %8.4f) ms  ratio %5.2f (median %5.2f)\n", name, threads,
             time_of (&sides[0], 0), time_of (&sides[0], 0.5), time_of (&sides[1], 0), time_of (&sides[1], 0.5),
             time_of (&sides[1], 0) / time_of (&sides[0], 0), time_of (&sides[1], 0.5) / time_of (&sides[0], 0.5));
  for (int s = 0; fine && layers && s < 2; s++)
    fine = run_layers (&sides[s], inputs, n, &error);
  if (fine && layers)
    print_layers (sides, graph, threads);
  if (!fine)
    g_printerr ("%s: %s\n", name, error->message);
  for (int s = 0; s < 2; s++)
    side_clear (&sides[s]);
  for (guint i = 0; i < n; i++)
    g_free (inputs[i].data);
  return fine;
}

int
main (int argc, char **argv)
{
  static const char *const models[] = { "imagenet-mobilenet-v2",
                                        "imagenet-squeezenet",
                                        "imagenet-tiny-darknet",
                                        "imagenet-etinynet",
                                        "imagenet-mobilenet-v1-050-160",
                                        "cifar10-resnet20",
                                        "cifar10-resnet56",
                                        "tiny-ic-resnet8",
                                        "tiny-kws-dscnn",
                                        "tiny-vww-mobilenet-v1-025",
                                        "tiny-ad-autoencoder",
                                        "tiny-ic-resnet8-qdq",
                                        "tiny-kws-dscnn-qdq",
                                        "imagenet-mobilenet-v2-qlinear" };
  if (argc > 1)
    return one (argv[1], argc > 2 ? MAX (1, atoi (argv[2])) : 1, TRUE) ? 0 : 1;
  const char *shared = g_getenv ("PARE_SHARED"), *root = g_getenv ("PARE_SOURCE_ROOT");
  g_autofree char *beside = g_build_filename (root != NULL ? root : ".", "..", "shared", NULL);
  gboolean any = FALSE;
  g_print ("portable kernels: %s\n", pare_rt_isa ()->name);
  for (int threads = 1; threads <= MIN (2, pare_default_threads ()); threads++)
    for (guint i = 0; i < G_N_ELEMENTS (models); i++)
      {
        g_autofree char *file = g_strconcat (models[i], ".onnx", NULL);
        g_autofree char *path = g_build_filename (shared != NULL ? shared : beside, "material", "models", file, NULL);
        if (g_file_test (path, G_FILE_TEST_EXISTS))
          any = one (path, threads, FALSE) || any;
      }
  if (!any)
    g_print ("no models in %s\n", shared != NULL ? shared : beside);
  return 0;
}
