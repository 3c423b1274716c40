#include "engine/base/pare-file.h"
#include "engine/base/pare-error.h"

char *
pare_file_load (const char *path, gsize *length, int code, GError **error)
{
  char *contents = NULL;
  g_autoptr (GError) reason = NULL;
  if (!g_file_get_contents (path, &contents, length, &reason))
    g_set_error (error, PARE_ERROR, code, "%s: cannot be read: %s", path, reason->message);
  return contents;
}
