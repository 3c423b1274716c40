/* The Edit page driven by real keys and clicks: xdotool sends them through the X server, as a person's would come. Skipped where a window
 * manager runs (a person may sit there) and where xdotool is missing. */
#include "app-test.h"
#include "app/pare-inspector.h"
#include "app/pare-layer-table-private.h"
#include "app/pare-window-private.h"

#include <gdk/x11/gdkx.h>
#include <glib/gstdio.h>
#include <stdarg.h>

typedef struct
{
  PareApplication *application;
  PareWindow *window;
  PareSession *session;
  PareSelection *selection;
  PareLayerTable *table;
} Fixture;

static void
drive (const char *first, ...)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new ();
  g_autoptr (GError) error = NULL;
  int status = 0;
  va_list more;
  g_ptr_array_add (words, (gpointer) "xdotool");
  va_start (more, first);
  for (const char *word = first; word != NULL; word = va_arg (more, const char *))
    g_ptr_array_add (words, (gpointer)word);
  va_end (more);
  g_ptr_array_add (words, NULL);
  g_assert_true (g_spawn_sync (NULL, (char **)words->pdata, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, &error));
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
  app_test_settle (80);
}

static void
press (const char *key)
{
  drive ("key", key, NULL);
}

/* On the screen; the window stands at its corner. */
static void
place_of (GtkWidget *widget, double fx, double fy, int *x, int *y)
{
  GtkNative *native = gtk_widget_get_native (widget);
  graphene_point_t at = GRAPHENE_POINT_INIT ((float)(gtk_widget_get_width (widget) * fx), (float)(gtk_widget_get_height (widget) * fy)), to;
  double dx, dy;
  g_assert_true (gtk_widget_compute_point (widget, GTK_WIDGET (native), &at, &to));
  gtk_native_get_surface_transform (native, &dx, &dy);
  *x = (int)(to.x + dx);
  *y = (int)(to.y + dy);
  for (GdkSurface *surface = gtk_native_get_surface (native); GDK_IS_POPUP (surface); surface = gdk_popup_get_parent (GDK_POPUP (surface)))
    {
      *x += gdk_popup_get_position_x (GDK_POPUP (surface));
      *y += gdk_popup_get_position_y (GDK_POPUP (surface));
    }
}

static void
click (GtkWidget *widget, const char *button, const char *held)
{
  int x, y;
  place_of (widget, 0.3, 0.5, &x, &y);
  g_autofree char *sx = g_strdup_printf ("%d", x), *sy = g_strdup_printf ("%d", y);
  drive ("mousemove", sx, sy, NULL);
  if (held != NULL)
    drive ("keydown", held, "click", button, "keyup", held, NULL);
  else
    drive ("click", button, NULL);
}

static GtkWidget *
find (GtkWidget *widget, gboolean (*is) (GtkWidget *, const char *), const char *what)
{
  if (is (widget, what))
    return widget;
  for (GtkWidget *c = gtk_widget_get_first_child (widget); c != NULL; c = gtk_widget_get_next_sibling (c))
    {
      GtkWidget *found = find (c, is, what);
      if (found != NULL)
        return found;
    }
  return NULL;
}

static gboolean
is_type (GtkWidget *widget, const char *name)
{
  return g_str_equal (G_OBJECT_TYPE_NAME (widget), name);
}

static gboolean
is_menu (GtkWidget *widget, const char *unused)
{
  return GTK_IS_POPOVER_MENU (widget) && gtk_widget_get_mapped (widget);
}

static gboolean
is_label (GtkWidget *widget, const char *text)
{
  return GTK_IS_LABEL (widget) && gtk_widget_get_mapped (widget) && g_str_equal (gtk_label_get_text (GTK_LABEL (widget)), text);
}

static GtkWidget *
line_of (Fixture *f, const char *title)
{
  for (GtkWidget *c = gtk_widget_get_first_child (f->table->lines); c != NULL; c = gtk_widget_get_next_sibling (c))
    {
      g_autoptr (GtkTreeListRow) row = pare_layer_table_dup_row_of (f->table, c);
      g_autoptr (PareLayerItem) item = row != NULL ? gtk_tree_list_row_get_item (row) : NULL;
      if (item != NULL && gtk_widget_get_mapped (c) && g_str_equal (item->title, title))
        return c;
    }
  return NULL;
}

static const char *
focused_title (Fixture *f)
{
  g_autoptr (GtkTreeListRow) row = pare_layer_table_dup_focus_row (f->table);
  g_autoptr (PareLayerItem) item = row != NULL ? gtk_tree_list_row_get_item (row) : NULL;
  return item != NULL ? item->title : "";
}

static PareLayerRecipe
own (Fixture *f, const char *layer)
{
  PareLayerRecipe r;
  pare_recipe_get_layer (pare_session_get_recipe (f->session), layer, &r);
  return r;
}

static guint
chosen (Fixture *f)
{
  return pare_selection_get_n (f->selection);
}

static const char *
undo_title (Fixture *f)
{
  const char *title = NULL;
  pare_session_can_undo (f->session, &title);
  return title != NULL ? title : "";
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->window = app_test_open_sample (&f->application);
  f->session = pare_window_get_session (f->window);
  f->selection = f->window->selection;
  WAIT_FOR (pare_session_get_dataset (f->session) != NULL);
  f->table = PARE_LAYER_TABLE (find (GTK_WIDGET (f->window), is_type, "PareLayerTable"));
  GdkSurface *surface = gtk_native_get_surface (GTK_NATIVE (f->window));
  g_autofree char *id = g_strdup_printf ("%lu", (gulong)gdk_x11_surface_get_xid (surface));
  drive ("windowmove", id, "0", "0", "windowsize", id, "1280", "800", NULL);
  app_test_settle (300);
  drive ("windowfocus", id, NULL);
  WAIT_FOR (line_of (f, "stage1") != NULL && gtk_window_is_active (GTK_WINDOW (f->window)));
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  app_test_close_window (f->window, f->application);
  /* the next window begins a project of its own */
  g_autofree char *remove = g_strdup_printf ("rm -rf '%s'/*", g_get_user_data_dir ());
  g_assert_cmpint (system (remove), ==, 0);
}

#define WIDEN "/stage1/widen/Conv"
#define CONV1 "/stage1/block/conv1/Conv"
#define CONV2 "/stage1/block/conv2/Conv"

/* Several layers chosen by pointer; every key is one undo step for all of them. */
static void
test_edit (Fixture *f, gconstpointer data)
{
  click (line_of (f, "widen"), "1", NULL);
  WAIT_FOR (chosen (f) == 1);
  click (line_of (f, "block/conv2"), "1", "ctrl");
  WAIT_FOR (chosen (f) == 2);
  g_assert_cmpstr (pare_selection_get (f->selection)[0], ==, WIDEN);
  g_assert_cmpstr (pare_selection_get (f->selection)[1], ==, CONV2);

  press ("4");
  WAIT_FOR (own (f, WIDEN).weight_bits == 4);
  g_assert_cmpint (own (f, CONV2).weight_bits, ==, 4);
  g_assert_cmpint (own (f, CONV1).weight_bits, ==, PARE_BITS_UNSET);
  g_assert_cmpstr (undo_title (f), ==, "2 layers: 4 bits");
  press ("shift+4");
  WAIT_FOR (own (f, CONV2).activation_bits == 4);
  g_assert_cmpint (own (f, WIDEN).activation_bits, ==, 4);
  g_assert_cmpint (own (f, WIDEN).weight_bits, ==, 4);
  press ("0");
  WAIT_FOR (own (f, WIDEN).weight_bits == PARE_BITS_FLOAT);
  g_assert_cmpint (own (f, CONV2).activation_bits, ==, PARE_BITS_FLOAT);
  press ("x");
  WAIT_FOR (own (f, WIDEN).exclude == 1);
  g_assert_cmpint (own (f, CONV2).exclude, ==, 1);
  press ("x");
  WAIT_FOR (own (f, WIDEN).exclude == 0);
  press ("Delete");
  WAIT_FOR (own (f, WIDEN).exclude == -1);
  PareLayerRecipe r = own (f, WIDEN), s = own (f, CONV2);
  g_assert_true (pare_layer_recipe_is_empty (&r) && pare_layer_recipe_is_empty (&s));

  press ("ctrl+z"); /* each of the six in one step */
  WAIT_FOR (own (f, CONV2).exclude == 0);
  press ("ctrl+z");
  WAIT_FOR (own (f, CONV2).exclude == 1);
  press ("ctrl+z");
  WAIT_FOR (own (f, WIDEN).weight_bits == PARE_BITS_FLOAT);
  press ("ctrl+z");
  WAIT_FOR (own (f, WIDEN).activation_bits == 4);
  press ("ctrl+z");
  WAIT_FOR (own (f, WIDEN).activation_bits == PARE_BITS_UNSET);
  g_assert_cmpint (own (f, WIDEN).weight_bits, ==, 4);
  press ("ctrl+z");
  WAIT_FOR (!pare_session_can_undo (f->session, NULL));
  g_assert_true (pare_recipe_is_identity (pare_session_get_recipe (f->session)));
  press ("ctrl+shift+z");
  WAIT_FOR (own (f, CONV2).weight_bits == 4);
}

/* A range by pointer and by keys, a group as a whole. */
static void
test_ranges (Fixture *f, gconstpointer data)
{
  click (line_of (f, "widen"), "1", NULL);
  click (line_of (f, "block/conv2"), "1", "shift");
  WAIT_FOR (chosen (f) == 3);
  press ("3");
  WAIT_FOR (own (f, CONV1).weight_bits == 3 && own (f, WIDEN).weight_bits == 3 && own (f, CONV2).weight_bits == 3);
  g_assert_cmpstr (undo_title (f), ==, "3 layers: 3 bits");

  click (line_of (f, "stem/conv"), "1", NULL);
  WAIT_FOR (chosen (f) == 1);
  press ("Down"); /* the group's row */
  WAIT_FOR (chosen (f) == 3);
  g_assert_cmpstr (focused_title (f), ==, "stage1");
  press ("5");
  WAIT_FOR (own (f, CONV1).weight_bits == 5 && own (f, WIDEN).weight_bits == 5 && own (f, CONV2).weight_bits == 5);
  press ("Down");
  WAIT_FOR (chosen (f) == 1);
  press ("shift+Down");
  WAIT_FOR (chosen (f) == 2);
  press ("shift+Down");
  WAIT_FOR (chosen (f) == 3);
  press ("shift+Up");
  WAIT_FOR (chosen (f) == 2);
  press ("6");
  WAIT_FOR (own (f, WIDEN).weight_bits == 6);
  g_assert_cmpint (own (f, CONV1).weight_bits, ==, 6);
  g_assert_cmpint (own (f, CONV2).weight_bits, ==, 5);
  press ("ctrl+a");
  WAIT_FOR (chosen (f) == f->table->tree->layers->len);
}

/* P and R go to the knobs of what is chosen. */
static void
test_knobs (Fixture *f, gconstpointer data)
{
  GtkWidget *inspector = find (GTK_WIDGET (f->window), is_type, "PareInspector");
  click (line_of (f, "widen"), "1", NULL);
  WAIT_FOR (chosen (f) == 1);
  press ("p");
  WAIT_FOR (!g_str_equal (focused_title (f), "widen"));
  GtkWidget *prune = gtk_window_get_focus (GTK_WINDOW (f->window));
  g_assert_true (prune != NULL && gtk_widget_is_ancestor (prune, inspector));
  app_test_settle (700); /* or it would be a double click */
  click (line_of (f, "widen"), "1", NULL);
  WAIT_FOR (g_str_equal (focused_title (f), "widen"));
  press ("r");
  WAIT_FOR (!g_str_equal (focused_title (f), "widen"));
  GtkWidget *rank = gtk_window_get_focus (GTK_WINDOW (f->window));
  g_assert_true (rank != NULL && gtk_widget_is_ancestor (rank, inspector));
  g_assert_true (rank != prune);
  g_assert_false (pare_session_can_undo (f->session, NULL));
}

/* What cannot take an edit is left out, counted and named. */
static void
test_skipped (Fixture *f, gconstpointer data)
{
  guint of = 0;
  click (line_of (f, "stem/conv"), "1", NULL);
  WAIT_FOR (chosen (f) == 1);
  pare_selection_set (f->selection, (const char *const[]){ "/stem/conv/Conv", "/stem/conv/Relu", WIDEN, NULL });
  app_test_settle (100);
  press ("4");
  WAIT_FOR (own (f, WIDEN).weight_bits == 4);
  g_assert_cmpint (own (f, "/stem/conv/Conv").weight_bits, ==, 4);
  g_assert_cmpint (own (f, "/stem/conv/Relu").weight_bits, ==, PARE_BITS_UNSET);
  g_assert_cmpstr (undo_title (f), ==, "2 layers: 4 bits");
  const char *const *skipped = pare_selection_get_skipped (f->selection, &of);
  g_assert_cmpuint (of, ==, 3);
  g_assert_cmpstr (skipped[0], ==, "/stem/conv/Relu");
  g_assert_null (skipped[1]);
  g_assert_nonnull (strstr (gtk_label_get_text (GTK_LABEL (f->table->foot_left)), "1 of 3 skipped"));
  g_assert_nonnull (strstr (gtk_widget_get_tooltip_text (f->table->foot_left), "/stem/conv/Relu"));

  /* nothing left to edit: nothing to undo either */
  pare_session_undo (f->session);
  pare_selection_set (f->selection, (const char *const[]){ "/stem/conv/Relu", NULL });
  g_assert_null (pare_selection_get_skipped (f->selection, NULL)[0]);
  app_test_settle (100);
  press ("4");
  WAIT_FOR (g_strcmp0 (pare_selection_get_skipped (f->selection, NULL)[0], "/stem/conv/Relu") == 0);
  g_assert_false (pare_session_can_undo (f->session, NULL));
}

static void
test_folds (Fixture *f, gconstpointer data)
{
  GListModel *rows = G_LIST_MODEL (f->table->rows);
  guint all = g_list_model_get_n_items (rows);
  click (line_of (f, "stage1"), "1", NULL);
  WAIT_FOR (g_str_equal (focused_title (f), "stage1"));
  press ("Left");
  WAIT_FOR (g_list_model_get_n_items (rows) == all - 3);
  g_assert_cmpuint (chosen (f), ==, 3); /* folding takes nothing out of the selection */
  press ("Right");
  WAIT_FOR (g_list_model_get_n_items (rows) == all);
  press ("minus");
  WAIT_FOR (g_list_model_get_n_items (rows) == all - 3);
  press ("plus");
  WAIT_FOR (g_list_model_get_n_items (rows) == all);
  press ("Right"); /* unfolded already: into it */
  WAIT_FOR (g_str_equal (focused_title (f), "widen") && chosen (f) == 1);
  press ("Down");
  WAIT_FOR (g_str_equal (focused_title (f), "block/conv1"));
  press ("Left"); /* back to the group around */
  WAIT_FOR (g_str_equal (focused_title (f), "stage1") && chosen (f) == 3);
  press ("Return");
  WAIT_FOR (g_list_model_get_n_items (rows) == all - 3);
}

static int
region (Fixture *f)
{
  static const char *const names[] = { "PareLayerTable", "PareGraphView", "PareInspector", "PareDock" };
  for (GtkWidget *w = gtk_window_get_focus (GTK_WINDOW (f->window)); w != NULL; w = gtk_widget_get_parent (w))
    for (guint i = 0; i < G_N_ELEMENTS (names); i++)
      if (g_str_equal (G_OBJECT_TYPE_NAME (w), names[i]))
        return (int)i;
  return -1;
}

static void
test_regions (Fixture *f, gconstpointer data)
{
  click (line_of (f, "stem/conv"), "1", NULL);
  WAIT_FOR (region (f) == 0);
  for (int i = 1; i <= 4; i++)
    {
      press ("F6");
      WAIT_FOR (region (f) == i % 4);
    }
  for (int i = 3; i >= 0; i--)
    {
      press ("shift+F6");
      WAIT_FOR (region (f) == i);
    }
  /* a region that is not shown is passed over */
  press ("shift+F9");
  press ("F6");
  WAIT_FOR (region (f) == 1);
  press ("F6");
  WAIT_FOR (region (f) == 3);
}

static void
test_escape (Fixture *f, gconstpointer data)
{
  click (line_of (f, "widen"), "1", NULL);
  WAIT_FOR (chosen (f) == 1);
  press ("Escape");
  WAIT_FOR (chosen (f) == 0);
  click (line_of (f, "stage1"), "1", NULL);
  WAIT_FOR (chosen (f) == 3);
  press ("F6"); /* from the graph as well */
  press ("Escape");
  WAIT_FOR (chosen (f) == 0);
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (f->table->rows)); i++)
    WAIT_FOR (!gtk_selection_model_is_selected (GTK_SELECTION_MODEL (f->table->rows), i));

  /* typed text first: Escape clears the search, the selection stays until the next one */
  click (line_of (f, "widen"), "1", NULL);
  WAIT_FOR (chosen (f) == 1);
  gtk_widget_grab_focus (f->table->search);
  drive ("type", "conv1", NULL);
  WAIT_FOR (g_list_model_get_n_items (G_LIST_MODEL (f->table->rows)) == 2);
  g_assert_cmpint (own (f, WIDEN).weight_bits, ==, PARE_BITS_UNSET); /* a digit in a text is a digit */
  press ("Escape");
  WAIT_FOR (g_list_model_get_n_items (G_LIST_MODEL (f->table->rows)) == 12);
  g_assert_cmpuint (chosen (f), ==, 1);
  press ("Escape");
  WAIT_FOR (chosen (f) == 0);
}

static GtkWidget *
menu_of (Fixture *f)
{
  return find (f->table->box, is_menu, NULL);
}

/* A menu that has just come up is still being placed. */
static void
choose (Fixture *f, const char *item)
{
  int x = -1, y = -1, was_x, was_y;
  do
    {
      was_x = x;
      was_y = y;
      app_test_settle (250);
      place_of (find (menu_of (f), is_label, item), 0.3, 0.5, &x, &y);
    }
  while (x != was_x || y != was_y);
  click (find (menu_of (f), is_label, item), "1", NULL);
}

static void
test_menu (Fixture *f, gconstpointer data)
{
  /* a right click chooses the row under it */
  click (line_of (f, "widen"), "3", NULL);
  WAIT_FOR (menu_of (f) != NULL);
  g_assert_cmpuint (chosen (f), ==, 1);
  g_assert_cmpstr (pare_selection_get (f->selection)[0], ==, WIDEN);
  static const char *const offered[]
      = { "Weight bits", "Activation bits", "Prune…", "Rank…", "Exclude", "Back to the defaults", "What does this layer cost?" };
  for (guint i = 0; i < G_N_ELEMENTS (offered); i++)
    g_assert_nonnull (find (menu_of (f), is_label, offered[i]));
  choose (f, "Exclude");
  WAIT_FOR (own (f, WIDEN).exclude == 1);
  WAIT_FOR (menu_of (f) == NULL);
  WAIT_FOR (g_str_equal (focused_title (f), "widen")); /* keys go on where they were */

  /* with several chosen, a right click on one of them keeps them */
  click (line_of (f, "widen"), "1", NULL);
  click (line_of (f, "block/conv2"), "1", "ctrl");
  WAIT_FOR (chosen (f) == 2);
  click (line_of (f, "block/conv2"), "3", NULL);
  WAIT_FOR (menu_of (f) != NULL);
  g_assert_cmpuint (chosen (f), ==, 2);
  g_assert_nonnull (find (menu_of (f), is_label, "Include again"));
  gtk_widget_activate_action (menu_of (f), "layer.weight-bits", "i", 3);
  g_assert_cmpint (own (f, WIDEN).weight_bits, ==, 3);
  g_assert_cmpint (own (f, CONV2).weight_bits, ==, 3);
  app_test_settle (100);
  press ("Escape"); /* the menu first, then the selection */
  WAIT_FOR (menu_of (f) == NULL);
  WAIT_FOR (g_str_equal (focused_title (f), "block/conv2"));
  g_assert_cmpuint (chosen (f), ==, 2);
  press ("Escape");
  WAIT_FOR (chosen (f) == 0);

  /* by keys, at the row with the focus; its first item opens the bits */
  click (line_of (f, "block/conv1"), "1", NULL);
  WAIT_FOR (g_str_equal (focused_title (f), "block/conv1"));
  press ("Menu");
  WAIT_FOR (menu_of (f) != NULL);
  press ("Escape");
  WAIT_FOR (menu_of (f) == NULL && g_str_equal (focused_title (f), "block/conv1"));
  press ("shift+F10");
  WAIT_FOR (menu_of (f) != NULL);
  g_assert_cmpstr (pare_selection_get (f->selection)[0], ==, CONV1);
  choose (f, "Back to the defaults");
  WAIT_FOR (menu_of (f) == NULL && g_str_equal (focused_title (f), "block/conv1"));
  g_assert_cmpint (own (f, WIDEN).weight_bits, ==, 3);

  /* what the layer costs, in a card of its own */
  press ("Menu");
  WAIT_FOR (menu_of (f) != NULL);
  choose (f, "What does this layer cost?");
  WAIT_FOR (find (f->table->box, is_label, "What " CONV1 " costs") != NULL);
  press ("Escape");
  WAIT_FOR (find (f->table->box, is_label, "What " CONV1 " costs") == NULL);
}

static gboolean
can_drive (void)
{
  GdkDisplay *display = gdk_display_get_default ();
  g_autofree char *program = g_find_program_in_path ("xdotool");
  if (program == NULL || !GDK_IS_X11_DISPLAY (display))
    return FALSE;
  return g_str_equal (gdk_x11_screen_get_window_manager_name (gdk_x11_display_get_screen (display)), "unknown");
}

int
main (int argc, char **argv)
{
  char *data_home = app_test_begin ("keyboard");
  g_test_init (&argc, &argv, NULL);
  if (!gtk_init_check () || !can_drive ())
    return 77;
  g_object_set (gtk_settings_get_default (), "gtk-enable-animations", FALSE, NULL);
  static const struct
  {
    const char *name;
    void (*run) (Fixture *, gconstpointer);
  } tests[] = { { "/keyboard/edit", test_edit },       { "/keyboard/ranges", test_ranges }, { "/keyboard/knobs", test_knobs },
                { "/keyboard/skipped", test_skipped }, { "/keyboard/folds", test_folds },   { "/keyboard/regions", test_regions },
                { "/keyboard/escape", test_escape },   { "/keyboard/menu", test_menu } };
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].name, Fixture, NULL, set_up, tests[i].run, tear_down);
  int status = g_test_run ();
  return app_test_end (data_home, status);
}
