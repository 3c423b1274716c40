/* One channel for one instruction set: outputs lie along the strip, so that a tap is one load. A lane of the multiplier takes k_step
 * neighbours, hence (for a stride of one) k_step sums that start one code apart; put together byte by byte they are in order again. */

/* What PareIntScale has of one channel, in all lanes. */
typedef struct
{
  VF bias, scale, lo, hi, factor, offset, least, most, rounding;
  VI zero;
} NAME (Channel);

TARGET static inline __attribute__ ((always_inline)) VI
NAME (to_code) (VI sum, const NAME (Channel) * c, const bool affine)
{
  VF v = MULF (ADDF (TO_FLOAT (sum), c->bias), c->scale);
  if (affine)
    {
      v = ADDF (MINF (MAXF (v, c->least), c->most), c->rounding);
      v = ADDF (MULF (SUBF (v, c->rounding), c->factor), c->offset);
    }
  return ROUND (MINF (MAXF (v, c->lo), c->hi)) + c->zero;
}

/* Outputs j..: LANES * sums of them, whose columns are `stride` codes apart. */
TARGET static inline __attribute__ ((always_inline)) void
NAME (depthwise_part) (void *y, const uint8_t *x, const int64_t *offset, const uint8_t *w, const int64_t taps, int64_t n, const int sums,
                       const int stride, const bool affine, const PareIntScale *scale)
{
  NAME (Channel) of = { .bias = SPLATF (*scale->bias), .scale = SPLATF (*scale->scale), .lo = SPLATF (scale->lo), .hi = SPLATF (scale->hi) };
  of.zero = SPLAT (scale->zero);
  if (affine)
    {
      of.factor = SPLATF (*scale->factor);
      of.offset = SPLATF (*scale->offset);
      of.least = SPLATF (scale->least);
      of.most = SPLATF (scale->most);
      of.rounding = SPLATF (scale->rounding);
    }
  const VI init = SPLAT (*scale->init);
  const bool codes = affine || scale->codes;
  for (int64_t j = 0; j < n; j += LANES * sums)
    {
      VI sum[K_STEP];
      PARE_UNROLL
      for (int q = 0; q < sums; q++)
        sum[q] = init;
      for (int64_t t = 0; t < taps; t++)
        {
          VL weight = BROADCAST (w + t * COLUMN);
          const uint8_t *from = x + (offset[t] + j * stride) * WIDTH;
#if defined(ALIGN)
          if (sums > 1) /* loads of all of them would go across lines of the cache */
            {
              VL at = LOAD (from), behind = LOAD (from + 16);
              sum[0] = DOT (sum[0], at, weight);
              sum[1] = stride == 2 ? DOT (sum[1], ALIGN (at, behind, 2 * WIDTH), weight) : DOT (sum[1], ALIGN (at, behind, WIDTH), weight);
#if K_STEP == 4
              if (sums == 4)
                {
                  sum[2] = DOT (sum[2], ALIGN (at, behind, 2 * WIDTH), weight);
                  sum[3] = DOT (sum[3], ALIGN (at, behind, 3 * WIDTH), weight);
                }
#endif
              continue;
            }
#endif
          PARE_UNROLL
          for (int q = 0; q < sums; q++)
            sum[q] = DOT (sum[q], LOAD (from + q * stride * WIDTH), weight);
        }
      if (codes)
        {
          uint8_t *to = (uint8_t *)y + j;
#if K_STEP == 4
          if (sums == 4)
            {
              VI a = AND (NAME (to_code) (sum[0], &of, affine), SPLAT (255));
              VI b = SHIFT (AND (NAME (to_code) (sum[1], &of, affine), SPLAT (255)), 8);
              VI c = SHIFT (AND (NAME (to_code) (sum[2], &of, affine), SPLAT (255)), 16);
              VI d = SHIFT (NAME (to_code) (sum[3], &of, affine), 24);
              STOREI (to, OR (OR (a, b), OR (c, d)));
              continue;
            }
#endif
#if K_STEP >= 2
          if (sums == 2)
            {
              VI a = NAME (to_code) (sum[0], &of, affine), b = NAME (to_code) (sum[1], &of, affine);
#if K_STEP == 4
              STORE_PAIRS (to, OR (AND (a, SPLAT (255)), SHIFT (b, 8)));
#else
              STORE_HALVES (to, OR (AND (a, SPLAT (0xFFFF)), SHIFT (b, 16)));
#endif
              continue;
            }
#endif
          STORE_CODES (to, NAME (to_code) (sum[0], &of, affine));
          continue;
        }
      float v[K_STEP][LANES], *to = (float *)y + j;
      PARE_UNROLL
      for (int q = 0; q < sums; q++)
        STOREF (v[q], MULF (ADDF (TO_FLOAT (sum[q]), of.bias), of.scale));
      for (int i = 0; i < LANES; i++)
        for (int q = 0; q < sums; q++)
          to[i * sums + q] = v[q][i];
    }
}

TARGET static inline __attribute__ ((always_inline)) void
NAME (depthwise_strided) (void *y, const uint8_t *x, const int64_t *offset, const uint8_t *w, int64_t taps, int64_t n, const int sums,
                          const int stride, const PareIntScale *scale)
{
  if (scale->factor)
    NAME (depthwise_part) (y, x, offset, w, taps, n, sums, stride, true, scale);
  else if (taps == 3) /* of 3 x 3, where a tap takes a row */
    NAME (depthwise_part) (y, x, offset, w, 3, n, sums, stride, false, scale);
  else
    NAME (depthwise_part) (y, x, offset, w, taps, n, sums, stride, false, scale);
}

TARGET static void
NAME (depthwise) (void *y, const uint8_t *x, const int64_t *offset, const uint8_t *w, int64_t taps, int64_t n, int stride,
                  const PareIntScale *scale)
{
#if K_STEP > 1
  if (stride == 2)
    {
      NAME (depthwise_strided) (y, x, offset, w, taps, n, K_STEP / 2, 2, scale);
      return;
    }
#endif
  NAME (depthwise_strided) (y, x, offset, w, taps, n, K_STEP, 1, scale);
}
