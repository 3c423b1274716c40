#include "engine/onnx/pare-onnx-private.h"

#include <stdlib.h>
#include <string.h>

GBytes *
pare_onnx_external_map (PareOnnxSource *source, const char *location, const char *tensor, GError **error)
{
  if (location == NULL || location[0] == '\0')
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT, "%s: tensor '%s': external data without a location", source->what, tensor);
      return NULL;
    }
  GBytes *known = source->external ? g_hash_table_lookup (source->external, location) : NULL;
  if (known != NULL)
    return g_bytes_ref (known);
  if (source->folder == NULL)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "%s: tensor '%s': its data is in '%s', but the model is not a file",
                   source->what, tensor, location);
      return NULL;
    }
  gboolean inside = !g_path_is_absolute (location) && strchr (location, '\\') == NULL;
  g_auto (GStrv) parts = g_strsplit (location, "/", -1);
  for (guint i = 0; parts[i] != NULL; i++)
    inside &= strcmp (parts[i], "..") != 0;
  g_autofree char *path = g_build_filename (source->folder, location, NULL);
  /* A symbolic link may lead out as well. */
  char *resolved = inside ? realpath (path, NULL) : NULL;
  gsize n = strlen (source->folder);
  if (resolved != NULL)
    inside = strncmp (resolved, source->folder, n) == 0 && (resolved[n] == '/' || (n > 0 && source->folder[n - 1] == '/'));
  gboolean regular = resolved != NULL && g_file_test (resolved, G_FILE_TEST_IS_REGULAR);
  free (resolved);
  if (!inside)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT, "%s: tensor '%s': external data '%s' is outside the model's folder", source->what,
                   tensor, location);
      return NULL;
    }
  GError *local = NULL;
  GMappedFile *file = regular ? g_mapped_file_new (path, FALSE, &local) : NULL;
  if (file == NULL)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "%s: tensor '%s': external data '%s' cannot be read%s%s", source->what, tensor,
                   location, local ? ": " : "", local ? local->message : "");
      g_clear_error (&local);
      return NULL;
    }
  GBytes *bytes = g_mapped_file_get_bytes (file);
  g_mapped_file_unref (file);
  if (source->external == NULL)
    source->external = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
  g_hash_table_insert (source->external, g_strdup (location), g_bytes_ref (bytes));
  return bytes;
}
