/* Packed weights that programs have in common are there once: told by content, kept as long as any program uses them, on any thread. */
#include "engine/accel/pare-accel.h"
#include "engine/base/pare-control.h"
#include "engine/evaluate/pare-prefix-private.h"
#include "tests/engine/cut-models.h"

/* 3 x 3 -> 3 x 3 -> 1 x 1, each with weights of its own seed. */
static PareGraph *
model (guint64 first, guint64 second, guint64 last)
{
  PareRng a = { .state = first }, b = { .state = second }, c = { .state = last };
  PareGraph *g = make_graph (21);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)32, (gint64)16, (gint64)16));
  x = MAKE (g, "Relu", "first_relu", branch_conv (g, &a, "first", x, 32, 64, 3));
  x = MAKE (g, "Relu", "second_relu", branch_conv (g, &b, "second", x, 64, 64, 3));
  make_output (g, branch_conv (g, &c, "last", x, 64, 32, 1));
  return g;
}

static PareProgram *
compile (guint64 first, guint64 second, guint64 last)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) g = model (first, second, last);
  PareProgram *program = pare_program_compile (g, NULL, &error);
  g_assert_no_error (error);
  pare_program_get_accel (program);
  return program;
}

/* The bits of what it computes. */
static PareContentKey
result_of (PareProgram *program)
{
  static float x[32 * 16 * 16];
  g_autoptr (GError) error = NULL;
  g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
  g_assert_no_error (error);
  PareView view = { .dtype = PARE_DTYPE_FLOAT32, .shape = pare_shape_make (4, (gint64)1, (gint64)32, (gint64)16, (gint64)16), .data = x };
  pare_runner_run (runner, &view, 1, NULL, &error);
  g_assert_no_error (error);
  view = pare_runner_get_output (runner, 0);
  return pare_constant_hash (view.data, (guint64)pare_shape_bytes (&view.shape, view.dtype));
}

static gboolean
equal (PareContentKey a, PareContentKey b)
{
  return a.a == b.a && a.b == b.b;
}

/* FALSE: nothing is packed on this machine. */
static gboolean
packs (void)
{
  g_autoptr (PareProgram) p = compile (1, 2, 3);
  if (pare_accel_count_shared () > 0)
    return TRUE;
  g_test_skip ("no packed weights without oneDNN");
  return FALSE;
}

static void
test_share (void)
{
  if (!packs ())
    return;
  g_assert_cmpuint (pare_accel_count_shared (), ==, 0);
  PareProgram *other = compile (1, 4, 3);
  PareContentKey alone = result_of (other);
  guint64 n = pare_accel_count_shared ();
  pare_program_unref (other);
  g_assert_cmpuint (pare_accel_count_shared (), ==, 0);

  PareProgram *a = compile (1, 2, 3), *same = compile (1, 2, 3);
  g_assert_cmpuint (pare_accel_count_shared (), ==, n);
  g_assert_true (equal (result_of (a), result_of (same)));
  other = compile (1, 4, 3); /* one layer is another */
  g_assert_cmpuint (pare_accel_count_shared (), ==, n + 1);
  g_assert_true (equal (result_of (other), alone));
  g_assert_false (equal (result_of (a), alone));
  g_assert_cmpuint (pare_program_get_packed_memory (other), ==, pare_program_get_packed_memory (a));

  pare_program_unref (a); /* the others still use what it packed */
  g_assert_cmpuint (pare_accel_count_shared (), ==, n + 1);
  pare_program_unref (same);
  g_assert_cmpuint (pare_accel_count_shared (), ==, n);
  g_assert_true (equal (result_of (other), alone));
  pare_program_unref (other);
  g_assert_cmpuint (pare_accel_count_shared (), ==, 0);
}

static PareContentKey wanted[8];

static gboolean
one_round (guint i, int worker, gpointer data)
{
  guint which = (i * 5 + (guint)worker) % 8;
  g_autoptr (PareProgram) p = compile (which & 1, 2 + (which >> 1 & 1), 4 + (which >> 2));
  g_assert_true (equal (result_of (p), wanted[which]));
  return TRUE;
}

static void
test_threads (void)
{
  if (!packs ())
    return;
  for (guint i = 0; i < 8; i++)
    {
      g_autoptr (PareProgram) p = compile (i & 1, 2 + (i >> 1 & 1), 4 + (i >> 2));
      wanted[i] = result_of (p);
    }
  g_assert_true (pare_parallel_for (200, 4, one_round, NULL));
  g_assert_cmpuint (pare_accel_count_shared (), ==, 0);
}

/* The prefix cache keeps the packs of the programs that ran last. */
static void
test_hold (void)
{
  if (!packs ())
    return;
  ParePrefixCache *cache = pare_prefix_cache_new (64 << 20);
  PareProgram *p[3];
  for (guint i = 0; i < 3; i++)
    {
      p[i] = compile (10 * i + 1, 10 * i + 2, 10 * i + 3);
      pare_prefix_cache_hold (cache, p[i], FALSE);
    }
  guint64 all = pare_accel_count_shared (), n = all / 3;
  for (guint i = 0; i < 3; i++)
    pare_program_unref (p[i]);
  g_assert_cmpuint (pare_accel_count_shared (), ==, 2 * n); /* the newest two */
  p[0] = compile (1, 2, 3);
  pare_prefix_cache_hold (cache, p[0], TRUE);
  g_assert_cmpuint (pare_accel_count_shared (), ==, n);
  pare_prefix_cache_set_budget (cache, 1024); /* it would be larger than all that may be kept */
  pare_prefix_cache_hold (cache, p[0], TRUE);
  pare_program_unref (p[0]);
  g_assert_cmpuint (pare_accel_count_shared (), ==, 0);
  pare_prefix_cache_set_budget (cache, 64 << 20);
  p[0] = compile (1, 2, 3);
  pare_prefix_cache_hold (cache, p[0], FALSE);
  pare_program_unref (p[0]);
  g_assert_cmpuint (pare_accel_count_shared (), ==, n);
  pare_prefix_cache_unref (cache);
  g_assert_cmpuint (pare_accel_count_shared (), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/packs/share", test_share);
  g_test_add_func ("/packs/threads", test_threads);
  g_test_add_func ("/packs/hold", test_hold);
  return g_test_run ();
}
