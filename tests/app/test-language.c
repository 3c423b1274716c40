/* The window in German, and the catalogue itself: every file that speaks is in POTFILES, every message is translated. */
#include "app-test.h"
#include "app/pare-dock.h"

#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <locale.h>
#include <string.h>

static const char *source_root, *build_root;

/* Sources that mark strings for translation, and the list that the catalogue is made of. */
static void
test_files (void)
{
  g_autofree char *path = g_build_filename (source_root, "po", "POTFILES", NULL), *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_auto (GStrv) listed = g_strsplit (text, "\n", -1);
  static const char *const folders[] = { "app", "widgets" };
  guint n = 0;
  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      g_autofree char *folder = g_build_filename (source_root, folders[i], NULL);
      g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
      for (const char *name = g_dir_read_name (dir); name != NULL; name = g_dir_read_name (dir))
        {
          g_autofree char *file = g_build_filename (folder, name, NULL), *source = NULL, *line = g_build_filename (folders[i], name, NULL);
          if (!g_str_has_suffix (name, ".c"))
            continue;
          g_assert_true (g_file_get_contents (file, &source, NULL, NULL));
          if (strstr (source, "_ (\"") == NULL && strstr (source, "gettext (") == NULL)
            continue;
          n++;
          if (!g_strv_contains ((const char *const *)listed, line))
            g_error ("%s has messages and is not in po/POTFILES", line);
        }
    }
  g_assert_cmpuint (n, >, 30);
  for (guint i = 0; listed[i] != NULL; i++)
    {
      g_autofree char *file = g_build_filename (source_root, listed[i], NULL);
      if (!g_file_test (file, G_FILE_TEST_EXISTS))
        g_error ("po/POTFILES names %s, which is not there", listed[i]);
    }
}

/* What a format takes is what its translation takes; new words may wait a little for theirs, but not many. */
#define MOST_WAITING 20
static void
test_complete (void)
{
  g_autofree char *tool = g_find_program_in_path ("msgfmt"), *make = g_find_program_in_path ("xgettext"),
                  *merge = g_find_program_in_path ("msgmerge");
  if (tool == NULL || make == NULL || merge == NULL)
    {
      g_test_skip ("gettext's tools are not there");
      return;
    }
  g_autofree char *folder = g_dir_make_tmp ("pare-po-XXXXXX", NULL), *out = NULL, *errors = NULL;
  g_autofree char *command = g_strdup_printf ("cd '%s' && xgettext --from-code=UTF-8 --keyword=_ --keyword=N_ --keyword=g_dngettext:2,3 "
                                              "--files-from=po/POTFILES -o '%s/all.pot' && "
                                              "msgmerge --quiet --no-fuzzy-matching -o '%s/de.po' po/de.po '%s/all.pot' && LC_ALL=C msgfmt "
                                              "--check-format --statistics -o /dev/null '%s/de.po'",
                                              source_root, folder, folder, folder, folder);
  const char *argv[] = { "sh", "-c", command, NULL };
  int status = 0;
  g_assert_true (g_spawn_sync (NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &errors, &status, NULL));
  g_test_message ("%s", errors);
  g_assert_cmpint (status, ==, 0);
  const char *more = strstr (errors, "translated messages, ");
  if (strstr (errors, "fuzzy") != NULL || (more != NULL && atoi (strchr (more, ',') + 1) > MOST_WAITING))
    g_error ("po/de.po is not complete: %s", errors);
  g_autofree char *remove = g_strdup_printf ("rm -rf '%s'", folder);
  g_assert_cmpint (system (remove), ==, 0);
}

static gboolean
is_open (PareSession *session)
{
  return pare_session_get_graph (session) != NULL;
}

static GtkWidget *
label_with (GtkWidget *widget, const char *text)
{
  if (GTK_IS_LABEL (widget) && g_str_equal (gtk_label_get_text (GTK_LABEL (widget)), text))
    return widget;
  for (GtkWidget *c = gtk_widget_get_first_child (widget); c != NULL; c = gtk_widget_get_next_sibling (c))
    {
      GtkWidget *found = label_with (c, text);
      if (found != NULL)
        return found;
    }
  return NULL;
}

static void
test_window (void)
{
  if (g_str_equal (_ ("Results"), "Results"))
    {
      g_test_skip ("this system has no locale in which messages are translated");
      return;
    }
  PareApplication *application;
  PareWindow *window = app_test_open_window (&application);
  g_assert_nonnull (label_with (GTK_WIDGET (window), "Ein trainiertes Netz öffnen"));
  pare_window_open_sample (window);
  WAIT_FOR (is_open (pare_window_get_session (window)));
  app_test_settle (500);
  static const char *const words[] = { "Bearbeiten", "Erkunden", "Schicht", "Gewichtsbits", "Verlauf", "Ergebnisse" };
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    if (label_with (GTK_WIDGET (window), words[i]) == NULL)
      g_error ("“%s” is nowhere in the window", words[i]);
  static const char *const english[] = { "Edit", "Explore", "Layer", "Weight bits", "History", "Results" };
  for (guint i = 0; i < G_N_ELEMENTS (english); i++)
    g_assert_null (label_with (GTK_WIDGET (window), english[i]));
  /* longer words need no more room than there is: what is too wide for its place begins left of it */
  GtkWidget *dock = app_test_below (GTK_WIDGET (window), PARE_TYPE_DOCK);
  for (int narrow = 0; narrow < 2; narrow++)
    {
      gtk_window_set_default_size (GTK_WINDOW (window), narrow ? 1024 : 1280, narrow ? 700 : 800);
      app_test_settle (600);
      int least;
      gtk_widget_measure (GTK_WIDGET (window), GTK_ORIENTATION_HORIZONTAL, -1, &least, NULL, NULL, NULL);
      g_assert_cmpint (least, <=, 1024);
      graphene_point_t at;
      g_assert_true (gtk_widget_compute_point (dock, GTK_WIDGET (window), &GRAPHENE_POINT_INIT (0, 0), &at));
      g_assert_cmpfloat (at.x, >=, 0);
    }
  app_test_close_window (window, application);
}

int
main (int argc, char **argv)
{
  char *home = app_test_begin ("language");
  source_root = g_getenv ("PARE_SOURCE_ROOT");
  build_root = g_getenv ("PARE_BUILD_ROOT");
  if (source_root == NULL || build_root == NULL)
    return 77;
  g_autofree char *catalogues = g_build_filename (build_root, "po", NULL);
  g_setenv ("LC_ALL", "C.UTF-8", TRUE);
  g_setenv ("LANGUAGE", "de", TRUE);
  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, catalogues);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/language/files", test_files);
  g_test_add_func ("/language/complete", test_complete);
  if (gtk_init_check ())
    g_test_add_func ("/language/window", test_window);
  int status = g_test_run ();
  return app_test_end (home, status);
}
