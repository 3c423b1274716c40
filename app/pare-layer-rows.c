/* The rows of the layer table: which of the tree's rows are shown, their folds, and the selection.
 *
 * Selection: the tree knows which layers are selected; a group's row counts as selected when all of its layers are. What the person does
 * to rows becomes layers first, then the rows are marked again from the layers: so a chosen group marks what is in it, and a layer taken
 * out unmarks its group. */
#include "app/pare-layer-table-private.h"

/* --- rows shown --- */

static GListStore *
store_of (GPtrArray *items)
{
  GListStore *store = g_list_store_new (PARE_TYPE_LAYER_ITEM);
  g_autoptr (GPtrArray) shown = g_ptr_array_new ();
  for (guint i = 0; items != NULL && i < items->len; i++)
    if (((PareLayerItem *)g_ptr_array_index (items, i))->matches)
      g_ptr_array_add (shown, g_ptr_array_index (items, i));
  g_list_store_splice (store, 0, 0, shown->pdata, shown->len);
  return store;
}

static GListModel *
children_of (gpointer object, gpointer data)
{
  PareLayerItem *item = object;
  if (item->children == NULL)
    return NULL;
  if (item->store == NULL)
    item->store = store_of (item->children);
  return g_object_ref (item->store);
}

static gboolean
should_open (PareLayerTable *self, const PareLayerItem *item)
{
  return item->children != NULL && (self->searching || item->open);
}

void
pare_layer_table_rebuild (PareLayerTable *self)
{
  const char *text = gtk_editable_get_text (GTK_EDITABLE (self->search));
  if (self->tree != NULL)
    pare_layer_tree_search (self->tree, text);
  self->searching = *text != '\0';
  for (guint g = 0; self->tree != NULL && g < self->tree->groups->len; g++)
    g_clear_object ((GObject **)&((PareLayerItem *)g_ptr_array_index (self->tree->groups, g))->store);
  GtkTreeListModel *list = gtk_tree_list_model_new (G_LIST_MODEL (store_of (self->tree != NULL ? self->tree->roots : NULL)), FALSE, FALSE,
                                                    children_of, self, NULL);
  /* unfolded before anybody listens: one change for all */
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (list)); i++)
    {
      g_autoptr (GtkTreeListRow) row = gtk_tree_list_model_get_row (list, i);
      g_autoptr (PareLayerItem) item = gtk_tree_list_row_get_item (row);
      if (should_open (self, item))
        gtk_tree_list_row_set_expanded (row, TRUE);
    }
  self->syncing = TRUE;
  gtk_sort_list_model_set_model (self->sorted, G_LIST_MODEL (list));
  self->syncing = FALSE;
  g_set_object (&self->list, list);
  g_object_unref (list);
  gboolean none = self->tree != NULL && self->tree->n_matches == 0 && self->tree->layers->len > 0;
  gtk_stack_set_visible_child_name (GTK_STACK (self->stack), none                                                 ? "none"
                                                             : self->tree != NULL && self->tree->layers->len == 0 ? "weightless"
                                                                                                                  : "rows");
  pare_layer_table_queue_sync (self);
}

/* --- folds --- */

static gboolean
save_folds (gpointer data)
{
  PareLayerTable *self = data;
  self->save_timeout = 0;
  g_autofree char *text = self->tree != NULL ? pare_layer_tree_dup_folds (self->tree) : NULL;
  if (pare_session_get_graph (self->session) != NULL)
    pare_session_set_ui (self->session, "table-folds", text);
  return G_SOURCE_REMOVE;
}

static void
on_expanded (GtkTreeListRow *row, GParamSpec *pspec, PareLayerTable *self)
{
  g_autoptr (PareLayerItem) item = gtk_tree_list_row_get_item (row);
  if (item == NULL || item->children == NULL) /* the row went away with the group around it */
    return;
  gboolean open = gtk_tree_list_row_get_expanded (row);
  if (!self->searching)
    {
      item->open = open;
      if (self->save_timeout == 0)
        self->save_timeout = g_timeout_add (300, save_folds, self);
    }
  for (guint i = 0; open && i < item->children->len; i++)
    { /* groups inside come back as they were */
      g_autoptr (GtkTreeListRow) inner = gtk_tree_list_row_get_child_row (row, i);
      g_autoptr (PareLayerItem) child = inner != NULL ? gtk_tree_list_row_get_item (inner) : NULL;
      if (child == NULL)
        break;
      if (should_open (self, child))
        gtk_tree_list_row_set_expanded (inner, TRUE);
    }
  pare_layer_table_queue_sync (self);
}

void
pare_layer_table_watch_row (PareLayerTable *self, GtkTreeListRow *row)
{
  g_signal_connect (row, "notify::expanded", G_CALLBACK (on_expanded), self);
}

void
pare_layer_table_unwatch_row (PareLayerTable *self, GtkTreeListRow *row)
{
  if (row != NULL)
    g_signal_handlers_disconnect_by_func (row, on_expanded, self);
}

static PareLayerItem *
item_at (PareLayerTable *self, guint position)
{
  g_autoptr (GtkTreeListRow) row = g_list_model_get_item (G_LIST_MODEL (self->rows), position);
  PareLayerItem *item = row != NULL ? gtk_tree_list_row_get_item (row) : NULL;
  if (item != NULL)
    g_object_unref (item); /* the tree holds it */
  return item;
}

guint
pare_layer_table_find_position (PareLayerTable *self, PareLayerItem *item)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->rows));
  for (guint i = 0; i < n; i++)
    if (item_at (self, i) == item)
      return i;
  return GTK_INVALID_LIST_POSITION;
}

/* The row of an item, unfolding what is around it; NULL: the search hides it. (transfer full) */
static GtkTreeListRow *
open_row (PareLayerTable *self, PareLayerItem *item)
{
  guint at;
  if (item->parent == NULL)
    {
      for (guint i = at = 0; i < self->tree->roots->len; i++)
        {
          PareLayerItem *root = g_ptr_array_index (self->tree->roots, i);
          if (root == item)
            return item->matches ? gtk_tree_list_model_get_child_row (self->list, at) : NULL;
          at += root->matches;
        }
      return NULL;
    }
  g_autoptr (GtkTreeListRow) around = open_row (self, item->parent);
  if (around == NULL)
    return NULL;
  if (!gtk_tree_list_row_get_expanded (around))
    {
      item->parent->open |= !self->searching;
      gtk_tree_list_row_set_expanded (around, TRUE);
    }
  g_autoptr (GListModel) children = children_of (item->parent, NULL);
  return g_list_store_find (G_LIST_STORE (children), item, &at) ? gtk_tree_list_row_get_child_row (around, at) : NULL;
}

void
pare_layer_table_reveal (PareLayerTable *self, PareLayerItem *item)
{
  g_autoptr (GtkTreeListRow) row = open_row (self, item);
  guint position = row != NULL ? pare_layer_table_find_position (self, item) : GTK_INVALID_LIST_POSITION;
  if (position != GTK_INVALID_LIST_POSITION && self->lines != NULL)
    gtk_widget_activate_action (self->lines, "list.scroll-to-item", "u", position);
}

/* --- selection --- */

static void
sync_rows (PareLayerTable *self)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->rows));
  g_autoptr (GtkBitset) set = gtk_bitset_new_empty (), mask = gtk_bitset_new_range (0, n);
  if (self->tree != NULL && self->tree->n_selected > 0)
    for (guint i = 0; i < n; i++)
      if (pare_layer_tree_is_selected (item_at (self, i)))
        gtk_bitset_add (set, i);
  self->syncing = TRUE;
  gtk_selection_model_set_selection (GTK_SELECTION_MODEL (self->rows), set, mask);
  self->syncing = FALSE;
}

static gboolean
on_sync (gpointer data)
{
  PareLayerTable *self = data;
  self->sync_idle = 0;
  sync_rows (self);
  const char *const *chosen = pare_selection_get (self->selection);
  PareLayerItem *one = self->reveal && chosen[0] != NULL && chosen[1] == NULL && self->tree != NULL
                           ? g_hash_table_lookup (self->tree->by_layer, chosen[0])
                           : NULL;
  self->reveal = FALSE;
  if (one != NULL)
    pare_layer_table_reveal (self, one);
  return G_SOURCE_REMOVE;
}

void
pare_layer_table_queue_sync (PareLayerTable *self)
{
  if (self->sync_idle == 0)
    self->sync_idle = g_idle_add (on_sync, self);
}

void
pare_layer_table_rows_changed (PareLayerTable *self)
{
  if (self->syncing || self->tree == NULL)
    return;
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->rows)), added = 0, removed = 0, kept = 0;
  PareLayerItem *changed = NULL;
  g_autoptr (GPtrArray) marked = g_ptr_array_new ();
  for (guint i = 0; i < n; i++)
    {
      PareLayerItem *item = item_at (self, i);
      gboolean now = gtk_selection_model_is_selected (GTK_SELECTION_MODEL (self->rows), i), was = pare_layer_tree_is_selected (item);
      added += now && !was;
      removed += was && !now;
      kept += was && now;
      changed = now != was ? item : changed;
      if (now)
        g_ptr_array_add (marked, item);
    }
  if (added + removed == 1 && (removed == 1 || kept > 0))
    pare_layer_tree_mark (self->tree, changed, added == 1); /* one row more or less: what folds hide stays selected */
  else
    {
      pare_layer_tree_select (self->tree, NULL);
      for (guint i = 0; i < marked->len; i++)
        pare_layer_tree_mark (self->tree, g_ptr_array_index (marked, i), TRUE);
    }
  g_autofree const char **names = pare_layer_tree_dup_selected (self->tree);
  self->syncing = TRUE;
  pare_selection_set (self->selection, names);
  self->syncing = FALSE;
  sync_rows (self);
}

void
pare_layer_table_select_position (PareLayerTable *self, guint position)
{
  gtk_selection_model_select_item (GTK_SELECTION_MODEL (self->rows), position, TRUE);
}

/* --- the row with the focus --- */

static GtkTreeListRow *
row_inside (GtkWidget *widget)
{
  if (GTK_IS_TREE_EXPANDER (widget))
    return gtk_tree_expander_get_list_row (GTK_TREE_EXPANDER (widget));
  for (GtkWidget *c = gtk_widget_get_first_child (widget); c != NULL; c = gtk_widget_get_next_sibling (c))
    {
      GtkTreeListRow *row = row_inside (c);
      if (row != NULL)
        return row;
    }
  return NULL;
}

GtkTreeListRow *
pare_layer_table_dup_row_of (PareLayerTable *self, GtkWidget *widget)
{
  while (widget != NULL && gtk_widget_get_parent (widget) != self->lines)
    widget = gtk_widget_get_parent (widget);
  GtkTreeListRow *row = widget != NULL ? row_inside (widget) : NULL;
  return row != NULL ? g_object_ref (row) : NULL;
}

GtkTreeListRow *
pare_layer_table_dup_focus_row (PareLayerTable *self)
{
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
  return root != NULL ? pare_layer_table_dup_row_of (self, gtk_root_get_focus (root)) : NULL;
}

static gboolean
on_focus (gpointer data)
{
  PareLayerTable *self = data;
  self->focus_idle = 0;
  for (GtkWidget *c = gtk_widget_get_first_child (self->lines); c != NULL; c = gtk_widget_get_next_sibling (c))
    {
      GtkTreeListRow *row = row_inside (c);
      g_autoptr (PareLayerItem) item = row != NULL ? gtk_tree_list_row_get_item (row) : NULL;
      if (item != NULL && item == self->focus_wanted)
        {
          gtk_widget_grab_focus (c);
          break;
        }
    }
  self->focus_wanted = NULL;
  return G_SOURCE_REMOVE;
}

static void
go_to (PareLayerTable *self, guint position)
{
  gtk_widget_activate_action (self->lines, "list.scroll-to-item", "u", position);
  gtk_widget_activate_action (self->lines, "list.select-item", "(ubb)", position, FALSE, FALSE);
  self->focus_wanted = item_at (self, position);
  if (self->focus_idle == 0) /* after the list has made the row */
    self->focus_idle = g_idle_add_full (G_PRIORITY_LOW, on_focus, self, NULL);
}

gboolean
pare_layer_table_fold_key (PareLayerTable *self, guint keyval, GdkModifierType state)
{
  gboolean arrow = keyval == GDK_KEY_Left || keyval == GDK_KEY_Right || keyval == GDK_KEY_KP_Left || keyval == GDK_KEY_KP_Right;
  gboolean open = keyval == GDK_KEY_Right || keyval == GDK_KEY_KP_Right || keyval == GDK_KEY_plus || keyval == GDK_KEY_KP_Add;
  gboolean close = keyval == GDK_KEY_Left || keyval == GDK_KEY_KP_Left || keyval == GDK_KEY_minus || keyval == GDK_KEY_KP_Subtract;
  if ((!open && !close) || (state & (GDK_CONTROL_MASK | GDK_ALT_MASK)) != 0 || (arrow && (state & GDK_SHIFT_MASK) != 0))
    return FALSE;
  g_autoptr (GtkTreeListRow) row = pare_layer_table_dup_focus_row (self);
  g_autoptr (PareLayerItem) item = row != NULL ? gtk_tree_list_row_get_item (row) : NULL;
  if (item == NULL)
    return FALSE;
  gboolean group = item->children != NULL, expanded = group && gtk_tree_list_row_get_expanded (row);
  guint position = pare_layer_table_find_position (self, item);
  if (group && open != expanded)
    gtk_tree_list_row_set_expanded (row, open);
  else if (arrow && open && group && position + 1 < g_list_model_get_n_items (G_LIST_MODEL (self->rows)))
    go_to (self, position + 1);
  else if (arrow && close && item->parent != NULL
           && (position = pare_layer_table_find_position (self, item->parent)) != GTK_INVALID_LIST_POSITION)
    go_to (self, position);
  return TRUE;
}
