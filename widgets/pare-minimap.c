#include "widgets/pare-minimap.h"
#include "widgets/pare-graph-view-private.h"

#include <glib/gi18n.h>
#include <math.h>

#define WIDTH 90
#define HEIGHT 180
#define MARGIN 8

struct _PareMinimap
{
  GtkWidget parent_instance;
  PareGraphView *view;  /* weak */
  GskRenderNode *tiles; /* kept until colours or layout change */
  guint serial;         /* of the view's colours they were drawn with */
  double grab_x, grab_y;
};

G_DEFINE_FINAL_TYPE (PareMinimap, pare_minimap, GTK_TYPE_WIDGET)

/* Graphs are far taller than wide: both axes have their own scale, so that tiles stay visible. */
static gboolean
scales (PareMinimap *self, double *sx, double *sy, double *left, double *top)
{
  if (self->view == NULL || self->view->scene == NULL || self->view->scene->n_items == 0)
    return FALSE;
  const PareLayout *l = self->view->scene->layout;
  double w = gtk_widget_get_width (GTK_WIDGET (self)) - 2 * MARGIN, h = gtk_widget_get_height (GTK_WIDGET (self)) - 2 * MARGIN;
  *sy = MIN (h / l->height, 0.14);
  *sx = MIN (w / l->width, MAX (0.14, *sy));
  *left = MARGIN + (w - *sx * l->width) / 2;
  *top = MARGIN + (h - *sy * l->height) / 2;
  return TRUE;
}

static void
draw_tiles (PareMinimap *self)
{
  double sx, sy, left, top;
  if (self->tiles != NULL && self->serial != self->view->paint_serial)
    g_clear_pointer (&self->tiles, gsk_render_node_unref);
  self->serial = self->view->paint_serial;
  if (self->tiles != NULL || !scales (self, &sx, &sy, &left, &top))
    return;
  PareGraphScene *scene = self->view->scene;
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  /* one cairo node: thousands of tiles cost one image of this small size */
  cairo_t *cr = gtk_snapshot_append_cairo (
      snapshot, &GRAPHENE_RECT_INIT (0, 0, gtk_widget_get_width (GTK_WIDGET (self)), gtk_widget_get_height (GTK_WIDGET (self))));
  for (guint i = 0; i < scene->n_items; i++)
    {
      const PareSceneItem *it = &scene->items[i];
      gboolean has_value, card = it->is_group || self->view->model->shown[it->index].kind == PARE_SHOWN_CARD;
      GdkRGBA fill;
      pare_graph_view_item_fill (self->view, i, &fill, &has_value);
      if (!card)
        continue;
      if (!has_value)
        {
          fill = self->view->look.hatch;
          fill.alpha = 0.35f;
        }
      double x = left + it->rect.x * sx, y = top + it->rect.y * sy, w = MAX (it->rect.width * sx, 1.5), h = MAX (it->rect.height * sy, 1.2);
      gdk_cairo_set_source_rgba (cr, &fill);
      cairo_rectangle (cr, x, y, w, h);
      cairo_fill (cr);
      if (h >= 3)
        {
          gdk_cairo_set_source_rgba (cr, &self->view->look.hatch);
          cairo_set_line_width (cr, 0.5);
          cairo_rectangle (cr, x, y, w, h);
          cairo_stroke (cr);
        }
    }
  cairo_destroy (cr);
  self->tiles = gtk_snapshot_free_to_node (snapshot);
}

static void
pare_minimap_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  PareMinimap *self = PARE_MINIMAP (widget);
  double sx, sy, left, top;
  float w = (float)gtk_widget_get_width (widget), h = (float)gtk_widget_get_height (widget);
  if (self->view == NULL)
    return;
  const PareLook *look = &self->view->look;
  GskRoundedRect r;
  gsk_rounded_rect_init_from_rect (&r, &GRAPHENE_RECT_INIT (0, 0, w, h), 8);
  gtk_snapshot_push_rounded_clip (snapshot, &r);
  gtk_snapshot_append_color (snapshot, &look->popover, &r.bounds);
  draw_tiles (self);
  if (self->tiles != NULL)
    gtk_snapshot_append_node (snapshot, self->tiles);
  gtk_snapshot_pop (snapshot);
  gtk_snapshot_append_border (snapshot, &r, (float[4]){ 1, 1, 1, 1 }, (GdkRGBA[4]){ look->line, look->line, look->line, look->line });
  if (!scales (self, &sx, &sy, &left, &top))
    return;
  const PareViewport *v = &self->view->viewport;
  double x0 = CLAMP (left + v->x * sx, 3, w - 8), y0 = CLAMP (top + v->y * sy, 3, h - 8);
  double x1 = CLAMP (left + (v->x + v->width / v->scale) * sx, x0 + 5, w - 3),
         y1 = CLAMP (top + (v->y + v->height / v->scale) * sy, y0 + 5, h - 3);
  GskRoundedRect frame;
  gsk_rounded_rect_init_from_rect (&frame, &GRAPHENE_RECT_INIT ((float)x0, (float)y0, (float)(x1 - x0), (float)(y1 - y0)), 3);
  gtk_snapshot_append_border (snapshot, &frame, (float[4]){ 1.5f, 1.5f, 1.5f, 1.5f },
                              (GdkRGBA[4]){ look->mark, look->mark, look->mark, look->mark });
}

static void
pare_minimap_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural, int *min_base, int *nat_base)
{
  *minimum = *natural = orientation == GTK_ORIENTATION_HORIZONTAL ? WIDTH : HEIGHT;
}

static void
repaint (PareMinimap *self)
{
  g_clear_pointer (&self->tiles, gsk_render_node_unref);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
go (PareMinimap *self, double x, double y)
{
  double sx, sy, left, top;
  if (!scales (self, &sx, &sy, &left, &top))
    return;
  const PareLayout *l = self->view->scene->layout;
  pare_graph_view_stop_flight (self->view);
  pare_viewport_center_on (&self->view->viewport, CLAMP ((x - left) / sx, 0, l->width), CLAMP ((y - top) / sy, 0, l->height));
  pare_graph_view_moved (self->view);
}

static void
drag_begin (GtkGestureDrag *gesture, double x, double y, gpointer data)
{
  PareMinimap *self = data;
  self->grab_x = x;
  self->grab_y = y;
  gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
  go (self, x, y);
}

static void
drag_update (GtkGestureDrag *gesture, double dx, double dy, gpointer data)
{
  PareMinimap *self = data;
  go (self, self->grab_x + dx, self->grab_y + dy);
}

static void
view_gone (gpointer data, GObject *where)
{
  PARE_MINIMAP (data)->view = NULL;
}

static void
pare_minimap_dispose (GObject *object)
{
  PareMinimap *self = PARE_MINIMAP (object);
  if (self->view != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->view, self);
      g_object_weak_unref (G_OBJECT (self->view), view_gone, self);
    }
  self->view = NULL;
  g_clear_pointer (&self->tiles, gsk_render_node_unref);
  G_OBJECT_CLASS (pare_minimap_parent_class)->dispose (object);
}

static void
pare_minimap_class_init (PareMinimapClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = pare_minimap_dispose;
  GTK_WIDGET_CLASS (klass)->snapshot = pare_minimap_snapshot;
  GTK_WIDGET_CLASS (klass)->measure = pare_minimap_measure;
  gtk_widget_class_set_css_name (GTK_WIDGET_CLASS (klass), "minimap");
  gtk_widget_class_set_accessible_role (GTK_WIDGET_CLASS (klass), GTK_ACCESSIBLE_ROLE_IMG);
}

static void
pare_minimap_init (PareMinimap *self)
{
  GtkGesture *drag = gtk_gesture_drag_new ();
  g_signal_connect (drag, "drag-begin", G_CALLBACK (drag_begin), self);
  g_signal_connect (drag, "drag-update", G_CALLBACK (drag_update), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (drag));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Overview of the graph"), -1);
}

GtkWidget *
pare_minimap_new (PareGraphView *view)
{
  PareMinimap *self = g_object_new (PARE_TYPE_MINIMAP, NULL);
  self->view = view;
  g_object_weak_ref (G_OBJECT (view), view_gone, self);
  g_signal_connect_swapped (view, "notify::scale", G_CALLBACK (gtk_widget_queue_draw), self); /* for every move and new colours */
  g_signal_connect_swapped (view, "layout-changed", G_CALLBACK (repaint), self);
  return GTK_WIDGET (self);
}
