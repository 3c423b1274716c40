#pragma once
#include <adwaita.h>

/* First run: open or drop, the sample, recent projects. Actions go to the window ("win.open", "win.open-sample", "win.open-recent"). */
#define PARE_TYPE_WELCOME_PAGE (pare_welcome_page_get_type ())
G_DECLARE_FINAL_TYPE (PareWelcomePage, pare_welcome_page, PARE, WELCOME_PAGE, GtkWidget)

GtkWidget *pare_welcome_page_new (void);
void pare_welcome_page_refresh (PareWelcomePage *self); /* reads the list of recent projects again */
void pare_welcome_page_set_drop (PareWelcomePage *self, gboolean over, const char *name /* nullable */);
