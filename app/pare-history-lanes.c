#include "app/pare-history-lanes.h"

#define MOST_LANES 4 /* what 62 px hold; deeper branches share the last lane */

static guint
index_of (const gint64 *ids, guint n, gint64 id)
{
  for (guint i = 0; i < n; i++)
    if (ids[i] == id)
      return i;
  return G_MAXUINT;
}

PareLaneRow *
pare_history_lanes (const gint64 *ids, const gint64 *parents, guint n, gint64 current)
{
  PareLaneRow *rows = g_new0 (PareLaneRow, MAX (n, 1));
  g_autofree guint *parent = g_new (guint, MAX (n, 1));
  g_autofree gboolean *main_line = g_new0 (gboolean, MAX (n, 1)), *continued = g_new0 (gboolean, MAX (n, 1));
  for (guint i = 0; i < n; i++)
    parent[i] = parents[i] == 0 ? G_MAXUINT : index_of (ids, i, parents[i]);
  for (guint i = index_of (ids, n, current); i < n; i = parent[i])
    main_line[i] = TRUE;
  for (guint i = 0; i < n; i++) /* parents come first */
    {
      PareLaneRow *row = &rows[n - 1 - i];
      if (main_line[i] || parent[i] >= n)
        row->lane = 0;
      else
        {
          guint lane = rows[n - 1 - parent[i]].lane;
          row->lane = lane > 0 && !continued[parent[i]] ? lane : MIN (lane + 1, MOST_LANES - 1);
          continued[parent[i]] = TRUE;
        }
    }
  for (guint i = 0; i < n; i++)
    if (parent[i] < n)
      {
        guint from = n - 1 - i, to = n - 1 - parent[i], lane = rows[from].lane;
        rows[from].below = TRUE;
        for (guint r = from + 1; r < to; r++)
          rows[r].through |= G_GUINT64_CONSTANT (1) << lane;
        rows[to].above |= G_GUINT64_CONSTANT (1) << lane;
      }
  return rows;
}
