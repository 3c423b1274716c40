/* PareSizeChart: bytes of the original and of what is left, to one scale and by part, with the budget. */
#pragma once
#include "widgets/pare-chart.h"

G_BEGIN_DECLS
#define PARE_TYPE_SIZE_CHART (pare_size_chart_get_type ())
G_DECLARE_FINAL_TYPE (PareSizeChart, pare_size_chart, PARE, SIZE_CHART, PareChart)

typedef struct
{
  const char *name;
  double original, now; /* bytes */
} PareSizePart;

GtkWidget *pare_size_chart_new (void);
/* In the model's order; copied. Totals are the parts' sums. */
void pare_size_chart_set_parts (PareSizeChart *self, const PareSizePart *parts, guint n);
void pare_size_chart_set_budget (PareSizeChart *self, double bytes);                /* NAN: none */
void pare_size_chart_set_files (PareSizeChart *self, double file, double download); /* bytes, NAN: unknown */
G_END_DECLS
