/* The state of recurrent layers times their matrix R of bfloat16, by the matrix unit. A float is the sum of three bfloat16 (8 bits of 24
 * each), so a row of states is three rows of a tile, whose sums are added in the end: exact products of floats, as the portable kernel
 * makes them, by an instruction that takes as long for three rows as for one. What bounds it is how fast R is read. */
#include "engine/accel/pare-accel-amx.h"
#include "engine/accel/pare-accel-bfloats-private.h"
#include "engine/runtime/kernels/half.h"
#include "engine/runtime/kernels/rnn-common.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include "engine/accel/pare-accel-bfloats-lanes.inc.h"

#define DEPTH (2 * LANES)    /* terms of a step */
#define TILE (LANES * DEPTH) /* elements of a tile of R */
#define TILES 4              /* of sums at a time: enough that none waits for the one before */
#define PARTS 3              /* bfloat16 of a float */
#define LEAST_HIDDEN 64      /* of fewer, vectors find R in the first cache, and nobody waits for a tile */
#define MOST_STEPS 64        /* of states that are on the stack */
#define MOST_ROWS (PARTS * PARE_RT_PANEL_ROWS)

_Static_assert(MOST_ROWS <= LANES, "rows of a tile");

typedef struct
{
  PareRtRnnMultiplier multiplier;
  int64_t gates, blocks, steps; /* blocks of units, steps of terms */
  const uint16_t *weights;      /* [direction][block][step][gate]: tiles, filled up with zeros */
} Tiles;

/* Rows of states as [step][row][part][DEPTH]. */
AMX static void
split (const PareRtRnnProduct *p, uint16_t *to)
{
  static const uint16_t uppers[DEPTH]
      = { 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 63 };
  const __m512i upper = _mm512_set1_epi32 ((int)0xffff0000), halves = _mm512_loadu_si512 (uppers);
  for (int64_t k = 0; k < p->hidden; k += DEPTH)
    for (int64_t r = 0; r < p->rows; r++, to += PARTS * DEPTH)
      {
        __m512 left[2];
        for (int half = 0; half < 2; half++)
          {
            int64_t n = p->hidden - k - half * LANES;
            left[half] = _mm512_maskz_loadu_ps (n >= LANES ? 0xffff : n > 0 ? (1u << n) - 1 : 0, p->x + r * p->x_row + k + half * LANES);
          }
        for (int part = 0; part < PARTS; part++)
          {
            __m512i both[2];
            for (int half = 0; half < 2; half++)
              {
                both[half] = _mm512_and_si512 (_mm512_castps_si512 (left[half]), upper);
                /* nothing is left of what is not finite */
                __mmask16 finite = _knot_mask16 (_mm512_fpclass_ps_mask (left[half], 0x99));
                left[half] = _mm512_maskz_sub_ps (finite, left[half], _mm512_castsi512_ps (both[half]));
              }
            _mm512_storeu_si512 (to + part * DEPTH, _mm512_permutex2var_epi16 (both[0], halves, both[1]));
          }
      }
  __asm__ volatile("" : : : "memory"); /* tiles are loaded by addresses only */
}

/* Sums of `rows` rows by n tiles of columns in tiles 0 to n - 1; b: their first steps, `next` elements apart. */
AMX INLINE void
sum_up (int rows, int64_t steps, const uint16_t *a, const uint16_t *const *b, int64_t next, const int n)
{
  _tile_zero (0);
  _tile_zero (1);
  _tile_zero (2);
  _tile_zero (3);
  for (int64_t i = 0; i < steps; i++, a += rows * DEPTH)
    {
      const int64_t at = i * next;
      _tile_loadd (4, a, 64);
      _tile_loadd (6, b[0] + at, 64);
      _tile_dpbf16ps (0, 4, 6);
      if (n > 1)
        {
          _tile_loadd (7, b[1] + at, 64);
          _tile_dpbf16ps (1, 4, 7);
        }
      if (n > 2)
        {
          _tile_loadd (6, b[2] + at, 64);
          _tile_dpbf16ps (2, 4, 6);
        }
      if (n > 3)
        {
          _tile_loadd (7, b[3] + at, 64);
          _tile_dpbf16ps (3, 4, 7);
        }
    }
}

/* To sums [n][LANES][LANES]. */
AMX static void
store_sums (float *sums, int64_t n)
{
  _tile_stored (0, sums, 64);
  if (n > 1)
    _tile_stored (1, sums + LANES * LANES, 64);
  if (n > 2)
    _tile_stored (2, sums + 2 * LANES * LANES, 64);
  if (n > 3)
    _tile_stored (3, sums + 3 * LANES * LANES, 64);
  __asm__ volatile("" : : : "memory");
}

/* What is in the tiles goes where p wants it, all parts of a row together. */
AMX static void
add_parts (const PareRtRnnProduct *p, int64_t block, int64_t blocks, const float *sums)
{
  const int64_t width = p->end - p->unit;
  for (int64_t i = 0; i < blocks; i++)
    for (int gate = 0; gate < p->gates; gate++, sums += LANES * LANES)
      for (int64_t r = 0; r < p->rows; r++)
        {
          const float *parts = sums + r * PARTS * LANES;
          STORE (p->y + (r * p->gates + gate) * width + (block + i) * LANES,
                 ADD (LOAD (parts), ADD (LOAD (parts + LANES), LOAD (parts + 2 * LANES))));
        }
}

/* As many blocks at a time as there are tiles for their gates. */
AMX static void
multiply (const PareRtRnnMultiplier *multiplier, const PareRtRnnProduct *p)
{
  const Tiles *t = (const Tiles *)(const void *)multiplier;
  const int rows = PARTS * (int)p->rows;
  const int64_t n = (p->end - p->unit) / LANES, each = TILES / p->gates, groups = (n + each - 1) / each, next = t->gates * TILE;
  const uint16_t *weights = t->weights + (p->direction * t->blocks + p->unit / LANES) * t->steps * next + p->first * TILE;
  uint16_t a[MOST_STEPS * MOST_ROWS * DEPTH] __attribute__ ((aligned (64)));
  float sums[TILES * LANES * LANES] __attribute__ ((aligned (64)));
  int64_t before = 0, blocks = 0;
  pare_accel_set_tiles (rows, LANES);
  split (p, a);
  for (int64_t i = 0; i < groups; i++)
    {
      const int64_t block = (p->backwards ? groups - 1 - i : i) * each, some = n - block < each ? n - block : each;
      const uint16_t *b[TILES];
      for (int64_t k = 0; k < some; k++)
        for (int64_t gate = 0; gate < p->gates; gate++)
          b[k * p->gates + gate] = weights + (block + k) * t->steps * next + gate * TILE;
      if (some * p->gates == 4)
        sum_up (rows, t->steps, a, b, next, 4);
      else if (some * p->gates == 3)
        sum_up (rows, t->steps, a, b, next, 3);
      else if (some * p->gates == 2)
        sum_up (rows, t->steps, a, b, next, 2);
      else
        sum_up (rows, t->steps, a, b, next, 1);
      add_parts (p, before, blocks, sums); /* of the blocks before, while the matrix unit has these */
      store_sums (sums, some * p->gates);
      before = block;
      blocks = some;
    }
  add_parts (p, before, blocks, sums);
}

/* e^-(x times), from 2^-42 to 2^42, where 1 + e rounds to what it is beyond: products of three stay finite, and nothing becomes subnormal,
 * which takes the CPU many times as long. */
BF16 INLINE __m512
falling (__m512 x, float times)
{
  return bf16_power_of_2 (LARGER (ALL (-42), SMALLER (ALL (42), MUL (x, ALL (-1.44269504f * times)))));
}

/* Sixteen units at a time from their sums to their state: C = f (F) C + f (I) g (c), H = f (O) h (C), where f (x) = 1 / (1 + e^-x) and
 * h (x) = g (x) = (1 - e^-2x) / (1 + e^-2x), over one denominator each: divisions are what takes long. */
BF16 static void
lstm (const PareRtRnn *s, const PareRtRnnSide *side, int stage, PareRtRnnUnits *at)
{
  for (int64_t i = 0; i < at->width; i += LANES)
    {
      __m512 e[4], d[4], one = ALL (1);
      UNROLL for (int g = 0; g < 4; g++)
      {
        e[g] = falling (ADD (LOAD (at->xw + g * at->xw_apart + i), LOAD (at->hr + g * at->width + i)), g == 3 ? 2 : 1);
        d[g] = ADD (one, e[g]);
      }
      __m512 new = MUL (d[0], d[3]), c = DIV (FMA (LOAD (at->c + i), new, MUL (SUB (one, e[3]), d[2])), MUL (new, d[2]));
      __m512 last = falling (c, 2);
      STORE (at->c + i, c);
      STORE (at->h + i, DIV (SUB (one, last), MUL (d[1], ADD (one, last))));
    }
}

static bool
are_bfloat (const float *data, int64_t n)
{
  for (int64_t i = 0; i < n; i++)
    if (!is_bfloat (data[i]))
      return false;
  return true;
}

/* R of one direction, [gates * hidden][hidden], as tiles: pairs of terms side by side. */
static void
pack (const Tiles *t, int64_t hidden, const float *from, uint16_t *to)
{
  for (int64_t gate = 0; gate < t->gates; gate++)
    for (int64_t unit = 0; unit < hidden; unit++)
      for (int64_t k = 0; k < hidden; k++)
        {
          uint32_t bits;
          memcpy (&bits, from + (gate * hidden + unit) * hidden + k, sizeof bits);
          int64_t tile = (unit / LANES * t->steps + k / DEPTH) * t->gates + gate;
          to[tile * TILE + k % DEPTH / 2 * DEPTH + unit % LANES * 2 + k % 2] = (uint16_t)(bits >> 16);
        }
}

const void *
pare_accel_recurrent_bf16 (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  if ((s->op != PARE_RT_LSTM && s->op != PARE_RT_GRU && s->op != PARE_RT_RNN) || !pare_accel_has_amx () || pare_rt_isa ()->lanes != LANES
      || self->plan->values[s->in[2]].dtype != PARE_DTYPE_FLOAT32)
    return NULL;
  const PareShape *shape = &self->plan->values[s->in[2]].shape;
  const float *data = pare_accel_constant (self, s->in[2]);
  int64_t directions = shape->dims[0], wide = shape->dims[1], hidden = shape->dims[2];
  if (!data || hidden < LEAST_HIDDEN || hidden > MOST_STEPS * DEPTH || !are_bfloat (data, directions * wide * hidden))
    return NULL;
  Tiles *t = pare_accel_pack (self, sizeof *t);
  if (!t)
    return NULL;
  *t = (Tiles){ .multiplier = { multiply, lstm, pare_accel_drop_tiles },
                .gates = wide / hidden,
                .blocks = (hidden + LANES - 1) / LANES,
                .steps = (hidden + DEPTH - 1) / DEPTH };
  int64_t each = t->blocks * t->steps * t->gates * TILE;
  uint16_t *weights = pare_accel_pack (self, (uint64_t)(directions * each) * sizeof *weights);
  if (!weights)
    return NULL;
  memset (weights, 0, (size_t)(directions * each) * sizeof *weights);
  for (int64_t d = 0; d < directions; d++)
    pack (t, hidden, data + d * wide * hidden, weights + d * each);
  t->weights = weights;
  return t;
}
#else
const void *
pare_accel_recurrent_bf16 (PareAccel *self, uint32_t step)
{
  return NULL;
}
#endif
