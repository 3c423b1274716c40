#include "app/pare-explore-page.h"
#include "app/pare-compare-view.h"
#include "app/pare-flips-view.h"
#include "app/pare-history-list.h"
#include "app/pare-limits-button.h"
#include "app/pare-preferences.h"
#include "app/pare-preview.h"
#include "app/pare-scatter-source.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>
#include <math.h>

struct _PareExplorePage
{
  GtkWidget parent_instance;
  PareSession *session;
  PareSelection *selection;
  GtkWidget *paned, *middle, *outer, *flips, *smallest, *fastest;
  PareScatterChart *scatter;
};

G_DEFINE_FINAL_TYPE (PareExplorePage, pare_explore_page, GTK_TYPE_WIDGET)

static void
update (PareExplorePage *self)
{
  pare_scatter_source_update (self->scatter, self->session, self->selection);
}

static void
on_point (PareScatterChart *chart, gint64 id, PareExplorePage *self)
{
  pare_session_go_to_entry (self->session, id);
}

static void
on_point_hover (PareScatterChart *chart, gint64 id, PareExplorePage *self)
{
  pare_preview_rest (self->selection, id);
}

static void
on_brush (PareScatterChart *chart, PareExplorePage *self)
{
  g_autoptr (GArray) ids = pare_scatter_chart_get_brush (chart);
  pare_selection_set_entries (self->selection, ids != NULL ? (const gint64 *)ids->data : NULL, ids != NULL ? ids->len : 0);
}

static void
on_entries (PareExplorePage *self)
{
  guint n;
  pare_selection_get_entries (self->selection, &n);
  update (self);
  if (n == 0) /* taken back elsewhere: the frame here means nothing any more */
    pare_scatter_chart_clear_brush (self->scatter);
}

static void
on_preview (PareExplorePage *self)
{
  pare_scatter_chart_set_hover (self->scatter, pare_selection_get_preview (self->selection));
}

static void
on_limit (PareChart *chart, int kind, double value, gboolean final, PareExplorePage *self)
{
  pare_session_set_limit (self->session, (PareLimit)kind, value);
}

/* The tips say the tolerance that the buttons keep to: in their labels the layout would jump while it is dragged. */
static void
update_limits (PareExplorePage *self)
{
  PareLimits limits;
  pare_session_get_limits (self->session, &limits);
  g_autofree char *pp = pare_format_number (limits.tolerance_pp, pare_limit_decimals (limits.tolerance_pp)),
                  *smallest = g_strdup_printf (_ ("Go to the smallest measured recipe within %s points of the original"), pp),
                  *fastest = g_strdup_printf (_ ("Go to the fastest measured recipe within %s points of the original"), pp);
  gtk_widget_set_tooltip_text (self->smallest, smallest);
  gtk_widget_set_tooltip_text (self->fastest, fastest);
  update (self);
}

static void
on_across (GtkToggleButton *button, PareExplorePage *self)
{
  if (!gtk_toggle_button_get_active (button))
    return;
  pare_scatter_chart_set_axis (self->scatter, (PareScatterAxis)GPOINTER_TO_INT (g_object_get_data (G_OBJECT (button), "axis")));
  update (self);
}

/* The smallest or fastest measured entry within the tolerance of the original. */
static void
go_to_best (PareExplorePage *self, gboolean fastest)
{
  const PareEvaluation *baseline = pare_session_get_baseline (self->session);
  gint64 best_id = 0;
  double best = INFINITY;
  PareLimits limits;
  pare_session_get_limits (self->session, &limits);
  if (baseline == NULL)
    return;
  for (guint i = 0; i < pare_session_get_n_entries (self->session); i++)
    {
      const PareEntry *e = pare_session_get_entry (self->session, i);
      PareOrigin origin = fastest ? e->latency_origin : e->size_origin;
      double cost = fastest ? e->latency_ms : (double)e->size.packed_bytes;
      if (e->accuracy_origin == PARE_ORIGIN_MEASURED && origin == PARE_ORIGIN_MEASURED
          && e->accuracy >= baseline->value - limits.tolerance_pp / 100 && cost < best)
        {
          best = cost;
          best_id = e->id;
        }
    }
  if (best_id != 0)
    pare_session_go_to_entry (self->session, best_id);
}

static void
on_smallest (GtkButton *button, PareExplorePage *self)
{
  go_to_best (self, FALSE);
}
static void
on_fastest (GtkButton *button, PareExplorePage *self)
{
  go_to_best (self, TRUE);
}

static void
on_saved (GtkNativeDialog *dialog, int response, PareExplorePage *self)
{
  g_autoptr (GFile) file = response == GTK_RESPONSE_ACCEPT ? gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog)) : NULL;
  g_autofree char *path = file != NULL ? g_file_get_path (file) : NULL;
  g_autoptr (GError) error = NULL;
  if (path != NULL && !pare_chart_save (PARE_CHART (self->scatter), path, &error))
    {
      GtkWidget *message = adw_message_dialog_new (GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self))), _ ("The chart could not be saved"),
                                                   error->message);
      adw_message_dialog_add_response (ADW_MESSAGE_DIALOG (message), "close", _ ("_Close"));
      gtk_window_present (GTK_WINDOW (message));
    }
  g_object_unref (dialog);
}

static void
on_save (GtkButton *button, PareExplorePage *self)
{
  GtkFileChooserNative *dialog
      = gtk_file_chooser_native_new (_ ("Save the Chart (PNG, SVG or CSV)"), GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self))),
                                     GTK_FILE_CHOOSER_ACTION_SAVE, _ ("_Save"), NULL);
  gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (dialog), "history.svg");
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (dialog), TRUE);
  g_signal_connect_object (dialog, "response", G_CALLBACK (on_saved), self, 0);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

static GtkWidget *
text_button (const char *text, GCallback callback, PareExplorePage *self)
{
  GtkWidget *b = gtk_button_new_with_label (text);
  gtk_widget_add_css_class (b, "pare-dense");
  g_signal_connect (b, "clicked", callback, self);
  return b;
}

static GtkWidget *
dim (const char *text)
{
  GtkWidget *w = gtk_label_new (text);
  gtk_widget_add_css_class (w, "pare-caption");
  gtk_widget_add_css_class (w, "pare-second");
  return w;
}

static GtkWidget *
build_head (PareExplorePage *self)
{
  GtkWidget *head = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6), *across = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0),
            *space = gtk_label_new (NULL);
  static const char *const names[] = { N_ ("Size"), N_ ("Latency"), N_ ("MACs") };
  GtkWidget *first = NULL;
  gtk_widget_add_css_class (across, "linked");
  for (int i = 0; i < 3; i++)
    {
      GtkWidget *b = gtk_toggle_button_new_with_label (_ (names[i]));
      g_object_set_data (G_OBJECT (b), "axis", GINT_TO_POINTER (i));
      gtk_widget_add_css_class (b, "pare-dense");
      if (first == NULL)
        first = b;
      else
        gtk_toggle_button_set_group (GTK_TOGGLE_BUTTON (b), GTK_TOGGLE_BUTTON (first));
      g_signal_connect (b, "toggled", G_CALLBACK (on_across), self);
      gtk_box_append (GTK_BOX (across), b);
    }
  gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (first), TRUE);
  gtk_widget_set_hexpand (space, TRUE);
  gtk_box_append (GTK_BOX (head), dim (_ ("Across")));
  gtk_box_append (GTK_BOX (head), across);
  gtk_box_append (GTK_BOX (head), dim (_ ("Go to")));
  self->smallest = text_button (_ ("Smallest within"), G_CALLBACK (on_smallest), self);
  self->fastest = text_button (_ ("Fastest within"), G_CALLBACK (on_fastest), self);
  gtk_box_append (GTK_BOX (head), self->smallest);
  gtk_box_append (GTK_BOX (head), self->fastest);
  gtk_box_append (GTK_BOX (head), space);
  gtk_box_append (GTK_BOX (head), pare_limits_button_new (self->session));
  GtkWidget *save = gtk_button_new_from_icon_name ("document-save-symbolic");
  gtk_widget_add_css_class (save, "pare-dense");
  gtk_widget_set_tooltip_text (save, _ ("Save the chart"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (save), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Save the chart"), -1);
  g_signal_connect (save, "clicked", G_CALLBACK (on_save), self);
  gtk_box_append (GTK_BOX (head), save);
  gtk_widget_set_margin_start (head, 12);
  gtk_widget_set_margin_end (head, 12);
  gtk_widget_set_margin_top (head, 8);
  gtk_widget_set_margin_bottom (head, 8);
  return head;
}

static void
pare_explore_page_dispose (GObject *object)
{
  PareExplorePage *self = PARE_EXPLORE_PAGE (object);
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  if (self->selection != NULL)
    g_signal_handlers_disconnect_by_data (self->selection, self);
  g_clear_pointer (&self->outer, gtk_widget_unparent);
  g_clear_object (&self->session);
  g_clear_object (&self->selection);
  G_OBJECT_CLASS (pare_explore_page_parent_class)->dispose (object);
}

static void
pare_explore_page_class_init (PareExplorePageClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = pare_explore_page_dispose;
  gtk_widget_class_set_layout_manager_type (GTK_WIDGET_CLASS (klass), GTK_TYPE_BIN_LAYOUT);
}

static void
pare_explore_page_init (PareExplorePage *self)
{
}

static GtkWidget *
paned (GtkOrientation orientation, GtkWidget *start, GtkWidget *end, gboolean grow_start, int position)
{
  GtkWidget *p = gtk_paned_new (orientation);
  gtk_paned_set_start_child (GTK_PANED (p), start);
  gtk_paned_set_end_child (GTK_PANED (p), end);
  gtk_paned_set_resize_start_child (GTK_PANED (p), grow_start);
  gtk_paned_set_resize_end_child (GTK_PANED (p), !grow_start);
  gtk_paned_set_shrink_start_child (GTK_PANED (p), FALSE);
  gtk_paned_set_shrink_end_child (GTK_PANED (p), FALSE);
  gtk_paned_set_position (GTK_PANED (p), position);
  return p;
}

static GtkWidget *
build_history (PareExplorePage *self)
{
  GtkWidget *left = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0), *foot = dim (_ ("pp against the original, packed KiB")),
            *history = pare_history_list_new (self->session, self->selection);
  gtk_widget_add_css_class (left, "view");
  gtk_widget_set_vexpand (history, TRUE);
  gtk_box_append (GTK_BOX (left), history);
  gtk_box_append (GTK_BOX (left), gtk_separator_new (GTK_ORIENTATION_HORIZONTAL));
  gtk_widget_set_margin_top (foot, 6);
  gtk_widget_set_margin_bottom (foot, 6);
  gtk_box_append (GTK_BOX (left), foot);
  gtk_widget_set_size_request (left, 240, -1);
  return left;
}

static GtkWidget *
build_flips (PareExplorePage *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0), *head = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6),
            *title = gtk_label_new (_ ("Flips")), *view = pare_flips_view_new (self->session);
  gtk_widget_add_css_class (title, "pare-section");
  g_object_set (head, "margin-start", 12, "margin-end", 12, "margin-top", 8, "margin-bottom", 2, "height-request", 24, NULL);
  gtk_box_append (GTK_BOX (head), title);
  gtk_box_append (GTK_BOX (head), dim (_ ("original against now")));
  gtk_box_append (GTK_BOX (box), head);
  gtk_widget_set_vexpand (view, TRUE);
  gtk_box_append (GTK_BOX (box), view);
  gtk_widget_set_size_request (box, 240, -1);
  return box;
}

GtkWidget *
pare_explore_page_new (PareSession *session, PareSelection *selection)
{
  PareExplorePage *self = g_object_new (PARE_TYPE_EXPLORE_PAGE, NULL);
  self->session = g_object_ref (session);
  self->selection = g_object_ref (selection);
  GtkWidget *upper = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0), *compare = pare_compare_view_new (session, selection);
  self->scatter = PARE_SCATTER_CHART (pare_scatter_chart_new ());
  /* xgettext:no-c-format */
  pare_scatter_chart_set_large (self->scatter, TRUE, _ ("accuracy, 95 % interval"));
  gtk_widget_set_vexpand (GTK_WIDGET (self->scatter), TRUE);
  g_signal_connect (self->scatter, "point-activated", G_CALLBACK (on_point), self);
  g_signal_connect (self->scatter, "point-hover", G_CALLBACK (on_point_hover), self);
  g_signal_connect (self->scatter, "brush-changed", G_CALLBACK (on_brush), self);
  g_signal_connect (self->scatter, "limit-changed", G_CALLBACK (on_limit), self);
  gtk_box_append (GTK_BOX (upper), build_head (self));
  gtk_box_append (GTK_BOX (upper), gtk_separator_new (GTK_ORIENTATION_HORIZONTAL));
  gtk_box_append (GTK_BOX (upper), GTK_WIDGET (self->scatter));
  gtk_widget_set_size_request (upper, 360, 220);
  gtk_widget_set_size_request (compare, -1, 120);
  self->flips = build_flips (self);
  self->middle = paned (GTK_ORIENTATION_VERTICAL, upper, compare, TRUE, 504);
  self->paned = paned (GTK_ORIENTATION_HORIZONTAL, build_history (self), self->middle, FALSE, 296);
  self->outer = paned (GTK_ORIENTATION_HORIZONTAL, self->paned, self->flips, TRUE, 948);
  /* or the wide form's least width would keep the window from ever becoming narrow */
  gtk_paned_set_shrink_start_child (GTK_PANED (self->outer), TRUE);
  pare_preferences_keep_paned (GTK_PANED (self->paned), "explore-history");
  pare_preferences_keep_paned (GTK_PANED (self->middle), "explore-compare");
  pare_preferences_keep_paned (GTK_PANED (self->outer), "explore-flips");
  gtk_widget_set_parent (self->outer, GTK_WIDGET (self));
  static const char *const signals[] = { "history-changed", "entry-changed", "recipe-changed", "model-changed", "evaluation-changed" };
  for (guint i = 0; i < G_N_ELEMENTS (signals); i++)
    g_signal_connect_swapped (session, signals[i], G_CALLBACK (update), self);
  g_signal_connect_swapped (session, "limits-changed", G_CALLBACK (update_limits), self);
  g_signal_connect_swapped (selection, "entries-changed", G_CALLBACK (on_entries), self);
  g_signal_connect_swapped (selection, "preview-changed", G_CALLBACK (on_preview), self);
  update_limits (self);
  return GTK_WIDGET (self);
}

void
pare_explore_page_set_narrow (PareExplorePage *self, gboolean narrow)
{
  gtk_widget_set_visible (self->flips, !narrow);
}
