/* The accelerator's own kernels on bfloat16: Winograd's convolutions, convolutions of few channels, pointwise, depthwise and separable
 * ones, fully connected layers, recurrent ones, attention. The portable kernels multiply the same operands exactly. */
#include "engine/accel/pare-accel-bfloats.h"
#include "tests/engine/accel-compare.h"

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

static const PareActivation acts[] = { PARE_ACT_NONE, PARE_ACT_CLIP,    PARE_ACT_LEAKY,     PARE_ACT_SWISH,    PARE_ACT_CLIP,
                                       PARE_ACT_GELU, PARE_ACT_SIGMOID, PARE_ACT_HARDSWISH, PARE_ACT_GELU_TANH };

/* The result of a convolution, with a normalization behind or not, of 16 bits or of floats. */
static void
end (Plan *plan, uint32_t y, guint i, const char *what)
{
  const PareConvParams point = conv_params (2, 1, 1, 1, 1, 0);
  if (i % 3 == 2)
    y = add_norm (plan, y);
  bool wide = i % 4 == 3;
  if (!wide)
    y = add_narrow (plan, add_rounding (plan, y), 16, &point, FALSE, PARE_RT_NONE);
  plan_output (plan, y);
  compare (plan, 1 + (int)(i % 2), 0.01f, what);
  if (wide || i % 3 != 2)
    same_by_threads (plan, y, what);
  plan_free (plan);
}

/* Few channels, windows of all kinds, more rows than a band, channels that do not fill a block. */
static void
test_stem (void)
{
  narrow = true;
  for (guint i = 0; i < 180; i++)
    {
      Plan *plan = plan_new (11000 + i);
      PareRng *r = &plan->rng;
      int c = 1 + (int)i % 4, k = 1 + (int)pare_rng_below (r, 7), m = (int[]){ 8, 16, 24, 12, 32, 48, 80, 4, 5 }[i % 9],
          h = k + (int)pare_rng_below (r, 40), w = k + (int)pare_rng_below (r, 60);
      PareConvParams p = conv_params (2, 1, k, 1 + (int)pare_rng_below (r, 3), 1, (int)pare_rng_below (r, (guint64)k));
      p.pad_end[1] = (int32_t)pare_rng_below (r, (guint64)k);
      p.stride[1] = 1 + (int)pare_rng_below (r, 3);
      p.kernel[1] = i % 5 == 4 ? 1 : k;
      if (p.kernel[1] == 1)
        p.pad_begin[1] = p.pad_end[1] = 0;
      p.activation = acts[i / 4 % 4];
      p.hi = i % 3 ? INFINITY : 0.7f;
      p.alpha = 0.1f;
      uint32_t y = add_narrow (plan, add_rounding (plan, plan_input (plan, SHAPE (1 + i % 7 / 6, c, h, w))), m, &p, i % 2, PARE_RT_NONE);
      g_autofree char *what = g_strdup_printf ("stem of 16 bits %u: %d -> %d, %d x %d, kernel %d x %d, stride %d, %d, activation %d", i, c,
                                               m, h, w, k, p.kernel[1], p.stride[0], p.stride[1], p.activation);
      end (plan, y, i, what);
    }
}

/* One channel, high or flat windows, which may be read along columns; more channels than a vector's pairs take, but no full block of them.
 */
static void
test_windows (void)
{
  narrow = true;
  for (guint i = 0; i < 120; i++)
    {
      Plan *plan = plan_new (27000 + i);
      PareRng *r = &plan->rng;
      bool one = i % 2;
      int c = one ? 1 : (int[]){ 8, 6, 16, 10, 12 }[i / 2 % 5], m = one ? (int[]){ 64, 16, 5, 24, 32 }[i / 2 % 5] : 16 * (1 + (int)i % 3);
      PareConvParams p = conv_params (2, 1, 2 + (int)pare_rng_below (r, one ? 11 : 4), 1, 1, 0), point = conv_params (2, 1, 1, 1, 1, 0);
      p.kernel[1] = 2 + (int)pare_rng_below (r, one ? 9 : 4);
      for (int d = 0; d < 2; d++)
        {
          p.stride[d] = 1 + (int)pare_rng_below (r, 3);
          p.pad_begin[d] = (int)pare_rng_below (r, (guint64)p.kernel[d]);
          p.pad_end[d] = (int)pare_rng_below (r, (guint64)p.kernel[d]);
        }
      int h = p.kernel[0] + (int)pare_rng_below (r, 50), w = p.kernel[1] + (int)pare_rng_below (r, i % 4 ? 50 : 8);
      p.activation = acts[i / 4 % 4];
      p.hi = i % 3 ? INFINITY : 0.7f;
      p.alpha = 0.1f;
      uint32_t x = add_rounding (plan, plan_input (plan, SHAPE (1 + i % 7 / 6, c, h, w)));
      if (i % 6 < 2) /* computed */
        x = add_rounding (plan, add_narrow (plan, x, c, &point, FALSE, PARE_RT_NONE));
      uint32_t y = add_narrow (plan, x, m, &p, i % 3, PARE_RT_NONE);
      g_autofree char *what = g_strdup_printf ("windows of 16 bits %u: %d -> %d, %d x %d, kernel %d x %d, stride %d, %d, activation %d", i,
                                               c, m, h, w, p.kernel[0], p.kernel[1], p.stride[0], p.stride[1], p.activation);
      end (plan, y, i, what);
    }
}

/* The largest of windows and the average of images that convolutions leave pixel by pixel, and what is flattened next. */
static void
test_pool (void)
{
  narrow = true;
  for (guint i = 0; i < 120; i++)
    {
      Plan *plan = plan_new (29000 + i);
      PareRng *r = &plan->rng;
      int c = (int[]){ 8, 16, 24, 48, 5, 64, 80 }[i % 7], k = 2 + (int)pare_rng_below (r, 3), stride = 1 + (int)pare_rng_below (r, 3),
          pad = (int)pare_rng_below (r, 2), h = k + (int)pare_rng_below (r, 20), w = k + (int)pare_rng_below (r, 40);
      bool average = i % 4 == 3, global = i % 8 == 7;
      ParePoolParams p = { .spatial = 2,
                           .kernel = { k, average ? w : k },
                           .stride = { stride, stride },
                           .dilation = { 1, 1 },
                           .pad_begin = { pad, pad },
                           .pad_end = { pad, 0 } };
      const PareConvParams first = conv_params (2, 1, 3, 1, 1, 1), point = conv_params (2, 1, 1, 1, 1, 0);
      int64_t batch = 1 + i % 5 / 4, y0 = (h + pad + pad - k) / stride + 1, y1 = (w + pad - k) / stride + 1;
      if (average)
        {
          p.kernel[0] = h;
          p.pad_begin[0] = p.pad_begin[1] = p.pad_end[0] = 0;
          y0 = y1 = 1;
        }
      uint32_t x = add_narrow (plan, add_rounding (plan, plan_input (plan, SHAPE (batch, 3, h, w))), c, &first, TRUE, PARE_RT_NONE);
      if (i % 16 < 12 || !average)
        x = add_rounding (plan, x);
      uint32_t y = STEP (plan,
                         global    ? PARE_RT_GLOBAL_AVG_POOL
                         : average ? PARE_RT_AVG_POOL
                                   : PARE_RT_MAX_POOL,
                         &p, SHAPE (batch, c, y0, y1), x);
      if (average)
        y = add_rounding (plan, y);
      if (i % 3)
        y = add_narrow (plan, y, 16, &point, FALSE, PARE_RT_NONE);
      else
        {
          PareGemmParams gemm = { .trans_b = 1, .alpha = 1, .beta = 1 };
          int64_t all = c * y0 * y1;
          uint32_t weights = plan_constant (plan, SHAPE (10, all), 1.7f / sqrtf ((float)all), 0);
          round_constant (plan, weights);
          y = STEP (plan, PARE_RT_GEMM, &gemm, SHAPE (batch, 10), plan_alias (plan, y, SHAPE (batch, all)), weights,
                    plan_constant (plan, SHAPE (10), 1, 0));
        }
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("pool of 16 bits %u: %d channels, %d x %d, %s, kernel %d x %d, stride %d, padding %d", i, c,
                                               h, w, average ? "average" : "largest", p.kernel[0], p.kernel[1], stride, pad);
      compare (plan, 1 + (int)(i % 2), 0.01f, what);
      same_by_threads (plan, y, what);
      plan_free (plan);
    }
}

/* Windows of which no row, or no plane, lies in the image: oneDNN's matrix kernels crash where memory holds what others left. */
static void
test_beside (void)
{
  narrow = true;
  for (guint i = 0; i < 24; i++)
    {
      Plan *plan = plan_new (23000 + i);
      PareRng *r = &plan->rng;
      int spatial = i % 3 == 2 ? 3 : 2, c = (int[]){ 64, 33, 48, 16 }[i % 4], m = (int[]){ 16, 64, 3 }[i % 3];
      PareConvParams p = conv_params (spatial, 1, 3, 1 + (int)(i % 2), 1, 1);
      int axis = (int)pare_rng_below (r, (guint64)spatial - 1);
      p.kernel[spatial - 1] = 2; /* nothing for Winograd's algorithm */
      if (i % 4 < 2)
        p.pad_end[axis] = 5;
      else
        p.pad_begin[axis] = 4;
      uint32_t x = add_rounding (plan, plan_input (plan, spatial == 3 ? SHAPE (1, c, 3, 6, 5) : SHAPE (1 + i % 2, c, 6, 7)));
      plan_output (plan, add_narrow (plan, x, m, &p, i % 2, PARE_RT_NONE));
      g_autofree char *what = g_strdup_printf ("windows beside the image %u: %d -> %d, axis %d of %d", i, c, m, axis, spatial);
      compare (plan, 1, 0.015f, what);
      plan_free (plan);
    }
}

/* The same of one dimension, windows wider than apart and the other way round; and of one pixel, of any number of channels. */
static void
test_line (void)
{
  narrow = true;
  for (guint i = 0; i < 60; i++)
    {
      Plan *plan = plan_new (21000 + i);
      PareRng *r = &plan->rng;
      bool pixel = i % 3 == 2;
      int c = pixel ? 2 + 2 * (int)pare_rng_below (r, 150) : 1 + (int)i % 4, k = pixel ? 1 : 1 + (int)pare_rng_below (r, 40),
          m = (int[]){ 8, 16, 258, 32, 5, 80 }[i % 6], w = pixel ? 1 : k + (int)pare_rng_below (r, 300);
      PareConvParams p = conv_params (1, 1, k, 1 + (int)pare_rng_below (r, 30), 1, pixel ? 0 : (int)pare_rng_below (r, (guint64)k));
      p.activation = acts[i % G_N_ELEMENTS (acts)];
      p.hi = i % 2 ? INFINITY : 0.7f;
      p.alpha = 0.1f;
      if (pixel && i % 4 == 2)
        p.pad_begin[0] = p.stride[0] == 1 ? 0 : 1; /* one result, beside the pixel */
      uint32_t x = add_rounding (plan, plan_input (plan, SHAPE (1 + i % 7 / 6, c, w))), residual = PARE_RT_NONE;
      if (pixel && i % 4 == 1)
        residual = add_narrow (plan, x, m, &p, FALSE, PARE_RT_NONE);
      uint32_t y = add_narrow (plan, x, m, &p, i % 2, residual);
      if (i % 3 == 1)
        y = add_norm (plan, y);
      if (i % 4 < 2)
        {
          const PareConvParams point = conv_params (1, 1, 1, 1, 1, 0);
          y = add_narrow (plan, add_rounding (plan, y), 16, &point, FALSE, PARE_RT_NONE);
        }
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("line of 16 bits %u: %d -> %d, %d, kernel %d, stride %d, activation %d", i, c, m, w, k,
                                               p.stride[0], p.activation);
      compare (plan, 1 + (int)(i % 2), 0.015f, what);
      plan_free (plan);
    }
}

/* Few results, of any number of channels: vectors of pixels. Rows that do not fill them, columns one and two apart, images of one row. */
static void
test_few (void)
{
  narrow = true;
  for (guint i = 0; i < 100; i++)
    {
      Plan *plan = plan_new (12000 + i);
      PareRng *r = &plan->rng;
      int c = (int[]){ 8, 33, 1, 16, 5 }[i % 5], k = 2 + (int)pare_rng_below (r, 4), m = 1 + (int)pare_rng_below (r, 8),
          h = i % 7 == 6 ? 1 : k + (int)pare_rng_below (r, 12), w = 100 + (int)pare_rng_below (r, 200);
      PareConvParams p = conv_params (2, 1, k, 1, 1, (int)pare_rng_below (r, (guint64)k)), point = conv_params (2, 1, 1, 1, 1, 0);
      p.stride[0] = 1 + (int)(i % 4 / 3);
      p.stride[1] = 1 + (int)(i % 3 / 2);
      p.kernel[1] = (int[]){ 9, 3, 20 }[i % 3];
      if (h == 1)
        {
          p.kernel[0] = 1;
          p.pad_begin[0] = p.pad_end[0] = 0;
        }
      p.activation = acts[i % G_N_ELEMENTS (acts)];
      p.hi = i % 2 ? INFINITY : 0.7f;
      p.alpha = 0.1f;
      uint32_t x = add_rounding (plan, plan_input (plan, SHAPE (1 + i % 9 / 8, c, h, w)));
      if (i % 3 == 1) /* out of another layout */
        x = add_rounding (plan, add_narrow (plan, x, c, &point, FALSE, PARE_RT_NONE));
      uint32_t y = add_narrow (plan, x, m, &p, i % 2, PARE_RT_NONE);
      g_autofree char *what = g_strdup_printf ("few results of 16 bits %u: %d -> %d, %d x %d, kernel %d x %d, stride %d, activation %d", i,
                                               c, m, h, w, p.kernel[0], p.kernel[1], p.stride[1], p.activation);
      end (plan, y, i, what);
    }
}

/* Functions, normalizations and residuals behind; channels that do not fill blocks. */
static void
test_pointwise (void)
{
  narrow = true;
  for (guint i = 0; i < 100; i++)
    {
      Plan *plan = plan_new (13000 + i);
      PareRng *r = &plan->rng;
      int c = (int[]){ 8, 16, 24, 32, 64, 96, 130 }[pare_rng_below (r, 7)], m = (int[]){ 16, 24, 32, 48, 80, 112 }[pare_rng_below (r, 6)],
          side = 1 + (int)pare_rng_below (r, 30);
      if (i % 10 > 7) /* threads divide columns */
        {
          c = 64 * (int)(1 + i % 4);
          m = 1100 + 10 * (int)(i % 3);
          side = 1 + (int)i % 7;
        }
      PareConvParams p = conv_params (2, 1, 1, 1, 1, 0);
      uint32_t x = add_rounding (plan, plan_input (plan, SHAPE (1 + i % 7 / 6, c, side, 9))), residual = PARE_RT_NONE;
      if (i % 3 == 1)
        residual = add_narrow (plan, x, m, &p, FALSE, PARE_RT_NONE);
      if (i % 6 == 1)
        residual = add_rounding (plan, residual);
      p.activation = acts[i % G_N_ELEMENTS (acts)];
      p.hi = i % 2 ? INFINITY : 0.7f;
      p.alpha = 0.1f;
      uint32_t y = add_narrow (plan, x, m, &p, i % 2, residual);
      g_autofree char *what = g_strdup_printf ("pointwise of 16 bits %u: %d -> %d, %d x 9, activation %d%s", i, c, m, side, p.activation,
                                               residual == PARE_RT_NONE ? "" : ", residual");
      end (plan, y, i, what);
    }
}

/* Both kernels and steps, padding of all kinds, odd numbers of rows, widths that do not divide. */
static void
test_depthwise (void)
{
  narrow = true;
  for (guint i = 0; i < 150; i++)
    {
      Plan *plan = plan_new (15000 + i);
      PareRng *r = &plan->rng;
      int c = (int[]){ 16, 32, 7, 40, 65, 96, 8 }[i % 7], k = i % 3 ? 3 : 5, h = k + (int)pare_rng_below (r, 12),
          w = k + (int)pare_rng_below (r, 30);
      PareConvParams p = conv_params (2, c, k, 1 + (int)(i % 5 / 3), 1, (int)pare_rng_below (r, (guint64)k));
      p.pad_begin[0] = (int)pare_rng_below (r, (guint64)k);
      p.pad_end[0] = (int)pare_rng_below (r, (guint64)k);
      p.activation = acts[i % G_N_ELEMENTS (acts)];
      p.lo = i % 3 == 2 ? -0.2f : 0;
      p.hi = i % 2 ? INFINITY : 0.9f;
      p.alpha = 0.1f;
      uint32_t y
          = add_narrow (plan, add_rounding (plan, plan_input (plan, SHAPE (1 + i % 9 / 8, c, h, w))), c, &p, i % 7 != 6, PARE_RT_NONE);
      g_autofree char *what = g_strdup_printf ("depthwise of 16 bits %u: %d channels, %d x %d, kernel %d, stride %d, activation %d", i, c,
                                               h, w, k, p.stride[0], p.activation);
      end (plan, y, i, what);
    }
}

static uint32_t
last_step (const Plan *plan)
{
  return plan->steps->len - 1;
}

/* The steps from the expansion (or none) to the projection (or none) are one; the plan is finished. */
static void
is_one_step (Plan *plan, uint32_t expansion, uint32_t depthwise, uint32_t projection, const char *what)
{
  PareAccel *accel = pare_accel_has_bf16 () && pare_accel_bfloats () ? pare_accel_new (&plan->plan, 1) : NULL;
  if (!accel)
    return;
  uint32_t owner = pare_accel_get_owner (accel, depthwise);
  if ((expansion != PARE_RT_NONE && pare_accel_get_owner (accel, expansion) != owner)
      || (projection != PARE_RT_NONE && pare_accel_get_owner (accel, projection) != owner))
    g_error ("%s: not one step", what);
  pare_accel_free (accel);
}

/* Pointwise, depthwise, pointwise, each rounded: with and without the first and the last, normalizations between, what lies between kept,
 * residuals of the group's input and of others, read by somebody between, images of more rows than a band. */
static void
test_separable (void)
{
  narrow = true;
  for (guint i = 0; i < 200; i++)
    {
      Plan *plan = plan_new (25000 + i);
      PareRng *r = &plan->rng;
      int c = (int[]){ 2, 8, 16, 24, 32, 40, 64 }[pare_rng_below (r, 7)], e = 16 * (1 + (int)pare_rng_below (r, 9)),
          side = (int[]){ 1, 2, 5, 7, 9, 14, 31 }[pare_rng_below (r, 7)], wide = i % 8 ? side : 112, k = i % 5 == 4 ? 5 : 3,
          stride = 1 + (int)(pare_rng_below (r, 3) == 0);
      bool expands = i % 7 > 1, projects = i % 11 > 1 || !expands, norms = i % 3 == 1;
      PareConvParams point = conv_params (2, 1, 1, 1, 1, 0), deep = conv_params (2, e, k, stride, 1, (int)pare_rng_below (r, (guint64)k));
      deep.pad_end[0] = deep.pad_end[1] = k / 2;
      if (side + deep.pad_begin[0] + deep.pad_end[0] < k)
        deep.pad_begin[0] = deep.pad_begin[1] = k / 2;
      deep.activation = acts[pare_rng_below (r, G_N_ELEMENTS (acts))];
      point.activation = acts[i % G_N_ELEMENTS (acts)];
      point.hi = deep.hi = i % 2 ? INFINITY : 0.7f;
      point.alpha = deep.alpha = 0.1f;
      uint32_t x = add_rounding (plan, plan_input (plan, SHAPE (1 + i % 6 / 5, expands ? c : e, side, wide))), y, residual = PARE_RT_NONE,
               expansion = PARE_RT_NONE, projection = PARE_RT_NONE;
      if (i % 2)
        x = add_rounding (plan, add_narrow (plan, x, expands ? c : e, &point, FALSE, PARE_RT_NONE));
      y = x;
      if (expands)
        {
          y = add_narrow (plan, y, e, &point, TRUE, PARE_RT_NONE);
          expansion = c < 8 ? PARE_RT_NONE : last_step (plan); /* few channels go with their rounding, not with what follows */
        }
      if (expands && norms)
        y = add_norm (plan, y);
      if (expands)
        y = add_rounding (plan, y);
      if (i % 13 == 12) /* wanted by others */
        {
          plan_output (plan, y);
          expansion = PARE_RT_NONE;
        }
      y = add_narrow (plan, y, e, &deep, i % 2, PARE_RT_NONE);
      const uint32_t depthwise = last_step (plan);
      if (norms)
        y = add_norm (plan, y);
      y = add_rounding (plan, y);
      const PareShape *sx = &plan_value (plan, x)->shape, *sy = &plan_value (plan, y)->shape;
      bool same = sx->dims[2] == sy->dims[2] && sx->dims[3] == sy->dims[3];
      int64_t n = sx->dims[1];
      if (projects && same && i % 4 == 1)
        residual = x;
      else if (projects && same && i % 4 == 2)
        residual = add_narrow (plan, x, n, &point, FALSE, PARE_RT_NONE); /* floats */
      if (residual != PARE_RT_NONE && i % 16 < 3)
        plan_output (plan, add_narrow (plan, x, 16, &point, FALSE, PARE_RT_NONE));
      point.activation = acts[i / 5 % G_N_ELEMENTS (acts)];
      if (projects)
        {
          y = add_narrow (plan, y, residual == PARE_RT_NONE ? c : n, &point, TRUE, residual);
          if (residual == PARE_RT_NONE || residual == x) /* what else is added is computed behind the depthwise one */
            projection = last_step (plan);
        }
      if (projects && norms && i % 2)
        y = add_norm (plan, y);
      if (i % 3)
        y = add_rounding (plan, y);
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("separable of 16 bits %u: %d -> %d, %d x %d, kernel %d, stride %d%s%s%s%s", i, c, e, side,
                                               wide, k, stride, expands ? ", expanded" : "", projects ? ", projected" : "",
                                               norms ? ", normalized" : "", residual == PARE_RT_NONE ? "" : ", residual");
      compare (plan, 1 + (int)(i % 3), 0.03f, what);
      if (!norms) /* not each of them can be part of the sums in front of it */
        is_one_step (plan, expansion, depthwise, projection, what);
      if (i % 2 == 0)
        same_by_threads (plan, y, what);
      plan_free (plan);
    }
}

/* Fully connected layers of one row and of several: sizes that fill neither blocks nor chains, weights either way, residuals, results of 16
 * bits and of floats. */
static void
test_dense (void)
{
  narrow = true;
  for (guint i = 0; i < 160; i++)
    {
      Plan *plan = plan_new (17000 + i);
      PareRng *r = &plan->rng;
      int64_t k = 2 + 2 * (int64_t)pare_rng_below (r, 150), n = 1 + (int64_t)pare_rng_below (r, 200),
              rows = i < 80 ? 1 : 1 + (int64_t)pare_rng_below (r, i % 7 ? 70 : 300);
      bool added = i % 5 == 3;
      if (added && i % 4)
        n = (n + 15) / 16 * 16;
      PareGemmParams p = { .trans_b = i % 2, .alpha = 1, .beta = i % 5 ? 1 : 0.5f, .activation = acts[i % G_N_ELEMENTS (acts)] };
      p.act_alpha = 0.1f;
      p.hi = i % 3 ? INFINITY : 0.7f;
      uint32_t x = add_rounding (plan, plan_input (plan, SHAPE (rows, k))), residual = PARE_RT_NONE;
      if (added)
        residual = plan_input (plan, SHAPE (rows, n));
      if (added && i % 3)
        residual = add_rounding (plan, residual);
      uint32_t w = plan_constant (plan, i % 2 ? SHAPE (n, k) : SHAPE (k, n), 1.7f / sqrtf ((float)k), 0);
      if (i % 8 != 7)
        round_constant (plan, w);
      uint32_t y
          = STEP (plan, PARE_RT_GEMM, &p, SHAPE (rows, n), x, w, i % 3 ? plan_constant (plan, SHAPE (n), 0.5f, 0) : PARE_RT_NONE, residual);
      if (i % 4 > 1) /* the result is of 16 bits */
        {
          p = (PareGemmParams){ .trans_b = 1, .alpha = 1, .beta = 1 };
          w = plan_constant (plan, SHAPE (9, n), 1.7f / sqrtf ((float)n), 0);
          round_constant (plan, w);
          y = STEP (plan, PARE_RT_GEMM, &p, SHAPE (rows, 9), add_rounding (plan, y), w);
        }
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("dense of 16 bits %u: %d rows, %d -> %d, activation %d", i, (int)rows, (int)k, (int)n,
                                               acts[i % G_N_ELEMENTS (acts)]);
      compare (plan, 1 + (int)(i % 2), 0.015f, what);
      if (!added)
        same_by_threads (plan, y, what);
      plan_free (plan);
    }
}

/* Recurrent layers: x by its weights at once, then step by step with weights of 16 bits and a state of floats: by the matrix unit, from so
 * many units on, or by vectors. Sizes that fill nothing, all directions, more samples than go together, states from outside, gates
 * that are closed or wide open; single steps. */
static void
test_recurrent (void)
{
  narrow = true;
  guint before = products, expected = 0;
  for (guint i = 0; i < 90; i++)
    {
      Plan *plan = plan_new (19000 + i);
      PareRng *r = &plan->rng;
      const PareRtOp op = (PareRtOp[]){ PARE_RT_LSTM, PARE_RT_GRU, PARE_RT_RNN }[i % 3];
      int64_t gates = op == PARE_RT_LSTM  ? 4
                      : op == PARE_RT_GRU ? 3
                                          : 1,
              steps = i % 20 == 9 ? 1 : 4 + (int64_t)pare_rng_below (r, 30), batch = i % 12 == 10 ? 6 : 1 + i % 4 / 3,
              k = 2 + 2 * (int64_t)pare_rng_below (r, 60), h = 1 + (int64_t)pare_rng_below (r, i < 60 ? 140 : 300), d = i % 5 == 4 ? 2 : 1;
      bool floats = i % 10 == 9; /* there is one product, of the state */
      expected += !floats;
      PareRnnParams p = { .direction = d == 2  ? PARE_RNN_BIDIRECTIONAL
                                       : i % 2 ? PARE_RNN_REVERSE
                                               : PARE_RNN_FORWARD,
                          .hidden = (int32_t)h,
                          .linear_before_reset = i % 4 < 2 };
      for (int a = 0; a < 6; a++)
        p.activation[a] = op == PARE_RT_RNN || a % (op == PARE_RT_GRU ? 2 : 3) ? PARE_UN_TANH : PARE_UN_SIGMOID;
      uint32_t x = plan_input (plan, SHAPE (steps, batch, k));
      if (!floats)
        x = add_rounding (plan, x);
      uint32_t w = plan_constant (plan, SHAPE (d, gates * h, k), 1.7f / sqrtf ((float)k), 0),
               recurrent = plan_constant (plan, SHAPE (d, gates * h, h), 1.7f / sqrtf ((float)h), 0);
      round_constant (plan, w);
      if (i % 7)
        round_constant (plan, recurrent);
      uint32_t bias = i % 3 == 1 ? PARE_RT_NONE : plan_constant (plan, SHAPE (d, 2 * gates * h), i % 4 == 2 ? 60 : 0.5f, 0);
      uint32_t state = i % 4 == 2 ? plan_input (plan, SHAPE (d, batch, h)) : PARE_RT_NONE;
      uint32_t y = STEP (plan, op, &p, SHAPE (steps, d, batch, h), x, w, recurrent, bias, PARE_RT_NONE, state);
      PareGemmParams dense = { .trans_b = 1, .alpha = 1, .beta = 1 };
      w = plan_constant (plan, SHAPE (20, h), 1.7f / sqrtf ((float)h), 0);
      plan_output (plan, STEP (plan, PARE_RT_GEMM, &dense, SHAPE (steps, d, batch, 20), y, w));
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("recurrent layer of 16 bits %u: %d steps, %d -> %d", i, (int)steps, (int)k, (int)h);
      compare (plan, 1 + (int)(i % 2), 1e-4f, what);
      if (state == PARE_RT_NONE)
        same_by_threads (plan, y, what);
      plan_free (plan);
    }
  g_assert_cmpuint (products, ==, before + expected);
}

/* A mask: whatever it is, of every row one position is seen. */
static uint32_t
add_mask (Plan *plan, guint kind, int64_t heads, int64_t rows, int64_t positions)
{
  if (kind == 0)
    return PARE_RT_NONE;
  if (kind == 1) /* of this run, the same for all rows */
    return plan_input (plan, SHAPE (1, positions));
  if (kind == 2)
    return plan_constant (plan, SHAPE (heads, rows, positions), 2, 0);
  g_autofree float *data = g_new (float, rows *positions);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < positions; i++)
      data[r * positions + i] = i <= r * positions / rows ? 0 : kind == 3 ? -INFINITY : -1e9f;
  if (kind == 5) /* what is seen is not the first */
    data[0] = -1e9f, data[positions > 1] = 0;
  return plan_constant_data (plan, PARE_DTYPE_FLOAT32, SHAPE (rows, positions), data);
}

/* Attention: sizes that fill neither blocks nor pairs, heads that share keys and values, masks, scores that need to be searched for the
 * largest, operands in 16 bits and in floats on their grid, results of both. */
static void
test_attention (void)
{
  narrow = true;
  guint before = products;
  for (guint i = 0; i < 180; i++)
    {
      Plan *plan = plan_new (23000 + i);
      PareRng *r = &plan->rng;
      int64_t batch = 1 + i % 7 / 6, heads = 1 + (int64_t)pare_rng_below (r, 4), rows = 1 + (int64_t)pare_rng_below (r, 70),
              positions = 1 + (int64_t)pare_rng_below (r, i % 9 ? 90 : 400), depth = 1 + (int64_t)pare_rng_below (r, i % 3 ? 20 : 80),
              n = 1 + (int64_t)pare_rng_below (r, i % 4 ? 20 : 80), shared = i % 5 == 4 ? 1 : heads;
      bool turned = i % 2, same = i % 6 == 5, parts = i % 12 == 5 || i % 24 == 11; /* of one value */
      if (same)
        {
          shared = heads;
          positions = rows;
          n = depth;
        }
      PareAttentionParams p = { .factor = (float[]){ 0.3f, -0.5f, 1, 40, 3e7f }[i % 8 < 4 ? 0 : i % 8 - 3],
                                .q = { 0, 1, 2, 3 },
                                .k = { 0, 1, 2, 3 },
                                .v = { 0, 1, 2, 3 },
                                .y = { 0, 1, 2, 3 },
                                .round_weights = 1,
                                .round_result = i % 4 == 1 };
      if (turned) /* rows in front of heads */
        for (int a = 1; a < 3; a++)
          p.q[a] = p.k[a] = p.v[a] = p.y[a] = 3 - a;
      PareShape whole = turned ? SHAPE (batch, rows, heads, depth) : SHAPE (batch, heads, rows, depth);
      if (parts)
        {
          int axis = turned ? 2 : 1;
          whole = turned ? SHAPE (batch, rows, 3, heads, depth) : SHAPE (batch, 3, heads, rows, depth);
          for (int a = 0; a < 4; a++)
            p.q[a] = p.k[a] = p.v[a] = p.q[a] + (p.q[a] >= axis);
          for (int k = 1; k < 3; k++)
            p.at[k] = k * (int32_t)(turned ? heads * depth : heads * rows * depth);
        }
      uint32_t q = add_rounding (plan, plan_input (plan, whole));
      uint32_t k = q, v = q;
      if (!same)
        {
          k = plan_input (plan, turned ? SHAPE (batch, positions, shared, depth) : SHAPE (batch, shared, positions, depth));
          v = plan_input (plan, turned ? SHAPE (batch, positions, shared, n) : SHAPE (batch, shared, positions, n));
          k = add_rounding (plan, k);
          v = add_rounding (plan, v);
        }
      uint32_t mask = same ? PARE_RT_NONE : add_mask (plan, i % 7 % 6, heads, rows, positions);
      uint32_t y
          = STEP (plan, PARE_RT_ATTENTION, &p, turned ? SHAPE (batch, rows, heads, n) : SHAPE (batch, heads, rows, n), q, k, v, mask);
      if (i % 5 == 2)
        plan_output (plan, k);
      if (i % 3 == 1)
        y = add_rounding (plan, y);
      PareGemmParams dense = { .alpha = 1, .beta = 1 };
      int64_t all = batch * heads * rows;
      plan_output (plan, STEP (plan, PARE_RT_GEMM, &dense, SHAPE (all, 3), plan_alias (plan, y, SHAPE (all, n)),
                               plan_constant (plan, SHAPE (n, 3), 1.7f / sqrtf ((float)n), 0)));
      if (i % 2)
        plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("attention of 16 bits %u: %d heads, %d rows, %d positions, %d and %d elements, factor %g", i,
                                               (int)heads, (int)rows, (int)positions, (int)depth, (int)n, (double)p.factor);
      compare (plan, 1 + (int)(i % 2), 0.01f, what);
      if (same)
        same_by_threads (plan, y, what);
      plan_free (plan);
    }
  g_assert_cmpuint (products, ==, before + 180);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (accel_is_absent ("/accel-bfloats"))
    return g_test_run ();
  g_test_add_func ("/accel-bfloats/winograd", test_winograd);
  g_test_add_func ("/accel-bfloats/stem", test_stem);
  g_test_add_func ("/accel-bfloats/windows", test_windows);
  g_test_add_func ("/accel-bfloats/pool", test_pool);
  g_test_add_func ("/accel-bfloats/beside", test_beside);
  g_test_add_func ("/accel-bfloats/line", test_line);
  g_test_add_func ("/accel-bfloats/few", test_few);
  g_test_add_func ("/accel-bfloats/pointwise", test_pointwise);
  g_test_add_func ("/accel-bfloats/depthwise", test_depthwise);
  g_test_add_func ("/accel-bfloats/separable", test_separable);
  g_test_add_func ("/accel-bfloats/dense", test_dense);
  g_test_add_func ("/accel-bfloats/recurrent", test_recurrent);
  g_test_add_func ("/accel-bfloats/attention", test_attention);
  return g_test_run ();
}
