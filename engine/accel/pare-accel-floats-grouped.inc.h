/* Convolutions of 3 x 3 whose groups are smaller than a block: a pixel's sixteen channels are several groups, and a shuffle gives each lane
 * the one channel of its own group that is multiplied. A shuffled pixel serves all windows of the row that it is in. */

TARGET INLINE void
NAME (grouped_columns) (const PareGroupedRow *d, int64_t ox, const int count, const int stride)
{
  const int width = (count - 1) * stride + 3;
  VEC acc[14], bias = LOAD (d->bias + d->first);
  __m512i first = _mm512_setr_epi32 (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); /* each lane's group */
  first = _mm512_and_si512 (first, _mm512_set1_epi32 (-d->depth));
  const float *w = d->weights;
  UNROLL for (int o = 0; o < count; o++) acc[o] = bias;
  for (int row = 0; row < 3; row++)
    {
      if (!d->x[row])
        {
          w += d->depth * 3 * PARE_BLOCK;
          continue;
        }
      for (int i = 0; i < d->depth; i++, w += 3 * PARE_BLOCK)
        {
          const float *x = d->x[row] + ox * stride * PARE_BLOCK;
          __m512i lanes = _mm512_add_epi32 (first, _mm512_set1_epi32 (i));
          VEC tap[3] = { LOAD (w), LOAD (w + PARE_BLOCK), LOAD (w + 2 * PARE_BLOCK) };
          UNROLL for (int c = 0; c < width; c++)
          {
            VEC v = _mm512_permutexvar_ps (lanes, LOAD (x + c * PARE_BLOCK));
            UNROLL for (int o = 0; o < count; o++) if (c >= o * stride && c - o * stride < 3) acc[o] = FMA (v, tap[c - o * stride], acc[o]);
          }
        }
    }
  float *y = d->y + ox * d->y_row;
  const float *more = d->residual ? d->residual + ox * d->y_row : NULL;
  for (int o = 0; o < count && more; o++)
    acc[o] = ADD (acc[o], LOAD_SOME (more + o * d->y_row, d->columns));
  UNROLL for (int o = 0; o < count; o++) STORE_SOME (y + o * d->y_row, NAME (finish) (acc[o], d->after, d->first), d->columns);
}

TARGET static void
NAME (grouped) (const PareGroupedRow *d)
{
  int64_t ox = 0;
#define COLUMNS(N, STRIDE)                                                                                                                 \
  for (; d->out - ox >= N; ox += N)                                                                                                        \
  NAME (grouped_columns) (d, ox, N, STRIDE)
  if (d->stride == 1)
    {
      COLUMNS (14, 1);
      COLUMNS (7, 1);
      COLUMNS (4, 1);
      COLUMNS (1, 1);
    }
  else
    {
      COLUMNS (7, 2);
      COLUMNS (4, 2);
      COLUMNS (1, 2);
    }
#undef COLUMNS
}
