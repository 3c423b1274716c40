/* QConv on a matrix unit. A task takes some rows of the output image and lays their input as cells (four channels of one position) with its
 * padding, once: windows are then read where they lie, 16 cells that follow one another in each line of a tile. Lines that are the same
 * distance apart make a piece of the sum: fours of channels and, where there are few of these, also rows of the kernel. */
#include "engine/runtime/kernels/qconv-matrix.h"

uint64_t
pare_rt_qconv_matrix_scratch (const PareQConv *c, int workers)
{
  MatrixJob j;
  return pare_rt_qconv_matrix_plan (&j, c, workers) ? j.bytes : 0;
}

uint64_t
pare_rt_qconv_matrix_pack (const PareQConv *c, void *packed)
{
  MatrixJob j;
  if (!pare_rt_qconv_matrix_plan (&j, c, 1))
    return 0;
  if (packed)
    pare_rt_int_pack (&j.weights, packed);
  return pare_rt_int_packed_bytes (&j.weights);
}

/* What a task computes. */
typedef struct
{
  int64_t image, group, row, rows, column, columns, block, blocks;
} Share;

static int64_t
within (int64_t n, int64_t most)
{
  return n < 0 ? 0 : at_most (n, most);
}

/* The rows of the phase py of the input, and in them the columns of the phase px. Returns the first pixel's place; *above: how many rows
 * come before those that are inside. */
static int64_t
find_rows (const MatrixJob *j, const Share *s, int64_t py, int64_t px, int64_t *above, PareMatrixRows *r)
{
  const ConvGeometry *g = &j->g;
  int64_t down = j->order.columns ? 1 : g->stride[1];
  int64_t row = s->row * g->stride[1] + py - g->pad[1], column = s->column * g->stride[2] + px - g->pad[2];
  *above = within (parts_of (-row, down), j->rows);
  r->rows = within (parts_of (g->in[1] - row, down), j->rows) - *above;
  r->before = within (parts_of (-column, r->step), j->pitch);
  r->inside = within (parts_of (g->in[2] - column, r->step), j->pitch) - r->before;
  r->cells = j->pitch;
  r->from_row = down * g->in[2];
  r->to_row = j->row * CELL;
  if (r->rows > 0 && r->inside > 0)
    return (row + *above * down) * g->in[2] + column + r->before * r->step;
  r->rows = r->rows > 0 ? r->rows : 0;
  r->inside = 0;
  return 0;
}

static void
lay_input (const MatrixJob *j, const Share *s, uint8_t *input)
{
  const ConvGeometry *g = &j->g;
  int64_t plane = g->in[1] * g->in[2], above;
  const uint8_t *x = (const uint8_t *)j->c->x->data + (s->image * g->c + s->group * j->cg) * plane;
  PareMatrixRows rows = { .step = g->stride[2], .flip = j->codes.flip, .padding = (uint8_t)j->c->p->zero_x };
  for (int64_t py = 0; py < j->phases_y; py++)
    for (int64_t px = 0; px < j->phases_x; px++)
      {
        int64_t first = find_rows (j, s, py, px, &above, &rows);
        PareMatrixRows outside = rows;
        uint8_t *to = input + (py * j->phases_x + px) * j->phase * CELL;
        outside.inside = 0;
        for (int64_t four = 0; four < j->fours; four++, to += j->line * CELL)
          {
            j->matrix->wake ();
            for (int q = 0; q < 4; q++) /* of channels beyond the last one weights are zero */
              rows.from[q] = x + at_most (four * 4 + q, j->cg - 1) * plane + first;
            outside.rows = above;
            j->matrix->lay (to, &outside);
            j->matrix->lay (to + above * rows.to_row, &rows);
            outside.rows = j->rows - above - rows.rows;
            j->matrix->lay (to + (above + rows.rows) * rows.to_row, &outside);
          }
      }
}

/* Where the lines of each piece begin. */
static void
find_pieces (const MatrixJob *j, int64_t *piece)
{
  const ConvGeometry *g = &j->g;
  for (int64_t ky = 0; ky < (j->order.columns ? 1 : g->k[1]); ky++)
    for (int64_t kx = 0; kx < g->k[2]; kx++)
      {
        int64_t y = ky * g->dil[1], x = kx * g->dil[2];
        int64_t at = (y % j->phases_y * j->phases_x + x % j->phases_x) * j->phase + y / j->phases_y * j->row + x / j->phases_x;
        for (int64_t i = 0; i < j->order.pieces; i++)
          *piece++ = (at + i * j->order.depth * j->line) * CELL;
      }
}

static void
read_block (const MatrixJob *j, const Share *s, int64_t b, void *room, MatrixBlock *block)
{
  int64_t first = b * j->weights.wide, m = s->group * j->mg + first;
  const PareQConv *c = j->c;
  int32_t offset[PARE_MATRIX_ROWS];
  block->rows = (int)at_most (j->mg - first, j->weights.wide);
  block->w = pare_rt_int_block (&j->weights, s->group, b, room, block->init, offset);
  for (int i = 0; i < block->rows; i++)
    {
      block->bias[i] = c->bias ? (float)c->bias[m + i] : 0;
      block->scale[i] = c->scale[m + i];
      block->factor[i] = c->factor ? c->factor[m + i] : 0;
      block->offset[i] = c->factor ? c->offset[m + i] : 0;
    }
}

/* Up to four tiles. */
typedef struct
{
  int64_t first; /* position of the task's output */
  uint64_t mask; /* of the cells that are positions */
} Group;

/* The tiles from `tile` on. */
static Group
find_group (const MatrixJob *j, const Share *s, const uint8_t *input, int64_t tile, PareMatrixProduct *p)
{
  const ConvGeometry *g = &j->g;
  Group group = { 0, 0 };
  int64_t row_tiles = parts_of (s->columns, PARE_MATRIX_COLUMNS), all = pare_rt_qconv_matrix_tiles (j, s->rows, s->columns);
  p->tiles = (int)at_most (all - tile, PARE_MATRIX_TILES);
  if (j->order.columns)
    {
      group.first = tile / row_tiles * s->columns + tile % row_tiles * PARE_MATRIX_COLUMNS;
      for (int t = 0; t < p->tiles; t++)
        {
          int64_t row = (tile + t) / row_tiles, column = (tile + t) % row_tiles * PARE_MATRIX_COLUMNS;
          p->x[t] = input + (row * g->stride[1] * j->row + column) * CELL;
          uint64_t some = s->columns - column >= PARE_MATRIX_COLUMNS ? 0xFFFF : (1u << (s->columns - column)) - 1;
          group.mask |= some << t * PARE_MATRIX_COLUMNS;
        }
      return group;
    }
  int64_t cell = tile * PARE_MATRIX_COLUMNS, end = cell + p->tiles * PARE_MATRIX_COLUMNS, row = cell / j->pitch;
  for (int t = 0; t < p->tiles; t++)
    p->x[t] = input + (cell + t * PARE_MATRIX_COLUMNS) * CELL;
  group.first = row * s->columns + at_most (cell - row * j->pitch, s->columns);
  for (; row < s->rows && row * j->pitch < end; row++)
    {
      int64_t from = at_least (row * j->pitch, cell) - cell, to = at_most (row * j->pitch + s->columns, end) - cell;
      if (to > from)
        group.mask |= ~UINT64_C (0) >> (64 - (to - from)) << from;
    }
  return group;
}

/* A run of blocks over all of the task's positions. */
static void
run_blocks (const MatrixJob *j, const Share *s, const uint8_t *input, const int64_t *piece, const MatrixBlock *blocks, int64_t n,
            uint8_t *y)
{
  const PareQConv *c = j->c;
  int32_t sum[2 * PARE_MATRIX_ROWS * PARE_MATRIX_POSITIONS];
  PareMatrixProduct p = { .pitch = j->line * CELL,
                          .piece = piece,
                          .pieces = j->weights.steps,
                          .w_pitch = int_step (&j->weights),
                          .w_piece = int_step (&j->weights) * j->weights.wide };
  PareIntScale scale = { .zero = c->p->zero_y,
                         .lo = (float)(c->p->lo - c->p->zero_y),
                         .hi = (float)(c->p->hi - c->p->zero_y),
                         .codes = is_codes (c->y),
                         .least = c->least,
                         .most = c->most,
                         .rounding = c->rounding };
  int64_t bytes = scale.codes ? 1 : 4, all = pare_rt_qconv_matrix_tiles (j, s->rows, s->columns);
  for (int64_t tile = 0; tile < all; tile += PARE_MATRIX_TILES)
    {
      Group group = find_group (j, s, input, tile, &p);
      if (!group.mask)
        continue;
      for (int64_t b = 0; b < n; b += p.blocks)
        {
          p.blocks = n - b > 1 ? 2 : 1;
          for (int i = 0; i < p.blocks; i++)
            p.w[i] = blocks[b + i].w;
          j->matrix->multiply (&p, sum);
          for (int i = 0; i < p.blocks; i++)
            {
              const MatrixBlock *block = &blocks[b + i];
              scale.init = block->init;
              scale.bias = block->bias;
              scale.scale = block->scale;
              scale.factor = c->factor ? block->factor : NULL;
              scale.offset = block->offset;
              j->matrix->store (y + ((b + i) * j->weights.wide * j->positions + group.first) * bytes, j->positions,
                                sum + i * PARE_MATRIX_ROWS * PARE_MATRIX_POSITIONS, block->rows, p.tiles, group.mask, &scale);
            }
        }
    }
}

static void
image_task (int64_t task, int worker, void *arg)
{
  const MatrixJob *j = arg;
  const ConvGeometry *g = &j->g;
  const PareConvParams *p = &j->c->p->conv;
  uint8_t *scratch = j->scratch + (uint64_t)worker * j->bytes;
  int64_t *piece = (int64_t *)(void *)(scratch + j->at_pieces), bytes = is_codes (j->c->y) ? 1 : 4;
  MatrixBlock *blocks = (MatrixBlock *)(void *)(scratch + j->at_blocks);
  Share s = { .block = task % j->parts * j->part_blocks };
  task /= j->parts;
  s.column = task % j->across * j->task_columns;
  task /= j->across;
  s.row = task % j->down * j->task_rows;
  task /= j->down;
  s.group = task % g->group;
  s.image = task / g->group;
  s.rows = at_most (g->out[1] - s.row, j->task_rows);
  s.columns = at_most (g->out[2] - s.column, j->task_columns);
  s.blocks = at_most (j->blocks - s.block, j->part_blocks);
  j->matrix->begin (j->weights.wide, (int)j->order.depth);
  lay_input (j, &s, scratch);
  find_pieces (j, piece);
  int64_t m = s.group * j->mg + s.block * j->weights.wide, some = pare_rt_int_is_ready (&j->weights) ? s.blocks : 1;
  uint8_t *y = (uint8_t *)j->c->y->data + ((s.image * g->m + m) * j->positions + s.row * g->out[2] + s.column) * bytes;
  for (int64_t b = 0; b < s.blocks; b += some)
    {
      for (int64_t i = 0; i < some; i++)
        read_block (j, &s, s.block + b + i, scratch + j->at_weights, &blocks[i]);
      run_blocks (j, &s, scratch, piece, blocks, some, y + b * j->weights.wide * j->positions * bytes);
    }
  j->matrix->end ();
  if (bytes == 4 && p->activation != PARE_ACT_NONE)
    for (int64_t r = 0; r < at_most (s.blocks * j->weights.wide, j->mg - s.block * j->weights.wide); r++)
      pare_rt_activate ((float *)(void *)y + r * j->positions, s.rows * s.columns, p->activation, p->lo, p->hi, p->alpha);
}

void
pare_rt_qconv_matrix (const PareQConv *c, void *scratch)
{
  MatrixJob j;
  if (!pare_rt_qconv_matrix_plan (&j, c, pare_rt_workers ()))
    return;
  j.scratch = scratch;
  pare_rt_parallel_if (!j.serial, j.g.n * j.g.group * j.down * j.across * j.parts, image_task, &j);
}
