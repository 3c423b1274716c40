#include "app/pare-window-private.h"
#include "app/pare-jobs-view.h"
#include "app/pare-preferences.h"
#include "widgets/pare-job-button.h"

#include <glib/gi18n.h>
#include <string.h>

#define NARROW 1150

G_DEFINE_FINAL_TYPE (PareWindow, pare_window, ADW_TYPE_APPLICATION_WINDOW)

void
pare_window_toast (PareWindow *self, const char *text)
{
  AdwToast *toast = adw_toast_new (text);
  adw_toast_set_timeout (toast, 5);
  adw_toast_overlay_add_toast (self->toasts, toast);
}

char *
pare_window_base_name (const char *path)
{
  char *name = g_path_get_basename (path);
  char *dot = strrchr (name, '.');
  if (dot != NULL && dot != name)
    *dot = '\0';
  return name;
}

static void
update_title (PareWindow *self)
{
  const PareGraph *graph = pare_session_get_graph (self->session);
  PareDataset *data = pare_session_get_dataset (self->session);
  const char *project = pare_session_get_project_path (self->session);
  if (graph == NULL)
    {
      adw_window_title_set_title (self->title, "Pare");
      adw_window_title_set_subtitle (self->title, "");
      return;
    }
  g_autofree char *model = graph->path != NULL ? pare_window_base_name (graph->path) : g_strdup (_ ("model"));
  g_autofree char *file = project != NULL ? g_path_get_basename (project) : g_strdup (model);
  g_autoptr (GString) sub = g_string_new (model);
  if (data != NULL)
    g_string_append_printf (sub, " · %s, %s", pare_dataset_get_name (data), pare_split_name (pare_session_get_split (self->session)));
  else
    g_string_append_printf (sub, " · %s", _ ("no data"));
  g_string_append_printf (sub, " · %s",
                          pare_session_is_read_only (self->session)               ? _ ("read-only")
                          : pare_session_get_save_trouble (self->session) != NULL ? _ ("not saved")
                                                                                  : _ ("saved"));
  adw_window_title_set_title (self->title, file);
  adw_window_title_set_subtitle (self->title, sub->str);
  gtk_window_set_title (GTK_WINDOW (self), file);
}

static void
update_actions (PareWindow *self)
{
  gboolean open = pare_session_get_graph (self->session) != NULL;
  const char *undo = NULL, *redo = NULL;
  static const char *const with_model[] = { "open-data", "save-as", "export",   "measure",       "find",     "find-next",  "find-previous",
                                            "page",      "zoom-in", "zoom-out", "zoom-original", "zoom-fit", "next-colour" };
  for (guint i = 0; i < G_N_ELEMENTS (with_model); i++)
    pare_window_enable (self, with_model[i], open);
  pare_window_enable (self, "undo", pare_session_can_undo (self->session, &undo));
  pare_window_enable (self, "redo", pare_session_can_redo (self->session, &redo));
  g_autofree char *undo_tip = undo != NULL ? g_strdup_printf (_ ("Undo: %s (Ctrl+Z)"), undo) : g_strdup (_ ("Undo (Ctrl+Z)"));
  g_autofree char *redo_tip = redo != NULL ? g_strdup_printf (_ ("Redo: %s (Ctrl+Shift+Z)"), redo) : g_strdup (_ ("Redo (Ctrl+Shift+Z)"));
  gtk_widget_set_tooltip_text (self->undo, undo_tip);
  gtk_widget_set_tooltip_text (self->redo, redo_tip);
}

static void
update_job (PareWindow *self)
{
  guint n = pare_session_get_n_jobs (self->session);
  const PareJobInfo *job = n > 0 ? pare_session_get_job (self->session, 0) : NULL;
  pare_window_enable (self, "cancel-job", job != NULL && job->cancellable);
  if (job != NULL)
    {
      g_autofree char *name = pare_jobs_dup_name (job);
      pare_job_button_set_job (PARE_JOB_BUTTON (self->job), name, job->done, job->total, job->cancellable);
    }
  else
    pare_job_button_set_job (PARE_JOB_BUTTON (self->job), NULL, 0, 0, FALSE);
}

static void
on_stop (PareJobButton *button, PareWindow *self)
{
  if (pare_session_get_n_jobs (self->session) > 0)
    pare_session_cancel_job (self->session, 0);
}

void
pare_window_show_page (PareWindow *self, const char *page)
{
  gtk_stack_set_visible_child_name (self->stack, page);
  gboolean working = strcmp (page, "welcome") != 0;
  GtkWidget *const shown[] = { self->pages, self->undo_box };
  for (guint i = 0; i < G_N_ELEMENTS (shown); i++)
    gtk_widget_set_visible (shown[i], working);
  gtk_widget_set_visible (self->side, self->narrow && strcmp (page, "edit") == 0);
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self), "page");
  if (working)
    g_simple_action_set_state (G_SIMPLE_ACTION (action), g_variant_new_string (page));
}

static void
on_model_changed (PareSession *session, PareWindow *self)
{
  update_title (self);
  update_actions (self);
  pare_window_show_page (self, pare_session_get_graph (session) != NULL ? "edit" : "welcome");
  pare_window_remember (self);
}

static void
on_data_changed (PareSession *session, PareWindow *self)
{
  update_title (self);
  pare_window_remember (self);
}

static void
on_recipe_changed (PareSession *session, PareWindow *self)
{
  update_actions (self);
}

static void
on_jobs_changed (PareSession *session, PareWindow *self)
{
  update_job (self);
}

static void
on_message (PareSession *session, const char *severity, const char *text, PareWindow *self)
{
  pare_window_toast (self, text);
}

/* --- header --- */

static GtkWidget *
icon_button (const char *icon, const char *action, const char *name)
{
  GtkWidget *b = gtk_button_new_from_icon_name (icon);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (b), action);
  gtk_widget_set_tooltip_text (b, name);
  gtk_accessible_update_property (GTK_ACCESSIBLE (b), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  return b;
}

static GtkWidget *
page_button (PareWindow *self, const char *icon, const char *text, const char *page)
{
  GtkWidget *b = gtk_toggle_button_new (), *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6), *label = gtk_label_new (text);
  gtk_box_append (GTK_BOX (box), gtk_image_new_from_icon_name (icon));
  gtk_box_append (GTK_BOX (box), label);
  gtk_button_set_child (GTK_BUTTON (b), box);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (b), "win.page");
  gtk_actionable_set_action_target (GTK_ACTIONABLE (b), "s", page);
  gtk_widget_set_tooltip_text (b, text);
  gtk_accessible_update_property (GTK_ACCESSIBLE (b), GTK_ACCESSIBLE_PROPERTY_LABEL, text, -1);
  g_ptr_array_add (self->wide_labels, label);
  return b;
}

static GtkWidget *
build_job (PareWindow *self)
{
  GtkWidget *job = pare_job_button_new (), *popover = gtk_popover_new (), *list = pare_jobs_view_new (self->session);
  gtk_widget_set_size_request (list, 620, 180);
  gtk_popover_set_child (GTK_POPOVER (popover), list);
  pare_job_button_set_popover (PARE_JOB_BUTTON (job), GTK_POPOVER (popover));
  g_signal_connect (job, "stop", G_CALLBACK (on_stop), self);
  return job;
}

static GMenuModel *
build_menu (void)
{
  GMenu *menu = g_menu_new ();
  g_autoptr (GMenu) files = g_menu_new (), view = g_menu_new (), about = g_menu_new ();
  g_menu_append (files, _ ("Add _Data…"), "win.open-data");
  g_menu_append (files, _ ("Open _Folder of Data…"), "win.open-data-folder");
  g_menu_append (files, _ ("Save Project _As…"), "win.save-as");
  g_menu_append (files, _ ("_Export ONNX…"), "win.export");
  g_menu_append (files, _ ("_Close Project"), "win.close-project");
  g_menu_append (view, _ ("Layer _Table"), "win.show-table");
  g_menu_append (view, _ ("_Inspector"), "win.show-inspector");
  g_menu_append (view, _ ("_Results"), "win.show-dock");
  g_menu_append (about, _ ("_Preferences"), "win.preferences");
  g_menu_append (about, _ ("_Keyboard Shortcuts"), "win.help");
  g_menu_append (about, _ ("_About Pare"), "win.about");
  g_menu_append_section (menu, NULL, G_MENU_MODEL (files));
  g_menu_append_section (menu, NULL, G_MENU_MODEL (view));
  g_menu_append_section (menu, NULL, G_MENU_MODEL (about));
  return G_MENU_MODEL (menu);
}

static GtkWidget *
build_header (PareWindow *self)
{
  GtkWidget *header = adw_header_bar_new ();
  GtkWidget *open = gtk_button_new (), *content = adw_button_content_new ();
  adw_button_content_set_icon_name (ADW_BUTTON_CONTENT (content), "document-open-symbolic");
  adw_button_content_set_label (ADW_BUTTON_CONTENT (content), _ ("Open"));
  self->open_content = ADW_BUTTON_CONTENT (content);
  gtk_button_set_child (GTK_BUTTON (open), content);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (open), "win.open");
  gtk_widget_set_tooltip_text (open, _ ("Open a model, data or a project (Ctrl+O)"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (open), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Open"), -1);
  adw_header_bar_pack_start (ADW_HEADER_BAR (header), open);

  self->undo_box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0);
  gtk_widget_add_css_class (self->undo_box, "linked");
  self->undo = icon_button ("edit-undo-symbolic", "win.undo", _ ("Undo"));
  self->redo = icon_button ("edit-redo-symbolic", "win.redo", _ ("Redo"));
  gtk_box_append (GTK_BOX (self->undo_box), self->undo);
  gtk_box_append (GTK_BOX (self->undo_box), self->redo);
  adw_header_bar_pack_start (ADW_HEADER_BAR (header), self->undo_box);

  self->pages = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0);
  gtk_widget_add_css_class (self->pages, "linked");
  gtk_box_append (GTK_BOX (self->pages), page_button (self, "pare-graph-symbolic", _ ("Edit"), "edit"));
  gtk_box_append (GTK_BOX (self->pages), page_button (self, "pare-chart-symbolic", _ ("Explore"), "explore"));
  adw_header_bar_pack_start (ADW_HEADER_BAR (header), self->pages);
  self->side = icon_button ("pare-side-symbolic", "win.show-table", _ ("Layer table (F9)"));
  gtk_widget_set_visible (self->side, FALSE);
  adw_header_bar_pack_start (ADW_HEADER_BAR (header), self->side);

  self->title = ADW_WINDOW_TITLE (adw_window_title_new ("Pare", ""));
  adw_header_bar_set_title_widget (ADW_HEADER_BAR (header), GTK_WIDGET (self->title));

  GtkWidget *menu = gtk_menu_button_new ();
  g_autoptr (GMenuModel) model = build_menu ();
  gtk_menu_button_set_icon_name (GTK_MENU_BUTTON (menu), "open-menu-symbolic");
  gtk_menu_button_set_menu_model (GTK_MENU_BUTTON (menu), model);
  gtk_menu_button_set_primary (GTK_MENU_BUTTON (menu), TRUE);
  gtk_widget_set_tooltip_text (menu, _ ("Menu (F10)"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (menu), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Menu"), -1);
  adw_header_bar_pack_end (ADW_HEADER_BAR (header), menu);
  self->job = build_job (self);
  adw_header_bar_pack_end (ADW_HEADER_BAR (header), self->job);
  return header;
}

/* --- narrow --- */

static gboolean
apply_narrow (gpointer data)
{
  PareWindow *self = data;
  self->narrow_idle = 0;
  for (guint i = 0; i < self->wide_labels->len; i++)
    gtk_widget_set_visible (g_ptr_array_index (self->wide_labels, i), !self->narrow);
  adw_button_content_set_label (self->open_content, self->narrow ? "" : _ ("Open"));
  gtk_widget_set_visible (self->side, self->narrow && strcmp (gtk_stack_get_visible_child_name (self->stack), "edit") == 0);
  pare_job_button_set_narrow (PARE_JOB_BUTTON (self->job), self->narrow);
  pare_edit_page_set_narrow (self->edit, self->narrow);
  pare_explore_page_set_narrow (self->explore, self->narrow);
  return G_SOURCE_REMOVE;
}

static void
pare_window_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  PareWindow *self = PARE_WINDOW (widget);
  gboolean narrow = width < NARROW;
  if (narrow != self->narrow && self->narrow_idle == 0)
    self->narrow_idle = g_idle_add (apply_narrow, self);
  self->narrow = narrow;
  GTK_WIDGET_CLASS (pare_window_parent_class)->size_allocate (widget, width, height, baseline);
}

static void
on_dark (PareWindow *self)
{
  if (adw_style_manager_get_dark (adw_style_manager_get_default ()))
    gtk_widget_add_css_class (GTK_WIDGET (self), "pare-dark");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self), "pare-dark");
}

static gboolean
pare_window_close_request (GtkWindow *window)
{
  PareWindow *self = PARE_WINDOW (window);
  pare_window_remember (self);
  pare_session_close (self->session);
  /* A window that was opened in this one's place was there first. */
  for (GList *l = gtk_application_get_windows (gtk_window_get_application (window)); l != NULL; l = l->next)
    if (PARE_IS_WINDOW (l->data))
      pare_welcome_page_refresh (PARE_WINDOW (l->data)->welcome);
  return GTK_WINDOW_CLASS (pare_window_parent_class)->close_request (window);
}

static void
pare_window_dispose (GObject *object)
{
  PareWindow *self = PARE_WINDOW (object);
  g_clear_handle_id (&self->narrow_idle, g_source_remove);
  g_queue_clear_full (&self->to_open, g_free);
  g_clear_pointer (&self->opening_path, g_free);
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  g_signal_handlers_disconnect_by_data (adw_style_manager_get_default (), self);
  g_clear_object (&self->session);
  g_clear_object (&self->selection);
  g_clear_pointer (&self->wide_labels, g_ptr_array_unref);
  G_OBJECT_CLASS (pare_window_parent_class)->dispose (object);
}

static void
pare_window_class_init (PareWindowClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = pare_window_dispose;
  GTK_WIDGET_CLASS (klass)->size_allocate = pare_window_size_allocate;
  GTK_WINDOW_CLASS (klass)->close_request = pare_window_close_request;
}

static void
pare_window_init (PareWindow *self)
{
  self->session = pare_session_new ();
  pare_preferences_attach_session (self->session);
  self->selection = pare_selection_new ();
  self->wide_labels = g_ptr_array_new ();
  g_queue_init (&self->to_open);
  pare_window_add_actions (self);

  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0), *toasts = adw_toast_overlay_new (), *stack = gtk_stack_new ();
  self->toasts = ADW_TOAST_OVERLAY (toasts);
  self->stack = GTK_STACK (stack);
  gtk_widget_set_vexpand (toasts, TRUE);
  gtk_box_append (GTK_BOX (box), build_header (self));
  gtk_box_append (GTK_BOX (box), pare_window_build_trouble (self));
  gtk_box_append (GTK_BOX (box), pare_window_add_drop (self, toasts));
  adw_toast_overlay_set_child (self->toasts, stack);
  self->welcome = PARE_WELCOME_PAGE (pare_welcome_page_new ());
  self->edit = PARE_EDIT_PAGE (pare_edit_page_new (self->session, self->selection));
  self->explore = PARE_EXPLORE_PAGE (pare_explore_page_new (self->session, self->selection));
  gtk_stack_add_named (self->stack, GTK_WIDGET (self->welcome), "welcome");
  gtk_stack_add_named (self->stack, GTK_WIDGET (self->edit), "edit");
  gtk_stack_add_named (self->stack, GTK_WIDGET (self->explore), "explore");
  adw_application_window_set_content (ADW_APPLICATION_WINDOW (self), box);
  gtk_window_set_default_size (GTK_WINDOW (self), 1280, 800);
  gtk_widget_set_size_request (GTK_WIDGET (self), 1000, 640);

  g_signal_connect (self->session, "model-changed", G_CALLBACK (on_model_changed), self);
  g_signal_connect (self->session, "data-changed", G_CALLBACK (on_data_changed), self);
  g_signal_connect (self->session, "recipe-changed", G_CALLBACK (on_recipe_changed), self);
  g_signal_connect (self->session, "jobs-changed", G_CALLBACK (on_jobs_changed), self);
  g_signal_connect (self->session, "message", G_CALLBACK (on_message), self);
  g_signal_connect_swapped (self->session, "saved-changed", G_CALLBACK (update_title), self);
  g_signal_connect_swapped (self->session, "saved-changed", G_CALLBACK (pare_window_update_trouble), self);
  g_signal_connect_swapped (adw_style_manager_get_default (), "notify::dark", G_CALLBACK (on_dark), self);
  on_dark (self);
  update_actions (self);
  update_job (self);
  pare_window_show_page (self, "welcome");
}

PareWindow *
pare_window_new (PareApplication *application)
{
  return g_object_new (PARE_TYPE_WINDOW, "application", application, NULL);
}

PareSession *
pare_window_get_session (PareWindow *self)
{
  return self->session;
}
