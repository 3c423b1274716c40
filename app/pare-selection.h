#pragma once
#include <glib-object.h>

/* What the window's parts show together. Selection: layer names, shared by table, graph, inspector and charts. Preview: a recipe of the
 * history that is looked at without going to it (a hovered point; the original while B is held).
 * Entries: recipes of the history that are brushed in
 * a chart, to be compared. Signals: "changed" (the layers), "preview-changed", "entries-changed". */
#define PARE_TYPE_SELECTION (pare_selection_get_type ())
G_DECLARE_FINAL_TYPE (PareSelection, pare_selection, PARE, SELECTION, GObject)

PareSelection *pare_selection_new (void);
/* layers: NULL-terminated, copied. Emits "changed" only when it differs. */
void pare_selection_set (PareSelection *self, const char *const *layers);
const char *const *pare_selection_get (PareSelection *self); /* borrowed, NULL-terminated, never NULL */
guint pare_selection_get_n (PareSelection *self);

#define PARE_PREVIEW_NONE (-1)
/* id of a history entry, or PARE_PREVIEW_NONE. Emits "preview-changed" only when it differs. */
void pare_selection_set_preview (PareSelection *self, gint64 entry);
gint64 pare_selection_get_preview (PareSelection *self);

/* ids of history entries, copied, in the given order; n == 0: none. Emits "entries-changed" only when they differ. */
void pare_selection_set_entries (PareSelection *self, const gint64 *ids, guint n);
const gint64 *pare_selection_get_entries (PareSelection *self, guint *n); /* borrowed */
gboolean pare_selection_has_entry (PareSelection *self, gint64 id);

/* Layers that could not take the last edit, of how many it was meant for; copied, NULL: none. Emits "skipped-changed". A change of the
 * selection forgets them. */
void pare_selection_set_skipped (PareSelection *self, const char *const *layers, guint of);
const char *const *pare_selection_get_skipped (PareSelection *self, guint *of); /* borrowed, NULL-terminated, never NULL */
