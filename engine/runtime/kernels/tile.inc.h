/* One instruction set's kernels. The includer defines NAME(x), LANES, TARGET, FMA(acc, b, s) (s a float), LARGER(a, x) and SMALLER(a, x) (x
 * where it is NaN), TILE_ROWS and TILE_VECTORS. */
typedef float NAME (vec) __attribute__ ((vector_size (LANES * 4)));
typedef float NAME (vec_u) __attribute__ ((vector_size (LANES * 4), aligned (4), may_alias));
#define LOAD(p) (*(const NAME (vec_u) *)(p))
#define STORE(p, x) (*(NAME (vec_u) *)(p) = (x))

#define TILE(ROWS, VECTORS)                                                                                                                \
  TARGET static void NAME (tile##ROWS##x##VECTORS) (const PareRtTile *t)                                                                   \
  {                                                                                                                                        \
    NAME (vec) acc[ROWS][VECTORS];                                                                                                         \
    const float *b[VECTORS], *a = t->a;                                                                                                    \
    _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++) b[v] = t->b[v];                                                             \
    if (t->add)                                                                                                                            \
      {                                                                                                                                    \
        _Pragma ("GCC unroll 8") for (int r = 0; r < ROWS; r++) _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++) acc[r][v]        \
            = LOAD (t->c + r * t->ldc + t->at[v]);                                                                                         \
      }                                                                                                                                    \
    else                                                                                                                                   \
      {                                                                                                                                    \
        _Pragma ("GCC unroll 8") for (int r = 0; r < ROWS; r++)                                                                            \
        {                                                                                                                                  \
          NAME (vec) s = (t->start ? t->start[r] : 0) + (NAME (vec)){ 0 };                                                                 \
          _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++) acc[r][v] = s;                                                        \
        }                                                                                                                                  \
      }                                                                                                                                    \
    int64_t at = 0, stride = t->channel_stride, n_taps = t->n_taps;                                                                        \
    const int64_t *taps = t->taps;                                                                                                         \
    for (int64_t c = t->channels; c > 0; c--, at += stride)                                                                                \
      for (int64_t i = 0; i < n_taps; i++, a += ROWS)                                                                                      \
        {                                                                                                                                  \
          int64_t from = at + taps[i];                                                                                                     \
          NAME (vec) x[VECTORS];                                                                                                           \
          _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++) x[v] = LOAD (b[v] + from);                                            \
          _Pragma ("GCC unroll 8") for (int r = 0; r < ROWS; r++)                                                                          \
          {                                                                                                                                \
            float s = a[r];                                                                                                                \
            _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++) acc[r][v] = FMA (acc[r][v], x[v], s);                               \
          }                                                                                                                                \
        }                                                                                                                                  \
    if (t->residual)                                                                                                                       \
      {                                                                                                                                    \
        _Pragma ("GCC unroll 8") for (int r = 0; r < ROWS; r++) _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++) acc[r][v]        \
            += LOAD (t->residual + r * t->ldc + t->at[v]);                                                                                 \
      }                                                                                                                                    \
    if (t->clip)                                                                                                                           \
      {                                                                                                                                    \
        NAME (vec) lo = t->lo + (NAME (vec)){ 0 }, hi = t->hi + (NAME (vec)){ 0 };                                                         \
        _Pragma ("GCC unroll 8") for (int r = 0; r < ROWS; r++) _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++) acc[r][v]        \
            = SMALLER (hi, LARGER (lo, acc[r][v]));                                                                                        \
      }                                                                                                                                    \
    _Pragma ("GCC unroll 8") for (int r = 0; r < ROWS; r++) _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++)                      \
        STORE (t->c + r * t->ldc + t->at[v], acc[r][v]);                                                                                   \
  }
#if TILE_VECTORS == 3
#define TILES(ROWS) TILE (ROWS, 1) TILE (ROWS, 2) TILE (ROWS, 3)
#define TILES_OF(ROWS) { NAME (tile##ROWS##x1), NAME (tile##ROWS##x2), NAME (tile##ROWS##x3) }
#else
#define TILES(ROWS) TILE (ROWS, 1) TILE (ROWS, 2)
#define TILES_OF(ROWS) { NAME (tile##ROWS##x1), NAME (tile##ROWS##x2), NULL }
#endif
TILES (1)
TILES (2)
TILES (3)
TILES (4)
#if TILE_ROWS == 8
TILES (5)
TILES (6)
TILES (7)
TILES (8)
#endif

/* Depthwise rows. A column block's input vectors are read once for all output rows that they belong to. */
TARGET static inline __attribute__ ((always_inline)) void
NAME (rows_block) (const PareRtRows *t, const int64_t *row_at, int64_t col, int rows, int kh, int kw, int stride, NAME (vec) * acc)
{
  NAME (vec) bias = t->bias + (NAME (vec)){ 0 };
  _Pragma ("GCC unroll 8") for (int r = 0; r < rows; r++) acc[r] = bias;
  _Pragma ("GCC unroll 16") for (int j = 0; j < (rows - 1) * stride + kh; j++)
  {
    const float *x = t->x + row_at[j] + col;
    _Pragma ("GCC unroll 8") for (int kx = 0; kx < kw; kx++)
    {
      NAME (vec) v = LOAD (x + t->tap[kx]);
      _Pragma ("GCC unroll 8") for (int r = 0; r < rows; r++)
      {
        int ky = j - r * stride;
        if (ky >= 0 && ky < kh)
          acc[r] = FMA (acc[r], v, t->w[ky * kw + kx]);
      }
    }
  }
  if (t->clip)
    {
      NAME (vec) lo = t->lo + (NAME (vec)){ 0 }, hi = t->hi + (NAME (vec)){ 0 };
      _Pragma ("GCC unroll 8") for (int r = 0; r < rows; r++) acc[r] = SMALLER (hi, LARGER (lo, acc[r]));
    }
}

TARGET static inline __attribute__ ((always_inline)) void
NAME (rows_all) (const PareRtRows *t, int rows, int kh, int kw, int stride)
{
  NAME (vec) acc[PARE_RT_DEPTHWISE_ROWS];
  for (int64_t col = 0; col < t->ow; col += LANES)
    {
      /* the last block ends with the row: a few columns are computed twice, to the same bits */
      int64_t at = col + LANES > t->ow && t->ow >= LANES ? t->ow - LANES : col;
      NAME (rows_block) (t, t->row_at, at, rows, kh, kw, stride, acc);
      _Pragma ("GCC unroll 8") for (int r = 0; r < rows; r++) STORE (t->y + r * t->ldy + at, acc[r]);
    }
}

#define ROWS(KH, KW, STRIDE)                                                                                                               \
  TARGET static void NAME (rows##KH##x##KW##s##STRIDE) (const PareRtRows *t, int rows)                                                     \
  {                                                                                                                                        \
    if (rows == 4)                                                                                                                         \
      NAME (rows_all) (t, 4, KH, KW, STRIDE);                                                                                              \
    else if (rows == 3)                                                                                                                    \
      NAME (rows_all) (t, 3, KH, KW, STRIDE);                                                                                              \
    else if (rows == 2)                                                                                                                    \
      NAME (rows_all) (t, 2, KH, KW, STRIDE);                                                                                              \
    else                                                                                                                                   \
      NAME (rows_all) (t, 1, KH, KW, STRIDE);                                                                                              \
  }
ROWS (3, 3, 1)
ROWS (3, 3, 2)
ROWS (5, 5, 1)
ROWS (5, 5, 2)
#undef ROWS

/* Any kernel: one row, four vectors at a time where there are as many. */
TARGET static inline __attribute__ ((always_inline)) void
NAME (any_block) (const PareRtRows *t, const float *const x, const int64_t *row_at, float *y, int vectors)
{
  NAME (vec) acc[4];
  const float *w = t->w;
  _Pragma ("GCC unroll 4") for (int v = 0; v < vectors; v++) acc[v] = t->bias + (NAME (vec)){ 0 };
  for (int64_t ky = 0; ky < t->kh; ky++)
    for (int64_t kx = 0; kx < t->kw; kx++, w++)
      {
        const float *from = x + row_at[ky] + t->tap[kx];
        _Pragma ("GCC unroll 4") for (int v = 0; v < vectors; v++) acc[v] = FMA (acc[v], LOAD (from + v * LANES), *w);
      }
  _Pragma ("GCC unroll 4") for (int v = 0; v < vectors; v++)
  {
    if (t->clip)
      acc[v] = SMALLER (t->hi + (NAME (vec)){ 0 }, LARGER (t->lo + (NAME (vec)){ 0 }, acc[v]));
    STORE (y + v * LANES, acc[v]);
  }
}

TARGET static void
NAME (rows_any) (const PareRtRows *t, int64_t row)
{
  const int64_t *row_at = t->row_at + row * t->stride;
  float *y = t->y + row * t->ldy;
  int64_t col = 0;
  for (; col + 4 * LANES <= t->ow; col += 4 * LANES)
    NAME (any_block) (t, t->x + col, row_at, y + col, 4);
  for (; col < t->ow; col += LANES)
    {
      int64_t at = col + LANES > t->ow && t->ow >= LANES ? t->ow - LANES : col;
      NAME (any_block) (t, t->x + at, row_at, y + at, 1);
    }
}

TARGET static void
NAME (depthwise) (const PareRtRows *t, int rows)
{
  if (t->kh == 3 && t->kw == 3 && t->stride == 1)
    NAME (rows3x3s1) (t, rows);
  else if (t->kh == 3 && t->kw == 3 && t->stride == 2)
    NAME (rows3x3s2) (t, rows);
  else if (t->kh == 5 && t->kw == 5 && t->stride == 1)
    NAME (rows5x5s1) (t, rows);
  else if (t->kh == 5 && t->kw == 5 && t->stride == 2)
    NAME (rows5x5s2) (t, rows);
  else
    for (int r = 0; r < rows; r++)
      NAME (rows_any) (t, r);
}

TARGET static void
NAME (row) (const float *a, int64_t k, const float *b, int64_t ldb, float *y, int64_t n)
{
  int64_t j = 0;
  for (; j + 8 * LANES <= n; j += 8 * LANES)
    {
      NAME (vec) acc[8];
      _Pragma ("GCC unroll 8") for (int v = 0; v < 8; v++) acc[v] = (NAME (vec)){ 0 };
      for (int64_t p = 0; p < k; p++)
        {
          const float *from = b + p * ldb + j;
          float s = a[p];
          _Pragma ("GCC unroll 8") for (int v = 0; v < 8; v++) acc[v] = FMA (acc[v], LOAD (from + v * LANES), s);
        }
      _Pragma ("GCC unroll 8") for (int v = 0; v < 8; v++) STORE (y + j + v * LANES, acc[v]);
    }
  for (; j < n; j += LANES)
    {
      int64_t some = n - j < LANES ? n - j : LANES;
      NAME (vec) acc = { 0 };
      if (some == LANES)
        for (int64_t p = 0; p < k; p++)
          acc = FMA (acc, LOAD (b + p * ldb + j), a[p]);
      else
        for (int64_t p = 0; p < k; p++)
          {
            NAME (vec) x = { 0 };
            memcpy (&x, b + p * ldb + j, some * sizeof (float));
            acc = FMA (acc, x, a[p]);
          }
      memcpy (y + j, &acc, some * sizeof (float));
    }
}

static const PareRtIsa NAME (isa) = {
  .name = ISA_NAME,
  .lanes = LANES,
  .rows = TILE_ROWS,
  .vectors = TILE_VECTORS,
  .tile = { TILES_OF (1), TILES_OF (2), TILES_OF (3), TILES_OF (4),
#if TILE_ROWS == 8
            TILES_OF (5), TILES_OF (6), TILES_OF (7), TILES_OF (8)
#endif
  },
  .depthwise = NAME (depthwise),
  .row = NAME (row),
};
#undef TILE
#undef TILES
#undef TILES_OF
#undef LOAD
#undef STORE
#undef NAME
#undef LANES
#undef TARGET
#undef FMA
#undef LARGER
#undef SMALLER
#undef TILE_ROWS
#undef TILE_VECTORS
#undef ISA_NAME
