/* One channel for one instruction set: outputs lie along the strip, so that a tap is one load. A lane of the multiplier takes k_step
 * neighbours, hence (for a stride of one) k_step sums that start one code apart; put together byte by byte they are in order again. */

TARGET static inline __attribute__ ((always_inline)) VI
NAME (to_code) (VI sum, const PareIntScale *s)
{
  VF v = MULF (ADDF (TO_FLOAT (sum), SPLATF (*s->bias)), SPLATF (*s->scale));
  if (s->factor)
    {
      v = ADDF (MINF (MAXF (v, SPLATF (s->least)), SPLATF (s->most)), SPLATF (s->rounding));
      v = ADDF (MULF (SUBF (v, SPLATF (s->rounding)), SPLATF (*s->factor)), SPLATF (*s->offset));
    }
  return ROUND (MINF (MAXF (v, SPLATF (s->lo)), SPLATF (s->hi))) + SPLAT (s->zero);
}

/* Outputs j..: LANES * sums of them, whose columns are `stride` codes apart. */
TARGET static inline __attribute__ ((always_inline)) void
NAME (depthwise_part) (void *y, const uint8_t *x, const int64_t *offset, const uint8_t *w, int64_t taps, int64_t n, const int sums,
                       const int stride, const PareIntScale *scale)
{
  for (int64_t j = 0; j < n; j += LANES * sums)
    {
      VI sum[K_STEP];
      PARE_UNROLL
      for (int q = 0; q < sums; q++)
        sum[q] = SPLAT (*scale->init);
      for (int64_t t = 0; t < taps; t++)
        {
          VL weight = BROADCAST (w + t * COLUMN);
          const uint8_t *from = x + (offset[t] + j * stride) * WIDTH;
          PARE_UNROLL
          for (int q = 0; q < sums; q++)
            sum[q] = DOT (sum[q], LOAD (from + q * stride * WIDTH), weight);
        }
      if (scale->codes)
        {
          uint8_t *to = (uint8_t *)y + j;
#if K_STEP == 4
          if (sums == 4)
            {
              VI a = AND (NAME (to_code) (sum[0], scale), SPLAT (255)), b = SHIFT (AND (NAME (to_code) (sum[1], scale), SPLAT (255)), 8);
              VI c = SHIFT (AND (NAME (to_code) (sum[2], scale), SPLAT (255)), 16), d = SHIFT (NAME (to_code) (sum[3], scale), 24);
              STOREI (to, OR (OR (a, b), OR (c, d)));
              continue;
            }
#endif
#if K_STEP >= 2
          if (sums == 2)
            {
              VI a = NAME (to_code) (sum[0], scale), b = NAME (to_code) (sum[1], scale);
#if K_STEP == 4
              STORE_PAIRS (to, OR (AND (a, SPLAT (255)), SHIFT (b, 8)));
#else
              STORE_HALVES (to, OR (AND (a, SPLAT (0xFFFF)), SHIFT (b, 16)));
#endif
              continue;
            }
#endif
          STORE_CODES (to, NAME (to_code) (sum[0], scale));
          continue;
        }
      float v[K_STEP][LANES], *to = (float *)y + j;
      PARE_UNROLL
      for (int q = 0; q < sums; q++)
        STOREF (v[q], MULF (ADDF (TO_FLOAT (sum[q]), SPLATF (*scale->bias)), SPLATF (*scale->scale)));
      for (int i = 0; i < LANES; i++)
        for (int q = 0; q < sums; q++)
          to[i * sums + q] = v[q][i];
    }
}

TARGET static void
NAME (depthwise) (void *y, const uint8_t *x, const int64_t *offset, const uint8_t *w, int64_t taps, int64_t n, int stride,
                  const PareIntScale *scale)
{
#if K_STEP > 1
  if (stride == 2)
    {
      NAME (depthwise_part) (y, x, offset, w, taps, n, K_STEP / 2, 2, scale);
      return;
    }
#endif
  NAME (depthwise_part) (y, x, offset, w, taps, n, K_STEP, 1, scale);
}
