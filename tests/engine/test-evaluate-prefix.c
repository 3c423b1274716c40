/* Evaluations that begin in the middle give the bits of whole ones; stopping early and going on gives those of not stopping. */
#include "engine/base/pare-error.h"
#include "engine/evaluate/pare-evaluate.h"
#include "engine/evaluate/pare-prefix-private.h"
#include "engine/evaluate/pare-sparse.h"
#include "tests/engine/cut-models.h"

#include <glib/gstdio.h>

/* --- data for the model with branches --- */

typedef struct
{
  char *folder;
  PareDataset *data;
  PareGraph *graph;
} Fixture;

static void
save (Fixture *f, const char *name, const PareTensor *t)
{
  g_autofree char *path = g_build_filename (f->folder, name, NULL);
  g_assert_true (pare_npy_save (path, t, NULL));
}

/* Labels are the model's own answers, but every seventh is moved on. */
static void
fixture_init (Fixture *f, gint64 n)
{
  g_autoptr (GError) error = NULL;
  PareRng rng = { .state = 77 };
  f->folder = g_dir_make_tmp ("pare-prefix-XXXXXX", NULL);
  f->graph = branch_model (11, FALSE);
  PareShape shape = pare_shape_make (4, n, (gint64)3, (gint64)10, (gint64)10);
  g_autoptr (PareTensor) x = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  for (gint64 i = 0; i < pare_tensor_count (x); i++)
    ((float *)x->data)[i] = (float)pare_rng_normal (&rng);
  g_autoptr (PareProgram) program = pare_program_compile (f->graph, NULL, &error);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
  g_assert_no_error (error);
  g_autofree gint64 *labels = g_new (gint64, n);
  for (gint64 i = 0; i < n; i++)
    {
      PareView view = { PARE_DTYPE_FLOAT32, pare_shape_make (4, (gint64)1, (gint64)3, (gint64)10, (gint64)10), (float *)x->data + i * 300 };
      g_assert_true (pare_runner_run (runner, &view, 1, NULL, &error));
      const float *y = pare_runner_get_output (runner, 0).data;
      labels[i] = 0;
      for (gint64 c = 1; c < 6; c++)
        labels[i] = y[c] > y[labels[i]] ? c : labels[i];
      labels[i] = (labels[i] + (i % 7 == 0)) % 6;
    }
  g_autoptr (PareTensor) y = pare_tensor_new_i64 (labels, (gsize)n);
  save (f, "x.npy", x);
  save (f, "y.npy", y);
  g_autofree char *path = g_build_filename (f->folder, "dataset.json", NULL);
  const char *text
      = "{\"format\": \"npy\", \"samples\": \"x.npy\", \"labels\": \"y.npy\", \"splits\": {\"report\": \"0:\", \"calibration\": \"0:16\"}}";
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  f->data = pare_dataset_open (f->folder, &error);
  g_assert_no_error (error);
}

static void
fixture_clear (Fixture *f)
{
  static const char *const names[] = { "x.npy", "y.npy", "dataset.json" };
  pare_dataset_unref (f->data);
  pare_graph_unref (f->graph);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_build_filename (f->folder, names[i], NULL);
      g_unlink (path);
    }
  g_rmdir (f->folder);
  g_free (f->folder);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fixture, fixture_clear)

/* --- comparing --- */

#define assert_same_array(a, b, field, n) g_assert_cmpmem ((a)->field, (n) * sizeof *(a)->field, (b)->field, (n) * sizeof *(b)->field)

static void
assert_same (const PareEvaluation *a, const PareEvaluation *b)
{
  g_assert_cmpuint (a->n, ==, b->n);
  g_assert_cmpuint (a->done, ==, b->done);
  g_assert_cmpuint (a->n_outputs, ==, b->n_outputs);
  assert_same_array (a, b, prediction, a->n);
  assert_same_array (a, b, label, a->n);
  assert_same_array (a, b, confidence, a->n);
  assert_same_array (a, b, correct, a->n);
  assert_same_array (a, b, score, a->n);
  if (a->outputs != NULL)
    assert_same_array (a, b, outputs, (gsize)a->n * a->n_outputs);
  g_assert_cmpmem (&a->value, sizeof a->value, &b->value, sizeof b->value);
  g_assert_cmpmem (&a->kl, sizeof a->kl, &b->kl, sizeof b->kl);
  g_assert_cmpuint (a->lost, ==, b->lost);
  g_assert_cmpuint (a->gained, ==, b->gained);
  g_assert_cmpfloat (a->difference_low, ==, b->difference_low);
}

static PareEvaluation *
evaluate (const PareGraph *g, PareDataset *d, PareEvaluateOptions o)
{
  g_autoptr (GError) error = NULL;
  PareEvaluation *e = pare_evaluate (g, d, &o, NULL, &error);
  g_assert_no_error (error);
  return e;
}

/* Recipes that build on each other, or not; each is measured with the cache and without. */
static void
check_recipes (const PareGraph *graph, PareDataset *data, PareBackend backend, guint limit, guint rounds, guint64 budget, gboolean quantize)
{
  g_autoptr (GError) error = NULL;
  PareRng rng = { .state = 23 + rounds };
  g_autoptr (ParePrefixCache) cache = pare_prefix_cache_new (budget);
  g_autoptr (PareStatistics) statistics = quantize ? pare_calibrate (graph, data, 16, 1, backend, NULL, &error) : NULL;
  g_assert_no_error (error);
  g_autoptr (PareEvaluation) baseline
      = evaluate (graph, data, (PareEvaluateOptions){ .split = PARE_SPLIT_REPORT, .limit = limit, .backend = backend, .prefix = cache });
  g_autoptr (PareRecipe) recipe = pare_recipe_new ();
  for (guint r = 0; r < rounds; r++)
    {
      PareRecipe *next = random_recipe (graph, &rng, r % 3 == 2 ? NULL : recipe, 1 + r % 2, quantize);
      pare_recipe_unref (recipe);
      recipe = next;
      g_autoptr (PareGraph) changed = pare_apply (graph, recipe, statistics, NULL, NULL, &error);
      g_assert_no_error (error);
      PareEvaluateOptions o
          = { .split = PARE_SPLIT_REPORT, .limit = limit, .backend = backend, .threads = 1 + r % 2, .baseline = baseline };
      g_autoptr (PareEvaluation) whole = evaluate (changed, data, o);
      o.prefix = cache;
      g_autoptr (PareEvaluation) first = evaluate (changed, data, o);
      assert_same (whole, first);
      if (r % 4 == 1)
        {
          PareNodeId focus = (PareNodeId)pare_rng_below (&rng, graph->n_nodes);
          ParePrefixFillOptions fill
              = { .split = PARE_SPLIT_REPORT, .limit = limit, .backend = backend, .focus = &focus, .n_focus = 1, .threads = 2 };
          g_assert_true (pare_prefix_cache_fill (cache, changed, data, &fill, NULL, &error));
          g_assert_no_error (error);
        }
      g_autoptr (PareEvaluation) again = evaluate (changed, data, o);
      assert_same (whole, again);
      g_assert_cmpuint (pare_prefix_cache_get_bytes (cache), <=, pare_prefix_cache_get_budget (cache));
    }
  guint64 hits, misses;
  pare_prefix_cache_get_counts (cache, &hits, &misses);
  g_test_message ("%u rounds of %u samples: %" G_GUINT64_FORMAT " began in the middle, %" G_GUINT64_FORMAT " at the input; %.1f MiB kept",
                  rounds, baseline->n, hits, misses, (double)pare_prefix_cache_get_bytes (cache) / 1048576);
  g_assert_cmpuint (hits, >, 0);
}

static void
test_branches (gconstpointer backend)
{
  g_auto (Fixture) f = { 0 };
  fixture_init (&f, 90);
  check_recipes (f.graph, f.data, (PareBackend)GPOINTER_TO_INT (backend), 0, 16, 64 << 20, FALSE);
  check_recipes (f.graph, f.data, (PareBackend)GPOINTER_TO_INT (backend), 0, 10, 64 << 20, TRUE);
  check_recipes (f.graph, f.data, (PareBackend)GPOINTER_TO_INT (backend), 50, 10, 200 << 10, TRUE); /* far from enough room */
}

static void
test_public (gconstpointer backend)
{
  g_autoptr (PareGraph) g = public_model ("cifar10-resnet20");
  g_autofree char *models = material_models ();
  g_autofree char *path = models != NULL ? g_build_filename (models, "..", "data", "cifar10", "torch.json", NULL) : NULL;
  g_autoptr (PareDataset) d = path != NULL ? pare_dataset_open (path, NULL) : NULL;
  if (g == NULL || d == NULL)
    {
      g_test_skip ("no material");
      return;
    }
  check_recipes (g, d, (PareBackend)GPOINTER_TO_INT (backend), 40, 9, 256 << 20, FALSE);
  check_recipes (g, d, (PareBackend)GPOINTER_TO_INT (backend), 40, 6, 256 << 20, TRUE);
}

/* --- stopping early --- */

static PareGraph *
changed_by (const PareGraph *g, const char *layer, int bits)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PareRecipe) r = pare_recipe_new ();
  PareLayerRecipe own;
  pare_layer_recipe_init (&own);
  own.weight_bits = bits;
  pare_recipe_set_layer (r, layer, &own);
  PareGraph *changed = pare_apply (g, r, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  return changed;
}

static void
test_early (void)
{
  g_auto (Fixture) f = { 0 };
  fixture_init (&f, 1200);
  g_autoptr (PareEvaluation) baseline = evaluate (f.graph, f.data, (PareEvaluateOptions){ .split = PARE_SPLIT_REPORT });
  g_autoptr (PareGraph) bad = changed_by (f.graph, "stem", 2), good = changed_by (f.graph, "stem", 8);
  g_autoptr (ParePrefixCache) cache = pare_prefix_cache_new (64 << 20);
  PareEvaluateOptions o
      = { .split = PARE_SPLIT_REPORT, .baseline = baseline, .threads = 2, .stop_early = TRUE, .tolerance = 0.02, .prefix = cache };
  g_autoptr (PareEvaluation) e = evaluate (bad, f.data, o);
  g_test_message ("2 bits: %u of %u, %.3f (%.3f to %.3f)", e->done, e->all, e->difference, e->difference_low, e->difference_high);
  g_assert_true (e->stopped_early);
  g_assert_cmpuint (e->done, <, e->all / 2);
  g_assert_cmpfloat (e->difference_high, <, -0.02);
  g_assert_nonnull (e->unfinished);
  /* the rest, and it is as if nothing had been stopped */
  g_autoptr (PareEvaluation) whole = evaluate (bad, f.data, (PareEvaluateOptions){ .split = PARE_SPLIT_REPORT, .baseline = baseline });
  o.stop_early = FALSE;
  o.resume = e;
  guint64 hits, misses, hits_now, misses_now;
  pare_prefix_cache_get_counts (cache, &hits, &misses);
  g_autoptr (PareEvaluation) rest = evaluate (bad, f.data, o);
  pare_prefix_cache_get_counts (cache, &hits_now, &misses_now);
  assert_same (whole, rest);
  g_assert_false (rest->stopped_early);
  g_assert_cmpuint (hits_now + misses_now - hits - misses, ==, e->all - e->done);
  /* what changes nothing is decided too, with the interval above the tolerance */
  o.resume = NULL;
  o.stop_early = TRUE;
  g_autoptr (PareEvaluation) fine = evaluate (good, f.data, o);
  g_test_message ("8 bits: %u of %u, %.3f (%.3f to %.3f)", fine->done, fine->all, fine->difference, fine->difference_low,
                  fine->difference_high);
  g_assert_true (fine->stopped_early);
  g_assert_cmpfloat (fine->difference_low, >=, -0.02);
  /* and what is not asked to stop does not */
  o.stop_early = FALSE;
  g_autoptr (PareEvaluation) on = evaluate (bad, f.data, o);
  assert_same (whole, on);
}

/* --- the cache under way --- */

static void
cancel_after (PareEvaluation *partial, gpointer control)
{
  pare_control_cancel (control);
}

static void
test_cancel (void)
{
  g_auto (Fixture) f = { 0 };
  fixture_init (&f, 400);
  g_autoptr (ParePrefixCache) cache = pare_prefix_cache_new (64 << 20);
  g_autoptr (PareControl) control = pare_control_new (NULL, NULL);
  g_autoptr (GError) error = NULL;
  PareEvaluateOptions o = { .split = PARE_SPLIT_REPORT, .threads = 2, .prefix = cache, .snapshot = cancel_after, .data = control };
  g_assert_null (pare_evaluate (f.graph, f.data, &o, control, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_CANCELLED);
  g_assert_cmpuint (pare_prefix_cache_get_bytes (cache), >, 0); /* what was done serves the next */
  g_clear_error (&error);
  ParePrefixFillOptions fill = { .split = PARE_SPLIT_REPORT };
  g_assert_false (pare_prefix_cache_fill (cache, f.graph, f.data, &fill, control, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_CANCELLED);
  o.snapshot = NULL;
  g_autoptr (PareEvaluation) a = evaluate (f.graph, f.data, o);
  o.prefix = NULL;
  g_autoptr (PareEvaluation) b = evaluate (f.graph, f.data, o);
  assert_same (b, a);
  pare_prefix_cache_set_budget (cache, 100 << 10);
  g_assert_cmpuint (pare_prefix_cache_get_bytes (cache), <=, 100 << 10);
  pare_prefix_cache_clear (cache);
  g_assert_cmpuint (pare_prefix_cache_get_bytes (cache), ==, 0);
}

typedef struct
{
  Fixture *f;
  ParePrefixCache *cache;
  guint seed;
} Worker;

static gpointer
fill_thread (gpointer data)
{
  Worker *w = data;
  for (guint i = 0; i < 6; i++)
    {
      ParePrefixFillOptions fill = { .split = PARE_SPLIT_REPORT, .threads = 2 };
      g_autoptr (PareGraph) g = changed_by (w->f->graph, i % 2 ? "deep" : "mix", 3 + (int)i % 3);
      g_assert_true (pare_prefix_cache_fill (w->cache, g, w->f->data, &fill, NULL, NULL));
    }
  return NULL;
}

/* A fill, evaluations and a budget that changes, all at once: the figures stay. */
static void
test_threads (void)
{
  g_auto (Fixture) f = { 0 };
  fixture_init (&f, 80);
  g_autoptr (ParePrefixCache) cache = pare_prefix_cache_new (1 << 20);
  Worker w = { &f, cache, 0 };
  GThread *thread = g_thread_new ("fill", fill_thread, &w);
  for (guint i = 0; i < 12; i++)
    {
      g_autoptr (PareGraph) g = changed_by (f.graph, i % 3 ? "deep" : "head", 3 + (int)i % 4);
      g_autoptr (PareEvaluation) a
          = evaluate (g, f.data, (PareEvaluateOptions){ .split = PARE_SPLIT_REPORT, .threads = 2, .prefix = cache });
      g_autoptr (PareEvaluation) b = evaluate (g, f.data, (PareEvaluateOptions){ .split = PARE_SPLIT_REPORT, .threads = 2 });
      assert_same (b, a);
      pare_prefix_cache_set_budget (cache, (guint64)(1 + i % 3) << 19);
    }
  g_thread_join (thread);
}

/* Other data is other data, even with the same model. */
static void
test_other_data (void)
{
  g_auto (Fixture) f = { 0 }, h = { 0 };
  fixture_init (&f, 60);
  fixture_init (&h, 50);
  g_autoptr (ParePrefixCache) cache = pare_prefix_cache_new (64 << 20);
  PareEvaluateOptions o = { .split = PARE_SPLIT_REPORT, .prefix = cache };
  g_autoptr (PareEvaluation) a = evaluate (f.graph, f.data, o), b = evaluate (f.graph, h.data, o);
  o.prefix = NULL;
  g_autoptr (PareEvaluation) c = evaluate (f.graph, h.data, o);
  assert_same (c, b);
  o.prefix = cache;
  o.limit = 20;
  g_autoptr (PareEvaluation) d = evaluate (f.graph, h.data, o);
  o.prefix = NULL;
  g_autoptr (PareEvaluation) e = evaluate (f.graph, h.data, o);
  assert_same (e, d);
}

/* Any bits come back, wherever they lie; zeros take no room. */
static void
test_sparse (void)
{
  GRand *rand = g_rand_new_with_seed (5);
  for (guint turn = 0; turn < 2000; turn++)
    {
      gsize n = (gsize)g_rand_int_range (rand, 0, 200), zeros = 0;
      double share = g_rand_double (rand) * 1.2 - 0.1;
      g_autofree float *x = g_new (float, n + 1), *back = g_new (float, n + 1);
      for (gsize i = 0; i < n; i++)
        {
          guint32 odd[] = { g_rand_int (rand), 0x80000000u, 0x7fc00001u, 0x7f800000u, 1 };
          guint32 bits = g_rand_double (rand) < share ? 0 : odd[g_rand_int_range (rand, 0, G_N_ELEMENTS (odd))];
          zeros += bits == 0;
          memcpy (&x[i], &bits, sizeof bits);
        }
      gsize offset = (gsize)g_rand_int_range (rand, 0, 8);
      g_autofree guint8 *room = g_malloc (pare_sparse_most (n) + offset);
      gsize bytes = pare_sparse_pack (x, n, room + offset);
      g_assert_cmpuint (bytes, ==, (n + 15) / 16 * 2 + (n - zeros + 1) * sizeof (float));
      g_assert_cmpuint (bytes, <=, pare_sparse_most (n));
      g_autofree guint8 *packed = g_memdup2 (room + offset, bytes); /* no byte more: the sanitizer sees what is read behind it */
      memset (back, 0x55, (n + 1) * sizeof *back);
      pare_sparse_unpack (packed, n, back);
      g_assert_cmpmem (back, n * sizeof *x, x, n * sizeof *x);
      guint32 behind;
      memcpy (&behind, &back[n], sizeof behind);
      g_assert_cmphex (behind, ==, 0x55555555);
    }
  g_rand_free (rand);
}

/* Rooms live as long as any state in them, whichever is let go of first. */
static void
test_rooms (void)
{
  GRand *rand = g_rand_new_with_seed (6);
  for (guint turn = 0; turn < 50; turn++)
    {
      PareStateRoom *room = NULL;
      g_autoptr (GPtrArray) states = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_state_unref);
      gsize most = (gsize)1 << g_rand_int_range (rand, 4, 17);
      guint n = (guint)g_rand_int_range (rand, 1, 100);
      for (guint i = 0; i < n; i++)
        {
          gsize bytes = (gsize)g_rand_int_range (rand, 0, (gint32)most);
          PareState *state = g_malloc0 (sizeof *state + bytes);
          g_atomic_ref_count_init (&state->refs);
          state->label = i;
          state->bytes = sizeof *state + bytes;
          memset (state->data, (int)i, bytes);
          g_ptr_array_add (states, pare_state_settle (state, &room, n - i - 1));
        }
      pare_state_room_unref (room);
      while (states->len > 0)
        {
          PareState *state = states->pdata[g_rand_int_range (rand, 0, (gint32)states->len)];
          g_assert_cmpuint ((gsize)state % G_ALIGNOF (PareState), ==, 0);
          for (gsize k = 0; k < state->bytes - sizeof *state; k++)
            g_assert_cmpuint (state->data[k], ==, (guint8)state->label);
          g_assert_true (g_ptr_array_remove_fast (states, state));
        }
    }
  g_rand_free (rand);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/prefix/branches/onednn", GINT_TO_POINTER (PARE_BACKEND_AUTO), test_branches);
  g_test_add_data_func ("/prefix/branches/portable", GINT_TO_POINTER (PARE_BACKEND_PORTABLE), test_branches);
  g_test_add_data_func ("/prefix/resnet20/onednn", GINT_TO_POINTER (PARE_BACKEND_AUTO), test_public);
  g_test_add_data_func ("/prefix/resnet20/portable", GINT_TO_POINTER (PARE_BACKEND_PORTABLE), test_public);
  g_test_add_func ("/prefix/sparse", test_sparse);
  g_test_add_func ("/prefix/rooms", test_rooms);
  g_test_add_func ("/prefix/early", test_early);
  g_test_add_func ("/prefix/cancel", test_cancel);
  g_test_add_func ("/prefix/threads", test_threads);
  g_test_add_func ("/prefix/other-data", test_other_data);
  return g_test_run ();
}
