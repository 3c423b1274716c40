#include "app/pare-edit-page.h"
#include "app/pare-canvas-pane.h"
#include "app/pare-dock.h"
#include "app/pare-inspector.h"
#include "app/pare-layer-edit.h"
#include "app/pare-layer-table.h"
#include "app/pare-preferences.h"

#include <glib/gi18n.h>
#include <string.h>

struct _PareEditPage
{
  GtkWidget parent_instance;
  PareSession *session;
  GtkWidget *outer, *inner, *upper, *table, *canvas, *inspector, *dock;
  gboolean narrow, table_wanted;
};

G_DEFINE_FINAL_TYPE (PareEditPage, pare_edit_page, GTK_TYPE_WIDGET)

static void
on_coupled (PareInspector *inspector, char **layers, PareEditPage *self)
{
  pare_canvas_pane_set_coupled (PARE_CANVAS_PANE (self->canvas), layers);
}

static void
pare_edit_page_dispose (GObject *object)
{
  PareEditPage *self = PARE_EDIT_PAGE (object);
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  g_clear_pointer (&self->outer, gtk_widget_unparent);
  g_clear_object (&self->session);
  G_OBJECT_CLASS (pare_edit_page_parent_class)->dispose (object);
}

static void
pare_edit_page_class_init (PareEditPageClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = pare_edit_page_dispose;
  gtk_widget_class_set_layout_manager_type (GTK_WIDGET_CLASS (klass), GTK_TYPE_BIN_LAYOUT);
}

static void
pare_edit_page_init (PareEditPage *self)
{
  self->table_wanted = TRUE;
}

static GtkWidget *
paned (GtkOrientation orientation, GtkWidget *start, GtkWidget *end, gboolean grow_start)
{
  GtkWidget *p = gtk_paned_new (orientation);
  gtk_paned_set_start_child (GTK_PANED (p), start);
  gtk_paned_set_end_child (GTK_PANED (p), end);
  gtk_paned_set_resize_start_child (GTK_PANED (p), grow_start);
  gtk_paned_set_resize_end_child (GTK_PANED (p), !grow_start);
  gtk_paned_set_shrink_start_child (GTK_PANED (p), FALSE);
  gtk_paned_set_shrink_end_child (GTK_PANED (p), FALSE);
  return p;
}

static gboolean
on_key (GtkEventControllerKey *controller, guint keyval, guint keycode, GdkModifierType state, PareSelection *selection)
{
  if (keyval != GDK_KEY_Escape || pare_selection_get_n (selection) == 0)
    return FALSE;
  pare_selection_set (selection, NULL);
  return TRUE;
}

/* The table's foot counts them; where no table is shown, a toast does. */
static void
on_skipped (PareSelection *selection, PareEditPage *self)
{
  guint of = 0, n = g_strv_length ((char **)pare_selection_get_skipped (selection, &of));
  GtkWidget *toasts = gtk_widget_get_ancestor (GTK_WIDGET (self), ADW_TYPE_TOAST_OVERLAY);
  if (n == 0 || toasts == NULL || gtk_widget_get_mapped (self->table))
    return;
  g_autofree char *names = g_strjoinv (", ", (char **)pare_selection_get_skipped (selection, NULL));
  g_autofree char *text = g_strdup_printf (_ ("%u of %u skipped, they cannot take it: %s"), n, of, names);
  adw_toast_overlay_add_toast (ADW_TOAST_OVERLAY (toasts), adw_toast_new (text));
}

/* What is selected is likely to be changed next: the session prepares for it while nothing else runs. */
static void
on_selected (PareSelection *selection, PareSession *session)
{
  pare_session_expect_edit (session, pare_selection_get (selection));
}

GtkWidget *
pare_edit_page_new (PareSession *session, PareSelection *selection)
{
  PareEditPage *self = g_object_new (PARE_TYPE_EDIT_PAGE, NULL);
  self->session = g_object_ref (session);
  self->table = pare_layer_table_new (session, selection);
  self->canvas = pare_canvas_pane_new (session, selection);
  self->inspector = pare_inspector_new (session, selection);
  self->dock = pare_dock_new (session, selection);
  gtk_widget_set_size_request (self->table, 240, -1);
  gtk_widget_set_size_request (self->canvas, 320, 200);
  gtk_widget_set_size_request (self->inspector, 304, -1);
  gtk_widget_set_size_request (self->dock, -1, 200);
  self->upper = paned (GTK_ORIENTATION_HORIZONTAL, self->table, self->canvas, FALSE);
  self->inner = paned (GTK_ORIENTATION_VERTICAL, self->upper, self->dock, TRUE);
  self->outer = paned (GTK_ORIENTATION_HORIZONTAL, self->inner, self->inspector, TRUE);
  /* or the wide form's least width would keep the window from ever becoming narrow */
  gtk_paned_set_shrink_start_child (GTK_PANED (self->outer), TRUE);
  gtk_paned_set_position (GTK_PANED (self->upper), 318);
  gtk_paned_set_position (GTK_PANED (self->inner), 525);
  gtk_paned_set_position (GTK_PANED (self->outer), 956);
  pare_preferences_keep_paned (GTK_PANED (self->upper), "edit-table");
  pare_preferences_keep_paned (GTK_PANED (self->inner), "edit-dock");
  pare_preferences_keep_paned (GTK_PANED (self->outer), "edit-inspector");
  gtk_widget_set_parent (self->outer, GTK_WIDGET (self));
  pare_layer_keys_attach (pare_canvas_pane_get_view (PARE_CANVAS_PANE (self->canvas)), session, selection);
  pare_layer_keys_attach (pare_layer_table_get_view (PARE_LAYER_TABLE (self->table)), session, selection);
  pare_canvas_preview_keys_attach (pare_layer_table_get_view (PARE_LAYER_TABLE (self->table)), selection);
  GActionGroup *actions = pare_layer_actions_new (session, selection);
  gtk_widget_insert_action_group (GTK_WIDGET (self), "layer", actions);
  g_object_unref (actions);
  GtkEventController *keys = gtk_event_controller_key_new ();
  g_signal_connect_object (keys, "key-pressed", G_CALLBACK (on_key), selection, 0);
  gtk_widget_add_controller (GTK_WIDGET (self), keys);
  g_signal_connect_object (selection, "changed", G_CALLBACK (on_selected), session, 0);
  g_signal_connect_object (selection, "skipped-changed", G_CALLBACK (on_skipped), self, 0);
  g_signal_connect (self->inspector, "coupled", G_CALLBACK (on_coupled), self);
  return GTK_WIDGET (self);
}

void
pare_edit_page_set_narrow (PareEditPage *self, gboolean narrow)
{
  self->narrow = narrow;
  gtk_widget_set_visible (self->table, self->table_wanted && !narrow);
  gtk_widget_set_size_request (self->inspector, 304, -1);
  if (narrow)
    {
      gtk_paned_set_position (GTK_PANED (self->outer), 710);
      gtk_paned_set_position (GTK_PANED (self->inner), 435);
    }
  else
    {
      pare_preferences_restore_paned (GTK_PANED (self->inner));
      pare_preferences_restore_paned (GTK_PANED (self->outer));
    }
  pare_dock_set_narrow (PARE_DOCK (self->dock), narrow);
}

static void
next_region (PareEditPage *self, int step)
{
  GtkWidget *const regions[] = { pare_layer_table_get_view (PARE_LAYER_TABLE (self->table)),
                                 pare_canvas_pane_get_view (PARE_CANVAS_PANE (self->canvas)), self->inspector, self->dock };
  const int n = G_N_ELEMENTS (regions);
  GtkWidget *focus = gtk_root_get_focus (gtk_widget_get_root (GTK_WIDGET (self)));
  int at = step > 0 ? -1 : n; /* from the header bar: to the first or the last */
  for (int i = 0; i < n; i++)
    if (focus != NULL && (focus == regions[i] || gtk_widget_is_ancestor (focus, regions[i])))
      at = i;
  for (int k = 1; k <= n; k++)
    {
      GtkWidget *region = regions[((at + step * k) % n + n) % n];
      if (gtk_widget_get_mapped (region) && (gtk_widget_grab_focus (region) || gtk_widget_child_focus (region, GTK_DIR_TAB_FORWARD)))
        return;
    }
}

void
pare_edit_page_command (PareEditPage *self, const char *command)
{
  if (strcmp (command, "show-table") == 0)
    {
      self->table_wanted = !gtk_widget_get_visible (self->table);
      gtk_widget_set_visible (self->table, self->table_wanted);
    }
  else if (strcmp (command, "show-inspector") == 0)
    gtk_widget_set_visible (self->inspector, !gtk_widget_get_visible (self->inspector));
  else if (strcmp (command, "properties") == 0)
    gtk_widget_set_visible (self->inspector, TRUE);
  else if (strcmp (command, "show-dock") == 0)
    gtk_widget_set_visible (self->dock, !gtk_widget_get_visible (self->dock));
  else if (strcmp (command, "next-region") == 0)
    next_region (self, 1);
  else if (strcmp (command, "previous-region") == 0)
    next_region (self, -1);
  else
    pare_canvas_pane_command (PARE_CANVAS_PANE (self->canvas), command);
}

void
pare_edit_page_show_dock (PareEditPage *self, const char *tab)
{
  gtk_widget_set_visible (self->dock, TRUE);
  pare_dock_show (PARE_DOCK (self->dock), tab);
}

void
pare_edit_page_focus_knob (PareEditPage *self, const char *knob)
{
  gtk_widget_set_visible (self->inspector, TRUE);
  pare_inspector_focus_knob (PARE_INSPECTOR (self->inspector), knob);
}
