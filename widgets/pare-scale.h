/* The arithmetic of axes: where a value lies, which ticks read well, how many points a pixel can show. Display-free. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS
typedef struct
{
  double d0, d1; /* domain; d0 != d1 after init */
  double r0, r1; /* pixels; may run downwards */
  gboolean log;  /* domain positive */
} PareScale;

/* Makes a usable scale of any numbers: missing, equal or (log) non-positive ends are replaced by the nearest sensible ones. */
void pare_scale_init (PareScale *self, gboolean log, double d0, double d1, double r0, double r1);
double pare_scale_map (const PareScale *self, double v); /* NAN stays NAN; a log scale puts v <= 0 at its low end */
double pare_scale_invert (const PareScale *self, double r);
/* 1, 2 or 5 times a power of ten, so that range / step <= n. */
double pare_scale_nice_step (double range, guint n);
int pare_scale_decimals (double step); /* decimals that tell neighbouring ticks apart */
/* Widens to whole steps. */
void pare_scale_nice (double *low, double *high, guint n);
/* Ascending ticks inside the domain, at most `capacity`, none nearer than min_gap pixels. base (log scales): 2 gives powers of two, 10
 * gives 1-2-5. */
guint pare_scale_ticks (const PareScale *self, double min_gap, int base, double *ticks, guint capacity);

/* Indices of the points that a polyline needs so that it looks the same: the first, last, lowest and highest of each pixel column.
 * x ascending; indices has room for n. Returns how many. */
guint pare_decimate (const PareScale *scale, const double *x, const double *y, guint n, guint *indices);
/* Counts of n_in equal bins over in_low..in_high laid on n_out equal bins over out_low..out_high, in proportion to the overlap. */
void pare_rebin (const double *in, guint n_in, double in_low, double in_high, double *out, guint n_out, double out_low, double out_high);
/* Which points no other beats in both: x small is good, y large is good. Points that are not finite or not `eligible` (nullable: all) are
 * off. */
void pare_pareto_front (const double *x, const double *y, const gboolean *eligible, guint n, gboolean *on_front);
/* Index of the nearest (x, y) within `radius`, or -1. */
int pare_nearest (const double *x, const double *y, guint n, double px, double py, double radius);
/* The legal value nearest to v in ascending steps; n == 0: v itself. */
double pare_snap (const double *steps, guint n, double v);
/* The legal value `by` places from v (negative: below), kept inside. */
double pare_snap_step (const double *steps, guint n, double v, int by);
G_END_DECLS
