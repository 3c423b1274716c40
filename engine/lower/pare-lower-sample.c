/* Operators that read an image between its pixels, at places that are data. */
#include "engine/lower/pare-lower-private.h"

/* Which of the names the attribute has; absent: the first. -1: none of them. */
static int
choice (const PareNode *node, const char *attr, const char *const *names)
{
  g_autofree char *text = pare_node_dup_string (node, attr);
  for (int i = 0; names[i] != NULL; i++)
    if (text == NULL || g_str_equal (text, names[i]))
      return i;
  return -1;
}

static gboolean
step (PareBuilder *b, const PareNode *node, PareRtOp op, const void *params, gsize bytes, guint n, GError **error)
{
  guint32 in[3], out = pare_builder_value (b, node->outputs[0]);
  for (guint i = 0; i < n; i++)
    if (!pare_lower_has_input (node, i))
      return pare_lower_refuse (b->graph, node, error, "input %u is missing", i);
    else
      in[i] = pare_builder_value (b, node->inputs[i]);
  pare_builder_step (b, node, op, params, bytes, in, n, &out, 1);
  return TRUE;
}

gboolean
pare_lower_grid_sample (PareBuilder *b, const PareNode *node, GError **error)
{
  static const char *const modes[] = { "linear", "nearest", "cubic", NULL }, *const paddings[] = { "zeros", "border", "reflection", NULL };
  static const PareGridMode mode_of[] = { PARE_GRID_LINEAR, PARE_GRID_NEAREST, PARE_GRID_CUBIC };
  int mode = choice (node, "mode", modes), padding = choice (node, "padding_mode", paddings);
  if (mode < 0 || padding < 0)
    return pare_lower_refuse (b->graph, node, error, "this mode is not supported");
  PareGridSampleParams p = { mode_of[mode], (PareGridPadding)padding, pare_node_get_int (node, "align_corners", 0) != 0 };
  return step (b, node, PARE_RT_GRID_SAMPLE, &p, sizeof p, 2, error);
}

gboolean
pare_lower_roi_align (PareBuilder *b, const PareNode *node, GError **error)
{
  static const char *const modes[] = { "avg", "max", NULL }, *const shifts[] = { "half_pixel", "output_half_pixel", NULL };
  int mode = choice (node, "mode", modes), shift = choice (node, "coordinate_transformation_mode", shifts);
  if (mode < 0 || shift < 0)
    return pare_lower_refuse (b->graph, node, error, "this mode is not supported");
  PareRoiAlignParams p = { pare_node_get_float (node, "spatial_scale", 1),
                           (gint32)CLAMP (pare_node_get_int (node, "sampling_ratio", 0), 0, 4096), shift == 0, mode == 1 };
  return step (b, node, PARE_RT_ROI_ALIGN, &p, sizeof p, 3, error);
}
