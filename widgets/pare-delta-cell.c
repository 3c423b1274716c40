#include "widgets/pare-delta-cell.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>
#include <math.h>

struct _PareDeltaCell
{
  PareCell parent;
  double value, most, noise;
  int decimals;
  gboolean more_is_better;
};
G_DEFINE_FINAL_TYPE (PareDeltaCell, pare_delta_cell, PARE_TYPE_CELL)

static gboolean
is_noise (PareDeltaCell *self)
{
  return !isfinite (self->value) || fabs (self->value) <= self->noise;
}

static void
draw (PareCell *cell, cairo_t *cr, const PareLook *look, double w, double h)
{
  PareDeltaCell *self = PARE_DELTA_CELL (cell);
  double s = look->scale, field = fmin (92 * s, w * 0.66), zero = floor (field / 2) + 0.5, bar = fmin (10 * s, h);
  double reach = field / 2 - 4, k = isfinite (self->value) && self->most > 0 ? fmin (1, fabs (self->value) / self->most) * reach : 0;
  pare_draw_line (cr, &look->hatch, 1, zero, 0, zero, h);
  if (k > 0)
    {
      k = fmax (k, 1.5);
      cairo_rectangle (cr, self->value < 0 ? zero - k : zero, (h - bar) / 2, k, bar);
      pare_draw_source (cr,
                        is_noise (self)                             ? &look->hatch
                        : (self->value > 0) == self->more_is_better ? &look->delta_better
                                                                    : &look->delta_worse,
                        1);
      cairo_fill (cr);
    }
  g_autofree char *text = pare_format_signed (self->value, self->decimals);
  pare_draw_text (cr, look, &look->fg, PARE_CAPTION_PX, PARE_TEXT_RIGHT, w - 1, h / 2 + 4 * s, w - field, text);
}

static void
pare_delta_cell_class_init (PareDeltaCellClass *class)
{
  PareCellClass *cell_class = PARE_CELL_CLASS (class);
  cell_class->draw = draw;
  cell_class->width = 130;
  cell_class->height = 16;
  cell_class->least_width = 92;
  gtk_widget_class_set_css_name (GTK_WIDGET_CLASS (class), "pare-delta-cell");
}

static void
pare_delta_cell_init (PareDeltaCell *self)
{
}

GtkWidget *
pare_delta_cell_new (void)
{
  return g_object_new (PARE_TYPE_DELTA_CELL, NULL);
}

void
pare_delta_cell_set (PareDeltaCell *self, double value, double most, int decimals, gboolean more_is_better, const char *unit)
{
  self->value = value;
  self->most = most;
  self->decimals = decimals;
  self->more_is_better = more_is_better;
  g_autofree char *number = pare_format_signed (value, decimals);
  const char *verdict = !isfinite (value) || value == 0 ? ""
                        : is_noise (self)               ? _ (", within the spread of the runs")
                        : (value > 0) == more_is_better ? _ (", better")
                                                        : _ (", worse");
  g_autofree char *words = g_strdup_printf ("%s%s%s%s", number, unit != NULL ? " " : "", unit != NULL ? unit : "", verdict);
  pare_cell_changed (PARE_CELL (self), words);
}

void
pare_delta_cell_set_noise (PareDeltaCell *self, double noise)
{
  self->noise = noise;
}
