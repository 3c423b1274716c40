/* Products of a few rows, as attention makes them: b's panels are of nearly the same width, so that none is left with few columns, and
 * rows of a are read as they lie, since there are not enough panels to pay for packing them. Every output is summed in the order of k. */
#include "engine/runtime/kernels/move.h"
#include "engine/runtime/kernels/tile.h"

#define DEPTH 512 /* of a panel that stays in the cache */

/* Vectors of the panel that begins where `left` columns are left. */
static int
panel_vectors (const PareRtIsa *isa, int64_t left)
{
  int64_t vectors = (left + isa->lanes - 1) / isa->lanes, most = isa->vectors;
  return (int)(vectors >= 2 * most ? most : vectors > most ? (vectors + 1) / 2 : vectors);
}

int64_t
pare_rt_small_columns (int64_t n)
{
  return (n + PARE_RT_MAX_LANES - 1) / PARE_RT_MAX_LANES * PARE_RT_MAX_LANES;
}

PARE_RT_CLONES static void
pack_rows (const float *b, int64_t rsb, int64_t k, int64_t w, int64_t width, float *to)
{
  for (int64_t p = 0; p < k; p++, to += width)
    {
      for (int64_t x = 0; x < w; x++)
        to[x] = b[p * rsb + x];
      for (int64_t x = w; x < width; x++)
        to[x] = 0;
    }
}

/* b's columns are rows in memory. */
static void
pack_columns (const float *b, int64_t rsb, int64_t csb, int64_t k, int64_t w, int64_t width, float *to)
{
  const int64_t size = sizeof (float), dims[2] = { k, w }, from[2] = { rsb * size, csb * size }, turned[2] = { width * size, size };
  pare_rt_move (2, dims, b, from, to, turned, size);
  for (int64_t p = 0; w < width && p < k; p++)
    memset (to + p * width + w, 0, (size_t)((width - w) * size));
}

uint64_t
pare_rt_small_pack (int64_t n, int64_t k, const float *b, int64_t rsb, int64_t csb, float *to)
{
  const PareRtIsa *isa = pare_rt_isa ();
  int64_t floats = 0, width;
  for (int64_t j = 0; j < n; j += width)
    {
      width = panel_vectors (isa, n - j) * isa->lanes;
      int64_t w = n - j < width ? n - j : width;
      if (to && csb == 1)
        pack_rows (b + j, rsb, k, w, width, to + floats);
      else if (to)
        pack_columns (b + j * csb, rsb, csb, k, w, width, to + floats);
      floats += k * width;
    }
  return (uint64_t)floats * sizeof (float);
}

/* Rows of a tile: as equal as they can be. */
static void
panel_product (const PareRtIsa *isa, PareRtDirect *t, int64_t m, int vectors, const float *a, float *c, int64_t ldc)
{
  int64_t tiles = (m + isa->rows - 1) / isa->rows;
  for (int64_t i = 0; i < tiles; i++)
    {
      int64_t first = m * i / tiles, rows = m * (i + 1) / tiles - first;
      t->a = a + first * t->lda;
      t->c = c + first * ldc;
      t->ldc = ldc;
      isa->direct[rows - 1][vectors - 1](t);
    }
}

void
pare_rt_small_product (int64_t m, int64_t n, int64_t k, int64_t depth, int64_t limit, const float *a, int64_t lda, const float *packed,
                       float *c, int64_t ldc, bool room)
{
  const PareRtIsa *isa = pare_rt_isa ();
  float apart[PARE_RT_TILE_ROWS * PARE_RT_TILE_VECTORS * PARE_RT_MAX_LANES] __attribute__ ((aligned (64)));
  int64_t width, end = limit > 0 && limit < n ? limit : n;
  for (int64_t j = 0; j < end; j += width)
    {
      int vectors = panel_vectors (isa, n - j);
      width = vectors * isa->lanes;
      bool fits = j + width <= n || room;
      for (int64_t p = 0; p < k; p += DEPTH)
        {
          PareRtDirect t = { .b = packed + j * depth + p * width, .lda = lda, .k = k - p < DEPTH ? k - p : DEPTH, .add = p > 0 };
          if (fits)
            {
              panel_product (isa, &t, m, vectors, a + p, c + j, ldc);
              continue;
            }
          for (int64_t i = 0; i < m; i += isa->rows)
            {
              int64_t rows = m - i < isa->rows ? m - i : isa->rows, bytes = (n - j) * (int64_t)sizeof (float);
              memset (apart, 0, sizeof apart);
              for (int64_t r = 0; t.add && r < rows; r++)
                memcpy (apart + r * width, c + (i + r) * ldc + j, (size_t)bytes);
              panel_product (isa, &t, rows, vectors, a + i * lda + p, apart, width);
              for (int64_t r = 0; r < rows; r++)
                memcpy (c + (i + r) * ldc + j, apart + r * width, (size_t)bytes);
            }
        }
    }
}
