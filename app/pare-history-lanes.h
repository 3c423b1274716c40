#pragma once
#include <glib.h>

/* Where each point of a history tree stands in the lane column. Display-free. Rows are newest first. */
typedef struct
{
  guint lane;      /* of the point */
  guint64 through; /* bit l: a line passes the whole row in lane l */
  guint64 above;   /* bit l: a line comes from above in lane l and ends in this row's point */
  gboolean below;  /* a line leaves the point downwards in its own lane */
} PareLaneRow;

/* ids, parents: n entries, oldest first (parent 0: none). current: the entry in use; its line of ancestors gets lane 0. */
PareLaneRow *pare_history_lanes (const gint64 *ids, const gint64 *parents, guint n, gint64 current);
