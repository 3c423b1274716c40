#include "widgets/pare-spectrum-knob.h"
#include "widgets/pare-knob.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>
#include <math.h>

#define HEIGHT 34

struct _PareSpectrumKnob
{
  GtkWidget parent;
  char *name, *reason;
  double *singular, start; /* start: where the drag began, px */
  guint n, rank, gain_below, step, from;
  guint cursor; /* rank that is only looked at; 0: none */
  gboolean dragging, moved, hovered;
};

enum
{
  CHANGED,
  PREVIEW,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (PareSpectrumKnob, pare_spectrum_knob, GTK_TYPE_WIDGET)

static double
value_of (PareSpectrumKnob *self, guint i)
{
  return isfinite (self->singular[i]) && self->singular[i] > 0 ? self->singular[i] : 0;
}

double
pare_spectrum_knob_energy (PareSpectrumKnob *self, guint rank)
{
  double all = 0, kept = 0, most = 0;
  for (guint i = 0; i < self->n; i++)
    most = fmax (most, value_of (self, i));
  for (guint i = 0; i < self->n && most > 0; i++)
    {
      double v = value_of (self, i) / most; /* scaled: squares of huge values overflow */
      all += v * v;
      kept += i < rank ? v * v : 0;
    }
  return all > 0 ? kept / all : NAN;
}

static void
update (PareSpectrumKnob *self)
{
  g_autofree char *energy = pare_format_percent (pare_spectrum_knob_energy (self, self->rank), 1);
  g_autofree char *words = self->reason != NULL ? g_strdup_printf (_ ("cannot be changed: %s"), self->reason)
                           : self->rank == 0    ? g_strdup (_ ("off"))
                                             : g_strdup_printf (_ ("rank %u of %u, keeps %s of the energy"), self->rank, self->n, energy);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, self->name, GTK_ACCESSIBLE_PROPERTY_VALUE_MIN, 0.0,
                                  GTK_ACCESSIBLE_PROPERTY_VALUE_MAX, (double)self->n, GTK_ACCESSIBLE_PROPERTY_VALUE_NOW, (double)self->rank,
                                  GTK_ACCESSIBLE_PROPERTY_VALUE_TEXT, words, GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, words, -1);
  if (self->reason == NULL)
    gtk_widget_set_tooltip_text (GTK_WIDGET (self), self->n > 0 ? words : NULL);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
set_cursor (PareSpectrumKnob *self, gint64 rank)
{
  guint to = self->n == 0 || self->reason != NULL ? 0 : (guint)CLAMP (rank, 0, (gint64)self->n);
  if (to == self->cursor)
    return;
  self->cursor = to;
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_signal_emit (self, signals[PREVIEW], 0, (int)to);
}

static void
move_to (PareSpectrumKnob *self, gint64 rank, gboolean final)
{
  if (self->n == 0)
    return;
  guint to = (guint)CLAMP (rank, 1, (gint64)self->n);
  if (to == self->rank && !final)
    return;
  self->rank = to;
  self->moved = TRUE;
  update (self);
  g_signal_emit (self, signals[CHANGED], 0, (int)to, final);
}

static void
pare_spectrum_knob_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  PareSpectrumKnob *self = PARE_SPECTRUM_KNOB (widget);
  double w = gtk_widget_get_width (widget), h = gtk_widget_get_height (widget);
  if (w <= 0 || h <= 0)
    return;
  PareLook look;
  pare_look_for_widget (&look, widget);
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (0, 0, w, h));
  if (self->reason != NULL && self->n == 0)
    pare_draw_text (cr, &look, &look.second, PARE_CAPTION_PX, 0, 0, h / 2 + 4, w, self->reason);
  else if (self->n == 0)
    {
      pare_draw_dash (cr, 2, 2);
      pare_draw_line (cr, &look.hatch, 1.5, 0, h - 6, w, h - 6);
      pare_draw_dash (cr, 0, 0);
    }
  double most = 0;
  for (guint i = 0; i < self->n; i++)
    most = fmax (most, value_of (self, i));
  /* More values than pixels: a bar is the largest of those that fall on it; they descend, so that is the first. */
  guint bars = (guint)CLAMP (floor (w / 2), 1, MAX (self->n, 1));
  for (guint b = 0; b < bars && self->n > 0; b++)
    {
      guint i = (guint)((guint64)b * self->n / bars);
      double bar = w / bars, bh = most > 0 ? value_of (self, i) / most * (h - 2) : 0;
      gboolean kept = self->rank > 0 && i < self->rank;
      cairo_rectangle (cr, b * bar, h - bh, fmax (bar - 1, 1), bh);
      pare_draw_source (cr, kept ? &look.mark : &look.hatch, kept ? 0.85 : self->rank > 0 ? 0.35 : 0.55);
      cairo_fill (cr);
    }
  if (self->n > 0 && self->gain_below > 0 && self->gain_below < self->n)
    {
      double x = round (w * self->gain_below / self->n) + 0.5;
      pare_draw_dash (cr, 2, 2);
      pare_draw_line (cr, &look.second, 1, x, 0, x, h);
      pare_draw_dash (cr, 0, 0);
    }
  if (self->cursor > 0 && self->n > 0 && !self->dragging)
    {
      double x = CLAMP (w * self->cursor / self->n, 1, w - 1);
      pare_draw_dash (cr, 2, 2);
      pare_draw_line (cr, &look.mark, 1, x, 0, x, h);
      pare_draw_dash (cr, 0, 0);
    }
  if (self->rank > 0 && self->n > 0)
    {
      double x = CLAMP (w * self->rank / self->n, 1, w - 1);
      pare_draw_line (cr, &look.mark, 1.5, x, 0, x, h);
      cairo_new_path (cr);
      cairo_arc (cr, CLAMP (x, 6.5, w - 6.5), h / 2, self->hovered || self->dragging ? 6.5 : 5.5, 0, 2 * G_PI);
      pare_draw_source (cr, &look.knob, 1);
      cairo_fill_preserve (cr);
      pare_draw_source (cr, &look.mark, 1);
      cairo_set_line_width (cr, 2);
      cairo_stroke (cr);
    }
  cairo_destroy (cr);
}

static void
pare_spectrum_knob_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural, int *minimum_baseline,
                            int *natural_baseline)
{
  PareLook look;
  pare_look_for_widget (&look, widget);
  *minimum = orientation == GTK_ORIENTATION_HORIZONTAL ? 120 : (int)ceil (HEIGHT * look.scale);
  *natural = orientation == GTK_ORIENTATION_HORIZONTAL ? 300 : *minimum;
}

static gint64
rank_at (PareSpectrumKnob *self, double x, gpointer controller)
{
  int w = gtk_widget_get_width (GTK_WIDGET (self));
  double k = w > 0 ? CLAMP (x / w, 0, 1) * self->n : 0;
  GdkModifierType state = gtk_event_controller_get_current_event_state (controller);
  guint step = state & GDK_CONTROL_MASK ? 1 : self->step;
  return (gint64)fmax (round (k / step) * step, step);
}

static void
on_drag_begin (GtkGestureDrag *gesture, double x, double y, PareSpectrumKnob *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self));
  gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
  set_cursor (self, 0);
  self->dragging = TRUE;
  self->start = x;
  self->moved = FALSE;
  self->from = self->rank;
  move_to (self, rank_at (self, x, gesture), FALSE);
}

static void
on_drag_update (GtkGestureDrag *gesture, double dx, double dy, PareSpectrumKnob *self)
{
  if (self->dragging)
    move_to (self, rank_at (self, self->start + dx, gesture), FALSE);
}

static void
on_drag_end (GtkGestureDrag *gesture, double dx, double dy, PareSpectrumKnob *self)
{
  if (!self->dragging)
    return;
  on_drag_update (gesture, dx, dy, self);
  self->dragging = FALSE;
  if (self->moved)
    move_to (self, self->rank, TRUE);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
on_drag_cancel (GtkGesture *gesture, GdkEventSequence *sequence, PareSpectrumKnob *self)
{
  if (self->dragging && self->moved && self->from > 0)
    move_to (self, self->from, TRUE);
  self->dragging = FALSE;
}

static void
step_by (PareSpectrumKnob *self, int by)
{
  if (self->n == 0)
    return;
  gint64 step = self->step, now = self->rank > 0 ? self->rank : self->n, to = now + by * step;
  /* From between two legal ranks: to the neighbour. */
  if (now % step != 0)
    to = (now / step + (by > 0 ? 1 : 0)) * step + (by > 0 ? by - 1 : by + 1) * step;
  to = CLAMP (to, MIN (step, (gint64)self->n), (gint64)self->n);
  if (to != self->rank)
    move_to (self, to, TRUE);
}

static gboolean
on_key (GtkEventControllerKey *controller, guint key, guint code, GdkModifierType state, PareSpectrumKnob *self)
{
  if ((state & GDK_CONTROL_MASK) && (key == GDK_KEY_Left || key == GDK_KEY_Right))
    {
      gint64 from = self->cursor > 0 ? self->cursor
                    : self->rank > 0 ? self->rank
                                     : self->n,
             by = (gint64)self->step * (state & GDK_SHIFT_MASK ? 10 : 1);
      set_cursor (self, MAX (from + (key == GDK_KEY_Left ? -by : by), 1));
      return GDK_EVENT_STOP;
    }
  if (self->cursor > 0 && (key == GDK_KEY_Escape || key == GDK_KEY_space || key == GDK_KEY_Return || key == GDK_KEY_KP_Enter))
    {
      guint to = self->cursor;
      set_cursor (self, 0);
      if (key != GDK_KEY_Escape)
        move_to (self, to, TRUE);
      return GDK_EVENT_STOP;
    }
  if (state & (GDK_CONTROL_MASK | GDK_SUPER_MASK))
    return GDK_EVENT_PROPAGATE;
  int k = state & GDK_SHIFT_MASK ? 10 : 1;
  switch (key)
    {
    case GDK_KEY_Left:
    case GDK_KEY_Down:
      step_by (self, -k);
      return GDK_EVENT_STOP;
    case GDK_KEY_Right:
    case GDK_KEY_Up:
      step_by (self, k);
      return GDK_EVENT_STOP;
    case GDK_KEY_Page_Down:
      step_by (self, -10);
      return GDK_EVENT_STOP;
    case GDK_KEY_Page_Up:
      step_by (self, 10);
      return GDK_EVENT_STOP;
    case GDK_KEY_Home:
      step_by (self, -(int)MIN (self->n, 100000u));
      return GDK_EVENT_STOP;
    case GDK_KEY_End:
      step_by (self, (int)MIN (self->n, 100000u));
      return GDK_EVENT_STOP;
    default:
      return GDK_EVENT_PROPAGATE;
    }
}

static gboolean
on_scroll (GtkEventControllerScroll *controller, double dx, double dy, PareSpectrumKnob *self)
{
  if (!gtk_widget_has_focus (GTK_WIDGET (self)) || dy == 0)
    return GDK_EVENT_PROPAGATE;
  step_by (self, dy < 0 ? 1 : -1);
  return GDK_EVENT_STOP;
}

static void
on_enter (GtkEventControllerMotion *controller, double x, double y, PareSpectrumKnob *self)
{
  self->hovered = TRUE;
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
on_motion (GtkEventControllerMotion *controller, double x, double y, PareSpectrumKnob *self)
{
  if (!self->dragging && self->n > 0)
    set_cursor (self, rank_at (self, x, controller));
}

static void
on_focus_left (GtkEventControllerFocus *controller, PareSpectrumKnob *self)
{
  set_cursor (self, 0);
}

static void
on_leave (GtkEventControllerMotion *controller, PareSpectrumKnob *self)
{
  self->hovered = FALSE;
  set_cursor (self, 0);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
pare_spectrum_knob_finalize (GObject *object)
{
  PareSpectrumKnob *self = PARE_SPECTRUM_KNOB (object);
  g_free (self->name);
  g_free (self->reason);
  g_free (self->singular);
  G_OBJECT_CLASS (pare_spectrum_knob_parent_class)->finalize (object);
}

static void
pare_spectrum_knob_class_init (PareSpectrumKnobClass *class)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  G_OBJECT_CLASS (class)->finalize = pare_spectrum_knob_finalize;
  widget_class->snapshot = pare_spectrum_knob_snapshot;
  widget_class->measure = pare_spectrum_knob_measure;
  gtk_widget_class_set_css_name (widget_class, "pare-spectrum-knob");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_SLIDER);
  signals[PREVIEW]
      = g_signal_new ("preview", G_TYPE_FROM_CLASS (class), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
  signals[CHANGED] = g_signal_new ("changed", G_TYPE_FROM_CLASS (class), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_INT,
                                   G_TYPE_BOOLEAN);
}

static const PareKnobHandlers handlers = {
  .drag_begin = G_CALLBACK (on_drag_begin),
  .drag_update = G_CALLBACK (on_drag_update),
  .drag_end = G_CALLBACK (on_drag_end),
  .drag_cancel = G_CALLBACK (on_drag_cancel),
  .key_pressed = G_CALLBACK (on_key),
  .scroll = G_CALLBACK (on_scroll),
  .enter = G_CALLBACK (on_enter),
  .motion = G_CALLBACK (on_motion),
  .leave = G_CALLBACK (on_leave),
  .focus_leave = G_CALLBACK (on_focus_left),
};

static void
pare_spectrum_knob_init (PareSpectrumKnob *self)
{
  pare_knob_init (GTK_WIDGET (self), &handlers);
  self->step = 1;
}

GtkWidget *
pare_spectrum_knob_new (const char *name)
{
  PareSpectrumKnob *self = g_object_new (PARE_TYPE_SPECTRUM_KNOB, NULL);
  self->name = g_strdup (name != NULL ? name : _ ("Rank"));
  update (self);
  return GTK_WIDGET (self);
}

void
pare_spectrum_knob_set_values (PareSpectrumKnob *self, const double *singular, guint n)
{
  g_free (self->singular);
  self->singular = n > 0 ? g_memdup2 (singular, n * sizeof *singular) : NULL;
  self->n = n;
  self->rank = MIN (self->rank, n);
  update (self);
}

void
pare_spectrum_knob_set_rank (PareSpectrumKnob *self, guint rank, guint gain_below)
{
  if (self->dragging)
    return;
  self->rank = MIN (rank, self->n);
  self->gain_below = gain_below;
  update (self);
}

guint
pare_spectrum_knob_get_rank (PareSpectrumKnob *self)
{
  return self->rank;
}

void
pare_spectrum_knob_set_step (PareSpectrumKnob *self, guint step)
{
  self->step = MAX (step, 1);
}

void
pare_spectrum_knob_set_reason (PareSpectrumKnob *self, const char *reason)
{
  g_free (self->reason);
  self->reason = g_strdup (reason);
  gtk_widget_set_sensitive (GTK_WIDGET (self), reason == NULL);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self), reason);
  update (self);
}
