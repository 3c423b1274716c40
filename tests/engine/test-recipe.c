/* Recipes: reading strictly, writing stably, combining. */
#include "engine/base/pare-error.h"
#include "engine/compress/pare-recipe-moves.h"

#include <string.h>

static void
refused (const char *json, const char *place)
{
  g_autoptr (GError) error = NULL;
  PareRecipe *recipe = pare_recipe_parse (json, -1, "r.json", &error);
  if (recipe != NULL)
    g_error ("accepted: %s", json);
  g_assert_error (error, PARE_ERROR, PARE_ERROR_RECIPE);
  g_autofree char *want = g_strconcat ("r.json: ", place, NULL);
  if (!g_str_has_prefix (error->message, want))
    g_error ("%s: message is '%s', wanted it to start '%s'", json, error->message, want);
}

static void
test_refused (void)
{
  refused ("{", "not JSON");
  refused ("", "not a recipe");
  refused ("[]", "not a recipe");
  refused ("{}", "pare_recipe: missing");
  refused ("{\"pare_recipe\": 999}", "pare_recipe: version 999 is newer");
  refused ("{\"pare_recipe\": \"1\"}", "pare_recipe: ");
  refused ("{\"pare_recipe\": 1, \"defaults\": {\"weights\": {\"bits\": 99}}}", "defaults.weights.bits: 99 ");
  refused ("{\"pare_recipe\": 1, \"defaults\": {\"weights\": {\"bits\": 1}}}", "defaults.weights.bits: 1 ");
  refused ("{\"pare_recipe\": 1, \"defaults\": {\"weights\": {\"bits\": 8.5}}}", "defaults.weights.bits: 8.5 ");
  refused ("{\"pare_recipe\": 1, \"defaults\": {\"weights\": {\"bits\": \"int8\"}}}", "defaults.weights.bits: \"int8\" ");
  refused ("{\"pare_recipe\": 1, \"defaults\": {\"wieghts\": {\"bits\": 8}}}", "defaults.wieghts: unknown key");
  refused ("{\"pare_recipe\": 1, \"layers\": {\"a.b\": {\"weights\": {\"rounding\": \"gptq\"}}}}",
           "layers.a.b.weights.rounding: \"gptq\" is not available yet");
  refused ("{\"pare_recipe\": 1, \"layers\": {\"x\": {\"prune\": {\"kind\": \"block\"}}}}",
           "layers.x.prune.kind: \"block\" is not available yet");
  refused ("{\"pare_recipe\": 1, \"layers\": {\"x\": {\"prune\": {\"kind\": \"n:m\"}}}}", "layers.x.prune: n:m needs");
  refused ("{\"pare_recipe\": 1, \"layers\": {\"x\": {\"prune\": {\"kind\": \"n:m\", \"n\": 4, \"m\": 4}}}}", "layers.x.prune: n:m needs");
  refused ("{\"pare_recipe\": 1, \"layers\": {\"x\": {\"prune\": {\"ratio\": 1.5}}}}", "layers.x.prune.ratio: 1.5 ");
  refused ("{\"pare_recipe\": 1, \"layers\": {\"x\": {\"factorize\": {\"rank\": [2, 3]}}}}", "layers.x.factorize.rank: [2,3] ");
  refused ("{\"pare_recipe\": 1, \"layers\": {\"x\": {\"cluster\": {\"centroids\": 1}}}}", "layers.x.cluster.centroids: 1 ");
  refused ("{\"pare_recipe\": 1, \"layers\": {\"x\": {\"exclude\": 1}}}", "layers.x.exclude: 1 ");
  refused ("{\"pare_recipe\": 1, \"layers\": {\"x\": 8}}", "layers.x: 8 is not an object");
  refused ("{\"pare_recipe\": 1, \"graph\": {\"equalize\": true}}", "graph.equalize: not available yet");
  refused ("{\"pare_recipe\": 1, \"graph\": {\"else\": true}}", "graph.else: unknown key");
  refused ("{\"pare_recipe\": 1, \"model_sha256\": \"12\"}", "model_sha256: ");
  refused ("{\"pare_recipe\": 1, \"defaults\": null}", "defaults: null is not an object");
  g_autofree char *deep = g_strnfill (100000, '[');
  refused (deep, "not a recipe");
}

static const char full[] = "{ \"pare_recipe\": 1, \"graph\": {\"equalize\": false},\n"
                           "  \"defaults\": {\"weights\": {\"bits\": 8, \"granularity\": \"channel\", \"rounding\": \"nearest\"}, "
                           "\"activations\": {\"bits\": 8, \"calibrator\": \"mse\"}},\n"
                           "  \"layers\": {\"z\": {\"exclude\": true}, \"a\": {\"weights\": {\"bits\": 4, \"range\": \"max\"}, \"prune\": "
                           "{\"kind\": \"channels\", \"ratio\": 0.25, \"round_to\": 8},\n"
                           "     \"factorize\": {\"method\": \"spatial\", \"rank\": 24}, \"cluster\": {\"centroids\": 16}},\n"
                           "     \"b\": {\"prune\": {\"kind\": \"2:4\"}, \"activations\": {\"calibrator\": \"percentile\", \"percentile\": "
                           "99.9}}, \"c \\\"q\\\"\": {\"prune\": {\"kind\": \"n:m\", \"n\": 3, \"m\": 8}} } }";

static void
test_round_trip (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PareRecipe) recipe = pare_recipe_parse (full, -1, "full", &error);
  g_assert_no_error (error);
  g_autofree char *json = pare_recipe_to_json (recipe);
  g_assert_cmpstr (
      json, ==,
      "{\"defaults\":{\"activations\":{\"bits\":8,\"calibrator\":\"mse\"},\"weights\":{\"bits\":8,\"granularity\":\"channel\"}},"
      "\"layers\":{\"a\":{\"cluster\":{\"centroids\":16},\"factorize\":{\"method\":\"spatial\",\"rank\":24},"
      "\"prune\":{\"kind\":\"channels\",\"ratio\":0.25,\"round_to\":8},\"weights\":{\"bits\":4,\"range\":\"max\"}},"
      "\"b\":{\"activations\":{\"calibrator\":\"percentile\",\"percentile\":99.9},\"prune\":{\"kind\":\"2:4\"}},"
      "\"c \\\"q\\\"\":{\"prune\":{\"kind\":\"n:m\",\"m\":8,\"n\":3}},"
      "\"z\":{\"exclude\":true}},\"pare_recipe\":1}");
  g_autoptr (PareRecipe) again = pare_recipe_parse (json, -1, "again", &error);
  g_assert_no_error (error);
  g_autofree char *second = pare_recipe_to_json (again), *a = pare_recipe_hash (recipe), *b = pare_recipe_hash (again);
  g_assert_cmpstr (second, ==, json);
  g_assert_cmpstr (a, ==, b);
  g_autoptr (PareRecipe) copy = pare_recipe_copy (recipe);
  PareLayerRecipe own;
  g_assert_true (pare_recipe_get_layer (copy, "a", &own));
  own.weight_bits = 3;
  pare_recipe_set_layer (copy, "a", &own);
  g_autofree char *c = pare_recipe_hash (copy), *unchanged = pare_recipe_hash (recipe);
  g_assert_cmpstr (c, !=, a);
  g_assert_cmpstr (unchanged, ==, a);
}

static void
test_resolve (void)
{
  g_autoptr (PareRecipe) recipe = pare_recipe_parse (full, -1, "full", NULL);
  PareLayerRecipe r;
  pare_recipe_resolve (recipe, "a", &r);
  g_assert_cmpint (r.weight_bits, ==, 4);
  g_assert_cmpint (r.activation_bits, ==, 8);
  g_assert_cmpint (r.granularity, ==, PARE_GRANULARITY_CHANNEL);
  g_assert_cmpint (r.calibrator, ==, PARE_CALIBRATOR_MSE);
  pare_recipe_resolve (recipe, "b", &r);
  g_assert_cmpint (r.calibrator, ==, PARE_CALIBRATOR_PERCENTILE);
  g_assert_cmpint (r.prune, ==, PARE_PRUNE_N_M);
  g_assert_cmpint (r.weight_bits, ==, 8);
  pare_recipe_resolve (recipe, "z", &r);
  g_assert_cmpint (r.weight_bits, ==, PARE_BITS_FLOAT);
  g_assert_cmpint (r.activation_bits, ==, PARE_BITS_FLOAT);
  pare_recipe_resolve (recipe, "elsewhere", &r);
  g_assert_cmpint (r.weight_bits, ==, 8);
  g_assert_false (pare_recipe_is_identity (recipe));
  g_autoptr (PareRecipe) nothing
      = pare_recipe_parse ("{\"pare_recipe\": 1, \"defaults\": {\"weights\": {\"bits\": \"float\"}}}", -1, NULL, NULL);
  g_assert_true (pare_recipe_is_identity (nothing));
  pare_layer_recipe_init (&r);
  g_assert_true (pare_layer_recipe_is_empty (&r));
  r.centroids = 8;
  pare_recipe_set_layer (nothing, "q", &r);
  g_assert_false (pare_recipe_is_identity (nothing));
  pare_layer_recipe_init (&r);
  pare_recipe_set_layer (nothing, "q", &r);
  g_assert_true (pare_recipe_is_identity (nothing));
  g_assert_false (pare_recipe_get_layer (nothing, "q", NULL));
}

static void
shorthand (const char *layer_json, const char *want)
{
  g_autofree char *json = g_strdup_printf ("{\"pare_recipe\": 1, \"layers\": {\"x\": %s}}", layer_json);
  g_autoptr (PareRecipe) recipe = pare_recipe_parse (json, -1, NULL, NULL);
  g_assert_nonnull (recipe);
  PareLayerRecipe r;
  pare_recipe_resolve (recipe, "x", &r);
  g_autofree char *got = pare_layer_recipe_shorthand (&r), *words = pare_layer_recipe_words (&r);
  g_assert_cmpstr (got, ==, want);
  g_assert_cmpuint (strlen (words), >, 3);
}

static void
test_shorthand (void)
{
  shorthand ("{\"weights\": {\"bits\": 4}, \"activations\": {\"bits\": 8}, \"prune\": {\"kind\": \"channels\", \"ratio\": 0.12}}",
             "4·8 −12 %");
  shorthand ("{\"prune\": {\"kind\": \"channels\", \"ratio\": 0.125}}", "−12.5 %");
  shorthand ("{\"prune\": {\"kind\": \"2:4\"}}", "2:4");
  shorthand ("{\"factorize\": {\"method\": \"svd\", \"rank\": 40}}", "r40");
  shorthand ("{\"cluster\": {\"centroids\": 16}}", "c16");
  shorthand ("{\"exclude\": true}", "float");
  shorthand ("{}", "float");
}

static gboolean
has_move (const GArray *moves, const PareLayerRecipe *want)
{
  for (guint i = 0; i < moves->len; i++)
    if (pare_layer_recipe_equal (&g_array_index (moves, PareLayerRecipe, i), want))
      return TRUE;
  return FALSE;
}

/* One move from anywhere leads to a recipe that a file may hold; and what the hand does most is among them. */
static void
test_moves (void)
{
  static const char *const from[]
      = { "{}", "{\"prune\": {\"kind\": \"unstructured\", \"ratio\": 0.002}}",
          "{\"prune\": {\"kind\": \"2:4\"}, \"weights\": {\"bits\": 8}}", "{\"prune\": {\"kind\": \"channels\", \"ratio\": 0.25}}",
          "{\"cluster\": {\"centroids\": 16}, \"activations\": {\"bits\": 8}}" };
  for (guint i = 0; i < 2 * G_N_ELEMENTS (from); i++)
    {
      gboolean defaults = i >= G_N_ELEMENTS (from);
      g_autofree char *json = g_strdup_printf ("{\"pare_recipe\": 1, \"layers\": {\"x\": %s}}", from[i % G_N_ELEMENTS (from)]);
      g_autoptr (PareRecipe) start = pare_recipe_parse (json, -1, NULL, NULL);
      g_assert_nonnull (start);
      PareLayerRecipe now, want;
      pare_recipe_resolve (start, "x", &now);
      g_autoptr (GArray) moves = pare_layer_recipe_dup_moves (&now, defaults);
      for (guint k = 0; k < moves->len; k++)
        {
          GError *error = NULL;
          g_autoptr (PareRecipe) moved = pare_recipe_copy (start);
          pare_recipe_merge_layer (moved, "x", &g_array_index (moves, PareLayerRecipe, k));
          g_autofree char *text = pare_recipe_to_json (moved);
          g_autoptr (PareRecipe) again = pare_recipe_parse (text, -1, NULL, &error);
          g_assert_no_error (error);
          g_assert_true (pare_recipe_equal (moved, again));
        }
      pare_layer_recipe_init (&want);
      want.activation_bits = 8;
      g_assert_true (has_move (moves, &want));
      pare_layer_recipe_init (&want);
      want.centroids = 256;
      g_assert_cmpint (has_move (moves, &want), ==, !defaults);
      pare_layer_recipe_init (&want);
      want.prune_ratio = 0; /* a step of the key below 0.002 */
      g_assert_cmpint (has_move (moves, &want), ==, i == 1);
      want = pare_prune_move (PARE_PRUNE_CHANNELS, now.prune_ratio);
      g_assert_cmpfloat (want.prune_ratio, ==, i % G_N_ELEMENTS (from) == 1 ? 0.002 : i % G_N_ELEMENTS (from) == 3 ? 0.25 : 0.125);
      g_assert_cmpint (has_move (moves, &want), ==, !defaults && now.prune != PARE_PRUNE_CHANNELS);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/recipe/refused", test_refused);
  g_test_add_func ("/recipe/round-trip", test_round_trip);
  g_test_add_func ("/recipe/resolve", test_resolve);
  g_test_add_func ("/recipe/shorthand", test_shorthand);
  g_test_add_func ("/recipe/moves", test_moves);
  return g_test_run ();
}
