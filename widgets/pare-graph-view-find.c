/* Getting somewhere: flights, search, the coupled group. */
#include "widgets/pare-graph-view-private.h"

#include <math.h>
#include <string.h>

void
pare_graph_view_stop_flight (PareGraphView *self)
{
  if (self->flight != NULL)
    adw_animation_pause (self->flight);
  g_clear_object (&self->flight);
}

static void
flight_step (double t, gpointer data)
{
  PareGraphView *self = data;
  const double *a = self->flight_from, *b = self->flight_to;
  double w = self->viewport.width, h = self->viewport.height, scale = a[2] * pow (b[2] / a[2], t);
  /* the middle moves in a straight line */
  double cx = a[0] + (b[0] - a[0]) * t, cy = a[1] + (b[1] - a[1]) * t;
  pare_viewport_zoom_at (&self->viewport, scale, w / 2, h / 2);
  pare_viewport_center_on (&self->viewport, cx, cy);
  pare_graph_view_moved (self);
}

/* Brings a graph point to the middle of the view in 200 ms; jumps when that is farther than three screens. */
void
pare_graph_view_fly (PareGraphView *self, double gx, double gy, double scale, gboolean near)
{
  PareViewport *v = &self->viewport;
  pare_graph_view_stop_flight (self);
  self->flight_from[0] = v->x + v->width / 2 / v->scale;
  self->flight_from[1] = v->y + v->height / 2 / v->scale;
  self->flight_from[2] = v->scale;
  self->flight_to[0] = gx;
  self->flight_to[1] = gy;
  self->flight_to[2] = scale;
  gboolean far = fabs (gy - self->flight_from[1]) * v->scale > 3 * v->height || fabs (gx - self->flight_from[0]) * v->scale > 3 * v->width;
  if (far || !near || !gtk_widget_get_mapped (GTK_WIDGET (self)) || !pare_look_animations (GTK_WIDGET (self)))
    {
      flight_step (1, self);
      return;
    }
  AdwAnimationTarget *target = adw_callback_animation_target_new (flight_step, self, NULL);
  self->flight = adw_timed_animation_new (GTK_WIDGET (self), 0, 1, 200, target);
  adw_timed_animation_set_easing (ADW_TIMED_ANIMATION (self->flight), ADW_EASE_OUT_CUBIC);
  adw_animation_play (self->flight);
}

/* Opens every fold around a display node. TRUE: a layout is on its way. */
static gboolean
unfold_around (PareGraphView *self, guint32 shown)
{
  gboolean changed = FALSE;
  for (gint32 g = self->model->shown[shown].group; g >= 0; g = self->model->groups[g].parent)
    if (self->folded[g])
      {
        self->folded[g] = FALSE;
        changed = TRUE;
      }
  if (changed)
    pare_graph_view_relayout (self);
  return changed;
}

void
pare_graph_view_fly_to (PareGraphView *self, const char *layer)
{
  if (self->busy || self->scene == NULL)
    {
      g_free (self->fly_when_ready);
      self->fly_when_ready = g_strdup (layer);
      return;
    }
  guint32 shown = pare_graph_model_find (self->model, layer);
  if (shown == PARE_NONE)
    return;
  if (unfold_around (self, shown))
    {
      g_free (self->fly_when_ready);
      self->fly_when_ready = g_strdup (layer);
      return;
    }
  PareGraphRef ref = { TRUE, FALSE, shown };
  PareLayoutRect r;
  if (!pare_graph_view_rect_of (self, ref, &r))
    return;
  pare_graph_view_set_cursor (self, ref, FALSE);
  double scale = self->viewport.detail < PARE_DETAIL_NAME ? 1 : self->viewport.scale;
  pare_graph_view_fly (self, r.x + r.width / 2, r.y + r.height / 2, scale, TRUE);
}

/* --- search --- */

static gboolean
matches (const PareShown *s, const char *needle)
{
  const char *fields[2] = { s->title, s->op };
  for (int i = 0; i < 2; i++)
    {
      g_autofree char *folded = g_utf8_casefold (fields[i], -1);
      if (strstr (folded, needle) != NULL)
        return TRUE;
    }
  for (guint k = 0; k < s->n_layers; k++)
    {
      g_autofree char *folded = g_utf8_casefold (s->layers[k], -1);
      if (strstr (folded, needle) != NULL)
        return TRUE;
    }
  return FALSE;
}

typedef struct
{
  guint order;
  guint32 shown;
} Hit;

static int
compare_hits (gconstpointer x, gconstpointer y)
{
  const Hit *a = x, *b = y;
  return a->order < b->order ? -1 : a->order > b->order;
}

void
pare_graph_view_update_search (PareGraphView *self)
{
  g_array_set_size (self->hits, 0);
  g_clear_pointer (&self->is_hit, g_free);
  self->hit = 0;
  if (self->needle == NULL || self->model == NULL)
    return;
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (Hit));
  self->is_hit = g_new0 (gboolean, self->model->n_shown + 1);
  for (guint i = 0; i < self->model->n_shown; i++)
    if (matches (&self->model->shown[i], self->needle))
      {
        Hit h = { self->model->shown[i].order, i };
        g_array_append_val (found, h);
        self->is_hit[i] = TRUE;
      }
  g_array_sort (found, compare_hits);
  for (guint i = 0; i < found->len; i++)
    g_array_append_val (self->hits, g_array_index (found, Hit, i).shown);
}

static void
show_hit (PareGraphView *self)
{
  const PareShown *s = &self->model->shown[g_array_index (self->hits, guint32, self->hit)];
  if (s->n_layers > 0)
    {
      pare_graph_view_fly_to (self, s->layers[0]);
      return;
    }
  PareGraphRef ref = { TRUE, FALSE, g_array_index (self->hits, guint32, self->hit) };
  PareLayoutRect r;
  if (pare_graph_view_rect_of (self, ref, &r)) /* an input or output: never inside a group */
    {
      pare_graph_view_set_cursor (self, ref, FALSE);
      pare_graph_view_fly (self, r.x + r.width / 2, r.y + r.height / 2, self->viewport.scale, TRUE);
    }
}

guint
pare_graph_view_search (PareGraphView *self, const char *text)
{
  g_clear_pointer (&self->needle, g_free);
  if (text != NULL && *text != '\0')
    self->needle = g_utf8_casefold (text, -1);
  pare_graph_view_update_search (self);
  if (self->hits->len > 0 && self->scene != NULL)
    show_hit (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
  return self->hits->len;
}

guint
pare_graph_view_search_next (PareGraphView *self, int direction)
{
  guint n = self->hits->len;
  if (n == 0 || self->scene == NULL)
    return 0;
  self->hit = (self->hit + (direction < 0 ? n - 1 : direction > 0 ? 1 : 0)) % n;
  show_hit (self);
  return self->hit + 1;
}

void
pare_graph_view_set_coupled (PareGraphView *self, const char *const *layers)
{
  g_array_set_size (self->coupled, 0);
  for (guint i = 0; layers != NULL && layers[i] != NULL && self->model != NULL; i++)
    {
      guint32 shown = pare_graph_model_find (self->model, layers[i]);
      if (shown != PARE_NONE)
        g_array_append_val (self->coupled, shown);
    }
  gtk_widget_queue_draw (GTK_WIDGET (self));
}
