/* Pointer and keys. Ctrl+wheel zooms at the pointer, the wheel scrolls; drag on the background, middle drag and space+drag pan. */
#include "widgets/pare-graph-view-private.h"

#include <math.h>

static gint32
item_at (PareGraphView *self, double x, double y)
{
  double gx, gy;
  if (self->scene == NULL)
    return -1;
  pare_viewport_to_graph (&self->viewport, x, y, &gx, &gy);
  return pare_graph_scene_item_at (self->scene, gx, gy);
}

static gint32
header_at (PareGraphView *self, double x, double y)
{
  double gx, gy;
  if (self->scene == NULL || self->viewport.detail < PARE_DETAIL_NAME)
    return -1;
  pare_viewport_to_graph (&self->viewport, x, y, &gx, &gy);
  return pare_graph_scene_header_at (self->scene, gx, gy);
}

/* Within the fold arrow of a folded card or an open frame. */
static gboolean
on_arrow (PareGraphView *self, const PareLayoutRect *r, double x)
{
  double gx, gy;
  pare_viewport_to_graph (&self->viewport, x, 0, &gx, &gy);
  return gx - r->x < 24;
}

/* --- scroll and pinch --- */

static gboolean
scrolled (GtkEventControllerScroll *controller, double dx, double dy, gpointer data)
{
  PareGraphView *self = data;
  GdkModifierType state = gtk_event_controller_get_current_event_state (GTK_EVENT_CONTROLLER (controller));
  GdkEvent *event = gtk_event_controller_get_current_event (GTK_EVENT_CONTROLLER (controller));
  double step = 60;
  if (event != NULL && gdk_event_get_event_type (event) == GDK_SCROLL && gdk_scroll_event_get_direction (event) == GDK_SCROLL_SMOOTH)
    {
      GdkDevice *device = gdk_event_get_device (event);
      if (device != NULL && gdk_device_get_source (device) == GDK_SOURCE_TOUCHPAD)
        step = 12;
    }
  pare_graph_view_stop_flight (self);
  if (((state & GDK_CONTROL_MASK) != 0) != self->wheel_zooms)
    pare_viewport_zoom_at (&self->viewport, self->viewport.scale * pow (step > 20 ? 0.87 : 0.96, dy), self->pointer_x, self->pointer_y);
  else if (state & GDK_SHIFT_MASK && dx == 0)
    pare_viewport_scroll (&self->viewport, dy * step, 0);
  else
    pare_viewport_scroll (&self->viewport, dx * step, dy * step);
  pare_graph_view_moved (self);
  return TRUE;
}

static void
pinch_begin (GtkGesture *gesture, GdkEventSequence *sequence, gpointer data)
{
  PareGraphView *self = data;
  self->pinch_scale = self->viewport.scale;
  gtk_gesture_set_state (gesture, GTK_EVENT_SEQUENCE_CLAIMED);
}

static void
pinched (GtkGestureZoom *gesture, double factor, gpointer data)
{
  PareGraphView *self = data;
  double x = self->pointer_x, y = self->pointer_y;
  gtk_gesture_get_bounding_box_center (GTK_GESTURE (gesture), &x, &y);
  pare_viewport_zoom_at (&self->viewport, self->pinch_scale * factor, x, y);
  pare_graph_view_moved (self);
}

/* --- drag --- */

static void
drag_begin (GtkGestureDrag *gesture, double x, double y, gpointer data)
{
  PareGraphView *self = data;
  guint button = gtk_gesture_single_get_current_button (GTK_GESTURE_SINGLE (gesture));
  gboolean background = item_at (self, x, y) < 0;
  if (!(button == GDK_BUTTON_MIDDLE || (button == GDK_BUTTON_PRIMARY && (self->space || background))))
    {
      gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_DENIED);
      return;
    }
  pare_graph_view_stop_flight (self);
  self->drag_x = self->drag_y = 0;
  self->panning = FALSE;
}

static void
drag_update (GtkGestureDrag *gesture, double dx, double dy, gpointer data)
{
  PareGraphView *self = data;
  if (!self->panning && hypot (dx, dy) < 4)
    return;
  if (!self->panning)
    {
      self->panning = TRUE;
      gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
      gtk_widget_set_cursor_from_name (GTK_WIDGET (self), "grabbing");
    }
  pare_viewport_scroll (&self->viewport, self->drag_x - dx, self->drag_y - dy);
  self->drag_x = dx;
  self->drag_y = dy;
  pare_graph_view_moved (self);
}

static void
drag_end (GtkGestureDrag *gesture, double dx, double dy, gpointer data)
{
  PareGraphView *self = data;
  self->panning = FALSE;
  gtk_widget_set_cursor (GTK_WIDGET (self), NULL);
}

/* --- click --- */

static void
context_menu (PareGraphView *self, PareGraphRef ref, double x, double y)
{
  g_signal_emit (self, pare_graph_view_signals[PARE_GRAPH_CONTEXT_MENU], 0, pare_graph_view_layer_of (self, ref), x, y);
}

static void
pressed (GtkGestureClick *gesture, int n_press, double x, double y, gpointer data)
{
  PareGraphView *self = data;
  guint button = gtk_gesture_single_get_current_button (GTK_GESTURE_SINGLE (gesture));
  PareGraphRef ref = pare_graph_view_ref_of (self, item_at (self, x, y));
  gtk_widget_grab_focus (GTK_WIDGET (self));
  if (self->space || self->scene == NULL)
    return;
  if (button == GDK_BUTTON_SECONDARY)
    {
      if (ref.valid)
        {
          pare_graph_view_set_cursor (self, ref, FALSE);
          if (!pare_graph_view_ref_selected (self, ref))
            pare_graph_view_select (self, ref, FALSE, FALSE);
        }
      context_menu (self, ref, x, y);
      return;
    }
  if (button != GDK_BUTTON_PRIMARY)
    return;
  GdkModifierType state = gtk_event_controller_get_current_event_state (GTK_EVENT_CONTROLLER (gesture));
  if (!ref.valid)
    {
      gint32 group = header_at (self, x, y);
      if (group < 0)
        return; /* background: cleared on release, if nothing was dragged */
      PareGraphRef g = { TRUE, TRUE, (guint32)group };
      pare_graph_view_set_cursor (self, g, FALSE);
      if (n_press == 2 || on_arrow (self, &self->scene->frames[self->scene->frame_of_group[group]].rect, x))
        pare_graph_view_set_folded (self, (guint)group, TRUE);
      else
        pare_graph_view_select (self, g, state & GDK_SHIFT_MASK, state & GDK_CONTROL_MASK);
      return;
    }
  PareLayoutRect r = { 0 };
  pare_graph_view_rect_of (self, ref, &r);
  pare_graph_view_set_cursor (self, ref, FALSE);
  if (ref.is_group && (n_press == 2 || on_arrow (self, &r, x)))
    {
      pare_graph_view_set_folded (self, ref.index, FALSE);
      return;
    }
  if (n_press == 2 && pare_graph_view_layer_of (self, ref) != NULL)
    {
      g_signal_emit (self, pare_graph_view_signals[PARE_GRAPH_ACTIVATE_LAYER], 0, pare_graph_view_layer_of (self, ref));
      return;
    }
  if (n_press == 1)
    pare_graph_view_select (self, ref, state & GDK_SHIFT_MASK, state & GDK_CONTROL_MASK);
}

static void
released (GtkGestureClick *gesture, int n_press, double x, double y, gpointer data)
{
  PareGraphView *self = data;
  GdkModifierType state = gtk_event_controller_get_current_event_state (GTK_EVENT_CONTROLLER (gesture));
  guint button = gtk_gesture_single_get_current_button (GTK_GESTURE_SINGLE (gesture));
  if (button == GDK_BUTTON_PRIMARY && !self->panning && !self->space && !(state & (GDK_CONTROL_MASK | GDK_SHIFT_MASK))
      && item_at (self, x, y) < 0 && header_at (self, x, y) < 0)
    pare_graph_view_select_none (self);
}

static void
set_hover (PareGraphView *self, PareGraphRef ref)
{
  if (ref.valid == self->hover.valid && ref.is_group == self->hover.is_group && ref.index == self->hover.index)
    return;
  self->hover = ref;
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
motion (GtkEventControllerMotion *controller, double x, double y, gpointer data)
{
  PareGraphView *self = data;
  self->pointer_x = x;
  self->pointer_y = y;
  set_hover (self, pare_graph_view_ref_of (self, item_at (self, x, y)));
}

static void
leave (GtkEventControllerMotion *controller, gpointer data)
{
  set_hover (data, (PareGraphRef){ FALSE });
}

static gboolean
query_tooltip (GtkWidget *widget, int x, int y, gboolean keyboard, GtkTooltip *tooltip, gpointer data)
{
  PareGraphView *self = PARE_GRAPH_VIEW (widget);
  PareGraphRef ref = keyboard ? self->cursor : pare_graph_view_ref_of (self, item_at (self, x, y));
  if (!ref.valid)
    return FALSE;
  g_autofree char *text = NULL;
  if (ref.is_group)
    text = pare_graph_view_describe (self, ref);
  else
    {
      const PareShown *s = &self->model->shown[ref.index];
      g_autofree char *layers = s->n_layers > 6 ? NULL : g_strjoinv ("\n", s->layers);
      double value = self->shown_value != NULL ? self->shown_value[ref.index] : NAN;
      g_autofree char *figure = !isnan (value) && self->format != NULL ? self->format (value, self->format_data) : NULL;
      text = g_strdup_printf ("%s%s%s%s%s%s%s", s->op, s->shape != NULL ? " → " : "", s->shape != NULL ? s->shape : "",
                              figure != NULL ? "\n" : "", figure != NULL ? figure : "", layers != NULL && *layers != '\0' ? "\n" : "",
                              layers != NULL ? layers : "");
    }
  PareLayoutRect r;
  if (pare_graph_view_rect_of (self, ref, &r))
    {
      double vx, vy;
      pare_viewport_to_view (&self->viewport, r.x, r.y, &vx, &vy);
      GdkRectangle area = { (int)vx, (int)vy, (int)MAX (r.width * self->viewport.scale, 1), (int)MAX (r.height * self->viewport.scale, 1) };
      gtk_tooltip_set_tip_area (tooltip, &area);
    }
  gtk_tooltip_set_text (tooltip, text);
  return TRUE;
}

/* --- keys --- */

static PareGraphRef
first_item (PareGraphView *self, gboolean last)
{
  gint32 best = -1;
  for (guint i = 0; i < self->scene->n_items; i++)
    {
      double y = self->scene->items[i].rect.y, of = best < 0 ? 0 : self->scene->items[best].rect.y;
      if (best < 0 || (last ? y > of : y < of))
        best = (gint32)i;
    }
  return pare_graph_view_ref_of (self, best);
}

/* Down or up along an edge, to the end whose x is nearest; from an open frame into it or to what lies above. */
static PareGraphRef
along (PareGraphView *self, gboolean down)
{
  PareGraphScene *s = self->scene;
  gint32 item = pare_graph_view_item_of (self, self->cursor), best = -1;
  if (item < 0)
    {
      PareLayoutRect frame;
      if (!pare_graph_view_rect_of (self, self->cursor, &frame))
        return first_item (self, FALSE);
      for (guint i = 0; i < s->n_items; i++)
        if (pare_graph_model_inside (self->model, s->items[i].frame, (gint32)self->cursor.index)
            && (best < 0 || (down ? s->items[i].rect.y < s->items[best].rect.y : s->items[i].rect.y > s->items[best].rect.y)))
          best = (gint32)i;
      return pare_graph_view_ref_of (self, best);
    }
  const guint *start = down ? s->out_start : s->in_start, *list = down ? s->out : s->in;
  double x = s->items[item].rect.x + s->items[item].rect.width / 2, distance = G_MAXDOUBLE;
  for (guint k = start[item]; k < start[item + 1]; k++)
    {
      guint to = down ? s->edges[list[k]].to : s->edges[list[k]].from;
      const PareLayoutRect *r = &s->items[to].rect;
      /* nearest in y first: the next layer, not the end of a skip */
      double d = fabs (r->y - s->items[item].rect.y) + fabs (r->x + r->width / 2 - x) * 0.5;
      if (d < distance)
        distance = d, best = (gint32)to;
    }
  return best >= 0 ? pare_graph_view_ref_of (self, best) : self->cursor;
}

/* The nearest item to the left or right that overlaps in height. */
static PareGraphRef
sibling (PareGraphView *self, gboolean right)
{
  PareGraphScene *s = self->scene;
  gint32 item = pare_graph_view_item_of (self, self->cursor), best = -1;
  if (item < 0)
    return self->cursor.valid ? self->cursor : first_item (self, FALSE);
  const PareLayoutRect *r = &s->items[item].rect;
  double distance = G_MAXDOUBLE;
  guint first, last;
  pare_graph_scene_bands (s, r->y - 100, r->y + r->height + 100, &first, &last);
  for (guint k = s->band_items_start[first]; k < s->band_items_start[last + 1]; k++)
    {
      const PareLayoutRect *o = &s->items[s->band_items[k]].rect;
      double d = (o->x + o->width / 2 - r->x - r->width / 2) * (right ? 1 : -1);
      double off = fabs (o->y + o->height / 2 - r->y - r->height / 2);
      if (d > 1 && off < 100 && d + 2 * off < distance)
        distance = d + 2 * off, best = (gint32)s->band_items[k];
    }
  return best >= 0 ? pare_graph_view_ref_of (self, best) : self->cursor;
}

static void
go (PareGraphView *self, PareGraphRef ref, GdkModifierType state)
{
  if (!ref.valid)
    return;
  pare_graph_view_set_cursor (self, ref, TRUE);
  if (!(state & GDK_CONTROL_MASK))
    pare_graph_view_select (self, ref, state & GDK_SHIFT_MASK, FALSE);
}

static gboolean
key_pressed (GtkEventControllerKey *controller, guint key, guint code, GdkModifierType state, gpointer data)
{
  PareGraphView *self = data;
  gboolean control = state & GDK_CONTROL_MASK, shift = state & GDK_SHIFT_MASK;
  if (self->scene == NULL || self->scene->n_items == 0 || state & GDK_ALT_MASK)
    return FALSE;
  PareLayoutRect r = { 0 };
  switch (key)
    {
    case GDK_KEY_Down:
    case GDK_KEY_Up:
      if (shift && !control) /* as Netron does */
        (key == GDK_KEY_Up ? pare_graph_view_zoom_in : pare_graph_view_zoom_out) (self);
      else
        go (self, along (self, key == GDK_KEY_Down), state);
      return TRUE;
    case GDK_KEY_Left:
    case GDK_KEY_Right:
      go (self, sibling (self, key == GDK_KEY_Right), state);
      return TRUE;
    case GDK_KEY_Home:
    case GDK_KEY_End:
      go (self, first_item (self, key == GDK_KEY_End), state);
      return TRUE;
    case GDK_KEY_Page_Up:
    case GDK_KEY_Page_Down:
      pare_viewport_scroll (&self->viewport, 0, (key == GDK_KEY_Page_Down ? 0.9 : -0.9) * self->viewport.height);
      pare_graph_view_moved (self);
      return TRUE;
    case GDK_KEY_Return:
    case GDK_KEY_KP_Enter:
      if (control)
        return FALSE;
      if (self->cursor.valid && self->cursor.is_group)
        pare_graph_view_set_folded (self, self->cursor.index, !self->folded[self->cursor.index]);
      else if (pare_graph_view_layer_of (self, self->cursor) != NULL)
        g_signal_emit (self, pare_graph_view_signals[PARE_GRAPH_ACTIVATE_LAYER], 0, pare_graph_view_layer_of (self, self->cursor));
      return TRUE;
    case GDK_KEY_BackSpace:
      if (shift)
        pare_graph_view_zoom_original (self);
      else if (self->cursor.valid)
        {
          gint32 parent
              = self->cursor.is_group ? self->model->groups[self->cursor.index].parent : self->model->shown[self->cursor.index].group;
          if (parent >= 0)
            go (self, (PareGraphRef){ TRUE, TRUE, (guint32)parent }, state);
        }
      return TRUE;
    case GDK_KEY_space:
      if (control)
        pare_graph_view_select (self, self->cursor, FALSE, TRUE);
      else if (!self->space)
        {
          self->space = TRUE;
          gtk_widget_set_cursor_from_name (GTK_WIDGET (self), "grab");
        }
      return TRUE;
    case GDK_KEY_f:
    case GDK_KEY_F:
      if (control)
        return FALSE;
      (shift ? pare_graph_view_fit_selection : pare_graph_view_fit) (self);
      return TRUE;
    case GDK_KEY_Menu:
    case GDK_KEY_F10:
      if (key == GDK_KEY_F10 && !shift)
        return FALSE;
      if (pare_graph_view_rect_of (self, self->cursor, &r))
        {
          double x, y;
          pare_viewport_to_view (&self->viewport, r.x + r.width / 2, r.y + r.height / 2, &x, &y);
          context_menu (self, self->cursor, x, y);
        }
      return TRUE;
    default:
      return FALSE;
    }
}

static void
key_released (GtkEventControllerKey *controller, guint key, guint code, GdkModifierType state, gpointer data)
{
  PareGraphView *self = data;
  if (key != GDK_KEY_space)
    return;
  self->space = FALSE;
  gtk_widget_set_cursor (GTK_WIDGET (self), NULL);
}

static void
focus_entered (GtkEventControllerFocus *controller, gpointer data)
{
  PareGraphView *self = data;
  if (!self->cursor.valid && self->scene != NULL && self->scene->n_items > 0)
    {
      /* start at the selection, else at the top; choose nothing yet */
      PareGraphRef ref = first_item (self, FALSE);
      for (guint i = 0; i < self->model->n_shown; i++)
        if (self->selected[i])
          {
            ref = pare_graph_view_ref_of (self, self->scene->item_of_shown[i]);
            break;
          }
      pare_graph_view_set_cursor (self, ref, FALSE);
    }
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
focus_left (GtkEventControllerFocus *controller, gpointer data)
{
  PareGraphView *self = data;
  self->space = FALSE;
  gtk_widget_set_cursor (GTK_WIDGET (self), NULL);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

void
pare_graph_view_add_controllers (PareGraphView *self)
{
  GtkWidget *widget = GTK_WIDGET (self);
  GtkEventController *scroll
      = gtk_event_controller_scroll_new (GTK_EVENT_CONTROLLER_SCROLL_BOTH_AXES | GTK_EVENT_CONTROLLER_SCROLL_KINETIC);
  g_signal_connect (scroll, "scroll", G_CALLBACK (scrolled), self);
  gtk_widget_add_controller (widget, scroll);
  GtkGesture *zoom = gtk_gesture_zoom_new ();
  g_signal_connect (zoom, "begin", G_CALLBACK (pinch_begin), self);
  g_signal_connect (zoom, "scale-changed", G_CALLBACK (pinched), self);
  gtk_widget_add_controller (widget, GTK_EVENT_CONTROLLER (zoom));
  GtkGesture *drag = gtk_gesture_drag_new ();
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (drag), 0);
  g_signal_connect (drag, "drag-begin", G_CALLBACK (drag_begin), self);
  g_signal_connect (drag, "drag-update", G_CALLBACK (drag_update), self);
  g_signal_connect (drag, "drag-end", G_CALLBACK (drag_end), self);
  gtk_widget_add_controller (widget, GTK_EVENT_CONTROLLER (drag));
  GtkGesture *click = gtk_gesture_click_new ();
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (click), 0);
  g_signal_connect (click, "pressed", G_CALLBACK (pressed), self);
  g_signal_connect (click, "released", G_CALLBACK (released), self);
  gtk_widget_add_controller (widget, GTK_EVENT_CONTROLLER (click));
  GtkEventController *pointer = gtk_event_controller_motion_new ();
  g_signal_connect (pointer, "motion", G_CALLBACK (motion), self);
  g_signal_connect (pointer, "enter", G_CALLBACK (motion), self);
  g_signal_connect (pointer, "leave", G_CALLBACK (leave), self);
  gtk_widget_add_controller (widget, pointer);
  GtkEventController *keys = gtk_event_controller_key_new ();
  g_signal_connect (keys, "key-pressed", G_CALLBACK (key_pressed), self);
  g_signal_connect (keys, "key-released", G_CALLBACK (key_released), self);
  gtk_widget_add_controller (widget, keys);
  GtkEventController *focus = gtk_event_controller_focus_new ();
  g_signal_connect (focus, "enter", G_CALLBACK (focus_entered), self);
  g_signal_connect (focus, "leave", G_CALLBACK (focus_left), self);
  gtk_widget_add_controller (widget, focus);
  g_signal_connect (widget, "query-tooltip", G_CALLBACK (query_tooltip), NULL);
}
