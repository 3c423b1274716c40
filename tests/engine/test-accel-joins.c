/* Values joined where they lie: channels of all layouts, in 32 and 16 bits, maps that are reshaped, joined and turned as detectors do, and
 * sums of operands of both types. */
#include "tests/engine/accel-compare.h"

/* A convolution, rounded to 16 bits or not, in the layout that it likes. */
static uint32_t
add_point (Plan *plan, uint32_t x, int64_t m, bool rounded)
{
  const PareConvParams point = conv_params (2, 1, 1, 1, 1, 0);
  uint32_t y = add_conv (plan, x, m, &point, FALSE, PARE_RT_NONE);
  if (narrow)
    round_constant (plan, g_array_index (plan->steps, PareRtStep, plan->steps->len - 1).in[1]);
  return rounded ? add_rounding (plan, y) : y;
}

static uint32_t
add_source (Plan *plan, PareShape shape)
{
  uint32_t x = plan_input (plan, shape);
  return narrow ? add_rounding (plan, x) : x;
}

/* Numbers of channels that fill blocks, that cut them, and single ones; batches of one and more; plain operands among them. */
static void
test_channels (void)
{
  static const int channels[] = { 16, 32, 1, 4, 80, 24, 3, 48 };
  const PareAxisParams axis = { 1 };
  for (guint i = 0; i < 120; i++)
    {
      narrow = i % 2;
      Plan *plan = plan_new (21000 + i);
      PareRng *r = &plan->rng;
      int batch = 1 + (int)i % 5 / 4, h = 1 + (int)pare_rng_below (r, 12), w = 1 + (int)pare_rng_below (r, 30), n = 2 + (int)i % 3;
      uint32_t x = add_source (plan, SHAPE (batch, 32, h, w)), in[4];
      int64_t all = 0;
      for (int k = 0; k < n; k++)
        {
          int m = channels[pare_rng_below (r, G_N_ELEMENTS (channels))];
          bool plain = i % 7 == 6 && k == 1;
          in[k] = plain ? x : add_point (plan, x, m, narrow && i % 8 != 7);
          all += plain ? 32 : m;
        }
      uint32_t y = plan_step (plan, PARE_RT_CONCAT, &axis, sizeof axis, SHAPE (batch, all, h, w), n, in);
      if (i % 4 < 2)
        y = add_point (plan, narrow && i % 8 == 7 ? add_rounding (plan, y) : y, 16, false);
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("channels joined %u: %d values, %d in all, %d x %d", i, n, (int)all, h, w);
      compare (plan, 1 + (int)(i % 2), narrow ? 0.01f : 1e-4f, what);
      plan_free (plan);
    }
}

/* Rows and columns of several maps become one axis, which is joined; then channels go last. */
static void
test_maps (void)
{
  for (guint i = 0; i < 60; i++)
    {
      narrow = i % 2;
      Plan *plan = plan_new (23000 + i);
      PareRng *r = &plan->rng;
      const PareAxisParams channels = { 1 }, maps = { i % 4 < 2 ? 2 : 1 };
      const PareTransposeParams last = { { 0, 2, 1 } };
      int batch = 1 + (int)i % 6 / 5, m = i % 3 ? 5 : 16, all = 0;
      uint32_t flat[3], x = PARE_RT_NONE;
      for (int k = 0; k < 3; k++)
        {
          int side = 2 + (int)pare_rng_below (r, 9);
          x = add_source (plan, SHAPE (batch, 32, side, side + k));
          uint32_t y = add_point (plan, x, m, false);
          if (i % 3 == 1)
            y = STEP (plan, PARE_RT_CONCAT, &channels, SHAPE (batch, m + 1, side, side + k), add_point (plan, x, 1, false), y);
          int64_t c = plan_value (plan, y)->shape.dims[1], area = side * (side + k);
          if (maps.axis == 2)
            flat[k] = plan_alias (plan, y, SHAPE (batch, c, area));
          else /* anchors of each place */
            flat[k] = plan_alias (
                plan, STEP (plan, PARE_RT_TRANSPOSE, (&(PareTransposeParams){ { 0, 2, 3, 1 } }), SHAPE (batch, side, side + k, c), y),
                SHAPE (batch, area, c));
          all += (int)area;
        }
      int64_t c = m + (i % 3 == 1);
      uint32_t y
          = plan_step (plan, PARE_RT_CONCAT, &maps, sizeof maps, maps.axis == 2 ? SHAPE (batch, c, all) : SHAPE (batch, all, c), 3, flat);
      if (maps.axis == 2)
        y = STEP (plan, PARE_RT_TRANSPOSE, &last, SHAPE (batch, all, c), y);
      plan_output (plan, y);
      if (i % 5 == 4) /* one of the maps is read, too */
        plan_output (plan, flat[1]);
      g_autofree char *what = g_strdup_printf ("maps joined %u: batch %d, %d channels, %d places", i, batch, (int)c, all);
      compare (plan, 1 + (int)(i % 2), narrow ? 0.01f : 1e-4f, what);
      plan_free (plan);
    }
}

/* A reshaped map turned: rows and columns put together, channels taken apart, what cannot be named without moving. */
static void
test_reshaped (void)
{
  for (guint i = 0; i < 40; i++)
    {
      narrow = false;
      Plan *plan = plan_new (25000 + i);
      int batch = 1 + (int)i % 3 / 2, h = 4 + (int)(i % 3), w = 6;
      const PareTransposeParams back = { { 0, 2, 1 } }, four = { { 0, 3, 1, 2 } };
      uint32_t y = add_point (plan, plan_input (plan, SHAPE (batch, 16, h, w)), 32, false);
      switch (i % 4)
        {
        case 0: /* to a row of places */
          y = STEP (plan, PARE_RT_TRANSPOSE, &back, SHAPE (batch, h * w, 32), plan_alias (plan, y, SHAPE (batch, 32, h * w)));
          break;
        case 1: /* heads */
          y = STEP (plan, PARE_RT_TRANSPOSE, &four, SHAPE (batch, h * w, 4, 8), plan_alias (plan, y, SHAPE (batch, 4, 8, h * w)));
          break;
        case 2: /* rows with the channels */
          y = STEP (plan, PARE_RT_TRANSPOSE, &back, SHAPE (batch, w, 32 * h), plan_alias (plan, y, SHAPE (batch, 32 * h, w)));
          break;
        default: /* axes of one */
          y = plan_alias (plan, y, SHAPE (batch, 1, 32, h * w));
          y = STEP (plan, PARE_RT_TRANSPOSE, &four, SHAPE (batch, h * w, 1, 32), y);
        }
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("reshaped %u", i);
      compare (plan, 1, 1e-4f, what);
      plan_free (plan);
    }
}

/* Sums, differences and products of what is of 16 bits and what is not, rounded or not. */
static void
test_sums (void)
{
  static const PareBinaryKind kinds[] = { PARE_BIN_ADD, PARE_BIN_MUL, PARE_BIN_SUB, PARE_BIN_MAX };
  narrow = true;
  for (guint i = 0; i < 80; i++)
    {
      Plan *plan = plan_new (27000 + i);
      PareRng *r = &plan->rng;
      int h = 1 + (int)pare_rng_below (r, 12), w = 1 + (int)pare_rng_below (r, 30), m = i % 5 ? 32 : 24;
      PareBinaryParams p = { .kind = kinds[i / 4 % 4], .activation = i % 3 ? PARE_ACT_NONE : PARE_ACT_CLIP, .lo = 0, .hi = 0.8f };
      uint32_t x = add_source (plan, SHAPE (1 + i % 7 / 6, 32, h, w)), a = add_point (plan, x, m, i % 2),
               b = add_point (plan, a, m, i / 2 % 2);
      uint32_t y = STEP (plan, PARE_RT_BINARY, &p, plan_value (plan, a)->shape, a, b);
      if (i % 4 != 3)
        y = add_rounding (plan, y);
      if (i % 9 < 5)
        y = add_point (plan, y, 16, false);
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("sum of both types %u: kind %d, %d channels, %d x %d", i, p.kind, m, h, w);
      compare (plan, 1 + (int)(i % 2), 0.01f, what);
      plan_free (plan);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (accel_is_absent ("/accel-joins"))
    return g_test_run ();
  g_test_add_func ("/accel-joins/channels", test_channels);
  g_test_add_func ("/accel-joins/maps", test_maps);
  g_test_add_func ("/accel-joins/reshaped", test_reshaped);
  g_test_add_func ("/accel-joins/sums", test_sums);
  return g_test_run ();
}
