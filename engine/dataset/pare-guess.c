/* A folder or a file without a description. Pictures are given as RGB in 0..1, channels first; arrays as they are stored. */
#include "engine/dataset/pare-description.h"
#include "engine/dataset/pare-image.h"
#include "engine/base/pare-error.h"

#include <string.h>

int
pare_compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *
pare_folder_list (const char *folder, GError **error)
{
  GError *inner = NULL;
  GDir *dir = g_dir_open (folder, 0, &inner);
  if (dir == NULL)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: %s", folder, inner->message);
      g_error_free (inner);
      return NULL;
    }
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  for (const char *name; (name = g_dir_read_name (dir)) != NULL;)
    if (name[0] != '.')
      g_ptr_array_add (names, g_strdup (name));
  g_dir_close (dir);
  g_ptr_array_sort (names, pare_compare_names);
  return names;
}

static char *
swap (const char *base, const char *from, const char *to)
{
  const char *at = g_strrstr (base, from);
  return at == NULL ? NULL : g_strdup_printf ("%.*s%s%s", (int)(at - base), base, to, at + strlen (from));
}

char *
pare_labels_beside (const char *path)
{
  static const char *const pairs[][2] = { { "images-idx3", "labels-idx1" },
                                          { "images.idx3", "labels.idx1" },
                                          { "images", "labels" },
                                          { "samples", "labels" },
                                          { "data", "labels" },
                                          { "X", "y" },
                                          { "x", "y" } };
  g_autofree char *folder = g_path_get_dirname (path), *base = g_path_get_basename (path);
  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++)
    {
      /* "x" alone is a letter of many names: only as a word of its own. */
      if (strlen (pairs[i][0]) == 1)
        {
          gsize stem = strcspn (base, ".");
          g_autofree char *front = g_strndup (base, stem);
          g_auto (GStrv) words = g_strsplit (front, "_", -1);
          if (!g_strv_contains ((const char *const *)words, pairs[i][0]))
            continue;
          for (guint k = 0; words[k] != NULL; k++)
            if (strcmp (words[k], pairs[i][0]) == 0)
              {
                g_free (words[k]);
                words[k] = g_strdup (pairs[i][1]);
              }
          g_autofree char *joined = g_strjoinv ("_", words), *name = g_strconcat (joined, base + stem, NULL);
          g_autofree char *beside = g_build_filename (folder, name, NULL);
          if (g_file_test (beside, G_FILE_TEST_IS_REGULAR))
            return g_steal_pointer (&beside);
          continue;
        }
      g_autofree char *name = swap (base, pairs[i][0], pairs[i][1]);
      g_autofree char *beside = name != NULL ? g_build_filename (folder, name, NULL) : NULL;
      if (beside != NULL && strcmp (beside, path) != 0 && g_file_test (beside, G_FILE_TEST_IS_REGULAR))
        return g_steal_pointer (&beside);
    }
  return NULL;
}

static PareDescription *
describe (const char *file, const char *folder, PareFormat format, const char *samples)
{
  PareDescription *self = g_new0 (PareDescription, 1);
  self->file = g_strdup (file);
  self->folder = g_strdup (folder);
  self->format = format;
  self->samples = g_strdup (samples);
  if (format == PARE_FORMAT_IMAGES || format == PARE_FORMAT_CSV)
    {
      self->p.color = PARE_COLOR_RGB;
      self->p.layout = PARE_LAYOUT_NCHW;
      self->p.scale = 1.0f / 255;
      self->p.normalize = TRUE;
    }
  if (format == PARE_FORMAT_IDX || format == PARE_FORMAT_NPY)
    {
      g_autofree char *path = pare_description_at (self, samples), *beside = pare_labels_beside (path);
      if (beside != NULL && !g_str_has_suffix (samples, ".npz"))
        self->labels = g_path_get_basename (beside); /* names are the folder's, which may be a relative one */
    }
  pare_description_default_splits (self);
  return self;
}

static gboolean
is_idx (const char *path)
{
  return strstr (path, "idx") != NULL || g_str_has_suffix (path, "ubyte") || g_str_has_suffix (path, "ubyte.gz");
}

static PareDescription *
guess_file (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path), *base = g_path_get_basename (path);
  if (g_str_has_suffix (base, ".json"))
    return pare_description_load (path, error);
  if (g_str_has_suffix (base, ".npz") || g_str_has_suffix (base, ".npy"))
    return describe (path, folder, PARE_FORMAT_NPY, base);
  if (g_str_has_suffix (base, ".csv"))
    return describe (path, folder, PARE_FORMAT_CSV, base);
  if (is_idx (base))
    return describe (path, folder, PARE_FORMAT_IDX, base);
  g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: not data that Pare knows (a folder, .json, .npz, .npy, .csv or IDX)", path);
  return NULL;
}

/* The names among `names` that end so. */
static GPtrArray *
ending (GPtrArray *names, const char *end)
{
  GPtrArray *found = g_ptr_array_new ();
  for (guint i = 0; i < names->len; i++)
    if (g_str_has_suffix (names->pdata[i], end))
      g_ptr_array_add (found, names->pdata[i]);
  return found;
}

static PareDescription *
guess_json (const char *folder, GPtrArray *names, GError **error)
{
  g_autoptr (GString) all = g_string_new (NULL);
  g_autofree char *only = NULL;
  guint n = 0;
  for (guint i = 0; i < names->len; i++)
    {
      if (!g_str_has_suffix (names->pdata[i], ".json"))
        continue;
      g_autofree char *path = g_build_filename (folder, names->pdata[i], NULL), *text = NULL;
      if (!g_file_get_contents (path, &text, NULL, NULL) || strstr (text, "\"format\"") == NULL)
        continue;
      g_string_append_printf (all, "%s%s", n++ > 0 ? ", " : "", (char *)names->pdata[i]);
      g_free (only);
      only = g_steal_pointer (&path);
    }
  if (n == 1)
    return pare_description_load (only, error);
  if (n > 1)
    g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: the folder holds several data descriptions (%s), name one of them", folder,
                 all->str);
  return NULL;
}

/* IDX pairs: the test set is what one evaluates on, when train and test lie together. */
static const char *
pick_idx (GPtrArray *names)
{
  const char *found = NULL;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = names->pdata[i];
      if (!is_idx (name) || strstr (name, "images") == NULL)
        continue;
      if (found == NULL || g_str_has_prefix (name, "t10k") || g_str_has_prefix (name, "test"))
        found = name;
    }
  return found;
}

static PareDescription *
guess_folder (const char *folder, GError **error)
{
  g_autoptr (GPtrArray) names = pare_folder_list (folder, error);
  if (names == NULL)
    return NULL;
  g_autofree char *json = g_build_filename (folder, "dataset.json", NULL);
  if (g_file_test (json, G_FILE_TEST_EXISTS))
    return pare_description_load (json, error);
  GError *inner = NULL;
  PareDescription *self = guess_json (folder, names, &inner);
  if (self != NULL || inner != NULL)
    {
      if (inner != NULL)
        g_propagate_error (error, inner);
      return self;
    }
  g_autoptr (GPtrArray) npz = ending (names, ".npz"), csv = ending (names, ".csv");
  static const char *const arrays[] = { "x.npy", "X.npy", "x_test.npy", "X_test.npy", "samples.npy", "images.npy", "data.npy" };
  for (guint i = 0; i < G_N_ELEMENTS (arrays); i++)
    for (guint k = 0; k < names->len; k++)
      if (strcmp (names->pdata[k], arrays[i]) == 0)
        return describe (folder, folder, PARE_FORMAT_NPY, arrays[i]);
  if (npz->len == 1)
    return describe (folder, folder, PARE_FORMAT_NPY, npz->pdata[0]);
  const char *idx = pick_idx (names);
  if (idx != NULL)
    return describe (folder, folder, PARE_FORMAT_IDX, idx);
  guint own = 0;
  char *splits[3];
  for (int s = 0; s < 3; s++)
    {
      splits[s] = g_strconcat (pare_split_name ((PareSplit)s), ".csv", NULL);
      for (guint i = 0; i < csv->len; i++)
        own += strcmp (csv->pdata[i], splits[s]) == 0;
    }
  if (own == 3)
    {
      self = describe (folder, folder, PARE_FORMAT_CSV, NULL);
      for (int s = 0; s < 3; s++)
        {
          self->rules[s].kind = PARE_RULE_TEXT;
          self->rules[s].text = g_steal_pointer (&splits[s]);
        }
    }
  else if (csv->len == 1)
    self = describe (folder, folder, PARE_FORMAT_CSV, csv->pdata[0]);
  for (int s = 0; s < 3; s++)
    g_free (splits[s]);
  return self != NULL ? self : describe (folder, folder, PARE_FORMAT_IMAGES, NULL);
}

PareDescription *
pare_description_guess (const char *path, GError **error)
{
  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    return guess_folder (path, error);
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: no such file or folder", path);
      return NULL;
    }
  return guess_file (path, error);
}
