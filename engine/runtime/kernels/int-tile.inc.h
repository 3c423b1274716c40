/* Tiles of sums for one instruction set, kept in registers and stored through the requantization. Included by int-kernels.inc.h. */

/* Rows r..: v = (sum + bias) * scale, as integer.h has it, to codes or floats. */
TARGET static inline __attribute__ ((always_inline)) void
NAME (store) (uint8_t *y, VI sum, VF bias, VF scale, const PareIntScale *s)
{
  VF v = MULF (ADDF (TO_FLOAT (sum), bias), scale);
  if (s->codes)
    STORE_CODES (y, ROUND (MINF (MAXF (v, SPLATF (s->lo)), SPLATF (s->hi))) + SPLAT (s->zero));
  else
    STOREF ((float *)(void *)y, v);
}

/* The same with a factor and an offset: codes. */
TARGET static inline __attribute__ ((always_inline)) void
NAME (store_affine) (uint8_t *y, VI sum, VF bias, VF scale, VF factor, VF offset, const PareIntScale *s)
{
  VF v = MULF (ADDF (TO_FLOAT (sum), bias), scale);
  v = MINF (MAXF (v, SPLATF (s->least)), SPLATF (s->most));
  v = SUBF (ADDF (v, SPLATF (s->rounding)), SPLATF (s->rounding));
  v = ADDF (MULF (v, factor), offset);
  STORE_CODES (y, ROUND (MINF (MAXF (v, SPLATF (s->lo)), SPLATF (s->hi))) + SPLAT (s->zero));
}

TARGET static inline __attribute__ ((always_inline)) void
NAME (conv_part) (uint8_t *y, int64_t ldy, const uint8_t *x, const int64_t *next, const uint8_t *w, int64_t steps, int real,
                  const int rows, const int nv, const PareIntScale *scale)
{
  VI sum[CONV_ROWS][CONV_VECTORS];
  PARE_UNROLL
  for (int r = 0; r < rows; r++)
    PARE_UNROLL
  for (int v = 0; v < nv; v++)
    sum[r][v] = SPLAT (scale->init[r]);
  for (int64_t s = 0; s < steps; s++)
    {
      VL at[CONV_VECTORS];
      PARE_UNROLL
      for (int v = 0; v < nv; v++)
        at[v] = LOAD (x + v * LANES * COLUMN);
      PARE_UNROLL
      for (int r = 0; r < rows; r++)
        {
          VL weight = BROADCAST (w + r * COLUMN);
          PARE_UNROLL
          for (int v = 0; v < nv; v++)
            sum[r][v] = DOT (sum[r][v], at[v], weight);
        }
      x += next ? next[s] : nv * LANES * COLUMN;
      w += CONV_ROWS * COLUMN;
    }
  if (scale->moved)
    PARE_UNROLL
  for (int r = 0; r < rows; r++)
    PARE_UNROLL
  for (int v = 0; v < nv; v++)
    sum[r][v] += SPLAT (scale->moved[r]) * ROUND (LOADF (scale->columns + v * LANES));
  if (scale->factor)
    {
      PARE_UNROLL
      for (int r = 0; r < rows; r++)
        if (r < real)
          PARE_UNROLL
      for (int v = 0; v < nv; v++)
        NAME (store_affine)
        (y + r * ldy + v * LANES, sum[r][v], SPLATF (scale->bias[r]), SPLATF (scale->scale[r]), SPLATF (scale->factor[r]),
         SPLATF (scale->offset[r]), scale);
      return;
    }
  int bytes = scale->codes ? 1 : 4;
  PARE_UNROLL
  for (int r = 0; r < rows; r++)
    if (r < real)
      PARE_UNROLL
  for (int v = 0; v < nv; v++)
    NAME (store) (y + (r * ldy + v * LANES) * bytes, sum[r][v], SPLATF (scale->bias[r]), SPLATF (scale->scale[r]), scale);
}

TARGET static inline __attribute__ ((always_inline)) void
NAME (conv_rows) (uint8_t *y, int64_t ldy, const uint8_t *x, const int64_t *next, const uint8_t *w, int64_t steps, int real, const int rows, int nv,
                  const PareIntScale *scale)
{
  if (nv == 1)
    NAME (conv_part) (y, ldy, x, next, w, steps, real, rows, 1, scale);
  else if (nv == 2)
    NAME (conv_part) (y, ldy, x, next, w, steps, real, rows, 2, scale);
#if CONV_VECTORS > 2
  else if (nv == 3)
    NAME (conv_part) (y, ldy, x, next, w, steps, real, rows, 3, scale);
#endif
#if CONV_VECTORS > 3
  else
    NAME (conv_part) (y, ldy, x, next, w, steps, real, rows, 4, scale);
#endif
}

TARGET static void
NAME (conv) (void *y, int64_t ldy, const uint8_t *x, const int64_t *next, const uint8_t *w, int64_t steps, int rows, int nv, const PareIntScale *scale)
{
  if (rows > CONV_ROWS / 2)
    NAME (conv_rows) (y, ldy, x, next, w, steps, rows, CONV_ROWS, nv, scale);
  else if (rows > CONV_ROWS / 4)
    NAME (conv_rows) (y, ldy, x, next, w, steps, rows, CONV_ROWS / 2, nv, scale);
  else
    NAME (conv_rows) (y, ldy, x, next, w, steps, rows, CONV_ROWS / 4, nv, scale);
}

TARGET static inline __attribute__ ((always_inline)) void
NAME (gemm_part) (uint8_t *y, int64_t ldy, const uint8_t *x, int64_t ldx, const uint8_t *w, int64_t steps, const int rows,
                  const PareIntScale *scale)
{
  VI sum[GEMM_ROWS][GEMM_VECTORS];
  PARE_UNROLL
  for (int r = 0; r < rows; r++)
    PARE_UNROLL
  for (int v = 0; v < GEMM_VECTORS; v++)
    sum[r][v] = LOADI (scale->init + v * LANES);
  for (int64_t s = 0; s < steps; s++)
    {
      VL code[GEMM_ROWS];
      PARE_UNROLL
      for (int r = 0; r < rows; r++)
        code[r] = BROADCAST (x + r * ldx);
      PARE_UNROLL
      for (int v = 0; v < GEMM_VECTORS; v++)
        {
          VL weight = LOAD (w + v * LANES * COLUMN);
          PARE_UNROLL
          for (int r = 0; r < rows; r++)
            sum[r][v] = DOT (sum[r][v], code[r], weight);
        }
      x += COLUMN;
      w += GEMM_VECTORS * LANES * COLUMN;
    }
  int bytes = scale->codes ? 1 : 4;
  PARE_UNROLL
  for (int v = 0; v < GEMM_VECTORS; v++)
    {
      VF bias = LOADF (scale->bias + v * LANES), factor = LOADF (scale->scale + v * LANES);
      PARE_UNROLL
      for (int r = 0; r < rows; r++)
        NAME (store) (y + (r * ldy + v * LANES) * bytes, sum[r][v], bias, factor, scale);
    }
}

TARGET static void
NAME (gemm) (void *y, int64_t ldy, const uint8_t *x, int64_t ldx, const uint8_t *w, int64_t steps, int rows, const PareIntScale *scale)
{
  if (rows == 1)
    NAME (gemm_part) (y, ldy, x, ldx, w, steps, 1, scale);
  else if (rows == 2)
    NAME (gemm_part) (y, ldy, x, ldx, w, steps, 2, scale);
  else if (rows == 3)
    NAME (gemm_part) (y, ldy, x, ldx, w, steps, 3, scale);
  else
    NAME (gemm_part) (y, ldy, x, ldx, w, steps, 4, scale);
}
