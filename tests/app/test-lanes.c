#include "app/pare-history-lanes.h"

/* 1 - 2 - 3 (given up), 2 - 4 - 5 (current); rows are newest first: 5 4 3 2 1. */
static void
test_branch (void)
{
  const gint64 ids[5] = { 1, 2, 3, 4, 5 }, parents[5] = { 0, 1, 2, 2, 4 };
  g_autofree PareLaneRow *rows = pare_history_lanes (ids, parents, 5, 5);
  g_assert_cmpuint (rows[0].lane, ==, 0);
  g_assert_cmpuint (rows[1].lane, ==, 0);
  g_assert_cmpuint (rows[2].lane, ==, 1); /* the one given up */
  g_assert_cmpuint (rows[3].lane, ==, 0);
  g_assert_cmpuint (rows[4].lane, ==, 0);
  g_assert_cmphex (rows[2].through, ==, 1); /* 4's line to 2 passes 3 */
  g_assert_cmphex (rows[3].above, ==, 3);   /* both branches end in 2 */
  g_assert_false (rows[4].below);
  g_assert_true (rows[0].below);
}

static void
test_unknown_parent (void)
{
  const gint64 ids[2] = { 7, 9 }, parents[2] = { 3, 7 };
  g_autofree PareLaneRow *rows = pare_history_lanes (ids, parents, 2, 0);
  g_assert_false (rows[1].below);
  g_assert_cmpuint (rows[0].lane, <, 4);
  g_autofree PareLaneRow *none = pare_history_lanes (NULL, NULL, 0, 0);
  g_assert_nonnull (none);
}

static void
test_deep (void)
{
  gint64 ids[100], parents[100];
  for (int i = 0; i < 100; i++) /* every point branches from the one before */
    {
      ids[i] = i + 1;
      parents[i] = i / 2;
    }
  g_autofree PareLaneRow *rows = pare_history_lanes (ids, parents, 100, 100);
  for (int i = 0; i < 100; i++)
    g_assert_cmpuint (rows[i].lane, <, 4);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/history/branch", test_branch);
  g_test_add_func ("/history/unknown-parent", test_unknown_parent);
  g_test_add_func ("/history/deep", test_deep);
  return g_test_run ();
}
