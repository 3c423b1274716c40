/* The plan as a file: written, opened, run by the runtime alone, damaged in every byte of its tables, and hashes of what steps computed. */
#include "engine/lower/pare-plan-file.h"
#include "engine/lower/pare-program-cut.h"
#include "engine/runtime/pare-rt-file.h"
#include "tests/engine/make-graph.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

/* x -> Conv + Relu -> Conv, Add x */
static PareGraph *
small_model (void)
{
  enum
  {
    C = 6,
    S = 9
  };
  PareGraph *g = make_graph (21);
  float w[C * C * 9], b[C];
  for (int i = 0; i < C * C * 9; i++)
    w[i] = (float)((i * 7919) % 23 - 11) / 40;
  for (int i = 0; i < C; i++)
    b[i] = (float)i / 10;
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)C, (gint64)S, (gint64)S));
  PareShape ws = pare_shape_make (4, (gint64)C, (gint64)C, (gint64)3, (gint64)3), bs = pare_shape_make (1, (gint64)C);
  PareValueId y = MAKE (g, "Conv", "a", x, make_float (g, "wa", ws, w), make_float (g, "ba", bs, b));
  pare_node_set_ints (node_of (g, y), "pads", (gint64[]){ 1, 1, 1, 1 }, 4);
  y = MAKE (g, "Relu", "r", y);
  y = MAKE (g, "Conv", "b", y, make_float (g, "wb", ws, w));
  pare_node_set_ints (node_of (g, y), "pads", (gint64[]){ 1, 1, 1, 1 }, 4);
  y = MAKE (g, "Add", "sum", y, x);
  make_output (g, y);
  pare_graph_name_layers (g);
  return g;
}

typedef struct
{
  PareProgram *program;
  char *path;
  guint8 *bytes; /* aligned copy of the file */
  gsize n;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) g = small_model ();
  PareCompileOptions options = { .backend = PARE_BACKEND_PORTABLE };
  f->program = pare_program_compile (g, &options, &error);
  g_assert_no_error (error);
  int fd = g_file_open_tmp ("pare-plan-XXXXXX", &f->path, NULL);
  g_assert_cmpint (fd, >=, 0);
  g_close (fd, NULL);
  g_assert_true (pare_program_save_plan (f->program, f->path, &error));
  g_assert_no_error (error);
  g_autofree char *read = NULL;
  g_assert_true (g_file_get_contents (f->path, &read, &f->n, NULL));
  void *memory = NULL;
  g_assert_cmpint (posix_memalign (&memory, 64, f->n), ==, 0);
  f->bytes = memcpy (memory, read, f->n);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_unlink (f->path);
  g_free (f->path);
  free (f->bytes);
  pare_program_unref (f->program);
}

static void
test_round_trip (Fixture *f, gconstpointer data)
{
  PareRtFile file;
  g_assert_cmpstr (pare_rt_file_open (f->bytes, f->n, &file), ==, NULL);
  g_assert_true (pare_rt_file_is_whole (f->bytes));
  g_assert_cmpstr (pare_rt_file_input_name (&file, 0), ==, "x");
  g_assert_cmpstr (pare_rt_file_layer_name (&file, 0), ==, "a");
  const PareRtPlan *plan = pare_program_get_plan (f->program);
  g_assert_cmpuint (file.plan.n_steps, ==, plan->n_steps);
  g_autofree float *x = g_new (float, 6 * 81);
  for (int i = 0; i < 6 * 81; i++)
    x[i] = (float)((i * 31) % 17) / 8 - 1;
  PareView in = { PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)6, (gint64)9, (gint64)9), x, NULL };
  PareRtRunner *a = pare_rt_runner_new (plan, NULL), *b = pare_rt_runner_new (&file.plan, NULL);
  g_assert_cmpint (pare_rt_runner_run (a, &in, NULL, NULL, NULL), ==, PARE_RT_OK);
  g_assert_cmpint (pare_rt_runner_run (b, &in, NULL, NULL, NULL), ==, PARE_RT_OK);
  PareView ya = pare_rt_runner_view (a, plan->outputs[0]), yb = pare_rt_runner_view (b, file.plan.outputs[0]);
  g_assert_cmpmem (ya.data, 6 * 81 * 4, yb.data, 6 * 81 * 4);
  pare_rt_runner_free (a);
  pare_rt_runner_free (b);
}

/* Cut off at any length, or with any byte of header and tables changed: refused, or a plan that still passes every check and runs. */
static void
test_damaged (Fixture *f, gconstpointer data)
{
  PareRtFile file;
  guint refused = 0, tried = 0;
  PareRtFileHeader h;
  memcpy (&h, f->bytes, sizeof h);
  for (gsize n = 0; n < f->n; n += n < 512 ? 1 : 97)
    g_assert_nonnull (pare_rt_file_open (f->bytes, n, &file));
  for (gsize i = 0; i < h.constants; i++)
    for (int bit = 0; bit < 8; bit += 7)
      {
        f->bytes[i] ^= (guint8)(1 << bit);
        tried++;
        refused += pare_rt_file_open (f->bytes, f->n, &file) != NULL || !pare_rt_file_is_whole (f->bytes);
        f->bytes[i] ^= (guint8)(1 << bit);
      }
  g_assert_cmpuint (refused, ==, tried);
  g_assert_null (pare_rt_file_open (f->bytes, f->n, &file));
}

/* The same hashes from the host's program, whatever its backend, for a model on codes. */
static void
test_hashes (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) g = make_graph (21);
  enum
  {
    C = 8,
    S = 8
  };
  gint64 w[C * C * 9];
  for (int i = 0; i < C * C * 9; i++)
    w[i] = (i * 7919) % 101 - 50;
  PareShape none = { .rank = 0 };
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)C, (gint64)S, (gint64)S));
  float scale = 0.02f, narrow = 0.004f;
  PareValueId s = make_float (g, "s", none, &scale), z = make_typed (g, "z", PARE_DTYPE_UINT8, none, (gint64[]){ 120 }),
              sw = make_float (g, "sw", none, &narrow), zw = make_typed (g, "zw", PARE_DTYPE_INT8, none, (gint64[]){ 0 }),
              wq = make_typed (g, "wq", PARE_DTYPE_INT8, pare_shape_make (4, (gint64)C, (gint64)C, (gint64)3, (gint64)3), w);
  PareValueId y = MAKE (g, "DequantizeLinear", "xd", MAKE (g, "QuantizeLinear", "xq", x, s, z), s, z);
  for (int i = 0; i < 3; i++)
    {
      g_autofree char *name = g_strdup_printf ("conv%d", i), *q = g_strdup_printf ("q%d", i), *d = g_strdup_printf ("d%d", i),
                      *wd = g_strdup_printf ("wd%d", i);
      y = MAKE (g, "Conv", name, y, MAKE (g, "DequantizeLinear", wd, wq, sw, zw));
      pare_node_set_ints (node_of (g, y), "pads", (gint64[]){ 1, 1, 1, 1 }, 4);
      y = MAKE (g, "DequantizeLinear", d, MAKE (g, "QuantizeLinear", q, y, s, z), s, z);
    }
  make_output (g, y);
  g_autofree float *values = g_new (float, C *S *S);
  for (int i = 0; i < C * S * S; i++)
    values[i] = (float)((i * 37) % 201 - 100) / 50;
  PareView in = { PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)C, (gint64)S, (gint64)S), values, NULL };
  PareStepHash *hashes[2];
  guint n[2];
  for (int k = 0; k < 2; k++)
    {
      PareCompileOptions options = { .backend = k == 0 ? PARE_BACKEND_PORTABLE : PARE_BACKEND_ONEDNN, .keep_steps = TRUE };
      g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
      g_assert_no_error (error);
      g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
      g_assert_true (pare_runner_run (runner, &in, 1, NULL, &error));
      hashes[k] = pare_runner_dup_hashes (runner, &n[k]);
    }
  g_assert_cmpuint (n[0], ==, 5); /* onto codes, three convolutions, back to floats */
  g_assert_cmpuint (n[1], ==, n[0]);
  for (guint i = 0; i < n[0]; i++)
    {
      g_assert_cmpuint (hashes[0][i].hash, ==, hashes[1][i].hash);
      g_assert_true (i == 0 || hashes[0][i].hash != hashes[0][i - 1].hash);
    }
  g_free (hashes[0]);
  g_free (hashes[1]);
}

/* Seeds of the fuzzer that nobody can open any more would leave it blind: where a format changes, they are written anew. */
static void
test_seeds (void)
{
  const char *root = g_getenv ("PARE_SOURCE_ROOT");
  g_autofree char *folder = g_build_filename (root != NULL ? root : ".", "tests", "fuzz", "corpus", "plan", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint opened = 0;
  for (const char *name; dir != NULL && (name = g_dir_read_name (dir)) != NULL; opened++)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL), *bytes = NULL;
      gsize n;
      PareRtFile file;
      g_assert_true (g_file_get_contents (path, &bytes, &n, NULL));
      void *data = aligned_alloc (64, (n + 63) / 64 * 64);
      memcpy (data, bytes, n);
      g_test_message ("%s", name);
      g_assert_cmpstr (pare_rt_file_open (data, n, &file), ==, NULL);
      free (data);
    }
  g_assert_cmpuint (opened, >=, 3);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/plan-file/round-trip", Fixture, NULL, set_up, test_round_trip, tear_down);
  g_test_add ("/plan-file/damaged", Fixture, NULL, set_up, test_damaged, tear_down);
  g_test_add_func ("/plan-file/hashes", test_hashes);
  g_test_add_func ("/plan-file/seeds", test_seeds);
  return g_test_run ();
}
