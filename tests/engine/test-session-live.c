/* What makes a change felt at once: kept states, evaluations of a drag that stop when enough is known and go on when the person rests. */
#include "engine/evaluate/pare-prefix-private.h"
#include "engine/project/pare-limits.h"
#include "engine/project/pare-session-private.h"
#include "tests/engine/session-watch.h"

static gboolean
has_states (PareSession *s, gpointer data)
{
  return s->prefix != NULL && pare_prefix_cache_get_bytes (s->prefix) > 0 && !s->fill_wanted
         && pare_scheduler_get_running (s->scheduler, LANE_HEAVY) == NULL;
}

/* An edit that the session is to have made ahead. On a busy machine one may take longer than it allows for: it is asked again, which goes
 * on from there. */
typedef struct
{
  const char *layer; /* NULL: the defaults */
  int weights, activations;
  double ratio;
} Edit;

static PareLayerRecipe
change_of (const Edit *edit)
{
  PareLayerRecipe change;
  pare_layer_recipe_init (&change);
  change.weight_bits = edit->weights;
  change.activation_bits = edit->activations;
  if (edit->ratio > 0)
    {
      change.prune = PARE_PRUNE_UNSTRUCTURED;
      change.prune_ratio = edit->ratio;
    }
  return change;
}

static const PareReady *
find_made (PareSession *s, const Edit *edit)
{
  g_autoptr (PareRecipe) recipe = pare_recipe_copy (pare_session_get_recipe (s));
  PareLayerRecipe change = change_of (edit);
  if (edit->layer != NULL)
    pare_recipe_merge_layer (recipe, edit->layer, &change);
  else
    pare_recipe_set_defaults (recipe, &change);
  pare_recipe_set_model_sha256 (recipe, s->model->graph->sha256);
  return pare_session_find_ready (s, recipe);
}

static gboolean
is_made (PareSession *s, gpointer data)
{
  if (!has_states (s, NULL))
    return FALSE;
  if (find_made (s, data) != NULL)
    return TRUE;
  s->fill_wanted = TRUE;
  pare_session_pump (s);
  return FALSE;
}

/* A layer that is looked at is prepared for, and its change runs only what follows; the figure is that of a whole run. */
static void
test_fill (void)
{
  Watch w;
  open_both (&w);
  PareSession *s = w.session;
  WAIT (s, quiet);
  WAIT (s, has_states);
  static Edit edits[] = { { "fc", 3, 0, 0 },       { "conv3", 4, 0, 0 },     { "fc", 0, 8, 0 }, { "conv3", 0, 0, 0.5 },
                          { "conv3", 0, 0, 0.51 }, { "conv2", 0, 0, 0.372 }, { NULL, 8, 0, 0 } };
  guint64 hits, misses, hits_now, misses_now;
  for (guint i = 0; i < G_N_ELEMENTS (edits); i++)
    {
      const Edit *edit = &edits[i];
      const char *name = edit->layer != NULL ? edit->layer : "the defaults";
      PareLayerRecipe change = change_of (edit);
      pare_session_expect_edit (s, (const char *const[]){ edit->layer, "no such layer", NULL });
      if (edit->ratio == 0.372) /* no knob has it until a pointer is there */
        pare_session_expect_change (s, &change);
      wait_until (s, is_made, &edits[i], name);
      pare_prefix_cache_get_counts (s->prefix, &hits, &misses);
      if (edit->layer != NULL)
        pare_session_set_layers (s, (const char *const[]){ edit->layer, NULL }, &change, name, 0);
      else
        pare_session_set_defaults (s, &change, name, 0);
      /* made while nothing else ran: graph' and its sizes are there before the call returns */
      const PareReady *ready = pare_session_find_ready_graph (s, s->changed);
      g_assert_nonnull (ready);
      g_assert_cmpuint (s->costs_generation, ==, s->generation);
      g_autofree char *hash = pare_recipe_hash (pare_session_get_recipe (s));
      g_assert_cmpstr (ready->key, ==, hash);
      PareSize size, shown;
      g_assert_true (pare_cost_size (s->changed, NULL, &size, NULL, NULL, NULL));
      g_assert_true (pare_session_get_size (s, &shown, NULL, NULL, NULL));
      g_assert_cmpmem (&size, sizeof size, &shown, sizeof shown);
      WAIT (s, measured);
      pare_prefix_cache_get_counts (s->prefix, &hits_now, &misses_now);
      if (edit->layer != NULL) /* with other defaults even the first layer is another */
        {
          g_assert_cmpuint (hits_now - hits, ==, pare_session_get_evaluation (s, NULL)->all);
          g_assert_cmpuint (misses_now, ==, misses);
        }
      g_autoptr (PareEvaluation) direct = directly (pare_session_get_recipe (s));
      assert_same (pare_session_get_evaluation (s, NULL), direct);
      WAIT (s, quiet);
    }
  g_assert_cmpint (find_job (s, "Keeping what the next change will need"), ==, -1);
  remove_project (s);
  watch_clear (&w);
}

/* What is typed is made before anything else, and what was made stays. */
static void
test_hurried (void)
{
  Watch w;
  open_both (&w);
  PareSession *s = w.session;
  WAIT (s, quiet);
  static Edit known = { "conv2", 4, 0, 0 }, digits[] = { { "conv2", 0, 0, 0.04 }, { "conv2", 0, 0, 0.437 } };
  pare_session_expect_edit (s, (const char *const[]){ "conv2", NULL });
  wait_until (s, is_made, &known, "4 bits");
  const PareProgram *before = find_made (s, &known)->program;
  for (guint i = 0; i < G_N_ELEMENTS (digits); i++)
    {
      PareLayerRecipe change = change_of (&digits[i]);
      pare_session_expect_change (s, &change);
      while (find_made (s, &digits[i]) == NULL)
        g_main_context_iteration (NULL, TRUE);
      g_assert_true (pare_ready_set_is_hurried (s->ready));
      g_assert_nonnull (find_made (s, &known));
      g_assert_true (find_made (s, &known)->program == before);
    }
  while (pare_ready_set_is_hurried (s->ready)) /* the others follow */
    g_main_context_iteration (NULL, TRUE);
  g_assert_nonnull (find_made (s, &digits[1]));
  g_assert_true (find_made (s, &known)->program == before);
  remove_project (s);
  watch_clear (&w);
}

typedef struct
{
  gboolean slow;      /* the rest of an evaluation takes longer than the hand waits */
  guint early, whole; /* while the drag goes on */
} Drag;

static void
count_drag (PareSession *s, Drag *drag)
{
  PareOrigin origin;
  const PareEvaluation *e = pare_session_get_evaluation (s, &origin);
  if (e != NULL && e->stopped_early && origin != PARE_ORIGIN_STALE) /* that of the move before */
    {
      g_assert_cmpint (origin, ==, PARE_ORIGIN_PROVISIONAL);
      g_assert_cmpuint (e->done, <, e->all);
      g_assert_true (pare_evaluation_is_decided (e, 0.01));
      s->unfinished_left = drag->slow ? G_USEC_PER_SEC : 0; /* not what this machine takes */
      drag->early++;
    }
  else if (e != NULL && origin == PARE_ORIGIN_MEASURED && s->debounce != NULL)
    drag->whole++;
}

static void
test_drag (void)
{
  Watch w;
  Drag drag = { .slow = TRUE };
  open_both (&w);
  PareSession *s = w.session;
  WAIT (s, quiet);
  pare_session_set_limit (s, PARE_LIMIT_TOLERANCE, 1.0);
  g_signal_connect (s, "evaluation-changed", G_CALLBACK (count_drag), &drag);
  /* The hand does not rest for longer than 100 ms, each time long enough for the few samples that decide; and for the rest, which is as
   * few, once that is measured. */
  guint wake = g_timeout_add (5, on_wake, NULL);
  for (int i = 0; i < 60 && (drag.early == 0 || drag.whole == 0); i++)
    {
      if (drag.early > 2)
        {
          g_assert_true (!drag.slow || drag.whole == 0);
          drag.slow = FALSE;
        }
      set_bits (s, "conv1", 2, 0, 17);
      PareLayerRecipe change;
      pare_layer_recipe_init (&change);
      change.prune = PARE_PRUNE_UNSTRUCTURED;
      change.prune_ratio = 0.9 + 0.001 * i;
      pare_session_set_layers (s, (const char *const[]){ "conv1", NULL }, &change, "drag", 17);
      gint64 until = g_get_monotonic_time () + 100000;
      while (g_get_monotonic_time () < until)
        g_main_context_iteration (NULL, TRUE);
    }
  g_source_remove (wake);
  g_assert_cmpuint (drag.early, >, 0);
  g_assert_cmpuint (drag.whole, >, 0);
  /* At rest the whole figure comes, and it is the one that a whole run gives. */
  WAIT (s, measured);
  const PareEvaluation *e = pare_session_get_evaluation (s, NULL);
  g_assert_false (e->stopped_early);
  g_assert_cmpuint (e->done, ==, e->all);
  g_autoptr (PareEvaluation) direct = directly (pare_session_get_recipe (s));
  assert_same (e, direct);
  g_assert_cmpint (pare_session_get_entry (s, pare_session_get_n_entries (s) - 1)->accuracy_origin, ==, PARE_ORIGIN_MEASURED);
  g_signal_handlers_disconnect_by_data (s, &drag);
  remove_project (s);
  watch_clear (&w);
}

/* Another split is other data: nothing of the drag before is gone on with. */
static void
test_split (void)
{
  Watch w;
  open_both (&w);
  PareSession *s = w.session;
  WAIT (s, quiet);
  Edit edit = { "conv1", 2, 0, 0 };
  pare_session_expect_edit (s, (const char *const[]){ edit.layer, NULL });
  wait_until (s, is_made, &edit, edit.layer);
  set_bits (s, edit.layer, edit.weights, edit.activations, 17);
  g_assert_nonnull (pare_session_find_ready_graph (s, s->changed));
  pare_session_set_split (s, PARE_SPLIT_REPORT);
  g_assert_null (s->unfinished);
  g_assert_null (pare_session_find_ready_graph (s, s->changed)); /* compiled for the shapes of other data */
  WAIT (s, quiet);
  pare_session_set_split (s, PARE_SPLIT_SEARCH);
  WAIT (s, quiet);
  g_autoptr (PareEvaluation) direct = directly (pare_session_get_recipe (s));
  assert_same (pare_session_get_evaluation (s, NULL), direct);
  remove_project (s);
  watch_clear (&w);
}

int
main (int argc, char **argv)
{
  session_tests_init (&argc, &argv);
  g_test_add_func ("/session-live/fill", test_fill);
  g_test_add_func ("/session-live/hurried", test_hurried);
  g_test_add_func ("/session-live/drag", test_drag);
  g_test_add_func ("/session-live/split", test_split);
  return session_tests_run ();
}
