/* Networks of many steps that threads compute without parting in between: the same bits whoever computes what, also after a run that was
 * cancelled on the way. */
#include "tests/engine/accel-compare.h"

/* A convolution with its activation; its result is rounded if the network is of 16 bits. */
static uint32_t
add_layer (Plan *plan, uint32_t x, int64_t m, PareConvParams p, PareActivation activation, uint32_t residual)
{
  p.activation = activation;
  p.hi = 1.5f;
  if (!narrow)
    return add_conv (plan, x, m, &p, TRUE, residual);
  return add_rounding (plan, add_narrow (plan, x, m, &p, TRUE, residual));
}

/* The blocks of MobileNet, of all sizes from those that threads share to those that one of them computes, and the largest windows or the
 * average at the end. */
static uint32_t
add_network (Plan *plan, guint seed)
{
  PareRng *r = &plan->rng;
  const PareConvParams point = conv_params (2, 1, 1, 1, 1, 0);
  int side = 40 + (int)pare_rng_below (r, 70), wide = 40 + (int)pare_rng_below (r, 70), n = 8 * (1 + (int)pare_rng_below (r, 3));
  uint32_t x = plan_input (plan, SHAPE (1 + seed % 5 / 4, 3, side, wide));
  x = add_layer (plan, narrow ? add_rounding (plan, x) : x, 16, conv_params (2, 1, 3, 2, 1, 1), PARE_ACT_CLIP, PARE_RT_NONE);
  for (int i = 0; i < 7; i++)
    {
      int e = 16 * (1 + (int)pare_rng_below (r, 9)), stride = 1 + (int)pare_rng_below (r, 2), k = pare_rng_below (r, 4) ? 3 : 5;
      bool same = stride == 1 && plan_value (plan, x)->shape.dims[1] == n;
      uint32_t y = add_layer (plan, x, e, point, PARE_ACT_CLIP, PARE_RT_NONE);
      y = add_layer (plan, y, e, conv_params (2, e, k, stride, 1, k / 2), PARE_ACT_CLIP, PARE_RT_NONE);
      x = add_layer (plan, y, n, point, PARE_ACT_NONE, same ? x : PARE_RT_NONE);
      if (i % 2)
        n = 8 * (1 + (int)pare_rng_below (r, 8));
    }
  x = add_layer (plan, x, 256, point, PARE_ACT_CLIP, PARE_RT_NONE);
  const PareShape *s = &plan_value (plan, x)->shape;
  const ParePoolParams pool = { .spatial = 2, .kernel = { s->dims[2], s->dims[3] }, .stride = { 1, 1 }, .dilation = { 1, 1 } };
  return STEP (plan, PARE_RT_GLOBAL_AVG_POOL, &pool, SHAPE (s->dims[0], 256, 1, 1), x);
}

static void
test_networks (gconstpointer bits)
{
  narrow = GPOINTER_TO_INT (bits) == 16;
  for (guint i = 0; i < 30; i++)
    {
      Plan *plan = plan_new (51000 + i);
      uint32_t y = add_network (plan, i);
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("network %u of %d bits", i, GPOINTER_TO_INT (bits));
      compare (plan, 1 + (int)(i % 3), narrow ? 0.05f : 1e-4f, what);
      same_by_threads (plan, y, what);
      plan_free (plan);
    }
}

static gpointer
cancel_soon (gpointer cancel)
{
  static guint turn;
  g_usleep (turn++ % 40 * 10);
  *(volatile int *)cancel = 1;
  return NULL;
}

/* Whenever it is cancelled, a run ends, and the next one computes what the first one did. */
static void
test_cancelled (void)
{
  narrow = true;
  Plan *plan = plan_new (52000);
  uint32_t y = add_network (plan, 0);
  plan_output (plan, y);
  const PareRtPlan *p = plan_finish (plan);
  PareAccel *accel = pare_accel_new (p, 2);
  PareAccelRunner *runner = pare_accel_runner_new (accel);
  const PareRtValue *v = &p->values[p->inputs[0]];
  PareView input = { v->dtype, v->shape, g_malloc0 (v->bytes), NULL };
  for (guint64 k = 0; k < v->bytes / sizeof (float); k++)
    ((float *)input.data)[k] = (float)(k * 37 % 101) / 101;
  g_autofree float *first = NULL;
  for (int i = 0; i < 100; i++)
    {
      volatile int cancel = i % 10 == 9;
      uint32_t failed = PARE_RT_NONE;
      GThread *thread = g_thread_new ("cancel", cancel_soon, (gpointer)&cancel);
      PareRtStatus status = pare_accel_runner_run (runner, &input, NULL, &cancel, &failed);
      g_thread_join (thread);
      g_assert_true (status == PARE_RT_OK || (status == PARE_RT_CANCELLED && failed < p->n_steps));
      g_assert_cmpint (pare_accel_runner_run (runner, &input, NULL, NULL, &failed), ==, PARE_RT_OK);
      PareView got = pare_accel_runner_view (runner, y);
      gsize bytes = (gsize)pare_shape_count (&got.shape) * sizeof (float);
      if (!first)
        first = g_memdup2 (got.data, bytes);
      g_assert_cmpmem (first, bytes, got.data, bytes);
    }
  g_free (input.data);
  pare_accel_runner_free (runner);
  pare_accel_free (accel);
  plan_free (plan);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (accel_is_absent ("/accel-together"))
    return g_test_run ();
  g_test_add_data_func ("/accel-together/floats", GINT_TO_POINTER (32), test_networks);
  g_test_add_data_func ("/accel-together/bfloats", GINT_TO_POINTER (16), test_networks);
  g_test_add_func ("/accel-together/cancelled", test_cancelled);
  return g_test_run ();
}
