/* Winograd's transforms in one dimension, of what is read, of sums and of weights, one vector an element. For m = 4 the points are 0,
 * +-sqrt(1/2), +-sqrt(2) and infinity: among all pairs +-a, +-b rounding, also that of transformed operands to 16 bits, shows least there,
 * half as much as for 0, +-1, +-2. The includer defines what pare-accel-lanes-512.inc.h does, NAME, TARGET, INLINE and VEC. */
#define ROOT 1.41421356237309505f

TARGET INLINE void
NAME (in_1d) (const int m, const VEC *d, VEC *o, const int step)
{
  if (m == 2)
    {
      o[0] = SUB (d[0], d[2]);
      o[step] = ADD (d[1], d[2]);
      o[2 * step] = SUB (d[2], d[1]);
      o[3 * step] = SUB (d[1], d[3]);
      return;
    }
  VEC even = FNMA (ALL (2), d[2], d[4]), odd = FNMA (ALL (ROOT), d[1], MUL (ALL (ROOT / 2), d[3]));
  VEC even_2 = FNMA (ALL (0.5f), d[2], d[4]), odd_2 = FNMA (ALL (ROOT / 2), d[1], MUL (ALL (ROOT), d[3]));
  o[0] = ADD (FNMA (ALL (2.5f), d[2], d[0]), d[4]);
  o[step] = ADD (even, odd);
  o[2 * step] = SUB (even, odd);
  o[3 * step] = ADD (even_2, odd_2);
  o[4 * step] = SUB (even_2, odd_2);
  o[5 * step] = ADD (FNMA (ALL (2.5f), d[3], d[1]), d[5]);
}

TARGET INLINE void
NAME (out_1d) (const int m, const VEC *d, VEC *o, const int step)
{
  if (m == 2)
    {
      o[0] = ADD (d[0], ADD (d[1], d[2]));
      o[step] = SUB (SUB (d[1], d[2]), d[3]);
      return;
    }
  VEC sum = ADD (d[1], d[2]), less = SUB (d[1], d[2]), sum_2 = ADD (d[3], d[4]), less_2 = SUB (d[3], d[4]);
  o[0] = ADD (d[0], ADD (sum, sum_2));
  o[step] = FMA (ALL (ROOT / 2), less, MUL (ALL (ROOT), less_2));
  o[2 * step] = FMA (ALL (0.5f), sum, MUL (ALL (2), sum_2));
  o[3 * step] = FMA (ALL (ROOT / 4), less, FMA (ALL (2 * ROOT), less_2, d[5]));
}

TARGET INLINE void
NAME (weights_1d) (const int m, const VEC *g, VEC *o, const int step)
{
  if (m == 2)
    {
      VEC sum = ADD (g[0], g[2]);
      o[0] = g[0];
      o[step] = MUL (ALL (0.5f), ADD (sum, g[1]));
      o[2 * step] = MUL (ALL (0.5f), SUB (sum, g[1]));
      o[3 * step] = g[2];
      return;
    }
  VEC even = FMA (ALL (2), g[0], g[2]), odd = MUL (ALL (ROOT), g[1]), even_2 = FMA (ALL (2), g[2], g[0]);
  o[0] = g[0];
  o[step] = MUL (ALL (-1 / 3.0f), ADD (even, odd));
  o[2 * step] = MUL (ALL (-1 / 3.0f), SUB (even, odd));
  o[3 * step] = MUL (ALL (1 / 6.0f), ADD (even_2, odd));
  o[4 * step] = MUL (ALL (1 / 6.0f), SUB (even_2, odd));
  o[5 * step] = g[2];
}
#undef ROOT
