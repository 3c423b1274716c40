/* Float kernels of our own where they beat oneDNN's: matrix products of a few rows by panels of columns, and what Winograd's convolutions
 * need around them. Written once for each instruction set (pare-accel-floats.inc.h) and chosen when a plan is built.
 *
 * Channels come in blocks of 16: channel c of a pixel lies at pixel * row + c / 16 * block + c % 16, which names both layouts that
 * convolutions use (channels innermost: row = channels, block = 16; in blocks: row = 16, block = pixels * 16). */
#pragma once
#include "engine/runtime/pare-rt.h"

#include <stdbool.h>
#include <stdint.h>

#define PARE_BLOCK 16

/* So many channels filled up to whole blocks. */
static inline int64_t
pare_accel_whole_blocks (int64_t n)
{
  return (n + PARE_BLOCK - 1) / PARE_BLOCK * PARE_BLOCK;
}

/* What is done to sums that begin with the bias and have got the residual. */
typedef struct
{
  PareActivation kind;
  const float *lo, *hi; /* CLIP: bounds of each channel */
  float alpha;          /* LEAKY: below 0 times this */
} PareAfter;
/* Activations that the kernels know. */
bool pare_accel_after_knows (PareActivation kind);

/* c = after (a b + bias + residual), rows by one panel of columns. The terms of a sum come in the order of k, fused multiply-adds, so that
 * a result depends neither on how the rows are cut nor on who computes them. */
typedef struct
{
  int64_t rows, k;
  const float *a;
  int64_t a_row, a_block;
  const int64_t *taps; /* term k of row r is at a + r * a_row + taps[k]; NULL: in blocks */
  const float *b;      /* [k][width] */
  int width;           /* a multiple of 16, at most the set's */
  int columns;         /* that are stored, at most width; the last block has some */
  const float *bias;   /* [width]; NULL: 0 */
  float *c;
  int64_t c_row, c_block;
  const float *residual;  /* lies as c; may be c; NULL: none */
  const PareAfter *after; /* NULL: nothing */
  int64_t first;          /* the first column's channel in it */
  const float *next;      /* so many floats are fetched meanwhile, being what the next product reads of b; NULL: from b itself, ahead */
  int64_t n_next;
} PareProduct;

/* One block of channels of one row of a depthwise convolution. */
typedef struct
{
  int kernel;            /* 3 or 5, both ways */
  int stride;            /* 1 or 2 */
  int64_t in, out, pad;  /* columns */
  const float *const *x; /* rows of pixels; NULL: outside */
  int64_t x_row;         /* from pixel to pixel */
  float *y;
  int64_t y_row;
  const float *weights, *bias; /* [kernel][kernel][16]; [16] */
  const PareAfter *after;
  int64_t first; /* channel in it */
} PareDepthwiseRow;

/* One row of one block of channels of a convolution of 3 x 3 in groups of `depth` channels, a power of two. */
typedef struct
{
  int depth;
  int stride;  /* 1 or 2 */
  int columns; /* channels that are stored, at most a block */
  int64_t out;
  const float *const *x; /* three rows of blocks of pixels with their padding; NULL: outside */
  float *y;
  int64_t y_row;
  const float *residual; /* lies as y; NULL: none */
  const float *weights;  /* [3][depth][3][16] */
  const float *bias;
  const PareAfter *after;
  int64_t first; /* channel in these two */
} PareGroupedRow;

/* y = clamp (x factor + offset) of each channel, for some pixels. */
typedef struct
{
  int64_t pixels, columns; /* columns: channels of a pixel that lie side by side */
  const float *x;
  float *y; /* may be x */
  int64_t pixel; /* to the next one's, in both */
  const float *factor, *offset; /* [columns], filled up to a whole block */
  bool clip;
  float lo, hi;
} PareAffineRows;

/* One row of a convolution over planes. */
typedef struct
{
  int64_t k;
  const int64_t *taps; /* term k of a column's sum is at x + column + taps[k]; whole tiles of columns are read */
  const float *x;
  const float *weights, *bias; /* [k][count]; [count] */
  int count;                   /* of results: 1, 4 or the set's */
  int64_t columns;
  float *y;
  int64_t y_plane; /* from result to result */
  const PareAfter *after;
  int64_t first; /* result in it */
} ParePlaneRow;

/* How the tiles of a convolution go by its panels: a band of tiles is transformed, and multiplied by one panel after the other and
 * transformed back while it is in the cache. */
typedef struct
{
  int64_t tiles, panels;
  int64_t band;   /* tiles that are transformed at a time */
  bool by_panels; /* threads share the panels, not the bands */
} PareTileWalk;
/* Sets how; most: tiles that fit; large: panels enough for all threads, and more of them than stay in the cache. */
void pare_accel_plan_tiles (PareTileWalk *w, int threads, int64_t most, bool large);
/* A thread's part of it: tiles first..first + n, which are transformed, then multiplied by a panel. */
typedef struct
{
  void (*transform) (const void *work, int64_t first, int64_t n);
  void (*multiply) (const void *work, int64_t first, int64_t n, int64_t panel);
} PareTileFuncs;
void pare_accel_walk_tiles (const PareTileWalk *w, int part, int parts, const PareTileFuncs *funcs, const void *work);

/* A convolution of 3 x 3, stride 1, by Winograd's F(m x m, 3 x 3), m 2 or 4. */
typedef struct
{
  int m;
  int64_t batch, in[2], out[2], pad[2]; /* pad: before; what a window reaches beyond is 0 */
  int64_t k, n;                         /* channels, multiples of 16 */
  int64_t x_row, x_block, x_image, y_row, y_block, y_image;
  const float *weights; /* [panel][(m + 2)^2][k][width] */
  const float *bias;    /* [n] */
  PareAfter after;
  PareTileWalk walk;
  bool residual;   /* a fourth operand */
  int64_t scratch; /* floats of a thread */
} PareWinograd;

typedef struct
{
  int width; /* of a panel at most */
  void (*product) (const PareProduct *p);
  void (*depthwise) (const PareDepthwiseRow *d);
  void (*grouped) (const PareGroupedRow *d); /* NULL: none */
  int planes;                                /* results that `plane` takes at a time, at most */
  void (*plane) (const ParePlaneRow *p);
  void (*affine) (const PareAffineRows *a);
  /* tiles first..first + n of all (of all images, row by row) to v: [(m + 2)^2][k / 16][n][16], matrices apart floats apart */
  void (*winograd_in) (const PareWinograd *w, const float *x, int64_t first, int64_t n, float *v, int64_t apart);
  /* the same way back for channels at..at + width */
  void (*winograd_out) (const PareWinograd *w, const float *v, int64_t apart, int64_t first, int64_t n, int64_t at, int width, float *y,
                        const float *residual);
  /* weights [n][k][3][3], times factor of each n unless NULL */
  void (*winograd_weights) (const float *weights, const float *factor, int64_t n, int64_t k, int m, float *to);
} PareFloats;

/* Of this CPU, as far as oneDNN may use it; NULL: none. */
const PareFloats *pare_accel_floats (void);
/* Weights [n][k] with these strides, rows times factor unless NULL, as panels, filled up to whole blocks. */
void pare_accel_pack_panels (const PareFloats *isa, const float *weights, int64_t stride_n, int64_t stride_k, const float *factor,
                             int64_t n, int64_t k, float *to);
/* The panels of n columns: widths that add up to it. `at`: first column of panel i. Returns its width, 0 behind the last. */
int pare_accel_panel (const PareFloats *isa, int64_t n, int64_t i, int64_t *at);
