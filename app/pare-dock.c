#include "app/pare-dock.h"
#include "app/pare-flips-view.h"
#include "app/pare-history-list.h"
#include "app/pare-jobs-view.h"
#include "app/pare-limits-button.h"
#include "app/pare-profile-view.h"
#include "app/pare-results-view.h"
#include "widgets/pare-draw.h"

#include <glib/gi18n.h>

#define MOST_MESSAGES 200

struct _PareDock
{
  GtkWidget parent_instance;
  PareSession *session;
  GtkWidget *box, *stack, *head;
  GtkWidget *tabs[6];
  GtkWidget *badges[6];
  GtkWidget *messages, *results, *profile, *legend;
  PareFlipsView *flips;
  guint n_messages;
};

G_DEFINE_FINAL_TYPE (PareDock, pare_dock, GTK_TYPE_WIDGET)

static const struct
{
  const char *name, *title;
} tabs[] = {
  { "results", N_ ("Results") }, { "history", N_ ("History") }, { "flips", N_ ("Flips") },
  { "profile", N_ ("Profile") }, { "jobs", N_ ("Jobs") },       { "messages", N_ ("Messages") },
};

static void
set_badge (PareDock *self, guint tab, guint n)
{
  g_autofree char *text = g_strdup_printf ("%u", n);
  gtk_label_set_text (GTK_LABEL (self->badges[tab]), text);
  gtk_widget_set_visible (self->badges[tab], n > 0);
}

static void
on_jobs (PareDock *self)
{
  set_badge (self, 4, pare_session_get_n_jobs (self->session));
}

static void
on_flips (PareDock *self)
{
  set_badge (self, 2, pare_flips_view_get_n (self->flips));
}

static void
on_message (PareSession *session, const char *severity, const char *text, PareDock *self)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *clock = g_date_time_format (now, "%H:%M:%S"), *line = g_strdup_printf ("%s  %s", clock, text);
  GtkWidget *label = gtk_label_new (line);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_selectable (GTK_LABEL (label), TRUE);
  gtk_widget_add_css_class (label, g_str_equal (severity, "error")     ? "pare-worse"
                                   : g_str_equal (severity, "warning") ? "pare-warning"
                                                                       : "pare-second");
  gtk_box_prepend (GTK_BOX (self->messages), label);
  if (++self->n_messages > MOST_MESSAGES)
    gtk_box_remove (GTK_BOX (self->messages), gtk_widget_get_last_child (self->messages));
  set_badge (self, 5, MIN (self->n_messages, MOST_MESSAGES));
}

static void
on_tab (GtkToggleButton *button, PareDock *self)
{
  if (!gtk_toggle_button_get_active (button))
    return;
  const char *name = g_object_get_data (G_OBJECT (button), "tab");
  gtk_stack_set_visible_child_name (GTK_STACK (self->stack), name);
  gtk_widget_set_visible (self->legend, g_str_equal (name, "results"));
}

void
pare_dock_show (PareDock *self, const char *tab)
{
  for (guint i = 0; i < G_N_ELEMENTS (tabs); i++)
    if (g_str_equal (tabs[i].name, tab))
      gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (self->tabs[i]), TRUE);
}

/* What the three treatments mean, beside the tabs. */
static void
draw_swatch (GtkDrawingArea *area, cairo_t *cr, int width, int height, gpointer data)
{
  PareLook look;
  pare_look_for_widget (&look, GTK_WIDGET (area));
  pare_draw_bar (cr, &look, (PareMark)GPOINTER_TO_INT (data), 0, 0, width, height);
}

static GtkWidget *
build_legend (void)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  static const struct
  {
    PareMark mark;
    const char *word;
  } treatments[] = {
    { PARE_MARK_MEASURED, N_ ("measured") },
    { PARE_MARK_PREDICTED, N_ ("predicted") },
    { PARE_MARK_STALE, N_ ("stale") },
  };
  for (guint i = 0; i < G_N_ELEMENTS (treatments); i++)
    {
      GtkWidget *swatch = gtk_drawing_area_new (), *label = gtk_label_new (_ (treatments[i].word));
      gtk_drawing_area_set_content_width (GTK_DRAWING_AREA (swatch), 13);
      gtk_drawing_area_set_content_height (GTK_DRAWING_AREA (swatch), 11);
      gtk_drawing_area_set_draw_func (GTK_DRAWING_AREA (swatch), draw_swatch, GINT_TO_POINTER (treatments[i].mark), NULL);
      gtk_widget_set_valign (swatch, GTK_ALIGN_CENTER);
      gtk_widget_add_css_class (label, "pare-caption");
      gtk_widget_add_css_class (label, "pare-second");
      gtk_widget_set_margin_end (label, 6);
      gtk_box_append (GTK_BOX (box), swatch);
      gtk_box_append (GTK_BOX (box), label);
    }
  /* where there is no room for it, the words of the charts have to do */
  GtkWidget *squeezer = adw_squeezer_new ();
  adw_squeezer_add (ADW_SQUEEZER (squeezer), box);
  adw_squeezer_add (ADW_SQUEEZER (squeezer), gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0));
  adw_squeezer_set_homogeneous (ADW_SQUEEZER (squeezer), FALSE);
  adw_squeezer_set_xalign (ADW_SQUEEZER (squeezer), 1);
  return squeezer;
}

static void
pare_dock_dispose (GObject *object)
{
  PareDock *self = PARE_DOCK (object);
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  g_clear_pointer (&self->box, gtk_widget_unparent);
  g_clear_object (&self->session);
  G_OBJECT_CLASS (pare_dock_parent_class)->dispose (object);
}

static void
pare_dock_class_init (PareDockClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = pare_dock_dispose;
  gtk_widget_class_set_layout_manager_type (GTK_WIDGET_CLASS (klass), GTK_TYPE_BIN_LAYOUT);
}

static void
pare_dock_init (PareDock *self)
{
}

static GtkWidget *
build_head (PareDock *self)
{
  GtkWidget *head = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0), *space = gtk_label_new (NULL),
            *measure = gtk_button_new_with_label (_ ("Measure"));
  gtk_widget_add_css_class (head, "pare-dock-head");
  for (guint i = 0; i < G_N_ELEMENTS (tabs); i++)
    {
      GtkWidget *tab = gtk_toggle_button_new (), *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
      self->tabs[i] = tab;
      self->badges[i] = gtk_label_new ("");
      gtk_widget_add_css_class (self->badges[i], "pare-badge");
      gtk_widget_set_visible (self->badges[i], FALSE);
      gtk_box_append (GTK_BOX (box), gtk_label_new (_ (tabs[i].title)));
      gtk_box_append (GTK_BOX (box), self->badges[i]);
      gtk_button_set_child (GTK_BUTTON (tab), box);
      gtk_widget_add_css_class (tab, "flat");
      gtk_widget_add_css_class (tab, "pare-dense");
      gtk_widget_set_valign (tab, GTK_ALIGN_CENTER);
      g_object_set_data (G_OBJECT (tab), "tab", (gpointer)tabs[i].name);
      gtk_accessible_update_property (GTK_ACCESSIBLE (tab), GTK_ACCESSIBLE_PROPERTY_LABEL, _ (tabs[i].title), -1);
      if (i > 0)
        gtk_toggle_button_set_group (GTK_TOGGLE_BUTTON (tab), GTK_TOGGLE_BUTTON (self->tabs[0]));
      g_signal_connect (tab, "toggled", G_CALLBACK (on_tab), self);
      gtk_box_append (GTK_BOX (head), tab);
    }
  gtk_widget_set_hexpand (space, TRUE);
  self->legend = build_legend ();
  gtk_widget_add_css_class (measure, "pare-dense");
  gtk_widget_set_valign (measure, GTK_ALIGN_CENTER);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (measure), "win.measure");
  gtk_widget_set_tooltip_text (measure, _ ("Measure latency now (Ctrl+R)"));
  GtkWidget *hide = gtk_button_new_from_icon_name ("pan-down-symbolic");
  gtk_widget_add_css_class (hide, "flat");
  gtk_widget_add_css_class (hide, "pare-dense");
  gtk_widget_set_valign (hide, GTK_ALIGN_CENTER);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (hide), "win.show-dock");
  gtk_widget_set_tooltip_text (hide, _ ("Hide the results (Ctrl+J)"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (hide), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Hide the results"), -1);
  gtk_box_append (GTK_BOX (head), space);
  gtk_box_append (GTK_BOX (head), self->legend);
  gtk_box_append (GTK_BOX (head), pare_limits_button_new (self->session));
  gtk_box_append (GTK_BOX (head), measure);
  gtk_box_append (GTK_BOX (head), hide);
  return head;
}

GtkWidget *
pare_dock_new (PareSession *session, PareSelection *selection)
{
  PareDock *self = g_object_new (PARE_TYPE_DOCK, NULL);
  self->session = g_object_ref (session);
  self->box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  self->stack = gtk_stack_new ();
  gtk_widget_set_vexpand (self->stack, TRUE);
  self->head = build_head (self);
  self->results = pare_results_view_new (session, selection);
  self->profile = pare_profile_view_new (session, selection);
  self->flips = PARE_FLIPS_VIEW (pare_flips_view_new (session));
  self->messages = gtk_box_new (GTK_ORIENTATION_VERTICAL, 3);
  gtk_widget_add_css_class (self->messages, "pare-caption");
  gtk_widget_set_margin_start (self->messages, 12);
  gtk_widget_set_margin_top (self->messages, 6);
  GtkWidget *scroller = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scroller), self->messages);
  GtkWidget *const pages[]
      = { self->results, pare_history_list_new (session, selection), GTK_WIDGET (self->flips), self->profile, pare_jobs_view_new (session),
          scroller };
  for (guint i = 0; i < G_N_ELEMENTS (tabs); i++)
    gtk_stack_add_named (GTK_STACK (self->stack), pages[i], tabs[i].name);
  gtk_box_append (GTK_BOX (self->box), self->head);
  gtk_box_append (GTK_BOX (self->box), gtk_separator_new (GTK_ORIENTATION_HORIZONTAL));
  gtk_box_append (GTK_BOX (self->box), self->stack);
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));
  g_signal_connect_swapped (session, "jobs-changed", G_CALLBACK (on_jobs), self);
  g_signal_connect (session, "message", G_CALLBACK (on_message), self);
  g_signal_connect_swapped (self->flips, "changed", G_CALLBACK (on_flips), self);
  pare_dock_show (self, "results");
  return GTK_WIDGET (self);
}

void
pare_dock_set_narrow (PareDock *self, gboolean narrow)
{
  pare_results_view_set_narrow (PARE_RESULTS_VIEW (self->results), narrow);
  pare_profile_view_set_narrow (PARE_PROFILE_VIEW (self->profile), narrow);
}
