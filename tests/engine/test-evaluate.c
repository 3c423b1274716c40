/* Statistics against published and brute-force values; evaluation against small models whose answers can be worked out here. */
#include "engine/base/pare-error.h"
#include "engine/base/pare-rng.h"
#include "engine/evaluate/pare-evaluate.h"
#include "engine/onnx/pare-onnx.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

/* --- statistics --- */

static void
near (double got, double want, double tolerance)
{
  g_assert_cmpfloat (fabs (got - want), <=, tolerance);
}

static void
test_wilson (void)
{
  double low, high;
  pare_stat_wilson (81, 263, &low, &high); /* Newcombe 1998 (Stat. Med. 17:857), table I: 0.2553 to 0.3662 */
  near (low, 0.2553, 5e-5);
  near (high, 0.3662, 5e-5);
  pare_stat_wilson (0, 20, &low, &high); /* the same table: 0 to 0.1611 */
  near (low, 0, 0);
  near (high, 0.1611, 5e-5);
  pare_stat_wilson (29, 29, &low, &high); /* 1/29 counted from the other side gives 0.8830 for all of 29 */
  near (low, 0.8830, 5e-5);
  near (high, 1, 0);
  pare_stat_wilson (0, 0, &low, &high);
  near (low, 0, 0);
  near (high, 1, 0);
}

static void
test_mcnemar (void)
{
  near (pare_stat_mcnemar (1, 9), 22.0 / 1024, 1e-12);
  near (pare_stat_mcnemar (9, 1), 22.0 / 1024, 1e-12);
  near (pare_stat_mcnemar (0, 0), 1, 0);
  near (pare_stat_mcnemar (5, 5), 1, 0);
  near (pare_stat_mcnemar (0, 6), 2.0 / 64, 1e-12);
  near (pare_stat_mcnemar (4000, 4000), 1, 1e-6);
}

static void
test_paired (void)
{
  double d, low, high;
  pare_stat_paired (1000, 30, 10, &d, &low, &high); /* SE = sqrt (40 - 400 / 1000) / 1000 */
  near (d, -0.02, 1e-15);
  near (low, -0.02 - 1.959963984540054 * sqrt (39.6) / 1000, 1e-12);
  near (high, -0.02 + 1.959963984540054 * sqrt (39.6) / 1000, 1e-12);
  pare_stat_paired (100, 0, 0, &d, &low, &high); /* nothing changed is not nothing can change */
  near (d, 0, 0);
  g_assert_cmpfloat (low, <, -0.01);
  g_assert_cmpfloat (high, >, 0.01);
  pare_stat_paired (50, 0, 3, &d, &low, &high); /* (3 / 52) +- z sqrt ((5 / 52 - (3 / 52)^2) / 52) */
  near (d, 0.06, 1e-15);
  near (low, 3.0 / 52 - 1.959963984540054 * sqrt ((5.0 / 52 - 9.0 / 2704) / 52), 1e-12);
  pare_stat_paired (0, 0, 0, &d, &low, &high);
  near (low, -1, 0);
  near (high, 1, 0);
}

/* The interval that people watch must hold at every moment at once; the final one at the end. Seeded, so it always gives the same answer.
 */
static void
test_coverage (void)
{
  PareRng rng = { .state = 7 };
  guint ever_out = 0, end_out = 0, trials = 400;
  double lose = 0.05, gain = 0.02;
  for (guint t = 0; t < trials; t++)
    {
      guint b = 0, c = 0;
      gboolean out = FALSE;
      double d, low, high;
      for (guint n = 1; n <= 400; n++)
        {
          double u = pare_rng_uniform (&rng);
          b += u < lose;
          c += u > 1 - gain;
          pare_stat_paired_anytime (n, b, c, 0.05, &d, &low, &high);
          g_assert_true (low <= d && d <= high);
          out = out || low > gain - lose || high < gain - lose;
        }
      ever_out += out;
      pare_stat_paired (400, b, c, &d, &low, &high);
      end_out += low > gain - lose || high < gain - lose;
    }
  g_assert_cmpuint (ever_out, <=, trials * 5 / 100);
  g_assert_cmpuint (end_out, <=, trials * 7 / 100);
}

static void
test_auc (void)
{
  const float score[8] = { 0.1f, 0.4f, 0.35f, 0.8f, 0.8f, 0.2f, 0.9f, 0.05f };
  const gint32 label[8] = { 0, 0, 1, 1, 0, 0, 1, 0 };
  double low, high, pairs = 0, wins = 0;
  double place[8] = { 0 };
  for (int i = 0; i < 8; i++) /* by the definition: every pair of a normal and an anomalous sample */
    for (int j = 0; j < 8; j++)
      if (label[i] == 1 && label[j] == 0)
        {
          double w = score[i] > score[j] ? 1 : score[i] == score[j] ? 0.5 : 0;
          pairs++;
          wins += w;
          place[i] += w / 5;
          place[j] += w / 3;
        }
  double value = pare_stat_auc (score, label, 8, &low, &high);
  near (value, wins / pairs, 1e-12);
  double variance = 0;
  for (int side = 0; side < 2; side++)
    {
      double n = side ? 3 : 5, squares = 0;
      for (int i = 0; i < 8; i++)
        squares += label[i] == side ? (place[i] - value) * (place[i] - value) : 0;
      variance += squares / (n - 1) / n;
    }
  near (low, MAX (0, value - 1.959963984540054 * sqrt (variance)), 1e-9);
  near (high, MIN (1, value + 1.959963984540054 * sqrt (variance)), 1e-9);
  const float clean[4] = { 1, 2, 3, 4 };
  const gint32 halves[4] = { 0, 0, 1, 1 }, same[4] = { 1, 1, 1, 1 };
  near (pare_stat_auc (clean, halves, 4, &low, &high), 1, 0);
  g_assert_cmpfloat (low, <, 0.6); /* four samples prove little */
  g_assert_true (isnan (pare_stat_auc (clean, same, 4, &low, &high)));
}

/* --- small models --- */

static PareValueId
add_input (PareGraph *g, const char *name, PareDtype dtype, PareShape shape)
{
  PareValueId v = pare_graph_add_value (g, name, dtype, &shape, PARE_NONE);
  g->inputs = g_renew (PareValueId, g->inputs, g->n_inputs + 1);
  g->inputs[g->n_inputs++] = v;
  return v;
}

static PareValueId
add_node (PareGraph *g, const char *op, PareValueId a, PareValueId b)
{
  PareShape unknown = { .rank = -1 };
  PareValueId y = pare_graph_add_value (g, op, PARE_DTYPE_NONE, &unknown, PARE_NONE), inputs[2] = { a, b };
  pare_graph_add_node (g, op, op, inputs, b == PARE_NONE ? 1 : 2, &y, 1, PARE_NONE, PARE_ROLE_SELF);
  return y;
}

static PareGraph *
finish (PareGraph *g, PareValueId output)
{
  g->outputs = g_new (PareValueId, 1);
  g->outputs[0] = output;
  g->n_outputs = 1;
  g->opset = 21;
  g->ir_version = 10;
  g_autoptr (GError) error = NULL;
  pare_graph_compact (g, &error);
  g_assert_no_error (error);
  pare_graph_name_layers (g);
  return g;
}

/* y = x W, W [k, classes] from a seed; x [n, k]. */
#define K 4
#define CLASSES 3

static PareTensor *
weights (guint64 seed, gint64 rows, gint64 columns)
{
  PareShape shape = pare_shape_make (2, rows, columns);
  PareTensor *t = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  PareRng rng = { .state = seed };
  for (gint64 i = 0; i < rows * columns; i++)
    ((float *)t->data)[i] = (float)((int)pare_rng_below (&rng, 33) - 16) / 4; /* exact products and sums in float */
  return t;
}

static PareGraph *
linear (guint64 seed)
{
  PareGraph *g = pare_graph_new ("linear");
  g_autoptr (PareTensor) w = weights (seed, K, CLASSES);
  PareValueId x = add_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (2, (gint64)-1, (gint64)K));
  return finish (g, add_node (g, "MatMul", x, pare_graph_add_constant (g, "w", w, PARE_NONE)));
}

typedef struct
{
  char *folder;
  PareDataset *data;
  gint64 n;
  PareTensor *x;
  gint64 *y; /* NULL: none */
} Fixture;

static void
save (Fixture *f, const char *name, const PareTensor *t)
{
  g_autofree char *path = g_build_filename (f->folder, name, NULL);
  g_assert_true (pare_npy_save (path, t, NULL));
}

static int
answer (guint64 seed, const float *x, double *probability)
{
  g_autoptr (PareTensor) w = weights (seed, K, CLASSES);
  double z[CLASSES], sum = 0;
  int best = 0;
  for (int c = 0; c < CLASSES; c++)
    {
      z[c] = 0;
      for (int k = 0; k < K; k++)
        z[c] += (double)x[k] * ((float *)w->data)[k * CLASSES + c];
      if (z[c] > z[best])
        best = c;
    }
  for (int c = 0; c < CLASSES; c++)
    sum += exp (z[c] - z[best]);
  for (int c = 0; probability != NULL && c < CLASSES; c++)
    probability[c] = exp (z[c] - z[best]) / sum;
  return best;
}

/* n random rows; labels: what the model of `seed` says, but every fifth is moved on by one. */
static void
make (Fixture *f, gint64 n, gboolean labelled, const char *more)
{
  f->folder = g_dir_make_tmp ("pare-evaluate-XXXXXX", NULL);
  f->n = n;
  f->x = weights (99, n, K);
  save (f, "x.npy", f->x);
  f->y = NULL;
  if (labelled)
    {
      f->y = g_new (gint64, n);
      for (gint64 i = 0; i < n; i++)
        f->y[i] = (answer (1, (float *)f->x->data + i * K, NULL) + (i % 5 == 0)) % CLASSES;
      g_autoptr (PareTensor) y = pare_tensor_new_i64 (f->y, n);
      save (f, "y.npy", y);
    }
  g_autofree char *text = g_strdup_printf ("{\"format\": \"npy\", \"samples\": \"x.npy\"%s, \"splits\": {\"report\": \"0:\"}%s}",
                                           labelled ? ", \"labels\": \"y.npy\"" : "", more);
  g_autofree char *path = g_build_filename (f->folder, "dataset.json", NULL);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  g_autoptr (GError) error = NULL;
  f->data = pare_dataset_open (f->folder, &error);
  g_assert_no_error (error);
}

static void
fixture_clear (Fixture *f)
{
  static const char *const names[] = { "x.npy", "y.npy", "dataset.json" };
  for (guint i = 0; i < 3; i++)
    {
      g_autofree char *path = g_build_filename (f->folder, names[i], NULL);
      g_unlink (path);
    }
  g_rmdir (f->folder);
  g_free (f->folder);
  g_free (f->y);
  pare_tensor_unref (f->x);
  pare_dataset_unref (f->data);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fixture, fixture_clear)

static PareEvaluation *
evaluate (PareGraph *g, Fixture *f, int threads, const PareEvaluation *baseline)
{
  g_autoptr (GError) error = NULL;
  PareEvaluateOptions o = { .split = PARE_SPLIT_REPORT, .threads = threads, .baseline = baseline };
  PareEvaluation *e = pare_evaluate (g, f->data, &o, NULL, &error);
  g_assert_no_error (error);
  return e;
}

static void
test_classification (void)
{
  g_auto (Fixture) f = { 0 };
  make (&f, 200, TRUE, "");
  g_autoptr (PareGraph) g = linear (1);
  g_autoptr (PareEvaluation) e = evaluate (g, &f, 2, NULL);
  g_assert_cmpstr (e->metric, ==, "top1");
  g_assert_cmpuint (e->done, ==, 200);
  g_assert_cmpuint (e->all, ==, 200);
  near (e->value, 160 / 200.0, 1e-12);
  double low, high;
  pare_stat_wilson (160, 200, &low, &high);
  near (e->low, low, 1e-12);
  near (e->high, high, 1e-12);
  g_assert_true (isnan (e->top5)); /* three classes */
  g_assert_true (isnan (e->kl));
  g_assert_false (e->has_difference);
  g_assert_cmpuint (e->n_outputs, ==, CLASSES);
  for (gint64 i = 0; i < f.n; i++)
    {
      double p[CLASSES];
      int best = answer (1, (float *)f.x->data + i * K, p);
      g_assert_cmpint (e->prediction[i], ==, best);
      g_assert_cmpint (e->label[i], ==, f.y[i]);
      g_assert_cmpint (e->correct[i], ==, i % 5 != 0);
      near (e->confidence[i], p[best], 1e-6);
    }
}

static void
test_paired_run (void)
{
  g_auto (Fixture) f = { 0 };
  make (&f, 300, TRUE, "");
  g_autoptr (PareGraph) a = linear (1), b = linear (2);
  g_autoptr (PareEvaluation) before = evaluate (a, &f, 2, NULL), after = evaluate (b, &f, 2, before), again = evaluate (a, &f, 2, before);
  guint lost = 0, gained = 0;
  double kl = 0, low, high, d;
  for (gint64 i = 0; i < f.n; i++)
    {
      const float *x = (float *)f.x->data + i * K;
      double p[CLASSES], q[CLASSES];
      gboolean was = answer (1, x, p) == f.y[i], is = answer (2, x, q) == f.y[i];
      lost += was && !is;
      gained += !was && is;
      for (int c = 0; c < CLASSES; c++)
        kl += p[c] > 0 ? p[c] * log (p[c] / q[c]) : 0;
    }
  g_assert_true (after->has_difference);
  g_assert_cmpuint (after->lost, ==, lost);
  g_assert_cmpuint (after->gained, ==, gained);
  g_assert_cmpuint (lost, >, 25);
  pare_stat_paired (300, lost, gained, &d, &low, &high);
  near (after->difference, after->value - before->value, 1e-12);
  near (after->difference_low, low, 1e-12);
  near (after->difference_high, high, 1e-12);
  near (after->kl, kl / 300, 1e-4 * kl / 300);
  near (again->difference, 0, 0);
  near (again->kl, 0, 1e-9);
}

/* No figure may depend on the number of threads: every bit is compared. */
static void
test_threads (void)
{
  g_auto (Fixture) f = { 0 };
  make (&f, 150, TRUE, "");
  g_autoptr (PareGraph) a = linear (1), b = linear (3);
  g_autoptr (PareEvaluation) base = evaluate (a, &f, 1, NULL), one = evaluate (b, &f, 1, base);
  for (int threads = 2; threads <= 5; threads++)
    {
      g_autoptr (PareEvaluation) e = evaluate (b, &f, threads, base);
      g_assert_cmpmem (&e->value, sizeof e->value, &one->value, sizeof one->value);
      g_assert_cmpmem (&e->kl, sizeof e->kl, &one->kl, sizeof one->kl);
      g_assert_cmpmem (e->prediction, e->n * 4, one->prediction, one->n * 4);
      g_assert_cmpmem (e->confidence, e->n * 4, one->confidence, one->n * 4);
      g_assert_cmpmem (e->outputs, e->n * e->n_outputs * 4, one->outputs, one->n * one->n_outputs * 4);
    }
}

static void
test_unlabelled (void)
{
  g_auto (Fixture) f = { 0 };
  make (&f, 120, FALSE, "");
  g_autoptr (PareGraph) a = linear (1), b = linear (2);
  g_autoptr (PareEvaluation) base = evaluate (a, &f, 2, NULL), e = evaluate (b, &f, 2, base);
  guint same = 0;
  for (gint64 i = 0; i < f.n; i++)
    same += answer (1, (float *)f.x->data + i * K, NULL) == answer (2, (float *)f.x->data + i * K, NULL);
  g_assert_cmpstr (base->metric, ==, "agreement");
  near (base->value, 1, 0);
  near (e->value, same / 120.0, 1e-12);
  g_assert_cmpuint (e->lost, ==, 120 - same);
  g_assert_cmpuint (e->gained, ==, 0);
  g_assert_cmpfloat (e->kl, >, 0);
  g_assert_cmpint (e->label[0], ==, -1);
}

static void
test_limit_and_offset (void)
{
  g_auto (Fixture) f = { 0 };
  make (&f, 60, FALSE, ", \"class_offset\": 1");
  g_autoptr (PareGraph) g = linear (1);
  g_autoptr (GError) error = NULL;
  PareEvaluateOptions o = { .split = PARE_SPLIT_REPORT, .limit = 7 };
  g_autoptr (PareEvaluation) e = pare_evaluate (g, f.data, &o, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (e->n, ==, 7);
  for (int i = 0; i < 7; i++)
    g_assert_cmpint (e->prediction[i], ==, answer (1, (float *)f.x->data + i * K, NULL) - 1);
}

static void
test_refused (void)
{
  g_auto (Fixture) f = { 0 };
  make (&f, 30, TRUE, ", \"class_offset\": 1"); /* label 2 is class 3 of 3 */
  g_autoptr (PareGraph) g = linear (1);
  g_autoptr (GError) error = NULL;
  g_assert_null (pare_evaluate (g, f.data, &(PareEvaluateOptions){ .split = PARE_SPLIT_REPORT }, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_SHAPE);
  g_assert_nonnull (strstr (error->message, f.folder));
  g_assert_nonnull (strstr (error->message, "3 classes"));
  g_clear_error (&error);
  g_assert_null (pare_evaluate (g, f.data, &(PareEvaluateOptions){ .split = PARE_SPLIT_SEARCH }, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_DATA);
  g_assert_nonnull (strstr (error->message, "search"));
  g_clear_error (&error);
  g_autoptr (PareGraph) wide = pare_graph_new ("wide");
  g_autoptr (PareTensor) w = weights (1, K + 1, CLASSES);
  PareValueId x = add_input (wide, "pixels", PARE_DTYPE_FLOAT32, pare_shape_make (2, (gint64)1, (gint64)(K + 1)));
  finish (wide, add_node (wide, "MatMul", x, pare_graph_add_constant (wide, "w", w, PARE_NONE)));
  g_assert_null (pare_evaluate (wide, f.data, &(PareEvaluateOptions){ .split = PARE_SPLIT_REPORT }, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_SHAPE);
  g_assert_nonnull (strstr (error->message, "pixels"));
}

/* --- watching and stopping --- */

typedef struct
{
  guint calls, last;
  PareControl *control;
} Watch;

static void
watch (PareEvaluation *partial, gpointer data)
{
  Watch *w = data;
  w->calls++;
  g_assert_cmpuint (partial->done, >, w->last);
  g_assert_cmpuint (partial->done, <, partial->all);
  g_assert_true (partial->low <= partial->value && partial->value <= partial->high);
  g_assert_true (partial->has_difference && partial->difference_low <= partial->difference
                 && partial->difference <= partial->difference_high);
  guint done = 0, hits = 0;
  for (guint i = 0; i < partial->n; i++)
    if (partial->prediction[i] != -1)
      {
        done++;
        hits += partial->correct[i];
      }
  g_assert_cmpuint (done, ==, partial->done);
  near (partial->value, (double)hits / done, 1e-12);
  w->last = partial->done;
  if (w->control != NULL)
    pare_control_cancel (w->control);
}

static void
test_snapshots (void)
{
  g_auto (Fixture) f = { 0 };
  make (&f, 500, TRUE, "");
  g_autoptr (PareGraph) a = linear (1), b = linear (2);
  g_autoptr (PareEvaluation) base = evaluate (a, &f, 2, NULL);
  Watch w = { 0 };
  PareEvaluateOptions o = { .split = PARE_SPLIT_REPORT, .threads = 2, .baseline = base, .snapshot = watch, .data = &w };
  g_autoptr (GError) error = NULL;
  g_autoptr (PareEvaluation) e = pare_evaluate (b, f.data, &o, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (w.calls, >=, 1);
  g_autoptr (PareControl) control = pare_control_new (NULL, NULL);
  w = (Watch){ .control = control };
  g_assert_null (pare_evaluate (b, f.data, &o, control, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_CANCELLED);
}

/* --- the other tasks --- */

static void
test_anomaly (void)
{
  g_auto (Fixture) f = { 0 };
  make (&f, 40, TRUE, ", \"task\": \"anomaly\", \"preprocess\": {\"window\": {\"length\": 2, \"stride\": 1}}");
  PareGraph *g = pare_graph_new ("half"); /* reconstructs half of what it sees: the error of a window is its mean square over four */
  g_autoptr (PareGraph) owned = g;
  g_autoptr (PareTensor) half = pare_tensor_new_scalar_f32 (0.5f);
  PareValueId x = add_input (g, "x", PARE_DTYPE_FLOAT32, pare_shape_make (2, (gint64)-1, (gint64)2));
  finish (g, add_node (g, "Mul", x, pare_graph_add_constant (g, "half", half, PARE_NONE)));
  g_autoptr (PareEvaluation) e = evaluate (g, &f, 2, NULL);
  g_autofree float *score = g_new (float, 40);
  g_autofree gint32 *label = g_new (gint32, 40);
  for (int i = 0; i < 40; i++)
    {
      const float *row = (float *)f.x->data + i * K;
      double sum = 0;
      for (int w = 0; w < 3; w++)
        sum += (row[w] * row[w] + row[w + 1] * row[w + 1]) / 4.0 / 2;
      score[i] = (float)(sum / 3);
      label[i] = (gint32)f.y[i];
      near (e->score[i], score[i], 1e-5 * score[i]);
    }
  double low, high;
  g_assert_cmpstr (e->metric, ==, "auc");
  near (e->value, pare_stat_auc (score, label, 40, &low, &high), 1e-12);
  near (e->low, low, 1e-9);
  g_assert_cmpuint (e->done, ==, 40);
  g_autoptr (PareEvaluation) same = evaluate (g, &f, 1, e);
  g_assert_true (same->has_difference);
  near (same->difference, 0, 0);
}

/* A bigram table: logits of the next token are a row of W. */
static void
test_next_token (void)
{
  g_auto (Fixture) f = { 0 };
  f.folder = g_dir_make_tmp ("pare-evaluate-XXXXXX", NULL);
  enum
  {
    TEXTS = 12,
    LENGTH = 5,
    WORDS = 6
  };
  PareShape shape = pare_shape_make (2, (gint64)TEXTS, (gint64)LENGTH);
  f.x = pare_tensor_new (PARE_DTYPE_INT64, &shape, NULL);
  g_autoptr (PareTensor) y = pare_tensor_new (PARE_DTYPE_INT64, &shape, NULL), w = weights (5, WORDS, WORDS);
  PareRng rng = { .state = 4 };
  guint hits = 0;
  double nll = 0;
  for (int i = 0; i < TEXTS * LENGTH; i++)
    {
      gint64 from = (gint64)pare_rng_below (&rng, WORDS), to = (gint64)pare_rng_below (&rng, WORDS);
      const float *z = (float *)w->data + from * WORDS;
      int best = 0;
      double sum = 0;
      for (int k = 0; k < WORDS; k++)
        {
          best = z[k] > z[best] ? k : best;
          sum += exp (z[k]);
        }
      if (i % 2 == 0)
        to = best;
      ((gint64 *)f.x->data)[i] = from;
      ((gint64 *)y->data)[i] = to;
      hits += to == best;
      nll += log (sum) - z[to];
    }
  save (&f, "x.npy", f.x);
  save (&f, "y.npy", y);
  g_autofree char *path = g_build_filename (f.folder, "dataset.json", NULL);
  g_assert_true (g_file_set_contents (path,
                                      "{\"format\": \"npy\", \"samples\": \"x.npy\", \"labels\": \"y.npy\", \"task\": \"next-token\","
                                      "\"splits\": {\"report\": \"0:\"}}",
                                      -1, NULL));
  f.data = pare_dataset_open (f.folder, NULL);
  PareGraph *g = pare_graph_new ("bigram");
  g_autoptr (PareGraph) owned = g;
  PareValueId x = add_input (g, "tokens", PARE_DTYPE_INT64, pare_shape_make (2, (gint64)1, (gint64)-1));
  finish (g, add_node (g, "Gather", pare_graph_add_constant (g, "w", w, PARE_NONE), x));
  g_autoptr (PareEvaluation) e = evaluate (g, &f, 2, NULL);
  g_assert_cmpuint (e->done, ==, TEXTS * LENGTH);
  g_assert_cmpuint (e->units[3], ==, LENGTH);
  near (e->value, (double)hits / (TEXTS * LENGTH), 1e-12);
  near (e->perplexity, exp (nll / (TEXTS * LENGTH)), 1e-5 * e->perplexity);
  g_assert_true (e->low < e->value && e->value < e->high);
}

/* --- real models, where they are: the figures of ONNX Runtime --- */

static void
test_material (void)
{
  static const char *const names[] = { "tiny-ic-resnet8",     "tiny-kws-dscnn", "tiny-vww-mobilenet-v1-025", "cifar10-resnet20",
                                       "tiny-ad-autoencoder", "mnist-convnet",  "tiny-ic-resnet8-qdq" };
  const char *shared = g_getenv ("PARE_SHARED"), *root = g_getenv ("PARE_SOURCE_ROOT");
  g_autofree char *material = shared != NULL ? g_build_filename (shared, "material", NULL)
                                             : g_build_filename (root != NULL ? root : ".", "..", "shared", "material", NULL);
  g_autofree char *path = g_build_filename (material, "cases.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  if (!json_parser_load_from_file (parser, path, NULL))
    {
      g_test_skip ("no material");
      return;
    }
  JsonObject *cases = json_node_get_object (json_parser_get_root (parser));
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      JsonObject *c = json_object_get_object_member (cases, names[i]);
      JsonObject *want = json_object_get_object_member (json_object_get_object_member (c, "figures"), "search");
      g_autofree char *model = g_build_filename (material, json_object_get_string_member (c, "model"), NULL);
      g_autofree char *data = g_build_filename (material, json_object_get_string_member (c, "data"), NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (PareGraph) g = pare_onnx_load (model, NULL, &error);
      g_assert_no_error (error);
      g_autoptr (PareDataset) d = pare_dataset_open (data, &error);
      g_assert_no_error (error);
      g_autoptr (PareEvaluation) e = pare_evaluate (g, d, &(PareEvaluateOptions){ .split = PARE_SPLIT_SEARCH }, NULL, &error);
      g_assert_no_error (error);
      g_test_message ("%s: %s %.6f, ONNX Runtime %.6f", names[i], e->metric, e->value, json_object_get_double_member (want, "value"));
      g_assert_cmpstr (e->metric, ==, json_object_get_string_member (want, "metric"));
      g_assert_cmpuint (e->done, ==, json_object_get_int_member (want, "samples"));
      /* one sample of rounding between two runtimes for quantized files, none for float ones */
      near (e->value, json_object_get_double_member (want, "value"), g_str_has_suffix (names[i], "qdq") ? 1.01 / e->done : 1e-6);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/evaluate/wilson", test_wilson);
  g_test_add_func ("/evaluate/mcnemar", test_mcnemar);
  g_test_add_func ("/evaluate/paired", test_paired);
  g_test_add_func ("/evaluate/coverage", test_coverage);
  g_test_add_func ("/evaluate/auc", test_auc);
  g_test_add_func ("/evaluate/classification", test_classification);
  g_test_add_func ("/evaluate/paired-run", test_paired_run);
  g_test_add_func ("/evaluate/threads", test_threads);
  g_test_add_func ("/evaluate/unlabelled", test_unlabelled);
  g_test_add_func ("/evaluate/limit-and-offset", test_limit_and_offset);
  g_test_add_func ("/evaluate/refused", test_refused);
  g_test_add_func ("/evaluate/snapshots", test_snapshots);
  g_test_add_func ("/evaluate/anomaly", test_anomaly);
  g_test_add_func ("/evaluate/next-token", test_next_token);
  g_test_add_func ("/evaluate/material", test_material);
  return g_test_run ();
}
