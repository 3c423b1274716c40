/* Folding and unfolding move what is there from the old place to the new one: 180 ms, ease out. What was hidden comes out of the folded
 * card that stood for it; a group that folds closes into its card. The scene is the new one from the start: only where things are painted
 * differs, so that nothing else has to know. */
#include "widgets/pare-graph-view-private.h"

#define MOST_ITEMS 20000

struct _PareGraphMotion
{
  AdwAnimation *animation;
  PareLayoutRect *items, *frames; /* where they start */
  GArray *closing;                /* Closing */
};

typedef struct
{
  PareLayoutRect from;
  guint item; /* the card it becomes */
} Closing;

static double
between (double a, double b, double t)
{
  return a + (b - a) * t;
}

static void
step (double t, gpointer data)
{
  PareGraphView *self = data;
  PareGraphMotion *m = self->motion;
  for (guint i = 0; i < self->scene->n_items; i++)
    {
      const PareLayoutRect *to = &self->scene->items[i].rect;
      self->moving[i] = (PareLayoutRect){ between (m->items[i].x, to->x, t), between (m->items[i].y, to->y, t), to->width, to->height };
    }
  for (guint i = 0; i < self->scene->n_frames; i++)
    {
      const PareLayoutRect *to = &self->scene->frames[i].rect, *from = &m->frames[i];
      self->moving_frames[i] = (PareLayoutRect){ between (from->x, to->x, t), between (from->y, to->y, t),
                                                 between (from->width, to->width, t), between (from->height, to->height, t) };
    }
  self->motion_at = t;
  pare_graph_view_moved (self);
}

static void
done (PareGraphView *self)
{
  pare_graph_view_stop_motion (self);
  pare_graph_view_moved (self);
}

void
pare_graph_view_stop_motion (PareGraphView *self)
{
  PareGraphMotion *m = g_steal_pointer (&self->motion);
  g_clear_pointer (&self->moving, g_free);
  g_clear_pointer (&self->moving_frames, g_free);
  if (m == NULL)
    return;
  if (m->animation != NULL)
    {
      g_signal_handlers_disconnect_by_data (m->animation, self);
      adw_animation_pause (m->animation);
      g_object_unref (m->animation);
    }
  g_free (m->items);
  g_free (m->frames);
  g_array_unref (m->closing);
  g_free (m);
}

/* The card that stood for a group in a scene, its own or that of a group around it; NULL: it was open. */
static const PareLayoutRect *
card_of (const PareGraphScene *scene, gint32 group)
{
  for (; group >= 0; group = scene->model->groups[group].parent)
    if (scene->item_of_group[group] >= 0)
      return &scene->items[scene->item_of_group[group]].rect;
  return NULL;
}

/* Where an item of the new scene was in the old one. */
static PareLayoutRect
start_of (const PareGraphScene *old, const PareSceneItem *item)
{
  PareLayoutRect start = item->rect;
  const PareLayoutRect *r = NULL;
  gboolean top = FALSE;
  if (!item->is_group)
    r = &old->items[old->item_of_shown[item->index]].rect;
  else if (old->frame_of_group[item->index] >= 0)
    {
      r = &old->frames[old->frame_of_group[item->index]].rect;
      top = TRUE; /* its header becomes the card */
    }
  else
    r = card_of (old, (gint32)item->index);
  if (r == NULL)
    return start;
  start.x = r->x + (r->width - start.width) / 2;
  start.y = top || r->height == start.height ? r->y : r->y + (r->height - start.height) / 2;
  return start;
}

void
pare_graph_view_start_motion (PareGraphView *self, const PareGraphScene *old, double dx, double dy)
{
  PareGraphScene *scene = self->scene;
  pare_graph_view_stop_motion (self);
  if (old == NULL || old->model != scene->model || scene->n_items > MOST_ITEMS || !gtk_widget_get_mapped (GTK_WIDGET (self))
      || !pare_look_animations (GTK_WIDGET (self)))
    return;
  PareGraphMotion *m = self->motion = g_new0 (PareGraphMotion, 1);
  m->items = g_new (PareLayoutRect, scene->n_items + 1);
  m->frames = g_new (PareLayoutRect, scene->n_frames + 1);
  m->closing = g_array_new (FALSE, FALSE, sizeof (Closing));
  for (guint i = 0; i < scene->n_items; i++)
    {
      m->items[i] = start_of (old, &scene->items[i]);
      m->items[i].x += dx;
      m->items[i].y += dy;
      gint32 frame = scene->items[i].is_group ? old->frame_of_group[scene->items[i].index] : -1;
      if (frame >= 0)
        {
          Closing c = { old->frames[frame].rect, i };
          c.from.x += dx;
          c.from.y += dy;
          g_array_append_val (m->closing, c);
        }
    }
  for (guint i = 0; i < scene->n_frames; i++)
    {
      gint32 group = scene->frames[i].group, frame = old->frame_of_group[group];
      const PareLayoutRect *card = frame < 0 ? card_of (old, group) : NULL;
      m->frames[i] = frame >= 0 ? old->frames[frame].rect : card != NULL ? *card : scene->frames[i].rect;
      m->frames[i].x += dx;
      m->frames[i].y += dy;
    }
  self->moving = g_new (PareLayoutRect, scene->n_items + 1);
  self->moving_frames = g_new (PareLayoutRect, scene->n_frames + 1);
  step (0, self);
  AdwAnimationTarget *target = adw_callback_animation_target_new (step, self, NULL);
  m->animation = adw_timed_animation_new (GTK_WIDGET (self), 0, 1, 180, target);
  adw_timed_animation_set_easing (ADW_TIMED_ANIMATION (m->animation), ADW_EASE_OUT_CUBIC);
  g_signal_connect_swapped (m->animation, "done", G_CALLBACK (done), self);
  adw_animation_play (m->animation);
}

guint
pare_graph_view_get_n_closing (PareGraphView *self)
{
  return self->motion != NULL ? self->motion->closing->len : 0;
}

PareLayoutRect
pare_graph_view_get_closing (PareGraphView *self, guint i)
{
  const Closing *c = &g_array_index (self->motion->closing, Closing, i);
  const PareLayoutRect *to = &self->scene->items[c->item].rect;
  double t = self->motion_at;
  return (PareLayoutRect){ between (c->from.x, to->x, t), between (c->from.y, to->y, t), between (c->from.width, to->width, t),
                           between (c->from.height, to->height, t) };
}
