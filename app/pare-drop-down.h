#pragma once
#include <gtk/gtk.h>

/* A dense drop-down of translated strings whose inner button has a name too: in GTK 4.8 it has none of its own. */
GtkWidget *pare_drop_down_new (const char *const *strings, const char *name);
