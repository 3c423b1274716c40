/* Reductions over any set of axes. Sums and products are taken in double, in the order of the elements;
 * what lies side by side in sixteen parts. */
#include "engine/runtime/kernels/kernel.h"

#define COLUMNS 64

/* Neighbouring axes of the same fate are one; strides in elements. */
typedef struct
{
  int n_kept, n_gone;
  int64_t kept[PARE_MAX_RANK], kept_stride[PARE_MAX_RANK], gone[PARE_MAX_RANK], gone_stride[PARE_MAX_RANK];
  int64_t n_out, n_each;
} Plan;

typedef union
{
  double real[COLUMNS];
  int64_t whole[COLUMNS];
} Acc;

static void
make_plan (const PareShape *s, uint32_t axes, Plan *plan)
{
  int64_t stride = 1;
  int before = -1;
  *plan = (Plan){ .n_out = 1, .n_each = 1 };
  for (int i = s->rank - 1; i >= 0; i--)
    {
      int gone = axes >> i & 1;
      int64_t *dims = gone ? plan->gone : plan->kept, *strides = gone ? plan->gone_stride : plan->kept_stride;
      int *n = gone ? &plan->n_gone : &plan->n_kept;
      if (gone == before)
        dims[*n - 1] *= s->dims[i];
      else
        {
          dims[*n] = s->dims[i];
          strides[(*n)++] = stride;
        }
      before = gone;
      stride *= s->dims[i];
      *(gone ? &plan->n_each : &plan->n_out) *= s->dims[i];
    }
}

/* Loops over one run of columns and the innermost reduced axis, whichever of both lies closer in memory inside. */
#define LOOPS(body)                                                                                                                        \
  if (rs < cs)                                                                                                                             \
    for (int64_t c = 0; c < cols; c++)                                                                                                     \
      for (int64_t k = 0; k < n; k++)                                                                                                      \
        {                                                                                                                                  \
          body                                                                                                                             \
        }                                                                                                                                  \
  else                                                                                                                                     \
    for (int64_t k = 0; k < n; k++)                                                                                                        \
      for (int64_t c = 0; c < cols; c++)                                                                                                   \
        {                                                                                                                                  \
          body                                                                                                                             \
        }                                                                                                                                  \
  break

#define STEP_REAL(name, type)                                                                                                              \
  static void name (PareReduceKind kind, const type *x, int64_t n, int64_t rs, int64_t cols, int64_t cs, double *acc, const double *most)  \
  {                                                                                                                                        \
    switch (kind)                                                                                                                          \
      {                                                                                                                                    \
      case PARE_REDUCE_MAX:                                                                                                                \
        LOOPS (double v = x[k * rs + c * cs]; acc[c] = v > acc[c] || isnan (v) ? v : acc[c];);                                             \
      case PARE_REDUCE_MIN:                                                                                                                \
        LOOPS (double v = x[k * rs + c * cs]; acc[c] = v < acc[c] || isnan (v) ? v : acc[c];);                                             \
      case PARE_REDUCE_PROD:                                                                                                               \
        LOOPS (acc[c] *= (double)x[k * rs + c * cs];);                                                                                     \
      case PARE_REDUCE_L1:                                                                                                                 \
        LOOPS (acc[c] += fabs ((double)x[k * rs + c * cs]););                                                                              \
      case PARE_REDUCE_L2:                                                                                                                 \
      case PARE_REDUCE_SUM_SQUARE:                                                                                                         \
        LOOPS (double v = x[k * rs + c * cs]; acc[c] += v * v;);                                                                           \
      case PARE_REDUCE_LOG_SUM_EXP:                                                                                                        \
        LOOPS (acc[c] += exp ((double)x[k * rs + c * cs] - most[c]););                                                                     \
      default:                                                                                                                             \
        LOOPS (acc[c] += (double)x[k * rs + c * cs];);                                                                                     \
      }                                                                                                                                    \
  }
STEP_REAL (step_f32, float)
STEP_REAL (step_f64, double)

#define ADD(a, b) (int64_t) ((uint64_t)(a) + (uint64_t)(b))
#define MUL(a, b) (int64_t) ((uint64_t)(a) * (uint64_t)(b))
#define STEP_WHOLE(name, type)                                                                                                             \
  static void name (PareReduceKind kind, const type *x, int64_t n, int64_t rs, int64_t cols, int64_t cs, int64_t *acc)                     \
  {                                                                                                                                        \
    switch (kind)                                                                                                                          \
      {                                                                                                                                    \
      case PARE_REDUCE_MAX:                                                                                                                \
        LOOPS (int64_t v = x[k * rs + c * cs]; acc[c] = v > acc[c] ? v : acc[c];);                                                         \
      case PARE_REDUCE_MIN:                                                                                                                \
        LOOPS (int64_t v = x[k * rs + c * cs]; acc[c] = v < acc[c] ? v : acc[c];);                                                         \
      case PARE_REDUCE_PROD:                                                                                                               \
        LOOPS (acc[c] = MUL (acc[c], x[k * rs + c * cs]););                                                                                \
      case PARE_REDUCE_L1:                                                                                                                 \
        LOOPS (int64_t v = x[k * rs + c * cs]; acc[c] = ADD (acc[c], v < 0 ? 0 - (uint64_t)v : (uint64_t)v););                             \
      case PARE_REDUCE_L2:                                                                                                                 \
      case PARE_REDUCE_SUM_SQUARE:                                                                                                         \
        LOOPS (int64_t v = x[k * rs + c * cs]; acc[c] = ADD (acc[c], MUL (v, v)););                                                        \
      default:                                                                                                                             \
        LOOPS (acc[c] = ADD (acc[c], x[k * rs + c * cs]););                                                                                \
      }                                                                                                                                    \
  }
STEP_WHOLE (step_i8, int8_t)
STEP_WHOLE (step_u8, uint8_t)
STEP_WHOLE (step_i32, int32_t)
STEP_WHOLE (step_u32, uint32_t)
STEP_WHOLE (step_i64, int64_t)

/* A run of floats in sixteen parts, folded in a fixed order, so that every instruction set gives the same. */
#define PARTS(fold, each)                                                                                                                  \
  for (; i + 16 <= n; i += 16)                                                                                                             \
    for (int l = 0; l < 16; l++)                                                                                                           \
      {                                                                                                                                    \
        double v = x[i + l];                                                                                                               \
        part[l] = fold (part[l], each);                                                                                                    \
      }                                                                                                                                    \
  for (int l = 0; i < n; i++, l++)                                                                                                         \
    {                                                                                                                                      \
      double v = x[i];                                                                                                                     \
      part[l] = fold (part[l], each);                                                                                                      \
    }                                                                                                                                      \
  for (int w = 8; w > 0; w /= 2)                                                                                                           \
    for (int l = 0; l < w; l++)                                                                                                            \
      part[l] = fold (part[l], part[l + w]);                                                                                               \
  break
#define PLUS(a, b) ((a) + (b))
#define LARGER(a, b) ((b) > (a) || (b) != (b) ? (b) : (a))
#define SMALLER(a, b) ((b) < (a) || (b) != (b) ? (b) : (a))
/* The largest of all, or of those with their signs turned (sign -1); NaN if there is one. */
PARE_RT_CLONES static double
extreme_f32 (const float *x, int64_t n, float sign)
{
  float most[32];
  int32_t bad[32] = { 0 };
  int64_t i = 0;
  for (int l = 0; l < 32; l++)
    most[l] = -INFINITY;
  for (; i + 32 <= n; i += 32)
    for (int l = 0; l < 32; l++)
      {
        float v = sign * x[i + l];
        most[l] = v > most[l] ? v : most[l];
        bad[l] |= v != v;
      }
  for (; i < n; i++)
    {
      float v = sign * x[i];
      most[0] = v > most[0] ? v : most[0];
      bad[0] |= v != v;
    }
  for (int l = 1; l < 32; l++)
    {
      most[0] = most[l] > most[0] ? most[l] : most[0];
      bad[0] |= bad[l];
    }
  return bad[0] ? (double)NAN : (double)(sign * most[0]);
}

/* Both ends at once, each as extreme_f32() finds it. */
PARE_RT_CLONES static void
ends_f32 (const float *x, int64_t n, float *greatest, float *smallest)
{
  float most[32], least[32];
  int32_t bad[32] = { 0 };
  int64_t i = 0;
  for (int l = 0; l < 32; l++)
    {
      most[l] = -INFINITY;
      least[l] = INFINITY;
    }
  for (; i + 32 <= n; i += 32)
    for (int l = 0; l < 32; l++)
      {
        float v = x[i + l];
        most[l] = v > most[l] ? v : most[l];
        least[l] = v < least[l] ? v : least[l];
        bad[l] |= v != v;
      }
  for (; i < n; i++)
    {
      most[0] = x[i] > most[0] ? x[i] : most[0];
      least[0] = x[i] < least[0] ? x[i] : least[0];
      bad[0] |= x[i] != x[i];
    }
  for (int l = 1; l < 32; l++)
    {
      most[0] = most[l] > most[0] ? most[l] : most[0];
      least[0] = least[l] < least[0] ? least[l] : least[0];
      bad[0] |= bad[l];
    }
  *greatest = bad[0] ? NAN : most[0];
  *smallest = bad[0] ? NAN : least[0];
}

PARE_RT_CLONES static double
run_f32 (PareReduceKind kind, const float *x, int64_t n)
{
  double part[16];
  int64_t i = 0;
  for (int l = 0; l < 16; l++)
    part[l] = 0;
  switch (kind)
    {
    case PARE_REDUCE_MAX:
      return extreme_f32 (x, n, 1);
    case PARE_REDUCE_MIN:
      return extreme_f32 (x, n, -1);
    case PARE_REDUCE_L1:
      PARTS (PLUS, fabs (v));
    case PARE_REDUCE_L2:
    case PARE_REDUCE_SUM_SQUARE:
      PARTS (PLUS, v * v);
    default:
      PARTS (PLUS, v);
    }
  return part[0];
}

/* Columns side by side, one row after the other. */
#define DOWN(each)                                                                                                                         \
  for (int64_t k = 0; k < n; k++)                                                                                                          \
    PARE_RT_IVDEP                                                                                                                          \
  for (int64_t c = 0; c < cols; c++)                                                                                                       \
    {                                                                                                                                      \
      double v = x[k * rs + c];                                                                                                            \
      acc[c] = each;                                                                                                                       \
    }                                                                                                                                      \
  break
PARE_RT_CLONES static void
down_f32 (PareReduceKind kind, const float *x, int64_t n, int64_t rs, int64_t cols, double *acc)
{
  switch (kind)
    {
    case PARE_REDUCE_MAX:
      DOWN (LARGER (acc[c], v));
    case PARE_REDUCE_MIN:
      DOWN (SMALLER (acc[c], v));
    case PARE_REDUCE_L1:
      DOWN (acc[c] + fabs (v));
    case PARE_REDUCE_L2:
    case PARE_REDUCE_SUM_SQUARE:
      DOWN (acc[c] + v * v);
    default:
      DOWN (acc[c] + v);
    }
}

/* FALSE: not this kind, or not lying so. */
static bool
step_beside (PareReduceKind kind, const float *x, int64_t n, int64_t rs, int64_t cols, int64_t cs, double *acc)
{
  if (kind == PARE_REDUCE_PROD || kind == PARE_REDUCE_LOG_SUM_EXP || (cs != 1 && rs != 1) || (rs == 1 && cs != 1 && n < 16))
    return false;
  if (cs == 1 && (rs != 1 || cols > 1))
    {
      down_f32 (kind, x, n, rs, cols, acc);
      return true;
    }
  for (int64_t c = 0; c < cols; c++)
    {
      double v = run_f32 (kind, x + c * cs, n);
      acc[c] = kind == PARE_REDUCE_MAX ? LARGER (acc[c], v) : kind == PARE_REDUCE_MIN ? SMALLER (acc[c], v) : acc[c] + v;
    }
  return true;
}

static void
step (PareReduceKind kind, const PareView *v, int64_t at, int64_t n, int64_t rs, int64_t cols, int64_t cs, Acc *acc, const double *most)
{
  switch (v->dtype)
    {
    case PARE_DTYPE_FLOAT32:
      if (!step_beside (kind, (const float *)v->data + at, n, rs, cols, cs, acc->real))
        step_f32 (kind, (const float *)v->data + at, n, rs, cols, cs, acc->real, most);
      break;
    case PARE_DTYPE_FLOAT64:
      step_f64 (kind, (const double *)v->data + at, n, rs, cols, cs, acc->real, most);
      break;
    case PARE_DTYPE_INT8:
      step_i8 (kind, (const int8_t *)v->data + at, n, rs, cols, cs, acc->whole);
      break;
    case PARE_DTYPE_INT32:
      step_i32 (kind, (const int32_t *)v->data + at, n, rs, cols, cs, acc->whole);
      break;
    case PARE_DTYPE_UINT32:
      step_u32 (kind, (const uint32_t *)v->data + at, n, rs, cols, cs, acc->whole);
      break;
    case PARE_DTYPE_INT64:
      step_i64 (kind, (const int64_t *)v->data + at, n, rs, cols, cs, acc->whole);
      break;
    default:
      step_u8 (kind, (const uint8_t *)v->data + at, n, rs, cols, cs, acc->whole);
    }
}

static int64_t
least_of (PareDtype dtype, bool most)
{
  switch (dtype)
    {
    case PARE_DTYPE_INT8:
      return most ? INT8_MAX : INT8_MIN;
    case PARE_DTYPE_UINT8:
      return most ? UINT8_MAX : 0;
    case PARE_DTYPE_BOOL:
      return most ? 1 : 0;
    case PARE_DTYPE_INT32:
      return most ? INT32_MAX : INT32_MIN;
    case PARE_DTYPE_UINT32:
      return most ? UINT32_MAX : 0;
    default:
      return most ? INT64_MAX : INT64_MIN;
    }
}

/* All of the reduced axes for `cols` outputs from element `at` on. */
static void
accumulate (PareReduceKind kind, const PareView *x, const Plan *plan, int64_t at, int64_t cols, int64_t cs, bool real, Acc *acc,
            const double *most)
{
  int64_t index[PARE_MAX_RANK] = { 0 }, n = plan->n_gone > 0 ? plan->gone[0] : 1, rs = plan->n_gone > 0 ? plan->gone_stride[0] : 1;
  for (int64_t c = 0; c < cols; c++)
    if (real)
      acc->real[c] = kind == PARE_REDUCE_PROD ? 1 : kind == PARE_REDUCE_MAX ? -INFINITY : kind == PARE_REDUCE_MIN ? INFINITY : 0;
    else
      acc->whole[c] = kind == PARE_REDUCE_PROD                             ? 1
                      : kind == PARE_REDUCE_MAX || kind == PARE_REDUCE_MIN ? least_of (x->dtype, kind == PARE_REDUCE_MIN)
                                                                           : 0;
  for (int64_t done = 0; done < plan->n_each; done += n)
    {
      step (kind, x, at, n, rs, cols, cs, acc, most);
      for (int i = 1; i < plan->n_gone; i++)
        {
          at += plan->gone_stride[i];
          if (++index[i] < plan->gone[i])
            break;
          at -= plan->gone[i] * plan->gone_stride[i];
          index[i] = 0;
        }
    }
}

static double
finish_real (PareReduceKind kind, double acc, double most, int64_t n)
{
  switch (kind)
    {
    case PARE_REDUCE_MEAN:
      return acc / (double)n;
    case PARE_REDUCE_L2:
      return sqrt (acc);
    case PARE_REDUCE_LOG_SUM:
      return log (acc);
    case PARE_REDUCE_LOG_SUM_EXP:
      return log (acc) + most;
    default:
      return acc;
    }
}

static int64_t
finish_whole (PareReduceKind kind, int64_t acc, int64_t n)
{
  switch (kind)
    {
    case PARE_REDUCE_MEAN:
      return n > 0 ? acc / n : 0;
    case PARE_REDUCE_L2:
      return (int64_t)sqrt ((double)acc);
    case PARE_REDUCE_LOG_SUM:
      return acc > 0 ? (int64_t)log ((double)acc) : 0;
    default:
      return acc;
    }
}

static void
store (PareView *v, int64_t i, PareReduceKind kind, const Acc *acc, int64_t c, double most, int64_t n)
{
  switch (v->dtype)
    {
    case PARE_DTYPE_FLOAT32:
      ((float *)v->data)[i] = (float)finish_real (kind, acc->real[c], most, n);
      break;
    case PARE_DTYPE_FLOAT64:
      ((double *)v->data)[i] = finish_real (kind, acc->real[c], most, n);
      break;
    case PARE_DTYPE_INT32:
    case PARE_DTYPE_UINT32:
      ((uint32_t *)v->data)[i] = (uint32_t)finish_whole (kind, acc->whole[c], n);
      break;
    case PARE_DTYPE_INT64:
      ((int64_t *)v->data)[i] = finish_whole (kind, acc->whole[c], n);
      break;
    default:
      ((uint8_t *)v->data)[i] = (uint8_t)finish_whole (kind, acc->whole[c], n);
    }
}

typedef struct
{
  PareReduceKind kind;
  const PareView *x;
  PareView *y;
  const Plan *plan;
  int64_t width, cs; /* of the innermost kept axis */
  bool real;
  int64_t blocks; /* of columns in it */
} Job;

/* One block of columns. */
static void
run_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  const Plan *plan = j->plan;
  int64_t row = task / j->blocks, c0 = task % j->blocks * COLUMNS, cols = j->width - c0 < COLUMNS ? j->width - c0 : COLUMNS,
          at = c0 * j->cs;
  for (int64_t i = 1, rest = row; i < plan->n_kept; rest /= plan->kept[i], i++)
    at += rest % plan->kept[i] * plan->kept_stride[i];
  Acc acc, most = { .real = { 0 } };
  if (j->kind == PARE_REDUCE_LOG_SUM_EXP)
    {
      accumulate (PARE_REDUCE_MAX, j->x, plan, at, cols, j->cs, true, &most, NULL);
      for (int64_t c = 0; c < cols; c++)
        if (isinf (most.real[c])) /* inf - inf would be NaN; exp (inf) and exp (-inf) are right as they are */
          most.real[c] = 0;
    }
  accumulate (j->kind, j->x, plan, at, cols, j->cs, j->real, &acc, most.real);
  if (j->y->dtype == PARE_DTYPE_FLOAT32 && j->kind <= PARE_REDUCE_PROD && j->kind != PARE_REDUCE_MEAN)
    for (int64_t c = 0; c < cols; c++)
      ((float *)j->y->data)[row * j->width + c0 + c] = (float)acc.real[c];
  else
    for (int64_t c = 0; c < cols; c++)
      store (j->y, row * j->width + c0 + c, j->kind, &acc, c, most.real[c], plan->n_each);
}

/* The largest or smallest of all floats: it does not matter who finds it. */
#define MOST_PARTS 64
typedef struct
{
  PareReduceKind kind;
  const float *x;
  int64_t n, each;
  float found[MOST_PARTS], least[MOST_PARTS]; /* least: where both ends are asked for */
} Extreme;

static void
run_extreme (int64_t task, int worker, void *arg)
{
  Extreme *e = arg;
  int64_t at = task * e->each;
  e->found[task] = (float)run_f32 (e->kind, e->x + at, e->n - at < e->each ? e->n - at : e->each);
}

/* The number of parts. */
static int64_t
divide (Extreme *e)
{
  e->each = e->n > PARE_RT_SHARE * MOST_PARTS ? (e->n + MOST_PARTS - 1) / MOST_PARTS : PARE_RT_SHARE;
  return (e->n + e->each - 1) / e->each;
}

static float
extreme_of_all (PareReduceKind kind, const float *x, int64_t n)
{
  Extreme e = { .kind = kind, .x = x, .n = n };
  int64_t parts = divide (&e);
  pare_rt_parallel_if (n >= 4 * PARE_RT_SHARE, parts, run_extreme, &e);
  return (float)run_f32 (kind, e.found, parts);
}

static void
run_ends (int64_t task, int worker, void *arg)
{
  Extreme *e = arg;
  int64_t at = task * e->each;
  ends_f32 (e->x + at, e->n - at < e->each ? e->n - at : e->each, &e->found[task], &e->least[task]);
}

static void
ends_of_all (const float *x, int64_t n, float *greatest, float *smallest)
{
  Extreme e = { .x = x, .n = n };
  int64_t parts = divide (&e);
  pare_rt_parallel_if (n >= 4 * PARE_RT_SHARE, parts, run_ends, &e);
  *greatest = (float)run_f32 (PARE_REDUCE_MAX, e.found, parts);
  *smallest = (float)run_f32 (PARE_REDUCE_MIN, e.least, parts);
}

KERNEL (pare_rt_k_reduce)
{
  const PareReduceParams *p = params;
  Plan plan;
  REQUIRE (p && n_in >= 1 && (n_out == 1 || n_out == 2) && in[0].dtype == out[0].dtype && (unsigned)p->kind <= PARE_REDUCE_SUM_SQUARE);
  PareDtype t = in[0].dtype;
  bool real = t == PARE_DTYPE_FLOAT32 || t == PARE_DTYPE_FLOAT64, extreme = p->kind == PARE_REDUCE_MAX || p->kind == PARE_REDUCE_MIN;
  SUPPORT (real || t == PARE_DTYPE_INT32 || t == PARE_DTYPE_UINT32 || t == PARE_DTYPE_INT64 || t == PARE_DTYPE_INT8 || t == PARE_DTYPE_UINT8
           || (extreme && t == PARE_DTYPE_BOOL));
  SUPPORT (real || p->kind != PARE_REDUCE_LOG_SUM_EXP);
  REQUIRE (p->axes >> in[0].shape.rank == 0);
  make_plan (&in[0].shape, p->axes, &plan);
  REQUIRE (count_of (&out[0]) == plan.n_out);
  /* the largest of all and, as a second output, the smallest */
  REQUIRE (n_out == 1
           || (p->kind == PARE_REDUCE_MAX && t == PARE_DTYPE_FLOAT32 && plan.n_out == 1 && plan.n_each > 0 && out[1].dtype == t
               && count_of (&out[1]) == 1));
  CHECKED;
  if (n_out == 2)
    {
      ends_of_all (in[0].data, plan.n_each, out[0].data, out[1].data);
      return PARE_RT_OK;
    }
  if (extreme && t == PARE_DTYPE_FLOAT32 && plan.n_out == 1 && plan.n_each > 0)
    {
      *(float *)out[0].data = extreme_of_all (p->kind, in[0].data, plan.n_each);
      return PARE_RT_OK;
    }
  int64_t width = plan.n_kept > 0 ? plan.kept[0] : 1, cs = plan.n_kept > 0 ? plan.kept_stride[0] : 1;
  Job job = { p->kind, &in[0], &out[0], &plan, width, cs, real, (width + COLUMNS - 1) / COLUMNS };
  if (plan.n_out > 0)
    pare_rt_parallel_if (plan.n_out * (plan.n_each > 0 ? plan.n_each : 1) >= 4 * PARE_RT_SHARE, plan.n_out / width * job.blocks, run_task,
                         &job);
  return PARE_RT_OK;
}
