#include "app/pare-layer-edit.h"

#include <glib/gi18n.h>

static char *
subject (const char *const *layers)
{
  guint n = layers != NULL ? g_strv_length ((char **)layers) : 0;
  if (n == 0)
    return g_strdup (_ ("All layers"));
  return n == 1 ? g_strdup (layers[0]) : g_strdup_printf (g_dngettext (NULL, "%u layer", "%u layers", n), n);
}

/* Channels go together with those of other layers: finding out costs more than a look at the node. */
#define MANY_LAYERS 256

static gboolean
can_take (const PareGraph *graph, const PareLayerInfo *info, const PareLayerRecipe *change, gboolean few)
{
  if (!pare_layer_is_compressible (graph, info->node, NULL))
    return FALSE;
  if (change->prune != PARE_PRUNE_CHANNELS || !few)
    return TRUE;
  PareCoupledGroup *group = pare_coupled_group_find (graph, graph->nodes[info->node].layer);
  gboolean can = group != NULL;
  g_clear_pointer (&group, pare_coupled_group_free);
  return can;
}

/* Parts the selected layers into those that can take the change, in the order of the selection, and the others. Borrowed names,
 * NULL-terminated. */
static void
part (PareSession *session, PareSelection *selection, const PareLayerRecipe *change, GPtrArray *able, GPtrArray *skipped)
{
  guint n = 0, chosen = pare_selection_get_n (selection);
  const PareGraph *graph = pare_session_get_graph (session);
  const PareLayerInfo *infos = pare_session_get_layer_infos (session, &n);
  const char *const *layers = pare_selection_get (selection);
  g_autoptr (GHashTable) takes = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < chosen; i++)
    g_hash_table_add (takes, (gpointer)layers[i]);
  for (guint i = 0; i < n; i++)
    {
      const char *layer = graph->nodes[infos[i].node].layer;
      if (g_hash_table_contains (takes, layer) && !can_take (graph, &infos[i], change, chosen <= MANY_LAYERS))
        g_hash_table_remove (takes, layer);
    }
  for (guint i = 0; i < chosen; i++)
    g_ptr_array_add (g_hash_table_contains (takes, layers[i]) ? able : skipped, (gpointer)layers[i]);
  g_ptr_array_add (able, NULL);
  g_ptr_array_add (skipped, NULL);
}

void
pare_layer_edit (PareSession *session, PareSelection *selection, const PareLayerRecipe *change, const char *what, guint group)
{
  if (pare_session_get_recipe (session) == NULL)
    return;
  if (pare_selection_get_n (selection) > 0)
    {
      g_autoptr (GPtrArray) able = g_ptr_array_new (), skipped = g_ptr_array_new ();
      part (session, selection, change, able, skipped);
      g_autofree char *who = subject ((const char *const *)able->pdata), *title = g_strdup_printf ("%s: %s", who, what);
      if (able->len > 1)
        pare_session_set_layers (session, (const char *const *)able->pdata, change, title, group);
      pare_selection_set_skipped (selection, (const char *const *)skipped->pdata, skipped->len > 1 ? pare_selection_get_n (selection) : 0);
      return;
    }
  g_autofree char *who = subject (NULL), *title = g_strdup_printf ("%s: %s", who, what);
  PareLayerRecipe defaults = *pare_recipe_get_defaults (pare_session_get_recipe (session));
  pare_layer_recipe_merge (&defaults, change);
  pare_session_set_defaults (session, &defaults, title, group);
}

void
pare_layer_edit_reset (PareSession *session, PareSelection *selection)
{
  if (pare_session_get_recipe (session) == NULL)
    return;
  g_autofree char *who = subject (pare_selection_get (selection)), *title = g_strdup_printf (_ ("%s: back to the defaults"), who);
  pare_selection_set_skipped (selection, NULL, 0);
  if (pare_selection_get_n (selection) > 0)
    {
      pare_session_reset_layers (session, pare_selection_get (selection), title);
      return;
    }
  PareLayerRecipe defaults;
  pare_layer_recipe_init (&defaults);
  pare_session_set_defaults (session, &defaults, title, 0);
}

/* Excluded layers come back, others go out: what the first that can be changed asks for goes to all. */
static void
toggle_exclude (PareSession *session, PareSelection *selection)
{
  PareLayerRecipe change, own;
  pare_layer_recipe_init (&change);
  change.exclude = 1;
  g_autoptr (GPtrArray) able = g_ptr_array_new (), skipped = g_ptr_array_new ();
  if (pare_session_get_recipe (session) == NULL)
    return;
  part (session, selection, &change, able, skipped);
  if (able->len > 1 && pare_recipe_get_layer (pare_session_get_recipe (session), g_ptr_array_index (able, 0), &own) && own.exclude == 1)
    change.exclude = 0;
  pare_layer_edit (session, selection, &change, change.exclude ? _ ("excluded") : _ ("included"), 0);
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
  guint plain = keyval >= GDK_KEY_KP_0 && keyval <= GDK_KEY_KP_9 ? keyval - GDK_KEY_KP_0 + GDK_KEY_0 : 0;
  gboolean shift = (state & GDK_SHIFT_MASK) != 0;
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
  if (plain == 0 && keyval >= GDK_KEY_0 && keyval <= GDK_KEY_9)
    { /* a layout whose digits need Shift anyway */
      plain = keyval;
      shift = FALSE;
    }
  keyval = gdk_keyval_to_lower (keyval);
  if (plain >= GDK_KEY_2 && plain <= GDK_KEY_8)
    {
      int bits = (int)(plain - GDK_KEY_0);
      if (shift)
        change.activation_bits = bits;
      else
        change.weight_bits = bits;
      what = g_strdup_printf (shift ? _ ("activations %d bits") : _ ("%d bits"), bits);
    }
  else if (plain == GDK_KEY_0 && !shift)
    {
      change.weight_bits = change.activation_bits = PARE_BITS_FLOAT;
      what = g_strdup (_ ("float"));
    }
  else if (keyval == GDK_KEY_x)
    {
      toggle_exclude (keys->session, keys->selection);
      return TRUE;
    }
  else if (keyval == GDK_KEY_p || keyval == GDK_KEY_r)
    return gtk_widget_activate_action (gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (controller)), "win.focus-knob", "s",
                                       keyval == GDK_KEY_p ? "prune" : "rank");
  else if (keyval == GDK_KEY_Delete || keyval == GDK_KEY_KP_Delete)
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
      toggle_exclude (keys->session, keys->selection);
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
