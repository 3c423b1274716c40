#include "widgets/pare-delta-cell.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>
#include <math.h>

struct _PareDeltaCell
{
  GtkWidget parent;
  double value, most, noise;
  int decimals;
  gboolean more_is_better;
};
G_DEFINE_FINAL_TYPE (PareDeltaCell, pare_delta_cell, GTK_TYPE_WIDGET)

static gboolean
is_noise (PareDeltaCell *self)
{
  return !isfinite (self->value) || fabs (self->value) <= self->noise;
}

static void
pare_delta_cell_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  PareDeltaCell *self = PARE_DELTA_CELL (widget);
  double w = gtk_widget_get_width (widget), h = gtk_widget_get_height (widget);
  if (w <= 0 || h <= 0)
    return;
  PareLook look;
  pare_look_for_widget (&look, widget);
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (0, 0, w, h));
  double s = look.scale, field = fmin (92 * s, w * 0.66), zero = floor (field / 2) + 0.5, bar = fmin (10 * s, h);
  double reach = field / 2 - 4, k = isfinite (self->value) && self->most > 0 ? fmin (1, fabs (self->value) / self->most) * reach : 0;
  pare_draw_line (cr, &look.hatch, 1, zero, 0, zero, h);
  if (k > 0)
    {
      k = fmax (k, 1.5);
      cairo_rectangle (cr, self->value < 0 ? zero - k : zero, (h - bar) / 2, k, bar);
      pare_draw_source (cr,
                        is_noise (self)                             ? &look.hatch
                        : (self->value > 0) == self->more_is_better ? &look.delta_better
                                                                    : &look.delta_worse,
                        1);
      cairo_fill (cr);
    }
  g_autofree char *text = pare_format_signed (self->value, self->decimals);
  pare_draw_text (cr, &look, &look.fg, PARE_CAPTION_PX, PARE_TEXT_RIGHT, w - 1, h / 2 + 4 * s, w - field, text);
  cairo_destroy (cr);
}

static void
pare_delta_cell_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural, int *minimum_baseline,
                         int *natural_baseline)
{
  PareLook look;
  pare_look_for_widget (&look, widget);
  *natural = (int)ceil (orientation == GTK_ORIENTATION_HORIZONTAL ? 130 * look.scale : 16 * look.scale);
  *minimum = orientation == GTK_ORIENTATION_HORIZONTAL ? (int)ceil (92 * look.scale) : *natural;
}

static void
pare_delta_cell_class_init (PareDeltaCellClass *class)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  widget_class->snapshot = pare_delta_cell_snapshot;
  widget_class->measure = pare_delta_cell_measure;
  gtk_widget_class_set_css_name (widget_class, "pare-delta-cell");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void
pare_delta_cell_init (PareDeltaCell *self)
{
  pare_look_watch (GTK_WIDGET (self), gtk_widget_queue_resize);
  gtk_widget_set_valign (GTK_WIDGET (self), GTK_ALIGN_CENTER);
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
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, words, -1);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

void
pare_delta_cell_set_noise (PareDeltaCell *self, double noise)
{
  self->noise = noise;
}
