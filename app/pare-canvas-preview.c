/* Looking at an entry of the history: its recipe's pills at once, its figures as soon as a worker has them. */
#include "app/pare-canvas-private.h"

#include <glib/gi18n.h>

#define KEPT 12 /* entries whose figures are kept: moving over the history goes back and forth */

const PareEntry *
pare_canvas_preview_entry (PareCanvasPane *self)
{
  gint64 id = pare_selection_get_preview (self->selection);
  if (id == PARE_PREVIEW_NONE || pare_session_get_graph (self->session) == NULL || id == pare_session_get_current_entry (self->session))
    return NULL;
  return pare_session_find_entry (self->session, id);
}

static PareCanvasFigures *
find (PareCanvasPane *self, gint64 entry)
{
  for (GList *l = self->known.head; l != NULL; l = l->next)
    if (((PareCanvasFigures *)l->data)->entry == entry)
      return l->data;
  return NULL;
}

static void
on_figures (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (PareCanvasPane) self = data;
  g_autoptr (GError) error = NULL;
  PareCanvasFigures *figures = pare_canvas_figures_finish (result, &error);
  GCancellable *cancellable = g_task_get_cancellable (G_TASK (result));
  if (figures == NULL || cancellable != self->computing)
    {
      /* a recipe that cannot be applied keeps its pills; its figures stay missing */
      pare_canvas_figures_free (figures);
      return;
    }
  g_clear_object (&self->computing);
  g_queue_push_head (&self->known, figures);
  const PareEntry *entry = pare_canvas_preview_entry (self);
  self->figures = entry != NULL ? find (self, entry->id) : NULL;
  while (self->known.length > KEPT)
    pare_canvas_figures_free (g_queue_pop_tail (&self->known));
  pare_canvas_queue_recolour (self);
}

void
pare_canvas_preview_clear (PareCanvasPane *self)
{
  if (self->computing != NULL)
    g_cancellable_cancel (self->computing);
  g_clear_object (&self->computing);
  self->figures = NULL;
  g_queue_clear_full (&self->known, (GDestroyNotify)pare_canvas_figures_free);
}

void
pare_canvas_preview_changed (PareCanvasPane *self)
{
  const PareEntry *entry = pare_canvas_preview_entry (self);
  if (self->computing != NULL)
    g_cancellable_cancel (self->computing);
  g_clear_object (&self->computing);
  self->figures = entry != NULL ? find (self, entry->id) : NULL;
  if (entry != NULL && entry->id != PARE_CANVAS_ORIGINAL && self->figures == NULL)
    {
      self->computing = g_cancellable_new ();
      pare_canvas_figures_async (pare_session_get_graph (self->session), entry->recipe, pare_session_get_statistics (self->session),
                                 entry->id, self->computing, on_figures, g_object_ref (self));
    }
  gint64 wanted = pare_selection_get_preview (self->selection);
  const PareEntry *named = wanted != PARE_PREVIEW_NONE ? pare_session_find_entry (self->session, wanted) : NULL;
  g_autofree char *text = named == NULL                       ? NULL
                          : named->id == PARE_CANVAS_ORIGINAL ? g_strdup (_ ("Showing the original"))
                                                              : g_strdup_printf (_ ("Showing: %s"), named->title);
  gtk_label_set_text (GTK_LABEL (self->showing), text != NULL ? text : "");
  gtk_widget_set_visible (gtk_widget_get_parent (self->showing), text != NULL);
  pare_canvas_queue_recolour (self);
}

/* --- B held: the original --- */

static gboolean
on_pressed (GtkEventControllerKey *controller, guint key, guint code, GdkModifierType state, PareSelection *selection)
{
  if ((key != GDK_KEY_b && key != GDK_KEY_B) || state & (GDK_CONTROL_MASK | GDK_ALT_MASK | GDK_SUPER_MASK))
    return FALSE;
  pare_selection_set_preview (selection, PARE_CANVAS_ORIGINAL);
  g_object_set_data (G_OBJECT (controller), "held", controller);
  return TRUE;
}

static void
let_go (GObject *controller, PareSelection *selection)
{
  if (g_object_get_data (controller, "held") == NULL)
    return;
  g_object_set_data (controller, "held", NULL);
  pare_selection_set_preview (selection, PARE_PREVIEW_NONE);
}

static void
on_released (GtkEventControllerKey *controller, guint key, guint code, GdkModifierType state, PareSelection *selection)
{
  if (key == GDK_KEY_b || key == GDK_KEY_B)
    let_go (G_OBJECT (controller), selection);
}

static void
on_focus_left (GtkEventControllerFocus *focus, GtkEventController *keys)
{
  let_go (G_OBJECT (keys), g_object_get_data (G_OBJECT (keys), "selection"));
}

void
pare_canvas_preview_keys_attach (GtkWidget *widget, PareSelection *selection)
{
  GtkEventController *keys = gtk_event_controller_key_new (), *focus = gtk_event_controller_focus_new ();
  gtk_event_controller_set_name (keys, "pare-preview-keys");
  gtk_event_controller_set_propagation_phase (keys, GTK_PHASE_CAPTURE);
  g_object_set_data_full (G_OBJECT (keys), "selection", g_object_ref (selection), g_object_unref);
  g_signal_connect (keys, "key-pressed", G_CALLBACK (on_pressed), selection);
  g_signal_connect (keys, "key-released", G_CALLBACK (on_released), selection);
  g_signal_connect_object (focus, "leave", G_CALLBACK (on_focus_left), keys, 0);
  gtk_widget_add_controller (widget, keys);
  gtk_widget_add_controller (widget, focus);
}
