#include "widgets/pare-colormap.h"
#include "widgets/pare-viewport.h"

#include <math.h>

static void
test_zoom_keeps_point (void)
{
  PareViewport v;
  pare_viewport_init (&v);
  pare_viewport_set_size (&v, 800, 600);
  pare_viewport_set_content (&v, 5000, 50000);
  pare_viewport_center_on (&v, 2500, 25000);
  double gx, gy, hx, hy;
  pare_viewport_to_graph (&v, 613, 77, &gx, &gy);
  for (int i = 0; i < 12; i++)
    {
      pare_viewport_zoom_at (&v, v.scale * (i < 6 ? 0.8 : 1.3), 613, 77);
      pare_viewport_to_graph (&v, 613, 77, &hx, &hy);
      g_assert_cmpfloat_with_epsilon (gx, hx, 1e-6);
      g_assert_cmpfloat_with_epsilon (gy, hy, 1e-6);
    }
  double vx, vy;
  pare_viewport_to_view (&v, gx, gy, &vx, &vy);
  g_assert_cmpfloat_with_epsilon (vx, 613, 1e-6);
  g_assert_cmpfloat_with_epsilon (vy, 77, 1e-6);
}

static void
test_limits (void)
{
  PareViewport v;
  pare_viewport_init (&v);
  pare_viewport_set_size (&v, 800, 600);
  pare_viewport_set_content (&v, 1000, 3000);
  pare_viewport_zoom_at (&v, 1e9, 400, 300);
  g_assert_cmpfloat (v.scale, ==, PARE_VIEWPORT_MAX_SCALE);
  pare_viewport_zoom_at (&v, 0, 400, 300);
  g_assert_cmpfloat (v.scale, ==, pare_viewport_min_scale (&v));
  pare_viewport_zoom_at (&v, NAN, 400, 300);
  g_assert_true (isfinite (v.scale));
  pare_viewport_zoom_at (&v, 1, 400, 300);
  for (int i = 0; i < 4; i++)
    {
      pare_viewport_scroll (&v, i & 1 ? 1e7 : -1e7, i & 2 ? 1e7 : -1e7);
      g_assert_cmpfloat (v.x, <, 1000); /* something is still in view */
      g_assert_cmpfloat (v.y, <, 3000);
      g_assert_cmpfloat (v.x + 800, >, 0);
      g_assert_cmpfloat (v.y + 600, >, 0);
    }
}

static void
test_fit (void)
{
  PareViewport v;
  pare_viewport_init (&v);
  pare_viewport_set_size (&v, 800, 600);
  pare_viewport_set_content (&v, 1000, 3000);
  pare_viewport_fit (&v, 0, 0, 1000, 3000, 12, 1);
  g_assert_cmpfloat_with_epsilon (v.scale, 576 / 3000.0, 1e-9);
  double x, y;
  pare_viewport_to_view (&v, 500, 1500, &x, &y);
  g_assert_cmpfloat_with_epsilon (x, 400, 1e-6);
  g_assert_cmpfloat_with_epsilon (y, 300, 1e-6);
  v.inset_right = 100;
  pare_viewport_fit (&v, 0, 0, 100, 100, 0, 1);
  g_assert_cmpfloat (v.scale, ==, 1); /* never beyond what was asked for */
  pare_viewport_to_view (&v, 50, 50, &x, &y);
  g_assert_cmpfloat_with_epsilon (x, 350, 1e-6); /* beside the overlay */
  double before = v.scale;
  pare_viewport_fit (&v, 0, 0, 0, 0, 0, 1); /* nothing to fit: nothing happens */
  g_assert_cmpfloat (v.scale, ==, before);
}

static void
test_reveal (void)
{
  PareViewport v;
  pare_viewport_init (&v);
  pare_viewport_set_size (&v, 800, 600);
  pare_viewport_set_content (&v, 4000, 4000);
  pare_viewport_center_on (&v, 2000, 2000);
  double x = v.x, y = v.y;
  g_assert_false (pare_viewport_reveal (&v, 1900, 1900, 220, 50, 24));
  g_assert_true (pare_viewport_reveal (&v, 1900, 3000, 220, 50, 24));
  g_assert_cmpfloat (v.x, ==, x);
  g_assert_cmpfloat_with_epsilon (v.y + 600, 3074, 1e-6);
  g_assert_cmpfloat (v.y, >, y);
}

static void
test_detail (void)
{
  g_assert_cmpint (pare_detail_for_scale (1, PARE_DETAIL_CARD), ==, PARE_DETAIL_CARD);
  g_assert_cmpint (pare_detail_for_scale (0.78, PARE_DETAIL_CARD), ==, PARE_DETAIL_CARD); /* hysteresis */
  g_assert_cmpint (pare_detail_for_scale (0.75, PARE_DETAIL_CARD), ==, PARE_DETAIL_NAME);
  g_assert_cmpint (pare_detail_for_scale (0.78, PARE_DETAIL_NAME), ==, PARE_DETAIL_NAME);
  g_assert_cmpint (pare_detail_for_scale (0.80, PARE_DETAIL_NAME), ==, PARE_DETAIL_CARD);
  g_assert_cmpint (pare_detail_for_scale (0.2, PARE_DETAIL_CARD), ==, PARE_DETAIL_TILE);
  g_assert_cmpint (pare_detail_for_scale (0.05, PARE_DETAIL_CARD), ==, PARE_DETAIL_GROUP);
  g_assert_cmpint (pare_detail_for_scale (0.078, PARE_DETAIL_TILE), ==, PARE_DETAIL_TILE);
  g_assert_cmpint (pare_detail_for_scale (0.078, PARE_DETAIL_GROUP), ==, PARE_DETAIL_GROUP);
}

static double
contrast (const GdkRGBA *a, const GdkRGBA *b)
{
  double x = pare_colormap_luminance (a), y = pare_colormap_luminance (b);
  return (MAX (x, y) + 0.05) / (MIN (x, y) + 0.05);
}

static void
test_colours (void)
{
  double last = 0;
  for (int dark = 0; dark < 2; dark++)
    for (int i = 0; i <= 200; i++)
      {
        GdkRGBA fill, ink;
        pare_colormap_metric (i / 200.0, dark, &fill);
        pare_colormap_ink (&fill, &ink);
        g_assert_cmpfloat (contrast (&fill, &ink), >=, 4.5);
        double now = pare_colormap_luminance (&fill);
        if (i > 0)
          g_assert_true (dark ? now >= last - 1e-6 : now <= last + 1e-6); /* the map runs one way */
        last = now;
        pare_colormap_delta (i / 100.0 - 1, dark, &fill);
        pare_colormap_ink (&fill, &ink);
        g_assert_cmpfloat (contrast (&fill, &ink), >=, 4.5);
      }
  GdkRGBA low, below;
  pare_colormap_metric (0, FALSE, &low);
  pare_colormap_metric (-5, FALSE, &below);
  g_assert_true (gdk_rgba_equal (&low, &below));
  g_assert_cmpint (pare_op_class_of ("Conv"), ==, PARE_OP_CLASS_CONV);
  g_assert_cmpint (pare_op_class_of ("Con"), ==, PARE_OP_CLASS_UNKNOWN);
  g_assert_cmpint (pare_op_class_of ("GlobalAveragePool"), ==, PARE_OP_CLASS_POOL);
  g_assert_cmpint (pare_op_class_of (NULL), ==, PARE_OP_CLASS_UNKNOWN);
  g_assert_cmpint (pare_op_class_of_conv (32, 32), ==, PARE_OP_CLASS_DEPTHWISE);
  g_assert_cmpint (pare_op_class_of_conv (1, 1), ==, PARE_OP_CLASS_CONV);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/viewport/zoom-keeps-point", test_zoom_keeps_point);
  g_test_add_func ("/viewport/limits", test_limits);
  g_test_add_func ("/viewport/fit", test_fit);
  g_test_add_func ("/viewport/reveal", test_reveal);
  g_test_add_func ("/viewport/detail", test_detail);
  g_test_add_func ("/viewport/colours", test_colours);
  return g_test_run ();
}
