/* Which steps threads share: the fewer, the farther their cores are apart; and how far these are is measured once. */
#include "engine/accel/pare-accel-private.h"
#include "tests/engine/accel-compare.h"

/* Steps that are shared of eight pointwise convolutions; all on the grid of bfloat16, or floats. */
static guint
count_gains (double moves, int64_t side, bool bfloat)
{
  Plan *plan = plan_new (61000);
  uint32_t x = plan_input (plan, SHAPE (1, 64, side, 8));
  const PareConvParams point = conv_params (2, 1, 1, 1, 1, 0);
  for (int i = 0; i < 8; i++)
    x = add_conv (plan, x, 64, &point, TRUE, PARE_RT_NONE);
  plan_output (plan, x);
  const PareRtPlan *p = plan_finish (plan);
  g_autofree bool *gains = g_new0 (bool, p->n_steps);
  g_autofree guint8 *exact = g_malloc (p->n_values);
  guint n = 0;
  memset (exact, TRUE, p->n_values);
  bool any = pare_accel_find_gains (p, bfloat ? exact : NULL, moves, gains);
  for (uint32_t i = 0; i < p->n_steps; i++)
    n += gains[i];
  g_assert_cmpint (any, ==, n > 0);
  plan_free (plan);
  return n;
}

static void
test_gains (void)
{
  g_assert_cmpuint (count_gains (30, 12, false), ==, 0);  /* 4 us, and 48 KiB to be passed on */
  g_assert_cmpuint (count_gains (0, 12, false), ==, 0);   /* not known: as far as can be */
  g_assert_cmpuint (count_gains (500, 12, false), ==, 8); /* cores that share a cache */
  g_assert_cmpuint (count_gains (60, 12, false), ==, 8);  /* so do these, though others use them, too */
  g_assert_cmpuint (count_gains (60, 20, true), ==, 8);   /* 3 us, and 40 KiB of 16 bits */
  g_assert_cmpuint (count_gains (60, 12, true), ==, 0);
  g_assert_cmpuint (count_gains (INFINITY, 12, false), ==, 8); /* it cost nothing */
  g_assert_cmpuint (count_gains (INFINITY, 4, false), ==, 0);  /* waiting for each other takes longer than the step */
  g_assert_cmpuint (count_gains (30, 400, false), ==, 8);      /* worth it everywhere */
}

static gpointer
measure (gpointer moves)
{
  *(double *)moves = pare_accel_moves ();
  return NULL;
}

/* Whoever asks: programs that are compared are made alike. */
static void
test_measured (void)
{
  double first = 0, other = 0;
  measure (&first);
  g_test_message ("%.0f bytes in a nanosecond", first);
  g_assert_false (isnan (first));
  g_assert_cmpfloat (first, >=, 0); /* 0: nobody else would run beside it */
  g_thread_join (g_thread_new ("other", measure, &other));
  if (first > 0)
    g_assert_cmpfloat (other, ==, first);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/accel-gain/gains", test_gains);
  g_test_add_func ("/accel-gain/measured", test_measured);
  return g_test_run ();
}
