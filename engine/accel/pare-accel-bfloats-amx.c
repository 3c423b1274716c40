/* Products of bfloat16 by the matrix unit. Rows whose pairs lie in one piece are read where they are, others are copied once for all
 * panels. A tile of sums gets the same terms in the same order wherever its rows begin, and whichever others are computed with them. */
#include "engine/accel/pare-accel-amx.h"
#include "engine/accel/pare-accel-bfloats.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include "engine/accel/pare-accel-bfloats-lanes.inc.h"
#include "engine/accel/pare-accel-bfloats-end.inc.h"

#define AMX_INLINE AMX static inline __attribute__ ((always_inline))

#define DEPTH LANES            /* pairs of a step at most */
#define COPY (140 * 1024)      /* bytes of copied rows at most, which are on the stack */
#define NEAR (32 * 1024)       /* as many of them stay in the first cache */
#define STRIP (2 * LANES)      /* rows that are multiplied together */
#define MOST_RUNS (16 * LANES) /* of taps that follow one another */

/* Rows as tiles read them: a step is `depth` pairs that lie side by side. */
typedef struct
{
  const char *a;
  int64_t row, n; /* bytes from row to row; rows */
  int64_t steps, depth;
  const int64_t *taps; /* of all pairs; NULL: one step follows another */
  int64_t last;        /* the pair where the last step begins; what it has in common with the step before is 0 in it */
} Rows;

/* Pairs that lie side by side. */
typedef struct
{
  int64_t from;
  int32_t to; /* bytes */
  uint32_t mask;
} Run;

/* How the tiles of this thread are set up, which takes as long as a product of several tiles; rows 0: they are not. */
static _Thread_local struct
{
  int holders, rows, depth;
} set_up;

void
pare_accel_set_tiles (int rows, int depth)
{
  PareAmxTiles tiles = { .palette = 1 };
  if (set_up.rows == rows && set_up.depth == depth)
    return;
  set_up.rows = rows;
  set_up.depth = depth;
  for (int i = 0; i < 8; i++)
    {
      tiles.rows[i] = (uint8_t)(i < 6 ? rows : depth);
      tiles.row_bytes[i] = (uint16_t)(i == 4 || i == 5 ? depth * 4 : 64);
    }
  __asm__ volatile("ldtilecfg %0" : : "m"(tiles) : "memory");
}

void
pare_accel_drop_tiles (void)
{
  if (set_up.holders == 0 && set_up.rows > 0)
    {
      __asm__ volatile("tilerelease" : : : "memory");
      set_up.rows = 0;
    }
}

void
pare_accel_hold_tiles (void)
{
  set_up.holders++;
}

void
pare_accel_release_tiles (void)
{
  set_up.holders--;
  pare_accel_drop_tiles ();
}

/* Sums of one or two tiles of rows by up to four vectors (of one), up to two (of two), in tiles: a row of them after the other. */
AMX_INLINE void
sum_up (const Rows *r, const char *first, const char *second, const uint16_t *b, int64_t width, const float *bias, const int tall,
        const int vecs)
{
  if (bias)
    {
      _tile_loadd (0, bias, 0);
      if (tall == 2)
        _tile_loadd (2, bias, 0);
      if (vecs > 1)
        _tile_loadd (1, bias + LANES, 0);
      if (vecs > 1 && tall == 2)
        _tile_loadd (3, bias + LANES, 0);
      if (vecs > 2)
        _tile_loadd (2, bias + 2 * LANES, 0);
      if (vecs > 3)
        _tile_loadd (3, bias + 3 * LANES, 0);
    }
  else
    {
      _tile_zero (0);
      _tile_zero (1);
      _tile_zero (2);
      _tile_zero (3);
    }
  const int64_t row = r->row, pitch = width * 4, step = r->depth * 4, next = r->depth * width * 2;
  const uint16_t *last = b + r->last * width * 2;
  for (int64_t i = 0; i < r->steps; i++, b += next)
    {
      const uint16_t *w = i + 1 < r->steps ? b : last;
      const int64_t at = r->taps ? r->taps[i * r->depth] * 2 : i * step;
      _tile_loadd (4, first + at, row);
      _tile_loadd (6, w, pitch);
      _tile_dpbf16ps (0, 4, 6);
      if (vecs > 1)
        {
          _tile_loadd (7, w + 2 * LANES, pitch);
          _tile_dpbf16ps (1, 4, 7);
        }
      if (tall == 2)
        {
          _tile_loadd (5, second + at, row);
          _tile_dpbf16ps (2, 5, 6);
          if (vecs > 1)
            _tile_dpbf16ps (3, 5, 7);
        }
      if (vecs > 2)
        {
          _tile_loadd (6, w + 4 * LANES, pitch);
          _tile_dpbf16ps (2, 4, 6);
        }
      if (vecs > 3)
        {
          _tile_loadd (7, w + 6 * LANES, pitch);
          _tile_dpbf16ps (3, 4, 7);
        }
    }
}

/* These to memory: [vecs][..] of rows * 16 floats. */
AMX_INLINE void
store_sums (float *to, const int tall, const int vecs)
{
  _tile_stored (0, to, 64);
  if (vecs > 1)
    _tile_stored (1, to + LANES * LANES, 64);
  if (vecs > 2 || tall == 2)
    _tile_stored (2, to + 2 * LANES * LANES, 64);
  if (vecs > 3 || (vecs > 1 && tall == 2))
    _tile_stored (3, to + 3 * LANES * LANES, 64);
}

/* Rows `row`..end - 1 of sums, which begin with those of `row` less `skip`. */
AMX_INLINE void
finish_rows (const PareBfloatProduct *p, int64_t row, int64_t end, const float *sums, const int vecs)
{
  __m512 acc[8][4];
  for (; row + 8 <= end; row += 8, sums += 8 * LANES)
    {
      UNROLL for (int i = 0; i < 8; i++) UNROLL for (int v = 0; v < vecs; v++) acc[i][v] = LOAD (sums + v * LANES * LANES + i * LANES);
      finish_tile (p, row, acc, 8, vecs);
    }
  for (; row < end; row++, sums += LANES)
    {
      UNROLL for (int v = 0; v < vecs; v++) acc[0][v] = LOAD (sums + v * LANES * LANES);
      finish_tile (p, row, acc, 1, vecs);
    }
}

/* The same of two or one vectors, without what is skipped. */
AMX __attribute__ ((noinline)) static void
finish_some (const PareBfloatProduct *p, int64_t row, int64_t end, const float *sums)
{
  if (p->skip == 0)
    {
      if (p->width > LANES)
        finish_rows (p, row, end, sums, 2);
      else
        finish_rows (p, row, end, sums, 1);
      return;
    }
  const int64_t line = p->line, whole = line + p->skip;
  for (int64_t n; row < end; row += n, sums += n * LANES)
    {
      int64_t at = row % whole, before = row / whole * p->skip;
      n = (at < line ? line : whole) - at;
      n = end - row < n ? end - row : n;
      if (at >= line)
        continue;
      if (p->width > LANES)
        finish_rows (p, row - before, row - before + n, sums, 2);
      else
        finish_rows (p, row - before, row - before + n, sums, 1);
    }
}

/* Columns at..at + width of a panel. */
static PareBfloatProduct
columns (const PareBfloatProduct *p, int at, int width)
{
  PareBfloatProduct some = *p;
  int64_t by = at / LANES * p->c_block;
  some.width = width;
  some.columns = p->columns - at < width ? p->columns - at : width;
  some.b += 2 * at;
  some.first += at;
  if (p->factor)
    some.factor += at;
  if (p->bias)
    some.bias += at;
  some.c.data = (char *)p->c.data + by * (p->c.wide ? 4 : 2);
  if (p->residual.data)
    some.residual.data = (char *)p->residual.data + by * (p->residual.wide ? 4 : 2);
  return some;
}

/* Sums that wait for what follows them: the matrix unit, which takes its time, computes the next ones meanwhile, which come to memory only
 * then: reading a place that may have just been written (the lower 12 bits of its address tell) waits for that. */
typedef struct
{
  const PareBfloatProduct *p;
  int64_t row, end;
  const float *sums;
} Rest;

typedef struct
{
  float sums[4 * LANES * LANES] __attribute__ ((aligned (64)));
  Rest rests[2];
  int n;
} Waiting;

static void
finish_waiting (Waiting *w)
{
  for (int i = 0; i < w->n; i++)
    finish_some (w->rests[i].p, w->rests[i].row, w->rests[i].end, w->rests[i].sums);
  w->n = 0;
}

static void
wait_for (Waiting *w, const PareBfloatProduct *p, int64_t row, int64_t end, const float *sums)
{
  w->rests[w->n++] = (Rest){ p, row, end, sums };
}

/* Rows from row on, at most a strip, by a panel. Sixteen are read also where fewer are left. */
AMX static void
multiply_strip (const Rows *r, const PareBfloatProduct *p, const PareBfloatProduct halves[2], int64_t row, Waiting *waiting)
{
  const int tile = LANES * LANES;
  int64_t left = r->n - row, width = p->width;
  int64_t at = left >= LANES || r->n < LANES ? row : r->n - LANES, second = left >= STRIP ? row + LANES : r->n - LANES;
  const float *bias = p->factor ? NULL : p->bias;
  const char *a = r->a + at * r->row, *next = r->a + second * r->row;
  float *sums = waiting->sums;
  if (left > LANES)
    for (int i = 0; i < 2 && i * 2 * LANES < width; i++)
      {
        const PareBfloatProduct *half = &halves[i];
        const float *own = bias ? half->bias : NULL;
        if (half->width > LANES)
          sum_up (r, a, next, half->b, width, own, 2, 2);
        else
          sum_up (r, a, next, half->b, width, own, 2, 1);
        finish_waiting (waiting);
        store_sums (sums, 2, half->width > LANES ? 2 : 1);
        wait_for (waiting, half, row, row + LANES, sums);
        wait_for (waiting, half, row + LANES, left < STRIP ? r->n : row + STRIP, sums + 2 * tile + (row + LANES - second) * LANES);
      }
  else
    {
      if (width == LANES)
        sum_up (r, a, a, p->b, width, bias, 1, 1);
      else if (width == 2 * LANES)
        sum_up (r, a, a, p->b, width, bias, 1, 2);
      else if (width == 3 * LANES)
        sum_up (r, a, a, p->b, width, bias, 1, 3);
      else
        sum_up (r, a, a, p->b, width, bias, 1, 4);
      finish_waiting (waiting);
      store_sums (sums, 1, (int)(width / LANES));
      for (int i = 0; i < 2 && i * 2 * LANES < width; i++)
        wait_for (waiting, &halves[i], row, r->n, sums + 2 * i * tile + (row - at) * LANES);
    }
}

/* All columns of rows first.. of the product's. */
static void
multiply_rows (const Rows *r, const PareBfloatProduct *all, int64_t first, int64_t n)
{
  PareBfloatProduct p, halves[2][2]; /* of this panel and of the one whose last sums wait */
  Waiting waiting;
  waiting.n = 0;
  for (int64_t i = 0; pare_accel_bfloat_panel_of (all, n, i, &p); i++)
    {
      p.c.data = (char *)p.c.data + first * p.c_row * (p.c.wide ? 4 : 2);
      if (p.residual.data)
        p.residual.data = (char *)p.residual.data + first * p.c_row * (p.residual.wide ? 4 : 2);
      int half = p.width < 2 * LANES ? p.width : 2 * LANES;
      halves[i % 2][0] = columns (&p, 0, half);
      if (half < p.width)
        halves[i % 2][1] = columns (&p, half, p.width - half);
      for (int64_t row = 0; row < r->n; row += STRIP)
        multiply_strip (r, &p, halves[i % 2], row, &waiting);
    }
  finish_waiting (&waiting);
}

/* Where a pair lies in a copied row. */
static int64_t
place_of (const Rows *r, int64_t pair)
{
  return pair < (r->steps - 1) * r->depth ? pair : pair + (r->steps - 1) * r->depth - r->last;
}

/* What follows one another of taps, or the blocks of eight. */
static int
find_runs (const PareBfloatProduct *p, const Rows *r, Run *runs)
{
  int n = 0;
  for (int64_t i = 0, count; i < p->pairs; i += count)
    {
      int64_t border = (r->steps - 1) * r->depth, most = i < border && border - i < LANES ? border - i : LANES;
      most = p->pairs - i < most ? p->pairs - i : most;
      if (p->taps)
        for (count = 1; count < most && p->taps[i + count] == p->taps[i] + 2 * count;)
          count++;
      else
        count = most < LANES / 2 - i % (LANES / 2) ? most : LANES / 2 - i % (LANES / 2);
      if (n == MOST_RUNS)
        return 0;
      runs[n++] = (Run){ p->taps ? p->taps[i] : i / (LANES / 2) * p->a_block + i % (LANES / 2) * 2, (int32_t)place_of (r, i) * 4,
                         (1u << count) - 1 };
    }
  return n;
}

AMX static void
copy (const PareBfloatProduct *p, const Run *runs, int n, int64_t first, const Rows *r, char *to)
{
  const uint16_t *a = p->a + first * p->a_row;
  for (int64_t i = 0; i < r->n; i++, a += p->a_row, to += r->row)
    {
      if (r->last < (r->steps - 1) * r->depth)
        _mm512_storeu_si512 (to + (r->steps - 1) * r->depth * 4, _mm512_setzero_si512 ());
      for (int k = 0; k < n; k++)
        {
          __mmask16 mask = (__mmask16)runs[k].mask;
          _mm512_mask_storeu_epi32 (to + runs[k].to, mask, _mm512_maskz_loadu_epi32 (mask, a + runs[k].from));
        }
    }
}

/* Steps as long as they can be that divide the pairs, where that takes one step more at most. */
static bool
divides (Rows *r, int64_t pairs)
{
  for (r->depth = pairs < DEPTH ? pairs : DEPTH; pairs % r->depth; r->depth--)
    ;
  r->steps = pairs / r->depth;
  r->last = pairs - r->depth;
  return r->steps <= (pairs + DEPTH - 1) / DEPTH + 1;
}

static bool
lies_in_rows (const PareBfloatProduct *p)
{
  return !p->taps && (p->a_block == LANES || p->pairs <= LANES / 2);
}

void
pare_accel_tiles_panels (const PareBfloatProduct *p, int64_t n)
{
  Rows r = { .a = (const char *)p->a, .row = p->a_row * 2, .n = p->rows };
  if (r.n == 0) /* a tile has one at least */
    return;
  if (p->run > 0)
    {
      r.taps = p->taps;
      r.depth = p->run;
      r.steps = p->pairs / p->run;
      r.last = p->pairs - p->run;
    }
  if (p->run > 0 || (lies_in_rows (p) && divides (&r, p->pairs)))
    {
      pare_accel_set_tiles (r.n < LANES ? (int)r.n : LANES, (int)r.depth);
      multiply_rows (&r, p, 0, n);
      pare_accel_drop_tiles ();
      return;
    }
  char scratch[COPY] __attribute__ ((aligned (64)));
  Run runs[MOST_RUNS];
  r.depth = p->pairs < DEPTH ? p->pairs : DEPTH;
  r.steps = (p->pairs + DEPTH - 1) / DEPTH;
  r.last = p->pairs - r.depth;
  r.a = scratch;
  r.row = (r.steps | 1) * 64; /* an odd number: rows do not share a set of the cache */
  int64_t most = (n > PARE_BF16_WIDTH ? COPY : NEAR) / r.row / STRIP * STRIP;
  int n_runs = find_runs (p, &r, runs);
  most = most < STRIP ? STRIP : most;
  if (n_runs == 0 || most * r.row > COPY)
    {
      pare_accel_multiply_pairs (pare_accel_bfloats (), n, p);
      return;
    }
  for (int64_t row = 0; row < p->rows; row += most)
    {
      r.n = p->rows - row < most ? p->rows - row : most;
      copy (p, runs, n_runs, row, &r, scratch);
      __asm__ volatile("" : : : "memory"); /* tiles are loaded by addresses only */
      pare_accel_set_tiles (r.n < LANES ? (int)r.n : LANES, (int)r.depth);
      multiply_rows (&r, p, row, n);
    }
  pare_accel_drop_tiles ();
}

void
pare_accel_tiles_product (const PareBfloatProduct *p)
{
  pare_accel_tiles_panels (p, p->columns);
}
#else
void
pare_accel_hold_tiles (void)
{
}

void
pare_accel_release_tiles (void)
{
}
#endif
