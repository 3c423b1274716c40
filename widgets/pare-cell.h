/* PareCell: the base of the small drawn cells of tables. A subclass draws; the base measures, follows the look and carries the words for
 * assistive tools. Role `img`. */
#pragma once
#include "widgets/pare-draw.h"

G_BEGIN_DECLS
#define PARE_TYPE_CELL (pare_cell_get_type ())
G_DECLARE_DERIVABLE_TYPE (PareCell, pare_cell, PARE, CELL, GtkWidget)

struct _PareCellClass
{
  GtkWidgetClass parent_class;
  /* On a cleared background; both extents are greater than 0. */
  void (*draw) (PareCell *self, cairo_t *cr, const PareLook *look, double w, double h);
  /* Width that what it holds just now needs, px at the look's scale (nullable). */
  double (*needs) (PareCell *self);
  int width, height; /* natural, px at scale 1 */
  int least_width;   /* 0: the natural one */
};

/* What it holds changed: redraws; words (nullable: they stay) are what assistive tools say of it. */
void pare_cell_changed (PareCell *self, const char *words);
G_END_DECLS
