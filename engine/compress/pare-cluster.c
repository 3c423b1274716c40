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

/* centroid[k], ascending; fewer where values are. Returns how many. */
static int
lloyd (const float *sorted, gsize n, int k, double *centroid)
{
  g_autofree double *prefix = g_new (double, n + 1);
  g_autofree gsize *start = g_new0 (gsize, k + 1), *before = g_new0 (gsize, k + 1);
  prefix[0] = 0;
  for (gsize i = 0; i < n; i++)
    prefix[i + 1] = prefix[i] + sorted[i];
  for (int j = 0; j < k; j++) /* linear: keeps the rare large weights (Deep Compression) */
    centroid[j] = k == 1 ? prefix[n] / (double)n : sorted[0] + (sorted[n - 1] - (double)sorted[0]) * j / (k - 1);
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
  return k;
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
  int used = lloyd (sorted, m, zeros ? MAX (k - 1, 1) : k, centroid);
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
