/* Where an inference's time goes: what each layer takes, how fast it computes and moves bytes, and which of both holds it back, by this
 * machine's measured peaks. */
#pragma once
#include "engine/cost/pare-cost.h"

/* What this machine can do at most, with so many threads. */
typedef struct
{
  char cpu[128]; /* as the system names it */
  char isa[48];  /* the instructions that were measured: of floats, of 8-bit integers */
  int threads;
  gint64 when;       /* unix seconds */
  double gflops;     /* float32 multiply-adds, two operations each */
  double int8_gops;  /* the same of 8-bit integers; 0: no instruction for it that is measured here */
  double stream_gbs; /* bytes read and written while copying what no cache holds */
} ParePeaks;

/* Measures for about half a second. Fails only when cancelled or without memory. */
gboolean pare_peaks_measure (int threads, ParePeaks *peaks, PareControl *control, GError **error);
/* What was measured before with this CPU, these instructions and so many threads, however old; FALSE: nothing (or a damaged file). */
gboolean pare_peaks_load (const char *path, int threads, ParePeaks *peaks);
/* Older than a month at `now` (unix seconds), or of a clock that has been set back: to be measured again. */
gboolean pare_peaks_are_old (const ParePeaks *peaks, gint64 now);
/* Adds to the file, which may hold those of other numbers of threads. */
gboolean pare_peaks_save (const char *path, const ParePeaks *peaks, GError **error);
/* Of the user's cache: (transfer full). */
char *pare_peaks_path (void);

typedef enum
{
  PARE_BOUND_UNKNOWN,
  PARE_BOUND_COMPUTE,
  PARE_BOUND_MEMORY
} PareBound;

typedef struct
{
  PareNodeId layer;       /* source node; PARE_NONE: reorders and the like that belong to none */
  PareNodeId inside;      /* the layer whose step computes it too; PARE_NONE: a step of its own, or none */
  gboolean timed;         /* has a step of its own: the figures below are known */
  gboolean integer;       /* multiplies integers: its rate is GOP/s */
  gboolean bf16;          /* multiplies floats of 16 bits: no peak of that is measured */
  double ms, original_ms; /* NAN: not known */
  double share;           /* of the whole */
  gint64 macs;
  guint64 bytes;   /* read and written; 0: not known */
  double gops;     /* 2 macs / time; NAN: has none */
  double gbs;      /* NAN: not known */
  PareBound bound; /* the peak that it comes closer to */
  double reach;    /* how close: share of that peak, NAN */
} PareProfileRow;

typedef struct
{
  PareProfileRow *rows; /* in the graph's order, PARE_NONE last */
  guint n_rows;
  double whole_ms;    /* of the runs that were timed by layer */
  double layers_ms;   /* of all rows */
  double between_ms;  /* whole less layers */
  double original_ms; /* all layers of the original, NAN */
  gint64 macs;
  guint64 bytes;
} PareProfile;

/**
 * pare_profile_new:
 * @graph: the source graph, whose nodes the times speak of
 * @now: timed by layer
 * @original: (nullable): of the graph as it came
 * @peaks: (nullable): not measured yet
 *
 * Returns: (transfer full): one row for each node but constants, and one for what belongs to no layer, if there is any.
 */
PareProfile *pare_profile_new (const PareGraph *graph, const PareLatency *now, const PareLatency *original, const ParePeaks *peaks);
void pare_profile_free (PareProfile *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareProfile, pare_profile_free)

/* How far two measurements of the same may lie apart, a fraction of the time: what the runs of both spread, at least 5 %. Differences within
 * it are no gain and no loss. Either may be NULL or without runs. */
double pare_latency_spread (const PareLatency *a, const PareLatency *b);

/* A head with units, one line each row, then what lies between layers and the whole; numbers have a point. (transfer full) */
char *pare_profile_to_text (const PareProfile *self, const PareGraph *graph, char separator);
