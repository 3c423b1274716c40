/* Elementwise functions of one operand; float32, float64 and the integer types where they mean something. */
#include "engine/runtime/kernels/functions-circular.h"
#include "engine/runtime/kernels/half.h"

/* inline: loops over one kind take its case alone */
static inline __attribute__ ((always_inline)) float
apply_f32 (int kind, float x, float alpha, float beta)
{
  switch (kind)
    {
    case PARE_UN_ABS:
      return fabsf (x);
    case PARE_UN_NEG:
      return -x;
    case PARE_UN_EXP:
      return exp_f32 (x);
    case PARE_UN_LOG:
      return log_f32 (x);
    case PARE_UN_SQRT:
      return sqrtf (x);
    case PARE_UN_RECIPROCAL:
      return 1.0f / x;
    case PARE_UN_SIGMOID:
      return sigmoid_f32 (x);
    case PARE_UN_TANH:
      return tanh_f32 (x);
    case PARE_UN_ERF:
      return erf_f32 (x);
    case PARE_UN_RELU:
      return x < 0 ? 0 : x;
    case PARE_UN_LEAKY_RELU:
      return x < 0 ? alpha * x : x;
    case PARE_UN_ELU:
      return x < 0 ? alpha * (exp_f32 (x) - 1) : x;
    case PARE_UN_SELU:
      return beta * (x < 0 ? alpha * (exp_f32 (x) - 1) : x); /* beta: gamma */
    case PARE_UN_SOFTPLUS:
      return softplus_f32 (x);
    case PARE_UN_SOFTSIGN:
      return x / (1 + fabsf (x));
    case PARE_UN_HARD_SIGMOID:
      return clip_f32 (alpha * x + beta, 0, 1);
    case PARE_UN_HARD_SWISH:
      return hard_swish_f32 (x);
    case PARE_UN_GELU:
      return gelu_f32 (x);
    case PARE_UN_GELU_TANH:
      return gelu_tanh_f32 (x);
    case PARE_UN_QUICK_GELU:
      return quick_gelu_f32 (x);
    case PARE_UN_SWISH:
      return x * sigmoid_f32 (x);
    case PARE_UN_MISH:
      return mish_f32 (x);
    case PARE_UN_FLOOR:
      return floorf (x);
    case PARE_UN_CEIL:
      return ceilf (x);
    case PARE_UN_ROUND:
      return rintf (x);
    case PARE_UN_SIGN:
      return x > 0 ? 1 : x < 0 ? -1 : x;
    case PARE_UN_SIN:
      return is_circular_f32 (x) ? sin_f32 (x) : sinf (x);
    case PARE_UN_COS:
      return is_circular_f32 (x) ? cos_f32 (x) : cosf (x);
    case PARE_UN_THRESHOLDED_RELU:
      return x > alpha ? x : 0;
    case PARE_UN_TAN:
      return is_circular_f32 (x) ? tan_f32 (x) : tanf (x);
    case PARE_UN_ASIN:
      return asinf (x);
    case PARE_UN_ACOS:
      return acosf (x);
    case PARE_UN_ATAN:
      return atan_f32 (x);
    case PARE_UN_SINH:
      return sinhf (x);
    case PARE_UN_COSH:
      return coshf (x);
    case PARE_UN_ASINH:
      return asinhf (x);
    case PARE_UN_ACOSH:
      return acoshf (x);
    case PARE_UN_ATANH:
      return atanhf (x);
    case PARE_UN_CELU:
      return (x > 0 ? x : 0) + (x < 0 ? alpha * (exp_f32 (x / alpha) - 1) : 0);
    case PARE_UN_SHRINK:
      return x < -alpha ? x + beta : x > alpha ? x - beta : 0;
    case PARE_UN_BFLOAT16:
      return bfloat_to_float (float_to_bfloat (x));
    default:
      return x;
    }
}

float
pare_rt_unary_f32 (int kind, float x, float alpha, float beta)
{
  return apply_f32 (kind, x, alpha, beta);
}

double
pare_rt_unary_f64 (int kind, double x, float alpha, float beta)
{
  switch (kind)
    {
    case PARE_UN_ABS:
      return fabs (x);
    case PARE_UN_NEG:
      return -x;
    case PARE_UN_EXP:
      return exp (x);
    case PARE_UN_LOG:
      return log (x);
    case PARE_UN_SQRT:
      return sqrt (x);
    case PARE_UN_RECIPROCAL:
      return 1 / x;
    case PARE_UN_SIGMOID:
      return 1 / (1 + exp (-x));
    case PARE_UN_TANH:
      return tanh (x);
    case PARE_UN_ERF:
      return erf (x);
    case PARE_UN_RELU:
      return x < 0 ? 0 : x;
    case PARE_UN_FLOOR:
      return floor (x);
    case PARE_UN_CEIL:
      return ceil (x);
    case PARE_UN_ROUND:
      return rint (x);
    case PARE_UN_SIGN:
      return x > 0 ? 1 : x < 0 ? -1 : x;
    case PARE_UN_SIN:
      return sin (x);
    case PARE_UN_COS:
      return cos (x);
    default:
      return pare_rt_unary_f32 (kind, (float)x, alpha, beta);
    }
}

#define ANGLES 256

/* A loop of its own for each that vectorises. */
PARE_RT_CLONES static void
run_f32 (int kind, const float *x, float *y, int64_t n, float alpha, float beta)
{
#define LOOP(KIND)                                                                                                                         \
  case KIND:                                                                                                                               \
    PARE_RT_IVDEP                                                                                                                          \
    for (int64_t i = 0; i < n; i++)                                                                                                        \
      y[i] = apply_f32 (KIND, x[i], alpha, beta);                                                                                          \
    break;
/* Angles that are too large for the loop are rare: then their neighbours are computed one by one, too. */
#define CIRCULAR(KIND, func)                                                                                                               \
  case KIND:                                                                                                                               \
    for (int64_t at = 0, end; at < n; at = end)                                                                                            \
      {                                                                                                                                    \
        bool near = true;                                                                                                                  \
        end = n - at < ANGLES ? n : at + ANGLES;                                                                                           \
        for (int64_t i = at; i < end; i++)                                                                                                 \
          near &= is_circular_f32 (x[i]);                                                                                                  \
        if (near)                                                                                                                          \
          PARE_RT_IVDEP                                                                                                                    \
        for (int64_t i = at; i < end; i++)                                                                                                 \
          y[i] = func (x[i]);                                                                                                              \
        else for (int64_t i = at; i < end; i++) y[i] = apply_f32 (KIND, x[i], alpha, beta);                                                \
      }                                                                                                                                    \
    break;
  switch (kind)
    {
      LOOP (PARE_UN_ABS)
      LOOP (PARE_UN_NEG)
      LOOP (PARE_UN_EXP)
      LOOP (PARE_UN_LOG)
      LOOP (PARE_UN_SQRT)
      LOOP (PARE_UN_RECIPROCAL)
      LOOP (PARE_UN_SIGMOID)
      LOOP (PARE_UN_TANH)
      LOOP (PARE_UN_ERF)
      LOOP (PARE_UN_RELU)
      LOOP (PARE_UN_LEAKY_RELU)
      LOOP (PARE_UN_ELU)
      LOOP (PARE_UN_SELU)
      LOOP (PARE_UN_SOFTPLUS)
      LOOP (PARE_UN_SOFTSIGN)
      LOOP (PARE_UN_HARD_SIGMOID)
      LOOP (PARE_UN_HARD_SWISH)
      LOOP (PARE_UN_GELU)
      LOOP (PARE_UN_GELU_TANH)
      LOOP (PARE_UN_MISH)
      LOOP (PARE_UN_SWISH)
      LOOP (PARE_UN_QUICK_GELU)
      LOOP (PARE_UN_FLOOR)
      LOOP (PARE_UN_CEIL)
      LOOP (PARE_UN_ROUND)
      LOOP (PARE_UN_SIGN)
      LOOP (PARE_UN_THRESHOLDED_RELU)
      LOOP (PARE_UN_CELU)
      LOOP (PARE_UN_SHRINK)
      LOOP (PARE_UN_BFLOAT16)
      LOOP (PARE_UN_ATAN)
      CIRCULAR (PARE_UN_SIN, sin_f32)
      CIRCULAR (PARE_UN_COS, cos_f32)
      CIRCULAR (PARE_UN_TAN, tan_f32)
    default:
      for (int64_t i = 0; i < n; i++)
        y[i] = pare_rt_unary_f32 (kind, x[i], alpha, beta);
    }
#undef CIRCULAR
#undef LOOP
}

typedef struct
{
  const PareUnaryParams *p;
  const float *x;
  float *y;
  int64_t n;
} Job;

static void
run_share (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t from = task * PARE_RT_SHARE, n = j->n - from < PARE_RT_SHARE ? j->n - from : PARE_RT_SHARE;
  run_f32 (j->p->kind, j->x + from, j->y + from, n, j->p->alpha, j->p->beta);
}

#define INTEGER(type, unsigned_type)                                                                                                       \
  {                                                                                                                                        \
    const type *x = in[0].data;                                                                                                            \
    type *y = out[0].data;                                                                                                                 \
    for (int64_t i = 0; i < n; i++)                                                                                                        \
      y[i] = p->kind == PARE_UN_ABS       ? (x[i] < 0 ? (type)(0 - (unsigned_type)x[i]) : x[i])                                            \
             : p->kind == PARE_UN_NEG     ? (type)(0 - (unsigned_type)x[i])                                                                \
             : p->kind == PARE_UN_SIGN    ? (type)((x[i] > 0) - (x[i] < 0))                                                                \
             : p->kind == PARE_UN_RELU    ? (x[i] < 0 ? 0 : x[i])                                                                          \
             : p->kind == PARE_UN_BIT_NOT ? (type)~x[i]                                                                                    \
                                          : x[i];                                                                                          \
  }

KERNEL (pare_rt_k_unary)
{
  const PareUnaryParams *p = params;
  REQUIRE (p && n_in >= 1 && n_out == 1 && count_of (&in[0]) == count_of (&out[0]));
  int64_t n = count_of (&in[0]);
  if (p->kind == PARE_UN_IS_NAN || p->kind == PARE_UN_IS_INF)
    {
      bool wide = in[0].dtype == PARE_DTYPE_FLOAT64;
      SUPPORT ((is_f32 (&in[0]) || wide) && out[0].dtype == PARE_DTYPE_BOOL);
      CHECKED;
      uint8_t *y = out[0].data;
      for (int64_t i = 0; i < n; i++)
        {
          double x = wide ? ((const double *)in[0].data)[i] : (double)((const float *)in[0].data)[i];
          y[i] = p->kind == PARE_UN_IS_NAN ? isnan (x) : isinf (x) && (x > 0 ? p->beta != 0 : p->alpha != 0);
        }
      return PARE_RT_OK;
    }
  REQUIRE (in[0].dtype == out[0].dtype);
  if (p->kind == PARE_UN_NOT)
    {
      SUPPORT (in[0].dtype == PARE_DTYPE_BOOL);
      CHECKED;
      for (int64_t i = 0; i < n; i++)
        ((uint8_t *)out[0].data)[i] = !((const uint8_t *)in[0].data)[i];
      return PARE_RT_OK;
    }
  bool real = in[0].dtype == PARE_DTYPE_FLOAT32 || in[0].dtype == PARE_DTYPE_FLOAT64;
  bool whole = p->kind == PARE_UN_ABS || p->kind == PARE_UN_NEG || p->kind == PARE_UN_SIGN || p->kind == PARE_UN_RELU
               || p->kind == PARE_UN_BIT_NOT;
  SUPPORT (real
           || (whole
               && (in[0].dtype == PARE_DTYPE_INT8 || in[0].dtype == PARE_DTYPE_UINT8 || in[0].dtype == PARE_DTYPE_INT32
                   || in[0].dtype == PARE_DTYPE_INT64)));
  CHECKED;
  switch (in[0].dtype)
    {
    case PARE_DTYPE_FLOAT32:
      pare_rt_parallel_if (n >= 2 * PARE_RT_SHARE, (n + PARE_RT_SHARE - 1) / PARE_RT_SHARE, run_share,
                           &(Job){ p, in[0].data, out[0].data, n });
      break;
    case PARE_DTYPE_FLOAT64:
      for (int64_t i = 0; i < n; i++)
        ((double *)out[0].data)[i] = pare_rt_unary_f64 (p->kind, ((const double *)in[0].data)[i], p->alpha, p->beta);
      break;
    case PARE_DTYPE_INT8:
      INTEGER (int8_t, uint8_t) break;
    case PARE_DTYPE_UINT8:
      INTEGER (uint8_t, uint8_t) break;
    case PARE_DTYPE_INT32:
      INTEGER (int32_t, uint32_t) break;
    default:
      INTEGER (int64_t, uint64_t)
    }
  return PARE_RT_OK;
}
