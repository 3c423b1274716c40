/* The canvas's own actions ("graph." in the whole window) and the menu beside the colouring that offers them. */
#include "app/pare-canvas-private.h"

#include <glib/gi18n.h>

static void
on_activate (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  PareCanvasPane *self = data;
  const char *name = g_action_get_name (G_ACTION (action));
  if (g_str_equal (name, "layer-cost"))
    pare_canvas_show_cost (self);
  else if (g_str_equal (name, "fold-all") || g_str_equal (name, "unfold-all"))
    pare_graph_view_fold_all (self->view, g_str_equal (name, "fold-all"));
  else if (g_str_equal (name, "export-to"))
    pare_canvas_export (self, g_variant_get_string (parameter, NULL));
  else
    pare_canvas_choose_picture (self, g_str_equal (name, "export-svg"));
}

void
pare_canvas_add_actions (PareCanvasPane *self)
{
  static const char *const switches[] = { "show-names", "show-attributes", "show-constants", "wheel-zooms" };
  static const char *const simple[] = { "layer-cost", "fold-all", "unfold-all", "export-png", "export-svg" };
  self->actions = g_simple_action_group_new ();
  for (guint i = 0; i < G_N_ELEMENTS (switches); i++)
    {
      g_autoptr (GPropertyAction) action = g_property_action_new (switches[i], self->view, switches[i]);
      g_action_map_add_action (G_ACTION_MAP (self->actions), G_ACTION (action));
    }
  for (guint i = 0; i < G_N_ELEMENTS (simple); i++)
    {
      g_autoptr (GSimpleAction) action = g_simple_action_new (simple[i], NULL);
      g_signal_connect (action, "activate", G_CALLBACK (on_activate), self);
      g_action_map_add_action (G_ACTION_MAP (self->actions), G_ACTION (action));
    }
  g_autoptr (GSimpleAction) to = g_simple_action_new ("export-to", G_VARIANT_TYPE_STRING);
  g_signal_connect (to, "activate", G_CALLBACK (on_activate), self);
  g_action_map_add_action (G_ACTION_MAP (self->actions), G_ACTION (to));
}

GtkWidget *
pare_canvas_view_button_new (void)
{
  g_autoptr (GMenu) menu = g_menu_new (), nodes = g_menu_new (), wheel = g_menu_new (), folds = g_menu_new (), files = g_menu_new ();
  g_menu_append (nodes, _ ("_Names"), "graph.show-names");
  g_menu_append (nodes, _ ("_Attributes"), "graph.show-attributes");
  g_menu_append (nodes, _ ("_Initializers"), "graph.show-constants");
  g_menu_append (wheel, _ ("Mouse _Wheel Zooms"), "graph.wheel-zooms");
  g_menu_append (folds, _ ("_Fold All Groups"), "graph.fold-all");
  g_menu_append (folds, _ ("_Unfold All Groups"), "graph.unfold-all");
  g_menu_append (files, _ ("Save as _PNG…"), "graph.export-png");
  g_menu_append (files, _ ("Save as _SVG…"), "graph.export-svg");
  g_menu_append_section (menu, _ ("Nodes show"), G_MENU_MODEL (nodes));
  g_menu_append_section (menu, NULL, G_MENU_MODEL (wheel));
  g_menu_append_section (menu, NULL, G_MENU_MODEL (folds));
  g_menu_append_section (menu, NULL, G_MENU_MODEL (files));
  GtkWidget *button = gtk_menu_button_new ();
  gtk_menu_button_set_icon_name (GTK_MENU_BUTTON (button), "pare-eye-symbolic");
  gtk_menu_button_set_menu_model (GTK_MENU_BUTTON (button), G_MENU_MODEL (menu));
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_add_css_class (button, "pare-dense");
  gtk_widget_set_tooltip_text (button, _ ("What the graph shows"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("What the graph shows"), -1);
  return button;
}
