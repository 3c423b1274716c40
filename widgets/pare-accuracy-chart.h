/* PareAccuracyChart: the paired difference to the original over the samples counted, with its anytime interval; headline above, verdict
 * below. All differences are fractions (−0.0037 = −0.37 pp). */
#pragma once
#include "widgets/pare-chart.h"

G_BEGIN_DECLS
#define PARE_TYPE_ACCURACY_CHART (pare_accuracy_chart_get_type ())
G_DECLARE_FINAL_TYPE (PareAccuracyChart, pare_accuracy_chart, PARE, ACCURACY_CHART, PareChart)

/* What stands in the headline. NAN: not known. */
typedef struct
{
  const char *metric;      /* "top1", "auc", "agreement" ... */
  double value, low, high; /* fraction, 95 % */
  double difference, difference_low, difference_high;
  guint done, all;
  PareMark mark; /* PROVISIONAL while counting, STALE after an edit */
} PareAccuracyValue;

GtkWidget *pare_accuracy_chart_new (void);
/* The course so far, x ascending (samples); copied. */
void pare_accuracy_chart_set_points (PareAccuracyChart *self, guint n, const double *x, const double *d, const double *low,
                                     const double *high);
/* value NULL: nothing measured. */
void pare_accuracy_chart_set_value (PareAccuracyChart *self, const PareAccuracyValue *value);
void pare_accuracy_chart_set_total (PareAccuracyChart *self, guint all);
void pare_accuracy_chart_set_baseline (PareAccuracyChart *self, double value); /* the original's, NAN: unknown */
void pare_accuracy_chart_set_tolerance (PareAccuracyChart *self, double pp);   /* 1.0; NAN: none */
/* Instead of the sentence that the figures give ("Choose data to measure", "Stopped at 1 204 of 5 000"); NULL: theirs. */
void pare_accuracy_chart_set_message (PareAccuracyChart *self, const char *message);
/* Leaves so many pixels free at the end of the sentence's line, for a button that lies over it. */
void pare_accuracy_chart_set_reserved (PareAccuracyChart *self, int width);
G_END_DECLS
