#include "app/pare-drop-down.h"

#include <glib/gi18n.h>

GtkWidget *
pare_drop_down_new (const char *const *strings, const char *name)
{
  g_autoptr (GPtrArray) translated = g_ptr_array_new ();
  for (guint i = 0; strings[i] != NULL; i++)
    g_ptr_array_add (translated, (gpointer)_ (strings[i]));
  g_ptr_array_add (translated, NULL);
  GtkWidget *w = gtk_drop_down_new_from_strings ((const char *const *)translated->pdata), *inner = gtk_widget_get_first_child (w);
  gtk_widget_add_css_class (w, "pare-dense");
  gtk_accessible_update_property (GTK_ACCESSIBLE (w), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  if (inner != NULL)
    gtk_accessible_update_property (GTK_ACCESSIBLE (inner), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  return w;
}
