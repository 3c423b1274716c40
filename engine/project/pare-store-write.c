/* The writer thread: what is queued becomes one transaction for each put, in order, a moment later. */
#include "engine/base/pare-thread.h"
#include "engine/project/pare-store-private.h"
#include "engine/project/pare-evaluation-codec.h"

#include <math.h>
#include <string.h>
#include <sys/resource.h>

#define WRITER_NICE 4 /* before what computes */
/* An edit's figures are computed first, which often takes no longer; a frame of a screen later it is written, whatever goes on. */
#define GATHER_US (20 * 1000)
#define RETRY_US (2 * G_USEC_PER_SEC)
/* After this long without a write the log is folded into the file and both reach the disk. */
#define SETTLE_US G_USEC_PER_SEC

typedef struct
{
  const char *sql;
  guint n;
  gboolean digest; /* one more parameter: the digest of the n cells */
  PareCell cells[PARE_CELLS_MAX];
} Statement;

typedef enum
{
  TASK_WRITE,
  TASK_FLUSH,
  TASK_REMEMBER,
  TASK_HAND_OVER,
  TASK_STOP
} TaskKind;

typedef struct
{
  TaskKind kind;
  GPtrArray *statements;
  const char *measured; /* recipe that it has figures of (nullable); in one of the statements */
  PareStore *to;        /* HAND_OVER: NULL forgets */
  /* FLUSH, REMEMBER, HAND_OVER: the caller waits on these */
  GMutex *mutex;
  GCond *cond;
  gboolean *answered, *fine;
  char **why;
} Task;

static void
statement_free (gpointer data)
{
  Statement *s = data;
  for (guint i = 0; i < s->n; i++)
    {
      g_free (s->cells[i].text);
      g_clear_pointer (&s->cells[i].blob, g_bytes_unref);
    }
  g_free (s);
}

static Task *
task_new (TaskKind kind)
{
  Task *task = g_new0 (Task, 1);
  task->kind = kind;
  task->statements = g_ptr_array_new_with_free_func (statement_free);
  return task;
}

static void
task_free (Task *task)
{
  g_ptr_array_unref (task->statements);
  g_free (task);
}

static Statement *
add (Task *task, const char *sql, gboolean digest)
{
  Statement *s = g_new0 (Statement, 1);
  s->sql = sql;
  s->digest = digest;
  g_ptr_array_add (task->statements, s);
  return s;
}

static void
cell_int (Statement *s, gint64 value)
{
  PareCell *c = &s->cells[s->n++];
  c->kind = PARE_CELL_INT;
  c->i = value;
}

static void
cell_real (Statement *s, double value)
{
  PareCell *c = &s->cells[s->n++];
  c->kind = isnan (value) ? PARE_CELL_NULL : PARE_CELL_REAL;
  c->d = value;
}

static void
cell_text (Statement *s, const char *value)
{
  PareCell *c = &s->cells[s->n++];
  c->kind = value != NULL ? PARE_CELL_TEXT : PARE_CELL_NULL;
  /* Anything else would come back changed, and not fit its digest. */
  c->text = value != NULL ? g_utf8_make_valid (value, -1) : NULL;
}

static void
cell_blob (Statement *s, GBytes *value)
{
  PareCell *c = &s->cells[s->n++];
  c->kind = value != NULL && g_bytes_get_size (value) > 0 ? PARE_CELL_BLOB : PARE_CELL_NULL;
  c->blob = c->kind == PARE_CELL_BLOB ? g_bytes_ref (value) : NULL;
}

/* The statement's first column: whose figures the task has. */
static void
cell_recipe (Task *task, Statement *s, const char *hash)
{
  cell_text (s, hash);
  task->measured = s->cells[0].text;
}

static int
run_statement (PareStore *self, Statement *s)
{
  sqlite3_stmt *stmt = g_hash_table_lookup (self->commands, s->sql);
  int rc = SQLITE_OK;
  if (stmt == NULL && (rc = sqlite3_prepare_v2 (self->writer, s->sql, -1, &stmt, NULL)) == SQLITE_OK)
    g_hash_table_insert (self->commands, g_strdup (s->sql), stmt);
  for (guint i = 0; rc == SQLITE_OK && i < s->n; i++)
    {
      PareCell *c = &s->cells[i];
      gsize length = 0;
      switch (c->kind)
        {
        case PARE_CELL_INT:
          rc = sqlite3_bind_int64 (stmt, (int)i + 1, c->i);
          break;
        case PARE_CELL_REAL:
          rc = sqlite3_bind_double (stmt, (int)i + 1, c->d);
          break;
        case PARE_CELL_TEXT:
          rc = sqlite3_bind_text (stmt, (int)i + 1, c->text, -1, SQLITE_STATIC);
          break;
        case PARE_CELL_BLOB:
          {
            const void *data = g_bytes_get_data (c->blob, &length);
            rc = sqlite3_bind_blob64 (stmt, (int)i + 1, data, length, SQLITE_STATIC);
            break;
          }
        default:
          rc = sqlite3_bind_null (stmt, (int)i + 1);
          break;
        }
    }
  if (rc == SQLITE_OK && s->digest)
    rc = sqlite3_bind_int64 (stmt, (int)s->n + 1, pare_store_digest_cells (s->cells, s->n));
  if (rc == SQLITE_OK)
    rc = sqlite3_step (stmt);
  if (stmt != NULL)
    {
      sqlite3_reset (stmt);
      sqlite3_clear_bindings (stmt);
    }
  return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int
run_task (PareStore *self, Task *task)
{
  sqlite3 *db = self->writer;
  int rc = sqlite3_exec (db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
  for (guint i = 0; rc == SQLITE_OK && i < task->statements->len; i++)
    rc = run_statement (self, task->statements->pdata[i]);
  if (rc == SQLITE_OK)
    rc = sqlite3_exec (db, "COMMIT", NULL, NULL, NULL);
  if (rc != SQLITE_OK && !sqlite3_get_autocommit (db))
    sqlite3_exec (db, "ROLLBACK", NULL, NULL, NULL);
  return rc;
}

static void
tell_trouble (PareStore *self, const char *text)
{
  g_mutex_lock (&self->trouble_mutex);
  if (self->trouble_func != NULL)
    self->trouble_func (text, self->trouble_data);
  g_mutex_unlock (&self->trouble_mutex);
}

static char *
describe (PareStore *self, int rc)
{
  g_autofree char *name = g_filename_display_name (self->path);
  const char *reason = rc == SQLITE_FULL    ? "the disk is full"
                       : rc == SQLITE_IOERR ? "the disk gives an error (full, or over quota?)"
                                            : sqlite3_errstr (rc);
  return g_strdup_printf ("%s: cannot be saved: %s. Changes are kept in memory and written as soon as it works", name, reason);
}

static void
answer_flush (Task *task, gboolean fine, const char *why)
{
  g_mutex_lock (task->mutex);
  *task->answered = TRUE;
  *task->fine = fine;
  *task->why = g_strdup (why);
  g_cond_signal (task->cond);
  g_mutex_unlock (task->mutex);
}

static void
push (PareStore *self, Task *task)
{
  if (self->thread != NULL)
    {
      if (task->measured != NULL)
        {
          g_mutex_lock (&self->read_mutex);
          g_hash_table_add (self->measured, g_strdup (task->measured));
          g_mutex_unlock (&self->read_mutex);
        }
      g_async_queue_push (self->queue, task);
    }
  else
    task_free (task); /* read-only: who opened it so was told */
}

typedef struct
{
  PareStore *store;
  GQueue waiting, remembered; /* Task */
  gboolean remember, unsettled;
  char *trouble; /* why nothing can be written; NULL: it can */
  gint64 due;    /* when what waits is written; 0: as soon as something comes */
} Writer;

static void
write_waiting (Writer *w)
{
  w->due = 0;
  while (!g_queue_is_empty (&w->waiting))
    {
      int rc = run_task (w->store, g_queue_peek_head (&w->waiting));
      if (rc == SQLITE_OK)
        {
          Task *written = g_queue_pop_head (&w->waiting);
          if (w->remember)
            g_queue_push_tail (&w->remembered, written);
          else
            task_free (written);
          w->unsettled = TRUE;
          continue;
        }
      g_autofree char *text = describe (w->store, rc);
      if (w->trouble == NULL)
        tell_trouble (w->store, text);
      g_free (w->trouble);
      w->trouble = g_steal_pointer (&text);
      return;
    }
  if (w->trouble != NULL)
    {
      g_clear_pointer (&w->trouble, g_free);
      tell_trouble (w->store, NULL);
    }
}

/* In order: what is written already, then what could not be written. */
static void
hand_over (Writer *w, PareStore *to)
{
  while (to != NULL && (!g_queue_is_empty (&w->remembered) || !g_queue_is_empty (&w->waiting)))
    push (to, g_queue_pop_head (g_queue_is_empty (&w->remembered) ? &w->waiting : &w->remembered));
  g_queue_clear_full (&w->remembered, (GDestroyNotify)task_free);
  w->remember = FALSE;
}

/* NULL: nothing came in time. */
static Task *
next_task (Writer *w)
{
  GAsyncQueue *queue = w->store->queue;
  if (w->due > 0)
    return g_async_queue_timeout_pop (queue, (guint64)MAX (w->due - g_get_monotonic_time (), 0));
  if (w->trouble == NULL && !w->unsettled)
    return g_async_queue_pop (queue);
  return g_async_queue_timeout_pop (queue, w->trouble != NULL ? RETRY_US : SETTLE_US);
}

static gpointer
writer_main (gpointer data)
{
  Writer w = { .store = data, .waiting = G_QUEUE_INIT, .remembered = G_QUEUE_INIT };
  gboolean stop = FALSE;
  pare_thread_give_way (MIN (19, getpriority (PRIO_PROCESS, 0) + WRITER_NICE)); /* who edits does not wait for a transaction */
  while (!stop)
    {
      Task *task = next_task (&w);
      gboolean idle = task == NULL && w.due == 0;
      if (task != NULL && task->kind == TASK_WRITE)
        {
          gint64 now = g_get_monotonic_time ();
          g_queue_push_tail (&w.waiting, g_steal_pointer (&task));
          w.due = w.due > 0 ? w.due : now + GATHER_US;
          if (now < w.due)
            continue;
        }
      write_waiting (&w);
      if (idle && w.unsettled && w.trouble == NULL)
        {
          sqlite3_wal_checkpoint_v2 (w.store->writer, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
          w.unsettled = FALSE;
        }
      if (task == NULL)
        continue;
      w.remember |= task->kind == TASK_REMEMBER && w.trouble == NULL;
      if (task->kind == TASK_HAND_OVER)
        hand_over (&w, task->to);
      if (task->kind == TASK_STOP)
        stop = TRUE;
      else
        answer_flush (task, task->kind == TASK_HAND_OVER || w.trouble == NULL, w.trouble);
      task_free (task);
    }
  g_queue_clear_full (&w.waiting, (GDestroyNotify)task_free);
  g_queue_clear_full (&w.remembered, (GDestroyNotify)task_free);
  g_free (w.trouble);
  return NULL;
}

void
pare_store_start_writer (PareStore *self)
{
  self->queue = g_async_queue_new ();
  self->thread = g_thread_new ("pare-store", writer_main, self);
}

void
pare_store_stop_writer (PareStore *self)
{
  g_async_queue_push (self->queue, task_new (TASK_STOP));
  g_thread_join (self->thread);
  self->thread = NULL;
  g_async_queue_unref (self->queue);
  self->queue = NULL;
}

void
pare_store_set_trouble_func (PareStore *self, PareStoreTroubleFunc func, gpointer data)
{
  g_mutex_lock (&self->trouble_mutex);
  self->trouble_func = func;
  self->trouble_data = data;
  g_mutex_unlock (&self->trouble_mutex);
}

/* Sends a task and waits until it is answered. */
static gboolean
ask (PareStore *self, TaskKind kind, PareStore *to, GError **error)
{
  if (self->thread == NULL)
    return TRUE;
  GMutex mutex;
  GCond cond;
  gboolean answered = FALSE, fine = FALSE;
  g_autofree char *why = NULL;
  g_mutex_init (&mutex);
  g_cond_init (&cond);
  Task *task = task_new (kind);
  task->to = to;
  task->mutex = &mutex;
  task->cond = &cond;
  task->answered = &answered;
  task->fine = &fine;
  task->why = &why;
  g_async_queue_push (self->queue, task);
  g_mutex_lock (&mutex);
  while (!answered)
    g_cond_wait (&cond, &mutex);
  g_mutex_unlock (&mutex);
  g_mutex_clear (&mutex);
  g_cond_clear (&cond);
  if (!fine)
    g_set_error_literal (error, PARE_ERROR, PARE_ERROR_FILE, why);
  return fine;
}

gboolean
pare_store_flush (PareStore *self, GError **error)
{
  return ask (self, TASK_FLUSH, NULL, error);
}

gboolean
pare_store_remember (PareStore *self, GError **error)
{
  return ask (self, TASK_REMEMBER, NULL, error);
}

void
pare_store_hand_over (PareStore *self, PareStore *to)
{
  ask (self, TASK_HAND_OVER, to, NULL);
}

void
pare_store_forget (PareStore *self)
{
  ask (self, TASK_HAND_OVER, NULL, NULL);
}

static void
add_meta (Task *task, const char *key, const char *value)
{
  Statement *s
      = add (task, value != NULL ? "INSERT OR REPLACE INTO meta VALUES (?, ?, ?)" : "DELETE FROM meta WHERE key = ?", value != NULL);
  cell_text (s, key);
  if (value != NULL)
    cell_text (s, value);
}

void
pare_store_put_meta (PareStore *self, const char *key, const char *value)
{
  Task *task = task_new (TASK_WRITE);
  add_meta (task, key, value);
  push (self, task);
}

void
pare_store_put_edit (PareStore *self, const PareStoreEdit *edit)
{
  Task *task = task_new (TASK_WRITE);
  if (edit->entry != NULL)
    {
      Statement *s = add (task, "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", TRUE);
      cell_int (s, edit->entry->id);
      cell_int (s, edit->entry->parent);
      cell_text (s, edit->entry->title);
      cell_int (s, edit->entry->when);
      cell_text (s, edit->entry->recipe);
      cell_text (s, edit->entry->hash);
    }
  if (edit->step != NULL)
    {
      Statement *s = add (task, "DELETE FROM undo WHERE step >= ?", FALSE);
      cell_int (s, edit->step_index);
      s = add (task, "INSERT INTO undo VALUES (?, ?, ?, ?)", TRUE);
      cell_int (s, edit->step_index);
      cell_int (s, edit->step->entry);
      cell_text (s, edit->step->title);
    }
  g_autofree char *position = g_strdup_printf ("%u", edit->position);
  add_meta (task, "undo.position", position);
  push (self, task);
}

void
pare_store_put_model (PareStore *self, const PareStoreModel *model, GBytes *bytes)
{
  Task *task = task_new (TASK_WRITE);
  g_autofree char *size = g_strdup_printf ("%" G_GINT64_FORMAT, model->size);
  add_meta (task, "model.path", model->path);
  add_meta (task, "model.name", model->name);
  add_meta (task, "model.sha256", model->sha256);
  add_meta (task, "model.size", size);
  add_meta (task, "model.embedded", bytes == NULL ? NULL : model->serialized ? "serialized" : "source");
  if (bytes != NULL)
    {
      Statement *s = add (task, "INSERT OR REPLACE INTO blobs VALUES (?, ?, ?)", TRUE);
      cell_text (s, "model");
      cell_blob (s, bytes);
    }
  push (self, task);
}

void
pare_store_put_data (PareStore *self, const PareStoreData *data)
{
  Task *task = task_new (TASK_WRITE);
  add_meta (task, "data.path", data->path);
  add_meta (task, "data.name", data->name);
  add_meta (task, "data.hash", data->hash);
  push (self, task);
}

void
pare_store_put_evaluation (PareStore *self, const char *recipe_hash, const char *data_hash, PareSplit split, const PareEvaluation *e,
                           gboolean outputs)
{
  Task *task = task_new (TASK_WRITE);
  g_autoptr (GBytes) samples = pare_evaluation_samples_to_bytes (e, outputs);
  Statement *s
      = add (task, "INSERT OR REPLACE INTO evaluations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", TRUE);
  cell_recipe (task, s, recipe_hash);
  cell_text (s, data_hash);
  cell_int (s, split);
  cell_int (s, g_get_real_time () / G_USEC_PER_SEC);
  cell_text (s, e->metric);
  cell_real (s, e->value);
  cell_real (s, e->low);
  cell_real (s, e->high);
  cell_int (s, e->done);
  cell_int (s, e->all);
  cell_real (s, e->top5);
  cell_real (s, e->perplexity);
  cell_real (s, e->kl);
  cell_int (s, e->has_difference);
  cell_real (s, e->difference);
  cell_real (s, e->difference_low);
  cell_real (s, e->difference_high);
  cell_int (s, e->lost);
  cell_int (s, e->gained);
  cell_blob (s, samples);
  push (self, task);
}

void
pare_store_put_size (PareStore *self, const char *recipe_hash, const PareSize *size, gint64 macs)
{
  Task *task = task_new (TASK_WRITE);
  Statement *s = add (task, "INSERT OR REPLACE INTO sizes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", TRUE);
  cell_recipe (task, s, recipe_hash);
  cell_int (s, size->params);
  cell_int (s, size->memory_bytes);
  cell_int (s, size->file_bytes);
  cell_int (s, size->packed_bytes);
  cell_int (s, size->download_bytes);
  cell_int (s, macs);
  push (self, task);
}

void
pare_store_put_latency (PareStore *self, const char *recipe_hash, const char *host, int threads, const PareLatency *latency)
{
  Task *task = task_new (TASK_WRITE);
  g_autoptr (GBytes) layers = latency->layers != NULL ? pare_latency_layers_to_bytes (latency) : NULL;
  Statement *s = add (task, "INSERT OR REPLACE INTO latencies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", TRUE);
  cell_recipe (task, s, recipe_hash);
  cell_text (s, host);
  cell_int (s, threads);
  cell_int (s, g_get_real_time () / G_USEC_PER_SEC);
  cell_real (s, latency->median_ms);
  cell_real (s, latency->p10_ms);
  cell_real (s, latency->p90_ms);
  cell_int (s, latency->repeats);
  cell_int (s, (gint64)latency->peak_rss_bytes);
  cell_blob (s, layers);
  push (self, task);
}
