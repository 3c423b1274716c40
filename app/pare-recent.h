#pragma once
#include <glib.h>

/* Recent projects, newest first: a key file in the user's data folder. */
typedef struct
{
  char *path, *title, *detail, *when; /* detail: model, data and the last figures; when: two lines for people */
  gboolean missing;
} PareRecent;

GPtrArray *pare_recent_list (guint most); /* (element-type PareRecent), frees its elements */
void pare_recent_add (const char *path, const char *title, const char *detail);
