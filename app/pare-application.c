#include "app/pare-application.h"
#include "app/pare-preferences.h"
#include "app/pare-window.h"

#include <glib/gi18n.h>

struct _PareApplication
{
  AdwApplication parent_instance;
};

G_DEFINE_FINAL_TYPE (PareApplication, pare_application, ADW_TYPE_APPLICATION)

static const struct
{
  const char *action;
  const char *keys[4];
} accels[] = {
  { "win.open", { "<Control>o" } },
  { "win.save", { "<Control>s" } },
  { "win.save-as", { "<Control><Shift>s" } },
  { "win.undo", { "<Control>z" } },
  { "win.redo", { "<Control><Shift>z", "<Control>y" } },
  { "win.find", { "<Control>f" } },
  { "win.find-next", { "<Control>g" } },
  { "win.find-previous", { "<Control><Shift>g" } },
  { "win.export", { "<Control>e" } },
  { "win.measure", { "<Control>r" } },
  { "win.cancel-job", { "<Control>period" } },
  { "win.page::edit", { "<Alt>1" } },
  { "win.page::explore", { "<Alt>2" } },
  { "win.show-table", { "F9" } },
  { "win.show-inspector", { "<Shift>F9" } },
  { "win.properties", { "<Control>Return", "<Control>KP_Enter" } },
  { "win.show-dock", { "<Control>j" } },
  { "win.fullscreen", { "F11" } },
  { "win.help", { "F1", "<Control>question" } },
  { "win.next-region", { "F6" } },
  { "win.previous-region", { "<Shift>F6" } },
  { "win.zoom-in", { "<Control>plus", "<Control>equal", "<Control>KP_Add" } },
  { "win.zoom-out", { "<Control>minus", "<Control>KP_Subtract" } },
  { "win.zoom-original", { "<Control>0" } },
  { "win.next-colour", { "<Control><Shift>c" } },
  { "graph.show-attributes", { "<Control>d" } },
  { "graph.show-constants", { "<Control>i" } },
  { "graph.show-names", { "<Control>u" } },
  { "graph.wheel-zooms", { "<Control>m" } },
  { "graph.export-png", { "<Control><Shift>e" } },
  { "graph.export-svg", { "<Control><Alt>e" } },
  { "win.preferences", { "<Control>comma" } },
  { "win.close", { "<Control>w" } },
  { "app.quit", { "<Control>q" } },
};

static PareWindow *
get_window (PareApplication *self)
{
  GtkWindow *window = gtk_application_get_active_window (GTK_APPLICATION (self));
  return window != NULL ? PARE_WINDOW (window) : pare_window_new (self);
}

static void
on_quit (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  GList *windows = g_list_copy (gtk_application_get_windows (data));
  for (GList *l = windows; l != NULL; l = l->next)
    gtk_window_close (l->data);
  g_list_free (windows);
}

static void
pare_application_activate (GApplication *application)
{
  gtk_window_present (GTK_WINDOW (get_window (PARE_APPLICATION (application))));
}

static void
pare_application_open (GApplication *application, GFile **files, int n_files, const char *hint)
{
  PareWindow *window = get_window (PARE_APPLICATION (application));
  gtk_window_present (GTK_WINDOW (window));
  pare_window_open_files (window, files, (guint)n_files);
}

static int
pare_application_handle_options (GApplication *application, GVariantDict *options)
{
  if (g_variant_dict_contains (options, "version"))
    {
      g_print ("pare-workbench %s\n", PARE_VERSION);
      return 0;
    }
  return -1;
}

static int
pare_application_command_line (GApplication *application, GApplicationCommandLine *line)
{
  GVariantDict *options = g_application_command_line_get_options_dict (line);
  g_auto (GStrv) arguments = g_application_command_line_get_arguments (line, NULL);
  PareWindow *window = get_window (PARE_APPLICATION (application));
  const char *page = NULL;
  if (arguments[0] != NULL && arguments[1] != NULL)
    {
      g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_object_unref);
      for (guint i = 1; arguments[i] != NULL; i++)
        g_ptr_array_add (files, g_application_command_line_create_file_for_arg (line, arguments[i]));
      pare_window_open_files (window, (GFile **)files->pdata, files->len);
    }
  else if (g_variant_dict_contains (options, "sample"))
    pare_window_open_sample (window);
  if (g_variant_dict_lookup (options, "page", "&s", &page))
    g_action_group_activate_action (G_ACTION_GROUP (window), "page", g_variant_new_string (page));
  gtk_window_present (GTK_WINDOW (window));
  return 0;
}

static void
pare_application_startup (GApplication *application)
{
  G_APPLICATION_CLASS (pare_application_parent_class)->startup (application);
  static const GActionEntry actions[] = { { "quit", on_quit } };
  g_action_map_add_action_entries (G_ACTION_MAP (application), actions, G_N_ELEMENTS (actions), application);
  for (guint i = 0; i < G_N_ELEMENTS (accels); i++)
    gtk_application_set_accels_for_action (GTK_APPLICATION (application), accels[i].action, accels[i].keys);
  /* GTK's own fallback means that no desktop named a font: take the one the window is drawn for */
  g_autofree char *font = NULL;
  GtkSettings *settings = gtk_settings_get_default ();
  g_object_get (settings, "gtk-font-name", &font, NULL);
  if (g_strcmp0 (font, "Sans 10") == 0 || font == NULL)
    g_object_set (settings, "gtk-font-name", "Cantarell 11", NULL);
  g_autoptr (GtkCssProvider) css = gtk_css_provider_new ();
  gtk_css_provider_load_from_resource (css, "/io/github/pare/Pare/style.css");
  gtk_style_context_add_provider_for_display (gdk_display_get_default (), GTK_STYLE_PROVIDER (css),
                                              GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
  pare_preferences_apply ();
  gtk_icon_theme_add_resource_path (gtk_icon_theme_get_for_display (gdk_display_get_default ()), "/io/github/pare/Pare/icons");
}

static void
pare_application_class_init (PareApplicationClass *klass)
{
  GApplicationClass *application = G_APPLICATION_CLASS (klass);
  application->activate = pare_application_activate;
  application->open = pare_application_open;
  application->startup = pare_application_startup;
  application->command_line = pare_application_command_line;
  application->handle_local_options = pare_application_handle_options;
}

static void
pare_application_init (PareApplication *self)
{
  static const GOptionEntry entries[] = {
    { "version", 0, 0, G_OPTION_ARG_NONE, NULL, N_ ("Print the version"), NULL },
    { "sample", 0, 0, G_OPTION_ARG_NONE, NULL, N_ ("Open the bundled sample"), NULL },
    { "page", 0, 0, G_OPTION_ARG_STRING, NULL, N_ ("Show a page: edit or explore"), "PAGE" },
    { NULL },
  };
  g_application_add_main_option_entries (G_APPLICATION (self), entries);
  g_application_set_option_context_parameter_string (G_APPLICATION (self), "[MODEL.onnx|PROJECT.pare] [DATA]");
}

PareApplication *
pare_application_new (void)
{
  return g_object_new (PARE_TYPE_APPLICATION, "application-id", "io.github.pare.Pare", "flags",
                       G_APPLICATION_HANDLES_OPEN | G_APPLICATION_HANDLES_COMMAND_LINE | G_APPLICATION_NON_UNIQUE, NULL);
}

char *
pare_application_dup_sample (const char *file)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = program != NULL ? g_path_get_dirname (program) : NULL;
  g_autofree char *in_build = folder != NULL ? g_build_filename (folder, "..", "data", "sample", NULL) : NULL;
  g_autofree char *installed = folder != NULL ? g_build_filename (folder, "..", "share", "pare", "sample", NULL) : NULL;
  const char *places[] = { g_getenv ("PARE_SAMPLE"), in_build, installed };
  for (guint i = 0; i < G_N_ELEMENTS (places); i++)
    if (places[i] != NULL)
      {
        char *path = g_build_filename (places[i], file, NULL);
        if (g_file_test (path, G_FILE_TEST_EXISTS))
          {
            char *canonical = g_canonicalize_filename (path, NULL);
            g_free (path);
            return canonical;
          }
        g_free (path);
      }
  return NULL;
}
