/* The names in a graph and in everything that is made from it: of values, nodes, operators. Copying a graph copies none of them, and they
 * are freed together when the last of those graphs goes. Safe to use from several threads. */
#pragma once
#include <glib.h>

typedef struct _PareNames PareNames;

PareNames *pare_names_new (void);
PareNames *pare_names_ref (PareNames *self);
void pare_names_unref (PareNames *self);
/* The same text, valid as long as self; equal texts are the same pointer. NULL for NULL. */
const char *pare_names_keep (PareNames *self, const char *text);
