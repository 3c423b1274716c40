/* Products of bfloat16 by panels against sums in double: by vectors, and by the matrix unit where there is one. */
#include "engine/accel/pare-accel-bfloats.h"
#include "engine/base/pare-rng.h"

#include <glib.h>
#include <math.h>
#include <string.h>

static float
to_float (uint16_t x)
{
  uint32_t bits = (uint32_t)x << 16;
  float y;
  memcpy (&y, &bits, sizeof y);
  return y;
}

static uint16_t
to_bfloat (double x)
{
  float y = (float)x;
  uint32_t bits;
  memcpy (&bits, &y, sizeof bits);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float *
random_floats (PareRng *rng, int64_t n)
{
  float *to = g_new (float, (gsize)n);
  for (int64_t i = 0; i < n; i++)
    to[i] = (float)pare_rng_normal (rng);
  return to;
}

static double
activated (double x, const PareAfter *after, int64_t c)
{
  switch (after->kind)
    {
    case PARE_ACT_CLIP:
      return fmin (fmax (x, (double)after->lo[c]), (double)after->hi[c]);
    case PARE_ACT_LEAKY:
      return x < 0 ? x * (double)after->alpha : x;
    case PARE_ACT_SWISH:
      return x / (1 + exp (-x));
    case PARE_ACT_GELU:
      return x * 0.5 * (1 + erf (x * M_SQRT1_2));
    default:
      return x;
    }
}

/* Where elements of c and of the residual lie. */
typedef struct
{
  int64_t row, block, size; /* size: of all, with what is between */
} Layout;

static int64_t
place (const Layout *l, int64_t row, int64_t column)
{
  return row * l->row + column / PARE_BLOCK * l->block + column % PARE_BLOCK;
}

static void
check (const PareBfloats *isa, guint i)
{
  static const PareActivation kinds[] = { PARE_ACT_NONE, PARE_ACT_CLIP, PARE_ACT_LEAKY, PARE_ACT_SWISH, PARE_ACT_GELU };
  PareRng rng = { 500 + i };
  int64_t rows = 1 + (int64_t)pare_rng_below (&rng, i % 3 ? 70 : 20), n = 1 + (int64_t)pare_rng_below (&rng, 200),
          pairs = 1 + (int64_t)pare_rng_below (&rng, i % 4 ? 70 : 1300), whole = (n + 15) / 16 * 16, blocks = (pairs + 7) / 8;
  if (i % 2)
    pairs = blocks * 8;
  bool tapped = i % 5 == 4 && pairs < 200, blocked = i % 5 < 2, residual = i % 3 == 1, factor = i % 4 == 2, wide = i % 7 < 3,
       wide_residual = i % 2;
  if (residual && i % 6 == 1)
    wide_residual = wide;
  bool over = residual && wide == wide_residual;
  /* operands */
  g_autofree int64_t *taps = tapped ? g_new (int64_t, (gsize)pairs) : NULL;
  int64_t at = 0, apart = (tapped ? 2 : blocks * 16) + (int64_t)pare_rng_below (&rng, 3) * 2;
  for (int64_t k = 0; tapped && k < pairs; k++, at += pare_rng_below (&rng, 3) ? 2 : 6)
    taps[k] = at;
  int64_t size = blocked ? rows * blocks * 16 : rows * apart + at + 16;
  g_autofree uint16_t *a = g_new (uint16_t, (gsize)size), *b = g_new (uint16_t, (gsize)(whole * pairs * 2));
  g_autofree float *weights = random_floats (&rng, n * pairs * 2), *scale = random_floats (&rng, whole),
                   *bias = random_floats (&rng, whole), *lo = random_floats (&rng, whole), *hi = random_floats (&rng, whole),
                   *added = random_floats (&rng, rows * n);
  for (int64_t k = 0; k < size; k++)
    a[k] = to_bfloat (pare_rng_normal (&rng));
  for (int64_t k = 0; k < n * pairs * 2; k++)
    weights[k] = to_float (to_bfloat ((double)weights[k] / sqrt (2 * (double)pairs)));
  for (int64_t k = 0; k < whole; k++)
    hi[k] = lo[k] + 1;
  pare_accel_pack_pairs (weights, n, pairs * 2, NULL, pairs, b);
  const PareAfter after = { .kind = kinds[i % G_N_ELEMENTS (kinds)], .lo = lo, .hi = hi, .alpha = 0.1f };
  Layout l = blocked ? (Layout){ 16, (rows + 1) * 16, (rows + 1) * whole } : (Layout){ n + 3, 16, rows * (n + 3) };
  g_autofree char *c = g_malloc0 ((gsize)l.size * 4), *before = g_malloc0 ((gsize)l.size * 4), *halves = g_malloc0 ((gsize)l.size * 4);
  for (int64_t r = 0; residual && r < rows; r++)
    for (int64_t k = 0; k < n; k++)
      {
        float *x = &added[r * n + k];
        *x = to_float (to_bfloat ((double)*x));
        if (wide_residual)
          ((float *)(void *)before)[place (&l, r, k)] = *x;
        else
          ((uint16_t *)(void *)before)[place (&l, r, k)] = to_bfloat ((double)*x);
      }
  PareBfloatProduct p = { .rows = rows,
                          .pairs = pairs,
                          .a = a,
                          .a_row = blocked ? 16 : apart,
                          .a_block = blocked ? rows * 16 : 16,
                          .taps = taps,
                          .b = b,
                          .factor = factor ? scale : NULL,
                          .bias = factor || i % 9 ? bias : NULL,
                          .c = { c, wide },
                          .residual = { residual ? before : NULL, wide_residual },
                          .c_row = l.row,
                          .c_block = l.block,
                          .after = &after };
  if (over)
    {
      memcpy (c, before, (gsize)l.size * 4);
      memcpy (halves, before, (gsize)l.size * 4);
      p.residual.data = c;
    }
  pare_accel_multiply_pairs (isa, n, &p);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t k = 0; k < n; k++)
      {
        double sum = 0, most = 0;
        for (int64_t t = 0; t < 2 * pairs; t++)
          {
            int64_t from = taps ? r * apart + taps[t / 2] + t % 2 : r * p.a_row + t / 16 * p.a_block + t % 16;
            double term = (double)to_float (a[from]) * (double)weights[k * 2 * pairs + t];
            sum += term;
            most += fabs (term);
          }
        double by = factor ? (double)scale[k] : 1, y = sum * by + (p.bias ? (double)bias[k] : 0);
        y = activated (y + (residual ? (double)added[r * n + k] : 0), &after, k);
        double got = wide ? (double)((float *)(void *)c)[place (&l, r, k)] : (double)to_float (((uint16_t *)(void *)c)[place (&l, r, k)]);
        double allowed = (2 + most * fabs (by)) * 1e-5 + (wide ? 0 : fabs (y) * 0x1.2p-8);
        if (!(fabs (got - y) <= allowed))
          g_error ("product %u: row %d of %d, column %d of %d, %d pairs: %g, not %g", i, (int)r, (int)rows, (int)k, (int)n, (int)pairs, got,
                   y);
      }
  /* The bits do not depend on how rows are cut. */
  int64_t cut = (int64_t)pare_rng_below (&rng, (guint64)rows + 1);
  for (int half = 0; half < 2; half++)
    {
      PareBfloatProduct some = p;
      int64_t first = half ? cut : 0;
      some.rows = half ? rows - cut : cut;
      some.a = a + first * p.a_row;
      some.c.data = halves + first * l.row * (wide ? 4 : 2);
      if (residual)
        some.residual.data = (over ? halves : before) + first * l.row * (wide_residual ? 4 : 2);
      if (some.rows > 0)
        pare_accel_multiply_pairs (isa, n, &some);
    }
  g_assert_cmpmem (c, (gsize)l.size * 4, halves, (gsize)l.size * 4);
}

static void
test_vectors (void)
{
  for (guint i = 0; i < 400; i++)
    check (pare_accel_bfloats (), i);
}

static void
test_tiles (void)
{
  const PareBfloats *isa = pare_accel_bfloats_for (INT64_MAX);
  if (isa == pare_accel_bfloats ())
    {
      g_test_skip ("no matrix unit");
      return;
    }
  for (guint i = 0; i < 400; i++)
    check (isa, i);
}

/* Small products one behind the other are those that are made one by one, bit by bit, and leave what lies between them. */
static void
test_series (void)
{
  const PareBfloats *isa = pare_accel_bfloats ();
  for (guint turn = 0; turn < 200; turn++)
    {
      PareRng rng = { 900 + turn };
      int64_t rows = 1 + (int64_t)pare_rng_below (&rng, 70), blocks = 1 + (int64_t)pare_rng_below (&rng, 4), k = blocks * PARE_BLOCK;
      PareBfloatSeries series = { 1 + (int64_t)pare_rng_below (&rng, 36), rows * k + (int64_t)pare_rng_below (&rng, 40), PARE_BLOCK * k,
                                  rows * PARE_BLOCK + (int64_t)pare_rng_below (&rng, 40) };
      gsize size_a = (gsize)(series.n * series.a_apart), size_b = (gsize)(series.n * series.b_apart),
            size_c = (gsize)(series.n * series.c_apart);
      g_autofree uint16_t *a = g_new (uint16_t, size_a), *b = g_new (uint16_t, size_b);
      g_autofree float *c = g_new (float, size_c), *want = g_new (float, size_c);
      for (gsize i = 0; i < size_a; i++)
        a[i] = to_bfloat (pare_rng_normal (&rng));
      for (gsize i = 0; i < size_b; i++)
        b[i] = to_bfloat (pare_rng_normal (&rng));
      memset (c, 0x55, size_c * sizeof *c);
      memset (want, 0x55, size_c * sizeof *want);
      PareBfloatProduct p = { .rows = rows,
                              .pairs = k / 2,
                              .a = a,
                              .a_row = PARE_BLOCK,
                              .a_block = rows * PARE_BLOCK,
                              .b = b,
                              .width = PARE_BLOCK,
                              .columns = PARE_BLOCK,
                              .c = { c, true },
                              .c_row = PARE_BLOCK,
                              .c_block = rows * PARE_BLOCK };
      isa->series (&p, &series);
      for (int64_t i = 0; i < series.n; i++)
        {
          p.a = a + i * series.a_apart;
          p.b = b + i * series.b_apart;
          p.c.data = want + i * series.c_apart;
          isa->product (&p);
        }
      g_assert_cmpmem (c, size_c * sizeof *c, want, size_c * sizeof *want);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (pare_accel_bfloats ())
    {
      g_test_add_func ("/accel-bfloat-products/vectors", test_vectors);
      g_test_add_func ("/accel-bfloat-products/tiles", test_tiles);
      g_test_add_func ("/accel-bfloat-products/series", test_series);
    }
  return g_test_run ();
}
