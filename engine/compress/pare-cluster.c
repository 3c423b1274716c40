/* Weight sharing: one-dimensional k-means, exact Lloyd steps over the sorted values. */
#include "engine/compress/pare-compress-private.h"

#include <math.h>
#include <string.h>

/* Sorted copy: the magnitudes' bits of the negatives backwards, then those of the positives. */
static float *
sorted_copy (const float *data, gsize n)
{
  g_autofree float *parted = g_new (float, n + 1);
  gsize negative = 0, positive = n;
  for (gsize i = 0; i < n; i++)
    if (data[i] < 0)
      parted[negative++] = data[i];
    else
      parted[--positive] = data[i];
  float *out = g_new (float, n + 1);
  g_autofree guint32 *low = pare_prune_sorted_magnitudes (parted, negative),
                     *high = pare_prune_sorted_magnitudes (parted + positive, n - positive);
  for (gsize i = 0; i < negative; i++)
    {
      guint32 bits = low[negative - 1 - i] | 0x80000000u;
      memcpy (&out[i], &bits, sizeof bits);
    }
  if (n > negative)
    memcpy (out + negative, high, (n - negative) * sizeof *out);
  return out;
}

static gsize
first_above (const float *sorted, gsize n, double bound)
{
  gsize low = 0, high = n;
  while (low < high)
    {
      gsize mid = (low + high) / 2;
      if (sorted[mid] <= bound)
        low = mid + 1;
      else
        high = mid;
    }
  return low;
}

/* Centroids where a density to the power of `power` has equal shares: 0 is linear (keeps the rare large weights, Deep Compression), 1/3 is
 * what many centroids tend to (Panter and Dite). */
static void
place_by_density (const float *sorted, gsize n, int k, double power, double *centroid)
{
  enum
  {
    CELLS = 4096
  };
  g_autofree double *share = g_new0 (double, CELLS + 1);
  double low = sorted[0], width = (sorted[n - 1] - low) / CELLS;
  gsize at = 0;
  for (int c = 0; c < CELLS; c++)
    {
      gsize end = c == CELLS - 1 ? n : first_above (sorted, n, low + width * (c + 1));
      share[c + 1] = share[c] + (end > at ? pow ((double)(end - at), power) : 0);
      at = end;
    }
  for (int j = 0, c = 0; j < k; j++)
    {
      double want = share[CELLS] * (j + 0.5) / k;
      while (c < CELLS - 1 && share[c + 1] < want)
        c++;
      centroid[j] = low + width * (c + (share[c + 1] > share[c] ? (want - share[c]) / (share[c + 1] - share[c]) : 0.5));
    }
}

/* Exact steps until nothing moves; the squared error that is left. */
static double
lloyd (const float *sorted, const double *prefix, const double *squares, gsize n, int k, double *centroid)
{
  g_autofree gsize *start = g_new0 (gsize, k + 1), *before = g_new0 (gsize, k + 1);
  double error = 0;
  for (int round = 0; round < 300; round++)
    {
      start[0] = 0;
      start[k] = n;
      for (int j = 1; j < k; j++)
        start[j] = first_above (sorted, n, (centroid[j - 1] + centroid[j]) / 2);
      if (round > 0 && memcmp (start, before, (k + 1) * sizeof *start) == 0)
        break;
      memcpy (before, start, (k + 1) * sizeof *start);
      for (int j = 0; j < k; j++) /* an empty one keeps its place, in order between its neighbours */
        if (start[j + 1] > start[j])
          centroid[j] = (prefix[start[j + 1]] - prefix[start[j]]) / (double)(start[j + 1] - start[j]);
    }
  for (int j = 0; j < k; j++)
    {
      double count = (double)(before[j + 1] - before[j]), sum = prefix[before[j + 1]] - prefix[before[j]];
      error += squares[before[j + 1]] - squares[before[j]] - (count > 0 ? sum * sum / count : 0);
    }
  return error;
}

/* The best of two starts. centroid[k], ascending. */
static void
find_centroids (const float *sorted, gsize n, int k, double *centroid)
{
  g_autofree double *prefix = g_new (double, n + 1), *squares = g_new (double, n + 1), *other = g_new (double, k);
  prefix[0] = squares[0] = 0;
  for (gsize i = 0; i < n; i++)
    {
      prefix[i + 1] = prefix[i] + sorted[i];
      squares[i + 1] = squares[i] + (double)sorted[i] * sorted[i];
    }
  for (int j = 0; j < k; j++)
    centroid[j] = k == 1 ? prefix[n] / (double)n : sorted[0] + (sorted[n - 1] - (double)sorted[0]) * j / (k - 1);
  double linear = lloyd (sorted, prefix, squares, n, k, centroid);
  place_by_density (sorted, n, k, 1.0 / 3, other);
  double dense = lloyd (sorted, prefix, squares, n, k, other);
  if (dense < linear)
    memcpy (centroid, other, k * sizeof *centroid);
}

void
pare_cluster_apply (float *data, gsize n, int k, gboolean keep_zeros)
{
  gsize m = 0;
  g_autofree float *values = g_new (float, n + 1);
  for (gsize i = 0; i < n; i++)
    if (!keep_zeros || data[i] != 0)
      values[m++] = data[i];
  gboolean zeros = m < n;
  if (m == 0)
    return;
  g_autofree float *sorted = sorted_copy (values, m);
  g_autofree double *centroid = g_new (double, k);
  int used = zeros ? MAX (k - 1, 1) : k;
  find_centroids (sorted, m, used, centroid);
  for (gsize i = 0; i < n; i++)
    {
      if (zeros && data[i] == 0)
        continue;
      int low = 0, high = used - 1; /* the first whose upper bound reaches the value */
      while (low < high)
        {
          int mid = (low + high) / 2;
          if (data[i] <= (centroid[mid] + centroid[mid + 1]) / 2)
            high = mid;
          else
            low = mid + 1;
        }
      data[i] = (float)centroid[low];
    }
}
