/* The float kernels that are written once for each instruction set (tile.inc.h) and chosen at run time.
 *
 * A tile is a few rows (output channels, rows of a) by a few vectors (output positions, columns of b). One term of its sums is a value of a
 * for each row times a vector of b for each place; the terms of all sums come in the order of k, fused multiply-adds where the set has
 * them, so that a result depends neither on how the work is cut nor on which worker does it. */
#pragma once
#include "engine/runtime/kernels/kernel.h"

#define PARE_RT_TILE_VECTORS 3
#define PARE_RT_TILE_ROWS 8
#define PARE_RT_MAX_LANES 16

typedef struct
{
  /* k runs over channels, and in each over taps: vector v of term (c, t) is read at b[v] + c * channel_stride + taps[t]. */
  int64_t channels, channel_stride;
  const int64_t *taps;
  int64_t n_taps;
  const float *b[PARE_RT_TILE_VECTORS];
  const float *a;     /* [k][rows] */
  const float *start; /* what each row's sums start from (its bias); NULL: 0 */
  bool add;           /* instead of start: go on from what c has */
  float *c;           /* row r, vector v: c + r * ldc + at[v] */
  int64_t ldc;
  int64_t at[PARE_RT_TILE_VECTORS];
  const float *residual; /* addressed as c; NULL: none */
  bool clip, leaky;
  float lo, hi, alpha; /* clip: lo..hi; leaky: below 0 times alpha */
} PareRtTile;

/* A product of a few rows of a, as they lie, and one panel of b, whole vectors wide. */
typedef struct
{
  const float *a, *b; /* b: [k][vectors * lanes] */
  int64_t lda, k;
  float *c;
  int64_t ldc;
  bool add; /* to what c has */
} PareRtDirect;

/* A product of one row of a, or of panel_rows of them, and a panel of b that is read from beyond the first cache: many vectors wide, so
 * that loads are what it waits for. */
#define PARE_RT_PANEL_VECTORS 8
#define PARE_RT_PANEL_ROWS 4
typedef struct
{
  const float *a, *b; /* b: [k][ldb]; narrow: [(k + 1) / 2][ldb] of bfloat16, the lower half of each is that of the even k */
  int64_t lda, ldb, k;
  float *y[PARE_RT_PANEL_VECTORS]; /* of vector v; row r is r * ldy further */
  int64_t ldy;
} PareRtPanel;

/* Depthwise: a few output rows of one plane, ow columns each. Row j of the window of the first one lies at x + row_at[j] (that of output
 * row r begins r * stride rows further on), column tap kx at + tap[kx]; from there the output column runs in steps of one. */
typedef struct
{
  const float *x;
  const int64_t *row_at; /* [(PARE_RT_DEPTHWISE_ROWS - 1) * stride + kh] */
  const int64_t *tap;    /* [kw] */
  const float *w;        /* [kh][kw] */
  float bias;
  int64_t kh, kw, stride; /* stride of rows; 0: only one row is asked for */
  float *y;
  int64_t ow, ldy;
  bool clip;
  float lo, hi;
} PareRtRows;
#define PARE_RT_DEPTHWISE_ROWS 4

/* Depthwise: one plane, a square kernel, the same stride both ways. */
typedef struct
{
  const float *x, *zeros; /* zeros: iw of them */
  int64_t ih, iw, pad_top, pad_left;
  const float *w; /* [kernel][kernel] */
  float bias;
  int kernel, stride;
  float *y;
  int64_t oh, ow;
  bool clip;
  float lo, hi;
} PareRtPlane;

/* Winograd's convolutions (conv-winograd.c): of the tiles along a vector those of one row of tiles. */
typedef struct
{
  int32_t lane, columns, rows; /* the first lane; of output, floats wide and high */
  int64_t at;                  /* where its first float is */
} PareRtSpan;

/* The sums of one channel of output for a vector of tiles, on their way back. */
typedef struct
{
  int64_t apart; /* the floats from one of the (m + 2)^2 sums to the next */
  float bias;
  float *y;
  const float *residual; /* addressed as y, may be y; NULL: none */
  int64_t pitch;         /* of a row of output */
  const PareRtSpan *spans;
  int n_spans;
  bool clip, leaky;
  float lo, hi, alpha;
} PareRtWinogradOut;

/* Columns of weights of blocks of codes by a few rows (block-gemm.c). A word is 32 bits; a line is one word for each lane. */
#define PARE_RT_BLOCK_ROWS 4
typedef struct
{
  const uint8_t *codes; /* the lowest bits first */
  int64_t row_bytes;    /* of a column */
  int64_t used;         /* of them, whole words: those that x reaches */
  int bits, log_bytes;  /* of a code: 2, 4 or 8; of a block, at least 2 */
  int64_t blocks;       /* of a column */
  const float *scale;
  const float *offset; /* what is added to each of a block's weights; NULL: nothing */
  /* rows of x in the order of lines: of each the first code of all words, then the second ..., zeros behind the end */
  const float *x;
  int64_t x_apart;
  const float *sums; /* of each block of a row of x, zeros behind them up to a whole vector; where there are offsets */
  int64_t sums_apart;
  float *y; /* row r, column j: y[r * ldy + j] */
  int64_t ldy;
} PareRtBlocks;

#define PARE_RT_SUMMED 1024 /* elements that are summed in float before sums are added in double */
#define PARE_RT_MOMENTS 16
#define PARE_RT_WEIGHED 48
/* From a row of scores to its weights, see PareQAttentionParams: bounds are those of codes less their zero point. */
typedef struct
{
  float factor, least, most, scale;
  bool looked_up; /* the scores are real already */
  bool rounds;
  float masked_scale, masked_least, masked_most;
  float weight_scale, weight_least, weight_most;
} PareRtWeighing;

typedef struct
{
  const char *name;
  int lanes;                                                                       /* floats of a vector */
  int rows;                                                                        /* of a tile at most */
  int vectors;                                                                     /* of a tile at most */
  void (*tile[PARE_RT_TILE_ROWS][PARE_RT_TILE_VECTORS]) (const PareRtTile *t);     /* [rows - 1][vectors - 1] */
  void (*direct[PARE_RT_TILE_ROWS][PARE_RT_TILE_VECTORS]) (const PareRtDirect *t); /* [rows - 1][vectors - 1] */
  int panel_rows;
  void (*panel[PARE_RT_PANEL_VECTORS]) (const PareRtPanel *t);             /* of one row; [vectors - 1] */
  void (*panel_of_rows[PARE_RT_PANEL_VECTORS / 2]) (const PareRtPanel *t); /* of panel_rows; [vectors - 1] */
  void (*narrow[PARE_RT_PANEL_VECTORS]) (const PareRtPanel *t);            /* the same two with b of bfloat16 */
  void (*narrow_of_rows[PARE_RT_PANEL_VECTORS / 2]) (const PareRtPanel *t);
  /* rows 1..PARE_RT_DEPTHWISE_ROWS in ascending order; where ow < lanes, a whole vector is written for each */
  void (*depthwise) (const PareRtRows *t, int rows);
  /* FALSE: not this kernel; NULL: where loads cannot be masked */
  bool (*plane) (const PareRtPlane *t);
  /* m 2 or 4. m + 2 lines of input, and the same from the m-th column of each tile on, to tiles, whole vectors of them: both have room
   * for that. Sum s of tile t goes to to + s * apart + t. */
  void (*winograd_in) (int m, const float *const *line, const float *const *more, int64_t tiles, float *to, int64_t apart);
  void (*winograd_out) (int m, const PareRtWinogradOut *o, const float *v);
  /* Copies of x (n floats, whole vectors), each under its mask; masks are aligned to 64 bytes. */
  void (*copies) (const float *x, int64_t n, const int32_t *masks, int64_t masks_apart, int64_t copies, float *to, int64_t apart);
  /* y[j] = sum over p of a[p] * b[p * ldb + j], j < n */
  void (*row) (const float *a, int64_t k, const float *b, int64_t ldb, float *y, int64_t n);
  /* Pooling, a row of n windows: tap t of window i at x[taps[t] + i]; x has room for two vectors behind it. mean_row: the sum by rows *
   * columns[i], 0 where that is 0 (columns: whole vectors). */
  void (*max_row) (float *y, const float *x, const int64_t *taps, int64_t n_taps, int64_t n);
  void (*mean_row) (float *y, const float *x, const int64_t *taps, int64_t n_taps, int64_t n, float rows, const float *columns);
  float (*sum) (const float *x, int64_t n);
  /* Rows of n scores, with room for whole sixteens, become e^(factor * s + mask - the largest of them); sums: of each row. What is behind n
   * may be written. mask: NULL, or rows as long, mask_apart from each other. */
  void (*weigh) (float *s, int64_t apart, int64_t rows, int64_t n, float factor, const float *mask, int64_t mask_apart, float *sums);
  /* Rows (at most PARE_RT_WEIGHED) of n scores, with room for whole sixteens, become the codes of their weights less their zero point; those behind n
   * may be written. mask: NULL, or rows as long, mask_apart from each other. seen: NULL, or how many of each row have a weight. sums: NULL,
   * or they are written as bytes, from where the row begins, and this is what each row is together; none is negative then. */
  void (*weigh_codes) (float *s, int64_t apart, int64_t rows, int64_t n, const PareRtWeighing *w, const float *mask, int64_t mask_apart,
                       const int32_t *seen, int32_t *sums);
  float (*max) (const float *x, int64_t n);
  /* Columns from..to-1 by 1..PARE_RT_BLOCK_ROWS rows. */
  void (*blocks) (const PareRtBlocks *t, int64_t from, int64_t to, int rows);
  /* Of each row of n, at most PARE_RT_MOMENTS of them, the mean (origin: 0 instead) and 1 / sqrt (variance around it + epsilon); the same
   * bits on all sets. */
  void (*moments) (const float *x, int64_t n, int64_t rows, float epsilon, bool origin, float *mean, float *inverse);
} PareRtIsa;

/* Of this CPU; the environment's PARE_RT_ISA (base, avx2, avx512, neon) can name a lesser one. */
const PareRtIsa *pare_rt_isa (void);
