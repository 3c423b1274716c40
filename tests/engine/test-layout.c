#include "engine/base/pare-error.h"
#include "engine/layout/pare-layout.h"

#include <math.h>
#include <string.h>

typedef struct
{
  GArray *nodes, *edges, *groups;
} Graph;

static Graph
graph_new (void)
{
  return (Graph){ g_array_new (FALSE, TRUE, sizeof (PareLayoutNode)), g_array_new (FALSE, TRUE, sizeof (PareLayoutEdge)),
                  g_array_new (FALSE, TRUE, sizeof (PareLayoutGroup)) };
}

static void
graph_clear (Graph *g)
{
  g_array_unref (g->nodes);
  g_array_unref (g->edges);
  g_array_unref (g->groups);
}

static guint
node (Graph *g, double w, double h, gint32 parent)
{
  PareLayoutNode n = { w, h, parent };
  g_array_append_val (g->nodes, n);
  return g->nodes->len - 1;
}

static void
edge (Graph *g, guint from, guint to)
{
  PareLayoutEdge e = { from, to };
  g_array_append_val (g->edges, e);
}

static gint32
group (Graph *g, gint32 parent)
{
  PareLayoutGroup x = { parent, 22, 13 };
  g_array_append_val (g->groups, x);
  return (gint32)g->groups->len - 1;
}

static PareLayout *
compute (const Graph *g, PareControl *control, GError **error)
{
  PareLayoutInput in = { (const PareLayoutNode *)(void *)g->nodes->data,
                         g->nodes->len,
                         (const PareLayoutEdge *)(void *)g->edges->data,
                         g->edges->len,
                         (const PareLayoutGroup *)(void *)g->groups->data,
                         g->groups->len,
                         34,
                         24 };
  return pare_layout_compute (&in, control, error);
}

static gboolean
overlap (const PareLayoutRect *a, const PareLayoutRect *b)
{
  return a->x < b->x + b->width - 0.01 && b->x < a->x + a->width - 0.01 && a->y < b->y + b->height - 0.01 && b->y < a->y + a->height - 0.01;
}

static gboolean
inside (const PareLayoutRect *in, const PareLayoutRect *out)
{
  return in->x >= out->x - 0.01 && in->y >= out->y - 0.01 && in->x + in->width <= out->x + out->width + 0.01
         && in->y + in->height <= out->y + out->height + 0.01;
}

static gboolean
on_border (const PareLayoutRect *r, double x, double y)
{
  gboolean within = x >= r->x - 0.6 && x <= r->x + r->width + 0.6 && y >= r->y - 0.6 && y <= r->y + r->height + 0.6;
  gboolean edge = fabs (x - r->x) < 0.6 || fabs (x - r->x - r->width) < 0.6 || fabs (y - r->y) < 0.6 || fabs (y - r->y - r->height) < 0.6;
  return within && edge;
}

/* Everything that must hold for any drawing. `all_pairs`: also what takes quadratic time. */
static void
check (const Graph *g, const PareLayout *l, gboolean all_pairs)
{
  g_assert_nonnull (l);
  g_assert_cmpuint (l->n_nodes, ==, g->nodes->len);
  g_assert_cmpuint (l->n_edges, ==, g->edges->len);
  PareLayoutRect whole = { 0, 0, l->width, l->height };
  for (guint i = 0; i < l->n_nodes; i++)
    {
      const PareLayoutNode *n = &g_array_index (g->nodes, PareLayoutNode, i);
      g_assert_cmpfloat_with_epsilon (l->nodes[i].width, n->width, 1e-9);
      g_assert_true (inside (&l->nodes[i], n->parent < 0 ? &whole : &l->groups[n->parent]));
      if (n->parent >= 0)
        g_assert_cmpfloat (l->nodes[i].y, >=, l->groups[n->parent].y + 22);
      for (guint j = 0; j < i && all_pairs; j++)
        g_assert_false (overlap (&l->nodes[i], &l->nodes[j]));
    }
  for (guint k = 0; k < l->n_groups && all_pairs; k++)
    for (guint i = 0; i < l->n_nodes; i++)
      {
        gint32 p = g_array_index (g->nodes, PareLayoutNode, i).parent;
        while (p >= 0 && p != (gint32)k)
          p = g_array_index (g->groups, PareLayoutGroup, p).parent;
        if (p < 0) /* a stranger stays outside */
          g_assert_false (overlap (&l->nodes[i], &l->groups[k]));
      }
  double length = 0;
  for (guint e = 0; e < l->n_edges; e++)
    {
      const PareLayoutEdge *x = &g_array_index (g->edges, PareLayoutEdge, e);
      guint n = l->edges[e].n;
      const double *p = l->points + 2 * l->edges[e].first;
      g_assert_cmpuint (n, >=, 2);
      g_assert_true (on_border (&l->nodes[x->from], p[0], p[1]));
      g_assert_true (on_border (&l->nodes[x->to], p[2 * n - 2], p[2 * n - 1]));
      for (guint i = 1; i < n; i++)
        {
          double dx = fabs (p[2 * i] - p[2 * i - 2]), dy = fabs (p[2 * i + 1] - p[2 * i - 1]);
          g_assert_true (dx < 0.8 || dy < 0.8); /* right angles */
          length += hypot (dx, dy);
        }
    }
  g_assert_cmpfloat_with_epsilon (length, l->edge_length, 1e-6 * length + 1e-6);
}

/* A line must not run through a node that is not its own. */
static guint
count_through (const Graph *g, const PareLayout *l)
{
  guint bad = 0;
  for (guint e = 0; e < l->n_edges; e++)
    for (guint i = 1; i < l->edges[e].n; i++)
      {
        const double *p = l->points + 2 * (l->edges[e].first + i - 1);
        PareLayoutRect line = { MIN (p[0], p[2]), MIN (p[1], p[3]), MAX (fabs (p[2] - p[0]), 0.1), MAX (fabs (p[3] - p[1]), 0.1) };
        for (guint v = 0; v < l->n_nodes; v++)
          {
            const PareLayoutEdge *x = &g_array_index (g->edges, PareLayoutEdge, e);
            bad += v != x->from && v != x->to && overlap (&line, &l->nodes[v]);
          }
      }
  return bad;
}

static void
check_downward (const Graph *g, const PareLayout *l)
{
  for (guint e = 0; e < l->n_edges; e++)
    {
      const PareLayoutEdge *x = &g_array_index (g->edges, PareLayoutEdge, e);
      g_assert_cmpfloat (l->nodes[x->from].y + l->nodes[x->from].height, <=, l->nodes[x->to].y);
    }
}

/* Residual blocks in groups, stages around them: `blocks` per stage, the first of a later stage with a convolution on its shortcut. */
static Graph
resnet (guint stages, guint blocks, gboolean grouped)
{
  Graph g = graph_new ();
  guint last = node (&g, 220, 50, -1);
  for (guint s = 0; s < stages; s++)
    {
      gint32 stage = grouped ? group (&g, -1) : -1;
      for (guint b = 0; b < blocks; b++)
        {
          gint32 block = grouped ? group (&g, stage) : -1;
          guint c1 = node (&g, 220, 50, block), c2 = node (&g, 220, 50, block), add = node (&g, 88, 24, block);
          edge (&g, last, c1);
          edge (&g, c1, c2);
          edge (&g, c2, add);
          if (s > 0 && b == 0)
            {
              guint d = node (&g, 220, 50, block);
              edge (&g, last, d);
              edge (&g, d, add);
            }
          else
            edge (&g, last, add);
          last = add;
        }
    }
  guint pool = node (&g, 88, 24, -1), fc = node (&g, 220, 50, -1);
  edge (&g, last, pool);
  edge (&g, pool, fc);
  return g;
}

static void
test_small (void)
{
  Graph g = graph_new ();
  g_autoptr (PareLayout) none = compute (&g, NULL, NULL);
  check (&g, none, TRUE);
  node (&g, 10, 10, -1);
  node (&g, 30, 20, -1);
  g_autoptr (PareLayout) apart = compute (&g, NULL, NULL);
  check (&g, apart, TRUE);
  edge (&g, 0, 1);
  edge (&g, 0, 1); /* twice the same is fine */
  g_autoptr (PareLayout) l = compute (&g, NULL, NULL);
  check (&g, l, TRUE);
  check_downward (&g, l);
  g_assert_cmpfloat_with_epsilon (l->nodes[0].x + 5, l->nodes[1].x + 15, 1e-9); /* straight */
  g_assert_cmpfloat_with_epsilon (l->nodes[1].y - l->nodes[0].y - 10, 34, 1e-9);
  g_assert_cmpuint (l->edges[0].n, ==, 2);
  graph_clear (&g);
}

static void
test_resnet (gconstpointer data)
{
  gboolean grouped = GPOINTER_TO_INT (data);
  Graph g = resnet (3, 9, grouped);
  gint64 start = g_get_monotonic_time ();
  g_autoptr (PareLayout) l = compute (&g, NULL, NULL);
  gint64 took = g_get_monotonic_time () - start;
  check (&g, l, TRUE);
  check_downward (&g, l);
  g_assert_cmpuint (l->crossings, ==, 0);
  g_assert_cmpuint (count_through (&g, l), ==, 0);
  g_test_message ("resnet56 %s: %u nodes, %.1f ms, %.0f x %.0f, edges %.0f", grouped ? "grouped" : "flat", l->n_nodes, took / 1e3, l->width,
                  l->height, l->edge_length);
  g_assert_cmpint (took, <, 100000 * (g_test_slow () ? 20 : 10)); /* 100 ms on an idle machine; room for a busy one */
  /* the main chain is one straight line, skips run beside it: all adds and convolutions but those on shortcuts share their centre */
  guint off = 0;
  double x = l->nodes[0].x + l->nodes[0].width / 2;
  for (guint i = 0; i < l->n_nodes; i++)
    off += fabs (l->nodes[i].x + l->nodes[i].width / 2 - x) > 0.5;
  g_assert_cmpuint (off, ==, 2);
  graph_clear (&g);
}

/* One mask read by every block: its chain must not be drawn once for each reader. */
static void
test_fan_out (void)
{
  Graph g = graph_new ();
  guint mask = node (&g, 88, 24, -1), last = node (&g, 220, 50, -1), n = 400;
  for (guint b = 0; b < n; b++)
    {
      guint mul = node (&g, 220, 50, -1), add = node (&g, 88, 24, -1);
      edge (&g, last, mul);
      edge (&g, mul, add);
      edge (&g, mask, add);
      last = add;
    }
  gint64 start = g_get_monotonic_time ();
  g_autoptr (PareLayout) l = compute (&g, NULL, NULL);
  g_test_message ("mask over %u blocks: %.0f ms", n, (g_get_monotonic_time () - start) / 1e3);
  check (&g, l, TRUE);
  check_downward (&g, l);
  g_assert_cmpuint (l->crossings, ==, 0);
  g_assert_cmpfloat (l->width, <, 600); /* one column beside the chain, not 400 */
  graph_clear (&g);
}

static void
test_cycle (void)
{
  Graph g = graph_new ();
  for (int i = 0; i < 5; i++)
    node (&g, 40, 20, -1);
  for (guint i = 0; i < 5; i++)
    edge (&g, i, (i + 1) % 5);
  edge (&g, 2, 2);
  edge (&g, 3, 1);
  g_autoptr (PareLayout) l = compute (&g, NULL, NULL);
  check (&g, l, TRUE);
  guint up = 0;
  for (guint e = 0; e < l->n_edges; e++)
    up += l->nodes[g_array_index (g.edges, PareLayoutEdge, e).from].y >= l->nodes[g_array_index (g.edges, PareLayoutEdge, e).to].y;
  g_assert_cmpuint (up, ==, 3); /* 4 -> 0, 3 -> 1 and the loop */
  graph_clear (&g);
}

/* Random acyclic graphs with random nested groups, some of which cannot be drawn as convex boxes: nothing may overlap or get lost. */
static void
test_random (void)
{
  for (guint seed = 0; seed < 60; seed++)
    {
      g_autoptr (GRand) r = g_rand_new_with_seed (seed);
      Graph g = graph_new ();
      guint n = (guint)g_rand_int_range (r, 1, 60), n_groups = (guint)g_rand_int_range (r, 0, 8);
      for (guint i = 0; i < n_groups; i++)
        group (&g, g_rand_int_range (r, -1, (gint32)i));
      for (guint i = 0; i < n; i++)
        node (&g, g_rand_double_range (r, 5, 220), g_rand_double_range (r, 5, 80),
              n_groups == 0 ? -1 : g_rand_int_range (r, -1, (gint32)n_groups));
      guint m = (guint)g_rand_int_range (r, 0, (gint32)(2 * n));
      for (guint i = 0; i < m; i++)
        {
          guint a = (guint)g_rand_int_range (r, 0, (gint32)n), b = (guint)g_rand_int_range (r, 0, (gint32)n);
          edge (&g, MIN (a, b), MAX (a, b));
        }
      g_autoptr (GError) error = NULL;
      g_autoptr (PareLayout) l = compute (&g, NULL, &error);
      g_assert_no_error (error);
      check (&g, l, TRUE);
      if (n_groups == 0)
        g_assert_cmpuint (count_through (&g, l), ==, 0);
      g_autoptr (PareLayout) again = compute (&g, NULL, NULL);
      g_assert_cmpmem (l->nodes, sizeof *l->nodes * l->n_nodes, again->nodes, sizeof *again->nodes * again->n_nodes);
      guint last = l->n_edges == 0 ? 0 : l->edges[l->n_edges - 1].first + l->edges[l->n_edges - 1].n;
      if (last > 0)
        g_assert_cmpmem (l->points, last * 16, again->points, last * 16);
      graph_clear (&g);
    }
}

static void
test_crossing_reduction (void)
{
  /* two trees given in an order that crosses everywhere; a drawing without crossings exists */
  Graph g = graph_new ();
  for (int i = 0; i < 2 + 8; i++)
    node (&g, 40, 20, -1);
  for (guint i = 0; i < 8; i++)
    edge (&g, i & 1, 2 + i);
  guint sink[2] = { node (&g, 40, 20, -1), node (&g, 40, 20, -1) };
  for (guint i = 0; i < 8; i++)
    edge (&g, 2 + i, sink[~i & 1]);
  g_autoptr (PareLayout) l = compute (&g, NULL, NULL);
  check (&g, l, TRUE);
  g_assert_cmpuint (l->crossings, ==, 0);
  graph_clear (&g);

  /* K(3,3) in two ranks: nine is the least */
  g = graph_new ();
  for (int i = 0; i < 6; i++)
    node (&g, 40, 20, -1);
  for (guint i = 0; i < 9; i++)
    edge (&g, i / 3, 3 + i % 3);
  g_autoptr (PareLayout) k = compute (&g, NULL, NULL);
  g_assert_cmpuint (k->crossings, ==, 9);
  graph_clear (&g);
}

/* 10,000 nodes, flat: blocks of 50 with a mask for each, as a transformer has. */
static void
test_large (void)
{
  Graph g = graph_new ();
  guint mask = node (&g, 88, 24, -1), last = node (&g, 220, 50, -1);
  while (g.nodes->len < 10000)
    {
      guint q[3], in = last;
      for (int i = 0; i < 6; i++)
        {
          guint v = node (&g, 220, 50, -1);
          edge (&g, last, v);
          last = v;
        }
      for (int k = 0; k < 3; k++)
        {
          q[k] = node (&g, 220, 50, -1);
          edge (&g, last, q[k]);
          for (int i = 0; i < 4; i++)
            {
              guint v = node (&g, 220, 50, -1);
              edge (&g, q[k], v);
              q[k] = v;
            }
        }
      guint s = node (&g, 220, 50, -1), m = node (&g, 88, 24, -1), p = node (&g, 220, 50, -1), add = node (&g, 88, 24, -1);
      edge (&g, q[0], s);
      edge (&g, q[1], s);
      edge (&g, s, m);
      edge (&g, mask, m);
      edge (&g, m, p);
      edge (&g, q[2], p);
      edge (&g, p, add);
      edge (&g, in, add);
      last = add;
    }
  gint64 start = g_get_monotonic_time ();
  g_autoptr (PareLayout) l = compute (&g, NULL, NULL);
  gint64 took = g_get_monotonic_time () - start;
  g_test_message ("%u nodes flat: %.0f ms, %u crossings, %.0f x %.0f", l->n_nodes, took / 1e3, l->crossings, l->width, l->height);
  check (&g, l, FALSE);
  check_downward (&g, l);
  g_assert_cmpint (took, <, 60 * G_USEC_PER_SEC);
  graph_clear (&g);
}

static gpointer
cancel_soon (gpointer control)
{
  g_usleep (20000);
  pare_control_cancel (control);
  return NULL;
}

static void
test_cancel (void)
{
  Graph g = resnet (30, 100, FALSE);
  g_autoptr (PareControl) control = pare_control_new (NULL, NULL);
  GThread *thread = g_thread_new ("cancel", cancel_soon, control);
  g_autoptr (GError) error = NULL;
  PareLayout *l;
  while ((l = compute (&g, control, &error)) != NULL) /* a very fast machine may finish once */
    pare_layout_free (l);
  g_assert_error (error, PARE_ERROR, PARE_ERROR_CANCELLED);
  g_thread_join (thread);
  graph_clear (&g);
}

static void
expect_refused (const Graph *g, const char *why)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (compute (g, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_FORMAT);
  g_assert_nonnull (strstr (error->message, why));
}

static void
test_refused (void)
{
  Graph g = graph_new ();
  node (&g, 10, 10, -1);
  edge (&g, 0, 1);
  expect_refused (&g, "edge with an end");
  g_array_index (g.edges, PareLayoutEdge, 0).to = 0;
  g_array_index (g.nodes, PareLayoutNode, 0).parent = 0;
  expect_refused (&g, "group that is not there");
  g_array_index (g.nodes, PareLayoutNode, 0).parent = -1;
  g_array_index (g.nodes, PareLayoutNode, 0).width = NAN;
  expect_refused (&g, "size");
  g_array_index (g.nodes, PareLayoutNode, 0).width = 10;
  group (&g, 1);
  group (&g, 0);
  expect_refused (&g, "contains itself");
  graph_clear (&g);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/layout/small", test_small);
  g_test_add_data_func ("/layout/resnet56/flat", GINT_TO_POINTER (FALSE), test_resnet);
  g_test_add_data_func ("/layout/resnet56/grouped", GINT_TO_POINTER (TRUE), test_resnet);
  g_test_add_func ("/layout/fan-out", test_fan_out);
  g_test_add_func ("/layout/cycle", test_cycle);
  g_test_add_func ("/layout/random", test_random);
  g_test_add_func ("/layout/crossing-reduction", test_crossing_reduction);
  g_test_add_func ("/layout/large", test_large);
  g_test_add_func ("/layout/cancel", test_cancel);
  g_test_add_func ("/layout/refused", test_refused);
  return g_test_run ();
}
