/* PareLatencyChart: time of one inference: now (measured, predicted or stale), an older measurement where now is predicted, the original,
 * the budget. */
#pragma once
#include "widgets/pare-chart.h"

G_BEGIN_DECLS
#define PARE_TYPE_LATENCY_CHART (pare_latency_chart_get_type ())
G_DECLARE_FINAL_TYPE (PareLatencyChart, pare_latency_chart, PARE, LATENCY_CHART, PareChart)

typedef struct
{
  PareMark mark;           /* NONE: not there */
  double median, p10, p90; /* ms; p10, p90 NAN: no spread known */
  int edits_ago;           /* of a STALE one; 0: not said */
} PareLatencyBar;

GtkWidget *pare_latency_chart_new (void);
/* Each nullable. now: what the recipe takes; before: the last measurement where it is of an earlier recipe. */
void pare_latency_chart_set_bars (PareLatencyChart *self, const PareLatencyBar *now, const PareLatencyBar *before,
                                  const PareLatencyBar *original);
void pare_latency_chart_set_budget (PareLatencyChart *self, double ms);            /* NAN: none */
void pare_latency_chart_set_message (PareLatencyChart *self, const char *message); /* the last line; NULL: none */
G_END_DECLS
