/* One instruction set's part of attention and of normalizations, included by tile.inc.h: what is done to rows as a whole. */
#define ALL(x) ((x) + (NAME (vec)){ 0 })
#define UNROLL _Pragma ("GCC unroll 4")
#define PARTS (16 / LANES)
#define INLINE static inline __attribute__ ((always_inline))

/* x in the first lanes, `other` in those from `left` on. */
TARGET INLINE
NAME (vec) NAME (first_of) (NAME (vec) x, int64_t left, float other)
{
  NAME (ints) lane;
  UNROLL for (int l = 0; l < LANES; l++) lane[l] = l;
  NAME (ints) here = lane < ((NAME (ints)){ 0 } + (int32_t)left);
  return (NAME (vec)) (((NAME (ints))x & here) | ((NAME (ints))ALL (other) & ~here));
}

/* The first lanes from memory that has no more; 0 in the others. */
TARGET INLINE
NAME (vec) NAME (load_first) (const float *p, int64_t left)
{
  if (left >= LANES)
    return LOAD (p);
#ifdef MASK
  return left > 0 ? (NAME (vec))LOAD_MASKED (MASK_OF (0, left), p) : ALL (0);
#else
  NAME (vec) x = ALL (0);
  for (int64_t l = 0; l < left; l++)
    x[l] = p[l];
  return x;
#endif
}

/* e^x for x <= 0: 2^n (1 + r + ...), to 0 where the result would not be a normal number. */
TARGET INLINE
NAME (vec) NAME (weight) (NAME (vec) given)
{
  const NAME (vec) least = ALL (-87.3f);
  NAME (vec) x = LARGER (least, given), t = FMADD (x, ALL (1.44269504088896341f), ALL (12582912.0f)), k = t - ALL (12582912.0f);
  NAME (vec) r = FMADD (k, ALL (2.12194440e-4f), FMADD (k, ALL (-0.693359375f), x)), p = ALL (1.9875691500e-4f);
  p = FMADD (p, r, ALL (1.3981999507e-3f));
  p = FMADD (p, r, ALL (8.3334519073e-3f));
  p = FMADD (p, r, ALL (4.1665795894e-2f));
  p = FMADD (p, r, ALL (1.6666665459e-1f));
  p = FMADD (p, r, ALL (5.0000001201e-1f));
  p = FMADD (p * r, r, r) + ALL (1.0f);
  NAME (ints) power = ((NAME (ints))t - 0x4B400000 + 127) << 23, small = given < least;
  return (NAME (vec)) ((NAME (ints)) (p * (NAME (vec))power) & ~small);
}

TARGET INLINE float
NAME (weigh_row) (float *s, int64_t n, float factor, const float *mask)
{
  const int64_t whole = n / LANES * LANES;
  NAME (vec) best = ALL (-INFINITY), sum = ALL (0), f = ALL (factor), last = best;
  for (int64_t i = 0; i < whole; i += LANES)
    {
      NAME (vec) x = (NAME (vec))LOAD (s + i) * f;
      if (mask)
        x = x + (NAME (vec))LOAD (mask + i);
      STORE (s + i, x);
      best = LARGER (best, x);
    }
  if (whole < n)
    {
      last = (NAME (vec))LOAD (s + whole) * f;
      if (mask)
        last = last + NAME (load_first) (mask + whole, n - whole);
      last = NAME (first_of) (last, n - whole, -INFINITY);
      best = LARGER (best, last);
    }
  NAME (vec) top = ALL (FOLD_MAX (best));
  for (int64_t i = 0; i < whole; i += LANES)
    {
      NAME (vec) w = NAME (weight) ((NAME (vec))LOAD (s + i) - top);
      STORE (s + i, w);
      sum += w;
    }
  if (whole < n)
    {
      NAME (vec) w = NAME (weight) (last - top);
      STORE (s + whole, w);
      sum += w;
    }
  return FOLD_SUM (sum);
}

/* See PareRtIsa. */
TARGET static void
NAME (weigh) (float *s, int64_t apart, int64_t rows, int64_t n, float factor, const float *mask, int64_t mask_apart, float *sums)
{
  if (mask)
    for (int64_t r = 0; r < rows; r++)
      sums[r] = NAME (weigh_row) (s + r * apart, n, factor, mask + r * mask_apart);
  else
    for (int64_t r = 0; r < rows; r++)
      sums[r] = NAME (weigh_row) (s + r * apart, n, factor, NULL);
}

/* The sum of sixteen parts, halves upon halves, whatever the lanes. */
TARGET INLINE float
NAME (fold_parts) (NAME (vec) * part)
{
  for (int half = PARTS / 2; half > 0; half /= 2)
    for (int v = 0; v < half; v++)
      part[v] += part[v + half];
  return FOLD_SUM (part[0]);
}

/* The sum of up to a block of a row, or of the squares around the mean, in sixteen parts of float. */
TARGET INLINE float
NAME (block_sum) (const float *x, int64_t n, float mean, const bool squares)
{
  NAME (vec) part[PARTS], d;
  int64_t i = 0;
  UNROLL for (int v = 0; v < PARTS; v++) part[v] = ALL (0);
  for (; i + 16 <= n; i += 16)
    UNROLL for (int v = 0; v < PARTS; v++)
    {
      d = (NAME (vec))LOAD (x + i + v * LANES) - ALL (squares ? mean : 0);
      part[v] += squares ? d * d : d;
    }
  UNROLL for (int v = 0; v < PARTS; v++) if (i + v * LANES < n)
  {
    int64_t at = i + v * LANES;
    d = NAME (load_first) (x + at, n - at) - ALL (squares ? mean : 0);
    d = NAME (first_of) (d, n - at, 0);
    part[v] += squares ? d * d : d;
  }
  return NAME (fold_parts) (part);
}

/* The same of a row, blocks added in double. */
TARGET INLINE double
NAME (row_total) (const float *x, int64_t n, float mean, const bool squares)
{
  double sum = 0;
  for (int64_t i = 0; i < n; i += PARE_RT_SUMMED)
    sum += (double)NAME (block_sum) (x + i, n - i < PARE_RT_SUMMED ? n - i : PARE_RT_SUMMED, mean, squares);
  return sum;
}

/* See PareRtIsa. A step at a time for all rows: each ends in a single number that the next waits for. */
TARGET static void
NAME (moments) (const float *x, int64_t n, int64_t rows, float epsilon, bool origin, float *mean, float *inverse)
{
  double exact[PARE_RT_MOMENTS], squares[PARE_RT_MOMENTS];
  for (int64_t r = 0; r < rows; r++)
    exact[r] = !origin && n > 0 ? NAME (row_total) (x + r * n, n, 0, false) : 0;
  for (int64_t r = 0; r < rows; r++)
    {
      exact[r] = n > 0 ? exact[r] / (double)n : 0;
      mean[r] = (float)exact[r];
    }
  for (int64_t r = 0; r < rows; r++)
    squares[r] = NAME (row_total) (x + r * n, n, mean[r], true);
  for (int64_t r = 0; r < rows; r++)
    {
      double off = exact[r] - (double)mean[r]; /* what the mean lost when it was rounded */
      inverse[r] = (float)(1 / sqrt ((n > 0 ? squares[r] / (double)n - off * off : 0) + (double)epsilon));
    }
}
#undef ALL
#undef UNROLL
#undef PARTS
#undef INLINE
