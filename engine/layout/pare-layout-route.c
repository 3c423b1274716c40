/* Sixth pass: y, and the lines. Between two ranks, all lines out of one port are one net: a trunk down to its own track, a run along
 * it, drops to the targets. Tracks are ordered so that few nets cross. A long edge enters its target from the side when nothing
 * stands between. */
#include "engine/layout/pare-layout-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TRACK_GAP 8.0
#define ARROW_ROOM 14.0 /* below the last track, so that arrow heads have a stem */
#define STRAIGHT 0.75

typedef struct
{
  double from, left, right;
  guint first, n; /* drops, in Gap.drops */
  gint64 score;
  gint32 track;
  guint id;
} Net;

typedef struct
{
  GArray *nets;      /* Net, only those that need a track */
  GArray *drops;     /* double */
  gint32 *net_track; /* of each segment; -1: straight */
} Gap;

/* Crossings (and, far worse, overlapping verticals) when a's track is above b's. */
static gint64
cost_above (const Gap *g, const Net *a, const Net *b)
{
  gint64 cost = 0;
  const double *drops = (const double *)(void *)g->drops->data;
  for (guint i = 0; i < a->n; i++)
    {
      double x = drops[a->first + i];
      if (fabs (x - b->from) < STRAIGHT)
        cost += 1000;
      if (x > b->left + STRAIGHT && x < b->right - STRAIGHT)
        cost++;
    }
  if (b->from > a->left + STRAIGHT && b->from < a->right - STRAIGHT)
    cost++;
  return cost;
}

static int
compare_nets (const void *x, const void *y)
{
  const Net *a = x, *b = y;
  if (a->score != b->score)
    return a->score > b->score ? -1 : 1;
  return a->from != b->from ? (a->from < b->from ? -1 : 1) : a->id < b->id ? -1 : a->id > b->id;
}

static gint32
assign_tracks (Gap *g)
{
  guint n = g->nets->len;
  Net *nets = (Net *)(void *)g->nets->data;
  for (guint i = 0; i < n && n <= 400; i++)
    for (guint j = 0; j < n; j++)
      if (i != j && nets[i].left <= nets[j].right && nets[j].left <= nets[i].right)
        nets[i].score += cost_above (g, &nets[j], &nets[i]) - cost_above (g, &nets[i], &nets[j]);
  if (n > 1)
    qsort (nets, n, sizeof (Net), compare_nets);
  for (int round = 0; round < 6 && n <= 400; round++) /* scores are sums over all: repair neighbours */
    {
      gboolean swapped = FALSE;
      for (guint i = 0; i + 1 < n; i++)
        if (nets[i].left <= nets[i + 1].right && nets[i + 1].left <= nets[i].right
            && cost_above (g, &nets[i + 1], &nets[i]) < cost_above (g, &nets[i], &nets[i + 1]))
          {
            Net keep = nets[i];
            nets[i] = nets[i + 1];
            nets[i + 1] = keep;
            swapped = TRUE;
          }
      if (!swapped)
        break;
    }
  gint32 last = -1;
  for (guint i = 0; i < n; i++)
    {
      nets[i].track = 0;
      for (guint j = n <= 2000 ? 0 : i > 200 ? i - 200 : 0; j < i; j++)
        if (nets[j].left <= nets[i].right + 2 && nets[i].left <= nets[j].right + 2)
          nets[i].track = MAX (nets[i].track, nets[j].track + 1);
      last = MAX (last, nets[i].track);
    }
  return last + 1;
}

/* Long edges come into the side of what merges them, where the way is free. */
static void
choose_sides (PareLevel *self)
{
  for (guint v = 0; v < self->vertices->len; v++)
    {
      const PareVertex *t = PARE_V (self, v);
      guint n = self->up_start[v + 1] - self->up_start[v];
      if (t->kind != PARE_VERTEX_NODE || n < 2)
        continue;
      for (int side = -1; side <= 1; side += 2)
        {
          double border = t->x + side * t->width / 2, best = 0;
          PareSegment *chosen = NULL;
          gint32 at = t->pos + side;
          const PareVertex *next = at >= 0 && at < (gint32)self->counts[t->rank] ? PARE_V (self, self->order[t->rank][at]) : NULL;
          for (guint k = self->up_start[v]; k < self->up_start[v + 1]; k++)
            {
              PareSegment *s = PARE_S (self, self->up[k]);
              const PareVertex *u = PARE_V (self, s->upper);
              double x = u->x + s->upper_off, away = (x - border) * side;
              if (s->side != 0 || u->kind == PARE_VERTEX_GROUP || away < 8 || (chosen != NULL && away > best))
                continue;
              gboolean own = next != NULL && next->kind == PARE_VERTEX_DUMMY && next->index == s->hyper && fabs (next->x - x) < STRAIGHT;
              if (next != NULL && !own && (next->x - side * next->width / 2 - x) * side < 8)
                continue;
              chosen = s;
              best = away;
            }
          if (chosen != NULL)
            chosen->side = (gint8)side;
        }
    }
}

static void
add_point (PareLevel *self, guint first, double x, double y)
{
  GArray *p = self->points;
  double *d = (double *)(void *)p->data;
  guint n = p->len;
  if (n >= first + 2 && fabs (d[n - 2] - x) < 0.01 && fabs (d[n - 1] - y) < 0.01)
    return;
  g_array_append_val (p, x);
  g_array_append_val (p, y);
}

/* One step of a route, from the upper end of a segment to its lower end. */
static void
follow (PareLevel *self, const PareSegment *s, guint id, const Gap *gaps, const double *bottoms, const double *track_top, guint first)
{
  const PareVertex *u = PARE_V (self, s->upper), *v = PARE_V (self, s->lower);
  double x0 = u->x + s->upper_off, x1 = v->x + s->lower_off;
  gint32 track = gaps->net_track[id];
  if (s->side != 0)
    {
      add_point (self, first, x0, v->y);
      add_point (self, first, v->x + s->side * v->width / 2, v->y);
      return;
    }
  if (track >= 0)
    {
      double y = track_top[u->rank] + track * TRACK_GAP;
      add_point (self, first, x0, y);
      add_point (self, first, x1, y);
    }
  double top = v->kind == PARE_VERTEX_DUMMY ? v->y : v->kind == PARE_VERTEX_OUT ? bottoms[v->rank] : v->y - v->height / 2;
  add_point (self, first, x1, top);
}

static void
make_routes (PareLevel *self, const Gap *gaps, const double *bottoms, const double *track_top)
{
  guint n = self->hypers->len;
  g_autofree guint *chain = g_new0 (guint, self->vertices->len + 1); /* segment that leads to a dummy */
  for (guint i = 0; i < self->segments->len; i++)
    if (PARE_S (self, i)->target == PARE_LAYOUT_NONE)
      chain[PARE_S (self, i)->lower] = i;
  g_autofree guint *arrival = g_new (guint, self->segments->len + 1), *offset = g_new0 (guint, n + 2);
  for (guint h = 0; h < n; h++)
    offset[h + 1] = offset[h] + PARE_H (self, h)->targets->len;
  for (guint i = 0; i < self->segments->len; i++)
    if (PARE_S (self, i)->target != PARE_LAYOUT_NONE)
      arrival[offset[PARE_S (self, i)->hyper] + PARE_S (self, i)->target] = i;
  for (guint h = 0; h < n; h++)
    {
      PareHyper *hyper = PARE_H (self, h);
      const PareVertex *from = PARE_V (self, hyper->from);
      for (guint t = 0; t < hyper->targets->len; t++)
        {
          PareTarget *target = PARE_T (hyper, t);
          target->first = self->points->len;
          double y = from->kind == PARE_VERTEX_IN ? 0 : from->y + from->height / 2;
          add_point (self, target->first, from->x + hyper->from_off, y);
          guint last = arrival[offset[h] + t];
          gint32 steps = PARE_V (self, target->to)->rank - from->rank - 1;
          for (gint32 k = 0; k < steps; k++)
            follow (self, PARE_S (self, chain[hyper->first_dummy + k]), chain[hyper->first_dummy + k], gaps, bottoms, track_top,
                    target->first);
          follow (self, PARE_S (self, last), last, gaps, bottoms, track_top, target->first);
          target->n = (self->points->len - target->first) / 2;
        }
    }
}

void
pare_level_route (PareLevel *self)
{
  guint n_ranks = self->n_ranks, n_segments = self->segments->len;
  self->height = self->header + 2 * self->padding;
  if (n_ranks == 0)
    return;
  choose_sides (self);
  Gap g = { g_array_new (FALSE, FALSE, sizeof (Net)), g_array_new (FALSE, FALSE, sizeof (double)), g_new (gint32, n_segments + 1) };
  g_autofree double *bottoms = g_new (double, n_ranks + 1), *track_top = g_new (double, n_ranks + 1);
  g_autofree guint *net_of = g_new (guint, n_segments + 1);
  gboolean in = PARE_V (self, self->order[0][0])->kind == PARE_VERTEX_IN;
  double y = self->header + (in ? 0 : self->padding);
  for (guint r = 0; r < n_ranks; r++)
    {
      double height = 0;
      for (guint i = 0; i < self->counts[r]; i++)
        height = MAX (height, PARE_V (self, self->order[r][i])->height);
      for (guint i = 0; i < self->counts[r]; i++)
        PARE_V (self, self->order[r][i])->y = y + height / 2;
      g_array_set_size (g.nets, 0);
      g_array_set_size (g.drops, 0);
      for (guint i = 0; i < self->counts[r]; i++)
        {
          guint32 v = self->order[r][i];
          for (guint k = self->down_start[v]; k < self->down_start[v + 1]; k++)
            net_of[self->down[k]] = PARE_LAYOUT_NONE;
          for (guint k = self->down_start[v]; k < self->down_start[v + 1]; k++)
            {
              const PareSegment *s = PARE_S (self, self->down[k]);
              double from = PARE_V (self, v)->x + s->upper_off;
              g.net_track[self->down[k]] = -1;
              if (net_of[self->down[k]] != PARE_LAYOUT_NONE)
                continue;
              Net net = { .from = from, .left = from, .right = from, .first = g.drops->len, .id = g.nets->len };
              for (guint j = k; j < self->down_start[v + 1]; j++) /* all that leave by the same port for the same source */
                {
                  const PareSegment *o = PARE_S (self, self->down[j]);
                  if (o->hyper != s->hyper || o->side != 0)
                    continue;
                  double x = PARE_V (self, o->lower)->x + o->lower_off;
                  if (fabs (x - from) < STRAIGHT)
                    continue;
                  net.left = MIN (net.left, x);
                  net.right = MAX (net.right, x);
                  net_of[self->down[j]] = net.id;
                  g_array_append_val (g.drops, x);
                }
              net.n = g.drops->len - net.first;
              if (net.n > 0)
                g_array_append_val (g.nets, net);
            }
        }
      gint32 tracks = assign_tracks (&g);
      g_autofree gint32 *by_id = g_new (gint32, g.nets->len + 1);
      for (guint i = 0; i < g.nets->len; i++)
        by_id[g_array_index (g.nets, Net, i).id] = g_array_index (g.nets, Net, i).track;
      for (guint i = 0; i < self->counts[r]; i++)
        for (guint k = self->down_start[self->order[r][i]]; k < self->down_start[self->order[r][i] + 1]; k++)
          if (net_of[self->down[k]] != PARE_LAYOUT_NONE)
            g.net_track[self->down[k]] = by_id[net_of[self->down[k]]];
      y += height;
      gboolean into_frame = r == 0 && in, out_of_frame = r + 1 < n_ranks && PARE_V (self, self->order[r + 1][0])->kind == PARE_VERTEX_OUT;
      double gap = r + 1 == n_ranks ? 0 : into_frame || out_of_frame ? self->padding : self->rank_gap;
      double need = tracks > 0 ? (tracks - 1) * TRACK_GAP + ARROW_ROOM + TRACK_GAP : 0;
      gap = MAX (gap, need);
      track_top[r] = y + gap - ARROW_ROOM - MAX (tracks - 1, 0) * TRACK_GAP;
      if (out_of_frame && tracks > 0) /* leaving lines gather just above the frame */
        track_top[r] = y + TRACK_GAP;
      y += gap;
      bottoms[r] = y;
    }
  gboolean out = PARE_V (self, self->order[n_ranks - 1][0])->kind == PARE_VERTEX_OUT;
  self->height = y + (out ? 0 : self->padding);
  bottoms[n_ranks - 1] = self->height;
  make_routes (self, &g, bottoms, track_top);
  g_array_unref (g.nets);
  g_array_unref (g.drops);
  g_free (g.net_track);
}
