/* Loops on many threads: each turn once, each worker a number and CPUs of its own; and a thread that is to be run promptly. */
#include "engine/base/pare-control.h"
#include "engine/base/pare-thread.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static gboolean
count_one (guint i, int worker, gpointer data)
{
  g_atomic_int_add ((int *)data + i, 1);
  return TRUE;
}

static void
test_once (void)
{
  for (int threads = 1; threads <= 300; threads = threads * 4 + 1) /* more than there are CPUs, too */
    {
      int seen[1000] = { 0 };
      g_assert_true (pare_parallel_for (1000, threads, count_one, seen));
      for (int i = 0; i < 1000; i++)
        g_assert_cmpint (seen[i], ==, 1);
    }
  g_assert_true (pare_parallel_for (0, 4, count_one, NULL));
}

typedef struct
{
  int seen[1000], longest, ranges; /* atomic */
} Ranges;

static gboolean
count_range (guint first, guint count, int worker, gpointer data)
{
  Ranges *r = data;
  for (guint i = first; i < first + count; i++)
    g_atomic_int_inc (&r->seen[i]);
  for (int before = g_atomic_int_get (&r->longest); (int)count > before; before = g_atomic_int_get (&r->longest))
    g_atomic_int_compare_and_exchange (&r->longest, before, (int)count);
  g_atomic_int_inc (&r->ranges);
  if (first + count == 1000)
    g_assert_cmpuint (count, ==, 1); /* nobody waits long for the last */
  return TRUE;
}

static void
test_ranges (void)
{
  for (int threads = 1; threads <= 300; threads = threads * 4 + 1)
    {
      Ranges r = { .longest = 0 };
      g_assert_true (pare_parallel_ranges (1000, 16, threads, count_range, &r));
      for (int i = 0; i < 1000; i++)
        g_assert_cmpint (r.seen[i], ==, 1);
      g_assert_cmpint (r.longest, ==, MIN (16, MAX (1, 1000 / (8 * threads))));
      g_assert_cmpint (r.ranges, <=, threads < 10 ? 400 : 1000);
    }
  Ranges none = { .longest = 0 };
  g_assert_true (pare_parallel_ranges (0, 16, 4, count_range, &none));
  g_assert_cmpint (none.ranges, ==, 0);
}

static gboolean
refuse_tenth (guint i, int worker, gpointer data)
{
  g_atomic_int_inc ((int *)data);
  if (i > 10)
    g_usleep (100); /* long enough for the others to hear of it */
  return i != 10;
}

static void
test_stop (void)
{
  int called = 0;
  g_assert_false (pare_parallel_for (100000, 4, refuse_tenth, &called));
  g_assert_cmpint (called, >=, 11);
  g_assert_cmpint (called, <, 100000);
}

typedef struct
{
  int workers, arrived; /* atomic */
  cpu_set_t cpus[64];   /* of each worker */
} Places;

/* Every worker has one turn: each waits until all are there. */
static gboolean
note_place (guint i, int worker, gpointer data)
{
  Places *p = data;
  g_assert_cmpint (worker, <, p->workers);
  sched_getaffinity (0, sizeof p->cpus[worker], &p->cpus[worker]);
  g_atomic_int_inc (&p->arrived);
  while (g_atomic_int_get (&p->arrived) < p->workers)
    g_usleep (100);
  return TRUE;
}

static void
test_places (void)
{
  cpu_set_t before, after, all;
  sched_getaffinity (0, sizeof before, &before);
  for (int workers = 1; workers <= MIN (CPU_COUNT (&before), 64); workers++)
    {
      Places p = { .workers = workers };
      int sum = 0;
      CPU_ZERO (&all);
      g_assert_true (pare_parallel_for ((guint)workers, workers, note_place, &p));
      for (int i = 0; i < workers; i++)
        {
          g_assert_cmpint (CPU_COUNT (&p.cpus[i]), >, 0);
          sum += CPU_COUNT (&p.cpus[i]);
          CPU_OR (&all, &all, &p.cpus[i]);
        }
      /* nobody's is another's, and none is left out */
      g_assert_true (CPU_EQUAL (&all, &before));
      g_assert_cmpint (sum, ==, CPU_COUNT (&before));
    }
  sched_getaffinity (0, sizeof after, &after);
  g_assert_true (CPU_EQUAL (&before, &after));
}

static gpointer
check_ordinary (gpointer data)
{
  g_assert_cmpint (sched_getscheduler (0), ==, SCHED_OTHER);
  g_assert_cmpint (getpriority (PRIO_PROCESS, 0), ==, GPOINTER_TO_INT (data));
  return NULL;
}

/* It stays an ordinary thread of its priority, and those that it starts take nothing over. */
static gpointer
be_prompt (gpointer data)
{
  pare_thread_be_prompt ();
  g_assert_cmpint (sched_getscheduler (0) & ~SCHED_RESET_ON_FORK, ==, SCHED_OTHER);
  g_assert_cmpint (getpriority (PRIO_PROCESS, 0), ==, GPOINTER_TO_INT (data));
  g_thread_join (g_thread_new ("child", check_ordinary, data));
  return NULL;
}

static void
test_prompt (void)
{
  int nice = getpriority (PRIO_PROCESS, 0);
  if (sched_getscheduler (0) != SCHED_OTHER || nice < 0)
    {
      g_test_skip ("the test itself is scheduled in a special way");
      return;
    }
  g_thread_join (g_thread_new ("prompt", be_prompt, GINT_TO_POINTER (nice)));
}

static void
do_one (gpointer data)
{
  g_usleep (200);
  g_assert_cmpint (getpriority (PRIO_PROCESS, 0), ==, g_atomic_int_get ((int *)data + 1));
  g_atomic_int_inc ((int *)data);
}

/* Each has been done when it is finished, at the priority that was asked for, whichever thread did it before. */
static void
test_waiting (void)
{
  int own = getpriority (PRIO_PROCESS, 0), counts[3][2] = { { 0, own }, { 0, MIN (19, own + 8) }, { 0, MIN (19, own + 10) } };
  static const int nice[] = { 0, 8, 10 };
  for (int round = 0; round < 40; round++)
    {
      PareThread *threads[6];
      for (int i = 0; i < 6; i++)
        g_assert_nonnull (threads[i] = pare_thread_start (nice[i % 3], NULL, do_one, counts[i % 3]));
      for (int i = 0; i < 6; i++)
        pare_thread_finish (threads[(i + round) % 6]);
      for (int i = 0; i < 3; i++)
        g_assert_cmpint (counts[i][0], ==, 2 * (round + 1));
    }
}

/* A process that was forked off has threads of its own. */
static void
test_forked (void)
{
  int counts[2] = { 0, getpriority (PRIO_PROCESS, 0) }, status = 0;
  pare_thread_finish (pare_thread_start (0, NULL, do_one, counts));
  pid_t child = fork ();
  if (child == 0)
    {
      alarm (20);
      pare_thread_finish (pare_thread_start (0, NULL, do_one, counts));
      _exit (counts[0] == 2 ? 0 : 1);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);
}

typedef struct
{
  int cpu, begun; /* begun: atomic */
  cpu_set_t cpus;
} Place;

static void
note_begin (gpointer data)
{
  Place *p = data;
  p->cpu = sched_getcpu ();
  sched_getaffinity (0, sizeof p->cpus, &p->cpus);
  g_atomic_int_set (&p->begun, 1);
}

/* It begins while its starter goes on, on another CPU, and then may run on all that its starter may run on; so may a thread that is started
 * as usual and was one of these before. */
static void
test_elsewhere (void)
{
  cpu_set_t own;
  int elsewhere = 0;
  sched_getaffinity (0, sizeof own, &own);
  for (int round = 0; round < 20; round++)
    {
      Place p = { .cpu = -1 }, after = { .cpu = -1 };
      int here = sched_getcpu ();
      PareThread *thread = pare_thread_start_elsewhere (0, note_begin, &p);
      while (CPU_COUNT (&own) > 1 && !g_atomic_int_get (&p.begun))
        continue;
      elsewhere += p.cpu != here; /* the starter may have been moved before it asked */
      pare_thread_finish (thread);
      g_assert_true (CPU_EQUAL (&p.cpus, &own));
      pare_thread_finish (pare_thread_start (0, NULL, note_begin, &after));
      g_assert_true (CPU_EQUAL (&after.cpus, &own));
    }
  if (CPU_COUNT (&own) > 1)
    g_assert_cmpint (elsewhere, >, 0);
}

/* Whether a thread that was told of work gets it at once, later, or never, each piece is done once, where it may be. */
static void
test_expected (void)
{
  cpu_set_t own;
  int counts[2] = { 0, getpriority (PRIO_PROCESS, 0) };
  sched_getaffinity (0, sizeof own, &own);
  for (int round = 0; round < 60; round++)
    {
      Place p = { .cpu = -1 };
      pare_thread_expect_elsewhere (0);
      if (round % 3 == 1)
        g_usleep (100 * (round % 7)); /* it stays awake for 400 */
      if (round % 3 == 2)
        pare_thread_expect_elsewhere (0);
      if (round % 4 == 3)
        continue;
      PareThread *first = pare_thread_start_elsewhere (0, note_begin, &p), *second = pare_thread_start (0, NULL, do_one, counts);
      pare_thread_finish (first);
      pare_thread_finish (second);
      g_assert_true (p.begun == 1 && CPU_EQUAL (&p.cpus, &own));
    }
  g_assert_cmpint (counts[0], ==, 45);
}

static void
note_policy (gpointer data)
{
  ((int *)data)[0] = sched_getscheduler (0);
  ((int *)data)[1] = getpriority (PRIO_PROCESS, 0);
}

/* What gives way does not stop the thread that woke it; the others are as they were. */
static void
test_give_way (void)
{
  int before[2], after[2], below[2], beside[2];
  note_policy (before);
  PareThread *first = pare_thread_start (3, NULL, note_policy, below), *second = pare_thread_start (0, NULL, note_policy, beside);
  pare_thread_finish (first);
  pare_thread_finish (second);
  note_policy (after);
  g_assert_cmpint (below[0], ==, SCHED_BATCH);
  g_assert_cmpint (below[1], ==, MIN (19, before[1] + 3));
  if (before[1] <= 0) /* this process itself does not give way */
    g_assert_cmpint (beside[0], ==, before[0] & ~SCHED_RESET_ON_FORK);
  g_assert_cmpint (beside[1], ==, before[1]);
  g_assert_cmpmem (before, sizeof before, after, sizeof after);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/parallel/once", test_once);
  g_test_add_func ("/parallel/ranges", test_ranges);
  g_test_add_func ("/parallel/stop", test_stop);
  g_test_add_func ("/parallel/places", test_places);
  g_test_add_func ("/thread/prompt", test_prompt);
  g_test_add_func ("/thread/waiting", test_waiting);
  g_test_add_func ("/thread/elsewhere", test_elsewhere);
  g_test_add_func ("/thread/expected", test_expected);
  g_test_add_func ("/thread/give-way", test_give_way);
  g_test_add_func ("/thread/forked", test_forked);
  return g_test_run ();
}
