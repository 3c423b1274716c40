#pragma once
#include "app/pare-selection.h"

/* The pointer rests on a recipe of the history (id), or on none (-1): after 80 ms of rest the selection's preview is that recipe; back to
 * none at once. */
void pare_preview_rest (PareSelection *selection, gint64 entry);
