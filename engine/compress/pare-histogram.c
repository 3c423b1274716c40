/* Streamed histograms. Bins are a power of two wide and stand on multiples of their width, so that growing is adding neighbours: exact, and
 * the same whatever the order in which data arrived. The width is the smallest that covers what was seen with the bins there are. */
#include "engine/compress/pare-statistics.h"

#include <math.h>
#include <string.h>

#define BINS PARE_HISTOGRAM_BINS
#define NARROWEST 0x1p-40

void
pare_histogram_init (PareHistogram *self)
{
  memset (self, 0, sizeof *self);
  self->min = INFINITY;
  self->max = -INFINITY;
}

/* Bins counted from zero: bin i of width w covers [i w, (i + 1) w). */
static double
bin_index (double x, double width)
{
  return floor (x / width);
}

/* Makes room for low..high in bins at least so wide; low is not above anything seen. */
static void
cover (PareHistogram *self, double low, double high, double at_least)
{
  double width = MAX (MAX (self->bin_width, NARROWEST), at_least);
  while (bin_index (high, width) - bin_index (low, width) >= BINS)
    width *= 2;
  double first = bin_index (low, width);
  if (self->bin_width > 0 && (width != self->bin_width || first * width != self->bin_low))
    {
      guint64 moved[BINS] = { 0 };
      double old_first = self->bin_low / self->bin_width, ratio = width / self->bin_width;
      for (int i = 0; i < BINS; i++)
        if (self->bins[i] != 0)
          moved[(int)(floor ((old_first + i) / ratio) - first)] += self->bins[i];
      memcpy (self->bins, moved, sizeof moved);
    }
  self->bin_width = width;
  self->bin_low = first * width;
}

#define LANES 16

typedef struct
{
  float low, high;
  double sum, squares;
  gboolean finite;
} Summary;

/* Fixed lanes: vectorises, and the sums do not depend on how. */
static Summary
summarize (const float *x, gsize n)
{
  float low[LANES], high[LANES];
  double sum[LANES] = { 0 }, squares[LANES] = { 0 };
  gint32 odd[LANES] = { 0 };
  gsize whole = n / LANES * LANES;
  for (int k = 0; k < LANES; k++)
    low[k] = high[k] = x[MIN ((gsize)k, n - 1)];
  for (gsize i = 0; i < whole; i += LANES)
    for (int k = 0; k < LANES; k++)
      {
        float v = x[i + k];
        low[k] = v < low[k] ? v : low[k];
        high[k] = v > high[k] ? v : high[k];
        odd[k] |= !(v - v == 0);
        sum[k] += v;
        squares[k] += (double)v * v;
      }
  for (gsize i = whole; i < n; i++)
    {
      low[0] = MIN (low[0], x[i]);
      high[0] = MAX (high[0], x[i]);
      odd[0] |= !isfinite (x[i]);
      sum[0] += x[i];
      squares[0] += (double)x[i] * x[i];
    }
  Summary s = { low[0], high[0], 0, 0, TRUE };
  for (int k = 0; k < LANES; k++)
    {
      s.low = MIN (s.low, low[k]);
      s.high = MAX (s.high, high[k]);
      s.sum += sum[k];
      s.squares += squares[k];
      s.finite = s.finite && !odd[k];
    }
  return s;
}

/* Counts into tables that take turns, since runs of equal values would wait for each other's additions. */
static void
count_fast (PareHistogram *self, const float *x, gsize n)
{
  guint32 tables[4][BINS] = { { 0 } };
  gint32 index[256];
  float inverse = (float)(1 / self->bin_width);
  gint32 first = (gint32)(self->bin_low / self->bin_width);
  for (gsize i = 0; i < n; i += 256)
    {
      int block = (int)MIN (n - i, 256);
      for (int k = 0; k < block; k++)
        {
          float t = x[i + k] * inverse; /* exact: a power of two */
          gint32 whole = (gint32)t;
          index[k] = whole - ((float)whole > t) - first;
        }
      for (int k = 0; k < block; k++)
        tables[k & 3][index[k]]++;
    }
  for (int b = 0; b < BINS; b++)
    self->bins[b] += (guint64)tables[0][b] + tables[1][b] + tables[2][b] + tables[3][b];
}

static void
add_finite (PareHistogram *self, const float *x, gsize n, const Summary *s)
{
  self->min = MIN (self->min, s->low);
  self->max = MAX (self->max, s->high);
  self->sum += s->sum;
  self->sum_squares += s->squares;
  self->count += n;
  cover (self, self->min, self->max, 0);
  if (fabs (self->bin_low / self->bin_width) < 0x1p28 && self->bin_width > 0x1p-60 && self->bin_width < 0x1p60 && n < G_MAXUINT32)
    {
      count_fast (self, x, n);
      return;
    }
  double inverse = 1 / self->bin_width, first = self->bin_low * inverse;
  for (gsize i = 0; i < n; i++)
    self->bins[(int)(floor (x[i] * inverse) - first)]++;
}

void
pare_histogram_add (PareHistogram *self, const float *x, gsize n)
{
  if (n == 0)
    return;
  Summary s = summarize (x, n);
  if (s.finite)
    {
      add_finite (self, x, n, &s);
      return;
    }
  g_autofree float *kept = g_new (float, n);
  gsize m = 0;
  for (gsize i = 0; i < n; i++)
    if (isfinite (x[i]))
      kept[m++] = x[i];
  if (m > 0)
    {
      s = summarize (kept, m);
      add_finite (self, kept, m, &s);
    }
}

void
pare_histogram_merge (PareHistogram *self, const PareHistogram *other)
{
  if (other->count == 0)
    return;
  PareHistogram moved = *other;
  double width = MAX (self->bin_width, other->bin_width);
  self->min = MIN (self->min, other->min);
  self->max = MAX (self->max, other->max);
  cover (self, self->min, self->max, width);
  cover (&moved, self->min, self->max, width);
  for (int i = 0; i < BINS; i++)
    self->bins[i] += moved.bins[i];
  self->sum += other->sum;
  self->sum_squares += other->sum_squares;
  self->count += other->count;
}

/* --- ranges --- */

/* Value below which `share` of the mass lies; within a bin the mass is taken as even. */
static double
quantile (const PareHistogram *h, double share)
{
  double want = share * (double)h->count, sum = 0;
  for (int i = 0; i < BINS; i++)
    {
      if (h->bins[i] > 0 && sum + (double)h->bins[i] >= want)
        return CLAMP (h->bin_low + h->bin_width * (i + (want - sum) / (double)h->bins[i]), h->min, h->max);
      sum += (double)h->bins[i];
    }
  return h->max;
}

/* The bins that hold anything: middles and counts. */
typedef struct
{
  double x[BINS], count[BINS];
  int n, levels;
} Mass;

static void
mass_init (Mass *m, const PareHistogram *h, int levels)
{
  m->n = 0;
  m->levels = levels;
  for (int i = 0; i < BINS; i++)
    if (h->bins[i] != 0)
      {
        m->x[m->n] = CLAMP (h->bin_low + (i + 0.5) * h->bin_width, h->min, h->max);
        m->count[m->n++] = (double)h->bins[i];
      }
}

/* Squared error of the grid low..high. Rounds half to even by adding 1.5 * 2^52, which vectorises. */
static double
grid_error (const Mass *m, double low, double high)
{
  double scale = (high - low) / (m->levels - 1), lanes[4] = { 0 };
  if (!(scale > 0))
    return INFINITY;
  double zero = rint (-low / scale), inverse = 1 / scale, bottom = -zero, top = m->levels - 1 - zero;
  int n = m->n / 4 * 4;
  for (int i = 0; i < n; i += 4)
    for (int k = 0; k < 4; k++)
      {
        double code = m->x[i + k] * inverse;
        code = code < bottom ? bottom : code;
        code = code > top ? top : code;
        code = (code + 0x1.8p52) - 0x1.8p52;
        double e = m->x[i + k] - code * scale;
        lanes[k] += m->count[i + k] * e * e;
      }
  double error = lanes[0] + lanes[1] + lanes[2] + lanes[3];
  for (int i = n; i < m->n; i++)
    {
      double e = m->x[i] - rint (CLAMP (m->x[i] * inverse, bottom, top)) * scale;
      error += m->count[i] * e * e;
    }
  return error;
}

/* One end after the other, first in steps of 7 % over all sizes, then in steps of 1 % around the best. */
static void
mse_range (const PareHistogram *h, int levels, double *low, double *high)
{
  Mass mass;
  mass_init (&mass, h, levels);
  double full[2] = { *low, *high }, best[2] = { *low, *high }, least = grid_error (&mass, *low, *high);
  for (int round = 0; round < 6; round++)
    {
      double before = least;
      gboolean fine = round >= 3;
      for (int side = 1; side >= 0; side--)
        {
          double centre = best[side], factor = 1;
          if (full[side] == 0)
            continue;
          for (int i = 0; i < (fine ? 15 : 50); i++, factor *= 0.93)
            {
              double end[2] = { best[0], best[1] };
              end[side] = fine ? centre * (1 + 0.01 * (i - 7)) : full[side] * factor;
              if (fabs (end[side]) > fabs (full[side]))
                continue;
              double e = grid_error (&mass, end[0], end[1]);
              if (e < least)
                least = e, best[side] = end[side];
            }
        }
      if (least == before && round < 2) /* nothing moves: on to the fine steps */
        round = 2;
      else if (least == before && fine)
        break;
    }
  *low = best[0];
  *high = best[1];
}

/* Kullback-Leibler divergence between the clipped distribution and its quantized form, as TensorRT takes it: mass outside goes to the
 * outermost bins, then `levels` equal slices of the range share their mass evenly among the bins that had any. */
static double
divergence (const PareHistogram *h, int first, int last, int levels, double *p)
{
  int n = last - first;
  double total = 0, outside = 0, kl = 0, q_total = 0;
  for (int i = 0; i < n; i++)
    {
      p[i] = (double)h->bins[first + i];
      q_total += p[i];
    }
  for (int i = 0; i < first; i++)
    outside += (double)h->bins[i];
  p[0] += outside;
  outside = 0;
  for (int i = last; i < BINS; i++)
    outside += (double)h->bins[i];
  p[n - 1] += outside;
  for (int i = 0; i < n; i++)
    total += p[i];
  if (q_total <= 0)
    return INFINITY;
  for (int s = 0; s < levels; s++)
    {
      int from = (int)((gint64)n * s / levels), to = (int)((gint64)n * (s + 1) / levels);
      double mass = 0;
      int filled = 0;
      for (int i = from; i < to; i++)
        {
          mass += (double)h->bins[first + i];
          filled += h->bins[first + i] != 0;
        }
      for (int i = from; i < to; i++)
        if (p[i] > 0)
          {
            double q = filled > 0 && h->bins[first + i] != 0 ? mass / filled / q_total : 1e-9;
            kl += p[i] / total * log (p[i] / total / q);
          }
    }
  return kl;
}

static void
entropy_range (const PareHistogram *seen, int levels, double *low, double *high)
{
  double p[BINS], best = INFINITY, full_low = *low, full_high = *high;
  /* What a Relu cut to zero says nothing about the shape of the rest: the bin at zero counts like its neighbours. */
  PareHistogram counted = *seen, *h = &counted;
  int zero = (int)CLAMP (-h->bin_low / h->bin_width, 0, BINS - 1);
  guint64 beside = MAX (zero > 0 ? h->bins[zero - 1] : 0, zero < BINS - 1 ? h->bins[zero + 1] : 0);
  h->bins[zero] = MIN (h->bins[zero], beside);
  for (int s = 128; s >= 4; s -= 2)
    {
      double l = full_low * s / 128, t = full_high * s / 128;
      int first = (int)CLAMP (floor ((l - h->bin_low) / h->bin_width), 0, BINS - 1);
      int last = (int)CLAMP (ceil ((t - h->bin_low) / h->bin_width), first + 1, BINS);
      if (last - first < levels)
        break;
      double kl = divergence (h, first, last, levels, p);
      if (kl < best)
        best = kl, *low = l, *high = t;
    }
}

void
pare_histogram_range (const PareHistogram *self, PareCalibrator calibrator, double percentile, int bits, double *low, double *high)
{
  *low = *high = 0;
  if (self->count == 0)
    return;
  int levels = 1 << CLAMP (bits, 2, 16);
  *low = MIN (self->min, 0);
  *high = MAX (self->max, 0);
  if (*low == *high)
    return;
  switch (calibrator == PARE_CALIBRATOR_UNSET ? PARE_CALIBRATOR_MSE : calibrator)
    {
    case PARE_CALIBRATOR_PERCENTILE:
      {
        double outside = 1 - (percentile > 0 ? percentile : 99.99) / 100;
        gboolean both = self->min < 0 && self->max > 0;
        double l = quantile (self, both ? outside / 2 : outside), t = quantile (self, both ? 1 - outside / 2 : 1 - outside);
        *low = self->min < 0 ? MIN (l, 0) : 0;
        *high = self->max > 0 ? MAX (t, 0) : 0;
        if (*low == *high) /* nearly everything is zero: what is not, counts */
          {
            *low = MIN (self->min, 0);
            *high = MAX (self->max, 0);
          }
        break;
      }
    case PARE_CALIBRATOR_MSE:
      if (bits <= 8) /* 16 bits are finer than the bins: nothing is to be gained by clipping */
        mse_range (self, levels, low, high);
      break;
    case PARE_CALIBRATOR_ENTROPY:
      if (bits <= 8)
        entropy_range (self, levels, low, high);
      break;
    default:
      break;
    }
}
