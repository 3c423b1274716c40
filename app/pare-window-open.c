/* How files come into the window, by dialog, by name and by drag and drop; how the project goes under another name; and why nothing is
 * saved. */
#include "app/pare-window-private.h"
#include "app/pare-recent.h"
#include "engine/base/pare-error.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

/* --- what went wrong --- */

void
pare_window_alert (PareWindow *self, const char *heading, const char *body)
{
  GtkWidget *dialog = adw_message_dialog_new (GTK_WINDOW (self), heading, body);
  adw_message_dialog_add_response (ADW_MESSAGE_DIALOG (dialog), "close", _ ("_Close"));
  gtk_window_present (GTK_WINDOW (dialog));
}

/* "a PDF document", where the system knows it; NULL for what could be ours and has its own message. */
static char *
describe_kind (const char *path)
{
  static const char *const ours[] = { ".onnx", ".pare", ".json", ".csv", ".npy", ".npz", ".gz", "ubyte", ".bin" };
  g_autofree char *name = g_ascii_strdown (path, -1);
  for (guint i = 0; i < G_N_ELEMENTS (ours); i++)
    if (g_str_has_suffix (name, ours[i]))
      return NULL;
  if (!g_file_test (path, G_FILE_TEST_IS_REGULAR))
    return NULL;
  guchar head[4096];
  FILE *file = fopen (path, "rbe");
  gsize n = file != NULL ? fread (head, 1, sizeof head, file) : 0;
  if (file != NULL)
    fclose (file);
  g_autofree char *type = g_content_type_guess (path, head, n, NULL);
  return type != NULL && !g_content_type_is_unknown (type) ? g_content_type_get_description (type) : NULL;
}

static void
tell_not_opened (PareWindow *self, const char *path, const char *reason)
{
  g_autofree char *base = g_path_get_basename (path), *shown = g_filename_display_name (base), *kind = describe_kind (path);
  g_autofree char *heading = g_strdup_printf (_ ("“%s” could not be opened"), shown);
  g_autoptr (GString) body = g_string_new (reason);
  if (kind != NULL)
    g_string_append_printf (body, _ ("\n\nIt looks like: %s."), kind);
  g_string_append (body, "\n\n");
  g_string_append (body, pare_session_get_graph (self->session) != NULL
                             ? _ ("What fits: an ONNX model, a Pare project, a recipe, or data: a folder of pictures by class, a data "
                                  "description (JSON), NPY, NPZ, IDX or CSV.")
                             : _ ("What fits: an ONNX model, a Pare project, or data: a folder of pictures by class, a data description "
                                  "(JSON), NPY, NPZ, IDX or CSV."));
  pare_window_alert (self, heading, body->str);
}

/* --- opening, one file after the other --- */

static void open_next (PareWindow *self);

/* Going on with what was there is what nearly everybody wants, so it needs no question; but a way back. */
static void
tell_continued (PareWindow *self)
{
  gint64 when = pare_session_get_continued (self->session);
  if (when == 0 || when == self->told_continued)
    return;
  self->told_continued = when;
  g_autoptr (GDateTime) then = g_date_time_new_from_unix_local (when);
  g_autofree char *date = then != NULL ? g_date_time_format (then, "%e %B, %H:%M") : NULL;
  if (date == NULL)
    return;
  g_autofree char *text = g_strdup_printf (_ ("Continued from %s"), g_strstrip (date));
  AdwToast *toast = adw_toast_new (text);
  adw_toast_set_timeout (toast, 12);
  adw_toast_set_button_label (toast, _ ("Start Fresh"));
  adw_toast_set_action_name (toast, "win.start-fresh");
  adw_toast_set_priority (toast, ADW_TOAST_PRIORITY_HIGH);
  adw_toast_overlay_add_toast (self->toasts, toast);
}

static void
on_opened (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (PareWindow) self = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_steal_pointer (&self->opening_path);
  self->opening = FALSE;
  gboolean ok = pare_session_open_finish (PARE_SESSION (source), result, &error);
  if (self->session == NULL) /* the window has gone meanwhile */
    return;
  if (ok)
    tell_continued (self);
  else if (!g_error_matches (error, PARE_ERROR, PARE_ERROR_CANCELLED) && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      tell_not_opened (self, path != NULL ? path : "", error->message);
      g_queue_clear_full (&self->to_open, g_free);
    }
  open_next (self);
}

static void
open_next (PareWindow *self)
{
  if (self->opening)
    return;
  char *path = g_queue_pop_head (&self->to_open);
  gboolean fresh = path == NULL && self->fresh_wanted;
  self->opening = path != NULL || fresh;
  if (fresh)
    {
      self->fresh_wanted = FALSE;
      pare_session_start_fresh_async (self->session, NULL, on_opened, g_object_ref (self));
    }
  if (path == NULL)
    return;
  g_free (self->opening_path);
  self->opening_path = path;
  pare_session_open_async (self->session, path, NULL, on_opened, g_object_ref (self));
}

static void
on_start_fresh (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  PareWindow *self = data;
  self->fresh_wanted = TRUE; /* its data may still be on its way */
  open_next (self);
}

void
pare_window_open_path (PareWindow *self, const char *path)
{
  g_queue_push_tail (&self->to_open, g_strdup (path));
  open_next (self);
}

/* What others need comes first: a model or a project, then its data, then a recipe for it. */
static int
rank (const char *path)
{
  g_autofree char *name = g_ascii_strdown (path, -1);
  if (g_str_has_suffix (name, ".pare") || g_str_has_suffix (name, ".onnx"))
    return 0;
  return strstr (name, "recipe") != NULL && g_str_has_suffix (name, ".json") ? 2 : 1;
}

void
pare_window_open_files (PareWindow *self, GFile **files, guint n_files)
{
  for (int r = 0; r < 3; r++)
    for (guint i = 0; i < n_files; i++)
      {
        g_autofree char *path = g_file_get_path (files[i]);
        if (path != NULL && rank (path) == r)
          g_queue_push_tail (&self->to_open, g_steal_pointer (&path));
        else if (path == NULL && r == 0)
          {
            g_autofree char *uri = g_file_get_uri (files[i]);
            tell_not_opened (self, uri, _ ("It is not a file of this computer; download it first."));
          }
      }
  open_next (self);
}

void
pare_window_open_sample (PareWindow *self)
{
  g_autofree char *model = pare_application_dup_sample ("sample.onnx"), *data = pare_application_dup_sample ("dataset.json");
  if (model == NULL || data == NULL)
    {
      pare_window_alert (self, _ ("The bundled sample is not installed"),
                         _ ("Build it with ./dev build, or set PARE_SAMPLE to its folder."));
      return;
    }
  g_queue_push_tail (&self->to_open, g_steal_pointer (&model));
  g_queue_push_tail (&self->to_open, g_steal_pointer (&data));
  open_next (self);
}

/* --- drag and drop --- */

static void update_drop (PareWindow *self);

static gboolean
on_drop (GtkDropTarget *target, const GValue *value, double x, double y, PareWindow *self)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new ();
  for (GSList *l = g_value_get_boxed (value); l != NULL; l = l->next)
    g_ptr_array_add (files, l->data);
  /* No "leave" follows a drop. */
  self->dragging = FALSE;
  update_drop (self);
  pare_window_open_files (self, (GFile **)files->pdata, files->len);
  return files->len > 0;
}

/* What would be opened, as soon as the source has said it. */
static void
update_drop (PareWindow *self)
{
  const GValue *value = self->dragging ? gtk_drop_target_get_value (self->drop) : NULL;
  GSList *files = value != NULL && G_VALUE_HOLDS (value, GDK_TYPE_FILE_LIST) ? g_value_get_boxed (value) : NULL;
  g_autofree char *name = NULL, *what = NULL, *text = NULL;
  guint n = g_slist_length (files);
  GFile *first = NULL;
  for (int r = 0; first == NULL && r < 3; r++)
    for (GSList *l = files; first == NULL && l != NULL; l = l->next)
      {
        g_autofree char *base = g_file_get_basename (l->data);
        if (rank (base) == r)
          first = l->data;
      }
  if (first != NULL)
    {
      g_autofree char *base = g_file_get_basename (first);
      name = g_filename_display_name (base);
    }
  if (name != NULL && n > 1)
    what = g_strdup_printf (ngettext ("%s and %u more", "%s and %u more", n - 1), name, n - 1);
  else
    what = g_strdup (name);
  text = what != NULL ? g_strdup_printf (_ ("Open %s"), what) : g_strdup (_ ("Drop to open"));
  gboolean welcome = g_strcmp0 (gtk_stack_get_visible_child_name (self->stack), "welcome") == 0;
  pare_welcome_page_set_drop (self->welcome, self->dragging, what);
  gtk_label_set_text (GTK_LABEL (self->drop_text), text);
  gtk_widget_set_visible (self->drop_frame, self->dragging && !welcome);
}

static GdkDragAction
on_drag_enter (GtkDropTarget *target, double x, double y, PareWindow *self)
{
  self->dragging = TRUE;
  update_drop (self);
  return GDK_ACTION_COPY;
}

static void
on_drag_leave (GtkDropTarget *target, PareWindow *self)
{
  self->dragging = FALSE;
  update_drop (self);
}

GtkWidget *
pare_window_add_drop (PareWindow *self, GtkWidget *child)
{
  GtkWidget *overlay = gtk_overlay_new ();
  gtk_overlay_set_child (GTK_OVERLAY (overlay), child);
  self->drop_frame = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  self->drop_text = gtk_label_new ("");
  gtk_label_set_ellipsize (GTK_LABEL (self->drop_text), PANGO_ELLIPSIZE_MIDDLE);
  gtk_widget_add_css_class (self->drop_text, "pare-title-1");
  gtk_widget_add_css_class (self->drop_text, "pare-osd");
  gtk_widget_add_css_class (self->drop_text, "pare-drop-label");
  gtk_widget_add_css_class (self->drop_frame, "pare-drop-over");
  gtk_widget_set_halign (self->drop_text, GTK_ALIGN_CENTER);
  gtk_widget_set_valign (self->drop_text, GTK_ALIGN_CENTER);
  gtk_widget_set_vexpand (self->drop_text, TRUE);
  gtk_box_append (GTK_BOX (self->drop_frame), self->drop_text);
  gtk_widget_set_can_target (self->drop_frame, FALSE);
  gtk_widget_set_visible (self->drop_frame, FALSE);
  gtk_overlay_add_overlay (GTK_OVERLAY (overlay), self->drop_frame);

  self->drop = gtk_drop_target_new (GDK_TYPE_FILE_LIST, GDK_ACTION_COPY);
  gtk_drop_target_set_preload (self->drop, TRUE);
  g_signal_connect (self->drop, "drop", G_CALLBACK (on_drop), self);
  g_signal_connect (self->drop, "enter", G_CALLBACK (on_drag_enter), self);
  g_signal_connect (self->drop, "leave", G_CALLBACK (on_drag_leave), self);
  g_signal_connect_swapped (self->drop, "notify::value", G_CALLBACK (update_drop), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (self->drop));

  g_autoptr (GSimpleAction) fresh = g_simple_action_new ("start-fresh", NULL);
  g_signal_connect (fresh, "activate", G_CALLBACK (on_start_fresh), self);
  g_action_map_add_action (G_ACTION_MAP (self), G_ACTION (fresh));
  return overlay;
}

/* --- saving --- */

static void
on_saved_as (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (PareWindow) self = data;
  g_autoptr (GError) error = NULL;
  gboolean ok = pare_session_save_as_finish (PARE_SESSION (source), result, &error);
  if (self->session == NULL)
    return;
  if (ok)
    pare_window_remember (self);
  else if (!g_error_matches (error, PARE_ERROR, PARE_ERROR_CANCELLED))
    pare_window_alert (self, _ ("The project could not be saved"), error->message);
}

void
pare_window_save_as (PareWindow *self, const char *path)
{
  pare_session_save_as_async (self->session, path, NULL, on_saved_as, g_object_ref (self));
}

GtkWidget *
pare_window_build_trouble (PareWindow *self)
{
  GtkWidget *button = gtk_button_new_with_mnemonic (_ ("Save _As…"));
  self->trouble = gtk_info_bar_new ();
  self->trouble_text = gtk_label_new (NULL);
  gtk_label_set_wrap (GTK_LABEL (self->trouble_text), TRUE);
  gtk_label_set_wrap_mode (GTK_LABEL (self->trouble_text), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_xalign (GTK_LABEL (self->trouble_text), 0);
  gtk_widget_set_hexpand (self->trouble_text, TRUE);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (button), "win.save-as");
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  gtk_info_bar_set_message_type (GTK_INFO_BAR (self->trouble), GTK_MESSAGE_WARNING);
  gtk_info_bar_add_child (GTK_INFO_BAR (self->trouble), self->trouble_text);
  gtk_info_bar_add_action_widget (GTK_INFO_BAR (self->trouble), button, GTK_RESPONSE_NONE);
  gtk_info_bar_set_revealed (GTK_INFO_BAR (self->trouble), FALSE);
  gtk_widget_set_visible (self->trouble, FALSE);
  return self->trouble;
}

void
pare_window_update_trouble (PareWindow *self)
{
  const char *text = pare_session_get_save_trouble (self->session);
  if (text == NULL && pare_session_get_graph (self->session) != NULL && pare_session_is_read_only (self->session))
    text = _ ("This project is open for reading only: changes are not saved. Save it under another name to keep them.");
  if (text != NULL)
    gtk_label_set_text (GTK_LABEL (self->trouble_text), text);
  gtk_widget_set_visible (self->trouble, text != NULL);
  gtk_info_bar_set_revealed (GTK_INFO_BAR (self->trouble), text != NULL);
}

/* --- recent projects --- */

static char *
figures (PareWindow *self)
{
  PareSize size, original;
  g_autoptr (GString) text = g_string_new (NULL);
  PareOrigin origin;
  const PareEvaluation *evaluation = pare_session_get_evaluation (self->session, &origin);
  if (pare_session_is_untouched (self->session))
    return NULL;
  if (pare_session_get_size (self->session, &size, &original, NULL, NULL) && original.packed_bytes > 0)
    g_string_append_printf (text, _ ("%+.0f %% size"), 100.0 * (size.packed_bytes - original.packed_bytes) / original.packed_bytes);
  if (evaluation != NULL && origin == PARE_ORIGIN_MEASURED && evaluation->has_difference)
    g_string_append_printf (text, _ ("\n%+.2f pp"), 100 * evaluation->difference);
  for (gsize at = 0; at < text->len; at++)
    if (text->str[at] == '-')
      {
        g_string_erase (text, (gssize)at, 1);
        g_string_insert (text, (gssize)at, "−");
      }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

void
pare_window_remember (PareWindow *self)
{
  const PareGraph *graph = pare_session_get_graph (self->session);
  const char *project = pare_session_get_project_path (self->session);
  if (graph == NULL || project == NULL)
    return;
  PareDataset *data = pare_session_get_dataset (self->session);
  g_autofree char *model = graph->path != NULL ? pare_window_base_name (graph->path) : g_strdup (""), *now = figures (self);
  g_autofree char *model_path = graph->path != NULL ? g_canonicalize_filename (graph->path, NULL) : NULL;
  g_autofree char *data_path = data != NULL ? g_canonicalize_filename (pare_dataset_get_path (data), NULL) : NULL;
  g_autoptr (GString) detail = g_string_new (model);
  g_string_append_printf (detail, " · %s", data != NULL ? pare_dataset_get_name (data) : _ ("no data"));
  /* A project that goes when it is closed is found again by its model. */
  gboolean untouched = pare_session_is_untouched (self->session) && model_path != NULL;
  g_autofree char *title = pare_window_base_name (untouched ? model_path : project);
  PareRecent recent = { .path = untouched ? model_path : (char *)project,
                        .data = untouched ? data_path : NULL,
                        .title = title,
                        .detail = detail->str,
                        .figures = now };
  if (!untouched && model_path != NULL)
    pare_recent_remove (model_path);
  pare_recent_add (&recent);
}
