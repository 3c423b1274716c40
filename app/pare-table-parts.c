#include "app/pare-table-parts.h"

GtkWidget *
pare_table_label (double x)
{
  GtkWidget *w = gtk_label_new ("");
  gtk_label_set_xalign (GTK_LABEL (w), (float)x);
  gtk_label_set_ellipsize (GTK_LABEL (w), PANGO_ELLIPSIZE_END);
  return w;
}

GtkWidget *
pare_table_label_left (void)
{
  return pare_table_label (0);
}

GtkWidget *
pare_table_label_right (void)
{
  return pare_table_label (1);
}

void
pare_table_name (GtkWidget *cell, const char *words)
{
  gtk_accessible_update_property (GTK_ACCESSIBLE (cell), GTK_ACCESSIBLE_PROPERTY_LABEL, words, -1);
}

void
pare_table_name_around (GtkWidget *child, const char *title, const char *column, const char *row)
{
  GtkWidget *cell = gtk_widget_get_parent (child), *whole = cell != NULL ? gtk_widget_get_parent (cell) : NULL;
  g_autofree char *words = g_strdup_printf ("%s: %s", title, column);
  if (cell != NULL)
    pare_table_name (cell, words);
  if (whole != NULL)
    pare_table_name (whole, row);
}

static GtkWidget *
first_label (GtkWidget *widget)
{
  for (GtkWidget *c = gtk_widget_get_first_child (widget); c != NULL; c = gtk_widget_get_next_sibling (c))
    {
      GtkWidget *found = GTK_IS_LABEL (c) ? c : first_label (c);
      if (found != NULL)
        return found;
    }
  return NULL;
}

void
pare_table_align_head_right (GtkColumnView *view, guint column)
{
  GtkWidget *header = gtk_widget_get_first_child (GTK_WIDGET (view)), *head = header != NULL ? gtk_widget_get_first_child (header) : NULL;
  for (guint i = 0; head != NULL && i < column; i++)
    head = gtk_widget_get_next_sibling (head);
  GtkWidget *label = head != NULL ? first_label (head) : NULL;
  if (label == NULL)
    return;
  gtk_widget_set_hexpand (label, TRUE);
  gtk_label_set_xalign (GTK_LABEL (label), 1);
}
