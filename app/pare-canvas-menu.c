/* What a right click on a node offers. */
#include "app/pare-canvas-private.h"

#include <glib/gi18n.h>

static gboolean
unparent (gpointer popover)
{
  gtk_widget_unparent (popover);
  g_object_unref (popover);
  return G_SOURCE_REMOVE;
}

/* Later: an action of the menu is activated after the menu has closed, and is found through its place in the window. */
static void
on_closed (GtkWidget *popover, PareCanvasPane *self)
{
  if (self->popover == popover)
    self->popover = NULL;
  gtk_widget_set_has_tooltip (GTK_WIDGET (self->view), self->popover == NULL);
  g_idle_add (unparent, g_object_ref (popover));
}

static void
show (PareCanvasPane *self, GtkWidget *popover)
{
  if (self->popover != NULL)
    gtk_popover_popdown (GTK_POPOVER (self->popover));
  self->popover = popover;
  gtk_widget_set_has_tooltip (GTK_WIDGET (self->view), FALSE); /* the pointer rests on the node: its tooltip would cover this */
  gtk_widget_set_parent (popover, self->overlay);
  gtk_popover_set_pointing_to (GTK_POPOVER (popover), &(GdkRectangle){ (int)self->menu_x, (int)self->menu_y, 1, 1 });
  g_signal_connect (popover, "closed", G_CALLBACK (on_closed), self);
  gtk_popover_popup (GTK_POPOVER (popover));
}

static gboolean
show_cost (gpointer data)
{
  PareCanvasPane *self = data;
  const char *const *selected = pare_selection_get (self->selection);
  const char *layer = self->menu_layer != NULL ? self->menu_layer : selected[0];
  if (self->stack == NULL || layer == NULL || pare_session_get_graph (self->session) == NULL
      || pare_graph_find_layer (pare_session_get_graph (self->session), layer) == PARE_NONE)
    return G_SOURCE_REMOVE;
  GtkWidget *popover = gtk_popover_new ();
  gtk_popover_set_child (GTK_POPOVER (popover), pare_canvas_cost_new (self->session, layer));
  show (self, popover);
  return G_SOURCE_REMOVE;
}

/* Once the menu that asked has gone: two popovers that hide themselves would take the pointer from each other. */
void
pare_canvas_show_cost (PareCanvasPane *self)
{
  if (self->popover != NULL)
    gtk_popover_popdown (GTK_POPOVER (self->popover));
  g_timeout_add_full (G_PRIORITY_DEFAULT_IDLE, 60, show_cost, g_object_ref (self), g_object_unref);
}

void
pare_canvas_context_menu (PareGraphView *view, const char *layer, double x, double y, PareCanvasPane *self)
{
  if (layer == NULL)
    return;
  if (!g_strv_contains (pare_selection_get (self->selection), layer))
    pare_selection_set (self->selection, (const char *const[]){ layer, NULL });
  g_free (self->menu_layer);
  self->menu_layer = g_strdup (layer);
  self->menu_x = x;
  self->menu_y = y;
  const PareGraph *graph = pare_session_get_graph (self->session);
  PareNodeId node = graph != NULL ? pare_graph_find_layer (graph, layer) : PARE_NONE;
  g_autoptr (GMenu) menu = g_menu_new (), rest = g_menu_new (), cost = g_menu_new ();
  if (node != PARE_NONE && pare_layer_is_compressible (graph, node, NULL))
    {
      g_autoptr (GMenu) weights = g_menu_new (), activations = g_menu_new ();
      static const int widths[] = { 2, 3, 4, 5, 6, 7, 8, 16, PARE_BITS_FLOAT };
      for (guint i = 0; i < G_N_ELEMENTS (widths); i++)
        {
          g_autofree char *name = widths[i] == PARE_BITS_FLOAT ? g_strdup (_ ("float")) : g_strdup_printf (_ ("%d bits"), widths[i]);
          g_autofree char *w = g_strdup_printf ("layer.weight-bits(%d)", widths[i]),
                          *a = g_strdup_printf ("layer.activation-bits(%d)", widths[i]);
          g_menu_append (weights, name, w);
          g_menu_append (activations, name, a);
        }
      g_menu_append_submenu (menu, _ ("Weight bits"), G_MENU_MODEL (weights));
      g_menu_append_submenu (menu, _ ("Activation bits"), G_MENU_MODEL (activations));
      g_menu_append (rest, _ ("Prune…"), "win.focus-knob::prune");
      g_menu_append (rest, _ ("Rank…"), "win.focus-knob::rank");
      g_menu_append (rest, _ ("Exclude"), "layer.exclude");
      g_menu_append (rest, _ ("Back to the defaults"), "layer.reset");
      g_menu_append_section (menu, NULL, G_MENU_MODEL (rest));
    }
  g_menu_append (cost, _ ("What does this layer cost?"), "graph.layer-cost");
  g_menu_append_section (menu, NULL, G_MENU_MODEL (cost));
  GtkWidget *popover = gtk_popover_menu_new_from_model (G_MENU_MODEL (menu));
  gtk_popover_set_has_arrow (GTK_POPOVER (popover), FALSE);
  gtk_widget_set_halign (popover, GTK_ALIGN_START);
  show (self, popover);
}
