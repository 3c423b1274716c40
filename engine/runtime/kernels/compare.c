/* Comparisons of two rows; those of the types that masks and one-hot codes are made of, several values at once. */
#include "engine/runtime/kernels/kernel.h"

/* a and b step by sa and sb (0 or 1). */
#define LOOP(expr)                                                                                                                         \
  do                                                                                                                                       \
    {                                                                                                                                      \
      if (sa && sb)                                                                                                                        \
        for (int64_t i = 0; i < n; i++)                                                                                                    \
          {                                                                                                                                \
            __typeof__ (*a) u = a[i], v = b[i];                                                                                            \
            y[i] = expr;                                                                                                                   \
          }                                                                                                                                \
      else if (sa)                                                                                                                         \
        {                                                                                                                                  \
          __typeof__ (*a) v = b[0];                                                                                                        \
          for (int64_t i = 0; i < n; i++)                                                                                                  \
            {                                                                                                                              \
              __typeof__ (*a) u = a[i];                                                                                                    \
              y[i] = expr;                                                                                                                 \
            }                                                                                                                              \
        }                                                                                                                                  \
      else                                                                                                                                 \
        {                                                                                                                                  \
          __typeof__ (*a) u = a[0];                                                                                                        \
          for (int64_t i = 0; i < n; i++)                                                                                                  \
            {                                                                                                                              \
              __typeof__ (*a) v = b[i * sb];                                                                                               \
              y[i] = expr;                                                                                                                 \
            }                                                                                                                              \
        }                                                                                                                                  \
    }                                                                                                                                      \
  while (0)

#define ROWS(name, type)                                                                                                                   \
  PARE_RT_CLONES static void name (int kind, const type *restrict a, int64_t sa, const type *restrict b, int64_t sb, uint8_t *restrict y,  \
                                   int64_t n)                                                                                              \
  {                                                                                                                                        \
    switch (kind)                                                                                                                          \
      {                                                                                                                                    \
      case PARE_BIN_EQUAL:                                                                                                                 \
        LOOP (u == v);                                                                                                                     \
        break;                                                                                                                             \
      case PARE_BIN_LESS:                                                                                                                  \
        LOOP (u < v);                                                                                                                      \
        break;                                                                                                                             \
      case PARE_BIN_LESS_EQUAL:                                                                                                            \
        LOOP (u <= v);                                                                                                                     \
        break;                                                                                                                             \
      case PARE_BIN_GREATER:                                                                                                               \
        LOOP (u > v);                                                                                                                      \
        break;                                                                                                                             \
      case PARE_BIN_GREATER_EQUAL:                                                                                                         \
        LOOP (u >= v);                                                                                                                     \
        break;                                                                                                                             \
      case PARE_BIN_AND:                                                                                                                   \
        LOOP ((u != 0) & (v != 0));                                                                                                        \
        break;                                                                                                                             \
      case PARE_BIN_OR:                                                                                                                    \
        LOOP ((u != 0) | (v != 0));                                                                                                        \
        break;                                                                                                                             \
      default:                                                                                                                             \
        LOOP ((u != 0) != (v != 0));                                                                                                       \
      }                                                                                                                                    \
  }

ROWS (rows_f32, float)
ROWS (rows_f64, double)
ROWS (rows_i8, int8_t)
ROWS (rows_u8, uint8_t)
ROWS (rows_i16, int16_t)
ROWS (rows_u16, uint16_t)
ROWS (rows_i32, int32_t)
ROWS (rows_u32, uint32_t)
ROWS (rows_i64, int64_t)
ROWS (rows_u64, uint64_t)

void
pare_rt_compare_row (int kind, const PareView *a, int64_t at_a, int64_t sa, const PareView *b, int64_t at_b, int64_t sb, uint8_t *y,
                     int64_t n)
{
#define CASE(dtype, name, type)                                                                                                            \
  case dtype:                                                                                                                              \
    name (kind, (const type *)a->data + at_a, sa, (const type *)b->data + at_b, sb, y, n);                                                 \
    break
  switch (a->dtype)
    {
      CASE (PARE_DTYPE_FLOAT32, rows_f32, float);
      CASE (PARE_DTYPE_FLOAT64, rows_f64, double);
      CASE (PARE_DTYPE_INT8, rows_i8, int8_t);
      CASE (PARE_DTYPE_UINT8, rows_u8, uint8_t);
      CASE (PARE_DTYPE_BOOL, rows_u8, uint8_t);
      CASE (PARE_DTYPE_INT16, rows_i16, int16_t);
      CASE (PARE_DTYPE_UINT16, rows_u16, uint16_t);
      CASE (PARE_DTYPE_INT32, rows_i32, int32_t);
      CASE (PARE_DTYPE_UINT32, rows_u32, uint32_t);
      CASE (PARE_DTYPE_UINT64, rows_u64, uint64_t);
    default:
      rows_i64 (kind, (const int64_t *)a->data + at_a, sa, (const int64_t *)b->data + at_b, sb, y, n);
    }
#undef CASE
}
