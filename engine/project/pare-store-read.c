#include "engine/project/pare-store-private.h"
#include "engine/project/pare-evaluation-codec.h"

#include <math.h>

void
pare_store_entry_free (PareStoreEntry *self)
{
  if (self == NULL)
    return;
  g_free (self->title);
  g_free (self->recipe);
  g_free (self->hash);
  g_free (self);
}

void
pare_store_step_free (PareStoreStep *self)
{
  if (self == NULL)
    return;
  g_free (self->title);
  g_free (self);
}

void
pare_store_model_free (PareStoreModel *self)
{
  if (self == NULL)
    return;
  g_free (self->path);
  g_free (self->name);
  g_free (self->sha256);
  g_free (self);
}

void
pare_store_data_free (PareStoreData *self)
{
  if (self == NULL)
    return;
  g_free (self->path);
  g_free (self->name);
  g_free (self->hash);
  g_free (self);
}

static char *
dup_text (sqlite3_stmt *row, int column)
{
  return g_strdup ((const char *)sqlite3_column_text (row, column));
}

static char *
dup_text_or_empty (sqlite3_stmt *row, int column)
{
  const char *text = (const char *)sqlite3_column_text (row, column);
  return g_strdup (text != NULL ? text : "");
}

/* NaN cannot be stored: it is NULL there. */
static double
get_real (sqlite3_stmt *row, int column)
{
  return sqlite3_column_type (row, column) == SQLITE_NULL ? NAN : sqlite3_column_double (row, column);
}

/* Begins a query on the reading connection, whose mutex is held until end_query(). */
static sqlite3_stmt *
begin_query (PareStore *self, const char *sql, GError **error)
{
  g_mutex_lock (&self->read_mutex);
  sqlite3_stmt *s = g_hash_table_lookup (self->queries, sql);
  if (s == NULL && (s = pare_store_prepare (self, self->reader, sql, error)) != NULL)
    g_hash_table_insert (self->queries, g_strdup (sql), s);
  if (s == NULL)
    g_mutex_unlock (&self->read_mutex);
  return s;
}

static void
end_query (PareStore *self, sqlite3_stmt *s)
{
  sqlite3_reset (s);
  sqlite3_clear_bindings (s);
  g_mutex_unlock (&self->read_mutex);
}

gboolean
pare_store_list_measured (PareStore *self, GError **error)
{
  g_autoptr (GHashTable) set = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  sqlite3_stmt *s
      = begin_query (self, "SELECT recipe FROM evaluations UNION SELECT recipe FROM sizes UNION SELECT recipe FROM latencies", error);
  int rc = SQLITE_DONE;
  if (s == NULL)
    return FALSE;
  while ((rc = sqlite3_step (s)) == SQLITE_ROW)
    g_hash_table_add (set, dup_text_or_empty (s, 0));
  if (rc == SQLITE_DONE)
    self->measured = g_steal_pointer (&set);
  else
    pare_store_fail (error, PARE_ERROR_FILE, self->path, "cannot be read: %s", sqlite3_errmsg (self->reader));
  end_query (self, s);
  return rc == SQLITE_DONE;
}

/* FALSE: it has no figures, which takes SQLite longer to find out than a small model's evaluation takes to begin. */
static gboolean
may_have_figures (PareStore *self, const char *recipe_hash)
{
  g_mutex_lock (&self->read_mutex);
  gboolean may = self->measured == NULL || g_hash_table_contains (self->measured, recipe_hash);
  g_mutex_unlock (&self->read_mutex);
  return may;
}

/* 1: a checked row, 0: no more, -1: error. */
static int
next_row (PareStore *self, sqlite3_stmt *s, GError **error)
{
  int rc = sqlite3_step (s);
  if (rc == SQLITE_ROW)
    return pare_store_check_row (self, s, error) ? 1 : -1;
  if (rc == SQLITE_DONE)
    return 0;
  pare_store_fail (error, PARE_ERROR_FILE, self->path, "cannot be read: %s", sqlite3_errmsg (self->reader));
  return -1;
}

char *
pare_store_read_meta (PareStore *self, const char *key, GError **error)
{
  char *value = NULL;
  sqlite3_stmt *s = begin_query (self, "SELECT * FROM meta WHERE key = ?", error);
  if (s == NULL)
    return NULL;
  sqlite3_bind_text (s, 1, key, -1, SQLITE_TRANSIENT);
  if (next_row (self, s, error) == 1)
    value = dup_text (s, 1);
  end_query (self, s);
  return value;
}

GHashTable *
pare_store_list_meta (PareStore *self, const char *prefix, GError **error)
{
  GHashTable *table = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  sqlite3_stmt *s = begin_query (self, "SELECT * FROM meta", error);
  int more = -1;
  while (s != NULL && (more = next_row (self, s, error)) == 1)
    {
      const char *key = (const char *)sqlite3_column_text (s, 0);
      if (key != NULL && g_str_has_prefix (key, prefix) && sqlite3_column_type (s, 1) == SQLITE_TEXT)
        g_hash_table_replace (table, g_strdup (key + strlen (prefix)), dup_text (s, 1));
    }
  if (s != NULL)
    end_query (self, s);
  if (more == 0)
    return table;
  g_hash_table_unref (table);
  return NULL;
}

PareStoreModel *
pare_store_read_model (PareStore *self, GError **error)
{
  g_autoptr (GHashTable) meta = pare_store_list_meta (self, "model.", error);
  if (meta == NULL || g_hash_table_lookup (meta, "sha256") == NULL)
    return NULL;
  PareStoreModel *model = g_new0 (PareStoreModel, 1);
  const char *size = g_hash_table_lookup (meta, "size");
  const char *embedded = g_hash_table_lookup (meta, "embedded");
  model->path = g_strdup (g_hash_table_lookup (meta, "path"));
  model->name = g_strdup (g_hash_table_lookup (meta, "name"));
  model->sha256 = g_strdup (g_hash_table_lookup (meta, "sha256"));
  model->size = size != NULL ? g_ascii_strtoll (size, NULL, 10) : 0;
  model->embedded = embedded != NULL;
  model->serialized = g_strcmp0 (embedded, "serialized") == 0;
  if (model->name == NULL)
    model->name = g_strdup ("model");
  return model;
}

GBytes *
pare_store_read_model_bytes (PareStore *self, GError **error)
{
  GBytes *bytes = NULL;
  sqlite3_stmt *s = begin_query (self, "SELECT * FROM blobs WHERE name = 'model'", error);
  if (s == NULL)
    return NULL;
  if (next_row (self, s, error) == 1)
    {
      const void *blob = sqlite3_column_blob (s, 1);
      bytes = g_bytes_new (blob, (gsize)sqlite3_column_bytes (s, 1));
    }
  end_query (self, s);
  return bytes;
}

PareStoreData *
pare_store_read_data (PareStore *self, GError **error)
{
  g_autoptr (GHashTable) meta = pare_store_list_meta (self, "data.", error);
  if (meta == NULL || g_hash_table_lookup (meta, "path") == NULL)
    return NULL;
  PareStoreData *data = g_new0 (PareStoreData, 1);
  const char *name = g_hash_table_lookup (meta, "name"), *hash = g_hash_table_lookup (meta, "hash");
  data->path = g_strdup (g_hash_table_lookup (meta, "path"));
  data->name = g_strdup (name != NULL ? name : "");
  data->hash = g_strdup (hash != NULL ? hash : "");
  return data;
}

GPtrArray *
pare_store_list_entries (PareStore *self, GError **error)
{
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_store_entry_free);
  sqlite3_stmt *s = begin_query (self, "SELECT * FROM entries ORDER BY id", error);
  int more = -1;
  while (s != NULL && (more = next_row (self, s, error)) == 1)
    {
      PareStoreEntry *entry = g_new0 (PareStoreEntry, 1);
      entry->id = sqlite3_column_int64 (s, 0);
      entry->parent = sqlite3_column_int64 (s, 1);
      entry->title = dup_text_or_empty (s, 2);
      entry->when = sqlite3_column_int64 (s, 3);
      entry->recipe = dup_text_or_empty (s, 4);
      entry->hash = dup_text_or_empty (s, 5);
      g_ptr_array_add (list, entry);
    }
  if (s != NULL)
    end_query (self, s);
  if (more == 0)
    return list;
  g_ptr_array_unref (list);
  return NULL;
}

gboolean
pare_store_read_undo (PareStore *self, GPtrArray **steps, guint *position, GError **error)
{
  GError *local = NULL;
  g_autofree char *at = pare_store_read_meta (self, "undo.position", &local);
  if (local != NULL)
    {
      g_propagate_error (error, local);
      return FALSE;
    }
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_store_step_free);
  sqlite3_stmt *s = begin_query (self, "SELECT * FROM undo ORDER BY step", error);
  int more = -1;
  while (s != NULL && (more = next_row (self, s, error)) == 1)
    {
      PareStoreStep *step = g_new0 (PareStoreStep, 1);
      step->entry = sqlite3_column_int64 (s, 1);
      step->title = dup_text_or_empty (s, 2);
      g_ptr_array_add (list, step);
    }
  if (s != NULL)
    end_query (self, s);
  if (more != 0)
    return FALSE;
  *position = at != NULL ? (guint)g_ascii_strtoull (at, NULL, 10) : 0;
  *steps = g_steal_pointer (&list);
  return TRUE;
}

PareEvaluation *
pare_store_read_evaluation (PareStore *self, const char *recipe_hash, const char *data_hash, PareSplit split, gboolean samples,
                            GError **error)
{
  g_autoptr (PareEvaluation) e = NULL;
  if (!may_have_figures (self, recipe_hash))
    return NULL;
  sqlite3_stmt *s = begin_query (self, "SELECT * FROM evaluations WHERE recipe = ? AND data = ? AND split = ?", error);
  if (s == NULL)
    return NULL;
  sqlite3_bind_text (s, 1, recipe_hash, -1, SQLITE_TRANSIENT);
  sqlite3_bind_text (s, 2, data_hash, -1, SQLITE_TRANSIENT);
  sqlite3_bind_int (s, 3, (int)split);
  gboolean fine = next_row (self, s, error) == 1;
  if (fine)
    {
      e = pare_evaluation_blank ();
      e->metric = dup_text_or_empty (s, 4);
      e->value = get_real (s, 5);
      e->low = get_real (s, 6);
      e->high = get_real (s, 7);
      e->done = (guint)sqlite3_column_int64 (s, 8);
      e->all = (guint)sqlite3_column_int64 (s, 9);
      e->top5 = get_real (s, 10);
      e->perplexity = get_real (s, 11);
      e->kl = get_real (s, 12);
      e->has_difference = sqlite3_column_int (s, 13) != 0;
      e->difference = get_real (s, 14);
      e->difference_low = get_real (s, 15);
      e->difference_high = get_real (s, 16);
      e->lost = (guint)sqlite3_column_int64 (s, 17);
      e->gained = (guint)sqlite3_column_int64 (s, 18);
      if (samples)
        {
          const void *blob = sqlite3_column_blob (s, 19);
          fine = pare_evaluation_samples_from_bytes (e, blob, (gsize)sqlite3_column_bytes (s, 19), error);
        }
    }
  end_query (self, s);
  return fine ? g_steal_pointer (&e) : NULL;
}

gboolean
pare_store_read_size (PareStore *self, const char *recipe_hash, PareSize *size, gint64 *macs, GError **error)
{
  if (!may_have_figures (self, recipe_hash))
    return FALSE;
  sqlite3_stmt *s = begin_query (self, "SELECT * FROM sizes WHERE recipe = ?", error);
  if (s == NULL)
    return FALSE;
  sqlite3_bind_text (s, 1, recipe_hash, -1, SQLITE_TRANSIENT);
  gboolean found = next_row (self, s, error) == 1;
  if (found)
    {
      size->params = sqlite3_column_int64 (s, 1);
      size->memory_bytes = sqlite3_column_int64 (s, 2);
      size->file_bytes = sqlite3_column_int64 (s, 3);
      size->packed_bytes = sqlite3_column_int64 (s, 4);
      size->download_bytes = sqlite3_column_int64 (s, 5);
      *macs = sqlite3_column_int64 (s, 6);
    }
  end_query (self, s);
  return found;
}

gboolean
pare_store_read_latency (PareStore *self, const char *recipe_hash, const char *host, PareLatency *latency, char **measured_on, gint64 *when,
                         GError **error)
{
  if (!may_have_figures (self, recipe_hash))
    return FALSE;
  sqlite3_stmt *s = begin_query (self, "SELECT * FROM latencies WHERE recipe = ?1 ORDER BY host IS ?2 DESC, time DESC LIMIT 1", error);
  if (s == NULL)
    return FALSE;
  sqlite3_bind_text (s, 1, recipe_hash, -1, SQLITE_TRANSIENT);
  sqlite3_bind_text (s, 2, host, -1, SQLITE_TRANSIENT);
  gboolean found = next_row (self, s, error) == 1;
  if (found)
    {
      *latency = (PareLatency){ 0 };
      if (measured_on != NULL)
        *measured_on = dup_text_or_empty (s, 1);
      if (when != NULL)
        *when = sqlite3_column_int64 (s, 3);
      latency->median_ms = get_real (s, 4);
      latency->p10_ms = get_real (s, 5);
      latency->p90_ms = get_real (s, 6);
      latency->repeats = (guint)sqlite3_column_int64 (s, 7);
      latency->peak_rss_bytes = (guint64)sqlite3_column_int64 (s, 8);
      const void *blob = sqlite3_column_blob (s, 9);
      if (blob != NULL)
        pare_latency_layers_from_bytes (latency, blob, (gsize)sqlite3_column_bytes (s, 9), NULL);
    }
  end_query (self, s);
  return found;
}
