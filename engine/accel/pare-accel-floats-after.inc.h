/* Activations of one instruction set. */

/* 2^t. Beyond what a float holds it becomes 0 or infinite, or stays at the bounds of TO_RANGE. */
TARGET INLINE VEC
NAME (power_of_2) (VEC t)
{
  t = TO_RANGE (t);
  VEC f = FRACTION (t), p = ALL (1.535336188319500e-4f); /* 2^f, -0.5 <= f <= 0.5 */
  p = FMA (p, f, ALL (1.339887440266574e-3f));
  p = FMA (p, f, ALL (9.618437357674640e-3f));
  p = FMA (p, f, ALL (5.550332471162809e-2f));
  p = FMA (p, f, ALL (2.402264791363012e-1f));
  p = FMA (p, f, ALL (6.931472028550421e-1f));
  p = FMA (p, f, ALL (1));
  return TIMES_2_TO (p, SUB (t, f));
}

/* 1 / (1 + e^-x), times `by`. For large x its factors stay finite or become infinite as they should. */
TARGET INLINE VEC
NAME (sigmoid_times) (VEC x, VEC by)
{
  return DIV (by, ADD (ALL (1), NAME (power_of_2) (MUL (x, ALL (-1.44269504f)))));
}

/* x tanh (log (1 + e^x)) = x n / (n + 2), n = e^x (e^x + 2); beyond 20 the quotient is 1. */
TARGET INLINE VEC
NAME (mish) (VEC x)
{
  VEC e = NAME (power_of_2) (MUL (SMALLER (ALL (20), x), ALL (1.44269504f))), n = MUL (e, ADD (e, ALL (2)));
  return MUL (x, DIV (n, ADD (n, ALL (2))));
}

/* x (1 + erf (x / sqrt (2))) / 2 = max (x, 0) - t (1 - erf (t / sqrt (2))) / 2, t = |x|; erf as a quotient of polynomials. Where 1 - erf is
 * but its rounding, t is bounded. Within 1e-6 everywhere. */
TARGET INLINE VEC
NAME (gelu) (VEC x)
{
  VEC t = SMALLER (ALL (5.6f), LARGER (SUB (ALL (0), x), x)), s = MUL (t, t), p = ALL (2.111493319e-10f), q = ALL (6.382026949e-05f);
  p = FMA (p, s, ALL (-4.291980949e-08f));
  q = FMA (q, s, ALL (1.869768302e-03f));
  p = FMA (p, s, ALL (6.509268796e-06f));
  q = FMA (q, s, ALL (2.949277530e-02f));
  p = FMA (p, s, ALL (3.527237564e-04f));
  q = FMA (q, s, ALL (2.584459884e-01f));
  p = FMA (p, s, ALL (9.108418614e-03f));
  q = FMA (q, s, ALL (1));
  p = FMA (p, s, ALL (7.323013596e-02f));
  p = FMA (p, s, ALL (7.978845091e-01f));
  return FMA (MUL (ALL (0.5f), t), FMA (t, DIV (p, q), ALL (-1)), LARGER (ALL (0), x));
}

/* A function that needs no more than the value. */
TARGET INLINE VEC
NAME (function) (VEC x, const PareActivation kind)
{
  if (kind == PARE_ACT_SWISH)
    return NAME (sigmoid_times) (x, x);
  if (kind == PARE_ACT_QUICK_GELU)
    return NAME (sigmoid_times) (MUL (ALL (1.702f), x), x);
  if (kind == PARE_ACT_SIGMOID)
    return NAME (sigmoid_times) (x, ALL (1));
  if (kind == PARE_ACT_GELU)
    return NAME (gelu) (x);
  if (kind == PARE_ACT_MISH)
    return NAME (mish) (x);
  if (kind == PARE_ACT_ELU) /* max (x, 0) + e^min (x, 0) - 1 */
    return ADD (LARGER (ALL (0), x), SUB (NAME (power_of_2) (MUL (SMALLER (ALL (0), x), ALL (1.44269504f))), ALL (1)));
  if (kind == PARE_ACT_GELU_TANH) /* x (1 + tanh (u)) / 2 = x / (1 + e^-2u) */
    return NAME (sigmoid_times) (MUL (MUL (ALL (1.5957691216f), x), FMA (MUL (ALL (0.044715f), x), x, ALL (1))), x);
  return MUL (x, SMALLER (ALL (1), LARGER (ALL (0), FMA (x, ALL (1 / 6.0f), ALL (0.5f))))); /* HARDSWISH */
}

/* For channels c..c + LANES - 1. */
TARGET INLINE VEC
NAME (finish) (VEC x, const PareAfter *after, int64_t c)
{
  switch (after->kind)
    {
    case PARE_ACT_NONE:
      return x;
    case PARE_ACT_CLIP:
      return SMALLER (LOAD (after->hi + c), LARGER (LOAD (after->lo + c), x));
    case PARE_ACT_LEAKY:
      return FMA (SMALLER (ALL (0), x), ALL (after->alpha), LARGER (ALL (0), x));
    case PARE_ACT_SWISH:
      return NAME (function) (x, PARE_ACT_SWISH);
    case PARE_ACT_QUICK_GELU:
      return NAME (function) (x, PARE_ACT_QUICK_GELU);
    case PARE_ACT_SIGMOID:
      return NAME (function) (x, PARE_ACT_SIGMOID);
    case PARE_ACT_GELU:
      return NAME (function) (x, PARE_ACT_GELU);
    case PARE_ACT_GELU_TANH:
      return NAME (function) (x, PARE_ACT_GELU_TANH);
    case PARE_ACT_ELU:
      return NAME (function) (x, PARE_ACT_ELU);
    case PARE_ACT_MISH:
      return NAME (function) (x, PARE_ACT_MISH);
    default:
      return NAME (function) (x, PARE_ACT_HARDSWISH);
    }
}

TARGET INLINE void
NAME (activate_as) (float *c, int64_t c_row, int64_t c_block, int rows, int columns, const PareActivation kind)
{
  for (int r = 0; r < rows; r++, c += c_row)
    {
      int at = 0;
      for (; at + LANES <= columns; at += LANES)
        {
          float *to = c + at / PARE_BLOCK * c_block + at % PARE_BLOCK;
          STORE (to, NAME (function) (LOAD (to), kind));
        }
      if (at < columns)
        {
          float *to = c + at / PARE_BLOCK * c_block + at % PARE_BLOCK;
          STORE_SOME (to, NAME (function) (LOAD_SOME (to, columns - at), kind), columns - at);
        }
    }
}

/* A function over a tile of results that has just been stored: it is longer than what stands around it, and would be so in every tile. */
TARGET __attribute__ ((noinline)) static void
NAME (activate) (float *c, int64_t c_row, int64_t c_block, int rows, int columns, PareActivation kind)
{
  if (kind == PARE_ACT_SWISH)
    NAME (activate_as) (c, c_row, c_block, rows, columns, PARE_ACT_SWISH);
  else if (kind == PARE_ACT_SIGMOID)
    NAME (activate_as) (c, c_row, c_block, rows, columns, PARE_ACT_SIGMOID);
  else if (kind == PARE_ACT_GELU)
    NAME (activate_as) (c, c_row, c_block, rows, columns, PARE_ACT_GELU);
  else if (kind == PARE_ACT_GELU_TANH)
    NAME (activate_as) (c, c_row, c_block, rows, columns, PARE_ACT_GELU_TANH);
  else if (kind == PARE_ACT_QUICK_GELU)
    NAME (activate_as) (c, c_row, c_block, rows, columns, PARE_ACT_QUICK_GELU);
  else if (kind == PARE_ACT_ELU)
    NAME (activate_as) (c, c_row, c_block, rows, columns, PARE_ACT_ELU);
  else if (kind == PARE_ACT_MISH)
    NAME (activate_as) (c, c_row, c_block, rows, columns, PARE_ACT_MISH);
  else
    NAME (activate_as) (c, c_row, c_block, rows, columns, PARE_ACT_HARDSWISH);
}
