#include "widgets/pare-curve-knob.h"
#include "widgets/pare-knob.h"
#include "widgets/pare-format.h"
#include "widgets/pare-scale.h"

#include <glib/gi18n.h>
#include <math.h>

#define PLOT 48 /* height of the plot; the ratio axis is below */
#define HEIGHT 62
#define FINE 0.001

struct _PareCurveKnob
{
  GtkWidget parent;
  GtkWidget *spin; /* owned; placed by the caller */
  GtkAdjustment *adjustment;
  char *name, *reason, *first, *second;
  double *values;
  guint n_values;
  double *steps;
  guint n_steps;
  double *x, *error, free_until;
  guint n_curve;
  gboolean dragging, shifting, moved, quiet, hovered;
  gboolean typed, writing;   /* the spin button's text is a person's; is set from here */
  double start, from, shift; /* value where the drag began; last shift told */
  double cursor;             /* value that is only looked at; NAN: none */
};

enum
{
  CHANGED,
  SHIFTED,
  PREVIEW,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (PareCurveKnob, pare_curve_knob, GTK_TYPE_WIDGET)

static gboolean
is_mixed (PareCurveKnob *self)
{
  for (guint i = 1; i < self->n_values; i++)
    if (fabs (self->values[i] - self->values[0]) > 1e-9)
      return TRUE;
  return FALSE;
}

double
pare_curve_knob_get_value (PareCurveKnob *self)
{
  return self->n_values == 0 || is_mixed (self) ? NAN : self->values[0];
}

/* Where movements start: the value, or the middle of mixed ones. */
static double
anchor (PareCurveKnob *self)
{
  double sum = 0;
  for (guint i = 0; i < self->n_values; i++)
    sum += self->values[i];
  return self->n_values > 0 ? sum / self->n_values : 0;
}

static gboolean on_spin_output (GtkSpinButton *spin, PareCurveKnob *self);

static void
update (PareCurveKnob *self)
{
  double v = pare_curve_knob_get_value (self), at = isfinite (v) ? v : anchor (self);
  g_autofree char *percent = isfinite (v) ? pare_format_percent (v, 1) : g_strdup (self->n_values > 0 ? _ ("mixed") : _ ("none"));
  g_autofree char *words
      = g_strdup_printf ("%s%s%s%s%s", percent, self->first != NULL ? ", " : "", self->first != NULL ? self->first : "",
                         self->reason != NULL ? _ ("; cannot be changed: ") : "", self->reason != NULL ? self->reason : "");
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, self->name, GTK_ACCESSIBLE_PROPERTY_VALUE_MIN, 0.0,
                                  GTK_ACCESSIBLE_PROPERTY_VALUE_MAX, 100.0, GTK_ACCESSIBLE_PROPERTY_VALUE_NOW, at * 100,
                                  GTK_ACCESSIBLE_PROPERTY_VALUE_TEXT, words, GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, words, -1);
  self->quiet = TRUE;
  gtk_adjustment_set_value (self->adjustment, at * 100);
  /* An equal number does not repaint its text, which may have been "mixed". */
  if (self->spin != NULL)
    on_spin_output (GTK_SPIN_BUTTON (self->spin), self);
  self->quiet = FALSE;
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
hold (PareCurveKnob *self, const double *values, guint n)
{
  double *copy = g_new (double, MAX (n, 1));
  guint kept = 0;
  for (guint i = 0; i < n; i++)
    if (isfinite (values[i]))
      copy[kept++] = CLAMP (values[i], 0, 1);
  g_free (self->values);
  self->values = copy;
  self->n_values = kept;
}

static void
set_cursor (PareCurveKnob *self, double v)
{
  if (self->reason != NULL)
    v = NAN;
  if (self->cursor == v || (isnan (self->cursor) && isnan (v)))
    return;
  self->cursor = v;
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_signal_emit (self, signals[PREVIEW], 0, v);
}

/* Every change by hand goes through here. A move that changes nothing says nothing, unless it ends a drag. */
static void
move_to (PareCurveKnob *self, double v, gboolean final)
{
  v = CLAMP (v, 0, 1);
  double old = pare_curve_knob_get_value (self);
  gboolean same = isfinite (old) && fabs (old - v) < 1e-9;
  if (same && !final)
    return;
  hold (self, &v, 1);
  self->moved = TRUE;
  update (self);
  g_signal_emit (self, signals[CHANGED], 0, v, final);
}

static void
step_by (PareCurveKnob *self, int by, GdkModifierType state)
{
  double v = anchor (self), to;
  if (state & GDK_ALT_MASK)
    to = v + by * FINE;
  else
    {
      int n = state & GDK_SHIFT_MASK ? 10 * by : by;
      to = self->n_steps > 0 ? pare_snap_step (self->steps, self->n_steps, v, n) : v + n * 0.01;
    }
  to = CLAMP (to, 0, 1);
  if (fabs (to - v) > 1e-9 || is_mixed (self))
    move_to (self, to, TRUE);
}

/* --- drawing --- */

static double
curve_at (PareCurveKnob *self, double r)
{
  if (self->n_curve == 0)
    return NAN;
  guint i = 0;
  while (i + 1 < self->n_curve && self->x[i + 1] < r)
    i++;
  if (i + 1 >= self->n_curve || r <= self->x[0])
    return self->error[r <= self->x[0] ? 0 : i];
  double t = (r - self->x[i]) / (self->x[i + 1] - self->x[i]);
  return self->error[i] + CLAMP (t, 0, 1) * (self->error[i + 1] - self->error[i]);
}

static double
curve_top (PareCurveKnob *self)
{
  double top = 0;
  for (guint i = 0; i < self->n_curve; i++)
    if (isfinite (self->error[i]))
      top = fmax (top, self->error[i]);
  return top > 0 ? top : 1;
}

static void
draw_axis (cairo_t *cr, const PareLook *look, double w, double base)
{
  pare_draw_line (cr, &look->hatch, 1, 0, base + 0.5, w, base + 0.5);
  for (int i = 0; i <= 4; i++)
    {
      g_autofree char *label = i == 0 ? g_strdup ("0") : g_strdup_printf ("%d %%", i * 25);
      double x = CLAMP (i * w / 4, 1, w - 1);
      pare_draw_text (cr, look, &look->second, PARE_TICK_PX,
                      i == 0   ? PARE_TEXT_LEFT
                      : i == 4 ? PARE_TEXT_RIGHT
                               : PARE_TEXT_MIDDLE,
                      x, base + 12 * look->scale, 0, label);
      pare_draw_line (cr, &look->hatch, 1, x, base - 2, x, base + 2);
    }
}

/* Where the texts lie, from left to right; across: over the handle. */
typedef struct
{
  double x, from, to;
  PareTextFlags flags;
  gboolean across;
} Texts;

/* Right of the handle; left of it where there is no room; else across it from the left, where a curve that rises is low. */
static Texts
place_texts (PareCurveKnob *self, cairo_t *cr, const PareLook *look, double w, double handle)
{
  double a = self->first != NULL ? pare_draw_text_width (cr, look, PARE_TICK_PX, 0, self->first) : 0;
  double b = self->second != NULL ? pare_draw_text_width (cr, look, PARE_TICK_PX, 0, self->second) : 0, width = fmax (a, b);
  if (handle + 11 + width <= w)
    return (Texts){ handle + 11, handle + 11, handle + 11 + width, 0, FALSE };
  if (handle - 11 - width >= 0)
    return (Texts){ handle - 11, handle - 11 - width, handle - 11, PARE_TEXT_RIGHT, FALSE };
  return (Texts){ 3, 3, 3 + width, 0, width > 0 };
}

/* Where a line at x begins, so that it does not cross them. */
static double
line_from (const Texts *texts, const PareLook *look, double x)
{
  return texts->to > texts->from && x > texts->from - 3 && x < texts->to + 3 ? 29 * look->scale : 0;
}

static void
pare_curve_knob_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  PareCurveKnob *self = PARE_CURVE_KNOB (widget);
  double w = gtk_widget_get_width (widget), h = gtk_widget_get_height (widget);
  if (w <= 0 || h <= 0)
    return;
  PareLook look;
  pare_look_for_widget (&look, widget);
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (0, 0, w, h));
  double s = look.scale, base = PLOT * s, top = curve_top (self), value = pare_curve_knob_get_value (self);
  if (self->reason != NULL)
    {
      pare_draw_line (cr, &look.line, 1, 0, base + 0.5, w, base + 0.5);
      pare_draw_text (cr, &look, &look.second, PARE_CAPTION_PX, 0, 0, 28 * s, w, self->reason);
      cairo_destroy (cr);
      return;
    }
  double at = isfinite (value) ? value : anchor (self), handle = at * w;
  Texts texts = place_texts (self, cr, &look, w, handle);
  if (isfinite (value) && value > 0)
    {
      cairo_rectangle (cr, 0, 0, handle, base);
      pare_draw_source (cr, &look.selected, 1);
      cairo_fill (cr);
    }
  draw_axis (cr, &look, w, base);
  if (isfinite (self->free_until) && self->free_until > 0)
    {
      double x = round (self->free_until * w) + 0.5;
      pare_draw_dash (cr, 2, 2);
      pare_draw_line (cr, &look.second, 1, x, base - 10 * s, x, base);
      pare_draw_dash (cr, 0, 0);
    }
  cairo_new_path (cr);
  for (guint i = 0; i < self->n_curve; i++)
    if (isfinite (self->error[i]))
      cairo_line_to (cr, self->x[i] * w, base - fmax (self->error[i], 0) / top * 0.88 * base);
  pare_draw_source (cr, &look.fg, 1);
  cairo_set_line_width (cr, 1.5);
  cairo_stroke (cr);
  if (self->n_curve == 0)
    {
      pare_draw_dash (cr, 2, 2);
      pare_draw_line (cr, &look.hatch, 1.5, 0, base - 6, w, base - 6);
      pare_draw_dash (cr, 0, 0);
    }
  if (is_mixed (self))
    for (guint i = 0; i < self->n_values; i++)
      {
        cairo_rectangle (cr, CLAMP (self->values[i] * w - 1, 0, w - 2), base - 8, 2, 8);
        pare_draw_source (cr, &look.mark, 1);
        cairo_fill (cr);
      }
  else if (self->n_values > 0)
    {
      double e = curve_at (self, at), y = isfinite (e) ? base - fmax (e, 0) / top * 0.88 * base : base - 6;
      double from = texts.across ? 29 * s : 0;
      pare_draw_line (cr, &look.mark, 1.5, CLAMP (handle, 1, w - 1), from, CLAMP (handle, 1, w - 1), base);
      cairo_new_path (cr);
      cairo_arc (cr, CLAMP (handle, 6.5, w - 6.5), CLAMP (y, 6.5, base), self->hovered || self->dragging ? 6.5 : 5.5, 0, 2 * G_PI);
      pare_draw_source (cr, &look.knob, 1);
      cairo_fill_preserve (cr);
      pare_draw_source (cr, &look.mark, 1);
      cairo_set_line_width (cr, 2);
      cairo_stroke (cr);
    }
  if (isfinite (self->cursor) && !self->dragging)
    {
      double x = CLAMP (self->cursor * w, 1, w - 1), e = curve_at (self, self->cursor);
      pare_draw_dash (cr, 2, 2);
      pare_draw_line (cr, &look.mark, 1, x, line_from (&texts, &look, x), x, base);
      pare_draw_dash (cr, 0, 0);
      if (isfinite (e))
        {
          cairo_new_path (cr);
          cairo_arc (cr, x, base - fmax (e, 0) / top * 0.88 * base, 3, 0, 2 * G_PI);
          pare_draw_source (cr, &look.mark, 1);
          cairo_fill (cr);
        }
    }
  pare_draw_text (cr, &look, &look.fg, PARE_TICK_PX, texts.flags, texts.x, 13 * s, w, self->first);
  pare_draw_text (cr, &look, &look.second, PARE_TICK_PX, texts.flags, texts.x, 26 * s, w, self->second);
  cairo_destroy (cr);
}

static void
pare_curve_knob_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural, int *minimum_baseline,
                         int *natural_baseline)
{
  PareLook look;
  pare_look_for_widget (&look, widget);
  *minimum = orientation == GTK_ORIENTATION_HORIZONTAL ? 160 : (int)ceil (HEIGHT * look.scale);
  *natural = orientation == GTK_ORIENTATION_HORIZONTAL ? 300 : *minimum;
}

/* --- input --- */

static double
value_at (PareCurveKnob *self, double x, GdkModifierType state)
{
  int w = gtk_widget_get_width (GTK_WIDGET (self));
  double v = w > 0 ? CLAMP (x / w, 0, 1) : 0;
  return state & GDK_CONTROL_MASK ? v : self->n_steps > 0 ? pare_snap (self->steps, self->n_steps, v) : round (v * 200) / 200;
}

static GdkModifierType
state_of (gpointer controller)
{
  return gtk_event_controller_get_current_event_state (controller);
}

static void
on_drag_begin (GtkGestureDrag *gesture, double x, double y, PareCurveKnob *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self));
  gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
  set_cursor (self, NAN);
  self->dragging = TRUE;
  self->start = x;
  self->moved = FALSE;
  self->shift = 0;
  self->shifting = is_mixed (self) && (state_of (gesture) & GDK_ALT_MASK);
  self->from = pare_curve_knob_get_value (self);
  if (!self->shifting)
    move_to (self, value_at (self, x, state_of (gesture)), FALSE);
}

static void
on_drag_update (GtkGestureDrag *gesture, double dx, double dy, PareCurveKnob *self)
{
  if (!self->dragging)
    return;
  if (!self->shifting)
    {
      move_to (self, value_at (self, self->start + dx, state_of (gesture)), FALSE);
      return;
    }
  int w = gtk_widget_get_width (GTK_WIDGET (self));
  double shift = w > 0 ? dx / w : 0;
  if (shift != self->shift)
    {
      self->shift = shift;
      g_signal_emit (self, signals[SHIFTED], 0, shift, FALSE);
    }
}

static void
on_drag_end (GtkGestureDrag *gesture, double dx, double dy, PareCurveKnob *self)
{
  if (!self->dragging)
    return;
  on_drag_update (gesture, dx, dy, self);
  self->dragging = FALSE;
  double now = pare_curve_knob_get_value (self);
  if (self->shifting)
    g_signal_emit (self, signals[SHIFTED], 0, self->shift, TRUE);
  else if (self->moved) /* back where it began, too: the steps on the way have to be closed */
    move_to (self, now, TRUE);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
on_drag_cancel (GtkGesture *gesture, GdkEventSequence *sequence, PareCurveKnob *self)
{
  if (!self->dragging)
    return;
  self->dragging = FALSE;
  /* Taken away by the system: as if it had not been touched. */
  if (!self->shifting && self->moved && isfinite (self->from))
    move_to (self, self->from, TRUE);
}

static gboolean
on_key (GtkEventControllerKey *controller, guint key, guint code, GdkModifierType state, PareCurveKnob *self)
{
  if ((state & GDK_CONTROL_MASK) && (key == GDK_KEY_Left || key == GDK_KEY_Right))
    {
      double from = isfinite (self->cursor) ? self->cursor : anchor (self);
      int by = (key == GDK_KEY_Left ? -1 : 1) * (state & GDK_SHIFT_MASK ? 10 : 1);
      set_cursor (self, CLAMP (self->n_steps > 0 ? pare_snap_step (self->steps, self->n_steps, from, by) : from + by * 0.01, 0, 1));
      return GDK_EVENT_STOP;
    }
  if (isfinite (self->cursor) && (key == GDK_KEY_Escape || key == GDK_KEY_space || key == GDK_KEY_Return || key == GDK_KEY_KP_Enter))
    {
      double to = self->cursor;
      set_cursor (self, NAN);
      if (key != GDK_KEY_Escape)
        move_to (self, to, TRUE);
      return GDK_EVENT_STOP;
    }
  if (state & (GDK_CONTROL_MASK | GDK_SUPER_MASK))
    return GDK_EVENT_PROPAGATE;
  switch (key)
    {
    case GDK_KEY_Left:
    case GDK_KEY_Down:
    case GDK_KEY_minus:
    case GDK_KEY_KP_Subtract:
      step_by (self, -1, state);
      return GDK_EVENT_STOP;
    case GDK_KEY_Right:
    case GDK_KEY_Up:
    case GDK_KEY_plus:
    case GDK_KEY_KP_Add:
      step_by (self, 1, key == GDK_KEY_plus ? 0 : state);
      return GDK_EVENT_STOP;
    case GDK_KEY_Page_Up:
      step_by (self, 10, 0);
      return GDK_EVENT_STOP;
    case GDK_KEY_Page_Down:
      step_by (self, -10, 0);
      return GDK_EVENT_STOP;
    case GDK_KEY_Home:
    case GDK_KEY_End:
      {
        double to = key == GDK_KEY_Home ? 0
                    : self->n_steps > 0 ? self->steps[self->n_steps - 1]
                                        : 1,
               old = pare_curve_knob_get_value (self);
        if (!isfinite (old) || fabs (old - to) > 1e-9)
          move_to (self, to, TRUE);
        return GDK_EVENT_STOP;
      }
    default:
      return GDK_EVENT_PROPAGATE;
    }
}

static gboolean
on_scroll (GtkEventControllerScroll *controller, double dx, double dy, PareCurveKnob *self)
{
  GtkWidget *widget = gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (controller));
  GtkRoot *root = gtk_widget_get_root (widget);
  GtkWidget *focus = root != NULL ? gtk_root_get_focus (root) : NULL;
  gboolean focused = focus != NULL && (focus == widget || gtk_widget_is_ancestor (focus, widget));
  if (!focused || dy == 0)
    return GDK_EVENT_PROPAGATE;
  step_by (self, dy < 0 ? 1 : -1, state_of (controller));
  return GDK_EVENT_STOP;
}

static void
on_motion (GtkEventControllerMotion *controller, double x, double y, PareCurveKnob *self)
{
  if (!self->dragging)
    set_cursor (self, value_at (self, x, state_of (controller)));
}

static void
on_enter (GtkEventControllerMotion *controller, double x, double y, PareCurveKnob *self)
{
  self->hovered = TRUE;
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
on_focus_left (GtkEventControllerFocus *controller, PareCurveKnob *self)
{
  set_cursor (self, NAN);
}

static void
on_leave (GtkEventControllerMotion *controller, PareCurveKnob *self)
{
  self->hovered = FALSE;
  set_cursor (self, NAN);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

/* --- the spin button --- */

static gboolean
on_spin_output (GtkSpinButton *spin, PareCurveKnob *self)
{
  gboolean typed = self->typed;
  g_autofree char *text
      = is_mixed (self) ? g_strdup (_ ("mixed")) : pare_format_percent (gtk_adjustment_get_value (self->adjustment) / 100, 1);
  self->writing = TRUE;
  if (g_strcmp0 (gtk_editable_get_text (GTK_EDITABLE (spin)), text) != 0)
    gtk_editable_set_text (GTK_EDITABLE (spin), text);
  self->writing = self->typed = FALSE;
  if (typed) /* what was typed is taken, or given up */
    set_cursor (self, NAN);
  return TRUE;
}

/* The value that its text says; NAN: none. */
static double
read_text (PareCurveKnob *self)
{
  g_autofree char *text = g_strdup (gtk_editable_get_text (GTK_EDITABLE (self->spin)));
  char *end;
  g_strdelimit (text, ",", '.'); /* either decimal sign */
  double percent = g_ascii_strtod (text, &end);
  return end == text || !isfinite (percent) ? NAN : pare_snap (self->steps, self->n_steps, CLAMP (percent / 100, 0, 1));
}

static int
on_spin_input (GtkSpinButton *spin, double *value, PareCurveKnob *self)
{
  /* Snapped here, before the adjustment hears of it: setting it again while it tells of the first value would go round for ever. Not a
   * number: back to what it was (GTK_INPUT_ERROR would mean the minimum). */
  double typed = read_text (self);
  *value = isfinite (typed) ? 100 * typed : gtk_adjustment_get_value (self->adjustment);
  return TRUE;
}

/* A number that is being typed is looked at, as one under the pointer is; Enter takes it. */
static void
on_spin_text (GtkEditable *editable, PareCurveKnob *self)
{
  if (self->writing)
    return;
  self->typed = TRUE;
  set_cursor (self, read_text (self));
}

static void
on_spin_value (GtkAdjustment *adjustment, PareCurveKnob *self)
{
  if (self->quiet)
    return;
  double v = gtk_adjustment_get_value (adjustment) / 100, now = anchor (self);
  /* A click on − or + goes to the next legal value; a typed number is taken to the nearest. */
  double step = gtk_adjustment_get_step_increment (adjustment) / 100;
  if (self->n_steps > 0)
    v = fabs (fabs (v - now) - step) < 1e-6 ? pare_snap_step (self->steps, self->n_steps, now, v > now ? 1 : -1)
                                            : pare_snap (self->steps, self->n_steps, v);
  if (fabs (v - now) > 1e-9 || is_mixed (self))
    move_to (self, v, TRUE);
  else
    update (self);
}

/* GtkSpinButton turns by the wheel whether it has the focus or not: its own scroll controller goes, ours comes. */
static void
replace_scroll (PareCurveKnob *self)
{
  g_autoptr (GListModel) controllers = gtk_widget_observe_controllers (self->spin);
  for (guint i = g_list_model_get_n_items (controllers); i-- > 0;)
    {
      g_autoptr (GtkEventController) c = g_list_model_get_item (controllers, i);
      if (GTK_IS_EVENT_CONTROLLER_SCROLL (c))
        gtk_widget_remove_controller (self->spin, c);
    }
  GtkEventController *scroll = pare_knob_scroll_new ();
  g_signal_connect_object (scroll, "scroll", G_CALLBACK (on_scroll), self, 0);
  gtk_widget_add_controller (self->spin, scroll);
}

static void
pare_curve_knob_dispose (GObject *object)
{
  PareCurveKnob *self = PARE_CURVE_KNOB (object);
  if (self->adjustment != NULL)
    g_signal_handlers_disconnect_by_data (self->adjustment, self);
  if (self->spin != NULL)
    g_signal_handlers_disconnect_by_data (self->spin, self);
  g_clear_object (&self->spin);
  g_clear_object (&self->adjustment);
  G_OBJECT_CLASS (pare_curve_knob_parent_class)->dispose (object);
}

static void
pare_curve_knob_finalize (GObject *object)
{
  PareCurveKnob *self = PARE_CURVE_KNOB (object);
  g_free (self->name);
  g_free (self->reason);
  g_free (self->first);
  g_free (self->second);
  g_free (self->values);
  g_free (self->steps);
  g_free (self->x);
  g_free (self->error);
  G_OBJECT_CLASS (pare_curve_knob_parent_class)->finalize (object);
}

static void
pare_curve_knob_class_init (PareCurveKnobClass *class)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  G_OBJECT_CLASS (class)->dispose = pare_curve_knob_dispose;
  G_OBJECT_CLASS (class)->finalize = pare_curve_knob_finalize;
  widget_class->snapshot = pare_curve_knob_snapshot;
  widget_class->measure = pare_curve_knob_measure;
  gtk_widget_class_set_css_name (widget_class, "pare-curve-knob");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_SLIDER);
  GType type = G_TYPE_FROM_CLASS (class);
  signals[CHANGED] = g_signal_new ("changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_DOUBLE, G_TYPE_BOOLEAN);
  signals[PREVIEW] = g_signal_new ("preview", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_DOUBLE);
  signals[SHIFTED] = g_signal_new ("shifted", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_DOUBLE, G_TYPE_BOOLEAN);
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
pare_curve_knob_init (PareCurveKnob *self)
{
  pare_knob_init (GTK_WIDGET (self), &handlers);
  self->free_until = self->cursor = NAN;
  self->adjustment = g_object_ref_sink (gtk_adjustment_new (0, 0, 100, 0.5, 10, 0));
  self->spin = g_object_ref_sink (gtk_spin_button_new (self->adjustment, 0, 1));
  gtk_widget_add_css_class (self->spin, "pare-spin");
  gtk_editable_set_width_chars (GTK_EDITABLE (self->spin), 6);
  gtk_editable_set_max_width_chars (GTK_EDITABLE (self->spin), 6);
  gtk_widget_set_valign (self->spin, GTK_ALIGN_CENTER);
  g_signal_connect (self->spin, "output", G_CALLBACK (on_spin_output), self);
  g_signal_connect (self->spin, "input", G_CALLBACK (on_spin_input), self);
  g_signal_connect (self->spin, "changed", G_CALLBACK (on_spin_text), self);
  g_signal_connect (self->adjustment, "value-changed", G_CALLBACK (on_spin_value), self);
  replace_scroll (self);
}

GtkWidget *
pare_curve_knob_new (const char *name)
{
  PareCurveKnob *self = g_object_new (PARE_TYPE_CURVE_KNOB, NULL);
  self->name = g_strdup (name != NULL ? name : _ ("Ratio"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->spin), GTK_ACCESSIBLE_PROPERTY_LABEL, self->name, -1);
  update (self);
  return GTK_WIDGET (self);
}

GtkWidget *
pare_curve_knob_get_spin (PareCurveKnob *self)
{
  return self->spin;
}

void
pare_curve_knob_set_values (PareCurveKnob *self, const double *values, guint n)
{
  /* What arrives from the session while the hand is on the knob must not move it. */
  if (self->dragging)
    return;
  hold (self, values, n);
  update (self);
}

void
pare_curve_knob_set_steps (PareCurveKnob *self, const double *steps, guint n)
{
  g_free (self->steps);
  self->steps = n > 0 ? g_memdup2 (steps, n * sizeof *steps) : NULL;
  self->n_steps = n;
  double smallest = 0.005;
  if (n > 1)
    {
      smallest = 1;
      for (guint i = 1; i < n; i++)
        if (steps[i] > steps[i - 1])
          smallest = fmin (smallest, steps[i] - steps[i - 1]);
    }
  gtk_adjustment_set_step_increment (self->adjustment, smallest * 100);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

void
pare_curve_knob_set_curve (PareCurveKnob *self, const double *x, const double *error, guint n, double free_until)
{
  g_free (self->x);
  g_free (self->error);
  self->x = n > 0 ? g_memdup2 (x, n * sizeof *x) : NULL;
  self->error = n > 0 ? g_memdup2 (error, n * sizeof *error) : NULL;
  self->n_curve = n;
  self->free_until = free_until;
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

void
pare_curve_knob_set_texts (PareCurveKnob *self, const char *first, const char *second)
{
  g_free (self->first);
  g_free (self->second);
  self->first = g_strdup (first);
  self->second = g_strdup (second);
  update (self);
}

void
pare_curve_knob_set_reason (PareCurveKnob *self, const char *reason)
{
  g_free (self->reason);
  self->reason = g_strdup (reason);
  gtk_widget_set_sensitive (GTK_WIDGET (self), reason == NULL);
  gtk_widget_set_sensitive (self->spin, reason == NULL);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self), reason);
  update (self);
}
