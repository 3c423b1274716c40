/* Inside of an evaluation. */
#pragma once
#include "engine/evaluate/pare-evaluate.h"

/* Result minus baseline, by DeLong's paired variance; standard error out. NAN where one class is missing. */
double pare_stat_auc_difference (const float *score, const float *baseline, const gint32 *label, guint n, double *se);
/* Time-uniform half-width for a mean with standard error `se` after n observations. */
double pare_stat_anytime_half_width (double n, double se, double alpha);
/* Fraction of `hits` in `units` where the units of one cluster depend on each other (positions of one text). */
void pare_stat_clustered (const double *hits, const double *units, guint clusters, double *value, double *se);

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
