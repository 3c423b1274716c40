/* The elementwise functions of the portable kernels against libm in double, over the whole range of floats, through the kernel that
 * vectorises them. */
#include "tests/engine/kernel-call.h"

#define STEP 4093 /* of the bit patterns */

static float
of_bits (guint32 bits)
{
  float x;
  memcpy (&x, &bits, sizeof x);
  return x;
}

/* Distance in units of the last place of the exact value. */
static double
ulps (double exact, float got)
{
  if (isnan (exact) || isnan (got))
    return isnan (exact) && isnan (got) ? 0 : 1e9;
  float nearest = (float)exact;
  if (isinf (nearest) || isinf (got))
    return nearest == got ? 0 : fabs (exact) > 3.402e38 && fabs ((double)got) > 3.402e38 ? 1 : 1e9;
  double size = fabs ((double)nearest), unit = (double)nextafterf ((float)size, INFINITY) - size;
  return fabs ((double)got - exact) / (isinf (unit) ? size - (double)nextafterf ((float)size, 0) : unit);
}

static double
sigmoid (double x)
{
  return 1 / (1 + exp (-x));
}

static double
softplus (double x)
{
  return x > 20 ? x : log1p (exp (x));
}

static double
gelu (double x)
{
  return 0.5 * x * (1 + erf (x * 0.7071067811865476));
}

static double
gelu_tanh (double x)
{
  return 0.5 * x * (1 + tanh (0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

static double
quick_gelu (double x)
{
  return x * sigmoid (1.702 * x);
}

static double
swish (double x)
{
  return x * sigmoid (x);
}

static double
mish (double x)
{
  return x * tanh (softplus (x));
}

static double
elu (double x)
{
  return x < 0 ? exp (x) - 1 : x;
}

/* near: a result as small as this may be off by as much (differences of numbers near 1, denormals by a quotient). */
static void
check (PareUnaryKind kind, double (*exact) (double), double most, double near)
{
  enum
  {
    N = (guint32)(G_MAXUINT32 / STEP) + 8
  };
  static const float specials[] = { 0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-45f, -1e-45f, 3.4028235e38f };
  g_autofree float *x = g_new (float, N), *y = g_new (float, N);
  for (guint i = 0; i < N; i++)
    x[i] = i < G_N_ELEMENTS (specials) ? specials[i] : of_bits ((i - (guint)G_N_ELEMENTS (specials)) * STEP);
  PareUnaryParams p = { kind, 1, 0 };
  PareView in = { PARE_DTYPE_FLOAT32, { 1, { N } }, x, NULL }, out = { PARE_DTYPE_FLOAT32, { 1, { N } }, y, NULL };
  g_assert_cmpint (pare_rt_kernel (PARE_RT_UNARY) (&p, &in, 1, &out, 1, NULL), ==, PARE_RT_OK);
  for (guint i = 0; i < N; i++)
    {
      double want = exact ((double)x[i]), off = ulps (want, y[i]);
      if (off > most && !(fabs (want - (double)y[i]) <= near))
        g_error ("kind %d of %a: %a, exactly %a: %g ulp", kind, (double)x[i], (double)y[i], want, off);
      if (y[i] == 0 && want == 0 && (kind == PARE_UN_ERF || kind == PARE_UN_SIN || kind == PARE_UN_TAN || kind == PARE_UN_ATAN))
        g_assert_cmpint (signbit (y[i]) != 0, ==, signbit (want) != 0);
    }
  /* over its operand, and in pieces: the same bits */
  g_autofree float *z = g_memdup2 (x, N * sizeof *x);
  PareView over = { PARE_DTYPE_FLOAT32, { 1, { N } }, z, NULL };
  g_assert_cmpint (pare_rt_kernel (PARE_RT_UNARY) (&p, &over, 1, &over, 1, NULL), ==, PARE_RT_OK);
  for (guint i = 0; i < N; i++)
    g_assert_true (memcmp (&z[i], &y[i], sizeof *z) == 0 || (isnan (z[i]) && isnan (y[i])));
  for (guint i = 0; i < 1000; i++)
    {
      guint at = i * 977;
      PareView one = { PARE_DTYPE_FLOAT32, { 1, { 1 } }, x + at, NULL }, result = { PARE_DTYPE_FLOAT32, { 1, { 1 } }, z, NULL };
      g_assert_cmpint (pare_rt_kernel (PARE_RT_UNARY) (&p, &one, 1, &result, 1, NULL), ==, PARE_RT_OK);
      g_assert_true (memcmp (z, &y[at], sizeof *z) == 0 || (isnan (*z) && isnan (y[at])));
    }
}

static void
test_exp_log (void)
{
  check (PARE_UN_EXP, exp, 1.5, 0);
  check (PARE_UN_LOG, log, 1.5, 0);
}

static void
test_bounded (void)
{
  check (PARE_UN_ERF, erf, 1.5, 0);
  check (PARE_UN_TANH, tanh, 2, 0);
  check (PARE_UN_SIGMOID, sigmoid, 2.5, 3e-39);
}

static void
test_circular (void)
{
  check (PARE_UN_SIN, sin, 1.1, 0);
  check (PARE_UN_COS, cos, 1.1, 0);
  check (PARE_UN_TAN, tan, 1.1, 0);
  check (PARE_UN_ATAN, atan, 0.6, 0);
  /* around zeros of the sine, where most of the angle is taken off */
  for (int i = 1; i < 600000; i = i * 5 / 4 + 1)
    for (int kind = 0; kind < 3; kind++)
      {
        float x = (float)(i * 1.5707963267948966);
        double want = kind == 0 ? sin ((double)x) : kind == 1 ? cos ((double)x) : tan ((double)x);
        float got = pare_rt_unary_f32 ((PareUnaryKind[]){ PARE_UN_SIN, PARE_UN_COS, PARE_UN_TAN }[kind], x, 0, 0);
        if (ulps (want, got) > 0.6)
          g_error ("kind %d of %a: %a, exactly %a", kind, (double)x, (double)got, want);
      }
}

static void
test_units (void)
{
  check (PARE_UN_SOFTPLUS, softplus, 2.5, 0);
  check (PARE_UN_ELU, elu, 2, 6e-8);
  /* 1 + erf and 1 + tanh lose what is small: the sum is off by 2^-24 or two, times |x| where that matters */
  check (PARE_UN_GELU, gelu, 4, 5e-7);
  check (PARE_UN_GELU_TANH, gelu_tanh, 6, 6e-7);
  check (PARE_UN_QUICK_GELU, quick_gelu, 6, 6e-7);
  check (PARE_UN_MISH, mish, 6, 2e-37);
}

/* The activations of products are the same functions. */
static void
test_activations (void)
{
  static const struct
  {
    PareActivation activation;
    PareUnaryKind kind;
    double (*exact) (double);
  } cases[] = { { PARE_ACT_SIGMOID, PARE_UN_SIGMOID, NULL },
                { PARE_ACT_TANH, PARE_UN_TANH, NULL },
                { PARE_ACT_GELU, PARE_UN_GELU, NULL },
                { PARE_ACT_GELU_TANH, PARE_UN_GELU_TANH, NULL },
                { PARE_ACT_QUICK_GELU, PARE_UN_QUICK_GELU, NULL },
                { PARE_ACT_HARDSWISH, PARE_UN_HARD_SWISH, NULL },
                { PARE_ACT_MISH, PARE_UN_MISH, NULL },
                { PARE_ACT_ELU, PARE_UN_ELU, NULL },
                { PARE_ACT_SWISH, PARE_UN_SIGMOID, swish } };
  for (guint c = 0; c < G_N_ELEMENTS (cases); c++)
    for (guint i = 0; i < 4000; i++)
      {
        float x = of_bits (i * 1048573u), y = x;
        pare_rt_activate (&y, 1, cases[c].activation, 0, 0, 0);
        float want = pare_rt_unary_f32 (cases[c].kind, x, 1, 0);
        if (cases[c].exact != NULL)
          want = x * want;
        g_assert_true (memcmp (&y, &want, sizeof y) == 0 || (isnan (y) && isnan (want)));
      }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/functions/exp-log", test_exp_log);
  g_test_add_func ("/functions/bounded", test_bounded);
  g_test_add_func ("/functions/circular", test_circular);
  g_test_add_func ("/functions/units", test_units);
  g_test_add_func ("/functions/activations", test_activations);
  return g_test_run ();
}
