/* What copies of a graph share, and what they do not. */
#include "tests/engine/make-graph.h"

/* A copy has the names and attributes of what it was made from, whatever becomes of either. */
static void
test_copy (void)
{
  PareGraph *g = make_graph (17);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (2, (gint64)3, (gint64)4)), y = MAKE (g, "Softmax", "soft", x);
  pare_node_set_int (node_of (g, y), "axis", 1);
  pare_node_set_ints (node_of (g, y), "list", (gint64[]){ 1, 2, 3 }, 3);
  pare_node_set_string (node_of (g, y), "text", "as it was");
  make_output (g, y);
  pare_graph_name_layers (g);
  g_autoptr (PareGraph) a = pare_graph_copy (g), b = pare_graph_copy (a);
  pare_node_set_int (node_of (a, y), "axis", 2);
  pare_node_unset (node_of (a, y), "list");
  pare_node_set_float (node_of (a, y), "more", 0.5f);
  node_of (a, y)->layer = pare_graph_keep_name (a, "renamed");
  g_assert_cmpint (pare_node_get_int (node_of (g, y), "axis", 0), ==, 1);
  g_assert_cmpuint (node_of (g, y)->n_attrs, ==, 3);
  pare_graph_unref (g);
  guint n;
  g_assert_cmpint (pare_node_get_int (node_of (b, y), "axis", 0), ==, 1);
  g_assert_cmpint (pare_node_get_ints (node_of (b, y), "list", &n)[2], ==, 3);
  g_autofree char *text = pare_node_dup_string (node_of (b, y), "text"), *same = pare_node_dup_string (node_of (a, y), "text");
  g_assert_cmpstr (text, ==, "as it was");
  g_assert_cmpstr (same, ==, text);
  g_assert_cmpstr (node_of (b, y)->layer, ==, "soft");
  g_assert_cmpstr (node_of (a, y)->layer, ==, "renamed");
  g_assert_cmpint (pare_node_get_int (node_of (a, y), "axis", 0), ==, 2);
  g_assert_null (pare_node_get_attr (node_of (a, y), "list"));
  g_assert_cmpfloat (pare_node_get_float (node_of (a, y), "more", 0), ==, 0.5f);
  for (int i = 0; i < 9; i++) /* room is made as it is needed, after some have gone, too */
    {
      g_autofree char *name = g_strdup_printf ("n%d", i);
      pare_node_set_int (node_of (a, y), name, i);
      if (i % 3 == 0)
        pare_node_unset (node_of (a, y), name);
    }
  g_assert_cmpint (pare_node_get_int (node_of (a, y), "n8", 0), ==, 8);
  g_assert_cmpuint (node_of (a, y)->n_attrs, ==, 3 + 6);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/graph-copy/shares", test_copy);
  return g_test_run ();
}
