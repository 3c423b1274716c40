/* Fourth pass: the order within each rank. Median sweeps down and up with transposition, from a depth-first order in which the long
 * edges come first and so run on the left; the best order seen wins. No randomness: the same graph is always drawn the same. */
#include "engine/layout/pare-layout-private.h"

#include <stdlib.h>
#include <string.h>

/* Where a segment meets a vertex, in units of positions: ports of one vertex are told apart by their offset. */
static inline double
meet (const PareVertex *v, double off)
{
  return v->pos + (v->width > 0 ? CLAMP (off / v->width, -0.5, 0.5) * 0.99 : 0);
}

typedef struct
{
  double a, b;
} Pair;

static int
compare_pairs (const void *x, const void *y)
{
  const Pair *a = x, *b = y;
  return a->a != b->a ? (a->a < b->a ? -1 : 1) : a->b != b->b ? (a->b < b->b ? -1 : 1) : 0;
}

static guint64
inversions (double *v, double *spare, guint n)
{
  if (n < 2)
    return 0;
  guint half = n / 2;
  guint64 count = inversions (v, spare, half) + inversions (v + half, spare, n - half);
  memcpy (spare, v, sizeof *v * half);
  for (guint i = 0, j = half, k = 0; i < half;)
    {
      if (j < n && v[j] < spare[i])
        {
          count += half - i;
          v[k++] = v[j++];
        }
      else
        v[k++] = spare[i++];
    }
  return count;
}

static guint64
crossings_below (const PareLevel *self, guint rank, GArray *pairs, GArray *values)
{
  g_array_set_size (pairs, 0);
  for (guint i = 0; i < self->counts[rank]; i++)
    {
      guint32 v = self->order[rank][i];
      for (guint k = self->down_start[v]; k < self->down_start[v + 1]; k++)
        {
          const PareSegment *s = PARE_S (self, self->down[k]);
          Pair p = { meet (PARE_V (self, v), s->upper_off), meet (PARE_V (self, s->lower), s->lower_off) };
          g_array_append_val (pairs, p);
        }
    }
  guint n = pairs->len;
  if (n < 2)
    return 0;
  qsort (pairs->data, n, sizeof (Pair), compare_pairs);
  g_array_set_size (values, 2 * n);
  double *v = (double *)(void *)values->data;
  for (guint i = 0; i < n; i++)
    v[i] = g_array_index (pairs, Pair, i).b;
  return inversions (v, v + n, n);
}

guint
pare_level_count_crossings (const PareLevel *self)
{
  g_autoptr (GArray) pairs = g_array_new (FALSE, FALSE, sizeof (Pair)), values = g_array_new (FALSE, FALSE, sizeof (double));
  guint64 sum = 0;
  for (guint r = 0; r + 1 < self->n_ranks; r++)
    sum += crossings_below (self, r, pairs, values);
  return (guint)MIN (sum, G_MAXUINT);
}

static void
append (PareLevel *self, guint32 v, guint8 *seen)
{
  PareVertex *vertex = PARE_V (self, v);
  seen[v] = 1;
  vertex->pos = (gint32)self->counts[vertex->rank];
  self->order[vertex->rank][self->counts[vertex->rank]++] = v;
}

static void
first_order (PareLevel *self)
{
  guint n = self->vertices->len;
  self->order = g_new0 (guint32 *, self->n_ranks + 1);
  self->counts = g_new0 (guint, self->n_ranks + 1);
  for (guint v = 0; v < n; v++)
    self->counts[PARE_V (self, v)->rank]++;
  for (guint r = 0; r < self->n_ranks; r++)
    {
      self->order[r] = g_new (guint32, self->counts[r]);
      self->counts[r] = 0;
    }
  g_autofree guint8 *seen = g_new0 (guint8, n + 1);
  g_autofree guint32 *stack = g_new (guint32, n + 1);
  g_autofree guint *cursor = g_new (guint, n + 1);
  for (guint root = 0; root < n; root++)
    {
      if (self->up_start[root] != self->up_start[root + 1])
        continue; /* every vertex hangs below some top: the level has no cycles */
      guint depth = 0;
      append (self, root, seen);
      stack[0] = root;
      cursor[0] = self->down_start[root];
      for (;;)
        {
          if (cursor[depth] == self->down_start[stack[depth] + 1])
            {
              if (depth-- == 0)
                break;
              continue;
            }
          guint32 next = PARE_S (self, self->down[cursor[depth]++])->lower;
          if (seen[next])
            continue;
          append (self, next, seen);
          depth++;
          stack[depth] = next;
          cursor[depth] = self->down_start[next];
        }
    }
}

typedef struct
{
  double key;
  gint32 old;
  guint32 vertex;
} Entry;

static int
compare_entries (const void *x, const void *y)
{
  const Entry *a = x, *b = y;
  return a->key != b->key ? (a->key < b->key ? -1 : 1) : a->old - b->old;
}

static int
compare_doubles (const void *x, const void *y)
{
  double a = *(const double *)x, b = *(const double *)y;
  return a < b ? -1 : a > b;
}

/* Weighted median of where a vertex meets the neighbouring rank (Gansner et al.); -1: no neighbour. */
static double
median (const PareLevel *self, guint32 v, gboolean down, GArray *values)
{
  const guint *start = down ? self->up_start : self->down_start, *list = down ? self->up : self->down;
  g_array_set_size (values, 0);
  for (guint k = start[v]; k < start[v + 1]; k++)
    {
      const PareSegment *s = PARE_S (self, list[k]);
      double at = down ? meet (PARE_V (self, s->upper), s->upper_off) : meet (PARE_V (self, s->lower), s->lower_off);
      g_array_append_val (values, at);
    }
  guint n = values->len;
  double *x = (double *)(void *)values->data;
  if (n == 0)
    return -1;
  qsort (x, n, sizeof *x, compare_doubles);
  if (n & 1)
    return x[n / 2];
  if (n == 2)
    return (x[0] + x[1]) / 2;
  double left = x[n / 2 - 1] - x[0], right = x[n - 1] - x[n / 2];
  return left + right > 0 ? (x[n / 2 - 1] * right + x[n / 2] * left) / (left + right) : (x[n / 2 - 1] + x[n / 2]) / 2;
}

static void
sort_rank (PareLevel *self, guint r, gboolean down, GArray *values, GArray *entries)
{
  guint n = self->counts[r];
  g_array_set_size (entries, 0);
  for (guint i = 0; i < n; i++)
    {
      guint32 v = self->order[r][i];
      Entry e = { median (self, v, down, values), (gint32)i, v };
      if (e.key >= 0)
        g_array_append_val (entries, e);
      else
        self->order[r][i] |= 0x80000000u; /* no neighbour: keeps its place */
    }
  if (entries->len > 1)
    qsort (entries->data, entries->len, sizeof (Entry), compare_entries);
  for (guint i = 0, next = 0; i < n; i++)
    {
      if (self->order[r][i] & 0x80000000u)
        self->order[r][i] &= 0x7fffffffu;
      else
        self->order[r][i] = g_array_index (entries, Entry, next++).vertex;
      PARE_V (self, self->order[r][i])->pos = (gint32)i;
    }
}

/* Crossings of the segments of a and b towards one side when a is left of b, minus when b is left of a. */
static gint64
gain (const PareLevel *self, guint32 a, guint32 b, gboolean up)
{
  const guint *start = up ? self->up_start : self->down_start, *list = up ? self->up : self->down;
  gint64 sum = 0;
  for (guint i = start[a]; i < start[a + 1]; i++)
    {
      const PareSegment *s = PARE_S (self, list[i]);
      double x = up ? meet (PARE_V (self, s->upper), s->upper_off) : meet (PARE_V (self, s->lower), s->lower_off);
      for (guint j = start[b]; j < start[b + 1]; j++)
        {
          const PareSegment *t = PARE_S (self, list[j]);
          double y = up ? meet (PARE_V (self, t->upper), t->upper_off) : meet (PARE_V (self, t->lower), t->lower_off);
          sum += x > y ? 1 : x < y ? -1 : 0;
        }
    }
  return sum;
}

static void
transpose (PareLevel *self)
{
  for (int round = 0; round < 4; round++)
    {
      gboolean better = FALSE;
      for (guint r = 0; r < self->n_ranks; r++)
        for (guint i = 0; i + 1 < self->counts[r]; i++)
          {
            guint32 a = self->order[r][i], b = self->order[r][i + 1];
            gsize da = self->up_start[a + 1] - self->up_start[a] + self->down_start[a + 1] - self->down_start[a];
            gsize db = self->up_start[b + 1] - self->up_start[b] + self->down_start[b + 1] - self->down_start[b];
            if (da * db > 40000 || gain (self, a, b, TRUE) + gain (self, a, b, FALSE) <= 0)
              continue;
            self->order[r][i] = b;
            self->order[r][i + 1] = a;
            PARE_V (self, b)->pos = (gint32)i;
            PARE_V (self, a)->pos = (gint32)i + 1;
            better = TRUE;
          }
      if (!better)
        return;
    }
}

gboolean
pare_level_order (PareLevel *self, PareControl *control, GError **error)
{
  first_order (self);
  guint n = self->vertices->len;
  guint64 best = pare_level_count_crossings (self);
  if (best == 0)
    {
      self->crossings = 0;
      return TRUE;
    }
  g_autoptr (GArray) values = g_array_new (FALSE, FALSE, sizeof (double)), entries = g_array_new (FALSE, FALSE, sizeof (Entry));
  g_autofree gint32 *keep = g_new (gint32, n + 1);
  for (guint v = 0; v < n; v++)
    keep[v] = PARE_V (self, v)->pos;
  guint sweeps = n > 100000 ? 6 : n > 20000 ? 12 : 24;
  for (guint sweep = 0, idle = 0; sweep < sweeps && idle < 6 && best > 0; sweep++)
    {
      gboolean down = (sweep & 1) == 0;
      for (guint k = 1; k < self->n_ranks; k++)
        {
          if ((k & 255) == 0 && pare_control_check (control, error))
            return FALSE;
          sort_rank (self, down ? k : self->n_ranks - 1 - k, down, values, entries);
        }
      if (pare_control_check (control, error))
        return FALSE;
      transpose (self);
      guint64 now = pare_level_count_crossings (self);
      idle = now < best ? 0 : idle + 1;
      if (now < best)
        {
          best = now;
          for (guint v = 0; v < n; v++)
            keep[v] = PARE_V (self, v)->pos;
        }
    }
  for (guint v = 0; v < n; v++)
    {
      PareVertex *vertex = PARE_V (self, v);
      vertex->pos = keep[v];
      self->order[vertex->rank][keep[v]] = v;
    }
  self->crossings = (guint)MIN (best, G_MAXUINT);
  return TRUE;
}
