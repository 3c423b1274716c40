/* The project file: a SQLite database in WAL mode with one writer thread and one writing process.
 *
 *   main thread --queue--> writer thread --one transaction for each edit--> file <--read connection-- anyone
 *
 * Writes are queued and committed some 20 ms later; a killed process loses at most what is in the queue. Results are keyed by the recipe's hash, so that two points
 * of history with one recipe share them. Every row carries a digest of its columns: what SQLite's own check cannot see (a flipped bit in a
 * text) is seen too. Plain C, no GObject: `pare replay` reads through it. */
#pragma once
#include "engine/cost/pare-cost.h"
#include "engine/evaluate/pare-evaluate.h"

#define PARE_STORE_APPLICATION_ID 0x50415245 /* "PARE" */
#define PARE_STORE_VERSION 1
#define PARE_STORE_EMBED_LIMIT (64u << 20) /* larger models are kept by path and hash */

typedef struct _PareStore PareStore;

/* path as in the file system. `create` refuses to overwrite; the file appears whole or not at all. */
PareStore *pare_store_create (const char *path, GError **error);
/* Checks everything before anything is written: SQLite, application_id, user_version, integrity, the digest of every row. Where another process has it open or the file
 * may not be written, it opens for reading and says why in pare_store_get_why_read_only(). */
PareStore *pare_store_open (const char *path, GError **error);
/* The same checks; never writes. */
PareStore *pare_store_open_read (const char *path, GError **error);
/* Writes what is queued, then closes. */
void pare_store_close (PareStore *self);
/* Closes, and removes the file while nobody else can open it for writing. Where it is open for reading only it stays. */
void pare_store_close_and_remove (PareStore *self);
const char *pare_store_get_path (const PareStore *self);
gboolean pare_store_is_read_only (const PareStore *self);
const char *pare_store_get_why_read_only (const PareStore *self); /* (nullable) */
/* TRUE where the file begins as a project file does (SQLite with our application_id); reads 100 bytes. */
gboolean pare_store_sniff (const char *path);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareStore, pare_store_close)

/* --- what is in it --- */
typedef struct {
  char *path;        /* where the model was when it was opened (nullable) */
  char *name;        /* for titles */
  char *sha256;      /* of that file's bytes */
  gint64 size;
  gboolean embedded; /* bytes can be had */
  gboolean serialized; /* the embedded bytes are the graph written again, because its file keeps tensors outside */
} PareStoreModel;

typedef struct {
  char *path, *name, *hash;
} PareStoreData;

typedef struct {
  gint64 id, parent, when;
  char *title;
  char *recipe; /* JSON */
  char *hash;   /* pare_recipe_hash() */
} PareStoreEntry;

typedef struct {
  gint64 entry;
  char *title;
} PareStoreStep; /* of undo */

void pare_store_entry_free (PareStoreEntry *self);
void pare_store_step_free (PareStoreStep *self);
void pare_store_model_free (PareStoreModel *self);
void pare_store_data_free (PareStoreData *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareStoreModel, pare_store_model_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareStoreData, pare_store_data_free)

/* Reading, from any thread. Absent things are NULL without error. What was queued and not yet written is not seen: flush first where that matters. */
PareStoreModel *pare_store_read_model (PareStore *self, GError **error);
GBytes *pare_store_read_model_bytes (PareStore *self, GError **error);
PareStoreData *pare_store_read_data (PareStore *self, GError **error);
GPtrArray *pare_store_list_entries (PareStore *self, GError **error);                                   /* (element-type PareStoreEntry), by id */
gboolean pare_store_read_undo (PareStore *self, GPtrArray **steps, guint *position, GError **error);     /* (element-type PareStoreStep) */
char *pare_store_read_meta (PareStore *self, const char *key, GError **error);
GHashTable *pare_store_list_meta (PareStore *self, const char *prefix, GError **error);                  /* char* -> char*, prefix cut off */
/* samples: per-sample arrays too. */
PareEvaluation *pare_store_read_evaluation (PareStore *self, const char *recipe_hash, const char *data_hash, PareSplit split, gboolean samples, GError **error);
/* TRUE: found. */
gboolean pare_store_read_size (PareStore *self, const char *recipe_hash, PareSize *size, gint64 *macs, GError **error);
/* Of that host; where there is none, or host is NULL, the newest of any. `latency` is cleared by pare_latency_clear. */
gboolean pare_store_read_latency (PareStore *self, const char *recipe_hash, const char *host, PareLatency *latency, char **measured_on, gint64 *when, GError **error);

/* --- writing: queued, never blocks --- */
typedef struct {
  const PareStoreEntry *entry; /* added or replaced; NULL: none */
  const PareStoreStep *step;   /* put at `step_index`, later ones are dropped; NULL: undo's steps stay */
  guint step_index;
  guint position;              /* of undo, afterwards */
} PareStoreEdit;
/* One edit, one transaction. */
void pare_store_put_edit (PareStore *self, const PareStoreEdit *edit);
void pare_store_put_model (PareStore *self, const PareStoreModel *model, GBytes *bytes /* nullable */);
void pare_store_put_data (PareStore *self, const PareStoreData *data);
void pare_store_put_meta (PareStore *self, const char *key, const char *value /* NULL removes */);
void pare_store_put_evaluation (PareStore *self, const char *recipe_hash, const char *data_hash, PareSplit split, const PareEvaluation *evaluation, gboolean outputs);
void pare_store_put_size (PareStore *self, const char *recipe_hash, const PareSize *size, gint64 macs);
void pare_store_put_latency (PareStore *self, const char *recipe_hash, const char *host, int threads, const PareLatency *latency);

/* Called in the writer thread: text says why nothing can be written at the moment (it is kept and tried again every two seconds and at closing), NULL: all is written again. */
typedef void (*PareStoreTroubleFunc) (const char *text, gpointer data);
void pare_store_set_trouble_func (PareStore *self, PareStoreTroubleFunc func, gpointer data);
/* Waits until what was queued before is written; FALSE where it could not be. */
gboolean pare_store_flush (PareStore *self, GError **error);
/* A whole copy at `path`, by way of a temporary file and rename. An existing file is replaced, unless another process has it open as its project. Any thread; the others may
 * write on meanwhile. remember: what is written from here on waits for pare_store_hand_over() or pare_store_forget(), unless the copy fails. */
gboolean pare_store_copy (PareStore *self, const char *path, gboolean remember, PareControl *control, GError **error);
/* After a copy that remembers: `to`, which is the opened copy, is given what was written since. */
void pare_store_hand_over (PareStore *self, PareStore *to);
void pare_store_forget (PareStore *self);

/* --- without opening --- */
typedef struct {
  char *model_path, *model_sha256; /* (nullable) */
  gboolean serialized;             /* as in PareStoreModel */
  guint n_entries;
  gint64 when;                     /* of the newest entry */
  gboolean plain;                  /* nothing of a person's is in it: the original alone, and what is made from model and data */
} PareStorePeek;
/* A quick look into a project that is ours, without checking all of it; it is neither locked nor written. Any thread. */
gboolean pare_store_peek (const char *path, PareStorePeek *peek, GError **error);
void pare_store_peek_clear (PareStorePeek *peek);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PareStorePeek, pare_store_peek_clear)
/* Of a store that is open: the same `plain`, of what was written. FALSE where that cannot be said. */
gboolean pare_store_is_plain (PareStore *self);
