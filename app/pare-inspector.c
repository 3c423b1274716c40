#include "app/pare-inspector-private.h"
#include "app/pare-layer-item.h"
#include "engine/compress/pare-recipe-moves.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

G_DEFINE_FINAL_TYPE (PareInspector, pare_inspector, GTK_TYPE_WIDGET)

static guint coupled_signal;

static const char *
first_layer (PareInspector *self)
{
  const char *const *layers = pare_selection_get (self->selection);
  return layers[0];
}

/* --- what the knobs show --- */

static PareLayerRecipe
resolved_of (PareInspector *self, const char *layer)
{
  PareLayerRecipe resolved;
  const PareRecipe *recipe = pare_session_get_recipe (self->session);
  pare_layer_recipe_init (&resolved);
  if (recipe != NULL && layer != NULL)
    pare_recipe_resolve (recipe, layer, &resolved);
  else if (recipe != NULL)
    pare_layer_recipe_merge (&resolved, pare_recipe_get_defaults (recipe));
  return resolved;
}

static int
bits_or_float (int bits)
{
  return bits == PARE_BITS_UNSET ? PARE_BITS_FLOAT : bits;
}

/* Of all selected layers, each once: what is computed in the step of another one that is selected too is in that one's time. *holder: of a
 * layer alone, the one whose time holds its own. */
static double
selected_time (PareInspector *self, PareOrigin *origin, const char **holder)
{
  guint n = pare_selection_get_n (self->selection);
  const char *const *layers = pare_selection_get (self->selection);
  double ms = 0;
  for (guint i = 0; i < n; i++)
    {
      const char *by = pare_session_get_layer_holder (self->session, layers[i]);
      *holder = n == 1 ? by : NULL;
      if (by == NULL || !g_strv_contains (layers, by))
        ms += pare_session_get_layer_time (self->session, layers[i], origin);
    }
  return ms;
}

void
pare_inspector_show_figures (PareInspector *self)
{
  /* What is looked at stays until the pointer leaves. */
  if (self->preview_shown)
    return;
  const char *layer = first_layer (self), *holder = NULL;
  double now = 0, was = 0, ms = 0;
  PareOrigin origin = PARE_ORIGIN_NONE;
  PareSize size, original;
  guint n = pare_selection_get_n (self->selection);
  if (n == 0 && pare_session_get_size (self->session, &size, &original, NULL, NULL))
    {
      PareLatency latency, first;
      now = size.packed_bytes;
      was = original.packed_bytes;
      ms = pare_session_get_latency (self->session, &latency, &origin, NULL, &first) ? latency.median_ms : NAN;
    }
  for (guint i = 0; i < n; i++)
    {
      const char *name = pare_selection_get (self->selection)[i];
      const PareLayerCost *a = pare_session_get_layer_cost (self->session, name, TRUE),
                          *b = pare_session_get_layer_cost (self->session, name, FALSE);
      was += a != NULL ? a->packed_bytes : 0;
      now += b != NULL ? b->packed_bytes : a != NULL ? a->packed_bytes : 0;
    }
  if (n > 0)
    ms = selected_time (self, &origin, &holder);
  g_autofree char *size_text = pare_format_kib_unit (now), *of = pare_format_kib (was), *change = pare_format_change (now, was);
  g_autofree char *size_note = g_strdup_printf (_ ("%s of %s"), change, of), *time_text = pare_format_ms_unit (ms);
  double error = n == 1 ? pare_session_get_layer_error (self->session, layer) : NAN;
  g_autofree char *error_text = pare_format_percent (n == 1 ? sqrt (error) : NAN, 1);
  gtk_label_set_text (self->size_value, size_text);
  gtk_label_set_text (self->size_note, size_note);
  if (now < was)
    gtk_widget_add_css_class (GTK_WIDGET (self->size_note), "pare-better");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self->size_note), "pare-better");
  gtk_label_set_text (self->time_value, time_text);
  g_autofree char *time_note = holder != NULL                ? g_strdup_printf (_ ("in %s"), holder)
                               : isnan (ms)                  ? g_strdup (_ ("not measured"))
                               : origin == PARE_ORIGIN_STALE ? g_strdup (_ ("stale"))
                                                             : g_strdup (_ ("measured here"));
  gtk_label_set_text (self->time_note, time_note);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->time_note),
                               holder != NULL ? _ ("Computed in one step with that layer, whose time is that of both") : NULL);
  gtk_label_set_text (self->error_value, error_text);
  gtk_label_set_text (self->error_note, _ ("of the weights"));
}

static void
show_head (PareInspector *self)
{
  guint n = pare_selection_get_n (self->selection);
  const char *layer = first_layer (self);
  const PareGraph *graph = pare_session_get_graph (self->session);
  g_autofree char *title = NULL, *detail = NULL;
  const char *op = "";
  gboolean depthwise = FALSE;
  if (n == 0)
    {
      title = g_strdup (_ ("Whole model"));
      detail = g_strdup (_ ("defaults of every layer; select layers to change them alone"));
    }
  else if (n > 1)
    {
      title = g_strdup_printf (_ ("%u layers"), n);
      detail = g_strdup (_ ("what is set here goes to all of them"));
    }
  else
    {
      guint count = 0;
      const PareLayerInfo *infos = pare_session_get_layer_infos (self->session, &count);
      title = g_strdup (layer);
      for (guint i = 0; graph != NULL && i < count; i++)
        if (strcmp (graph->nodes[infos[i].node].layer, layer) == 0)
          {
            g_autofree char *shape = pare_shape_to_string (&infos[i].output_shape), *params = pare_format_count (infos[i].params),
                            *macs = pare_format_number (infos[i].macs / 1e6, 2);
            op = graph->nodes[infos[i].node].op;
            depthwise = pare_layer_item_is_depthwise (graph, &graph->nodes[infos[i].node]);
            detail = g_strdup_printf (_ ("%s · out %s · %s parameters · %s MMACs"), graph->nodes[infos[i].node].op, shape, params, macs);
          }
    }
  gtk_label_set_text (self->title, title);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->title), title);
  gtk_label_set_text (self->detail, detail != NULL ? detail : "");
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->detail), detail);
  pare_op_dot_set (PARE_OP_DOT (self->swatch), op, depthwise);
  gtk_widget_set_visible (self->swatch, n == 1);
}

static void
show_knobs (PareInspector *self)
{
  guint n = pare_selection_get_n (self->selection);
  PareLayerRecipe r = resolved_of (self, first_layer (self));
  g_autofree int *weights = g_new (int, n + 1), *activations = g_new (int, n + 1);
  g_autofree double *ratios = g_new (double, n + 1);
  guint skipped = 0, taken = 0;
  const PareGraph *graph = pare_session_get_graph (self->session);
  gboolean can = n == 0 && graph != NULL;
  for (guint i = 0; i < n; i++)
    {
      PareLayerRecipe other = resolved_of (self, pare_selection_get (self->selection)[i]);
      PareNodeId id = graph != NULL ? pare_graph_find_layer (graph, pare_selection_get (self->selection)[i]) : PARE_NONE;
      gboolean takes = id != PARE_NONE && pare_layer_is_compressible (graph, id, NULL);
      can |= takes;
      skipped += !takes;
      if (takes)
        {
          ratios[taken] = MAX (other.prune_ratio, 0);
          weights[taken] = bits_or_float (other.weight_bits);
          activations[taken++] = bits_or_float (other.activation_bits);
        }
    }
  if (n == 0)
    {
      ratios[0] = MAX (r.prune_ratio, 0);
      weights[0] = bits_or_float (r.weight_bits);
      activations[taken++] = bits_or_float (r.activation_bits);
    }
  self->updating = TRUE;
  pare_bits_knob_set_values (self->weight_bits, weights, taken);
  pare_bits_knob_set_values (self->activation_bits, activations, taken);
  gtk_drop_down_set_selected (self->granularity, r.granularity == PARE_GRANULARITY_TENSOR ? 1 : 0);
  gtk_drop_down_set_selected (self->range, r.range == PARE_RANGE_UNSET ? 0 : r.range == PARE_RANGE_MAX ? 1 : 2);
  gtk_drop_down_set_selected (self->calibrator, r.calibrator == PARE_CALIBRATOR_UNSET ? 0 : (guint)r.calibrator);
  gtk_drop_down_set_selected (self->prune_kind, r.prune == PARE_PRUNE_UNSTRUCTURED ? 1
                                                : r.prune == PARE_PRUNE_N_M        ? 2
                                                : r.prune == PARE_PRUNE_CHANNELS   ? 3
                                                                                   : 0);
  gboolean ratio = r.prune == PARE_PRUNE_UNSTRUCTURED || r.prune == PARE_PRUNE_CHANNELS;
  pare_curve_knob_set_values (self->prune_ratio, ratios, taken);
  gtk_widget_set_visible (GTK_WIDGET (self->prune_ratio), ratio);
  gtk_widget_set_visible (pare_curve_knob_get_spin (self->prune_ratio), ratio);
  gtk_drop_down_set_selected (self->factorize, r.factorize == PARE_FACTORIZE_SVD || r.factorize == PARE_FACTORIZE_SPATIAL ? 1 : 0);
  if (self->study != NULL)
    pare_spectrum_knob_set_rank (self->rank,
                                 r.factorize == PARE_FACTORIZE_SVD || r.factorize == PARE_FACTORIZE_SPATIAL ? (guint)MAX (r.rank, 0) : 0,
                                 self->study->max_rank + 1);
  guint share = 0;
  for (guint i = 0; i < PARE_N_CENTROIDS; i++)
    if (r.centroids == pare_centroids[i])
      share = i + 1;
  gtk_drop_down_set_selected (self->share, share);
  self->updating = FALSE;
  gtk_widget_set_sensitive (self->knobs, can);
  gtk_widget_set_visible (self->per_layer, n > 0);
  g_autofree char *note = !can          ? g_strdup (_ ("This layer has no weights to change."))
                          : skipped > 0 ? g_strdup_printf (_ ("%u of %u have no weights: skipped"), skipped, n)
                                        : NULL;
  gtk_label_set_text (self->note, note != NULL ? note : "");
  gtk_widget_set_visible (GTK_WIDGET (self->note), note != NULL);
}

/* --- curves and histograms of one layer, from the worker --- */

/* What the ratio comes to: "56 of 64 kept · 3 were dead already", and what it costs. */
static void
show_pruning (PareInspector *self, const PareLayerRecipe *r, double free_until)
{
  const PareLayerStudy *s = self->study;
  g_autofree char *first = NULL, *second = NULL;
  const PareLayerCost *was = pare_session_get_layer_cost (self->session, s->layer, TRUE),
                      *now = pare_session_get_layer_cost (self->session, s->layer, FALSE);
  if (r->prune == PARE_PRUNE_CHANNELS && was != NULL && now != NULL && was->output_shape.rank > 1 && now->output_shape.rank > 1)
    {
      gint64 all = was->output_shape.dims[1], kept = now->output_shape.dims[1],
             dead = isfinite (free_until) ? (gint64)floor (free_until * all) : 0;
      g_autofree char *dead_text = pare_format_count (dead), *kept_text = pare_format_count (kept), *all_text = pare_format_count (all);
      first = dead > 0 ? g_strdup_printf (_ ("%s of %s kept · %s were dead already"), kept_text, all_text, dead_text)
                       : g_strdup_printf (_ ("%s of %s kept"), kept_text, all_text);
    }
  else if (r->prune == PARE_PRUNE_UNSTRUCTURED && s->has_error && s->error.count > 0)
    {
      g_autofree char *zeros = pare_format_count (s->error.zeros), *count = pare_format_count (s->error.count);
      first = g_strdup_printf (_ ("%s of %s at zero"), zeros, count);
    }
  if (first != NULL && s->has_error)
    {
      g_autofree char *percent = pare_format_percent (sqrt (s->error.relative_error), 1);
      second = g_strdup_printf (_ ("error %s"), percent);
    }
  pare_curve_knob_set_texts (self->prune_ratio, first, second);
}

static void
show_study (PareInspector *self)
{
  const PareLayerStudy *s = self->study;
  if (s == NULL || !s->has_weights)
    {
      pare_bits_knob_set_errors (self->weight_bits, NULL);
      pare_curve_knob_set_curve (self->prune_ratio, NULL, NULL, 0, NAN);
      pare_curve_knob_set_texts (self->prune_ratio, NULL, NULL);
      pare_spectrum_knob_set_values (self->rank, NULL, 0);
      gtk_widget_set_visible (self->histograms, FALSE);
      gtk_widget_set_visible (GTK_WIDGET (self->coupled), FALSE);
      gtk_label_set_text (self->layer_error, "");
      g_signal_emit (self, coupled_signal, 0, NULL);
      return;
    }
  PareLayerRecipe r = resolved_of (self, s->layer);
  double shown[9];
  for (guint i = 0; i < 9; i++)
    shown[i] = sqrt (s->bits_error[i]);
  pare_bits_knob_set_errors (self->weight_bits, shown);
  double curve[PARE_STUDY_PRUNE], at[PARE_STUDY_PRUNE], free_until = NAN;
  for (guint i = 0; i < PARE_STUDY_PRUNE; i++)
    {
      at[i] = (double)i / (PARE_STUDY_PRUNE - 1);
      curve[i] = sqrt (s->prune_error[i]);
      if (i > 0 && curve[i] < 1e-6)
        free_until = at[i];
    }
  pare_curve_knob_set_curve (self->prune_ratio, at, curve, PARE_STUDY_PRUNE, free_until);
  show_pruning (self, &r, free_until);
  pare_spectrum_knob_set_values (self->rank, s->spectrum, s->n_spectrum);
  pare_spectrum_knob_set_rank (
      self->rank, r.factorize == PARE_FACTORIZE_SVD || r.factorize == PARE_FACTORIZE_SPATIAL ? (guint)MAX (r.rank, 0) : 0, s->max_rank + 1);
  gtk_widget_set_sensitive (GTK_WIDGET (self->factorize), s->spectrum != NULL && s->max_rank >= 1);
  gtk_widget_set_visible (GTK_WIDGET (self->rank), s->spectrum != NULL && s->max_rank >= 1);
  g_autofree char *rank_note = s->spectrum == NULL || s->max_rank < 1 ? g_strdup (_ ("nothing to gain here"))
                                                                      : g_strdup_printf (_ ("saves below rank %u"), s->max_rank + 1);
  gtk_label_set_text (self->rank_note, rank_note);
  g_autofree char *percent = pare_format_percent (s->has_error ? sqrt (s->error.relative_error) : NAN, 1),
                  *text = g_strdup_printf (_ ("layer error %s"), percent);
  gtk_label_set_text (self->layer_error, s->has_error ? text : "");

  g_autofree char *snr = s->has_error && isfinite (s->error.snr_db) ? g_strdup_printf (_ ("SNR %.1f dB"), s->error.snr_db) : g_strdup ("");
  g_autofree char *n_zeros = pare_format_count (s->error.zeros), *n_all = pare_format_count (s->error.count);
  g_autofree char *zeros = s->has_error && s->error.zeros > 0 ? g_strdup_printf (_ ("%s of %s at zero"), n_zeros, n_all) : g_strdup ("");
  gboolean changed
      = r.weight_bits != PARE_BITS_UNSET || r.prune != PARE_PRUNE_UNSET || r.centroids > 0 || r.factorize != PARE_FACTORIZE_UNSET;
  pare_histogram_view_set_before (self->weights, s->before, PARE_STUDY_BINS, s->low, s->high);
  pare_histogram_view_set_after (self->weights, changed && s->has_error ? s->after : NULL, changed && s->has_error ? PARE_STUDY_BINS : 0,
                                 s->low, s->high);
  pare_histogram_view_set_texts (self->weights, snr, zeros);
  gtk_widget_set_visible (self->histograms, TRUE);
  gboolean couple = s->coupled != NULL && r.prune == PARE_PRUNE_CHANNELS;
  gtk_label_set_text (self->coupled, s->coupled != NULL ? s->coupled : "");
  gtk_widget_set_visible (GTK_WIDGET (self->coupled), couple);
  g_signal_emit (self, coupled_signal, 0, couple ? s->coupled_layers : NULL);
}

static void
show_activations (PareInspector *self)
{
  const char *layer = first_layer (self);
  const PareGraph *graph = pare_session_get_graph (self->session);
  PareStatistics *statistics = pare_session_get_statistics (self->session);
  const PareHistogram *h = NULL;
  if (layer != NULL && graph != NULL && statistics != NULL)
    {
      PareNodeId id = pare_graph_find_layer (graph, layer);
      if (id != PARE_NONE && graph->nodes[id].n_inputs > 0 && graph->nodes[id].inputs[0] != PARE_NONE)
        h = pare_statistics_get (statistics, graph->values[graph->nodes[id].inputs[0]].name);
    }
  gtk_widget_set_visible (self->activations_box, h != NULL && h->count > 0);
  if (h == NULL || h->count == 0)
    return;
  PareLayerRecipe r = resolved_of (self, layer);
  double low = 0, high = 0;
  int bits = bits_or_float (r.activation_bits);
  gboolean quantized = bits <= 16;
  if (quantized)
    pare_histogram_range (h, r.calibrator == PARE_CALIBRATOR_UNSET ? PARE_CALIBRATOR_MSE : r.calibrator, r.percentile, bits, &low, &high);
  pare_histogram_view_set_statistics (self->activations, h);
  g_autofree char *from = pare_format_digits (quantized ? low : h->min, 3), *to = pare_format_digits (quantized ? high : h->max, 3),
                  *clip = g_strdup_printf (_ ("clip %s"), to);
  pare_histogram_view_set_clip (self->activations, quantized && high < h->max ? high : NAN, clip);
  g_autofree char *text
      = quantized ? g_strdup_printf (_ ("%d bits, %s to %s"), bits, from, to) : g_strdup_printf (_ ("float, %s to %s"), from, to);
  gtk_label_set_text (self->activations_note, text);
}

static void
on_study (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (PareInspector) self = data;
  PareLayerStudy *study = pare_layer_study_finish (result, NULL);
  if (study == NULL)
    return; /* superseded */
  pare_layer_study_free (self->study);
  self->study = study;
  if (self->box != NULL)
    show_study (self);
}

static void
request_study (PareInspector *self)
{
  const PareGraph *graph = pare_session_get_graph (self->session);
  const char *layer = pare_selection_get_n (self->selection) == 1 ? first_layer (self) : NULL;
  g_cancellable_cancel (self->study_cancel);
  g_clear_object (&self->study_cancel);
  if (graph == NULL || layer == NULL)
    {
      g_clear_pointer (&self->study, pare_layer_study_free);
      show_study (self);
      return;
    }
  PareLayerRecipe r = resolved_of (self, layer);
  self->study_cancel = g_cancellable_new ();
  pare_layer_study_async (graph, layer, &r, self->study_cancel, on_study, g_object_ref (self));
}

static void
refresh (PareInspector *self)
{
  show_head (self);
  pare_inspector_end_preview (self);
  pare_inspector_show_figures (self);
  show_knobs (self);
  show_activations (self);
  pare_inspector_show_details (self);
  request_study (self);
}

static void
on_figures (PareInspector *self)
{
  pare_inspector_show_figures (self);
  /* How many channels are left is known with the size. */
  if (self->study != NULL && self->study->has_weights)
    show_study (self);
}

static void
pare_inspector_dispose (GObject *object)
{
  PareInspector *self = PARE_INSPECTOR (object);
  if (self->study_cancel != NULL)
    g_cancellable_cancel (self->study_cancel);
  g_clear_object (&self->study_cancel);
  if (self->preview_control != NULL)
    pare_control_cancel (self->preview_control);
  self->previewing = self->preview_wanted = self->preview_shown = FALSE;
  g_clear_pointer (&self->study, pare_layer_study_free);
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  if (self->selection != NULL)
    g_signal_handlers_disconnect_by_data (self->selection, self);
  g_clear_pointer (&self->box, gtk_widget_unparent);
  g_clear_object (&self->session);
  g_clear_object (&self->selection);
  G_OBJECT_CLASS (pare_inspector_parent_class)->dispose (object);
}

static void
pare_inspector_class_init (PareInspectorClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = pare_inspector_dispose;
  gtk_widget_class_set_layout_manager_type (GTK_WIDGET_CLASS (klass), GTK_TYPE_BIN_LAYOUT);
  coupled_signal = g_signal_new ("coupled", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRV);
}

static void
pare_inspector_init (PareInspector *self)
{
}

GtkWidget *
pare_inspector_new (PareSession *session, PareSelection *selection)
{
  PareInspector *self = g_object_new (PARE_TYPE_INSPECTOR, NULL);
  self->session = g_object_ref (session);
  self->selection = g_object_ref (selection);
  pare_inspector_build (self);
  g_signal_connect_swapped (selection, "changed", G_CALLBACK (refresh), self);
  g_signal_connect_swapped (session, "recipe-changed", G_CALLBACK (refresh), self);
  g_signal_connect_swapped (session, "model-changed", G_CALLBACK (refresh), self);
  g_signal_connect_swapped (session, "statistics-changed", G_CALLBACK (show_activations), self);
  g_signal_connect_swapped (session, "size-changed", G_CALLBACK (on_figures), self);
  g_signal_connect_swapped (session, "latency-changed", G_CALLBACK (on_figures), self);
  refresh (self);
  return GTK_WIDGET (self);
}

void
pare_inspector_focus_knob (PareInspector *self, const char *knob)
{
  gtk_widget_grab_focus (GTK_WIDGET (strcmp (knob, "rank") == 0 ? self->factorize : self->prune_kind));
}
