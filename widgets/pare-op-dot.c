#include "widgets/pare-op-dot.h"
#include "widgets/pare-colormap.h"

#include <math.h>

struct _PareOpDot
{
  GtkWidget parent;
  char *op;
  gboolean depthwise;
};
G_DEFINE_FINAL_TYPE (PareOpDot, pare_op_dot, GTK_TYPE_WIDGET)

static void
pare_op_dot_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  PareOpDot *self = PARE_OP_DOT (widget);
  double w = gtk_widget_get_width (widget), h = gtk_widget_get_height (widget);
  if (w <= 0 || h <= 0)
    return;
  PareLook look;
  pare_look_for_widget (&look, widget);
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (0, 0, w, h));
  GdkRGBA colour;
  pare_op_class_colour (self->depthwise ? PARE_OP_CLASS_DEPTHWISE : pare_op_class_of (self->op), look.dark, &colour);
  pare_draw_rounded (cr, 0, 0, w, h, fmax (2, fmin (3, w / 4)));
  pare_draw_source (cr, &colour, 1);
  cairo_fill (cr);
  cairo_destroy (cr);
}

static void
pare_op_dot_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural, int *minimum_baseline,
                     int *natural_baseline)
{
  PareLook look;
  pare_look_for_widget (&look, widget);
  *minimum = *natural = (int)ceil (orientation == GTK_ORIENTATION_HORIZONTAL ? 9 * look.scale : 9 * look.scale);
}

static void
pare_op_dot_finalize (GObject *object)
{
  g_free (PARE_OP_DOT (object)->op);
  G_OBJECT_CLASS (pare_op_dot_parent_class)->finalize (object);
}

static void
pare_op_dot_class_init (PareOpDotClass *class)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  G_OBJECT_CLASS (class)->finalize = pare_op_dot_finalize;
  widget_class->snapshot = pare_op_dot_snapshot;
  widget_class->measure = pare_op_dot_measure;
  gtk_widget_class_set_css_name (widget_class, "pare-op-dot");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void
pare_op_dot_init (PareOpDot *self)
{
  pare_look_watch (GTK_WIDGET (self), gtk_widget_queue_resize);
  gtk_widget_set_valign (GTK_WIDGET (self), GTK_ALIGN_CENTER);
}

GtkWidget *
pare_op_dot_new (void)
{
  return g_object_new (PARE_TYPE_OP_DOT, NULL);
}

void
pare_op_dot_set (PareOpDot *self, const char *op, gboolean depthwise)
{
  g_free (self->op);
  self->op = g_strdup (op);
  self->depthwise = depthwise;
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, op != NULL ? op : "operator", -1);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}
