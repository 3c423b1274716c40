/* One instruction set's part of Winograd's convolutions, included by tile.inc.h: tiles lie along a vector. EVEN and ODD take every second
 * lane of two vectors one behind the other, LOW and HIGH lay two vectors' lanes in turns.
 *
 * For m = 4 the points are 0, +-sqrt(1/2), +-sqrt(2) and infinity, whose rounding errors are about half those of 0, +-1, +-2. */
#define ALL(x) ((x) + (NAME (vec)){ 0 })
#define UNROLL _Pragma ("GCC unroll 8")
#define ROOT 1.41421356237309505f

TARGET static inline __attribute__ ((always_inline)) void
NAME (in_1d) (const int m, const NAME (vec) * d, NAME (vec) * o)
{
  if (m == 2)
    {
      o[0] = d[0] - d[2];
      o[1] = d[1] + d[2];
      o[2] = d[2] - d[1];
      o[3] = d[1] - d[3];
      return;
    }
  NAME (vec) even = FMADD (ALL (-2.0f), d[2], d[4]), odd = FMADD (ALL (-ROOT), d[1], d[3] * (ROOT / 2)),
             even_2 = FMADD (ALL (-0.5f), d[2], d[4]), odd_2 = FMADD (ALL (-ROOT / 2), d[1], d[3] * ROOT);
  o[0] = FMADD (ALL (-2.5f), d[2], d[0]) + d[4];
  o[1] = even + odd;
  o[2] = even - odd;
  o[3] = even_2 + odd_2;
  o[4] = even_2 - odd_2;
  o[5] = FMADD (ALL (-2.5f), d[3], d[1]) + d[5];
}

TARGET static inline __attribute__ ((always_inline)) void
NAME (out_1d) (const int m, const NAME (vec) * d, NAME (vec) * o)
{
  if (m == 2)
    {
      o[0] = d[0] + (d[1] + d[2]);
      o[1] = d[1] - d[2] - d[3];
      return;
    }
  NAME (vec) sum = d[1] + d[2], less = d[1] - d[2], sum_2 = d[3] + d[4], less_2 = d[3] - d[4];
  o[0] = d[0] + (sum + sum_2);
  o[1] = FMADD (ALL (ROOT / 2), less, less_2 * ROOT);
  o[2] = FMADD (ALL (0.5f), sum, sum_2 * 2.0f);
  o[3] = FMADD (ALL (ROOT / 4), less, FMADD (ALL (2 * ROOT), less_2, d[5]));
}

/* Columns 0..m+1 of as many tiles as a vector has, m apart; more: those from m on. */
TARGET static inline __attribute__ ((always_inline)) void
NAME (columns) (const int m, const float *x, const float *more, NAME (vec) * d)
{
  if (m == 2)
    {
      NAME (vec) a = LOAD (x), b = LOAD (x + LANES), c = LOAD (more), e = LOAD (more + LANES);
      d[0] = EVEN (a, b);
      d[1] = ODD (a, b);
      d[2] = EVEN (c, e);
      d[3] = ODD (c, e);
      return;
    }
  NAME (vec) v[4];
  UNROLL for (int i = 0; i < 4; i++) v[i] = LOAD (x + i * LANES);
  NAME (vec) even = EVEN (v[0], v[1]), odd = ODD (v[0], v[1]), even_2 = EVEN (v[2], v[3]), odd_2 = ODD (v[2], v[3]);
  d[0] = EVEN (even, even_2);
  d[1] = EVEN (odd, odd_2);
  d[2] = ODD (even, even_2);
  d[3] = ODD (odd, odd_2);
  UNROLL for (int i = 0; i < 4; i++) v[i] = LOAD (more + i * LANES);
  d[4] = EVEN (EVEN (v[0], v[1]), EVEN (v[2], v[3]));
  d[5] = EVEN (ODD (v[0], v[1]), ODD (v[2], v[3]));
}

TARGET static inline __attribute__ ((always_inline)) void
NAME (winograd_in_m) (const int m, const float *const *line, const float *const *more, int64_t tiles, float *to, int64_t apart)
{
  const int size = m + 2;
  for (int64_t t = 0; t < tiles; t += LANES)
    {
      NAME (vec) d[6], half[36], all[6];
      UNROLL for (int i = 0; i < size; i++)
      {
        NAME (columns) (m, line[i] + t * m, more[i] + t * m, d);
        NAME (in_1d) (m, d, half + i * size);
      }
      UNROLL for (int j = 0; j < size; j++)
      {
        UNROLL for (int i = 0; i < size; i++) d[i] = half[i * size + j];
        NAME (in_1d) (m, d, all);
        UNROLL for (int i = 0; i < size; i++) STORE (to + (i * size + j) * apart + t, all[i]);
      }
    }
}

TARGET static void
NAME (winograd_in) (int m, const float *const *line, const float *const *more, int64_t tiles, float *to, int64_t apart)
{
  if (m == 2)
    NAME (winograd_in_m) (2, line, more, tiles, to, apart);
  else
    NAME (winograd_in_m) (4, line, more, tiles, to, apart);
}

TARGET static inline __attribute__ ((always_inline)) NAME (vec) NAME (after) (const PareRtWinogradOut *o, NAME (vec) z)
{
  if (o->leaky)
    {
      NAME (ints) below = z < (NAME (vec)){ 0 };
      z = (NAME (vec)) (((NAME (ints)) (z * o->alpha) & below) | ((NAME (ints))z & ~below));
    }
  if (o->clip)
    z = SMALLER (ALL (o->hi), LARGER (ALL (o->lo), z));
  return z;
}

/* n floats of a row of output, n at least 1. */
TARGET static inline __attribute__ ((always_inline)) void
NAME (finish) (const PareRtWinogradOut *o, const float *from, const float *residual, float *y, int64_t n)
{
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    {
      NAME (vec) z = LOAD (from + i);
      if (residual)
        z += LOAD (residual + i);
      STORE (y + i, NAME (after) (o, z));
    }
  if (i == n)
    return;
  NAME (vec) z = LOAD (from + i), more = { 0 };
#ifdef MASK
  MASK some = MASK_OF (0, n - i);
  if (residual)
    more = (NAME (vec))LOAD_MASKED (some, residual + i);
  STORE_MASKED (some, y + i, NAME (after) (o, residual ? z + more : z));
#else
  if (residual)
    memcpy (&more, residual + i, (size_t)(n - i) * sizeof (float));
  z = NAME (after) (o, residual ? z + more : z);
  memcpy (y + i, &z, (size_t)(n - i) * sizeof (float));
#endif
}

TARGET static inline __attribute__ ((always_inline)) void
NAME (winograd_out_m) (const int m, const PareRtWinogradOut *o, const float *v)
{
  const int size = m + 2;
  NAME (vec) d[6], half[24], all[4];
  float rows[(4 * 4 + 1) * LANES] __attribute__ ((aligned (64))); /* a tail is read as a whole vector */
  STORE (rows + m * m * LANES, ALL (0));
  UNROLL for (int j = 0; j < size; j++)
  {
    UNROLL for (int i = 0; i < size; i++) d[i] = LOAD (v + (i * size + j) * o->apart);
    NAME (out_1d) (m, d, all);
    UNROLL for (int i = 0; i < m; i++) half[i * size + j] = all[i];
  }
  UNROLL for (int i = 0; i < m; i++)
  {
    float *row = rows + i * m * LANES;
    NAME (out_1d) (m, half + i * size, all);
    UNROLL for (int j = 0; j < m; j++) all[j] += o->bias;
    if (m == 2)
      {
        STORE (row, LOW (all[0], all[1]));
        STORE (row + LANES, HIGH (all[0], all[1]));
      }
    else
      {
        NAME (vec) a = LOW (all[0], all[2]), b = LOW (all[1], all[3]), c = HIGH (all[0], all[2]), e = HIGH (all[1], all[3]);
        STORE (row, LOW (a, b));
        STORE (row + LANES, HIGH (a, b));
        STORE (row + 2 * LANES, LOW (c, e));
        STORE (row + 3 * LANES, HIGH (c, e));
      }
  }
  for (int s = 0; s < o->n_spans; s++)
    for (int i = 0; i < o->spans[s].rows; i++)
      {
        int64_t at = o->spans[s].at + i * o->pitch;
        NAME (finish) (o, rows + (i * LANES + o->spans[s].lane) * m, o->residual ? o->residual + at : NULL, o->y + at, o->spans[s].columns);
      }
}

TARGET static void
NAME (winograd_out) (int m, const PareRtWinogradOut *o, const float *v)
{
  if (m == 2)
    NAME (winograd_out_m) (2, o, v);
  else
    NAME (winograd_out_m) (4, o, v);
}
#undef ALL
#undef UNROLL
#undef ROOT
