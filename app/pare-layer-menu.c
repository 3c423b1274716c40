#include "app/pare-layer-menu.h"

#include <glib/gi18n.h>

/* The focus goes back to where it came from. GTK gives it to something around the popover instead; the action that was chosen may have put
 * it elsewhere, where it stays. */
static void
give_focus_back (GtkWidget *popover)
{
  GWeakRef *ref = g_object_get_data (G_OBJECT (popover), "focus");
  g_autoptr (GtkWidget) before = ref != NULL ? g_weak_ref_get (ref) : NULL;
  GtkRoot *root = gtk_widget_get_root (popover);
  GtkWidget *now = root != NULL ? gtk_root_get_focus (root) : NULL;
  gboolean left = now == NULL || now == popover || gtk_widget_is_ancestor (now, popover) || gtk_widget_is_ancestor (popover, now);
  if (before != NULL && left && gtk_widget_get_root (before) == root)
    gtk_widget_grab_focus (before);
}

static gboolean
unparent (gpointer popover)
{
  give_focus_back (popover);
  gtk_widget_unparent (popover);
  g_object_unref (popover);
  return G_SOURCE_REMOVE;
}

/* Not at once: the chosen item's action runs after the popover has closed, and finds its target through the popover's parents. */
static void
on_closed (GtkPopover *popover, gpointer data)
{
  g_idle_add (unparent, g_object_ref (popover));
}

static void
free_ref (gpointer data)
{
  g_weak_ref_clear (data);
  g_free (data);
}

void
pare_layer_menu_show (GtkWidget *popover, GtkWidget *parent, const GdkRectangle *area)
{
  GtkRoot *root = gtk_widget_get_root (parent);
  GWeakRef *ref = g_new0 (GWeakRef, 1);
  g_weak_ref_init (ref, root != NULL ? gtk_root_get_focus (root) : NULL);
  g_object_set_data_full (G_OBJECT (popover), "focus", ref, free_ref);
  gtk_widget_set_parent (popover, parent);
  if (area != NULL)
    gtk_popover_set_pointing_to (GTK_POPOVER (popover), area);
  g_signal_connect (popover, "closed", G_CALLBACK (on_closed), NULL);
  gtk_popover_popup (GTK_POPOVER (popover));
}

GtkWidget *
pare_layer_menu_popup (GtkWidget *parent, PareSession *session, PareSelection *selection, const char *layer, const GdkRectangle *area)
{
  g_autoptr (GMenu) menu = g_menu_new (), weights = g_menu_new (), activations = g_menu_new (), bits = g_menu_new (), knobs = g_menu_new (),
                    cost = g_menu_new ();
  static const int widths[] = { 2, 3, 4, 5, 6, 7, 8, 16, PARE_BITS_FLOAT };
  for (guint i = 0; i < G_N_ELEMENTS (widths); i++)
    {
      g_autofree char *name = widths[i] == PARE_BITS_FLOAT ? g_strdup (_ ("float")) : g_strdup_printf (_ ("%d bits"), widths[i]);
      g_autofree char *w = g_strdup_printf ("layer.weight-bits(%d)", widths[i]),
                      *a = g_strdup_printf ("layer.activation-bits(%d)", widths[i]);
      g_menu_append (weights, name, w);
      g_menu_append (activations, name, a);
    }
  PareLayerRecipe own;
  pare_layer_recipe_init (&own);
  if (pare_selection_get_n (selection) > 0 && pare_session_get_recipe (session) != NULL)
    pare_recipe_get_layer (pare_session_get_recipe (session), pare_selection_get (selection)[0], &own);
  g_menu_append_submenu (bits, _ ("Weight bits"), G_MENU_MODEL (weights));
  g_menu_append_submenu (bits, _ ("Activation bits"), G_MENU_MODEL (activations));
  g_menu_append (knobs, _ ("Prune…"), "win.focus-knob::prune");
  g_menu_append (knobs, _ ("Rank…"), "win.focus-knob::rank");
  g_menu_append (knobs, own.exclude == 1 ? _ ("Include again") : _ ("Exclude"), "layer.exclude");
  g_menu_append (knobs, _ ("Back to the defaults"), "layer.reset");
  if (layer != NULL)
    {
      g_autoptr (GMenuItem) item = g_menu_item_new (_ ("What does this layer cost?"), NULL);
      g_menu_item_set_action_and_target (item, "table.layer-cost", "s", layer);
      g_menu_append_item (cost, item);
    }
  g_menu_append_section (menu, NULL, G_MENU_MODEL (bits));
  g_menu_append_section (menu, NULL, G_MENU_MODEL (knobs));
  g_menu_append_section (menu, NULL, G_MENU_MODEL (cost));
  GtkWidget *popover = gtk_popover_menu_new_from_model (G_MENU_MODEL (menu));
  gtk_widget_set_halign (popover, GTK_ALIGN_START);
  gtk_popover_set_has_arrow (GTK_POPOVER (popover), FALSE);
  pare_layer_menu_show (popover, parent, area);
  return popover;
}
