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
  GtkWidget *trouble, *trouble_text;        /* why nothing is saved */
  GtkDropTarget *drop;
  gboolean dragging, fresh_wanted;
  char *opening_path;
  gint64 told_continued; /* that project's last edit */
  GtkWidget *drop_frame, *drop_text;        /* over the page while something is dragged */
  gboolean narrow;
  guint narrow_idle;
};

void pare_window_add_actions (PareWindow *self);
void pare_window_enable (PareWindow *self, const char *action, gboolean enabled);
void pare_window_show_page (PareWindow *self, const char *page);
void pare_window_toast (PareWindow *self, const char *text);
void pare_window_alert (PareWindow *self, const char *heading, const char *body);
void pare_window_open_path (PareWindow *self, const char *path);
/* Of a file, without its ending. (transfer full) */
char *pare_window_base_name (const char *path);

/* pare-window-open.c */
/* The bar that says why nothing is saved. */
GtkWidget *pare_window_build_trouble (PareWindow *self);
void pare_window_update_trouble (PareWindow *self);
/* `child` with what is shown while files are dragged over the window, which takes them from now on. */
GtkWidget *pare_window_add_drop (PareWindow *self, GtkWidget *child);
/* Into the list of recent projects. */
void pare_window_remember (PareWindow *self);
void pare_window_save_as (PareWindow *self, const char *path);
