#pragma once
#include <sqlite3.h>
#include <sys/stat.h>
#include "engine/base/pare-error.h"
#include "engine/project/pare-store.h"

struct _PareStore {
  char *path;
  char *why_read_only; /* NULL: may write */
  int lock;            /* descriptor that holds the flock, or -1 */
  guint64 device, inode;
  gboolean registered;
  gboolean remove;     /* the file goes when it is closed */

  GMutex read_mutex;   /* of the three that follow */
  sqlite3 *reader;
  GHashTable *queries; /* SQL -> the reader's statement: making one takes longer than running it */
  GHashTable *measured; /* set of the recipes' hashes that have figures, or are about to: most edits make a recipe that has none. NULL: others write, too */

  /* The writer's own */
  sqlite3 *writer;
  GHashTable *commands; /* SQL -> statement */
  GThread *thread;
  GAsyncQueue *queue;
  GMutex trouble_mutex;
  PareStoreTroubleFunc trouble_func;
  gpointer trouble_data;
};

/* One column's value on its way in. */
typedef enum { PARE_CELL_NULL, PARE_CELL_INT, PARE_CELL_REAL, PARE_CELL_TEXT, PARE_CELL_BLOB } PareCellKind;
typedef struct {
  PareCellKind kind;
  gint64 i;
  double d;
  char *text;
  GBytes *blob;
} PareCell;
#define PARE_CELLS_MAX 24

/* Digest over kinds and values of the first n columns: what the last column of each row holds. */
gint64 pare_store_digest_cells (const PareCell *cells, guint n);
gint64 pare_store_digest_row (sqlite3_stmt *row, int n);
gboolean pare_store_check_row (PareStore *self, sqlite3_stmt *row, GError **error);
void pare_store_fail (GError **error, PareError code, const char *path, const char *format, ...) G_GNUC_PRINTF (4, 5);
/* The statement, or NULL with error. */
sqlite3_stmt *pare_store_prepare (PareStore *self, sqlite3 *db, const char *sql, GError **error);
gboolean pare_store_exec (PareStore *self, sqlite3 *db, const char *sql, GError **error);

sqlite3 *pare_store_connect (const char *path, int flags, gboolean immutable, GError **error);
gboolean pare_store_check_file (const char *path, int fd, GError **error);
gboolean pare_store_check_content (PareStore *self, sqlite3 *db, GError **error);
extern const char *const pare_store_schema[];

/* Fills the set of recipes that have figures. */
gboolean pare_store_list_measured (PareStore *self, GError **error);
void pare_store_start_writer (PareStore *self);
void pare_store_stop_writer (PareStore *self);
/* From now on what is written is also remembered, for pare_store_hand_over(); what was queued before is written when it returns. */
gboolean pare_store_remember (PareStore *self, GError **error);
/* Is it open in this process? Then no descriptor of it may be opened and closed here: that would drop SQLite's locks. */
gboolean pare_store_is_open_here (const struct stat *st);
char *pare_store_temporary_beside (const char *path);
