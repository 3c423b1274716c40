#include "engine/base/pare-rng.h"
#include "engine/train/pare-net.h"

#include <math.h>

/* One of everything: dense, strided, grouped and depthwise convolution, a residual sum, pooling, a head. */
static PareNet *
make_net (void)
{
  PareNet *net = pare_net_new (2, 7, 6);
  int a = pare_net_conv (net, "/a/Conv", -1, 4, 3, 2, 1, TRUE);
  int b = pare_net_conv (net, "/b/Conv", a, 4, 3, 1, 4, TRUE);
  b = pare_net_conv (net, "/c/Conv", b, 4, 1, 1, 2, FALSE);
  a = pare_net_add (net, "/d/Add", b, a, TRUE);
  a = pare_net_pool (net, "/e/Pool", a);
  pare_net_dense (net, "/f/Gemm", a, 3);
  pare_net_init (net, 3);
  return net;
}

static void
fill (float *x, int n, PareRng *rng)
{
  for (int i = 0; i < n; i++)
    x[i] = (float)pare_rng_normal (rng);
}

static void
test_gradient (void)
{
  g_autoptr (PareNet) net = make_net ();
  PareRng rng = { 5 };
  float x[5 * 2 * 7 * 6];
  const int labels[5] = { 0, 1, 2, 1, 0 };
  fill (x, G_N_ELEMENTS (x), &rng);
  gsize n;
  float *p = pare_net_get_parameters (net, &n);
  g_autofree float *gradient = g_new (float, n), *ignored = g_new (float, n);
  for (gsize i = 0; i < n; i++) /* fresh biases are zero, where a dead ReLU's kink lies */
    p[i] += 0.2f * (float)pare_rng_normal (&rng);
  pare_net_gradient (net, x, labels, 5, gradient);
  double worst = 0, scale = 0;
  for (gsize i = 0; i < n; i++)
    {
      const float h = 1e-3f, keep = p[i];
      p[i] = keep + h;
      double up = pare_net_gradient (net, x, labels, 5, ignored);
      p[i] = keep - h;
      double down = pare_net_gradient (net, x, labels, 5, ignored);
      p[i] = keep;
      worst = MAX (worst, fabs ((up - down) / (2 * h) - gradient[i]));
      scale = MAX (scale, fabs (gradient[i]));
    }
  g_test_message ("worst difference %.2e of gradients up to %.2e", worst, scale);
  g_assert_cmpfloat (scale, >, 1e-2);
  g_assert_cmpfloat (worst, <, 0.02 * scale); /* a ReLU's kink inside the step costs a little */
}

static void
test_learns (void)
{
  g_autoptr (PareNet) net = make_net ();
  PareRng rng = { 9 };
  float x[24 * 84];
  int labels[24];
  fill (x, G_N_ELEMENTS (x), &rng);
  for (int i = 0; i < 24; i++)
    labels[i] = (int)pare_rng_below (&rng, 3);
  PareNetStep step = { .learning_rate = 1e-2, .threads = 2 };
  double first = pare_net_train (net, x, labels, 24, &step), last = first;
  for (int i = 0; i < 300; i++)
    last = pare_net_train (net, x, labels, 24, &step);
  g_assert_cmpfloat (last, <, 0.5 * first);
}

static void
test_threads (void)
{
  g_autoptr (PareNet) one = make_net (), two = make_net ();
  PareRng rng = { 9 };
  float x[9 * 84];
  const int labels[9] = { 0, 1, 2, 0, 1, 2, 0, 1, 2 };
  fill (x, G_N_ELEMENTS (x), &rng);
  PareNetStep a = { .learning_rate = 1e-2, .threads = 1 }, b = { .learning_rate = 1e-2, .threads = 3 };
  for (int i = 0; i < 5; i++)
    {
      pare_net_train (one, x, labels, 9, &a);
      pare_net_train (two, x, labels, 9, &b);
    }
  gsize n;
  float *p = pare_net_get_parameters (one, &n), *q = pare_net_get_parameters (two, &n);
  g_assert_cmpmem (p, n * sizeof *p, q, n * sizeof *q);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/train/gradient", test_gradient);
  g_test_add_func ("/train/learns", test_learns);
  g_test_add_func ("/train/threads", test_threads);
  return g_test_run ();
}
