#include "app/pare-window-private.h"

#include "app/pare-preferences.h"
#include "engine/base/pare-error.h"

#include <glib/gi18n.h>
#include <string.h>

void
pare_window_enable (PareWindow *self, const char *name, gboolean enabled)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self), name);
  g_simple_action_set_enabled (G_SIMPLE_ACTION (action), enabled);
}

/* --- choosing files --- */

typedef enum
{
  CHOOSE_ANY,
  CHOOSE_DATA,
  CHOOSE_DATA_FOLDER,
  CHOOSE_PROJECT,
  CHOOSE_SAVE,
  CHOOSE_EXPORT
} Choice;

static void
on_exported (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (PareWindow) self = data;
  g_autoptr (GError) error = NULL;
  gboolean ok = pare_session_export_finish (PARE_SESSION (source), result, &error);
  if (self->session == NULL) /* the window has gone meanwhile */
    return;
  if (ok)
    pare_window_toast (self, _ ("Exported"));
  else if (!g_error_matches (error, PARE_ERROR, PARE_ERROR_CANCELLED))
    pare_window_alert (self, _ ("The model could not be exported"), error->message);
}

static void
on_chosen (GtkNativeDialog *dialog, int response, PareWindow *self)
{
  Choice choice = GPOINTER_TO_INT (g_object_get_data (G_OBJECT (dialog), "choice"));
  g_autoptr (GFile) file = response == GTK_RESPONSE_ACCEPT ? gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog)) : NULL;
  g_autofree char *path = file != NULL ? g_file_get_path (file) : NULL;
  g_object_unref (dialog);
  if (path == NULL)
    return;
  switch (choice)
    {
    case CHOOSE_SAVE:
      pare_window_save_as (self, path);
      break;
    case CHOOSE_EXPORT:
      pare_session_export_async (self->session, path, NULL, on_exported, g_object_ref (self));
      break;
    default:
      pare_window_open_path (self, path);
    }
}

static void
choose (PareWindow *self, Choice choice)
{
  static const struct
  {
    const char *title, *accept;
    GtkFileChooserAction action;
  } kinds[] = {
    [CHOOSE_ANY] = { N_ ("Open a Model, Data or a Project"), N_ ("_Open"), GTK_FILE_CHOOSER_ACTION_OPEN },
    [CHOOSE_DATA] = { N_ ("Add Data"), N_ ("_Open"), GTK_FILE_CHOOSER_ACTION_OPEN },
    [CHOOSE_DATA_FOLDER] = { N_ ("Add a Folder of Data"), N_ ("_Open"), GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER },
    [CHOOSE_PROJECT] = { N_ ("Open a Project"), N_ ("_Open"), GTK_FILE_CHOOSER_ACTION_OPEN },
    [CHOOSE_SAVE] = { N_ ("Save the Project As"), N_ ("_Save"), GTK_FILE_CHOOSER_ACTION_SAVE },
    [CHOOSE_EXPORT] = { N_ ("Export ONNX"), N_ ("_Export"), GTK_FILE_CHOOSER_ACTION_SAVE },
  };
  GtkFileChooserNative *dialog
      = gtk_file_chooser_native_new (_ (kinds[choice].title), GTK_WINDOW (self), kinds[choice].action, _ (kinds[choice].accept), NULL);
  g_object_set_data (G_OBJECT (dialog), "choice", GINT_TO_POINTER (choice));
  if (choice == CHOOSE_ANY || choice == CHOOSE_PROJECT)
    {
      g_autoptr (GtkFileFilter) known = gtk_file_filter_new (), all = gtk_file_filter_new ();
      gtk_file_filter_set_name (known, choice == CHOOSE_ANY ? _ ("Models, data and projects") : _ ("Projects"));
      static const char *const suffixes[] = { "pare", "onnx", "json", "npz", "npy", "csv" };
      for (guint i = 0; i < (choice == CHOOSE_ANY ? G_N_ELEMENTS (suffixes) : 1); i++)
        gtk_file_filter_add_suffix (known, suffixes[i]);
      gtk_file_filter_set_name (all, _ ("All files"));
      gtk_file_filter_add_pattern (all, "*");
      gtk_file_chooser_add_filter (GTK_FILE_CHOOSER (dialog), known);
      gtk_file_chooser_add_filter (GTK_FILE_CHOOSER (dialog), all);
    }
  if (choice == CHOOSE_SAVE)
    gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (dialog), "project.pare");
  if (choice == CHOOSE_EXPORT)
    gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (dialog), "compressed.onnx");
  g_signal_connect_object (dialog, "response", G_CALLBACK (on_chosen), self, 0);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

/* --- shortcuts and about --- */

static void
show_shortcuts (PareWindow *self)
{
  static const struct
  {
    const char *group;
    const char *keys;
    const char *title;
  } all[] = {
    { N_ ("Project"), "<Control>o", N_ ("Open a model, data or a project") },
    { NULL, "<Control>s <Control><Shift>s", N_ ("Save, save the project as") },
    { NULL, "<Control>e", N_ ("Export ONNX") },
    { NULL, "<Control>z", N_ ("Undo") },
    { NULL, "<Control><Shift>z", N_ ("Redo") },
    { NULL, "<Control>r", N_ ("Measure latency now") },
    { NULL, "<Control>period", N_ ("Stop the running job") },
    { NULL, "<Control>w <Control>q", N_ ("Close the window, quit") },
    { N_ ("Graph"), "<Control>f", N_ ("Find") },
    { NULL, "<Control>g <Control><Shift>g", N_ ("Next, previous hit") },
    { NULL, "<Control>plus <Control>minus <Control>0", N_ ("Zoom in, out, 100 %") },
    { NULL, "f <Shift>f", N_ ("Fit the graph, the selection") },
    { NULL, "Up Down Left Right", N_ ("Move along edges and among siblings") },
    { NULL, "Return BackSpace", N_ ("Unfold; to the parent group") },
    { NULL, "Home End", N_ ("To the input, the output") },
    { NULL, "Page_Up Page_Down", N_ ("Scroll by a screen") },
    /* xgettext:no-c-format */
    { NULL, "<Shift>Up <Shift>Down <Shift>BackSpace", N_ ("Zoom in, out, 100 % on the canvas") },
    { N_ ("What the graph shows"), "<Control><Shift>c", N_ ("Next colouring") },
    { NULL, "b", N_ ("Held: show the original") },
    { NULL, "<Control>d <Control>i <Control>u", N_ ("Nodes show attributes, initializers, names") },
    { NULL, "<Control>m", N_ ("The wheel zooms or scrolls") },
    { NULL, "<Control>Return", N_ ("Show the inspector") },
    { NULL, "Menu <Shift>F10", N_ ("What can be done with the node") },
    { NULL, "<Control><Shift>e <Control><Alt>e", N_ ("Save the graph as PNG, as SVG") },
    { N_ ("Selected layers"), "2...8", N_ ("Weight bits") },
    { NULL, "<Shift>2...8", N_ ("Activation bits") },
    { NULL, "0", N_ ("Float") },
    { NULL, "p", N_ ("Prune") },
    { NULL, "r", N_ ("Rank") },
    { NULL, "x", N_ ("Exclude") },
    { NULL, "Delete", N_ ("Back to the defaults") },
    { N_ ("Window"), "<Alt>1 <Alt>2", N_ ("Edit, Explore") },
    { NULL, "F9 <Shift>F9 <Control>j", N_ ("Layer table, inspector, results") },
    { NULL, "F6 <Shift>F6", N_ ("Next, previous region") },
    { NULL, "F10", N_ ("Menu") },
    { NULL, "F1 <Control>question", N_ ("These shortcuts") },
    { NULL, "F11", N_ ("Full screen") },
    { NULL, "<Control>comma", N_ ("Preferences") },
  };
  g_autoptr (GString) ui = g_string_new ("<interface><object class='GtkShortcutsWindow' id='w'><property name='modal'>1</property><child>"
                                         "<object class='GtkShortcutsSection'><property name='max-height'>12</property>");
  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    {
      if (all[i].group != NULL)
        {
          g_autofree char *title = g_markup_escape_text (_ (all[i].group), -1);
          g_string_append_printf (ui, "%s<child><object class='GtkShortcutsGroup'><property name='title'>%s</property>",
                                  i > 0 ? "</object></child>" : "", title);
        }
      g_autofree char *title = g_markup_escape_text (_ (all[i].title), -1), *keys = g_markup_escape_text (all[i].keys, -1);
      g_string_append_printf (ui,
                              "<child><object class='GtkShortcutsShortcut'><property name='accelerator'>%s</property><property "
                              "name='title'>%s</property></object></child>",
                              keys, title);
    }
  g_string_append (ui, "</object></child></object></child></object></interface>");
  g_autoptr (GtkBuilder) builder = gtk_builder_new_from_string (ui->str, (gssize)ui->len);
  GtkWindow *window = GTK_WINDOW (gtk_builder_get_object (builder, "w"));
  gtk_window_set_transient_for (window, GTK_WINDOW (self));
  gtk_window_present (window);
}

static void
show_about (PareWindow *self)
{
  adw_show_about_window (GTK_WINDOW (self), "application-name", "Pare", "version", PARE_VERSION, "comments",
                         _ ("See a trained network layer by layer, shrink it by hand, and watch what each touch costs."), "license-type",
                         GTK_LICENSE_APACHE_2_0, NULL);
}

/* --- actions --- */

static void
on_simple (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  PareWindow *self = data;
  const char *name = g_action_get_name (G_ACTION (action));
  if (strcmp (name, "open") == 0)
    choose (self, CHOOSE_ANY);
  else if (strcmp (name, "open-data") == 0)
    choose (self, CHOOSE_DATA);
  else if (strcmp (name, "open-data-folder") == 0)
    choose (self, CHOOSE_DATA_FOLDER);
  else if (strcmp (name, "open-project") == 0)
    choose (self, CHOOSE_PROJECT);
  else if (strcmp (name, "open-sample") == 0)
    pare_window_open_sample (self);
  else if (strcmp (name, "save-as") == 0)
    choose (self, CHOOSE_SAVE);
  else if (strcmp (name, "save") == 0)
    pare_window_toast (self, _ ("The project is saved after every edit"));
  else if (strcmp (name, "export") == 0)
    choose (self, CHOOSE_EXPORT);
  else if (strcmp (name, "undo") == 0)
    pare_session_undo (self->session);
  else if (strcmp (name, "redo") == 0)
    pare_session_redo (self->session);
  else if (strcmp (name, "measure") == 0)
    pare_session_measure (self->session);
  else if (strcmp (name, "cancel-job") == 0)
    {
      if (pare_session_get_n_jobs (self->session) > 0)
        pare_session_cancel_job (self->session, 0);
    }
  else if (strcmp (name, "close-project") == 0)
    {
      PareWindow *next = pare_window_new (PARE_APPLICATION (gtk_window_get_application (GTK_WINDOW (self))));
      gtk_window_present (GTK_WINDOW (next));
      gtk_window_close (GTK_WINDOW (self));
    }
  else if (strcmp (name, "close") == 0)
    gtk_window_close (GTK_WINDOW (self));
  else if (strcmp (name, "fullscreen") == 0)
    g_object_set (self, "fullscreened", !gtk_window_is_fullscreen (GTK_WINDOW (self)), NULL);
  else if (strcmp (name, "help") == 0)
    show_shortcuts (self);
  else if (strcmp (name, "preferences") == 0)
    pare_preferences_show (GTK_WINDOW (self), self->session);
  else if (strcmp (name, "about") == 0)
    show_about (self);
  else
    pare_edit_page_command (self->edit, name);
}

static void
on_open_path (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  pare_window_open_path (data, g_variant_get_string (parameter, NULL));
}

static void
on_focus_knob (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  pare_edit_page_focus_knob (((PareWindow *)data)->edit, g_variant_get_string (parameter, NULL));
}

static void
on_dock (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  PareWindow *self = data;
  pare_window_show_page (self, "edit");
  pare_edit_page_show_dock (self->edit, g_variant_get_string (parameter, NULL));
}

static void
on_page (GSimpleAction *action, GVariant *value, gpointer data)
{
  const char *page = g_variant_get_string (value, NULL);
  if (strcmp (page, "edit") == 0 || strcmp (page, "explore") == 0)
    pare_window_show_page (data, page);
}

void
pare_window_add_actions (PareWindow *self)
{
  static const char *const simple[] = {
    "open",        "open-data",   "open-data-folder", "open-project",  "open-sample",    "save",      "save-as",       "export",
    "undo",        "redo",        "measure",          "cancel-job",    "close-project",  "close",     "fullscreen",    "help",
    "about",       "find",        "find-next",        "find-previous", "zoom-in",        "zoom-out",  "zoom-original", "zoom-fit",
    "next-colour", "preferences", "properties",       "show-table",    "show-inspector", "show-dock", "next-region",   "previous-region"
  };
  for (guint i = 0; i < G_N_ELEMENTS (simple); i++)
    {
      g_autoptr (GSimpleAction) action = g_simple_action_new (simple[i], NULL);
      g_signal_connect (action, "activate", G_CALLBACK (on_simple), self);
      g_action_map_add_action (G_ACTION_MAP (self), G_ACTION (action));
    }
  static const GActionEntry entries[] = {
    { "open-path", on_open_path, "s" },
    { "dock", on_dock, "s" },
    { "focus-knob", on_focus_knob, "s" },
    { "page", NULL, "s", "'edit'", on_page },
  };
  g_action_map_add_action_entries (G_ACTION_MAP (self), entries, G_N_ELEMENTS (entries), self);
}
