/* "What does this layer cost": its share of the model's size, work and time, its weights' error, and what accuracy the change of this one
 * layer takes: measured by putting this layer alone back to the original and counting the same samples again. */
#include "app/pare-canvas-private.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>
#include <math.h>

/* --- measuring, in a worker --- */

typedef struct
{
  PareGraph *graph;
  PareRecipe *now, *without;
  PareStatistics *statistics;
  PareDataset *dataset;
  PareSplit split;
  PareEvaluation *original; /* (nullable): what unlabelled data is compared with */
  PareEvaluation *measured; /* (nullable): of the recipe as it is now, whole */
  PareControl *control;
  int done, all; /* atomic */
} Work;

static void
work_free (gpointer data)
{
  Work *w = data;
  pare_graph_unref (w->graph);
  pare_recipe_unref (w->now);
  pare_recipe_unref (w->without);
  g_clear_pointer (&w->statistics, pare_statistics_unref);
  pare_dataset_unref (w->dataset);
  g_clear_pointer (&w->original, pare_evaluation_unref);
  g_clear_pointer (&w->measured, pare_evaluation_unref);
  pare_control_unref (w->control);
  g_free (w);
}

static void
on_snapshot (PareEvaluation *partial, gpointer data)
{
  Work *w = data;
  g_atomic_int_set (&w->done, (int)partial->done);
  g_atomic_int_set (&w->all, (int)partial->all);
}

static PareEvaluation *
evaluate (Work *w, PareRecipe *recipe, PareEvaluation *baseline, GError **error)
{
  g_autoptr (PareRecipe) used = w->statistics != NULL ? pare_recipe_ref (recipe) : pare_recipe_without_activations (recipe);
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (PareGraph) changed = pare_apply (w->graph, used, w->statistics, warnings, w->control, error);
  PareEvaluateOptions options = { .split = w->split, .baseline = baseline, .snapshot = on_snapshot, .data = w };
  return changed != NULL ? pare_evaluate (changed, w->dataset, &options, w->control, error) : NULL;
}

static void
on_cancelled (GCancellable *cancellable, gpointer control)
{
  pare_control_cancel (control);
}

static void
run (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Work *w = data;
  GError *error = NULL;
  gulong handler = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), w->control, NULL);
  gboolean labels = pare_dataset_has_labels (w->dataset);
  PareEvaluation *without = NULL;
  if (w->measured == NULL)
    w->measured = evaluate (w, w->now, labels ? NULL : w->original, &error);
  if (w->measured != NULL) /* labelled: paired with the recipe as it is; unlabelled: how far each agrees with the original */
    without = evaluate (w, w->without, labels ? w->measured : w->original, &error);
  g_cancellable_disconnect (cancellable, handler);
  if (without != NULL)
    g_task_return_pointer (task, without, (GDestroyNotify)pare_evaluation_unref);
  else
    g_task_return_error (task, error);
}

/* --- the card --- */

typedef struct
{
  GtkWidget *value, *note, *spinner; /* while cancellable is not cancelled the card is there */
  GCancellable *cancellable;
  GTask *task;
  guint timer;
} Card;

static void
card_free (Card *card)
{
  g_clear_handle_id (&card->timer, g_source_remove);
  g_object_unref (card->cancellable);
  g_free (card);
}

static void
on_card_destroy (GtkWidget *grid, Card *card)
{
  g_cancellable_cancel (card->cancellable);
  g_clear_handle_id (&card->timer, g_source_remove);
  if (card->task == NULL)
    card_free (card);
}

static gboolean
on_tick (gpointer data)
{
  Card *card = data;
  Work *w = g_task_get_task_data (card->task);
  int done = g_atomic_int_get (&w->done), all = g_atomic_int_get (&w->all);
  g_autofree char *text = all > 0 ? g_strdup_printf (_ ("measuring, %d of %d"), done, all) : g_strdup (_ ("measuring"));
  gtk_label_set_text (GTK_LABEL (card->note), text);
  return G_SOURCE_CONTINUE;
}

static void
on_measured (GObject *source, GAsyncResult *result, gpointer data)
{
  Card *card = data;
  Work *w = g_task_get_task_data (G_TASK (result));
  g_autoptr (GError) error = NULL;
  g_autoptr (PareEvaluation) without = g_task_propagate_pointer (G_TASK (result), &error);
  card->task = NULL;
  if (g_cancellable_is_cancelled (card->cancellable))
    {
      card_free (card);
      return;
    }
  g_clear_handle_id (&card->timer, g_source_remove);
  gtk_spinner_stop (GTK_SPINNER (card->spinner));
  gtk_widget_set_visible (card->spinner, FALSE);
  g_autofree char *value = NULL, *note = NULL;
  if (without == NULL)
    {
      value = g_strdup ("–");
      note = g_strdup_printf (_ ("cannot be measured: %s"), error->message);
    }
  else if (without->has_difference && pare_dataset_has_labels (w->dataset))
    {
      /* without minus now; what the layer costs is that difference */
      g_autofree char *low = pare_format_signed (-100 * without->difference_high, 2),
                      *high = pare_format_signed (-100 * without->difference_low, 2);
      value = pare_format_pp (-without->difference, 2);
      note = g_strdup_printf (_ ("95 %%: %s to %s, on %u samples"), low, high, without->done);
    }
  else
    {
      g_autofree char *before = pare_format_number (100 * without->value, 2), *now = pare_format_number (100 * w->measured->value, 2);
      g_autofree char *low = pare_format_number (100 * w->measured->low, 2), *high = pare_format_number (100 * w->measured->high, 2);
      value = g_strdup_printf ("%s %%", now);
      note = g_strdup_printf (_ ("95 %%: %s to %s; without this layer's change %s %%, on %u samples"), low, high, before, without->done);
    }
  gtk_label_set_text (GTK_LABEL (card->value), value);
  gtk_label_set_text (GTK_LABEL (card->note), note);
}

static GtkWidget *
text (const char *what, const char *css, double align)
{
  GtkWidget *w = gtk_label_new (what);
  g_auto (GStrv) list = g_strsplit (css, " ", -1);
  for (guint i = 0; list[i] != NULL; i++)
    gtk_widget_add_css_class (w, list[i]);
  gtk_label_set_xalign (GTK_LABEL (w), (float)align);
  return w;
}

static int
add_row (GtkGrid *grid, int at, const char *name, const char *value, const char *note, Card *card)
{
  GtkWidget *second = text (note, "pare-caption pare-second", 0), *figure = text (value, "pare-caption pare-bold", 1);
  gtk_label_set_wrap (GTK_LABEL (second), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (second), 34);
  gtk_grid_attach (grid, text (name, "pare-caption", 0), 0, at, 1, 1);
  gtk_grid_attach (grid, figure, 1, at, 1, 1);
  gtk_grid_attach (grid, second, 2, at, 1, 1);
  gtk_accessible_update_property (GTK_ACCESSIBLE (figure), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, name, -1);
  if (card != NULL)
    {
      card->value = figure;
      card->note = second;
    }
  return at + 1;
}

/* Sums over the layers of the model; NAN where none is known. */
static double
total (PareSession *session, int what)
{
  guint n = 0;
  double sum = 0;
  gboolean any = FALSE;
  const PareGraph *graph = pare_session_get_graph (session);
  const PareLayerInfo *infos = pare_session_get_layer_infos (session, &n);
  for (guint i = 0; i < n; i++)
    {
      const char *layer = graph->nodes[infos[i].node].layer;
      const PareLayerCost *cost = pare_session_get_layer_cost (session, layer, FALSE);
      double v = what == 2      ? pare_session_get_layer_time (session, layer, NULL)
                 : cost == NULL ? NAN
                 : what == 0    ? cost->packed_bytes
                                : cost->macs;
      if (isnan (v))
        continue;
      sum += v;
      any = TRUE;
    }
  return any ? sum : NAN;
}

static char *
share (double part, double whole)
{
  if (isnan (part) || isnan (whole) || whole <= 0)
    return g_strdup ("");
  g_autofree char *number = pare_format_number (100 * part / whole, 1);
  return g_strdup_printf (_ ("%s %% of all layers"), number);
}

static gboolean
start (PareSession *session, const char *layer, GtkGrid *grid, int at)
{
  PareDataset *dataset = pare_session_get_dataset (session);
  const PareRecipe *recipe = pare_session_get_recipe (session);
  const char *why_not = pare_session_get_why_not (session);
  PareLayerRecipe own, resolved, plain;
  pare_recipe_resolve (recipe, layer, &resolved);
  g_autoptr (PareRecipe) without = pare_recipe_copy (recipe);
  pare_recipe_get_layer (recipe, layer, &own);
  own.exclude = 1;
  pare_recipe_set_layer (without, layer, &own);
  pare_recipe_resolve (without, layer, &plain);
  gboolean activations = resolved.activation_bits != PARE_BITS_UNSET && resolved.activation_bits != PARE_BITS_FLOAT;
  const char *reason = why_not != NULL                                                  ? why_not
                       : !pare_layer_recipe_changes_weights (&resolved) && !activations ? _ ("as in the original: costs nothing")
                       : dataset == NULL                                                ? _ ("add data to measure it")
                       : !pare_dataset_has_labels (dataset) && pare_session_get_baseline (session) == NULL
                           ? _ ("the original is still being measured")
                           : NULL;
  const char *name = dataset == NULL || pare_dataset_has_labels (dataset) ? _ ("Accuracy") : _ ("Agreement");
  if (reason != NULL)
    {
      add_row (grid, at, name, "–", reason, NULL);
      return FALSE;
    }
  Card *card = g_new0 (Card, 1);
  add_row (grid, at, name, "", _ ("measuring"), card);
  card->spinner = gtk_spinner_new ();
  gtk_spinner_start (GTK_SPINNER (card->spinner));
  gtk_grid_attach (grid, card->spinner, 3, at, 1, 1);
  card->cancellable = g_cancellable_new ();
  Work *w = g_new0 (Work, 1);
  PareOrigin origin = PARE_ORIGIN_NONE;
  const PareEvaluation *now = pare_session_get_evaluation (session, &origin), *original = pare_session_get_baseline (session);
  w->graph = pare_graph_ref ((PareGraph *)pare_session_get_graph (session));
  w->now = pare_recipe_ref ((PareRecipe *)recipe);
  w->without = g_steal_pointer (&without);
  w->statistics = pare_session_get_statistics (session) != NULL ? pare_statistics_ref (pare_session_get_statistics (session)) : NULL;
  w->dataset = pare_dataset_ref (dataset);
  w->split = pare_session_get_split (session);
  w->original = original != NULL ? pare_evaluation_ref ((PareEvaluation *)original) : NULL;
  if (now != NULL && origin == PARE_ORIGIN_MEASURED && now->done == now->all && now->n > 0)
    w->measured = pare_evaluation_ref ((PareEvaluation *)now);
  w->control = pare_control_new (NULL, NULL);
  g_autoptr (GTask) task = g_task_new (NULL, card->cancellable, on_measured, card);
  g_task_set_check_cancellable (task, FALSE);
  g_task_set_task_data (task, w, work_free);
  card->task = task;
  card->timer = g_timeout_add (100, on_tick, card);
  g_signal_connect (grid, "destroy", G_CALLBACK (on_card_destroy), card);
  g_task_run_in_thread (task, run);
  return TRUE;
}

GtkWidget *
pare_canvas_cost_new (PareSession *session, const char *layer)
{
  GtkGrid *grid = GTK_GRID (gtk_grid_new ());
  g_autofree char *title = g_strdup_printf (_ ("What %s costs"), layer);
  const PareLayerCost *now = pare_session_get_layer_cost (session, layer, FALSE), *was = pare_session_get_layer_cost (session, layer, TRUE);
  double time = pare_session_get_layer_time (session, layer, NULL), error = pare_session_get_layer_error (session, layer);
  gtk_grid_set_column_spacing (grid, 12);
  gtk_grid_set_row_spacing (grid, 6);
  gtk_widget_set_margin_start (GTK_WIDGET (grid), 6);
  gtk_widget_set_margin_end (GTK_WIDGET (grid), 6);
  gtk_widget_set_margin_top (GTK_WIDGET (grid), 6);
  gtk_widget_set_margin_bottom (GTK_WIDGET (grid), 6);
  GtkWidget *head = text (title, "pare-section", 0);
  gtk_label_set_ellipsize (GTK_LABEL (head), PANGO_ELLIPSIZE_MIDDLE);
  gtk_label_set_max_width_chars (GTK_LABEL (head), 48);
  gtk_grid_attach (grid, head, 0, 0, 4, 1);
  int at = 1;
  if (now != NULL)
    {
      g_autofree char *size = pare_format_number (now->packed_bytes / 1024.0, 1), *macs = pare_format_number (now->macs / 1e6, 2);
      g_autofree char *size_value = g_strdup_printf ("%s KiB", size), *macs_value = g_strdup_printf ("%s M", macs);
      g_autofree char *of_size = share (now->packed_bytes, total (session, 0)), *of_macs = share (now->macs, total (session, 1));
      g_autofree char *before = was != NULL ? pare_format_number (was->packed_bytes / 1024.0, 1) : NULL;
      g_autofree char *note = before != NULL && was->packed_bytes != now->packed_bytes
                                  ? g_strdup_printf (_ ("%s, was %s KiB"), of_size, before)
                                  : g_strdup (of_size);
      at = add_row (grid, at, _ ("Size, packed"), size_value, note, NULL);
      at = add_row (grid, at, _ ("Multiply-adds"), macs_value, of_macs, NULL);
    }
  g_autofree char *ms = isnan (time) ? NULL : pare_format_number (time, 3), *ms_value = ms != NULL ? g_strdup_printf ("%s ms", ms) : NULL;
  g_autofree char *of_time = share (time, total (session, 2));
  const char *holder = pare_session_get_layer_holder (session, layer);
  g_autofree char *in = holder != NULL ? g_strdup_printf (_ ("in the time of %s: one step computes both"), holder) : NULL;
  at = add_row (grid, at, _ ("Time here"), ms_value != NULL ? ms_value : "–",
                ms_value != NULL ? of_time
                : in != NULL     ? in
                                 : _ ("not measured yet (Ctrl+R)"),
                NULL);
  if (!isnan (error))
    {
      g_autofree char *number = pare_format_number (100 * sqrt (error), 1), *value = g_strdup_printf ("%s %%", number);
      at = add_row (grid, at, _ ("Weights’ error"), value, _ ("relative, of this layer alone"), NULL);
    }
  start (session, layer, grid, at);
  return GTK_WIDGET (grid);
}
