/* Shapes of convolutions, pools, matrix products, normalization and recurrent layers. */
#include "engine/graph/pare-graph-private.h"

#include <string.h>

#define LIMIT (G_GINT64_CONSTANT (1) << 40)

static gboolean
read_ints (PareInfer *c, const char *name, int n, gint64 *out, gint64 fallback, gint64 lo)
{
  guint have;
  const gint64 *values = pare_node_get_ints (c->node, name, &have);
  for (int i = 0; i < n; i++)
    {
      out[i] = values != NULL && i < (int)have ? values[i] : fallback;
      if (out[i] < lo || out[i] > LIMIT)
        return pare_infer_fail (c, "%s of %" G_GINT64_FORMAT, name, out[i]);
    }
  if (values != NULL && have != (guint)n)
    return pare_infer_fail (c, "%s has %u entries, %d are needed", name, have, n);
  return TRUE;
}

gboolean
pare_infer_window (PareInfer *c, const PareShape *x, const gint64 *kernel, gboolean ceil_mode, PareWindow *w, gint64 *out)
{
  int n = x->rank - 2;
  memset (w, 0, sizeof *w);
  if (n < 1)
    return pare_infer_fail (c, "an input with %d dimensions has no extent to slide over", x->rank);
  g_autofree char *mode = pare_node_dup_string (c->node, "auto_pad");
  w->mode = g_strcmp0 (mode, "SAME_UPPER") == 0   ? 'U'
            : g_strcmp0 (mode, "SAME_LOWER") == 0 ? 'L'
            : g_strcmp0 (mode, "VALID") == 0      ? 'V'
                                                  : 'N';
  memcpy (w->kernel, kernel, n * sizeof *kernel);
  if (!read_ints (c, "strides", n, w->stride, 1, 1) || !read_ints (c, "dilations", n, w->dilation, 1, 1)
      || (w->mode == 'N' && !read_ints (c, "pads", 2 * n, w->pad, 0, -LIMIT)))
    return FALSE;
  for (int i = 0; i < n; i++)
    {
      gint64 in = x->dims[i + 2], k, span;
      out[i] = -1;
      if (kernel[i] < 0)
        continue;
      if (kernel[i] == 0 || kernel[i] > LIMIT || __builtin_mul_overflow (w->dilation[i], kernel[i] - 1, &span) || span > LIMIT)
        return pare_infer_fail (c, "a window of %" G_GINT64_FORMAT, kernel[i]);
      k = span + 1;
      if (in < 0)
        continue;
      if (in > LIMIT)
        return pare_infer_fail (c, "an extent of %" G_GINT64_FORMAT, in);
      if (w->mode == 'U' || w->mode == 'L')
        {
          out[i] = (in + w->stride[i] - 1) / w->stride[i];
          gint64 total = MAX (0, (out[i] - 1) * w->stride[i] + k - in);
          w->pad[i] = w->mode == 'U' ? total / 2 : total - total / 2;
          w->pad[i + n] = total - w->pad[i];
          continue;
        }
      gint64 room = in + w->pad[i] + w->pad[i + n] - k;
      if (room < 0)
        return pare_infer_fail (c, "a window of %" G_GINT64_FORMAT " does not fit an extent of %" G_GINT64_FORMAT, k,
                                in + w->pad[i] + w->pad[i + n]);
      out[i] = (ceil_mode ? (room + w->stride[i] - 1) / w->stride[i] : room / w->stride[i]) + 1;
      /* A window that begins in the padding at the end is left out. */
      if (ceil_mode && (out[i] - 1) * w->stride[i] >= in + w->pad[i])
        out[i]--;
    }
  return TRUE;
}

gboolean
pare_infer_conv (PareInfer *c, const PareShape *x, const PareShape *w, PareDtype dtype)
{
  if (x->rank < 0 || w->rank < 0)
    return pare_infer_set (c, 0, dtype, NULL);
  if (x->rank != w->rank || x->rank < 3)
    return pare_infer_fail (c, "an input with %d dimensions and weights with %d", x->rank, w->rank);
  gint64 group = pare_node_get_int (c->node, "group", 1), channels;
  if (group < 1 || (w->dims[0] >= 0 && (w->dims[0] == 0 || w->dims[0] % group != 0)))
    return pare_infer_fail (c, "%" G_GINT64_FORMAT " output channels in %" G_GINT64_FORMAT " groups", (gint64)w->dims[0], group);
  if (x->dims[1] >= 0 && w->dims[1] >= 0 && (__builtin_mul_overflow ((gint64)w->dims[1], group, &channels) || channels != x->dims[1]))
    return pare_infer_fail (
        c, "an input of %" G_GINT64_FORMAT " channels, its weights are for %" G_GINT64_FORMAT " in %" G_GINT64_FORMAT " groups",
        (gint64)x->dims[1], (gint64)w->dims[1], group);
  PareWindow window;
  guint n;
  const gint64 *kernel = pare_node_get_ints (c->node, "kernel_shape", &n);
  for (int i = 0; kernel != NULL && i < x->rank - 2; i++)
    if (n != (guint)x->rank - 2 || (w->dims[i + 2] >= 0 && kernel[i] != w->dims[i + 2]))
      return pare_infer_fail (c, "kernel_shape differs from its weights");
  PareShape y = { .rank = x->rank, .dims = { x->dims[0], w->dims[0] } };
  return pare_infer_window (c, x, (const gint64 *)w->dims + 2, FALSE, &window, (gint64 *)y.dims + 2) && pare_infer_set (c, 0, dtype, &y);
}

static gboolean
conv (PareInfer *c)
{
  return pare_infer_conv (c, pare_infer_shape (c, 0), pare_infer_shape (c, 1), pare_infer_dtype (c, 0));
}

static gboolean
conv_transpose (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0), *w = pare_infer_shape (c, 1);
  PareDtype dtype = pare_infer_dtype (c, 0);
  if (x->rank < 0 || w->rank < 0)
    return pare_infer_set (c, 0, dtype, NULL);
  if (x->rank != w->rank || x->rank < 3)
    return pare_infer_fail (c, "an input with %d dimensions and weights with %d", x->rank, w->rank);
  int n = x->rank - 2;
  gint64 group = pare_node_get_int (c->node, "group", 1), stride[PARE_MAX_RANK], dilation[PARE_MAX_RANK], pad[2 * PARE_MAX_RANK],
         extra[PARE_MAX_RANK];
  PareShape y = { .rank = x->rank, .dims = { x->dims[0], -1 } };
  if (group < 1 || (x->dims[1] >= 0 && w->dims[0] >= 0 && x->dims[1] != w->dims[0]))
    return pare_infer_fail (c, "an input of %" G_GINT64_FORMAT " channels, its weights are for %" G_GINT64_FORMAT, (gint64)x->dims[1],
                            (gint64)w->dims[0]);
  if (w->dims[1] >= 0 && __builtin_mul_overflow ((gint64)w->dims[1], group, (gint64 *)&y.dims[1]))
    return pare_infer_fail (c, "%" G_GINT64_FORMAT " groups", group);
  if (!read_ints (c, "strides", n, stride, 1, 1) || !read_ints (c, "dilations", n, dilation, 1, 1)
      || !read_ints (c, "pads", 2 * n, pad, 0, -LIMIT) || !read_ints (c, "output_padding", n, extra, 0, 0))
    return FALSE;
  g_autofree char *mode = pare_node_dup_string (c->node, "auto_pad");
  gboolean equal = g_strcmp0 (mode, "SAME_UPPER") == 0 || g_strcmp0 (mode, "SAME_LOWER") == 0;
  guint given;
  const gint64 *output = pare_node_get_ints (c->node, "output_shape", &given);
  for (int i = 0; i < n; i++)
    {
      gint64 in = x->dims[i + 2], k = w->dims[i + 2], a, b;
      y.dims[i + 2] = -1;
      if (output != NULL && given >= (guint)n)
        y.dims[i + 2] = output[given - n + i];
      else if (in >= 0 && k >= 0)
        {
          if (in > LIMIT || __builtin_mul_overflow (stride[i], in - 1, &a) || __builtin_mul_overflow (dilation[i], k - 1, &b) || a > LIMIT
              || b > LIMIT)
            return pare_infer_fail (c, "its output is beyond any memory");
          /* As ONNX Runtime: SAME cuts off what is too much, and adds nothing where strides are wider than the window. */
          gint64 whole = a + extra[i] + b + 1;
          y.dims[i + 2] = equal ? MIN (in * stride[i], whole) : whole - pad[i] - pad[i + n];
        }
      if (in >= 0 && k >= 0 && y.dims[i + 2] < 0)
        return pare_infer_fail (c, "an output extent of %" G_GINT64_FORMAT, (gint64)y.dims[i + 2]);
    }
  return pare_infer_set (c, 0, dtype, &y);
}

gboolean
pare_infer_pool (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0);
  PareDtype dtype = pare_infer_dtype (c, 0);
  if (x->rank < 0)
    return pare_infer_set (c, 0, dtype, NULL);
  guint n;
  const gint64 *kernel = pare_node_get_ints (c->node, "kernel_shape", &n);
  if (kernel == NULL || (int)n != x->rank - 2)
    return pare_infer_fail (c, "kernel_shape has %u entries for an input with %d dimensions", n, x->rank);
  for (guint i = 0; i < n; i++)
    if (kernel[i] < 1)
      return pare_infer_fail (c, "a window of %" G_GINT64_FORMAT, kernel[i]);
  PareWindow window;
  PareShape y = { .rank = x->rank, .dims = { x->dims[0], x->dims[1] } };
  return pare_infer_window (c, x, kernel, pare_node_get_int (c->node, "ceil_mode", 0) != 0, &window, (gint64 *)y.dims + 2)
         && pare_infer_set (c, 0, dtype, &y) && pare_infer_set (c, 1, PARE_DTYPE_INT64, &y);
}

static gboolean
global_pool (PareInfer *c)
{
  PareShape y = *pare_infer_shape (c, 0);
  if (y.rank >= 0 && y.rank < 2)
    return pare_infer_fail (c, "an input with %d dimensions", y.rank);
  for (int i = 2; i < y.rank; i++)
    y.dims[i] = 1;
  return pare_infer_set (c, 0, pare_infer_dtype (c, 0), &y);
}

gboolean
pare_infer_matmul (PareInfer *c, const PareShape *a, const PareShape *b, PareDtype dtype)
{
  if (a->rank < 0 || b->rank < 0)
    return pare_infer_set (c, 0, dtype, NULL);
  if (a->rank == 0 || b->rank == 0)
    return pare_infer_fail (c, "a scalar cannot be multiplied as a matrix");
  gint64 k = a->dims[a->rank - 1], l = b->rank == 1 ? b->dims[0] : b->dims[b->rank - 2];
  if (k >= 0 && l >= 0 && k != l)
    {
      g_autofree char *s = pare_shape_to_string (a), *t = pare_shape_to_string (b);
      return pare_infer_fail (c, "%s does not multiply with %s", s, t);
    }
  PareShape x = { .rank = MAX (0, a->rank - 2) }, y = { .rank = MAX (0, b->rank - 2) }, out;
  memcpy (x.dims, a->dims, x.rank * sizeof *x.dims);
  memcpy (y.dims, b->dims, y.rank * sizeof *y.dims);
  if (!pare_infer_broadcast (c, &x, &y, &out))
    return FALSE;
  if (a->rank > 1)
    out.dims[out.rank++] = a->dims[a->rank - 2];
  if (b->rank > 1)
    out.dims[out.rank++] = b->dims[b->rank - 1];
  return pare_infer_set (c, 0, dtype, &out);
}

static gboolean
matmul (PareInfer *c)
{
  return pare_infer_matmul (c, pare_infer_shape (c, 0), pare_infer_shape (c, 1), pare_infer_dtype (c, 0));
}

static gboolean
gemm (PareInfer *c)
{
  const PareShape *a = pare_infer_shape (c, 0), *b = pare_infer_shape (c, 1);
  PareDtype dtype = pare_infer_dtype (c, 0);
  if (a->rank < 0 || b->rank < 0)
    return pare_infer_set (c, 0, dtype, NULL);
  if (a->rank != 2 || b->rank != 2)
    return pare_infer_fail (c, "inputs with %d and %d dimensions, both need 2", a->rank, b->rank);
  int ta = pare_node_get_int (c->node, "transA", 0) != 0, tb = pare_node_get_int (c->node, "transB", 0) != 0;
  gint64 k = a->dims[!ta], l = b->dims[tb];
  if (k >= 0 && l >= 0 && k != l)
    {
      g_autofree char *s = pare_shape_to_string (a), *t = pare_shape_to_string (b);
      return pare_infer_fail (c, "%s does not multiply with %s", s, t);
    }
  PareShape y = { .rank = 2, .dims = { a->dims[ta], b->dims[!tb] } }, all;
  if (!pare_infer_broadcast (c, &y, pare_infer_shape (c, 2), &all))
    return FALSE;
  return pare_infer_set (c, 0, dtype, &y);
}

static gboolean
batch_norm (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0);
  for (guint i = 1; i < 5 && x->rank >= 2 && x->dims[1] >= 0; i++)
    {
      const PareShape *p = pare_infer_shape (c, i);
      if (p->rank == 1 && p->dims[0] >= 0 && p->dims[0] != x->dims[1])
        return pare_infer_fail (c, "%" G_GINT64_FORMAT " channels, its parameters are for %" G_GINT64_FORMAT, (gint64)x->dims[1],
                                (gint64)p->dims[0]);
    }
  return pare_infer_set (c, 0, pare_infer_dtype (c, 0), x);
}

static gboolean
layer_norm (PareInfer *c)
{
  PareShape s = *pare_infer_shape (c, 0);
  if (!pare_infer_set (c, 0, pare_infer_dtype (c, 0), &s) || s.rank < 0)
    return s.rank < 0;
  int axis;
  if (!pare_infer_axis (c, pare_node_get_int (c->node, "axis", -1), s.rank, &axis))
    return FALSE;
  for (int i = axis; i < s.rank; i++)
    s.dims[i] = 1;
  return pare_infer_set (c, 1, PARE_DTYPE_FLOAT32, &s) && pare_infer_set (c, 2, PARE_DTYPE_FLOAT32, &s);
}

static gboolean
recurrent (PareInfer *c)
{
  const PareShape *x = pare_infer_shape (c, 0), *r = pare_infer_shape (c, 2);
  PareDtype dtype = pare_infer_dtype (c, 0);
  gint64 hidden = pare_node_get_int (c->node, "hidden_size", r->rank == 3 ? r->dims[2] : -1);
  g_autofree char *way = pare_node_dup_string (c->node, "direction");
  gint64 ways = g_strcmp0 (way, "bidirectional") == 0 ? 2 : 1;
  gint64 batch_first = pare_node_get_int (c->node, "layout", 0);
  if (x->rank >= 0 && x->rank != 3)
    return pare_infer_fail (c, "an input with %d dimensions, 3 are needed", x->rank);
  if (r->rank == 3 && r->dims[2] >= 0 && hidden != r->dims[2])
    return pare_infer_fail (c, "hidden_size %" G_GINT64_FORMAT ", its weights are for %" G_GINT64_FORMAT, hidden, (gint64)r->dims[2]);
  gint64 steps = x->rank == 3 ? x->dims[batch_first ? 1 : 0] : -1, batch = x->rank == 3 ? x->dims[batch_first ? 0 : 1] : -1;
  PareShape y = { .rank = 4, .dims = { steps, ways, batch, hidden } }, h = { .rank = 3, .dims = { ways, batch, hidden } };
  if (batch_first)
    {
      y = pare_shape_make (4, batch, steps, ways, hidden);
      h = pare_shape_make (3, batch, ways, hidden);
    }
  return pare_infer_set (c, 0, dtype, &y) && pare_infer_set (c, 1, dtype, &h) && pare_infer_set (c, 2, dtype, &h);
}

static gboolean
einsum (PareInfer *c)
{
  PareDtype dtype = pare_infer_dtype (c, 0);
  g_autofree char *equation = pare_node_dup_string (c->node, "equation");
  if (equation == NULL)
    return pare_infer_fail (c, "no equation");
  g_autoptr (GString) text = g_string_new (NULL);
  for (const char *p = equation; *p; p++)
    if (*p != ' ')
      g_string_append_c (text, *p);
  const char *arrow = strstr (text->str, "->");
  if (arrow == NULL || strchr (text->str, '.') != NULL)
    return pare_infer_set (c, 0, dtype, NULL);
  gint64 extent[128];
  for (int i = 0; i < 128; i++)
    extent[i] = -2;
  guint input = 0;
  int at = 0;
  for (const char *p = text->str; p <= arrow; p++)
    {
      const PareShape *s = pare_infer_shape (c, input);
      if (*p == ',' || p == arrow)
        {
          if (s->rank >= 0 && s->rank != at)
            return pare_infer_fail (c, "'%s' gives input %u %d indices, it has %d dimensions", equation, input, at, s->rank);
          input++;
          at = 0;
          continue;
        }
      int letter = (guchar)*p & 127;
      gint64 n = s->rank > at ? s->dims[at] : -1;
      if (n >= 0 && extent[letter] >= 0 && extent[letter] != n && n != 1 && extent[letter] != 1)
        return pare_infer_fail (c, "index '%c' is %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT, letter, extent[letter], n);
      if (extent[letter] < 0 || extent[letter] == 1)
        extent[letter] = n;
      at++;
    }
  PareShape y = { .rank = 0 };
  for (const char *p = arrow + 2; *p; p++)
    {
      if (y.rank == PARE_MAX_RANK || extent[(guchar)*p & 127] == -2)
        return pare_infer_fail (c, "'%s' cannot be read", equation);
      y.dims[y.rank++] = extent[(guchar)*p & 127];
    }
  return pare_infer_set (c, 0, dtype, &y);
}

const PareInferRule pare_infer_rules_nn[] = {
  { "", "Conv", conv, PARE_NEEDS (2) },
  { "", "ConvTranspose", conv_transpose, PARE_NEEDS (2) },
  { "", "MaxPool", pare_infer_pool },
  { "", "AveragePool", pare_infer_pool },
  { "", "LpPool", pare_infer_pool },
  { "", "GlobalAveragePool", global_pool },
  { "", "GlobalMaxPool", global_pool },
  { "", "GlobalLpPool", global_pool },
  { "", "MatMul", matmul, PARE_NEEDS (2) },
  { "", "Gemm", gemm, PARE_NEEDS (2) },
  { "", "BatchNormalization", batch_norm, PARE_NEEDS (5) },
  { "", "LayerNormalization", layer_norm, PARE_NEEDS (2) },
  { "", "LSTM", recurrent, PARE_NEEDS (3) },
  { "", "GRU", recurrent, PARE_NEEDS (3) },
  { "", "RNN", recurrent, PARE_NEEDS (3) },
  { "", "Einsum", einsum },
  { "com.microsoft", "FusedConv", conv, PARE_NEEDS (2) },
  { NULL, NULL, NULL },
};
