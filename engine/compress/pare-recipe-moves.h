#pragma once
#include "engine/compress/pare-recipe.h"

/* What the knobs that a person turns can be set to. */
#define PARE_PRUNE_FIRST 0.5 /* ratio that pruning begins with; of channels: */
#define PARE_PRUNE_CHANNELS_FIRST 0.125
#define PARE_N_CENTROIDS 5
extern const int pare_centroids[PARE_N_CENTROIDS];

/* What choosing that kind of pruning changes, where the ratio is `ratio` (0, NAN: none). */
PareLayerRecipe pare_prune_move (ParePrune prune, double ratio);
/* PareLayerRecipe: the changes that one move of a hand makes of a layer (or of the defaults, which have fewer knobs) that is at `now`; the
 * likeliest first. Not among them: a ratio far away, and ranks. */
GArray *pare_layer_recipe_dup_moves (const PareLayerRecipe *now, gboolean defaults);
