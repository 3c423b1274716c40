/* The layer table: its tree of groups without a display, and the widget on one. */
#include "app-test.h"
#include "app/pare-layer-table-private.h"
#include "engine/onnx/pare-onnx.h"

#include <glib/gstdio.h>
#include <math.h>
#include <time.h>

static char *folder;

/* --- models made here --- */

typedef struct
{
  PareGraph *graph;
  PareValueId at;
  gint64 channels, size;
} Maker;

static void
add_conv (Maker *m, const char *name)
{
  PareShape ws = pare_shape_make (4, m->channels, m->channels, (gint64)1, (gint64)1),
            xs = pare_shape_make (4, (gint64)1, m->channels, m->size, m->size);
  g_autoptr (PareTensor) w = pare_tensor_new (PARE_DTYPE_FLOAT32, &ws, NULL);
  for (gint64 i = 0; i < pare_tensor_count (w); i++)
    ((float *)w->data)[i] = 0.01f * (float)((i * 37 + m->graph->n_nodes * 11) % 41 - 20);
  g_autofree char *weight = g_strconcat (name, ".weight", NULL);
  PareValueId in[2] = { m->at, pare_graph_add_constant (m->graph, weight, w, PARE_NONE) };
  m->at = pare_graph_add_value (m->graph, name, PARE_DTYPE_FLOAT32, &xs, PARE_NONE);
  pare_graph_add_node (m->graph, "Conv", name, in, 2, &m->at, 1, PARE_NONE, PARE_ROLE_SELF);
}

/* stages of blocks of convolutions: "/s0/b0/c0/Conv"; one convolution before them and one behind. */
static char *
make_model (const char *file, guint stages, guint blocks, guint convs, gint64 channels)
{
  Maker m = { pare_graph_new ("test"), 0, channels, 4 };
  g_autoptr (PareGraph) graph = m.graph;
  g_autoptr (GError) error = NULL;
  PareShape xs = pare_shape_make (4, (gint64)1, channels, m.size, m.size);
  graph->opset = 13;
  graph->ir_version = 8;
  m.at = pare_graph_add_value (graph, "input", PARE_DTYPE_FLOAT32, &xs, PARE_NONE);
  graph->inputs = g_new (PareValueId, 1);
  graph->inputs[graph->n_inputs++] = m.at;
  add_conv (&m, "/stem/Conv");
  for (guint s = 0; s < stages; s++)
    for (guint b = 0; b < blocks; b++)
      for (guint c = 0; c < convs; c++)
        {
          g_autofree char *name = g_strdup_printf ("/s%u/b%u/c%u/Conv", s, b, c);
          add_conv (&m, name);
        }
  add_conv (&m, "/head/Conv");
  graph->outputs = g_new (PareValueId, 1);
  graph->outputs[graph->n_outputs++] = m.at;
  pare_graph_name_layers (graph);
  g_assert_true (pare_graph_verify (graph, &error));
  g_assert_no_error (error);
  char *path = g_build_filename (folder, file, NULL);
  g_assert_true (pare_onnx_save (graph, path, &error));
  g_assert_no_error (error);
  return path;
}

static void
on_opened (GObject *source, GAsyncResult *result, gpointer done)
{
  g_autoptr (GError) error = NULL;
  pare_session_open_finish (PARE_SESSION (source), result, &error);
  g_assert_no_error (error);
  *(gboolean *)done = TRUE;
}

static void
open_path (PareSession *session, const char *path)
{
  gboolean done = FALSE;
  pare_session_open_async (session, path, NULL, on_opened, &done);
  while (!done)
    g_main_context_iteration (NULL, TRUE);
}

static PareLayerTree *
tree_of (PareSession *session)
{
  guint n = 0;
  const PareLayerInfo *infos = pare_session_get_layer_infos (session, &n);
  g_autoptr (PareGraphModel) model = pare_graph_model_new (pare_session_get_graph (session), infos, n);
  return pare_layer_tree_new (session, model);
}

static PareLayerItem *
group_called (PareLayerTree *tree, const char *title)
{
  for (guint g = 0; g < tree->groups->len; g++)
    if (g_str_equal (((PareLayerItem *)g_ptr_array_index (tree->groups, g))->title, title))
      return g_ptr_array_index (tree->groups, g);
  g_test_message ("there is no group %s", title);
  return NULL;
}

static PareLayerItem *
layer_called (PareLayerTree *tree, const char *name)
{
  PareLayerItem *item = g_hash_table_lookup (tree->by_layer, name);
  g_assert_nonnull (item);
  return item;
}

/* --- the tree --- */

static void
test_groups (void)
{
  g_autofree char *path = make_model ("groups.onnx", 2, 2, 3, 4);
  g_autoptr (PareSession) session = pare_session_new ();
  open_path (session, path);
  WAIT_FOR (pare_session_get_size (session, NULL, NULL, NULL, NULL));
  PareLayerTree *tree = tree_of (session);
  g_assert_cmpuint (tree->layers->len, ==, 14);
  g_assert_cmpuint (tree->roots->len, ==, 4); /* stem, s0, s1, head */
  PareLayerItem *s1 = group_called (tree, "s1");
  g_assert_nonnull (s1);
  g_assert_cmpuint (s1->n_layers, ==, 6);
  g_assert_cmpuint (s1->children->len, ==, 2); /* three layers each: worth a row */
  g_assert_true (((PareLayerItem *)g_ptr_array_index (s1->children, 0))->parent == s1);
  PareLayerItem *conv = layer_called (tree, "/s1/b1/c2/Conv");
  g_assert_cmpstr (conv->title, ==, "c2"); /* what its groups say already is left out */
  g_assert_true (conv->parent->parent == s1);

  gint64 sum = 0, original = 0;
  for (guint i = 0; i < s1->n_layers; i++)
    {
      PareLayerItem *layer = g_ptr_array_index (tree->layers, s1->first + i);
      g_assert_true (g_str_has_prefix (layer->name, "/s1/"));
      sum += layer->packed;
      original += layer->original;
    }
  g_assert_cmpint (sum, >, 0);
  g_assert_cmpint (s1->packed, ==, sum);
  g_assert_cmpint (s1->original, ==, original);
  g_assert_cmpint (tree->largest, >=, original);
  g_assert_cmpstr (s1->shorthand, ==, "float");

  PareLayerRecipe change;
  pare_layer_recipe_init (&change);
  change.weight_bits = 4;
  const char *const four[] = { "/s1/b0/c0/Conv", "/s1/b0/c1/Conv", "/s1/b0/c2/Conv", "/s1/b1/c0/Conv", NULL };
  pare_session_set_layers (session, four, &change, "four", 0);
  change.weight_bits = 2;
  pare_session_set_layers (session, &four[3], &change, "one", 0);
  app_test_settle (400);
  pare_layer_tree_refresh (tree, session);
  g_assert_cmpstr (s1->shorthand, ==, "mixed");
  g_assert_cmpstr (conv->parent->shorthand, ==, "float…");
  PareLayerItem *first = g_ptr_array_index (s1->children, 0);
  g_assert_cmpstr (first->shorthand, ==, layer_called (tree, four[0])->shorthand);
  g_autofree char *words = pare_layer_item_dup_words (s1, session, tree->layers);
  g_assert_nonnull (strstr (words, "3 layers"));
  /* of errors the worst counts */
  double worst = layer_called (tree, four[3])->error;
  g_assert_cmpfloat (worst, >, layer_called (tree, four[0])->error);
  g_assert_cmpfloat (s1->error, ==, worst);
  g_assert_cmpint (s1->packed, <, sum);
  pare_layer_tree_free (tree);
  pare_session_close (session);
}

/* Two layers inside another group get no row of their own; of the outermost groups two are enough. */
static void
test_small_groups (void)
{
  g_autofree char *path = make_model ("small.onnx", 2, 2, 2, 4);
  g_autoptr (PareSession) session = pare_session_new ();
  open_path (session, path);
  PareLayerTree *tree = tree_of (session);
  PareLayerItem *s0 = group_called (tree, "s0");
  g_assert_nonnull (s0);
  g_assert_cmpuint (s0->children->len, ==, 4);
  g_assert_cmpuint (tree->groups->len, ==, 2);
  g_assert_cmpstr (layer_called (tree, "/s0/b1/c0/Conv")->title, ==, "b1/c0");
  pare_layer_tree_free (tree);
  pare_session_close (session);
}

static void
test_search (void)
{
  g_autofree char *path = make_model ("search.onnx", 2, 2, 3, 4);
  g_autoptr (PareSession) session = pare_session_new ();
  open_path (session, path);
  PareLayerTree *tree = tree_of (session);
  pare_layer_tree_search (tree, "B1/C2");
  g_assert_cmpuint (tree->n_matches, ==, 2);
  g_assert_true (group_called (tree, "s0")->matches && group_called (tree, "s1")->matches);
  g_assert_false (layer_called (tree, "/stem/Conv")->matches);
  pare_layer_tree_search (tree, "s1"); /* a group's title: all of it */
  g_assert_cmpuint (tree->n_matches, ==, 6);
  g_assert_false (group_called (tree, "s0")->matches);
  pare_layer_tree_search (tree, "conv");
  g_assert_cmpuint (tree->n_matches, ==, 14);
  pare_layer_tree_search (tree, "nothing of the kind");
  g_assert_cmpuint (tree->n_matches, ==, 0);
  pare_layer_tree_search (tree, "");
  g_assert_cmpuint (tree->n_matches, ==, 14);
  pare_layer_tree_free (tree);
  pare_session_close (session);
}

static void
test_selection (void)
{
  g_autofree char *path = make_model ("selection.onnx", 2, 2, 3, 4);
  g_autoptr (PareSession) session = pare_session_new ();
  open_path (session, path);
  PareLayerTree *tree = tree_of (session);
  PareLayerItem *s0 = group_called (tree, "s0"), *c = layer_called (tree, "/s0/b0/c1/Conv");
  pare_layer_tree_mark (tree, s0, TRUE);
  g_assert_true (pare_layer_tree_is_selected (s0) && pare_layer_tree_is_selected (c->parent) && pare_layer_tree_is_selected (c));
  g_autofree const char **names = pare_layer_tree_dup_selected (tree);
  g_assert_cmpuint (g_strv_length ((char **)names), ==, 6);
  pare_layer_tree_mark (tree, c, FALSE);
  pare_layer_tree_mark (tree, c, FALSE); /* twice counts once */
  g_assert_false (pare_layer_tree_is_selected (s0));
  g_assert_cmpuint (s0->n_selected, ==, 5);
  pare_layer_tree_select (tree, (const char *const[]){ "/head/Conv", "no such layer", NULL });
  g_assert_cmpuint (tree->n_selected, ==, 1);
  g_assert_cmpuint (s0->n_selected, ==, 0);
  pare_layer_tree_free (tree);
  pare_session_close (session);
}

static void
test_folds (void)
{
  g_autofree char *path = make_model ("folds.onnx", 2, 2, 3, 4);
  g_autoptr (PareSession) session = pare_session_new ();
  open_path (session, path);
  PareLayerTree *tree = tree_of (session), *again = tree_of (session);
  g_assert_null (pare_layer_tree_dup_folds (tree));
  g_assert_true (group_called (tree, "s0")->open);
  group_called (tree, "s0")->open = FALSE;
  g_autofree char *text = pare_layer_tree_dup_folds (tree);
  pare_layer_tree_set_folds (again, text);
  g_assert_false (group_called (again, "s0")->open);
  g_assert_true (group_called (again, "s1")->open);
  pare_layer_tree_set_folds (again, "?\n-\n+no such group\n-%"); /* of another model, or damaged */
  g_assert_true (group_called (again, "s0")->open);
  pare_layer_tree_free (tree);
  pare_layer_tree_free (again);
  pare_session_close (session);
}

/* --- the widget --- */

typedef struct
{
  GtkWidget *window;
  PareLayerTable *table;
  PareSession *session;
  PareSelection *selection;
} Fixture;

static void
set_up (Fixture *f, const char *path)
{
  f->session = pare_session_new ();
  f->selection = pare_selection_new ();
  f->table = PARE_LAYER_TABLE (pare_layer_table_new (f->session, f->selection));
  f->window = gtk_window_new ();
  gtk_window_set_default_size (GTK_WINDOW (f->window), 318, 700);
  gtk_window_set_child (GTK_WINDOW (f->window), GTK_WIDGET (f->table));
  gtk_window_present (GTK_WINDOW (f->window));
  open_path (f->session, path);
  WAIT_FOR (pare_session_get_size (f->session, NULL, NULL, NULL, NULL));
  app_test_settle (300);
}

static void
tear_down (Fixture *f)
{
  gtk_window_destroy (GTK_WINDOW (f->window));
  app_test_settle (50);
  pare_session_close (f->session);
  g_object_unref (f->session);
  g_object_unref (f->selection);
}

/* A project that holds nothing of a person's goes when it is closed. */
static void
edit_something (Fixture *f)
{
  PareLayerRecipe change;
  pare_layer_recipe_init (&change);
  change.weight_bits = 8;
  pare_session_set_layers (f->session, (const char *const[]){ "/head/Conv", NULL }, &change, "8 bits", 0);
}

static guint
n_rows (Fixture *f)
{
  return g_list_model_get_n_items (G_LIST_MODEL (f->table->rows));
}

static PareLayerItem *
row_item (Fixture *f, guint i)
{
  g_autoptr (GtkTreeListRow) row = g_list_model_get_item (G_LIST_MODEL (f->table->rows), i);
  g_autoptr (PareLayerItem) item = gtk_tree_list_row_get_item (row);
  return item; /* held by the tree */
}

static guint
row_of (Fixture *f, const char *title)
{
  for (guint i = 0; i < n_rows (f); i++)
    if (g_str_equal (row_item (f, i)->title, title))
      return i;
  return GTK_INVALID_LIST_POSITION;
}

static void
expand (Fixture *f, const char *title, gboolean open)
{
  g_autoptr (GtkTreeListRow) row = g_list_model_get_item (G_LIST_MODEL (f->table->rows), row_of (f, title));
  gtk_tree_list_row_set_expanded (row, open);
  app_test_settle (50);
}

static gboolean
is_selected (Fixture *f, const char *title)
{
  return gtk_selection_model_is_selected (GTK_SELECTION_MODEL (f->table->rows), row_of (f, title));
}

static void
test_widget_folds (void)
{
  g_autofree char *path = make_model ("widget.onnx", 2, 2, 3, 4);
  Fixture f;
  set_up (&f, path);
  WAIT_FOR (n_rows (&f) == 14 + 2 + 4);
  expand (&f, "b0", FALSE); /* the first one, of s0 */
  WAIT_FOR (n_rows (&f) == 17);
  expand (&f, "s0", FALSE);
  WAIT_FOR (n_rows (&f) == 12);
  expand (&f, "s0", TRUE); /* what is inside comes back as it was */
  WAIT_FOR (n_rows (&f) == 17);
  expand (&f, "s1", FALSE);

  /* a hit in a folded group shows; clearing folds it again */
  gtk_editable_set_text (GTK_EDITABLE (f.table->search), "/s1/b1/c0");
  app_test_settle (300);
  WAIT_FOR (n_rows (&f) == 3);
  g_assert_cmpstr (row_item (&f, 2)->name, ==, "/s1/b1/c0/Conv");
  gtk_editable_set_text (GTK_EDITABLE (f.table->search), "nothing");
  app_test_settle (300);
  WAIT_FOR (g_str_equal (gtk_stack_get_visible_child_name (GTK_STACK (f.table->stack)), "none"));
  gtk_editable_set_text (GTK_EDITABLE (f.table->search), "");
  app_test_settle (300);
  WAIT_FOR (g_str_equal (gtk_stack_get_visible_child_name (GTK_STACK (f.table->stack)), "rows"));
  WAIT_FOR (n_rows (&f) == 9);

  /* the project remembers the folds */
  app_test_settle (400);
  edit_something (&f);
  g_autofree char *project = g_strdup (pare_session_get_project_path (f.session));
  tear_down (&f);
  set_up (&f, project);
  WAIT_FOR (n_rows (&f) == 9);
  tear_down (&f);
}

static void
test_widget_sort (void)
{
  g_autofree char *path = make_model ("sort.onnx", 2, 2, 3, 4);
  Fixture f;
  set_up (&f, path);
  PareLayerRecipe change;
  pare_layer_recipe_init (&change);
  change.weight_bits = 8;
  pare_session_set_layers (f.session, (const char *const[]){ "/s1/b1/c0/Conv", NULL }, &change, "8 bits", 0);
  change.weight_bits = 2;
  pare_session_set_layers (f.session, (const char *const[]){ "/s1/b1/c1/Conv", NULL }, &change, "2 bits", 0);
  app_test_settle (500);
  g_autoptr (GListModel) columns = G_LIST_MODEL (g_object_ref (gtk_column_view_get_columns (f.table->view)));
  g_autoptr (GtkColumnViewColumn) kib = g_list_model_get_item (columns, 2);
  gtk_column_view_sort_by_column (f.table->view, kib, GTK_SORT_ASCENDING);
  app_test_settle (100);
  WAIT_FOR (n_rows (&f) == 20);
  guint at = 0;
  while (at < n_rows (&f) && !g_str_equal (row_item (&f, at)->name, "/s1/b1/c1/Conv"))
    at++;
  /* smallest first, and still in its group, right under the group's row */
  g_assert_cmpuint (at, >=, 2);
  g_assert_true (row_item (&f, at - 1) == row_item (&f, at)->parent);
  g_assert_cmpstr (row_item (&f, at + 1)->name, ==, "/s1/b1/c0/Conv");
  g_assert_cmpstr (row_item (&f, at + 2)->name, ==, "/s1/b1/c2/Conv");
  g_assert_true (row_item (&f, at - 2) == row_item (&f, at - 1)->parent); /* b1 is smaller than b0 */
  tear_down (&f);
}

static guint
n_chosen (Fixture *f)
{
  return pare_selection_get_n (f->selection);
}

static void
test_widget_selection (void)
{
  g_autofree char *path = make_model ("rows.onnx", 2, 2, 2, 4);
  Fixture f;
  set_up (&f, path);
  GtkSelectionModel *rows = GTK_SELECTION_MODEL (f.table->rows);
  /* a group's row chooses all layers of it, here and everywhere */
  gtk_selection_model_select_item (rows, row_of (&f, "s0"), TRUE);
  g_assert_cmpuint (n_chosen (&f), ==, 4);
  g_assert_cmpstr (pare_selection_get (f.selection)[0], ==, "/s0/b0/c0/Conv");
  g_assert_true (is_selected (&f, "b0/c1"));
  /* one taken out: the group is no longer whole */
  guint c1 = row_of (&f, "s0") + 2;
  gtk_selection_model_unselect_item (rows, c1);
  g_assert_cmpuint (n_chosen (&f), ==, 3);
  g_assert_false (is_selected (&f, "s0"));
  gtk_selection_model_select_item (rows, c1, FALSE);
  g_assert_cmpuint (n_chosen (&f), ==, 4);
  g_assert_true (is_selected (&f, "s0"));
  /* a range from the group's row on keeps all of it */
  gtk_selection_model_select_range (rows, row_of (&f, "s0"), 2, TRUE);
  g_assert_cmpuint (n_chosen (&f), ==, 4);
  /* folded away, then one more: what cannot be seen stays chosen */
  expand (&f, "s0", FALSE);
  gtk_selection_model_select_item (rows, row_of (&f, "stem"), FALSE);
  g_assert_cmpuint (n_chosen (&f), ==, 5);
  gtk_selection_model_select_item (rows, row_of (&f, "head"), TRUE);
  g_assert_cmpuint (n_chosen (&f), ==, 1);
  /* chosen elsewhere, in a folded group: it unfolds */
  pare_selection_set (f.selection, (const char *const[]){ "/s0/b1/c0/Conv", NULL });
  app_test_settle (100);
  WAIT_FOR (n_rows (&f) == 12);
  WAIT_FOR (gtk_selection_model_is_selected (rows, row_of (&f, "s0") + 3));
  g_assert_false (is_selected (&f, "head"));
  pare_selection_set (f.selection, NULL);
  WAIT_FOR (!gtk_selection_model_is_selected (rows, row_of (&f, "s0") + 3));
  g_autoptr (GtkBitset) left = gtk_selection_model_get_selection (rows);
  g_assert_true (gtk_bitset_is_empty (left));
  tear_down (&f);
}

static void
test_widget_columns (void)
{
  g_autofree char *path = make_model ("columns.onnx", 1, 1, 3, 4);
  Fixture f;
  set_up (&f, path);
  GtkColumnViewColumn *ms = g_list_model_get_item (gtk_column_view_get_columns (f.table->view), 5);
  g_assert_false (gtk_column_view_column_get_visible (ms));
  gtk_widget_activate_action (GTK_WIDGET (f.table), "table.column-5", NULL);
  g_assert_true (gtk_column_view_column_get_visible (ms));
  edit_something (&f);
  g_autofree char *project = g_strdup (pare_session_get_project_path (f.session));
  g_object_unref (ms);
  tear_down (&f);
  set_up (&f, project);
  ms = g_list_model_get_item (gtk_column_view_get_columns (f.table->view), 5);
  g_assert_true (gtk_column_view_column_get_visible (ms));
  g_object_unref (ms);
  tear_down (&f);
}

/* Of this thread: what else the machine does at the time does not count. */
static double
cpu_seconds (void)
{
  struct timespec t;
  g_assert_cmpint (clock_gettime (CLOCK_THREAD_CPUTIME_ID, &t), ==, 0);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Ten thousand layers: filling, typing, choosing all and an edit stay far from quadratic. The limits are some ten times what a slow
 * machine of two cores takes, so that only another order of growth breaks them. */
static void
test_widget_many (void)
{
  g_autofree char *path = make_model ("many.onnx", 20, 50, 10, 2);
  Fixture f;
  set_up (&f, path);
  gint64 end = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;
  while (f.table->tree->groups->len == 0 && g_get_monotonic_time () < end) /* they come from a worker */
    app_test_settle (50);
  g_assert_cmpuint (f.table->tree->layers->len, ==, 10002);
  g_assert_cmpuint (f.table->tree->groups->len, >=, 20);

  double start = cpu_seconds ();
  for (guint g = 0; g < f.table->tree->groups->len; g++)
    ((PareLayerItem *)g_ptr_array_index (f.table->tree->groups, g))->open = TRUE;
  pare_layer_table_rebuild (f.table);
  double fill = cpu_seconds () - start;
  WAIT_FOR (n_rows (&f) == f.table->tree->layers->len + f.table->tree->groups->len);
  app_test_settle (500);

  start = cpu_seconds ();
  gtk_editable_set_text (GTK_EDITABLE (f.table->search), "/s7/b1");
  pare_layer_table_rebuild (f.table);
  double search = cpu_seconds () - start;
  g_assert_cmpuint (f.table->tree->n_matches, ==, 110); /* b1 and b10 .. b19 */
  gtk_editable_set_text (GTK_EDITABLE (f.table->search), "");
  app_test_settle (500);

  start = cpu_seconds ();
  gtk_selection_model_select_all (GTK_SELECTION_MODEL (f.table->rows));
  double choose = cpu_seconds () - start;
  g_assert_cmpuint (n_chosen (&f), ==, 10002);

  start = cpu_seconds ();
  pare_layer_tree_refresh (f.table->tree, f.session);
  double refresh = cpu_seconds () - start;
  g_test_message ("10002 layers: fill %.0f ms, search %.0f ms, choose all %.0f ms, refresh %.0f ms", 1000 * fill, 1000 * search,
                  1000 * choose, 1000 * refresh);
  g_assert_cmpfloat (fill, <, 2);
  g_assert_cmpfloat (search, <, 2);
  g_assert_cmpfloat (choose, <, 2);
  g_assert_cmpfloat (refresh, <, 2);
  tear_down (&f);
}

int
main (int argc, char **argv)
{
  folder = app_test_begin ("table");
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/table/groups", test_groups);
  g_test_add_func ("/table/small-groups", test_small_groups);
  g_test_add_func ("/table/search", test_search);
  g_test_add_func ("/table/selection", test_selection);
  g_test_add_func ("/table/folds", test_folds);
  if (gtk_init_check ())
    {
      adw_init ();
      g_object_set (gtk_settings_get_default (), "gtk-enable-animations", FALSE, NULL);
      g_test_add_func ("/table/widget/folds", test_widget_folds);
      g_test_add_func ("/table/widget/sort", test_widget_sort);
      g_test_add_func ("/table/widget/selection", test_widget_selection);
      g_test_add_func ("/table/widget/columns", test_widget_columns);
      g_test_add_func ("/table/widget/many", test_widget_many);
    }
  int status = g_test_run ();
  return app_test_end (folder, status);
}
