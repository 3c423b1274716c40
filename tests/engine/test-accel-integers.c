/* Integers on oneDNN against the portable kernels, bit for bit, over random shapes, types and bounds; the same again in child processes
 * that may use only older instructions, where oneDNN's products would saturate. */
#include "tests/engine/accel-plan.h"

#include <math.h>

static int covered, steps;

/* Children try fewer. */
static guint
cases (guint n)
{
  return g_getenv ("DNNL_MAX_CPU_ISA") ? n / 4 : n;
}

/* A value of this type. */
static uint32_t
typed (Plan *plan, uint32_t value, PareDtype dtype)
{
  PareRtValue *v = plan_value (plan, value);
  v->dtype = dtype;
  v->bytes = (uint64_t)pare_shape_bytes (&v->shape, dtype);
  return value;
}

static void
fill (Plan *plan, const PareRtValue *v, void *data)
{
  gint64 n = pare_shape_count (&v->shape);
  for (gint64 i = 0; i < n; i++)
    if (v->dtype == PARE_DTYPE_FLOAT32)
      ((float *)data)[i] = (float)pare_rng_normal (&plan->rng);
    else
      ((guint8 *)data)[i] = (guint8)pare_rng_below (&plan->rng, 256);
}

static void
compare (Plan *plan, int threads, const char *what)
{
  const PareRtPlan *p = plan_finish (plan);
  PareRtRunner *portable = pare_rt_runner_new (p, NULL);
  PareAccel *accel = pare_accel_new (p, threads);
  g_assert_nonnull (portable);
  if (accel)
    {
      PareAccelRunner *runner = pare_accel_runner_new (accel);
      g_assert_nonnull (runner);
      for (int again = 0; again < 2; again++)
        {
          g_autofree PareView *inputs = g_new0 (PareView, p->n_inputs);
          uint32_t failed = PARE_RT_NONE;
          for (uint32_t i = 0; i < p->n_inputs; i++)
            {
              const PareRtValue *v = &p->values[p->inputs[i]];
              inputs[i] = (PareView){ v->dtype, v->shape, g_malloc0 (v->bytes + 64), NULL };
              fill (plan, v, inputs[i].data);
            }
          g_assert_cmpint (pare_rt_runner_run (portable, inputs, NULL, NULL, &failed), ==, PARE_RT_OK);
          if (pare_accel_runner_run (runner, inputs, NULL, NULL, &failed) != PARE_RT_OK)
            g_error ("%s: step %u failed", what, failed);
          for (uint32_t i = 0; i < p->n_values; i++)
            if (p->values[i].keep)
              {
                PareView want = pare_rt_runner_view (portable, i), got = pare_accel_runner_view (runner, i);
                const guint8 *w = want.data, *g = got.data;
                g_assert_nonnull (g);
                for (guint64 k = 0; k < p->values[i].bytes; k++)
                  if (w[k] != g[k])
                    {
                      if (want.dtype == PARE_DTYPE_FLOAT32)
                        g_error ("%s: value %u [%" G_GUINT64_FORMAT "] is %.9g, not %.9g", what, i, k / 4,
                                 (double)((const float *)got.data)[k / 4], (double)((const float *)want.data)[k / 4]);
                      g_error ("%s: value %u [%" G_GUINT64_FORMAT "] of %" G_GUINT64_FORMAT " is %d, not %d", what, i, k,
                               p->values[i].bytes, want.dtype == PARE_DTYPE_INT8 ? (gint8)g[k] : g[k],
                               want.dtype == PARE_DTYPE_INT8 ? (gint8)w[k] : w[k]);
                    }
              }
          for (uint32_t i = 0; i < p->n_inputs; i++)
            g_free (inputs[i].data);
        }
      covered += (int)lround (pare_accel_get_coverage (accel) * p->n_steps);
      if (g_getenv ("PARE_TEST_UNCOVERED") && pare_accel_get_coverage (accel) < 1)
        g_test_message ("portable: %s", what);
      pare_accel_runner_free (runner);
      pare_accel_free (accel);
    }
  else if (g_getenv ("PARE_TEST_UNCOVERED"))
    g_test_message ("portable: %s", what);
  steps += (int)p->n_steps;
  pare_rt_runner_free (portable);
}

static PareDtype
any_codes (PareRng *r)
{
  return pare_rng_below (r, 3) ? PARE_DTYPE_UINT8 : PARE_DTYPE_INT8;
}

static int32_t
least (PareDtype dtype)
{
  return dtype == PARE_DTYPE_INT8 ? -128 : 0;
}

/* Zero point and bounds of a result: all of the type, ReLU, or the range of fewer bits. */
static void
any_range (PareRng *r, PareDtype dtype, int32_t *zero, int32_t *lo, int32_t *hi)
{
  static const int32_t zeros[] = { 0, 0, 3, 117, 128, 131, 255 };
  int32_t base = least (dtype);
  *zero = base + zeros[pare_rng_below (r, G_N_ELEMENTS (zeros))];
  *lo = base;
  *hi = base + 255;
  switch (pare_rng_below (r, 5))
    {
    case 0:
      *lo = *zero; /* ReLU */
      break;
    case 1: /* 4 bits */
      *lo = dtype == PARE_DTYPE_INT8 ? -8 : 0;
      *hi = *lo + 15;
      *zero = *lo + (int32_t)pare_rng_below (r, 16);
      break;
    case 2: /* ReLU6 */
      *lo = *zero;
      *hi = *zero + (int32_t)pare_rng_below (r, (guint64)(base + 256 - *zero));
      break;
    default:
      break;
    }
}

/* Codes of weights; `most`: the largest size. */
static uint32_t
add_weights (Plan *plan, PareShape shape, PareDtype dtype, int most)
{
  gint64 n = pare_shape_count (&shape);
  g_assert_true (n >= 0 && n < 1 << 28);
  g_autofree guint8 *data = g_new0 (guint8, (gsize)n);
  if (dtype == PARE_DTYPE_INT8)
    for (gint64 i = 0; i < n; i++)
      data[i]
          = (guint8)(gint8)CLAMP ((int)pare_rng_below (&plan->rng, (guint64)(2 * most + 2)) - most - 1, most == 127 ? -128 : -most, most);
  else if (dtype == PARE_DTYPE_INT16) /* bytes less a zero point, of each tensor or row */
    {
      g_autofree gint16 *wide = g_new (gint16, (gsize)n);
      gint64 row = shape.rank ? n / shape.dims[0] : n;
      gint zero = (gint)pare_rng_below (&plan->rng, 256);
      gboolean own = pare_rng_below (&plan->rng, 2);
      for (gint64 i = 0; i < n; i++)
        {
          if (own && i % row == 0)
            zero = (gint)pare_rng_below (&plan->rng, 256);
          wide[i] = (gint16)((gint)pare_rng_below (&plan->rng, 256) - zero);
        }
      return plan_constant_data (plan, dtype, shape, wide);
    }
  else
    for (gint64 i = 0; i < n; i++)
      data[i] = (guint8)pare_rng_below (&plan->rng, 256);
  return plan_constant_data (plan, dtype, shape, data);
}

/* Scales that let results cover their type: sums of k products of random codes are about sqrt (k) * 74 * most / 2. */
static uint32_t
add_scales (Plan *plan, int64_t m, int64_t k, double most, gboolean codes)
{
  g_autofree float *data = g_new (float, (gsize)m);
  for (int64_t i = 0; i < m; i++)
    data[i] = (float)((codes ? 60 : 1) * (0.3 + pare_rng_uniform (&plan->rng)) / (sqrt ((double)k) * 60 * (most + 1)));
  return plan_constant_data (plan, PARE_DTYPE_FLOAT32, SHAPE (m), data);
}

static uint32_t
add_bias (Plan *plan, int64_t m, double size)
{
  g_autofree int32_t *data = g_new (int32_t, (gsize)m);
  for (int64_t i = 0; i < m; i++)
    data[i] = (int32_t)(size * (pare_rng_uniform (&plan->rng) * 2 - 1));
  return plan_constant_data (plan, PARE_DTYPE_INT32, SHAPE (m), data);
}

static PareDtype
any_weights (PareRng *r, int *most)
{
  switch (pare_rng_below (r, 7))
    {
    case 6:
      *most = 255;
      return PARE_DTYPE_INT16;
    case 0:
      *most = 7;
      return PARE_DTYPE_INT4;
    case 1:
      *most = 1;
      return PARE_DTYPE_INT2;
    case 2:
      *most = 63;
      return PARE_DTYPE_INT8;
    default:
      *most = 127;
      return PARE_DTYPE_INT8;
    }
}

static const PareActivation activations[] = { PARE_ACT_NONE, PARE_ACT_CLIP,  PARE_ACT_LEAKY, PARE_ACT_SIGMOID, PARE_ACT_HARDSWISH,
                                              PARE_ACT_TANH, PARE_ACT_SWISH, PARE_ACT_MISH,  PARE_ACT_ELU };

/* A convolution of codes; its result has the type `out` (codes or float). */
static uint32_t
add_qconv (Plan *plan, uint32_t x, int64_t m, PareConvParams conv, PareDtype out, int32_t zero_x)
{
  PareRng *r = &plan->rng;
  PareShape sx = plan_value (plan, x)->shape, sw = { .rank = sx.rank }, sy = sx;
  int64_t fan = sx.dims[1] / conv.group;
  int most;
  PareDtype weights = any_weights (r, &most);
  PareQConvParams p = { .conv = conv, .zero_x = zero_x };
  if (out != PARE_DTYPE_FLOAT32)
    any_range (r, out, &p.zero_y, &p.lo, &p.hi);
  else
    {
      p.conv.activation = activations[pare_rng_below (r, G_N_ELEMENTS (activations))];
      p.conv.lo = pare_rng_below (r, 2) ? 0 : -0.5f;
      p.conv.hi = pare_rng_below (r, 2) ? INFINITY : 0.7f;
      p.conv.alpha = 0.1f;
    }
  sw.dims[0] = sy.dims[1] = m;
  sw.dims[1] = fan;
  for (int i = 0; i < conv.spatial; i++)
    {
      sw.dims[i + 2] = conv.kernel[i];
      fan *= conv.kernel[i];
      sy.dims[i + 2]
          = (sx.dims[i + 2] + conv.pad_begin[i] + conv.pad_end[i] - ((conv.kernel[i] - 1) * conv.dilation[i] + 1)) / conv.stride[i] + 1;
    }
  uint32_t w = add_weights (plan, sw, weights, most),
           b = pare_rng_below (r, 4) ? add_bias (plan, m, pare_rng_below (r, 8) ? 3000.0 * most / 127 : 3e7) : PARE_RT_NONE,
           scale = add_scales (plan, m, fan, most, out != PARE_DTYPE_FLOAT32);
  if (out == PARE_DTYPE_FLOAT32 || pare_rng_below (r, 4))
    return typed (plan, STEP (plan, PARE_RT_QCONV, &p, sy, x, w, b, scale), out);
  /* a batch normalization follows */
  p.conv.activation = pare_rng_below (r, 3) ? PARE_ACT_CLIP : PARE_ACT_NONE;
  p.conv.lo = pare_rng_below (r, 2) ? 0 : -20;
  p.conv.hi = pare_rng_below (r, 2) ? INFINITY : 50;
  if (p.conv.activation == PARE_ACT_CLIP && pare_rng_below (r, 2)) /* rounded in between */
    {
      p.rounds = 1;
      p.conv.hi = pare_rng_below (r, 2) ? 127 : 50;
    }
  uint32_t factor = plan_constant (plan, SHAPE (m), 2, 0.5f), offset = plan_constant (plan, SHAPE (m), 40, 10);
  return typed (plan, STEP (plan, PARE_RT_QCONV, &p, sy, x, w, b, scale, factor, offset), out);
}

static int32_t
any_zero (PareRng *r, PareDtype dtype)
{
  static const int32_t zeros[] = { 0, 0, 1, 100, 128, 255 };
  return least (dtype) + zeros[pare_rng_below (r, G_N_ELEMENTS (zeros))];
}

static PareConvParams
any_conv (PareRng *r, int spatial, int64_t c, int64_t *m, char *text, gsize size)
{
  int k = (int[]){ 1, 1, 3, 3, 3, 5, 2 }[pare_rng_below (r, 7)], stride = 1 + (int)(pare_rng_below (r, 3) == 0),
      dilation = 1 + (int)(pare_rng_below (r, 6) == 0), pad = pare_rng_below (r, 2) ? k / 2 : (int)pare_rng_below (r, (guint64)k);
  PareConvParams p = { .spatial = spatial, .group = 1 };
  switch (pare_rng_below (r, 4))
    {
    case 0:
      p.group = (int)c;
      *m = c * (1 + (int64_t)(pare_rng_below (r, 5) == 0));
      break;
    case 1:
      if (c % 2 == 0 && *m % 2 == 0)
        p.group = 2;
      break;
    default:
      break;
    }
  for (int i = 0; i < spatial; i++)
    {
      p.kernel[i] = k;
      p.stride[i] = stride;
      p.dilation[i] = dilation;
      p.pad_begin[i] = pad;
      p.pad_end[i] = pad;
    }
  p.pad_end[0] = (int32_t)pare_rng_below (r, (guint64)k);
  g_snprintf (text, size, "%d-D, %d -> %d in %d groups, kernel %d, stride %d, dilation %d, padding %d", spatial, (int)c, (int)*m, p.group,
              k, stride, dilation, pad);
  return p;
}

static void
test_conv (void)
{
  static const int64_t channels[] = { 1, 3, 8, 10, 16, 24, 32, 33, 48, 64, 100, 130 };
  for (guint i = 0; i < cases (700); i++)
    {
      Plan *plan = plan_new (1000 + i);
      PareRng *r = &plan->rng;
      char text[160];
      int spatial = i % 9 == 5 ? 1 : i % 18 == 4 ? 3 : 2;
      int64_t c = channels[pare_rng_below (r, G_N_ELEMENTS (channels))], m = channels[pare_rng_below (r, G_N_ELEMENTS (channels))],
              batch = 1 + (int64_t)(i % 7 == 0);
      PareConvParams conv = any_conv (r, spatial, c, &m, text, sizeof text);
      PareDtype in = any_codes (r), out = pare_rng_below (r, 5) ? any_codes (r) : PARE_DTYPE_FLOAT32;
      int32_t zero = any_zero (r, in);
      int64_t extent = 5 + (int64_t)pare_rng_below (r, 12);
      extent = MAX (extent, (int64_t)(conv.kernel[0] - 1) * conv.dilation[0] + 1);
      uint32_t x = typed (plan,
                          plan_input (plan, spatial == 1   ? SHAPE (batch, c, extent)
                                            : spatial == 3 ? SHAPE (batch, c, extent, extent, extent + 1)
                                                           : SHAPE (batch, c, extent, extent + 1)),
                          in);
      plan_output (plan, add_qconv (plan, x, m, conv, out, zero));
      g_autofree char *what = g_strdup_printf ("convolution %u: %s, types %d -> %d, zero %d", i, text, in, out, zero);
      compare (plan, 1 + (int)(i % 2), what);
      plan_free (plan);
    }
}

/* Windows of which several rows lie in the padding, which counts as the zero point. */
static void
test_far_padding (void)
{
  static const int64_t channels[] = { 4, 16, 24, 33, 64, 130 };
  for (guint i = 0; i < cases (300); i++)
    {
      Plan *plan = plan_new (9000 + i);
      PareRng *r = &plan->rng;
      int64_t c = channels[pare_rng_below (r, G_N_ELEMENTS (channels))], m = channels[pare_rng_below (r, G_N_ELEMENTS (channels))];
      int32_t k = 5 + 2 * (int32_t)pare_rng_below (r, 2), gap = 1 + (int32_t)pare_rng_below (r, 2);
      PareConvParams conv = { .spatial = 2, .group = 1 };
      for (int d = 0; d < 2; d++)
        {
          conv.kernel[d] = k;
          conv.stride[d] = 1;
          conv.dilation[d] = gap;
          conv.pad_begin[d] = (int32_t)pare_rng_below (r, (guint64)k);
          conv.pad_end[d] = k - 1 - (int32_t)pare_rng_below (r, 3);
        }
      int64_t extent = (k - 1) * gap + 1 + (int64_t)pare_rng_below (r, 9);
      PareDtype in = any_codes (r);
      uint32_t x = typed (plan, plan_input (plan, SHAPE (1, c, extent, extent + 1)), in);
      plan_output (plan, add_qconv (plan, x, m, conv, PARE_DTYPE_FLOAT32, least (in) + 77));
      g_autofree char *what
          = g_strdup_printf ("padding %u: %d -> %d, kernel %d, dilation %d, padding %d", i, (int)c, (int)m, k, gap, conv.pad_end[0]);
      compare (plan, 1, what);
      plan_free (plan);
    }
}

/* Depthwise windows of 8, which oneDNN takes for a vector on AVX2, and others, beside padding that counts as the zero point. */
static void
test_depthwise (void)
{
  for (guint i = 0; i < cases (120); i++)
    {
      Plan *plan = plan_new (12000 + i);
      PareRng *r = &plan->rng;
      int64_t c = 8 * (1 + (int64_t)pare_rng_below (r, 4));
      PareConvParams conv = { .spatial = 2, .group = (int)c };
      for (int a = 0; a < 2; a++)
        {
          conv.kernel[a] = (int[]){ 1, 2, 4, 8 }[(i + (guint)a * (3 - 2 * i)) % 4];
          conv.stride[a] = 1 + (int)pare_rng_below (r, 3);
          conv.dilation[a] = 1;
          conv.pad_begin[a] = (int)pare_rng_below (r, 4);
          conv.pad_end[a] = (int)pare_rng_below (r, 4);
        }
      bool volume = i % 5 == 4;
      if (volume)
        {
          c = 8;
          conv = (PareConvParams){ .spatial = 3, .group = 8, .kernel = { 2, 2, 2 }, .stride = { 1, 1, 1 }, .dilation = { 1, 1, 1 } };
          conv.pad_begin[pare_rng_below (r, 3)] = 1;
        }
      PareDtype in = any_codes (r);
      uint32_t x = typed (plan, plan_input (plan, volume ? SHAPE (1, c, 5, 6, 5) : SHAPE (1, c, 11, 12)), in);
      plan_output (plan, add_qconv (plan, x, c, conv, any_codes (r), least (in) + 130));
      g_autofree char *what = g_strdup_printf ("depthwise %u: %d channels, kernel %d x %d", i, (int)c, conv.kernel[0], conv.kernel[1]);
      compare (plan, 1, what);
      plan_free (plan);
    }
}

/* Codes of floats whose layout is longer than they are: channels in blocks that they do not fill. */
static void
test_quantize_blocks (void)
{
  for (guint i = 0; i < cases (24); i++)
    {
      static const float one[] = { 0.02f };
      Plan *plan = plan_new (13000 + i);
      int64_t c = (int64_t[]){ 3, 5, 12, 20 }[i % 4];
      PareConvParams p = { .spatial = 2, .group = 1 }, next = { .spatial = 2, .group = 1 };
      PareQuantizeParams q = { 0 };
      for (int a = 0; a < 2; a++)
        {
          p.kernel[a] = next.kernel[a] = 3;
          p.stride[a] = next.stride[a] = p.dilation[a] = next.dilation[a] = 1;
          p.pad_begin[a] = p.pad_end[a] = 1;
        }
      PareShape s = SHAPE (2, c, 9, 10);
      uint32_t x = plan_input (plan, SHAPE (2, 16, 9, 10)), scale = plan_constant_data (plan, PARE_DTYPE_FLOAT32, SHAPE (1), one), codes[4];
      g_autofree float *taps = g_new0 (float, c * 16 * 9); /* one for each channel: sums are exact in any order */
      for (int64_t m = 0; m < c; m++)
        taps[(m * 16 + m % 16) * 9 + m % 9] = 0.5f;
      for (int k = 0; k < 4; k++) /* which lie side by side */
        {
          uint32_t y = STEP (plan, PARE_RT_CONV, &p, s, x, plan_constant_data (plan, PARE_DTYPE_FLOAT32, SHAPE (c, 16, 3, 3), taps));
          codes[k] = typed (plan, STEP (plan, PARE_RT_QUANTIZE_LINEAR, &q, s, y, scale), PARE_DTYPE_INT8);
        }
      for (int k = 0; k < 4; k++)
        plan_output (plan, add_qconv (plan, codes[k], 16, next, PARE_DTYPE_UINT8, 0));
      g_autofree char *what = g_strdup_printf ("codes of blocks %u: %d channels", i, (int)c);
      compare (plan, 1, what);
      plan_free (plan);
    }
}

/* Images of many pixels, windows of up to 16 rows, each side and axis on its own: what the matrix unit reads where it lies. */
static void
test_places (void)
{
  static const int64_t inputs[] = { 1, 3, 4, 8, 16, 24, 32, 40, 64, 96, 130 }, results[] = { 3, 8, 16, 16, 32, 48, 64, 80, 130 };
  for (guint i = 0; i < cases (200); i++)
    {
      Plan *plan = plan_new (5000 + i);
      PareRng *r = &plan->rng;
      int64_t c = inputs[pare_rng_below (r, G_N_ELEMENTS (inputs))], m = results[pare_rng_below (r, G_N_ELEMENTS (results))], extent[2];
      PareConvParams conv = { .spatial = 2, .group = 1 };
      for (int a = 0; a < 2; a++)
        {
          conv.kernel[a] = pare_rng_below (r, 3) ? 3 : 1 + (int)pare_rng_below (r, a ? 8 : 18);
          conv.stride[a] = 1 + (int)(pare_rng_below (r, 2) ? 0 : pare_rng_below (r, 3));
          conv.dilation[a] = a ? 1 : 1 + (int)(pare_rng_below (r, 5) == 0);
          guint64 sides = (guint64)conv.kernel[a] + (i % 4 == 3 ? 4 : 0); /* windows that lie in padding as a whole */
          conv.pad_begin[a] = (int)pare_rng_below (r, sides);
          conv.pad_end[a] = (int)pare_rng_below (r, sides);
          extent[a] = 4 * (1 + (int64_t)pare_rng_below (r, 9)) + (int64_t)pare_rng_below (r, 2);
          extent[a] = MAX (extent[a], (int64_t)(conv.kernel[a] - 1) * conv.dilation[a] + 1);
        }
      PareDtype in = any_codes (r), out = pare_rng_below (r, 8) ? any_codes (r) : PARE_DTYPE_FLOAT32;
      uint32_t x = typed (plan, plan_input (plan, SHAPE (1 + (int64_t)(i % 4 == 0), c, extent[0], extent[1])), in),
               y = add_qconv (plan, x, m, conv, out, any_zero (r, in));
      if (out != PARE_DTYPE_FLOAT32 && i % 3 == 0)
        {
          PareConvParams one = { .spatial = 2, .group = 1, .kernel = { 1, 1 }, .stride = { 1, 1 }, .dilation = { 1, 1 } };
          conv.pad_begin[0] = conv.pad_begin[1] = conv.pad_end[0] = conv.pad_end[1] = 1;
          conv.kernel[0] = conv.kernel[1] = 3;
          conv.stride[0] = conv.stride[1] = conv.dilation[0] = 1;
          uint32_t a = add_qconv (plan, y, m, conv, any_codes (r), any_zero (r, out)),
                   b = add_qconv (plan, y, m, one, out, any_zero (r, out));
          PareQAddParams add = { 0.7f, 0.6f, 11.3f, 0, 0 };
          int32_t unused;
          any_range (r, out, &unused, &add.lo, &add.hi);
          y = typed (plan, STEP (plan, PARE_RT_QADD, &add, plan_value (plan, a)->shape, i % 2 ? a : b, i % 2 ? b : a), out);
        }
      plan_output (plan, y);
      g_autofree char *what
          = g_strdup_printf ("places %u: %d -> %d, kernel %d x %d, stride %d x %d, of %d x %d, types %d -> %d", i, (int)c, (int)m,
                             conv.kernel[0], conv.kernel[1], conv.stride[0], conv.stride[1], (int)extent[0], (int)extent[1], in, out);
      compare (plan, 1 + (int)(i % 3), what);
      plan_free (plan);
    }
}

/* Few results and long windows: lanes hold several pixels of a row. */
static void
test_wide (void)
{
  static const int64_t inputs[] = { 1, 2, 3, 5, 8, 12, 16, 20, 33 }, results[] = { 1, 1, 2, 3, 5, 8, 8, 12, 16, 24, 36 };
  for (guint i = 0; i < cases (250); i++)
    {
      Plan *plan = plan_new (4000 + i);
      PareRng *r = &plan->rng;
      int64_t c = inputs[pare_rng_below (r, G_N_ELEMENTS (inputs))], m = results[pare_rng_below (r, G_N_ELEMENTS (results))];
      PareConvParams conv = { .spatial = 2, .group = 1, .dilation = { 1, 1 } };
      int64_t extent[2]
          = { 1 + (int64_t)pare_rng_below (r, 6), 12 * (1 + (int64_t)pare_rng_below (r, 8)) + (int64_t)pare_rng_below (r, 3) };
      for (int a = 0; a < 2; a++)
        {
          conv.kernel[a] = 1 + (int)pare_rng_below (r, a ? 40 : 4);
          conv.stride[a] = 1 + (int)pare_rng_below (r, 3);
          conv.pad_begin[a] = (int)pare_rng_below (r, (guint64)conv.kernel[a]);
          conv.pad_end[a] = (int)pare_rng_below (r, (guint64)conv.kernel[a]);
          extent[a] = MAX (extent[a], conv.kernel[a]);
        }
      PareDtype in = any_codes (r), out = pare_rng_below (r, 5) ? any_codes (r) : PARE_DTYPE_FLOAT32;
      uint32_t x = typed (plan, plan_input (plan, SHAPE (1 + (int64_t)(i % 4 == 0), c, extent[0], extent[1])), in);
      plan_output (plan, add_qconv (plan, x, m, conv, out, any_zero (r, in)));
      g_autofree char *what
          = g_strdup_printf ("wide %u: %d -> %d, kernel %d x %d, stride %d x %d, of %d x %d, types %d -> %d", i, (int)c, (int)m,
                             conv.kernel[0], conv.kernel[1], conv.stride[0], conv.stride[1], (int)extent[0], (int)extent[1], in, out);
      compare (plan, 1 + (int)(i % 2), what);
      plan_free (plan);
    }
}

static uint32_t
add_qgemm (Plan *plan, uint32_t x, int64_t n, PareDtype out, int32_t zero_x)
{
  PareRng *r = &plan->rng;
  PareShape sx = plan_value (plan, x)->shape;
  int most;
  PareDtype weights = any_weights (r, &most);
  PareQGemmParams p = { .gemm = { .trans_b = (int)pare_rng_below (r, 2), .alpha = 1, .beta = 1 }, .zero_x = zero_x };
  int64_t k = sx.dims[1];
  if (out != PARE_DTYPE_FLOAT32)
    any_range (r, out, &p.zero_y, &p.lo, &p.hi);
  else
    {
      p.gemm.activation = activations[pare_rng_below (r, G_N_ELEMENTS (activations))];
      p.gemm.lo = pare_rng_below (r, 2) ? 0 : -0.5f;
      p.gemm.hi = pare_rng_below (r, 2) ? INFINITY : 0.7f;
      p.gemm.act_alpha = 0.1f;
    }
  uint32_t w = add_weights (plan, p.gemm.trans_b ? SHAPE (n, k) : SHAPE (k, n), weights, most),
           b = pare_rng_below (r, 4) ? add_bias (plan, n, 3000.0 * most / 127) : PARE_RT_NONE,
           scale = add_scales (plan, n, k, most, out != PARE_DTYPE_FLOAT32);
  return typed (plan, STEP (plan, PARE_RT_QGEMM, &p, SHAPE (sx.dims[0], n), x, w, b, scale), out);
}

static void
test_gemm (void)
{
  for (guint i = 0; i < cases (200); i++)
    {
      Plan *plan = plan_new (3000 + i);
      PareRng *r = &plan->rng;
      int64_t m = i % 3 ? 1 : 1 + (int64_t)pare_rng_below (r, 20), k = 1 + (int64_t)pare_rng_below (r, 300),
              n = 1 + (int64_t)pare_rng_below (r, 130);
      PareDtype in = any_codes (r), out = pare_rng_below (r, 3) ? any_codes (r) : PARE_DTYPE_FLOAT32;
      int32_t zero = any_zero (r, in);
      uint32_t x = typed (plan, plan_input (plan, SHAPE (m, k)), in);
      plan_output (plan, add_qgemm (plan, x, n, out, zero));
      g_autofree char *what
          = g_strdup_printf ("product %u: %d x %d x %d, types %d -> %d, zero %d", i, (int)m, (int)k, (int)n, in, out, zero);
      compare (plan, 1 + (int)(i % 2), what);
      plan_free (plan);
    }
}

/* Any of the steps on codes, one after the other, over tensors of one height and width. */
static void
random_plan (guint64 seed)
{
  static const int64_t channels[] = { 3, 8, 16, 24, 32, 64 };
  Plan *plan = plan_new (seed);
  PareRng *r = &plan->rng;
  GArray *pool = g_array_new (FALSE, FALSE, sizeof (uint32_t));
  int64_t h = 6 + (int64_t)pare_rng_below (r, 40), w = 6 + (int64_t)pare_rng_below (r, 8), batch = pare_rng_below (r, 5) == 0 ? 2 : 1;
  PareDtype type = any_codes (r);
  PareQuantizeParams quantize = { .axis = -1 };
  float one = 0.031f;
  guint8 zero = 7;
  uint32_t x = plan_input (plan, SHAPE (batch, channels[pare_rng_below (r, 4)], h, w)),
           scale = plan_constant_data (plan, PARE_DTYPE_FLOAT32, SHAPE (1), &one), z = plan_constant_data (plan, type, SHAPE (1), &zero);
  if (pare_rng_below (r, 3) == 0)
    {
      quantize.lo = -3 - least (type) / 128 * 3 + 3;
      quantize.hi = quantize.lo + 15;
    }
  uint32_t last = typed (plan, STEP (plan, PARE_RT_QUANTIZE_LINEAR, &quantize, plan_value (plan, x)->shape, x, scale, z), type);
  g_array_append_val (pool, last);
  for (int i = 0; i < 14; i++)
    {
      uint32_t a = g_array_index (pool, uint32_t, pool->len - 1 - pare_rng_below (r, MIN (pool->len, 4))),
               b = g_array_index (pool, uint32_t, pare_rng_below (r, pool->len)), y;
      PareShape s = plan_value (plan, a)->shape, sb = plan_value (plan, b)->shape;
      PareDtype ta = plan_value (plan, a)->dtype, tb = plan_value (plan, b)->dtype, out = any_codes (r);
      int64_t c = s.dims[1], m = channels[pare_rng_below (r, G_N_ELEMENTS (channels))];
      int k = (int[]){ 1, 3, 5 }[pare_rng_below (r, 3)];
      PareConvParams conv = { .spatial = 2,
                              .group = 1,
                              .kernel = { k, k },
                              .stride = { 1, 1 },
                              .dilation = { 1, 1 },
                              .pad_begin = { k / 2, k / 2 },
                              .pad_end = { k / 2, k / 2 } };
      ParePoolParams window
          = { .spatial = 2, .kernel = { 3, 3 }, .stride = { 1, 1 }, .dilation = { 1, 1 }, .pad_begin = { 1, 1 }, .pad_end = { 1, 1 } };
      switch (pare_rng_below (r, 14))
        {
        case 0:
          conv.group = (int)c;
          y = add_qconv (plan, a, c, conv, out, any_zero (r, ta));
          break;
        case 1:
        case 2:
          if (s.dims[1] != sb.dims[1])
            continue;
          {
            PareQAddParams add = { 0.7f, 0.6f, 11.3f, 0, 0 };
            int32_t unused;
            any_range (r, out, &unused, &add.lo, &add.hi);
            y = typed (plan, STEP (plan, PARE_RT_QADD, &add, s, a, b), out);
          }
          break;
        case 3:
          {
            guint8 table[256];
            for (int t = 0; t < 256; t++)
              table[t] = (guint8)pare_rng_below (r, 256);
            y = typed (plan, STEP (plan, PARE_RT_LUT, &(char){ 0 }, s, a, plan_constant_data (plan, out, SHAPE (256), table)), out);
          }
          break;
        case 4:
          y = typed (plan, STEP (plan, PARE_RT_MAX_POOL, &window, s, a), ta);
          break;
        case 5:
        case 6:
          {
            PareQAvgPoolParams mean = { .pool = window, .scale_x = 0.013f, .scale_y = 0.011f, .zero_x = any_zero (r, ta) };
            any_range (r, out, &mean.zero_y, &mean.lo, &mean.hi);
            mean.pool.count_include_pad = (int)pare_rng_below (r, 2);
            mean.floats = (int)pare_rng_below (r, 2);
            if (pare_rng_below (r, 2))
              {
                mean.pool.kernel[0] = (int)s.dims[2];
                mean.pool.kernel[1] = (int)s.dims[3];
                mean.pool.pad_begin[0] = mean.pool.pad_begin[1] = mean.pool.pad_end[0] = mean.pool.pad_end[1] = 0;
                y = typed (plan, STEP (plan, PARE_RT_QAVG_POOL, &mean, SHAPE (batch, c, 1, 1), a), out);
                plan_value (plan, y)->keep = true;
                uint32_t flat = typed (plan, plan_alias (plan, y, SHAPE (batch, c)), out);
                y = add_qgemm (plan, flat, 11, pare_rng_below (r, 2) ? out : PARE_DTYPE_FLOAT32, any_zero (r, out));
                plan_value (plan, y)->keep = true;
                continue;
              }
            y = typed (plan, STEP (plan, PARE_RT_QAVG_POOL, &mean, s, a), out);
          }
          break;
        case 7:
          if (ta != tb || c + sb.dims[1] > 96)
            continue;
          {
            PareAxisParams axis = { 1 };
            y = typed (plan, STEP (plan, PARE_RT_CONCAT, &axis, SHAPE (batch, c + sb.dims[1], h, w), a, b), ta);
          }
          break;
        case 8:
          if (c < 8)
            continue;
          {
            PareSliceParams slice = { { 0, 2 }, { 1, 2, 1, 1 } };
            y = typed (plan, STEP (plan, PARE_RT_SLICE, &slice, SHAPE (batch, (c - 2) / 2, h, w), a), ta);
          }
          break;
        case 9:
          {
            ParePadParams pad = { PARE_PAD_CONSTANT, { 0, 3 } };
            guint8 value = 129;
            y = typed (plan,
                       STEP (plan, PARE_RT_PAD, &pad, SHAPE (batch, c + 5, h, w), a, plan_constant_data (plan, ta, SHAPE (1), &value)), ta);
          }
          break;
        case 10:
          {
            PareTransposeParams to_last = { { 0, 2, 3, 1 } }, to_first = { { 0, 3, 1, 2 } };
            y = typed (plan, STEP (plan, PARE_RT_TRANSPOSE, &to_last, SHAPE (batch, h, w, c), a), ta);
            y = typed (plan, STEP (plan, PARE_RT_TRANSPOSE, &to_first, s, y), ta);
          }
          break;
        case 11:
          {
            PareQuantizeParams both = { .axis = -1 };
            guint8 za = 130, zy = 3;
            float sa = 0.02f, sy = 0.017f;
            y = STEP (plan, PARE_RT_DEQUANTIZE_LINEAR, &both, s, a, plan_constant_data (plan, PARE_DTYPE_FLOAT32, SHAPE (1), &sa),
                      plan_constant_data (plan, ta, SHAPE (1), &za));
            plan_value (plan, y)->keep = pare_rng_below (r, 2) == 0;
            y = typed (plan,
                       STEP (plan, PARE_RT_QUANTIZE_LINEAR, &both, s, y, plan_constant_data (plan, PARE_DTYPE_FLOAT32, SHAPE (1), &sy),
                             plan_constant_data (plan, out, SHAPE (1), &zy)),
                       out);
          }
          break;
        case 12:
          {
            PareResizeParams twice = { .mode = PARE_RESIZE_NEAREST,
                                       .coord = PARE_COORD_ASYMMETRIC,
                                       .nearest = (PareNearestMode)pare_rng_below (r, 4),
                                       .scale = { 1, 1, 2, 3 } };
            ParePoolParams back = { .spatial = 2, .kernel = { 2, 2 }, .stride = { 2, 3 }, .dilation = { 1, 1 } };
            y = typed (plan, STEP (plan, PARE_RT_RESIZE, &twice, SHAPE (batch, c, 2 * h, 3 * w), a), ta);
            y = typed (plan, STEP (plan, PARE_RT_MAX_POOL, &back, s, y), ta);
          }
          break;
        default:
          y = add_qconv (plan, a, m, conv, out, any_zero (r, ta));
          break;
        }
      if (pare_rng_below (r, 3) == 0)
        plan_value (plan, y)->keep = true;
      g_array_append_val (pool, y);
      last = y;
    }
  plan_output (plan, last);
  g_array_unref (pool);
  g_autofree char *what = g_strdup_printf ("random plan %" G_GUINT64_FORMAT, seed);
  compare (plan, 1 + (int)(seed % 2), what);
  plan_free (plan);
}

static void
test_random (void)
{
  for (guint64 seed = 1; seed <= cases (150); seed++)
    random_plan (seed);
}

/* Blocks of convolutions that are added to each other or to what came in, where nobody else reads the parts: the addition is taken into the
 * product in front of it. Few channels and many, both orders of the operands, all types; some whole ones without bounds, whose additions
 * are done among the products of the next tile. */
static void
test_blocks (void)
{
  static const int64_t channels[] = { 3, 8, 16, 24, 48, 64, 80, 130 };
  for (guint i = 0; i < cases (120); i++)
    {
      Plan *plan = plan_new (9000 + i);
      PareRng *r = &plan->rng;
      gboolean whole = i % 3 == 2;
      int64_t c = whole ? 64 * (1 + (int64_t)pare_rng_below (r, 2)) : channels[pare_rng_below (r, G_N_ELEMENTS (channels))],
              extent = 3 + (int64_t)pare_rng_below (r, 9), batch = 1 + (int64_t)(i % 5 == 0);
      PareConvParams one = { .spatial = 2, .group = 1, .kernel = { 1, 1 }, .stride = { 1, 1 }, .dilation = { 1, 1 } }, three = one;
      for (int a = 0; a < 2; a++)
        {
          three.kernel[a] = 3;
          three.pad_begin[a] = three.pad_end[a] = 1;
        }
      PareDtype in = any_codes (r);
      uint32_t x = typed (plan, plan_input (plan, SHAPE (batch, 8, extent, extent + 2)), in),
               y = add_qconv (plan, x, c, three, whole ? PARE_DTYPE_UINT8 : any_codes (r), any_zero (r, in));
      for (int block = 0; block < 3; block++)
        {
          PareDtype type = plan_value (plan, y)->dtype, out = whole ? PARE_DTYPE_UINT8 : any_codes (r);
          uint32_t a = add_qconv (plan, y, c, pare_rng_below (r, 2) ? one : three, any_codes (r), any_zero (r, type)),
                   b
                   = pare_rng_below (r, 3) ? y : add_qconv (plan, y, c, one, whole ? PARE_DTYPE_UINT8 : any_codes (r), any_zero (r, type));
          gboolean swap = pare_rng_below (r, 2);
          PareQAddParams add = { 0.7f, 0.6f, 11.3f, 0, 0 };
          int32_t unused;
          any_range (r, out, &unused, &add.lo, &add.hi);
          if (whole)
            {
              add.lo = 0;
              add.hi = 255;
            }
          y = typed (plan, STEP (plan, PARE_RT_QADD, &add, plan_value (plan, a)->shape, swap ? b : a, swap ? a : b), out);
        }
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("blocks %u of %d channels", i, (int)c);
      compare (plan, 1 + (int)(i % 2), what);
      plan_free (plan);
    }
}

/* Nearly all of what is asked above runs on oneDNN or our own loops where bytes are multiplied exactly. */
static void
test_coverage (void)
{
#ifdef __x86_64__
  g_test_message ("%d of %d steps", covered, steps);
  if (!__builtin_cpu_supports ("avx512vnni") || g_getenv ("DNNL_MAX_CPU_ISA"))
    g_test_skip ("no instruction for products of bytes");
  else
    g_assert_cmpint (covered * 10, >, steps * 9);
#endif
}

/* Under older instructions; what oneDNN may use is read once in a process. */
static void
test_older (gconstpointer isa)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL), *out = NULL;
  g_autoptr (GError) error = NULL;
  int status = 0;
  if (!self || g_getenv ("DNNL_MAX_CPU_ISA"))
    {
      g_test_skip ("a child itself");
      return;
    }
  char *argv[] = { self, NULL };
  g_auto (GStrv) env = g_environ_setenv (g_get_environ (), "DNNL_MAX_CPU_ISA", isa, TRUE);
  g_assert_true (g_spawn_sync (NULL, argv, env, G_SPAWN_DEFAULT, NULL, NULL, &out, NULL, &status, &error));
  if (!g_spawn_check_wait_status (status, NULL))
    g_error ("%s: %s", (const char *)isa, out);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/accel-integers/conv", test_conv);
  g_test_add_func ("/accel-integers/far-padding", test_far_padding);
  g_test_add_func ("/accel-integers/depthwise", test_depthwise);
  g_test_add_func ("/accel-integers/quantize-blocks", test_quantize_blocks);
  g_test_add_func ("/accel-integers/places", test_places);
  g_test_add_func ("/accel-integers/wide", test_wide);
  g_test_add_func ("/accel-integers/gemm", test_gemm);
  g_test_add_func ("/accel-integers/random", test_random);
  g_test_add_func ("/accel-integers/blocks", test_blocks);
  g_test_add_func ("/accel-integers/coverage", test_coverage);
  g_test_add_data_func ("/accel-integers/avx2", "AVX2", test_older);
  g_test_add_data_func ("/accel-integers/vnni", "AVX512_CORE_VNNI", test_older);
  g_test_add_data_func ("/accel-integers/avx512", "AVX512_CORE", test_older);
  g_test_add_data_func ("/accel-integers/sse", "SSE41", test_older);
  return g_test_run ();
}
