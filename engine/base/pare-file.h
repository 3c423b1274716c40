/* Files that are read whole. */
#pragma once
#include <glib.h>

/* Contents and length in bytes, a NUL behind them (transfer full). NULL: `code` of PARE_ERROR, the path and what the system says. */
char *pare_file_load (const char *path, gsize *length, int code, GError **error);
