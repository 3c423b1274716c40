/* The statistics behind every interval on a chart. */
#include "engine/evaluate/pare-evaluate-private.h"

#include <math.h>
#include <stdlib.h>

#define Z95 1.959963984540054

static void
enclose (double value, double lo, double hi, double *low, double *high)
{
  *low = MIN (*low, value);
  *high = MAX (*high, value);
  *low = CLAMP (*low, lo, hi);
  *high = CLAMP (*high, lo, hi);
}

/* Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22:209. */
void
pare_stat_wilson (double hits, double n, double *low, double *high)
{
  if (!(n > 0))
    {
      *low = 0;
      *high = 1;
      return;
    }
  double p = hits / n, z2 = Z95 * Z95, centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  double half = Z95 * sqrt (p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n);
  *low = centre - half;
  *high = centre + half;
  enclose (p, 0, 1, low, high);
}

/* d = (gained - lost) / n. From 25 discordant samples on the normal interval with SE = sqrt (b + c - (b - c)^2 / n) / n (ALGORITHMS.md,
 * "Interactive pipeline"). Below that it is too short (of no width without discordant samples): there the adjusted interval of Bonett and
 * Price 2012, "Adjusted Wald confidence interval for a difference of binomial proportions based on paired data", J. Educ. Behav. Stat.
 * 37:479, which adds one sample to each kind of discordance; Fagerland, Lydersen and Laake 2014 (Stat. Med. 33:2850) recommend it for small
 * samples. */
void
pare_stat_paired (guint n, guint lost, guint gained, double *difference, double *low, double *high)
{
  double b = lost, c = gained, m = n;
  if (n == 0)
    {
      *difference = 0;
      *low = -1;
      *high = 1;
      return;
    }
  *difference = (c - b) / m;
  double centre = *difference, half;
  if (b + c >= 25)
    half = Z95 * sqrt (MAX (0, b + c - (b - c) * (b - c) / m)) / m;
  else
    {
      double p = (b + 1) / (m + 2), q = (c + 1) / (m + 2);
      centre = q - p;
      half = Z95 * sqrt (MAX (0, p + q - (q - p) * (q - p)) / (m + 2));
    }
  *low = centre - half;
  *high = centre + half;
  enclose (*difference, -1, 1, low, high);
}

/* Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas 2021, "Time-uniform central limit theory and asymptotic confidence sequences", theorem 2.2:
 * s * sqrt (2 (n r^2 + 1) / (n^2 r^2) * ln (sqrt (n r^2 + 1) / alpha)). r makes it tightest near 200 samples, where people decide. */
double
pare_stat_anytime_half_width (double n, double se, double alpha)
{
  double a = -2 * log (alpha), r2 = (a + log (a) + 1) / 200, k = n * r2 + 1;
  return se * sqrt (n) * sqrt (2 * k / (n * n * r2) * log (sqrt (k) / alpha));
}

void
pare_stat_paired_anytime (guint n, guint lost, guint gained, double alpha, double *difference, double *low, double *high)
{
  pare_stat_paired (n, lost, gained, difference, low, high);
  if (n == 0)
    return;
  /* One made-up sample of each kind keeps the spread above zero while nothing has changed yet. */
  double m = n + 2.0, p = (lost + 1) / m, q = (gained + 1) / m, s = sqrt (MAX (0, p + q - (q - p) * (q - p)));
  double half = pare_stat_anytime_half_width (n, s / sqrt (n), alpha);
  *low = *difference - half;
  *high = *difference + half;
  enclose (*difference, -1, 1, low, high);
}

/* McNemar 1947 (Psychometrika 12:153), exact form: two-sided binomial test that a discordant sample falls on either side alike. */
double
pare_stat_mcnemar (guint lost, guint gained)
{
  guint m = lost + gained, k = MIN (lost, gained);
  double p = 0;
  for (guint i = 0; i <= k; i++)
    p += exp (lgamma (m + 1.0) - lgamma (i + 1.0) - lgamma (m - i + 1.0) - m * G_LN2);
  return MIN (1, 2 * p);
}

typedef struct
{
  float value;
  guint index;
} Ranked;

static int
compare_ranked (const void *a, const void *b)
{
  float x = ((const Ranked *)a)->value, y = ((const Ranked *)b)->value;
  return isnan (x) || isnan (y) ? isnan (x) - isnan (y) : (x > y) - (x < y); /* NAN counts as the largest error */
}

/* Ranks from 1, ties share their mean; by position in `items`, written at rank[index]. */
static void
midranks (Ranked *items, guint n, double *rank)
{
  qsort (items, n, sizeof *items, compare_ranked);
  for (guint i = 0; i < n;)
    {
      guint j = i;
      while (j < n && compare_ranked (&items[j], &items[i]) == 0)
        j++;
      for (guint k = i; k < j; k++)
        rank[items[k].index] = (i + j + 1) / 2.0;
      i = j;
    }
}

/* DeLong, DeLong, Clarke-Pearson 1988 (Biometrics 44:837), with the ranks of Sun and Xu 2014 (IEEE Signal Proc. Letters 21:1389): the share
 * of the other class that each sample is placed on the right side of. Returns the AUC; NAN where a class is missing. */
static double
placements (const float *score, const gint32 *label, guint n, double *place, guint *n_positive)
{
  guint positive = 0, count[2] = { 0, 0 };
  g_autofree double *all = g_new (double, MAX (n, 1)), *own = g_new (double, MAX (n, 1));
  g_autofree Ranked *items = g_new (Ranked, MAX (n, 1));
  for (guint i = 0; i < n; i++)
    {
      items[i] = (Ranked){ score[i], i };
      positive += label[i] != 0;
    }
  *n_positive = positive;
  if (positive == 0 || positive == n)
    return NAN;
  midranks (items, n, all);
  for (int side = 0; side < 2; side++)
    {
      for (guint i = 0; i < n; i++)
        if ((label[i] != 0) == side)
          items[count[side]++] = (Ranked){ score[i], i };
      midranks (items, count[side], own);
    }
  double sum = 0;
  for (guint i = 0; i < n; i++)
    {
      place[i] = label[i] != 0 ? (all[i] - own[i]) / count[0] : 1 - (all[i] - own[i]) / count[1];
      sum += label[i] != 0 ? all[i] : 0;
    }
  return (sum - positive * (positive + 1.0) / 2) / ((double)positive * (n - positive));
}

/* Variance of a mean of placements: S10 / m + S01 / n. */
static double
placement_variance (const double *place, const gint32 *label, guint n)
{
  double total = 0;
  for (int side = 0; side < 2; side++)
    {
      double sum = 0, squares = 0, count = 0;
      for (guint i = 0; i < n; i++)
        if ((label[i] != 0) == side)
          {
            sum += place[i];
            count++;
          }
      for (guint i = 0; i < n; i++)
        if ((label[i] != 0) == side)
          squares += (place[i] - sum / count) * (place[i] - sum / count);
      total += count > 1 ? squares / (count - 1) / count : 0.25;
    }
  return total;
}

double
pare_stat_auc (const float *score, const gint32 *label, guint n, double *low, double *high)
{
  g_autofree double *place = g_new (double, MAX (n, 1));
  guint positive;
  double value = placements (score, label, n, place, &positive);
  *low = 0;
  *high = 1;
  if (isnan (value))
    return value;
  double se = sqrt (placement_variance (place, label, n));
  if (se > 0)
    {
      *low = value - Z95 * se;
      *high = value + Z95 * se;
    }
  else /* perfectly separated: as if each sample of the smaller class were one success */
    {
      double m = MIN (positive, n - positive);
      pare_stat_wilson (value * m, m, low, high);
    }
  enclose (value, 0, 1, low, high);
  return value;
}

double
pare_stat_auc_difference (const float *score, const float *baseline, const gint32 *label, guint n, double *se)
{
  g_autofree double *a = g_new (double, MAX (n, 1)), *b = g_new (double, MAX (n, 1));
  guint positive;
  double x = placements (score, label, n, a, &positive), y = placements (baseline, label, n, b, &positive);
  *se = NAN;
  if (isnan (x) || isnan (y))
    return NAN;
  for (guint i = 0; i < n; i++)
    a[i] -= b[i];
  *se = sqrt (placement_variance (a, label, n));
  return x - y;
}

/* Ratio estimator of a cluster sample (Cochran, Sampling Techniques, section 2.11 and 9): var = K / (K - 1) * sum (h - p u)^2 / (sum u)^2.
 */
void
pare_stat_clustered (const double *hits, const double *units, guint clusters, double *value, double *se)
{
  double h = 0, u = 0, squares = 0;
  for (guint i = 0; i < clusters; i++)
    {
      h += hits[i];
      u += units[i];
    }
  *value = u > 0 ? h / u : 0;
  for (guint i = 0; i < clusters; i++)
    squares += (hits[i] - *value * units[i]) * (hits[i] - *value * units[i]);
  *se = clusters > 1 && u > 0 ? sqrt (clusters / (clusters - 1.0) * squares) / u : 1;
}
