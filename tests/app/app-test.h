/* What the tests of the window share: a home of their own, turning the loop until something is so, windows that open and close. */
#pragma once
#include "app/pare-window.h"

/* What is asked for comes within two minutes, or the test fails. */
#define WAIT_FOR(condition)                                                                                                                \
  G_STMT_START                                                                                                                             \
  {                                                                                                                                        \
    gint64 end_ = g_get_monotonic_time () + 120 * G_USEC_PER_SEC;                                                                          \
    while (!(condition) && g_get_monotonic_time () < end_)                                                                                 \
      app_test_turn ();                                                                                                                    \
    g_assert_true (condition);                                                                                                             \
  }                                                                                                                                        \
  G_STMT_END

/* The user's folders are new and empty ones, the sample is the build's. To be called before anything asks for them. (transfer full): the
 * folder, for app_test_end(). */
char *app_test_begin (const char *name);
/* Removes the folder, takes it. Returns: main()'s answer. */
int app_test_end (char *home, int status);
/* A model goes on with the project it has: for a test that begins without one. */
void app_test_forget_projects (void);

/* Turns the loop once; at the latest after 20 ms there is something to do. */
void app_test_turn (void);
void app_test_settle (guint ms);

/* The window is on the screen; app_test_close_window() ends the application too. */
PareWindow *app_test_open_window (PareApplication **application);
PareWindow *app_test_open_sample (PareApplication **application);
void app_test_close_window (PareWindow *window, PareApplication *application);

gboolean app_test_measured (PareSession *session);
/* The first widget of the type in `widget` and below; NULL: none. */
gpointer app_test_below (GtkWidget *widget, GType type);
