/* What models of sound begin with: spectra as products with constant waves, windows and mel filters as the constants that they are.
 * Definitions: ONNX, operators DFT, STFT, HannWindow, HammingWindow, BlackmanWindow and MelWeightMatrix. */
#include "engine/graph/pare-writer.h"

#include <math.h>

#define MOST_WAVES ((gint64)1 << 24) /* numbers in a matrix of waves */
#define MOST_SAMPLES ((gint64)1 << 24)

static const PareDtype f32 = PARE_DTYPE_FLOAT32;

/* An operand of one constant number. fallback: where it is omitted. */
static gboolean
number (const PareWriter *w, guint i, double fallback, double *value)
{
  const PareTensor *t = w->in[i] != PARE_NONE ? w->graph->values[w->in[i]].constant : NULL;
  *value = t != NULL && pare_tensor_count (t) == 1 ? pare_tensor_get_double (t, 0) : fallback;
  return w->in[i] == PARE_NONE || (t != NULL && pare_tensor_count (t) == 1 && isfinite (*value));
}

/* As number(), a whole one in lo..hi. */
static gboolean
whole (const PareWriter *w, guint i, double fallback, gint64 lo, gint64 hi, gint64 *value)
{
  double v;
  if (!number (w, i, fallback, &v) || !(v >= (double)lo && v <= (double)hi))
    return FALSE;
  *value = (gint64)v;
  return TRUE;
}

static gboolean
give (PareWriter *w, const PareNode *node, PareTensor *floats)
{
  g_autoptr (PareTensor) typed = pare_tensor_cast (floats, (PareDtype)pare_node_get_int (node, "output_datatype", f32), NULL);
  if (typed == NULL)
    return FALSE;
  PareValueId value = pare_write_constant (w, node->op, typed);
  pare_write_to (w, "Identity", w->out[0], &value, 1);
  return TRUE;
}

/* --- constants --- */

static gboolean
window (PareWriter *w, const PareNode *node)
{
  static const struct
  {
    const char *op;
    double mean, first, second; /* of the cosines of one and of two periods */
  } kinds[] = { { "HannWindow", 0.5, 0.5, 0 }, { "HammingWindow", 25.0 / 46, 21.0 / 46, 0 }, { "BlackmanWindow", 0.42, 0.5, 0.08 } };
  guint kind = 0;
  gint64 n;
  while (!g_str_equal (kinds[kind].op, node->op))
    kind++;
  if (!whole (w, 0, 0, 1, MOST_SAMPLES, &n))
    return FALSE;
  PareShape shape = { .rank = 1, .dims = { n } };
  g_autoptr (PareTensor) t = pare_tensor_new (f32, &shape, NULL);
  if (t == NULL)
    return FALSE;
  double period = MAX (pare_node_get_int (node, "periodic", 1) != 0 ? n : n - 1, 1);
  for (gint64 i = 0; i < n; i++)
    ((float *)t->data)[i] = (float)(kinds[kind].mean - kinds[kind].first * cos (2 * G_PI * (double)i / period)
                                    + kinds[kind].second * cos (4 * G_PI * (double)i / period));
  return give (w, node, t);
}

/* Operands: filters, samples of the spectrum, sample rate, first and last frequency. */
static gboolean
mel_matrix (PareWriter *w, const PareNode *node)
{
  gint64 filters, length, rate;
  double low, high;
  if (!whole (w, 0, 0, 1, 1 << 16, &filters) || !whole (w, 1, 0, 1, 1 << 24, &length) || !whole (w, 2, 0, 1, 1 << 30, &rate)
      || !number (w, 3, 0, &low) || !number (w, 4, 0, &high) || !(low >= 0 && high > low && high <= 1e9))
    return FALSE;
  gint64 bins = length / 2 + 1;
  PareShape shape = { .rank = 2, .dims = { bins, filters } };
  g_autoptr (PareTensor) t = bins * filters <= MOST_WAVES ? pare_tensor_new (f32, &shape, NULL) : NULL;
  if (t == NULL)
    return FALSE;
  float *y = t->data;
  double first = 2595 * log10 (1 + low / 700), step = (2595 * log10 (1 + high / 700) - first) / (double)(filters + 2);
  g_autofree gint64 *edges = g_new (gint64, filters + 2);
  for (gint64 i = 0; i < filters + 2; i++)
    edges[i] = (gint64)floor ((double)(length + 1) * 700 * (pow (10, (first + (double)i * step) / 2595) - 1) / (double)rate);
  if (edges[filters + 1] > bins)
    return FALSE;
  for (gint64 i = 0; i < filters; i++)
    {
      gint64 from = edges[i], centre = edges[i + 1], to = edges[i + 2];
      if (centre >= bins)
        return FALSE;
      if (centre == from)
        y[centre * filters + i] = 1;
      for (gint64 j = from; centre > from && j <= centre; j++)
        y[j * filters + i] = (float)((double)(j - from) / (double)(centre - from));
      for (gint64 j = centre; j < to; j++)
        y[j * filters + i] = (float)((double)(to - j) / (double)(to - centre));
    }
  return give (w, node, t);
}

/* --- spectra --- */

/* What real (part 0) or imaginary (part 1) sample i adds to the real (to 0) or imaginary (to 1) part of bin k. */
static float
wave (gint64 i, gint64 k, gint64 length, gboolean inverse, int part, int to)
{
  double angle = 2 * G_PI * (double)(i * k % length) / (double)length, c = cos (angle), s = inverse ? sin (angle) : -sin (angle);
  double v = part == 0 ? (to == 0 ? c : s) : (to == 0 ? -s : c);
  return (float)(inverse ? v / (double)length : v);
}

/* An axis to the place before the last, and back: it is its own order then. */
static PareValueId
turn (PareWriter *w, PareValueId x, int rank, int axis, gboolean back, PareValueId output)
{
  gint64 perm[PARE_MAX_RANK];
  int n = 0;
  for (int i = 0; i < rank - 1; i++)
    if (i != axis)
      perm[n++] = i;
  perm[n++] = axis;
  perm[n] = rank - 1;
  gint64 inverse[PARE_MAX_RANK];
  for (int i = 0; i < rank; i++)
    inverse[perm[i]] = i;
  return pare_write_transpose (w, x, back ? inverse : perm, (guint)rank, output);
}

/* x, length, axis. Real samples have one part, complex ones two. One side of a spectrum stands for a real signal: it is made of real
 * samples, and only such are made of it. */
static gboolean
dft (PareWriter *w, const PareNode *node)
{
  const PareShape x = *pare_writer_shape (w, w->in[0]);
  gint64 axis, length;
  gboolean inverse = pare_node_get_int (node, "inverse", 0) != 0, half = pare_node_get_int (node, "onesided", 0) != 0;
  if (!pare_writer_is_float (w, w->in[0]) || x.rank < 2 || pare_shape_count (&x) < 1 || !whole (w, 2, -2, -x.rank, x.rank - 2, &axis)
      || axis == -1)
    return FALSE;
  axis += axis < 0 ? x.rank : 0;
  gint64 samples = x.dims[axis], parts = x.dims[x.rank - 1];
  gboolean real = half && inverse; /* what is made */
  if (!whole (w, 1, (double)(real ? MAX (2 * (samples - 1), 1) : samples), 1, MOST_SAMPLES, &length) || parts > 2
      || (half && parts != (inverse ? 2 : 1)))
    return FALSE;
  gint64 bins = half && !inverse ? length / 2 + 1 : length, made = real ? 1 : 2;
  if (samples > MOST_SAMPLES || samples * parts > MOST_WAVES / (made * bins))
    return FALSE;
  PareShape square = { .rank = 2, .dims = { samples * parts, made * bins } };
  g_autoptr (PareTensor) t = pare_tensor_new (f32, &square, NULL);
  if (t == NULL)
    return FALSE;
  /* what the signal has more is cut off, what it has less is zero; the other side of a spectrum is the one that is there, mirrored */
  for (gint64 i = 0; i < MIN (samples, real ? length / 2 + 1 : length); i++)
    for (int part = 0; part < parts; part++)
      for (gint64 k = 0; k < bins; k++)
        for (int to = 0; to < made; to++)
          ((float *)t->data)[((i * parts + part) * bins + k) * made + to]
              = wave (i, k, length, inverse, part, to) * (real && i > 0 && 2 * i != length ? 2 : 1);
  gboolean turned = axis != x.rank - 2;
  PareValueId signal = turned ? turn (w, w->in[0], x.rank, (int)axis, FALSE, PARE_NONE) : w->in[0];
  gint64 rows = pare_shape_count (&x) / (samples * parts), flat[2] = { rows, samples * parts }, dims[PARE_MAX_RANK];
  PareValueId product
      = pare_write (w, "MatMul", f32, pare_write_reshape (w, signal, flat, 2, PARE_NONE), pare_write_constant (w, "waves", t));
  int n = 0;
  for (int i = 0; i < x.rank - 1; i++)
    if (i != axis)
      dims[n++] = x.dims[i];
  dims[n++] = bins;
  dims[n] = made;
  PareValueId y = pare_write_reshape (w, product, dims, (guint)x.rank, turned ? PARE_NONE : w->out[0]);
  if (turned)
    turn (w, y, x.rank, (int)axis, TRUE, w->out[0]);
  return TRUE;
}

/* signal, step, window, length of a frame: a convolution whose filters are waves times the window. */
static gboolean
stft (PareWriter *w, const PareNode *node)
{
  const PareShape x = *pare_writer_shape (w, w->in[0]);
  const PareTensor *shape = w->in[2] != PARE_NONE ? w->graph->values[w->in[2]].constant : NULL;
  gboolean half = pare_node_get_int (node, "onesided", 1) != 0;
  gint64 step, length, parts = x.rank == 3 ? x.dims[2] : 1;
  if (!pare_writer_is_float (w, w->in[0]) || x.rank < 2 || x.rank > 3 || pare_shape_count (&x) < 1 || (parts != 1 && parts != 2)
      || (half && parts == 2) || w->in[1] == PARE_NONE || !whole (w, 1, 0, 1, MOST_SAMPLES, &step)
      || (w->in[2] != PARE_NONE && (shape == NULL || shape->dtype != f32 || shape->shape.rank != 1)))
    return FALSE;
  if (!whole (w, 3, shape != NULL ? (double)shape->shape.dims[0] : 0, 1, x.dims[1], &length)
      || (shape != NULL && shape->shape.dims[0] != length))
    return FALSE;
  gint64 bins = half ? length / 2 + 1 : length, frames = (x.dims[1] - length) / step + 1;
  if (length * parts > MOST_WAVES / (2 * bins))
    return FALSE;
  PareShape filters = { .rank = 3, .dims = { 2 * bins, parts, length } };
  g_autoptr (PareTensor) t = pare_tensor_new (f32, &filters, NULL);
  if (t == NULL)
    return FALSE;
  float *to = t->data;
  for (gint64 k = 0; k < bins; k++)
    for (int part = 0; part < 2; part++)
      for (int from = 0; from < parts; from++)
        for (gint64 i = 0; i < length; i++)
          *to++ = wave (i, k, length, FALSE, from, part) * (shape != NULL ? ((const float *)shape->data)[i] : 1);
  const gint64 samples[3] = { x.dims[0], 1, x.dims[1] }, first[3] = { 0, 2, 1 }, spectrum[4] = { x.dims[0], frames, bins, 2 };
  PareValueId in[2]
      = { parts == 2 ? pare_write_transpose (w, w->in[0], first, 3, PARE_NONE) : pare_write_reshape (w, w->in[0], samples, 3, PARE_NONE),
          pare_write_constant (w, "waves", t) },
      y = pare_graph_add_value (w->graph, "Conv", f32, NULL, PARE_NONE);
  PareNode *conv = pare_write_to (w, "Conv", y, in, 2);
  pare_node_set_ints (conv, "kernel_shape", &length, 1);
  pare_node_set_ints (conv, "strides", &step, 1);
  pare_write_reshape (w, pare_write_transpose (w, y, first, 3, PARE_NONE), spectrum, 4, w->out[0]);
  return TRUE;
}

const PareDecomposeRule pare_decompose_rules_signal[] = {
  { "", "BlackmanWindow", window },
  { "", "DFT", dft },
  { "", "HammingWindow", window },
  { "", "HannWindow", window },
  { "", "MelWeightMatrix", mel_matrix },
  { "", "STFT", stft },
  { NULL, NULL, NULL },
};
