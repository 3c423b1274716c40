/* The profile in the window, on the bundled sample: measured, its parts add up, sorted, selected here and elsewhere, stale after an edit,
 * copied and saved; and the colourings of the canvas that rest on it. */
#include "app-test.h"
#include "app/pare-profile-private.h"
#include "app/pare-canvas-private.h"
#include "app/pare-layer-table-private.h"
#include "app/pare-window-private.h"
#include "widgets/pare-heat-cell.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static char *home;

static gboolean
is_timed (gpointer session)
{
  PareLatency now;
  PareOrigin origin;
  return pare_session_get_latency (session, &now, &origin, NULL, NULL) && origin == PARE_ORIGIN_MEASURED && now.n_layers > 0
         && pare_session_get_n_jobs (session) == 0;
}

static gboolean
is_shown (gpointer view)
{
  return pare_profile_view_get_profile (view) != NULL && !PARE_PROFILE_VIEW (view)->dirty;
}

static gboolean
has_peaks (gpointer view)
{
  return PARE_PROFILE_VIEW (view)->has_peaks && is_shown (view);
}

static gboolean
is_stale (gpointer view)
{
  return PARE_PROFILE_VIEW (view)->stale && is_shown (view);
}

/* What was chosen elsewhere is chosen here: on a busy machine the idle that does it comes late. */
static gboolean
is_synced (gpointer view)
{
  PareProfileView *self = view;
  return is_shown (view) && self->idle == 0 && self->sync_idle == 0;
}

static PareWindow *
open_sample (PareApplication **application, PareProfileView **view)
{
  app_test_forget_projects ();
  PareWindow *window = app_test_open_sample (application);
  WAIT_FOR (is_timed (window->session));
  g_action_group_activate_action (G_ACTION_GROUP (window), "dock", g_variant_new_string ("profile"));
  *view = app_test_below (GTK_WIDGET (window), PARE_TYPE_PROFILE_VIEW);
  g_assert_nonnull (*view);
  WAIT_FOR (is_shown (*view));
  return window;
}

static PareProfileItem *
item_at (PareProfileView *view, guint i)
{
  PareProfileItem *item = g_list_model_get_item (pare_profile_view_get_rows (view), i);
  g_assert_nonnull (item);
  g_object_unref (item); /* the list holds it */
  return item;
}

static void
test_sum (void)
{
  PareApplication *application;
  PareProfileView *view;
  PareWindow *window = open_sample (&application, &view);
  const PareProfile *p = pare_profile_view_get_profile (view);
  const PareGraph *graph = pare_session_get_graph (window->session);
  guint n = g_list_model_get_n_items (pare_profile_view_get_rows (view)), timed = 0, inside = 0;
  double sum = 0, shares = 0;
  g_assert_cmpuint (n, ==, p->n_rows);
  for (guint i = 0; i < n; i++)
    {
      PareProfileItem *item = item_at (view, i);
      timed += item->row.timed;
      inside += item->inside != NULL;
      if (!item->row.timed)
        continue;
      sum += item->row.ms;
      shares += item->row.share;
      if (item->row.macs > 0)
        g_assert_cmpfloat_with_epsilon (item->row.gops, 2.0 * item->row.macs / item->row.ms / 1e6, 1e-6 * item->row.gops);
      g_assert_cmpuint (item->row.bytes, >, 0);
    }
  g_test_message ("%u rows, %u timed, %u in others; %.4f of %.4f ms", n, timed, inside, sum, p->whole_ms);
  g_assert_cmpuint (timed, >, 5);
  g_assert_cmpuint (inside, >, 5); /* activations and normalizations of the convolutions */
  /* the same runs: what is missing is between the layers */
  g_assert_cmpfloat_with_epsilon (sum + p->between_ms, p->whole_ms, 1e-9 * p->whole_ms);
  g_assert_cmpfloat (sum, <=, p->whole_ms * 1.001);
  g_assert_cmpfloat (sum, >=, p->whole_ms * 0.95);
  g_assert_cmpfloat_with_epsilon (shares, sum / p->whole_ms, 1e-9);
  gint64 macs = 0;
  pare_session_get_size (window->session, NULL, NULL, &macs, NULL);
  g_assert_cmpint (p->macs, >, macs / 2);
  for (guint i = 0; i < p->n_rows; i++)
    if (p->rows[i].inside != PARE_NONE)
      g_assert_cmpuint (p->rows[i].inside, <, graph->n_nodes);
  g_assert_nonnull (strstr (gtk_label_get_text (GTK_LABEL (view->sum)), "between layers"));
  g_assert_nonnull (strstr (gtk_label_get_text (GTK_LABEL (view->run)), "KiB"));
  app_test_close_window (window, application);
}

static void
test_sort (void)
{
  PareApplication *application;
  PareProfileView *view;
  PareWindow *window = open_sample (&application, &view);
  guint n = g_list_model_get_n_items (pare_profile_view_get_rows (view));
  /* the slowest stands first, what has no time last */
  for (guint i = 1; i < n; i++)
    {
      const PareProfileRow *a = &item_at (view, i - 1)->row, *b = &item_at (view, i)->row;
      g_assert_true (isnan (b->ms) || a->ms >= b->ms);
    }
  /* and every column sorts both ways; nothing gets lost */
  GListModel *columns = gtk_column_view_get_columns (view->view);
  for (guint c = 0; c < g_list_model_get_n_items (columns); c++)
    {
      g_autoptr (GtkColumnViewColumn) column = g_list_model_get_item (columns, c);
      for (int up = 0; up < 2; up++)
        {
          gtk_column_view_sort_by_column (view->view, column, up ? GTK_SORT_ASCENDING : GTK_SORT_DESCENDING);
          g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
          for (guint i = 0; i < n; i++)
            g_hash_table_add (seen, item_at (view, i));
          g_assert_cmpuint (g_hash_table_size (seen), ==, n);
          if (c == 0) /* the order of the model */
            g_assert_cmpuint (item_at (view, up ? 0 : n - 1)->position, ==, 0);
          app_test_settle (20);
        }
    }
  app_test_close_window (window, application);
}

static void
test_select (void)
{
  PareApplication *application;
  PareProfileView *view;
  PareWindow *window = open_sample (&application, &view);
  PareSelection *selection = view->selection;
  GtkSelectionModel *rows = GTK_SELECTION_MODEL (view->rows);
  pare_selection_set (selection, (const char *const[]){ NULL });
  WAIT_FOR (is_synced (view));
  /* rows become the selection */
  gtk_selection_model_select_item (rows, 0, TRUE);
  gtk_selection_model_select_item (rows, 2, FALSE);
  g_assert_cmpuint (pare_selection_get_n (selection), ==, 2);
  g_assert_cmpstr (pare_selection_get (selection)[0], ==, item_at (view, 0)->name);
  g_assert_cmpstr (pare_selection_get (selection)[1], ==, item_at (view, 2)->name);
  /* and back, in whatever order they stand */
  g_autofree char *name = g_strdup (item_at (view, 4)->name);
  pare_selection_set (selection, (const char *const[]){ name, NULL });
  WAIT_FOR (is_synced (view));
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (rows)); i++)
    g_assert_cmpint (gtk_selection_model_is_selected (rows, i), ==,
                     strcmp (item_at (view, i)->name, name) == 0); /* a measurement may re-sort */
  gtk_column_view_sort_by_column (view->view, view->op, GTK_SORT_ASCENDING);
  WAIT_FOR (is_synced (view));
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (rows)); i++)
    g_assert_cmpint (gtk_selection_model_is_selected (rows, i), ==, strcmp (item_at (view, i)->name, name) == 0);
  /* measuring again keeps it */
  pare_session_measure (window->session);
  app_test_settle (100);
  WAIT_FOR (is_timed (window->session));
  WAIT_FOR (is_shown (view));
  app_test_settle (100);
  g_assert_cmpuint (pare_selection_get_n (selection), ==, 1);
  g_assert_cmpstr (pare_selection_get (selection)[0], ==, name);
  app_test_close_window (window, application);
}

static void
test_stale (void)
{
  PareApplication *application;
  PareProfileView *view;
  PareWindow *window = open_sample (&application, &view);
  g_assert_false (view->stale);
  g_assert_false (gtk_widget_get_visible (view->measure));
  for (guint i = 0; i < view->profile->n_rows; i++)
    g_assert_true (isnan (view->profile->rows[i].original_ms)); /* it is the original */
  guint at = 0;                                                 /* the slowest that has weights */
  while (item_at (view, at)->row.macs == 0)
    at++;
  g_autofree char *name = g_strdup (item_at (view, at)->name);
  PareLayerRecipe change;
  pare_layer_recipe_init (&change);
  change.weight_bits = 4;
  pare_session_set_layers (window->session, (const char *const[]){ name, NULL }, &change, "edit", 0);
  WAIT_FOR (is_stale (view));
  g_assert_true (gtk_widget_get_visible (view->measure));
  g_assert_cmpstr (gtk_label_get_text (GTK_LABEL (view->age)), ==, "stale, 1 edit ago");
  pare_session_measure (window->session);
  app_test_settle (100);
  WAIT_FOR (is_timed (window->session));
  app_test_settle (200);
  g_assert_false (view->stale);
  g_assert_cmpfloat (view->profile->original_ms, >, 0);
  app_test_close_window (window, application);
}

static void
test_text (void)
{
  PareApplication *application;
  PareProfileView *view;
  PareWindow *window = open_sample (&application, &view);
  WAIT_FOR (has_peaks (view)); /* when no job runs */
  g_assert_nonnull (strstr (gtk_label_get_text (GTK_LABEL (view->machine)), "GFLOP/s"));
  guint bound = 0;
  for (guint i = 0; i < view->profile->n_rows; i++)
    bound += view->profile->rows[i].bound != PARE_BOUND_UNKNOWN;
  g_assert_cmpuint (bound, >, 5);
  g_autofree char *text = pare_profile_view_dup_text (view), *path = g_build_filename (home, "profile.csv", NULL), *saved = NULL;
  GError *error = NULL;
  g_assert_true (pare_profile_view_save (view, path, &error));
  g_assert_no_error (error);
  g_assert_true (g_file_get_contents (path, &saved, NULL, NULL));
  g_auto (GStrv) a = g_strsplit (text, "\n", -1), b = g_strsplit (saved, "\n", -1);
  g_assert_cmpuint (g_strv_length (a), ==, view->profile->n_rows + 4);
  g_assert_cmpuint (g_strv_length (b), ==, g_strv_length (a));
  g_autofree char *nowhere = g_build_filename (home, "no", "such", "folder.csv", NULL);
  g_assert_false (pare_profile_view_save (view, nowhere, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  app_test_close_window (window, application);
}

typedef struct
{
  PareProfileView *view;
  PareCanvasPane *pane;
} Colouring;

/* Does the graph's scale end where the greatest figure of the table lies? */
static gboolean
is_coloured (gpointer data)
{
  const Colouring *c = data;
  double most = 0;
  for (guint i = 0; i < c->view->profile->n_rows; i++)
    {
      const PareProfileRow *row = &c->view->profile->rows[i];
      double value = gtk_drop_down_get_selected (c->pane->colour) == PARE_CANVAS_SHARE ? 100 * row->share : row->gops;
      if (row->layer != PARE_NONE && row->timed && !isnan (value))
        most = fmax (most, value);
    }
  return most > 0 && fabs (c->pane->most - most) < 1e-9;
}

static void
test_colours (void)
{
  PareApplication *application;
  PareProfileView *view;
  PareWindow *window = open_sample (&application, &view);
  Colouring c = { view, app_test_below (GTK_WIDGET (window), PARE_TYPE_CANVAS_PANE) };
  g_assert_nonnull (c.pane);
  gtk_drop_down_set_selected (c.pane->colour, PARE_CANVAS_SHARE);
  WAIT_FOR (is_coloured (&c));
  gtk_drop_down_set_selected (c.pane->colour, PARE_CANVAS_RATE);
  WAIT_FOR (is_coloured (&c));
  g_assert_nonnull (strstr (gtk_label_get_text (GTK_LABEL (c.pane->legend_title)), "rate"));
  app_test_close_window (window, application);
}

static gboolean
is_again (gpointer view)
{
  return !PARE_PROFILE_VIEW (view)->peaks_wanted && is_synced (view);
}

/* What the machine can do is kept for a month; then, or when asked for, it is measured again, and what was known stays until then. */
static void
test_machine (void)
{
  PareApplication *application;
  PareProfileView *view;
  PareWindow *window = open_sample (&application, &view);
  WAIT_FOR (has_peaks (view));
  ParePeaks before = view->peaks;
  g_autofree char *path = pare_peaks_path ();
  app_test_close_window (window, application);
  before.when -= 40 * 86400;
  before.gflops = 12345;
  g_assert_true (pare_peaks_save (path, &before, NULL));
  window = open_sample (&application, &view);
  WAIT_FOR (has_peaks (view));
  WAIT_FOR (is_again (view));
  g_assert_cmpint (view->peaks.when, >, before.when + 39 * 86400);
  g_assert_cmpfloat (view->peaks.gflops, !=, 12345);
  ParePeaks kept;
  g_assert_true (pare_peaks_load (path, view->peaks.threads, &kept));
  g_assert_cmpint (kept.when, ==, view->peaks.when);
  g_assert_nonnull (strstr (gtk_label_get_text (GTK_LABEL (view->machine)), "measured"));
  /* when asked for */
  view->peaks.gflops = 12345;
  g_assert_true (gtk_widget_get_sensitive (view->again));
  g_signal_emit_by_name (view->again, "clicked");
  g_assert_false (gtk_widget_get_sensitive (view->again));
  WAIT_FOR (is_again (view));
  g_assert_cmpfloat (view->peaks.gflops, !=, 12345);
  g_assert_true (gtk_widget_get_sensitive (view->again));
  app_test_close_window (window, application);
}

/* The layer table shows the same figures in columns that can be switched on; a group adds its layers up. */
static void
test_table (void)
{
  PareApplication *application;
  PareProfileView *view;
  PareWindow *window = open_sample (&application, &view);
  PareLayerTable *table = app_test_below (GTK_WIDGET (window), PARE_TYPE_LAYER_TABLE);
  pare_layer_tree_refresh (table->tree, window->session); /* of the same moment as the profile */
  g_autoptr (PareProfile) profile = pare_session_dup_profile (window->session, NULL, NULL, NULL);
  g_assert_cmpuint (table->tree->layers->len, >, 5);
  guint compared = 0;
  for (guint r = 0; r < profile->n_rows; r++)
    for (guint i = 0; i < table->tree->layers->len; i++)
      {
        const PareLayerItem *item = g_ptr_array_index (table->tree->layers, i);
        const PareProfileRow *row = &profile->rows[r];
        if (item->node != row->layer)
          continue;
        g_assert_true (isnan (row->ms) ? isnan (item->ms) : item->ms == row->ms);
        g_assert_true (isnan (row->share) ? isnan (item->share) : item->share == row->share);
        g_assert_true (isnan (row->gops) ? isnan (item->rate) : item->rate == row->gops);
        compared++;
      }
  g_assert_cmpuint (compared, ==, table->tree->layers->len);
  for (guint g = 0; g < table->tree->groups->len; g++)
    {
      const PareLayerItem *group = g_ptr_array_index (table->tree->groups, g);
      double ms = 0, share = 0, work = 0, least = HUGE_VAL, most = 0;
      for (guint i = 0; i < group->n_layers; i++)
        {
          const PareLayerItem *item = g_ptr_array_index (table->tree->layers, group->first + i);
          ms += isnan (item->ms) ? 0 : item->ms;
          share += isnan (item->share) ? 0 : item->share;
          work += isnan (item->rate) ? 0 : item->rate * item->ms;
          least = fmin (least, item->rate);
          most = fmax (most, item->rate);
        }
      g_assert_cmpfloat_with_epsilon (group->ms, ms, 1e-9);
      g_assert_cmpfloat_with_epsilon (group->share, share, 1e-9);
      g_assert_cmpfloat_with_epsilon (group->work, work, 1e-9 * work);
      g_assert_true (group->rate >= least && group->rate <= most);
    }
  GListModel *columns = gtk_column_view_get_columns (table->view);
  for (guint c = 11; c <= 12; c++)
    {
      g_autoptr (GtkColumnViewColumn) column = g_list_model_get_item (columns, c);
      g_autofree char *action = g_strdup_printf ("table.column-%u", c);
      g_assert_cmpstr (gtk_column_view_column_get_title (column), ==, c == 11 ? "Share, %" : "GFLOP/s");
      g_assert_false (gtk_column_view_column_get_visible (column));
      gtk_widget_activate_action (GTK_WIDGET (table), action, NULL);
      g_assert_true (gtk_column_view_column_get_visible (column));
    }
  app_test_settle (100);
  /* columns of a project that was saved before there were so many */
  pare_layer_table_set_columns (table, "11000000000");
  g_autofree char *now = pare_layer_table_dup_columns (table);
  g_assert_cmpstr (now, ==, "1100000000000");
  app_test_close_window (window, application);
}

int
main (int argc, char **argv)
{
  home = app_test_begin ("profile");
  g_test_init (&argc, &argv, NULL);
  if (!gtk_init_check ())
    return 77;
  adw_init ();
  g_test_add_func ("/profile/sum", test_sum);
  g_test_add_func ("/profile/sort", test_sort);
  g_test_add_func ("/profile/select", test_select);
  g_test_add_func ("/profile/stale", test_stale);
  g_test_add_func ("/profile/text", test_text);
  g_test_add_func ("/profile/colours", test_colours);
  g_test_add_func ("/profile/machine", test_machine);
  g_test_add_func ("/profile/table", test_table);
  int status = g_test_run ();
  return app_test_end (home, status);
}
