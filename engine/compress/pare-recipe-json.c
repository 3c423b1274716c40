/* Recipes as JSON. Strict: what is not understood is an error that names its place, never skipped. */
#include "engine/base/pare-error.h"
#include "engine/base/pare-file.h"
#include "engine/compress/pare-recipe.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#define MAX_BYTES (16 * 1024 * 1024)
#define MAX_DEPTH 16

typedef struct
{
  const char *name; /* of the document */
  GError **error;
} Parser;

static gboolean refuse (Parser *p, const char *path, const char *format, ...) G_GNUC_PRINTF (3, 4);
static gboolean
refuse (Parser *p, const char *path, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *reason = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (p->error, PARE_ERROR, PARE_ERROR_RECIPE, "%s: %s%s%s", p->name, path, *path ? ": " : "", reason);
  return FALSE;
}

static char *
join (const char *path, const char *key)
{
  return *path ? g_strconcat (path, ".", key, NULL) : g_strdup (key);
}

/* What a value is, for messages. */
static char *
show (JsonNode *node)
{
  g_autofree char *text = json_to_string (node, FALSE);
  if (text != NULL && strlen (text) > 40)
    {
      char *end = g_utf8_find_prev_char (text, text + 38);
      *(end != NULL ? end : text) = '\0';
      return g_strconcat (text, "…", NULL);
    }
  return g_steal_pointer (&text);
}

static gboolean
as_object (Parser *p, JsonNode *node, const char *path, JsonObject **object)
{
  if (!JSON_NODE_HOLDS_OBJECT (node))
    {
      g_autofree char *text = show (node);
      return refuse (p, path, "%s is not an object", text);
    }
  *object = json_node_get_object (node);
  return TRUE;
}

static gboolean
as_integer (Parser *p, JsonNode *node, const char *path, gint64 low, gint64 high, int *out)
{
  if (JSON_NODE_HOLDS_VALUE (node))
    {
      GType type = json_node_get_value_type (node);
      double value = type == G_TYPE_INT64 ? (double)json_node_get_int (node) : type == G_TYPE_DOUBLE ? json_node_get_double (node) : NAN;
      if (value == floor (value) && value >= low && value <= high)
        {
          *out = (int)value;
          return TRUE;
        }
    }
  g_autofree char *text = show (node);
  return refuse (p, path, "%s is not a whole number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, text, low, high);
}

static gboolean
as_double (Parser *p, JsonNode *node, const char *path, double low, double high, double *out)
{
  if (JSON_NODE_HOLDS_VALUE (node))
    {
      GType type = json_node_get_value_type (node);
      double value = type == G_TYPE_INT64 ? (double)json_node_get_int (node) : type == G_TYPE_DOUBLE ? json_node_get_double (node) : NAN;
      if (value >= low && value <= high)
        {
          *out = value;
          return TRUE;
        }
    }
  g_autofree char *text = show (node);
  return refuse (p, path, "%s is not a number from %g to %g", text, low, high);
}

static gboolean
as_boolean (Parser *p, JsonNode *node, const char *path, gboolean *out)
{
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_BOOLEAN)
    {
      g_autofree char *text = show (node);
      return refuse (p, path, "%s is neither true nor false", text);
    }
  *out = json_node_get_boolean (node);
  return TRUE;
}

static const char *
string_of (JsonNode *node)
{
  return JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING ? json_node_get_string (node) : NULL;
}

/* One of `words`; the index goes to out. Those in `later` exist in the format but not in this version. */
static gboolean
as_word (Parser *p, JsonNode *node, const char *path, const char *const *words, const char *const *later, int *out)
{
  const char *text = string_of (node);
  for (int i = 0; text != NULL && words[i] != NULL; i++)
    if (g_str_equal (words[i], text))
      {
        *out = i;
        return TRUE;
      }
  if (text != NULL && later != NULL && g_strv_contains (later, text))
    return refuse (p, path, "\"%s\" is not available yet", text);
  g_autofree char *shown = show (node), *list = g_strjoinv (", ", (char **)words);
  return refuse (p, path, "%s is not one of %s", shown, list);
}

static gboolean
as_bits (Parser *p, JsonNode *node, const char *path, int *out)
{
  const char *text = string_of (node);
  int bits = 0;
  if (text != NULL && g_str_equal (text, "float"))
    {
      *out = PARE_BITS_FLOAT;
      return TRUE;
    }
  if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_INT64)
    bits = (int)CLAMP (json_node_get_int (node), 0, 1000);
  if ((bits >= 2 && bits <= 8) || bits == 16)
    {
      *out = bits;
      return TRUE;
    }
  g_autofree char *shown = show (node);
  return refuse (p, path, "%s is not 2 to 8, 16 or \"float\"", shown);
}

typedef gboolean (*KeyFunc) (Parser *p, const char *key, JsonNode *node, const char *path, gpointer data, gboolean *known);

/* Every member of an object through `func`, in the document's order; a key it does not know is an error. */
static gboolean
each_member (Parser *p, JsonNode *node, const char *path, KeyFunc func, gpointer data)
{
  JsonObject *object = NULL;
  if (!as_object (p, node, path, &object))
    return FALSE;
  JsonObjectIter iter;
  const char *key;
  JsonNode *member;
  json_object_iter_init_ordered (&iter, object);
  while (json_object_iter_next_ordered (&iter, &key, &member))
    {
      g_autofree char *place = join (path, key);
      gboolean known = TRUE;
      if (!func (p, key, member, place, data, &known))
        return known ? FALSE : refuse (p, place, "unknown key");
    }
  return TRUE;
}

static gboolean
parse_weights (Parser *p, const char *key, JsonNode *node, const char *path, gpointer data, gboolean *known)
{
  static const char *const granularities[] = { "channel", "tensor", NULL }, *const later_granularities[] = { "group", NULL };
  static const char *const ranges[] = { "max", "mse", NULL };
  static const char *const roundings[] = { "nearest", NULL }, *const later_roundings[] = { "gptq", "adaround", "obq", "seqmse", NULL };
  PareLayerRecipe *r = data;
  int i;
  if (g_str_equal (key, "bits"))
    return as_bits (p, node, path, &r->weight_bits);
  if (g_str_equal (key, "granularity"))
    {
      if (!as_word (p, node, path, granularities, later_granularities, &i))
        return FALSE;
      r->granularity = i == 0 ? PARE_GRANULARITY_CHANNEL : PARE_GRANULARITY_TENSOR;
      return TRUE;
    }
  if (g_str_equal (key, "range"))
    {
      if (!as_word (p, node, path, ranges, NULL, &i))
        return FALSE;
      r->range = i == 0 ? PARE_RANGE_MAX : PARE_RANGE_MSE;
      return TRUE;
    }
  if (g_str_equal (key, "rounding"))
    return as_word (p, node, path, roundings, later_roundings, &i);
  return *known = FALSE;
}

static gboolean
parse_activations (Parser *p, const char *key, JsonNode *node, const char *path, gpointer data, gboolean *known)
{
  static const char *const calibrators[] = { "minmax", "percentile", "mse", "entropy", NULL };
  PareLayerRecipe *r = data;
  int i;
  if (g_str_equal (key, "bits"))
    return as_bits (p, node, path, &r->activation_bits);
  if (g_str_equal (key, "calibrator"))
    {
      if (!as_word (p, node, path, calibrators, NULL, &i))
        return FALSE;
      r->calibrator = PARE_CALIBRATOR_MINMAX + i;
      return TRUE;
    }
  if (g_str_equal (key, "percentile"))
    return as_double (p, node, path, 50, 100, &r->percentile);
  return *known = FALSE;
}

static gboolean
parse_prune (Parser *p, const char *key, JsonNode *node, const char *path, gpointer data, gboolean *known)
{
  static const char *const kinds[] = { "off", "unstructured", "n:m", "channels", "2:4", NULL }, *const later_kinds[] = { "block", NULL };
  static const char *const criteria[] = { "magnitude", NULL }, *const later_criteria[] = { "obs", "taylor", NULL };
  static const ParePrune values[] = { PARE_PRUNE_OFF, PARE_PRUNE_UNSTRUCTURED, PARE_PRUNE_N_M, PARE_PRUNE_CHANNELS, PARE_PRUNE_N_M };
  PareLayerRecipe *r = data;
  int i;
  if (g_str_equal (key, "kind"))
    {
      if (!as_word (p, node, path, kinds, later_kinds, &i))
        return FALSE;
      r->prune = values[i];
      if (i == 4)
        r->prune_n = 2, r->prune_m = 4;
      return TRUE;
    }
  if (g_str_equal (key, "ratio"))
    return as_double (p, node, path, 0, 1, &r->prune_ratio);
  if (g_str_equal (key, "n"))
    return as_integer (p, node, path, 1, 255, &r->prune_n);
  if (g_str_equal (key, "m"))
    return as_integer (p, node, path, 2, 256, &r->prune_m);
  if (g_str_equal (key, "criterion"))
    return as_word (p, node, path, criteria, later_criteria, &i);
  if (g_str_equal (key, "round_to"))
    return as_integer (p, node, path, 1, 4096, &r->round_to);
  return *known = FALSE;
}

static gboolean
parse_factorize (Parser *p, const char *key, JsonNode *node, const char *path, gpointer data, gboolean *known)
{
  static const char *const methods[] = { "off", "svd", "spatial", NULL }, *const later[] = { "tucker2", "cp", NULL };
  PareLayerRecipe *r = data;
  int i;
  if (g_str_equal (key, "method"))
    {
      if (!as_word (p, node, path, methods, later, &i))
        return FALSE;
      r->factorize = PARE_FACTORIZE_OFF + i;
      return TRUE;
    }
  if (g_str_equal (key, "rank"))
    return as_integer (p, node, path, 1, 1 << 24, &r->rank);
  return *known = FALSE;
}

static gboolean
parse_cluster (Parser *p, const char *key, JsonNode *node, const char *path, gpointer data, gboolean *known)
{
  PareLayerRecipe *r = data;
  if (!g_str_equal (key, "centroids"))
    return *known = FALSE;
  const char *text = string_of (node);
  if (text != NULL && g_str_equal (text, "off"))
    {
      r->centroids = -1;
      return TRUE;
    }
  return as_integer (p, node, path, 2, 256, &r->centroids);
}

static gboolean
parse_layer (Parser *p, const char *key, JsonNode *node, const char *path, gpointer data, gboolean *known)
{
  PareLayerRecipe *r = data;
  if (g_str_equal (key, "weights"))
    return each_member (p, node, path, parse_weights, r);
  if (g_str_equal (key, "activations"))
    return each_member (p, node, path, parse_activations, r);
  if (g_str_equal (key, "prune"))
    {
      if (!each_member (p, node, path, parse_prune, r))
        return FALSE;
      if (r->prune == PARE_PRUNE_N_M && (r->prune_n == 0 || r->prune_m == 0 || r->prune_n >= r->prune_m))
        return refuse (p, path, "n:m needs n and m with n smaller than m: of each m weights, n are zero");
      return TRUE;
    }
  if (g_str_equal (key, "factorize"))
    return each_member (p, node, path, parse_factorize, r);
  if (g_str_equal (key, "cluster"))
    return each_member (p, node, path, parse_cluster, r);
  if (g_str_equal (key, "exclude"))
    return as_boolean (p, node, path, &r->exclude);
  return *known = FALSE;
}

static gboolean
parse_graph (Parser *p, const char *key, JsonNode *node, const char *path, gpointer data, gboolean *known)
{
  gboolean on = FALSE;
  if (!g_str_equal (key, "equalize") && !g_str_equal (key, "bias_correction"))
    return *known = FALSE;
  if (!as_boolean (p, node, path, &on))
    return FALSE;
  return on ? refuse (p, path, "not available yet") : TRUE;
}

static gboolean
parse_one_layer (Parser *p, const char *key, JsonNode *node, const char *path, gpointer data, gboolean *known)
{
  PareLayerRecipe own;
  pare_layer_recipe_init (&own);
  if (!each_member (p, node, path, parse_layer, &own))
    return FALSE;
  pare_recipe_set_layer (data, key, &own);
  return TRUE;
}

static gboolean
parse_top (Parser *p, const char *key, JsonNode *node, const char *path, gpointer data, gboolean *known)
{
  PareRecipe *recipe = data;
  if (g_str_equal (key, "pare_recipe"))
    return TRUE; /* looked at first */
  if (g_str_equal (key, "model_sha256"))
    {
      const char *text = string_of (node);
      gboolean hex = text != NULL && strlen (text) == 64;
      for (int i = 0; hex && i < 64; i++)
        hex = g_ascii_isxdigit (text[i]);
      if (!hex)
        return refuse (p, path, "not a SHA-256 in 64 hexadecimal digits");
      g_autofree char *lower = g_ascii_strdown (text, -1);
      pare_recipe_set_model_sha256 (recipe, lower);
      return TRUE;
    }
  if (g_str_equal (key, "defaults"))
    {
      PareLayerRecipe defaults;
      pare_layer_recipe_init (&defaults);
      if (!each_member (p, node, path, parse_layer, &defaults))
        return FALSE;
      pare_recipe_set_defaults (recipe, &defaults);
      return TRUE;
    }
  if (g_str_equal (key, "graph"))
    return each_member (p, node, path, parse_graph, recipe);
  if (g_str_equal (key, "layers"))
    return each_member (p, node, path, parse_one_layer, recipe);
  return *known = FALSE;
}

/* json-glib descends once per bracket, so the depth is looked at before it does. */
static gboolean
too_deep (const char *json, gsize length)
{
  int depth = 0;
  gboolean quoted = FALSE;
  for (gsize i = 0; i < length; i++)
    {
      char c = json[i];
      if (quoted && c == '\\')
        i++;
      else if (c == '"')
        quoted = !quoted;
      else if (!quoted && (c == '{' || c == '[') && ++depth > MAX_DEPTH)
        return TRUE;
      else if (!quoted && (c == '}' || c == ']'))
        depth--;
    }
  return FALSE;
}

PareRecipe *
pare_recipe_parse (const char *json, gssize length, const char *name, GError **error)
{
  Parser p = { name != NULL ? name : "recipe", error };
  gsize bytes = length < 0 ? strlen (json) : (gsize)length;
  if (bytes > MAX_BYTES || !g_utf8_validate (json, (gssize)bytes, NULL) || too_deep (json, bytes))
    {
      refuse (&p, "", "not a recipe: too large, not UTF-8 or nested too deeply");
      return NULL;
    }
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  g_autoptr (GError) reason = NULL;
  if (!json_parser_load_from_data (parser, json, (gssize)bytes, &reason))
    {
      refuse (&p, "", "not JSON: %s", reason->message);
      return NULL;
    }
  JsonNode *root = json_parser_get_root (parser);
  JsonObject *object;
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root))
    {
      refuse (&p, "", "not a recipe: no JSON object");
      return NULL;
    }
  object = json_node_get_object (root);
  JsonNode *version = json_object_get_member (object, "pare_recipe");
  if (version == NULL)
    {
      refuse (&p, "pare_recipe", "missing: this is not a recipe");
      return NULL;
    }
  int number;
  if (!as_integer (&p, version, "pare_recipe", 1, G_MAXINT32, &number))
    return NULL;
  if (number > 1)
    {
      refuse (&p, "pare_recipe", "version %d is newer than this program understands (1)", number);
      return NULL;
    }
  g_autoptr (PareRecipe) recipe = pare_recipe_new ();
  return each_member (&p, root, "", parse_top, recipe) ? g_steal_pointer (&recipe) : NULL;
}

PareRecipe *
pare_recipe_load (const char *path, GError **error)
{
  gsize length;
  g_autofree char *text = pare_file_load (path, &length, PARE_ERROR_FILE, error);
  if (text == NULL)
    return NULL;
  return pare_recipe_parse (text, (gssize)length, path, error);
}

/* --- writing: sorted keys, numbers in their shortest form that reads back the same --- */

static void
write_string (GString *s, const char *text)
{
  g_string_append_c (s, '"');
  for (const char *c = text; *c != '\0'; c++)
    if (*c == '"' || *c == '\\')
      g_string_append_printf (s, "\\%c", *c);
    else if ((guchar)*c < ' ' || *c == 127)
      g_string_append_printf (s, "\\u%04x", (guchar)*c);
    else
      g_string_append_c (s, *c);
  g_string_append_c (s, '"');
}

static void
write_number (GString *s, double value)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  for (int digits = 1; digits <= 17; digits++)
    {
      char format[8];
      g_snprintf (format, sizeof format, "%%.%dg", digits);
      g_ascii_formatd (text, sizeof text, format, value);
      if (g_ascii_strtod (text, NULL) == value)
        break;
    }
  g_string_append (s, text);
}

static void
write_key (GString *s, gboolean *first, const char *key)
{
  if (!*first)
    g_string_append_c (s, ',');
  *first = FALSE;
  write_string (s, key);
  g_string_append_c (s, ':');
}

static void
write_bits (GString *s, int bits)
{
  if (bits == PARE_BITS_FLOAT)
    g_string_append (s, "\"float\"");
  else
    g_string_append_printf (s, "%d", bits);
}

static void
write_integer (GString *s, gboolean *first, const char *key, int value)
{
  write_key (s, first, key);
  g_string_append_printf (s, "%d", value);
}

static void
write_word (GString *s, gboolean *first, const char *key, const char *word)
{
  write_key (s, first, key);
  write_string (s, word);
}

static void
write_prune (GString *s, const PareLayerRecipe *r)
{
  static const char *const kinds[] = { NULL, "off", "unstructured", "n:m", "channels" };
  gboolean first = TRUE, plain = r->prune == PARE_PRUNE_N_M && r->prune_n == 2 && r->prune_m == 4;
  g_string_append_c (s, '{');
  if (r->prune != PARE_PRUNE_UNSET)
    write_word (s, &first, "kind", plain ? "2:4" : kinds[r->prune]);
  if (r->prune_m > 0 && !plain)
    write_integer (s, &first, "m", r->prune_m);
  if (r->prune_n > 0 && !plain)
    write_integer (s, &first, "n", r->prune_n);
  if (r->prune_ratio >= 0)
    {
      write_key (s, &first, "ratio");
      write_number (s, r->prune_ratio);
    }
  if (r->round_to > 0)
    write_integer (s, &first, "round_to", r->round_to);
  g_string_append_c (s, '}');
}

static void
write_layer (GString *s, const PareLayerRecipe *r)
{
  static const char *const calibrators[] = { NULL, "minmax", "percentile", "mse", "entropy" };
  static const char *const methods[] = { NULL, "off", "svd", "spatial" };
  gboolean outer = TRUE, first = TRUE;
  g_string_append_c (s, '{');
  if (r->activation_bits != PARE_BITS_UNSET || r->calibrator != PARE_CALIBRATOR_UNSET || r->percentile > 0)
    {
      write_key (s, &outer, "activations");
      g_string_append_c (s, '{');
      if (r->activation_bits != PARE_BITS_UNSET)
        {
          write_key (s, &first, "bits");
          write_bits (s, r->activation_bits);
        }
      if (r->calibrator != PARE_CALIBRATOR_UNSET)
        write_word (s, &first, "calibrator", calibrators[r->calibrator]);
      if (r->percentile > 0)
        {
          write_key (s, &first, "percentile");
          write_number (s, r->percentile);
        }
      g_string_append_c (s, '}');
    }
  if (r->centroids != 0)
    {
      write_key (s, &outer, "cluster");
      if (r->centroids > 0)
        g_string_append_printf (s, "{\"centroids\":%d}", r->centroids);
      else
        g_string_append (s, "{\"centroids\":\"off\"}");
    }
  if (r->exclude >= 0)
    {
      write_key (s, &outer, "exclude");
      g_string_append (s, r->exclude ? "true" : "false");
    }
  if (r->factorize != PARE_FACTORIZE_UNSET || r->rank > 0)
    {
      first = TRUE;
      write_key (s, &outer, "factorize");
      g_string_append_c (s, '{');
      if (r->factorize != PARE_FACTORIZE_UNSET)
        write_word (s, &first, "method", methods[r->factorize]);
      if (r->rank > 0)
        write_integer (s, &first, "rank", r->rank);
      g_string_append_c (s, '}');
    }
  if (r->prune != PARE_PRUNE_UNSET || r->prune_ratio >= 0 || r->prune_n > 0 || r->prune_m > 0 || r->round_to > 0)
    {
      write_key (s, &outer, "prune");
      write_prune (s, r);
    }
  if (r->weight_bits != PARE_BITS_UNSET || r->granularity != PARE_GRANULARITY_UNSET || r->range != PARE_RANGE_UNSET)
    {
      first = TRUE;
      write_key (s, &outer, "weights");
      g_string_append_c (s, '{');
      if (r->weight_bits != PARE_BITS_UNSET)
        {
          write_key (s, &first, "bits");
          write_bits (s, r->weight_bits);
        }
      if (r->granularity != PARE_GRANULARITY_UNSET)
        write_word (s, &first, "granularity", r->granularity == PARE_GRANULARITY_CHANNEL ? "channel" : "tensor");
      if (r->range != PARE_RANGE_UNSET)
        write_word (s, &first, "range", r->range == PARE_RANGE_MAX ? "max" : "mse");
      g_string_append_c (s, '}');
    }
  g_string_append_c (s, '}');
}

char *
pare_recipe_to_json (const PareRecipe *self)
{
  GString *s = g_string_new ("{");
  gboolean outer = TRUE, first = TRUE;
  if (!pare_layer_recipe_is_empty (pare_recipe_get_defaults (self)))
    {
      write_key (s, &outer, "defaults");
      write_layer (s, pare_recipe_get_defaults (self));
    }
  g_auto (GStrv) layers = pare_recipe_list_layers (self);
  if (layers[0] != NULL)
    {
      write_key (s, &outer, "layers");
      g_string_append_c (s, '{');
      for (char **name = layers; *name != NULL; name++)
        {
          PareLayerRecipe own;
          pare_recipe_get_layer (self, *name, &own);
          write_key (s, &first, *name);
          write_layer (s, &own);
        }
      g_string_append_c (s, '}');
    }
  if (pare_recipe_get_model_sha256 (self) != NULL)
    write_word (s, &outer, "model_sha256", pare_recipe_get_model_sha256 (self));
  write_integer (s, &outer, "pare_recipe", 1);
  g_string_append_c (s, '}');
  return g_string_free (s, FALSE);
}

char *
pare_recipe_hash (const PareRecipe *self)
{
  g_autofree char *json = pare_recipe_to_json (self);
  return g_compute_checksum_for_string (G_CHECKSUM_SHA256, json, -1);
}
