/* The open project: model, data, recipe, history and the jobs that keep the figures true. The one object the window binds to.
 * Main-thread GObject; work runs in worker threads that hand over immutable plain structs. */
#pragma once
#include <gio/gio.h>
#include "engine/compress/pare-apply.h"
#include "engine/cost/pare-profile.h"
#include "engine/evaluate/pare-evaluate.h"

G_BEGIN_DECLS
#define PARE_TYPE_SESSION (pare_session_get_type ())
G_DECLARE_FINAL_TYPE (PareSession, pare_session, PARE, SESSION, GObject)

typedef enum { PARE_ORIGIN_NONE, PARE_ORIGIN_MEASURED, PARE_ORIGIN_PROVISIONAL, PARE_ORIGIN_STALE, PARE_ORIGIN_PREDICTED } PareOrigin;

/* One point of history: a recipe and what is known of it. Immutable but for results that arrive (signal "entry-changed"). */
typedef struct {
  gint64 id, parent;           /* the original has id 1 and parent 0 */
  char *title;                 /* "Conv_57: prune 12.5 %" */
  gint64 when;                 /* unix seconds */
  PareRecipe *recipe;
  PareOrigin accuracy_origin;  double accuracy, accuracy_low, accuracy_high; guint samples; char *metric;
  gboolean has_difference;     double difference, difference_low, difference_high;
  PareOrigin size_origin;      PareSize size; gint64 macs;
  PareOrigin latency_origin;   double latency_ms, latency_p10, latency_p90; int latency_age; /* edits ago, where stale */
} PareEntry;

typedef struct { char *name; guint64 done, total; gint64 started; /* monotonic us */ gboolean cancellable; } PareJobInfo;

/* Signals (all in the main thread):
 *   "model-changed", "data-changed", "recipe-changed" (every edit, undo, redo), "size-changed", "statistics-changed" (histograms there),
 *   "evaluation-changed" (snapshot or final), "latency-changed", "history-changed" (list), "entry-changed" (gint64 id), "jobs-changed", "message" (char *severity, char *text), "saved-changed",
 *   "limits-changed" (pare-limits.h) */
PareSession *pare_session_new (void);

/* --- opening --- */
void pare_session_open_async (PareSession *self, const char *path /* .onnx, data, or .pare: told by content */, GCancellable *c, GAsyncReadyCallback cb, gpointer data);
gboolean pare_session_open_finish (PareSession *self, GAsyncResult *result, GError **error);
/* Where the project is saved continuously. Until save-as: a file in the user's data folder. */
const char *pare_session_get_project_path (PareSession *self);
/* A file that is there is replaced. The copy is made by a job; edits go on, and are in it. */
void pare_session_save_as_async (PareSession *self, const char *path, GCancellable *c, GAsyncReadyCallback cb, gpointer data);
gboolean pare_session_save_as_finish (PareSession *self, GAsyncResult *result, GError **error);
gboolean pare_session_save_as (PareSession *self, const char *path, GError **error); /* the same, waiting */
/* TRUE while the project has no name and holds nothing of a person's: then it is removed when it is closed. */
gboolean pare_session_is_untouched (PareSession *self);
/* Opening a model goes on with the unnamed project that it already has: unix seconds of that project's last edit. 0: it is a new one, or was opened by its own path. */
gint64 pare_session_get_continued (PareSession *self);
/* The open model and its data again, in a new project; the one that was open stays where it is. Ends as opening does. */
void pare_session_start_fresh_async (PareSession *self, GCancellable *c, GAsyncReadyCallback cb, gpointer data);
gboolean pare_session_is_read_only (PareSession *self);
const char *pare_session_get_save_trouble (PareSession *self);           /* why changes cannot be written just now (signal "saved-changed"); NULL: all is saved */
void pare_session_close (PareSession *self);                           /* stops jobs, waits, closes the store */

/* --- what is open (borrowed, nullable) --- */
const PareGraph *pare_session_get_graph (PareSession *self);            /* the source graph */
const PareGraph *pare_session_get_changed_graph (PareSession *self);    /* graph' of the current recipe, once applied */
const char *pare_session_get_why_not (PareSession *self);               /* why the model cannot run, NULL: it can */
PareDataset *pare_session_get_dataset (PareSession *self);
PareStatistics *pare_session_get_statistics (PareSession *self);
const PareLayerInfo *pare_session_get_layer_infos (PareSession *self, guint *n);   /* of the original, indexed as listed */
const PareLayerCost *pare_session_get_layer_cost (PareSession *self, const char *layer, gboolean original);
double pare_session_get_layer_error (PareSession *self, const char *layer);        /* weights' relative error now; NAN: not computed yet */
double pare_session_get_layer_time (PareSession *self, const char *layer, PareOrigin *origin); /* ms, NAN */
/* The layer whose time holds this one's, for one step computes both; NULL: it has its own, or nothing is measured. Borrowed. */
const char *pare_session_get_layer_holder (PareSession *self, const char *layer);

/* --- the recipe and its edits --- */
const PareRecipe *pare_session_get_recipe (PareSession *self);
/* title: what undo calls it. group: edits with the same nonzero group within one drag become one undo step. */
void pare_session_set_layers (PareSession *self, const char *const *layers, const PareLayerRecipe *change /* set fields are merged into each */, const char *title, guint group);
void pare_session_reset_layers (PareSession *self, const char *const *layers, const char *title);
/* The layers that a person looks at, and so is likely to change next: a change there is measured sooner. NULL-terminated; none: the defaults. */
void pare_session_expect_edit (PareSession *self, const char *const *layers);
/* The change of them that a pointer is over; NULL: it has gone. */
void pare_session_expect_change (PareSession *self, const PareLayerRecipe *change);
void pare_session_set_defaults (PareSession *self, const PareLayerRecipe *defaults, const char *title, guint group);
void pare_session_set_recipe (PareSession *self, PareRecipe *recipe, const char *title);
gboolean pare_session_can_undo (PareSession *self, const char **title);
gboolean pare_session_can_redo (PareSession *self, const char **title);
void pare_session_undo (PareSession *self);
void pare_session_redo (PareSession *self);

/* --- figures --- */
const PareEvaluation *pare_session_get_evaluation (PareSession *self, PareOrigin *origin);  /* of the current recipe: measured, provisional or stale */
const PareEvaluation *pare_session_get_baseline (PareSession *self);
PareSplit pare_session_get_split (PareSession *self);                   /* search by default */
void pare_session_set_split (PareSession *self, PareSplit split);
gboolean pare_session_get_size (PareSession *self, PareSize *size, PareSize *original, gint64 *macs, gint64 *original_macs);
gboolean pare_session_get_latency (PareSession *self, PareLatency *now, PareOrigin *origin, int *edits_ago, PareLatency *original);
/* Where the time goes by layer, as last measured: (transfer full), NULL: it is not. peaks: (nullable). The original's times are in it where
 * they are known. */
PareProfile *pare_session_dup_profile (PareSession *self, const ParePeaks *peaks, PareOrigin *origin, int *edits_ago);
void pare_session_measure (PareSession *self);                           /* latency of original and current, in the background */
void pare_session_evaluate (PareSession *self);                          /* goes on where a person stopped the evaluation (from its start) */

gboolean pare_session_is_stopped (PareSession *self);                    /* a person (or an error) stopped what would give the accuracy; pare_session_evaluate() goes on */

/* --- history: every recipe tried --- */
guint pare_session_get_n_entries (PareSession *self);
const PareEntry *pare_session_get_entry (PareSession *self, guint i);    /* oldest first; 0 is the original */
/* What was measured of an entry on this computer, by layer where it was: borrowed until results come or go; NULL: nothing. */
const PareLatency *pare_session_get_entry_latency (PareSession *self, gint64 id);
const PareEntry *pare_session_find_entry (PareSession *self, gint64 id);
gint64 pare_session_get_current_entry (PareSession *self);
void pare_session_go_to_entry (PareSession *self, gint64 id);            /* one undoable edit */

/* --- jobs --- */
guint pare_session_get_n_jobs (PareSession *self);
const PareJobInfo *pare_session_get_job (PareSession *self, guint i);
void pare_session_cancel_job (PareSession *self, guint i);
void pare_session_export_async (PareSession *self, const char *path, GCancellable *c, GAsyncReadyCallback cb, gpointer data); /* ONNX of the current recipe */
gboolean pare_session_export_finish (PareSession *self, GAsyncResult *result, GError **error);

/* --- layout of the window that the project remembers --- */
char *pare_session_get_ui (PareSession *self, const char *key);          /* (transfer full) (nullable) */
void pare_session_set_ui (PareSession *self, const char *key, const char *value);
G_END_DECLS
