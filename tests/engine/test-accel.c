#include "tests/engine/accel-compare.h"

static void
test_conv (void)
{
  static const int channels[] = { 1, 3, 8, 10, 16, 24, 32, 33, 48 };
  static const PareActivation acts[] = { PARE_ACT_NONE,      PARE_ACT_CLIP,  PARE_ACT_LEAKY, PARE_ACT_SIGMOID, PARE_ACT_TANH,
                                         PARE_ACT_HARDSWISH, PARE_ACT_SWISH, PARE_ACT_MISH,  PARE_ACT_ELU };
  for (guint i = 0; i < 240; i++)
    {
      Plan *plan = plan_new (1000 + i);
      PareRng *r = &plan->rng;
      int spatial = i % 6 == 5    ? 1
                    : i % 12 == 4 ? 3
                                  : 2,
          c = channels[pare_rng_below (r, G_N_ELEMENTS (channels))], m = channels[pare_rng_below (r, G_N_ELEMENTS (channels))];
      int k = (int[]){ 1, 3, 3, 5 }[pare_rng_below (r, 4)], group = 1, form = (int)pare_rng_below (r, 4);
      if (form == 0)
        group = m = c;
      else if (form == 1 && c % 2 == 0 && m % 2 == 0)
        group = 2;
      PareConvParams p = conv_params (spatial, group, k, 1 + (int)pare_rng_below (r, 2), 1 + (int)(pare_rng_below (r, 4) == 0),
                                      (int)pare_rng_below (r, (guint64)k));
      p.pad_end[0] = (int32_t)pare_rng_below (r, (guint64)k);
      p.activation = acts[i % G_N_ELEMENTS (acts)];
      p.lo = i % 2 ? 0 : -0.5f;
      p.hi = i % 3 ? INFINITY : 0.7f;
      p.alpha = 0.1f;
      int64_t batch = 1 + (int64_t)(i % 5 == 0);
      uint32_t x = plan_input (plan, spatial == 1   ? SHAPE (batch, c, 29)
                                     : spatial == 3 ? SHAPE (batch, c, 9, 9, 10)
                                                    : SHAPE (batch, c, 13, 14));
      uint32_t y = add_conv (plan, x, m, &p, pare_rng_below (r, 2), PARE_RT_NONE);
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("conv %u: %d-D, %d -> %d in %d groups, kernel %d, stride %d, dilation %d, activation %d", i,
                                               spatial, c, m, group, k, p.stride[0], p.dilation[0], p.activation);
      compare (plan, 1 + (int)(i % 2), 1e-5f, what);
      plan_free (plan);
    }
}

/* Rows of results that a kernel cuts into blocks, the last of which has fewer than reach beyond the image. */
static void
test_conv_far (void)
{
  static const struct
  {
    int m, w, k, begin, end;
  } cases[]
      = { { 64, 8, 8, 2, 4 }, { 32, 15, 11, 2, 8 }, { 128, 7, 9, 4, 4 }, { 64, 12, 13, 3, 4 }, { 64, 9, 11, 5, 5 }, { 128, 11, 12, 4, 5 } };
  for (guint i = 0; i < 2 * G_N_ELEMENTS (cases); i++)
    {
      Plan *plan = plan_new (1500 + i);
      PareConvParams p = conv_params (2, 1, 1, 1, 1, 0);
      int c = i % 2 ? 33 : 17;
      p.kernel[1] = cases[i / 2].k;
      p.pad_begin[1] = cases[i / 2].begin;
      p.pad_end[1] = cases[i / 2].end;
      plan_output (plan, add_conv (plan, plan_input (plan, SHAPE (1, c, 2, cases[i / 2].w)), cases[i / 2].m, &p, FALSE, PARE_RT_NONE));
      g_autofree char *what = g_strdup_printf ("far conv %u", i);
      compare (plan, 1, 1e-5f, what);
      plan_free (plan);
    }
}

/* What the reader of the library's manual expects to be fast is. */
static void
test_coverage (void)
{
  for (int dw = 0; dw < 2; dw++)
    {
      Plan *plan = plan_new (7);
      uint32_t x = plan_input (plan, SHAPE (1, 3, 32, 32));
      PareConvParams first = conv_params (2, 1, 3, 2, 1, 1), next = conv_params (2, dw ? 32 : 1, 3, 1, 1, 1);
      ParePoolParams pool = { .spatial = 2, .kernel = { 2, 2 }, .stride = { 2, 2 }, .dilation = { 1, 1 } };
      PareGemmParams gemm = { .trans_b = 1, .alpha = 1, .beta = 1 };
      PareSoftmaxParams softmax = { .axis = 1 };
      first.activation = next.activation = PARE_ACT_CLIP;
      first.hi = next.hi = 6;
      uint32_t a = add_conv (plan, x, 32, &first, TRUE, PARE_RT_NONE), b = add_conv (plan, a, 32, &next, TRUE, PARE_RT_NONE);
      uint32_t c = STEP (plan, PARE_RT_MAX_POOL, &pool, SHAPE (1, 32, 8, 8), b);
      uint32_t d = STEP (plan, PARE_RT_GLOBAL_AVG_POOL, &pool, SHAPE (1, 32, 1, 1), c), flat = plan_alias (plan, d, SHAPE (1, 32));
      uint32_t e = STEP (plan, PARE_RT_GEMM, &gemm, SHAPE (1, 10), flat, plan_constant (plan, SHAPE (10, 32), 0.3f, 0),
                         plan_constant (plan, SHAPE (10), 1, 0));
      plan_output (plan, STEP (plan, PARE_RT_SOFTMAX, &softmax, SHAPE (1, 10), e));
      assert_covered (compare (plan, 1, 1e-5f, "a small classifier"), "a small classifier");
      plan_free (plan);
    }
}

/* The residual: an input, a constant, something that dies here, something that is read later, the convolution's own source, something kept.
 */
static void
test_residual (void)
{
  for (guint i = 0; i < 48; i++)
    {
      static const int channels[] = { 16, 24, 7 };
      int c = channels[i / 2 % 3];
      Plan *plan = plan_new (2000 + i);
      PareConvParams p = conv_params (2, i % 2 ? c : 1, 3, 1, 1, 1), one = conv_params (2, 1, 1, 1, 1, 0);
      PareBinaryParams add = { .kind = PARE_BIN_ADD, .hi = INFINITY };
      PareShape s = SHAPE (1, c, 12, 11);
      uint32_t x = plan_input (plan, s), a = add_conv (plan, x, c, &one, TRUE, PARE_RT_NONE),
               b = add_conv (plan, a, c, &p, TRUE, PARE_RT_NONE), residual = a, y;
      if (i % 4 < 2)
        {
          p.activation = PARE_ACT_CLIP;
          p.hi = INFINITY;
        }
      switch (i / 6 % 8)
        {
        case 0:
          residual = x;
          break;
        case 1:
          residual = plan_constant (plan, s, 1, 0);
          break;
        case 2:
          residual = a;
          break;
        case 3:
          residual = b;
          break; /* its own source */
        case 4:
          plan_value (plan, a)->keep = true;
          break;
        default:
          break;
        }
      y = add_conv (plan, b, c, &p, i % 3 != 0, residual);
      if (i / 6 % 8 == 5)
        y = STEP (plan, PARE_RT_BINARY, &add, s, y, a); /* read later */
      plan_output (plan, y);
      g_autofree char *what = g_strdup_printf ("residual %u", i);
      assert_covered (compare (plan, 1, 1e-5f, what), what);
      plan_free (plan);
    }
}

/* Those that are left to oneDNN: of many channels, whose windows overlap. */
static void
test_conv_transpose (void)
{
  for (guint i = 0; i < 40; i++)
    {
      Plan *plan = plan_new (3000 + i);
      PareRng *r = &plan->rng;
      int stride = 1 + (int)(i % 2), c = 16 * (1 + (int)pare_rng_below (r, 2)), m = 16 * (1 + (int)pare_rng_below (r, 3)),
          k = 2 * stride + (int)pare_rng_below (r, 2);
      PareConvParams p = conv_params (2, 1, k, stride, 1, (int)pare_rng_below (r, 2));
      p.activation = i % 3 ? PARE_ACT_CLIP : PARE_ACT_NONE;
      p.hi = INFINITY;
      int64_t h = (7 - 1) * stride + k - 2 * p.pad_begin[0], w = (9 - 1) * stride + k - 2 * p.pad_begin[0];
      uint32_t x = plan_input (plan, SHAPE (1, c, 7, 9)), wt = plan_constant (plan, SHAPE (c, m, k, k), 0.3f, 0);
      plan_output (plan, STEP (plan, PARE_RT_CONV_TRANSPOSE, &p, SHAPE (1, m, h, w), x, wt, plan_constant (plan, SHAPE (m), 1, 0)));
      g_autofree char *what = g_strdup_printf ("transposed convolution %u: %d -> %d, kernel %d, stride %d", i, c, m, k, stride);
      compare (plan, 1, 1e-5f, what);
      plan_free (plan);
    }
}

static void
test_pool (void)
{
  for (guint i = 0; i < 64; i++)
    {
      Plan *plan = plan_new (4000 + i);
      PareRng *r = &plan->rng;
      int c = (int[]){ 5, 16, 24, 64 }[i % 4], k = 2 + (int)pare_rng_below (r, 2), stride = 1 + (int)pare_rng_below (r, 3),
          pad = (int)pare_rng_below (r, (guint64)k), ceil = i % 2;
      PareConvParams one = conv_params (2, 1, 1, 1, 1, 0);
      ParePoolParams p = { .spatial = 2,
                           .kernel = { k, k },
                           .stride = { stride, stride },
                           .dilation = { 1, 1 },
                           .pad_begin = { pad, pad },
                           .pad_end = { pad, 0 },
                           .count_include_pad = i / 2 % 2 };
      int64_t h = (13 + pad + pad - k + (ceil ? stride - 1 : 0)) / stride + 1, w = (14 + pad - k + (ceil ? stride - 1 : 0)) / stride + 1;
      h -= (h - 1) * stride >= 13 + pad;
      w -= (w - 1) * stride >= 14 + pad;
      uint32_t x = add_conv (plan, plan_input (plan, SHAPE (1, 3, 13, 14)), c, &one, TRUE, PARE_RT_NONE);
      plan_output (plan, STEP (plan, i % 3 ? PARE_RT_AVG_POOL : PARE_RT_MAX_POOL, &p, SHAPE (1, c, h, w), x));
      plan_output (plan, STEP (plan, PARE_RT_GLOBAL_AVG_POOL, &p, SHAPE (1, c, 1, 1), x));
      plan_output (plan, STEP (plan, PARE_RT_GLOBAL_MAX_POOL, &p, SHAPE (1, c, 1, 1), x));
      g_autofree char *what = g_strdup_printf ("pool %u: kernel %d, stride %d, padding %d, counting it: %d, rounding up: %d", i, k, stride,
                                               pad, p.count_include_pad, ceil);
      compare (plan, 1, 1e-5f, what);
      plan_free (plan);
    }
}

static void
test_gemm (void)
{
  for (guint i = 0; i < 48; i++)
    {
      Plan *plan = plan_new (5000 + i);
      PareRng *r = &plan->rng;
      int64_t m = i % 3 == 0 ? 1 : 1 + (int64_t)pare_rng_below (r, 9), k = 1 + (int64_t)pare_rng_below (r, 70),
              n = 1 + (int64_t)pare_rng_below (r, 70);
      PareGemmParams p = { .trans_a = i % 4 == 3,
                           .trans_b = i % 2,
                           .alpha = i % 5 == 0 ? 0.5f : 1,
                           .beta = i % 7 == 0 ? 2 : 1,
                           .activation = i % 3 ? PARE_ACT_CLIP : PARE_ACT_NONE,
                           .hi = INFINITY };
      uint32_t a = plan_input (plan, p.trans_a ? SHAPE (k, m) : SHAPE (m, k)),
               b = plan_constant (plan, p.trans_b ? SHAPE (n, k) : SHAPE (k, n), 1, 0);
      uint32_t c = i % 6 == 5   ? PARE_RT_NONE
                   : i % 6 == 4 ? plan_constant (plan, SHAPE (m, n), 1, 0)
                   : i % 6 == 3 ? plan_constant (plan, SHAPE (m, 1), 1, 0)
                                : plan_constant (plan, SHAPE (n), 1, 0);
      uint32_t y = STEP (plan, PARE_RT_GEMM, &p, SHAPE (m, n), a, b, c);
      /* something certain to be accelerated after it, so that the whole is not refused */
      PareGemmParams last = { .trans_b = 1, .alpha = 1, .beta = 1 };
      plan_output (plan, y);
      plan_output (plan, STEP (plan, PARE_RT_GEMM, &last, SHAPE (m, 3), y, plan_constant (plan, SHAPE (3, n), 1, 0), PARE_RT_NONE));
      g_autofree char *what = g_strdup_printf ("gemm %u: %d x %d x %d", i, (int)m, (int)k, (int)n);
      compare (plan, 1 + (int)(i % 2), 1e-5f, what);
      plan_free (plan);
    }
  /* After a flatten: channels matter, however they lie. */
  for (int c = 5; c <= 32; c += 27)
    {
      Plan *plan = plan_new (5555);
      PareConvParams p = conv_params (2, 1, 3, 1, 1, 1);
      PareGemmParams gemm = { .trans_b = c == 5, .alpha = 1, .beta = 1 };
      uint32_t x = add_conv (plan, plan_input (plan, SHAPE (1, 4, 6, 7)), c, &p, TRUE, PARE_RT_NONE),
               flat = plan_alias (plan, x, SHAPE (1, c * 42));
      plan_output (plan, STEP (plan, PARE_RT_GEMM, &gemm, SHAPE (1, 11), flat,
                               plan_constant (plan, c == 5 ? SHAPE (11, c * 42) : SHAPE (c * 42, 11), 0.1f, 0), PARE_RT_NONE));
      assert_covered (compare (plan, 1, 1e-5f, "gemm after flatten"), "gemm after flatten");
      plan_free (plan);
    }
}

static void
test_matmul (void)
{
  Plan *plan = plan_new (6000);
  const char none = 0;
  uint32_t a = plan_input (plan, SHAPE (2, 3, 5, 8)), b = plan_input (plan, SHAPE (3, 8, 6)), w = plan_constant (plan, SHAPE (6, 9), 1, 0);
  uint32_t y = STEP (plan, PARE_RT_MATMUL, &none, SHAPE (2, 3, 5, 6), a, b);
  plan_output (plan, y);
  plan_output (plan, STEP (plan, PARE_RT_MATMUL, &none, SHAPE (2, 3, 5, 9), y, w));
  assert_covered (compare (plan, 1, 1e-5f, "matmul"), "matmul");
  plan_free (plan);
}

static float
one_fake_quant (float x, float s, float z, float lo, float hi)
{
  return (fminf (fmaxf (rintf (x / s) + z, lo), hi) - z) * s;
}

/* Bit for bit, in whatever layout it finds; padding of channels included. */
static void
test_fake_quant (void)
{
  for (int i = 0; i < 12; i++)
    {
      Plan *plan = plan_new (7000 + (guint64)i);
      int c = (int[]){ 5, 16, 40 }[i % 3];
      float scale = i % 2 ? 0.0371f : 0.0078125f;
      int32_t zero = i % 4 ? 13 : 0;
      PareFakeQuantParams p = { -1, i % 4 ? 0 : -127, i % 4 ? 255 : 127 };
      PareConvParams conv = conv_params (2, 1, 3, 1, 1, 1);
      int64_t size = i > 8 ? 60 : 9; /* large enough to be split among threads */
      uint32_t x = plan_input (plan, SHAPE (1, c, size, size)), s = plan_constant_data (plan, PARE_DTYPE_FLOAT32, SHAPE (1), &scale),
               z = plan_constant_data (plan, PARE_DTYPE_INT32, SHAPE (1), &zero);
      uint32_t q = STEP (plan, PARE_RT_FAKE_QUANT, &p, SHAPE (1, c, size, size), x, s, z);
      uint32_t y = add_conv (plan, q, c, &conv, TRUE, PARE_RT_NONE);
      uint32_t yq = STEP (plan, PARE_RT_FAKE_QUANT, &p, SHAPE (1, c, size, size), y, s, z);
      plan_value (plan, y)->keep = true;
      plan_output (plan, q);
      plan_output (plan, yq);
      const PareRtPlan *rt = plan_finish (plan);
      PareAccel *accel = pare_accel_new (rt, 2);
      PareAccelRunner *runner = pare_accel_runner_new (accel);
      g_assert_nonnull (runner);
      gint64 n = c * size * size;
      g_autofree float *data = g_new (float, n);
      for (gint64 k = 0; k < n; k++)
        data[k] = k % 50 == 0 ? scale * ((float)(k % 300) + 0.5f) /* ties */ : (float)pare_rng_normal (&plan->rng);
      PareView in = { PARE_DTYPE_FLOAT32, SHAPE (1, c, size, size), data };
      g_assert_cmpint (pare_accel_runner_run (runner, &in, NULL, NULL, NULL), ==, PARE_RT_OK);
      const float *got = pare_accel_runner_view (runner, q).data, *before = pare_accel_runner_view (runner, y).data,
                  *after = pare_accel_runner_view (runner, yq).data;
      for (gint64 k = 0; k < n; k++)
        {
          g_assert_true (got[k] == one_fake_quant (data[k], scale, (float)zero, (float)p.lo, (float)p.hi));
          g_assert_true (after[k] == one_fake_quant (before[k], scale, (float)zero, (float)p.lo, (float)p.hi));
        }
      assert_covered (pare_accel_get_coverage (accel), "fake quantization");
      pare_accel_runner_free (runner);
      pare_accel_free (accel);
      plan_free (plan);
    }
}

static void
test_batch_norm (void)
{
  for (guint i = 0; i < 40; i++)
    {
      Plan *plan = plan_new (8000 + i);
      int c = (int[]){ 3, 16, 24, 40 }[i % 4];
      PareConvParams p = conv_params (2, i % 8 < 4 ? 1 : c, 3, 1, 1, 1);
      PareBatchNormParams bn = { 1e-5f };
      PareShape s = SHAPE (1, c, 9, 8);
      p.activation = (PareActivation[]){ PARE_ACT_CLIP, PARE_ACT_NONE, PARE_ACT_SIGMOID }[i / 4 % 3];
      p.hi = i % 5 == 4 ? 0.6f : INFINITY;
      uint32_t x = plan_input (plan, s), y = add_conv (plan, x, c, &p, i % 3, i % 7 == 6 ? x : PARE_RT_NONE);
      uint32_t factor = plan_constant (plan, SHAPE (c), 0.4f, i % 2 ? 0 : 0.5f), offset = plan_constant (plan, SHAPE (c), 1, 0),
               mean = plan_constant (plan, SHAPE (c), 1, 0), variance = plan_constant (plan, SHAPE (c), 0.4f, 0.5f);
      if (i % 6 == 5)
        plan_output (plan, y); /* both are wanted */
      plan_output (plan, STEP (plan, PARE_RT_BATCH_NORM, &bn, s, y, factor, offset, mean, variance));
      g_autofree char *what = g_strdup_printf ("normalization %u", i);
      assert_covered (compare (plan, 1, 1e-5f, what), what);
      plan_free (plan);
    }
}

/* Of joined channels, which no convolution can take in, with what follows; the joined values are read again, or not. */
static void
test_batch_norm_alone (void)
{
  for (guint i = 0; i < 96; i++)
    {
      Plan *plan = plan_new (8500 + i);
      int a = (int[]){ 16, 32, 24, 5 }[i % 4], b = (int[]){ 16, 48, 8, 20 }[i / 4 % 4], c = a + b, batch = 1 + (i % 7 == 3);
      PareConvParams p = conv_params (2, 1, i % 2 ? 3 : 1, 1, 1, i % 2);
      PareBatchNormParams bn = { 1e-5f };
      PareAxisParams axis = { .axis = 1 };
      PareClipParams clip = { i % 5 == 4 ? -0.3f : 0, i % 5 < 2 ? 0.6f : INFINITY };
      PareUnaryParams relu = { PARE_UN_RELU, 0, 0 };
      PareShape s = SHAPE (batch, c, 11, 10);
      uint32_t x = plan_input (plan, SHAPE (batch, 16, 11, 10)), y = add_conv (plan, x, a, &p, TRUE, PARE_RT_NONE),
               z = add_conv (plan, x, b, &p, TRUE, PARE_RT_NONE), all = STEP (plan, PARE_RT_CONCAT, &axis, s, y, z);
      uint32_t factor = plan_constant (plan, SHAPE (c), 0.4f, i % 2 ? 0 : 0.5f), offset = plan_constant (plan, SHAPE (c), 1, 0),
               mean = plan_constant (plan, SHAPE (c), 1, 0), variance = plan_constant (plan, SHAPE (c), 0.4f, 0.5f);
      uint32_t normal = STEP (plan, PARE_RT_BATCH_NORM, &bn, s, all, factor, offset, mean, variance), end = normal;
      if (i / 16 % 3 == 0)
        end = STEP (plan, PARE_RT_UNARY, &relu, s, normal);
      else if (i / 16 % 3 == 1)
        end = STEP (plan, PARE_RT_CLIP, &clip, s, normal);
      if (i % 6 == 5)
        plan_output (plan, normal);
      plan_output (plan, add_conv (plan, end, 16, &p, TRUE, PARE_RT_NONE));
      if (i % 3 == 2)
        plan_output (plan, add_conv (plan, all, 16, &p, TRUE, PARE_RT_NONE));
      g_autofree char *what = g_strdup_printf ("normalization of joined channels %u", i);
      assert_covered (compare (plan, 1 + (int)(i / 48), 1e-5f, what), what);
      plan_free (plan);
    }
}

/* Where an image is one pixel, oneDNN has a kernel that takes what is added for each channel from a wrong place. */
static void
test_batch_norm_of_pixels (void)
{
  for (guint i = 0; i < 24; i++)
    {
      Plan *plan = plan_new (8700 + i);
      int a = (int[]){ 33, 16, 5, 1 }[i % 4], b = (int[]){ 3, 16 }[i / 4 % 2], c = a + b, batch = 1 + (int)(i / 8);
      PareConvParams p = conv_params (2, 1, 1, 1, 1, 0);
      PareBatchNormParams bn = { 1e-5f };
      PareAxisParams axis = { .axis = 1 };
      PareShape s = SHAPE (batch, c, 1, 1);
      uint32_t x = plan_input (plan, SHAPE (batch, b, 1, 1)), y = add_conv (plan, x, a, &p, TRUE, PARE_RT_NONE),
               all = STEP (plan, PARE_RT_CONCAT, &axis, s, y, x);
      uint32_t factor = plan_constant (plan, SHAPE (c), 0.4f, 0.5f), offset = plan_constant (plan, SHAPE (c), 1, 0),
               mean = plan_constant (plan, SHAPE (c), 1, 0), variance = plan_constant (plan, SHAPE (c), 0.4f, 0.5f);
      plan_output (plan, STEP (plan, PARE_RT_BATCH_NORM, &bn, s, all, factor, offset, mean, variance));
      g_autofree char *what = g_strdup_printf ("normalization of pixels %u", i);
      compare (plan, 1, 1e-5f, what);
      plan_free (plan);
    }
}

static void
test_inputs_and_aliases (void)
{
  Plan *plan = plan_new (9000);
  PareConvParams p = conv_params (2, 1, 1, 1, 1, 0);
  uint32_t x = plan_input (plan, SHAPE (1, 16, 4, 4)), same = plan_alias (plan, x, SHAPE (16, 16)),
           y = add_conv (plan, x, 16, &p, TRUE, PARE_RT_NONE);
  uint32_t flat = plan_alias (plan, y, SHAPE (1, 256)), back = plan_alias (plan, y, SHAPE (1, 16, 4, 4));
  plan_output (plan, same);
  plan_output (plan, flat);
  plan_output (plan, add_conv (plan, back, 8, &p, TRUE, PARE_RT_NONE));
  compare (plan, 1, 1e-5f, "inputs that are outputs, and aliases");
  plan_free (plan);
}

/* Any of a dozen steps on tensors of one height and width, operands picked at random, some values kept: what dies when, what is written
 * over. */
static void
random_plan (guint64 seed, float tolerance)
{
  Plan *plan = plan_new (seed);
  PareRng *r = &plan->rng;
  GArray *pool = g_array_new (FALSE, FALSE, sizeof (uint32_t));
  int64_t h = 5 + (int64_t)pare_rng_below (r, 6), w = 5 + (int64_t)pare_rng_below (r, 6), batch = pare_rng_below (r, 5) == 0 ? 2 : 1;
  /* Of 16 bits not as Winograd's algorithm takes them, which rounds more. */
  const int unit = narrow ? 20 : 16, channels[] = { 3, 8, unit, 24, 2 * unit };
  uint32_t x = plan_input (plan, SHAPE (batch, unit, h, w)), last;
  PareConvParams first = conv_params (2, 1, 3, 1, 1, 1);
  if (narrow)
    x = add_rounding (plan, x);
  g_array_append_val (pool, x);
  last = add_conv (plan, x, unit, &first, TRUE, PARE_RT_NONE);
  g_array_append_val (pool, last);
  for (int i = 0; i < 14; i++)
    {
      uint32_t a = g_array_index (pool, uint32_t, pool->len - 1 - pare_rng_below (r, MIN (pool->len, 4))),
               b = g_array_index (pool, uint32_t, pare_rng_below (r, pool->len)), y;
      PareShape s = plan_value (plan, a)->shape, sb = plan_value (plan, b)->shape;
      int64_t c = s.dims[1];
      gboolean same = sb.dims[1] == c;
      int m = channels[pare_rng_below (r, G_N_ELEMENTS (channels))], k = pare_rng_below (r, 2) ? 3 : 1;
      PareConvParams conv = conv_params (2, 1, k, 1, 1, k / 2);
      PareUnaryParams unary = { (PareUnaryKind[]){ PARE_UN_RELU, PARE_UN_SIGMOID, PARE_UN_TANH, PARE_UN_ABS, PARE_UN_FLOOR,
                                                   PARE_UN_LEAKY_RELU, PARE_UN_HARD_SWISH }[pare_rng_below (r, 7)],
                                0.1f, 0 };
      PareBinaryParams binary = { (PareBinaryKind[]){ PARE_BIN_ADD, PARE_BIN_SUB, PARE_BIN_MUL, PARE_BIN_MAX }[pare_rng_below (r, 4)],
                                  pare_rng_below (r, 3) ? PARE_ACT_NONE : PARE_ACT_CLIP, 0, INFINITY };
      PareClipParams clip = { -0.7f, 0.8f };
      PareAxisParams axis = { 1 };
      PareSliceParams slice = { { 0 }, { 1, 1, 1, 1 } };
      ParePadParams pad = { PARE_PAD_CONSTANT, { 0 } };
      ParePoolParams window
          = { .spatial = 2, .kernel = { 3, 3 }, .stride = { 1, 1 }, .dilation = { 1, 1 }, .pad_begin = { 1, 1 }, .pad_end = { 1, 1 } };
      PareTransposeParams to_last = { { 0, 2, 3, 1 } }, to_first = { { 0, 3, 1, 2 } };
      conv.activation = pare_rng_below (r, 2) ? PARE_ACT_CLIP : PARE_ACT_NONE;
      conv.hi = 3;
      if (narrow && unary.kind == PARE_UN_FLOOR) /* jumps */
        unary.kind = PARE_UN_RELU;
      switch (pare_rng_below (r, 14))
        {
        case 0:
        case 1:
          y = add_conv (plan, a, m, &conv, TRUE, PARE_RT_NONE);
          break;
        case 2:
          y = add_conv (plan, a, sb.dims[1], &conv, FALSE, b);
          break;
        case 3:
          conv.group = (int)c;
          y = add_conv (plan, a, c, &conv, TRUE, same ? b : PARE_RT_NONE);
          break;
        case 4:
          y = STEP (plan, PARE_RT_UNARY, &unary, s, a);
          break;
        case 5:
          y = STEP (plan, PARE_RT_CLIP, &clip, s, a);
          break;
        case 6:
          y = STEP (plan, PARE_RT_BINARY, &binary, s, a, same ? b : a);
          break;
        case 7:
          y = STEP (plan, PARE_RT_BINARY, &binary, s, a, plan_constant (plan, pare_rng_below (r, 2) ? SHAPE (c, 1, 1) : SHAPE (1), 1, 0));
          break;
        case 8:
          if (c + sb.dims[1] > 96)
            continue;
          y = STEP (plan, PARE_RT_CONCAT, &axis, SHAPE (batch, c + sb.dims[1], h, w), a, b);
          break;
        case 9:
          y = STEP (plan, PARE_RT_MAX_POOL, &window, s, a);
          break;
        case 10:
          if (c < 8)
            continue;
          slice.start[1] = 2;
          slice.step[1] = 2;
          y = STEP (plan, PARE_RT_SLICE, &slice, SHAPE (batch, (c - 2) / 2, h, w), a);
          break;
        case 11:
          pad.begin[1] = 3;
          y = STEP (plan, PARE_RT_PAD, &pad, SHAPE (batch, c + 5, h, w), a);
          break;
        case 12:
          y = STEP (plan, PARE_RT_TRANSPOSE, &to_last, SHAPE (batch, h, w, c), a);
          if (pare_rng_below (r, 2))
            y = STEP (plan, PARE_RT_UNARY, &unary, SHAPE (batch, h, w, c), y);
          y = STEP (plan, PARE_RT_TRANSPOSE, &to_first, s, y);
          break;
        default:
          y = STEP (plan, PARE_RT_GLOBAL_AVG_POOL, &window, SHAPE (batch, c, 1, 1), a);
          y = STEP (plan, PARE_RT_BINARY, &binary, s, a, y); /* one number per channel, computed */
          break;
        }
      if (pare_rng_below (r, 5) == 0)
        plan_value (plan, y)->keep = true;
      if (narrow && pare_rng_below (r, 2))
        {
          if (pare_rng_below (r, 2))
            g_array_append_val (pool, y);
          y = add_rounding (plan, y);
        }
      g_array_append_val (pool, y);
      last = y;
    }
  plan_output (plan, last);
  g_array_unref (pool);
  g_autofree char *what = g_strdup_printf ("random plan %" G_GUINT64_FORMAT, seed);
  compare (plan, 1 + (int)(seed % 2), tolerance, what);
  plan_free (plan);
}

static void
test_random (void)
{
  for (guint64 seed = 1; seed <= 300; seed++)
    random_plan (seed, 3e-5f); /* a dozen steps' rounding on top of each other */
}

/* Products of 16 bits: the portable kernels multiply the rounded operands as floats, oneDNN in 16 bits where the CPU can; either way the
 * same but for the order of the sums, after which a result may be rounded to the neighbour. */
static void
test_bf16 (void)
{
  narrow = true;
  for (guint i = 0; i < 60; i++)
    {
      Plan *plan = plan_new (20000 + i);
      int c = (int[]){ 3, 8, 24, 40 }[i % 4], m = i % 5 == 4 ? c : 32,
          k = i % 3 ? 3 : 1; /* not by Winograd's algorithm, which rounds more */
      PareConvParams p = conv_params (2, m == c ? c : 1, k, 1 + (int)(i % 7 == 6), 1, k / 2), one = conv_params (2, 1, 1, 1, 1, 0);
      PareGemmParams gemm = { .trans_b = 1, .alpha = 1, .beta = 1 };
      ParePoolParams pool = { .spatial = 2, .kernel = { 2, 2 }, .stride = { 2, 2 }, .dilation = { 1, 1 } };
      p.activation = i % 2 ? PARE_ACT_CLIP : PARE_ACT_NONE;
      p.hi = INFINITY;
      uint32_t x = add_rounding (plan, plan_input (plan, SHAPE (1, c, 12, 10))), y = add_conv (plan, x, m, &p, TRUE, PARE_RT_NONE),
               wide = y;
      round_constant (plan, g_array_index (plan->steps, PareRtStep, plan->steps->len - 1).in[1]);
      if (i % 6 != 4) /* else the next one computes floats */
        y = add_rounding (plan, y);
      PareShape s = plan_value (plan, y)->shape;
      uint32_t z = add_conv (plan, y, m, &one, TRUE, i % 4 == 3 ? (i % 8 == 3 ? wide : y) : PARE_RT_NONE);
      if (i % 6 == 5)
        plan_value (plan, y)->keep = true;
      if (i % 5 != 3)
        z = add_rounding (plan, z);
      z = STEP (plan, i % 3 ? PARE_RT_MAX_POOL : PARE_RT_AVG_POOL, &pool, SHAPE (1, m, s.dims[2] / 2, s.dims[3] / 2), z);
      int64_t flat = m * (s.dims[2] / 2) * (s.dims[3] / 2);
      uint32_t w = plan_constant (plan, SHAPE (7, flat), 0.1f, 0);
      round_constant (plan, w);
      plan_output (plan, STEP (plan, PARE_RT_GEMM, &gemm, SHAPE (1, 7), plan_alias (plan, z, SHAPE (1, flat)), w,
                               plan_constant (plan, SHAPE (7), 1, 0)));
      g_autofree char *what = g_strdup_printf ("16 bits %u: %d -> %d, kernel %d", i, c, m, k);
      assert_covered (compare (plan, 1 + (int)(i % 2), 0.01f, what), what);
      plan_free (plan);
    }
  g_assert_cmpuint (products, >, 120);
  for (guint64 seed = 1; seed <= 200; seed++)
    random_plan (seed, 0.05f);
  g_assert_cmpuint (products, >, 300);
  narrow = false;
}

/* With a normalization behind: edges of all kinds, widths that do not divide, channels in blocks and beside, threads. */
static void
test_bf16_depthwise (void)
{
  narrow = true;
  for (guint i = 0; i < 80; i++)
    {
      Plan *plan = plan_new (40000 + i);
      int c = (int[]){ 16, 32, 7, 40, 65, 96 }[i % 6], h = 3 + (int)(i % 11), w = (int[]){ 3, 5, 8, 9, 16, 21, 70 }[i % 7],
          pad = (int)(i % 4 != 3), stride = 1 + (int)(i % 5 == 1);
      PareConvParams p = conv_params (2, c, 3, stride, 1, pad);
      p.activation = i % 3 ? PARE_ACT_CLIP : PARE_ACT_NONE;
      p.lo = i % 3 == 2 ? -0.2f : 0;
      p.hi = i % 2 ? INFINITY : 0.9f;
      uint32_t x = add_rounding (plan, plan_input (plan, SHAPE (1 + i % 9 / 8, c, h, w))),
               y = add_conv (plan, x, c, &p, i % 7 != 6, PARE_RT_NONE);
      round_constant (plan, g_array_index (plan->steps, PareRtStep, plan->steps->len - 1).in[1]);
      PareConvParams one = conv_params (2, 1, 1, 1, 1, 0);
      plan_output (plan, add_conv (plan, add_rounding (plan, add_norm (plan, y)), 16, &one, FALSE, PARE_RT_NONE));
      round_constant (plan, g_array_index (plan->steps, PareRtStep, plan->steps->len - 1).in[1]);
      g_autofree char *what
          = g_strdup_printf ("depthwise of 16 bits %u: %d channels, %d x %d, step %d, padding %d", i, c, h, w, stride, pad);
      assert_covered (compare (plan, 1 + (int)(i % 2), 0.01f, what), what);
      plan_free (plan);
    }
  narrow = false;
}

typedef struct
{
  PareAccel *accel;
  const PareRtPlan *plan;
  guint64 seed;
  float first[10];
} Worker;

static gpointer
work (gpointer data)
{
  Worker *self = data;
  PareAccelRunner *runner = pare_accel_runner_new (self->accel);
  const PareRtValue *v = &self->plan->values[self->plan->inputs[0]];
  g_autofree float *x = g_malloc (v->bytes);
  PareView in = { v->dtype, v->shape, x };
  for (int i = 0; i < 50; i++)
    {
      PareRng rng = { self->seed + (guint64)(i % 10) };
      for (guint64 k = 0; k < v->bytes / sizeof *x; k++)
        x[k] = (float)pare_rng_normal (&rng);
      g_assert_cmpint (pare_accel_runner_run (runner, &in, NULL, NULL, NULL), ==, PARE_RT_OK);
      float y = ((const float *)pare_accel_runner_view (runner, self->plan->outputs[0]).data)[3];
      if (i < 10)
        self->first[i] = y;
      else
        g_assert_true (y == self->first[i % 10]);
    }
  pare_accel_runner_free (runner);
  return NULL;
}

/* Runners of one accelerator in several threads at once give what one gives alone, bit for bit; and so does a second accelerator. */
static void
test_concurrent (void)
{
  Plan *plan = plan_new (77);
  PareConvParams p = conv_params (2, 1, 3, 1, 1, 1), dw = conv_params (2, 32, 3, 1, 1, 1);
  p.activation = PARE_ACT_CLIP;
  p.hi = 6;
  uint32_t x = plan_input (plan, SHAPE (1, 3, 24, 24)), a = add_conv (plan, x, 32, &p, TRUE, PARE_RT_NONE),
           b = add_conv (plan, a, 32, &dw, TRUE, PARE_RT_NONE);
  plan_output (plan, add_conv (plan, b, 32, &p, TRUE, a));
  const PareRtPlan *rt = plan_finish (plan);
  PareAccel *accels[2] = { pare_accel_new (rt, 1), pare_accel_new (rt, 1) };
  Worker workers[4] = { 0 };
  GThread *threads[4];
  for (int i = 0; i < 4; i++)
    {
      workers[i] = (Worker){ accels[i / 2], rt, 5, { 0 } };
      threads[i] = g_thread_new ("worker", work, &workers[i]);
    }
  for (int i = 0; i < 4; i++)
    g_thread_join (threads[i]);
  for (int i = 1; i < 4; i++)
    g_assert_cmpmem (workers[0].first, sizeof workers[0].first, workers[i].first, sizeof workers[i].first);
  pare_accel_free (accels[0]);
  pare_accel_free (accels[1]);
  plan_free (plan);
}

static void
test_cancel_and_refuse (void)
{
  Plan *plan = plan_new (99);
  PareClipParams clip = { 0, 1 };
  plan_output (plan, STEP (plan, PARE_RT_CLIP, &clip, SHAPE (4), plan_input (plan, SHAPE (4))));
  g_assert_null (pare_accel_new (plan_finish (plan), 1)); /* nothing to gain */
  plan_free (plan);

  plan = plan_new (98);
  PareConvParams p = conv_params (2, 1, 1, 1, 1, 0);
  plan_output (plan, add_conv (plan, plan_input (plan, SHAPE (1, 16, 4, 4)), 16, &p, TRUE, PARE_RT_NONE));
  PareAccel *accel = pare_accel_new (plan_finish (plan), 1);
  PareAccelRunner *runner = pare_accel_runner_new (accel);
  float x[256] = { 0 };
  PareView in = { PARE_DTYPE_FLOAT32, SHAPE (1, 16, 4, 4), x };
  volatile int cancel = 1;
  uint32_t failed = PARE_RT_NONE;
  g_assert_cmpint (pare_accel_runner_run (runner, &in, NULL, &cancel, &failed), ==, PARE_RT_CANCELLED);
  pare_accel_runner_free (runner);
  pare_accel_free (accel);
  plan_free (plan);
  pare_accel_runner_free (NULL);
  pare_accel_free (NULL);
  g_assert_null (pare_accel_runner_new (NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (accel_is_absent ("/accel"))
    return g_test_run ();
  g_test_add_func ("/accel/coverage", test_coverage);
  g_test_add_func ("/accel/conv", test_conv);
  g_test_add_func ("/accel/residual", test_residual);
  g_test_add_func ("/accel/conv-transpose", test_conv_transpose);
  g_test_add_func ("/accel/pool", test_pool);
  g_test_add_func ("/accel/gemm", test_gemm);
  g_test_add_func ("/accel/matmul", test_matmul);
  g_test_add_func ("/accel/fake-quant", test_fake_quant);
  g_test_add_func ("/accel/conv-far", test_conv_far);
  g_test_add_func ("/accel/batch-norm", test_batch_norm);
  g_test_add_func ("/accel/batch-norm-alone", test_batch_norm_alone);
  g_test_add_func ("/accel/batch-norm-of-pixels", test_batch_norm_of_pixels);
  g_test_add_func ("/accel/inputs-and-aliases", test_inputs_and_aliases);
  g_test_add_func ("/accel/random", test_random);
  g_test_add_func ("/accel/bf16", test_bf16);
  g_test_add_func ("/accel/bf16-depthwise", test_bf16_depthwise);
  g_test_add_func ("/accel/concurrent", test_concurrent);
  g_test_add_func ("/accel/cancel-and-refuse", test_cancel_and_refuse);
  return g_test_run ();
}
