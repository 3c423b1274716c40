#include "app/pare-flips-view.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>

#define MOST_SHOWN 120

struct _PareFlipsView
{
  GtkWidget parent_instance;
  PareSession *session;
  GtkWidget *box, *summary, *flow, *scroller, *empty, *stack;
  guint n, idle;
};

G_DEFINE_FINAL_TYPE (PareFlipsView, pare_flips_view, GTK_TYPE_WIDGET)

static guint changed_signal;

static char *
class_name (PareDataset *data, gint64 label)
{
  const char *name = pare_dataset_get_class_name (data, label);
  return name != NULL ? g_strdup (name) : g_strdup_printf ("%" G_GINT64_FORMAT, label);
}

static GtkWidget *
caption (const char *text, const char *css)
{
  GtkWidget *w = gtk_label_new (text);
  gtk_label_set_ellipsize (GTK_LABEL (w), PANGO_ELLIPSIZE_END);
  gtk_label_set_xalign (GTK_LABEL (w), 0);
  gtk_label_set_max_width_chars (GTK_LABEL (w), 14);
  gtk_widget_add_css_class (w, "pare-tiny");
  if (css != NULL)
    gtk_widget_add_css_class (w, css);
  return w;
}

static GtkWidget *
build_card (PareFlipsView *self, guint i, const PareEvaluation *before, const PareEvaluation *after, const char *kind)
{
  PareDataset *data = pare_session_get_dataset (self->session);
  GtkWidget *card = gtk_box_new (GTK_ORIENTATION_VERTICAL, 2);
  int width, height;
  g_autoptr (GBytes) rgb = pare_dataset_load_thumbnail (data, pare_session_get_split (self->session), i, &width, &height);
  if (rgb != NULL)
    {
      g_autoptr (GdkTexture) texture = gdk_memory_texture_new (width, height, GDK_MEMORY_R8G8B8, rgb, (gsize)width * 3);
      GtkWidget *picture = gtk_picture_new_for_paintable (GDK_PAINTABLE (texture));
      gtk_widget_set_size_request (picture, 72, 72);
      gtk_picture_set_can_shrink (GTK_PICTURE (picture), TRUE);
      gtk_box_append (GTK_BOX (card), picture);
    }
  g_autofree char *was = class_name (data, before->prediction[i]), *now = class_name (data, after->prediction[i]),
                  *truth = class_name (data, after->label[i]);
  g_autofree char *change = g_strdup_printf ("%s → %s", was, now);
  g_autofree char *confidence = g_strdup_printf ("%s  %.2f → %.2f", kind, before->confidence[i], after->confidence[i]);
  g_autofree char *words = g_strdup_printf (_ ("Sample %u, %s: %s became %s; the label says %s"), i, kind, was, now, truth);
  gtk_box_append (GTK_BOX (card), caption (change, "pare-bold"));
  gtk_box_append (GTK_BOX (card), caption (confidence, "pare-second"));
  gtk_widget_set_tooltip_text (card, words);
  GtkWidget *child = gtk_flow_box_child_new ();
  gtk_flow_box_child_set_child (GTK_FLOW_BOX_CHILD (child), card);
  gtk_accessible_update_property (GTK_ACCESSIBLE (child), GTK_ACCESSIBLE_PROPERTY_LABEL, words, -1);
  return child;
}

static gboolean
rebuild (gpointer user_data)
{
  PareFlipsView *self = user_data;
  self->idle = 0;
  GtkWidget *child;
  while ((child = gtk_widget_get_first_child (self->flow)) != NULL)
    gtk_flow_box_remove (GTK_FLOW_BOX (self->flow), child);
  PareOrigin origin;
  const PareEvaluation *after = pare_session_get_evaluation (self->session, &origin), *before = pare_session_get_baseline (self->session);
  PareDataset *data = pare_session_get_dataset (self->session);
  guint lost = 0, gained = 0, other = 0, shown = 0;
  gboolean comparable = data != NULL && after != NULL && before != NULL && origin == PARE_ORIGIN_MEASURED && after->prediction != NULL
                        && before->prediction != NULL && after->confidence != NULL && before->confidence != NULL && after->n == before->n
                        && after->label != NULL && pare_dataset_get_task (data) == PARE_TASK_CLASSIFICATION;
  for (int pass = 0; comparable && pass < 3; pass++) /* lost, gained, wrong both times */
    for (guint i = 0; i < after->n; i++)
      {
        if (after->prediction[i] == before->prediction[i] || after->prediction[i] < 0 || before->prediction[i] < 0)
          continue;
        int kind = before->correct[i] ? 0 : after->correct[i] ? 1 : 2;
        if (kind != pass)
          continue;
        lost += kind == 0;
        gained += kind == 1;
        other += kind == 2;
        if (shown++ < MOST_SHOWN)
          gtk_flow_box_append (GTK_FLOW_BOX (self->flow), build_card (self, i, before, after,
                                                                      kind == 0   ? _ ("lost")
                                                                      : kind == 1 ? _ ("gained")
                                                                                  : _ ("other")));
      }
  self->n = lost + gained + other;
  if (self->n > 0)
    {
      double p = pare_stat_mcnemar (lost, gained);
      g_autofree char *chance = p < 0.01 ? g_strdup (_ ("p &lt; 0.01")) : g_strdup_printf (_ ("p = %.2f"), p);
      g_autofree char *text
          = g_strdup_printf (_ ("<b>%u lost</b>   <b>%u gained</b>   %u wrong both times, of %u samples; %s by McNemar's test"), lost,
                             gained, other, after->n, chance);
      gtk_label_set_markup (GTK_LABEL (self->summary), text);
    }
  gtk_label_set_text (GTK_LABEL (self->empty), comparable     ? _ ("No sample changed its answer.")
                                               : data == NULL ? _ ("Add labelled data to see which samples change their answer.")
                                                              : _ ("Counting is under way, or this task has no single answers."));
  gtk_stack_set_visible_child_name (GTK_STACK (self->stack), self->n > 0 ? "flips" : "empty");
  g_signal_emit (self, changed_signal, 0);
  return G_SOURCE_REMOVE;
}

static void
queue_rebuild (PareFlipsView *self)
{
  PareOrigin origin = PARE_ORIGIN_NONE;
  pare_session_get_evaluation (self->session, &origin);
  if (self->idle == 0 && origin != PARE_ORIGIN_PROVISIONAL)
    self->idle = g_timeout_add (200, rebuild, self);
}

static void
pare_flips_view_dispose (GObject *object)
{
  PareFlipsView *self = PARE_FLIPS_VIEW (object);
  g_clear_handle_id (&self->idle, g_source_remove);
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  g_clear_pointer (&self->stack, gtk_widget_unparent);
  g_clear_object (&self->session);
  G_OBJECT_CLASS (pare_flips_view_parent_class)->dispose (object);
}

static void
pare_flips_view_class_init (PareFlipsViewClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = pare_flips_view_dispose;
  gtk_widget_class_set_layout_manager_type (GTK_WIDGET_CLASS (klass), GTK_TYPE_BIN_LAYOUT);
  changed_signal = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
pare_flips_view_init (PareFlipsView *self)
{
  self->box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  self->summary = caption ("", NULL);
  gtk_widget_remove_css_class (self->summary, "pare-tiny");
  gtk_widget_add_css_class (self->summary, "pare-caption");
  gtk_label_set_ellipsize (GTK_LABEL (self->summary), PANGO_ELLIPSIZE_NONE);
  gtk_label_set_wrap (GTK_LABEL (self->summary), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (self->summary), -1);
  gtk_widget_set_margin_start (self->summary, 12);
  gtk_widget_set_margin_end (self->summary, 12);
  gtk_widget_set_margin_top (self->summary, 6);
  self->flow = gtk_flow_box_new ();
  gtk_flow_box_set_homogeneous (GTK_FLOW_BOX (self->flow), TRUE);
  gtk_flow_box_set_selection_mode (GTK_FLOW_BOX (self->flow), GTK_SELECTION_NONE);
  gtk_flow_box_set_max_children_per_line (GTK_FLOW_BOX (self->flow), 30);
  gtk_flow_box_set_column_spacing (GTK_FLOW_BOX (self->flow), 6);
  gtk_widget_set_valign (self->flow, GTK_ALIGN_START);
  gtk_flow_box_set_min_children_per_line (GTK_FLOW_BOX (self->flow), 2);
  gtk_widget_set_margin_start (self->flow, 6);
  gtk_widget_set_margin_end (self->flow, 6);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->flow), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Samples that changed their answer"), -1);
  self->scroller = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->scroller), self->flow);
  gtk_widget_set_vexpand (self->scroller, TRUE);
  gtk_box_append (GTK_BOX (self->box), self->summary);
  gtk_box_append (GTK_BOX (self->box), self->scroller);
  self->empty = gtk_label_new ("");
  gtk_widget_add_css_class (self->empty, "pare-second");
  self->stack = gtk_stack_new ();
  gtk_stack_add_named (GTK_STACK (self->stack), self->empty, "empty");
  gtk_stack_add_named (GTK_STACK (self->stack), self->box, "flips");
  gtk_widget_set_parent (self->stack, GTK_WIDGET (self));
}

GtkWidget *
pare_flips_view_new (PareSession *session)
{
  PareFlipsView *self = g_object_new (PARE_TYPE_FLIPS_VIEW, NULL);
  self->session = g_object_ref (session);
  g_signal_connect_swapped (session, "evaluation-changed", G_CALLBACK (queue_rebuild), self);
  g_signal_connect_swapped (session, "data-changed", G_CALLBACK (queue_rebuild), self);
  return GTK_WIDGET (self);
}

guint
pare_flips_view_get_n (PareFlipsView *self)
{
  return self->n;
}
