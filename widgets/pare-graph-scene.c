/* What is visible for a state of folds: items, frames and edges with coordinates, and the bands that cull them. */
#include "widgets/pare-graph-model.h"

#include <math.h>
#include <string.h>

#define BAND 800.0

static double
text_width (const char *text)
{
  return 6.4 * (double)g_utf8_strlen (text, -1); /* of 12 px type; layout runs where there are no fonts */
}

static void
item_size (const PareGraphModel *m, const PareSceneItem *item, PareGraphShow show, double *w, double *h)
{
  if (item->is_group)
    {
      const PareShownGroup *g = &m->groups[item->index];
      *w = g->kind == PARE_GROUP_RUN ? PARE_RUN_WIDTH : PARE_CARD_WIDTH;
      *h = g->kind == PARE_GROUP_RUN ? PARE_CARD_HEIGHT : PARE_FOLDED_HEIGHT;
      return;
    }
  const PareShown *s = &m->shown[item->index];
  *w = PARE_CARD_WIDTH;
  *h = PARE_CARD_HEIGHT;
  guint lines = pare_shown_n_lines (s, show);
  if (s->kind != PARE_SHOWN_CARD)
    {
      if (lines == 0)
        *w = 2 * ceil (CLAMP (text_width (s->title) + 26, 64, PARE_CARD_WIDTH) / 2);
      *h = PARE_SMALL_HEIGHT + (lines > 0 ? 4 : 0);
    }
  *h += PARE_LINE_HEIGHT * lines;
}

/* The outermost folded group around a place; -1: it is visible. */
static gint32
hiding_group (const PareGraphModel *m, const gboolean *folded, gint32 group)
{
  gint32 hiding = -1;
  for (; group >= 0; group = m->groups[group].parent)
    if (folded[group])
      hiding = group;
  return hiding;
}

typedef struct
{
  guint32 from, to, shown;
} Link;

static int
compare_links (gconstpointer x, gconstpointer y)
{
  const Link *a = x, *b = y;
  return a->from != b->from    ? (a->from < b->from ? -1 : 1)
         : a->to != b->to      ? (a->to < b->to ? -1 : 1)
         : a->shown < b->shown ? -1
                               : a->shown > b->shown;
}

static void
find_items (PareGraphScene *self)
{
  PareGraphModel *m = self->model;
  g_autoptr (GArray) items = g_array_new (FALSE, TRUE, sizeof (PareSceneItem));
  self->item_of_shown = g_new (gint32, m->n_shown + 1);
  self->item_of_group = g_new (gint32, m->n_groups + 1);
  memset (self->item_of_group, 0xff, sizeof (gint32) * (m->n_groups + 1));
  for (guint i = 0; i < m->n_shown; i++)
    {
      gint32 hiding = hiding_group (m, self->folded, m->shown[i].group);
      if (hiding >= 0 && self->item_of_group[hiding] >= 0)
        {
          self->item_of_shown[i] = self->item_of_group[hiding];
          continue;
        }
      PareSceneItem item = { .is_group = hiding >= 0, .index = hiding >= 0 ? (guint32)hiding : i };
      item.frame = hiding >= 0 ? m->groups[hiding].parent : m->shown[i].group;
      self->item_of_shown[i] = (gint32)items->len;
      if (hiding >= 0)
        self->item_of_group[hiding] = (gint32)items->len;
      g_array_append_val (items, item);
    }
  self->n_items = items->len;
  self->items = (PareSceneItem *)(void *)g_array_free (g_steal_pointer (&items), FALSE);
}

static void
find_frames (PareGraphScene *self)
{
  PareGraphModel *m = self->model;
  guint deepest = 0;
  self->frames = g_new0 (PareSceneFrame, m->n_groups + 1);
  self->frame_of_group = g_new (gint32, m->n_groups + 1);
  for (guint g = 0; g < m->n_groups; g++)
    {
      deepest = MAX (deepest, m->groups[g].depth);
      self->frame_of_group[g] = -1;
    }
  for (guint depth = 0; depth <= deepest; depth++)
    for (guint g = 0; g < m->n_groups; g++)
      if (m->groups[g].depth == depth && hiding_group (m, self->folded, (gint32)g) < 0)
        {
          self->frame_of_group[g] = (gint32)self->n_frames;
          self->frames[self->n_frames++].group = (gint32)g;
        }
}

static void
find_edges (PareGraphScene *self)
{
  PareGraphModel *m = self->model;
  g_autoptr (GArray) links = g_array_new (FALSE, FALSE, sizeof (Link));
  for (guint i = 0; i < m->n_edges; i++)
    {
      Link l = { (guint32)self->item_of_shown[m->edges[i].from], (guint32)self->item_of_shown[m->edges[i].to], m->edges[i].from };
      if (l.from != l.to)
        g_array_append_val (links, l);
    }
  g_array_sort (links, compare_links);
  self->edges = g_new0 (PareSceneEdge, links->len + 1);
  for (guint i = 0; i < links->len; i++)
    {
      Link l = g_array_index (links, Link, i);
      if (self->n_edges == 0 || self->edges[self->n_edges - 1].from != l.from || self->edges[self->n_edges - 1].to != l.to)
        self->edges[self->n_edges++] = (PareSceneEdge){ .from = l.from, .to = l.to, .shown = l.shown };
    }
}

static gboolean
lay_out (PareGraphScene *self, PareControl *control, GError **error)
{
  PareGraphModel *m = self->model;
  g_autofree PareLayoutNode *nodes = g_new0 (PareLayoutNode, self->n_items + 1);
  g_autofree PareLayoutEdge *edges = g_new0 (PareLayoutEdge, self->n_edges + 1);
  g_autofree PareLayoutGroup *groups = g_new0 (PareLayoutGroup, self->n_frames + 1);
  for (guint i = 0; i < self->n_items; i++)
    {
      item_size (m, &self->items[i], self->show, &nodes[i].width, &nodes[i].height);
      nodes[i].parent = self->items[i].frame < 0 ? -1 : self->frame_of_group[self->items[i].frame];
    }
  for (guint i = 0; i < self->n_edges; i++)
    edges[i] = (PareLayoutEdge){ self->edges[i].from, self->edges[i].to };
  for (guint i = 0; i < self->n_frames; i++)
    {
      gint32 parent = m->groups[self->frames[i].group].parent;
      groups[i] = (PareLayoutGroup){ parent < 0 ? -1 : self->frame_of_group[parent], PARE_FRAME_HEADER, PARE_FRAME_PADDING };
    }
  PareLayoutInput in = { nodes, self->n_items, edges, self->n_edges, groups, self->n_frames, 34, 24 };
  self->layout = pare_layout_compute (&in, control, error);
  if (self->layout == NULL)
    return FALSE;
  for (guint i = 0; i < self->n_items; i++)
    self->items[i].rect = self->layout->nodes[i];
  for (guint i = 0; i < self->n_frames; i++)
    self->frames[i].rect = self->layout->groups[i];
  for (guint i = 0; i < self->n_edges; i++)
    {
      double x0 = G_MAXDOUBLE, y0 = G_MAXDOUBLE, x1 = -G_MAXDOUBLE, y1 = -G_MAXDOUBLE;
      for (guint k = 0; k < self->layout->edges[i].n; k++)
        {
          const double *p = self->layout->points + 2 * (self->layout->edges[i].first + k);
          x0 = MIN (x0, p[0]), x1 = MAX (x1, p[0]), y0 = MIN (y0, p[1]), y1 = MAX (y1, p[1]);
        }
      self->edges[i].bounds = (PareLayoutRect){ x0, y0, x1 - x0, y1 - y0 };
    }
  return TRUE;
}

static void
index_edges (const PareGraphScene *self, gboolean outgoing, guint **start_out, guint **list_out)
{
  guint *start = g_new0 (guint, self->n_items + 2), *list = g_new (guint, self->n_edges + 1);
  for (guint i = 0; i < self->n_edges; i++)
    start[(outgoing ? self->edges[i].from : self->edges[i].to) + 1]++;
  for (guint v = 0; v < self->n_items; v++)
    start[v + 1] += start[v];
  g_autofree guint *fill = g_memdup2 (start, sizeof *start * (self->n_items + 1));
  for (guint i = 0; i < self->n_edges; i++)
    list[fill[outgoing ? self->edges[i].from : self->edges[i].to]++] = i;
  for (guint v = 0; v < self->n_items; v++) /* by x of the other end; insertion, for fans are small or sorted */
    for (guint k = start[v] + 1; k < start[v + 1] && start[v + 1] - start[v] < 500; k++)
      for (guint j = k; j > start[v]; j--)
        {
          const PareLayoutRect *a = &self->items[outgoing ? self->edges[list[j - 1]].to : self->edges[list[j - 1]].from].rect;
          const PareLayoutRect *b = &self->items[outgoing ? self->edges[list[j]].to : self->edges[list[j]].from].rect;
          if (a->x + a->width / 2 <= b->x + b->width / 2)
            break;
          guint keep = list[j];
          list[j] = list[j - 1];
          list[j - 1] = keep;
        }
  *start_out = start;
  *list_out = list;
}

/* Where one route turns off the line of another of the same source, a dot says that they are one. */
static void
find_dots (PareGraphScene *self)
{
  g_autoptr (GArray) dots = g_array_new (FALSE, FALSE, sizeof (double)), sources = g_array_new (FALSE, FALSE, sizeof (guint));
  const PareLayout *l = self->layout;
  for (guint v = 0; v < self->n_items; v++)
    {
      guint n = self->out_start[v + 1] - self->out_start[v];
      if (n < 2)
        continue;
      guint first = dots->len;
      for (guint a = 0; a < n && n <= 400; a++)
        {
          const PareLayoutRoute *r = &l->edges[self->out[self->out_start[v] + a]];
          for (guint i = 1; i + 1 < r->n; i++)
            {
              const double *p = l->points + 2 * (r->first + i);
              if (fabs (p[-2] - p[0]) > 0.5 || fabs (p[1] - p[-1]) < 0.5)
                continue; /* only where a vertical line is left */
              gboolean parts = FALSE;
              for (guint b = 0; b < n && !parts; b++)
                {
                  const PareLayoutRoute *o = &l->edges[self->out[self->out_start[v] + b]];
                  for (guint k = 0; k + 1 < o->n && !parts && b != a; k++)
                    {
                      const double *q = l->points + 2 * (o->first + k);
                      gboolean vertical = fabs (q[0] - q[2]) < 0.5;
                      if (vertical)
                        parts = fabs (q[0] - p[0]) < 0.5 && q[1] < p[1] - 0.5 && q[3] > p[1] + 0.5;
                      else if (fabs (q[0] - p[0]) < 0.5 && fabs (q[1] - p[1]) < 0.5)
                        parts = (q[2] - q[0]) * (p[2] - p[0]) < 0;
                    }
                }
              for (guint k = first; k < dots->len && parts; k += 2)
                parts = fabs (g_array_index (dots, double, k) - p[0]) > 0.5 || fabs (g_array_index (dots, double, k + 1) - p[1]) > 0.5;
              if (parts)
                {
                  g_array_append_vals (dots, p, 2);
                  g_array_append_val (sources, v);
                }
            }
        }
    }
  self->n_dots = dots->len / 2;
  self->dots = (double *)(void *)g_array_free (g_steal_pointer (&dots), FALSE);
  self->dot_source = (guint *)(void *)g_array_free (g_steal_pointer (&sources), FALSE);
}

static void
make_bands (PareGraphScene *self)
{
  self->band_height = BAND;
  self->n_bands = (guint)CLAMP (ceil (self->layout->height / BAND), 1, 100000);
  self->band_height = MAX (self->layout->height / self->n_bands, 1);
  for (int edges = 0; edges < 2; edges++)
    {
      guint n = edges ? self->n_edges : self->n_items, total = 0;
      guint *start = g_new0 (guint, self->n_bands + 2), *list = NULL;
      for (int fill = 0; fill < 2; fill++)
        {
          g_autofree guint *at = fill ? g_memdup2 (start, sizeof *start * (self->n_bands + 1)) : NULL;
          for (guint i = 0; i < n; i++)
            {
              const PareLayoutRect *r = edges ? &self->edges[i].bounds : &self->items[i].rect;
              guint first, last;
              pare_graph_scene_bands (self, r->y, r->y + r->height, &first, &last);
              for (guint b = first; b <= last; b++)
                if (fill)
                  list[at[b]++] = i;
                else
                  start[b + 1]++;
            }
          if (!fill)
            {
              for (guint b = 0; b < self->n_bands; b++)
                start[b + 1] += start[b];
              total = start[self->n_bands];
              list = g_new (guint, total + 1);
            }
        }
      *(edges ? &self->band_edges_start : &self->band_items_start) = start;
      *(edges ? &self->band_edges : &self->band_items) = list;
    }
}

PareGraphScene *
pare_graph_scene_new (PareGraphModel *model, const gboolean *folded, PareGraphShow show, PareControl *control, GError **error)
{
  PareGraphScene *self = g_new0 (PareGraphScene, 1);
  g_atomic_ref_count_init (&self->refs);
  self->model = pare_graph_model_ref (model);
  self->show = show;
  self->folded = g_memdup2 (folded, sizeof *folded * (model->n_groups + 1));
  find_items (self);
  find_frames (self);
  find_edges (self);
  if (!lay_out (self, control, error))
    {
      pare_graph_scene_unref (self);
      return NULL;
    }
  index_edges (self, TRUE, &self->out_start, &self->out);
  index_edges (self, FALSE, &self->in_start, &self->in);
  find_dots (self);
  make_bands (self);
  return self;
}

PareGraphScene *
pare_graph_scene_ref (PareGraphScene *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
pare_graph_scene_unref (PareGraphScene *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  pare_graph_model_unref (self->model);
  g_clear_pointer (&self->layout, pare_layout_free);
  g_free (self->folded);
  g_free (self->items);
  g_free (self->edges);
  g_free (self->frames);
  g_free (self->item_of_shown);
  g_free (self->frame_of_group);
  g_free (self->item_of_group);
  g_free (self->out_start);
  g_free (self->out);
  g_free (self->in_start);
  g_free (self->in);
  g_free (self->dots);
  g_free (self->dot_source);
  g_free (self->band_items_start);
  g_free (self->band_items);
  g_free (self->band_edges_start);
  g_free (self->band_edges);
  g_free (self);
}

void
pare_graph_scene_bands (const PareGraphScene *self, double y0, double y1, guint *first, guint *last)
{
  *first = (guint)CLAMP (floor (y0 / self->band_height), 0, self->n_bands - 1);
  *last = (guint)CLAMP (floor (y1 / self->band_height), *first, self->n_bands - 1);
}

static gboolean
contains (const PareLayoutRect *r, double x, double y)
{
  return x >= r->x && y >= r->y && x < r->x + r->width && y < r->y + r->height;
}

gint32
pare_graph_scene_item_at (const PareGraphScene *self, double x, double y)
{
  if (!(y >= 0 && y <= self->layout->height))
    return -1;
  guint first, last;
  pare_graph_scene_bands (self, y, y, &first, &last);
  for (guint k = self->band_items_start[first]; k < self->band_items_start[first + 1]; k++)
    if (contains (&self->items[self->band_items[k]].rect, x, y))
      return (gint32)self->band_items[k];
  return -1;
}

gint32
pare_graph_scene_header_at (const PareGraphScene *self, double x, double y)
{
  for (guint i = self->n_frames; i-- > 0;)
    {
      PareLayoutRect r = self->frames[i].rect;
      r.height = PARE_FRAME_HEADER;
      if (contains (&r, x, y))
        return self->frames[i].group;
    }
  return -1;
}
