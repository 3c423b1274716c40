/* Attention in bfloat16. Lanes are rows of q: scores of one position lie side by side, so that neither the softmax nor what becomes of it
 * goes across lanes, and weights are pairs of positions where they were computed. What is multiplied lies as pairs in tiles of sixteen
 * rows: [pairs][16]. Where there is a matrix unit, it multiplies keys, row by row, by such pairs of q, and elements of v, which lie as
 * pairs of positions, by the weights; what is between stays the same. Scores are not searched for the largest where their bound, by the
 * norms of rows and positions, says that no power of them leaves what floats hold. */
#include "engine/accel/pare-accel-bfloats.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include "engine/accel/pare-accel-bfloats-lanes.inc.h"

#define LOG2E 1.44269504f
#define BOUND 100.0f       /* of scores as powers of 2: sums of them are neither too large nor too small */
#define BOUND_MASKED 60.0f /* a sum with a large mask may be rounded to twice as much */
#define LARGEST 1e7f       /* beside what is hidden */
#define WIDE 2             /* vectors of rows at most */
#define DEPTH 8            /* elements of v that are summed up at once */

/* Rows become columns. */
BF16 static void
turn (__m512i r[LANES])
{
  __m512i t[LANES];
  UNROLL for (int i = 0; i < LANES; i += 2)
  {
    t[i] = _mm512_unpacklo_epi32 (r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32 (r[i], r[i + 1]);
  }
  UNROLL for (int i = 0; i < LANES; i += 4)
  {
    r[i] = _mm512_unpacklo_epi64 (t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64 (t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64 (t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64 (t[i + 1], t[i + 3]);
  }
  UNROLL for (int i = 0; i < LANES; i += 8) UNROLL for (int j = 0; j < 4; j++)
  {
    t[i + j] = _mm512_shuffle_i32x4 (r[i + j], r[i + j + 4], 0x88);
    t[i + j + 4] = _mm512_shuffle_i32x4 (r[i + j], r[i + j + 4], 0xdd);
  }
  UNROLL for (int j = 0; j < 8; j++)
  {
    r[j] = _mm512_shuffle_i32x4 (t[j], t[j + 8], 0x88);
    r[j + 8] = _mm512_shuffle_i32x4 (t[j], t[j + 8], 0xdd);
  }
}

static int64_t
smaller (int64_t a, int64_t b)
{
  return a < b ? a : b;
}

/* The first n <= 16 elements, zeros behind them. Floats lie on the grid. */
BF16 INLINE __m256i
some (const void *data, bool wide, int64_t at, int64_t n)
{
  __mmask16 mask = (__mmask16)((1u << n) - 1);
  if (wide)
    return (__m256i)_mm512_cvtneps_pbh (_mm512_maskz_loadu_ps (mask, (const float *)data + at));
  return _mm256_maskz_loadu_epi16 (mask, (const uint16_t *)data + at);
}

/* Thirty-two elements, or as many as there are. */
BF16 INLINE __m512i
pairs_of (const PareBfloatOperand *o, int64_t from, int64_t left)
{
  return _mm512_inserti64x4 (_mm512_castsi256_si512 (some (o->data, o->wide, from, left < 0 ? 0 : smaller (left, LANES))),
                             left > LANES ? some (o->data, o->wide, from + LANES, smaller (left - LANES, LANES)) : _mm256_setzero_si256 (),
                             1);
}

/* Tiles of sixteen rows, [pairs][tiles together][16]; rows that are not there are the last one (`repeat`) or zeros. The largest square of a
 * norm. */
BF16 static float
pack_rows (const PareBfloatOperand *o, int64_t at, int64_t rows, int64_t tiles, int64_t depth, bool repeat, int64_t together, uint32_t *all)
{
  int64_t pairs = (depth + 1) / 2;
  __m512 most = ALL (0);
  for (int64_t t = 0; t < tiles; t++)
    {
      __m512 norm = ALL (0);
      uint32_t *to = all + (t / together * pairs * together + t % together) * LANES;
      for (int64_t k = 0; k < pairs; k += LANES)
        {
          __m512i r[LANES];
          for (int i = 0; i < LANES; i++)
            {
              int64_t row = t * LANES + i;
              r[i] = pairs_of (o, at + smaller (row, rows - 1) * o->stride[2] + 2 * k, row < rows || repeat ? depth - 2 * k : 0);
            }
          turn (r);
          for (int64_t i = 0; i < LANES && k + i < pairs; i++, to += together * LANES)
            {
              _mm512_storeu_si512 (to, r[i]);
              norm = _mm512_dpbf16_ps (norm, (__m512bh)r[i], (__m512bh)r[i]);
            }
        }
      most = LARGER (most, norm);
    }
  return _mm512_reduce_max_ps (most);
}

/* Rows as they are, one after the other, and zeros; the same number. */
BF16 static float
pack_lines (const PareBfloatOperand *o, int64_t at, int64_t rows, int64_t tiles, int64_t depth, uint32_t *to)
{
  int64_t pairs = (depth + 1) / 2;
  float most = 0;
  for (int64_t r = 0; r < tiles * LANES; r++)
    {
      __m512 norm = ALL (0);
      for (int64_t k = 0; k < pairs; k += LANES)
        {
          __m512i x = pairs_of (o, at + smaller (r, rows - 1) * o->stride[2] + 2 * k, r < rows ? depth - 2 * k : 0);
          _mm512_mask_storeu_epi32 (to + r * pairs + k, (__mmask16)((1u << smaller (pairs - k, LANES)) - 1), x);
          norm = _mm512_dpbf16_ps (norm, (__m512bh)x, (__m512bh)x);
        }
      float square = _mm512_reduce_add_ps (norm);
      most = square > most || square != square ? square : most;
    }
  return most;
}

/* Pairs of positions: [pairs][width]. */
BF16 INLINE __m512i
two_positions (const PareBfloatOperand *o, int64_t at, int64_t positions, int64_t p, int64_t c, int64_t n)
{
  int64_t from = at + p * o->stride[2] + c, left = c < n ? smaller (n - c, LANES) : 0;
  __m512i even = _mm512_cvtepu16_epi32 (some (o->data, o->wide, from, p < positions ? left : 0));
  __m512i odd = _mm512_cvtepu16_epi32 (some (o->data, o->wide, from + o->stride[2], p + 1 < positions ? left : 0));
  return _mm512_or_si512 (even, _mm512_slli_epi32 (odd, 16));
}

BF16 static void
pack_values (const PareBfloatOperand *o, int64_t at, int64_t positions, int64_t n, int64_t width, uint32_t *to)
{
  for (int64_t p = 0; p < positions; p += 2, to += width)
    for (int64_t c = 0; c < width; c += LANES)
      {
        int64_t room = smaller (width - c, LANES);
        _mm512_mask_storeu_epi32 (to + c, (__mmask16)((1u << room) - 1), two_positions (o, at, positions, p, c, n));
      }
}

/* The same as [width][pairs]. */
BF16 static void
pack_turned (const PareBfloatOperand *o, int64_t at, int64_t positions, int64_t n, int64_t width, int64_t pairs, uint32_t *to)
{
  for (int64_t p = 0; p < pairs; p += LANES)
    for (int64_t c = 0; c < width; c += LANES)
      {
        __m512i r[LANES];
        for (int i = 0; i < LANES; i++)
          r[i] = two_positions (o, at, positions, 2 * (p + i), c, n);
        turn (r);
        for (int64_t i = 0; i < LANES && c + i < width; i++)
          _mm512_storeu_si512 (to + (c + i) * pairs + p, r[i]);
      }
}

static int64_t
offset (const PareBfloatOperand *o, int64_t batch, int64_t head)
{
  return batch * o->stride[0] + head * o->stride[1];
}

void
pare_accel_attention_pack (const PareBfloatAttention *a, int64_t task)
{
  int64_t keys = a->batch * a->key_heads;
  if (task < keys)
    {
      uint32_t *to = a->keys + task * a->key_apart;
      int64_t from = offset (&a->k, task / a->key_heads, task % a->key_heads), tiles = (a->positions + LANES - 1) / LANES;
      float most = a->tiles ? pack_lines (&a->k, from, a->positions, tiles, a->depth, to)
                            : pack_rows (&a->k, from, a->positions, tiles, a->depth, false, 1, to);
      memcpy (to + a->key_apart - 1, &most, sizeof most);
      return;
    }
  task -= keys;
  int64_t from = offset (&a->v, task / a->value_heads, task % a->value_heads), width = pare_accel_attention_width (a->n);
  uint32_t *to = a->values + task * a->value_apart;
  if (a->tiles)
    pack_turned (&a->v, from, a->positions, a->n, width, a->value_pairs, to);
  else
    pack_values (&a->v, from, a->positions, a->n, width, to);
}

/* What is done to scores: nothing, for their bound is small; the shift is taken off; a mask is added before. */
typedef enum
{
  PLAIN,
  SHIFTED,
  MASKED,
} Kind;

/* What the rows of a task share. */
typedef struct
{
  const PareBfloatAttention *a;
  const uint32_t *q, *keys, *values;
  const float *mask; /* of the first row */
  float *scores, shift[WIDE * LANES];
  int32_t seen[WIDE * LANES]; /* positions of each row */
  int64_t rows, n, least;     /* positions: of the longest row, of the shortest */
  float factor;               /* to powers of 2 */
  Kind kind;
  bool find; /* the shift is the largest score, and not known yet */
} Rows;

/* The mask of sixteen positions. */
BF16 static void
turn_mask (const Rows *t, int64_t at, const int vecs, float *to)
{
  int64_t n = smaller (t->n - at, LANES);
  for (int v = 0; v < vecs; v++)
    {
      __m512i r[LANES];
      for (int i = 0; i < LANES; i++)
        r[i] = _mm512_maskz_loadu_epi32 ((__mmask16)((1u << n) - 1),
                                         t->mask + smaller (v * LANES + i, t->rows - 1) * t->a->mask_stride[2] + at);
      turn (r);
      for (int i = 0; i < LANES; i++)
        _mm512_storeu_si512 (to + (i * vecs + v) * LANES, r[i]);
    }
}

/* The rest of 2^t: z is magic and the whole number next to t, f what is left. */
BF16 INLINE __m512
power (__m512 z, __m512 f)
{
  __m512 p = ALL (9.570101911e-03f); /* 2^f, -0.5 <= f <= 0.5, to a thousandth of what rounding costs */
  p = FMA (p, f, ALL (5.591786032e-02f));
  p = FMA (p, f, ALL (2.402474483e-01f));
  p = FMA (p, f, ALL (6.931218147e-01f));
  p = FMA (p, f, ALL (9.999992614e-01f));
  return _mm512_castsi512_ps (_mm512_add_epi32 (_mm512_castps_si512 (p), _mm512_slli_epi32 (_mm512_castps_si512 (z), 23)));
}

#define MAGIC 12582912.0f /* the last bits of what it is added to are the whole number */
#define LEAST -126.0f

/* Sixteen positions (of one vector of rows; eight of two) from `at` on: their powers are stored and summed up, or (find) the largest found.
 * some: not every row sees them all. */
BF16 INLINE void
scores_of (const Rows *t, int64_t at, const float *mask, __m512 sum[WIDE], const int vecs, const Kind kind, const bool some,
           const bool find)
{
  const int count = LANES / vecs;
  int64_t pairs = (t->a->depth + 1) / 2;
  const uint32_t *q = t->q, *keys = t->keys + at / LANES * pairs * LANES + at % LANES;
  float *to = t->scores + at * vecs * LANES;
  __m512 acc[LANES][WIDE];
  UNROLL for (int i = 0; i < count; i++) UNROLL for (int v = 0; v < vecs; v++) acc[i][v] = ALL (0);
  if (t->a->tiles)
    {
      UNROLL for (int i = 0; i < count; i++) UNROLL for (int v = 0; v < vecs; v++) acc[i][v] = LOAD (to + (i * vecs + v) * LANES);
    }
  else
    for (int64_t k = 0; k < pairs; k++, q += vecs * LANES, keys += LANES)
      {
        __m512bh x[WIDE];
        UNROLL for (int v = 0; v < vecs; v++) x[v] = (__m512bh)_mm512_loadu_si512 (q + v * LANES);
        UNROLL for (int i = 0; i < count; i++)
        {
          __m512bh s = (__m512bh)_mm512_set1_epi32 ((int)keys[i]);
          UNROLL for (int v = 0; v < vecs; v++) acc[i][v] = _mm512_dpbf16_ps (acc[i][v], x[v], s);
        }
      }
  const __m512 factor = ALL (kind == MASKED ? t->a->factor : t->factor), magic = ALL (MAGIC);
  UNROLL for (int i = 0; i < count; i++)
  {
    UNROLL for (int v = 0; v < vecs; v++)
    {
      __m512 x = acc[i][v];
      __mmask16 seen = 0xffff;
      if (some)
        seen = _mm512_cmpgt_epi32_mask (_mm512_loadu_si512 (t->seen + v * LANES), _mm512_set1_epi32 ((int)at + i));
      if (kind != PLAIN)
        x = FMA (x, factor, kind == MASKED ? LOAD (mask + (i * vecs + v) * LANES) : SUB (ALL (0), LOAD (t->shift + v * LANES)));
      if (find)
        {
          sum[v] = LARGER (sum[v], _mm512_mask_mov_ps (ALL (-INFINITY), seen, x));
          continue;
        }
      if (kind != PLAIN)
        {
          if (kind == MASKED)
            x = MUL (SUB (x, LOAD (t->shift + v * LANES)), ALL (LOG2E));
          x = LARGER (ALL (LEAST), x);
          __m512 z = ADD (x, magic);
          x = power (z, SUB (x, SUB (z, magic)));
        }
      else
        {
          __m512 z = FMA (x, factor, magic);
          x = power (z, _mm512_fmsub_ps (x, factor, SUB (z, magic)));
        }
      if (some)
        x = _mm512_maskz_mov_ps (seen, x);
      sum[v] = ADD (sum[v], x);
      STORE (to + (i * vecs + v) * LANES, x);
    }
  }
}

/* c [rows][vecs][16] = a times b [pairs][vecs][16]. */
static void
multiply_tiles (const uint32_t *a, int64_t a_row, int64_t rows, const void *b, int64_t pairs, int vecs, float *c)
{
  pare_accel_tiles_product (&(PareBfloatProduct){ .rows = rows,
                                                  .pairs = pairs,
                                                  .a = (const uint16_t *)a,
                                                  .a_row = a_row * 2,
                                                  .a_block = LANES,
                                                  .b = b,
                                                  .width = vecs * LANES,
                                                  .columns = vecs * LANES,
                                                  .c = { c, true },
                                                  .c_row = vecs * LANES,
                                                  .c_block = LANES });
}

/* All positions. */
BF16 INLINE void
walk (const Rows *t, __m512 sum[WIDE], const int vecs, const Kind kind, const bool find)
{
  float mask[WIDE * LANES * LANES];
  const int count = LANES / vecs;
  for (int64_t at = 0; at < t->n; at += count)
    if (kind == MASKED && at % LANES == 0)
      {
        turn_mask (t, at, vecs, mask);
        for (int64_t i = at; i < t->n && i < at + LANES; i += count)
          scores_of (t, i, mask + i % LANES * vecs * LANES, sum, vecs, kind, true, find);
      }
    else if (kind != MASKED && at + count <= t->least)
      scores_of (t, at, NULL, sum, vecs, kind, false, find);
    else if (kind != MASKED)
      scores_of (t, at, NULL, sum, vecs, kind, true, find);
}

static int64_t
whole_pairs (int64_t positions)
{
  return positions > 0 ? (positions + 2 * LANES - 1) / (2 * LANES) * LANES : LANES;
}

/* Powers become weights, rounded, in pairs of positions, in the place of their first half. */
BF16 INLINE void
weigh (const Rows *t, const __m512 sum[WIDE], const int vecs)
{
  static const uint16_t order[2 * LANES]
      = { 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31 };
  const __m512i places = _mm512_loadu_si512 (order);
  const int row = vecs * LANES;
  __m512 by[WIDE];
  UNROLL for (int v = 0; v < vecs; v++) by[v] = DIV (ALL (1), sum[v]);
  for (int64_t i = 0; i < (t->n + 1) / 2; i++)
    UNROLL for (int v = 0; v < vecs; v++)
    {
      const float *from = t->scores + 2 * i * row + v * LANES;
      __m512 even = MUL (LOAD (from), by[v]), odd = MUL (LOAD (from + row), by[v]);
      _mm512_storeu_si512 (t->scores + i * row + v * LANES, _mm512_permutexvar_epi16 (places, (__m512i)_mm512_cvtne2ps_pbh (odd, even)));
    }
  if (t->a->tiles) /* up to whole steps */
    memset (t->scores + (t->n + 1) / 2 * row, 0, (size_t)((whole_pairs (t->n) - (t->n + 1) / 2) * row) * sizeof *t->scores);
}

/* to [width][rows] = sums of weights times v. One vector of rows has two sums of each, or the arithmetic would wait. */
BF16 INLINE void
sum_up (const Rows *t, float *to, const int vecs)
{
  const int row = vecs * LANES, chains = WIDE / vecs;
  if (t->a->tiles)
    {
      multiply_tiles (t->values, t->a->value_pairs, pare_accel_attention_width (t->a->n), t->scores, whole_pairs (t->n), vecs, to);
      return;
    }
  int64_t width = pare_accel_attention_width (t->a->n), pairs = (t->n + 1) / 2;
  for (int64_t d = 0; d < width; d += DEPTH, to += DEPTH * row)
    {
      __m512 acc[DEPTH][WIDE];
      const uint32_t *values = t->values + d;
      const float *weights = t->scores;
      int64_t i = 0;
      UNROLL for (int j = 0; j < DEPTH; j++) UNROLL for (int v = 0; v < WIDE; v++) acc[j][v] = ALL (0);
      for (; i + chains <= pairs; i += chains, weights += WIDE * LANES, values += chains * width)
        {
          __m512bh p[WIDE];
          UNROLL for (int v = 0; v < WIDE; v++) p[v] = (__m512bh)_mm512_loadu_si512 (weights + v * LANES);
          UNROLL for (int j = 0; j < DEPTH; j++) UNROLL for (int v = 0; v < WIDE; v++) acc[j][v]
              = _mm512_dpbf16_ps (acc[j][v], p[v], (__m512bh)_mm512_set1_epi32 ((int)values[v / vecs * width + j]));
        }
      if (i < pairs)
        {
          UNROLL for (int j = 0; j < DEPTH; j++) acc[j][0]
              = _mm512_dpbf16_ps (acc[j][0], (__m512bh)_mm512_loadu_si512 (weights), (__m512bh)_mm512_set1_epi32 ((int)values[j]));
        }
      UNROLL for (int j = 0; j < DEPTH; j++)
      {
        if (chains == 2)
          acc[j][0] = ADD (acc[j][0], acc[j][1]);
        UNROLL for (int v = 0; v < vecs; v++) STORE (to + j * row + v * LANES, acc[j][v]);
      }
    }
}

BF16 static void
put (const Rows *t, const float *from, int64_t at, const int vecs)
{
  const PareBfloatOperand *y = &t->a->y;
  int64_t width = pare_accel_attention_width (t->a->n);
  for (int64_t v = 0; v * LANES < t->rows; v++)
    for (int64_t c = 0; c < t->a->n; c += LANES)
      {
        __m512i r[LANES];
        for (int i = 0; i < LANES; i++)
          r[i] = c + i < width ? _mm512_loadu_si512 (from + ((c + i) * vecs + v) * LANES) : _mm512_setzero_si512 ();
        turn (r);
        for (int64_t i = 0; i < LANES && v * LANES + i < t->rows; i++)
          {
            __m512 x = _mm512_castsi512_ps (r[i]);
            if (t->a->rounds)
              x = _mm512_cvtpbh_ps (_mm512_cvtneps_pbh (x));
            store_some (y->data, y->wide, at + (v * LANES + i) * y->stride[2] + c, x, smaller (t->a->n - c, LANES));
          }
      }
}

/* The largest that a mask adds to each row. */
BF16 static void
shift_by_mask (Rows *t)
{
  for (int64_t r = 0; r < WIDE * LANES; r++)
    {
      const float *mask = t->mask + smaller (r, t->rows - 1) * t->a->mask_stride[2];
      __m512 most = ALL (-INFINITY);
      for (int64_t i = 0; i < t->n; i += LANES)
        most = LARGER (most, t->n - i >= LANES ? LOAD (mask + i)
                                               : _mm512_mask_loadu_ps (ALL (-INFINITY), (__mmask16)((1u << (t->n - i)) - 1), mask + i));
      t->shift[r] = _mm512_reduce_max_ps (most);
    }
}

BF16 INLINE void
attend (Rows *t, float *memory, int64_t y_at, const int vecs, const Kind kind)
{
  __m512 sum[WIDE], most[WIDE];
  UNROLL for (int v = 0; v < vecs; v++)
  {
    sum[v] = ALL (0);
    most[v] = ALL (-INFINITY);
  }
  if (t->a->tiles)
    {
      int64_t pairs = (t->a->depth + 1) / 2;
      multiply_tiles (t->keys, pairs, (t->n + LANES - 1) / LANES * LANES, t->q, pairs, vecs, t->scores);
    }
  if (kind != PLAIN && t->find)
    {
      walk (t, most, vecs, kind, true);
      UNROLL for (int v = 0; v < vecs; v++) STORE (t->shift + v * LANES, most[v]);
    }
  else if (kind == MASKED)
    shift_by_mask (t);
  walk (t, sum, vecs, kind, false);
  weigh (t, sum, vecs);
  sum_up (t, memory, vecs);
  put (t, memory, y_at, vecs);
}

#define ATTEND(VECS, KIND)                                                                                                                 \
  BF16 static void attend_##VECS##_##KIND (Rows *t, float *memory, int64_t y_at)                                                           \
  {                                                                                                                                        \
    attend (t, memory, y_at, VECS, KIND);                                                                                                  \
  }
/* clang-format off */
ATTEND (1, PLAIN) ATTEND (1, SHIFTED) ATTEND (1, MASKED)
ATTEND (2, PLAIN) ATTEND (2, SHIFTED) ATTEND (2, MASKED)
    /* clang-format on */

    void pare_accel_attention_rows (const PareBfloatAttention *a, int64_t task, void *scratch)
{
  int64_t head = task / a->blocks, b = head / a->heads, h = head % a->heads, together = a->vecs * LANES, r0 = task % a->blocks * together;
  int64_t key = b * a->key_heads + h % a->key_heads, whole = (a->positions + LANES - 1) / LANES * LANES;
  Rows t = { .a = a,
             .keys = a->keys + key * a->key_apart,
             .values = a->values + (b * a->value_heads + h % a->value_heads) * a->value_apart,
             .mask = a->mask ? a->mask + b * a->mask_stride[0] + h * a->mask_stride[1] + r0 * a->mask_stride[2] : NULL,
             .scores = scratch,
             .rows = smaller (a->rows - r0, together),
             .n = a->positions,
             .least = a->positions,
             .factor = a->factor * LOG2E };
  float *y = t.scores + whole * together, longest;
  uint32_t *q = (uint32_t *)(void *)(y + pare_accel_attention_width (a->n) * together);
  memcpy (&longest, t.keys + a->key_apart - 1, sizeof longest);
  longest *= pack_rows (&a->q, offset (&a->q, b, h) + r0 * a->q.stride[2], t.rows, a->vecs, a->depth, true, a->vecs, q);
  t.q = q;
  longest *= t.factor * t.factor;
  bool hides = longest < LARGEST * LARGEST; /* then hidden ones weigh 0 */
  float bound = a->mask && !(a->seen && hides) ? BOUND_MASKED : BOUND;
  t.find = !(longest < bound * bound);
  t.kind = bound == BOUND_MASKED ? MASKED : t.find ? SHIFTED : PLAIN;
  for (int64_t r = 0; r < together; r++)
    t.seen[r] = (int32_t)a->positions;
  if (a->seen && hides)
    {
      t.n = 0;
      for (int64_t r = 0; r < together; r++)
        {
          t.seen[r] = a->seen[smaller (r0 + r, a->rows - 1)];
          t.n = t.seen[r] > t.n ? t.seen[r] : t.n;
          t.least = t.seen[r] < t.least ? t.seen[r] : t.least;
        }
    }
  static void (*const funcs[WIDE][3]) (Rows * t, float *memory, int64_t y_at)
      = { { attend_1_PLAIN, attend_1_SHIFTED, attend_1_MASKED }, { attend_2_PLAIN, attend_2_SHIFTED, attend_2_MASKED } };
  funcs[a->vecs - 1][t.kind](&t, y, offset (&a->y, b, h) + r0 * a->y.stride[2]);
}
#else
void
pare_accel_attention_pack (const PareBfloatAttention *a, int64_t task)
{
}

void
pare_accel_attention_rows (const PareBfloatAttention *a, int64_t task, void *scratch)
{
}
#endif
