/* Knobs through their controllers: every touch changes the value once and says so once; one drag ends in one final. */
#include "widgets/pare-bits-knob.h"
#include "widgets/pare-curve-knob.h"
#include "widgets/pare-job-button.h"
#include "widgets/pare-spectrum-knob.h"

#include <adwaita.h>
#include <math.h>

typedef struct
{
  guint changes, finals;
  double last;
} Heard;

static void
on_int (GtkWidget *widget, int value, gboolean final, Heard *heard)
{
  heard->changes++;
  heard->finals += final;
  heard->last = value;
}

static void
on_double (GtkWidget *widget, double value, gboolean final, Heard *heard)
{
  heard->changes++;
  heard->finals += final;
  heard->last = value;
}

static GtkEventController *
find (GtkWidget *widget, GType type)
{
  g_autoptr (GListModel) all = gtk_widget_observe_controllers (widget);
  for (guint i = 0; i < g_list_model_get_n_items (all); i++)
    {
      g_autoptr (GtkEventController) c = g_list_model_get_item (all, i);
      if (g_type_is_a (G_OBJECT_TYPE (c), type))
        return c;
    }
  g_assert_not_reached ();
}

static gboolean
key (GtkWidget *widget, guint keyval, GdkModifierType state)
{
  gboolean handled = FALSE;
  g_signal_emit_by_name (find (widget, GTK_TYPE_EVENT_CONTROLLER_KEY), "key-pressed", keyval, 0u, state, &handled);
  return handled;
}

static gboolean
wheel (GtkWidget *widget, double dy)
{
  gboolean handled = FALSE;
  g_signal_emit_by_name (find (widget, GTK_TYPE_EVENT_CONTROLLER_SCROLL), "scroll", 0.0, dy, &handled);
  return handled;
}

static void
drag (GtkWidget *widget, double from, const double *moves, guint n)
{
  GtkEventController *gesture = find (widget, GTK_TYPE_GESTURE_DRAG);
  g_signal_emit_by_name (gesture, "drag-begin", from, 20.0);
  for (guint i = 0; i < n; i++)
    g_signal_emit_by_name (gesture, "drag-update", moves[i], 0.0);
  g_signal_emit_by_name (gesture, "drag-end", n > 0 ? moves[n - 1] : 0.0, 0.0);
}

static void
lay_out (GtkWidget *widget, int w, int h)
{
  int min_w, min_h;
  gtk_widget_measure (widget, GTK_ORIENTATION_HORIZONTAL, -1, &min_w, NULL, NULL, NULL);
  gtk_widget_measure (widget, GTK_ORIENTATION_VERTICAL, w, &min_h, NULL, NULL, NULL);
  gtk_widget_allocate (widget, MAX (w, min_w), MAX (h, min_h), -1, NULL);
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  GTK_WIDGET_GET_CLASS (widget)->snapshot (widget, snapshot);
  GskRenderNode *node = gtk_snapshot_free_to_node (snapshot);
  g_assert_nonnull (node);
  gsk_render_node_unref (node);
}

static void
test_bits (void)
{
  GtkWidget *knob = g_object_ref_sink (pare_bits_knob_new ("Weight bits"));
  PareBitsKnob *bits = PARE_BITS_KNOB (knob);
  Heard heard = { 0 };
  g_signal_connect (knob, "changed", G_CALLBACK (on_int), &heard);
  pare_bits_knob_set_values (bits, (int[]){ 4 }, 1);
  g_assert_cmpuint (heard.changes, ==, 0); /* setting is not touching */
  lay_out (knob, 300, 30);
  g_assert_true (key (knob, GDK_KEY_Right, 0));
  g_assert_cmpint (pare_bits_knob_get_value (bits), ==, 5);
  g_assert_cmpuint (heard.changes, ==, 1);
  g_assert_cmpuint (heard.finals, ==, 1);
  key (knob, GDK_KEY_3, 0);
  g_assert_cmpint (pare_bits_knob_get_value (bits), ==, 3);
  key (knob, GDK_KEY_3, 0);
  g_assert_cmpuint (heard.changes, ==, 2); /* the same again is nothing */
  key (knob, GDK_KEY_0, 0);
  g_assert_cmpint (pare_bits_knob_get_value (bits), ==, PARE_BITS_KNOB_FLOAT);
  key (knob, GDK_KEY_Right, 0);
  g_assert_cmpuint (heard.changes, ==, 3);
  g_assert_false (key (knob, GDK_KEY_3, GDK_CONTROL_MASK));
  g_assert_false (key (knob, GDK_KEY_x, 0));
  g_assert_false (wheel (knob, 1)); /* no focus: the panel scrolls */
  g_assert_cmpuint (heard.changes, ==, 3);
  pare_bits_knob_set_values (bits, (int[]){ 4, 8 }, 2);
  g_assert_cmpint (pare_bits_knob_get_value (bits), ==, 0);
  lay_out (knob, 300, 30);
  key (knob, GDK_KEY_Left, 0); /* from mixed: to one that occurs */
  g_assert_cmpint (pare_bits_knob_get_value (bits), ==, 4);
  const double errors[PARE_BITS_KNOB_N] = { 1e300, NAN, INFINITY, 0, -1, 1e-300, 0, 0, 0 };
  pare_bits_knob_set_errors (bits, errors);
  lay_out (knob, 300, 30);
  GtkEventController *click = find (knob, GTK_TYPE_GESTURE_CLICK);
  g_signal_emit_by_name (click, "pressed", 1, 5.0, 50.0);
  g_signal_emit_by_name (click, "released", 1, 5.0, 50.0);
  g_assert_cmpint (pare_bits_knob_get_value (bits), ==, 2);
  g_assert_cmpint (heard.changes, ==, 5);
  pare_bits_knob_set_reason (bits, "an input has no weights");
  g_assert_false (gtk_widget_is_sensitive (knob));
  g_assert_cmpstr (gtk_widget_get_tooltip_text (knob), ==, "an input has no weights");
  lay_out (knob, 300, 30);
  g_assert_finalize_object (knob);
}

static void
test_curve (void)
{
  GtkWidget *knob = g_object_ref_sink (pare_curve_knob_new ("Prune"));
  PareCurveKnob *curve = PARE_CURVE_KNOB (knob);
  Heard heard = { 0 }, shifted = { 0 };
  g_signal_connect (knob, "changed", G_CALLBACK (on_double), &heard);
  g_signal_connect (knob, "shifted", G_CALLBACK (on_double), &shifted);
  const double steps[] = { 0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875 };
  lay_out (knob, 400, 62); /* no data at all */
  pare_curve_knob_set_steps (curve, steps, G_N_ELEMENTS (steps));
  pare_curve_knob_set_values (curve, (double[]){ 0.125 }, 1);
  lay_out (knob, 400, 62);
  g_assert_cmpuint (heard.changes, ==, 0);
  key (knob, GDK_KEY_Right, 0);
  g_assert_cmpfloat (pare_curve_knob_get_value (curve), ==, 0.25);
  g_assert_cmpuint (heard.changes, ==, 1);
  g_assert_cmpuint (heard.finals, ==, 1);
  key (knob, GDK_KEY_Left, GDK_SHIFT_MASK);
  g_assert_cmpfloat (pare_curve_knob_get_value (curve), ==, 0);
  key (knob, GDK_KEY_Left, 0); /* the end: nothing more to say */
  g_assert_cmpuint (heard.changes, ==, 2);
  key (knob, GDK_KEY_Right, GDK_ALT_MASK);
  g_assert_cmpfloat_with_epsilon (pare_curve_knob_get_value (curve), 0.001, 1e-9);
  key (knob, GDK_KEY_End, 0);
  g_assert_cmpfloat (pare_curve_knob_get_value (curve), ==, 0.875);
  g_assert_cmpuint (heard.finals, ==, 4);

  /* One drag: any number of steps, one final, at the last of them. */
  heard = (Heard){ 0 };
  drag (knob, 200, (double[]){ 10, 40, 45, 110 }, 4);
  g_assert_cmpuint (heard.finals, ==, 1);
  g_assert_cmpfloat (heard.last, ==, 0.75);
  g_assert_cmpuint (heard.changes, ==, 4); /* 0.5, 0.625, 0.75 and the final: snapping swallows the rest */
  heard = (Heard){ 0 };
  drag (knob, 300, NULL, 0); /* a press on the handle that moves nothing */
  g_assert_cmpuint (heard.changes, ==, 0);
  heard = (Heard){ 0 };
  drag (knob, 300, (double[]){ -9000, 9000 }, 2); /* outside */
  g_assert_cmpuint (heard.finals, ==, 1);
  g_assert_cmpfloat (heard.last, ==, 0.875);

  /* The spin button: its steps are the legal ones, its text has the unit. */
  heard = (Heard){ 0 };
  GtkSpinButton *spin = GTK_SPIN_BUTTON (pare_curve_knob_get_spin (curve));
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (spin)), ==, "87.5 %");
  gtk_spin_button_spin (spin, GTK_SPIN_STEP_BACKWARD, 12.5);
  g_assert_cmpfloat (pare_curve_knob_get_value (curve), ==, 0.75);
  g_assert_cmpuint (heard.changes, ==, 1);
  g_assert_cmpuint (heard.finals, ==, 1);
  gtk_editable_set_text (GTK_EDITABLE (spin), "36,9 %");
  gtk_spin_button_update (spin);
  g_assert_cmpfloat (pare_curve_knob_get_value (curve), ==, 0.375);
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (spin)), ==, "37.5 %");
  gtk_editable_set_text (GTK_EDITABLE (spin), "many");
  gtk_spin_button_update (spin);
  g_assert_cmpfloat (pare_curve_knob_get_value (curve), ==, 0.375);
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (spin)), ==, "37.5 %");
  g_assert_cmpuint (heard.changes, ==, 2);
  g_assert_false (wheel (knob, 1));
  g_assert_false (wheel (GTK_WIDGET (spin), 1));

  pare_curve_knob_set_values (curve, (double[]){ 0.25, 0.5, NAN }, 3);
  g_assert_true (isnan (pare_curve_knob_get_value (curve)));
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (spin)), ==, "mixed");
  lay_out (knob, 400, 62);
  heard = (Heard){ 0 };
  key (knob, GDK_KEY_Right, 0);
  g_assert_cmpfloat (pare_curve_knob_get_value (curve), ==, 0.5);
  g_assert_cmpuint (heard.changes, ==, 1);
  g_assert_cmpuint (shifted.changes, ==, 0);

  const double x[] = { 0, 0.5, 1 }, bad[] = { NAN, 1e300, INFINITY };
  pare_curve_knob_set_curve (curve, x, bad, 3, 5);
  lay_out (knob, 200, 62);
  pare_curve_knob_set_texts (curve, "first", "second");
  pare_curve_knob_set_reason (curve, "depthwise: follows Conv_3");
  g_assert_false (gtk_widget_is_sensitive (GTK_WIDGET (spin)));
  lay_out (knob, 200, 62);
  g_assert_finalize_object (knob);
}

static void
test_spectrum (void)
{
  GtkWidget *knob = g_object_ref_sink (pare_spectrum_knob_new ("Rank"));
  PareSpectrumKnob *spectrum = PARE_SPECTRUM_KNOB (knob);
  Heard heard = { 0 };
  g_signal_connect (knob, "changed", G_CALLBACK (on_int), &heard);
  lay_out (knob, 320, 34);
  key (knob, GDK_KEY_Right, 0); /* nothing to cut */
  drag (knob, 100, (double[]){ 20 }, 1);
  g_assert_cmpuint (heard.changes, ==, 0);
  double values[64];
  for (int i = 0; i < 64; i++)
    values[i] = 64 - i;
  pare_spectrum_knob_set_values (spectrum, values, 64);
  pare_spectrum_knob_set_rank (spectrum, 40, 48);
  lay_out (knob, 320, 34);
  key (knob, GDK_KEY_Left, 0);
  g_assert_cmpuint (pare_spectrum_knob_get_rank (spectrum), ==, 39);
  key (knob, GDK_KEY_Right, GDK_SHIFT_MASK);
  g_assert_cmpuint (pare_spectrum_knob_get_rank (spectrum), ==, 49);
  pare_spectrum_knob_set_step (spectrum, 8);
  key (knob, GDK_KEY_Left, 0); /* the legal neighbour */
  g_assert_cmpuint (pare_spectrum_knob_get_rank (spectrum), ==, 48);
  key (knob, GDK_KEY_Home, 0);
  g_assert_cmpuint (pare_spectrum_knob_get_rank (spectrum), ==, 8);
  key (knob, GDK_KEY_End, 0);
  g_assert_cmpuint (pare_spectrum_knob_get_rank (spectrum), ==, 64);
  g_assert_cmpuint (heard.changes, ==, 5);
  g_assert_cmpuint (heard.finals, ==, 5);
  heard = (Heard){ 0 };
  drag (knob, 100, (double[]){ 25, 60 }, 2);
  g_assert_cmpuint (heard.finals, ==, 1);
  g_assert_cmpint ((int)heard.last, ==, 32);
  g_assert_cmpfloat (pare_spectrum_knob_energy (spectrum, 64), ==, 1);
  g_assert_cmpfloat (pare_spectrum_knob_energy (spectrum, 0), ==, 0);
  const double odd[] = { 1e300, NAN, 0, -1, INFINITY };
  pare_spectrum_knob_set_values (spectrum, odd, 5);
  g_assert_cmpfloat (pare_spectrum_knob_energy (spectrum, 1), ==, 1);
  lay_out (knob, 320, 34);
  pare_spectrum_knob_set_values (spectrum, (double[]){ 0 }, 1);
  lay_out (knob, 320, 34);
  g_autofree double *many = g_new0 (double, 5000);
  pare_spectrum_knob_set_values (spectrum, many, 5000); /* more bars than pixels */
  lay_out (knob, 320, 34);
  g_assert_finalize_object (knob);
}

static void
on_stop (PareJobButton *button, guint *count)
{
  (*count)++;
}

static GtkWidget *
find_child (GtkWidget *widget, GType type)
{
  for (GtkWidget *c = gtk_widget_get_first_child (widget); c != NULL; c = gtk_widget_get_next_sibling (c))
    if (g_type_is_a (G_OBJECT_TYPE (c), type))
      return c;
  return NULL;
}

static void
test_job (void)
{
  GtkWidget *widget = g_object_ref_sink (pare_job_button_new ());
  PareJobButton *job = PARE_JOB_BUTTON (widget);
  guint stops = 0;
  g_signal_connect (job, "stop", G_CALLBACK (on_stop), &stops);
  g_assert_false (gtk_widget_get_visible (widget));
  pare_job_button_set_job (job, "Evaluating", 2140, 5000, TRUE);
  g_assert_true (gtk_widget_get_visible (widget));
  g_assert_cmpstr (gtk_widget_get_tooltip_text (find_child (widget, GTK_TYPE_MENU_BUTTON)), ==,
                   "Evaluating, 2\xe2\x80\x89"
                   "140 / 5\xe2\x80\x89"
                   "000");
  GtkWidget *stop = find_child (widget, GTK_TYPE_BUTTON);
  g_signal_emit_by_name (stop, "clicked");
  g_assert_cmpuint (stops, ==, 1);
  int wide, ring;
  gtk_widget_measure (widget, GTK_ORIENTATION_HORIZONTAL, -1, &wide, NULL, NULL, NULL);
  pare_job_button_set_job (job, "Evaluating", 5000, 5000, FALSE);
  int full;
  gtk_widget_measure (widget, GTK_ORIENTATION_HORIZONTAL, -1, &full, NULL, NULL, NULL);
  g_assert_cmpint (wide, ==, full); /* no jump when a value gains a digit */
  pare_job_button_set_narrow (job, TRUE);
  gtk_widget_measure (widget, GTK_ORIENTATION_HORIZONTAL, -1, &ring, NULL, NULL, NULL);
  g_assert_cmpint (ring, <, wide);
  pare_job_button_set_job (job, "Loading", G_MAXUINT64, 0, FALSE);
  pare_job_button_set_narrow (job, FALSE);
  pare_job_button_set_job (job, NULL, 0, 0, FALSE);
  g_assert_false (gtk_widget_get_visible (widget));
  g_assert_finalize_object (widget);
}

static void
on_int_preview (GtkWidget *widget, int value, Heard *heard)
{
  heard->changes++;
  heard->last = value;
}

static void
on_double_preview (GtkWidget *widget, double value, Heard *heard)
{
  heard->changes++;
  heard->last = value;
}

/* Looking is not touching: pointer and Ctrl+arrows preview; Esc ends it, Enter takes it. */
static void
test_cursor (void)
{
  GtkWidget *knobs[] = { pare_bits_knob_new ("Bits"), pare_curve_knob_new ("Ratio"), pare_spectrum_knob_new ("Rank") };
  const double x[] = { 0, 0.5, 1 }, error[] = { 0, 0.2, 1 }, singular[] = { 8, 4, 2, 1, 1, 1, 1, 1, 1, 1 };
  pare_bits_knob_set_values (PARE_BITS_KNOB (knobs[0]), (int[]){ 4 }, 1);
  pare_curve_knob_set_values (PARE_CURVE_KNOB (knobs[1]), (double[]){ 0.5 }, 1);
  pare_curve_knob_set_curve (PARE_CURVE_KNOB (knobs[1]), x, error, 3, NAN);
  pare_spectrum_knob_set_values (PARE_SPECTRUM_KNOB (knobs[2]), singular, 10);
  pare_spectrum_knob_set_rank (PARE_SPECTRUM_KNOB (knobs[2]), 5, 8);
  const double left[] = { 3, 0.49, 4 }, gone[] = { 0, NAN, 0 };
  for (int i = 0; i < 3; i++)
    {
      GtkWidget *knob = g_object_ref_sink (knobs[i]);
      Heard looked = { 0 }, changed = { 0 };
      g_signal_connect (knob, "changed", i == 1 ? G_CALLBACK (on_double) : G_CALLBACK (on_int), &changed);
      g_signal_connect (knob, "preview", i == 1 ? G_CALLBACK (on_double_preview) : G_CALLBACK (on_int_preview), &looked);
      lay_out (knob, 300, 60);
      g_assert_true (key (knob, GDK_KEY_Left, GDK_CONTROL_MASK));
      g_assert_cmpfloat_with_epsilon (looked.last, left[i], 1e-9);
      lay_out (knob, 300, 60);
      g_assert_cmpuint (changed.changes, ==, 0);
      g_assert_true (key (knob, GDK_KEY_Escape, 0));
      g_assert_true (looked.last == gone[i] || (isnan (gone[i]) && isnan (looked.last)));
      g_assert_false (key (knob, GDK_KEY_Escape, 0)); /* nothing to end: it closes what is around */
      key (knob, GDK_KEY_Left, GDK_CONTROL_MASK);
      g_assert_true (key (knob, GDK_KEY_Return, 0));
      g_assert_cmpuint (changed.finals, ==, 1);
      g_assert_cmpfloat_with_epsilon (changed.last, left[i], 1e-9);
      /* The pointer; a press ends the look, and the change is told by itself. */
      guint before = looked.changes;
      g_signal_emit_by_name (find (knob, GTK_TYPE_EVENT_CONTROLLER_MOTION), "motion", 250.0, 10.0);
      g_assert_cmpuint (looked.changes, ==, before + 1);
      g_signal_emit_by_name (find (knob, GTK_TYPE_EVENT_CONTROLLER_MOTION), "motion", 250.0, 12.0); /* the same place */
      g_assert_cmpuint (looked.changes, ==, before + 1);
      g_signal_emit_by_name (find (knob, GTK_TYPE_EVENT_CONTROLLER_MOTION), "leave");
      g_assert_true (looked.last == gone[i] || (isnan (gone[i]) && isnan (looked.last)));
      g_assert_cmpuint (changed.finals, ==, 1);
      g_assert_finalize_object (knob);
    }
}

/* What is being typed is looked at after each key; Enter takes it, what is no number is let be. */
static void
test_typing (void)
{
  GtkWidget *knob = g_object_ref_sink (pare_curve_knob_new ("Ratio"));
  Heard looked = { 0 }, changed = { 0 };
  pare_curve_knob_set_values (PARE_CURVE_KNOB (knob), (double[]){ 0.5 }, 1);
  g_signal_connect (knob, "changed", G_CALLBACK (on_double), &changed);
  g_signal_connect (knob, "preview", G_CALLBACK (on_double_preview), &looked);
  GtkEditable *text = GTK_EDITABLE (pare_curve_knob_get_spin (PARE_CURVE_KNOB (knob)));
  gtk_editable_delete_text (text, 0, -1);
  int at = 0;
  const double seen[] = { 0.04, 0.43, 0.43, 0.437 };
  for (guint i = 0; i < G_N_ELEMENTS (seen); i++)
    {
      gtk_editable_insert_text (text, &"43.7"[i], 1, &at);
      g_assert_cmpfloat_with_epsilon (looked.last, seen[i], 1e-9);
    }
  g_assert_cmpuint (looked.changes, ==, 3); /* a point changes nothing */
  g_assert_cmpuint (changed.changes, ==, 0);
  gtk_spin_button_update (GTK_SPIN_BUTTON (text));
  g_assert_true (isnan (looked.last));
  g_assert_cmpuint (changed.finals, ==, 1);
  g_assert_cmpfloat_with_epsilon (changed.last, 0.437, 1e-9);
  g_assert_cmpstr (gtk_editable_get_text (text), ==, "43.7 %");
  gtk_editable_set_text (text, "6");
  g_assert_cmpfloat_with_epsilon (looked.last, 0.06, 1e-9);
  gtk_editable_set_text (text, "six");
  g_assert_true (isnan (looked.last));
  /* another layer's value comes meanwhile */
  gtk_editable_set_text (text, "60");
  pare_curve_knob_set_values (PARE_CURVE_KNOB (knob), (double[]){ 0.25 }, 1);
  g_assert_true (isnan (looked.last));
  g_assert_cmpstr (gtk_editable_get_text (text), ==, "25.0 %");
  guint before = looked.changes;
  pare_curve_knob_set_values (PARE_CURVE_KNOB (knob), (double[]){ 0.75 }, 1); /* by nobody's hand */
  g_assert_cmpuint (looked.changes, ==, before);
  g_assert_cmpuint (changed.changes, ==, 1);
  g_assert_finalize_object (knob);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (!gtk_init_check ())
    return 77;
  adw_init ();
  g_test_add_func ("/knobs/bits", test_bits);
  g_test_add_func ("/knobs/cursor", test_cursor);
  g_test_add_func ("/knobs/curve", test_curve);
  g_test_add_func ("/knobs/spectrum", test_spectrum);
  g_test_add_func ("/knobs/typing", test_typing);
  g_test_add_func ("/knobs/job", test_job);
  return g_test_run ();
}
