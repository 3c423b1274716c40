#pragma once
#include <glib.h>

/* Recent projects, newest first: a key file in the user's data folder. */
typedef struct
{
  char *path;    /* a project, or a model that nothing was done to yet */
  char *data;    /* to be opened after the model (nullable) */
  char *title, *detail;
  char *figures; /* last ones, lines for people (nullable) */
  char *when;    /* two lines for people; not to be set */
  char *missing; /* why it cannot be opened, for people; NULL: it can */
} PareRecent;

GPtrArray *pare_recent_list (guint most); /* (element-type PareRecent), frees its elements */
/* Becomes the newest. */
void pare_recent_add (const PareRecent *recent);
/* Only from the list: no file is touched. */
void pare_recent_remove (const char *path);
