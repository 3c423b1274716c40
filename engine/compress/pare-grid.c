/* Weights on an integer grid: symmetric, a scale per output channel or one for all, the range by maximum or by a clip search.
 * The search minimises sum |w - q|^2.4 over the share of the maximum that stays in range, 1.00 to 0.21 (BRECQ, OBC). */
#include "engine/compress/pare-compress-private.h"

#include <math.h>
#include <string.h>

#define LANES 16
#define MAX_SAMPLE 65536 /* elements that the search of one scale looks at */

/* y^1.2 = y^2 z^4 with z = y^-0.2 by one Newton step from a guess on the exponent: within 0.5 %, monotonic enough for a search, and it
 * vectorises. Sums go over fixed lanes, so that every instruction set gives the same bits. */
static inline __attribute__ ((always_inline)) float
error_body (const float *w, gsize n, float inverse, float scale, float top)
{
  float lanes[LANES] = { 0 };
  for (gsize i = 0; i + LANES <= n; i += LANES)
    for (int k = 0; k < LANES; k++)
      {
        float t = w[i + k] * inverse;
        t = t > top ? top : t;
        t = t < -top ? -top : t;
        t = (t + 12582912.0f) - 12582912.0f; /* rounds half to even: |t| is small */
        float e = w[i + k] * inverse - t, y = e * e;
        gint32 bits;
        memcpy (&bits, &y, 4);
        bits = (gint32)(1277752832.0f - 0.2f * (float)bits);
        float z;
        memcpy (&z, &bits, 4);
        float z2 = z * z;
        z = z * (1.2f - 0.2f * y * z2 * z2 * z);
        z2 = z * z;
        lanes[k] += y * y * z2 * z2;
      }
  float sum = 0;
  for (int k = 0; k < LANES; k++)
    sum += lanes[k];
  return sum;
}

static float
error_plain (const float *w, gsize n, float inverse, float scale, float top)
{
  return error_body (w, n, inverse, scale, top);
}

#if defined(__x86_64__)
__attribute__ ((target ("avx2"))) static float
error_avx2 (const float *w, gsize n, float inverse, float scale, float top)
{
  return error_body (w, n, inverse, scale, top);
}
#endif

typedef float (*ErrorFunc) (const float *w, gsize n, float inverse, float scale, float top);

static ErrorFunc
choose_error (void)
{
#if defined(__x86_64__)
  if (__builtin_cpu_supports ("avx2"))
    return error_avx2;
#endif
  return error_plain;
}

/* In blocks, and given up once it is worse than `limit`. Errors are counted in steps, so the sum is scaled back at the end. */
static double
grid_error (ErrorFunc func, const float *w, gsize n, float scale, float top, double limit)
{
  double unit = pow (scale, 2.4), sum = 0;
  float inverse = 1 / scale;
  for (gsize i = 0; i < n; i += 512)
    {
      gsize block = MIN (n - i, 512), whole = block / LANES * LANES;
      sum += func (w + i, whole, inverse, scale, top);
      if (whole < block)
        {
          float rest[LANES] = { 0 };
          memcpy (rest, w + i + whole, (block - whole) * sizeof *rest);
          sum += func (rest, LANES, inverse, scale, top);
        }
      if (sum * unit > limit)
        return sum * unit;
    }
  return sum * unit;
}

double
pare_grid_error (const float *w, gsize n, float scale, float top)
{
  return grid_error (choose_error (), w, n, scale, top, INFINITY);
}

/* Steps of 0.04, then of 0.01 around the best: a third of the evaluations of the plain search for the same answer but for noise. */
static float
search_scale (ErrorFunc func, const float *w, gsize n, float max, float top)
{
  double best = INFINITY;
  int chosen = 100;
  for (int s = 100; s > 20; s -= 4)
    {
      double e = grid_error (func, w, n, max * (float)s / 100 / top, top, best);
      if (e < best)
        best = e, chosen = s;
    }
  for (int s = MIN (chosen + 3, 100), end = MAX (chosen - 3, 21); s >= end; s--)
    {
      double e = grid_error (func, w, n, max * (float)s / 100 / top, top, best);
      if (e < best)
        best = e, chosen = s;
    }
  return max * (float)chosen / 100 / top;
}

static void
lay (float *w, gsize n, float scale, float top)
{
  for (gsize i = 0; i < n; i++)
    {
      float t = w[i] / scale;
      t = t > top ? top : t < -top ? -top : t;
      w[i] = rintf (t) * scale + 0.0f; /* no negative zero */
    }
}

static float
max_abs (const float *w, gsize n)
{
  float max = 0;
  for (gsize i = 0; i < n; i++)
    max = MAX (max, fabsf (w[i]));
  return max;
}

PareQuant *
pare_grid_apply (float *data, const PareShape *shape, int axis, int bits, PareRange range)
{
  PareAxisSplit s = pare_axis_split (shape, axis);
  gsize n = s.outer * s.inner;
  PareQuant *quant = pare_quant_new (bits, TRUE, axis, (guint)s.n);
  float top = (float)((1 << (bits - 1)) - 1), largest = 0;
  quant->lo = (gint32)-top;
  quant->hi = (gint32)top;
  gboolean search = range == PARE_RANGE_UNSET ? bits < 4 : range == PARE_RANGE_MSE; /* measured: from 4 bits on the maximum loses less */
  ErrorFunc func = choose_error ();
  g_autofree float *row = g_new (float, n + 1), *sample = n > MAX_SAMPLE && search ? g_new (float, MAX_SAMPLE + 1) : NULL;
  for (gsize c = 0; c < s.n; c++)
    {
      pare_axis_gather (data, &s, c, row);
      float max = max_abs (row, n);
      if (max > 0 && search)
        {
          const float *look = row;
          gsize m = n;
          if (sample != NULL)
            {
              gsize step = (n + MAX_SAMPLE - 1) / MAX_SAMPLE;
              for (m = 0; m * step < n; m++)
                sample[m] = row[m * step];
              look = sample;
            }
          quant->scale[c] = search_scale (func, look, m, max, top);
        }
      else
        quant->scale[c] = max / top;
      if (quant->scale[c] < 1e-30f)
        quant->scale[c] = 0; /* dead, or so small that its reciprocal overflows */
      largest = MAX (largest, quant->scale[c]);
      if (quant->scale[c] > 0)
        lay (row, n, quant->scale[c], top);
      else
        memset (row, 0, n * sizeof *row);
      pare_axis_scatter (data, &s, c, row);
    }
  for (gsize c = 0; c < s.n; c++) /* a dead channel gets a scale like the others, so that its bias has a useful grid */
    if (quant->scale[c] == 0)
      quant->scale[c] = largest > 0 ? largest : 1.0f / 128;
  return quant;
}

void
pare_grid_apply_scale (float *data, const PareShape *shape, const PareQuant *quant, guint channel)
{
  PareAxisSplit s = pare_axis_split (shape, quant->axis);
  gsize n = s.outer * s.inner;
  g_autofree float *row = g_new (float, n + 1);
  pare_axis_gather (data, &s, channel, row);
  lay (row, n, quant->scale[channel], (float)quant->hi);
  pare_axis_scatter (data, &s, channel, row);
}

PareDtype
pare_grid_round_16 (float *data, gsize n, gboolean bfloat)
{
  gboolean half = !bfloat && max_abs (data, n) <= 65504;
  for (gsize i = 0; i < n; i++)
    if (half)
      data[i] = pare_half_to_float (pare_float_to_half (data[i]));
    else
      {
        guint32 bits;
        memcpy (&bits, &data[i], 4);
        bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
        memcpy (&data[i], &bits, 4);
        if (isinf (data[i]))
          data[i] = copysignf (0x1.fep127f, data[i]);
      }
  return half ? PARE_DTYPE_FLOAT16 : PARE_DTYPE_BFLOAT16;
}
