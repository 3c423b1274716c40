/* How the session's files share its state. Everything here is touched in the main thread only; jobs get references to immutable things.
 *
 *   edit -> recipe, generation + 1 -> pump() -> apply -> size, layer errors
 *                                              \-> evaluate (when activations' ranges are there) -> latency -> what the next edit will need
 * What is evaluated next goes on in the thread of apply, if nothing stands in its way (start_apply). An edit that was made ahead has graph', its
 * size and its program at once (pare-session-ready.c).
 * pump() looks at what is missing and starts what may run now; it is called after every edit and every answer, so that no order of events needs a case of its own. */
#pragma once
#include "engine/project/pare-history.h"
#include "engine/project/pare-scheduler.h"
#include "engine/project/pare-session.h"
#include "engine/project/pare-store.h"
#include "engine/base/pare-error.h"

enum
{
  SIGNAL_MODEL,
  SIGNAL_DATA,
  SIGNAL_RECIPE,
  SIGNAL_SIZE,
  SIGNAL_STATISTICS,
  SIGNAL_EVALUATION,
  SIGNAL_LATENCY,
  SIGNAL_HISTORY,
  SIGNAL_ENTRY,
  SIGNAL_JOBS,
  SIGNAL_MESSAGE,
  SIGNAL_SAVED,
  SIGNAL_LIMITS,
  N_SIGNALS
};
extern guint pare_session_signals[N_SIGNALS];

/* One job at a time in each. HEAVY: what takes all cores, baseline, evaluation and latency, so that no figure disturbs another. */
enum
{
  LANE_OPEN,
  LANE_DATA,
  LANE_APPLY,
  LANE_SIZE,
  LANE_HEAVY,
  LANE_CALIBRATE,
  LANE_EXPORT,
  LANE_SAVE,
};

/* Tags of jobs in LANE_HEAVY. */
enum
{
  HEAVY_BASELINE = 1,
  HEAVY_EVALUATE,
  HEAVY_LATENCY_ORIGINAL,
  HEAVY_LATENCY_NOW,
  HEAVY_FILL, /* gives way to all others */
};

typedef enum { WORK_WANTED, WORK_DONE /* or given up: failed, stopped by the person */ } WorkState;

/* Own weights' error of a layer, and the knobs that it was computed for. */
typedef struct {
  PareLayerRecipe resolved;
  double error;
} PareLayerErrorNow;

/* A model, and what is computed from it alone. Immutable, shared with jobs. */
typedef struct {
  gatomicrefcount refs;
  PareGraph *graph;
  char *name;
  char *why_not;
  PareLayerInfo *infos;
  guint n_infos;
  GPtrArray *layers;  /* char*: those that take knobs */
  GHashTable *nodes;  /* char* layer (borrowed) -> PareNodeId */
} PareSessionModel;
PareSessionModel *pare_session_model_ref (PareSessionModel *self);
void pare_session_model_unref (PareSessionModel *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareSessionModel, pare_session_model_unref)

/* Sizes of one graph. */
typedef struct {
  gatomicrefcount refs;
  PareWeighed *weighed; /* the original's constants (nullable) */
  PareSize size;
  gint64 macs;
  GArray *layers;      /* PareLayerCost */
  GHashTable *by_name; /* char* -> PareLayerCost*, borrowed */
  GHashTable *errors;  /* char* -> PareLayerErrorNow */
} PareSessionCosts;
PareSessionCosts *pare_session_costs_ref (PareSessionCosts *self);
void pare_session_costs_unref (PareSessionCosts *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareSessionCosts, pare_session_costs_unref)

/* An edit that was made before it came (pare-session-ready.c). */
typedef struct {
  gatomicrefcount refs;
  PareRecipe *recipe;
  char *key;           /* its hash */
  PareGraph *changed;  /* graph' */
  GPtrArray *warnings; /* char* */
  PareProgram *program;
  PareSessionCosts *costs;
} PareReady;
typedef struct _PareReadySet PareReadySet;


struct _PareSession {
  GObject parent_instance;
  GMainContext *context;
  PareScheduler *scheduler;
  gboolean closed;

  /* project file */
  PareStore *store;       /* NULL: nothing is saved, project_path NULL too */
  gboolean own_file;      /* in the user's data folder, made by this session */
  char *project_path;
  char *save_trouble;     /* why nothing can be written now */
  gint64 continued;       /* unix seconds of the last edit of the project that opening a model went on with; 0: it is a new one */
  GHashTable *ui;
  GMutex trouble_mutex;   /* of the two below: the writer thread puts them there */
  char *trouble_text;
  GSource *trouble_source;

  /* model and data */
  PareSessionModel *model;
  PareDataset *dataset;
  char *data_hash;        /* of the dataset, or of the one that stored figures belong to */
  PareStatistics *statistics;
  gboolean calibrate_failed, calibrate_stopped;
  gboolean calibrate_looked;  /* not in the cache: they have to be measured */
  PareSplit split;

  /* recipe */
  PareHistory *history;
  guint64 generation;     /* one more at each change of the recipe */
  guint64 edits;          /* as a person counts them: a drag is one */

  /* graph' and its size */
  PareGraph *changed;
  guint64 changed_generation; /* 0: none */
  gboolean changed_exact;     /* with its activation quantizers */
  guint64 failed_generation;  /* apply refused the recipe */
  PareSessionCosts *costs_original, *costs;
  guint64 costs_generation;
  gboolean costs_exact, costs_given_up;
  gboolean has_size, has_size_original;
  PareSize size, size_original;
  gint64 macs, macs_original;
  PareRecipe *changed_recipe; /* what graph' was made from */
  char *changed_key;
  GHashTable *warned;         /* set of the warnings that the recipe before gave */
  gboolean told_no_ranges;

  /* accuracy */
  PareEvaluation *baseline, *evaluation;
  PareOrigin evaluation_origin;
  WorkState baseline_state, evaluation_state;
  ParePrefixCache *prefix;    /* NULL until the first evaluation */
  PareEvaluation *unfinished; /* of a drag: stopped once the tolerance was decided; gone on with when the person rests */
  char *unfinished_key;
  gint64 unfinished_left;     /* us: about what the rest of it takes */
  GArray *expected;           /* PareNodeId: layers that are likely to be changed next; NULL, empty: the defaults are */
  gboolean has_expected_change, expected_change_tried; /* tried: to make it ahead of the other moves */
  PareLayerRecipe expected_change; /* of them, that a pointer is over */
  gboolean fill_wanted;       /* states for the next change are to be kept */
  PareReadySet *ready;        /* edits of them (nullable) */
  GSource *debounce;
  GQueue known;               /* evaluations at hand, newest first */
  GHashTable *known_latencies; /* recipe key -> PareLatency, on this computer */

  /* latency */
  gboolean has_latency, has_latency_original;
  PareLatency latency, latency_original;
  PareOrigin latency_origin;
  guint64 latency_edits;      /* session->edits when it was true */
  WorkState latency_state, latency_original_state;
  guint latency_repeats;

  GQueue exports;             /* those that wait for ranges */
};

/* pare-session.c */
void pare_session_emit (PareSession *self, int signal);
void pare_session_message (PareSession *self, const char *severity, const char *format, ...) G_GNUC_PRINTF (3, 4);
PareHistoryEntry *pare_session_current (PareSession *self);

/* pare-session-open.c */
void pare_session_start_data (PareSession *self, const char *path, const char *expected_hash /* nullable */);
/* What the store has for the data and split in use: baseline, the current recipe's figures, the entries'. */
void pare_session_take_stored (PareSession *self);
/* Forgets everything that belongs to the model and its recipe. */
void pare_session_reset_work (PareSession *self);

/* pare-session-load.c */
typedef enum { PARE_OPENED_MODEL, PARE_OPENED_DATA, PARE_OPENED_PROJECT, PARE_OPENED_RECIPE, PARE_OPENED_ALREADY } PareOpenedKind;
typedef struct {
  char *severity, *text;
} PareSessionNote;
/* What a file turned out to be; made in a worker thread. */
typedef struct {
  PareOpenedKind kind;
  PareSessionModel *model;
  PareDataset *dataset;
  PareRecipe *recipe;
  PareStore *store;
  gboolean own_file;
  char *save_trouble; /* why there is no store */
  gboolean fresh;     /* the model that is open, with its data, but from the beginning */
  gint64 continued;   /* as in the session */
  PareHistory *history;
  GHashTable *ui;
  PareStoreData *data;
  PareSplit split;
  GPtrArray *notes; /* PareSessionNote */
} PareOpened;
/* fresh: a new project, also where one of this model is there. current: the project that is open (nullable). */
PareOpened *pare_session_load (const char *path, gboolean has_model, gboolean fresh, const char *current, PareControl *control, GError **error);
void pare_opened_free (PareOpened *self);

/* pare-session-save.c */
void pare_session_save_edit (PareSession *self, gboolean entry, gboolean step);
void pare_session_save_all (PareSession *self);
void pare_session_put_model (PareStore *store, const PareSessionModel *model); /* any thread */
void pare_session_connect_store (PareSession *self);
/* remove: the file goes too, where it is the session's own. */
void pare_session_close_store (PareSession *self, gboolean remove);
/* What nobody would miss: a file of our own that holds the original and nothing of a person's. Waits for the writer. */
gboolean pare_session_is_dispensable (PareSession *self);

/* pare-session-work.c */
#define EVALUATION_NICE 8 /* of what measures and reckons: the window stays smooth */
/* An edit comes within a fraction of a millisecond. */
void pare_session_expect_apply (PareSession *self);
/* The first part of it alone, for an edit that has yet to be told to everybody. */
void pare_session_pump_apply (PareSession *self);
/* TRUE: the edit has a generation, and its graph' is being made and measured, if it can be at once. Then the edit is to be told the recipe's
 * key before the main loop goes on. FALSE: nothing was begun, since something else runs that has to give way, or ranges are missing. */
gboolean pare_session_begin_edit (PareSession *self, PareRecipe *recipe);
void pare_session_name_edit (PareSession *self, const char *key);
void pare_session_pump (PareSession *self);
gboolean pare_session_recipe_needs_ranges (const PareSessionModel *model, const PareRecipe *recipe);
/* What graph' weighs, and its layers' own errors. recipe: that it was made with; NULL: it is the original. before: costs of another recipe of the
 * same model (nullable): errors of layers with the same knobs, and what the original's constants weigh, are taken over. (transfer full), NULL:
 * error. Any thread. */
PareSessionCosts *pare_session_reckon_costs (const PareSessionModel *model, const PareGraph *graph, const PareRecipe *recipe, const PareSessionCosts *before,
                                             PareControl *control, GError **error);
/* The newest costs that are known; (transfer full) (nullable). */
PareSessionCosts *pare_session_ref_costs (PareSession *self);
void pare_session_cancel_heavy (PareSession *self, int tag);

/* pare-session-results.c */
/* Known in memory, and in memory or in the store: (transfer full), NULL where not. */
PareEvaluation *pare_session_find_at_hand (PareSession *self, const char *key);
PareEvaluation *pare_session_find_evaluation (PareSession *self, const char *key);
void pare_session_keep_evaluation (PareSession *self, const char *key, PareEvaluation *evaluation, gboolean baseline);
void pare_session_drop_known (PareSession *self);
void pare_session_entry_set_evaluation (PareSession *self, const char *key, const PareEvaluation *evaluation, PareOrigin origin);
void pare_session_entry_set_size (PareSession *self, const char *key, const PareSize *size, gint64 macs, PareOrigin origin);
void pare_session_entry_set_latency (PareSession *self, const char *key, const PareLatency *latency, PareOrigin origin);
void pare_session_fill_entry (PareSession *self, PareHistoryEntry *entry);
void pare_session_fill_entries (PareSession *self);
const PareLatency *pare_session_find_latency (PareSession *self, const char *key); /* of this computer */
void pare_session_keep_latency (PareSession *self, const char *key, const PareLatency *latency);
void pare_session_show_latency (PareSession *self, const PareLatency *latency);
const char *pare_session_host (void);

/* pare-session-live.c */
ParePrefixCache *pare_session_get_prefix (PareSession *self);
void pare_session_reset_live (PareSession *self);
/* took: us, of what is done. */
void pare_session_keep_unfinished (PareSession *self, const char *key, PareEvaluation *evaluation, gint64 took);
void pare_session_forget_unfinished (PareSession *self);
PareEvaluation *pare_session_find_unfinished (PareSession *self, const char *key); /* borrowed, NULL */
/* The rest is worth measuring while a drag goes on: it is there before the next move. */
gboolean pare_session_is_nearly_finished (PareSession *self);
/* If nothing else is to be done. */
void pare_session_start_fill (PareSession *self);

/* pare-session-ready.c */
/* Edits of the recipe in use at the layers that are expected to be edited. fill: any thread; budget: bytes. */
PareReadySet *pare_ready_set_new (PareSession *self);
void pare_ready_set_fill (PareReadySet *self, guint64 budget, PareControl *control);
/* It has what a pointer rests on, and of the rest what was there; another one should follow. */
gboolean pare_ready_set_is_hurried (const PareReadySet *self);
void pare_ready_set_free (PareReadySet *self);
/* set: (transfer full) in the place of the one before. */
void pare_session_take_ready (PareSession *self, PareReadySet *set);
/* That change of the layers in hand may be made ahead, and is not yet. */
gboolean pare_session_wants_ready (PareSession *self, const PareLayerRecipe *change);
/* The edit that leads to this recipe, or to this graph', for the model, data and ranges in use; NULL. Borrowed. */
const PareReady *pare_session_find_ready (PareSession *self, const PareRecipe *recipe);
const PareReady *pare_session_find_ready_graph (PareSession *self, const PareGraph *changed);

/* pare-session-heavy.c */
void pare_session_start_baseline (PareSession *self);
/* The job that measures the recipe in use on its graph'; without graph, pare_session_pass_graph() gives it to the spec's data, and without its
 * key, pare_session_name_evaluation() to the job that runs. */
PareJobSpec pare_session_evaluation_spec (PareSession *self, PareGraph *graph /* nullable */, const char *key /* nullable */);
void pare_session_pass_graph (PareGraph *graph, gpointer evaluation);
void pare_session_name_evaluation (PareSession *self, const char *key);
void pare_session_start_latency (PareSession *self, gboolean original);
void pare_session_start_calibration (PareSession *self);
void pare_session_start_recall (PareSession *self); /* of ranges measured before */
void pare_session_start_exports (PareSession *self);
void pare_session_drop_exports (PareSession *self);
