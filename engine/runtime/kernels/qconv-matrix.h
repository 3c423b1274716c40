/* QConv on a matrix unit: how it is cut, and what its two files share. */
#pragma once
#include "engine/runtime/kernels/int-matrix.h"
#include "engine/runtime/kernels/qconv.h"

#define CELL 4 /* bytes: four channels of one position */

typedef struct
{
  const PareQConv *c;
  const PareIntIsa *isa;
  const PareIntMatrix *matrix;
  PareIntOrder order;
  PareIntWeights weights;
  PareIntCodes codes;
  ConvGeometry g; /* pointwise: of one row */
  bool serial;    /* too little work to share */
  int64_t cg, mg, fours, positions;
  int64_t phases_y, phases_x; /* in which rows and columns lie that a stride takes apart; rows do not where pieces go through them */
  int64_t task_rows, task_columns, across, down; /* of the output; tasks of a row, rows of tasks */
  int64_t blocks, part_blocks, parts;            /* of weights, of which a task takes part_blocks */
  /* How the input of a task lies, in cells: a row of a phase has `pitch`; from a line of a piece, a row and a phase to the next; what is
   * behind the last line. */
  int64_t pitch, rows, line, row, phase, slack;
  uint64_t at_pieces, at_blocks, at_weights, bytes; /* of a worker's scratch */
  uint8_t *scratch;
} MatrixJob;

/* A block of weights, and what follows its sums; complete up to a tile's rows. */
typedef struct
{
  const uint8_t *w;
  int rows;
  int32_t init[PARE_MATRIX_ROWS];
  float bias[PARE_MATRIX_ROWS], scale[PARE_MATRIX_ROWS], factor[PARE_MATRIX_ROWS], offset[PARE_MATRIX_ROWS];
} MatrixBlock;

/* FALSE: not a shape for this. */
bool pare_rt_qconv_matrix_plan (MatrixJob *j, const PareQConv *c, int workers);
/* Bytes of the input of a task. */
uint64_t pare_rt_qconv_matrix_input (const MatrixJob *j);
/* Tiles that so many rows of output take. */
int64_t pare_rt_qconv_matrix_tiles (const MatrixJob *j, int64_t rows, int64_t columns);

static inline int64_t
parts_of (int64_t n, int64_t each)
{
  return (n + each - 1) / each;
}
