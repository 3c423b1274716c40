/* The projects that nobody named: files that opening a model makes in the user's data folder, so that work is safe before it has a name.
 * Any thread. */
#pragma once
#include "engine/project/pare-store.h"

/* Projects that nobody changed and nobody opened for so long are removed when another is made. */
#define PARE_PROJECTS_KEEP_DAYS 90

/* Made where it is not there. (transfer full) */
char *pare_projects_folder (void);
/* The n-th name for a project of that model. (transfer full) */
char *pare_projects_path (const char *model_name, guint n);

typedef struct
{
  char *path;
  PareStorePeek peek;
} PareProjectFile;
/* Those made from the model of that name at that path (canonical), newest edit first. (element-type PareProjectFile), frees its elements.
 */
GPtrArray *pare_projects_find (const char *model_name, const char *model_path);
/* Removes those that hold nothing of a person's, whose model is still where it was, and that were not opened for PARE_PROJECTS_KEEP_DAYS
 * before `now` (unix seconds). Whatever cannot be read, is open, or is in doubt, stays. Returns how many went. */
guint pare_projects_tidy (gint64 now);
