/* What is looked at before a project file is trusted, and the digest that every row carries. */
#include "engine/project/pare-store-private.h"
#include "engine/base/pare-rng.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The last column of each table, `sum`, is the digest of the others. */
const char *const pare_store_schema[] = {
  "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT, sum INTEGER)",
  "CREATE TABLE blobs (name TEXT PRIMARY KEY, data BLOB, sum INTEGER)",
  "CREATE TABLE entries (id INTEGER PRIMARY KEY, parent INTEGER, title TEXT, time INTEGER, recipe TEXT, hash TEXT, sum INTEGER)",
  "CREATE TABLE undo (step INTEGER PRIMARY KEY, entry INTEGER, title TEXT, sum INTEGER)",
  "CREATE TABLE evaluations (recipe TEXT, data TEXT, split INTEGER, time INTEGER, metric TEXT, value REAL, low REAL, high REAL, done "
  "INTEGER, total INTEGER, "
  "top5 REAL, perplexity REAL, kl REAL, has_difference INTEGER, difference REAL, difference_low REAL, difference_high REAL, lost INTEGER, "
  "gained INTEGER, "
  "samples BLOB, sum INTEGER, PRIMARY KEY (recipe, data, split))",
  "CREATE TABLE sizes (recipe TEXT PRIMARY KEY, params INTEGER, memory INTEGER, file INTEGER, packed INTEGER, download INTEGER, macs "
  "INTEGER, sum INTEGER)",
  "CREATE TABLE latencies (recipe TEXT, host TEXT, threads INTEGER, time INTEGER, median_ms REAL, p10_ms REAL, p90_ms REAL, repeats "
  "INTEGER, peak_rss INTEGER, "
  "layers BLOB, sum INTEGER, PRIMARY KEY (recipe, host))",
  NULL,
};

static const char *const tables[] = { "meta", "blobs", "entries", "undo", "evaluations", "sizes", "latencies" };

void
pare_store_fail (GError **error, PareError code, const char *path, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *reason = g_strdup_vprintf (format, args);
  va_end (args);
  g_autofree char *name = g_filename_display_name (path);
  g_set_error (error, PARE_ERROR, code, "%s: %s", name, reason);
}

/* Mixes eight bytes a step: fast enough to run over every row at each opening. It guards against damage, not against forgery. */
static guint64
mix (guint64 h, const void *data, gsize n)
{
  const guint8 *p = data;
  guint64 word;
  for (; n >= 8; p += 8, n -= 8)
    {
      memcpy (&word, p, 8);
      h = pare_splitmix64 (h ^ GUINT64_FROM_LE (word));
    }
  word = 0;
  memcpy (&word, p, n);
  return pare_splitmix64 (h ^ GUINT64_FROM_LE (word) ^ ((guint64)n << 56));
}

static guint64
mix_value (guint64 h, PareCellKind kind, gint64 i, double d, const void *data, gsize n)
{
  h = pare_splitmix64 (h ^ (guint64)kind);
  switch (kind)
    {
    case PARE_CELL_INT:
      return pare_splitmix64 (h ^ (guint64)i);
    case PARE_CELL_REAL:
      {
        guint64 bits;
        memcpy (&bits, &d, sizeof bits);
        return pare_splitmix64 (h ^ bits);
      }
    case PARE_CELL_TEXT:
    case PARE_CELL_BLOB:
      return mix (pare_splitmix64 (h ^ n), data, n);
    default:
      return h;
    }
}

gint64
pare_store_digest_cells (const PareCell *cells, guint n)
{
  guint64 h = n;
  for (guint i = 0; i < n; i++)
    {
      const PareCell *c = &cells[i];
      gsize length = 0;
      const void *data = NULL;
      if (c->kind == PARE_CELL_TEXT)
        {
          data = c->text;
          length = strlen (c->text);
        }
      else if (c->kind == PARE_CELL_BLOB)
        data = g_bytes_get_data (c->blob, &length);
      h = mix_value (h, c->kind, c->i, c->d, data, length);
    }
  return (gint64)h;
}

gint64
pare_store_digest_row (sqlite3_stmt *row, int n)
{
  guint64 h = (guint64)n;
  for (int i = 0; i < n; i++)
    switch (sqlite3_column_type (row, i))
      {
      case SQLITE_INTEGER:
        h = mix_value (h, PARE_CELL_INT, sqlite3_column_int64 (row, i), 0, NULL, 0);
        break;
      case SQLITE_FLOAT:
        h = mix_value (h, PARE_CELL_REAL, 0, sqlite3_column_double (row, i), NULL, 0);
        break;
      case SQLITE_TEXT:
        {
          const void *text = sqlite3_column_text (row, i);
          h = mix_value (h, PARE_CELL_TEXT, 0, 0, text, (gsize)sqlite3_column_bytes (row, i));
          break;
        }
      case SQLITE_BLOB:
        {
          const void *blob = sqlite3_column_blob (row, i);
          h = mix_value (h, PARE_CELL_BLOB, 0, 0, blob, (gsize)sqlite3_column_bytes (row, i));
          break;
        }
      default:
        h = mix_value (h, PARE_CELL_NULL, 0, 0, NULL, 0);
        break;
      }
  return (gint64)h;
}

gboolean
pare_store_check_row (PareStore *self, sqlite3_stmt *row, GError **error)
{
  int n = sqlite3_column_count (row);
  if (n > 1 && sqlite3_column_type (row, n - 1) == SQLITE_INTEGER
      && pare_store_digest_row (row, n - 1) == sqlite3_column_int64 (row, n - 1))
    return TRUE;
  pare_store_fail (error, PARE_ERROR_FORMAT, self->path,
                   "the project file is damaged (a row does not fit its digest); it was left as it is");
  return FALSE;
}

/* Looks at the 100 bytes of the header and at the length, before SQLite sees the file. */
gboolean
pare_store_check_file (const char *path, int fd, GError **error)
{
  guint8 h[100];
  struct stat st;
  gssize n = pread (fd, h, sizeof h, 0);
  if (n < 0 || fstat (fd, &st) != 0)
    {
      pare_store_fail (error, PARE_ERROR_FILE, path, "cannot be read: %s", g_strerror (errno));
      return FALSE;
    }
  if (n < (gssize)sizeof h || memcmp (h, "SQLite format 3", 16) != 0)
    {
      pare_store_fail (error, PARE_ERROR_FORMAT, path, "not a Pare project (no SQLite database)");
      return FALSE;
    }
#define BE32(at) ((guint32)h[at] << 24 | (guint32)h[(at) + 1] << 16 | (guint32)h[(at) + 2] << 8 | h[(at) + 3])
  if (BE32 (68) != PARE_STORE_APPLICATION_ID)
    {
      pare_store_fail (error, PARE_ERROR_FORMAT, path, "not a Pare project (a SQLite database of another program)");
      return FALSE;
    }
  guint32 version = BE32 (60);
  if (version > PARE_STORE_VERSION)
    {
      pare_store_fail (error, PARE_ERROR_UNSUPPORTED, path,
                       "written by a newer Pare (format %u, this one reads up to %d); it was left as it is", version, PARE_STORE_VERSION);
      return FALSE;
    }
  guint32 page = (guint32)h[16] << 8 | h[17];
  page = page == 1 ? 65536 : page;
  if (version == 0 || page < 512 || (page & (page - 1)) != 0 || st.st_size % page != 0)
    {
      pare_store_fail (error, PARE_ERROR_FORMAT, path, "the project file is damaged or cut short; it was left as it is");
      return FALSE;
    }
#undef BE32
  return TRUE;
}

/* The tables and nothing but them: no views or triggers that would run on our statements. */
static gboolean
check_schema (PareStore *self, sqlite3 *db, GError **error)
{
  guint seen = 0;
  gboolean strange = FALSE;
  sqlite3_stmt *s = pare_store_prepare (self, db, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL", error);
  if (s == NULL)
    return FALSE;
  while (sqlite3_step (s) == SQLITE_ROW)
    {
      const char *sql = (const char *)sqlite3_column_text (s, 0);
      if (sql != NULL && g_strv_contains (pare_store_schema, sql))
        seen++;
      else
        strange = TRUE;
    }
  sqlite3_finalize (s);
  if (!strange && seen == G_N_ELEMENTS (tables))
    return TRUE;
  pare_store_fail (error, PARE_ERROR_FORMAT, self->path,
                   "the project file is damaged (its tables are not those of format %d); it was left as it is", PARE_STORE_VERSION);
  return FALSE;
}

gboolean
pare_store_check_content (PareStore *self, sqlite3 *db, GError **error)
{
  sqlite3_stmt *s = pare_store_prepare (self, db, "PRAGMA integrity_check(1)", error);
  if (s == NULL)
    return FALSE;
  int rc = sqlite3_step (s);
  const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text (s, 0) : NULL;
  gboolean fine = text != NULL && g_str_equal (text, "ok");
  if (!fine)
    {
      g_autofree char *reason = g_strdup (text != NULL ? text : sqlite3_errmsg (db));
      pare_store_fail (error, PARE_ERROR_FORMAT, self->path, "the project file is damaged (%s); it was left as it is",
                       g_strdelimit (reason, "\n", ' '));
    }
  sqlite3_finalize (s);
  if (!fine || !check_schema (self, db, error))
    return FALSE;
  for (guint t = 0; t < G_N_ELEMENTS (tables) && fine; t++)
    {
      g_autofree char *sql = g_strdup_printf ("SELECT * FROM %s", tables[t]);
      s = pare_store_prepare (self, db, sql, error);
      if (s == NULL)
        return FALSE;
      while (fine && (rc = sqlite3_step (s)) == SQLITE_ROW)
        fine = pare_store_check_row (self, s, error);
      if (fine && rc != SQLITE_DONE)
        {
          pare_store_fail (error, PARE_ERROR_FORMAT, self->path, "the project file is damaged (%s); it was left as it is",
                           sqlite3_errmsg (db));
          fine = FALSE;
        }
      sqlite3_finalize (s);
    }
  return fine;
}
