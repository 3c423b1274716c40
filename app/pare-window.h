#pragma once
#include "app/pare-application.h"
#include "engine/project/pare-session.h"

/* One window, one project. Pages, header, actions; everything it shows comes from its PareSession. */
#define PARE_TYPE_WINDOW (pare_window_get_type ())
G_DECLARE_FINAL_TYPE (PareWindow, pare_window, PARE, WINDOW, AdwApplicationWindow)

PareWindow *pare_window_new (PareApplication *application);
void pare_window_open_files (PareWindow *self, GFile **files, guint n_files); /* one after the other: a model, then its data */
void pare_window_open_sample (PareWindow *self);
PareSession *pare_window_get_session (PareWindow *self);
