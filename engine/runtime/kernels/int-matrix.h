/* The matrix unit that some CPUs have, for convolutions on codes: a tile of sums gets the products of a tile of weights (rows: channels of
 * the output, in each the codes of some lines) with a tile of the input (lines of 16 cells; a cell: four channels of one position). */
#pragma once
#include "engine/runtime/kernels/int-isa.h"

#define PARE_MATRIX_ROWS 16      /* of a tile of sums: channels of the output */
#define PARE_MATRIX_LINES 16     /* of a tile of the input, of four codes each */
#define PARE_MATRIX_COLUMNS 16   /* of a tile: cells of a line */
#define PARE_MATRIX_TILES 4      /* of positions, side by side in the sums */
#define PARE_MATRIX_POSITIONS 64 /* in all of these */

/* Rows of cells as they are laid: padding, every step-th pixel of a row, padding. */
typedef struct
{
  const uint8_t *from[4]; /* the first pixel of the first row, of each channel; not looked at where nothing is inside */
  int64_t before, inside, cells, step;
  int64_t rows, from_row, to_row; /* from one row to the next: pixels, bytes */
  uint8_t flip, padding;          /* of the codes' bits; the code of padding */
} PareMatrixRows;

/* Sums of up to two blocks of rows over up to four tiles. */
typedef struct
{
  const uint8_t *x[PARE_MATRIX_TILES]; /* where the lines of each tile begin */
  int64_t pitch;                       /* bytes from one line to the next */
  const int64_t *piece;                /* where the lines of each piece of the sum begin, in bytes from the first piece's */
  int64_t pieces;
  const uint8_t *w[2]; /* of each block of rows; pieces of it follow one another */
  int64_t w_pitch, w_piece;
  int tiles, blocks;
} PareMatrixProduct;

typedef struct PareIntMatrix
{
  /* Between the two, products of so many rows a block and lines a tile. */
  void (*begin) (int rows, int lines);
  void (*end) (void);
  /* Keeps the unit awake, which else sleeps after some microseconds and takes 2.5 us to wake up. */
  void (*wake) (void);
  void (*lay) (uint8_t *to, const PareMatrixRows *rows);
  /* sum[blocks * PARE_MATRIX_ROWS][PARE_MATRIX_POSITIONS] */
  void (*multiply) (const PareMatrixProduct *p, int32_t *sum);
  /* The positions among the first `tiles` tiles that have a bit in `mask`, one behind the other; ldy: elements. */
  void (*store) (void *y, int64_t ldy, const int32_t *sum, int rows, int tiles, uint64_t mask, const PareIntScale *scale);
} PareIntMatrix;

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__)
#define PARE_INT_AMX
extern const PareIntMatrix pare_rt_int_amx;
/* This CPU has it, and the kernel lets this process use it. */
bool pare_rt_int_has_amx (void);
#endif
