#pragma once
#include <glib-object.h>

/* The one selection: layer names, shared by table, graph, inspector and charts. Signal "changed". */
#define PARE_TYPE_SELECTION (pare_selection_get_type ())
G_DECLARE_FINAL_TYPE (PareSelection, pare_selection, PARE, SELECTION, GObject)

PareSelection *pare_selection_new (void);
/* layers: NULL-terminated, copied. Emits "changed" only when it differs. */
void pare_selection_set (PareSelection *self, const char *const *layers);
const char *const *pare_selection_get (PareSelection *self); /* borrowed, NULL-terminated, never NULL */
guint pare_selection_get_n (PareSelection *self);
