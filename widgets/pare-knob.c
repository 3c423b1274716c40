#include "widgets/pare-knob.h"

GtkEventController *
pare_knob_scroll_new (void)
{
  return gtk_event_controller_scroll_new (GTK_EVENT_CONTROLLER_SCROLL_VERTICAL | GTK_EVENT_CONTROLLER_SCROLL_DISCRETE);
}

static void
hear (gpointer controller, const char *signal, GCallback handler, GtkWidget *widget)
{
  if (handler != NULL)
    g_signal_connect (controller, signal, handler, widget);
}

void
pare_knob_init (GtkWidget *widget, const PareKnobHandlers *handlers)
{
  pare_style_load ();
  gtk_widget_set_focusable (widget, TRUE);
  gtk_widget_add_css_class (widget, "pare-focus");
  pare_look_watch (widget, gtk_widget_queue_resize);
  if (handlers->drag_begin != NULL)
    {
      GtkGesture *drag = gtk_gesture_drag_new ();
      hear (drag, "drag-begin", handlers->drag_begin, widget);
      hear (drag, "drag-update", handlers->drag_update, widget);
      hear (drag, "drag-end", handlers->drag_end, widget);
      hear (drag, "cancel", handlers->drag_cancel, widget);
      gtk_widget_add_controller (widget, GTK_EVENT_CONTROLLER (drag));
    }
  if (handlers->pressed != NULL)
    {
      GtkGesture *click = gtk_gesture_click_new ();
      hear (click, "pressed", handlers->pressed, widget);
      hear (click, "released", handlers->released, widget);
      gtk_widget_add_controller (widget, GTK_EVENT_CONTROLLER (click));
    }
  GtkEventController *focus = gtk_event_controller_focus_new (), *key = gtk_event_controller_key_new (), *scroll = pare_knob_scroll_new (),
                     *motion = gtk_event_controller_motion_new ();
  hear (focus, "leave", handlers->focus_leave, widget);
  hear (key, "key-pressed", handlers->key_pressed, widget);
  hear (scroll, "scroll", handlers->scroll, widget);
  hear (motion, "enter", handlers->enter, widget);
  hear (motion, "motion", handlers->motion, widget);
  hear (motion, "leave", handlers->leave, widget);
  gtk_widget_add_controller (widget, focus);
  gtk_widget_add_controller (widget, key);
  gtk_widget_add_controller (widget, scroll);
  gtk_widget_add_controller (widget, motion);
}
