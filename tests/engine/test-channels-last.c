/* Networks of codes whose channels come last give what the same networks give whose channels come first, and hold no Transposes inside. */
#include "engine/base/pare-rng.h"
#include "engine/lower/pare-program.h"
#include "make-graph.h"

#define C 6
#define S 8

typedef struct
{
  PareGraph *graph;
  gboolean last; /* channels */
} Net;

static PareValueId
add (Net *net, const char *op, const char *name, guint n, const PareValueId *in, gboolean microsoft)
{
  PareValueId y = make_node (net->graph, op, name, n, in);
  PareNode *node = node_of (net->graph, y);
  if (microsoft)
    node->domain = "com.microsoft";
  return y;
}

#define ADD(net, op, name, microsoft, ...)                                                                                                 \
  add (net, op, name, G_N_ELEMENTS (((PareValueId[]){ __VA_ARGS__ })), (PareValueId[]){ __VA_ARGS__ }, microsoft)

static PareValueId
spatial (Net *net, PareValueId y, guint kernel)
{
  const gint64 sizes[2] = { kernel, kernel }, pads[4] = { 1, 1, 1, 1 };
  PareNode *node = node_of (net->graph, y);
  if (kernel > 0)
    pare_node_set_ints (node, "kernel_shape", sizes, 2);
  if (kernel == 3)
    pare_node_set_ints (node, "pads", pads, 4);
  if (net->last && strcmp (node->op, "NhwcMaxPool") != 0)
    pare_node_set_int (node, "channels_last", 1);
  return y;
}

static PareValueId
random_codes (PareGraph *g, const char *name, PareDtype dtype, PareShape shape, guint64 seed)
{
  PareRng rng = { seed };
  gint64 values[C * C * 9], n = pare_shape_count (&shape);
  g_assert_cmpint (n, <=, G_N_ELEMENTS (values));
  for (gint64 i = 0; i < n; i++)
    values[i] = (gint64)(pare_rng_next (&rng) % 200) - (dtype == PARE_DTYPE_INT8 ? 100 : 0);
  return make_typed (g, name, dtype, shape, values);
}

/* Two convolutions with a shortcut around the second, the three pools, both ways joined. Reads and writes channels first. */
static PareGraph *
make (gboolean last)
{
  static const gint64 to_last[] = { 0, 2, 3, 1 }, to_first[] = { 0, 3, 1, 2 };
  Net net = { make_graph (17), last };
  PareGraph *g = net.graph;
  const float scale = 0.05f, small = 0.004f;
  PareShape one = pare_shape_make (0);
  PareValueId x = make_input (g, "x", PARE_DTYPE_UINT8, pare_shape_make (4, (gint64)1, (gint64)C, (gint64)S, (gint64)S)),
              s = make_float (g, "s", one, &scale), z = make_typed (g, "z", PARE_DTYPE_UINT8, one, (gint64[]){ 120 }),
              ws = make_float (g, "ws", one, &small), wz = make_typed (g, "wz", PARE_DTYPE_INT8, one, (gint64[]){ 0 });
  PareShape square = pare_shape_make (4, (gint64)C, (gint64)C, (gint64)3, (gint64)3);
  PareValueId w1 = random_codes (g, "w1", PARE_DTYPE_INT8, square, 1), w2 = random_codes (g, "w2", PARE_DTYPE_INT8, square, 2);
  if (last)
    {
      x = MAKE (g, "Transpose", "in", x);
      pare_node_set_ints (node_of (g, x), "perm", to_last, 4);
    }
  PareValueId a = spatial (&net, ADD (&net, "QLinearConv", "a", last, x, s, z, w1, ws, wz, s, z), 3),
              b = spatial (&net, ADD (&net, "QLinearConv", "b", last, a, s, z, w2, ws, wz, s, z), 3),
              sum = ADD (&net, "QLinearAdd", "sum", TRUE, a, s, z, b, s, z, s, z),
              most = spatial (&net, ADD (&net, last ? "NhwcMaxPool" : "MaxPool", "most", last, sum), 2),
              mean = spatial (&net, ADD (&net, "QLinearAveragePool", "mean", TRUE, sum, s, z, s, z), 2),
              both = ADD (&net, "QLinearConcat", "both", TRUE, s, z, most, s, z, mean, s, z),
              soft = ADD (&net, "QLinearSigmoid", "soft", TRUE, both, s, z, ws, z),
              y = spatial (&net, ADD (&net, "QLinearGlobalAveragePool", "y", TRUE, soft, ws, z, ws, z), 0);
  pare_node_set_int (node_of (g, both), "axis", last ? -1 : 1);
  if (last)
    {
      y = MAKE (g, "Transpose", "out", y);
      pare_node_set_ints (node_of (g, y), "perm", to_first, 4);
    }
  make_output (g, y);
  pare_graph_name_layers (g);
  return g;
}

static void
run (const PareGraph *g, PareBackend backend, guint8 *y)
{
  g_autoptr (GError) error = NULL;
  const PareCompileOptions options = { .backend = backend };
  g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
  g_assert_no_error (error);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 2, &error);
  g_assert_no_error (error);
  guint8 x[C * S * S];
  for (guint i = 0; i < sizeof x; i++)
    x[i] = (guint8)(i * 37 % 251);
  const PareView in = { .dtype = PARE_DTYPE_UINT8, .shape = pare_shape_make (4, (gint64)1, (gint64)C, (gint64)S, (gint64)S), .data = x };
  pare_runner_run (runner, &in, 1, NULL, &error);
  g_assert_no_error (error);
  PareView out = pare_runner_get_output (runner, 0);
  g_autofree char *shape = pare_shape_to_string (&out.shape);
  g_assert_cmpstr (shape, ==, "1×12×1×1");
  memcpy (y, out.data, 2 * C);
}

static guint
count_transposes (const PareGraph *g)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) canonical = pare_graph_canonicalize (g, NULL, 0, pare_lower_eval_node, &error);
  g_assert_no_error (error);
  guint n = 0;
  for (guint i = 0; i < canonical->n_nodes; i++)
    n += pare_node_is (&canonical->nodes[i], "Transpose");
  return n;
}

static void
test_channels_last (void)
{
  g_autoptr (PareGraph) first = make (FALSE), last = make (TRUE);
  g_assert_cmpuint (count_transposes (last), ==, 0);
  for (int b = 0; b < 2; b++)
    {
      PareBackend backend = b == 0 ? PARE_BACKEND_PORTABLE : PARE_BACKEND_AUTO;
      guint8 want[2 * C], got[2 * C];
      run (first, backend, want);
      run (last, backend, got);
      g_assert_cmpmem (got, sizeof got, want, sizeof want);
      gboolean same = TRUE; /* not all one code: that would say nothing */
      for (guint i = 1; i < sizeof want; i++)
        same &= want[i] == want[0];
      g_assert_false (same);
    }
}

/* What does not meet its inverse becomes one; an output keeps its name. */
static void
test_joined (void)
{
  g_autoptr (PareGraph) g = make_graph (17);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, (gint64)2, (gint64)3, (gint64)4)),
              a = MAKE (g, "Transpose", "a", x), b = MAKE (g, "Transpose", "b", a), back = MAKE (g, "Transpose", "back", b);
  pare_node_set_ints (node_of (g, a), "perm", (const gint64[]){ 1, 2, 0 }, 3);
  pare_node_set_ints (node_of (g, b), "perm", (const gint64[]){ 1, 0, 2 }, 3);
  pare_node_set_ints (node_of (g, back), "perm", (const gint64[]){ 2, 1, 0 }, 3);
  make_output (g, MAKE (g, "Relu", "relu", b));
  make_output (g, back);
  pare_graph_name_layers (g);
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) c = pare_graph_canonicalize (g, NULL, 0, pare_lower_eval_node, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (c->n_nodes, ==, 3); /* one in front of the Relu, one for the output, which is the input as it was */
  assert_shape (c, c->outputs[0], "4×3×2");
  assert_shape (c, c->outputs[1], "2×3×4");
  g_assert_cmpstr (c->values[c->outputs[1]].name, ==, "back_out");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/channels-last/network", test_channels_last);
  g_test_add_func ("/channels-last/joined", test_joined);
  return g_test_run ();
}
