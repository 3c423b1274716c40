/* What LSTM, GRU and RNN share. */
#include "engine/runtime/kernels/rnn-common.h"

static bool
has_extents (const PareView *v, int64_t a, int64_t b, int64_t c)
{
  const int64_t *d = v->shape.dims;
  return c >= 0 ? v->shape.rank == 3 && d[0] == a && d[1] == b && d[2] == c : v->shape.rank == 2 && d[0] == a && d[1] == b;
}

static bool
is_shape (const PareView *v, int64_t a, int64_t b, int64_t c)
{
  return is_f32 (v) && has_extents (v, a, b, c);
}

static bool
is_usual (const PareRnnParams *p, const PareRtRnnKind *kind, int64_t directions)
{
  static const int usual[3] = { PARE_UN_SIGMOID, PARE_UN_TANH, PARE_UN_TANH };
  int each = kind->lstm ? 3 : 2;
  bool same = kind->gates > 1 && !(p->clip > 0);
  for (int i = 0; i < directions * each; i++)
    same &= p->activation[i] == usual[i % each];
  return same;
}

/* Scratch: floats of each part of a direction's, and of all of it (side); bytes of everything. */
typedef struct
{
  int64_t xw, merged, state, side;
  uint64_t codes, bytes; /* codes: of s->laid, before everything else */
} Room;

/* FALSE: more than can be counted. */
static bool
room_of (PareRtRnn *s, Room *room)
{
  int64_t wide, rows, all;
  room->codes = 0;
  if (s->codes && !pare_rt_rnn_codes_room (s, &room->codes))
    return false;
  if (__builtin_mul_overflow (s->gates, s->hidden, &wide) || __builtin_mul_overflow (s->steps, s->batch, &rows)
      || __builtin_mul_overflow (wide, rows, &room->xw) || __builtin_mul_overflow (s->room, s->batch, &room->state)
      || room->xw > INT64_MAX / 64 || room->state > INT64_MAX / 1024 || wide > INT64_MAX / 64)
    return false;
  /* cells read whole vectors of the last row */
  room->xw
      = s->together || s->projected ? 0 : (room->xw + PARE_RT_RNN_UNITS + PARE_RT_MAX_LANES - 1) / PARE_RT_MAX_LANES * PARE_RT_MAX_LANES;
  room->merged = (wide + PARE_RT_MAX_LANES - 1) / PARE_RT_MAX_LANES * PARE_RT_MAX_LANES;
  room->side = room->xw + room->merged + 5 * room->state;
  if (__builtin_mul_overflow ((int64_t)s->panel_floats, (int64_t)pare_rt_workers (), &all)
      || __builtin_add_overflow (all, 2 * room->side, &all) || all > INT64_MAX / 8)
    return false;
  room->bytes = room->codes + PARE_RT_GEMM_SCRATCH * (uint64_t)pare_rt_workers () + (uint64_t)all * sizeof (float);
  return true;
}

PareRtStatus
pare_rt_rnn_check (PareRtRnn *s, const PareRnnParams *p, const PareRtRnnKind *kind, bool narrow, const PareView *in, uint32_t n_in,
                   const PareView *out, uint32_t n_out)
{
  bool projected = given (in, n_in, PARE_RT_PROJECTED), codes = n_in > 1 && kind->lstm && !is_f32 (&in[1]);
  REQUIRE (p && n_in >= 3
           && n_in <= (codes        ? PARE_RT_SCALES + 2
                       : projected  ? PARE_RT_PROJECTED + 1
                       : kind->lstm ? 8
                                    : 6)
           && n_out >= 1 && n_out <= (kind->lstm ? 3 : 2));
  SUPPORT (is_f32 (&in[0]) && (codes || (is_f32 (&in[1]) && is_f32 (&in[2]))) && !(codes && projected));
  REQUIRE (in[0].shape.rank == 3 && p->hidden >= 1 && (unsigned)p->direction <= PARE_RNN_BIDIRECTIONAL);
  int64_t d = p->direction == PARE_RNN_BIDIRECTIONAL ? 2 : 1, h = p->hidden, gh = kind->gates * h, lanes = pare_rt_isa ()->lanes, deep;
  *s = (PareRtRnn){ .p = p,
                    .steps = in[0].shape.dims[0],
                    .batch = in[0].shape.dims[1],
                    .inputs = in[0].shape.dims[2],
                    .hidden = h,
                    .gates = kind->gates,
                    .directions = d,
                    .room = (h + lanes - 1) / lanes * lanes,
                    .narrow = narrow,
                    .projected = projected,
                    .usual = is_usual (p, kind, d),
                    .codes = codes,
                    .stages = kind->stages,
                    .merge = kind->merge,
                    .cell = kind->cell };
  s->together = !codes && s->steps == 1 && s->batch <= PARE_RT_PANEL_ROWS;
  REQUIRE (has_extents (&in[1], d, gh, s->inputs) && has_extents (&in[2], d, gh, h));
  REQUIRE (!given (in, n_in, 3) || is_shape (&in[3], d, 2 * gh, -1));
  REQUIRE (!given (in, n_in, 4) || (in[4].dtype == PARE_DTYPE_INT32 && in[4].shape.rank == 1 && in[4].shape.dims[0] == s->batch));
  REQUIRE (!given (in, n_in, 5) || is_shape (&in[5], d, s->batch, h));
  REQUIRE (!given (in, n_in, 6) || is_shape (&in[6], d, s->batch, h));
  REQUIRE (!given (in, n_in, 7) || (kind->lstm && is_shape (&in[7], d, 3 * h, -1)));
  if (out[0].dtype != PARE_DTYPE_NONE)
    REQUIRE (is_f32 (&out[0]) && out[0].shape.rank == 4 && out[0].shape.dims[0] == s->steps && out[0].shape.dims[1] == d
             && out[0].shape.dims[2] == s->batch && out[0].shape.dims[3] == h);
  for (uint32_t i = 1; i < n_out; i++)
    REQUIRE (out[i].dtype == PARE_DTYPE_NONE || is_shape (&out[i], d, s->batch, h));
  deep = s->inputs > h ? s->inputs : h;
  for (int i = 0; i < s->stages; i++)
    {
      PareRtRnnStage *g = &s->stage[i];
      *g = kind->stage[i];
      if (narrow) /* of half the bytes there may be more, and more sums at a time keep the arithmetic busy */
        g->vectors = PARE_RT_PANEL_VECTORS / g->gates;
      g->width = g->vectors * lanes;
      g->panels = (s->room + g->width - 1) / g->width;
      uint64_t floats;
      REQUIRE (!__builtin_mul_overflow ((uint64_t)deep, (uint64_t)(g->gates * g->width), &floats) && floats < INT64_MAX / 64);
      s->panel_floats = floats > s->panel_floats ? floats : s->panel_floats;
    }
  PareRtStatus status = codes ? pare_rt_rnn_codes_check (s, in, n_in) : PARE_RT_OK;
  if (status != PARE_RT_OK)
    return status;
  Room room;
  REQUIRE (room_of (s, &room));
  REQUIRE (
      !projected
      || (is_f32 (&in[PARE_RT_PROJECTED]) && count_of (&in[PARE_RT_PROJECTED]) == d * s->steps * s->batch * gh + PARE_RT_PROJECTED_MORE));
  return PARE_RT_OK;
}

uint64_t
pare_rt_rnn_scratch (const PareRnnParams *p, const PareRtRnnKind *kind, const PareView *in, uint32_t n_in, const PareView *out,
                     uint32_t n_out)
{
  PareRtRnn s;
  Room room;
  bool narrow = n_in > 1 && pare_rt_rnn_is_narrow (in[1].packed);
  return pare_rt_rnn_check (&s, p, kind, narrow, in, n_in, out, n_out) == PARE_RT_OK && room_of (&s, &room) ? room.bytes : 0;
}

/* rows of x [rows, depth] by a panel of `gates` times `width` columns: gate g of row r comes to y + (r * gates + g) * apart */
static void
times_panel (const PareRtIsa *isa, bool narrow, int64_t rows, int64_t depth, const float *x, int64_t ldx, const float *panel, int gates,
             int64_t width, float *y, int64_t apart)
{
  PareRtPanel t = { .lda = ldx, .ldb = gates * width, .k = depth, .ldy = gates * apart };
  int64_t each = width / isa->lanes, vectors = gates * each, row = 0, at[PARE_RT_PANEL_VECTORS];
  for (int64_t v = 0; v < vectors; v++)
    at[v] = v / each * apart + v % each * isa->lanes;
  for (; row + isa->panel_rows <= rows; row += isa->panel_rows)
    for (int64_t first = 0, some; first < vectors; first += some)
      {
        some = vectors - first < PARE_RT_PANEL_VECTORS / 2 ? vectors - first : PARE_RT_PANEL_VECTORS / 2;
        t.a = x + row * ldx;
        t.b = panel + first * isa->lanes;
        for (int64_t v = 0; v < some; v++)
          t.y[v] = y + row * t.ldy + at[first + v];
        (narrow ? isa->narrow_of_rows : isa->panel_of_rows)[some - 1](&t);
      }
  for (; row < rows; row++)
    {
      t.a = x + row * ldx;
      t.b = panel;
      for (int64_t v = 0; v < vectors; v++)
        t.y[v] = y + row * t.ldy + at[v];
      (narrow ? isa->narrow : isa->panel)[vectors - 1](&t);
    }
}

/* The panels from units `unit` to `end` of a stage, by some rows: gate g of row r comes to y + (r * gates + g) * (end - unit). Backwards
 * at every other step: the panels that were read last are still in the first cache. */
static void
times_panels (const PareRtRnn *s, int stage, int64_t unit, int64_t end, const float *packed, const float *weights, float *unpacked,
              const float *x, int64_t ldx, int64_t depth, int64_t rows, bool backwards, float *y)
{
  const PareRtIsa *isa = pare_rt_isa ();
  const PareRtRnnStage *g = &s->stage[stage];
  int64_t n = (end - unit + g->width - 1) / g->width;
  for (int64_t i = 0; i < n; i++)
    {
      int64_t u = unit + (backwards ? n - 1 - i : i) * g->width;
      const float *panel = packed ? packed + pare_rt_rnn_panel_at (s, stage, u / g->width, depth) : unpacked;
      if (!packed)
        pare_rt_rnn_pack_panel (s, stage, u / g->width, depth, weights, unpacked);
      times_panel (isa, packed && s->narrow, rows, depth, x, ldx, panel, g->gates, end - u < g->width ? end - u : g->width, y + u - unit,
                   end - unit);
    }
}

/* Of a sample whose sequence is over: its state stays what it was, and nothing is said of it. */
static void
skip_units (const PareRtRnnUnits *units, float *y)
{
  memcpy (units->h, units->before, (size_t)units->n * sizeof (float));
  if (y)
    memset (y, 0, (size_t)units->n * sizeof (float));
}

/* Units from `unit` to `end` (whole panels, at most PARE_RT_RNN_UNITS) of one step, all samples of the batch. */
static void
step_units (const PareRtRnn *s, const PareRtRnnSide *side, int64_t step, int stage, int64_t unit, int64_t end, const float *x, int worker)
{
  const PareRtRnnStage *g = &s->stage[stage];
  int64_t t = side->backward ? s->steps - 1 - step : step, wide = s->gates * s->hidden, width = end - unit, ld = g->gates * width;
  int64_t n = s->hidden - unit < width ? s->hidden - unit : width;
  float *unpacked = s->unpacked + (uint64_t)worker * s->panel_floats;
  float hr[PARE_RT_PANEL_ROWS * 4 * PARE_RT_RNN_UNITS] __attribute__ ((aligned (64)));
  float xw[PARE_RT_PANEL_ROWS * 4 * PARE_RT_RNN_UNITS] __attribute__ ((aligned (64)));
  const bool together = !side->xw;
  const float *before = side->h[step % 2], *from = stage == 0 ? before : side->hold[0];
  for (int64_t b0 = 0; b0 < s->batch; b0 += PARE_RT_PANEL_ROWS)
    {
      int64_t rows = s->batch - b0 < PARE_RT_PANEL_ROWS ? s->batch - b0 : PARE_RT_PANEL_ROWS;
      if (together)
        times_panels (s, stage, unit, end, side->panels_w, side->w, unpacked, x + b0 * s->inputs, s->inputs, s->inputs, rows, false, xw);
      for (int64_t i = 0; together && side->bias && i < rows * g->gates; i++)
        for (int64_t k = 0; k < n; k++)
          xw[i * width + k] += side->merged[(g->first + i % g->gates) * s->hidden + unit + k];
      PareRtRnnProduct product = { .direction = side->index,
                                   .hidden = s->hidden,
                                   .unit = unit,
                                   .end = end,
                                   .first = g->first,
                                   .gates = g->gates,
                                   .x = from + b0 * s->room,
                                   .rows = rows,
                                   .x_row = s->room,
                                   .backwards = step % 2 == 1,
                                   .y = hr };
      if (s->multiplier)
        s->multiplier->multiply (s->multiplier, &product);
      else if (s->codes)
        pare_rt_rnn_codes_multiply (s, &product, b0, worker);
      else
        times_panels (s, stage, unit, end, side->panels_r, side->r, unpacked, from + b0 * s->room, s->room, s->hidden, rows, step % 2 == 1,
                      hr);
      for (int64_t b = 0; b < rows; b++)
        {
          int64_t at = (b0 + b) * s->room + unit;
          const float *ahead = together ? xw + b * ld : side->xw + (t * s->batch + b0 + b) * wide + g->first * s->hidden + unit;
          PareRtRnnUnits view = { .xw = ahead,
                                  .hr = hr + b * ld,
                                  .xw_apart = together ? width : s->hidden,
                                  .width = width,
                                  .unit = unit,
                                  .n = n,
                                  .before = before + at,
                                  .h = side->h[1 - step % 2] + at,
                                  .c = side->c + at,
                                  .hold = { side->hold[0] + at, side->hold[1] + at } };
          float *y = s->y ? s->y + ((t * s->directions + side->index) * s->batch + b0 + b) * s->hidden + unit : NULL;
          if (s->lengths && t >= s->lengths[b0 + b])
            {
              skip_units (&view, y);
              continue;
            }
          s->cell (s, side, stage, &view);
          if (y && stage == s->stages - 1)
            memcpy (y, view.h, (size_t)n * sizeof (float));
        }
    }
}

typedef struct
{
  const PareRtRnn *s;
  const float *x;
} Job;

static void
round_part (int64_t round, int team, int part, int parts, int worker, void *arg)
{
  const Job *j = arg;
  const PareRtRnn *s = j->s;
  int stage = (int)(round % s->stages);
  int64_t panels = s->stage[stage].panels, width = s->stage[stage].width;
  int64_t first = panels * part / parts * width, end = panels * (part + 1) / parts * width;
  end = end < s->room ? end : s->room;
  if (s->codes && first < end)
    pare_rt_rnn_codes_lay (s, s->side[team].h[round % 2], worker);
  for (int64_t unit = first, next; unit < end; unit = next)
    {
      next = end - unit < PARE_RT_RNN_UNITS ? end : unit + PARE_RT_RNN_UNITS;
      step_units (s, &s->side[team], round / s->stages, stage, unit, next, j->x, worker);
    }
}

#define PART_WORK 16384    /* multiplications of a part of a step that are worth waiting for the others */
#define SERIAL_WORK 150000 /* those that are not worth waking anybody */

static int
parts_of (const PareRtRnn *s)
{
  double work = (double)s->batch * (double)s->gates * (double)s->hidden * (double)(s->hidden + (s->together ? s->inputs : 0)) / s->stages;
  if (s->codes)
    work /= 4; /* as many at once more than of floats */
  int64_t parts = pare_rt_workers () / s->directions;
  for (int i = 0; i < s->stages; i++)
    parts = parts > s->stage[i].panels ? s->stage[i].panels : parts;
  if (work * (double)s->stages * (double)s->steps < SERIAL_WORK)
    return 1;
  while (parts > 1 && work / (double)parts < PART_WORK)
    parts--;
  return parts < 1 ? 1 : (int)parts;
}

static const float *
part_of (const PareView *in, uint32_t n_in, uint32_t i, int64_t at)
{
  return given (in, n_in, i) ? (const float *)in[i].data + at : NULL;
}

static void
set_state (const PareRtRnn *s, float *to, const float *from)
{
  memset (to, 0, (size_t)(s->batch * s->room) * sizeof (float));
  for (int64_t b = 0; from && b < s->batch; b++)
    memcpy (to + b * s->room, from + b * s->hidden, (size_t)s->hidden * sizeof (float));
}

/* One direction's operands and its state at the beginning; takes its memory from *at on. */
static void
begin (PareRtRnn *s, int64_t d, const PareView *in, uint32_t n_in, const Room *room, float **at, void *packing)
{
  int64_t h = s->hidden, wide = s->gates * h;
  PareRtRnnSide *side = &s->side[d];
  *side = (PareRtRnnSide){ .w = s->codes ? NULL : part_of (in, n_in, 1, d * wide * s->inputs),
                           .r = s->codes ? NULL : part_of (in, n_in, 2, d * wide * h),
                           .bias = part_of (in, n_in, 3, d * 2 * wide),
                           .peep = part_of (in, n_in, 7, d * 3 * h),
                           .index = (int)d,
                           .backward = d == 1 || s->p->direction == PARE_RNN_REVERSE };
  const float *w_gemm = NULL;
  if (!s->codes)
    pare_rt_rnn_find (s, in[1].packed, d, &side->panels_w, &side->panels_r, &w_gemm);
  float *memory = *at, *xw = memory;
  side->xw = s->projected ? part_of (in, n_in, PARE_RT_PROJECTED, d * s->steps * s->batch * wide) : s->together ? NULL : xw;
  memory += room->xw;
  side->merged = memory;
  memory += room->merged;
  float **states[5] = { &side->h[0], &side->h[1], &side->c, &side->hold[0], &side->hold[1] };
  for (int i = 0; i < 5; i++, memory += room->state)
    {
      *states[i] = memory;
      set_state (s, memory, i == 0 ? part_of (in, n_in, 5, d * s->batch * h) : i == 2 ? part_of (in, n_in, 6, d * s->batch * h) : NULL);
    }
  *at = memory;
  for (int64_t i = 0; side->bias && i < wide; i++)
    side->merged[i] = side->bias[i] + (i < s->merge * h ? side->bias[wide + i] : 0);
  PareRtGemmAfter after = { .alpha = 1, .beta = 1, .c = side->bias ? side->merged : NULL, .col_stride = 1, .activation = PARE_ACT_NONE };
  if (!s->together && !s->projected && !s->codes)
    pare_rt_sgemm_after (s->steps * s->batch, wide, s->inputs, in[0].data, s->inputs, side->w, 1, s->inputs, w_gemm, xw, wide, &after,
                         packing);
}

PareRtStatus
pare_rt_rnn_run (const PareRnnParams *p, const PareRtRnnKind *kind, const PareView *in, uint32_t n_in, PareView *out, uint32_t n_out,
                 void *scratch)
{
  PareRtRnn s;
  Room room;
  PareRtStatus status = pare_rt_rnn_check (&s, p, kind, n_in > 1 && pare_rt_rnn_is_narrow (in[1].packed), in, n_in, out, n_out);
  if (status != PARE_RT_OK)
    return status;
  CHECKED;
  REQUIRE (room_of (&s, &room));
  float *at = (float *)(void *)((char *)scratch + PARE_RT_GEMM_SCRATCH * (uint64_t)pare_rt_workers () + room.codes);
  s.laid = (uint8_t *)scratch + PARE_RT_GEMM_SCRATCH * (uint64_t)pare_rt_workers ();
  s.multiplier = in[2].packed;
  if (s.multiplier && s.multiplier->lstm && kind->lstm && s.usual && !given (in, n_in, 7))
    s.cell = s.multiplier->lstm;
  s.lengths = given (in, n_in, 4) ? in[4].data : NULL;
  s.y = out[0].dtype != PARE_DTYPE_NONE ? out[0].data : NULL;
  for (int64_t d = 0; d < s.directions; d++)
    begin (&s, d, in, n_in, &room, &at, scratch);
  if (s.codes)
    pare_rt_rnn_codes_project (&s, in[0].data);
  s.unpacked = at;
  Job job = { &s, in[0].data };
  pare_rt_rounds (s.steps * s.stages, (int)s.directions, parts_of (&s), round_part, s.multiplier ? s.multiplier->leave : NULL, &job);
  for (uint32_t i = 1; i < n_out; i++)
    for (int64_t d = 0; out[i].dtype != PARE_DTYPE_NONE && d < s.directions; d++)
      for (int64_t b = 0; b < s.batch; b++)
        {
          float *y = (float *)out[i].data + (d * s.batch + b) * s.hidden;
          if (s.lengths && s.lengths[b] <= 0) /* as ONNX Runtime: not the state that it began with */
            memset (y, 0, (size_t)s.hidden * sizeof (float));
          else
            memcpy (y, (i == 1 ? s.side[d].h[s.steps % 2] : s.side[d].c) + b * s.room, (size_t)s.hidden * sizeof (float));
        }
  return PARE_RT_OK;
}

PARE_RT_CLONES static void
run (int kind, float alpha, float beta, float *v, int64_t n)
{
  if (kind == PARE_UN_SIGMOID)
    for (int64_t i = 0; i < n; i++)
      v[i] = sigmoid_f32 (v[i]);
  else if (kind == PARE_UN_TANH)
    for (int64_t i = 0; i < n; i++)
      v[i] = tanh_f32 (v[i]);
  else
    for (int64_t i = 0; i < n; i++)
      v[i] = pare_rt_unary_f32 (kind, v[i], alpha, beta);
}

void
pare_rt_rnn_activate (const PareRnnParams *p, int which, bool clip, float *v, int64_t n)
{
  for (int64_t i = 0; clip && p->clip > 0 && i < n; i++)
    v[i] = clip_f32 (v[i], -p->clip, p->clip);
  run (p->activation[which], p->alpha[which], p->beta[which], v, n);
}
