/* Operators on images that others make up: Col2Im, CenterCropPad, AffineGrid and DeformConv; and Resize of whole numbers. */
#include "engine/graph/pare-writer.h"

#include <string.h>

#define MOST_PLACES (1 << 24) /* of a grid: a file may ask for any number */

static const PareDtype f32 = PARE_DTYPE_FLOAT32;

/* Integers of a list attribute, or `fallback` for each of n; FALSE: another number of them. */
static gboolean
read_ints (const PareNode *node, const char *name, guint n, gint64 fallback, gint64 least, gint64 *out)
{
  guint have = 0;
  const gint64 *given = pare_node_get_ints (node, name, &have);
  for (guint i = 0; i < n && (given == NULL || have == n); i++)
    {
      out[i] = given != NULL ? given[i] : fallback;
      if (out[i] < least || out[i] > G_MAXINT32)
        return FALSE;
    }
  return given == NULL || have == n;
}

/* Blocks are added where they were cut out: a transposed convolution whose filters hold a single one each. */
static gboolean
col2im (PareWriter *w, const PareNode *node)
{
  const PareShape x = *pare_writer_shape (w, w->in[0]);
  guint n = 0, n_block = 0;
  g_autofree gint64 *image = pare_node_input_ints (w->graph, node, 1, &n), *block = pare_node_input_ints (w->graph, node, 2, &n_block);
  gint64 strides[3], dilations[3], pads[6], more[3], area = 1, columns = 1;
  if (!pare_writer_is_float (w, w->in[0]) || image == NULL || block == NULL || n != n_block || n < 1 || n > 3 || x.rank != 3
      || !read_ints (node, "strides", n, 1, 1, strides) || !read_ints (node, "dilations", n, 1, 1, dilations)
      || !read_ints (node, "pads", 2 * n, 0, 0, pads))
    return FALSE;
  gint64 split[5] = { 0 }, joined[5] = { x.dims[0], 0 };
  PareShape filters = { .rank = 2 + (int)n, .dims = { 0, 1 } };
  for (guint i = 0; i < n; i++)
    {
      if (block[i] < 1 || block[i] > 1 << 10 || image[i] < 1 || image[i] > G_MAXINT32)
        return FALSE;
      gint64 span = dilations[i] * (block[i] - 1) + 1, room = image[i] + pads[i] + pads[n + i] - span;
      if (room < 0)
        return FALSE;
      split[2 + i] = room / strides[i] + 1;
      more[i] = room % strides[i];
      joined[2 + i] = image[i];
      filters.dims[2 + i] = block[i];
      area *= block[i];
      columns *= split[2 + i];
    }
  if (area > 1 << 12 || x.dims[1] % area != 0 || x.dims[2] != columns)
    return FALSE;
  filters.dims[0] = area;
  split[0] = x.dims[0] * (x.dims[1] / area);
  split[1] = area;
  joined[1] = x.dims[1] / area;
  g_autoptr (PareTensor) ones = pare_tensor_new (f32, &filters, NULL);
  if (ones == NULL)
    return FALSE;
  for (gint64 i = 0; i < area; i++)
    ((float *)ones->data)[i * area + i] = 1;
  const PareValueId in[2] = { pare_write_reshape (w, w->in[0], split, 2 + n, PARE_NONE), pare_write_constant (w, "ones", ones) };
  PareValueId planes = pare_graph_add_value (w->graph, "ConvTranspose", f32, NULL, PARE_NONE);
  PareNode *conv = pare_write_to (w, "ConvTranspose", planes, in, 2);
  pare_node_set_ints (conv, "strides", strides, n);
  pare_node_set_ints (conv, "dilations", dilations, n);
  pare_node_set_ints (conv, "pads", pads, 2 * n);
  pare_node_set_ints (conv, "output_padding", more, n);
  pare_write_reshape (w, planes, joined, 2 + n, w->out[0]);
  return TRUE;
}

/* What is too much is cut off at both ends, what is missing are zeros at both. */
static gboolean
center_crop_pad (PareWriter *w, const PareNode *node)
{
  const PareShape x = *pare_writer_shape (w, w->in[0]);
  guint n = 0, n_axes = 0;
  g_autofree gint64 *shape = pare_node_input_ints (w->graph, node, 1, &n);
  const gint64 *axes = pare_node_get_ints (node, "axes", &n_axes);
  gint64 pads[2 * PARE_MAX_RANK] = { 0 }, from[PARE_MAX_RANK] = { 0 }, to[PARE_MAX_RANK], all[PARE_MAX_RANK];
  if (shape == NULL || pare_shape_count (&x) < 0 || x.rank < 1 || n != (axes != NULL ? n_axes : (guint)x.rank))
    return FALSE;
  for (int i = 0; i < x.rank; i++)
    {
      all[i] = i;
      to[i] = x.dims[i];
    }
  for (guint i = 0; i < n; i++)
    {
      gint64 axis = axes != NULL ? axes[i] : (gint64)i;
      axis += axis < 0 ? x.rank : 0;
      if (axis < 0 || axis >= x.rank || shape[i] < 0)
        return FALSE;
      gint64 much = x.dims[axis] - shape[i];
      if (much > 0)
        {
          from[axis] = much / 2;
          to[axis] = from[axis] + shape[i];
        }
      else
        {
          pads[axis] = -much / 2;
          pads[x.rank + axis] = -much - pads[axis];
        }
    }
  guint rank = (guint)x.rank;
  PareValueId cut = pare_graph_add_value (w->graph, "Slice", pare_writer_dtype (w, w->in[0]), NULL, PARE_NONE);
  const PareValueId in[4] = { w->in[0], pare_write_ints (w, from, rank), pare_write_ints (w, to, rank), pare_write_ints (w, all, rank) };
  pare_write_to (w, "Slice", cut, in, 4);
  const PareValueId framed[2] = { cut, pare_write_ints (w, pads, 2 * rank) };
  pare_write_to (w, "Pad", w->out[0], framed, 2);
  return TRUE;
}

/* The middle of pixel i of n, or between the middles of the first and the last, in -1..1: a single one is the last of those. */
static float
place_of (gint64 i, gint64 n, gboolean corners)
{
  return corners ? (n > 1 ? (float)(2 * i) / (float)(n - 1) - 1 : 1) : (float)(2 * i + 1) / (float)n - 1;
}

/* theta [N, axes, axes + 1] times each place, whose last coordinate is 1. */
static gboolean
affine_grid (PareWriter *w, const PareNode *node)
{
  const PareShape theta = *pare_writer_shape (w, w->in[0]);
  guint n = 0;
  g_autofree gint64 *size = pare_node_input_ints (w->graph, node, 1, &n);
  gboolean corners = pare_node_get_int (node, "align_corners", 0) != 0;
  guint axes = n - 2;
  gint64 places = 1, dims[5];
  if (!pare_writer_is_float (w, w->in[0]) || size == NULL || (n != 4 && n != 5) || theta.rank != 3 || theta.dims[0] != size[0]
      || theta.dims[1] != axes || theta.dims[2] != axes + 1)
    return FALSE;
  dims[0] = size[0];
  for (guint i = 0; i < axes; i++)
    {
      if (size[2 + i] < 1 || size[2 + i] > MOST_PLACES || (places *= size[2 + i]) > MOST_PLACES)
        return FALSE;
      dims[1 + i] = size[2 + i];
    }
  dims[1 + axes] = axes;
  PareShape shape = pare_shape_make (2, places, (gint64)axes + 1);
  g_autoptr (PareTensor) base = pare_tensor_new (f32, &shape, NULL);
  if (base == NULL)
    return FALSE;
  float *to = base->data;
  for (gint64 k = 0; k < places; k++, to += axes + 1)
    {
      gint64 rest = k;
      for (guint i = 0; i < axes; i++) /* x, which is the last axis, comes first */
        {
          gint64 extent = size[n - 1 - i];
          to[i] = place_of (rest % extent, extent, corners);
          rest /= extent;
        }
      to[axes] = 1;
    }
  static const gint64 turned[] = { 0, 2, 1 };
  PareValueId grid
      = pare_write (w, "MatMul", f32, pare_write_constant (w, "places", base), pare_write_transpose (w, w->in[0], turned, 3, PARE_NONE));
  pare_write_reshape (w, grid, dims, axes + 2, w->out[0]);
  return TRUE;
}

/* Whole numbers between which lines are drawn are floats that are cut off, not rounded, as in ONNX Runtime. */
static gboolean
resize_whole (PareWriter *w, const PareNode *node)
{
  PareDtype dtype = pare_writer_dtype (w, w->in[0]);
  g_autofree char *mode = pare_node_dup_string (node, "mode");
  if ((dtype != PARE_DTYPE_INT8 && dtype != PARE_DTYPE_UINT8 && dtype != PARE_DTYPE_INT32) || g_strcmp0 (mode, "linear") != 0
      || pare_node_get_int (node, "antialias", 0) != 0)
    return FALSE;
  PareValueId in[4], resized = pare_graph_add_value (w->graph, "Resize", f32, NULL, PARE_NONE);
  memcpy (in, w->in, sizeof in);
  in[0] = pare_write_cast (w, w->in[0], f32, PARE_NONE);
  pare_node_add_attrs (pare_write_to (w, "Resize", resized, in, MIN (node->n_inputs, G_N_ELEMENTS (in))), node, NULL);
  pare_write_cast (w, resized, dtype, w->out[0]);
  return TRUE;
}

/* --- DeformConv --- */

typedef struct
{
  PareShape x, weights;
  gint64 out[2], stride[2], dilation[2], pad[4], group, parts, taps; /* parts: of channels that have offsets of their own */
} Deform;

static gboolean
read_deform (const PareWriter *w, const PareNode *node, Deform *d)
{
  *d = (Deform){ .group = pare_node_get_int (node, "group", 1), .parts = pare_node_get_int (node, "offset_group", 1) };
  for (guint i = 0; i < 5; i++)
    if ((i < 3 || w->in[i] != PARE_NONE) && !pare_writer_is_float (w, w->in[i]))
      return FALSE;
  d->x = *pare_writer_shape (w, w->in[0]);
  d->weights = *pare_writer_shape (w, w->in[1]);
  if (d->x.rank != 4 || d->weights.rank != 4 || d->group < 1 || d->parts < 1 || d->x.dims[1] % d->parts != 0
      || !read_ints (node, "strides", 2, 1, 1, d->stride) || !read_ints (node, "dilations", 2, 1, 1, d->dilation)
      || !read_ints (node, "pads", 4, 0, 0, d->pad))
    return FALSE;
  for (int i = 0; i < 2; i++)
    {
      gint64 room = d->x.dims[2 + i] + d->pad[i] + d->pad[2 + i] - d->dilation[i] * (d->weights.dims[2 + i] - 1) - 1;
      if (room < 0 || d->weights.dims[2 + i] < 1 || d->x.dims[2 + i] < 1)
        return FALSE;
      d->out[i] = room / d->stride[i] + 1;
    }
  d->taps = d->weights.dims[2] * d->weights.dims[3];
  gint64 places = d->x.dims[0] * d->parts * d->taps * d->out[0] * d->out[1];
  return pare_shape_count (pare_writer_shape (w, w->in[2])) == 2 * places
         && (w->in[4] == PARE_NONE || pare_shape_count (pare_writer_shape (w, w->in[4])) == places);
}

/* Where each tap of each window lies along an axis, between -1 and 1: from the middle of the window on, and what the offsets add. */
static PareValueId
tap_places (PareWriter *w, const Deform *d, int axis, PareValueId offsets)
{
  PareShape shape = pare_shape_make (3, d->taps, d->out[0], d->out[1]);
  g_autoptr (PareTensor) base = pare_tensor_new (f32, &shape, NULL);
  float *to = base->data, extent = (float)d->x.dims[2 + axis];
  for (gint64 k = 0; k < d->taps; k++)
    for (gint64 row = 0; row < d->out[0]; row++)
      for (gint64 column = 0; column < d->out[1]; column++)
        {
          gint64 tap = axis == 0 ? k / d->weights.dims[3] : k % d->weights.dims[3],
                 at = (axis == 0 ? row : column) * d->stride[axis] - d->pad[axis] + tap * d->dilation[axis];
          *to++ = (float)(2 * at + 1) / extent - 1;
        }
  static const gint64 last[] = { 4 };
  PareValueId moved = pare_write (w, "Mul", f32, pare_write_pick (w, offsets, 2, axis), pare_write_number (w, 2 / extent));
  return pare_write_unsqueeze (w, pare_write (w, "Add", f32, moved, pare_write_constant (w, "places", base)), last, 1);
}

/* Each tap of each window is looked up where it was moved to; what was found is an image of taps by windows, whose columns are
 * convolved. */
static gboolean
deform_conv (PareWriter *w, const PareNode *node)
{
  Deform d;
  if (!read_deform (w, node, &d))
    return FALSE;
  gint64 batch = d.x.dims[0] * d.parts, channels = d.x.dims[1], windows = d.out[0] * d.out[1];
  const gint64 images[] = { batch, channels / d.parts, d.x.dims[2], d.x.dims[3] }, pairs[] = { batch, d.taps, 2, d.out[0], d.out[1] },
               flat[] = { batch, d.taps * d.out[0], d.out[1], 2 }, weighted[] = { batch, 1, d.taps * d.out[0], d.out[1] },
               columns[] = { d.x.dims[0], channels, d.taps, windows }, filters[] = { d.weights.dims[0], d.weights.dims[1], d.taps, 1 },
               result[] = { d.x.dims[0], d.weights.dims[0], d.out[0], d.out[1] };
  PareValueId offsets = pare_write_reshape (w, w->in[2], pairs, 5, PARE_NONE);
  const PareValueId both[2] = { tap_places (w, &d, 1, offsets), tap_places (w, &d, 0, offsets) };
  PareValueId grid = pare_write_reshape (w, pare_write_concat (w, both, 2, 4, PARE_NONE), flat, 4, PARE_NONE);
  const PareValueId sampled[2] = { pare_write_reshape (w, w->in[0], images, 4, PARE_NONE), grid };
  PareValueId found = pare_graph_add_value (w->graph, "GridSample", f32, NULL, PARE_NONE);
  pare_node_set_string (pare_write_to (w, "GridSample", found, sampled, 2), "mode", "linear");
  if (w->in[4] != PARE_NONE)
    found = pare_write (w, "Mul", f32, found, pare_write_reshape (w, w->in[4], weighted, 4, PARE_NONE));
  const PareValueId in[3]
      = { pare_write_reshape (w, found, columns, 4, PARE_NONE), pare_write_reshape (w, w->in[1], filters, 4, PARE_NONE), w->in[3] };
  PareValueId sums = pare_graph_add_value (w->graph, "Conv", f32, NULL, PARE_NONE);
  pare_node_set_int (pare_write_to (w, "Conv", sums, in, w->in[3] != PARE_NONE ? 3 : 2), "group", d.group);
  pare_write_reshape (w, sums, result, 4, w->out[0]);
  return TRUE;
}

const PareDecomposeRule pare_decompose_rules_image[] = {
  { "", "AffineGrid", affine_grid }, { "", "CenterCropPad", center_crop_pad }, { "", "Col2Im", col2im },
  { "", "DeformConv", deform_conv }, { "", "Resize", resize_whole },           { NULL, NULL, NULL },
};
