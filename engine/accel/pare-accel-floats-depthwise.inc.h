/* Depthwise convolutions of one instruction set: a few results of a row at a time, whose windows share their columns. */

#define OPAQUE(pointer) __asm__("" : "+r"(pointer))

/* Results ox..ox + count - 1. The first `left` and the last `right` columns of their windows lie outside; check: perhaps others, too. */
TARGET INLINE void
NAME (columns) (const PareDepthwiseRow *d, int64_t ox, const int count, const int kernel, const int stride, const int left, const int right,
                const int check)
{
  const int width = (count - 1) * stride + kernel;
  const int64_t first = ox * stride - d->pad, x_row = d->x_row, y_row = d->y_row;
  _Pragma ("GCC unroll 2") for (int part = 0; part < PARE_BLOCK; part += LANES)
  {
    VEC acc[8], bias = LOAD (d->bias + part);
    UNROLL for (int o = 0; o < count; o++) acc[o] = bias;
    const float *w = d->weights + part;
    for (int row = 0; row < kernel; row++, w += kernel * PARE_BLOCK)
      {
        if (!d->x[row])
          continue;
        const float *x = d->x[row] + first * x_row + part;
        VEC tap[5];
        UNROLL for (int k = 0; k < kernel; k++) tap[k] = LOAD (w + k * PARE_BLOCK);
        x += left * x_row;
        UNROLL for (int c = left; c < width - right; c++, x += x_row)
        {
          OPAQUE (x); /* or all addresses would be kept in registers that there are not */
          if (check && (first + c < 0 || first + c >= d->in))
            continue;
          VEC v = LOAD (x);
          __asm__("" : "+v"(v)); /* one load, not one for each use */
          UNROLL for (int o = 0; o < count; o++) if (c >= o * stride && c - o * stride < kernel) acc[o]
              = FMA (v, tap[c - o * stride], acc[o]);
        }
      }
    const PareAfter *after = d->after;
    if (after->kind == PARE_ACT_CLIP)
      {
        VEC lo = LOAD (after->lo + d->first + part), hi = LOAD (after->hi + d->first + part);
        UNROLL for (int o = 0; o < count; o++) acc[o] = SMALLER (hi, LARGER (lo, acc[o]));
      }
    else if (after->kind != PARE_ACT_NONE)
      {
        UNROLL for (int o = 0; o < count; o++) acc[o] = NAME (finish) (acc[o], after, 0);
      }
    float *y = d->y + ox * y_row + part;
    UNROLL for (int o = 0; o < count; o++, y += y_row)
    {
      OPAQUE (y);
      STORE (y, acc[o]);
    }
  }
}

#define COLUMNS(N, KERNEL, STRIDE)                                                                                                         \
  TARGET static void NAME (columns##N##_##KERNEL##_##STRIDE) (const PareDepthwiseRow *d, int64_t ox)                                       \
  {                                                                                                                                        \
    int64_t left = d->pad - ox * STRIDE, right = ox * STRIDE - d->pad + (N - 1) * STRIDE + KERNEL - d->in;                                 \
    if (left <= 0 && right <= 0)                                                                                                           \
      NAME (columns) (d, ox, N, KERNEL, STRIDE, 0, 0, 0);                                                                                  \
    else if (KERNEL == 3 && left <= 0 && right == 1)                                                                                       \
      NAME (columns) (d, ox, N, KERNEL, STRIDE, 0, 1, 0);                                                                                  \
    else if (KERNEL == 3 && left == 1 && right <= 0)                                                                                       \
      NAME (columns) (d, ox, N, KERNEL, STRIDE, 1, 0, 0);                                                                                  \
    else if (KERNEL == 3 && left == 1 && right == 1)                                                                                       \
      NAME (columns) (d, ox, N, KERNEL, STRIDE, 1, 1, 0);                                                                                  \
    else                                                                                                                                   \
      NAME (columns) (d, ox, N, KERNEL, STRIDE, 0, 0, 1);                                                                                  \
  }
#define COLUMNS_8(KERNEL, STRIDE)                                                                                                          \
  COLUMNS (1, KERNEL, STRIDE)                                                                                                              \
  COLUMNS (2, KERNEL, STRIDE)                                                                                                              \
  COLUMNS (3, KERNEL, STRIDE)                                                                                                              \
  COLUMNS (4, KERNEL, STRIDE)                                                                                                              \
  COLUMNS (5, KERNEL, STRIDE)                                                                                                              \
  COLUMNS (6, KERNEL, STRIDE)                                                                                                              \
  COLUMNS (7, KERNEL, STRIDE)                                                                                                              \
  COLUMNS (8, KERNEL, STRIDE)
COLUMNS_8 (3, 1)
COLUMNS_8 (3, 2)
COLUMNS_8 (5, 1)
COLUMNS_8 (5, 2)
#define NAMES(KERNEL, STRIDE)                                                                                                              \
  {                                                                                                                                        \
    NAME (columns1_##KERNEL##_##STRIDE), NAME (columns2_##KERNEL##_##STRIDE), NAME (columns3_##KERNEL##_##STRIDE),                         \
        NAME (columns4_##KERNEL##_##STRIDE), NAME (columns5_##KERNEL##_##STRIDE), NAME (columns6_##KERNEL##_##STRIDE),                     \
        NAME (columns7_##KERNEL##_##STRIDE), NAME (columns8_##KERNEL##_##STRIDE)                                                           \
  }

static void
NAME (depthwise) (const PareDepthwiseRow *d)
{
  static void (*const columns[2][2][8]) (const PareDepthwiseRow *d, int64_t ox)
      = { { NAMES (3, 1), NAMES (3, 2) }, { NAMES (5, 1), NAMES (5, 2) } };
  int64_t pieces = (d->out + 7) / 8, ox = 0;
  for (int64_t i = 0; i < pieces; i++) /* about equal ones */
    {
      int64_t end = d->out * (i + 1) / pieces;
      columns[d->kernel == 5][d->stride - 1][end - ox - 1](d, ox);
      ox = end;
    }
}
#undef COLUMNS
#undef COLUMNS_8
#undef NAMES
#undef OPAQUE
