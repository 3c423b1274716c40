/* Convolutions of few results of one instruction set: neighbouring pixels of a plane side by side, each input read for all results. */

/* `vecs` vectors of columns from `column` on, of `count` results. */
TARGET INLINE void
NAME (plane_tile) (const ParePlaneRow *p, int64_t column, const int count, const int vecs)
{
  const float *x = p->x + column, *w = p->weights;
  VEC acc[8][8];
  UNROLL for (int n = 0; n < count; n++) UNROLL for (int v = 0; v < vecs; v++) acc[n][v] = ALL (p->bias[n]);
  for (int64_t k = 0; k < p->k; k++, w += count)
    {
      const float *from = x + p->taps[k];
      VEC pixels[8];
      UNROLL for (int v = 0; v < vecs; v++) pixels[v] = LOAD (from + v * LANES);
      UNROLL for (int n = 0; n < count; n++)
      {
        VEC s = ALL (w[n]);
        UNROLL for (int v = 0; v < vecs; v++) acc[n][v] = FMA (pixels[v], s, acc[n][v]);
      }
    }
  UNROLL for (int n = 0; n < count; n++)
  {
    const PareAfter *after = p->after;
    float *y = p->y + n * p->y_plane + column;
    VEC lo = after->kind == PARE_ACT_CLIP ? ALL (after->lo[p->first + n]) : ALL (0),
        hi = after->kind == PARE_ACT_CLIP ? ALL (after->hi[p->first + n]) : ALL (0);
    UNROLL for (int v = 0; v < vecs; v++)
    {
      int64_t left = p->columns - column - v * LANES;
      VEC z = acc[n][v];
      if (after->kind == PARE_ACT_CLIP)
        z = SMALLER (hi, LARGER (lo, z));
      else if (after->kind == PARE_ACT_LEAKY)
        z = FMA (SMALLER (ALL (0), z), ALL (after->alpha), LARGER (ALL (0), z));
      if (left >= LANES)
        STORE (y + v * LANES, z);
      else if (left > 0)
        STORE_SOME (y + v * LANES, z, left);
    }
  }
}

#define PLANE(COUNT, VECS)                                                                                                                 \
  TARGET static void NAME (plane##COUNT##x##VECS) (const ParePlaneRow *p, int64_t column)                                                  \
  {                                                                                                                                        \
    NAME (plane_tile) (p, column, COUNT, VECS);                                                                                            \
  }
#define PLANES_3(COUNT) PLANE (COUNT, 1) PLANE (COUNT, 2) PLANE (COUNT, 3)
#define PLANES_6(COUNT) PLANES_3 (COUNT) PLANE (COUNT, 4) PLANE (COUNT, 5) PLANE (COUNT, 6)
/* clang-format off */
PLANES_6 (1) PLANE (1, 7) PLANE (1, 8)
#if LANES == 16
PLANES_6 (4) PLANES_3 (8)
#define MOST_PLANES 8
#define MOST_VECS { 8, 6, 3 }
#else
PLANES_3 (4)
#define MOST_PLANES 4
#define MOST_VECS { 8, 3, 0 }
#endif
/* clang-format on */
#define NAMES_3(COUNT) NAME (plane##COUNT##x1), NAME (plane##COUNT##x2), NAME (plane##COUNT##x3)
#define NAMES_FROM_4(COUNT) NAME (plane##COUNT##x4), NAME (plane##COUNT##x5), NAME (plane##COUNT##x6)

        TARGET static void NAME (plane) (const ParePlaneRow *p)
{
  static void (*const tiles[][8]) (const ParePlaneRow *p, int64_t column)
      = { { NAMES_3 (1), NAMES_FROM_4 (1), NAME (plane1x7), NAME (plane1x8) },
#if LANES == 16
          { NAMES_3 (4), NAMES_FROM_4 (4) },
          { NAMES_3 (8) }
#else
          { NAMES_3 (4) }
#endif
        };
  static const int most_vecs[] = MOST_VECS;
  int kind = p->count == 8 ? 2 : p->count == 4;
  int64_t vecs = (p->columns + LANES - 1) / LANES, pieces = (vecs + most_vecs[kind] - 1) / most_vecs[kind], at = 0;
  for (int64_t i = 0; i < pieces; i++) /* about equal ones */
    {
      int64_t end = vecs * (i + 1) / pieces;
      tiles[kind][end - at - 1](p, at * LANES);
      at = end;
    }
  if (p->after->kind > PARE_ACT_LEAKY)
    NAME (activate) (p->y, p->y_plane, PARE_BLOCK, p->count, (int)p->columns, p->after->kind);
}
#undef PLANE
#undef PLANES_3
#undef PLANES_6
#undef NAMES_3
#undef NAMES_FROM_4
#undef MOST_VECS
