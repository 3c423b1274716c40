#include "engine/lower/pare-lower-private.h"

#include <string.h>

gboolean
pare_lower_has_input (const PareNode *node, guint i)
{
  return i < node->n_inputs && node->inputs[i] != PARE_NONE;
}

PareTensor *
pare_lower_constant (const PareGraph *graph, const PareNode *node, guint i)
{
  return pare_lower_has_input (node, i) ? graph->values[node->inputs[i]].constant : NULL;
}

gboolean
pare_lower_ints (const PareGraph *graph, const PareNode *node, guint i, gint64 *values, guint most, guint *n)
{
  PareTensor *t = pare_lower_constant (graph, node, i);
  if (t == NULL || pare_tensor_count (t) < 0 || pare_tensor_count (t) > (gint64)most)
    return FALSE;
  *n = (guint)pare_tensor_count (t);
  for (guint k = 0; k < *n; k++)
    values[k] = pare_tensor_get_int (t, k);
  return TRUE;
}

int
pare_lower_axis (gint64 axis, int rank)
{
  if (axis < 0)
    axis += rank;
  return axis >= 0 && axis < rank ? (int)axis : -1;
}

static gboolean
read_ints (const PareNode *node, const char *name, int spatial, gint64 least, gint32 fallback, gint32 *out)
{
  guint n = 0;
  const gint64 *v = pare_node_get_ints (node, name, &n);
  for (int i = 0; i < spatial; i++)
    {
      if (v != NULL && ((guint)i >= n || v[i] < least || v[i] > G_MAXINT32))
        return FALSE;
      out[i] = v != NULL ? (gint32)v[i] : fallback;
    }
  return TRUE;
}

gboolean
pare_lower_window (const PareGraph *graph, const PareNode *node, int spatial, const PareShape *x, const PareShape *y, const gint64 *kernel,
                   gint32 *k, gint32 *stride, gint32 *dilation, gint32 *pad_begin, gint32 *pad_end)
{
  if (!read_ints (node, "strides", spatial, 1, 1, stride) || !read_ints (node, "dilations", spatial, 1, 1, dilation))
    return FALSE;
  if (kernel != NULL)
    for (int i = 0; i < spatial; i++)
      {
        if (kernel[i] < 1 || kernel[i] > G_MAXINT32)
          return FALSE;
        k[i] = (gint32)kernel[i];
      }
  else if (!read_ints (node, "kernel_shape", spatial, 1, 0, k) || k[0] < 1)
    return FALSE;
  g_autofree char *automatic = pare_node_dup_string (node, "auto_pad");
  guint n = 0;
  const gint64 *pads = pare_node_get_ints (node, "pads", &n);
  gboolean same = automatic != NULL && g_str_has_prefix (automatic, "SAME"), lower = same && strcmp (automatic, "SAME_LOWER") == 0;
  for (int i = 0; i < spatial; i++)
    {
      pad_begin[i] = pad_end[i] = 0;
      if (same)
        {
          gint64 in = x->dims[2 + i], out = (in + stride[i] - 1) / stride[i],
                 total = (out - 1) * stride[i] + (gint64)(k[i] - 1) * dilation[i] + 1 - in;
          total = MAX (total, 0);
          pad_begin[i] = (gint32)(lower ? (total + 1) / 2 : total / 2);
          pad_end[i] = (gint32)(total - pad_begin[i]);
        }
      else if (pads != NULL && (automatic == NULL || strcmp (automatic, "VALID") != 0))
        {
          if (n != 2 * (guint)spatial || ABS (pads[i]) > G_MAXINT32 / 2 || ABS (pads[i + spatial]) > G_MAXINT32 / 2)
            return FALSE;
          pad_begin[i] = (gint32)pads[i];
          pad_end[i] = (gint32)pads[i + spatial];
        }
    }
  return TRUE;
}
