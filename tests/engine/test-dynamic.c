/* Products of codes whose zero point is found while running, against sums of int64; codes that come in as they are; and weights of blocks
 * of codes. */
#include "engine/base/pare-rng.h"
#include "engine/lower/pare-program-cut.h"
#include "engine/runtime/pare-rt.h"
#include "tests/engine/make-graph.h"

#include <math.h>

static const PareBackend backends[] = { PARE_BACKEND_PORTABLE, PARE_BACKEND_ONEDNN };

static PareTensor *
random_codes (PareRng *rng, PareDtype dtype, PareShape shape)
{
  PareTensor *t = pare_tensor_new (dtype, &shape, NULL);
  for (gsize i = 0; i < t->bytes; i++)
    ((guint8 *)t->data)[i] = (guint8)pare_rng_below (rng, 256);
  return t;
}

static gint64
at (const PareTensor *t, gint64 i)
{
  return t == NULL ? 0 : pare_tensor_get_int (t, (gsize)i);
}

/* The first output after a run; `counted` steps of operator `op` were made of it. */
static PareTensor *
run (PareGraph *g, PareBackend backend, PareTensor *const *inputs, const char *op, guint *counted)
{
  g_autoptr (GError) error = NULL;
  PareCompileOptions options = { .backend = backend };
  g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
  g_assert_no_error (error);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 2, &error);
  g_assert_no_error (error);
  PareView views[4];
  for (guint i = 0; i < g->n_inputs; i++)
    views[i] = pare_tensor_view (inputs[i]);
  pare_runner_run (runner, views, g->n_inputs, NULL, &error);
  g_assert_no_error (error);
  const PareRtPlan *plan = pare_program_get_plan (program);
  *counted = 0;
  for (guint i = 0; i < plan->n_steps; i++)
    *counted += strcmp (pare_rt_op_name (plan->steps[i].op), op) == 0;
  PareView y = pare_runner_get_output (runner, 0);
  PareTensor *t = pare_tensor_new (y.dtype, &y.shape, NULL);
  memcpy (t->data, y.data, t->bytes);
  return t;
}

typedef struct
{
  PareTensor *x, *zero, *w, *w_zero; /* (nullable) zeros */
  PareShape y;
  gint64 (*sum) (const void *which, gint64 i);
} Product;

#define BIAS 4321 /* a whole number that is added while the sums are int32 */

/* As int32, as floats times a scale, and so with a bias in between: the sums of an operator on x and constant weights. */
static void
check (const char *op, const Product *p, void (*attributes) (PareNode *node), const char *step)
{
  for (guint form = 0; form < 6; form++)
    {
      g_autoptr (PareGraph) g = make_graph (13);
      PareValueId x = make_input (g, "x", p->x->dtype, p->x->shape),
                  z = p->zero != NULL ? make_input (g, "z", p->zero->dtype, p->zero->shape) : PARE_NONE;
      PareValueId w = pare_graph_add_constant (g, "w", p->w, PARE_NONE),
                  wz = p->w_zero != NULL ? pare_graph_add_constant (g, "wz", p->w_zero, PARE_NONE) : PARE_NONE;
      PareValueId y = MAKE (g, op, "product", x, w, z, wz);
      attributes (node_of (g, y));
      gint64 bias = form % 3 == 2 ? BIAS : 0;
      if (bias != 0)
        y = form == 2 ? MAKE (g, "Add", "biased", y, make_typed (g, "bias", PARE_DTYPE_INT32, pare_shape_make (1, (gint64)1), &bias))
                      : MAKE (g, "Add", "biased", make_typed (g, "bias", PARE_DTYPE_INT32, pare_shape_make (0), &bias), y);
      if (form % 3 > 0)
        {
          PareValueId floats = MAKE (g, "Cast", "floats", y);
          pare_node_set_int (node_of (g, floats), "to", PARE_DTYPE_FLOAT32);
          y = MAKE (g, "Mul", "scaled", floats, make_float (g, "scale", pare_shape_make (0), (float[]){ 0.5f }));
        }
      make_output (g, y);
      PareTensor *inputs[2] = { p->x, p->zero };
      guint codes;
      g_autoptr (PareTensor) got = run (g, backends[form / 3], inputs, step, &codes);
      g_assert_cmpuint (codes, ==, 1);
      if (form % 3 == 2) /* the bias is added to floats: nothing is cast but the zero point */
        {
          g_autoptr (PareTensor) again = run (g, backends[form / 3], inputs, "Cast", &codes);
          g_assert_cmpuint (codes, ==, p->zero != NULL);
        }
      g_assert_cmpint (got->dtype, ==, form % 3 > 0 ? PARE_DTYPE_FLOAT32 : PARE_DTYPE_INT32);
      g_assert_true (pare_shape_equal (&got->shape, &p->y));
      for (gint64 i = 0; i < pare_tensor_count (got); i++)
        g_assert_cmpfloat (pare_tensor_get_double (got, (gsize)i), ==, (form % 3 > 0 ? 0.5 : 1) * (double)(p->sum (p, i) + bias));
    }
}

static gint64
matmul_sum (const void *which, gint64 i)
{
  const Product *p = which;
  gint64 k = p->w->shape.dims[0], n = p->w->shape.dims[1], row = i / n, column = i % n, sum = 0;
  for (gint64 j = 0; j < k; j++)
    sum += (at (p->x, row * k + j) - at (p->zero, 0))
           * (at (p->w, j * n + column) - at (p->w_zero, p->w_zero != NULL && pare_tensor_count (p->w_zero) > 1 ? column : 0));
  return sum;
}

static void
no_attributes (PareNode *node)
{
}

static void
test_matmul (void)
{
  PareRng rng = { 17 };
  for (guint i = 0; i < 24; i++)
    {
      gint64 rows = 1 + pare_rng_below (&rng, 9), k = 1 + pare_rng_below (&rng, 130), n = 1 + pare_rng_below (&rng, 70);
      PareDtype tx = i % 2 ? PARE_DTYPE_INT8 : PARE_DTYPE_UINT8, tw = i % 3 ? PARE_DTYPE_INT8 : PARE_DTYPE_UINT8;
      g_autoptr (PareTensor) x = random_codes (&rng, tx, pare_shape_make (3, (gint64)2, rows, k)),
                             zero = random_codes (&rng, tx, i % 5 == 0 ? pare_shape_make (1, (gint64)1) : pare_shape_make (0)),
                             w = random_codes (&rng, tw, pare_shape_make (2, k, n)),
                             wz = random_codes (&rng, tw, i % 4 == 1 ? pare_shape_make (1, n) : pare_shape_make (0));
      Product p = { x, i % 7 == 3 ? NULL : zero, w, i % 4 == 2 ? NULL : wz, pare_shape_make (3, (gint64)2, rows, n), matmul_sum };
      check ("MatMulInteger", &p, no_attributes, "QGemm");
    }
}

enum
{
  GROUPS = 2,
  TOP = 1,
  LEFT = 2,
  BOTTOM = 0,
  RIGHT = 1,
  STRIDE = 2
};

static gint64
conv_sum (const void *which, gint64 i)
{
  const Product *p = which;
  const gint64 *xs = p->x->shape.dims, *ws = p->w->shape.dims, *ys = p->y.dims;
  gint64 column = i % ys[3], row = i / ys[3] % ys[2], c = i / ys[3] / ys[2] % ys[1], sample = i / ys[3] / ys[2] / ys[1], sum = 0,
         first = c / (ws[0] / GROUPS) * ws[1], wz = at (p->w_zero, p->w_zero != NULL && pare_tensor_count (p->w_zero) > 1 ? c : 0);
  for (gint64 k = 0; k < ws[1]; k++)
    for (gint64 a = 0; a < ws[2]; a++)
      for (gint64 b = 0; b < ws[3]; b++)
        {
          gint64 y = row * STRIDE + a - TOP, x = column * STRIDE + b - LEFT;
          if (y >= 0 && y < xs[2] && x >= 0 && x < xs[3])
            sum += (at (p->x, ((sample * xs[1] + first + k) * xs[2] + y) * xs[3] + x) - at (p->zero, 0))
                   * (at (p->w, ((c * ws[1] + k) * ws[2] + a) * ws[3] + b) - wz);
        }
  return sum;
}

static void
conv_attributes (PareNode *node)
{
  pare_node_set_int (node, "group", GROUPS);
  pare_node_set_ints (node, "pads", (gint64[]){ TOP, LEFT, BOTTOM, RIGHT }, 4);
  pare_node_set_ints (node, "strides", (gint64[]){ STRIDE, STRIDE }, 2);
}

static void
test_conv (void)
{
  PareRng rng = { 23 };
  for (guint i = 0; i < 16; i++)
    {
      gint64 in = GROUPS * (1 + pare_rng_below (&rng, 9)), out = GROUPS * (1 + pare_rng_below (&rng, 9)), h = 5 + pare_rng_below (&rng, 6),
             w = 4 + pare_rng_below (&rng, 9), k = 1 + pare_rng_below (&rng, 3);
      PareDtype tx = i % 2 ? PARE_DTYPE_INT8 : PARE_DTYPE_UINT8, tw = i % 3 ? PARE_DTYPE_INT8 : PARE_DTYPE_UINT8;
      g_autoptr (PareTensor) x = random_codes (&rng, tx, pare_shape_make (4, (gint64)2, in, h, w)),
                             zero = random_codes (&rng, tx, pare_shape_make (0)),
                             weights = random_codes (&rng, tw, pare_shape_make (4, out, in / GROUPS, k, k)),
                             wz = random_codes (&rng, tw, i % 4 == 1 ? pare_shape_make (1, out) : pare_shape_make (0));
      PareShape y = pare_shape_make (4, (gint64)2, out, (h + TOP + BOTTOM - k) / STRIDE + 1, (w + LEFT + RIGHT - k) / STRIDE + 1);
      Product p = { x, i % 7 == 3 ? NULL : zero, weights, i % 4 == 2 ? NULL : wz, y, conv_sum };
      check ("ConvInteger", &p, conv_attributes, "QConv");
    }
}

/* A model that takes codes: DequantizeLinear of its input is no step of its own, the product reads the codes. */
static void
test_codes_in (void)
{
  PareRng rng = { 5 };
  g_autoptr (PareTensor) x = random_codes (&rng, PARE_DTYPE_UINT8, pare_shape_make (2, (gint64)3, (gint64)40));
  gint64 weights[40 * 6];
  for (guint i = 0; i < G_N_ELEMENTS (weights); i++)
    weights[i] = (gint64)pare_rng_below (&rng, 255) - 127;
  for (guint i = 0; i < G_N_ELEMENTS (backends); i++)
    {
      g_autoptr (PareGraph) g = make_graph (13);
      PareValueId in = make_input (g, "x", PARE_DTYPE_UINT8, x->shape), s = make_float (g, "s", pare_shape_make (0), (float[]){ 0.25f }),
                  z = make_typed (g, "z", PARE_DTYPE_UINT8, pare_shape_make (0), (gint64[]){ 77 }),
                  ws = make_float (g, "ws", pare_shape_make (0), (float[]){ 0.125f }),
                  wz = make_typed (g, "wz", PARE_DTYPE_INT8, pare_shape_make (0), (gint64[]){ 0 });
      PareValueId w = make_typed (g, "w", PARE_DTYPE_INT8, pare_shape_make (2, (gint64)40, (gint64)6), weights);
      make_output (
          g, MAKE (g, "MatMul", "y", MAKE (g, "DequantizeLinear", "reals", in, s, z), MAKE (g, "DequantizeLinear", "w_reals", w, ws, wz)));
      PareTensor *inputs[1] = { x };
      guint n;
      g_autoptr (PareTensor) y = run (g, backends[i], inputs, "QGemm", &n);
      g_assert_cmpuint (n, ==, 1);
      g_autoptr (PareTensor) again = run (g, backends[i], inputs, "DequantizeLinear", &n);
      g_assert_cmpuint (n, ==, 0);
      for (gint64 k = 0; k < 18; k++)
        {
          gint64 sum = 0;
          for (gint64 j = 0; j < 40; j++)
            sum += (at (x, k / 6 * 40 + j) - 77) * weights[j * 6 + k % 6];
          g_assert_cmpfloat (pare_tensor_get_double (y, (gsize)k), ==, (double)sum / 32);
        }
    }
}

/* Weights of blocks of codes are floats when the model runs, not laid out anew each time: (code - zero) * scale by the definition. */
static void
test_blocks (void)
{
  PareShape weights = pare_shape_make (2, (gint64)32, (gint64)2), blocks = pare_shape_make (2, (gint64)2, (gint64)2);
  const float scales[4] = { 0.5f, 1, 2, 4 };
  gint64 codes[64], zeros[4] = { 3, 4, 5, 6 };
  double want[2] = { 0 };
  g_autoptr (PareTensor) x = pare_tensor_new (PARE_DTYPE_FLOAT32, &(PareShape){ .rank = 2, .dims = { 1, 32 } }, NULL);
  for (int i = 0; i < 64; i++)
    {
      int block = i / 32 * 2 + i % 2;
      codes[i] = i;
      ((float *)x->data)[i / 2] = (float)(i / 2 % 5);
      want[i % 2] += (i / 2 % 5) * (double)(i - zeros[block]) * scales[block]; /* whole numbers and halves: exact */
    }
  for (guint i = 0; i < G_N_ELEMENTS (backends); i++)
    {
      g_autoptr (PareGraph) g = make_graph (21);
      const PareValueId q[3] = { make_typed (g, "codes", PARE_DTYPE_UINT8, weights, codes), make_float (g, "scales", blocks, scales),
                                 make_typed (g, "zeros", PARE_DTYPE_UINT8, blocks, zeros) };
      PareValueId in = make_input (g, "x", PARE_DTYPE_FLOAT32, x->shape), w = make_node (g, "DequantizeLinear", "blocks", 3, q);
      pare_node_set_int (node_of (g, w), "axis", 0);
      pare_node_set_int (node_of (g, w), "block_size", 16);
      make_output (g, MAKE (g, "MatMul", "fc", in, w));
      PareTensor *inputs[1] = { x };
      guint n;
      g_autoptr (PareTensor) y = run (g, backends[i], inputs, "DequantizeLinear", &n);
      g_assert_cmpuint (n, ==, 0);
      for (int c = 0; c < 2; c++)
        g_assert_cmpfloat (((const float *)y->data)[c], ==, (float)want[c]);
    }
}

/* Scale, zero point and codes of what a range that holds 0 asks for, whose ends one step finds. */
static void
test_ends (void)
{
  static const float ranges[][2] = { { -1.5f, 3 }, { 0.25f, 2 }, { -4, -1 } };
  for (guint k = 0; k < G_N_ELEMENTS (ranges); k++)
    for (guint i = 0; i < G_N_ELEMENTS (backends); i++)
      {
        g_autoptr (PareGraph) g = make_graph (13);
        PareShape shape = pare_shape_make (2, (gint64)7, (gint64)33);
        PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, shape), y[3];
        for (guint n = 0; n < 3; n++)
          y[n] = pare_graph_add_value (g, (const char *const[]){ "codes", "scale", "zero" }[n], PARE_DTYPE_NONE, NULL, PARE_NONE);
        pare_graph_add_node (g, "DynamicQuantizeLinear", "dynamic", &x, 1, y, 3, PARE_NONE, PARE_ROLE_SELF);
        make_output (g, MAKE (g, "DequantizeLinear", "back", y[0], y[1], y[2]));
        pare_graph_name_layers (g);
        PareRng rng = { k };
        g_autoptr (PareTensor) in = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
        float *v = in->data;
        for (gint64 n = 0; n < pare_tensor_count (in); n++)
          v[n] = ranges[k][0] + (float)pare_rng_uniform (&rng) * (ranges[k][1] - ranges[k][0]);
        v[200] = ranges[k][0];
        v[31] = ranges[k][1];
        guint reductions;
        g_autoptr (PareTensor) got = run (g, backends[i], &in, "Reduce", &reductions);
        g_assert_cmpuint (reductions, ==, 1);
        float least = MIN (ranges[k][0], 0), scale = (MAX (ranges[k][1], 0) - least) / 255, zero = rintf ((0 - least) / scale);
        for (gint64 n = 0; n < pare_tensor_count (in); n++)
          g_assert_cmpfloat (((float *)got->data)[n], ==, (CLAMP (rintf (v[n] / scale) + zero, 0, 255) - zero) * scale);
      }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dynamic/matmul", test_matmul);
  g_test_add_func ("/dynamic/conv", test_conv);
  g_test_add_func ("/dynamic/codes-in", test_codes_in);
  g_test_add_func ("/dynamic/blocks", test_blocks);
  g_test_add_func ("/dynamic/ends", test_ends);
  return g_test_run ();
}
