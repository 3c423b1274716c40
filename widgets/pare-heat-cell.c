#include "widgets/pare-heat-cell.h"
#include "widgets/pare-colormap.h"

#include <glib/gi18n.h>
#include <math.h>

struct _PareHeatCell
{
  PareCell parent;
  char *text;
  double t;
  gboolean bold;
};
G_DEFINE_FINAL_TYPE (PareHeatCell, pare_heat_cell, PARE_TYPE_CELL)

static void
draw (PareCell *cell, cairo_t *cr, const PareLook *look, double w, double h)
{
  PareHeatCell *self = PARE_HEAT_CELL (cell);
  pare_draw_rounded (cr, 0.5, 0.5, w - 1, h - 1, 3);
  GdkRGBA fill, ink = look->fg;
  if (self->text == NULL)
    {
      pare_draw_source (cr, &look->hatch, 1);
      cairo_set_line_width (cr, 1);
      pare_draw_dash (cr, 1, 2);
      cairo_stroke (cr);
      pare_draw_dash (cr, 0, 0);
    }
  else
    {
      if (isfinite (self->t))
        {
          pare_colormap_metric (self->t, look->dark, &fill);
          pare_colormap_ink (&fill, &ink);
          pare_draw_rounded (cr, 0, 0, w, h, 3);
          pare_draw_source (cr, &fill, 1);
          cairo_fill (cr);
        }
      cairo_new_path (cr);
      pare_draw_text (cr, look, &ink, PARE_CAPTION_PX, PARE_TEXT_RIGHT | (self->bold ? PARE_TEXT_BOLD : 0), w - 4, h / 2 + 4 * look->scale,
                      0, self->text);
    }
}

static double
needs (PareCell *cell)
{
  PareHeatCell *self = PARE_HEAT_CELL (cell);
  return self->text == NULL ? 0
                            : pare_draw_measure_text (GTK_WIDGET (self), PARE_CAPTION_PX, self->bold ? PARE_TEXT_BOLD : 0, self->text) + 8;
}

static void
pare_heat_cell_finalize (GObject *object)
{
  g_free (PARE_HEAT_CELL (object)->text);
  G_OBJECT_CLASS (pare_heat_cell_parent_class)->finalize (object);
}

static void
pare_heat_cell_class_init (PareHeatCellClass *class)
{
  PareCellClass *cell_class = PARE_CELL_CLASS (class);
  G_OBJECT_CLASS (class)->finalize = pare_heat_cell_finalize;
  cell_class->draw = draw;
  cell_class->needs = needs;
  cell_class->width = 33;
  cell_class->height = 16;
  gtk_widget_class_set_css_name (GTK_WIDGET_CLASS (class), "pare-heat-cell");
}

static void
pare_heat_cell_init (PareHeatCell *self)
{
}

GtkWidget *
pare_heat_cell_new (void)
{
  return g_object_new (PARE_TYPE_HEAT_CELL, NULL);
}

void
pare_heat_cell_set (PareHeatCell *self, const char *text, double t, const char *words, gboolean bold)
{
  g_free (self->text);
  self->text = g_strdup (text);
  self->t = t;
  self->bold = bold;
  gtk_widget_queue_resize (GTK_WIDGET (self));
  pare_cell_changed (PARE_CELL (self), words != NULL ? words : text != NULL ? text : _ ("not computed yet"));
}
