#include "app/pare-layer-edit.h"

#include <glib/gi18n.h>

static char *
subject (PareSelection *selection)
{
  guint n = pare_selection_get_n (selection);
  if (n == 0)
    return g_strdup (_ ("All layers"));
  return n == 1 ? g_strdup (pare_selection_get (selection)[0]) : g_strdup_printf (_ ("%u layers"), n);
}

void
pare_layer_edit (PareSession *session, PareSelection *selection, const PareLayerRecipe *change, const char *what, guint group)
{
  if (pare_session_get_recipe (session) == NULL)
    return;
  g_autofree char *who = subject (selection), *title = g_strdup_printf ("%s: %s", who, what);
  if (pare_selection_get_n (selection) > 0)
    {
      pare_session_set_layers (session, pare_selection_get (selection), change, title, group);
      return;
    }
  PareLayerRecipe defaults = *pare_recipe_get_defaults (pare_session_get_recipe (session));
  pare_layer_recipe_merge (&defaults, change);
  pare_session_set_defaults (session, &defaults, title, group);
}

void
pare_layer_edit_reset (PareSession *session, PareSelection *selection)
{
  g_autofree char *who = subject (selection), *title = g_strdup_printf (_ ("%s: back to the defaults"), who);
  if (pare_selection_get_n (selection) > 0)
    {
      pare_session_reset_layers (session, pare_selection_get (selection), title);
      return;
    }
  PareLayerRecipe defaults;
  pare_layer_recipe_init (&defaults);
  pare_session_set_defaults (session, &defaults, title, 0);
}

/* Borrowed: the page that holds the widgets and actions holds both. */
typedef struct
{
  PareSession *session;
  PareSelection *selection;
} Keys;

static void
free_keys (gpointer keys, GClosure *closure)
{
  g_free (keys);
}

static gboolean
on_key (GtkEventControllerKey *controller, guint keyval, guint keycode, GdkModifierType state, Keys *keys)
{
  if ((state & (GDK_CONTROL_MASK | GDK_ALT_MASK)) != 0 || pare_selection_get_n (keys->selection) == 0)
    return FALSE;
  PareLayerRecipe change;
  pare_layer_recipe_init (&change);
  g_autofree char *what = NULL;
  guint plain = 0;
  GdkKeymapKey *codes = NULL;
  guint *values = NULL;
  int n = 0;
  /* the digit on the key, whatever Shift makes of it */
  if (gdk_display_map_keycode (gtk_widget_get_display (gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (controller))), keycode,
                               &codes, &values, &n))
    for (int i = 0; i < n; i++)
      if (codes[i].level == 0 && values[i] >= GDK_KEY_0 && values[i] <= GDK_KEY_9)
        plain = values[i];
  g_free (codes);
  g_free (values);
  if (plain >= GDK_KEY_2 && plain <= GDK_KEY_8)
    {
      int bits = (int)(plain - GDK_KEY_0);
      if (state & GDK_SHIFT_MASK)
        change.activation_bits = bits;
      else
        change.weight_bits = bits;
      what = g_strdup_printf (state & GDK_SHIFT_MASK ? _ ("activations %d bits") : _ ("%d bits"), bits);
    }
  else if (plain == GDK_KEY_0 && !(state & GDK_SHIFT_MASK))
    {
      change.weight_bits = change.activation_bits = PARE_BITS_FLOAT;
      what = g_strdup (_ ("float"));
    }
  else if (keyval == GDK_KEY_x)
    {
      PareLayerRecipe own;
      pare_recipe_get_layer (pare_session_get_recipe (keys->session), pare_selection_get (keys->selection)[0], &own);
      change.exclude = own.exclude == 1 ? 0 : 1;
      what = g_strdup (change.exclude ? _ ("excluded") : _ ("included"));
    }
  else if (keyval == GDK_KEY_p || keyval == GDK_KEY_r)
    return gtk_widget_activate_action (gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (controller)), "win.focus-knob", "s",
                                       keyval == GDK_KEY_p ? "prune" : "rank");
  else if (keyval == GDK_KEY_Delete)
    {
      pare_layer_edit_reset (keys->session, keys->selection);
      return TRUE;
    }
  else
    return FALSE;
  pare_layer_edit (keys->session, keys->selection, &change, what, 0);
  return TRUE;
}

void
pare_layer_keys_attach (GtkWidget *widget, PareSession *session, PareSelection *selection)
{
  Keys *keys = g_new (Keys, 1);
  GtkEventController *controller = gtk_event_controller_key_new ();
  keys->session = session;
  keys->selection = selection;
  gtk_event_controller_set_propagation_phase (controller, GTK_PHASE_CAPTURE);
  g_signal_connect_data (controller, "key-pressed", G_CALLBACK (on_key), keys, free_keys, 0);
  gtk_widget_add_controller (widget, controller);
}

static void
on_action (GSimpleAction *action, GVariant *parameter, Keys *keys)
{
  const char *name = g_action_get_name (G_ACTION (action));
  PareLayerRecipe change;
  pare_layer_recipe_init (&change);
  if (pare_selection_get_n (keys->selection) == 0)
    return;
  if (g_str_equal (name, "reset"))
    {
      pare_layer_edit_reset (keys->session, keys->selection);
      return;
    }
  if (g_str_equal (name, "exclude"))
    {
      change.exclude = 1;
      pare_layer_edit (keys->session, keys->selection, &change, _ ("excluded"), 0);
      return;
    }
  int bits = g_variant_get_int32 (parameter);
  gboolean weights = g_str_equal (name, "weight-bits");
  *(weights ? &change.weight_bits : &change.activation_bits) = bits;
  g_autofree char *what
      = bits == PARE_BITS_FLOAT ? g_strdup (_ ("float")) : g_strdup_printf (weights ? _ ("%d bits") : _ ("activations %d bits"), bits);
  pare_layer_edit (keys->session, keys->selection, &change, what, 0);
}

GActionGroup *
pare_layer_actions_new (PareSession *session, PareSelection *selection)
{
  static const struct
  {
    const char *name;
    gboolean bits;
  } actions[] = { { "weight-bits", TRUE }, { "activation-bits", TRUE }, { "exclude", FALSE }, { "reset", FALSE } };
  GSimpleActionGroup *group = g_simple_action_group_new ();
  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    {
      g_autoptr (GSimpleAction) action = g_simple_action_new (actions[i].name, actions[i].bits ? G_VARIANT_TYPE_INT32 : NULL);
      Keys *keys = g_new (Keys, 1);
      keys->session = session;
      keys->selection = selection;
      g_signal_connect_data (action, "activate", G_CALLBACK (on_action), keys, free_keys, 0);
      g_action_map_add_action (G_ACTION_MAP (group), G_ACTION (action));
    }
  return G_ACTION_GROUP (group);
}
