#include "widgets/pare-bar-cell.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>
#include <math.h>

struct _PareBarCell
{
  PareCell parent;
  double original, now, most; /* bytes; most: the largest original of the column */
};
G_DEFINE_FINAL_TYPE (PareBarCell, pare_bar_cell, PARE_TYPE_CELL)

static void
draw (PareCell *cell, cairo_t *cr, const PareLook *look, double w, double h)
{
  PareBarCell *self = PARE_BAR_CELL (cell);
  double k = self->most > 0 && isfinite (self->most) ? w / sqrt (self->most) : 0;
  double ghost = isfinite (self->original) && self->original > 0 ? fmin (fmax (1.5, k * sqrt (self->original)), w) : 0;
  double now = isfinite (self->now) && self->now > 0 ? fmin (fmax (1.5, k * sqrt (self->now)), w) : 0;
  double bar = fmin (10, h), y = floor ((h - bar) / 2);
  if (ghost > 0)
    {
      cairo_rectangle (cr, 0.5, y + 0.5, fmax (1, ghost - 1), bar - 1);
      pare_draw_source (cr, &look->hatch, 1);
      cairo_set_line_width (cr, 1);
      pare_draw_dash (cr, 2, 1.5);
      cairo_stroke (cr);
      pare_draw_dash (cr, 0, 0);
    }
  cairo_rectangle (cr, 0, y, now, bar);
  pare_draw_source (cr, &look->mark, 1);
  cairo_fill (cr);
}

static void
pare_bar_cell_class_init (PareBarCellClass *class)
{
  PareCellClass *cell_class = PARE_CELL_CLASS (class);
  cell_class->draw = draw;
  cell_class->width = 58;
  cell_class->height = 12;
  gtk_widget_class_set_css_name (GTK_WIDGET_CLASS (class), "pare-bar-cell");
}

static void
pare_bar_cell_init (PareBarCell *self)
{
}

GtkWidget *
pare_bar_cell_new (void)
{
  return g_object_new (PARE_TYPE_BAR_CELL, NULL);
}

void
pare_bar_cell_set (PareBarCell *self, double original, double now, double most)
{
  self->original = original;
  self->now = now;
  self->most = most;
  g_autofree char *is = pare_format_kib_unit (now), *was = pare_format_kib_unit (original),
                  *words = g_strdup_printf (_ ("%s of %s"), is, was);
  pare_cell_changed (PARE_CELL (self), words);
}
