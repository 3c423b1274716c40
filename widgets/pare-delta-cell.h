/* PareDeltaCell: a difference as a bar to the left or right of zero, with sign and number beside it; blue better, brown worse, grey
 * neither: within the noise. */
#pragma once
#include "widgets/pare-cell.h"

G_BEGIN_DECLS
#define PARE_TYPE_DELTA_CELL (pare_delta_cell_get_type ())
G_DECLARE_FINAL_TYPE (PareDeltaCell, pare_delta_cell, PARE, DELTA_CELL, PareCell)

GtkWidget *pare_delta_cell_new (void);
/* most: the largest absolute value of the column, so that rows compare. unit: for assistive tools. */
void pare_delta_cell_set (PareDeltaCell *self, double value, double most, int decimals, gboolean more_is_better, const char *unit);
/* Up to this, in the value's unit, a difference is what measuring once more could give as well: no gain and no loss. To be called before
 * pare_delta_cell_set(); 0 without. */
void pare_delta_cell_set_noise (PareDeltaCell *self, double noise);
G_END_DECLS
