#pragma once
#include "engine/project/pare-session.h"
#include <gtk/gtk.h>

/* Of two recipes, layer by layer: what each gets, and what its time was with either, where that was measured on this computer.
 * (transfer floating) */
GtkWidget *pare_compare_layers_new (PareSession *session, const PareEntry *a, const PareEntry *b);

/* A line of text in a table of the compare view; css: (nullable). (transfer floating) */
GtkWidget *pare_compare_cell (const char *text, const char *css, gboolean number);
