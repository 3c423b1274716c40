#include "app/pare-selection.h"

#include <string.h>

struct _PareSelection
{
  GObject parent_instance;
  char **layers;
  gint64 preview;
};

G_DEFINE_FINAL_TYPE (PareSelection, pare_selection, G_TYPE_OBJECT)

static guint changed_signal, preview_signal;

static void
pare_selection_finalize (GObject *object)
{
  g_strfreev (PARE_SELECTION (object)->layers);
  G_OBJECT_CLASS (pare_selection_parent_class)->finalize (object);
}

static void
pare_selection_class_init (PareSelectionClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = pare_selection_finalize;
  changed_signal = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  preview_signal = g_signal_new ("preview-changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
pare_selection_init (PareSelection *self)
{
  self->layers = g_new0 (char *, 1);
  self->preview = PARE_PREVIEW_NONE;
}

PareSelection *
pare_selection_new (void)
{
  return g_object_new (PARE_TYPE_SELECTION, NULL);
}

void
pare_selection_set (PareSelection *self, const char *const *layers)
{
  static const char *const none[] = { NULL };
  if (layers == NULL)
    layers = none;
  if (g_strv_equal ((const char *const *)self->layers, layers))
    return;
  char **old = self->layers;
  self->layers = g_strdupv ((char **)layers);
  g_strfreev (old);
  g_signal_emit (self, changed_signal, 0);
}

const char *const *
pare_selection_get (PareSelection *self)
{
  return (const char *const *)self->layers;
}

guint
pare_selection_get_n (PareSelection *self)
{
  return g_strv_length (self->layers);
}

void
pare_selection_set_preview (PareSelection *self, gint64 entry)
{
  if (self->preview == entry)
    return;
  self->preview = entry;
  g_signal_emit (self, preview_signal, 0);
}

gint64
pare_selection_get_preview (PareSelection *self)
{
  return self->preview;
}
