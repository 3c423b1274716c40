/* Recurrent layers whose weights are codes. What they are multiplied by is laid on a grid of 8 bits when it is there: x once, the state in
 * front of each step, as a whole, so that a sample's codes depend on the others of its batch, as ONNX Runtime has it. Every thread that
 * computes units of a step lays the whole state for itself: that takes less time than waiting for another one. */
#include "engine/runtime/kernels/rnn-common.h"

#define ROWS 32        /* of x in a task */
#define MOST (1 << 15) /* products of a sum, which stays within 32 bits */
#define LINE 64

typedef struct
{
  float scale;
  int32_t zero;
} Grid;

static uint64_t
in_lines (uint64_t bytes)
{
  return (bytes + LINE - 1) / LINE * LINE;
}

/* Least and greatest of n values and of what they were before; NaN is neither. */
PARE_RT_CLONES static void
widen_range (const float *x, int64_t n, float *least, float *greatest)
{
  float lo[16], hi[16];
  int64_t i = 0;
  for (int l = 0; l < 16; l++)
    {
      lo[l] = *least;
      hi[l] = *greatest;
    }
  for (; i + 16 <= n; i += 16)
    for (int l = 0; l < 16; l++)
      {
        lo[l] = x[i + l] < lo[l] ? x[i + l] : lo[l];
        hi[l] = x[i + l] > hi[l] ? x[i + l] : hi[l];
      }
  for (int l = 0; i < n; i++, l++)
    {
      lo[l] = x[i] < lo[l] ? x[i] : lo[l];
      hi[l] = x[i] > hi[l] ? x[i] : hi[l];
    }
  for (int l = 0; l < 16; l++)
    {
      *least = lo[l] < *least ? lo[l] : *least;
      *greatest = hi[l] > *greatest ? hi[l] : *greatest;
    }
}

/* Of rows of n values that lie `apart` from each other. */
static Grid
grid_of (const float *x, int64_t rows, int64_t n, int64_t apart)
{
  float least = 0, greatest = 0;
  for (int64_t r = 0; r < rows; r++)
    widen_range (x + r * apart, n, &least, &greatest);
  float scale = greatest > least ? (greatest - least) / 255 : 1, zero = rintf (-least / scale);
  return (Grid){ scale, zero > 0 ? zero < 255 ? (int32_t)zero : 255 : 0 };
}

PARE_RT_CLONES static void
lay_bytes (const float *x, int64_t n, float scale, float zero, uint8_t *to)
{
  for (int64_t i = 0; i < n; i++)
    {
      float v = rintf (x[i] / scale);
      v = v > -zero ? v : -zero;
      v = v < 255 - zero ? v : 255 - zero;
      to[i] = (uint8_t)(int32_t)(v + zero);
    }
}

/* A row of n values as the multiplier wants it, with zeros behind; bytes: room for n. */
static void
lay_row (const PareRtRnnCodes *c, const float *x, int64_t n, Grid grid, uint8_t *bytes, uint8_t *to)
{
  const PareIntIsa *isa = c->weights.isa;
  uint64_t used = (uint64_t)(n * isa->width);
  lay_bytes (x, n, grid.scale, (float)grid.zero, bytes);
  isa->widen (to, bytes, n, int_codes (isa, false, grid.zero));
  memset (to + used, 0, c->row_bytes - used);
}

/* --- a block of the weights --- */

static uint64_t
block_room (const PareRtRnnCodes *c)
{
  const PareIntWeights *w = &c->weights;
  return in_lines ((uint64_t)w->wide * (3 + (uint64_t)w->isa->gemm_rows) * sizeof (float)) + pare_rt_int_block_room (w);
}

/* Rows of codes times a block; `columns` of it are written, and get a bias, or NULL. */
static void
times_block (const PareRtRnnCodes *c, int64_t group, int64_t block, const uint8_t *x, int64_t rows, Grid grid, uint8_t *room, float *y,
             int64_t ldy, int64_t columns, const float *bias)
{
  const PareIntWeights *w = &c->weights;
  const PareIntIsa *isa = w->isa;
  int wide = w->wide;
  int64_t c0 = block * wide, fit = w->rows - c0 < wide ? w->rows - c0 : wide;
  int32_t *init = (int32_t *)(void *)room;
  float *nothing = (float *)(void *)room + wide, *factor = nothing + wide, *tile = factor + wide;
  uint8_t *unpacked = room + in_lines ((uint64_t)wide * (3 + (uint64_t)isa->gemm_rows) * sizeof (float));
  const uint8_t *codes = pare_rt_int_block (w, group, block, unpacked, init, NULL);
  const float *scale = c->scale + group * w->rows + c0;
  int32_t fold = int_codes (isa, false, grid.zero).fold;
  for (int i = 0; i < wide; i++)
    {
      init[i] *= fold;
      nothing[i] = 0;
      factor[i] = i < fit ? grid.scale * scale[i] : 0;
    }
  PareIntScale how = { .init = init, .bias = nothing, .scale = factor, .lo = -INFINITY, .hi = INFINITY };
  for (int64_t r = 0; r < rows; r += isa->gemm_rows)
    {
      int some = (int)(rows - r < isa->gemm_rows ? rows - r : isa->gemm_rows);
      float *to = columns == wide ? y + r * ldy : tile;
      isa->gemm (to, columns == wide ? ldy : wide, x + (uint64_t)r * c->row_bytes, (int64_t)c->row_bytes, codes, w->steps, some, &how);
      for (int i = 0; i < some && to == tile; i++)
        memcpy (y + (r + i) * ldy, tile + (int64_t)i * wide, (size_t)columns * sizeof (float));
      for (int i = 0; i < some && bias; i++)
        for (int64_t k = 0; k < columns; k++)
          y[(r + i) * ldy + k] += bias[k];
    }
}

/* --- x --- */

typedef struct
{
  const PareRtRnn *s;
  const float *x;
  Grid grid;
  int64_t rows, parts, chunks;
} Projection;

static uint8_t *
worker_room (const PareRtRnn *s, int worker)
{
  return s->laid + (uint64_t)(s->steps * s->batch) * s->of_x.row_bytes + (uint64_t)worker * s->worker_bytes;
}

static void
lay_task (int64_t task, int worker, void *arg)
{
  const Projection *j = arg;
  const PareRtRnn *s = j->s;
  for (int64_t r = task * ROWS; r < (task + 1) * ROWS && r < j->rows; r++)
    lay_row (&s->of_x, j->x + r * s->inputs, s->inputs, j->grid, worker_room (s, worker), s->laid + (uint64_t)r * s->of_x.row_bytes);
}

static void
project_task (int64_t task, int worker, void *arg)
{
  const Projection *j = arg;
  const PareRtRnn *s = j->s;
  const PareIntWeights *w = &s->of_x.weights;
  int64_t part = task % j->parts, r0 = task / j->parts % j->chunks * ROWS, rows = j->rows - r0 < ROWS ? j->rows - r0 : ROWS;
  int64_t blocks = int_blocks (w), d = task / j->parts / j->chunks;
  const PareRtRnnSide *side = &s->side[d];
  for (int64_t b = blocks * part / j->parts; b < blocks * (part + 1) / j->parts; b++)
    {
      int64_t c0 = b * w->wide;
      times_block (&s->of_x, d, b, s->laid + (uint64_t)r0 * s->of_x.row_bytes, rows, j->grid, worker_room (s, worker),
                   (float *)side->xw + r0 * w->rows + c0, w->rows, w->rows - c0 < w->wide ? w->rows - c0 : w->wide,
                   side->bias ? side->merged + c0 : NULL);
    }
}

void
pare_rt_rnn_codes_project (const PareRtRnn *s, const float *x)
{
  Projection j = { .s = s, .x = x, .rows = s->steps * s->batch, .parts = 1 };
  const PareIntWeights *w = &s->of_x.weights;
  bool worth
      = pare_rt_workers () > 1 && !int_is_small (w->isa, (double)j.rows * (double)w->rows * (double)s->inputs * (double)s->directions);
  j.grid = grid_of (x, 1, j.rows * s->inputs, 0);
  j.chunks = (j.rows + ROWS - 1) / ROWS;
  if (worth && j.chunks * s->directions < 4 * pare_rt_workers ())
    j.parts = int_blocks (w) < 4 * pare_rt_workers () ? int_blocks (w) : 4 * pare_rt_workers ();
  pare_rt_parallel_if (worth, j.chunks, lay_task, &j);
  pare_rt_parallel_if (worth, s->directions * j.chunks * j.parts, project_task, &j);
}

/* --- the state --- */

/* Of a worker: the grid, the codes of the state, and room that laying and multiplying share. */
static uint64_t
state_bytes (const PareRtRnn *s)
{
  return (uint64_t)s->batch * s->of_state.row_bytes;
}

void
pare_rt_rnn_codes_lay (const PareRtRnn *s, const float *state, int worker)
{
  uint8_t *room = worker_room (s, worker), *to = room + LINE;
  Grid grid = grid_of (state, s->batch, s->hidden, s->room);
  memcpy (room, &grid, sizeof grid);
  for (int64_t b = 0; b < s->batch; b++)
    lay_row (&s->of_state, state + b * s->room, s->hidden, grid, to + state_bytes (s), to + (uint64_t)b * s->of_state.row_bytes);
}

void
pare_rt_rnn_codes_multiply (const PareRtRnn *s, const PareRtRnnProduct *p, int64_t row, int worker)
{
  uint8_t *room = worker_room (s, worker), *codes = room + LINE;
  Grid grid;
  memcpy (&grid, room, sizeof grid);
  int64_t wide = s->of_state.weights.wide, width = p->end - p->unit;
  for (int gate = 0; gate < p->gates; gate++)
    for (int64_t unit = p->unit; unit < p->end; unit += wide)
      times_block (&s->of_state, p->direction * s->gates + p->first + gate, unit / wide, codes + (uint64_t)row * s->of_state.row_bytes,
                   p->rows, grid, codes + state_bytes (s), p->y + gate * width + unit - p->unit, p->gates * width, wide, NULL);
}

/* --- operands, scratch and what is packed --- */

static bool
is_whole (const PareView *v)
{
  return v->dtype == PARE_DTYPE_INT8 || v->dtype == PARE_DTYPE_INT16;
}

static void
set_matrix (PareRtRnnCodes *c, const PareView *view, const PareView *scale, int64_t groups)
{
  const PareIntIsa *isa = pare_rt_int_isa_for (view->dtype);
  int64_t k = view->shape.dims[2];
  c->view = *view;
  c->view.packed = NULL;
  c->scale = scale->data;
  c->weights = (PareIntWeights){ .isa = isa,
                                 .view = &c->view,
                                 .wide = isa->gemm_vectors * isa->lanes,
                                 .k = k,
                                 .steps = (k + isa->k_step - 1) / isa->k_step,
                                 .groups = groups,
                                 .rows = view->shape.dims[0] * view->shape.dims[1] / groups,
                                 .row_stride = k,
                                 .k_stride = 1,
                                 .fold = 1 }; /* zero points are known when the range is */
  c->row_bytes = in_lines ((uint64_t)(c->weights.steps * int_column_bytes (isa)));
}

/* Behind a line of zeros, which says that no panels are narrow. */
static void
find_packed (PareRtRnn *s, const void *packed)
{
  if (!packed)
    return;
  s->of_x.view.packed = (const char *)packed + LINE;
  s->of_state.view.packed = (const char *)packed + LINE + in_lines (pare_rt_int_packed_bytes (&s->of_x.weights));
}

PareRtStatus
pare_rt_rnn_codes_check (PareRtRnn *s, const PareView *in, uint32_t n_in)
{
  SUPPORT (is_whole (&in[1]) && is_whole (&in[2]));
  REQUIRE (n_in == PARE_RT_SCALES + 2 && s->inputs <= MOST && s->hidden <= MOST && s->stages == 1);
  for (int i = 0; i < 2; i++)
    {
      const PareView *scale = &in[PARE_RT_SCALES + i];
      REQUIRE (is_f32 (scale) && scale->shape.rank == 2 && scale->shape.dims[0] == s->directions
               && scale->shape.dims[1] == s->gates * s->hidden);
    }
  set_matrix (&s->of_x, &in[1], &in[PARE_RT_SCALES], s->directions);
  set_matrix (&s->of_state, &in[2], &in[PARE_RT_SCALES + 1], s->directions * s->gates);
  find_packed (s, in[1].packed);
  REQUIRE (s->of_state.weights.wide <= PARE_RT_RNN_UNITS);
  s->stage[0].width = s->of_state.weights.wide;
  s->room = int_round_up (s->hidden, s->stage[0].width);
  s->stage[0].panels = s->room / s->stage[0].width;
  s->panel_floats = 0;
  return PARE_RT_OK;
}

bool
pare_rt_rnn_codes_room (PareRtRnn *s, uint64_t *bytes)
{
  uint64_t x = block_room (&s->of_x), state = block_room (&s->of_state), all, rows;
  uint64_t longest = in_lines ((uint64_t)(s->inputs > s->hidden ? s->inputs : s->hidden)); /* of a row of bytes */
  uint64_t shared = x > state ? x : state;
  shared = shared > longest ? shared : longest;
  if (__builtin_mul_overflow ((uint64_t)s->batch, s->of_state.row_bytes, &all) || all > INT64_MAX / 256)
    return false;
  s->worker_bytes = LINE + all + shared;
  if (__builtin_mul_overflow ((uint64_t)s->batch, (uint64_t)s->steps, &rows) || __builtin_mul_overflow (rows, s->of_x.row_bytes, &rows)
      || rows > INT64_MAX / 4)
    return false;
  *bytes = rows + s->worker_bytes * (uint64_t)pare_rt_workers ();
  return true;
}

uint64_t
pare_rt_rnn_codes_pack (PareRtRnn *s, uint8_t *to)
{
  uint64_t of_x = in_lines (pare_rt_int_packed_bytes (&s->of_x.weights));
  if (to)
    {
      memset (to, 0, LINE);
      pare_rt_int_pack (&s->of_x.weights, to + LINE);
      pare_rt_int_pack (&s->of_state.weights, to + LINE + of_x);
    }
  return LINE + of_x + in_lines (pare_rt_int_packed_bytes (&s->of_state.weights));
}
