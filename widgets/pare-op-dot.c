#include "widgets/pare-op-dot.h"
#include "widgets/pare-colormap.h"

#include <glib/gi18n.h>
#include <math.h>

struct _PareOpDot
{
  PareCell parent;
  char *op;
  gboolean depthwise;
};
G_DEFINE_FINAL_TYPE (PareOpDot, pare_op_dot, PARE_TYPE_CELL)

static void
draw (PareCell *cell, cairo_t *cr, const PareLook *look, double w, double h)
{
  PareOpDot *self = PARE_OP_DOT (cell);
  GdkRGBA colour;
  pare_op_class_colour (self->depthwise ? PARE_OP_CLASS_DEPTHWISE : pare_op_class_of (self->op), look->dark, &colour);
  pare_draw_rounded (cr, 0, 0, w, h, fmax (2, fmin (3, w / 4)));
  pare_draw_source (cr, &colour, 1);
  cairo_fill (cr);
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
  PareCellClass *cell_class = PARE_CELL_CLASS (class);
  G_OBJECT_CLASS (class)->finalize = pare_op_dot_finalize;
  cell_class->draw = draw;
  cell_class->width = 9;
  cell_class->height = 9;
  gtk_widget_class_set_css_name (GTK_WIDGET_CLASS (class), "pare-op-dot");
}

static void
pare_op_dot_init (PareOpDot *self)
{
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
  pare_cell_changed (PARE_CELL (self), op != NULL ? op : _ ("operator"));
}
