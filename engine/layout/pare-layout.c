/* Layered drawing with nested groups.
 *
 * DESIGN: every group is drawn by itself, innermost first, with ports where edges of one source cross its frame; its parent then sees
 * a box. So members are contiguous, frames are tight, and unfolding a group does not touch the inside of others. Each level goes
 * through the passes of pare-layout-private.h: break cycles, rank, chains, order, place, route. Last, the pieces of each edge's route are
 * put together in the coordinates of the whole. */
#include "engine/layout/pare-layout-private.h"
#include "engine/base/pare-error.h"

#include <math.h>
#include <string.h>

enum
{
  PIECE_NODE,
  PIECE_GROUP,
  PIECE_OUT
};

typedef struct
{
  gint64 key;
  const PareLevel *level;
  const PareTarget *target;
  gboolean reversed;
} Piece;

typedef struct
{
  const PareLayoutInput *in;
  PareLevel **levels;                 /* n_groups + 1; the last is the root */
  GHashTable **ports_in, **ports_out; /* of each group: source node -> vertex + 1 */
  guint32 *node_vertex, *group_vertex;
  gint32 *depth;
  guint *bottom_up; /* groups, children before parents */
  GArray *pieces;
  GHashTable *piece_of;
} Work;

static inline PareLevel *
level_of (const Work *w, gint32 group)
{
  return w->levels[group < 0 ? w->in->n_groups : (guint)group];
}

static gint64
piece_key (guint32 source, int kind, guint32 index)
{
  return ((gint64)source << 33) | ((gint64)index << 2) | kind;
}

static gboolean
check (const PareLayoutInput *in, GError **error)
{
  const char *what = NULL;
  guint at = 0;
  if (in->n_nodes > G_MAXINT32 / 4 || in->n_groups > G_MAXINT32 / 4)
    what = "too many nodes";
  for (guint i = 0; i < in->n_nodes && what == NULL; i++, at = i)
    {
      const PareLayoutNode *n = &in->nodes[i];
      if (!(n->width > 0 && n->width < 1e6 && n->height > 0 && n->height < 1e6))
        what = "node without a usable size";
      else if (n->parent < -1 || n->parent >= (gint64)in->n_groups)
        what = "node in a group that is not there";
      if (what != NULL)
        break;
    }
  for (guint i = 0; i < in->n_edges && what == NULL; i++)
    if (in->edges[i].from >= in->n_nodes || in->edges[i].to >= in->n_nodes)
      {
        what = "edge with an end that is not there";
        at = i;
      }
  for (guint i = 0; i < in->n_groups && what == NULL; i++)
    {
      const PareLayoutGroup *g = &in->groups[i];
      at = i;
      if (g->parent < -1 || g->parent >= (gint64)in->n_groups)
        what = "group in a group that is not there";
      else if (!(g->header >= 0 && g->header < 1e5 && g->padding >= 0 && g->padding < 1e5))
        what = "group without a usable frame";
    }
  if (what == NULL && !(in->rank_gap >= 0 && in->rank_gap < 1e5 && in->column_gap >= 0 && in->column_gap < 1e5))
    what = "unusable gaps";
  if (what != NULL)
    g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT, "layout: %s (number %u)", what, at);
  return what == NULL;
}

/* Depths, and an order with children before parents. FALSE where groups contain each other. */
static gboolean
sort_groups (Work *w, GError **error)
{
  guint n = w->in->n_groups;
  gint32 deepest = 0;
  for (guint g = 0; g < n; g++)
    w->depth[g] = -1;
  g_autofree guint *path = g_new (guint, n + 1);
  for (guint g = 0; g < n; g++)
    {
      guint length = 0;
      gint32 at = (gint32)g;
      while (at >= 0 && w->depth[at] < 0)
        {
          w->depth[at] = 0x40000000; /* on the path */
          path[length++] = (guint)at;
          at = w->in->groups[at].parent;
        }
      if (at >= 0 && w->depth[at] == 0x40000000)
        {
          g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT, "layout: group %d contains itself", at);
          return FALSE;
        }
      gint32 depth = at < 0 ? 0 : w->depth[at] + 1;
      while (length > 0)
        {
          w->depth[path[--length]] = depth;
          deepest = MAX (deepest, depth++);
        }
    }
  guint k = 0;
  g_autofree guint *start = g_new0 (guint, (guint)deepest + 2);
  for (guint g = 0; g < n; g++)
    start[deepest - w->depth[g] + 1]++;
  for (gint32 d = 0; d <= deepest; d++)
    start[d + 1] += start[d];
  for (k = 0; k < n; k++)
    w->bottom_up[start[deepest - w->depth[k]]++] = k;
  return TRUE;
}

static guint32
add_vertex (PareLevel *level, PareVertexKind kind, guint32 index, double width, double height)
{
  PareVertex v = { .kind = kind, .index = index, .width = width, .height = height };
  g_array_append_val (level->vertices, v);
  return level->vertices->len - 1;
}

static void
make_levels (Work *w)
{
  const PareLayoutInput *in = w->in;
  for (guint g = 0; g <= in->n_groups; g++)
    {
      PareLevel *level = w->levels[g] = pare_level_new (g == in->n_groups ? -1 : (gint32)g);
      level->padding = g == in->n_groups ? in->column_gap : in->groups[g].padding;
      level->header = g == in->n_groups ? 0 : in->groups[g].header;
      level->rank_gap = in->rank_gap;
      level->column_gap = in->column_gap;
      w->ports_in[g] = g_hash_table_new (NULL, NULL);
      w->ports_out[g] = g_hash_table_new (NULL, NULL);
    }
  for (guint i = 0; i < in->n_nodes; i++)
    w->node_vertex[i] = add_vertex (level_of (w, in->nodes[i].parent), PARE_VERTEX_NODE, i, in->nodes[i].width, in->nodes[i].height);
  for (guint g = 0; g < in->n_groups; g++)
    w->group_vertex[g] = add_vertex (level_of (w, in->groups[g].parent), PARE_VERTEX_GROUP, g, 1, 1);
}

typedef struct
{
  guint32 *hyper, *hyper_stamp, *node_stamp, *in_stamp, *out_stamp;
  guint32 now;
} Stamps;

static PareHyper *
hyper_at (Work *w, Stamps *s, gint32 group, guint32 source, guint32 from)
{
  PareLevel *level = level_of (w, group);
  guint slot = group < 0 ? w->in->n_groups : (guint)group;
  if (s->hyper_stamp[slot] != s->now)
    {
      PareHyper h = { .source = source, .from = from, .targets = g_array_new (FALSE, TRUE, sizeof (PareTarget)) };
      s->hyper_stamp[slot] = s->now;
      s->hyper[slot] = level->hypers->len;
      g_array_append_val (level->hypers, h);
    }
  return PARE_H (level, s->hyper[slot]);
}

static void
add_target (PareHyper *hyper, guint32 to)
{
  PareTarget t = { .to = to };
  g_array_append_val (hyper->targets, t);
}

/* One edge: a piece out of each group around its source, one in the level that holds both ends, one into each group around its target. */
static void
add_edge (Work *w, Stamps *s, guint32 a, guint32 b)
{
  const PareLayoutInput *in = w->in;
  gint32 p = in->nodes[a].parent, q = in->nodes[b].parent;
  guint32 from = w->node_vertex[a];
  g_autoptr (GArray) down = NULL;
  gint32 pd = p < 0 ? -1 : w->depth[p], qd = q < 0 ? -1 : w->depth[q];
  gint32 lp = p, lq = q;
  while (pd > qd)
    lp = in->groups[lp].parent, pd--;
  while (qd > pd)
    lq = in->groups[lq].parent, qd--;
  while (lp != lq)
    lp = in->groups[lp].parent, lq = in->groups[lq].parent;
  for (; p != lp; p = in->groups[p].parent)
    {
      PareHyper *h = hyper_at (w, s, p, a, from);
      if (s->out_stamp[p] != s->now)
        {
          s->out_stamp[p] = s->now;
          guint32 port = add_vertex (level_of (w, p), PARE_VERTEX_OUT, a, 0, 0);
          g_hash_table_insert (w->ports_out[p], GUINT_TO_POINTER (a), GUINT_TO_POINTER (port + 1));
          add_target (h, port);
        }
      from = w->group_vertex[p];
    }
  if (q != lp)
    {
      down = g_array_new (FALSE, FALSE, sizeof (gint32));
      for (; q != lp; q = in->groups[q].parent)
        g_array_append_val (down, q);
    }
  gint32 at = lp;
  for (guint i = down != NULL ? down->len : 0; i-- > 0;)
    {
      gint32 child = g_array_index (down, gint32, i);
      PareHyper *h = hyper_at (w, s, at, a, from);
      if (s->in_stamp[child] != s->now)
        {
          s->in_stamp[child] = s->now;
          add_target (h, w->group_vertex[child]);
          guint32 port = add_vertex (level_of (w, child), PARE_VERTEX_IN, a, 0, 0);
          g_hash_table_insert (w->ports_in[child], GUINT_TO_POINTER (a), GUINT_TO_POINTER (port + 1));
        }
      from = GPOINTER_TO_UINT (g_hash_table_lookup (w->ports_in[child], GUINT_TO_POINTER (a))) - 1;
      at = child;
    }
  PareHyper *h = hyper_at (w, s, at, a, from);
  if (s->node_stamp[b] != s->now)
    {
      s->node_stamp[b] = s->now;
      add_target (h, w->node_vertex[b]);
    }
}

static void
add_edges (Work *w)
{
  const PareLayoutInput *in = w->in;
  g_autofree guint *start = g_new0 (guint, in->n_nodes + 2), *list = g_new (guint, in->n_edges + 1);
  for (guint e = 0; e < in->n_edges; e++)
    start[in->edges[e].from + 1]++;
  for (guint v = 0; v < in->n_nodes; v++)
    start[v + 1] += start[v];
  g_autofree guint *fill = g_memdup2 (start, sizeof *start * (in->n_nodes + 1));
  for (guint e = 0; e < in->n_edges; e++)
    list[fill[in->edges[e].from]++] = e;
  guint slots = in->n_groups + 1;
  g_autofree guint32 *memory = g_new0 (guint32, 4 * (gsize)slots + in->n_nodes);
  Stamps s = { memory, memory + slots, memory + 4 * (gsize)slots, memory + 2 * (gsize)slots, memory + 3 * (gsize)slots, 0 };
  for (guint32 a = 0; a < in->n_nodes; a++)
    {
      s.now++;
      for (guint k = start[a]; k < start[a + 1]; k++)
        if (in->edges[list[k]].to != a)
          add_edge (w, &s, a, in->edges[list[k]].to);
    }
}

/* x of a group's port from the group's centre. */
static double
port_offset (const Work *w, guint32 group, gboolean in, guint32 source)
{
  gpointer found = g_hash_table_lookup (in ? w->ports_in[group] : w->ports_out[group], GUINT_TO_POINTER (source));
  const PareLevel *level = w->levels[group];
  return found == NULL ? 0 : PARE_V (level, GPOINTER_TO_UINT (found) - 1)->x - level->width / 2;
}

static gboolean
run_level (Work *w, PareLevel *level, PareControl *control, GError **error)
{
  for (guint i = 0; i < level->vertices->len; i++)
    {
      PareVertex *v = PARE_V (level, i);
      if (v->kind == PARE_VERTEX_GROUP)
        {
          v->width = MAX (w->levels[v->index]->width, 1);
          v->height = MAX (w->levels[v->index]->height, 1);
        }
    }
  for (guint h = 0; h < level->hypers->len; h++)
    {
      PareHyper *hyper = PARE_H (level, h);
      const PareVertex *from = PARE_V (level, hyper->from);
      if (from->kind == PARE_VERTEX_GROUP)
        hyper->from_off = port_offset (w, from->index, FALSE, hyper->source);
      for (guint t = 0; t < hyper->targets->len; t++)
        {
          PareTarget *target = PARE_T (hyper, t);
          const PareVertex *to = PARE_V (level, target->to);
          if (to->kind == PARE_VERTEX_GROUP)
            target->to_off = port_offset (w, to->index, TRUE, hyper->source);
        }
    }
  if (pare_control_check (control, error))
    return FALSE;
  pare_level_break_cycles (level);
  if (!pare_level_rank (level, control, error))
    return FALSE;
  pare_level_make_chains (level);
  if (!pare_level_order (level, control, error) || !pare_level_place (level, control, error))
    return FALSE;
  pare_level_route (level);
  if (level->vertices->len == 0)
    level->width = 2 * level->padding + level->header;
  return TRUE;
}

static void
index_pieces (Work *w)
{
  for (guint g = 0; g <= w->in->n_groups; g++)
    {
      const PareLevel *level = w->levels[g];
      for (guint h = 0; h < level->hypers->len; h++)
        {
          const PareHyper *hyper = PARE_H (level, h);
          for (guint t = 0; t < hyper->targets->len; t++)
            {
              const PareTarget *target = PARE_T (hyper, t);
              const PareVertex *v = PARE_V (level, hyper->reversed ? hyper->from : target->to);
              int kind = v->kind == PARE_VERTEX_NODE ? PIECE_NODE : v->kind == PARE_VERTEX_GROUP ? PIECE_GROUP : PIECE_OUT;
              Piece p = { piece_key (hyper->source, kind, kind == PIECE_OUT ? g : v->index), level, target, hyper->reversed };
              g_array_append_val (w->pieces, p);
            }
        }
    }
  for (guint i = 0; i < w->pieces->len; i++)
    g_hash_table_insert (w->piece_of, &g_array_index (w->pieces, Piece, i).key, &g_array_index (w->pieces, Piece, i));
}

static void
add_point (GArray *points, guint first, double x, double y)
{
  guint n = points->len;
  double *d = (double *)(void *)points->data;
  if (n >= first + 2 && fabs (d[n - 2] - x) < 0.01 && fabs (d[n - 1] - y) < 0.01)
    return;
  if (n >= first + 4
      && ((fabs (d[n - 4] - x) < 0.01 && fabs (d[n - 2] - x) < 0.01 && (d[n - 1] - d[n - 3]) * (y - d[n - 1]) >= 0)
          || (fabs (d[n - 3] - y) < 0.01 && fabs (d[n - 1] - y) < 0.01 && (d[n - 2] - d[n - 4]) * (x - d[n - 2]) >= 0)))
    {
      d[n - 2] = x; /* straight on */
      d[n - 1] = y;
      return;
    }
  g_array_append_val (points, x);
  g_array_append_val (points, y);
}

static void
add_piece (const Work *w, GArray *points, guint first, guint32 source, int kind, guint32 index, const PareLayoutRect *frames)
{
  gint64 key = piece_key (source, kind, index);
  const Piece *p = g_hash_table_lookup (w->piece_of, &key);
  if (p == NULL)
    return;
  const double *d = (const double *)(void *)p->level->points->data + p->target->first;
  double x = 0, y = 0;
  if (p->level->group >= 0)
    x = frames[p->level->group].x, y = frames[p->level->group].y;
  for (guint i = 0; i < p->target->n; i++)
    {
      guint k = p->reversed ? p->target->n - 1 - i : i;
      add_point (points, first, d[2 * k] + x, d[2 * k + 1] + y);
    }
}

static void
route_edge (const Work *w, PareLayout *out, GArray *points, guint e)
{
  const PareLayoutInput *in = w->in;
  guint32 a = in->edges[e].from, b = in->edges[e].to;
  guint first = points->len;
  if (a == b)
    {
      const PareLayoutRect *r = &out->nodes[a];
      double right = r->x + r->width, y = r->y + r->height / 2, reach = in->column_gap / 2, quarter = r->height / 4;
      const double loop[8] = { right, y - quarter, right + reach, y - quarter, right + reach, y + quarter, right, y + quarter };
      g_array_append_vals (points, loop, 8);
    }
  else
    {
      gint32 p = in->nodes[a].parent, q = in->nodes[b].parent;
      gint32 pd = p < 0 ? -1 : w->depth[p], qd = q < 0 ? -1 : w->depth[q];
      g_autoptr (GArray) down = g_array_new (FALSE, FALSE, sizeof (gint32));
      while (p != q)
        if (pd >= qd)
          {
            add_piece (w, points, first, a, PIECE_OUT, (guint32)p, out->groups);
            p = in->groups[p].parent;
            pd--;
          }
        else
          {
            g_array_append_val (down, q);
            q = in->groups[q].parent;
            qd--;
          }
      for (guint i = down->len; i-- > 0;)
        add_piece (w, points, first, a, PIECE_GROUP, (guint32)g_array_index (down, gint32, i), out->groups);
      add_piece (w, points, first, a, PIECE_NODE, b, out->groups);
    }
  out->edges[e].first = first / 2;
  out->edges[e].n = (points->len - first) / 2;
  const double *d = (const double *)(void *)points->data;
  for (guint i = first + 2; i < points->len; i += 2)
    out->edge_length += hypot (d[i] - d[i - 2], d[i + 1] - d[i - 1]);
}

static PareLayout *
collect (Work *w)
{
  const PareLayoutInput *in = w->in;
  PareLayout *out = g_new0 (PareLayout, 1);
  out->n_nodes = in->n_nodes;
  out->n_groups = in->n_groups;
  out->n_edges = in->n_edges;
  out->nodes = g_new0 (PareLayoutRect, in->n_nodes + 1);
  out->groups = g_new0 (PareLayoutRect, in->n_groups + 1);
  out->edges = g_new0 (PareLayoutRoute, in->n_edges + 1);
  out->width = w->levels[in->n_groups]->width;
  out->height = w->levels[in->n_groups]->height;
  for (guint k = in->n_groups; k-- > 0;)
    {
      guint g = w->bottom_up[k];
      gint32 parent = in->groups[g].parent;
      const PareVertex *v = PARE_V (level_of (w, parent), w->group_vertex[g]);
      double x = parent < 0 ? 0 : out->groups[parent].x, y = parent < 0 ? 0 : out->groups[parent].y;
      out->groups[g] = (PareLayoutRect){ x + v->x - v->width / 2, y + v->y - v->height / 2, v->width, v->height };
    }
  for (guint i = 0; i < in->n_nodes; i++)
    {
      gint32 parent = in->nodes[i].parent;
      const PareVertex *v = PARE_V (level_of (w, parent), w->node_vertex[i]);
      double x = parent < 0 ? 0 : out->groups[parent].x, y = parent < 0 ? 0 : out->groups[parent].y;
      out->nodes[i] = (PareLayoutRect){ x + v->x - v->width / 2, y + v->y - v->height / 2, v->width, v->height };
    }
  for (guint g = 0; g <= in->n_groups; g++)
    out->crossings += w->levels[g]->crossings;
  index_pieces (w);
  GArray *points = g_array_new (FALSE, FALSE, sizeof (double));
  for (guint e = 0; e < in->n_edges; e++)
    route_edge (w, out, points, e);
  out->points = (double *)(void *)g_array_free (points, FALSE);
  return out;
}

/**
 * pare_layout_compute:
 * @input: sizes, groups and edges; borrowed
 * @control: (nullable): stops the work
 *
 * Draws from top to bottom. Coordinates are in the units of the sizes; 0, 0 is the top left of the drawing. Each edge's points run from the
 * border of its source to the border of its target, horizontal and vertical in turn.
 *
 * Returns: (transfer full): or NULL with %PARE_ERROR_CANCELLED or %PARE_ERROR_FORMAT
 */
PareLayout *
pare_layout_compute (const PareLayoutInput *input, PareControl *control, GError **error)
{
  if (!check (input, error))
    return NULL;
  guint n = input->n_groups;
  Work w = { .in = input };
  w.depth = g_new (gint32, n + 1);
  w.bottom_up = g_new (guint, n + 1);
  PareLayout *out = NULL;
  if (sort_groups (&w, error))
    {
      w.levels = g_new0 (PareLevel *, n + 1);
      w.ports_in = g_new0 (GHashTable *, n + 1);
      w.ports_out = g_new0 (GHashTable *, n + 1);
      w.node_vertex = g_new (guint32, input->n_nodes + 1);
      w.group_vertex = g_new (guint32, n + 1);
      w.pieces = g_array_new (FALSE, FALSE, sizeof (Piece));
      w.piece_of = g_hash_table_new (g_int64_hash, g_int64_equal);
      make_levels (&w);
      add_edges (&w);
      gboolean ok = TRUE;
      for (guint k = 0; k < n && ok; k++)
        {
          ok = run_level (&w, w.levels[w.bottom_up[k]], control, error);
          pare_control_report (control, "layout", k, n + 1);
        }
      if (ok && run_level (&w, w.levels[n], control, error))
        out = collect (&w);
      for (guint g = 0; g <= n; g++)
        {
          pare_level_free (w.levels[g]);
          g_hash_table_unref (w.ports_in[g]);
          g_hash_table_unref (w.ports_out[g]);
        }
      g_hash_table_unref (w.piece_of);
      g_array_unref (w.pieces);
      g_free (w.levels);
      g_free (w.ports_in);
      g_free (w.ports_out);
      g_free (w.node_vertex);
      g_free (w.group_vertex);
    }
  g_free (w.depth);
  g_free (w.bottom_up);
  return out;
}

void
pare_layout_free (PareLayout *self)
{
  if (self == NULL)
    return;
  g_free (self->nodes);
  g_free (self->groups);
  g_free (self->edges);
  g_free (self->points);
  g_free (self);
}
