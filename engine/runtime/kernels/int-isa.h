/* The kernels on codes, one set of functions for each instruction set, chosen at run time.
 *
 * All of them multiply panels: a panel holds, for each step, some columns, and of each column k_step consecutive codes of `width` bytes.
 * One operand lies in the lanes of vectors (a panel), the other is broadcast; sums are exact in int32, so every set gives the same bits.
 *   QConv: positions of the output in the lanes, weights broadcast.   QGemm: columns of the weights in the lanes, codes broadcast. */
#pragma once
#include "engine/runtime/kernels/kernel.h"

/* How codes come to the multiplier: (byte ^ flip) - zero, and fold: what is still to be taken off, times the sum of the weights. */
typedef struct
{
  uint8_t flip;
  int16_t zero;
  int32_t fold;
} PareIntCodes;

/* From sums to what is stored. Arrays of one entry a row (QConv) or a column (QGemm), complete up to the tile's edge. */
typedef struct
{
  const int32_t *init; /* where sums start */
  const float *bias, *scale;
  int32_t zero;                 /* added to what is rounded */
  float lo, hi;                 /* bounds before that */
  bool codes;                   /* else float32 */
  const float *factor, *offset; /* NULL, or what follows before those bounds (QConv): clipped to least..most, rounded, times, plus */
  float least, most, rounding;  /* as affine_value has it */
  const int32_t *moved;         /* NULL, or what is added for each row, times the sum of the column (QConv) */
  const float *columns;         /* those sums, of the whole numbers they are */
} PareIntScale;

/* The lines of a sub-block of an unfolded input: line k starts at strip + line[k], output row r of it r * row_stride later. */
typedef struct
{
  const uint8_t *strip;
  const int64_t *line;                            /* steps * k_step */
  int64_t row_stride, width, row, first, columns; /* columns of the sub-block, from position `first` of row `row`; rows are `width` wide */
} PareIntUnfold;

struct PareIntMatrix;

typedef struct
{
  const char *name;
  int k_step, width;
  int lanes;                   /* columns of one vector */
  int conv_rows, conv_vectors; /* largest tile of QConv: weights x vectors of positions */
  int gemm_rows, gemm_vectors; /* of QGemm: rows of codes x vectors of columns; panels of weights are that wide */
  bool biased;                 /* flip to UINT8 (else to INT8, where codes are of 8 bits) */

  /* Panels of nv vectors: lines as they lie, k_stride apart, of which `columns` are read. */
  void (*panel) (uint8_t *to, const uint8_t *from, int64_t k_stride, int64_t k, int64_t columns, int nv, PareIntCodes codes);
  /* All panels of a sub-block; `row`: room for one step of it and 64 columns more. */
  void (*unfold) (uint8_t *to, const PareIntUnfold *u, int64_t steps, PareIntCodes codes, uint8_t *row);
  /* n bytes to n codes of `width`. */
  void (*widen) (void *to, const uint8_t *from, int64_t n, PareIntCodes codes);
  /* n (a multiple of 64) weights of 8, 4 or 2 bits, as pare_rt_int_pack lays them, to codes of `width`. */
  void (*expand) (void *to, const uint8_t *from, int64_t n, int bits);
  /* y[rows][nv * lanes]; w: [steps][conv_rows]; x: a panel (next: NULL), or columns of which step s + 1 lies next[s] bytes behind step s. */
  void (*conv) (void *y, int64_t ldy, const uint8_t *x, const int64_t *next, const uint8_t *w, int64_t steps, int rows, int nv,
                const PareIntScale *scale);
  /* y[rows][gemm_vectors * lanes]; x: rows ldx bytes apart; w: a panel. */
  void (*gemm) (void *y, int64_t ldy, const uint8_t *x, int64_t ldx, const uint8_t *w, int64_t steps, int rows, const PareIntScale *scale);
  /* y[j] for j < n (and up to 63 beyond): sum over taps of x[offset[t] + j * stride ..], k_step codes a tap; w: [taps][k_step]. stride: 1,
   * or 2 where k_step is more than 1. */
  void (*depthwise) (void *y, const uint8_t *x, const int64_t *offset, const uint8_t *w, int64_t taps, int64_t n, int stride,
                     const PareIntScale *scale);
  const struct PareIntMatrix *matrix; /* int-matrix.h; or NULL */
} PareIntIsa;

/* What this CPU runs best, or what pare_rt_int_limit() has set. */
const PareIntIsa *pare_rt_int_isa (void);
/* The same for weights of this type: those of 16 bits need a multiplier of that width. */
const PareIntIsa *pare_rt_int_isa_for (PareDtype weights);
/* The instruction sets this CPU has, the best first; NULL beyond the last. */
const PareIntIsa *pare_rt_int_isa_at (int i);
/* For tests: only this set, by name (NULL: the best again), and its matrix unit for the shortest steps, too. FALSE: this CPU has none of
 * that name. Not while kernels run. */
bool pare_rt_int_limit (const char *name);
/* Whether a matrix unit computes also what vectors take no longer for. */
bool pare_rt_int_matrix_always (void);

/* Codes of x as the set wants them. */
static inline PareIntCodes
int_codes (const PareIntIsa *isa, bool is_signed, int32_t zero_x)
{
  int32_t zero = zero_x + (is_signed ? 128 : 0);
  if (isa->width == 2)
    return (PareIntCodes){ is_signed ? 0x80 : 0, (int16_t)zero, 0 };
  if (isa->biased)
    return (PareIntCodes){ is_signed ? 0x80 : 0, 0, zero };
  return (PareIntCodes){ is_signed ? 0 : 0x80, 0, zero - 128 };
}

static inline int
int_column_bytes (const PareIntIsa *isa)
{
  return isa->k_step * isa->width;
}

/* A matrix product of some microseconds, which is not worth sharing: what another processor has written takes as long to come, unless it is
 * near. */
static inline bool
int_is_small (const PareIntIsa *isa, double products)
{
  return products < 10000.0 * isa->lanes * isa->k_step / (pare_rt_workers_are_near () ? 4 : 1);
}

static inline int64_t
int_round_up (int64_t n, int64_t to)
{
  return (n + to - 1) / to * to;
}

#if defined(__clang__)
#define PARE_UNROLL _Pragma ("unroll")
#else
#define PARE_UNROLL _Pragma ("GCC unroll 16")
#endif
