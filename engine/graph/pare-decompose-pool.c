/* MaxPool that says where its greatest stand, MaxUnpool that puts them back there, and LpPool. */
#include "engine/graph/pare-writer.h"

#include <math.h>
#include <string.h>

static const PareDtype f32 = PARE_DTYPE_FLOAT32, i64 = PARE_DTYPE_INT64;

#define MOST_TAPS 256 /* places of a window */
#define MOST_EXTENT ((gint64)1 << 24)

typedef struct
{
  PareShape x;
  int axes; /* that the window slides over */
  gint64 taps, out[PARE_MAX_RANK], kernel[PARE_MAX_RANK], stride[PARE_MAX_RANK], dilation[PARE_MAX_RANK], begin[PARE_MAX_RANK];
  gint64 weight[PARE_MAX_RANK]; /* what a step along an axis adds to a place */
} Window;

static gboolean
read_window (const PareWriter *w, const PareNode *node, Window *window)
{
  PareWindow slides;
  g_autoptr (GError) error = NULL;
  PareInfer c = { w->graph, (PareNode *)node, &error };
  guint n = 0;
  const gint64 *kernel = pare_node_get_ints (node, "kernel_shape", &n);
  *window = (Window){ .x = *pare_writer_shape (w, w->in[0]), .taps = 1 };
  window->axes = window->x.rank - 2;
  if (kernel == NULL || (int)n != window->axes
      || !pare_infer_window (&c, &window->x, kernel, pare_node_get_int (node, "ceil_mode", 0) != 0, &slides, window->out))
    return FALSE;
  gboolean by_column = pare_node_get_int (node, "storage_order", 0) != 0;
  gint64 weight = 1;
  for (int k = 0; k < window->axes; k++)
    {
      int i = by_column ? k : window->axes - 1 - k;
      window->weight[i] = weight;
      weight *= window->x.dims[i + 2];
    }
  for (int i = 0; i < window->axes; i++)
    {
      if (slides.kernel[i] < 1 || slides.pad[i] < 0 || window->out[i] < 1)
        return FALSE;
      window->kernel[i] = slides.kernel[i];
      window->stride[i] = slides.stride[i];
      window->dilation[i] = slides.dilation[i];
      window->begin[i] = slides.pad[i];
      window->taps *= window->taps <= MOST_TAPS ? slides.kernel[i] : 1;
    }
  return TRUE;
}

/* How far windows reach behind x. */
static gint64
behind (const Window *window, int i)
{
  gint64 reach = (window->out[i] - 1) * window->stride[i] + (window->kernel[i] - 1) * window->dilation[i] + 1;
  return MAX (reach - window->begin[i] - window->x.dims[2 + i], 0);
}

/* x in a frame of what is less than anything, as far as windows reach. */
static PareValueId
framed (PareWriter *w, const Window *window)
{
  gint64 pads[2 * PARE_MAX_RANK] = { 0 };
  int rank = window->x.rank;
  for (int i = 0; i < window->axes; i++)
    {
      pads[2 + i] = window->begin[i];
      pads[rank + 2 + i] = behind (window, i);
    }
  PareValueId out = pare_graph_add_value (w->graph, "Pad", f32, NULL, PARE_NONE);
  const PareValueId in[3] = { w->in[0], pare_write_ints (w, pads, 2 * (guint)rank), pare_write_number (w, -INFINITY) };
  pare_write_to (w, "Pad", out, in, 3);
  return out;
}

/* All windows' elements at place `at` of them. */
static PareValueId
tap (PareWriter *w, const Window *window, PareValueId x, const gint64 *at)
{
  gint64 from[PARE_MAX_RANK], to[PARE_MAX_RANK], axes[PARE_MAX_RANK];
  static const gint64 front[] = { 0 };
  guint n = (guint)window->axes;
  for (int i = 0; i < window->axes; i++)
    {
      from[i] = at[i] * window->dilation[i];
      to[i] = from[i] + (window->out[i] - 1) * window->stride[i] + 1;
      axes[i] = i + 2;
    }
  PareValueId out = pare_graph_add_value (w->graph, "Slice", f32, NULL, PARE_NONE);
  const PareValueId in[5] = { x, pare_write_ints (w, from, n), pare_write_ints (w, to, n), pare_write_ints (w, axes, n),
                              pare_write_ints (w, window->stride, n) };
  pare_write_to (w, "Slice", out, in, 5);
  return pare_write_unsqueeze (w, out, front, 1);
}

/* (transfer full) Where each window of each plane begins; NULL: no memory. */
static PareTensor *
window_places (const Window *window)
{
  PareShape shape = window->x;
  gint64 plane = 1, places = 1;
  for (int i = 0; i < window->axes; i++)
    {
      shape.dims[i + 2] = window->out[i];
      plane *= window->x.dims[i + 2];
      places *= window->out[i];
    }
  PareTensor *t = pare_tensor_new (i64, &shape, NULL);
  gint64 *to = t != NULL ? t->data : NULL;
  for (gint64 p = 0; t != NULL && p < shape.dims[0] * shape.dims[1]; p++)
    for (gint64 k = 0; k < places; k++)
      {
        gint64 rest = k, place = p * plane;
        for (int i = window->axes - 1; i >= 0; i--)
          {
            place += (rest % window->out[i] * window->stride[i] - window->begin[i]) * window->weight[i];
            rest /= window->out[i];
          }
        *to++ = place;
      }
  return t;
}

/* The places: all taps of windows one behind the other, the first greatest of which says how far from the window's begin it stands. */
static gboolean
max_pool (PareWriter *w, const PareNode *node)
{
  Window window;
  if (w->out[1] == PARE_NONE || !pare_writer_is_float (w, w->in[0]) || pare_shape_count (pare_writer_shape (w, w->in[0])) < 1
      || !read_window (w, node, &window) || window.taps > MOST_TAPS)
    return FALSE;
  g_autoptr (PareTensor) places = window_places (&window), steps = NULL;
  PareShape row = { .rank = 1, .dims = { window.taps } };
  if (places == NULL || (steps = pare_tensor_new (i64, &row, NULL)) == NULL)
    return FALSE;
  PareValueId x = framed (w, &window);
  g_autofree PareValueId *taps = g_new (PareValueId, window.taps);
  for (gint64 k = 0; k < window.taps; k++)
    {
      gint64 rest = k, at[PARE_MAX_RANK];
      for (int i = window.axes - 1; i >= 0; i--)
        {
          at[i] = rest % window.kernel[i];
          rest /= window.kernel[i];
          ((gint64 *)steps->data)[k] += at[i] * window.dilation[i] * window.weight[i];
        }
      taps[k] = tap (w, &window, x, at);
    }
  PareValueId all = pare_write_concat (w, taps, (guint)window.taps, 0, PARE_NONE),
              which = pare_graph_add_value (w->graph, "ArgMax", i64, NULL, PARE_NONE);
  PareNode *first = pare_write_to (w, "ArgMax", which, &all, 1);
  pare_node_set_int (first, "axis", 0);
  pare_node_set_int (first, "keepdims", 0);
  const PareValueId in[2]
      = { pare_write_constant (w, "places", places), pare_write (w, "Gather", i64, pare_write_constant (w, "steps", steps), which) };
  pare_write_to (w, "Add", w->out[1], in, 2);
  if (w->out[0] != PARE_NONE)
    pare_node_add_attrs (pare_write_to (w, "MaxPool", w->out[0], &w->in[0], 1), node, NULL);
  return TRUE;
}

/* Operands: x, places, the shape of the result, which else is what a pool of that window would have read. */
static gboolean
max_unpool (PareWriter *w, const PareNode *node)
{
  static const gint64 flat[] = { -1 };
  PareShape y = *pare_writer_shape (w, w->in[0]);
  guint n = 0, n_given = 0, n_strides = 0, n_pads = 0;
  const gint64 *kernel = pare_node_get_ints (node, "kernel_shape", &n), *strides = pare_node_get_ints (node, "strides", &n_strides),
               *pads = pare_node_get_ints (node, "pads", &n_pads);
  g_autofree gint64 *given = pare_node_input_ints (w->graph, node, 2, &n_given);
  int axes = y.rank - 2;
  if (!pare_writer_is_float (w, w->in[0]) || w->in[1] == PARE_NONE || kernel == NULL || axes < 1 || (int)n != axes
      || (w->in[2] != PARE_NONE && (given == NULL || (int)n_given != y.rank)) || (strides != NULL && (int)n_strides != axes)
      || (pads != NULL && (int)n_pads != 2 * axes))
    return FALSE;
  for (int i = 0; i < axes; i++)
    {
      gint64 stride = strides != NULL ? strides[i] : 1, begin = pads != NULL ? pads[i] : 0, end = pads != NULL ? pads[axes + i] : 0;
      if (y.dims[i + 2] > MOST_EXTENT || kernel[i] < 1 || kernel[i] > MOST_EXTENT || stride < 1 || stride > MOST_EXTENT || begin < 0
          || begin > MOST_EXTENT || end < 0 || end > MOST_EXTENT)
        return FALSE;
      y.dims[i + 2] = (y.dims[i + 2] - 1) * stride + kernel[i] - begin - end;
    }
  for (guint i = 0; given != NULL && i < n_given; i++)
    y.dims[i] = given[i];
  PareShape row = { .rank = 1, .dims = { pare_shape_count (&y) } };
  g_autoptr (PareTensor) zeros = row.dims[0] > 0 ? pare_tensor_new (f32, &row, NULL) : NULL;
  if (zeros == NULL)
    return FALSE;
  PareValueId in[3] = { pare_write_constant (w, "zeros", zeros), pare_write_reshape (w, w->in[1], flat, 1, PARE_NONE),
                        pare_write_reshape (w, w->in[0], flat, 1, PARE_NONE) };
  PareValueId all = pare_graph_add_value (w->graph, "ScatterElements", f32, NULL, PARE_NONE);
  pare_write_to (w, "ScatterElements", all, in, 3);
  pare_write_reshape (w, all, (const gint64 *)y.dims, (guint)y.rank, w->out[0]);
  return TRUE;
}

/* (sum |x|^p)^(1/p) of each window: the mean of the powers, padding among them, times how many they are. */
static gboolean
lp_pool (PareWriter *w, const PareNode *node)
{
  gint64 p = pare_node_get_int (node, "p", 2), area = 1, pads[6];
  Window window;
  if (!pare_writer_is_float (w, w->in[0]) || !read_window (w, node, &window) || window.axes > 3 || p < 1 || p > 64)
    return FALSE;
  for (int i = 0; i < window.axes; i++)
    {
      area *= CLAMP (window.kernel[i], 1, 1 << 16);
      pads[i] = window.begin[i];
      pads[window.axes + i] = behind (&window, i); /* all that windows reach, so that each counts all of its places */
    }
  if (area > 1 << 24)
    return FALSE;
  PareValueId x = p == 2 ? w->in[0] : pare_write (w, "Abs", f32, w->in[0], PARE_NONE);
  PareValueId powers = p == 1   ? x
                       : p == 2 ? pare_write (w, "Mul", f32, x, x)
                                : pare_write (w, "Pow", f32, x, pare_write_number (w, (float)p));
  PareValueId mean = pare_graph_add_value (w->graph, "AveragePool", f32, NULL, PARE_NONE);
  PareNode *pool = pare_write_to (w, "AveragePool", mean, &powers, 1);
  pare_node_set_ints (pool, "kernel_shape", window.kernel, (guint)window.axes);
  pare_node_set_ints (pool, "strides", window.stride, (guint)window.axes);
  pare_node_set_ints (pool, "dilations", window.dilation, (guint)window.axes);
  pare_node_set_ints (pool, "pads", pads, 2 * (guint)window.axes);
  pare_node_set_int (pool, "count_include_pad", 1);
  PareValueId sum[2] = { mean, pare_write_number (w, (float)area) };
  if (p == 1)
    {
      pare_write_to (w, "Mul", w->out[0], sum, 2);
      return TRUE;
    }
  PareValueId in[2] = { pare_write (w, "Mul", f32, sum[0], sum[1]), p == 2 ? PARE_NONE : pare_write_number (w, 1 / (float)p) };
  pare_write_to (w, p == 2 ? "Sqrt" : "Pow", w->out[0], in, p == 2 ? 1 : 2);
  return TRUE;
}

const PareDecomposeRule pare_decompose_rules_pool[] = {
  { "", "LpPool", lp_pool },
  { "", "MaxPool", max_pool },
  { "", "MaxUnpool", max_unpool },
  { NULL, NULL, NULL },
};
