#pragma once
#include "engine/dataset/pare-dataset.h"
#include "engine/evaluate/pare-prefix.h"
#include "engine/lower/pare-program.h"

typedef struct _PareUnfinished PareUnfinished;

/* What one model did on one split, sample by sample; everything else is computed from it. Plain data, immutable once handed over. */
typedef struct {
  gatomicrefcount refs;
  char *metric;                 /* "top1", "auc", "agreement" */
  double value, low, high;      /* fraction; 95 % interval (Wilson for fractions, DeLong or bootstrap for AUC) */
  guint done, all;              /* samples counted (next-token: positions); all of the split or limit */
  double top5;                  /* NAN where it does not apply */
  double perplexity;            /* NAN likewise */
  double kl;                    /* mean KL of the outputs from the baseline's; NAN without baseline */
  gboolean has_difference;      /* against the baseline, same samples */
  double difference, difference_low, difference_high;  /* 95 %; anytime-valid while done < all, paired normal / exact McNemar at the end */
  guint lost, gained;           /* samples whose answer became wrong / right; agreement: changed, 0 */
  guint n;                      /* entries of the arrays, in split order: samples; next-token: positions, sample after sample */
  gint32 *prediction;           /* class after class_offset; -1: not done (or, at the end, a class before label 0); anomaly: 0 once done */
  gint32 *label;                /* -1: none */
  float *confidence;            /* softmax probability of the prediction */
  guint8 *correct;
  float *score;                 /* anomaly: reconstruction error; else negative log likelihood of the label */
  float *outputs; guint n_outputs; /* [n, n_outputs] first output, kept for baselines when n * n_outputs is small (< 64 MiB), else NULL */
  guint *units;                 /* next-token: positions of each sample (they sum to n; intervals take samples as units), else NULL */
  gboolean stopped_early;       /* on purpose, with done < all: the difference's interval lies on one side of the tolerance */
  PareUnfinished *unfinished;   /* what going on needs; NULL for whole results and snapshots */
} PareEvaluation;
PareEvaluation *pare_evaluation_ref (PareEvaluation *self);
void pare_evaluation_unref (PareEvaluation *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareEvaluation, pare_evaluation_unref)

typedef struct {
  PareSplit split;
  guint limit;                       /* 0: all */
  int threads;                       /* samples in parallel; 0: default */
  PareBackend backend;
  PareProgram *program;              /* nullable: the graph as pare_evaluate_compile() makes it for these data, split and backend */
  const PareEvaluation *baseline;    /* paired comparison; needed for unlabelled data (NULL then means: this is the baseline, agreement 1) */
  /* Called from a worker at most every 50 ms, first after 20 samples (or 100 ms), with a snapshot that the callee must ref to keep. */
  void (*snapshot) (PareEvaluation *partial, gpointer data);
  gpointer data;
  ParePrefixCache *prefix;           /* nullable: begins where the model is the same as in runs before, and keeps states for the next. The figures are the same bits. */
  gboolean stop_early;               /* with a baseline: as soon as the anytime-valid interval says on which side of the tolerance the loss is */
  double tolerance;                  /* fraction that may be lost; 0.01 is one percentage point */
  const PareEvaluation *resume;      /* one that was stopped early, of the same graph, data, split, limit and baseline: only the rest is run */
} PareEvaluateOptions;

/* Runs every sample (parallel over samples, one kernel thread each) and measures. The result does not depend on `threads`. */
PareEvaluation *pare_evaluate (const PareGraph *graph, PareDataset *dataset, const PareEvaluateOptions *options, PareControl *control, GError **error);

/* Is it known on which side of -tolerance the difference lies? */
gboolean pare_evaluation_is_decided (const PareEvaluation *self, double tolerance);

/* Feeds sample i to a runner: fits shapes and dtypes, zero state for further inputs. Returns the number of runs (windows) done; visit is called after each. */
typedef gboolean (*PareVisitFunc) (PareRunner *runner, guint window, gpointer data);
gboolean pare_evaluate_feed (PareProgram *program, PareRunner *runner, PareDataset *dataset, const PareSample *sample, PareVisitFunc visit, gpointer data, PareControl *control, GError **error);
/* Compiles for the shapes that the dataset's samples have. */
PareProgram *pare_evaluate_compile (const PareGraph *graph, PareDataset *dataset, PareSplit split, const PareCompileOptions *options, GError **error);

/* Statistics, each with its source in the .c file. */
void pare_stat_wilson (double hits, double n, double *low, double *high);
void pare_stat_paired (guint n, guint lost, guint gained, double *difference, double *low, double *high);
void pare_stat_paired_anytime (guint n, guint lost, guint gained, double alpha, double *difference, double *low, double *high);
double pare_stat_mcnemar (guint lost, guint gained);
double pare_stat_auc (const float *score, const gint32 *label, guint n, double *low, double *high);
