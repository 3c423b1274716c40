#include "app/pare-layer-table-private.h"
#include "app/pare-table-parts.h"
#include "app/pare-canvas-private.h"
#include "app/pare-layer-menu.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>

/* Models with more nodes than that find their groups in a worker. */
#define MANY_NODES 3000

G_DEFINE_FINAL_TYPE (PareLayerTable, pare_layer_table, GTK_TYPE_WIDGET)

/* --- foot --- */

static void
update_foot (PareLayerTable *self)
{
  PareSize size, original;
  guint n = self->tree != NULL ? self->tree->layers->len : 0, chosen = pare_selection_get_n (self->selection), of = 0;
  const char *const *skipped = pare_selection_get_skipped (self->selection, &of);
  guint n_skipped = g_strv_length ((char **)skipped);
  g_autoptr (GString) left = g_string_new (NULL);
  g_string_printf (left, g_dngettext (NULL, "<b>%u layer</b>", "<b>%u layers</b>", n), n);
  if (self->searching && self->tree != NULL)
    g_string_append_printf (left, _ (" %u found"), self->tree->n_matches);
  if (chosen > 0)
    g_string_append_printf (left, _ (" %u selected"), chosen);
  if (n_skipped > 0)
    g_string_append_printf (left, _ (", %u of %u skipped"), n_skipped, of);
  gtk_label_set_markup (GTK_LABEL (self->foot_left), left->str);
  g_autofree char *names = n_skipped > 0 ? g_strjoinv ("\n", (char **)skipped) : NULL;
  g_autofree char *tip = names != NULL ? g_strdup_printf (_ ("These cannot take the change:\n%s"), names) : NULL;
  gtk_widget_set_tooltip_text (self->foot_left, tip);
  if (n_skipped > 0)
    gtk_widget_add_css_class (self->foot_left, "pare-warning");
  else
    gtk_widget_remove_css_class (self->foot_left, "pare-warning");
  if (pare_session_get_size (self->session, &size, &original, NULL, NULL))
    {
      g_autofree char *now = pare_format_kib (size.packed_bytes), *was = pare_format_kib_unit (original.packed_bytes);
      g_autofree char *text = g_strdup_printf (_ ("<b>%s</b> of %s"), now, was);
      gtk_label_set_markup (GTK_LABEL (self->foot_right), text);
    }
  else
    gtk_label_set_text (GTK_LABEL (self->foot_right), "");
}

/* --- the session --- */

static gboolean
on_refresh (gpointer data)
{
  PareLayerTable *self = data;
  self->refresh_idle = 0;
  if (self->tree != NULL)
    pare_layer_tree_refresh (self->tree, self->session);
  if (gtk_sort_list_model_get_sorter (self->sorted) != NULL)
    { /* other figures, another order */
      gtk_sorter_changed (self->order, GTK_SORTER_CHANGE_DIFFERENT);
      pare_layer_table_queue_sync (self);
    }
  update_foot (self);
  return G_SOURCE_REMOVE;
}

/* An edit changes recipe, sizes and times one after the other: one look at all of them. */
static void
queue_refresh (PareLayerTable *self)
{
  if (self->refresh_idle == 0)
    self->refresh_idle = g_idle_add (on_refresh, self);
}

static void
show_tree (PareLayerTable *self, const PareGraphModel *model)
{
  PareLayerTree *old = self->tree;
  self->tree = pare_layer_tree_new (self->session, model);
  g_autofree char *folds = pare_session_get_ui (self->session, "table-folds");
  pare_layer_tree_set_folds (self->tree, folds);
  pare_layer_tree_select (self->tree, pare_selection_get (self->selection));
  pare_layer_table_rebuild (self);
  pare_layer_tree_free (old);
  update_foot (self);
}

typedef struct
{
  PareGraph *graph;
  PareLayerInfo *infos;
  guint n;
} Making;

static void
making_free (gpointer data)
{
  Making *m = data;
  pare_graph_unref (m->graph);
  g_free (m->infos);
  g_free (m);
}

static void
make_groups (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Making *m = data;
  g_task_return_pointer (task, pare_graph_model_new (m->graph, m->infos, m->n), (GDestroyNotify)pare_graph_model_unref);
}

static void
on_groups (GObject *source, GAsyncResult *result, gpointer data)
{
  PareLayerTable *self = PARE_LAYER_TABLE (source);
  g_autoptr (PareGraphModel) model = g_task_propagate_pointer (G_TASK (result), NULL);
  if (model != NULL) /* NULL: another model was opened meanwhile */
    show_tree (self, model);
}

static void
on_model_changed (PareSession *session, PareLayerTable *self)
{
  guint n = 0;
  const PareLayerInfo *infos = pare_session_get_layer_infos (session, &n);
  const PareGraph *graph = pare_session_get_graph (session);
  g_cancellable_cancel (self->making);
  g_clear_object (&self->making);
  g_autofree char *columns = pare_session_get_ui (session, "table-columns");
  pare_layer_table_set_columns (self, columns);
  if (n <= MANY_NODES)
    {
      g_autoptr (PareGraphModel) model = graph != NULL ? pare_graph_model_new (graph, infos, n) : NULL;
      show_tree (self, model);
      return;
    }
  show_tree (self, NULL); /* rows at once, their groups when they are known */
  Making *m = g_new0 (Making, 1);
  m->graph = pare_graph_ref ((PareGraph *)graph);
  m->infos = g_memdup2 (infos, n * sizeof *infos);
  m->n = n;
  self->making = g_cancellable_new ();
  g_autoptr (GTask) task = g_task_new (self, self->making, on_groups, NULL);
  g_task_set_task_data (task, m, making_free);
  g_task_run_in_thread (task, make_groups);
}

static void
on_selection_changed (PareSelection *selection, PareLayerTable *self)
{
  update_foot (self);
  if (self->syncing || self->tree == NULL)
    return;
  pare_layer_tree_select (self->tree, pare_selection_get (selection));
  self->reveal = TRUE;
  pare_layer_table_queue_sync (self);
}

/* --- pointer, keys, search --- */

static void
on_rows_changed (GtkSelectionModel *model, guint position, guint n, PareLayerTable *self)
{
  pare_layer_table_rows_changed (self);
}

/* Sorting keeps groups together, which costs a look at every row: only where a column is chosen. */
static void
on_order (GtkSorter *columns, GtkSorterChange change, PareLayerTable *self)
{
  gboolean none = gtk_sorter_get_order (columns) == GTK_SORTER_ORDER_NONE;
  if (none != (gtk_sort_list_model_get_sorter (self->sorted) == NULL))
    gtk_sort_list_model_set_sorter (self->sorted, none ? NULL : self->order);
}

static void
on_activate (GtkColumnView *view, guint position, PareLayerTable *self)
{
  g_autoptr (GtkTreeListRow) row = g_list_model_get_item (G_LIST_MODEL (self->rows), position);
  if (row != NULL && gtk_tree_list_row_is_expandable (row))
    gtk_tree_list_row_set_expanded (row, !gtk_tree_list_row_get_expanded (row));
}

static gboolean
show_menu (PareLayerTable *self, GtkWidget *over, double x, double y)
{
  g_autoptr (GtkTreeListRow) row = pare_layer_table_dup_row_of (self, over);
  g_autoptr (PareLayerItem) item = row != NULL ? gtk_tree_list_row_get_item (row) : NULL;
  if (item == NULL)
    return FALSE;
  if (!pare_layer_tree_is_selected (item))
    pare_layer_table_select_position (self, pare_layer_table_find_position (self, item));
  while (gtk_widget_get_parent (over) != self->lines)
    over = gtk_widget_get_parent (over);
  gtk_widget_grab_focus (over);
  self->menu_at = (GdkRectangle){ (int)x, (int)y, 1, 1 };
  pare_layer_menu_popup (self->box, self->session, self->selection, item->children == NULL ? item->name : NULL, &self->menu_at);
  return TRUE;
}

static void
on_cost (GSimpleAction *action, GVariant *parameter, PareLayerTable *self)
{
  const char *layer = g_variant_get_string (parameter, NULL);
  if (self->tree == NULL || !g_hash_table_contains (self->tree->by_layer, layer))
    return;
  GtkWidget *popover = gtk_popover_new ();
  gtk_popover_set_position (GTK_POPOVER (popover), GTK_POS_RIGHT);
  gtk_popover_set_child (GTK_POPOVER (popover), pare_canvas_cost_new (self->session, layer));
  pare_layer_menu_show (popover, self->box, &self->menu_at);
}

static void
on_secondary (GtkGestureClick *gesture, int n_press, double x, double y, PareLayerTable *self)
{
  double at_x, at_y;
  GtkWidget *over = gtk_widget_pick (GTK_WIDGET (self->view), x, y, GTK_PICK_DEFAULT);
  gtk_widget_translate_coordinates (GTK_WIDGET (self->view), self->box, x, y, &at_x, &at_y);
  if (show_menu (self, over, at_x, at_y))
    gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
}

static gboolean
on_key (GtkEventControllerKey *controller, guint keyval, guint keycode, GdkModifierType state, PareLayerTable *self)
{
  GtkWidget *focus = gtk_root_get_focus (gtk_widget_get_root (GTK_WIDGET (self)));
  double x, y;
  if (keyval == GDK_KEY_Menu || (keyval == GDK_KEY_F10 && (state & GDK_SHIFT_MASK) != 0))
    return focus != NULL && gtk_widget_translate_coordinates (focus, self->box, 24, gtk_widget_get_height (focus), &x, &y)
           && show_menu (self, focus, x, y);
  return pare_layer_table_fold_key (self, keyval, state);
}

static void
on_search (GtkSearchEntry *entry, PareLayerTable *self)
{
  pare_layer_table_rebuild (self);
  update_foot (self);
}

static void
on_stop_search (GtkSearchEntry *entry, PareLayerTable *self)
{
  gtk_editable_set_text (GTK_EDITABLE (self->search), "");
  gtk_widget_grab_focus (GTK_WIDGET (self->view));
}

static void
on_clear (GtkButton *button, PareLayerTable *self)
{
  gtk_editable_set_text (GTK_EDITABLE (self->search), "");
}

/* --- construction --- */

static GtkWidget *
build_view (PareLayerTable *self)
{
  self->view = GTK_COLUMN_VIEW (gtk_column_view_new (NULL));
  gtk_widget_add_css_class (GTK_WIDGET (self->view), "pare-table");
  g_autoptr (GMenu) menu = pare_layer_table_add_columns (self);
  g_autoptr (GSimpleAction) cost = g_simple_action_new ("layer-cost", G_VARIANT_TYPE_STRING);
  g_signal_connect_object (cost, "activate", G_CALLBACK (on_cost), self, 0);
  g_action_map_add_action (G_ACTION_MAP (self->columns), G_ACTION (cost));
  gtk_widget_insert_action_group (GTK_WIDGET (self), "table", G_ACTION_GROUP (self->columns));
  g_object_set_data_full (G_OBJECT (self), "menu", g_object_ref (menu), g_object_unref);

  GtkSorter *columns = gtk_column_view_get_sorter (self->view);
  self->order = GTK_SORTER (gtk_tree_list_row_sorter_new (g_object_ref (columns)));
  self->sorted = gtk_sort_list_model_new (NULL, NULL);
  g_signal_connect_object (columns, "changed", G_CALLBACK (on_order), self, 0);
  self->rows = gtk_multi_selection_new (G_LIST_MODEL (g_object_ref (self->sorted)));
  gtk_column_view_set_model (self->view, GTK_SELECTION_MODEL (self->rows));
  g_signal_connect (self->rows, "selection-changed", G_CALLBACK (on_rows_changed), self);
  g_signal_connect (self->view, "activate", G_CALLBACK (on_activate), self);
  for (GtkWidget *c = gtk_widget_get_first_child (GTK_WIDGET (self->view)); c != NULL; c = gtk_widget_get_next_sibling (c))
    if (GTK_IS_LIST_VIEW (c))
      self->lines = c;

  GtkEventController *keys = gtk_event_controller_key_new ();
  gtk_event_controller_set_propagation_phase (keys, GTK_PHASE_CAPTURE);
  g_signal_connect (keys, "key-pressed", G_CALLBACK (on_key), self);
  gtk_widget_add_controller (GTK_WIDGET (self->view), keys);
  GtkGesture *secondary = gtk_gesture_click_new ();
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (secondary), GDK_BUTTON_SECONDARY);
  g_signal_connect (secondary, "pressed", G_CALLBACK (on_secondary), self);
  gtk_widget_add_controller (GTK_WIDGET (self->view), GTK_EVENT_CONTROLLER (secondary));

  gtk_accessible_update_property (GTK_ACCESSIBLE (self->view), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Layers"), -1);
  GtkWidget *scroller = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scroller), GTK_WIDGET (self->view));
  gtk_widget_set_vexpand (scroller, TRUE);
  return scroller;
}

static void
pare_layer_table_dispose (GObject *object)
{
  PareLayerTable *self = PARE_LAYER_TABLE (object);
  g_clear_handle_id (&self->refresh_idle, g_source_remove);
  g_clear_handle_id (&self->sync_idle, g_source_remove);
  g_clear_handle_id (&self->save_timeout, g_source_remove);
  g_clear_handle_id (&self->focus_idle, g_source_remove);
  g_cancellable_cancel (self->making);
  g_clear_object (&self->making);
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  if (self->selection != NULL)
    g_signal_handlers_disconnect_by_data (self->selection, self);
  if (self->rows != NULL)
    g_signal_handlers_disconnect_by_data (self->rows, self);
  g_clear_pointer (&self->box, gtk_widget_unparent);
  g_clear_object (&self->rows);
  g_clear_object (&self->sorted);
  g_clear_object (&self->order);
  g_clear_object (&self->list);
  g_clear_object (&self->columns);
  g_clear_pointer (&self->tree, pare_layer_tree_free);
  g_clear_object (&self->session);
  g_clear_object (&self->selection);
  G_OBJECT_CLASS (pare_layer_table_parent_class)->dispose (object);
}

static void
pare_layer_table_class_init (PareLayerTableClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = pare_layer_table_dispose;
  gtk_widget_class_set_layout_manager_type (GTK_WIDGET_CLASS (klass), GTK_TYPE_BIN_LAYOUT);
}

static void
pare_layer_table_init (PareLayerTable *self)
{
  self->box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  gtk_widget_add_css_class (self->box, "view");
  GtkWidget *head = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6), *foot = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  self->search = gtk_search_entry_new ();
  gtk_widget_set_hexpand (self->search, TRUE);
  gtk_widget_add_css_class (self->search, "pare-dense");
  g_object_set (self->search, "placeholder-text", _ ("Search layers"), NULL);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->search), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Search layers"), -1);
  g_signal_connect (self->search, "search-changed", G_CALLBACK (on_search), self);
  g_signal_connect (self->search, "stop-search", G_CALLBACK (on_stop_search), self);
  gtk_box_append (GTK_BOX (head), self->search);
  gtk_widget_set_margin_top (head, 6);
  gtk_widget_set_margin_bottom (head, 6);
  gtk_widget_set_margin_start (head, 6);
  gtk_widget_set_margin_end (head, 6);
  GtkWidget *scroller = build_view (self), *menu = gtk_menu_button_new ();
  gtk_menu_button_set_icon_name (GTK_MENU_BUTTON (menu), "view-more-symbolic");
  gtk_menu_button_set_menu_model (GTK_MENU_BUTTON (menu), g_object_get_data (G_OBJECT (self), "menu"));
  gtk_widget_set_tooltip_text (menu, _ ("Columns"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (menu), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Columns"), -1);
  gtk_widget_add_css_class (menu, "pare-dense");
  gtk_box_append (GTK_BOX (head), menu);

  GtkWidget *none = adw_status_page_new (), *clear = gtk_button_new_with_label (_ ("Clear"));
  adw_status_page_set_title (ADW_STATUS_PAGE (none), _ ("No layer matches"));
  gtk_widget_add_css_class (none, "compact");
  gtk_widget_set_halign (clear, GTK_ALIGN_CENTER);
  g_signal_connect (clear, "clicked", G_CALLBACK (on_clear), self);
  adw_status_page_set_child (ADW_STATUS_PAGE (none), clear);
  self->stack = gtk_stack_new ();
  gtk_stack_add_named (GTK_STACK (self->stack), scroller, "rows");
  gtk_stack_add_named (GTK_STACK (self->stack), none, "none");
  GtkWidget *weightless = adw_status_page_new ();
  adw_status_page_set_title (ADW_STATUS_PAGE (weightless), _ ("No layer holds weights"));
  adw_status_page_set_description (ADW_STATUS_PAGE (weightless), _ ("There is nothing here that Pare could shrink."));
  gtk_widget_add_css_class (weightless, "compact");
  gtk_stack_add_named (GTK_STACK (self->stack), weightless, "weightless");

  self->foot_left = pare_table_label (0);
  self->foot_right = pare_table_label (1);
  gtk_widget_set_hexpand (self->foot_right, TRUE);
  gtk_widget_add_css_class (foot, "pare-caption");
  gtk_widget_set_size_request (foot, -1, 30);
  gtk_widget_set_margin_start (foot, 8);
  gtk_widget_set_margin_end (foot, 8);
  gtk_box_append (GTK_BOX (foot), self->foot_left);
  gtk_box_append (GTK_BOX (foot), self->foot_right);
  gtk_box_append (GTK_BOX (self->box), head);
  gtk_box_append (GTK_BOX (self->box), self->stack);
  gtk_box_append (GTK_BOX (self->box), gtk_separator_new (GTK_ORIENTATION_HORIZONTAL));
  gtk_box_append (GTK_BOX (self->box), foot);
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));
}

GtkWidget *
pare_layer_table_new (PareSession *session, PareSelection *selection)
{
  PareLayerTable *self = g_object_new (PARE_TYPE_LAYER_TABLE, NULL);
  self->session = g_object_ref (session);
  self->selection = g_object_ref (selection);
  g_signal_connect (session, "model-changed", G_CALLBACK (on_model_changed), self);
  g_signal_connect_swapped (session, "recipe-changed", G_CALLBACK (queue_refresh), self);
  g_signal_connect_swapped (session, "size-changed", G_CALLBACK (queue_refresh), self);
  g_signal_connect_swapped (session, "latency-changed", G_CALLBACK (queue_refresh), self);
  g_signal_connect (selection, "changed", G_CALLBACK (on_selection_changed), self);
  g_signal_connect_swapped (selection, "skipped-changed", G_CALLBACK (update_foot), self);
  return GTK_WIDGET (self);
}

GtkWidget *
pare_layer_table_get_view (PareLayerTable *self)
{
  return GTK_WIDGET (self->view);
}
