#pragma once
#include <glib.h>

/* Bytes that can be taken without pushing out what runs (what the kernel calls available); 4 GiB where it does not say. */
guint64 pare_memory_available (void);
/* Most memory this process has held at once, bytes: all of it, and now: what is its own (not pages of files). 0 where the kernel does not say. */
guint64 pare_memory_peak (void);
guint64 pare_memory_own (void);
/* (transfer full) "1.5 GiB", "20.0 MiB", "12 bytes". */
char *pare_memory_text (guint64 bytes);
