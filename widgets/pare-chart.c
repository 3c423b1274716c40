#include "widgets/pare-chart.h"
#include "widgets/pare-format.h"
#include "engine/base/pare-error.h"

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

/* The band grows as data come, at most ten repaints a second. */
#define REPAINT_US (G_USEC_PER_SEC / 10)

typedef struct
{
  char *title;
  gboolean compact;
  GskRenderNode *data; /* the drawn data, valid for width, height and the present look */
  int width, height;
  gboolean hovered;
  double x, y;
  gint64 drawn_at;
  guint repaint; /* source of the next throttled repaint */
  int dragged;   /* PareLimitKind of the line under the hand, -1 */
  double dragged_to, dragged_from, drag_x, drag_y;
  GtkWidget *menu;
} PareChartPrivate;

static guint limit_signal;

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (PareChart, pare_chart, GTK_TYPE_WIDGET)
#define PRIV(self) ((PareChartPrivate *)pare_chart_get_instance_private (PARE_CHART (self)))

static void
drop_data (PareChart *self)
{
  g_clear_pointer (&PRIV (self)->data, gsk_render_node_unref);
}

static void
on_look_changed (GtkWidget *widget)
{
  drop_data (PARE_CHART (widget));
  gtk_widget_queue_resize (widget);
}

static gboolean
on_repaint (gpointer data)
{
  PRIV (data)->repaint = 0;
  drop_data (data);
  gtk_widget_queue_draw (data);
  return G_SOURCE_REMOVE;
}

void
pare_chart_changed (PareChart *self)
{
  PareChartPrivate *p = PRIV (self);
  g_autofree char *sentence = pare_chart_describe (self);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, sentence, -1);
  gint64 wait = p->drawn_at + REPAINT_US - g_get_monotonic_time ();
  if (wait <= 0)
    {
      g_clear_handle_id (&p->repaint, g_source_remove);
      on_repaint (self);
    }
  else if (p->repaint == 0)
    p->repaint = g_timeout_add ((guint)(wait / 1000 + 1), on_repaint, self);
}

void
pare_chart_hover_changed (PareChart *self)
{
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

gboolean
pare_chart_get_pointer (PareChart *self, double *x, double *y)
{
  PareChartPrivate *p = PRIV (self);
  *x = p->x;
  *y = p->y;
  return p->hovered;
}

void
pare_chart_row (GPtrArray *rows, ...)
{
  GPtrArray *row = g_ptr_array_new ();
  va_list list;
  va_start (list, rows);
  for (char *cell; (cell = va_arg (list, char *)) != NULL;)
    g_ptr_array_add (row, cell);
  va_end (list);
  g_ptr_array_add (row, NULL);
  g_ptr_array_add (rows, g_ptr_array_free (row, FALSE));
}

char *
pare_chart_describe (PareChart *self)
{
  PareChartClass *class = PARE_CHART_GET_CLASS (self);
  char *s = class->describe != NULL ? class->describe (self) : NULL;
  return s != NULL ? s : g_strdup (PRIV (self)->title != NULL ? PRIV (self)->title : _ ("Chart"));
}

GPtrArray *
pare_chart_get_table (PareChart *self)
{
  GPtrArray *rows = g_ptr_array_new_with_free_func ((GDestroyNotify)g_strfreev);
  PareChartClass *class = PARE_CHART_GET_CLASS (self);
  if (class->table != NULL)
    class->table (self, rows);
  return rows;
}

void
pare_chart_draw (PareChart *self, cairo_t *cr, double w, double h)
{
  PareChartClass *class = PARE_CHART_GET_CLASS (self);
  PareLook look;
  pare_look_for_widget (&look, GTK_WIDGET (self));
  cairo_save (cr);
  cairo_rectangle (cr, 0, 0, w, h);
  cairo_clip (cr);
  if (class->draw != NULL && w > 0 && h > 0)
    class->draw (self, cr, &look, w, h);
  cairo_restore (cr);
}

/* --- saving --- */

static char *
to_csv (PareChart *self)
{
  g_autoptr (GPtrArray) rows = pare_chart_get_table (self);
  GString *out = g_string_new (NULL);
  for (guint r = 0; r < rows->len; r++)
    {
      char **row = rows->pdata[r];
      for (guint c = 0; row[c] != NULL; c++)
        {
          if (c > 0)
            g_string_append_c (out, ',');
          if (strpbrk (row[c], ",\"\n\r") == NULL)
            g_string_append (out, row[c]);
          else
            {
              g_auto (GStrv) parts = g_strsplit (row[c], "\"", -1);
              g_autofree char *doubled = g_strjoinv ("\"\"", parts);
              g_string_append_printf (out, "\"%s\"", doubled);
            }
        }
      g_string_append (out, "\r\n"); /* RFC 4180 */
    }
  return g_string_free (out, FALSE);
}

static void
export_size (PareChart *self, int *w, int *h)
{
  *w = gtk_widget_get_width (GTK_WIDGET (self));
  *h = gtk_widget_get_height (GTK_WIDGET (self));
  if (*w > 0 && *h > 0)
    return;
  int min;
  gtk_widget_measure (GTK_WIDGET (self), GTK_ORIENTATION_HORIZONTAL, -1, &min, w, NULL, NULL);
  gtk_widget_measure (GTK_WIDGET (self), GTK_ORIENTATION_VERTICAL, *w, &min, h, NULL, NULL);
}

#define EXPORT_MARGIN 12
#define EXPORT_SCALE 2

static void
draw_export (PareChart *self, cairo_t *cr, int w, int h)
{
  PareLook look;
  pare_look_for_widget (&look, GTK_WIDGET (self));
  pare_draw_source (cr, &look.view, 1);
  cairo_paint (cr);
  cairo_translate (cr, EXPORT_MARGIN, EXPORT_MARGIN);
  pare_chart_draw (self, cr, w, h);
}

static cairo_surface_t *
to_image (PareChart *self)
{
  int w, h;
  export_size (self, &w, &h);
  cairo_surface_t *surface
      = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, EXPORT_SCALE * (w + 2 * EXPORT_MARGIN), EXPORT_SCALE * (h + 2 * EXPORT_MARGIN));
  cairo_t *cr = cairo_create (surface);
  cairo_scale (cr, EXPORT_SCALE, EXPORT_SCALE);
  draw_export (self, cr, w, h);
  cairo_destroy (cr);
  return surface;
}

gboolean
pare_chart_save (PareChart *self, const char *path, GError **error)
{
  g_return_val_if_fail (PARE_IS_CHART (self) && path != NULL, FALSE);
  g_autofree char *lower = g_ascii_strdown (path, -1);
  if (g_str_has_suffix (lower, ".csv"))
    {
      g_autofree char *csv = to_csv (self);
      GError *inner = NULL;
      if (g_file_set_contents (path, csv, -1, &inner))
        return TRUE;
      g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "%s: %s", path, inner->message);
      g_error_free (inner);
      return FALSE;
    }
  cairo_status_t status;
  cairo_surface_t *surface;
  if (g_str_has_suffix (lower, ".png"))
    {
      surface = to_image (self);
      status = cairo_surface_status (surface);
      if (status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_write_to_png (surface, path);
    }
  else if (g_str_has_suffix (lower, ".svg") || g_str_has_suffix (lower, ".pdf"))
    {
      int w, h;
      export_size (self, &w, &h);
      gboolean svg = g_str_has_suffix (lower, ".svg");
      surface = (svg ? cairo_svg_surface_create : cairo_pdf_surface_create) (path, w + 2 * EXPORT_MARGIN, h + 2 * EXPORT_MARGIN);
      if (svg)
        cairo_svg_surface_set_document_unit (surface, CAIRO_SVG_UNIT_PX);
      cairo_t *cr = cairo_create (surface);
      draw_export (self, cr, w, h);
      cairo_destroy (cr);
      cairo_surface_finish (surface);
      status = cairo_surface_status (surface);
    }
  else
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, _ ("%s: a chart is saved as .png, .svg, .pdf or .csv"), path);
      return FALSE;
    }
  cairo_surface_destroy (surface);
  if (status == CAIRO_STATUS_SUCCESS)
    return TRUE;
  g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "%s: %s", path, cairo_status_to_string (status));
  return FALSE;
}

/* --- menu and actions --- */

static void
action_copy (GtkWidget *widget, const char *name, GVariant *parameter)
{
  cairo_surface_t *surface = to_image (PARE_CHART (widget));
  int w = cairo_image_surface_get_width (surface), h = cairo_image_surface_get_height (surface);
  g_autoptr (GdkPixbuf) pixbuf = gdk_pixbuf_get_from_surface (surface, 0, 0, w, h);
  cairo_surface_destroy (surface);
  if (pixbuf == NULL)
    return;
  g_autoptr (GdkTexture) texture = gdk_texture_new_for_pixbuf (pixbuf);
  gdk_clipboard_set_texture (gtk_widget_get_clipboard (widget), texture);
}

static void
on_save_response (GtkNativeDialog *dialog, int response, gpointer data)
{
  g_autoptr (PareChart) self = data; /* kept alive while the dialog is open */
  if (response == GTK_RESPONSE_ACCEPT)
    {
      g_autoptr (GFile) file = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog));
      g_autofree char *path = g_file_get_path (file);
      g_autoptr (GError) error = NULL;
      if (path == NULL)
        g_set_error (&error, PARE_ERROR, PARE_ERROR_FILE, "%s", _ ("a chart is saved to a folder of this computer"));
      else
        pare_chart_save (self, path, &error);
      if (error != NULL)
        {
          GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
          GtkWidget *message
              = gtk_message_dialog_new (GTK_IS_WINDOW (root) ? GTK_WINDOW (root) : NULL, GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT,
                                        GTK_MESSAGE_ERROR, GTK_BUTTONS_CLOSE, "%s", error->message);
          g_signal_connect (message, "response", G_CALLBACK (gtk_window_destroy), NULL);
          gtk_window_present (GTK_WINDOW (message));
        }
    }
  g_object_unref (dialog);
}

static void
action_save (GtkWidget *widget, const char *name, GVariant *parameter)
{
  PareChart *self = PARE_CHART (widget);
  const char *kind = g_variant_get_string (parameter, NULL);
  GtkRoot *root = gtk_widget_get_root (widget);
  GtkFileChooserNative *dialog = gtk_file_chooser_native_new (_ ("Save Chart"), GTK_IS_WINDOW (root) ? GTK_WINDOW (root) : NULL,
                                                              GTK_FILE_CHOOSER_ACTION_SAVE, _ ("_Save"), _ ("_Cancel"));
  g_autofree char *plain = g_utf8_strdown (PRIV (self)->title != NULL ? PRIV (self)->title : "chart", -1);
  plain[strcspn (plain, ",")] = '\0';
  g_autofree char *file = g_strdup_printf ("%s.%s", g_strdelimit (plain, " /:", '-'), kind);
  gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (dialog), file);
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (dialog), TRUE);
  g_signal_connect (dialog, "response", G_CALLBACK (on_save_response), g_object_ref (self));
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

static void
action_show_table (GtkWidget *widget, const char *name, GVariant *parameter)
{
  pare_chart_show_table (PARE_CHART (widget));
}

static void
popup_menu (PareChart *self, double x, double y)
{
  PareChartPrivate *p = PRIV (self);
  if (p->menu == NULL)
    {
      g_autoptr (GMenu) menu = g_menu_new ();
      g_autoptr (GMenu) save = g_menu_new ();
      g_menu_append (menu, _ ("_Copy Picture"), "chart.copy");
      g_menu_append (menu, _ ("Show as _Table"), "chart.show-table");
      g_menu_append (save, _ ("Save as _PNG…"), "chart.save::png");
      g_menu_append (save, _ ("Save as _SVG…"), "chart.save::svg");
      g_menu_append (save, _ ("Save as CS_V…"), "chart.save::csv");
      g_menu_append_section (menu, NULL, G_MENU_MODEL (save));
      p->menu = gtk_popover_menu_new_from_model (G_MENU_MODEL (menu));
      gtk_popover_set_has_arrow (GTK_POPOVER (p->menu), FALSE);
      gtk_widget_set_halign (p->menu, GTK_ALIGN_START);
      gtk_widget_set_parent (p->menu, GTK_WIDGET (self));
    }
  gtk_popover_set_pointing_to (GTK_POPOVER (p->menu), &(GdkRectangle){ (int)x, (int)y, 1, 1 });
  gtk_popover_popup (GTK_POPOVER (p->menu));
}

static void
on_pressed (GtkGestureClick *gesture, int n, double x, double y, PareChart *self)
{
  popup_menu (self, x, y);
}

static gboolean
on_menu_key (GtkWidget *widget, GVariant *arguments, gpointer data)
{
  popup_menu (PARE_CHART (widget), 24, 24);
  return TRUE;
}

static void
on_motion (GtkEventControllerMotion *controller, double x, double y, PareChart *self)
{
  PareChartPrivate *p = PRIV (self);
  p->hovered = TRUE;
  p->x = x;
  p->y = y;
  PareChartClass *class = PARE_CHART_GET_CLASS (self);
  if (class->hover != NULL)
    class->hover (self, x, y);
  if (class->limit_at != NULL && p->dragged < 0)
    {
      int kind = class->limit_at (self, x, y);
      gtk_widget_set_cursor_from_name (GTK_WIDGET (self), kind < 0                            ? NULL
                                                          : kind == PARE_LIMIT_KIND_TOLERANCE ? "row-resize"
                                                                                              : "col-resize");
    }
  if (class->draw_hover != NULL)
    pare_chart_hover_changed (self);
}

static void
on_enter (GtkEventControllerMotion *controller, double x, double y, PareChart *self)
{
  on_motion (controller, x, y, self);
}

static void
on_leave (GtkEventControllerMotion *controller, PareChart *self)
{
  PRIV (self)->hovered = FALSE;
  PareChartClass *class = PARE_CHART_GET_CLASS (self);
  if (class->hover != NULL)
    class->hover (self, -1, -1);
  if (class->draw_hover != NULL)
    pare_chart_hover_changed (self);
}

/* --- the lines of tolerance and budgets --- */

gboolean
pare_chart_limit_begin (PareChart *self, double x, double y)
{
  PareChartPrivate *p = PRIV (self);
  PareChartClass *class = PARE_CHART_GET_CLASS (self);
  int kind = class->limit_at != NULL ? class->limit_at (self, x, y) : -1;
  if (kind < 0)
    return FALSE;
  if (class->limit_begin != NULL)
    class->limit_begin (self, (PareLimitKind)kind);
  p->dragged = kind;
  p->dragged_to = p->dragged_from = pare_limit_round ((PareLimitKind)kind, class->limit_value (self, (PareLimitKind)kind, x, y));
  return TRUE;
}

static void
set_limit (PareChart *self, double value, gboolean final)
{
  PareChartPrivate *p = PRIV (self);
  if (!isfinite (value) || (value == p->dragged_to && !final))
    return;
  p->dragged_to = value;
  PARE_CHART_GET_CLASS (self)->limit_moved (self, (PareLimitKind)p->dragged, value);
  g_signal_emit (self, limit_signal, 0, p->dragged, value, final);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

void
pare_chart_limit_drag (PareChart *self, double x, double y, gboolean final)
{
  PareChartPrivate *p = PRIV (self);
  if (p->dragged < 0)
    return;
  PareLimitKind kind = (PareLimitKind)p->dragged;
  double value = PARE_CHART_GET_CLASS (self)->limit_value (self, kind, x, y);
  /* No tolerance is one (0), no budget would be none at all. */
  if (kind != PARE_LIMIT_KIND_TOLERANCE && !(value > 0))
    value = p->dragged_to;
  set_limit (self, pare_limit_round (kind, value), final);
  if (!final)
    return;
  p->dragged = -1;
  pare_chart_changed (self); /* the scale is free again */
}

void
pare_chart_limit_cancel (PareChart *self)
{
  PareChartPrivate *p = PRIV (self);
  if (p->dragged < 0)
    return;
  set_limit (self, p->dragged_from, TRUE);
  p->dragged = -1;
  pare_chart_changed (self);
}

int
pare_chart_get_dragged (PareChart *self)
{
  return PRIV (self)->dragged;
}

static void
on_limit_begin (GtkGestureDrag *gesture, double x, double y, PareChart *self)
{
  if (!pare_chart_limit_begin (self, x, y))
    {
      gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_DENIED);
      return;
    }
  gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
  PRIV (self)->drag_x = x;
  PRIV (self)->drag_y = y;
}

static void
on_limit_update (GtkGestureDrag *gesture, double dx, double dy, PareChart *self)
{
  pare_chart_limit_drag (self, PRIV (self)->drag_x + dx, PRIV (self)->drag_y + dy, FALSE);
}

static void
on_limit_end (GtkGestureDrag *gesture, double dx, double dy, PareChart *self)
{
  pare_chart_limit_drag (self, PRIV (self)->drag_x + dx, PRIV (self)->drag_y + dy, TRUE);
}

static void
on_limit_cancel (GtkGesture *gesture, GdkEventSequence *sequence, PareChart *self)
{
  pare_chart_limit_cancel (self);
}

/* What the line says now, beside the pointer. */
static void
draw_limit_card (PareChart *self, cairo_t *cr, const PareLook *look, double w, double h)
{
  PareChartPrivate *p = PRIV (self);
  g_autofree char *number = p->dragged == PARE_LIMIT_KIND_TOLERANCE
                                ? pare_format_number (-p->dragged_to, pare_limit_decimals (p->dragged_to))
                            : p->dragged == PARE_LIMIT_KIND_SIZE ? pare_format_kib_unit (p->dragged_to)
                                                                 : pare_format_ms_unit (p->dragged_to);
  g_autofree char *text = p->dragged == PARE_LIMIT_KIND_TOLERANCE ? g_strdup_printf (_ ("tolerance %s pp"), number)
                                                                  : g_strdup_printf (_ ("budget %s"), number);
  const char *const lines[] = { text, NULL };
  pare_chart_draw_card (cr, look, w, h, p->x, p->y, lines);
}

/* --- widget --- */

static void
pare_chart_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  PareChart *self = PARE_CHART (widget);
  PareChartPrivate *p = PRIV (self);
  int w = gtk_widget_get_width (widget), h = gtk_widget_get_height (widget);
  if (w <= 0 || h <= 0)
    return;
  graphene_rect_t area = GRAPHENE_RECT_INIT (0, 0, w, h);
  if (p->data == NULL || p->width != w || p->height != h)
    {
      drop_data (self);
      GtkSnapshot *layer = gtk_snapshot_new ();
      cairo_t *cr = gtk_snapshot_append_cairo (layer, &area);
      pare_chart_draw (self, cr, w, h);
      cairo_destroy (cr);
      p->data = gtk_snapshot_free_to_node (layer);
      p->width = w;
      p->height = h;
      p->drawn_at = g_get_monotonic_time ();
    }
  if (p->data != NULL)
    gtk_snapshot_append_node (snapshot, p->data);
  PareChartClass *class = PARE_CHART_GET_CLASS (self);
  /* Without the pointer (x < 0) too: a brush, or a ring set from the history list. */
  if (p->dragged >= 0)
    {
      PareLook look;
      pare_look_for_widget (&look, widget);
      cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &area);
      draw_limit_card (self, cr, &look, w, h);
      cairo_destroy (cr);
    }
  else if (class->draw_hover != NULL)
    {
      PareLook look;
      pare_look_for_widget (&look, widget);
      cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &area);
      class->draw_hover (self, cr, &look, w, h, p->hovered ? p->x : -1, p->hovered ? p->y : -1);
      cairo_destroy (cr);
    }
}

static void
pare_chart_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural, int *minimum_baseline,
                    int *natural_baseline)
{
  int min_w = 120, nat_w = 240, min_h = 80, nat_h = 180;
  PareChartClass *class = PARE_CHART_GET_CLASS (widget);
  if (class->measure_size != NULL)
    class->measure_size (PARE_CHART (widget), &min_w, &nat_w, &min_h, &nat_h);
  *minimum = orientation == GTK_ORIENTATION_HORIZONTAL ? min_w : min_h;
  *natural = MAX (*minimum, orientation == GTK_ORIENTATION_HORIZONTAL ? nat_w : nat_h);
}

static void
pare_chart_size_allocate (GtkWidget *widget, int w, int h, int baseline)
{
  PareChartPrivate *p = PRIV (widget);
  if (p->menu != NULL)
    gtk_popover_present (GTK_POPOVER (p->menu));
}

static void
pare_chart_constructed (GObject *object)
{
  PareChartClass *class = PARE_CHART_GET_CLASS (object);
  G_OBJECT_CLASS (pare_chart_parent_class)->constructed (object);
  if (class->limit_at == NULL || class->drags_itself)
    return;
  GtkGesture *drag = gtk_gesture_drag_new ();
  g_signal_connect (drag, "drag-begin", G_CALLBACK (on_limit_begin), object);
  g_signal_connect (drag, "drag-update", G_CALLBACK (on_limit_update), object);
  g_signal_connect (drag, "drag-end", G_CALLBACK (on_limit_end), object);
  g_signal_connect (drag, "cancel", G_CALLBACK (on_limit_cancel), object);
  gtk_widget_add_controller (GTK_WIDGET (object), GTK_EVENT_CONTROLLER (drag));
}

static void
pare_chart_dispose (GObject *object)
{
  PareChartPrivate *p = PRIV (object);
  g_clear_handle_id (&p->repaint, g_source_remove);
  g_clear_pointer (&p->menu, gtk_widget_unparent);
  G_OBJECT_CLASS (pare_chart_parent_class)->dispose (object);
}

static void
pare_chart_finalize (GObject *object)
{
  drop_data (PARE_CHART (object));
  g_free (PRIV (object)->title);
  G_OBJECT_CLASS (pare_chart_parent_class)->finalize (object);
}

static void
pare_chart_class_init (PareChartClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  object_class->constructed = pare_chart_constructed;
  object_class->dispose = pare_chart_dispose;
  object_class->finalize = pare_chart_finalize;
  widget_class->snapshot = pare_chart_snapshot;
  widget_class->measure = pare_chart_measure;
  widget_class->size_allocate = pare_chart_size_allocate;
  limit_signal = g_signal_new ("limit-changed", G_TYPE_FROM_CLASS (class), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 3,
                               G_TYPE_INT, G_TYPE_DOUBLE, G_TYPE_BOOLEAN);
  gtk_widget_class_set_css_name (widget_class, "pare-chart");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
  gtk_widget_class_install_action (widget_class, "chart.copy", NULL, action_copy);
  gtk_widget_class_install_action (widget_class, "chart.save", "s", action_save);
  gtk_widget_class_install_action (widget_class, "chart.show-table", NULL, action_show_table);
  gtk_widget_class_add_binding (widget_class, GDK_KEY_Menu, 0, on_menu_key, NULL);
  gtk_widget_class_add_binding (widget_class, GDK_KEY_F10, GDK_SHIFT_MASK, on_menu_key, NULL);
}

static void
pare_chart_init (PareChart *self)
{
  GtkWidget *widget = GTK_WIDGET (self);
  PRIV (self)->dragged = -1;
  pare_style_load ();
  gtk_widget_set_focusable (widget, TRUE);
  gtk_widget_add_css_class (widget, "pare-focus");
  pare_look_watch (widget, on_look_changed);
  GtkEventController *motion = gtk_event_controller_motion_new ();
  g_signal_connect (motion, "enter", G_CALLBACK (on_enter), self);
  g_signal_connect (motion, "motion", G_CALLBACK (on_motion), self);
  g_signal_connect (motion, "leave", G_CALLBACK (on_leave), self);
  gtk_widget_add_controller (widget, motion);
  GtkGesture *click = gtk_gesture_click_new ();
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (click), GDK_BUTTON_SECONDARY);
  g_signal_connect (click, "pressed", G_CALLBACK (on_pressed), self);
  gtk_widget_add_controller (widget, GTK_EVENT_CONTROLLER (click));
}

void
pare_chart_set_title (PareChart *self, const char *title)
{
  g_free (PRIV (self)->title);
  PRIV (self)->title = g_strdup (title);
  pare_chart_changed (self);
}

const char *
pare_chart_get_title (PareChart *self)
{
  return PRIV (self)->title;
}

void
pare_chart_set_compact (PareChart *self, gboolean compact)
{
  if (PRIV (self)->compact == !!compact)
    return;
  PRIV (self)->compact = !!compact;
  gtk_widget_queue_resize (GTK_WIDGET (self));
  pare_chart_changed (self);
}

gboolean
pare_chart_get_compact (PareChart *self)
{
  return PRIV (self)->compact;
}
