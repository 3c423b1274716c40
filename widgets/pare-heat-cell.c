#include "widgets/pare-heat-cell.h"
#include "widgets/pare-colormap.h"

#include <glib/gi18n.h>
#include <math.h>

struct _PareHeatCell
{
  GtkWidget parent;
  char *text;
  double t;
  gboolean bold;
};
G_DEFINE_FINAL_TYPE (PareHeatCell, pare_heat_cell, GTK_TYPE_WIDGET)

static void
pare_heat_cell_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  PareHeatCell *self = PARE_HEAT_CELL (widget);
  double w = gtk_widget_get_width (widget), h = gtk_widget_get_height (widget);
  if (w <= 0 || h <= 0)
    return;
  PareLook look;
  pare_look_for_widget (&look, widget);
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (0, 0, w, h));
  pare_draw_rounded (cr, 0.5, 0.5, w - 1, h - 1, 3);
  GdkRGBA fill, ink = look.fg;
  if (self->text == NULL)
    {
      pare_draw_source (cr, &look.hatch, 1);
      cairo_set_line_width (cr, 1);
      pare_draw_dash (cr, 1, 2);
      cairo_stroke (cr);
      pare_draw_dash (cr, 0, 0);
    }
  else
    {
      if (isfinite (self->t))
        {
          pare_colormap_metric (self->t, look.dark, &fill);
          pare_colormap_ink (&fill, &ink);
          pare_draw_rounded (cr, 0, 0, w, h, 3);
          pare_draw_source (cr, &fill, 1);
          cairo_fill (cr);
        }
      cairo_new_path (cr);
      pare_draw_text (cr, &look, &ink, PARE_CAPTION_PX, PARE_TEXT_RIGHT | (self->bold ? PARE_TEXT_BOLD : 0), w - 4, h / 2 + 4 * look.scale,
                      0, self->text);
    }
  cairo_destroy (cr);
}

static void
pare_heat_cell_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural, int *minimum_baseline,
                        int *natural_baseline)
{
  PareLook look;
  pare_look_for_widget (&look, widget);
  *minimum = *natural = (int)ceil (orientation == GTK_ORIENTATION_HORIZONTAL ? 33 * look.scale : 16 * look.scale);
  PareHeatCell *self = PARE_HEAT_CELL (widget);
  if (orientation == GTK_ORIENTATION_HORIZONTAL && self->text != NULL)
    *minimum = *natural
        = MAX (*minimum, (int)ceil (pare_draw_measure_text (widget, PARE_CAPTION_PX, self->bold ? PARE_TEXT_BOLD : 0, self->text)) + 8);
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
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  G_OBJECT_CLASS (class)->finalize = pare_heat_cell_finalize;
  widget_class->snapshot = pare_heat_cell_snapshot;
  widget_class->measure = pare_heat_cell_measure;
  gtk_widget_class_set_css_name (widget_class, "pare-heat-cell");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void
pare_heat_cell_init (PareHeatCell *self)
{
  pare_look_watch (GTK_WIDGET (self), gtk_widget_queue_resize);
  gtk_widget_set_valign (GTK_WIDGET (self), GTK_ALIGN_CENTER);
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
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  words != NULL  ? words
                                  : text != NULL ? text
                                                 : _ ("not computed yet"),
                                  -1);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}
