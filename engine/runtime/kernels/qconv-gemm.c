/* QConv as a matrix product on codes: rows are output channels, columns positions of the output. A task takes rows of the output image and
 * lays their input so that it fits a part of the second cache: in bands, where windows are read as they lie (qconv-bands.h); pointwise, in
 * panels of a few hundred columns; else, for too few channels, unfolded. All rows of weights run over it while it is there. */
#include "engine/runtime/kernels/int-strip.h"
#include "engine/runtime/kernels/qconv-bands.h"
#include "engine/runtime/kernels/qconv.h"

#define PANEL_BYTES (192 * 1024) /* of laid input at a time: a part of the second cache */
#define COLUMNS 512
#define STRIP_BYTES (192 * 1024)
#define MIN_COLUMNS 64 /* of a task when work is cut for several workers */
#define MIN_ROWS 32

typedef struct
{
  const PareQConv *c;
  const PareIntIsa *isa;
  PareIntWeights weights;
  PareIntCodes codes;
  bool pointwise, banded, serial;                           /* else unfolded; serial: too little work to share */
  int64_t cg, mg, k, positions, out_rows, out_width;        /* pointwise: one row of positions cut into rows of out_width */
  int64_t task_rows, tasks, row_blocks, part_blocks, parts; /* of the image; blocks of weights, of which a task takes part_blocks */
  int64_t columns;                                          /* of a sub-block */
  PareIntStrip strip;
  PareIntBands bands;
  uint64_t at_row, at_panels, at_weights, at_lines, at_tile, at_ones, at_sums, bytes; /* of a worker's scratch */
  uint8_t *scratch;
} Job;

static bool
is_pointwise (const ConvGeometry *g)
{
  return g->k[1] == 1 && g->k[2] == 1 && g->stride[1] == 1 && g->stride[2] == 1 && !g->pad[1] && !g->pad[2] && !g->pad_end[1]
         && !g->pad_end[2];
}

/* Whether its input is laid in bands: not where a step of k_step channels would be zeros for more than a quarter. */
static bool
is_banded (const PareQConv *c, const PareIntIsa *isa, bool moved)
{
  const ConvGeometry *g = &c->g;
  int64_t cg = g->c / g->group;
  PareIntBands b;
  return !moved && !is_pointwise (g) && int_round_up (cg, isa->k_step) * 3 <= cg * 4 && pare_rt_int_bands (g, isa, 1, &b);
}

static PareIntWeights
weights_of (const PareQConv *c, const PareIntIsa *isa, bool moved)
{
  const ConvGeometry *g = &c->g;
  bool banded = is_banded (c, isa, moved);
  int64_t cg = g->c / g->group, taps = g->k[1] * g->k[2], k = cg * taps;
  return (PareIntWeights){ .isa = isa,
                           .view = c->w,
                           .wide = isa->conv_rows,
                           .k = k,
                           .steps = banded ? (cg + isa->k_step - 1) / isa->k_step * taps : (k + isa->k_step - 1) / isa->k_step,
                           .kernel = { banded ? g->k[1] : 0, banded ? g->k[2] : 0 },
                           .groups = g->group,
                           .rows = g->m / g->group,
                           .row_stride = k,
                           .k_stride = 1,
                           .fold = int_codes (isa, c->x->dtype == PARE_DTYPE_INT8, c->p->zero_x).fold,
                           .moved = moved };
}

PareIntWeights
pare_rt_qconv_weights_to_pack (const PareQConv *c)
{
  const PareIntIsa *isa = pare_rt_int_isa ();
  PareIntWeights moved = weights_of (c, isa, true);
  return isa->width == 1 && pare_rt_int_can_move (&moved) ? moved : weights_of (c, pare_rt_int_isa_for (c->w->dtype), false);
}

/* Rows of output whose bands fit the panels' bytes. */
static int64_t
banded_rows (const Job *j)
{
  PareIntBands b;
  int64_t rows = j->out_rows;
  while (rows > 1 && (!pare_rt_int_bands (&j->c->g, j->isa, rows, &b) || pare_rt_int_bands_bytes (&b) > PANEL_BYTES))
    rows = (rows + 1) / 2;
  return rows;
}

/* How the work is cut. FALSE: not a shape for this. */
static bool
cut (Job *j, int workers)
{
  const ConvGeometry *g = &j->c->g;
  int64_t column = int_column_bytes (j->isa), steps = j->weights.steps, images = g->n * g->group;
  int64_t tile = j->isa->conv_vectors * j->isa->lanes, want = workers > 1 ? 2 * workers : 1;
  int64_t budget = at_least (at_most (PANEL_BYTES / (steps * column), COLUMNS) / tile * tile, tile);
  j->out_rows = g->out[1];
  j->out_width = g->out[2];
  if (j->pointwise)
    {
      int64_t share = at_least (int_round_up (j->positions * images / want, j->isa->lanes), MIN_COLUMNS);
      j->out_width = at_most (want > 1 ? at_most (budget, share) : budget, j->positions);
      j->out_rows = (j->positions + j->out_width - 1) / j->out_width;
    }
  j->task_rows = j->banded ? banded_rows (j) : at_most (at_least (budget / j->out_width, 1), j->out_rows);
  if (images * ((j->out_rows + j->task_rows - 1) / j->task_rows) < want)
    {
      int64_t least = (MIN_COLUMNS + j->out_width - 1) / j->out_width;
      j->task_rows = at_least (at_most (j->task_rows, j->out_rows * images / want), at_most (least, j->out_rows));
    }
  if (j->banded && !pare_rt_int_bands (g, j->isa, j->task_rows, &j->bands))
    return false;
  if (!j->pointwise && !j->banded)
    for (;; j->task_rows = (j->task_rows + 1) / 2)
      {
        bool fits = pare_rt_int_strip (g, j->task_rows, false, true, &j->strip);
        if (!fits && j->task_rows == 1)
          return false;
        if (fits && (j->task_rows == 1 || j->strip.plane * j->cg <= STRIP_BYTES))
          break;
      }
  j->tasks = (j->out_rows + j->task_rows - 1) / j->task_rows;
  j->row_blocks = int_blocks (&j->weights);
  j->parts = 1;
  if (images * j->tasks < want)
    j->parts = at_least (1, at_most ((want + images * j->tasks - 1) / (images * j->tasks), j->row_blocks * j->isa->conv_rows / MIN_ROWS));
  j->part_blocks = (j->row_blocks + j->parts - 1) / j->parts;
  j->parts = (j->row_blocks + j->part_blocks - 1) / j->part_blocks;
  j->columns = j->banded ? j->task_rows * j->out_width : at_most (budget, j->task_rows * j->out_width);
  return true;
}

/* moved: the weights are packed that way. */
static bool
plan (Job *j, const PareQConv *c, int workers, bool moved)
{
  const ConvGeometry *g = &c->g;
  *j = (Job){ .c = c, .isa = moved ? pare_rt_int_isa () : pare_rt_int_isa_for (c->w->dtype) };
  j->weights = weights_of (c, j->isa, moved);
  j->codes = int_codes (j->isa, c->x->dtype == PARE_DTYPE_INT8, c->p->zero_x);
  j->cg = g->c / g->group;
  j->mg = g->m / g->group;
  j->k = j->weights.k;
  j->positions = g->out[1] * g->out[2];
  j->pointwise = is_pointwise (g);
  j->banded = j->weights.kernel[0] > 0;
  j->serial = workers == 1 || int_is_small (j->isa, (double)g->n * (double)g->m * (double)j->positions * (double)j->k);
  if (j->k > 1 << 22 || !cut (j, j->serial ? 1 : workers))
    return false;
  int64_t column = int_column_bytes (j->isa), tile = j->isa->conv_vectors * j->isa->lanes;
  int64_t columns = int_round_up (j->columns, j->isa->lanes);
  bool unfolded = !j->pointwise && !j->banded;
  j->at_row = unfolded ? (uint64_t)int_round_up (j->strip.plane * j->cg + PARE_STRIP_SLACK, 64) : 0;
  j->at_panels = j->at_row + (uint64_t)(j->banded ? j->bands.raw : int_round_up ((columns + 64) * column, 64));
  j->at_weights
      = j->at_panels + (uint64_t)int_round_up (j->banded ? pare_rt_int_bands_bytes (&j->bands) : columns * j->weights.steps * column, 64);
  j->at_lines = j->at_weights + pare_rt_int_block_room (&j->weights);
  j->at_tile = j->at_lines + (uint64_t)int_round_up (j->weights.steps * j->isa->k_step * 8, 64);
  j->at_ones = j->at_tile + (uint64_t)int_round_up (j->isa->conv_rows * tile * 4, 64);
  j->at_sums = j->at_ones + (j->weights.moved ? (uint64_t)int_round_up (j->weights.steps * j->isa->conv_rows * column, 64) : 0);
  j->bytes = j->at_sums + (j->weights.moved ? (uint64_t)int_round_up (columns * 4, 64) : 0);
  return j->bytes < PARE_QCONV_MOST;
}

uint64_t
pare_rt_qconv_gemm_scratch (const PareQConv *c, int workers)
{
  Job j;
  uint64_t bytes = plan (&j, c, workers, false) ? j.bytes : 0;
  bool may_move = c->w->dtype == PARE_DTYPE_INT16 && pare_rt_int_isa ()->width == 1;
  if (bytes > 0 && may_move && plan (&j, c, workers, true) && j.bytes > bytes)
    bytes = j.bytes;
  return bytes;
}

/* Bias and scale of a block of weights, complete up to conv_rows. */
typedef struct
{
  int32_t init[16], moved[16];
  float bias[16], scale[16], factor[16], offset[16];
} Rows;

static void
read_rows (const Job *j, int64_t m, int n, Rows *rows)
{
  for (int i = 0; i < j->isa->conv_rows; i++)
    {
      rows->bias[i] = i < n && j->c->bias ? (float)j->c->bias[m + i] : 0;
      rows->scale[i] = i < n ? j->c->scale[m + i] : 0;
      rows->factor[i] = i < n && j->c->factor ? j->c->factor[m + i] : 0;
      rows->offset[i] = i < n && j->c->factor ? j->c->offset[m + i] : 0;
    }
}

/* Where a panel of `wide` columns begins. The last one of a sub-block ends with it, and computes a few columns twice; unfolded ones follow
 * each other as they are laid. */
static int64_t
panel_begin (const Job *j, int64_t columns, int64_t done, int64_t wide)
{
  bool unfolded = !j->pointwise && !j->banded;
  return done + wide > columns && columns >= wide && !unfolded ? columns - wide : done;
}

/* One block of weights over all panels of a sub-block that starts at position p. */
static void
run_block (const Job *j, uint8_t *scratch, int64_t n, int64_t group, int64_t block, int64_t p, int64_t columns)
{
  const PareQConv *c = j->c;
  const PareIntIsa *isa = j->isa;
  Rows rows;
  int64_t m = group * j->mg + block * isa->conv_rows, column = int_column_bytes (isa);
  int real = (int)at_most (j->mg - block * isa->conv_rows, isa->conv_rows), bytes = is_codes (c->y) ? 1 : 4;
  const uint8_t *w = pare_rt_int_block (&j->weights, group, block, scratch + j->at_weights, rows.init, rows.moved);
  read_rows (j, m, real, &rows);
  PareIntScale scale = { rows.init,
                         rows.bias,
                         rows.scale,
                         c->p->zero_y,
                         (float)(c->p->lo - c->p->zero_y),
                         (float)(c->p->hi - c->p->zero_y),
                         bytes == 1,
                         c->factor ? rows.factor : NULL,
                         rows.offset,
                         c->least,
                         c->most,
                         c->rounding,
                         j->weights.moved ? rows.moved : NULL,
                         (const float *)(const void *)(scratch + j->at_sums) };
  uint8_t *y = (uint8_t *)c->y->data + ((n * c->g.m + m) * j->positions + p) * bytes;
  const uint8_t *panel = scratch + j->at_panels;
  const int64_t *next = j->banded ? (const int64_t *)(const void *)(scratch + j->at_lines) : NULL;
  int64_t vectors = (columns + isa->lanes - 1) / isa->lanes, panels = (vectors + isa->conv_vectors - 1) / isa->conv_vectors;
  for (int64_t i = 0, done = 0; i < panels; i++)
    {
      int nv = (int)(vectors / panels + (i < vectors % panels));
      int64_t wide = nv * isa->lanes, at = panel_begin (j, columns, done, wide), fit = at_most (columns - at, wide);
      const uint8_t *x = j->banded ? panel + at * column : panel;
      if (fit == wide)
        isa->conv (y + at * bytes, j->positions, x, next, w, j->weights.steps, real, nv, &scale);
      else
        {
          uint8_t *tile = scratch + j->at_tile;
          isa->conv (tile, wide, x, next, w, j->weights.steps, real, nv, &scale);
          for (int r = 0; r < real; r++)
            memcpy (y + (r * j->positions + at) * bytes, tile + r * wide * bytes, fit * bytes);
        }
      panel += j->banded ? 0 : j->weights.steps * wide * column;
      scale.columns += wide;
      done += wide;
    }
  if (bytes == 4 && c->p->conv.activation != PARE_ACT_NONE)
    for (int r = 0; r < real; r++)
      pare_rt_activate ((float *)(void *)y + r * j->positions, columns, c->p->conv.activation, c->p->conv.lo, c->p->conv.hi,
                        c->p->conv.alpha);
}

static void
lay_panels (const Job *j, uint8_t *scratch, const uint8_t *x, int64_t row, int64_t first, int64_t p, int64_t columns)
{
  const PareIntIsa *isa = j->isa;
  uint8_t *to = scratch + j->at_panels;
  if (!j->pointwise)
    {
      PareIntUnfold u
          = { scratch, (const int64_t *)(void *)(scratch + j->at_lines), j->strip.pitch * j->c->g.stride[1], j->out_width, row, first,
              columns };
      isa->unfold (to, &u, j->weights.steps, j->codes, scratch + j->at_row);
      return;
    }
  int64_t vectors = (columns + isa->lanes - 1) / isa->lanes, panels = (vectors + isa->conv_vectors - 1) / isa->conv_vectors;
  for (int64_t i = 0, done = 0; i < panels; i++)
    {
      int nv = (int)(vectors / panels + (i < vectors % panels));
      int64_t wide = nv * isa->lanes, at = panel_begin (j, columns, done, wide);
      isa->panel (to, x + p + at, j->positions, j->k, at_most (columns - at, wide), nv, j->codes);
      done += wide;
      to += j->weights.steps * nv * isa->lanes * int_column_bytes (isa);
    }
}

/* The sums of all columns: a row of ones, which the tiles multiply as any other. */
static void
sum_columns (const Job *j, uint8_t *scratch, int64_t columns)
{
  static const int32_t start[16] = { 0 };
  static const float nothing[16] = { 0 }, once[16] = { 1 };
  const PareIntIsa *isa = j->isa;
  int64_t column = int_column_bytes (isa), step = isa->conv_rows * column;
  uint8_t *ones = scratch + j->at_ones, *panel = scratch + j->at_panels;
  memset (ones, 0, (size_t)(j->weights.steps * step));
  for (int64_t k = 0; k < j->k; k++)
    ones[k / isa->k_step * step + k % isa->k_step] = 1;
  PareIntScale scale = { .init = start, .bias = nothing, .scale = once };
  int64_t vectors = (columns + isa->lanes - 1) / isa->lanes, panels = (vectors + isa->conv_vectors - 1) / isa->conv_vectors;
  float *sums = (float *)(void *)(scratch + j->at_sums);
  for (int64_t i = 0; i < panels; i++)
    {
      int nv = (int)(vectors / panels + (i < vectors % panels));
      isa->conv (sums, nv * isa->lanes, panel, NULL, ones, j->weights.steps, 1, nv, &scale);
      panel += j->weights.steps * nv * isa->lanes * column;
      sums += nv * isa->lanes;
    }
}

static void
find_lines (const Job *j, int64_t *line)
{
  const ConvGeometry *g = &j->c->g;
  int64_t k = 0, taps = g->k[1] * g->k[2];
  for (; k < taps && j->cg > 0; k++)
    line[k] = int_strip_tap (&j->strip, g, k / g->k[2], k % g->k[2]);
  for (; k < j->cg * taps; k++)
    line[k] = line[k - taps] + j->strip.plane;
  for (; k < j->weights.steps * j->isa->k_step; k++)
    line[k] = line[0]; /* its weights are zero */
}

static void
image_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  const ConvGeometry *g = &j->c->g;
  uint8_t *scratch = j->scratch + (uint64_t)worker * j->bytes;
  int64_t part = task % j->parts, rows = task / j->parts % j->tasks, group = task / j->parts / j->tasks % g->group,
          n = task / j->parts / j->tasks / g->group, in_plane = g->in[1] * g->in[2];
  int64_t r0 = rows * j->task_rows, p0 = r0 * j->out_width, p1 = at_most (p0 + j->task_rows * j->out_width, j->positions);
  const uint8_t *x = (const uint8_t *)j->c->x->data + (n * g->c + group * j->cg) * in_plane;
  const uint8_t *end = (const uint8_t *)j->c->x->data + g->n * g->c * in_plane;
  if (j->banded)
    {
      pare_rt_int_bands_fill (&j->bands, r0, (p1 - p0) / j->out_width, x, (uint8_t)j->c->p->zero_x, j->codes, scratch + j->at_row,
                              scratch + j->at_panels);
      pare_rt_int_bands_steps (&j->bands, (int64_t *)(void *)(scratch + j->at_lines));
    }
  else if (!j->pointwise)
    {
      pare_rt_int_strip_fill (&j->strip, g, r0, x, end, j->cg, (uint8_t)j->c->p->zero_x, scratch);
      find_lines (j, (int64_t *)(void *)(scratch + j->at_lines));
    }
  int64_t b0 = part * j->part_blocks, b1 = at_most (b0 + j->part_blocks, j->row_blocks);
  for (int64_t p = p0; p < p1; p += j->columns)
    {
      int64_t columns = at_most (j->columns, p1 - p);
      if (!j->banded)
        lay_panels (j, scratch, x, (p - p0) / j->out_width, (p - p0) % j->out_width, p, columns);
      if (j->weights.moved)
        sum_columns (j, scratch, columns);
      for (int64_t b = b0; b < b1; b++)
        run_block (j, scratch, n, group, b, p, columns);
    }
}

void
pare_rt_qconv_gemm (const PareQConv *c, void *scratch)
{
  Job j;
  bool moved = pare_rt_int_packed_moved (c->w, pare_rt_int_isa ());
  if (!(moved && plan (&j, c, pare_rt_workers (), true)) && !plan (&j, c, pare_rt_workers (), false))
    return;
  j.scratch = scratch;
  pare_rt_parallel_if (!j.serial, c->g.n * c->g.group * j.tasks * j.parts, image_task, &j);
}
