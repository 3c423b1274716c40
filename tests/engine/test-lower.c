/* Lowering and running: fusion, taps, shape arithmetic, layers on codes, and the reference outputs of real models. */
#include "engine/base/pare-error.h"
#include "engine/lower/pare-program.h"
#include "engine/onnx/pare-onnx.h"
#include "tests/engine/make-graph.h"

#include <json-glib/json-glib.h>
#include <math.h>

static const PareBackend backends[] = { PARE_BACKEND_PORTABLE, PARE_BACKEND_ONEDNN };

static PareTensor *
wave (PareShape shape, int seed)
{
  PareTensor *t = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  for (gint64 i = 0; i < pare_tensor_count (t); i++)
    ((float *)t->data)[i] = (float)((i * 31 + seed * 17) % 97 - 48) / 32.0f;
  return t;
}

static PareTensor *
copy_view (PareView v)
{
  PareTensor *t = pare_tensor_new (v.dtype, &v.shape, NULL);
  g_assert_nonnull (t);
  if (t->bytes > 0)
    memcpy (t->data, v.data, t->bytes);
  return t;
}

/* (transfer full) The first output; layers: how many source nodes have steps of their own. */
static PareTensor *
run (const PareGraph *g, PareBackend backend, gboolean no_fusion, PareTensor **inputs, guint n, guint *layers)
{
  g_autoptr (GError) error = NULL;
  PareCompileOptions options = { .backend = backend, .no_fusion = no_fusion };
  g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
  g_assert_no_error (error);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
  g_assert_no_error (error);
  PareView views[4];
  for (guint i = 0; i < n; i++)
    views[i] = pare_tensor_view (inputs[i]);
  pare_runner_set_profiling (runner, TRUE);
  pare_runner_run (runner, views, n, NULL, &error);
  g_assert_no_error (error);
  guint count = 0;
  PareLayerTime *times = pare_runner_dup_times (runner, &count);
  pare_layer_times_free (times, count);
  if (layers != NULL)
    *layers = count;
  return copy_view (pare_runner_get_output (runner, 0));
}

static void
assert_near (const PareTensor *got, const float *want, gint64 n, float limit)
{
  g_assert_cmpint (pare_tensor_count (got), ==, n);
  for (gint64 i = 0; i < n; i++)
    g_assert_cmpfloat_with_epsilon (((const float *)got->data)[i], want[i], limit);
}

/* y [m,h,w] of x [c,h,w]: 3x3, stride 1, padded by one. */
static void
conv_3x3 (const float *x, const float *w, float *y, int c, int m, int h, int width)
{
  for (int o = 0; o < m; o++)
    for (int r = 0; r < h; r++)
      for (int s = 0; s < width; s++)
        {
          double sum = 0;
          for (int k = 0; k < c * 9; k++)
            {
              int rr = r + k / 3 % 3 - 1, ss = s + k % 3 - 1;
              if (rr >= 0 && rr < h && ss >= 0 && ss < width)
                sum += (double)x[(k / 9 * h + rr) * width + ss] * w[o * c * 9 + k];
            }
          y[(o * h + r) * width + s] = (float)sum;
        }
}

enum
{
  C = 4,
  M = 6,
  SIDE = 8,
  OUT = M * SIDE * SIDE
};

static PareValueId
add_conv (PareGraph *g, PareValueId x, gboolean padded)
{
  static const gint64 pads[] = { 1, 1, 1, 1 };
  PareValueId w = make_float (g, "w", pare_shape_make (4, (gint64)M, (gint64)C, (gint64)3, (gint64)3), NULL),
              y = MAKE (g, "Conv", "conv", x, w);
  if (padded)
    pare_node_set_ints (node_of (g, y), "pads", pads, 4);
  return y;
}

/* conv + bias + residual, Relu */
static PareGraph *
chain_graph (void)
{
  PareGraph *g = make_graph (17);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)C, (gint64)SIDE, (gint64)SIDE)),
              r = make_input (g, "r", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)M, (gint64)SIDE, (gint64)SIDE)),
              y = add_conv (g, x, TRUE), b = make_float (g, "b", pare_shape_make (3, (gint64)M, (gint64)1, (gint64)1), NULL);
  y = MAKE (g, "Add", "bias", y, b);
  y = MAKE (g, "Add", "sum", y, r);
  y = MAKE (g, "Relu", "relu", y);
  make_output (g, y);
  pare_graph_name_layers (g);
  return g;
}

static PareTensor *
constant_of (const PareGraph *g, const char *name)
{
  return g->values[pare_graph_find_value (g, name)].constant;
}

static void
test_fuse_chain (void)
{
  g_autoptr (PareGraph) g = chain_graph ();
  g_autoptr (PareTensor) x = wave (g->values[g->inputs[0]].shape, 1), r = wave (g->values[g->inputs[1]].shape, 2);
  PareTensor *inputs[] = { x, r };
  float want[OUT];
  conv_3x3 (x->data, constant_of (g, "w")->data, want, C, M, SIDE, SIDE);
  for (int i = 0; i < OUT; i++)
    want[i] = fmaxf (want[i] + ((float *)constant_of (g, "b")->data)[i / (SIDE * SIDE)] + ((float *)r->data)[i], 0);
  for (guint k = 0; k < G_N_ELEMENTS (backends); k++)
    {
      guint fused_layers = 0, layers = 0;
      g_autoptr (PareTensor) fused = run (g, backends[k], FALSE, inputs, 2, &fused_layers),
                             apart = run (g, backends[k], TRUE, inputs, 2, &layers);
      assert_near (fused, want, OUT, 2e-5f);
      assert_near (apart, want, OUT, 2e-5f);
      g_assert_cmpuint (fused_layers, ==, 1);
      g_assert_cmpuint (layers, ==, 4);
    }
}

static void
test_fuse_swish (void)
{
  g_autoptr (PareGraph) g = make_graph (17);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)C, (gint64)SIDE, (gint64)SIDE)),
              y = add_conv (g, x, TRUE);
  PareValueId s = MAKE (g, "Sigmoid", "sigmoid", y), m = MAKE (g, "Mul", "mul", s, y);
  make_output (g, m);
  g_autoptr (PareTensor) in = wave (g->values[x].shape, 3);
  float want[OUT];
  conv_3x3 (in->data, constant_of (g, "w")->data, want, C, M, SIDE, SIDE);
  for (int i = 0; i < OUT; i++)
    want[i] = want[i] / (1 + expf (-want[i]));
  for (guint k = 0; k < G_N_ELEMENTS (backends); k++)
    {
      guint fused_layers = 0, layers = 0;
      g_autoptr (PareTensor) fused = run (g, backends[k], FALSE, &in, 1, &fused_layers),
                             apart = run (g, backends[k], TRUE, &in, 1, &layers);
      assert_near (fused, want, OUT, 5e-5f);
      assert_near (apart, want, OUT, 5e-5f);
      g_assert_cmpuint (fused_layers, ==, 1);
      g_assert_cmpuint (layers, ==, 3);
    }
}

static void
test_fuse_pad (void)
{
  static const gint64 amounts[] = { 0, 0, 1, 1, 0, 0, 1, 1 };
  for (gboolean constant = FALSE; constant <= TRUE; constant++) /* zeros go into the Conv, ones must not */
    {
      g_autoptr (PareGraph) g = make_graph (17);
      PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)C, (gint64)SIDE, (gint64)SIDE)),
                  pads = make_ints (g, "pads", 8, amounts);
      float one = 1;
      PareValueId value = constant ? make_float (g, "one", pare_shape_make (0), &one) : PARE_NONE;
      PareValueId p = constant ? MAKE (g, "Pad", "pad", x, pads, value) : MAKE (g, "Pad", "pad", x, pads), y = add_conv (g, p, FALSE);
      make_output (g, y);
      g_autoptr (PareTensor) in = wave (g->values[x].shape, 4);
      for (guint k = 0; k < G_N_ELEMENTS (backends); k++)
        {
          guint fused_layers = 0, layers = 0;
          g_autoptr (PareTensor) fused = run (g, backends[k], FALSE, &in, 1, &fused_layers),
                                 apart = run (g, backends[k], TRUE, &in, 1, &layers);
          g_assert_cmpuint (fused_layers, ==, constant ? 2 : 1);
          g_assert_cmpuint (layers, ==, 2);
          assert_near (fused, apart->data, OUT, 2e-5f);
          float want[OUT];
          conv_3x3 (in->data, constant_of (g, "w")->data, want, C, M, SIDE, SIDE);
          if (!constant)
            assert_near (fused, want, OUT, 2e-5f);
          else
            g_assert_cmpfloat (fabsf (((float *)fused->data)[0] - want[0]), >, 1e-3f);
        }
    }
}

/* Pixels dealt out to channels and convolved are convolved where they lie; not where one slice is missing or kept, or two are the same. */
static void
test_fuse_focus (void)
{
  static const gint64 ends[] = { G_MAXINT64 }, twos[] = { 2 }, rows[] = { 2 }, columns[] = { 3 };
  enum
  {
    FINE,
    TWICE,
    KEPT,
    CASES
  };
  for (int what = FINE; what < CASES; what++)
    for (int padded = 0; padded < 2; padded++)
      {
        g_autoptr (PareGraph) g = make_graph (17);
        PareValueId x
            = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)1, (gint64)2 * SIDE, (gint64)2 * SIDE)),
            end = make_ints (g, "end", 1, ends), two = make_ints (g, "two", 1, twos),
            axis[2] = { make_ints (g, "rows", 1, rows), make_ints (g, "columns", 1, columns) }, from[2], half[2], part[4];
        for (gint64 i = 0; i < 2; i++)
          from[i] = make_ints (g, i ? "odd" : "even", 1, &i);
        for (int i = 0; i < 2; i++)
          half[i] = MAKE (g, "Slice", i ? "lower" : "upper", x, from[i], end, axis[0], two);
        for (int i = 0; i < 4; i++) /* column by column, as exporters write it */
          {
            g_autofree char *name = g_strdup_printf ("part%d", i);
            part[i] = MAKE (g, "Slice", name, half[i % 2], from[what == TWICE && i == 3 ? 0 : i / 2], end, axis[1], two);
          }
        PareValueId joined = MAKE (g, "Concat", "join", part[0], part[1], part[2], part[3]);
        pare_node_set_int (node_of (g, joined), "axis", 1);
        make_output (g, add_conv (g, joined, padded));
        if (what == KEPT)
          make_output (g, part[1]);
        int side = padded ? SIDE : SIDE - 2;
        g_autoptr (PareTensor) in = wave (g->values[x].shape, 5);
        for (guint k = 0; k < G_N_ELEMENTS (backends); k++)
          {
            guint fused_layers = 0, layers = 0;
            g_autoptr (PareTensor) fused = run (g, backends[k], FALSE, &in, 1, &fused_layers),
                                   apart = run (g, backends[k], TRUE, &in, 1, &layers);
            g_assert_cmpuint (fused_layers, ==, what == FINE ? 1 : 8);
            g_assert_cmpuint (layers, ==, 8);
            assert_near (fused, apart->data, M * side * side, 2e-5f);
            float want[OUT], dealt[C * SIDE * SIDE];
            for (int c = 0; c < C; c++)
              for (int i = 0; i < SIDE * SIDE; i++)
                dealt[c * SIDE * SIDE + i]
                    = ((const float *)in->data)[(i / SIDE * 2 + c % 2) * 2 * SIDE + i % SIDE * 2 + (what == TWICE && c == 3 ? 0 : c / 2)];
            conv_3x3 (dealt, constant_of (g, "w")->data, want, C, M, SIDE, SIDE);
            if (padded)
              assert_near (fused, want, OUT, 2e-5f);
          }
      }
}

/* Signals that stand upright: a window of width 1 over planes of width 1, with all that a convolution may have. */
static void
test_upright (void)
{
  enum
  {
    GROUPS = 2,
    LONG = 37,
    TAPS = 5
  };
  static const gint64 kernel[] = { TAPS, 1 }, stride[] = { 2, 1 }, dilation[] = { 3, 1 }, pads[] = { 4, 0, 6, 0 };
  const int length = (LONG + 10 - 3 * (TAPS - 1) - 1) / 2 + 1;
  g_autoptr (PareGraph) g = make_graph (17);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)2, (gint64)C, (gint64)LONG, (gint64)1)),
              r = make_input (g, "r", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)2, (gint64)M, (gint64)length, (gint64)1)),
              w = make_float (g, "w", pare_shape_make (4, (gint64)M, (gint64)(C / GROUPS), (gint64)TAPS, (gint64)1), NULL),
              b = make_float (g, "b", pare_shape_make (1, (gint64)M), NULL), y = MAKE (g, "Conv", "conv", x, w, b);
  pare_node_set_ints (node_of (g, y), "kernel_shape", kernel, 2);
  pare_node_set_ints (node_of (g, y), "strides", stride, 2);
  pare_node_set_ints (node_of (g, y), "dilations", dilation, 2);
  pare_node_set_ints (node_of (g, y), "pads", pads, 4);
  pare_node_set_int (node_of (g, y), "group", GROUPS);
  y = MAKE (g, "Add", "sum", y, r);
  y = MAKE (g, "Relu", "relu", y);
  make_output (g, y);
  pare_graph_name_layers (g);
  g_autoptr (PareTensor) in = wave (g->values[x].shape, 3), more = wave (g->values[r].shape, 6);
  PareTensor *inputs[] = { in, more };
  g_autofree float *want = g_new (float, 2 * M * length);
  const float *weights = constant_of (g, "w")->data, *bias = constant_of (g, "b")->data;
  for (int i = 0; i < 2 * M * length; i++)
    {
      int n = i / (M * length), m = i / length % M, first = m / (M / GROUPS) * (C / GROUPS);
      double sum = bias[m] + ((const float *)more->data)[i];
      for (int k = 0; k < C / GROUPS * TAPS; k++)
        {
          int at = i % length * 2 + k % TAPS * 3 - 4;
          if (at >= 0 && at < LONG)
            sum += (double)((const float *)in->data)[(n * C + first + k / TAPS) * LONG + at] * weights[m * (C / GROUPS) * TAPS + k];
        }
      want[i] = (float)MAX (sum, 0);
    }
  for (guint k = 0; k < G_N_ELEMENTS (backends); k++)
    for (gboolean apart = FALSE; apart <= TRUE; apart++)
      {
        g_autoptr (PareTensor) got = run (g, backends[k], apart, inputs, 2, NULL);
        assert_near (got, want, 2 * M * length, 2e-5f);
      }
}

/* Equations of two operands, most of which are products of matrices: against sums over all labels. */
static void
test_einsum (void)
{
  static const char *const equations[] = {
    "bhqd,bhkd->bhqk", "bqhd,bkhd->bhqk", "bhqk,bkhd->bqhd", "ij,kj->ki", "abc,cd->abd",
    "abc,abc->ab",     "ab,cd->abcd",     "bij,bjk->ik",     "i,i->i",
  };
  for (guint i = 0; i < G_N_ELEMENTS (equations); i++)
    {
      const char *e = equations[i], *comma = strchr (e, ','), *arrow = strstr (e, "->");
      int extent[256] = { 0 }, at[256] = { 0 };
      char labels[32] = "";
      for (const char *c = e; c < arrow; c++)
        if (*c != ',' && !strchr (labels, *c))
          {
            extent[(guchar)*c] = 2 + (int)strlen (labels) % 3;
            labels[strlen (labels)] = *c;
          }
      PareShape shapes[3] = { 0 };
      const char *begins[3] = { e, comma + 1, arrow + 2 }, *ends[3] = { comma, arrow, e + strlen (e) };
      for (int o = 0; o < 3; o++)
        for (const char *c = begins[o]; c < ends[o]; c++)
          shapes[o].dims[shapes[o].rank++] = extent[(guchar)*c];
      g_autoptr (PareGraph) g = make_graph (17);
      PareValueId a = make_input (g, "a", PARE_DTYPE_FLOAT32, shapes[0]), b = make_input (g, "b", PARE_DTYPE_FLOAT32, shapes[1]),
                  y = MAKE (g, "Einsum", "einsum", a, b);
      pare_node_set_string (node_of (g, y), "equation", e);
      make_output (g, y);
      g_autoptr (PareTensor) left = wave (shapes[0], 3), right = wave (shapes[1], 4);
      PareTensor *inputs[] = { left, right };
      gint64 n = pare_shape_count (&shapes[2]);
      g_autofree float *want = g_new0 (float, n);
      for (gboolean more = TRUE; more;)
        {
          gint64 place[3] = { 0 };
          for (int o = 0; o < 3; o++)
            for (const char *c = begins[o]; c < ends[o]; c++)
              place[o] = place[o] * extent[(guchar)*c] + at[(guchar)*c];
          want[place[2]] += ((float *)left->data)[place[0]] * ((float *)right->data)[place[1]];
          more = FALSE;
          for (const char *c = labels; *c != '\0' && !more; c++)
            {
              more = ++at[(guchar)*c] < extent[(guchar)*c];
              if (!more)
                at[(guchar)*c] = 0;
            }
        }
      for (guint k = 0; k < G_N_ELEMENTS (backends); k++)
        {
          g_autoptr (PareTensor) got = run (g, backends[k], FALSE, inputs, 2, NULL);
          g_assert_true (pare_shape_equal (&got->shape, &shapes[2]));
          assert_near (got, want, n, 2e-5f);
        }
    }
}

static void
test_taps (void)
{
  g_autoptr (PareGraph) g = chain_graph ();
  g_autoptr (PareTensor) x = wave (g->values[g->inputs[0]].shape, 1), r = wave (g->values[g->inputs[1]].shape, 2);
  PareTensor *inputs[] = { x, r };
  PareView views[] = { pare_tensor_view (x), pare_tensor_view (r) };
  const char *taps[] = { "conv_out", "sum_out" };
  float want[OUT];
  conv_3x3 (x->data, constant_of (g, "w")->data, want, C, M, SIDE, SIDE);
  for (guint k = 0; k < G_N_ELEMENTS (backends); k++)
    {
      g_autoptr (GError) error = NULL;
      PareCompileOptions options = { .backend = backends[k], .taps = taps, .n_taps = 2 };
      g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
      g_assert_no_error (error);
      g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
      g_assert_true (pare_runner_run (runner, views, 2, NULL, &error));
      PareView tap;
      g_assert_true (pare_runner_get_tap (runner, "conv_out", &tap));
      g_autoptr (PareTensor) conv = copy_view (tap);
      assert_near (conv, want, OUT, 2e-5f);
      g_assert_true (pare_runner_get_tap (runner, "sum_out", &tap));
      g_autoptr (PareTensor) sum = copy_view (tap), y = copy_view (pare_runner_get_output (runner, 0)),
                             plain = run (g, backends[k], FALSE, inputs, 2, NULL);
      for (int i = 0; i < OUT; i++)
        g_assert_cmpfloat (fmaxf (((float *)sum->data)[i], 0), ==, ((float *)y->data)[i]);
      assert_near (plain, y->data, OUT, 2e-5f);
      g_assert_false (pare_runner_get_tap (runner, "bias_out", &tap)); /* not asked for: computed inside another step */
      g_assert_false (pare_runner_get_tap (runner, "nobody", &tap));
    }
}

/* Pictures of any size through two layers without padding that need 36 pixels: the first common size at which they run. */
static void
test_assumed_shapes (void)
{
  for (int open = 0; open < 2; open++)
    {
      g_autoptr (PareGraph) g = make_graph (17);
      PareValueId x
          = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)-1, (gint64)C, (gint64)-1, (gint64)(open ? -1 : 40))),
          state = make_input (g, "state", PARE_DTYPE_FLOAT32, pare_shape_make (3, (gint64)2, (gint64)-1, (gint64)8)),
          y = add_conv (g, x, FALSE);
      static const gint64 kernel[] = { 36, 36 };
      y = MAKE (g, "AveragePool", "pool", y);
      pare_node_set_ints (node_of (g, y), "kernel_shape", kernel, 2);
      make_output (g, y);
      make_output (g, MAKE (g, "Neg", "next", state));
      g_assert_true (pare_lower_assume_shapes (g));
      g_autofree char *said = pare_graph_dup_assumed (g);
      g_assert_cmpstr (said, ==, open ? "x 1×4×224×224" : "x 1×4×224×40"); /* of a state only the batch is open: 1 */
      g_autoptr (GError) error = NULL;
      g_autoptr (PareProgram) program = pare_program_compile (g, NULL, &error);
      g_assert_no_error (error);
      PareShape shape;
      pare_program_get_input (program, 0, NULL, &shape);
      g_assert_cmpint (shape.dims[2], ==, 224);
      /* what is asked for decides */
      PareNamedShape asked = { "x", pare_shape_make (4, (gint64)1, (gint64)C, (gint64)38, (gint64)40) };
      const PareCompileOptions options = { .shapes = &asked, .n_shapes = 1 };
      g_autoptr (PareProgram) other = pare_program_compile (g, &options, &error);
      g_assert_no_error (error);
      pare_program_get_input (other, 0, NULL, &shape);
      g_assert_cmpint (shape.dims[2], ==, 38);
    }
  g_autoptr (PareGraph) closed = chain_graph ();
  g_assert_false (pare_lower_assume_shapes (closed));
  g_assert_null (pare_graph_dup_assumed (closed));
}

static void
test_wrong_inputs (void)
{
  g_autoptr (PareGraph) g = chain_graph ();
  g_autoptr (GError) error = NULL;
  g_autoptr (PareProgram) program = pare_program_compile (g, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
  PareShape narrow = pare_shape_make (4, (gint64)1, (gint64)C, (gint64)SIDE, (gint64)SIDE - 1);
  g_autoptr (PareTensor) wrong = wave (narrow, 1), r = wave (g->values[g->inputs[1]].shape, 2),
                         bytes = pare_tensor_new (PARE_DTYPE_UINT8, &g->values[g->inputs[0]].shape, NULL);
  PareView views[] = { pare_tensor_view (wrong), pare_tensor_view (r) };
  g_assert_false (pare_runner_run (runner, views, 2, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_SHAPE);
  g_assert_cmpstr (error->message, ==, "model: input 'x' is float32 1×4×8×7, the model takes float32 1×4×8×8");
  g_clear_error (&error);
  views[0] = pare_tensor_view (bytes);
  g_assert_false (pare_runner_run (runner, views, 2, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_SHAPE);
  g_assert_cmpstr (error->message, ==, "model: input 'x' is uint8 1×4×8×8, the model takes float32 1×4×8×8");
  g_clear_error (&error);
  g_assert_false (pare_runner_run (runner, views, 1, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_SHAPE);
  g_assert_cmpstr (error->message, ==, "model: 1 inputs are given, the model has 2");
}

static void
test_memory_budget (void)
{
  g_autoptr (PareGraph) g = make_graph (17);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)C, (gint64)SIDE, (gint64)SIDE));
  make_output (g, add_conv (g, x, TRUE));
  pare_graph_name_layers (g);
  g_autoptr (GError) error = NULL;
  PareCompileOptions options = { .memory_budget = 1200 }; /* the input takes 1024 bytes, the result 1536 */
  g_assert_null (pare_program_compile (g, &options, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_MEMORY);
  g_assert_nonnull (strstr (error->message, "node 'conv' (Conv): its output 1×6×8×8 needs"));
  g_clear_error (&error);
  options.memory_budget = 1 << 20;
  g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
  g_assert_no_error (error);
  guint64 arena = 0, sum = 0, constants = 0;
  pare_program_get_memory (program, &arena, &sum, &constants);
  g_assert_cmpuint (arena, >=, 1536);
  g_assert_cmpuint (sum, >=, arena - 64);
  g_assert_cmpuint (constants, >=, M * C * 9 * 4);
}

/* An extent of 0 in a file is one, of a past that is still empty, and no gap to fill. */
static void
test_empty_extent (void)
{
  g_autoptr (PareGraph) g = make_graph (17);
  g_autoptr (GError) error = NULL;
  PareValueId past = make_input (g, "past", PARE_DTYPE_FLOAT32, pare_shape_make (3, (gint64)1, (gint64)0, (gint64)3)),
              x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, (gint64)-1, (gint64)2, (gint64)3)),
              y = MAKE (g, "Concat", "both", past, x);
  pare_node_set_int (node_of (g, y), "axis", 1);
  make_output (g, y);
  pare_graph_name_layers (g);
  g_autoptr (PareProgram) program = pare_program_compile (g, NULL, &error);
  g_assert_no_error (error);
  PareDtype dtype;
  PareShape shape;
  pare_program_get_input (program, 0, &dtype, &shape);
  g_assert_cmpint (shape.dims[1], ==, 0);
  pare_program_get_output (program, 0, &dtype, &shape);
  g_assert_cmpint (shape.dims[1], ==, 2);
}

/* One node on constants; its output's type and shape are said beforehand, as inference does. */
static PareTensor *
eval (PareGraph *g, PareValueId y, PareDtype dtype, PareShape shape, PareTensor **inputs)
{
  g_autoptr (GError) error = NULL;
  PareTensor *out = NULL;
  g->values[y].dtype = dtype;
  g->values[y].shape = shape;
  g_assert_true (pare_lower_eval_node (g, node_of (g, y), inputs, &out, &error));
  g_assert_no_error (error);
  g_assert_nonnull (out);
  g_assert_cmpint (out->dtype, ==, dtype);
  return out;
}

static void
test_eval_node (void)
{
  g_autoptr (PareGraph) g = make_graph (17);
  static const gint64 from[] = { 1 }, to[] = { 3 }, rest[] = { -1 }, zero[] = { 0 };
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, (gint64)2, (gint64)3, (gint64)5)),
              a = make_ints (g, "from", 1, from), b = make_ints (g, "to", 1, to), axes = make_ints (g, "axes", 1, zero),
              tail = make_ints (g, "tail", 1, rest), shape = MAKE (g, "Shape", "shape", x),
              part = MAKE (g, "Slice", "part", shape, a, b, axes), both = MAKE (g, "Concat", "both", tail, part),
              y = MAKE (g, "Reshape", "reshape", x, both);
  pare_node_set_int (node_of (g, both), "axis", 0);
  make_output (g, y);
  g_autoptr (PareTensor) data = wave (g->values[x].shape, 1);
  g_autoptr (PareTensor) extents = eval (g, shape, PARE_DTYPE_INT64, pare_shape_make (1, (gint64)3), &data);
  g_assert_cmpmem (extents->data, extents->bytes, ((gint64[]){ 2, 3, 5 }), 24);
  PareTensor *slice[] = { extents, g->values[a].constant, g->values[b].constant, g->values[axes].constant };
  g_autoptr (PareTensor) middle = eval (g, part, PARE_DTYPE_INT64, pare_shape_make (1, (gint64)2), slice);
  g_assert_cmpmem (middle->data, middle->bytes, ((gint64[]){ 3, 5 }), 16);
  PareTensor *parts[] = { g->values[tail].constant, middle };
  g_autoptr (PareTensor) joined = eval (g, both, PARE_DTYPE_INT64, pare_shape_make (1, (gint64)3), parts);
  g_assert_cmpmem (joined->data, joined->bytes, ((gint64[]){ -1, 3, 5 }), 24);
  /* and as a whole: the arithmetic folds away */
  g_autoptr (GError) error = NULL;
  g_autoptr (PareProgram) program = pare_program_compile (g, NULL, &error);
  g_assert_no_error (error);
  PareShape out;
  pare_program_get_output (program, 0, NULL, &out);
  g_autofree char *text = pare_shape_to_string (&out);
  g_assert_cmpstr (text, ==, "2×3×5");
  for (guint i = 0; i < pare_program_get_graph (program)->n_nodes; i++)
    g_assert_false (pare_node_is (&pare_program_get_graph (program)->nodes[i], "Concat"));
}

/* --- layers on codes --- */

static PareValueId
add_scalar (PareGraph *g, const char *name, float value)
{
  return make_float (g, name, pare_shape_make (0), &value);
}

enum
{
  PER_CHANNEL = 1,
  NORMALIZED = 2 /* what is rounded goes through a batch normalization and is rounded again */
};

/* A QDQ Conv (uint8 in and out, weights with their own zero point or a scale per channel) against integer arithmetic: every code must be
 * the same. */
static void
test_codes (gconstpointer data)
{
  int forms = GPOINTER_TO_INT (data);
  gboolean per_channel = (forms & PER_CHANNEL) != 0, normalizes = (forms & NORMALIZED) != 0;
  enum
  {
    IN = 24,
    SIZE = 16,
    N = M * SIZE * SIZE
  };
  const float sx = 0.01865845f, sy = sx * 0.0020571f * 64; /* one sum in 64 lies right between two codes */
  const int zx = 114, zy = 37;
  float sw[M];
  g_autofree gint64 *w = g_new (gint64, M * IN * 9);
  gint64 bias[M], zw = per_channel ? 0 : 133, zeros[M] = { 0 };
  for (int m = 0; m < M; m++)
    {
      sw[m] = per_channel ? 0.0020571f * (1 << m % 2) : 0.0020571f;
      bias[m] = 311 * m;
    }
  for (int i = 0; i < M * IN * 9; i++)
    w[i] = (i * 7919 + i / 5 * 104729) % 17 - 8 + (per_channel ? 0 : 133);
  g_autoptr (PareGraph) g = make_graph (21);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)IN, (gint64)SIZE, (gint64)SIZE));
  PareShape none = { .rank = 0 }, channels = pare_shape_make (1, (gint64)M);
  PareValueId scale_x = add_scalar (g, "sx", sx), zero_x = make_typed (g, "zx", PARE_DTYPE_UINT8, none, (gint64[]){ zx }),
              scale_y = add_scalar (g, "sy", sy), zero_y = make_typed (g, "zy", PARE_DTYPE_UINT8, none, (gint64[]){ zy }),
              scale_w = make_float (g, "sw", per_channel ? channels : none, sw),
              zero_w = make_typed (g, "zw", per_channel ? PARE_DTYPE_INT8 : PARE_DTYPE_UINT8, per_channel ? channels : none,
                                   per_channel ? zeros : &zw),
              codes_w = make_typed (g, "wq", per_channel ? PARE_DTYPE_INT8 : PARE_DTYPE_UINT8,
                                    pare_shape_make (4, (gint64)M, (gint64)IN, (gint64)3, (gint64)3), w),
              codes_b = make_typed (g, "bq", PARE_DTYPE_INT32, channels, bias);
  float sb[M];
  for (int m = 0; m < M; m++)
    sb[m] = sx * sw[m];
  PareValueId scale_b = make_float (g, "sb", per_channel ? channels : none, sb),
              zero_b = make_typed (g, "zb", PARE_DTYPE_INT32, per_channel ? channels : none, zeros);
  PareValueId xq = MAKE (g, "QuantizeLinear", "xq", x, scale_x, zero_x), xd = MAKE (g, "DequantizeLinear", "xd", xq, scale_x, zero_x),
              wd = MAKE (g, "DequantizeLinear", "wd", codes_w, scale_w, zero_w),
              bd = MAKE (g, "DequantizeLinear", "bd", codes_b, scale_b, zero_b), y = MAKE (g, "Conv", "conv", xd, wd, bd);
  pare_node_set_int (node_of (g, wd), "axis", 0);
  pare_node_set_int (node_of (g, bd), "axis", 0);
  pare_node_set_ints (node_of (g, y), "pads", (gint64[]){ 1, 1, 1, 1 }, 4);
  y = MAKE (g, "Relu", "relu", y);
  y = MAKE (g, "QuantizeLinear", "yq", y, scale_y, zero_y);
  y = MAKE (g, "DequantizeLinear", "yd", y, scale_y, zero_y);
  float factor[M], offset[M], mean[M], variance[M];
  const float sn = 0.013f;
  const int zn = 90;
  for (int m = 0; m < M; m++)
    {
      factor[m] = 0.4f + 0.3f * (float)(m % 3) - 1.5f * (float)(m % 4 == 2);
      offset[m] = 0.05f * (float)(m % 5) - 0.1f;
      mean[m] = 0.02f * (float)(m % 7);
      variance[m] = 0.8f + 0.1f * (float)m;
    }
  if (normalizes)
    {
      y = MAKE (g, "BatchNormalization", "norm", y, make_float (g, "factor", channels, factor), make_float (g, "offset", channels, offset),
                make_float (g, "mean", channels, mean), make_float (g, "variance", channels, variance));
      PareValueId scale_n = add_scalar (g, "sn", sn), zero_n = make_typed (g, "zn", PARE_DTYPE_UINT8, none, (gint64[]){ zn });
      y = MAKE (g, "DequantizeLinear", "nd", MAKE (g, "QuantizeLinear", "nq", y, scale_n, zero_n), scale_n, zero_n);
    }
  make_output (g, y);
  g_autoptr (PareTensor) in = wave (g->values[x].shape, 5);
  int inside = 0;
  for (guint k = 0; k < G_N_ELEMENTS (backends); k++)
    {
      g_autoptr (PareTensor) got = run (g, backends[k], FALSE, &in, 1, NULL);
      g_assert_cmpint (pare_tensor_count (got), ==, N);
      for (int i = 0; i < N; i++)
        {
          int m = i / (SIZE * SIZE), r = i / SIZE % SIZE, s = i % SIZE;
          gint64 sum = bias[m];
          for (int j = 0; j < IN * 9; j++)
            {
              int rr = r + j / 3 % 3 - 1, ss = s + j % 3 - 1;
              if (rr < 0 || rr >= SIZE || ss < 0 || ss >= SIZE)
                continue;
              float v = ((float *)in->data)[(j / 9 * SIZE + rr) * SIZE + ss];
              gint64 code = CLAMP ((gint64)nearbyintf (v / sx) + zx, 0, 255);
              sum += (code - zx) * (w[m * IN * 9 + j] - zw);
            }
          float v = fmaxf ((float)sum, 0) * (sx * sw[m] / sy);
          float code = CLAMP (nearbyintf (v) + zy, 0, 255);
          float want = (code - zy) * sy;
          if (normalizes)
            {
              float a = factor[m] / sqrtf (variance[m] + 1e-5f);
              volatile float product = (code - zy) * (a * sy / sn); /* rounded on its own */
              want = (CLAMP (nearbyintf (product + (offset[m] - mean[m] * a) / sn) + zn, 0, 255) - zn) * sn;
            }
          inside += code > zy && code < 255;
          g_assert_cmpfloat (((float *)got->data)[i], ==, want);
        }
    }
  g_assert_cmpint (inside, >, N / 4); /* the comparison is about roundings, not about clamps */
}

/* Functions of each element alone between two roundings, one of them with its number in front, are one table. */
static void
test_table (void)
{
  const float sx = 0.03f, sy = 0.011f;
  const int zx = 140, zy = 3;
  g_autoptr (PareGraph) g = make_graph (21);
  PareShape none = { .rank = 0 };
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, (gint64)2, (gint64)5, (gint64)67));
  PareValueId scale_x = add_scalar (g, "sx", sx), zero_x = make_typed (g, "zx", PARE_DTYPE_UINT8, none, (gint64[]){ zx }),
              scale_y = add_scalar (g, "sy", sy), zero_y = make_typed (g, "zy", PARE_DTYPE_UINT8, none, (gint64[]){ zy });
  PareValueId v = MAKE (g, "DequantizeLinear", "xd", MAKE (g, "QuantizeLinear", "xq", x, scale_x, zero_x), scale_x, zero_x);
  v = MAKE (g, "Mul", "times", v, add_scalar (g, "factor", 0.37f));
  v = MAKE (g, "Abs", "abs", MAKE (g, "Sub", "from", add_scalar (g, "number", 0.8f), v));
  v = MAKE (g, "DequantizeLinear", "yd", MAKE (g, "QuantizeLinear", "yq", v, scale_y, zero_y), scale_y, zero_y);
  make_output (g, v);
  g_autoptr (PareTensor) in = wave (g->values[x].shape, 3);
  for (guint k = 0; k < G_N_ELEMENTS (backends); k++)
    {
      guint layers;
      g_autoptr (PareTensor) got = run (g, backends[k], FALSE, &in, 1, &layers);
      g_assert_cmpuint (layers, ==, 3); /* onto the grid, the table, back */
      for (gint64 i = 0; i < pare_tensor_count (got); i++)
        {
          float real = (CLAMP (nearbyintf (((float *)in->data)[i] / sx) + zx, 0, 255) - zx) * sx;
          volatile float product = real * 0.37f; /* rounded on its own */
          float code = CLAMP (nearbyintf (fabsf (0.8f - product) / sy) + zy, 0, 255);
          g_assert_cmpfloat (((float *)got->data)[i], ==, (code - zy) * sy);
        }
    }
}

/* Attention whose every part is rounded is one step on codes; where a part of it is read (tapped) too, it is computed step by step in
 * floats, whose sums may fall on the other side of a half now and then. */
static void
test_code_attention (void)
{
  for (int masked = 0; masked < 2; masked++)
    {
      const float mask_values[7 * 7] = { 0, -3, -1e9f, 0.5f, 0, -1e9f, 2 };
      g_autoptr (PareGraph) g = make_graph (21);
      PareValueId x[3];
      for (int i = 0; i < 3; i++)
        x[i] = make_input (g, (const char *[]){ "q", "k", "v" }[i], PARE_DTYPE_FLOAT32,
                           pare_shape_make (4, (gint64)1, (gint64)3, (gint64)7, (gint64)8));
      PareValueId k = MAKE (g, "Transpose", "turned", round_to (g, "kr", x[1], 0.008f, 120));
      pare_node_set_ints (node_of (g, k), "perm", (gint64[]){ 0, 1, 3, 2 }, 4);
      PareValueId s = round_to (g, "sr", MAKE (g, "MatMul", "scores", round_to (g, "qr", x[0], 0.008f, 130), k), 0.03f, 128);
      s = round_to (g, "fr", MAKE (g, "Mul", "times", s, add_scalar (g, "factor", 2)), 0.055f, 126);
      if (masked)
        s = round_to (g, "mr", MAKE (g, "Add", "masked", make_float (g, "mask", pare_shape_make (2, (gint64)7, (gint64)7), mask_values), s),
                      0.06f, 200);
      PareValueId soft = MAKE (g, "Softmax", "softmax", s);
      PareValueId y = round_to (
          g, "yr", MAKE (g, "MatMul", "product", round_to (g, "wr", soft, 1 / 255.0f, 0), round_to (g, "vr", x[2], 0.008f, 127)), 0.007f,
          128);
      make_output (g, y);
      PareTensor *in[3] = { wave (g->values[x[0]].shape, 3), wave (g->values[x[1]].shape, 7), wave (g->values[x[2]].shape, 11) };
      for (guint b = 0; b < G_N_ELEMENTS (backends); b++)
        {
          guint fused, apart, off = 0;
          g_autoptr (PareTensor) got = run (g, backends[b], FALSE, in, 3, &fused);
          make_output (g, soft);
          g_autoptr (PareTensor) want = run (g, backends[b], FALSE, in, 3, &apart);
          g->n_outputs--;
          g_assert_cmpuint (fused, ==, 3 + 1 + 1 + 1); /* onto the grids, the transposition, attention, back */
          g_assert_cmpuint (apart, >, fused + 3);
          for (gint64 i = 0; i < pare_tensor_count (got); i++)
            {
              float apart_by = fabsf (((float *)got->data)[i] - ((float *)want->data)[i]);
              g_assert_cmpfloat (apart_by, <, 0.0071f);
              off += apart_by > 0.001f;
            }
          g_assert_cmpuint (off, <=, 2);
        }
      for (int i = 0; i < 3; i++)
        pare_tensor_unref (in[i]);
    }
}

/* --- the reference outputs of real models --- */

static PareTensor *
load (const char *root, const char *file)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (root, file, NULL);
  PareTensor *t = pare_npy_load (path, &error);
  g_assert_no_error (error);
  return t;
}

static gboolean
run_case (const char *root, const char *name, JsonObject *c, PareBackend backend)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (root, json_object_get_string_member (c, "model"), NULL);
  g_autoptr (PareGraph) g = pare_onnx_load (path, NULL, &error);
  g_assert_no_error (error);
  JsonObject *in = json_object_get_object_member (c, "inputs"), *out = json_object_get_object_member (c, "outputs");
  g_autoptr (GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_tensor_unref);
  g_autofree PareNamedShape *shapes = g_new0 (PareNamedShape, g->n_inputs);
  g_autofree PareView *views = g_new0 (PareView, g->n_inputs);
  for (guint i = 0; i < g->n_inputs; i++)
    {
      const char *input = g->values[g->inputs[i]].name;
      PareTensor *t = load (root, json_object_get_string_member (in, input));
      g_ptr_array_add (tensors, t);
      shapes[i] = (PareNamedShape){ input, t->shape };
      views[i] = pare_tensor_view (t);
    }
  PareCompileOptions options = { .backend = backend, .shapes = shapes, .n_shapes = g->n_inputs };
  g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
  g_assert_no_error (error);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 2, &error);
  g_assert_no_error (error);
  pare_runner_run (runner, views, g->n_inputs, NULL, &error);
  g_assert_no_error (error);
  gboolean quantized = strstr (name, "qdq") != NULL || strstr (name, "qlinear") != NULL, good = TRUE;
  double limit = quantized ? 0.15 : strstr (name, "fp16") != NULL ? 2e-2 : 1e-4, worst = 0;
  for (guint i = 0; i < pare_program_get_n_outputs (program); i++)
    {
      g_autoptr (PareTensor) want = load (root, json_object_get_string_member (out, pare_program_get_output (program, i, NULL, NULL))),
                             got = copy_view (pare_runner_get_output (runner, i));
      g_assert_cmpint (want->dtype, ==, got->dtype);
      g_assert_true (pare_shape_equal (&want->shape, &got->shape));
      double lo = INFINITY, hi = -INFINITY, most = 1e-6, error_here = 0, dot = 0, ww = 0, gg = 0;
      for (gint64 k = 0; k < pare_tensor_count (want); k++)
        {
          double w = pare_tensor_get_double (want, k), v = pare_tensor_get_double (got, k);
          g_assert_cmpint (isfinite (w), ==, isfinite (v));
          lo = fmin (lo, w);
          hi = fmax (hi, w);
          most = fmax (most, fabs (w));
          error_here = fmax (error_here, fabs (w - v));
          dot += w * v;
          ww += w * w;
          gg += v * v;
        }
      worst = fmax (worst, error_here / fmax (hi - lo, most));
      good &= !quantized || dot / fmax (sqrt (ww) * sqrt (gg), 1e-12) > 0.995;
    }
  good &= worst <= limit;
  g_test_message ("%s (%s): error %.1e of the output's range, limit %.0e", name, backend == PARE_BACKEND_PORTABLE ? "portable" : "onednn",
                  worst, limit);
  return good;
}

static void
test_material (gconstpointer data)
{
  static const char *const parts[] = { "cifar10", "imagenet", "mnist", "tiny", "text", "audio", "superres", "stm32" };
  g_autofree char *models = material_models (), *root = models != NULL ? g_path_get_dirname (models) : NULL,
                  *file = root != NULL ? g_build_filename (root, "cases.json", NULL) : NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();
  if (file == NULL || !json_parser_load_from_file (parser, file, NULL))
    {
      g_test_skip ("the public models are not there");
      return;
    }
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;
  guint ran = 0;
  g_autoptr (GString) failed = g_string_new (NULL);
  json_object_iter_init (&iter, json_node_get_object (json_parser_get_root (parser)));
  while (json_object_iter_next (&iter, &name, &node))
    {
      gboolean wanted = FALSE;
      for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
        wanted |= strstr (name, parts[i]) != NULL;
      if (!wanted || !json_object_has_member (json_node_get_object (node), "outputs"))
        continue;
      ran++;
      if (!run_case (root, name, json_node_get_object (node), (PareBackend)GPOINTER_TO_INT (data)))
        g_string_append_printf (failed, " %s", name);
    }
  g_assert_cmpuint (ran, >, 0);
  g_assert_cmpstr (failed->str, ==, "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/lower/fuse/chain", test_fuse_chain);
  g_test_add_func ("/lower/fuse/swish", test_fuse_swish);
  g_test_add_func ("/lower/fuse/pad", test_fuse_pad);
  g_test_add_func ("/lower/fuse/focus", test_fuse_focus);
  g_test_add_func ("/lower/upright", test_upright);
  g_test_add_func ("/lower/einsum", test_einsum);
  g_test_add_func ("/lower/taps", test_taps);
  g_test_add_func ("/lower/assumed-shapes", test_assumed_shapes);
  g_test_add_func ("/lower/wrong-inputs", test_wrong_inputs);
  g_test_add_func ("/lower/memory-budget", test_memory_budget);
  g_test_add_func ("/lower/empty-extent", test_empty_extent);
  g_test_add_func ("/lower/eval-node", test_eval_node);
  g_test_add_data_func ("/lower/codes/zero-point", GINT_TO_POINTER (0), test_codes);
  g_test_add_data_func ("/lower/codes/per-channel", GINT_TO_POINTER (PER_CHANNEL), test_codes);
  g_test_add_func ("/lower/codes/table", test_table);
  g_test_add_func ("/lower/codes/attention", test_code_attention);
  g_test_add_data_func ("/lower/codes/normalized", GINT_TO_POINTER (PER_CHANNEL | NORMALIZED), test_codes);
  g_test_add_data_func ("/lower/material/portable", GINT_TO_POINTER (PARE_BACKEND_PORTABLE), test_material);
  g_test_add_data_func ("/lower/material/onednn", GINT_TO_POINTER (PARE_BACKEND_ONEDNN), test_material);
  return g_test_run ();
}
