/* A project under another name, while it goes on being written; and a look into one without opening it. */
#include "engine/project/pare-store-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PAGES_AT_ONCE 512

/* From a connection of its own, in one read transaction: what others write meanwhile neither waits for it nor gets into it. */
static sqlite3 *
snapshot (PareStore *self, GError **error)
{
  sqlite3 *db = pare_store_connect (self->path, SQLITE_OPEN_READONLY, FALSE, error);
  if (db != NULL && !pare_store_exec (self, db, "BEGIN; SELECT count(*) FROM meta", error))
    g_clear_pointer (&db, sqlite3_close);
  return db;
}

static int
copy_pages (sqlite3_backup *b, PareControl *control, GError **error)
{
  int rc;
  do
    {
      if (pare_control_check (control, error))
        return SQLITE_INTERRUPT;
      rc = sqlite3_backup_step (b, PAGES_AT_ONCE);
      int all = sqlite3_backup_pagecount (b), left = sqlite3_backup_remaining (b);
      pare_control_report (control, "saving", (guint64)MAX (all - left, 0), (guint64)MAX (all, 1));
    }
  while (rc == SQLITE_OK);
  return rc;
}

static gboolean
backup (PareStore *self, const char *to, PareControl *control, GError **error)
{
  GError *local = NULL;
  sqlite3 *from = NULL, *db = NULL;
  /* A file for reading only may lie where SQLite cannot put its index beside it: the connection that is there will do. */
  gboolean own = self->thread != NULL;
  from = own ? snapshot (self, error) : self->reader;
  db = from != NULL ? pare_store_connect (to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, FALSE, error) : NULL;
  if (!own)
    g_mutex_lock (&self->read_mutex);
  sqlite3_backup *b = db != NULL ? sqlite3_backup_init (db, "main", from, "main") : NULL;
  int rc = b != NULL ? copy_pages (b, control, &local) : db != NULL ? sqlite3_errcode (db) : SQLITE_OK;
  if (b != NULL)
    sqlite3_backup_finish (b);
  if (!own)
    g_mutex_unlock (&self->read_mutex);
  if (own)
    sqlite3_close (from);
  if (db == NULL)
    return FALSE;
  gboolean fine = rc == SQLITE_DONE;
  if (local != NULL)
    g_propagate_error (error, local);
  else if (!fine)
    pare_store_fail (error, PARE_ERROR_FILE, to, "cannot be written: %s", sqlite3_errstr (rc));
  if (sqlite3_close (db) != SQLITE_OK && fine)
    {
      pare_store_fail (error, PARE_ERROR_FILE, to, "cannot be written");
      fine = FALSE;
    }
  int fd = fine ? open (to, O_RDONLY | O_CLOEXEC) : -1;
  if (fine && (fd < 0 || fsync (fd) != 0))
    {
      pare_store_fail (error, PARE_ERROR_FILE, to, "cannot be written: %s", g_strerror (errno));
      fine = FALSE;
    }
  if (fd >= 0)
    close (fd);
  return fine;
}

static gboolean
copy_to (PareStore *self, const char *target, PareControl *control, GError **error)
{
  struct stat st;
  g_autofree char *temporary = pare_store_temporary_beside (target);
  g_autofree char *folder = g_path_get_dirname (target);
  int lock = -1;
  if (access (folder, W_OK) != 0)
    {
      pare_store_fail (error, PARE_ERROR_FILE, target, "cannot be written: %s", g_strerror (errno));
      return FALSE;
    }
  if (stat (target, &st) == 0)
    {
      gboolean here = pare_store_is_open_here (&st);
      lock = here ? -1 : open (target, O_RDONLY | O_CLOEXEC);
      if (here || (lock >= 0 && flock (lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK))
        {
          if (lock >= 0)
            close (lock);
          pare_store_fail (error, PARE_ERROR_FILE, target, "is open as a project; choose another name");
          return FALSE;
        }
    }
  GError *local = NULL;
  gboolean fine = backup (self, temporary, control, &local);
  if (local != NULL)
    {
      /* Of the name that the person chose, not of the one that it has on the way. */
      g_autoptr (GString) text = g_string_new (local->message);
      g_string_replace (text, temporary, target, 0);
      g_set_error_literal (error, local->domain, local->code, text->str);
      g_error_free (local);
    }
  if (fine)
    {
      /* A log left beside the old file would be taken for the new one's. */
      g_autofree char *log = g_strconcat (target, "-wal", NULL), *index = g_strconcat (target, "-shm", NULL);
      g_unlink (log);
      g_unlink (index);
      fine = g_rename (temporary, target) == 0;
      if (!fine)
        pare_store_fail (error, PARE_ERROR_FILE, target, "cannot be written: %s", g_strerror (errno));
    }
  if (!fine)
    g_unlink (temporary);
  if (lock >= 0)
    close (lock);
  return fine;
}

gboolean
pare_store_copy (PareStore *self, const char *path, gboolean remember, PareControl *control, GError **error)
{
  g_autofree char *target = g_canonicalize_filename (path, NULL);
  if (!(remember ? pare_store_remember (self, error) : pare_store_flush (self, error)))
    return FALSE;
  if (copy_to (self, target, control, error))
    return TRUE;
  if (remember)
    pare_store_forget (self);
  return FALSE;
}

/* --- looking in --- */

void
pare_store_peek_clear (PareStorePeek *peek)
{
  g_clear_pointer (&peek->model_path, g_free);
  g_clear_pointer (&peek->model_sha256, g_free);
}

/* What opening a model and its data puts into a project, and what is measured: all of it can be had again. */
static gboolean
comes_by_itself (const char *key)
{
  static const char *const prefixes[] = { "model.", "data.", "ui.", "undo." };
  for (guint i = 0; i < G_N_ELEMENTS (prefixes); i++)
    if (g_str_has_prefix (key, prefixes[i]))
      return TRUE;
  return FALSE;
}

static gboolean
look (PareStore *self, sqlite3 *db, PareStorePeek *peek, GError **error)
{
  *peek = (PareStorePeek){ .plain = TRUE };
  sqlite3_stmt *s = pare_store_prepare (self, db, "SELECT key, value FROM meta", error);
  int rc;
  while (s != NULL && (rc = sqlite3_step (s)) == SQLITE_ROW)
    {
      const char *key = (const char *)sqlite3_column_text (s, 0), *value = (const char *)sqlite3_column_text (s, 1);
      if (key == NULL)
        continue;
      peek->plain = peek->plain && comes_by_itself (key);
      if (strcmp (key, "model.path") == 0 && peek->model_path == NULL)
        peek->model_path = g_strdup (value);
      else if (strcmp (key, "model.sha256") == 0 && peek->model_sha256 == NULL)
        peek->model_sha256 = g_strdup (value);
      else if (strcmp (key, "model.embedded") == 0)
        peek->serialized = g_strcmp0 (value, "serialized") == 0;
    }
  gboolean fine = s != NULL && rc == SQLITE_DONE;
  sqlite3_finalize (s);
  s = fine ? pare_store_prepare (self, db, "SELECT count(*), max(time) FROM entries", error) : NULL;
  fine = s != NULL && sqlite3_step (s) == SQLITE_ROW;
  if (fine)
    {
      peek->n_entries = (guint)sqlite3_column_int64 (s, 0);
      peek->when = sqlite3_column_int64 (s, 1);
    }
  sqlite3_finalize (s);
  peek->plain = peek->plain && peek->n_entries <= 1;
  if (!fine)
    {
      pare_store_peek_clear (peek);
      peek->plain = FALSE;
      if (error != NULL && *error == NULL)
        pare_store_fail (error, PARE_ERROR_FORMAT, self->path, "cannot be read: %s", sqlite3_errmsg (db));
    }
  return fine;
}

gboolean
pare_store_peek (const char *path, PareStorePeek *peek, GError **error)
{
  *peek = (PareStorePeek){ 0 };
  PareStore self = { .path = (char *)path };
  struct stat st;
  g_autofree char *log = g_strconcat (path, "-wal", NULL);
  if (!pare_store_sniff (path))
    {
      pare_store_fail (error, PARE_ERROR_FORMAT, path, "not a Pare project");
      return FALSE;
    }
  gboolean immutable = stat (log, &st) != 0 || st.st_size == 0;
  sqlite3 *db = pare_store_connect (path, SQLITE_OPEN_READONLY, immutable, error);
  gboolean fine = db != NULL && look (&self, db, peek, error);
  sqlite3_close (db);
  return fine;
}

gboolean
pare_store_is_plain (PareStore *self)
{
  PareStorePeek peek = { 0 };
  if (!pare_store_flush (self, NULL))
    return FALSE;
  g_mutex_lock (&self->read_mutex);
  gboolean plain = look (self, self->reader, &peek, NULL) && peek.plain;
  g_mutex_unlock (&self->read_mutex);
  pare_store_peek_clear (&peek);
  return plain;
}
