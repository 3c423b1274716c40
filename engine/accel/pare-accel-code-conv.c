/* Products on codes by tiles of our own (pare-accel-code-tiles.h): their weights packed, what follows them taken in. */
#include "engine/accel/pare-accel-code-tiles.h"
#include "engine/accel/pare-accel-private.h"
#include "engine/runtime/kernels/integer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TAPS 1024
#define LANES 64                 /* of a block */
#define FRAMED 16                /* channels at most, of images that are copied into a frame */
#define LONG 24                  /* bytes of a window's row */
#define MATRIX_ROWS 32           /* pixels that the matrix unit has at once */
#define MATRIX_BYTES (256 << 10) /* of windows that are copied for it */
#define MATRIX_CYCLES 16         /* of a product of tiles */
#define TILE_CYCLES 34           /* of sums: to begin and to end with */
#define CROSS_CYCLES 2           /* of a row of a tile that lies in two lines of the cache */
#define COPY_CYCLES 8            /* of 64 bytes of a window */
#define STORE_CYCLES 8           /* of 16 channels */
#define CHANGE_CYCLES 2600       /* fewer than this are not worth another unit */
#define AWAKE_CYCLES 4000        /* the matrix unit sleeps after more, and steps are long beside the time that it takes to wake */
#define SHARED_CYCLES 24000      /* threads cost more than they save of less */

/* A step, and where its weights lie: of output channel m, input channel c, tap t at m * row + c * channel + t. Where a tap is a whole row
 * of the window, `joined` pixels of `wide` channels, c counts through them. Where `own` channels leave lanes empty, the lanes hold some
 * neighbouring pixels of a row, as channels of one: memory is the same, and windows reach from the first of them to the last. */
typedef struct
{
  uint32_t x, w, bias, scale, factor, offset, y;
  int32_t zero_x, zero_y, lo, hi;
  PareActivation activation;
  float act_lo, act_hi;
  int64_t row, channel, joined, wide;
  int64_t own, together, shift; /* channels and pixels of what is a pixel below, pixels of x from one to the next */
  int64_t taps[2];              /* of the window of one */
  bool matrix;                  /* the matrix unit computes it: signed codes, too, are multiplied as they are */
  PareTileConv s;
} Tiles;

static PareView
constant_view (const PareAccel *self, uint32_t value)
{
  return (PareView){ self->plan->values[value].dtype, self->plan->values[value].shape, (void *)(uintptr_t)pare_accel_constant (self, value),
                     NULL };
}

/* The weights of a lane, tap by tap; 0 where the windows of other pixels reach further. */
static void
read_row (const PareView *w, const Tiles *t, int64_t lane, int16_t *row)
{
  int64_t m = lane % t->own, begin = lane / t->own * t->shift, columns = t->s.k[1] * t->joined;
#define READ(at)                                                                                                                           \
  for (int64_t ky = 0; ky < t->taps[0]; ky++)                                                                                              \
    for (int64_t kx = -begin; kx < columns - begin; kx++)                                                                                  \
      for (int64_t c = 0, i = m * t->row + ky * t->taps[1] + kx; c < t->wide; c++, i += t->channel)                                        \
        *row++ = kx >= 0 && kx < t->taps[1] ? (int16_t)(at) : 0;
  if (w->dtype == PARE_DTYPE_INT8)
    {
      const int8_t *data = w->data;
      READ (data[i])
    }
  else
    READ (code_at (w, i))
#undef READ
}

typedef struct
{
  int32_t least, most;
  int64_t sum, size;
} Extent;

static Extent
measure (const int16_t *row, int64_t n)
{
  Extent e = { .least = INT32_MAX, .most = INT32_MIN };
  for (int64_t done = 0; done < n; done += 1 << 14)
    {
      int32_t least = e.least, most = e.most, sum = 0, size = 0; /* 2^14 of up to 2^15 */
      for (int64_t i = done; i < n && i < done + (1 << 14); i++)
        {
          int32_t v = row[i];
          least = v < least ? v : least;
          most = v > most ? v : most;
          sum += v;
          size += v < 0 ? -v : v;
        }
      e = (Extent){ least, most, e.sum + sum, e.size + size };
    }
  return e;
}

/* To where its lane has four channels at a time. */
static void
lay_row (const PareTileConv *s, const int16_t *row, int32_t shift, int8_t *to, int64_t pitch)
{
  for (int64_t tap = 0; tap < s->k[0] * s->k[1]; tap++)
    for (int64_t c = 0; c < s->steps * 4; c += 4, to += pitch)
      for (int64_t i = 0; i < 4 && c + i < s->c; i++)
        to[i] = (int8_t)(*row++ - shift);
}

static bool
pack (PareAccel *self, Tiles *t)
{
  PareTileConv *s = &t->s;
  PareView w = constant_view (self, t->w);
  const int32_t *own = t->bias == PARE_RT_NONE ? NULL : pare_accel_constant (self, t->bias),
                zero = t->zero_x + (s->signed_x && !t->matrix ? 128 : 0);
  const float *scale = pare_accel_constant (self, t->scale);
  int64_t taps = s->k[0] * s->k[1], all = s->vectors * 16;
  int8_t *bytes = pare_accel_pack (self, (uint64_t)(all * s->terms * 4));
  uint8_t *outside = pare_accel_pack (self, (uint64_t)s->steps * 4 + 64);
  int32_t *init = pare_accel_pack (self, (uint64_t)all * sizeof *init), *shift = pare_accel_pack (self, (uint64_t)all * sizeof *shift);
  float *factor = pare_accel_pack (self, (uint64_t)all * sizeof *factor), *bias = pare_accel_pack (self, (uint64_t)all * sizeof *bias);
  int16_t *row = malloc ((size_t)(taps * s->c) * sizeof *row);
  if (!bytes || !outside || !init || !shift || !factor || !bias || !row)
    {
      free (row);
      return false;
    }
  memset (bytes, 0, (size_t)(all * s->terms * 4));
  memset (outside, t->zero_x, (size_t)s->steps * 4 + 64);
  bool moved = false, folds = true, small = s->result != PARE_TILE_FLOATS;
  for (int64_t m = 0; m < all; m++)
    {
      init[m] = shift[m] = 0;
      factor[m] = bias[m] = 0;
    }
  for (int block = 0; block < s->blocks; block++)
    {
      int vector, n;
      pare_accel_tile_block (s, block, &vector, &n);
      int8_t *to = bytes + vector * 64 * s->terms;
      for (int64_t m = vector * 16; m < (vector + n) * 16 && m < s->m; m++)
        {
          read_row (&w, t, m, row);
          Extent e = measure (row, taps * s->c);
          shift[m] = e.least < -128 || e.most > 127 ? e.least + 128 : 0;
          if (e.most - shift[m] > 127)
            {
              free (row);
              return false;
            }
          lay_row (s, row, shift[m], to + (m - vector * 16) * 4, n * 64);
          double most = (double)e.size * 255;
          init[m] = (int32_t)(uint32_t)(-e.sum * zero); /* what wraps comes back */
          factor[m] = scale[m % t->own];
          bias[m] = own ? (float)own[m % t->own] : 0;
          moved |= shift[m] != 0;
          folds = folds && most <= 1 << 24 && fabs (bias[m]) <= 1 << 24;
          small = small && (most + fabs (bias[m])) * fabs (factor[m]) < 1 << 30;
        }
    }
  free (row);
  for (int64_t m = 0; m < s->m && folds && own; m++)
    init[m] += own[m % t->own];
  if (small && s->result == PARE_TILE_CODES)
    s->result = PARE_TILE_PACKED;
  s->weights = bytes;
  s->outside = outside;
  s->init = init;
  s->shift = moved ? shift : NULL;
  s->bias = folds || !own ? NULL : bias;
  s->scale = factor;
  if (t->factor != PARE_RT_NONE)
    {
      float *both = pare_accel_pack (self, (uint64_t)all * 2 * sizeof *both);
      if (!both)
        return false;
      memset (both, 0, (size_t)all * 2 * sizeof *both);
      const float *times = pare_accel_constant (self, t->factor), *plus = pare_accel_constant (self, t->offset);
      bool tame = s->rounds && !s->bias;
      for (int64_t m = 0; m < s->m; m++)
        {
          tame = tame && 255 * fabsf (times[m % t->own]) + fabsf (plus[m % t->own]) < 1 << 30;
          both[m] = times[m % t->own];
          both[all + m] = plus[m % t->own];
        }
      if (tame)
        s->result = PARE_TILE_TWICE;
      s->factor = both;
      s->offset = both + all;
    }
  if (s->result == PARE_TILE_PACKED && !s->bias && !s->signed_y && s->lo <= 0 && s->hi >= 255)
    s->result = PARE_TILE_PLAIN;
  return true;
}

/* Few channels, which four bytes at a time do not divide or of which windows are long: each row of a window is one run of bytes. */
static bool
joins_rows (const PareTileConv *s)
{
  return s->c <= FRAMED && s->k[1] > 1 && s->dilation[1] == 1 && (s->c % 4 || s->k[1] * s->c >= LONG);
}

/* Of a pixel where so many are computed together: what is broadcast, and products of whole vectors; or what the matrix unit loads, and its
 * products, which take twice as long. */
static double
work_of (const Tiles *t, int64_t together)
{
  const PareTileConv *s = &t->s;
  int64_t vectors = (t->own * together + 15) / 16, columns = s->k[1] + (together - 1) * s->stride[1];
  if (s->place)
    return (double)(s->k[0] * ((columns * s->c + 63) / 64) * (1 + 2 * vectors)) / (double)together;
  int64_t steps = joins_rows (s) ? (columns * s->c + 3) / 4 : columns * ((s->c + 3) / 4);
  return (double)(s->k[0] * steps * (1 + vectors)) / (double)together;
}

/* As many pixels of a row at a time as save most. */
static void
fill_lanes (PareAccel *self, Tiles *t)
{
  PareTileConv *s = &t->s;
  int64_t best = 1;
  bool may = s->dilation[1] == 1 && self->plan->values[t->w].dtype != PARE_DTYPE_INT16; /* those are moved, and 0 with them */
  for (int64_t n = 2; may && n * t->own <= LANES && n <= s->out[1]; n++)
    if (s->out[1] % n == 0 && s->k[0] * (s->k[1] + (n - 1) * s->stride[1]) <= MAX_TAPS && work_of (t, n) < 0.9 * work_of (t, best))
      best = n;
  t->together = best;
  t->shift = s->stride[1];
  s->m *= best;
  s->out[1] /= best;
  s->k[1] += (best - 1) * s->stride[1];
  s->stride[1] *= best;
}

/* About how many cycles the step takes. The matrix unit: so many tiles of pixels with so many pieces of 64 bytes, whose rows are `pitch`
 * apart. */
static double
matrix_cycles (const Tiles *t, int64_t tiles, int64_t pieces, int64_t pitch)
{
  const PareTileConv *s = &t->s;
  int64_t aligned = pitch & -pitch;
  double crossing = aligned < 64 ? 1 - (double)aligned / 64 : 0;
  return (double)tiles
         * ((double)(s->vectors * (pieces * MATRIX_CYCLES + TILE_CYCLES))
            + (double)((s->vectors + 1) / 2 * pieces * 16 * CROSS_CYCLES) * crossing);
}

/* Pixels from one row to the next where windows are read in place: what is behind a row is also what is before the next. Windows may lie
 * in padding as a whole, before and behind it: each has a place of its own. */
static int64_t
frame_width (const PareTileConv *s)
{
  int64_t before = s->pad[1], behind = (s->out[1] - 1) * s->stride[1] + s->k[1] - s->pad[1] - s->in[1];
  int64_t places = (s->in[1] + (behind > before ? behind : before) + s->stride[1] - 1) / s->stride[1];
  return (places > s->out[1] ? places : s->out[1]) * s->stride[1];
}

/* Windows read where they lie, with places between the rows and at the end of theirs. */
static double
place_cycles (const Tiles *t)
{
  const PareTileConv *s = &t->s;
  int64_t wide = frame_width (s) / s->stride[1];
  int64_t tiles = ((s->out[0] - 1) * wide + s->out[1] + 15) / 16;
  return matrix_cycles (t, s->images * tiles, s->k[0] * ((s->k[1] * s->c + 63) / 64), s->stride[1] * s->c);
}

/* Windows that lie one behind the other, or are copied. */
static double
window_cycles (const Tiles *t)
{
  const PareTileConv *s = &t->s;
  int64_t taps = s->k[0] * s->k[1], pixels = s->images * s->out[0] * s->out[1];
  if (taps == 1 && s->stride[0] == 1 && s->stride[1] == 1)
    return matrix_cycles (t, (pixels + 15) / 16, (s->c + 63) / 64, s->c);
  int64_t copies = joins_rows (s) ? s->k[0] * ((s->k[1] * s->c + 63) / 64) : taps * ((s->c + 63) / 64);
  return matrix_cycles (t, (pixels + 15) / 16, (taps * s->c + 63) / 64, 64) + (double)(pixels * copies * COPY_CYCLES);
}

/* The vector unit: two of what is broadcast, and of products, in a cycle. */
static double
vector_cycles (const Tiles *t)
{
  const PareTileConv *s = &t->s;
  int64_t steps = joins_rows (s) ? s->k[0] * ((s->k[1] * s->c + 3) / 4) : s->k[0] * s->k[1] * ((s->c + 3) / 4);
  return (double)(s->images * s->out[0] * s->out[1] * steps) * (double)(s->vectors + (s->vectors + 3) / 4) / 2;
}

/* Which unit computes the step and from what: as it takes the least. The matrix unit falls asleep between its products, after some
 * microseconds, and takes 2.5 us to wake up: the vector unit must save more than that, and while it is at short steps it keeps the other
 * awake. */
static void
choose_way (PareAccel *self, Tiles *t)
{
  PareTileConv *s = &t->s;
  Tiles placed = *t;
  double best = INFINITY;
  bool may = pare_accel_loop_matrix () && self->plan->values[t->w].dtype != PARE_DTYPE_INT16
             && s->images * s->out[0] * s->out[1] >= PARE_MATRIX_LEAST;
  if (may && s->k[0] * s->k[1] > 1 && s->k[0] <= PARE_PLACE_TAPS && s->dilation[1] == 1)
    {
      placed.s.place = true;
      fill_lanes (self, &placed);
      placed.s.vectors = (int)((placed.s.m + 15) / 16);
      best = place_cycles (&placed);
    }
  fill_lanes (self, t);
  s->vectors = (int)((s->m + 15) / 16);
  double copied = may ? window_cycles (t) : INFINITY, vector = vector_cycles (t);
  double most = 1.1 * vector + CHANGE_CYCLES;
  t->matrix = copied <= most;
  if (best < INFINITY && best <= copied && best <= most)
    *t = placed;
  else
    s->wakes = may && !t->matrix && vector < AWAKE_CYCLES;
}

/* The steps' common part: types, sizes, what is stored. */
static bool
describe (PareAccel *self, Tiles *t)
{
  PareTileConv *s = &t->s;
  bool codes = pare_accel_is_codes (self, t->y);
  if (!pare_accel_loop_tiles () || !pare_accel_is_codes (self, t->x) || (!codes && !pare_accel_is_float (self, t->y))
      || !pare_accel_constant (self, t->w) || t->scale == PARE_RT_NONE || !pare_accel_constant (self, t->scale)
      || (t->bias != PARE_RT_NONE && !pare_accel_constant (self, t->bias))
      || (t->factor != PARE_RT_NONE && (!pare_accel_constant (self, t->factor) || !pare_accel_constant (self, t->offset)))
      || s->k[0] * s->k[1] > MAX_TAPS || s->c < 1 || s->m < 1 || s->m > 1 << 24
      || (!codes && t->activation != PARE_ACT_NONE && t->activation != PARE_ACT_CLIP))
    return false;
  s->signed_x = self->plan->values[t->x].dtype == PARE_DTYPE_INT8;
  s->signed_y = self->plan->values[t->y].dtype == PARE_DTYPE_INT8;
  t->own = s->m;
  t->taps[0] = s->k[0];
  t->taps[1] = s->k[1];
  t->wide = s->c;
  t->joined = 1;
  s->result = !codes ? PARE_TILE_FLOATS : t->factor != PARE_RT_NONE ? PARE_TILE_AFFINE : PARE_TILE_CODES;
  s->zero = t->zero_y;
  s->lo = t->lo;
  s->hi = t->hi;
  s->least = (float)(t->lo - t->zero_y);
  s->most = (float)(t->hi - t->zero_y);
  bool clips = t->activation == PARE_ACT_CLIP;
  s->clip[0] = clips ? t->act_lo : -INFINITY;
  s->clip[1] = clips ? t->act_hi : INFINITY;
  if (!codes)
    {
      s->least = s->clip[0];
      s->most = s->clip[1];
    }
  choose_way (self, t);
  s->steps = (s->c + 3) / 4;
  s->blocks = (s->vectors + 3) / 4;
  s->y_pixel = s->m * (codes ? 1 : 4);
  return true;
}

/* Four channels of the last pixel may be read beyond it: in memory of our own there is room. */
static bool
may_read_beyond (const PareAccel *self, const Tiles *t, uint32_t buffer)
{
  const PareAccelBuffer *root = &self->buffers[pare_accel_buffer_root (self, buffer)];
  return t->s.c % 4 == 0 || (root->input == PARE_RT_NONE && !root->fixed);
}

/* An addition that alone reads what is computed here, and whose other operand is there. */
static uint32_t
find_add (PareAccel *self, const Tiles *t, const PareMd *dst, uint32_t *other)
{
  uint32_t reader = pare_accel_is_codes (self, t->y) && t->factor == PARE_RT_NONE ? pare_accel_only_reader (self, t->y) : PARE_RT_NONE;
  const PareRtStep *s = reader != PARE_RT_NONE ? &self->plan->steps[reader] : NULL;
  if (!s || s->op != PARE_RT_QADD || s->in[0] == s->in[1] || !pare_accel_is_codes (self, s->out[0]))
    return PARE_RT_NONE;
  uint32_t o = s->in[s->in[0] == t->y ? 1 : 0];
  const PareShape *so = &self->plan->values[o].shape, *sy = &self->plan->values[t->y].shape;
  const PareQAddParams *p = (const PareQAddParams *)(self->plan->params + s->params);
  float most = 255 * (fabsf (p->ratio_a) + fabsf (p->ratio_b)) + fabsf (p->fixed);
  bool same = most < 1 << 30 && pare_accel_is_codes (self, o) && so->rank == sy->rank && self->values[o].n_forms > 0;
  for (int i = 0; same && i < sy->rank; i++)
    same = so->dims[i] == sy->dims[i];
  if (!same || self->values[o].forms[0].md != pare_md_with_type (self->mds, dst, pare_accel_type (self, o)))
    return PARE_RT_NONE;
  *other = o;
  return reader;
}

/* A row of the window is one run of bytes, in a copy of the image with a frame of padding around it. Where windows are read in place, what
 * is beside a row is also what is beside the next, and rows that windows of all places begin with lie one behind the other. */
static uint32_t
frame (PareAccel *self, uint32_t step, Tiles *t, uint32_t in)
{
  PareTileConv *s = &t->s;
  int64_t reach[2]; /* behind the image */
  for (int i = 0; i < 2; i++)
    {
      reach[i] = (s->out[i] - 1) * s->stride[i] + (s->k[i] - 1) * s->dilation[i] + 1 - s->pad[i] - s->in[i];
      reach[i] = reach[i] < 0 ? 0 : reach[i];
    }
  PareTileFrame f = { .rows = s->images * s->in[0],
                      .row = s->in[1] * s->c,
                      .begin = s->pad[1] * s->c,
                      .end = reach[1] * s->c,
                      .image_rows = s->in[0],
                      .above = s->pad[0],
                      .below = reach[0],
                      .planes = 1,
                      .fill = (uint8_t)t->zero_x };
  int64_t room = 64;
  if (s->place)
    {
      int64_t wide = frame_width (s), high = s->in[0] + f.above + f.below;
      reach[1] = wide - s->in[1] - s->pad[1];
      f.planes = s->stride[0];
      f.below += (f.planes - high % f.planes) % f.planes;
      f.end = reach[1] * s->c;
      f.last = f.begin;
      s->wide = wide / s->stride[1];
      s->high = (s->in[0] + f.above + f.below) / f.planes;
      room = f.last + MATRIX_ROWS * s->stride[1] * s->c + (s->k[1] * s->c + 63) / 64 * 64;
    }
  s->in[0] += f.above + f.below;
  s->in[1] += s->pad[1] + reach[1];
  s->x_row = s->in[1] * s->c;
  s->x_image = s->in[0] * s->x_row;
  s->plane = s->images * s->x_image / f.planes;
  s->pad[0] = s->pad[1] = 0;
  t->joined = s->k[1];
  s->c *= s->k[1];
  s->steps = (s->c + 3) / 4;
  s->k[1] = 1;
  if (!s->place && !f.begin && !f.end && !f.above && !f.below && self->buffers[pare_accel_buffer_root (self, in)].input == PARE_RT_NONE)
    return in;
  uint32_t framed = pare_accel_buffer_new (self, (uint64_t)(s->images * s->x_image + room));
  const uint32_t buffers[2] = { in, framed };
  return pare_accel_add_work (self, step, pare_accel_loop_frame (), &f, sizeof f, (uint64_t)(s->images * s->x_image), buffers, 2)
             ? framed
             : PARE_RT_NONE;
}

/* Whether the matrix unit does it, and the chunks that it is done in. */
static void
choose_unit (PareAccel *self, Tiles *t)
{
  PareTileConv *s = &t->s;
  int64_t taps = s->k[0] * s->k[1];
  if (s->place)
    s->steps = (s->c + 63) / 64 * 16;
  s->terms = taps * s->steps;
  s->chunk = PARE_TILE_TABLE / taps < PARE_TILE_PIXELS ? PARE_TILE_TABLE / taps : PARE_TILE_PIXELS;
  t->matrix = t->matrix && s->chunk >= MATRIX_ROWS;
  if (s->place)
    {
      t->matrix = true;
      s->chunk = PARE_PLACE_PIXELS;
      s->streams = s->vectors * 64 * s->terms > MATRIX_BYTES;
      s->scratch = 64;
    }
  if (!t->matrix || s->place)
    return;
  s->terms = (s->terms + 15) / 16 * 16;
  s->row = s->terms * 4 + (s->terms % 1024 == 0 ? 64 : 0); /* rows a multiple of 4 KiB apart share their places in the cache */
  s->flat = taps == 1 && s->stride[0] == 1 && s->stride[1] == 1 && !s->pad[0] && !s->pad[1] && s->in[0] == s->out[0]
            && s->in[1] == s->out[1] && s->x_pixel == s->c && s->c >= 4;
  if (!s->flat && s->chunk * s->row > MATRIX_BYTES)
    s->chunk = MATRIX_BYTES / s->row < MATRIX_ROWS ? MATRIX_ROWS : MATRIX_BYTES / s->row / MATRIX_ROWS * MATRIX_ROWS;
  s->streams = s->vectors * 64 * s->terms > MATRIX_BYTES;
  s->scratch = ((s->flat ? 3 * MATRIX_ROWS : s->chunk + MATRIX_ROWS) * s->row + 64 + 63) / 64 * 64;
}

static bool
emit (PareAccel *self, uint32_t step, Tiles *t, const PareMd *src, const PareMd *dst)
{
  PareTileConv *s = &t->s;
  uint32_t other = PARE_RT_NONE, add = find_add (self, t, dst, &other), y = t->y;
  uint32_t in = pare_accel_form (self, step, t->x, src), buffers[4], n = 2;
  if (in != PARE_RT_NONE && (s->place || joins_rows (s)))
    in = frame (self, step, t, in);
  choose_unit (self, t);
  if (in == PARE_RT_NONE || !may_read_beyond (self, t, in) || !pack (self, t))
    return false;
  if (add != PARE_RT_NONE)
    {
      const PareRtStep *a = &self->plan->steps[add];
      s->result = PARE_TILE_ADDED;
      s->add = *(const PareQAddParams *)(self->plan->params + a->params);
      s->own_is_b = a->in[1] == t->y;
      s->signed_other = self->plan->values[other].dtype == PARE_DTYPE_INT8;
      s->other_pixel = s->m;
      y = a->out[0];
      s->signed_y = self->plan->values[y].dtype == PARE_DTYPE_INT8;
      dst = pare_md_with_type (self->mds, dst, pare_accel_type (self, y));
      buffers[n++] = self->values[other].forms[0].buffer;
      self->absorbed_by[add] = step + 1;
    }
  buffers[0] = in;
  buffers[1] = pare_accel_new_form (self, y, dst);
  uint64_t pixels = (uint64_t)(s->images * s->out[0] * s->out[1]), vectors = (uint64_t)s->vectors;
  if (!t->matrix)
    {
      uint64_t work = pixels * (uint64_t)(s->k[0] * s->k[1] * s->c) * (uint64_t)s->m * PARE_ACCEL_IN_NS / 350;
      return pare_accel_add_work (self, step, pare_accel_loop_tiles (), s, sizeof *s, work, buffers, n);
    }
  uint64_t pieces = (uint64_t)s->terms / 16, work = (pixels + 15) / 16 * pieces * vectors * MATRIX_CYCLES + pixels * vectors * STORE_CYCLES;
  if (!s->flat && !s->place)
    work += pixels * pieces * COPY_CYCLES;
  work = work * PARE_ACCEL_PARALLEL_FROM / SHARED_CYCLES;
  buffers[3] = pare_accel_buffer_new (self, (uint64_t)(s->scratch * self->threads));
  if (n == 2)
    buffers[2] = buffers[3];
  return buffers[3] != PARE_RT_NONE && pare_accel_add_work (self, step, pare_accel_loop_matrix (), s, sizeof *s, work, buffers, 4);
}

bool
pare_accel_conv_tiles (PareAccel *self, uint32_t step, const PareQConvParams *p, const PareConvShape *shape)
{
  const PareRtStep *st = &self->plan->steps[step];
  const PareShape *x = &self->plan->values[st->in[0]].shape, *y = &self->plan->values[st->out[0]].shape;
  int spatial = p->conv.spatial;
  if (spatial > 2 || p->conv.group != 1)
    return false;
  Tiles t = { .x = st->in[0],
              .w = st->in[1],
              .bias = st->in[2],
              .scale = st->in[3],
              .factor = st->n_in == 6 ? st->in[4] : PARE_RT_NONE,
              .offset = st->n_in == 6 ? st->in[5] : PARE_RT_NONE,
              .y = st->out[0],
              .zero_x = p->zero_x,
              .zero_y = p->zero_y,
              .lo = p->lo,
              .hi = p->hi,
              .activation = p->conv.activation,
              .act_lo = p->conv.lo,
              .act_hi = p->conv.hi };
  t.s = (PareTileConv){ .images = x->dims[0], .c = x->dims[1], .m = y->dims[1], .rounds = p->rounds };
  for (int i = 0; i < 2; i++)
    {
      int a = i - (2 - spatial); /* one axis: rows of one */
      t.s.in[i] = a < 0 ? 1 : x->dims[a + 2];
      t.s.out[i] = a < 0 ? 1 : y->dims[a + 2];
      t.s.k[i] = a < 0 ? 1 : p->conv.kernel[a];
      t.s.stride[i] = a < 0 ? 1 : shape->stride[a];
      t.s.dilation[i] = a < 0 ? 1 : shape->dilation[a];
      t.s.pad[i] = a < 0 ? 0 : shape->pad_begin[a];
    }
  t.channel = t.s.k[0] * t.s.k[1];
  t.row = t.channel * t.s.c;
  t.s.x_pixel = t.s.c;
  t.s.x_row = t.s.in[1] * t.s.c;
  t.s.x_image = t.s.in[0] * t.s.x_row;
  const PareMd *src = pare_md_new_channels_last (self->mds, pare_accel_type (self, t.x), x->rank, x->dims),
               *dst = pare_md_new_channels_last (self->mds, pare_accel_type (self, t.y), y->rank, y->dims);
  return src && dst && describe (self, &t) && emit (self, step, &t, src, dst);
}

bool
pare_accel_gemm_tiles (PareAccel *self, uint32_t step, const PareQGemmParams *p)
{
  const PareRtStep *st = &self->plan->steps[step];
  const PareShape *x = &self->plan->values[st->in[0]].shape, *y = &self->plan->values[st->out[0]].shape;
  int64_t k = x->dims[x->rank - 1], n = y->dims[y->rank - 1];
  if (p->gemm.trans_a || pare_shape_count (x) < 1)
    return false;
  Tiles t = { .x = st->in[0],
              .w = st->in[1],
              .bias = st->in[2],
              .scale = st->in[3],
              .factor = PARE_RT_NONE,
              .y = st->out[0],
              .zero_x = p->zero_x,
              .zero_y = p->zero_y,
              .lo = p->lo,
              .hi = p->hi,
              .activation = p->gemm.activation,
              .act_lo = p->gemm.lo,
              .act_hi = p->gemm.hi,
              .row = p->gemm.trans_b ? k : 1,
              .channel = p->gemm.trans_b ? 1 : n };
  t.s = (PareTileConv){ .images = pare_shape_count (x) / k,
                        .c = k,
                        .m = n,
                        .in = { 1, 1 },
                        .out = { 1, 1 },
                        .k = { 1, 1 },
                        .stride = { 1, 1 },
                        .dilation = { 1, 1 },
                        .x_pixel = k,
                        .x_row = k,
                        .x_image = k };
  const PareMd *src = pare_accel_plain_md (self, t.x), *dst = pare_accel_plain_md (self, t.y);
  return src && dst && describe (self, &t) && emit (self, step, &t, src, dst);
}
