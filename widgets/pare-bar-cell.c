#include "widgets/pare-bar-cell.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>
#include <math.h>

struct _PareBarCell
{
  GtkWidget parent;
  double original, now, most; /* bytes; most: the largest original of the column */
};
G_DEFINE_FINAL_TYPE (PareBarCell, pare_bar_cell, GTK_TYPE_WIDGET)

static void
pare_bar_cell_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  PareBarCell *self = PARE_BAR_CELL (widget);
  double w = gtk_widget_get_width (widget), h = gtk_widget_get_height (widget);
  if (w <= 0 || h <= 0)
    return;
  PareLook look;
  pare_look_for_widget (&look, widget);
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (0, 0, w, h));
  double k = self->most > 0 && isfinite (self->most) ? w / sqrt (self->most) : 0;
  double ghost = isfinite (self->original) && self->original > 0 ? fmin (fmax (1.5, k * sqrt (self->original)), w) : 0;
  double now = isfinite (self->now) && self->now > 0 ? fmin (fmax (1.5, k * sqrt (self->now)), w) : 0;
  double bar = fmin (10, h), y = floor ((h - bar) / 2);
  if (ghost > 0)
    {
      cairo_rectangle (cr, 0.5, y + 0.5, fmax (1, ghost - 1), bar - 1);
      pare_draw_source (cr, &look.hatch, 1);
      cairo_set_line_width (cr, 1);
      pare_draw_dash (cr, 2, 1.5);
      cairo_stroke (cr);
      pare_draw_dash (cr, 0, 0);
    }
  cairo_rectangle (cr, 0, y, now, bar);
  pare_draw_source (cr, &look.mark, 1);
  cairo_fill (cr);
  cairo_destroy (cr);
}

static void
pare_bar_cell_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural, int *minimum_baseline,
                       int *natural_baseline)
{
  PareLook look;
  pare_look_for_widget (&look, widget);
  *minimum = *natural = (int)ceil (orientation == GTK_ORIENTATION_HORIZONTAL ? 58 * look.scale : 12 * look.scale);
}

static void
pare_bar_cell_finalize (GObject *object)
{

  G_OBJECT_CLASS (pare_bar_cell_parent_class)->finalize (object);
}

static void
pare_bar_cell_class_init (PareBarCellClass *class)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  G_OBJECT_CLASS (class)->finalize = pare_bar_cell_finalize;
  widget_class->snapshot = pare_bar_cell_snapshot;
  widget_class->measure = pare_bar_cell_measure;
  gtk_widget_class_set_css_name (widget_class, "pare-bar-cell");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void
pare_bar_cell_init (PareBarCell *self)
{
  pare_look_watch (GTK_WIDGET (self), gtk_widget_queue_resize);
  gtk_widget_set_valign (GTK_WIDGET (self), GTK_ALIGN_CENTER);
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
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, words, -1);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}
