/* One level of the drawing: the members of one group (or of the root), with ports where edges pass its frame.
 *
 * Invariants:
 * 1. Edges of one source node are one hyperedge per level; their long parts share one chain of dummies.
 * 2. After the acyclic pass every target of every hyperedge can lie below its source.
 * 3. After chains, every segment joins neighbouring ranks, and order[r][pos] == v <=> rank[v] == r, pos[v] == pos.
 * 4. x and y are centres; local coordinates have the frame's top left at 0, 0. */
#pragma once
#include "engine/layout/pare-layout.h"

#define PARE_LAYOUT_NONE G_MAXUINT32

typedef enum { PARE_VERTEX_NODE, PARE_VERTEX_GROUP, PARE_VERTEX_IN, PARE_VERTEX_OUT, PARE_VERTEX_DUMMY } PareVertexKind;

typedef struct {
  PareVertexKind kind;
  guint32 index;         /* node, group, or (ports) source node; dummy: hyperedge */
  double width, height;
  double x, y;
  gint32 rank, pos;
} PareVertex;

typedef struct {
  guint32 to;            /* vertex */
  double to_off;         /* from the vertex's centre to the port */
  guint first, n;        /* its route, in level->points (pairs) */
} PareTarget;

typedef struct {
  guint32 source;        /* node where the edges come from */
  guint32 from;          /* vertex */
  double from_off;
  gboolean reversed;     /* turned round by the acyclic pass: its one target is the real source's vertex */
  GArray *targets;       /* PareTarget */
  guint32 first_dummy;   /* vertex at rank[from] + 1, following ranks follow it; n_dummies may be 0 */
  guint n_dummies;
} PareHyper;

typedef struct {
  guint32 upper, lower;
  double upper_off, lower_off;
  guint32 hyper;
  guint32 target;        /* in the hyperedge, or NONE: leads to a dummy */
  gboolean aligned;      /* drawn straight */
  gint8 side;            /* -1 enters its target from the left, 1 from the right, 0 from the top */
} PareSegment;

typedef struct {
  gint32 group;          /* -1: root */
  GArray *vertices, *hypers, *segments;
  guint n_ranks;
  guint32 **order;       /* [rank][pos] */
  guint *counts;
  guint *down_start, *down, *up_start, *up;   /* CSR: segments of a vertex */
  GArray *points;        /* double */
  double padding, header, rank_gap, column_gap;
  double width, height;  /* of the frame */
  guint crossings;
} PareLevel;

#define PARE_V(level, i) (&g_array_index ((level)->vertices, PareVertex, (i)))
#define PARE_H(level, i) (&g_array_index ((level)->hypers, PareHyper, (i)))
#define PARE_S(level, i) (&g_array_index ((level)->segments, PareSegment, (i)))
#define PARE_T(hyper, i) (&g_array_index ((hyper)->targets, PareTarget, (i)))

PareLevel *pare_level_new (gint32 group);
void pare_level_free (PareLevel *self);

/* The passes, in order. FALSE only when cancelled. */
void pare_level_break_cycles (PareLevel *self);
gboolean pare_level_rank (PareLevel *self, PareControl *control, GError **error);
void pare_level_make_chains (PareLevel *self);
gboolean pare_level_order (PareLevel *self, PareControl *control, GError **error);
gboolean pare_level_place (PareLevel *self, PareControl *control, GError **error);
void pare_level_route (PareLevel *self);

guint pare_level_count_crossings (const PareLevel *self);

/* Integer network simplex: minimises sum weight * (x[v] - x[u]) under x[v] - x[u] >= length. The constraint graph must be acyclic
 * where lengths are positive. x: starting values, feasible; the result is normalised to a minimum of 0 for each component.
 * Gansner, Koutsofios, North, Vo: A Technique for Drawing Directed Graphs (1993). */
typedef struct { guint32 from, to; gint32 length, weight; } PareSimplexEdge;
gboolean pare_simplex_solve (guint n, const PareSimplexEdge *edges, guint n_edges, gint32 *x, guint max_pivots, PareControl *control,
                             GError **error);
/* Smallest feasible values (longest path); FALSE where the constraints are cyclic. */
gboolean pare_simplex_start (guint n, const PareSimplexEdge *edges, guint n_edges, gint32 *x);
