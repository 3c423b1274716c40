#include "app-test.h"

#include <stdlib.h>

char *
app_test_begin (const char *name)
{
  g_autofree char *template = g_strdup_printf ("pare-%s-XXXXXX", name);
  char *home = g_dir_make_tmp (template, NULL);
  g_assert_nonnull (home);
  static const char *const folders[] = { "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME" };
  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    g_setenv (folders[i], home, TRUE);
  if (g_getenv ("PARE_BUILD_ROOT") != NULL)
    {
      g_autofree char *sample = g_build_filename (g_getenv ("PARE_BUILD_ROOT"), "data", "sample", NULL);
      g_setenv ("PARE_SAMPLE", sample, TRUE);
    }
  return home;
}

int
app_test_end (char *home, int status)
{
  g_autofree char *command = g_strdup_printf ("rm -rf '%s'", home);
  g_free (home);
  return system (command) == 0 ? status : 1;
}

void
app_test_forget_projects (void)
{
  g_autofree char *command = g_strdup_printf ("rm -rf '%s/pare/projects'", g_get_user_data_dir ());
  g_assert_cmpint (system (command), ==, 0);
}

static gboolean
on_tick (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

void
app_test_turn (void)
{
  static guint ticks;
  if (ticks == 0)
    ticks = g_timeout_add (20, on_tick, NULL);
  g_main_context_iteration (NULL, TRUE);
}

void
app_test_settle (guint ms)
{
  gint64 end = g_get_monotonic_time () + ms * 1000;
  while (g_get_monotonic_time () < end)
    app_test_turn ();
}

PareWindow *
app_test_open_window (PareApplication **application)
{
  *application = pare_application_new ();
  g_assert_true (g_application_register (G_APPLICATION (*application), NULL, NULL));
  PareWindow *window = pare_window_new (*application);
  gtk_window_present (GTK_WINDOW (window));
  return window;
}

PareWindow *
app_test_open_sample (PareApplication **application)
{
  PareWindow *window = app_test_open_window (application);
  pare_window_open_sample (window);
  return window;
}

void
app_test_close_window (PareWindow *window, PareApplication *application)
{
  gtk_window_close (GTK_WINDOW (window));
  app_test_settle (200);
  g_object_unref (application);
}

gboolean
app_test_measured (PareSession *session)
{
  PareOrigin origin = PARE_ORIGIN_NONE;
  return pare_session_get_evaluation (session, &origin) != NULL && origin == PARE_ORIGIN_MEASURED;
}

gpointer
app_test_below (GtkWidget *widget, GType type)
{
  if (g_type_is_a (G_OBJECT_TYPE (widget), type))
    return widget;
  for (GtkWidget *c = gtk_widget_get_first_child (widget); c != NULL; c = gtk_widget_get_next_sibling (c))
    {
      gpointer found = app_test_below (c, type);
      if (found != NULL)
        return found;
    }
  return NULL;
}
