/* Where time goes, by figures made up so that the answers are known; what was measured before, kept and read again; the machine's peaks. */
#include "engine/base/pare-error.h"
#include "engine/cost/pare-profile.h"
#include "engine/project/pare-evaluation-codec.h"
#include "tests/remove-tree.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

/* x -> Conv a -> BatchNormalization b -> Relu c -> Conv d -> Add e (with c) -> Reshape f -> y */
static PareGraph *
make (void)
{
  PareGraph *g = pare_graph_new ("g");
  PareShape shape = pare_shape_make (2, (gint64)1, (gint64)8);
  static const char *const ops[] = { "Conv", "BatchNormalization", "Relu", "Conv", "Add", "Reshape" };
  static const char *const names[] = { "a", "=b", "c", "d \"q\", z", "e", "f" };
  PareValueId v[7];
  for (int i = 0; i < 7; i++)
    {
      g_autofree char *name = g_strdup_printf ("v%d", i);
      v[i] = pare_graph_add_value (g, name, PARE_DTYPE_FLOAT32, &shape, PARE_NONE);
    }
  for (int i = 0; i < 6; i++)
    {
      PareValueId inputs[2] = { v[i], v[3] };
      pare_graph_add_node (g, ops[i], names[i], inputs, i == 4 ? 2 : 1, &v[i + 1], 1, (PareNodeId)i, PARE_ROLE_SELF);
    }
  g->inputs = g_memdup2 (&v[0], sizeof v[0]);
  g->outputs = g_memdup2 (&v[6], sizeof v[6]);
  g->n_inputs = g->n_outputs = 1;
  pare_graph_name_layers (g);
  return g;
}

/* a takes 2 ms and 40 M multiply-adds, d 1 ms and integers; e is a step that d's did on the way; reorders take 0.5 ms. */
static PareLatency
make_latency (void)
{
  PareLatency l = { .median_ms = 3.9,
                    .profiled_ms = 4,
                    .threads = 2,
                    .fast_share = 0.5,
                    .arena_bytes = 100,
                    .tensors_bytes = 300,
                    .constants_bytes = 77,
                    .n_layers = 4,
                    .n_holders = 5 };
  l.layers = g_new0 (PareLayerTime, 4);
  l.layers[0] = (PareLayerTime){ .layer = 0, .op = g_strdup ("Conv"), .ms = 2, .bytes = 4000000, .macs = 40000000 };
  l.layers[1] = (PareLayerTime){ .layer = 3, .op = g_strdup ("Conv"), .ms = 1, .bytes = 9000000, .macs = 5000000, .integer = TRUE };
  l.layers[2] = (PareLayerTime){ .layer = 4, .op = g_strdup ("Add"), .ms = 0, .bytes = 1000 };
  l.layers[3] = (PareLayerTime){ .layer = PARE_NONE, .op = g_strdup ("Transpose"), .ms = 0.5, .bytes = 1000000 };
  l.holders = g_new (PareNodeId, 5);
  for (int i = 0; i < 5; i++)
    l.holders[i] = PARE_NONE;
  l.holders[2] = 0;
  return l;
}

static void
test_rows (void)
{
  g_autoptr (PareGraph) g = make ();
  PareLatency now = make_latency (), original = make_latency ();
  original.layers[1].ms = 4;
  ParePeaks peaks = { .threads = 2, .gflops = 100, .int8_gops = 400, .stream_gbs = 10 };
  g_autoptr (PareProfile) p = pare_profile_new (g, &now, &original, &peaks);
  g_assert_cmpuint (p->n_rows, ==, 7);
  g_assert_cmpfloat_with_epsilon (p->whole_ms, 4, 1e-12);
  g_assert_cmpfloat_with_epsilon (p->layers_ms, 3.5, 1e-12);
  g_assert_cmpfloat_with_epsilon (p->between_ms, 0.5, 1e-12);
  g_assert_cmpfloat_with_epsilon (p->original_ms, 6.5, 1e-12);
  g_assert_cmpint (p->macs, ==, 45000000);
  const PareProfileRow *a = &p->rows[0], *d = &p->rows[3];
  g_assert_true (a->timed && !a->integer && d->timed && d->integer);
  g_assert_cmpfloat_with_epsilon (a->share, 0.5, 1e-12);
  g_assert_cmpfloat_with_epsilon (a->gops, 40, 1e-9); /* 80 M operations in 2 ms */
  g_assert_cmpfloat_with_epsilon (a->gbs, 2, 1e-9);
  g_assert_cmpint (a->bound, ==, PARE_BOUND_COMPUTE); /* 40 % against 20 % */
  g_assert_cmpfloat_with_epsilon (a->reach, 0.4, 1e-9);
  g_assert_cmpint (d->bound, ==, PARE_BOUND_MEMORY); /* 10 of 400 against 9 of 10 */
  g_assert_cmpfloat_with_epsilon (d->reach, 0.9, 1e-9);
  g_assert_cmpfloat_with_epsilon (d->original_ms, 4, 1e-12);
  /* folded into what computes its input; fused, as the plan says; done on the way by the later of its producers; nothing to do */
  g_assert_cmpuint (p->rows[1].inside, ==, 0);
  g_assert_cmpuint (p->rows[2].inside, ==, 0);
  g_assert_cmpuint (p->rows[4].inside, ==, 3);
  g_assert_cmpuint (p->rows[5].inside, ==, PARE_NONE);
  for (int i = 0; i < 6; i++)
    if (i != 0 && i != 3)
      g_assert_true (!p->rows[i].timed && isnan (p->rows[i].ms) && isnan (p->rows[i].share) && isnan (p->rows[i].gops));
  g_assert_cmpuint (p->rows[6].layer, ==, PARE_NONE);
  g_assert_true (isnan (p->rows[6].gops));
  g_assert_cmpint (p->rows[6].bound, ==, PARE_BOUND_MEMORY);
  pare_latency_clear (&now);
  pare_latency_clear (&original);
}

static void
test_unknown (void)
{
  g_autoptr (PareGraph) g = make ();
  PareLatency now = make_latency ();
  now.profiled_ms = 0; /* of an older project: the median stands for it */
  g_autoptr (PareProfile) p = pare_profile_new (g, &now, NULL, NULL);
  g_assert_cmpfloat_with_epsilon (p->whole_ms, 3.9, 1e-12);
  g_assert_true (isnan (p->original_ms) && isnan (p->rows[0].original_ms));
  g_assert_cmpint (p->rows[0].bound, ==, PARE_BOUND_UNKNOWN);
  /* without a peak of integers nobody knows what holds an integer layer back; a float layer's is known */
  ParePeaks peaks = { .threads = 2, .gflops = 100, .stream_gbs = 10 };
  g_autoptr (PareProfile) q = pare_profile_new (g, &now, NULL, &peaks);
  g_assert_cmpint (q->rows[0].bound, ==, PARE_BOUND_COMPUTE);
  g_assert_cmpint (q->rows[3].bound, ==, PARE_BOUND_UNKNOWN);
  pare_latency_clear (&now);
}

static void
test_spread (void)
{
  const PareLatency tight = { .median_ms = 10, .p10_ms = 9.9, .p90_ms = 10.1 }, loose = { .median_ms = 10, .p10_ms = 9, .p90_ms = 11 },
                    none = { 0 };
  g_assert_cmpfloat (pare_latency_spread (&tight, NULL), ==, 0.05);
  g_assert_cmpfloat (pare_latency_spread (&none, NULL), ==, 0.05);
  g_assert_cmpfloat_with_epsilon (pare_latency_spread (&tight, &loose), 0.2, 1e-12);
  g_assert_cmpfloat_with_epsilon (pare_latency_spread (&loose, &none), 0.2, 1e-12);
}

static void
test_text (void)
{
  g_autoptr (PareGraph) g = make ();
  PareLatency now = make_latency ();
  g_autoptr (PareProfile) p = pare_profile_new (g, &now, NULL, NULL);
  g_autofree char *text = pare_profile_to_text (p, g, '\t');
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 1 + 7 + 2 + 1);
  for (int i = 0; i < 10; i++)
    {
      g_auto (GStrv) cells = g_strsplit (lines[i], "\t", -1);
      g_assert_cmpuint (g_strv_length (cells), ==, 13);
    }
  g_assert_true (g_str_has_prefix (lines[1], "\"a\"\t\"Conv\"\t\"\"\t2.000000\t50.000\t40000000\t40.000\tfloat\t4000000\t2.000\t"));
  g_assert_true (g_str_has_prefix (lines[2], "\"'=b\"\t\"BatchNormalization\"\t\"a\"\t\t")); /* no formula of a spreadsheet */
  g_assert_true (g_str_has_prefix (lines[4], "\"d \"\"q\"\", z\"\t"));
  g_assert_true (g_str_has_prefix (lines[8], "\"(between layers)\"\t\"\"\t\"\"\t0.500000\t12.500\t"));
  g_assert_true (g_str_has_prefix (lines[9], "\"(whole)\"\t\"\"\t\"\"\t4.000000\t100.000\t45000000\t22.500\t\t"));
  pare_latency_clear (&now);
}

static void
test_kept (void)
{
  PareLatency now = make_latency (), back = { 0 }, copy;
  now.bf16_steps = 3;
  now.bf16_multiplied = 2;
  now.layers[2].bf16 = TRUE;
  g_autoptr (GBytes) bytes = pare_latency_layers_to_bytes (&now);
  gsize n;
  const guint8 *data = g_bytes_get_data (bytes, &n);
  GError *error = NULL;
  g_assert_true (pare_latency_layers_from_bytes (&back, data, n, &error));
  pare_latency_copy (&copy, &back);
  pare_latency_clear (&back);
  g_assert_cmpuint (copy.n_layers, ==, 4);
  g_assert_cmpstr (copy.layers[1].op, ==, "Conv");
  g_assert_true (copy.layers[1].integer && !copy.layers[0].integer);
  g_assert_true (copy.layers[2].bf16 && !copy.layers[1].bf16);
  g_assert_cmpuint (copy.bf16_steps, ==, 3);
  g_assert_cmpuint (copy.bf16_multiplied, ==, 2);
  g_assert_cmpuint (copy.layers[1].bytes, ==, 9000000);
  g_assert_cmpint (copy.layers[0].macs, ==, 40000000);
  g_assert_cmpuint (copy.layers[3].layer, ==, PARE_NONE);
  g_assert_cmpfloat (copy.profiled_ms, ==, 4);
  g_assert_cmpint (copy.threads, ==, 2);
  g_assert_cmpuint (copy.tensors_bytes, ==, 300);
  g_assert_cmpmem (copy.holders, copy.n_holders * sizeof *copy.holders, now.holders, now.n_holders * sizeof *now.holders);
  pare_latency_clear (&copy);
  /* every shorter one is refused without harm, but those that two older versions wrote */
  guint fine = 0;
  for (gsize k = 0; k < n; k++)
    {
      g_autofree guint8 *part = g_memdup2 (data, MAX (k, 1));
      if (pare_latency_layers_from_bytes (&back, part, k, NULL))
        {
          fine++;
          g_assert_cmpuint (back.n_layers, ==, 4);
          g_assert_cmpuint (back.layers[0].bytes, ==, fine == 1 ? 0 : 4000000);
          g_assert_cmpfloat (back.profiled_ms, ==, fine == 1 ? 0 : 4);
          g_assert_cmpuint (back.bf16_steps, ==, 0);
        }
      else
        g_assert_null (back.layers);
    }
  g_assert_cmpuint (fine, ==, 2);
  pare_latency_clear (&back);
  pare_latency_clear (&now);
}

static void
test_peaks (void)
{
  g_autofree char *folder = g_dir_make_tmp ("pare-peaks-XXXXXX", NULL), *path = g_build_filename (folder, "sub", "peaks.ini", NULL);
  ParePeaks peaks, again;
  GError *error = NULL;
  g_assert_false (pare_peaks_load (path, 1, &again));
  g_assert_true (pare_peaks_measure (1, &peaks, NULL, &error));
  g_assert_no_error (error);
  g_test_message ("%s: %.1f GFLOP/s, %.1f GOP/s, %.1f GB/s", peaks.cpu, peaks.gflops, peaks.int8_gops, peaks.stream_gbs);
  g_assert_cmpfloat (peaks.gflops, >, 0.05);
  g_assert_cmpfloat (peaks.stream_gbs, >, 0.01);
  g_assert_cmpfloat (peaks.gflops, <, 1e5);
  g_assert_cmpfloat (peaks.stream_gbs, <, 1e4);
  g_assert_true (pare_peaks_save (path, &peaks, &error));
  g_assert_true (pare_peaks_load (path, 1, &again));
  g_assert_cmpfloat_with_epsilon (again.gflops, peaks.gflops, 1e-6 * peaks.gflops);
  g_assert_cmpfloat_with_epsilon (again.stream_gbs, peaks.stream_gbs, 1e-6 * peaks.stream_gbs);
  g_assert_cmpstr (again.cpu, ==, peaks.cpu);
  g_assert_cmpstr (again.isa, ==, peaks.isa);
  g_assert_cmpint (again.when, ==, peaks.when);
  const gint64 day = 86400;
  g_assert_cmpint (ABS (peaks.when - g_get_real_time () / G_USEC_PER_SEC), <, day);
  g_assert_false (pare_peaks_are_old (&peaks, peaks.when + 29 * day));
  g_assert_true (pare_peaks_are_old (&peaks, peaks.when + 31 * day));
  g_assert_true (pare_peaks_are_old (&peaks, peaks.when - day)); /* the clock was set back */
  /* the same CPU with other instructions, as a virtual machine may have them, is another machine */
  ParePeaks other = peaks;
  g_strlcpy (other.isa, "another", sizeof other.isa);
  other.gflops = 1;
  g_assert_true (pare_peaks_save (path, &other, &error));
  g_assert_true (pare_peaks_load (path, 1, &again) && again.gflops != 1 && g_str_equal (again.isa, peaks.isa));
  g_assert_false (pare_peaks_load (path, 2, &again)); /* other numbers of threads are measured on their own */
  peaks.threads = 2;
  g_assert_true (pare_peaks_save (path, &peaks, &error));
  g_assert_true (pare_peaks_load (path, 1, &again) && pare_peaks_load (path, 2, &again));
  static const char *const bad[] = { "", "nonsense", "[1 threads, x]\nversion=1\n" };
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_assert_true (g_file_set_contents (path, bad[i], -1, NULL));
      g_assert_false (pare_peaks_load (path, 1, &again));
    }
  peaks.gflops = NAN;
  g_assert_true (pare_peaks_save (path, &peaks, NULL));
  g_assert_false (pare_peaks_load (path, 2, &again));
  g_autoptr (PareControl) control = pare_control_new (NULL, NULL);
  pare_control_cancel (control);
  g_assert_false (pare_peaks_measure (2, &peaks, control, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_CANCELLED);
  g_clear_error (&error);
  remove_tree (folder);
}

/* What measuring the machine takes is no peak of the program's own. */
static void
test_memory (void)
{
  ParePeaks peaks;
  if (g_access ("/proc/self/clear_refs", W_OK) != 0)
    {
      g_test_skip ("the system keeps its own mark");
      return;
    }
  guint64 before = pare_cost_peak_memory ();
  g_assert_true (pare_peaks_measure (2, &peaks, NULL, NULL));
  g_assert_cmpuint (pare_cost_peak_memory (), >=, before);
  g_assert_cmpuint (pare_cost_peak_memory (), <, before + (64 << 20)); /* its buffers are 256 MiB */
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/profile-figures/rows", test_rows);
  g_test_add_func ("/profile-figures/unknown", test_unknown);
  g_test_add_func ("/profile-figures/text", test_text);
  g_test_add_func ("/profile-figures/kept", test_kept);
  g_test_add_func ("/profile-figures/spread", test_spread);
  g_test_add_func ("/profile-figures/peaks", test_peaks);
  g_test_add_func ("/profile-figures/memory", test_memory);
  return g_test_run ();
}
