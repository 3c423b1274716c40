#include "app/pare-scatter-source.h"
#include "engine/project/pare-limits.h"

#include <math.h>

void
pare_scatter_source_update (PareScatterChart *chart, PareSession *session, PareSelection *selection)
{
  PareScatterAxis axis = pare_scatter_chart_get_axis (chart);
  guint n = pare_session_get_n_entries (session);
  gint64 current = pare_session_get_current_entry (session);
  guint n_brushed;
  const gint64 *brushed = pare_selection_get_entries (selection, &n_brushed);
  char next_tag = 'A';
  g_autoptr (GArray) points = g_array_sized_new (FALSE, TRUE, sizeof (PareScatterPoint), n);
  for (guint i = 0; i < n; i++)
    {
      const PareEntry *e = pare_session_get_entry (session, i);
      char tag = n_brushed == 2 && pare_selection_has_entry (selection, e->id) ? next_tag++ : 0;
      PareOrigin cost = axis == PARE_SCATTER_LATENCY ? e->latency_origin : e->size_origin;
      if (e->accuracy_origin == PARE_ORIGIN_NONE || e->accuracy_origin == PARE_ORIGIN_PROVISIONAL || cost == PARE_ORIGIN_NONE)
        continue;
      PareScatterPoint p = { .id = e->id,
                             .y = e->accuracy,
                             .low = e->accuracy_low,
                             .high = e->accuracy_high,
                             .label = e->title,
                             .is_original = e->parent == 0,
                             .current = e->id == current,
                             .tag = tag };
      p.x = axis == PARE_SCATTER_LATENCY ? e->latency_ms : axis == PARE_SCATTER_MACS ? (double)e->macs : (double)e->size.packed_bytes;
      p.mark = cost == PARE_ORIGIN_STALE || e->accuracy_origin == PARE_ORIGIN_STALE ? PARE_MARK_STALE : PARE_MARK_MEASURED;
      g_array_append_val (points, p);
    }
  const PareEvaluation *baseline = pare_session_get_baseline (session);
  pare_scatter_chart_set_points (chart, (const PareScatterPoint *)points->data, points->len);
  pare_scatter_chart_set_marked (chart, brushed, n_brushed == 2 ? 0 : n_brushed);
  PareLimits limits;
  pare_session_get_limits (session, &limits);
  pare_scatter_chart_set_budget (chart, axis == PARE_SCATTER_SIZE      ? limits.size_bytes
                                        : axis == PARE_SCATTER_LATENCY ? limits.latency_ms
                                                                       : NAN);
  pare_scatter_chart_set_tolerance (chart, baseline != NULL ? baseline->value : NAN, limits.tolerance_pp);
}
