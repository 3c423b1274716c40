/* How long after a touch the figures come: bench-session MODEL DATA [LAYER]
 * Opens both, waits until all is quiet, then changes the weight bits of one layer after another and prints for each the times from the call
 * to the new size, the first interval and the final figure. */
#include "engine/project/pare-session.h"
#include "engine/project/pare-store.h"
#include "tests/remove-tree.h"

#include <glib/gstdio.h>
#include <math.h>
#include <stdlib.h>

typedef struct
{
  gint64 start, size, first, final;
  double value;
  gboolean opened;
} Times;

static void
on_size (PareSession *session, Times *t)
{
  if (t->size == 0)
    t->size = g_get_monotonic_time ();
}

static void
on_evaluation (PareSession *session, Times *t)
{
  PareOrigin origin;
  const PareEvaluation *e = pare_session_get_evaluation (session, &origin);
  if (e == NULL || (origin != PARE_ORIGIN_PROVISIONAL && origin != PARE_ORIGIN_MEASURED))
    return;
  if (t->first == 0)
    t->first = g_get_monotonic_time ();
  if (origin == PARE_ORIGIN_MEASURED && t->final == 0)
    {
      t->final = g_get_monotonic_time ();
      t->value = e->value;
    }
}

static void
on_message (PareSession *session, const char *severity, const char *text, gpointer unused)
{
  g_printerr ("%s: %s\n", severity, text);
}

static void
on_opened (GObject *object, GAsyncResult *result, gpointer data)
{
  Times *t = data;
  GError *error = NULL;
  if (!pare_session_open_finish (PARE_SESSION (object), result, &error))
    {
      g_printerr ("%s\n", error->message);
      exit (1);
    }
  t->opened = TRUE;
}

static gboolean
is_quiet (PareSession *s)
{
  PareOrigin accuracy, latency;
  pare_session_get_evaluation (s, &accuracy);
  pare_session_get_latency (s, NULL, &latency, NULL, NULL);
  return accuracy == PARE_ORIGIN_MEASURED && latency == PARE_ORIGIN_MEASURED && pare_session_get_n_jobs (s) == 0
         && pare_session_get_statistics (s) != NULL;
}

static gboolean
on_wake (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

static double
ms (gint64 from, gint64 to)
{
  return to > 0 ? (to - from) / 1e3 : NAN;
}

int
main (int argc, char **argv)
{
  if (argc < 3)
    {
      g_printerr ("usage: bench-session MODEL DATA [LAYER]\n");
      return 2;
    }
  g_autofree char *folder = g_dir_make_tmp ("pare-bench-XXXXXX", NULL);
  g_setenv ("XDG_DATA_HOME", folder, TRUE);
  Times t = { .start = g_get_monotonic_time () };
  PareSession *s = pare_session_new ();
  g_signal_connect (s, "size-changed", G_CALLBACK (on_size), &t);
  g_signal_connect (s, "evaluation-changed", G_CALLBACK (on_evaluation), &t);
  g_signal_connect (s, "message", G_CALLBACK (on_message), NULL);
  g_timeout_add (2, on_wake, NULL);
  for (int i = 1; i <= 2; i++)
    {
      t.opened = FALSE;
      pare_session_open_async (s, argv[i], NULL, on_opened, &t);
      while (!t.opened)
        g_main_context_iteration (NULL, TRUE);
      g_print ("%s open after %.0f ms\n", argv[i], ms (t.start, g_get_monotonic_time ()));
    }
  while (!is_quiet (s))
    g_main_context_iteration (NULL, TRUE);
  const PareEvaluation *b = pare_session_get_baseline (s);
  g_print ("baseline %s %.4f of %u after %.0f ms, everything after %.0f ms\n", b->metric, b->value, b->done, ms (t.start, t.final),
           ms (t.start, g_get_monotonic_time ()));
  guint n, done = 0;
  const PareLayerInfo *infos = pare_session_get_layer_infos (s, &n);
  g_print ("%-28s %4s %10s %10s %10s %9s\n", "layer", "bits", "size ms", "first ms", "final ms", "value");
  double sum[3] = { 0 };
  for (guint pass = 0; pass < 2; pass++)
    for (guint i = 0; i < n && done < (pass + 1) * 6; i++)
      {
        const PareGraph *graph = pare_session_get_graph (s);
        const char *layer = graph->nodes[infos[i].node].layer;
        guint weight;
        if (!pare_layer_is_compressible (graph, infos[i].node, &weight) || (argc > 3 && !g_str_equal (argv[3], layer))
            || (argc <= 3 && i % 9 != 0 && i > 0))
          continue;
        PareLayerRecipe change;
        pare_layer_recipe_init (&change);
        change.weight_bits = pass == 0 ? 4 : 3;
        change.activation_bits = pass == 0 ? 0 : 8;
        t = (Times){ .start = g_get_monotonic_time () };
        pare_session_set_layers (s, (const char *const[]){ layer, NULL }, &change, "bench", 0);
        t.size = t.first = t.final = 0;
        while (t.final == 0)
          g_main_context_iteration (NULL, TRUE);
        g_print ("%-28s %2d·%d %10.1f %10.1f %10.1f %9.4f\n", layer, change.weight_bits, change.activation_bits, ms (t.start, t.size),
                 ms (t.start, t.first), ms (t.start, t.final), t.value);
        sum[0] += ms (t.start, t.size);
        sum[1] += ms (t.start, t.first);
        sum[2] += ms (t.start, t.final);
        done++;
        while (!is_quiet (s))
          g_main_context_iteration (NULL, TRUE);
      }
  g_print ("mean of %u: size %.1f ms, first interval %.1f ms, final %.1f ms\n", done, sum[0] / done, sum[1] / done, sum[2] / done);
  g_autofree char *path = g_strdup (pare_session_get_project_path (s));
  pare_session_close (s);
  gint64 start = g_get_monotonic_time ();
  PareSession *again = pare_session_new ();
  t.opened = FALSE;
  pare_session_open_async (again, path, NULL, on_opened, &t);
  while (!t.opened)
    g_main_context_iteration (NULL, TRUE);
  g_print ("project open again after %.0f ms, %u entries\n", ms (start, g_get_monotonic_time ()), pare_session_get_n_entries (again));
  g_object_unref (again);
  g_object_unref (s);
  remove_tree (folder);
  return 0;
}
