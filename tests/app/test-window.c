/* The whole window on the bundled sample, on a display: opening, an edit by key, its consequence, undo, pages, narrow. */
#include "app-test.h"

#include <glib/gstdio.h>
#include <math.h>

static char *data_home;

static void
test_edit (void)
{
  PareApplication *application;
  PareWindow *window = app_test_open_sample (&application);
  PareSession *session = pare_window_get_session (window);
  WAIT_FOR (app_test_measured (session));
  double before = pare_session_get_evaluation (session, NULL)->value;
  g_assert_cmpfloat (before, >, 0.9);
  g_assert_false (g_action_group_get_action_enabled (G_ACTION_GROUP (window), "undo"));

  PareLayerRecipe change;
  pare_layer_recipe_init (&change);
  change.weight_bits = 2;
  const char *const layers[] = { "/stage1/block/conv1/Conv", "/stage3/down/Conv", NULL };
  pare_session_set_layers (session, layers, &change, "2 layers: 2 bits", 0);
  g_assert_true (g_action_group_get_action_enabled (G_ACTION_GROUP (window), "undo"));
  WAIT_FOR (app_test_measured (session));
  const PareEvaluation *after = pare_session_get_evaluation (session, NULL);
  g_assert_cmpfloat (after->value, <, before);
  g_assert_true (after->has_difference);
  g_assert_cmpfloat_with_epsilon (after->difference, after->value - before, 1e-9);
  PareSize size, original;
  g_assert_true (pare_session_get_size (session, &size, &original, NULL, NULL));
  g_assert_cmpint (size.packed_bytes, <, original.packed_bytes);

  g_action_group_activate_action (G_ACTION_GROUP (window), "undo", NULL);
  WAIT_FOR (app_test_measured (session));
  g_assert_cmpfloat (pare_session_get_evaluation (session, NULL)->value, ==, before);
  g_assert_cmpuint (pare_session_get_n_entries (session), ==, 2); /* what was tried stays in the history */
  app_test_close_window (window, application);
}

static GskRenderNode *
snapshot_of (GtkWidget *widget)
{
  g_autoptr (GdkPaintable) paintable = gtk_widget_paintable_new (widget);
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  gdk_paintable_snapshot (paintable, snapshot, gdk_paintable_get_intrinsic_width (paintable),
                          gdk_paintable_get_intrinsic_height (paintable));
  return gtk_snapshot_free_to_node (snapshot);
}

/* Every page at both sizes draws something without a warning (warnings are fatal here). */
static void
test_pages (void)
{
  PareApplication *application;
  PareWindow *window = app_test_open_sample (&application);
  WAIT_FOR (app_test_measured (pare_window_get_session (window)));
  static const char *const pages[] = { "edit", "explore" };
  static const char *const docks[] = { "history", "flips", "jobs", "messages", "results" };
  for (int narrow = 0; narrow < 2; narrow++)
    {
      gtk_window_set_default_size (GTK_WINDOW (window), narrow ? 1024 : 1280, narrow ? 700 : 800);
      for (guint i = 0; i < G_N_ELEMENTS (pages); i++)
        {
          g_action_group_activate_action (G_ACTION_GROUP (window), "page", g_variant_new_string (pages[i]));
          GskRenderNode *node = NULL;
          for (int tries = 0; node == NULL && tries < 100; tries++) /* a slow machine needs a few frames */
            {
              app_test_settle (100);
              node = snapshot_of (GTK_WIDGET (window));
            }
          g_assert_nonnull (node);
          gsk_render_node_unref (node);
        }
    }
  for (guint i = 0; i < G_N_ELEMENTS (docks); i++)
    {
      g_action_group_activate_action (G_ACTION_GROUP (window), "dock", g_variant_new_string (docks[i]));
      app_test_settle (50);
    }
  static const char *const commands[] = { "find",      "next-colour", "zoom-in",        "zoom-out",       "zoom-original", "zoom-fit",
                                          "show-dock", "show-dock",   "show-inspector", "show-inspector", "next-region" };
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      g_action_group_activate_action (G_ACTION_GROUP (window), commands[i], NULL);
      app_test_settle (30);
    }
  /* no region asks for more than the smallest window has */
  int least;
  gtk_widget_measure (GTK_WIDGET (window), GTK_ORIENTATION_HORIZONTAL, -1, &least, NULL, NULL, NULL);
  for (GtkWidget *c = gtk_widget_get_first_child (adw_application_window_get_content (ADW_APPLICATION_WINDOW (window))); c != NULL;
       c = gtk_widget_get_next_sibling (c))
    {
      int part;
      gtk_widget_measure (c, GTK_ORIENTATION_HORIZONTAL, -1, &part, NULL, NULL, NULL);
      g_test_message ("%s needs %d", G_OBJECT_TYPE_NAME (c), part);
    }
  g_assert_cmpint (least, <=, 1024);
  app_test_close_window (window, application);
}

/* Closed at any moment, while a file is opened or the graph laid out, the window leaves nothing behind that still speaks to it. */
static void
test_close_at_once (void)
{
  for (int moment = 0; moment < 6; moment++)
    {
      PareApplication *application;
      PareWindow *window = app_test_open_window (&application);
      PareSession *session = g_object_ref (pare_window_get_session (window));
      gpointer gone = window;
      g_object_add_weak_pointer (G_OBJECT (window), &gone);
      app_test_settle (200);
      pare_window_open_sample (window);
      if (moment > 0)
        while (pare_session_get_graph (session) == NULL)
          g_main_context_iteration (NULL, TRUE);
      if (moment == 2)
        pare_window_open_sample (window);
      if (moment == 3)
        app_test_settle (100);
      if (moment >= 4) /* what is laid out in a thread comes back to the loop, which has no turn before the window is closed */
        {
          WAIT_FOR (app_test_measured (session));
          g_assert_true (
              gtk_widget_activate_action (GTK_WIDGET (window), moment == 4 ? "graph.show-attributes" : "graph.show-names", NULL));
        }
      app_test_close_window (window, application);
      app_test_settle (400);
      g_assert_null (gone);
      g_object_unref (session);
    }
}

int
main (int argc, char **argv)
{
  data_home = app_test_begin ("window");
  g_test_init (&argc, &argv, NULL);
  if (!gtk_init_check ())
    return 77;
  g_test_add_func ("/window/edit", test_edit);
  g_test_add_func ("/window/pages", test_pages);
  g_test_add_func ("/window/close-at-once", test_close_at_once);
  int status = g_test_run ();
  return app_test_end (data_home, status);
}
