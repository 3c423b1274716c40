/* Shared by pare-window.c and pare-window-actions.c only. */
#pragma once
#include "app/pare-edit-page.h"
#include "app/pare-explore-page.h"
#include "app/pare-selection.h"
#include "app/pare-welcome-page.h"
#include "app/pare-window.h"

struct _PareWindow
{
  AdwApplicationWindow parent_instance;
  PareSession *session;
  PareSelection *selection;
  PareWelcomePage *welcome;
  PareEditPage *edit;
  PareExplorePage *explore;
  GtkStack *stack;
  AdwToastOverlay *toasts;
  AdwWindowTitle *title;
  AdwButtonContent *open_content;
  GtkWidget *undo_box, *undo, *redo, *pages, *side, *job;
  GPtrArray *wide_labels; /* hidden when narrow */
  GQueue to_open;         /* paths */
  gboolean opening; /* one file at a time: the others wait in to_open */
  gboolean narrow;
  guint narrow_idle;
};

void pare_window_add_actions (PareWindow *self);
void pare_window_enable (PareWindow *self, const char *action, gboolean enabled);
void pare_window_show_page (PareWindow *self, const char *page);
void pare_window_toast (PareWindow *self, const char *text);
void pare_window_alert (PareWindow *self, const char *heading, const char *body);
void pare_window_open_path (PareWindow *self, const char *path);
