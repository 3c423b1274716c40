#include "widgets/pare-scale.h"

#include <math.h>

#define NEAR(a, b) g_assert_cmpfloat_with_epsilon (a, b, 1e-9 * fmax (1, fabs ((double)(b))))

static void
test_map (void)
{
  PareScale s;
  pare_scale_init (&s, FALSE, 0, 10, 100, 0); /* downwards, as y axes are */
  NEAR (pare_scale_map (&s, 0), 100);
  NEAR (pare_scale_map (&s, 10), 0);
  NEAR (pare_scale_map (&s, 2.5), 75);
  NEAR (pare_scale_invert (&s, 75), 2.5);
  pare_scale_init (&s, TRUE, 64, 1024, 0, 400);
  NEAR (pare_scale_map (&s, 128), 100);
  NEAR (pare_scale_map (&s, 512), 300);
  NEAR (pare_scale_invert (&s, 200), 256);
  NEAR (pare_scale_map (&s, -5), 0); /* not on a log axis: its low end */
  g_assert_true (isnan (pare_scale_map (&s, NAN)));
}

static void
test_odd_domains (void)
{
  const double odd[] = { NAN, INFINITY, -INFINITY, 0, -1, 1, 1e-300, 1e300, 5 };
  PareScale s;
  double ticks[64];
  for (guint log = 0; log < 2; log++)
    for (guint a = 0; a < G_N_ELEMENTS (odd); a++)
      for (guint b = 0; b < G_N_ELEMENTS (odd); b++)
        {
          pare_scale_init (&s, log, odd[a], odd[b], 0, 200);
          g_assert_true (isfinite (s.d0) && isfinite (s.d1) && s.d0 != s.d1);
          g_assert_true (!log || (s.d0 > 0 && s.d1 > 0));
          for (guint v = 1; v < G_N_ELEMENTS (odd); v++)
            g_assert_true (isfinite (pare_scale_map (&s, odd[v])));
          guint n = pare_scale_ticks (&s, 30, 10, ticks, 64);
          g_assert_cmpuint (n, <=, 64);
          for (guint i = 0; i < n; i++)
            g_assert_true (isfinite (ticks[i]) && (i == 0 || ticks[i] > ticks[i - 1]));
        }
}

static void
test_ticks (void)
{
  PareScale s;
  double t[32];
  pare_scale_init (&s, FALSE, -2.2, 1.1, 100, 0);
  guint n = pare_scale_ticks (&s, 25, 10, t, 32);
  g_assert_cmpuint (n, ==, 4);
  NEAR (t[0], -2);
  g_assert_true (t[2] == 0 && !signbit (t[2]));
  NEAR (t[3], 1);
  pare_scale_init (&s, TRUE, 60, 1300, 0, 254);
  n = pare_scale_ticks (&s, 40, 2, t, 32);
  g_assert_cmpuint (n, ==, 5);
  NEAR (t[0], 64);
  NEAR (t[4], 1024);
  n = pare_scale_ticks (&s, 120, 2, t, 32); /* no room for each power: every third */
  g_assert_cmpuint (n, ==, 2);
  NEAR (t[1], 512);
  pare_scale_init (&s, TRUE, 0.9, 100, 0, 400);
  n = pare_scale_ticks (&s, 20, 10, t, 32);
  g_assert_cmpuint (n, ==, 7); /* 1 2 5 10 20 50 100 */
  NEAR (t[2], 5);
  pare_scale_init (&s, TRUE, 130, 190, 0, 400); /* within one octave: linear ticks */
  n = pare_scale_ticks (&s, 60, 2, t, 32);
  g_assert_cmpuint (n, >=, 3);
  NEAR (t[1] - t[0], t[2] - t[1]);
}

static void
test_steps (void)
{
  NEAR (pare_scale_nice_step (10, 5), 2);
  NEAR (pare_scale_nice_step (10, 4), 5);
  NEAR (pare_scale_nice_step (0.3, 3), 0.1);
  NEAR (pare_scale_nice_step (NAN, 3), 1);
  NEAR (pare_scale_nice_step (0, 0), 1);
  g_assert_cmpint (pare_scale_decimals (1), ==, 0);
  g_assert_cmpint (pare_scale_decimals (0.5), ==, 1);
  g_assert_cmpint (pare_scale_decimals (0.02), ==, 2);
  g_assert_cmpint (pare_scale_decimals (50), ==, 0);
  double low = 88.9, high = 91.9;
  pare_scale_nice (&low, &high, 3);
  NEAR (low, 88);
  NEAR (high, 92);
}

static void
test_decimate (void)
{
  enum
  {
    N = 10000
  };
  g_autofree double *x = g_new (double, N);
  g_autofree double *y = g_new (double, N);
  g_autofree guint *index = g_new (guint, N);
  for (guint i = 0; i < N; i++)
    {
      x[i] = i;
      y[i] = sin (i * 0.01);
    }
  y[5003] = 50; /* one outlier must survive */
  PareScale s;
  pare_scale_init (&s, FALSE, 0, N, 0, 100);
  guint n = pare_decimate (&s, x, y, N, index);
  g_assert_cmpuint (n, <=, 4 * 101);
  g_assert_cmpuint (index[0], ==, 0);
  g_assert_cmpuint (index[n - 1], ==, N - 1);
  gboolean found = FALSE;
  for (guint i = 0; i < n; i++)
    {
      found |= index[i] == 5003;
      g_assert_true (i == 0 || index[i] > index[i - 1]);
    }
  g_assert_true (found);
  g_assert_cmpuint (pare_decimate (&s, x, y, 0, index), ==, 0);
  g_assert_cmpuint (pare_decimate (&s, x, y, 1, index), ==, 1);
}

static void
test_rebin (void)
{
  double in[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, out[4], total = 0;
  pare_rebin (in, 8, 0, 8, out, 4, 0, 8);
  NEAR (out[0], 3);
  NEAR (out[3], 15);
  pare_rebin (in, 8, 0, 8, out, 4, -4, 12); /* nothing is lost inside a wider range */
  for (guint i = 0; i < 4; i++)
    total += out[i];
  NEAR (total, 36);
  pare_rebin (in, 8, 0, 8, out, 3, 0, 8); /* shares of a bin go to both neighbours */
  NEAR (out[0], 1 + 2 + 3 * 2 / 3.0);
  pare_rebin (in, 8, NAN, 8, out, 3, 0, 8);
  g_assert_true (out[0] == 0 && out[2] == 0);
  in[0] = NAN;
  in[1] = INFINITY;
  pare_rebin (in, 8, 0, 8, out, 4, 0, 8);
  NEAR (out[0], 0);
}

static void
test_front (void)
{
  const double x[] = { 1059, 276, 203, 150, 126, 116, 98, 240, NAN, 126, 90 };
  const double y[] = { 91.74, 91.70, 91.58, 90.3, 91.41, 90.38, 89.3, 91.1, 99, 91.0, 99 };
  const gboolean ok[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0 };
  const gboolean expected[] = { 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0 };
  gboolean front[11];
  pare_pareto_front (x, y, ok, 11, front);
  for (guint i = 0; i < 11; i++)
    g_assert_cmpint (front[i], ==, expected[i]);
  pare_pareto_front (x, y, NULL, 0, front);
}

static void
test_nearest_and_snap (void)
{
  const double x[] = { 0, 10, NAN }, y[] = { 0, 0, 0 };
  g_assert_cmpint (pare_nearest (x, y, 3, 9, 1, 5), ==, 1);
  g_assert_cmpint (pare_nearest (x, y, 3, 50, 1, 5), ==, -1);
  const double steps[] = { 0, 0.125, 0.25, 0.5 };
  NEAR (pare_snap (steps, 4, 0.13), 0.125);
  NEAR (pare_snap (steps, 4, 7), 0.5);
  NEAR (pare_snap (steps, 0, 0.13), 0.13);
  NEAR (pare_snap_step (steps, 4, 0.125, 1), 0.25);
  NEAR (pare_snap_step (steps, 4, 0.125, 10), 0.5);
  NEAR (pare_snap_step (steps, 4, 0.125, -10), 0);
  NEAR (pare_snap_step (steps, 4, 0.13, 1), 0.25);
  NEAR (pare_snap_step (steps, 4, 0.13, -1), 0.125); /* from between two: the neighbour, not past it */
  NEAR (pare_snap_step (steps, 4, 0.12, 1), 0.125);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scale/map", test_map);
  g_test_add_func ("/scale/odd-domains", test_odd_domains);
  g_test_add_func ("/scale/ticks", test_ticks);
  g_test_add_func ("/scale/steps", test_steps);
  g_test_add_func ("/scale/decimate", test_decimate);
  g_test_add_func ("/scale/rebin", test_rebin);
  g_test_add_func ("/scale/front", test_front);
  g_test_add_func ("/scale/nearest-and-snap", test_nearest_and_snap);
  return g_test_run ();
}
