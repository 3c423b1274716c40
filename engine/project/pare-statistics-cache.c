#include "engine/project/pare-statistics-cache.h"
#include "engine/base/pare-error.h"
#include "engine/project/pare-session-private.h"
#include "engine/project/pare-statistics-codec.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#define ENDING ".statistics"
#define LARGEST (256u << 20)
#define LEFT_BEHIND_S 3600

static char *
cache_folder (void)
{
  return g_build_filename (g_get_user_cache_dir (), "pare", "statistics", NULL);
}

char *
pare_statistics_cache_path (const char *key)
{
  g_autofree char *folder = cache_folder (), *file = g_strconcat (key, ENDING, NULL);
  return g_build_filename (folder, file, NULL);
}

/* --- the key --- */

typedef struct
{
  const char *name;
  const PareTensor *tensor;
} Named;

static int
by_name (gconstpointer a, gconstpointer b)
{
  return strcmp (((const Named *)a)->name, ((const Named *)b)->name);
}

char *
pare_statistics_cache_tensors (const PareGraph *source)
{
  g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (Named));
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  for (guint i = 0; i < source->n_values; i++)
    if (source->values[i].constant != NULL)
      {
        Named named = { source->values[i].name, source->values[i].constant };
        g_array_append_val (all, named);
      }
  g_array_sort (all, by_name);
  for (guint i = 0; i < all->len; i++)
    {
      const Named *n = &g_array_index (all, Named, i);
      g_autofree char *head = g_strdup_printf ("%s %d %" G_GUINT64_FORMAT, n->name, (int)n->tensor->dtype, (guint64)n->tensor->bytes);
      g_checksum_update (sum, (const guchar *)head, (gssize)strlen (head) + 1);
      g_checksum_update (sum, n->tensor->data, (gssize)n->tensor->bytes);
    }
  return g_strdup (g_checksum_get_string (sum));
}

char *
pare_statistics_cache_key (const PareGraph *source, const PareDataset *dataset, PareBackend backend)
{
  /* The hash of the model's file says nothing of tensors that it keeps in other files. The machine: its vector instructions choose the
   * order of sums. */
  g_autofree char *tensors = pare_statistics_cache_tensors (source);
  g_autofree char *text = g_strdup_printf (
      "method %d\npare %s\nmodel %s\ntensors %s\ndata %s\nsplit %s %u\nbackend %d\nmachine %s\n", PARE_STATISTICS_METHOD, PARE_VERSION,
      source->sha256 != NULL ? source->sha256 : "", tensors, pare_dataset_get_hash (dataset), pare_split_name (PARE_SPLIT_CALIBRATION),
      pare_dataset_get_n_samples (dataset, PARE_SPLIT_CALIBRATION), (int)backend, pare_session_host ());
  return g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1);
}

/* --- reading and writing --- */

PareStatistics *
pare_statistics_cache_get (const char *key)
{
  struct stat st;
  g_autofree char *path = pare_statistics_cache_path (key), *data = NULL;
  gsize length;
  GError *error = NULL;
  if (stat (path, &st) != 0 || !S_ISREG (st.st_mode) || (guint64)st.st_size > LARGEST || !g_file_get_contents (path, &data, &length, NULL))
    return NULL;
  PareStatistics *statistics = pare_statistics_from_bytes (data, length, key, &error);
  if (statistics == NULL)
    {
      g_info ("%s: %s; measured again", path, error->message);
      g_clear_error (&error);
    }
  else
    utime (path, NULL); /* used now: among the last to go */
  return statistics;
}

static gboolean
write_all (int fd, GBytes *bytes)
{
  gsize left;
  const guint8 *p = g_bytes_get_data (bytes, &left);
  while (left > 0)
    {
      gssize n = write (fd, p, left);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return FALSE;
      p += n;
      left -= (gsize)n;
    }
  return TRUE;
}

gboolean
pare_statistics_cache_put (const char *key, const PareStatistics *statistics, GError **error)
{
  g_autofree char *path = pare_statistics_cache_path (key), *folder = cache_folder ();
  g_autofree char *temporary = g_strdup_printf ("%s/new-%x-%x", folder, (unsigned)getpid (), g_random_int ());
  g_autoptr (GBytes) bytes = pare_statistics_to_bytes (statistics, key);
  g_mkdir_with_parents (folder, 0700);
  int fd = open (temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  gboolean fine = fd >= 0 && write_all (fd, bytes);
  int code = errno;
  /* No fsync: after a power cut the checksum tells, and the figures are measured again. */
  if (fd >= 0 && close (fd) != 0 && fine)
    {
      fine = FALSE;
      code = errno;
    }
  if (fine && rename (temporary, path) != 0)
    {
      fine = FALSE;
      code = errno;
    }
  if (!fine)
    {
      if (fd >= 0)
        g_unlink (temporary);
      g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "%s: cannot be written: %s", path, g_strerror (code));
      return FALSE;
    }
  pare_statistics_cache_trim (PARE_STATISTICS_CACHE_LIMIT);
  return TRUE;
}

/* --- the bound --- */

typedef struct
{
  char *path;
  guint64 size;
  gint64 when;
} Kept;

static void
kept_clear (gpointer data)
{
  g_free (((Kept *)data)->path);
}

static int
oldest_first (gconstpointer a, gconstpointer b)
{
  gint64 x = ((const Kept *)a)->when, y = ((const Kept *)b)->when;
  return x < y ? -1 : x > y;
}

void
pare_statistics_cache_trim (guint64 limit)
{
  g_autofree char *folder = cache_folder ();
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  g_autoptr (GArray) kept = g_array_new (FALSE, FALSE, sizeof (Kept));
  g_array_set_clear_func (kept, kept_clear);
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  guint64 total = 0;
  const char *name;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      struct stat st;
      g_autofree char *path = g_build_filename (folder, name, NULL);
      if (lstat (path, &st) != 0 || !S_ISREG (st.st_mode))
        continue;
      if (g_str_has_prefix (name, "new-") && st.st_mtime + LEFT_BEHIND_S < now)
        g_unlink (path);
      if (!g_str_has_suffix (name, ENDING))
        continue;
      Kept k = { g_steal_pointer (&path), (guint64)st.st_size, (gint64)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000 };
      total += k.size;
      g_array_append_val (kept, k);
    }
  g_array_sort (kept, oldest_first);
  for (guint i = 0; total > limit && i < kept->len; i++)
    {
      const Kept *k = &g_array_index (kept, Kept, i);
      if (g_unlink (k->path) == 0)
        total -= k->size;
    }
}

PareStatistics *
pare_statistics_cache_calibrate (const PareGraph *source, PareDataset *dataset, int threads, PareBackend backend, PareControl *control,
                                 GError **error)
{
  g_autofree char *key = pare_statistics_cache_key (source, dataset, backend);
  PareStatistics *statistics = pare_statistics_cache_get (key);
  if (statistics != NULL)
    return statistics;
  statistics = pare_calibrate (source, dataset, 0, threads, backend, control, error);
  if (statistics != NULL)
    pare_statistics_cache_put (key, statistics, NULL);
  return statistics;
}
