#include "engine/base/pare-memory.h"

#include <string.h>

/* A line "key:   123 kB" of one of the kernel's files, in bytes. */
static guint64
kernel_says (const char *path, const char *key)
{
  g_autofree char *text = NULL;
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return 0;
  const char *line = strstr (text, key);
  return line != NULL ? g_ascii_strtoull (line + strlen (key), NULL, 10) * 1024 : 0;
}

guint64
pare_memory_available (void)
{
  guint64 bytes = kernel_says ("/proc/meminfo", "MemAvailable:");
  return bytes > 0 ? bytes : G_GUINT64_CONSTANT (4) << 30;
}

guint64
pare_memory_peak (void)
{
  return kernel_says ("/proc/self/status", "VmHWM:");
}

guint64
pare_memory_own (void)
{
  return kernel_says ("/proc/self/status", "RssAnon:");
}

char *
pare_memory_text (guint64 bytes)
{
  return bytes >= G_GUINT64_CONSTANT (1) << 30   ? g_strdup_printf ("%.1f GiB", bytes / 1073741824.0)
         : bytes >= G_GUINT64_CONSTANT (1) << 20 ? g_strdup_printf ("%.1f MiB", bytes / 1048576.0)
         : bytes >= 1024                         ? g_strdup_printf ("%.1f KiB", bytes / 1024.0)
                                                 : g_strdup_printf ("%" G_GUINT64_FORMAT " bytes", bytes);
}
