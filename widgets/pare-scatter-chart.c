#include "widgets/pare-format.h"
#include "widgets/pare-scatter-private.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

/* A click may miss a point by this much; a press moves that far before it is a drag. */
#define REACH 14
#define SLOP 5

enum
{
  POINT_HOVER,
  POINT_ACTIVATED,
  BRUSH_CHANGED,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (PareScatterChart, pare_scatter_chart, PARE_TYPE_CHART)

static void
current_frame (PareScatterChart *self, ScatterFrame *f)
{
  PareLook look;
  pare_look_for_widget (&look, GTK_WIDGET (self));
  pare_scatter_frame (self, look.scale, gtk_widget_get_width (GTK_WIDGET (self)), gtk_widget_get_height (GTK_WIDGET (self)), f);
}

static int
find_point (PareScatterChart *self, double x, double y)
{
  ScatterFrame f;
  current_frame (self, &f);
  g_autofree double *px = g_new (double, MAX (self->n, 1));
  g_autofree double *py = g_new (double, MAX (self->n, 1));
  for (guint i = 0; i < self->n; i++)
    {
      px[i] = pare_scale_map (&f.x, self->points[i].x);
      py[i] = pare_scale_map (&f.y, self->points[i].y);
    }
  return pare_nearest (px, py, self->n, x, y, REACH);
}

static void
set_hover (PareScatterChart *self, gint64 id, gboolean tell)
{
  if (self->hover == id)
    return;
  self->hover = id;
  pare_chart_hover_changed (PARE_CHART (self));
  if (tell)
    g_signal_emit (self, signals[POINT_HOVER], 0, id);
}

/* --- the lines of budget and tolerance --- */

static int
limit_at (PareChart *chart, double x, double y)
{
  PareScatterChart *self = PARE_SCATTER_CHART (chart);
  ScatterFrame f;
  if (find_point (self, x, y) >= 0)
    return -1;
  current_frame (self, &f);
  if (isfinite (self->budget) && fabs (pare_scale_map (&f.x, self->budget) - x) <= PARE_CHART_LINE_REACH)
    return self->axis == PARE_SCATTER_SIZE ? PARE_LIMIT_KIND_SIZE : PARE_LIMIT_KIND_LATENCY;
  if (isfinite (self->floor) && x >= f.x0 && x <= f.x1 && fabs (pare_scale_map (&f.y, self->floor) - y) <= PARE_CHART_LINE_REACH)
    return PARE_LIMIT_KIND_TOLERANCE;
  return -1;
}

static double
limit_value (PareChart *chart, PareLimitKind kind, double x, double y)
{
  PareScatterChart *self = PARE_SCATTER_CHART (chart);
  ScatterFrame f;
  current_frame (self, &f);
  return kind == PARE_LIMIT_KIND_TOLERANCE ? fmax (self->baseline - pare_scale_invert (&f.y, CLAMP (y, f.y0, f.y1)), 0)
                                           : pare_scale_invert (&f.x, CLAMP (x, f.x0, f.x1)) * pare_scatter_unit (self->axis);
}

static void
limit_begin (PareChart *chart, PareLimitKind kind)
{
  PareScatterChart *self = PARE_SCATTER_CHART (chart);
  ScatterFrame f;
  current_frame (self, &f);
  self->held[0] = f.x.d0;
  self->held[1] = f.x.d1;
  self->held[2] = f.y.d0;
  self->held[3] = f.y.d1;
}

static void
limit_moved (PareChart *chart, PareLimitKind kind, double value)
{
  PareScatterChart *self = PARE_SCATTER_CHART (chart);
  if (kind == PARE_LIMIT_KIND_TOLERANCE)
    pare_scatter_chart_set_tolerance (self, self->baseline / 100, value);
  else
    pare_scatter_chart_set_budget (self, value);
}

static void
hover (PareChart *chart, double x, double y)
{
  PareScatterChart *self = PARE_SCATTER_CHART (chart);
  if (self->drag != DRAG_NONE)
    return;
  int at = x < 0 ? -1 : find_point (self, x, y);
  set_hover (self, at < 0 ? -1 : self->points[at].id, TRUE);
}

/* --- pointer --- */

static void
on_drag_begin (GtkGestureDrag *gesture, double x, double y, PareScatterChart *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self));
  self->drag = pare_chart_limit_begin (PARE_CHART (self), x, y) ? DRAG_LIMIT : DRAG_PENDING;
  if (self->drag == DRAG_LIMIT)
    gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
  self->drag_x = x;
  self->drag_y = y;
}

static void
on_drag_update (GtkGestureDrag *gesture, double dx, double dy, PareScatterChart *self)
{
  if (self->drag == DRAG_PENDING && dx * dx + dy * dy > SLOP * SLOP)
    {
      self->drag = DRAG_BRUSH;
      gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
      set_hover (self, -1, TRUE);
    }
  if (self->drag == DRAG_LIMIT)
    pare_chart_limit_drag (PARE_CHART (self), self->drag_x + dx, self->drag_y + dy, FALSE);
  if (self->drag != DRAG_BRUSH)
    return;
  ScatterFrame f;
  current_frame (self, &f);
  double ax = pare_scale_invert (&f.x, self->drag_x), bx = pare_scale_invert (&f.x, self->drag_x + dx);
  double ay = pare_scale_invert (&f.y, self->drag_y), by = pare_scale_invert (&f.y, self->drag_y + dy);
  self->bx0 = fmin (ax, bx);
  self->bx1 = fmax (ax, bx);
  self->by0 = fmin (ay, by);
  self->by1 = fmax (ay, by);
  pare_chart_hover_changed (PARE_CHART (self));
}

static void
on_drag_end (GtkGestureDrag *gesture, double dx, double dy, PareScatterChart *self)
{
  ScatterDrag drag = self->drag;
  on_drag_update (gesture, dx, dy, self);
  drag = self->drag;
  self->drag = DRAG_NONE;
  if (drag == DRAG_LIMIT)
    pare_chart_limit_drag (PARE_CHART (self), self->drag_x + dx, self->drag_y + dy, TRUE);
  else if (drag == DRAG_BRUSH)
    {
      self->brushed = TRUE;
      g_autoptr (GArray) inside = pare_scatter_chart_get_brush (self);
      self->brushed = inside->len > 0; /* a frame around nothing selects nothing */
      pare_chart_hover_changed (PARE_CHART (self));
      g_signal_emit (self, signals[BRUSH_CHANGED], 0);
    }
  else if (drag == DRAG_PENDING)
    {
      int at = find_point (self, self->drag_x, self->drag_y);
      if (at >= 0)
        g_signal_emit (self, signals[POINT_ACTIVATED], 0, self->points[at].id);
      else
        pare_scatter_chart_clear_brush (self);
    }
}

static void
on_drag_cancel (GtkGesture *gesture, GdkEventSequence *sequence, PareScatterChart *self)
{
  pare_chart_limit_cancel (PARE_CHART (self));
  self->drag = DRAG_NONE;
}

static void
on_pressed (GtkGestureClick *gesture, int n, double x, double y, PareScatterChart *self)
{
  if (n == 2 && find_point (self, x, y) < 0)
    pare_scatter_chart_reset_zoom (self);
}

static gboolean
on_scroll (GtkEventControllerScroll *controller, double dx, double dy, PareScatterChart *self)
{
  GdkModifierType state = gtk_event_controller_get_current_event_state (GTK_EVENT_CONTROLLER (controller));
  double x, y;
  if (!(state & GDK_CONTROL_MASK) || !pare_chart_get_pointer (PARE_CHART (self), &x, &y) || !isfinite (dy))
    return GDK_EVENT_PROPAGATE;
  ScatterFrame f;
  current_frame (self, &f);
  double k = pow (1.2, CLAMP (dy, -4, 4));
  double vx0 = pare_scale_invert (&f.x, x + (f.x0 - x) * k), vx1 = pare_scale_invert (&f.x, x + (f.x1 - x) * k);
  double vy0 = pare_scale_invert (&f.y, y + (f.y1 - y) * k), vy1 = pare_scale_invert (&f.y, y + (f.y0 - y) * k);
  /* Neither into rounding error nor out of the world. */
  if (vy1 - vy0 < 1e-3 || vy1 - vy0 > 400 || !(vx1 - vx0 > 1e-6 * fabs (vx1)) || vx1 > 1e15)
    return GDK_EVENT_STOP;
  self->vx0 = vx0;
  self->vx1 = vx1;
  self->vy0 = vy0;
  self->vy1 = vy1;
  self->zoomed = TRUE;
  pare_chart_changed (PARE_CHART (self));
  return GDK_EVENT_STOP;
}

/* --- keyboard --- */

static gboolean
on_key (GtkEventControllerKey *controller, guint key, guint code, GdkModifierType state, PareScatterChart *self)
{
  int by = key == GDK_KEY_Right ? 1 : key == GDK_KEY_Left ? -1 : 0, at = -1, next = -1;
  for (guint i = 0; i < self->n; i++)
    if (self->points[i].id == self->hover && self->hover >= 0)
      at = (int)i;
  if (by != 0)
    {
      /* The neighbour in x; equal ones in their order, so that each can be reached. */
      for (guint i = 0; i < self->n; i++)
        {
          double x = self->points[i].x, from = at >= 0 ? self->points[at].x : by > 0 ? -INFINITY : INFINITY;
          if (!isfinite (x) || (int)i == at)
            continue;
          gboolean beyond = by > 0 ? x > from || (x == from && (int)i > at) : x < from || (x == from && (int)i < at);
          gboolean nearer
              = next < 0 || (by > 0 ? x < self->points[next].x : x > self->points[next].x || (x == self->points[next].x && (int)i > next));
          if (beyond && nearer)
            next = (int)i;
        }
      if (next >= 0)
        set_hover (self, self->points[next].id, TRUE);
      return GDK_EVENT_STOP;
    }
  if ((key == GDK_KEY_Return || key == GDK_KEY_KP_Enter) && at >= 0)
    {
      g_signal_emit (self, signals[POINT_ACTIVATED], 0, self->hover);
      return GDK_EVENT_STOP;
    }
  if (key == GDK_KEY_Escape && self->brushed)
    {
      pare_scatter_chart_clear_brush (self);
      return GDK_EVENT_STOP;
    }
  return GDK_EVENT_PROPAGATE;
}

/* --- reading --- */

static char *
describe (PareChart *chart)
{
  PareScatterChart *self = PARE_SCATTER_CHART (chart);
  const char *const against[] = { _ ("size"), _ ("latency"), _ ("multiply-adds") };
  guint front = 0;
  const PareScatterPoint *now = NULL;
  for (guint i = 0; i < self->n; i++)
    {
      front += self->on_front[i];
      if (self->points[i].current)
        now = &self->points[i];
    }
  if (self->n == 0)
    return g_strdup_printf (_ ("Accuracy against %s: no recipe yet."), against[self->axis]);
  g_autofree char *percent = now != NULL ? pare_format_percent (now->y / 100, 2) : NULL,
                  *amount = now != NULL ? pare_scatter_x_text (self, now->x) : NULL;
  return g_strdup_printf (_ ("Accuracy against %s of %u recipes, %u on the measured front%s%s%s%s."), against[self->axis], self->n, front,
                          now != NULL ? "; now " : "", now != NULL ? percent : "", now != NULL ? " at " : "", now != NULL ? amount : "");
}

static char *
plain (double v)
{
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];
  return isfinite (v) ? g_strdup (g_ascii_formatd (buffer, sizeof buffer, "%.6g", v)) : g_strdup ("");
}

static void
table (PareChart *chart, GPtrArray *rows)
{
  PareScatterChart *self = PARE_SCATTER_CHART (chart);
  const char *const heads[] = { _ ("size, KiB"), _ ("latency, ms"), _ ("multiply-adds, millions") };
  const char *const marks[] = { "", _ ("measured"), _ ("counting"), _ ("stale"), _ ("predicted") };
  pare_chart_row (rows, g_strdup (_ ("recipe")), g_strdup (heads[self->axis]), g_strdup (_ ("accuracy, %")), g_strdup (_ ("low")),
                  g_strdup (_ ("high")), g_strdup (_ ("kind")), g_strdup (_ ("front")), NULL);
  for (guint i = 0; i < self->n; i++)
    {
      const PareScatterPoint *p = &self->points[i];
      pare_chart_row (rows, g_strdup (p->label), plain (p->x), plain (p->y), plain (p->low), plain (p->high), g_strdup (marks[p->mark]),
                      g_strdup (self->on_front[i] ? _ ("yes") : ""), NULL);
    }
}

static void
measure_size (PareChart *chart, int *min_w, int *nat_w, int *min_h, int *nat_h)
{
  PareScatterChart *self = PARE_SCATTER_CHART (chart);
  *min_w = 180;
  *nat_w = self->large ? 600 : 294;
  *min_h = 100;
  *nat_h = self->large ? 420 : 158;
}

static void
free_points (PareScatterChart *self)
{
  for (guint i = 0; i < self->n; i++)
    g_free ((char *)self->points[i].label);
  g_clear_pointer (&self->points, g_free);
  g_clear_pointer (&self->on_front, g_free);
  self->n = 0;
}

static void
pare_scatter_chart_finalize (GObject *object)
{
  PareScatterChart *self = PARE_SCATTER_CHART (object);
  free_points (self);
  g_free (self->y_caption);
  g_free (self->marked);
  G_OBJECT_CLASS (pare_scatter_chart_parent_class)->finalize (object);
}

static void
pare_scatter_chart_class_init (PareScatterChartClass *class)
{
  G_OBJECT_CLASS (class)->finalize = pare_scatter_chart_finalize;
  PareChartClass *chart_class = PARE_CHART_CLASS (class);
  chart_class->draw = pare_scatter_draw;
  chart_class->draw_hover = pare_scatter_draw_hover;
  chart_class->describe = describe;
  chart_class->table = table;
  chart_class->measure_size = measure_size;
  chart_class->hover = hover;
  chart_class->drags_itself = TRUE;
  chart_class->limit_at = limit_at;
  chart_class->limit_value = limit_value;
  chart_class->limit_begin = limit_begin;
  chart_class->limit_moved = limit_moved;
  GType type = G_TYPE_FROM_CLASS (class);
  signals[POINT_HOVER] = g_signal_new ("point-hover", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT64);
  signals[POINT_ACTIVATED] = g_signal_new ("point-activated", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT64);
  signals[BRUSH_CHANGED] = g_signal_new ("brush-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
pare_scatter_chart_init (PareScatterChart *self)
{
  GtkWidget *widget = GTK_WIDGET (self);
  self->budget = self->floor = self->baseline = NAN;
  self->hover = -1;
  GtkGesture *drag = gtk_gesture_drag_new (), *click = gtk_gesture_click_new ();
  g_signal_connect (drag, "drag-begin", G_CALLBACK (on_drag_begin), self);
  g_signal_connect (drag, "drag-update", G_CALLBACK (on_drag_update), self);
  g_signal_connect (drag, "drag-end", G_CALLBACK (on_drag_end), self);
  g_signal_connect (drag, "cancel", G_CALLBACK (on_drag_cancel), self);
  gtk_widget_add_controller (widget, GTK_EVENT_CONTROLLER (drag));
  g_signal_connect (click, "pressed", G_CALLBACK (on_pressed), self);
  gtk_widget_add_controller (widget, GTK_EVENT_CONTROLLER (click));
  gtk_gesture_group (drag, click);
  GtkEventController *scroll = gtk_event_controller_scroll_new (GTK_EVENT_CONTROLLER_SCROLL_VERTICAL),
                     *key = gtk_event_controller_key_new ();
  g_signal_connect (scroll, "scroll", G_CALLBACK (on_scroll), self);
  gtk_widget_add_controller (widget, scroll);
  g_signal_connect (key, "key-pressed", G_CALLBACK (on_key), self);
  gtk_widget_add_controller (widget, key);
  pare_chart_set_title (PARE_CHART (self), _ ("History, accuracy against"));
}

GtkWidget *
pare_scatter_chart_new (void)
{
  return g_object_new (PARE_TYPE_SCATTER_CHART, NULL);
}

static void
find_front (PareScatterChart *self)
{
  g_autofree double *x = g_new (double, MAX (self->n, 1));
  g_autofree double *y = g_new (double, MAX (self->n, 1));
  g_autofree gboolean *measured = g_new (gboolean, MAX (self->n, 1));
  for (guint i = 0; i < self->n; i++)
    {
      x[i] = self->points[i].x;
      y[i] = self->points[i].y;
      /* Only what was measured to the end makes the front; the current point joins while it is counted. */
      measured[i] = self->points[i].mark == PARE_MARK_MEASURED || self->points[i].mark == PARE_MARK_PROVISIONAL;
    }
  pare_pareto_front (x, y, measured, self->n, self->on_front);
}

void
pare_scatter_chart_set_points (PareScatterChart *self, const PareScatterPoint *points, guint n)
{
  free_points (self);
  self->points = g_new (PareScatterPoint, MAX (n, 1));
  self->on_front = g_new0 (gboolean, MAX (n, 1));
  self->n = n;
  double unit = pare_scatter_unit (self->axis);
  for (guint i = 0; i < n; i++)
    {
      self->points[i] = points[i];
      self->points[i].label = g_strdup (points[i].label != NULL ? points[i].label : "");
      self->points[i].x /= unit;
      self->points[i].y *= 100;
      self->points[i].low *= 100;
      self->points[i].high *= 100;
      self->points[i].mark = CLAMP (points[i].mark, PARE_MARK_NONE, PARE_MARK_PREDICTED);
    }
  find_front (self);
  pare_chart_changed (PARE_CHART (self));
}

void
pare_scatter_chart_set_axis (PareScatterChart *self, PareScatterAxis axis)
{
  if (self->axis == axis)
    return;
  /* Points and budget are of the old axis: the caller gives new ones. */
  self->axis = axis;
  self->budget = NAN;
  self->zoomed = self->brushed = FALSE;
  free_points (self);
  pare_chart_changed (PARE_CHART (self));
}

PareScatterAxis
pare_scatter_chart_get_axis (PareScatterChart *self)
{
  return self->axis;
}

void
pare_scatter_chart_set_budget (PareScatterChart *self, double x)
{
  self->budget = isfinite (x) && x > 0 ? x / pare_scatter_unit (self->axis) : NAN;
  pare_chart_changed (PARE_CHART (self));
}

void
pare_scatter_chart_set_tolerance (PareScatterChart *self, double baseline, double pp)
{
  self->baseline = baseline * 100;
  self->floor = self->baseline - fabs (pp);
  pare_chart_changed (PARE_CHART (self));
}

void
pare_scatter_chart_set_large (PareScatterChart *self, gboolean large, const char *y_caption)
{
  self->large = large;
  g_free (self->y_caption);
  self->y_caption = g_strdup (y_caption);
  gtk_widget_queue_resize (GTK_WIDGET (self));
  pare_chart_changed (PARE_CHART (self));
}

GArray *
pare_scatter_chart_get_brush (PareScatterChart *self)
{
  if (!self->brushed)
    return NULL;
  GArray *ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  for (guint i = 0; i < self->n; i++)
    {
      const PareScatterPoint *p = &self->points[i];
      if (p->x >= self->bx0 && p->x <= self->bx1 && p->y >= self->by0 && p->y <= self->by1)
        g_array_append_val (ids, p->id);
    }
  return ids;
}

void
pare_scatter_chart_set_marked (PareScatterChart *self, const gint64 *ids, guint n)
{
  g_free (self->marked);
  self->marked = n > 0 ? g_memdup2 (ids, n * sizeof *ids) : NULL;
  self->n_marked = n;
  pare_chart_changed (PARE_CHART (self));
}

void
pare_scatter_chart_clear_brush (PareScatterChart *self)
{
  if (!self->brushed)
    return;
  self->brushed = FALSE;
  pare_chart_hover_changed (PARE_CHART (self));
  g_signal_emit (self, signals[BRUSH_CHANGED], 0);
}

void
pare_scatter_chart_reset_zoom (PareScatterChart *self)
{
  self->zoomed = FALSE;
  pare_chart_changed (PARE_CHART (self));
}

void
pare_scatter_chart_set_hover (PareScatterChart *self, gint64 id)
{
  set_hover (self, id, FALSE);
}
