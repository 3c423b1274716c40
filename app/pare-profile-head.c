/* Above the table of the profile: how the run was done and what the machine can do; below it: the sum. */
#include "app/pare-profile-private.h"
#include "app/pare-table-parts.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

static GtkWidget *
line (const char *css)
{
  GtkWidget *w = gtk_label_new ("");
  gtk_label_set_xalign (GTK_LABEL (w), 0);
  gtk_label_set_ellipsize (GTK_LABEL (w), PANGO_ELLIPSIZE_END);
  gtk_widget_add_css_class (w, "pare-caption");
  if (css != NULL)
    gtk_widget_add_css_class (w, css);
  return w;
}

/* A line may be cut at the end: its tip has all of it. */
static void
say (GtkWidget *label, const char *text)
{
  gtk_label_set_text (GTK_LABEL (label), text);
  gtk_widget_set_tooltip_text (label, *text != '\0' ? text : NULL);
}

static void
on_copy (PareProfileView *self)
{
  g_autofree char *text = pare_profile_view_dup_text (self);
  if (text != NULL)
    gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (self)), text);
}

static void
on_chosen (GtkNativeDialog *dialog, int response, PareProfileView *self)
{
  g_autoptr (GFile) file = response == GTK_RESPONSE_ACCEPT ? gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog)) : NULL;
  g_autofree char *path = file != NULL ? g_file_get_path (file) : NULL;
  g_autoptr (GError) error = NULL;
  if (path != NULL && !pare_profile_view_save (self, path, &error))
    g_signal_emit_by_name (self->session, "message", "error", error->message);
  g_object_unref (dialog);
}

static void
on_csv (PareProfileView *self)
{
  const PareGraph *graph = pare_session_get_graph (self->session);
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
  if (graph == NULL || self->profile == NULL || !GTK_IS_WINDOW (root))
    return;
  GtkFileChooserNative *dialog
      = gtk_file_chooser_native_new (_ ("Save the Profile as CSV"), GTK_WINDOW (root), GTK_FILE_CHOOSER_ACTION_SAVE, _ ("_Save"), NULL);
  g_autofree char *base = g_path_get_basename (graph->path != NULL ? graph->path : "model"),
                  *stem = g_str_has_suffix (base, ".onnx") ? g_strndup (base, strlen (base) - 5) : g_strdup (base),
                  *name = g_strconcat (stem, "-profile.csv", NULL);
  gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (dialog), name);
  g_signal_connect_object (dialog, "response", G_CALLBACK (on_chosen), self, 0);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

static GtkWidget *
button (const char *label, const char *tip)
{
  GtkWidget *b = gtk_button_new_with_label (label);
  gtk_widget_add_css_class (b, "pare-dense");
  gtk_widget_set_valign (b, GTK_ALIGN_CENTER);
  gtk_widget_set_tooltip_text (b, tip);
  return b;
}

GtkWidget *
pare_profile_build_head (PareProfileView *self)
{
  GtkWidget *head = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6), *lines = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0),
            *copy = button (_ ("Copy"), _ ("Copy the table, for a spreadsheet")), *csv = button (_ ("CSV…"), _ ("Save the table as CSV"));
  self->run = line (NULL);
  self->machine = line ("pare-second");
  self->age = line ("pare-second");
  self->measure = button (_ ("Measure"), _ ("Measure the recipe as it is now (Ctrl+R)"));
  gtk_actionable_set_action_name (GTK_ACTIONABLE (self->measure), "win.measure");
  gtk_widget_set_hexpand (lines, TRUE);
  GtkWidget *machine = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  self->again = gtk_button_new_from_icon_name ("view-refresh-symbolic");
  gtk_widget_add_css_class (self->again, "flat");
  gtk_widget_add_css_class (self->again, "pare-dense");
  gtk_widget_set_valign (self->again, GTK_ALIGN_CENTER);
  gtk_widget_set_tooltip_text (self->again, _ ("Measure the peaks of this machine again"));
  pare_table_name (self->again, _ ("Measure the peaks of this machine again"));
  g_signal_connect_swapped (self->again, "clicked", G_CALLBACK (pare_profile_measure_machine), self);
  gtk_box_append (GTK_BOX (machine), self->machine);
  gtk_box_append (GTK_BOX (machine), self->again);
  gtk_box_append (GTK_BOX (lines), self->run);
  gtk_box_append (GTK_BOX (lines), machine);
  gtk_label_set_ellipsize (GTK_LABEL (self->age), PANGO_ELLIPSIZE_NONE);
  g_signal_connect_swapped (copy, "clicked", G_CALLBACK (on_copy), self);
  g_signal_connect_swapped (csv, "clicked", G_CALLBACK (on_csv), self);
  gtk_box_append (GTK_BOX (head), lines);
  gtk_box_append (GTK_BOX (head), self->age);
  gtk_box_append (GTK_BOX (head), self->measure);
  gtk_box_append (GTK_BOX (head), copy);
  gtk_box_append (GTK_BOX (head), csv);
  g_object_set (head, "margin-start", 12, "margin-end", 8, "margin-top", 3, "margin-bottom", 3, NULL);
  return head;
}

GtkWidget *
pare_profile_build_foot (PareProfileView *self)
{
  self->sum = line ("pare-bold");
  g_object_set (self->sum, "margin-start", 12, "margin-end", 12, "height-request", 24, NULL);
  return self->sum;
}

GtkWidget *
pare_profile_build_empty (PareProfileView *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 8);
  self->empty = gtk_label_new ("");
  gtk_label_set_wrap (GTK_LABEL (self->empty), TRUE);
  gtk_label_set_justify (GTK_LABEL (self->empty), GTK_JUSTIFY_CENTER);
  gtk_widget_add_css_class (self->empty, "pare-second");
  self->empty_button = button (_ ("Measure"), _ ("Measure now (Ctrl+R)"));
  gtk_actionable_set_action_name (GTK_ACTIONABLE (self->empty_button), "win.measure");
  gtk_widget_set_halign (self->empty_button, GTK_ALIGN_CENTER);
  gtk_box_append (GTK_BOX (box), self->empty);
  gtk_box_append (GTK_BOX (box), self->empty_button);
  gtk_widget_set_valign (box, GTK_ALIGN_CENTER);
  return box;
}

static void
show_run (PareProfileView *self, const PareLatency *now)
{
  g_autoptr (GString) text = g_string_new (NULL);
  if (now->threads > 0)
    {
      g_string_append_printf (text, g_dngettext (NULL, "%d thread", "%d threads", (gulong)now->threads), now->threads);
      g_autofree char *share = pare_format_percent (now->fast_share, 0);
      if (now->fast_share > 0)
        g_string_append_printf (text, _ (", %s of the steps accelerated"), share);
      else
        g_string_append (text, _ (", kernels of our own"));
    }
  if (now->bf16_steps > 0)
    g_string_append (text, now->bf16_multiplied > 0 ? _ (" · bf16") : _ (" · bf16, in the time of float32"));
  if (now->tensors_bytes > 0)
    {
      g_autofree char *arena = pare_format_kib (now->arena_bytes), *all = pare_format_kib (now->tensors_bytes),
                      *weights = pare_format_kib (now->constants_bytes), *packed = pare_format_kib (now->packed_bytes);
      g_string_append_printf (text, _ (" · activations %s of %s KiB in all"), arena, all);
      if (now->packed_bytes > 0)
        g_string_append_printf (text, _ (" · weights %s, packed %s KiB"), weights, packed);
      else
        g_string_append_printf (text, _ (" · weights %s KiB"), weights);
    }
  if (now->peak_rss_bytes > 0)
    {
      g_autofree char *peak = pare_format_number (now->peak_rss_bytes / 1048576.0, 0);
      g_string_append_printf (text, _ (" · peak of the process %s MiB"), peak);
    }
  say (self->run, text->str);
}

static void
show_machine (PareProfileView *self)
{
  gtk_widget_set_sensitive (self->again, !self->peaks_wanted);
  if (!self->has_peaks)
    {
      say (self->machine, self->peaks_failed ? _ ("What this machine can do could not be measured")
                                             : _ ("What this machine can do is measured when nothing else runs"));
      return;
    }
  g_autofree char *flops = pare_format_number (self->peaks.gflops, 0), *ints = pare_format_number (self->peaks.int8_gops, 0),
                  *memory = pare_format_number (self->peaks.stream_gbs, 1);
  g_autofree char *integers = self->peaks.int8_gops > 0 ? g_strdup_printf (_ ("%s GOP/s with 8-bit integers"), ints)
                                                        : g_strdup (_ ("no instruction for 8-bit integers"));
  g_autoptr (GDateTime) then = g_date_time_new_from_unix_local (self->peaks.when);
  g_autofree char *date = then != NULL ? g_date_time_format (then, "%e %b %Y") : NULL;
  g_autofree char *when = self->peaks_wanted   ? g_strdup (_ ("again when nothing else runs"))
                          : self->peaks_failed ? g_strdup (_ ("could not be measured again"))
                                               : g_strdup_printf (_ ("measured %s"), date != NULL ? g_strstrip (date) : PARE_DASH);
  g_autofree char *text
      = g_strdup_printf (_ ("Peaks here: %s GFLOP/s, %s, memory %s GB/s · %s · %s"), flops, integers, memory, when, self->peaks.cpu);
  say (self->machine, text);
}

static void
show_sum (PareProfileView *self, const PareLatency *now)
{
  const PareProfile *p = self->profile;
  double whole = p->whole_ms;
  g_autofree char *ms = pare_format_number (whole, 3), *layers = pare_format_number (p->layers_ms, 3),
                  *share = pare_format_percent (whole > 0 ? p->layers_ms / whole : NAN, 1),
                  *between = pare_format_number (p->between_ms, 3),
                  *rest = pare_format_percent (whole > 0 ? p->between_ms / whole : NAN, 1), *macs = pare_format_number (p->macs / 1e6, 1),
                  *rate = pare_format_number (2.0 * p->macs / whole / 1e6, 1), *moved = pare_format_number (p->bytes / whole / 1e6, 1);
  g_autoptr (GString) text = g_string_new (NULL);
  g_string_append_printf (text, _ ("Whole %s ms = layers %s (%s) + between layers %s (%s)"), ms, layers, share, between, rest);
  /* the runs by layer were made while something else ran */
  g_autofree char *median = pare_format_number (now->median_ms, 3);
  if (whole > 1.2 * now->median_ms && now->median_ms > 0)
    g_string_append_printf (text, _ (" · disturbed, alone it takes %s ms"), median);
  if (p->macs > 0)
    g_string_append_printf (text, _ (" · %s M multiply-adds · %s GOP/s"), macs, rate);
  if (p->bytes > 0)
    g_string_append_printf (text, _ (" · %s GB/s"), moved);
  if (!isnan (p->original_ms))
    {
      g_autofree char *was = pare_format_number (p->original_ms, 3), *change = pare_format_change (p->layers_ms, p->original_ms);
      g_string_append_printf (text, _ (" · original's layers %s ms, %s"), was, change);
    }
  say (self->sum, text->str);
}

void
pare_profile_show_head (PareProfileView *self)
{
  PareLatency now;
  PareOrigin origin = PARE_ORIGIN_NONE;
  int edits = 0;
  const char *why_not = pare_session_get_why_not (self->session);
  pare_session_get_latency (self->session, &now, &origin, &edits, NULL);
  self->stale = origin == PARE_ORIGIN_STALE;
  gtk_stack_set_visible_child_name (GTK_STACK (self->stack), self->profile != NULL ? "table" : "empty");
  if (self->profile == NULL)
    {
      g_autofree char *text = why_not != NULL ? g_strdup_printf (_ ("This model cannot run here: %s"), why_not)
                              : pare_session_get_graph (self->session) == NULL ? g_strdup (_ ("Open a model to see where its time goes."))
                                                                               : g_strdup (_ ("Each layer’s time is not measured yet."));
      gtk_label_set_text (GTK_LABEL (self->empty), text);
      gtk_widget_set_visible (self->empty_button, why_not == NULL && pare_session_get_graph (self->session) != NULL);
      return;
    }
  show_run (self, &now);
  show_machine (self);
  show_sum (self, &now);
  g_autofree char *age = self->stale && edits > 0
                             ? g_strdup_printf (g_dngettext (NULL, "stale, %d edit ago", "stale, %d edits ago", (gulong)edits), edits)
                             : g_strdup (self->stale ? _ ("stale") : "");
  gtk_label_set_text (GTK_LABEL (self->age), age);
  gtk_widget_set_visible (self->age, self->stale);
  gtk_widget_set_visible (self->measure, self->stale);
  if (self->stale)
    gtk_widget_add_css_class (self->sum, "pare-second");
  else
    gtk_widget_remove_css_class (self->sum, "pare-second");
}
