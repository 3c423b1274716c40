#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("live-range-shrinkage") /* or a sum of large tiles goes through memory for every pair */
#endif
#include "engine/accel/pare-accel-bfloats.h"

#include "engine/accel/pare-accel-amx.h"
#include "engine/accel/pare-accel.h"

#include <stddef.h>
#include <string.h>

int
pare_accel_bfloat_panel (int64_t n, int64_t i, int64_t *at)
{
  static const PareFloats wide = { .width = PARE_BF16_WIDTH };
  return pare_accel_panel (&wide, n, i, at);
}

void
pare_accel_pack_pairs (const float *weights, int64_t n, int64_t k, const int32_t *terms, int64_t pairs, uint16_t *to)
{
  int64_t at;
  int width;
  for (int64_t i = 0; (width = pare_accel_bfloat_panel (pare_accel_whole_blocks (n), i, &at)) > 0; i++)
    for (int64_t c = 0; c < width; c++)
      for (int64_t j = 0; j < 2 * pairs; j++)
        {
          int64_t term = terms ? terms[j] : j;
          uint32_t bits = 0;
          if (term >= 0 && term < k && at + c < n)
            memcpy (&bits, weights + (at + c) * k + term, sizeof bits);
          to[(at * pairs + j / 2 * width + c) * 2 + j % 2] = (uint16_t)(bits >> 16);
        }
}

static PareBfloatPlace
moved (PareBfloatPlace place, int64_t elements)
{
  if (place.data)
    place.data = (char *)place.data + elements * (place.wide ? 4 : 2);
  return place;
}

bool
pare_accel_bfloat_panel_of (const PareBfloatProduct *all, int64_t n, int64_t i, PareBfloatProduct *p)
{
  int64_t at;
  *p = *all;
  p->width = pare_accel_bfloat_panel (pare_accel_whole_blocks (n), i, &at);
  p->columns = (int)(n - at < p->width ? n - at : p->width);
  p->b = all->b + at * p->pairs * 2;
  p->bias = all->bias ? all->bias + at : NULL;
  p->factor = all->factor ? all->factor + at : NULL;
  p->first = all->first + at;
  p->c = moved (all->c, at / PARE_BLOCK * p->c_block);
  p->residual = moved (all->residual, at / PARE_BLOCK * p->c_block);
  return p->width > 0;
}

void
pare_accel_multiply_pairs (const PareBfloats *isa, int64_t n, const PareBfloatProduct *all)
{
  PareBfloatProduct p;
  if (isa->panels)
    isa->panels (all, n);
  for (int64_t i = 0; !isa->panels && pare_accel_bfloat_panel_of (all, n, i, &p); i++)
    isa->product (&p);
}

#if defined(__x86_64__) && defined(__GNUC__)
#include "engine/accel/pare-accel-bfloats-lanes.inc.h"
#include "engine/accel/pare-accel-bfloats-end.inc.h"

#define LEAST_ROWS 8 /* by tiles: fewer leave the matrix unit idle, and a tile has to be set up */
#define AHEAD 4096   /* bytes: columns are fetched so far ahead, for many come from memory */

BF16 INLINE __m512bh
pair (const uint16_t *a)
{
  int both;
  memcpy (&both, a, sizeof both);
  return (__m512bh)_mm512_set1_epi32 (both);
}

/* acc += one pair of each row times a row of b. Rows are a_row apart. */
BF16 INLINE void
multiply (__m512 acc[][4], const uint16_t *a, int64_t a_row, const uint16_t *b, const int rows, const int vecs)
{
  __m512bh w[4];
  UNROLL for (int v = 0; v < vecs; v++) w[v] = (__m512bh)_mm512_loadu_si512 (b + v * LANES * 2);
  UNROLL for (int r = 0; r < rows; r++)
  {
    __m512bh s = pair (a + r % 4 * a_row);
    UNROLL for (int v = 0; v < vecs; v++) acc[r][v] = _mm512_dpbf16_ps (acc[r][v], w[v], s);
    if (r % 4 == 3)
      {
        a += 4 * a_row;
        OPAQUE (a); /* or all addresses would be kept in registers that there are not */
      }
  }
}

/* `rows` rows by `vecs` vectors. */
BF16 INLINE void
tile (const PareBfloatProduct *p, int64_t row, const int rows, const int vecs, const int64_t a_row, const bool tapped)
{
  const uint16_t *a = p->a + row * a_row, *b = p->b;
  __m512 acc[16][4];
  UNROLL for (int v = 0; v < vecs; v++)
  {
    __m512 s = p->bias && !p->factor ? _mm512_loadu_ps (p->bias + v * LANES) : _mm512_setzero_ps ();
    UNROLL for (int r = 0; r < rows; r++) acc[r][v] = s;
  }
  const int step = vecs * LANES * 2;
  if (tapped)
    for (int64_t k = 0; k < p->pairs; k++, b += step)
      multiply (acc, a + p->taps[k], a_row, b, rows, vecs);
  else
    for (int64_t k = p->pairs; k > 0; k -= LANES / 2, a += p->a_block)
      {
        UNROLL for (int v = 0; v < LANES / 2 * vecs; v++) __builtin_prefetch ((const char *)(b + v * LANES * 2) + AHEAD);
        if (k >= LANES / 2)
          for (int i = 0; i < LANES / 2; i++, b += step)
            multiply (acc, a + 2 * i, a_row, b, rows, vecs);
        else
          for (int i = 0; i < k; i++, b += step)
            multiply (acc, a + 2 * i, a_row, b, rows, vecs);
      }
  finish_tile (p, row, acc, rows, vecs);
}

#define TILE(ROWS, VECS)                                                                                                                   \
  BF16 static void tile##ROWS##x##VECS (const PareBfloatProduct *p, int64_t row)                                                           \
  {                                                                                                                                        \
    if (p->taps)                                                                                                                           \
      tile (p, row, ROWS, VECS, p->a_row, true);                                                                                           \
    else if (p->a_row == LANES)                                                                                                            \
      tile (p, row, ROWS, VECS, LANES, false);                                                                                             \
    else                                                                                                                                   \
      tile (p, row, ROWS, VECS, p->a_row, false);                                                                                          \
  }
#define TILES_6(V) TILE (1, V) TILE (2, V) TILE (3, V) TILE (4, V) TILE (5, V) TILE (6, V)
#define TILES_8(V) TILES_6 (V) TILE (7, V) TILE (8, V)
#define TILES_12(V) TILES_8 (V) TILE (9, V) TILE (10, V) TILE (11, V) TILE (12, V)
#define TILES_16(V) TILES_12 (V) TILE (13, V) TILE (14, V) TILE (15, V) TILE (16, V)
#define NAMES_6(V) tile1x##V, tile2x##V, tile3x##V, tile4x##V, tile5x##V, tile6x##V
#define NAMES_8(V) NAMES_6 (V), tile7x##V, tile8x##V
#define NAMES_12(V) NAMES_8 (V), tile9x##V, tile10x##V, tile11x##V, tile12x##V
#define NAMES_16(V) NAMES_12 (V), tile13x##V, tile14x##V, tile15x##V, tile16x##V
/* clang-format off */
TILES_16 (1) TILES_12 (2) TILES_8 (3) TILES_6 (4)
    /* clang-format on */
    typedef void tile_t (const PareBfloatProduct *p, int64_t row);

static void
product (const PareBfloatProduct *p)
{
  static tile_t *const tiles[][16] = { { NAMES_16 (1) }, { NAMES_12 (2) }, { NAMES_8 (3) }, { NAMES_6 (4) } };
  static const int most_rows[] = { 16, 12, 8, 6 };
  int64_t most = most_rows[p->width / LANES - 1], n = (p->rows + most - 1) / most, row = 0;
  for (int64_t i = 0; i < n; i++) /* about equal ones: few rows keep the arithmetic waiting */
    {
      int64_t end = p->rows * (i + 1) / n;
      tiles[p->width / LANES - 1][end - row - 1](p, row);
      row = end;
    }
}

/* --- small products, one behind the other --- */

#define MOST_TOGETHER 16 /* rows */

/* `rows` rows of each product, one vector wide. What keeps a small product waiting is its beginning and its end: here the next one begins
 * meanwhile. */
BF16 INLINE void
together (const PareBfloatProduct *p, const PareBfloatSeries *series, int64_t row, const int rows)
{
  const uint16_t *first = p->a + row * LANES, *b = p->b;
  float *c = (float *)p->c.data + row * p->c_row;
  const int64_t c_row = p->c_row;
  for (int64_t i = 0; i < series->n; i++, first += series->a_apart, b += series->b_apart, c += series->c_apart)
    {
      __m512 acc[MOST_TOGETHER][4];
      const uint16_t *a = first, *weights = b;
      UNROLL for (int r = 0; r < rows; r++) acc[r][0] = _mm512_setzero_ps ();
      for (int64_t k = p->pairs; k > 0; k -= LANES / 2, a += p->a_block)
        UNROLL for (int j = 0; j < LANES / 2; j++, weights += LANES * 2) multiply (acc, a + 2 * j, LANES, weights, rows, 1);
      UNROLL for (int r = 0; r < rows; r++) _mm512_storeu_ps (c + r * c_row, acc[r][0]);
    }
}

#define TOGETHER(ROWS)                                                                                                                     \
  BF16 static void together##ROWS (const PareBfloatProduct *p, const PareBfloatSeries *series, int64_t row)                                \
  {                                                                                                                                        \
    together (p, series, row, ROWS);                                                                                                       \
  }
/* clang-format off */
TOGETHER (1) TOGETHER (2) TOGETHER (3) TOGETHER (4) TOGETHER (5) TOGETHER (6) TOGETHER (7) TOGETHER (8)
TOGETHER (9) TOGETHER (10) TOGETHER (11) TOGETHER (12) TOGETHER (13) TOGETHER (14) TOGETHER (15) TOGETHER (16)
    /* clang-format on */
    typedef void together_t (const PareBfloatProduct *p, const PareBfloatSeries *series, int64_t row);

static void
series (const PareBfloatProduct *p, const PareBfloatSeries *series)
{
  static together_t *const tiles[] = { together1, together2,  together3,  together4,  together5,  together6,  together7,  together8,
                                       together9, together10, together11, together12, together13, together14, together15, together16 };
  int64_t n = (p->rows + MOST_TOGETHER - 1) / MOST_TOGETHER, row = 0;
  for (int64_t i = 0; i < n; i++)
    {
      int64_t end = p->rows * (i + 1) / n;
      tiles[end - row - 1](p, series, row);
      row = end;
    }
}

#define CHAINS 4 /* as many sums as keep the arithmetic busy */

BF16 INLINE void
row_of (const PareBfloatProduct *p, const int vecs)
{
  __m512 acc[CHAINS][4];
  const uint16_t *a = p->a, *b = p->b;
  int64_t k = p->pairs;
  UNROLL for (int i = 0; i < CHAINS; i++) UNROLL for (int v = 0; v < vecs; v++) acc[i][v] = ALL (0);
  for (; k >= CHAINS; k -= CHAINS, a += 2 * CHAINS)
    {
      UNROLL for (int i = 0; i < CHAINS; i++, b += vecs * LANES * 2)
      {
        __m512bh x = pair (a + 2 * i);
        UNROLL for (int v = 0; v < vecs; v++) __builtin_prefetch ((const char *)(b + v * LANES * 2) + AHEAD);
        UNROLL for (int v = 0; v < vecs; v++) acc[i][v] = _mm512_dpbf16_ps (acc[i][v], (__m512bh)_mm512_loadu_si512 (b + v * LANES * 2), x);
      }
    }
  for (; k > 0; k--, a += 2, b += vecs * LANES * 2)
    {
      UNROLL for (int v = 0; v < vecs; v++) acc[0][v]
          = _mm512_dpbf16_ps (acc[0][v], (__m512bh)_mm512_loadu_si512 (b + v * LANES * 2), pair (a));
    }
  UNROLL for (int v = 0; v < vecs; v++)
  {
    __m512 sum = ADD (ADD (acc[0][v], acc[1][v]), ADD (acc[2][v], acc[3][v]));
    int left = p->columns - v * LANES;
    sum = ADD (sum, LOAD (p->bias + v * LANES));
    if (p->residual.data)
      sum = ADD (sum, load (p->residual.data, p->residual.wide, v * LANES));
    sum = bf16_finish (sum, p->after, p->first + v * LANES);
    if (left >= LANES)
      store (p->c.data, p->c.wide, v * LANES, sum);
    else if (left > 0)
      store_some (p->c.data, p->c.wide, v * LANES, sum, left);
  }
}

BF16 static void
row (const PareBfloatProduct *p)
{
  if (p->width == LANES)
    row_of (p, 1);
  else if (p->width == 2 * LANES)
    row_of (p, 2);
  else if (p->width == 3 * LANES)
    row_of (p, 3);
  else
    row_of (p, 4);
}

/* --- Winograd's transforms --- */

#include "engine/accel/pare-accel-winograd-lines.inc.h"

/* Tiles go row by row through each image; the next one of all. */
typedef struct
{
  int64_t across, down, column, row, image; /* in tiles */
} Place;

static Place
place (const PareBfloatWinograd *w, int64_t tile)
{
  Place p = { .across = (w->out[1] + w->m[1] - 1) / w->m[1], .down = (w->out[0] + w->m[0] - 1) / w->m[0] };
  p.column = tile % p.across;
  p.row = tile / p.across % p.down;
  p.image = tile / p.across / p.down;
  return p;
}

static void
next (Place *p)
{
  if (++p->column < p->across)
    return;
  p->column = 0;
  if (++p->row < p->down)
    return;
  p->row = 0;
  p->image++;
}

/* One block of channels of one tile; rows and columns outside are 0. */
BF16 INLINE void
in_tile (const uint16_t *src, int64_t x_row, int64_t pitch, int from_row, int end_row, int from, int end, uint16_t *dst, int64_t apart,
         const int m0, const int m1, const bool inside)
{
  const int tall = m0 + 2, wide = m1 + 2;
  __m512 d[6], half[36], all[6];
  UNROLL for (int i = 0; i < tall; i++)
  {
    UNROLL for (int j = 0; j < wide; j++) d[j]
        = inside || (i >= from_row && i < end_row && j >= from && j < end) ? widen (src + i * pitch + j * x_row) : _mm512_setzero_ps ();
    NAME (in_1d) (m1, d, half + i * wide, 1);
  }
  UNROLL for (int j = 0; j < wide; j++)
  {
    UNROLL for (int i = 0; i < tall; i++) d[i] = half[i * wide + j];
    NAME (in_1d) (m0, d, all, 1);
    UNROLL for (int i = 0; i < tall; i++) narrow (dst + (i * wide + j) * apart, all[i]);
  }
}

BF16 INLINE void
in_tiles (const PareBfloatWinograd *w, const uint16_t *x, int64_t first, int64_t n, uint16_t *to, int64_t apart, const int m0, const int m1)
{
  Place p = place (w, first);
  const int tall = m0 + 2, wide = m1 + 2;
  int64_t x_row = w->x_row, pitch = w->in[1] * x_row;
  for (int64_t t = 0; t < n; t++, next (&p))
    {
      int64_t row = p.row * m0 - w->pad[0], column = p.column * m1 - w->pad[1];
      int from_row = row < 0 ? (int)-row : 0, from = column < 0 ? (int)-column : 0;
      int end_row = row + tall > w->in[0] ? (int)(w->in[0] - row) : tall, end = column + wide > w->in[1] ? (int)(w->in[1] - column) : wide;
      const uint16_t *at = x + p.image * w->x_image + (row * w->in[1] + column) * x_row;
      bool inside = from_row == 0 && end_row == tall && from == 0 && end == wide;
      for (int64_t block = 0; block < w->k / LANES; block++)
        if (inside)
          in_tile (at + block * w->x_block, x_row, pitch, 0, 0, 0, 0, to + (block * n + t) * LANES, apart, m0, m1, true);
        else
          in_tile (at + block * w->x_block, x_row, pitch, from_row, end_row, from, end, to + (block * n + t) * LANES, apart, m0, m1, false);
    }
}

/* One block of channels of one tile; of results outside nothing is stored. */
BF16 INLINE void
out_tile (const PareBfloatWinograd *w, const float *src, int64_t apart, int64_t to, int64_t channel, int64_t end_row, int64_t end, void *y,
          const void *residual, const int m0, const int m1, const bool whole)
{
  const int tall = m0 + 2, wide = m1 + 2;
  int64_t y_row = w->y_row, pitch = w->out[1] * y_row;
  const PareAfter *after = &w->after;
  __m512 d[6], half[24], all[4], bias = _mm512_loadu_ps (w->bias + channel);
  UNROLL for (int j = 0; j < wide; j++)
  {
    UNROLL for (int i = 0; i < tall; i++) d[i] = _mm512_loadu_ps (src + (i * wide + j) * apart);
    NAME (out_1d) (m0, d, half + j, wide);
  }
  UNROLL for (int i = 0; i < m0; i++, to += pitch)
  {
    if (!whole && i >= end_row)
      break;
    NAME (out_1d) (m1, half + i * wide, all, 1);
    UNROLL for (int j = 0; j < m1; j++) all[j] = ADD (all[j], bias);
    if (residual)
      {
        UNROLL for (int j = 0; j < m1; j++) if (whole || j < end) all[j] = ADD (all[j], load (residual, w->wide_residual, to + j * y_row));
      }
    if (after->kind != PARE_ACT_NONE)
      {
        UNROLL for (int j = 0; j < m1; j++) all[j] = finish (all[j], after, channel, w->wide);
      }
    UNROLL for (int j = 0; j < m1; j++) if (whole || j < end) store (y, w->wide, to + j * y_row, all[j]);
  }
}

BF16 INLINE void
out_tiles (const PareBfloatWinograd *w, const float *v, int64_t apart, int64_t first, int64_t n, int64_t at, int width, void *y,
           const void *residual, const int m0, const int m1)
{
  Place p = place (w, first);
  int64_t y_row = w->y_row;
  for (int64_t t = 0; t < n; t++, next (&p))
    {
      int64_t row = p.row * m0, column = p.column * m1, end_row = w->out[0] - row, end = w->out[1] - column;
      int64_t to = p.image * w->y_image + (row * w->out[1] + column) * y_row + at / LANES * w->y_block;
      for (int c = 0; c < width; c += LANES, to += w->y_block)
        {
          const float *src = v + (c / LANES * n + t) * LANES;
          if (end_row >= m0 && end >= m1)
            out_tile (w, src, apart, to, at + c, m0, m1, y, residual, m0, m1, true);
          else
            out_tile (w, src, apart, to, at + c, end_row, end, y, residual, m0, m1, false);
        }
    }
}

BF16 INLINE void
weights_panel (const float *weights, const float *factor, int64_t k, int width, uint16_t *to, const int m0, const int m1)
{
  const int tall = m0 + 2, wide = m1 + 2;
  for (int64_t c = 0; c < k; c++)
    for (int n = 0; n < width; n += LANES)
      {
        float taps[9][LANES];
        uint16_t rounded[LANES];
        __m512 g[3], half[18], all[6];
        for (int l = 0; l < LANES; l++)
          for (int t = 0; t < 9; t++)
            taps[t][l] = weights[((n + l) * k + c) * 9 + t] * (factor ? factor[n + l] : 1);
        for (int i = 0; i < 3; i++)
          {
            UNROLL for (int j = 0; j < 3; j++) g[j] = _mm512_loadu_ps (taps[i * 3 + j]);
            NAME (weights_1d) (m1, g, half + i * wide, 1);
          }
        for (int j = 0; j < wide; j++)
          {
            UNROLL for (int i = 0; i < 3; i++) g[i] = half[i * wide + j];
            NAME (weights_1d) (m0, g, all, 1);
            for (int i = 0; i < tall; i++)
              {
                uint16_t *at = to + (((i * wide + j) * (k / 2) + c / 2) * width + n) * 2 + c % 2;
                narrow (rounded, all[i]);
                for (int l = 0; l < LANES; l++)
                  at[2 * l] = rounded[l];
              }
          }
      }
}

/* Each of the tiles there are. */
#define FOR_TILES(m, CALL)                                                                                                                 \
  do                                                                                                                                       \
    {                                                                                                                                      \
      if ((m)[0] == 4 && (m)[1] == 4)                                                                                                      \
        CALL (4, 4);                                                                                                                       \
      else if ((m)[0] == 4)                                                                                                                \
        CALL (4, 2);                                                                                                                       \
      else if ((m)[1] == 4)                                                                                                                \
        CALL (2, 4);                                                                                                                       \
      else                                                                                                                                 \
        CALL (2, 2);                                                                                                                       \
    }                                                                                                                                      \
  while (0)

BF16 static void
winograd_in (const PareBfloatWinograd *w, const uint16_t *x, int64_t first, int64_t n, uint16_t *v, int64_t apart)
{
#define IN(M0, M1) in_tiles (w, x, first, n, v, apart, M0, M1)
  FOR_TILES (w->m, IN);
}

BF16 static void
winograd_out (const PareBfloatWinograd *w, const float *sums, int64_t apart, int64_t first, int64_t n, int64_t at, int width, void *y,
              const void *residual)
{
#define OUT(M0, M1) out_tiles (w, sums, apart, first, n, at, width, y, residual, M0, M1)
  FOR_TILES (w->m, OUT);
}

BF16 static void
winograd_weights (const float *weights, const float *factor, int64_t n, int64_t k, const int m[2], uint16_t *to)
{
  int64_t at;
  int width;
  for (int64_t i = 0; (width = pare_accel_bfloat_panel (n, i, &at)) > 0; i++)
    {
      const float *from = weights + at * k * 9, *factors = factor ? factor + at : NULL;
      uint16_t *panel = to + at * k * (m[0] + 2) * (m[1] + 2);
#define WEIGHTS(M0, M1) weights_panel (from, factors, k, width, panel, M0, M1)
      FOR_TILES (m, WEIGHTS);
    }
}

#define VECTORS .series = series, .row = row, .winograd_in = winograd_in, .winograd_out = winograd_out, .winograd_weights = winograd_weights

const PareBfloats *
pare_accel_bfloats (void)
{
  static const PareBfloats bfloats = { .product = product, VECTORS };
  static int known; /* kernels ask in every run, and oneDNN takes its time to answer */
  int has = __atomic_load_n (&known, __ATOMIC_RELAXED);
  if (has == 0)
    {
      has = pare_accel_has_bf16 () && __builtin_cpu_supports ("avx512bf16") && __builtin_cpu_supports ("avx512bw")
                    && __builtin_cpu_supports ("avx512vl") && __builtin_cpu_supports ("avx512dq")
                ? 1
                : -1;
      __atomic_store_n (&known, has, __ATOMIC_RELAXED);
    }
  return has > 0 ? &bfloats : NULL;
}

const PareBfloats *
pare_accel_bfloats_for (int64_t rows)
{
  static const PareBfloats tiles = { .product = pare_accel_tiles_product, .panels = pare_accel_tiles_panels, VECTORS };
  const PareBfloats *bfloats = pare_accel_bfloats ();
  return bfloats && rows >= LEAST_ROWS && pare_accel_has_amx () ? &tiles : bfloats;
}
#else
const PareBfloats *
pare_accel_bfloats (void)
{
  return NULL;
}

const PareBfloats *
pare_accel_bfloats_for (int64_t rows)
{
  return NULL;
}
#endif
