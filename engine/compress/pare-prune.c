/* Zeros by magnitude: anywhere in a layer, or so many of each consecutive few along the summed axis. */
#include "engine/compress/pare-compress-private.h"

#include <math.h>
#include <string.h>

static guint32
magnitude_bits (float v)
{
  guint32 bits;
  memcpy (&bits, &v, sizeof bits);
  return bits & 0x7fffffff;
}

/* The k-th smallest magnitude's bits (k from 0) and how many are below it; digit by digit, from the highest. */
static guint32
select_magnitude (const float *data, gsize n, gsize k, gsize *below)
{
  static const struct
  {
    int shift, bits;
  } digits[] = { { 20, 11 }, { 10, 10 }, { 0, 10 } };
  gsize sum = 0;
  guint32 high = 0; /* the digits that are known */
  for (guint d = 0; d < G_N_ELEMENTS (digits); d++)
    {
      int shift = digits[d].shift, bits = digits[d].bits;
      gsize count[1 << 11] = { 0 };
      for (gsize i = 0; i < n; i++)
        {
          guint32 m = magnitude_bits (data[i]);
          if ((guint64)m >> (shift + bits) == high)
            count[m >> shift & ((1u << bits) - 1)]++;
        }
      guint32 digit = 0;
      while (sum + count[digit] <= k)
        sum += count[digit++];
      high = high << bits | digit;
    }
  *below = sum;
  return high;
}

void
pare_prune_unstructured (float *data, gsize n, double ratio)
{
  gsize k = (gsize)floor (CLAMP (ratio, 0, 1) * (double)n), below;
  if (k == 0)
    return;
  if (k >= n)
    {
      memset (data, 0, n * sizeof *data);
      return;
    }
  guint32 threshold = select_magnitude (data, n, k, &below);
  gsize equal = k - below; /* of those at the threshold itself, the first so many go */
  for (gsize i = 0; i < n; i++)
    data[i] = magnitude_bits (data[i]) < threshold ? 0 : data[i]; /* no branch: nobody could foretell it */
  for (gsize i = 0; i < n && equal > 0; i++)
    if (magnitude_bits (data[i]) == threshold)
      {
        data[i] = 0;
        equal--;
      }
}

void
pare_prune_n_m (float *data, const PareShape *shape, int axis, int zeros, int of)
{
  PareAxisSplit s = pare_axis_split (shape, axis);
  for (gsize o = 0; o < s.outer; o++)
    for (gsize i = 0; i < s.inner; i++)
      for (gsize first = 0; first < s.n; first += (gsize)of)
        {
          gsize k = MIN ((gsize)of, s.n - first);
          gsize keep = (k * (gsize)(of - zeros) + (gsize)of - 1) / (gsize)of; /* an incomplete group keeps its share, rounded up */
          float *group = data + (o * s.n + first) * s.inner + i;
          for (gsize gone = 0; gone < k - keep; gone++)
            {
              gsize least = k;
              for (gsize j = 0; j < k; j++)
                {
                  float v = group[j * s.inner];
                  if (isnan (v)) /* marks what has gone already */
                    continue;
                  if (least == k || fabsf (v) < fabsf (group[least * s.inner]))
                    least = j;
                }
              group[least * s.inner] = NAN;
            }
          for (gsize j = 0; j < k; j++)
            if (isnan (group[j * s.inner]))
              group[j * s.inner] = 0;
        }
}

guint32 *
pare_prune_sorted_magnitudes (const float *data, gsize n)
{
  guint32 *a = g_new (guint32, n + 1), *b = g_new (guint32, n + 1);
  gsize count[2048];
  for (gsize i = 0; i < n; i++)
    a[i] = magnitude_bits (data[i]);
  for (int shift = 0; shift < 33; shift += 11) /* radix sort, 3 passes */
    {
      memset (count, 0, sizeof count);
      for (gsize i = 0; i < n; i++)
        count[a[i] >> shift & 2047]++;
      for (gsize k = 0, sum = 0; k < 2048; k++)
        {
          gsize c = count[k];
          count[k] = sum;
          sum += c;
        }
      for (gsize i = 0; i < n; i++)
        b[count[a[i] >> shift & 2047]++] = a[i];
      guint32 *swap = a;
      a = b;
      b = swap;
    }
  g_free (b);
  return a;
}
