/* Kernels of our own on bfloat16 for CPUs that multiply pairs of it (AVX512-BF16): products of a few rows by panels of columns, what
 * Winograd's convolutions need around them, and rows of depthwise convolutions. Sums are floats, the order of their terms depends neither
 * on how the rows are cut nor on who computes them. Layouts as in pare-accel-floats.h, but elements are of 2 bytes and terms come in pairs.
 */
#pragma once
#include "engine/accel/pare-accel-floats.h"

#define PARE_BF16_WIDTH 64 /* of a panel at most */

/* What a loop stores or adds: floats or bfloat16, in both cases counted in elements. */
typedef struct
{
  void *data;
  bool wide; /* floats */
} PareBfloatPlace;

/* c = after (factor (a b) + bias + residual). */
typedef struct
{
  int64_t rows, pairs;
  const uint16_t *a;
  int64_t a_row, a_block;      /* 8 pairs in a block */
  const int64_t *taps;         /* pair i of row r is at a + r * a_row + taps[i]; NULL: in blocks */
  int64_t run;                 /* by tiles: so many pairs of taps, at most 16, follow one another each time; 0: as it happens */
  int64_t line, skip;          /* by tiles: after so many rows, so many are skipped, which c does not have; 0: none */
  const uint16_t *b;           /* [pairs][width][2] */
  int width;                   /* a multiple of 16 */
  int columns;                 /* that are stored, at most width; the last block has some */
  const float *factor;         /* [width]; NULL: 1 */
  const float *bias;           /* [width]; NULL: 0 */
  PareBfloatPlace c, residual; /* residual: lies as c; may be c; data NULL: none */
  int64_t c_row, c_block;
  const PareAfter *after; /* NULL: nothing */
  int64_t first;          /* the first column's channel in it */
} PareBfloatProduct;

/* Products that lie so many elements apart from each other. */
typedef struct
{
  int64_t n, a_apart, b_apart, c_apart;
} PareBfloatSeries;

/* A convolution of 3 x 3, stride 1, by Winograd's F(m[0] x m[1], 3 x 3). Transforms are computed in floats; transformed tiles and weights
 * are rounded to bfloat16. */
typedef struct
{
  int m[2];
  int64_t batch, in[2], out[2], pad[2]; /* pad: before; what a window reaches beyond is 0 */
  int64_t k, n;                         /* channels, multiples of 16 */
  int64_t x_row, x_block, x_image, y_row, y_block, y_image;
  const uint16_t *weights; /* [panel][(m[0] + 2) (m[1] + 2)][k / 2][width][2] */
  const float *bias;       /* [n] */
  PareAfter after;
  PareTileWalk walk;
  bool residual, wide, wide_residual; /* a fourth operand; the types of it and of the result */
  int64_t scratch;                    /* bytes of a thread */
} PareBfloatWinograd;

typedef struct
{
  void (*product) (const PareBfloatProduct *p);
  /* n of them, in blocks, to floats, 16 columns wide, with nothing behind the sums, which are those of `product` by vectors bit by bit. All
   * weights should fit into the nearest cache: each few rows read them. */
  void (*series) (const PareBfloatProduct *p, const PareBfloatSeries *series);
  /* the same of n columns, panel after panel; NULL: by `product` */
  void (*panels) (const PareBfloatProduct *p, int64_t n);
  /* One row in blocks that follow one another, without a factor; the terms of a sum come in four chains. */
  void (*row) (const PareBfloatProduct *p);
  /* tiles first..first + n of all to v: [size][k / 16][n][16], matrices apart elements apart */
  void (*winograd_in) (const PareBfloatWinograd *w, const uint16_t *x, int64_t first, int64_t n, uint16_t *v, int64_t apart);
  /* the same way back for channels at..at + width */
  void (*winograd_out) (const PareBfloatWinograd *w, const float *sums, int64_t apart, int64_t first, int64_t n, int64_t at, int width,
                        void *y, const void *residual);
  /* weights [n][k][3][3], times factor of each n unless NULL */
  void (*winograd_weights) (const float *weights, const float *factor, int64_t n, int64_t k, const int m[2], uint16_t *to);
} PareBfloats;

/* NULL: this CPU has no such instructions, or oneDNN may not use them. */
const PareBfloats *pare_accel_bfloats (void);
/* The same for products of a step that has so many rows in all: by the matrix unit, if there is one. The order of their sums is another. */
const PareBfloats *pare_accel_bfloats_for (int64_t rows);
/* Between these two, products by tiles may leave them set up for the next ones; nothing else may use tiles there. */
void pare_accel_hold_tiles (void);
void pare_accel_release_tiles (void);
/* For products of another kind, which leave tiles set up themselves: tiles 0 to 3 are sums of `rows` rows, 4 and 5 rows of `depth` pairs, 6
 * and 7 such pairs of sixteen columns. What uses tiles next must find them dropped. */
void pare_accel_set_tiles (int rows, int depth);
void pare_accel_drop_tiles (void);
void pare_accel_tiles_product (const PareBfloatProduct *p);
void pare_accel_tiles_panels (const PareBfloatProduct *p, int64_t n);
/* The panels of n columns: as pare_accel_panel. */
int pare_accel_bfloat_panel (int64_t n, int64_t i, int64_t *at);
/* Weights [n][k] that are bfloat16 already as panels of pairs. terms: which of a row each half of a pair is, -1: 0; NULL: in order. */
void pare_accel_pack_pairs (const float *weights, int64_t n, int64_t k, const int32_t *terms, int64_t pairs, uint16_t *to);
/* Panel i of a product of n columns, of which weights, bias and factor are filled up to whole blocks; all: the rest. False: there is none.
 */
bool pare_accel_bfloat_panel_of (const PareBfloatProduct *all, int64_t n, int64_t i, PareBfloatProduct *p);
/* All panels of it. */
void pare_accel_multiply_pairs (const PareBfloats *isa, int64_t n, const PareBfloatProduct *all);

/* One row of a convolution with few results: neighbouring pixels of a plane side by side, each of them with all terms of one pair. */
#define PARE_BF16_MOST_RESULTS 8
typedef struct
{
  int64_t pairs;
  const int64_t *taps; /* pair i of column c is at x + taps[i] + 2 c stride; up to 32 pairs behind the last column's are read, too */
  const uint16_t *x, *weights; /* weights: [pairs][count][2] */
  const float *factor, *bias;  /* factor NULL: 1 */
  int count, stride;           /* 1, 4, 8 or 12 results; 1 or 2 */
  int64_t columns, y_plane;    /* y_plane: from result to result */
  int64_t y_pixel;             /* > 0: results of a pixel lie side by side (not 1 of them), as bfloat16; pixels so far apart */
  PareBfloatPlace y;
  const PareAfter *after;
  int64_t first; /* the first result's channel */
} PareBfloatFew;
void pare_accel_few_row (const PareBfloatFew *p);

/* A depthwise convolution. Sums of two rows of results are made at once. */
typedef struct
{
  int kernel, stride, pairs;
  int64_t channels, in[2], out[2], pad[2];
  int64_t ring; /* row y of the image lies where row y % ring does */
  int64_t x_row, x_block, y_row, y_block;
  const uint16_t *weights;    /* [block][row of results][pair][column][16][2] */
  const float *taps;          /* instead of these, where floats are multiplied: [block][row][column][16]; NULL: they are not */
  const uint16_t *zeros;      /* a row outside */
  const float *factor, *bias; /* factor NULL: 1; whole blocks */
  PareAfter after;
  bool wide;
} PareBfloatDepthwise;
/* Rows oy (even) and, if there is one, oy + 1 of an image: x is its first row, y where row oy goes. */
void pare_accel_two_rows (const PareBfloatDepthwise *s, const uint16_t *x, int64_t oy, void *y);

/* A pointwise convolution. */
typedef struct
{
  int64_t k, n; /* n 0: there is none */
  const uint16_t *weights;
  const float *factor, *bias;
  PareAfter after;
} PareBfloatPoint;
/* product.c = product.a times the weights, panel by panel. */
void pare_accel_multiply_point (const PareBfloats *isa, const PareBfloatPoint *p, PareBfloatProduct product);

/* Attention (PARE_RT_ATTENTION), weights rounded. Keys and values are packed first, a task for each head of both, then rows of q are tasks.
 */
typedef struct
{
  void *data;
  int64_t at, stride[3]; /* its first element; batch, head, row; elements lie side by side */
  bool wide;
} PareBfloatOperand;
typedef struct
{
  int64_t batch, heads, key_heads, value_heads, rows, positions, depth, n; /* n: elements of v */
  PareBfloatOperand q, k, v, y;
  bool has_mask, rounds; /* rounds: y lies on the grid, as floats, too */
  const float *mask;     /* its positions lie side by side */
  int64_t mask_stride[3];
  const int32_t *seen; /* of each row: the mask is 0 for so many positions and hides the others; NULL: it is not of this kind */
  float factor;
  int vecs;                       /* rows in a task: 1 or 2 blocks */
  bool tiles;                     /* products are the matrix unit's */
  int64_t blocks;                 /* tasks of a head */
  int64_t key_apart, value_apart; /* pairs between heads; behind keys there is room for a block */
  int64_t value_pairs;            /* of positions, with some of zeros, if there are tiles */
  int64_t scratch;                /* bytes of a thread */
  uint32_t *keys, *values;
} PareBfloatAttention;

static inline int64_t
pare_accel_attention_width (int64_t n)
{
  return (n + 7) / 8 * 8;
}
void pare_accel_attention_pack (const PareBfloatAttention *a, int64_t task);
void pare_accel_attention_rows (const PareBfloatAttention *a, int64_t task, void *scratch);
