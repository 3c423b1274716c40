/* One channel for one instruction set: outputs lie along the strip, so that a tap is one load. A lane of the multiplier takes k_step
 * neighbours, hence k_step sums that start one code apart; put together byte by byte they are in order again. */

TARGET static inline __attribute__ ((always_inline)) VI
NAME (to_code) (VI sum, const PareIntScale *s)
{
  VF v = MULF (ADDF (TO_FLOAT (sum), SPLATF (*s->bias)), SPLATF (*s->scale));
  return ROUND (MINF (MAXF (ADDF (v, SPLATF (s->zero)), SPLATF (s->lo)), SPLATF (s->hi)));
}

TARGET static void
NAME (depthwise) (void *y, const uint8_t *x, const int64_t *offset, const uint8_t *w, int64_t taps, int64_t n, const PareIntScale *scale)
{
  for (int64_t j = 0; j < n; j += LANES * K_STEP)
    {
      VI sum[K_STEP];
      PARE_UNROLL
      for (int q = 0; q < K_STEP; q++)
        sum[q] = SPLAT (*scale->init);
      for (int64_t t = 0; t < taps; t++)
        {
          VL weight = BROADCAST (w + t * COLUMN);
          const uint8_t *from = x + (offset[t] + j) * WIDTH;
          PARE_UNROLL
          for (int q = 0; q < K_STEP; q++)
            sum[q] = DOT (sum[q], LOAD (from + q * WIDTH), weight);
        }
      if (scale->codes)
        {
          uint8_t *to = (uint8_t *)y + j;
#if K_STEP == 4
          VI a = AND (NAME (to_code) (sum[0], scale), SPLAT (255)), b = SHIFT (AND (NAME (to_code) (sum[1], scale), SPLAT (255)), 8);
          VI c = SHIFT (AND (NAME (to_code) (sum[2], scale), SPLAT (255)), 16), d = SHIFT (NAME (to_code) (sum[3], scale), 24);
          STOREI (to, OR (OR (a, b), OR (c, d)));
#elif K_STEP == 2
          STORE_HALVES (to, OR (AND (NAME (to_code) (sum[0], scale), SPLAT (0xFFFF)), SHIFT (NAME (to_code) (sum[1], scale), 16)));
#else
          STORE_CODES (to, NAME (to_code) (sum[0], scale));
#endif
          continue;
        }
      float v[K_STEP][LANES], *to = (float *)y + j;
      PARE_UNROLL
      for (int q = 0; q < K_STEP; q++)
        STOREF (v[q], MULF (ADDF (TO_FLOAT (sum[q]), SPLATF (*scale->bias)), SPLATF (*scale->scale)));
      for (int i = 0; i < LANES; i++)
        for (int q = 0; q < K_STEP; q++)
          to[i * K_STEP + q] = v[q][i];
    }
}
