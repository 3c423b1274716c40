/* Network simplex on integers, without recursion: a chain of 30,000 nodes must not eat the stack. */
#include "engine/layout/pare-layout-private.h"

#include <string.h>

typedef struct
{
  guint n, n_edges;
  const PareSimplexEdge *edges;
  gint32 *x;
  guint *start, *incident;           /* CSR: edges at a node, both directions */
  guint32 *tree_head, *tree_next[2]; /* linked lists of tree edges at a node; entry 2 * e + side */
  guint32 *tree_prev[2];
  gboolean *in_tree;
  gint64 *cut;
  guint32 *parent; /* tree edge towards the root */
  guint32 *low, *lim;
  guint32 *stack, *cursor;
} Simplex;

#define NIL G_MAXUINT32

static inline gint64
slack (const Simplex *s, guint e)
{
  return (gint64)s->x[s->edges[e].to] - s->x[s->edges[e].from] - s->edges[e].length;
}

static inline guint32
other (const Simplex *s, guint e, guint v)
{
  return s->edges[e].from == v ? s->edges[e].to : s->edges[e].from;
}

static void
tree_add (Simplex *s, guint e)
{
  s->in_tree[e] = TRUE;
  for (int side = 0; side < 2; side++)
    {
      guint v = side == 0 ? s->edges[e].from : s->edges[e].to;
      guint32 me = 2 * e + side, head = s->tree_head[v];
      s->tree_next[side][e] = head;
      s->tree_prev[side][e] = NIL;
      if (head != NIL)
        s->tree_prev[head & 1][head >> 1] = me;
      s->tree_head[v] = me;
    }
}

static void
tree_remove (Simplex *s, guint e)
{
  s->in_tree[e] = FALSE;
  for (int side = 0; side < 2; side++)
    {
      guint v = side == 0 ? s->edges[e].from : s->edges[e].to;
      guint32 next = s->tree_next[side][e], prev = s->tree_prev[side][e];
      if (prev != NIL)
        s->tree_next[prev & 1][prev >> 1] = next;
      else
        s->tree_head[v] = next;
      if (next != NIL)
        s->tree_prev[next & 1][next >> 1] = prev;
    }
}

/* Numbers the subtree of `root` in postorder from `first` on; returns the next free number. */
static guint32
number (Simplex *s, guint32 root, guint32 parent, guint32 first)
{
  guint depth = 0;
  s->stack[0] = root;
  s->parent[root] = parent;
  s->low[root] = first;
  s->cursor[0] = s->tree_head[root];
  guint32 next = first;
  for (;;)
    {
      guint32 v = s->stack[depth], at = s->cursor[depth];
      if (at == NIL)
        {
          s->lim[v] = next++;
          if (depth == 0)
            return next;
          depth--;
          continue;
        }
      guint e = at >> 1;
      s->cursor[depth] = s->tree_next[at & 1][e];
      if (e == s->parent[v])
        continue;
      guint32 w = other (s, e, v);
      depth++;
      s->stack[depth] = w;
      s->parent[w] = e;
      s->low[w] = next;
      s->cursor[depth] = s->tree_head[w];
    }
}

/* Grows a tree of tight edges over each component, shifting what is grown so far to the nearest neighbour when it is stuck. */
static gboolean
tight_tree (Simplex *s, PareControl *control, GError **error)
{
  guint8 *state = g_new0 (guint8, s->n);
  g_autofree guint32 *list = g_new (guint32, s->n);
  for (guint root = 0; root < s->n; root++)
    {
      if (state[root])
        continue;
      guint n_list = 0, next = 0;
      list[n_list++] = root;
      state[root] = 1;
      for (guint rounds = 0;; rounds++)
        {
          if ((rounds & 255) == 255 && pare_control_check (control, error))
            {
              g_free (state);
              return FALSE;
            }
          for (; next < n_list; next++)
            for (guint k = s->start[list[next]]; k < s->start[list[next] + 1]; k++)
              {
                guint e = s->incident[k];
                guint32 w = other (s, e, list[next]);
                if (!state[w] && slack (s, e) == 0)
                  {
                    state[w] = 1;
                    list[n_list++] = w;
                    tree_add (s, e);
                  }
              }
          gint64 best = G_MAXINT64;
          guint best_edge = NIL;
          for (guint i = 0; i < n_list; i++)
            for (guint k = s->start[list[i]]; k < s->start[list[i] + 1]; k++)
              {
                guint e = s->incident[k];
                if (!state[other (s, e, list[i])] && slack (s, e) < best)
                  {
                    best = slack (s, e);
                    best_edge = e;
                  }
              }
          if (best_edge == NIL)
            break;
          gint32 by = (gint32)(state[s->edges[best_edge].from] ? best : -best);
          for (guint i = 0; i < n_list; i++)
            s->x[list[i]] += by;
          next = 0; /* tight edges of older members may have appeared only at the border; look at all once more */
        }
    }
  g_free (state);
  return TRUE;
}

/* Cut value of the tree edge above v, all tree edges below v being known. */
static gint64
cut_value (const Simplex *s, guint32 v)
{
  guint f = s->parent[v];
  gboolean down = s->edges[f].from == v; /* the edge leaves the subtree */
  gint64 sum = 0;
  for (guint k = s->start[v]; k < s->start[v + 1]; k++)
    {
      guint e = s->incident[k];
      guint32 w = other (s, e, v);
      gint64 part;
      gboolean inside = s->low[v] <= s->lim[w] && s->lim[w] <= s->lim[v];
      gboolean same; /* e crosses the cut (or would) in f's direction */
      if (e == f)
        part = s->edges[e].weight, same = TRUE;
      else if (!inside)
        part = s->edges[e].weight, same = (s->edges[e].from == v) == down;
      else
        {
          part = (s->in_tree[e] ? s->cut[e] : 0) - s->edges[e].weight;
          same = (s->edges[e].to == v) == down;
        }
      sum += same ? part : -part;
    }
  return sum;
}

static void
all_cuts (Simplex *s, const guint32 *by_lim)
{
  for (guint i = 0; i < s->n; i++)
    if (s->parent[by_lim[i]] != NIL)
      s->cut[s->parent[by_lim[i]]] = cut_value (s, by_lim[i]);
}

static guint
entering (const Simplex *s, guint leave, guint32 child, guint32 *members, guint *n_members)
{
  /* The edge that leaves goes from tail to head; the one that enters must go from the head's part to the tail's part. */
  gboolean child_is_tail = s->edges[leave].from == child;
  guint best = NIL;
  gint64 best_slack = G_MAXINT64;
  guint depth = 0, n = 0;
  s->stack[depth++] = child;
  while (depth > 0)
    {
      guint32 v = s->stack[--depth];
      members[n++] = v;
      for (guint k = s->start[v]; k < s->start[v + 1]; k++)
        {
          guint e = s->incident[k];
          if (s->in_tree[e] || (s->edges[e].to == v) != child_is_tail)
            continue;
          guint32 w = other (s, e, v);
          if (s->low[child] <= s->lim[w] && s->lim[w] <= s->lim[child])
            continue;
          gint64 sl = slack (s, e);
          if (sl < best_slack || (sl == best_slack && e < best))
            best_slack = sl, best = e;
        }
      for (guint32 at = s->tree_head[v]; at != NIL; at = s->tree_next[at & 1][at >> 1])
        if (at >> 1 != s->parent[v])
          s->stack[depth++] = other (s, at >> 1, v);
    }
  *n_members = n;
  return best;
}

/* Adds `cut` along the tree path from v up to the common ancestor with w. */
static guint32
update_path (Simplex *s, guint32 v, guint32 w, gint64 cut, gboolean dir)
{
  while (!(s->low[v] <= s->lim[w] && s->lim[w] <= s->lim[v]))
    {
      guint e = s->parent[v];
      gboolean d = (s->edges[e].from == v) == dir;
      s->cut[e] += d ? cut : -cut;
      guint32 a = s->edges[e].from, b = s->edges[e].to;
      v = s->lim[a] > s->lim[b] ? a : b;
    }
  return v;
}

static void
exchange (Simplex *s, guint leave, guint32 child, guint enter, const guint32 *members, guint n_members)
{
  gint64 delta = slack (s, enter);
  if (delta != 0)
    {
      gint32 by = (gint32)(s->edges[leave].from == child ? -delta : delta);
      for (guint i = 0; i < n_members; i++)
        s->x[members[i]] += by;
    }
  gint64 cut = s->cut[leave];
  guint32 from = s->edges[enter].from, to = s->edges[enter].to;
  guint32 lca = update_path (s, from, to, cut, TRUE);
  update_path (s, to, from, cut, FALSE);
  s->cut[enter] = -cut;
  tree_remove (s, leave);
  tree_add (s, enter);
  number (s, lca, s->parent[lca], s->low[lca]);
}

gboolean
pare_simplex_start (guint n, const PareSimplexEdge *edges, guint n_edges, gint32 *x)
{
  g_autofree guint *degree = g_new0 (guint, n + 1), *start = g_new0 (guint, n + 2), *out = g_new (guint, n_edges + 1);
  for (guint e = 0; e < n_edges; e++)
    degree[edges[e].to]++, start[edges[e].from + 1]++;
  for (guint v = 0; v < n; v++)
    start[v + 1] += start[v];
  g_autofree guint *fill = g_memdup2 (start, sizeof *start * (n + 1));
  for (guint e = 0; e < n_edges; e++)
    out[fill[edges[e].from]++] = e;
  g_autofree guint32 *queue = g_new (guint32, n + 1);
  guint first = 0, last = 0;
  for (guint v = 0; v < n; v++)
    {
      x[v] = 0;
      if (degree[v] == 0)
        queue[last++] = v;
    }
  for (; first < last; first++)
    for (guint k = start[queue[first]]; k < start[queue[first] + 1]; k++)
      {
        const PareSimplexEdge *e = &edges[out[k]];
        x[e->to] = MAX (x[e->to], x[e->from] + e->length);
        if (--degree[e->to] == 0)
          queue[last++] = e->to;
      }
  return last == n;
}

static void
normalise (Simplex *s)
{
  /* one minimum for each tree */
  guint32 root = NIL;
  g_autofree guint32 *by_lim = g_new (guint32, s->n);
  for (guint v = 0; v < s->n; v++)
    by_lim[s->lim[v]] = v;
  gint32 least = 0;
  for (guint i = s->n; i-- > 0;)
    {
      guint32 v = by_lim[i];
      if (s->parent[v] == NIL) /* roots have the highest number of their tree */
        {
          root = v;
          least = G_MAXINT32;
          for (guint k = s->low[root]; k <= s->lim[root]; k++)
            least = MIN (least, s->x[by_lim[k]]);
          for (guint k = s->low[root]; k <= s->lim[root]; k++)
            s->x[by_lim[k]] -= least;
        }
    }
}

gboolean
pare_simplex_solve (guint n, const PareSimplexEdge *edges, guint n_edges, gint32 *x, guint max_pivots, PareControl *control, GError **error)
{
  if (n == 0)
    return TRUE;
  Simplex s = { .n = n, .n_edges = n_edges, .edges = edges, .x = x };
  g_autofree guint *start = s.start = g_new0 (guint, n + 2);
  g_autofree guint *incident = s.incident = g_new (guint, 2 * (gsize)n_edges + 1);
  for (guint e = 0; e < n_edges; e++)
    start[edges[e].from + 1]++, start[edges[e].to + 1]++;
  for (guint v = 0; v < n; v++)
    start[v + 1] += start[v];
  {
    g_autofree guint *fill = g_memdup2 (start, sizeof *start * (n + 1));
    for (guint e = 0; e < n_edges; e++)
      incident[fill[edges[e].from]++] = e, incident[fill[edges[e].to]++] = e;
  }
  g_autofree guint32 *head = s.tree_head = g_new (guint32, n);
  g_autofree guint32 *links = g_new (guint32, 4 * (gsize)n_edges + 1);
  s.tree_next[0] = links, s.tree_next[1] = links + n_edges;
  s.tree_prev[0] = links + 2 * (gsize)n_edges, s.tree_prev[1] = links + 3 * (gsize)n_edges;
  g_autofree gboolean *in_tree = s.in_tree = g_new0 (gboolean, n_edges + 1);
  g_autofree gint64 *cut = s.cut = g_new0 (gint64, n_edges + 1);
  g_autofree guint32 *nodes = g_new (guint32, 7 * (gsize)n);
  s.parent = nodes, s.low = nodes + n, s.lim = nodes + 2 * n, s.stack = nodes + 3 * n, s.cursor = nodes + 4 * n;
  guint32 *members = nodes + 5 * n, *by_lim = nodes + 6 * n;
  memset (head, 0xff, sizeof *head * n);
  if (!tight_tree (&s, control, error))
    return FALSE;
  guint32 next = 0;
  memset (s.parent, 0xff, sizeof *s.parent * n);
  memset (s.lim, 0xff, sizeof *s.lim * n);
  for (guint v = 0; v < n; v++)
    if (s.lim[v] == NIL)
      next = number (&s, v, NIL, next);
  for (guint v = 0; v < n; v++)
    by_lim[s.lim[v]] = v;
  all_cuts (&s, by_lim);

  guint from = 0;
  for (guint pivots = 0; pivots < max_pivots; pivots++)
    {
      if ((pivots & 31) == 31 && pare_control_check (control, error))
        return FALSE;
      guint leave = NIL, found = 0;
      for (guint k = 0; k < n_edges && found < 30; k++) /* the worst of the next 30 candidates, as dot does */
        {
          guint e = from + k < n_edges ? from + k : from + k - n_edges;
          if (in_tree[e] && cut[e] < 0)
            {
              if (leave == NIL || cut[e] < cut[leave])
                leave = e;
              if (++found == 30)
                from = (e + 1) % n_edges;
            }
        }
      if (leave == NIL)
        break;
      guint32 a = edges[leave].from, b = edges[leave].to, child = s.lim[a] < s.lim[b] ? a : b;
      guint n_members;
      guint enter = entering (&s, leave, child, members, &n_members);
      if (enter == NIL)
        break; /* unbounded: cannot be with weights >= 0 */
      exchange (&s, leave, child, enter, members, n_members);
    }
  normalise (&s);
  return TRUE;
}
