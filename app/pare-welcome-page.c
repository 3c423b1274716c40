#include "app/pare-welcome-page.h"
#include "app/pare-recent.h"

#include <glib/gi18n.h>

struct _PareWelcomePage
{
  GtkWidget parent_instance;
  GtkWidget *scroller, *drop, *heading, *recent_box, *recent_list, *columns;
};

G_DEFINE_FINAL_TYPE (PareWelcomePage, pare_welcome_page, GTK_TYPE_WIDGET)

static GtkWidget *
label (const char *text, const char *classes)
{
  GtkWidget *w = gtk_label_new (text);
  gtk_label_set_xalign (GTK_LABEL (w), 0);
  g_auto (GStrv) list = g_strsplit (classes, " ", -1);
  for (guint i = 0; list[i] != NULL && *list[i] != '\0'; i++)
    gtk_widget_add_css_class (w, list[i]);
  return w;
}

/* The application's idea in one picture: a chain that gets thinner over its own outline. */
static void
draw_mark (GtkDrawingArea *area, cairo_t *cr, int width, int height, gpointer data)
{
  static const double widths[] = { 72, 72, 56, 64, 40, 48, 28, 22 };
  static const guint8 colours[][3] = { { 0x99, 0xdc, 0xd7 }, { 0x7d, 0xcc, 0xd0 }, { 0x61, 0xbd, 0xc9 }, { 0x4e, 0xac, 0xc1 },
                                       { 0x3b, 0x9c, 0xb9 }, { 0x39, 0x8a, 0xab }, { 0x38, 0x79, 0x9e }, { 0x3f, 0x58, 0x78 } };
  GdkRGBA fg;
  gtk_style_context_get_color (gtk_widget_get_style_context (GTK_WIDGET (area)), &fg);
  double x = width / 2.0;
  cairo_set_line_width (cr, 1);
  cairo_set_source_rgba (cr, fg.red, fg.green, fg.blue, .4);
  cairo_move_to (cr, x, 10);
  cairo_line_to (cr, x, 115);
  cairo_stroke (cr);
  for (guint i = 0; i < G_N_ELEMENTS (widths); i++)
    {
      double y = 6.5 + i * 15, dash[2] = { 2, 2 };
      cairo_set_dash (cr, dash, 2, 0);
      cairo_set_source_rgba (cr, fg.red, fg.green, fg.blue, .5);
      cairo_rectangle (cr, x - 36.5, y, 73, 9);
      cairo_stroke (cr);
      cairo_set_dash (cr, NULL, 0, 0);
      cairo_rectangle (cr, x - widths[i] / 2, y, widths[i], 9);
      cairo_set_source_rgb (cr, colours[i][0] / 255.0, colours[i][1] / 255.0, colours[i][2] / 255.0);
      cairo_fill_preserve (cr);
      cairo_set_source_rgba (cr, fg.red, fg.green, fg.blue, .5);
      cairo_stroke (cr);
    }
}

static GtkWidget *
button (const char *icon, const char *text, const char *action, gboolean suggested)
{
  GtkWidget *b = gtk_button_new (), *content = adw_button_content_new ();
  adw_button_content_set_icon_name (ADW_BUTTON_CONTENT (content), icon);
  adw_button_content_set_label (ADW_BUTTON_CONTENT (content), text);
  adw_button_content_set_use_underline (ADW_BUTTON_CONTENT (content), TRUE);
  gtk_button_set_child (GTK_BUTTON (b), content);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (b), action);
  gtk_widget_set_valign (b, GTK_ALIGN_CENTER);
  gtk_accessible_update_property (GTK_ACCESSIBLE (b), GTK_ACCESSIBLE_PROPERTY_LABEL, text, -1);
  if (suggested)
    gtk_widget_add_css_class (b, "suggested-action");
  return b;
}

static GtkWidget *
fact (const char *icon, const char *title, const char *text)
{
  GtkWidget *row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 8), *column = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  GtkWidget *image = gtk_image_new_from_icon_name (icon);
  gtk_widget_set_valign (image, GTK_ALIGN_START);
  gtk_box_append (GTK_BOX (column), label (title, "pare-caption pare-bold"));
  gtk_box_append (GTK_BOX (column), label (text, "pare-caption pare-second"));
  gtk_box_append (GTK_BOX (row), image);
  gtk_box_append (GTK_BOX (row), column);
  return row;
}

static GtkWidget *
build_drop (PareWelcomePage *self)
{
  GtkWidget *drop = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 24);
  gtk_widget_add_css_class (drop, "pare-drop");
  gtk_widget_set_size_request (drop, -1, 208);

  GtkWidget *mark = gtk_drawing_area_new ();
  gtk_drawing_area_set_content_width (GTK_DRAWING_AREA (mark), 88);
  gtk_drawing_area_set_content_height (GTK_DRAWING_AREA (mark), 130);
  gtk_drawing_area_set_draw_func (GTK_DRAWING_AREA (mark), draw_mark, NULL, NULL);
  gtk_widget_set_valign (mark, GTK_ALIGN_CENTER);
  gtk_box_append (GTK_BOX (drop), mark);

  GtkWidget *middle = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  gtk_widget_set_valign (middle, GTK_ALIGN_CENTER);
  gtk_widget_set_hexpand (middle, TRUE);
  self->heading = label (_ ("Open a trained network"), "pare-title-1");
  gtk_label_set_ellipsize (GTK_LABEL (self->heading), PANGO_ELLIPSIZE_MIDDLE);
  gtk_box_append (GTK_BOX (middle), self->heading);
  GtkWidget *text
      = label (_ ("Drop an ONNX model, a data folder or a .pare project here. See it layer by layer, shrink it by hand, and watch what "
                  "each touch costs."),
               "pare-second");
  gtk_label_set_wrap (GTK_LABEL (text), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (text), 72);
  gtk_box_append (GTK_BOX (middle), text);
  GtkWidget *buttons = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12);
  gtk_widget_set_margin_top (buttons, 12);
  gtk_box_append (GTK_BOX (buttons), button ("document-open-symbolic", _ ("Open Model…"), "win.open", TRUE));
  gtk_box_append (GTK_BOX (buttons), button ("media-playback-start-symbolic", _ ("Try the Bundled Sample"), "win.open-sample", FALSE));
  gtk_box_append (GTK_BOX (buttons), button ("text-x-generic-symbolic", _ ("Open Project…"), "win.open-project", FALSE));
  gtk_box_append (GTK_BOX (buttons), label ("Ctrl+O", "pare-caption pare-second"));
  gtk_box_append (GTK_BOX (middle), buttons);
  gtk_box_append (GTK_BOX (drop), middle);

  GtkWidget *line = gtk_separator_new (GTK_ORIENTATION_VERTICAL);
  gtk_widget_set_margin_top (line, 29);
  gtk_widget_set_margin_bottom (line, 29);
  gtk_box_append (GTK_BOX (drop), line);
  GtkWidget *facts = gtk_box_new (GTK_ORIENTATION_VERTICAL, 9);
  gtk_widget_set_valign (facts, GTK_ALIGN_CENTER);
  gtk_widget_set_size_request (facts, 150, -1);
  gtk_box_append (GTK_BOX (facts), fact ("text-x-generic-symbolic", _ ("Model"), _ ("ONNX, with its data files")));
  gtk_box_append (GTK_BOX (facts), fact ("drive-multidisk-symbolic", _ ("Data"), _ ("folders, IDX, npy, npz, CSV")));
  gtk_box_append (GTK_BOX (facts), fact ("pare-board-symbolic", _ ("Target"), _ ("this computer")));
  gtk_box_append (GTK_BOX (drop), facts);
  return drop;
}

static void
on_remove (GtkButton *button, PareWelcomePage *self)
{
  g_autofree char *path = g_strdup (g_object_get_data (G_OBJECT (button), "path"));
  pare_recent_remove (path);
  pare_welcome_page_refresh (self);
}

static GtkWidget *
remove_button (PareWelcomePage *self, const PareRecent *recent)
{
  GtkWidget *b = gtk_button_new_from_icon_name ("window-close-symbolic");
  g_autofree char *name = g_strdup_printf (_ ("Remove %s from this list"), recent->title);
  gtk_widget_add_css_class (b, "flat");
  gtk_widget_set_valign (b, GTK_ALIGN_CENTER);
  gtk_widget_set_tooltip_text (b, _ ("Remove from this list"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (b), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  g_object_set_data_full (G_OBJECT (b), "path", g_strdup (recent->path), g_free);
  g_signal_connect (b, "clicked", G_CALLBACK (on_remove), self);
  return b;
}

static GtkWidget *
lines (const char *text)
{
  GtkWidget *w = label (text, "pare-caption pare-second");
  gtk_label_set_xalign (GTK_LABEL (w), 1);
  gtk_label_set_justify (GTK_LABEL (w), GTK_JUSTIFY_RIGHT);
  return w;
}

static GtkWidget *
recent_row (PareWelcomePage *self, const PareRecent *recent)
{
  GtkWidget *row = gtk_list_box_row_new (), *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12);
  gboolean missing = recent->missing != NULL;
  const char *second = missing ? recent->missing : recent->detail;
  gtk_widget_set_size_request (box, -1, 62);
  gtk_widget_set_margin_start (box, 12);
  gtk_widget_set_margin_end (box, 12);
  GtkWidget *icon = gtk_image_new_from_icon_name (missing ? "dialog-warning-symbolic" : "pare-graph-symbolic");
  if (missing)
    gtk_widget_add_css_class (icon, "warning");
  gtk_box_append (GTK_BOX (box), icon);
  GtkWidget *names = gtk_box_new (GTK_ORIENTATION_VERTICAL, 2);
  gtk_widget_set_valign (names, GTK_ALIGN_CENTER);
  gtk_widget_set_hexpand (names, TRUE);
  GtkWidget *title = label (recent->title, missing ? "pare-bold pare-second" : "pare-bold"),
            *detail = label (second, "pare-caption pare-second");
  gtk_label_set_ellipsize (GTK_LABEL (title), PANGO_ELLIPSIZE_END);
  gtk_label_set_ellipsize (GTK_LABEL (detail), PANGO_ELLIPSIZE_MIDDLE);
  gtk_box_append (GTK_BOX (names), title);
  gtk_box_append (GTK_BOX (names), detail);
  gtk_box_append (GTK_BOX (box), names);
  if (missing)
    gtk_box_append (GTK_BOX (box), remove_button (self, recent));
  else
    {
      if (recent->figures != NULL)
        gtk_box_append (GTK_BOX (box), lines (recent->figures));
      GtkWidget *when = lines (recent->when);
      gtk_widget_set_size_request (when, 72, -1);
      gtk_box_append (GTK_BOX (box), when);
    }
  gtk_list_box_row_set_child (GTK_LIST_BOX_ROW (row), box);
  g_object_set_data_full (G_OBJECT (row), "path", g_strdup (recent->path), g_free);
  g_object_set_data_full (G_OBJECT (row), "data", g_strdup (recent->data), g_free);
  gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row), !missing);
  g_autofree char *name = g_strdup_printf ("%s, %s", recent->title, second);
  gtk_accessible_update_property (GTK_ACCESSIBLE (row), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  return row;
}

static void
on_recent (GtkListBox *list, GtkListBoxRow *row, PareWelcomePage *self)
{
  const char *data = g_object_get_data (G_OBJECT (row), "data");
  gtk_widget_activate_action (GTK_WIDGET (self), "win.open-path", "s", (const char *)g_object_get_data (G_OBJECT (row), "path"));
  if (data != NULL)
    gtk_widget_activate_action (GTK_WIDGET (self), "win.open-path", "s", data);
}

void
pare_welcome_page_refresh (PareWelcomePage *self)
{
  GtkWidget *child;
  while ((child = gtk_widget_get_first_child (self->recent_list)) != NULL)
    gtk_list_box_remove (GTK_LIST_BOX (self->recent_list), child);
  g_autoptr (GPtrArray) recents = pare_recent_list (5);
  for (guint i = 0; i < recents->len; i++)
    gtk_list_box_append (GTK_LIST_BOX (self->recent_list), recent_row (self, g_ptr_array_index (recents, i)));
  gtk_widget_set_visible (self->recent_box, recents->len > 0);
}

void
pare_welcome_page_set_drop (PareWelcomePage *self, gboolean over, const char *name)
{
  if (over)
    gtk_widget_add_css_class (self->drop, "pare-over");
  else
    gtk_widget_remove_css_class (self->drop, "pare-over");
  g_autofree char *text = over && name != NULL ? g_strdup_printf (_ ("Open %s"), name) : g_strdup (_ ("Open a trained network"));
  gtk_label_set_text (GTK_LABEL (self->heading), text);
}

static void
pare_welcome_page_dispose (GObject *object)
{
  g_clear_pointer (&PARE_WELCOME_PAGE (object)->scroller, gtk_widget_unparent);
  G_OBJECT_CLASS (pare_welcome_page_parent_class)->dispose (object);
}

static void
pare_welcome_page_class_init (PareWelcomePageClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = pare_welcome_page_dispose;
  gtk_widget_class_set_layout_manager_type (GTK_WIDGET_CLASS (klass), GTK_TYPE_BIN_LAYOUT);
}

static void
pare_welcome_page_init (PareWelcomePage *self)
{
  GtkWidget *column = gtk_box_new (GTK_ORIENTATION_VERTICAL, 24), *clamp = adw_clamp_new ();
  gtk_widget_set_margin_top (column, 45);
  gtk_widget_set_margin_bottom (column, 24);
  gtk_widget_set_margin_start (column, 12);
  gtk_widget_set_margin_end (column, 12);
  self->drop = build_drop (self);
  gtk_box_append (GTK_BOX (column), self->drop);

  self->recent_box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 9);
  gtk_box_append (GTK_BOX (self->recent_box), label (_ ("Recent projects"), "pare-bold"));
  self->recent_list = gtk_list_box_new ();
  gtk_list_box_set_selection_mode (GTK_LIST_BOX (self->recent_list), GTK_SELECTION_NONE);
  gtk_widget_add_css_class (self->recent_list, "boxed-list");
  g_signal_connect (self->recent_list, "row-activated", G_CALLBACK (on_recent), self);
  gtk_box_append (GTK_BOX (self->recent_box), self->recent_list);
  gtk_box_append (GTK_BOX (column), self->recent_box);

  GtkWidget *foot
      = label (_ ("Nothing leaves this computer   ·   Every edit can be undone   ·   F1 shortcuts"), "pare-caption pare-second");
  gtk_widget_set_halign (foot, GTK_ALIGN_CENTER);
  gtk_box_append (GTK_BOX (column), foot);
  adw_clamp_set_maximum_size (ADW_CLAMP (clamp), 1008 + 24);
  adw_clamp_set_child (ADW_CLAMP (clamp), column);
  self->scroller = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (self->scroller), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->scroller), clamp);
  gtk_widget_set_parent (self->scroller, GTK_WIDGET (self));
  pare_welcome_page_refresh (self);
}

GtkWidget *
pare_welcome_page_new (void)
{
  return g_object_new (PARE_TYPE_WELCOME_PAGE, NULL);
}
