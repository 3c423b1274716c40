/* One node at a time: cards, small boxes, folded groups. What was drawn is kept as a render node until it changes. */
#include "widgets/pare-colormap.h"
#include "widgets/pare-draw.h"
#include "widgets/pare-graph-view-private.h"

#include <glib/gi18n.h>
#include <math.h>

#define RADIUS 6
#define STRIPE 10

PangoLayout *
pare_graph_view_text (PareGraphView *self, const char *text, double px, gboolean bold)
{
  PangoLayout *layout = gtk_widget_create_pango_layout (GTK_WIDGET (self), text);
  PangoFontDescription *font = pango_font_description_copy (pango_context_get_font_description (pango_layout_get_context (layout)));
  pango_font_description_set_absolute_size (font, px * PANGO_SCALE);
  pango_font_description_set_weight (font, bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
  pango_layout_set_font_description (layout, font);
  PangoAttrList *attrs = pango_attr_list_new ();
  pango_attr_list_insert (attrs, pango_attr_font_features_new ("tnum"));
  pango_layout_set_attributes (layout, attrs);
  pango_attr_list_unref (attrs);
  pango_font_description_free (font);
  return layout;
}

/* (x, y): base line; align 0 left, 0.5 middle, 1 right; max <= 0: no limit. Returns the width. */
static double
put (PareGraphView *self, GtkSnapshot *snapshot, const char *text, double px, gboolean bold, const GdkRGBA *colour, double x, double y,
     double align, double max)
{
  if (text == NULL || *text == '\0')
    return 0;
  g_autoptr (PangoLayout) layout = pare_graph_view_text (self, text, px, bold);
  if (max > 0)
    {
      pango_layout_set_width (layout, (int)(max * PANGO_SCALE));
      pango_layout_set_ellipsize (layout, PANGO_ELLIPSIZE_MIDDLE);
      pango_layout_set_single_paragraph_mode (layout, TRUE);
    }
  PangoRectangle logical;
  pango_layout_get_extents (layout, NULL, &logical);
  double width = (double)logical.width / PANGO_SCALE, left = (double)logical.x / PANGO_SCALE;
  double base = (double)pango_layout_get_baseline (layout) / PANGO_SCALE;
  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT ((float)(x - left - align * width), (float)(y - base)));
  gtk_snapshot_append_layout (snapshot, layout, colour);
  gtk_snapshot_restore (snapshot);
  return width;
}

static void
box (GtkSnapshot *snapshot, double x, double y, double w, double h, double radius, const GdkRGBA *fill, const GdkRGBA *border)
{
  GskRoundedRect r;
  graphene_rect_t rect = GRAPHENE_RECT_INIT ((float)x, (float)y, (float)w, (float)h);
  gsk_rounded_rect_init_from_rect (&r, &rect, (float)radius);
  if (fill != NULL)
    {
      gtk_snapshot_push_rounded_clip (snapshot, &r);
      gtk_snapshot_append_color (snapshot, fill, &rect);
      gtk_snapshot_pop (snapshot);
    }
  if (border != NULL)
    gtk_snapshot_append_border (snapshot, &r, (float[4]){ 1, 1, 1, 1 }, (GdkRGBA[4]){ *border, *border, *border, *border });
}

/* Clipped to the node's rounded shape, so that the stripe follows the corners. */
static void
stripe (GtkSnapshot *snapshot, double w, double h, double radius, double wide, const GdkRGBA *colour)
{
  GskRoundedRect r;
  gsk_rounded_rect_init_from_rect (&r, &GRAPHENE_RECT_INIT (0, 0, (float)w, (float)h), (float)radius);
  gtk_snapshot_push_rounded_clip (snapshot, &r);
  gtk_snapshot_append_color (snapshot, colour, &GRAPHENE_RECT_INIT (0, 0, (float)wide, (float)h));
  gtk_snapshot_pop (snapshot);
}

static void
hatch (PareGraphView *self, GtkSnapshot *snapshot, double w, double h)
{
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (0, 0, (float)w, (float)h));
  pare_draw_rounded (cr, 0.5, 0.5, w - 1, h - 1, RADIUS);
  pare_draw_hatch (cr, &self->look.hatch, 0.45, 2, 6);
  cairo_destroy (cr);
}

static void
arrow (GtkSnapshot *snapshot, double x, double y, gboolean open, const GdkRGBA *colour)
{
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT ((float)x, (float)y, 12, 12));
  gdk_cairo_set_source_rgba (cr, colour);
  cairo_set_line_width (cr, 1.7);
  if (open)
    {
      cairo_move_to (cr, x + 2, y + 4);
      cairo_rel_line_to (cr, 4, 4);
      cairo_rel_line_to (cr, 4, -4);
    }
  else
    {
      cairo_move_to (cr, x + 4, y + 2);
      cairo_rel_line_to (cr, 4, 4);
      cairo_rel_line_to (cr, -4, 4);
    }
  cairo_stroke (cr);
  cairo_destroy (cr);
}

/* --- colours --- */

GdkRGBA
pare_graph_view_canvas_colour (PareGraphView *self)
{
  GdkRGBA c;
  gdk_rgba_parse (&c, self->look.high_contrast ? (self->look.dark ? "#000000" : "#ffffff") : self->look.dark ? "#1a1a1b" : "#f4f4f3");
  return c;
}

GdkRGBA
pare_graph_view_frame_colour (PareGraphView *self)
{
  GdkRGBA c;
  gdk_rgba_parse (&c, self->look.high_contrast ? "rgba(0,0,0,0)" : self->look.dark ? "rgba(58,58,58,0.5)" : "rgba(236,236,235,0.8)");
  return c;
}

void
pare_graph_view_colour_of (PareGraphView *self, double value, GdkRGBA *fill)
{
  if (self->metric_flags & PARE_METRIC_DELTA)
    {
      double reach = MAX (fabs (self->min), fabs (self->max));
      pare_colormap_delta (reach > 0 ? value / reach : 0, self->look.dark, fill);
    }
  else
    pare_colormap_metric (self->max > self->min ? (value - self->min) / (self->max - self->min) : 0, self->look.dark, fill);
}

void
pare_graph_view_group_colour (PareGraphView *self, guint group, GdkRGBA *fill, gboolean *has_value)
{
  double v = self->group_worst != NULL ? self->group_worst[group] : NAN;
  *has_value = !isnan (v);
  *fill = self->look.view;
  if (*has_value)
    pare_graph_view_colour_of (self, v, fill);
}

void
pare_graph_view_item_fill (PareGraphView *self, guint item, GdkRGBA *fill, gboolean *has_value)
{
  const PareSceneItem *it = &self->scene->items[item];
  if (it->is_group)
    {
      pare_graph_view_group_colour (self, it->index, fill, has_value);
      return;
    }
  double v = self->shown_value != NULL && self->model->shown[it->index].kind == PARE_SHOWN_CARD ? self->shown_value[it->index] : NAN;
  *has_value = !isnan (v);
  *fill = self->look.view;
  if (*has_value)
    pare_graph_view_colour_of (self, v, fill);
}

static char *
value_text (PareGraphView *self, double v)
{
  if (self->values == NULL)
    return g_strdup ("");
  if (isnan (v))
    return g_strdup ("–");
  return self->format != NULL ? self->format (v, self->format_data) : g_strdup_printf ("%g", v);
}

/* --- nodes --- */

/* Card with its ink: what stands on white is the normal text colour. */
static GdkRGBA
ink_on (PareGraphView *self, const GdkRGBA *fill, gboolean has_value)
{
  GdkRGBA ink = self->look.fg;
  if (has_value)
    pare_colormap_ink (fill, &ink);
  return ink;
}

static void
size_bar (GtkSnapshot *snapshot, double x, double y, double w, double h, double fraction, const GdkRGBA *ink)
{
  if (isnan (fraction))
    return;
  GdkRGBA faint = *ink;
  faint.alpha = 0.22f;
  box (snapshot, x, y, w, h, h / 2, &faint, NULL);
  double left = w * CLAMP (fraction, 0, 1);
  if (left > 0)
    box (snapshot, x, y, MAX (left, 2), h, h / 2, ink, NULL);
}

/* Name on the left, text on the right, one line each; `y`: the first base line. */
static void
draw_lines (PareGraphView *self, GtkSnapshot *snapshot, const PareShown *s, double w, double y, const GdkRGBA *ink)
{
  PareGraphShow show = self->scene->show;
  char **const lists[2] = { show & PARE_SHOW_ATTRIBUTES ? s->attributes : NULL, show & PARE_SHOW_CONSTANTS ? s->constants : NULL };
  for (int k = 0; k < 2; k++)
    for (char **pair = lists[k]; pair != NULL && pair[0] != NULL; pair += 2, y += PARE_LINE_HEIGHT)
      {
        double text = put (self, snapshot, pair[1], PARE_TICK_PX, k == 1, ink, w - 8, y, 1, (w - 25) * 0.6);
        put (self, snapshot, pair[0], PARE_TICK_PX, FALSE, ink, 17, y, 0, w - 25 - text - 8);
      }
}

static void
draw_card (PareGraphView *self, GtkSnapshot *snapshot, guint item, const PareShown *s)
{
  const PareLayoutRect *r = &self->scene->items[item].rect;
  const PareDecor *d = self->decor_of != NULL ? self->decor_of[self->scene->items[item].index] : NULL;
  GdkRGBA fill, ink, mark;
  gboolean has_value, unknown = s->klass == PARE_OP_CLASS_UNKNOWN || (d != NULL && d->flags & PARE_GRAPH_UNSUPPORTED);
  double w = r->width, h = r->height;
  pare_graph_view_item_fill (self, item, &fill, &has_value);
  ink = ink_on (self, &fill, has_value);
  box (snapshot, 0, 0, w, h, RADIUS, &fill, NULL);
  if (unknown && !has_value)
    hatch (self, snapshot, w, h);
  pare_op_class_colour (s->klass, self->look.dark, &mark);
  stripe (snapshot, w, h, RADIUS, STRIPE, &mark);
  box (snapshot, 0, 0, w, h, RADIUS, NULL, d != NULL && d->flags & PARE_GRAPH_DIVERGES ? &self->look.worse : &self->look.hatch);
  const char *heading = pare_shown_heading (s, self->scene->show);
  double op = heading == s->op ? 0 : put (self, snapshot, s->op, PARE_TICK_PX, FALSE, &ink, w - 8, 17, 1, w * 0.55);
  put (self, snapshot, heading, PARE_CAPTION_PX, TRUE, &ink, 17, 17, 0, w - 17 - 8 - op - 8);
  g_autofree char *value = value_text (self, self->shown_value != NULL ? self->shown_value[self->scene->items[item].index] : NAN);
  double right = w - 8 - put (self, snapshot, value, PARE_TICK_PX, TRUE, &ink, w - 8, 35, 1, 0);
  double x = 17;
  const char *unsupported[] = { _ ("cannot run"), NULL }, *excluded[] = { _ ("excluded"), NULL };
  const char *const *lists[3]
      = { d != NULL ? (const char *const *)d->pills : NULL, d != NULL && d->flags & PARE_GRAPH_EXCLUDED ? excluded : NULL,
          d != NULL && d->flags & PARE_GRAPH_UNSUPPORTED ? unsupported : NULL };
  for (int k = 0; k < 3; k++)
    for (guint i = 0; lists[k] != NULL && lists[k][i] != NULL; i++)
      {
        g_autoptr (PangoLayout) layout = pare_graph_view_text (self, lists[k][i], PARE_TICK_PX, TRUE);
        int tw, th;
        pango_layout_get_pixel_size (layout, &tw, &th);
        if (x + tw + 9 > right - 6)
          {
            put (self, snapshot, "…", PARE_TICK_PX, TRUE, &ink, x, 35, 0, 0);
            k = 3;
            break;
          }
        box (snapshot, x, 24, tw + 9, 15, 4, &self->look.popover, has_value ? NULL : &self->look.line);
        put (self, snapshot, lists[k][i], PARE_TICK_PX, TRUE, &self->look.fg, x + 4.5, 35.2, 0, 0);
        x += tw + 9 + 4;
      }
  draw_lines (self, snapshot, s, w, PARE_CARD_HEIGHT + 1, &ink);
  size_bar (snapshot, 17, h - 7, w - 25, 3, d != NULL ? d->size_fraction : NAN, &ink);
}

static void
draw_small (PareGraphView *self, GtkSnapshot *snapshot, guint item, const PareShown *s)
{
  const PareLayoutRect *r = &self->scene->items[item].rect;
  const PareDecor *d = self->decor_of != NULL ? self->decor_of[self->scene->items[item].index] : NULL;
  gboolean port = s->kind == PARE_SHOWN_PORT, unknown = d != NULL && d->flags & PARE_GRAPH_UNSUPPORTED;
  GdkRGBA mark;
  box (snapshot, 0, 0, r->width, r->height, port ? r->height / 2 : RADIUS, &self->look.view, NULL);
  if (unknown)
    hatch (self, snapshot, r->width, r->height);
  pare_op_class_colour (s->klass, self->look.dark, &mark);
  if (!port)
    stripe (snapshot, r->width, r->height, RADIUS, 5, &mark);
  draw_lines (self, snapshot, s, r->width, PARE_SMALL_HEIGHT + 8, &self->look.fg);
  box (snapshot, 0, 0, r->width, r->height, port ? r->height / 2 : RADIUS, NULL, port ? &self->look.line : &self->look.hatch);
  put (self, snapshot, s->title, PARE_TICK_PX, FALSE, port ? &self->look.second : &self->look.fg, r->width / 2 + (port ? 0 : 2), 16, 0.5,
       r->width - 14);
}

static void
draw_cells (PareGraphView *self, GtkSnapshot *snapshot, const PareShownGroup *g, double x, double y, double w, double h)
{
  guint n = MAX (g->children->len, 1);
  for (guint i = 0; i < g->children->len; i++)
    {
      GdkRGBA fill;
      gboolean has_value;
      pare_graph_view_group_colour (self, (guint)g_array_index (g->children, gint32, i), &fill, &has_value);
      double step = w / n, gap = step > 4 ? 1 : 0;
      graphene_rect_t cell = GRAPHENE_RECT_INIT ((float)(x + i * step), (float)y, (float)(step - gap), (float)h);
      GskRoundedRect r;
      gsk_rounded_rect_init_from_rect (&r, &cell, 1);
      if (has_value)
        gtk_snapshot_append_color (snapshot, &fill, &cell);
      else
        gtk_snapshot_append_border (snapshot, &r, (float[4]){ 1, 1, 1, 1 },
                                    (GdkRGBA[4]){ self->look.line, self->look.line, self->look.line, self->look.line });
    }
}

static void
draw_folded (PareGraphView *self, GtkSnapshot *snapshot, guint item, const PareShownGroup *g, guint index)
{
  const PareLayoutRect *r = &self->scene->items[item].rect;
  gboolean run = g->kind == PARE_GROUP_RUN, has_value;
  GdkRGBA fill, ink, soft = pare_graph_view_frame_colour (self);
  soft.alpha = 1;
  for (int k = run ? 3 : 1; k > 0; k--)
    box (snapshot, 4 * k, 4 * k, r->width, r->height, RADIUS, &soft, &self->look.hatch);
  pare_graph_view_group_colour (self, index, &fill, &has_value);
  if (run)
    {
      fill = self->look.view;
      has_value = FALSE;
    }
  ink = ink_on (self, &fill, has_value);
  box (snapshot, 0, 0, r->width, r->height, RADIUS, &fill, &self->look.hatch);
  arrow (snapshot, 9, 7, FALSE, &ink);
  double right = put (self, snapshot, g->summary, PARE_TICK_PX, FALSE, &ink, r->width - 8, 17, 1, r->width * 0.6);
  put (self, snapshot, g->title, PARE_CAPTION_PX, TRUE, &ink, 25, 17, 0, r->width - 25 - 8 - right - 8);
  if (run)
    {
      draw_cells (self, snapshot, g, 25, 24, r->width - 35, r->height - 32);
      return;
    }
  g_autofree char *value = value_text (self, self->group_value != NULL ? self->group_value[index] : NAN);
  double taken = put (self, snapshot, value, PARE_TICK_PX, TRUE, &ink, r->width - 8, 31, 1, 0);
  g_autofree char *second = g_strdup_printf (ngettext ("%u node", "%u nodes", g->n_shown), g->n_shown);
  put (self, snapshot, second, PARE_TICK_PX, FALSE, &ink, 25, 31, 0, r->width - 33 - taken);
}

/* Between 30 and 80 %: colour and name; the name stays at its size on the screen, so this is drawn for one scale. */
static void
draw_named (PareGraphView *self, GtkSnapshot *snapshot, guint item, double scale)
{
  const PareSceneItem *it = &self->scene->items[item];
  const PareShown *s = it->is_group ? NULL : &self->model->shown[it->index];
  const PareShownGroup *g = it->is_group ? &self->model->groups[it->index] : NULL;
  double w = it->rect.width * scale, h = it->rect.height * scale;
  GdkRGBA fill, ink, mark;
  gboolean has_value;
  pare_graph_view_item_fill (self, item, &fill, &has_value);
  if (g != NULL && g->kind == PARE_GROUP_RUN) /* its cells carry the colours */
    {
      fill = self->look.view;
      has_value = FALSE;
    }
  ink = ink_on (self, &fill, has_value);
  double radius = MIN (RADIUS, h / 3), wide = s == NULL                     ? 0
                                              : s->kind == PARE_SHOWN_CARD  ? MAX (4, STRIPE * scale)
                                              : s->kind == PARE_SHOWN_SMALL ? 3
                                                                            : 0;
  if (g != NULL)
    {
      GdkRGBA soft = pare_graph_view_frame_colour (self);
      soft.alpha = 1;
      box (snapshot, 3, 3, w, h, radius, &soft, &self->look.hatch);
    }
  box (snapshot, 0, 0, w, h, radius, &fill, NULL);
  if (s != NULL && s->klass == PARE_OP_CLASS_UNKNOWN && !has_value)
    hatch (self, snapshot, w, h);
  if (wide > 0)
    {
      pare_op_class_colour (s->klass, self->look.dark, &mark);
      stripe (snapshot, w, h, radius, wide, &mark);
    }
  box (snapshot, 0, 0, w, h, radius, NULL, &self->look.hatch);
  if (g != NULL && g->kind == PARE_GROUP_RUN)
    {
      draw_cells (self, snapshot, g, 4, h - MAX (h / 3, 4) - 3, w - 8, MAX (h / 3, 4));
      if (h > 26)
        put (self, snapshot, g->title, PARE_CAPTION_PX, TRUE, &ink, 6, 13, 0, w - 12);
      return;
    }
  double left = wide + (g != NULL ? 6 : 5), px = s != NULL && s->kind != PARE_SHOWN_CARD ? PARE_TICK_PX : PARE_CAPTION_PX;
  if (h >= px - 2.5 && w - left > 20)
    {
      const char *title = g != NULL ? g->title : pare_shown_heading (s, self->scene->show);
      g_autofree char *value = value_text (self, g != NULL ? (self->group_value != NULL ? self->group_value[it->index] : NAN)
                                                 : self->shown_value != NULL ? self->shown_value[it->index]
                                                                             : NAN);
      gboolean card = g != NULL || s->kind == PARE_SHOWN_CARD;
      g_autoptr (PangoLayout) name = pare_graph_view_text (self, title, px, card),
                              figure = pare_graph_view_text (self, value, PARE_TICK_PX, FALSE);
      int tw, th, vw;
      pango_layout_get_pixel_size (name, &tw, &th);
      pango_layout_get_pixel_size (figure, &vw, &th);
      if (card && left + tw + 8 + vw + 4 <= w)
        put (self, snapshot, value, PARE_TICK_PX, FALSE, &ink, w - 5, h / 2 + 4, 1, 0);
      if (left + tw + 3 <= w || (card && w - left > 30)) /* small boxes: whole or not at all */
        put (self, snapshot, title, px, card, &ink, left, h / 2 + px * 0.34, 0, MIN (w - left - 3, tw + 2));
    }
}

/* The node of an item, with its top left at 0, 0; at card level in graph units, below that in pixels of the present scale. Borrowed. */
GskRenderNode *
pare_graph_view_item_node (PareGraphView *self, guint item)
{
  PareDetail detail = self->viewport.detail;
  double scale = detail == PARE_DETAIL_CARD ? 1 : self->viewport.scale;
  if (self->cache != NULL && (self->cache_detail != detail || fabs (self->cache_scale - scale) > 1e-9))
    pare_graph_view_drop_cache (self);
  if (self->cache == NULL)
    {
      self->cache = g_new0 (GskRenderNode *, self->scene->n_items + 1);
      self->cache_detail = detail;
      self->cache_scale = scale;
    }
  if (self->cache[item] == NULL)
    {
      const PareSceneItem *it = &self->scene->items[item];
      GtkSnapshot *snapshot = gtk_snapshot_new ();
      if (detail != PARE_DETAIL_CARD)
        draw_named (self, snapshot, item, scale);
      else if (it->is_group)
        draw_folded (self, snapshot, item, &self->model->groups[it->index], it->index);
      else if (self->model->shown[it->index].kind == PARE_SHOWN_CARD)
        draw_card (self, snapshot, item, &self->model->shown[it->index]);
      else
        draw_small (self, snapshot, item, &self->model->shown[it->index]);
      self->cache[item] = gtk_snapshot_free_to_node (snapshot);
    }
  return self->cache[item];
}

void
pare_graph_view_drop_item (PareGraphView *self, gint32 item)
{
  if (self->cache != NULL && item >= 0)
    g_clear_pointer (&self->cache[item], gsk_render_node_unref);
}

void
pare_graph_view_drop_cache (PareGraphView *self)
{
  for (guint i = 0; self->cache != NULL && i < self->scene->n_items; i++)
    g_clear_pointer (&self->cache[i], gsk_render_node_unref);
  g_clear_pointer (&self->cache, g_free);
}
