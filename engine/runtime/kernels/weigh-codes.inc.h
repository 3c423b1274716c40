/* One instruction set's part of attention on codes, included by tile.inc.h: a row of scores becomes one of weights. Every operation is
 * rounded on its own, and sums are taken in sixteen parts, so that all instruction sets give the same bits. */
#define ALL(x) ((x) + (NAME (vec)){ 0 })
#define UNROLL _Pragma ("GCC unroll 4")
#define PARTS (16 / LANES)
#define ABREAST (LANES >= 8 ? LANES / 4 : 1) /* rows: each ends in a single number that the next step waits for, and is over soon */

#ifndef ROUND
#define ROUND(x) ((x) + ALL (12582912.0f) - ALL (12582912.0f))
#endif
/* x 2^k, a normal number. */
#ifndef TIMES_POWER
#define TIMES_POWER(x, k) ((x) * (NAME (vec)) (((NAME (ints)) ((k) + ALL (12582912.0f)) + (127 - 0x4B400000)) << 23))
#endif

/* Rounded half to even and bounded; NaN is the least. */
TARGET static inline __attribute__ ((always_inline)) NAME (vec) NAME (lay) (NAME (vec) x, float least, float most)
{
  x = LARGER (x, ALL (least));
  x = SMALLER (x, ALL (most));
  return ROUND (x);
}

TARGET static inline __attribute__ ((always_inline)) NAME (vec)
    NAME (score) (PareRtWeighing w, NAME (vec) x, const float *mask, const bool looked_up, const bool rounds)
{
  if (!looked_up)
    x = NAME (lay) (x * ALL (w.factor), w.least, w.most) * ALL (w.scale);
  if (mask)
    x = x + LOAD (mask);
  if (rounds)
    x = NAME (lay) (x / ALL (w.masked_scale), w.masked_least, w.masked_most) * ALL (w.masked_scale);
  return x;
}

/* e^x for x <= 0, as exp_f32 has it; 0 for less than -86. */
TARGET static inline __attribute__ ((always_inline)) NAME (vec) NAME (exponent) (NAME (vec) x)
{
  NAME (vec) t = x * ALL (1.44269504088896341f), k = ROUND (t), r = x - k * ALL (0.693359375f), p = ALL (1.9875691500e-4f);
  r = r - k * ALL (-2.12194440e-4f);
  p = p * r + ALL (1.3981999507e-3f);
  p = p * r + ALL (8.3334519073e-3f);
  p = p * r + ALL (4.1665795894e-2f);
  p = p * r + ALL (1.6666665459e-1f);
  p = p * r + ALL (5.0000001201e-1f);
  p = p * r * r + r + ALL (1.0f);
  NAME (ints) small = x < ALL (-86.0f);
  return (NAME (vec)) ((NAME (ints))TIMES_POWER (p, k) & ~small);
}

/* Whole sixteens of the scores of some rows; returns how many scores that are. The last three are constants where it matters. */
TARGET static inline __attribute__ ((always_inline)) int64_t
NAME (whole_scores) (PareRtWeighing w, float *s, int64_t apart, const int rows, int64_t n, const float *mask, int64_t mask_apart,
                     NAME (vec) (*best)[PARTS], const bool looked_up, const bool masks, const bool rounds)
{
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < PARTS; v++)
    {
      float *at = s + r * apart + i + v * LANES;
      NAME (vec) x = NAME (score) (w, LOAD (at), masks ? mask + r * mask_apart + i + v * LANES : NULL, looked_up, rounds);
      STORE (at, x);
      best[r][v] = LARGER (best[r][v], x);
    }
  return i;
}

/* Scores of some rows, as they enter the softmax, in whole sixteens; the largest of each. */
TARGET static inline __attribute__ ((always_inline)) void
NAME (scores) (PareRtWeighing w, float *s, int64_t apart, const int rows, int64_t n, const float *mask, int64_t mask_apart, float *most)
{
  NAME (vec) best[ABREAST][PARTS];
  int64_t i = 0;
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < PARTS; v++) best[r][v] = ALL (-INFINITY);
  if (mask && w.rounds && !w.looked_up) /* as models that look back only have it */
    i = NAME (whole_scores) (w, s, apart, rows, n, mask, mask_apart, best, false, true, true);
  else if (!mask && !w.rounds && !w.looked_up)
    i = NAME (whole_scores) (w, s, apart, rows, n, mask, mask_apart, best, false, false, false);
  else
    i = NAME (whole_scores) (w, s, apart, rows, n, mask, mask_apart, best, w.looked_up, mask != NULL, w.rounds);
  for (int r = 0; r < rows && i < n; r++)
    {
      float last[16], *rest = s + r * apart + i;
      for (int l = 0; l < 16; l++)
        last[l] = mask && i + l < n ? mask[r * mask_apart + i + l] : 0;
      for (int v = 0; v < PARTS; v++)
        STORE (rest + v * LANES, NAME (score) (w, LOAD (rest + v * LANES), mask ? last + v * LANES : NULL, w.looked_up, w.rounds));
      for (int64_t l = n - i; l < 16; l++)
        rest[l] = -INFINITY;
      UNROLL for (int v = 0; v < PARTS; v++) best[r][v] = LARGER (best[r][v], (NAME (vec))LOAD (rest + v * LANES));
    }
  UNROLL for (int r = 0; r < rows; r++)
  {
    UNROLL for (int v = 1; v < PARTS; v++) best[r][0] = LARGER (best[r][0], best[r][v]);
    most[r] = FOLD_MAX (best[r][0]);
  }
}

/* `of` of each row: the largest, then one by the sum. */
TARGET static inline __attribute__ ((always_inline)) void
NAME (exponents) (float *s, int64_t apart, const int rows, int64_t n, float *of)
{
  NAME (vec) sum[ABREAST][PARTS] = { { { 0 } } }, top[ABREAST];
  UNROLL for (int r = 0; r < rows; r++) top[r] = ALL (of[r]);
  for (int64_t i = 0; i < n; i += 16)
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < PARTS; v++)
    {
      NAME (vec) x = NAME (exponent) (LOAD (s + r * apart + i + v * LANES) - top[r]);
      STORE (s + r * apart + i + v * LANES, x);
      sum[r][v] += x;
    }
  UNROLL for (int r = 0; r < rows; r++)
  {
    UNROLL for (int half = PARTS / 2; half > 0; half /= 2) UNROLL for (int v = 0; v < half; v++) sum[r][v] += sum[r][v + half];
    of[r] = 1.0f / FOLD_SUM (sum[r][0]);
  }
}

#ifndef STORE_BYTES
TARGET static inline __attribute__ ((always_inline)) void
NAME (store_bytes) (uint8_t *to, NAME (vec) x)
{
  for (int l = 0; l < LANES; l++)
    to[l] = (uint8_t)x[l];
}
#define STORE_BYTES(p, x) NAME (store_bytes) (p, x)
#endif

/* Weights, less their zero point. As bytes they begin where the row does, which is behind what is still read; sums: of each row. */
TARGET static inline __attribute__ ((always_inline)) void
NAME (weights) (const PareRtWeighing w, float *s, int64_t apart, const int rows, int64_t n, int64_t end, const float *norm, int32_t *sums,
                bool bytes)
{
  NAME (vec) sum[ABREAST] = { { 0 } };
  int64_t i = 0;
  for (; i < end; i += LANES)
    UNROLL for (int r = 0; r < rows; r++)
    {
      NAME (vec) x = NAME (lay) (LOAD (s + r * apart + i) * ALL (norm[r]) / ALL (w.weight_scale), w.weight_least, w.weight_most);
      sum[r] += x;
      if (bytes)
        STORE_BYTES ((uint8_t *)(s + r * apart) + i, x);
      else
        STORE (s + r * apart + i, x);
    }
  for (; i < n; i += LANES)
    for (int r = 0; r < rows; r++)
      if (bytes)
        STORE_BYTES ((uint8_t *)(s + r * apart) + i, (NAME (vec)){ 0 });
      else
        STORE (s + r * apart + i, (NAME (vec)){ 0 });
  for (int r = 0; r < rows && bytes; r++)
    sums[r] = (int32_t)FOLD_SUM (sum[r]);
}

TARGET static inline __attribute__ ((always_inline)) void
NAME (weigh_some) (PareRtWeighing w, float *s, int64_t apart, const int rows, int64_t n, const float *mask, int64_t mask_apart,
                   const int32_t *seen, int32_t *sums)
{
  float of[ABREAST];
  int64_t end = seen ? 0 : n;
  for (int r = 0; r < rows && seen; r++) /* whole sixteens, so that a row has no rest */
    end = (seen[r] + 15) / 16 * 16 > end ? (seen[r] + 15) / 16 * 16 : end;
  end = end < n ? end : n;
  NAME (scores) (w, s, apart, rows, end, mask, mask_apart, of);
  NAME (exponents) (s, apart, rows, end, of);
  if (sums)
    NAME (weights) (w, s, apart, rows, n, end, of, sums, true);
  else
    NAME (weights) (w, s, apart, rows, n, end, of, NULL, false);
}

/* See PareRtIsa. */
TARGET static void
NAME (weigh_codes) (float *s, int64_t apart, int64_t rows, int64_t n, const PareRtWeighing *w, const float *mask, int64_t mask_apart,
                    const int32_t *seen, int32_t *sums)
{
  const PareRtWeighing here = *w; /* what is stored could be they */
  int64_t r = 0;
  for (; r + ABREAST <= rows; r += ABREAST)
    NAME (weigh_some)
  (here, s + r * apart, apart, ABREAST, n, mask ? mask + r * mask_apart : NULL, mask_apart, seen ? seen + r : NULL, sums ? sums + r : NULL);
  for (; r < rows; r++)
    NAME (weigh_some)
  (here, s + r * apart, apart, 1, n, mask ? mask + r * mask_apart : NULL, mask_apart, seen ? seen + r : NULL, sums ? sums + r : NULL);
}
#undef STORE_BYTES
#undef ABREAST
#undef PARTS
#undef UNROLL
#undef ALL
