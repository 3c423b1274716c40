/* Passes one to three: break cycles, give ranks, cut long edges into chains of dummies. */
#include "engine/layout/pare-layout-private.h"

#include <string.h>

PareLevel *
pare_level_new (gint32 group)
{
  PareLevel *self = g_new0 (PareLevel, 1);
  self->group = group;
  self->vertices = g_array_new (FALSE, TRUE, sizeof (PareVertex));
  self->hypers = g_array_new (FALSE, TRUE, sizeof (PareHyper));
  self->segments = g_array_new (FALSE, TRUE, sizeof (PareSegment));
  self->points = g_array_new (FALSE, FALSE, sizeof (double));
  return self;
}

void
pare_level_free (PareLevel *self)
{
  if (self == NULL)
    return;
  for (guint i = 0; i < self->hypers->len; i++)
    g_array_unref (PARE_H (self, i)->targets);
  for (guint r = 0; self->order != NULL && r < self->n_ranks; r++)
    g_free (self->order[r]);
  g_free (self->order);
  g_free (self->counts);
  g_free (self->down_start);
  g_free (self->down);
  g_free (self->up_start);
  g_free (self->up);
  g_array_unref (self->vertices);
  g_array_unref (self->hypers);
  g_array_unref (self->segments);
  g_array_unref (self->points);
  g_free (self);
}

/* --- cycles --- */

typedef struct
{
  guint32 vertex;
  guint hyper, target;
} Frame; /* hyper: index into the vertex's list */

/* Turns round the edges that close a cycle, found by a depth-first walk in the order of the input: what stays downward is what the
 * model's own order says. */
void
pare_level_break_cycles (PareLevel *self)
{
  guint n = self->vertices->len, n_hypers = self->hypers->len;
  g_autofree guint *start = g_new0 (guint, n + 2), *list = g_new (guint, n_hypers + 1);
  for (guint h = 0; h < n_hypers; h++)
    start[PARE_H (self, h)->from + 1]++;
  for (guint v = 0; v < n; v++)
    start[v + 1] += start[v];
  g_autofree guint *fill = g_memdup2 (start, sizeof *start * (n + 1));
  for (guint h = 0; h < n_hypers; h++)
    list[fill[PARE_H (self, h)->from]++] = h;
  g_autofree guint8 *state = g_new0 (guint8, n + 1);
  g_autofree Frame *stack = g_new (Frame, n + 1);
  for (guint root = 0; root < n; root++)
    {
      if (state[root])
        continue;
      guint depth = 0;
      stack[0] = (Frame){ root, start[root], 0 };
      state[root] = 1;
      for (;;)
        {
          Frame *f = &stack[depth];
          if (f->hyper == start[f->vertex + 1])
            {
              state[f->vertex] = 2;
              if (depth-- == 0)
                break;
              continue;
            }
          PareHyper *hyper = PARE_H (self, list[f->hyper]);
          if (f->target == hyper->targets->len)
            {
              f->hyper++;
              f->target = 0;
              continue;
            }
          PareTarget *t = PARE_T (hyper, f->target);
          if (state[t->to] == 1)
            {
              PareHyper turned = { .source = hyper->source, .from = t->to, .from_off = t->to_off, .reversed = TRUE };
              PareTarget back = { .to = f->vertex, .to_off = hyper->from_off };
              turned.targets = g_array_new (FALSE, TRUE, sizeof (PareTarget));
              g_array_append_val (turned.targets, back);
              g_array_remove_index (hyper->targets, f->target);
              g_array_append_val (self->hypers, turned);
              continue;
            }
          f->target++;
          if (state[t->to] == 0)
            {
              state[t->to] = 1;
              depth++;
              stack[depth] = (Frame){ t->to, start[t->to], 0 };
            }
        }
    }
}

/* --- ranks --- */

gboolean
pare_level_rank (PareLevel *self, PareControl *control, GError **error)
{
  guint n = self->vertices->len;
  g_autoptr (GArray) edges = g_array_new (FALSE, FALSE, sizeof (PareSimplexEdge));
  for (guint h = 0; h < self->hypers->len; h++)
    {
      const PareHyper *hyper = PARE_H (self, h);
      for (guint t = 0; t < hyper->targets->len; t++)
        {
          guint32 to = PARE_T (hyper, t)->to;
          if (PARE_V (self, hyper->from)->kind == PARE_VERTEX_IN || PARE_V (self, to)->kind == PARE_VERTEX_OUT)
            continue;
          PareSimplexEdge e = { hyper->from, to, 1, 1 };
          g_array_append_val (edges, e);
        }
    }
  g_autofree gint32 *x = g_new (gint32, n + 1);
  const PareSimplexEdge *data = (const PareSimplexEdge *)(void *)edges->data;
  pare_simplex_start (n, data, edges->len, x); /* acyclic by the pass before */
  /* Long chains need few pivots; what is left after these is a little longer, never wrong. */
  guint pivots = CLAMP (200000000u / (n + edges->len + 1), 200, 20000);
  if (!pare_simplex_solve (n, data, edges->len, x, pivots, control, error))
    return FALSE;
  gint32 last = 0;
  gboolean in = FALSE, out = FALSE;
  for (guint v = 0; v < n; v++)
    {
      PareVertexKind kind = PARE_V (self, v)->kind;
      in |= kind == PARE_VERTEX_IN;
      out |= kind == PARE_VERTEX_OUT;
      if (kind != PARE_VERTEX_IN && kind != PARE_VERTEX_OUT)
        last = MAX (last, x[v]);
    }
  for (guint v = 0; v < n; v++)
    {
      PareVertex *vertex = PARE_V (self, v);
      vertex->rank = vertex->kind == PARE_VERTEX_IN ? 0 : vertex->kind == PARE_VERTEX_OUT ? last + 1 + in : x[v] + in;
    }
  self->n_ranks = n == 0 ? 0 : (guint)(last + 1 + in + out);
  return TRUE;
}

/* --- chains --- */

static void
add_segment (PareLevel *self, guint32 upper, double upper_off, guint32 lower, double lower_off, guint h, guint32 target)
{
  PareSegment s = { .upper = upper, .lower = lower, .upper_off = upper_off, .lower_off = lower_off, .hyper = h, .target = target };
  g_array_append_val (self->segments, s);
}

static void
index_segments (const PareLevel *self, gboolean upper, guint **start_out, guint **list_out)
{
  guint n = self->vertices->len;
  guint *start = g_new0 (guint, n + 2), *list = g_new (guint, self->segments->len + 1);
  for (guint i = 0; i < self->segments->len; i++)
    start[(upper ? PARE_S (self, i)->upper : PARE_S (self, i)->lower) + 1]++;
  for (guint v = 0; v < n; v++)
    start[v + 1] += start[v];
  g_autofree guint *fill = g_memdup2 (start, sizeof *start * (n + 1));
  for (guint i = 0; i < self->segments->len; i++)
    list[fill[upper ? PARE_S (self, i)->upper : PARE_S (self, i)->lower]++] = i;
  *start_out = start;
  *list_out = list;
}

/* One chain for all far targets of a hyperedge, as long as its farthest: the number of dummies does not grow with the fan-out. */
void
pare_level_make_chains (PareLevel *self)
{
  for (guint h = 0; h < self->hypers->len; h++)
    {
      PareHyper *hyper = PARE_H (self, h);
      gint32 rank = PARE_V (self, hyper->from)->rank, far = rank;
      for (guint t = 0; t < hyper->targets->len; t++)
        far = MAX (far, PARE_V (self, PARE_T (hyper, t)->to)->rank);
      hyper->first_dummy = self->vertices->len;
      hyper->n_dummies = far > rank + 1 ? (guint)(far - rank - 1) : 0;
      for (guint k = 0; k < hyper->n_dummies; k++)
        {
          PareVertex dummy = { .kind = PARE_VERTEX_DUMMY, .index = h, .rank = rank + 1 + (gint32)k };
          g_array_append_val (self->vertices, dummy);
          if (k == 0)
            add_segment (self, hyper->from, hyper->from_off, hyper->first_dummy, 0, h, PARE_LAYOUT_NONE);
          else
            add_segment (self, hyper->first_dummy + k - 1, 0, hyper->first_dummy + k, 0, h, PARE_LAYOUT_NONE);
        }
      for (guint t = 0; t < hyper->targets->len; t++)
        {
          PareTarget *target = PARE_T (hyper, t);
          gint32 to = PARE_V (self, target->to)->rank;
          if (to == rank + 1)
            add_segment (self, hyper->from, hyper->from_off, target->to, target->to_off, h, t);
          else
            add_segment (self, hyper->first_dummy + (guint)(to - rank - 2), 0, target->to, target->to_off, h, t);
        }
    }
  index_segments (self, TRUE, &self->down_start, &self->down);
  index_segments (self, FALSE, &self->up_start, &self->up);
}
