/* One instruction set's float kernels. The includer defines NAME(x), LANES (8 or 16), VEC, TARGET and the operations on vectors. */
#define UNROLL _Pragma ("GCC unroll 16")
#define INLINE static inline __attribute__ ((always_inline))
#define AHEAD 4096 /* floats: columns are fetched so far ahead, for many come from memory */
#define PER_BLOCK (PARE_BLOCK / LANES)
#define MAX_WIDTH (LANES == 16 ? 64 : 16)

#include "engine/accel/pare-accel-floats-after.inc.h"

/* How a tile walks through a: by taps, in blocks, or in blocks that lie one behind the other while the next columns are fetched. */
#define TAPPED 0
#define BLOCKED 1
#define FLOWING 2

/* `rows` rows by `vecs` vectors. */
TARGET INLINE void
NAME (tile) (const PareProduct *p, int64_t row, const int rows, const int vecs, const int walk)
{
  const int64_t a_row = p->a_row;
  const float *a = p->a + row * a_row, *b = p->b;
  VEC acc[14][4];
  UNROLL for (int v = 0; v < vecs; v++)
  {
    VEC s = p->bias ? LOAD (p->bias + v * LANES) : ALL (0);
    UNROLL for (int r = 0; r < rows; r++) acc[r][v] = s;
  }
  if (walk == FLOWING)
    {
      const char *next = (const char *)(p->next + p->n_next * row / p->rows);
      const int64_t apart = p->n_next * (int64_t)sizeof (float) * rows / (p->rows * p->k) + 1;
      for (int64_t k = 0; k < p->k; k++, b += vecs * LANES, next += apart)
        {
          VEC w[4];
          UNROLL for (int v = 0; v < vecs; v++) w[v] = LOAD (b + v * LANES);
          __builtin_prefetch (next, 0, 2);
          UNROLL for (int r = 0; r < rows; r++)
          {
            VEC s = ALL (a[r * a_row + k]);
            UNROLL for (int v = 0; v < vecs; v++) acc[r][v] = FMA (w[v], s, acc[r][v]);
          }
        }
    }
  for (int64_t k = 0; walk == TAPPED && k < p->k; k++, b += vecs * LANES)
    {
      const float *from = a + p->taps[k];
      VEC w[4];
      UNROLL for (int v = 0; v < vecs; v++) w[v] = LOAD (b + v * LANES);
      UNROLL for (int r = 0; r < rows; r++)
      {
        VEC s = ALL (from[r * a_row]);
        UNROLL for (int v = 0; v < vecs; v++) acc[r][v] = FMA (w[v], s, acc[r][v]);
      }
    }
  for (int64_t k = p->k; walk == BLOCKED && k > 0; k -= PARE_BLOCK, a += p->a_block)
    {
      int64_t some = k < PARE_BLOCK ? k : PARE_BLOCK;
      for (int64_t i = 0; i < some; i++, b += vecs * LANES)
        {
          VEC w[4];
          UNROLL for (int v = 0; v < vecs; v++) w[v] = LOAD (b + v * LANES);
          UNROLL for (int v = 0; v < vecs; v += PER_BLOCK) __builtin_prefetch (b + AHEAD + v * LANES);
          UNROLL for (int r = 0; r < rows; r++)
          {
            VEC s = ALL (a[r * a_row + i]);
            UNROLL for (int v = 0; v < vecs; v++) acc[r][v] = FMA (w[v], s, acc[r][v]);
          }
        }
    }
#define EACH UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vecs; v++)
#define AT (r * p->c_row + v / PER_BLOCK * p->c_block + v % PER_BLOCK * LANES)
  const float *more = p->residual ? p->residual + row * p->c_row : NULL;
  float *c = p->c + row * p->c_row;
  const bool whole = p->columns == vecs * LANES;
  const int last = p->columns % LANES; /* of the vector that has some */
  if (more && whole)
    {
      EACH acc[r][v] = ADD (acc[r][v], LOAD (more + AT));
    }
  else if (more)
    {
      EACH if ((v + 1) * LANES <= p->columns) acc[r][v] = ADD (acc[r][v], LOAD (more + AT));
      else if (v * LANES < p->columns) acc[r][v] = ADD (acc[r][v], LOAD_SOME (more + AT, last));
    }
  const PareActivation kind = p->after ? p->after->kind : PARE_ACT_NONE;
  if (kind == PARE_ACT_CLIP)
    {
      const float *lo = p->after->lo + p->first, *hi = p->after->hi + p->first;
      UNROLL for (int v = 0; v < vecs; v++)
      {
        VEC least = LOAD (lo + v * LANES), most = LOAD (hi + v * LANES);
        UNROLL for (int r = 0; r < rows; r++) acc[r][v] = SMALLER (most, LARGER (least, acc[r][v]));
      }
    }
  else if (kind == PARE_ACT_LEAKY)
    {
      VEC alpha = ALL (p->after->alpha);
      EACH acc[r][v] = FMA (SMALLER (ALL (0), acc[r][v]), alpha, LARGER (ALL (0), acc[r][v]));
    }
  if (whole)
    {
      EACH STORE (c + AT, acc[r][v]);
    }
  else
    {
      EACH if ((v + 1) * LANES <= p->columns) STORE (c + AT, acc[r][v]);
      else if (v * LANES < p->columns) STORE_SOME (c + AT, acc[r][v], last);
    }
  if (kind > PARE_ACT_LEAKY)
    NAME (activate) (c, p->c_row, p->c_block, rows, p->columns, kind);
#undef EACH
#undef AT
}

#define TILE(ROWS, VECS)                                                                                                                   \
  TARGET static void NAME (tile##ROWS##x##VECS) (const PareProduct *p, int64_t row)                                                        \
  {                                                                                                                                        \
    if (p->taps)                                                                                                                           \
      NAME (tile) (p, row, ROWS, VECS, TAPPED);                                                                                            \
    else if (p->next && VECS == MAX_WIDTH / LANES)                                                                                         \
      NAME (tile) (p, row, ROWS, VECS, FLOWING);                                                                                           \
    else                                                                                                                                   \
      NAME (tile) (p, row, ROWS, VECS, BLOCKED);                                                                                           \
  }
#define TILES_6(V) TILE (1, V) TILE (2, V) TILE (3, V) TILE (4, V) TILE (5, V) TILE (6, V)
#define TILES_8(V) TILES_6 (V) TILE (7, V) TILE (8, V)
#define TILES_12(V) TILES_8 (V) TILE (9, V) TILE (10, V) TILE (11, V) TILE (12, V)
#define TILES_14(V) TILES_12 (V) TILE (13, V) TILE (14, V)
#define NAMES_6(V) NAME (tile1x##V), NAME (tile2x##V), NAME (tile3x##V), NAME (tile4x##V), NAME (tile5x##V), NAME (tile6x##V)
#define NAMES_8(V) NAMES_6 (V), NAME (tile7x##V), NAME (tile8x##V)
#define NAMES_12(V) NAMES_8 (V), NAME (tile9x##V), NAME (tile10x##V), NAME (tile11x##V), NAME (tile12x##V)
#define NAMES_14(V) NAMES_12 (V), NAME (tile13x##V), NAME (tile14x##V)
#define MOST_TILES 14
typedef void NAME (tile_t) (const PareProduct *p, int64_t row);
/* As many sums as the registers hold beside a row of columns and one value of a. By blocks of columns, then rows. */
#if LANES == 16
/* clang-format off */
TILES_14 (1) TILES_12 (2) TILES_8 (3) TILES_6 (4)
    /* clang-format on */
    static NAME (tile_t) *const NAME (tiles)[][MOST_TILES]
    = { { NAMES_14 (1) }, { NAMES_12 (2) }, { NAMES_8 (3) }, { NAMES_6 (4) } };
static const int NAME (most_rows)[] = { 14, 12, 8, 6 };
#else
/* clang-format off */
TILES_6 (2)
/* clang-format on */
static NAME (tile_t) *const NAME (tiles)[][MOST_TILES] = { { NAMES_6 (2) } };
static const int NAME (most_rows)[] = { 6 };
#endif

static void
NAME (product) (const PareProduct *p)
{
  int64_t most = NAME (most_rows)[p->width / PARE_BLOCK - 1], tiles = (p->rows + most - 1) / most, row = 0;
  for (int64_t i = 0; i < tiles; i++) /* about equal ones: few rows keep the arithmetic waiting */
    {
      int64_t end = p->rows * (i + 1) / tiles;
      NAME (tiles)[p->width / PARE_BLOCK - 1][end - row - 1](p, row);
      row = end;
    }
}

#include "engine/accel/pare-accel-floats-depthwise.inc.h"
#if LANES == PARE_BLOCK
#include "engine/accel/pare-accel-floats-grouped.inc.h"
#endif
#include "engine/accel/pare-accel-floats-planes.inc.h"
#include "engine/accel/pare-accel-winograd-lines.inc.h"

/* Where tile i of all lies: its image and its first row and column of results. */
INLINE void
NAME (place) (const PareWinograd *w, int64_t tile, int64_t *image, int64_t *row, int64_t *column)
{
  int64_t across = (w->out[1] + w->m - 1) / w->m, down = (w->out[0] + w->m - 1) / w->m;
  *column = tile % across * w->m;
  *row = tile / across % down * w->m;
  *image = tile / across / down;
}

TARGET INLINE void
NAME (in_tiles) (const PareWinograd *w, const float *x, int64_t first, int64_t n, float *to, int64_t apart, const int m)
{
  const int size = m + 2;
  for (int64_t t = 0; t < n; t++)
    {
      int64_t image, row, column;
      NAME (place) (w, first + t, &image, &row, &column);
      row -= w->pad[0];
      column -= w->pad[1];
      int from_row = row < 0 ? (int)-row : 0, from = column < 0 ? (int)-column : 0;
      int end_row = row + size > w->in[0] ? (int)(w->in[0] - row) : size, end = column + size > w->in[1] ? (int)(w->in[1] - column) : size;
      bool inside = from_row == 0 && end_row == size && from == 0 && end == size;
      const float *at = x + image * w->x_image + (row * w->in[1] + column) * w->x_row;
      int64_t x_row = w->x_row, pitch = w->in[1] * x_row;
      for (int64_t block = 0; block < w->k / PARE_BLOCK; block++)
        _Pragma ("GCC unroll 2") for (int part = 0; part < PER_BLOCK; part++)
        {
          const float *src = at + block * w->x_block + part * LANES;
          float *dst = to + (block * n + t) * PARE_BLOCK + part * LANES;
          VEC d[6], half[36], all[6];
          if (inside)
            for (int i = 0; i < size; i++, src += pitch)
              {
                UNROLL for (int j = 0; j < size; j++) d[j] = LOAD (src + j * x_row);
                NAME (in_1d) (m, d, half + i * size, 1);
              }
          else
            for (int i = 0; i < size; i++, src += pitch)
              {
                UNROLL for (int j = 0; j < size; j++) d[j]
                    = i >= from_row && i < end_row && j >= from && j < end ? LOAD (src + j * x_row) : ALL (0);
                NAME (in_1d) (m, d, half + i * size, 1);
              }
          for (int j = 0; j < size; j++)
            {
              UNROLL for (int i = 0; i < size; i++) d[i] = half[i * size + j];
              NAME (in_1d) (m, d, all, 1);
              UNROLL for (int i = 0; i < size; i++) STORE (dst + (i * size + j) * apart, all[i]);
            }
        }
    }
}

TARGET static void
NAME (winograd_in) (const PareWinograd *w, const float *x, int64_t first, int64_t n, float *v, int64_t apart)
{
  if (w->m == 2)
    NAME (in_tiles) (w, x, first, n, v, apart, 2);
  else
    NAME (in_tiles) (w, x, first, n, v, apart, 4);
}

TARGET INLINE void
NAME (out_tiles) (const PareWinograd *w, const float *v, int64_t apart, int64_t first, int64_t n, int64_t at, int width, float *y,
                  const float *residual, const int m)
{
  const int size = m + 2;
  int64_t y_row = w->y_row, pitch = w->out[1] * y_row;
  for (int64_t t = 0; t < n; t++)
    {
      int64_t image, row, column;
      NAME (place) (w, first + t, &image, &row, &column);
      int end_row = row + m > w->out[0] ? (int)(w->out[0] - row) : m, end = column + m > w->out[1] ? (int)(w->out[1] - column) : m;
      int64_t pixel = image * w->y_image + (row * w->out[1] + column) * y_row;
      for (int c = 0; c < width; c += LANES)
        {
          const float *src = v + (c / PARE_BLOCK * n + t) * PARE_BLOCK + c % PARE_BLOCK;
          int64_t to = pixel + (at + c) / PARE_BLOCK * w->y_block + c % PARE_BLOCK;
          VEC d[6], half[24], all[4], bias = LOAD (w->bias + at + c);
          for (int j = 0; j < size; j++)
            {
              UNROLL for (int i = 0; i < size; i++) d[i] = LOAD (src + (i * size + j) * apart);
              NAME (out_1d) (m, d, half + j, size);
            }
          for (int i = 0; i < end_row; i++, to += pitch)
            {
              NAME (out_1d) (m, half + i * size, all, 1);
              UNROLL for (int j = 0; j < m; j++) if (j < end)
              {
                VEC z = ADD (all[j], bias);
                if (residual)
                  z = ADD (z, LOAD (residual + to + j * y_row));
                STORE (y + to + j * y_row, NAME (finish) (z, &w->after, at + c));
              }
            }
        }
    }
}

TARGET static void
NAME (winograd_out) (const PareWinograd *w, const float *v, int64_t apart, int64_t first, int64_t n, int64_t at, int width, float *y,
                     const float *residual)
{
  if (w->m == 2)
    NAME (out_tiles) (w, v, apart, first, n, at, width, y, residual, 2);
  else
    NAME (out_tiles) (w, v, apart, first, n, at, width, y, residual, 4);
}

TARGET INLINE void
NAME (weights_panel) (const float *weights, const float *factor, int64_t k, int width, float *to, const int m)
{
  const int size = m + 2;
  for (int64_t c = 0; c < k; c++)
    for (int n = 0; n < width; n += LANES)
      {
        float taps[9][LANES];
        VEC g[3], half[18], all[6];
        for (int l = 0; l < LANES; l++)
          for (int t = 0; t < 9; t++)
            taps[t][l] = weights[((n + l) * k + c) * 9 + t] * (factor ? factor[n + l] : 1);
        for (int i = 0; i < 3; i++)
          {
            UNROLL for (int j = 0; j < 3; j++) g[j] = LOAD (taps[i * 3 + j]);
            NAME (weights_1d) (m, g, half + i * size, 1);
          }
        for (int j = 0; j < size; j++)
          {
            UNROLL for (int i = 0; i < 3; i++) g[i] = half[i * size + j];
            NAME (weights_1d) (m, g, all, 1);
            UNROLL for (int i = 0; i < size; i++) STORE (to + ((i * size + j) * k + c) * width + n, all[i]);
          }
      }
}

static const PareFloats NAME (floats);

TARGET static void
NAME (winograd_weights) (const float *weights, const float *factor, int64_t n, int64_t k, int m, float *to)
{
  int64_t at;
  int width;
  for (int64_t i = 0; (width = pare_accel_panel (&NAME (floats), n, i, &at)) > 0; i++)
    if (m == 2)
      NAME (weights_panel) (weights + at * k * 9, factor ? factor + at : NULL, k, width, to + at * k * 16, 2);
    else
      NAME (weights_panel) (weights + at * k * 9, factor ? factor + at : NULL, k, width, to + at * k * 36, 4);
}

TARGET INLINE void
NAME (affine_as) (const PareAffineRows *a, const bool clip)
{
  const VEC lo = ALL (a->lo), hi = ALL (a->hi);
  for (int64_t p = 0; p < a->pixels; p++)
    for (int64_t c = 0; c < a->columns; c += LANES)
      {
        int64_t at = p * a->pixel + c, left = a->columns - c;
        VEC x = left >= LANES ? LOAD (a->x + at) : LOAD_SOME (a->x + at, (int)left),
            z = FMA (x, LOAD (a->factor + c), LOAD (a->offset + c));
        if (clip)
          z = SMALLER (hi, LARGER (lo, z));
        if (left >= LANES)
          STORE (a->y + at, z);
        else
          STORE_SOME (a->y + at, z, (int)left);
      }
}

TARGET static void
NAME (affine) (const PareAffineRows *a)
{
  if (a->clip)
    NAME (affine_as) (a, true);
  else
    NAME (affine_as) (a, false);
}

static const PareFloats NAME (floats) = {
  .width = MAX_WIDTH,
  .product = NAME (product),
  .depthwise = NAME (depthwise),
#if LANES == PARE_BLOCK
  .grouped = NAME (grouped),
#endif
  .planes = MOST_PLANES,
  .plane = NAME (plane),
  .affine = NAME (affine),
  .winograd_in = NAME (winograd_in),
  .winograd_out = NAME (winograd_out),
  .winograd_weights = NAME (winograd_weights),
};
#undef UNROLL
#undef INLINE
#undef PER_BLOCK
#undef TILE
#undef MAX_WIDTH
#undef TILES_6
#undef TILES_8
#undef TILES_12
#undef TILES_14
#undef NAMES_6
#undef NAMES_8
#undef NAMES_12
#undef NAMES_14
#undef MOST_TILES
#undef MOST_PLANES
#undef AHEAD
#undef TAPPED
#undef BLOCKED
#undef FLOWING
#undef NAME
#undef LANES
#undef VEC
#undef TARGET
#undef LOAD
#undef STORE
#undef LOAD_SOME
#undef STORE_SOME
#undef ALL
#undef ADD
#undef SUB
#undef MUL
#undef FMA
#undef FNMA
#undef LARGER
#undef SMALLER
#undef DIV
#undef TO_RANGE
#undef FRACTION
#undef TIMES_2_TO
