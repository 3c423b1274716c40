/* A run that is cut in two gives the bits of a whole one, wherever it is cut, whichever program with the same key the first part came from.
 */
#include "engine/base/pare-error.h"
#include "engine/lower/pare-program-cut.h"
#include "tests/engine/cut-models.h"

typedef struct
{
  PareProgram *program;
  const PareCuts *cuts;
  PareRunner *runner, *other;
  PareView input;
  PareTensor *x[2];
  guint8 *want; /* the output of x[0] */
  gsize bytes;
} Subject;

static gsize
output_bytes (const PareView *v)
{
  return (gsize)pare_shape_bytes (&v->shape, v->dtype);
}

static void
run (PareRunner *runner, PareTensor *x, guint from, guint to, gboolean with_input)
{
  g_autoptr (GError) error = NULL;
  PareView view = pare_tensor_view (x);
  pare_runner_run_part (runner, with_input ? &view : NULL, 1, from, to, NULL, &error);
  g_assert_no_error (error);
}

static void
subject_init (Subject *s, const PareGraph *graph, PareBackend backend)
{
  g_autoptr (GError) error = NULL;
  PareDtype dtype;
  PareShape shape;
  PareRng rng = { .state = 5 };
  s->program = pare_program_compile (graph, &(PareCompileOptions){ .backend = backend }, &error);
  g_assert_no_error (error);
  s->cuts = pare_program_get_cuts (s->program);
  s->runner = pare_runner_new (s->program, 1, &error);
  s->other = pare_runner_new (s->program, 1, &error);
  g_assert_no_error (error);
  pare_program_get_input (s->program, 0, &dtype, &shape);
  for (guint k = 0; k < 2; k++)
    {
      s->x[k] = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
      for (gint64 i = 0; i < pare_tensor_count (s->x[k]); i++)
        ((float *)s->x[k]->data)[i] = (float)pare_rng_normal (&rng);
    }
  PareView view = pare_tensor_view (s->x[0]);
  pare_runner_run (s->runner, &view, 1, NULL, &error);
  g_assert_no_error (error);
  view = pare_runner_get_output (s->runner, 0);
  s->bytes = output_bytes (&view);
  s->want = g_memdup2 (view.data, s->bytes);
}

static void
subject_clear (Subject *s)
{
  pare_runner_free (s->runner);
  pare_runner_free (s->other);
  pare_program_unref (s->program);
  pare_tensor_unref (s->x[0]);
  pare_tensor_unref (s->x[1]);
  g_free (s->want);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Subject, subject_clear)

static void
assert_same_output (Subject *s, PareRunner *runner)
{
  PareView got = pare_runner_get_output (runner, 0);
  g_assert_cmpmem (got.data, output_bytes (&got), s->want, s->bytes);
}

/* State of `from` at its cut a into `to` at its cut b; the rest in `to`. */
static void
take_over (Subject *from, const PareCut *a, Subject *to, const PareCut *b)
{
  g_assert_cmpuint (a->n_pieces, ==, b->n_pieces);
  run (to->other, to->x[1], 0, G_MAXUINT, TRUE); /* what is left there is another sample's */
  run (from->runner, from->x[0], 0, a->step, TRUE);
  for (guint i = 0; i < a->n_pieces; i++)
    {
      g_assert_cmpuint (a->pieces[i].bytes, ==, b->pieces[i].bytes);
      memcpy (pare_runner_get_piece (to->other, &b->pieces[i]), pare_runner_get_piece (from->runner, &a->pieces[i]), a->pieces[i].bytes);
    }
  run (to->other, to->x[0], b->step, G_MAXUINT, b->needs_input);
  assert_same_output (to, to->other);
}

static void
check_one (const PareGraph *graph, PareBackend backend, guint stride, const char *name)
{
  g_auto (Subject) s = { 0 };
  subject_init (&s, graph, backend);
  g_assert_cmpuint (s.cuts->n, >, s.cuts->n_steps / 3); /* three convolutions may be one node */
  double before = 0;
  for (guint i = 0; i < s.cuts->n; i++)
    {
      const PareCut *c = &s.cuts->cuts[i];
      g_assert_cmpfloat (c->work, >=, before);
      before = c->work;
      if (i % stride == 0)
        take_over (&s, c, &s, c);
      for (guint k = 0; k < i; k++)
        g_assert_false (memcmp (&c->key, &s.cuts->cuts[k].key, sizeof c->key) == 0);
    }
  g_test_message ("%s, %s: %u cuts in %u steps", name, backend == PARE_BACKEND_PORTABLE ? "portable" : "oneDNN", s.cuts->n,
                  s.cuts->n_steps);
}

/* Random recipes that build on each other: whatever keys two of them share, states are taken over. */
static void
check_many (const PareGraph *graph, PareBackend backend, guint64 seed, guint rounds, const char *name)
{
  PareRng rng = { .state = seed };
  g_auto (Subject) before = { 0 };
  subject_init (&before, graph, backend);
  guint shared = 0, all = 0;
  g_autoptr (PareRecipe) recipe = pare_recipe_new ();
  for (guint r = 0; r < rounds; r++)
    {
      g_autoptr (GError) error = NULL;
      PareRecipe *next = random_recipe (graph, &rng, recipe, 1, FALSE);
      pare_recipe_unref (recipe);
      recipe = next;
      g_autoptr (PareGraph) changed = pare_apply (graph, recipe, NULL, NULL, NULL, &error);
      g_assert_no_error (error);
      Subject now = { 0 };
      subject_init (&now, changed, backend);
      guint latest = G_MAXUINT;
      for (guint i = 0; i < now.cuts->n; i++)
        for (guint k = 0; k < before.cuts->n; k++)
          if (memcmp (&now.cuts->cuts[i].key, &before.cuts->cuts[k].key, sizeof (PareCutKey)) == 0)
            {
              if (i % 4 == 0)
                take_over (&before, &before.cuts->cuts[k], &now, &now.cuts->cuts[i]);
              latest = i;
              shared++;
            }
      if (latest != G_MAXUINT) /* the one that is used */
        for (guint k = 0; k < before.cuts->n; k++)
          if (memcmp (&now.cuts->cuts[latest].key, &before.cuts->cuts[k].key, sizeof (PareCutKey)) == 0)
            take_over (&before, &before.cuts->cuts[k], &now, &now.cuts->cuts[latest]);
      all += now.cuts->n;
      subject_clear (&before);
      before = now;
    }
  g_test_message ("%s, %s: %u of %u cuts shared", name, backend == PARE_BACKEND_PORTABLE ? "portable" : "oneDNN", shared, all);
  g_assert_true (shared > 0 || rounds < 5); /* one knob in the first layer leaves nothing to share */
}

static void
test_branches (gconstpointer backend)
{
  g_autoptr (PareGraph) g = branch_model (11, TRUE);
  check_one (g, (PareBackend)GPOINTER_TO_INT (backend), 1, "branches");
  check_many (g, (PareBackend)GPOINTER_TO_INT (backend), 3, 24, "branches");
}

static void
test_public (gconstpointer backend)
{
  static const struct
  {
    const char *name;
    guint stride, rounds;
  } models[] = { { "cifar10-resnet20", 1, 10 },   { "tiny-kws-dscnn", 1, 10 },       { "tiny-ic-resnet8-qdq", 1, 0 },
                 { "imagenet-squeezenet", 3, 3 }, { "imagenet-mobilenet-v2", 9, 3 }, { "imagenet-tiny-darknet", 7, 2 } };
  gboolean any = FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (models); i++)
    {
      g_autoptr (PareGraph) g = public_model (models[i].name);
      gboolean slow = g_str_has_prefix (models[i].name, "imagenet") && GPOINTER_TO_INT (backend) == PARE_BACKEND_PORTABLE;
      if (g == NULL)
        continue;
      any = TRUE;
      check_one (g, (PareBackend)GPOINTER_TO_INT (backend), models[i].stride * (slow ? 3 : 1), models[i].name);
      if (models[i].rounds > 0)
        check_many (g, (PareBackend)GPOINTER_TO_INT (backend), 17 + i, slow ? 1 : models[i].rounds, models[i].name);
    }
  if (!any)
    g_test_skip ("no models");
}

/* Another weight, parameter or input shape is another key; the same model again has the same. */
static void
test_keys (void)
{
  g_autoptr (PareGraph) a = branch_model (11, TRUE), b = branch_model (11, TRUE), c = branch_model (12, TRUE);
  g_auto (Subject) first = { 0 }, same = { 0 }, other = { 0 }, stride = { 0 };
  subject_init (&first, a, PARE_BACKEND_AUTO);
  subject_init (&same, b, PARE_BACKEND_AUTO);
  subject_init (&other, c, PARE_BACKEND_AUTO);
  PareNodeId deep = pare_graph_find_layer (b, "deep");
  g_autoptr (PareGraph) d = pare_graph_copy (b);
  d->nodes[deep].layer = "renamed";
  pare_node_set_int (&d->nodes[pare_graph_find_layer (d, "both")], "axis", -3);
  subject_init (&stride, d, PARE_BACKEND_AUTO);
  g_assert_cmpuint (first.cuts->n, ==, same.cuts->n);
  for (guint i = 0; i < first.cuts->n; i++)
    {
      g_assert_cmpmem (&first.cuts->cuts[i].key, sizeof (PareCutKey), &same.cuts->cuts[i].key, sizeof (PareCutKey));
      for (guint k = 0; k < other.cuts->n; k++)
        g_assert_false (memcmp (&first.cuts->cuts[i].key, &other.cuts->cuts[k].key, sizeof (PareCutKey)) == 0);
    }
  guint equal = 0; /* a name is no part of it */
  for (guint i = 0; i < stride.cuts->n; i++)
    equal += memcmp (&first.cuts->cuts[i].key, &stride.cuts->cuts[i].key, sizeof (PareCutKey)) == 0;
  g_assert_cmpuint (equal, >, 0);
}

static void
test_hash (void)
{
  guint8 bytes[200] = { 0 };
  const PareCutKey seed = { 1, 2 };
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  for (guint n = 0; n <= sizeof bytes; n++)
    for (guint bit = 0; bit < MAX (n * 8, 1); bit++)
      {
        if (n > 0)
          bytes[bit / 8] ^= (guint8)(1 << bit % 8);
        PareCutKey k = pare_content_hash (seed, bytes, n);
        g_assert_true (g_hash_table_add (seen, g_memdup2 (&k.a, sizeof k.a)));
        g_assert_true (g_hash_table_add (seen, g_memdup2 (&k.b, sizeof k.b)));
        if (n > 0)
          bytes[bit / 8] ^= (guint8)(1 << bit % 8);
      }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cuts/hash", test_hash);
  g_test_add_func ("/cuts/keys", test_keys);
  g_test_add_data_func ("/cuts/branches/onednn", GINT_TO_POINTER (PARE_BACKEND_AUTO), test_branches);
  g_test_add_data_func ("/cuts/branches/portable", GINT_TO_POINTER (PARE_BACKEND_PORTABLE), test_branches);
  g_test_add_data_func ("/cuts/models/onednn", GINT_TO_POINTER (PARE_BACKEND_AUTO), test_public);
  g_test_add_data_func ("/cuts/models/portable", GINT_TO_POINTER (PARE_BACKEND_PORTABLE), test_public);
  return g_test_run ();
}
