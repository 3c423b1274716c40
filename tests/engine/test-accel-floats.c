/* The accelerator's own float kernels: Winograd's convolutions, groups around a depthwise one, convolutions of few channels or results,
 * pointwise ones, fully connected ones, and what is joined without a copy. */
#include "engine/accel/pare-accel-floats.h"
#include "tests/engine/accel-compare.h"

/* Sizes around those of tiles, bands and panels; deep ones, whose errors would show; all that may follow. Any number of threads computes
 * the same bits. */
static void
test_winograd (void)
{
  static const int channels[] = { 16, 32, 48, 64, 80, 112, 128, 256 }, sides[] = { 1, 3, 4, 7, 8, 13, 14, 30 };
  static const PareActivation acts[] = { PARE_ACT_NONE, PARE_ACT_CLIP, PARE_ACT_LEAKY, PARE_ACT_SWISH, PARE_ACT_TANH };
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
      uint32_t x = plan_input (plan, SHAPE (1 + i % 5 / 4, c, h, w)), residual = PARE_RT_NONE;
      if (i % 2)
        x = add_conv (plan, x, c, &point, FALSE, PARE_RT_NONE);
      if (i % 3 && c == m)
        residual = x;
      else if (i % 3)
        residual = add_conv (plan, x, m, &point, FALSE, PARE_RT_NONE);
      uint32_t y = add_conv (plan, x, m, &p, pare_rng_below (r, 2), residual);
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("3 x 3 conv %u: %d -> %d, %d x %d, activation %d%s", i, c, m, h, w, p.activation,
                                               residual == PARE_RT_NONE ? "" : ", residual");
      compare (plan, 1 + (int)(i % 2), 1e-5f, what);
      if (plan->plan.n_steps == 1)
        same_by_threads (plan, y, what);
      plan_free (plan);
    }
}

/* Groups of two, four and eight channels, some of them in a last block that is not whole, both steps, all that may follow, sizes around
 * those of a tile. */
static void
test_grouped (void)
{
  static const int channels[] = { 16, 48, 64, 128, 24, 40, 104 }, depths[] = { 8, 4, 2 }, sides[] = { 1, 2, 5, 7, 9, 14, 19, 29 };
  static const PareActivation acts[] = { PARE_ACT_NONE, PARE_ACT_CLIP, PARE_ACT_LEAKY, PARE_ACT_SWISH };
  for (guint i = 0; i < 180; i++)
    {
      Plan *plan = plan_new (17000 + i);
      PareRng *r = &plan->rng;
      int c = channels[pare_rng_below (r, G_N_ELEMENTS (channels))], h = sides[pare_rng_below (r, G_N_ELEMENTS (sides))],
          w = sides[pare_rng_below (r, G_N_ELEMENTS (sides))], depth = depths[i % G_N_ELEMENTS (depths)], stride = 1 + (int)(i / 4 % 2);
      PareConvParams p = conv_params (2, c / depth, 3, stride, 1, 1), point = conv_params (2, 1, 1, 1, 1, 0);
      for (int d = 0; d < 2; d++)
        {
          p.pad_begin[d] = (int32_t)pare_rng_below (r, 3);
          p.pad_end[d] = 2;
        }
      p.activation = acts[i % G_N_ELEMENTS (acts)];
      p.hi = i % 3 ? INFINITY : 0.7f;
      p.alpha = 0.1f;
      uint32_t x = plan_input (plan, SHAPE (1 + i % 5 / 4, c, h, w)), residual = PARE_RT_NONE;
      if (i % 3)
        x = add_conv (plan, x, c, &point, FALSE, PARE_RT_NONE);
      if (i % 4 == 1 && p.pad_begin[0] == 0 && p.pad_begin[1] == 0)
        residual = stride == 1 ? x : plan_input (plan, SHAPE (1 + i % 5 / 4, c, (h - 1) / 2 + 1, (w - 1) / 2 + 1));
      uint32_t y = add_conv (plan, x, c, &p, pare_rng_below (r, 2), residual);
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("grouped conv %u: %d in groups of %d, a step of %d, %d x %d, activation %d%s", i, c, depth,
                                               stride, h, w, p.activation, residual == PARE_RT_NONE ? "" : ", residual");
      compare (plan, 1 + (int)(i % 2), 1e-5f, what);
      if (plan->plan.n_steps == 1 && pare_accel_floats () != NULL && pare_accel_floats ()->grouped != NULL)
        same_by_threads (plan, y, what);
      plan_free (plan);
    }
}

/* Pointwise, depthwise, pointwise: with and without the first and the last, normalizations between, what lies between kept, residuals of
 * the group's input and of others, images of more rows than a band. */
static void
test_separable (void)
{
  static const int channels[] = { 3, 8, 16, 24, 32, 40, 64, 96, 100 }, inner[] = { 16, 32, 48, 80, 96, 144, 20 },
                   sides[] = { 1, 2, 5, 7, 9, 14, 41, 97 };
  static const PareActivation acts[] = { PARE_ACT_NONE,    PARE_ACT_CLIP,      PARE_ACT_CLIP, PARE_ACT_LEAKY, PARE_ACT_SWISH,
                                         PARE_ACT_SIGMOID, PARE_ACT_HARDSWISH, PARE_ACT_TANH, PARE_ACT_MISH };
  for (guint i = 0; i < 160; i++)
    {
      Plan *plan = plan_new (9000 + i);
      PareRng *r = &plan->rng;
      int side = sides[pare_rng_below (r, G_N_ELEMENTS (sides))], wide = i % 4 ? side : 112, k = i % 5 == 4 ? 5 : 3,
          c = channels[pare_rng_below (r, G_N_ELEMENTS (channels))],
          e = i % 3 ? c * 3 / 16 * 16 + 16 : inner[pare_rng_below (r, G_N_ELEMENTS (inner))],
          stride = 1 + (int)(pare_rng_below (r, 3) == 0);
      PareConvParams point = conv_params (2, 1, 1, 1, 1, 0), deep = conv_params (2, e, k, stride, 1, (int)pare_rng_below (r, (guint64)k));
      deep.pad_end[0] = deep.pad_end[1] = k / 2;
      deep.activation = acts[pare_rng_below (r, G_N_ELEMENTS (acts))];
      point.activation = acts[i % G_N_ELEMENTS (acts)];
      point.lo = deep.lo = i % 3 ? 0 : -0.3f;
      point.hi = deep.hi = i % 2 ? INFINITY : 0.7f;
      point.alpha = deep.alpha = 0.1f;
      if (side + deep.pad_begin[0] + deep.pad_end[0] < k)
        deep.pad_begin[0] = deep.pad_begin[1] = deep.pad_end[0] = deep.pad_end[1] = k / 2;
      bool expands = i % 7 > 1, projects = i % 11 > 1, norms = i % 3 == 1;
      uint32_t x = plan_input (plan, SHAPE (1 + i % 6 / 5, expands ? c : e, side, wide)), y = x, residual = PARE_RT_NONE;
      if (i % 2)
        y = x = add_conv (plan, x, expands ? c : e, &point, FALSE, PARE_RT_NONE);
      if (expands)
        y = add_conv (plan, y, e, &point, TRUE, PARE_RT_NONE);
      if (expands && norms)
        y = add_norm (plan, y);
      if (i % 13 == 12)
        plan_output (plan, y); /* wanted by others */
      y = add_conv (plan, y, e, &deep, i % 2, PARE_RT_NONE);
      if (norms)
        y = add_norm (plan, y);
      PareShape s = plan_value (plan, y)->shape;
      bool same = plan_value (plan, x)->shape.dims[2] == s.dims[2] && plan_value (plan, x)->shape.dims[3] == s.dims[3];
      if (projects && same && i % 4 == 1)
        residual = x;
      else if (projects && same && i % 4 == 2)
        residual = add_conv (plan, x, (int64_t)plan_value (plan, x)->shape.dims[1], &point, FALSE, PARE_RT_NONE);
      if (residual == x && i % 8 == 1)
        plan_output (plan, x);
      point.activation = acts[i / 5 % G_N_ELEMENTS (acts)];
      if (projects)
        y = add_conv (plan, y, residual == PARE_RT_NONE ? c : plan_value (plan, residual)->shape.dims[1], &point, TRUE, residual);
      if (projects && norms && i % 2)
        y = add_norm (plan, y);
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("separable %u: %d -> %d, %d x %d, kernel %d, stride %d%s%s%s%s", i, c, e, side, wide, k,
                                               stride, expands ? ", expanded" : "", projects ? ", projected" : "",
                                               norms ? ", normalized" : "", residual == PARE_RT_NONE ? "" : ", residual");
      compare (plan, 1 + (int)(i % 3), 1e-5f, what);
      if (e % 16 == 0 && point.activation != PARE_ACT_TANH && deep.activation != PARE_ACT_TANH && i % 2 == 0)
        same_by_threads (plan, y, what);
      plan_free (plan);
    }
}

/* Few channels, windows of all kinds, more rows than a band; what a window does not reach at the right is not read. */
static void
test_stem (void)
{
  static const PareActivation acts[] = { PARE_ACT_NONE, PARE_ACT_CLIP, PARE_ACT_LEAKY, PARE_ACT_SWISH, PARE_ACT_TANH };
  for (guint i = 0; i < 80; i++)
    {
      Plan *plan = plan_new (11000 + i);
      PareRng *r = &plan->rng;
      int c = 1 + (int)i % 4, k = 1 + (int)pare_rng_below (r, 7), m = 16 + 16 * (int)pare_rng_below (r, 4),
          h = k + (int)pare_rng_below (r, 40), w = k + (int)pare_rng_below (r, 60);
      PareConvParams p = conv_params (2, 1, k, 1 + (int)pare_rng_below (r, 3), 1, (int)pare_rng_below (r, (guint64)k));
      p.pad_end[1] = (int32_t)pare_rng_below (r, (guint64)k);
      p.stride[1] = 1 + (int)pare_rng_below (r, 3);
      p.kernel[1] = i % 5 == 4 ? 1 : k;
      if (p.kernel[1] == 1)
        p.pad_begin[1] = p.pad_end[1] = 0;
      p.activation = acts[i / 4 % G_N_ELEMENTS (acts)];
      p.hi = i % 3 ? INFINITY : 0.7f;
      p.alpha = 0.1f;
      uint32_t y = add_conv (plan, plan_input (plan, SHAPE (1 + i % 7 / 6, c, h, w)), m, &p, i % 2, PARE_RT_NONE);
      if (i % 3 == 2)
        y = add_norm (plan, y);
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("stem %u: %d -> %d, %d x %d, kernel %d x %d, stride %d, %d, activation %d", i, c, m, h, w, k,
                                               p.kernel[1], p.stride[0], p.stride[1], p.activation);
      compare (plan, 1 + (int)(i % 2), 1e-5f, what);
      if (p.activation != PARE_ACT_TANH)
        same_by_threads (plan, y, what);
      plan_free (plan);
    }
}

/* What detectors are made of: pointwise convolutions with functions behind them, some joined (in blocks where channels are whole ones),
 * resized, added, and read by convolutions of a few odd channels. */
static void
test_pointwise (void)
{
  static const int channels[] = { 16, 32, 48, 64, 80, 17, 85, 4 }, sides[] = { 1, 3, 13, 20, 26, 52 };
  static const PareActivation acts[] = { PARE_ACT_SWISH,     PARE_ACT_SIGMOID, PARE_ACT_HARDSWISH, PARE_ACT_GELU,
                                         PARE_ACT_GELU_TANH, PARE_ACT_MISH,    PARE_ACT_ELU,       PARE_ACT_QUICK_GELU };
  for (guint i = 0; i < 60; i++)
    {
      Plan *plan = plan_new (13000 + i);
      PareRng *r = &plan->rng;
      int most = i % 3 ? 5 : (int)G_N_ELEMENTS (channels), a = channels[pare_rng_below (r, (guint64)most)],
          b = channels[pare_rng_below (r, (guint64)most)], h = sides[pare_rng_below (r, G_N_ELEMENTS (sides))],
          w = sides[pare_rng_below (r, G_N_ELEMENTS (sides))], batch = i % 5 == 4 ? 2 : 1;
      PareConvParams p = conv_params (2, 1, 1, 1, 1, 0), first = conv_params (2, 1, 3, 1, 1, 1);
      p.activation = first.activation = acts[i % G_N_ELEMENTS (acts)];
      const PareAxisParams axis = { 1 };
      uint32_t x = plan_input (plan, SHAPE (batch, 3, h, w));
      x = add_conv (plan, x, a, &first, TRUE, PARE_RT_NONE);
      uint32_t left = add_conv (plan, x, a, &p, TRUE, i % 4 == 1 ? x : PARE_RT_NONE),
               right = add_conv (plan, x, b, &p, FALSE, PARE_RT_NONE),
               y = STEP (plan, PARE_RT_CONCAT, &axis, SHAPE (batch, a + b, h, w), left, right);
      PareResizeParams resize = { .mode = i % 2 ? PARE_RESIZE_NEAREST : PARE_RESIZE_LINEAR,
                                  .coord = (PareCoordMode)(i % 3),
                                  .nearest = (PareNearestMode)(i % 4),
                                  .scale = { 1, 1, 2, i % 5 ? 2 : 1 } };
      y = STEP (plan, PARE_RT_RESIZE, &resize, SHAPE (batch, a + b, 2 * h, (i % 5 ? 2 : 1) * w), y);
      y = add_conv (plan, y, b, &p, TRUE, PARE_RT_NONE);
      plan_output (plan, add_conv (plan, y, 5, &p, TRUE, PARE_RT_NONE));
      y = add_conv (plan, y, a, &p, TRUE, PARE_RT_NONE);
      if (i % 3 == 1)
        y = add_norm (plan, y);
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("pointwise %u: %d, %d, %d x %d, activation %d", i, a, b, h, w, p.activation);
      compare (plan, 1 + (int)(i % 2), 1e-5f, what);
      plan_free (plan);
    }
}

/* Squeeze and excite: channels times numbers of their own, one for all images or one for each, on either side, and the pointwise
 * convolution behind, with what may stand around it; also where the product is read again. */
static void
test_gated (void)
{
  static const int channels[] = { 16, 24, 17, 48, 64, 96, 120 }, sides[] = { 1, 3, 7, 14, 20, 33 };
  guint joined = 0, apart = 0;
  for (guint i = 0; i < 80; i++)
    {
      Plan *plan = plan_new (15000 + i);
      PareRng *r = &plan->rng;
      int a = channels[pare_rng_below (r, G_N_ELEMENTS (channels))], b = channels[pare_rng_below (r, G_N_ELEMENTS (channels))],
          h = sides[pare_rng_below (r, G_N_ELEMENTS (sides))], w = sides[pare_rng_below (r, G_N_ELEMENTS (sides))],
          batch = i % 5 == 4 ? 2 : 1;
      PareConvParams point = conv_params (2, 1, 1, 1, 1, 0), first = conv_params (2, 1, 3, 1, 1, 1), squeezed = point;
      const PareBinaryParams mul = { .kind = PARE_BIN_MUL };
      squeezed.activation = i % 2 ? PARE_ACT_SIGMOID : PARE_ACT_NONE;
      point.activation = i % 3 == 2 ? PARE_ACT_SWISH : PARE_ACT_NONE;
      uint32_t x = plan_input (plan, SHAPE (batch, 3, h, w)), residual = PARE_RT_NONE;
      x = add_conv (plan, x, a, &first, TRUE, PARE_RT_NONE);
      if (i % 4 == 1)
        residual = add_conv (plan, x, b, &point, FALSE, PARE_RT_NONE);
      uint32_t numbers
          = i % 7 == 6 ? plan_input (plan, SHAPE (1, a, 1, 1)) : STEP (plan, PARE_RT_GLOBAL_AVG_POOL, NULL, SHAPE (batch, a, 1, 1), x);
      if (i % 7 != 6)
        numbers = add_conv (plan, numbers, a, &squeezed, TRUE, PARE_RT_NONE);
      uint32_t y = i % 2 ? STEP (plan, PARE_RT_BINARY, &mul, SHAPE (batch, a, h, w), numbers, x)
                         : STEP (plan, PARE_RT_BINARY, &mul, SHAPE (batch, a, h, w), x, numbers);
      if (i % 8 == 7)
        plan_output (plan, y);
      const uint32_t product = plan->steps->len - 1;
      y = add_conv (plan, y, b, &point, TRUE, residual);
      if (i % 6 == 3)
        y = add_norm (plan, y);
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("gated %u: %d, %d, %d x %d%s", i, a, b, h, w, residual == PARE_RT_NONE ? "" : ", residual");
      compare (plan, 1 + (int)(i % 3), 1e-5f, what);
      if (i % 7 != 6) /* one input */
        same_by_threads (plan, y, what);
      PareAccel *accel = pare_accel_new (&plan->plan, 1);
      if (accel && pare_accel_get_owner (accel, product + 1) == product)
        {
          joined++;
          apart += i % 8 == 7;
        }
      pare_accel_free (accel);
      plan_free (plan);
    }
  if (has_avx512 ())
    g_assert_cmpuint (joined, >=, 40);
  g_assert_cmpuint (apart, ==, 0); /* a product that is read besides is one */
}

/* Few results over planes: long windows, steps and holes in them, columns that fill no vector, more than a band, one axis. */
static void
test_planes (void)
{
  static const PareActivation acts[]
      = { PARE_ACT_NONE, PARE_ACT_CLIP, PARE_ACT_LEAKY, PARE_ACT_SWISH, PARE_ACT_SIGMOID, PARE_ACT_HARDSWISH };
  for (guint i = 0; i < 100; i++)
    {
      Plan *plan = plan_new (15000 + i);
      PareRng *r = &plan->rng;
      int spatial = 1 + i % 3 % 2, c = 1 + (int)pare_rng_below (r, 9), m = 1 + (int)pare_rng_below (r, 8);
      PareConvParams p = conv_params (spatial, 1, 1, 1, 1, 0);
      PareShape shape = { .rank = 2 + spatial, .dims = { 1 + i % 5 / 4, c } };
      for (int d = 0; d < spatial; d++)
        {
          p.kernel[d] = 2 + (int32_t)pare_rng_below (r, d + 1 == spatial ? 30 : 5);
          p.stride[d] = 1 + (int32_t)pare_rng_below (r, 3);
          p.dilation[d] = 1 + (int32_t)(pare_rng_below (r, 4) == 0);
          p.pad_begin[d] = (int32_t)pare_rng_below (r, (guint64)p.kernel[d]);
          p.pad_end[d] = (int32_t)pare_rng_below (r, (guint64)p.kernel[d]);
          shape.dims[2 + d] = (d + 1 == spatial ? 40 : 6) + p.kernel[d] * p.dilation[d]
                              + (int64_t)pare_rng_below (r, i % 7 == 6 && d + 1 == spatial ? 1500 : 60);
        }
      p.activation = acts[i % G_N_ELEMENTS (acts)];
      p.lo = i % 3 ? 0 : -0.3f;
      p.hi = i % 2 ? INFINITY : 0.7f;
      p.alpha = 0.1f;
      uint32_t x = plan_input (plan, shape);
      const PareConvParams point = conv_params (spatial, 1, 1, 1, 1, 0);
      if (i % 4 == 3)
        x = add_conv (plan, x, 16, &point, TRUE, PARE_RT_NONE);
      uint32_t y = add_conv (plan, x, m, &p, i % 2, PARE_RT_NONE);
      if (i % 3 == 2)
        y = add_norm (plan, y);
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("planes %u: %d -> %d, kernel %d, %d, step %d, %d, activation %d", i, c, m, p.kernel[0],
                                               p.kernel[1], p.stride[0], p.stride[1], p.activation);
      compare (plan, 1 + (int)(i % 2), 1e-5f, what);
      if (i % 4 != 3 && m < 4) /* others may be oneDNN's */
        same_by_threads (plan, y, what);
      plan_free (plan);
    }
}

/* Single elements side by side, cut and with their axes exchanged; and where others read them, too. */
static void
test_stacked (void)
{
  for (guint i = 0; i < 24; i++)
    {
      Plan *plan = plan_new (17000 + i);
      int n = 2 + (int)(i % 3), h = 5 + (int)i, w = 20;
      const PareConvParams p = conv_params (2, 1, 3, 1, 1, 1);
      const PareAxisParams axis = { 3 };
      uint32_t x = plan_input (plan, SHAPE (1, 1, h, w)), parts[4];
      for (int k = 0; k < n; k++) /* [1,1,h,w] is [1,h,w,1] under another order of its axes */
        {
          const PareTransposeParams last = { { 0, 2, 3, 1 } };
          parts[k] = STEP (plan, PARE_RT_TRANSPOSE, &last, SHAPE (1, h, w, 1), add_conv (plan, x, 1, &p, TRUE, PARE_RT_NONE));
        }
      uint32_t y = plan_step (plan, PARE_RT_CONCAT, &axis, sizeof axis, SHAPE (1, h, w, n), n, parts);
      if (i % 4 == 3)
        plan_output (plan, y);
      PareSliceParams slice;
      for (int d = 0; d < PARE_MAX_RANK; d++)
        {
          slice.start[d] = d == 2 ? 3 : 0;
          slice.step[d] = d == 1 ? 2 : 1;
        }
      if (i % 2)
        y = STEP (plan, PARE_RT_SLICE, &slice, SHAPE (1, (h + 1) / 2, w - 3, n), y);
      const PareTransposeParams first = { { 0, 3, 1, 2 } };
      if (i % 3)
        y = STEP (plan, PARE_RT_TRANSPOSE, &first, SHAPE (1, n, plan_value (plan, y)->shape.dims[1], plan_value (plan, y)->shape.dims[2]),
                  y);
      plan_output (plan, y);
      if (i % 3)
        plan_output (plan, add_conv (plan, y, 16, &p, TRUE, PARE_RT_NONE));
      g_autofree char *what = g_strdup_printf ("stacked %u", i);
      compare (plan, 1 + (int)(i % 2), 1e-5f, what);
      plan_free (plan);
    }
}

/* Fully connected layers of several rows: sizes around those of tiles, panels, shares of rows and bands; all that may follow; residuals
 * that are read again or not; a product's transposition, factors and rank. */
static void
test_rows (void)
{
  static const int rows[] = { 4, 5, 7, 13, 24, 25, 49, 128, 197, 700 }, depths[] = { 1, 3, 16, 17, 64, 100, 192, 800 },
                   widths[] = { 16, 17, 31, 48, 63, 64, 65, 80, 112, 128, 200 };
  static const PareActivation acts[] = { PARE_ACT_NONE, PARE_ACT_CLIP,       PARE_ACT_LEAKY,     PARE_ACT_SIGMOID, PARE_ACT_SWISH,
                                         PARE_ACT_GELU, PARE_ACT_QUICK_GELU, PARE_ACT_GELU_TANH, PARE_ACT_TANH,    PARE_ACT_HARDSWISH };
  for (guint i = 0; i < 120; i++)
    {
      Plan *plan = plan_new (17000 + i);
      PareRng *r = &plan->rng;
      int64_t m = rows[pare_rng_below (r, G_N_ELEMENTS (rows))], k = depths[pare_rng_below (r, G_N_ELEMENTS (depths))],
              n = widths[pare_rng_below (r, G_N_ELEMENTS (widths))];
      if (i % 20 == 19) /* several bands */
        {
          k = 3000;
          m = 300;
        }
      PareGemmParams p = { .trans_b = i % 2,
                           .alpha = i % 5 == 1 ? 0.5f : 1,
                           .beta = i % 7 == 1 ? 2 : 1,
                           .activation = acts[i % G_N_ELEMENTS (acts)],
                           .lo = i % 4 ? 0 : -0.5f,
                           .hi = i % 3 ? INFINITY : 0.7f,
                           .act_alpha = 0.1f };
      uint32_t x = plan_input (plan, i % 3 ? SHAPE (m, k) : SHAPE (1, m, k)), more = PARE_RT_NONE;
      float size = 6 / sqrtf ((float)k);
      PareShape out = i % 3 ? SHAPE (m, n) : SHAPE (1, m, n);
      uint32_t b = i % 4 == 3 ? PARE_RT_NONE : plan_constant (plan, SHAPE (n), 0.5f, 0), y;
      if (i % 2) /* another branch, some of them read again */
        {
          PareGemmParams plain = { .alpha = 1, .beta = 1 };
          more = STEP (plan, PARE_RT_GEMM, &plain, out, x, plan_constant (plan, SHAPE (k, n), size, 0), b);
          if (i % 8 == 1)
            plan_output (plan, more);
        }
      uint32_t w = plan_constant (plan, p.trans_b ? SHAPE (n, k) : SHAPE (k, n), size, 0);
      y = STEP (plan, PARE_RT_GEMM, &p, out, x, w, b, more);
      plan_output (plan, y);
      if (i % 6 == 5)
        y = STEP (plan, PARE_RT_MATMUL, NULL, i % 3 ? SHAPE (m, 40) : SHAPE (1, m, 40), y, plan_constant (plan, SHAPE (n, 40), 0.2f, 0));
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("rows %u: %d x %d x %d, activation %d%s", i, (int)m, (int)k, (int)n, p.activation,
                                               more == PARE_RT_NONE ? "" : ", residual");
      assert_covered (compare (plan, 1 + (int)(i % 3), 1e-5f, what), what);
      if (p.activation != PARE_ACT_TANH)
        same_by_threads (plan, y, what);
      plan_free (plan);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (accel_is_absent ("/accel-floats"))
    return g_test_run ();
  g_test_add_func ("/accel-floats/winograd", test_winograd);
  g_test_add_func ("/accel-floats/grouped", test_grouped);
  g_test_add_func ("/accel-floats/separable", test_separable);
  g_test_add_func ("/accel-floats/stem", test_stem);
  g_test_add_func ("/accel-floats/planes", test_planes);
  g_test_add_func ("/accel-floats/stacked", test_stacked);
  g_test_add_func ("/accel-floats/pointwise", test_pointwise);
  g_test_add_func ("/accel-floats/gated", test_gated);
  g_test_add_func ("/accel-floats/rows", test_rows);
  return g_test_run ();
}
