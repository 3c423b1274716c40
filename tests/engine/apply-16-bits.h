/* What a recipe of 16 bits for all layers makes of a graph; layers: exceptions, as the recipe's JSON has them. */
#pragma once
#include "engine/compress/pare-apply.h"

static PareGraph *
apply_16_bits (const PareGraph *g, const char *layers)
{
  GError *error = NULL;
  g_autofree char *json = g_strdup_printf (
      "{\"pare_recipe\": 1, \"defaults\": {\"weights\": {\"bits\": 16}, \"activations\": {\"bits\": 16}}, \"layers\": {%s}}", layers);
  g_autoptr (PareRecipe) recipe = pare_recipe_parse (json, -1, "test", &error);
  g_assert_no_error (error);
  PareGraph *changed = pare_apply (g, recipe, NULL, NULL, NULL, &error); /* nothing needs to be measured */
  g_assert_no_error (error);
  return changed;
}
