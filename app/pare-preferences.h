#pragma once
#include "engine/project/pare-session.h"
#include <adwaita.h>

/* What a person sets once, for all projects: colours, threads, the samples that count, the tolerance that new projects start with,
 * animations; and where the dividers of the window stand. Kept in a file of the user's configuration folder, written at each change. */

/* Puts what is kept into effect; once, when the program starts. */
void pare_preferences_apply (void);
/* A session follows the preferences: threads are the process's; a project that says nothing of its own gets tolerance and split when it
 * opens. */
void pare_preferences_attach_session (PareSession *session);
/* The divider stands where it was left, and is remembered from now on under `key`. Not while the window is narrow, which has a form of its
 * own. */
void pare_preferences_keep_paned (GtkPaned *paned, const char *key);
/* Where it was left in the wide window; after the narrow form. FALSE: never moved. */
gboolean pare_preferences_restore_paned (GtkPaned *paned);
/* The dialog, modal to `parent`, which shows `session` (nullable). */
void pare_preferences_show (GtkWindow *parent, PareSession *session);

/* For tests: reads the file again. */
void pare_preferences_reload (void);
