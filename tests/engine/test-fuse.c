/* What transformers write out in many nodes becomes few steps, with the figures of the nodes one by one, in the portable kernels and
 * oneDNN. */
#include "engine/lower/pare-program.h"
#include "tests/engine/exact.h"
#include "tests/engine/make-graph.h"

#include <math.h>

#define TOKENS 19
#define HEADS 3
#define EACH 24
#define WIDE (HEADS * EACH)

static PareTensor *
wave (const PareShape *shape, int seed)
{
  PareTensor *t = pare_tensor_new (PARE_DTYPE_FLOAT32, shape, NULL);
  for (gint64 i = 0; i < pare_tensor_count (t); i++)
    ((float *)t->data)[i] = (float)(((i * 7919 + seed * 104729) % 2003) / 1001.5 - 1) * 1.5f;
  return t;
}

/* (transfer full) What all ways compute from. */
static GPtrArray *
make_inputs (const PareGraph *g)
{
  GPtrArray *inputs = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_tensor_unref);
  for (guint i = 0; i < g->n_inputs; i++)
    g_ptr_array_add (inputs, wave (&g->values[g->inputs[i]].shape, (int)i + 1));
  return inputs;
}

/* (transfer full) The first output; layers: nodes with steps of their own. */
static PareTensor *
run (const PareGraph *g, const GPtrArray *inputs, PareBackend backend, gboolean no_fusion, int threads, guint *layers)
{
  g_autoptr (GError) error = NULL;
  PareCompileOptions options = { .backend = backend, .no_fusion = no_fusion };
  g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
  g_assert_no_error (error);
  g_autoptr (PareRunner) runner = pare_runner_new (program, threads, &error);
  g_assert_no_error (error);
  PareView views[4];
  for (guint i = 0; i < g->n_inputs; i++)
    views[i] = pare_tensor_view (inputs->pdata[i]);
  pare_runner_set_profiling (runner, TRUE);
  pare_runner_run (runner, views, g->n_inputs, NULL, &error);
  g_assert_no_error (error);
  guint count = 0;
  PareLayerTime *times = pare_runner_dup_times (runner, &count);
  pare_layer_times_free (times, count);
  if (layers != NULL)
    *layers = count;
  PareView view = pare_runner_get_output (runner, 0);
  PareTensor *t = pare_tensor_new (view.dtype, &view.shape, NULL);
  memcpy (t->data, view.data, t->bytes);
  return t;
}

#define ONE 6      /* times as far off as is likely one result may be: it is up to 4.9, whatever kernels run */
#define TOGETHER 2 /* and the root of the mean square of all: up to 1.4, mostly a quarter */

static void
assert_near (const float *got, const Exact *exact)
{
  gint64 n = pare_shape_count (&exact->shape);
  double squares = 0;
  for (gint64 i = 0; i < n; i++)
    {
      g_assert_cmpfloat (fabs (got[i] - exact->y[i]), <=, ONE * exact->off[i]);
      if (exact->off[i] > 0)
        squares += pow ((got[i] - exact->y[i]) / exact->off[i], 2);
    }
  g_assert_cmpfloat (sqrt (squares / (double)n), <=, TOGETHER);
}

/* The graph runs in `steps` layers, each result as near to the exact one as float32 may be, fused or not. Takes g. */
static void
check (PareGraph *g, PareValueId y, guint steps)
{
  make_output (g, y);
  g_autoptr (GPtrArray) inputs = make_inputs (g);
  Exact exact = exact_run (g, (PareTensor *const *)inputs->pdata);
  static const struct
  {
    PareBackend backend;
    gboolean no_fusion;
    int threads;
  } ways[] = { { PARE_BACKEND_PORTABLE, TRUE, 1 },
               { PARE_BACKEND_PORTABLE, FALSE, 1 },
               { PARE_BACKEND_PORTABLE, FALSE, 2 },
               { PARE_BACKEND_AUTO, FALSE, 1 },
               { PARE_BACKEND_AUTO, FALSE, 2 } };
  for (guint w = 0; w < G_N_ELEMENTS (ways); w++)
    {
      guint layers;
      g_autoptr (PareTensor) got = run (g, inputs, ways[w].backend, ways[w].no_fusion, ways[w].threads, &layers);
      if (!ways[w].no_fusion)
        g_assert_cmpuint (layers, ==, steps);
      g_assert_cmpint (pare_tensor_count (got), ==, pare_shape_count (&exact.shape));
      assert_near ((const float *)got->data, &exact);
    }
  exact_clear (&exact);
  pare_graph_unref (g);
}

/* The same against a run in which nothing is fused, NaN and all. Takes g. */
static void
check_alike (PareGraph *g, PareValueId y, guint steps)
{
  make_output (g, y);
  g_autoptr (GPtrArray) inputs = make_inputs (g);
  g_autoptr (PareTensor) want = run (g, inputs, PARE_BACKEND_PORTABLE, TRUE, 1, NULL);
  for (guint way = 0; way < 4; way++)
    {
      guint layers;
      g_autoptr (PareTensor) got = run (g, inputs, way < 2 ? PARE_BACKEND_PORTABLE : PARE_BACKEND_AUTO, FALSE, 1 + (int)(way % 2), &layers);
      g_assert_cmpuint (layers, ==, steps);
      for (gint64 i = 0; i < pare_tensor_count (want); i++)
        {
          float a = ((const float *)got->data)[i], b = ((const float *)want->data)[i];
          g_assert_true (isnan (a) == isnan (b) && !(fabsf (a - b) > 1e-4f));
        }
    }
  pare_graph_unref (g);
}

static PareValueId
number (PareGraph *g, const char *name, float value)
{
  return make_float (g, name, pare_shape_make (0), &value);
}

static PareValueId
linear (PareGraph *g, PareValueId x, const char *name, gint64 in, gint64 out)
{
  g_autofree char *w = g_strconcat (name, "_w", NULL), *b = g_strconcat (name, "_b", NULL), *sum = g_strconcat (name, "_sum", NULL);
  PareValueId weights = make_float (g, w, pare_shape_make (2, in, out), NULL), bias = make_float (g, b, pare_shape_make (1, out), NULL);
  PareValueId product = MAKE (g, "MatMul", name, x, weights);
  return MAKE (g, "Add", sum, product, bias);
}

static PareValueId
transpose (PareGraph *g, PareValueId x, const char *name, const gint64 *perm, guint n)
{
  PareValueId y = MAKE (g, "Transpose", name, x);
  pare_node_set_ints (node_of (g, y), "perm", perm, n);
  return y;
}

typedef enum
{
  GELU_ERF_DIV,
  GELU_ERF_MUL,
  GELU_ERF_HALF,
  GELU_TANH,
  SWISH,
  QUICK_GELU,
  HARD_SWISH,
  MISH,
  ELU,
  PRELU,
  GELU_OP,
  GELU_TANH_OP,
  MISH_OP
} Unit;

static PareValueId
unit (PareGraph *g, PareValueId x, Unit kind)
{
  PareValueId one = number (g, "one", 1), half = number (g, "half", 0.5f);
  switch (kind)
    {
    case GELU_TANH:
      {
        PareValueId cube = MAKE (g, "Pow", "cube", x, number (g, "three", 3)), c = number (g, "c", 0.044715f);
        PareValueId inner = MAKE (g, "Add", "inner", x, MAKE (g, "Mul", "small", c, cube));
        PareValueId scaled = MAKE (g, "Mul", "scaled", inner, number (g, "root", 0.7978845608f));
        PareValueId plus = MAKE (g, "Add", "plus", MAKE (g, "Tanh", "tanh", scaled), one);
        return MAKE (g, "Mul", "out", MAKE (g, "Mul", "halved", x, half), plus);
      }
    case GELU_OP:
      return MAKE (g, "Gelu", "out", x);
    case GELU_TANH_OP:
      {
        PareValueId y = MAKE (g, "Gelu", "out", x);
        pare_node_set_string (node_of (g, y), "approximate", "tanh");
        return y;
      }
    case MISH:
      return MAKE (g, "Mul", "out", x, MAKE (g, "Tanh", "tanh", MAKE (g, "Softplus", "softplus", x)));
    case ELU:
      return MAKE (g, "Elu", "out", x);
    case PRELU: /* one slope for all channels */
      return MAKE (g, "PRelu", "out", x, number (g, "quarter", 0.25f));
    case MISH_OP:
      return MAKE (g, "Mish", "out", x);
    case SWISH:
      return MAKE (g, "Mul", "out", MAKE (g, "Sigmoid", "sigmoid", x), x);
    case QUICK_GELU:
      return MAKE (g, "Mul", "out", x, MAKE (g, "Sigmoid", "sigmoid", MAKE (g, "Mul", "scaled", x, number (g, "slope", 1.702f))));
    case HARD_SWISH:
      {
        PareValueId clip
            = MAKE (g, "Clip", "clip", MAKE (g, "Add", "moved", x, number (g, "three", 3)), number (g, "zero", 0), number (g, "six", 6));
        return MAKE (g, "Div", "out", MAKE (g, "Mul", "times", x, clip), number (g, "six_too", 6));
      }
    default:
      {
        PareValueId scaled = kind == GELU_ERF_DIV ? MAKE (g, "Div", "scaled", x, number (g, "root", sqrtf (2)))
                                                  : MAKE (g, "Mul", "scaled", x, number (g, "root", sqrtf (0.5f)));
        PareValueId plus = MAKE (g, "Add", "plus", MAKE (g, "Erf", "erf", scaled), one);
        if (kind == GELU_ERF_HALF)
          return MAKE (g, "Mul", "out", MAKE (g, "Mul", "halved", x, half), plus);
        return MAKE (g, "Mul", "out", MAKE (g, "Mul", "times", x, plus), half);
      }
    }
}

/* A product with its bias and its unit is one step. */
static void
test_units (void)
{
  for (Unit kind = GELU_ERF_DIV; kind <= MISH_OP; kind++)
    {
      PareGraph *g = make_graph (kind >= GELU_OP ? 20 : 17);
      PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, 2, TOKENS, WIDE));
      check (g, unit (g, linear (g, x, "fc", WIDE, 50), kind), 1);
      g = make_graph (kind >= GELU_OP ? 20 : 17);
      x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, 2, TOKENS, WIDE));
      check (g, unit (g, x, kind), 1);
    }
}

/* What somebody else reads too stays a value of its own. */
static void
test_unit_shared (void)
{
  PareGraph *g = make_graph (17);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, 2, TOKENS, WIDE)), fc = linear (g, x, "fc", WIDE, WIDE);
  check (g, MAKE (g, "Add", "both", unit (g, fc, GELU_ERF_DIV), fc), 3);
  g = make_graph (17);
  x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, 2, TOKENS, WIDE));
  PareValueId y = unit (g, x, GELU_ERF_DIV), erf = pare_graph_find_value (g, "erf_out");
  check (g, MAKE (g, "Add", "both", y, erf), 6);
}

/* x + fc2 (gelu (fc1 (x))), twice: the residual is part of the second product, and is still there for the next. */
static void
test_residual (void)
{
  PareGraph *g = make_graph (17);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, 1, TOKENS, WIDE));
  PareValueId a = MAKE (g, "Relu", "relu", x),
              b = MAKE (g, "Add", "sum1", a, linear (g, unit (g, linear (g, a, "fc1", WIDE, 40), SWISH), "fc2", 40, WIDE));
  PareValueId c = MAKE (g, "Add", "sum2", linear (g, b, "fc3", WIDE, WIDE), b);
  check (g, MAKE (g, "Mul", "end", c, x), 5);
}

/* A layer normalization that is written out, with and without what it is scaled by. */
static void
test_norm (void)
{
  for (guint form = 0; form < 3; form++)
    {
      PareGraph *g = make_graph (18);
      const gint64 last = -1;
      PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, 2, TOKENS, WIDE)), axes = make_ints (g, "axes", 1, &last);
      PareValueId d = MAKE (g, "Sub", "centred", x, MAKE (g, "ReduceMean", "mean", x, axes));
      PareValueId square = form == 1 ? MAKE (g, "Mul", "square", d, d) : MAKE (g, "Pow", "square", d, number (g, "two", 2));
      PareValueId var = MAKE (g, "Add", "plus", MAKE (g, "ReduceMean", "var", square, axes), number (g, "epsilon", 1e-5f));
      PareValueId y = MAKE (g, "Div", "normal", d, MAKE (g, "Sqrt", "root", var));
      if (form < 2)
        y = MAKE (g, "Add", "shifted", MAKE (g, "Mul", "times", y, make_float (g, "scale", pare_shape_make (1, WIDE), NULL)),
                  make_float (g, "bias", pare_shape_make (1, WIDE), NULL));
      check (g, y, 1);
    }
}

/* The same by the root of the mean square, as exports of language models write it, and as an operator. */
static void
test_rms_norm (void)
{
  for (guint form = 0; form < 4; form++)
    {
      PareGraph *g = make_graph (form == 3 ? 23 : 18);
      const gint64 last = -1;
      PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, 2, TOKENS, WIDE)), axes = make_ints (g, "axes", 1, &last);
      PareValueId scale = make_float (g, "scale", pare_shape_make (1, WIDE), NULL), y;
      if (form == 3)
        y = MAKE (g, "RMSNormalization", "norm", x, scale);
      else
        {
          PareValueId square = form == 1 ? MAKE (g, "Mul", "square", x, x) : MAKE (g, "Pow", "square", x, number (g, "two", 2));
          PareValueId mean = MAKE (g, "Add", "plus", MAKE (g, "ReduceMean", "mean", square, axes), number (g, "epsilon", 1e-5f));
          PareValueId root = MAKE (g, "Sqrt", "root", mean);
          PareValueId normal = form == 0   ? MAKE (g, "Div", "normal", x, root)
                               : form == 1 ? MAKE (g, "Mul", "normal", x, MAKE (g, "Reciprocal", "one_over", root))
                                           : MAKE (g, "Mul", "normal", MAKE (g, "Div", "one_over", number (g, "one", 1), root), x);
          y = MAKE (g, "Mul", "times", scale, normal);
        }
      check (g, y, 1);
    }
}

/* Heads are split, attended and joined in one step; the products around it are three and one. */
static void
test_attention (void)
{
  static const gint64 split[4] = { 0, 0, HEADS, EACH }, merge[3] = { 0, 0, WIDE }, heads[4] = { 0, 2, 1, 3 }, turned[4] = { 0, 2, 3, 1 },
                      last[4] = { 0, 1, 3, 2 };
  for (guint form = 0; form < 8; form++)
    {
      gboolean mask = form % 2 == 1, late = form / 2 % 2 == 1, div = form / 4 == 1;
      PareGraph *g = make_graph (17);
      PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, 2, TOKENS, WIDE));
      PareValueId shape = make_ints (g, "split", 4, split), parts[3];
      static const char *const names[] = { "q", "k", "v" }, *const moved[] = { "q_heads", "k_heads", "v_heads" },
                               *const shaped[] = { "q_split", "k_split", "v_split" };
      for (guint i = 0; i < 3; i++)
        {
          PareValueId y = MAKE (g, "Reshape", shaped[i], linear (g, x, names[i], WIDE, WIDE), shape);
          parts[i] = transpose (g, y, moved[i], i == 1 && !late ? turned : heads, 4);
        }
      if (late)
        parts[1] = transpose (g, parts[1], "k_turned", last, 4);
      PareValueId s = MAKE (g, "MatMul", "scores", parts[0], parts[1]);
      s = MAKE (g, div ? "Div" : "Mul", "scaled", s, number (g, "factor", div ? 4.9f : 0.2f));
      if (mask)
        {
          float values[TOKENS * TOKENS];
          for (guint i = 0; i < G_N_ELEMENTS (values); i++)
            values[i] = i % TOKENS > i / TOKENS ? -1e9f : 0;
          s = MAKE (g, "Add", "masked", s, make_float (g, "mask", pare_shape_make (4, 1, 1, TOKENS, TOKENS), values));
        }
      PareValueId y = MAKE (g, "MatMul", "mixed", MAKE (g, "Softmax", "softmax", s), parts[2]);
      y = MAKE (g, "Reshape", "joined", transpose (g, y, "merged", heads, 4), make_ints (g, "merge", 3, merge));
      check (g, linear (g, y, "out", WIDE, WIDE), 5);
    }
}

/* Queries, keys and values are parts of one product, in front of or behind a transposition, taken one by one or split; queries are scaled.
 * They are read where they lie, unless somebody else reads the parts; also behind a larger part that nobody reads. */
static void
test_attention_parts (void)
{
  static const gint64 merge[3] = { 0, 0, WIDE }, heads[4] = { 0, 2, 1, 3 }, last[4] = { 0, 1, 3, 2 }, front[5] = { 2, 0, 3, 1, 4 },
                      sizes[4] = { 2, 1, 1, 1 };
  static const char *const names[] = { "q", "k", "v" };
  for (guint form = 0; form < 10; form++)
    {
      gboolean late = form % 2 == 1, one_by_one = form / 2 % 2 == 1, read = form / 4 == 1, unread = form / 4 == 2;
      const gint64 axis = late ? 2 : 0, split[5] = { 0, 0, unread ? 5 : 3, HEADS, EACH };
      PareGraph *g = make_graph (17);
      PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, 2, TOKENS, WIDE)), parts[3];
      PareValueId all = MAKE (g, "Reshape", "shaped", linear (g, x, "all", WIDE, (int)split[2] * WIDE), make_ints (g, "split", 5, split));
      if (!late)
        all = transpose (g, all, "front", front, 5);
      for (guint i = 0; i < 3; i++)
        if (one_by_one)
          {
            const gint64 at = i < 2 ? (gint64)i : -1;
            g_autofree char *index = g_strconcat (names[i], "_index", NULL);
            PareValueId which = make_typed (g, index, PARE_DTYPE_INT64, pare_shape_make (0), &at);
            parts[i] = MAKE (g, "Gather", names[i], all, which);
            pare_node_set_int (node_of (g, parts[i]), "axis", axis);
          }
      if (!one_by_one)
        {
          guint skip = unread ? 0 : 1; /* of the sizes */
          PareValueId from[] = { all, make_ints (g, "sizes", 4 - skip, sizes + skip) }, axes = make_ints (g, "axes", 1, &axis),
                      cut[4] = { PARE_NONE };
          for (guint i = 0; i < 3; i++)
            cut[i + 1] = parts[i] = pare_graph_add_value (g, names[i], PARE_DTYPE_NONE, NULL, PARE_NONE);
          PareNodeId id = pare_graph_add_node (g, "Split", "cut", from, 2, cut + skip, 4 - skip, PARE_NONE, PARE_ROLE_SELF);
          pare_node_set_int (&g->nodes[id], "axis", axis);
          g->nodes[id].origin = id;
          for (guint i = 0; i < 3; i++)
            {
              g_autofree char *name = g_strconcat (names[i], "_part", NULL);
              g->values[parts[i]].origin = parts[i];
              parts[i] = MAKE (g, "Squeeze", name, parts[i], axes);
            }
        }
      for (guint i = 0; i < 3 && late; i++)
        {
          g_autofree char *name = g_strconcat (names[i], "_heads", NULL);
          parts[i] = transpose (g, parts[i], name, heads, 4);
        }
      PareValueId q = MAKE (g, "Mul", "q_scaled", parts[0], number (g, "factor", 0.2f));
      PareValueId scores = MAKE (g, "MatMul", "scores", q, transpose (g, parts[1], "k_turned", last, 4));
      PareValueId y = MAKE (g, "MatMul", "mixed", MAKE (g, "Softmax", "softmax", scores), parts[2]);
      if (read)
        y = MAKE (g, "Add", "more", y, parts[2]);
      y = MAKE (g, "Reshape", "joined", transpose (g, y, "merged", heads, 4), make_ints (g, "merge", 3, merge));
      y = linear (g, y, "out", WIDE, WIDE);
      make_output (g, y);
      g_autoptr (GPtrArray) inputs = make_inputs (g);
      g_autoptr (PareTensor) want = run (g, inputs, PARE_BACKEND_PORTABLE, TRUE, 1, NULL);
      for (guint way = 0; way < 4; way++)
        {
          guint layers;
          g_autoptr (PareTensor) got
              = run (g, inputs, way < 2 ? PARE_BACKEND_PORTABLE : PARE_BACKEND_AUTO, FALSE, 1 + (int)(way % 2), &layers);
          if (read)
            g_assert_cmpuint (layers, >, 3);
          else
            g_assert_cmpuint (layers, ==, 3);
          for (gint64 i = 0; i < pare_tensor_count (want); i++)
            g_assert_cmpfloat_with_epsilon (((const float *)got->data)[i], ((const float *)want->data)[i], 1e-4f);
        }
      pare_graph_unref (g);
    }
}

/* Of three axes, not turned, and where somebody reads the probabilities: then it stays as it is. */
static void
test_attention_plain (void)
{
  static const gint64 turned[3] = { 0, 2, 1 };
  for (guint form = 0; form < 2; form++)
    {
      PareGraph *g = make_graph (17);
      PareValueId q = make_input (g, "q", PARE_DTYPE_FLOAT32, pare_shape_make (3, 2, TOKENS, EACH));
      PareValueId k = make_input (g, "k", PARE_DTYPE_FLOAT32, pare_shape_make (3, 2, 70, EACH));
      PareValueId v = make_input (g, "v", PARE_DTYPE_FLOAT32, pare_shape_make (3, 2, 70, 37));
      PareValueId p = MAKE (g, "Softmax", "softmax", MAKE (g, "MatMul", "scores", q, transpose (g, k, "turn", turned, 3)));
      PareValueId y = MAKE (g, "MatMul", "mixed", p, v);
      const gint64 two = 2;
      PareValueId axes = make_ints (g, "axes", 1, &two);
      if (form == 1) /* the largest probability, added */
        y = MAKE (g, "Add", "sum", y, MAKE (g, "ReduceMax", "most", p, axes));
      g->opset = 18;
      check (g, y, form == 0 ? 1 : 6);
    }
}

/* Heads that share keys and values, as an axis of their own or as one for all, behind masks that hide what comes later: exactly, by a large
 * number, by one that the scores exceed, and all of a row, which may then weigh nothing. */
static void
test_attention_shared (void)
{
#define LONG 61
  static const gint64 rows5[5] = { 0, 2, 3, 1, 4 }, columns5[5] = { 0, 2, 3, 4, 1 }, back5[5] = { 0, 3, 1, 2, 4 },
                      rows4[4] = { 0, 2, 1, 3 }, columns4[4] = { 0, 2, 3, 1 };
  for (guint form = 0; form < 14; form++)
    {
      gboolean five = form % 2 == 0;
      guint kind = form / 2;
      PareGraph *g = make_graph (17);
      PareShape many = five ? pare_shape_make (5, 1, LONG, 2, 3, 8) : pare_shape_make (4, 2, LONG, 6, 8);
      PareShape few = five ? pare_shape_make (5, 1, LONG, 2, 1, 8) : pare_shape_make (4, 2, LONG, 1, 8);
      guint rank = five ? 5 : 4;
      PareValueId q = transpose (g, make_input (g, "q", PARE_DTYPE_FLOAT32, many), "q_heads", five ? rows5 : rows4, rank);
      PareValueId k = transpose (g, make_input (g, "k", PARE_DTYPE_FLOAT32, few), "k_heads", five ? columns5 : columns4, rank);
      PareValueId v = transpose (g, make_input (g, "v", PARE_DTYPE_FLOAT32, few), "v_heads", five ? rows5 : rows4, rank);
      PareValueId s = MAKE (g, "Mul", "scaled", MAKE (g, "MatMul", "scores", q, k), number (g, "factor", kind == 2 ? 2e9f : 0.4f));
      float values[LONG * LONG];
      for (guint i = 0; i < G_N_ELEMENTS (values); i++)
        values[i] = i % LONG <= i / LONG ? 0 : kind == 0 || kind > 4 ? -INFINITY : -1e9f;
      for (guint i = 0; kind == 3 && i < LONG; i++)
        values[50 * LONG + i] = -1e9f;
      for (guint i = 0; kind == 4 && i < LONG; i++) /* the last that is not hidden is hidden by half */
        values[2 * LONG + i] = i < 2 ? -1e9f : i == 2 ? -1e7f : -1e9f;
      for (guint i = 0; kind == 5 && i < LONG; i++) /* rows of which nothing is left, some of them beside each other */
        values[i] = values[LONG + i] = values[50 * LONG + i] = -INFINITY;
      s = MAKE (g, "Add", "masked", s, make_float (g, "mask", pare_shape_make (2, LONG, LONG), values));
      PareValueId p = MAKE (g, "Softmax", "softmax", s);
      if (kind > 4)
        p = MAKE (g, "Where", "no_nan", MAKE (g, "IsNaN", "is_nan", p), number (g, "zero", 0), p);
      PareValueId y = MAKE (g, "MatMul", "mixed", p, v);
      (kind > 4 ? check_alike : check) (g, transpose (g, y, "merged", five ? back5 : rows4, rank), 1);
    }
#undef LONG
}

/* Functions of one value on codes whose ways part and meet again are one table, with the figures of the nodes one by one: those are read
 * (so that nothing is fused) in the second graph. */
static void
test_code_tables (void)
{
  static const PareBackend backends[] = { PARE_BACKEND_PORTABLE, PARE_BACKEND_ONEDNN };
  for (int i = 0; i < 7; i++)
    {
      g_autoptr (PareGraph) g = make_graph (21);
      PareValueId in = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, (gint64)2, (gint64)3, (gint64)77)),
                  x = round_to (g, "xr", in, 0.021f, 120), s = MAKE (g, "Sigmoid", "sigmoid", x), parts[3] = { s };
      if (i != 1) /* as they are, rounded, and a function of what is rounded */
        parts[0] = s = round_to (g, "sr", s, 1 / 255.0f, 0);
      if (i == 2)
        parts[1] = s = round_to (g, "tr", MAKE (g, "Tanh", "tanh", s), 0.004f, 30);
      for (int k = 0; i > 3 && k < (i == 4 ? 7 : 40);
           k++) /* as far as one table goes, farther, and farther with nothing rounded on the way */
        {
          g_autofree char *name = g_strdup_printf ("tanh%d", k), *rounded = g_strdup_printf ("tr%d", k);
          parts[1] = s = MAKE (g, k % 2 ? "Tanh" : "Sigmoid", name, s);
          if (i < 6)
            parts[1] = s = round_to (g, rounded, s, 1 / 255.0f, 0);
        }
      PareValueId m = i == 3 ? MAKE (g, "Sub", "minus", MAKE (g, "Abs", "abs", x), s) : MAKE (g, "Mul", "mul", x, s);
      parts[2] = m;
      make_output (g, round_to (g, "yr", m, 0.0132f, 40));
      g_autoptr (GPtrArray) inputs = make_inputs (g);
      for (guint b = 0; b < G_N_ELEMENTS (backends); b++)
        {
          guint fused, apart, outputs = g->n_outputs;
          g_autoptr (PareTensor) got = run (g, inputs, backends[b], FALSE, 1, &fused);
          for (guint k = 0; k < G_N_ELEMENTS (parts); k++)
            if (parts[k] != 0)
              make_output (g, parts[k]);
          g_autoptr (PareTensor) want = run (g, inputs, backends[b], FALSE, 1, &apart);
          g->n_outputs = outputs;
          if (i < 5)
            g_assert_cmpuint (fused, ==, 3); /* onto the grid, the table, back */
          if (i < 5)
            g_assert_cmpuint (apart, >, fused);
          g_assert_cmpmem (got->data, got->bytes, want->data, want->bytes);
        }
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fuse/units", test_units);
  g_test_add_func ("/fuse/unit-shared", test_unit_shared);
  g_test_add_func ("/fuse/residual", test_residual);
  g_test_add_func ("/fuse/norm", test_norm);
  g_test_add_func ("/fuse/rms-norm", test_rms_norm);
  g_test_add_func ("/fuse/code-tables", test_code_tables);
  g_test_add_func ("/fuse/attention", test_attention);
  g_test_add_func ("/fuse/attention-parts", test_attention_parts);
  g_test_add_func ("/fuse/attention-plain", test_attention_plain);
  g_test_add_func ("/fuse/attention-shared", test_attention_shared);
  return g_test_run ();
}
