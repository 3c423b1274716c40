/* Weights of blocks of codes by a few rows: part of tile.inc.h. A column is read once, in lines of one word a lane, for all rows; codes
 * become floats in registers. Each lane lies in one block, so that its sum over a line is scaled at once. */

/* Code j of each word, less half of its range. table: all of them, where a vector can be looked up in. */
TARGET static inline __attribute__ ((always_inline)) NAME (vec)
    NAME (block_code) (NAME (uints) words, NAME (vec) table, const int bits, int j)
{
#if defined(PICK) && LANES == 16
  if (bits < 8)
    return PICK (table, words >> (uint32_t)(bits * j));
#endif
  NAME (ints) code = (NAME (ints)) (words << (uint32_t)(32 - bits * (j + 1))); /* the highest bit was turned: it is the sign */
  return __builtin_convertvector(code >> (32 - bits), NAME (vec));
}

/* sum[r] += of one line, which begins at word `at` bytes; scale: of its first block. */
TARGET static inline __attribute__ ((always_inline)) void
NAME (block_line) (const PareRtBlocks *t, const uint8_t *line, const float *scale, int64_t at, NAME (ints) which, NAME (vec) table,
                   int spread, const int bits, const int rows, NAME (vec) * sum)
{
  NAME (uints) words;
  NAME (vec) part[PARE_RT_BLOCK_ROWS] = { { 0 } }, scales;
  const float *x = t->x + at * 8 / bits;
  memcpy (&words, line, sizeof words);
#if !(defined(PICK) && LANES == 16)
  words ^= bits == 8 ? 0x80808080u : bits == 4 ? 0x88888888u : 0xAAAAAAAAu;
#else
  if (bits == 8)
    words ^= 0x80808080u;
#endif
#ifdef PICK
  scales = PICK (LOAD_MASKED (MASK_OF (0, spread), scale), which);
#else
  for (int l = 0; l < LANES; l++)
    scales[l] = scale[which[l]];
#endif
  _Pragma ("GCC unroll 16") for (int j = 0; j < 32 / bits; j++)
  {
    NAME (vec) code = NAME (block_code) (words, table, bits, j);
    _Pragma ("GCC unroll 4") for (int r = 0; r < rows; r++) part[r] = FMADD (code, LOAD (x + r * t->x_apart + j * LANES), part[r]);
  }
  _Pragma ("GCC unroll 4") for (int r = 0; r < rows; r++) sum[r] = FMADD (part[r], scales, sum[r]);
}

TARGET static inline __attribute__ ((always_inline)) void
NAME (block_columns) (const PareRtBlocks *t, int64_t from, int64_t to, const int bits, const int rows)
{
  const int64_t bytes = 4 * LANES, whole = t->used / bytes * bytes, left = t->used - whole;
  const int spread = bytes >> t->log_bytes > 1 ? (int)(bytes >> t->log_bytes) : 1;
  NAME (ints) which;
  NAME (vec) table;
  for (int l = 0; l < LANES; l++)
    {
      which[l] = spread > 1 ? l * 4 >> t->log_bytes : 0;
      table[l] = (float)((l & ((1 << (bits & 7)) - 1)) - (1 << (bits - 1)));
    }
  for (int64_t n = from; n < to; n++)
    {
      const uint8_t *column = t->codes + n * t->row_bytes;
      const float *scale = t->scale + n * t->blocks;
      NAME (vec) sum[PARE_RT_BLOCK_ROWS] = { { 0 } };
      for (int64_t at = 0; at < whole; at += bytes)
        NAME (block_line) (t, column + at, scale + (at >> t->log_bytes), at, which, table, spread, bits, rows, sum);
      if (left > 0)
        {
          uint8_t line[4 * LANES] = { 0 };
          float scales[LANES] = { 0 };
          int64_t first = whole >> t->log_bytes, some = t->blocks - first < LANES ? t->blocks - first : LANES;
          memcpy (line, column + whole, (size_t)left);
          memcpy (scales, scale + first, (size_t)some * sizeof (float));
          NAME (block_line) (t, line, scales, whole, which, table, spread, bits, rows, sum);
        }
      for (int64_t b = 0; t->offset && b < t->blocks; b += LANES)
        {
          NAME (vec) offset = { 0 };
          int64_t some = t->blocks - b < LANES ? t->blocks - b : LANES;
#ifdef MASK
          offset = (NAME (vec))LOAD_MASKED (MASK_OF (0, some), t->offset + n * t->blocks + b);
#else
          memcpy (&offset, t->offset + n * t->blocks + b, (size_t)some * sizeof (float));
#endif
          _Pragma ("GCC unroll 4") for (int r = 0; r < rows; r++) sum[r] = FMADD (offset, LOAD (t->sums + r * t->sums_apart + b), sum[r]);
        }
      _Pragma ("GCC unroll 4") for (int r = 0; r < rows; r++) t->y[r * t->ldy + n] = FOLD_SUM (sum[r]);
    }
}

#define BLOCKS(BITS)                                                                                                                       \
  TARGET static void NAME (blocks_##BITS) (const PareRtBlocks *t, int64_t from, int64_t to, int rows)                                      \
  {                                                                                                                                        \
    switch (rows)                                                                                                                          \
      {                                                                                                                                    \
      case 1:                                                                                                                              \
        NAME (block_columns) (t, from, to, BITS, 1);                                                                                       \
        break;                                                                                                                             \
      case 2:                                                                                                                              \
        NAME (block_columns) (t, from, to, BITS, 2);                                                                                       \
        break;                                                                                                                             \
      case 3:                                                                                                                              \
        NAME (block_columns) (t, from, to, BITS, 3);                                                                                       \
        break;                                                                                                                             \
      default:                                                                                                                             \
        NAME (block_columns) (t, from, to, BITS, 4);                                                                                       \
        break;                                                                                                                             \
      }                                                                                                                                    \
  }
BLOCKS (2)
BLOCKS (4)
BLOCKS (8)
#undef BLOCKS

static void
NAME (blocks) (const PareRtBlocks *t, int64_t from, int64_t to, int rows)
{
  (t->bits == 8 ? NAME (blocks_8) : t->bits == 4 ? NAME (blocks_4) : NAME (blocks_2)) (t, from, to, rows);
}
