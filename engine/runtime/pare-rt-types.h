/* Types that every room shares: element types, shapes, views and status.
 * Freestanding C11; the runtime owns them because it also runs on boards. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define PARE_MAX_RANK 8

/* Element types; the numbers are those of ONNX TensorProto.DataType. */
typedef enum {
  PARE_DTYPE_NONE = 0,
  PARE_DTYPE_FLOAT32 = 1,
  PARE_DTYPE_UINT8 = 2,
  PARE_DTYPE_INT8 = 3,
  PARE_DTYPE_UINT16 = 4,
  PARE_DTYPE_INT16 = 5,
  PARE_DTYPE_INT32 = 6,
  PARE_DTYPE_INT64 = 7,
  PARE_DTYPE_STRING = 8,
  PARE_DTYPE_BOOL = 9,
  PARE_DTYPE_FLOAT16 = 10,
  PARE_DTYPE_FLOAT64 = 11,
  PARE_DTYPE_UINT32 = 12,
  PARE_DTYPE_UINT64 = 13,
  PARE_DTYPE_BFLOAT16 = 16,
  PARE_DTYPE_UINT4 = 21,
  PARE_DTYPE_INT4 = 22,
  PARE_DTYPE_UINT2 = 25,
  PARE_DTYPE_INT2 = 26,
} PareDtype;

/* Row-major extents. rank -1: unknown rank; dims[i] -1: unknown extent. */
typedef struct {
  int32_t rank;
  int64_t dims[PARE_MAX_RANK];
} PareShape;

/* A borrowed, contiguous, row-major tensor. Types below 8 bits: several to a byte, the lowest bits first. */
typedef struct {
  PareDtype dtype;
  PareShape shape;
  void *data;
  const void *packed; /* a constant as its kernel likes to read it (pare_rt_weights_new), or NULL */
} PareView;

/* Bits of one element; 0 for types without a fixed size. */
static inline int
pare_dtype_bits (PareDtype dtype)
{
  switch (dtype)
    {
    case PARE_DTYPE_UINT2: case PARE_DTYPE_INT2: return 2;
    case PARE_DTYPE_UINT4: case PARE_DTYPE_INT4: return 4;
    case PARE_DTYPE_UINT8: case PARE_DTYPE_INT8: case PARE_DTYPE_BOOL: return 8;
    case PARE_DTYPE_UINT16: case PARE_DTYPE_INT16: case PARE_DTYPE_FLOAT16: case PARE_DTYPE_BFLOAT16: return 16;
    case PARE_DTYPE_FLOAT32: case PARE_DTYPE_INT32: case PARE_DTYPE_UINT32: return 32;
    case PARE_DTYPE_FLOAT64: case PARE_DTYPE_INT64: case PARE_DTYPE_UINT64: return 64;
    default: return 0;
    }
}

/* Number of elements; -1 where rank or an extent is unknown or the product overflows. */
static inline int64_t
pare_shape_count (const PareShape *shape)
{
  int64_t n = 1;
  if (shape->rank < 0)
    return -1;
  for (int i = 0; i < shape->rank; i++)
    if (shape->dims[i] < 0 || __builtin_mul_overflow (n, shape->dims[i], &n))
      return -1;
  return n;
}

/* Bytes a dense tensor takes; -1 as above. */
static inline int64_t
pare_shape_bytes (const PareShape *shape, PareDtype dtype)
{
  int64_t n = pare_shape_count (shape), bits;
  if (n < 0 || __builtin_mul_overflow (n, (int64_t) pare_dtype_bits (dtype), &bits) || bits > INT64_MAX - 7)
    return -1;
  return (bits + 7) / 8;
}
