#include "engine/compress/pare-recipe-moves.h"

const int pare_centroids[PARE_N_CENTROIDS] = { 8, 16, 32, 64, 256 };

static PareLayerRecipe
unset (void)
{
  PareLayerRecipe r;
  pare_layer_recipe_init (&r);
  return r;
}

PareLayerRecipe
pare_prune_move (ParePrune prune, double ratio)
{
  PareLayerRecipe change = unset ();
  change.prune = prune;
  if (prune == PARE_PRUNE_N_M)
    {
      change.prune_n = 2;
      change.prune_m = 4;
    }
  else if (prune == PARE_PRUNE_UNSTRUCTURED || prune == PARE_PRUNE_CHANNELS)
    change.prune_ratio = ratio > 0 ? ratio : prune == PARE_PRUNE_CHANNELS ? PARE_PRUNE_CHANNELS_FIRST : PARE_PRUNE_FIRST;
  return change;
}

static void
add_ratio (GArray *moves, double ratio)
{
  PareLayerRecipe change = unset ();
  change.prune_ratio = CLAMP (ratio, 0, 1);
  g_array_append_val (moves, change);
}

static void
add_bits (GArray *moves, gboolean activations)
{
  static const int widths[] = { 8, 4, 6, 5, 7, 3, 2, 16, PARE_BITS_FLOAT }; /* the most common formats first */
  for (guint i = 0; i < G_N_ELEMENTS (widths); i++)
    {
      PareLayerRecipe change = unset ();
      *(activations ? &change.activation_bits : &change.weight_bits) = widths[i];
      g_array_append_val (moves, change);
    }
}

GArray *
pare_layer_recipe_dup_moves (const PareLayerRecipe *now, gboolean defaults)
{
  GArray *moves = g_array_new (FALSE, FALSE, sizeof (PareLayerRecipe));
  if (!defaults && now->prune == PARE_PRUNE_UNSTRUCTURED) /* the knob that is in the hand */
    {
      static const double steps[] = { 0.01, -0.01, 0.005, -0.005 }; /* of a key, of a pointer */
      for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
        add_ratio (moves, now->prune_ratio + steps[i]);
    }
  add_bits (moves, FALSE);
  add_bits (moves, TRUE);
  static const ParePrune kinds[] = { PARE_PRUNE_UNSTRUCTURED, PARE_PRUNE_N_M, PARE_PRUNE_CHANNELS, PARE_PRUNE_OFF };
  for (guint i = 0; !defaults && i < G_N_ELEMENTS (kinds); i++)
    {
      PareLayerRecipe change = pare_prune_move (kinds[i], now->prune_ratio);
      if (kinds[i] != now->prune && (kinds[i] != PARE_PRUNE_OFF || now->prune != PARE_PRUNE_UNSET))
        g_array_append_val (moves, change);
    }
  for (guint i = 0; !defaults && i < PARE_N_CENTROIDS; i++)
    {
      PareLayerRecipe change = unset ();
      change.centroids = pare_centroids[i];
      g_array_append_val (moves, change);
    }
  return moves;
}
