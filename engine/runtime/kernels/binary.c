/* Elementwise functions of two operands with numpy broadcasting. */
#include "engine/runtime/kernels/kernel.h"

#define APPLY_REAL(name, type, power, remainder)                                                                                           \
  static inline type name (int kind, type a, type b)                                                                                       \
  {                                                                                                                                        \
    switch (kind)                                                                                                                          \
      {                                                                                                                                    \
      case PARE_BIN_ADD:                                                                                                                   \
        return a + b;                                                                                                                      \
      case PARE_BIN_SUB:                                                                                                                   \
        return a - b;                                                                                                                      \
      case PARE_BIN_MUL:                                                                                                                   \
        return a * b;                                                                                                                      \
      case PARE_BIN_DIV:                                                                                                                   \
        return a / b;                                                                                                                      \
      case PARE_BIN_POW:                                                                                                                   \
        return power (a, b);                                                                                                               \
      case PARE_BIN_MIN:                                                                                                                   \
        return isnan (a) ? a : a < b || isnan (b) == 0 ? (a < b ? a : b) : b;                                                              \
      case PARE_BIN_MAX:                                                                                                                   \
        return isnan (a) ? a : a > b || isnan (b) == 0 ? (a > b ? a : b) : b;                                                              \
      case PARE_BIN_MOD:                                                                                                                   \
        {                                                                                                                                  \
          type r = remainder (a, b);                                                                                                       \
          return r != 0 && (r < 0) != (b < 0) ? r + b : r;                                                                                 \
        }                                                                                                                                  \
      case PARE_BIN_FMOD:                                                                                                                  \
        return remainder (a, b);                                                                                                           \
      case PARE_BIN_PRELU:                                                                                                                 \
        return a < 0 ? a * b : a;                                                                                                          \
      default:                                                                                                                             \
        return 0;                                                                                                                          \
      }                                                                                                                                    \
  }

APPLY_REAL (apply_f32, float, powf, fmodf)
APPLY_REAL (apply_f64, double, pow, fmod)

static inline int64_t
apply_int (int kind, int64_t a, int64_t b, bool wide /* unsigned, of 64 bits */)
{
  switch (kind)
    {
    case PARE_BIN_ADD:
      return (int64_t)((uint64_t)a + (uint64_t)b);
    case PARE_BIN_SUB:
      return (int64_t)((uint64_t)a - (uint64_t)b);
    case PARE_BIN_MUL:
      return (int64_t)((uint64_t)a * (uint64_t)b);
    case PARE_BIN_DIV:
      return b == 0 ? 0 : b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
    case PARE_BIN_POW:
      {
        uint64_t r = 1, x = (uint64_t)a;
        for (int64_t e = b < 0 ? 0 : b; e > 0; e >>= 1, x *= x)
          if (e & 1)
            r *= x;
        return (int64_t)r;
      }
    case PARE_BIN_MIN:
      return a < b ? a : b;
    case PARE_BIN_MAX:
      return a > b ? a : b;
    case PARE_BIN_MOD:
      {
        int64_t r = b == 0 || b == -1 ? 0 : a % b;
        return r != 0 && (r < 0) != (b < 0) ? r + b : r;
      }
    case PARE_BIN_FMOD:
      return b == 0 || b == -1 ? 0 : a % b;
    case PARE_BIN_PRELU:
      return a < 0 && !wide ? (int64_t)((uint64_t)a * (uint64_t)b) : a;
    case PARE_BIN_BIT_AND:
      return a & b;
    case PARE_BIN_BIT_OR:
      return a | b;
    case PARE_BIN_BIT_XOR:
      return a ^ b;
    case PARE_BIN_SHIFT_LEFT:
      return b < 0 || b > 63 ? 0 : (int64_t)((uint64_t)a << b);
    case PARE_BIN_SHIFT_RIGHT:
      if (wide)
        return b < 0 || b > 63 ? 0 : (int64_t)((uint64_t)a >> b);
      return b < 0 || b > 63 ? (a < 0 ? -1 : 0) : a >> b; /* the sign goes on */
    default:
      return 0;
    }
}

static inline int64_t
load_int (const PareView *v, int64_t i)
{
  switch (v->dtype)
    {
    case PARE_DTYPE_INT8:
      return ((const int8_t *)v->data)[i];
    case PARE_DTYPE_UINT8:
    case PARE_DTYPE_BOOL:
      return ((const uint8_t *)v->data)[i];
    case PARE_DTYPE_INT16:
      return ((const int16_t *)v->data)[i];
    case PARE_DTYPE_UINT16:
      return ((const uint16_t *)v->data)[i];
    case PARE_DTYPE_INT32:
      return ((const int32_t *)v->data)[i];
    case PARE_DTYPE_UINT32:
      return ((const uint32_t *)v->data)[i];
    default:
      return ((const int64_t *)v->data)[i];
    }
}

static inline void
store_int (PareView *v, int64_t i, int64_t x)
{
  switch (v->dtype)
    {
    case PARE_DTYPE_INT8:
    case PARE_DTYPE_UINT8:
      ((uint8_t *)v->data)[i] = (uint8_t)x;
      break;
    case PARE_DTYPE_INT16:
    case PARE_DTYPE_UINT16:
      ((uint16_t *)v->data)[i] = (uint16_t)x;
      break;
    case PARE_DTYPE_INT32:
    case PARE_DTYPE_UINT32:
      ((uint32_t *)v->data)[i] = (uint32_t)x;
      break;
    default:
      ((int64_t *)v->data)[i] = x;
    }
}

/* Runs of the last axis: a and b step by sa and sb (0 or 1). */
#define ROW(type, expr)                                                                                                                    \
  if (sa && sb)                                                                                                                            \
    PARE_RT_IVDEP                                                                                                                          \
  for (int64_t i = 0; i < n; i++)                                                                                                          \
    {                                                                                                                                      \
      type u = a[i], v = b[i];                                                                                                             \
      y[i] = expr;                                                                                                                         \
    }                                                                                                                                      \
  else if (sa)                                                                                                                             \
  {                                                                                                                                        \
    type v = b[0];                                                                                                                         \
    PARE_RT_IVDEP                                                                                                                          \
    for (int64_t i = 0; i < n; i++)                                                                                                        \
      {                                                                                                                                    \
        type u = a[i];                                                                                                                     \
        y[i] = expr;                                                                                                                       \
      }                                                                                                                                    \
  }                                                                                                                                        \
  else if (sb)                                                                                                                             \
  {                                                                                                                                        \
    type u = a[0];                                                                                                                         \
    PARE_RT_IVDEP                                                                                                                          \
    for (int64_t i = 0; i < n; i++)                                                                                                        \
      {                                                                                                                                    \
        type v = b[i];                                                                                                                     \
        y[i] = expr;                                                                                                                       \
      }                                                                                                                                    \
  }                                                                                                                                        \
  else                                                                                                                                     \
  {                                                                                                                                        \
    type u = a[0], v = b[0];                                                                                                               \
    for (int64_t i = 0; i < n; i++)                                                                                                        \
      y[i] = expr;                                                                                                                         \
  }                                                                                                                                        \
  break
PARE_RT_CLONES static void
run_row (int kind, const float *a, int64_t sa, const float *b, int64_t sb, float *y, int64_t n)
{
  if (kind == PARE_BIN_POW && sa && !sb && b[0] == 2) /* the square, as the middle of a written out normalization has it */
    {
      kind = PARE_BIN_MUL;
      b = a;
      sb = sa;
    }
  switch (kind)
    {
    case PARE_BIN_ADD:
      ROW (float, u + v);
    case PARE_BIN_SUB:
      ROW (float, u - v);
    case PARE_BIN_MUL:
      ROW (float, (u * v));
    case PARE_BIN_DIV:
      ROW (float, u / v);
    case PARE_BIN_MIN:
      ROW (float, u < v || u != u ? u : v);
    case PARE_BIN_MAX:
      ROW (float, u > v || u != u ? u : v);
    case PARE_BIN_PRELU:
      ROW (float, u < 0 ? u * v : u);
    default:
      for (int64_t i = 0; i < n; i++)
        y[i] = apply_f32 (kind, a[i * sa], b[i * sb]);
    }
}

/* Sums, differences and products of whole numbers wrap, whatever their sign; false: another function. */
#define WHOLE_ROW(name, type)                                                                                                              \
  PARE_RT_CLONES static bool name (int kind, const type *a, int64_t sa, const type *b, int64_t sb, type *y, int64_t n)                     \
  {                                                                                                                                        \
    switch (kind)                                                                                                                          \
      {                                                                                                                                    \
      case PARE_BIN_ADD:                                                                                                                   \
        ROW (type, u + v);                                                                                                                 \
      case PARE_BIN_SUB:                                                                                                                   \
        ROW (type, u - v);                                                                                                                 \
      case PARE_BIN_MUL:                                                                                                                   \
        ROW (type, (u * v));                                                                                                               \
      default:                                                                                                                             \
        return false;                                                                                                                      \
      }                                                                                                                                    \
    return true;                                                                                                                           \
  }
WHOLE_ROW (run_row_32, uint32_t)
WHOLE_ROW (run_row_64, uint64_t)
#undef ROW

static bool
run_whole_row (int kind, const PareView *a, int64_t oa, int64_t sa, const PareView *b, int64_t ob, int64_t sb, PareView *y, int64_t at,
               int64_t n)
{
  if (y->dtype == PARE_DTYPE_INT32 || y->dtype == PARE_DTYPE_UINT32)
    return run_row_32 (kind, (const uint32_t *)a->data + oa, sa, (const uint32_t *)b->data + ob, sb, (uint32_t *)y->data + at, n);
  if (y->dtype == PARE_DTYPE_INT64 || y->dtype == PARE_DTYPE_UINT64)
    return run_row_64 (kind, (const uint64_t *)a->data + oa, sa, (const uint64_t *)b->data + ob, sb, (uint64_t *)y->data + at, n);
  return false;
}

/* A float step: rows of the last axes, in tasks of whole rows or, where there is but one, of parts of it. */
typedef struct
{
  const PareBinaryParams *p;
  const float *a, *b;
  float *y;
  const PareShape *shape;
  const int64_t *sa, *sb;
  int axis;
  int64_t row, rows, each, la, lb;
} Job;

static void
run_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t first = j->rows == 1 ? 0 : task * j->each, last = j->rows == 1 ? 1 : first + j->each;
  int64_t from = j->rows == 1 ? task * j->each : 0, n = j->rows == 1 && j->row - from > j->each ? j->each : j->row - from;
  for (int64_t r = first; r < last && r < j->rows; r++)
    {
      int64_t oa = from * j->la, ob = from * j->lb, rest = r;
      for (int d = j->axis - 1; d >= 0; d--)
        {
          int64_t at = rest % j->shape->dims[d];
          rest /= j->shape->dims[d];
          oa += at * j->sa[d];
          ob += at * j->sb[d];
        }
      float *y = j->y + r * j->row + from;
      run_row (j->p->kind, j->a + oa, j->la, j->b + ob, j->lb, y, n);
      if (j->p->activation != PARE_ACT_NONE)
        pare_rt_activate (y, n, j->p->activation, j->p->lo, j->p->hi, 0);
    }
}

/* A step one of whose operands is a short row that comes again and again, as each pixel's is where channels are last (means of a
 * preprocessing, mostly three): laid out several times, it makes rows long enough for vectors. */
#define SHORT_ROW 64
#define LONG_ROW 1024

typedef struct
{
  const PareBinaryParams *p;
  const float *whole, *tile; /* tile: LONG_ROW at most, whole short rows */
  float *y;
  int64_t n, each, tiled;
  bool first; /* the row is the first operand */
} Repeat;

static void
run_repeated (int64_t task, int worker, void *arg)
{
  const Repeat *r = arg;
  int64_t end = (task + 1) * r->each < r->n ? (task + 1) * r->each : r->n;
  for (int64_t at = task * r->each; at < end; at += r->tiled)
    {
      int64_t n = end - at < r->tiled ? end - at : r->tiled;
      const float *whole = r->whole + at;
      run_row (r->p->kind, r->first ? r->tile : whole, 1, r->first ? whole : r->tile, 1, r->y + at, n);
      if (r->p->activation != PARE_ACT_NONE)
        pare_rt_activate (r->y + at, n, r->p->activation, r->p->lo, r->p->hi, 0);
    }
}

static void
run_short_rows (const PareBinaryParams *p, const float *whole, const float *row, bool first, float *y, int64_t n, int64_t length)
{
  float tile[LONG_ROW];
  int64_t tiled = LONG_ROW / length * length;
  for (int64_t i = 0; i < tiled; i++)
    tile[i] = i < length ? row[i] : tile[i - length];
  Repeat r = { p, whole, tile, y, n, (PARE_RT_SHARE + tiled - 1) / tiled * tiled, tiled, first };
  pare_rt_parallel_if (n >= 4 * PARE_RT_SHARE, (n + r.each - 1) / r.each, run_repeated, &r);
}

/* Element strides of v over out's axes; 0 where it is broadcast. false: it does not broadcast. */
static bool
strides_of (const PareView *v, const PareView *out, int64_t *strides)
{
  int skip = out->shape.rank - v->shape.rank;
  int64_t step = 1;
  if (skip < 0)
    return false;
  for (int i = out->shape.rank - 1; i >= 0; i--)
    {
      int64_t d = i < skip ? 1 : v->shape.dims[i - skip];
      if (d != 1 && d != out->shape.dims[i])
        return false;
      strides[i] = d == 1 ? 0 : step;
      step *= d;
    }
  return true;
}

KERNEL (pare_rt_k_binary)
{
  const PareBinaryParams *p = params;
  int64_t sa[PARE_MAX_RANK] = { 0 }, sb[PARE_MAX_RANK] = { 0 }, index[PARE_MAX_RANK] = { 0 };
  REQUIRE (p && n_in == 2 && n_out == 1 && in[0].dtype == in[1].dtype);
  REQUIRE (strides_of (&in[0], &out[0], sa) && strides_of (&in[1], &out[0], sb));
  bool logical = p->kind >= PARE_BIN_EQUAL && p->kind <= PARE_BIN_XOR, f32 = is_f32 (&in[0]), f64 = in[0].dtype == PARE_DTYPE_FLOAT64;
  bool whole = !f32 && !f64;
  REQUIRE (out[0].dtype == (logical ? PARE_DTYPE_BOOL : in[0].dtype));
  SUPPORT (element_size (&in[0]) > 0 && in[0].dtype != PARE_DTYPE_FLOAT16 && in[0].dtype != PARE_DTYPE_BFLOAT16);
  SUPPORT (p->kind < PARE_BIN_BIT_AND || whole);
  CHECKED;
  int rank = out[0].shape.rank;
  int64_t n = count_of (&out[0]), row = rank > 0 ? out[0].shape.dims[rank - 1] : 1;
  int64_t la = rank > 0 ? sa[rank - 1] : 0, lb = rank > 0 ? sb[rank - 1] : 0;
  /* trailing axes where both run along form one row */
  int axis = rank - 1;
  while (axis > 0
         && ((la && lb && sa[axis - 1] == row && sb[axis - 1] == row) || (la && !lb && sa[axis - 1] == row && !sb[axis - 1])
             || (!la && lb && sb[axis - 1] == row && !sa[axis - 1])))
    row *= out[0].shape.dims[--axis];
  if (n == 0)
    return PARE_RT_OK;
  if (f32 && !logical && la && lb && row <= SHORT_ROW && n / row > 8
      && ((count_of (&in[0]) == n && count_of (&in[1]) == row) || (count_of (&in[1]) == n && count_of (&in[0]) == row)))
    {
      bool first = count_of (&in[0]) == row;
      run_short_rows (p, in[first].data, in[!first].data, first, out[0].data, n, row);
      return PARE_RT_OK;
    }
  if (f32 && !logical)
    {
      int64_t rows = n / row, each = rows == 1 ? PARE_RT_SHARE : row >= PARE_RT_SHARE ? 1 : PARE_RT_SHARE / row;
      Job job = { p, in[0].data, in[1].data, out[0].data, &out[0].shape, sa, sb, axis, row, rows, each, la, lb };
      pare_rt_parallel_if (n >= 4 * PARE_RT_SHARE, ((rows == 1 ? row : rows) + each - 1) / each, run_task, &job);
      return PARE_RT_OK;
    }
  bool wide = in[0].dtype == PARE_DTYPE_UINT64;
  for (int64_t done = 0; done < n; done += row)
    {
      int64_t oa = 0, ob = 0;
      for (int d = 0; d < axis; d++)
        {
          oa += index[d] * sa[d];
          ob += index[d] * sb[d];
        }
      if (logical)
        pare_rt_compare_row (p->kind, &in[0], oa, la, &in[1], ob, lb, (uint8_t *)out[0].data + done, row);
      bool ready = logical || run_whole_row (p->kind, &in[0], oa, la, &in[1], ob, lb, &out[0], done, row);
      for (int64_t i = 0; i < row && !ready; i++)
        {
          int64_t ia = oa + i * la, ib = ob + i * lb;
          if (f64)
            ((double *)out[0].data)[done + i] = apply_f64 (p->kind, ((const double *)in[0].data)[ia], ((const double *)in[1].data)[ib]);
          else
            store_int (&out[0], done + i, apply_int (p->kind, load_int (&in[0], ia), load_int (&in[1], ib), wide));
        }
      for (int d = axis - 1; d >= 0 && ++index[d] == out[0].shape.dims[d]; d--)
        index[d] = 0;
    }
  return PARE_RT_OK;
}
