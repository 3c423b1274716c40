#include "engine/project/pare-store-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The project files that this process has open. SQLite's locks are POSIX locks: closing any other descriptor of the same file
 * would drop them, so nothing here opens a file that is in this list. */
static GMutex open_mutex;
static GArray *open_files;

typedef struct
{
  guint64 device, inode;
  int count;
} OpenFile;

static OpenFile *
find_open (guint64 device, guint64 inode)
{
  for (guint i = 0; open_files != NULL && i < open_files->len; i++)
    {
      OpenFile *f = &g_array_index (open_files, OpenFile, i);
      if (f->device == device && f->inode == inode && f->count > 0)
        return f;
    }
  return NULL;
}

/* TRUE: it was not open yet. */
static gboolean
register_file (PareStore *self, const struct stat *st)
{
  g_mutex_lock (&open_mutex);
  if (open_files == NULL)
    open_files = g_array_new (FALSE, TRUE, sizeof (OpenFile));
  OpenFile *f = find_open (st->st_dev, st->st_ino);
  gboolean first = f == NULL;
  if (first)
    {
      OpenFile new = { st->st_dev, st->st_ino, 1 };
      g_array_append_val (open_files, new);
    }
  else
    f->count++;
  g_mutex_unlock (&open_mutex);
  self->device = st->st_dev;
  self->inode = st->st_ino;
  self->registered = TRUE;
  return first;
}

static void
unregister_file (PareStore *self)
{
  if (!self->registered)
    return;
  g_mutex_lock (&open_mutex);
  OpenFile *f = find_open (self->device, self->inode);
  if (f != NULL && --f->count == 0)
    g_array_remove_index_fast (open_files, (guint)(f - (OpenFile *)(void *)open_files->data));
  if (open_files->len == 0)
    g_clear_pointer (&open_files, g_array_unref);
  g_mutex_unlock (&open_mutex);
  self->registered = FALSE;
}

gboolean
pare_store_is_open_here (const struct stat *st)
{
  g_mutex_lock (&open_mutex);
  gboolean open = find_open (st->st_dev, st->st_ino) != NULL;
  g_mutex_unlock (&open_mutex);
  return open;
}

gboolean
pare_store_sniff (const char *path)
{
  struct stat st;
  guint8 h[100];
  if (stat (path, &st) != 0 || !S_ISREG (st.st_mode))
    return FALSE;
  if (pare_store_is_open_here (&st))
    return TRUE;
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  gboolean ours
      = fd >= 0 && pread (fd, h, sizeof h, 0) == sizeof h && memcmp (h, "SQLite format 3", 16) == 0 && memcmp (h + 68, "PARE", 4) == 0;
  if (fd >= 0)
    close (fd);
  return ours;
}

sqlite3 *
pare_store_connect (const char *path, int flags, gboolean immutable, GError **error)
{
  sqlite3 *db = NULL;
  g_autofree char *absolute = g_canonicalize_filename (path, NULL);
  g_autofree char *escaped = g_uri_escape_string (absolute, "/", FALSE);
  g_autofree char *uri = g_strdup_printf ("file://%s%s", escaped, immutable ? "?immutable=1" : "");
  int rc = sqlite3_open_v2 (uri, &db, flags | SQLITE_OPEN_URI | SQLITE_OPEN_FULLMUTEX, NULL);
  if (rc != SQLITE_OK)
    {
      pare_store_fail (error, PARE_ERROR_FILE, path, "cannot be opened: %s", db != NULL ? sqlite3_errmsg (db) : sqlite3_errstr (rc));
      sqlite3_close (db);
      return NULL;
    }
  /* Nothing in a file may run by itself or take more memory than a project needs. */
  sqlite3_db_config (db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config (db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
  sqlite3_db_config (db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
  sqlite3_db_config (db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  sqlite3_limit (db, SQLITE_LIMIT_LENGTH, 160 << 20);
  sqlite3_busy_timeout (db, 2000);
  return db;
}

sqlite3_stmt *
pare_store_prepare (PareStore *self, sqlite3 *db, const char *sql, GError **error)
{
  sqlite3_stmt *s = NULL;
  if (sqlite3_prepare_v2 (db, sql, -1, &s, NULL) == SQLITE_OK)
    return s;
  int rc = sqlite3_errcode (db);
  gboolean damaged = rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB || rc == SQLITE_ERROR;
  pare_store_fail (error, damaged ? PARE_ERROR_FORMAT : PARE_ERROR_FILE, self->path, "%s%s%s",
                   damaged ? "the project file is damaged (" : "", sqlite3_errmsg (db), damaged ? "); it was left as it is" : "");
  return NULL;
}

gboolean
pare_store_exec (PareStore *self, sqlite3 *db, const char *sql, GError **error)
{
  if (sqlite3_exec (db, sql, NULL, NULL, NULL) == SQLITE_OK)
    return TRUE;
  pare_store_fail (error, PARE_ERROR_FILE, self->path, "%s", sqlite3_errmsg (db));
  return FALSE;
}

static void
finalize (gpointer statement)
{
  sqlite3_finalize (statement);
}

static PareStore *
store_new (const char *path)
{
  PareStore *self = g_new0 (PareStore, 1);
  self->path = g_canonicalize_filename (path, NULL);
  self->lock = -1;
  self->queries = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, finalize);
  self->commands = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, finalize);
  g_mutex_init (&self->read_mutex);
  g_mutex_init (&self->trouble_mutex);
  return self;
}

void
pare_store_close (PareStore *self)
{
  if (self == NULL)
    return;
  /* The writer goes last: the last connection that leaves folds the log back into the file. */
  if (self->thread != NULL)
    pare_store_stop_writer (self);
  g_hash_table_unref (self->queries);
  g_hash_table_unref (self->commands);
  g_clear_pointer (&self->measured, g_hash_table_unref);
  sqlite3_close (self->reader);
  sqlite3_close (self->writer);
  /* While it is locked, so that nobody who opens it now goes on writing to a file without a name. */
  if (self->remove && self->lock >= 0)
    {
      g_autofree char *log = g_strconcat (self->path, "-wal", NULL), *index = g_strconcat (self->path, "-shm", NULL);
      g_unlink (self->path);
      g_unlink (log);
      g_unlink (index);
    }
  /* After SQLite, whose own locks go with any descriptor of the file. */
  if (self->lock >= 0)
    close (self->lock);
  unregister_file (self);
  g_mutex_clear (&self->read_mutex);
  g_mutex_clear (&self->trouble_mutex);
  g_free (self->path);
  g_free (self->why_read_only);
  g_free (self);
}

void
pare_store_close_and_remove (PareStore *self)
{
  if (self != NULL)
    self->remove = self->why_read_only == NULL;
  pare_store_close (self);
}

const char *
pare_store_get_path (const PareStore *self)
{
  return self->path;
}

gboolean
pare_store_is_read_only (const PareStore *self)
{
  return self->why_read_only != NULL;
}

const char *
pare_store_get_why_read_only (const PareStore *self)
{
  return self->why_read_only;
}

static gboolean
log_is_empty (const char *path)
{
  struct stat st;
  g_autofree char *log = g_strconcat (path, "-wal", NULL);
  return stat (log, &st) != 0 || st.st_size == 0;
}

/* A connection for reading. Without a log the file is whole in itself, and SQLite need not put its index file beside it. */
static sqlite3 *
connect_reader (PareStore *self, gboolean alone, GError **error)
{
  gboolean immutable = alone && log_is_empty (self->path);
  return pare_store_connect (self->path, SQLITE_OPEN_READONLY, immutable, error);
}

static gboolean
open_checked (PareStore *self, gboolean write, GError **error)
{
  struct stat st;
  if (stat (self->path, &st) != 0)
    {
      pare_store_fail (error, PARE_ERROR_FILE, self->path, "cannot be opened: %s", g_strerror (errno));
      return FALSE;
    }
  if (!S_ISREG (st.st_mode))
    {
      pare_store_fail (error, PARE_ERROR_FORMAT, self->path, "not a Pare project (no regular file)");
      return FALSE;
    }
  gboolean first = register_file (self, &st);
  gboolean locked = FALSE;
  if (!first)
    self->why_read_only = g_strdup ("the project is already open in this program");
  else
    {
      int fd = write ? open (self->path, O_RDWR | O_CLOEXEC) : -1;
      if (fd < 0)
        {
          if (write)
            self->why_read_only = g_strdup_printf ("the file cannot be written: %s", g_strerror (errno));
          fd = open (self->path, O_RDONLY | O_CLOEXEC);
        }
      if (fd < 0)
        {
          pare_store_fail (error, PARE_ERROR_FILE, self->path, "cannot be opened: %s", g_strerror (errno));
          return FALSE;
        }
      if (!pare_store_check_file (self->path, fd, error))
        {
          close (fd);
          return FALSE;
        }
      if (write && self->why_read_only == NULL)
        {
          locked = flock (fd, LOCK_EX | LOCK_NB) == 0;
          struct stat now;
          if (locked && (stat (self->path, &now) != 0 || now.st_ino != st.st_ino || now.st_dev != st.st_dev))
            {
              pare_store_fail (error, PARE_ERROR_FILE, self->path, "was removed or replaced while it was opened; try again");
              close (fd);
              return FALSE;
            }
          if (!locked)
            self->why_read_only
                = g_strdup (errno == EWOULDBLOCK ? "another process has the project open" : "the file system gives no locks");
        }
      if (locked)
        self->lock = fd;
      else
        close (fd);
    }
  if (!write && self->why_read_only == NULL)
    self->why_read_only = g_strdup ("opened for reading");

  /* Someone who writes keeps a log beside the file, so without one nobody does. */
  self->reader = connect_reader (self, first, error);
  if (self->reader == NULL || !pare_store_check_content (self, self->reader, error))
    return FALSE;
  if (!locked)
    return TRUE;
  sqlite3_close (self->reader);
  self->reader = NULL;
  self->writer = pare_store_connect (self->path, SQLITE_OPEN_READWRITE, FALSE, error);
  if (self->writer == NULL
      || !pare_store_exec (self, self->writer, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=500", error))
    return FALSE;
  self->reader = pare_store_connect (self->path, SQLITE_OPEN_READONLY, FALSE, error);
  if (self->reader == NULL || !pare_store_list_measured (self, error))
    return FALSE;
  pare_store_start_writer (self);
  return TRUE;
}

PareStore *
pare_store_open (const char *path, GError **error)
{
  PareStore *self = store_new (path);
  if (open_checked (self, TRUE, error))
    return self;
  pare_store_close (self);
  return NULL;
}

PareStore *
pare_store_open_read (const char *path, GError **error)
{
  PareStore *self = store_new (path);
  if (open_checked (self, FALSE, error))
    return self;
  pare_store_close (self);
  return NULL;
}

char *
pare_store_temporary_beside (const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *base = g_path_get_basename (path);
  return g_strdup_printf ("%s/.%s.%x-%x", folder, base, (unsigned)getpid (), g_random_int ());
}

static gboolean
build_empty (PareStore *self, const char *path, GError **error)
{
  g_autofree char *pragmas = g_strdup_printf ("PRAGMA page_size=4096; PRAGMA application_id=%d; PRAGMA user_version=%d;",
                                              PARE_STORE_APPLICATION_ID, PARE_STORE_VERSION);
  sqlite3 *db = pare_store_connect (path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, FALSE, error);
  gboolean fine = db != NULL && pare_store_exec (self, db, pragmas, error) && pare_store_exec (self, db, "BEGIN", error);
  for (guint i = 0; fine && pare_store_schema[i] != NULL; i++)
    fine = pare_store_exec (self, db, pare_store_schema[i], error);
  fine = fine && pare_store_exec (self, db, "COMMIT", error) && pare_store_exec (self, db, "PRAGMA journal_mode=WAL", error);
  sqlite3_close (db);
  return fine;
}

PareStore *
pare_store_create (const char *path, GError **error)
{
  PareStore *self = store_new (path);
  g_autofree char *temporary = pare_store_temporary_beside (self->path);
  gboolean fine = build_empty (self, temporary, error);
  /* link() refuses to replace what is there. */
  if (fine && link (temporary, self->path) != 0)
    {
      int code = errno;
      fine = FALSE;
      /* A file system without hard links: the check and the rename are not one step there. */
      if ((code == EPERM || code == EOPNOTSUPP || code == ENOSYS) && !g_file_test (self->path, G_FILE_TEST_EXISTS))
        fine = rename (temporary, self->path) == 0;
      if (!fine)
        pare_store_fail (error, PARE_ERROR_FILE, self->path, "cannot be created: %s", g_strerror (code));
    }
  g_unlink (temporary);
  if (fine && open_checked (self, TRUE, error))
    {
      if (self->why_read_only == NULL)
        return self;
      pare_store_fail (error, PARE_ERROR_FILE, self->path, "cannot be saved to: %s", self->why_read_only);
    }
  pare_store_close (self);
  return NULL;
}
