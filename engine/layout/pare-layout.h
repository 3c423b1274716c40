#pragma once
#include "engine/base/pare-control.h"

/* Layered drawing (Sugiyama): sizes in, coordinates out. Knows nothing of networks. Top to bottom. */
typedef struct { double width, height; gint32 parent; /* index of the enclosing group, -1: none */ } PareLayoutNode;
typedef struct { guint32 from, to; } PareLayoutEdge;
typedef struct { gint32 parent; double header; /* height of its title bar */ double padding; } PareLayoutGroup;
typedef struct {
  const PareLayoutNode *nodes; guint n_nodes;
  const PareLayoutEdge *edges; guint n_edges;
  const PareLayoutGroup *groups; guint n_groups;
  double rank_gap, column_gap;   /* 34, 24 */
} PareLayoutInput;
typedef struct { double x, y, width, height; } PareLayoutRect;   /* x, y: top left */
typedef struct { guint first, n; } PareLayoutRoute;              /* into points */
typedef struct {
  PareLayoutRect *nodes; guint n_nodes;
  PareLayoutRect *groups; guint n_groups;
  PareLayoutRoute *edges; guint n_edges;
  double *points;                /* x, y pairs */
  double width, height;
  guint crossings; double edge_length;
} PareLayout;
/* Pure; cancellable; NULL with PARE_ERROR_CANCELLED or for edges out of range. Cycles are broken. Disconnected nodes are placed. */
PareLayout *pare_layout_compute (const PareLayoutInput *input, PareControl *control, GError **error);
void pare_layout_free (PareLayout *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareLayout, pare_layout_free)
