/* What computes between convolutions on channels that come last gives what it gives on channels that come first, and leaves no Transposes;
 * where turning it would not pay it stays. */
#include "engine/base/pare-rng.h"
#include "engine/lower/pare-program.h"
#include "make-graph.h"

#include <math.h>

#define C 6
#define H 5
#define W 7

static const gint64 to_last[] = { 0, 2, 3, 1 }, to_first[] = { 0, 3, 1, 2 };

typedef struct
{
  PareGraph *g;
  gboolean last; /* channels */
} Net;

typedef PareValueId (*Make) (Net *net, PareValueId x);

/* An axis of channels that come first, by its number there. */
static gint64
axis (const Net *net, int first)
{
  return net->last ? ((const gint64[]){ 0, 3, 1, 2 })[first] : first;
}

static PareValueId
turned (Net *net, const char *name, PareValueId x, const gint64 *perm)
{
  PareValueId y = MAKE (net->g, "Transpose", name, x);
  pare_node_set_ints (node_of (net->g, y), "perm", perm, 4);
  return y;
}

/* Numbers of these extents, which are those of channels that come first. */
static PareValueId
numbers (Net *net, const char *name, gint64 n, gint64 c, gint64 h, gint64 w, guint64 seed)
{
  PareRng rng = { seed };
  g_autofree float *first = g_new (float, n *c *h *w), *own = g_new (float, n *c *h *w);
  for (gint64 i = 0; i < n * c * h * w; i++)
    first[i] = (float)(0.25 + pare_rng_uniform (&rng));
  for (gint64 i = 0; i < n * c * h * w; i++)
    own[net->last ? (i / (c * h * w) * h * w + i % (h * w)) * c + i / (h * w) % c : i] = first[i];
  return make_float (net->g, name, net->last ? pare_shape_make (4, n, h, w, c) : pare_shape_make (4, n, c, h, w), own);
}

static PareValueId
number (Net *net, const char *name, float value)
{
  return make_float (net->g, name, pare_shape_make (0), &value);
}

/* Integers for each axis. */
static PareValueId
each_axis (Net *net, const char *name, const gint64 *first, guint times)
{
  gint64 own[8];
  for (guint i = 0; i < 4 * times; i++)
    own[i / 4 * 4 + (guint)axis (net, i % 4)] = first[i];
  return make_ints (net->g, name, 4 * times, own);
}

static PareValueId
with_axis (Net *net, PareValueId y, gint64 value)
{
  pare_node_set_int (node_of (net->g, y), "axis", value);
  return y;
}

/* A convolution, which always has channels first. */
static PareValueId
conv (Net *net, const char *name, PareValueId x, gint64 from, gint64 to)
{
  g_autofree char *w = g_strconcat (name, ".w", NULL), *b = g_strconcat (name, ".b", NULL), *in = g_strconcat (name, ".in", NULL),
                  *out = g_strconcat (name, ".out", NULL);
  PareValueId weights = make_float (net->g, w, pare_shape_make (4, to, from, (gint64)1, (gint64)1), NULL),
              bias = make_float (net->g, b, pare_shape_make (1, to), NULL);
  x = net->last ? turned (net, in, x, to_first) : x;
  x = MAKE (net->g, "Conv", name, x, weights, bias);
  return net->last ? turned (net, out, x, to_last) : x;
}

/* --- what stands between two convolutions --- */

static PareValueId
norm_and_swish (Net *net, PareValueId x)
{
  PareGraph *g = net->g;
  float each[C];
  for (int i = 0; i < C; i++)
    each[i] = 0.3f * (float)i - 1;
  PareShape line = pare_shape_make (1, (gint64)C), upright = pare_shape_make (3, (gint64)C, (gint64)1, (gint64)1);
  x = MAKE (g, "Mul", "norm.mul", x, numbers (net, "norm.factor", 1, C, 1, 1, 3));
  x = MAKE (g, "Add", "norm.add", x, make_float (g, "norm.offset", net->last ? line : upright, each));
  PareValueId more = MAKE (g, "Add", "swish.add", x, number (net, "three", 3)),
              gate = MAKE (g, "Clip", "swish.clip", more, number (net, "zero", 0), number (net, "six", 6));
  return MAKE (g, "Mul", "swish.mul", x, MAKE (g, "Div", "swish.div", gate, number (net, "by", 6)));
}

static PareValueId
squeeze (Net *net, PareValueId x)
{
  const gint64 spatial[] = { axis (net, 2), axis (net, 3) };
  PareValueId mean = MAKE (net->g, "ReduceMean", "mean", x, make_ints (net->g, "over", 2, spatial));
  mean = MAKE (net->g, "Relu", "relu", conv (net, "down", mean, C, 2));
  return MAKE (net->g, "Mul", "excite", MAKE (net->g, "Sigmoid", "gate", conv (net, "up", mean, 2, C)), x);
}

static PareValueId
squeeze_flat (Net *net, PareValueId x)
{
  PareGraph *g = net->g;
  const gint64 spatial[] = { axis (net, 2), axis (net, 3) }, first[] = { 1, C, 1, 1 };
  PareValueId mean = MAKE (g, "ReduceMean", "mean", x, make_ints (g, "over", 2, spatial));
  pare_node_set_int (node_of (g, mean), "keepdims", 0);
  mean = MAKE (g, "MatMul", "dense", mean, make_float (g, "dense.w", pare_shape_make (2, (gint64)C, (gint64)C), NULL));
  mean = MAKE (g, "Reshape", "stand", mean, each_axis (net, "standing", first, 1));
  return MAKE (g, "Mul", "excite", x, MAKE (g, "Sigmoid", "gate", mean));
}

static PareValueId
joins (Net *net, PareValueId x)
{
  PareGraph *g = net->g;
  PareValueId both = MAKE (g, "Concat", "both", MAKE (g, "Relu", "relu", x), MAKE (g, "Tanh", "tanh", x)), parts[2];
  with_axis (net, both, net->last ? -1 : 1);
  parts[0] = pare_graph_add_value (g, "part0", PARE_DTYPE_NONE, NULL, PARE_NONE);
  parts[1] = pare_graph_add_value (g, "part1", PARE_DTYPE_NONE, NULL, PARE_NONE);
  const PareValueId in[] = { both, make_ints (g, "sizes", 2, (const gint64[]){ 2, 2 * C - 2 }) };
  PareNodeId split = pare_graph_add_node (g, "Split", "split", in, 2, parts, 2, PARE_NONE, PARE_ROLE_SELF);
  pare_node_set_int (&g->nodes[split], "axis", axis (net, 1));
  PareValueId other = with_axis (net, MAKE (g, "Concat", "other", parts[1], parts[0]), axis (net, 1));
  const gint64 ends[] = { C };
  return MAKE (g, "Slice", "half", other, make_ints (g, "from", 1, (const gint64[]){ 0 }), make_ints (g, "to", 1, ends),
               make_ints (g, "of", 1, (const gint64[]){ axis (net, 1) }));
}

static PareValueId
frames (Net *net, PareValueId x)
{
  PareGraph *g = net->g;
  const gint64 spatial[] = { axis (net, 3), axis (net, 2) };
  x = MAKE (g, "Pad", "pad", x, each_axis (net, "pads", (const gint64[]){ 0, 1, 2, 0, 0, 0, 1, 3 }, 2));
  x = MAKE (g, "Pad", "more", x, make_ints (g, "pads.more", 4, (const gint64[]){ 1, 0, 0, 2 }), number (net, "filled", 0.5f),
            make_ints (g, "pads.axes", 2, spatial));
  const gint64 most[] = { 1, C + 1, H + 4, 100 };
  x = MAKE (g, "Slice", "cut", x, each_axis (net, "from", (const gint64[]){ 0, 1, 1, 0 }, 1), each_axis (net, "to", most, 1));
  return MAKE (g, "Slice", "back", x, make_ints (g, "start", 1, (const gint64[]){ -1 }), make_ints (g, "end", 1, (const gint64[]){ -9 }),
               make_ints (g, "axis", 1, (const gint64[]){ axis (net, 3) }), make_ints (g, "step", 1, (const gint64[]){ -2 }));
}

static PareValueId
sizes (Net *net, PareValueId x)
{
  PareGraph *g = net->g;
  float scales[4] = { 1, 1, 1, 1 };
  scales[axis (net, 2)] = 2;
  scales[axis (net, 3)] = 3;
  x = MAKE (g, "Resize", "twice", x, PARE_NONE, make_float (g, "scales", pare_shape_make (1, (gint64)4), scales));
  pare_node_set_string (node_of (g, x), "coordinate_transformation_mode", "asymmetric");
  pare_node_set_string (node_of (g, x), "nearest_mode", "floor");
  x = MAKE (g, "Resize", "to", x, PARE_NONE, PARE_NONE, each_axis (net, "sizes", (const gint64[]){ 1, C, 7, 8 }, 1));
  pare_node_set_string (node_of (g, x), "mode", "linear");
  return x;
}

static PareValueId
wholes (Net *net, PareValueId x)
{
  PareGraph *g = net->g;
  x = MAKE (g, "Mul", "whole", x, numbers (net, "map", 1, C, H, W, 5));
  x = MAKE (g, "Sub", "row", numbers (net, "rows", 1, 1, H, 1, 6), x);
  PareValueId less = MAKE (g, "Less", "less", x, numbers (net, "limit", 1, C, 1, W, 7));
  x = MAKE (g, "Where", "where", less, x, MAKE (g, "Neg", "neg", x));
  x = MAKE (g, "PRelu", "prelu", x, numbers (net, "slope", 1, C, 1, 1, 8));
  return MAKE (g, "Max", "max", x, number (net, "least", -0.5f), MAKE (g, "Cast", "cast", x));
}

static PareValueId
codes (Net *net, PareValueId x)
{
  PareGraph *g = net->g;
  PareShape one = pare_shape_make (1, (gint64)1);
  const float by = 0.03f;
  PareValueId scale = make_float (g, "scale", one, &by), zero = make_typed (g, "zero", PARE_DTYPE_UINT8, one, (gint64[]){ 117 });
  x = MAKE (g, "Relu", "before", x);
  x = MAKE (g, "QuantizeLinear", "q", x, scale, zero);
  return MAKE (g, "HardSwish", "after", MAKE (g, "DequantizeLinear", "dq", x, scale, zero));
}

static PareValueId
shortcut (Net *net, PareValueId x)
{
  PareValueId more = MAKE (net->g, "Relu", "relu", conv (net, "inner", x, C, C));
  return MAKE (net->g, "Add", "sum", MAKE (net->g, "LeakyRelu", "leaky", x), more);
}

static PareGraph *
make (Make between, gboolean last, gboolean shown)
{
  Net net = { make_graph (18), last };
  PareValueId x = make_input (net.g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)3, (gint64)H, (gint64)W));
  x = last ? turned (&net, "start", x, to_last) : x;
  PareValueId y = between (&net, conv (&net, "first", x, 3, C));
  if (shown) /* somebody else reads the channels where they are */
    make_output (net.g, net.last ? y : turned (&net, "shown", y, to_last));
  y = conv (&net, "second", y, C, 4);
  make_output (net.g, last ? turned (&net, "end", y, to_first) : y);
  /* MAKE() says nothing of a Cast's type */
  for (guint i = 0; i < net.g->n_nodes; i++)
    if (pare_node_is (&net.g->nodes[i], "Cast"))
      pare_node_set_int (&net.g->nodes[i], "to", PARE_DTYPE_FLOAT32);
  pare_graph_name_layers (net.g);
  return net.g;
}

/* (transfer full) The outputs, one behind the other. */
static GArray *
run (const PareGraph *g, PareBackend backend)
{
  g_autoptr (GError) error = NULL;
  const PareCompileOptions options = { .backend = backend };
  g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
  g_assert_no_error (error);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 2, &error);
  g_assert_no_error (error);
  PareShape shape = g->values[g->inputs[0]].shape;
  float x[C * H * W];
  g_assert_cmpint (pare_shape_count (&shape), <=, G_N_ELEMENTS (x));
  PareRng rng = { 11 };
  for (gint64 i = 0; i < pare_shape_count (&shape); i++)
    x[i] = (float)(2 * pare_rng_normal (&rng));
  const PareView in = { .dtype = PARE_DTYPE_FLOAT32, .shape = shape, .data = x };
  pare_runner_run (runner, &in, 1, NULL, &error);
  g_assert_no_error (error);
  GArray *y = g_array_new (FALSE, FALSE, sizeof (float));
  for (guint i = 0; i < g->n_outputs; i++)
    {
      PareView out = pare_runner_get_output (runner, i);
      g_assert_cmpint (out.dtype, ==, PARE_DTYPE_FLOAT32);
      g_array_append_vals (y, out.data, (guint)pare_shape_count (&out.shape));
    }
  return y;
}

static void
assert_same (const GArray *got, const GArray *want)
{
  g_assert_cmpuint (got->len, ==, want->len);
  for (guint i = 0; i < want->len; i++)
    g_assert_cmpfloat_with_epsilon (g_array_index (got, float, i), g_array_index (want, float, i), 1e-4);
}

static guint
count (const PareGraph *g, const char *op)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) canonical = pare_graph_canonicalize (g, NULL, 0, pare_lower_eval_node, &error);
  g_assert_no_error (error);
  guint n = 0;
  for (guint i = 0; i < canonical->n_nodes; i++)
    {
      const PareNode *node = &canonical->nodes[i];
      guint extents = 0; /* a row stays one */
      for (int k = 0; pare_node_is (node, "Transpose") && k < canonical->values[node->inputs[0]].shape.rank; k++)
        extents += canonical->values[node->inputs[0]].shape.dims[k] > 1;
      n += pare_node_is (node, op) && (extents > 1 || strcmp (op, "Transpose") != 0);
    }
  return n;
}

static void
test_between (gconstpointer data)
{
  Make between = *(const Make *)data;
  g_autoptr (PareGraph) first = make (between, FALSE, FALSE), last = make (between, TRUE, FALSE), shown_first = make (between, FALSE, TRUE),
                        shown_last = make (between, TRUE, TRUE);
  g_assert_cmpuint (count (last, "Transpose"), ==, 0);
  g_assert_cmpuint (count (shown_last, "Transpose"), ==, 1);
  for (int b = 0; b < 2; b++)
    {
      PareBackend backend = b == 0 ? PARE_BACKEND_PORTABLE : PARE_BACKEND_AUTO;
      g_autoptr (GArray) want = run (first, backend), got = run (last, backend), shown = run (shown_first, backend),
                         got_shown = run (shown_last, backend);
      assert_same (got, want);
      assert_same (got_shown, shown);
      gboolean varied = FALSE; /* nothing would be told by all the same number */
      for (guint i = 1; i < want->len; i++)
        varied |= fabsf (g_array_index (want, float, i) - g_array_index (want, float, 0)) > 0.1f;
      g_assert_true (varied);
    }
}

/* Nothing is gained behind a Transpose that meets no other: what follows it stays as it is. */
static void
test_stays (void)
{
  g_autoptr (PareGraph) g = make_graph (18);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, (gint64)2, (gint64)3, (gint64)4)),
              y = MAKE (g, "Transpose", "t", x);
  pare_node_set_ints (node_of (g, y), "perm", (const gint64[]){ 0, 2, 1 }, 3);
  y = MAKE (g, "Mul", "mul", y, make_float (g, "c", pare_shape_make (1, (gint64)3), NULL));
  make_output (g, MAKE (g, "MatMul", "dense", y, make_float (g, "w", pare_shape_make (2, (gint64)3, (gint64)5), NULL)));
  pare_graph_name_layers (g);
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) c = pare_graph_canonicalize (g, NULL, 0, pare_lower_eval_node, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (c->n_nodes, ==, 3);
  for (guint i = 0; i < c->n_nodes; i++)
    if (pare_node_is (&c->nodes[i], "Mul"))
      assert_shape (c, c->nodes[i].outputs[0], "2×4×3");
}

/* What is left of a reduction's axes may stand in another order. */
static void
test_rest (void)
{
  for (gint64 k = 1; k < 4; k++)
    {
      g_autoptr (PareGraph) first = make_graph (18), last = make_graph (18);
      Net nets[] = { { first, FALSE }, { last, TRUE } };
      for (guint i = 0; i < 2; i++)
        {
          Net *net = &nets[i];
          PareValueId x = make_input (net->g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)C, (gint64)H, (gint64)W));
          x = MAKE (net->g, "Relu", "relu", net->last ? turned (net, "t", x, to_last) : x);
          const gint64 over[] = { axis (net, (int)k) };
          PareValueId y = MAKE (net->g, "ReduceMax", "max", x, make_ints (net->g, "over", 1, over));
          pare_node_set_int (node_of (net->g, y), "keepdims", 0);
          if (!net->last && k != 1)
            {
              y = MAKE (net->g, "Transpose", "rest", y);
              pare_node_set_ints (node_of (net->g, y), "perm", (const gint64[]){ 0, 2, 1 }, 3);
            }
          make_output (net->g, y);
          x = MAKE (net->g, "Abs", "abs", x);
          make_output (net->g, MAKE (net->g, "GlobalMaxPool", "pool", net->last ? turned (net, "w", x, to_first) : x));
          pare_graph_name_layers (net->g);
        }
      g_assert_cmpuint (count (last, "Transpose"), ==, k != 1);
      for (int b = 0; b < 2; b++)
        {
          PareBackend backend = b == 0 ? PARE_BACKEND_PORTABLE : PARE_BACKEND_AUTO;
          g_autoptr (GArray) want = run (first, backend), got = run (last, backend);
          assert_same (got, want);
        }
    }
}

/* A factor for each channel becomes part of weights that are not on a grid, and of theirs alone; one that gives the result another axis
 * stays. */
static void
test_factors (void)
{
  static const char *const ops[] = { "Conv", "ConvTranspose", "Gemm", "Conv", "Conv", "Conv", "Gemm" };
  for (guint k = 0; k < G_N_ELEMENTS (ops); k++)
    {
      gboolean dense = k == 2 || k == 6, rows = k == 3, stored = k == 4, twice = k == 5, wider = k == 6;
      PareGraph *both[2];
      for (int i = 0; i < 2; i++) /* the second: behind an Identity that is an output, which nothing folds across */
        {
          PareGraph *g = both[i] = make_graph (18);
          PareShape map = pare_shape_make (4, (gint64)1, (gint64)4, (gint64)4, (gint64)4), line = pare_shape_make (2, (gint64)3, (gint64)4),
                    square = pare_shape_make (2, (gint64)4, (gint64)4),
                    window = pare_shape_make (4, (gint64)4, (gint64)4, (gint64)1, (gint64)1);
          PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, dense ? line : map),
                      w = make_float (g, "w", dense ? square : window, NULL), b = make_float (g, "b", pare_shape_make (1, (gint64)4), NULL),
                      f = make_float (g, "f",
                                      wider   ? pare_shape_make (3, (gint64)1, (gint64)1, (gint64)4)
                                      : dense ? pare_shape_make (1, (gint64)4)
                                      : rows  ? pare_shape_make (2, (gint64)4, (gint64)1)
                                              : pare_shape_make (3, (gint64)4, (gint64)1, (gint64)1),
                                      NULL);
          PareValueId y = MAKE (g, ops[k], "layer", x, w, b), other = MAKE (g, ops[k], "beside", x, w, b);
          if (stored)
            g->values[w].storage = PARE_DTYPE_BFLOAT16;
          make_output (g, MAKE (g, "Mul", "mul", f, y));
          make_output (g, other);
          if (twice || i == 1)
            make_output (g, y);
          pare_graph_name_layers (g);
        }
      g_autoptr (PareGraph) folded = both[0], plain = both[1];
      g_assert_cmpuint (count (folded, "Mul"), ==, k < 3 ? 0 : 1);
      g_assert_cmpuint (count (plain, "Mul"), ==, 1);
      for (int b = 0; b < 2; b++)
        {
          PareBackend backend = b == 0 ? PARE_BACKEND_PORTABLE : PARE_BACKEND_AUTO;
          g_autoptr (GArray) want = run (plain, backend), got = run (folded, backend);
          g_array_set_size (want, got->len);
          assert_same (got, want);
        }
    }
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    Make make;
  } between[] = {
    { "/turn/norm-and-swish", norm_and_swish },
    { "/turn/squeeze", squeeze },
    { "/turn/squeeze-flat", squeeze_flat },
    { "/turn/joins", joins },
    { "/turn/frames", frames },
    { "/turn/sizes", sizes },
    { "/turn/wholes", wholes },
    { "/turn/codes", codes },
    { "/turn/shortcut", shortcut },
  };
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (between); i++)
    g_test_add_data_func (between[i].path, &between[i].make, test_between);
  g_test_add_func ("/turn/stays", test_stays);
  g_test_add_func ("/turn/rest", test_rest);
  g_test_add_func ("/turn/factors", test_factors);
  return g_test_run ();
}
