/* Laying codes and weights as the tiles of one instruction set read them. */

/* `columns` (a multiple of CHUNK, beyond which nothing is touched) of k_step lines, column by column. */
TARGET static inline __attribute__ ((always_inline)) void
NAME (interleave) (uint8_t *to, const uint8_t *const *lines, int64_t columns, PareIntCodes codes)
{
  for (int64_t j = 0; j < columns; j += CHUNK)
    INTERLEAVE (to + j * COLUMN, lines, j, codes);
}

TARGET static void
NAME (panel) (uint8_t *to, const uint8_t *from, int64_t k_stride, int64_t k, int64_t columns, int nv, PareIntCodes codes)
{
  int64_t wide = (int64_t)nv * LANES, whole = (columns < wide ? columns : wide) / CHUNK * CHUNK,
          rest = (columns < wide ? columns : wide) - whole;
  for (int64_t p = 0; p < k; p += K_STEP, to += wide * COLUMN)
    {
      const uint8_t *lines[K_STEP];
      for (int q = 0; q < K_STEP; q++)
        lines[q] = from + (p + q < k ? p + q : p) * k_stride; /* beyond k the weights are zero */
      NAME (interleave) (to, lines, whole, codes);
      if (whole < wide)
        {
          uint8_t tail[K_STEP][CHUNK], done[CHUNK * COLUMN];
          const uint8_t *tails[K_STEP];
          for (int q = 0; q < K_STEP; q++)
            {
              for (int64_t i = 0; i < rest; i++)
                tail[q][i] = lines[q][whole + i];
              for (int64_t i = rest; i < CHUNK; i++)
                tail[q][i] = 0;
              tails[q] = tail[q];
            }
          NAME (interleave) (done, tails, CHUNK, codes);
          memcpy (to + whole * COLUMN, done, (wide - whole < CHUNK ? wide - whole : CHUNK) * COLUMN);
          if (wide - whole > CHUNK)
            memset (to + (whole + CHUNK) * COLUMN, 0, (wide - whole - CHUNK) * COLUMN);
        }
    }
}

TARGET static void
NAME (unfold) (uint8_t *to, const PareIntUnfold *u, int64_t steps, PareIntCodes codes, uint8_t *row)
{
  int64_t vectors = (u->columns + LANES - 1) / LANES, panels = (vectors + CONV_VECTORS - 1) / CONV_VECTORS;
  for (int64_t s = 0; s < steps; s++)
    {
      const int64_t *line = u->line + s * K_STEP;
      int64_t r = u->row, x = u->first, run;
      for (int64_t j = 0; j < u->columns; j += run, r++, x = 0)
        {
          const uint8_t *lines[K_STEP], *from = u->strip + r * u->row_stride + x;
          run = u->width - x < u->columns - j ? u->width - x : u->columns - j;
          for (int q = 0; q < K_STEP; q++)
            lines[q] = from + line[q];
          NAME (interleave)
          (row + j * COLUMN, lines, (run + CHUNK - 1) / CHUNK * CHUNK, codes); /* what is too much is written over by the next */
        }
      const uint8_t *from = row;
      uint8_t *panel = to;
      for (int64_t i = 0; i < panels; i++)
        {
          int64_t nv = vectors / panels + (i < vectors % panels);
          uint8_t *at = panel + s * nv * LANES * COLUMN;
          for (int64_t v = 0; v < nv; v++, from += LANES * COLUMN)
            memcpy (at + v * LANES * COLUMN, from, LANES * COLUMN);
          panel += steps * nv * LANES * COLUMN;
        }
    }
}

TARGET static void
NAME (widen) (void *to, const uint8_t *from, int64_t n, PareIntCodes codes)
{
#if WIDTH == 1
  uint8_t *t = to;
  for (int64_t i = 0; i < n; i++)
    t[i] = from[i] ^ codes.flip;
#else
  int16_t *t = to;
  for (int64_t i = 0; i < n; i++)
    t[i] = (int16_t)((from[i] ^ codes.flip) - codes.zero);
#endif
}

TARGET static void
NAME (expand) (void *to, const uint8_t *from, int64_t n, int bits)
{
#if WIDTH == 1
  int8_t *t = to;
#else
  int16_t *t = to;
#endif
  if (bits == 8)
    for (int64_t i = 0; i < n; i++)
      t[i] = (int8_t)from[i];
  else if (bits == 4)
    for (int64_t i = 0; i < n; i += 64, from += 32, t += 64)
      for (int j = 0; j < 32; j++)
        {
          t[j] = (int8_t)((from[j] & 15) - 8);
          t[j + 32] = (int8_t)((from[j] >> 4) - 8);
        }
  else
    for (int64_t i = 0; i < n; i += 64, from += 16, t += 64)
      for (int j = 0; j < 16; j++)
        {
          t[j] = (int8_t)((from[j] & 3) - 2);
          t[j + 16] = (int8_t)((from[j] >> 2 & 3) - 2);
          t[j + 32] = (int8_t)((from[j] >> 4 & 3) - 2);
          t[j + 48] = (int8_t)((from[j] >> 6) - 2);
        }
}
