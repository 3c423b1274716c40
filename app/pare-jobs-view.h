#pragma once
#include "engine/project/pare-session.h"
#include <adwaita.h>

/* What runs and what waits, each with progress, time and Stop; and the messages that came. */
#define PARE_TYPE_JOBS_VIEW (pare_jobs_view_get_type ())
G_DECLARE_FINAL_TYPE (PareJobsView, pare_jobs_view, PARE, JOBS_VIEW, GtkWidget)

GtkWidget *pare_jobs_view_new (PareSession *session);
/* What the job does, in the user's language: the engine speaks English. (transfer full) */
char *pare_jobs_dup_name (const PareJobInfo *job);
