/* A plan run by the accelerator and by the portable interpreter, and convolutions to put into plans. */
#pragma once
#include "tests/engine/accel-plan.h"

#include <math.h>

static bool narrow;    /* some operands and weights are rounded to bfloat16 */
static float farthest; /* of all differences so far, relative to the largest of its value */
static guint products; /* of 16 bits, in all plans so far */

static void
skip_accel (void)
{
  g_test_skip ("built without oneDNN: nothing to compare");
}

/* Of a program whose only test then says so. */
G_GNUC_UNUSED static gboolean
accel_is_absent (const char *path)
{
  gboolean absent = strcmp (pare_accel_version (), "none") == 0;
  if (absent)
    g_test_add_func (path, skip_accel);
  return absent;
}

/* With less there is not a kernel for everything. */
static inline bool
has_avx512 (void)
{
#ifdef __x86_64__
  return __builtin_cpu_supports ("avx512bw") && !g_getenv ("DNNL_MAX_CPU_ISA");
#else
  return false;
#endif
}

/* Runs both and compares every kept value; returns the share of the steps that ran on oneDNN. `again` runs find a runner as the last left
 * it. */
static inline double
compare (Plan *plan, int threads, float tolerance, const char *what)
{
  const PareRtPlan *p = plan_finish (plan);
  PareRtRunner *portable = pare_rt_runner_new (p, NULL);
  PareAccel *accel = pare_accel_new (p, threads);
  g_assert_nonnull (portable);
  if (!accel)
    {
      if (has_avx512 ())
        g_error ("%s: nothing was accelerated", what);
      pare_rt_runner_free (portable);
      return 0;
    }
  PareAccelRunner *runner = pare_accel_runner_new (accel);
  g_assert_nonnull (runner);
  for (int again = 0; again < 2; again++)
    {
      g_autofree PareView *inputs = g_new0 (PareView, p->n_inputs);
      g_autofree guint64 *ns = g_new0 (guint64, p->n_steps);
      uint32_t failed = PARE_RT_NONE;
      for (uint32_t i = 0; i < p->n_inputs; i++)
        {
          const PareRtValue *v = &p->values[p->inputs[i]];
          inputs[i] = (PareView){ v->dtype, v->shape, g_malloc0 (v->bytes + 64), NULL };
          for (guint64 k = 0; k < v->bytes / sizeof (float); k++)
            ((float *)inputs[i].data)[k] = (float)(pare_rng_uniform (&plan->rng) * 2 - 1);
        }
      g_assert_cmpint (pare_rt_runner_run (portable, inputs, NULL, NULL, &failed), ==, PARE_RT_OK);
      g_assert_cmpint (pare_accel_runner_run (runner, inputs, again ? ns : NULL, NULL, &failed), ==, PARE_RT_OK);
      for (uint32_t i = 0; i < p->n_values; i++)
        if (p->values[i].keep)
          {
            PareView want = pare_rt_runner_view (portable, i), got = pare_accel_runner_view (runner, i);
            gint64 n = pare_shape_count (&want.shape);
            const float *w = want.data, *g = got.data;
            float most = 1e-3f;
            g_assert_nonnull (g);
            for (gint64 k = 0; k < n; k++)
              most = MAX (most, fabsf (w[k]));
            double sum = 0;
            for (gint64 k = 0; k < n; k++)
              sum += isfinite (w[k]) ? fabs ((double)w[k] - g[k]) : 0;
            if (narrow && sum / (double)n > 0.02 * tolerance * most) /* a sum in another order is now and then rounded to the neighbour */
              g_error ("%s: value %u is %g away on the average, of %g", what, i, sum / (double)n, (double)most);
            for (gint64 k = 0; k < n; k++)
              farthest = MAX (farthest, fabsf (w[k] - g[k]) / most);
            for (gint64 k = 0; k < n; k++)
              if (!(fabsf (w[k] - g[k]) <= tolerance * most) && memcmp (&w[k], &g[k], sizeof *w))
                g_error ("%s: value %u [%" G_GINT64_FORMAT "] of %" G_GINT64_FORMAT " is %g, not %g", what, i, k, n, (double)g[k],
                         (double)w[k]);
          }
      for (uint32_t i = 0; i < p->n_inputs; i++)
        g_free (inputs[i].data);
    }
  double coverage = pare_accel_get_coverage (accel);
  g_autofree guint8 *exact = g_new0 (guint8, p->n_values + 1);
  guint n_narrow = 0;
  pare_rt_plan_find_bfloat (p, exact);
  for (guint i = 0; i < p->n_steps; i++)
    n_narrow += pare_rt_step_is_bfloat (p, i, exact);
  if (pare_accel_count_bf16 (accel) != (pare_accel_has_bf16 () ? n_narrow : 0))
    g_error ("%s: %u of %u products of 16 bits are multiplied so", what, pare_accel_count_bf16 (accel), n_narrow);
  products += n_narrow;
  pare_accel_runner_free (runner);
  pare_accel_free (accel);
  pare_rt_runner_free (portable);
  return coverage;
}

/* Any number of threads computes the same bits. */
G_GNUC_UNUSED static void
same_by_threads (Plan *plan, uint32_t y, const char *what)
{
  g_autofree float *first = NULL;
  for (int threads = 1; threads <= 3; threads++)
    {
      PareAccel *accel = pare_accel_new (&plan->plan, threads);
      PareAccelRunner *runner = pare_accel_runner_new (accel);
      const PareRtValue *v = &plan->plan.values[plan->plan.inputs[0]];
      PareView input = { v->dtype, v->shape, g_malloc0 (v->bytes), NULL };
      for (guint64 k = 0; k < v->bytes / sizeof (float); k++)
        ((float *)input.data)[k] = (float)(k * 37 % 101) / 101;
      uint32_t failed;
      g_assert_cmpint (pare_accel_runner_run (runner, &input, NULL, NULL, &failed), ==, PARE_RT_OK);
      PareView got = pare_accel_runner_view (runner, y);
      gsize bytes = (gsize)pare_shape_count (&got.shape) * sizeof (float);
      if (!first)
        first = g_memdup2 (got.data, bytes);
      else if (memcmp (first, got.data, bytes) != 0)
        g_error ("%s: %d threads compute something else", what, threads);
      g_free (input.data);
      pare_accel_runner_free (runner);
      pare_accel_free (accel);
    }
}

static inline void
assert_covered (double coverage, const char *what)
{
  if (has_avx512 () && coverage < 1)
    g_error ("%s: only %.0f %% ran on oneDNN", what, coverage * 100);
}

static inline PareConvParams
conv_params (int spatial, int group, int k, int stride, int dilation, int pad)
{
  PareConvParams p = { .spatial = spatial, .group = group };
  for (int i = 0; i < spatial; i++)
    {
      p.kernel[i] = k;
      p.stride[i] = stride;
      p.dilation[i] = dilation;
      p.pad_begin[i] = pad;
      p.pad_end[i] = pad;
    }
  return p;
}

/* A convolution of x; weights of a size that keeps the activations near one. */
static inline uint32_t
add_conv (Plan *plan, uint32_t x, int64_t m, const PareConvParams *p, gboolean bias, uint32_t residual)
{
  PareShape sx = plan_value (plan, x)->shape, sw = { .rank = sx.rank }, sy = sx;
  gint64 fan = sx.dims[1] / p->group;
  sw.dims[0] = m;
  sw.dims[1] = sx.dims[1] / p->group;
  sy.dims[1] = m;
  for (int i = 0; i < p->spatial; i++)
    {
      sw.dims[i + 2] = p->kernel[i];
      fan *= p->kernel[i];
      sy.dims[i + 2] = (sx.dims[i + 2] + p->pad_begin[i] + p->pad_end[i] - ((p->kernel[i] - 1) * p->dilation[i] + 1)) / p->stride[i] + 1;
    }
  uint32_t w = plan_constant (plan, sw, 1.7f / sqrtf ((float)fan), 0);
  if (narrow && pare_rng_below (&plan->rng, 3))
    round_constant (plan, w);
  uint32_t b = bias ? plan_constant (plan, SHAPE (m), 0.5f, 0) : PARE_RT_NONE;
  return STEP (plan, PARE_RT_CONV, p, sy, x, w, b, residual);
}

/* A convolution whose operands are both of 16 bits. */
static inline uint32_t
add_narrow (Plan *plan, uint32_t x, int64_t m, const PareConvParams *p, gboolean bias, uint32_t residual)
{
  uint32_t y = add_conv (plan, x, m, p, bias, residual);
  round_constant (plan, g_array_index (plan->steps, PareRtStep, plan->steps->len - 1).in[1]);
  return y;
}

static inline uint32_t
add_norm (Plan *plan, uint32_t x)
{
  static const PareBatchNormParams bn = { 1e-5f };
  int64_t c = plan_value (plan, x)->shape.dims[1];
  uint32_t factor = plan_constant (plan, SHAPE (c), 0.6f, 0), offset = plan_constant (plan, SHAPE (c), 0.5f, 0),
           mean = plan_constant (plan, SHAPE (c), 0.5f, 0), variance = plan_constant (plan, SHAPE (c), 0.4f, 0.5f);
  return STEP (plan, PARE_RT_BATCH_NORM, &bn, plan_value (plan, x)->shape, x, factor, offset, mean, variance);
}
