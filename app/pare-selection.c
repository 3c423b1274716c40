#include "app/pare-selection.h"

#include <string.h>

struct _PareSelection
{
  GObject parent_instance;
  char **layers, **skipped;
  guint skipped_of;
  gint64 preview;
  gint64 *entries;
  guint n_entries;
};

G_DEFINE_FINAL_TYPE (PareSelection, pare_selection, G_TYPE_OBJECT)

static guint changed_signal, preview_signal, entries_signal, skipped_signal;

static void
pare_selection_finalize (GObject *object)
{
  g_strfreev (PARE_SELECTION (object)->layers);
  g_strfreev (PARE_SELECTION (object)->skipped);
  g_free (PARE_SELECTION (object)->entries);
  G_OBJECT_CLASS (pare_selection_parent_class)->finalize (object);
}

static void
pare_selection_class_init (PareSelectionClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = pare_selection_finalize;
  changed_signal = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  entries_signal = g_signal_new ("entries-changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  skipped_signal = g_signal_new ("skipped-changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  preview_signal = g_signal_new ("preview-changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
pare_selection_init (PareSelection *self)
{
  self->layers = g_new0 (char *, 1);
  self->skipped = g_new0 (char *, 1);
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
  pare_selection_set_skipped (self, NULL, 0);
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

void
pare_selection_set_entries (PareSelection *self, const gint64 *ids, guint n)
{
  if (n == self->n_entries && (n == 0 || memcmp (ids, self->entries, n * sizeof *ids) == 0))
    return;
  gint64 *copy = n > 0 ? g_memdup2 (ids, n * sizeof *ids) : NULL;
  g_free (self->entries);
  self->entries = copy;
  self->n_entries = n;
  g_signal_emit (self, entries_signal, 0);
}

const gint64 *
pare_selection_get_entries (PareSelection *self, guint *n)
{
  *n = self->n_entries;
  return self->entries;
}

gboolean
pare_selection_has_entry (PareSelection *self, gint64 id)
{
  for (guint i = 0; i < self->n_entries; i++)
    if (self->entries[i] == id)
      return TRUE;
  return FALSE;
}

void
pare_selection_set_skipped (PareSelection *self, const char *const *layers, guint of)
{
  static const char *const none[] = { NULL };
  if (layers == NULL)
    layers = none;
  if (self->skipped_of == of && g_strv_equal ((const char *const *)self->skipped, layers))
    return;
  g_strfreev (self->skipped);
  self->skipped = g_strdupv ((char **)layers);
  self->skipped_of = of;
  g_signal_emit (self, skipped_signal, 0);
}

const char *const *
pare_selection_get_skipped (PareSelection *self, guint *of)
{
  if (of != NULL)
    *of = self->skipped_of;
  return (const char *const *)self->skipped;
}
