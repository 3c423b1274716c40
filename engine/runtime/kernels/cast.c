/* Cast between all numeric types. Real to integer truncates; what ONNX leaves undefined is defined here: out of range saturates, NaN is 0.
 * Integers wrap, bool is "not zero". A block at a time goes through the widest type of the source's kind, so that nothing is rounded twice.
 */
#include "engine/runtime/kernels/half.h"

#define BLOCK 256

typedef enum
{
  REAL,
  SIGNED,
  UNSIGNED,
  NEITHER
} Class;

typedef union
{
  double real[BLOCK];
  int64_t s[BLOCK];
  uint64_t u[BLOCK];
} Wide;

static Class
class_of (PareDtype dtype)
{
  switch (dtype)
    {
    case PARE_DTYPE_FLOAT32:
    case PARE_DTYPE_FLOAT64:
    case PARE_DTYPE_FLOAT16:
    case PARE_DTYPE_BFLOAT16:
      return REAL;
    case PARE_DTYPE_INT8:
    case PARE_DTYPE_INT16:
    case PARE_DTYPE_INT32:
    case PARE_DTYPE_INT64:
    case PARE_DTYPE_INT4:
      return SIGNED;
    case PARE_DTYPE_UINT8:
    case PARE_DTYPE_UINT16:
    case PARE_DTYPE_UINT32:
    case PARE_DTYPE_UINT64:
    case PARE_DTYPE_UINT4:
    case PARE_DTYPE_BOOL:
      return UNSIGNED;
    default:
      return NEITHER;
    }
}

#define LOAD(member, type, expr)                                                                                                           \
  {                                                                                                                                        \
    const type *x = v->data;                                                                                                               \
    for (int64_t i = 0; i < n; i++)                                                                                                        \
      w->member[i] = expr;                                                                                                                 \
    break;                                                                                                                                 \
  }

static void
load (const PareView *v, int64_t at, int64_t n, Wide *w)
{
  switch (v->dtype)
    {
    case PARE_DTYPE_FLOAT32:
      LOAD (real, float, x[at + i])
    case PARE_DTYPE_FLOAT64:
      LOAD (real, double, x[at + i])
    case PARE_DTYPE_FLOAT16:
      LOAD (real, uint16_t, half_to_float (x[at + i]))
    case PARE_DTYPE_BFLOAT16:
      LOAD (real, uint16_t, bfloat_to_float (x[at + i]))
    case PARE_DTYPE_INT8:
      LOAD (s, int8_t, x[at + i])
    case PARE_DTYPE_INT16:
      LOAD (s, int16_t, x[at + i])
    case PARE_DTYPE_INT32:
      LOAD (s, int32_t, x[at + i])
    case PARE_DTYPE_INT64:
      LOAD (s, int64_t, x[at + i])
    case PARE_DTYPE_INT4:
      LOAD (s, uint8_t, nibble_at (x, at + i, true))
    case PARE_DTYPE_BOOL:
      LOAD (u, uint8_t, x[at + i] != 0)
    case PARE_DTYPE_UINT8:
      LOAD (u, uint8_t, x[at + i])
    case PARE_DTYPE_UINT16:
      LOAD (u, uint16_t, x[at + i])
    case PARE_DTYPE_UINT32:
      LOAD (u, uint32_t, x[at + i])
    case PARE_DTYPE_UINT64:
      LOAD (u, uint64_t, x[at + i])
    default:
      LOAD (u, uint8_t, nibble_at (x, at + i, false))
    }
}

/* lo <= v < hi; comparisons are false for NaN */
static inline int64_t
to_signed (double v, double lo, double hi, int64_t most)
{
  return v >= hi ? most : v > lo ? (int64_t)v : v <= lo ? (int64_t)lo : 0;
}

static inline uint64_t
to_unsigned (double v, double hi, uint64_t most)
{
  return v >= hi ? most : v > 0 ? (uint64_t)v : 0;
}

#define STORE(type, expr)                                                                                                                  \
  {                                                                                                                                        \
    type *y = v->data;                                                                                                                     \
    for (int64_t i = 0; i < n; i++)                                                                                                        \
      y[at + i] = (type)(expr);                                                                                                            \
    break;                                                                                                                                 \
  }
#define STORE_4(expr)                                                                                                                      \
  {                                                                                                                                        \
    for (int64_t i = 0; i < n; i++)                                                                                                        \
      set_nibble (v->data, at + i, (int)(expr));                                                                                           \
    break;                                                                                                                                 \
  }

static void
store_real (PareView *v, int64_t at, int64_t n, const double *x)
{
  switch (v->dtype)
    {
    case PARE_DTYPE_FLOAT32:
      STORE (float, x[i])
    case PARE_DTYPE_FLOAT64:
      STORE (double, x[i])
    case PARE_DTYPE_FLOAT16:
      STORE (uint16_t, float_to_half (float_to_odd ((double)x[i])))
    case PARE_DTYPE_BFLOAT16:
      STORE (uint16_t, float_to_bfloat (float_to_odd ((double)x[i])))
    case PARE_DTYPE_INT8:
      STORE (int8_t, to_signed (x[i], -128.0, 128.0, 127))
    case PARE_DTYPE_INT16:
      STORE (int16_t, to_signed (x[i], -32768.0, 32768.0, 32767))
    case PARE_DTYPE_INT32:
      STORE (int32_t, to_signed (x[i], -0x1p31, 0x1p31, INT32_MAX))
    case PARE_DTYPE_INT64:
      STORE (int64_t, to_signed (x[i], -0x1p63, 0x1p63, INT64_MAX))
    case PARE_DTYPE_INT4:
      STORE_4 (to_signed (x[i], -8.0, 8.0, 7))
    case PARE_DTYPE_BOOL:
      STORE (uint8_t, x[i] != 0)
    case PARE_DTYPE_UINT8:
      STORE (uint8_t, to_unsigned (x[i], 0x1p8, UINT8_MAX))
    case PARE_DTYPE_UINT16:
      STORE (uint16_t, to_unsigned (x[i], 0x1p16, UINT16_MAX))
    case PARE_DTYPE_UINT32:
      STORE (uint32_t, to_unsigned (x[i], 0x1p32, UINT32_MAX))
    case PARE_DTYPE_UINT64:
      STORE (uint64_t, to_unsigned (x[i], 0x1p64, UINT64_MAX))
    default:
      STORE_4 (to_unsigned (x[i], 16.0, 15))
    }
}

#define STORE_WHOLE(name, wide)                                                                                                            \
  static void name (PareView *v, int64_t at, int64_t n, const wide *x)                                                                     \
  {                                                                                                                                        \
    switch (v->dtype)                                                                                                                      \
      {                                                                                                                                    \
      case PARE_DTYPE_FLOAT32:                                                                                                             \
        STORE (float, x[i])                                                                                                                \
      case PARE_DTYPE_FLOAT64:                                                                                                             \
        STORE (double, x[i])                                                                                                               \
      case PARE_DTYPE_FLOAT16:                                                                                                             \
        STORE (uint16_t, float_to_half (float_to_odd ((double)x[i])))                                                                      \
      case PARE_DTYPE_BFLOAT16:                                                                                                            \
        STORE (uint16_t, float_to_bfloat (float_to_odd ((double)x[i])))                                                                    \
      case PARE_DTYPE_BOOL:                                                                                                                \
        STORE (uint8_t, x[i] != 0)                                                                                                         \
      case PARE_DTYPE_INT4:                                                                                                                \
      case PARE_DTYPE_UINT4:                                                                                                               \
        STORE_4 (x[i] & 15)                                                                                                                \
      case PARE_DTYPE_INT8:                                                                                                                \
      case PARE_DTYPE_UINT8:                                                                                                               \
        STORE (uint8_t, x[i])                                                                                                              \
      case PARE_DTYPE_INT16:                                                                                                               \
      case PARE_DTYPE_UINT16:                                                                                                              \
        STORE (uint16_t, x[i])                                                                                                             \
      case PARE_DTYPE_INT32:                                                                                                               \
      case PARE_DTYPE_UINT32:                                                                                                              \
        STORE (uint32_t, x[i])                                                                                                             \
      default:                                                                                                                             \
        STORE (uint64_t, x[i])                                                                                                             \
      }                                                                                                                                    \
  }
STORE_WHOLE (store_signed, int64_t)
STORE_WHOLE (store_unsigned, uint64_t)

/* The same as half_to_float, without branches, so that compilers do several at once: a half's bits in the place of a float's are its value
 * times 2^-112, subnormal or not. */
static void
halves_to_floats (const uint16_t *x, float *y, int64_t n)
{
  for (int64_t i = 0; i < n; i++)
    {
      union
      {
        uint32_t u;
        float f;
      } v = { (uint32_t)(x[i] & 0x7fff) << 13 };
      uint32_t special = (x[i] & 0x7c00) == 0x7c00 ? 0x7f800000u : 0;
      v.f *= 5.192296858534828e33f;
      v.u |= special | (uint32_t)(x[i] & 0x8000) << 16;
      y[i] = v.f;
    }
}

/* What masks and one-hot codes become. */
PARE_RT_CLONES static void
bytes_to_floats (const uint8_t *restrict x, bool truth, float *restrict y, int64_t n)
{
  if (truth)
    for (int64_t i = 0; i < n; i++)
      y[i] = x[i] != 0 ? 1.0f : 0.0f;
  else
    for (int64_t i = 0; i < n; i++)
      y[i] = (float)(int32_t)x[i];
}

PARE_RT_CLONES static void
ints_to_floats (const int32_t *restrict x, float *restrict y, int64_t n)
{
  for (int64_t i = 0; i < n; i++)
    y[i] = (float)x[i];
}

KERNEL (pare_rt_k_cast)
{
  REQUIRE (n_in >= 1 && n_out == 1);
  Class from = class_of (in[0].dtype);
  SUPPORT (from != NEITHER && class_of (out[0].dtype) != NEITHER);
  REQUIRE (count_of (&in[0]) == count_of (&out[0]));
  CHECKED;
  int64_t total = count_of (&in[0]);
  if (in[0].dtype == out[0].dtype)
    {
      if (total > 0)
        memmove (out[0].data, in[0].data, pare_shape_bytes (&in[0].shape, in[0].dtype));
      return PARE_RT_OK;
    }
  if ((in[0].dtype == PARE_DTYPE_BOOL || in[0].dtype == PARE_DTYPE_UINT8) && out[0].dtype == PARE_DTYPE_FLOAT32)
    {
      bytes_to_floats (in[0].data, in[0].dtype == PARE_DTYPE_BOOL, out[0].data, total);
      return PARE_RT_OK;
    }
  if (in[0].dtype == PARE_DTYPE_INT32 && out[0].dtype == PARE_DTYPE_FLOAT32)
    {
      ints_to_floats (in[0].data, out[0].data, total);
      return PARE_RT_OK;
    }
#if !defined(__arm__) /* its vectors take subnormal numbers for zero */
  if (in[0].dtype == PARE_DTYPE_FLOAT16 && out[0].dtype == PARE_DTYPE_FLOAT32)
    {
      halves_to_floats (in[0].data, out[0].data, total);
      return PARE_RT_OK;
    }
#endif
  for (int64_t at = 0; at < total; at += BLOCK)
    {
      Wide w;
      int64_t n = total - at < BLOCK ? total - at : BLOCK;
      load (&in[0], at, n, &w);
      if (from == REAL)
        store_real (&out[0], at, n, w.real);
      else if (from == SIGNED)
        store_signed (&out[0], at, n, w.s);
      else
        store_unsigned (&out[0], at, n, w.u);
    }
  return PARE_RT_OK;
}
