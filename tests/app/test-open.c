/* How files come into the window, on an X server of its own: dragged with the mouse from another program, from the list of recent projects,
 * once more; and what is said when nothing can be saved. */
#include "app-test.h"
#include "app/pare-recent.h"

#include <glib/gstdio.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

static char *home, *model, *data, *source;

/* --- turning the loop --- */

/* --- looking at the window as a person does --- */

/* The first visible label that holds the words. */
static GtkWidget *
find_text (GtkWidget *in, const char *words)
{
  if (!gtk_widget_get_mapped (in))
    return NULL;
  if (GTK_IS_LABEL (in) && strstr (gtk_label_get_text (GTK_LABEL (in)), words) != NULL)
    return in;
  for (GtkWidget *c = gtk_widget_get_first_child (in); c != NULL; c = gtk_widget_get_next_sibling (c))
    {
      GtkWidget *found = find_text (c, words);
      if (found != NULL)
        return found;
    }
  return NULL;
}

static GtkWidget *
find_type (GtkWidget *in, GType type)
{
  if (!gtk_widget_get_mapped (in))
    return NULL;
  if (G_TYPE_CHECK_INSTANCE_TYPE (in, type))
    return in;
  for (GtkWidget *c = gtk_widget_get_first_child (in); c != NULL; c = gtk_widget_get_next_sibling (c))
    {
      GtkWidget *found = find_type (c, type);
      if (found != NULL)
        return found;
    }
  return NULL;
}

static GtkWindow *
find_dialog (void)
{
  g_autoptr (GListModel) all = g_object_ref (gtk_window_get_toplevels ());
  for (guint i = 0; i < g_list_model_get_n_items (all); i++)
    {
      g_autoptr (GtkWindow) window = g_list_model_get_item (all, i);
      if (ADW_IS_MESSAGE_DIALOG (window) && gtk_widget_get_mapped (GTK_WIDGET (window)))
        return window;
    }
  return NULL;
}

static PareApplication *application;

static PareWindow *
open_window (void)
{
  PareWindow *window = app_test_open_window (&application);
  WAIT_FOR (gtk_widget_get_mapped (GTK_WIDGET (window)));
  app_test_settle (300);
  return window;
}

/* --- the mouse --- */

static void
xdotool (const char *arguments)
{
  int status = -1;
  g_autofree char *command = g_strdup_printf ("xdotool %s", arguments);
  g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, &status, NULL));
  g_assert_cmpint (status, ==, 0);
  app_test_settle (120);
}

/* Starts the other program, presses its window and moves onto ours. */
static GSubprocess *
drag_over (const char *const *files)
{
  g_autoptr (GPtrArray) arguments = g_ptr_array_new ();
  g_ptr_array_add (arguments, source);
  for (guint i = 0; files[i] != NULL; i++)
    g_ptr_array_add (arguments, (char *)files[i]);
  g_ptr_array_add (arguments, NULL);
  GSubprocess *other = g_subprocess_newv ((const char *const *)arguments->pdata, G_SUBPROCESS_FLAGS_NONE, NULL);
  g_assert_nonnull (other);
  g_autofree char *id = NULL;
  for (int tries = 0; tries < 100 && (id == NULL || *id == '\0'); tries++)
    {
      g_clear_pointer (&id, g_free);
      app_test_settle (100);
      g_assert_true (g_spawn_command_line_sync ("xdotool search --onlyvisible --name ^drag-source$", &id, NULL, NULL, NULL));
    }
  g_autofree char *place = g_strdup_printf ("windowmove %s 1100 650 windowraise %s", g_strstrip (id), id);
  xdotool (place);
  app_test_settle (400);
  xdotool ("mousemove 1140 700");
  xdotool ("mousedown 1");
  static const char *const way[] = { "1135 695", "1120 680", "1090 640", "1000 600", "800 500", "700 420", "690 415" };
  for (guint i = 0; i < G_N_ELEMENTS (way); i++)
    {
      g_autofree char *move = g_strconcat ("mousemove ", way[i], NULL);
      xdotool (move);
    }
  return other;
}

static void
let_go (GSubprocess *other)
{
  xdotool ("mouseup 1");
  app_test_settle (300);
  g_subprocess_force_exit (other);
  g_subprocess_wait (other, NULL, NULL);
  g_object_unref (other);
}

static void
test_drag (void)
{
  PareWindow *window = open_window ();
  PareSession *session = pare_window_get_session (window);
  /* Onto the first page: the model. */
  GSubprocess *other = drag_over ((const char *const[]){ model, NULL });
  WAIT_FOR (find_text (GTK_WIDGET (window), "Open sample.onnx") != NULL);
  let_go (other);
  WAIT_FOR (pare_session_get_graph (session) != NULL);
  WAIT_FOR (find_text (GTK_WIDGET (window), "Open sample.onnx") == NULL);
  /* Onto the workbench: what does not fit. Everything stays, and it is said what it is and what fits. */
  g_autofree char *page = g_build_filename (home, "page.html", NULL);
  g_assert_true (g_file_set_contents (page, "<!DOCTYPE html><html><body>no data</body></html>\n", -1, NULL));
  other = drag_over ((const char *const[]){ page, NULL });
  WAIT_FOR (find_text (GTK_WIDGET (window), "Open page.html") != NULL);
  let_go (other);
  WAIT_FOR (find_dialog () != NULL);
  g_assert_nonnull (strstr (adw_message_dialog_get_heading (ADW_MESSAGE_DIALOG (find_dialog ())), "page.html"));
  const char *body = adw_message_dialog_get_body (ADW_MESSAGE_DIALOG (find_dialog ()));
  g_test_message ("%s", body);
  g_assert_nonnull (strstr (body, "looks like"));
  g_assert_nonnull (strstr (body, "ONNX"));
  gtk_window_close (find_dialog ());
  WAIT_FOR (find_dialog () == NULL);
  g_assert_null (find_text (GTK_WIDGET (window), "Open page.html"));
  g_assert_nonnull (pare_session_get_graph (session));
  /* The data. */
  other = drag_over ((const char *const[]){ data, NULL });
  WAIT_FOR (find_text (GTK_WIDGET (window), "Open dataset.json") != NULL);
  let_go (other);
  WAIT_FOR (app_test_measured (session));
  /* Over it and away again: nothing happens. */
  other = drag_over ((const char *const[]){ page, NULL });
  WAIT_FOR (find_text (GTK_WIDGET (window), "Open page.html") != NULL);
  xdotool ("mousemove 1120 680");
  xdotool ("mousemove 1140 700");
  let_go (other);
  app_test_settle (300);
  g_assert_null (find_text (GTK_WIDGET (window), "Open page.html"));
  g_assert_null (find_dialog ());
  app_test_close_window (window, application);
}

static void
test_drag_both (void)
{
  /* Whatever their order, the model comes first. */
  PareWindow *window = open_window ();
  PareSession *session = pare_window_get_session (window);
  GSubprocess *other = drag_over ((const char *const[]){ data, model, NULL });
  WAIT_FOR (find_text (GTK_WIDGET (window), "Open sample.onnx and 1 more") != NULL);
  let_go (other);
  WAIT_FOR (app_test_measured (session));
  g_assert_cmpstr (pare_dataset_get_path (pare_session_get_dataset (session)), ==, data);
  g_assert_null (find_dialog ());
  app_test_close_window (window, application);
}

static void
test_continue (void)
{
  PareWindow *window = open_window ();
  PareSession *session = pare_window_get_session (window);
  pare_window_open_sample (window);
  WAIT_FOR (app_test_measured (session));
  g_assert_null (find_text (GTK_WIDGET (window), "Continued from"));
  PareLayerRecipe change;
  pare_layer_recipe_init (&change);
  change.weight_bits = 3;
  const char *const layers[] = { "/stage3/down/Conv", NULL };
  pare_session_set_layers (session, layers, &change, "3 bits", 0);
  app_test_settle (200);
  WAIT_FOR (app_test_measured (session));
  app_test_close_window (window, application);

  window = open_window ();
  session = pare_window_get_session (window);
  /* It is in the list, with its figures. */
  g_assert_nonnull (find_text (GTK_WIDGET (window), "sample-1"));
  g_assert_nonnull (find_text (GTK_WIDGET (window), "size"));
  pare_window_open_sample (window);
  WAIT_FOR (find_text (GTK_WIDGET (window), "Continued from") != NULL);
  g_assert_cmpuint (pare_session_get_n_entries (session), ==, 2);
  WAIT_FOR (app_test_measured (session));
  WAIT_FOR (pare_session_get_n_jobs (session) == 0);
  gtk_widget_activate_action (GTK_WIDGET (window), "win.start-fresh", NULL);
  WAIT_FOR (pare_session_get_n_entries (session) == 1);
  WAIT_FOR (app_test_measured (session));
  app_test_close_window (window, application);
}

static void
test_recent (void)
{
  g_autofree char *gone = g_build_filename (home, "gone.pare", NULL);
  PareRecent recent = { .path = gone, .title = (char *)"vanished", .detail = (char *)"model · data", .figures = (char *)"−50 % size" };
  pare_recent_add (&recent);
  PareRecent there = { .path = model, .data = data, .title = (char *)"there", .detail = (char *)"sample · sample" };
  pare_recent_add (&there);
  PareWindow *window = open_window ();
  GtkWidget *title = find_text (GTK_WIDGET (window), "vanished");
  g_assert_nonnull (title);
  g_assert_nonnull (find_text (GTK_WIDGET (window), "Moved or deleted"));
  GtkWidget *row = gtk_widget_get_ancestor (title, GTK_TYPE_LIST_BOX_ROW);
  g_assert_false (gtk_list_box_row_get_activatable (GTK_LIST_BOX_ROW (row)));
  g_signal_emit_by_name (find_type (row, GTK_TYPE_BUTTON), "clicked");
  app_test_settle (100);
  g_assert_null (find_text (GTK_WIDGET (window), "vanished"));
  g_autoptr (GPtrArray) left = pare_recent_list (30);
  for (guint i = 0; i < left->len; i++)
    g_assert_cmpstr (((PareRecent *)left->pdata[i])->path, !=, gone);
  /* A model that nothing was done to comes with its data. */
  row = gtk_widget_get_ancestor (find_text (GTK_WIDGET (window), "there"), GTK_TYPE_LIST_BOX_ROW);
  g_signal_emit_by_name (row, "activate");
  WAIT_FOR (app_test_measured (pare_window_get_session (window)));
  app_test_close_window (window, application);
}

static void
on_saved (GObject *object, GAsyncResult *result, gpointer user)
{
  GError *error = NULL;
  gboolean *done = user;
  *done = pare_session_save_as_finish (PARE_SESSION (object), result, &error);
  g_assert_no_error (error);
}

static void
test_trouble (void)
{
  /* The folder for projects cannot be made: said as long as it is so, with a way out. */
  g_autofree char *folder = g_build_filename (home, "pare", "projects", NULL), *away = g_strconcat (folder, "-away", NULL);
  g_mkdir_with_parents (folder, 0700);
  g_assert_cmpint (g_rename (folder, away), ==, 0);
  g_assert_true (g_file_set_contents (folder, "in the way", -1, NULL));
  PareWindow *window = open_window ();
  PareSession *session = pare_window_get_session (window);
  g_assert_null (find_type (GTK_WIDGET (window), GTK_TYPE_INFO_BAR));
  pare_window_open_sample (window);
  WAIT_FOR (app_test_measured (session));
  WAIT_FOR (find_text (GTK_WIDGET (window), "Changes are not saved") != NULL);
  g_assert_nonnull (strstr (gtk_label_get_text (GTK_LABEL (find_text (GTK_WIDGET (window), "Changes are not saved"))), "sample-1.pare"));
  g_assert_nonnull (find_text (GTK_WIDGET (window), "not saved"));
  gboolean done = FALSE;
  g_autofree char *path = g_build_filename (home, "named.pare", NULL);
  pare_session_save_as_async (session, path, NULL, on_saved, &done);
  WAIT_FOR (done);
  app_test_settle (500);
  g_assert_null (find_type (GTK_WIDGET (window), GTK_TYPE_INFO_BAR));
  /* A second window of the same project may only read. */
  PareWindow *second = pare_window_new (application);
  gtk_window_present (GTK_WINDOW (second));
  g_autoptr (GFile) file = g_file_new_for_path (path);
  pare_window_open_files (second, &file, 1);
  WAIT_FOR (find_text (GTK_WIDGET (second), "open for reading only") != NULL);
  app_test_settle (1000);
  gtk_window_close (GTK_WINDOW (second));
  app_test_close_window (window, application);
  g_unlink (folder);
  g_assert_cmpint (g_rename (away, folder), ==, 0);
}

/* --- an X server of our own, so that nobody's mouse moves --- */

static void
end_with_parent (gpointer user)
{
  prctl (PR_SET_PDEATHSIG, SIGTERM);
}

static GSubprocess *
start_display (void)
{
  int ends[2];
  char number[16] = { 0 };
  g_autofree char *server = g_find_program_in_path ("Xvfb"), *mouse = g_find_program_in_path ("xdotool");
  if (server == NULL || mouse == NULL || pipe (ends) != 0)
    return NULL;
  g_autoptr (GSubprocessLauncher) launcher
      = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
  g_subprocess_launcher_take_fd (launcher, ends[1], 3);
  g_subprocess_launcher_set_child_setup (launcher, end_with_parent, NULL, NULL);
  GSubprocess *x = g_subprocess_launcher_spawn (launcher, NULL, server, "-displayfd", "3", "-screen", "0", "1280x800x24", "-nolisten",
                                                "tcp", "-noreset", NULL);
  g_clear_object (&launcher); /* and our copy of the writing end */
  gssize n = x != NULL ? read (ends[0], number, sizeof number - 1) : 0;
  close (ends[0]);
  int status = 1;
  g_autofree char *place = NULL; /* of the mouse: that there is an answer */
  g_autofree char *display = g_strdup_printf (":%d", atoi (number));
  g_setenv ("DISPLAY", display, TRUE);
  g_setenv ("GDK_BACKEND", "x11", TRUE);
  if (n > 0 && g_spawn_command_line_sync ("xdotool getmouselocation", &place, NULL, &status, NULL) && status == 0)
    return x;
  if (x != NULL)
    g_subprocess_force_exit (x);
  g_clear_object (&x);
  return NULL;
}

int
main (int argc, char **argv)
{
  home = app_test_begin ("open");
  g_test_init (&argc, &argv, NULL);
  g_autoptr (GSubprocess) display = NULL;
  /* Two servers that start at once may choose the same number. */
  for (int tries = 0; tries < 10 && display == NULL; tries++)
    {
      if (tries > 0)
        g_usleep (500000);
      display = start_display ();
    }
  if (display == NULL || !gtk_init_check ())
    return 77;
  g_autofree char *here = g_path_get_dirname (argv[0]);
  source = g_build_filename (here, "drag-source", NULL);
  model = pare_application_dup_sample ("sample.onnx");
  data = pare_application_dup_sample ("dataset.json");
  g_test_add_func ("/open/drag", test_drag);
  g_test_add_func ("/open/drag-both", test_drag_both);
  g_test_add_func ("/open/continue", test_continue);
  g_test_add_func ("/open/recent", test_recent);
  g_test_add_func ("/open/trouble", test_trouble);
  int status = g_test_run ();
  GdkDisplay *gdk = gdk_display_get_default ();
  gdk_display_close (gdk);
  g_subprocess_send_signal (display, SIGTERM);
  return app_test_end (home, status);
}
