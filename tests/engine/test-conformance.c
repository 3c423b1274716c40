/* The ONNX project's own backend tests, as Debian's libonnx-testdata installs them, or those in the folder PARE_CONFORMANCE names
 * (`onnx.backend.test` writes them, of any version): each model runs on both backends and its outputs must be those that ONNX says. What
 * Pare refuses is listed in conformance-refused.txt, so that a new refusal, and one that is no longer, is seen. Each model is also run with
 * an input or output of its nodes missing: whatever comes of that, it comes in order. */
#include "engine/base/pare-error.h"
#include "engine/lower/pare-program.h"
#include "engine/onnx/pare-onnx.h"
#include "tests/engine/tensor-differs.h"

#define FOLDER "/usr/share/libonnx-testdata/data"
#define LIMIT 16 /* inputs or outputs of a test */

static GHashTable *refused; /* name of a test -> why it is known not to run, or to differ ("differs: ...") */

static void
put_field (GByteArray *to, guint8 tag, const guint8 *data, gsize n)
{
  g_byte_array_append (to, &tag, 1);
  for (gsize left = n;; left >>= 7)
    {
      guint8 byte = (guint8)(left < 128 ? left : (left & 127) | 128);
      g_byte_array_append (to, &byte, 1);
      if (left < 128)
        break;
    }
  g_byte_array_append (to, data, (guint)n);
}

/* (transfer full) A tensor in a file of its own, read as the one initializer of a model around it; NULL: it is a sequence, or of strings.
 */
static PareTensor *
load_tensor (const char *folder, const char *what, guint i)
{
  static const guint8 opset[] = { 0x10, 13 }, ir_version[] = { 0x08, 8 };
  g_autofree char *path = g_strdup_printf ("%s/%s_%u.pb", folder, what, i);
  char *bytes;
  gsize n;
  if (!g_file_get_contents (path, &bytes, &n, NULL))
    return NULL;
  g_autoptr (GByteArray) tensor = g_byte_array_new ();
  g_autoptr (GByteArray) graph = g_byte_array_new ();
  g_autoptr (GByteArray) model = g_byte_array_new ();
  g_byte_array_append (tensor, (const guint8 *)bytes, (guint)n);
  put_field (tensor, 0x42, (const guint8 *)"tensor", 6); /* some have no name, which an initializer must have */
  put_field (graph, 0x2a, tensor->data, tensor->len);
  g_free (bytes);
  g_byte_array_append (model, ir_version, sizeof ir_version);
  put_field (model, 0x42, opset, sizeof opset);
  put_field (model, 0x3a, graph->data, graph->len);
  g_autoptr (GBytes) whole = g_bytes_new (model->data, model->len);
  g_autoptr (PareGraph) read = pare_onnx_parse (whole, NULL, NULL);
  return read != NULL && read->n_values > 0 && read->values[0].constant != NULL ? pare_tensor_ref (read->values[0].constant) : NULL;
}

typedef struct
{
  PareGraph *graph;
  PareTensor *inputs[LIMIT]; /* in the graph's order */
  guint n;
} Case;

static void
case_clear (Case *c)
{
  g_clear_pointer (&c->graph, pare_graph_unref);
  for (guint i = 0; i < c->n; i++)
    g_clear_pointer (&c->inputs[i], pare_tensor_unref);
  c->n = 0;
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Case, case_clear)

typedef enum
{
  GIVE_ALL,   /* every input at run time */
  GIVE_REAL,  /* 64-bit integers (shapes, axes, sizes) are constants */
  GIVE_FIRST, /* all but the first are constants, as weights and parameters are in networks */
  GIVE_NONE,  /* all constants: what is not known before can only be folded */
  GIVE_WAYS
} Give;

/* Compiles for the case with some of its inputs as constants; order: which of its tensors each of the program's inputs is. */
static PareProgram *
compile (const Case *c, Give give, PareBackend backend, guint *order, GError **error)
{
  g_autoptr (PareGraph) graph = pare_graph_copy (c->graph);
  PareNamedShape shapes[LIMIT];
  guint kept = 0;
  for (guint i = 0; i < c->n; i++)
    if (give == GIVE_ALL || (give == GIVE_REAL && c->inputs[i]->dtype != PARE_DTYPE_INT64) || (give == GIVE_FIRST && i == 0))
      {
        shapes[kept] = (PareNamedShape){ graph->values[graph->inputs[i]].name, c->inputs[i]->shape };
        order[kept] = i;
        graph->inputs[kept++] = graph->inputs[i];
      }
    else
      graph->values[graph->inputs[i]].constant = pare_tensor_ref (c->inputs[i]);
  graph->n_inputs = kept;
  const PareCompileOptions options = { .backend = backend, .shapes = shapes, .n_shapes = kept };
  return pare_program_compile (graph, &options, error);
}

/* What a program is given. FALSE: the case has it in another type. */
static gboolean
make_views (const Case *c, PareProgram *program, const guint *order, PareView *views, char **what)
{
  for (guint i = 0; i < pare_program_get_n_inputs (program); i++)
    {
      views[i] = pare_tensor_view (c->inputs[order[i]]);
      pare_program_get_input (program, i, &views[i].dtype, &(PareShape){ 0 }); /* bfloat16 stands in the files as 16-bit integers */
      if (pare_dtype_bits (views[i].dtype) != pare_dtype_bits (c->inputs[order[i]]->dtype))
        {
          *what = g_strdup_printf ("input %u is %s", i, pare_dtype_name (c->inputs[order[i]]->dtype));
          return FALSE;
        }
    }
  return TRUE;
}

/* (transfer full) What is wrong with the outputs; NULL: nothing. */
static char *
compare (PareRunner *runner, const char *folder)
{
  for (guint i = 0; i < pare_program_get_n_outputs (pare_runner_get_program (runner)); i++)
    {
      g_autoptr (PareTensor) want = load_tensor (folder, "output", i);
      if (want == NULL)
        return g_strdup_printf ("output %u cannot be read", i);
      PareView got = pare_runner_get_output (runner, i);
      g_autofree char *what = differs (&got, want, 1e-7);
      if (what != NULL)
        return g_strdup_printf ("output %u: %s", i, what);
    }
  return NULL;
}

typedef enum
{
  RUN_REFUSED, /* does not compile; or nodes that only values size refuse what they read */
  RUN_WRONG,
  RUN_LATE, /* right, but some of it ran behind the plan, node by node */
  RUN_RIGHT,
} Run;

/* Runs the case with some of its inputs as constants; what: (transfer full) says why it is refused or wrong. */
static Run
run_given (const Case *c, const char *folder, Give give, PareBackend backend, char **what)
{
  g_autoptr (GError) error = NULL;
  guint order[LIMIT];
  g_autoptr (PareProgram) program = compile (c, give, backend, order, &error);
  if (program == NULL)
    return *what = g_strdup (error->message), RUN_REFUSED;
  g_autoptr (PareRunner) runner = pare_runner_new (program, 2, &error);
  if (runner == NULL)
    return *what = g_strdup (error->message), RUN_WRONG;
  PareView views[LIMIT];
  guint n = pare_program_get_n_inputs (program);
  if (!make_views (c, program, order, views, what))
    return RUN_WRONG;
  gboolean late = pare_program_runs_late (program, NULL);
  if (!pare_runner_run (runner, views, n, NULL, &error))
    {
      *what = g_strdup (error->message);
      return late && g_error_matches (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED) ? RUN_REFUSED : RUN_WRONG;
    }
  *what = compare (runner, folder);
  return *what != NULL ? RUN_WRONG : late ? RUN_LATE : RUN_RIGHT;
}

/* One data set on one backend, in all ways of giving its inputs until one has run in the plan alone. NULL: right in every way that runs;
 * or (transfer full) why it does not run in any (*wrong FALSE), or what is wrong. */
static char *
check (const Case *c, const char *folder, PareBackend backend, gboolean *wrong)
{
  g_autofree char *refusal = NULL;
  Run best = RUN_REFUSED;
  *wrong = FALSE;
  for (Give give = GIVE_ALL; best != RUN_RIGHT && give < GIVE_WAYS; give++)
    {
      g_autofree char *what = NULL;
      Run run = run_given (c, folder, give, backend, &what);
      if (run == RUN_WRONG)
        {
          *wrong = TRUE;
          return g_steal_pointer (&what);
        }
      if (run == RUN_REFUSED)
        {
          g_free (refusal);
          refusal = g_steal_pointer (&what);
        }
      best = MAX (best, run);
    }
  return best == RUN_REFUSED ? g_steal_pointer (&refusal) : NULL;
}

/* As check(), of the whole test; also that the file cannot be read, or takes what is no tensor. */
static char *
run_test (const char *path, gboolean *wrong)
{
  g_autofree char *file = g_build_filename (path, "model.onnx", NULL);
  for (guint set = 0;; set++)
    {
      g_autofree char *folder = g_strdup_printf ("%s/test_data_set_%u", path, set);
      g_autoptr (GError) error = NULL;
      g_auto (Case) c = { 0 };
      *wrong = FALSE;
      if (!g_file_test (folder, G_FILE_TEST_IS_DIR))
        return set > 0 ? NULL : g_strdup ("no data");
      c.graph = pare_onnx_load (file, NULL, &error);
      if (c.graph == NULL)
        return g_strdup (error->message);
      for (; c.n < MIN (c.graph->n_inputs, LIMIT); c.n++)
        if ((c.inputs[c.n] = load_tensor (folder, "input", c.n)) == NULL)
          return g_strdup_printf ("input %u is no tensor of numbers", c.n);
      const PareBackend backends[] = { PARE_BACKEND_PORTABLE, PARE_BACKEND_AUTO };
      for (guint b = 0; b < G_N_ELEMENTS (backends); b++)
        {
          char *what = check (&c, folder, backends[b], wrong);
          if (what != NULL)
            return what;
        }
    }
}

static void
test_one (gconstpointer data)
{
  const char *path = data;
  g_autofree char *name = g_path_get_basename (path);
  gboolean wrong;
  g_autofree char *what = run_test (path, &wrong);
  const char *known = g_hash_table_lookup (refused, name);
  if (what == NULL && known != NULL)
    g_test_fail_printf ("%s runs: take it off conformance-refused.txt", name);
  else if (what != NULL && known != NULL && wrong == g_str_has_prefix (known, "differs:"))
    g_test_skip (known);
  else if (what != NULL)
    g_test_fail_printf ("%s: %s", name, what);
}

/* --- what lacks something --- */

/* Reads the case's graph again as a file would hold it, and runs it. */
static void
run_anyhow (const Case *c, Give give)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *what = NULL;
  guint order[LIMIT];
  PareView views[LIMIT];
  g_autoptr (GBytes) bytes = pare_onnx_serialize (c->graph, NULL);
  g_autoptr (PareGraph) graph = bytes != NULL ? pare_onnx_parse (bytes, NULL, &error) : NULL;
  if (graph == NULL)
    return;
  Case again = *c;
  again.graph = graph;
  g_autoptr (PareProgram) program = compile (&again, give, PARE_BACKEND_AUTO, order, &error);
  g_assert_true ((program == NULL) == (error != NULL));
  g_autoptr (PareRunner) runner = program != NULL ? pare_runner_new (program, 1, &error) : NULL;
  if (runner != NULL && make_views (&again, program, order, views, &what))
    g_assert_true (pare_runner_run (runner, views, pare_program_get_n_inputs (program), NULL, &error) == (error == NULL));
}

/* Without operand i of a node's list: left out, or the list ends in front of it. */
static void
run_without (const Case *c, PareValueId *list, guint *n, guint i)
{
  for (Give give = GIVE_ALL; give < GIVE_WAYS; give++)
    {
      PareValueId was = list[i];
      guint all = *n;
      list[i] = PARE_NONE;
      run_anyhow (c, give);
      list[i] = was;
      *n = i;
      run_anyhow (c, give);
      *n = all;
    }
}

static void
test_incomplete (gconstpointer path)
{
  g_autofree char *file = g_build_filename (path, "model.onnx", NULL), *folder = g_build_filename (path, "test_data_set_0", NULL);
  g_auto (Case) c = { .graph = pare_onnx_load (file, NULL, NULL) };
  for (; c.graph != NULL && c.n < MIN (c.graph->n_inputs, LIMIT); c.n++)
    if ((c.inputs[c.n] = load_tensor (folder, "input", c.n)) == NULL)
      break;
  if (c.graph == NULL || c.n < c.graph->n_inputs)
    {
      g_test_skip ("it is not read, or takes what is no tensor of numbers");
      return;
    }
  for (guint k = 0; k < c.graph->n_nodes; k++)
    {
      PareNode *node = &c.graph->nodes[k];
      for (guint i = 0; i < node->n_inputs; i++)
        run_without (&c, node->inputs, &node->n_inputs, i);
      for (guint i = 0; i < node->n_outputs; i++)
        run_without (&c, node->outputs, &node->n_outputs, i);
    }
}

static void
add_folder (const char *kind)
{
  const char *given = g_getenv ("PARE_CONFORMANCE");
  g_autofree char *folder = g_build_filename (given != NULL ? given : FOLDER, kind, NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  for (const char *name; dir != NULL && (name = g_dir_read_name (dir)) != NULL;)
    {
      g_autofree char *test = g_strdup_printf ("/conformance/%s/%s", kind, name);
      g_test_add_data_func_full (test, g_build_filename (folder, name, NULL), test_one, g_free);
      if (g_str_equal (kind, "node")) /* all operators are there */
        {
          g_autofree char *incomplete = g_strdup_printf ("/conformance/incomplete/%s", name);
          g_test_add_data_func_full (incomplete, g_build_filename (folder, name, NULL), test_incomplete, g_free);
        }
    }
}

static void
test_absent (void)
{
  g_test_skip (FOLDER " is not there");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  refused = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autofree char *list = g_build_filename (g_getenv ("PARE_SOURCE_ROOT") != NULL ? g_getenv ("PARE_SOURCE_ROOT") : ".", "tests", "engine",
                                            "conformance-refused.txt", NULL);
  g_autofree char *text = NULL;
  if (g_file_get_contents (list, &text, NULL, NULL))
    {
      g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
      for (guint i = 0; lines[i] != NULL; i++)
        {
          gsize n = strcspn (lines[i], " ");
          if (lines[i][0] != '#' && lines[i][n] == ' ')
            g_hash_table_insert (refused, g_strndup (lines[i], n), g_strdup (g_strchug (lines[i] + n)));
        }
    }
  static const char *const kinds[] = { "node", "simple", "pytorch-converted", "pytorch-operator" };
  if (g_getenv ("PARE_CONFORMANCE") == NULL && !g_file_test (FOLDER, G_FILE_TEST_IS_DIR))
    g_test_add_func ("/conformance/absent", test_absent);
  else
    for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
      add_folder (kinds[i]);
  int result = g_test_run ();
  g_hash_table_unref (refused);
  return result;
}
