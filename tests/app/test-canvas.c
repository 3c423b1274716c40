/* The canvas in the window on the bundled sample: what is looked at, Netron's switches, the context menu, pictures. Needs a display. */
#include "app-test.h"
#include "app/pare-canvas-private.h"
#include "widgets/pare-graph-view-private.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#define LAYER "/stage1/block/conv1/Conv"

typedef struct
{
  PareApplication *application;
  PareWindow *window;
  PareSession *session;
  PareCanvasPane *pane;
  PareGraphView *view;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->window = app_test_open_sample (&f->application);
  f->session = pare_window_get_session (f->window);
  f->pane = PARE_CANVAS_PANE (app_test_below (GTK_WIDGET (f->window), PARE_TYPE_CANVAS_PANE));
  f->view = PARE_GRAPH_VIEW (pare_canvas_pane_get_view (f->pane));
  WAIT_FOR (f->view->scene != NULL && f->view->placed && app_test_measured (f->session));
  if (!pare_recipe_is_identity (pare_session_get_recipe (f->session))) /* the sample goes on with the project of the test before */
    {
      g_autoptr (PareRecipe) plain = pare_recipe_new ();
      pare_session_set_recipe (f->session, plain, "back");
      app_test_settle (100);
      WAIT_FOR (app_test_measured (f->session));
    }
  WAIT_FOR (f->view->shown_value != NULL && f->view->decor_of != NULL);
  WAIT_FOR (gtk_widget_get_mapped (GTK_WIDGET (f->view)));
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  app_test_close_window (f->window, f->application);
}

static const PareDecor *
decor (Fixture *f, const char *layer)
{
  return f->view->decor_of == NULL ? NULL : f->view->decor_of[pare_graph_model_find (f->view->model, layer)];
}

static double
value (Fixture *f, const char *layer)
{
  return f->view->shown_value == NULL ? NAN : f->view->shown_value[pare_graph_model_find (f->view->model, layer)];
}

static guint
n_pills (Fixture *f, const char *layer)
{
  const PareDecor *d = decor (f, layer);
  return d != NULL && d->pills != NULL ? g_strv_length (d->pills) : 0;
}

static void
set_bits (Fixture *f, int bits)
{
  PareLayerRecipe change;
  pare_layer_recipe_init (&change);
  change.weight_bits = bits;
  pare_session_set_layers (f->session, (const char *const[]){ LAYER, NULL }, &change, bits == 3 ? "three" : "two", 0);
}

static gboolean
emit_key (GtkWidget *widget, const char *signal, guint key, GdkModifierType state)
{
  /* every controller of the widget, as a real key would, until one takes it */
  g_autoptr (GListModel) list = gtk_widget_observe_controllers (widget);
  gboolean handled = FALSE;
  for (guint i = 0; i < g_list_model_get_n_items (list) && !handled; i++)
    {
      g_autoptr (GtkEventController) c = g_list_model_get_item (list, i);
      if (!GTK_IS_EVENT_CONTROLLER_KEY (c))
        continue;
      if (strcmp (signal, "key-pressed") == 0)
        g_signal_emit_by_name (c, signal, key, 0, state, &handled);
      else
        g_signal_emit_by_name (c, signal, key, 0, state);
    }
  return handled;
}

static void
test_preview (Fixture *f, gconstpointer data)
{
  PareSelection *selection = f->pane->selection;
  GtkWidget *line = gtk_widget_get_parent (f->pane->showing);
  set_bits (f, 3);
  WAIT_FOR (n_pills (f, LAYER) == 1 && value (f, LAYER) > 1);
  double three = value (f, LAYER);
  gint64 first = pare_session_get_current_entry (f->session);
  set_bits (f, 2);
  WAIT_FOR (value (f, LAYER) > three && strcmp (decor (f, LAYER)->pills[0], "2 bit") == 0);
  double two = value (f, LAYER), fraction = decor (f, LAYER)->size_fraction;
  gint64 here = pare_session_get_current_entry (f->session);
  g_assert_false (gtk_widget_get_visible (line));

  /* the entry before, without going to it: pills at once, its error and size from a worker */
  pare_selection_set_preview (selection, first);
  WAIT_FOR (strcmp (decor (f, LAYER)->pills[0], "3 bit") == 0);
  WAIT_FOR (fabs (value (f, LAYER) - three) < 1e-9);
  g_assert_cmpfloat (decor (f, LAYER)->size_fraction, >, fraction);
  g_assert_true (gtk_widget_get_visible (line));
  g_assert_cmpstr (gtk_label_get_text (GTK_LABEL (f->pane->showing)), ==, "Showing: three");
  g_assert_cmpint (pare_session_get_current_entry (f->session), ==, here);
  pare_selection_set_preview (selection, PARE_PREVIEW_NONE);
  WAIT_FOR (strcmp (decor (f, LAYER)->pills[0], "2 bit") == 0 && fabs (value (f, LAYER) - two) < 1e-9);
  g_assert_false (gtk_widget_get_visible (line));
  /* known now: shown without a worker */
  pare_selection_set_preview (selection, first);
  g_assert_nonnull (f->pane->figures);
  g_assert_null (f->pane->computing);
  pare_selection_set_preview (selection, PARE_PREVIEW_NONE);

  /* B held: the original */
  GtkWidget *view = GTK_WIDGET (f->view);
  g_assert_false (emit_key (view, "key-pressed", GDK_KEY_b, GDK_CONTROL_MASK));
  g_assert_true (emit_key (view, "key-pressed", GDK_KEY_b, 0));
  g_assert_true (emit_key (view, "key-pressed", GDK_KEY_b, 0)); /* repeats */
  WAIT_FOR (n_pills (f, LAYER) == 0 && value (f, LAYER) == 0);
  g_assert_cmpfloat (decor (f, LAYER)->size_fraction, ==, 1);
  g_assert_cmpstr (gtk_label_get_text (GTK_LABEL (f->pane->showing)), ==, "Showing the original");
  emit_key (view, "key-released", GDK_KEY_b, 0);
  g_assert_cmpint (pare_selection_get_preview (selection), ==, PARE_PREVIEW_NONE);
  WAIT_FOR (n_pills (f, LAYER) == 1 && fabs (value (f, LAYER) - two) < 1e-9);
  /* the focus goes while it is held */
  gtk_widget_grab_focus (view);
  app_test_settle (50);
  emit_key (view, "key-pressed", GDK_KEY_b, 0);
  g_assert_cmpint (pare_selection_get_preview (selection), ==, PARE_CANVAS_ORIGINAL);
  gtk_window_set_focus (GTK_WINDOW (f->window), NULL);
  WAIT_FOR (pare_selection_get_preview (selection) == PARE_PREVIEW_NONE);
}

static void
activate (Fixture *f, const char *action, const char *argument)
{
  g_assert_true (gtk_widget_activate_action (GTK_WIDGET (f->window), action, argument != NULL ? "s" : NULL, argument));
}

static double
node_height (Fixture *f)
{
  return f->view->scene->items[f->view->scene->item_of_shown[pare_graph_model_find (f->view->model, LAYER)]].rect.height;
}

static void
test_switches (Fixture *f, gconstpointer data)
{
  const PareShown *s = &f->view->model->shown[pare_graph_model_find (f->view->model, LAYER)];
  g_assert_cmpfloat (node_height (f), ==, PARE_CARD_HEIGHT);
  activate (f, "graph.show-attributes", NULL);
  WAIT_FOR (!f->view->busy);
  guint attributes = g_strv_length (s->attributes) / 2, constants = g_strv_length (s->constants) / 2;
  g_assert_cmpuint (attributes, >=, 4);
  g_assert_cmpuint (constants, ==, 2); /* W and B */
  g_assert_cmpstr (s->constants[0], ==, "W");
  g_assert_cmpstr (s->constants[2], ==, "B");
  g_assert_cmpfloat (node_height (f), ==, PARE_CARD_HEIGHT + PARE_LINE_HEIGHT * attributes);
  activate (f, "graph.show-constants", NULL);
  WAIT_FOR (!f->view->busy);
  g_assert_cmpfloat (node_height (f), ==, PARE_CARD_HEIGHT + PARE_LINE_HEIGHT * (attributes + constants));
  g_assert_cmpstr (pare_shown_heading (s, f->view->scene->show), ==, s->title);
  activate (f, "graph.show-names", NULL);
  WAIT_FOR (!f->view->busy);
  g_assert_cmpstr (pare_shown_heading (s, f->view->scene->show), ==, s->op);
  activate (f, "graph.show-attributes", NULL);
  activate (f, "graph.show-constants", NULL);
  activate (f, "graph.show-names", NULL);
  WAIT_FOR (!f->view->busy);
  g_assert_cmpfloat (node_height (f), ==, PARE_CARD_HEIGHT);

  /* the wheel */
  GtkEventController *scroll = NULL;
  g_autoptr (GListModel) list = gtk_widget_observe_controllers (GTK_WIDGET (f->view));
  for (guint i = 0; i < g_list_model_get_n_items (list); i++)
    {
      g_autoptr (GtkEventController) c = g_list_model_get_item (list, i);
      if (GTK_IS_EVENT_CONTROLLER_SCROLL (c))
        scroll = c;
    }
  gboolean handled;
  double scale = pare_graph_view_get_scale (f->view);
  g_signal_emit_by_name (scroll, "scroll", 0.0, 1.0, &handled);
  g_assert_cmpfloat (pare_graph_view_get_scale (f->view), ==, scale);
  activate (f, "graph.wheel-zooms", NULL);
  g_signal_emit_by_name (scroll, "scroll", 0.0, 1.0, &handled);
  g_assert_cmpfloat (pare_graph_view_get_scale (f->view), <, scale);
}

static GMenuModel *
menu_of (Fixture *f)
{
  g_assert_nonnull (f->pane->popover);
  g_assert_true (GTK_IS_POPOVER_MENU (f->pane->popover));
  return gtk_popover_menu_get_menu_model (GTK_POPOVER_MENU (f->pane->popover));
}

/* Every action of a menu, with its target, one a line. */
static void
list_actions (GMenuModel *menu, GString *out)
{
  for (int i = 0; i < g_menu_model_get_n_items (menu); i++)
    {
      g_autofree char *action = NULL;
      g_menu_model_get_item_attribute (menu, i, "action", "s", &action);
      g_autoptr (GVariant) target = g_menu_model_get_item_attribute_value (menu, i, "target", NULL);
      g_autofree char *text = target != NULL ? g_variant_print (target, FALSE) : NULL;
      if (action != NULL)
        g_string_append_printf (out, "%s %s\n", action, text != NULL ? text : "");
      static const char *const links[] = { G_MENU_LINK_SECTION, G_MENU_LINK_SUBMENU };
      for (guint k = 0; k < G_N_ELEMENTS (links); k++)
        {
          g_autoptr (GMenuModel) inner = g_menu_model_get_item_link (menu, i, links[k]);
          if (inner != NULL)
            list_actions (inner, out);
        }
    }
}

static void
run_from_menu (Fixture *f, const char *action, GVariant *target)
{
  g_assert_true (gtk_widget_activate_action_variant (f->pane->popover, action, target));
}

static PareLayerRecipe
own_recipe (Fixture *f)
{
  PareLayerRecipe own;
  pare_recipe_get_layer (pare_session_get_recipe (f->session), LAYER, &own);
  return own;
}

static void
open_menu (Fixture *f, gboolean by_key)
{
  PareGraphRef ref = { TRUE, FALSE, pare_graph_model_find (f->view->model, LAYER) };
  PareLayoutRect r;
  g_assert_true (pare_graph_view_rect_of (f->view, ref, &r));
  if (by_key)
    {
      pare_graph_view_set_cursor (f->view, ref, TRUE);
      g_assert_true (emit_key (GTK_WIDGET (f->view), "key-pressed", GDK_KEY_Menu, 0));
      return;
    }
  double x, y;
  pare_viewport_reveal (&f->view->viewport, r.x, r.y, r.width, r.height, 48);
  pare_viewport_to_view (&f->view->viewport, r.x + 30, r.y + 20, &x, &y);
  g_signal_emit_by_name (f->view, "context-menu", LAYER, x, y);
}

static void
test_menu (Fixture *f, gconstpointer data)
{
  for (int by_key = 0; by_key < 2; by_key++)
    {
      open_menu (f, by_key);
      g_assert_cmpstr (pare_selection_get (f->pane->selection)[0], ==, LAYER);
      g_autoptr (GString) all = g_string_new (NULL);
      list_actions (menu_of (f), all);
      static const char *const wanted[] = { "layer.weight-bits 4\n",    "layer.weight-bits 32\n",  "layer.activation-bits 8\n",
                                            "win.focus-knob 'prune'\n", "win.focus-knob 'rank'\n", "layer.exclude \n",
                                            "layer.reset \n",           "graph.layer-cost \n" };
      for (guint i = 0; i < G_N_ELEMENTS (wanted); i++)
        if (strstr (all->str, wanted[i]) == NULL)
          g_error ("the menu lacks %sand has\n%s", wanted[i], all->str);
      run_from_menu (f, "layer.weight-bits", g_variant_new_int32 (by_key ? 5 : 4));
      g_assert_cmpint (own_recipe (f).weight_bits, ==, by_key ? 5 : 4);
      gtk_popover_popdown (GTK_POPOVER (f->pane->popover));
      app_test_settle (100);
      g_assert_null (f->pane->popover);
    }
  open_menu (f, FALSE);
  run_from_menu (f, "layer.exclude", NULL);
  g_assert_cmpint (own_recipe (f).exclude, ==, 1);
  run_from_menu (f, "layer.reset", NULL);
  g_assert_cmpint (own_recipe (f).exclude, ==, -1);
  run_from_menu (f, "win.focus-knob", g_variant_new_string ("prune"));
  app_test_settle (50);
  gtk_popover_popdown (GTK_POPOVER (f->pane->popover));
  app_test_settle (100);
}

static void
collect_labels (GtkWidget *widget, GString *out)
{
  if (GTK_IS_LABEL (widget))
    g_string_append_printf (out, "%s\n", gtk_label_get_text (GTK_LABEL (widget)));
  for (GtkWidget *c = gtk_widget_get_first_child (widget); c != NULL; c = gtk_widget_get_next_sibling (c))
    collect_labels (c, out);
}

static char *
card_text (Fixture *f)
{
  GString *out = g_string_new (NULL);
  if (f->pane->popover != NULL)
    collect_labels (f->pane->popover, out);
  return g_string_free (out, FALSE);
}

/* The card's accuracy is what evaluating by hand gives. */
static void
test_cost (Fixture *f, gconstpointer data)
{
  set_bits (f, 2);
  WAIT_FOR (app_test_measured (f->session) && value (f, LAYER) > 1);
  open_menu (f, FALSE);
  run_from_menu (f, "graph.layer-cost", NULL);
  WAIT_FOR (f->pane->popover != NULL && !GTK_IS_POPOVER_MENU (f->pane->popover));
  g_autofree char *text = NULL;
  for (int i = 0; i < 300; i++)
    {
      g_free (text);
      text = card_text (f);
      if (strstr (text, "samples") != NULL)
        break;
      app_test_settle (100);
    }
  g_assert_nonnull (strstr (text, "KiB"));
  g_assert_nonnull (strstr (text, "95 %"));
  /* the layer is the only one that changed: the rest of the recipe is the original, and what it costs is all that was lost */
  WAIT_FOR (app_test_measured (f->session));
  const PareEvaluation *now = pare_session_get_evaluation (f->session, NULL);
  g_autofree char *want = g_strdup_printf ("%.2f pp", fabs (100 * now->difference));
  if (strstr (text, want) == NULL)
    g_error ("no “%s” in\n%s", want, text);
  gtk_popover_popdown (GTK_POPOVER (f->pane->popover));
  app_test_settle (100);
}

static void
test_pictures (Fixture *f, gconstpointer data)
{
  g_autofree char *folder = g_dir_make_tmp ("pare-canvas-XXXXXX", NULL);
  g_autofree char *png = g_build_filename (folder, "graph.png", NULL), *svg = g_build_filename (folder, "graph.svg", NULL);
  activate (f, "graph.export-to", png);
  WAIT_FOR (f->pane->saving == NULL);
  g_assert_cmpstr (gtk_label_get_text (GTK_LABEL (f->pane->saving_text)), ==, "Saved graph.png");
  g_autoptr (GError) error = NULL;
  g_autoptr (GdkPixbuf) picture = gdk_pixbuf_new_from_file (png, &error);
  g_assert_no_error (error);
  g_assert_cmpint (gdk_pixbuf_get_width (picture), ==, (int)f->view->scene->layout->width + 32);
  g_assert_cmpint (gdk_pixbuf_get_height (picture), ==, (int)f->view->scene->layout->height + 32);
  activate (f, "graph.export-to", svg);
  WAIT_FOR (f->pane->saving == NULL);
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (svg, &text, NULL, &error));
  g_assert_nonnull (strstr (text, "<svg"));
  g_assert_nonnull (strstr (text, "</svg>"));
  /* a place that cannot be written: said with the file's name, and nothing is left behind */
  g_autofree char *nowhere = g_build_filename (folder, "none", "graph.png", NULL);
  activate (f, "graph.export-to", nowhere);
  WAIT_FOR (f->pane->saving == NULL);
  g_assert_nonnull (strstr (gtk_label_get_text (GTK_LABEL (f->pane->saving_text)), nowhere));
  g_assert_true (gtk_widget_get_visible (f->pane->saving_box));
  g_unlink (png);
  g_unlink (svg);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

/* Returns: where the widget lies in the canvas. */
static graphene_rect_t
place (Fixture *f, GtkWidget *widget)
{
  graphene_rect_t r;
  g_assert_true (gtk_widget_compute_bounds (widget, f->pane->overlay, &r));
  return r;
}

static void
test_narrow (Fixture *f, gconstpointer data)
{
  /* a canvas between an open table and the inspector */
  gtk_widget_set_size_request (GTK_WIDGET (f->pane), PARE_CANVAS_MAP_WIDTH, PARE_CANVAS_MAP_HEIGHT);
  app_test_settle (100);
  g_assert_true (gtk_widget_get_child_visible (f->pane->minimap));
  gtk_widget_set_size_request (GTK_WIDGET (f->pane), -1, -1);
  gtk_window_set_default_size (GTK_WINDOW (f->window), 1024, 700);
  WAIT_FOR (gtk_widget_get_width (GTK_WIDGET (f->window)) <= 1024);
  app_test_settle (200); /* the narrow window begins without the table */
  activate (f, "win.show-table", NULL);
  pare_selection_set (f->pane->selection, (const char *const[]){ LAYER, NULL });
  WAIT_FOR (gtk_widget_get_width (f->pane->overlay) < PARE_CANVAS_MAP_WIDTH);
  WAIT_FOR (!gtk_widget_get_child_visible (f->pane->minimap));
  GtkWidget *path = gtk_widget_get_parent (f->pane->path);
  WAIT_FOR (gtk_widget_get_mapped (path));
  app_test_settle (100);
  graphene_rect_t left = place (f, path), right = place (f, gtk_widget_get_parent (GTK_WIDGET (f->pane->colour)));
  int wanted;
  gtk_widget_measure (path, GTK_ORIENTATION_HORIZONTAL, -1, NULL, &wanted, NULL, NULL);
  g_assert_cmpfloat (left.origin.x + wanted, >, right.origin.x); /* it would be covered */
  g_assert_cmpfloat (left.origin.x + left.size.width, <=, right.origin.x);
  g_assert_cmpfloat (left.size.width, >, 100);
}

int
main (int argc, char **argv)
{
  char *data_home = app_test_begin ("canvas");
  if (!gtk_init_check ())
    return 77;
  g_test_init (&argc, &argv, NULL);
  g_object_set (gtk_settings_get_default (), "gtk-enable-animations", FALSE, NULL);
#define ADD(name, func) g_test_add ("/canvas/" name, Fixture, NULL, set_up, func, tear_down)
  ADD ("preview", test_preview);
  ADD ("switches", test_switches);
  ADD ("menu", test_menu);
  ADD ("cost", test_cost);
  ADD ("pictures", test_pictures);
  ADD ("narrow", test_narrow);
  int status = g_test_run ();
  return app_test_end (data_home, status);
}
