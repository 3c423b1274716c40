#include "widgets/pare-cell.h"

#include <math.h>

G_DEFINE_ABSTRACT_TYPE (PareCell, pare_cell, GTK_TYPE_WIDGET)

static void
pare_cell_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  double w = gtk_widget_get_width (widget), h = gtk_widget_get_height (widget);
  if (w <= 0 || h <= 0)
    return;
  PareLook look;
  pare_look_for_widget (&look, widget);
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (0, 0, w, h));
  PARE_CELL_GET_CLASS (widget)->draw (PARE_CELL (widget), cr, &look, w, h);
  cairo_destroy (cr);
}

static void
pare_cell_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural, int *minimum_baseline,
                   int *natural_baseline)
{
  PareCellClass *class = PARE_CELL_GET_CLASS (widget);
  gboolean across = orientation == GTK_ORIENTATION_HORIZONTAL;
  PareLook look;
  pare_look_for_widget (&look, widget);
  *natural = (int)ceil ((across ? class->width : class->height) * look.scale);
  *minimum = across && class->least_width > 0 ? (int)ceil (class->least_width * look.scale) : *natural;
  if (across && class->needs != NULL)
    {
      *minimum = MAX (*minimum, (int)ceil (class->needs (PARE_CELL (widget))));
      *natural = MAX (*natural, *minimum);
    }
}

static void
pare_cell_class_init (PareCellClass *class)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  widget_class->snapshot = pare_cell_snapshot;
  widget_class->measure = pare_cell_measure;
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void
pare_cell_init (PareCell *self)
{
  pare_look_watch (GTK_WIDGET (self), gtk_widget_queue_resize);
  gtk_widget_set_valign (GTK_WIDGET (self), GTK_ALIGN_CENTER);
}

void
pare_cell_changed (PareCell *self, const char *words)
{
  if (words != NULL)
    gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, words, -1);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}
