/* Loops of our own over codes of 8 bits, in the layouts in which oneDNN leaves them: dense memory, channels innermost. Each is the portable
 * kernel's arithmetic, step by step, over another order of elements; written for newer CPUs beside the baseline and chosen when the plan is
 * built. `part` of `parts`: the share of the calling thread. */
#pragma once
#include "engine/runtime/pare-rt.h"

typedef void (*PareAccelLoop) (const void *params, const PareView *args, int part, int parts);

typedef struct
{
  PareQAddParams p;
  bool signed_a, signed_b, signed_y;
  uint64_t n;
} PareAddCodes; /* a, b, y; none lies over another */
PareAccelLoop pare_accel_loop_add (void);

typedef struct
{
  uint64_t n;
} PareLutCodes; /* x, table, y: bytes */
PareAccelLoop pare_accel_loop_lut (void);

typedef struct
{
  float scale;
  int32_t zero, lo, hi;
  int64_t planes, area; /* of the float: [batch, planes, area]; planes 1: one run */
  int64_t batch;
} PareQuantizeCodes; /* x row-major, y with the planes innermost */
PareAccelLoop pare_accel_loop_quantize (void);

typedef struct
{
  float scale;
  int32_t zero;
  bool is_signed;
  uint64_t n;
} PareDequantizeCodes; /* x, y */
PareAccelLoop pare_accel_loop_dequantize (void);

typedef struct
{
  const PareQAvgPoolParams *p; /* of averages */
  bool is_signed;
  int64_t batch, channels, in[3], out[3], k[3], stride[3], dilation[3], pad[3], pad_end[3];
} ParePoolCodes; /* x, y */
PareAccelLoop pare_accel_loop_avg_pool (void);
PareAccelLoop pare_accel_loop_max_pool (void);

/* Rows of several operands one after the other: rows * (run[0] + run[1] ...) bytes. */
typedef struct
{
  int n;
  int64_t rows, run[PARE_RT_MAX_IN];
} PareConcatCodes; /* the operands, y */
PareAccelLoop pare_accel_loop_concat (void);

/* An activation of a float result that oneDNN would only approximate. */
typedef struct
{
  int activation;
  float lo, hi, alpha;
  uint64_t n;
} PareActivateFloats; /* y */
PareAccelLoop pare_accel_loop_activate (void);
