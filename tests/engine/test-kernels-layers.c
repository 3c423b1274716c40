/* The portable kernels that index, normalise, resize and recur, against loops written from ONNX's definitions and values of ONNX Runtime.
 */
#include "tests/engine/golden-kernels.h"
#include "tests/engine/kernel-call.h"

#include "engine/runtime/pare-rt-pool.h"

static void
test_where_expand_tile (void)
{
  PareView cond = make (PARE_DTYPE_BOOL, "2x1"), a = floats ("2x3", 1), b = given_floats ("", (const float[]){ 7 });
  ((guint8 *)cond.data)[1] = 1;
  PareView in[] = { cond, a, b }, out[] = { make (PARE_DTYPE_FLOAT32, "2x3") };
  MUST (PARE_RT_WHERE, no_params, in, out);
  SAME (out[0], 7, 7, 7, F (a)[3], F (a)[4], F (a)[5]);
  in[1] = floats ("3x3", 1);
  g_assert_cmpint (RUN (PARE_RT_WHERE, no_params, in, out), ==, PARE_RT_INVALID);
  PareView column[] = { given_floats ("2x1", (const float[]){ 1, 2 }) }, spread[] = { make (PARE_DTYPE_FLOAT32, "2x2x3") };
  MUST (PARE_RT_EXPAND, no_params, column, spread);
  SAME (spread[0], 1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2);
  PareView pair[] = { given_floats ("1x2", (const float[]){ 1, 2 }) }, tiled[] = { make (PARE_DTYPE_FLOAT32, "2x6") };
  MUST (PARE_RT_TILE, no_params, pair, tiled);
  SAME (tiled[0], 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2);
  tiled[0] = make (PARE_DTYPE_FLOAT32, "2x5");
  g_assert_cmpint (RUN (PARE_RT_TILE, no_params, pair, tiled), ==, PARE_RT_INVALID);
}

static void
test_gather (void)
{
  PareView x = floats ("3x4x5", 2), i = longs ("2", (const gint64[]){ -1, 1 }), in[] = { x, i },
           out[] = { make (PARE_DTYPE_FLOAT32, "3x2x5") };
  PareAxisParams p = { 1 };
  MUST (PARE_RT_GATHER, p, in, out);
  for (int a = 0; a < 3; a++)
    for (int k = 0; k < 2; k++)
      for (int c = 0; c < 5; c++)
        g_assert_cmpfloat (F (out[0])[a * 10 + k * 5 + c], ==, F (x)[a * 20 + (k ? 1 : 3) * 5 + c]);
  ((gint64 *)i.data)[0] = 4;
  g_assert_cmpint (RUN (PARE_RT_GATHER, p, in, out), ==, PARE_RT_INVALID);
  ((gint64 *)i.data)[0] = -5;
  g_assert_cmpint (RUN (PARE_RT_GATHER, p, in, out), ==, PARE_RT_INVALID);
  p.axis = 2;
  g_assert_cmpint (RUN (PARE_RT_GATHER, p, in, out), ==, PARE_RT_INVALID);

  PareView m = given_floats ("2x3", (const float[]){ 1, 2, 3, 4, 5, 6 });
  PareView e_in[] = { m, longs ("2x2", (const gint64[]){ 0, -1, 2, 0 }) }, e_out[] = { make (PARE_DTYPE_FLOAT32, "2x2") };
  MUST (PARE_RT_GATHER_ELEMENTS, ((PareAxisParams){ 1 }), e_in, e_out);
  SAME (e_out[0], 1, 3, 6, 4);
  ((gint64 *)e_in[1].data)[3] = 3;
  g_assert_cmpint (RUN (PARE_RT_GATHER_ELEMENTS, ((PareAxisParams){ 1 }), e_in, e_out), ==, PARE_RT_INVALID);

  PareView n_in[] = { m, longs ("2x2", (const gint64[]){ 0, 1, 1, -1 }) }, n_out[] = { make (PARE_DTYPE_FLOAT32, "2") };
  MUST (PARE_RT_GATHER_ND, ((PareGatherNdParams){ 0 }), n_in, n_out);
  SAME (n_out[0], 2, 6);
  PareView b_in[] = { m, longs ("2x1", (const gint64[]){ 2, 0 }) };
  MUST (PARE_RT_GATHER_ND, ((PareGatherNdParams){ 1 }), b_in, n_out);
  SAME (n_out[0], 3, 4);
  ((gint64 *)n_in[1].data)[0] = 2;
  g_assert_cmpint (RUN (PARE_RT_GATHER_ND, ((PareGatherNdParams){ 0 }), n_in, n_out), ==, PARE_RT_INVALID);
}

static void
test_scatter (void)
{
  PareView x = given_floats ("2x3", (const float[]){ 1, 2, 3, 4, 5, 6 }), i = longs ("1x2", (const gint64[]){ -1, 0 });
  PareView in[] = { x, i, given_floats ("1x2", (const float[]){ 10, 20 }) }, out[] = { make (PARE_DTYPE_FLOAT32, "2x3") };
  MUST (PARE_RT_SCATTER_ELEMENTS, ((PareScatterParams){ 0, PARE_SCATTER_NONE }), in, out);
  SAME (out[0], 1, 20, 3, 10, 5, 6);
  MUST (PARE_RT_SCATTER_ELEMENTS, ((PareScatterParams){ 1, PARE_SCATTER_ADD }), in, out);
  SAME (out[0], 21, 2, 13, 4, 5, 6);
  ((gint64 *)i.data)[0] = 3;
  g_assert_cmpint (RUN (PARE_RT_SCATTER_ELEMENTS, ((PareScatterParams){ 1, PARE_SCATTER_ADD }), in, out), ==, PARE_RT_INVALID);
  /* the same row twice: every reduction sees both */
  PareView rows[] = { x, longs ("2x1", (const gint64[]){ 1, -1 }), given_floats ("2x3", (const float[]){ 1, 2, 3, 7, 5, 0 }) };
  MUST (PARE_RT_SCATTER_ND, ((PareScatterParams){ 0, PARE_SCATTER_MUL }), rows, out);
  SAME (out[0], 1, 2, 3, 28, 50, 0);
  MUST (PARE_RT_SCATTER_ND, ((PareScatterParams){ 0, PARE_SCATTER_MAX }), rows, out);
  SAME (out[0], 1, 2, 3, 7, 5, 6);
  MUST (PARE_RT_SCATTER_ND, ((PareScatterParams){ 0, PARE_SCATTER_MIN }), rows, out);
  SAME (out[0], 1, 2, 3, 1, 2, 0);
  MUST (PARE_RT_SCATTER_ND, ((PareScatterParams){ 0, PARE_SCATTER_NONE }), rows, out);
  SAME (out[0], 1, 2, 3, 7, 5, 0);
  rows[2] = given_floats ("3x2", (const float[6]){ 0 });
  g_assert_cmpint (RUN (PARE_RT_SCATTER_ND, ((PareScatterParams){ 0, PARE_SCATTER_NONE }), rows, out), ==, PARE_RT_INVALID);
}

static void
test_depth_space (void)
{
  PareView in[] = { floats ("2x12x3x5", 3) }, out[] = { make (PARE_DTYPE_FLOAT32, "2x3x6x10") },
           back[] = { make (PARE_DTYPE_FLOAT32, "2x12x3x5") };
  for (int crd = 0; crd < 2; crd++)
    {
      MUST (PARE_RT_DEPTH_TO_SPACE, ((PareDepthSpaceParams){ 2, crd }), in, out);
      for (gint64 i = 0; i < count_of (&out[0]); i++)
        {
          gint64 y[4];
          unravel (&out[0].shape, i, y);
          gint64 block = y[2] % 2 * 2 + y[3] % 2, x[4] = { y[0], crd ? y[1] * 4 + block : block * 3 + y[1], y[2] / 2, y[3] / 2 };
          g_assert_cmpfloat (F (out[0])[i], ==, F (in[0])[ravel (&in[0].shape, x)]);
        }
    }
  MUST (PARE_RT_DEPTH_TO_SPACE, ((PareDepthSpaceParams){ 2, 0 }), in, out);
  MUST (PARE_RT_SPACE_TO_DEPTH, ((PareDepthSpaceParams){ 2, 0 }), out, back);
  near (&back[0], F (in[0]), count_of (&in[0]), 0);
  g_assert_cmpint (RUN (PARE_RT_DEPTH_TO_SPACE, ((PareDepthSpaceParams){ 3, 0 }), in, out), ==, PARE_RT_INVALID);
  g_assert_cmpint (RUN (PARE_RT_DEPTH_TO_SPACE, ((PareDepthSpaceParams){ 0, 0 }), in, out), ==, PARE_RT_INVALID);
}

static void
test_order (void)
{
  PareView x = given_floats ("2x5", (const float[]){ 3, 1, 3, -0.0f, 0, 2, NAN, 9, 9, -INFINITY }), in[] = { x };
  PareView arg[] = { make (PARE_DTYPE_INT64, "2x1") };
  MUST (PARE_RT_ARG_EXTREME, ((PareArgExtremeParams){ 1, 0, 0 }), in, arg);
  g_assert_cmpmem (arg[0].data, 16, ((const gint64[]){ 0, 1 }), 16);
  MUST (PARE_RT_ARG_EXTREME, ((PareArgExtremeParams){ 1, 0, 1 }), in, arg);
  g_assert_cmpmem (arg[0].data, 16, ((const gint64[]){ 2, 1 }), 16);
  MUST (PARE_RT_ARG_EXTREME, ((PareArgExtremeParams){ 1, 1, 0 }), in, arg);
  g_assert_cmpmem (arg[0].data, 16, ((const gint64[]){ 3, 1 }), 16);
  PareView top[] = { make (PARE_DTYPE_FLOAT32, "2x3"), make (PARE_DTYPE_INT64, "2x3") };
  MUST (PARE_RT_TOPK, ((PareTopKParams){ 1, 1 }), in, top);
  SAME (top[0], 3, 3, 1, NAN, 9, 9);
  g_assert_cmpmem (top[1].data, 48, ((const gint64[]){ 0, 2, 1, 1, 2, 3 }), 48);
  MUST (PARE_RT_TOPK, ((PareTopKParams){ 1, 0 }), in, top);
  SAME (top[0], 0, 0, 1, -INFINITY, 2, 9);
  g_assert_cmpmem (top[1].data, 48, ((const gint64[]){ 3, 4, 1, 4, 0, 2 }), 48);
  top[0] = make (PARE_DTYPE_FLOAT32, "2x6");
  g_assert_cmpint (RUN (PARE_RT_TOPK, ((PareTopKParams){ 1, 0 }), in, top), ==, PARE_RT_INVALID);
  /* against selecting again and again, on a middle axis, for every k */
  PareView m[] = { floats ("3x41x2", 6) };
  for (int k = 0; k <= 41; k += 4)
    {
      g_autofree char *dims = g_strdup_printf ("3x%dx2", k + 1 > 41 ? 41 : k + 1);
      PareView y[] = { make (PARE_DTYPE_FLOAT32, dims), make (PARE_DTYPE_INT64, dims) };
      gint64 n = y[0].shape.dims[1];
      for (gint64 i = 0; i < 82 * 3; i++)
        F (m[0])[i] = floorf (F (m[0])[i] * 8); /* ties */
      MUST (PARE_RT_TOPK, ((PareTopKParams){ 1, 1 }), m, y);
      for (int o = 0; o < 3; o++)
        for (int i = 0; i < 2; i++)
          {
            bool taken[41] = { false };
            for (gint64 r = 0; r < n; r++)
              {
                int best = -1;
                for (int j = 0; j < 41; j++)
                  if (!taken[j] && (best < 0 || F (m[0])[o * 82 + j * 2 + i] > F (m[0])[o * 82 + best * 2 + i]))
                    best = j;
                taken[best] = true;
                g_assert_cmpint (((gint64 *)y[1].data)[(o * n + r) * 2 + i], ==, best);
                g_assert_cmpfloat (F (y[0])[(o * n + r) * 2 + i], ==, F (m[0])[o * 82 + best * 2 + i]);
              }
          }
    }
}

/* In rows that are passed over in blocks: ties, infinities and NaN, which counts as the largest. */
static void
test_top_of_rows (void)
{
  enum
  {
    ROWS = 90, /* are shared */
    LONG = 203
  };
  PareRtPool *pool = pare_rt_pool_new (3), *before = pare_rt_pool_enter (pool);
  PareView x = floats ("90x203", 6), in[] = { x };
  for (int i = 0; i < ROWS * LONG; i++)
    F (x)[i] = i / LONG == 5 ? -(float)(i % LONG) : i / LONG == 6 ? (float)(i % LONG / 3) : floorf (F (x)[i] * 20);
  for (int i = 0; i < ROWS * LONG; i += 57)
    F (x)[i] = (const float[]){ NAN, INFINITY, -INFINITY, -0.0f }[i / 57 % 4];
  for (int k = 1; k <= LONG; k += 20)
    for (int largest = 0; largest < 2; largest++)
      {
        g_autofree char *dims = g_strdup_printf ("90x%d", k);
        PareView y[] = { make (PARE_DTYPE_FLOAT32, dims), make (PARE_DTYPE_INT64, dims) };
        MUST (PARE_RT_TOPK, ((PareTopKParams){ 1, largest }), in, y);
        for (int row = 0; row < ROWS; row++)
          {
            const float *v = F (x) + row * LONG;
            bool taken[LONG] = { false };
            for (int r = 0; r < k; r++)
              {
                int best = -1;
                for (int j = 0; j < LONG; j++)
                  {
                    bool above = best >= 0 && (isnan (v[j]) ? !isnan (v[best]) : v[j] > v[best]);
                    bool below = best >= 0 && (isnan (v[best]) ? !isnan (v[j]) : v[j] < v[best]);
                    if (!taken[j] && (best < 0 || (largest ? above : below)))
                      best = j;
                  }
                taken[best] = true;
                g_assert_cmpint (((const gint64 *)y[1].data)[row * k + r], ==, best);
                g_assert_cmpmem (F (y[0]) + row * k + r, 4, v + best, 4);
              }
          }
      }
  pare_rt_pool_enter (before);
  pare_rt_pool_free (pool);
}

static void
test_small_ones (void)
{
  PareView x[] = { given_floats ("2x3", (const float[]){ 1, 2, 3, 4, 5, 6 }) }, y[] = { make (PARE_DTYPE_FLOAT32, "2x3") };
  MUST (PARE_RT_CUMSUM, ((PareCumSumParams){ 1, 0, 0 }), x, y);
  SAME (y[0], 1, 3, 6, 4, 9, 15);
  MUST (PARE_RT_CUMSUM, ((PareCumSumParams){ 1, 1, 1 }), x, y);
  SAME (y[0], 5, 3, 0, 11, 6, 0);
  MUST (PARE_RT_CUMSUM, ((PareCumSumParams){ 0, 1, 0 }), x, y);
  SAME (y[0], 0, 0, 0, 1, 2, 3);
  MUST (PARE_RT_TRILU, ((PareTriluParams){ 1, 1 }), x, y);
  SAME (y[0], 0, 2, 3, 0, 0, 6);
  MUST (PARE_RT_TRILU, ((PareTriluParams){ 0, 0 }), x, y);
  SAME (y[0], 1, 0, 0, 4, 5, 0);
  MUST (PARE_RT_TRILU, ((PareTriluParams){ 1, G_MININT64 }), x, y);
  SAME (y[0], 1, 2, 3, 4, 5, 6);
  MUST (PARE_RT_TRILU, ((PareTriluParams){ 1, G_MAXINT64 }), x, y);
  SAME (y[0], 0, 0, 0, 0, 0, 0);
  PareView r[] = { given_floats ("", (const float[]){ 2 }), given_floats ("1", (const float[]){ -1.5f }) },
           line[] = { make (PARE_DTYPE_FLOAT32, "4") };
  MUST (PARE_RT_RANGE, no_params, r, line);
  SAME (line[0], 2, 0.5f, -1, -2.5f);
  PareView hot[] = { longs ("4", (const gint64[]){ 1, -1, 3, -4 }), given_floats ("2", (const float[]){ -1, 5 }) };
  PareView rows[] = { make (PARE_DTYPE_FLOAT32, "4x3") }, columns[] = { make (PARE_DTYPE_FLOAT32, "3x4") };
  MUST (PARE_RT_ONE_HOT, ((PareAxisParams){ 1 }), hot, rows);
  SAME (rows[0], -1, 5, -1, -1, -1, 5, -1, -1, -1, -1, -1, -1);
  MUST (PARE_RT_ONE_HOT, ((PareAxisParams){ 0 }), hot, columns);
  SAME (columns[0], -1, -1, -1, -1, 5, -1, -1, -1, -1, 5, -1, -1);
  g_assert_cmpint (RUN (PARE_RT_ONE_HOT, ((PareAxisParams){ 0 }), hot, rows), ==, PARE_RT_INVALID);
}

/* bhqd,bhkd->bhqk; a diagonal's sum; three operands with a broadcast axis */
static void
test_einsum (void)
{
  PareView in[] = { floats ("2x3x5x7", 1), floats ("2x3x6x7", 2) }, out[] = { make (PARE_DTYPE_FLOAT32, "2x3x5x6") };
  PareEinsumParams p = { 5, { 4, 4 }, { { 0, 1, 2, 3 }, { 0, 1, 4, 3 } }, 4, { 0, 1, 2, 4 } };
  MUST (PARE_RT_EINSUM, p, in, out);
  for (int bh = 0; bh < 6; bh++)
    for (int q = 0; q < 5; q++)
      for (int k = 0; k < 6; k++)
        {
          double sum = 0;
          for (int d = 0; d < 7; d++)
            sum += (double)F (in[0])[(bh * 5 + q) * 7 + d] * F (in[1])[(bh * 6 + k) * 7 + d];
          g_assert_cmpfloat_with_epsilon (F (out[0])[(bh * 5 + q) * 6 + k], sum, 1e-6);
        }
  p.out_label[3] = 2;
  g_assert_cmpint (RUN (PARE_RT_EINSUM, p, in, out), ==, PARE_RT_INVALID);
  PareView square[] = { given_floats ("2x2", (const float[]){ 1, 2, 3, 4 }) }, one[] = { make (PARE_DTYPE_FLOAT32, "") };
  MUST (PARE_RT_EINSUM, ((PareEinsumParams){ 1, { 2 }, { { 0, 0 } }, 0, { 0 } }), square, one);
  SAME (one[0], 5);
  PareView three[] = { square[0], given_floats ("1x2", (const float[]){ 10, 100 }), given_floats ("2", (const float[]){ 2, 3 }) };
  PareView pair[] = { make (PARE_DTYPE_FLOAT32, "2") };
  MUST (PARE_RT_EINSUM, ((PareEinsumParams){ 2, { 2, 2, 1 }, { { 0, 1 }, { 0, 1 }, { 0 } }, 1, { 1 } }), three, pair);
  SAME (pair[0], 1 * 10 * 2 + 3 * 10 * 3, 2 * 100 * 2 + 4 * 100 * 3);
  /* abc,acb->: three labels are summed, and walked differently by both */
  PareView a = floats ("3x4x5", 3), b = floats ("3x5x4", 4), both[] = { a, b };
  double sum = 0;
  for (int i = 0; i < 60; i++)
    sum += (double)F (a)[i] * F (b)[i / 20 * 20 + i % 5 * 4 + i / 5 % 4];
  MUST (PARE_RT_EINSUM, ((PareEinsumParams){ 3, { 3, 3 }, { { 0, 1, 2 }, { 0, 2, 1 } }, 0, { 0 } }), both, one);
  g_assert_cmpfloat_with_epsilon (F (one[0])[0], sum, 1e-5);
}

static void
test_norms (void)
{
  PareView x = floats ("2x6x3x4", 7), y[] = { make (PARE_DTYPE_FLOAT32, "2x6x3x4") }, scale = floats ("6", 8), bias = floats ("6", 9);
  const float epsilon = 1e-3f;
  for (int groups = 1; groups <= 6; groups++)
    {
      PareView in[] = { x, scale, bias };
      PareRtStatus status = RUN (PARE_RT_GROUP_NORM, ((PareGroupNormParams){ epsilon, groups }), in, y);
      g_assert_cmpint (status, ==, 6 % groups ? PARE_RT_INVALID : PARE_RT_OK);
      if (groups == 6) /* the same, channel by channel */
        MUST (PARE_RT_INSTANCE_NORM, ((PareInstanceNormParams){ epsilon }), in, y);
      for (gint64 i = 0; status == PARE_RT_OK && i < 144; i++)
        {
          gint64 n = 72 / groups, first = i / n * n, c = i / 12 % 6;
          double sum = 0, square = 0;
          for (gint64 k = first; k < first + n; k++)
            {
              sum += F (x)[k] / (double)n;
              square += (double)F (x)[k] * F (x)[k] / (double)n;
            }
          double want = (F (x)[i] - sum) / sqrt (square - sum * sum + epsilon) * F (scale)[c] + F (bias)[c];
          g_assert_cmpfloat_with_epsilon (F (y[0])[i], want, 2e-6);
        }
    }
  /* batch: the same numbers from outside */
  PareView mean = floats ("6", 10), var = floats ("6", 11), batch[] = { x, scale, bias, mean, var };
  for (int c = 0; c < 6; c++)
    F (var)[c] = fabsf (F (var)[c]) + 0.1f;
  MUST (PARE_RT_BATCH_NORM, ((PareBatchNormParams){ epsilon }), batch, y);
  for (gint64 i = 0; i < 144; i++)
    {
      gint64 c = i / 12 % 6;
      g_assert_cmpfloat_with_epsilon (F (y[0])[i], (F (x)[i] - F (mean)[c]) / sqrt (F (var)[c] + epsilon) * F (scale)[c] + F (bias)[c],
                                      2e-6);
    }
  /* layer: over the last two axes, a factor for each element; then one for each channel over the last three */
  PareView s = floats ("3x4", 12), b = floats ("3x4", 13), layer[] = { x, s, b };
  PareView out[] = { y[0], make (PARE_DTYPE_FLOAT32, "2x6x1x1"), make (PARE_DTYPE_FLOAT32, "2x6x1x1") };
  PareView channel[] = { x, floats ("1x6x1x1", 14) };
  for (int axis = 2; axis >= 1; axis--)
    {
      gint64 n = axis == 2 ? 12 : 72;
      if (axis == 2)
        MUST (PARE_RT_LAYER_NORM, ((PareLayerNormParams){ 2, epsilon }), layer, out);
      else
        MUST (PARE_RT_LAYER_NORM, ((PareLayerNormParams){ 1, epsilon }), channel, y);
      for (gint64 i = 0; i < 144; i++)
        {
          gint64 first = i / n * n;
          double sum = 0, square = 0;
          for (gint64 k = first; k < first + n; k++)
            {
              sum += F (x)[k] / (double)n;
              square += (double)F (x)[k] * F (x)[k] / (double)n;
            }
          double inverse = 1 / sqrt (square - sum * sum + epsilon), normal = (F (x)[i] - sum) * inverse;
          double want = axis == 2 ? normal * F (s)[i % 12] + F (b)[i % 12] : normal * F (channel[1])[i / 12 % 6];
          g_assert_cmpfloat_with_epsilon (F (y[0])[i], want, 2e-6);
          if (axis == 2)
            {
              g_assert_cmpfloat_with_epsilon (F (out[1])[i / 12], sum, 1e-6);
              g_assert_cmpfloat_with_epsilon (F (out[2])[i / 12], inverse, 1e-5);
            }
        }
    }
  PareView lp[] = { given_floats ("2x2", (const float[]){ 3, 4, 0, 0 }) }, unit[] = { make (PARE_DTYPE_FLOAT32, "2x2") };
  MUST (PARE_RT_LP_NORM, ((PareLpNormParams){ 1, 2 }), lp, unit);
  SAME (unit[0], 3 / 5.0f, 4 / 5.0f, 0, 0);
  MUST (PARE_RT_LP_NORM, ((PareLpNormParams){ 0, 1 }), lp, unit);
  SAME (unit[0], 1, 1, 0, 0);
}

/* Rows of about a vector, a block and more, as many as are taken together and some beside; around the mean and around 0. */
static void
test_layer_norm_rows (void)
{
  static const int sizes[] = { 1, 5, 15, 16, 17, 37, 96, 1023, 1030, 4100 };
  for (guint i = 0; i < 2 * G_N_ELEMENTS (sizes); i++)
    {
      const int n = sizes[i / 2], rows = 37;
      const bool rms = i % 2;
      g_autofree char *shape = g_strdup_printf ("%dx%d", rows, n), *row = g_strdup_printf ("%d", n);
      PareView in[] = { floats (shape, 3 + i), floats (row, 40 + i), floats (row, 70 + i) }, out[] = { make (PARE_DTYPE_FLOAT32, shape) };
      MUST (PARE_RT_LAYER_NORM, ((PareLayerNormParams){ 1, 1e-3f, rms }), in, out);
      for (int r = 0; r < rows; r++)
        {
          const float *x = F (in[0]) + r * n;
          double mean = 0, square = 0;
          for (int k = 0; k < n && !rms; k++)
            mean += x[k] / (double)n;
          for (int k = 0; k < n; k++)
            square += (x[k] - mean) * (x[k] - mean) / n;
          for (int k = 0; k < n; k++)
            g_assert_cmpfloat_with_epsilon (F (out[0])[r * n + k], (x[k] - mean) / sqrt (square + 1e-3) * F (in[1])[k] + F (in[2])[k],
                                            4e-6);
        }
    }
}

static void
test_lrn (void)
{
  PareView in[] = { floats ("2x7x3", 15) }, out[] = { make (PARE_DTYPE_FLOAT32, "2x7x3") };
  for (int size = 1; size <= 16; size++)
    {
      MUST (PARE_RT_LRN, ((PareLrnParams){ size, 0.3f, 0.6f, 1.2f }), in, out);
      for (int i = 0; i < 42; i++)
        {
          int c = i / 3 % 7, from = c - (size - 1) / 2, to = c + size / 2; /* size / 2 = ceil ((size - 1) / 2) */
          double sum = 0;
          for (int k = MAX (from, 0); k <= MIN (to, 6); k++)
            sum += (double)F (in[0])[i + (k - c) * 3] * F (in[0])[i + (k - c) * 3];
          g_assert_cmpfloat_with_epsilon (F (out[0])[i], F (in[0])[i] / pow (1.2 + 0.3 / size * sum, 0.6), 1e-6);
        }
    }
  g_assert_cmpint (RUN (PARE_RT_LRN, ((PareLrnParams){ 0, 0.3f, 0.6f, 1.2f }), in, out), ==, PARE_RT_INVALID);
}

static PareResizeParams
resize_params (PareResizeMode mode, PareCoordMode coord, PareNearestMode nearest, const PareView *x, const PareView *y)
{
  PareResizeParams p = { .mode = mode, .coord = coord, .nearest = nearest };
  for (int i = 0; i < 4; i++)
    {
      p.scale[i] = (float)y->shape.dims[i] / (float)x->shape.dims[i];
      p.roi_end[i] = 1;
    }
  return p;
}

static void
test_resize (void)
{
  PareView in[] = { floats ("1x1x3x4", 8) };
  const struct
  {
    PareResizeMode mode;
    PareCoordMode coord;
    PareNearestMode nearest;
    float a;
    int exclude;
    const char *dims;
    const float *want;
    gsize n;
  } cases[] = {
    { PARE_RESIZE_LINEAR, PARE_COORD_HALF_PIXEL, 0, 0, 0, "1x1x5x3", want_resize_linear_half, N_OF (want_resize_linear_half) },
    { PARE_RESIZE_LINEAR, PARE_COORD_ALIGN_CORNERS, 0, 0, 0, "1x1x4x6", want_resize_linear_align, N_OF (want_resize_linear_align) },
    { PARE_RESIZE_LINEAR, PARE_COORD_PYTORCH_HALF_PIXEL, 0, 0, 0, "1x1x1x7", want_resize_linear_pytorch,
      N_OF (want_resize_linear_pytorch) },
    { PARE_RESIZE_CUBIC, PARE_COORD_HALF_PIXEL, 0, -0.75f, 0, "1x1x4x5", want_resize_cubic, N_OF (want_resize_cubic) },
    { PARE_RESIZE_CUBIC, PARE_COORD_HALF_PIXEL, 0, -0.5f, 1, "1x1x5x5", want_resize_cubic_exclude, N_OF (want_resize_cubic_exclude) },
    { PARE_RESIZE_NEAREST, PARE_COORD_HALF_PIXEL, PARE_NEAREST_ROUND_PREFER_FLOOR, 0, 0, "1x1x5x6", want_resize_nearest_half,
      N_OF (want_resize_nearest_half) },
    { PARE_RESIZE_NEAREST, PARE_COORD_ASYMMETRIC, PARE_NEAREST_FLOOR, 0, 0, "1x1x7x9", want_resize_nearest_asymmetric,
      N_OF (want_resize_nearest_asymmetric) },
    { PARE_RESIZE_LINEAR, PARE_COORD_TF_CROP, 0, 0, 0, "1x1x4x5", want_resize_crop, N_OF (want_resize_crop) },
  };
  for (gsize i = 0; i < N_OF (cases); i++)
    {
      PareView out[] = { make (PARE_DTYPE_FLOAT32, cases[i].dims) };
      PareResizeParams p = resize_params (cases[i].mode, cases[i].coord, cases[i].nearest, &in[0], &out[0]);
      p.cubic_a = cases[i].a;
      p.exclude_outside = cases[i].exclude;
      p.extrapolation = 7;
      if (p.coord == PARE_COORD_TF_CROP)
        {
          p.roi_start[2] = 0.2f;
          p.roi_start[3] = -0.1f;
          p.roi_end[2] = 0.9f;
          p.roi_end[3] = 1.2f;
        }
      MUST (PARE_RT_RESIZE, p, in, out);
      near (&out[0], cases[i].want, (gint64)cases[i].n, 2e-6f);
    }
  /* more rows and columns than one block; any type by its size; twice as large copies every element four times */
  PareView bytes[] = { make (PARE_DTYPE_UINT8, "3x5x70x150") }, large[] = { make (PARE_DTYPE_UINT8, "3x5x140x300") };
  for (int i = 0; i < 3 * 5 * 70 * 150; i++)
    ((guint8 *)bytes[0].data)[i] = (guint8)(i * 31 + i / 150);
  PareResizeParams p = resize_params (PARE_RESIZE_NEAREST, PARE_COORD_ASYMMETRIC, PARE_NEAREST_FLOOR, &bytes[0], &large[0]);
  MUST (PARE_RT_RESIZE, p, bytes, large);
  for (int i = 0; i < 15 * 140 * 300; i++)
    g_assert_cmphex (((guint8 *)large[0].data)[i], ==,
                     ((guint8 *)bytes[0].data)[i / 42000 * 10500 + i / 300 % 140 / 2 * 150 + i % 300 / 2]);
  p.mode = PARE_RESIZE_LINEAR;
  g_assert_cmpint (RUN (PARE_RT_RESIZE, p, bytes, large), ==, PARE_RT_UNSUPPORTED);
  p.scale[2] = 0;
  p.mode = PARE_RESIZE_NEAREST;
  g_assert_cmpint (RUN (PARE_RT_RESIZE, p, bytes, large), ==, PARE_RT_INVALID);
}

/* Where a code lies exactly between two, the order of the roundings decides: each number times the product of both its weights, added one
 * by one; the last one of an axis stands for both its neighbours. */
static void
test_resize_roundings (void)
{
  for (int rows_only = 0; rows_only < 2; rows_only++)
    {
      PareView in[] = { floats ("1x2x6x7", 9) }, out[] = { make (PARE_DTYPE_FLOAT32, rows_only ? "1x2x12x7" : "1x2x12x14") };
      PareResizeParams p = resize_params (PARE_RESIZE_LINEAR, PARE_COORD_HALF_PIXEL, 0, &in[0], &out[0]);
      MUST (PARE_RT_RESIZE, p, in, out);
      const gint64 *n = in[0].shape.dims + 2, *m = out[0].shape.dims + 2;
      for (gint64 i = 0; i < count_of (&out[0]); i++)
        {
          gint64 y[4], at[2][2];
          float weight[2][2];
          unravel (&out[0].shape, i, y);
          for (int a = 0; a < 2; a++)
            {
              float x = CLAMP (((float)y[2 + a] + 0.5f) / (float)(m[a] / n[a]) - 0.5f, 0, (float)n[a] - 1);
              at[a][0] = (gint64)x;
              at[a][1] = MIN (at[a][0] + 1, n[a] - 1);
              weight[a][1] = at[a][1] > at[a][0] ? x - (float)at[a][0] : 0.5f;
              weight[a][0] = 1 - weight[a][1];
            }
          float want = 0;
          for (int k = 0; k < 4; k++)
            want += weight[0][k / 2] * weight[1][k % 2] * F (in[0])[(y[1] * n[0] + at[0][k / 2]) * n[1] + at[1][k % 2]];
          g_assert_cmpfloat (F (out[0])[i], ==, want);
        }
    }
}

static void
test_recurrent (void)
{
  const struct
  {
    PareRtOp op;
    int gates, linear;
    const float *y, *c;
    const char *w, *r, *b;
  } cases[] = {
    { PARE_RT_LSTM, 4, 0, want_lstm_y, want_lstm_c, "2x8x3", "2x8x2", "2x16" },
    { PARE_RT_GRU, 3, 0, want_gru_y, NULL, "2x6x3", "2x6x2", "2x12" },
    { PARE_RT_GRU, 3, 1, want_gru_linear_y, NULL, "2x6x3", "2x6x2", "2x12" },
    { PARE_RT_RNN, 1, 0, want_rnn_y, NULL, "2x2x3", "2x2x2", "2x4" },
  };
  for (gsize i = 0; i < N_OF (cases); i++)
    {
      bool lstm = cases[i].op == PARE_RT_LSTM;
      PareRnnParams p = { .direction = PARE_RNN_BIDIRECTIONAL, .hidden = 2, .linear_before_reset = cases[i].linear };
      PareView in[] = { floats ("3x2x3", 1), floats (cases[i].w, 2), floats (cases[i].r, 3), floats (cases[i].b, 4), NONE,
                        floats ("2x2x2", 5), floats ("2x2x2", 6),    floats ("2x6", 7) };
      PareView out[] = { make (PARE_DTYPE_FLOAT32, "3x2x2x2"), make (PARE_DTYPE_FLOAT32, "2x2x2"), make (PARE_DTYPE_FLOAT32, "2x2x2") };
      for (int k = 0; k < 6; k++)
        p.activation[k] = lstm                                ? (k % 3 == 0 ? PARE_UN_SIGMOID : PARE_UN_TANH)
                          : cases[i].gates == 3 && k % 2 == 0 ? PARE_UN_SIGMOID
                                                              : PARE_UN_TANH;
      g_assert_cmpint (try (cases[i].op, &p, sizeof p, in, lstm ? 8 : 6, out, lstm ? 3 : 2), ==, PARE_RT_OK);
      near (&out[0], cases[i].y, 24, 2e-6f);
      if (lstm)
        near (&out[2], cases[i].c, 8, 2e-6f);
      /* the last state is the output of the last step, backwards the first */
      for (int k = 0; k < 4; k++)
        {
          g_assert_cmpfloat (F (out[1])[k], ==, F (out[0])[2 * 8 + k]);
          g_assert_cmpfloat (F (out[1])[4 + k], ==, F (out[0])[4 + k]);
        }
      /* in two halves, the state carried over, it is the same forward; outputs nobody wants are left out */
      PareView half[] = { in[0], in[1], in[2], in[3], NONE, in[5], in[6], in[7] }, state[] = { NONE, out[1], out[2] };
      p.direction = PARE_RNN_FORWARD;
      for (int k = 1; k < 8; k++)
        if (k != 4)
          {
            half[k].shape.dims[0] = 1;
            gint64 bytes = count_of (&half[k]) * 4;
            half[k].data = g_memdup2 (in[k].data, bytes + GUARD);
            memset ((char *)half[k].data + bytes, 0xA5, GUARD);
            g_ptr_array_add (made, half[k].data);
          }
      state[1] = make (PARE_DTYPE_FLOAT32, "1x2x2");
      state[2] = make (PARE_DTYPE_FLOAT32, "1x2x2");
      half[0] = given_floats ("2x2x3", F (in[0]));
      g_assert_cmpint (try (cases[i].op, &p, sizeof p, half, lstm ? 8 : 6, state, lstm ? 3 : 2), ==, PARE_RT_OK);
      half[0] = given_floats ("1x2x3", F (in[0]) + 12);
      half[5] = given_floats ("1x2x2", F (state[1]));
      half[6] = given_floats ("1x2x2", F (state[2]));
      g_assert_cmpint (try (cases[i].op, &p, sizeof p, half, lstm ? 8 : 6, state, lstm ? 3 : 2), ==, PARE_RT_OK);
      for (int k = 0; k < 4; k++)
        g_assert_cmpfloat_with_epsilon (F (state[1])[k], cases[i].y[2 * 8 + k], 2e-6);
      half[2] = in[2]; /* two directions of weights for one */
      g_assert_cmpint (try (cases[i].op, &p, sizeof p, half, lstm ? 8 : 6, state, lstm ? 3 : 2), ==, PARE_RT_INVALID);
    }
}

/* What must not be believed: operands that lack their type, extents whose products overflow. */
static void
test_absurd (void)
{
  PareView huge = { PARE_DTYPE_FLOAT32, { 3, { G_MAXINT64 / 8, 1, 0 } }, NULL };
  PareView w = { PARE_DTYPE_FLOAT32, { 3, { 1, 8, 0 } }, NULL }, r = { PARE_DTYPE_FLOAT32, { 3, { 1, 8, 2 } }, NULL };
  PareView in[] = { huge, w, r }, out[] = { NONE, { PARE_DTYPE_FLOAT32, { 3, { 1, 1, 2 } }, NULL } };
  PareRnnParams p = { .hidden = 2 };
  g_assert_cmpint (pare_rt_kernel (PARE_RT_LSTM) (&p, in, 3, out, 2, PARE_RT_DRY), ==, PARE_RT_INVALID);
  PareView nothing[4] = { NONE, NONE, NONE, NONE };
  static const char zeros[512];
  for (int op = PARE_RT_WHERE; op < PARE_RT_N_OPS; op++)
    for (guint n = 0; n <= 4; n++)
      {
        PareView none[] = { NONE };
        g_assert_cmpint (pare_rt_kernel (op) (zeros, nothing, n, none, 1, PARE_RT_DRY), !=, PARE_RT_OK);
      }
}

typedef struct
{
  int n, c, m, group, in[3], k[3], stride[3], dil[3], pad[3], out[3];
} Transposed;

/* What comes to each position of y from each of x, summed up in double precision. */
static void
add_transposed (const Transposed *t, const float *x, const float *w, double *y)
{
  int cg = t->c / t->group, mg = t->m / t->group, taps = t->k[0] * t->k[1] * t->k[2], positions = t->in[0] * t->in[1] * t->in[2];
  for (int i = 0; i < t->n * t->c * mg * positions * taps; i++)
    {
      int tap = i % taps, at = i / taps % positions, m = i / taps / positions % mg, c = i / taps / positions / mg;
      int tap_at[3] = { tap / (t->k[1] * t->k[2]), tap / t->k[2] % t->k[1], tap % t->k[2] };
      int from[3] = { at / (t->in[1] * t->in[2]), at / t->in[2] % t->in[1], at % t->in[2] }, to = 0;
      gboolean inside = TRUE;
      for (int a = 0; a < 3; a++)
        {
          int o = from[a] * t->stride[a] + tap_at[a] * t->dil[a] - t->pad[a];
          inside = inside && o >= 0 && o < t->out[a];
          to = to * t->out[a] + o;
        }
      int channel = c % t->c / cg * mg + m;
      if (inside)
        y[(c / t->c * t->m + channel) * t->out[0] * t->out[1] * t->out[2] + to]
            += (double)x[c * positions + at] * w[(c % t->c * mg + m) * taps + tap];
    }
}

static void
run_transposed (const Transposed *t, int spatial, gboolean bias, gboolean residual)
{
  PareConvParams p = { .spatial = spatial, .group = t->group, .activation = PARE_ACT_CLIP, .lo = -0.5f, .hi = 3 };
  g_autoptr (GString) x = g_string_new (NULL), w = g_string_new (NULL), y = g_string_new (NULL);
  g_string_printf (x, "%dx%d", t->n, t->c);
  g_string_printf (w, "%dx%d", t->c, t->m / t->group);
  g_string_printf (y, "%dx%d", t->n, t->m);
  for (int a = 3 - spatial, i = 0; a < 3; a++, i++)
    {
      p.kernel[i] = t->k[a];
      p.stride[i] = t->stride[a];
      p.dilation[i] = t->dil[a];
      p.pad_begin[i] = t->pad[a];
      g_string_append_printf (x, "x%d", t->in[a]);
      g_string_append_printf (w, "x%d", t->k[a]);
      g_string_append_printf (y, "x%d", t->out[a]);
    }
  g_autofree char *channels = g_strdup_printf ("%d", t->m);
  PareView in[4] = { floats (x->str, 1), floats (w->str, 2), bias ? floats (channels, 3) : NONE, residual ? floats (y->str, 4) : NONE },
           out = make (PARE_DTYPE_FLOAT32, y->str), again = make (PARE_DTYPE_FLOAT32, y->str);
  g_assert_cmpint (try (PARE_RT_CONV_TRANSPOSE, &p, sizeof p, in, 4, &out, 1), ==, PARE_RT_OK);
  gint64 count = count_of (&out), outs = count / t->n / t->m;
  g_autofree double *want = g_new0 (double, count);
  add_transposed (t, F (in[0]), F (in[1]), want);
  for (gint64 i = 0; i < count; i++)
    {
      double v = want[i] + (bias ? F (in[2])[i / outs % t->m] : 0) + (residual ? F (in[3])[i] : 0);
      g_assert_cmpfloat_with_epsilon (F (out)[i], CLAMP (v, -0.5, 3), 1e-4);
    }
  /* packed, to the bit by any number of threads */
  guint64 bytes = pare_rt_p_conv_transpose (&p, in, 4, &out, 1, NULL);
  g_autofree char *memory = g_malloc (bytes + 2 * GUARD);
  char *packed = (char *)(((guintptr)memory + 63) & ~(guintptr)63);
  memset (packed, 0xA5, memory + bytes + 2 * GUARD - packed);
  g_assert_cmpuint (pare_rt_p_conv_transpose (&p, in, 4, &out, 1, packed), ==, bytes);
  g_assert_cmphex ((guint8)packed[bytes], ==, 0xA5);
  in[1].packed = bytes > 0 ? packed : NULL;
  for (int threads = 1; threads <= 3; threads += 2)
    {
      PareRtPool *pool = pare_rt_pool_new (threads), *before = pare_rt_pool_enter (pool);
      g_assert_cmpint (try (PARE_RT_CONV_TRANSPOSE, &p, sizeof p, in, 4, &again, 1), ==, PARE_RT_OK);
      g_assert_cmpmem (again.data, (gsize)count * 4, out.data, (gsize)count * 4);
      pare_rt_pool_enter (before);
      pare_rt_pool_free (pool);
    }
}

/* Transposed convolutions on one to three axes, whose windows overlap, meet or leave gaps; a channel a group; more than a block of them. */
static void
test_conv_transpose (void)
{
  for (int i = 0; i < 90; i++)
    {
      int spatial = 1 + i % 3, group = (int[]){ 1, 2, 6 }[i / 3 % 3], each = 1 + i % 2;
      Transposed t = { .n = 1 + i % 2, .c = 6, .m = group * each * (group == 1 ? 5 : 1), .group = group };
      for (int a = 0; a < 3; a++)
        {
          gboolean there = a >= 3 - spatial;
          t.in[a] = there ? 1 + (i * 5 + a * 3) % (spatial == 1 ? 40 : 7) : 1;
          t.k[a] = there ? 1 + (i + a) % (spatial == 1 ? 9 : 4) : 1;
          t.stride[a] = there ? 1 + (i / 2 + a) % (spatial == 1 ? 6 : 3) : 1;
          t.dil[a] = there ? 1 + (i + a) % 7 / 5 : 1;
          t.pad[a] = there ? (i / 5 + a) % 2 : 0;
          t.out[a] = there ? (t.in[a] - 1) * t.stride[a] + t.dil[a] * (t.k[a] - 1) + 1 - t.pad[a] + i % t.stride[a] : 1;
        }
      if (t.out[0] < 1 || t.out[1] < 1 || t.out[2] < 1)
        continue;
      run_transposed (&t, spatial, i % 3 != 1, i % 4 == 2);
    }
  const Transposed large = { 1, 4, 40, 1, { 1, 1, 3000 }, { 1, 1, 5 }, { 1, 1, 4 }, { 1, 1, 1 }, { 0, 0, 1 }, { 1, 1, 12000 } };
  run_transposed (&large, 1, TRUE, FALSE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/kernels/where-expand-tile", test_where_expand_tile);
  ADD ("/kernels/gather", test_gather);
  ADD ("/kernels/scatter", test_scatter);
  ADD ("/kernels/depth-space", test_depth_space);
  ADD ("/kernels/order", test_order);
  ADD ("/kernels/top-of-rows", test_top_of_rows);
  ADD ("/kernels/small-ones", test_small_ones);
  ADD ("/kernels/einsum", test_einsum);
  ADD ("/kernels/norms", test_norms);
  ADD ("/kernels/layer-norm-rows", test_layer_norm_rows);
  ADD ("/kernels/lrn", test_lrn);
  ADD ("/kernels/resize", test_resize);
  ADD ("/kernels/resize-roundings", test_resize_roundings);
  ADD ("/kernels/conv-transpose", test_conv_transpose);
  ADD ("/kernels/recurrent", test_recurrent);
  ADD ("/kernels/absurd", test_absurd);
  return g_test_run ();
}
