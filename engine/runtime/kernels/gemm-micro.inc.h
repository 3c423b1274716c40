/* One instruction set's matrix micro-kernels. The includer defines NAME(x), VLEN (floats in a vector) and TARGET. */
typedef float NAME (vec) __attribute__ ((vector_size (VLEN * 4)));
typedef float NAME (vec_u) __attribute__ ((vector_size (VLEN * 4), aligned (4), may_alias));

#define MICRO_ROWS(ROWS) \
  TARGET static void NAME (rows##ROWS) (int64_t k, const float *a, int64_t lda, const float *panel, float *c, int64_t ldc, bool add) \
  { \
    NAME (vec) acc[ROWS][2]; \
    const NAME (vec) *b = (const NAME (vec) *) panel; \
    for (int r = 0; r < ROWS; r++) \
      if (add) \
        { \
          acc[r][0] = *(const NAME (vec_u) *) (c + r * ldc); \
          acc[r][1] = *(const NAME (vec_u) *) (c + r * ldc + VLEN); \
        } \
      else \
        acc[r][0] = acc[r][1] = (NAME (vec)){ 0 }; \
    for (int64_t p = 0; p < k; p++, b += 2) \
      { \
        NAME (vec) b0 = b[0], b1 = b[1]; \
        _Pragma ("GCC unroll 6") for (int r = 0; r < ROWS; r++) \
        { \
          float s = a[r * lda + p]; \
          acc[r][0] += b0 * s; \
          acc[r][1] += b1 * s; \
        } \
      } \
    for (int r = 0; r < ROWS; r++) \
      { \
        *(NAME (vec_u) *) (c + r * ldc) = acc[r][0]; \
        *(NAME (vec_u) *) (c + r * ldc + VLEN) = acc[r][1]; \
      } \
  }
MICRO_ROWS (1)
MICRO_ROWS (2)
MICRO_ROWS (3)
MICRO_ROWS (4)
MICRO_ROWS (5)
MICRO_ROWS (6)
#undef MICRO_ROWS

static void
NAME (micro) (int64_t k, const float *a, int64_t lda, const float *panel, float *c, int64_t ldc, int rows, int cols, bool add)
{
  float edge[PARE_RT_MR * 2 * VLEN] __attribute__ ((aligned (64)));
  float *to = c;
  int64_t ld = ldc;
  if (cols < 2 * VLEN)
    {
      to = edge;
      ld = 2 * VLEN;
      memset (edge, 0, sizeof edge);
      if (add)
        for (int r = 0; r < rows; r++)
          memcpy (edge + r * ld, c + r * ldc, cols * sizeof (float));
    }
  switch (rows)
    {
    case 1: NAME (rows1) (k, a, lda, panel, to, ld, add); break;
    case 2: NAME (rows2) (k, a, lda, panel, to, ld, add); break;
    case 3: NAME (rows3) (k, a, lda, panel, to, ld, add); break;
    case 4: NAME (rows4) (k, a, lda, panel, to, ld, add); break;
    case 5: NAME (rows5) (k, a, lda, panel, to, ld, add); break;
    default: NAME (rows6) (k, a, lda, panel, to, ld, add); break;
    }
  if (to == edge)
    for (int r = 0; r < rows; r++)
      memcpy (c + r * ldc, edge + r * ld, cols * sizeof (float));
}
