/* Attention of 16 bits: what is rounded in front of a layer that reads bfloat16, that both backends and the exported file compute it so,
 * against sums of doubles made in the plainest way. */
#include "engine/accel/pare-accel.h"
#include "engine/export/pare-export.h"
#include "engine/lower/pare-program.h"
#include "apply-16-bits.h"
#include "make-graph.h"
#include "to-bf16.h"

#include <math.h>

#define TOKENS 21
#define HEADS 2
#define EACH 6
#define WIDE (HEADS * EACH)
#define FACTOR 0.7f

static float
weight (guint layer, int k, int n)
{
  return 0.6f * sinf (1.7f * (float)(k * WIDE + n) + 3 * (float)layer);
}

static float
mask_at (int row, int position)
{
  return position > row ? -1e9f : 0;
}

static PareValueId
linear (PareGraph *g, PareValueId x, const char *name, guint layer)
{
  float values[WIDE * WIDE];
  for (int i = 0; i < WIDE * WIDE; i++)
    values[i] = weight (layer, i / WIDE, i % WIDE);
  g_autofree char *weights = g_strconcat (name, "_w", NULL);
  return MAKE (g, "MatMul", name, x, make_float (g, weights, pare_shape_make (2, (gint64)WIDE, (gint64)WIDE), values));
}

/* q, k, v from x, heads apart, a factor, a mask, heads together, a last layer. */
static PareGraph *
make (void)
{
  static const gint64 split[4] = { 1, TOKENS, HEADS, EACH }, merge[3] = { 1, TOKENS, WIDE }, heads[4] = { 0, 2, 1, 3 },
                      columns[4] = { 0, 2, 3, 1 };
  static const char *const names[] = { "q", "k", "v" }, *const apart[] = { "q_apart", "k_apart", "v_apart" },
                           *const turned[] = { "q_heads", "k_heads", "v_heads" };
  float factor = FACTOR, mask[TOKENS * TOKENS];
  for (int i = 0; i < TOKENS * TOKENS; i++)
    mask[i] = mask_at (i / TOKENS, i % TOKENS);
  PareGraph *g = make_graph (17);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (3, (gint64)1, (gint64)TOKENS, (gint64)WIDE)), parts[3];
  PareValueId shape = make_ints (g, "split", 4, split);
  for (guint i = 0; i < 3; i++)
    {
      parts[i] = MAKE (g, "Transpose", turned[i], MAKE (g, "Reshape", apart[i], linear (g, x, names[i], i), shape));
      pare_node_set_ints (node_of (g, parts[i]), "perm", i == 1 ? columns : heads, 4);
    }
  PareValueId s = MAKE (g, "Mul", "scaled", MAKE (g, "MatMul", "scores", parts[0], parts[1]),
                        make_float (g, "factor", pare_shape_make (1, (gint64)1), &factor));
  s = MAKE (g, "Add", "masked", s, make_float (g, "mask", pare_shape_make (2, (gint64)TOKENS, (gint64)TOKENS), mask));
  PareValueId y = MAKE (g, "Transpose", "merged", MAKE (g, "MatMul", "mixed", MAKE (g, "Softmax", "softmax", s), parts[2]));
  pare_node_set_ints (node_of (g, y), "perm", heads, 4);
  y = linear (g, MAKE (g, "Reshape", "joined", y, make_ints (g, "merge", 3, merge)), "out", 3);
  make_output (g, y);
  g->values[y].dtype = PARE_DTYPE_FLOAT32;
  pare_graph_name_layers (g);
  return g;
}

typedef float Tokens[TOKENS][WIDE];

static void
multiply (Tokens x, guint layer, gboolean rounds, Tokens y)
{
  for (int t = 0; t < TOKENS; t++)
    for (int n = 0; n < WIDE; n++)
      {
        double sum = 0;
        for (int k = 0; k < WIDE; k++)
          sum += (double)x[t][k] * to_bf16 (weight (layer, k, n));
        y[t][n] = rounds ? to_bf16 ((float)sum) : (float)sum;
      }
}

/* By the definition: all that is multiplied is rounded, scores and what their softmax computes with are not. */
static void
compute (Tokens x, Tokens y)
{
  Tokens rounded, parts[3], mixed;
  for (int i = 0; i < TOKENS * WIDE; i++)
    rounded[i / WIDE][i % WIDE] = to_bf16 (x[i / WIDE][i % WIDE]);
  for (guint i = 0; i < 3; i++)
    multiply (rounded, i, TRUE, parts[i]);
  for (int h = 0; h < WIDE; h += EACH)
    for (int t = 0; t < TOKENS; t++)
      {
        double e[TOKENS], all = 0;
        for (int p = 0; p < TOKENS; p++)
          {
            double score = 0;
            for (int k = 0; k < EACH; k++)
              score += (double)parts[0][t][h + k] * parts[1][p][h + k];
            all += e[p] = exp (score * FACTOR + mask_at (t, p));
          }
        for (int k = 0; k < EACH; k++)
          {
            double sum = 0;
            for (int p = 0; p < TOKENS; p++)
              sum += (double)to_bf16 ((float)(e[p] / all)) * parts[2][p][h + k];
            mixed[t][h + k] = to_bf16 ((float)sum);
          }
      }
  multiply (mixed, 3, FALSE, y);
}

static void
run (const PareGraph *g, PareBackend backend, guint products, Tokens x, Tokens y)
{
  GError *error = NULL;
  PareCompileOptions options = { .backend = backend };
  g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
  g_assert_no_error (error);
  guint multiplied;
  g_assert_cmpuint (pare_program_count_bf16 (program, &multiplied), ==, products);
  g_assert_cmpuint (multiplied, ==, backend == PARE_BACKEND_PORTABLE || !pare_accel_has_bf16 () ? 0 : products);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
  g_assert_no_error (error);
  PareView view = { PARE_DTYPE_FLOAT32, pare_shape_make (3, (gint64)1, (gint64)TOKENS, (gint64)WIDE), x, NULL };
  g_assert_true (pare_runner_run (runner, &view, 1, NULL, &error));
  memcpy (y, pare_runner_get_output (runner, 0).data, sizeof (Tokens));
}

static double
distance (Tokens a, Tokens b)
{
  double sum = 0;
  for (int i = 0; i < TOKENS * WIDE; i++)
    sum += fabs ((double)a[i / WIDE][i % WIDE] - b[i / WIDE][i % WIDE]);
  return sum / (TOKENS * WIDE);
}

static void
test_definition (void)
{
  GError *error = NULL;
  g_autoptr (PareGraph) g = make (), changed = apply_16_bits (g, ""), exported = pare_export_onnx (changed, NULL, &error);
  g_assert_no_error (error);
  Tokens x, want, whole, got, there;
  for (int i = 0; i < TOKENS * WIDE; i++)
    x[i / WIDE][i % WIDE] = cosf (0.9f * (float)i) + 0.3f;
  compute (x, want);
  run (g, PARE_BACKEND_AUTO, 0, x, whole);
  double far = distance (whole, want);
  g_assert_cmpfloat (far, >, 1e-3); /* the rounding shows */
  for (int portable = 0; portable < 2; portable++)
    {
      PareBackend backend = portable ? PARE_BACKEND_PORTABLE : PARE_BACKEND_AUTO;
      run (changed, backend, 5, x, got);
      g_assert_cmpfloat (distance (got, want), <, far / 10);
      run (exported, backend, 5, x, there);
      g_assert_cmpmem (there, sizeof there, got, sizeof got);
    }
}

/* Each product is of the layer behind it, or of none. */
static void
test_mixed (void)
{
  g_autoptr (PareGraph) g = make (), without = apply_16_bits (g, "\"out\": {\"exclude\": true}"),
                        only = apply_16_bits (g, "\"q\": {\"exclude\": true}");
  Tokens x, here, there;
  for (int i = 0; i < TOKENS * WIDE; i++)
    x[i / WIDE][i % WIDE] = sinf (1.3f * (float)i);
  run (without, PARE_BACKEND_AUTO, 3, x, here);
  run (without, PARE_BACKEND_PORTABLE, 3, x, there);
  g_assert_cmpfloat (distance (here, there), <, 1e-4);
  run (only, PARE_BACKEND_AUTO, 4, x, here); /* its result is rounded for the attention all the same */
  run (only, PARE_BACKEND_PORTABLE, 4, x, there);
  g_assert_cmpfloat (distance (here, there), <, 1e-3);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bf16-attention/definition", test_definition);
  g_test_add_func ("/bf16-attention/mixed", test_mixed);
  return g_test_run ();
}
