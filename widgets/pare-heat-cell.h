/* PareHeatCell: a number on the colour of the metric map; the ink follows the luminance. Not computed yet: dotted; missing: an en dash. */
#pragma once
#include "widgets/pare-cell.h"

G_BEGIN_DECLS
#define PARE_TYPE_HEAT_CELL (pare_heat_cell_get_type ())
G_DECLARE_FINAL_TYPE (PareHeatCell, pare_heat_cell, PARE, HEAT_CELL, PareCell)

GtkWidget *pare_heat_cell_new (void);
/* text: the number as shown, NULL: not computed yet; t: its place in the map 0..1, NAN: no colour; words: for assistive tools, with the
 * unit. */
void pare_heat_cell_set (PareHeatCell *self, const char *text, double t, const char *words, gboolean bold);
G_END_DECLS
