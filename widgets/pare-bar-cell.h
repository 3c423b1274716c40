/* PareBarCell: bytes of a layer as a bar over the dashed ghost of the original, by the square root: small layers stay visible. */
#pragma once
#include "widgets/pare-cell.h"

G_BEGIN_DECLS
#define PARE_TYPE_BAR_CELL (pare_bar_cell_get_type ())
G_DECLARE_FINAL_TYPE (PareBarCell, pare_bar_cell, PARE, BAR_CELL, PareCell)

GtkWidget *pare_bar_cell_new (void);
/* Bytes; most: the largest original of the column, which fills the cell. NAN: not known. */
void pare_bar_cell_set (PareBarCell *self, double original, double now, double most);
G_END_DECLS
