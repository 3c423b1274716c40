/* CSV: RFC 4180, with \n, \r\n or \r between records. */
#include "engine/dataset/pare-csv.h"
#include "engine/base/pare-error.h"
#include "engine/base/pare-file.h"

#include <string.h>

static void
row_free (gpointer data)
{
  g_strfreev (((PareCsvRow *)data)->fields);
  g_free (data);
}

GPtrArray *
pare_csv_parse (const char *text, gsize length, const char *name, GError **error)
{
  if (memchr (text, '\0', length) != NULL)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: not a CSV file (it holds NUL bytes)", name);
      return NULL;
    }
  if (length >= 3 && memcmp (text, "\xef\xbb\xbf", 3) == 0)
    {
      text += 3;
      length -= 3;
    }
  g_autoptr (GPtrArray) table = g_ptr_array_new_with_free_func (row_free);
  const char *p = text, *end = text + length;
  guint line = 1;
  g_autoptr (GString) field = g_string_new (NULL);
  while (p < end)
    {
      g_autoptr (GStrvBuilder) fields = g_strv_builder_new ();
      guint start = line, n = 0;
      gboolean open = TRUE, quoted_any = FALSE;
      while (open)
        {
          g_string_truncate (field, 0);
          if (p < end && *p == '"')
            {
              quoted_any = TRUE;
              for (p++; p < end && !(*p == '"' && !(p + 1 < end && p[1] == '"')); p++)
                {
                  line += *p == '\n';
                  g_string_append_c (field, *p);
                  p += *p == '"';
                }
              if (p == end)
                {
                  g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: line %u: a quote is never closed", name, start);
                  return NULL;
                }
              p++;
            }
          const char *from = p;
          while (p < end && *p != ',' && *p != '\n' && *p != '\r')
            p++;
          g_string_append_len (field, from, p - from);
          g_strv_builder_add (fields, field->str);
          n++;
          open = p < end && *p == ',';
          p += open;
        }
      if (p < end && *p == '\r')
        p++;
      if (p < end && *p == '\n')
        p++;
      line++;
      if (n == 1 && field->len == 0 && !quoted_any)
        continue;
      PareCsvRow *row = g_new0 (PareCsvRow, 1);
      row->line = start;
      row->n_fields = n;
      row->fields = g_strv_builder_end (fields);
      g_ptr_array_add (table, row);
    }
  return g_steal_pointer (&table);
}

GPtrArray *
pare_csv_load (const char *path, GError **error)
{
  gsize length;
  g_autofree char *text = pare_file_load (path, &length, PARE_ERROR_DATA, error);
  if (text == NULL)
    return NULL;
  return pare_csv_parse (text, length, path, error);
}
