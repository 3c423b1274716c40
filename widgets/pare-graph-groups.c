/* Nested groups: from the scopes in layer names, or, where names say nothing, from repeated blocks (a fork and where its branches join) and
 * the stages they make up. Then runs of alike groups in large models. */
#include "widgets/pare-graph-model.h"

#include <glib/gi18n.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN(d, i) (&g_array_index ((d)->shown, PareShown, (i)))
#define GROUP(d, i) (&g_array_index ((d)->groups, PareShownGroup, (i)))
#define EDGE(d, i) (&g_array_index ((d)->edges, PareShownEdge, (i)))

static gint32
add_group (PareGraphDraft *d, PareGroupKind kind, gint32 parent, char *title)
{
  PareShownGroup g = { .kind = kind, .parent = parent, .title = title };
  g_array_append_val (d->groups, g);
  return (gint32)d->groups->len - 1;
}

static gint32
depth_of (const PareGraphDraft *d, gint32 group)
{
  gint32 depth = 0;
  for (; group >= 0; group = GROUP (d, group)->parent)
    depth++;
  return depth;
}

/* The two members of the innermost common group that an edge joins, as item numbers: display node i, or n_shown + group. */
static void
edge_items (const PareGraphDraft *d, const PareShownEdge *e, guint *from, guint *to)
{
  guint n = d->shown->len, a = e->from, b = e->to;
  gint32 p = SHOWN (d, a)->group, q = SHOWN (d, b)->group;
  gint32 pd = depth_of (d, p), qd = depth_of (d, q);
  while (p != q)
    if (pd >= qd)
      {
        a = n + (guint)p;
        p = GROUP (d, p)->parent;
        pd--;
      }
    else
      {
        b = n + (guint)q;
        q = GROUP (d, q)->parent;
        qd--;
      }
  *from = a;
  *to = b;
}

typedef struct
{
  guint from, to;
} Pair;

static int
compare_pairs (gconstpointer x, gconstpointer y)
{
  const Pair *a = x, *b = y;
  return a->from != b->from ? (a->from < b->from ? -1 : 1) : a->to != b->to ? (a->to < b->to ? -1 : 1) : 0;
}

/* Edges between items, sorted and unique, with CSR starts over all items. */
static GArray *
item_edges (const PareGraphDraft *d, guint **start_out)
{
  GArray *pairs = g_array_new (FALSE, FALSE, sizeof (Pair));
  guint total = d->shown->len + d->groups->len;
  for (guint i = 0; i < d->edges->len; i++)
    {
      Pair p;
      edge_items (d, EDGE (d, i), &p.from, &p.to);
      if (p.from != p.to)
        g_array_append_val (pairs, p);
    }
  g_array_sort (pairs, compare_pairs);
  Pair *data = (Pair *)(void *)pairs->data;
  guint n = 0;
  for (guint i = 0; i < pairs->len; i++)
    if (n == 0 || compare_pairs (&data[i], &data[n - 1]) != 0)
      data[n++] = data[i];
  g_array_set_size (pairs, n);
  guint *start = g_new0 (guint, total + 2);
  for (guint i = 0; i < n; i++)
    start[data[i].from + 1]++;
  for (guint i = 0; i < total; i++)
    start[i + 1] += start[i];
  *start_out = start;
  return pairs;
}

/* Takes dissolved groups out of the parents of everything. */
static void
drop_groups (PareGraphDraft *d, const gboolean *drop)
{
  g_autofree gint32 *now = g_new (gint32, d->groups->len + 1);
  gint32 next = 0;
  for (guint g = 0; g < d->groups->len; g++)
    now[g] = drop[g] ? -1 : next++;
  for (guint i = 0; i < d->shown->len + d->groups->len; i++)
    {
      gint32 *p = i < d->shown->len ? &SHOWN (d, i)->group : &GROUP (d, i - d->shown->len)->parent;
      if (i >= d->shown->len && drop[i - d->shown->len])
        continue;
      gint32 at = *p;
      while (at >= 0 && drop[at])
        at = GROUP (d, at)->parent;
      *p = at; /* old numbers, so that the walk above stays right */
    }
  for (guint i = 0; i < d->shown->len; i++)
    if (SHOWN (d, i)->group >= 0)
      SHOWN (d, i)->group = now[SHOWN (d, i)->group];
  for (guint g = 0; g < d->groups->len; g++)
    if (!drop[g] && GROUP (d, g)->parent >= 0)
      GROUP (d, g)->parent = now[GROUP (d, g)->parent];
  guint kept = 0;
  for (guint g = 0; g < d->groups->len; g++)
    if (drop[g])
      g_free (GROUP (d, g)->title);
    else
      *GROUP (d, kept++) = *GROUP (d, g);
  g_array_set_size (d->groups, kept);
}

/* Groups with a single member say nothing; nor does one around everything. */
static void
drop_trivial (PareGraphDraft *d)
{
  for (gboolean again = TRUE; again && d->groups->len > 0;)
    {
      guint n = d->groups->len, at_root = 0, loose = 0;
      g_autofree guint *members = g_new0 (guint, n);
      g_autofree gboolean *drop = g_new0 (gboolean, n);
      gint32 root = -1;
      for (guint i = 0; i < d->shown->len; i++)
        if (SHOWN (d, i)->group >= 0)
          members[SHOWN (d, i)->group]++;
        else
          loose += SHOWN (d, i)->kind != PARE_SHOWN_PORT;
      for (guint g = 0; g < n; g++)
        if (GROUP (d, g)->parent >= 0)
          members[GROUP (d, g)->parent]++;
        else
          at_root++, root = (gint32)g;
      again = FALSE;
      for (guint g = 0; g < n; g++)
        again |= drop[g] = members[g] < 2;
      if (at_root == 1 && loose == 0 && !again)
        again = drop[root] = TRUE;
      if (again)
        drop_groups (d, drop);
    }
}

/* Cuts a group that paths leave and come back to into parts that they do not come back to: a node's part is how often the longest way to
 * it came back. FALSE: nothing comes back. Groups inside are cut along. */
static gboolean
split_group (PareGraphDraft *d, gint32 group, const guint *sequence)
{
  guint n = d->shown->len, most = 0, n_groups = d->groups->len;
  g_autofree guint *part = g_new0 (guint, n + 1), *start = g_new0 (guint, n + 2); /* 1 + part; 0: not behind the group */
  g_autofree gboolean *inside = g_new0 (gboolean, n_groups + 1), *member = g_new0 (gboolean, n + 1);
  for (guint g = 0; g < n_groups; g++)
    {
      gint32 at = (gint32)g;
      while (at >= 0 && at != group)
        at = GROUP (d, at)->parent;
      inside[g] = at == group;
    }
  for (guint i = 0; i < n; i++)
    {
      member[i] = SHOWN (d, i)->group >= 0 && inside[SHOWN (d, i)->group];
      part[i] = member[i];
    }
  for (guint i = 0; i < d->edges->len; i++)
    start[EDGE (d, i)->from + 1]++;
  for (guint i = 0; i < n; i++)
    start[i + 1] += start[i];
  for (guint i = 0; i < n; i++)
    {
      guint u = sequence[i];
      most = MAX (most, member[u] ? part[u] : 0);
      for (guint k = start[u]; k < start[u + 1] && part[u] > 0; k++)
        {
          guint v = EDGE (d, k)->to;
          part[v] = MAX (part[v], part[u] + (!member[u] && member[v]));
        }
    }
  if (most < 2)
    return FALSE;
  g_autofree gint32 *copy = g_new0 (gint32, (gsize)n_groups * most);
  for (guint g = 0; g < n_groups; g++) /* parents before their children need not hold: fixed below */
    for (guint k = 1; k < most && inside[g]; k++)
      copy[g * most + k]
          = add_group (d, GROUP (d, g)->kind, GROUP (d, g)->parent,
                       g == (guint)group ? g_strdup_printf ("%s #%u", GROUP (d, g)->title, k + 1) : g_strdup (GROUP (d, g)->title));
  for (guint g = 0; g < n_groups; g++)
    for (guint k = 1; k < most && inside[g] && g != (guint)group; k++)
      GROUP (d, copy[g * most + k])->parent = copy[(guint)GROUP (d, g)->parent * most + k];
  for (guint i = 0; i < n; i++)
    if (member[i] && part[i] > 1)
      SHOWN (d, i)->group = copy[(guint)SHOWN (d, i)->group * most + part[i] - 1];
  return TRUE;
}

/* Splits and dissolves groups until every level is acyclic (Tarjan's components, without recursion). */
static void
make_acyclic (PareGraphDraft *d)
{
  g_autofree guint *sequence = g_new0 (guint, d->shown->len + 1);
  gboolean ordered = TRUE;
  for (guint i = 0; i < d->shown->len; i++)
    if (SHOWN (d, i)->order < d->shown->len)
      sequence[SHOWN (d, i)->order] = i;
    else
      ordered = FALSE;
  for (guint rounds = 0;; rounds++)
    {
      guint n = d->shown->len, total = n + d->groups->len;
      g_autoptr (GArray) suspects = g_array_new (FALSE, FALSE, sizeof (gint32));
      g_autofree guint *start = NULL;
      g_autoptr (GArray) pairs = item_edges (d, &start);
      g_autofree guint *index = g_new0 (guint, total + 1), *low = g_new0 (guint, total + 1), *stack = g_new (guint, total + 1);
      g_autofree guint *path = g_new (guint, total + 1), *cursor = g_new (guint, total + 1), *size = g_new0 (guint, d->groups->len + 1);
      g_autofree gboolean *on = g_new0 (gboolean, total + 1), *drop = g_new0 (gboolean, d->groups->len + 1);
      gboolean any = FALSE;
      for (guint i = 0; i < n; i++)
        for (gint32 g = SHOWN (d, i)->group; g >= 0; g = GROUP (d, g)->parent)
          size[g]++;
      guint counter = 0, depth = 0, top = 0;
      for (guint root = 0; root < total; root++)
        {
          if (index[root])
            continue;
          depth = 0;
          path[0] = root;
          cursor[0] = start[root];
          index[root] = low[root] = ++counter;
          stack[top++] = root;
          on[root] = TRUE;
          for (;;)
            {
              guint v = path[depth];
              if (cursor[depth] < start[v + 1])
                {
                  guint w = g_array_index (pairs, Pair, cursor[depth]++).to;
                  if (!index[w])
                    {
                      path[++depth] = w;
                      cursor[depth] = start[w];
                      index[w] = low[w] = ++counter;
                      stack[top++] = w;
                      on[w] = TRUE;
                    }
                  else if (on[w])
                    low[v] = MIN (low[v], index[w]);
                  continue;
                }
              if (low[v] == index[v])
                {
                  guint smallest = G_MAXUINT, members = 0, w, before = suspects->len;
                  do
                    {
                      w = stack[--top];
                      on[w] = FALSE;
                      members++;
                      gint32 suspect = (gint32)(w - n);
                      if (w >= n)
                        g_array_append_val (suspects, suspect);
                      if (w >= n && (smallest == G_MAXUINT || size[w - n] < size[smallest]))
                        smallest = w - n;
                    }
                  while (w != v);
                  if (members > 1 && smallest != G_MAXUINT)
                    any = drop[smallest] = TRUE;
                  else
                    g_array_set_size (suspects, before);
                }
              if (depth == 0)
                break;
              depth--;
              low[path[depth]] = MIN (low[path[depth]], low[v]);
            }
        }
      if (!any)
        return;
      gboolean split = FALSE;
      for (guint i = 0; i < suspects->len && ordered && rounds < 64 && !split; i++)
        split = split_group (d, g_array_index (suspects, gint32, i), sequence);
      if (!split)
        drop_groups (d, drop);
    }
}

/* --- scopes --- */

static gboolean
group_by_scopes (PareGraphDraft *d)
{
  guint scoped = 0, all = 0;
  for (guint i = 0; i < d->shown->len; i++)
    if (SHOWN (d, i)->n_layers > 0)
      {
        const char *name = SHOWN (d, i)->layers[0];
        all++;
        scoped += strchr (name + (*name == '/'), '/') != NULL;
      }
  if (scoped * 2 < all || scoped < 4)
    return FALSE;
  g_autoptr (GHashTable) known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < d->shown->len; i++)
    {
      PareShown *s = SHOWN (d, i);
      if (s->n_layers == 0)
        continue;
      g_auto (GStrv) parts = g_strsplit (s->layers[0], "/", 12); /* deeper nesting is not drawn */
      g_autoptr (GString) path = g_string_new (NULL);
      for (guint k = 0; parts[k] != NULL && parts[k + 1] != NULL; k++)
        {
          if (*parts[k] == '\0')
            continue;
          g_string_append_printf (path, "/%s", parts[k]);
          gpointer found = g_hash_table_lookup (known, path->str);
          if (found == NULL)
            {
              found = GINT_TO_POINTER (add_group (d, PARE_GROUP_SCOPE, s->group, g_strdup (parts[k])) + 1);
              g_hash_table_insert (known, g_strdup (path->str), found);
            }
          s->group = GPOINTER_TO_INT (found) - 1;
        }
    }
  drop_trivial (d);
  make_acyclic (d);
  drop_trivial (d);
  return d->groups->len > 0;
}

/* The part of a scoped name that its frames do not say already: "/layer1/0/conv1/Conv" in layer1 > 0 is "conv1". */
static void
shorten_titles (PareGraphDraft *d)
{
  for (guint i = 0; i < d->shown->len; i++)
    {
      PareShown *s = SHOWN (d, i);
      if (s->kind != PARE_SHOWN_CARD || strchr (s->title, '/') == NULL)
        continue;
      g_auto (GStrv) parts = g_strsplit (s->title, "/", -1);
      guint n = g_strv_length (parts), first = 0, last = n - 1;
      if (n > 1 && last > 0
          && g_str_has_prefix (s->op, "Depthwise") + g_str_has_prefix (parts[last], "Conv") + g_str_has_prefix (parts[last], "Gemm")
                     + g_str_has_prefix (parts[last], "MatMul")
                 > 0
          && *parts[last - 1] != '\0')
        last--;
      for (guint k = 0; k < last; k++) /* drop what an enclosing frame is called */
        for (gint32 g = s->group; g >= 0; g = GROUP (d, g)->parent)
          if (g_str_equal (GROUP (d, g)->title, parts[k]))
            first = k + 1;
      while (first < last && *parts[first] == '\0')
        first++;
      g_autofree char *end = parts[last + 1];
      parts[last + 1] = NULL;
      g_free (s->title);
      s->title = g_strjoinv ("/", parts + first);
      parts[last + 1] = g_steal_pointer (&end);
    }
}

/* --- blocks --- */

typedef struct
{
  guint fork, join, size;
  gboolean with_fork;
  guint order;
} Region;

static int
compare_regions (gconstpointer x, gconstpointer y)
{
  const Region *a = x, *b = y;
  return a->size != b->size ? (a->size > b->size ? -1 : 1) : a->order < b->order ? -1 : a->order > b->order;
}

/* Immediate dominators of an acyclic graph given in topological order; n is the virtual root. */
static guint *
dominators (guint n, const guint *sequence, const guint *start, const guint *before)
{
  guint *idom = g_new (guint, n + 1);
  g_autofree guint *depth = g_new0 (guint, n + 1);
  idom[n] = n;
  for (guint i = 0; i < n; i++)
    {
      guint v = sequence[i], at = G_MAXUINT;
      for (guint k = start[v]; k < start[v + 1]; k++)
        {
          guint u = before[k];
          if (at == G_MAXUINT)
            at = u;
          while (at != u)
            if (at != n && (u == n || depth[at] >= depth[u]))
              at = idom[at];
            else
              u = idom[u];
        }
      idom[v] = at == G_MAXUINT ? n : at;
      depth[v] = depth[idom[v]] + 1;
    }
  return idom;
}

static void
neighbours (const PareGraphDraft *d, gboolean incoming, guint **start_out, guint **list_out)
{
  guint n = d->shown->len;
  guint *start = g_new0 (guint, n + 2), *list = g_new (guint, d->edges->len + 1);
  for (guint i = 0; i < d->edges->len; i++)
    start[(incoming ? EDGE (d, i)->to : EDGE (d, i)->from) + 1]++;
  for (guint v = 0; v < n; v++)
    start[v + 1] += start[v];
  g_autofree guint *fill = g_memdup2 (start, sizeof *start * (n + 1));
  for (guint i = 0; i < d->edges->len; i++)
    list[fill[incoming ? EDGE (d, i)->to : EDGE (d, i)->from]++] = incoming ? EDGE (d, i)->from : EDGE (d, i)->to;
  *start_out = start;
  *list_out = list;
}

/* Everything between fork and join, join included: walks up from the join. Returns the number of members. */
static guint
region_members (guint fork, guint join, const guint *in_start, const guint *in, guint *members, guint *stamp, guint now)
{
  guint n = 0;
  members[n++] = join;
  stamp[join] = now;
  for (guint i = 0; i < n; i++)
    for (guint k = in_start[members[i]]; k < in_start[members[i] + 1]; k++)
      if (in[k] != fork && stamp[in[k]] != now)
        {
          stamp[in[k]] = now;
          members[n++] = in[k];
        }
  return n;
}

static void
group_by_blocks (PareGraphDraft *d)
{
  guint n = d->shown->len;
  g_autofree guint *in_start = NULL, *in = NULL, *out_start = NULL, *out = NULL;
  neighbours (d, TRUE, &in_start, &in);
  neighbours (d, FALSE, &out_start, &out);
  g_autofree guint *sequence = g_new (guint, n + 1), *backward = g_new (guint, n + 1);
  for (guint i = 0; i < n; i++)
    if (SHOWN (d, i)->order >= n)
      return; /* a cycle: no blocks */
    else
      sequence[SHOWN (d, i)->order] = i;
  for (guint i = 0; i < n; i++)
    backward[i] = sequence[n - 1 - i];
  g_autofree guint *idom = dominators (n, sequence, in_start, in), *ipdom = dominators (n, backward, out_start, out);
  g_autofree guint *members = g_new (guint, n + 1), *stamp = g_new0 (guint, n + 1);
  guint now = 0;
  g_autoptr (GArray) regions = g_array_new (FALSE, FALSE, sizeof (Region));
  for (guint m = 0; m < n; m++)
    {
      if (in_start[m + 1] - in_start[m] < 2 || idom[m] == n || ipdom[idom[m]] != m)
        continue;
      Region r = { .fork = idom[m], .join = m, .order = SHOWN (d, m)->order };
      guint inside_cards = 0;
      r.size = region_members (r.fork, m, in_start, in, members, stamp, ++now);
      for (guint i = 0; i < r.size; i++)
        inside_cards += SHOWN (d, members[i])->kind == PARE_SHOWN_CARD;
      gboolean direct = FALSE;
      for (guint k = in_start[m]; k < in_start[m + 1]; k++)
        direct |= in[k] == r.fork;
      /* the squeeze of a fire module belongs to it; the sum before a residual block does not */
      r.with_fork = !direct && SHOWN (d, r.fork)->kind == PARE_SHOWN_CARD && in_start[r.fork + 1] - in_start[r.fork] == 1;
      r.size += r.with_fork;
      if (r.size >= 2 && inside_cards >= 1 && r.size * 5 <= n * 3)
        g_array_append_val (regions, r);
    }
  g_array_sort (regions, compare_regions);
  for (guint i = 0; i < regions->len; i++)
    {
      Region *r = &g_array_index (regions, Region, i);
      guint count = region_members (r->fork, r->join, in_start, in, members, stamp, ++now);
      gint32 parent = SHOWN (d, r->join)->group;
      if (r->with_fork && SHOWN (d, r->fork)->group == parent)
        members[count++] = r->fork;
      gboolean same = TRUE;
      for (guint k = 0; k < count; k++)
        same &= SHOWN (d, members[k])->group == parent;
      if (!same)
        continue;
      gboolean squeeze = parent >= 0 && g_str_has_prefix (SHOWN (d, r->join)->op, "Mul");
      gint32 g = add_group (d, PARE_GROUP_BLOCK, parent, g_strdup (squeeze ? "Squeeze-excite" : "Branches"));
      for (guint k = 0; k < count; k++)
        SHOWN (d, members[k])->group = g;
    }
  drop_trivial (d);
  make_acyclic (d);
}

/* --- rows of groups: stages and runs --- */

/* The members of one level in a topological order; ties by the order of the nodes. */
static GArray *
level_order (const PareGraphDraft *d, gint32 level, const guint *start, const GArray *pairs)
{
  guint n = d->shown->len, total = n + d->groups->len;
  g_autofree guint *degree = g_new0 (guint, total + 1), *first = g_new (guint, total + 1);
  GArray *order = g_array_new (FALSE, FALSE, sizeof (guint));
  g_autoptr (GArray) ready = g_array_new (FALSE, FALSE, sizeof (guint));
  memset (first, 0xff, sizeof *first * (total + 1));
  for (guint i = 0; i < n; i++)
    {
      first[i] = SHOWN (d, i)->order;
      for (gint32 g = SHOWN (d, i)->group; g >= 0; g = GROUP (d, g)->parent)
        first[n + (guint)g] = MIN (first[n + (guint)g], first[i]);
    }
  for (guint i = 0; i < pairs->len; i++)
    degree[g_array_index (pairs, Pair, i).to]++;
  for (guint i = 0; i < total; i++)
    if ((i < n ? SHOWN (d, i)->group : GROUP (d, i - n)->parent) == level && degree[i] == 0)
      g_array_append_val (ready, i);
  while (ready->len > 0)
    {
      guint best = 0; /* what came last goes on first: a chain is followed to its end before the next one starts */
      for (guint i = 1; i < ready->len; i++)
        if (first[g_array_index (ready, guint, i)] < first[g_array_index (ready, guint, best)])
          best = i;
      guint v = g_array_index (ready, guint, best);
      g_array_remove_index_fast (ready, best);
      g_array_append_val (order, v);
      for (guint k = start[v]; k < start[v + 1]; k++)
        if (--degree[g_array_index (pairs, Pair, k).to] == 0)
          g_array_append_val (ready, g_array_index (pairs, Pair, k).to);
    }
  return order;
}

static void
enclose (PareGraphDraft *d, const guint *items, guint count, PareGroupKind kind, gint32 parent, char *title)
{
  guint n = d->shown->len;
  gint32 g = add_group (d, kind, parent, title);
  for (guint i = 0; i < count; i++)
    if (items[i] < n)
      SHOWN (d, items[i])->group = g;
    else
      GROUP (d, items[i] - n)->parent = g;
}

static gint64
last_size (const PareGraphDraft *d, guint item)
{
  guint n = d->shown->len;
  gint64 size = -1;
  guint latest = 0;
  if (item < n)
    return SHOWN (d, item)->height_width;
  for (guint i = 0; i < n; i++)
    for (gint32 g = SHOWN (d, i)->group; g >= 0; g = GROUP (d, g)->parent)
      if ((guint)g == item - n && SHOWN (d, i)->order >= latest)
        {
          latest = SHOWN (d, i)->order;
          size = SHOWN (d, i)->height_width;
        }
  return size;
}

static void
make_stages (PareGraphDraft *d)
{
  guint n = d->shown->len;
  g_autofree guint *start = NULL;
  g_autoptr (GArray) pairs = item_edges (d, &start);
  g_autoptr (GArray) order = level_order (d, -1, start, pairs);
  guint *items = (guint *)(void *)order->data, stages = 0, blocks = 0, inner = 0;
  g_autofree gint64 *size = g_new (gint64, order->len + 1);
  for (guint i = 0; i < order->len; i++)
    {
      size[i] = last_size (d, items[i]);
      if (items[i] >= n)
        {
          PareShownGroup *g = GROUP (d, items[i] - n);
          g_free (g->title);
          g->title = g_strdup_printf (_ ("Block %u"), ++blocks);
        }
    }
  for (int count_only = 1; count_only >= 0; count_only--)
    {
      if (!count_only && stages < 2)
        return;
      stages = 0;
      for (guint i = 0, j; i < order->len; i = j)
        {
          guint last = i;
          inner = items[i] >= n;
          for (j = i + 1; inner && j < order->len && size[j] == size[i] && size[i] >= 0; j++)
            if (items[j] >= n)
              last = j, inner++;
          if (inner < 2)
            {
              j = i + 1;
              continue;
            }
          j = last + 1;
          stages++;
          if (!count_only)
            enclose (d, items + i, last - i + 1, PARE_GROUP_STAGE, -1, g_strdup_printf (_ ("Stage %u"), stages));
        }
    }
}

static void
hash_up (const PareGraphDraft *d, guint64 *signature)
{
  memset (signature, 0, sizeof *signature * d->groups->len);
  for (guint i = 0; i < d->shown->len; i++)
    for (gint32 g = SHOWN (d, i)->group; g >= 0; g = GROUP (d, g)->parent)
      signature[g] += (guint64)g_str_hash (SHOWN (d, i)->op) * G_GUINT64_CONSTANT (0x9E3779B97F4A7C15) + 1;
}

/* Four or more alike neighbours become one, so that a hundred equal layers are one card until someone asks. */
static void
make_runs (PareGraphDraft *d)
{
  guint n = d->shown->len, n_groups = d->groups->len;
  g_autofree guint64 *signature = g_new0 (guint64, n_groups + 1);
  g_autofree guint *start = NULL;
  hash_up (d, signature);
  g_autoptr (GArray) pairs = item_edges (d, &start);
  g_autoptr (GArray) order = level_order (d, -1, start, pairs);
  const guint *items = (const guint *)(void *)order->data;
  for (guint i = 0, j; i < order->len; i = j)
    {
      j = i + 1;
      if (items[i] < n)
        continue;
      while (j < order->len && items[j] >= n && signature[items[j] - n] == signature[items[i] - n])
        j++;
      if (j - i >= 4 && j - i < order->len)
        enclose (d, items + i, j - i, PARE_GROUP_RUN, -1,
                 g_strdup_printf ("%s … %s", GROUP (d, items[i] - n)->title, GROUP (d, items[j - 1] - n)->title));
    }
}

/* --- sums --- */

static void
finish (PareGraphDraft *d)
{
  guint n_groups = d->groups->len;
  g_autofree gint64 *size = g_new (gint64, n_groups + 1);
  g_autofree guint *latest = g_new0 (guint, n_groups + 1), *first = g_new (guint, n_groups + 1);
  memset (first, 0xff, sizeof *first * (n_groups + 1));
  for (guint g = 0; g < n_groups; g++)
    {
      PareShownGroup *x = GROUP (d, g);
      x->depth = (guint)depth_of (d, x->parent);
      x->children = g_array_new (FALSE, FALSE, sizeof (gint32));
      size[g] = -1;
    }
  for (guint i = 0; i < d->shown->len; i++)
    {
      const PareShown *s = SHOWN (d, i);
      for (gint32 g = s->group; g >= 0; g = GROUP (d, g)->parent)
        {
          PareShownGroup *x = GROUP (d, g);
          x->n_shown++;
          x->n_layers += s->n_layers;
          x->n_cards += s->kind == PARE_SHOWN_CARD;
          x->n_convs += s->klass == PARE_OP_CLASS_CONV || s->klass == PARE_OP_CLASS_DEPTHWISE;
          first[g] = MIN (first[g], s->order);
          if (s->order >= latest[g])
            latest[g] = s->order, size[g] = s->height_width;
        }
    }
  for (guint g = 0; g < n_groups; g++)
    { /* children in the order of the model, by insertion: lists are short or already sorted */
      gint32 parent = GROUP (d, g)->parent;
      if (parent < 0)
        continue;
      GArray *list = GROUP (d, parent)->children;
      gint32 id = (gint32)g;
      guint at = list->len;
      while (at > 0 && first[g_array_index (list, gint32, at - 1)] > first[g])
        at--;
      g_array_insert_val (list, at, id);
    }
  for (guint g = 0; g < n_groups; g++)
    {
      PareShownGroup *x = GROUP (d, g);
      GString *path = g_string_new (x->title);
      for (gint32 p = x->parent; p >= 0; p = GROUP (d, p)->parent)
        {
          g_string_prepend (path, "/");
          g_string_prepend (path, GROUP (d, p)->title);
        }
      x->path = g_string_free (path, FALSE);
      GString *s = g_string_new (NULL);
      if (x->kind == PARE_GROUP_RUN)
        g_string_append_printf (s, ngettext ("%u alike", "%u alike", x->children->len), x->children->len);
      else if (x->n_convs > 0 && x->n_convs == x->n_cards)
        g_string_append_printf (s, ngettext ("%u conv", "%u convs", x->n_convs), x->n_convs);
      else if (x->n_cards > 0)
        g_string_append_printf (s, ngettext ("%u layer", "%u layers", x->n_cards), x->n_cards);
      else
        g_string_append_printf (s, ngettext ("%u node", "%u nodes", x->n_shown), x->n_shown);
      if (size[g] >= 0 && x->kind != PARE_GROUP_RUN)
        g_string_append_printf (s, " · %" G_GINT64_FORMAT "×%" G_GINT64_FORMAT, size[g] >> 32, size[g] & 0xffffffff);
      x->summary = g_string_free (s, FALSE);
    }
}

void
pare_graph_group (PareGraphDraft *d)
{
  if (!group_by_scopes (d))
    {
      g_autofree gboolean *all = g_new (gboolean, d->groups->len + 1);
      for (guint g = 0; g < d->groups->len; g++)
        all[g] = TRUE;
      drop_groups (d, all);
      group_by_blocks (d);
      make_stages (d);
    }
  shorten_titles (d);
  if (d->shown->len > 2000)
    make_runs (d);
  finish (d);
}
