/* One instruction set's part of attention on codes, included by tile.inc.h: a row of scores becomes one of weights. Every operation is
 * rounded on its own, and sums are taken in sixteen parts, so that all instruction sets give the same bits. */
#define ALL(x) ((x) + (NAME (vec)){ 0 })
#define UNROLL _Pragma ("GCC unroll 4")
#define PARTS (16 / LANES)

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

TARGET static inline __attribute__ ((always_inline)) NAME (vec) NAME (score) (PareRtWeighing w, NAME (vec) x, const float *mask)
{
  if (!w.looked_up)
    x = NAME (lay) (x * ALL (w.factor), w.least, w.most) * ALL (w.scale);
  if (mask)
    x = x + LOAD (mask);
  if (w.rounds)
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

/* Scores, as they enter the softmax, in whole sixteens; returns the largest. */
TARGET static float
NAME (scores) (PareRtWeighing w, float *s, int64_t n, const float *mask)
{
  NAME (vec) best[PARTS];
  float last[16];
  int64_t i = 0;
  UNROLL for (int v = 0; v < PARTS; v++) best[v] = ALL (-INFINITY);
  for (; i + 16 <= n; i += 16)
    UNROLL for (int v = 0; v < PARTS; v++)
    {
      NAME (vec) x = NAME (score) (w, LOAD (s + i + v * LANES), mask ? mask + i + v * LANES : NULL);
      STORE (s + i + v * LANES, x);
      best[v] = LARGER (best[v], x);
    }
  if (i < n)
    {
      for (int l = 0; l < 16; l++)
        last[l] = mask && i + l < n ? mask[i + l] : 0;
      for (int v = 0; v < PARTS; v++)
        STORE (s + i + v * LANES, NAME (score) (w, LOAD (s + i + v * LANES), mask ? last + v * LANES : NULL));
      for (int64_t l = n; l < i + 16; l++)
        s[l] = -INFINITY;
      UNROLL for (int v = 0; v < PARTS; v++) best[v] = LARGER (best[v], (NAME (vec))LOAD (s + i + v * LANES));
    }
  UNROLL for (int v = 1; v < PARTS; v++) best[0] = LARGER (best[0], best[v]);
  return FOLD_MAX (best[0]);
}

/* Returns the sum. */
TARGET static float
NAME (exponents) (float *s, int64_t n, float most)
{
  NAME (vec) sum[PARTS] = { { 0 } }, top = ALL (most);
  for (int64_t i = 0; i < n; i += 16)
    UNROLL for (int v = 0; v < PARTS; v++)
    {
      NAME (vec) x = NAME (exponent) (LOAD (s + i + v * LANES) - top);
      STORE (s + i + v * LANES, x);
      sum[v] += x;
    }
  UNROLL for (int half = PARTS / 2; half > 0; half /= 2) UNROLL for (int v = 0; v < half; v++) sum[v] += sum[v + half];
  return FOLD_SUM (sum[0]);
}

/* Whole sixteens, so that a row has no rest. */
static inline int64_t
NAME (until) (const int32_t *seen, int64_t r, int64_t n)
{
  return seen && (seen[r] + 15) / 16 * 16 < n ? (seen[r] + 15) / 16 * 16 : n;
}

/* See PareRtIsa. A step at a time for all rows: each ends in a single number that the next waits for. */
TARGET static void
NAME (weigh_codes) (float *s, int64_t apart, int64_t rows, int64_t n, const PareRtWeighing *w, const float *mask, int64_t mask_apart,
                    const int32_t *seen)
{
  float of[PARE_RT_WEIGHED];
  const float weight_scale = w->weight_scale, least = w->weight_least, most = w->weight_most; /* what is stored could be they */
  for (int64_t r = 0; r < rows; r++)
    of[r] = NAME (scores) (*w, s + r * apart, NAME (until) (seen, r, n), mask ? mask + r * mask_apart : NULL);
  for (int64_t r = 0; r < rows; r++)
    of[r] = 1.0f / NAME (exponents) (s + r * apart, NAME (until) (seen, r, n), of[r]);
  for (int64_t r = 0; r < rows; r++)
    {
      int64_t i = 0, end = NAME (until) (seen, r, n);
      for (; i < end; i += LANES)
        STORE (s + r * apart + i, NAME (lay) (LOAD (s + r * apart + i) * ALL (of[r]) / ALL (weight_scale), least, most));
      for (; i < n; i += LANES)
        STORE (s + r * apart + i, (NAME (vec)){ 0 });
    }
}
#undef PARTS
#undef UNROLL
#undef ALL
