#include "widgets/pare-scale.h"

#include <math.h>
#include <stdlib.h>

/* Values beyond this would overflow when ranges are added; nothing Pare shows comes near. */
#define HUGE_DOMAIN 1e100

static double
tame (double v, double otherwise)
{
  return isnan (v) ? otherwise : CLAMP (v, -HUGE_DOMAIN, HUGE_DOMAIN);
}

void
pare_scale_init (PareScale *self, gboolean log, double d0, double d1, double r0, double r1)
{
  d0 = tame (d0, log ? 1 : 0);
  d1 = tame (d1, isnan (d0) ? 1 : d0);
  if (log)
    {
      if (d0 <= 0 && d1 <= 0)
        d0 = d1 = 1;
      else if (d0 <= 0)
        d0 = d1 * 1e-6;
      else if (d1 <= 0)
        d1 = d0 * 1e-6;
    }
  if (fabs (d1 - d0) <= 1e-12 * fmax (fabs (d0), fabs (d1)))
    {
      double centre = d0;
      d0 = log ? centre / 2 : centre == 0 ? -0.5 : centre - fabs (centre) * 0.1;
      d1 = log ? centre * 2 : centre == 0 ? 0.5 : centre + fabs (centre) * 0.1;
    }
  *self = (PareScale){ d0, d1, tame (r0, 0), tame (r1, 1), log };
}

double
pare_scale_map (const PareScale *self, double v)
{
  if (isnan (v))
    return v;
  v = CLAMP (v, -HUGE_DOMAIN, HUGE_DOMAIN);
  double t;
  if (self->log)
    {
      double low = fmin (self->d0, self->d1);
      t = (log (v > 0 ? v : low) - log (self->d0)) / (log (self->d1) - log (self->d0));
    }
  else
    t = (v - self->d0) / (self->d1 - self->d0);
  /* Far outside is far outside: cairo's fixed-point coordinates end at some millions. */
  return self->r0 + CLAMP (t, -1000, 1000) * (self->r1 - self->r0);
}

double
pare_scale_invert (const PareScale *self, double r)
{
  if (self->r0 == self->r1)
    return self->d0;
  double t = (r - self->r0) / (self->r1 - self->r0);
  return self->log ? exp (log (self->d0) + t * (log (self->d1) - log (self->d0))) : self->d0 + t * (self->d1 - self->d0);
}

double
pare_scale_nice_step (double range, guint n)
{
  range = fabs (range);
  if (!isfinite (range) || range <= 0)
    return 1;
  double rough = range / MAX (n, 1), power = pow (10, floor (log10 (rough))), f = rough / power;
  /* 1e-9: a range that is exactly n steps must not become the next coarser step by rounding. */
  return power * (f <= 1 + 1e-9 ? 1 : f <= 2 + 1e-9 ? 2 : f <= 5 + 1e-9 ? 5 : 10);
}

int
pare_scale_decimals (double step)
{
  if (!isfinite (step) || step <= 0)
    return 0;
  return CLAMP ((int)ceil (-log10 (step) - 1e-9), 0, 12);
}

void
pare_scale_nice (double *low, double *high, guint n)
{
  double step = pare_scale_nice_step (*high - *low, n);
  *low = floor (*low / step + 1e-9) * step;
  *high = ceil (*high / step - 1e-9) * step;
}

static guint
ticks_linear (const PareScale *self, double min_gap, double *ticks, guint capacity)
{
  double low = fmin (self->d0, self->d1), high = fmax (self->d0, self->d1);
  double pixels = fabs (self->r1 - self->r0);
  guint fit = (guint)CLAMP (pixels / fmax (min_gap, 1), 1, capacity > 1 ? capacity - 1 : 1);
  double step = pare_scale_nice_step (high - low, fit);
  guint n = 0;
  for (double k = ceil (low / step - 1e-9); k * step <= high + step * 1e-9 && n < capacity; k++)
    ticks[n++] = k == 0 ? 0 : k * step;
  return n;
}

static guint
ticks_log (const PareScale *self, double min_gap, int base, double *ticks, guint capacity)
{
  static const double decade[] = { 1, 2, 5 };
  double low = fmin (self->d0, self->d1), high = fmax (self->d0, self->d1);
  double per_octave = fabs (pare_scale_map (self, low * 2) - pare_scale_map (self, low));
  guint n = 0;
  if (base == 2)
    {
      int every = MAX (1, (int)ceil (min_gap / fmax (per_octave, 1e-9) - 1e-9));
      int k = (int)ceil (log2 (low) - 1e-9);
      for (; n < capacity && exp2 (k) <= high * (1 + 1e-9); k += every)
        ticks[n++] = exp2 (k);
      return n;
    }
  gboolean dense = per_octave >= min_gap;
  int every = dense ? 1 : MAX (1, (int)ceil (min_gap / fmax (per_octave * log2 (10), 1e-9) - 1e-9));
  for (int e = (int)floor (log10 (low)); n < capacity && pow (10, e) <= high * (1 + 1e-9); e += every)
    for (guint i = 0; i < (dense ? 3u : 1u) && n < capacity; i++)
      {
        double v = decade[i] * pow (10, e);
        if (v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9))
          ticks[n++] = v;
      }
  return n;
}

guint
pare_scale_ticks (const PareScale *self, double min_gap, int base, double *ticks, guint capacity)
{
  if (capacity == 0)
    return 0;
  if (!self->log)
    return ticks_linear (self, min_gap, ticks, capacity);
  guint n = ticks_log (self, min_gap, base, ticks, capacity);
  /* Less than two powers in sight: the numbers between them read better than one lonely tick. */
  return n >= 2 ? n : ticks_linear (self, min_gap, ticks, capacity);
}

guint
pare_decimate (const PareScale *scale, const double *x, const double *y, guint n, guint *indices)
{
  guint out = 0;
  for (guint i = 0; i < n;)
    {
      double column = floor (pare_scale_map (scale, x[i]));
      guint first = i, last = i, low = i, high = i;
      for (i++; i < n && floor (pare_scale_map (scale, x[i])) == column; i++)
        {
          last = i;
          if (y[i] < y[low] || isnan (y[low]))
            low = i;
          if (y[i] > y[high] || isnan (y[high]))
            high = i;
        }
      guint keep[4] = { first, MIN (low, high), MAX (low, high), last };
      for (guint k = 0; k < 4; k++)
        if (k == 0 || keep[k] > indices[out - 1])
          indices[out++] = keep[k];
    }
  return out;
}

void
pare_rebin (const double *in, guint n_in, double in_low, double in_high, double *out, guint n_out, double out_low, double out_high)
{
  for (guint i = 0; i < n_out; i++)
    out[i] = 0;
  double wi = (in_high - in_low) / MAX (n_in, 1), wo = (out_high - out_low) / MAX (n_out, 1);
  if (!isfinite (wi) || !isfinite (wo) || wi <= 0 || wo <= 0)
    return;
  for (guint i = 0; i < n_in; i++)
    {
      if (!isfinite (in[i]) || in[i] == 0)
        continue;
      double a = in_low + i * wi, b = a + wi;
      double first = fmax (floor ((a - out_low) / wo), 0), last = fmin (floor ((b - out_low) / wo), n_out - 1.0);
      for (double k = first; k <= last; k++)
        {
          double overlap = fmin (b, out_low + (k + 1) * wo) - fmax (a, out_low + k * wo);
          if (overlap > 0)
            out[(guint)k] += in[i] * overlap / wi;
        }
    }
}

typedef struct
{
  double x, y;
  guint index;
} Candidate;

static int
compare_candidates (const void *pa, const void *pb)
{
  const Candidate *a = pa, *b = pb;
  if (a->x != b->x)
    return a->x < b->x ? -1 : 1;
  if (a->y != b->y)
    return a->y > b->y ? -1 : 1;
  return a->index < b->index ? -1 : 1;
}

void
pare_pareto_front (const double *x, const double *y, const gboolean *eligible, guint n, gboolean *on_front)
{
  g_autofree Candidate *c = g_new (Candidate, MAX (n, 1));
  guint m = 0;
  for (guint i = 0; i < n; i++)
    {
      on_front[i] = FALSE;
      if (isfinite (x[i]) && isfinite (y[i]) && (eligible == NULL || eligible[i]))
        c[m++] = (Candidate){ x[i], y[i], i };
    }
  qsort (c, m, sizeof *c, compare_candidates);
  double best = -INFINITY;
  for (guint i = 0; i < m; i++)
    if (c[i].y > best)
      {
        best = c[i].y;
        on_front[c[i].index] = TRUE;
      }
}

int
pare_nearest (const double *x, const double *y, guint n, double px, double py, double radius)
{
  int at = -1;
  double best = radius * radius;
  for (guint i = 0; i < n; i++)
    {
      double dx = x[i] - px, dy = y[i] - py, d = dx * dx + dy * dy;
      if (d <= best) /* never true for NAN */
        {
          best = d;
          at = (int)i;
        }
    }
  return at;
}

static guint
snap_index (const double *steps, guint n, double v)
{
  guint at = 0;
  for (guint i = 1; i < n; i++)
    if (fabs (steps[i] - v) < fabs (steps[at] - v))
      at = i;
  return at;
}

double
pare_snap (const double *steps, guint n, double v)
{
  return n == 0 || isnan (v) ? v : steps[snap_index (steps, n, v)];
}

double
pare_snap_step (const double *steps, guint n, double v, int by)
{
  if (n == 0 || isnan (v) || by == 0)
    return v;
  guint at = snap_index (steps, n, v);
  /* From between two legal values the first move goes to the neighbour in that direction, not past it. */
  if (by > 0 && steps[at] > v)
    by--;
  else if (by < 0 && steps[at] < v)
    by++;
  return steps[CLAMP ((gint64)at + by, 0, (gint64)n - 1)];
}
