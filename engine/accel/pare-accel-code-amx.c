/* The same convolutions and products of codes on the matrix unit: a tile has the windows of up to 16 pixels, 64 bytes of each at a time.
 * Pixels that lie one behind the other are read where they are; other windows are copied, once for all output channels. */
#include "engine/accel/pare-accel-amx.h"
#include "engine/accel/pare-accel-code-tiles.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__) && defined(__linux__)
#include "engine/accel/pare-accel-code-after.inc.h"

#define AMX __attribute__ ((target ("amx-tile,amx-int8,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define ROWS 16                                       /* of a tile */
#define GROUPS (PARE_TILE_PIXELS / PARE_MATRIX_LEAST) /* pairs of tiles, of no fewer pixels, in a chunk */

/* Windows of two tiles. */
typedef struct
{
  const uint8_t *x;
  int64_t pitch; /* bytes from one to the next */
} Group;

/* What is stored of sums that lie in memory. */
VNNI INLINE void
store_rows (const PareTileConv *s, const Tile *t, const __m512i (*sum)[4], int rows, const int nv)
{
  __m512 scale[4], x[4] = { nothing, nothing, nothing, nothing };
  for (int v = 0; v < nv; v++)
    scale[v] = _mm512_loadu_ps (s->scale + t->channel + v * 16);
#define EACH(what)                                                                                                                         \
  for (int r = 0; r < rows; r++)                                                                                                           \
    {                                                                                                                                      \
      UNROLL for (int v = 0; v < nv; v++) x[v] = _mm512_mul_ps (_mm512_cvtepi32_ps (sum[r][v]), scale[v]);                                 \
      what;                                                                                                                                \
    }
  if (s->result == PARE_TILE_PLAIN)
    {
      __m512i zero = _mm512_set1_epi16 ((int16_t)s->zero);
      EACH (plain (_mm512_cvtps_epi32 (x[0]), _mm512_cvtps_epi32 (x[1]), _mm512_cvtps_epi32 (x[2]), _mm512_cvtps_epi32 (x[3]), zero,
                   t->y + r * s->y_pixel, t->mask, nv))
    }
  else if (s->result == PARE_TILE_TWICE)
    EACH (relay (x[0], x[1], x[2], x[3], s, t, r, nv))
  else
    EACH (added (x[0], x[1], x[2], x[3], s, t, r, nv))
#undef EACH
}

/* What is stored of sums that are added to bytes of 0..255, all of four vectors, with what is the same for all rows at hand: that takes
 * twice as long as anything else that is stored. What is added to `up`, of which a unit in the last place is one, is rounded to even. */
VNNI INLINE void
add_rows (const PareTileConv *s, const Tile *t, const __m512i (*sum)[4], int rows, const bool own_is_b)
{
  const __m512i order = _mm512_setr_epi32 (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m512 least = _mm512_set1_ps (s->least), most = _mm512_set1_ps (s->most), up = _mm512_set1_ps (0x1.8p23f);
  __m512 down = _mm512_set1_ps (0x1.8p23f - (float)s->zero), scale[4];
  __m512 own_ratio = _mm512_set1_ps (own_is_b ? s->add.ratio_b : s->add.ratio_a);
  __m512 other_ratio = _mm512_set1_ps (own_is_b ? s->add.ratio_a : s->add.ratio_b), fixed = _mm512_set1_ps (s->add.fixed);
  __m512i lo = _mm512_set1_epi8 ((char)s->add.lo), hi = _mm512_set1_epi8 ((char)s->add.hi);
  const uint8_t *other = t->other;
  uint8_t *y = t->y;
  int64_t y_pixel = s->y_pixel, other_pixel = s->other_pixel;
  UNROLL for (int v = 0; v < 4; v++) scale[v] = _mm512_loadu_ps (s->scale + t->channel + v * 16);
  for (int r = 0; r < rows; r++, y += y_pixel, other += other_pixel)
    {
      __m512i q[4];
      UNROLL for (int v = 0; v < 4; v++)
      {
        __m512 x = _mm512_mul_ps (_mm512_cvtepi32_ps (sum[r][v]), scale[v]);
        x = _mm512_sub_ps (_mm512_add_ps (_mm512_min_ps (_mm512_max_ps (x, least), most), up), down);
        __m128i bytes = _mm_loadu_si128 ((const __m128i *)(const void *)(other + v * 16));
        __m512 b = _mm512_cvtepi32_ps (_mm512_cvtepu8_epi32 (bytes));
        q[v] = _mm512_cvtps_epi32 (own_is_b ? _mm512_fmadd_ps (x, own_ratio, _mm512_fmadd_ps (b, other_ratio, fixed))
                                            : _mm512_fmadd_ps (b, other_ratio, _mm512_fmadd_ps (x, own_ratio, fixed)));
      }
      __m512i bytes = _mm512_packus_epi16 (_mm512_packs_epi32 (q[0], q[1]), _mm512_packs_epi32 (q[2], q[3]));
      _mm512_storeu_si512 (y, _mm512_permutexvar_epi32 (order, _mm512_min_epu8 (_mm512_max_epu8 (bytes, lo), hi)));
    }
}
VNNI static __attribute__ ((noinline)) void
add_rows_a (const PareTileConv *s, const Tile *t, const __m512i (*sum)[4], int rows)
{
  add_rows (s, t, sum, rows, false);
}
VNNI static __attribute__ ((noinline)) void
add_rows_b (const PareTileConv *s, const Tile *t, const __m512i (*sum)[4], int rows)
{
  add_rows (s, t, sum, rows, true);
}

#define STORE(nv)                                                                                                                          \
  VNNI static __attribute__ ((noinline)) void store_##nv (const PareTileConv *s, const Tile *t, const __m512i (*sum)[4], int rows)         \
  {                                                                                                                                        \
    if (nv == 4 && s->result == PARE_TILE_ADDED && !s->bias && !s->signed_other && !s->signed_y && t->mask == ~(__mmask64)0)               \
      (s->own_is_b ? add_rows_b : add_rows_a) (s, t, sum, rows);                                                                           \
    else if (s->result == PARE_TILE_PLAIN || s->result == PARE_TILE_TWICE || (s->result == PARE_TILE_ADDED && !s->bias))                   \
      store_rows (s, t, sum, rows, nv);                                                                                                    \
    else                                                                                                                                   \
      finish_##nv (s, t, sum, rows);                                                                                                       \
  }
STORE (1)
STORE (2)
STORE (3)
STORE (4)
static void (*const stores[4]) (const PareTileConv *, const Tile *, const __m512i (*)[4], int) = { store_1, store_2, store_3, store_4 };

/* Weights of some vectors of channels. */
typedef struct
{
  const int8_t *w;
  int64_t pitch, pieces, taps; /* bytes from four channels to the next; of 64 bytes of a tap */
  const int64_t *at;           /* where taps begin, from the first on */
  const char *next;            /* weights that are fetched meanwhile, lines of them with every piece */
  int64_t lines;
} Panel;

/* One or two tiles of `rows` pixels by one or two vectors of channels. Sums lie in rows of four vectors. */
AMX INLINE void
multiply (const Group *g, int64_t rows, const Panel *p, const int32_t *init, __m512i (*sum)[4], const bool two_rows, const bool two_vectors,
          const bool is_signed)
{
#define DOT(c, a, b) is_signed ? ({ _tile_dpbssd (c, a, b); }) : ({ _tile_dpbusd (c, a, b); })
  _tile_loadd (0, init, 0); /* the same for each row */
  if (two_vectors)
    _tile_loadd (1, init + 16, 0);
  if (two_rows)
    _tile_loadd (2, init, 0);
  if (two_rows && two_vectors)
    _tile_loadd (3, init + 16, 0);
  const int8_t *w = p->w;
  const char *next = p->next;
  int64_t pitch = p->pitch;
  for (int64_t tap = 0; tap < p->taps; tap++)
    {
      const uint8_t *x = g->x + p->at[tap], *below = x + rows * g->pitch;
      for (int64_t i = 0; i < p->pieces; i++, x += 64, below += 64, w += ROWS * pitch)
        {
          for (int64_t k = 0; k < p->lines; k++, next += 64)
            __builtin_prefetch (next, 0, 2);
          _tile_loadd (4, x, g->pitch);
          _tile_loadd (6, w, pitch);
          DOT (0, 4, 6);
          if (two_vectors)
            {
              _tile_loadd (7, w + 64, pitch);
              DOT (1, 4, 7);
            }
          if (two_rows)
            {
              _tile_loadd (5, below, g->pitch);
              DOT (2, 5, 6);
              if (two_vectors)
                DOT (3, 5, 7);
            }
        }
    }
  _tile_stored (0, sum, sizeof *sum);
  if (two_vectors)
    _tile_stored (1, &sum[0][1], sizeof *sum);
  if (two_rows)
    _tile_stored (2, sum + rows, sizeof *sum);
  if (two_rows && two_vectors)
    _tile_stored (3, &sum[rows][1], sizeof *sum);
#undef DOT
}

#define MULTIPLY(name, two_rows, two_vectors, is_signed)                                                                                   \
  AMX static void name (const Group *g, int64_t rows, const Panel *p, const int32_t *init, __m512i (*sum)[4])                              \
  {                                                                                                                                        \
    multiply (g, rows, p, init, sum, two_rows, two_vectors, is_signed);                                                                    \
  }
MULTIPLY (multiply_1_1_u, false, false, false)
MULTIPLY (multiply_1_2_u, false, true, false)
MULTIPLY (multiply_2_1_u, true, false, false)
MULTIPLY (multiply_2_2_u, true, true, false)
MULTIPLY (multiply_1_1_s, false, false, true)
MULTIPLY (multiply_1_2_s, false, true, true)
MULTIPLY (multiply_2_1_s, true, false, true)
MULTIPLY (multiply_2_2_s, true, true, true)
static void (*const multiplies[2][2][2]) (const Group *, int64_t, const Panel *, const int32_t *, __m512i (*)[4])
    = { { { multiply_1_1_u, multiply_1_2_u }, { multiply_2_1_u, multiply_2_2_u } },
        { { multiply_1_1_s, multiply_1_2_s }, { multiply_2_1_s, multiply_2_2_s } } };

/* The window of one pixel, tap behind tap. */
VNNI INLINE void
copy_window (const PareTileConv *s, const uint8_t *const *at, int64_t ld, int64_t taps, uint8_t *to)
{
  int64_t bytes = s->steps * 4, rest = (s->c - 1) % 64 + 1;
  __mmask64 mask = ~(__mmask64)0 >> (64 - rest);
  for (int64_t tap = 0; tap < taps; tap++, at += ld, to += bytes)
    {
      const uint8_t *x = *at;
      for (int64_t i = 0; i < s->c - rest; i += 64)
        _mm512_storeu_si512 (to + i, _mm512_loadu_si512 (x + i));
      _mm512_storeu_si512 (to + s->c - rest, _mm512_maskz_loadu_epi8 (mask, x + s->c - rest)); /* beyond it is written next, or nobody's */
    }
}

/* Where the windows of n pixels from `first` on lie, in pairs of tiles of `rows`. */
VNNI static void
gather (const PareTileConv *s, const uint8_t *x, uint8_t *scratch, int64_t first, int64_t n, int64_t rows, Group *groups)
{
  const uint8_t *at[PARE_TILE_TABLE];
  int64_t taps = s->k[0] * s->k[1], all = s->images * s->out[0] * s->out[1];
  bool found = false;
  for (int64_t p = 0; p < n; p += 2 * rows, groups++)
    {
      int64_t here = n - p < 2 * rows ? n - p : 2 * rows, read = here > rows ? 2 * rows : rows;
      if (s->flat && (first + p + read - 1) * s->x_pixel + s->terms * 4 <= all * s->x_pixel)
        {
          *groups = (Group){ x + (first + p) * s->x_pixel, s->x_pixel };
          continue;
        }
      if (!found)
        pare_accel_tile_windows (s, x, first, n, at);
      found = true;
      *groups = (Group){ scratch, s->row };
      for (int64_t i = 0; i < here; i++)
        copy_window (s, at + p + i, n, taps, scratch + i * s->row);
      scratch += read * s->row;
    }
}

/* What is the same for all pixels of a block of channels, of which the next one's weights are fetched meanwhile, if they are to be. Returns
 * its vectors. */
static int
begin_block (const PareTileConv *s, int block, int to, int64_t n, int64_t rows, Panel *panel, Tile *t)
{
  int vector, nv, next, next_nv = 0;
  pare_accel_tile_block (s, block, &vector, &nv);
  if (s->streams && block + 1 < to)
    pare_accel_tile_block (s, block + 1, &next, &next_nv);
  int64_t channel = vector * 16, some = s->m - channel < nv * 16 ? s->m - channel : nv * 16;
  int64_t count = (n + 2 * rows - 1) / (2 * rows) * ((nv + 1) / 2); /* of times that the pieces are gone through */
  panel->pitch = nv * 64;
  panel->lines = (ROWS * next_nv + count - 1) / count;
  panel->next = (const char *)s->weights + (vector + nv) * 64 * s->terms;
  *t = (Tile){ .channel = channel, .mask = some < 64 ? ((__mmask64)1 << some) - 1 : ~(__mmask64)0 };
  return nv;
}

/* One or two tiles of pixels by all of a block's channels. */
AMX static void
sum_block (const PareTileConv *s, const Group *g, int64_t rows, bool two_rows, Panel *panel, int64_t channel, int nv, __m512i (*sum)[4])
{
  for (int v = 0; v < nv; v += 2, panel->next += s->terms / ROWS * panel->lines * 64)
    {
      panel->w = s->weights + channel * 4 * s->terms + v * 64;
      multiplies[s->signed_x][two_rows][nv - v > 1](g, rows, panel, s->init + channel + v * 16, (__m512i (*)[4]) & sum[0][v]);
    }
}

AMX static void
run_chunk (const PareTileConv *s, const PareView *args, uint8_t *scratch, int64_t first, int64_t n, int from, int to, int64_t rows)
{
  Group groups[GROUPS];
  const int64_t start = 0;
  __m512i sum[2 * ROWS][4];
  int64_t size = s->result == PARE_TILE_FLOATS ? 4 : 1;
  gather (s, args[0].data, scratch, first, n, rows, groups);
  __asm__ volatile("" ::: "memory"); /* tiles are loaded behind the compiler's back */
  for (int block = from; block < to; block++)
    {
      Panel panel = { .pieces = s->terms / ROWS, .taps = 1, .at = &start };
      Tile t;
      int nv = begin_block (s, block, to, n, rows, &panel, &t);
      for (int64_t p = 0, g = 0; p < n; p += 2 * rows, g++)
        {
          int64_t here = n - p < 2 * rows ? n - p : 2 * rows;
          sum_block (s, &groups[g], rows, here > rows, &panel, t.channel, nv, sum);
          t.y = (uint8_t *)args[1].data + s->y_first + (first + p) * s->y_pixel + t.channel * size;
          if (s->result == PARE_TILE_ADDED)
            t.other = (const uint8_t *)args[2].data + (first + p) * s->other_pixel + t.channel;
          stores[nv - 1](s, &t, (const __m512i (*)[4])sum, (int)here);
        }
    }
}

/* Of places first..first+n-1, what is stored: runs of pixels of one row of an image. */
AMX static void
store_places (const PareTileConv *s, const PareView *args, Tile *t, const __m512i (*sum)[4], int64_t first, int64_t n, int nv)
{
  int64_t size = s->result == PARE_TILE_FLOATS ? 4 : 1, row = first / s->wide, column = first % s->wide, run;
  for (int64_t i = 0; i < n; i += run, row++, column = 0)
    {
      int64_t image = row / s->high, y = row % s->high, some = s->out[1] - column;
      run = s->wide - column < n - i ? s->wide - column : n - i;
      some = some < run ? some : run;
      if (y >= s->out[0] || some <= 0)
        continue;
      int64_t pixel = (image * s->out[0] + y) * s->out[1] + column;
      t->y = (uint8_t *)args[1].data + s->y_first + pixel * s->y_pixel + t->channel * size;
      if (s->result == PARE_TILE_ADDED)
        t->other = (const uint8_t *)args[2].data + pixel * s->other_pixel + t->channel;
      stores[nv - 1](s, t, sum + i, (int)some);
    }
}

/* Places first..first+n-1, whose windows are read where they lie. */
AMX static void
run_places (const PareTileConv *s, const PareView *args, const int64_t *at, int64_t first, int64_t n, int from, int to, int64_t rows)
{
  __m512i sum[2 * ROWS][4];
  int64_t pitch = s->stride[1] * s->x_pixel;
  for (int block = from; block < to; block++)
    {
      Panel panel = { .pieces = s->steps / ROWS, .taps = s->k[0], .at = at };
      Tile t;
      int nv = begin_block (s, block, to, n, rows, &panel, &t);
      for (int64_t p = 0; p < n; p += 2 * rows)
        {
          int64_t here = n - p < 2 * rows ? n - p : 2 * rows;
          const Group g = { (const uint8_t *)args[0].data + (first + p) * pitch, pitch };
          sum_block (s, &g, rows, here > rows, &panel, t.channel, nv, sum);
          store_places (s, args, &t, (const __m512i (*)[4])sum, first + p, here, nv);
        }
    }
}

AMX static void
configure (int64_t rows)
{
  PareAmxTiles tiles = { .palette = 1 };
  for (int i = 0; i < 8; i++)
    {
      tiles.row_bytes[i] = 64;
      tiles.rows[i] = i < 6 ? (uint8_t)rows : ROWS; /* sums and pixels; weights */
    }
  __asm__ volatile("" : : "m"(tiles)); /* all of it is read, which compilers are not told */
  _tile_loadconfig (&tiles);
}

/* The place of a pixel. */
static int64_t
place_of (const PareTileConv *s, int64_t pixel)
{
  int64_t row = pixel / s->out[1];
  return (row / s->out[0] * s->high + row % s->out[0]) * s->wide + pixel % s->out[1];
}

AMX static void
run (const void *params, const PareView *args, int part, int parts)
{
  const PareTileConv *s = params;
  PareTileShare a = pare_accel_tile_share (s, part, parts);
  int64_t at[PARE_PLACE_TAPS];
  if (s->place && a.begin < a.end)
    {
      for (int64_t tap = 0, row = 0; tap < s->k[0]; tap++, row += s->dilation[0])
        at[tap] = row % s->stride[0] * s->plane + row / s->stride[0] * s->x_row;
      a.begin = place_of (s, a.begin);
      a.end = place_of (s, a.end - 1) + 1;
    }
  int64_t most = s->chunk, chunks = (a.end - a.begin + most - 1) / most, before = 0;
  uint8_t *scratch = (uint8_t *)args[3].data + part * s->scratch;
  for (int64_t i = 0; i < chunks; i++)
    {
      int64_t first = a.begin + (a.end - a.begin) * i / chunks, n = a.begin + (a.end - a.begin) * (i + 1) / chunks - first;
      int64_t tiles = (n + ROWS - 1) / ROWS, rows = (n + tiles - 1) / tiles;
      if (rows != before)
        configure (rows);
      before = rows;
      if (s->place)
        run_places (s, args, at, first, n, a.from, a.to, rows);
      else
        run_chunk (s, args, scratch, first, n, a.from, a.to, rows);
    }
  _tile_release ();
}

AMX void
pare_accel_wake_begin (void)
{
  static const PareAmxTiles tiles = { .palette = 1, .row_bytes = { 4, 4, 4 }, .rows = { 1, 1, 1 } };
  _tile_loadconfig (&tiles);
}

AMX void
pare_accel_wake (void)
{
  _tile_dpbusd (0, 1, 2);
}

AMX void
pare_accel_wake_end (void)
{
  _tile_dpbusd (0, 1, 2);
  _tile_release ();
}

PareAccelLoop
pare_accel_loop_matrix (void)
{
  return pare_accel_has_amx () ? run : NULL;
}
#else
void
pare_accel_wake_begin (void)
{
}

void
pare_accel_wake (void)
{
}

void
pare_accel_wake_end (void)
{
}

PareAccelLoop
pare_accel_loop_matrix (void)
{
  return NULL;
}
#endif
