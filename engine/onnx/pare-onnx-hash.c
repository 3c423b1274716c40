/* The hash of a model's file, read piece by piece: a mapping of a large file that is read from end to end would stay in memory as a whole.
 */
#include "engine/onnx/pare-onnx-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (1 << 20)

static char *
failed (const char *path, GError **error)
{
  g_autofree char *shown = g_filename_display_name (path);
  g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "%s: cannot be read: %s", shown, g_strerror (errno));
  return NULL;
}

char *
pare_onnx_hash_fd (int fd, const char *path, PareControl *control, GError **error)
{
  struct stat info;
  if (fstat (fd, &info) != 0)
    return failed (path, error);
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree guint8 *piece = g_malloc (PIECE);
  guint64 at = 0, size = (guint64)MAX (info.st_size, 0);
  while (!pare_control_check (control, error))
    {
      gssize n = pread (fd, piece, PIECE, (off_t)at);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return failed (path, error);
      if (n == 0)
        return g_strdup (g_checksum_get_string (sum));
      g_checksum_update (sum, piece, n);
      at += (guint64)n;
      pare_control_report (control, "Reading the model", MIN (at, size), size);
    }
  return NULL;
}

char *
pare_onnx_hash_file (const char *path, PareControl *control, GError **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return failed (path, error);
  char *hash = pare_onnx_hash_fd (fd, path, control, error);
  close (fd);
  return hash;
}
