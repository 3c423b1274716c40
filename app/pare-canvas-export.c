/* The graph saved as a picture: where to, how far, and what became of it. */
#include "app/pare-canvas-private.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

typedef struct
{
  PareCanvasPane *pane; /* ref */
  char *path;
  double scale;
} Saving;

static void
saving_free (Saving *s)
{
  g_object_unref (s->pane);
  g_free (s->path);
  g_free (s);
}

static void
say (PareCanvasPane *self, const char *text)
{
  gtk_label_set_text (GTK_LABEL (self->saving_text), text);
}

static gboolean
hide (gpointer data)
{
  PareCanvasPane *self = data;
  self->saved_timer = 0;
  gtk_widget_set_visible (self->saving_box, FALSE);
  return G_SOURCE_REMOVE;
}

static gboolean
show_progress (gpointer data)
{
  PareCanvasPane *self = data;
  self->saved_timer = 0;
  gtk_widget_set_visible (self->saving_box, TRUE);
  return G_SOURCE_REMOVE;
}

static void
on_progress (double fraction, gpointer data)
{
  Saving *s = data;
  g_autofree char *name = g_path_get_basename (s->path);
  g_autofree char *text = g_strdup_printf (_ ("Saving %s, %.0f %%"), name, 100 * fraction);
  say (s->pane, text);
}

static void
on_saved (GObject *source, GAsyncResult *result, gpointer data)
{
  Saving *s = data;
  PareCanvasPane *self = s->pane;
  g_autoptr (GError) error = NULL;
  gboolean ok = pare_graph_view_save_picture_finish (PARE_GRAPH_VIEW (source), result, &error);
  g_clear_object (&self->saving);
  g_clear_handle_id (&self->saved_timer, g_source_remove);
  if (self->stack != NULL) /* the pane may have gone meanwhile */
    {
      gtk_widget_set_visible (self->saving_stop, FALSE);
      g_autofree char *text = NULL, *name = g_path_get_basename (s->path);
      if (ok && s->scale < 1)
        text = g_strdup_printf (_ ("Saved %s at %.*f %% of its size: whole it would be too large for a picture"), name,
                                s->scale < 0.1 ? 1 : 0, 100 * s->scale);
      else if (ok)
        text = g_strdup_printf (_ ("Saved %s"), name);
      else if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        text = g_strdup (error->message);
      gtk_widget_set_visible (self->saving_box, text != NULL);
      say (self, text != NULL ? text : "");
      gtk_accessible_update_property (GTK_ACCESSIBLE (self->saving_box), GTK_ACCESSIBLE_PROPERTY_LABEL, text != NULL ? text : "", -1);
      self->saved_timer = g_timeout_add (ok ? 4000 : 10000, hide, self);
    }
  saving_free (s);
}

void
pare_canvas_export (PareCanvasPane *self, const char *path)
{
  if (self->saving != NULL || pare_session_get_graph (self->session) == NULL)
    return; /* one at a time; it can be stopped */
  g_autofree char *lower = g_ascii_strdown (path, -1);
  gboolean svg = g_str_has_suffix (lower, ".svg");
  Saving *s = g_new0 (Saving, 1);
  s->pane = g_object_ref (self);
  s->path = g_strdup (path);
  s->scale = pare_graph_view_picture_scale (self->view, svg);
  self->saving = g_cancellable_new ();
  g_clear_handle_id (&self->saved_timer, g_source_remove);
  gtk_widget_set_visible (self->saving_stop, TRUE);
  gtk_widget_set_visible (self->saving_box, FALSE);
  on_progress (0, s);
  self->saved_timer = g_timeout_add (300, show_progress, self); /* what is done at once needs no line */
  pare_graph_view_save_picture_async (self->view, path, svg, self->saving, on_progress, s, on_saved, s);
}

static void
on_chosen (GtkNativeDialog *dialog, int response, PareCanvasPane *self)
{
  g_autoptr (GFile) file = response == GTK_RESPONSE_ACCEPT ? gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog)) : NULL;
  g_autofree char *path = file != NULL ? g_file_get_path (file) : NULL;
  const char *suffix = g_object_get_data (G_OBJECT (dialog), "suffix");
  if (path != NULL)
    {
      g_autofree char *lower = g_ascii_strdown (path, -1);
      g_autofree char *whole
          = g_str_has_suffix (lower, ".png") || g_str_has_suffix (lower, ".svg") ? g_strdup (path) : g_strconcat (path, suffix, NULL);
      pare_canvas_export (self, whole);
    }
  g_object_unref (dialog);
}

void
pare_canvas_choose_picture (PareCanvasPane *self, gboolean svg)
{
  const PareGraph *graph = pare_session_get_graph (self->session);
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
  if (graph == NULL || !GTK_IS_WINDOW (root))
    return;
  GtkFileChooserNative *dialog = gtk_file_chooser_native_new (svg ? _ ("Save the Graph as SVG") : _ ("Save the Graph as PNG"),
                                                              GTK_WINDOW (root), GTK_FILE_CHOOSER_ACTION_SAVE, _ ("_Save"), NULL);
  g_autofree char *base = g_path_get_basename (graph->path != NULL ? graph->path : "graph"),
                  *stem = g_str_has_suffix (base, ".onnx") ? g_strndup (base, strlen (base) - 5) : g_strdup (base);
  g_autofree char *name = g_strconcat (stem, svg ? ".svg" : ".png", NULL);
  gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (dialog), name);
  g_object_set_data (G_OBJECT (dialog), "suffix", (gpointer)(svg ? ".svg" : ".png"));
  g_signal_connect_object (dialog, "response", G_CALLBACK (on_chosen), self, 0);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

static void
on_stop (GtkButton *button, PareCanvasPane *self)
{
  if (self->saving != NULL)
    g_cancellable_cancel (self->saving);
}

GtkWidget *
pare_canvas_build_saving (PareCanvasPane *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  self->saving_box = box;
  self->saving_text = gtk_label_new ("");
  self->saving_stop = gtk_button_new_from_icon_name ("process-stop-symbolic");
  gtk_widget_add_css_class (self->saving_text, "pare-caption");
  gtk_label_set_wrap (GTK_LABEL (self->saving_text), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (self->saving_text), 48);
  gtk_widget_set_margin_start (self->saving_text, 10);
  gtk_widget_set_margin_end (self->saving_text, 10);
  gtk_widget_add_css_class (self->saving_stop, "flat");
  gtk_widget_add_css_class (self->saving_stop, "pare-dense");
  gtk_widget_set_tooltip_text (self->saving_stop, _ ("Stop"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->saving_stop), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Stop saving the picture"), -1);
  g_signal_connect (self->saving_stop, "clicked", G_CALLBACK (on_stop), self);
  gtk_widget_add_css_class (box, "pare-osd");
  gtk_widget_set_halign (box, GTK_ALIGN_CENTER);
  gtk_widget_set_margin_top (box, 8);
  gtk_widget_set_size_request (box, -1, 28);
  gtk_box_append (GTK_BOX (box), self->saving_text);
  gtk_box_append (GTK_BOX (box), self->saving_stop);
  gtk_widget_set_visible (box, FALSE);
  return box;
}
