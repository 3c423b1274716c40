/* One instruction set's kernels. The includer defines NAME(x), LANES, TARGET, FMA(acc, b, s) (s a float), FMADD(a, b, c) of vectors,
 * LARGER(a, x) and SMALLER(a, x) (x where it is NaN), TILE_ROWS and TILE_VECTORS, EVEN(a, b) and ODD(a, b) (of two vectors' lanes), LOW(a,
 * b) and HIGH(a, b) (the lanes of both in turns, first and second half); where loads can be masked also MASK, MASK_OF(from, to) (lanes from
 * <= i < to), LOAD_MASKED, STORE_MASKED; where there are instructions for it FOLD_SUM and FOLD_MAX of a vector,
 * ROUND(x) (half to even), TIMES_POWER(x, k) (x 2^k), PICK(x, which) (for each lane the lane of x that the lowest bits of which say). */
typedef float NAME (vec) __attribute__ ((vector_size (LANES * 4)));
typedef float NAME (vec_u) __attribute__ ((vector_size (LANES * 4), aligned (4), may_alias));
typedef int32_t NAME (ints) __attribute__ ((vector_size (LANES * 4)));
typedef uint32_t NAME (uints) __attribute__ ((vector_size (LANES * 4)));
#define LOAD(p) (*(const NAME (vec_u) *)(p))
#define STORE(p, x) (*(NAME (vec_u) *)(p) = (x))

/* A vector's lanes in one, halves upon halves. */
#ifndef FOLD_SUM
static inline float
NAME (fold_sum) (NAME (vec) v)
{
  float lanes[LANES];
  STORE (lanes, v);
  for (int w = LANES / 2; w > 0; w /= 2)
    for (int l = 0; l < w; l++)
      lanes[l] += lanes[l + w];
  return lanes[0];
}

static inline float
NAME (fold_max) (NAME (vec) v)
{
  float lanes[LANES];
  STORE (lanes, v);
  for (int w = LANES / 2; w > 0; w /= 2)
    for (int l = 0; l < w; l++)
      lanes[l] = lanes[l + w] > lanes[l] ? lanes[l + w] : lanes[l];
  return lanes[0];
}
#define FOLD_SUM(v) NAME (fold_sum) (v)
#define FOLD_MAX(v) NAME (fold_max) (v)
#endif

#define TILE(ROWS, VECTORS)                                                                                                                \
  TARGET static void NAME (tile##ROWS##x##VECTORS) (const PareRtTile *t)                                                                   \
  {                                                                                                                                        \
    NAME (vec) acc[ROWS][VECTORS];                                                                                                         \
    const float *b[VECTORS], *a = t->a;                                                                                                    \
    _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++) b[v] = t->b[v];                                                             \
    if (t->add)                                                                                                                            \
      {                                                                                                                                    \
        _Pragma ("GCC unroll 8") for (int r = 0; r < ROWS; r++) _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++) acc[r][v]       \
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
        _Pragma ("GCC unroll 8") for (int r = 0; r < ROWS; r++) _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++) acc[r][v]       \
            += LOAD (t->residual + r * t->ldc + t->at[v]);                                                                                 \
      }                                                                                                                                    \
    if (t->leaky)                                                                                                                          \
      {                                                                                                                                    \
        NAME (vec) alpha = t->alpha + (NAME (vec)){ 0 };                                                                                   \
        _Pragma ("GCC unroll 8") for (int r = 0; r < ROWS; r++) _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++)                 \
        {                                                                                                                                  \
          NAME (ints) below = acc[r][v] < (NAME (vec)){ 0 };                                                                               \
          acc[r][v] = (NAME (vec)) (((NAME (ints)) (acc[r][v] * alpha) & below) | ((NAME (ints))acc[r][v] & ~below));                      \
        }                                                                                                                                  \
      }                                                                                                                                    \
    if (t->clip)                                                                                                                           \
      {                                                                                                                                    \
        NAME (vec) lo = t->lo + (NAME (vec)){ 0 }, hi = t->hi + (NAME (vec)){ 0 };                                                         \
        _Pragma ("GCC unroll 8") for (int r = 0; r < ROWS; r++) _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++) acc[r][v]       \
            = SMALLER (hi, LARGER (lo, acc[r][v]));                                                                                        \
      }                                                                                                                                    \
    _Pragma ("GCC unroll 8") for (int r = 0; r < ROWS; r++) _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++)                     \
        STORE (t->c + r * t->ldc + t->at[v], acc[r][v]);                                                                                   \
  }
#if TILE_VECTORS == 3
#define TILES(ROWS) TILE (ROWS, 1) TILE (ROWS, 2) TILE (ROWS, 3)
#define TILES_OF(ROWS)                                                                                                                     \
  {                                                                                                                                        \
    NAME (tile##ROWS##x1), NAME (tile##ROWS##x2), NAME (tile##ROWS##x3)                                                                    \
  }
#else
#define TILES(ROWS) TILE (ROWS, 1) TILE (ROWS, 2)
#define TILES_OF(ROWS)                                                                                                                     \
  {                                                                                                                                        \
    NAME (tile##ROWS##x1), NAME (tile##ROWS##x2), NULL                                                                                     \
  }
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

/* Rows of a as they lie: nothing is packed for a product whose panels are few. */
#define DIRECT(ROWS, VECTORS)                                                                                                              \
  TARGET static void NAME (direct##ROWS##x##VECTORS) (const PareRtDirect *t)                                                               \
  {                                                                                                                                        \
    NAME (vec) acc[ROWS][VECTORS];                                                                                                         \
    const float *a = t->a, *b = t->b;                                                                                                      \
    int64_t lda = t->lda;                                                                                                                  \
    _Pragma ("GCC unroll 8") for (int r = 0; r < ROWS; r++) _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++) acc[r][v]           \
        = t->add ? (NAME (vec))LOAD (t->c + r * t->ldc + v * LANES) : (NAME (vec)){ 0 };                                                   \
    for (int64_t p = 0; p < t->k; p++, b += VECTORS * LANES)                                                                               \
      {                                                                                                                                    \
        NAME (vec) x[VECTORS];                                                                                                             \
        _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++) x[v] = LOAD (b + v * LANES);                                            \
        _Pragma ("GCC unroll 8") for (int r = 0; r < ROWS; r++)                                                                            \
        {                                                                                                                                  \
          float s = a[r * lda + p];                                                                                                        \
          _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++) acc[r][v] = FMA (acc[r][v], x[v], s);                                 \
        }                                                                                                                                  \
      }                                                                                                                                    \
    _Pragma ("GCC unroll 8") for (int r = 0; r < ROWS; r++) _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++)                     \
        STORE (t->c + r * t->ldc + v * LANES, acc[r][v]);                                                                                  \
  }
#if TILE_VECTORS == 3
#define DIRECTS(ROWS) DIRECT (ROWS, 1) DIRECT (ROWS, 2) DIRECT (ROWS, 3)
#define DIRECTS_OF(ROWS)                                                                                                                   \
  {                                                                                                                                        \
    NAME (direct##ROWS##x1), NAME (direct##ROWS##x2), NAME (direct##ROWS##x3)                                                              \
  }
#else
#define DIRECTS(ROWS) DIRECT (ROWS, 1) DIRECT (ROWS, 2)
#define DIRECTS_OF(ROWS)                                                                                                                   \
  {                                                                                                                                        \
    NAME (direct##ROWS##x1), NAME (direct##ROWS##x2), NULL                                                                                 \
  }
#endif
DIRECTS (1)
DIRECTS (2)
DIRECTS (3)
DIRECTS (4)
#if TILE_ROWS == 8
DIRECTS (5)
DIRECTS (6)
DIRECTS (7)
DIRECTS (8)
#endif

/* One k of a panel: x are its columns of vector v. */
#define PANEL_TERM(ROWS, v, x, p) _Pragma ("GCC unroll 8") for (int r = 0; r < ROWS; r++) acc[r][v] = FMA (acc[r][v], x, a[r * lda + (p)])
#define EVEN_OF(w) ((NAME (vec)) ((w) << 16))
#define ODD_OF(w) ((NAME (vec)) ((w) & ~0xffff))
#define PANEL(NAMED, ROWS, VECTORS)                                                                                                        \
  TARGET static void NAME (NAMED##VECTORS) (const PareRtPanel *t)                                                                          \
  {                                                                                                                                        \
    NAME (vec) acc[ROWS][VECTORS] = { 0 };                                                                                                 \
    const float *a = t->a, *b = t->b;                                                                                                      \
    int64_t lda = t->lda, ldb = t->ldb;                                                                                                    \
    for (int64_t p = 0; p < t->k; p++, b += ldb)                                                                                           \
      _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++)                                                                           \
      {                                                                                                                                    \
        NAME (vec) x = LOAD (b + v * LANES);                                                                                               \
        PANEL_TERM (ROWS, v, x, p);                                                                                                        \
      }                                                                                                                                    \
    PANEL_STORE (ROWS, VECTORS)                                                                                                            \
  }                                                                                                                                        \
  TARGET static void NAME (narrow_##NAMED##VECTORS) (const PareRtPanel *t)                                                                 \
  {                                                                                                                                        \
    NAME (vec) acc[ROWS][VECTORS] = { 0 };                                                                                                 \
    const float *a = t->a, *b = t->b;                                                                                                      \
    int64_t lda = t->lda, ldb = t->ldb, p = 0;                                                                                             \
    for (; p + 1 < t->k; p += 2, b += ldb)                                                                                                 \
      _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++)                                                                           \
      {                                                                                                                                    \
        NAME (uints) w = (NAME (uints))LOAD (b + v * LANES);                                                                               \
        PANEL_TERM (ROWS, v, EVEN_OF (w), p);                                                                                              \
        PANEL_TERM (ROWS, v, ODD_OF (w), p + 1);                                                                                           \
      }                                                                                                                                    \
    if (p < t->k)                                                                                                                          \
      _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++)                                                                           \
      {                                                                                                                                    \
        NAME (uints) w = (NAME (uints))LOAD (b + v * LANES);                                                                               \
        PANEL_TERM (ROWS, v, EVEN_OF (w), p);                                                                                              \
      }                                                                                                                                    \
    PANEL_STORE (ROWS, VECTORS)                                                                                                            \
  }
#define PANEL_STORE(ROWS, VECTORS)                                                                                                         \
  _Pragma ("GCC unroll 8") for (int r = 0; r < ROWS; r++) _Pragma ("GCC unroll 8") for (int v = 0; v < VECTORS; v++)                       \
      STORE (t->y[v] + r * t->ldy, acc[r][v]);
#if TILE_ROWS == 8
#define PANEL_ROWS 4
#else
#define PANEL_ROWS 2
#endif
#define PANELS(VECTORS) PANEL (panel, 1, VECTORS)
PANELS (1)
PANELS (2)
PANELS (3)
PANELS (4)
PANELS (5)
PANELS (6)
PANELS (7)
PANELS (8)
PANEL (panel_rows, PANEL_ROWS, 1)
PANEL (panel_rows, PANEL_ROWS, 2)
PANEL (panel_rows, PANEL_ROWS, 3)
PANEL (panel_rows, PANEL_ROWS, 4)

#ifdef MASK
/* Depthwise planes as they lie: what reaches beyond a row is masked, what reaches beyond the plane reads zeros. The input of a block of
 * columns is read once for all output rows that it belongs to. */
TARGET static inline __attribute__ ((always_inline)) void
NAME (plane_block) (const PareRtPlane *t, const float *const *row, int64_t first, int rows, int kernel, int stride, bool masked,
                    NAME (vec) * acc)
{
  MASK masks[6] = { 0 };
  NAME (vec) bias = t->bias + (NAME (vec)){ 0 };
  for (int i = 0; masked && i < (stride == 1 ? kernel : kernel + 1); i++)
    {
      int64_t at = first + (stride == 1 ? i : i / 2 * 2 + i % 2 * LANES), from = at < 0 ? -at : 0, to = t->iw - at;
      masks[i] = MASK_OF (from < LANES ? from : LANES, to < 0 ? 0 : to < LANES ? to : LANES);
    }
#define READ(i, p) (masked ? (NAME (vec))LOAD_MASKED (masks[i], p) : (NAME (vec))LOAD (p))
  _Pragma ("GCC unroll 8") for (int r = 0; r < rows; r++) acc[r] = bias;
  _Pragma ("GCC unroll 16") for (int j = 0; j < (rows - 1) * stride + kernel; j++)
  {
    const float *x = row[j] + first;
    NAME (vec) tap[6];
    if (stride == 1)
      {
        _Pragma ("GCC unroll 8") for (int i = 0; i < kernel; i++) tap[i] = READ (i, x + i);
      }
    else
      {
        _Pragma ("GCC unroll 8") for (int i = 0; i < kernel; i += 2)
        {
          NAME (vec) low = READ (i, x + i), high = READ (i + 1, x + i + LANES);
          tap[i] = EVEN (low, high);
          tap[i + 1] = ODD (low, high);
        }
      }
    _Pragma ("GCC unroll 8") for (int i = 0; i < kernel; i++) _Pragma ("GCC unroll 8") for (int r = 0; r < rows; r++)
    {
      int ky = j - r * stride;
      if (ky >= 0 && ky < kernel)
        acc[r] = FMA (acc[r], tap[i], t->w[ky * kernel + i]);
    }
  }
#undef READ
  if (t->clip)
    {
      NAME (vec) lo = t->lo + (NAME (vec)){ 0 }, hi = t->hi + (NAME (vec)){ 0 };
      _Pragma ("GCC unroll 8") for (int r = 0; r < rows; r++) acc[r] = SMALLER (hi, LARGER (lo, acc[r]));
    }
}

TARGET static inline __attribute__ ((always_inline)) void
NAME (plane_rows) (const PareRtPlane *t, int64_t oy, int rows, int kernel, int stride)
{
  NAME (vec) acc[PARE_RT_DEPTHWISE_ROWS];
  const float *row[(PARE_RT_DEPTHWISE_ROWS - 1) * 2 + 5];
  for (int j = 0; j < (rows - 1) * stride + kernel; j++)
    {
      int64_t iy = oy * stride - t->pad_top + j;
      row[j] = iy >= 0 && iy < t->ih ? t->x + iy * t->iw : t->zeros;
    }
  int64_t reach = stride == 1 ? LANES + kernel - 1 : 2 * LANES + kernel - 1;
  for (int64_t col = 0; col < t->ow; col += LANES)
    {
      /* the last block ends with the row: a few columns are computed twice, to the same bits */
      int64_t at = col + LANES > t->ow && t->ow >= LANES ? t->ow - LANES : col, first = at * stride - t->pad_left;
      float *y = t->y + oy * t->ow + at;
      if (first >= 0 && first + reach <= t->iw)
        NAME (plane_block) (t, row, first, rows, kernel, stride, false, acc);
      else
        NAME (plane_block) (t, row, first, rows, kernel, stride, true, acc);
      if (t->ow >= LANES)
        {
          _Pragma ("GCC unroll 8") for (int r = 0; r < rows; r++) STORE (y + r * t->ow, acc[r]);
        }
      else
        {
          MASK some = MASK_OF (0, t->ow);
          _Pragma ("GCC unroll 8") for (int r = 0; r < rows; r++) STORE_MASKED (some, y + r * t->ow, acc[r]);
        }
    }
}

#define PLANE(KERNEL, STRIDE)                                                                                                              \
  TARGET static void NAME (plane##KERNEL##s##STRIDE) (const PareRtPlane *t)                                                                \
  {                                                                                                                                        \
    int64_t oy = 0, oh = t->oh;                                                                                                            \
    for (; oh >= PARE_RT_DEPTHWISE_ROWS && oy < oh; oy += PARE_RT_DEPTHWISE_ROWS)                                                          \
      NAME (plane_rows) (t, oy + PARE_RT_DEPTHWISE_ROWS > oh ? oh - PARE_RT_DEPTHWISE_ROWS : oy, PARE_RT_DEPTHWISE_ROWS, KERNEL, STRIDE);  \
    for (; oy < oh; oy++)                                                                                                                  \
      NAME (plane_rows) (t, oy, 1, KERNEL, STRIDE);                                                                                        \
  }
PLANE (3, 1)
PLANE (3, 2)
PLANE (5, 1)
PLANE (5, 2)
#undef PLANE

TARGET static bool
NAME (plane) (const PareRtPlane *t)
{
  if (t->kernel == 3 && t->stride == 1)
    NAME (plane3s1) (t);
  else if (t->kernel == 3 && t->stride == 2)
    NAME (plane3s2) (t);
  else if (t->kernel == 5 && t->stride == 1)
    NAME (plane5s1) (t);
  else if (t->kernel == 5 && t->stride == 2)
    NAME (plane5s2) (t);
  else
    return false;
  return true;
}
#endif

#ifndef MASK
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
    if (rows == PARE_RT_DEPTHWISE_ROWS)                                                                                                    \
      NAME (rows_all) (t, PARE_RT_DEPTHWISE_ROWS, KH, KW, STRIDE);                                                                         \
    else                                                                                                                                   \
      {                                                                                                                                    \
        PareRtRows one = *t;                                                                                                               \
        for (; rows > 0; rows--, one.row_at += STRIDE, one.y += one.ldy)                                                                   \
          NAME (rows_all) (&one, 1, KH, KW, STRIDE);                                                                                       \
      }                                                                                                                                    \
  }
ROWS (3, 3, 1)
ROWS (3, 3, 2)
ROWS (5, 5, 1)
ROWS (5, 5, 2)
#undef ROWS
#endif

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
NAME (copies) (const float *x, int64_t n, const int32_t *masks, int64_t masks_apart, int64_t copies, float *to, int64_t apart)
{
  for (int64_t i = 0; i < n; i += LANES)
    {
      NAME (ints) v = (NAME (ints))LOAD (x + i);
      for (int64_t c = 0; c < copies; c++)
        STORE (to + c * apart + i, (NAME (vec)) (v & *(const NAME (ints) *)(masks + c * masks_apart + i)));
    }
}

TARGET static void
NAME (depthwise) (const PareRtRows *t, int rows)
{
#ifndef MASK
  if (t->kh == 3 && t->kw == 3 && t->stride == 1)
    NAME (rows3x3s1) (t, rows);
  else if (t->kh == 3 && t->kw == 3 && t->stride == 2)
    NAME (rows3x3s2) (t, rows);
  else if (t->kh == 5 && t->kw == 5 && t->stride == 1)
    NAME (rows5x5s1) (t, rows);
  else if (t->kh == 5 && t->kw == 5 && t->stride == 2)
    NAME (rows5x5s2) (t, rows);
  else
#endif
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

/* The larger, NaN above all. */
TARGET static inline __attribute__ ((always_inline)) NAME (vec) NAME (larger) (NAME (vec) a, NAME (vec) x)
{
  NAME (ints) m = (x > a) | (x != x);
  return (NAME (vec)) (((NAME (ints))x & m) | ((NAME (ints))a & ~m));
}

TARGET static void
NAME (max_row) (float *y, const float *x, const int64_t *taps, int64_t n_taps, int64_t n)
{
  NAME (vec) least = -INFINITY + (NAME (vec)){ 0 };
  for (int64_t i = 0; i < n; i += 2 * LANES)
    {
      NAME (vec) a = least, b = least;
      for (int64_t t = 0; t < n_taps; t++)
        {
          a = NAME (larger) (a, LOAD (x + taps[t] + i));
          b = NAME (larger) (b, LOAD (x + taps[t] + i + LANES));
        }
      if (n - i >= 2 * LANES)
        {
          STORE (y + i, a);
          STORE (y + i + LANES, b);
          continue;
        }
      float both[2 * LANES];
      STORE (both, a);
      STORE (both + LANES, b);
      memcpy (y + i, both, (size_t)(n - i) * sizeof (float));
    }
}

/* Sums in the order of the window; padding adds 0. */
TARGET static void
NAME (mean_row) (float *y, const float *x, const int64_t *taps, int64_t n_taps, int64_t n, float rows, const float *columns)
{
  for (int64_t i = 0; i < n; i += LANES)
    {
      NAME (vec) sum = { 0 }, seen = rows * LOAD (columns + i), zero = { 0 };
      for (int64_t t = 0; t < n_taps; t++)
        sum += LOAD (x + taps[t] + i);
      NAME (ints) some = seen > zero;
      sum = (NAME (vec)) ((NAME (ints)) (sum / seen) & some);
      memcpy (y + i, &sum, (size_t)(n - i < LANES ? n - i : LANES) * sizeof (float));
    }
}

/* Sixteen partial sums, folded in an order that is the same for all instruction sets. */
TARGET static float
NAME (sum) (const float *x, int64_t n)
{
  NAME (vec) sum[16 / LANES] = { { 0 } };
  float s[16];
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    _Pragma ("GCC unroll 4") for (int v = 0; v < 16 / LANES; v++) sum[v] += LOAD (x + i + v * LANES);
  _Pragma ("GCC unroll 4") for (int v = 0; v < 16 / LANES; v++)
  {
    int64_t left = n - i - v * LANES;
    NAME (vec) last = { 0 };
#ifdef MASK
    last = (NAME (vec))LOAD_MASKED (MASK_OF (0, left < 0 ? 0 : left < LANES ? left : LANES), x + i + v * LANES);
#else
    memcpy (&last, x + i + v * LANES, (size_t)(left < 0 ? 0 : left < LANES ? left : LANES) * sizeof (float));
#endif
    STORE (s + v * LANES, sum[v] + last);
  }
  for (int w = 8; w > 0; w /= 2)
    for (int l = 0; l < w; l++)
      s[l] += s[l + w];
  return s[0];
}

TARGET static float
NAME (max) (const float *x, int64_t n)
{
  NAME (vec) best = -INFINITY + (NAME (vec)){ 0 };
  float s[LANES];
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    best = NAME (larger) (best, LOAD (x + i));
  STORE (s, best);
  for (; i < n; i++)
    s[0] = x[i] > s[0] || isnan (x[i]) ? x[i] : s[0];
  for (int l = 1; l < LANES; l++)
    s[0] = s[l] > s[0] || isnan (s[l]) ? s[l] : s[0];
  return s[0];
}

#include "engine/runtime/kernels/block-gemm.inc.h"
#include "engine/runtime/kernels/rows.inc.h"
#include "engine/runtime/kernels/weigh-codes.inc.h"
#include "engine/runtime/kernels/winograd.inc.h"

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
  .direct = { DIRECTS_OF (1), DIRECTS_OF (2), DIRECTS_OF (3), DIRECTS_OF (4),
#if TILE_ROWS == 8
              DIRECTS_OF (5), DIRECTS_OF (6), DIRECTS_OF (7), DIRECTS_OF (8)
#endif
  },
  .depthwise = NAME (depthwise),
#ifdef MASK
  .plane = NAME (plane),
#endif
  .winograd_in = NAME (winograd_in),
  .winograd_out = NAME (winograd_out),
  .copies = NAME (copies),
  .row = NAME (row),
  .max_row = NAME (max_row),
  .mean_row = NAME (mean_row),
  .panel_rows = PANEL_ROWS,
  .panel = { NAME (panel1), NAME (panel2), NAME (panel3), NAME (panel4), NAME (panel5), NAME (panel6), NAME (panel7), NAME (panel8) },
  .panel_of_rows = { NAME (panel_rows1), NAME (panel_rows2), NAME (panel_rows3), NAME (panel_rows4) },
  .narrow = { NAME (narrow_panel1), NAME (narrow_panel2), NAME (narrow_panel3), NAME (narrow_panel4), NAME (narrow_panel5),
              NAME (narrow_panel6), NAME (narrow_panel7), NAME (narrow_panel8) },
  .narrow_of_rows = { NAME (narrow_panel_rows1), NAME (narrow_panel_rows2), NAME (narrow_panel_rows3), NAME (narrow_panel_rows4) },
  .sum = NAME (sum),
  .weigh = NAME (weigh),
  .moments = NAME (moments),
  .weigh_codes = NAME (weigh_codes),
  .max = NAME (max),
  .blocks = NAME (blocks),
};
#undef TILE
#undef TILES
#undef TILES_OF
#undef DIRECT
#undef DIRECTS
#undef PANEL
#undef PANEL_TERM
#undef PANEL_STORE
#undef EVEN_OF
#undef ODD_OF
#undef PANELS
#undef PANEL_ROWS
#undef DIRECTS_OF
#undef LOAD
#undef STORE
#undef NAME
#undef LANES
#undef TARGET
#undef FMA
#undef FMADD
#undef LARGER
#undef SMALLER
#undef TILE_ROWS
#undef TILE_VECTORS
#undef ISA_NAME
#undef MASK
#undef MASK_OF
#undef LOAD_MASKED
#undef STORE_MASKED
#undef ROUND
#undef TIMES_POWER
#undef FOLD_SUM
#undef FOLD_MAX
#undef EVEN
#undef ODD
#undef LOW
#undef HIGH
#undef PICK
