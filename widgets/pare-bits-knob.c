#include "widgets/pare-bits-knob.h"
#include "widgets/pare-knob.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>
#include <math.h>

#define BARS 36 /* height of the error bars with the gap below them */
#define SEGMENTS 26

const int pare_bits_knob_choices[PARE_BITS_KNOB_N] = { 2, 3, 4, 5, 6, 7, 8, 16, PARE_BITS_KNOB_FLOAT };

/* --- a segment: it draws nothing, it is what assistive tools see and name --- */

#define PARE_TYPE_BITS_SEGMENT (pare_bits_segment_get_type ())
G_DECLARE_FINAL_TYPE (PareBitsSegment, pare_bits_segment, PARE, BITS_SEGMENT, GtkWidget)
struct _PareBitsSegment
{
  GtkWidget parent;
};
G_DEFINE_FINAL_TYPE (PareBitsSegment, pare_bits_segment, GTK_TYPE_WIDGET)

static void
pare_bits_segment_class_init (PareBitsSegmentClass *class)
{
  gtk_widget_class_set_accessible_role (GTK_WIDGET_CLASS (class), GTK_ACCESSIBLE_ROLE_RADIO);
}

static void
pare_bits_segment_init (PareBitsSegment *self)
{
  gtk_widget_set_can_target (GTK_WIDGET (self), FALSE);
}

/* --- the knob --- */

struct _PareBitsKnob
{
  GtkWidget parent;
  GtkWidget *segments[PARE_BITS_KNOB_N];
  char *name, *reason;
  guint16 chosen; /* bit i: some layer has choice i */
  gboolean has_errors;
  double errors[PARE_BITS_KNOB_N];
  int hover, pressed; /* index, -1 */
};

enum
{
  CHANGED,
  PREVIEW,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (PareBitsKnob, pare_bits_knob, GTK_TYPE_WIDGET)

static int
single (PareBitsKnob *self)
{
  for (int i = 0; i < PARE_BITS_KNOB_N; i++)
    if (self->chosen == 1u << i)
      return i;
  return -1;
}

static char *
segment_name (PareBitsKnob *self, int i)
{
  char *words = pare_bits_knob_choices[i] == PARE_BITS_KNOB_FLOAT ? g_strdup (_ ("float"))
                                                                  : g_strdup_printf (_ ("%d bits"), pare_bits_knob_choices[i]);
  if (!self->has_errors || !isfinite (self->errors[i]))
    return words;
  g_autofree char *error = pare_format_percent (self->errors[i], 2), *plain = words;
  return g_strdup_printf (_ ("%s, layer error %s"), plain, error);
}

static void
update_accessible (PareBitsKnob *self)
{
  int at = single (self);
  g_autofree char *value = at >= 0 ? segment_name (self, at) : g_strdup (self->chosen != 0 ? _ ("mixed") : _ ("none"));
  g_autofree char *description
      = self->reason != NULL ? g_strdup_printf (_ ("%s, cannot be changed: %s"), value, self->reason) : g_strdup (value);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, self->name, GTK_ACCESSIBLE_PROPERTY_VALUE_TEXT,
                                  value, GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, description, -1);
  for (int i = 0; i < PARE_BITS_KNOB_N; i++)
    {
      g_autofree char *words = segment_name (self, i);
      gtk_accessible_update_property (GTK_ACCESSIBLE (self->segments[i]), GTK_ACCESSIBLE_PROPERTY_LABEL, words, -1);
      gtk_accessible_update_state (GTK_ACCESSIBLE (self->segments[i]), GTK_ACCESSIBLE_STATE_CHECKED,
                                   i == at                             ? GTK_ACCESSIBLE_TRISTATE_TRUE
                                   : at < 0 && (self->chosen >> i & 1) ? GTK_ACCESSIBLE_TRISTATE_MIXED
                                                                       : GTK_ACCESSIBLE_TRISTATE_FALSE,
                                   -1);
    }
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
choose (PareBitsKnob *self, int i)
{
  if (i < 0 || i >= PARE_BITS_KNOB_N || self->chosen == 1u << i)
    return;
  self->chosen = (guint16)(1u << i);
  update_accessible (self);
  g_signal_emit (self, signals[CHANGED], 0, pare_bits_knob_choices[i], TRUE);
}

static void
set_hover (PareBitsKnob *self, int i)
{
  if (self->hover == i)
    return;
  self->hover = i;
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_signal_emit (self, signals[PREVIEW], 0, i < 0 ? 0 : pare_bits_knob_choices[i]);
}

static int
segment_at (PareBitsKnob *self, double x)
{
  int w = gtk_widget_get_width (GTK_WIDGET (self));
  return w > 0 ? CLAMP ((int)floor (x * PARE_BITS_KNOB_N / w), 0, PARE_BITS_KNOB_N - 1) : -1;
}

/* --- drawing --- */

static void
draw_bars (PareBitsKnob *self, cairo_t *cr, const PareLook *look, double step, double s)
{
  /* Log scale: errors of 2 and of 8 bits are three powers of ten apart. The span is that of the known ones, so that the best is a sliver.
   */
  double most = 0;
  for (int i = 0; i < PARE_BITS_KNOB_N; i++)
    if (isfinite (self->errors[i]))
      most = fmax (most, self->errors[i]);
  for (int i = 0; i < PARE_BITS_KNOB_N; i++)
    {
      double e = self->errors[i], h = 1;
      if (!isfinite (e))
        continue;
      if (e > 0 && most > 0)
        h = fmax (1.5, 30 * (1 + log10 (fmax (e, most * 6e-5) / most) / 4.2));
      gboolean on = self->chosen >> i & 1;
      pare_draw_rounded (cr, i * step + 6, (32 - h) * s, fmax (step - 12, 2), h * s, 1.5);
      pare_draw_source (cr, on ? &look->mark : &look->hatch, on ? 1 : i == self->hover ? 0.85 : 0.55);
      cairo_fill (cr);
    }
}

static void
pare_bits_knob_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  PareBitsKnob *self = PARE_BITS_KNOB (widget);
  int w = gtk_widget_get_width (widget), h = gtk_widget_get_height (widget), at = single (self);
  if (w <= 0 || h <= 0)
    return;
  PareLook look;
  pare_look_for_widget (&look, widget);
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (0, 0, w, h));
  double s = look.scale, step = (double)w / PARE_BITS_KNOB_N, y = self->has_errors ? BARS * s : 0, sh = SEGMENTS * s;
  gboolean sensitive = gtk_widget_is_sensitive (widget);
  if (!sensitive)
    cairo_push_group (cr);
  if (self->has_errors && self->reason == NULL)
    draw_bars (self, cr, &look, step, s);
  pare_draw_rounded (cr, 0, y, w, sh, 6);
  pare_draw_source (cr, &look.button, 1);
  cairo_fill (cr);
  for (int i = 0; i < PARE_BITS_KNOB_N; i++)
    {
      double x = i * step;
      gboolean some = self->chosen >> i & 1;
      if (i == at)
        {
          pare_draw_rounded (cr, x + 1, y + 1, step - 2, sh - 2, 5);
          pare_draw_source (cr, &look.fill, 1);
          cairo_fill (cr);
        }
      else if (i > 0 && i != at + 1)
        pare_draw_line (cr, &look.line, 1, round (x) + 0.5, y + 7 * s, round (x) + 0.5, y + 19 * s);
      if (i == self->hover && i != at)
        {
          pare_draw_rounded (cr, x + 1.5, y + 1.5, step - 3, sh - 3, 5);
          pare_draw_source (cr, &look.mark, 1);
          cairo_set_line_width (cr, 1);
          cairo_stroke (cr);
        }
      if (some && at < 0)
        {
          /* Mixed: a tick under each value that occurs. */
          cairo_rectangle (cr, x + step / 2 - 6, y + sh - 4, 12, 2.5);
          pare_draw_source (cr, &look.mark, 1);
          cairo_fill (cr);
        }
      g_autofree char *label = pare_format_bits (pare_bits_knob_choices[i]);
      const GdkRGBA white = { 1, 1, 1, 1 };
      pare_draw_text (cr, &look, i == at ? &white : &look.fg, PARE_CAPTION_PX,
                      PARE_TEXT_MIDDLE | PARE_TEXT_BOLD | (i == self->hover && i != at ? PARE_TEXT_ITALIC : 0), x + step / 2, y + 17.5 * s,
                      step, label);
    }
  if (!sensitive)
    {
      cairo_pop_group_to_source (cr);
      cairo_paint_with_alpha (cr, 0.5);
    }
  if (self->reason != NULL && self->has_errors)
    pare_draw_text (cr, &look, &look.second, PARE_CAPTION_PX, 0, 0, 24 * s, w, self->reason);
  cairo_destroy (cr);
}

static void
pare_bits_knob_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural, int *minimum_baseline,
                        int *natural_baseline)
{
  PareBitsKnob *self = PARE_BITS_KNOB (widget);
  PareLook look;
  pare_look_for_widget (&look, widget);
  if (orientation == GTK_ORIENTATION_HORIZONTAL)
    {
      *minimum = (int)(PARE_BITS_KNOB_N * 28 * look.scale);
      *natural = MAX (*minimum, 300);
    }
  else
    *minimum = *natural = (int)ceil ((SEGMENTS + (self->has_errors ? BARS : 0)) * look.scale);
}

static void
pare_bits_knob_size_allocate (GtkWidget *widget, int w, int h, int baseline)
{
  PareBitsKnob *self = PARE_BITS_KNOB (widget);
  for (int i = 0; i < PARE_BITS_KNOB_N; i++)
    {
      GtkAllocation area = { w * i / PARE_BITS_KNOB_N, 0, w * (i + 1) / PARE_BITS_KNOB_N - w * i / PARE_BITS_KNOB_N, h };
      int min;
      gtk_widget_measure (self->segments[i], GTK_ORIENTATION_HORIZONTAL, -1, &min, NULL, NULL, NULL);
      gtk_widget_size_allocate (self->segments[i], &area, -1);
    }
}

/* --- input --- */

static void
on_pressed (GtkGestureClick *gesture, int n, double x, double y, PareBitsKnob *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self));
  self->pressed = segment_at (self, x);
}

static void
on_released (GtkGestureClick *gesture, int n, double x, double y, PareBitsKnob *self)
{
  if (segment_at (self, x) == self->pressed && x >= 0 && x < gtk_widget_get_width (GTK_WIDGET (self)))
    choose (self, self->pressed);
  self->pressed = -1;
}

static void
on_motion (GtkEventControllerMotion *controller, double x, double y, PareBitsKnob *self)
{
  set_hover (self, segment_at (self, x));
}

static void
on_leave (GtkEventControllerMotion *controller, PareBitsKnob *self)
{
  set_hover (self, -1);
}

static gboolean
on_key (GtkEventControllerKey *controller, guint key, guint code, GdkModifierType state, PareBitsKnob *self)
{
  int at = single (self), to;
  if ((state & GDK_CONTROL_MASK) && (key == GDK_KEY_Left || key == GDK_KEY_Right))
    {
      int from = self->hover >= 0 ? self->hover : at;
      set_hover (self, CLAMP (from + (key == GDK_KEY_Left ? -1 : 1), 0, PARE_BITS_KNOB_N - 1));
      return GDK_EVENT_STOP;
    }
  if (state & (GDK_CONTROL_MASK | GDK_ALT_MASK | GDK_SUPER_MASK))
    return GDK_EVENT_PROPAGATE;
  if (self->hover >= 0 && key == GDK_KEY_Escape)
    {
      set_hover (self, -1);
      return GDK_EVENT_STOP;
    }
  if (self->hover >= 0 && (key == GDK_KEY_space || key == GDK_KEY_Return || key == GDK_KEY_KP_Enter))
    {
      to = self->hover;
      set_hover (self, -1);
      choose (self, to);
      return GDK_EVENT_STOP;
    }
  if (key >= GDK_KEY_KP_0 && key <= GDK_KEY_KP_9)
    key = GDK_KEY_0 + (key - GDK_KEY_KP_0);
  switch (key)
    {
    case GDK_KEY_Left:
    case GDK_KEY_KP_Left:
      /* From mixed to the lowest that occurs: moving starts somewhere that is there. */
      to = at > 0 ? at - 1 : at < 0 && self->chosen != 0 ? g_bit_nth_lsf (self->chosen, -1) : at;
      break;
    case GDK_KEY_Right:
    case GDK_KEY_KP_Right:
      to = at >= 0 ? MIN (at + 1, PARE_BITS_KNOB_N - 1) : self->chosen != 0 ? g_bit_nth_msf (self->chosen, -1) : 0;
      break;
    case GDK_KEY_Home:
      to = 0;
      break;
    case GDK_KEY_End:
    case GDK_KEY_0:
    case GDK_KEY_f:
      to = PARE_BITS_KNOB_N - 1;
      break;
    case GDK_KEY_1: /* of 16 */
      to = 7;
      break;
    default:
      if (key < GDK_KEY_2 || key > GDK_KEY_8)
        return GDK_EVENT_PROPAGATE;
      to = (int)(key - GDK_KEY_2);
    }
  choose (self, to);
  return GDK_EVENT_STOP;
}

static void
on_focus_left (GtkEventControllerFocus *controller, PareBitsKnob *self)
{
  set_hover (self, -1);
}

static gboolean
on_scroll (GtkEventControllerScroll *controller, double dx, double dy, PareBitsKnob *self)
{
  /* Without the focus the wheel belongs to the panel. */
  int at = single (self);
  if (!gtk_widget_has_focus (GTK_WIDGET (self)) || at < 0 || dy == 0)
    return GDK_EVENT_PROPAGATE;
  choose (self, CLAMP (at + (dy < 0 ? 1 : -1), 0, PARE_BITS_KNOB_N - 1));
  return GDK_EVENT_STOP;
}

static void
pare_bits_knob_dispose (GObject *object)
{
  PareBitsKnob *self = PARE_BITS_KNOB (object);
  for (int i = 0; i < PARE_BITS_KNOB_N; i++)
    g_clear_pointer (&self->segments[i], gtk_widget_unparent);
  G_OBJECT_CLASS (pare_bits_knob_parent_class)->dispose (object);
}

static void
pare_bits_knob_finalize (GObject *object)
{
  PareBitsKnob *self = PARE_BITS_KNOB (object);
  g_free (self->name);
  g_free (self->reason);
  G_OBJECT_CLASS (pare_bits_knob_parent_class)->finalize (object);
}

static void
pare_bits_knob_class_init (PareBitsKnobClass *class)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  G_OBJECT_CLASS (class)->dispose = pare_bits_knob_dispose;
  G_OBJECT_CLASS (class)->finalize = pare_bits_knob_finalize;
  widget_class->snapshot = pare_bits_knob_snapshot;
  widget_class->measure = pare_bits_knob_measure;
  widget_class->size_allocate = pare_bits_knob_size_allocate;
  gtk_widget_class_set_css_name (widget_class, "pare-bits-knob");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_RADIO_GROUP);
  GType type = G_TYPE_FROM_CLASS (class);
  signals[CHANGED] = g_signal_new ("changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_BOOLEAN);
  signals[PREVIEW] = g_signal_new ("preview", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
}

static const PareKnobHandlers handlers = {
  .pressed = G_CALLBACK (on_pressed),
  .released = G_CALLBACK (on_released),
  .key_pressed = G_CALLBACK (on_key),
  .scroll = G_CALLBACK (on_scroll),
  .motion = G_CALLBACK (on_motion),
  .leave = G_CALLBACK (on_leave),
  .focus_leave = G_CALLBACK (on_focus_left),
};

static void
pare_bits_knob_init (PareBitsKnob *self)
{
  pare_knob_init (GTK_WIDGET (self), &handlers);
  self->hover = self->pressed = -1;
  for (int i = 0; i < PARE_BITS_KNOB_N; i++)
    {
      self->segments[i] = g_object_new (PARE_TYPE_BITS_SEGMENT, NULL);
      gtk_widget_set_parent (self->segments[i], GTK_WIDGET (self));
    }
}

GtkWidget *
pare_bits_knob_new (const char *name)
{
  PareBitsKnob *self = g_object_new (PARE_TYPE_BITS_KNOB, NULL);
  self->name = g_strdup (name != NULL ? name : _ ("Bits"));
  update_accessible (self);
  return GTK_WIDGET (self);
}

void
pare_bits_knob_set_values (PareBitsKnob *self, const int *bits, guint n)
{
  self->chosen = 0;
  for (guint k = 0; k < n; k++)
    for (int i = 0; i < PARE_BITS_KNOB_N; i++)
      if (pare_bits_knob_choices[i] == bits[k])
        self->chosen |= (guint16)(1u << i);
  update_accessible (self);
}

int
pare_bits_knob_get_value (PareBitsKnob *self)
{
  int at = single (self);
  return at < 0 ? 0 : pare_bits_knob_choices[at];
}

void
pare_bits_knob_set_errors (PareBitsKnob *self, const double errors[PARE_BITS_KNOB_N])
{
  gboolean had = self->has_errors;
  self->has_errors = errors != NULL;
  for (int i = 0; i < PARE_BITS_KNOB_N; i++)
    self->errors[i] = errors != NULL ? errors[i] : NAN;
  if (had != self->has_errors)
    gtk_widget_queue_resize (GTK_WIDGET (self));
  update_accessible (self);
}

void
pare_bits_knob_set_reason (PareBitsKnob *self, const char *reason)
{
  g_free (self->reason);
  self->reason = g_strdup (reason);
  gtk_widget_set_sensitive (GTK_WIDGET (self), reason == NULL);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self), reason);
  update_accessible (self);
}
