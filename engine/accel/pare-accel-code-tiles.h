/* Convolutions and products of codes by tiles of our own, for CPUs that multiply four bytes at a time into 32 bits (AVX-512 VNNI): channels
 * innermost, output channels in the lanes, each output pixel's input broadcast four bytes at a time. Where a pixel's window lies is looked
 * up in a table of pointers, so that padding, strides and dilation cost nothing in the inner loop. */
#pragma once
#include "engine/accel/pare-accel-codes.h"

/* What is stored of a sum. */
typedef enum
{
  PARE_TILE_PLAIN,  /* UINT8, all of it, no bias left */
  PARE_TILE_PACKED, /* codes whose bounds packing with saturation keeps: no sum is so large that it would wrap */
  PARE_TILE_CODES,
  PARE_TILE_AFFINE, /* codes, by way of a factor and an offset */
  PARE_TILE_TWICE,  /* the same of what is rounded, whose bounds packing with saturation keeps, no bias left */
  PARE_TILE_ADDED,  /* codes, added to those of another operand: a QAdd */
  PARE_TILE_FLOATS
} PareTileResult;

typedef struct
{
  /* Of each output channel, complete up to whole vectors: where sums start, and what is added then; weights are shift more than their bytes
   * say (NULL: none). */
  const int32_t *init, *shift;
  const float *bias /* NULL: in init */, *scale;
  const int8_t *weights;  /* of each block: tap, four channels, vectors, 16 x 4 */
  const uint8_t *outside; /* a pixel of padding */
  int64_t images, c, m, in[2], out[2], k[2], stride[2], dilation[2], pad[2];
  int64_t x_pixel, x_row, x_image; /* bytes; c: of a tap, which may be several pixels of a row */
  int64_t steps;                   /* of four channels, of a tap */
  int64_t terms;                   /* of all taps, so many of weights; to whole tiles for the matrix unit */
  int64_t y_pixel, y_first;        /* bytes */
  int64_t other_pixel;             /* ADDED */
  int vectors, blocks;             /* of 16 channels; of up to four of those */
  bool signed_x, signed_y;
  int result;                   /* PareTileResult */
  int32_t zero, lo, hi;         /* codes */
  float least, most;            /* bounds before the zero point; of floats */
  const float *factor, *offset; /* AFFINE; of each output channel, for what is clipped to clip[0]..clip[1] */
  float clip[2];
  bool rounds;                 /* what is clipped */
  PareQAddParams add;          /* ADDED */
  bool signed_other, own_is_b; /* ADDED: which operand is computed here */
  /* For the matrix unit: windows lie one behind the other, as pixels do; pixels of a chunk; bytes of a window that is copied, and of the
   * memory of a thread; weights are more than the cache keeps. */
  bool flat, streams;
  int64_t chunk, row, scratch;
  /* Windows are read where they lie in an image with a frame (place), its rows in as many planes as the window moves down at once: bytes
   * from plane to plane, places for windows in a row and rows of them in an image, of which the last ones are nobody's. */
  bool place;
  int64_t plane, wide, high;
  bool wakes;   /* the vector unit computes it and keeps the matrix unit awake */
} PareTileConv; /* x, y, (other), (the matrix unit's memory) */

#define PARE_TILE_TABLE 2560  /* pointers to windows */
#define PARE_TILE_PIXELS 240  /* of a chunk */
#define PARE_MATRIX_LEAST 8   /* pixels that the matrix unit is worth while for */
#define PARE_PLACE_PIXELS 256 /* of a chunk of windows that are read where they lie */
#define PARE_PLACE_TAPS 16    /* rows at most, of windows that are read where they lie */

/* Images with a frame around them, so that what a window reads of a row lies in one piece. Rows are dealt out to planes in turn. */
typedef struct
{
  int64_t rows, row, begin, end, image_rows, above, below; /* of all images; bytes: a row of x, before and behind it; rows of an image */
  int64_t planes, last;                                    /* bytes behind the last row */
  uint8_t fill;
} PareTileFrame; /* x, y */
PareAccelLoop pare_accel_loop_frame (void);

/* NULL: this CPU has no such instructions, or oneDNN may not use them either. */
PareAccelLoop pare_accel_loop_tiles (void);
PareAccelLoop pare_accel_loop_matrix (void);
/* Between the first and the last, products of the matrix unit that keep it awake: tiles are one product's. */
void pare_accel_wake_begin (void);
void pare_accel_wake (void);
void pare_accel_wake_end (void);
/* Where the windows of `n` pixels lie, from pixel `first` on: at[tap][n], at most PARE_TILE_TABLE of them. */
void pare_accel_tile_windows (const PareTileConv *s, const uint8_t *x, int64_t first, int64_t n, const uint8_t **at);
/* What one of several threads computes: pixels begin..end-1, blocks from..to-1. */
typedef struct
{
  int64_t begin, end;
  int from, to;
} PareTileShare;
PareTileShare pare_accel_tile_share (const PareTileConv *s, int part, int parts);
/* Vectors of block `block`, and the first of them. */
void pare_accel_tile_block (const PareTileConv *s, int block, int *first, int *n);
