/* Fifth pass: x. Segments that are to be straight tie their vertices into blocks (the main chain first, then the long edges, as in
 * Brandes and Koepf's alignment but by weight); network simplex then places the blocks so that what is not straight is short. */
#include "engine/layout/pare-layout-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HALF 2.0 /* simplex units in a pixel */

/* Free space between neighbours of a rank: lines may run closer than nodes. */
static double
gap_between (const PareLevel *self, const PareVertex *a, const PareVertex *b)
{
  gboolean line_a = a->width <= 0, line_b = b->width <= 0;
  return line_a && line_b ? self->column_gap * 0.5 : line_a || line_b ? self->column_gap * 0.7 : self->column_gap;
}

typedef struct
{
  guint segment;
  gint32 klass;
  gint32 through;
} Candidate;

static int
compare_candidates (const void *x, const void *y)
{
  const Candidate *a = x, *b = y;
  return a->klass != b->klass       ? a->klass - b->klass
         : a->through != b->through ? (a->through > b->through ? -1 : 1)
                                    : (a->segment < b->segment ? -1 : a->segment > b->segment);
}

/* Longest run of direct steps through each segment: the main chain is where it is greatest. */
static gint32 *
runs (const PareLevel *self)
{
  guint n = self->vertices->len;
  g_autofree gint32 *above = g_new0 (gint32, n + 1), *below = g_new0 (gint32, n + 1);
  for (guint r = 0; r < self->n_ranks; r++)
    for (guint i = 0; i < self->counts[r]; i++)
      {
        guint32 v = self->order[r][i];
        for (guint k = self->up_start[v]; k < self->up_start[v + 1]; k++)
          {
            guint32 u = PARE_S (self, self->up[k])->upper;
            above[v] = MAX (above[v], above[u] + (PARE_V (self, u)->kind != PARE_VERTEX_DUMMY));
          }
      }
  for (guint r = self->n_ranks; r-- > 0;)
    for (guint i = 0; i < self->counts[r]; i++)
      {
        guint32 v = self->order[r][i];
        for (guint k = self->down_start[v]; k < self->down_start[v + 1]; k++)
          {
            guint32 u = PARE_S (self, self->down[k])->lower;
            below[v] = MAX (below[v], below[u] + (PARE_V (self, u)->kind != PARE_VERTEX_DUMMY));
          }
      }
  gint32 *through = g_new (gint32, self->segments->len + 1);
  for (guint i = 0; i < self->segments->len; i++)
    through[i] = above[PARE_S (self, i)->upper] + below[PARE_S (self, i)->lower];
  return through;
}

static void
align (PareLevel *self)
{
  guint n = self->vertices->len;
  g_autofree gint32 *through = runs (self);
  g_autofree guint8 *taken = g_new0 (guint8, n + 1); /* 1: upwards, 2: downwards */
  g_autoptr (GArray) list = g_array_new (FALSE, FALSE, sizeof (Candidate));
  g_autoptr (GArray) kept = g_array_new (FALSE, FALSE, sizeof (guint));
  for (guint r = 0; r + 1 < self->n_ranks; r++)
    {
      g_array_set_size (list, 0);
      g_array_set_size (kept, 0);
      for (guint i = 0; i < self->counts[r]; i++)
        {
          guint32 v = self->order[r][i];
          for (guint k = self->down_start[v]; k < self->down_start[v + 1]; k++)
            {
              const PareSegment *s = PARE_S (self, self->down[k]);
              gboolean a = PARE_V (self, s->upper)->kind == PARE_VERTEX_DUMMY, b = PARE_V (self, s->lower)->kind == PARE_VERTEX_DUMMY;
              Candidate c = { self->down[k], !a && !b ? 0 : a && b ? 1 : 2, through[self->down[k]] };
              g_array_append_val (list, c);
            }
        }
      if (list->len > 1)
        qsort (list->data, list->len, sizeof (Candidate), compare_candidates);
      for (guint i = 0; i < list->len; i++)
        {
          guint id = g_array_index (list, Candidate, i).segment;
          PareSegment *s = PARE_S (self, id);
          if (taken[s->upper] & 2 || taken[s->lower] & 1)
            continue;
          gint32 a = PARE_V (self, s->upper)->pos, b = PARE_V (self, s->lower)->pos;
          gboolean crosses = FALSE;
          for (guint k = 0; k < kept->len && !crosses; k++)
            {
              const PareSegment *t = PARE_S (self, g_array_index (kept, guint, k));
              gint32 c = PARE_V (self, t->upper)->pos, d = PARE_V (self, t->lower)->pos;
              crosses = (a < c) != (b < d);
            }
          if (crosses)
            continue;
          s->aligned = TRUE;
          taken[s->upper] |= 2;
          taken[s->lower] |= 1;
          g_array_append_val (kept, id);
        }
    }
}

static int
compare_edges (const void *x, const void *y)
{
  const PareSimplexEdge *a = x, *b = y;
  if (a->from != b->from)
    return a->from < b->from ? -1 : 1;
  if (a->to != b->to)
    return a->to < b->to ? -1 : 1;
  return a->length != b->length ? (a->length > b->length ? -1 : 1) : 0;
}

static gint32
to_units (double v)
{
  return (gint32)CLAMP (rint (v * HALF), -1e9, 1e9);
}

gboolean
pare_level_place (PareLevel *self, PareControl *control, GError **error)
{
  guint n = self->vertices->len, n_blocks = 0;
  if (n == 0)
    return TRUE;
  align (self);
  g_autofree guint32 *block = g_new (guint32, n);
  g_autofree double *shift = g_new0 (double, n);
  g_autoptr (GArray) edges = g_array_new (FALSE, FALSE, sizeof (PareSimplexEdge));
  for (guint r = 0; r < self->n_ranks; r++)
    for (guint i = 0; i < self->counts[r]; i++)
      {
        guint32 v = self->order[r][i];
        block[v] = PARE_LAYOUT_NONE;
        for (guint k = self->up_start[v]; k < self->up_start[v + 1] && block[v] == PARE_LAYOUT_NONE; k++)
          {
            const PareSegment *s = PARE_S (self, self->up[k]);
            if (s->aligned)
              {
                block[v] = block[s->upper];
                shift[v] = shift[s->upper] + s->upper_off - s->lower_off;
              }
          }
        if (block[v] == PARE_LAYOUT_NONE)
          block[v] = n_blocks++;
        if (i > 0)
          {
            guint32 u = self->order[r][i - 1];
            const PareVertex *a = PARE_V (self, u), *b = PARE_V (self, v);
            double sep = a->width / 2 + gap_between (self, a, b) + b->width / 2;
            PareSimplexEdge e = { block[u], block[v], to_units (sep + shift[u] - shift[v]), 0 };
            g_array_append_val (edges, e);
          }
      }
  /* neighbours meet in many ranks: only the widest distance counts */
  if (edges->len > 1)
    qsort (edges->data, edges->len, sizeof (PareSimplexEdge), compare_edges);
  PareSimplexEdge *data = (PareSimplexEdge *)(void *)edges->data;
  guint m = 0;
  for (guint i = 0; i < edges->len; i++)
    if (m == 0 || data[i].from != data[m - 1].from || data[i].to != data[m - 1].to)
      data[m++] = data[i];
  g_array_set_size (edges, m);

  /* |(x_u + c_u) - (x_v + c_v)|: a helper left of both (Gansner et al. 4.2); equal terms become one with their weights added */
  g_autoptr (GArray) terms = g_array_new (FALSE, FALSE, sizeof (PareSimplexEdge));
  for (guint i = 0; i < self->segments->len; i++)
    {
      const PareSegment *s = PARE_S (self, i);
      if (block[s->upper] == block[s->lower])
        continue;
      gboolean a = PARE_V (self, s->upper)->kind == PARE_VERTEX_DUMMY, b = PARE_V (self, s->lower)->kind == PARE_VERTEX_DUMMY;
      guint32 u = block[s->upper], v = block[s->lower];
      double c = (shift[s->upper] + s->upper_off) - (shift[s->lower] + s->lower_off);
      PareSimplexEdge t = { MIN (u, v), MAX (u, v), to_units (u < v ? c : -c), a && b ? 4 : a || b ? 1 : 2 };
      g_array_append_val (terms, t);
    }
  if (terms->len > 1)
    qsort (terms->data, terms->len, sizeof (PareSimplexEdge), compare_edges);
  guint helpers = 0;
  for (guint i = 0, j; i < terms->len; i = j)
    {
      PareSimplexEdge t = g_array_index (terms, PareSimplexEdge, i);
      for (j = i + 1; j < terms->len && compare_edges (&g_array_index (terms, PareSimplexEdge, j), &t) == 0; j++)
        t.weight = (gint32)MIN ((gint64)t.weight + g_array_index (terms, PareSimplexEdge, j).weight, 1000000);
      PareSimplexEdge one = { n_blocks + helpers, t.from, -t.length, t.weight }, two = { n_blocks + helpers, t.to, 0, t.weight };
      helpers++;
      g_array_append_val (edges, one);
      g_array_append_val (edges, two);
    }
  guint total = n_blocks + helpers;
  g_autofree gint32 *x = g_new (gint32, total);
  data = (PareSimplexEdge *)(void *)edges->data;
  pare_simplex_start (total, data, edges->len, x);
  guint pivots = CLAMP (400000000u / (total + edges->len + 1), 200, 30000);
  if (!pare_simplex_solve (total, data, edges->len, x, pivots, control, error))
    return FALSE;
  double left = G_MAXDOUBLE;
  for (guint v = 0; v < n; v++)
    {
      PareVertex *vertex = PARE_V (self, v);
      vertex->x = x[block[v]] / HALF + shift[v];
      left = MIN (left, vertex->x - vertex->width / 2);
    }
  double right = 0;
  for (guint v = 0; v < n; v++)
    {
      PareVertex *vertex = PARE_V (self, v);
      vertex->x += self->padding - left;
      right = MAX (right, vertex->x + vertex->width / 2);
    }
  self->width = right + self->padding;
  return TRUE;
}
