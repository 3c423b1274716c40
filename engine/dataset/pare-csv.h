/* Comma separated values as spreadsheets and Python's csv write them: quotes, doubled quotes, line breaks inside quotes. */
#pragma once
#include <glib.h>

typedef struct
{
  guint line; /* where the record starts, from 1 */
  guint n_fields;
  char **fields;
} PareCsvRow;

/* (transfer full): PareCsvRow*; empty lines are left out. */
GPtrArray *pare_csv_load (const char *path, GError **error);
GPtrArray *pare_csv_parse (const char *text, gsize length, const char *name, GError **error);
