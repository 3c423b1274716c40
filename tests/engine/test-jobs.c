/* Jobs of the session: one that goes on in the thread of another. */
#include "engine/project/pare-scheduler.h"
#include "engine/base/pare-error.h"

#include <string.h>

typedef struct
{
  GString *said; /* what was answered, in that order */
  guint answers;
  guint changes; /* of what is listed */
} Owner;

/* What a job is to do, and what it has seen. */
typedef struct
{
  const char *name;
  gboolean fail, hold; /* hold: until it is cancelled */
  char *given;         /* by the one before */
  GThread *thread;
  gint begun, released; /* atomic */
} Task;

static gpointer
run (PareJob *job, PareControl *control, gpointer data, GError **error)
{
  Task *t = data;
  t->thread = g_thread_self ();
  g_atomic_int_set (&t->begun, TRUE);
  while (t->hold && !g_atomic_int_get (&t->released) && !pare_control_cancelled (control))
    g_usleep (200);
  if (t->fail)
    g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s fails", t->name);
  else if (!pare_control_check (control, error))
    return g_strdup_printf ("%s%s", t->given != NULL ? t->given : "", t->name);
  return NULL;
}

static void
pass (gconstpointer result, gpointer data)
{
  ((Task *)data)->given = g_strdup (result);
}

static void
done (PareJob *job, gpointer result, const GError *error, gpointer data)
{
  Owner *owner = data;
  owner->answers++;
  g_string_append_printf (owner->said, "%s ",
                          error == NULL                                               ? (char *)result
                          : g_error_matches (error, PARE_ERROR, PARE_ERROR_CANCELLED) ? "cancelled"
                                                                                      : error->message);
  g_free (result);
}

static void
on_changed (gpointer owner)
{
  ((Owner *)owner)->changes++;
}

static PareScheduler *
begin (Owner *owner, Task *first, Task *second)
{
  owner->said = g_string_new (NULL);
  owner->answers = owner->changes = 0;
  PareScheduler *s = pare_scheduler_new (on_changed, owner);
  PareJobSpec a = { .lane = 1, .name = "first", .quiet = TRUE, .run = run, .data = first, .result_free = g_free, .done = done }, b = a;
  b.lane = 2;
  b.name = "second";
  b.quiet = FALSE;
  b.data = second;
  g_assert_nonnull (pare_scheduler_start_both (s, &a, &b, pass));
  g_assert_nonnull (pare_scheduler_get_running (s, 1));
  g_assert_nonnull (pare_scheduler_get_running (s, 2));
  g_assert_null (pare_scheduler_start_both (s, &a, &b, pass));
  b.lane = 3;
  g_assert_null (pare_scheduler_start_both (s, &b, &a, pass));
  g_assert_null (pare_scheduler_get_running (s, 3));
  return s;
}

static void
finish (Owner *owner, PareScheduler *s, const char *said, Task *first, Task *second)
{
  while (owner->answers < 2)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (owner->said->str, ==, said);
  g_assert_null (pare_scheduler_get_running (s, 1));
  g_assert_null (pare_scheduler_get_running (s, 2));
  g_assert_cmpuint (pare_scheduler_get_n_jobs (s), ==, 0);
  pare_scheduler_free (s);
  g_string_free (owner->said, TRUE);
  g_free (first->given);
  g_free (second->given);
}

/* In the thread of the first, with what it has made, before the main thread has heard of it; listed once it has. */
static void
test_goes_on (void)
{
  Owner owner;
  Task first = { .name = "a" }, second = { .name = "b", .hold = TRUE };
  PareScheduler *s = begin (&owner, &first, &second);
  g_assert_cmpuint (pare_scheduler_get_n_jobs (s), ==, 0);
  while (!g_atomic_int_get (&second.begun))
    g_usleep (100);
  g_assert_true (first.thread == second.thread);
  g_assert_cmpstr (second.given, ==, "a");
  g_assert_cmpuint (owner.answers, ==, 0);
  while (owner.answers == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (pare_scheduler_get_n_jobs (s), ==, 1);
  g_assert_null (pare_scheduler_get_running (s, 1));
  g_atomic_int_set (&second.released, TRUE);
  finish (&owner, s, "a ab ", &first, &second);
}

/* There is nothing to go on with. */
static void
test_first_fails (void)
{
  Owner owner;
  Task first = { .name = "a", .fail = TRUE }, second = { .name = "b" };
  PareScheduler *s = begin (&owner, &first, &second);
  finish (&owner, s, "a fails cancelled ", &first, &second);
  g_assert_false (second.begun);
  g_assert_cmpuint (owner.changes, ==, 0);
}

static void
test_cancel (void)
{
  Owner owner;
  Task first = { .name = "a", .hold = TRUE }, second = { .name = "b" };
  PareScheduler *s = begin (&owner, &first, &second);
  pare_job_cancel (pare_scheduler_get_running (s, 1));
  finish (&owner, s, "cancelled cancelled ", &first, &second);
  first = (Task){ .name = "a", .hold = TRUE };
  second = (Task){ .name = "b" };
  s = begin (&owner, &first, &second);
  pare_job_cancel (pare_scheduler_get_running (s, 2)); /* the first is still wanted */
  g_atomic_int_set (&first.released, TRUE);
  finish (&owner, s, "a cancelled ", &first, &second);
}

/* Whatever has begun when it is stopped, both are waited for and answered. */
static void
test_stop (void)
{
  for (int when = 0; when < 3; when++)
    {
      Owner owner;
      Task first = { .name = "a", .hold = when == 1 }, second = { .name = "b", .hold = TRUE };
      PareScheduler *s = begin (&owner, &first, &second);
      while (when > 0 && !g_atomic_int_get (when == 1 ? &first.begun : &second.begun))
        g_usleep (100);
      pare_scheduler_stop (s);
      finish (&owner, s, "cancelled cancelled ", &first, &second);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/jobs/goes-on", test_goes_on);
  g_test_add_func ("/jobs/first-fails", test_first_fails);
  g_test_add_func ("/jobs/cancel", test_cancel);
  g_test_add_func ("/jobs/stop", test_stop);
  return g_test_run ();
}
