#include "widgets/pare-job-button.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>
#include <math.h>

struct _PareJobButton
{
  GtkWidget parent;
  GtkWidget *menu, *wide, *ring, *stop, *name, *count, *bar, *circle, *percent;
  double fraction;
};

enum
{
  STOP,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (PareJobButton, pare_job_button, GTK_TYPE_WIDGET)

static void
draw_ring (GtkDrawingArea *area, cairo_t *cr, int w, int h, gpointer data)
{
  PareJobButton *self = data;
  PareLook look;
  pare_look_for_widget (&look, GTK_WIDGET (area));
  double r = fmin (w, h) / 2.0 - 2;
  cairo_set_line_width (cr, 3);
  cairo_arc (cr, w / 2.0, h / 2.0, r, 0, 2 * G_PI);
  pare_draw_source (cr, &look.fg, 0.18);
  cairo_stroke (cr);
  if (self->fraction > 0)
    {
      cairo_arc (cr, w / 2.0, h / 2.0, r, -G_PI_2, -G_PI_2 + 2 * G_PI * self->fraction);
      pare_draw_source (cr, &look.tint, 1);
      cairo_stroke (cr);
    }
}

static void
on_stop (GtkButton *button, PareJobButton *self)
{
  g_signal_emit (self, signals[STOP], 0);
}

static void
redraw (GtkWidget *widget)
{
  gtk_widget_queue_draw (PARE_JOB_BUTTON (widget)->circle);
}

static void
pare_job_button_dispose (GObject *object)
{
  PareJobButton *self = PARE_JOB_BUTTON (object);
  g_clear_object (&self->wide);
  g_clear_object (&self->ring);
  g_clear_pointer (&self->menu, gtk_widget_unparent);
  g_clear_pointer (&self->stop, gtk_widget_unparent);
  G_OBJECT_CLASS (pare_job_button_parent_class)->dispose (object);
}

static void
pare_job_button_class_init (PareJobButtonClass *class)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  G_OBJECT_CLASS (class)->dispose = pare_job_button_dispose;
  gtk_widget_class_set_css_name (widget_class, "pare-job-button");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_GROUP);
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BOX_LAYOUT);
  signals[STOP] = g_signal_new ("stop", G_TYPE_FROM_CLASS (class), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
pare_job_button_init (PareJobButton *self)
{
  GtkWidget *widget = GTK_WIDGET (self);
  pare_style_load ();
  gtk_widget_add_css_class (widget, "pare-job");
  gtk_widget_set_valign (widget, GTK_ALIGN_CENTER);

  GtkWidget *line = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  self->name = gtk_label_new (NULL);
  gtk_label_set_ellipsize (GTK_LABEL (self->name), PANGO_ELLIPSIZE_END);
  gtk_label_set_xalign (GTK_LABEL (self->name), 0);
  gtk_widget_set_hexpand (self->name, TRUE);
  self->count = gtk_label_new (NULL);
  gtk_widget_add_css_class (self->count, "pare-second");
  gtk_box_append (GTK_BOX (line), self->name);
  gtk_box_append (GTK_BOX (line), self->count);
  self->bar = gtk_progress_bar_new ();
  self->wide = g_object_ref_sink (gtk_box_new (GTK_ORIENTATION_VERTICAL, 3));
  gtk_widget_set_valign (self->wide, GTK_ALIGN_CENTER);
  gtk_widget_set_size_request (self->wide, 148, -1);
  gtk_box_append (GTK_BOX (self->wide), line);
  gtk_box_append (GTK_BOX (self->wide), self->bar);

  self->ring = g_object_ref_sink (gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6));
  self->circle = gtk_drawing_area_new ();
  gtk_drawing_area_set_content_width (GTK_DRAWING_AREA (self->circle), 18);
  gtk_drawing_area_set_content_height (GTK_DRAWING_AREA (self->circle), 18);
  gtk_drawing_area_set_draw_func (GTK_DRAWING_AREA (self->circle), draw_ring, self, NULL);
  gtk_widget_set_valign (self->circle, GTK_ALIGN_CENTER);
  self->percent = gtk_label_new (NULL);
  gtk_label_set_width_chars (GTK_LABEL (self->percent), 5);
  gtk_box_append (GTK_BOX (self->ring), self->circle);
  gtk_box_append (GTK_BOX (self->ring), self->percent);

  self->menu = gtk_menu_button_new ();
  gtk_menu_button_set_child (GTK_MENU_BUTTON (self->menu), self->wide);
  gtk_menu_button_set_has_frame (GTK_MENU_BUTTON (self->menu), FALSE);
  gtk_widget_set_parent (self->menu, widget);
  self->stop = gtk_button_new_from_icon_name ("media-playback-stop-symbolic");
  gtk_button_set_has_frame (GTK_BUTTON (self->stop), FALSE);
  gtk_widget_set_valign (self->stop, GTK_ALIGN_CENTER);
  gtk_widget_set_tooltip_text (self->stop, _ ("Stop (Ctrl+.)"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->stop), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Stop"), -1);
  g_signal_connect (self->stop, "clicked", G_CALLBACK (on_stop), self);
  gtk_widget_set_parent (self->stop, widget);
  pare_look_watch (widget, redraw);
  gtk_widget_set_visible (widget, FALSE);
}

GtkWidget *
pare_job_button_new (void)
{
  return g_object_new (PARE_TYPE_JOB_BUTTON, NULL);
}

void
pare_job_button_set_job (PareJobButton *self, const char *name, guint64 done, guint64 all, gboolean can_stop)
{
  gtk_widget_set_visible (GTK_WIDGET (self), name != NULL);
  if (name == NULL)
    return;
  self->fraction = all > 0 ? CLAMP ((double)done / (double)all, 0, 1) : 0;
  g_autofree char *d = pare_format_count ((gint64)MIN (done, (guint64)G_MAXINT64)),
                  *a = pare_format_count ((gint64)MIN (all, (guint64)G_MAXINT64));
  g_autofree char *count = all > 0 ? g_strdup_printf ("%s / %s", d, a) : done > 0 ? g_strdup (d) : g_strdup ("");
  g_autofree char *percent = all > 0 ? pare_format_percent (self->fraction, 0) : g_strdup ("…"),
                  *words = g_strdup_printf ("%s, %s", name, count);
  gtk_label_set_text (GTK_LABEL (self->name), name);
  gtk_label_set_text (GTK_LABEL (self->count), count);
  gtk_label_set_text (GTK_LABEL (self->percent), percent);
  gtk_progress_bar_set_fraction (GTK_PROGRESS_BAR (self->bar), self->fraction);
  gtk_widget_set_visible (self->bar, all > 0);
  gtk_widget_queue_draw (self->circle);
  gtk_widget_set_sensitive (self->stop, can_stop);
  gtk_widget_set_tooltip_text (self->menu, words);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->menu), GTK_ACCESSIBLE_PROPERTY_LABEL, words, -1);
}

void
pare_job_button_set_popover (PareJobButton *self, GtkPopover *popover)
{
  gtk_menu_button_set_popover (GTK_MENU_BUTTON (self->menu), GTK_WIDGET (popover));
}

void
pare_job_button_set_narrow (PareJobButton *self, gboolean narrow)
{
  /* Narrow: Stop is in the list that the ring opens (and Ctrl+.). */
  gtk_menu_button_set_child (GTK_MENU_BUTTON (self->menu), narrow ? self->ring : self->wide);
  gtk_widget_set_visible (self->stop, !narrow);
  if (narrow)
    gtk_widget_add_css_class (GTK_WIDGET (self), "ring");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self), "ring");
}
