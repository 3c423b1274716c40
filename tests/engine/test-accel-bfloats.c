/* The accelerator's own kernels on bfloat16: Winograd's convolutions. The portable kernels multiply the same operands exactly. */
#include "tests/engine/accel-compare.h"

/* A convolution whose operands are both of 16 bits. */
static uint32_t
add_narrow (Plan *plan, uint32_t x, int64_t m, const PareConvParams *p, gboolean bias, uint32_t residual)
{
  uint32_t y = add_conv (plan, x, m, p, bias, residual);
  round_constant (plan, g_array_index (plan->steps, PareRtStep, plan->steps->len - 1).in[1]);
  return y;
}

/* Sizes around those of tiles, bands and panels; all that may follow; residuals and results of 16 bits and of floats. Transformed tiles and
 * weights are rounded, so the answers differ by more than the order of sums, but not by more than a few times what storing 16 bits costs.
 */
static void
test_winograd (void)
{
  static const int channels[] = { 16, 32, 48, 64, 80, 112, 128, 256 }, sides[] = { 1, 3, 4, 7, 8, 13, 14, 30 };
  static const PareActivation acts[] = { PARE_ACT_NONE, PARE_ACT_CLIP, PARE_ACT_LEAKY, PARE_ACT_SWISH };
  narrow = true;
  for (guint i = 0; i < 120; i++)
    {
      Plan *plan = plan_new (7000 + i);
      PareRng *r = &plan->rng;
      int c = channels[pare_rng_below (r, G_N_ELEMENTS (channels))], m = channels[pare_rng_below (r, G_N_ELEMENTS (channels))],
          h = sides[pare_rng_below (r, G_N_ELEMENTS (sides))], w = sides[pare_rng_below (r, G_N_ELEMENTS (sides))];
      PareConvParams p = conv_params (2, 1, 3, 1, 1, 1), point = conv_params (2, 1, 1, 1, 1, 0);
      for (int d = 0; d < 2; d++)
        {
          p.pad_begin[d] = (int32_t)pare_rng_below (r, 3);
          p.pad_end[d] = 2 - (i % 3 ? p.pad_begin[d] : 0);
        }
      p.activation = acts[i % G_N_ELEMENTS (acts)];
      p.hi = i % 3 ? INFINITY : 0.7f;
      p.alpha = 0.1f;
      uint32_t x = add_rounding (plan, plan_input (plan, SHAPE (1 + i % 5 / 4, c, h, w))), residual = PARE_RT_NONE;
      if (i % 2)
        x = add_rounding (plan, add_narrow (plan, x, c, &point, FALSE, PARE_RT_NONE));
      if (i % 3 && c == m)
        residual = x;
      else if (i % 3)
        residual = add_narrow (plan, x, m, &point, FALSE, PARE_RT_NONE);
      if (residual != PARE_RT_NONE && residual != x && i % 4 < 2)
        residual = add_rounding (plan, residual);
      uint32_t y = add_narrow (plan, x, m, &p, pare_rng_below (r, 2), residual);
      if (residual == PARE_RT_NONE && i % 5 == 2)
        y = add_norm (plan, y);
      if (i % 7 < 4) /* the result is of 16 bits */
        y = add_narrow (plan, add_rounding (plan, y), 16, &point, FALSE, PARE_RT_NONE);
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("3 x 3 conv of 16 bits %u: %d -> %d, %d x %d, activation %d%s", i, c, m, h, w, p.activation,
                                               residual == PARE_RT_NONE ? "" : ", residual");
      compare (plan, 1 + (int)(i % 2), 0.15f, what);
      if (!(i % 2) && residual == PARE_RT_NONE && p.activation < PARE_ACT_SWISH)
        same_by_threads (plan, y, what);
      plan_free (plan);
    }
  g_test_message ("farthest %g", (double)farthest);
  g_assert_cmpfloat (farthest, <, 0.06);
}

static void
test_absent (void)
{
  g_test_skip ("built without oneDNN: nothing to compare");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (!strcmp (pare_accel_version (), "none"))
    {
      g_test_add_func ("/accel-bfloats", test_absent);
      return g_test_run ();
    }
  g_test_add_func ("/accel-bfloats/winograd", test_winograd);
  return g_test_run ();
}
