/* What compression does to the weights of one layer, and the ranges of histograms, against naive loops. */
#include "random-tensor.h"
#include "engine/compress/pare-compress-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- weights on a grid --- */

static double
naive_error (const float *w, gsize n, double scale, double top)
{
  double sum = 0;
  for (gsize i = 0; i < n; i++)
    sum += pow (fabs (w[i] - CLAMP (rint (w[i] / scale), -top, top) * scale), 2.4);
  return sum;
}

static void
test_grid_error (void)
{
  g_autoptr (PareTensor) t = TENSOR (3, 0.1, 1000);
  for (double scale = 0.001; scale < 0.5; scale *= 1.7)
    {
      double want = naive_error (t->data, 1000, scale, 7), got = pare_grid_error (t->data, 1000, (float)scale, 7);
      g_assert_cmpfloat (fabs (got / want - 1), <, 0.01);
    }
}

static void
test_grid (void)
{
  g_autoptr (PareTensor) t = TENSOR (5, 0.2, 6, 4, 3, 3);
  float *w = t->data;
  memset (w + 2 * 36, 0, 36 * sizeof *w); /* a dead channel */
  for (int bits = 2; bits <= 8; bits++)
    for (int mse = 0; mse < 2; mse++)
      {
        g_autoptr (PareTensor) q = pare_tensor_copy (t);
        PareQuant *quant = pare_grid_apply (q->data, &q->shape, 0, bits, mse ? PARE_RANGE_MSE : PARE_RANGE_MAX);
        double top = (1 << (bits - 1)) - 1;
        g_assert_cmpuint (quant->n, ==, 6);
        g_assert_cmpint (quant->hi, ==, (int)top);
        g_assert_cmpint (quant->lo, ==, (int)-top);
        for (int c = 0; c < 6; c++)
          {
            const float *was = w + c * 36, *now = (float *)q->data + c * 36;
            double max = 0, best = INFINITY;
            g_assert_cmpfloat (quant->scale[c], >, 0);
            for (int i = 0; i < 36; i++)
              {
                max = MAX (max, fabs (was[i]));
                double code = now[i] / quant->scale[c];
                g_assert_cmpfloat (fabs (code - rint (code)), <, 1e-4);
                g_assert_cmpfloat (fabs (code), <, top + 0.5);
                double want = CLAMP (rint (was[i] / quant->scale[c]), -top, top) * quant->scale[c];
                g_assert_cmpfloat (fabs (now[i] - want), <,
                                   1e-6 + (fabs (was[i] / quant->scale[c] - floor (was[i] / quant->scale[c]) - 0.5) < 1e-4));
              }
            if (c == 2)
              continue;
            for (int s = 100; s > 20; s--)
              best = MIN (best, naive_error (was, 36, max * s / 100 / top, top));
            if (mse)
              g_assert_cmpfloat (naive_error (was, 36, quant->scale[c], top), <, best * 1.1);
            else
              g_assert_cmpfloat (fabs (quant->scale[c] - max / top), <, 1e-6 * max);
          }
        pare_quant_free (quant);
      }
  g_autoptr (PareTensor) matrix = TENSOR (6, 1, 5, 7); /* along the last axis, and one scale for all */
  g_autoptr (PareTensor) one = pare_tensor_copy (matrix);
  PareQuant *columns = pare_grid_apply (matrix->data, &matrix->shape, 1, 4, PARE_RANGE_MAX),
            *all = pare_grid_apply (one->data, &one->shape, -1, 4, PARE_RANGE_MAX);
  g_assert_cmpuint (columns->n, ==, 7);
  g_assert_cmpuint (all->n, ==, 1);
  for (int i = 0; i < 35; i++)
    {
      double code = ((float *)matrix->data)[i] / columns->scale[i % 7];
      g_assert_cmpfloat (fabs (code - rint (code)), <, 1e-4);
    }
  pare_quant_free (columns);
  pare_quant_free (all);
}

static void
test_16_bits (void)
{
  float w[4] = { 1.00001f, -3.3333333f, 1e-3f, 65000 };
  g_assert_cmpint (pare_grid_round_16 (w, 4, FALSE), ==, PARE_DTYPE_FLOAT16);
  for (int i = 0; i < 4; i++)
    g_assert_cmpfloat (w[i], ==, pare_half_to_float (pare_float_to_half (w[i])));
  float big[3] = { 1e30f, -2.7182818f, 3.4e38f };
  g_assert_cmpint (pare_grid_round_16 (big, 3, FALSE), ==, PARE_DTYPE_BFLOAT16);
  for (int i = 0; i < 3; i++)
    {
      guint32 bits;
      memcpy (&bits, &big[i], 4);
      g_assert_cmphex (bits & 0xffff, ==, 0);
      g_assert_true (isfinite (big[i]));
    }
}

/* --- zeros --- */

static int
compare_floats (const void *a, const void *b)
{
  float x = *(const float *)a, y = *(const float *)b;
  return x < y ? -1 : x > y;
}

static void
test_unstructured (void)
{
  enum
  {
    N = 1003
  };
  g_autoptr (PareTensor) t = TENSOR (7, 1, N);
  float *w = t->data, sorted[N];
  for (int i = 0; i < 40; i++)
    w[i * 7] = 0.25f; /* ties */
  for (int i = 0; i < N; i++)
    sorted[i] = fabsf (w[i]);
  qsort (sorted, N, sizeof *sorted, compare_floats);
  for (int percent = 0; percent <= 100; percent += 5)
    {
      g_autoptr (PareTensor) p = pare_tensor_copy (t);
      float *data = p->data, largest = 0;
      int gone = 0, want = N * percent / 100;
      pare_prune_unstructured (data, N, percent / 100.0);
      for (int i = 0; i < N; i++)
        if (data[i] == 0)
          {
            gone++;
            largest = MAX (largest, fabsf (w[i]));
          }
        else
          g_assert_cmpfloat (data[i], ==, w[i]);
      g_assert_cmpint (gone, ==, want);
      if (want > 0)
        g_assert_cmpfloat (largest, ==, sorted[want - 1]);
    }
}

static void
test_n_m (void)
{
  g_autoptr (PareTensor) t = TENSOR (8, 1, 3, 10, 2, 2);
  g_autoptr (PareTensor) p = pare_tensor_copy (t);
  pare_prune_n_m (p->data, &p->shape, 1, 2, 4);
  const float *was = t->data, *now = p->data;
  for (int m = 0; m < 3; m++)
    for (int k = 0; k < 4; k++)
      for (int first = 0; first < 10; first += 4)
        {
          int size = MIN (4, 10 - first), zeros = 0;
          float kept = INFINITY, lost = 0;
          for (int c = first; c < first + size; c++)
            {
              float v = now[(m * 10 + c) * 4 + k], o = fabsf (was[(m * 10 + c) * 4 + k]);
              zeros += v == 0;
              if (v == 0)
                lost = MAX (lost, o);
              else
                kept = MIN (kept, o);
            }
          g_assert_cmpint (zeros, ==, size == 4 ? 2 : 1); /* the last two: half of them stay */
          g_assert_cmpfloat (lost, <=, kept);
        }
}

/* --- shared weights --- */

static void
test_cluster (void)
{
  enum
  {
    N = 600,
    K = 8
  };
  g_autoptr (PareTensor) t = TENSOR (9, 1, N);
  g_autoptr (PareTensor) p = pare_tensor_copy (t), sparse = pare_tensor_copy (t);
  pare_cluster_apply (p->data, N, K, FALSE);
  /* Naive Lloyd from the linear start: never better. */
  const float *w = t->data;
  double low = INFINITY, high = -INFINITY, centre[K], want = 0, got = 0;
  for (int i = 0; i < N; i++)
    low = MIN (low, w[i]), high = MAX (high, w[i]);
  for (int k = 0; k < K; k++)
    centre[k] = low + (high - low) * k / (K - 1);
  int near[N];
  for (int round = 0; round < 300; round++)
    {
      double sum[K] = { 0 };
      int count[K] = { 0 };
      for (int i = 0; i < N; i++)
        {
          near[i] = 0;
          for (int k = 1; k < K; k++)
            if (fabs (w[i] - centre[k]) < fabs (w[i] - centre[near[i]]))
              near[i] = k;
          sum[near[i]] += w[i];
          count[near[i]]++;
        }
      for (int k = 0; k < K; k++)
        if (count[k] > 0)
          centre[k] = sum[k] / count[k];
    }
  GHashTable *distinct = g_hash_table_new (NULL, NULL);
  for (int i = 0; i < N; i++)
    {
      float v = ((float *)p->data)[i];
      guint32 bits;
      memcpy (&bits, &v, 4);
      g_hash_table_add (distinct, GUINT_TO_POINTER (bits));
      want += (w[i] - centre[near[i]]) * (w[i] - centre[near[i]]);
      got += ((double)w[i] - v) * ((double)w[i] - v);
    }
  g_assert_cmpuint (g_hash_table_size (distinct), <=, K);
  g_assert_cmpfloat (got, <, want * 1.001);
  g_hash_table_unref (distinct);
  pare_prune_unstructured (sparse->data, N, 0.5);
  g_autoptr (PareTensor) zeros = pare_tensor_copy (sparse);
  pare_cluster_apply (sparse->data, N, K, TRUE);
  for (int i = 0; i < N; i++)
    g_assert_true ((((float *)sparse->data)[i] == 0) == (((float *)zeros->data)[i] == 0));
  float constant[5] = { 2, 2, 2, 2, 2 };
  pare_cluster_apply (constant, 5, 4, FALSE);
  for (int i = 0; i < 5; i++)
    g_assert_cmpfloat (constant[i], ==, 2);
}

/* --- histograms --- */

static void
test_histogram_order (void)
{
  enum
  {
    PARTS = 12,
    N = 500
  };
  g_autoptr (PareTensor) t = TENSOR (11, 1, PARTS, N);
  float *x = t->data;
  for (int p = 0; p < PARTS; p++) /* very different scales, so that every part grows the bins */
    for (int i = 0; i < N; i++)
      x[p * N + i] *= powf (3, (float)(p * 5 % PARTS) - 6);
  PareHistogram whole, forward, backward, tree[PARTS];
  pare_histogram_init (&whole);
  pare_histogram_init (&forward);
  pare_histogram_init (&backward);
  pare_histogram_add (&whole, x, PARTS * N);
  for (int p = 0; p < PARTS; p++)
    {
      pare_histogram_add (&forward, x + p * N, N);
      pare_histogram_add (&backward, x + (PARTS - 1 - p) * N, N);
      pare_histogram_init (&tree[p]);
      pare_histogram_add (&tree[p], x + p * N, N);
    }
  for (int step = 1; step < PARTS; step *= 2)
    for (int p = 0; p + step < PARTS; p += 2 * step)
      {
        PareHistogram other = tree[p + step];
        if (p % 3 == 0) /* merging is symmetric */
          {
            pare_histogram_merge (&other, &tree[p]);
            tree[p] = other;
          }
        else
          pare_histogram_merge (&tree[p], &other);
      }
  const PareHistogram *all[4] = { &whole, &forward, &backward, &tree[0] };
  guint64 total = 0;
  for (int b = 0; b < PARE_HISTOGRAM_BINS; b++)
    total += whole.bins[b];
  g_assert_cmpuint (total, ==, PARTS * N);
  for (int k = 1; k < 4; k++)
    {
      g_assert_cmpmem (all[k]->bins, sizeof whole.bins, whole.bins, sizeof whole.bins);
      g_assert_cmpfloat (all[k]->bin_low, ==, whole.bin_low);
      g_assert_cmpfloat (all[k]->bin_width, ==, whole.bin_width);
      g_assert_cmpfloat (all[k]->min, ==, whole.min);
      g_assert_cmpuint (all[k]->count, ==, whole.count);
    }
  for (int i = 0; i < 200; i++) /* every value is in its bin */
    {
      int b = (int)floor ((x[i] - whole.bin_low) / whole.bin_width);
      g_assert_cmpint (b, >=, 0);
      g_assert_cmpint (b, <, PARE_HISTOGRAM_BINS);
      g_assert_cmpuint (whole.bins[b], >, 0);
    }
}

static double
true_error (const float *x, int n, double low, double high, int levels)
{
  double scale = (high - low) / (levels - 1), zero = rint (-low / scale), sum = 0;
  for (int i = 0; i < n; i++)
    {
      double q = (CLAMP (rint (x[i] / scale) + zero, 0, levels - 1) - zero) * scale;
      sum += (x[i] - q) * (x[i] - q);
    }
  return sum;
}

static void
test_histogram_ranges (void)
{
  enum
  {
    N = 20000
  };
  g_autoptr (PareTensor) t = TENSOR (12, 1, N);
  float *x = t->data;
  for (int relu = 0; relu < 2; relu++)
    {
      for (int i = 0; i < N && relu; i++)
        x[i] = MAX (x[i], 0);
      x[17] = 40; /* an outlier */
      PareHistogram h;
      pare_histogram_init (&h);
      pare_histogram_add (&h, x, N);
      double low, high, error[5];
      g_autofree float *sorted = g_memdup2 (x, N * sizeof *x);
      qsort (sorted, N, sizeof *sorted, compare_floats);
      pare_histogram_range (&h, PARE_CALIBRATOR_MINMAX, 0, 4, &low, &high);
      g_assert_cmpfloat (high, ==, 40);
      g_assert_cmpfloat (low, ==, relu ? 0 : sorted[0]);
      error[1] = true_error (x, N, low, high, 16);
      pare_histogram_range (&h, PARE_CALIBRATOR_PERCENTILE, 99.9, 4, &low, &high);
      g_assert_cmpfloat (fabs (high - sorted[N - 1 - (relu ? N / 1000 : N / 2000)]), <, 0.15);
      error[2] = true_error (x, N, low, high, 16);
      for (int c = PARE_CALIBRATOR_MSE; c <= PARE_CALIBRATOR_ENTROPY; c++)
        {
          pare_histogram_range (&h, c, 0, 4, &low, &high);
          g_assert_cmpfloat (low, <=, 0);
          g_assert_cmpfloat (high, >, 0);
          g_assert_cmpfloat (high, <, 40);
          error[c] = true_error (x, N, low, high, 16);
        }
      double best = INFINITY; /* a plain search over both ends on the data itself */
      for (double l = relu ? 0 : -4; l <= 0; l += 0.25)
        for (double u = 0.5; u < 41; u += 0.25)
          best = MIN (best, true_error (x, N, l, u, 16));
      g_assert_cmpfloat (error[3], <, 1.06 * best);
      g_assert_cmpfloat (error[3], <, error[1]);
      g_assert_cmpfloat (error[3], <=, error[2] * 1.01);
    }
  PareHistogram nothing;
  double low, high;
  pare_histogram_init (&nothing);
  pare_histogram_range (&nothing, PARE_CALIBRATOR_MSE, 0, 8, &low, &high);
  g_assert_cmpfloat (low, ==, 0);
  g_assert_cmpfloat (high, ==, 0);
  float constant[3] = { -5, -5, NAN };
  pare_histogram_add (&nothing, constant, 3);
  g_assert_cmpuint (nothing.count, ==, 2);
  pare_histogram_range (&nothing, PARE_CALIBRATOR_MSE, 0, 8, &low, &high);
  g_assert_cmpfloat (low, <=, -4.5);
  g_assert_cmpfloat (high, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/compress/grid-error", test_grid_error);
  g_test_add_func ("/compress/grid", test_grid);
  g_test_add_func ("/compress/16-bits", test_16_bits);
  g_test_add_func ("/compress/unstructured", test_unstructured);
  g_test_add_func ("/compress/n-m", test_n_m);
  g_test_add_func ("/compress/cluster", test_cluster);
  g_test_add_func ("/compress/histogram-order", test_histogram_order);
  g_test_add_func ("/compress/histogram-ranges", test_histogram_ranges);
  return g_test_run ();
}
