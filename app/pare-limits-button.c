#include "app/pare-limits-button.h"

#include <glib/gi18n.h>
#include <math.h>

typedef struct
{
  PareSession *session;
  GtkAdjustment *values[3]; /* by PareLimit, in the row's unit */
  gboolean updating;
} Limits;

static const struct
{
  const char *title, *unit, *none;
  double unit_size, step, most;
  int digits;
} rows[3] = {
  [PARE_LIMIT_TOLERANCE] = { N_ ("Tolerance"), N_ ("points below the original"), NULL, 1, 0.1, PARE_TOLERANCE_MAX, 2 },
  [PARE_LIMIT_SIZE] = { N_ ("Size budget"), N_ ("KiB, packed"), N_ ("none"), 1024, 10, 1e9, 1 },
  [PARE_LIMIT_LATENCY] = { N_ ("Latency budget"), N_ ("ms, one inference"), N_ ("none"), 1, 0.1, 1e6, 2 },
};

static void
limits_free (gpointer data)
{
  Limits *self = data;
  g_signal_handlers_disconnect_by_data (self->session, self);
  g_object_unref (self->session);
  g_free (self);
}

static void
on_limits (Limits *self)
{
  PareLimits limits;
  pare_session_get_limits (self->session, &limits);
  const double values[3] = { limits.tolerance_pp, limits.size_bytes, limits.latency_ms };
  self->updating = TRUE;
  for (int i = 0; i < 3; i++)
    gtk_adjustment_set_value (self->values[i], isfinite (values[i]) ? values[i] / rows[i].unit_size : 0);
  self->updating = FALSE;
}

static void
on_value (GtkAdjustment *adjustment, Limits *self)
{
  if (self->updating)
    return;
  for (int i = 0; i < 3; i++)
    if (self->values[i] == adjustment)
      {
        double value = gtk_adjustment_get_value (adjustment);
        pare_session_set_limit (self->session, (PareLimit)i,
                                i == PARE_LIMIT_TOLERANCE ? value
                                : value > 0               ? value * rows[i].unit_size
                                                          : NAN);
      }
}

/* Nothing asked for is a word, not the number 0. */
static gboolean
on_output (GtkSpinButton *spin, gpointer none)
{
  if (gtk_spin_button_get_value (spin) > 0)
    return FALSE;
  if (g_strcmp0 (gtk_editable_get_text (GTK_EDITABLE (spin)), none) != 0)
    gtk_editable_set_text (GTK_EDITABLE (spin), none);
  return TRUE;
}

static int
on_input (GtkSpinButton *spin, double *value, gpointer none)
{
  g_autofree char *text = g_strdup (gtk_editable_get_text (GTK_EDITABLE (spin)));
  char *end;
  if (none != NULL && g_ascii_strcasecmp (g_strstrip (text), none) == 0)
    *value = 0;
  else
    {
      g_strdelimit (text, ",", '.'); /* either decimal sign */
      *value = g_ascii_strtod (text, &end);
      if (end == text || !isfinite (*value))
        *value = gtk_spin_button_get_value (spin); /* no number: as it was */
    }
  return TRUE;
}

GtkWidget *
pare_limits_button_new (PareSession *session)
{
  GtkWidget *button = gtk_menu_button_new (), *popover = gtk_popover_new (), *grid = gtk_grid_new ();
  Limits *self = g_new0 (Limits, 1);
  self->session = g_object_ref (session);
  gtk_grid_set_column_spacing (GTK_GRID (grid), 12);
  gtk_grid_set_row_spacing (GTK_GRID (grid), 6);
  g_object_set (grid, "margin-start", 6, "margin-end", 6, "margin-top", 6, "margin-bottom", 6, NULL);
  for (int i = 0; i < 3; i++)
    {
      GtkWidget *title = gtk_label_new (_ (rows[i].title)), *unit = gtk_label_new (_ (rows[i].unit)), *spin;
      self->values[i] = gtk_adjustment_new (0, 0, rows[i].most, rows[i].step, 10 * rows[i].step, 0);
      g_signal_connect (self->values[i], "value-changed", G_CALLBACK (on_value), self);
      spin = gtk_spin_button_new (self->values[i], 0, (guint)rows[i].digits);
      const char *none = rows[i].none != NULL ? _ (rows[i].none) : NULL;
      if (none != NULL)
        {
          g_signal_connect (spin, "output", G_CALLBACK (on_output), (gpointer)none);
          on_output (GTK_SPIN_BUTTON (spin), (gpointer)none); /* the value it begins with is no change that would be written */
        }
      g_signal_connect (spin, "input", G_CALLBACK (on_input), (gpointer)none);
      gtk_editable_set_width_chars (GTK_EDITABLE (spin), 8);
      gtk_widget_add_css_class (spin, "numeric");
      gtk_widget_add_css_class (unit, "pare-caption");
      gtk_widget_add_css_class (unit, "pare-second");
      gtk_label_set_xalign (GTK_LABEL (title), 0);
      gtk_label_set_xalign (GTK_LABEL (unit), 0);
      g_autofree char *name = g_strdup_printf ("%s, %s", _ (rows[i].title), _ (rows[i].unit));
      gtk_accessible_update_property (GTK_ACCESSIBLE (spin), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
      gtk_grid_attach (GTK_GRID (grid), title, 0, i, 1, 1);
      gtk_grid_attach (GTK_GRID (grid), spin, 1, i, 1, 1);
      gtk_grid_attach (GTK_GRID (grid), unit, 2, i, 1, 1);
    }
  GtkWidget *hint = gtk_label_new (_ ("Or drag the red lines in the charts."));
  gtk_widget_add_css_class (hint, "pare-caption");
  gtk_widget_add_css_class (hint, "pare-second");
  gtk_label_set_xalign (GTK_LABEL (hint), 0);
  gtk_grid_attach (GTK_GRID (grid), hint, 0, 3, 3, 1);
  gtk_popover_set_child (GTK_POPOVER (popover), grid);
  gtk_menu_button_set_popover (GTK_MENU_BUTTON (button), popover);
  gtk_menu_button_set_label (GTK_MENU_BUTTON (button), _ ("Limits"));
  gtk_widget_add_css_class (button, "pare-dense");
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  gtk_widget_set_tooltip_text (button, _ ("Tolerance and budgets"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Limits: tolerance and budgets"), -1);
  g_signal_connect_swapped (session, "limits-changed", G_CALLBACK (on_limits), self);
  g_object_set_data_full (G_OBJECT (button), "limits", self, limits_free);
  on_limits (self);
  return button;
}
