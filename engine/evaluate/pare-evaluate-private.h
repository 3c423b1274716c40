/* Inside of an evaluation. */
#pragma once
#include "engine/evaluate/pare-evaluate.h"

/* Result minus baseline, by DeLong's paired variance; standard error out. NAN where one class is missing. */
double pare_stat_auc_difference (const float *score, const float *baseline, const gint32 *label, guint n, double *se);
/* Time-uniform half-width for a mean with standard error `se` after n observations. */
double pare_stat_anytime_half_width (double n, double se, double alpha);
/* Fraction of `hits` in `units` where the units of one cluster depend on each other (positions of one text). */
void pare_stat_clustered (const double *hits, const double *units, guint clusters, double *value, double *se);

/* The samples' order: a seeded shuffle of 0..n-1 (g_free). */
guint *pare_evaluate_order (guint n);
/* A sample as the program's inputs. kept holds what the views point into. */
gboolean pare_evaluate_inputs (PareProgram *program, PareDataset *dataset, PareTensor *x, GPtrArray *kept, PareView *views, GError **error);

/* What a stopped evaluation has to keep so that it can be gone on with. */
struct _PareUnfinished
{
  guint8 *finished, *top5;
  double *kl;
  guint width;
};
void pare_unfinished_free (PareUnfinished *self);

/* Room for n entries, nothing done. */
PareEvaluation *pare_evaluation_new (guint n);
/* Copies the arrays (not outputs). */
PareEvaluation *pare_evaluation_copy (const PareEvaluation *self);

/* What the arrays do not say. */
typedef struct
{
  PareTask task;
  gboolean labelled;
  const PareEvaluation *baseline;
  const guint8 *finished; /* per entry */
  const double *kl;       /* per entry, NAN: none */
  const guint8 *top5;     /* per entry */
  gboolean has_top5;
  guint n_samples; /* of units */
} PareMeasure;
/* Computes every figure from the entries that are finished. */
void pare_evaluation_measure (PareEvaluation *self, const PareMeasure *m);
