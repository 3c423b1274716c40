/* The whole view: canvas, frames, edges, nodes, marks. Only what is in sight is looked at; edges go into one node the size of the view. */
#include "widgets/pare-draw.h"
#include "widgets/pare-graph-view-private.h"

#include <glib/gi18n.h>
#include <math.h>

typedef struct
{
  double x0, y0, x1, y1;
} Sight; /* graph coordinates */

static gboolean
sees (const Sight *s, const PareLayoutRect *r)
{
  return r->x <= s->x1 && r->x + r->width >= s->x0 && r->y <= s->y1 && r->y + r->height >= s->y0;
}

/* Where things are painted: in motion somewhere else than the scene says. */
static const PareLayoutRect *
item_rect (PareGraphView *self, guint item)
{
  return self->moving != NULL ? &self->moving[item] : &self->scene->items[item].rect;
}

static const PareLayoutRect *
frame_rect (PareGraphView *self, guint frame)
{
  return self->moving_frames != NULL ? &self->moving_frames[frame] : &self->scene->frames[frame].rect;
}

/* How far an item is from its place. */
static void
item_off (PareGraphView *self, guint item, double *dx, double *dy)
{
  const PareLayoutRect *at = item_rect (self, item), *place = &self->scene->items[item].rect;
  *dx = at->x - place->x;
  *dy = at->y - place->y;
}

/* Point i of an edge's route; in motion it goes with its ends, more with the nearer one. */
static void
route_point (PareGraphView *self, guint e, guint i, double *x, double *y)
{
  const PareLayoutRoute *r = &self->scene->layout->edges[e];
  const double *p = self->scene->layout->points + 2 * (r->first + i);
  *x = p[0];
  *y = p[1];
  if (self->moving == NULL || r->n < 2)
    return;
  double ax, ay, bx, by, t = (double)i / (r->n - 1);
  item_off (self, self->scene->edges[e].from, &ax, &ay);
  item_off (self, self->scene->edges[e].to, &bx, &by);
  *x += ax + (bx - ax) * t;
  *y += ay + (by - ay) * t;
}

static PareLayoutRect
edge_bounds (PareGraphView *self, guint e)
{
  PareLayoutRect b = self->scene->edges[e].bounds;
  if (self->moving == NULL)
    return b;
  double ax, ay, bx, by;
  item_off (self, self->scene->edges[e].from, &ax, &ay);
  item_off (self, self->scene->edges[e].to, &bx, &by);
  return (PareLayoutRect){ b.x + MIN (ax, bx), b.y + MIN (ay, by), b.width + fabs (ax - bx), b.height + fabs (ay - by) };
}

static graphene_rect_t
to_view (PareGraphView *self, const PareLayoutRect *r)
{
  double x, y;
  pare_viewport_to_view (&self->viewport, r->x, r->y, &x, &y);
  return GRAPHENE_RECT_INIT ((float)x, (float)y, (float)(r->width * self->viewport.scale), (float)(r->height * self->viewport.scale));
}

static void
outline (GtkSnapshot *snapshot, graphene_rect_t rect, double out, double radius, double width, const GdkRGBA *colour)
{
  GskRoundedRect r;
  graphene_rect_inset (&rect, (float)-(out + width / 2), (float)-(out + width / 2));
  gsk_rounded_rect_init_from_rect (&r, &rect, (float)radius);
  float w = (float)width;
  gtk_snapshot_append_border (snapshot, &r, (float[4]){ w, w, w, w }, (GdkRGBA[4]){ *colour, *colour, *colour, *colour });
}

static void
text_at (PareGraphView *self, GtkSnapshot *snapshot, const char *text, double px, gboolean bold, const GdkRGBA *colour, double x, double y,
         double align, double max)
{
  g_autoptr (PangoLayout) layout = pare_graph_view_text (self, text, px, bold);
  if (max > 0)
    {
      pango_layout_set_width (layout, (int)(max * PANGO_SCALE));
      pango_layout_set_ellipsize (layout, PANGO_ELLIPSIZE_END);
      pango_layout_set_single_paragraph_mode (layout, TRUE);
    }
  PangoRectangle logical;
  pango_layout_get_extents (layout, NULL, &logical);
  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT ((float)(x - (logical.x + align * logical.width) / PANGO_SCALE),
                                                          (float)(y - (double)pango_layout_get_baseline (layout) / PANGO_SCALE)));
  gtk_snapshot_append_layout (snapshot, layout, colour);
  gtk_snapshot_restore (snapshot);
}

static void
draw_canvas (PareGraphView *self, GtkSnapshot *snapshot, float w, float h, gboolean with_grid)
{
  GdkRGBA canvas = pare_graph_view_canvas_colour (self), grid;
  gtk_snapshot_append_color (snapshot, &canvas, &GRAPHENE_RECT_INIT (0, 0, w, h));
  if (self->viewport.detail < PARE_DETAIL_NAME || self->look.high_contrast || !with_grid)
    return;
  gdk_rgba_parse (&grid, self->look.dark ? "#252526" : "#e9e9e7");
  double x = fmod (-self->viewport.x * self->viewport.scale, 24), y = fmod (-self->viewport.y * self->viewport.scale, 24);
  graphene_rect_t tile = GRAPHENE_RECT_INIT ((float)floor (x), (float)floor (y), 24, 24);
  gtk_snapshot_push_repeat (snapshot, &GRAPHENE_RECT_INIT (0, 0, w, h), &tile);
  gtk_snapshot_append_color (snapshot, &grid, &GRAPHENE_RECT_INIT (tile.origin.x, tile.origin.y, 2, 2));
  gtk_snapshot_pop (snapshot);
}

static void
draw_frame (PareGraphView *self, GtkSnapshot *snapshot, const PareLayoutRect *rect)
{
  double scale = self->viewport.scale;
  graphene_rect_t r = to_view (self, rect);
  GskRoundedRect rounded;
  GdkRGBA fill = pare_graph_view_frame_colour (self);
  gsk_rounded_rect_init_from_rect (&rounded, &r, (float)MIN (10 * scale + 2, 10));
  gtk_snapshot_push_rounded_clip (snapshot, &rounded);
  gtk_snapshot_append_color (snapshot, &fill, &r);
  gtk_snapshot_pop (snapshot);
  const GdkRGBA *line = &self->look.line;
  gtk_snapshot_append_border (snapshot, &rounded, (float[4]){ 1, 1, 1, 1 }, (GdkRGBA[4]){ *line, *line, *line, *line });
}

/* Title bars come after the edges: a line that enters a frame must not run through its name. */
static void
draw_header (PareGraphView *self, GtkSnapshot *snapshot, guint frame)
{
  const PareSceneFrame *f = &self->scene->frames[frame];
  const PareShownGroup *g = &self->model->groups[f->group];
  double scale = self->viewport.scale;
  graphene_rect_t r = to_view (self, frame_rect (self, frame));
  double header = PARE_FRAME_HEADER * scale, x = r.origin.x, y = r.origin.y, width = r.size.width;
  if (header < 12 || width < 60)
    return;
  double k = MIN (scale, 1.0), px = PARE_TICK_PX * MAX (scale, 1.0);
  if (k < 1)
    px = MAX (px * k, header >= 13 ? PARE_TICK_PX * MIN (1, header / 15) : 9);
  if (px < 8)
    return;
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT ((float)x, (float)y, 26, (float)header));
  gdk_cairo_set_source_rgba (cr, &self->look.second);
  cairo_set_line_width (cr, 1.7);
  cairo_move_to (cr, x + 10, y + header / 2 - 1);
  cairo_rel_line_to (cr, 4, 4);
  cairo_rel_line_to (cr, 4, -4);
  cairo_stroke (cr);
  cairo_destroy (cr);
  double base = y + header / 2 + px * 0.36 + 1;
  int title_width, title_height;
  g_autoptr (PangoLayout) title = pare_graph_view_text (self, g->title, px, TRUE);
  pango_layout_get_pixel_size (title, &title_width, &title_height);
  text_at (self, snapshot, g->title, px, TRUE, &self->look.fg, x + 24, base, 0, MIN (width - 30, title_width + 2));
  g_autofree char *value = NULL, *both = NULL;
  if (self->group_value != NULL && !isnan (self->group_value[f->group]) && self->format != NULL)
    value = self->format (self->group_value[f->group], self->format_data);
  if (value != NULL)
    both = g_strdup_printf ("%s · %s", g->summary, value);
  const char *choices[3] = { both, value, g->summary }; /* the longest that leaves the line into the frame free */
  for (int i = 0; i < 3; i++)
    if (choices[i] != NULL)
      {
        g_autoptr (PangoLayout) layout = pare_graph_view_text (self, choices[i], px, FALSE);
        int w, h;
        pango_layout_get_pixel_size (layout, &w, &h);
        if (w > width / 2 - 20 || w + title_width + 24 + 20 > width)
          continue;
        text_at (self, snapshot, choices[i], px, FALSE, &self->look.second, x + width - 10, base, 1, 0);
        break;
      }
}

/* --- edges --- */

static void
trace (PareGraphView *self, cairo_t *cr, guint e, double end_gap)
{
  const PareLayoutRoute *r = &self->scene->layout->edges[e];
  double scale = self->viewport.scale, radius = 10 * scale;
  double px = 0, py = 0;
  for (guint i = 0; i < r->n; i++)
    {
      double x, y, gx, gy;
      route_point (self, e, i, &gx, &gy);
      pare_viewport_to_view (&self->viewport, gx, gy, &x, &y);
      if (i == 0)
        cairo_move_to (cr, x, y);
      else if (i + 1 == r->n)
        {
          double length = hypot (x - px, y - py);
          if (length > end_gap)
            cairo_line_to (cr, x - (x - px) / length * end_gap, y - (y - py) / length * end_gap);
        }
      else
        {
          double nx, ny;
          route_point (self, e, i + 1, &gx, &gy);
          pare_viewport_to_view (&self->viewport, gx, gy, &nx, &ny);
          double a = hypot (x - px, y - py), b = hypot (nx - x, ny - y), k = MIN (radius, MIN (a, b) / 2);
          if (a < 0.01 || b < 0.01 || k < 1)
            cairo_line_to (cr, x, y);
          else
            {
              double ax = x + (px - x) / a * k, ay = y + (py - y) / a * k, bx = x + (nx - x) / b * k, by = y + (ny - y) / b * k;
              cairo_line_to (cr, ax, ay);
              cairo_curve_to (cr, ax + (x - ax) * 0.55, ay + (y - ay) * 0.55, bx + (x - bx) * 0.55, by + (y - by) * 0.55, bx, by);
            }
        }
      px = x, py = y;
    }
}

static void
head (PareGraphView *self, cairo_t *cr, guint e, double size)
{
  guint n = self->scene->layout->edges[e].n;
  double x, y, ax, ay, bx, by;
  route_point (self, e, n - 2, &ax, &ay);
  route_point (self, e, n - 1, &bx, &by);
  pare_viewport_to_view (&self->viewport, bx, by, &x, &y);
  double dx = bx - ax, dy = by - ay, length = hypot (dx, dy);
  if (length < 1e-6)
    return;
  dx /= length, dy /= length;
  cairo_move_to (cr, x - dx * size * 1.5 - dy * size, y - dy * size * 1.5 + dx * size);
  cairo_line_to (cr, x - dx, y - dy);
  cairo_line_to (cr, x - dx * size * 1.5 + dy * size, y - dy * size * 1.5 - dx * size);
}

/* TRUE: it was painted. */
static gboolean
draw_edge (PareGraphView *self, cairo_t *cr, guint e, const Sight *sight, double size)
{
  PareGraphScene *scene = self->scene;
  const PareSceneEdge *edge = &scene->edges[e];
  PareDetail detail = self->viewport.detail;
  PareLayoutRect bounds = edge_bounds (self, e);
  if (!sees (sight, &bounds) || scene->layout->edges[e].n < 2)
    return FALSE;
  if (detail <= PARE_DETAIL_TILE && scene->items[edge->from].frame == scene->items[edge->to].frame && scene->items[edge->from].frame >= 0)
    return FALSE; /* far away only what joins groups is told apart */
  trace (self, cr, e, detail >= PARE_DETAIL_NAME ? 2 : 0);
  if (detail >= PARE_DETAIL_NAME)
    head (self, cr, e, size);
  return TRUE;
}

static void
draw_edges (PareGraphView *self, GtkSnapshot *snapshot, const Sight *sight, float w, float h, guint most)
{
  PareGraphScene *scene = self->scene;
  guint first, last, drawn = 0;
  PareDetail detail = self->viewport.detail;
  pare_graph_scene_bands (scene, sight->y0, sight->y1, &first, &last);
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (0, 0, w, h));
  cairo_rectangle (cr, 0, 0, w, h);
  cairo_clip (cr);
  gdk_cairo_set_source_rgba (cr, &self->look.hatch);
  double width = CLAMP (1.5 * self->viewport.scale, 0.7, 2.5), size = CLAMP (4 * self->viewport.scale, 2, 6);
  cairo_set_line_width (cr, detail <= PARE_DETAIL_TILE ? 0.7 : width);
  cairo_set_line_join (cr, CAIRO_LINE_JOIN_ROUND);
  /* in motion bands do not hold: each edge is looked at */
  for (guint e = 0; self->moving != NULL && e < scene->n_edges && drawn < most; e++)
    if (draw_edge (self, cr, e, sight, size) && ++drawn % 256 == 0)
      cairo_stroke (cr);
  for (guint b = first; self->moving == NULL && b <= last && drawn < most; b++)
    for (guint k = scene->band_edges_start[b]; k < scene->band_edges_start[b + 1] && drawn < most; k++)
      {
        guint e = scene->band_edges[k], from_band, to_band;
        const PareLayoutRect *bounds = &scene->edges[e].bounds;
        pare_graph_scene_bands (scene, bounds->y, bounds->y + bounds->height, &from_band, &to_band);
        if (from_band < b && b != first)
          continue; /* drawn with an earlier band */
        if (draw_edge (self, cr, e, sight, size) && ++drawn % 256 == 0)
          cairo_stroke (cr);
      }
  cairo_stroke (cr); /* together: where lines of one source lie on each other they do not grow darker */
  if (detail >= PARE_DETAIL_NAME && self->moving == NULL)
    {
      /* dots are in order of their source, not of place: few enough to look at all where bands are few */
      for (guint i = 0; i < scene->n_dots; i++)
        {
          double gx = scene->dots[2 * i], gy = scene->dots[2 * i + 1], x, y;
          if (gx < sight->x0 || gx > sight->x1 || gy < sight->y0 || gy > sight->y1)
            continue;
          pare_viewport_to_view (&self->viewport, gx, gy, &x, &y);
          cairo_arc (cr, x, y, 2.5 * CLAMP (self->viewport.scale, 0.5, 1.5), 0, 2 * G_PI);
          cairo_fill (cr);
        }
    }
  cairo_destroy (cr);
}

/* Beside the line that leaves a node: the shape of what it carries; where the recipe changed it, the old one struck through. */
static void
draw_label (PareGraphView *self, GtkSnapshot *snapshot, guint item)
{
  PareGraphScene *scene = self->scene;
  guint k = scene->out_start[item];
  if (k == scene->out_start[item + 1])
    return;
  const PareSceneEdge *edge = &scene->edges[scene->out[k]];
  const PareLayoutRoute *r = &scene->layout->edges[scene->out[k]];
  const PareShown *s = &self->model->shown[edge->shown];
  const PareDecor *d = self->decor_of != NULL ? self->decor_of[edge->shown] : NULL;
  const char *now = d != NULL && d->new_shape != NULL ? d->new_shape : s->shape;
  if (now == NULL || r->n < 2)
    return;
  const double *p = scene->layout->points + 2 * r->first;
  if (fabs (p[0] - p[2]) > 0.5 || p[3] - p[1] < 14)
    return;
  double x, y, scale = self->viewport.scale, px = PARE_TICK_PX * scale;
  gboolean changed = d != NULL && d->old_shape != NULL && d->new_shape != NULL;
  /* outside of the frames that the line leaves, if there is room */
  double top = p[1];
  if (scene->items[item].is_group) /* below its sheets */
    top += self->model->groups[scene->items[item].index].kind == PARE_GROUP_RUN ? 10 : 3;
  for (gint32 g = scene->items[item].frame; g >= 0; g = self->model->groups[g].parent)
    {
      const PareLayoutRect *f = &scene->frames[scene->frame_of_group[g]].rect;
      if (f->y + f->height < p[3] - 22)
        top = MAX (top, f->y + f->height);
    }
  double dx, dy;
  item_off (self, item, &dx, &dy);
  pare_viewport_to_view (&self->viewport, p[0] + 8 + dx, top + MIN ((p[3] - top) / 2, 12) + 4 + dy, &x, &y);
  text_at (self, snapshot, now, px, changed, changed ? &self->look.fg : &self->look.second, x, y, 0, 0);
  if (changed)
    {
      g_autoptr (PangoLayout) before = pare_graph_view_text (self, now, px, TRUE),
                              layout = pare_graph_view_text (self, d->old_shape, px, FALSE);
      int w, h;
      pango_layout_get_pixel_size (before, &w, &h);
      PangoAttrList *attrs = pango_attr_list_new ();
      pango_attr_list_insert (attrs, pango_attr_strikethrough_new (TRUE));
      pango_layout_set_attributes (layout, attrs);
      pango_attr_list_unref (attrs);
      gtk_snapshot_save (snapshot);
      gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT ((float)(x + w + 5 * scale),
                                                              (float)(y - (double)pango_layout_get_baseline (layout) / PANGO_SCALE)));
      gtk_snapshot_append_layout (snapshot, layout, &self->look.second);
      gtk_snapshot_restore (snapshot);
    }
}

/* --- far away --- */

static void
draw_tile (PareGraphView *self, GtkSnapshot *snapshot, guint item)
{
  const PareSceneItem *it = &self->scene->items[item];
  graphene_rect_t r = to_view (self, item_rect (self, item));
  GdkRGBA fill;
  gboolean has_value;
  pare_graph_view_item_fill (self, item, &fill, &has_value);
  if (r.size.height < 1)
    r.size.height = 1;
  if (!has_value)
    {
      fill = self->look.hatch;
      fill.alpha = it->is_group || self->model->shown[it->index].kind == PARE_SHOWN_CARD ? 0.45f : 0.25f;
    }
  gtk_snapshot_append_color (snapshot, &fill, &r);
}

/* Under 8 %: one tile for a group, unless it is so large that its parts can be told apart. TRUE: its inside is not drawn. */
static gboolean
draw_group_tile (PareGraphView *self, GtkSnapshot *snapshot, guint frame)
{
  const PareSceneFrame *f = &self->scene->frames[frame];
  const PareShownGroup *g = &self->model->groups[f->group];
  graphene_rect_t r = to_view (self, frame_rect (self, frame));
  if (r.size.height > 160 && g->children->len > 0)
    return FALSE;
  GdkRGBA fill, ink;
  gboolean has_value;
  GskRoundedRect rounded;
  pare_graph_view_group_colour (self, (guint)f->group, &fill, &has_value);
  if (!has_value)
    fill = self->look.line;
  gsk_rounded_rect_init_from_rect (&rounded, &r, 2);
  gtk_snapshot_append_color (snapshot, &fill, &r);
  gtk_snapshot_append_border (snapshot, &rounded, (float[4]){ 1, 1, 1, 1 },
                              (GdkRGBA[4]){ self->look.hatch, self->look.hatch, self->look.hatch, self->look.hatch });
  ink = self->look.fg;
  if (has_value)
    pare_colormap_ink (&fill, &ink);
  if (r.size.height >= 14 && r.size.width >= 40)
    text_at (self, snapshot, g->title, PARE_TICK_PX, TRUE, &ink, r.origin.x + 4, r.origin.y + 12, 0, r.size.width - 8);
  return TRUE;
}

/* --- marks --- */

static void
draw_coupled (PareGraphView *self, GtkSnapshot *snapshot, float w, float h)
{
  g_autoptr (GArray) items = g_array_new (FALSE, FALSE, sizeof (gint32));
  for (guint i = 0; i < self->coupled->len; i++)
    {
      gint32 item = self->scene->item_of_shown[g_array_index (self->coupled, guint32, i)];
      gboolean known = FALSE;
      for (guint k = 0; k < items->len; k++)
        known |= g_array_index (items, gint32, k) == item;
      if (!known)
        g_array_append_val (items, item);
    }
  if (items->len < 2)
    return;
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (0, 0, w, h));
  double label_x = 0, label_y = 0, scale = MIN (self->viewport.scale, 1);
  gboolean label = FALSE;
  gdk_cairo_set_source_rgba (cr, &self->look.mark);
  cairo_set_line_width (cr, 2);
  cairo_set_dash (cr, (double[]){ 4, 3 }, 2, 0);
  for (guint i = 0; i + 1 < items->len; i++)
    {
      graphene_rect_t a = to_view (self, item_rect (self, (guint)g_array_index (items, gint32, i)));
      graphene_rect_t b = to_view (self, item_rect (self, (guint)g_array_index (items, gint32, i + 1)));
      double x0 = a.origin.x + a.size.width + 4, y0 = a.origin.y + a.size.height / 2;
      double x1 = b.origin.x + b.size.width + 4, y1 = b.origin.y + b.size.height / 2;
      double reach = MAX (x0, x1) + CLAMP (fabs (y1 - y0) * 0.35, 24, 90) * MAX (scale, 0.3);
      if (MAX (y0, y1) < -40 || MIN (y0, y1) > h + 40)
        continue;
      cairo_move_to (cr, x0, y0);
      cairo_curve_to (cr, reach, y0, reach, y1, x1, y1);
      cairo_stroke (cr);
      double my = (y0 + y1) / 2;
      if (!label && my > 10 && my < h - 10)
        {
          label = TRUE;
          label_x = (MAX (x0, x1) + 3 * reach) / 4;
          label_y = my;
        }
    }
  cairo_destroy (cr);
  if (label)
    {
      GskRoundedRect r;
      graphene_rect_t rect = GRAPHENE_RECT_INIT ((float)label_x - 30, (float)label_y - 10, 60, 20);
      gsk_rounded_rect_init_from_rect (&r, &rect, 5);
      gtk_snapshot_push_rounded_clip (snapshot, &r);
      gtk_snapshot_append_color (snapshot, &self->look.view, &rect);
      gtk_snapshot_append_color (snapshot, &self->look.selected, &rect);
      gtk_snapshot_pop (snapshot);
      gtk_snapshot_append_border (snapshot, &r, (float[4]){ 1, 1, 1, 1 },
                                  (GdkRGBA[4]){ self->look.mark, self->look.mark, self->look.mark, self->look.mark });
      text_at (self, snapshot, _ ("coupled"), PARE_TICK_PX, FALSE, &self->look.link, label_x, label_y + 4, 0.5, 0);
    }
}

static gboolean
painted_rect (PareGraphView *self, PareGraphRef ref, PareLayoutRect *rect)
{
  gint32 item = pare_graph_view_item_of (self, ref), frame;
  if (!pare_graph_view_rect_of (self, ref, rect))
    return FALSE;
  if (item >= 0)
    *rect = *item_rect (self, (guint)item);
  else if (ref.is_group && (frame = self->scene->frame_of_group[ref.index]) >= 0)
    *rect = *frame_rect (self, (guint)frame);
  return TRUE;
}

static void
draw_marks (PareGraphView *self, GtkSnapshot *snapshot, const Sight *sight)
{
  PareGraphScene *scene = self->scene;
  guint first, last;
  double radius = 10 * MIN (self->viewport.scale, 1);
  g_autofree gboolean *lit = g_new0 (gboolean, scene->n_items + 1); /* a folded group with a selected layer inside is selected */
  for (guint i = 0; i < self->model->n_shown; i++)
    if (self->selected[i])
      lit[scene->item_of_shown[i]] = TRUE;
  pare_graph_scene_bands (scene, sight->y0, sight->y1, &first, &last);
  for (guint b = first; b <= last; b++)
    for (guint k = scene->band_items_start[b]; k < scene->band_items_start[b + 1]; k++)
      {
        guint i = scene->band_items[k];
        PareGraphRef ref = pare_graph_view_ref_of (self, (gint32)i);
        if (!sees (sight, item_rect (self, i)))
          continue;
        if (self->is_hit != NULL && !ref.is_group && self->is_hit[ref.index])
          {
            GdkRGBA tint = self->look.tint;
            tint.alpha = 0.35f;
            outline (snapshot, to_view (self, item_rect (self, i)), 0, radius, 5, &tint);
          }
        if (lit[i])
          outline (snapshot, to_view (self, item_rect (self, i)), self->viewport.detail == PARE_DETAIL_CARD ? 2.75 : 1.5, radius, 2.5,
                   &self->look.mark);
      }
  PareLayoutRect rect;
  if (self->hover.valid && painted_rect (self, self->hover, &rect))
    outline (snapshot, to_view (self, &rect), 0.5, MAX (radius - 3, 2), 1, &self->look.mark);
  if (self->cursor.valid && gtk_widget_has_visible_focus (self->reader) && painted_rect (self, self->cursor, &rect))
    {
      GdkRGBA ring = self->look.mark;
      ring.alpha = 0.6f;
      outline (snapshot, to_view (self, &rect), 7, radius + 4, 2, &ring);
    }
}

static Sight
what_is_seen (PareGraphView *self, float w, float h)
{
  Sight sight;
  double margin = 16 / self->viewport.scale;
  pare_viewport_to_graph (&self->viewport, 0, 0, &sight.x0, &sight.y0);
  pare_viewport_to_graph (&self->viewport, w, h, &sight.x1, &sight.y1);
  sight.x0 -= margin, sight.y0 -= margin, sight.x1 += margin, sight.y1 += margin;
  return sight;
}

void
pare_graph_view_draw_item (PareGraphView *self, GtkSnapshot *snapshot, guint i)
{
  PareDetail detail = self->viewport.detail;
  const PareLayoutRect *rect = item_rect (self, i);
  double x, y;
  if (detail <= PARE_DETAIL_TILE)
    {
      draw_tile (self, snapshot, i);
      return;
    }
  if (detail == PARE_DETAIL_CARD)
    draw_label (self, snapshot, i);
  GskRenderNode *node = pare_graph_view_item_node (self, i);
  if (node == NULL)
    return;
  pare_viewport_to_view (&self->viewport, rect->x, rect->y, &x, &y);
  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT ((float)rint (x), (float)rint (y)));
  if (detail == PARE_DETAIL_CARD)
    gtk_snapshot_scale (snapshot, (float)self->viewport.scale, (float)self->viewport.scale);
  gtk_snapshot_append_node (snapshot, node);
  gtk_snapshot_restore (snapshot);
}

static void
draw_items (PareGraphView *self, GtkSnapshot *snapshot, const Sight *sight, const gboolean *covered)
{
  PareGraphScene *scene = self->scene;
  guint first, last;
  pare_graph_scene_bands (scene, sight->y0, sight->y1, &first, &last);
  for (guint i = 0; self->moving != NULL && i < scene->n_items; i++)
    if (sees (sight, item_rect (self, i)) && !(covered != NULL && scene->items[i].frame >= 0 && covered[scene->items[i].frame]))
      pare_graph_view_draw_item (self, snapshot, i);
  for (guint b = first; self->moving == NULL && b <= last; b++)
    for (guint k = scene->band_items_start[b]; k < scene->band_items_start[b + 1]; k++)
      {
        guint i = scene->band_items[k], from_band, to_band;
        const PareSceneItem *it = &scene->items[i];
        pare_graph_scene_bands (scene, it->rect.y, it->rect.y + it->rect.height, &from_band, &to_band);
        if ((from_band < b && b != first) || !sees (sight, &it->rect) || (covered != NULL && it->frame >= 0 && covered[it->frame]))
          continue;
        pare_graph_view_draw_item (self, snapshot, i);
      }
}

void
pare_graph_view_draw (PareGraphView *self, GtkSnapshot *snapshot, float w, float h, PareGraphDraw what)
{
  draw_canvas (self, snapshot, w, h, what == PARE_DRAW_ALL);
  PareGraphScene *scene = self->scene;
  if (scene == NULL || scene->n_items == 0)
    return;
  Sight sight = what_is_seen (self, w, h);
  PareDetail detail = self->viewport.detail;
  g_autofree gboolean *covered = detail == PARE_DETAIL_GROUP ? g_new0 (gboolean, self->model->n_groups + 1) : NULL;
  for (guint i = 0; i < scene->n_frames; i++)
    {
      gint32 parent = self->model->groups[scene->frames[i].group].parent;
      if (covered != NULL && parent >= 0 && covered[parent])
        covered[scene->frames[i].group] = TRUE;
      else if (sees (&sight, frame_rect (self, i)))
        draw_frame (self, snapshot, frame_rect (self, i));
    }
  for (guint i = 0; i < pare_graph_view_get_n_closing (self) && self->moving != NULL; i++)
    {
      PareLayoutRect closing = pare_graph_view_get_closing (self, i);
      if (sees (&sight, &closing))
        draw_frame (self, snapshot, &closing);
    }
  draw_edges (self, snapshot, &sight, w, h, what == PARE_DRAW_ALL ? 6000 : G_MAXUINT);
  if (covered != NULL)
    for (guint i = 0; i < scene->n_frames; i++)
      if (!covered[scene->frames[i].group] && sees (&sight, frame_rect (self, i)) && draw_group_tile (self, snapshot, i))
        for (guint k = i; k < scene->n_frames; k++)
          if (pare_graph_model_inside (self->model, scene->frames[k].group, scene->frames[i].group))
            covered[scene->frames[k].group] = TRUE;
  if (detail >= PARE_DETAIL_NAME)
    for (guint i = 0; i < scene->n_frames; i++)
      if (sees (&sight, frame_rect (self, i)))
        draw_header (self, snapshot, i);
  if (what == PARE_DRAW_ALL)
    draw_items (self, snapshot, &sight, covered);
}

void
pare_graph_view_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  PareGraphView *self = PARE_GRAPH_VIEW (widget);
  float w = (float)gtk_widget_get_width (widget), h = (float)gtk_widget_get_height (widget);
  if (w <= 0 || h <= 0)
    return;
  gtk_snapshot_push_clip (snapshot, &GRAPHENE_RECT_INIT (0, 0, w, h));
  pare_graph_view_draw (self, snapshot, w, h, PARE_DRAW_ALL);
  if (self->scene != NULL && self->scene->n_items > 0)
    {
      Sight sight = what_is_seen (self, w, h);
      draw_marks (self, snapshot, &sight);
      if (self->coupled->len > 1)
        draw_coupled (self, snapshot, w, h);
    }
  gtk_snapshot_pop (snapshot);
  gtk_widget_snapshot_child (widget, self->reader, snapshot);
}
