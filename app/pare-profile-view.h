#pragma once
#include "app/pare-selection.h"
#include "engine/project/pare-session.h"
#include <gtk/gtk.h>

/* Where the time goes: a table of each layer's time, rate and bytes, with what holds it back on this machine; the memory and threads of the
 * run above it, the sum below. Rows and the window's selection are one. */
#define PARE_TYPE_PROFILE_VIEW (pare_profile_view_get_type ())
G_DECLARE_FINAL_TYPE (PareProfileView, pare_profile_view, PARE, PROFILE_VIEW, GtkWidget)

GtkWidget *pare_profile_view_new (PareSession *session, PareSelection *selection);
/* Narrow: without the columns that the layer table has too. */
void pare_profile_view_set_narrow (PareProfileView *self, gboolean narrow);
/* The table's rows as they are shown, sorted (element-type PareProfileItem); borrowed. */
GListModel *pare_profile_view_get_rows (PareProfileView *self);
/* What is shown; NULL: nothing is measured. Borrowed. */
const PareProfile *pare_profile_view_get_profile (PareProfileView *self);
/* The whole table with tabs between, as Copy takes it: (transfer full), NULL: nothing is measured. */
char *pare_profile_view_dup_text (PareProfileView *self);
/* Writes the whole table as CSV. */
gboolean pare_profile_view_save (PareProfileView *self, const char *path, GError **error);
