/* QConv with one input channel a group: no matrix product. A channel's rows are written out as a strip; along it outputs lie as their
 * inputs do, so that whole images go through the lanes in one run, rows and all; what falls between rows is dropped. Small channels are
 * taken several at a time: what has just been written is slow to read. Threads whose cores are far apart take rows of all channels, as
 * products beside them do: what one has written the same one reads. */
#include "engine/runtime/kernels/int-runs.h"
#include "engine/runtime/kernels/int-strip.h"
#include "engine/runtime/kernels/qconv.h"

#define STRIP_CODES (16 * 1024) /* at a time: a part of the first cache */
#define TASK_CODES (8 * 1024)   /* outputs of a task; a quarter of them between threads that are near */
#define MOST_TOGETHER 48        /* longer rows are copied one by one */
#define HEADER 64

typedef struct
{
  const PareQConv *c;
  const PareIntIsa *isa;
  const PareIntRuns *runs; /* or NULL */
  PareIntCodes codes;
  PareIntStrip strip;
  bool split;                                       /* weights of 16 bits lie as bytes, those beyond as the sum of two */
  bool wide;                                        /* strips are brought to the multiplier's codes */
  bool shared;                                      /* by threads */
  int stride;                                       /* along the strip */
  int64_t rows, channels;                           /* of the output at a time */
  int64_t bands, band_rows;                         /* of output rows, each of all channels */
  int64_t task_planes, tasks, volume, taps, result; /* tasks: of a band; result: codes of a channel's results */
  int64_t strip_runs, result_runs;                  /* of a channel, all rows at a time; 0: row by row */
  uint64_t at_wide, at_result, at_offsets, at_weights, at_starts, at_runs, bytes;
  uint8_t *scratch;
} Job;

/* Of a channel: where its sums start, and its taps, twice as many where some of its weights are the sum of two. */
typedef struct
{
  int32_t sum, taps;
} Start;

/* Of a channel. */
static int64_t
weight_bytes (const Job *j)
{
  return j->taps * int_column_bytes (j->isa) * (j->split ? 2 : 1);
}

/* Kernel positions whose columns follow each other in the strip make one tap of up to k_step: calls of the offsets of taps, and of each
 * position the place of its weight among those of the taps (NULL: only counts). */
static int64_t
find_taps (const Job *j, int64_t *offset, int64_t *place)
{
  const ConvGeometry *g = &j->c->g;
  int64_t taps = 0, k_step = j->isa->k_step;
  for (int64_t ky = 0; ky < g->k[1]; ky++)
    for (int64_t px = 0; px < j->strip.phases_x; px++)
      {
        int64_t begin = -1; /* of the tap being filled */
        for (int64_t kx = 0; kx < g->k[2]; kx++)
          {
            if (kx * g->dil[2] % j->strip.phases_x != px)
              continue;
            int64_t at = int_strip_tap (&j->strip, g, ky, kx);
            if (begin < 0 || at - begin >= k_step)
              {
                begin = at;
                if (offset)
                  offset[taps] = at;
                taps++;
              }
            if (place)
              place[ky * g->k[2] + kx] = (taps - 1) * k_step + at - begin;
          }
      }
  return taps;
}

/* Products of bytes take four at a time where those of 16 bits take two. */
static bool
may_split (const PareQConv *c)
{
  const PareIntIsa *isa = pare_rt_int_isa ();
  return c->w->dtype == PARE_DTYPE_INT16 && isa->width == 1 && isa->k_step == 4;
}

static bool
plan (Job *j, const PareQConv *c, bool split)
{
  const ConvGeometry *g = &c->g;
  int64_t out_plane = g->out[1] * g->out[2];
  bool near = pare_rt_workers_are_near ();
  int64_t task_codes = near ? TASK_CODES / 4 : TASK_CODES;
  *j = (Job){ .c = c, .split = split, .bands = 1, .volume = g->k[1] * g->k[2] };
  j->isa = split ? pare_rt_int_isa () : pare_rt_int_isa_for (c->w->dtype);
  j->shared = g->n * g->m * out_plane >= 3 * task_codes;
  if (j->shared && !near && g->n == 1 && g->out[1] > MOST_TOGETHER) /* smaller ones gain more where they stay whole */
    j->bands = pare_rt_workers ();
  j->band_rows = j->rows = (g->out[1] + j->bands - 1) / j->bands;
  j->codes = int_codes (j->isa, c->x->dtype == PARE_DTYPE_INT8, c->p->zero_x);
  j->wide = j->isa->width == 2 || j->codes.flip;
  j->stride = g->stride[2] == 2 && j->isa->k_step > 1 ? 2 : 1;
  while (!pare_rt_int_strip (g, j->rows, true, j->stride == 1, &j->strip) || (j->strip.plane > STRIP_CODES && j->rows > 1))
    {
      if (j->rows == 1)
        return false;
      j->rows = (j->rows + 1) / 2;
    }
  if (j->volume > 1 << 16)
    return false;
  j->taps = find_taps (j, NULL, NULL);
  j->task_planes = task_codes / out_plane < 1 ? 1 : task_codes / out_plane;
  j->tasks = (g->n * g->m + j->task_planes - 1) / j->task_planes;
  j->channels = 1;
  if (j->rows == g->out[1] && g->m == g->c)
    j->channels = STRIP_CODES / j->strip.plane < j->task_planes ? STRIP_CODES / j->strip.plane : j->task_planes;
  j->channels = j->channels < 1 ? 1 : j->channels;
  j->result = int_round_up (j->rows * (j->strip.pitch / j->stride), 64) + 64;
  uint64_t strip = (uint64_t)int_round_up (j->strip.plane * j->channels + PARE_STRIP_SLACK, 64);
  j->at_wide = strip;
  j->at_result = j->at_wide + (j->wide ? strip * (uint64_t)j->isa->width : 0);
  j->at_offsets = j->at_result + (uint64_t)(j->result * j->channels) * (is_codes (c->y) ? 1 : 4);
  j->at_weights = j->at_offsets + (uint64_t)int_round_up ((j->taps * (split ? 2 : 1) + j->volume) * 8, 64);
  j->at_starts = j->at_weights + (uint64_t)int_round_up (j->channels * weight_bytes (j), 64);
  j->at_runs = j->at_starts + (uint64_t)int_round_up (j->channels * (int64_t)sizeof (Start), 64);
  j->runs = pare_rt_int_runs (j->isa);
  if (j->runs && j->rows == g->out[1])
    {
      if (j->strip.phases_y == 1 && j->strip.phases_x == 1 && g->pad[2] + g->in[2] <= j->strip.pitch && g->in[2] <= MOST_TOGETHER)
        j->strip_runs = (j->strip.plane + 63) / 64;
      if (is_codes (c->y) && g->out[2] <= MOST_TOGETHER)
        j->result_runs = (j->rows * (j->strip.pitch / j->stride) + 63) / 64;
    }
  j->bytes = j->at_runs + (uint64_t)(j->strip_runs + j->result_runs) * sizeof (PareIntRun);
  return j->bytes < PARE_QCONV_MOST;
}

uint64_t
pare_rt_qconv_depthwise_scratch (const PareQConv *c)
{
  Job j;
  uint64_t bytes = plan (&j, c, false) ? j.bytes : 0;
  return bytes > 0 && may_split (c) && plan (&j, c, true) && j.bytes > bytes ? j.bytes : bytes;
}

/* The weights of output channel m at their places. FALSE: one of them is not the sum of two bytes. */
static bool
lay_weights (const Job *j, int64_t m, const int64_t *place, uint8_t *to, Start *start)
{
  int32_t sum = 0;
  bool fine = true;
  memset (to, 0, weight_bytes (j));
  start->taps = (int32_t)j->taps;
  for (int64_t i = 0; i < j->volume; i++)
    {
      int32_t w = code_at (j->c->w, m * j->volume + i), beyond = w > INT8_MAX ? w - INT8_MAX : w < INT8_MIN ? w - INT8_MIN : 0;
      sum += w;
      if (j->isa->width == 2)
        ((int16_t *)(void *)to)[place[i]] = (int16_t)w;
      else
        ((int8_t *)to)[place[i]] = (int8_t)(w - beyond);
      if (!j->split || beyond == 0)
        continue;
      fine = fine && beyond >= INT8_MIN && beyond <= INT8_MAX;
      ((int8_t *)to)[j->taps * j->isa->k_step + place[i]] = (int8_t)beyond;
      start->taps = (int32_t)j->taps * 2;
    }
  start->sum = -j->codes.fold * sum;
  return fine;
}

/* --- packed: a header, starts, weights --- */

typedef struct
{
  char isa[16]; /* packed for another one, it is not read */
  int32_t fold, taps;
} Header;

static Header
header_of (const Job *j)
{
  Header h = { .fold = j->codes.fold, .taps = (int32_t)j->taps };
  strncpy (h.isa, j->isa->name, sizeof h.isa - 1);
  return h;
}

static bool
is_packed (const Job *j)
{
  Header header = header_of (j);
  return j->c->w->packed && memcmp (j->c->w->packed, &header, sizeof header) == 0;
}

static int64_t
start_bytes (const Job *j)
{
  return int_round_up (j->c->g.m * (int64_t)sizeof (Start), 64);
}

static uint64_t
pack (const Job *j, void *packed, bool *fine)
{
  int64_t weights = j->c->g.m * weight_bytes (j), places = int_round_up (j->volume * 8, 64);
  *fine = true;
  if (packed)
    {
      Header header = header_of (j);
      uint8_t *start = (uint8_t *)packed + HEADER, *to = start + start_bytes (j);
      int64_t *place = (int64_t *)(void *)(to + int_round_up (weights, 64)); /* needed only now, but there is nowhere else for it */
      find_taps (j, NULL, place);
      memset (packed, 0, HEADER);
      memcpy (packed, &header, sizeof header);
      for (int64_t m = 0; m < j->c->g.m && *fine; m++)
        *fine = lay_weights (j, m, place, to + m * weight_bytes (j), (Start *)(void *)start + m);
    }
  return (uint64_t)(HEADER + start_bytes (j) + int_round_up (weights, 64) + places);
}

uint64_t
pare_rt_qconv_depthwise_pack (const PareQConv *c, void *packed)
{
  Job j;
  bool fine = false;
  uint64_t split = may_split (c) && plan (&j, c, true) ? pack (&j, packed, &fine) : 0;
  if (!plan (&j, c, false))
    return 0;
  uint64_t bytes = pack (&j, split > 0 && fine ? NULL : packed, &fine);
  return split > bytes ? split : bytes;
}

/* --- running --- */

/* Rows first..last-1, `pitch` bytes apart, have codes in columns from..to-1. */
static void
find_runs (PareIntRun *runs, int64_t n, int64_t pitch, int64_t first, int64_t last, int64_t from, int64_t to)
{
  memset (runs, 0, (size_t)n * sizeof *runs);
  for (int64_t row = first; row < last; row++)
    for (int64_t i = row * pitch + from, end = row * pitch + to, some; i < end; i += some)
      {
        some = end - i < 64 - i % 64 ? end - i : 64 - i % 64;
        runs[i / 64].mask |= ~UINT64_C (0) >> (64 - some) << i % 64;
      }
  for (int64_t i = 1; i < n; i++)
    runs[i].at = runs[i - 1].at + __builtin_popcountll (runs[i - 1].mask);
}

static void
fill_strip (const Job *j, const uint8_t *scratch, int64_t plane, int64_t count, int64_t r0, uint8_t *strip)
{
  const PareQConv *c = j->c;
  const ConvGeometry *g = &c->g;
  int64_t in_plane = g->in[1] * g->in[2];
  const uint8_t *x = (const uint8_t *)c->x->data + plane * in_plane, *end = (const uint8_t *)c->x->data + g->n * g->c * in_plane;
  if (!j->strip_runs)
    pare_rt_int_strip_fill (&j->strip, g, r0, x, end, count, (uint8_t)c->p->zero_x, strip);
  else
    for (int64_t i = 0; i < count; i++) /* what is too much is written over by the next one */
      j->runs->spread (strip + i * j->strip.plane, x + i * in_plane, end, (const PareIntRun *)(const void *)(scratch + j->at_runs),
                       j->strip_runs, (uint8_t)c->p->zero_x);
}

static void
take_rows (uint8_t *y, const uint8_t *from, int64_t rows, int64_t row, int64_t pitch, const uint8_t *end)
{
  for (int64_t r = 0; r < rows; r++, y += row, from += pitch)
    if (row <= 16 && end - y >= 16)
      memcpy (y, from, 16); /* too far is written over by the next row */
    else
      memcpy (y, from, row);
}

/* `count` channels from plane `first` of the output on, `rows` rows from r0 on of each. */
static void
run_rows (const Job *j, uint8_t *scratch, int64_t first, int64_t count, int64_t r0, int64_t rows)
{
  const PareQConv *c = j->c;
  const ConvGeometry *g = &c->g;
  int64_t out_plane = g->out[1] * g->out[2];
  int64_t bytes = is_codes (c->y) ? 1 : 4, pitch = j->strip.pitch / j->stride, weights = weight_bytes (j);
  const int64_t *offset = (const int64_t *)(void *)(scratch + j->at_offsets);
  int64_t plane = g->m == g->c ? first : first / g->m * g->c + first % g->m / (g->m / g->group);
  uint8_t *strip = scratch, *result = scratch + j->at_result;
  fill_strip (j, scratch, plane, count, r0, strip);
  if (j->wide)
    {
      j->isa->widen (scratch + j->at_wide, strip, j->strip.plane * count, j->codes);
      strip = scratch + j->at_wide;
    }
  const uint8_t *packed = is_packed (j) ? c->w->packed : NULL;
  Start *laid = (Start *)(void *)(scratch + j->at_starts);
  for (int64_t i = 0; !packed && i < count; i++)
    lay_weights (j, (first + i) % g->m, offset + j->taps, scratch + j->at_weights + i * weights, &laid[i]);
  PareIntScale scale = { .zero = c->p->zero_y,
                         .lo = (float)(c->p->lo - c->p->zero_y),
                         .hi = (float)(c->p->hi - c->p->zero_y),
                         .codes = bytes == 1,
                         .least = c->least,
                         .most = c->most,
                         .rounding = c->rounding };
  for (int64_t i = 0, m = first % g->m; i < count; i++, m = m + 1 < g->m ? m + 1 : 0)
    {
      const uint8_t *w = packed ? packed + HEADER + start_bytes (j) + m * weights : scratch + j->at_weights + i * weights;
      const Start *start = packed ? (const Start *)(const void *)(packed + HEADER) + m : &laid[i];
      float bias = c->bias ? (float)c->bias[m] : 0;
      scale.init = &start->sum;
      scale.bias = &bias;
      scale.scale = &c->scale[m];
      if (c->factor)
        {
          scale.factor = &c->factor[m];
          scale.offset = &c->offset[m];
        }
      j->isa->depthwise (result + i * j->result * bytes, strip + i * j->strip.plane * j->isa->width, offset, w, start->taps, rows * pitch,
                         j->stride, &scale);
    }
  for (int64_t i = 0; i < count; i++)
    {
      uint8_t *y = (uint8_t *)c->y->data + ((first + i) * out_plane + r0 * g->out[2]) * bytes;
      if (j->result_runs)
        {
          j->runs->collect (y, y + (count - i) * out_plane, result + i * j->result,
                            (const PareIntRun *)(const void *)(scratch + j->at_runs) + j->strip_runs, j->result_runs);
          continue;
        }
      take_rows (y, result + i * j->result * bytes, rows, g->out[2] * bytes, pitch * bytes, y + rows * g->out[2] * bytes);
      if (bytes == 4)
        pare_rt_activate ((float *)(void *)y, rows * g->out[2], c->p->conv.activation, c->p->conv.lo, c->p->conv.hi, c->p->conv.alpha);
    }
}

static void
planes_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t all = j->c->g.n * j->c->g.m, first = task % j->tasks * j->task_planes,
          last = first + j->task_planes < all ? first + j->task_planes : all;
  int64_t top = task / j->tasks * j->band_rows, end = top + j->band_rows < j->c->g.out[1] ? top + j->band_rows : j->c->g.out[1];
  uint8_t *scratch = j->scratch + (uint64_t)worker * j->bytes;
  int64_t *offset = (int64_t *)(void *)(scratch + j->at_offsets);
  find_taps (j, offset, offset + j->taps * (j->split ? 2 : 1));
  if (j->split)
    memcpy (offset + j->taps, offset, (size_t)j->taps * sizeof *offset);
  PareIntRun *runs = (PareIntRun *)(void *)(scratch + j->at_runs);
  const ConvGeometry *g = &j->c->g;
  if (j->strip_runs)
    {
      int64_t below = g->pad[1] + g->in[1];
      find_runs (runs, j->strip_runs, j->strip.pitch, g->pad[1], below < j->strip.rows ? below : j->strip.rows, g->pad[2],
                 g->pad[2] + g->in[2]);
    }
  if (j->result_runs)
    find_runs (runs + j->strip_runs, j->result_runs, j->strip.pitch / j->stride, 0, g->out[1], 0, g->out[2]);
  for (int64_t i = first; i < last; i += j->channels)
    for (int64_t r0 = top; r0 < end; r0 += j->rows)
      run_rows (j, scratch, i, last - i < j->channels ? last - i : j->channels, r0, end - r0 < j->rows ? end - r0 : j->rows);
}

void
pare_rt_qconv_depthwise (const PareQConv *c, void *scratch)
{
  Job j;
  if (!(may_split (c) && plan (&j, c, true) && is_packed (&j)) && !plan (&j, c, false))
    return;
  j.scratch = scratch;
  pare_rt_parallel_if (j.shared, j.tasks * j.bands, planes_task, &j);
}
