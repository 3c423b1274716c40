#include "app/pare-profile-private.h"
#include "app/pare-layer-item.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

G_DEFINE_FINAL_TYPE (PareProfileItem, pare_profile_item, G_TYPE_OBJECT)
G_DEFINE_FINAL_TYPE (PareProfileView, pare_profile_view, GTK_TYPE_WIDGET)

#define QUIET_MS 700 /* without a job, before the machine is measured */

/* --- rows --- */

static void
pare_profile_item_finalize (GObject *object)
{
  PareProfileItem *self = PARE_PROFILE_ITEM (object);
  g_free (self->name);
  g_free (self->title);
  g_free (self->op);
  g_free (self->inside);
  G_OBJECT_CLASS (pare_profile_item_parent_class)->finalize (object);
}

static void
pare_profile_item_class_init (PareProfileItemClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = pare_profile_item_finalize;
}

static void
pare_profile_item_init (PareProfileItem *self)
{
}

/* "/stage1/conv/Conv" reads "stage1/conv": the operator has a column of its own */
static char *
short_title (const PareNode *node)
{
  const char *start = *node->layer == '/' ? node->layer + 1 : node->layer;
  gsize length = strlen (start), tail = strlen (node->op);
  if (length > tail + 1 && start[length - tail - 1] == '/' && strcmp (start + length - tail, node->op) == 0)
    return g_strndup (start, length - tail - 1);
  return g_strdup (start);
}

static PareProfileItem *
item_new (const PareGraph *graph, const PareProfileRow *row, guint position)
{
  PareProfileItem *item = g_object_new (PARE_TYPE_PROFILE_ITEM, NULL);
  const PareNode *node = row->layer != PARE_NONE ? &graph->nodes[row->layer] : NULL;
  item->row = *row;
  item->position = position;
  item->name = node != NULL ? g_strdup (node->layer) : NULL;
  item->title = node != NULL ? short_title (node) : g_strdup (_ ("no layer: reorders"));
  item->op = g_strdup (node != NULL ? node->op : "");
  item->depthwise = node != NULL && pare_layer_item_is_depthwise (graph, node);
  item->inside = row->inside != PARE_NONE ? short_title (&graph->nodes[row->inside]) : NULL;
  return item;
}

/* --- selection --- */

static gboolean
on_sync (gpointer data)
{
  PareProfileView *self = data;
  self->sync_idle = 0;
  const char *const *chosen = pare_selection_get (self->selection);
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; chosen[i] != NULL; i++)
    g_hash_table_add (names, (gpointer)chosen[i]);
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->rows)), first = GTK_INVALID_LIST_POSITION;
  g_autoptr (GtkBitset) set = gtk_bitset_new_empty (), mask = gtk_bitset_new_range (0, n);
  for (guint i = 0; i < n && g_hash_table_size (names) > 0; i++)
    {
      g_autoptr (PareProfileItem) item = g_list_model_get_item (G_LIST_MODEL (self->rows), i);
      if (item->name == NULL || !g_hash_table_contains (names, item->name))
        continue;
      gtk_bitset_add (set, i);
      first = MIN (first, i);
    }
  self->syncing = TRUE;
  gtk_selection_model_set_selection (GTK_SELECTION_MODEL (self->rows), set, mask);
  self->syncing = FALSE;
  if (self->reveal && first != GTK_INVALID_LIST_POSITION)
    gtk_widget_activate_action (gtk_widget_get_last_child (GTK_WIDGET (self->view)), "list.scroll-to-item", "u", first);
  self->reveal = FALSE;
  return G_SOURCE_REMOVE;
}

static void
queue_sync (PareProfileView *self)
{
  if (self->sync_idle == 0)
    self->sync_idle = g_idle_add (on_sync, self);
}

static void
on_selection (PareProfileView *self)
{
  if (self->syncing)
    return;
  self->reveal = TRUE;
  queue_sync (self);
}

static void
on_rows_changed (GtkSelectionModel *model, guint position, guint n, PareProfileView *self)
{
  if (self->syncing)
    return;
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_autoptr (GtkBitset) set = gtk_selection_model_get_selection (model);
  GtkBitsetIter iter;
  guint at;
  for (gboolean more = gtk_bitset_iter_init_first (&iter, set, &at); more; more = gtk_bitset_iter_next (&iter, &at))
    {
      g_autoptr (PareProfileItem) item = g_list_model_get_item (G_LIST_MODEL (model), at);
      if (item->name != NULL)
        g_ptr_array_add (names, item->name); /* the store holds them */
    }
  g_ptr_array_add (names, NULL);
  self->syncing = TRUE;
  pare_selection_set (self->selection, (const char *const *)names->pdata);
  self->syncing = FALSE;
}

/* --- figures --- */

static void
rebuild (PareProfileView *self)
{
  PareOrigin origin;
  const PareGraph *graph = pare_session_get_graph (self->session);
  g_autoptr (GPtrArray) items = g_ptr_array_new_with_free_func (g_object_unref);
  g_clear_pointer (&self->profile, pare_profile_free);
  self->profile = pare_session_dup_profile (self->session, self->has_peaks ? &self->peaks : NULL, &origin, NULL);
  self->stale = origin == PARE_ORIGIN_STALE;
  self->most_ms = self->most_rate = 0;
  PareLatency two[2];
  pare_session_get_latency (self->session, &two[0], NULL, NULL, &two[1]);
  self->noise = pare_latency_spread (&two[0], &two[1]);
  for (guint i = 0; self->profile != NULL && i < self->profile->n_rows; i++)
    {
      const PareProfileRow *row = &self->profile->rows[i];
      g_ptr_array_add (items, item_new (graph, row, i));
      if (row->timed)
        self->most_ms = fmax (self->most_ms, row->ms);
      if (isfinite (row->gops))
        self->most_rate = fmax (self->most_rate, row->gops);
    }
  self->syncing = TRUE; /* rows that go are no choice of a person's */
  g_list_store_splice (self->items, 0, g_list_model_get_n_items (G_LIST_MODEL (self->items)), items->pdata, items->len);
  self->syncing = FALSE;
  queue_sync (self);
}

static gboolean
on_idle (gpointer data)
{
  PareProfileView *self = data;
  self->idle = 0;
  if (!gtk_widget_get_mapped (GTK_WIDGET (self)))
    return G_SOURCE_REMOVE; /* when it is shown */
  if (self->dirty)
    rebuild (self);
  self->dirty = FALSE;
  pare_profile_show_head (self);
  return G_SOURCE_REMOVE;
}

static void
queue_show (PareProfileView *self)
{
  if (self->idle == 0)
    self->idle = g_idle_add_full (G_PRIORITY_HIGH_IDLE, on_idle, self, NULL); /* before the next frame */
}

static void
queue_rebuild (PareProfileView *self)
{
  self->dirty = TRUE;
  queue_show (self);
}

/* An edit makes what is there stale; nothing else of it changes. */
static void
on_recipe (PareProfileView *self)
{
  PareOrigin origin = PARE_ORIGIN_NONE;
  pare_session_get_latency (self->session, NULL, &origin, NULL, NULL);
  if (self->stale != (origin == PARE_ORIGIN_STALE))
    self->dirty = TRUE;
  queue_show (self);
}

/* --- what the machine can do --- */

static void
run_peaks (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  ParePeaks *peaks = g_new0 (ParePeaks, 1);
  g_autofree char *path = pare_peaks_path ();
  GError *error = NULL;
  if (!pare_peaks_measure (pare_default_threads (), peaks, data, &error))
    {
      g_free (peaks);
      g_task_return_error (task, error);
      return;
    }
  g_autoptr (GError) trouble = NULL;
  if (!pare_peaks_save (path, peaks, &trouble)) /* then they are measured again next time */
    g_debug ("%s", trouble->message);
  g_task_return_pointer (task, peaks, g_free);
}

static void look_at_machine (PareProfileView *self);

static void
on_peaks (GObject *source, GAsyncResult *result, gpointer data)
{
  PareProfileView *self = PARE_PROFILE_VIEW (source);
  g_autofree ParePeaks *peaks = g_task_propagate_pointer (G_TASK (result), NULL);
  gboolean cancelled = pare_control_cancelled (self->measuring);
  g_clear_pointer (&self->measuring, pare_control_unref);
  if (self->session == NULL)
    return;
  if (peaks != NULL)
    {
      self->peaks = *peaks;
      self->has_peaks = TRUE;
    }
  self->peaks_failed = peaks == NULL && !cancelled;
  self->peaks_wanted = cancelled;
  queue_rebuild (self);
  look_at_machine (self);
}

static gboolean
on_quiet (gpointer data)
{
  PareProfileView *self = data;
  self->quiet_timer = 0;
  if (self->measuring != NULL || pare_session_get_n_jobs (self->session) > 0)
    return G_SOURCE_REMOVE;
  self->measuring = pare_control_new (NULL, NULL);
  g_autoptr (GTask) task = g_task_new (self, NULL, on_peaks, NULL);
  g_task_set_task_data (task, pare_control_ref (self->measuring), (GDestroyNotify)pare_control_unref);
  g_task_run_in_thread (task, run_peaks);
  return G_SOURCE_REMOVE;
}

/* Once a month for each machine and number of threads, or when asked for, and only while no job runs: each would spoil the other's
 * figures. What was measured before stays until then. */
static void
look_at_machine (PareProfileView *self)
{
  if (self->has_peaks && self->peaks.threads != CLAMP (pare_default_threads (), 1, 256))
    self->has_peaks = FALSE;
  g_autofree char *path = pare_peaks_path ();
  if (!self->has_peaks && pare_peaks_load (path, pare_default_threads (), &self->peaks))
    {
      self->has_peaks = TRUE;
      queue_rebuild (self);
    }
  if (!self->peaks_failed && (!self->has_peaks || pare_peaks_are_old (&self->peaks, g_get_real_time () / G_USEC_PER_SEC)))
    self->peaks_wanted = TRUE;
  gboolean busy = pare_session_get_n_jobs (self->session) > 0;
  if (busy && self->measuring != NULL)
    pare_control_cancel (self->measuring);
  if (busy || !self->peaks_wanted)
    g_clear_handle_id (&self->quiet_timer, g_source_remove);
  else if (self->quiet_timer == 0 && self->measuring == NULL && pare_session_get_graph (self->session) != NULL)
    self->quiet_timer = g_timeout_add (QUIET_MS, on_quiet, self);
}

static void
on_jobs (PareProfileView *self)
{
  if (gtk_widget_get_mapped (GTK_WIDGET (self)) && self->peaks_wanted)
    look_at_machine (self);
}

void
pare_profile_measure_machine (PareProfileView *self)
{
  self->peaks_failed = FALSE;
  self->peaks_wanted = TRUE;
  pare_profile_show_head (self);
  look_at_machine (self);
}

/* --- text --- */

char *
pare_profile_view_dup_text (PareProfileView *self)
{
  const PareGraph *graph = pare_session_get_graph (self->session);
  return self->profile != NULL && graph != NULL ? pare_profile_to_text (self->profile, graph, '\t') : NULL;
}

gboolean
pare_profile_view_save (PareProfileView *self, const char *path, GError **error)
{
  const PareGraph *graph = pare_session_get_graph (self->session);
  if (self->profile == NULL || graph == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("%s: no times are measured yet"), path);
      return FALSE;
    }
  g_autofree char *text = pare_profile_to_text (self->profile, graph, ',');
  return g_file_set_contents (path, text, -1, error);
}

GListModel *
pare_profile_view_get_rows (PareProfileView *self)
{
  return G_LIST_MODEL (self->rows);
}

const PareProfile *
pare_profile_view_get_profile (PareProfileView *self)
{
  return self->profile;
}

void
pare_profile_view_set_narrow (PareProfileView *self, gboolean narrow)
{
  gtk_column_view_column_set_visible (self->op, !narrow);
}

/* --- construction --- */

static void
pare_profile_view_map (GtkWidget *widget)
{
  PareProfileView *self = PARE_PROFILE_VIEW (widget);
  GTK_WIDGET_CLASS (pare_profile_view_parent_class)->map (widget);
  look_at_machine (self);
  queue_show (self);
}

static void
pare_profile_view_unmap (GtkWidget *widget)
{
  g_clear_handle_id (&PARE_PROFILE_VIEW (widget)->quiet_timer, g_source_remove);
  GTK_WIDGET_CLASS (pare_profile_view_parent_class)->unmap (widget);
}

static void
pare_profile_view_dispose (GObject *object)
{
  PareProfileView *self = PARE_PROFILE_VIEW (object);
  g_clear_handle_id (&self->idle, g_source_remove);
  g_clear_handle_id (&self->sync_idle, g_source_remove);
  g_clear_handle_id (&self->quiet_timer, g_source_remove);
  if (self->measuring != NULL)
    pare_control_cancel (self->measuring);
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  if (self->selection != NULL)
    g_signal_handlers_disconnect_by_data (self->selection, self);
  if (self->rows != NULL)
    g_signal_handlers_disconnect_by_data (self->rows, self);
  g_clear_pointer (&self->stack, gtk_widget_unparent);
  g_clear_object (&self->rows);
  g_clear_object (&self->sorted);
  g_clear_object (&self->items);
  g_clear_pointer (&self->profile, pare_profile_free);
  g_clear_object (&self->session);
  g_clear_object (&self->selection);
  G_OBJECT_CLASS (pare_profile_view_parent_class)->dispose (object);
}

static void
pare_profile_view_class_init (PareProfileViewClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = pare_profile_view_dispose;
  widget_class->map = pare_profile_view_map;
  widget_class->unmap = pare_profile_view_unmap;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_GROUP);
}

static void
pare_profile_view_init (PareProfileView *self)
{
  self->dirty = TRUE;
  self->view = GTK_COLUMN_VIEW (gtk_column_view_new (NULL));
  gtk_widget_add_css_class (GTK_WIDGET (self->view), "data-table");
  gtk_widget_add_css_class (GTK_WIDGET (self->view), "pare-table");
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->view), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Time of each layer"), -1);
  pare_profile_add_columns (self);
  pare_profile_align_heads (self);
  self->items = g_list_store_new (PARE_TYPE_PROFILE_ITEM);
  self->sorted
      = gtk_sort_list_model_new (G_LIST_MODEL (g_object_ref (self->items)), g_object_ref (gtk_column_view_get_sorter (self->view)));
  self->rows = gtk_multi_selection_new (G_LIST_MODEL (g_object_ref (self->sorted)));
  gtk_column_view_set_model (self->view, GTK_SELECTION_MODEL (self->rows));
  gtk_column_view_sort_by_column (self->view, self->time, GTK_SORT_DESCENDING);
  g_signal_connect (self->rows, "selection-changed", G_CALLBACK (on_rows_changed), self);

  GtkWidget *scroller = gtk_scrolled_window_new (), *table = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scroller), GTK_WIDGET (self->view));
  gtk_widget_set_vexpand (scroller, TRUE);
  gtk_box_append (GTK_BOX (table), pare_profile_build_head (self));
  gtk_box_append (GTK_BOX (table), gtk_separator_new (GTK_ORIENTATION_HORIZONTAL));
  gtk_box_append (GTK_BOX (table), scroller);
  gtk_box_append (GTK_BOX (table), gtk_separator_new (GTK_ORIENTATION_HORIZONTAL));
  gtk_box_append (GTK_BOX (table), pare_profile_build_foot (self));
  self->stack = gtk_stack_new ();
  gtk_stack_add_named (GTK_STACK (self->stack), pare_profile_build_empty (self), "empty");
  gtk_stack_add_named (GTK_STACK (self->stack), table, "table");
  gtk_widget_set_parent (self->stack, GTK_WIDGET (self));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Profile"), -1);
}

GtkWidget *
pare_profile_view_new (PareSession *session, PareSelection *selection)
{
  PareProfileView *self = g_object_new (PARE_TYPE_PROFILE_VIEW, NULL);
  self->session = g_object_ref (session);
  self->selection = g_object_ref (selection);
  g_signal_connect_swapped (session, "latency-changed", G_CALLBACK (queue_rebuild), self);
  g_signal_connect_swapped (session, "model-changed", G_CALLBACK (queue_rebuild), self);
  g_signal_connect_swapped (session, "recipe-changed", G_CALLBACK (on_recipe), self);
  g_signal_connect_swapped (session, "jobs-changed", G_CALLBACK (on_jobs), self);
  g_signal_connect_swapped (selection, "changed", G_CALLBACK (on_selection), self);
  return GTK_WIDGET (self);
}
