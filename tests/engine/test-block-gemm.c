/* Products by weights that stay codes of a few bits in blocks, against sums in double by their definition: the kernel alone, and models of
 * MatMulNBits and of DequantizeLinear on both backends. */
#include "engine/base/pare-rng.h"
#include "engine/lower/pare-program-cut.h"
#include "tests/engine/make-graph.h"

#include <math.h>

#define TOLERANCE 1e-6 /* of the sum of magnitudes */

static const PareBackend backends[] = { PARE_BACKEND_PORTABLE, PARE_BACKEND_ONEDNN };

typedef struct
{
  gint64 m, k, n, each, blocks;
  int bits;
  gboolean offsets;
  float *x, *scale, *offset, *bias, *residual;
  guint8 *codes; /* packed, rows of blocks */
} Product;

static void *
room (gsize bytes)
{
  void *memory = NULL; /* kernels may read up to a line beyond */
  g_assert_cmpint (posix_memalign (&memory, 64, bytes + 64), ==, 0);
  return memory;
}

static float *
random_floats (PareRng *rng, gint64 n)
{
  float *to = room ((gsize)n * sizeof *to);
  for (gint64 i = 0; i < n; i++)
    to[i] = (float)pare_rng_below (rng, 2001) / 1000 - 1;
  return to;
}

static Product
random_product (PareRng *rng, gint64 m, gint64 k, gint64 n, gint64 each, int bits)
{
  Product p = { .m = m, .k = k, .n = n, .each = each, .blocks = (k + each - 1) / each, .bits = bits, .offsets = pare_rng_below (rng, 2) };
  gint64 bytes = n * p.blocks * each * bits / 8;
  p.x = random_floats (rng, m * k);
  p.scale = random_floats (rng, n * p.blocks);
  p.offset = random_floats (rng, n * p.blocks);
  p.bias = random_floats (rng, n);
  p.residual = random_floats (rng, m * n);
  p.codes = room ((gsize)bytes);
  for (gint64 i = 0; i < bytes; i++)
    p.codes[i] = (guint8)pare_rng_below (rng, 256);
  return p;
}

static void
product_clear (Product *p)
{
  free (p->x);
  free (p->scale);
  free (p->offset);
  free (p->bias);
  free (p->residual);
  free (p->codes);
}

static guint
code_of (const Product *p, gint64 column, gint64 i)
{
  gint64 bit = (column * p->blocks * p->each + i) * p->bits;
  return p->codes[bit / 8] >> bit % 8 & ((1u << p->bits) - 1);
}

/* w[column, i] by the definition. */
static double
weight_of (const Product *p, gint64 column, gint64 i)
{
  gint64 block = column * p->blocks + i / p->each;
  return ((double)code_of (p, column, i) - (1 << (p->bits - 1))) * (double)p->scale[block] + (p->offsets ? (double)p->offset[block] : 0);
}

static void
check (const Product *p, const float *y, const float *bias, const float *residual, double least)
{
  double range = 1 << p->bits;
  for (gint64 r = 0; r < p->m; r++)
    for (gint64 c = 0; c < p->n; c++)
      {
        double sum = (bias != NULL ? (double)bias[c] : 0) + (residual != NULL ? (double)residual[r * p->n + c] : 0), most = 1;
        for (gint64 i = 0; i < p->k; i++)
          {
            sum += (double)p->x[r * p->k + i] * weight_of (p, c, i);
            most += fabs ((double)p->x[r * p->k + i]) * (range * fabs ((double)p->scale[c * p->blocks + i / p->each]) + 1);
          }
        g_assert_cmpfloat_with_epsilon ((double)y[r * p->n + c], MAX (sum, least), TOLERANCE * most);
      }
}

/* (transfer full) The step alone, as the runtime runs it; what it makes was checked. */
static float *
run_kernel (const Product *p, gboolean bias, gboolean residual, gboolean clip, int threads)
{
  const PareShape x = pare_shape_make (2, p->m, p->k), codes = pare_shape_make (3, p->n, p->blocks, p->each * p->bits / 8),
                  blocks = pare_shape_make (2, p->n, p->blocks), columns = pare_shape_make (1, p->n), y = pare_shape_make (2, p->m, p->n);
  const struct
  {
    PareDtype dtype;
    PareShape shape;
    const void *data;
  } operands[] = { { PARE_DTYPE_FLOAT32, x, NULL },          { PARE_DTYPE_UINT8, codes, p->codes },
                   { PARE_DTYPE_FLOAT32, blocks, p->scale }, { PARE_DTYPE_FLOAT32, blocks, p->offset },
                   { PARE_DTYPE_FLOAT32, columns, p->bias }, { PARE_DTYPE_FLOAT32, y, p->residual },
                   { PARE_DTYPE_FLOAT32, y, NULL } };
  PareRtValue values[G_N_ELEMENTS (operands)];
  const guint8 *external[G_N_ELEMENTS (operands)] = { NULL };
  guint64 bytes = 0;
  for (guint i = 0; i < G_N_ELEMENTS (operands); i++)
    {
      values[i] = (PareRtValue){ .dtype = operands[i].dtype,
                                 .shape = operands[i].shape,
                                 .kind = i == 0                     ? PARE_RT_INPUT
                                         : operands[i].data != NULL ? PARE_RT_CONSTANT
                                                                    : PARE_RT_ARENA,
                                 .bytes = (guint64)pare_shape_bytes (&operands[i].shape, operands[i].dtype),
                                 .keep = 1 };
      external[i] = operands[i].data;
      if (operands[i].data != NULL)
        {
          values[i].offset = bytes;
          bytes += (values[i].bytes + 63) / 64 * 64;
        }
    }
  g_assert_cmpuint (sizeof (PareBlockGemmParams), <=, 64);
  PareBlockGemmParams *params = room (64);
  *params = (PareBlockGemmParams){ .bits = p->bits, .activation = clip ? PARE_ACT_CLIP : PARE_ACT_NONE, .lo = 0, .hi = INFINITY };
  PareRtStep step = { .op = PARE_RT_BLOCK_GEMM,
                      .n_in = 6,
                      .n_out = 1,
                      .in = { 0, 1, 2, p->offsets ? 3 : PARE_RT_NONE, bias ? 4 : PARE_RT_NONE, residual ? 5 : PARE_RT_NONE },
                      .out = { 6 },
                      .params_bytes = sizeof *params };
  guint32 input = 0, output = 6;
  PareRtPlan plan = { .n_values = G_N_ELEMENTS (values),
                      .n_steps = 1,
                      .n_inputs = 1,
                      .n_outputs = 1,
                      .values = values,
                      .steps = &step,
                      .inputs = &input,
                      .outputs = &output,
                      .params = (uint8_t *)params,
                      .params_bytes = 64,
                      .constants_bytes = bytes,
                      .arena_bytes = (values[6].bytes + 63) / 64 * 64,
                      .external = external };
  g_assert_cmpstr (pare_rt_plan_check (&plan), ==, NULL);
  PareRtRunner *runner = pare_rt_runner_new (&plan, NULL);
  g_assert_true (pare_rt_runner_set_threads (runner, threads));
  PareView in = { PARE_DTYPE_FLOAT32, x, p->x, NULL };
  g_assert_cmpint (pare_rt_runner_run (runner, &in, NULL, NULL, NULL), ==, PARE_RT_OK);
  const float *made = pare_rt_runner_view (runner, 6).data;
  check (p, made, bias ? p->bias : NULL, residual ? p->residual : NULL, clip ? 0 : -INFINITY);
  float *copy = g_memdup2 (made, (gsize)(p->m * p->n) * sizeof *made);
  pare_rt_runner_free (runner);
  free (params);
  return copy;
}

static void
test_kernel (void)
{
  static const int bits[] = { 4, 2, 8 };
  PareRng rng = { 31 };
  for (guint i = 0; i < 120; i++)
    {
      gint64 m = i % 4 == 0 ? 1 : 1 + pare_rng_below (&rng, 70), k = 1 + pare_rng_below (&rng, 600), n = 1 + pare_rng_below (&rng, 120),
             each = 16 << pare_rng_below (&rng, 5);
      Product p = random_product (&rng, m, k, n, each, bits[i % 3]);
      g_free (run_kernel (&p, i % 5 < 2, i % 7 < 3, i % 6 == 5, 1 + (int)(i % 2)));
      product_clear (&p);
    }
}

/* What threads compute does not depend on how many they are. */
static void
test_large (void)
{
  PareRng rng = { 7 };
  const gint64 rows[] = { 1, 4, 40 };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      Product p = random_product (&rng, rows[i], 1030, 301, 32, 4);
      g_autofree float *alone = run_kernel (&p, TRUE, FALSE, FALSE, 1);
      for (int threads = 2; threads < 4; threads++)
        {
          g_autofree float *shared = run_kernel (&p, TRUE, FALSE, FALSE, threads);
          g_assert_cmpmem (shared, (gsize)(p.m * p.n) * sizeof *shared, alone, (gsize)(p.m * p.n) * sizeof *alone);
        }
      product_clear (&p);
    }
}

/* --- models --- */

static PareValueId
constant (PareGraph *g, const char *name, PareDtype dtype, PareShape shape, const void *data)
{
  g_autoptr (PareTensor) t = pare_tensor_new (dtype, &shape, NULL);
  memcpy (t->data, data, t->bytes);
  return pare_graph_add_constant (g, name, t, PARE_NONE);
}

static guint
count_steps (const PareRtPlan *plan, PareRtOp op)
{
  guint n = 0;
  for (guint i = 0; i < plan->n_steps; i++)
    n += plan->steps[i].op == op;
  return n;
}

/* The model's plan has one step, BlockGemm, whose constants are not much more than the codes; threads: of the kernels. */
static void
check_model (PareGraph *g, const Product *p, const float *bias)
{
  for (guint i = 0; i < 2 * G_N_ELEMENTS (backends); i++)
    {
      g_autoptr (GError) error = NULL;
      PareCompileOptions options = { .backend = backends[i / 2] };
      g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
      g_assert_no_error (error);
      const PareRtPlan *plan = pare_program_get_plan (program);
      g_assert_cmpuint (count_steps (plan, PARE_RT_BLOCK_GEMM), ==, 1);
      g_assert_cmpuint (plan->n_steps, ==, 1);
      g_assert_cmpuint (plan->constants_bytes, <=,
                        (guint64)(p->n * p->blocks * (p->each * p->bits / 8 + 8) + p->n * (gint64)sizeof (float)) + 5 * 64);
      g_autoptr (PareRunner) runner = pare_runner_new (program, 1 + (int)(i % 2), &error);
      g_assert_no_error (error);
      PareView x = { PARE_DTYPE_FLOAT32, g->values[g->inputs[0]].shape, p->x, NULL };
      g_assert_true (pare_runner_run (runner, &x, 1, NULL, &error));
      g_assert_no_error (error);
      check (p, pare_runner_get_output (runner, 0).data, bias, NULL, -INFINITY);
    }
}

/* MatMulNBits with packed zero points, with none, and with a bias. */
static void
test_n_bits (void)
{
  PareRng rng = { 43 };
  for (guint i = 0; i < 12; i++)
    {
      gint64 m = i % 3 == 0 ? 1 : 1 + pare_rng_below (&rng, 50), k = 17 + pare_rng_below (&rng, 200), n = 1 + pare_rng_below (&rng, 60);
      int bits = i % 4 == 3 ? 8 : i % 5 == 4 ? 2 : 4;
      Product p = random_product (&rng, m, k, n, 16 << (i % 3), bits);
      gint64 zero_row = (p.blocks * bits + 7) / 8;
      g_autofree guint8 *zeros = g_new0 (guint8, n * zero_row);
      p.offsets = i % 2;
      for (gint64 b = 0; b < n * p.blocks; b++)
        {
          guint zero = pare_rng_below (&rng, 1u << bits);
          zeros[b / p.blocks * zero_row + b % p.blocks * bits / 8] |= (guint8)(zero << (b % p.blocks * bits % 8));
          p.offset[b] = (float)((1 << (bits - 1)) - (int)zero) * p.scale[b];
        }
      g_autoptr (PareGraph) g = make_graph (21);
      PareValueId in = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, (gint64)1, m, k));
      const PareValueId operands[6]
          = { in,
              constant (g, "codes", PARE_DTYPE_UINT8, pare_shape_make (3, n, p.blocks, p.each * bits / 8), p.codes),
              constant (g, "scales", PARE_DTYPE_FLOAT32, pare_shape_make (1, n * p.blocks), p.scale),
              p.offsets ? constant (g, "zeros", PARE_DTYPE_UINT8, pare_shape_make (1, n * zero_row), zeros) : PARE_NONE,
              PARE_NONE,
              i % 3 == 1 ? constant (g, "bias", PARE_DTYPE_FLOAT32, pare_shape_make (1, n), p.bias) : PARE_NONE };
      PareValueId y = make_node (g, "MatMulNBits", "fc", 6, operands);
      PareNode *node = node_of (g, y);
      node->domain = "com.microsoft";
      pare_node_set_int (node, "K", k);
      pare_node_set_int (node, "N", n);
      pare_node_set_int (node, "bits", bits);
      pare_node_set_int (node, "block_size", p.each);
      make_output (g, y);
      check_model (g, &p, i % 3 == 1 ? p.bias : NULL);
      product_clear (&p);
    }
}

/* DequantizeLinear of blocks in front of a MatMul [k, n], or of a Gemm with a bias whose weights are [n, k]. */
static void
test_dequantized (void)
{
  static const PareDtype types[] = { PARE_DTYPE_INT4, PARE_DTYPE_UINT4, PARE_DTYPE_UINT8, PARE_DTYPE_INT8 };
  PareRng rng = { 47 };
  for (guint i = 0; i < 16; i++)
    {
      PareDtype type = types[i % 4];
      gboolean gemm = i / 4 % 2, is_signed = type == PARE_DTYPE_INT4 || type == PARE_DTYPE_INT8, zeros = i / 8;
      gint64 m = 1 + pare_rng_below (&rng, 6), k = 17 + pare_rng_below (&rng, 100), n = 1 + pare_rng_below (&rng, 40);
      Product p = random_product (&rng, m, k, n, 32, pare_dtype_bits (type));
      int half = 1 << (p.bits - 1), lift = is_signed ? half : 0;
      PareShape wide = gemm ? pare_shape_make (2, n, k) : pare_shape_make (2, k, n),
                blocks = gemm ? pare_shape_make (2, n, p.blocks) : pare_shape_make (2, p.blocks, n);
      g_autofree gint64 *codes = g_new (gint64, k * n), *zero = g_new (gint64, n * p.blocks);
      g_autofree float *scales = g_new (float, n *p.blocks);
      for (gint64 c = 0; c < n; c++)
        {
          for (gint64 j = 0; j < k; j++)
            codes[gemm ? c * k + j : j * n + c] = (gint64)code_of (&p, c, j) - lift;
          for (gint64 b = 0; b < p.blocks; b++)
            {
              gint64 own = c * p.blocks + b, at = gemm ? own : b * n + c;
              zero[at] = zeros ? (gint64)pare_rng_below (&rng, 1u << p.bits) - lift : 0;
              scales[at] = p.scale[own];
              p.offset[own] = (float)(half - lift - zero[at]) * p.scale[own];
            }
        }
      p.offsets = TRUE;
      g_autoptr (PareGraph) g = make_graph (21);
      PareValueId in = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (2, m, k));
      const PareValueId q[3] = { make_typed (g, "codes", type, wide, codes), make_float (g, "scales", blocks, scales),
                                 zeros ? make_typed (g, "zeros", type, blocks, zero) : PARE_NONE };
      PareValueId w = make_node (g, "DequantizeLinear", "weights", 3, q), y;
      pare_node_set_int (node_of (g, w), "axis", gemm ? 1 : 0);
      pare_node_set_int (node_of (g, w), "block_size", p.each);
      if (gemm)
        {
          y = MAKE (g, "Gemm", "fc", in, w, make_float (g, "bias", pare_shape_make (1, n), p.bias));
          pare_node_set_int (node_of (g, y), "transB", 1);
        }
      else
        y = MAKE (g, "MatMul", "fc", in, w);
      make_output (g, y);
      check_model (g, &p, gemm ? p.bias : NULL);
      product_clear (&p);
    }
}

/* Blocks that the kernel does not know, and weights that somebody else reads, too, are floats. */
static void
test_floats (void)
{
  for (guint other = 0; other < 3; other++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (PareGraph) g = make_graph (21);
      gint64 codes[48 * 2], each = other == 0 ? 24 : 16;
      float want[2] = { 0 }, x[48];
      for (int i = 0; i < 96; i++)
        codes[i] = i * 7 % 16;
      for (int i = 0; i < 48; i++)
        x[i] = (float)(i % 5);
      for (int i = 0; i < 96; i++)
        want[i % 2] += x[i / 2] * (float)codes[i] * 0.5f;
      PareShape wide = pare_shape_make (2, (gint64)48, (gint64)2), blocks = pare_shape_make (2, 48 / each, (gint64)2);
      float scales[6] = { 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f };
      PareValueId in = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (2, (gint64)1, (gint64)48)),
                  w = MAKE (g, "DequantizeLinear", "w", make_typed (g, "codes", PARE_DTYPE_UINT4, wide, codes),
                            make_float (g, "scales", blocks, scales));
      pare_node_set_int (node_of (g, w), "axis", 0);
      pare_node_set_int (node_of (g, w), "block_size", each);
      PareValueId y = MAKE (g, "Gemm", "fc", in, w);
      if (other == 1)
        pare_node_set_float (node_of (g, y), "alpha", 2);
      make_output (g, y);
      if (other == 2)
        make_output (g, MAKE (g, "Neg", "also", w));
      g_autoptr (PareProgram) program = pare_program_compile (g, &(PareCompileOptions){ .backend = PARE_BACKEND_PORTABLE }, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (count_steps (pare_program_get_plan (program), PARE_RT_BLOCK_GEMM), ==, 0);
      g_assert_cmpuint (count_steps (pare_program_get_plan (program), PARE_RT_DEQUANTIZE_LINEAR), ==, 0);
      g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
      g_assert_no_error (error);
      PareView view = { PARE_DTYPE_FLOAT32, pare_shape_make (2, (gint64)1, (gint64)48), x, NULL };
      g_assert_true (pare_runner_run (runner, &view, 1, NULL, &error));
      for (int i = 0; i < 2; i++)
        g_assert_cmpfloat (((const float *)pare_runner_get_output (runner, 0).data)[i], ==, (other == 1 ? 2 : 1) * want[i]);
    }
}

/* Operands that do not fit are refused by the check that plan files go through. */
static void
test_refused (void)
{
  enum
  {
    K = 40,
    N = 3,
    BLOCKS = 2
  };
  for (guint wrong = 0; wrong < 9; wrong++)
    {
      PareRtValue v[5] = { { .dtype = PARE_DTYPE_FLOAT32, .shape = pare_shape_make (2, (gint64)1, (gint64)K), .kind = PARE_RT_INPUT },
                           { .dtype = PARE_DTYPE_UINT8, .shape = pare_shape_make (3, (gint64)N, (gint64)BLOCKS, (gint64)16) },
                           { .dtype = PARE_DTYPE_FLOAT32, .shape = pare_shape_make (2, (gint64)N, (gint64)BLOCKS) },
                           { .dtype = PARE_DTYPE_FLOAT32, .shape = pare_shape_make (2, (gint64)N, (gint64)BLOCKS) },
                           { .dtype = PARE_DTYPE_FLOAT32, .shape = pare_shape_make (2, (gint64)1, (gint64)N), .kind = PARE_RT_ARENA } };
      PareBlockGemmParams *p = room (64);
      *p = (PareBlockGemmParams){ .bits = wrong == 1 ? 3 : 4 };
      v[0].shape.dims[1] += wrong == 2 ? 25 : wrong == 3 ? -10 : 0;
      v[1].shape.dims[2] += wrong == 4 ? 1 : wrong == 5 ? -14 : 0;
      v[2].shape.dims[1] -= wrong == 6;
      v[3].shape.dims[0] -= wrong == 7;
      v[4].shape.dims[1] += wrong == 8;
      guint64 bytes = 0;
      for (guint i = 0; i < G_N_ELEMENTS (v); i++)
        {
          v[i].bytes = (guint64)pare_shape_bytes (&v[i].shape, v[i].dtype);
          if (i > 0 && i < 4)
            {
              v[i].kind = PARE_RT_CONSTANT;
              v[i].offset = bytes;
              bytes += 128;
            }
        }
      g_autofree guint8 *constants = g_malloc0 (bytes);
      PareRtStep step = { .op = PARE_RT_BLOCK_GEMM, .n_in = 4, .n_out = 1, .in = { 0, 1, 2, 3 }, .out = { 4 }, .params_bytes = sizeof *p };
      guint32 input = 0, output = 4;
      PareRtPlan plan = { .n_values = 5,
                          .n_steps = 1,
                          .n_inputs = 1,
                          .n_outputs = 1,
                          .values = v,
                          .steps = &step,
                          .inputs = &input,
                          .outputs = &output,
                          .params = (uint8_t *)p,
                          .params_bytes = 64,
                          .constants = constants,
                          .constants_bytes = bytes,
                          .arena_bytes = 64 };
      g_assert_true ((pare_rt_plan_check (&plan) != NULL) == (wrong > 0));
      free (p);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/block-gemm/kernel", test_kernel);
  g_test_add_func ("/block-gemm/large", test_large);
  g_test_add_func ("/block-gemm/n-bits", test_n_bits);
  g_test_add_func ("/block-gemm/dequantized", test_dequantized);
  g_test_add_func ("/block-gemm/floats", test_floats);
  g_test_add_func ("/block-gemm/refused", test_refused);
  return g_test_run ();
}
