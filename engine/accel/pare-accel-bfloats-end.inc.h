/* What follows the sums of a tile of a product, however they were computed. After pare-accel-bfloats-lanes.inc.h. */

/* A function over a tile: it is longer than what stands around it, and would be so in every tile. */
BF16 __attribute__ ((noinline)) static void
activate (float *values, int n, PareActivation kind, bool wide)
{
  if (!wide && kind == PARE_ACT_SWISH)
    for (int i = 0; i < n; i += LANES)
      STORE (values + i, short_sigmoid_times (LOAD (values + i), LOAD (values + i)));
  else if (!wide && kind == PARE_ACT_SIGMOID)
    for (int i = 0; i < n; i += LANES)
      STORE (values + i, short_sigmoid_times (LOAD (values + i), ALL (1)));
  else
    bf16_activate (values, n, LANES, 1, n, kind);
}

/* acc: the sums of `rows` rows from `row` on by `vecs` vectors, with the bias unless there is a factor. */
BF16 INLINE void
finish_tile (const PareBfloatProduct *p, int64_t row, __m512 acc[][4], const int rows, const int vecs)
{
#define EACH UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vecs; v++)
  if (p->factor)
    {
      UNROLL for (int v = 0; v < vecs; v++)
      {
        __m512 factor = _mm512_loadu_ps (p->factor + v * LANES), bias = _mm512_loadu_ps (p->bias + v * LANES);
        UNROLL for (int r = 0; r < rows; r++) acc[r][v] = _mm512_fmadd_ps (acc[r][v], factor, bias);
      }
    }
  const int64_t c_row = p->c_row, c_block = p->c_block;
#define AT ((row + r) * c_row + v * c_block)
  if (p->residual.data && p->columns < vecs * LANES)
    {
      int left[4];
      UNROLL for (int v = 0; v < vecs; v++) left[v] = v < vecs - 1 ? LANES : p->columns - v * LANES;
      EACH acc[r][v] = _mm512_add_ps (acc[r][v], load_some (p->residual.data, p->residual.wide, AT, left[v]));
    }
  else if (p->residual.data)
    {
      EACH acc[r][v] = _mm512_add_ps (acc[r][v], load (p->residual.data, p->residual.wide, AT));
    }
  const PareActivation kind = p->after ? p->after->kind : PARE_ACT_NONE;
  if (kind == PARE_ACT_CLIP)
    {
      const float *lo = p->after->lo + p->first, *hi = p->after->hi + p->first;
      UNROLL for (int v = 0; v < vecs; v++)
      {
        __m512 least = _mm512_loadu_ps (lo + v * LANES), most = _mm512_loadu_ps (hi + v * LANES);
        UNROLL for (int r = 0; r < rows; r++) acc[r][v] = _mm512_min_ps (most, _mm512_max_ps (least, acc[r][v]));
      }
    }
  else if (kind == PARE_ACT_LEAKY)
    {
      __m512 alpha = ALL (p->after->alpha);
      EACH acc[r][v] = FMA (SMALLER (ALL (0), acc[r][v]), alpha, LARGER (ALL (0), acc[r][v]));
    }
  else if (kind != PARE_ACT_NONE)
    {
      float values[rows * vecs * LANES];
      EACH STORE (values + (r * vecs + v) * LANES, acc[r][v]);
      activate (values, rows * vecs * LANES, kind, p->c.wide);
      EACH acc[r][v] = LOAD (values + (r * vecs + v) * LANES);
    }
#undef AT
  if (p->columns < vecs * LANES) /* the last vector has some of its lanes */
    {
      UNROLL for (int r = 0; r < rows; r++)
      {
        UNROLL for (int v = 0; v < vecs - 1; v++) store (p->c.data, p->c.wide, (row + r) * c_row + v * c_block, acc[r][v]);
        store_some (p->c.data, p->c.wide, (row + r) * c_row + (vecs - 1) * c_block, acc[r][vecs - 1], p->columns - (vecs - 1) * LANES);
      }
    }
  else if (p->c.wide)
    {
      float *c = (float *)p->c.data + row * c_row;
      UNROLL for (int r = 0; r < rows; r++, c += c_row)
      {
        OPAQUE (c);
        UNROLL for (int v = 0; v < vecs; v++) _mm512_storeu_ps (c + v * c_block, acc[r][v]);
      }
    }
  else
    {
      uint16_t *c = (uint16_t *)p->c.data + row * c_row;
      UNROLL for (int r = 0; r + 1 < rows; r += 2, c += 2 * c_row)
      {
        OPAQUE (c);
        UNROLL for (int v = 0; v < vecs; v++) store_two (c, false, v * c_block, c_row + v * c_block, acc[r][v], acc[r + 1][v]);
      }
      if (rows % 2)
        {
          UNROLL for (int v = 0; v < vecs; v++) narrow (c + v * c_block, acc[rows - 1][v]);
        }
    }
#undef EACH
}
