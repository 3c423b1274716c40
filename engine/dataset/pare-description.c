/* The JSON description. Every key is checked for type and range; an unknown key is an error because it is usually a misspelt one. */
#include "engine/dataset/pare-description.h"
#include "engine/base/pare-error.h"
#include "engine/base/pare-file.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#define MAX_JSON (16 * 1024 * 1024)
#define MAX_DEPTH 32
#define MAX_SIDE 16384

typedef struct
{
  const char *file;
  const char *where; /* "" or "preprocess." */
  GError **error;
} Place;

G_GNUC_PRINTF (3, 4)
static gboolean
wrong (const Place *place, const char *key, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *why = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (place->error, PARE_ERROR, PARE_ERROR_DATA, "%s: '%s%s' %s", place->file, place->where, key, why);
  return FALSE;
}

void
pare_description_free (PareDescription *self)
{
  if (self == NULL)
    return;
  g_free (self->file);
  g_free (self->folder);
  g_free (self->samples);
  g_free (self->labels);
  g_strfreev (self->class_names);
  g_free (self->p.mean);
  g_free (self->p.std);
  for (int i = 0; i < 3; i++)
    g_free (self->rules[i].text);
  g_free (self);
}

char *
pare_description_at (const PareDescription *self, const char *name)
{
  if (g_path_is_absolute (name))
    return g_strdup (name);
  return g_build_filename (self->folder, name, NULL);
}

void
pare_description_default_splits (PareDescription *self)
{
  static const double fractions[3] = { 0.2, 0.3, 0.5 };
  for (int i = 0; i < 3; i++)
    {
      self->rules[i].kind = PARE_RULE_FRACTION;
      self->rules[i].fraction = fractions[i];
    }
  self->seed = 1;
}

char **
pare_lines_load (const char *path, GError **error)
{
  gsize length;
  g_autofree char *text = pare_file_load (path, &length, PARE_ERROR_DATA, error);
  if (text == NULL)
    return NULL;
  if (strlen (text) != length || !g_utf8_validate (text, -1, NULL))
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: not a UTF-8 text file", path);
      return NULL;
    }
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  guint n = g_strv_length (lines);
  while (n > 0 && *g_strstrip (lines[n - 1]) == '\0')
    g_clear_pointer (&lines[--n], g_free);
  for (guint i = 0; i < n; i++)
    g_strchomp (lines[i]);
  return g_steal_pointer (&lines);
}

static JsonNode *
typed (const Place *place, JsonObject *object, const char *key, GType type)
{
  JsonNode *node = json_object_get_member (object, key);
  if (JSON_NODE_HOLDS_VALUE (node)
      && (json_node_get_value_type (node) == type || (type == G_TYPE_DOUBLE && json_node_get_value_type (node) == G_TYPE_INT64)))
    return node;
  wrong (place, key, "must be %s", type == G_TYPE_STRING ? "a text" : type == G_TYPE_INT64 ? "a whole number" : "a number");
  return NULL;
}

static gboolean
read_text (const Place *place, JsonObject *object, const char *key, char **value)
{
  if (!json_object_has_member (object, key))
    return TRUE;
  JsonNode *node = typed (place, object, key, G_TYPE_STRING);
  if (node == NULL)
    return FALSE;
  if (*json_node_get_string (node) == '\0')
    return wrong (place, key, "is empty");
  g_free (*value);
  *value = g_strdup (json_node_get_string (node));
  return TRUE;
}

static gboolean
read_int (const Place *place, JsonObject *object, const char *key, gint64 lo, gint64 hi, int *value)
{
  if (!json_object_has_member (object, key))
    return TRUE;
  JsonNode *node = typed (place, object, key, G_TYPE_INT64);
  if (node == NULL)
    return FALSE;
  gint64 v = json_node_get_int (node);
  if (v < lo || v > hi)
    return wrong (place, key, "is %" G_GINT64_FORMAT ", must be %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, v, lo, hi);
  *value = (int)v;
  return TRUE;
}

static gboolean
read_choice (const Place *place, JsonObject *object, const char *key, const char *const *names, int *value)
{
  if (!json_object_has_member (object, key))
    return TRUE;
  JsonNode *node = typed (place, object, key, G_TYPE_STRING);
  if (node == NULL)
    return FALSE;
  for (int i = 0; names[i] != NULL; i++)
    if (names[i][0] != '\0' && strcmp (names[i], json_node_get_string (node)) == 0)
      {
        *value = i;
        return TRUE;
      }
  g_autofree char *all = g_strjoinv (", ", (char **)names + (names[0][0] == '\0'));
  return wrong (place, key, "is \"%s\", must be one of %s", json_node_get_string (node), all);
}

static gboolean
known (const Place *place, JsonObject *object, const char *const *keys)
{
  g_autoptr (GList) members = json_object_get_members (object);
  for (GList *l = members; l != NULL; l = l->next)
    if (!g_strv_contains (keys, l->data))
      return wrong (place, l->data, "is not a key of a data description");
  return TRUE;
}

/* A number or an array of numbers -> float32, as numpy.float32 rounds them. */
static gboolean
read_floats (const Place *place, JsonObject *object, const char *key, float **values, guint *n)
{
  if (!json_object_has_member (object, key))
    return TRUE;
  JsonNode *node = json_object_get_member (object, key);
  JsonArray *array = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  guint length = array != NULL ? json_array_get_length (array) : 1;
  if (length < 1 || length > PARE_MAX_CHANNELS)
    return wrong (place, key, "has %u values", length);
  g_autofree float *v = g_new (float, length);
  for (guint i = 0; i < length; i++)
    {
      JsonNode *e = array != NULL ? json_array_get_element (array, i) : node;
      GType type = JSON_NODE_HOLDS_VALUE (e) ? json_node_get_value_type (e) : G_TYPE_NONE;
      if (type != G_TYPE_DOUBLE && type != G_TYPE_INT64)
        return wrong (place, key, "must be a number or an array of numbers");
      v[i] = (float)(type == G_TYPE_INT64 ? (double)json_node_get_int (e) : json_node_get_double (e));
      if (!isfinite (v[i]))
        return wrong (place, key, "is not a finite number");
      if (strcmp (key, "std") == 0 && v[i] == 0)
        return wrong (place, key, "must not be 0");
    }
  *values = g_steal_pointer (&v);
  *n = length;
  return TRUE;
}

static gboolean
read_reshape (const Place *place, JsonObject *object, ParePreprocess *p)
{
  if (!json_object_has_member (object, "reshape"))
    return TRUE;
  JsonNode *node = json_object_get_member (object, "reshape");
  JsonArray *array = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  if (array == NULL || json_array_get_length (array) > PARE_MAX_RANK - 1)
    return wrong (place, "reshape", "must be an array of at most %d extents", PARE_MAX_RANK - 1);
  int unknown = 0;
  p->reshape.rank = (int)json_array_get_length (array);
  for (int i = 0; i < p->reshape.rank; i++)
    {
      JsonNode *e = json_array_get_element (array, i);
      gint64 v = JSON_NODE_HOLDS_VALUE (e) && json_node_get_value_type (e) == G_TYPE_INT64 ? json_node_get_int (e) : 0;
      if (v < -1 || v == 0 || v > G_MAXINT32 || (unknown += v == -1) > 1)
        return wrong (place, "reshape", "must hold whole numbers from 1, at most one of them -1");
      p->reshape.dims[i] = v;
    }
  p->reshape_set = TRUE;
  return TRUE;
}

static gboolean
read_window (const Place *place, JsonObject *object, ParePreprocess *p)
{
  if (!json_object_has_member (object, "window"))
    return TRUE;
  JsonNode *node = json_object_get_member (object, "window");
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return wrong (place, "window", "must be an object with length and stride");
  JsonObject *w = json_node_get_object (node);
  Place inner = { place->file, "preprocess.window.", place->error };
  int length = 0, stride = 0;
  if (!known (&inner, w, (const char *const[]){ "length", "stride", NULL }) || !read_int (&inner, w, "length", 1, G_MAXINT32, &length)
      || !read_int (&inner, w, "stride", 1, G_MAXINT32, &stride))
    return FALSE;
  if (length == 0 || stride == 0)
    return wrong (&inner, length == 0 ? "length" : "stride", "is missing");
  p->window_length = length;
  p->window_stride = stride;
  return TRUE;
}

static gboolean
read_preprocess (const Place *outer, JsonObject *object, PareDescription *self)
{
  static const char *const keys[]
      = { "resize_short", "crop", "resize_after_crop", "letterbox", "pad",        "color", "scale", "mean", "std",
          "layout",       "from", "reshape",           "window",    "batch_axis", NULL };
  static const char *const colors[] = { "", "RGB", "BGR", "GRAY", NULL }, *const layouts[] = { "", "NCHW", "NHWC", NULL };
  if (!json_object_has_member (object, "preprocess"))
    return TRUE;
  JsonNode *node = json_object_get_member (object, "preprocess");
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return wrong (outer, "preprocess", "must be an object");
  JsonObject *o = json_node_get_object (node);
  Place place = { outer->file, "preprocess.", outer->error };
  ParePreprocess *p = &self->p;
  int color = 0, layout = 0, from = 0;
  g_autofree float *scale = NULL;
  guint n_scale = 0;
  p->pad = 114;
  if (!known (&place, o, keys) || !read_int (&place, o, "resize_short", 1, MAX_SIDE, &p->resize_short)
      || !read_int (&place, o, "crop", 1, MAX_SIDE, &p->crop)
      || !read_int (&place, o, "resize_after_crop", 1, MAX_SIDE, &p->resize_after_crop)
      || !read_int (&place, o, "letterbox", 1, MAX_SIDE, &p->letterbox) || !read_int (&place, o, "pad", 0, 255, &p->pad)
      || !read_int (&place, o, "batch_axis", 0, PARE_MAX_RANK - 1, &self->batch_axis) || !read_choice (&place, o, "color", colors, &color)
      || !read_choice (&place, o, "layout", layouts, &layout) || !read_choice (&place, o, "from", layouts, &from)
      || !read_floats (&place, o, "scale", &scale, &n_scale) || !read_floats (&place, o, "mean", &p->mean, &p->n_mean)
      || !read_floats (&place, o, "std", &p->std, &p->n_std) || !read_reshape (&place, o, p) || !read_window (&place, o, p))
    return FALSE;
  if (n_scale > 1)
    return wrong (&place, "scale", "must be one number");
  if (p->letterbox != 0 && (p->resize_short != 0 || p->crop != 0 || p->resize_after_crop != 0))
    return wrong (&place, "letterbox", "does not go together with resize_short, crop or resize_after_crop");
  p->color = (PareColor)color;
  p->layout = (PareLayout)layout;
  p->from = (PareLayout)from;
  p->scale = n_scale == 1 ? scale[0] : 1.0f;
  p->normalize = n_scale == 1 || p->n_mean > 0 || p->n_std > 0;
  return TRUE;
}

static gboolean
read_splits (const Place *outer, JsonObject *object, PareDescription *self)
{
  if (!json_object_has_member (object, "splits"))
    {
      pare_description_default_splits (self);
      return TRUE;
    }
  JsonNode *node = json_object_get_member (object, "splits");
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return wrong (outer, "splits", "must be an object");
  JsonObject *o = json_node_get_object (node);
  Place place = { outer->file, "splits.", outer->error };
  if (!known (&place, o, (const char *const[]){ "calibration", "search", "report", "seed", NULL }))
    return FALSE;
  double sum = 0;
  for (int i = 0; i < 3; i++)
    {
      const char *key = pare_split_name ((PareSplit)i);
      if (!json_object_has_member (o, key))
        continue;
      JsonNode *value = json_object_get_member (o, key);
      GType type = JSON_NODE_HOLDS_VALUE (value) ? json_node_get_value_type (value) : G_TYPE_NONE;
      if (type == G_TYPE_STRING)
        {
          self->rules[i].kind = PARE_RULE_TEXT;
          self->rules[i].text = g_strdup (json_node_get_string (value));
          continue;
        }
      if (type != G_TYPE_DOUBLE && type != G_TYPE_INT64)
        return wrong (&place, key, "must be a fraction, index ranges or a CSV file");
      double v = type == G_TYPE_INT64 ? (double)json_node_get_int (value) : json_node_get_double (value);
      if (!(v >= 0 && v <= 1) || (sum += v) > 1 + 1e-9)
        return wrong (&place, key, "is %g: fractions lie between 0 and 1, together at most 1", v);
      self->rules[i].kind = PARE_RULE_FRACTION;
      self->rules[i].fraction = v;
    }
  if (json_object_has_member (o, "seed"))
    {
      JsonNode *seed = typed (&place, o, "seed", G_TYPE_INT64);
      if (seed == NULL)
        return FALSE;
      gint64 v = json_node_get_int (seed);
      if (v < 0 || v > G_MAXUINT32)
        return wrong (&place, "seed", "must be 0 to 4294967295");
      self->seed = (guint32)v;
    }
  return TRUE;
}

static gboolean
read_classes (const Place *place, JsonObject *object, PareDescription *self)
{
  if (!json_object_has_member (object, "classes"))
    return TRUE;
  JsonNode *node = json_object_get_member (object, "classes");
  if (JSON_NODE_HOLDS_ARRAY (node))
    {
      JsonArray *array = json_node_get_array (node);
      g_autoptr (GStrvBuilder) names = g_strv_builder_new ();
      for (guint i = 0; i < json_array_get_length (array); i++)
        {
          JsonNode *e = json_array_get_element (array, i);
          if (!JSON_NODE_HOLDS_VALUE (e) || json_node_get_value_type (e) != G_TYPE_STRING)
            return wrong (place, "classes", "must be a file's name or an array of texts");
          g_strv_builder_add (names, json_node_get_string (e));
        }
      self->class_names = g_strv_builder_end (names);
    }
  else
    {
      g_autofree char *name = NULL;
      if (!read_text (place, object, "classes", &name))
        return FALSE;
      g_autofree char *path = pare_description_at (self, name);
      GError *inner = NULL;
      self->class_names = pare_lines_load (path, &inner);
      if (self->class_names == NULL)
        {
          g_set_error (place->error, PARE_ERROR, PARE_ERROR_DATA, "%s: 'classes': %s", place->file, inner->message);
          g_error_free (inner);
          return FALSE;
        }
    }
  if (self->class_names[0] == NULL)
    return wrong (place, "classes", "holds no names");
  return TRUE;
}

/* json-glib descends without a limit: refuse deep nesting before it sees the text. */
static gboolean
too_deep (const char *text, gsize length)
{
  int depth = 0;
  gboolean quoted = FALSE;
  for (gsize i = 0; i < length; i++)
    if (quoted)
      {
        if (text[i] == '\\')
          i++;
        else
          quoted = text[i] != '"';
      }
    else if (text[i] == '"')
      quoted = TRUE;
    else if (text[i] == '[' || text[i] == '{')
      {
        if (++depth > MAX_DEPTH)
          return TRUE;
      }
    else if (text[i] == ']' || text[i] == '}')
      depth--;
  return FALSE;
}

static gboolean
check_names (const Place *place, JsonObject *object, PareDescription *self)
{
  gboolean csv_splits = FALSE;
  for (int i = 0; i < 3; i++)
    csv_splits |= self->rules[i].kind == PARE_RULE_TEXT;
  gboolean optional = self->format == PARE_FORMAT_IMAGES || (self->format == PARE_FORMAT_CSV && csv_splits);
  if (self->samples == NULL && !optional)
    return wrong (place, "samples", "is missing");
  const char *const names[2] = { self->samples, self->labels };
  for (int i = 0; i < 2; i++)
    if (names[i] != NULL)
      {
        g_autofree char *path = pare_description_at (self, names[i]);
        if (!g_file_test (path, G_FILE_TEST_EXISTS))
          return wrong (place, i == 0 ? "samples" : "labels", "names \"%s\", which does not exist", names[i]);
      }
  if ((self->task == PARE_TASK_DETECTION) != (self->format == PARE_FORMAT_YOLO))
    return wrong (place, "task",
                  self->format == PARE_FORMAT_YOLO ? "must be detection for the format yolo" : "detection needs the format yolo");
  if (self->task == PARE_TASK_NEXT_TOKEN && self->format != PARE_FORMAT_NPY)
    return wrong (place, "task", "next-token needs the format npy");
  return TRUE;
}

PareDescription *
pare_description_parse (const char *text, gsize length, const char *path, GError **error)
{
  static const char *const formats[] = { "images", "idx", "npy", "csv", "yolo", NULL };
  static const char *const tasks[] = { "classification", "anomaly", "next-token", "detection", NULL };
  static const char *const keys[] = { "format", "samples",     "labels",  "classes", "task",    "class_offset", "preprocess", "splits",
                                      "name",   "description", "comment", "source",  "license", "licence",      NULL };
  Place place = { path, "", error };
  if (length > MAX_JSON || too_deep (text, length) || memchr (text, '\0', length) != NULL || !g_utf8_validate (text, (gssize)length, NULL))
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: not a data description (too large, nested too deeply or not UTF-8)", path);
      return NULL;
    }
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  GError *inner = NULL;
  if (!json_parser_load_from_data (parser, text, (gssize)length, &inner))
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: not JSON: %s", path, inner->message);
      g_error_free (inner);
      return NULL;
    }
  JsonNode *root = json_parser_get_root (parser);
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root))
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: a data description is a JSON object", path);
      return NULL;
    }
  JsonObject *object = json_node_get_object (root);
  g_autoptr (PareDescription) self = g_new0 (PareDescription, 1);
  self->file = g_strdup (path);
  self->folder = g_path_get_dirname (path);
  int format = -1, task = -1;
  if (!known (&place, object, keys) || !read_choice (&place, object, "format", formats, &format)
      || !read_choice (&place, object, "task", tasks, &task))
    return NULL;
  if (format < 0)
    return wrong (&place, "format", "is missing"), NULL;
  self->format = (PareFormat)format;
  self->task = task >= 0 ? (PareTask)task : self->format == PARE_FORMAT_YOLO ? PARE_TASK_DETECTION : PARE_TASK_CLASSIFICATION;
  if (!read_text (&place, object, "samples", &self->samples) || !read_text (&place, object, "labels", &self->labels)
      || !read_int (&place, object, "class_offset", -1000000, 1000000, &self->class_offset) || !read_preprocess (&place, object, self)
      || !read_splits (&place, object, self) || !check_names (&place, object, self) || !read_classes (&place, object, self))
    return NULL;
  return g_steal_pointer (&self);
}

PareDescription *
pare_description_load (const char *path, GError **error)
{
  gsize length;
  g_autofree char *text = pare_file_load (path, &length, PARE_ERROR_DATA, error);
  if (text == NULL)
    return NULL;
  return pare_description_parse (text, length, path, error);
}
