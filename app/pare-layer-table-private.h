/* Shared by pare-layer-table.c, pare-layer-columns.c and pare-layer-rows.c only. */
#pragma once
#include "app/pare-layer-table.h"
#include "app/pare-layer-tree.h"

struct _PareLayerTable
{
  GtkWidget parent_instance;
  PareSession *session;
  PareSelection *selection;
  PareLayerTree *tree;
  GtkTreeListModel *list;   /* rows in the order of the model */
  GtkSortListModel *sorted;
  GtkSorter *order; /* by the chosen columns, groups stay together */
  GtkMultiSelection *rows;
  GtkColumnView *view;
  GtkWidget *lines; /* the list inside the view: it scrolls and selects by position */
  GtkWidget *box, *search, *foot_left, *foot_right, *stack;
  GSimpleActionGroup *columns;
  GCancellable *making; /* groups of a large model */
  guint refresh_idle, sync_idle, save_timeout, focus_idle;
  PareLayerItem *focus_wanted;
  GdkRectangle menu_at; /* where the last menu stood */
  gboolean searching, syncing, reveal;
};

/* --- pare-layer-columns.c --- */
/* Adds all columns and, as stateful actions "table.column-N", whether they show; returns the menu of those (transfer full). */
GMenu *pare_layer_table_add_columns (PareLayerTable *self);
/* Which columns show, for the project; (transfer full). */
char *pare_layer_table_dup_columns (PareLayerTable *self);
void pare_layer_table_set_columns (PareLayerTable *self, const char *text);
/* Numbers stand right: so do their heads. */
void pare_layer_table_align_heads (PareLayerTable *self);

/* --- pare-layer-rows.c --- */
/* Shows what of the tree matches the search, unfolded as it was left, or as far as the search needs. */
void pare_layer_table_rebuild (PareLayerTable *self);
/* A row was bound: follow its fold. */
void pare_layer_table_watch_row (PareLayerTable *self, GtkTreeListRow *row);
void pare_layer_table_unwatch_row (PareLayerTable *self, GtkTreeListRow *row);
/* Marks the rows that the selection means, soon. */
void pare_layer_table_queue_sync (PareLayerTable *self);
/* The rows the person changed become the selection. */
void pare_layer_table_rows_changed (PareLayerTable *self);
/* Unfolds what is around a layer and scrolls to it. */
void pare_layer_table_reveal (PareLayerTable *self, PareLayerItem *item);
/* (transfer full) (nullable): the row with the focus, or under a widget. */
GtkTreeListRow *pare_layer_table_dup_focus_row (PareLayerTable *self);
GtkTreeListRow *pare_layer_table_dup_row_of (PareLayerTable *self, GtkWidget *widget);
/* Keys that fold, and the menu. */
gboolean pare_layer_table_fold_key (PareLayerTable *self, guint keyval, GdkModifierType state);
void pare_layer_table_select_position (PareLayerTable *self, guint position);
guint pare_layer_table_find_position (PareLayerTable *self, PareLayerItem *item); /* GTK_INVALID_LIST_POSITION: not shown */
