#include "app/pare-jobs-view.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>
#include <string.h>

struct _PareJobsView
{
  GtkWidget parent_instance;
  PareSession *session;
  GtkWidget *scroller, *list;
};

G_DEFINE_FINAL_TYPE (PareJobsView, pare_jobs_view, GTK_TYPE_WIDGET)

static void
on_stop (GtkButton *button, PareJobsView *self)
{
  pare_session_cancel_job (self->session, GPOINTER_TO_UINT (g_object_get_data (G_OBJECT (button), "job")));
}

static const char *const names[] = { N_ ("Exporting"),
                                     N_ ("Measuring the original"),
                                     N_ ("Measuring accuracy"),
                                     N_ ("Timing the original"),
                                     N_ ("Timing"),
                                     N_ ("Reading activation ranges"),
                                     N_ ("Activation ranges"),
                                     N_ ("Reading data"),
                                     N_ ("Applying the recipe"),
                                     N_ ("Computing sizes"),
                                     N_ ("Keeping what the next change will need") };

/* With a file's name behind them. */
static const struct
{
  const char *start, *words;
} starts[] = { { "Opening ", N_ ("Opening %s") }, { "Saving ", N_ ("Saving %s") } };

char *
pare_jobs_dup_name (const PareJobInfo *job)
{
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_equal (job->name, names[i]))
      return g_strdup (_ (names[i]));
  for (guint i = 0; i < G_N_ELEMENTS (starts); i++)
    if (g_str_has_prefix (job->name, starts[i].start))
      return g_strdup_printf (_ (starts[i].words), job->name + strlen (starts[i].start));
  return g_strdup (job->name);
}

static GtkWidget *
build_row (PareJobsView *self, guint i)
{
  const PareJobInfo *job = pare_session_get_job (self->session, i);
  g_autofree char *what = pare_jobs_dup_name (job);
  GtkWidget *row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12), *name = gtk_label_new (what), *bar = gtk_progress_bar_new ();
  gint64 spent = job->started > 0 ? g_get_monotonic_time () - job->started : 0;
  g_autofree char *state = NULL;
  if (job->started == 0)
    state = g_strdup (_ ("waits"));
  else if (job->total > 0 && job->done > 0)
    {
      g_autofree char *done = pare_format_count ((gint64)job->done), *total = pare_format_count ((gint64)job->total);
      state = g_strdup_printf (_ ("%s / %s, about %.1f s to go"), done, total, spent / 1e6 * (double)(job->total - job->done) / job->done);
    }
  else
    state = g_strdup_printf (_ ("%.1f s"), spent / 1e6);
  GtkWidget *label = gtk_label_new (state);
  gtk_label_set_xalign (GTK_LABEL (name), 0);
  gtk_widget_set_size_request (name, 200, -1);
  gtk_widget_set_size_request (bar, 220, -1);
  gtk_widget_set_valign (bar, GTK_ALIGN_CENTER);
  if (job->total > 0)
    gtk_progress_bar_set_fraction (GTK_PROGRESS_BAR (bar), (double)job->done / job->total);
  gtk_accessible_update_property (GTK_ACCESSIBLE (bar), GTK_ACCESSIBLE_PROPERTY_LABEL, what, -1);
  gtk_widget_add_css_class (label, "pare-second");
  gtk_box_append (GTK_BOX (row), name);
  gtk_box_append (GTK_BOX (row), bar);
  gtk_box_append (GTK_BOX (row), label);
  if (job->cancellable)
    {
      GtkWidget *stop = gtk_button_new_with_label (_ ("Stop"));
      g_autofree char *words = g_strdup_printf (_ ("Stop %s"), what);
      g_object_set_data (G_OBJECT (stop), "job", GUINT_TO_POINTER (i));
      gtk_widget_add_css_class (stop, "pare-dense");
      gtk_accessible_update_property (GTK_ACCESSIBLE (stop), GTK_ACCESSIBLE_PROPERTY_LABEL, words, -1);
      g_signal_connect (stop, "clicked", G_CALLBACK (on_stop), self);
      gtk_box_append (GTK_BOX (row), stop);
    }
  return row;
}

static void
refresh (PareJobsView *self)
{
  GtkWidget *child;
  if (!gtk_widget_get_mapped (GTK_WIDGET (self)))
    return;
  while ((child = gtk_widget_get_first_child (self->list)) != NULL)
    gtk_box_remove (GTK_BOX (self->list), child);
  guint n = pare_session_get_n_jobs (self->session);
  for (guint i = 0; i < n; i++)
    gtk_box_append (GTK_BOX (self->list), build_row (self, i));
  if (n == 0)
    {
      GtkWidget *nothing = gtk_label_new (_ ("Nothing is running."));
      gtk_widget_add_css_class (nothing, "pare-second");
      gtk_label_set_xalign (GTK_LABEL (nothing), 0);
      gtk_box_append (GTK_BOX (self->list), nothing);
    }
}

static void
pare_jobs_view_dispose (GObject *object)
{
  PareJobsView *self = PARE_JOBS_VIEW (object);
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  g_clear_pointer (&self->scroller, gtk_widget_unparent);
  g_clear_object (&self->session);
  G_OBJECT_CLASS (pare_jobs_view_parent_class)->dispose (object);
}

static void
pare_jobs_view_class_init (PareJobsViewClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = pare_jobs_view_dispose;
  gtk_widget_class_set_layout_manager_type (GTK_WIDGET_CLASS (klass), GTK_TYPE_BIN_LAYOUT);
}

static void
pare_jobs_view_init (PareJobsView *self)
{
  self->list = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  gtk_widget_add_css_class (self->list, "pare-caption");
  gtk_widget_set_margin_start (self->list, 12);
  gtk_widget_set_margin_end (self->list, 12);
  gtk_widget_set_margin_top (self->list, 12);
  self->scroller = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->scroller), self->list);
  gtk_widget_set_parent (self->scroller, GTK_WIDGET (self));
  g_signal_connect (self, "map", G_CALLBACK (refresh), NULL);
}

GtkWidget *
pare_jobs_view_new (PareSession *session)
{
  PareJobsView *self = g_object_new (PARE_TYPE_JOBS_VIEW, NULL);
  self->session = g_object_ref (session);
  g_signal_connect_swapped (session, "jobs-changed", G_CALLBACK (refresh), self);
  return GTK_WIDGET (self);
}
