#pragma once
#include <gtk/gtk.h>

/* What the window's tables share: cells of text, heads that stand over their column, names for assistive tools. */

/* (transfer floating): a line of text that ends in "…" where there is no room; x: 0 left, 1 right. */
GtkWidget *pare_table_label (double x);
GtkWidget *pare_table_label_left (void);
GtkWidget *pare_table_label_right (void);

/* How a cell is read aloud. */
void pare_table_name (GtkWidget *cell, const char *words);
/* The cell that holds the child, and the row around it, have no names of their own in GTK 4.8. */
void pare_table_name_around (GtkWidget *child, const char *title, const char *column, const char *row);

/* GTK 4.8 draws every head left: that of the column, counted from 0, goes right. To be called when the view has its columns. */
void pare_table_align_head_right (GtkColumnView *view, guint column);
