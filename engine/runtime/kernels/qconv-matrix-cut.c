/* How a QConv on a matrix unit is cut: the order of its sums, what of the input lies where, and what is a task. */
#include "engine/runtime/kernels/qconv-matrix.h"

#define INPUT_BYTES (256 * 1024) /* laid at a time: a part of the second cache */
#define MIN_POSITIONS 64         /* of a task when work is cut for several workers */
#define LEAST_ROWS 4             /* of weights, and */
#define LEAST_TERMS 8            /* of each sum: of fewer, tiles are mostly empty */
#define LEAST_CYCLES 4000        /* of vectors, on which a shorter step is as fast */
#define TILE_CYCLES 20           /* of a product of tiles, */
#define STORED_CYCLES 0.4        /* of a code that is stored, and */
#define LAID_CYCLES 0.5          /* of a cell that is laid */
#define SHARED_CYCLES 30000      /* a step that is worth sharing: what another processor has written takes long to come */
#define VECTOR_PRODUCTS 100      /* of a cycle */
#define MOST_LENGTH (1 << 20)

/* How the input of a task of so many rows and columns lies. */
static void
lay_out (MatrixJob *j, int64_t rows, int64_t columns)
{
  const ConvGeometry *g = &j->g;
  j->pitch = columns + (g->k[2] - 1) * g->dil[2] / g->stride[2];
  if (j->order.columns)
    {
      j->rows = (rows - 1) * g->stride[1] + (g->k[1] - 1) * g->dil[1] + 1;
      j->line = j->pitch;
      j->row = j->fours * j->pitch;
      j->phase = j->rows * j->row;
    }
  else
    {
      j->rows = rows + (g->k[1] - 1) * g->dil[1] / g->stride[1];
      j->row = j->pitch;
      j->phase = j->rows * j->pitch;
      /* whole lines of the cache where windows begin there; not all in the same places of the first cache */
      j->line = j->phases_y * j->phases_x * j->phase;
      if (g->k[1] * g->k[2] == 1)
        j->line = int_round_up (j->line, 16);
      j->line += j->line % 32 == 0 ? 16 : 0;
    }
  /* Behind the last line: those that fill up a piece, and the columns that fill up a tile. */
  j->slack = (j->order.pieces * j->order.depth - j->order.lines) * j->line + 2 * PARE_MATRIX_COLUMNS;
}

uint64_t
pare_rt_qconv_matrix_input (const MatrixJob *j)
{
  int64_t cells = j->order.columns ? j->phases_x * j->phase : j->fours * j->line;
  return (uint64_t)int_round_up ((cells + j->slack) * CELL, 64);
}

int64_t
pare_rt_qconv_matrix_tiles (const MatrixJob *j, int64_t rows, int64_t columns)
{
  return j->order.columns ? rows * parts_of (columns, PARE_MATRIX_COLUMNS)
                          : parts_of ((rows - 1) * j->pitch + columns, PARE_MATRIX_COLUMNS);
}

static void
order_lines (MatrixJob *j, bool columns)
{
  const ConvGeometry *g = &j->g;
  int64_t lines = columns ? g->k[1] * j->fours : j->fours, pieces = parts_of (lines, PARE_MATRIX_LINES);
  j->order = (PareIntOrder){ j->cg, g->k[1], g->k[2], columns, lines, pieces, parts_of (lines, pieces) };
  j->phases_y = columns || g->k[1] == 1 ? 1 : g->stride[1];
  j->phases_x = g->k[2] == 1 ? 1 : g->stride[2];
  j->weights.steps = pieces * g->k[2] * (columns ? 1 : g->k[1]);
}

/* The order of lines that takes fewer products of tiles for the whole image, whoever takes what of it: weights are packed in it. */
static double
choose_order (MatrixJob *j)
{
  const ConvGeometry *g = &j->g;
  double best = 0;
  for (int columns = 0; columns < 2; columns++)
    {
      if (columns && (g->k[1] == 1 || g->dil[1] > 1))
        break;
      MatrixJob other = *j;
      order_lines (&other, columns);
      lay_out (&other, g->out[1], g->out[2]);
      double products = (double)other.weights.steps * (double)pare_rt_qconv_matrix_tiles (&other, g->out[1], g->out[2]);
      if (columns && products >= best)
        break;
      best = products;
      j->order = other.order;
      j->phases_y = other.phases_y;
      j->phases_x = other.phases_x;
      j->weights.steps = other.weights.steps;
    }
  return best;
}

/* How the work is cut. */
static void
cut (MatrixJob *j, int workers)
{
  const ConvGeometry *g = &j->g;
  int64_t images = g->n * g->group, want = parts_of (j->serial ? 1 : workers, images);
  j->task_rows = g->out[1];
  j->task_columns = g->out[2];
  if (want > 1 && g->out[1] > 1 && j->positions >= 2 * MIN_POSITIONS)
    j->task_rows = at_least (parts_of (g->out[1], want), parts_of (MIN_POSITIONS, g->out[2]));
  else if (want > 1 && j->positions >= 2 * MIN_POSITIONS)
    j->task_columns = at_least (int_round_up (parts_of (g->out[2], want), PARE_MATRIX_COLUMNS), MIN_POSITIONS);
  for (;;)
    {
      lay_out (j, j->task_rows, j->task_columns);
      if (pare_rt_qconv_matrix_input (j) <= INPUT_BYTES || (j->task_rows == 1 && j->task_columns <= MIN_POSITIONS))
        break;
      if (j->task_rows > 1)
        j->task_rows = parts_of (g->out[1], 2 * parts_of (g->out[1], j->task_rows));
      else
        j->task_columns = int_round_up (parts_of (j->task_columns, 2), PARE_MATRIX_COLUMNS);
    }
  j->down = parts_of (g->out[1], j->task_rows);
  j->across = parts_of (g->out[2], j->task_columns);
  j->blocks = int_blocks (&j->weights);
  j->parts = at_least (1, at_most (parts_of (want, j->down * j->across), j->blocks));
  j->part_blocks = parts_of (j->blocks, j->parts);
  j->parts = parts_of (j->blocks, j->part_blocks);
}

bool
pare_rt_qconv_matrix_plan (MatrixJob *j, const PareQConv *c, int workers)
{
  const PareIntIsa *isa = pare_rt_int_isa ();
  *j = (MatrixJob){ .c = c, .isa = isa, .matrix = isa->matrix, .g = c->g };
  ConvGeometry *g = &j->g;
  if (!isa->matrix || c->w->dtype == PARE_DTYPE_INT16)
    return false;
  for (int i = 1; i < 3; i++)
    if (g->in[i] > MOST_LENGTH || g->out[i] > MOST_LENGTH || g->stride[i] > MOST_LENGTH || g->dil[i] * (g->k[i] - 1) > MOST_LENGTH
        || g->pad[i] > MOST_LENGTH)
      return false;
  if (g->k[1] == 1 && g->k[2] == 1 && g->stride[1] == 1 && g->stride[2] == 1 && !g->pad[1] && !g->pad[2] && !g->pad_end[1]
      && !g->pad_end[2])
    {
      g->in[2] = g->out[2] = g->out[1] * g->out[2];
      g->in[1] = g->out[1] = 1;
    }
  j->cg = g->c / g->group;
  j->mg = g->m / g->group;
  j->fours = parts_of (j->cg, 4);
  j->positions = g->out[1] * g->out[2];
  int64_t k = j->cg * g->k[1] * g->k[2];
  if (j->mg < LEAST_ROWS || k < LEAST_TERMS || k > 1 << 22 || j->positions < PARE_MATRIX_COLUMNS)
    return false;
  j->codes = int_codes (isa, c->x->dtype == PARE_DTYPE_INT8, c->p->zero_x);
  j->weights = (PareIntWeights){ .isa = isa,
                                 .view = c->w,
                                 .order = &j->order,
                                 .wide = (int)parts_of (j->mg, parts_of (j->mg, PARE_MATRIX_ROWS)),
                                 .k = k,
                                 .groups = g->group,
                                 .rows = j->mg,
                                 .row_stride = k,
                                 .k_stride = 1,
                                 .fold = j->codes.fold };
  double images = (double)(g->n * g->group), products = choose_order (j) * (double)parts_of (j->mg, PARE_MATRIX_ROWS);
  double vector = images * (double)j->positions * (double)j->mg * (double)k / VECTOR_PRODUCTS;
  if (!pare_rt_int_matrix_always () && vector < LEAST_CYCLES)
    return false;
  double cycles
      = TILE_CYCLES * products + STORED_CYCLES * (double)(j->mg * j->positions) + LAID_CYCLES * (double)(j->fours * g->in[1] * g->in[2]);
  j->serial = workers == 1 || images * cycles < SHARED_CYCLES;
  cut (j, workers);
  j->at_pieces = pare_rt_qconv_matrix_input (j);
  j->at_blocks = j->at_pieces + (uint64_t)int_round_up (j->weights.steps * 8, 64);
  j->at_weights = j->at_blocks + (uint64_t)int_round_up (j->part_blocks * (int64_t)sizeof (MatrixBlock), 64);
  j->bytes = j->at_weights + pare_rt_int_block_room (&j->weights);
  return j->bytes < PARE_QCONV_MOST;
}
