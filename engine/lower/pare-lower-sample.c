/* Operators that read an image between its pixels, at places that are data. */
#include "engine/lower/pare-lower-private.h"

/* All inputs have to be there. */
static gboolean
step (PareBuilder *b, const PareNode *node, PareRtOp op, const void *params, gsize bytes, guint n, GError **error)
{
  for (guint i = 0; i < n; i++)
    if (!pare_lower_has_input (node, i))
      return pare_lower_refuse (b->graph, node, error, "input %u is missing", i);
  return pare_lower_step (b, node, op, params, bytes, n);
}

gboolean
pare_lower_grid_sample (PareBuilder *b, const PareNode *node, GError **error)
{
  static const char *const modes[] = { "linear", "nearest", "cubic", NULL }, *const paddings[] = { "zeros", "border", "reflection", NULL };
  static const PareGridMode mode_of[] = { PARE_GRID_LINEAR, PARE_GRID_NEAREST, PARE_GRID_CUBIC };
  int mode = pare_lower_choice (node, "mode", 0, modes), padding = pare_lower_choice (node, "padding_mode", 0, paddings);
  if (mode < 0 || padding < 0)
    return pare_lower_refuse (b->graph, node, error, "this mode is not supported");
  PareGridSampleParams p = { mode_of[mode], (PareGridPadding)padding, pare_node_get_int (node, "align_corners", 0) != 0 };
  return step (b, node, PARE_RT_GRID_SAMPLE, &p, sizeof p, 2, error);
}

gboolean
pare_lower_roi_align (PareBuilder *b, const PareNode *node, GError **error)
{
  static const char *const modes[] = { "avg", "max", NULL }, *const shifts[] = { "half_pixel", "output_half_pixel", NULL };
  int mode = pare_lower_choice (node, "mode", 0, modes), shift = pare_lower_choice (node, "coordinate_transformation_mode", 0, shifts);
  if (mode < 0 || shift < 0)
    return pare_lower_refuse (b->graph, node, error, "this mode is not supported");
  PareRoiAlignParams p = { pare_node_get_float (node, "spatial_scale", 1),
                           (gint32)CLAMP (pare_node_get_int (node, "sampling_ratio", 0), 0, 4096), shift == 0, mode == 1 };
  return step (b, node, PARE_RT_ROI_ALIGN, &p, sizeof p, 3, error);
}
